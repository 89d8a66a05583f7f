//! What the leader of the group does besides: statuses, session key, the right to write
//!
//! And who answers when this worker does not lead. Source: `DistributedHerder` (KIP-507, KIP-618).

use std::time::Duration;

use tokio::time::Instant;
use weir_config::map::ConfigMap;
use weir_stores::configs::ConfigReader;
use weir_stores::configs::state::TargetState;
use weir_stores::error::StoreError;
use weir_stores::status::StatusStore;
use weir_worker::lifecycle::TaskId;

use crate::error::HerderError;
use crate::group::protocol::ConnectProtocol;
use crate::herder::{Ended, Herder, store_failure};
use crate::request::Signed;

/// Pause before a session key that was not written is tried again.
const KEY_RETRY: Duration = Duration::from_secs(1);

const NO_KNOWN_LEADER: &str =
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";
const CONFLICTING: &str = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

/// An answer that another worker has to give.
pub(crate) fn elsewhere(url: Option<String>) -> HerderError {
    let url = url.filter(|url| !url.is_empty());
    let message = if url.is_some() { CONFLICTING } else { NO_KNOWN_LEADER };
    HerderError::Elsewhere {
        url,
        message: message.to_owned(),
    }
}

impl Herder {
    /// Is true for the leader, and for a worker on its own.
    pub(crate) fn is_leader(&self) -> bool {
        self.member.as_ref().is_none_or(|member| member.is_leader)
    }

    /// Sends all others to the leader.
    pub(crate) fn require_leader(&self) -> Result<(), HerderError> {
        match &self.member {
            Some(member) if !member.is_leader => Err(elsewhere(member.handle.leader_url())),
            _ => Ok(()),
        }
    }

    /// Sends all others to the worker that runs the connector: by way of the leader, who knows.
    pub(crate) fn require_connector(&self, name: &str) -> Result<(), HerderError> {
        let Some(member) = &self.member else { return Ok(()) };
        if self.owned.has_connector(name) {
            return Ok(());
        }
        self.require_leader()?;
        Err(elsewhere(member.handle.connector_url(name)))
    }

    /// As [`Herder::require_connector`], for a task.
    pub(crate) fn require_task(&self, task: &TaskId) -> Result<(), HerderError> {
        let Some(member) = &self.member else { return Ok(()) };
        if self.owned.has_task(task) {
            return Ok(());
        }
        self.require_leader()?;
        Err(elsewhere(member.handle.task_url(task)))
    }

    /// Leader only: claims the config topic unless that was done. A writer that was fenced has to do it again.
    pub(crate) async fn require_privileges(&mut self) -> Result<(), HerderError> {
        self.require_leader()?;
        let Some(member) = &mut self.member else { return Ok(()) };
        if member.has_claimed {
            return Ok(());
        }
        self.configs.claim().await.map_err(store_failure)?;
        member.has_claimed = true;
        Ok(())
    }

    /// Notes what became of a write as leader.
    pub(crate) fn written(&mut self, result: Result<(), StoreError>) -> Result<(), HerderError> {
        if let (Err(StoreError::Privileged { .. } | StoreError::NotClaimed), Some(member)) = (&result, &mut self.member)
        {
            member.has_claimed = false;
        }
        result.map_err(store_failure)
    }

    /// A round is complete: takes the leader's duties up, or lays them down.
    pub(crate) async fn lead_or_follow(&mut self, leader: bool) {
        let Some(member) = &mut self.member else { return };
        let was_leader = std::mem::replace(&mut member.is_leader, leader);
        if !leader {
            member.has_claimed = false;
            member.key_due = None;
            member.fencings.clear();
            if was_leader {
                self.configs.relinquish().await;
            }
            return;
        }
        if !was_leader {
            member.has_claimed = false;
        }
        if let Err(error) = self.require_privileges().await {
            tracing::warn!(%error, "the right to write the config topic was not claimed, the next write tries again");
        }
        self.renew_session_key().await;
        let Some(member) = &self.member else { return };
        let (configs, status) = (member.configs.clone(), self.status.clone());
        self.steps.spawn(async move {
            forget_statuses(&configs, &status).await;
            Ended::Told
        });
    }

