//! A guest that asks over HTTP and tells what came of it
//!
//! What it tells goes into a record, the log, an error or a panic: tests look there for secrets and for the names of errors.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::budget::{self, Rate};
use weir_sdk::config::def::{ConfigDef, ConfigKey, ConfigType, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::http::{Chunk, HttpError, Request, Response, send};
use weir_sdk::offsets::single;
use weir_sdk::plugin::Class;
use weir_sdk::secret::{Secret, basic};
use weir_sdk::source::{PollBudget, SourceConnector, SourceTask};
use weir_sdk::{info, runtime};

/// Redirects that are followed.
const MAX_HOPS: usize = 5;

pub(crate) fn class() -> Class {
    Class::source::<Fetching, FetchingTask>("weir.guests.FetchingSourceConnector")
        .doc("Asks over HTTP and tells what came of it.")
        .config(definition)
}

fn definition() -> ConfigDef {
    let text = |name, doc| ConfigKey::text(name).default("").doc(doc);
    ConfigDef::new()
        .key(
            ConfigKey::text("topic")
                .validator(Validator::NonEmptyText)
                .doc("Where the records go"),
        )
        .key(text("url", "What to ask; a comma separates several"))
        .key(text("body", "What to send; `SECRET` stands for the secret"))
        .key(text("content.type", "Type of the body"))
        .key(text("user", "Whose password the token is"))
        .key(
            ConfigKey::new("token", ConfigType::Password)
                .default("")
                .doc("Sent as bearer token, or as the user's password"),
        )
        .key(
            ConfigKey::new("headers", ConfigType::Password)
                .default("")
                .doc("Headers, a line each"),
        )
        .key(
            ConfigKey::new("follow", ConfigType::Boolean)
                .default("false")
                .doc("Whether redirects are followed, headers and all"),
        )
        .key(
            ConfigKey::text("tell")
                .default("record")
                .validator(Validator::one_of(&["record", "log", "error", "panic", "learn"]))
                .doc("Where the outcome goes"),
        )
        .key(
            ConfigKey::text("read")
                .default("whole")
                .validator(Validator::one_of(&["whole", "pieces"]))
                .doc("How the body is read"),
        )
        .key(ConfigKey::int("max.body.bytes").default("1000000").doc("Largest body"))
        .key(ConfigKey::int("timeout.ms").default("2000").doc("Both timeouts"))
        .key(
            ConfigKey::int("permits")
                .default("0")
                .doc("Requests an hour of all tasks together; 0 = as many as there are"),
        )
}

/// Gives its settings to as many tasks as there may be.
#[derive(Debug, Default)]
struct Fetching {
    config: ConfigMap,
}

impl SourceConnector for Fetching {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        let count = usize::try_from(max_tasks).unwrap_or(1);
        Ok(vec![self.config.clone(); count])
    }
}

/// Asks each URL once.
#[derive(Debug, Default)]
struct FetchingTask {
    config: ConfigMap,
    asked: usize,
}

impl SourceTask for FetchingTask {
    fn start(&mut self, _context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn poll(&mut self, poll: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let urls: Vec<String> = self.text("url").split(',').map(str::to_owned).collect();
        let Some(url) = urls.get(self.asked) else {
            runtime::sleep(poll.max_wait_ms);
            return Ok(None);
        };
        self.asked += 1;
        let outcome = self.outcome(url);
        self.tell(outcome)
    }
}

impl FetchingTask {
    fn text(&self, key: &str) -> &str {
        self.config.get(key).unwrap_or_default()
    }

    fn number(&self, key: &str, fallback: u32) -> u32 {
        self.text(key).parse().unwrap_or(fallback)
    }

    fn outcome(&self, url: &str) -> String {
        let permits = self.number("permits", 0);
        if permits > 0 {
            let rate = Rate {
                requests: permits,
                per_ms: 3_600_000,
            };
            if budget::take("fetch", rate) > 0 {
                return "no permit".to_owned();
            }
        }
        match self.fetch(url) {
            Ok(text) => text,
            Err(error) => format!("{error:?}"),
        }
    }

    fn fetch(&self, url: &str) -> Result<String, HttpError> {
        let mut request = self.request(url);
        for _ in 0..MAX_HOPS {
            let mut response = send(&request)?;
            let location = response.header("location").map(str::to_owned);
            match location.filter(|_| self.text("follow") == "true") {
                Some(location) => request.url = location,
                None => return self.read(&mut response),
            }
        }
        Ok("too many redirects".to_owned())
    }

    fn request(&self, url: &str) -> Request {
        let token = Secret::of(&self.config, "token");
        let reference = token.as_ref().map(Secret::reference).unwrap_or_default();
        let body = self.text("body").replace("SECRET", reference);
        let mut request = if body.is_empty() {
            Request::get(&url.replace("SECRET", reference))
        } else {
            Request::post(url, body).with_header("content-type", self.text("content.type"))
        };
        let timeout_ms = self.number("timeout.ms", 2_000);
        request.connect_timeout_ms = timeout_ms;
        request.read_timeout_ms = timeout_ms;
        if let Some(token) = &token {
            let login = match self.text("user") {
                "" => format!("Bearer {reference}"),
                user => basic(user, token),
            };
            request = request.with_header("authorization", &login);
        }
        let headers = Secret::of(&self.config, "headers").map(|headers| headers.entries());
        for (name, value) in headers.unwrap_or_default() {
            request = request.with_header(&name, value.reference());
        }
        request
    }

    fn read(&self, response: &mut Response) -> Result<String, HttpError> {
        let most = usize::try_from(self.number("max.body.bytes", 1_000_000)).unwrap_or(usize::MAX);
        if self.text("read") != "pieces" {
            let body = response.body(most)?;
            return Ok(format!("{} {}", response.status, String::from_utf8_lossy(&body)));
        }
        let (mut pieces, mut has_waited) = (Vec::new(), false);
        loop {
            match response.read(most, 50)? {
                Chunk::Bytes(bytes) => pieces.push(String::from_utf8_lossy(&bytes).into_owned()),
                Chunk::Nothing => has_waited = true,
                Chunk::End => return Ok(format!("{} {} waited={has_waited}", response.status, pieces.join("|"))),
            }
        }
    }

    #[allow(clippy::print_stdout, reason = "what a guest prints is searched, too")]
    fn tell(&self, outcome: String) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        match self.text("tell") {
            "log" => {
                info!("answer {outcome}"; "outcome" => outcome);
                println!("standard output: {outcome}");
                eprintln!("standard error: {outcome}");
                runtime::metric("answers", &[("outcome", &outcome)], runtime::Sample::CounterAdd(1));
                Ok(None)
            }
            "error" => Err(ConnectError::fatal(format!("the service said: {outcome}"))),
            "panic" => panic!("{outcome}"),
            "learn" => {
                // As with an access token: learned from the answer, then met in a text.
                let learned = Secret::learned(&outcome);
                Err(ConnectError::fatal(format!(
                    "{outcome} is known as {}",
                    learned.reference()
                )))
            }
            _ => Ok(Some(vec![SourceRecord {
                source_partition: Some("{}".to_owned()),
                source_offset: Some(single("asked", i64::try_from(self.asked).unwrap_or(i64::MAX))),
                topic: self.text("topic").to_owned(),
                value: TypedValue::text(outcome),
                ..SourceRecord::default()
            }])),
        }
    }
}
