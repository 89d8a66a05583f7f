//! What a schema stands for on the other side
//!
//! The marks by which Connect schemas are Avro unions, enums, fixed types and maps, and Avro records are map entries or
//! hold anything. Both mappings and both plans look at them alike.

use weir_api::data::schema::{Schema, SchemaType};
use weir_schema::avro::schema::{AvroSchema, Kind, Node, NodeId, Record};

use crate::avro::config::DataOptions;
use crate::avro::names::{
    ANYTHING, CONNECT_INTERNAL_TYPE, ENUM, FIXED_SIZE, GENERAL_ENUM, GENERAL_UNION, KEY, MAP_ENTRY, NAMESPACE, UNION,
    VALUE,
};

/// Tells whether a struct stands for an Avro union.
pub fn is_union(schema: &Schema) -> bool {
    schema.base == SchemaType::Struct
        && (schema.name.as_deref() == Some(UNION) || schema.parameter(GENERAL_UNION).is_some())
}

/// Gives the parameter that makes a STRING an Avro enum under these options: its name and the enum's.
pub fn enum_parameter<'s>(schema: &'s Schema, options: &DataOptions) -> Option<(&'static str, &'s str)> {
    let wanted = if options.generalized {
        GENERAL_ENUM
    } else if options.enhanced {
        ENUM
    } else {
        return None;
    };
    (schema.base == SchemaType::Text)
        .then(|| schema.parameter(wanted))
        .flatten()
        .map(|name| (wanted, name))
}

/// Gives the size of BYTES that stand for an Avro fixed.
pub fn fixed_size(schema: &Schema) -> Option<&str> {
    (schema.base == SchemaType::Bytes && schema.name.is_some())
        .then(|| schema.parameter(FIXED_SIZE))
        .flatten()
}

/// Tells whether a MAP is an Avro map, not a list of entries.
pub fn has_avro_map(schema: &Schema, options: &DataOptions) -> bool {
    schema.base == SchemaType::Map
        && schema
            .key
            .as_ref()
            .is_some_and(|key| key.base == SchemaType::Text && (!key.optional || options.optional_map_keys))
}

/// Tells whether a node is the record that holds any schemaless value, exactly as the converter writes it.
pub fn is_anything(avro: &AvroSchema, id: NodeId) -> bool {
    let Kind::Record(record) = &avro.node(id).kind else {
        return false;
    };
    let kinds = [
        Kind::Boolean,
        Kind::Bytes,
        Kind::Double,
        Kind::Float,
        Kind::Int,
        Kind::Long,
        Kind::String,
    ];
    if record.name.name != ANYTHING || record.name.namespace.as_deref() != Some(NAMESPACE) || record.fields.len() != 9 {
        return false;
    }
    let base = |position: usize| {
        let field = record.fields.get(position)?;
        match &avro.node(field.schema).kind {
            Kind::Union(branches) => match branches.as_slice() {
                [null, base] if avro.node(*null).kind == Kind::Null => Some((field.name.as_str(), *base)),
                _ => None,
            },
            _ => None,
        }
    };
    let plain = kinds.iter().enumerate().all(|(position, kind)| {
        base(position).is_some_and(|(name, base)| name == kind.type_name() && avro.node(base).kind == *kind)
    });
    let list = base(7).is_some_and(|(name, base)| name == "array" && avro.node(base).kind == Kind::Array(id));
    let map = base(8).is_some_and(|(name, base)| match &avro.node(base).kind {
        Kind::Array(items) => name == "map" && entry_fields(avro, *items).is_some_and(|of| of == (id, id, false)),
        _ => false,
    });
    plain && list && map
}

/// Gives key and value of a record that is one entry of a map, and whether the value comes first.
pub fn entry_fields(avro: &AvroSchema, id: NodeId) -> Option<(NodeId, NodeId, bool)> {
    let node = avro.node(id);
    let Kind::Record(record) = &node.kind else {
        return None;
    };
    if !is_entry(node, record) {
        return None;
    }
    match record.fields.as_slice() {
        [key, value] if key.name == KEY && value.name == VALUE => Some((key.schema, value.schema, false)),
        [value, key] if key.name == KEY && value.name == VALUE => Some((key.schema, value.schema, true)),
        _ => None,
    }
}

/// Tells whether a record is one entry of a map.
pub fn is_entry(node: &Node, record: &Record) -> bool {
    (record.name.name == MAP_ENTRY && record.name.namespace.as_deref() == Some(NAMESPACE))
        || node.text_prop(CONNECT_INTERNAL_TYPE) == Some(MAP_ENTRY)
}
