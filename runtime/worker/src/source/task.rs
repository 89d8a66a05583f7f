//! The loop of a source task: poll, convert, send, acknowledge, commit.
//!
//! Bytes copied a record: once from guest memory into the frame, once by librdkafka; a converter that
//! rewrites adds its own output. Crossings: one a batch. System calls, locks, allocations and hashing
//! a record: none. In flight: bounded by `InFlightLimits` and the producer's queue.
//! Control (stop, pause) is read at the one marked point. Source: `AbstractWorkerSourceTask`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use weir_api::error::{ConnectError, ErrorKind};
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::{Frame, RecordView, Records};
use weir_client::error::KafkaError;
use weir_config::map::ConfigMap;
use weir_plugins::error::GuestError;
use weir_plugins::guest::source::{Acks, PollBudget, SourceTaskInstance};
use weir_stores::offsets::ConnectorOffsets;
use weir_stores::status::records::State;

use crate::error::{KAFKA_EXCEPTION, TaskFailure};
use crate::figures::{Call, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::pipeline::convert::{ConvertError, Converters, Outgoing};
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::stage::Stage;
use crate::pipeline::tolerance::{ErrorRules, Verdict};
use crate::pipeline::transform::{Transforms, parse_own};
use crate::source::acks::AckColumns;
use crate::source::at_least_once::AtLeastOnce;
use crate::source::exactly_once::{Transactions, flush_failure};
use crate::source::offsets::OffsetPair;
use crate::source::send::{Sender, Slice};
use crate::source::topics::TopicCreation;
use crate::topics_used::UsedTopics;

/// What one poll may bring.
const POLL_BUDGET: PollBudget = PollBudget {
    max_records: 4096,
    max_bytes: 1024 * 1024,
    max_wait_ms: 500,
};
/// Records converted and handed to the producer at a time: what fits the cache.
const SLICE_RECORDS: usize = 512;
const SLICE_WRITTEN_BYTES: usize = 1024 * 1024;
/// Wait after a retriable failure to send.
const SEND_BACKOFF: Duration = Duration::from_millis(100);
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
    next_commit: Instant,
    commit: JoinSet<Written>,
    outgoing: Outgoing,
    /// For guests that want acknowledgements.
    pub(crate) acks: Option<AckColumns>,
    /// Record flags after which the transaction ends; 0 = none.
    txn_mask: u16,
    /// The broker answered at least once.
    has_acks: bool,
}

