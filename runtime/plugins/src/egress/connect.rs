//! A limit for connecting that each request brings along
//!
//! The client knows one limit for all requests only. A connection is made while the request that wants it is polled, so
//! the limit is a task-local value around the request.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

/// Limit of requests that bring none.
const DEFAULT_CONNECT_LIMIT: Duration = Duration::from_secs(30);

tokio::task_local! {
    static CONNECT_LIMIT: Duration;
}

/// Runs a request whose connection, TLS included, must stand within the limit.
pub(crate) async fn with_connect_limit<T>(limit: Duration, request: impl Future<Output = T>) -> T {
    CONNECT_LIMIT.scope(limit, request).await
}

/// The limit was reached.
#[derive(Debug, thiserror::Error)]
#[error("not connected within {0:?}")]
pub(crate) struct ConnectTimedOut(Duration);

/// Puts the limit around a connector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectLimit;

impl<S> Layer<S> for ConnectLimit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited(inner)
    }
}

/// A connector with the limit around it.
#[derive(Debug, Clone)]
pub(crate) struct Limited<S>(S);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, R> Service<R> for Limited<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let limit = CONNECT_LIMIT.try_with(|limit| *limit).unwrap_or(DEFAULT_CONNECT_LIMIT);
        let connecting = self.0.call(destination);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_elapsed) => Err(ConnectTimedOut(limit).into()),
            }
        })
    }
}
