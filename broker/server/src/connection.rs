//! One client connection: frames in, replies out in request order.
//!
//! One task a connection. It reads ahead while earlier requests wait, up to `MAX_IN_FLIGHT`
//! requests or `MAX_IN_FLIGHT_BYTES`, and stops reading at the bound, so a client that floods is
//! slowed by its own socket. Requests start in order (see `dispatch.rs`) and are answered in order.
//! Per reply: one `writev` for all pieces of all replies that are ready; record bytes go from the
//! log's buffers to the socket without a copy of ours.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use weir_protocol::api::ApiKey;

use crate::broker_metrics::{BrokerMetrics, Counters};
use crate::context::{ConnectionInfo, Shared};
use crate::dispatch::dispatch;
use crate::frame_reader::{FrameReader, ReadEnd};
use crate::reply::{CloseReason, Outcome, ReplyFuture};

const MAX_IN_FLIGHT: usize = 64;
const MAX_IN_FLIGHT_BYTES: usize = 16 * 1024 * 1024;
/// What a fetch counts for: its answer may be large, so a third one is not read ahead.
const FETCH_BYTES: usize = MAX_IN_FLIGHT_BYTES / 2;
/// Slices of one `writev`.
const MAX_SLICES: usize = 64;
/// Replies joined into one write.
const MAX_JOINED_PIECES: usize = 256;
/// How long answers under way may take when the broker stops.
const DRAIN: Duration = Duration::from_millis(250);

/// A started request and the bytes it holds.
struct InFlight {
    reply: ReplyFuture,
    bytes: usize,
    /// API key and start, for the time the answer took.
    api_key: i16,
    began: Instant,
    metrics: Arc<BrokerMetrics>,
}

impl Future for InFlight {
    type Output = (Outcome, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let bytes = self.bytes;
        let polled = self.reply.as_mut().poll(cx);
        if polled.is_ready() {
            let took_ms = self.began.elapsed().as_secs_f64() * 1000.0;
            self.metrics.answered(self.api_key, took_ms);
        }
        polled.map(|outcome| (outcome, bytes))
    }
}

/// What one connection keeps between two events.
struct Requests {
    in_flight: FuturesOrdered<InFlight>,
    bytes: usize,
    replies: VecDeque<Bytes>,
}

/// Serves a connection until the client leaves, breaks the protocol, idles or the broker stops.
pub(crate) async fn serve(mut stream: TcpStream, shared: Arc<Shared>, info: Arc<ConnectionInfo>) {
    let (mut receiver, mut sender) = stream.split();
    let _open = Open::new(Arc::clone(&shared.metrics.counters));
    let mut reader = FrameReader::new(shared.config.sockets.request_max_bytes);
    let mut requests = Requests {
        in_flight: FuturesOrdered::new(),
        bytes: 0,
        replies: VecDeque::new(),
    };
    let max_idle = Duration::from_millis(shared.config.sockets.max_idle_ms.min(u64::from(u32::MAX)));
    let mut last_active = Instant::now();
    let idle = sleep_until(last_active + max_idle);
    tokio::pin!(idle);
    loop {
        let may_read = requests.in_flight.len() < MAX_IN_FLIGHT && requests.bytes < MAX_IN_FLIGHT_BYTES;
        // Cancel safe: `next` of the ordered queue and of the reader keep their state outside.
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => {
                drain(&mut requests, &mut sender).await;
                return;
            }
            // Before the next frame: this is also what starts the futures, in request order.
            Some((outcome, bytes)) = requests.in_flight.next() => {
                last_active = Instant::now();
                let written = match requests.collect(outcome, bytes) {
                    Ok(()) => {
                        let ready = requests.replies.iter().map(Bytes::len).sum();
                        Counters::add(&shared.metrics.counters.bytes_out, ready);
                        write_all(&mut sender, &mut requests.replies).await
                    }
                    Err(reason) => return report(&shared, &info, &reason),
                };
                if written.is_err() {
                    return;
                }
            }
            frame = reader.next(&mut receiver), if may_read => {
                last_active = Instant::now();
                match frame {
                    Ok(frame) => if let Err(reason) = requests.start(&shared, &info, frame) {
                        return report(&shared, &info, &reason);
                    },
                    Err(ReadEnd::Closed) => return,
                    Err(ReadEnd::Io(error)) => {
                        tracing::debug!(client = %info.peer, connection = info.id, %error, "connection broke");
                        return;
                    }
                    Err(ReadEnd::Malformed(error)) => {
                        return report(&shared, &info, &CloseReason::Malformed(error));
                    }
                }
            }
            () = &mut idle => {
                let until = last_active + max_idle;
                if until <= Instant::now() && requests.in_flight.is_empty() {
                    tracing::debug!(client = %info.peer, "idle connection closed");
                    return;
                }
                idle.as_mut().reset(until.max(Instant::now() + Duration::from_secs(1)));
            }
        }
    }
}

