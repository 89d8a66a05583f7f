//! The connection of the stream: one at most, and made again by X's rules
//!
//! Reads without blocking longer than told. What the lines mean is in `stream.rs`; how long to wait after a failure in
//! `reconnect.rs`; what a refusal means in `problem.rs`.

use weir_feed::answer::{Answer, Verdict};
use weir_feed::client::described;
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::http::{self, Chunk, HttpError, Request, Response};
use weir_sdk::source::PollBudget;
use weir_sdk::{info, runtime};

use crate::api::{Caller, Endpoint};
use crate::lines::{Lines, TooLong};
use crate::problem::{CONNECTIONS_WAIT_MS, Problem, Refusal, USAGE_HINT, hint, verdict};
use crate::reconnect::Reconnect;
use crate::settings::Settings;

const PATH: &str = "/2/tweets/search/stream";
/// A connection that lasted so long worked, even if it brought no post.
const WORKED_MS: i64 = 20_000;
/// Bytes of a refusal that are read.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// What connecting came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// It is open.
    Yes {
        /// What X calls the request.
        request_id: Option<String>,
    },
    /// Not yet: a wait is due.
    NotYet,
    /// There are no rules: they must be looked at again.
    NoRules,
}

/// The connection.
#[derive(Debug)]
pub struct Connection {
    url: Url,
    endpoint: Endpoint,
    connect_timeout_ms: u32,
    stall_ms: u32,
    max_line_bytes: usize,
    max_attempts: Option<u32>,
    has_rules: bool,
    open: Option<Open>,
    reconnect: Reconnect,
}

#[derive(Debug)]
struct Open {
    response: Response,
    lines: Lines,
    /// By our clock.
    since_ms: i64,
    /// By the service's clock.
    service_since_ms: i64,
    brought_a_post: bool,
}

impl Connection {
    /// Starts without a connection.
    pub fn new(settings: &Settings) -> Self {
        let mut url = Url {
            path: PATH.to_owned(),
            ..settings.base.clone()
        };
        for (name, value) in &settings.fields.params {
            url.push_param(name, value);
        }
        let access = &settings.common.access;
        Self {
            url,
            endpoint: Endpoint::new(settings, "x.stream"),
            connect_timeout_ms: access.limits.connect_timeout_ms,
            stall_ms: settings.stall_ms,
            max_line_bytes: access.limits.max_body_bytes,
            max_attempts: access.retry.max_attempts,
            has_rules: !settings.rules.is_empty(),
            open: None,
            reconnect: Reconnect::default(),
        }
    }

    /// Gives the path.
    pub fn path(&self) -> &str {
        &self.url.path
    }

    /// Tells whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Gives when it was made, by the service's clock.
    pub fn since_ms(&self) -> i64 {
        self.open.as_ref().map_or(0, |open| open.service_since_ms)
    }

    /// Makes the connection.
    ///
    /// # Errors
    /// Fatal where X's table says so, and when failures in a row are used up.
    pub fn connect(&mut self, caller: &mut Caller, backfill_minutes: i64) -> Result<Connected, ConnectError> {
        // X may close the older of two connections, or refuse the newer one.
        self.open = None;
        let Some(authorization) = self.endpoint.authorization(caller)? else {
            return Ok(Connected::NotYet);
        };
        if !self.endpoint.client().permit() {
            return Ok(Connected::NotYet);
        }
        let mut url = self.url.clone();
        if backfill_minutes > 0 {
            url.push_param("backfill_minutes", &backfill_minutes.to_string());
        }
        let mut request = Request::get(&url.to_string()).with_header("authorization", &authorization);
        request.connect_timeout_ms = self.connect_timeout_ms;
        request.read_timeout_ms = self.stall_ms;
        match http::send(&request) {
            Ok(response) if response.status == 200 => Ok(self.opened(caller, response)),
            Ok(response) => self.refused(caller, &request, response),
            Err(error) => {
                self.failed(&error)?;
                Ok(Connected::NotYet)
            }
        }
    }

    /// Sleeps through the wait at hand, within the poll's budget.
    pub fn idle(&mut self, caller: &mut Caller, budget: PollBudget) {
        self.endpoint.idle(caller, budget);
    }

