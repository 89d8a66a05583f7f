//! The worker: starts, directs and stops connectors and tasks.
//!
//! Every one runs as its own tokio task under a supervisor; a failure, trap or panic ends that one
//! with its trace in a status and nothing else. Locks here are leaf-level and never held while
//! waiting. What should run is the herder's decision. Source: `Worker`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use weir_config::map::ConfigMap;
use weir_metrics::registry::MetricRegistry;
use weir_plugins::descriptor::PluginKind;
use weir_plugins::plugins::Plugins;
use weir_plugins::stop::StopSignal;
use weir_secrets::providers::restore;
use weir_stores::configs::state::TargetState;
use weir_stores::offsets::{ConnectorOffsets, OffsetStore};
use weir_stores::status::records::State;

use crate::connector::{Connector, ConnectorHandle, ConnectorParts};
use crate::connector_config::{CONNECTOR_PLUGIN_VERSION, ConnectorConfig, TASK_CLASS, TOPICS, TOPICS_REGEX};
use crate::error::{TaskFailure, WorkerError};
use crate::figures::TaskMeter;
use crate::lifecycle::{Reports, TaskId, WorkerEvent};
use crate::log_context::connector_span;
use crate::offset_stores::OffsetStores;
use crate::restart::Restarts;
use crate::settings::WorkerSettings;
use crate::source::gate::SourceGate;
use crate::worker::reload::{ValuesWatch, watch};
use crate::worker::stalls::Watch;
use crate::worker::supervise::supervise_connector;
use crate::worker::tasks::check_task_count;
use crate::worker_metrics::{ConnectorMetrics, CountedTask, PluginTexts, WorkerMetrics};

/// Time all connectors together get to stop.
const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How much later the guest itself is ended: who overstays is cancelled without a word, as Apache's is, and does not fail.
const TRAP_DELAY: Duration = Duration::from_secs(1);

/// Runs connectors and tasks.
pub struct Worker {
    pub(crate) settings: WorkerSettings,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) offsets: OffsetStores,
    gate: OnceLock<Arc<dyn SourceGate>>,
    events: mpsc::Sender<WorkerEvent>,
    running: Mutex<Running>,
    restarts: Restarts,
    watch: Watch,
    metrics: Arc<WorkerMetrics>,
}

#[derive(Default)]
struct Running {
    connectors: HashMap<String, RunningConnector>,
    tasks: HashMap<TaskId, RunningTask>,
}

struct RunningConnector {
    handle: ConnectorHandle,
    join: JoinHandle<()>,
    _values: ValuesWatch,
}

struct RunningTask {
    target: watch::Sender<TargetState>,
    stop: StopSignal,
    reports: Reports,
    meter: Arc<TaskMeter>,
    join: JoinHandle<()>,
    _values: ValuesWatch,
    _counted: CountedTask,
}

/// How many tasks a connector has, which its task needs to know at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskCount(pub u32);

impl Worker {
    /// Creates a worker that runs nothing. `events` must be drained while calls are awaited.
    pub fn new(
        settings: WorkerSettings,
        plugins: Arc<Plugins>,
        offsets: OffsetStore,
        events: mpsc::Sender<WorkerEvent>,
    ) -> Self {
        Self {
            offsets: OffsetStores::new(settings.clients.clone(), offsets),
            metrics: WorkerMetrics::new(&settings.metrics),
            gate: OnceLock::new(),
            settings,
            plugins,
            events,
            running: Mutex::default(),
            restarts: Restarts::default(),
            watch: Watch::default(),
        }
    }

    /// Has source tasks with exactly-once support ask `gate` before they write. To be called before any task is started; a second
    /// call changes nothing.
    pub fn guard_sources(&self, gate: Arc<dyn SourceGate>) {
        if self.gate.set(gate).is_err() {
            tracing::warn!("source tasks are guarded already");
        }
    }

