//! What can be wrong with a record of a coordinator's topic
//!
//! A reader skips the record in every case and says so: one bad record must not keep the others
//! of a partition from loading.

use thiserror::Error;

/// Failure to read a coordinator record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CoordinatorError {
    /// The record ends early or a length in it is impossible.
    #[error("malformed {what}")]
    Malformed {
        /// Key or value concerned.
        what: &'static str,
    },
    /// The value is of a version this coordinator does not know.
    #[error("{what} has version {version}, which is not supported")]
    UnsupportedVersion {
        /// Key or value concerned.
        what: &'static str,
        /// Version found.
        version: i16,
    },
}

impl CoordinatorError {
    /// Returns whether reading the same bytes again could succeed.
    pub fn is_retriable(&self) -> bool {
        false
    }
}
