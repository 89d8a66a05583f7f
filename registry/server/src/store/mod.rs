//! What is kept: the topic `_schemas` and the state that it tells
//!
//! Records are bytes and their meaning; the cache is what all records together say; the topic reads and writes them.

pub(crate) mod fingerprint;
pub(crate) mod records;

pub(crate) mod cache;
pub(crate) mod topic;
