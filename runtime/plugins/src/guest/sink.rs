//! Sink connectors and sink tasks
//!
//! One value is one instance in its own store; calls never overlap because each takes `&mut self`. What the guest asked of
//! its consumer during a call is in the task's `SinkContextHandle` afterwards.

use std::time::Duration;

use weir_api::data::schemas::SchemaTable;
use weir_config::map::ConfigMap;

use crate::bindings::weir::connect::types::PluginError;
use crate::context::InstanceContext;
use crate::error::GuestError;
use crate::guest::create::Purpose;
use crate::guest::source::{Started, call, missing};
use crate::host::metrics::SharedMetrics;
use crate::instance::Instance;
use crate::marshal;
use crate::plugins::{ConnectorPlugin, Plugins};
use crate::sink_requests::{TopicOffset, TopicPartition};

/// One sink connector.
pub struct SinkConnectorInstance {
    instance: Instance,
    class: String,
}

impl SinkConnectorInstance {
    /// Creates an instance that is not started.
    pub async fn create(
        plugins: &Plugins,
        plugin: &ConnectorPlugin,
        context: InstanceContext,
    ) -> Result<Self, GuestError> {
        let instance = plugins.instantiate(plugin, context, Purpose::Connector).await?;
        Ok(Self {
            instance,
            class: plugin.class.clone(),
        })
    }

    /// Series that the guest keeps; none once the instance is gone.
    pub fn metrics(&self) -> Option<SharedMetrics> {
        self.instance.data().map(|state| state.metrics.clone())
    }

    /// Starts the connector.
    pub async fn start(&mut self, config: &ConfigMap) -> Result<Started, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        let started = call!(
            self.instance,
            sink_connector,
            "sink-connector",
            finish_fallible,
            |guest, store| guest.call_start(store, class, &config)
        )?;
        Ok(Started {
            monitor_every_ms: started.monitor_every_ms,
        })
    }

    /// Computes the settings of at most `max_tasks` tasks.
    pub async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, GuestError> {
        let configs = call!(
            self.instance,
            sink_connector,
            "sink-connector",
            finish_fallible,
            |guest, store| guest.call_task_configs(store, max_tasks)
        )?;
        let secrets = self.instance.secrets();
        configs
            .into_iter()
            .map(|config| secrets.reveal(marshal::config_from_wit(config)))
            .collect()
    }

    /// Asks whether the set of tasks must be computed again.
    pub async fn monitor(&mut self) -> Result<bool, GuestError> {
        call!(
            self.instance,
            sink_connector,
            "sink-connector",
            finish_fallible,
            |guest, store| guest.call_monitor(store)
        )
    }

    /// Stops the connector.
    pub async fn stop(&mut self) -> Result<(), GuestError> {
        call!(
            self.instance,
            sink_connector,
            "sink-connector",
            finish_fallible,
            |guest, store| guest.call_stop(store)
        )
    }

    /// Lets the connector check or apply changed offsets; only on an instance that was never started.
    pub async fn alter_offsets(
        &mut self,
        config: &ConfigMap,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<bool, GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        let offsets: Vec<_> = offsets
            .iter()
            .filter_map(|(partition, offset)| {
                let partition = marshal::partitions_to_wit(std::slice::from_ref(partition)).pop()?;
                Some((partition, *offset))
            })
            .collect();
        call!(
            self.instance,
            sink_connector,
            "sink-connector",
            finish_fallible,
            |guest, store| guest.call_alter_offsets(store, class, &config, &offsets)
        )
    }

    /// True where the instance can never be called again.
    pub fn is_poisoned(&self) -> bool {
        self.instance.is_poisoned()
    }
}

/// One sink task.
pub struct SinkTaskInstance {
    instance: Instance,
    class: String,
    /// Stands in for the table of an instance that is gone, so that callers need no second path.
    no_schemas: SchemaTable,
}

