//! The polite client: one request at a time, waits that outlive a poll
//!
//! Takes a permit of the connector's budget before each request, waits with jitter after failures, holds all sister
//! tasks when the service asks for patience, and writes messages without queries and secrets. It never sleeps: where a
//! wait is due it answers [`Fetch::NotYet`]. Classes of errors: `answer.rs`.

use std::fmt;

use weir_sdk::api::error::ConnectError;
use weir_sdk::http::{self, HttpError, Method, Request, Response};
use weir_sdk::runtime::{self, Sample};
use weir_sdk::source::PollBudget;
use weir_sdk::{budget, warn};

use crate::answer::{Answer, Fetch, Verdict, excerpt};
use crate::jitter::{backoff_ms, doubled, up_to};
use crate::pause::Pause;
use crate::settings::Access;
use crate::url::{Hosts, Url};

/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;
/// Headers that may follow a redirect to another host.
const HARMLESS_HEADERS: [&str; 5] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "user-agent",
];
/// What stands for a secret in a message.
const HIDDEN: &str = "[hidden]";

/// Why the client waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Until then, by the clock as it stands.
    pub until_ms: i64,
    /// Why.
    pub reason: String,
}

/// Texts that are kept out of messages, and so out of debug output.
#[derive(Default)]
struct Hidden(Vec<String>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Asks one service.
#[derive(Debug)]
pub struct Client {
    budget: String,
    access: Access,
    attempts: u32,
    throttles: u32,
    sent: u64,
    waiting: Option<(Pause, String)>,
    hidden: Hidden,
    follow: Option<Hosts>,
}

impl Client {
    /// Starts a client whose requests are counted under a budget's name, together with those of sister tasks.
    pub fn new(access: &Access, budget: &str) -> Self {
        Self {
            budget: budget.to_owned(),
            access: *access,
            attempts: 0,
            throttles: 0,
            sent: 0,
            waiting: None,
            hidden: Hidden::default(),
            follow: None,
        }
    }

    /// Follows redirects to these hosts; without this a redirect is an answer like any other.
    #[must_use]
    pub fn following(mut self, hosts: Hosts) -> Self {
        self.follow = Some(hosts);
        self
    }

    /// Keeps a text out of messages: a token that a service gave, or a secret that a service may repeat.
    pub fn hide(&mut self, secret: &str) {
        if !secret.is_empty() && !self.hidden.0.iter().any(|known| known == secret) {
            self.hidden.0.push(secret.to_owned());
        }
    }

    /// Sends a request and has the answer judged.
    ///
    /// # Errors
    /// Fatal when the verdict is, when the failures in a row are used up, when a certificate does not verify or an
    /// answer is too large; stopped when stop was requested.
    pub fn fetch(&mut self, request: &Request, judge: &dyn Fn(&Answer) -> Verdict) -> Result<Fetch, ConnectError> {
        self.fetch_judging(request, judge, &|_| None)
    }

    /// As [`Client::fetch`], for feeds that have a word on failures of the connection; `None` = as for all.
    ///
    /// # Errors
    /// As [`Client::fetch`].
    pub fn fetch_judging(
        &mut self,
        request: &Request,
        judge: &dyn Fn(&Answer) -> Verdict,
        judge_error: &dyn Fn(&HttpError) -> Option<Verdict>,
    ) -> Result<Fetch, ConnectError> {
        if !self.permit() {
            return Ok(Fetch::NotYet);
        }
        let error = match self.exchange(request) {
            Ok(answer) => {
                let verdict = judge(&answer);
                return self.judged(request, answer, verdict);
            }
            Err(Failure::Http(error)) => error,
            Err(Failure::Refused(reason)) => {
                let text = format!("{}: {reason}", described(request));
                return Err(ConnectError::fatal(self.redacted(&text)));
            }
        };
        match judge_error(&error) {
            None => self.not_answered(request, &error).map(|()| Fetch::NotYet),
            Some(Verdict::Fatal(hint)) => {
                let text = format!("{}: {error}: {hint}", described(request));
                Err(ConnectError::fatal(self.redacted(&text)))
            }
            Some(verdict) => self.judged(request, Answer::default(), verdict),
        }
    }

    /// Takes a permit for one request; false = wait. [`Client::fetch`] does it; for those who send by themselves.
    pub fn permit(&mut self) -> bool {
        if let Some((pause, _)) = &mut self.waiting
            && !pause.is_over()
        {
            return false;
        }
        self.waiting = None;
        let wait_ms = budget::take(&self.budget, self.access.rate);
        if wait_ms > 0 {
            let pause = Pause::of(u64::from(wait_ms));
            self.waiting = Some((pause, "the connector's requests are limited".to_owned()));
        }
        wait_ms == 0
    }

    /// Gives how many requests were sent, answered or not, for those who pay for them.
    pub fn requests_sent(&self) -> u64 {
        self.sent
    }

    /// Tells why and until when the client waits.
    pub fn waiting(&self) -> Option<Waiting> {
        self.waiting.as_ref().map(|(pause, reason)| Waiting {
            until_ms: pause.until_ms(),
            reason: reason.clone(),
        })
    }

    /// Sleeps through the wait, within the poll's budget.
    pub fn idle(&mut self, budget: PollBudget) {
        if let Some((pause, _)) = &mut self.waiting {
            pause.idle(budget);
        }
    }

    /// Waits before the next request, for a reason that is logged.
    pub fn wait(&mut self, wait_ms: u64, reason: &str) {
        let reason = self.redacted(reason);
        warn!("waiting before the next request"; "wait_ms" => wait_ms, "reason" => reason);
        self.waiting = Some((Pause::of(wait_ms), reason));
    }

    /// Notes that what was asked for was fine: ends a row of failures. For [`Verdict::Unjudged`] answers.
    pub fn succeeded(&mut self) {
        self.attempts = 0;
        self.throttles = 0;
    }

    /// Notes a failure: waits before the next try. For [`Verdict::Unjudged`] answers and those who send by themselves.
    ///
    /// # Errors
    /// Fatal when the failures in a row are used up.
    pub fn failed(&mut self, what: &str, reason: &str) -> Result<(), ConnectError> {
        self.attempts = self.attempts.saturating_add(1);
        if let Some(most) = self.access.retry.max_attempts
            && self.attempts >= most.max(1)
        {
            let text = format!(
                "{what} failed {} times in a row, the last time with: {reason}; \
                 see whether the service works, or raise retry.max.attempts",
                self.attempts
            );
            return Err(ConnectError::fatal(self.redacted(&text)));
        }
        let retry = self.access.retry;
        let wait_ms = backoff_ms(self.attempts, retry.initial_ms, retry.max_ms);
        self.wait(wait_ms, &format!("{what}: {reason}"));
        Ok(())
    }

    /// Notes that the service wants us to wait: all sister tasks wait, too.
    pub fn throttled(&mut self, wait_ms: Option<u64>, reason: &str, floor_ms: u64, cap_ms: u64) {
        let wait_ms = match wait_ms {
            Some(named) => named.clamp(floor_ms.min(cap_ms), cap_ms),
            None => {
                let wait_ms = doubled(floor_ms, self.throttles, cap_ms);
                self.throttles = self.throttles.saturating_add(1);
                // A tenth at most, so that those who were refused together do not return together.
                wait_ms.saturating_add(up_to(wait_ms / 10)).min(cap_ms)
            }
        };
        count("throttled");
        budget::hold(&self.budget, u32::try_from(wait_ms).unwrap_or(u32::MAX));
        self.wait(wait_ms, reason);
    }

    /// Replaces secrets in a text.
    pub fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.hidden.0 {
            text = text.replace(secret, HIDDEN);
        }
        text
    }

    fn exchange(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut request = self.prepared(request);
        for _ in 0..=MAX_REDIRECTS {
            self.sent = self.sent.saturating_add(1);
            let mut response = http::send(&request)?;
            if let Some(hosts) = &self.follow
                && let Some(location) = location_of(&response)
            {
                request = redirected(&request, response.status, &location, hosts)?;
                continue;
            }
            let headers = response.headers.clone();
            return Ok(Answer {
                status: response.status,
                headers,
                body: response.body(self.access.limits.max_body_bytes)?,
                path: Url::parse(&request.url).map_or_else(|_| String::new(), |url| url.path),
                url: request.url,
            });
        }
        Err(Failure::Refused(format!(
            "more than {MAX_REDIRECTS} redirects in a row"
        )))
    }

    fn prepared(&self, request: &Request) -> Request {
        let mut request = request.clone();
        request.connect_timeout_ms = self.access.limits.connect_timeout_ms;
        request.read_timeout_ms = self.access.limits.read_timeout_ms;
        for (name, value) in [("accept-encoding", "gzip"), ("user-agent", USER_AGENT)] {
            if !request
                .headers
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
            {
                request = request.with_header(name, value);
            }
        }
        request
    }

    fn judged(&mut self, request: &Request, answer: Answer, verdict: Verdict) -> Result<Fetch, ConnectError> {
        match verdict {
            Verdict::Ok => {
                count("ok");
                self.succeeded();
                Ok(Fetch::Got(answer))
            }
            Verdict::Unjudged => {
                count("other");
                Ok(Fetch::Got(answer))
            }
            Verdict::Empty => {
                count("empty");
                self.succeeded();
                Ok(Fetch::Empty(answer))
            }
            Verdict::Skip(reason) => {
                count("skip");
                self.succeeded();
                let reason = self.redacted(&reason);
                Ok(Fetch::Skipped(answer, reason))
            }
            Verdict::Retry(reason) => {
                count("retry");
                let reason = format!("{reason}: {}", excerpt(&answer.text()));
                self.failed(&described(request), &reason)?;
                Ok(Fetch::NotYet)
            }
            Verdict::Throttled {
                wait_ms,
                reason,
                floor_ms,
                cap_ms,
            } => {
                let reason = format!("{}: {reason}", described(request));
                self.throttled(wait_ms, &reason, floor_ms, cap_ms);
                Ok(Fetch::NotYet)
            }
            Verdict::Fatal(hint) => {
                count("fatal");
                Err(self.fatal(request, &answer, &hint))
            }
        }
    }

    /// Gives the error of an answer that fails the task: what was asked, what came back, what to change.
    pub fn fatal(&self, request: &Request, answer: &Answer, hint: &str) -> ConnectError {
        let text = format!(
            "{} answered {} with '{}': {hint}",
            described(request),
            answer.status,
            answer.excerpt()
        );
        ConnectError::fatal(self.redacted(&text))
    }

    fn not_answered(&mut self, request: &Request, error: &HttpError) -> Result<(), ConnectError> {
        let what = described(request);
        if error.is_retriable() {
            count("retry");
            return self.failed(&what, &error.to_string());
        }
        let advice = match error {
            HttpError::Stopped => return Err(ConnectError::stopped()),
            HttpError::Certificate(_) => "; check the URL, the clock and the roots that the worker trusts",
            HttpError::TooLarge { .. } => "; raise http.max.body.bytes or ask for smaller pages",
            _ => "",
        };
        count("fatal");
        Err(ConnectError::fatal(self.redacted(&format!("{what}: {error}{advice}"))))
    }
}

