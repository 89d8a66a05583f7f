//! What workers ask of each other: the leader takes task configs and fences zombies (KIP-507, KIP-618).
//!
//! Requests are signed over the exact bytes of their body; the herder judges the signature before anything else. A request that is
//! passed on loses its signature, as in Apache Connect, so that a second hop is refused where signatures are asked for. Bodies may have any
//! media type.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use weir_herder::request::InternalSignature;

use crate::body::{read_any, task_configs};
use crate::connectors::{Answer, connector_path};
use crate::forward::{Onward, forward_flag};
use crate::model::ConfigJson;
use crate::server::Api;

const AUTHORIZATION: &str = "X-Connect-Authorization";
const ALGORITHM: &str = "X-Connect-Request-Signature-Algorithm";

/// `POST /connectors/{c}/tasks`
pub(crate) async fn submit_tasks(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    let raw = read_any(body).await?;
    let configs = task_configs(&raw)?;
    let shown: Vec<ConfigJson> = configs.iter().cloned().map(ConfigJson).collect();
    let onward = Onward {
        method: Method::POST,
        path: connector_path(&name, "/tasks"),
        query: Vec::new(),
        headers: &headers,
        body: Some(json!(shown).to_string()),
        forward: forward_flag(query.as_deref()),
    };
    let signature = signature(&headers);
    let taken = api.herder.submit_task_configs(&name, configs, &raw, signature).await;
    api.forwarder.complete(taken, onward).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /connectors/{c}/fence`
pub(crate) async fn fence(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<StatusCode> {
    let raw = read_any(body).await?;
    let onward = Onward {
        method: Method::PUT,
        path: connector_path(&name, "/fence"),
        query: Vec::new(),
        headers: &headers,
        // Java's JSON of bytes.
        body: Some(json!(STANDARD.encode(&raw)).to_string()),
        forward: forward_flag(query.as_deref()),
    };
    let fenced = api.herder.fence_zombies(&name, &raw, signature(&headers)).await;
    api.forwarder.complete(fenced, onward).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// None when either header is missing.
fn signature(headers: &HeaderMap) -> Option<InternalSignature> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    Some(InternalSignature {
        signature_base64: text(AUTHORIZATION)?,
        algorithm: text(ALGORITHM)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_signature_has_both_headers() {
        let mut headers = HeaderMap::new();
        assert!(signature(&headers).is_none());
        headers.insert("x-connect-authorization", HeaderValue::from_static("AAAA"));
        assert!(signature(&headers).is_none());
        headers.insert(
            "x-connect-request-signature-algorithm",
            HeaderValue::from_static("HmacSHA256"),
        );
        let found = signature(&headers).map(|found| (found.signature_base64, found.algorithm));
        assert_eq!(found, Some(("AAAA".to_owned(), "HmacSHA256".to_owned())));
    }
}
