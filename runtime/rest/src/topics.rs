//! `/connectors/{c}/topics`: what a connector has used (KIP-558).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::connectors::Answer;
use crate::model::TopicsJson;
use crate::server::Api;

/// `GET /connectors/{c}/topics`: 200 with an empty list for an unknown connector.
pub(crate) async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Answer<Json<BTreeMap<String, TopicsJson>>> {
    let topics = api.herder.connector_topics(&name)?;
    Ok(Json(BTreeMap::from([(name, TopicsJson { topics })])))
}

/// `PUT /connectors/{c}/topics/reset`: 202, for an unknown connector too.
pub(crate) async fn reset(State(api): State<Api>, Path(name): Path<String>) -> Answer<StatusCode> {
    api.herder.reset_connector_topics(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
