//! Every path of the API with its methods, and what surrounds them.
//!
//! From the outside in: suspicious paths, headers for every answer, cross-origin headers, plain paths; then Jersey's order, which is
//! path, method, authentication, media types, resource.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{self, from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, get, post, put};

use weir_metrics::registry::MetricRegistry;

use crate::basic_auth::{self, BasicAuth};
use crate::error::RestError;
use crate::rest_config::RestConfig;
use crate::server::Api;
use crate::{
    connector_plugins, connectors, cors, health, internal, loggers, offsets, response_headers, topics, transport,
};

/// Which resources a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resources {
    All,
    /// All but `/admin`.
    Main,
    Admin,
}

type Methods = MethodRouter<Api>;

/// All routes of a listener.
pub fn router(api: Api, resources: Resources, config: &RestConfig) -> Router {
    let mut routes = Router::new();
    if resources != Resources::Admin {
        routes = routes.merge(main_routes(config.auth.as_ref()));
    }
    if resources != Resources::Main {
        // Extensions are of the main resources; only where both share a listener do they guard these too.
        let auth = config.auth.as_ref().filter(|_| resources == Resources::All);
        routes = routes.merge(admin_routes(auth));
    }
    let routes = routes
        .route("/metrics", get(metrics))
        .fallback(|| async { RestError::http(StatusCode::NOT_FOUND) })
        .with_state(api);
    // A layer of the outer router runs before the inner one chooses a route, and after it has named the methods it allows.
    let mut outer = Router::new()
        .fallback_service(routes)
        .layer(from_fn(transport::connects_answers))
        .layer(middleware::map_request(transport::plain_path));
    if let Some(cors) = &config.cors {
        outer = outer.layer(from_fn_with_state(Arc::new(cors.clone()), cors::cross_origin));
    }
    if !config.headers.is_empty() {
        let rules = Arc::new(config.headers.clone());
        outer = outer.layer(from_fn_with_state(rules, response_headers::with_headers));
    }
    outer.layer(from_fn(transport::refuse_ambiguous_paths))
}

/// Everything this process measures, as Prometheus reads it. Not one of Connect's resources.
async fn metrics(State(api): State<Api>) -> ([(HeaderName, &'static str); 1], String) {
    (
        [(header::CONTENT_TYPE, MetricRegistry::CONTENT_TYPE)],
        api.metrics.render(),
    )
}

fn main_routes(auth: Option<&BasicAuth>) -> Router<Api> {
    let json = |methods: Methods| guarded(methods.route_layer(from_fn(transport::json_only)), auth);
    let plain = |methods: Methods| guarded(methods.route_layer(from_fn(transport::json_answer)), auth);
    let connector = Router::new()
        .route(
            "/connectors/{c}",
            json(get(connectors::info).delete(connectors::delete)),
        )
        .route(
            "/connectors/{c}/config",
            json(
                get(connectors::config)
                    .put(connectors::put_config)
                    .patch(connectors::patch_config),
            ),
        )
        .route("/connectors/{c}/status", json(get(connectors::status)))
        .route(
            "/connectors/{c}/tasks",
            json(get(connectors::tasks)).merge(plain(post(internal::submit_tasks))),
        )
        .route("/connectors/{c}/fence", plain(put(internal::fence)))
        .route("/connectors/{c}/tasks/{t}/status", json(get(connectors::task_status)))
        .route(
            "/connectors/{c}/tasks/{t}/restart",
            json(post(connectors::restart_task)),
        )
        .route("/connectors/{c}/pause", json(put(connectors::pause)))
        .route("/connectors/{c}/resume", json(put(connectors::resume)))
        .route("/connectors/{c}/stop", json(put(connectors::stop)))
        .route("/connectors/{c}/restart", json(post(connectors::restart)))
        .route(
            "/connectors/{c}/offsets",
            json(get(offsets::list).patch(offsets::alter).delete(offsets::reset)),
        )
        .route("/connectors/{c}/topics", json(get(topics::list)))
        .route("/connectors/{c}/topics/reset", json(put(topics::reset)));
    Router::new()
        .route("/", plain(get(health::root)))
        .route("/health", plain(get(health::health)))
        .route("/connectors", json(get(connectors::list).post(connectors::create)))
        .route("/connector-plugins", json(get(connector_plugins::list)))
        .route("/connector-plugins/{p}/config", json(get(connector_plugins::config)))
        .route(
            "/connector-plugins/{p}/config/validate",
            json(put(connector_plugins::validate)),
        )
        .merge(connector)
}

fn admin_routes(auth: Option<&BasicAuth>) -> Router<Api> {
    let json = |methods: Methods| guarded(methods.route_layer(from_fn(transport::json_only)), auth);
    Router::new()
        .route("/admin/loggers", json(get(loggers::list)))
        .route("/admin/loggers/{l}", json(get(loggers::get).put(loggers::set)))
}

/// Asks for user and password once path and method are known.
fn guarded(methods: Methods, auth: Option<&BasicAuth>) -> Methods {
    match auth {
        Some(auth) => methods.route_layer(from_fn_with_state(auth.clone(), basic_auth::authenticate)),
        None => methods,
    }
}
