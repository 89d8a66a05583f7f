//! The herder's door: what REST and the command line may ask.
//!
//! Changes and reads of the cluster state go to the event loop and wait at most 90 s, as Apache's do. Statuses,
//! plugin listings and validation are answered here without it, from shared caches.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use weir_config::map::ConfigMap;
use weir_plugins::plugins::{PluginInfo, Plugins};
use weir_stores::configs::state::TargetState;
use weir_stores::status::StatusStore;
use weir_stores::status::records::Status;
use weir_worker::lifecycle::TaskId;
use weir_worker::worker::Worker;
use weir_worker::worker_config::TopicRules;

use crate::error::HerderError;
use crate::info::{
    ConfigInfo, ConfigInfos, ConnectorInfo, ConnectorStateInfo, ConnectorType, Health, Put, ServerInfo, StateInfo,
};
use crate::loggers::Loggers;
use crate::request::{ConfigChange, InternalSignature, Reply, Request, RestartScope, Signed};
use crate::stage::Stage;
use crate::validate;

/// How long a request waits for the event loop (fixed in Apache Connect).
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long `GET /health` waits.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);

/// A cheap, cloneable handle to one herder.
#[derive(Debug, Clone)]
pub struct HerderHandle {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    requests: mpsc::Sender<Request>,
    pub(crate) worker: Arc<Worker>,
    pub(crate) topic_rules: TopicRules,
    pub(crate) loggers: Loggers,
    plugins: Arc<Plugins>,
    pub(crate) status: StatusStore,
    converters: validate::WorkerConverters,
    refused: validate::RefusedClasses,
    pub(crate) exactly_once: bool,
    server: ServerInfo,
    stage: Stage,
    ready: watch::Sender<bool>,
}

/// What a handle is made of.
#[derive(Debug)]
pub struct HandleParts {
    /// To the event loop.
    pub requests: mpsc::Sender<Request>,
    /// The data plane, for offsets.
    pub worker: Arc<Worker>,
    /// Whether topics are tracked, and may be reset.
    pub topic_rules: TopicRules,
    /// Log levels of this worker.
    pub loggers: Loggers,
    /// The plugins of this worker.
    pub plugins: Arc<Plugins>,
    /// Cached statuses.
    pub status: StatusStore,
    /// The worker's default converters, shown as defaults in validation answers.
    pub converters: validate::WorkerConverters,
    /// Answer of `GET /`.
    pub server: ServerInfo,
    /// What the event loop is doing.
    pub stage: Stage,
}

impl Inner {
    pub(crate) fn connector_type(&self, config: &ConfigMap) -> ConnectorType {
        validate::connector_type(&self.plugins, config)
    }
}

impl HerderHandle {
    /// Makes the handle; the worker is not ready until [`HerderHandle::set_ready`].
    pub fn new(parts: HandleParts) -> Self {
        HerderHandle {
            inner: Arc::new(Inner {
                requests: parts.requests,
                worker: parts.worker,
                topic_rules: parts.topic_rules,
                loggers: parts.loggers,
                plugins: parts.plugins,
                status: parts.status,
                exactly_once: parts.converters.exactly_once,
                converters: parts.converters,
                refused: validate::RefusedClasses::default(),
                server: parts.server,
                stage: parts.stage,
                ready: watch::Sender::new(false),
            }),
        }
    }

    /// Start-up is complete: internal topics are read, and in standalone mode the given connectors exist.
    pub fn set_ready(&self) {
        self.inner.ready.send_replace(true);
    }

    /// Waits for [`HerderHandle::set_ready`].
    pub async fn ready(&self) {
        // Fails when the sender is dropped, which this handle holds.
        let mut ready = self.inner.ready.subscribe();
        let _ready = ready.wait_for(|ready| *ready).await;
    }

    /// What `GET /` tells.
    pub fn server_info(&self) -> &ServerInfo {
        &self.inner.server
    }

