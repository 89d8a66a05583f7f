//! JSON values under a Connect schema
//!
//! Strict where a value would change: 300 is no INT8, text is no number. Timestamps and dates come as numbers or ISO
//! texts, decimals as numbers or texts, bytes as base64. Under a STRING anything else becomes its JSON text.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;
use weir_feed::time::parse_iso;
use weir_feed::zone::Zone;
use weir_sdk::api::data::decimal::Decimal;
use weir_sdk::api::data::logical::{DAY_MS, Logical};
use weir_sdk::api::data::schema::{Schema, SchemaType};
use weir_sdk::api::data::value::{StructValue, Value};

/// Gives the value that a JSON value is under a schema.
///
/// # Errors
/// What does not fit and where, for a message.
pub fn to_value(schema: &Schema, json: &Json) -> Result<Value, String> {
    if json.is_null() {
        return match (&schema.default, schema.optional) {
            (Some(default), _) => Ok(default.clone()),
            (None, true) => Ok(Value::Null),
            (None, false) => Err("null where a value is required".to_owned()),
        };
    }
    if let Some(logical) = Logical::of(schema) {
        return logical_value(logical, json).ok_or_else(|| misfit(schema, json));
    }
    let fitting = match schema.base {
        SchemaType::Int8 => whole(json)
            .and_then(|number| i8::try_from(number).ok())
            .map(Value::Int8),
        SchemaType::Int16 => whole(json)
            .and_then(|number| i16::try_from(number).ok())
            .map(Value::Int16),
        SchemaType::Int32 => whole(json)
            .and_then(|number| i32::try_from(number).ok())
            .map(Value::Int32),
        SchemaType::Int64 => whole(json).map(Value::Int64),
        // The cast rounds, which is what a single-precision field asks for.
        SchemaType::Float32 => json.as_f64().map(|number| Value::Float32(number as f32)),
        SchemaType::Float64 => json.as_f64().map(Value::Float64),
        SchemaType::Boolean => json.as_bool().map(Value::Boolean),
        SchemaType::Text => Some(Value::Text(
            json.as_str().map_or_else(|| json.to_string(), str::to_owned),
        )),
        SchemaType::Bytes => json
            .as_str()
            .and_then(|text| BASE64.decode(text).ok())
            .map(Value::Bytes),
        SchemaType::Array => return array_value(schema, json),
        SchemaType::Map => return map_value(schema, json),
        SchemaType::Struct => return struct_value(schema, json),
    };
    fitting.ok_or_else(|| misfit(schema, json))
}

/// As [`to_value`], for a schema that structs can share.
///
/// # Errors
/// As [`to_value`].
pub fn to_shared_value(schema: &Arc<Schema>, json: &Json) -> Result<Value, String> {
    match (schema.base, json) {
        (SchemaType::Struct, Json::Object(_)) => fields_of(schema, json),
        _ => to_value(schema, json),
    }
}

fn struct_value(schema: &Schema, json: &Json) -> Result<Value, String> {
    if json.is_object() {
        fields_of(&Arc::new(schema.clone()), json)
    } else {
        Err(misfit(schema, json))
    }
}

fn fields_of(schema: &Arc<Schema>, json: &Json) -> Result<Value, String> {
    let mut fields = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        let value = json.get(&field.name).unwrap_or(&Json::Null);
        fields.push(to_shared_value(&field.schema, value).map_err(|error| format!("{}: {error}", field.name))?);
    }
    Ok(Value::Struct(StructValue {
        schema: Arc::clone(schema),
        fields,
    }))
}

fn array_value(schema: &Schema, json: &Json) -> Result<Value, String> {
    let (Some(element), Json::Array(items)) = (&schema.value, json) else {
        return Err(misfit(schema, json));
    };
    let items = items
        .iter()
        .enumerate()
        .map(|(at, item)| to_shared_value(element, item).map_err(|error| format!("[{at}]: {error}")));
    items.collect::<Result<_, _>>().map(Value::Array)
}

