//! Response rules: what an answer means
//!
//! `status 500..599 -> retry`, one a line, the first that matches wins; the defaults follow those of the user. What
//! follows from an action is in `weir_feed::client` and, for paging and authentication, in `stream.rs`.

use serde_json::Value;
use weir_feed::answer::{Answer, THROTTLE_CAP_MS, Verdict};
use weir_feed::time::{ResetFormat, retry_after_ms};
use weir_sdk::http::HttpError;

use crate::expression::Expression;

/// Wait where a service throttles and names no time: doubles up to an hour.
const THROTTLE_FLOOR_MS: u64 = 1_000;
/// What users read when an answer fails the task by default.
pub(crate) const HINT: &str = "check http.url, http.params, http.headers and http.auth.*, or add a rule to http.errors";

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it matches.
    pub matcher: Matcher,
    /// What follows.
    pub action: Action,
}

/// What a rule matches.
#[derive(Debug, Clone, PartialEq)]
pub enum Matcher {
    /// A status in one of these ranges, both ends included.
    Status(Vec<(u16, u16)>),
    /// A JSON body that fulfils a condition.
    Body(Expression),
    /// A header that is there and, if a value is given, has it or has not.
    Header {
        /// Name.
        name: String,
        /// Value, and whether it must be equal.
        value: Option<(String, bool)>,
    },
    /// A failure of the connection.
    Error(ErrorName),
}

/// A failure of the connection, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorName {
    /// Nothing came in time.
    Timeout,
    /// Nobody listens.
    Refused,
    /// Cut.
    Reset,
    /// No such name.
    Dns,
    /// The handshake failed.
    Tls,
    /// The body ended early.
    Truncated,
    /// Any of these.
    Any,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The answer is used.
    Ok,
    /// There is nothing.
    Empty,
    /// This partition is left out in this cycle.
    Skip,
    /// Again, after a backoff.
    Retry,
    /// Again, when a header says so; without it after a backoff.
    Wait(String),
    /// New credentials once, then fail.
    RefreshAuth,
    /// The cycle begins with its first page again.
    ResetPaging,
    /// The task fails.
    Fail(String),
}

impl Rule {
    /// Reads the rules of a setting, one a line.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| Self::parse(line).map_err(|reason| format!("in the rule '{line}': {reason}")))
            .collect()
    }

    fn parse(line: &str) -> Result<Self, String> {
        let (matcher, action) = line
            .rsplit_once("->")
            .ok_or("a rule reads MATCH -> ACTION, such as status 404 -> empty")?;
        Ok(Self {
            matcher: Matcher::parse(matcher.trim())?,
            action: Action::parse(action.trim())?,
        })
    }
}

impl Matcher {
    fn parse(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match kind {
            "status" => rest
                .split(',')
                .map(status_range)
                .collect::<Result<_, _>>()
                .map(Self::Status),
            "body" => Expression::parse(rest).map(Self::Body),
            "header" => header_matcher(rest),
            "error" => ErrorName::parse(rest).map(Self::Error),
            other => Err(format!("'{other}' is not one of status, body, header, error")),
        }
    }

    fn matches(&self, answer: &Answer, body: &Option<Value>) -> bool {
        match self {
            Self::Status(ranges) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&answer.status)),
            Self::Body(condition) => body.as_ref().is_some_and(|body| condition.holds(body)),
            Self::Header { name, value } => answer.header(name).is_some_and(|found| {
                value
                    .as_ref()
                    .is_none_or(|(wanted, is_equal)| (found.trim() == wanted) == *is_equal)
            }),
            Self::Error(_) => false,
        }
    }
}

impl ErrorName {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "timeout" => Self::Timeout,
            "refused" => Self::Refused,
            "reset" => Self::Reset,
            "dns" => Self::Dns,
            "tls" => Self::Tls,
            "truncated" => Self::Truncated,
            "any" => Self::Any,
            other => {
                return Err(format!(
                    "'{other}' is not one of timeout, refused, reset, dns, tls, truncated, any"
                ));
            }
        })
    }

    fn matches(self, error: &HttpError) -> bool {
        match self {
            Self::Timeout => matches!(error, HttpError::TimedOut),
            Self::Refused => matches!(error, HttpError::Refused),
            Self::Reset => matches!(error, HttpError::Reset),
            Self::Dns => matches!(error, HttpError::NameNotFound),
            Self::Tls => matches!(error, HttpError::Tls(_)),
            Self::Truncated => matches!(error, HttpError::Truncated),
            Self::Any => error.is_retriable(),
        }
    }
}

impl Action {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(message) = text.strip_prefix("fail") {
            return match message.trim() {
                "" => Ok(Self::Fail(HINT.to_owned())),
                quoted => serde_json::from_str(quoted)
                    .map(Self::Fail)
                    .map_err(|_| "the message of fail stands in double quotes".to_owned()),
            };
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["ok"] => Self::Ok,
            ["empty"] => Self::Empty,
            ["skip"] => Self::Skip,
            ["retry"] => Self::Retry,
            ["wait", "header", name] => Self::Wait((*name).to_owned()),
            ["wait"] => Self::Wait("Retry-After".to_owned()),
            ["refresh_auth"] => Self::RefreshAuth,
            ["reset_paging"] => Self::ResetPaging,
            _ => {
                return Err(format!(
                    "'{text}' is not one of ok, empty, skip, retry, wait header NAME, refresh_auth, reset_paging, fail \"MESSAGE\""
                ));
            }
        })
    }
}

