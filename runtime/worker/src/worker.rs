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
use weir_config::map::ConfigMap;
use weir_plugins::context::BoxFuture;
use weir_plugins::descriptor::PluginKind;
use weir_plugins::plugins::Plugins;
use weir_plugins::stop::StopSignal;
use weir_secrets::providers::restore;
use weir_stores::configs::state::TargetState;
use weir_stores::offsets::{ConnectorOffsets, OffsetStore};
use weir_stores::status::records::State;

use crate::connector::{Connector, ConnectorHandle, ConnectorParts};
use crate::connector_config::{
    CONNECTOR_PLUGIN_VERSION, ConnectorConfig, TASK_CLASS, TASKS_MAX_ENFORCE, TOPICS, TOPICS_REGEX,
};
use crate::error::{TaskFailure, WorkerError};
use crate::figures::{TaskFigures, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId, WorkerEvent};
use crate::offset_stores::OffsetStores;
use crate::restart::{RestartPolicy, RestartSettings, Restarts};
use crate::settings::WorkerSettings;
use crate::source::gate::SourceGate;
use crate::task_builder::{Task, TaskBuilder, TaskRequest};
use crate::worker::stalls::Watch;
use crate::worker::supervise::{Supervision, supervise_connector, supervise_task};

/// Time all connectors together get to stop.
const CONNECTOR_STOP_TIMEOUT: Duration = Duration::from_secs(5);

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
}

#[derive(Default)]
struct Running {
    connectors: HashMap<String, RunningConnector>,
    tasks: HashMap<TaskId, RunningTask>,
}

struct RunningConnector {
    handle: ConnectorHandle,
    join: JoinHandle<()>,
}

