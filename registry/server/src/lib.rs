//! The Schema Registry: Confluent's REST API over a compacted topic
//!
//! A Kafka client with a REST face. What a schema means is in `registry/schema`.
