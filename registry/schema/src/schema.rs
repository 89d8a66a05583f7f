//! A schema of any language: type, references, parse, printed forms
//!
//! The face of the crate for the registry server and the converters: callers need not know the languages.

use std::fmt;

use crate::avro::parse::{MAX_TEXT_BYTES, MAX_TOTAL_BYTES, ParseAvro};
use crate::avro::schema::{AvroSchema, Kind};
use crate::avro::{canonical, normalize, parse};
use crate::error::SchemaError;
use crate::json::schema::JsonSchema;
use crate::protobuf::compile;
use crate::protobuf::schema::ProtobufSchema;

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
    /// Name by which the text uses it: the full name of an Avro type, the address of a JSON Schema, the path of an import.
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
    /// Check what the registry checks of new schemas only: that Avro's defaults fit their types, and that the types of
    /// Protobuf's fields are declared.
    pub validate: bool,
}

/// A schema that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ParsedSchema {
    /// An Avro schema.
    Avro(AvroSchema),
    /// A JSON Schema.
    Json(JsonSchema),
    /// A Protobuf file.
    Protobuf(ProtobufSchema),
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
    /// *Errors*: what is wrong with the text.
    pub fn parse(
        schema_type: SchemaType,
        text: &str,
        references: &[ResolvedReference],
        options: ParseOptions,
    ) -> Result<Self, SchemaError> {
        let total = references.iter().map(|resolved| resolved.schema.len()).sum::<usize>();
        if text.len() > MAX_TEXT_BYTES || total.saturating_add(text.len()) > MAX_TOTAL_BYTES {
            return Err(SchemaError::Limit(format!(
                "Schema is longer than {MAX_TEXT_BYTES} bytes, or {MAX_TOTAL_BYTES} with its references"
            )));
        }
        match schema_type {
            SchemaType::Avro => {
                let named: Vec<&str> = references.iter().map(|resolved| resolved.schema.as_str()).collect();
                let checks = ParseAvro {
                    validate: options.validate,
                };
                Ok(ParsedSchema::Avro(parse::parse(text, &named, checks)?))
            }
            SchemaType::Json => Ok(ParsedSchema::Json(JsonSchema::parse(text, references)?)),
            SchemaType::Protobuf => {
                let schema = ProtobufSchema::parse(text, references, options.validate)?;
                Ok(ParsedSchema::Protobuf(schema))
            }
        }
    }

    /// Returns the language.
    pub fn schema_type(&self) -> SchemaType {
        match self {
            ParsedSchema::Avro(_) => SchemaType::Avro,
            ParsedSchema::Json(_) => SchemaType::Json,
            ParsedSchema::Protobuf(_) => SchemaType::Protobuf,
        }
    }

    /// Returns the text that is stored, hashed and handed out; references stay names.
    pub fn canonical_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => canonical::canonical_text(schema),
            ParsedSchema::Json(schema) => schema.canonical_text(),
            ParsedSchema::Protobuf(schema) => schema.canonical_text(),
        }
    }

    /// Returns the text of `normalize=true`: what may be ordered is. A Protobuf file with types that are not declared
    /// anywhere, which only one that was read without validation can have, stays as it is.
    pub fn normalized_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => normalize::normalized_text(schema),
            ParsedSchema::Json(schema) => schema.normalized_text(),
            ParsedSchema::Protobuf(schema) => schema.normalized_text().unwrap_or_else(|_| schema.canonical_text()),
        }
    }

    /// Returns the canonical text with references written in full, where the language has such a form.
    pub fn resolved_text(&self) -> String {
        match self {
            ParsedSchema::Avro(schema) => canonical::resolved_text(schema),
            _ => self.canonical_text(),
        }
    }

    /// Returns the text of a `format`; the canonical one for a format that the language does not have.
    ///
    /// *Errors*: a Protobuf schema that the compiler refuses has no descriptor.
    pub fn formatted_text(&self, format: &str) -> Result<String, SchemaError> {
        match (self, format.to_ascii_lowercase().as_str()) {
            (ParsedSchema::Avro(_), "resolved") => Ok(self.resolved_text()),
            (ParsedSchema::Protobuf(schema), "serialized") => compile::serialized(schema),
            (ParsedSchema::Protobuf(schema), "ignore_extensions") => Ok(schema.text_without_extensions()),
            _ => Ok(self.canonical_text()),
        }
    }

    /// Returns the name of what the schema describes: a record's full name, a title, the first message.
    pub fn name(&self) -> Option<String> {
        match self {
            ParsedSchema::Avro(schema) => match &schema.root_node().kind {
                Kind::Record(record) => Some(record.name.full()),
                _ => None,
            },
            ParsedSchema::Json(schema) => schema.name(),
            ParsedSchema::Protobuf(schema) => schema.name(),
        }
    }

    /// Returns the names of the fields at the top.
    pub fn top_level_fields(&self) -> Vec<&str> {
        match self {
            ParsedSchema::Avro(schema) => match &schema.root_node().kind {
                Kind::Record(record) => record.fields.iter().map(|field| field.name.as_str()).collect(),
                _ => Vec::new(),
            },
            ParsedSchema::Json(schema) => schema.top_level_fields(),
            ParsedSchema::Protobuf(schema) => schema.top_level_fields(),
        }
    }
}
