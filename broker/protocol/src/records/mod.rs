//! Record batches, format v2
//!
//! Our own reader and writer of Kafka's batch format: the broker patches and
//! checks batches in place and never builds records from them.

pub mod batch;
pub mod builder;
pub mod compression;
pub mod control;
pub mod record;
pub mod validate;
