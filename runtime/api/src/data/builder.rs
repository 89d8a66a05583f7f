//! Building schemas
//!
//! Kafka: `SchemaBuilder`. `SchemaBuilder::structure().name("N").field("a", int32())…build()`; mistakes are collected
//! and given by `build`, so that calls chain.

use std::sync::Arc;

use crate::data::schema::{Field, Schema, SchemaType};
use crate::data::validate::validate_schema;
use crate::data::value::Value;
use crate::error::ConnectError;

/// Builds one schema.
#[derive(Debug, Clone)]
pub struct SchemaBuilder {
    schema: Schema,
}

impl SchemaBuilder {
    /// Starts a schema of a type.
    pub fn new(base: SchemaType) -> Self {
        Self {
            schema: Schema::plain(base),
        }
    }

    /// Starts a struct.
    pub fn structure() -> Self {
        Self::new(SchemaType::Struct)
    }

    /// Starts an array of elements.
    pub fn array(element: impl Into<Arc<Schema>>) -> Self {
        Self {
            schema: Schema {
                value: Some(element.into()),
                ..Schema::plain(SchemaType::Array)
            },
        }
    }

    /// Starts a map.
    pub fn map(key: impl Into<Arc<Schema>>, value: impl Into<Arc<Schema>>) -> Self {
        Self {
            schema: Schema {
                key: Some(key.into()),
                value: Some(value.into()),
                ..Schema::plain(SchemaType::Map)
            },
        }
    }

    /// Allows null.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.schema.optional = true;
        self
    }

    /// Sets what stands for a missing value.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.schema.default = Some(value.into());
        self
    }

    /// Sets the name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.schema.name = Some(name.to_owned());
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        self.schema.version = Some(version);
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.schema.doc = Some(doc.to_owned());
        self
    }

    /// Sets a parameter; the last of equal names wins.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        match self.schema.parameters.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => value.clone_into(&mut entry.1),
            None => self.schema.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds a field to a struct.
    #[must_use]
    pub fn field(mut self, name: &str, schema: impl Into<Arc<Schema>>) -> Self {
        self.schema.fields.push(Field {
            name: name.to_owned(),
            schema: schema.into(),
        });
        self
    }

    /// Gives the schema.
    ///
    /// # Errors
    /// `Fatal`: repeated fields, fields on another type, a default that does not fit, too deep or too wide.
    pub fn build(self) -> Result<Arc<Schema>, ConnectError> {
        validate_schema(&self.schema)?;
        Ok(Arc::new(self.schema))
    }
}

/// Functions that give bare schemas.
macro_rules! plain_schemas {
    ($($name:ident $optional:ident $base:ident $title:literal;)+) => {$(
        #[doc = concat!("Gives a required ", $title, " schema.")]
        pub fn $name() -> Arc<Schema> {
            Arc::new(Schema::plain(SchemaType::$base))
        }

        #[doc = concat!("Gives an optional ", $title, " schema.")]
        pub fn $optional() -> Arc<Schema> {
            Arc::new(Schema::plain_optional(SchemaType::$base))
        }
    )+};
}

plain_schemas! {
    int8 optional_int8 Int8 "INT8";
    int16 optional_int16 Int16 "INT16";
    int32 optional_int32 Int32 "INT32";
    int64 optional_int64 Int64 "INT64";
    float32 optional_float32 Float32 "FLOAT32";
    float64 optional_float64 Float64 "FLOAT64";
    boolean optional_boolean Boolean "BOOLEAN";
    text optional_text Text "STRING";
    bytes optional_bytes Bytes "BYTES";
}
