//! wasi:http over the worker's clients, denied unless granted
//!
//! A guest's request is judged by name, sent over one of two shared clients and never redirected: the guest sees the
//! redirect and every hop is judged. Pools are shared by all guests, so the client for wildcard grants has a resolver that
//! gives public addresses only, and no connection to another address can be in its pool.

use std::error::Error as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::address;
use crate::host::budget::Budgets;
use crate::limits::MAX_HTTP_IN_FLIGHT;
use crate::policy::{Destination, Network, Policy};
use crate::stop::StopSignal;

type SendOutcome = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

/// The worker's HTTP clients, one for each kind of grant; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpClients {
    /// Made by the first request: reading the machine's certificates takes longer than a worker's start may.
    clients: Arc<OnceCell<Clients>>,
    budgets: Budgets,
}

#[derive(Debug)]
struct Clients {
    /// Hosts that a grant or setting names literally.
    named: reqwest::Client,
    /// Hosts that only a wildcard covers.
    public_only: reqwest::Client,
}

impl HttpClients {
    pub(crate) fn budgets(&self) -> Budgets {
        self.budgets.clone()
    }

    async fn get(&self, destination: Destination) -> Result<reqwest::Client, Error> {
        let clients = self.clients.get_or_try_init(make_clients).await?;
        Ok(match destination {
            Destination::Any => clients.named.clone(),
            Destination::PublicOnly => clients.public_only.clone(),
        })
    }
}

async fn make_clients() -> Result<Clients, Error> {
    let make = || {
        let builder = || {
            reqwest::Client::builder()
                .redirect(redirect::Policy::none())
                .no_proxy()
                .pool_idle_timeout(Duration::from_secs(90))
        };
        Ok::<_, reqwest::Error>(Clients {
            named: builder().build()?,
            public_only: builder().dns_resolver(Arc::new(PublicOnly)).build()?,
        })
    };
    let internal = |error: String| Error::InternalError(Some(error));
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|error| internal(error.to_string()))?
        .map_err(|error| internal(error.to_string()))
}

/// Resolves names and refuses them when any address is not public.
struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("{host} resolves to {address}, which is not public")]
struct ProhibitedAddress {
    host: String,
    address: SocketAddr,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if let Some(address) = found.iter().find(|a| !address::is_public(a.ip())) {
                let address = *address;
                return Err(ProhibitedAddress { host, address }.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The hook through which one instance's requests go out.
pub(crate) struct Egress {
    clients: HttpClients,
    policy: Arc<Policy>,
    in_flight: Arc<Semaphore>,
    stop: StopSignal,
}

impl Egress {
    pub(crate) fn new(clients: HttpClients, policy: Arc<Policy>, stop: StopSignal) -> Self {
        Self {
            clients,
            policy,
            in_flight: Arc::new(Semaphore::new(MAX_HTTP_IN_FLIGHT)),
            stop,
        }
    }

    pub(crate) fn set_policy(&mut self, policy: Arc<Policy>) {
        self.policy = policy;
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = SendOutcome> + Send> {
        let policy = Arc::clone(&self.policy);
        let clients = self.clients.clone();
        let in_flight = Arc::clone(&self.in_flight);
        let stop = self.stop.clone();
        Box::new(async move {
            let client = clients.get(judge(&policy, request.uri())?).await?;
            tokio::select! {
                biased;
                outcome = send(client, request, options, in_flight, stop.clone()) => outcome,
                () = stop.cut() => Err(Error::ConnectionTerminated),
            }
        })
    }
}

fn judge(policy: &Policy, uri: &http::Uri) -> Result<Destination, Error> {
    let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("http")) => 80,
        (None, _) => 443,
    };
    let destination = policy.destination(Network::Http, host, port).map_err(|reason| {
        tracing::warn!(reason, "HTTP request denied");
        Error::HttpRequestDenied
    })?;
    // An address in the URL is looked up by nobody, so the resolver cannot judge it.
    let literal = host.trim_matches(['[', ']']).parse();
    if destination == Destination::PublicOnly && literal.is_ok_and(|a| !address::is_public(a)) {
        return Err(Error::DestinationIpProhibited);
    }
    Ok(destination)
}

async fn send(
    client: reqwest::Client,
    request: http::Request<WasiBody>,
    options: Option<RequestOptions>,
    in_flight: Arc<Semaphore>,
    stop: StopSignal,
) -> SendOutcome {
    let permit = in_flight
        .acquire_owned()
        .await
        .map_err(|_| Error::ConnectionLimitReached)?;
    let (mut head, body) = request.into_parts();
    // The client writes its own Host header from the URL, which is the one that was judged.
    head.headers.remove(http::header::HOST);
    let outgoing = client
        .request(head.method, head.uri.to_string())
        .headers(head.headers)
        .body(reqwest::Body::wrap_stream(SyncStream::new(body)))
        .send();
    let response = match options.and_then(|options| options.first_byte_timeout) {
        Some(limit) => tokio::time::timeout(limit, outgoing)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?,
        None => outgoing.await,
    };
    let response: http::Response<reqwest::Body> = response.map_err(|e| wasi_error(&e))?.into();
    let between_bytes = options.and_then(|options| options.between_bytes_timeout);
    let response = response.map(|body| incoming(body, permit, stop, between_bytes));
    Ok((response, Box::new(async { Ok(()) })))
}

fn incoming(
    body: reqwest::Body,
    permit: OwnedSemaphorePermit,
    stop: StopSignal,
    between_bytes: Option<Duration>,
) -> WasiBody {
    let frames = futures_util::stream::unfold(Some((body, permit)), move |state| {
        let stop = stop.clone();
        async move {
            let (mut body, permit) = state?;
            let wait = between_bytes.unwrap_or(Duration::from_secs(86_400 * 365));
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame?.map_err(|e| wasi_error(&e)),
                () = stop.cut() => Err(Error::ConnectionTerminated),
                () = tokio::time::sleep(wait) => Err(Error::ConnectionReadTimeout),
            };
            let next = frame.is_ok().then_some((body, permit));
            Some((frame, next))
        }
    });
    UnsyncBoxBody::new(http_body_util::StreamBody::new(frames))
}

/// Maps the client's error to the nearest word of wasi:http.
fn wasi_error(error: &reqwest::Error) -> Error {
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.is::<ProhibitedAddress>() {
            return Error::DestinationIpProhibited;
        }
        if let Some(io) = source.downcast_ref::<std::io::Error>() {
            match io.kind() {
                std::io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::UnexpectedEof => {
                    return Error::ConnectionTerminated;
                }
                std::io::ErrorKind::TimedOut => return Error::ConnectionTimeout,
                _ => {}
            }
        }
        cause = source.source();
    }
    if error.is_timeout() {
        Error::ConnectionTimeout
    } else if error.is_connect() {
        Error::DestinationUnavailable
    } else {
        Error::InternalError(Some(error.to_string()))
    }
}

/// A guest's body as a stream that may be shared, which the client asks for though it never does.
struct SyncStream {
    body: Mutex<WasiBody>,
}

impl SyncStream {
    fn new(body: WasiBody) -> Self {
        Self { body: Mutex::new(body) }
    }
}

impl Stream for SyncStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.body.get_mut();
        loop {
            let frame = Pin::new(&mut body.frame()).poll(cx);
            match frame {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                // Trailers have no place in a stream of bytes.
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
