//! What the data plane needs of the worker's settings.

use weir_config::map::ConfigMap;

use crate::clients::ClientLayers;
use crate::connector_config::HEADER_CONVERTER;
use crate::worker_config::{WorkerConfig, WorkerTiming};

const DEFAULT_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// Settings of [`crate::worker::Worker`].
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub timing: WorkerTiming,
    /// Converter classes and their options, under their keys in the worker file.
    pub converters: ConfigMap,
    pub clients: ClientLayers,
    pub topic_creation_enabled: bool,
}

impl WorkerSettings {
    /// Takes over what the data plane needs.
    pub fn from_config(config: &WorkerConfig) -> Self {
        let mut converters = config.originals.to_map();
        if converters.get(HEADER_CONVERTER).is_none() {
            converters.insert(HEADER_CONVERTER, DEFAULT_HEADER_CONVERTER);
        }
        Self {
            timing: config.timing,
            converters,
            clients: ClientLayers::new(
                &config.bootstrap_servers,
                config.originals.clone(),
                config.override_policy.clone(),
            ),
            topic_creation_enabled: config.topics.creation_enabled,
        }
    }
}
