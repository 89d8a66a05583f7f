//! Errors of X in their four shapes, and what they mean
//!
//! Problem, problem with a list, the older list, the older single object; an edge server may also answer markup. The
//! table from errors to classes is here; what a mode makes of a refusal is with the mode.

use serde_json::Value;
use weir_feed::answer::{Answer, Verdict};
use weir_feed::pointer::scalar_text;
use weir_feed::time::{parse_http_date, retry_after_ms};

/// Least wait after a 429 that names a time.
const LIMIT_FLOOR_MS: u64 = 1_000;
/// First wait after a 429 that names none.
const LIMIT_UNNAMED_MS: u64 = 60_000;
/// Longest wait after a 429: a window and a minute.
pub const LIMIT_CAP_MS: u64 = 16 * 60_000;
/// Wait after too many connections.
pub const CONNECTIONS_WAIT_MS: u64 = 60_000;

/// One error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// Short text.
    pub title: String,
    /// Long text.
    pub detail: String,
    /// Last part of the type's URL.
    pub kind: String,
    /// Parameters it speaks of.
    pub parameters: Vec<String>,
    /// The item it speaks of.
    pub item: Option<String>,
    /// Why a stream could not connect or ended.
    pub connection: Option<String>,
}

impl Problem {
    /// Reads all errors of a body, whatever its shape.
    pub fn all(body: &Value) -> Vec<Self> {
        let outer = Self::one(body);
        let mut all: Vec<Self> = body
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Self::one)
            .map(|inner| inner.within(outer.as_ref()))
            .collect();
        if all.is_empty() {
            all.extend(outer);
        }
        all
    }

    /// Reads all errors of an answer; none when it is no JSON.
    pub fn of(answer: &Answer) -> Vec<Self> {
        answer.json().map(|body| Self::all(&body)).unwrap_or_default()
    }

    /// Tells whether it is of a kind, by the type's URL or by the title where there is no type.
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind || (self.kind.is_empty() && self.title.eq_ignore_ascii_case(kind))
    }

    /// Gives what tells the item from others, for the log.
    pub fn item_text(&self) -> &str {
        self.item.as_deref().unwrap_or(&self.title)
    }

    fn one(object: &Value) -> Option<Self> {
        let text = |name: &str| object.get(name).and_then(scalar_text);
        let kind = text("type").unwrap_or_default();
        let title = text("title");
        let message = text("message").or_else(|| text("detail"));
        if title.is_none() && message.is_none() {
            return None;
        }
        let parameters = object.get("parameters").and_then(Value::as_object);
        Some(Self {
            title: title.or_else(|| text("code")).unwrap_or_default(),
            detail: message.unwrap_or_default(),
            kind: kind.rsplit('/').next().unwrap_or_default().replace("about:blank", ""),
            parameters: parameters
                .map(|map| map.keys().cloned().collect())
                .or_else(|| text("parameter").map(|name| vec![name]))
                .unwrap_or_default(),
            item: text("resource_id").or_else(|| text("value")),
            connection: text("connection_issue").or_else(|| text("disconnect_type")),
        })
    }

    /// Adds what only the object around the list says.
    fn within(mut self, outer: Option<&Self>) -> Self {
        if let Some(outer) = outer {
            if self.title.is_empty() || self.kind.is_empty() {
                self.kind.clone_from(&outer.kind);
            }
            self.connection = self.connection.or_else(|| outer.connection.clone());
        }
        self
    }

    /// Tells whether the account's quota is used up.
    pub fn is_usage_cap(&self) -> bool {
        self.is("usage-capped") || self.title == "UsageCapExceeded"
    }

    /// Tells whether another connection is open.
    pub fn is_connection_limit(&self) -> bool {
        self.is("streaming-connection")
            || self.title == "ConnectionException"
            || self.connection.as_deref() == Some("TooManyConnections")
    }
}

/// Why a request was refused, as far as a caller may want to go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 401.
    Unauthorized,
    /// 400 that names the end of the range.
    OutOfRange,
    /// 400 that names the page.
    Token,
    /// 400 of another kind.
    Invalid,
    /// 403, 404 or such for one user.
    User,
    /// 409: the stream has no rules.
    NoRules,
}

