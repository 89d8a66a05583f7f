//! Logical types: a base type under a well-known name
//!
//! Kafka: `Decimal`, `Date`, `Time`, `Timestamp` of `org.apache.kafka.connect.data`. Their values are held as the base
//! type; texts of dates are in `datetime.rs`, of decimals in `decimal.rs`.

use std::sync::Arc;

use crate::data::schema::{Schema, SchemaType};

/// Name of the decimal type: BYTES with parameter `scale`.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// Name of the date type: INT32, days since the epoch.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// Name of the time type: INT32, ms since midnight.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// Name of the timestamp type: INT64, ms since the epoch.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";
/// The parameter of decimals.
pub const SCALE: &str = "scale";
/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// A logical type with what is needed to read its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    /// Unscaled bytes; the value is `unscaled × 10^-scale`.
    Decimal {
        /// Digits after the point.
        scale: i32,
    },
    /// Days since the epoch.
    Date,
    /// Milliseconds since midnight.
    Time,
    /// Milliseconds since the epoch.
    Timestamp,
}

impl Logical {
    /// Recognises the logical type of a schema; a known name over another base type is none.
    pub fn of(schema: &Schema) -> Option<Self> {
        match (schema.name.as_deref()?, schema.base) {
            (DECIMAL, SchemaType::Bytes) => Some(Self::Decimal {
                scale: schema.parameter(SCALE)?.parse().ok()?,
            }),
            (DATE, SchemaType::Int32) => Some(Self::Date),
            (TIME, SchemaType::Int32) => Some(Self::Time),
            (TIMESTAMP, SchemaType::Int64) => Some(Self::Timestamp),
            _ => None,
        }
    }
}

/// Gives a required decimal schema.
pub fn decimal(scale: i32) -> Arc<Schema> {
    Arc::new(Schema {
        parameters: vec![(SCALE.to_owned(), scale.to_string())],
        ..named(SchemaType::Bytes, DECIMAL)
    })
}

/// Gives a required date schema.
pub fn date() -> Arc<Schema> {
    Arc::new(named(SchemaType::Int32, DATE))
}

/// Gives a required time schema.
pub fn time() -> Arc<Schema> {
    Arc::new(named(SchemaType::Int32, TIME))
}

/// Gives a required timestamp schema.
pub fn timestamp() -> Arc<Schema> {
    Arc::new(named(SchemaType::Int64, TIMESTAMP))
}

fn named(base: SchemaType, name: &str) -> Schema {
    Schema {
        name: Some(name.to_owned()),
        version: Some(1),
        ..Schema::plain(base)
    }
}
