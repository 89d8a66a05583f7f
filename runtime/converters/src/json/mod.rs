//! JSON with and without schemas: `JsonConverter`

pub mod base64;
pub mod scanner;
pub mod tape;
mod unescape;
pub mod write;

pub mod plan;
pub mod schema_text;

pub mod envelope;

pub mod decode;
pub mod schema_read;

pub mod converter;
