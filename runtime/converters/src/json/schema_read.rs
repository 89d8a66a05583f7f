//! A schema from the JSON of the envelope
//!
//! Kafka: `JsonConverter.asConnectSchema` with its texts.

use std::sync::Arc;

use weir_api::data::builder::SchemaBuilder;
use weir_api::data::schema::{MAX_DEPTH, Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::{decode_root, encode_slot};

use crate::json::decode::read_root;
use crate::json::plan::{JsonStyle, Part};
use crate::json::scanner::Kind;
use crate::json::tape::NodeRef;

/// Reads a schema; JSON null is Java's null schema.
///
/// # Errors
/// `Data` with Kafka's texts.
pub fn read_schema(node: NodeRef<'_>, style: JsonStyle) -> Result<Option<Arc<Schema>>, ConnectError> {
    read_nested(node, style, MAX_DEPTH)
}

fn read_nested(node: NodeRef<'_>, style: JsonStyle, depth_left: usize) -> Result<Option<Arc<Schema>>, ConnectError> {
    if node.kind() == Kind::Null {
        return Ok(None);
    }
    let below = depth_left
        .checked_sub(1)
        .ok_or_else(|| ConnectError::data(format!("schema is nested deeper than {MAX_DEPTH}")))?;
    let Some(type_name) = node.get("type").and_then(|name| name.to_text()) else {
        return Err(ConnectError::data("Schema must contain 'type' field"));
    };
    let mut builder = read_type(node, &type_name, style, below)?;
    if node
        .get("optional")
        .is_some_and(|optional| optional.kind() == Kind::True)
    {
        builder = builder.optional();
    }
    if let Some(name) = text_of(node, "name") {
        builder = builder.name(&name);
    }
    if let Some(version) = node.get("version").filter(|version| version.kind() == Kind::Integer) {
        builder = builder.version(version.raw().parse().unwrap_or(0));
    }
    if let Some(doc) = text_of(node, "doc") {
        builder = builder.doc(&doc);
    }
    if let Some(parameters) = node.get("parameters") {
        for (name, value) in parameters.pairs() {
            let value = value
                .to_text()
                .ok_or_else(|| ConnectError::data("Schema parameters must have string values."))?;
            builder = builder.parameter(&name.to_text().unwrap_or_default(), &value);
        }
    }
    if let Some(default) = node.get("default") {
        let schema = builder.clone().build().map_err(as_data)?;
        match read_default(&schema, default, style)? {
            Value::Null => {}
            value => builder = builder.default_value(value),
        }
    }
    builder.build().map(Some).map_err(as_data)
}

fn read_type(
    node: NodeRef<'_>,
    type_name: &str,
    style: JsonStyle,
    below: usize,
) -> Result<SchemaBuilder, ConnectError> {
    let part = |key: &str, missing: &str, null: &str| {
        let part = node.get(key).ok_or_else(|| ConnectError::data(missing))?;
        read_nested(part, style, below)?.ok_or_else(|| ConnectError::data(null))
    };
    Ok(match type_name {
        "int8" => SchemaBuilder::new(SchemaType::Int8),
        "int16" => SchemaBuilder::new(SchemaType::Int16),
        "int32" => SchemaBuilder::new(SchemaType::Int32),
        "int64" => SchemaBuilder::new(SchemaType::Int64),
        "float" => SchemaBuilder::new(SchemaType::Float32),
        "double" => SchemaBuilder::new(SchemaType::Float64),
        "boolean" => SchemaBuilder::new(SchemaType::Boolean),
        "string" => SchemaBuilder::new(SchemaType::Text),
        "bytes" => SchemaBuilder::new(SchemaType::Bytes),
        "array" => {
            const MISSING: &str = "Array schema did not specify the element type";
            SchemaBuilder::array(part("items", MISSING, MISSING)?)
        }
        "map" => {
            let key = part(
                "keys",
                "Map schema did not specify the key type",
                "keySchema cannot be null.",
            )?;
            SchemaBuilder::map(
                key,
                part(
                    "values",
                    "Map schema did not specify the value type",
                    "valueSchema cannot be null.",
                )?,
            )
        }
        "struct" => read_fields(node, style, below)?,
        other => return Err(ConnectError::data(format!("Unknown schema type: {other}"))),
    })
}

fn read_fields(node: NodeRef<'_>, style: JsonStyle, below: usize) -> Result<SchemaBuilder, ConnectError> {
    let Some(fields) = node.get("fields").filter(|fields| fields.kind() == Kind::Array) else {
        return Err(ConnectError::data(
            "Struct schema's \"fields\" argument is not an array.",
        ));
    };
    let mut builder = SchemaBuilder::structure();
    for field in fields.elements() {
        let name = text_of(field, "field")
            .ok_or_else(|| ConnectError::data("Struct schema's field name not specified properly"))?;
        if name.is_empty() {
            return Err(ConnectError::data("fieldName cannot be null."));
        }
        let schema = read_nested(field, style, below)?
            .ok_or_else(|| ConnectError::data(format!("fieldSchema for field {name} cannot be null.")))?;
        builder = builder.field(&name, schema);
    }
    Ok(builder)
}

fn text_of(node: NodeRef<'_>, key: &str) -> Option<String> {
    node.get(key)?.to_text()
}

/// Reads a default by way of its encoding, so that it means what a payload of the same text would.
fn read_default(schema: &Arc<Schema>, node: NodeRef<'_>, style: JsonStyle) -> Result<Value, ConnectError> {
    let part = Part::new(schema, style)?;
    let mut bytes = Vec::new();
    if !read_root(&part, Some(node), &mut bytes)? {
        return if schema.optional {
            Ok(Value::Null)
        } else {
            Err(ConnectError::data("Invalid default value"))
        };
    }
    let value = decode_root(schema, &bytes)?;
    // Encoding it again checks what the reader left open, such as nulls inside.
    encode_slot(Some(schema), &value, &mut SchemaTable::new(), &mut Vec::new())?;
    Ok(value)
}

/// A bad schema in a message is that record's fault.
fn as_data(error: ConnectError) -> ConnectError {
    ConnectError {
        kind: weir_api::error::ErrorKind::Data,
        ..error
    }
}
