//! One partition's log: append, flush, roll, drop
//!
//! Hot path, per batch: no copy (offset and epoch are stamped in the buffer that
//! came from the socket, which then serves the tail readers), no allocation a
//! record, one CRC pass only if a timestamp has to be rewritten. Per call of
//! `append_all`: one `writev` for all batches of a segment. No index is written
//! before its segment is sealed. Syncs: none here; one `fdatasync` a flush covers
//! every batch before it, plus, once a segment, its directory and index files.
//!
//! The owner serialises calls (one writer a partition); readers use
//! [`LogReader`] and never wait. Source: Kafka's `UnifiedLog` and `LocalLog`.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tracing::error;
use weir_protocol::records::batch::{
    BatchHeader, NO_TIMESTAMP, TimestampType, set_base_offset_and_epoch, set_log_append_time, set_max_timestamp,
};
use weir_protocol::records::validate::BatchFacts;

use crate::aborted::{AbortedTransaction, TransactionEnd};
use crate::checkpoint::{Checkpoints, Points};
use crate::error::{LogError, is_full};
use crate::flush::{FlushHandle, Unsynced};
use crate::io::append_all;
use crate::leader_epochs::LeaderEpochs;
use crate::log_config::{LogConfig, Shutdown};
use crate::producer_state::{ProducerEntry, ProducerState, Verdict};
use crate::reader::{LogReader, dir_name};
use crate::recovery::{self, Place};
use crate::segment::{LOG, Segment};
use crate::tail_cache::TailBudget;

/// What a partition shares with the others of its data directory.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) points: Arc<Points>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) budget: Arc<TailBudget>,
}

/// A validated batch to append.
#[derive(Debug)]
pub struct IncomingBatch {
    /// The batch as sent; stamped in place.
    pub bytes: BytesMut,
    /// What validation found.
    pub facts: BatchFacts,
}

/// The broker's clock and leader epoch at an append.
#[derive(Debug, Clone, Copy)]
pub struct AppendTime {
    /// Wall clock.
    pub now_ms: i64,
    /// Epoch stamped into the batches.
    pub leader_epoch: i32,
}

/// Where a batch is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppendInfo {
    /// Offset of its first record.
    pub base_offset: i64,
    /// Offset of its last record. Durable once the flushed offset is beyond it,
    /// which for a duplicate may still lie ahead.
    pub last_offset: i64,
    /// Append time, −1 when records keep the producer's.
    pub log_append_time_ms: i64,
    /// Whether it was there already and nothing was written.
    pub is_duplicate: bool,
}

/// A partition's log.
#[derive(Debug)]
pub struct Partition {
    pub(crate) place: Place,
    pub(crate) config: LogConfig,
    pub(crate) shared: Shared,
    // Invariant: as published to the reader; never empty; the last is active.
    pub(crate) segments: Vec<Arc<Segment>>,
    // Timestamp of the active segment's first batch; segments roll by record time.
    pub(crate) active_since_ms: Option<i64>,
    pub(crate) producers: ProducerState,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) unsynced: Unsynced,
    pub(crate) reader: Arc<LogReader>,
    pub(crate) next_offset: i64,
    offline: Option<String>,
    // Whether a close has anything to write.
    pub(crate) is_changed: bool,
    // Log end at the last retention pass; unchanged means idle.
    pub(crate) idle_mark: i64,
    pub(crate) is_cleanable: bool,
    // Where the newest snapshot was written. One is never written over: a crash
    // in between would take both the old and the new.
    pub(crate) snapshot_at: Option<i64>,
}

/// Batches that have their offsets and wait for one write.
#[derive(Debug, Default)]
struct Staged {
    batches: Vec<StagedBatch>,
    bytes: u64,
    undo: Vec<(i64, Option<ProducerEntry>)>,
}

#[derive(Debug)]
struct StagedBatch {
    answer: usize,
    header: BatchHeader,
    bytes: Bytes,
    /// The transaction a marker aborts.
    aborted: Option<AbortedTransaction>,
}

