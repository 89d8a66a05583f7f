//! The registry as a role: sockets first, then the topic, then requests
//!
//! [`BoundRegistry::bind`] opens the ports, [`BoundRegistry::run`] reads the schemas topic to its end and serves until it is told to
//! stop. Requests that come earlier wait in the backlog. Several registries may run in one process.

use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::middleware::{self, Next};
use axum::routing::get;
use axum::serve::Listener;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use weir_client::admin::Admin;
use weir_metrics::registry::MetricRegistry;

use crate::error::RegistryError;
use crate::registry::handle::{Registry, State};
use crate::registry::schemas::Schemas;
use crate::registry::writer::{WAITING_CHANGES, WAITING_REPAIRS, Writer};
use crate::registry_config::RegistryConfig;
use crate::registry_metrics::RegistryMetrics;
use crate::rest::call::{Api, Identity};
use crate::rest::route::{Service, serve};
use crate::store::cache::Cache;
use crate::store::topic::SchemasTopic;

/// A registry whose ports are open.
#[derive(Debug)]
pub struct BoundRegistry {
    config: RegistryConfig,
    listeners: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
    is_ready: watch::Sender<bool>,
    metrics: MetricRegistry,
}

impl BoundRegistry {
    /// Opens the ports; nothing else starts.
    ///
    /// *Errors*: `Bind` names the address.
    pub async fn bind(config: RegistryConfig) -> Result<Self, RegistryError> {
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listener in &config.listeners {
            let address = listener.bind_address();
            let failed = |source: io::Error| RegistryError::Bind {
                address: address.clone(),
                source,
            };
            let bound = TcpListener::bind(&address).await.map_err(failed)?;
            addresses.push(bound.local_addr().map_err(failed)?);
            listeners.push(bound);
        }
        let (is_ready, _) = watch::channel(false);
        Ok(Self {
            config,
            listeners,
            addresses,
            is_ready,
            metrics: MetricRegistry::default(),
        })
    }

    /// Shows the registry's metrics beside others of the process.
    #[must_use]
    pub fn with_metrics(self, metrics: MetricRegistry) -> Self {
        Self { metrics, ..self }
    }

    /// Where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Resolves once requests are answered; never when the registry cannot start.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ready = self.is_ready.subscribe();
        async move {
            if ready.wait_for(|is_ready| *is_ready).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Reads the topic and serves until `shutdown`; requests under way then have a moment to end.
    ///
    /// *Errors*: `Kafka`, `Topic` when the schemas cannot be read; `Ended` when a part of it stops by itself.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RegistryError> {
        let started = tokio::select! {
            biased;
            // Nothing was written yet.
            () = shutdown.cancelled() => return Ok(()),
            started = start(&self.config, &self.metrics) => started?,
        };
        let mut roles: JoinSet<Result<(), RegistryError>> = JoinSet::new();
        // Requests end before the writer they wait for.
        let writer_stop = CancellationToken::new();
        let _stop_on_drop = writer_stop.clone().drop_guard();
        let runtime = tokio::runtime::Handle::current();
        let (writer, writer_token) = (started.writer, writer_stop.clone());
        let mut writing = JoinSet::new();
        writing.spawn_blocking(move || runtime.block_on(writer.run(writer_token)));
        let service = Service {
            api: started.api,
            http: self.config.http.clone(),
        };
        let router = measured(Router::new().fallback(serve).with_state(service), started.metrics);
        for listener in self.listeners {
            let patient = Patient {
                listener,
                idle: self.config.http.idle_timeout,
            };
            roles.spawn(serve_listener(
                patient,
                router.clone(),
                shutdown.clone(),
                self.config.http.shutdown_timeout,
            ));
        }
        self.is_ready.send_replace(true);
        let mut outcome = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            Some(ended) = roles.join_next() => ended_early(ended),
            _ = writing.join_next() => Err(RegistryError::Ended("writer")),
        };
        if outcome.is_ok() {
            while let Some(ended) = roles.join_next().await {
                outcome = outcome.and(ended.unwrap_or(Err(RegistryError::Ended("REST server"))));
            }
        }
        writer_stop.cancel();
        while writing.join_next().await.is_some() {}
        outcome
    }
}

