//! Offset index: which byte an offset is near
//!
//! Pairs of (offset relative to the segment, byte position), one per
//! `index.interval.bytes`, strictly rising in both. The active segment's index
//! lives in memory and is written when the segment is sealed; a sealed index is
//! searched in its file, so old segments cost no memory. Source: Kafka's `OffsetIndex`.

use std::io;

use crate::io::DiskFile;

/// Bytes of an entry on disk.
pub(crate) const ENTRY_BYTES: u64 = 8;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    pub(crate) relative_offset: u32,
    pub(crate) position: u32,
}

impl OffsetEntry {
    fn decode(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self {
            relative_offset: u32::from_be_bytes([a, b, c, d]),
            position: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

/// Index of an active segment.
#[derive(Debug, Default)]
pub(crate) struct OffsetIndex {
    // Invariant: both fields rise strictly.
    entries: Vec<OffsetEntry>,
}

impl OffsetIndex {
    /// Adds an entry; one that does not rise is left out.
    pub(crate) fn push(&mut self, entry: OffsetEntry) {
        let rises = self
            .entries
            .last()
            .is_none_or(|last| entry.relative_offset > last.relative_offset && entry.position > last.position);
        if rises {
            self.entries.push(entry);
        }
    }

    /// Returns the position of the last entry at or before an offset; 0 if none.
    pub(crate) fn lookup(&self, relative_offset: u32) -> u32 {
        let after = self
            .entries
            .partition_point(|entry| entry.relative_offset <= relative_offset);
        after
            .checked_sub(1)
            .and_then(|at| self.entries.get(at))
            .map_or(0, |entry| entry.position)
    }

    /// Returns the position of the last entry; 0 if none.
    pub(crate) fn last_position(&self) -> u64 {
        self.entries.last().map_or(0, |entry| u64::from(entry.position))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.entries.len() as u64 * ENTRY_BYTES
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.len() * ENTRY_BYTES as usize);
        for entry in &self.entries {
            out.extend_from_slice(&entry.relative_offset.to_be_bytes());
            out.extend_from_slice(&entry.position.to_be_bytes());
        }
        out
    }

    /// Reads an index back; `None` when it is not one, or points past `log_bytes`.
    pub(crate) fn decode(bytes: &[u8], log_bytes: u64) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return None;
        }
        let mut index = Self {
            entries: Vec::with_capacity(chunks.len()),
        };
        for chunk in chunks {
            let entry = OffsetEntry::decode(*chunk);
            let before = index.entries.len();
            index.push(entry);
            if index.entries.len() == before || u64::from(entry.position) >= log_bytes {
                return None;
            }
        }
        Some(index)
    }
}

/// Searches a sealed index file.
pub(crate) fn lookup_in_file(file: &dyn DiskFile, relative_offset: u32) -> io::Result<u32> {
    let mut low = 0;
    let mut high = file.size()? / ENTRY_BYTES;
    let mut found = 0;
    while low < high {
        let middle = low + (high - low) / 2;
        let mut bytes = [0; 8];
        if file.read_at(&mut bytes, middle * ENTRY_BYTES)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let entry = OffsetEntry::decode(bytes);
        if entry.relative_offset <= relative_offset {
            found = entry.position;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> OffsetIndex {
        let mut index = OffsetIndex::default();
        for (relative_offset, position) in [(5, 100), (9, 200), (9, 300), (20, 150), (30, 400)] {
            index.push(OffsetEntry {
                relative_offset,
                position,
            });
        }
        index
    }

    #[test]
    fn lookup_answers_the_entry_at_or_before() {
        for (offset, position) in [(0, 0), (4, 0), (5, 100), (8, 100), (9, 200), (29, 200), (99, 400)] {
            assert_eq!(index().lookup(offset), position, "{offset}");
        }
    }

    #[test]
    fn what_is_no_index_is_not_read() {
        let bytes = index().encode();
        assert_eq!(bytes.len() as u64, index().bytes());
        assert_eq!(OffsetIndex::decode(&bytes, 401).unwrap().entries, index().entries);
        assert!(OffsetIndex::decode(&bytes, 400).is_none());
        assert!(OffsetIndex::decode(&bytes[1..], 401).is_none());
        assert!(OffsetIndex::decode(&[bytes.clone(), vec![0; 16]].concat(), 401).is_none());
    }
}
