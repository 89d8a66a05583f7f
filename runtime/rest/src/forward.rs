//! Requests that another worker has to answer: passed on at most twice (connect.md A.9).
//!
//! The first worker sends `forward=true`, the second `forward=false`, and a third refuses. The other worker's status, code and message
//! come back unchanged; redirects are not followed.

use std::error::Error as _;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use weir_config::properties::Properties;
use weir_herder::distributed::forward::http_client;
use weir_herder::error::HerderError;

use crate::connectors::query_values;
use crate::error::RestError;

/// Longer than the other worker's own limit, whose answer says more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(100);
/// As large as the largest request body.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const NO_LEADER: &str =
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";
const TOO_MANY_HOPS: &str = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/// The HTTP client between workers; clones share its connections.
#[derive(Debug, Clone)]
pub struct Forwarder {
    client: reqwest::Client,
}

/// An answer of another worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its status, below 400.
    pub(crate) status: StatusCode,
    /// Its body as it came.
    pub(crate) body: Bytes,
}

/// Who did it.
#[derive(Debug)]
pub(crate) enum Done<T> {
    Here(T),
    There(Answer),
}

/// A request that may have to be passed on.
#[derive(Debug)]
pub(crate) struct Onward<'a> {
    pub(crate) method: Method,
    /// Encoded, with a slash at its beginning.
    pub(crate) path: String,
    /// Further parameters of the query.
    pub(crate) query: Vec<(&'static str, String)>,
    /// Of the request as it came.
    pub(crate) headers: &'a HeaderMap,
    /// As JSON text.
    pub(crate) body: Option<String>,
    /// The `forward` parameter as it came.
    pub(crate) forward: Option<bool>,
}

impl Forwarder {
    /// A client that trusts, and shows itself, as the `ssl.*` properties of the listeners say.
    ///
    /// *Errors*: the setting that cannot be used, by text.
    pub fn new(tls: &Properties) -> Result<Self, String> {
        http_client(tls).map(|client| Forwarder { client })
    }

    /// Takes the herder's answer, or has another worker give one.
    pub(crate) async fn complete<T>(
        &self,
        answer: Result<T, HerderError>,
        onward: Onward<'_>,
    ) -> Result<Done<T>, RestError> {
        let url = match answer {
            Ok(done) => return Ok(Done::Here(done)),
            Err(HerderError::Elsewhere { url, .. }) => url,
            Err(error) => return Err(error.into()),
        };
        if onward.forward == Some(false) {
            tracing::error!(
                method = %onward.method,
                path = onward.path,
                "request failed because it couldn't find the target Connect worker within two hops (between workers)"
            );
            return Err(RestError::new(StatusCode::CONFLICT, TOO_MANY_HOPS));
        }
        let Some(url) = url else {
            return Err(RestError::new(StatusCode::CONFLICT, NO_LEADER));
        };
        self.send(&url, onward).await.map(Done::There)
    }

    async fn send(&self, base: &str, onward: Onward<'_>) -> Result<Answer, RestError> {
        let mut url = format!(
            "{}{}?forward={}",
            base.trim_end_matches('/'),
            onward.path,
            onward.forward.is_none()
        );
        for (key, value) in &onward.query {
            url.push_str(&format!("&{key}={value}"));
        }
        tracing::debug!(url, method = %onward.method, "forwarding request");
        let mut request = self
            .client
            .request(onward.method, &url)
            .timeout(ANSWER_TIMEOUT)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kafka-connect");
        if let Some(authorization) = onward.headers.get(header::AUTHORIZATION) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(body) = onward.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let broken = |error: reqwest::Error| {
            let text = format!("IO Error trying to forward REST request: {}", chain(&error));
            RestError::new(StatusCode::INTERNAL_SERVER_ERROR, text)
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&part);
            if body.len() > MAX_ANSWER_BYTES {
                let text = "IO Error trying to forward REST request: the answer is too large";
                return Err(RestError::new(StatusCode::INTERNAL_SERVER_ERROR, text));
            }
        }
        judged(status, body.into())
    }
}

fn judged(status: StatusCode, body: Bytes) -> Result<Answer, RestError> {
    if status.is_success() {
        return Ok(Answer { status, body });
    }
    if status.as_u16() < 400 {
        let text = format!(
            "Unexpected status code when handling forwarded request: {}",
            status.as_u16()
        );
        return Err(RestError::new(StatusCode::INTERNAL_SERVER_ERROR, text));
    }
    let parsed: Option<Value> = serde_json::from_slice(&body).ok();
    let message = parsed.as_ref().and_then(|value| value.get("message")?.as_str());
    let message = message.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
    Err(RestError::new(status, message))
}

/// An error with its causes: the outermost of an HTTP client says little.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// The `forward` parameter; as Java reads a Boolean, anything but `true` is false.
pub(crate) fn forward_flag(query: Option<&str>) -> Option<bool> {
    let given = query_values(query, "forward").into_iter().next()?;
    Some(given.eq_ignore_ascii_case("true"))
}

/// An answer of another worker as ours, with further headers.
pub(crate) fn passed_on(answer: Answer, headers: HeaderMap) -> axum::response::Response {
    let mut response = axum::response::Response::new(axum::body::Body::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    response.headers_mut().extend(headers);
    if !answer.body.is_empty() {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

#[cfg(test)]
mod tests;
