//! The way of a source's records from a poll to the producer.
//!
//! Transforms, converts and sends one frame; what the broker answers is taken in `acknowledging.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::{Frame, RecordView, Records};

use crate::error::TaskFailure;
use crate::pipeline::convert::{ConvertError, Outgoing};
use crate::pipeline::report::{FailedRecord, Failing};
use crate::pipeline::tolerance::Verdict;
use crate::pipeline::transform::parse_own;
use crate::source::send::Slice;
use crate::source::task::{SourceTask, Work};

/// Records converted and handed to the producer at a time: what fits the cache.
const SLICE_RECORDS: usize = 512;
const SLICE_WRITTEN_BYTES: usize = 1024 * 1024;
/// Wait after a retriable failure to send.
const SEND_BACKOFF: Duration = Duration::from_millis(100);

impl SourceTask {
    /// Sends one frame; answers how many records it held.
    pub(super) async fn deliver(&mut self, bytes: Arc<Vec<u8>>, work: &mut Work) -> Result<u32, TaskFailure> {
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Converted {
    /// A slice is full; more records follow.
    Some,
    /// A transaction may end after the last record, whose flags these are; more may follow.
    UpTo(u16),
    All,
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
