//! What can be wrong with a schema text
//!
//! Split by what the registry answers: a type it does not know, a text that is no schema, a text beyond the limits.

use thiserror::Error;

/// Failure to read a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The schema language is known by name but not supported yet.
    #[error("not supported yet: schema type {0}")]
    NotSupported(&'static str),
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// The text is JSON but no schema; worded as Java's library does.
    #[error("{0}")]
    Invalid(String),
    /// The text is larger, or nested deeper, than this registry reads.
    #[error("{0}")]
    Limit(String),
}
