//! FileStream: lines of a file into a topic, values of topics into a file
//!
//! Kafka's `org.apache.kafka.connect.file` connectors, same classes, keys and behaviour; `tests/java/observed.txt`
//! holds what Apache's do, and `tests/observed.rs` lists where this one differs on purpose.

pub mod plugin;

pub mod filestream_config;
pub mod parse;

pub mod sink;
pub mod source;
