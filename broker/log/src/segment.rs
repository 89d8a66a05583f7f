//! One segment: a log file, its two indexes and its aborted transactions
//!
//! Shared by the writer and any number of readers. A segment is active, with its
//! indexes in memory, or sealed, with its indexes in files. Batches are found by
//! index and header scan and are returned whole, never cut or re-based. What may
//! be seen (high watermark) is the reader's business.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;
use weir_protocol::error::ProtocolError;
use weir_protocol::records::batch::{BatchHeader, HEADER_BYTES};

use crate::aborted::{self, AbortedTransaction};
use crate::error::LogError;
use crate::io::{Disk, DiskFile, OpenMode, replace_file};
use crate::offset_index::{self, OffsetEntry, OffsetIndex};
use crate::time_index::{self, TimeEntry, TimeIndex};

/// Smallest piece read while looking for a batch.
const SCAN_BYTES: usize = 4096;

pub(crate) const LOG: &str = "log";
pub(crate) const OFFSET_INDEX: &str = "index";
pub(crate) const TIME_INDEX: &str = "timeindex";
pub(crate) const TRANSACTION_INDEX: &str = "txnindex";

/// Returns the path of one of a segment's files.
pub(crate) fn file_path(dir: &Path, base_offset: i64, extension: &str) -> PathBuf {
    dir.join(format!("{base_offset:020}.{extension}"))
}

/// Indexes of an active segment, and what goes into their next entries.
#[derive(Debug)]
pub(crate) struct ActiveIndexes {
    pub(crate) offsets: OffsetIndex,
    pub(crate) times: TimeIndex,
    base_offset: i64,
    interval_bytes: u64,
    bytes_since_entry: u64,
    /// Largest timestamp so far and the last offset of its batch.
    pub(crate) largest: Option<TimeEntry>,
}

impl ActiveIndexes {
    pub(crate) fn new(base_offset: i64, interval_bytes: u64) -> Self {
        Self {
            offsets: OffsetIndex::default(),
            times: TimeIndex::default(),
            base_offset,
            interval_bytes,
            bytes_since_entry: 0,
            largest: None,
        }
    }

    /// Goes on with indexes read from a sealed segment's files.
    pub(crate) fn resume(base_offset: i64, interval_bytes: u64, offsets: OffsetIndex, times: TimeIndex) -> Self {
        let largest = times.last();
        Self {
            offsets,
            times,
            largest,
            ..Self::new(base_offset, interval_bytes)
        }
    }

    /// Takes in a batch at a position; adds entries once per interval.
    pub(crate) fn note(&mut self, header: &BatchHeader, position: u64) {
        // Entries point at the batch with which the interval is passed, so the
        // scan from an entry meets at most one interval of other batches.
        let relative_of = |offset: i64| u32::try_from(offset - self.base_offset).unwrap_or(u32::MAX);
        if self.bytes_since_entry > self.interval_bytes {
            let position = u32::try_from(position).unwrap_or(u32::MAX);
            self.offsets.push(OffsetEntry {
                relative_offset: relative_of(header.last_offset()),
                position,
            });
            if let Some(largest) = self.largest {
                self.times.push(largest);
            }
            self.bytes_since_entry = 0;
        }
        if self
            .largest
            .is_none_or(|largest| header.max_timestamp > largest.timestamp)
        {
            // The batch's last offset, as Kafka has it: which record it is, is not
            // known without a walk.
            let relative_offset = relative_of(header.last_offset());
            self.largest = Some(TimeEntry {
                timestamp: header.max_timestamp,
                relative_offset,
            });
        }
        self.bytes_since_entry += header.size() as u64;
    }

    /// Adds the closing entry of the time index.
    pub(crate) fn close(&mut self) {
        if let Some(largest) = self.largest {
            self.times.push(largest);
        }
    }
}