    pub(crate) async fn ask<T>(
        &self,
        timeout: Duration,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, HerderError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.inner
                .requests
                .send(request(reply))
                .await
                .map_err(|_| HerderError::ShuttingDown)?;
            answer.await.map_err(|_| HerderError::ShuttingDown)?
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(HerderError::TimedOut(self.inner.stage.describe())),
        }
    }

    /// KIP-1017: whether start-up is complete and the event loop answers within ten seconds.
    pub async fn health(&self) -> Health {
        if !*self.inner.ready.borrow() {
            return Health::Starting(self.inner.stage.describe());
        }
        match self.ask(HEALTH_TIMEOUT, |reply| Request::Ping { reply }).await {
            Ok(()) => Health::Healthy,
            Err(_) => Health::Unhealthy(self.inner.stage.describe()),
        }
    }

    /// Names of all connectors, sorted.
    pub async fn connectors(&self) -> Result<Vec<String>, HerderError> {
        self.ask(REQUEST_TIMEOUT, |reply| Request::Connectors { reply }).await
    }

    /// Config and tasks of one connector.
    pub async fn connector_info(&self, name: &str) -> Result<ConnectorInfo, HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::Info { name, reply }).await
    }

    /// Task configs of one connector, ascending.
    pub async fn task_configs(&self, name: &str) -> Result<Vec<ConfigMap>, HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::TaskConfigs { name, reply })
            .await
    }

    /// Validates and writes a config.
    ///
    /// *Errors*: bad request with all validation errors; already exists; not found for a patch.
    pub async fn put_connector(&self, name: &str, change: ConfigChange) -> Result<Put, HerderError> {
        match &change {
            ConfigChange::Create { config, .. } | ConfigChange::Replace(config) => self.require_valid(config).await?,
            ConfigChange::Patch(patch) => {
                // What is merged and validated is the leader's view.
                self.ask(REQUEST_TIMEOUT, |reply| Request::Lead { reply }).await?;
                let current = self.connector_info(name).await?.config;
                self.require_valid(&patched(&current, patch)).await?;
            }
        }
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::Put { name, change, reply })
            .await
    }

    async fn require_valid(&self, config: &ConfigMap) -> Result<(), HerderError> {
        let infos = self.validate_config(config).await?;
        match validate::failure_message(&infos) {
            Some(message) => Err(HerderError::bad_request(message)),
            None => Ok(()),
        }
    }

    /// Forgets a connector: config first, then its instance, tasks and statuses.
    pub async fn delete_connector(&self, name: &str) -> Result<(), HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::Delete { name, reply }).await
    }

    /// Writes a new target state; answered when written, not when applied.
    pub async fn set_target_state(&self, name: &str, state: TargetState) -> Result<(), HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::SetTargetState { name, state, reply })
            .await
    }

    /// Restarts the connector instance and waits for it.
    pub async fn restart_connector(&self, name: &str) -> Result<(), HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::RestartConnector { name, reply })
            .await
    }

    /// Restarts by plan (KIP-745) and answers the plan.
    pub async fn restart(&self, name: &str, scope: RestartScope) -> Result<ConnectorStateInfo, HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::Restart { name, scope, reply })
            .await
    }

    /// Restarts one task and waits for its start.
    pub async fn restart_task(&self, name: &str, task: u32) -> Result<(), HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::RestartTask { name, task, reply })
            .await
    }

    /// Takes the tasks that a connector made on another worker; the leader writes them.
    ///
    /// *Errors*: a signature that is missing, malformed (bad request) or wrong (forbidden); unavailable before there is a key.
    pub async fn submit_task_configs(
        &self,
        name: &str,
        configs: Vec<ConfigMap>,
        raw_body: &[u8],
        signature: Option<InternalSignature>,
    ) -> Result<(), HerderError> {
        let name = name.to_owned();
        let signed = Signed {
            body: raw_body.to_vec(),
            signature,
        };
        self.ask(REQUEST_TIMEOUT, |reply| Request::SubmitTaskConfigs {
            name,
            configs,
            signed,
            reply,
        })
        .await
    }

    /// Fences all earlier tasks of an exactly-once source connector; the leader does it.
    ///
    /// *Errors*: as [`HerderHandle::submit_task_configs`]; a conflict when a new task set overtook it.
    pub async fn fence_zombies(
        &self,
        name: &str,
        raw_body: &[u8],
        signature: Option<InternalSignature>,
    ) -> Result<(), HerderError> {
        let name = name.to_owned();
        let signed = Some(Signed {
            body: raw_body.to_vec(),
            signature,
        });
        self.ask(REQUEST_TIMEOUT, |reply| Request::FenceZombies { name, signed, reply })
            .await
    }

    /// As [`HerderHandle::fence_zombies`], for a task of this worker: nothing is signed.
    pub(crate) async fn fence_own(&self, name: &str) -> Result<(), HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::FenceZombies {
            name,
            signed: None,
            reply,
        })
        .await
    }

    /// State of a connector and its tasks, from the local status cache.
    pub async fn status(&self, name: &str) -> Result<ConnectorStateInfo, HerderError> {
        let kind = match self.connector_info(name).await {
            Ok(info) => info.kind,
            Err(HerderError::NotFound(_)) => ConnectorType::Unknown,
            Err(other) => return Err(other),
        };
        let mut info = status_of(&self.inner.status, name, kind)
            .ok_or_else(|| HerderError::NotFound(format!("No status found for connector {name}")))?;
        for (task, _) in &info.tasks {
            let id = TaskId {
                connector: name.to_owned(),
                task: *task,
            };
            if let Some(figures) = self.inner.worker.figures(&id) {
                info.figures.push((*task, figures));
            }
        }
        Ok(info)
    }

    /// State of one task, from the local status cache.
    pub fn task_status(&self, name: &str, task: u32) -> Result<StateInfo, HerderError> {
        match self.inner.status.get_task(name, task) {
            Some(status) => Ok(state_info(status)),
            None => Err(HerderError::NotFound(format!("No status found for task {name}-{task}"))),
        }
    }

    /// All plugins of this worker; only connectors unless asked otherwise.
    pub fn plugins(&self, connectors_only: bool) -> Vec<PluginInfo> {
        self.inner.plugins.list(connectors_only)
    }

    /// The config keys of one plugin in a version or range of versions, its own first, then the framework's.
    pub fn plugin_config(&self, plugin: &str, version: Option<&str>) -> Result<Vec<ConfigInfo>, HerderError> {
        validate::plugin_config(&self.inner.plugins, plugin, version)
    }

    /// Validates a whole connector config.
    pub async fn validate_config(&self, config: &ConfigMap) -> Result<ConfigInfos, HerderError> {
        let Inner {
            plugins,
            converters,
            refused,
            ..
        } = &*self.inner;
        validate::connector_config(plugins, converters, refused, config).await
    }
}

