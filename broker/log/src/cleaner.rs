//! Compaction: the last record of every key stays
//!
//! Three steps, so that a log is locked only for the short ones: plan (which
//! segments), run (reads sealed segments, writes and syncs `.cleaned` files, no
//! lock needed), finish (swaps files and the segment list). Offsets never change.
//! The last batch of a rewritten group always stays, emptied if need be, so a
//! segment ends where it ended before. Nothing from the first open transaction on
//! is touched; records of aborted ones go, markers when nothing of theirs is left
//! and their delete horizon has passed (`transaction_walk`). Source: Kafka's `LogCleaner`, KIP-534.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{info, warn};
use weir_protocol::error::ProtocolError;
use weir_protocol::records::batch::{BatchHeader, BatchView, TimestampType};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::compression::{Codec, decompress_into, decompression_cap};
use weir_protocol::records::record::{RecordView, RecordWalker};

use crate::aborted::{self, AbortedTransaction};
use crate::error::LogError;
use crate::io::{DiskFile, OpenMode, append_all, remove_if_there, replace_file, write_file};
use crate::partition::Partition;
use crate::reader::dir_name;
use crate::recovery::Place;
use crate::segment::{ActiveIndexes, LOG, OFFSET_INDEX, Segment, TIME_INDEX, TRANSACTION_INDEX, Walked, file_path};
use crate::transaction_walk::{Aborted, TransactionWalk};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// A cleaning that is worth doing.
#[derive(Debug)]
pub struct CleanJob {
    place: Place,
    // Sealed segments from the first one on, and the offset after each.
    inputs: Vec<(Arc<Segment>, i64)>,
    first_dirty: i64,
    rules: Rules,
    segment_bytes: u64,
    interval_bytes: u64,
    max_keys: usize,
}

#[derive(Debug)]
struct Rules {
    now_ms: i64,
    delete_retention_ms: i64,
    // Newest batch of each producer: it carries the sequence state.
    last_offsets: HashMap<i64, i64>,
    aborted: Aborted,
}

/// What a cleaning wrote, not yet part of the log.
#[derive(Debug)]
pub struct Cleaned {
    groups: Vec<CleanedGroup>,
    clean_end: i64,
    stats: CleanStats,
}

#[derive(Debug)]
struct CleanedGroup {
    inputs: Vec<Arc<Segment>>,
    bytes: u64,
    /// Aborted transactions of the inputs whose marker stays.
    aborted: Vec<AbortedTransaction>,
}

/// What a cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanStats {
    /// Records read.
    pub records_read: u64,
    /// Records kept.
    pub records_kept: u64,
    /// Records without a key, which a changed policy may have left.
    pub null_keys: u64,
    /// Bytes of the rewritten segments before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

impl Partition {
    /// Decides whether a cleaning is due, and over which segments.
    ///
    /// # Errors
    /// Disk errors.
    pub fn plan_cleaning(&mut self, now_ms: i64) -> Result<Option<CleanJob>, LogError> {
        self.check_online()?;
        if !self.config.cleanup_policy.compact || !self.is_cleanable {
            return Ok(None);
        }
        let first_dirty = self
            .shared
            .points
            .cleaner
            .load(Ordering::Acquire)
            .max(self.log_start_offset());
        let inputs = self.cleanable_segments(now_ms)?;
        let (mut clean_bytes, mut dirty_bytes, mut is_overdue) = (0, 0, false);
        for (segment, end_offset) in &inputs {
            if *end_offset <= first_dirty {
                clean_bytes += segment.size();
            } else {
                dirty_bytes += segment.size();
                is_overdue |= segment
                    .largest_timestamp()?
                    .is_some_and(|(timestamp, _)| now_ms.saturating_sub(timestamp) > self.config.max_compaction_lag_ms);
            }
        }
        let ratio = dirty_bytes as f64 / (clean_bytes + dirty_bytes).max(1) as f64;
        let is_due = dirty_bytes > 0 && (is_overdue || ratio >= self.config.min_cleanable_dirty_ratio);
        if !is_due {
            return Ok(None);
        }
        if !self.unsynced.is_empty() {
            // The snapshot of the last roll must be on disk before the batches
            // it was made from are rewritten.
            self.flush()?;
        }
        Ok(Some(CleanJob {
            place: self.place.clone(),
            inputs,
            first_dirty,
            rules: Rules {
                now_ms,
                delete_retention_ms: self.config.delete_retention_ms,
                last_offsets: self.producers.last_offsets(),
                aborted: Aborted::of(&self.segments),
            },
            segment_bytes: self.config.segment_bytes,
            interval_bytes: self.config.index_interval_bytes,
            max_keys: self.config.cleaner_keys,
        }))
    }

