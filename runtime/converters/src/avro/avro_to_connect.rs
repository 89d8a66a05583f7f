//! The Connect schema of an Avro schema
//!
//! Kafka: `AvroData.toConnectSchema`. DIVERGES: a record that contains itself is refused, since a Connect schema here
//! is a tree of bounded depth; only the record that holds anything may, which stands for no schema. A decimal that is
//! a fixed keeps the name of the logical type, where Java refuses the pair.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_api::data::logical::{DATE, DECIMAL, SCALE as SCALE_PARAMETER, TIME, TIMESTAMP};
use weir_api::data::schema::{Field, MAX_DEPTH, MAX_NODES, Schema, SchemaType};
use weir_api::data::validate::validate_schema;
use weir_api::data::value::Value;
use weir_api::error::{ConnectError, ErrorKind};
use weir_schema::avro::schema::{AvroSchema, Enum, Kind, Node, NodeId, Record};

use crate::avro::config::DataOptions;
use crate::avro::default_value::default_from_json;
use crate::avro::names::{
    AVRO_DATE, AVRO_DECIMAL, AVRO_PREFIX, AVRO_TIME, AVRO_TIMESTAMP, CONNECT_DEFAULT, CONNECT_DOC, CONNECT_ENUM_DOC,
    CONNECT_NAME, CONNECT_PARAMETERS, CONNECT_RECORD_DOC, CONNECT_TYPE, CONNECT_VERSION, DECIMAL_PRECISION,
    DEFAULT_FULL_NAME, DEFAULT_PRECISION, ENUM, ENUM_DEFAULT_PREFIX, ENUM_DOC_PREFIX, FIELD_DEFAULT_FLAG,
    FIELD_DOC_PREFIX, FIXED_SIZE, GENERAL_ENUM, GENERAL_FIELD_PREFIX, GENERAL_UNION, GENERAL_UNION_PREFIX,
    LOGICAL_TYPE, PRECISION, RECORD_DOC, SCALE, UNION,
};
use crate::avro::shapes::{entry_fields, is_anything, is_entry};

/// Gives the Connect schema of an Avro schema; `None`, Java's null schema, of the record that holds anything.
/// `version` is the registry's, for schemas that carry none.
///
/// # Errors
/// `Data`: a schema that Connect cannot express.
pub fn to_connect(
    avro: &AvroSchema,
    version: Option<i32>,
    options: &DataOptions,
) -> Result<Option<Arc<Schema>>, ConnectError> {
    if is_anything(avro, avro.root) {
        return Ok(None);
    }
    let mut reader = Reader {
        avro,
        options,
        open: Vec::new(),
        nodes: 0,
        depth: 0,
        unions: 0,
    };
    let schema = reader.schema(avro.root, false, Given { version, ..Given::NONE })?;
    Ok(Some(schema))
}

/// What a field, or the registry, says of a schema.
#[derive(Debug, Clone, Copy)]
struct Given<'j> {
    default: Option<&'j Json>,
    doc: Option<&'j str>,
    version: Option<i32>,
}

impl Given<'_> {
    const NONE: Given<'static> = Given {
        default: None,
        doc: None,
        version: None,
    };
}

struct Reader<'a> {
    avro: &'a AvroSchema,
    options: &'a DataOptions,
    /// Records being read, outermost first.
    open: Vec<NodeId>,
    nodes: usize,
    depth: usize,
    unions: u32,
}

