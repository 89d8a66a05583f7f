//! What can be wrong with a schema text
//!
//! Split by what the registry answers: a text that is no JSON, one that is no schema, one beyond the limits.

use thiserror::Error;

/// Failure to read a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// The text can be read but is no schema; worded as Java's libraries do.
    #[error("{0}")]
    Invalid(String),
    /// The text is larger, or nested deeper, than this registry reads.
    #[error("{0}")]
    Limit(String),
}
