//! Connections: accepted, greeted with TLS where the listener asks for it, and closed when idle.
//!
//! A handshake never holds up another client: each has a task of its own, bounded in time and number. Only finished connections reach
//! the HTTP server.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// How long a connection may stand between requests (fixed in Apache Connect).
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How long it may stand within one: a request waits 90 s for the herder at most.
const REQUEST_IDLE_TIMEOUT: Duration = Duration::from_secs(100);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// Handshakes under way at once; more clients wait in the backlog of the socket.
const HANDSHAKES: usize = 256;
/// Connections ready for the server, which takes them as they come.
const READY: usize = 64;

/// A listener for the HTTP server.
#[derive(Debug)]
pub(crate) struct Incoming {
    ready: mpsc::Receiver<(Idle, SocketAddr)>,
    address: SocketAddr,
    // Ends with this value.
    _accepting: JoinSet<()>,
}

impl Incoming {
    /// Starts accepting.
    pub(crate) fn start(socket: TcpListener, address: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let (sender, ready) = mpsc::channel(READY);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(socket, tls.map(TlsAcceptor::from), sender));
        Incoming {
            ready,
            address,
            _accepting: accepting,
        }
    }
}

impl Listener for Incoming {
    type Io = Idle;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Idle, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Accepting never ends by itself.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(socket: TcpListener, tls: Option<TlsAcceptor>, ready: mpsc::Sender<(Idle, SocketAddr)>) {
    let mut handshakes = JoinSet::new();
    loop {
        // Both branches hand over whole values: cancel safe.
        let accepted = tokio::select! {
            biased;
            Some(_) = handshakes.join_next(), if !handshakes.is_empty() => continue,
            accepted = socket.accept(), if handshakes.len() < HANDSHAKES => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                // Most often no file descriptors are left; others will be closed.
                tracing::warn!(%error, "REST connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _refused = stream.set_nodelay(true);
        let (tls, ready) = (tls.clone(), ready.clone());
        handshakes.spawn(async move {
            let stream = match tls {
                None => Stream::Plain(stream),
                Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                    Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => return tracing::debug!(%peer, "TLS handshake timed out"),
                },
            };
            let _closing = ready.send((Idle::new(stream), peer)).await;
        });
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that fails to read once it was idle for too long.
#[derive(Debug)]
pub(crate) struct Idle {
    stream: Stream,
    deadline: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(stream: Stream) -> Self {
        Idle {
            stream,
            deadline: Box::pin(tokio::time::sleep(IDLE_TIMEOUT)),
        }
    }

    fn touch(&mut self, timeout: Duration) {
        self.deadline.as_mut().reset(Instant::now() + timeout);
    }
}

impl AsyncRead for Idle {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if read.is_ready() {
            self.touch(REQUEST_IDLE_TIMEOUT);
            return read;
        }
        match self.deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Idle {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        if written.is_ready() {
            self.touch(IDLE_TIMEOUT);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