    /// Reads a piece; none = the connection broke.
    ///
    /// # Errors
    /// Stopped when stop was requested; fatal when failures in a row are used up.
    pub fn read(&mut self, max: usize, wait_ms: u32) -> Result<Option<Chunk>, ConnectError> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        match open.response.read(max, wait_ms) {
            Ok(Chunk::End) => {
                info!("the stream ended");
                self.ended()?;
                Ok(Some(Chunk::End))
            }
            Ok(chunk) => Ok(Some(chunk)),
            Err(HttpError::Stopped) => Err(ConnectError::stopped()),
            Err(error) => {
                info!("the stream broke"; "reason" => error);
                self.ended()?;
                Ok(None)
            }
        }
    }

    /// Gives the lines that are whole with this piece.
    ///
    /// # Errors
    /// Fatal when a line is too long.
    pub fn lines(&mut self, piece: &[u8]) -> Result<Vec<Vec<u8>>, ConnectError> {
        let Some(open) = &mut self.open else {
            return Ok(Vec::new());
        };
        open.lines.push(piece).map_err(|TooLong| {
            ConnectError::fatal(format!(
                "GET {}: response too large: a line has more than {} bytes; raise http.max.body.bytes",
                self.url.redacted(),
                self.max_line_bytes
            ))
        })
    }

    /// Notes that a post came: the connection works.
    pub fn brought_a_post(&mut self) {
        if let Some(open) = &mut self.open {
            open.brought_a_post = true;
        }
    }

    /// Notes why the stream says that it ends, and closes it.
    ///
    /// # Errors
    /// Fatal when the quota is used up.
    pub fn ended_with(&mut self, problems: &[Problem]) -> Result<(), ConnectError> {
        for problem in problems {
            info!("the stream says that it ends"; "title" => problem.title, "detail" => problem.detail);
        }
        if problems.iter().any(Problem::is_usage_cap) {
            let text = format!("GET {} ended with UsageCapExceeded: {USAGE_HINT}", self.url.redacted());
            return Err(ConnectError::fatal(text));
        }
        if problems.iter().any(Problem::is_connection_limit) {
            self.open = None;
            let reason = "another connection is open";
            let wait_ms = CONNECTIONS_WAIT_MS;
            self.endpoint
                .client()
                .throttled(Some(wait_ms), reason, wait_ms, wait_ms);
            return Ok(());
        }
        self.ended()
    }

    /// Closes the connection; one that worked is made again at once.
    ///
    /// # Errors
    /// Fatal when failures in a row are used up.
    pub fn ended(&mut self) -> Result<(), ConnectError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        if open.brought_a_post || runtime::now_ms().saturating_sub(open.since_ms) >= WORKED_MS {
            self.reconnect.works();
            return Ok(());
        }
        let wait_ms = self.reconnect.network();
        self.wait(wait_ms, "the stream ended at once")
    }

    fn opened(&mut self, caller: &mut Caller, response: Response) -> Connected {
        self.endpoint.client().succeeded();
        caller.auth().accepted();
        let head = Answer {
            status: response.status,
            headers: response.headers.clone(),
            ..Answer::default()
        };
        caller.note_date(&head);
        let request_id = response.header("x-transaction-id").map(str::to_owned);
        self.open = Some(Open {
            response,
            lines: Lines::new(self.max_line_bytes),
            since_ms: runtime::now_ms(),
            service_since_ms: caller.service_now_ms(),
            brought_a_post: false,
        });
        Connected::Yes { request_id }
    }

    fn refused(
        &mut self,
        caller: &mut Caller,
        request: &Request,
        mut response: Response,
    ) -> Result<Connected, ConnectError> {
        let answer = Answer {
            status: response.status,
            headers: response.headers.clone(),
            body: response.body(MAX_REFUSAL_BYTES).unwrap_or_default(),
            path: self.url.path.clone(),
            url: request.url.clone(),
        };
        drop(response);
        caller.note_date(&answer);
        match verdict(&answer, runtime::now_ms(), &[Refusal::Unauthorized, Refusal::NoRules]) {
            Verdict::Throttled {
                wait_ms,
                reason,
                floor_ms,
                cap_ms,
            } => {
                let reason = format!("{}: {reason}", described(request));
                self.endpoint.client().throttled(wait_ms, &reason, floor_ms, cap_ms);
                Ok(Connected::NotYet)
            }
            Verdict::Unjudged if answer.status == 401 && caller.auth().refused() => Ok(Connected::NotYet),
            Verdict::Unjudged if answer.status == 409 && self.has_rules => {
                let wait_ms = self.reconnect.http();
                self.wait(wait_ms, "the stream has no rules")?;
                Ok(Connected::NoRules)
            }
            Verdict::Retry(reason) => {
                let wait_ms = self.reconnect.http();
                self.wait(wait_ms, &reason)?;
                Ok(Connected::NotYet)
            }
            Verdict::Fatal(hint) => Err(self.endpoint.client().fatal(request, &answer, &hint)),
            Verdict::Ok | Verdict::Empty | Verdict::Skip(_) | Verdict::Unjudged => {
                Err(self.endpoint.client().fatal(request, &answer, hint(answer.status)))
            }
        }
    }

    fn failed(&mut self, error: &HttpError) -> Result<(), ConnectError> {
        let reason = error.to_string();
        if *error == HttpError::Stopped {
            return Err(ConnectError::stopped());
        }
        if !error.is_retriable() {
            let text = format!("GET {}: {reason}; look at twitter.base.url", self.url.redacted());
            return Err(ConnectError::fatal(self.endpoint.client().redacted(&text)));
        }
        let wait_ms = self.reconnect.network();
        self.wait(wait_ms, &reason)
    }

    fn wait(&mut self, wait_ms: u64, reason: &str) -> Result<(), ConnectError> {
        if self.reconnect.is_used_up(self.max_attempts) {
            let text = format!(
                "GET {} failed too often in a row, the last time with: {reason}; \
                 see whether the service works, or raise retry.max.attempts",
                self.url.redacted()
            );
            return Err(ConnectError::fatal(self.endpoint.client().redacted(&text)));
        }
        let reason = format!("GET {}: {reason}", self.url.redacted());
        self.endpoint.client().wait(wait_ms, &reason);
        Ok(())
    }
}
