//! What an answer means: the error tables of both APIs
//!
//! Pure. The new API speaks by HTTP status and Google's error envelope, the legacy one always by 200 and `status`. What
//! follows from a verdict is the client's business (`weir_feed::client`).

use serde_json::Value;
use weir_feed::answer::{Answer, Verdict};
use weir_feed::zone::Zone;

/// First wait after a used-up quota; doubles up to the longest.
const QUOTA_FLOOR_MS: u64 = 60_000;
const QUOTA_CAP_MS: u64 = 3_600_000;
/// A day of 25 hours, when the clocks go back.
const DAY_CAP_MS: u64 = 90_000_000;

const KEY_HINT: &str =
    "check places.api.key, and that the API is enabled for its project and the key allows this worker";
const REQUEST_HINT: &str = "check places.fields, places.area, the types and queries against what the service offers";
const PATH_HINT: &str = "check places.base.url and places.api";

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The details of one place.
    pub is_details: bool,
    /// A further page of a search.
    pub has_token: bool,
}

/// Judges an answer of the new API.
pub fn judge_new(answer: &Answer, asked: Asked, now_ms: i64) -> Verdict {
    let body = match answer.json() {
        Ok(body) => body,
        Err(reason) if answer.status == 200 => return Verdict::Retry(reason),
        // A page of some edge: the status is all there is.
        Err(_) => return Verdict::by_status(answer, now_ms, PATH_HINT),
    };
    if answer.status == 200 {
        let is_empty = !asked.is_details && body.get("places").is_none_or(is_empty_list);
        let has_more = body.get("nextPageToken").is_some();
        return if is_empty && !has_more {
            Verdict::Empty
        } else {
            Verdict::Ok
        };
    }
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let message = text("/error/message");
    if has_reason(&body, "API_KEY_INVALID") {
        return Verdict::Fatal(KEY_HINT.to_owned());
    }
    match text("/error/status") {
        "INVALID_ARGUMENT" if asked.has_token => Verdict::Skip(format!("the page token was refused: {message}")),
        "INVALID_ARGUMENT" => Verdict::Fatal(REQUEST_HINT.to_owned()),
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => Verdict::Fatal(KEY_HINT.to_owned()),
        "NOT_FOUND" if asked.is_details => Verdict::Skip("the place is not found".to_owned()),
        "NOT_FOUND" => Verdict::Fatal(PATH_HINT.to_owned()),
        "RESOURCE_EXHAUSTED" => quota(message, now_ms),
        "INTERNAL" | "UNAVAILABLE" | "DEADLINE_EXCEEDED" => {
            Verdict::Retry(format!("status {} {}", answer.status, text("/error/status")))
        }
        _ => Verdict::by_status(answer, now_ms, PATH_HINT),
    }
}

/// Judges an answer of the legacy API. A page token that is refused is left to the caller, who tries it again.
pub fn judge_legacy(answer: &Answer, asked: Asked, now_ms: i64) -> Verdict {
    if answer.status != 200 {
        return Verdict::by_status(answer, now_ms, PATH_HINT);
    }
    let body = match answer.json() {
        Ok(body) => body,
        Err(reason) => return Verdict::Retry(reason),
    };
    let message = body.get("error_message").and_then(Value::as_str).unwrap_or_default();
    match legacy_status(&body) {
        "OK" => Verdict::Ok,
        "ZERO_RESULTS" => Verdict::Empty,
        INVALID_REQUEST if asked.has_token => Verdict::Unjudged,
        INVALID_REQUEST => Verdict::Fatal(REQUEST_HINT.to_owned()),
        "REQUEST_DENIED" => Verdict::Fatal(KEY_HINT.to_owned()),
        "NOT_FOUND" if asked.is_details => Verdict::Skip("the place is not found".to_owned()),
        "OVER_QUERY_LIMIT" => quota(message, now_ms),
        "OVER_DAILY_LIMIT" => until_next_day("the service's daily quota is used up", now_ms),
        "UNKNOWN_ERROR" => Verdict::Retry("status UNKNOWN_ERROR".to_owned()),
        other => Verdict::Fatal(format!("status {other:?} is not known; {PATH_HINT}")),
    }
}

/// The legacy status for a request that cannot be answered, a page token not yet valid among others.
pub const INVALID_REQUEST: &str = "INVALID_REQUEST";

/// Gives the legacy status.
pub fn legacy_status(body: &Value) -> &str {
    body.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn quota(message: &str, now_ms: i64) -> Verdict {
    let lower = message.to_lowercase();
    if lower.contains("per day") || lower.contains("daily") {
        return until_next_day("the service's daily quota is used up", now_ms);
    }
    Verdict::Throttled {
        wait_ms: None,
        reason: format!("the service's quota is used up: {message}"),
        floor_ms: QUOTA_FLOOR_MS,
        cap_ms: QUOTA_CAP_MS,
    }
}

/// Google's quotas start anew at midnight on the US Pacific coast.
fn until_next_day(reason: &str, now_ms: i64) -> Verdict {
    let wait_ms = Zone::Pacific.next_midnight(now_ms).saturating_sub(now_ms);
    Verdict::Throttled {
        wait_ms: Some(u64::try_from(wait_ms).unwrap_or(QUOTA_CAP_MS)),
        reason: format!("{reason}; it starts anew at midnight US Pacific time"),
        floor_ms: 1_000,
        cap_ms: DAY_CAP_MS,
    }
}

fn has_reason(body: &Value, reason: &str) -> bool {
    let details = body.pointer("/error/details").and_then(Value::as_array);
    let named = details
        .into_iter()
        .flatten()
        .any(|detail| detail.get("reason").and_then(Value::as_str) == Some(reason));
    // Older answers name it in the message alone.
    let message = body
        .pointer("/error/message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    named || message.starts_with("API key not valid")
}

fn is_empty_list(list: &Value) -> bool {
    list.is_null() || list.as_array().is_some_and(Vec::is_empty)
}
