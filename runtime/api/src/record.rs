//! Owned records, for code that is not on the hot path
//!
//! Kafka: `SourceRecord`, `SinkRecord`, `ConnectHeaders`. Batches travel as frames (`frame/`); these are what a
//! connector author writes and reads.

use std::sync::Arc;

use crate::data::builder;
use crate::data::schema::Schema;
use crate::data::value::Value;

/// A value and its schema; no schema is Java's null schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TypedValue {
    /// Schema.
    pub schema: Option<Arc<Schema>>,
    /// Value.
    pub value: Value,
}

impl TypedValue {
    /// Null without schema.
    pub fn null() -> Self {
        Self::default()
    }

    /// A value with its schema.
    pub fn new(schema: Arc<Schema>, value: impl Into<Value>) -> Self {
        Self {
            schema: Some(schema),
            value: value.into(),
        }
    }

    /// A value without schema.
    pub fn schemaless(value: impl Into<Value>) -> Self {
        Self {
            schema: None,
            value: value.into(),
        }
    }

    /// A text with the required STRING schema.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(builder::text(), Value::Text(text.into()))
    }

    /// Bytes with the required BYTES schema.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(builder::bytes(), Value::Bytes(bytes.into()))
    }
}

/// A header.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Name; several headers may share one.
    pub name: String,
    /// Value.
    pub value: TypedValue,
}

/// What a record's timestamp means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// There is none.
    #[default]
    None,
    /// Set by the producer.
    CreateTime,
    /// Set by the broker.
    LogAppendTime,
}

/// A record that goes into Kafka.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceRecord {
    /// Where the record comes from, a compact JSON object.
    pub source_partition: Option<String>,
    /// How far into it, a compact JSON object.
    pub source_offset: Option<String>,
    /// Topic.
    pub topic: String,
    /// Partition, if the connector chooses.
    pub partition: Option<i32>,
    /// Key.
    pub key: TypedValue,
    /// Value.
    pub value: TypedValue,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// Headers in order.
    pub headers: Vec<Header>,
}

/// A record that came out of Kafka.
#[derive(Debug, Clone, PartialEq)]
pub struct SinkRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Key.
    pub key: TypedValue,
    /// Value.
    pub value: TypedValue,
    /// Milliseconds since the epoch.
    pub timestamp: Option<i64>,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// Headers in order.
    pub headers: Vec<Header>,
}
