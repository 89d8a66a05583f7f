//! Kafka clients of the runtime.
//!
//! Records travel through librdkafka (`producer`, `consumer`) behind one reviewed unsafe module (`native`). Internal topics and
//! administration use the raw protocol (`wire`, `admin`, `compacted_log`): no threads of their own, and ready in a few round trips.
//! Java client settings are translated by `client_config`.

pub mod error;
pub mod fenced_writer;
pub mod fencing;
pub mod topic_partition;

pub mod client_config;
pub mod security;

mod native;

pub mod consumer;
pub mod producer;

pub mod admin;
pub mod cluster;
pub mod compacted_log;
pub mod group_member;
pub mod groups;
pub mod partitioner;
pub mod wire;

mod scram;
mod transport;
