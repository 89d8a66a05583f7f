//! Normalized text: attributes in one fixed order

use crate::avro::schema::AvroSchema;

/// Returns the normalized text.
pub fn normalized_text(schema: &AvroSchema) -> String {
    format!("{:?}", schema.root)
}
