//! The loop of a source task: what happens when, and how it ends.
//!
//! Bytes copied a record: once from guest memory into the frame, once by librdkafka; a converter that
//! rewrites adds its own output. Crossings: one a batch. System calls, locks, allocations and hashing
//! a record: none. In flight: bounded by `InFlightLimits` and the producer's queue.
//! Control (stop, pause) is read at the one marked point. Source: `AbstractWorkerSourceTask`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument as _;
use weir_api::error::ErrorKind;
use weir_config::map::ConfigMap;
use weir_plugins::error::GuestError;
use weir_plugins::guest::source::{PollBudget, SourceTaskInstance};
use weir_stores::offsets::ConnectorOffsets;
use weir_stores::status::records::State;

use crate::error::TaskFailure;
use crate::figures::{Call, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::log_context::offsets_span;
use crate::pipeline::convert::{Converters, Outgoing};
use crate::pipeline::tolerance::ErrorRules;
use crate::pipeline::transform::Transforms;
use crate::source::acks::AckColumns;
use crate::source::at_least_once::AtLeastOnce;
use crate::source::exactly_once::Transactions;
use crate::source::offsets::OffsetPair;
use crate::source::send::Sender;
use crate::source::topics::TopicCreation;
use crate::topics_used::UsedTopics;

/// What one poll may bring.
const POLL_BUDGET: PollBudget = PollBudget {
    max_records: 4096,
    max_bytes: 1024 * 1024,
    max_wait_ms: 500,
};
/// Wait after a poll that came back at once with nothing, so that no guest can spin.
const IDLE_BACKOFF: Duration = Duration::from_millis(20);

/// Longest wait that a guest may wish for after a retriable error.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// When offsets are committed.
#[derive(Debug, Clone, Copy)]
pub struct CommitTiming {
    pub interval: Duration,
    pub timeout: Duration,
}

/// Everything a source task works with.
#[derive(Debug)]
pub struct SourceTask {
    pub id: TaskId,
    pub instance: SourceTaskInstance,
    pub config: ConfigMap,
    pub transforms: Option<Transforms>,
    pub converters: Converters,
    pub rules: ErrorRules,
    pub topics: Option<TopicCreation>,
    pub sender: Sender,
    pub delivery: AtLeastOnce,
    pub store: ConnectorOffsets,
    /// With exactly-once support.
    pub transactions: Option<Transactions>,
    pub timing: CommitTiming,
    pub control: Control,
    pub topics_used: UsedTopics,
    pub meter: Arc<TaskMeter>,
    pub reports: Reports,
}

/// State of the loop besides the parts it was given.
pub(crate) struct Work {
    pub(super) next_commit: Instant,
    pub(super) commit: JoinSet<Written>,
    pub(super) outgoing: Outgoing,
    /// For guests that want acknowledgements.
    pub(crate) acks: Option<AckColumns>,
    /// Record flags after which the transaction ends; 0 = none.
    pub(super) txn_mask: u16,
    /// The broker answered at least once.
    pub(super) has_acks: bool,
}

/// A finished write of offsets: what was to be written, and why it failed.
pub(super) type Written = (Vec<OffsetPair>, Result<(), String>);

impl SourceTask {
    /// Runs until stopped.
    ///
    /// # Errors
    /// What ended the task otherwise; its trace goes into the status.
    pub async fn run(mut self) -> Result<(), TaskFailure> {
        if self.control.is_paused() {
            self.reports.task(&self.id, State::Paused, None).await;
            if !self.control.await_unpause().await {
                return Ok(());
            }
        }
        if !self.prepare_transactions().await? {
            return Ok(());
        }
        let wants_acks = match self.instance.start(&self.config).await {
            Ok(started) => started.wants_acks,
            Err(error) => {
                self.stop_guest().await;
                return Err(error.into());
            }
        };
        self.reports.task(&self.id, State::Running, None).await;
        self.enter_loop();
        let mut work = Work {
            next_commit: Instant::now() + self.timing.interval,
            commit: JoinSet::new(),
            outgoing: Outgoing::default(),
            acks: wants_acks.then(AckColumns::default),
            txn_mask: self.transactions.as_ref().map_or(0, Transactions::record_mask),
            has_acks: false,
        };
        let result = self.work(&mut work).await;
        self.finish(work, result.is_err()).await;
        result
    }

    async fn work(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        loop {
            // The one point at which control, acknowledgements and commits enter the loop.
            self.acknowledge(work)?;
            if self.control.is_stopping() {
                return Ok(());
            }
            self.tell_guest(work).await;
            self.tell_topics(work).await;
            self.end_commit(work).await;
            if Instant::now() >= work.next_commit {
                let span = offsets_span(&self.id);
                self.begin_commit(work).instrument(span).await;
            }
            if self.control.is_paused() {
                self.pause(work).await?;
                continue;
            }
            if self.delivery.is_full() {
                // Batches of which nothing was sent complete without an acknowledgement.
                self.delivery.collect();
                if self.delivery.is_full() {
                    self.wait(work, None).await;
                    continue;
                }
            }
            let asked = Instant::now();
            self.meter.enter(Call::Poll);
            let polled = self.instance.poll(POLL_BUDGET).await;
            self.meter.left(self.instance.cpu(), self.instance.memory_bytes());
            match polled {
                Ok(polled) => {
                    let records = match polled {
                        Some(bytes) => self.deliver(Arc::new(bytes), work).await?,
                        None => self.batch_dispatched(0, work).await.map(|()| 0)?,
                    };
                    if records == 0 && asked.elapsed() < IDLE_BACKOFF / 4 {
                        self.wait(work, Some(IDLE_BACKOFF)).await;
                    }
                }
                Err(error) if error.is_retriable() => {
                    tracing::warn!(task = %self.id, %error, "poll failed, trying again");
                    self.batch_dispatched(0, work).await?;
                    self.rest(work, retry_after(&error)).await?;
                }
                Err(error) if error.kind == ErrorKind::Stopped && self.control.is_stopping() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    // ---- waiting and ending ------------------------------------------------------------------------------

    /// Waits for acknowledgements, control, a finished or due commit, or `limit`.
    pub(crate) async fn wait(&mut self, work: &mut Work, limit: Option<Duration>) {
        let until = limit.map_or(work.next_commit, |limit| work.next_commit.min(Instant::now() + limit));
        // Every branch is cancel safe: signals and finished writes are kept until taken.
        let written = tokio::select! {
            biased;
            () = self.control.changed() => None,
            Some(written) = work.commit.join_next(), if !work.commit.is_empty() => Some(written),
            () = self.sender.acked() => None,
            () = tokio::time::sleep_until(until) => None,
        };
        if let Some(written) = written {
            self.committed(written).await;
        }
    }

    /// Waits the whole time, or until stopped; acknowledgements are taken meanwhile.
    async fn rest(&mut self, work: &mut Work, time: Duration) -> Result<(), TaskFailure> {
        let until = Instant::now() + time;
        while Instant::now() < until && !self.control.is_stopping() {
            self.wait(work, Some(until.saturating_duration_since(Instant::now())))
                .await;
            self.acknowledge(work)?;
        }
        Ok(())
    }

    /// Stands still while the target is PAUSED; acknowledgements and commits go on.
    async fn pause(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        self.reports.task(&self.id, State::Paused, None).await;
        // An open transaction would stand in the way of its readers.
        self.rest_transaction(work).await?;
        while self.control.is_paused() && !self.control.is_stopping() {
            self.wait(work, None).await;
            self.acknowledge(work)?;
            self.tell_guest(work).await;
            if Instant::now() >= work.next_commit {
                self.begin_commit(work).await;
            }
        }
        if !self.control.is_stopping() {
            self.reports.task(&self.id, State::Running, None).await;
        }
        Ok(())
    }

    /// Waits for acknowledgements, commits once more, stops guest and producer.
    async fn finish(mut self, mut work: Work, has_failed: bool) {
        if self.transactions.is_some() {
            self.finish_transactions(&mut work, has_failed).await;
            self.stop_guest().await;
            self.sender.close().await;
            return;
        }
        self.sender.flush(self.timing.timeout).await;
        if let Err(failure) = self.acknowledge(&mut work)
            && !has_failed
        {
            tracing::error!(task = %self.id, failure = failure.to_trace(), "records were refused while the task stopped");
        }
        self.tell_topics(&work).await;
        if let Some(columns) = &mut work.acks {
            self.tell_acks(columns.take()).await;
        }
        while let Some(written) = work.commit.join_next().await {
            self.committed(written).await;
        }
        self.begin_commit(&mut work).await;
        while let Some(written) = work.commit.join_next().await {
            self.committed(written).await;
        }
        self.stop_guest().await;
        self.sender.close().await;
    }

    async fn stop_guest(&mut self) {
        if let Err(error) = self.instance.stop().await
            && error.kind != ErrorKind::Stopped
            && !error.is_poisoned()
        {
            tracing::error!(task = %self.id, %error, "task failed to stop cleanly");
        }
    }
}

fn retry_after(error: &GuestError) -> Duration {
    let wish = Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(0)));
    wish.clamp(IDLE_BACKOFF, MAX_RETRY_AFTER)
}
