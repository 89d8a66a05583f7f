//! Header texts with types: `SimpleHeaderConverter`

pub mod text;

pub mod converter;
