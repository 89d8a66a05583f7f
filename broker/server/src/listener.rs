//! Listening sockets: bound early, served later.
//!
//! Binding happens in `Broker::bind`, so a port in use is known before anything else starts and
//! clients may connect (and wait) while logs recover. Connections are bounded in all and per
//! address; one over the bound is closed at once. A listener on every interface is dual-stack
//! where the system allows it, so that `localhost` works in both families.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broker_config::SocketSettings;
use crate::connection;
use crate::context::{ConnectionInfo, Shared};
use crate::error::ServerError;
use crate::listener_config::{Advertised, ListenerSpec};

/// How long connections may take to send their last answers at stop.
const STOP_DEADLINE: Duration = Duration::from_millis(500);
/// Rest after a failed accept: the process is out of descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// A bound socket that is not yet served.
#[derive(Debug)]
pub(crate) struct BoundListener {
    spec: ListenerSpec,
    socket: std::net::TcpListener,
    pub(crate) address: SocketAddr,
}

impl BoundListener {
    /// Binds a listener.
    ///
    /// # Errors
    /// The host does not resolve or the port is taken; the text says what to change.
    pub(crate) fn bind(spec: &ListenerSpec, settings: &SocketSettings) -> Result<Self, ServerError> {
        let mut failure = None;
        for address in candidates(&spec.host, spec.port)? {
            match bind_address(address, settings) {
                Ok(socket) => {
                    let address = socket.local_addr().unwrap_or(address);
                    return Ok(Self {
                        spec: spec.clone(),
                        socket,
                        address,
                    });
                }
                Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                    return Err(ServerError::Bind { address, source });
                }
                // Another family may do.
                Err(source) => failure = Some(ServerError::Bind { address, source }),
            }
        }
        Err(failure.unwrap_or_else(|| ServerError::Resolve {
            host: spec.host.clone(),
            source: io::ErrorKind::NotFound.into(),
        }))
    }
}

/// The addresses a host stands for, best first.
fn candidates(host: &str, port: u16) -> Result<Vec<SocketAddr>, ServerError> {
    if host.is_empty() {
        return Ok(vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ]);
    }
    let resolved = (host, port).to_socket_addrs().map_err(|source| ServerError::Resolve {
        host: host.to_owned(),
        source,
    })?;
    let mut addresses: Vec<SocketAddr> = resolved.collect();
    // Clients try IPv4 for a name in any case; not all of them IPv6.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

fn bind_address(address: SocketAddr, settings: &SocketSettings) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Before listen: accepted connections inherit the window these sizes allow.
    if let Some(bytes) = settings.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = settings.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(settings.listen_backlog)?;
    Ok(socket.into())
}

/// Counts open connections over all listeners.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts {
    next_id: AtomicU64,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A place taken in the counts; given back when dropped.
#[derive(Debug)]
struct Place {
    counts: Arc<ConnectionCounts>,
    address: IpAddr,
}

impl ConnectionCounts {
    fn take(self: &Arc<Self>, address: IpAddr, settings: &SocketSettings) -> Option<Place> {
        let mut by_address = self.by_address.lock();
        let all: usize = by_address.values().sum();
        let own = by_address.entry(address).or_insert(0);
        if all >= settings.max_connections || *own >= settings.max_connections_per_ip {
            return None;
        }
        *own += 1;
        Some(Place {
            counts: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.counts.by_address.lock();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// Accepts until the broker stops, then waits for the connections to finish.
///
/// # Errors
/// The socket cannot be given to the runtime.
pub(crate) async fn serve(
    listener: BoundListener,
    shared: Arc<Shared>,
    counts: Arc<ConnectionCounts>,
) -> io::Result<()> {
    let socket = TcpListener::from_std(listener.socket)?;
    let advertised = listener.spec.advertised.map(|mut advertised| {
        if advertised.port == 0 {
            advertised.port = listener.address.port();
        }
        Arc::new(advertised)
    });
    let mut connections = JoinSet::new();
    loop {
        // Cancel safe: accept and join_next lose nothing when dropped.
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = counts.take(peer.ip(), &shared.config.sockets) else {
                        tracing::debug!(client = %peer, "connection refused: too many");
                        continue;
                    };
                    let advertised = advertised.clone().unwrap_or_else(|| reached(&stream, listener.address));
                    let id = counts.next_id.fetch_add(1, Ordering::Relaxed);
                    let info = Arc::new(ConnectionInfo { id, peer: unmapped(peer), advertised });
                    let shared = Arc::clone(&shared);
                    // Bounded by `max.connections` and the process's descriptors.
                    connections.spawn(async move {
                        let _place = place;
                        let _ = stream.set_nodelay(true);
                        connection::serve(stream, shared, info).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }
    drop(socket);
    let finished = timeout(STOP_DEADLINE, async {
        while connections.join_next().await.is_some() {}
    });
    if finished.await.is_err() {
        tracing::debug!(abandoned = connections.len(), "connections abandoned at stop");
        connections.abort_all();
    }
    Ok(())
}

/// Without an advertised address, clients come back where they came in.
fn reached(stream: &TcpStream, bound: SocketAddr) -> Arc<Advertised> {
    let address = unmapped(stream.local_addr().unwrap_or(bound));
    Arc::new(Advertised {
        host: address.ip().to_string(),
        port: address.port(),
    })
}

/// An IPv4 client of a dual-stack socket, as IPv4.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