    /// Sealed, durable segments before the first that is too young.
    fn cleanable_segments(&self, now_ms: i64) -> Result<Vec<(Arc<Segment>, i64)>, LogError> {
        let mut inputs = Vec::new();
        for pair in self.segments.windows(2) {
            let [segment, next] = pair else { break };
            let lag_ms = self.config.min_compaction_lag_ms;
            let is_young = lag_ms > 0
                && segment
                    .largest_timestamp()?
                    .is_some_and(|(newest, _)| newest > now_ms.saturating_sub(lag_ms));
            let is_undecided = next.base_offset > self.reader.last_stable_offset(i64::MAX);
            if is_young || is_undecided || next.base_offset > self.flushed_offset() {
                break;
            }
            inputs.push((Arc::clone(segment), next.base_offset));
        }
        Ok(inputs)
    }

    /// Puts the result of a cleaning in place of the segments it read.
    ///
    /// Groups whose segments are gone meanwhile are dropped.
    ///
    /// # Errors
    /// Disk errors; after one in the middle of a swap the log goes offline, and
    /// the next start finishes the swap.
    pub fn finish_cleaning(&mut self, cleaned: Cleaned) -> Result<CleanStats, LogError> {
        self.check_online()?;
        for group in &cleaned.groups {
            let Some(first) = group.inputs.first() else {
                continue;
            };
            let at = self.segments.iter().position(|segment| Arc::ptr_eq(segment, first));
            let current = at.and_then(|at| self.segments.get(at..at + group.inputs.len()));
            let is_current = current.is_some_and(|current| {
                current
                    .iter()
                    .zip(&group.inputs)
                    .all(|(one, other)| Arc::ptr_eq(one, other))
            });
            let Some(at) = at.filter(|_| is_current) else {
                discard(&self.place, first.base_offset)?;
                continue;
            };
            if let Err(error) = swap(&self.place, group) {
                self.set_offline(&error);
                return Err(error);
            }
            let Place { disk, dir } = &self.place;
            let output = Segment::sealed(disk, dir, first.base_offset, group.bytes);
            output.set_aborted(group.aborted.clone());
            let mut segments = self.segments.clone();
            segments.splice(at..at + group.inputs.len(), [Arc::new(output)]);
            self.replace_segments(segments);
        }
        self.shared
            .points
            .cleaner
            .fetch_max(cleaned.clean_end, Ordering::AcqRel);
        info!(
            partition = dir_name(&self.place.dir),
            records_read = cleaned.stats.records_read,
            records_kept = cleaned.stats.records_kept,
            null_keys = cleaned.stats.null_keys,
            bytes_before = cleaned.stats.bytes_before,
            bytes_after = cleaned.stats.bytes_after,
            "log compacted"
        );
        Ok(cleaned.stats)
    }

    /// Stops cleaning this log until restart; it is served as it is.
    pub fn note_uncleanable(&mut self, cause: &LogError) {
        warn!(partition = dir_name(&self.place.dir), %cause, "log cannot be compacted");
        self.is_cleanable = false;
    }

    /// Returns whether cleaning goes on.
    pub fn is_cleanable(&self) -> bool {
        self.is_cleanable
    }

    /// Plans, runs and finishes a cleaning in place, if one is due.
    ///
    /// # Errors
    /// As the three steps.
    pub fn compact(&mut self, now_ms: i64) -> Result<Option<CleanStats>, LogError> {
        let Some(job) = self.plan_cleaning(now_ms)? else {
            return Ok(None);
        };
        match job.run() {
            Ok(cleaned) => self.finish_cleaning(cleaned).map(Some),
            Err(error) => {
                if !error.is_retriable() {
                    self.note_uncleanable(&error);
                }
                Err(error)
            }
        }
    }
}

