//! Config definitions, properties files and Kafka's validation
//!
//! Pure: no I/O, no clock, no threads; builds for the host and for `wasm32-wasip2`. Every option of every role and
//! connector is a row of a [`def::ConfigDef`]; parsing, validation answers and docs all come from it.

pub mod error;
pub mod number_text;
pub mod secret;

pub mod map;
pub mod properties;

pub mod check;
pub mod def;
pub mod parse;
pub mod validate;

pub mod docs;
pub mod suggest;
