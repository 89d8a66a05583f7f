//! Defaults, between Connect values and the JSON that Avro schemas hold
//!
//! Both directions and the check Java's library makes when a field gets its default. Kafka:
//! `AvroData.defaultValueFromConnect`, `defaultValueFromAvro`; Avro: `Schema.isValidDefault`.

use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::value::{StructValue, Value};
use weir_config::number_text::push_f32;
use weir_schema::avro::schema::{AvroSchema, Kind, NodeId};

use crate::avro::config::DataOptions;
use crate::avro::names::scrubbed;
use crate::avro::shapes::{has_avro_map, is_union};

/// How FLOAT32 becomes a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Floats {
    /// Widened, as in a field's default: 1.1 is `1.100000023841858`.
    Widened,
    /// By its own digits, as in `connect.default`: 1.1 is `1.1`.
    Short,
}

/// Gives the JSON of a default; null for null.
pub fn default_to_json(schema: &Schema, value: &Value, options: &DataOptions, floats: Floats) -> Json {
    let nested = |schema: &Option<Arc<Schema>>, value: &Value| {
        schema
            .as_ref()
            .map_or(Json::Null, |schema| default_to_json(schema, value, options, floats))
    };
    match value {
        Value::Null | Value::DateTime(_) | Value::Decimal { .. } => Json::Null,
        Value::Int8(number) => Json::from(*number),
        Value::Int16(number) => Json::from(*number),
        Value::Int32(number) => Json::from(*number),
        Value::Int64(number) => Json::from(*number),
        Value::Float32(number) => match floats {
            Floats::Widened => double(f64::from(*number)),
            Floats::Short => {
                let mut text = String::new();
                push_f32(&mut text, *number);
                text.parse().map_or_else(|_| Json::from(text), double)
            }
        },
        Value::Float64(number) => double(*number),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => Json::from(latin1(bytes)),
        Value::Array(items) => items.iter().map(|item| nested(&schema.value, item)).collect(),
        Value::Map(pairs) if has_avro_map(schema, options) => pairs
            .iter()
            .map(|(key, value)| {
                let key = if let Value::Text(key) = key {
                    key.clone()
                } else {
                    String::new()
                };
                (key, nested(&schema.value, value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| Json::Array(vec![nested(&schema.key, key), nested(&schema.value, value)]))
            .collect(),
        Value::Struct(value) => struct_to_json(schema, value, options, floats),
    }
}

/// A union's default is that of its first member.
fn struct_to_json(schema: &Schema, value: &StructValue, options: &DataOptions, floats: Floats) -> Json {
    let mut object = Map::new();
    for (field, own) in schema.fields.iter().zip(&value.fields) {
        let shown = match &field.schema.default {
            Some(default) if own.is_null() => default,
            _ => own,
        };
        let json = default_to_json(&field.schema, shown, options, floats);
        if is_union(schema) {
            return json;
        }
        object.insert(scrubbed(&field.name, options.scrub_names), json);
    }
    Json::Object(object)
}

/// Jackson writes what is no number as a text.
fn double(number: f64) -> Json {
    Number::from_f64(number).map_or_else(
        || {
            Json::from(if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            })
        },
        Json::Number,
    )
}

/// Gives bytes as Avro's JSON holds them: a character for each byte.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// Gives the bytes of such a text; a character beyond one byte is Java's question mark.
pub fn latin1_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?'))
        .collect()
}

/// Tells whether a default fits a schema, any branch of a union will do.
pub fn is_valid_default(avro: &AvroSchema, id: NodeId, json: &Json) -> bool {
    match &avro.node(id).kind {
        Kind::Null => json.is_null(),
        Kind::Boolean => json.is_boolean(),
        Kind::Int => json.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        Kind::Long => json.as_i64().is_some(),
        // What is no number was one before it was written.
        Kind::Float | Kind::Double => {
            json.is_number() || matches!(json.as_str(), Some("NaN" | "Infinity" | "-Infinity"))
        }
        Kind::Bytes | Kind::String | Kind::Enum(_) | Kind::Fixed(_) => json.is_string(),
        Kind::Array(items) => json
            .as_array()
            .is_some_and(|list| list.iter().all(|item| is_valid_default(avro, *items, item))),
        Kind::Map(values) => json
            .as_object()
            .is_some_and(|map| map.values().all(|value| is_valid_default(avro, *values, value))),
        Kind::Union(branches) => branches.iter().any(|branch| is_valid_default(avro, *branch, json)),
        Kind::Record(record) => json.as_object().is_some_and(|object| {
            record.fields.iter().all(|field| {
                object
                    .get(&field.name)
                    .or(field.default.as_ref())
                    .is_some_and(|value| is_valid_default(avro, field.schema, value))
            })
        }),
    }
}

/// Reads a default of an Avro schema as a value of the Connect schema it was mapped to.
///
/// # Errors
/// What does not fit, for the log: a bad default is left out, as in Java.
pub fn default_from_json(
    avro: &AvroSchema,
    id: NodeId,
    schema: &Arc<Schema>,
    json: &Json,
    options: &DataOptions,
) -> Result<Value, String> {
    let wrong = || format!("{json} is no default of type {}", schema.base.as_str());
    let node = avro.node(id);
    // The mapping made an optional schema of a union with null.
    if let Kind::Union(branches) = &node.kind {
        return union_default(avro, branches, schema, json, options);
    }
    Ok(match schema.base {
        SchemaType::Int8 => Value::Int8(integer(json).ok_or_else(wrong)? as i8),
        SchemaType::Int16 => Value::Int16(integer(json).ok_or_else(wrong)? as i16),
        SchemaType::Int32 => Value::Int32(
            integer(json)
                .and_then(|number| i32::try_from(number).ok())
                .ok_or_else(wrong)?,
        ),
        SchemaType::Int64 => Value::Int64(integer(json).ok_or_else(wrong)?),
        SchemaType::Float32 => Value::Float32(real(json).ok_or_else(wrong)? as f32),
        SchemaType::Float64 => Value::Float64(real(json).ok_or_else(wrong)?),
        SchemaType::Boolean => Value::Boolean(json.as_bool().ok_or_else(wrong)?),
        SchemaType::Text => Value::Text(json.as_str().ok_or_else(wrong)?.to_owned()),
        SchemaType::Bytes => Value::Bytes(latin1_bytes(json.as_str().ok_or_else(wrong)?)),
        SchemaType::Array => {
            let (Kind::Array(items), Some(element)) = (&node.kind, &schema.value) else {
                return Err(wrong());
            };
            let mut values = Vec::new();
            for item in json.as_array().ok_or_else(wrong)? {
                values.push(default_from_json(avro, *items, element, item, options)?);
            }
            Value::Array(values)
        }
        SchemaType::Map => {
            // Entries of other maps are records here, which Java does not read back either.
            let (Kind::Map(items), Some(element)) = (&node.kind, &schema.value) else {
                return Err(wrong());
            };
            let mut pairs = Vec::new();
            for (key, item) in json.as_object().ok_or_else(wrong)? {
                pairs.push((
                    Value::text(key),
                    default_from_json(avro, *items, element, item, options)?,
                ));
            }
            Value::Map(pairs)
        }
        SchemaType::Struct => struct_default(avro, id, schema, json, options)?,
    })
}

fn union_default(
    avro: &AvroSchema,
    branches: &[NodeId],
    schema: &Arc<Schema>,
    json: &Json,
    options: &DataOptions,
) -> Result<Value, String> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    let mut others = branches.iter().filter(|branch| avro.node(**branch).kind != Kind::Null);
    let Some(first) = others.next() else {
        return Ok(Value::Null);
    };
    if !is_union(schema) {
        return default_from_json(avro, *first, schema, json, options);
    }
    let mut value = StructValue::new(Arc::clone(schema));
    if let (Some(slot), Some(field)) = (value.fields.first_mut(), schema.fields.first()) {
        *slot = default_from_json(avro, *first, &field.schema, json, options)?;
    }
    Ok(Value::Struct(value))
}

fn struct_default(
    avro: &AvroSchema,
    id: NodeId,
    schema: &Arc<Schema>,
    json: &Json,
    options: &DataOptions,
) -> Result<Value, String> {
    let (Kind::Record(record), Some(object)) = (&avro.node(id).kind, json.as_object()) else {
        return Err(format!("{json} is no default of type STRUCT"));
    };
    let mut value = StructValue::new(Arc::clone(schema));
    for ((field, own), slot) in schema.fields.iter().zip(&record.fields).zip(&mut value.fields) {
        *slot = match object.get(&own.name).or(own.default.as_ref()) {
            Some(json) if !json.is_null() => default_from_json(avro, own.schema, &field.schema, json, options)?,
            _ => field.schema.default.clone().unwrap_or_default(),
        };
    }
    Ok(Value::Struct(value))
}

fn integer(json: &Json) -> Option<i64> {
    json.as_i64()
}

fn real(json: &Json) -> Option<f64> {
    match json.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => json.as_f64(),
    }
}
