//! A value against its schema
//!
//! Kafka: `ConnectSchema.validateValue` with its texts. Values of logical types are checked by their base type.

use crate::data::schema::{MAX_DEPTH, MAX_FIELDS, MAX_NODES, Schema, SchemaType};
use crate::data::value::{StructValue, Value};
use crate::error::ConnectError;

/// Checks a value against a schema.
///
/// # Errors
/// `Data` with Kafka's text.
pub fn validate_value(schema: &Schema, value: &Value) -> Result<(), ConnectError> {
    check(schema, value, &Location::Value, MAX_DEPTH)
}

/// Checks a named value against a schema; errors name the field.
///
/// # Errors
/// `Data` with Kafka's text.
pub fn validate_field(name: &str, schema: &Schema, value: &Value) -> Result<(), ConnectError> {
    check(schema, value, &Location::Field(name), MAX_DEPTH)
}

/// Checks that a schema keeps the bounds on nodes, depth and fields, that its parts fit and its defaults are valid.
///
/// # Errors
/// `Fatal`, naming the bound.
pub fn validate_schema(schema: &Schema) -> Result<(), ConnectError> {
    if !schema.has_at_most(MAX_NODES) {
        return Err(ConnectError::fatal(format!("schema has more than {MAX_NODES} nodes")));
    }
    if schema.depth() > MAX_DEPTH {
        return Err(ConnectError::fatal(format!("schema is nested deeper than {MAX_DEPTH}")));
    }
    check_shape(schema)
}

fn check_shape(schema: &Schema) -> Result<(), ConnectError> {
    if schema.fields.len() > MAX_FIELDS {
        return Err(ConnectError::fatal(format!(
            "schema has {} fields, more than {MAX_FIELDS}",
            schema.fields.len()
        )));
    }
    // Elements may lack a schema: header texts give arrays and maps of mixed values.
    let parts_fit = match schema.base {
        SchemaType::Struct => schema.key.is_none() && schema.value.is_none(),
        SchemaType::Array => schema.fields.is_empty() && schema.key.is_none(),
        SchemaType::Map => schema.fields.is_empty(),
        _ => schema.fields.is_empty() && schema.key.is_none() && schema.value.is_none(),
    };
    if !parts_fit {
        return Err(ConnectError::fatal(format!(
            "schema of type {} has parts of another type",
            schema.base.as_str()
        )));
    }
    let mut names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows::<2>().find(|[one, next]| one == next) {
        return Err(ConnectError::fatal(format!(
            "Cannot create field because of field name duplication {name}"
        )));
    }
    if let Some(default) = &schema.default {
        validate_value(schema, default)
            .map_err(|error| ConnectError::fatal("Invalid default value").caused_by(error))?;
    }
    let fields = schema.fields.iter().map(|field| &field.schema);
    fields
        .chain(&schema.key)
        .chain(&schema.value)
        .try_for_each(|child| check_shape(child))
}

/// Where a value stands, for error texts.
enum Location<'a> {
    Value,
    Field(&'a str),
    Element(&'a Location<'a>),
    MapKey(&'a Location<'a>),
    MapValue(&'a Location<'a>),
}

impl Location<'_> {
    fn describe(&self) -> String {
        match self {
            Self::Value => "value".to_owned(),
            Self::Field(name) => format!("field: \"{name}\""),
            Self::Element(outer) => format!("element of array {}", outer.describe()),
            Self::MapKey(outer) => format!("key of map {}", outer.describe()),
            Self::MapValue(outer) => format!("value of map {}", outer.describe()),
        }
    }
}

fn check(schema: &Schema, value: &Value, location: &Location<'_>, depth_left: usize) -> Result<(), ConnectError> {
    if depth_left == 0 {
        return Err(ConnectError::data(format!("value is nested deeper than {MAX_DEPTH}")));
    }
    match (schema.base, value) {
        (_, Value::Null) if schema.optional => Ok(()),
        (_, Value::Null) => Err(ConnectError::data(format!(
            "Invalid value: null used for required {}, schema type: {}",
            location.describe(),
            schema.base.as_str()
        ))),
        (SchemaType::Int8, Value::Int8(_))
        | (SchemaType::Int16, Value::Int16(_))
        | (SchemaType::Int32, Value::Int32(_))
        | (SchemaType::Int64, Value::Int64(_))
        | (SchemaType::Float32, Value::Float32(_))
        | (SchemaType::Float64, Value::Float64(_))
        | (SchemaType::Boolean, Value::Boolean(_))
        | (SchemaType::Text, Value::Text(_))
        | (SchemaType::Bytes, Value::Bytes(_)) => Ok(()),
        (SchemaType::Array, Value::Array(items)) => match &schema.value {
            Some(element) => items
                .iter()
                .try_for_each(|item| check(element, item, &Location::Element(location), depth_left - 1)),
            None => Ok(()),
        },
        (SchemaType::Map, Value::Map(pairs)) => pairs.iter().try_for_each(|(key, value)| {
            schema.key.as_ref().map_or(Ok(()), |part| {
                check(part, key, &Location::MapKey(location), depth_left - 1)
            })?;
            schema.value.as_ref().map_or(Ok(()), |part| {
                check(part, value, &Location::MapValue(location), depth_left - 1)
            })
        }),
        (SchemaType::Struct, Value::Struct(value)) => check_struct(schema, value, depth_left),
        _ => Err(mismatch(schema, value, location)),
    }
}

fn check_struct(schema: &Schema, value: &StructValue, depth_left: usize) -> Result<(), ConnectError> {
    if !std::ptr::eq(schema, &*value.schema) && *schema != *value.schema && !is_default_of(schema, &value.schema) {
        return Err(ConnectError::data("Struct schemas do not match."));
    }
    if value.fields.len() != schema.fields.len() {
        return Err(ConnectError::data(format!(
            "struct has {} values for {} fields",
            value.fields.len(),
            schema.fields.len()
        )));
    }
    schema.fields.iter().zip(&value.fields).try_for_each(|(field, value)| {
        // A null field with a default reads as the default.
        if value.is_null() && field.schema.default.is_some() {
            return Ok(());
        }
        check(&field.schema, value, &Location::Field(&field.name), depth_left - 1)
    })
}

/// A default is a value of its own schema before it had the default: no schema can hold itself.
fn is_default_of(schema: &Schema, of: &Schema) -> bool {
    schema.default.is_some()
        && of.default.is_none()
        && Schema {
            default: None,
            ..schema.clone()
        } == *of
}

fn mismatch(schema: &Schema, value: &Value, location: &Location<'_>) -> ConnectError {
    let name = schema
        .name
        .as_ref()
        .map(|name| format!(" \"{name}\""))
        .unwrap_or_default();
    ConnectError::data(format!(
        "Invalid Java object for schema{name} with type {}: {} for {}",
        schema.base.as_str(),
        value.java_class(),
        location.describe()
    ))
}

#[cfg(test)]
mod tests;