impl Reader<'_> {
    fn schema(&mut self, id: NodeId, force_optional: bool, given: Given<'_>) -> Result<Arc<Schema>, ConnectError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(ConnectError::data(format!(
                "Avro schema has more than {MAX_NODES} nodes"
            )));
        }
        if self.depth >= MAX_DEPTH {
            return Err(ConnectError::data(format!(
                "Avro schema is nested deeper than {MAX_DEPTH}"
            )));
        }
        if self.open.contains(&id) || is_anything(self.avro, id) {
            let name = self
                .avro
                .node(id)
                .kind
                .name()
                .map(|name| name.full())
                .unwrap_or_default();
            return Err(ConnectError::data(format!(
                "Avro record {name} contains itself; recursive schemas are not supported"
            )));
        }
        self.depth += 1;
        let schema = match &self.avro.node(id).kind {
            Kind::Union(branches) => self.union(id, branches, force_optional, given),
            _ => self.plain(id, force_optional, given),
        };
        self.depth -= 1;
        schema
    }

    /// Reads what stands in a list or map: anything needs no schema there.
    fn part(&mut self, id: NodeId) -> Result<Option<Arc<Schema>>, ConnectError> {
        if is_anything(self.avro, id) {
            return Ok(None);
        }
        self.schema(id, false, Given::NONE).map(Some)
    }

    fn union(
        &mut self,
        id: NodeId,
        branches: &[NodeId],
        force_optional: bool,
        given: Given<'_>,
    ) -> Result<Arc<Schema>, ConnectError> {
        let inner = Given {
            doc: given.doc,
            ..Given::NONE
        };
        match branches {
            [only] if self.options.flatten_singletons => return self.schema(*only, false, inner),
            [one, other] => {
                let is_null = |id: NodeId| self.avro.node(id).kind == Kind::Null;
                match (is_null(*one), is_null(*other)) {
                    (true, false) => return self.schema(*other, true, inner),
                    (false, true) => return self.schema(*one, true, inner),
                    _ => {}
                }
            }
            _ => {}
        }
        let mut schema = Schema::plain(SchemaType::Struct);
        if self.options.generalized {
            let name = format!("{GENERAL_UNION_PREFIX}{}", self.unions);
            self.unions += 1;
            schema.parameters.push((GENERAL_UNION.to_owned(), name.clone()));
            schema.name = Some(name);
        } else {
            schema.name = Some(UNION.to_owned());
        }
        for (index, branch) in branches.iter().enumerate() {
            let node = self.avro.node(*branch);
            if node.kind == Kind::Null {
                schema.optional = true;
                continue;
            }
            let name = member_name(node, index, self.options);
            if schema.field(&name).is_some() {
                return Err(ConnectError::data(
                    "Multiple union schemas map to the Connect union field name",
                ));
            }
            let member = self.schema(*branch, true, Given::NONE)?;
            schema.fields.push(Field { name, schema: member });
        }
        self.finish(id, schema, force_optional, given)
    }

    fn plain(&mut self, id: NodeId, force_optional: bool, given: Given<'_>) -> Result<Arc<Schema>, ConnectError> {
        let node = self.avro.node(id);
        let schema = match &node.kind {
            Kind::Boolean => Schema::plain(SchemaType::Boolean),
            Kind::Double => Schema::plain(SchemaType::Float64),
            Kind::Float => Schema::plain(SchemaType::Float32),
            Kind::String => Schema::plain(SchemaType::Text),
            Kind::Int => int_schema(node)?,
            Kind::Long => match logical(node) {
                Some(name) if name.eq_ignore_ascii_case(AVRO_TIMESTAMP) => named(SchemaType::Int64, TIMESTAMP),
                _ => Schema::plain(SchemaType::Int64),
            },
            Kind::Bytes => bytes_schema(node)?,
            Kind::Fixed(fixed) => {
                let mut schema = bytes_schema(node)?;
                set_parameter(&mut schema, FIXED_SIZE, &fixed.size.to_string());
                schema
            }
            Kind::Enum(of) => self.enum_schema(of),
            Kind::Array(items) => self.list_schema(*items)?,
            Kind::Map(values) => Schema {
                key: Some(Arc::new(Schema::plain(SchemaType::Text))),
                value: self.part(*values)?,
                ..Schema::plain(SchemaType::Map)
            },
            Kind::Record(record) => {
                self.open.push(id);
                let schema = self.struct_schema(record);
                self.open.pop();
                schema?
            }
            Kind::Null => {
                return Err(ConnectError::data(
                    "Standalone null schemas are not supported by this converter",
                ));
            }
            Kind::Union(_) => return Err(ConnectError::data("a union is no plain schema")),
        };
        self.finish(id, schema, force_optional, given)
    }

    fn list_schema(&mut self, items: NodeId) -> Result<Schema, ConnectError> {
        let node = self.avro.node(items);
        let is_map = matches!(&node.kind, Kind::Record(record) if is_entry(node, record));
        if !is_map {
            return Ok(Schema {
                value: self.part(items)?,
                ..Schema::plain(SchemaType::Array)
            });
        }
        let Some((key, value, _)) = entry_fields(self.avro, items) else {
            return Err(ConnectError::data(
                "Found map encoded as array of key-value pairs, but array elements do not match the expected format.",
            ));
        };
        if self.open.contains(&items) {
            return Err(ConnectError::data(
                "a map entry contains itself; recursive schemas are not supported",
            ));
        }
        self.open.push(items);
        let parts = self.part(key).and_then(|key| Ok((key, self.part(value)?)));
        self.open.pop();
        let (key, value) = parts?;
        Ok(Schema {
            key,
            value,
            ..Schema::plain(SchemaType::Map)
        })
    }

    fn struct_schema(&mut self, record: &Record) -> Result<Schema, ConnectError> {
        let with_docs = self.options.meta_data && !self.options.discard_type_doc_default;
        let mut schema = Schema::plain(SchemaType::Struct);
        if let Some(doc) = record.doc.as_deref().filter(|_| with_docs) {
            set_parameter(&mut schema, RECORD_DOC, doc);
        }
        for field in &record.fields {
            if let Some(doc) = field.doc.as_deref().filter(|_| with_docs) {
                set_parameter(&mut schema, &format!("{FIELD_DOC_PREFIX}{}", field.name), doc);
            }
            let given = Given {
                default: field.default.as_ref(),
                doc: field.doc.as_deref(),
                version: None,
            };
            schema.fields.push(Field {
                name: field.name.clone(),
                schema: self.schema(field.schema, false, given)?,
            });
        }
        Ok(schema)
    }

    fn enum_schema(&self, of: &Enum) -> Schema {
        let options = self.options;
        let mut schema = Schema::plain(SchemaType::Text);
        if options.meta_data {
            if let Some(doc) = &of.doc {
                let name = if options.discard_type_doc_default {
                    CONNECT_ENUM_DOC.to_owned()
                } else {
                    format!("{ENUM_DOC_PREFIX}{}", of.name.name)
                };
                set_parameter(&mut schema, &name, doc);
            }
            if let Some(default) = of.default.as_ref().filter(|_| !options.discard_type_doc_default) {
                set_parameter(&mut schema, &format!("{ENUM_DEFAULT_PREFIX}{}", of.name.name), default);
            }
        }
        let parameter = if options.generalized { GENERAL_ENUM } else { ENUM };
        set_parameter(&mut schema, parameter, &of.name.full());
        for (index, symbol) in of.symbols.iter().enumerate() {
            let number = index.to_string();
            let value = if options.generalized { &number } else { symbol };
            set_parameter(&mut schema, &format!("{parameter}.{symbol}"), value);
        }
        schema
    }

    /// Adds what attributes say: doc, version, parameters, default, name.
    fn finish(
        &self,
        id: NodeId,
        mut schema: Schema,
        force_optional: bool,
        given: Given<'_>,
    ) -> Result<Arc<Schema>, ConnectError> {
        let options = self.options;
        let node = self.avro.node(id);
        self.add_doc(node, &mut schema, given.doc);
        add_version(node, &mut schema, given.version)?;
        add_parameters(node, &mut schema, options.meta_data)?;
        let connect_default = node.prop(CONNECT_DEFAULT);
        if given.default.is_some()
            && connect_default.is_none()
            && options.meta_data
            && !options.discard_type_doc_default
        {
            set_parameter(&mut schema, FIELD_DEFAULT_FLAG, "true");
        }
        add_name(node, &mut schema)?;
        schema.optional |= force_optional;
        if let Some(json) = given.default.or(connect_default) {
            schema = self.with_default(id, schema, json);
        }
        validate_schema(&schema).map_err(as_data)?;
        Ok(Arc::new(schema))
    }

    fn add_doc(&self, node: &Node, schema: &mut Schema, field_doc: Option<&str>) {
        let own = match &node.kind {
            Kind::Record(record) => record.doc.as_deref(),
            Kind::Enum(of) => of.doc.as_deref(),
            Kind::Fixed(fixed) => fixed.doc.as_deref(),
            _ => None,
        };
        let connect_doc = node.text_prop(CONNECT_DOC);
        if self.options.discard_type_doc_default {
            schema.doc = field_doc.or(own).or(connect_doc).map(str::to_owned);
            if let Some(own) = own.filter(|_| self.options.meta_data) {
                set_parameter(schema, CONNECT_RECORD_DOC, own);
            }
        } else if self.options.meta_data {
            schema.doc = connect_doc.map(str::to_owned);
        }
    }

    /// A default that does not fit is left out with a warning, as in Java.
    fn with_default(&self, id: NodeId, schema: Schema, json: &Json) -> Schema {
        let bare = Arc::new(schema);
        let read = default_from_json(self.avro, id, &bare, json, self.options);
        let schema = bare.as_ref().clone();
        match read {
            Ok(Value::Null) => schema,
            Ok(value) => {
                let with_default = Schema {
                    default: Some(value),
                    ..schema.clone()
                };
                match validate_schema(&with_default) {
                    Ok(()) => with_default,
                    Err(error) => {
                        tracing::warn!(%error, "ignoring invalid default of an avro schema");
                        schema
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error, "ignoring invalid default of an avro schema");
                schema
            }
        }
    }
}

