//! Schemas: what a value looks like
//!
//! Kafka: `ConnectSchema`. All attributes take part in equality. Built with `builder.rs`; handed around as `Arc`; ids
//! of an instance are in `schemas.rs`. A default is a [`Value`], so this file and `value.rs` name each other.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::data::value::Value;

/// Deepest nesting of a schema or schemaless value.
pub const MAX_DEPTH: usize = 64;
/// Most schemas one schema may hold, those met twice counted twice: parts may be shared, so few pointers can stand for
/// endless work.
pub const MAX_NODES: usize = 65_536;
/// Most fields of one struct.
pub const MAX_FIELDS: usize = 4096;

/// The base type of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaType {
    /// 8 bits, signed.
    Int8,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
    /// True or false.
    Boolean,
    /// UTF-8 text; Kafka's STRING.
    Text,
    /// Any bytes.
    Bytes,
    /// A list of one element schema.
    Array,
    /// Pairs of one key and one value schema, in insertion order.
    Map,
    /// Named fields in order.
    Struct,
}

impl SchemaType {
    /// Gives Kafka's name, as error texts show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Boolean => "BOOLEAN",
            Self::Text => "STRING",
            Self::Bytes => "BYTES",
            Self::Array => "ARRAY",
            Self::Map => "MAP",
            Self::Struct => "STRUCT",
        }
    }

    /// Tells whether the type has no parts.
    pub fn is_primitive(self) -> bool {
        !matches!(self, Self::Array | Self::Map | Self::Struct)
    }
}

/// One field of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Name, unique in the struct.
    pub name: String,
    /// Schema of the field's value.
    pub schema: Arc<Schema>,
}

/// A schema.
#[derive(Debug, Clone, Eq)]
pub struct Schema {
    /// Base type.
    pub base: SchemaType,
    /// Whether null is a value.
    pub optional: bool,
    /// What stands for a missing value.
    pub default: Option<Value>,
    /// Full name; logical types are known by it.
    pub name: Option<String>,
    /// Version.
    pub version: Option<i32>,
    /// Documentation.
    pub doc: Option<String>,
    /// Parameters in order of definition; equality ignores the order.
    pub parameters: Vec<(String, String)>,
    /// Fields, `Struct` only.
    pub fields: Vec<Field>,
    /// Key schema, `Map` only.
    pub key: Option<Arc<Schema>>,
    /// Element or value schema, `Array` and `Map` only; an array literal of mixed elements has none.
    pub value: Option<Arc<Schema>>,
}

impl Schema {
    /// Creates a required schema with nothing but a type.
    pub fn plain(base: SchemaType) -> Self {
        Self {
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

    /// Creates an optional schema with nothing but a type.
    pub fn plain_optional(base: SchemaType) -> Self {
        Self {
            optional: true,
            ..Self::plain(base)
        }
    }

    /// Gives a field and its position.
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name == name)
    }

    /// Gives a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Tells whether the schema is a bare type, optional or not: one of the built-in ids.
    pub fn is_plain(&self) -> bool {
        self.base.is_primitive()
            && self.default.is_none()
            && self.name.is_none()
            && self.version.is_none()
            && self.doc.is_none()
            && self.parameters.is_empty()
    }

    /// Tells whether the schema holds at most so many schemas, itself included; looks at no more than that.
    pub fn has_at_most(&self, nodes: usize) -> bool {
        self.count_below(nodes, MAX_DEPTH + 1).is_some()
    }

    /// Gives what is left of a budget of nodes.
    fn count_below(&self, budget: usize, depth_left: usize) -> Option<usize> {
        let mut left = budget.checked_sub(1)?;
        if depth_left == 0 {
            return Some(left);
        }
        for child in self
            .fields
            .iter()
            .map(|field| &field.schema)
            .chain(&self.key)
            .chain(&self.value)
        {
            left = child.count_below(left, depth_left - 1)?;
        }
        Some(left)
    }

    /// Gives the deepest nesting, 1 for a primitive; stops counting above [`MAX_DEPTH`].
    pub fn depth(&self) -> usize {
        self.depth_below(MAX_DEPTH + 1)
    }

    fn depth_below(&self, left: usize) -> usize {
        if left == 0 {
            return 1;
        }
        let fields = self.fields.iter().map(|field| &field.schema);
        let children = fields.chain(&self.key).chain(&self.value);
        1 + children.map(|child| child.depth_below(left - 1)).max().unwrap_or(0)
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.base == other.base
            && self.optional == other.optional
            && self.version == other.version
            && self.name == other.name
            && self.doc == other.doc
            && self.default == other.default
            && self.parameters.len() == other.parameters.len()
            && self
                .parameters
                .iter()
                .all(|(name, value)| other.parameter(name) == Some(value))
            && self.fields == other.fields
            && self.key == other.key
            && self.value == other.value
    }
}

impl Hash for Schema {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (
            self.base,
            self.optional,
            self.version,
            &self.name,
            &self.doc,
            &self.default,
        )
            .hash(state);
        // Addition keeps the hash free of the parameters' order, as equality is.
        let parameters = self.parameters.iter().fold(0u64, |sum, parameter| {
            let mut hasher = DefaultHasher::new();
            parameter.hash(&mut hasher);
            sum.wrapping_add(hasher.finish())
        });
        (parameters, &self.fields, &self.key, &self.value).hash(state);
    }
}
