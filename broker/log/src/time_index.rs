//! Time index: the offset from which a timestamp can be met
//!
//! Pairs of (largest timestamp so far, relative offset of its record), rising in
//! time. The last entry of a sealed segment is its largest timestamp. Kept in
//! memory while active, like the offset index. Source: Kafka's `TimeIndex`.

use std::io;

use crate::io::DiskFile;

/// Bytes of an entry on disk.
pub(crate) const ENTRY_BYTES: u64 = 12;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) relative_offset: u32,
}

impl TimeEntry {
    fn decode(bytes: [u8; 12]) -> Self {
        let [t0, t1, t2, t3, t4, t5, t6, t7, a, b, c, d] = bytes;
        Self {
            timestamp: i64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
            relative_offset: u32::from_be_bytes([a, b, c, d]),
        }
    }
}

/// Index of an active segment.
#[derive(Debug, Default)]
pub(crate) struct TimeIndex {
    // Invariant: timestamps rise strictly.
    entries: Vec<TimeEntry>,
}

impl TimeIndex {
    /// Adds an entry if its timestamp is later than the last.
    pub(crate) fn push(&mut self, entry: TimeEntry) {
        if self.entries.last().is_none_or(|last| entry.timestamp > last.timestamp) {
            self.entries.push(entry);
        }
    }

    /// Returns the offset before which every record is older than `timestamp`.
    pub(crate) fn lookup(&self, timestamp: i64) -> u32 {
        let after = self.entries.partition_point(|entry| entry.timestamp < timestamp);
        after
            .checked_sub(1)
            .and_then(|at| self.entries.get(at))
            .map_or(0, |entry| entry.relative_offset)
    }

    /// Reads an index back; `None` when it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<12>();
        let mut index = Self {
            entries: Vec::with_capacity(chunks.len()),
        };
        for chunk in chunks {
            index.push(TimeEntry::decode(*chunk));
        }
        (rest.is_empty() && index.entries.len() == chunks.len()).then_some(index)
    }

    /// Returns the entry with the largest timestamp.
    pub(crate) fn last(&self) -> Option<TimeEntry> {
        self.entries.last().copied()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.len() * ENTRY_BYTES as usize);
        for entry in &self.entries {
            out.extend_from_slice(&entry.timestamp.to_be_bytes());
            out.extend_from_slice(&entry.relative_offset.to_be_bytes());
        }
        out
    }
}

/// Searches a sealed index file, as [`TimeIndex::lookup`] does.
pub(crate) fn lookup_in_file(file: &dyn DiskFile, timestamp: i64) -> io::Result<u32> {
    let mut low = 0;
    let mut high = file.size()? / ENTRY_BYTES;
    let mut found = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = read_entry(file, middle)?;
        if entry.timestamp < timestamp {
            found = entry.relative_offset;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}

/// Reads the entry with the segment's largest timestamp.
pub(crate) fn last_in_file(file: &dyn DiskFile) -> io::Result<Option<TimeEntry>> {
    match (file.size()? / ENTRY_BYTES).checked_sub(1) {
        Some(last) => read_entry(file, last).map(Some),
        None => Ok(None),
    }
}

fn read_entry(file: &dyn DiskFile, number: u64) -> io::Result<TimeEntry> {
    let mut bytes = [0; 12];
    if file.read_at(&mut bytes, number * ENTRY_BYTES)? < bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(TimeEntry::decode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_never_passes_a_record_of_that_time() {
        let mut index = TimeIndex::default();
        for (timestamp, relative_offset) in [(10, 3), (10, 5), (8, 6), (20, 9)] {
            index.push(TimeEntry {
                timestamp,
                relative_offset,
            });
        }
        for (timestamp, offset) in [(5, 0), (10, 0), (11, 3), (20, 3), (21, 9)] {
            assert_eq!(index.lookup(timestamp), offset, "{timestamp}");
        }
        assert_eq!(index.encode().len() as u64, 2 * ENTRY_BYTES);
    }
}
