//! Protobuf: tree, reader, printed forms, compatibility, descriptors
//!
//! The tree of the text is our own, since the canonical text keeps what descriptors drop; descriptors are the compiler's.

pub mod tree;

mod options;
pub mod parse;
mod reader;

mod known;
mod names;

mod print;
mod print_options;

mod descriptor;

pub mod schema;

pub mod compile;

pub mod difference;

pub mod compatibility;
mod kinds;
