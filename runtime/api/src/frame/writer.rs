//! Writing frames
//!
//! Records are appended as they come, strings go into a table that is put at the end, the header is patched once. No
//! allocation for a record once the buffers have grown; a repeated string costs a comparison. Cost for each record: 48
//! bytes of fixed part and one copy of each part. Format: wasm-abi §4.

use std::collections::HashMap;

use crate::frame::frame_error::FrameError;
use crate::frame::layout::{HEADER_LEN, MAGIC, NO_PARTITION, NULL, RECORD_LEN, frame_flags, record_flags};
use crate::frame::slot::Slot;

/// Strings compared before the map is asked: topic, source partition and a few header names alternate.
const RECENT: usize = 4;

/// A header to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderParts<'a> {
    /// Table index of the name, from [`FrameWriter::intern`].
    pub name: u32,
    /// Value.
    pub value: Slot<'a>,
}

/// Coordinates before transformations, to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginParts {
    /// Table index of the topic.
    pub topic: u32,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A record of a source frame, to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceParts<'a> {
    /// Table index of the topic, from [`FrameWriter::intern`].
    pub topic: u32,
    /// Partition, if the connector chooses.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Table index of the source partition, a compact JSON object.
    pub source_partition: Option<u32>,
    /// Source offset, a compact JSON object.
    pub source_offset: Option<&'a [u8]>,
    /// Key.
    pub key: Slot<'a>,
    /// Value.
    pub value: Slot<'a>,
    /// Headers in order.
    pub headers: &'a [HeaderParts<'a>],
    /// Flags besides those that follow from other fields, see [`record_flags`].
    pub flags: u16,
    /// Coordinates before transformations.
    pub origin: Option<OriginParts>,
}

/// A record of a sink frame, to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SinkParts<'a> {
    /// Table index of the topic, from [`FrameWriter::intern`].
    pub topic: u32,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Key.
    pub key: Slot<'a>,
    /// Value.
    pub value: Slot<'a>,
    /// Headers in order.
    pub headers: &'a [HeaderParts<'a>],
    /// Flags besides those that follow from other fields, see [`record_flags`].
    pub flags: u16,
    /// Coordinates before transformations.
    pub origin: Option<OriginParts>,
}

/// Writes one frame after another.
///
/// Invariant: `buffer` is the header's room and whole records; `strings` is the table as it will stand in the frame,
/// `spans` the place of each string's text in it.
#[derive(Debug, Clone)]
pub struct FrameWriter {
    buffer: Vec<u8>,
    strings: Vec<u8>,
    spans: Vec<(u32, u32)>,
    index: HashMap<Box<str>, u32>,
    recent: [u32; RECENT],
    oldest: usize,
    flags: u16,
    batch: u64,
    record_count: u32,
}

impl FrameWriter {
    /// Starts a source frame.
    pub fn source() -> Self {
        Self::new(0, 0)
    }

    /// Starts a sink frame with the host's number of the batch.
    pub fn sink(batch: u64) -> Self {
        Self::new(frame_flags::SINK, batch)
    }

    fn new(flags: u16, batch: u64) -> Self {
        Self {
            buffer: vec![0; HEADER_LEN],
            strings: Vec::new(),
            spans: Vec::new(),
            index: HashMap::new(),
            recent: [NULL; RECENT],
            oldest: 0,
            flags,
            batch,
            record_count: 0,
        }
    }

    /// Gives the table index of a string, adding it on first use.
    pub fn intern(&mut self, text: &str) -> u32 {
        for known in self.recent {
            if self.text(known) == Some(text.as_bytes()) {
                return known;
            }
        }
        let index = match self.index.get(text) {
            Some(index) => *index,
            None => self.add(text),
        };
        if let Some(slot) = self.recent.get_mut(self.oldest) {
            *slot = index;
        }
        self.oldest = (self.oldest + 1) % RECENT;
        index
    }

    /// Appends a record to a source frame.
    ///
    /// # Errors
    /// The frame would grow beyond what its length field can say, or the record has over 65,535 headers.
    pub fn source_record(&mut self, parts: &SourceParts<'_>) -> Result<(), FrameError> {
        debug_assert!(
            self.flags & frame_flags::SINK == 0,
            "source records go into source frames"
        );
        let fixed = Fixed {
            topic: parts.topic,
            partition: parts.partition.unwrap_or(NO_PARTITION),
            timestamp: parts.timestamp,
            position: u64::from(parts.source_partition.unwrap_or(NULL))
                | (u64::from(nullable_len(parts.source_offset)?) << 32),
            key: parts.key,
            value: parts.value,
            headers: parts.headers,
            flags: parts.flags,
            origin: parts.origin,
        };
        self.append(&fixed, parts.source_offset)
    }

