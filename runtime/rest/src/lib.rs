//! The Kafka Connect REST API over HTTP.
//!
//! Translates HTTP into herder requests and herder answers into JSON; takes no decision of its own.

pub mod server;

pub mod basic_auth;
pub mod cors;
pub mod response_headers;
pub mod rest_config;
pub mod tls;

pub mod forward;
pub mod routes;

mod incoming;
mod internal;
mod transport;

pub mod connector_plugins;
pub mod connectors;
pub mod health;
pub mod loggers;
pub mod offsets;
pub mod topics;

pub mod body;
pub mod error;
pub mod json;
pub mod model;
