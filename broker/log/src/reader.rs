//! Reading a partition without its lock
//!
//! Readers hold one [`LogReader`] for the life of the log. Offsets are atomics
//! and the segment list is an immutable snapshot the writer replaces, so a fetch
//! waits for nobody: from the tail it clones shared buffers, from older data it
//! makes one positioned read. How far a consumer may see is passed in.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use weir_protocol::records::batch::{BatchHeader, BatchIter, BatchView, TimestampType};
use weir_protocol::records::compression::{Codec, decompress_into, decompression_cap};
use weir_protocol::records::record::RecordWalker;

use crate::aborted::AbortedTransaction;
use crate::error::LogError;
use crate::segment::{Segment, SegmentRead};
use crate::tail_cache::{CacheRead, TailBudget, TailCache};

/// Bounds of a read.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Batches reaching this offset are not given: the high watermark or LSO.
    pub end_offset: i64,
    /// Most bytes.
    pub max_bytes: usize,
    /// Whether the first batch is given whatever its size (KIP-74).
    pub at_least_one: bool,
}

/// Whole batches.
#[derive(Debug, Clone, Default)]
pub struct ReadResult {
    /// Batches in order; a piece may hold several.
    pub pieces: Vec<Bytes>,
    /// Bytes of all pieces.
    pub bytes: usize,
    /// Offset after the last batch; the offset asked for when there is none.
    pub next_offset: i64,
}

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampedOffset {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: i64,
    /// Leader epoch it was written in.
    pub leader_epoch: i32,
}

/// Shared view of one partition's log.
#[derive(Debug)]
pub struct LogReader {
    // Invariant: never empty, base offsets rise, the last is the active one.
    segments: ArcSwap<Vec<Arc<Segment>>>,
    pub(crate) cache: TailCache,
    log_start: AtomicI64,
    log_end: AtomicI64,
    flushed: AtomicI64,
    // i64::MAX while no transaction is open.
    first_unstable: AtomicI64,
    is_offline: AtomicBool,
}

impl LogReader {
    pub(crate) fn new(segments: Vec<Arc<Segment>>, budget: Arc<TailBudget>) -> Self {
        Self {
            segments: ArcSwap::from_pointee(segments),
            cache: TailCache::new(budget),
            log_start: AtomicI64::new(0),
            log_end: AtomicI64::new(0),
            flushed: AtomicI64::new(0),
            first_unstable: AtomicI64::new(i64::MAX),
            is_offline: AtomicBool::new(false),
        }
    }

    pub(crate) fn publish(&self, segments: Vec<Arc<Segment>>) {
        self.segments.store(Arc::new(segments));
    }

    pub(crate) fn set_log_start(&self, offset: i64) {
        self.log_start.store(offset, Ordering::Release);
    }

    pub(crate) fn set_log_end(&self, offset: i64) {
        self.log_end.store(offset, Ordering::Release);
    }

    pub(crate) fn set_flushed(&self, offset: i64) {
        self.flushed.fetch_max(offset, Ordering::Release);
    }

    /// Comes after the entries of what was aborted and before the log end.
    pub(crate) fn set_first_unstable(&self, offset: Option<i64>) {
        self.first_unstable.store(offset.unwrap_or(i64::MAX), Ordering::Release);
    }

    pub(crate) fn set_offline(&self) {
        self.is_offline.store(true, Ordering::Release);
    }

