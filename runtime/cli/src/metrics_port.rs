//! `/metrics` on a port of its own, for a role without another HTTP port
//!
//! The broker speaks Kafka's protocol only; `weir.metrics.listener` gives it this port. Nothing else is answered there.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;
use weir_metrics::registry::MetricRegistry;

/// A bound port.
#[derive(Debug)]
pub(crate) struct MetricsPort {
    socket: TcpListener,
    address: SocketAddr,
}

impl MetricsPort {
    /// Binds `http://HOST:PORT`; an empty host is every interface.
    ///
    /// *Errors*: another form, or a port that cannot be had; the text names the setting.
    pub(crate) async fn bind(listener: &str) -> anyhow::Result<Self> {
        let Some(wanted) = listener.trim().strip_prefix("http://") else {
            bail!("weir.metrics.listener: {listener} is not of the form http://HOST:PORT");
        };
        let wanted = match wanted.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => wanted.to_owned(),
        };
        let socket = TcpListener::bind(&wanted)
            .await
            .with_context(|| format!("weir.metrics.listener: cannot listen on {wanted}"))?;
        let address = socket.local_addr().context("weir.metrics.listener")?;
        Ok(Self { socket, address })
    }

    /// Where it listens, with the real port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until dropped.
    pub(crate) async fn serve(self, metrics: MetricRegistry) -> anyhow::Result<()> {
        let text = move || async move { ([(CONTENT_TYPE, MetricRegistry::CONTENT_TYPE)], metrics.render()) };
        let routes = Router::new().route("/metrics", get(text));
        axum::serve(self.socket, routes)
            .await
            .context("the metrics port failed")
    }
}
