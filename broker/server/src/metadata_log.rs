//! What the broker knows about topics, kept in an own small log.
//!
//! Two files in the data directory: a snapshot and a log of changes since. A change is one frame
//! (length, CRC-32C, entries) and is synced before the caller hears of it; a frame cut short at
//! the end is a change nobody was told of and is dropped, anything else that does not check is
//! corruption and stops the start. Replaying the log over a newer snapshot gives the same state,
//! so the two need no common number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::BufMut;
use weir_protocol::messages::Uuid;
use weir_protocol::primitives::Reader;

use crate::error::ServerError;
use crate::topic_config::Overrides;

const LOG_NAME: &str = "weir-metadata.log";
const SNAPSHOT_NAME: &str = "weir-metadata.snapshot";
const SNAPSHOT_TEMPORARY: &str = "weir-metadata.snapshot.tmp";
/// First bytes of both files: name and format version.
const MAGIC: &[u8; 8] = b"weirmd\0\x01";
const FRAME_HEADER_BYTES: usize = 8;
/// A log above this is folded into the snapshot.
const FOLD_BYTES: u64 = 1 << 20;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A topic as it stands: made, grown or configured anew.
    Topic(TopicRecord),
    TopicDeleted(Uuid),
    /// The broker started and leads every partition in this epoch.
    LeaderEpoch(i32),
    /// Producer ids below this may have been handed out.
    NextProducerId(i64),
}

/// A topic as the metadata log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicRecord {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) overrides: Overrides,
}

/// Everything the log adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MetadataState {
    pub(crate) topics: BTreeMap<Uuid, TopicRecord>,
    /// Topics whose directories may still have to go after a crash. Kept until the log is folded.
    pub(crate) deleted: BTreeSet<Uuid>,
    pub(crate) leader_epoch: i32,
    pub(crate) next_producer_id: i64,
}

impl MetadataState {
    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Topic(topic) => {
                self.topics.insert(topic.id, topic);
            }
            Entry::TopicDeleted(id) => {
                self.topics.remove(&id);
                self.deleted.insert(id);
            }
            Entry::LeaderEpoch(epoch) => self.leader_epoch = self.leader_epoch.max(epoch),
            Entry::NextProducerId(id) => self.next_producer_id = self.next_producer_id.max(id),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let mut entries = vec![
            Entry::LeaderEpoch(self.leader_epoch),
            Entry::NextProducerId(self.next_producer_id),
        ];
        entries.extend(self.topics.values().cloned().map(Entry::Topic));
        entries
    }
}

/// The open log. One writer: `cluster.rs` holds it under its lock.
#[derive(Debug)]
pub(crate) struct MetadataLog {
    directory: PathBuf,
    file: File,
    bytes: u64,
    state: MetadataState,
    /// A failed sync leaves the file unknown; nothing is written to it again.
    failed: bool,
}

impl MetadataLog {
    /// Opens or makes the log of a data directory.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something other than what was written.
    pub(crate) fn open(directory: &Path) -> Result<Self, ServerError> {
        let mut state = MetadataState::default();
        let snapshot = directory.join(SNAPSHOT_NAME);
        if let Some(bytes) = read_if_there(&snapshot).map_err(|error| io_fault(&snapshot, &error))? {
            let end = replay(&bytes, &mut state).map_err(|reason| corrupt(&snapshot, reason))?;
            if end != bytes.len() {
                return Err(corrupt(&snapshot, "a frame is cut short"));
            }
        }
        let path = directory.join(LOG_NAME);
        let existing = read_if_there(&path).map_err(|error| io_fault(&path, &error))?;
        let opened = match existing.filter(|bytes| bytes.len() >= MAGIC.len()) {
            Some(bytes) => {
                let end = replay(&bytes, &mut state).map_err(|reason| corrupt(&path, reason))?;
                open_at(&path, end as u64)
            }
            None => create(directory, &path),
        };
        let (file, bytes) = opened.map_err(|error| io_fault(&path, &error))?;
        Ok(Self {
            directory: directory.to_path_buf(),
            file,
            bytes,
            state,
            failed: false,
        })
    }

    pub(crate) fn state(&self) -> &MetadataState {
        &self.state
    }

