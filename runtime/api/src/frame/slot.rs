//! A value inside a frame: schema id and bytes, both borrowed

use crate::data::schemas::SchemaId;

/// A key, value or header value in value encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot<'a> {
    /// Schema.
    pub schema: SchemaId,
    /// Value encoding; `None` is null.
    pub bytes: Option<&'a [u8]>,
}

impl<'a> Slot<'a> {
    /// Null without schema.
    pub const NULL: Slot<'static> = Slot {
        schema: SchemaId::NONE,
        bytes: None,
    };

    /// A value of a schema.
    pub fn new(schema: SchemaId, bytes: Option<&'a [u8]>) -> Self {
        Self { schema, bytes }
    }

    /// A text of the required STRING schema.
    pub fn text(text: &'a str) -> Self {
        Self {
            schema: SchemaId::TEXT,
            bytes: Some(text.as_bytes()),
        }
    }

    /// Bytes of the required BYTES schema.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self {
            schema: SchemaId::BYTES,
            bytes: Some(bytes),
        }
    }
}

impl Default for Slot<'_> {
    fn default() -> Self {
        Slot::NULL
    }
}
