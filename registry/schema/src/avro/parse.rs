//! Avro schema texts, read as strictly as Java's library reads them
//!
//! Rules and error texts of `org.apache.avro.Schema.Parser` 1.12: a name may be used before its definition, an enum or
//! fixed may be repeated as it is, unknown attributes are kept. Names and defaults are checked in full for new schemas
//! only. Nesting, size and the work spent on defaults are bounded. Attributes of each kind: `attributes.rs`.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::avro::attributes;
use crate::avro::canonical::node_text;
use crate::avro::defaults::{self, Types};
use crate::avro::graph;
use crate::avro::names::{self, NameRule};
use crate::avro::schema::{AvroSchema, Enum, Field, Fixed, Kind, Name, Node, NodeId, Record};
use crate::error::SchemaError;
use crate::json_text::{self, shorten, shown};

/// Longest text of one schema.
pub const MAX_TEXT_BYTES: usize = 10 * 1024 * 1024;

/// Longest text of a schema with everything it refers to.
pub const MAX_TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// Deepest nesting of schemas within schemas, types from references included.
pub const MAX_DEPTH: usize = 400;

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParseAvro {
    /// Check names to the letter and that defaults fit their types, as for new schemas.
    pub validate: bool,
}

/// Reads a schema; `named` holds the texts whose types it may use, each able to use those before it.
///
/// *Errors*: [`SchemaError::Json`] and [`SchemaError::Invalid`] for what is no schema, [`SchemaError::Limit`] beyond
/// the *bounds* of this file.
pub fn parse(text: &str, named: &[&str], options: ParseAvro) -> Result<AvroSchema, SchemaError> {
    let total = named
        .iter()
        .fold(text.len(), |sum, named| sum.saturating_add(named.len()));
    if total > MAX_TOTAL_BYTES {
        return Err(SchemaError::Limit(format!(
            "Schema with references is larger than {MAX_TOTAL_BYTES} bytes"
        )));
    }
    let rule = if options.validate {
        NameRule::Strict
    } else {
        NameRule::Off
    };
    let mut parser = Parser::new(rule, options.validate);
    let mut referenced = Vec::new();
    for named in named {
        let root = parser.text(named)?;
        referenced.extend(parser.schema.node(root).kind.name().map(Name::full));
    }
    let root = parser.text(text)?;
    parser.schema.root = root;
    parser.schema.referenced = referenced;
    let schema = graph::reachable(parser.schema)?;
    if !options.validate {
        names::check_all(&schema, NameRule::AnyLetter)?;
    }
    Ok(schema)
}

struct Parser {
    schema: AvroSchema,
    /// Types by full name, those of references too.
    names: HashMap<String, NodeId>,
    /// Records whose fields are being read, outermost first.
    open: HashSet<NodeId>,
    /// Names used before their definition: the node that stands in for each use.
    forward: HashMap<NodeId, String>,
    rule: NameRule,
    validate_defaults: bool,
    depth: usize,
    /// Steps spent on checking defaults.
    steps: usize,
}

impl Parser {
    fn new(rule: NameRule, validate_defaults: bool) -> Self {
        Self {
            schema: AvroSchema::empty(),
            names: HashMap::new(),
            open: HashSet::new(),
            forward: HashMap::new(),
            rule,
            validate_defaults,
            depth: 0,
            steps: 0,
        }
    }

