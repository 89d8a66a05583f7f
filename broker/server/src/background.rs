//! Background work on the logs: retention, compaction, checkpoints.
//!
//! One task with three due times, the shortest of them 15 s by default. A pass looks at offsets
//! first and does nothing for logs that did not move, so an idle broker stays idle. Passes run on
//! the blocking pool, one partition at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weir_log::logs::Logs;

use crate::context::Shared;
use crate::partition::PartitionHandle;

/// Due times never lie further away than this, whatever the settings say.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What is due when.
#[derive(Debug)]
struct Schedule {
    every: Duration,
    next: Instant,
}

impl Schedule {
    fn new(every_ms: i64) -> Self {
        let every = Duration::from_millis(every_ms.max(1).unsigned_abs()).min(LONGEST_WAIT);
        Self {
            every,
            next: Instant::now() + every,
        }
    }

    fn take_due(&mut self) -> bool {
        let is_due = self.next <= Instant::now();
        if is_due {
            self.next = Instant::now() + self.every;
        }
        is_due
    }
}

/// Works until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, logs: Arc<Logs>, stop: CancellationToken) {
    let settings = &shared.config.log;
    let mut retention = Schedule::new(settings.retention_check_interval_ms);
    let mut checkpoint = Schedule::new(settings.checkpoint_interval_ms);
    let mut cleaning = Schedule::new(settings.cleaner_backoff_ms);
    let mut checkpointed = 0;
    loop {
        let next = retention.next.min(checkpoint.next).min(cleaning.next);
        // Cancel safe: nothing is half done between two passes.
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep_until(next) => {}
        }
        if retention.take_due() {
            pass(&shared, &stop, apply_retention).await;
        }
        if cleaning.take_due() && settings.cleaner_enabled {
            pass(&shared, &stop, clean).await;
        }
        if checkpoint.take_due() {
            let written = total_offsets(&shared);
            if written != checkpointed {
                checkpointed = written;
                write_checkpoints(Arc::clone(&logs)).await;
            }
        }
    }
}

/// Runs work on every partition, off the runtime's threads; a stop ends it between two partitions.
async fn pass(shared: &Arc<Shared>, stop: &CancellationToken, work: fn(&PartitionHandle, i64)) {
    let (shared, stop) = (Arc::clone(shared), stop.clone());
    let finished = tokio::task::spawn_blocking(move || {
        for topic in shared.partitions.topics().iter() {
            for partition in &topic.partitions {
                if stop.is_cancelled() {
                    return;
                }
                work(partition, shared.clock.now_ms());
            }
        }
    });
    if let Err(panic) = finished.await {
        std::panic::resume_unwind(panic.into_panic());
    }
}

fn apply_retention(partition: &PartitionHandle, now_ms: i64) {
    if partition
        .with_log(|log| log.apply_retention(now_ms))
        .is_some_and(|segments| segments > 0)
    {
        partition.waiters().wake_all();
    }
}

/// Compacts a log when that is due. Only planning and the swap at the end hold its lock.
fn clean(partition: &PartitionHandle, now_ms: i64) {
    let Some(job) = partition.with_log(|log| log.plan_cleaning(now_ms)).flatten() else {
        return;
    };
    match job.run() {
        Ok(cleaned) => {
            partition.with_log(|log| log.finish_cleaning(cleaned));
        }
        Err(error) => {
            partition.with_log(|log| {
                log.note_uncleanable(&error);
                Ok(())
            });
        }
    }
}

fn total_offsets(shared: &Shared) -> i64 {
    let topics = shared.partitions.topics();
    let offsets = topics.iter().flat_map(|topic| &topic.partitions);
    offsets
        .map(|partition| partition.log_end_offset().wrapping_add(partition.log_start_offset()))
        .sum()
}

async fn write_checkpoints(logs: Arc<Logs>) {
    match tokio::task::spawn_blocking(move || logs.write_checkpoints()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "checkpoints cannot be written, a crash would recover more"
            );
        }
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
