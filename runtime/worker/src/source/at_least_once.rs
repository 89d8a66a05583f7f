//! At-least-once delivery: frames are kept until acknowledged, offsets follow acknowledgements.
//!
//! Four verbs: a batch begins, its records are submitted, it was sent, what is acknowledged is
//! committed. Frames are kept, not their offsets copied: 8 bytes are noted for each record.
//! Writing the offsets is the loop's business, `source/task.rs`.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_api::frame::reader::{Frame, RecordView};

use crate::pipeline::convert::Span;
use crate::source::offsets::{OffsetPair, SourceOffsets};
use crate::source::submitted::{Committable, PartitionId, Submitted};

/// Bounds on what one task may have on its way. At the bound, polling waits for acknowledgements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlightLimits {
    pub bytes: usize,
    pub batches: usize,
}

impl Default for InFlightLimits {
    /// Some 100,000 records of 100 bytes, and no endless list of tiny batches.
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            batches: 10_000,
        }
    }
}

/// Records on their way and offsets that became committable.
#[derive(Debug)]
pub struct AtLeastOnce {
    submitted: Submitted,
    frames: VecDeque<Kept>,
    offsets: SourceOffsets,
    limits: InFlightLimits,
    kept_bytes: usize,
    /// Partition of each table entry of the open batch.
    partitions: Vec<Option<PartitionId>>,
    null_partition: Option<PartitionId>,
    committable: Vec<Committable>,
    spare: Vec<Kept>,
}

/// A frame whose records are not all acknowledged.
#[derive(Debug, Default)]
struct Kept {
    frame: Arc<Vec<u8>>,
    /// By record index; none = null offset, or a record that was dropped.
    offsets: Vec<Option<Span>>,
    /// By record index: its topic in `names`. Only filled when the guest wants acknowledgements.
    topics: Vec<u32>,
    names: Vec<String>,
}

/// Allocations kept for further batches.
const MAX_SPARE: usize = 8;

/// Where an acknowledged record was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckedRecord {
    pub batch: u64,
    pub index: u32,
}