impl Partition {
    /// Opens the log in a directory that exists.
    pub(crate) fn open(place: Place, shared: Shared, config: LogConfig, shutdown: Shutdown) -> Result<Self, LogError> {
        let loaded = recovery::load(&place, &shared.points, shutdown, config.index_interval_bytes)?;
        let first = loaded.segments.first().map_or(0, |segment| segment.base_offset);
        let log_start = shared.points.log_start.load(Ordering::Acquire).max(first);
        let reader = Arc::new(LogReader::new(loaded.segments.clone(), Arc::clone(&shared.budget)));
        reader.set_log_start(log_start);
        reader.set_log_end(loaded.log_end);
        reader.set_first_unstable(loaded.producers.first_unstable_offset());
        reader.set_flushed(loaded.log_end);
        shared.points.log_start.store(log_start, Ordering::Release);
        shared.points.recovery.store(loaded.log_end, Ordering::Release);
        let mut partition = Self {
            place,
            config,
            shared,
            segments: loaded.segments,
            active_since_ms: None,
            producers: loaded.producers,
            epochs: loaded.epochs,
            unsynced: Unsynced::default(),
            reader,
            next_offset: loaded.log_end,
            offline: None,
            is_changed: loaded.is_new || shutdown == Shutdown::Crash,
            idle_mark: -1,
            is_cleanable: true,
            snapshot_at: loaded.snapshot_at,
        };
        partition.active_since_ms = partition.first_timestamp()?;
        if loaded.is_new {
            let dir = Arc::clone(&partition.place.dir);
            partition.unsynced.add_dir(&dir);
            partition.unsynced.add_file(&Arc::clone(partition.active()?.log()?));
        }
        Ok(partition)
    }

    /// Adds the directory above to what the next flush makes durable.
    pub(crate) fn note_created_in(&mut self, parent: &Arc<Path>) {
        self.unsynced.add_dir(parent);
    }

    fn first_timestamp(&self) -> Result<Option<i64>, LogError> {
        let active = self.active()?;
        if active.size() == 0 {
            return Ok(None);
        }
        let head = crate::io::read_chunk(&**active.log()?, 0, 61).map_err(LogError::io("read", &active.path(LOG)))?;
        let header = BatchHeader::parse(&head)?;
        Ok((header.base_timestamp != NO_TIMESTAMP).then_some(header.base_timestamp))
    }

    pub(crate) fn active(&self) -> Result<&Arc<Segment>, LogError> {
        self.segments.last().ok_or_else(|| LogError::Offline {
            reason: "log has no segment".to_owned(),
        })
    }

    /// Returns the reader, which stays valid as long as the log.
    pub fn reader(&self) -> Arc<LogReader> {
        Arc::clone(&self.reader)
    }

    /// Replaces the settings.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Returns the settings in force.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Returns what is known of idempotent producers.
    pub fn producers(&self) -> &ProducerState {
        &self.producers
    }

    /// Returns why the log stopped, if it did.
    pub fn offline_reason(&self) -> Option<&str> {
        self.offline.as_deref()
    }

    /// Stops the log for good after a failure that leaves its files uncertain.
    pub fn set_offline(&mut self, cause: &LogError) {
        if self.offline.is_none() {
            error!(partition = dir_name(&self.place.dir), %cause, "partition is offline until restart");
            self.offline = Some(cause.to_string());
            self.reader.set_offline();
        }
    }

