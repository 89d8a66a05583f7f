//! Opening a partition's directory, after a clean stop or a crash
//!
//! After a clean stop sizes and indexes are trusted and only the tail is read.
//! After a crash every segment that reaches beyond the recovery point is walked:
//! the log is cut at the first bad batch, since nothing from there on was
//! acknowledged, and what remains is synced before it counts as durable. A bad
//! batch below the recovery point is damage to durable data: the partition is
//! refused, never cut. Source: Kafka's `LogLoader`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{info, warn};
use weir_protocol::error::ProtocolError;
use weir_protocol::records::batch::{BatchHeader, HEADER_BYTES, compute_crc};

use crate::aborted::{self, TransactionEnd};
use crate::checkpoint::Points;
use crate::error::LogError;
use crate::io::{DirEntry, Disk, OpenMode, read_chunk, read_file, remove_if_there, replace_file, write_file};
use crate::leader_epochs::{self, LeaderEpochs};
use crate::log_config::Shutdown;
use crate::offset_index::{self, OffsetIndex};
use crate::producer_state::ProducerState;
use crate::reader::dir_name;
use crate::segment::{ActiveIndexes, LOG, OFFSET_INDEX, Segment, TIME_INDEX, TRANSACTION_INDEX, Walked, file_path};
use crate::time_index::{self, TimeIndex};

/// Directory of a partition, on its disk.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: Arc<Path>,
}

/// What a directory holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// Rising; the last is active.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) log_end: i64,
    pub(crate) producers: ProducerState,
    pub(crate) epochs: LeaderEpochs,
    /// Whether the directory had no segment and got its first one.
    pub(crate) is_new: bool,
    /// Offset of a whole snapshot that equals the producers' state.
    pub(crate) snapshot_at: Option<i64>,
}

pub(crate) const SNAPSHOT: &str = "snapshot";

/// Loads a partition.
pub(crate) fn load(
    place: &Place,
    points: &Points,
    shutdown: Shutdown,
    interval_bytes: u64,
) -> Result<Loaded, LogError> {
    let log_start = points.log_start.load(Ordering::Acquire);
    let mut loader = Loader {
        place,
        interval_bytes,
        // The log starts at or below what was durable when it was told so.
        recovery_point: points.recovery.load(Ordering::Acquire).max(log_start),
        log_start,
        epochs: LeaderEpochs::default(),
        must_sync_dir: false,
        obsolete: Vec::new(),
    };
    loader.load(shutdown)
}

struct Loader<'a> {
    place: &'a Place,
    interval_bytes: u64,
    recovery_point: i64,
    log_start: i64,
    epochs: LeaderEpochs,
    must_sync_dir: bool,
    /// Snapshots that are of no use once this start has written its own.
    obsolete: Vec<String>,
}

