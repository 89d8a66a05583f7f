//! A schema written into the settings: Connect's JSON form
//!
//! `{"type":"struct","name":"N","fields":[{"field":"id","type":"int64"}]}`, as the JSON converter writes schemas:
//! `optional`, `name`, `version`, `doc`, `parameters`, `items`, `keys`, `values`. Defaults of primitive types only.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_sdk::api::data::schema::{Field, MAX_DEPTH, Schema, SchemaType};
use weir_sdk::api::data::validate::validate_schema;

use crate::value::to_value;

/// Reads a schema.
///
/// # Errors
/// What is wrong and where, for a message.
pub fn parse(text: &str) -> Result<Arc<Schema>, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| format!("the schema is not JSON: {error}"))?;
    let schema = schema_of(&json, "the schema", 1)?;
    validate_schema(&schema).map_err(|error| error.message)?;
    Ok(schema)
}

fn schema_of(json: &Json, place: &str, depth: usize) -> Result<Arc<Schema>, String> {
    if depth > MAX_DEPTH {
        return Err(format!("{place} is nested deeper than {MAX_DEPTH}"));
    }
    let name = match json.get("type") {
        Some(Json::String(name)) => name.as_str(),
        _ => {
            return Err(format!(
                "{place} has no type; it is an object such as {{\"type\":\"string\"}}"
            ));
        }
    };
    let base = base_of(name).ok_or_else(|| {
        format!(
            "{place} has the type '{name}', which is not one of int8, int16, int32, int64, float, double, boolean, \
             string, bytes, array, map, struct"
        )
    })?;
    let mut schema = Schema {
        optional: json.get("optional").and_then(Json::as_bool).unwrap_or(false),
        name: json.get("name").and_then(Json::as_str).map(str::to_owned),
        version: json
            .get("version")
            .and_then(Json::as_i64)
            .and_then(|version| i32::try_from(version).ok()),
        doc: json.get("doc").and_then(Json::as_str).map(str::to_owned),
        ..Schema::plain(base)
    };
    if let Some(Json::Object(parameters)) = json.get("parameters") {
        for (name, value) in parameters {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            schema.parameters.push((name.clone(), value));
        }
    }
    let part = |key: &str| match json.get(key) {
        Some(inner) => schema_of(inner, &format!("{key} of {place}"), depth + 1),
        None => Err(format!("{place} is of type {name} and has no {key}")),
    };
    match base {
        SchemaType::Array => schema.value = Some(part("items")?),
        SchemaType::Map => {
            schema.key = Some(part("keys")?);
            schema.value = Some(part("values")?);
        }
        SchemaType::Struct => {
            let Some(Json::Array(fields)) = json.get("fields") else {
                return Err(format!("{place} is of type struct and has no list of fields"));
            };
            for field in fields {
                let Some(name) = field.get("field").and_then(Json::as_str) else {
                    return Err(format!("a field of {place} has no name; it is given as \"field\""));
                };
                schema.fields.push(Field {
                    name: name.to_owned(),
                    schema: schema_of(field, &format!("field {name}"), depth + 1)?,
                });
            }
        }
        _ => {}
    }
    if let Some(default) = json.get("default").filter(|default| !default.is_null()) {
        let value = to_value(&schema, default).map_err(|error| format!("the default of {place}: {error}"))?;
        schema.default = Some(value);
    }
    Ok(Arc::new(schema))
}

fn base_of(name: &str) -> Option<SchemaType> {
    Some(match name {
        "int8" => SchemaType::Int8,
        "int16" => SchemaType::Int16,
        "int32" => SchemaType::Int32,
        "int64" => SchemaType::Int64,
        "float" | "float32" => SchemaType::Float32,
        "double" | "float64" => SchemaType::Float64,
        "boolean" => SchemaType::Boolean,
        "string" => SchemaType::Text,
        "bytes" => SchemaType::Bytes,
        "array" => SchemaType::Array,
        "map" => SchemaType::Map,
        "struct" => SchemaType::Struct,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::value::to_value;
    use serde_json::json;
    use weir_sdk::api::data::value::Value;

    #[test]
    fn schemas_are_read_and_values_follow_them() {
        let schema = parse(
            r#"{"type":"struct","name":"Item","fields":[
                {"field":"id","type":"int32"},
                {"field":"at","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"optional":true},
                {"field":"tags","type":"array","items":{"type":"string"},"optional":true},
                {"field":"attrs","type":"map","keys":{"type":"string"},"values":{"type":"double"},"optional":true},
                {"field":"state","type":"string","default":"new"}]}"#,
        )
        .expect("a schema");
        assert_eq!(schema.name.as_deref(), Some("Item"));
        let value = json!({"id": 7, "at": "1970-01-01T00:00:01Z", "tags": ["a"], "attrs": {"x": 1}, "unknown": true});
        let Ok(Value::Struct(item)) = to_value(&schema, &value) else {
            panic!("no struct");
        };
        assert_eq!(item.get("id"), Ok(&Value::Int32(7)));
        assert_eq!(item.get("at"), Ok(&Value::Int64(1_000)));
        assert_eq!(item.get_or_default("state"), Ok(&Value::Text("new".to_owned())));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, part) in [
            ("{", "not JSON"),
            ("{}", "the schema has no type"),
            (r#"{"type":"long"}"#, "'long', which is not one of"),
            (r#"{"type":"array"}"#, "has no items"),
            (r#"{"type":"struct"}"#, "no list of fields"),
            (r#"{"type":"struct","fields":[{"type":"string"}]}"#, "has no name"),
            (
                r#"{"type":"struct","fields":[{"field":"a","type":"int8","default":300}]}"#,
                "default of field a",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
