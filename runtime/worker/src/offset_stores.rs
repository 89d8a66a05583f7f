//! Offset stores of source connectors: the worker's, and one for each topic that connectors keep for themselves.
//!
//! Connectors and tasks that name the same topic on the same cluster share one store, which is opened when first needed
//! and kept. Source: `Worker.offsetStoreForRegularSourceTask` and `offsetStoreForExactlyOnceSourceTask` (KIP-618).

use std::collections::HashMap;

use parking_lot::Mutex;
use weir_client::wire::WireSettings;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_stores::offsets::{ConnectorOffsets, OffsetStore};

use crate::clients::ClientLayers;
use crate::connector_config::OFFSETS_STORAGE_TOPIC;
use crate::error::WorkerError;
use crate::lifecycle::TaskId;

const BOOTSTRAP_SERVERS: &str = "bootstrap.servers";

/// Hands out offset stores.
#[derive(Debug)]
pub struct OffsetStores {
    clients: ClientLayers,
    worker: OffsetStore,
    /// By `bootstrap.servers` and topic.
    own: Mutex<HashMap<(String, String), OffsetStore>>,
}

impl OffsetStores {
    /// Starts with the worker's store alone.
    pub fn new(clients: ClientLayers, worker: OffsetStore) -> Self {
        Self {
            clients,
            worker,
            own: Mutex::default(),
        }
    }

    /// The worker's store.
    pub fn of_worker(&self) -> ConnectorOffsets {
        ConnectorOffsets::of_worker(self.worker.clone())
    }

    /// Returns the store of a connector, read to its end.
    ///
    /// The worker's topic on another cluster counts as the connector's own when exactly-once support is on: a transaction
    /// spans one cluster. A worker without an offsets topic knows no other store than its own.
    ///
    /// # Errors
    /// A setting that is refused, or a topic that cannot be created or read.
    pub async fn of(
        &self,
        name: &str,
        connector: &ConfigMap,
        exactly_once: bool,
    ) -> Result<ConnectorOffsets, WorkerError> {
        let Some(workers_topic) = self.worker.topic_name() else {
            return Ok(self.of_worker());
        };
        let own_topic = connector
            .get(OFFSETS_STORAGE_TOPIC)
            .filter(|topic| !topic.trim().is_empty());
        let any_task = TaskId {
            connector: name.to_owned(),
            task: 0,
        };
        // Where the records go is where the offsets go.
        let producer = self.clients.producer(&any_task, connector)?;
        let servers = producer.get(BOOTSTRAP_SERVERS).unwrap_or_default().to_owned();
        let mut properties = self.clients.offsets(name, connector)?;
        properties.insert(BOOTSTRAP_SERVERS, servers.as_str());
        let is_elsewhere = exactly_once && servers != self.clients.bootstrap_servers();
        let topic = own_topic.unwrap_or(workers_topic).to_owned();
        if own_topic.is_none() && !is_elsewhere || topic == workers_topic && servers == self.clients.bootstrap_servers()
        {
            return Ok(self.of_worker());
        }
        let store = self.own(servers, &topic, &properties)?;
        store.start().await?;
        Ok(ConnectorOffsets::own(store, self.worker.clone()))
    }

    fn own(&self, servers: String, topic: &str, properties: &Properties) -> Result<OffsetStore, WorkerError> {
        let mut own = self.own.lock();
        let key = (servers, topic.to_owned());
        if let Some(store) = own.get(&key) {
            return Ok(store.clone());
        }
        let wire = WireSettings::from_properties(properties)?;
        let store = self.worker.on_topic(topic, wire).unwrap_or_else(|| self.worker.clone());
        own.insert(key, store.clone());
        Ok(store)
    }
}
