//! Between WIT types and the SDK's
//!
//! What the exports need; what only imports need is in `host/guest.rs`.

use weir_api::error::{ConnectError, ErrorKind};
use weir_config::map::ConfigMap;

use crate::bindings::imports::weir::connect::types;
use crate::sink::{TopicOffset, TopicPartition};

pub(crate) fn config(entries: types::Config) -> ConfigMap {
    entries.into_iter().collect()
}

pub(crate) fn wit_config(config: &ConfigMap) -> types::Config {
    config
        .iter()
        .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
        .collect()
}

pub(crate) fn plugin_error(error: ConnectError) -> types::PluginError {
    types::PluginError {
        kind: match error.kind {
            ErrorKind::Retriable => types::ErrorKind::Retriable,
            ErrorKind::Fatal => types::ErrorKind::Fatal,
            ErrorKind::Config => types::ErrorKind::Config,
            ErrorKind::Data => types::ErrorKind::Data,
            ErrorKind::Stopped => types::ErrorKind::Stopped,
        },
        message: error.message,
        class_name: error.class_name,
        causes: error.causes,
        trace: error.trace,
        retry_after_ms: error.retry_after_ms,
    }
}

// Kafka's partitions are non-negative 32-bit integers on both sides; a value out of range cannot come from either.
pub(crate) fn topic_partition(from: types::TopicPartition) -> TopicPartition {
    TopicPartition {
        topic: from.topic,
        partition: i32::try_from(from.partition).unwrap_or(i32::MAX),
    }
}

pub(crate) fn topic_offset(from: types::TopicOffset) -> TopicOffset {
    TopicOffset {
        topic: from.topic,
        partition: i32::try_from(from.partition).unwrap_or(i32::MAX),
        offset: from.offset,
    }
}

pub(crate) fn wit_topic_offset(from: TopicOffset) -> types::TopicOffset {
    types::TopicOffset {
        topic: from.topic,
        partition: u32::try_from(from.partition).unwrap_or(u32::MAX),
        offset: from.offset,
    }
}
