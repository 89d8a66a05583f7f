//! What the two steps answer, and which class of error it is
//!
//! `estado` in the body is read before the HTTP status, since they disagree and the body is right. Pure.

use serde_json::Value as Json;
use weir_feed::answer::{Answer, Verdict};
use weir_feed::time::retry_after_ms;
use weir_sdk::http::HttpError;

use crate::number::Number;

/// Wait after a refusal for being too many; doubles up to the longest.
const THROTTLE_FLOOR_MS: u64 = 60_000;
const THROTTLE_CAP_MS: u64 = 900_000;
const KEY_HINT: &str = "the service refuses the key; keys last about three months: \
                        ask for a new one at opendata.aemet.es and set aemet.api.key";
const REQUEST_HINT: &str = "the service does not take this request; check aemet.base.url and the other aemet settings";

/// What an answer is.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Step one: where the data are.
    Address(String),
    /// Step two: the data.
    Rows(Vec<Json>),
    /// There are no data.
    Nothing,
    /// Step two: the address leads nowhere any more.
    Gone,
    /// Too many requests; the wait that the service named.
    TooMany(Option<u64>),
    /// To be asked again, for a reason.
    Retry(String),
    /// Nothing to be done without a change, which the text names.
    Fatal(&'static str),
}

impl Found {
    /// Reads the answer of step one.
    pub fn envelope(answer: &Answer, now_ms: i64) -> Self {
        let body = match answer.json() {
            Ok(Json::Object(body)) => Some(body),
            _ => None,
        };
        let estado = body.as_ref().and_then(|body| whole(body.get("estado")));
        let estado = estado.or_else(|| {
            answer
                .header("aemet_estado")
                .and_then(|text| Number::of_text(text).whole())
        });
        let Some(body) = body else {
            // 404 without an envelope is not "no data": it may be a page of a proxy.
            return match estado.unwrap_or(i32::from(answer.status)) {
                200..=299 | 404 => Self::Retry(not_json(answer)),
                status => Self::of_status(status, answer, now_ms),
            };
        };
        match estado.unwrap_or(i32::from(answer.status)) {
            200..=299 => match body.get("datos").and_then(Json::as_str).map(str::trim) {
                Some(address) if !address.is_empty() => Self::Address(address.to_owned()),
                _ => Self::Retry("the envelope has no datos".to_owned()),
            },
            404 => Self::Nothing,
            status => Self::of_status(status, answer, now_ms),
        }
    }

    /// Reads the answer of step two.
    pub fn data(answer: &Answer, now_ms: i64) -> Self {
        if !(200..=299).contains(&answer.status) {
            return match answer.status {
                404 | 410 => Self::Gone,
                status => Self::of_status(i32::from(status), answer, now_ms),
            };
        }
        match answer.json() {
            Ok(Json::Array(rows)) => Self::Rows(rows),
            Ok(Json::Object(body)) => match whole(body.get("estado")) {
                Some(404) => Self::Gone,
                Some(200..=299) | None => Self::Retry("the body is an object, not a list of rows".to_owned()),
                Some(estado) => Self::of_status(estado, answer, now_ms),
            },
            Ok(_) => Self::Retry("the body is not a list of rows".to_owned()),
            Err(reason) => Self::Retry(reason),
        }
    }

    /// Reads a failure of the connection; `None` where trying again does not help.
    pub fn cut_off(error: &HttpError) -> Option<Self> {
        match error {
            HttpError::NameNotFound
            | HttpError::Refused
            | HttpError::Reset
            | HttpError::TimedOut
            | HttpError::Tls(_)
            | HttpError::Truncated
            | HttpError::Other(_) => Some(Self::Retry(error.to_string())),
            HttpError::Denied(_)
            | HttpError::Certificate(_)
            | HttpError::TooLarge { .. }
            | HttpError::InvalidUrl(_)
            | HttpError::Stopped => None,
        }
    }

    fn of_status(status: i32, answer: &Answer, now_ms: i64) -> Self {
        match status {
            401 | 403 => Self::Fatal(KEY_HINT),
            429 => {
                let named = answer.header("retry-after");
                Self::TooMany(named.and_then(|value| retry_after_ms(value, now_ms)))
            }
            408 | 425 | 500..=599 => Self::Retry(format!("estado {status}")),
            300..=399 => Self::Fatal("the service moved, and redirects are not followed; set aemet.base.url"),
            _ => Self::Fatal(REQUEST_HINT),
        }
    }

    /// Gives the verdict for the client. Success is noted only after step two, and failures by the task, which knows
    /// whether other places go on.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Rows(_) => Verdict::Ok,
            Self::Nothing => Verdict::Empty,
            Self::Address(_) | Self::Gone | Self::Retry(_) => Verdict::Unjudged,
            Self::TooMany(wait_ms) => Verdict::Throttled {
                wait_ms: *wait_ms,
                reason: "too many requests (estado 429)".to_owned(),
                floor_ms: THROTTLE_FLOOR_MS,
                cap_ms: THROTTLE_CAP_MS,
            },
            Self::Fatal(hint) => Verdict::Fatal((*hint).to_owned()),
        }
    }
}

fn whole(value: Option<&Json>) -> Option<i32> {
    Number::of(value).whole()
}

fn not_json(answer: &Answer) -> String {
    answer
        .json()
        .err()
        .unwrap_or_else(|| "the body is not an envelope".to_owned())
}

#[cfg(test)]
mod tests;