/// A finished write of offsets: what was to be written, and why it failed.
type Written = (Vec<OffsetPair>, Result<(), String>);

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
                self.begin_commit(work).await;
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

    // ---- poll to producer --------------------------------------------------------------------------------

    /// Sends one frame; answers how many records it held.
    async fn deliver(&mut self, bytes: Arc<Vec<u8>>, work: &mut Work) -> Result<u32, TaskFailure> {
        if self.transforms.is_none() {
            let frame = self.instance.frame(&bytes)?;
            return self.deliver_frame(&bytes, &frame, None, work).await;
        }
        let (bytes, ending) = self.transform(bytes).await?;
        let frame = parse_own(&bytes)?;
        self.deliver_frame(&bytes, &frame, ending, work).await
    }

    /// Sends a frame, the last one when `ending` is to end the task.
    async fn deliver_frame(
        &mut self,
        bytes: &Arc<Vec<u8>>,
        frame: &Frame<'_>,
        ending: Option<TaskFailure>,
        work: &mut Work,
    ) -> Result<u32, TaskFailure> {
        let base = self.delivery.begin_batch(bytes, frame);
        let result = self.deliver_records(bytes, frame, base, work).await;
        // Sealed on failure too: what was sent may still be committed.
        self.delivery.batch_sent();
        self.meter.moved(frame.record_count(), bytes.len());
        if let Some(failure) = ending {
            return Err(failure);
        }
        if result? {
            self.batch_dispatched(frame.flags(), work).await?;
        } else {
            self.batch_torn();
        }
        Ok(frame.record_count())
    }

    /// False when a stop came before everything was sent.
    async fn deliver_records(
        &mut self,
        bytes: &[u8],
        frame: &Frame<'_>,
        base: u64,
        work: &mut Work,
    ) -> Result<bool, TaskFailure> {
        let mut records = frame.records();
        loop {
            work.outgoing.clear();
            let converted = self.convert(bytes, frame, &mut records, work).await;
            // What came before a failing record is still sent.
            work.outgoing.group_by_topic();
            let is_sent = self.send(bytes, frame, base, work).await?;
            match converted? {
                _ if !is_sent => return Ok(false),
                Converted::All => return Ok(true),
                Converted::Some => {}
                Converted::UpTo(flags) => self.record_dispatched(flags, work).await?,
            }
        }
    }

    async fn convert(
        &mut self,
        bytes: &[u8],
        frame: &Frame<'_>,
        records: &mut Records<'_>,
        work: &mut Work,
    ) -> Result<Converted, TaskFailure> {
        for record in records {
            let mut is_sent = record.flags & record_flags::DROPPED == 0;
            if let Some(timestamp) = record.timestamp.filter(|timestamp| is_sent && *timestamp < -1) {
                return Err(invalid_timestamp(timestamp));
            }
            if is_sent
                && let Err(failed) =
                    self.converters
                        .to_kafka(self.instance.schemas(), bytes, &record, &mut work.outgoing)
            {
                let text = in_words(&record, frame);
                is_sent = self
                    .recover(failed, bytes, (&record, &text), &mut work.outgoing)
                    .await?;
            }
            if !is_sent {
                if let Some(acks) = &mut work.acks {
                    acks.dropped(self.delivery.open_batch(), record.index, record.topic, Instant::now());
                }
                if record.flags & work.txn_mask != 0 {
                    return Ok(Converted::UpTo(record.flags));
                }
                continue;
            }
            self.delivery.submitted(&record, frame);
            if work.acks.is_some() {
                self.delivery.remember_topic(&record);
            }
            if record.flags & work.txn_mask != 0 {
                return Ok(Converted::UpTo(record.flags));
            }
            if work.outgoing.records().len() >= SLICE_RECORDS || work.outgoing.written() >= SLICE_WRITTEN_BYTES {
                return Ok(Converted::Some);
            }
        }
        Ok(Converted::All)
    }

    /// Follows the error rules for a record that could not be converted; false when it is left out.
    async fn recover(
        &mut self,
        mut failed: ConvertError,
        bytes: &[u8],
        (record, text): (&RecordView<'_>, &str),
        outgoing: &mut Outgoing,
    ) -> Result<bool, TaskFailure> {
        loop {
            let class = self.converters.class(failed.stage);
            let failing = Failing {
                stage: failed.stage,
                class,
                record: FailedRecord::Source(text),
            };
            match self.rules.judge(failing, failed.error, &self.control).await {
                Verdict::Retry => {}
                Verdict::Skip => return Ok(false),
                Verdict::Fail(failure) => return Err(failure),
            }
            match self
                .converters
                .to_kafka(self.instance.schemas(), bytes, record, outgoing)
            {
                Ok(()) => {
                    self.rules.succeeded();
                    return Ok(true);
                }
                Err(again) => failed = again,
            }
        }
    }

    /// Sends everything converted; false when a stop came first and the rest was given up.
    async fn send(&mut self, bytes: &[u8], frame: &Frame<'_>, base: u64, work: &mut Work) -> Result<bool, TaskFailure> {
        let outgoing = std::mem::take(&mut work.outgoing);
        let mut at = 0;
        let mut is_sent = true;
        while is_sent && at < outgoing.records().len() {
            let rest = outgoing.records().get(at..).unwrap_or_default();
            let count = rest
                .iter()
                .take_while(|part| Some(part.topic) == rest.first().map(|first| first.topic))
                .count();
            let parts = rest.get(..count).unwrap_or_default();
            let slice = Slice {
                bytes,
                frame,
                outgoing: &outgoing,
                parts,
                base,
            };
            is_sent = self.send_topic(slice, work).await?;
            at += count;
        }
        work.outgoing = outgoing;
        Ok(is_sent)
    }

    async fn send_topic(&mut self, mut slice: Slice<'_>, work: &mut Work) -> Result<bool, TaskFailure> {
        let name = slice
            .parts
            .first()
            .and_then(|part| slice.frame.table(part.topic))
            .unwrap_or_default();
        self.begin_for(name).await?;
        let is_first = !self.sender.knows(name);
        if is_first {
            if let Some(topics) = &mut self.topics {
                topics.ensure(name).await?;
            }
            if !self.await_sent(work).await? {
                return Ok(false);
            }
        }
        let topic = self.sender.topic(name)?;
        self.topics_used.used(name);
        while !slice.parts.is_empty() {
            match self.sender.send(&topic, slice) {
                Ok(taken) => slice.parts = slice.parts.get(taken..).unwrap_or_default(),
                Err(error) if error.is_retriable() => {
                    tracing::warn!(task = %self.id, topic = name, %error, "send failed, backing off");
                    self.control.sleep(SEND_BACKOFF).await;
                }
                Err(error) => {
                    return Err(TaskFailure::connect("Unrecoverable exception trying to send").caused_by(error));
                }
            }
            if !slice.parts.is_empty() {
                if self.control.is_stopping() {
                    return Ok(false);
                }
                // The queue is full: room comes with acknowledgements.
                self.wait(work, Some(SEND_BACKOFF)).await;
                self.acknowledge(work)?;
            }
        }
        if is_first {
            self.await_sent(work).await
        } else {
            Ok(true)
        }
    }

    // ---- acknowledgement to commit -----------------------------------------------------------------------

    /// Takes what the broker answered; fails on the first record it refused, unless errors are tolerated.
    pub(crate) fn acknowledge(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let acks = self.sender.drain();
        let now = Instant::now();
        let mut failure = None;
        for ack in &acks {
            let is_offset = self
                .transactions
                .as_mut()
                .is_some_and(|transactions| transactions.take_ack(ack));
            if let Some(error) = ack.error {
                let cause = refused(error);
                // No record of a transaction may be missing from it.
                if !self.rules.tolerates() || self.transactions.is_some() {
                    failure.get_or_insert((error, cause));
                    continue;
                }
                let error = ConnectError::fatal(cause.message).with_class_name(KAFKA_EXCEPTION);
                let failing = Failing {
                    stage: Stage::KafkaProduce,
                    class: "org.apache.kafka.connect.runtime.WorkerSourceTask",
                    record: FailedRecord::Source(""),
                };
                self.rules.tolerate(failing, &error);
            }
            if is_offset {
                continue;
            }
            if let Some(columns) = &mut work.acks
                && let Some(record) = self.delivery.locate(ack.opaque)
                && let Some(topic) = self.delivery.topic_of(record)
            {
                columns.acked(record.batch, record.index, topic, ack, now);
            }
            self.delivery.acked(ack.opaque);
        }
        let acked = acks.len();
        let had_acks = acked > 0;
        work.has_acks |= had_acks;
        self.sender.drained(acks);
        self.meter.on_the_way(self.sender.in_flight(), acked);
        if had_acks {
            self.delivery.collect();
        }
        match failure {
            None => Ok(()),
            Some((error, cause)) if self.transactions.is_some() => Err(flush_failure(&self.id, Some(error), cause)),
            Some((_, cause)) => {
                Err(TaskFailure::connect("Unrecoverable exception from producer send callback").caused_by(cause))
            }
        }
    }

    /// Hands acknowledgements to a guest that wants them, many at a time.
    async fn tell_guest(&mut self, work: &mut Work) {
        if self.transactions.is_none()
            && let Some(columns) = &mut work.acks
            && columns.is_due(Instant::now())
        {
            self.tell_acks(columns.take()).await;
        }
    }

    /// Tells which topics were used first, once something was acknowledged.
    async fn tell_topics(&mut self, work: &Work) {
        if !work.has_acks {
            return;
        }
        for topic in self.topics_used.news() {
            self.reports.topic(&self.id, &topic).await;
        }
    }

    pub(crate) async fn tell_acks(&mut self, columns: Vec<Acks>) {
        for acks in columns {
            if let Err(error) = self.instance.records_acked(acks).await {
                tracing::error!(task = %self.id, %error, "exception thrown while calling task.commitRecord()");
            }
        }
    }

    async fn begin_commit(&mut self, work: &mut Work) {
        work.next_commit = Instant::now() + self.timing.interval;
        self.topics_used.start_over();
        if !work.commit.is_empty() || self.transactions.is_some() {
            return;
        }
        let offsets = self.delivery.commit();
        if offsets.is_empty() {
            self.commit_guest().await;
            return;
        }
        let (store, connector, limit) = (self.store.clone(), self.id.connector.clone(), self.timing.timeout);
        self.meter.commit_begins();
        work.commit.spawn(async move {
            let result = match timeout(limit, store.write(&connector, offsets.clone())).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("timed out; will try again on next flush interval with latest offsets".to_owned()),
            };
            (offsets, result)
        });
    }

    /// Takes the result of a write of offsets, if there is one by now.
    async fn end_commit(&mut self, work: &mut Work) {
        if let Some(written) = work.commit.try_join_next() {
            self.committed(written).await;
            // A fixed delay: the next commit is one interval after the end of this one.
            work.next_commit = Instant::now() + self.timing.interval;
        }
    }

    async fn committed(&mut self, written: Result<Written, tokio::task::JoinError>) {
        self.meter.commit_ended(0, matches!(written, Ok((_, Ok(())))));
        match written {
            Ok((_, Ok(()))) => self.commit_guest().await,
            Ok((offsets, Err(error))) => {
                tracing::error!(task = %self.id, error, "failed to flush offsets to storage");
                self.delivery.restore(offsets);
            }
            Err(error) => tracing::error!(task = %self.id, %error, "write of offsets ended abnormally"),
        }
    }

    pub(crate) async fn commit_guest(&mut self) {
        if let Err(error) = self.instance.commit().await
            && error.kind != ErrorKind::Stopped
            && !error.is_poisoned()
        {
            tracing::error!(task = %self.id, %error, "exception thrown while calling task.commit()");
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Converted {
    /// A slice is full; more records follow.
    Some,
    /// A transaction may end after the last record, whose flags these are; more may follow.
    UpTo(u16),
    All,
}

fn retry_after(error: &GuestError) -> Duration {
    let wish = Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(0)));
    wish.clamp(IDLE_BACKOFF, MAX_RETRY_AFTER)
}