/// Where a segment's indexes are.
#[derive(Debug)]
enum Indexes {
    Active(ActiveIndexes),
    Sealed,
}

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) base_offset: i64,
    dir: Arc<Path>,
    disk: Arc<dyn Disk>,
    // Opened on first use: thousands of idle partitions need no descriptors.
    // Held for good once open, so readers of a replaced or removed segment
    // finish on the file they began with.
    log: OnceLock<Arc<dyn DiskFile>>,
    offset_file: OnceLock<Arc<dyn DiskFile>>,
    time_file: OnceLock<Arc<dyn DiskFile>>,
    // Bytes that hold whole, stamped batches; the file may be longer for the
    // moment between a failed write and its truncation.
    size: AtomicU64,
    indexes: RwLock<Indexes>,
    // By rising offset of the marker. Held whole: a reader must not miss one because a file went.
    aborted: RwLock<Vec<AbortedTransaction>>,
    // Where the last read ended: relative offset above, position below.
    hint: AtomicU64,
}

/// What a read may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentRead {
    pub(crate) from: i64,
    /// Batches that reach this offset are not given.
    pub(crate) end: i64,
    pub(crate) max_bytes: usize,
    pub(crate) at_least_one: bool,
}

/// Whole batches, and the offset after them.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    pub(crate) bytes: Bytes,
    pub(crate) next_offset: i64,
}

