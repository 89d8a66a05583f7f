//! The event loop: one owner of what should run on this worker.
//!
//! Requests, config events, worker events and finished lane steps arrive here one at a time; nothing else decides.
//! A change is written to the config store first and acted upon when the store reports it back, so that a
//! restart finds what was promised. All work on a connector goes through its lane.
//! The cluster has one worker as yet: no group is joined, and this worker owns everything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_config::map::ConfigMap;
use weir_metrics::clock::Clock;
use weir_plugins::plugins::Plugins;
use weir_stores::configs::ConfigStore;
use weir_stores::configs::state::{ConfigEvent, ConnectorEntry, RestartRequest, TargetState};
use weir_stores::error::StoreError;
use weir_stores::status::StatusStore;
use weir_stores::status::records::{State, Status, TopicStatus};
use weir_worker::lifecycle::{TaskId, WorkerEvent};
use weir_worker::worker::Worker;
use weir_worker::worker_config::TopicRules;

use crate::error::HerderError;
use crate::handle::{HandleParts, HerderHandle, patched, status_of};
use crate::info::{ConnectorInfo, ConnectorStateInfo, ConnectorType, Put, ServerInfo};
use crate::lane::{self, Lane, Outcome, Step, StepContext, StepReply};
use crate::loggers::Loggers;
use crate::offsets;
use crate::request::{ConfigChange, Reply, Request, RestartScope};
use crate::restart;
use crate::stage::Stage;
use crate::validate::{self, WorkerConverters};

/// Requests waiting for the loop; more wait in their senders.
const REQUEST_BACKLOG: usize = 1024;

/// How replies to changes behave (connect.md A.14 in Apache's terms).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replies wait until the connector runs and has its tasks.
    Standalone,
    /// Replies are sent when the change is written.
    Distributed,
}

/// What a herder is made of.
#[derive(Debug)]
pub struct HerderParts {
    /// Standalone or distributed behaviour.
    pub mode: Mode,
    /// `host:port` that statuses carry.
    pub worker_id: String,
    /// The data plane.
    pub worker: Arc<Worker>,
    /// What the data plane reports.
    pub worker_events: mpsc::Receiver<WorkerEvent>,
    /// Plugins of this worker.
    pub plugins: Arc<Plugins>,
    /// Not yet started.
    pub configs: ConfigStore,
    /// Started.
    pub status: StatusStore,
    /// The worker's default converters.
    pub converters: WorkerConverters,
    /// Answer of `GET /`.
    pub server: ServerInfo,
    /// Whether topics are tracked, and may be reset.
    pub topic_rules: TopicRules,
    /// Log levels of this worker.
    pub loggers: Loggers,
}

/// The herder before and while it runs.
#[derive(Debug)]
pub struct Herder {
    mode: Mode,
    worker: Arc<Worker>,
    worker_events: mpsc::Receiver<WorkerEvent>,
    plugins: Arc<Plugins>,
    configs: ConfigStore,
    config_events: mpsc::Receiver<ConfigEvent>,
    requests: mpsc::Receiver<Request>,
    status: StatusStore,
    worker_id: String,
    generation: i32,
    lanes: HashMap<String, Lane>,
    steps: JoinSet<Finished>,
    /// Whose step a task is, so that a panic still frees its lane.
    owners: HashMap<tokio::task::Id, String>,
    stage: Stage,
    loggers: Loggers,
    handle: HerderHandle,
}

#[derive(Debug)]
struct Finished {
    name: String,
    outcome: Outcome,
    was_start: bool,
    reply: Option<StepReply>,
}

impl Herder {
    /// Puts the parts together; nothing runs until [`Herder::run`].
    pub fn new(mut parts: HerderParts) -> Self {
        let (sender, requests) = mpsc::channel(REQUEST_BACKLOG);
        let stage = Stage::default();
        let handle = HerderHandle::new(HandleParts {
            requests: sender,
            worker: parts.worker.clone(),
            topic_rules: parts.topic_rules,
            loggers: parts.loggers.clone(),
            plugins: parts.plugins.clone(),
            status: parts.status.clone(),
            converters: parts.converters,
            server: parts.server,
            stage: stage.clone(),
        });
        let config_events = parts.configs.take_events();
        Herder {
            mode: parts.mode,
            worker: parts.worker,
            worker_events: parts.worker_events,
            plugins: parts.plugins,
            configs: parts.configs,
            config_events,
            requests,
            status: parts.status,
            worker_id: parts.worker_id,
            // Apache's standalone worker writes 0; a single distributed worker is in its first generation.
            generation: i32::from(parts.mode == Mode::Distributed),
            lanes: HashMap::new(),
            steps: JoinSet::new(),
            owners: HashMap::new(),
            stage,
            loggers: parts.loggers,
            handle,
        }
    }

