//! What a partition knows of its idempotent and transactional producers
//!
//! Per producer id: epoch and the last five batches, so that a repeated batch is
//! answered with its old offset and a gap is refused (broker spec D.4), and the
//! open transaction, whose first offset bounds what is stable. Saved to
//! `<offset>.snapshot` when a segment is sealed and when the log closes; what
//! came later is replayed from batch headers.
//! Source: Kafka's `ProducerStateManager` and its snapshot format v1.

use std::collections::{BTreeMap, HashMap};

use weir_protocol::primitives::Reader;
use weir_protocol::records::batch::{BatchHeader, add_sequence};
use weir_protocol::records::control::Marker;

use crate::aborted::{AbortedTransaction, TransactionEnd};
use crate::error::LogError;

/// Batches remembered per producer: as many as a client keeps in flight.
pub const REMEMBERED_BATCHES: usize = 5;

const SNAPSHOT_VERSION: i16 = 1;
const NO_SEQUENCE: i32 = -1;
const NO_COORDINATOR_EPOCH: i32 = -1;
const NO_TRANSACTION: i64 = -1;

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
    /// Epoch of the coordinator that ended its last transaction here, −1 for none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub transaction_first_offset: Option<i64>,
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
    // Invariant: the open transactions of `producers`, by their first offset.
    open: BTreeMap<i64, i64>,
}

impl ProducerState {
    /// Judges a batch by its header as the producer sent it. Whether the partition
    /// belongs to a producer's transaction is the coordinator's to say, before.
    ///
    /// # Errors
    /// [`LogError::ProducerEpoch`] for an old epoch, [`LogError::TransactionState`]
    /// for a plain batch in the middle of the producer's own transaction,
    /// [`LogError::OutOfOrderSequence`]
    /// for a gap, a repetition older than five batches, or a new epoch that does
    /// not start at 0. An unknown producer may start anywhere: its state may have
    /// expired, and clients rely on being let in. So may a coordinator, whose
    /// batches have no sequence.
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
        if entry.transaction_first_offset.is_some() && !header.attributes.is_transactional() {
            return Err(LogError::TransactionState {
                producer_id: header.producer_id,
                reason: "a transaction is open and the batch is not part of it",
            });
        }
        if header.base_sequence == NO_SEQUENCE {
            return Ok(Verdict::Append);
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

    /// Judges a marker.
    ///
    /// # Errors
    /// [`LogError::CoordinatorFenced`] and [`LogError::ProducerEpoch`] for one of an
    /// earlier coordinator or producer.
    pub fn check_end(&self, header: &BatchHeader, end: TransactionEnd) -> Result<(), LogError> {
        let Some(entry) = self.producers.get(&header.producer_id) else {
            return Ok(());
        };
        if end.coordinator_epoch < entry.coordinator_epoch {
            return Err(LogError::CoordinatorFenced {
                producer_id: header.producer_id,
                epoch: end.coordinator_epoch,
                current: entry.coordinator_epoch,
            });
        }
        if header.producer_epoch < entry.epoch {
            return Err(LogError::ProducerEpoch {
                producer_id: header.producer_id,
                epoch: header.producer_epoch,
                current: entry.epoch,
            });
        }
        Ok(())
    }

    /// Takes in a batch of records that is in the log, offsets stamped; `now_ms` is
    /// none when it is replayed.
    pub fn update(&mut self, header: &BatchHeader, now_ms: Option<i64>) {
        if !header.has_producer() {
            return;
        }
        let entry = Self::entry(&mut self.producers, header, now_ms);
        let batch = ProducedBatch::of(header);
        if header.base_sequence == NO_SEQUENCE {
            entry.push_epoch(header.producer_epoch, batch.timestamp);
        } else {
            entry.push(header.producer_epoch, batch);
        }
        if header.attributes.is_transactional() && entry.transaction_first_offset.is_none() {
            entry.transaction_first_offset = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// Takes in a marker that is in the log; answers the transaction it aborted, if
    /// that had records here.
    pub fn end(
        &mut self,
        header: &BatchHeader,
        end: TransactionEnd,
        now_ms: Option<i64>,
    ) -> Option<AbortedTransaction> {
        let entry = Self::entry(&mut self.producers, header, now_ms);
        entry.push_epoch(header.producer_epoch, header.max_timestamp);
        entry.coordinator_epoch = end.coordinator_epoch;
        let first_offset = entry.transaction_first_offset.take()?;
        self.open.remove(&first_offset);
        (end.marker == Marker::Abort).then(|| AbortedTransaction {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.last_offset(),
            last_stable_offset: self.first_unstable_offset().unwrap_or(header.next_offset()),
        })
    }

    fn entry<'a>(
        producers: &'a mut HashMap<i64, ProducerEntry>,
        header: &BatchHeader,
        now_ms: Option<i64>,
    ) -> &'a mut ProducerEntry {
        let entry = producers
            .entry(header.producer_id)
            .or_insert_with(|| ProducerEntry::new(header.producer_epoch, header.max_timestamp));
        entry.seen_ms = now_ms.or(entry.seen_ms);
        entry
    }

    /// Returns where the oldest open transaction begins.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        self.open.first_key_value().map(|(first_offset, _)| *first_offset)
    }