/// Gives the field name of a union's member.
fn member_name(node: &Node, index: usize, options: &DataOptions) -> String {
    if options.generalized {
        return format!("{GENERAL_FIELD_PREFIX}{index}");
    }
    match node.kind.name() {
        Some(name) if options.enhanced => name.full(),
        Some(name) => crate::avro::names::scrubbed(&name.name, options.scrub_names),
        None => node.kind.type_name().to_owned(),
    }
}

fn logical(node: &Node) -> Option<&str> {
    node.text_prop(LOGICAL_TYPE)
}

fn named(base: SchemaType, name: &str) -> Schema {
    Schema {
        name: Some(name.to_owned()),
        version: Some(1),
        ..Schema::plain(base)
    }
}

fn int_schema(node: &Node) -> Result<Schema, ConnectError> {
    if let Some(name) = logical(node) {
        return Ok(if name.eq_ignore_ascii_case(AVRO_DATE) {
            named(SchemaType::Int32, DATE)
        } else if name.eq_ignore_ascii_case(AVRO_TIME) {
            named(SchemaType::Int32, TIME)
        } else {
            Schema::plain(SchemaType::Int32)
        });
    }
    match node.text_prop(CONNECT_TYPE) {
        None => Ok(Schema::plain(SchemaType::Int32)),
        Some("int8") => Ok(Schema::plain(SchemaType::Int8)),
        Some("int16") => Ok(Schema::plain(SchemaType::Int16)),
        Some(_) => Err(ConnectError::data("Connect type annotation for Avro int field is null")),
    }
}