    /// Returns the offsets of a source connector, in its own topic or the worker's, read to their end.
    ///
    /// # Errors
    /// A setting that is refused, or a topic that cannot be read.
    pub async fn connector_offsets(&self, name: &str, config: &ConfigMap) -> Result<ConnectorOffsets, WorkerError> {
        let config = self.settings.providers.resolve(config)?;
        self.offsets
            .of(name, &config, self.settings.exactly_once_group.is_some())
            .await
    }

    // ---- connectors --------------------------------------------------------------------------------------

    /// Starts a connector and waits until it has reached its target state.
    ///
    /// # Errors
    /// It runs already, its class is unknown, or its start failed; the last also reports FAILED.
    pub async fn start_connector(
        &self,
        name: &str,
        config: &ConfigMap,
        target: TargetState,
    ) -> Result<(), WorkerError> {
        let span = connector_span(name);
        self.start_in_span(name, config, target).instrument(span).await
    }

    async fn start_in_span(&self, name: &str, config: &ConfigMap, target: TargetState) -> Result<(), WorkerError> {
        let handle = match self.create_connector(name, config).await {
            Ok(handle) => handle,
            Err(error @ WorkerError::Exists(_)) => return Err(error),
            Err(error) => {
                self.metrics.connector_started(false);
                let failure = TaskFailure::connect(error.to_string());
                Reports::new(self.events.clone())
                    .connector(name, State::Failed, Some(failure.to_trace()))
                    .await;
                return Err(error);
            }
        };
        handle.transition(target).await
    }

    async fn create_connector(&self, name: &str, config: &ConfigMap) -> Result<ConnectorHandle, WorkerError> {
        let values = self.values(config, None)?;
        let config = self.settings.providers.resolve(config)?;
        let class = ConnectorConfig::parse(&config)?.class;
        let plugin = self
            .plugins
            .find_connector_version(&class, config.get(CONNECTOR_PLUGIN_VERSION))?;
        tracing::info!(
            connector = name,
            class = plugin.class,
            version = plugin.version,
            "creating connector"
        );
        let exists = || WorkerError::Exists(format!("Connector with name {name} already exists"));
        if self.running.lock().connectors.contains_key(name) {
            return Err(exists());
        }
        let exactly_once = self.settings.exactly_once_group.is_some();
        let offsets = if plugin.kind == PluginKind::Source {
            self.offsets.of(name, &config, exactly_once).await?
        } else {
            self.offsets.of_worker()
        };
        let metrics = Arc::new(ConnectorMetrics::new(&self.metrics, name, PluginTexts::of(&plugin)));
        let reports = Reports::new(self.events.clone()).with_metrics(metrics);
        let mut running = self.running.lock();
        if running.connectors.contains_key(name) {
            return Err(exists());
        }
        let (connector, handle) = Connector::new(ConnectorParts {
            name: name.to_owned(),
            plugins: self.plugins.clone(),
            plugin,
            config,
            offsets,
            reports: reports.clone(),
            metrics: self.settings.metrics.clone(),
        });
        let name = name.to_owned();
        let supervised = supervise_connector(name.clone(), connector.run(), reports);
        let join = tokio::spawn(supervised.in_current_span());
        let (told, watched) = (handle.reports.clone(), name.clone());
        let connector = RunningConnector {
            handle: handle.clone(),
            join,
            _values: watch(values, move || {
                let (told, watched) = (told.clone(), watched.clone());
                async move { told.restart_connector(&watched).await }
            }),
        };
        running.connectors.insert(name, connector);
        Ok(handle)
    }

    /// Where this worker shows what it measures.
    pub fn metrics(&self) -> &MetricRegistry {
        &self.settings.metrics
    }

    /// Stops a connector; one that is not here is none of this worker's business.
    pub async fn stop_connector(&self, name: &str) {
        let connector = self.running.lock().connectors.remove(name);
        if let Some(connector) = connector {
            stop_connector(name, connector, Instant::now() + CONNECTOR_STOP_TIMEOUT).await;
        }
    }

