//! Plain values between `wit/` and the crate's own types
//!
//! One function each way and type; no decisions. Schemas are in `schema_def.rs`, descriptions in `descriptor.rs`, record
//! frames cross as bytes and are read by `weir_api::frame`.

use weir_api::error::{ConnectError, ErrorKind};
use weir_config::map::ConfigMap;

use crate::bindings::weir::connect::types::{self as wit, PluginError};
use crate::host::state::HostState;
use crate::sink_requests::{TopicOffset, TopicPartition};

/// The interface holds types only.
impl wit::Host for HostState {}

/// Settings as they cross.
pub(crate) type WitConfig = Vec<(String, Option<String>)>;

pub(crate) fn config_to_wit(config: &ConfigMap) -> WitConfig {
    config
        .iter()
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
        .collect()
}

pub(crate) fn config_from_wit(config: WitConfig) -> ConfigMap {
    config.into_iter().collect()
}

pub(crate) fn error_from_wit(error: PluginError) -> ConnectError {
    ConnectError {
        kind: match error.kind {
            wit::ErrorKind::Retriable => ErrorKind::Retriable,
            wit::ErrorKind::Fatal => ErrorKind::Fatal,
            wit::ErrorKind::Config => ErrorKind::Config,
            wit::ErrorKind::Data => ErrorKind::Data,
            wit::ErrorKind::Stopped => ErrorKind::Stopped,
        },
        message: error.message,
        class_name: error.class_name,
        causes: error.causes,
        trace: error.trace,
        retry_after_ms: error.retry_after_ms,
    }
}

pub(crate) fn error_to_wit(error: ConnectError) -> PluginError {
    PluginError {
        kind: match error.kind {
            ErrorKind::Retriable => wit::ErrorKind::Retriable,
            ErrorKind::Fatal => wit::ErrorKind::Fatal,
            ErrorKind::Config => wit::ErrorKind::Config,
            ErrorKind::Data => wit::ErrorKind::Data,
            ErrorKind::Stopped => wit::ErrorKind::Stopped,
        },
        message: error.message,
        class_name: error.class_name,
        causes: error.causes,
        trace: error.trace,
        retry_after_ms: error.retry_after_ms,
    }
}

/// Kafka's partitions are signed but never negative; a negative one cannot be named to a guest and is left out.
pub(crate) fn partitions_to_wit(partitions: &[TopicPartition]) -> Vec<wit::TopicPartition> {
    let to_wit = |p: &TopicPartition| {
        Some(wit::TopicPartition {
            topic: p.topic.clone(),
            partition: u32::try_from(p.partition).ok()?,
        })
    };
    partitions.iter().filter_map(to_wit).collect()
}

/// A partition above Kafka's range names nothing and is left out.
pub(crate) fn partitions_from_wit(partitions: Vec<wit::TopicPartition>) -> Vec<TopicPartition> {
    let from_wit = |p: wit::TopicPartition| {
        Some(TopicPartition {
            partition: i32::try_from(p.partition).ok()?,
            topic: p.topic,
        })
    };
    partitions.into_iter().filter_map(from_wit).collect()
}

pub(crate) fn offsets_to_wit(offsets: &[TopicOffset]) -> Vec<wit::TopicOffset> {
    let to_wit = |o: &TopicOffset| {
        Some(wit::TopicOffset {
            topic: o.topic.clone(),
            partition: u32::try_from(o.partition).ok()?,
            offset: o.offset,
        })
    };
    offsets.iter().filter_map(to_wit).collect()
}

pub(crate) fn offsets_from_wit(offsets: Vec<wit::TopicOffset>) -> Vec<TopicOffset> {
    let from_wit = |o: wit::TopicOffset| {
        Some(TopicOffset {
            partition: i32::try_from(o.partition).ok()?,
            topic: o.topic,
            offset: o.offset,
        })
    };
    offsets.into_iter().filter_map(from_wit).collect()
}
