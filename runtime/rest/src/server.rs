//! The REST server: sockets first, then routes, then a graceful end.
//!
//! Sockets are bound before the worker starts; requests that come earlier wait in the backlog. What no route answers
//! gets Connect's own 404 and 405 bodies.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weir_herder::handle::HerderHandle;

use crate::error::RestError;
use crate::rest_config::Listener;
use crate::{connector_plugins, connectors, health};

/// How long requests in flight may take once the worker stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What the handlers need.
#[derive(Debug, Clone)]
pub struct Api {
    /// The herder's door.
    pub herder: HerderHandle,
    /// `host:port` of this worker, used where a request names no host.
    pub worker_id: String,
}

/// A bound socket, not yet serving.
#[derive(Debug)]
pub struct BoundRest {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundRest {
    /// Binds one listener.
    ///
    /// *Errors*: the port is taken or the host is not of this machine; the text names the address.
    pub async fn bind(listener: &Listener) -> io::Result<Self> {
        let wanted = listener.bind_address();
        let bound = TcpListener::bind(&wanted).await.map_err(|error| {
            io::Error::new(error.kind(), format!("REST cannot listen on {wanted}: {error}; stop what uses the port, or choose another (listeners, --connect-port)"))
        })?;
        let address = bound.local_addr()?;
        Ok(BoundRest {
            listener: bound,
            address,
        })
    }

    /// The address in use, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets requests in flight end for a moment.
    pub async fn serve(self, api: Api, shutdown: CancellationToken) -> io::Result<()> {
        let drained = shutdown.clone();
        let server =
            axum::serve(self.listener, router(api)).with_graceful_shutdown(async move { drained.cancelled().await });
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            result = server.into_future() => result,
            () = deadline => Ok(()),
        }
    }
}

/// All routes of the API.
pub fn router(api: Api) -> Router {
    let connector = Router::new()
        .route("/connectors/{c}", get(connectors::info).delete(connectors::delete))
        .route(
            "/connectors/{c}/config",
            get(connectors::config)
                .put(connectors::put_config)
                .patch(connectors::patch_config),
        )
        .route("/connectors/{c}/status", get(connectors::status))
        .route("/connectors/{c}/tasks", get(connectors::tasks))
        .route("/connectors/{c}/tasks/{t}/status", get(connectors::task_status))
        .route("/connectors/{c}/tasks/{t}/restart", post(connectors::restart_task))
        .route("/connectors/{c}/pause", put(connectors::pause))
        .route("/connectors/{c}/resume", put(connectors::resume))
        .route("/connectors/{c}/stop", put(connectors::stop))
        .route("/connectors/{c}/restart", post(connectors::restart));
    let routes = Router::new()
        .route("/", get(health::root))
        .route("/health", get(health::health))
        .route("/connectors", get(connectors::list).post(connectors::create))
        .route("/connector-plugins", get(connector_plugins::list))
        .route("/connector-plugins/{p}/config", get(connector_plugins::config))
        .route(
            "/connector-plugins/{p}/config/validate",
            put(connector_plugins::validate),
        )
        .merge(connector)
        .fallback(|| async { RestError::http(StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn(connect_manners))
        .with_state(api);
    // A layer of the outer router runs before the inner one chooses a route.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::map_request(without_trailing_slash))
}

/// `/connectors/` is the same resource as `/connectors`.
async fn without_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return request;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

/// What axum answers by itself gets Connect's bodies.
async fn connect_manners(request: Request, next: Next) -> Response {
    let options = request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allow = response
        .headers()
        .get(header::ALLOW)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_static(""));
    if options {
        let text = allow.to_str().unwrap_or("").replace(',', ", ");
        return ([(header::ALLOW, allow)], text).into_response();
    }
    let mut refused = RestError::http(StatusCode::METHOD_NOT_ALLOWED).into_response();
    refused.headers_mut().insert(header::ALLOW, allow);
    refused
}
