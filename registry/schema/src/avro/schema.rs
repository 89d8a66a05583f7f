//! Avro schemas as a flat list of nodes
//!
//! A named type that is used many times, or by itself, is one node with one [`NodeId`], so a schema is a graph without
//! owning cycles. Built by the parser, or by hand (the Connect converter). Printing and comparing live beside this
//! file; nothing here checks names or defaults.

use std::fmt;

use serde_json::Value;

/// An Avro schema: its nodes and which of them is the schema itself.
#[derive(Debug, Clone, PartialEq)]
pub struct AvroSchema {
    /// Every node, in the order in which the text introduces them.
    pub nodes: Vec<Node>,
    /// The schema itself.
    pub root: NodeId,
    /// Full names of the types that references brought in whole; the canonical text uses them by name only.
    pub referenced: Vec<String>,
}

/// Place of a node in [`AvroSchema::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// One schema: its kind and the attributes that Avro itself does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What kind of schema it is.
    pub kind: Kind,
    /// Further attributes in the order of the text: `logicalType`, `scale`, `connect.name` and the like.
    pub props: Vec<(String, Value)>,
}

/// The kinds of Avro schemas.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `boolean`
    Boolean,
    /// `int`
    Int,
    /// `long`
    Long,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `bytes`
    Bytes,
    /// `string`
    String,
    /// `array` of its items
    Array(NodeId),
    /// `map` from strings to its values
    Map(NodeId),
    /// A choice of branches
    Union(Vec<NodeId>),
    /// `record` or `error`
    Record(Record),
    /// `enum`
    Enum(Enum),
    /// `fixed`
    Fixed(Fixed),
}

/// Name of a record, an enum or a fixed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Name without namespace; empty for a record without name (old texts, read without validation).
    pub name: String,
    /// Namespace; `None` for the null namespace, never empty.
    pub namespace: Option<String>,
}

/// `record` and `error`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name.
    pub name: Name,
    /// Further names that it answers to as a reader.
    pub aliases: Vec<Name>,
    /// Documentation.
    pub doc: Option<String>,
    /// Fields in the order in which they are written.
    pub fields: Vec<Field>,
    /// Declared as `error`, which differs in the printed form only.
    pub is_error: bool,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub schema: NodeId,
    /// Default as the text gives it; `Some(Value::Null)` is the default null, `None` no default.
    pub default: Option<Value>,
    /// Documentation.
    pub doc: Option<String>,
    /// Sort order.
    pub order: Order,
    /// Further names that a reader finds it by.
    pub aliases: Vec<String>,
    /// Further attributes in the order of the text.
    pub props: Vec<(String, Value)>,
}

/// Sort order of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// `ascending`
    #[default]
    Ascending,
    /// `descending`
    Descending,
    /// `ignore`
    Ignore,
}

/// `enum`.
#[derive(Debug, Clone, PartialEq)]
pub struct Enum {
    /// Its name.
    pub name: Name,
    /// Further names that it answers to as a reader.
    pub aliases: Vec<Name>,
    /// Documentation.
    pub doc: Option<String>,
    /// Symbols in the order of their numbers.
    pub symbols: Vec<String>,
    /// Symbol that a reader takes for one it does not know.
    pub default: Option<String>,
}

/// `fixed`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    /// Its name.
    pub name: Name,
    /// Further names that it answers to as a reader.
    pub aliases: Vec<Name>,
    /// Documentation.
    pub doc: Option<String>,
    /// Bytes of a value.
    pub size: usize,
}

/// What an id outside the list answers with, so that reading a schema never panics.
static NOTHING: Node = Node {
    kind: Kind::Null,
    props: Vec::new(),
};

impl AvroSchema {
    /// Returns an empty schema (`null`) to which nodes are added.
    pub fn empty() -> Self {
        Self {
            nodes: vec![NOTHING.clone()],
            root: NodeId(0),
            referenced: Vec::new(),
        }
    }

    /// Returns the node of an id; `null` for an id of another schema.
    pub fn node(&self, id: NodeId) -> &Node {
        usize::try_from(id.0)
            .ok()
            .and_then(|at| self.nodes.get(at))
            .unwrap_or(&NOTHING)
    }

    /// Returns the node of the schema itself.
    pub fn root_node(&self) -> &Node {
        self.node(self.root)
    }

    /// Adds a node and returns its id.
    pub fn push(&mut self, node: Node) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        id
    }

    /// Puts a node in place of another: how a record that uses itself gets its fields.
    pub fn set(&mut self, id: NodeId, node: Node) {
        if let Some(slot) = usize::try_from(id.0).ok().and_then(|at| self.nodes.get_mut(at)) {
            *slot = node;
        }
    }
}

impl Node {
    /// Returns a node without further attributes.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            props: Vec::new(),
        }
    }

    /// Returns the attribute of that name.
    pub fn prop(&self, name: &str) -> Option<&Value> {
        self.props.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns the attribute of that name where it is a string.
    pub fn text_prop(&self, name: &str) -> Option<&str> {
        self.prop(name).and_then(Value::as_str)
    }
}

impl Kind {
    /// Returns the kind of a primitive type's word.
    pub fn primitive(word: &str) -> Option<Self> {
        match word {
            "null" => Some(Kind::Null),
            "boolean" => Some(Kind::Boolean),
            "int" => Some(Kind::Int),
            "long" => Some(Kind::Long),
            "float" => Some(Kind::Float),
            "double" => Some(Kind::Double),
            "bytes" => Some(Kind::Bytes),
            "string" => Some(Kind::String),
            _ => None,
        }
    }

    /// Returns Avro's word for the kind: `record`, `int`, ….
    pub fn type_name(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(_) => "record",
            Kind::Enum(_) => "enum",
            Kind::Fixed(_) => "fixed",
        }
    }

    /// Returns the name of a record, an enum or a fixed.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Kind::Record(record) => Some(&record.name),
            Kind::Enum(of) => Some(&of.name),
            Kind::Fixed(fixed) => Some(&fixed.name),
            Kind::Null
            | Kind::Boolean
            | Kind::Int
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Bytes
            | Kind::String
            | Kind::Array(_)
            | Kind::Map(_)
            | Kind::Union(_) => None,
        }
    }

    /// Returns the aliases of a record, an enum or a fixed.
    pub fn aliases(&self) -> &[Name] {
        match self {
            Kind::Record(record) => &record.aliases,
            Kind::Enum(of) => &of.aliases,
            Kind::Fixed(fixed) => &fixed.aliases,
            Kind::Null
            | Kind::Boolean
            | Kind::Int
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Bytes
            | Kind::String
            | Kind::Array(_)
            | Kind::Map(_)
            | Kind::Union(_) => &[],
        }
    }
}

impl Name {
    /// Splits a full name at its last dot; a name without dot gets `namespace`.
    pub fn new(name: &str, namespace: Option<&str>) -> Self {
        let (namespace, name) = match name.rsplit_once('.') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (namespace, name),
        };
        Self {
            name: name.to_owned(),
            namespace: namespace.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }

    /// Returns the full name: namespace, dot, name.
    pub fn full(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Order {
    /// Returns the word of the schema text.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Ascending => "ascending",
            Order::Descending => "descending",
            Order::Ignore => "ignore",
        }
    }
}