    /// Writes changes as one frame and syncs; they are part of the state once this returns.
    ///
    /// # Errors
    /// The disk's. The log takes no further change then: what the file holds is unknown.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier write of the metadata log failed"));
        }
        let frame = encode_frame(&entries);
        let written = self.file.write_all(&frame).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.failed = true;
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        for entry in entries {
            self.state.apply(entry);
        }
        if self.bytes > FOLD_BYTES
            && let Err(error) = self.fold()
        {
            // The changes are durable in the log; a longer log is all this costs.
            tracing::warn!(%error, "metadata log could not be folded into its snapshot");
        }
        Ok(())
    }

    /// Writes the state as a snapshot and empties the log.
    fn fold(&mut self) -> io::Result<()> {
        let temporary = self.directory.join(SNAPSHOT_TEMPORARY);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&encode_frame(&self.state.entries()));
        let mut file = File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.directory.join(SNAPSHOT_NAME))?;
        sync_directory(&self.directory)?;
        let emptied = self.empty_log();
        self.failed = emptied.is_err();
        emptied
    }

    fn empty_log(&mut self) -> io::Result<()> {
        let empty = MAGIC.len() as u64;
        self.file.set_len(empty)?;
        self.file.seek(SeekFrom::Start(empty))?;
        self.file.sync_data()?;
        self.bytes = empty;
        self.state.deleted.clear();
        Ok(())
    }
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_at(path: &Path, end: u64) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() != end {
        tracing::warn!(path = %path.display(), end, "metadata log cut back to its last whole change");
        file.set_len(end)?;
        file.sync_data()?;
    }
    file.seek(SeekFrom::Start(end))?;
    Ok((file, end))
}

fn create(directory: &Path, path: &Path) -> io::Result<(File, u64)> {
    let mut file = File::create(path)?;
    file.write_all(MAGIC)?;
    file.sync_all()?;
    sync_directory(directory)?;
    Ok((file, MAGIC.len() as u64))
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn corrupt(path: &Path, reason: &str) -> ServerError {
    ServerError::Metadata {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    }
}

fn io_fault(path: &Path, error: &io::Error) -> ServerError {
    ServerError::Metadata {
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}

/// Applies every whole frame and answers where the last one ends.
fn replay(bytes: &[u8], state: &mut MetadataState) -> Result<usize, &'static str> {
    let mut rest = bytes
        .strip_prefix(MAGIC.as_slice())
        .ok_or("not a metadata file of this version")?;
    loop {
        let end = bytes.len() - rest.len();
        match next_frame(rest)? {
            Frame::Whole { payload, rest: after } => {
                for entry in decode_entries(payload).ok_or("an entry does not parse")? {
                    state.apply(entry);
                }
                rest = after;
            }
            Frame::Torn => return Ok(end),
        }
    }
}

enum Frame<'a> {
    Whole {
        payload: &'a [u8],
        rest: &'a [u8],
    },
    /// The end of the file, or a change that was never finished.
    Torn,
}

fn next_frame(bytes: &[u8]) -> Result<Frame<'_>, &'static str> {
    let mut reader = Reader::new(bytes);
    let (Some(length), Some(crc)) = (reader.u32(), reader.u32()) else {
        return Ok(Frame::Torn);
    };
    // A length of zero is never written: the system grew the file but not its content.
    let Some(payload) = reader.take(length as usize).filter(|payload| !payload.is_empty()) else {
        return Ok(Frame::Torn);
    };
    if crc32c::crc32c(payload) == crc {
        Ok(Frame::Whole {
            payload,
            rest: reader.rest(),
        })
    } else if reader.remaining() == 0 {
        Ok(Frame::Torn)
    } else {
        Err("a checksum differs before the end")
    }
}

fn encode_frame(entries: &[Entry]) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    frame.put_u32(entries.len() as u32);
    for entry in entries {
        encode_entry(&mut frame, entry);
    }
    let payload = &frame[FRAME_HEADER_BYTES..];
    let (length, crc) = (payload.len() as u32, crc32c::crc32c(payload));
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame[4..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    frame
}

const TOPIC: i8 = 1;
const TOPIC_DELETED: i8 = 2;
const LEADER_EPOCH: i8 = 3;
const NEXT_PRODUCER_ID: i8 = 4;

fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    match entry {
        Entry::Topic(topic) => {
            out.put_i8(TOPIC);
            out.put_slice(topic.id.as_bytes());
            put_text(out, &topic.name);
            out.put_u32(topic.partitions);
            out.put_u32(topic.overrides.len() as u32);
            for (key, value) in &topic.overrides {
                put_text(out, key);
                put_text(out, value);
            }
        }
        Entry::TopicDeleted(id) => {
            out.put_i8(TOPIC_DELETED);
            out.put_slice(id.as_bytes());
        }
        Entry::LeaderEpoch(epoch) => {
            out.put_i8(LEADER_EPOCH);
            out.put_i32(*epoch);
        }
        Entry::NextProducerId(id) => {
            out.put_i8(NEXT_PRODUCER_ID);
            out.put_i64(*id);
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

fn decode_entries(payload: &[u8]) -> Option<Vec<Entry>> {
    let mut reader = Reader::new(payload);
    let count = reader.u32()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(decode_entry(&mut reader)?);
    }
    (reader.remaining() == 0).then_some(entries)
}

fn decode_entry(reader: &mut Reader<'_>) -> Option<Entry> {
    match reader.i8()? {
        TOPIC => {
            let id = take_id(reader)?;
            let name = take_text(reader)?;
            let partitions = reader.u32()?;
            let mut overrides = Overrides::new();
            for _ in 0..reader.u32()? {
                let key = take_text(reader)?;
                overrides.insert(key, take_text(reader)?);
            }
            Some(Entry::Topic(TopicRecord {
                id,
                name,
                partitions,
                overrides,
            }))
        }
        TOPIC_DELETED => take_id(reader).map(Entry::TopicDeleted),
        LEADER_EPOCH => reader.i32().map(Entry::LeaderEpoch),
        NEXT_PRODUCER_ID => reader.i64().map(Entry::NextProducerId),
        _ => None,
    }
}

fn take_id(reader: &mut Reader<'_>) -> Option<Uuid> {
    reader.take(16)?.try_into().ok().map(Uuid::from_bytes)
}

fn take_text(reader: &mut Reader<'_>) -> Option<String> {
    let length = reader.u32()? as usize;
    String::from_utf8(reader.take(length)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: u8, partitions: u32) -> Entry {
        Entry::Topic(TopicRecord {
            id: Uuid::from_bytes([number; 16]),
            name: format!("topic-{number}"),
            partitions,
            overrides: Overrides::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
        })
    }

    fn reopened(directory: &Path) -> MetadataState {
        MetadataLog::open(directory).unwrap().state().clone()
    }

    #[test]
    fn changes_survive_reopening_and_folding() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = MetadataLog::open(directory.path()).unwrap();
        log.append(vec![topic(1, 1), topic(2, 3), Entry::LeaderEpoch(4)])
            .unwrap();
        log.append(vec![Entry::NextProducerId(2000), topic(1, 5)]).unwrap();
        log.append(vec![Entry::TopicDeleted(Uuid::from_bytes([2; 16]))])
            .unwrap();
        let state = log.state().clone();
        assert_eq!(state.topics.len(), 1);
        assert_eq!((state.leader_epoch, state.next_producer_id), (4, 2000));
        assert_eq!(reopened(directory.path()), state);
        log.fold().unwrap();
        assert_eq!(
            reopened(directory.path()),
            MetadataState {
                deleted: BTreeSet::new(),
                ..state
            }
        );
        log.append(vec![topic(3, 1)]).unwrap();
        assert_eq!(reopened(directory.path()), *log.state());
    }

    #[test]
    fn every_cut_gives_a_prefix_of_the_changes() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = MetadataLog::open(directory.path()).unwrap();
        let mut states = vec![log.state().clone()];
        for number in 1..5 {
            log.append(vec![topic(number, 1)]).unwrap();
            states.push(log.state().clone());
        }
        let path = directory.path().join(LOG_NAME);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let state = reopened(directory.path());
            assert!(states.contains(&state), "cut at {cut}");
            // What was cut off must not come back behind the next change.
            assert_eq!(reopened(directory.path()), state, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_before_the_end_stops_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = MetadataLog::open(directory.path()).unwrap();
        log.append(vec![topic(1, 1)]).unwrap();
        log.append(vec![topic(2, 1)]).unwrap();
        let path = directory.path().join(LOG_NAME);
        let mut bytes = fs::read(&path).unwrap();
        bytes[MAGIC.len() + FRAME_HEADER_BYTES + 3] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = MetadataLog::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("checksum"), "{error}");
    }
}