/// How requests introduce themselves.
const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer.
enum Failure {
    Http(HttpError),
    Refused(String),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

fn count(outcome: &str) {
    runtime::metric("feed-requests", &[("outcome", outcome)], Sample::CounterAdd(1));
}

/// Gives what was asked, for messages: no query, which may hold a key.
pub fn described(request: &Request) -> String {
    let method = request.method.as_str();
    match Url::parse(&request.url) {
        Ok(url) => format!("{method} {}", url.redacted()),
        Err(_) => format!("{method} of an invalid URL"),
    }
}

fn location_of(response: &Response) -> Option<String> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    response.header("location").map(str::to_owned)
}

fn redirected(request: &Request, status: u16, location: &str, hosts: &Hosts) -> Result<Request, Failure> {
    let from = Url::parse(&request.url).map_err(Failure::Refused)?;
    let to = from
        .join(location)
        .map_err(|reason| Failure::Refused(format!("redirected to an invalid URL: {reason}")))?;
    hosts
        .check(&to)
        .map_err(|reason| Failure::Refused(format!("redirected: {reason}")))?;
    if from.scheme == "https" && to.scheme == "http" {
        return Err(Failure::Refused(format!(
            "redirected from https to plain {}; this would show the request to others",
            to.redacted()
        )));
    }
    let mut next = request.clone();
    if !from.is_same_origin(&to) {
        next.headers.retain(|(name, _)| {
            HARMLESS_HEADERS
                .iter()
                .any(|harmless| name.eq_ignore_ascii_case(harmless))
        });
    }
    let becomes_get = match status {
        303 => !matches!(next.method, Method::Head),
        301 | 302 => matches!(next.method, Method::Post),
        _ => false,
    };
    if becomes_get {
        next.method = Method::Get;
        next.body = Vec::new();
        next.headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    } else if !next.body.is_empty() && !from.is_same_origin(&to) {
        // A body may hold a key as well as a header may.
        return Err(Failure::Refused(format!(
            "redirected with its body to another host, {}; name that host in the URL instead",
            to.redacted()
        )));
    }
    next.url = to.to_string();
    Ok(next)
}

#[cfg(test)]
mod tests;