    /// Appends a record to a sink frame.
    ///
    /// # Errors
    /// As [`FrameWriter::source_record`].
    pub fn sink_record(&mut self, parts: &SinkParts<'_>) -> Result<(), FrameError> {
        debug_assert!(self.flags & frame_flags::SINK != 0, "sink records go into sink frames");
        let fixed = Fixed {
            topic: parts.topic,
            partition: parts.partition,
            timestamp: parts.timestamp,
            position: parts.offset.cast_unsigned(),
            key: parts.key,
            value: parts.value,
            headers: parts.headers,
            flags: parts.flags,
            origin: parts.origin,
        };
        self.append(&fixed, None)
    }

    /// Adds flags of the frame, see [`frame_flags`].
    pub fn set_flags(&mut self, flags: u16) {
        self.flags |= flags;
    }

    /// Sets the host's number of the batch.
    pub fn set_batch(&mut self, batch: u64) {
        self.batch = batch;
    }

    /// Size the frame would have now.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.strings.len()
    }

    /// Tells whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Number of records so far.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Completes the frame and lends it; [`FrameWriter::clear`] starts the next with the same buffers.
    pub fn seal(&mut self) -> &[u8] {
        let table_offset = self.buffer.len();
        self.buffer.extend_from_slice(&self.strings);
        let mut header = [0; HEADER_LEN];
        // Sizes fit: every append checked the sum against u32.
        let numbers = [
            self.record_count,
            small(table_offset),
            small(self.spans.len()),
            small(self.buffer.len()),
        ];
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let bytes = self
            .flags
            .to_le_bytes()
            .into_iter()
            .chain([0, 0])
            .chain(numbers.into_iter().flat_map(u32::to_le_bytes))
            .chain(self.batch.to_le_bytes());
        for (slot, byte) in rest.iter_mut().zip(bytes) {
            *slot = byte;
        }
        if let Some(room) = self.buffer.first_chunk_mut::<HEADER_LEN>() {
            *room = header;
        }
        &self.buffer
    }

    /// Ends the frame and swaps it into `frame`, whose allocation is used for the next one.
    pub fn finish_into(&mut self, frame: &mut Vec<u8>) {
        self.seal();
        std::mem::swap(&mut self.buffer, frame);
        self.clear();
    }

    /// Completes the frame and gives it away; the writer starts the next one of its kind with fresh buffers.
    pub fn finish(&mut self) -> Vec<u8> {
        self.seal();
        let frame = std::mem::replace(&mut self.buffer, Vec::with_capacity(HEADER_LEN));
        self.clear();
        frame
    }

    /// Starts over with an empty frame of the same kind and batch number 0, keeping the buffers.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEADER_LEN, 0);
        self.strings.clear();
        self.spans.clear();
        self.index.clear();
        self.recent = [NULL; RECENT];
        self.flags &= frame_flags::SINK;
        self.batch = 0;
        self.record_count = 0;
    }

    fn text(&self, index: u32) -> Option<&[u8]> {
        let (start, end) = *self.spans.get(index as usize)?;
        self.strings.get(start as usize..end as usize)
    }

    fn add(&mut self, text: &str) -> u32 {
        let index = small(self.spans.len());
        self.strings.extend_from_slice(&small(text.len()).to_le_bytes());
        let start = small(self.strings.len());
        self.strings.extend_from_slice(text.as_bytes());
        self.spans.push((start, small(self.strings.len())));
        self.index.insert(text.into(), index);
        index
    }

    fn append(&mut self, parts: &Fixed<'_>, source_offset: Option<&[u8]>) -> Result<(), FrameError> {
        let header_count = u16::try_from(parts.headers.len()).map_err(|_| FrameError::Record {
            record: self.record_count,
            field: "header_count",
            found: i64::try_from(parts.headers.len()).unwrap_or(i64::MAX),
            expected: format!("at most {}", u16::MAX),
        })?;
        let len = RECORD_LEN + parts.len() + source_offset.map_or(0, <[u8]>::len);
        let total = self.len().saturating_add(len);
        if u32::try_from(total).is_err() {
            return Err(FrameError::TooLarge {
                found: total,
                limit: u32::MAX as usize,
            });
        }
        self.buffer.reserve(len);
        self.buffer
            .extend_from_slice(&parts.fixed_bytes(small(len - 4), header_count)?);
        self.buffer.extend_from_slice(parts.key.bytes.unwrap_or_default());
        self.buffer.extend_from_slice(parts.value.bytes.unwrap_or_default());
        for header in parts.headers {
            self.buffer.extend_from_slice(&header.name.to_le_bytes());
            self.buffer.extend_from_slice(&header.value.schema.0.to_le_bytes());
            self.buffer
                .extend_from_slice(&nullable_len(header.value.bytes)?.to_le_bytes());
            self.buffer.extend_from_slice(header.value.bytes.unwrap_or_default());
        }
        self.buffer.extend_from_slice(source_offset.unwrap_or_default());
        if let Some(origin) = parts.origin {
            self.buffer.extend_from_slice(&origin.topic.to_le_bytes());
            self.buffer.extend_from_slice(&origin.partition.to_le_bytes());
            self.buffer.extend_from_slice(&origin.offset.to_le_bytes());
        }
        self.record_count += 1;
        Ok(())
    }
}

