//! Schemas as the registry knows them, pure
//!
//! Parsing, canonical form, references and compatibility of each schema language; no I/O. The server and the
//! converters share it, so each language is parsed by one piece of code.

pub mod error;
pub mod level;

mod json_text;

pub mod avro;
pub mod json;
pub mod protobuf;

pub mod schema;

pub mod compatibility;
