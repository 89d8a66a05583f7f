//! What a JSON Schema demands, as a graph
//!
//! One node a schema; keywords are sorted by the kind of value that they bind, as the registry's libraries do it. A
//! schema that binds several kinds, or has combining keywords beside others, is an `allOf` of its parts.

use std::collections::{BTreeSet, HashSet};

use indexmap::IndexMap;

use crate::json::tree::Json;

/// Index of a node.
pub type NodeId = usize;

/// A schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// `$id`, or `id` in draft 4.
    pub id: Option<String>,
    /// `title`
    pub title: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `default`
    pub default: Option<Json>,
    /// `connect.type`, which the registry's converters write.
    pub connect_type: Option<String>,
    /// What it demands.
    pub kind: Kind,
}

/// The kinds of schemas.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Kind {
    /// `{}`: anything.
    #[default]
    Empty,
    /// `true`: anything.
    True,
    /// `false`: nothing.
    False,
    /// `type: null`
    Null,
    /// `type: boolean`
    Boolean,
    /// Strings.
    String(Text),
    /// Numbers.
    Number(Number),
    /// Objects.
    Object(Box<Object>),
    /// Arrays.
    Array(Box<Array>),
    /// `const`
    Const(Json),
    /// `enum`
    Enum(Values),
    /// `allOf`, `anyOf`, `oneOf`, or several demands at once.
    Combined(Combined),
    /// `not`
    Not(NodeId),
    /// `if`, `then`, `else`; not compared.
    Conditional,
    /// `$ref`
    Reference(NodeId),
}

/// The values of an `enum`, as texts with sorted keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values {
    /// Each value once.
    pub texts: HashSet<String>,
    /// Bytes of all of them.
    pub bytes: usize,
}

/// Demands on strings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    /// `maxLength`
    pub max_length: Option<f64>,
    /// `minLength`
    pub min_length: Option<f64>,
    /// `pattern`
    pub pattern: Option<String>,
}

/// Demands on numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Number {
    /// `type: integer`
    pub is_integer: bool,
    /// `maximum`
    pub maximum: Option<f64>,
    /// `minimum`
    pub minimum: Option<f64>,
    /// `exclusiveMaximum` where it is a number.
    pub exclusive_maximum: Option<f64>,
    /// `exclusiveMinimum` where it is a number.
    pub exclusive_minimum: Option<f64>,
    /// `multipleOf` as written.
    pub multiple_of: Option<String>,
}

/// Demands on objects.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// `properties`
    pub properties: IndexMap<String, NodeId>,
    /// `required`
    pub required: HashSet<String>,
    /// `additionalProperties: false`
    pub forbids_additional: bool,
    /// `additionalProperties` where it is a schema.
    pub additional: Option<NodeId>,
    /// `patternProperties`
    pub patterns: Vec<(String, NodeId)>,
    /// `dependencies` or `dependentRequired`
    pub dependencies: IndexMap<String, BTreeSet<String>>,
    /// `dependencies` or `dependentSchemas`
    pub schema_dependencies: IndexMap<String, NodeId>,
    /// `maxProperties`
    pub max_properties: Option<f64>,
    /// `minProperties`
    pub min_properties: Option<f64>,
    /// `unevaluatedProperties`
    pub unevaluated: Option<NodeId>,
}

/// Demands on arrays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Array {
    /// `items` where it is one schema.
    pub items: Option<NodeId>,
    /// `prefixItems`, or `items` where it is a list.
    pub tuple: Vec<NodeId>,
    /// `additionalItems: false`
    pub forbids_additional: bool,
    /// `additionalItems` where it is a schema.
    pub additional: Option<NodeId>,
    /// `maxItems`
    pub max_items: Option<f64>,
    /// `minItems`
    pub min_items: Option<f64>,
    /// `uniqueItems`
    pub is_unique: bool,
    /// `maxContains`
    pub max_contains: Option<f64>,
    /// `minContains`; 1 where only `contains` is there.
    pub min_contains: Option<f64>,
    /// `unevaluatedItems`
    pub unevaluated: Option<NodeId>,
}

/// Several schemas at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Combined {
    /// How many of them have to fit.
    pub criterion: Criterion,
    /// All of them.
    pub branches: Vec<NodeId>,
    /// Each of them once.
    pub distinct: Vec<NodeId>,
}

/// How many of several schemas have to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// `allOf`
    All,
    /// `anyOf`
    Any,
    /// `oneOf`
    One,
}

impl Criterion {
    /// Returns the keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Criterion::All => "allOf",
            Criterion::Any => "anyOf",
            Criterion::One => "oneOf",
        }
    }
}

impl Kind {
    /// Whether anything fits.
    pub fn is_anything(&self) -> bool {
        matches!(self, Kind::Empty | Kind::True)
    }
}
