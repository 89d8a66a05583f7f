//! Avro: tree, parser, printed forms, compatibility

pub mod schema;

pub mod parse;

pub mod canonical;
pub mod normalize;