fn ended_early(ended: Result<Result<(), RegistryError>, tokio::task::JoinError>) -> Result<(), RegistryError> {
    match ended {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Err(RegistryError::Ended("REST server")),
    }
}

/// What stands behind the ports.
struct Started {
    api: Api,
    writer: Writer,
    metrics: RegistryMetrics,
}

async fn start(config: &RegistryConfig, metrics: &MetricRegistry) -> Result<Started, RegistryError> {
    let began = Instant::now();
    let cache = Arc::new(RwLock::new(Cache::default()));
    let (repairs, waiting_repairs) = mpsc::channel(WAITING_REPAIRS);
    let topic = SchemasTopic::open(&config.topic, Arc::clone(&cache), repairs).await?;
    let admin = Admin::new(config.topic.wire.clone());
    let kafka_cluster_id = admin.cluster_id().await.map_err(|source| RegistryError::Kafka {
        context: "cannot ask for the id of the Kafka cluster".to_owned(),
        source,
    })?;
    let metrics = RegistryMetrics::new(metrics, &cache);
    let state = Arc::new(State {
        cache,
        schemas: Schemas::new(config.decisions.parsed_schemas),
        settings: config.decisions.clone(),
    });
    let (writes, requests) = mpsc::channel(WAITING_CHANGES);
    let writer = Writer::new(Arc::clone(&state), topic, requests, waiting_repairs);
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(topic = %config.topic.topic.name, elapsed_ms, "schemas read");
    Ok(Started {
        api: Api {
            registry: Registry::new(state, writes),
            identity: Arc::new(Identity {
                kafka_cluster_id: kafka_cluster_id.unwrap_or_default(),
                group_id: config.group_id.clone(),
            }),
        },
        writer,
        metrics,
    })
}

/// Adds `/metrics`, and measures everything else.
fn measured(router: Router, metrics: RegistryMetrics) -> Router {
    let shown = metrics.clone();
    let text = move || async move { ([(header::CONTENT_TYPE, MetricRegistry::CONTENT_TYPE)], shown.text()) };
    let measure = move |request: axum::extract::Request, next: Next| {
        let metrics = metrics.clone();
        async move {
            let began = Instant::now();
            let response = next.run(request).await;
            metrics.answered(began.elapsed().as_secs_f64() * 1000.0);
            response
        }
    };
    router.layer(middleware::from_fn(measure)).route("/metrics", get(text))
}

async fn serve_listener(
    listener: Patient,
    router: Router,
    shutdown: CancellationToken,
    drain: Duration,
) -> Result<(), RegistryError> {
    let stop = shutdown.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        biased;
        result = server.into_future() => result.map_err(|_| RegistryError::Ended("REST server")),
        () = deadline => Ok(()),
    }
}

/// A listener whose connections do not wait for ever on a silent peer.
#[derive(Debug)]
struct Patient {
    listener: TcpListener,
    idle: Duration,
}

impl Listener for Patient {
    type Io = TimedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers are written whole; waiting to fill a packet only delays them.
        let _unimportant = stream.set_nodelay(true);
        (TimedStream::new(stream, self.idle), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once nothing went either way for a while.
#[derive(Debug)]
struct TimedStream {
    stream: TcpStream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl TimedStream {
    fn new(stream: TcpStream, idle: Duration) -> Self {
        // Zero is no limit.
        let idle = if idle.is_zero() {
            Duration::from_secs(365 * 24 * 3600)
        } else {
            idle
        };
        Self {
            stream,
            idle,
            deadline: Box::pin(tokio::time::sleep(idle)),
        }
    }

    /// Something went through: the time begins again. Nothing did: is it over?
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.deadline.as_mut().reset(Instant::now() + self.idle);
            return polled;
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, polled)
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