    /// Returns the first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start.load(Ordering::Acquire)
    }

    /// Returns the offset the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.log_end.load(Ordering::Acquire)
    }

    /// Returns the offset below which everything is durable.
    pub fn flushed_offset(&self) -> i64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Returns how far a reader of committed records may read, given how far others may.
    ///
    /// The bound must have been read before: the open transactions are looked up after it, so
    /// every undecided record below it is seen. A marker counts once it is written: it is only
    /// written after the decision it tells is durable, and is written again if it is lost.
    pub fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        let unstable = self.first_unstable.load(Ordering::Acquire).max(self.log_start_offset());
        high_watermark.min(unstable)
    }

    /// Returns the aborted transactions with records between two offsets, by first offset.
    pub fn aborted_between(&self, from: i64, end: i64) -> Vec<AbortedTransaction> {
        let segments = self.segments.load();
        let mut found: Vec<AbortedTransaction> = Vec::new();
        // A marker lies behind the records it ends.
        for segment in segments.iter().skip(index_of(&segments, from)) {
            let is_complete = segment.with_aborted(|aborted| {
                let rest = aborted.partition_point(|one| one.last_offset < from);
                let rest = aborted.get(rest..).unwrap_or_default();
                found.extend(rest.iter().filter(|one| one.first_offset < end));
                rest.iter().any(|one| one.last_stable_offset >= end)
            });
            if is_complete {
                break;
            }
        }
        found.sort_unstable_by_key(|one| (one.first_offset, one.last_offset));
        found.dedup();
        found
    }

    /// Returns whether the log stopped for good.
    pub fn is_offline(&self) -> bool {
        self.is_offline.load(Ordering::Acquire)
    }

    /// Returns the bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size()).sum()
    }

    /// Reads whole batches from the one that holds `offset`.
    ///
    /// # Errors
    /// [`LogError::OffsetOutOfRange`]; [`LogError::Offline`]; disk errors.
    pub fn read(&self, offset: i64, limits: ReadLimits) -> Result<ReadResult, LogError> {
        self.check_online()?;
        self.check_range(offset)?;
        let mut result = ReadResult {
            next_offset: offset,
            ..ReadResult::default()
        };
        let end = limits.end_offset.min(self.log_end_offset());
        if offset >= end {
            return Ok(result);
        }
        let ReadLimits {
            max_bytes,
            at_least_one,
            ..
        } = limits;
        let from_cache = CacheRead {
            from: offset,
            end,
            max_bytes,
            at_least_one,
        };
        if let Some(next_offset) = self.cache.read(from_cache, &mut result.pieces) {
            result.bytes = result.pieces.iter().map(Bytes::len).sum();
            result.next_offset = next_offset;
            return Ok(result);
        }
        let read = SegmentRead {
            from: offset,
            end,
            max_bytes,
            at_least_one,
        };
        if let Some(batches) = self.read_segments(read)?.filter(|batches| !batches.bytes.is_empty()) {
            result.bytes = batches.bytes.len();
            result.next_offset = batches.next_offset;
            result.pieces.push(batches.bytes);
        }
        Ok(result)
    }

    fn read_segments(&self, read: SegmentRead) -> Result<Option<crate::segment::Batches>, LogError> {
        let segments = self.segments.load();
        // Compaction may leave a segment without batches at its end; the batch
        // wanted is then the first of a later segment.
        for segment in segments.iter().skip(index_of(&segments, read.from)) {
            match segment.read(read) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => return Err(self.explain(error, segment, read.from)),
            }
        }
        Ok(None)
    }

    /// A file that is gone because its segment was just dropped is no disk error.
    fn explain(&self, error: LogError, segment: &Arc<Segment>, offset: i64) -> LogError {
        let is_missing = matches!(&error, LogError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
        let is_current = self.segments.load().iter().any(|current| Arc::ptr_eq(current, segment));
        if is_missing && !is_current {
            self.out_of_range(offset)
        } else {
            error
        }
    }

    fn check_online(&self) -> Result<(), LogError> {
        if self.is_offline() {
            return Err(LogError::Offline {
                reason: "an earlier disk failure".to_owned(),
            });
        }
        Ok(())
    }

    fn check_range(&self, offset: i64) -> Result<(), LogError> {
        if offset < self.log_start_offset() || offset > self.log_end_offset() {
            return Err(self.out_of_range(offset));
        }
        Ok(())
    }

    fn out_of_range(&self, offset: i64) -> LogError {
        LogError::OffsetOutOfRange {
            offset,
            start: self.log_start_offset(),
            end: self.log_end_offset(),
        }
    }

    /// Counts the bytes between two offsets without reading; `None` when they are
    /// not all at the cached tail, which means "more than a consumer waits for".
    pub fn tail_bytes_between(&self, from: i64, end: i64) -> Option<usize> {
        if from >= end {
            return Some(0);
        }
        self.cache.bytes_between(from, end)
    }

    /// Finds the first record, by offset, that is not older than `timestamp`.
    ///
    /// # Errors
    /// [`LogError::Offline`]; disk errors; a batch that cannot be decompressed.
    pub fn offset_for_timestamp(&self, timestamp: i64, end_offset: i64) -> Result<Option<TimestampedOffset>, LogError> {
        self.check_online()?;
        let segments = self.segments.load_full();
        for segment in segments.iter() {
            let largest = segment.largest_timestamp()?;
            if largest.is_none_or(|(largest, _)| largest < timestamp) {
                continue;
            }
            let from = segment.offset_before(timestamp)?;
            let wanted = |record: &TimestampedOffset| record.timestamp >= timestamp;
            let range = (from, end_offset);
            if let Some(found) = self.find_in(segment, range, timestamp, &wanted)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Finds the record with the largest timestamp, the first of several.
    ///
    /// # Errors
    /// As [`LogReader::offset_for_timestamp`].
    pub fn max_timestamp(&self, end_offset: i64) -> Result<Option<TimestampedOffset>, LogError> {
        self.check_online()?;
        let segments = self.segments.load_full();
        let mut best: Option<TimestampedOffset> = None;
        for segment in segments.iter().filter(|segment| segment.base_offset < end_offset) {
            let Some((largest, at)) = segment.largest_timestamp()? else {
                continue;
            };
            if best.is_some_and(|best| best.timestamp >= largest) {
                continue;
            }
            // The remembered record may be hidden still, or deleted since; then
            // the segment is searched for the best visible one.
            let is_visible = at < end_offset && at >= self.log_start_offset();
            let threshold = if is_visible { largest } else { i64::MIN };
            let from = if is_visible { at } else { segment.base_offset };
            let candidate = self.best_in(segment, (from, end_offset), threshold)?;
            if let Some(found) = candidate
                && best.is_none_or(|best| found.timestamp > best.timestamp)
            {
                best = Some(found);
            }
        }
        Ok(best)
    }

    fn best_in(
        &self,
        segment: &Segment,
        range: (i64, i64),
        threshold: i64,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        let best = std::cell::Cell::new(None::<TimestampedOffset>);
        let keep_best = |record: &TimestampedOffset| {
            if best.get().is_none_or(|best| record.timestamp > best.timestamp) {
                best.set(Some(*record));
            }
            // Nothing in the segment is later than the threshold of a visible record.
            threshold != i64::MIN && record.timestamp >= threshold
        };
        self.find_in(segment, range, threshold, &keep_best)?;
        Ok(best.get())
    }

    /// Looks inside batches of a segment for the first record that is `wanted`.
    fn find_in(
        &self,
        segment: &Segment,
        (mut from, end): (i64, i64),
        min_timestamp: i64,
        wanted: &dyn Fn(&TimestampedOffset) -> bool,
    ) -> Result<Option<TimestampedOffset>, LogError> {
        const BYTES: usize = 256 << 10;
        let start = self.log_start_offset();
        let end = end.min(self.log_end_offset());
        loop {
            let read = SegmentRead {
                from,
                end,
                max_bytes: BYTES,
                at_least_one: true,
            };
            let Some(batches) = segment.read(read)?.filter(|batches| !batches.bytes.is_empty()) else {
                return Ok(None);
            };
            for batch in BatchIter::new(&batches.bytes) {
                let batch = batch?;
                if batch.header.max_timestamp < min_timestamp || batch.header.attributes.is_control() {
                    continue;
                }
                if let Some(found) = find_record(&batch, start, wanted)? {
                    return Ok(Some(found));
                }
            }
            from = batches.next_offset;
        }
    }
}

fn index_of(segments: &[Arc<Segment>], offset: i64) -> usize {
    segments
        .partition_point(|segment| segment.base_offset <= offset)
        .saturating_sub(1)
}

fn find_record(
    batch: &BatchView<'_>,
    log_start: i64,
    wanted: &dyn Fn(&TimestampedOffset) -> bool,
) -> Result<Option<TimestampedOffset>, LogError> {
    let header: &BatchHeader = &batch.header;
    let mut block = Vec::new();
    let codec = header.attributes.codec()?;
    let records = if codec == Codec::None || header.records_count == 0 {
        batch.records()
    } else {
        decompress_into(
            codec,
            batch.records(),
            decompression_cap(batch.records().len()),
            &mut block,
        )?;
        &block
    };
    for record in RecordWalker::new(records, header.records_count) {
        let record = record?;
        let timestamp = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp.wrapping_add(record.timestamp_delta),
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let offset = header.base_offset + i64::from(record.offset_delta);
        let found = TimestampedOffset {
            offset,
            timestamp,
            leader_epoch: header.partition_leader_epoch,
        };
        if offset >= log_start && wanted(&found) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns the name of a partition's directory, for messages.
pub(crate) fn dir_name(dir: &Path) -> &str {
    dir.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