    /// Reads one text; every name in it must be known at its end.
    fn text(&mut self, text: &str) -> Result<NodeId, SchemaError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(SchemaError::Limit(format!(
                "Schema is larger than {MAX_TEXT_BYTES} bytes"
            )));
        }
        let first = self.schema.nodes.len();
        let json = json_text::read(text)?;
        let root = self.schema(&json, None)?;
        if self.forward.is_empty() {
            return Ok(root);
        }
        let targets = self.forward_targets()?;
        graph::redirect(&mut self.schema, first, &targets);
        for at in first..self.schema.nodes.len() {
            self.check_again(NodeId(u32::try_from(at).unwrap_or(u32::MAX)))?;
        }
        Ok(targets.get(&root).copied().unwrap_or(root))
    }

    fn forward_targets(&mut self) -> Result<HashMap<NodeId, NodeId>, SchemaError> {
        let mut uses: Vec<(NodeId, String)> = std::mem::take(&mut self.forward).into_iter().collect();
        uses.sort_unstable();
        let mut targets = HashMap::with_capacity(uses.len());
        for (stand_in, name) in uses {
            let Some(target) = self.names.get(&name) else {
                return Err(invalid(format!("Undefined schema: {name}")));
            };
            targets.insert(stand_in, *target);
        }
        Ok(targets)
    }

    /// Checks what could not be checked while a name stood for a later type.
    fn check_again(&mut self, id: NodeId) -> Result<(), SchemaError> {
        match &self.schema.node(id).kind {
            Kind::Union(branches) => self.check_union(branches),
            Kind::Record(record) => {
                let defaults = record
                    .fields
                    .iter()
                    .filter_map(|field| Some((field, field.default.as_ref()?)));
                let mut steps = self.steps;
                for (field, default) in defaults {
                    self.check_default(&field.name, field.schema, default, &mut steps)?;
                }
                self.steps = steps;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn schema(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        if self.depth >= MAX_DEPTH {
            return Err(graph::too_deep());
        }
        self.depth += 1;
        let id = match json {
            Value::String(name) => self.find(name, namespace),
            Value::Object(_) => self.object(json, namespace)?,
            Value::Array(branches) => self.union(branches, namespace)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                return Err(invalid(format!("Schema not yet supported: {}", shown(json))));
            }
        };
        self.depth -= 1;
        Ok(id)
    }

    fn object(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        let word = attributes::required_text(json, "type", "No type")?;
        if let Some(kind) = Kind::primitive(word) {
            return Ok(self.schema.push(Node {
                kind,
                props: attributes::schema_props(json),
            }));
        }
        match word {
            "record" | "error" => self.record(json, namespace, word == "error"),
            "enum" => self.enumeration(json, namespace),
            "array" => {
                let items = json
                    .get("items")
                    .ok_or_else(|| attributes::missing("Array has no items type", json))?;
                let items = self.schema(items, namespace)?;
                Ok(self.schema.push(Node {
                    kind: Kind::Array(items),
                    props: attributes::schema_props(json),
                }))
            }
            "map" => {
                let values = json
                    .get("values")
                    .ok_or_else(|| attributes::missing("Map has no values type", json))?;
                let values = self.schema(values, namespace)?;
                Ok(self.schema.push(Node {
                    kind: Kind::Map(values),
                    props: attributes::schema_props(json),
                }))
            }
            "fixed" => self.fixed(json, namespace),
            name => Ok(self.find(name, namespace)),
        }
    }

    /// Returns the type of a name: in the namespace around, else without namespace, else a stand-in for a later one.
    fn find(&mut self, name: &str, namespace: Option<&str>) -> NodeId {
        if let Some(kind) = Kind::primitive(name) {
            return self.schema.push(Node::of(kind));
        }
        let full = match namespace {
            Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
            _ => name.to_owned(),
        };
        if let Some(id) = self.names.get(&full).or_else(|| self.names.get(name)) {
            return *id;
        }
        let name = Name::new(&full, None);
        let record = Record {
            name,
            aliases: Vec::new(),
            doc: None,
            fields: Vec::new(),
            is_error: false,
        };
        let stand_in = self.schema.push(Node::of(Kind::Record(record)));
        self.forward.insert(stand_in, full);
        stand_in
    }

    /// Returns the text of a node for an error; types that are defined later show as their names.
    fn node_text(&self, id: NodeId) -> String {
        node_text(&self.schema, id, self.forward.values().cloned().collect())
    }

    fn union(&mut self, branches: &[Value], namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        let mut ids = Vec::with_capacity(branches.len());
        for branch in branches {
            ids.push(self.schema(branch, namespace)?);
        }
        self.check_union(&ids)?;
        Ok(self.schema.push(Node::of(Kind::Union(ids))))
    }

    fn check_union(&self, branches: &[NodeId]) -> Result<(), SchemaError> {
        let mut seen = HashSet::with_capacity(branches.len());
        for branch in branches.iter().filter(|branch| !self.forward.contains_key(branch)) {
            let kind = &self.schema.node(*branch).kind;
            if matches!(kind, Kind::Union(_)) {
                let texts: Vec<String> = branches.iter().map(|id| self.node_text(*id)).collect();
                return Err(invalid(format!(
                    "Nested union: {}",
                    shorten(&format!("[{}]", texts.join(",")))
                )));
            }
            let name = kind.name().map_or_else(|| kind.type_name().to_owned(), Name::full);
            if let Some(name) = seen.replace(name) {
                return Err(invalid(format!("Duplicate in union:{name}")));
            }
        }
        Ok(())
    }

    fn record(&mut self, json: &Value, namespace: Option<&str>, is_error: bool) -> Result<NodeId, SchemaError> {
        let name = self.name(json, namespace)?;
        if self.names.contains_key(&name.full()) {
            // DIVERGES: Java 1.12 lets a record hold another record of its own name, and prints it as a recursion.
            return Err(invalid(format!("Can't redefine: {}", name.full())));
        }
        let doc = attributes::text(json, "doc");
        let record = Record {
            name: name.clone(),
            aliases: Vec::new(),
            doc,
            fields: Vec::new(),
            is_error,
        };
        let id = self.schema.push(Node::of(Kind::Record(record.clone())));
        self.names.insert(name.full(), id);
        self.open.insert(id);
        let Some(Value::Array(list)) = json.get("fields") else {
            return Err(attributes::missing("Record has no fields", json));
        };
        let mut fields = Vec::with_capacity(list.len());
        for field in list {
            fields.push(self.field(field, name.namespace.as_deref())?);
        }
        self.check_field_names(&name, &fields)?;
        let aliases = self.aliases(json, &name)?;
        self.open.remove(&id);
        let kind = Kind::Record(Record {
            aliases,
            fields,
            ..record
        });
        self.schema.set(
            id,
            Node {
                kind,
                props: attributes::schema_props(json),
            },
        );
        Ok(id)
    }

    fn check_field_names(&self, record: &Name, fields: &[Field]) -> Result<(), SchemaError> {
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            let Some(before) = seen.insert(&field.name, at) else {
                continue;
            };
            let show = |at: usize| {
                let kind = fields
                    .get(at)
                    .map_or("NULL", |field| self.schema.node(field.schema).kind.type_name());
                format!("{} type:{} pos:{at}", field.name, kind.to_uppercase())
            };
            let (new, old) = (show(at), show(before));
            return Err(invalid(format!(
                "Duplicate field {} in record {record}: {new} and {old}.",
                field.name
            )));
        }
        Ok(())
    }

    fn field(&mut self, json: &Value, namespace: Option<&str>) -> Result<Field, SchemaError> {
        let name = attributes::required_text(json, "name", "No field name")?.to_owned();
        let schema_json = json
            .get("type")
            .ok_or_else(|| attributes::missing("No field type", json))?;
        let schema = self.schema(schema_json, namespace)?;
        let order = attributes::order(json)?;
        let default = match json.get("default") {
            Some(given) => Some(attributes::default_of(given, &self.schema.node(schema).kind)?),
            None => None,
        };
        self.rule.check(&name)?;
        if let Some(default) = &default {
            let mut steps = self.steps;
            self.check_default(&name, schema, default, &mut steps)?;
            self.steps = steps;
        }
        let aliases = attributes::aliases(json)?;
        let doc = attributes::text(json, "doc");
        Ok(Field {
            name,
            schema,
            default,
            doc,
            order,
            aliases,
            props: attributes::field_props(json),
        })
    }

    fn check_default(
        &self,
        field: &str,
        schema: NodeId,
        default: &Value,
        steps: &mut usize,
    ) -> Result<(), SchemaError> {
        let is_float = matches!(self.schema.node(schema).kind, Kind::Float | Kind::Double);
        if !self.validate_defaults || (is_float && default.is_string()) {
            // A text that is left of a float's default is NaN or an infinity.
            return Ok(());
        }
        let types = Types {
            schema: &self.schema,
            open: &self.open,
            forward: &self.forward,
        };
        if defaults::fits(&types, schema, default, steps)? {
            return Ok(());
        }
        let text = shorten(&self.node_text(schema));
        Err(invalid(format!(
            "Invalid default for field {field}: {} not a {text}",
            shown(default)
        )))
    }

    fn enumeration(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        let name = self.name(json, namespace)?;
        let Some(Value::Array(list)) = json.get("symbols") else {
            return Err(attributes::missing("Enum has no symbols", json));
        };
        let mut symbols = Vec::with_capacity(list.len());
        let mut seen = HashSet::with_capacity(list.len());
        for symbol in list {
            let symbol = symbol.as_str().ok_or_else(|| invalid("Null name".to_owned()))?;
            self.rule.check(symbol)?;
            if !seen.insert(symbol) {
                return Err(invalid(format!("Duplicate enum symbol: {symbol}")));
            }
            symbols.push(symbol.to_owned());
        }
        let default = attributes::text(json, "default");
        if let Some(default) = default.as_deref().filter(|default| !seen.contains(default)) {
            let set = shorten(&symbols.join(", "));
            return Err(invalid(format!(
                "The Enum Default: {default} is not in the enum symbol set: [{set}]"
            )));
        }
        let aliases = self.aliases(json, &name)?;
        let of = Enum {
            name,
            aliases,
            doc: attributes::text(json, "doc"),
            symbols,
            default,
        };
        self.define(Node {
            kind: Kind::Enum(of),
            props: attributes::enum_props(json),
        })
    }

    fn fixed(&mut self, json: &Value, namespace: Option<&str>) -> Result<NodeId, SchemaError> {
        let name = self.name(json, namespace)?;
        let size = attributes::size(json)?;
        let aliases = self.aliases(json, &name)?;
        let fixed = Fixed {
            name,
            aliases,
            doc: attributes::text(json, "doc"),
            size,
        };
        self.define(Node {
            kind: Kind::Fixed(fixed),
            props: attributes::schema_props(json),
        })
    }

    /// Adds an enum or a fixed; one of that name may be there already if it says the same.
    fn define(&mut self, node: Node) -> Result<NodeId, SchemaError> {
        let full = node.kind.name().map(Name::full).unwrap_or_default();
        let known = self.names.get(&full).copied();
        if known.is_some_and(|known| !says_the_same(self.schema.node(known), &node)) {
            return Err(invalid(format!("Can't redefine: {full}")));
        }
        let id = self.schema.push(node);
        if known.is_none() {
            self.names.insert(full, id);
        }
        Ok(id)
    }

    fn name(&self, json: &Value, namespace: Option<&str>) -> Result<Name, SchemaError> {
        let own = json.get("namespace").and_then(Value::as_str);
        let text = attributes::required_text(json, "name", "No name in schema")?;
        let name = Name::new(text, own.or(namespace));
        self.rule.check(&name.name)?;
        let full = name.full();
        if Kind::primitive(&full).is_some() {
            return Err(invalid(format!("Schemas may not be named after primitives: {full}")));
        }
        self.rule.check_namespace(name.namespace.as_deref())?;
        Ok(name)
    }

    /// Reads the aliases of a named type; those without namespace are in the type's own.
    fn aliases(&self, json: &Value, of: &Name) -> Result<Vec<Name>, SchemaError> {
        let mut names: Vec<Name> = Vec::new();
        let mut seen = HashSet::new();
        for alias in attributes::aliases(json)? {
            let name = Name::new(&alias, of.namespace.as_deref());
            self.rule.check(&name.name)?;
            if seen.insert(name.full()) {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// Whether a repeated definition is harmless: the same symbols or size, and a first one without further attributes.
fn says_the_same(known: &Node, new: &Node) -> bool {
    known.props.is_empty()
        && match (&known.kind, &new.kind) {
            (Kind::Enum(known), Kind::Enum(new)) => known.symbols == new.symbols,
            (Kind::Fixed(known), Kind::Fixed(new)) => known.size == new.size,
            _ => false,
        }
}

fn invalid(text: String) -> SchemaError {
    SchemaError::Invalid(text)
}