impl Loader<'_> {
    fn load(&mut self, shutdown: Shutdown) -> Result<Loaded, LogError> {
        let found = self.tidy()?;
        self.read_epochs()?;
        let newest_snapshot = found.snapshots.last().copied().unwrap_or(0);
        let (mut segments, log_end, is_new) = if found.segments.is_empty() {
            let base = self.log_start.max(self.recovery_point).max(newest_snapshot);
            let segment = Segment::create(&self.place.disk, &self.place.dir, base, self.interval_bytes)?;
            (vec![Arc::new(segment)], base, true)
        } else {
            let (segments, log_end) = match shutdown {
                Shutdown::Clean => self.open_clean(found.segments)?,
                Shutdown::Crash => self.recover(found.segments)?,
            };
            (segments, log_end, false)
        };
        self.epochs.truncate(log_end);
        for segment in segments.iter().filter(|one| found.aborted.contains(&one.base_offset)) {
            self.read_aborted(segment, log_end)?;
        }
        let (producers, mut snapshot_at) = self.load_producers(&segments, &found.snapshots, log_end)?;
        if shutdown == Shutdown::Crash && !producers.is_empty() {
            // The batches this state came from may be compacted or dropped before
            // the next roll saves it; and a snapshot that was just read may be in
            // the page cache only.
            let name = file_name(log_end, SNAPSHOT);
            let Place { disk, dir } = self.place;
            replace_file(&**disk, dir, &name, &producers.encode_snapshot())
                .map_err(LogError::io("write", &dir.join(&name)))?;
            self.obsolete.retain(|old| *old != name);
            snapshot_at = Some(log_end);
        }
        // Not before: what was restored from may be the only whole one on disk.
        for name in std::mem::take(&mut self.obsolete) {
            self.remove(&name)?;
        }
        self.remove_stale(&mut segments)?;
        if self.must_sync_dir {
            self.sync_dir()?;
        }
        let epochs = std::mem::take(&mut self.epochs);
        Ok(Loaded {
            segments,
            log_end,
            producers,
            epochs,
            is_new,
            snapshot_at,
        })
    }

    /// Reads what was aborted in a segment; markers that were cut off did not happen.
    fn read_aborted(&mut self, segment: &Segment, log_end: i64) -> Result<(), LogError> {
        let path = segment.path(TRANSACTION_INDEX);
        let content = read_file(&*self.place.disk, &path).map_err(LogError::io("read", &path))?;
        let Some(mut entries) = aborted::decode(&content.unwrap_or_default()) else {
            let reason = "it is no list of aborted transactions".to_owned();
            return Err(LogError::Corrupt {
                path,
                position: 0,
                reason,
            });
        };
        let before = entries.len();
        entries.retain(|entry| entry.last_offset < log_end);
        let (is_cut, is_empty) = (entries.len() < before, entries.is_empty());
        segment.set_aborted(entries);
        match (is_cut, is_empty) {
            // Or their offsets would be taken for other records'.
            (true, true) => {
                self.remove(&file_name(segment.base_offset, TRANSACTION_INDEX))?;
                self.sync_dir()
            }
            (true, false) => segment.write_aborted(),
            (false, _) => Ok(()),
        }
    }

    fn read_epochs(&mut self) -> Result<(), LogError> {
        let path = self.place.dir.join(leader_epochs::FILE);
        let content = read_file(&*self.place.disk, &path).map_err(LogError::io("read", &path))?;
        self.epochs = LeaderEpochs::parse(&content.unwrap_or_default());
        Ok(())
    }

    /// Removes leftovers, finishes an interrupted swap, and lists what is there.
    fn tidy(&mut self) -> Result<Found, LogError> {
        let dir = &self.place.dir;
        let list = || self.place.disk.list(dir).map_err(LogError::io("list", dir));
        let mut entries = list()?;
        let swapped: Vec<i64> = entries
            .iter()
            .filter_map(|entry| base_of(&entry.name, "log.swap"))
            .collect();
        for base in swapped {
            self.finish_swap(base, &entries)?;
            entries = list()?;
        }
        for entry in &entries {
            let is_leftover = [".deleted", ".cleaned", ".swap", ".tmp"]
                .iter()
                .any(|suffix| entry.name.ends_with(suffix));
            if is_leftover && !entry.is_dir {
                self.remove(&entry.name)?;
            }
        }
        Ok(Found::of(&entries))
    }

    /// Removes segments below the log start: their removal had begun, or was only
    /// told about, before the stop. Done last, as they may hold the only trace of
    /// a producer.
    fn remove_stale(&mut self, segments: &mut Vec<Arc<Segment>>) -> Result<(), LogError> {
        while let [first, next, ..] = segments.as_slice() {
            if next.base_offset > self.log_start {
                break;
            }
            let base = first.base_offset;
            self.remove_segment(base)?;
            segments.remove(0);
        }
        Ok(())
    }

    /// Replaces the segments a cleaning has rewritten; it was synced and is whole.
    fn finish_swap(&mut self, base: i64, entries: &[DirEntry]) -> Result<(), LogError> {
        let swap = file_path(&self.place.dir, base, "log.swap");
        let last_offset = last_offset_of(self.place, &swap)?.unwrap_or(base);
        for old in entries.iter().filter_map(|entry| base_of(&entry.name, LOG)) {
            if old > base && old <= last_offset {
                self.remove_segment(old)?;
            }
        }
        self.remove(&file_name(base, OFFSET_INDEX))?;
        self.remove(&file_name(base, TIME_INDEX))?;
        self.sync_dir()?;
        let target = file_path(&self.place.dir, base, LOG);
        self.place
            .disk
            .rename(&swap, &target)
            .map_err(LogError::io("rename", &swap))?;
        self.sync_dir()
    }

    fn remove_segment(&mut self, base: i64) -> Result<(), LogError> {
        for extension in [LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX] {
            self.remove(&file_name(base, extension))?;
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), LogError> {
        let path = self.place.dir.join(name);
        self.must_sync_dir = true;
        remove_if_there(&*self.place.disk, &path).map_err(LogError::io("remove", &path))
    }

    fn sync_dir(&self) -> Result<(), LogError> {
        let dir = &self.place.dir;
        self.place.disk.sync_dir(dir).map_err(LogError::io("sync", dir))
    }

    fn sealed(&self, base: i64, size: u64) -> Segment {
        Segment::sealed(&self.place.disk, &self.place.dir, base, size)
    }

    fn open_clean(&mut self, found: Vec<FoundSegment>) -> Result<(Vec<Arc<Segment>>, i64), LogError> {
        let mut segments = Vec::with_capacity(found.len());
        let mut log_end = 0;
        let last = found.len().saturating_sub(1);
        for (at, (base, files)) in found.into_iter().enumerate() {
            let segment = self.sealed(base, files.log_bytes);
            if at == last {
                log_end = self.resume(&segment)?;
            } else if !files.has_indexes() {
                self.rebuild_indexes(&segment)?;
            }
            segments.push(Arc::new(segment));
        }
        Ok((segments, log_end))
    }

    /// Makes the last segment active again from its index files and its tail.
    fn resume(&mut self, segment: &Segment) -> Result<i64, LogError> {
        if segment.size() == 0 {
            segment.activate(ActiveIndexes::new(segment.base_offset, self.interval_bytes));
            return Ok(segment.base_offset);
        }
        let read = |extension| {
            let path = segment.path(extension);
            read_file(&*self.place.disk, &path).map_err(LogError::io("read", &path))
        };
        let offsets = read(OFFSET_INDEX)?.and_then(|bytes| OffsetIndex::decode(&bytes, segment.size()));
        let times = read(TIME_INDEX)?.and_then(|bytes| TimeIndex::decode(&bytes));
        let indexes = match (offsets, times) {
            (Some(offsets), Some(times)) => {
                ActiveIndexes::resume(segment.base_offset, self.interval_bytes, offsets, times)
            }
            _ => ActiveIndexes::new(segment.base_offset, self.interval_bytes),
        };
        let from = indexes.offsets.last_position();
        let mut walk = Walk::new(segment, indexes);
        if walk.run(from, &mut self.epochs)?.is_some() {
            // Not as it was closed; whether that matters is judged as after a crash.
            return self.recover_segment(segment, true).map(|(log_end, _)| log_end);
        }
        segment.activate(walk.indexes);
        Ok(walk.next_offset)
    }

    fn recover(&mut self, found: Vec<FoundSegment>) -> Result<(Vec<Arc<Segment>>, i64), LogError> {
        let bases: Vec<i64> = found.iter().map(|(base, _)| *base).collect();
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(found.len());
        let mut expected = bases.first().copied().unwrap_or(0);
        let mut is_cut = false;
        for (at, (base, files)) in found.into_iter().enumerate() {
            let next_base = bases.get(at + 1).copied();
            // A gap above the recovery point is a tail that never reached the disk.
            is_cut |= base != expected && expected >= self.recovery_point;
            if is_cut {
                self.remove_segment(base)?;
                continue;
            }
            let segment = self.sealed(base, files.log_bytes);
            match next_base {
                // Strictly below: a flush that ends where the segment does may have
                // come before its roll, and so before its index files.
                Some(next) if next < self.recovery_point => {
                    if !files.has_indexes() {
                        self.rebuild_indexes(&segment)?;
                    }
                    expected = next;
                }
                _ => (expected, is_cut) = self.recover_segment(&segment, next_base.is_none())?,
            }
            segments.push(Arc::new(segment));
        }
        if expected < self.recovery_point {
            return Err(self.lost_tail(&segments, expected));
        }
        if is_cut {
            // The walk may have sealed what is the last segment now.
            if let Some(last) = segments.last() {
                self.recover_segment(last, true)?;
            }
        }
        self.sync_dir()?;
        self.must_sync_dir = false;
        Ok((segments, expected))
    }

    fn lost_tail(&self, segments: &[Arc<Segment>], end: i64) -> LogError {
        let path = segments
            .last()
            .map_or_else(|| self.place.dir.to_path_buf(), |last| last.path(LOG));
        let position = segments.last().map_or(0, |last| last.size());
        let reason = format!(
            "log ends at offset {end}, but everything below {} was durable",
            self.recovery_point
        );
        LogError::Corrupt { path, position, reason }
    }

    /// Checks a segment from its first byte, cuts it at the first bad batch and
    /// syncs what is left. Answers the offset after it and whether it was cut.
    fn recover_segment(&mut self, segment: &Segment, is_last: bool) -> Result<(i64, bool), LogError> {
        let indexes = ActiveIndexes::new(segment.base_offset, self.interval_bytes);
        let mut walk = Walk::new(segment, indexes);
        let fault = walk.run(0, &mut self.epochs)?;
        let next_offset = walk.next_offset;
        let is_cut = fault.is_some();
        if let Some(fault) = fault {
            if next_offset < self.recovery_point {
                return Err(segment.corrupt(fault.position, &fault.error));
            }
            let dropped_bytes = segment.size() - fault.position;
            info!(
                partition = dir_name(&self.place.dir),
                offset = next_offset,
                dropped_bytes,
                reason = %fault.error,
                "log cut after its last whole batch"
            );
            let path = segment.path(LOG);
            segment
                .log()?
                .set_size(fault.position)
                .map_err(LogError::io("cut", &path))?;
            segment.set_size(fault.position);
        }
        // Until synced, what was read may be in the page cache only: a killed
        // process loses nothing, but a power cut after it would.
        segment
            .log()?
            .sync_data()
            .map_err(LogError::io("sync", &segment.path(LOG)))?;
        if is_last {
            segment.activate(walk.indexes);
        } else {
            self.write_indexes(segment, walk.indexes)?;
        }
        Ok((next_offset, is_cut))
    }

    fn rebuild_indexes(&mut self, segment: &Segment) -> Result<(), LogError> {
        warn!(
            partition = dir_name(&self.place.dir),
            segment = segment.base_offset,
            "index files are missing or damaged, rebuilding them"
        );
        let indexes = ActiveIndexes::new(segment.base_offset, self.interval_bytes);
        let mut walk = Walk::new(segment, indexes);
        if let Some(fault) = walk.run(0, &mut LeaderEpochs::default())? {
            return Err(segment.corrupt(fault.position, &fault.error));
        }
        self.write_indexes(segment, walk.indexes)
    }

    fn write_indexes(&mut self, segment: &Segment, mut indexes: ActiveIndexes) -> Result<(), LogError> {
        indexes.close();
        for (extension, content) in [
            (OFFSET_INDEX, indexes.offsets.encode()),
            (TIME_INDEX, indexes.times.encode()),
        ] {
            let path = segment.path(extension);
            write_file(&*self.place.disk, &path, &content)
                .and_then(|file| file.sync_data())
                .map_err(LogError::io("write", &path))?;
        }
        self.must_sync_dir = true;
        Ok(())
    }

    /// Restores the newest whole snapshot and replays the batches after it.
    fn load_producers(
        &mut self,
        segments: &[Arc<Segment>],
        snapshots: &[i64],
        log_end: i64,
    ) -> Result<(ProducerState, Option<i64>), LogError> {
        let mut restored = None;
        let mut older = 0;
        for offset in snapshots.iter().rev().copied() {
            let name = file_name(offset, SNAPSHOT);
            if restored.is_some() {
                // One more stays, for a cut below the newest; others are history.
                older += 1;
                if older > 1 {
                    self.obsolete.push(name);
                }
                continue;
            }
            let path = self.place.dir.join(&name);
            let content = read_file(&*self.place.disk, &path).map_err(LogError::io("read", &path))?;
            match ProducerState::decode_snapshot(&content.unwrap_or_default()) {
                Some(whole) if offset <= log_end => restored = Some((whole, offset)),
                // Torn, or it knows batches that are gone and whose offsets will be
                // used again.
                _ => self.obsolete.push(name),
            }
        }
        let (mut state, from) = restored.unwrap_or_default();
        let snapshot_at = (from == log_end && from > 0).then_some(from);
        for (at, segment) in segments.iter().enumerate() {
            let ends_before = segments.get(at + 1).is_some_and(|next| next.base_offset <= from);
            if from >= log_end || ends_before {
                continue;
            }
            let mut is_news = false;
            let (position, fault) = segment.walk(0, &mut |batch: Walked<'_>| {
                let header = &batch.header;
                if header.base_offset < from {
                    return Ok(());
                }
                match TransactionEnd::of(header, batch.bytes)? {
                    Some(end) => {
                        let aborted = state.end(header, end, None);
                        is_news |= aborted.is_some_and(|aborted| segment.add_aborted(aborted));
                    }
                    None if header.attributes.is_control() => {}
                    None => state.update(header, None),
                }
                Ok(())
            })?;
            if let Some(error) = fault {
                return Err(segment.corrupt(position, &error));
            }
            if is_news {
                segment.write_aborted()?;
            }
        }
        Ok((state, snapshot_at))
    }
}