fn map_value(schema: &Schema, json: &Json) -> Result<Value, String> {
    let (Some(keys), Some(values), Json::Object(object)) = (&schema.key, &schema.value, json) else {
        return Err(misfit(schema, json));
    };
    let mut pairs = Vec::with_capacity(object.len());
    for (key, value) in object {
        let typed_key = match keys.base {
            SchemaType::Text => Value::Text(key.clone()),
            _ => serde_json::from_str(key)
                .map_err(|_| misfit(keys, &Json::from(key.as_str())))
                .and_then(|number: Json| to_value(keys, &number))?,
        };
        let value = to_shared_value(values, value).map_err(|error| format!("{key}: {error}"))?;
        pairs.push((typed_key, value));
    }
    Ok(Value::Map(pairs))
}

fn logical_value(logical: Logical, json: &Json) -> Option<Value> {
    match logical {
        Logical::Timestamp => match json {
            Json::String(text) => parse_iso(text, Zone::UTC).map(Value::Int64),
            _ => whole(json).map(Value::Int64),
        },
        Logical::Date => {
            let days = match json {
                Json::String(text) => parse_iso(text, Zone::UTC)?.div_euclid(DAY_MS),
                _ => whole(json)?,
            };
            i32::try_from(days).ok().map(Value::Int32)
        }
        Logical::Time => {
            let ms = match json {
                Json::String(text) => parse_iso(&format!("1970-01-01T{text}"), Zone::UTC)?,
                _ => whole(json)?,
            };
            i32::try_from(ms)
                .ok()
                .filter(|ms| (0..86_400_000).contains(ms))
                .map(Value::Int32)
        }
        Logical::Decimal { scale } => {
            let text = match json {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                _ => return None,
            };
            let decimal = Decimal::parse(text.trim())?.rescaled(scale)?;
            Some(Value::Bytes(decimal.unscaled))
        }
    }
}

/// A whole number, also one written as 5.0.
fn whole(json: &Json) -> Option<i64> {
    let Json::Number(number) = json else {
        return None;
    };
    number.as_i64().or_else(|| {
        let float = number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() < 9e15)?;
        // Exact below 2^53.
        Some(float as i64)
    })
}

fn misfit(schema: &Schema, json: &Json) -> String {
    let wanted = schema.name.as_deref().unwrap_or(schema.base.as_str());
    format!("'{}' is no {wanted}", weir_feed::answer::excerpt(&json.to_string()))
}

/// Gives a value as JSON, for bodies that a sink sends.
pub fn to_json(schema: Option<&Schema>, value: &Value) -> Result<Json, String> {
    let logical = schema.and_then(Logical::of);
    Ok(match (logical, value) {
        (Some(Logical::Timestamp), Value::Int64(ms)) | (None, Value::DateTime(ms)) => {
            Json::from(weir_feed::time::rfc3339(*ms))
        }
        (Some(Logical::Date), Value::Int32(days)) => {
            let text = weir_feed::time::rfc3339(i64::from(*days) * DAY_MS);
            Json::from(text.get(..10).unwrap_or_default())
        }
        (Some(Logical::Decimal { scale }), Value::Bytes(unscaled)) => decimal_text(scale, unscaled)?,
        (_, Value::Decimal { scale, unscaled }) => decimal_text(*scale, unscaled)?,
        (_, Value::Null) => Json::Null,
        (_, Value::Int8(number)) => Json::from(*number),
        (_, Value::Int16(number)) => Json::from(*number),
        (_, Value::Int32(number)) => Json::from(*number),
        (_, Value::Int64(number)) => Json::from(*number),
        (_, Value::Float32(number)) => Json::from(*number),
        (_, Value::Float64(number)) => Json::from(*number),
        (_, Value::Boolean(flag)) => Json::from(*flag),
        (_, Value::Text(text)) => Json::from(text.as_str()),
        (_, Value::Bytes(bytes)) => Json::from(BASE64.encode(bytes)),
        (_, Value::DateTime(ms)) => Json::from(weir_feed::time::rfc3339(*ms)),
        (_, Value::Array(items)) => {
            let element = schema.and_then(|schema| schema.value.as_deref());
            Json::Array(
                items
                    .iter()
                    .map(|item| to_json(element, item))
                    .collect::<Result<_, _>>()?,
            )
        }
        (_, Value::Map(pairs)) => map_json(schema, pairs)?,
        (_, Value::Struct(structure)) => {
            let mut object = serde_json::Map::new();
            for (field, value) in structure.schema.fields.iter().zip(&structure.fields) {
                object.insert(field.name.clone(), to_json(Some(&field.schema), value)?);
            }
            Json::Object(object)
        }
    })
}

