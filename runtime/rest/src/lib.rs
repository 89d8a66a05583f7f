//! The Kafka Connect REST API over HTTP.
//!
//! Translates HTTP into herder requests and herder answers into JSON; takes no decision of its own.

pub mod error;
pub mod body;
pub mod model;
pub mod rest_config;
pub mod health;
pub mod connectors;
pub mod connector_plugins;
pub mod server;
