//! Group commit: one thread syncs the dirty logs of the data directory.
//!
//! A partition is asked for once, urgently (someone waits for the sync) or lazily (within
//! `weir.log.flush.max.delay.ms`). While one sync runs, appends queue up; the next sync covers all
//! of them and answers them together, so the sync itself is the linger. Syncs per batch: one when
//! idle, far below one under load. Sleeps without a timer while nothing is dirty.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio_util::sync::CancellationToken;
use weir_metrics::clock::Clock;

use crate::error::ServerError;
use crate::partition::PartitionHandle;
use crate::worker_thread;

/// Values of `PartitionHandle::flush_request`.
const NOT_QUEUED: u8 = 0;
const LAZY: u8 = 1;
const URGENT: u8 = 2;

/// The queue of partitions to sync.
#[derive(Debug)]
pub(crate) struct Flusher {
    state: Mutex<FlushQueue>,
    wake: Condvar,
    clock: Clock,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Bounded by the number of partitions: each stands in a list at most once a request.
#[derive(Debug, Default)]
struct FlushQueue {
    urgent: Vec<Arc<PartitionHandle>>,
    /// By rising deadline, as long as all ask with the same delay; a shorter one goes urgent.
    lazy: VecDeque<(i64, Arc<PartitionHandle>)>,
    is_syncing: bool,
    is_closed: bool,
}

impl Flusher {
    /// Starts the flusher's thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(clock: Clock, failed: &CancellationToken) -> Result<Arc<Self>, ServerError> {
        let flusher = Arc::new(Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            clock,
            thread: Mutex::new(None),
        });
        let own = Arc::clone(&flusher);
        let thread = worker_thread::spawn("weir-flusher", failed, move || own.flush_until_closed())?;
        *flusher.thread.lock() = Some(thread);
        Ok(flusher)
    }

    /// Syncs the partition as soon as the disk is free.
    pub(crate) fn request_urgent(&self, partition: &Arc<PartitionHandle>) {
        if partition.flush_request.swap(URGENT, Ordering::SeqCst) == URGENT {
            return;
        }
        let mut state = self.state.lock();
        state.urgent.push(Arc::clone(partition));
        let was_idle = state.urgent.len() == 1;
        drop(state);
        if was_idle {
            self.wake.notify_one();
        }
    }

    /// Syncs the partition within `delay_ms`.
    pub(crate) fn request_within(&self, partition: &Arc<PartitionHandle>, delay_ms: i64) {
        let request = &partition.flush_request;
        if request
            .compare_exchange(NOT_QUEUED, LAZY, Ordering::SeqCst, Ordering::SeqCst)
            .is_err()
        {
            return;
        }
        let deadline_ms = self.clock.now_ms().saturating_add(delay_ms);
        let mut state = self.state.lock();
        let at = state.lazy.partition_point(|(known_ms, _)| *known_ms <= deadline_ms);
        state.lazy.insert(at, (deadline_ms, Arc::clone(partition)));
        let is_next = at == 0 && state.urgent.is_empty();
        drop(state);
        if is_next {
            self.wake.notify_one();
        }
    }

    /// Whether a sync asked for now would begin at once.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.urgent.is_empty() && !state.is_syncing
    }

    /// Syncs everything asked for and ends the thread.
    pub(crate) fn stop(&self) {
        self.state.lock().is_closed = true;
        self.wake.notify_one();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("flusher thread ended in a panic");
        }
    }

    fn flush_until_closed(&self) {
        let mut due = Vec::new();
        while self.take_due(&mut due) {
            for partition in due.drain(..) {
                // Before the sync: what is appended from here on asks again.
                if partition.flush_request.swap(NOT_QUEUED, Ordering::SeqCst) != NOT_QUEUED {
                    partition.flush();
                }
            }
        }
    }

    /// Waits for partitions to sync; false once closed and nothing is left.
    fn take_due(&self, due: &mut Vec<Arc<PartitionHandle>>) -> bool {
        let mut state = self.state.lock();
        state.is_syncing = false;
        loop {
            due.append(&mut state.urgent);
            let now_ms = self.clock.now_ms();
            while let Some((deadline_ms, _)) = state.lazy.front() {
                if *deadline_ms > now_ms && !state.is_closed {
                    break;
                }
                due.extend(state.lazy.pop_front().map(|(_, partition)| partition));
            }
            if !due.is_empty() {
                state.is_syncing = true;
                return true;
            }
            if state.is_closed {
                return false;
            }
            match state.lazy.front() {
                None => self.wake.wait(&mut state),
                Some((deadline_ms, _)) => {
                    let wait_ms = deadline_ms.saturating_sub(now_ms).clamp(1, 60_000);
                    self.wake
                        .wait_for(&mut state, Duration::from_millis(wait_ms.unsigned_abs()));
                }
            }
        }
    }
}
