//! Threads of the data plane, and what their panic means.
//!
//! A panic of a writer or the flusher is a broken invariant of the log: the broker stops, better
//! down than wrong, and the next start recovers.

use std::thread::{self, JoinHandle};

use tokio_util::sync::CancellationToken;

use crate::error::ServerError;

/// Cancels its token when the thread that holds it panics.
#[derive(Debug)]
struct PanicGuard(CancellationToken);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
        }
    }
}

/// Starts a named thread; `failed` is cancelled if it panics.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn spawn(
    name: &str,
    failed: &CancellationToken,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, ServerError> {
    let guard = PanicGuard(failed.clone());
    let run = move || {
        let _guard = guard;
        work();
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(ServerError::Thread)
}