    pub(crate) fn check_online(&self) -> Result<(), LogError> {
        match &self.offline {
            Some(reason) => Err(LogError::Offline { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Appends one batch; see [`Partition::append_all`].
    ///
    /// # Errors
    /// As there.
    pub fn append(&mut self, bytes: BytesMut, facts: &BatchFacts, at: AppendTime) -> Result<AppendInfo, LogError> {
        let mut answers = self.append_all(vec![IncomingBatch { bytes, facts: *facts }], at);
        answers.pop().unwrap_or_else(|| {
            Err(LogError::Offline {
                reason: "no answer".to_owned(),
            })
        })
    }

    /// Appends batches in order, each judged after the one before; one answer each.
    ///
    /// A refused batch leaves no trace. When the disk refuses, what was written
    /// of the call is cut off again and every batch of that write is refused;
    /// the log goes on if the disk was merely full.
    ///
    /// # Errors
    /// Errors of [`ProducerState::check`] and [`ProducerState::check_end`], [`LogError::Io`], and
    /// [`LogError::Offline`] after a failure whose outcome is unknown.
    pub fn append_all(&mut self, batches: Vec<IncomingBatch>, at: AppendTime) -> Vec<Result<AppendInfo, LogError>> {
        let mut answers = Vec::with_capacity(batches.len());
        let mut staged = Staged::default();
        for batch in batches {
            if self.must_roll(staged.bytes, &batch) {
                self.write(&mut staged, &mut answers);
                if let Err(error) = self.roll() {
                    answers.push(Err(error));
                    continue;
                }
            }
            let answer = self.stage(batch, at, &mut staged, answers.len());
            answers.push(answer);
        }
        self.write(&mut staged, &mut answers);
        answers
    }

    fn must_roll(&self, staged_bytes: u64, batch: &IncomingBatch) -> bool {
        let Ok(active) = self.active() else {
            return false;
        };
        let bytes = active.size() + staged_bytes;
        if bytes == 0 {
            return false;
        }
        let last_offset = self.next_offset + i64::from(batch.facts.header.last_offset_delta);
        let is_aged = self
            .active_since_ms
            .is_some_and(|since_ms| batch.facts.max_timestamp.saturating_sub(since_ms) > self.config.segment_ms);
        let index_bytes = active.with_active(|indexes| indexes.offsets.bytes()).unwrap_or(0);
        bytes + batch.bytes.len() as u64 > self.config.segment_bytes.min(i32::MAX as u64)
            || last_offset - active.base_offset > i64::from(i32::MAX)
            || index_bytes >= self.config.segment_index_bytes
            || is_aged
    }

    /// Judges and stamps a batch.
    fn stage(
        &mut self,
        batch: IncomingBatch,
        at: AppendTime,
        staged: &mut Staged,
        answer: usize,
    ) -> Result<AppendInfo, LogError> {
        self.check_online()?;
        let IncomingBatch { mut bytes, facts } = batch;
        let is_append_time =
            self.config.timestamp_type == TimestampType::LogAppendTime && !facts.header.attributes.is_control();
        let end = TransactionEnd::of(&facts.header, &bytes)?;
        if let Some(end) = end {
            self.producers.check_end(&facts.header, end)?;
        } else if let Verdict::Duplicate(old) = self.producers.check(&facts.header)? {
            let log_append_time_ms = if is_append_time { old.timestamp } else { NO_TIMESTAMP };
            return Ok(AppendInfo {
                base_offset: old.base_offset(),
                last_offset: old.last_offset,
                log_append_time_ms,
                is_duplicate: true,
            });
        }
        set_base_offset_and_epoch(&mut bytes, self.next_offset, at.leader_epoch);
        if is_append_time {
            set_log_append_time(&mut bytes, at.now_ms);
        } else if facts.header.max_timestamp != facts.max_timestamp {
            set_max_timestamp(&mut bytes, facts.max_timestamp);
        }
        let header = BatchHeader::parse(&bytes)?;
        // What goes to the file cannot be taken back: check the stamp once more.
        assert!(
            header.base_offset == self.next_offset && header.size() == bytes.len(),
            "a batch must be whole and carry the next offset"
        );
        let mut aborted = None;
        if header.has_producer() {
            staged
                .undo
                .push((header.producer_id, self.producers.get(header.producer_id)));
            match end {
                Some(end) => aborted = self.producers.end(&header, end, Some(at.now_ms)),
                None => self.producers.update(&header, Some(at.now_ms)),
            }
        }
        self.epochs.assign(at.leader_epoch, header.base_offset);
        self.next_offset = header.next_offset();
        staged.bytes += bytes.len() as u64;
        staged.batches.push(StagedBatch {
            answer,
            header,
            bytes: bytes.freeze(),
            aborted,
        });
        Ok(AppendInfo {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            log_append_time_ms: if is_append_time { at.now_ms } else { NO_TIMESTAMP },
            is_duplicate: false,
        })
    }

    /// Writes what is staged at the end of the active segment, all or nothing.
    fn write(&mut self, staged: &mut Staged, answers: &mut [Result<AppendInfo, LogError>]) {
        let staged = std::mem::take(staged);
        let Some(first) = staged.batches.first() else {
            return;
        };
        let base_offset = first.header.base_offset;
        let mut pieces: Vec<IoSlice<'_>> = staged.batches.iter().map(|batch| IoSlice::new(&batch.bytes)).collect();
        let written = self.active().map(Arc::clone).and_then(|active| {
            let file = active.log()?;
            append_all(&**file, &mut pieces).map_err(active.failed("append to", LOG))?;
            Ok(active)
        });
        match written {
            Ok(active) => self.publish(&active, staged.batches),
            Err(error) => {
                self.take_back(&staged.undo, base_offset, &error);
                for batch in &staged.batches {
                    if let Some(answer) = answers.get_mut(batch.answer) {
                        *answer = Err(again(&error));
                    }
                }
            }
        }
    }

    fn publish(&mut self, active: &Arc<Segment>, batches: Vec<StagedBatch>) {
        let mut position = active.size();
        for batch in &batches {
            active.with_active(|indexes| indexes.note(&batch.header, position));
            position += batch.bytes.len() as u64;
            let timestamp = batch.header.max_timestamp;
            if self.active_since_ms.is_none() && timestamp != NO_TIMESTAMP {
                self.active_since_ms = Some(timestamp);
            }
            if let Some(aborted) = batch.aborted {
                active.add_aborted(aborted);
            }
        }
        active.set_size(position);
        for batch in batches {
            let StagedBatch { header, bytes, .. } = batch;
            let max_bytes = self.config.tail_cache_bytes;
            self.reader
                .cache
                .push(header.base_offset, header.last_offset(), bytes, max_bytes);
        }
        self.is_changed = true;
        self.reader.set_first_unstable(self.producers.first_unstable_offset());
        self.reader.set_log_end(self.next_offset);
    }

    /// Cuts a failed write off and forgets its batches.
    fn take_back(&mut self, undo: &[(i64, Option<ProducerEntry>)], base_offset: i64, error: &LogError) {
        self.next_offset = base_offset;
        for (producer_id, entry) in undo.iter().rev() {
            self.producers.restore(*producer_id, entry.clone());
        }
        let is_only_full = matches!(error, LogError::Io { source, .. } if is_full(source));
        let cut = self.active().and_then(|active| {
            let path = active.path(LOG);
            active
                .log()?
                .set_size(active.size())
                .map_err(LogError::io("cut", &path))
        });
        match cut {
            Err(cut_error) => self.set_offline(&cut_error),
            Ok(()) if !is_only_full => self.set_offline(error),
            Ok(()) => {
                // The cut has to reach the disk too, before a stop is called clean.
                if let Ok(log) = self.active().and_then(|active| active.log()).map(Arc::clone) {
                    self.unsynced.add_file(&log);
                }
                error!(partition = dir_name(&self.place.dir), %error, "append refused, disk is full");
            }
        }
    }

    /// Returns what has to be synced for everything appended so far to be
    /// durable, or none if nothing has.
    pub fn dirty_files(&self) -> Option<FlushHandle> {
        let is_written = self.next_offset > self.reader.flushed_offset();
        if self.offline.is_some() || (!is_written && self.unsynced.is_empty()) {
            return None;
        }
        let active = if is_written {
            Some(Arc::clone(self.active().ok()?.log().ok()?))
        } else {
            None
        };
        let Place { disk, dir } = &self.place;
        Some(FlushHandle::new(
            Arc::clone(disk),
            dir,
            &self.unsynced,
            active,
            self.next_offset,
        ))
    }

    /// Takes in a sync that succeeded; readers may see more afterwards.
    pub fn note_flushed(&mut self, handle: &FlushHandle) {
        handle.settle(&mut self.unsynced);
        self.reader.set_flushed(handle.end_offset);
        self.shared
            .points
            .recovery
            .fetch_max(handle.end_offset, Ordering::AcqRel);
        self.prune_snapshots(handle.end_offset);
    }

    /// Syncs in place.
    ///
    /// # Errors
    /// The sync's failure; the log is offline.
    pub fn flush(&mut self) -> Result<(), LogError> {
        self.check_online()?;
        let Some(handle) = self.dirty_files() else {
            return Ok(());
        };
        if let Err(error) = handle.sync() {
            self.set_offline(&error);
            return Err(error);
        }
        self.note_flushed(&handle);
        Ok(())
    }

    /// Returns the first offset.
    pub fn log_start_offset(&self) -> i64 {
        self.reader.log_start_offset()
    }

    /// Returns the offset the next record gets.
    pub fn log_end_offset(&self) -> i64 {
        self.next_offset
    }

    /// Returns the offset below which everything is durable.
    pub fn flushed_offset(&self) -> i64 {
        self.reader.flushed_offset()
    }

    /// Returns the largest known leader epoch up to `epoch` and the offset after
    /// its last record.
    pub fn offset_for_leader_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        self.epochs.end_of(epoch, self.next_offset)
    }

    /// Returns the leader epoch an offset was written in.
    pub fn leader_epoch_of(&self, offset: i64) -> Option<i32> {
        self.epochs.epoch_of(offset)
    }

    /// Returns the leader epoch of the newest record.
    pub fn latest_leader_epoch(&self) -> Option<i32> {
        self.epochs.latest()
    }

    /// Replaces the segment list after a cleaning.
    pub(crate) fn replace_segments(&mut self, segments: Vec<Arc<Segment>>) {
        self.reader.publish(segments.clone());
        // It holds batches as they were before.
        self.reader.cache.clear();
        self.segments = segments;
        self.is_changed = true;
    }
}

/// The same failure for another batch of one write.
fn again(error: &LogError) -> LogError {
    match error {
        LogError::Io { action, path, source } => {
            let source = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::from(source.kind()),
            };
            LogError::Io {
                action,
                path: path.clone(),
                source,
            }
        }
        other => LogError::Offline {
            reason: other.to_string(),
        },
    }
}
