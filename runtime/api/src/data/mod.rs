//! Schemas and values of Kafka Connect

pub mod schema;
pub mod value;

pub mod builder;
pub mod schemas;
pub mod validate;

pub mod datetime;
pub mod decimal;
pub mod java_utf8;
pub mod literal;
pub mod logical;
pub mod temporal;
pub mod text;

mod literal_tokens;
