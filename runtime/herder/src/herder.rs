//! The event loop: one owner of what should run on this worker.
//!
//! Requests, config events, worker events and finished lane steps arrive here one at a time; nothing else decides.
//! A change is written to the config store first and acted upon when the store reports it back, so that a
//! restart finds what was promised. All work on a connector goes through its lane.
//! A distributed worker is a member of a group and acts on its share only (`distributed`); a standalone one owns everything.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weir_plugins::plugins::Plugins;
use weir_stores::configs::ConfigStore;
use weir_stores::configs::state::ConfigEvent;
use weir_stores::error::StoreError;
use weir_stores::status::StatusStore;
use weir_worker::lifecycle::WorkerEvent;
use weir_worker::worker::Worker;
use weir_worker::worker_config::TopicRules;

use crate::distributed::assignment::Ownership;
use crate::distributed::member::{GroupParts, Member};
use crate::distributed::waiting::needs_settled_group;
use crate::error::{HerderError, RunError};
use crate::group::membership::GroupEvent;
use crate::handle::{HandleParts, HerderHandle};
use crate::info::ServerInfo;
use crate::lane::{Lane, Outcome, Step, StepReply};
use crate::loggers::Loggers;
use crate::request::Request;
use crate::stage::Stage;
use crate::validate::WorkerConverters;

/// Requests waiting for the loop; more wait in their senders.
const REQUEST_BACKLOG: usize = 1024;

/// What a herder is made of.
#[derive(Debug)]
pub struct HerderParts {
    /// What a distributed worker joins its group with; none: standalone.
    pub group: Option<GroupParts>,
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
    pub(crate) worker: Arc<Worker>,
    pub(crate) worker_events: mpsc::Receiver<WorkerEvent>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) configs: ConfigStore,
    pub(crate) config_events: mpsc::Receiver<ConfigEvent>,
    requests: mpsc::Receiver<Request>,
    pub(crate) status: StatusStore,
    pub(crate) worker_id: String,
    /// Written into statuses: the group's; 0 in standalone mode, as Apache writes it.
    pub(crate) generation: i32,
    pub(crate) owned: Ownership,
    /// Until it joins.
    group: Option<GroupParts>,
    /// None in standalone mode.
    pub(crate) member: Option<Member>,
    pub(crate) group_events: mpsc::Receiver<GroupEvent>,
    pub(crate) lanes: HashMap<String, Lane>,
    pub(crate) steps: JoinSet<Ended>,
    /// Whose step a task is, so that a panic still frees its lane.
    pub(crate) owners: HashMap<tokio::task::Id, String>,
    pub(crate) stage: Stage,
    pub(crate) loggers: Loggers,
    pub(crate) handle: HerderHandle,
}

/// Something that ran beside the loop and has ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A step of a lane.
    Step(Finished),
    /// Somebody was told something; nothing follows.
    Told,
    /// Revoked work has stopped.
    Released(oneshot::Sender<()>),
    /// The fencing of a connector's earlier tasks.
    Fenced {
        name: String,
        /// The task set that it was for.
        task_generation: u64,
        result: Result<(), String>,
    },
}

/// A step of a lane that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) name: String,
    pub(crate) outcome: Outcome,
    pub(crate) was_start: bool,
    pub(crate) reply: Option<StepReply>,
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
        let owned = match parts.group {
            Some(_) => Ownership::of_nothing(),
            None => Ownership::of_everything(),
        };
        Herder {
            worker: parts.worker,
            worker_events: parts.worker_events,
            plugins: parts.plugins,
            configs: parts.configs,
            config_events,
            requests,
            status: parts.status,
            worker_id: parts.worker_id,
            generation: 0,
            owned,
            group: parts.group,
            member: None,
            group_events: mpsc::channel(1).1,
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

    /// Reads the stores, starts what they hold or what the group gives, then serves until `shutdown`; stops everything it started.
    ///
    /// *Errors*: the config store could not be read at start, or the group does not take this worker.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), RunError> {
        self.stage
            .begin("reading to the end of internal topics", SystemTime::now());
        self.configs.start().await?;
        self.stage.end(SystemTime::now());
        match self.group.take() {
            Some(group) => self.join_group(group)?,
            None => self.start_existing(),
        }
        let mut outcome = Ok(());
        loop {
            let deadline = self.member.as_ref().and_then(Member::next_deadline);
            // Configs before the group: an assignment finds the events it was made for acted upon. Every branch but the last takes
            // one message: cancel safe.
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.steps.join_next_with_id(), if !self.steps.is_empty() => self.on_ended(ended).await,
                Some(event) = self.worker_events.recv() => self.on_worker_event(event).await,
                Some(event) = self.config_events.recv() => self.on_config_event(event),
                Some(event) = self.group_events.recv() => if let Err(error) = self.on_group_event(event).await {
                    outcome = Err(error);
                    break;
                },
                Some(request) = self.requests.recv() => self.take_request(request).await,
                () = at(deadline) => self.on_deadline().await,
            }
        }
        self.stop().await;
        outcome
    }

    /// Serves a request, or has it wait for the end of a rebalance.
    async fn take_request(&mut self, request: Request) {
        if let Some(member) = &mut self.member
            && needs_settled_group(&request)
            && !member.is_settled()
        {
            member.waiting.add(request, Instant::now());
            return;
        }
        self.on_request(request).await;
    }

    async fn on_ended(&mut self, ended: Result<(tokio::task::Id, Ended), JoinError>) {
        match ended {
            Ok((id, ended)) => {
                self.owners.remove(&id);
                match ended {
                    Ended::Step(finished) => self.on_finished(finished).await,
                    Ended::Told => {}
                    Ended::Released(done) => {
                        self.write_waiting_statuses().await;
                        // The membership that asked may have ended meanwhile.
                        let _gone = done.send(());
                    }
                    Ended::Fenced {
                        name,
                        task_generation,
                        result,
                    } => self.on_fenced(&name, task_generation, result).await,
                }
            }
            Err(error) => {
                tracing::error!(%error, "a connector step ended abnormally");
                let name = self.owners.remove(&error.id()).unwrap_or_default();
                let outcome = Outcome::Failed(error.to_string());
                let finished = Finished {
                    name,
                    outcome,
                    was_start: false,
                    reply: None,
                };
                self.on_finished(finished).await;
            }
        }
    }

    /// Work first, then its statuses, then the group: what this worker ran is nobody's until all of it has stopped.
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
        self.write_waiting_statuses().await;
        if let Some(member) = self.member.take() {
            self.configs.relinquish().await;
            member.handle.leave().await;
        }
    }

    /// Writes what stopped work has reported by now.
    async fn write_waiting_statuses(&mut self) {
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
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

pub(crate) fn store_failure(error: StoreError) -> HerderError {
    HerderError::Failed(error.to_string())
}
