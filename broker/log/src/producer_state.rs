//! What a partition knows of its idempotent producers
//!
//! Per producer id: epoch and the last five batches, so that a repeated batch is
//! answered with its old offset and a gap is refused (broker spec D.4). Saved to
//! `<offset>.snapshot` when a segment is sealed and when the log closes; what
//! came later is replayed from batch headers.
//! Source: Kafka's `ProducerStateManager` and its snapshot format v1.

use std::collections::HashMap;

use weir_protocol::primitives::Reader;
use weir_protocol::records::batch::{BatchHeader, add_sequence};

use crate::error::LogError;

/// Batches remembered per producer: as many as a client keeps in flight.
pub const REMEMBERED_BATCHES: usize = 5;

const SNAPSHOT_VERSION: i16 = 1;
const NO_SEQUENCE: i32 = -1;

/// A batch a producer wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducedBatch {
    /// Sequence of its last record.
    pub last_sequence: i32,
    /// Offset of its last record.
    pub last_offset: i64,
    /// Distance from first to last record, in offsets and in sequences.
    pub offset_delta: i32,
    /// Its largest timestamp, or the append time.
    pub timestamp: i64,
}

impl ProducedBatch {
    fn of(header: &BatchHeader) -> Self {
        Self {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        }
    }

    /// Returns the offset of the first record.
    pub fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }

    fn first_sequence(&self) -> i32 {
        // One below zero wraps to the largest sequence, as adding wraps back.
        add_sequence(self.last_sequence, self.offset_delta.wrapping_neg())
    }
}

/// State of one producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerEntry {
    /// Its epoch.
    pub epoch: i16,
    /// Its newest batches, oldest first.
    batches: Vec<ProducedBatch>,
    /// Largest timestamp it wrote.
    pub last_timestamp: i64,
    // Broker's clock at its last append. Not its timestamps: a producer that
    // loads old records would be forgotten at once. None until first looked at
    // after a restart.
    seen_ms: Option<i64>,
}

/// What to do with an incoming batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    Append,
    /// It is there already; answer with the old offsets.
    Duplicate(ProducedBatch),
}

/// All producers of a partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ProducerState {
    producers: HashMap<i64, ProducerEntry>,
}

impl ProducerState {
    /// Judges a batch by its header as the producer sent it.
    ///
    /// # Errors
    /// [`LogError::ProducerEpoch`] for an old epoch, [`LogError::OutOfOrderSequence`]
    /// for a gap, a repetition older than five batches, or a new epoch that does
    /// not start at 0. An unknown producer may start anywhere: its state may have
    /// expired, and clients rely on being let in.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, LogError> {
        if !header.has_producer() {
            return Ok(Verdict::Append);
        }
        let Some(entry) = self.producers.get(&header.producer_id) else {
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < entry.epoch {
            return Err(LogError::ProducerEpoch {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                current: entry.epoch,
            });
        }
        let last = entry.batches.last();
        let expected = if header.producer_epoch > entry.epoch {
            0
        } else {
            if let Some(old) = entry.find(header) {
                return Ok(Verdict::Duplicate(old));
            }
            match last {
                Some(last) if last.last_sequence != NO_SEQUENCE => add_sequence(last.last_sequence, 1),
                _ => return Ok(Verdict::Append),
            }
        };
        if header.base_sequence == expected {
            return Ok(Verdict::Append);
        }
        Err(LogError::OutOfOrderSequence {
            producer_id: header.producer_id,
            sequence: header.base_sequence,
            expected,
        })
    }

    /// Takes in a batch that is in the log, offsets stamped; `now_ms` is none when
    /// it is replayed.
    pub fn update(&mut self, header: &BatchHeader, now_ms: Option<i64>) {
        if !header.has_producer() {
            return;
        }
        let batch = ProducedBatch::of(header);
        let entry = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(|| ProducerEntry {
                epoch: header.producer_epoch,
                batches: Vec::new(),
                last_timestamp: batch.timestamp,
                seen_ms: None,
            });
        entry.seen_ms = now_ms.or(entry.seen_ms);
        if header.attributes.is_control() {
            entry.push_marker(header.producer_epoch, batch.timestamp);
        } else {
            entry.push(header.producer_epoch, batch);
        }
    }

    /// Returns a copy of a producer's state, to put back when a write fails.
    pub(crate) fn get(&self, producer_id: i64) -> Option<ProducerEntry> {
        self.producers.get(&producer_id).cloned()
    }

