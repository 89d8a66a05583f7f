//! Console commands: what a person asks of a running system
//!
//! Library functions that write to a given output; the command line parses arguments and calls them.

pub mod error;

pub mod decode;
pub mod record_text;
pub mod schema;
pub mod schema_diff;
pub mod tail;
