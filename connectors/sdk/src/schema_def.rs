//! Schemas as flat lists of nodes, the form they cross the boundary in
//!
//! Node 0 is the root; children stand behind their parents, so a list without circles is checked by looking forward
//! only.

use std::sync::Arc;

use weir_api::data::schema::{Field, MAX_DEPTH, Schema, SchemaType};
use weir_api::error::ConnectError;
use weir_api::frame::value::{decode_root, encode_slot};

use crate::bindings::imports::weir::connect::types::{self, SchemaDef, SchemaNode};
use crate::schemas::GuestSchemas;

/// Writes a schema as nodes.
pub(crate) fn flatten(schema: &Schema) -> Result<SchemaDef, ConnectError> {
    let mut nodes = Vec::new();
    add(schema, &mut nodes, MAX_DEPTH)?;
    Ok(SchemaDef {
        nodes: nodes.into_iter().flatten().collect(),
    })
}

/// Adds a schema and what is below it; gives its index. The place is taken first, so children come after.
fn add(schema: &Schema, nodes: &mut Vec<Option<SchemaNode>>, left: usize) -> Result<u32, ConnectError> {
    let below = left
        .checked_sub(1)
        .ok_or_else(|| ConnectError::fatal(format!("schema deeper than {MAX_DEPTH}")))?;
    let at = nodes.len();
    nodes.push(None);
    let mut fields = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        fields.push(types::SchemaField {
            name: field.name.clone(),
            schema: add(&field.schema, nodes, below)?,
        });
    }
    let key = schema.key.as_ref().map(|key| add(key, nodes, below)).transpose()?;
    let value = schema
        .value
        .as_ref()
        .map(|value| add(value, nodes, below))
        .transpose()?;
    let default = match &schema.default {
        Some(default) => {
            let mut bytes = Vec::new();
            encode_slot(Some(schema), default, &mut GuestSchemas::default(), &mut bytes)?.then_some(bytes)
        }
        None => None,
    };
    let node = SchemaNode {
        base: wit_type(schema.base),
        optional: schema.optional,
        default,
        name: schema.name.clone(),
        version: schema.version,
        doc: schema.doc.clone(),
        parameters: schema.parameters.clone(),
        fields,
        key,
        value,
    };
    if let Some(slot) = nodes.get_mut(at) {
        *slot = Some(node);
    }
    u32::try_from(at).map_err(|_| ConnectError::fatal("schema with too many nodes"))
}

/// Builds a schema of nodes.
pub(crate) fn build(definition: &SchemaDef) -> Result<Arc<Schema>, ConnectError> {
    let broken = || ConnectError::fatal("the host described a schema whose nodes do not fit together");
    let mut built: Vec<Option<Arc<Schema>>> = vec![None; definition.nodes.len()];
    // Children have greater indexes, so from the end each finds its children built.
    for (at, node) in definition.nodes.iter().enumerate().rev() {
        let child = |index: u32| {
            let index = usize::try_from(index).ok().filter(|index| *index > at)?;
            built.get(index)?.clone()
        };
        let mut fields = Vec::with_capacity(node.fields.len());
        for field in &node.fields {
            fields.push(Field {
                name: field.name.clone(),
                schema: child(field.schema).ok_or_else(broken)?,
            });
        }
        let key = node.key.map(|key| child(key).ok_or_else(broken)).transpose()?;
        let value = node.value.map(|value| child(value).ok_or_else(broken)).transpose()?;
        let mut schema = Schema {
            base: schema_type(node.base),
            optional: node.optional,
            default: None,
            name: node.name.clone(),
            version: node.version,
            doc: node.doc.clone(),
            parameters: node.parameters.clone(),
            fields,
            key,
            value,
        };
        if let Some(bytes) = &node.default {
            let bare = Arc::new(schema.clone());
            schema.default = Some(decode_root(&bare, bytes)?);
        }
        if let Some(slot) = built.get_mut(at) {
            *slot = Some(Arc::new(schema));
        }
    }
    built.into_iter().next().flatten().ok_or_else(broken)
}

fn wit_type(base: SchemaType) -> types::SchemaType {
    match base {
        SchemaType::Int8 => types::SchemaType::Int8,
        SchemaType::Int16 => types::SchemaType::Int16,
        SchemaType::Int32 => types::SchemaType::Int32,
        SchemaType::Int64 => types::SchemaType::Int64,
        SchemaType::Float32 => types::SchemaType::Float32,
        SchemaType::Float64 => types::SchemaType::Float64,
        SchemaType::Boolean => types::SchemaType::Boolean,
        SchemaType::Text => types::SchemaType::Text,
        SchemaType::Bytes => types::SchemaType::Bytes,
        SchemaType::Array => types::SchemaType::Array,
        SchemaType::Map => types::SchemaType::Mapping,
        SchemaType::Struct => types::SchemaType::Struct,
    }
}

fn schema_type(base: types::SchemaType) -> SchemaType {
    match base {
        types::SchemaType::Int8 => SchemaType::Int8,
        types::SchemaType::Int16 => SchemaType::Int16,
        types::SchemaType::Int32 => SchemaType::Int32,
        types::SchemaType::Int64 => SchemaType::Int64,
        types::SchemaType::Float32 => SchemaType::Float32,
        types::SchemaType::Float64 => SchemaType::Float64,
        types::SchemaType::Boolean => SchemaType::Boolean,
        types::SchemaType::Text => SchemaType::Text,
        types::SchemaType::Bytes => SchemaType::Bytes,
        types::SchemaType::Array => SchemaType::Array,
        types::SchemaType::Mapping => SchemaType::Map,
        types::SchemaType::Struct => SchemaType::Struct,
    }
}
