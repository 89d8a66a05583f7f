//! Avro with a schema registry: `AvroConverter`

pub mod config;
pub mod names;

pub mod binary;
pub mod budget;
pub mod shapes;

pub mod default_value;

pub mod connect_to_avro;

pub mod avro_to_connect;

pub mod anything;
pub mod decode_plan;

pub mod json_default;

mod encode;
pub mod encode_plan;

pub mod converter;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;
