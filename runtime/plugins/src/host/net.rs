//! `weir:connect/net`: connections by name, so that grants are by name
//!
//! The name is judged before the look-up, each address after it, and the connection goes to the judged address. Every wait
//! ends at half of the grace period of a stop. TLS is in `tls.rs`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::address;
use crate::bindings::weir::connect::net::{Host, HostConnection, NetError, Tls};
use crate::host::state::HostState;
use crate::host::tls::{self, TlsWish};
use crate::policy::{Destination, Network};
use crate::stop::StopSignal;

/// Bytes read ahead when a guest waits for readability.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// A connection that a guest holds.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "generated code exports it again")]
pub struct Connection {
    host: String,
    stream: Stream,
    /// Read while the guest waited on the pollable.
    read_ahead: BytesMut,
    /// How the stream ended, told after the bytes before it.
    ended: Option<NetError>,
    is_at_end: bool,
    stop: StopSignal,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While or after a handshake failed.
    Gone,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl Connection {
    async fn read(&mut self, max: usize, timeout: Duration) -> Result<Vec<u8>, NetError> {
        if self.read_ahead.is_empty() {
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = self.fill(max.min(READ_AHEAD_BYTES)) => {}
                () = stop.cut() => return Err(NetError::Closed),
                () = tokio::time::sleep(timeout) => return Err(NetError::TimedOut),
            }
        }
        if self.read_ahead.is_empty()
            && let Some(error) = self.ended
        {
            return Err(error);
        }
        let taken = self.read_ahead.len().min(max);
        Ok(self.read_ahead.split_to(taken).to_vec())
    }

    /// Reads once into an empty buffer. Cancel safe: nothing is lost when the wait is given up.
    async fn fill(&mut self, max: usize) {
        if self.is_at_end || !self.read_ahead.is_empty() {
            return;
        }
        self.read_ahead.reserve(max);
        match self.stream.read_buf(&mut self.read_ahead).await {
            Ok(0) => self.is_at_end = true,
            Ok(_) => {}
            Err(error) => {
                self.is_at_end = true;
                self.ended = Some(net_error(&error));
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        let stop = self.stop.clone();
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        tokio::select! {
            biased;
            outcome = write => outcome.map_err(|error| net_error(&error)),
            () = stop.cut() => Err(NetError::Closed),
        }
    }

    async fn start_tls(&mut self, wish: Tls) -> Result<(), NetError> {
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(NetError::Tls);
        };
        let wish = TlsWish {
            server_name: wish.server_name.unwrap_or_else(|| self.host.clone()),
            alpn: wish.alpn,
            roots: wish.roots,
        };
        match tls::handshake(stream, wish).await {
            Ok(stream) => {
                self.stream = Stream::Tls(Box::new(stream));
                Ok(())
            }
            Err(reason) => {
                tracing::debug!(host = self.host, reason, "TLS handshake failed");
                Err(NetError::Tls)
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Connection {
    async fn ready(&mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = self.fill(READ_AHEAD_BYTES) => {}
            // Ready in the sense that a read now fails at once.
            () = stop.cut() => {}
        }
    }
}

fn net_error(error: &io::Error) -> NetError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => NetError::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => NetError::Reset,
        io::ErrorKind::TimedOut => NetError::TimedOut,
        io::ErrorKind::NotConnected | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => NetError::Closed,
        _ => NetError::Other,
    }
}

/// Looks the name up and connects to the first allowed address that answers.
async fn connect_to(host: &str, port: u16, destination: Destination) -> Result<TcpStream, NetError> {
    let bare = host.trim_matches(['[', ']']);
    let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => tokio::net::lookup_host((bare, port))
            .await
            .map_err(|_| NetError::NotFound)?
            .collect(),
    };
    let mut failed = NetError::NotFound;
    for address in addresses {
        if destination == Destination::PublicOnly && !address::is_public(address.ip()) {
            tracing::warn!(host, %address, "address is not public and not named by a grant");
            failed = NetError::Denied;
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Requests and answers alternate in most protocols; waiting for more bytes only delays them.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failed = net_error(&error),
        }
    }
    Err(failed)
}

impl HostState {
    async fn connect_by_name(
        &mut self,
        host: String,
        port: u16,
        tls: Option<Tls>,
        timeout: Duration,
    ) -> Result<Connection, NetError> {
        let destination = match self.policy.destination(Network::Tcp, &host, port) {
            Ok(destination) => destination,
            Err(reason) => {
                tracing::warn!(connector = %self.identity.connector, task = self.identity.task, reason, "connection denied");
                return Err(NetError::Denied);
            }
        };
        let stop = self.context.stop.clone();
        let connect = async {
            let stream = connect_to(&host, port, destination).await?;
            let mut connection = Connection {
                host: host.clone(),
                stream: Stream::Plain(stream),
                read_ahead: BytesMut::new(),
                ended: None,
                is_at_end: false,
                stop: stop.clone(),
            };
            if let Some(wish) = tls {
                connection.start_tls(wish).await?;
            }
            Ok(connection)
        };
        tokio::select! {
            biased;
            outcome = connect => outcome,
            () = stop.cut() => Err(NetError::Closed),
            () = tokio::time::sleep(timeout) => Err(NetError::TimedOut),
        }
    }
}

impl Host for HostState {}

impl HostConnection for HostState {
    async fn connect(
        &mut self,
        host: String,
        port: u16,
        tls: Option<Tls>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Resource<Connection>, NetError>> {
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let connected = self.connect_by_name(host, port, tls, timeout).await;
        self.enter_host();
        match connected {
            Ok(connection) => Ok(Ok(self.table.push(connection)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn start_tls(
        &mut self,
        connection: Resource<Connection>,
        tls: Tls,
    ) -> wasmtime::Result<Result<(), NetError>> {
        let stop = self.context.stop.clone();
        let connection = self.table.get_mut(&connection)?;
        let outcome = tokio::select! {
            biased;
            outcome = connection.start_tls(tls) => outcome,
            () = stop.cut() => Err(NetError::Closed),
        };
        self.enter_host();
        Ok(outcome)
    }

    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, NetError>> {
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(self.max_read_bytes);
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        let outcome = self.table.get_mut(&connection)?.read(max, timeout).await;
        self.enter_host();
        Ok(outcome)
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), NetError>> {
        let outcome = self.table.get_mut(&connection)?.write(&bytes).await;
        self.enter_host();
        Ok(outcome)
    }

    async fn readable(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Resource<DynPollable>> {
        self.enter_host();
        subscribe(&mut self.table, connection)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.enter_host();
        self.table.delete(connection)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
