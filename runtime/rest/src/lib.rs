//! The Kafka Connect REST API over HTTP.
//!
//! Translates HTTP into herder requests and herder answers into JSON; takes no decision of its own.

pub mod body;
pub mod connector_plugins;
pub mod connectors;
pub mod error;
pub mod health;
pub mod model;
pub mod rest_config;
pub mod server;