impl Segment {
    /// Makes a new, empty, active segment.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        dir: &Arc<Path>,
        base_offset: i64,
        interval_bytes: u64,
    ) -> Result<Self, LogError> {
        let path = file_path(dir, base_offset, LOG);
        let file = disk
            .open(&path, OpenMode::Create)
            .map_err(LogError::io("create segment", &path))?;
        let segment = Self::sealed(disk, dir, base_offset, 0);
        segment.activate(ActiveIndexes::new(base_offset, interval_bytes));
        let _ = segment.log.set(file);
        Ok(segment)
    }

    /// Describes a segment that is on disk with its indexes.
    pub(crate) fn sealed(disk: &Arc<dyn Disk>, dir: &Arc<Path>, base_offset: i64, size: u64) -> Self {
        Self {
            base_offset,
            dir: Arc::clone(dir),
            disk: Arc::clone(disk),
            log: OnceLock::new(),
            offset_file: OnceLock::new(),
            time_file: OnceLock::new(),
            size: AtomicU64::new(size),
            indexes: RwLock::new(Indexes::Sealed),
            aborted: RwLock::default(),
            hint: AtomicU64::new(0),
        }
    }

    /// Makes the segment the one that is written to.
    pub(crate) fn activate(&self, indexes: ActiveIndexes) {
        *self.indexes.write() = Indexes::Active(indexes);
    }

    /// Returns the bytes of batches.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Publishes batches that were appended to the file.
    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Returns the path of one of the segment's files.
    pub(crate) fn path(&self, extension: &str) -> PathBuf {
        file_path(&self.dir, self.base_offset, extension)
    }

    /// Makes the error of a failed operation; the path is only built then.
    pub(crate) fn failed<'a>(
        &'a self,
        action: &'static str,
        extension: &'a str,
    ) -> impl FnOnce(io::Error) -> LogError + 'a {
        move |source| LogError::Io {
            action,
            path: self.path(extension),
            source,
        }
    }

    /// Returns the log file, opened.
    pub(crate) fn log(&self) -> Result<&Arc<dyn DiskFile>, LogError> {
        self.open(&self.log, LOG)
    }

    /// Opens all files of a sealed segment, whose names may be taken over soon.
    pub(crate) fn pin(&self) -> Result<(), LogError> {
        self.open(&self.log, LOG)?;
        self.open(&self.offset_file, OFFSET_INDEX)?;
        self.open(&self.time_file, TIME_INDEX)?;
        Ok(())
    }

    fn open<'a>(
        &self,
        slot: &'a OnceLock<Arc<dyn DiskFile>>,
        extension: &str,
    ) -> Result<&'a Arc<dyn DiskFile>, LogError> {
        if let Some(file) = slot.get() {
            return Ok(file);
        }
        let path = self.path(extension);
        let file = self
            .disk
            .open(&path, OpenMode::Existing)
            .map_err(LogError::io("open segment", &path))?;
        Ok(slot.get_or_init(|| file))
    }

    /// Changes the in-memory indexes; nothing happens on a sealed segment.
    pub(crate) fn with_active<T>(&self, change: impl FnOnce(&mut ActiveIndexes) -> T) -> Option<T> {
        match &mut *self.indexes.write() {
            Indexes::Active(indexes) => Some(change(indexes)),
            Indexes::Sealed => None,
        }
    }

    /// Drops the in-memory indexes, whose files `offset_file` and `time_file` are.
    pub(crate) fn seal(&self, offset_file: Arc<dyn DiskFile>, time_file: Arc<dyn DiskFile>) {
        let _ = self.offset_file.set(offset_file);
        let _ = self.time_file.set(time_file);
        *self.indexes.write() = Indexes::Sealed;
    }

    /// Adds an aborted transaction; false if its marker is known already.
    pub(crate) fn add_aborted(&self, aborted: AbortedTransaction) -> bool {
        let mut known = self.aborted.write();
        let at = known.partition_point(|one| one.last_offset < aborted.last_offset);
        if known.get(at).is_some_and(|one| one.last_offset == aborted.last_offset) {
            return false;
        }
        known.insert(at, aborted);
        true
    }

    /// Replaces the aborted transactions by those of the file.
    pub(crate) fn set_aborted(&self, aborted: Vec<AbortedTransaction>) {
        *self.aborted.write() = aborted;
    }

    /// Looks at the aborted transactions, by rising offset of the marker.
    pub(crate) fn with_aborted<T>(&self, look: impl FnOnce(&[AbortedTransaction]) -> T) -> T {
        look(&self.aborted.read())
    }

    /// Makes the list of aborted transactions durable; no file where there are none.
    pub(crate) fn write_aborted(&self) -> Result<(), LogError> {
        let content = self.with_aborted(aborted::encode);
        if content.is_empty() {
            return Ok(());
        }
        let name = format!("{:020}.{TRANSACTION_INDEX}", self.base_offset);
        replace_file(&*self.disk, &self.dir, &name, &content).map_err(self.failed("write", TRANSACTION_INDEX))
    }

    /// Returns the largest timestamp and the last offset of its batch.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<(i64, i64)>, LogError> {
        let entry = match &*self.indexes.read() {
            Indexes::Active(indexes) => {
                return Ok(indexes.largest.map(|entry| self.absolute(entry)));
            }
            Indexes::Sealed if self.size() == 0 => return Ok(None),
            Indexes::Sealed => {
                let file = self.open(&self.time_file, TIME_INDEX)?;
                time_index::last_in_file(&**file)
            }
        };
        let entry = entry.map_err(self.failed("read", TIME_INDEX))?;
        Ok(entry.map(|entry| self.absolute(entry)))
    }

    fn absolute(&self, entry: TimeEntry) -> (i64, i64) {
        (entry.timestamp, self.base_offset + i64::from(entry.relative_offset))
    }

    /// Returns an offset before which every record is older than `timestamp`.
    pub(crate) fn offset_before(&self, timestamp: i64) -> Result<i64, LogError> {
        let relative = match &*self.indexes.read() {
            Indexes::Active(indexes) => Ok(indexes.times.lookup(timestamp)),
            Indexes::Sealed => {
                let file = self.open(&self.time_file, TIME_INDEX)?;
                time_index::lookup_in_file(&**file, timestamp)
            }
        };
        let relative = relative.map_err(self.failed("read", TIME_INDEX))?;
        Ok(self.base_offset + i64::from(relative))
    }

    /// Returns a position at or before the batch that holds an offset.
    fn position_before(&self, offset: i64) -> Result<u64, LogError> {
        let Ok(relative) = u32::try_from(offset - self.base_offset) else {
            return Ok(0);
        };
        let hint = self.hint.load(Ordering::Relaxed);
        if hint != 0 && (hint >> 32) == u64::from(relative) {
            return Ok(hint & u64::from(u32::MAX));
        }
        let position = match &*self.indexes.read() {
            Indexes::Active(indexes) => Ok(indexes.offsets.lookup(relative)),
            Indexes::Sealed => {
                let file = self.open(&self.offset_file, OFFSET_INDEX)?;
                offset_index::lookup_in_file(&**file, relative)
            }
        };
        position.map(u64::from).map_err(self.failed("read", OFFSET_INDEX))
    }

    /// Remembers where a sequential reader goes on.
    fn remember(&self, next_offset: i64, position: u64) {
        if let (Ok(relative), Ok(position)) = (u32::try_from(next_offset - self.base_offset), u32::try_from(position)) {
            self.hint
                .store(u64::from(relative) << 32 | u64::from(position), Ordering::Relaxed);
        }
    }

    /// Reads the batches from the one that holds `from`, or the first after it.
    ///
    /// `None`: no batch from there on in this segment. No bytes: the limits leave
    /// none. Usually one system call.
    pub(crate) fn read(&self, read: SegmentRead) -> Result<Option<Batches>, LogError> {
        let size = self.size();
        let mut position = self.position_before(read.from)?;
        let mut want = read.max_bytes.max(SCAN_BYTES);
        while position < size {
            let chunk = self.chunk(position, want, size)?;
            match scan(&chunk, &read).map_err(|error| self.corrupt(position, &error))? {
                Scan::Found {
                    start,
                    end,
                    next_offset,
                } => {
                    self.remember(next_offset, position + end as u64);
                    let bytes = Bytes::from(chunk).slice(start..end);
                    return Ok(Some(Batches { bytes, next_offset }));
                }
                Scan::Hidden => {
                    return Ok(Some(Batches {
                        bytes: Bytes::new(),
                        next_offset: read.from,
                    }));
                }
                Scan::Skip { bytes } => position += bytes as u64,
                Scan::Cut { start, bytes } => {
                    // A batch, or even its header, is longer than the chunk.
                    let reach = position.saturating_add((start + bytes) as u64);
                    if reach > size {
                        let cut = ProtocolError::CorruptBatch {
                            reason: "batch cut short",
                        };
                        return Err(self.corrupt(position + start as u64, &cut));
                    }
                    position += start as u64;
                    want = want.max(bytes);
                }
            }
        }
        Ok(None)
    }

    fn chunk(&self, position: u64, want: usize, size: u64) -> Result<Vec<u8>, LogError> {
        let length = usize::try_from(size - position).unwrap_or(usize::MAX).min(want);
        let chunk = crate::io::read_chunk(&**self.log()?, position, length).map_err(self.failed("read", LOG))?;
        if chunk.len() < length {
            let reason = ProtocolError::CorruptBatch {
                reason: "file is shorter than it was",
            };
            return Err(self.corrupt(position, &reason));
        }
        Ok(chunk)
    }

    pub(crate) fn corrupt(&self, position: u64, error: &ProtocolError) -> LogError {
        LogError::Corrupt {
            path: self.path(LOG),
            position,
            reason: error.to_string(),
        }
    }

    /// Walks all batches from a position on, each given whole to `visit`.
    ///
    /// Stops at the first batch that cannot be read or that `visit` refuses, and
    /// answers its position and fault, or the end and none.
    pub(crate) fn walk(
        &self,
        mut position: u64,
        visit: &mut dyn FnMut(Walked<'_>) -> Result<(), ProtocolError>,
    ) -> Result<(u64, Option<ProtocolError>), LogError> {
        let size = self.size();
        let mut want = WALK_BYTES;
        while position < size {
            let chunk = self.chunk(position, want, size)?;
            let (used, step) = walk_chunk(&chunk, position, visit);
            position += used;
            match step {
                Step::End => want = WALK_BYTES,
                Step::Bad(error) => return Ok((position, Some(error))),
                Step::Short(bytes) if position.saturating_add(bytes as u64) <= size => {
                    want = WALK_BYTES.max(bytes);
                }
                Step::Short(_) => {
                    let cut = ProtocolError::CorruptBatch {
                        reason: "batch cut short",
                    };
                    return Ok((position, Some(cut)));
                }
            }
        }
        Ok((position, None))
    }
}