fn status_range(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{}' is not a status or a range such as 500..599", text.trim());
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let from: u16 = from.trim().parse().map_err(|_| wrong())?;
    let to: u16 = to.trim().trim_start_matches('=').parse().map_err(|_| wrong())?;
    if from > to || !(100..=599).contains(&from) || to > 599 {
        return Err(wrong());
    }
    Ok((from, to))
}

fn header_matcher(text: &str) -> Result<Matcher, String> {
    let (name, value) = match text.split_once("==").map(|parts| (parts, true)) {
        Some(((name, value), is_equal)) => (name, Some((value, is_equal))),
        None => match text.split_once("!=") {
            Some((name, value)) => (name, Some((value, false))),
            None => (text, None),
        },
    };
    let name = name.trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err("a header match reads header NAME, or header NAME == \"value\"".to_owned());
    }
    let value = match value {
        None => None,
        Some((quoted, is_equal)) => {
            let value: String = serde_json::from_str(quoted.trim())
                .map_err(|_| "the header's value stands in double quotes".to_owned())?;
            Some((value, is_equal))
        }
    };
    Ok(Matcher::Header {
        name: name.to_owned(),
        value,
    })
}

/// Where a service says how many requests are left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitHeaders {
    /// Requests left.
    pub remaining: String,
    /// When there are new ones.
    pub reset: String,
    /// What that means.
    pub format: ResetFormat,
}

impl LimitHeaders {
    /// Gives the wait that the reset header names.
    pub fn reset_ms(&self, answer: &Answer, now_ms: i64) -> Option<u64> {
        self.format.wait_ms(answer.header(&self.reset)?, now_ms)
    }

    /// Gives the wait that an answer asks for although it was fine: none is left.
    pub fn wait_ms(&self, answer: &Answer, now_ms: i64) -> Option<u64> {
        let left = answer.header(&self.remaining)?.trim();
        (left.parse::<f64>().ok()? < 1.0).then(|| self.reset_ms(answer, now_ms))?
    }
}

/// All rules of a connector.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    own: Vec<Rule>,
    limits: LimitHeaders,
}

/// An answer judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// For the client.
    pub verdict: Verdict,
    /// For the stream.
    pub action: Action,
}

impl Rules {
    /// Puts the user's rules before the defaults.
    pub fn new(own: Vec<Rule>, limits: LimitHeaders) -> Self {
        Self { own, limits }
    }

    /// Where a service says how many requests are left.
    pub fn limits(&self) -> &LimitHeaders {
        &self.limits
    }

    /// Judges an answer.
    pub fn judge(&self, answer: &Answer, now_ms: i64) -> Judged {
        let reads_bodies = self.own.iter().any(|rule| matches!(rule.matcher, Matcher::Body(_)));
        let body = if reads_bodies { answer.json().ok() } else { None };
        let own = self.own.iter().find(|rule| rule.matcher.matches(answer, &body));
        let action = own.map_or_else(|| default_action(answer.status), |rule| rule.action.clone());
        let verdict = match &action {
            Action::Ok => Verdict::Ok,
            Action::Empty => Verdict::Empty,
            Action::Skip => Verdict::Skip(format!("status {}", answer.status)),
            Action::Retry => Verdict::Retry(format!("status {}", answer.status)),
            Action::Wait(header) => Verdict::Throttled {
                wait_ms: answer
                    .header(header)
                    .and_then(|value| {
                        retry_after_ms(value, now_ms).or_else(|| self.limits.format.wait_ms(value, now_ms))
                    })
                    .or_else(|| self.limits.reset_ms(answer, now_ms)),
                reason: format!("status {}", answer.status),
                floor_ms: THROTTLE_FLOOR_MS,
                cap_ms: THROTTLE_CAP_MS,
            },
            Action::RefreshAuth | Action::ResetPaging => Verdict::Unjudged,
            Action::Fail(message) => Verdict::Fatal(message.clone()),
        };
        Judged { verdict, action }
    }

    /// Judges a failure of the connection; none = as for every feed.
    pub fn judge_error(&self, error: &HttpError) -> Option<Verdict> {
        let rule = self
            .own
            .iter()
            .find(|rule| matches!(rule.matcher, Matcher::Error(name) if name.matches(error)))?;
        match &rule.action {
            Action::Ok | Action::Empty => Some(Verdict::Empty),
            Action::Skip => Some(Verdict::Skip(error.to_string())),
            Action::Fail(message) => Some(Verdict::Fatal(message.clone())),
            Action::Retry | Action::Wait(_) | Action::RefreshAuth | Action::ResetPaging => None,
        }
    }
}

fn default_action(status: u16) -> Action {
    match status {
        200..=299 => Action::Ok,
        304 => Action::Empty,
        401 => Action::RefreshAuth,
        408 | 425 | 429 => Action::Wait("Retry-After".to_owned()),
        500..=599 => Action::Retry,
        _ => Action::Fail(HINT.to_owned()),
    }
}

#[cfg(test)]
mod tests;
