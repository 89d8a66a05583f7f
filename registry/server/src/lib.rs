//! The Schema Registry: Confluent's REST API over a compacted topic
//!
//! A Kafka client with a REST face. What a schema means is in `registry/schema`. Read downward: `server` → `rest` → `registry` (what is
//! decided) → `store` (what is kept).

pub mod error;
pub mod registry_config;
pub mod registry_metrics;
pub mod server;

mod md5;
mod model;
mod refusal;
mod registry;
mod registry_keys;
mod rest;
mod store;
mod subject;
