//! The records of one batch as they pass the chain
//!
//! A row's parts point into the frame the batch came in, until a transformation writes them anew: then into the buffer
//! of the stage that did. Nothing is allocated for a record once the buffers have grown. One copy of each rewritten part
//! a stage; parts nobody touches are not copied.

use std::collections::HashMap;

use weir_api::data::schemas::SchemaId;
use weir_api::frame::frame_error::FrameError;
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::RecordView;
use weir_api::frame::slot::Slot;
use weir_api::frame::writer::{FrameWriter, HeaderParts, OriginParts, SinkParts};

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// It goes on.
    Kept,
    /// A transformation dropped it.
    Dropped,
    /// A transformation or predicate failed; see the failure of this row.
    Failed,
}

/// Where the bytes of a part are: the frame, or the buffer of the stage that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 is the frame, n the buffer of stage n-1.
    pub(crate) buffer: u32,
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// A key, value or header value of a row; no place is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) schema: SchemaId,
    pub(crate) place: Option<Place>,
}

impl Cell {
    pub(crate) const NULL: Self = Self {
        schema: SchemaId::NONE,
        place: None,
    };
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct HeaderCell {
    pub(crate) name: u32,
    pub(crate) value: Cell,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) index: u32,
    pub(crate) topic: u32,
    pub(crate) partition: Option<i32>,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Cell,
    pub(crate) value: Cell,
    pub(crate) first_header: usize,
    pub(crate) headers: usize,
    pub(crate) state: RowState,
    flags: u16,
    origin: (u32, Option<i32>, i64),
}

/// The records of one batch.
#[derive(Debug, Default)]
pub struct Rows {
    pub(crate) rows: Vec<Row>,
    pub(crate) names: Names,
    pub(crate) headers: Vec<HeaderCell>,
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl Rows {
    /// Creates an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all rows, keeping the buffers.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.headers.clear();
        self.buffers.iter_mut().for_each(Vec::clear);
        self.names.shrink();
    }

    /// Appends a record of the frame that the batch is about; `record` was read from `frame`.
    pub fn push(&mut self, frame: &[u8], record: &RecordView<'_>) {
        let first_header = self.headers.len();
        if record.header_count() > 0 {
            for header in record.headers() {
                let name = self.names.intern(header.name);
                let value = cell_of(frame, header.slot());
                self.headers.push(HeaderCell { name, value });
            }
        }
        let topic = self.names.intern(record.topic);
        let origin = match record.origin {
            Some(origin) => (self.names.intern(origin.topic), Some(origin.partition), origin.offset),
            None => (topic, record.partition, record.kafka_offset),
        };
        self.rows.push(Row {
            index: record.index,
            topic,
            partition: record.partition,
            offset: record.kafka_offset,
            timestamp: record.timestamp,
            key: cell_of(frame, record.key),
            value: cell_of(frame, record.value),
            first_header,
            headers: self.headers.len() - first_header,
            state: RowState::Kept,
            flags: record.flags,
            origin,
        });
    }

    /// Number of rows, dropped and failed ones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Tells whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Tells what became of a row; a row that is not there counts as dropped.
    pub fn state(&self, row: usize) -> RowState {
        self.rows.get(row).map_or(RowState::Dropped, |row| row.state)
    }

    /// Gives the index of the record in its frame.
    pub fn index(&self, row: usize) -> u32 {
        self.rows.get(row).map_or(0, |row| row.index)
    }

    /// Gives the topic.
    pub fn topic(&self, row: usize) -> &str {
        self.names.get(self.topic_id(row))
    }

    /// Gives the topic as a number, equal for equal topics of one batch.
    pub fn topic_id(&self, row: usize) -> u32 {
        self.rows.get(row).map_or(u32::MAX, |row| row.topic)
    }

    /// Gives the partition.
    pub fn partition(&self, row: usize) -> Option<i32> {
        self.rows.get(row).and_then(|row| row.partition)
    }

    /// Gives the timestamp.
    pub fn timestamp(&self, row: usize) -> Option<i64> {
        self.rows.get(row).and_then(|row| row.timestamp)
    }

    /// Gives the offset in Kafka; 0 for source records.
    pub fn kafka_offset(&self, row: usize) -> i64 {
        self.rows.get(row).map_or(0, |row| row.offset)
    }

    /// Gives the key.
    pub fn key<'a>(&'a self, row: usize, frame: &'a [u8]) -> Slot<'a> {
        self.rows.get(row).map_or(Slot::NULL, |row| self.slot(row.key, frame))
    }