impl Refusal {
    /// Recognises a refusal.
    pub fn of(answer: &Answer, problems: &[Problem]) -> Option<Self> {
        let names = |wanted: &[&str]| {
            problems.iter().any(|problem| {
                problem.parameters.iter().any(|name| wanted.contains(&name.as_str()))
                    || wanted.iter().any(|name| problem.detail.contains(&format!("'{name}'")))
            })
        };
        let is_app = || {
            let app_kinds = ["client-forbidden", "client-not-enrolled", "unsupported-authentication"];
            problems
                .iter()
                .any(|problem| app_kinds.iter().any(|kind| problem.is(kind)))
        };
        match answer.status {
            401 => Some(Self::Unauthorized),
            400 if names(&["since_id", "start_time"]) => Some(Self::OutOfRange),
            400 if names(&["next_token", "pagination_token"]) => Some(Self::Token),
            400 => Some(Self::Invalid),
            403 | 404 if !is_app() => Some(Self::User),
            409 => Some(Self::NoRules),
            _ => None,
        }
    }
}

/// Classifies an answer; `handled` are the refusals that the caller goes on from.
pub fn verdict(answer: &Answer, now_ms: i64, handled: &[Refusal]) -> Verdict {
    if answer.status == 200 || answer.status == 201 {
        return match answer.json() {
            Ok(body) if body.is_object() => Verdict::Ok,
            Ok(_) => Verdict::Retry("the body is no JSON object".to_owned()),
            Err(reason) => Verdict::Retry(reason),
        };
    }
    let problems = Problem::of(answer);
    if problems.iter().any(Problem::is_usage_cap) {
        return Verdict::Fatal(USAGE_HINT.to_owned());
    }
    if problems.iter().any(Problem::is_connection_limit) {
        return Verdict::Throttled {
            wait_ms: Some(CONNECTIONS_WAIT_MS),
            reason: "another connection is open".to_owned(),
            floor_ms: CONNECTIONS_WAIT_MS,
            cap_ms: CONNECTIONS_WAIT_MS,
        };
    }
    if answer.status == 429 {
        return limited(answer, now_ms);
    }
    match Refusal::of(answer, &problems) {
        Some(refusal) if handled.contains(&refusal) => Verdict::Unjudged,
        _ if matches!(answer.status, 408 | 425 | 500..=599) => Verdict::Retry(format!("status {}", answer.status)),
        _ => Verdict::Fatal(hint(answer.status).to_owned()),
    }
}

/// What to do once the quota is used up.
pub const USAGE_HINT: &str = "the account's quota of posts is used up; \
    wait for the next period of the plan or choose a larger one, then restart the task";

fn limited(answer: &Answer, now_ms: i64) -> Verdict {
    let now_ms = service_now_ms(answer, now_ms);
    let reset = answer
        .header("x-rate-limit-reset")
        .and_then(|text| text.trim().parse::<i64>().ok());
    let until_reset = reset.map(|seconds| {
        let wait_ms = seconds.saturating_mul(1000).saturating_sub(now_ms);
        u64::try_from(wait_ms).unwrap_or(0)
    });
    let wait_ms = until_reset.or_else(|| retry_after_ms(answer.header("retry-after")?, now_ms));
    Verdict::Throttled {
        reason: "the rate limit is used up".to_owned(),
        floor_ms: if wait_ms.is_some() {
            LIMIT_FLOOR_MS
        } else {
            LIMIT_UNNAMED_MS
        },
        cap_ms: LIMIT_CAP_MS,
        wait_ms,
    }
}

/// Gives the service's time where the answer says it: times that the service names are by its clock.
pub fn service_now_ms(answer: &Answer, now_ms: i64) -> i64 {
    answer.header("date").and_then(parse_http_date).unwrap_or(now_ms)
}

/// Says what to change.
pub fn hint(status: u16) -> &'static str {
    match status {
        400 => "X refuses the request; look at the settings that the answer names",
        401 => {
            "the credentials are wrong or were revoked; renew twitter.bearer.token, or twitter.api.key and twitter.api.secret"
        }
        403 => "the app may not do this; see its access level and enrolment in X's developer portal",
        404 => "there is no such thing; look at twitter.base.url and at the users",
        409 => "the stream has no rules; set twitter.rules",
        300..=399 => "X does not redirect; look at twitter.base.url",
        _ => "X refuses the request",
    }
}

#[cfg(test)]
mod tests;
