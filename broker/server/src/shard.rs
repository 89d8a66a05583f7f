//! Writer threads: every append of a partition happens on one of them, in order.
//!
//! Per wake a shard takes all queued batches, sorts them by partition (arrival order within one)
//! and writes each partition's run under one lock of its log; the flusher is asked once per run.
//! Copies per batch: none of ours; syscalls per batch: one write, at most; syncs: none here, but
//! for a small last run while the flusher is idle.
//! The queue is bounded by what connections may have in flight (`connection.rs`) and by the
//! coordinator's own groups.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use tokio_util::sync::CancellationToken;

use crate::append::AppendJob;
use crate::error::ServerError;
use crate::flusher::Flusher;
use crate::partition::{FlushNeed, PartitionHandle};
use crate::worker_thread;

/// A run up to this size is synced by its writer when the flusher is idle.
const OWN_SYNC_BYTES: usize = 64 * 1024;

type QueuedJob = (Arc<PartitionHandle>, AppendJob);

/// The writer threads and their queues.
#[derive(Debug)]
pub(crate) struct WriterShards {
    queues: Vec<Arc<ShardQueue>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct ShardQueue {
    state: Mutex<QueueState>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    jobs: Vec<QueuedJob>,
    is_closed: bool,
}

impl WriterShards {
    /// Starts `count` writer threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(count: usize, flusher: &Arc<Flusher>, failed: &CancellationToken) -> Result<Self, ServerError> {
        let mut queues = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for index in 0..count {
            let queue = Arc::new(ShardQueue::default());
            queues.push(Arc::clone(&queue));
            let flusher = Arc::clone(flusher);
            let name = format!("weir-writer-{index}");
            let thread = worker_thread::spawn(&name, failed, move || {
                write_until_closed(&queue, &flusher);
            })?;
            threads.push(thread);
        }
        Ok(Self {
            queues,
            threads: Mutex::new(threads),
        })
    }

    /// Queues an append. After `stop` the job is dropped, which answers it.
    pub(crate) fn submit(&self, partition: Arc<PartitionHandle>, job: AppendJob) {
        let Some(queue) = self.queues.get(partition.shard(self.queues.len())) else {
            return;
        };
        let mut state = queue.state.lock();
        if state.is_closed {
            return;
        }
        let was_idle = state.jobs.is_empty();
        state.jobs.push((partition, job));
        drop(state);
        // A shard that has work already looks again before it sleeps.
        if was_idle {
            queue.wake.notify_one();
        }
    }

    /// Writes what is queued and ends the threads.
    pub(crate) fn stop(&self) {
        for queue in &self.queues {
            queue.state.lock().is_closed = true;
            queue.wake.notify_one();
        }
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("writer thread ended in a panic");
            }
        }
    }
}

fn write_until_closed(queue: &ShardQueue, flusher: &Flusher) {
    let mut jobs = Vec::new();
    loop {
        {
            let mut state = queue.state.lock();
            while state.jobs.is_empty() {
                if state.is_closed {
                    return;
                }
                queue.wake.wait(&mut state);
            }
            std::mem::swap(&mut state.jobs, &mut jobs);
        }
        write_runs(&mut jobs, flusher);
    }
}

/// Appends the jobs, one run a partition.
fn write_runs(jobs: &mut Vec<QueuedJob>, flusher: &Flusher) {
    // Stable: batches of one partition keep their order.
    jobs.sort_by_key(|(partition, _)| Arc::as_ptr(partition) as usize);
    let mut rest = jobs.drain(..).peekable();
    while let Some((partition, first)) = rest.next() {
        let mut bytes = first.batch.len();
        let mut run = vec![first];
        while let Some((_, job)) = rest.next_if(|(other, _)| Arc::ptr_eq(other, &partition)) {
            bytes += job.batch.len();
            run.push(job);
        }
        let may_sync_here = bytes <= OWN_SYNC_BYTES && rest.peek().is_none();
        match partition.append_run(run) {
            FlushNeed::None => {}
            FlushNeed::Now if may_sync_here && flusher.is_idle() => partition.flush(),
            FlushNeed::Now => flusher.request_urgent(&partition),
            FlushNeed::WithinMs(delay_ms) => flusher.request_within(&partition, delay_ms),
        }
    }
}