/// Bytes read at once while walking.
const WALK_BYTES: usize = 1 << 20;

/// A batch met by a walk.
pub(crate) struct Walked<'a> {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
    pub(crate) bytes: &'a [u8],
}

/// Why the walk over a chunk stopped.
enum Step {
    End,
    /// The next batch needs this many bytes.
    Short(usize),
    Bad(ProtocolError),
}

/// Visits the whole batches of a chunk; answers the bytes visited.
fn walk_chunk(
    chunk: &[u8],
    position: u64,
    visit: &mut dyn FnMut(Walked<'_>) -> Result<(), ProtocolError>,
) -> (u64, Step) {
    let mut rest = chunk;
    let step = loop {
        let at = (chunk.len() - rest.len()) as u64;
        if rest.is_empty() {
            break Step::End;
        }
        if rest.len() < HEADER_BYTES {
            break Step::Short(HEADER_BYTES);
        }
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(error) => break Step::Bad(error),
        };
        let Some((bytes, after)) = rest.split_at_checked(header.size()) else {
            break Step::Short(header.size());
        };
        if let Err(error) = visit(Walked {
            position: position + at,
            header,
            bytes,
        }) {
            break Step::Bad(error);
        }
        rest = after;
    };
    ((chunk.len() - rest.len()) as u64, step)
}