/// Applies a KIP-477 patch: a text sets, null removes.
pub(crate) fn patched(current: &ConfigMap, patch: &ConfigMap) -> ConfigMap {
    let mut merged = current.clone();
    for (key, value) in patch.iter() {
        match value {
            Some(text) => merged.insert(key, text),
            None => {
                merged.remove(key);
            }
        }
    }
    merged
}

/// Builds the state info of a connector from the status cache; none before the first status.
pub(crate) fn status_of(status: &StatusStore, name: &str, kind: ConnectorType) -> Option<ConnectorStateInfo> {
    let connector = state_info(status.get_connector(name)?);
    let mut tasks: Vec<(u32, StateInfo)> = status
        .tasks(name)
        .into_iter()
        .map(|(task, status)| (task, state_info(status)))
        .collect();
    tasks.sort_by_key(|(task, _)| *task);
    Some(ConnectorStateInfo {
        name: name.to_owned(),
        connector,
        tasks,
        kind,
        figures: Vec::new(),
    })
}

fn state_info(status: Status) -> StateInfo {
    StateInfo {
        state: status.state.name().to_owned(),
        worker_id: status.worker_id,
        version: status.version,
        trace: status.trace.filter(|trace| !trace.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_sets_texts_and_removes_nulls() {
        let current: ConfigMap = [("a", "1"), ("b", "2")]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), Some(v.to_owned())))
            .collect();
        let patch: ConfigMap = [("b", None), ("c", Some("3"))]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)))
            .collect();
        let merged = patched(&current, &patch);
        assert_eq!(merged.iter().collect::<Vec<_>>(), [("a", Some("1")), ("c", Some("3"))]);
    }
}
