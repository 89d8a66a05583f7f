//! Progress records: what carries an offset where no place changed
//!
//! Connect stores an offset only with a record. A search that found nothing new would be paid for again after each
//! restart, and the daily budget would start anew, so both are written to a topic of their own.

use std::sync::Arc;

use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::logical;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};

/// What a progress record says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress<'a> {
    /// When.
    pub at_ms: i64,
    /// The search: its cell.
    pub cell: Option<&'a str>,
    /// The search: its words or types.
    pub query: Option<&'a str>,
    /// Cycle that the search was finished in.
    pub cycle: Option<u64>,
    /// Whether everything that the service has could be read.
    pub is_complete: Option<bool>,
    /// Places found.
    pub found: Option<usize>,
    /// Records written.
    pub written: Option<usize>,
    /// Day of the budget.
    pub day: &'a str,
    /// Requests on that day, reserved ones included.
    pub requests: u64,
    /// Requests that there may be.
    pub limit: u64,
    /// Why nothing is asked, and until when.
    pub paused: Option<(&'a str, i64)>,
}

/// Writes progress records.
#[derive(Debug)]
pub struct ProgressWriter {
    topic: String,
    schema: Arc<Schema>,
}

impl ProgressWriter {
    /// Prepares the schema `weir.feeds.places.Progress`.
    ///
    /// # Errors
    /// Fatal if the schema is malformed, which tests rule out.
    pub fn new(topic: &str) -> Result<Self, ConnectError> {
        let optional_timestamp = Schema {
            optional: true,
            ..logical::timestamp().as_ref().clone()
        };
        let schema = SchemaBuilder::structure()
            .name("weir.feeds.places.Progress")
            .field("at", logical::timestamp())
            .field("cell", builder::optional_text())
            .field("query", builder::optional_text())
            .field("cycle", builder::optional_int64())
            .field("complete", builder::optional_boolean())
            .field("found", builder::optional_int64())
            .field("written", builder::optional_int64())
            .field("day", builder::text())
            .field("requests", builder::int64())
            .field("limit", builder::int64())
            .field("reason", builder::optional_text())
            .field("until", Arc::new(optional_timestamp))
            .build()?;
        Ok(Self {
            topic: topic.to_owned(),
            schema,
        })
    }

    /// Makes a record; its key is the source partition.
    ///
    /// # Errors
    /// Data when a field is missing, which tests rule out.
    pub fn record(&self, partition: &str, offset: String, says: &Progress<'_>) -> Result<SourceRecord, ConnectError> {
        let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let count = |count: Option<usize>| count.map_or(Value::Null, |count| long(count as u64));
        let mut value = StructValue::new(Arc::clone(&self.schema));
        value.put("at", says.at_ms)?;
        value.put("cell", text(says.cell))?;
        value.put("query", text(says.query))?;
        value.put("cycle", says.cycle.map_or(Value::Null, long))?;
        value.put("complete", says.is_complete.map_or(Value::Null, Value::from))?;
        value.put("found", count(says.found))?;
        value.put("written", count(says.written))?;
        value.put("day", says.day)?;
        value.put("requests", long(says.requests))?;
        value.put("limit", long(says.limit))?;
        value.put("reason", text(says.paused.map(|(reason, _)| reason)))?;
        value.put(
            "until",
            says.paused.map_or(Value::Null, |(_, until_ms)| Value::from(until_ms)),
        )?;
        Ok(SourceRecord {
            source_partition: Some(partition.to_owned()),
            source_offset: Some(offset),
            topic: self.topic.clone(),
            key: TypedValue::text(partition),
            value: TypedValue::new(Arc::clone(&self.schema), value),
            timestamp: Some(says.at_ms),
            ..SourceRecord::default()
        })
    }
}

fn long(count: u64) -> Value {
    Value::Int64(i64::try_from(count).unwrap_or(i64::MAX))
}
