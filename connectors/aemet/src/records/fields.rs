//! What all products share: a mapped row, schemas by field list, lenient reading of JSON

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use weir_feed::hash::hash_of;
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;

use crate::names::Names;
use crate::number::Number;

/// Where the schemas live.
pub const NAMESPACE: &str = "weir.feeds.aemet";

/// Oddities told of one row.
pub const MOST_ODDITIES: usize = 20;

/// A row that became a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// Station or town.
    pub id: String,
    /// When it is of, as offsets show it: `fint` in UTC, `elaborado` in local time, `fecha`.
    pub time: String,
    /// The same as a number that grows: seconds or days.
    pub position: i64,
    /// Timestamp of the record.
    pub timestamp_ms: i64,
    /// The value.
    pub value: StructValue,
    /// SHA-256 of all that makes it differ from another, in hex.
    pub hash: String,
    /// What did not fit the schema and is left out, for the log.
    pub odd: Vec<String>,
}

/// Builds a struct schema; the names are AEMET's.
///
/// # Errors
/// Fatal for a malformed list, which tests rule out.
pub fn structure(name: &str, names: Names, fields: Vec<(&str, Arc<Schema>)>) -> Result<Arc<Schema>, ConnectError> {
    let mut built = SchemaBuilder::structure().name(&format!("{NAMESPACE}.{name}"));
    for (original, schema) in fields {
        built = built.field(names.of(original), schema);
    }
    built.build()
}

/// Builds a map of texts.
///
/// # Errors
/// As [`structure`].
pub fn texts_by_name() -> Result<Arc<Schema>, ConnectError> {
    SchemaBuilder::map(builder::text(), builder::text()).build()
}

/// Gives a number or null.
pub fn float(number: &Number) -> Value {
    number.value().map_or(Value::Null, Value::Float64)
}

/// Gives a whole number or null.
pub fn whole(number: &Number) -> Value {
    number.whole().map_or(Value::Null, Value::Int32)
}

/// Gives a text or null.
pub fn text(found: Option<String>) -> Value {
    found.map_or(Value::Null, Value::Text)
}

/// Gives a map of texts, sorted by name.
pub fn text_map(mut pairs: Vec<(String, String)>) -> Value {
    pairs.sort();
    let pairs = pairs
        .into_iter()
        .map(|(name, text)| (Value::Text(name), Value::Text(text)));
    Value::Map(pairs.collect())
}

/// Reads a text that says something; a number counts as its text.
pub fn text_of(value: Option<&Json>) -> Option<String> {
    match value? {
        Json::String(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Gives an array's elements; anything else has none.
pub fn elements(value: Option<&Json>) -> &[Json] {
    value.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// Demands an object.
///
/// # Errors
/// What it is instead.
pub fn object(row: &Json) -> Result<&Map<String, Json>, String> {
    row.as_object().ok_or_else(|| "the row is not a JSON object".to_owned())
}

/// Demands a text.
///
/// # Errors
/// Which one is missing.
pub fn required(row: &Map<String, Json>, name: &str) -> Result<String, String> {
    text_of(row.get(name)).ok_or_else(|| format!("the row has no {name}"))
}

/// Gives the hash of a value: of what it says, not of how the service wrote it.
pub fn hash_of_value(value: &StructValue) -> String {
    hash_of(&Json::Array(value.fields.iter().map(hashable).collect()))
}

/// Writes a value as JSON whose text is the same for equal values.
fn hashable(value: &Value) -> Json {
    match value {
        Value::Int32(number) => (*number).into(),
        Value::Int64(number) => (*number).into(),
        Value::Float64(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Array(items) => Json::Array(items.iter().map(hashable).collect()),
        Value::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(name, value)| Json::Array(vec![hashable(name), hashable(value)]));
            Json::Array(pairs.collect())
        }
        Value::Struct(inner) => Json::Array(inner.fields.iter().map(hashable).collect()),
        // No schema here has the other types.
        _ => Json::Null,
    }
}