impl SinkTaskInstance {
    /// Creates an instance that is not started.
    pub async fn create(
        plugins: &Plugins,
        plugin: &ConnectorPlugin,
        context: InstanceContext,
    ) -> Result<Self, GuestError> {
        let instance = plugins.instantiate(plugin, context, Purpose::Task).await?;
        Ok(Self {
            instance,
            class: plugin.class.clone(),
            no_schemas: SchemaTable::new(),
        })
    }

    /// Starts the task.
    pub async fn start(&mut self, config: &ConfigMap) -> Result<(), GuestError> {
        let (class, config) = (&self.class, self.instance.seen(config));
        call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_start(store, class, &config)
        )
    }

    /// Hands partitions to the task.
    pub async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), GuestError> {
        let partitions = marshal::partitions_to_wit(partitions);
        call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_open(store, &partitions)
        )
    }

    /// Gives a frame to the task; after a retriable error the same bytes are given again.
    pub async fn put(&mut self, batch: &[u8]) -> Result<(), GuestError> {
        let (live, mut guard) = self.instance.begin()?;
        let store = &mut live.store;
        // The generated call wants a `&Vec<u8>`, for which a borrowed frame would have to be copied.
        let typed = live
            .exports
            .sink_put
            .map(|put| put.typed::<(&[u8],), (Result<(), PluginError>,)>(&*store));
        let outcome = match typed {
            Some(Ok(put)) => guard.run(put.call_async(store, (batch,))).await.map(|(answer,)| answer),
            Some(Err(error)) => Err(error),
            None => {
                let cpu = guard.cpu;
                self.instance.finish(Ok(()), cpu)?;
                return Err(missing("sink-task"));
            }
        };
        let cpu = guard.cpu;
        self.instance.finish_fallible(outcome, cpu)
    }

    /// Makes everything that was put durable.
    pub async fn flush(&mut self, current: &[TopicOffset]) -> Result<(), GuestError> {
        let current = marshal::offsets_to_wit(current);
        call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_flush(store, &current)
        )
    }

    /// Asks which offsets may be committed; empty = none.
    pub async fn pre_commit(&mut self, current: &[TopicOffset]) -> Result<Vec<TopicOffset>, GuestError> {
        let current = marshal::offsets_to_wit(current);
        let offsets = call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_pre_commit(store, &current)
        )?;
        Ok(marshal::offsets_from_wit(offsets))
    }

    /// Takes partitions away from the task.
    pub async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), GuestError> {
        let partitions = marshal::partitions_to_wit(partitions);
        call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_close(store, &partitions)
        )
    }

    /// Stops the task.
    pub async fn stop(&mut self) -> Result<(), GuestError> {
        call!(
            self.instance,
            sink_task,
            "sink-task",
            finish_fallible,
            |guest, store| guest.call_stop(store)
        )
    }

    /// Schema ids of this instance, shared with its converters.
    pub fn schemas(&mut self) -> &mut SchemaTable {
        match self.instance.data_mut() {
            Some(state) => &mut state.schemas,
            None => &mut self.no_schemas,
        }
    }

    /// Series that the guest keeps; none once the instance is gone.
    pub fn metrics(&self) -> Option<SharedMetrics> {
        self.instance.data().map(|state| state.metrics.clone())
    }

    /// CPU time that the guest has taken.
    pub fn cpu(&self) -> Duration {
        self.instance.cpu()
    }

    /// Bytes of linear memory in use; 0 once the instance is gone.
    pub fn memory_bytes(&self) -> usize {
        self.instance.data().map_or(0, |state| state.limiter.used_bytes())
    }

    /// True where the instance can never be called again.
    pub fn is_poisoned(&self) -> bool {
        self.instance.is_poisoned()
    }
}

impl std::fmt::Debug for SinkConnectorInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkConnectorInstance")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SinkTaskInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkTaskInstance")
            .field("class", &self.class)
            .finish_non_exhaustive()
    }
}
