//! Values to and from their encoding in a frame
//!
//! Typed by the schema: no tags, no varints; a schemaless value (id 0) carries tags. Owned forms for connector authors,
//! tests and slow paths; converters walk with `value_reader.rs`. Format: wasm-abi §5.

use std::sync::Arc;

use crate::data::schema::{MAX_DEPTH, Schema, SchemaType};
use crate::data::schemas::{SchemaId, SchemaIds, SchemaTable};
use crate::data::value::{StructValue, Value};
use crate::error::ConnectError;
use crate::frame::value_reader::{ValueError, ValueReader};

/// Tags of schemaless values.
pub mod tags {
    /// No value.
    pub const NULL: u8 = 0;
    /// INT8.
    pub const INT8: u8 = 1;
    /// INT16.
    pub const INT16: u8 = 2;
    /// INT32.
    pub const INT32: u8 = 3;
    /// INT64.
    pub const INT64: u8 = 4;
    /// FLOAT32.
    pub const FLOAT32: u8 = 5;
    /// FLOAT64.
    pub const FLOAT64: u8 = 6;
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 7;
    /// Length and UTF-8.
    pub const TEXT: u8 = 8;
    /// Length and bytes.
    pub const BYTES: u8 = 9;
    /// Count and tagged elements.
    pub const ARRAY: u8 = 10;
    /// Count, tagged keys and values alternating.
    pub const MAP: u8 = 11;
    /// Schema id and typed bytes.
    pub const STRUCT: u8 = 12;
    /// Milliseconds since the epoch.
    pub const DATE_TIME: u8 = 13;
    /// Scale, length and unscaled bytes.
    pub const DECIMAL: u8 = 14;
}

/// Appends the encoding of a slot's value; the slot's bytes begin where `out` ended. False: the value is null and
/// nothing was appended.
///
/// # Errors
/// `Data` when the value does not fit the schema, with the texts of `data/validate.rs`; `Fatal` when a schema cannot be
/// declared.
pub fn encode_slot(
    schema: Option<&Schema>,
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
) -> Result<bool, ConnectError> {
    let Some(schema) = schema else {
        if !value.is_null() {
            encode_tagged(value, ids, out, MAX_DEPTH)?;
        }
        return Ok(!value.is_null());
    };
    crate::data::validate::validate_value(schema, value)?;
    match value {
        Value::Null => return Ok(false),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        other => encode_present(schema, other, ids, out, MAX_DEPTH)?,
    }
    Ok(true)
}

/// Appends the encoding of a value below the root, presence byte included.
///
/// # Errors
/// `Data` when the value does not fit the schema.
pub fn encode_nested(
    schema: &Schema,
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    crate::data::validate::validate_value(schema, value)?;
    encode_part(schema, value, ids, out, MAX_DEPTH)
}

/// Decodes a slot's bytes; `None` bytes are null.
///
/// # Errors
/// `Data` when the bytes are no value of the schema, or the id is not known.
pub fn decode_slot(id: SchemaId, bytes: Option<&[u8]>, ids: &dyn SchemaIds) -> Result<Value, ConnectError> {
    let Some(bytes) = bytes else {
        return Ok(Value::Null);
    };
    if id == SchemaId::NONE {
        let mut reader = ValueReader::new(bytes);
        let value = decode_tagged(&mut reader, ids, MAX_DEPTH)?;
        reader.finish()?;
        return Ok(value);
    }
    let schema = ids
        .schema_of(id)
        .ok_or_else(|| ConnectError::data(format!("schema {} is not known", id.0)))?;
    Ok(decode_whole(&schema, bytes, ids)?)
}

/// Decodes a whole slot of a schema, such as a default; schemaless structs inside are not known here.
///
/// # Errors
/// The bytes are no value of the schema.
pub fn decode_root(schema: &Arc<Schema>, bytes: &[u8]) -> Result<Value, ValueError> {
    decode_whole(schema, bytes, &SchemaTable::new())
}

fn decode_whole(schema: &Arc<Schema>, bytes: &[u8], ids: &dyn SchemaIds) -> Result<Value, ValueError> {
    let mut reader = ValueReader::new(bytes);
    let value = match schema.base {
        SchemaType::Text => Value::Text(reader.root_text()?.to_owned()),
        SchemaType::Bytes => Value::Bytes(reader.root_bytes().to_vec()),
        _ => decode_present(schema, &mut reader, ids, MAX_DEPTH)?,
    };
    reader.finish()?;
    Ok(value)
}

/// Decodes a value below the root, presence byte included.
///
/// # Errors
/// The bytes are no value of the schema.
pub fn decode_nested(
    schema: &Arc<Schema>,
    reader: &mut ValueReader<'_>,
    ids: &dyn SchemaIds,
) -> Result<Value, ValueError> {
    decode_part(schema, reader, ids, MAX_DEPTH)
}