/// A bad batch.
struct Fault {
    position: u64,
    error: ProtocolError,
}

/// Checks batches and collects what they tell.
struct Walk<'a> {
    segment: &'a Segment,
    indexes: ActiveIndexes,
    next_offset: i64,
}

impl<'a> Walk<'a> {
    fn new(segment: &'a Segment, indexes: ActiveIndexes) -> Self {
        Self {
            segment,
            indexes,
            next_offset: segment.base_offset,
        }
    }

    fn run(&mut self, from: u64, epochs: &mut LeaderEpochs) -> Result<Option<Fault>, LogError> {
        let indexes = &mut self.indexes;
        let next_offset = &mut self.next_offset;
        let base_offset = self.segment.base_offset;
        let (position, fault) = self.segment.walk(from, &mut |batch: Walked<'_>| {
            let header = &batch.header;
            if compute_crc(batch.bytes) != header.crc {
                return Err(ProtocolError::CorruptBatch {
                    reason: "checksum differs",
                });
            }
            // The sum leaves the base offset out.
            let span = header.last_offset().saturating_sub(base_offset);
            let rises = header.base_offset >= *next_offset && header.last_offset_delta >= 0;
            if !rises || span > i64::from(i32::MAX) {
                return Err(ProtocolError::CorruptBatch {
                    reason: "offsets do not rise",
                });
            }
            epochs.assign(header.partition_leader_epoch, header.base_offset);
            indexes.note(header, batch.position);
            *next_offset = header.next_offset();
            Ok(())
        })?;
        Ok(fault.map(|error| Fault { position, error }))
    }
}

