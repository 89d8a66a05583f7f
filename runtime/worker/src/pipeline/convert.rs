//! Conversion of records: frame to Kafka bytes, and Kafka bytes to frame.
//!
//! Where a converter passes bytes through, they are sent from the frame, or copied into it, directly;
//! what it writes goes to an arena that is reused. Cost a record: no allocation, no copy of a
//! borrowed part on the way out, one copy on the way in. Conversion order is Kafka's: header, key,
//! value for sources, key, value, header for sinks.

use weir_api::converter::{ConvertCx, Converted, Converter, ConverterSlot};
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::frame_error::FrameError;
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::RecordView;
use weir_api::frame::slot::Slot;
use weir_api::frame::writer::{FrameWriter, HeaderParts, SinkParts};
use weir_client::consumer::{MessageView, TimestampType};
use weir_config::map::ConfigMap;
use weir_converters::native;

use crate::connector_config::{HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER};
use crate::error::WorkerError;
use crate::pipeline::stage::Stage;
use crate::worker_config::{DEFAULT_REGISTRY_URL, SCHEMA_REGISTRY_URL};

/// A failed conversion, with its stage.
#[derive(Debug)]
pub struct ConvertError {
    pub stage: Stage,
    pub error: ConnectError,
}

/// The three converters of a task.
pub struct Converters {
    key: Named,
    value: Named,
    header: Named,
}

struct Named {
    class: String,
    converter: Box<dyn Converter>,
}

impl Converters {
    /// Builds them: the connector's own where it names a class, else the worker's with the worker's options.
    ///
    /// # Errors
    /// An unknown class or options it refuses.
    pub fn build(worker: &ConfigMap, connector: &ConfigMap) -> Result<Self, WorkerError> {
        Ok(Self {
            key: Named::build(KEY_CONVERTER, ConverterSlot::Key, worker, connector)?,
            value: Named::build(VALUE_CONVERTER, ConverterSlot::Value, worker, connector)?,
            header: Named::build(HEADER_CONVERTER, ConverterSlot::Header, worker, connector)?,
        })
    }

    /// Returns full class name and version of the converters of key, value and header.
    pub fn described(&self) -> [(String, String); 3] {
        [
            (&self.key, ConverterSlot::Key),
            (&self.value, ConverterSlot::Value),
            (&self.header, ConverterSlot::Header),
        ]
        .map(|(named, slot)| match native::describe(&named.class, slot) {
            Some(class) => (class.class.to_owned(), class.version.to_owned()),
            None => (named.class.clone(), String::new()),
        })
    }

    /// Returns the class that runs at a stage.
    pub fn class(&self, stage: Stage) -> &str {
        match stage {
            Stage::KeyConverter => &self.key.class,
            Stage::ValueConverter => &self.value.class,
            Stage::HeaderConverter => &self.header.class,
            Stage::TaskPoll | Stage::TaskPut | Stage::Transformation | Stage::KafkaProduce | Stage::KafkaConsume => "",
        }
    }

    /// Converts one record of a source frame and appends it to `out`; on failure `out` is as before.
    ///
    /// # Errors
    /// The first converter that refuses its part.
    pub fn to_kafka(
        &mut self,
        schemas: &mut SchemaTable,
        frame: &[u8],
        record: &RecordView<'_>,
        out: &mut Outgoing,
    ) -> Result<(), ConvertError> {
        let (arena, headers) = (out.arena.len(), out.headers.len());
        let result = self.convert_out(schemas, frame, record, out);
        if result.is_err() {
            out.arena.truncate(arena);
            out.headers.truncate(headers);
        }
        result
    }

    fn convert_out(
        &mut self,
        schemas: &mut SchemaTable,
        frame: &[u8],
        record: &RecordView<'_>,
        out: &mut Outgoing,
    ) -> Result<(), ConvertError> {
        let mut cx = ConvertCx {
            topic: record.topic,
            schemas,
        };
        let first_header = out.headers.len() as u32;
        if record.header_count() > 0 {
            for header in record.headers() {
                let value = self
                    .header
                    .write(Stage::HeaderConverter, &mut cx, frame, header.slot(), &mut out.arena)?;
                out.headers.push(OutHeader {
                    name: header.name_index,
                    value,
                });
            }
        }
        let key = self
            .key
            .write(Stage::KeyConverter, &mut cx, frame, record.key, &mut out.arena)?;
        let value = self
            .value
            .write(Stage::ValueConverter, &mut cx, frame, record.value, &mut out.arena)?;
        out.records.push(OutPart {
            index: record.index,
            topic: record.topic_index,
            partition: record.partition,
            // As in Kafka, -1 says that there is none.
            timestamp: record.timestamp.filter(|timestamp| *timestamp != -1),
            key,
            value,
            first_header,
            headers: record.header_count(),
        });
        Ok(())
    }

