//! Values of the Connect data model
//!
//! Kafka: the Java classes a `Schema` admits, and `Struct`. Values of logical types are held as their base type; the
//! two classes that exist without a schema (`java.util.Date`, `BigDecimal`) have variants of their own. Equality is
//! Java's: NaN equals NaN, 0.0 differs from -0.0.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::data::schema::Schema;
use crate::error::ConnectError;

/// A value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `java.lang.Byte`.
    Int8(i8),
    /// `java.lang.Short`.
    Int16(i16),
    /// `java.lang.Integer`.
    Int32(i32),
    /// `java.lang.Long`.
    Int64(i64),
    /// `java.lang.Float`.
    Float32(f32),
    /// `java.lang.Double`.
    Float64(f64),
    /// `java.lang.Boolean`.
    Boolean(bool),
    /// `java.lang.String`.
    Text(String),
    /// `byte[]`.
    Bytes(Vec<u8>),
    /// `java.util.List`.
    Array(Vec<Value>),
    /// `java.util.Map`, in insertion order.
    Map(Vec<(Value, Value)>),
    /// `org.apache.kafka.connect.data.Struct`.
    Struct(StructValue),
    /// `java.util.Date` without a schema, in ms since the epoch.
    DateTime(i64),
    /// `java.math.BigDecimal` without a schema.
    Decimal {
        /// Digits after the point.
        scale: i32,
        /// Unscaled value, big-endian two's complement.
        unscaled: Vec<u8>,
    },
}

impl Value {
    /// Makes a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Tells whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Gives the Java class as error texts print it: `class java.lang.String`.
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "class java.lang.Byte",
            Self::Int16(_) => "class java.lang.Short",
            Self::Int32(_) => "class java.lang.Integer",
            Self::Int64(_) => "class java.lang.Long",
            Self::Float32(_) => "class java.lang.Float",
            Self::Float64(_) => "class java.lang.Double",
            Self::Boolean(_) => "class java.lang.Boolean",
            Self::Text(_) => "class java.lang.String",
            Self::Bytes(_) => "class [B",
            Self::Array(_) => "class java.util.ArrayList",
            Self::Map(_) => "class java.util.HashMap",
            Self::Struct(_) => "class org.apache.kafka.connect.data.Struct",
            Self::DateTime(_) => "class java.util.Date",
            Self::Decimal { .. } => "class java.math.BigDecimal",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int32(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int64(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<StructValue> for Value {
    fn from(value: StructValue) -> Self {
        Self::Struct(value)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int8(a), Self::Int8(b)) => a == b,
            (Self::Int16(a), Self::Int16(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Int64(a), Self::Int64(b)) | (Self::DateTime(a), Self::DateTime(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => f32_key(*a) == f32_key(*b),
            (Self::Float64(a), Self::Float64(b)) => f64_key(*a) == f64_key(*b),
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            (Self::Decimal { scale: a, unscaled: x }, Self::Decimal { scale: b, unscaled: y }) => a == b && x == y,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Int8(value) => value.hash(state),
            Self::Int16(value) => value.hash(state),
            Self::Int32(value) => value.hash(state),
            Self::Int64(value) | Self::DateTime(value) => value.hash(state),
            Self::Float32(value) => f32_key(*value).hash(state),
            Self::Float64(value) => f64_key(*value).hash(state),
            Self::Boolean(value) => value.hash(state),
            Self::Text(text) => text.hash(state),
            Self::Bytes(bytes) => bytes.hash(state),
            Self::Array(items) => items.hash(state),
            Self::Map(pairs) => pairs.hash(state),
            Self::Struct(value) => value.hash(state),
            Self::Decimal { scale, unscaled } => (scale, unscaled).hash(state),
        }
    }
}

/// Bits with every NaN made one, as `Float.equals` compares.
fn f32_key(value: f32) -> u32 {
    if value.is_nan() {
        f32::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

fn f64_key(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

/// A struct: one value a field, in the schema's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructValue {
    /// Schema; its base is `Struct`.
    pub schema: Arc<Schema>,
    /// Values by field position; shorter than the fields only in a broken value, which validation refuses.
    pub fields: Vec<Value>,
}

impl StructValue {
    /// Starts a struct with all fields null.
    pub fn new(schema: Arc<Schema>) -> Self {
        let fields = vec![Value::Null; schema.fields.len()];
        Self { schema, fields }
    }

    /// Sets a field; its value is checked when the struct is validated or encoded.
    ///
    /// # Errors
    /// `Data` when the schema has no such field.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) -> Result<&mut Self, ConnectError> {
        let slot = self
            .schema
            .field(name)
            .and_then(|(position, _)| self.fields.get_mut(position));
        *slot.ok_or_else(|| unknown_field(name))? = value.into();
        Ok(self)
    }

    /// Gives a field's value as stored.
    ///
    /// # Errors
    /// `Data` when the schema has no such field.
    pub fn get(&self, name: &str) -> Result<&Value, ConnectError> {
        self.schema
            .field(name)
            .and_then(|(position, _)| self.fields.get(position))
            .ok_or_else(|| unknown_field(name))
    }

    /// Gives a field's value, or its schema's default when it is null.
    ///
    /// # Errors
    /// `Data` when the schema has no such field.
    pub fn get_or_default(&self, name: &str) -> Result<&Value, ConnectError> {
        let value = self.get(name)?;
        let default = self
            .schema
            .field(name)
            .and_then(|(_, field)| field.schema.default.as_ref());
        Ok(if value.is_null() {
            default.unwrap_or(value)
        } else {
            value
        })
    }
}

fn unknown_field(name: &str) -> ConnectError {
    ConnectError::data(format!("{name} is not a valid field name"))
}