/// Sizes of a segment's files; none where the file is missing.
#[derive(Debug, Clone, Copy, Default)]
struct SegmentFiles {
    log_bytes: u64,
    index_bytes: Option<u64>,
    time_index_bytes: Option<u64>,
}

impl SegmentFiles {
    fn has_indexes(&self) -> bool {
        let whole = |bytes: Option<u64>, entry| bytes.is_some_and(|bytes| bytes % entry == 0);
        whole(self.index_bytes, offset_index::ENTRY_BYTES) && whole(self.time_index_bytes, time_index::ENTRY_BYTES)
    }
}

type FoundSegment = (i64, SegmentFiles);

/// Files of a partition directory, sorted.
struct Found {
    segments: Vec<FoundSegment>,
    snapshots: Vec<i64>,
    /// Base offsets of the lists of aborted transactions.
    aborted: Vec<i64>,
}

impl Found {
    fn of(entries: &[DirEntry]) -> Self {
        let size_of = |base, extension| {
            let name = file_name(base, extension);
            entries.iter().find(|entry| entry.name == name).map(|entry| entry.size)
        };
        let mut segments: Vec<FoundSegment> = entries
            .iter()
            .filter_map(|entry| Some((base_of(&entry.name, LOG)?, entry.size)))
            .map(|(base, log_bytes)| {
                let index_bytes = size_of(base, OFFSET_INDEX);
                let time_index_bytes = size_of(base, TIME_INDEX);
                (
                    base,
                    SegmentFiles {
                        log_bytes,
                        index_bytes,
                        time_index_bytes,
                    },
                )
            })
            .collect();
        segments.sort_unstable_by_key(|(base, _)| *base);
        let mut snapshots: Vec<i64> = entries
            .iter()
            .filter_map(|entry| base_of(&entry.name, SNAPSHOT))
            .collect();
        snapshots.sort_unstable();
        let aborted = entries.iter();
        let aborted = aborted.filter_map(|entry| base_of(&entry.name, TRANSACTION_INDEX));
        Self {
            segments,
            snapshots,
            aborted: aborted.collect(),
        }
    }
}

pub(crate) fn file_name(base: i64, extension: &str) -> String {
    format!("{base:020}.{extension}")
}

fn base_of(name: &str, extension: &str) -> Option<i64> {
    let digits = name.strip_suffix(extension)?.strip_suffix('.')?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

/// Returns the last offset in a file of whole batches.
fn last_offset_of(place: &Place, path: &Path) -> Result<Option<i64>, LogError> {
    let failed = || LogError::io("read", path);
    let file = place.disk.open(path, OpenMode::Existing).map_err(failed())?;
    let size = file.size().map_err(failed())?;
    let mut position = 0;
    let mut last = None;
    while position < size {
        let bytes = read_chunk(&*file, position, HEADER_BYTES).map_err(failed())?;
        let header = BatchHeader::parse(&bytes)?;
        position += header.size() as u64;
        last = Some(header.last_offset());
    }
    Ok(last)
}
