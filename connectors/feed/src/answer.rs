//! What a service answered, and what it means
//!
//! A feed judges an answer: the verdict is the error class of the feed's table. What follows from it is in `client.rs`.

use serde_json::Value;

use crate::charset::{Charset, decode};

/// How much of a body goes into a message.
const EXCERPT_CHARS: usize = 200;
/// Least wait after a 429.
const THROTTLE_FLOOR_MS: u64 = 1_000;
/// Longest wait that a service may ask for.
pub const THROTTLE_CAP_MS: u64 = 3_600_000;

/// An answer, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body, unpacked.
    pub body: Vec<u8>,
    /// Path that was asked for, without query.
    pub path: String,
    /// URL that answered in the end. It may hold a secret in its query: never log it.
    pub url: String,
}

impl Answer {
    /// Gives the first header of a name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Gives the body as text: by its byte order mark, its charset parameter, as UTF-8, or else as ISO-8859-15.
    pub fn text(&self) -> String {
        decode(&self.body, self.header("content-type"), Charset::Latin9).text
    }

    /// Parses the body, whatever its content type says.
    ///
    /// # Errors
    /// What is wrong with it, for a message.
    pub fn json(&self) -> Result<Value, String> {
        let parsed = serde_json::from_slice(&self.body);
        parsed.or_else(|_| {
            let text = self.text();
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
                if text.trim().is_empty() {
                    "the body is empty".to_owned()
                } else if text.trim_start().starts_with('<') {
                    "the body is markup, not JSON".to_owned()
                } else {
                    format!("the body is not JSON: {error}")
                }
            })
        })
    }

    /// Gives the start of the body for a message, on one line.
    pub fn excerpt(&self) -> String {
        excerpt(&self.text())
    }
}

/// Gives the start of a text, on one line.
pub fn excerpt(text: &str) -> String {
    let mut short = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == EXCERPT_CHARS {
            short.push('…');
            break;
        }
        short.push(if c.is_control() { ' ' } else { c });
    }
    short
}

/// The class of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Fine: ends a row of failures.
    Ok,
    /// Fine, and there is nothing.
    Empty,
    /// This one item has no answer, for a reason.
    Skip(String),
    /// Ask again later, for a reason; counts as an attempt.
    Retry(String),
    /// The service wants us to wait; does not count as an attempt.
    Throttled {
        /// What the service named; none = `floor_ms`, doubling.
        wait_ms: Option<u64>,
        /// Why.
        reason: String,
        /// Least wait.
        floor_ms: u64,
        /// Longest wait.
        cap_ms: u64,
    },
    /// The task fails; the text says what to change.
    Fatal(String),
    /// The caller goes on by itself: neither success nor failure is counted.
    Unjudged,
}

impl Verdict {
    /// Classifies by status alone, as every feed does where its own table is silent.
    pub fn by_status(answer: &Answer, now_ms: i64, hint: &str) -> Self {
        match answer.status {
            200..=299 => Self::Ok,
            304 => Self::Empty,
            429 => Self::Throttled {
                wait_ms: answer
                    .header("retry-after")
                    .and_then(|value| crate::time::retry_after_ms(value, now_ms)),
                reason: "the service answered 429".to_owned(),
                floor_ms: THROTTLE_FLOOR_MS,
                cap_ms: THROTTLE_CAP_MS,
            },
            408 | 425 | 500..=599 => Self::Retry(format!("status {}", answer.status)),
            _ => Self::Fatal(hint.to_owned()),
        }
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetch {
    /// An answer to use.
    Got(Answer),
    /// An answer that says that there is nothing.
    Empty(Answer),
    /// No answer for this item, and why.
    Skipped(Answer, String),
    /// Not now: ask again in the next poll, with the same request.
    NotYet,
}