impl CleanJob {
    /// Reads the segments and writes the compacted ones beside them.
    ///
    /// # Errors
    /// Disk errors, damaged batches. Leftover files go with the next start.
    pub fn run(&self) -> Result<Cleaned, LogError> {
        let mut stats = CleanStats::default();
        for (segment, _) in &self.inputs {
            // A reader may hold this segment when its files change their names.
            segment.pin()?;
        }
        let (latest, clean_end) = self.map_keys(&mut stats)?;
        let mut groups = Vec::new();
        let mut transactions = TransactionWalk::new(&self.rules.aborted);
        for group in self.groups(clean_end) {
            let inputs: Vec<Arc<Segment>> = group.iter().map(|(segment, _)| Arc::clone(segment)).collect();
            let rewritten = self.rewrite_group(&inputs, &latest, &mut transactions, &mut stats)?;
            groups.extend(rewritten);
        }
        Ok(Cleaned {
            groups,
            clean_end,
            stats,
        })
    }

    /// Notes the last offset of each key in the dirty segments. Stops at a segment
    /// boundary when the map is full: a prefix of the log is compacted correctly.
    fn map_keys(&self, stats: &mut CleanStats) -> Result<(HashMap<u128, i64>, i64), LogError> {
        let mut latest = HashMap::new();
        let mut clean_end = self.first_dirty;
        let mut block = Vec::new();
        for (segment, end_offset) in &self.inputs {
            if *end_offset <= self.first_dirty {
                continue;
            }
            if latest.len() >= self.max_keys {
                break;
            }
            visit_batches(segment, &mut |batch| {
                if self.rules.aborted.holds(&batch.header) {
                    return Ok(());
                }
                for_each_record(&batch, &mut block, &mut |record| match record.key {
                    Some(key) => {
                        let offset = batch.header.base_offset + i64::from(record.offset_delta);
                        latest.insert(key_hash(key), offset);
                    }
                    None => stats.null_keys += 1,
                })
            })?;
            clean_end = *end_offset;
        }
        Ok((latest, clean_end))
    }

    /// Neighbours that fit into one segment.
    fn groups(&self, clean_end: i64) -> Vec<&[(Arc<Segment>, i64)]> {
        let count = self
            .inputs
            .iter()
            .take_while(|(_, end_offset)| *end_offset <= clean_end)
            .count();
        let mut rest = self.inputs.get(..count).unwrap_or_default();
        let mut groups = Vec::new();
        while let Some((first, _)) = rest.first() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|(segment, end_offset)| {
                bytes += segment.size();
                bytes <= self.segment_bytes && end_offset - first.base_offset <= i64::from(i32::MAX)
            });
            let (group, after) = rest.split_at(fits.count().max(1));
            groups.push(group);
            rest = after;
        }
        groups
    }

    /// Writes a group's compacted segment; none when nothing would change.
    fn rewrite_group(
        &self,
        inputs: &[Arc<Segment>],
        latest: &HashMap<u128, i64>,
        transactions: &mut TransactionWalk<'_>,
        stats: &mut CleanStats,
    ) -> Result<Option<CleanedGroup>, LogError> {
        let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else {
            return Ok(None);
        };
        let mut output = Output::create(&self.place, first.base_offset, self.interval_bytes)?;
        let mut block = Vec::new();
        let mut is_changed = inputs.len() > 1;
        let mut markers_gone = HashSet::new();
        for segment in inputs {
            let is_last_segment = Arc::ptr_eq(segment, last);
            let size = segment.size();
            let (position, fault) = segment.walk(0, &mut |walked: Walked<'_>| {
                let batch = BatchView {
                    header: walked.header,
                    bytes: walked.bytes,
                };
                let is_last = is_last_segment && walked.position + walked.bytes.len() as u64 == size;
                let rewriting = Rewriting {
                    latest,
                    rules: &self.rules,
                    is_last,
                };
                match rewriting.apply(&batch, &mut block, transactions, stats)? {
                    Rewritten::Same => output.add(&batch.header, batch.bytes),
                    Rewritten::Dropped => {
                        is_changed = true;
                        if batch.header.attributes.is_control() {
                            markers_gone.insert(batch.header.last_offset());
                        }
                    }
                    Rewritten::New(bytes) => {
                        is_changed = true;
                        output.add(&BatchHeader::parse(&bytes)?, &bytes);
                    }
                }
                Ok(())
            })?;
            if let Some(error) = fault {
                return Err(segment.corrupt(position, &error));
            }
        }
        if !is_changed {
            discard(&self.place, first.base_offset)?;
            return Ok(None);
        }
        stats.bytes_before += inputs.iter().map(|segment| segment.size()).sum::<u64>();
        let bytes = output.finish()?;
        stats.bytes_after += bytes;
        let mut aborted = Vec::new();
        for segment in inputs {
            segment.with_aborted(|entries| aborted.extend_from_slice(entries));
        }
        aborted.retain(|entry| !markers_gone.contains(&entry.last_offset));
        Ok(Some(CleanedGroup {
            inputs: inputs.to_vec(),
            bytes,
            aborted,
        }))
    }
}

