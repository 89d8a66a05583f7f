//! Source partitions and offsets
//!
//! Both are JSON objects with string keys and primitive values, kept as compact text: compared by value, stored byte
//! for byte. `{"filename":"/x"}` names where records come from, `{"position":51}` how far the task got.

use serde_json::{Map, Value};
use weir_api::error::ConnectError;

use crate::host;

/// A parsed source partition or offset, keys in written order.
pub type JsonObject = Map<String, Value>;

/// Reads the offsets that are durable.
#[derive(Debug, Clone, Copy, Default)]
pub struct OffsetReader {
    _private: (),
}

impl OffsetReader {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }

    /// Gives the last offset of one source partition, or none.
    ///
    /// # Errors
    /// Retriable when the store cannot be read now.
    pub fn offset(&self, partition: &str) -> Result<Option<JsonObject>, ConnectError> {
        let found = host::offsets(&[partition])?.into_iter().next().flatten();
        found.as_deref().map(parse).transpose()
    }

    /// Gives the last offsets of many source partitions in one call, same order.
    ///
    /// # Errors
    /// As [`OffsetReader::offset`].
    pub fn offsets(&self, partitions: &[&str]) -> Result<Vec<Option<JsonObject>>, ConnectError> {
        let found = host::offsets(partitions)?;
        found
            .iter()
            .map(|offset| offset.as_deref().map(parse).transpose())
            .collect()
    }
}

/// Parses a source partition or offset.
///
/// # Errors
/// Fatal when the text is no JSON object.
pub fn parse(text: &str) -> Result<JsonObject, ConnectError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ConnectError::fatal(format!("not a JSON object: {text}"))),
        Err(error) => Err(ConnectError::fatal(format!("not a JSON object: {text}: {error}"))),
    }
}

/// Writes one key and value as the compact text of an object.
pub fn single(key: &str, value: impl Into<Value>) -> String {
    let mut object = JsonObject::new();
    object.insert(key.to_owned(), value.into());
    Value::Object(object).to_string()
}
