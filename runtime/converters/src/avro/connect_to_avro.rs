//! The Avro schema of a Connect schema
//!
//! Attribute for attribute what Confluent's converter writes, so that a subject sees the same text from either. The
//! tree is built by hand and read back from its canonical text, which checks names and gives nodes in the text's
//! order. Kafka: `AvroData.fromConnectSchema`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use weir_api::data::logical::{DATE, DECIMAL, SCALE as SCALE_PARAMETER, TIME, TIMESTAMP};
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::error::ConnectError;
use weir_schema::avro::canonical::canonical_text;
use weir_schema::avro::parse::{ParseAvro, parse};
use weir_schema::avro::schema::{AvroSchema, Enum, Field, Fixed, Kind, Name, Node, NodeId, Order, Record};

use crate::avro::config::DataOptions;
use crate::avro::default_value::{Floats, default_to_json, is_valid_default};
use crate::avro::names::{
    ANYTHING, AVRO_DATE, AVRO_DECIMAL, AVRO_PREFIX, AVRO_TIME, AVRO_TIMESTAMP, CONNECT_DEFAULT, CONNECT_DOC,
    CONNECT_ENUM_DOC, CONNECT_INTERNAL_TYPE, CONNECT_NAME, CONNECT_PARAMETERS, CONNECT_RECORD_DOC, CONNECT_TYPE,
    CONNECT_VERSION, DECIMAL_PRECISION, DEFAULT_NAME, DEFAULT_PRECISION, ENUM, ENUM_DEFAULT_PREFIX, ENUM_DOC_PREFIX,
    FIELD_DEFAULT_FLAG, FIELD_DOC_PREFIX, FIXED_SIZE, GENERAL_ENUM, KEY, LOGICAL_TYPE, MAP_ENTRY, NAMESPACE, PRECISION,
    RECORD_DOC, SCALE, VALUE, scrubbed, split_name,
};
use crate::avro::shapes::{enum_parameter, fixed_size, has_avro_map, is_union};

/// An Avro schema and the text it is registered by.
#[derive(Debug, Clone)]
pub struct AvroForm {
    /// The tree.
    pub avro: AvroSchema,
    /// Canonical text.
    pub text: String,
}

/// Gives the Avro schema of a Connect schema; of Java's null schema, the record that holds anything.
///
/// # Errors
/// `Data`: a name that Avro refuses, one name for two types, or a parameter that makes no sense.
pub fn to_avro(schema: Option<&Schema>, options: &DataOptions) -> Result<AvroForm, ConnectError> {
    let mut builder = Builder {
        options,
        avro: AvroSchema {
            nodes: Vec::new(),
            root: NodeId(0),
            referenced: Vec::new(),
        },
        known: HashMap::new(),
        names: HashMap::new(),
        default_names: 0,
    };
    let root = match schema {
        Some(schema) => builder.schema(schema, false)?,
        None => builder.anything(),
    };
    builder.avro.root = root;
    let text = canonical_text(&builder.avro);
    let avro = parse(&text, &[], ParseAvro::default())
        .map_err(|error| ConnectError::data(format!("the schema has no Avro form: {error}")).caused_by(error))?;
    Ok(AvroForm { avro, text })
}

struct Builder<'a> {
    options: &'a DataOptions,
    avro: AvroSchema,
    /// Required schemas met before: a type used twice is one type.
    known: HashMap<Schema, NodeId>,
    /// Named types by full name.
    names: HashMap<String, NodeId>,
    default_names: u32,
}