/// Counts a connection while it is open.
struct Open(Arc<Counters>);

impl Open {
    fn new(counters: Arc<Counters>) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    fn start(&mut self, shared: &Arc<Shared>, info: &Arc<ConnectionInfo>, frame: Bytes) -> Result<(), CloseReason> {
        let mut bytes = frame.len();
        Counters::add(&shared.metrics.counters.bytes_in, bytes);
        let api_key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
        if frame.starts_with(&ApiKey::FETCH.0.to_be_bytes()) {
            bytes += FETCH_BYTES;
        }
        let reply = dispatch(shared, info, frame)?;
        self.bytes += bytes;
        self.in_flight.push_back(InFlight {
            reply,
            bytes,
            api_key,
            began: Instant::now(),
            metrics: Arc::clone(&shared.metrics),
        });
        Ok(())
    }

    /// Takes this outcome and every one that is ready behind it.
    fn collect(&mut self, outcome: Outcome, bytes: usize) -> Result<(), CloseReason> {
        let mut next = Some((outcome, bytes));
        while let Some((outcome, bytes)) = next {
            self.bytes -= bytes;
            match outcome {
                Outcome::Reply(pieces) => self.replies.extend(pieces),
                Outcome::Silent => {}
                Outcome::Close(reason) => return Err(reason),
            }
            if self.replies.len() >= MAX_JOINED_PIECES {
                break;
            }
            next = self.in_flight.next().now_or_never().flatten();
        }
        Ok(())
    }
}

/// Sends what is answered in time; reads nothing more.
async fn drain(requests: &mut Requests, sender: &mut (impl AsyncWrite + Unpin)) {
    let finish = async {
        while let Some((outcome, bytes)) = requests.in_flight.next().await {
            if requests.collect(outcome, bytes).is_err() || write_all(sender, &mut requests.replies).await.is_err() {
                return;
            }
        }
    };
    if timeout(DRAIN, finish).await.is_err() {
        tracing::debug!(abandoned = requests.in_flight.len(), "requests abandoned at stop");
    }
    let _ = sender.shutdown().await;
}

async fn write_all(sender: &mut (impl AsyncWrite + Unpin), pieces: &mut VecDeque<Bytes>) -> io::Result<()> {
    while !pieces.is_empty() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(pieces.iter()) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        let mut written = sender.write_vectored(&slices[..count]).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(piece) = pieces.front_mut() {
            if piece.len() > written {
                piece.advance(written);
                break;
            }
            written -= piece.len();
            pieces.pop_front();
        }
    }
    Ok(())
}

/// One line a minute for all clients together: a broken or hostile one must not fill the disk.
fn report(shared: &Shared, info: &ConnectionInfo, reason: &CloseReason) {
    let Some(suppressed) = shared.close_log.admit(shared.clock.now_ms()) else {
        return;
    };
    let client = info.peer;
    match reason {
        CloseReason::Malformed(error) => {
            tracing::warn!(%client, error = error as &dyn std::error::Error, suppressed, "connection closed: malformed request");
        }
        CloseReason::Unsupported { key, version } => {
            tracing::warn!(%client, key, version, suppressed, "connection closed: unsupported request");
        }
        CloseReason::SilentProduceFailed => {
            tracing::warn!(%client, suppressed, "connection closed: produce without acks failed");
        }
    }
}