fn bytes_schema(node: &Node) -> Result<Schema, ConnectError> {
    if !logical(node).is_some_and(|name| name.eq_ignore_ascii_case(AVRO_DECIMAL)) {
        return Ok(Schema::plain(SchemaType::Bytes));
    }
    let mut schema = named(SchemaType::Bytes, DECIMAL);
    let scale = node.prop(SCALE).and_then(Json::as_i64).unwrap_or(0);
    set_parameter(&mut schema, SCALE_PARAMETER, &scale.to_string());
    match node.prop(PRECISION) {
        None => {}
        Some(Json::Number(number)) => {
            let precision = number.as_i64().unwrap_or(DEFAULT_PRECISION);
            if precision != DEFAULT_PRECISION {
                set_parameter(&mut schema, DECIMAL_PRECISION, &precision.to_string());
            }
        }
        Some(_) => {
            return Err(ConnectError::data(
                "precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal",
            ));
        }
    }
    Ok(schema)
}

/// The schema's own version wins over the registry's; a logical type has its own.
fn add_version(node: &Node, schema: &mut Schema, given: Option<i32>) -> Result<(), ConnectError> {
    let version = match node.prop(CONNECT_VERSION) {
        None => {
            schema.version = schema.version.or(given);
            return Ok(());
        }
        Some(Json::Number(number)) => number.as_f64().unwrap_or(-1.0) as i32,
        Some(other) => return Err(ConnectError::data(format!("Invalid Connect version found: {other}"))),
    };
    if version < 0 {
        return Ok(());
    }
    match schema.version {
        Some(known) if known != version => Err(ConnectError::data(format!(
            "Mismatched versions: version already added to SchemaBuilder ({known}) differs from version in source schema ({version})"
        ))),
        _ => {
            schema.version = Some(version);
            Ok(())
        }
    }
}