fn visit_batches(
    segment: &Segment,
    visit: &mut dyn FnMut(BatchView<'_>) -> Result<(), ProtocolError>,
) -> Result<(), LogError> {
    let (position, fault) = segment.walk(0, &mut |walked| {
        visit(BatchView {
            header: walked.header,
            bytes: walked.bytes,
        })
    })?;
    match fault {
        Some(error) => Err(segment.corrupt(position, &error)),
        None => Ok(()),
    }
}

/// Visits the records of a batch; a control batch has none of ours.
fn for_each_record(
    batch: &BatchView<'_>,
    block: &mut Vec<u8>,
    visit: &mut dyn FnMut(&RecordView<'_>),
) -> Result<(), ProtocolError> {
    if batch.header.attributes.is_control() || batch.header.records_count == 0 {
        return Ok(());
    }
    let codec = batch.header.attributes.codec()?;
    let records = if codec == Codec::None {
        batch.records()
    } else {
        decompress_into(codec, batch.records(), decompression_cap(batch.records().len()), block)?;
        block.as_slice()
    };
    for record in RecordWalker::new(records, batch.header.records_count) {
        visit(&record?);
    }
    Ok(())
}

/// 128 bits stand for a key: with a billion keys two collide once in 10^20 runs.
fn key_hash(key: &[u8]) -> u128 {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        key.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

/// What becomes of a batch.
enum Rewritten {
    Same,
    Dropped,
    New(Vec<u8>),
}

struct Rewriting<'a> {
    latest: &'a HashMap<u128, i64>,
    rules: &'a Rules,
    /// Whether it is the last batch of its group.
    is_last: bool,
}

impl Rewriting<'_> {
    fn apply(
        &self,
        batch: &BatchView<'_>,
        block: &mut Vec<u8>,
        transactions: &mut TransactionWalk<'_>,
        stats: &mut CleanStats,
    ) -> Result<Rewritten, ProtocolError> {
        let header = &batch.header;
        if header.attributes.is_control() {
            return self.marker(batch, transactions);
        }
        if transactions.meets_aborted(header) {
            stats.records_read += u64::try_from(header.records_count).unwrap_or(0);
            return self.empty(header);
        }
        let horizon = header.attributes.has_delete_horizon().then_some(header.base_timestamp);
        let (mut kept, mut has_tombstone) = (0, false);
        for_each_record(batch, block, &mut |record| {
            stats.records_read += 1;
            if self.keeps(header, record, horizon) {
                kept += 1;
                has_tombstone |= record.value.is_none();
            }
        })?;
        stats.records_kept += kept;
        let starts_horizon = has_tombstone && horizon.is_none();
        if kept == 0 {
            return self.empty(header);
        }
        if kept == u64::try_from(header.records_count).unwrap_or(0) && !starts_horizon {
            return Ok(Rewritten::Same);
        }
        let new_horizon = self.rules.now_ms.saturating_add(self.rules.delete_retention_ms);
        let horizon_to_write = if starts_horizon { Some(new_horizon) } else { horizon };
        let mut builder = BatchBuilder::new(settings(header, horizon_to_write)?);
        for_each_record(batch, block, &mut |record| {
            if self.keeps(header, record, horizon) {
                append(&mut builder, header, record);
            }
        })?;
        finish_batch(builder, header).map(Rewritten::New)
    }

    /// A marker stays as long as a batch of its transaction does, and after that until its
    /// horizon, for readers that have the batch already.
    fn marker(
        &self,
        batch: &BatchView<'_>,
        transactions: &mut TransactionWalk<'_>,
    ) -> Result<Rewritten, ProtocolError> {
        let header = &batch.header;
        if transactions.ends_something(header) || self.is_last || !header.has_producer() {
            return Ok(Rewritten::Same);
        }
        if header.attributes.has_delete_horizon() {
            let is_due = self.rules.now_ms >= header.base_timestamp;
            return Ok(if is_due { Rewritten::Dropped } else { Rewritten::Same });
        }
        let horizon = self.rules.now_ms.saturating_add(self.rules.delete_retention_ms);
        let mut builder = BatchBuilder::new(settings(header, Some(horizon))?);
        for record in RecordWalker::new(batch.records(), header.records_count) {
            append(&mut builder, header, &record?);
        }
        builder.set_max_timestamp(header.max_timestamp);
        finish_batch(builder, header).map(Rewritten::New)
    }

    fn keeps(&self, header: &BatchHeader, record: &RecordView<'_>, horizon: Option<i64>) -> bool {
        let Some(key) = record.key else { return false };
        let offset = header.base_offset + i64::from(record.offset_delta);
        let is_latest = self.latest.get(&key_hash(key)).is_none_or(|latest| offset >= *latest);
        let is_due_tombstone = record.value.is_none() && horizon.is_some_and(|horizon| self.rules.now_ms >= horizon);
        is_latest && !is_due_tombstone
    }

    /// A batch without records stays where it says something still.
    fn empty(&self, header: &BatchHeader) -> Result<Rewritten, ProtocolError> {
        let holds_sequence =
            header.has_producer() && self.rules.last_offsets.get(&header.producer_id) == Some(&header.last_offset());
        if !self.is_last && !holds_sequence {
            return Ok(Rewritten::Dropped);
        }
        if header.records_count == 0 {
            return Ok(Rewritten::Same);
        }
        let mut builder = BatchBuilder::new(settings(header, None)?);
        builder.set_max_timestamp(header.max_timestamp);
        finish_batch(builder, header).map(Rewritten::New)
    }
}

fn settings(header: &BatchHeader, delete_horizon_ms: Option<i64>) -> Result<BatchSettings, ProtocolError> {
    Ok(BatchSettings {
        base_offset: header.base_offset,
        leader_epoch: header.partition_leader_epoch,
        codec: header.attributes.codec()?,
        level: None,
        timestamp_type: header.attributes.timestamp_type(),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        base_sequence: header.base_sequence,
        is_transactional: header.attributes.is_transactional(),
        is_control: header.attributes.is_control(),
        delete_horizon_ms,
    })
}

/// Appends a record as it stands.
fn append(builder: &mut BatchBuilder, header: &BatchHeader, record: &RecordView<'_>) {
    builder.append_raw(
        record.offset_delta,
        header.base_timestamp.wrapping_add(record.timestamp_delta),
        record.key,
        record.value,
        record.header_count(),
        record.raw_headers(),
    );
}

fn finish_batch(mut builder: BatchBuilder, header: &BatchHeader) -> Result<Vec<u8>, ProtocolError> {
    builder.set_last_offset_delta(header.last_offset_delta);
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        builder.set_max_timestamp(header.max_timestamp);
    }
    builder.build()
}

