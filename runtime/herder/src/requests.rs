//! Requests as the event loop answers them: reads, changes, restarts.
//!
//! A change is written and then acted upon as an event; see `apply`. Who has to answer when this worker is not the one is decided in
//! `distributed/leader.rs`.

use std::time::SystemTime;

use tokio::sync::oneshot;
use weir_config::map::ConfigMap;
use weir_stores::configs::state::{ConnectorEntry, RestartRequest, TargetState};
use weir_stores::error::StoreError;
use weir_worker::lifecycle::TaskId;

use crate::error::HerderError;
use crate::handle::{patched, status_of};
use crate::herder::{Ended, Herder, store_failure};
use crate::info::{ConnectorInfo, ConnectorStateInfo, Put};
use crate::lane::{Step, StepReply};
use crate::offsets;
use crate::request::{ConfigChange, Reply, Request, RestartScope};
use crate::{restart, validate};

impl Herder {
    pub(crate) async fn on_request(&mut self, request: Request) {
        match request {
            Request::Ping { reply } => drop(reply.send(Ok(()))),
            Request::Lead { reply } => drop(reply.send(self.require_leader())),
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
                let result = self.offsets_modifiable(&name).await;
                let _ = reply.send(result);
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
            Request::SubmitTaskConfigs {
                name,
                configs,
                signed,
                reply,
            } => {
                let result = self.submit_task_configs(&name, &configs, &signed).await;
                let _ = reply.send(result);
            }
            Request::FenceZombies { name, signed, reply } => self.fence_zombies(name, signed, reply).await,
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
            Ok(put) if self.member.is_some() => drop(reply.send(Ok(put))),
            Ok(put) => self.reply_when_idle(name, put.created, reply),
        }
    }

    async fn write_config(&mut self, name: &str, change: ConfigChange) -> Result<Put, HerderError> {
        self.require_privileges().await?;
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
        self.written(written)?;
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
            Ended::Told
        });
    }

    async fn delete(&mut self, name: String, reply: Reply<()>) {
        if let Err(error) = self.require_privileges().await {
            let _ = reply.send(Err(error));
            return;
        }
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
        if let Err(error) = self.written(removed) {
            let _ = reply.send(Err(error));
            return;
        }
        self.drain_config_events();
        if self.member.is_some() {
            let _ = reply.send(Ok(()));
            return;
        }
        let idle = self.idle(&name);
        self.beside(async move {
            let _ = idle.await;
            let _ = reply.send(Ok(()));
        });
    }

    async fn set_target_state(&mut self, name: &str, state: TargetState) -> Result<(), HerderError> {
        if !self.configs.snapshot().connectors.contains_key(name) {
            return Err(match (&self.member, state) {
                // Apache's standalone worker looks for it only while it writes.
                (None, TargetState::Stopped) => HerderError::Failed(format!("No connector `{name}` configured")),
                _ => HerderError::NotFound(format!("Unknown connector {name}")),
            });
        }
        if state == TargetState::Stopped {
            self.require_privileges().await?;
        }
        self.stage.begin(
            format!("writing the target state of connector {name}"),
            SystemTime::now(),
        );
        let written = self.write_target_state(name, state).await;
        self.stage.end(SystemTime::now());
        self.drain_config_events();
        self.written(written)
    }

    async fn write_target_state(&mut self, name: &str, state: TargetState) -> Result<(), StoreError> {
        if state == TargetState::Stopped {
            self.configs.put_task_configs(name, &[]).await?;
        }
        self.configs.put_target_state(name, state).await
    }

    /// The two modes of Apache's worker have words of their own; the standalone one stumbles over what is not there.
    fn nothing_to_restart(&self, name: &str, standalone: String) -> HerderError {
        match &self.member {
            Some(_) => HerderError::NotFound(format!("Unknown connector: {name}")),
            None => HerderError::Failed(standalone),
        }
    }

    fn restart_connector(&mut self, name: String, reply: Reply<()>) {
        if !self.configs.snapshot().connectors.contains_key(&name) {
            let standalone = "Cannot invoke \"java.util.Map.get(Object)\" because \"connProps\" is null";
            let _ = reply.send(Err(self.nothing_to_restart(&name, standalone.to_owned())));
            return;
        }
        if let Err(error) = self.require_connector(&name) {
            let _ = reply.send(Err(error));
            return;
        }
        let text = format!("Failed to start connector: {name}");
        let step_reply = self.rewording(reply, text);
        self.interrupt(&name);
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
        self.require_privileges().await?;
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
        let written = self.configs.put_restart(&request).await;
        self.written(written)?;
        self.drain_config_events();
        Ok(shown)
    }

    /// Leader only, from the latest configs.
    async fn offsets_modifiable(&mut self, name: &str) -> Result<ConfigMap, HerderError> {
        self.require_leader()?;
        self.configs.refresh().await.map_err(store_failure)?;
        self.drain_config_events();
        offsets::modifiable(&self.configs.snapshot(), name)
    }

    fn restart_task(&mut self, name: String, task: u32, reply: Reply<()>) {
        let state = self.configs.snapshot();
        let Some(entry) = state.connectors.get(&name) else {
            let standalone =
                format!("Failed to start task {name}-{task} since it is not a recognizable type (source or sink)");
            let _ = reply.send(Err(self.nothing_to_restart(&name, standalone)));
            return;
        };
        if task as usize >= entry.task_configs.as_ref().map_or(0, Vec::len) {
            let text = match &self.member {
                Some(_) => format!("Unknown task: {name}-{task}"),
                None => format!("Task {name}-{task} not found"),
            };
            let _ = reply.send(Err(HerderError::NotFound(text)));
            return;
        }
        let id = TaskId {
            connector: name.clone(),
            task,
        };
        if let Err(error) = self.require_task(&id) {
            let _ = reply.send(Err(error));
            return;
        }
        let step_reply = self.rewording(reply, format!("Failed to start task: {name}-{task}"));
        self.push(&name, Step::RestartTask(task), Some(step_reply));
    }
}
