//! `/connectors/{c}/offsets`: told, altered, reset (KIP-875).

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::body::{offsets, read_json};
use crate::connectors::{Answer, connector_path};
use crate::forward::{Done, Onward, forward_flag, passed_on};
use crate::model::{MessageJson, OffsetsJson};
use crate::server::Api;

/// `GET /connectors/{c}/offsets`, in any state.
pub(crate) async fn list(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<OffsetsJson>> {
    Ok(Json(api.herder.connector_offsets(&name).await?.into()))
}

/// `PATCH /connectors/{c}/offsets`; the list is judged before anything else.
pub(crate) async fn alter(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let wanted = offsets(&read_json(&headers, body).await?)?;
    let entries: Vec<Value> = wanted
        .iter()
        .map(|entry| json!({ "partition": entry.partition, "offset": entry.offset }))
        .collect();
    let onward = Onward {
        method: Method::PATCH,
        path: connector_path(&name, "/offsets"),
        query: Vec::new(),
        headers: &headers,
        body: Some(json!({ "offsets": entries }).to_string()),
        forward: forward_flag(query.as_deref()),
    };
    let done = api.herder.alter_offsets(&name, wanted).await;
    told(api.forwarder.complete(done, onward).await?)
}

/// `DELETE /connectors/{c}/offsets`
pub(crate) async fn reset(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let onward = Onward {
        method: Method::DELETE,
        path: connector_path(&name, "/offsets"),
        query: Vec::new(),
        headers: &headers,
        body: None,
        forward: forward_flag(query.as_deref()),
    };
    let done = api.herder.reset_offsets(&name).await;
    told(api.forwarder.complete(done, onward).await?)
}

fn told(done: Done<String>) -> Answer<Response> {
    Ok(match done {
        Done::Here(message) => Json(MessageJson { message }).into_response(),
        Done::There(answer) => passed_on(answer, HeaderMap::new()),
    })
}
