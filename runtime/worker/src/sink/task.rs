//! The loop of a sink task: read, convert, put, and how it ends.
//!
//! Bytes copied a record: once from the client's buffer into the frame, once into guest memory; a
//! converter that rewrites adds its own output. Crossings: one a frame. System calls, locks and
//! hashing a record: none. In flight: the consumer's prefetch bound and one poll.
//! Control and rebalances are values read at the one marked point. Source: `WorkerSinkTask`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use weir_api::error::ErrorKind;
use weir_client::consumer::{MessageBatch, Polled};
use weir_client::topic_partition::TopicPartition;
use weir_config::map::ConfigMap;
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::sink_requests::SinkContextHandle;
use weir_stores::status::records::State;

use crate::error::TaskFailure;
use crate::figures::{Call, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::pipeline::convert::Converters;
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::tolerance::{ErrorRules, Verdict};
use crate::pipeline::transform::Transforms;
use crate::sink::batch::{Filled, SinkBatch};
use crate::sink::commit::{Commits, Offsets};
use crate::sink::originals::Originals;
use crate::sink::partitions::Partitions;
use crate::sink::reader::Reader;
use crate::sink::subscription::Subscription;
use crate::topics_used::UsedTopics;

/// Everything a sink task works with.
#[derive(Debug)]
pub struct SinkTask {
    pub id: TaskId,
    pub instance: SinkTaskInstance,
    pub config: ConfigMap,
    pub converters: Converters,
    pub transforms: Option<Transforms>,
    pub rules: ErrorRules,
    /// Shared with what the guest reports errors through.
    pub originals: Originals,
    pub consumer: Reader,
    pub subscription: Subscription,
    pub context: SinkContextHandle,
    pub commits: Commits,
    /// Zero of the milliseconds that `commits` counts in.
    pub epoch: Instant,
    pub commit_timeout: Duration,
    pub max_poll_records: usize,
    pub control: Control,
    pub topics_used: UsedTopics,
    pub meter: Arc<TaskMeter>,
    pub reports: Reports,
}

/// State of the loop besides the parts it was given.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) batch: SinkBatch,
    pub(super) partitions: Partitions,
    pub(super) commit: JoinSet<Committed>,
    /// The frame was refused for now and is put again.
    pub(super) is_redelivering: bool,
    pub(super) is_paused: bool,
    pub(super) retry_after: Option<Duration>,
}

/// An answered commit: its sequence, its offsets, and why it failed.
pub(super) type Committed = (u64, Offsets, Result<(), String>);