/// Says why the broker, or the client in its place, did not take a record.
fn refused(error: KafkaError) -> TaskFailure {
    if error == KafkaError::INVALID_TIMESTAMP {
        return TaskFailure::of(
            "org.apache.kafka.common.errors.InvalidTimestampException",
            "a record with timestamp 0 cannot be sent: the client library would send the current time instead",
        );
    }
    TaskFailure {
        retriable: error.is_retriable(),
        ..TaskFailure::of(KAFKA_EXCEPTION, error.to_string())
    }
}

/// Kafka has no such time; as in Connect no tolerance covers it.
fn invalid_timestamp(timestamp: i64) -> TaskFailure {
    TaskFailure::of(
        "org.apache.kafka.common.InvalidRecordException",
        format!("Invalid record timestamp {timestamp}"),
    )
}

/// Tells a record as Connect's error log does, without key, value and headers.
pub(crate) fn in_words(record: &RecordView<'_>, frame: &Frame<'_>) -> String {
    let or_null = |number: Option<i64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    format!(
        ", where source record is = SourceRecord{{sourcePartition={}, sourceOffset={}}} ConnectRecord{{topic='{}', kafkaPartition={}, timestamp={}}}",
        record
            .source_partition
            .and_then(|index| frame.table(index))
            .unwrap_or("null"),
        record.source_offset.map_or("null".into(), String::from_utf8_lossy),
        record.topic,
        or_null(record.partition.map(i64::from)),
        or_null(record.timestamp),
    )
}
