//! Confluent's REST API: paths, forms and codes, no decisions
//!
//! `route` knows the paths; one file a resource asks the registry and forms the answer.

pub(crate) mod error;
pub(crate) mod model;
pub(crate) mod negotiation;

pub(crate) mod call;

mod compatibility;
mod config;
mod contexts;
mod metadata;
mod mode;
mod schemas;
mod subjects;
mod tags;

pub(crate) mod route;