fn add_parameters(node: &Node, schema: &mut Schema, meta_data: bool) -> Result<(), ConnectError> {
    if let Some(parameters) = node.prop(CONNECT_PARAMETERS).filter(|_| meta_data) {
        let Some(parameters) = parameters.as_object() else {
            return Err(ConnectError::data(format!(
                "Expected JSON object for schema parameters but found: {parameters}"
            )));
        };
        for (name, value) in parameters {
            let Some(value) = value.as_str() else {
                return Err(ConnectError::data(format!(
                    "Expected schema parameter values to be strings but found: {value}"
                )));
            };
            set_parameter(schema, name, value);
        }
    }
    for (name, value) in &node.props {
        if name.starts_with(AVRO_PREFIX) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            set_parameter(schema, name, &text);
        }
    }
    Ok(())
}

fn add_name(node: &Node, schema: &mut Schema) -> Result<(), ConnectError> {
    let name = match node.prop(CONNECT_NAME) {
        Some(Json::String(name)) => name.clone(),
        Some(other) => return Err(ConnectError::data(format!("Invalid schema name: {other}"))),
        // A fixed decimal is known by its logical type.
        None if schema.name.is_some() => return Ok(()),
        None => match node.kind.name() {
            Some(name) => name.full(),
            None => return Ok(()),
        },
    };
    if name.starts_with(DEFAULT_FULL_NAME) {
        return Ok(());
    }
    match &schema.name {
        Some(known) if *known != name => Err(ConnectError::data(format!(
            "Mismatched names: name already added to SchemaBuilder ({known}) differs from name in source schema ({name})"
        ))),
        _ => {
            schema.name = Some(name);
            Ok(())
        }
    }
}

fn set_parameter(schema: &mut Schema, name: &str, value: &str) {
    match schema.parameters.iter_mut().find(|(known, _)| known == name) {
        Some(entry) => value.clone_into(&mut entry.1),
        None => schema.parameters.push((name.to_owned(), value.to_owned())),
    }
}

/// A bad schema in the registry is the fault of the records written with it.
fn as_data(error: ConnectError) -> ConnectError {
    ConnectError {
        kind: ErrorKind::Data,
        ..error
    }
}

#[cfg(test)]
mod tests;
