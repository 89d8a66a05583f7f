//! The built-in single message transforms and predicates, and the chain that a connector makes of them
//!
//! Pure: no I/O and no clock; builds on the data model alone. What a failing record means for the task is the worker's business.

pub mod error;

pub mod rows;

mod transformation;

mod layout;
mod plans;

pub mod java_regex;

mod predicates;

mod field_path;
mod scalar;
mod simple_date_format;

mod cast;
mod drop_headers;
mod extract_field;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod mask_field;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

pub mod catalogue;
pub mod chain;
