//! Standard input and devices, read by a thread
//!
//! A read of these can wait for ever and cannot be called off, so a thread does it and hands pieces over. The thread
//! of standard input is the process's, so that a restarted task goes on where the last one ended.

use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

const PIECE_BYTES: usize = 64 * 1024;
/// Pieces read ahead of the guest; the thread waits while they are not taken.
const PIECES_AHEAD: usize = 4;

/// Bytes in the order of their arrival; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StreamReader {
    arrived: Arc<Mutex<Arrived>>,
}

#[derive(Debug)]
struct Arrived {
    pieces: mpsc::Receiver<Vec<u8>>,
    /// What did not fit into the last read.
    rest: Vec<u8>,
}

impl StreamReader {
    /// Returns the reader of this process's standard input.
    pub(crate) fn standard_input() -> Self {
        static STANDARD_INPUT: OnceLock<StreamReader> = OnceLock::new();
        STANDARD_INPUT
            .get_or_init(|| Self::start("weir-stdin", io::stdin()))
            .clone()
    }

    pub(crate) fn of(file: File) -> Self {
        Self::start("weir-device", file)
    }

    fn start(name: &str, mut input: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let spawned = thread::Builder::new()
            .name(name.to_owned())
            .stack_size(128 * 1024)
            .spawn(move || pump(&mut input, &sender));
        if let Err(error) = spawned {
            // The channel is closed then, which reads as an ended stream.
            tracing::error!(%error, "cannot start the thread that reads a stream");
        }
        Self {
            arrived: Arc::new(Mutex::new(Arrived {
                pieces,
                rest: Vec::new(),
            })),
        }
    }

    /// Returns up to `max` bytes; none when nothing arrives within `wait` or the stream has ended. Cancel safe.
    pub(crate) async fn read(&self, max: usize, wait: Duration) -> Vec<u8> {
        let mut arrived = self.arrived.lock().await;
        if arrived.rest.is_empty() {
            match tokio::time::timeout(wait, arrived.pieces.recv()).await {
                Ok(Some(piece)) => arrived.rest = piece,
                // An ended stream waits as long as a silent one, so that its reader does not spin.
                Ok(None) => tokio::time::sleep(wait).await,
                Err(_elapsed) => {}
            }
        }
        let taken = arrived.rest.len().min(max);
        arrived.rest.drain(..taken).collect()
    }
}

fn pump(input: &mut impl Read, sender: &mpsc::Sender<Vec<u8>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        match input.read(&mut piece) {
            Ok(0) => return,
            Ok(count) => {
                piece.truncate(count);
                if sender.blocking_send(piece).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::warn!(%error, "a stream ended with an error");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_keep_their_order_over_short_reads() {
        let text: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
        let reader = StreamReader::start("test", io::Cursor::new(text.clone()));
        let mut read = Vec::new();
        while read.len() < text.len() {
            let piece = reader.read(1_000, Duration::from_secs(5)).await;
            assert!(!piece.is_empty(), "ended after {} bytes", read.len());
            read.extend(piece);
        }
        assert_eq!(read, text);
        assert!(reader.read(10, Duration::ZERO).await.is_empty());
    }
}