impl SinkTask {
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
        if let Err(failure) = self.start().await {
            self.stop_guest().await;
            self.consumer.close().await;
            return Err(failure);
        }
        self.reports.task(&self.id, State::Running, None).await;
        let mut work = Work {
            batch: SinkBatch::new(self.originals.clone()),
            ..Work::default()
        };
        let result = self.work(&mut work).await;
        let closed = self.finish(work).await;
        result.and(closed)
    }

    async fn start(&mut self) -> Result<(), TaskFailure> {
        self.rules.reporter().prepare().await?;
        Ok(self.instance.start(&self.config).await?)
    }

    async fn work(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        loop {
            // The one point at which control, wishes of the guest and commits enter the loop.
            if self.control.is_stopping() {
                return Ok(());
            }
            self.apply_target(work).await?;
            self.apply_wishes(work).await?;
            self.end_commits(work);
            if self.commits.is_due(self.now_ms()) {
                self.commit(work).await?;
            }
            self.apply_subscription().await?;
            if work.batch.has_rest() && !work.is_redelivering {
                self.put_next(work).await?;
                continue;
            }
            match self.poll(work).await {
                Some(Polled::Events(events)) => {
                    for event in events {
                        self.rebalance(event, work).await?;
                    }
                }
                Some(Polled::Messages(messages)) => self.take(messages, work).await?,
                Some(Polled::Nothing) => self.put(work).await?,
                None => {}
            }
            if let Some((error, reason)) = self.consumer.fatal_error() {
                return Err(unrecoverable(TaskFailure::connect(format!("{error}: {reason}"))));
            }
        }
    }

    // ---- poll to put -------------------------------------------------------------------------------------

    /// Waits for messages or events until the next commit or the time the guest asked for.
    async fn poll(&mut self, work: &mut Work) -> Option<Polled> {
        let now = Instant::now();
        let due = Duration::from_millis(self.commits.until_due_ms(self.now_ms()) as u64);
        let mut limit = work.retry_after.take().map_or(due, |wish| wish.min(due));
        if let Some(look) = self.subscription.next_look() {
            limit = limit.min(look.saturating_duration_since(now));
        }
        // Every branch is cancel safe: messages, events and answers are kept until taken.
        tokio::select! {
            biased;
            () = self.control.changed() => None,
            Some(answer) = work.commit.join_next(), if !work.commit.is_empty() => {
                self.committed(answer);
                None
            }
            polled = self.consumer.next(self.max_poll_records, limit) => Some(polled),
        }
    }

    async fn take(&mut self, messages: MessageBatch, work: &mut Work) -> Result<(), TaskFailure> {
        for (partition, error) in &messages.errors {
            tracing::warn!(task = %self.id, topic = partition.topic, partition = partition.partition, %error, "consumer reported an error");
        }
        if messages.is_empty() {
            return Ok(());
        }
        self.meter.read(messages.len());
        if work.is_redelivering {
            // Fetched before the pause took effect: read again once the frame in hand was accepted.
            let back = first_offsets(&messages);
            drop(messages);
            return self.seek(&back).await;
        }
        for (partition, offset) in work.batch.begin(messages) {
            self.commits.started_at(&partition, offset);
        }
        self.put_next(work).await
    }

    async fn put_next(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        work.batch.begin_frame();
        while let Filled::Failed(failed) = work.batch.fill(&mut self.converters, self.instance.schemas()) {
            let stage = failed.error.stage;
            let failing = Failing {
                stage,
                class: self.converters.class(stage),
                record: FailedRecord::Message(&failed.original),
            };
            match self.rules.judge(failing, failed.error.error, &self.control).await {
                Verdict::Retry => {}
                Verdict::Skip => work.batch.skip_message(),
                Verdict::Fail(failure) => return Err(failure),
            }
        }
        self.rules.succeeded();
        self.transform(&mut work.batch).await?;
        self.put(work).await
    }

    async fn put(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        self.meter.enter(Call::Put);
        let put = self.instance.put(work.batch.frame()).await;
        self.meter.left(self.instance.cpu(), self.instance.memory_bytes());
        match put {
            Ok(()) => {
                self.meter.moved(work.batch.records(), work.batch.frame().len());
                for (partition, offset) in work.batch.positions() {
                    self.commits.consumed(partition, offset);
                    self.topics_used.used(&partition.topic);
                }
                self.meter.uncommitted(self.commits.uncommitted());
                for topic in self.topics_used.news() {
                    self.reports.topic(&self.id, &topic).await;
                }
                work.batch.begin_frame();
                work.batch.release();
                if work.is_redelivering {
                    work.is_redelivering = false;
                    work.partitions.set_redelivering(false);
                    self.apply_flow(work).await?;
                }
                Ok(())
            }
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.id, %error, "put failed, the same records are put again");
                work.retry_after = error.retry_after_ms.map(|ms| Duration::from_millis(u64::from(ms)));
                work.is_redelivering = true;
                work.partitions.set_redelivering(true);
                self.apply_flow(work).await
            }
            Err(error) if error.kind == ErrorKind::Stopped && self.control.is_stopping() => Ok(()),
            Err(error) => Err(unrecoverable(error.into())),
        }
    }

    // ---- ending ------------------------------------------------------------------------------------------

    /// Closes all partitions with a last commit, stops guest and consumer.
    async fn finish(mut self, mut work: Work) -> Result<(), TaskFailure> {
        let all = work.partitions.assigned().clone();
        let closed = if self.instance.is_poisoned() {
            Ok(())
        } else {
            self.close(&all, &mut work).await
        };
        self.stop_guest().await;
        drop(work);
        self.consumer.close().await;
        self.rules.reporter().close().await;
        closed
    }

    async fn stop_guest(&mut self) {
        if let Err(error) = self.instance.stop().await
            && error.kind != ErrorKind::Stopped
            && !error.is_poisoned()
        {
            tracing::warn!(task = %self.id, %error, "could not stop task");
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.epoch.elapsed().as_millis() as i64
    }
}

pub(super) fn unrecoverable(cause: TaskFailure) -> TaskFailure {
    TaskFailure::connect("Exiting WorkerSinkTask due to unrecoverable exception.").caused_by(cause)
}

fn first_offsets(messages: &MessageBatch) -> Vec<(TopicPartition, i64)> {
    let mut first = Offsets::new();
    for message in messages.iter() {
        first
            .entry(TopicPartition::new(message.topic(), message.partition()))
            .or_insert(message.offset());
    }
    first.into_iter().collect()
}
