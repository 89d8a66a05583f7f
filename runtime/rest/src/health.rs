//! `GET /` and `GET /health` (KIP-1017).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use weir_herder::info::Health;

use crate::model::{HealthJson, ServerJson};
use crate::server::Api;

/// `GET /`
pub(crate) async fn root(State(api): State<Api>) -> Json<ServerJson> {
    Json(api.herder.server_info().into())
}

/// `GET /health`: a status object even when it is 500 or 503.
pub(crate) async fn health(State(api): State<Api>) -> Response {
    let (code, status, message) = match api.herder.health().await {
        Health::Healthy => (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.".to_owned(),
        ),
        Health::Starting(stage) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            format!("Worker is still starting up. {stage}"),
        ),
        Health::Unhealthy(stage) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "unhealthy",
            format!("Worker was unable to handle this request and may be unable to handle other requests. {stage}"),
        ),
    };
    (code, Json(HealthJson { status, message })).into_response()
}