    /// Is true when the connector is here, in whatever state.
    pub fn has_connector(&self, name: &str) -> bool {
        self.running.lock().connectors.contains_key(name)
    }

    /// Is true when the connector is here and started.
    pub fn is_connector_running(&self, name: &str) -> bool {
        self.running
            .lock()
            .connectors
            .get(name)
            .is_some_and(|connector| connector.handle.is_running())
    }

    /// Asks a connector for its task configs and adds what the framework adds.
    ///
    /// # Errors
    /// It is not started, its code failed, or it made more tasks than it may; the last also reports FAILED.
    pub async fn connector_task_configs(&self, name: &str, config: &ConfigMap) -> Result<Vec<ConfigMap>, WorkerError> {
        let handle = self
            .running
            .lock()
            .connectors
            .get(name)
            .map(|connector| connector.handle.clone());
        let handle =
            handle.ok_or_else(|| WorkerError::NotFound(format!("Connector {name} not found in this worker.")))?;
        let settings = ConnectorConfig::parse(&self.settings.providers.resolve(config)?)?;
        let mut configs = handle.task_configs(settings.tasks_max).await?;
        if let Err(error) = check_task_count(&settings, configs.len()) {
            let failure = TaskFailure::connect(error.to_string());
            handle
                .reports
                .connector(name, State::Failed, Some(failure.to_trace()))
                .await;
            return Err(error);
        }
        for task in &mut configs {
            task.insert(TASK_CLASS, handle.plugin.task_class.as_str());
            if handle.plugin.kind == PluginKind::Sink {
                for key in [TOPICS, TOPICS_REGEX] {
                    if let Some(value) = config.get(key) {
                        task.insert(key, value);
                    }
                }
            }
            // What is stored and shown holds the variables, never their values.
            restore(config, task);
        }
        Ok(configs)
    }

    // ---- both --------------------------------------------------------------------------------------------

    /// Sets the target state of a connector and its tasks, as far as they are here.
    ///
    /// # Errors
    /// The connector could not reach it; its tasks follow all the same.
    pub async fn set_target_state(&self, name: &str, target: TargetState) -> Result<(), WorkerError> {
        let handle = {
            let running = self.running.lock();
            for (_, task) in running.tasks.iter().filter(|(id, _)| id.connector == name) {
                task.target.send_replace(target);
            }
            running.connectors.get(name).map(|connector| connector.handle.clone())
        };
        match handle {
            Some(handle) => handle.transition(target).await,
            None => Ok(()),
        }
    }

    /// Stops everything: connectors first, then tasks.
    pub async fn shutdown(&self) {
        let connectors = std::mem::take(&mut self.running.lock().connectors);
        let deadline = Instant::now() + CONNECTOR_STOP_TIMEOUT;
        for connector in connectors.values() {
            connector.handle.stop.request(CONNECTOR_STOP_TIMEOUT + TRAP_DELAY);
        }
        for (name, connector) in connectors {
            stop_connector(&name, connector, deadline).await;
        }
        let ids: Vec<TaskId> = self.running.lock().tasks.keys().cloned().collect();
        self.stop_tasks(&ids).await;
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let running = self.running.lock();
        f.debug_struct("Worker")
            .field("connectors", &running.connectors.len())
            .field("tasks", &running.tasks.len())
            .finish_non_exhaustive()
    }
}

async fn stop_connector(name: &str, mut connector: RunningConnector, deadline: Instant) {
    connector.handle.stop.request(CONNECTOR_STOP_TIMEOUT + TRAP_DELAY);
    if timeout_at(deadline, &mut connector.join).await.is_err() {
        connector.handle.reports.mute();
        connector.join.abort();
        connector_span(name)
            .in_scope(|| tracing::error!("Connector '{name}' failed to properly shut down and was cancelled."));
    }
}

mod reload;
mod stalls;
mod supervise;
mod tasks;

#[cfg(test)]
mod tests;
