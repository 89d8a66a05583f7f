//! The nodes of a schema as a graph
//!
//! Walks without recursion, since a hostile text may chain a hundred thousand types by name.

use std::collections::HashMap;

use crate::avro::parse::MAX_DEPTH;
use crate::avro::schema::{AvroSchema, Kind, Node, NodeId};
use crate::error::SchemaError;

/// Returns the schemas that a kind uses directly, in the order in which they are printed.
pub(crate) fn children(kind: &Kind) -> Vec<NodeId> {
    match kind {
        Kind::Array(inner) | Kind::Map(inner) => vec![*inner],
        Kind::Union(branches) => branches.clone(),
        Kind::Record(record) => record.fields.iter().map(|field| field.schema).collect(),
        Kind::Null
        | Kind::Boolean
        | Kind::Int
        | Kind::Long
        | Kind::Float
        | Kind::Double
        | Kind::Bytes
        | Kind::String
        | Kind::Enum(_)
        | Kind::Fixed(_) => Vec::new(),
    }
}

fn change_children(kind: &mut Kind, change: impl Fn(NodeId) -> NodeId) {
    match kind {
        Kind::Array(inner) | Kind::Map(inner) => *inner = change(*inner),
        Kind::Union(branches) => branches.iter_mut().for_each(|branch| *branch = change(*branch)),
        Kind::Record(record) => record
            .fields
            .iter_mut()
            .for_each(|field| field.schema = change(field.schema)),
        Kind::Null
        | Kind::Boolean
        | Kind::Int
        | Kind::Long
        | Kind::Float
        | Kind::Double
        | Kind::Bytes
        | Kind::String
        | Kind::Enum(_)
        | Kind::Fixed(_) => {}
    }
}

/// Puts other nodes in place of some, in everything from node `first` on.
pub(crate) fn redirect(schema: &mut AvroSchema, first: usize, targets: &HashMap<NodeId, NodeId>) {
    for node in schema.nodes.iter_mut().skip(first) {
        change_children(&mut node.kind, |id| targets.get(&id).copied().unwrap_or(id));
    }
}

/// Returns the schema with the nodes that its root reaches and no others, in the order in which they are printed.
///
/// *Errors*: [`SchemaError::Limit`] when the printed form would be nested too deeply.
pub(crate) fn reachable(mut schema: AvroSchema) -> Result<AvroSchema, SchemaError> {
    let mut places: HashMap<NodeId, NodeId> = HashMap::with_capacity(schema.nodes.len());
    let mut order = Vec::with_capacity(schema.nodes.len());
    let mut waiting = vec![(schema.root, 1)];
    while let Some((id, depth)) = waiting.pop() {
        if places.contains_key(&id) {
            continue;
        }
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        places.insert(id, NodeId(u32::try_from(order.len()).unwrap_or(u32::MAX)));
        order.push(id);
        waiting.extend(
            children(&schema.node(id).kind)
                .into_iter()
                .rev()
                .map(|child| (child, depth + 1)),
        );
    }
    let place = |id: NodeId| places.get(&id).copied().unwrap_or(id);
    let mut nodes = Vec::with_capacity(order.len());
    for id in order {
        let mut node = take(&mut schema, id);
        change_children(&mut node.kind, place);
        nodes.push(node);
    }
    Ok(AvroSchema {
        nodes,
        root: NodeId(0),
        referenced: schema.referenced,
    })
}

fn take(schema: &mut AvroSchema, id: NodeId) -> Node {
    let slot = usize::try_from(id.0).ok().and_then(|at| schema.nodes.get_mut(at));
    slot.map_or_else(
        || Node::of(Kind::Null),
        |node| std::mem::replace(node, Node::of(Kind::Null)),
    )
}

/// Returns the error for nesting beyond the limit.
pub(crate) fn too_deep() -> SchemaError {
    SchemaError::Limit(format!("Schema is nested deeper than {MAX_DEPTH} levels"))
}