    /// Writes a session key when one is due, and notes when the next will be.
    pub(crate) async fn renew_session_key(&mut self) {
        let Some(member) = &mut self.member else { return };
        member.key_due = None;
        if !member.is_leader || member.handle.protocol() != Some(ConnectProtocol::Sessioned) {
            return;
        }
        let (now_ms, state) = (member.clock.now_ms(), member.configs.snapshot());
        let Some(due_ms) = member.keys.due_at_ms(state.session_key.as_ref(), now_ms) else {
            return;
        };
        let mut wait = Duration::from_millis(u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or(0));
        if wait.is_zero() {
            let key = member.keys.generate(now_ms);
            let (written, ttl) = (self.write_session_key(&key).await, self.key_ttl());
            wait = match written {
                Ok(()) if ttl.is_zero() => return,
                Ok(()) => ttl,
                Err(error) => {
                    tracing::warn!(%error, "session key was not written, trying again");
                    KEY_RETRY
                }
            };
        }
        if let Some(member) = &mut self.member {
            member.key_due = Some(Instant::now() + wait);
        }
    }

    fn key_ttl(&self) -> Duration {
        self.member.as_ref().map(|member| member.keys.ttl).unwrap_or_default()
    }

    async fn write_session_key(&mut self, key: &weir_stores::configs::state::SessionKey) -> Result<(), HerderError> {
        self.require_privileges().await?;
        let written = self.configs.put_session_key(key).await;
        self.written(written)
    }

    /// Checks the signature of an internal request, where the group signs.
    pub(crate) fn verify(&self, signed: &Signed) -> Result<(), HerderError> {
        let Some(member) = &self.member else { return Ok(()) };
        if member.handle.protocol() != Some(ConnectProtocol::Sessioned) {
            return Ok(());
        }
        member.keys.verify(self.configs.snapshot().session_key.as_ref(), signed)
    }

    /// Takes a connector's tasks from the worker that it runs on.
    pub(crate) async fn submit_task_configs(
        &mut self,
        name: &str,
        configs: &[ConfigMap],
        signed: &Signed,
    ) -> Result<(), HerderError> {
        if self.member.is_none() {
            return Err(HerderError::Failed(
                "Kafka Connect in standalone mode does not support externally setting task configurations.".to_owned(),
            ));
        }
        self.verify(signed)?;
        self.require_leader()?;
        let state = self.configs.snapshot();
        let entry = state
            .connectors
            .get(name)
            .ok_or_else(|| HerderError::no_connector(name))?;
        if entry.target_state == TargetState::Stopped && !configs.is_empty() {
            return Err(HerderError::bad_request(format!(
                "Cannot submit non-empty set of task configs for stopped connector {name}"
            )));
        }
        self.write_task_configs(name, configs).await
    }

    /// Writes a task set as the leader.
    pub(crate) async fn write_task_configs(&mut self, name: &str, configs: &[ConfigMap]) -> Result<(), HerderError> {
        self.require_privileges().await?;
        let written = self.configs.put_task_configs(name, configs).await;
        let written = self.written(written);
        self.drain_config_events();
        written
    }
}

/// Removes the statuses and topics of connectors and tasks that are configured no more.
async fn forget_statuses(configs: &ConfigReader, status: &StatusStore) {
    for name in status.connectors() {
        for (task, _) in status.tasks(&name) {
            // Looked up each time: a connector may have come back meanwhile.
            let state = configs.snapshot();
            let tasks = state
                .connectors
                .get(&name)
                .and_then(|entry| entry.task_configs.as_ref());
            if task as usize >= tasks.map_or(0, Vec::len)
                && let Err(error) = status.remove_task(&name, task).await
            {
                tracing::warn!(connector = name, task, %error, "status of a removed task stays behind");
            }
        }
        if configs.snapshot().connectors.contains_key(&name) {
            continue;
        }
        if status.get_connector(&name).is_some()
            && let Err(error) = status.remove_connector(&name).await
        {
            tracing::warn!(connector = name, %error, "status of a removed connector stays behind");
        }
        if let Err(error) = status.remove_topics(&name).await {
            tracing::warn!(connector = name, %error, "topics of a removed connector stay behind");
        }
    }
}