    /// The door to this herder.
    pub fn handle(&self) -> HerderHandle {
        self.handle.clone()
    }

    /// Reads the stores, starts what they hold, then serves until `shutdown`; stops everything it started.
    ///
    /// *Errors*: the config store could not be read at start.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), StoreError> {
        self.stage
            .begin("reading to the end of internal topics", SystemTime::now());
        self.configs.start().await?;
        // The only worker of its group leads it.
        self.configs.claim().await?;
        self.stage.end(SystemTime::now());
        self.start_existing();
        if self.mode == Mode::Distributed {
            self.handle.set_ready();
        }
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(finished) = self.steps.join_next_with_id(), if !self.steps.is_empty() => self.on_finished(finished).await,
                Some(event) = self.worker_events.recv() => self.on_worker_event(event).await,
                Some(event) = self.config_events.recv() => self.on_config_event(event),
                Some(request) = self.requests.recv() => self.on_request(request).await,
            }
        }
        self.stop().await;
        Ok(())
    }

    async fn stop(mut self) {
        self.stage.begin("shutting down", SystemTime::now());
        self.requests.close();
        self.steps.abort_all();
        let worker = self.worker.clone();
        let mut stopping = std::pin::pin!(worker.shutdown());
        // Statuses of the stopping tasks are still written.
        loop {
            tokio::select! {
                biased;
                Some(event) = self.worker_events.recv() => self.on_worker_event(event).await,
                () = &mut stopping => break,
            }
        }
        while let Ok(event) = self.worker_events.try_recv() {
            self.on_worker_event(event).await;
        }
    }

    fn start_existing(&mut self) {
        let state = self.configs.snapshot();
        for (name, entry) in &state.connectors {
            self.push(name, Step::StartConnector, None);
            if entry.task_configs.as_ref().is_some_and(|tasks| !tasks.is_empty()) {
                self.push(name, Step::ApplyTasks, None);
            }
        }
    }

    // ---- lanes -------------------------------------------------------------------------------------------

    fn push(&mut self, name: &str, step: Step, reply: Option<StepReply>) {
        self.lanes.entry(name.to_owned()).or_default().push(step, reply);
        self.advance(name);
    }

    /// Starts the next step of a lane, or ends the lane when nothing is left.
    fn advance(&mut self, name: &str) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        if let Some((step, reply)) = lane.begin() {
            let was_start = matches!(step, Step::StartConnector);
            if was_start {
                lane.last_failure = None;
            }
            let (cx, state) = (self.step_context(), self.configs.snapshot());
            let owner = name.to_owned();
            let running = self.steps.spawn(async move {
                let outcome = lane::run(cx, state, &owner, step).await;
                Finished {
                    name: owner,
                    outcome,
                    was_start,
                    reply,
                }
            });
            self.owners.insert(running.id(), name.to_owned());
            return;
        }
        if lane.is_idle()
            && let Some(mut lane) = self.lanes.remove(name)
        {
            let failure = lane.last_failure.take();
            for waiter in lane.idle_waiters.drain(..) {
                let _ = waiter.send(failure.clone().map_or(Ok(()), Err));
            }
        }
    }

    fn step_context(&self) -> StepContext {
        StepContext {
            worker: self.worker.clone(),
            status: self.status.clone(),
            worker_id: self.worker_id.clone(),
            generation: self.generation,
        }
    }

    async fn on_finished(&mut self, finished: Result<(tokio::task::Id, Finished), tokio::task::JoinError>) {
        let finished = match finished {
            Ok((id, finished)) => {
                self.owners.remove(&id);
                finished
            }
            Err(error) => {
                tracing::error!(%error, "a connector step ended abnormally");
                let name = self.owners.remove(&error.id()).unwrap_or_default();
                Finished {
                    name,
                    outcome: Outcome::Failed(error.to_string()),
                    was_start: false,
                    reply: None,
                }
            }
        };
        let Finished {
            name,
            outcome,
            was_start,
            reply,
        } = finished;
        let answer = match &outcome {
            Outcome::Failed(error) => Err(HerderError::Failed(error.clone())),
            _ => Ok(()),
        };
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.finished();
            if was_start && let Outcome::Failed(error) = &outcome {
                lane.last_failure = Some(error.clone());
            }
        }
        match outcome {
            Outcome::Done | Outcome::Failed(_) | Outcome::Connector { running: false } => {}
            Outcome::Connector { running: true } => self.push(&name, Step::Generate { attempt: 0 }, None),
            Outcome::Generated(configs) => self.publish_tasks(&name, configs).await,
            Outcome::GenerateFailed { attempt, error, retry } => {
                self.generate_failed(&name, attempt, error, retry).await
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
        self.advance(&name);
    }

    /// Writes the task set if it differs from the current one or the connector config changed since.
    async fn publish_tasks(&mut self, name: &str, configs: Vec<ConfigMap>) {
        let state = self.configs.snapshot();
        let Some(entry) = state.connectors.get(name) else {
            return;
        };
        if task_set_is_current(entry, &configs) {
            return;
        }
        let result = self.configs.put_task_configs(name, &configs).await;
        if let Err(error) = result {
            tracing::warn!(connector = name, %error, "task configs were not written, trying again");
            self.push(name, Step::Generate { attempt: 1 }, None);
            return;
        }
        self.drain_config_events();
    }

    async fn generate_failed(&mut self, name: &str, attempt: u32, error: String, retry: bool) {
        if retry {
            tracing::warn!(
                connector = name,
                attempt,
                error,
                "connector gave no task configs, trying again"
            );
            self.push(name, Step::Generate { attempt }, None);
            return;
        }
        tracing::error!(connector = name, error, "connector gave no usable task configs");
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.last_failure = Some(error.clone());
        }
        let version = self.connector_version(name);
        let status = self.own_status(State::Failed, Some(error), version);
        log_unwritten(self.status.put_connector_safe(name, status).await);
    }

    // ---- events ------------------------------------------------------------------------------------------

    /// Acts on what the store reported so far, so that a reply that follows sees its effects queued.
    fn drain_config_events(&mut self) {
        while let Ok(event) = self.config_events.try_recv() {
            self.on_config_event(event);
        }
    }

    fn on_config_event(&mut self, event: ConfigEvent) {
        match event {
            ConfigEvent::ConnectorUpdated(name) => self.push(&name, Step::StartConnector, None),
            ConfigEvent::TasksUpdated(name) => self.push(&name, Step::ApplyTasks, None),
            ConfigEvent::TargetStateChanged(name) => self.push(&name, Step::ApplyState, None),
            ConfigEvent::ConnectorRemoved(name) => {
                if let Some(lane) = self.lanes.get_mut(&name) {
                    lane.clear();
                }
                self.push(&name, Step::Remove, None);
            }
            ConfigEvent::Restart(request) => self.on_restart_record(&request),
            ConfigEvent::Logger { namespace, level } => self.loggers.set_from_cluster(&namespace, &level),
        }
    }

    fn on_restart_record(&mut self, request: &RestartRequest) {
        let scope = RestartScope {
            include_tasks: request.include_tasks,
            only_failed: request.only_failed,
        };
        if let Some(now) = status_of(&self.status, &request.connector, ConnectorType::Unknown) {
            self.push(&request.connector, Step::Restart(restart::plan(&now, scope)), None);
        }
    }

    async fn on_worker_event(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::ConnectorStatus { name, state, trace } => {
                if !self.configs.snapshot().connectors.contains_key(&name) {
                    return;
                }
                let status = self.own_status(state, trace, self.connector_version(&name));
                log_unwritten(self.put_connector_status(&name, status).await);
            }
            WorkerEvent::TaskStatus { id, state, trace } => {
                let snapshot = self.configs.snapshot();
                let count = snapshot
                    .connectors
                    .get(&id.connector)
                    .and_then(|entry| entry.task_configs.as_ref())
                    .map_or(0, Vec::len);
                if id.task as usize >= count {
                    return;
                }
                let status = self.own_status(state, trace, self.connector_version(&id.connector));
                log_unwritten(self.put_task_status(&id.connector, id.task, status).await);
            }
            WorkerEvent::ReconfigureTasks { name } => self.push(&name, Step::Generate { attempt: 0 }, None),
            WorkerEvent::TopicUsed { id, topic } => self.note_topic(id, topic).await,
            WorkerEvent::RestartTask { id } => {
                // Only while it is still the failed task of then: another start cancels the wait for this one.
                if self.worker.task_ids(&id.connector).contains(&id) {
                    self.push(&id.connector, Step::RestartTask(id.task), None);
                }
            }
        }
    }

    /// Writes that a connector uses a topic, unless that is known.
    async fn note_topic(&self, id: TaskId, topic: String) {
        let known = self.status.topics(&id.connector);
        if known.iter().any(|status| status.topic == topic)
            || !self.configs.snapshot().connectors.contains_key(&id.connector)
        {
            return;
        }
        let status = TopicStatus {
            topic,
            connector: id.connector,
            task: id.task,
            discover_timestamp: Clock::System.now_ms(),
        };
        log_unwritten(self.status.put_topic(status).await);
    }

    async fn put_connector_status(&self, name: &str, status: Status) -> Result<(), StoreError> {
        match status.state {
            State::Unassigned | State::Failed => self.status.put_connector_safe(name, status).await,
            _ => self.status.put_connector(name, status).await,
        }
    }

    async fn put_task_status(&self, name: &str, task: u32, status: Status) -> Result<(), StoreError> {
        match status.state {
            State::Unassigned | State::Failed => self.status.put_task_safe(name, task, status).await,
            _ => self.status.put_task(name, task, status).await,
        }
    }

    fn own_status(&self, state: State, trace: Option<String>, version: Option<String>) -> Status {
        Status {
            state,
            trace,
            worker_id: self.worker_id.clone(),
            generation: self.generation,
            version,
        }
    }

    fn connector_version(&self, name: &str) -> Option<String> {
        let snapshot = self.configs.snapshot();
        let class = snapshot.connectors.get(name)?.config.get("connector.class")?.to_owned();
        Some(self.plugins.find_connector(&class).ok()?.version.clone())
    }

    // ---- requests ----------------------------------------------------------------------------------------

    async fn on_request(&mut self, request: Request) {
        match request {
            Request::Ping { reply } => drop(reply.send(Ok(()))),
            Request::Connectors { reply } => {
                drop(reply.send(Ok(self.configs.snapshot().connectors.keys().cloned().collect())));
            }
            Request::Info { name, reply } => drop(reply.send(self.info(&name))),
            Request::TaskConfigs { name, reply } => drop(reply.send(self.task_configs(&name))),
            Request::Put { name, change, reply } => self.put(name, change, reply).await,
            Request::Delete { name, reply } => self.delete(name, reply).await,
            Request::SetTargetState { name, state, reply } => {
                let result = self.set_target_state(&name, state).await;
                let _ = reply.send(result);
            }
            Request::RestartConnector { name, reply } => self.restart_connector(name, reply),
            Request::Restart { name, scope, reply } => {
                let result = self.restart(&name, scope).await;
                let _ = reply.send(result);
            }
            Request::RestartTask { name, task, reply } => self.restart_task(name, task, reply),
            Request::OffsetsModifiable { name, reply } => {
                drop(reply.send(offsets::modifiable(&self.configs.snapshot(), &name)));
            }
            Request::SetClusterLogger {
                namespace,
                level,
                reply,
            } => {
                let written = self.configs.put_logger(&namespace, &level).await;
                self.drain_config_events();
                let _ = reply.send(written.map_err(store_failure));
            }
            Request::SubmitTaskConfigs { reply, .. } => drop(reply.send(Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support externally setting task configurations.".to_owned(),
            )))),
            Request::FenceZombies { reply, .. } => drop(reply.send(Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support exactly-once source connectors.".to_owned(),
            )))),
        }
    }

    fn info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let state = self.configs.snapshot();
        let entry = state
            .connectors
            .get(name)
            .ok_or_else(|| HerderError::no_connector(name))?;
        Ok(self.info_of(name, entry))
    }

    fn info_of(&self, name: &str, entry: &ConnectorEntry) -> ConnectorInfo {
        let count = entry.task_configs.as_ref().map_or(0, Vec::len) as u32;
        ConnectorInfo {
            name: name.to_owned(),
            config: entry.config.clone(),
            tasks: (0..count).collect(),
            kind: validate::connector_type(&self.plugins, &entry.config),
        }
    }

    fn task_configs(&self, name: &str) -> Result<Vec<ConfigMap>, HerderError> {
        let state = self.configs.snapshot();
        let entry = state
            .connectors
            .get(name)
            .ok_or_else(|| HerderError::no_connector(name))?;
        Ok(entry.task_configs.clone().unwrap_or_default())
    }

    async fn put(&mut self, name: String, change: ConfigChange, reply: Reply<Put>) {
        match self.write_config(&name, change).await {
            Err(error) => drop(reply.send(Err(error))),
            Ok(put) if self.mode == Mode::Distributed => drop(reply.send(Ok(put))),
            Ok(put) => self.reply_when_idle(name, put.created, reply),
        }
    }

    async fn write_config(&mut self, name: &str, change: ConfigChange) -> Result<Put, HerderError> {
        let before = self.configs.snapshot();
        let existing = before.connectors.get(name);
        let (config, initial_state) = match change {
            ConfigChange::Create { .. } if existing.is_some() => {
                return Err(HerderError::AlreadyExists(format!("Connector {name} already exists")));
            }
            ConfigChange::Create { config, initial_state } => (config, initial_state),
            ConfigChange::Replace(config) => (config, None),
            ConfigChange::Patch(patch) => match existing {
                Some(entry) => (patched(&entry.config, &patch), None),
                None => return Err(HerderError::no_connector(name)),
            },
        };
        self.stage.begin(
            format!("writing a config for connector {name} to the config topic"),
            SystemTime::now(),
        );
        let written = self.configs.put_connector(name, &config, initial_state).await;
        self.stage.end(SystemTime::now());
        written.map_err(store_failure)?;
        self.drain_config_events();
        let tasks = existing
            .map(|entry| self.info_of(name, entry).tasks)
            .unwrap_or_default();
        let kind = validate::connector_type(&self.plugins, &config);
        let info = ConnectorInfo {
            name: name.to_owned(),
            config,
            tasks,
            kind,
        };
        Ok(Put {
            created: existing.is_none(),
            info,
        })
    }

    /// Standalone: the answer holds the tasks that the connector came up with.
    fn reply_when_idle(&mut self, name: String, created: bool, reply: Reply<Put>) {
        let idle = self.idle(&name);
        let handle = self.handle.clone();
        self.beside(async move {
            let answer = match idle.await {
                Ok(Err(failure)) => Err(HerderError::Failed(failure)),
                Ok(Ok(())) => handle.connector_info(&name).await.map(|info| Put { created, info }),
                Err(_) => Err(HerderError::ShuttingDown),
            };
            let _ = reply.send(answer);
        });
    }

    /// Tells when nothing of a connector runs or is queued any more, with the failure of its latest start.
    fn idle(&mut self, name: &str) -> oneshot::Receiver<Result<(), String>> {
        let (waiter, idle) = oneshot::channel();
        self.lanes.entry(name.to_owned()).or_default().idle_waiters.push(waiter);
        self.advance(name);
        idle
    }

    /// Runs what waits for an answer, and tells somebody, beside the loop.
    fn beside(&mut self, answering: impl Future<Output = ()> + Send + 'static) {
        self.steps.spawn(async move {
            answering.await;
            // Belongs to no step: an empty name has no lane.
            Finished {
                name: String::new(),
                outcome: Outcome::Done,
                was_start: false,
                reply: None,
            }
        });
    }

    async fn delete(&mut self, name: String, reply: Reply<()>) {
        if !self.configs.snapshot().connectors.contains_key(&name) {
            let _ = reply.send(Err(HerderError::no_connector(&name)));
            return;
        }
        self.stage.begin(
            format!("removing the config for connector {name} from the config topic"),
            SystemTime::now(),
        );
        let removed = self.configs.remove_connector(&name).await;
        self.stage.end(SystemTime::now());
        if let Err(error) = removed {
            let _ = reply.send(Err(store_failure(error)));
            return;
        }
        self.drain_config_events();
        match self.mode {
            Mode::Distributed => drop(reply.send(Ok(()))),
            Mode::Standalone => {
                let idle = self.idle(&name);
                self.beside(async move {
                    let _ = idle.await;
                    let _ = reply.send(Ok(()));
                });
            }
        }
    }

    async fn set_target_state(&mut self, name: &str, state: TargetState) -> Result<(), HerderError> {
        if !self.configs.snapshot().connectors.contains_key(name) {
            return Err(HerderError::NotFound(format!("Unknown connector {name}")));
        }
        self.stage.begin(
            format!("writing the target state of connector {name}"),
            SystemTime::now(),
        );
        let written = self.write_target_state(name, state).await;
        self.stage.end(SystemTime::now());
        self.drain_config_events();
        written.map_err(store_failure)
    }

    async fn write_target_state(&mut self, name: &str, state: TargetState) -> Result<(), StoreError> {
        if state == TargetState::Stopped {
            self.configs.put_task_configs(name, &[]).await?;
        }
        self.configs.put_target_state(name, state).await
    }

    /// The two modes of Apache's worker have words of their own.
    fn nothing_to_restart(&self, name: &str) -> HerderError {
        match self.mode {
            Mode::Distributed => HerderError::NotFound(format!("Unknown connector: {name}")),
            Mode::Standalone => HerderError::no_connector(name),
        }
    }

    fn restart_connector(&mut self, name: String, reply: Reply<()>) {
        if !self.configs.snapshot().connectors.contains_key(&name) {
            let _ = reply.send(Err(self.nothing_to_restart(&name)));
            return;
        }
        let text = format!("Failed to start connector: {name}");
        let step_reply = self.rewording(reply, text);
        self.push(&name, Step::StartConnector, Some(step_reply));
    }

    /// A step's reply whose failure is told to the asker in Apache's words.
    fn rewording(&mut self, reply: Reply<()>, text: String) -> StepReply {
        let (step_reply, done) = oneshot::channel();
        self.beside(async move {
            let answer = match done.await {
                Ok(Err(HerderError::Failed(_))) => Err(HerderError::Failed(text)),
                Ok(other) => other,
                Err(_) => Err(HerderError::ShuttingDown),
            };
            let _ = reply.send(answer);
        });
        step_reply
    }

    async fn restart(&mut self, name: &str, scope: RestartScope) -> Result<ConnectorStateInfo, HerderError> {
        let state = self.configs.snapshot();
        let Some(entry) = state.connectors.get(name) else {
            return Err(HerderError::NotFound(format!("Unknown connector: {name}")));
        };
        let kind = validate::connector_type(&self.plugins, &entry.config);
        let Some(now) = status_of(&self.status, name, kind) else {
            return Err(HerderError::NotFound(format!("Status for connector {name} not found")));
        };
        let shown = restart::plan(&now, scope).shown;
        let request = RestartRequest {
            connector: name.to_owned(),
            include_tasks: scope.include_tasks,
            only_failed: scope.only_failed,
        };
        self.configs.put_restart(&request).await.map_err(store_failure)?;
        self.drain_config_events();
        Ok(shown)
    }

    fn restart_task(&mut self, name: String, task: u32, reply: Reply<()>) {
        let state = self.configs.snapshot();
        let Some(entry) = state.connectors.get(&name) else {
            let _ = reply.send(Err(self.nothing_to_restart(&name)));
            return;
        };
        if task as usize >= entry.task_configs.as_ref().map_or(0, Vec::len) {
            let text = match self.mode {
                Mode::Distributed => format!("Unknown task: {name}-{task}"),
                Mode::Standalone => format!("Task {name}-{task} not found"),
            };
            let _ = reply.send(Err(HerderError::NotFound(text)));
            return;
        }
        let step_reply = self.rewording(reply, format!("Failed to start task: {name}-{task}"));
        self.push(&name, Step::RestartTask(task), Some(step_reply));
    }
}

/// H.2: equal count, equal maps, and the connector config they were made from is still the current one.
fn task_set_is_current(entry: &ConnectorEntry, configs: &[ConfigMap]) -> bool {
    let same_tasks = entry.task_configs.as_deref().is_some_and(|current| current == configs);
    same_tasks
        && entry
            .applied_config
            .as_ref()
            .is_none_or(|applied| *applied == entry.config)
}

fn store_failure(error: StoreError) -> HerderError {
    HerderError::Failed(error.to_string())
}

fn log_unwritten(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "status was not written");
    }
}
