//! The Schema Registry as its clients see it: `weir schema-registry` over `weir broker`.
//!
//! Every endpoint, every error code with status and body, pages and formats, scopes of config and mode, deletes, references,
//! contexts, identity, content negotiation; then what must survive: concurrency, `kill -9`, 50,000 schemas, records in Confluent's
//! own bytes.

mod cluster;

mod deletes;
mod endpoints;
mod errors;
mod identity;
mod languages;
mod metadata;
mod modes;
mod reading;
mod scopes;
mod subjects;

mod records;
mod survival;