    /// Puts a saved state back.
    pub(crate) fn restore(&mut self, producer_id: i64, entry: Option<ProducerEntry>) {
        match entry {
            Some(entry) => self.producers.insert(producer_id, entry),
            None => self.producers.remove(&producer_id),
        };
    }

    /// Forgets producers that wrote nothing for `max_idle_ms`.
    pub(crate) fn expire(&mut self, now_ms: i64, max_idle_ms: i64) {
        self.producers.retain(|_, entry| {
            let seen_ms = *entry.seen_ms.get_or_insert(now_ms);
            now_ms.saturating_sub(seen_ms) < max_idle_ms
        });
    }

    /// Returns the newest batch of each producer, which compaction must keep.
    pub(crate) fn last_offsets(&self) -> HashMap<i64, i64> {
        let newest = self
            .producers
            .iter()
            .filter_map(|(id, entry)| entry.batches.last().map(|batch| (*id, batch.last_offset)));
        newest.collect()
    }

    /// Returns whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Returns every producer and its state, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &ProducerEntry)> {
        self.producers.iter().map(|(id, entry)| (*id, entry))
    }

    /// Writes the state in Kafka's snapshot format. A producer takes one row per
    /// remembered batch, oldest first: Kafka, which keeps one, reads the last row.
    pub(crate) fn encode_snapshot(&self) -> Vec<u8> {
        let mut rows = Vec::new();
        let mut count = 0i32;
        let mut ids: Vec<_> = self.producers.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(entry) = self.producers.get(&id) else {
                continue;
            };
            let marker_only = ProducedBatch {
                last_sequence: NO_SEQUENCE,
                last_offset: -1,
                offset_delta: 0,
                timestamp: entry.last_timestamp,
            };
            let batches = if entry.batches.is_empty() {
                std::slice::from_ref(&marker_only)
            } else {
                &entry.batches
            };
            for batch in batches {
                rows.extend_from_slice(&id.to_be_bytes());
                rows.extend_from_slice(&entry.epoch.to_be_bytes());
                rows.extend_from_slice(&batch.last_sequence.to_be_bytes());
                rows.extend_from_slice(&batch.last_offset.to_be_bytes());
                rows.extend_from_slice(&batch.offset_delta.to_be_bytes());
                rows.extend_from_slice(&batch.timestamp.to_be_bytes());
                rows.extend_from_slice(&(-1i32).to_be_bytes());
                rows.extend_from_slice(&(-1i64).to_be_bytes());
                count = count.saturating_add(1);
            }
        }
        let mut body = count.to_be_bytes().to_vec();
        body.append(&mut rows);
        let mut out = SNAPSHOT_VERSION.to_be_bytes().to_vec();
        out.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        out.append(&mut body);
        out
    }

    /// Reads a snapshot; `None` when it is torn or of another version.
    pub(crate) fn decode_snapshot(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.i16()? != SNAPSHOT_VERSION || reader.u32()? != crc32c::crc32c(reader.rest()) {
            return None;
        }
        let mut state = Self::default();
        for _ in 0..reader.i32()? {
            let id = reader.i64()?;
            let epoch = reader.i16()?;
            let batch = ProducedBatch {
                last_sequence: reader.i32()?,
                last_offset: reader.i64()?,
                offset_delta: reader.i32()?,
                timestamp: reader.i64()?,
            };
            let _coordinator_epoch = reader.i32()?;
            let _transaction_first_offset = reader.i64()?;
            let entry = state.producers.entry(id).or_insert_with(|| ProducerEntry {
                epoch,
                batches: Vec::new(),
                last_timestamp: batch.timestamp,
                seen_ms: None,
            });
            if batch.last_sequence != NO_SEQUENCE {
                entry.push(epoch, batch);
            }
        }
        Some(state)
    }
}

impl ProducerEntry {
    /// A marker may carry a newer epoch; it has no sequence of its own.
    fn push_marker(&mut self, epoch: i16, timestamp: i64) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
        self.last_timestamp = self.last_timestamp.max(timestamp);
    }

    fn push(&mut self, epoch: i16, batch: ProducedBatch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
        if self.batches.len() == REMEMBERED_BATCHES {
            self.batches.remove(0);
        }
        self.batches.push(batch);
        self.last_timestamp = self.last_timestamp.max(batch.timestamp);
    }

    fn find(&self, header: &BatchHeader) -> Option<ProducedBatch> {
        let last_sequence = header.last_sequence();
        self.batches
            .iter()
            .find(|old| old.last_sequence == last_sequence && old.first_sequence() == header.base_sequence)
            .copied()
    }

    /// Returns the remembered batches, oldest first.
    pub fn batches(&self) -> &[ProducedBatch] {
        &self.batches
    }
}