    /// Converts one message and appends it to the frame; on failure the frame is as before.
    ///
    /// # Errors
    /// The first converter that refuses its part.
    pub fn to_connect(
        &mut self,
        schemas: &mut SchemaTable,
        message: &MessageView<'_>,
        scratch: &mut Scratch,
        frame: &mut FrameWriter,
    ) -> Result<(), ConvertError> {
        let mut cx = ConvertCx {
            topic: message.topic(),
            schemas,
        };
        let arena = &mut scratch.arena;
        arena.clear();
        let key = self.key.read(Stage::KeyConverter, &mut cx, message.key(), arena)?;
        let value = self
            .value
            .read(Stage::ValueConverter, &mut cx, message.value(), arena)?;
        let mut read = Vec::new();
        for (name, bytes) in message.headers() {
            let slot = self.header.read(Stage::HeaderConverter, &mut cx, bytes, arena)?;
            read.push((frame.intern(&name), slot, bytes));
        }
        let headers: Vec<HeaderParts<'_>> = read
            .iter()
            .map(|(name, slot, bytes)| HeaderParts {
                name: *name,
                value: slot.of(*bytes, arena),
            })
            .collect();
        let (timestamp, kind) = message.timestamp();
        let parts = SinkParts {
            topic: frame.intern(message.topic()),
            partition: message.partition(),
            offset: message.offset(),
            timestamp,
            key: key.of(message.key(), arena),
            value: value.of(message.value(), arena),
            headers: &headers,
            flags: if kind == TimestampType::LogAppendTime {
                record_flags::LOG_APPEND_TIME
            } else {
                0
            },
            origin: None,
        };
        frame.sink_record(&parts).map_err(|error| too_large(&error))
    }
}

impl std::fmt::Debug for Converters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converters")
            .field("key", &self.key.class)
            .field("value", &self.value.class)
            .field("header", &self.header.class)
            .finish()
    }
}

impl Named {
    fn build(key: &str, slot: ConverterSlot, worker: &ConfigMap, connector: &ConfigMap) -> Result<Self, WorkerError> {
        let owner = if connector.get(key).is_some() {
            connector
        } else {
            worker
        };
        let class = owner.get(key).unwrap_or_default().trim().to_owned();
        let mut options = owner.with_prefix(&format!("{key}."));
        if let Some(url) = worker.get(DEFAULT_REGISTRY_URL)
            && !options.contains_key(SCHEMA_REGISTRY_URL)
        {
            options.insert(SCHEMA_REGISTRY_URL, url);
        }
        let converter = native::create(&class, &options, slot)
            .map_err(|error| WorkerError::Invalid(format!("Invalid value {class} for configuration {key}: {error}")))?;
        Ok(Self { class, converter })
    }

    fn write(
        &mut self,
        stage: Stage,
        cx: &mut ConvertCx<'_>,
        frame: &[u8],
        slot: Slot<'_>,
        arena: &mut Vec<u8>,
    ) -> Result<Piece, ConvertError> {
        let start = arena.len();
        let form = self
            .converter
            .from_connect(cx, slot, arena)
            .map_err(|error| ConvertError { stage, error })?;
        Ok(match form {
            Converted::Null => Piece::Null,
            Converted::Borrowed => slot
                .bytes
                .map_or(Piece::Null, |bytes| Piece::Frame(Span::of(frame, bytes))),
            Converted::Written => Piece::Arena(Span {
                start: start as u32,
                len: (arena.len() - start) as u32,
            }),
        })
    }

    fn read(
        &mut self,
        stage: Stage,
        cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        arena: &mut Vec<u8>,
    ) -> Result<ReadSlot, ConvertError> {
        let start = arena.len();
        let read = self
            .converter
            .to_connect(cx, data, arena)
            .map_err(|error| ConvertError { stage, error })?;
        let piece = match read.form {
            Converted::Null => ReadPiece::Null,
            Converted::Borrowed => ReadPiece::Message,
            Converted::Written => ReadPiece::Arena(start..arena.len()),
        };
        Ok(ReadSlot {
            schema: read.schema,
            piece,
        })
    }
}

