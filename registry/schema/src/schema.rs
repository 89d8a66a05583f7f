//! A schema of any language: type, references, parse, printed forms
//!
//! The face of the crate for the registry server and the converters. JSON Schema and Protobuf are names only so far.

use std::fmt;

use crate::avro::parse::ParseAvro;
use crate::avro::schema::{AvroSchema, Kind};
use crate::avro::{canonical, normalize, parse};
use crate::error::SchemaError;

/// Schema languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SchemaType {
    /// `AVRO`, also what a request without type means.
    #[default]
    Avro,
    /// `JSON`
    Json,
    /// `PROTOBUF`
    Protobuf,
}

/// A use of another registered schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// Name by which the text uses it; for Avro the full name of the type.
    pub name: String,
    /// Subject that holds it.
    pub subject: String,
    /// Version under that subject; -1 for the newest.
    pub version: i32,
}

/// A reference and the text it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedReference {
    /// The reference.
    pub reference: Reference,
    /// Text of the schema it names.
    pub schema: String,
}

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ParseOptions {
    /// Check that defaults fit their types, as the registry does for new schemas; stored ones are read without.
    pub validate: bool,
}

/// A schema that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ParsedSchema {
    /// An Avro schema.
    Avro(AvroSchema),
}

impl SchemaType {
    /// Returns the type of a name as requests spell it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "AVRO" => Some(SchemaType::Avro),
            "JSON" => Some(SchemaType::Json),
            "PROTOBUF" => Some(SchemaType::Protobuf),
            _ => None,
        }
    }

    /// Returns the name in requests, answers and records.
    pub fn as_str(self) -> &'static str {
        match self {
            SchemaType::Avro => "AVRO",
            SchemaType::Json => "JSON",
            SchemaType::Protobuf => "PROTOBUF",
        }
    }
}

impl fmt::Display for SchemaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ParsedSchema {
    /// Reads a schema; `references` holds everything it uses, directly or not, dependencies first.
    ///
    /// *Errors*: [`SchemaError::NotSupported`] for JSON and PROTOBUF; otherwise what is wrong with the text.
    pub fn parse(
        schema_type: SchemaType,
        text: &str,
        references: &[ResolvedReference],
        options: ParseOptions,
    ) -> Result<Self, SchemaError> {
        match schema_type {
            SchemaType::Avro => {
                let named: Vec<&str> = references.iter().map(|resolved| resolved.schema.as_str()).collect();
                let checks = ParseAvro {
                    validate: options.validate,
                };
                Ok(ParsedSchema::Avro(parse::parse(text, &named, checks)?))
            }
            SchemaType::Json | SchemaType::Protobuf => Err(SchemaError::NotSupported(schema_type.as_str())),
        }
    }

    /// Returns the language.
    pub fn schema_type(&self) -> SchemaType {
        match self {
            ParsedSchema::Avro(_) => SchemaType::Avro,
        }
    }

    /// Returns the text that is stored, hashed and handed out: Java's `Schema.toString()`, references by name.
    pub fn canonical_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => canonical::canonical_text(schema),
        }
    }

    /// Returns the text of `normalize=true`: attributes in a fixed order.
    pub fn normalized_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => normalize::normalized_text(schema),
        }
    }

    /// Returns the text of `format=resolved`: the canonical text with references written in full.
    pub fn resolved_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => canonical::resolved_text(schema),
        }
    }

    /// Returns the full name of a record.
    pub fn name(&self) -> Option<String> {
        match self {
            ParsedSchema::Avro(schema) => match &schema.root_node().kind {
                Kind::Record(record) => Some(record.name.full()),
                _ => None,
            },
        }
    }
}