#[cfg(test)]
mod tests {
    use weir_protocol::records::batch::Attributes;

    use super::*;

    fn header(epoch: i16, base_sequence: i32, count: i32, base_offset: i64) -> BatchHeader {
        BatchHeader {
            base_offset,
            batch_length: 49,
            partition_leader_epoch: 0,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: base_offset,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence,
            records_count: count,
        }
    }

    fn state(batches: &[(i16, i32, i32)]) -> ProducerState {
        let mut state = ProducerState::default();
        let mut offset = 100;
        for (epoch, sequence, count) in batches {
            state.update(&header(*epoch, *sequence, *count, offset), None);
            offset += i64::from(*count);
        }
        state
    }

    #[derive(Debug, PartialEq)]
    enum Answer {
        Append,
        Duplicate(i64),
        Epoch,
        Expected(i32),
    }

    fn judge(state: &ProducerState, epoch: i16, sequence: i32, count: i32) -> Answer {
        match state.check(&header(epoch, sequence, count, 0)) {
            Ok(Verdict::Append) => Answer::Append,
            Ok(Verdict::Duplicate(old)) => Answer::Duplicate(old.base_offset()),
            Err(LogError::OutOfOrderSequence { expected, .. }) => Answer::Expected(expected),
            Err(LogError::ProducerEpoch { .. }) => Answer::Epoch,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn rules_of_spec_d4() {
        let seven: Vec<_> = (0..7).map(|at| (1, at * 2, 2)).collect();
        let known = state(&seven);
        for (name, answer, expected) in [
            ("successor", judge(&known, 1, 14, 3), Answer::Append),
            ("newest again", judge(&known, 1, 12, 2), Answer::Duplicate(112)),
            ("fifth newest again", judge(&known, 1, 4, 2), Answer::Duplicate(104)),
            ("sixth newest again", judge(&known, 1, 2, 2), Answer::Expected(14)),
            (
                "same start, other length",
                judge(&known, 1, 12, 1),
                Answer::Expected(14),
            ),
            ("gap", judge(&known, 1, 15, 1), Answer::Expected(14)),
            ("old epoch", judge(&known, 0, 14, 1), Answer::Epoch),
            ("new epoch at 0", judge(&known, 2, 0, 1), Answer::Append),
            ("new epoch elsewhere", judge(&known, 2, 14, 1), Answer::Expected(0)),
            (
                "unknown producer",
                judge(&ProducerState::default(), 3, 999, 1),
                Answer::Append,
            ),
        ] {
            assert_eq!(answer, expected, "{name}");
        }
    }

    #[test]
    fn sequences_wrap_and_repeat_across_the_wrap() {
        let known = state(&[(0, i32::MAX - 1, 4)]);
        assert_eq!(judge(&known, 0, 2, 1), Answer::Append);
        assert_eq!(judge(&known, 0, i32::MAX - 1, 4), Answer::Duplicate(100));
    }

    #[test]
    fn a_producer_with_only_a_marker_may_start_anywhere() {
        let mut marker = header(4, -1, 1, 50);
        marker.attributes = Attributes(0x30);
        let mut known = ProducerState::default();
        known.update(&marker, None);
        assert_eq!(judge(&known, 4, 33, 1), Answer::Append);
        assert_eq!(judge(&known, 3, 33, 1), Answer::Epoch);
    }

    #[test]
    fn snapshots_keep_all_five_batches() {
        let known = state(&[(1, 0, 2), (1, 2, 2), (1, 4, 1), (1, 5, 1), (1, 6, 3), (1, 9, 1)]);
        let bytes = known.encode_snapshot();
        assert_eq!(bytes.len(), 2 + 4 + 4 + 5 * 46);
        assert_eq!(ProducerState::decode_snapshot(&bytes), Some(known));
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            assert_eq!(ProducerState::decode_snapshot(&torn), None, "byte {at}");
            assert_eq!(ProducerState::decode_snapshot(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn idle_producers_expire() {
        let mut known = state(&[(0, 0, 1)]);
        // The clock starts at the first look, not at the record's own time.
        known.expire(1_000_000, 50);
        known.expire(1_000_049, 50);
        assert_eq!(known.iter().count(), 1);
        known.expire(1_000_050, 50);
        assert_eq!(known.iter().count(), 0);
    }
}