fn too_large(error: &FrameError) -> ConvertError {
    ConvertError {
        stage: Stage::ValueConverter,
        error: ConnectError::data(error.to_string()),
    }
}

/// A part of a frame or arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Finds where `part`, which is a slice of `whole`, lies in it.
    pub fn of(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        debug_assert!(start + part.len() <= whole.len(), "not a slice of the frame");
        Self {
            start: start as u32,
            len: part.len() as u32,
        }
    }

    /// Returns the bytes.
    pub fn get(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.start as usize + self.len as usize)
            .unwrap_or_default()
    }
}

/// Where the bytes of a key, value or header are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Null,
    Frame(Span),
    Arena(Span),
}

/// Converted records of one frame, waiting to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    records: Vec<OutPart>,
    headers: Vec<OutHeader>,
    arena: Vec<u8>,
}

/// One record ready to send; parts point into the frame or the arena.
#[derive(Debug, Clone, Copy)]
pub struct OutPart {
    /// Index in the frame.
    pub index: u32,
    /// Table index in the frame.
    pub topic: u32,
    pub partition: Option<i32>,
    pub timestamp: Option<i64>,
    key: Piece,
    value: Piece,
    first_header: u32,
    headers: u16,
}

#[derive(Debug, Clone, Copy)]
struct OutHeader {
    name: u32,
    value: Piece,
}

impl Outgoing {
    /// Forgets all records, keeping the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
        self.headers.clear();
        self.arena.clear();
    }

    /// Records in order of conversion.
    pub fn records(&self) -> &[OutPart] {
        &self.records
    }

    /// Bytes that converters wrote.
    pub fn written(&self) -> usize {
        self.arena.len()
    }

    /// Brings records of one topic together, keeping their order within it.
    pub fn group_by_topic(&mut self) {
        if self
            .records
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a.topic != b.topic))
        {
            self.records.sort_by_key(|record| record.topic);
        }
    }

    /// Returns the key of a record.
    pub fn key<'a>(&'a self, part: &OutPart, frame: &'a [u8]) -> Option<&'a [u8]> {
        self.piece(part.key, frame)
    }

    /// Returns the value of a record.
    pub fn value<'a>(&'a self, part: &OutPart, frame: &'a [u8]) -> Option<&'a [u8]> {
        self.piece(part.value, frame)
    }

    /// Walks the headers of a record: table index of the name, and the bytes.
    pub fn headers<'a>(&'a self, part: &OutPart, frame: &'a [u8]) -> impl Iterator<Item = (u32, Option<&'a [u8]>)> {
        let first = part.first_header as usize;
        let own = self
            .headers
            .get(first..first + usize::from(part.headers))
            .unwrap_or_default();
        own.iter().map(|header| (header.name, self.piece(header.value, frame)))
    }

    /// Is true when no record has headers.
    pub fn is_headerless(&self) -> bool {
        self.headers.is_empty()
    }

    fn piece<'a>(&'a self, piece: Piece, frame: &'a [u8]) -> Option<&'a [u8]> {
        match piece {
            Piece::Null => None,
            Piece::Frame(span) => Some(span.get(frame)),
            Piece::Arena(span) => Some(span.get(&self.arena)),
        }
    }
}

/// Buffer for what converters write on the way in.
#[derive(Debug, Default)]
pub struct Scratch {
    arena: Vec<u8>,
}

#[derive(Debug)]
struct ReadSlot {
    schema: weir_api::data::schemas::SchemaId,
    piece: ReadPiece,
}

#[derive(Debug)]
enum ReadPiece {
    Null,
    Message,
    Arena(std::ops::Range<usize>),
}

impl ReadSlot {
    fn of<'a>(&self, message: Option<&'a [u8]>, arena: &'a [u8]) -> Slot<'a> {
        let bytes = match &self.piece {
            ReadPiece::Null => None,
            ReadPiece::Message => message,
            ReadPiece::Arena(range) => arena.get(range.clone()),
        };
        Slot::new(self.schema, bytes)
    }
}

#[cfg(test)]
mod tests;
