//! Reading frames that may be hostile
//!
//! `Frame::parse` checks every length, index, flag and schema id once; after that iteration cannot fail. Cost for each
//! record: one pass over its 48 fixed bytes to check and one to read, nothing copied; values are not looked into.
//! Format: wasm-abi §4.

use crate::data::schemas::SchemaId;
use crate::frame::fixed::{Fixed, pop, split_header_entry, split_origin};
use crate::frame::frame_error::FrameError;
use crate::frame::header::{Header, parse_table};
use crate::frame::layout::{
    DEFAULT_MAX_FRAME_BYTES, DEFAULT_MAX_RECORDS, HEADER_ENTRY_LEN, NO_PARTITION, NULL, ORIGIN_LEN, RECORD_LEN,
    frame_flags, record_flags,
};
use crate::frame::slot::Slot;

/// What a frame may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Most bytes.
    pub max_bytes: usize,
    /// Most records.
    pub max_records: u32,
    /// The first schema id not declared: `SchemaTable::end`.
    pub schema_end: SchemaId,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            max_bytes: DEFAULT_MAX_FRAME_BYTES,
            max_records: DEFAULT_MAX_RECORDS,
            schema_end: SchemaId(u32::MAX),
        }
    }
}

impl FrameLimits {
    fn knows(&self, id: SchemaId) -> bool {
        id == SchemaId::NONE || id.is_builtin() || (id.is_declared() && id < self.schema_end)
    }
}

/// A checked frame.
///
/// Invariant: `records` holds exactly `record_count` records that passed `check_record` against `table`.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    flags: u16,
    batch: u64,
    record_count: u32,
    records: &'a [u8],
    table: Vec<&'a str>,
}

impl<'a> Frame<'a> {
    /// Checks a frame completely.
    ///
    /// # Errors
    /// The first rule of wasm-abi §4 that is broken.
    pub fn parse(bytes: &'a [u8], limits: &FrameLimits) -> Result<Self, FrameError> {
        if bytes.len() > limits.max_bytes {
            return Err(FrameError::TooLarge {
                found: bytes.len(),
                limit: limits.max_bytes,
            });
        }
        let header = Header::parse(bytes)?;
        if header.record_count > limits.max_records {
            return Err(FrameError::TooManyRecords {
                found: header.record_count,
                limit: limits.max_records,
            });
        }
        let (records, table) = header.split(bytes)?;
        let table = parse_table(table, header.table_count)?;
        let frame = Self {
            flags: header.flags,
            batch: header.batch,
            record_count: header.record_count,
            records,
            table,
        };
        frame.check_records(limits)?;
        Ok(frame)
    }

    /// Gives the frame's flags, see [`frame_flags`].
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// Tells whether records have Kafka coordinates.
    pub fn is_sink(&self) -> bool {
        self.flags & frame_flags::SINK != 0
    }

    /// Gives the host's number of the batch; 0 when a source wrote it.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// Number of records.
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Gives a string of the table.
    pub fn table(&self, index: u32) -> Option<&'a str> {
        self.table.get(index as usize).copied()
    }

    /// Number of strings in the table.
    pub fn table_len(&self) -> u32 {
        // Each string takes four bytes of a frame whose length is an u32.
        u32::try_from(self.table.len()).unwrap_or(u32::MAX)
    }

    /// Walks the records in order.
    pub fn records(&self) -> Records<'_> {
        Records {
            rest: self.records,
            table: &self.table,
            is_sink: self.is_sink(),
            index: 0,
        }
    }

    fn check_records(&self, limits: &FrameLimits) -> Result<(), FrameError> {
        let mut rest = self.records;
        for record in 0..self.record_count {
            let split = split_record(rest, record)?;
            check_record(&split.fixed, split.parts, record, self, limits)?;
            rest = split.tail;
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(FrameError::Header {
            field: "record_count",
            found: self.record_count.into(),
            expected: format!("the records up to table_offset, {} bytes are left over", rest.len()),
        })
    }
}

/// The next record taken apart.
struct Split<'a> {
    fixed: Fixed<'a>,
    parts: &'a [u8],
    tail: &'a [u8],
}

/// Splits the next record off what is left of the records.
fn split_record(rest: &[u8], record: u32) -> Result<Split<'_>, FrameError> {
    let short = |field: &'static str, found: usize, expected: String| FrameError::Record {
        record,
        field,
        found: i64::try_from(found).unwrap_or(i64::MAX),
        expected,
    };
    let Some(bytes) = rest.first_chunk::<RECORD_LEN>() else {
        return Err(short(
            "room before the table",
            rest.len(),
            format!("at least {RECORD_LEN} bytes"),
        ));
    };
    let fixed = Fixed { bytes };
    let len = u32::from_le_bytes(fixed.at::<0, 4>()) as usize;
    let end = len.saturating_add(4);
    match rest.split_at_checked(end) {
        Some((own, tail)) if end >= RECORD_LEN => Ok(Split {
            fixed,
            parts: own.get(RECORD_LEN..).unwrap_or_default(),
            tail,
        }),
        _ => Err(short(
            "len",
            len,
            format!("from {} to {}", RECORD_LEN - 4, rest.len() - 4),
        )),
    }
}