impl Builder<'_> {
    fn schema(&mut self, schema: &Schema, ignore_optional: bool) -> Result<NodeId, ConnectError> {
        if !is_union(schema)
            && !schema.optional
            && let Some(id) = self.known.get(schema)
        {
            return Ok(*id);
        }
        let id = if is_union(schema) {
            self.union(schema)?
        } else if schema.base == SchemaType::Struct && schema.optional {
            let required = self.schema(
                &Schema {
                    optional: false,
                    ..schema.clone()
                },
                false,
            )?;
            let null = self.plain(Kind::Null);
            self.plain(Kind::Union(vec![null, required]))
        } else {
            let base = self.base(schema)?;
            if ignore_optional {
                base
            } else {
                self.or_null(schema, base)
            }
        };
        if !schema.optional {
            self.known.insert(schema.clone(), id);
        }
        Ok(id)
    }

    fn child(&mut self, schema: &Option<Arc<Schema>>) -> Result<NodeId, ConnectError> {
        match schema {
            Some(schema) => self.schema(schema, false),
            None => Ok(self.anything()),
        }
    }

    fn plain(&mut self, kind: Kind) -> NodeId {
        self.avro.push(Node::of(kind))
    }

    fn or_null(&mut self, schema: &Schema, base: NodeId) -> NodeId {
        if !schema.optional {
            return base;
        }
        let null = self.plain(Kind::Null);
        let branches = if schema.default.is_some() {
            vec![base, null]
        } else {
            vec![null, base]
        };
        self.plain(Kind::Union(branches))
    }

    fn union(&mut self, schema: &Schema) -> Result<NodeId, ConnectError> {
        let mut branches = Vec::new();
        if schema.optional {
            branches.push(self.plain(Kind::Null));
        }
        for field in &schema.fields {
            let required = Schema {
                optional: false,
                ..field.schema.as_ref().clone()
            };
            branches.push(self.schema(&required, true)?);
        }
        Ok(self.plain(Kind::Union(branches)))
    }

    /// Makes the node of a schema that is no union, with its attributes.
    fn base(&mut self, schema: &Schema) -> Result<NodeId, ConnectError> {
        let mut connect_type = None;
        let kind = match schema.base {
            SchemaType::Int8 => {
                connect_type = Some("int8");
                Kind::Int
            }
            SchemaType::Int16 => {
                connect_type = Some("int16");
                Kind::Int
            }
            SchemaType::Int32 => Kind::Int,
            SchemaType::Int64 => Kind::Long,
            SchemaType::Float32 => Kind::Float,
            SchemaType::Float64 => Kind::Double,
            SchemaType::Boolean => Kind::Boolean,
            SchemaType::Text => self.text_kind(schema),
            SchemaType::Bytes => self.bytes_kind(schema)?,
            SchemaType::Array => Kind::Array(self.child(&schema.value)?),
            SchemaType::Map if has_avro_map(schema, self.options) => Kind::Map(self.child(&schema.value)?),
            SchemaType::Map => Kind::Array(self.map_entry(schema)?),
            SchemaType::Struct => self.record_kind(schema)?,
        };
        let mut props = Vec::new();
        self.decimal_props(schema, &mut props)?;
        self.meta_data(schema, connect_type, &mut props);
        self.logical_type(schema, &mut props);
        for (name, value) in &schema.parameters {
            if name.starts_with(AVRO_PREFIX) {
                put(&mut props, name, Json::from(value.as_str()));
            }
        }
        self.define(Node { kind, props })
    }

    /// Adds a node; a named type that is there already must be the same.
    fn define(&mut self, node: Node) -> Result<NodeId, ConnectError> {
        let full = node.kind.name().map(Name::full);
        if let Some(known) = full.as_ref().and_then(|full| self.names.get(full)) {
            if self.is_same(&node, self.avro.node(*known)) {
                return Ok(*known);
            }
            return Err(ConnectError::data(format!(
                "Can't redefine: {}",
                full.unwrap_or_default()
            )));
        }
        let id = self.avro.push(node);
        if let Some(full) = full {
            self.names.insert(full, id);
        }
        Ok(id)
    }

    /// Compares by meaning: ids of nameless parts differ from one use to the next.
    fn is_same(&self, one: &Node, other: &Node) -> bool {
        let same =
            |one: &NodeId, other: &NodeId| one == other || self.is_same(self.avro.node(*one), self.avro.node(*other));
        one.props == other.props
            && match (&one.kind, &other.kind) {
                (Kind::Array(one), Kind::Array(other)) | (Kind::Map(one), Kind::Map(other)) => same(one, other),
                (Kind::Union(one), Kind::Union(other)) => {
                    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
                }
                (Kind::Record(one), Kind::Record(other)) => {
                    one.name == other.name
                        && one.doc == other.doc
                        && one.fields.len() == other.fields.len()
                        && one.fields.iter().zip(&other.fields).all(|(one, other)| {
                            one.name == other.name
                                && one.default == other.default
                                && one.doc == other.doc
                                && same(&one.schema, &other.schema)
                        })
                }
                (one, other) => one == other,
            }
    }

    fn name(&mut self, given: Option<&str>) -> Name {
        let Some(full) = given else {
            self.default_names += 1;
            let number = if self.default_names > 1 {
                self.default_names.to_string()
            } else {
                String::new()
            };
            return own_name(&format!("{DEFAULT_NAME}{number}"));
        };
        let (namespace, name) = split_name(full, self.options.scrub_names);
        Name { name, namespace }
    }

    fn text_kind(&mut self, schema: &Schema) -> Kind {
        let options = self.options;
        let marked = schema.parameter(GENERAL_ENUM).is_some() || schema.parameter(ENUM).is_some();
        if !marked || !(options.generalized || options.enhanced) {
            return Kind::String;
        }
        // Counts as a use of the default name, as in Java.
        let name = self.name(schema.name.as_deref()).name;
        let Some((parameter, full)) = enum_parameter(schema, options) else {
            return Kind::String;
        };
        let prefix = format!("{parameter}.");
        let symbols = schema
            .parameters
            .iter()
            .filter_map(|(key, _)| key.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        let of = |key: String| schema.parameter(&key).map(str::to_owned);
        let (doc, default) = if options.discard_type_doc_default {
            (of(CONNECT_ENUM_DOC.to_owned()), None)
        } else {
            (
                of(format!("{ENUM_DOC_PREFIX}{name}")),
                of(format!("{ENUM_DEFAULT_PREFIX}{name}")),
            )
        };
        Kind::Enum(Enum {
            name: Name::new(full, None),
            aliases: Vec::new(),
            doc,
            symbols,
            default,
        })
    }

    fn bytes_kind(&mut self, schema: &Schema) -> Result<Kind, ConnectError> {
        let Some(size) = fixed_size(schema) else {
            return Ok(Kind::Bytes);
        };
        let size = size
            .parse()
            .map_err(|_| ConnectError::data(format!("{FIXED_SIZE} is {size}, not a number of bytes")))?;
        Ok(Kind::Fixed(Fixed {
            name: self.name(schema.name.as_deref()),
            aliases: Vec::new(),
            doc: None,
            size,
        }))
    }

    fn map_entry(&mut self, schema: &Schema) -> Result<NodeId, ConnectError> {
        let mut props = Vec::new();
        let name = match &schema.name {
            None => own_name(MAP_ENTRY),
            Some(_) => {
                put(&mut props, CONNECT_INTERNAL_TYPE, Json::from(MAP_ENTRY));
                self.name(schema.name.as_deref())
            }
        };
        let fields = vec![
            self.part_field(KEY, &schema.key)?,
            self.part_field(VALUE, &schema.value)?,
        ];
        self.define(Node {
            kind: Kind::Record(record(name, None, fields)),
            props,
        })
    }

    fn part_field(&mut self, name: &str, schema: &Option<Arc<Schema>>) -> Result<Field, ConnectError> {
        match schema {
            Some(schema) => self.field(name, schema, None),
            None => {
                let anything = self.anything();
                Ok(field(name, anything, None, None))
            }
        }
    }

    fn record_kind(&mut self, schema: &Schema) -> Result<Kind, ConnectError> {
        let options = self.options;
        let name = self.name(schema.name.as_deref());
        let doc = schema.parameter(if options.discard_type_doc_default {
            CONNECT_RECORD_DOC
        } else {
            RECORD_DOC
        });
        let mut fields = Vec::with_capacity(schema.fields.len());
        for part in &schema.fields {
            let doc = if options.discard_type_doc_default {
                None
            } else {
                schema.parameter(&format!("{FIELD_DOC_PREFIX}{}", part.name))
            };
            let name = scrubbed(&part.name, options.scrub_names);
            fields.push(self.field(&name, &part.schema, doc)?);
        }
        Ok(Kind::Record(record(name, doc, fields)))
    }

    fn field(&mut self, name: &str, schema: &Schema, doc: Option<&str>) -> Result<Field, ConnectError> {
        let options = self.options;
        let id = self.schema(schema, false)?;
        let default = match &schema.default {
            Some(default) => Some(default_to_json(schema, default, options, Floats::Widened)),
            None if schema.optional => Some(Json::Null),
            None => None,
        };
        // A default that Avro cannot hold is left out; Connect's own copy stays.
        let default = default.filter(|default| {
            let is_valid = is_valid_default(&self.avro, id, default);
            if !is_valid {
                tracing::warn!(field = name, "ignoring a default that Avro cannot hold");
            }
            is_valid
        });
        let doc = if options.discard_type_doc_default {
            schema.doc.as_deref()
        } else {
            doc
        };
        Ok(field(name, id, default, doc))
    }

    fn decimal_props(&self, schema: &Schema, props: &mut Vec<(String, Json)>) -> Result<(), ConnectError> {
        if !is_decimal(schema) {
            return Ok(());
        }
        let (scale, precision) = decimal_numbers(schema)?;
        put(props, SCALE, Json::from(scale));
        put(props, PRECISION, Json::from(precision));
        Ok(())
    }

    fn meta_data(&self, schema: &Schema, connect_type: Option<&str>, props: &mut Vec<(String, Json)>) {
        let options = self.options;
        if !options.meta_data {
            return;
        }
        if let Some(doc) = &schema.doc {
            put(props, CONNECT_DOC, Json::from(doc.as_str()));
        }
        if let Some(version) = schema.version {
            put(props, CONNECT_VERSION, Json::from(version));
        }
        let parameters: Map<String, Json> = schema
            .parameters
            .iter()
            .filter(|(name, _)| options.discard_type_doc_default || name != FIELD_DEFAULT_FLAG)
            .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
            .collect();
        if !parameters.is_empty() {
            put(props, CONNECT_PARAMETERS, Json::Object(parameters));
        }
        if let Some(default) = &schema.default
            && (options.discard_type_doc_default || schema.parameter(FIELD_DEFAULT_FLAG).is_none())
        {
            put(
                props,
                CONNECT_DEFAULT,
                default_to_json(schema, default, options, Floats::Short),
            );
        }
        if let Some(name) = &schema.name {
            put(props, CONNECT_NAME, Json::from(name.as_str()));
        }
        if let Some(connect_type) = connect_type {
            put(props, CONNECT_TYPE, Json::from(connect_type));
        }
    }

    fn logical_type(&self, schema: &Schema, props: &mut Vec<(String, Json)>) {
        let named = |wanted: &str| {
            schema
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        let logical = if named(DECIMAL) {
            AVRO_DECIMAL
        } else if named(TIME) {
            AVRO_TIME
        } else if named(TIMESTAMP) {
            AVRO_TIMESTAMP
        } else if named(DATE) {
            AVRO_DATE
        } else {
            return;
        };
        put(props, LOGICAL_TYPE, Json::from(logical));
    }

    /// The record that holds any schemaless value, made once.
    fn anything(&mut self) -> NodeId {
        let full = own_name(ANYTHING).full();
        if let Some(id) = self.names.get(&full) {
            return *id;
        }
        let id = self.plain(Kind::Null);
        self.names.insert(full, id);
        let kinds = [
            Kind::Boolean,
            Kind::Bytes,
            Kind::Double,
            Kind::Float,
            Kind::Int,
            Kind::Long,
            Kind::String,
        ];
        let mut fields = Vec::new();
        for kind in kinds {
            let name = kind.type_name();
            let base = self.plain(kind);
            fields.push(self.nullable_field(name, base));
        }
        let list = self.plain(Kind::Array(id));
        fields.push(self.nullable_field("array", list));
        let entry = own_name(MAP_ENTRY);
        let entry_full = entry.full();
        let entry_fields = vec![field(KEY, id, None, None), field(VALUE, id, None, None)];
        let entry = self.plain(Kind::Record(record(entry, None, entry_fields)));
        self.names.insert(entry_full, entry);
        let map = self.plain(Kind::Array(entry));
        fields.push(self.nullable_field("map", map));
        self.avro
            .set(id, Node::of(Kind::Record(record(own_name(ANYTHING), None, fields))));
        id
    }

    fn nullable_field(&mut self, name: &str, base: NodeId) -> Field {
        let null = self.plain(Kind::Null);
        let union = self.plain(Kind::Union(vec![null, base]));
        field(name, union, Some(Json::Null), None)
    }
}

fn is_decimal(schema: &Schema) -> bool {
    schema.base == SchemaType::Bytes
        && schema
            .name
            .as_deref()
            .is_some_and(|name| name.eq_ignore_ascii_case(DECIMAL))
}

/// Scale and precision of a decimal; both numbers, or the schema is wrong.
fn decimal_numbers(schema: &Schema) -> Result<(i64, i64), ConnectError> {
    let number = |name: &str| {
        schema
            .parameter(name)
            .map(|text| {
                text.parse::<i32>()
                    .map(i64::from)
                    .map_err(|_| ConnectError::data(format!("parameter {name} of a decimal is {text}, not a number")))
            })
            .transpose()
    };
    let scale = number(SCALE_PARAMETER)?
        .ok_or_else(|| ConnectError::data("Invalid Decimal schema: scale parameter not found."))?;
    Ok((scale, number(DECIMAL_PRECISION)?.unwrap_or(DEFAULT_PRECISION)))
}

/// Adds an attribute unless it is there.
fn put(props: &mut Vec<(String, Json)>, name: &str, value: Json) {
    if !props.iter().any(|(known, _)| known == name) {
        props.push((name.to_owned(), value));
    }
}

fn own_name(name: &str) -> Name {
    Name {
        name: name.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
    }
}

fn record(name: Name, doc: Option<&str>, fields: Vec<Field>) -> Record {
    Record {
        name,
        aliases: Vec::new(),
        doc: doc.map(str::to_owned),
        fields,
        is_error: false,
    }
}

fn field(name: &str, schema: NodeId, default: Option<Json>, doc: Option<&str>) -> Field {
    Field {
        name: name.to_owned(),
        schema,
        default,
        doc: doc.map(str::to_owned),
        order: Order::Ascending,
        aliases: Vec::new(),
        props: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