    /// Returns a copy of a producer's state, to put back when a write fails.
    pub(crate) fn get(&self, producer_id: i64) -> Option<ProducerEntry> {
        self.producers.get(&producer_id).cloned()
    }

    /// Puts a saved state back.
    pub(crate) fn restore(&mut self, producer_id: i64, entry: Option<ProducerEntry>) {
        let before = entry.as_ref().and_then(|entry| entry.transaction_first_offset);
        let replaced = match entry {
            Some(entry) => self.producers.insert(producer_id, entry),
            None => self.producers.remove(&producer_id),
        };
        if let Some(first_offset) = replaced.and_then(|entry| entry.transaction_first_offset) {
            self.open.remove(&first_offset);
        }
        if let Some(first_offset) = before {
            self.open.insert(first_offset, producer_id);
        }
    }

    /// Forgets producers that wrote nothing for `max_idle_ms` and have no open
    /// transaction.
    pub(crate) fn expire(&mut self, now_ms: i64, max_idle_ms: i64) {
        self.producers.retain(|_, entry| {
            let seen_ms = *entry.seen_ms.get_or_insert(now_ms);
            entry.transaction_first_offset.is_some() || now_ms.saturating_sub(seen_ms) < max_idle_ms
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
                rows.extend_from_slice(&entry.coordinator_epoch.to_be_bytes());
                let first_offset = entry.transaction_first_offset.unwrap_or(NO_TRANSACTION);
                rows.extend_from_slice(&first_offset.to_be_bytes());
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
            let coordinator_epoch = reader.i32()?;
            let first_offset = Some(reader.i64()?).filter(|offset| *offset >= 0);
            let entry = state
                .producers
                .entry(id)
                .or_insert_with(|| ProducerEntry::new(epoch, batch.timestamp));
            entry.coordinator_epoch = coordinator_epoch;
            entry.transaction_first_offset = first_offset;
            state.open.extend(first_offset.map(|offset| (offset, id)));
            if batch.last_sequence != NO_SEQUENCE {
                entry.push(epoch, batch);
            }
        }
        Some(state)
    }
}

impl ProducerEntry {
    fn new(epoch: i16, timestamp: i64) -> Self {
        Self {
            epoch,
            batches: Vec::new(),
            last_timestamp: timestamp,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            transaction_first_offset: None,
            seen_ms: None,
        }
    }

    /// A marker, or a coordinator's batch, may carry a newer epoch; it has no
    /// sequence of its own.
    fn push_epoch(&mut self, epoch: i16, timestamp: i64) {
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
mod tests;