/// A compacted segment being written.
struct Output<'a> {
    place: &'a Place,
    base_offset: i64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    bytes: u64,
    indexes: ActiveIndexes,
    // A walk cannot fail for a write; the failure waits here for its end.
    failure: Option<LogError>,
}

impl<'a> Output<'a> {
    fn create(place: &'a Place, base_offset: i64, interval_bytes: u64) -> Result<Self, LogError> {
        let path = file_path(&place.dir, base_offset, "log.cleaned");
        let file = place
            .disk
            .open(&path, OpenMode::Create)
            .map_err(LogError::io("create", &path))?;
        let indexes = ActiveIndexes::new(base_offset, interval_bytes);
        let buffer = Vec::with_capacity(WRITE_BYTES / 4);
        Ok(Self {
            place,
            base_offset,
            path,
            file,
            buffer,
            bytes: 0,
            indexes,
            failure: None,
        })
    }

    fn add(&mut self, header: &BatchHeader, batch: &[u8]) {
        self.indexes.note(header, self.bytes);
        self.bytes += batch.len() as u64;
        self.buffer.extend_from_slice(batch);
        if self.buffer.len() >= WRITE_BYTES {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if self.failure.is_none() {
            self.failure = append_all(&*self.file, &mut [IoSlice::new(&self.buffer)])
                .map_err(LogError::io("write", &self.path))
                .err();
        }
        self.buffer.clear();
    }

    /// Makes the three files durable, under their `.cleaned` names.
    fn finish(mut self) -> Result<u64, LogError> {
        self.write_out();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.file.sync_data().map_err(LogError::io("sync", &self.path))?;
        self.indexes.close();
        for (extension, content) in [
            ("index.cleaned", self.indexes.offsets.encode()),
            ("timeindex.cleaned", self.indexes.times.encode()),
        ] {
            let path = file_path(&self.place.dir, self.base_offset, extension);
            write_file(&*self.place.disk, &path, &content)
                .and_then(|file| file.sync_data())
                .map_err(LogError::io("write", &path))?;
        }
        Ok(self.bytes)
    }
}

fn discard(place: &Place, base_offset: i64) -> Result<(), LogError> {
    for extension in ["log.cleaned", "index.cleaned", "timeindex.cleaned"] {
        let path = file_path(&place.dir, base_offset, extension);
        remove_if_there(&*place.disk, &path).map_err(LogError::io("remove", &path))?;
    }
    Ok(())
}

/// Replaces the group's files. From the first directory sync on, a crash ends in
/// the new state: recovery finishes what a `.swap` file tells.
fn swap(place: &Place, group: &CleanedGroup) -> Result<(), LogError> {
    let Some(first) = group.inputs.first() else {
        return Ok(());
    };
    let sync_dir = || {
        place
            .disk
            .sync_dir(&place.dir)
            .map_err(LogError::io("sync", &place.dir))
    };
    let rename = |from: &str, to: &str| {
        let from = file_path(&place.dir, first.base_offset, from);
        let to = file_path(&place.dir, first.base_offset, to);
        place.disk.rename(&from, &to).map_err(LogError::io("rename", &from))
    };
    let remove = |path: PathBuf| remove_if_there(&*place.disk, &path).map_err(LogError::io("remove", &path));
    if group
        .inputs
        .iter()
        .any(|input| input.with_aborted(|entries| !entries.is_empty()))
    {
        // First, and durable: it holds for the old segments as for the new one.
        let name = format!("{:020}.{TRANSACTION_INDEX}", first.base_offset);
        replace_file(&*place.disk, &place.dir, &name, &aborted::encode(&group.aborted))
            .map_err(LogError::io("write", &place.dir.join(name)))?;
    }
    for extension in [OFFSET_INDEX, TIME_INDEX, LOG] {
        rename(&format!("{extension}.cleaned"), &format!("{extension}.swap"))?;
    }
    sync_dir()?;
    for old in group.inputs.iter().skip(1) {
        for extension in [LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX] {
            remove(old.path(extension))?;
        }
    }
    // The old indexes must never stand beside the new log.
    remove(first.path(OFFSET_INDEX))?;
    remove(first.path(TIME_INDEX))?;
    sync_dir()?;
    for extension in [OFFSET_INDEX, TIME_INDEX, LOG] {
        rename(&format!("{extension}.swap"), extension)?;
    }
    sync_dir()
}
