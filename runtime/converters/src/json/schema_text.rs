//! A schema as the JSON of the envelope
//!
//! Field order: type, items or keys and values or fields, optional, name, version, doc, parameters, default, field.
//! Rendered once a schema; the plan keeps it.

use weir_api::data::schema::{Schema, SchemaType};
use weir_api::error::ConnectError;

use crate::json::plan::{JsonStyle, push_default};
use crate::json::write::{push_int, push_text};

/// Gives the JSON name of a type.
pub fn type_name(base: SchemaType) -> &'static str {
    match base {
        SchemaType::Int8 => "int8",
        SchemaType::Int16 => "int16",
        SchemaType::Int32 => "int32",
        SchemaType::Int64 => "int64",
        SchemaType::Float32 => "float",
        SchemaType::Float64 => "double",
        SchemaType::Boolean => "boolean",
        SchemaType::Text => "string",
        SchemaType::Bytes => "bytes",
        SchemaType::Array => "array",
        SchemaType::Map => "map",
        SchemaType::Struct => "struct",
    }
}

/// Appends a schema's JSON.
///
/// # Errors
/// `Data` when a default cannot be written.
pub fn push_schema(out: &mut Vec<u8>, schema: &Schema, style: JsonStyle) -> Result<(), ConnectError> {
    push_named(out, schema, None, style)
}

fn push_named(
    out: &mut Vec<u8>,
    schema: &Schema,
    field_name: Option<&str>,
    style: JsonStyle,
) -> Result<(), ConnectError> {
    out.extend_from_slice(b"{\"type\":");
    push_text(out, type_name(schema.base));
    push_parts(out, schema, style)?;
    out.extend_from_slice(if schema.optional {
        b",\"optional\":true"
    } else {
        b",\"optional\":false"
    });
    if let Some(name) = &schema.name {
        out.extend_from_slice(b",\"name\":");
        push_text(out, name);
    }
    if let Some(version) = schema.version {
        out.extend_from_slice(b",\"version\":");
        push_int(out, version.into());
    }
    if let Some(doc) = &schema.doc {
        out.extend_from_slice(b",\"doc\":");
        push_text(out, doc);
    }
    if !schema.parameters.is_empty() {
        push_parameters(out, &schema.parameters);
    }
    if let Some(default) = &schema.default {
        out.extend_from_slice(b",\"default\":");
        push_default(out, schema, default, style)?;
    }
    if let Some(name) = field_name {
        out.extend_from_slice(b",\"field\":");
        push_text(out, name);
    }
    out.push(b'}');
    Ok(())
}

fn push_parts(out: &mut Vec<u8>, schema: &Schema, style: JsonStyle) -> Result<(), ConnectError> {
    let parts: &[(&[u8], _)] = match schema.base {
        SchemaType::Array => &[(b",\"items\":", &schema.value)],
        SchemaType::Map => &[(b",\"keys\":", &schema.key), (b",\"values\":", &schema.value)],
        _ => &[],
    };
    for (label, part) in parts {
        out.extend_from_slice(label);
        match part {
            Some(part) => push_schema(out, part, style)?,
            None => out.extend_from_slice(b"null"),
        }
    }
    if schema.base != SchemaType::Struct {
        return Ok(());
    }
    out.extend_from_slice(b",\"fields\":[");
    for (position, field) in schema.fields.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push_named(out, &field.schema, Some(&field.name), style)?;
    }
    out.push(b']');
    Ok(())
}

fn push_parameters(out: &mut Vec<u8>, parameters: &[(String, String)]) {
    out.extend_from_slice(b",\"parameters\":{");
    for (position, (name, value)) in parameters.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push_text(out, name);
        out.push(b':');
        push_text(out, value);
    }
    out.push(b'}');
}