/// Both kinds of record with the position already laid out.
struct Fixed<'a> {
    topic: u32,
    partition: i32,
    timestamp: Option<i64>,
    position: u64,
    key: Slot<'a>,
    value: Slot<'a>,
    headers: &'a [HeaderParts<'a>],
    flags: u16,
    origin: Option<OriginParts>,
}

impl Fixed<'_> {
    /// Length of the parts, the source offset left out.
    fn len(&self) -> usize {
        let slots = self.key.bytes.map_or(0, <[u8]>::len) + self.value.bytes.map_or(0, <[u8]>::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|header| 12 + header.value.bytes.map_or(0, <[u8]>::len))
            .sum();
        slots + headers + if self.origin.is_some() { 16 } else { 0 }
    }

    fn fixed_bytes(&self, len: u32, header_count: u16) -> Result<[u8; RECORD_LEN], FrameError> {
        let mut flags = self.flags & !(record_flags::HAS_TIMESTAMP | record_flags::HAS_ORIGIN);
        if self.timestamp.is_some() {
            flags |= record_flags::HAS_TIMESTAMP;
        }
        if self.origin.is_some() {
            flags |= record_flags::HAS_ORIGIN;
        }
        // Constant places in a fixed array: no bound is checked at run time.
        let mut fixed = [0; RECORD_LEN];
        fixed[0..4].copy_from_slice(&len.to_le_bytes());
        fixed[4..6].copy_from_slice(&flags.to_le_bytes());
        fixed[6..8].copy_from_slice(&header_count.to_le_bytes());
        fixed[8..12].copy_from_slice(&self.topic.to_le_bytes());
        fixed[12..16].copy_from_slice(&self.partition.to_le_bytes());
        fixed[16..24].copy_from_slice(&self.timestamp.unwrap_or(0).to_le_bytes());
        fixed[24..32].copy_from_slice(&self.position.to_le_bytes());
        fixed[32..36].copy_from_slice(&self.key.schema.0.to_le_bytes());
        fixed[36..40].copy_from_slice(&nullable_len(self.key.bytes)?.to_le_bytes());
        fixed[40..44].copy_from_slice(&self.value.schema.0.to_le_bytes());
        fixed[44..48].copy_from_slice(&nullable_len(self.value.bytes)?.to_le_bytes());
        Ok(fixed)
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> Result<u32, FrameError> {
    let Some(bytes) = bytes else {
        return Ok(NULL);
    };
    match u32::try_from(bytes.len()) {
        Ok(len) if len != NULL => Ok(len),
        _ => Err(FrameError::TooLarge {
            found: bytes.len(),
            limit: u32::MAX as usize - 1,
        }),
    }
}

/// Narrows a size that an earlier check keeps below the frame's bound.
fn small(size: usize) -> u32 {
    debug_assert!(u32::try_from(size).is_ok(), "size was checked");
    u32::try_from(size).unwrap_or(NULL)
}
