//! Converters between frames and the bytes Kafka stores
//!
//! Each implements `weir_api::converter::Converter`; `native.rs` finds them by class name or alias. They walk value
//! encodings borrowed and write into the caller's buffer. Bytes from outside never panic here.

pub mod native;

pub mod registry_client;
pub mod registry_http;
pub mod registry_settings;
pub mod subject_name;
pub mod wire_format;

pub mod avro;
pub mod byte_array;
pub mod json;
pub mod primitive;
pub mod simple_header;
pub mod string;
