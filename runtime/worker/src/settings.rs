//! What the data plane needs of the worker's settings.

use std::sync::Arc;
use std::time::Duration;

use weir_config::map::ConfigMap;
use weir_metrics::registry::MetricRegistry;
use weir_secrets::error::SecretsError;
use weir_secrets::providers::Providers;

use crate::clients::ClientLayers;
use crate::connector_config::HEADER_CONVERTER;
use crate::restart::RestartSettings;
use crate::worker_config::{ExactlyOnceSource, WorkerConfig, WorkerMode, WorkerTiming};

const DEFAULT_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// Settings of [`crate::worker::Worker`].
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    pub timing: WorkerTiming,
    /// Converter classes and their options, under their keys in the worker file.
    pub converters: ConfigMap,
    pub clients: ClientLayers,
    pub topic_creation_enabled: bool,
    pub topic_tracking_enabled: bool,
    pub restart: RestartSettings,
    /// Time after which a task that does not move counts as standing still; zero for never.
    pub stall_timeout: Duration,
    /// What fills in the variables of connector and task configs.
    pub providers: Arc<Providers>,
    /// `group.id`, when source connectors get exactly-once support.
    pub exactly_once_group: Option<String>,
    /// Where connectors and tasks show what they measure.
    pub metrics: MetricRegistry,
}

impl WorkerSettings {
    /// Takes over what the data plane needs.
    ///
    /// # Errors
    /// A config provider that cannot be set up.
    pub fn from_config(config: &WorkerConfig) -> Result<Self, SecretsError> {
        let mut converters = config.originals.to_map();
        if converters.get(HEADER_CONVERTER).is_none() {
            converters.insert(HEADER_CONVERTER, DEFAULT_HEADER_CONVERTER);
        }
        Ok(Self {
            timing: config.timing,
            converters,
            clients: ClientLayers::new(
                &config.bootstrap_servers,
                config.originals.clone(),
                config.override_policy.clone(),
            ),
            topic_creation_enabled: config.topics.creation_enabled,
            topic_tracking_enabled: config.topics.tracking_enabled,
            restart: config.restart,
            stall_timeout: config.stall_timeout,
            metrics: MetricRegistry::default(),
            providers: Arc::new(Providers::from_properties(&config.originals)?),
            exactly_once_group: match &config.mode {
                WorkerMode::Distributed(settings) if settings.exactly_once == ExactlyOnceSource::Enabled => {
                    Some(settings.group_id.clone())
                }
                WorkerMode::Distributed(_) | WorkerMode::Standalone { .. } => None,
            },
        })
    }
}
