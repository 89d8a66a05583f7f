//! Header texts with types: `SimpleHeaderConverter`

pub mod temporal;
pub mod tokens;

pub mod parse;
pub mod text;

pub mod converter;
