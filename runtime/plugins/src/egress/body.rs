//! Bodies on their way out and in
//!
//! A small body is taken whole, so that it has a length and secrets can be put in; what is larger streams through. A body
//! that comes in ends with an error after too long a silence and when a stop cuts requests off.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::egress::errors::{Stage, wasi_error};
use crate::limits::MAX_FILLED_BODY_BYTES;
use crate::stop::StopSignal;

/// A guest's body.
pub(crate) enum Outgoing {
    Whole(Bytes),
    /// What was read of a larger one, and the rest.
    Streamed(Bytes, WasiBody),
}

/// Reads a guest's body, at most so far as a small one goes.
pub(crate) async fn outgoing(mut body: WasiBody) -> Result<Outgoing, Error> {
    let mut read = BytesMut::new();
    while read.len() <= MAX_FILLED_BODY_BYTES {
        match body.frame().await {
            None => return Ok(Outgoing::Whole(read.freeze())),
            // Trailers have no place in a body that is sent whole.
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    read.extend_from_slice(&data);
                }
            }
        }
    }
    Ok(Outgoing::Streamed(read.freeze(), body))
}

impl From<Outgoing> for reqwest::Body {
    fn from(body: Outgoing) -> Self {
        match body {
            Outgoing::Whole(bytes) => Self::from(bytes),
            Outgoing::Streamed(read, rest) => {
                let read = futures_util::stream::iter([Ok::<_, Error>(read)]);
                Self::wrap_stream(read.chain(SyncStream(Mutex::new(rest))))
            }
        }
    }
}

/// A guest's body as a stream that may be shared, which the client asks for though it never does.
struct SyncStream(Mutex<WasiBody>);

impl Stream for SyncStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.0.get_mut();
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

/// What a body that comes in must keep to; its permit goes back when it ends.
pub(crate) struct Incoming {
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) stop: StopSignal,
    /// Longest silence.
    pub(crate) between_bytes: Duration,
}

impl Incoming {
    pub(crate) fn body(self, body: reqwest::Body) -> WasiBody {
        let (stop, between_bytes) = (self.stop, self.between_bytes);
        let frames = futures_util::stream::unfold(Some((body, self.permit)), move |state| {
            let stop = stop.clone();
            async move {
                let (mut body, permit) = state?;
                let frame = tokio::select! {
                    biased;
                    frame = body.frame() => frame?.map_err(|error| wasi_error(error, Stage::Body)),
                    () = stop.cut() => Err(Error::ConnectionTerminated),
                    () = tokio::time::sleep(between_bytes) => Err(Error::ConnectionReadTimeout),
                };
                let next = frame.is_ok().then_some((body, permit));
                Some((frame, next))
            }
        });
        UnsyncBoxBody::new(StreamBody::new(frames))
    }
}