fn check_record(
    fixed: &Fixed<'_>,
    parts: &[u8],
    record: u32,
    frame: &Frame<'_>,
    limits: &FrameLimits,
) -> Result<(), FrameError> {
    let flags = fixed.flags();
    let known = frame.table.len();
    let wrong = |field: &'static str, found: i64, expected: String| {
        Err(FrameError::Record {
            record,
            field,
            found,
            expected,
        })
    };
    if flags & !record_flags::ALL != 0 {
        return wrong("flags", flags.into(), format!("within {}", record_flags::ALL));
    }
    if fixed.topic() as usize >= known {
        return wrong("topic", fixed.topic().into(), format!("an index below {known}"));
    }
    let least = if frame.is_sink() { 0 } else { NO_PARTITION };
    if fixed.partition() < least {
        return wrong("partition", fixed.partition().into(), format!("at least {least}"));
    }
    if flags & record_flags::HAS_TIMESTAMP == 0 && fixed.timestamp() != 0 {
        return wrong("timestamp", fixed.timestamp(), "0 without HAS_TIMESTAMP".to_owned());
    }
    for (field, id) in [
        ("key schema", fixed.key_schema()),
        ("value schema", fixed.value_schema()),
    ] {
        if !limits.knows(id) {
            return wrong(field, id.0.into(), "a known schema id".to_owned());
        }
    }
    let mut parts = Parts { rest: parts, record };
    parts.take_nullable("key", fixed.key_len())?;
    parts.take_nullable("value", fixed.value_len())?;
    for _ in 0..fixed.header_count() {
        check_header(&mut parts, known, limits)?;
    }
    if !frame.is_sink() {
        if fixed.source_partition() != NULL && fixed.source_partition() as usize >= known {
            return wrong(
                "source partition",
                fixed.source_partition().into(),
                format!("an index below {known}"),
            );
        }
        parts.take_nullable("source offset", fixed.source_offset_len())?;
    }
    if flags & record_flags::HAS_ORIGIN != 0 {
        let (topic, _, _) = split_origin(parts.take("origin", ORIGIN_LEN)?);
        if topic as usize >= known {
            return wrong("origin topic", topic.into(), format!("an index below {known}"));
        }
    }
    if !parts.rest.is_empty() {
        return wrong(
            "len",
            i64::try_from(parts.rest.len()).unwrap_or(i64::MAX),
            "0 bytes left over after the last part".to_owned(),
        );
    }
    Ok(())
}

fn check_header(parts: &mut Parts<'_>, known: usize, limits: &FrameLimits) -> Result<(), FrameError> {
    let record = parts.record;
    let (name, schema, len) = split_header_entry(parts.take("header", HEADER_ENTRY_LEN)?);
    if name as usize >= known {
        return Err(FrameError::Record {
            record,
            field: "header name",
            found: name.into(),
            expected: format!("an index below {known}"),
        });
    }
    if !limits.knows(schema) {
        return Err(FrameError::Record {
            record,
            field: "header schema",
            found: schema.0.into(),
            expected: "a known schema id".to_owned(),
        });
    }
    parts.take_nullable("header value", len).map(drop)
}

/// What is left of a record's parts while it is checked.
struct Parts<'a> {
    rest: &'a [u8],
    record: u32,
}

impl<'a> Parts<'a> {
    fn take(&mut self, part: &'static str, len: usize) -> Result<&'a [u8], FrameError> {
        match self.rest.split_at_checked(len) {
            Some((own, tail)) => {
                self.rest = tail;
                Ok(own)
            }
            None => Err(FrameError::Part {
                record: self.record,
                part,
                found: len,
                left: self.rest.len(),
            }),
        }
    }

    fn take_nullable(&mut self, part: &'static str, len: u32) -> Result<Option<&'a [u8]>, FrameError> {
        if len == NULL {
            Ok(None)
        } else {
            self.take(part, len as usize).map(Some)
        }
    }
}

/// Where a record stood before transformations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Index of the topic in the table.
    pub topic_index: u32,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// One record of a checked frame.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    /// Place in the frame, from 0.
    pub index: u32,
    /// Flags, see [`record_flags`].
    pub flags: u16,
    /// Topic.
    pub topic: &'a str,
    /// Index of the topic in the table.
    pub topic_index: u32,
    /// Partition; `None` if the connector leaves the choice.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Offset; 0 in source frames.
    pub kafka_offset: i64,
    /// Table index of the source partition, a compact JSON object; `None` in sink frames.
    pub source_partition: Option<u32>,
    /// Source offset, a compact JSON object; `None` in sink frames.
    pub source_offset: Option<&'a [u8]>,
    /// Key.
    pub key: Slot<'a>,
    /// Value.
    pub value: Slot<'a>,
    /// Coordinates before transformations, if the frame has them.
    pub origin: Option<Origin<'a>>,
    headers: &'a [u8],
    header_count: u16,
    table: &'a [&'a str],
}

