//! Schemas as flat node lists, the form in which they cross
//!
//! WIT has no recursive types, so children are indexes that are greater than their parent's. Building goes from the last
//! node to the first; depth and width are checked before anything is stored, because a small list can describe a
//! schema that grows without bound when expanded.

use std::sync::Arc;

use weir_api::data::schema::{Field, MAX_DEPTH, MAX_FIELDS, Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::value::{decode_root, encode_slot};

use crate::bindings::weir::connect::types::{SchemaDef, SchemaField, SchemaNode, SchemaType as WitType};

/// Most nodes of one definition.
const MAX_NODES: usize = 65_536;

/// A schema that is built, with what it would take if shared children were not shared.
struct Built {
    schema: Arc<Schema>,
    depth: usize,
    expanded_nodes: usize,
}

pub(crate) fn schema_from_wit(def: SchemaDef) -> Result<Schema, ConnectError> {
    let count = def.nodes.len();
    if count > MAX_NODES {
        return Err(malformed(format!("more than {MAX_NODES} nodes")));
    }
    // Last node first, so that children are there when their parent is built.
    let mut built: Vec<Built> = Vec::with_capacity(count);
    for (index, node) in def.nodes.into_iter().enumerate().rev() {
        let mut depth = 0;
        let mut expanded_nodes = 1usize;
        let schema = node_schema(node, |wanted| {
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
            if wanted <= index {
                return Err(malformed(format!("node {index} refers back to {wanted}")));
            }
            let child = wanted
                .checked_add(1)
                .and_then(|after| count.checked_sub(after))
                .and_then(|from_end| built.get(from_end))
                .ok_or_else(|| malformed(format!("node {index} refers to {wanted} of {count}")))?;
            depth = depth.max(child.depth);
            expanded_nodes = expanded_nodes.saturating_add(child.expanded_nodes);
            Ok(Arc::clone(&child.schema))
        })?;
        depth += 1;
        if depth > MAX_DEPTH {
            return Err(malformed(format!("deeper than {MAX_DEPTH}")));
        }
        if expanded_nodes > MAX_NODES {
            return Err(malformed(format!("more than {MAX_NODES} nodes")));
        }
        built.push(Built {
            schema: Arc::new(schema),
            depth,
            expanded_nodes,
        });
    }
    let root = built.pop().ok_or_else(|| malformed("no node"))?;
    Ok(Arc::unwrap_or_clone(root.schema))
}

fn node_schema(
    node: SchemaNode,
    mut child: impl FnMut(u32) -> Result<Arc<Schema>, ConnectError>,
) -> Result<Schema, ConnectError> {
    if node.fields.len() > MAX_FIELDS {
        return Err(malformed(format!("more than {MAX_FIELDS} fields")));
    }
    let fields = node
        .fields
        .into_iter()
        .map(|field| {
            Ok(Field {
                schema: child(field.schema)?,
                name: field.name,
            })
        })
        .collect::<Result<_, ConnectError>>()?;
    let mut schema = Schema {
        base: base_from_wit(node.base),
        optional: node.optional,
        default: None,
        name: node.name,
        version: node.version,
        doc: node.doc,
        parameters: node.parameters,
        fields,
        key: node.key.map(&mut child).transpose()?,
        value: node.value.map(&mut child).transpose()?,
    };
    if let Some(bytes) = node.default {
        let bare = Arc::new(schema.clone());
        let default = decode_root(&bare, &bytes);
        schema.default = Some(default.map_err(|error| malformed(format!("default: {error}")))?);
    }
    Ok(schema)
}

pub(crate) fn schema_to_wit(schema: &Schema) -> Result<SchemaDef, ConnectError> {
    let mut nodes = Vec::new();
    push_node(schema, &mut nodes, MAX_DEPTH)?;
    Ok(SchemaDef { nodes })
}

/// Appends the node and everything below it; returns its index.
fn push_node(schema: &Schema, nodes: &mut Vec<SchemaNode>, depth_left: usize) -> Result<u32, ConnectError> {
    let below = depth_left
        .checked_sub(1)
        .ok_or_else(|| malformed(format!("deeper than {MAX_DEPTH}")))?;
    if nodes.len() >= MAX_NODES {
        return Err(malformed(format!("more than {MAX_NODES} nodes")));
    }
    let index = nodes.len();
    nodes.push(node_without_children(schema)?);
    let mut fields = Vec::with_capacity(schema.fields.len());
    for field in &schema.fields {
        fields.push(SchemaField {
            name: field.name.clone(),
            schema: push_node(&field.schema, nodes, below)?,
        });
    }
    let mut push_child =
        |child: &Option<Arc<Schema>>| child.as_ref().map(|child| push_node(child, nodes, below)).transpose();
    let key = push_child(&schema.key)?;
    let value = push_child(&schema.value)?;
    if let Some(node) = nodes.get_mut(index) {
        node.fields = fields;
        node.key = key;
        node.value = value;
    }
    u32::try_from(index).map_err(|_| malformed("too many nodes"))
}

fn node_without_children(schema: &Schema) -> Result<SchemaNode, ConnectError> {
    let default = match &schema.default {
        Some(value) => {
            let mut bytes = Vec::new();
            encode_slot(Some(schema), value, &mut SchemaTable::new(), &mut bytes)?.then_some(bytes)
        }
        None => None,
    };
    Ok(SchemaNode {
        base: base_to_wit(schema.base),
        optional: schema.optional,
        default,
        name: schema.name.clone(),
        version: schema.version,
        doc: schema.doc.clone(),
        parameters: schema.parameters.clone(),
        fields: Vec::new(),
        key: None,
        value: None,
    })
}

fn malformed(reason: impl std::fmt::Display) -> ConnectError {
    ConnectError::fatal(format!("malformed schema definition: {reason}"))
}

fn base_from_wit(base: WitType) -> SchemaType {
    match base {
        WitType::Int8 => SchemaType::Int8,
        WitType::Int16 => SchemaType::Int16,
        WitType::Int32 => SchemaType::Int32,
        WitType::Int64 => SchemaType::Int64,
        WitType::Float32 => SchemaType::Float32,
        WitType::Float64 => SchemaType::Float64,
        WitType::Boolean => SchemaType::Boolean,
        WitType::Text => SchemaType::Text,
        WitType::Bytes => SchemaType::Bytes,
        WitType::Array => SchemaType::Array,
        WitType::Mapping => SchemaType::Map,
        WitType::Struct => SchemaType::Struct,
    }
}

fn base_to_wit(base: SchemaType) -> WitType {
    match base {
        SchemaType::Int8 => WitType::Int8,
        SchemaType::Int16 => WitType::Int16,
        SchemaType::Int32 => WitType::Int32,
        SchemaType::Int64 => WitType::Int64,
        SchemaType::Float32 => WitType::Float32,
        SchemaType::Float64 => WitType::Float64,
        SchemaType::Boolean => WitType::Boolean,
        SchemaType::Text => WitType::Text,
        SchemaType::Bytes => WitType::Bytes,
        SchemaType::Array => WitType::Array,
        SchemaType::Map => WitType::Mapping,
        SchemaType::Struct => WitType::Struct,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(base: WitType) -> SchemaNode {
        SchemaNode {
            base,
            optional: false,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: Vec::new(),
            fields: Vec::new(),
            key: None,
            value: None,
        }
    }

    #[test]
    fn a_struct_survives_the_way_there_and_back() {
        let mut number = Schema::plain(SchemaType::Int32);
        number.default = Some(weir_api::data::value::Value::Int32(7));
        let mut schema = Schema::plain(SchemaType::Struct);
        schema.name = Some("n.S".to_owned());
        schema.fields = vec![Field {
            name: "a".to_owned(),
            schema: Arc::new(number),
        }];
        let def = schema_to_wit(&schema).expect("crosses");
        assert_eq!(def.nodes.len(), 2);
        assert_eq!(schema_from_wit(def).expect("comes back"), schema);
    }

    #[test]
    fn a_node_that_refers_back_or_nowhere_is_malformed() {
        for target in [0, 9] {
            let mut list = node(WitType::Array);
            list.value = Some(target);
            let def = SchemaDef {
                nodes: vec![list, node(WitType::Int8)],
            };
            let error = schema_from_wit(def).expect_err("refused");
            assert!(error.message.contains("refers"), "{}", error.message);
        }
        assert!(schema_from_wit(SchemaDef { nodes: Vec::new() }).is_err());
    }

    #[test]
    fn a_definition_that_grows_without_bound_when_expanded_is_refused() {
        // Each level uses the next one twice: 2^40 nodes from 41.
        let mut nodes: Vec<SchemaNode> = (1..=40)
            .map(|next| {
                let mut map = node(WitType::Mapping);
                map.key = Some(next);
                map.value = Some(next);
                map
            })
            .collect();
        nodes.push(node(WitType::Int8));
        let error = schema_from_wit(SchemaDef { nodes }).expect_err("refused");
        assert!(error.message.contains("more than"), "{}", error.message);
    }

    #[test]
    fn a_definition_that_is_too_deep_is_refused() {
        let mut nodes: Vec<SchemaNode> = (1..=100)
            .map(|next| {
                let mut list = node(WitType::Array);
                list.value = Some(next);
                list
            })
            .collect();
        nodes.push(node(WitType::Int8));
        let error = schema_from_wit(SchemaDef { nodes }).expect_err("refused");
        assert!(error.message.contains("deeper"), "{}", error.message);
    }
}