struct RunningTask {
    target: watch::Sender<TargetState>,
    stop: StopSignal,
    reports: Reports,
    meter: Arc<TaskMeter>,
    join: JoinHandle<()>,
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
        let handle = match self.create_connector(name, config).await {
            Ok(handle) => handle,
            Err(error @ WorkerError::Exists(_)) => return Err(error),
            Err(error) => {
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
        let mut running = self.running.lock();
        if running.connectors.contains_key(name) {
            return Err(exists());
        }
        let reports = Reports::new(self.events.clone());
        let (connector, handle) = Connector::new(ConnectorParts {
            name: name.to_owned(),
            plugins: self.plugins.clone(),
            plugin,
            config,
            offsets,
            reports: reports.clone(),
        });
        let name = name.to_owned();
        let join = tokio::spawn(supervise_connector(name.clone(), connector.run(), reports));
        running.connectors.insert(
            name,
            RunningConnector {
                handle: handle.clone(),
                join,
            },
        );
        Ok(handle)
    }

    /// Stops a connector; one that is not here is none of this worker's business.
    pub async fn stop_connector(&self, name: &str) {
        let connector = self.running.lock().connectors.remove(name);
        if let Some(connector) = connector {
            stop_connector(name, connector, Instant::now() + CONNECTOR_STOP_TIMEOUT).await;
        }
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

    // ---- tasks -------------------------------------------------------------------------------------------

    /// Builds and starts a task.
    ///
    /// # Errors
    /// It runs already or cannot be built; the latter also reports FAILED.
    pub async fn start_task(
        &self,
        id: TaskId,
        connector: &ConfigMap,
        config: &ConfigMap,
        target: TargetState,
        count: TaskCount,
    ) -> Result<(), WorkerError> {
        if self.running.lock().tasks.contains_key(&id) {
            return Err(WorkerError::Exists(format!("Task already exists in this worker: {id}")));
        }
        let meter = Arc::<TaskMeter>::default();
        let reports = Reports::new(self.events.clone()).with_meter(Arc::clone(&meter));
        let (sender, receiver) = watch::channel(target);
        let control = Control {
            target: receiver,
            stop: StopSignal::new(),
        };
        let (building, told) = (control.clone(), reports.clone());
        let supervision = Supervision {
            id: id.clone(),
            stop: control.stop.clone(),
            reports: reports.clone(),
            meter: Arc::clone(&meter),
            restarts: self.restarts.clone(),
            settings: self.restart_settings(connector),
            started: Instant::now(),
        };
        let parts = (building, told, Arc::clone(&meter));
        let (run, result) = match self.build_task(&id, connector, config, count, parts).await {
            Ok(task) => (task.run(), Ok(())),
            Err(error) => {
                let failure = TaskFailure::connect(format!("Failed to start task {id}")).caused_by(TaskFailure {
                    retriable: error.is_retriable(),
                    ..TaskFailure::connect(error.to_string())
                });
                if !supervision.settings.covers(&failure) {
                    tracing::error!(task = %id, error = failure.to_trace(), "task could not be built");
                    reports.task(&id, State::Failed, Some(failure.to_trace())).await;
                    return Err(error);
                }
                // Supervised as if it had run: its supervisor waits and asks for the next start.
                let run: BoxFuture<'static, Result<(), TaskFailure>> = Box::pin(std::future::ready(Err(failure)));
                (run, Err(error))
            }
        };
        let mut running = self.running.lock();
        if running.tasks.contains_key(&id) {
            return Err(WorkerError::Exists(format!("Task already exists in this worker: {id}")));
        }
        if result.is_ok() {
            self.watch.add(id.clone(), &meter, self.settings.stall_timeout);
        }
        let join = tokio::spawn(supervise_task(run, supervision));
        let task = RunningTask {
            target: sender,
            stop: control.stop,
            reports,
            meter,
            join,
        };
        running.tasks.insert(id, task);
        result
    }

    /// A connector whose settings cannot be read fails for another reason; its task is not tried again.
    fn restart_settings(&self, connector: &ConfigMap) -> RestartSettings {
        let own = self.settings.restart.of_connector(connector);
        own.unwrap_or(RestartSettings {
            policy: RestartPolicy::Never,
            ..self.settings.restart
        })
    }

    /// Returns what a task that is here has done and uses; none for one that is not.
    pub fn figures(&self, id: &TaskId) -> Option<TaskFigures> {
        let meter = Arc::clone(&self.running.lock().tasks.get(id)?.meter);
        Some(meter.figures(self.settings.stall_timeout, self.restarts.figures(id)))
    }

    async fn build_task(
        &self,
        id: &TaskId,
        connector: &ConfigMap,
        config: &ConfigMap,
        count: TaskCount,
        (control, reports, meter): (Control, Reports, Arc<TaskMeter>),
    ) -> Result<Task, WorkerError> {
        let connector = self.settings.providers.resolve(connector)?;
        let config = self.settings.providers.resolve(config)?;
        let settings = ConnectorConfig::parse(&connector)?;
        check_task_count(&settings, count.0 as usize)?;
        let request = TaskRequest {
            id: id.clone(),
            connector: &connector,
            config: &config,
            control,
            reports,
            meter,
        };
        self.builder().build(request, &settings).await
    }

    fn builder(&self) -> TaskBuilder<'_> {
        TaskBuilder {
            settings: &self.settings,
            plugins: &self.plugins,
            offsets: &self.offsets,
            gate: self.gate.get(),
        }
    }

    /// Returns the tasks of a connector that run here, ascending.
    pub fn task_ids(&self, connector: &str) -> Vec<TaskId> {
        let mut ids: Vec<TaskId> = self
            .running
            .lock()
            .tasks
            .keys()
            .filter(|id| id.connector == connector)
            .cloned()
            .collect();
        ids.sort();
        ids
    }

    /// Stops tasks: all are told, then all are waited for, then those that are late are cancelled.
    pub async fn stop_tasks(&self, ids: &[TaskId]) {
        let tasks: Vec<(TaskId, RunningTask)> = {
            let mut running = self.running.lock();
            ids.iter()
                .filter_map(|id| Some((id.clone(), running.tasks.remove(id)?)))
                .collect()
        };
        let grace = self.settings.timing.task_stop_timeout;
        for (_, task) in &tasks {
            task.stop.request(grace);
        }
        let deadline = Instant::now() + grace;
        for (id, mut task) in tasks {
            if timeout_at(deadline, &mut task.join).await.is_err() {
                task.reports.mute();
                task.join.abort();
                tracing::error!("Graceful stop of task {id} failed.");
            }
            self.restarts.stopped(&id);
        }
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
            connector.handle.stop.request(CONNECTOR_STOP_TIMEOUT);
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
    connector.handle.stop.request(CONNECTOR_STOP_TIMEOUT);
    if timeout_at(deadline, &mut connector.join).await.is_err() {
        connector.handle.reports.mute();
        connector.join.abort();
        tracing::error!("Connector '{name}' failed to properly shut down and was cancelled.");
    }
}

fn check_task_count(settings: &ConnectorConfig, generated: usize) -> Result<(), WorkerError> {
    if generated <= settings.tasks_max as usize {
        return Ok(());
    }
    if settings.tasks_max_enforce {
        return Err(WorkerError::TooManyTasks {
            connector: settings.name.clone(),
            generated,
            max: settings.tasks_max,
        });
    }
    tracing::warn!(
        connector = settings.name,
        generated,
        max = settings.tasks_max,
        "more tasks than tasks.max, allowed by {TASKS_MAX_ENFORCE}"
    );
    Ok(())
}

mod stalls;
mod supervise;

#[cfg(test)]
mod tests;
