//! Frames from a socket, without trusting their length.
//!
//! Per frame: small ones are cut out of a shared read buffer (one read may bring many); a larger
//! one gets an allocation of its own, read into directly, so that Produce can take it apart in
//! place. Of it at most `FIRST_READ_BYTES` are copied once. Memory follows the bytes that really
//! arrive, in doubling steps; a claimed length alone allocates at most `FIRST_GRANT_BYTES`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use weir_protocol::error::ProtocolError;
use weir_protocol::frame::{PREFIX_BYTES, request_length};

/// One read of the shared buffer.
const FIRST_READ_BYTES: usize = 16 * 1024;
/// Frames from here on own their allocation.
const OWN_ALLOCATION_BYTES: usize = 4 * 1024;
/// Granted before the bytes are there: a producer's default batch and its request around it.
const FIRST_GRANT_BYTES: usize = 1024 * 1024 + 64 * 1024;

/// Cuts a byte stream into frames. Keeps partial frames, so a cancelled `next` loses nothing.
#[derive(Debug)]
pub(crate) struct FrameReader {
    max_bytes: usize,
    shared: BytesMut,
    own: Option<OwnFrame>,
}

#[derive(Debug)]
struct OwnFrame {
    length: usize,
    data: BytesMut,
}

/// Why no further frame comes.
#[derive(Debug)]
pub(crate) enum ReadEnd {
    /// The client closed, between frames or inside one.
    Closed,
    Io(std::io::Error),
    /// The length breaks the rules; the connection must be closed.
    Malformed(ProtocolError),
}

impl FrameReader {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            shared: BytesMut::new(),
            own: None,
        }
    }

    /// The next frame, without its length prefix. Cancel safe.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn next(&mut self, socket: &mut (impl AsyncRead + Unpin)) -> Result<Bytes, ReadEnd> {
        loop {
            if let Some(frame) = self.take_ready().map_err(ReadEnd::Malformed)? {
                return Ok(frame);
            }
            let read = match &mut self.own {
                Some(own) => {
                    let missing = own.length - own.data.len();
                    if own.data.capacity() == own.data.len() {
                        own.data.reserve(missing.min(own.data.len()));
                    }
                    socket.read_buf(&mut (&mut own.data).limit(missing)).await
                }
                None => {
                    self.shared.reserve(FIRST_READ_BYTES);
                    socket.read_buf(&mut self.shared).await
                }
            };
            match read {
                Ok(0) => return Err(ReadEnd::Closed),
                Ok(_) => {}
                Err(error) => return Err(ReadEnd::Io(error)),
            }
        }
    }

    fn take_ready(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        if let Some(own) = self.own.take_if(|own| own.data.len() == own.length) {
            return Ok(Some(own.data.freeze()));
        }
        if self.own.is_some() {
            return Ok(None);
        }
        let Some(prefix) = self.shared.first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let length = request_length(*prefix, self.max_bytes)?;
        let arrived = self.shared.len() - PREFIX_BYTES;
        if length >= OWN_ALLOCATION_BYTES {
            self.shared.advance(PREFIX_BYTES);
            let mut data = BytesMut::with_capacity(length.min(FIRST_GRANT_BYTES));
            data.extend_from_slice(&self.shared.split_to(arrived.min(length)));
            self.own = Some(OwnFrame { length, data });
            return self.take_ready();
        }
        if arrived < length {
            return Ok(None);
        }
        self.shared.advance(PREFIX_BYTES);
        Ok(Some(self.shared.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Gives its bytes in reads of at most `step`.
    struct Stepped<'a> {
        rest: &'a [u8],
        step: usize,
    }

    impl AsyncRead for Stepped<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            let (head, tail) = self.rest.split_at(self.step.min(self.rest.len()).min(out.remaining()));
            out.put_slice(head);
            self.rest = tail;
            Poll::Ready(Ok(()))
        }
    }

    async fn frames(input: &[u8], step: usize) -> (Vec<Bytes>, ReadEnd) {
        let mut socket = Stepped { rest: input, step };
        let mut reader = FrameReader::new(1 << 20);
        let mut frames = Vec::new();
        loop {
            match reader.next(&mut socket).await {
                Ok(frame) => frames.push(frame),
                Err(end) => return (frames, end),
            }
        }
    }

    #[tokio::test]
    async fn frames_of_all_sizes_arrive_whole_however_they_are_cut() {
        let payloads: Vec<Vec<u8>> = [8, 9, 4095, 4096, 4097, 100_000, 8, 20_000]
            .iter()
            .map(|len| vec![*len as u8; *len])
            .collect();
        let input: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload)).collect();
        for step in [1, 3, 4096, 65_536, input.len()] {
            let (frames, end) = frames(&input, step).await;
            assert_eq!(frames, payloads, "step {step}");
            assert!(matches!(end, ReadEnd::Closed));
        }
    }

    #[tokio::test]
    async fn lying_lengths_end_the_stream() {
        for length in [-1, 0, 7, (1 << 20) + 1, i32::MAX] {
            let (frames, end) = frames(&length.to_be_bytes(), 4).await;
            assert!(frames.is_empty());
            assert!(matches!(end, ReadEnd::Malformed(_)), "{length}");
        }
        let (frames, end) = frames(&framed(&[1; 100])[..50], 50).await;
        assert!(frames.is_empty() && matches!(end, ReadEnd::Closed));
    }
}