    /// Gives the value.
    pub fn value<'a>(&'a self, row: usize, frame: &'a [u8]) -> Slot<'a> {
        self.rows.get(row).map_or(Slot::NULL, |row| self.slot(row.value, frame))
    }

    /// Number of headers of a row.
    pub fn header_count(&self, row: usize) -> usize {
        self.rows.get(row).map_or(0, |row| row.headers)
    }

    /// Walks the headers of a row in order.
    pub fn headers<'a>(&'a self, row: usize, frame: &'a [u8]) -> impl Iterator<Item = (&'a str, Slot<'a>)> {
        let own = self.rows.get(row).and_then(|row| header_cells(&self.headers, row));
        own.unwrap_or_default()
            .iter()
            .map(move |header| (self.names.get(header.name), self.slot(header.value, frame)))
    }

    /// Appends a row to a sink frame, with the coordinates it had before the chain.
    ///
    /// # Errors
    /// The frame would become too large.
    pub fn write_sink(&self, row: usize, frame: &[u8], writer: &mut FrameWriter) -> Result<(), FrameError> {
        let Some(own) = self.rows.get(row) else {
            return Ok(());
        };
        let headers: Vec<HeaderParts<'_>> = self
            .headers(row, frame)
            .map(|(name, value)| HeaderParts {
                name: writer.intern(name),
                value,
            })
            .collect();
        let (origin_topic, origin_partition, origin_offset) = own.origin;
        let parts = SinkParts {
            topic: writer.intern(self.names.get(own.topic)),
            partition: own.partition.unwrap_or_default(),
            offset: own.offset,
            timestamp: own.timestamp,
            key: self.slot(own.key, frame),
            value: self.slot(own.value, frame),
            headers: &headers,
            flags: own.flags & record_flags::LOG_APPEND_TIME,
            origin: Some(OriginParts {
                topic: writer.intern(self.names.get(origin_topic)),
                partition: origin_partition.unwrap_or_default(),
                offset: origin_offset,
            }),
        };
        writer.sink_record(&parts)
    }

    fn slot<'a>(&'a self, cell: Cell, frame: &'a [u8]) -> Slot<'a> {
        let bytes = cell.place.map(|place| bytes_at(place, frame, &self.buffers));
        Slot::new(cell.schema, bytes)
    }
}

/// Gives the headers of a row; `None` only for a row of another batch.
pub(crate) fn header_cells<'a>(headers: &'a [HeaderCell], row: &Row) -> Option<&'a [HeaderCell]> {
    headers.get(row.first_header..)?.get(..row.headers)
}

/// Gives the bytes of a place; a place of another batch reads as empty.
pub(crate) fn bytes_at<'a>(place: Place, frame: &'a [u8], buffers: &'a [Vec<u8>]) -> &'a [u8] {
    let whole = match (place.buffer as usize).checked_sub(1) {
        None => frame,
        Some(stage) => buffers.get(stage).map_or(&[][..], Vec::as_slice),
    };
    whole
        .get(place.start..)
        .and_then(|tail| tail.get(..place.len))
        .unwrap_or_default()
}

fn cell_of(frame: &[u8], slot: Slot<'_>) -> Cell {
    let place = slot.bytes.map(|bytes| {
        let start = bytes.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        debug_assert!(start + bytes.len() <= frame.len(), "not a slice of the frame");
        Place {
            buffer: 0,
            start,
            len: bytes.len(),
        }
    });
    Cell {
        schema: slot.schema,
        place,
    }
}

/// Names compared before the map is asked: topics and a few header names alternate.
const RECENT: usize = 4;
/// Names kept from batch to batch.
const MAX_KEPT: usize = 1024;

/// Topics and header names as numbers.
///
/// Invariant: `numbers[name]` is the position of `name` in `texts`.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
    recent: [u32; RECENT],
    oldest: usize,
}

impl Names {
    pub(crate) fn get(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        for number in self.recent {
            if self.texts.get(number as usize).is_some_and(|text| **text == *name) {
                return number;
            }
        }
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
                self.texts.push(name.into());
                self.numbers.insert(name.into(), number);
                number
            }
        };
        if let Some(slot) = self.recent.get_mut(self.oldest) {
            *slot = number;
        }
        self.oldest = (self.oldest + 1) % RECENT;
        number
    }

    /// Forgets everything once there is too much of it; only between batches, when no row holds a number.
    fn shrink(&mut self) {
        if self.texts.len() > MAX_KEPT {
            *self = Self::default();
        }
    }
}
