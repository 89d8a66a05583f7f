//! Whether a field's default fits its type
//!
//! The rules of Java's `Schema.isValidDefault`. A union takes any branch. A field that a record's default leaves out
//! must have a default of its own, which was checked where it stands, so it is not looked into again.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::avro::schema::{AvroSchema, Kind, NodeId};
use crate::error::SchemaError;

/// Most steps spent on all defaults of one schema: unions in unions can make a small text take for ever.
const MAX_STEPS: usize = 20_000_000;

/// The types as far as they were read.
#[derive(Debug)]
pub(crate) struct Types<'a> {
    /// Every node.
    pub(crate) schema: &'a AvroSchema,
    /// Records whose fields are not there yet.
    pub(crate) open: &'a HashSet<NodeId>,
    /// Nodes that stand for a type defined later.
    pub(crate) forward: &'a HashMap<NodeId, String>,
}

/// Returns whether `value` is a default of the type.
pub(crate) fn fits(types: &Types<'_>, id: NodeId, value: &Value, steps: &mut usize) -> Result<bool, SchemaError> {
    *steps += 1;
    if *steps > MAX_STEPS {
        return Err(SchemaError::Limit("Defaults take too long to check".to_owned()));
    }
    if types.forward.contains_key(&id) {
        // As in Java, where an empty record stands for the type; checked again once the type is known.
        return Ok(value.is_object());
    }
    match &types.schema.node(id).kind {
        Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Fixed(_) => Ok(value.is_string()),
        Kind::Int => Ok(value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())),
        Kind::Long => Ok(value.as_i64().is_some()),
        Kind::Float | Kind::Double => Ok(value.is_number()),
        Kind::Boolean => Ok(value.is_boolean()),
        Kind::Null => Ok(value.is_null()),
        Kind::Array(items) => match value.as_array() {
            Some(list) => all(types, list.iter().map(|item| (*items, item)), steps),
            None => Ok(false),
        },
        Kind::Map(values) => match value.as_object() {
            Some(entries) => all(types, entries.values().map(|item| (*values, item)), steps),
            None => Ok(false),
        },
        Kind::Union(branches) => {
            for branch in branches {
                if fits(types, *branch, value, steps)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Kind::Record(record) => {
            let Some(entries) = value.as_object() else {
                return Ok(false);
            };
            if types.open.contains(&id) {
                return Err(SchemaError::Invalid("Schema fields not set yet".to_owned()));
            }
            let fields = record.fields.iter();
            if fields
                .clone()
                .any(|field| field.default.is_none() && !entries.contains_key(&field.name))
            {
                return Ok(false);
            }
            all(
                types,
                fields.filter_map(|field| Some((field.schema, entries.get(&field.name)?))),
                steps,
            )
        }
    }
}

fn all<'a>(
    types: &Types<'_>,
    pairs: impl Iterator<Item = (NodeId, &'a Value)>,
    steps: &mut usize,
) -> Result<bool, SchemaError> {
    for (id, value) in pairs {
        if !fits(types, id, value, steps)? {
            return Ok(false);
        }
    }
    Ok(true)
}
