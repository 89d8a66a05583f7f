//! The batch a sink task gets: records borrowed from a `WRF1` frame
//!
//! Fast path: `records()` walks the frame, text and bytes are read in place. Easy path: `to_records()` gives owned
//! records with their schemas.

use std::sync::Arc;

use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaIds};
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::layout::record_flags;
use weir_api::frame::reader::{Frame, FrameLimits, HeaderView, RecordView};
use weir_api::frame::slot::Slot;
use weir_api::frame::value::decode_slot;
use weir_api::record::{Header, SinkRecord, TimestampType, TypedValue};

use crate::schemas::GuestSchemas;
use crate::sink::TopicOffset;

/// Records that came from the host.
#[derive(Debug)]
pub struct SinkBatch<'a> {
    frame: Frame<'a>,
    schemas: &'a GuestSchemas,
}

impl<'a> SinkBatch<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// Fatal when the host sent a broken frame.
    pub fn parse(frame: &'a [u8], schemas: &'a GuestSchemas) -> Result<Self, ConnectError> {
        // The host keeps its own limits; a frame it sent is not refused for its size here.
        let limits = FrameLimits {
            max_bytes: usize::MAX,
            max_records: u32::MAX,
            ..FrameLimits::default()
        };
        Ok(Self {
            frame: Frame::parse(frame, &limits)?,
            schemas,
        })
    }

    /// Number of records.
    pub fn len(&self) -> u32 {
        self.frame.record_count()
    }

    /// Tells whether there are none: a tick.
    pub fn is_empty(&self) -> bool {
        self.frame.record_count() == 0
    }

    /// Walks the records in order.
    pub fn records(&self) -> impl Iterator<Item = SinkRecordRef<'_>> {
        self.frame.records().map(|view| SinkRecordRef {
            view,
            schemas: self.schemas,
        })
    }

    /// Gives all records as owned values.
    ///
    /// # Errors
    /// Data when a value does not decode.
    pub fn to_records(&self) -> Result<Vec<SinkRecord>, ConnectError> {
        self.records().map(|record| record.to_record()).collect()
    }
}

/// One record, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct SinkRecordRef<'b> {
    view: RecordView<'b>,
    schemas: &'b GuestSchemas,
}

impl<'b> SinkRecordRef<'b> {
    /// Topic.
    pub fn topic(&self) -> &'b str {
        self.view.topic
    }

    /// Partition.
    pub fn partition(&self) -> i32 {
        self.view.partition.unwrap_or_default()
    }

    /// Offset.
    pub fn offset(&self) -> i64 {
        self.view.kafka_offset
    }

    /// Milliseconds since the epoch.
    pub fn timestamp(&self) -> Option<i64> {
        self.view.timestamp
    }

    /// What the timestamp means.
    pub fn timestamp_type(&self) -> TimestampType {
        match (self.view.timestamp, self.view.flags & record_flags::LOG_APPEND_TIME) {
            (None, _) => TimestampType::None,
            (Some(_), 0) => TimestampType::CreateTime,
            (Some(_), _) => TimestampType::LogAppendTime,
        }
    }

    /// Where the record stands in Kafka, before transformations; what `report` and commits speak of.
    pub fn origin(&self) -> TopicOffset {
        match self.view.origin {
            Some(origin) => TopicOffset {
                topic: origin.topic.to_owned(),
                partition: origin.partition,
                offset: origin.offset,
            },
            None => TopicOffset {
                topic: self.topic().to_owned(),
                partition: self.partition(),
                offset: self.offset(),
            },
        }
    }

    /// Key.
    pub fn key(&self) -> DataRef<'b> {
        DataRef {
            slot: self.view.key,
            schemas: self.schemas,
        }
    }

    /// Value.
    pub fn value(&self) -> DataRef<'b> {
        DataRef {
            slot: self.view.value,
            schemas: self.schemas,
        }
    }

    /// Headers in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, DataRef<'b>)> {
        let schemas = self.schemas;
        self.view.headers().map(move |header: HeaderView<'b>| {
            (
                header.name,
                DataRef {
                    slot: header.slot(),
                    schemas,
                },
            )
        })
    }

    /// Gives an owned copy.
    ///
    /// # Errors
    /// Data when a value does not decode.
    pub fn to_record(&self) -> Result<SinkRecord, ConnectError> {
        let mut headers = Vec::with_capacity(usize::from(self.view.header_count()));
        for (name, data) in self.headers() {
            headers.push(Header {
                name: name.to_owned(),
                value: data.to_typed()?,
            });
        }
        Ok(SinkRecord {
            topic: self.topic().to_owned(),
            partition: self.partition(),
            offset: self.offset(),
            key: self.key().to_typed()?,
            value: self.value().to_typed()?,
            timestamp: self.timestamp(),
            timestamp_type: self.timestamp_type(),
            headers,
        })
    }
}

/// A key, value or header value, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct DataRef<'b> {
    slot: Slot<'b>,
    schemas: &'b GuestSchemas,
}

impl<'b> DataRef<'b> {
    /// Tells whether it is null.
    pub fn is_null(&self) -> bool {
        self.slot.bytes.is_none()
    }

    /// Gives the schema; `None` is Java's null schema.
    pub fn schema(&self) -> Option<Arc<Schema>> {
        self.schemas.schema_of(self.slot.schema)
    }

    /// Gives the text in place if the schema is a STRING.
    pub fn text(&self) -> Option<&'b str> {
        if !self.is_base(SchemaType::Text, SchemaId::TEXT, SchemaId::OPTIONAL_TEXT) {
            return None;
        }
        std::str::from_utf8(self.slot.bytes?).ok()
    }

    /// Gives the bytes in place if the schema is BYTES.
    pub fn bytes(&self) -> Option<&'b [u8]> {
        if !self.is_base(SchemaType::Bytes, SchemaId::BYTES, SchemaId::OPTIONAL_BYTES) {
            return None;
        }
        self.slot.bytes
    }

    /// Gives what a STRING or BYTES slot holds, in place and unchecked: for sinks that pass bytes on.
    pub fn raw(&self) -> Option<&'b [u8]> {
        let is_raw = self.is_base(SchemaType::Bytes, SchemaId::BYTES, SchemaId::OPTIONAL_BYTES)
            || self.is_base(SchemaType::Text, SchemaId::TEXT, SchemaId::OPTIONAL_TEXT);
        if is_raw { self.slot.bytes } else { None }
    }

    /// Gives an owned value.
    ///
    /// # Errors
    /// Data when the bytes do not decode under the schema.
    pub fn to_value(&self) -> Result<Value, ConnectError> {
        self.to_typed().map(|typed| typed.value)
    }

    /// Gives an owned value with its schema.
    ///
    /// # Errors
    /// As [`DataRef::to_value`].
    pub fn to_typed(&self) -> Result<TypedValue, ConnectError> {
        let schema = self.schema();
        if schema.is_none() && self.slot.schema != SchemaId::NONE {
            return Err(ConnectError::data(format!(
                "schema {} is not known to the host",
                self.slot.schema.0
            )));
        }
        let value = decode_slot(self.slot.schema, self.slot.bytes, self.schemas)?;
        Ok(TypedValue { schema, value })
    }

    // Bare types are told by their id; anything else costs a look at the schema.
    fn is_base(&self, base: SchemaType, required: SchemaId, optional: SchemaId) -> bool {
        let id = self.slot.schema;
        id == required
            || id == optional
            || (id.is_declared() && self.schemas.schema_of(id).is_some_and(|schema| schema.base == base))
    }
}
