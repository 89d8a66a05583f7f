//! Connector configs, source offsets and statuses
//!
//! Byte-compatible with Apache Kafka Connect 4.3: its three internal topics, its standalone offset file, and a memory form of each.
//! Records are pure (`records`, `state`, `table`); the stores around them do the reading and writing.

pub mod error;
pub mod internal_topic;
pub mod java_order;
pub mod json;

pub mod configs;
pub mod offsets;
pub mod status;