impl AtLeastOnce {
    /// Starts with nothing on its way.
    pub fn new(limits: InFlightLimits) -> Self {
        Self {
            submitted: Submitted::default(),
            frames: VecDeque::new(),
            offsets: SourceOffsets::default(),
            limits,
            kept_bytes: 0,
            partitions: Vec::new(),
            null_partition: None,
            committable: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Opens a batch and returns the sequence number of its record 0; record `i` gets `+ i`.
    pub fn begin_batch(&mut self, bytes: &Arc<Vec<u8>>, frame: &Frame<'_>) -> u64 {
        self.partitions.clear();
        self.partitions.resize(frame.table_len() as usize, None);
        self.null_partition = None;
        self.kept_bytes += bytes.len();
        let mut kept = self.spare.pop().unwrap_or_default();
        kept.frame = Arc::clone(bytes);
        self.frames.push_back(kept);
        self.submitted.begin_batch(frame.record_count())
    }

    /// Registers a record that is about to be sent; records come in frame order.
    pub fn submitted(&mut self, record: &RecordView<'_>, frame: &Frame<'_>) {
        let offsets = &mut self.offsets;
        let known = match record.source_partition {
            None => Some(&mut self.null_partition),
            Some(index) => self.partitions.get_mut(index as usize),
        };
        let Some(known) = known else { return };
        let partition = *known
            .get_or_insert_with(|| offsets.partition_id(record.source_partition.and_then(|index| frame.table(index))));
        if let Some(kept) = self.frames.back_mut() {
            kept.offsets.resize(record.index as usize, None);
            let span = record.source_offset.map(|offset| Span::of(&kept.frame, offset));
            kept.offsets.push(span);
        }
        self.submitted.submit(record.index, partition);
    }

    /// Remembers the topic of a record, for guests that want acknowledgements.
    pub fn remember_topic(&mut self, record: &RecordView<'_>) {
        let Some(kept) = self.frames.back_mut() else { return };
        let known = kept.names.iter().position(|name| name == record.topic);
        let at = known.unwrap_or_else(|| {
            kept.names.push(record.topic.to_owned());
            kept.names.len() - 1
        });
        kept.topics.resize(record.index as usize, u32::MAX);
        kept.topics.push(at as u32);
    }

    /// Number of the batch begun last, from 0.
    pub fn open_batch(&self) -> u64 {
        (self.submitted.first_batch() + self.submitted.batches() as u64).saturating_sub(1)
    }

    /// Closes the batch: everything of it that will be sent was handed to the producer.
    pub fn batch_sent(&mut self) {
        self.submitted.seal();
    }

    /// Notes one acknowledgement.
    pub fn acked(&mut self, sequence: u64) {
        self.submitted.ack(sequence);
    }

    /// Finds the record of an acknowledgement.
    pub fn locate(&self, sequence: u64) -> Option<AckedRecord> {
        self.submitted
            .locate(sequence)
            .map(|(batch, index)| AckedRecord { batch, index })
    }

    /// Returns the remembered topic of a record whose batch is still kept.
    pub fn topic_of(&self, record: AckedRecord) -> Option<&str> {
        let at = record.batch.checked_sub(self.submitted.first_batch())?;
        let kept = self.frames.get(at as usize)?;
        let name = *kept.topics.get(record.index as usize)?;
        kept.names.get(name as usize).map(String::as_str)
    }

    /// Takes over what completed batches allow to commit and drops their frames.
    pub fn collect(&mut self) {
        self.submitted.take_completed(&mut self.committable);
        self.note_committable();
        for _ in 0..self.submitted.release() {
            let Some(mut kept) = self.frames.pop_front() else { break };
            self.kept_bytes -= kept.frame.len();
            if self.spare.len() < MAX_SPARE {
                kept.frame = Arc::default();
                kept.offsets.clear();
                kept.topics.clear();
                kept.names.clear();
                self.spare.push(kept);
            }
        }
        self.offsets.forget_idle(&self.submitted);
    }

    /// Takes every offset that may be committed now.
    pub fn commit(&mut self) -> Vec<OffsetPair> {
        self.collect();
        self.submitted.partial(&mut self.committable);
        self.note_committable();
        self.offsets.take()
    }

    /// Takes the offsets of everything submitted, acknowledged or not: they are written in one transaction with the records.
    pub fn dispatched(&mut self) -> Vec<OffsetPair> {
        self.collect();
        self.submitted.last_submitted(&mut self.committable);
        self.note_committable();
        self.offsets.take()
    }

    /// Puts back what could not be written.
    pub fn restore(&mut self, pairs: Vec<OffsetPair>) {
        self.offsets.restore(pairs);
    }

    /// Is true when no further batch may be polled.
    pub fn is_full(&self) -> bool {
        self.kept_bytes >= self.limits.bytes || self.frames.len() >= self.limits.batches
    }

    fn note_committable(&mut self) {
        let first = self.submitted.first_batch();
        for committable in self.committable.drain(..) {
            let kept = committable
                .batch
                .checked_sub(first)
                .and_then(|at| self.frames.get(at as usize));
            let Some(kept) = kept else { continue };
            let span = kept.offsets.get(committable.index as usize).copied().flatten();
            self.offsets
                .set(committable.partition, span.map(|span| span.get(&kept.frame)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_api::frame::reader::{Frame, FrameLimits};
    use weir_api::frame::slot::Slot;
    use weir_api::frame::writer::{FrameWriter, SourceParts};

    use super::{AtLeastOnce, InFlightLimits};

    /// A frame of records with (source partition, source offset).
    fn frame(records: &[(&str, &str)]) -> Arc<Vec<u8>> {
        let mut writer = FrameWriter::source();
        let topic = writer.intern("t");
        for (partition, offset) in records {
            let parts = SourceParts {
                topic,
                source_partition: Some(writer.intern(partition)),
                source_offset: Some(offset.as_bytes()),
                value: Slot::text("v"),
                ..SourceParts::default()
            };
            writer.source_record(&parts).unwrap();
        }
        Arc::new(writer.finish())
    }

    fn send(delivery: &mut AtLeastOnce, records: &[(&str, &str)]) -> u64 {
        let bytes = frame(records);
        let frame = Frame::parse(&bytes, &FrameLimits::default()).unwrap();
        let base = delivery.begin_batch(&bytes, &frame);
        for record in frame.records() {
            delivery.submitted(&record, &frame);
        }
        delivery.batch_sent();
        base
    }

    fn committed(delivery: &mut AtLeastOnce) -> Vec<(String, String)> {
        let mut pairs: Vec<_> = delivery
            .commit()
            .into_iter()
            .map(|(partition, offset)| (partition.unwrap(), offset.unwrap()))
            .collect();
        pairs.sort();
        pairs
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(partition, offset)| ((*partition).to_owned(), (*offset).to_owned()))
            .collect()
    }

    #[test]
    fn offsets_follow_acknowledgements_even_inside_a_batch() {
        let mut delivery = AtLeastOnce::new(InFlightLimits::default());
        let base = send(
            &mut delivery,
            &[("{\"a\":1}", "1"), ("{\"b\":1}", "7"), ("{\"a\":1}", "2")],
        );
        assert_eq!(committed(&mut delivery), []);
        delivery.acked(base);
        assert_eq!(committed(&mut delivery), pairs(&[("{\"a\":1}", "1")]));
        assert_eq!(committed(&mut delivery), [], "nothing new");
        delivery.acked(base + 2);
        delivery.acked(base + 1);
        assert_eq!(
            committed(&mut delivery),
            pairs(&[("{\"a\":1}", "2"), ("{\"b\":1}", "7")])
        );
    }

    #[test]
    fn frames_are_dropped_in_order_and_bound_polling() {
        let mut delivery = AtLeastOnce::new(InFlightLimits { bytes: 1, batches: 10 });
        assert!(!delivery.is_full());
        let first = send(&mut delivery, &[("{}", "1")]);
        let second = send(&mut delivery, &[("{}", "2")]);
        delivery.acked(second);
        delivery.collect();
        assert!(delivery.is_full());
        assert_eq!(committed(&mut delivery), []);
        delivery.acked(first);
        delivery.collect();
        assert!(!delivery.is_full());
        assert_eq!(committed(&mut delivery), pairs(&[("{}", "2")]));
    }

    #[test]
    fn dispatched_offsets_are_those_of_the_last_records_whether_acknowledged_or_not() {
        let mut delivery = AtLeastOnce::new(InFlightLimits::default());
        let sorted = |mut pairs: Vec<(Option<String>, Option<String>)>| {
            pairs.sort();
            pairs
                .into_iter()
                .map(|(left, right)| (left.unwrap(), right.unwrap()))
                .collect::<Vec<_>>()
        };
        let base = send(
            &mut delivery,
            &[("{\"a\":1}", "1"), ("{\"b\":1}", "7"), ("{\"a\":1}", "2")],
        );
        let next = send(&mut delivery, &[("{\"a\":1}", "3")]);
        delivery.acked(base + 1);
        let all = pairs(&[("{\"a\":1}", "3"), ("{\"b\":1}", "7")]);
        assert_eq!(sorted(delivery.dispatched()), all);
        for sequence in [base, base + 2, next] {
            delivery.acked(sequence);
        }
        drop(delivery.commit());
        assert_eq!(delivery.dispatched(), [], "a commit leaves nothing behind");
        assert_eq!(delivery.submitted.batches(), 0);
    }

    #[test]
    fn restored_offsets_are_offered_again() {
        let mut delivery = AtLeastOnce::new(InFlightLimits::default());
        let base = send(&mut delivery, &[("{}", "1")]);
        delivery.acked(base);
        let failed = delivery.commit();
        delivery.restore(failed);
        assert_eq!(committed(&mut delivery), pairs(&[("{}", "1")]));
    }
}
