//! Drafts of JSON Schema and what they call things
//!
//! A schema names its draft by the address of a meta-schema; one that names none is of draft 7.

use crate::json::tree::Json;

/// The drafts that the registry reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Draft {
    /// Draft 4.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7, also of schemas that name none.
    #[default]
    Draft7,
    /// Draft 2019-09.
    Draft2019,
    /// Draft 2020-12.
    Draft2020,
}

impl Draft {
    /// Returns the draft that a schema names.
    pub fn of(schema: &Json) -> Option<Self> {
        Self::parse(schema.get("$schema")?.as_str()?)
    }

    /// Returns the draft of a meta-schema's address.
    pub fn parse(address: &str) -> Option<Self> {
        let address = address.strip_suffix('#').unwrap_or(address);
        let path = address
            .strip_prefix("http://json-schema.org/")
            .or_else(|| address.strip_prefix("https://json-schema.org/"))?;
        match path {
            "schema" | "draft-04/schema" => Some(Draft::Draft4),
            "draft-06/schema" => Some(Draft::Draft6),
            "draft-07/schema" => Some(Draft::Draft7),
            "draft/2019-09/schema" => Some(Draft::Draft2019),
            "draft/2020-12/schema" => Some(Draft::Draft2020),
            _ => None,
        }
    }

    /// Returns the keyword that names a schema.
    pub(super) fn id_keyword(self) -> &'static str {
        if self == Draft::Draft4 { "id" } else { "$id" }
    }

    /// Whether it is 2019-09 or later.
    pub(super) fn is_modern(self) -> bool {
        self >= Draft::Draft2019
    }
}
