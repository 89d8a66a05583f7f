//! Avro: tree, parser, printed forms, compatibility

pub mod schema;

mod attributes;
mod defaults;
mod graph;
mod names;
pub mod parse;

pub mod canonical;
pub mod normalize;

pub mod difference;

pub mod compatibility;
