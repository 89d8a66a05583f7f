//! Standard output and error of a guest, line by line into the log
//!
//! Panic texts arrive here before the trap does, so the last lines of standard error are kept and attached to it.
//! Lines are cut at 4 KiB and at a fixed rate; writes never block the guest.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::host::log::{Admission, LineRate, warn_dropped};
use crate::host::state::Identity;
use crate::limits::{KEPT_STDERR_LINES, MAX_STDIO_LINE_BYTES, MAX_STDIO_LINES_PER_SECOND};
use crate::secrets::Secrets;

/// Which of the two streams, hence which log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StdioKind {
    Out,
    Error,
}

/// One captured stream; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StdioLog {
    lines: Arc<Mutex<Lines>>,
}

#[derive(Debug)]
struct Lines {
    kind: StdioKind,
    connector: Arc<str>,
    task: Option<u32>,
    /// Bytes since the last line end, cut at [`MAX_STDIO_LINE_BYTES`].
    open_line: Vec<u8>,
    kept: VecDeque<String>,
    rate: LineRate,
    secrets: Arc<Secrets>,
}

impl StdioLog {
    pub(crate) fn new(kind: StdioKind, identity: &Identity, secrets: &Arc<Secrets>) -> Self {
        Self {
            lines: Arc::new(Mutex::new(Lines {
                kind,
                connector: Arc::clone(&identity.connector),
                task: identity.task,
                open_line: Vec::new(),
                kept: VecDeque::new(),
                rate: LineRate::new(MAX_STDIO_LINES_PER_SECOND),
                secrets: Arc::clone(secrets),
            })),
        }
    }

    /// Returns the last lines, the unfinished one included.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let mut lines = self.lines.lock();
        if !lines.open_line.is_empty() {
            lines.end_line();
        }
        lines.kept.iter().cloned().collect()
    }

    fn take_bytes(&self, bytes: &[u8]) {
        let mut lines = self.lines.lock();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = MAX_STDIO_LINE_BYTES.saturating_sub(lines.open_line.len());
            lines.open_line.extend(text.iter().take(room));
            if is_ended {
                lines.end_line();
            }
        }
    }
}

impl Lines {
    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.open_line)
            .trim_end_matches('\r')
            .to_owned();
        let line = self.secrets.redact_owned(line);
        self.open_line.clear();
        if let Admission::Line { dropped_before } = self.rate.admit() {
            if dropped_before > 0 {
                warn_dropped(&self.connector, self.task, dropped_before);
            }
            let connector = &*self.connector;
            match self.kind {
                StdioKind::Out => {
                    tracing::info!(target: "weir::plugin", connector, task = self.task, "{line}");
                }
                StdioKind::Error => {
                    tracing::warn!(target: "weir::plugin", connector, task = self.task, "{line}");
                }
            }
        }
        if self.kind == StdioKind::Error {
            if self.kept.len() == KEPT_STDERR_LINES {
                self.kept.pop_front();
            }
            self.kept.push_back(line);
        }
    }
}

impl IsTerminal for StdioLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for StdioLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for StdioLog {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take_bytes(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for StdioLog {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for StdioLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take_bytes(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stderr() -> StdioLog {
        let identity = Identity {
            connector: Arc::from("c"),
            task: Some(0),
            worker: String::new(),
            plugin_version: String::new(),
        };
        StdioLog::new(StdioKind::Error, &identity, &Arc::new(Secrets::new("c", None)))
    }

    #[test]
    fn the_last_lines_are_kept_with_the_unfinished_one() {
        let log = stderr();
        for line in 0..30 {
            log.take_bytes(format!("line {line}\r\n").as_bytes());
        }
        log.take_bytes(b"half");
        log.take_bytes(b" a line");
        let kept = log.last_lines();
        assert_eq!(kept.len(), KEPT_STDERR_LINES);
        assert_eq!(kept.first().map(String::as_str), Some("line 11"));
        assert_eq!(kept.last().map(String::as_str), Some("half a line"));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let log = stderr();
        for _ in 0..100 {
            log.take_bytes(&[b'x'; 1000]);
        }
        let kept = log.last_lines();
        assert_eq!(kept.first().map(String::len), Some(MAX_STDIO_LINE_BYTES));
    }
}