/// What a chunk of a segment holds for a read.
enum Scan {
    Found {
        start: usize,
        end: usize,
        next_offset: i64,
    },
    /// The first batch wanted may not be seen yet, or is larger than allowed.
    Hidden,
    /// Nothing wanted in the chunk; go on after these bytes.
    Skip {
        bytes: usize,
    },
    /// The batch at `start` needs `bytes` bytes.
    Cut {
        start: usize,
        bytes: usize,
    },
}

fn scan(chunk: &[u8], read: &SegmentRead) -> Result<Scan, ProtocolError> {
    let mut at = 0;
    let mut found: Option<(usize, i64)> = None;
    let answer = |found: Option<(usize, i64)>, end: usize, otherwise: Scan| match found {
        Some((start, next_offset)) => Scan::Found {
            start,
            end,
            next_offset,
        },
        None => otherwise,
    };
    while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.len() < HEADER_BYTES {
            return Ok(answer(
                found,
                at,
                Scan::Cut {
                    start: at,
                    bytes: HEADER_BYTES,
                },
            ));
        }
        let header = BatchHeader::parse(rest)?;
        let size = header.size();
        if header.last_offset() < read.from {
            at += size;
            continue;
        }
        if header.last_offset() >= read.end {
            return Ok(answer(found, at, Scan::Hidden));
        }
        let taken = found.map_or(0, |(start, _)| at - start) + size;
        if taken > read.max_bytes && !(read.at_least_one && found.is_none()) {
            return Ok(answer(found, at, Scan::Hidden));
        }
        if size > rest.len() {
            return Ok(answer(found, at, Scan::Cut { start: at, bytes: size }));
        }
        let start = found.map_or(at, |(start, _)| start);
        found = Some((start, header.next_offset()));
        at += size;
    }
    Ok(answer(found, at, Scan::Skip { bytes: at }))
}