fn length(len: usize) -> Result<[u8; 4], ConnectError> {
    u32::try_from(len)
        .map(u32::to_le_bytes)
        .map_err(|_| ConnectError::data(format!("{len} bytes or elements are too many for one value")))
}

fn deeper(depth_left: usize) -> Result<usize, ValueError> {
    depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))
}

/// The value was validated against the schema before.
fn encode_part(
    schema: &Schema,
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), ConnectError> {
    match (value, schema.optional, &schema.default) {
        (Value::Null, true, _) => {
            out.push(0);
            Ok(())
        }
        // A required field has no room for null: its default stands for it, as reading it in Java gives.
        (Value::Null, false, Some(default)) => encode_present(schema, default, ids, out, depth_left),
        (_, true, _) => {
            out.push(1);
            encode_present(schema, value, ids, out, depth_left)
        }
        (_, false, _) => encode_present(schema, value, ids, out, depth_left),
    }
}

fn encode_present(
    schema: &Schema,
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), ConnectError> {
    let below = deeper(depth_left)?;
    match value {
        Value::Int8(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int16(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int32(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int64(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Float32(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Float64(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Boolean(flag) => out.push(u8::from(*flag)),
        Value::Text(text) => push_bytes(text.as_bytes(), out)?,
        Value::Bytes(bytes) => push_bytes(bytes, out)?,
        Value::Array(items) => {
            out.extend_from_slice(&length(items.len())?);
            items
                .iter()
                .try_for_each(|item| encode_child(schema.value.as_deref(), item, ids, out, below))?;
        }
        Value::Map(pairs) => {
            out.extend_from_slice(&length(pairs.len())?);
            for (key, value) in pairs {
                encode_child(schema.key.as_deref(), key, ids, out, below)?;
                encode_child(schema.value.as_deref(), value, ids, out, below)?;
            }
        }
        Value::Struct(value) => {
            for (field, value) in schema.fields.iter().zip(&value.fields) {
                encode_part(&field.schema, value, ids, out, below)?;
            }
        }
        Value::Null | Value::DateTime(_) | Value::Decimal { .. } => {
            return Err(ConnectError::data(format!(
                "{} has no encoding of type {}",
                value.java_class(),
                schema.base.as_str()
            )));
        }
    }
    Ok(())
}

/// Elements without a schema, as header texts give them, describe themselves.
fn encode_child(
    schema: Option<&Schema>,
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), ConnectError> {
    match schema {
        Some(schema) => encode_part(schema, value, ids, out, depth_left),
        None => encode_tagged(value, ids, out, depth_left),
    }
}

fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ConnectError> {
    out.extend_from_slice(&length(bytes.len())?);
    out.extend_from_slice(bytes);
    Ok(())
}

fn encode_tagged(
    value: &Value,
    ids: &mut dyn SchemaIds,
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), ConnectError> {
    let below = deeper(depth_left)?;
    out.push(tag_of(value));
    match value {
        Value::Null => {}
        Value::Int8(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int16(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int32(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Int64(number) | Value::DateTime(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Float32(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Float64(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Boolean(flag) => out.push(u8::from(*flag)),
        Value::Text(text) => push_bytes(text.as_bytes(), out)?,
        Value::Bytes(bytes) => push_bytes(bytes, out)?,
        Value::Array(items) => {
            out.extend_from_slice(&length(items.len())?);
            items.iter().try_for_each(|item| encode_tagged(item, ids, out, below))?;
        }
        Value::Map(pairs) => {
            out.extend_from_slice(&length(pairs.len())?);
            for (key, value) in pairs {
                encode_tagged(key, ids, out, below)?;
                encode_tagged(value, ids, out, below)?;
            }
        }
        Value::Struct(inner) => {
            crate::data::validate::validate_value(&inner.schema, value)?;
            out.extend_from_slice(&ids.id_of(&inner.schema)?.0.to_le_bytes());
            encode_present(&inner.schema, value, ids, out, below)?;
        }
        Value::Decimal { scale, unscaled } => {
            out.extend_from_slice(&scale.to_le_bytes());
            push_bytes(unscaled, out)?;
        }
    }
    Ok(())
}

fn tag_of(value: &Value) -> u8 {
    match value {
        Value::Null => tags::NULL,
        Value::Int8(_) => tags::INT8,
        Value::Int16(_) => tags::INT16,
        Value::Int32(_) => tags::INT32,
        Value::Int64(_) => tags::INT64,
        Value::Float32(_) => tags::FLOAT32,
        Value::Float64(_) => tags::FLOAT64,
        Value::Boolean(_) => tags::BOOLEAN,
        Value::Text(_) => tags::TEXT,
        Value::Bytes(_) => tags::BYTES,
        Value::Array(_) => tags::ARRAY,
        Value::Map(_) => tags::MAP,
        Value::Struct(_) => tags::STRUCT,
        Value::DateTime(_) => tags::DATE_TIME,
        Value::Decimal { .. } => tags::DECIMAL,
    }
}

fn decode_part(
    schema: &Arc<Schema>,
    reader: &mut ValueReader<'_>,
    ids: &dyn SchemaIds,
    depth_left: usize,
) -> Result<Value, ValueError> {
    if schema.optional && !reader.is_present()? {
        return Ok(Value::Null);
    }
    decode_present(schema, reader, ids, depth_left)
}

fn decode_present(
    schema: &Arc<Schema>,
    reader: &mut ValueReader<'_>,
    ids: &dyn SchemaIds,
    depth_left: usize,
) -> Result<Value, ValueError> {
    let below = deeper(depth_left)?;
    Ok(match schema.base {
        SchemaType::Int8 => Value::Int8(reader.int8()?),
        SchemaType::Int16 => Value::Int16(reader.int16()?),
        SchemaType::Int32 => Value::Int32(reader.int32()?),
        SchemaType::Int64 => Value::Int64(reader.int64()?),
        SchemaType::Float32 => Value::Float32(reader.float32()?),
        SchemaType::Float64 => Value::Float64(reader.float64()?),
        SchemaType::Boolean => Value::Boolean(reader.boolean()?),
        SchemaType::Text => Value::Text(reader.text()?.to_owned()),
        SchemaType::Bytes => Value::Bytes(reader.bytes()?.to_vec()),
        SchemaType::Array => {
            let mut items = Vec::new();
            for _ in 0..reader.count()? {
                items.push(decode_child(schema.value.as_ref(), reader, ids, below)?);
            }
            Value::Array(items)
        }
        SchemaType::Map => {
            let mut pairs = Vec::new();
            for _ in 0..reader.count()? {
                let key = decode_child(schema.key.as_ref(), reader, ids, below)?;
                pairs.push((key, decode_child(schema.value.as_ref(), reader, ids, below)?));
            }
            Value::Map(pairs)
        }
        SchemaType::Struct => {
            let mut fields = Vec::with_capacity(schema.fields.len());
            for field in &schema.fields {
                fields.push(decode_part(&field.schema, reader, ids, below)?);
            }
            Value::Struct(StructValue {
                schema: Arc::clone(schema),
                fields,
            })
        }
    })
}

fn decode_child(
    schema: Option<&Arc<Schema>>,
    reader: &mut ValueReader<'_>,
    ids: &dyn SchemaIds,
    depth_left: usize,
) -> Result<Value, ValueError> {
    match schema {
        Some(schema) => decode_part(schema, reader, ids, depth_left),
        None => decode_tagged(reader, ids, depth_left),
    }
}

fn decode_tagged(reader: &mut ValueReader<'_>, ids: &dyn SchemaIds, depth_left: usize) -> Result<Value, ValueError> {
    let below = deeper(depth_left)?;
    Ok(match reader.tag()? {
        tags::NULL => Value::Null,
        tags::INT8 => Value::Int8(reader.int8()?),
        tags::INT16 => Value::Int16(reader.int16()?),
        tags::INT32 => Value::Int32(reader.int32()?),
        tags::INT64 => Value::Int64(reader.int64()?),
        tags::FLOAT32 => Value::Float32(reader.float32()?),
        tags::FLOAT64 => Value::Float64(reader.float64()?),
        tags::BOOLEAN => Value::Boolean(reader.boolean()?),
        tags::TEXT => Value::Text(reader.text()?.to_owned()),
        tags::BYTES => Value::Bytes(reader.bytes()?.to_vec()),
        tags::ARRAY => {
            let mut items = Vec::new();
            for _ in 0..reader.count()? {
                items.push(decode_tagged(reader, ids, below)?);
            }
            Value::Array(items)
        }
        tags::MAP => {
            let mut pairs = Vec::new();
            for _ in 0..reader.count()? {
                let key = decode_tagged(reader, ids, below)?;
                pairs.push((key, decode_tagged(reader, ids, below)?));
            }
            Value::Map(pairs)
        }
        tags::STRUCT => {
            let id = reader.uint32()?;
            let schema = ids
                .schema_of(SchemaId(id))
                .filter(|schema| schema.base == SchemaType::Struct)
                .ok_or(ValueError::Schema(id))?;
            decode_present(&schema, reader, ids, below)?
        }
        tags::DATE_TIME => Value::DateTime(reader.int64()?),
        tags::DECIMAL => Value::Decimal {
            scale: reader.int32()?,
            unscaled: reader.bytes()?.to_vec(),
        },
        found => return Err(ValueError::Byte { what: "tag", found }),
    })
}

#[cfg(test)]
mod tests;