impl<'a> RecordView<'a> {
    /// Number of headers.
    pub fn header_count(&self) -> u16 {
        self.header_count
    }

    /// Walks the headers in order.
    pub fn headers(&self) -> Headers<'a> {
        Headers {
            rest: self.headers,
            left: self.header_count,
            table: self.table,
        }
    }

    /// Tells whether a transformation dropped the record.
    pub fn is_dropped(&self) -> bool {
        self.flags & record_flags::DROPPED != 0
    }

    /// Gives the source partition's text, a compact JSON object.
    pub fn source_partition_text(&self) -> Option<&'a str> {
        self.table.get(self.source_partition? as usize).copied()
    }
}

/// The records of a frame.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    table: &'a [&'a str],
    is_sink: bool,
    index: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordView<'a>;

    // The frame was checked: none of the `?` below ends the walk early.
    fn next(&mut self) -> Option<RecordView<'a>> {
        let fixed = Fixed {
            bytes: self.rest.first_chunk::<RECORD_LEN>()?,
        };
        let end = (u32::from_le_bytes(fixed.at::<0, 4>()) as usize).checked_add(4)?;
        let (own, tail) = self.rest.split_at_checked(end)?;
        let mut parts = own.get(RECORD_LEN..)?;
        let flags = fixed.flags();
        let key = Slot::new(fixed.key_schema(), pop(&mut parts, fixed.key_len()));
        let value = Slot::new(fixed.value_schema(), pop(&mut parts, fixed.value_len()));
        let headers = parts;
        for _ in 0..fixed.header_count() {
            let (entry, after) = parts.split_at_checked(HEADER_ENTRY_LEN)?;
            parts = after;
            pop(&mut parts, split_header_entry(entry).2);
        }
        let headers = headers.split_at_checked(headers.len() - parts.len())?.0;
        let source_offset = if self.is_sink {
            None
        } else {
            pop(&mut parts, fixed.source_offset_len())
        };
        let view = RecordView {
            index: self.index,
            flags,
            topic: self.table.get(fixed.topic() as usize)?,
            topic_index: fixed.topic(),
            partition: Some(fixed.partition()).filter(|partition| *partition != NO_PARTITION),
            timestamp: (flags & record_flags::HAS_TIMESTAMP != 0).then(|| fixed.timestamp()),
            kafka_offset: if self.is_sink { fixed.kafka_offset() } else { 0 },
            source_partition: if self.is_sink {
                None
            } else {
                Some(fixed.source_partition()).filter(|index| *index != NULL)
            },
            source_offset,
            key,
            value,
            origin: if flags & record_flags::HAS_ORIGIN == 0 {
                None
            } else {
                origin(parts, self.table)
            },
            headers,
            header_count: fixed.header_count(),
            table: self.table,
        };
        self.rest = tail;
        self.index += 1;
        Some(view)
    }
}

fn origin<'a>(parts: &[u8], table: &[&'a str]) -> Option<Origin<'a>> {
    let (topic_index, partition, offset) = split_origin(parts);
    Some(Origin {
        topic: table.get(topic_index as usize)?,
        topic_index,
        partition,
        offset,
    })
}

/// One header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// Name.
    pub name: &'a str,
    /// Index of the name in the table.
    pub name_index: u32,
    /// Schema of the value.
    pub schema: SchemaId,
    /// Value encoding; `None` is null.
    pub value: Option<&'a [u8]>,
}

impl<'a> HeaderView<'a> {
    /// Gives the value as a slot.
    pub fn slot(&self) -> Slot<'a> {
        Slot::new(self.schema, self.value)
    }
}

/// The headers of a record.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: &'a [u8],
    left: u16,
    table: &'a [&'a str],
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderView<'a>;

    fn next(&mut self) -> Option<HeaderView<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (entry, tail) = self.rest.split_at_checked(HEADER_ENTRY_LEN)?;
        self.rest = tail;
        let (name_index, schema, len) = split_header_entry(entry);
        let value = pop(&mut self.rest, len);
        Some(HeaderView {
            name: self.table.get(name_index as usize)?,
            name_index,
            schema,
            value,
        })
    }
}

#[cfg(test)]
mod tests;
