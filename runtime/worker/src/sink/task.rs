//! The loop of a sink task: read, convert, put, commit.
//!
//! Bytes copied a record: once from the client's buffer into the frame, once into guest memory; a
//! converter that rewrites adds its own output. Crossings: one a frame. System calls, locks and
//! hashing a record: none. In flight: the consumer's prefetch bound and one poll.
//! Control and rebalances are values read at the one marked point. Source: `WorkerSinkTask`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use weir_api::error::ErrorKind;
use weir_client::consumer::{Consumer, ConsumerEvent, MessageBatch, Polled};
use weir_client::topic_partition::TopicPartition;
use weir_config::map::ConfigMap;
use weir_plugins::guest::sink::SinkTaskInstance;
use weir_plugins::sink_requests::{self as guest, FlowChange, SinkContextHandle};
use weir_stores::status::records::State;

use crate::error::TaskFailure;
use crate::figures::{Call, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::pipeline::convert::Converters;
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::tolerance::{ErrorRules, Verdict};
use crate::pipeline::transform::Transforms;
use crate::sink::batch::{Filled, SinkBatch};
use crate::sink::commit::{Commits, Decision, Offered, Offsets};
use crate::sink::originals::Originals;
use crate::sink::partitions::Partitions;
use crate::sink::reader::Reader;
use crate::sink::subscription::Subscription;
use crate::topics_used::UsedTopics;

/// Longest wait for positions of newly assigned partitions, and for a seek.
const POSITION_TIMEOUT: Duration = Duration::from_secs(60);

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
struct Work {
    batch: SinkBatch,
    partitions: Partitions,
    commit: JoinSet<Committed>,
    /// The frame was refused for now and is put again.
    is_redelivering: bool,
    is_paused: bool,
    retry_after: Option<Duration>,
}

/// An answered commit: its sequence, its offsets, and why it failed.
type Committed = (u64, Offsets, Result<(), String>);

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

    // ---- commit ------------------------------------------------------------------------------------------

    async fn commit(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        self.topics_used.start_over();
        let Some(offered) = self.commits.begin(self.now_ms()) else {
            return Ok(());
        };
        self.meter.enter(Call::Commit);
        let answer = self.instance.pre_commit(&to_guest_offsets(&offered.offsets)).await;
        self.meter.left(self.instance.cpu(), self.instance.memory_bytes());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is_poisoned() => return Err(unrecoverable(error.into())),
            Err(error) => {
                tracing::error!(task = %self.id, %error, "offset commit failed, rewinding to last committed offsets");
                let back = self.commits.pre_commit_failed(&offered);
                self.rewind(&back, work).await?;
                return Ok(());
            }
        };
        if !self.rules.reporter().settle(self.commit_timeout).await? {
            tracing::warn!(task = %self.id, "dead letters are not stored yet, offsets are committed later");
            self.commits.completed(offered.sequence, None);
            return Ok(());
        }
        if let Some(offsets) = self.decide(&offered, answer, work) {
            self.meter.commit_begins();
            let (consumer, limit) = (Consumer::clone(&self.consumer), self.commit_timeout);
            work.commit.spawn(async move {
                let pairs: Vec<_> = offsets
                    .iter()
                    .map(|(partition, offset)| (partition.clone(), *offset))
                    .collect();
                let result = match timeout(limit, consumer.commit(&pairs)).await {
                    Ok(result) => result.map_err(|error| error.to_string()),
                    Err(_) => Err("timed out".to_owned()),
                };
                (offered.sequence, offsets, result)
            });
        }
        Ok(())
    }

    fn decide(&mut self, offered: &Offered, answer: Vec<guest::TopicOffset>, work: &Work) -> Option<Offsets> {
        let answer = answer
            .into_iter()
            .map(|at| (TopicPartition::new(at.topic, at.partition), at.offset))
            .collect();
        let (decision, ignored) = self.commits.decide(offered, answer, work.partitions.assigned());
        for one in ignored {
            tracing::warn!(task = %self.id, partition = %one.partition, offset = one.offset, reason = ?one.reason, "ignoring offset provided by the task");
        }
        match decision {
            Decision::Commit(offsets) => Some(offsets),
            Decision::OptedOut | Decision::NoChange => None,
        }
    }

    fn end_commits(&mut self, work: &mut Work) {
        while let Some(answer) = work.commit.try_join_next() {
            self.committed(answer);
        }
        if self.commits.expire(self.now_ms()) {
            tracing::warn!(task = %self.id, "commit of offsets timed out");
        }
    }

    fn committed(&mut self, answer: Result<Committed, JoinError>) {
        let sequence = answer.as_ref().map_or(0, |(sequence, _, _)| *sequence);
        self.meter.commit_ended(sequence, matches!(answer, Ok((_, _, Ok(())))));
        match answer {
            Ok((sequence, offsets, Ok(()))) => {
                self.commits.completed(sequence, Some(offsets));
            }
            Ok((sequence, _, Err(error))) => {
                tracing::error!(task = %self.id, error, "commit of offsets failed");
                self.commits.completed(sequence, None);
            }
            Err(error) => tracing::error!(task = %self.id, %error, "commit of offsets ended abnormally"),
        }
    }

    /// Pre-commits, commits and closes partitions that are given up.
    async fn close(&mut self, partitions: &BTreeSet<TopicPartition>, work: &mut Work) -> Result<(), TaskFailure> {
        // An earlier commit must not arrive after the last one.
        while let Some(answer) = work.commit.join_next().await {
            self.committed(answer);
        }
        let offered = self.commits.begin_closing(partitions, self.now_ms());
        let answer = match &offered {
            None => Ok(Vec::new()),
            Some(offered) => self.instance.pre_commit(&to_guest_offsets(&offered.offsets)).await,
        };
        let closed = self.close_guest(partitions).await;
        let settled = match self.rules.reporter().settle(self.commit_timeout).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TaskFailure::connect("dead letters were not stored in time")),
            Err(failure) => Err(failure),
        };
        match (offered, answer) {
            (Some(offered), Ok(_)) if settled.is_err() => {
                tracing::warn!(task = %self.id, "offsets of closed partitions are not committed: their dead letters are not stored");
                self.commits.completed(offered.sequence, None);
            }
            (Some(offered), Ok(answer)) => {
                if let Some(offsets) = self.decide(&offered, answer, work) {
                    self.commit_now(offered.sequence, offsets).await;
                }
            }
            (Some(offered), Err(error)) => {
                tracing::warn!(task = %self.id, %error, "offset commit failed during close");
                self.commits.completed(offered.sequence, None);
            }
            (None, _) => {}
        }
        closed.and(settled)
    }

    async fn commit_now(&mut self, sequence: u64, offsets: Offsets) {
        self.meter.commit_begins();
        let pairs: Vec<_> = offsets
            .iter()
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        let result = match timeout(self.commit_timeout, self.consumer.commit(&pairs)).await {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("timed out".to_owned()),
        };
        self.committed(Ok((sequence, offsets, result)));
    }

    async fn close_guest(&mut self, partitions: &BTreeSet<TopicPartition>) -> Result<(), TaskFailure> {
        if partitions.is_empty() || self.instance.is_poisoned() {
            return Ok(());
        }
        let partitions: Vec<_> = partitions.iter().map(to_guest).collect();
        self.instance.close(&partitions).await.map_err(TaskFailure::from)
    }

    // ---- partitions --------------------------------------------------------------------------------------

    async fn rebalance(&mut self, event: ConsumerEvent, work: &mut Work) -> Result<(), TaskFailure> {
        match event {
            ConsumerEvent::Assigned(partitions) => self.assigned(&partitions, work).await,
            ConsumerEvent::Revoked(partitions) => {
                let gone: BTreeSet<_> = partitions.iter().cloned().collect();
                let closed = self.close(&gone, work).await;
                self.forget(&gone, work)?;
                self.consumer.unassign(&partitions).await?;
                closed
            }
            ConsumerEvent::Lost(partitions) => {
                let gone: BTreeSet<_> = partitions.iter().cloned().collect();
                tracing::warn!(task = %self.id, partitions = partitions.len(), "partitions were lost");
                let closed = self.close_guest(&gone).await;
                self.forget(&gone, work)?;
                self.consumer.unassign(&partitions).await?;
                closed
            }
            ConsumerEvent::Failed(error) => {
                tracing::warn!(task = %self.id, %error, "group was not balanced, trying again");
                Ok(())
            }
        }
    }

    async fn assigned(&mut self, partitions: &[TopicPartition], work: &mut Work) -> Result<(), TaskFailure> {
        work.partitions.assign(partitions);
        self.tell_assignment(work);
        let committed = match partitions {
            [] => Vec::new(),
            _ => self.consumer.committed(partitions, POSITION_TIMEOUT).await?,
        };
        let mut positions: Vec<(TopicPartition, Option<i64>)> = partitions.iter().cloned().zip(committed).collect();
        for (partition, offset) in &positions {
            if let Some(offset) = offset {
                self.commits.started_at(partition, *offset);
            }
        }
        if !partitions.is_empty() {
            let opened: Vec<_> = partitions.iter().map(to_guest).collect();
            self.instance.open(&opened).await?;
        }
        // Seeks asked for while opening move the start; a seek right after the assignment could come too early.
        let wishes = self.context.take_requests();
        let mut seeks = Vec::new();
        for wish in wishes.seeks {
            let partition = TopicPartition::new(wish.topic, wish.partition);
            self.commits.moved(&partition, wish.offset);
            match positions.iter_mut().find(|(known, _)| *known == partition) {
                Some((_, offset)) => *offset = Some(wish.offset),
                None => seeks.push((partition, wish.offset)),
            }
        }
        self.consumer.assign(&positions).await?;
        self.seek(&seeks).await?;
        self.change_flow(wishes.flow, work);
        if wishes.is_commit_requested {
            self.commits.request();
        }
        self.apply_flow(work).await
    }

    fn forget(&mut self, gone: &BTreeSet<TopicPartition>, work: &mut Work) -> Result<(), TaskFailure> {
        work.partitions.revoke(gone);
        self.commits.revoke(gone);
        work.batch.revoke(gone)?;
        if work.is_redelivering && work.batch.records() == 0 {
            work.is_redelivering = false;
            work.partitions.set_redelivering(false);
        }
        self.tell_assignment(work);
        Ok(())
    }

    fn tell_assignment(&mut self, work: &Work) {
        self.meter.assigned(work.partitions.assigned().len());
        self.context
            .set_assignment(work.partitions.assigned().iter().map(to_guest));
    }

    async fn apply_target(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let is_paused = self.control.is_paused();
        if is_paused == work.is_paused {
            return Ok(());
        }
        work.is_paused = is_paused;
        work.partitions.set_target_paused(is_paused);
        self.apply_flow(work).await?;
        if is_paused {
            self.commits.request();
        }
        let state = if is_paused { State::Paused } else { State::Running };
        self.reports.task(&self.id, state, None).await;
        Ok(())
    }

    async fn apply_wishes(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let wishes = self.context.take_requests();
        if wishes.is_commit_requested {
            self.commits.request();
        }
        if let Some(ms) = wishes.retry_after_ms {
            work.retry_after = Some(Duration::from_millis(u64::from(ms)));
        }
        if !wishes.seeks.is_empty() {
            let offsets: Offsets = wishes
                .seeks
                .into_iter()
                .map(|at| (TopicPartition::new(at.topic, at.partition), at.offset))
                .collect();
            for (partition, offset) in &offsets {
                self.commits.moved(partition, *offset);
            }
            self.rewind(&offsets, work).await?;
        }
        if !wishes.flow.is_empty() {
            self.change_flow(wishes.flow, work);
            self.apply_flow(work).await?;
        }
        Ok(())
    }

    fn change_flow(&mut self, changes: Vec<FlowChange>, work: &mut Work) {
        for change in changes {
            match change {
                FlowChange::Pause(partitions) => work.partitions.pause(partitions.into_iter().map(from_guest)),
                FlowChange::Resume(partitions) => work.partitions.resume(partitions.into_iter().map(from_guest)),
            }
        }
    }

    async fn apply_flow(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let flow = work.partitions.flow();
        if !flow.pause.is_empty() {
            self.consumer.pause(&flow.pause).await?;
        }
        if !flow.resume.is_empty() {
            self.consumer.resume(&flow.resume).await?;
        }
        Ok(())
    }

    async fn apply_subscription(&mut self) -> Result<(), TaskFailure> {
        if self.subscription.next_look().is_none_or(|look| look <= Instant::now())
            && let Some(topics) = self.subscription.changed().await
        {
            self.consumer.subscribe(&topics).await?;
        }
        Ok(())
    }

    async fn rewind(&mut self, offsets: &Offsets, work: &mut Work) -> Result<(), TaskFailure> {
        let assigned = work.partitions.assigned();
        let offsets: Vec<_> = offsets
            .iter()
            .filter(|(p, _)| assigned.contains(*p))
            .map(|(p, offset)| (p.clone(), *offset))
            .collect();
        for (partition, _) in &offsets {
            work.batch.moved(partition);
        }
        self.seek(&offsets).await
    }

    async fn seek(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), TaskFailure> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.consumer
            .seek(offsets, POSITION_TIMEOUT)
            .await
            .map_err(TaskFailure::from)
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

    fn now_ms(&self) -> i64 {
        self.epoch.elapsed().as_millis() as i64
    }
}

fn unrecoverable(cause: TaskFailure) -> TaskFailure {
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

fn to_guest(partition: &TopicPartition) -> guest::TopicPartition {
    guest::TopicPartition {
        topic: partition.topic.clone(),
        partition: partition.partition,
    }
}

fn from_guest(partition: guest::TopicPartition) -> TopicPartition {
    TopicPartition::new(partition.topic, partition.partition)
}

fn to_guest_offsets(offsets: &Offsets) -> Vec<guest::TopicOffset> {
    let one = |(partition, offset): (&TopicPartition, &i64)| guest::TopicOffset {
        topic: partition.topic.clone(),
        partition: partition.partition,
        offset: *offset,
    };
    offsets.iter().map(one).collect()
}