fn map_json(schema: Option<&Schema>, pairs: &[(Value, Value)]) -> Result<Json, String> {
    let values = schema.and_then(|schema| schema.value.as_deref());
    let mut object = serde_json::Map::new();
    for (key, value) in pairs {
        let key = match to_json(schema.and_then(|schema| schema.key.as_deref()), key)? {
            Json::String(text) => text,
            other => other.to_string(),
        };
        object.insert(key, to_json(values, value)?);
    }
    Ok(Json::Object(object))
}

fn decimal_text(scale: i32, unscaled: &[u8]) -> Result<Json, String> {
    let decimal = Decimal {
        scale,
        unscaled: unscaled.to_vec(),
    };
    decimal.to_plain_text().map(Json::from).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::{to_json, to_value};
    use serde_json::json;
    use weir_sdk::api::data::builder;
    use weir_sdk::api::data::logical;
    use weir_sdk::api::data::value::Value;

    #[test]
    fn values_fit_or_are_refused() {
        let cases = [
            (builder::int8(), json!(300), None),
            (builder::int8(), json!(-5), Some(Value::Int8(-5))),
            (builder::int64(), json!(5.0), Some(Value::Int64(5))),
            (builder::int64(), json!(5.5), None),
            (builder::int64(), json!("5"), None),
            (builder::float64(), json!(5), Some(Value::Float64(5.0))),
            (
                builder::text(),
                json!({"a": [1]}),
                Some(Value::Text("{\"a\":[1]}".to_owned())),
            ),
            (builder::text(), json!(null), None),
            (builder::optional_text(), json!(null), Some(Value::Null)),
            (builder::bytes(), json!("AQID"), Some(Value::Bytes(vec![1, 2, 3]))),
            (builder::bytes(), json!("A"), None),
            (logical::date(), json!("1970-01-11"), Some(Value::Int32(10))),
            (logical::time(), json!("00:00:01.500"), Some(Value::Int32(1_500))),
            (logical::decimal(2), json!(12.5), Some(Value::Bytes(vec![0x04, 0xe2]))),
            (logical::timestamp(), json!("yesterday"), None),
        ];
        for (schema, json, expected) in cases {
            assert_eq!(
                to_value(&schema, &json).ok(),
                expected,
                "{} {json}",
                schema.base.as_str()
            );
        }
    }

    #[test]
    fn sinks_write_logical_types_as_people_do() {
        for (schema, value, expected) in [
            (
                Some(logical::timestamp()),
                Value::Int64(1_000),
                json!("1970-01-01T00:00:01Z"),
            ),
            (Some(logical::date()), Value::Int32(10), json!("1970-01-11")),
            (
                Some(logical::decimal(2)),
                Value::Bytes(vec![0x04, 0xe2]),
                json!("12.50"),
            ),
            (
                None,
                Value::Map(vec![(Value::Int32(1), Value::Boolean(true))]),
                json!({"1": true}),
            ),
            (None, Value::Bytes(vec![1, 2, 3]), json!("AQID")),
        ] {
            assert_eq!(to_json(schema.as_deref(), &value), Ok(expected));
        }
    }
}
