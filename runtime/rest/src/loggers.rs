//! `/admin/loggers`: log levels of this worker, or of the whole cluster (KIP-495, KIP-976).

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use weir_herder::loggers::Level;

use crate::body::{NULL_LEVEL, read_json, string_map};
use crate::connectors::{Answer, query_values};
use crate::error::RestError;
use crate::model::LoggerJson;
use crate::server::Api;

/// `GET /admin/loggers`, sorted by name.
pub(crate) async fn list(State(api): State<Api>) -> Json<BTreeMap<String, LoggerJson>> {
    let loggers = api.herder.loggers().all().into_iter();
    Json(loggers.map(|(name, logger)| (name, logger.into())).collect())
}

/// `GET /admin/loggers/{l}`
pub(crate) async fn get(State(api): State<Api>, Path(name): Path<String>) -> Answer<Json<LoggerJson>> {
    match api.herder.loggers().get(&name) {
        Some(logger) => Ok(Json(logger.into())),
        None => Err(RestError::new(
            StatusCode::NOT_FOUND,
            format!("Logger {name} not found."),
        )),
    }
}

/// `PUT /admin/loggers/{l}`: 200 with the loggers that changed, or 204 for the whole cluster.
pub(crate) async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let levels = string_map(&read_json(&headers, body).await?, NULL_LEVEL)?;
    let Some(wanted) = levels.get("level") else {
        let text = "Desired 'level' parameter was not specified in request.";
        return Err(RestError::new(StatusCode::BAD_REQUEST, text));
    };
    if wanted.is_empty() {
        return Err(RestError::unreadable("Illegal null or empty Level name."));
    }
    let Some(level) = Level::parse(wanted) else {
        let text = format!("invalid log level '{wanted}'.");
        return Err(RestError::new(StatusCode::NOT_FOUND, text));
    };
    let scope = query_values(query.as_deref(), "scope").into_iter().next();
    match scope.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("cluster") => {
            api.herder.set_cluster_logger(&name, level).await?;
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        None | Some("worker") => {}
        Some(other) => tracing::warn!(
            scope = other,
            "received invalid scope in request to update loggers, using worker"
        ),
    }
    let changed = api.herder.loggers().set(&name, level, SystemTime::now());
    Ok(Json(changed).into_response())
}
