//! What follows from events: steps on lanes, task sets, statuses.
//!
//! The event loop's own work, one event at a time; waiting for connectors and tasks happens in lanes. What the group adds is in
//! `distributed/rebalance.rs`.

use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use weir_config::map::ConfigMap;
use weir_metrics::clock::Clock;
use weir_stores::configs::state::{ConfigEvent, ConnectorEntry, RestartRequest};
use weir_stores::error::StoreError;
use weir_stores::status::Subject;
use weir_stores::status::records::{State, Status, TopicStatus};
use weir_worker::connector_config::CONNECTOR_PLUGIN_VERSION;
use weir_worker::lifecycle::{TaskId, WorkerEvent};
use weir_worker::log_context::connector_span;

use crate::distributed::waiting::STALE;
use crate::error::HerderError;
use crate::herder::{Ended, Finished, Herder};
use crate::lane::{self, Begun, Outcome, Step, StepContext, StepReply};
use crate::request::RestartScope;

/// Statuses written together at most; more are written after them.
const MOST_STATUSES: usize = 512;

impl Herder {
    pub(crate) fn push(&mut self, name: &str, step: Step, reply: Option<StepReply>) {
        self.lanes.entry(name.to_owned()).or_default().push(step, reply);
        self.advance(name);
    }

    /// Starts the next step of a lane, or ends the lane when nothing is left.
    pub(crate) fn advance(&mut self, name: &str) {
        let Some(lane) = self.lanes.get_mut(name) else {
            return;
        };
        if let Some(Begun { step, reply, interrupt }) = lane.begin() {
            let was_start = matches!(step, Step::StartConnector);
            if was_start {
                lane.last_failure = None;
            }
            let (cx, state) = (self.step_context(interrupt), self.configs.snapshot());
            let owner = name.to_owned();
            let running = self.steps.spawn(async move {
                let outcome = lane::run(cx, state, &owner, step)
                    .instrument(connector_span(&owner))
                    .await;
                Ended::Step(Finished {
                    name: owner,
                    outcome,
                    was_start,
                    reply,
                })
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

    /// Has what runs on a connector's lane give up for what is queued next.
    pub(crate) fn interrupt(&self, name: &str) {
        if let Some(lane) = self.lanes.get(name) {
            lane.interrupt();
        }
    }

    fn step_context(&self, interrupt: CancellationToken) -> StepContext {
        StepContext {
            worker: self.worker.clone(),
            status: self.status.clone(),
            worker_id: self.worker_id.clone(),
            generation: self.generation,
            owned: self.owned.clone(),
            internal: self.member.as_ref().map(|member| member.internal.clone()),
            interrupt,
        }
    }

    pub(crate) async fn on_finished(&mut self, finished: Finished) {
        let Finished {
            name,
            outcome,
            was_start,
            reply,
        } = finished;
        let answer = match &outcome {
            Outcome::Failed(error) => Err(HerderError::Failed(error.clone())),
            Outcome::Interrupted => Err(HerderError::Conflict(STALE.to_owned())),
            Outcome::Done | Outcome::Connector { .. } | Outcome::Generated { .. } | Outcome::GenerateFailed { .. } => {
                Ok(())
            }
        };
        if let Some(lane) = self.lanes.get_mut(&name) {
            lane.finished();
            if was_start && let Outcome::Failed(error) = &outcome {
                lane.last_failure = Some(error.clone());
            }
        }
        match outcome {
            Outcome::Done | Outcome::Failed(_) | Outcome::Interrupted | Outcome::Connector { running: false } => {}
            Outcome::Connector { running: true } => self.push(&name, Step::Generate { attempt: 0 }, None),
            Outcome::Generated { attempt, configs } => self.publish_tasks(&name, attempt, configs).await,
            Outcome::GenerateFailed { attempt, error, retry } => {
                self.generate_failed(&name, attempt, error, retry).await
            }
        }
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
        self.advance(&name);
    }

    /// Has the task set written if it differs from the current one or the connector config changed since.
    async fn publish_tasks(&mut self, name: &str, attempt: u32, configs: Vec<ConfigMap>) {
        let state = self.configs.snapshot();
        let Some(entry) = state.connectors.get(name) else {
            return;
        };
        if task_set_is_current(entry, &configs) {
            return;
        }
        let error = if self.is_leader() {
            self.write_task_configs(name, &configs).await.err()
        } else {
            let leader = self.member.as_ref().and_then(|member| member.handle.leader_url());
            match leader.filter(|url| !url.is_empty()) {
                Some(leader_url) => {
                    let submit = Step::Submit {
                        leader_url,
                        attempt,
                        configs,
                    };
                    self.push(name, submit, None);
                    None
                }
                None => Some(HerderError::Conflict(STALE.to_owned())),
            }
        };
        if let Some(error) = error {
            tracing::warn!(connector = name, %error, "task configs were not written, trying again");
            self.push(name, Step::Generate { attempt: attempt + 1 }, None);
        }
    }

    async fn generate_failed(&mut self, name: &str, attempt: u32, error: String, retry: bool) {
        if retry {
            // Without a text it is expected to pass at once.
            if !error.is_empty() {
                tracing::warn!(
                    connector = name,
                    attempt,
                    error,
                    "connector's tasks were not made, trying again"
                );
            }
            self.push(name, Step::Generate { attempt }, None);
            return;
        }
        tracing::error!(connector = name, error, "connector gave no usable task configs");
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.last_failure = Some(error.clone());
        }
        let state = self.configs.snapshot();
        let version = state.connectors.get(name).and_then(|entry| self.version(&entry.config));
        let status = self.own_status(State::Failed, Some(error), version);
        log_unwritten(self.status.put_connector_safe(name, status).await);
    }

    /// Acts on what the store reported so far, so that a reply that follows sees its effects queued.
    pub(crate) fn drain_config_events(&mut self) {
        while let Ok(event) = self.config_events.try_recv() {
            self.on_config_event(event);
        }
    }

    pub(crate) fn on_config_event(&mut self, event: ConfigEvent) {
        if self.member.is_some() {
            self.on_member_config_event(event);
            return;
        }
        match event {
            ConfigEvent::ConnectorUpdated(name) => {
                self.interrupt(&name);
                self.push(&name, Step::StartConnector, None);
            }
            ConfigEvent::TasksUpdated(name) => self.push(&name, Step::ApplyTasks, None),
            ConfigEvent::TargetStateChanged(name) => {
                self.interrupt(&name);
                self.push(&name, Step::ApplyState, None);
            }
            ConfigEvent::ConnectorRemoved(name) => {
                if let Some(lane) = self.lanes.get_mut(&name) {
                    lane.clear();
                    lane.interrupt();
                }
                self.push(&name, Step::Remove, None);
            }
            ConfigEvent::Restart(request) => self.on_restart_record(&request),
            ConfigEvent::Logger { namespace, level } => self.loggers.set_from_cluster(&namespace, &level),
        }
    }

    pub(crate) fn on_restart_record(&mut self, request: &RestartRequest) {
        let scope = RestartScope {
            include_tasks: request.include_tasks,
            only_failed: request.only_failed,
        };
        if !scope.only_failed {
            self.interrupt(&request.connector);
        }
        self.push(&request.connector, Step::Restart(scope), None);
    }

    /// Acts on what the data plane reports: statuses of many at a time go out together.
    pub(crate) async fn on_worker_event(&mut self, first: WorkerEvent) {
        let mut statuses = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                WorkerEvent::TopicUsed { id, topic } => self.note_topic(id, topic).await,
                other => statuses.extend(self.reported(other)),
            }
            next = match statuses.len() {
                MOST_STATUSES.. => None,
                _ => self.worker_events.try_recv().ok(),
            };
        }
        if !statuses.is_empty() {
            log_unwritten(self.status.put_all(statuses).await);
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

    /// The status to be written, unless nobody has such a connector or task any more.
    fn reported(&mut self, event: WorkerEvent) -> Option<(Subject, Status)> {
        let snapshot = self.configs.snapshot();
        match event {
            WorkerEvent::ConnectorStatus { name, state, trace } => {
                let entry = snapshot.connectors.get(&name)?;
                let status = self.own_status(state, trace, self.version(&entry.config));
                Some((Subject::Connector(name), status))
            }
            WorkerEvent::TaskStatus { id, state, trace } => {
                let entry = snapshot.connectors.get(&id.connector)?;
                entry.task_configs.as_ref()?.get(id.task as usize)?;
                let status = self.own_status(state, trace, self.version(&entry.config));
                Some((Subject::Task(id.connector, id.task), status))
            }
            WorkerEvent::ReconfigureTasks { name } => {
                self.push(&name, Step::Generate { attempt: 0 }, None);
                None
            }
            WorkerEvent::RestartTask { id } => {
                // Only while it is still the task of then: another start cancels the wait for this one.
                if self.worker.task_ids(&id.connector).contains(&id) {
                    self.push(&id.connector, Step::RestartTask(id.task), None);
                }
                None
            }
            WorkerEvent::RestartConnector { name } => {
                if self.owned.has_connector(&name) {
                    self.push(&name, Step::StartConnector, None);
                }
                None
            }
            // Noted by the caller, which may wait.
            WorkerEvent::TopicUsed { .. } => None,
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

    fn version(&self, config: &ConfigMap) -> Option<String> {
        let class = config.get("connector.class")?;
        let version = config.get(CONNECTOR_PLUGIN_VERSION);
        Some(self.plugins.find_connector_version(class, version).ok()?.version)
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

fn log_unwritten(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "status was not written");
    }
}
