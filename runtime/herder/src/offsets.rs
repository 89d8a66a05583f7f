//! Offsets of connectors, read and changed by users (KIP-875).
//!
//! Reads go to the worker as they are. A change is allowed by the event loop first: only the leader, only for a connector that is
//! stopped and has no tasks. The work itself runs beside the loop.

use weir_config::map::ConfigMap;
use weir_stores::configs::state::{ClusterState, TargetState};
use weir_stores::offsets::connector_offset::ConnectorOffset;
use weir_worker::error::WorkerError;
use weir_worker::offset_requests::OffsetsChange;

use crate::error::HerderError;
use crate::handle::{HerderHandle, REQUEST_TIMEOUT};
use crate::info::ConnectorType;
use crate::request::Request;

impl HerderHandle {
    /// The offsets a connector has committed, in any state.
    pub async fn connector_offsets(&self, name: &str) -> Result<Vec<ConnectorOffset>, HerderError> {
        let config = self.connector_info(name).await?.config;
        let read = self.inner.worker.listed_offsets(name, &config);
        within(read).await
    }

    /// Sets and removes offsets of a stopped connector; answers what a user is told.
    pub async fn alter_offsets(&self, name: &str, offsets: Vec<ConnectorOffset>) -> Result<String, HerderError> {
        self.modify_offsets(name, OffsetsChange::Alter(offsets)).await
    }

    /// Removes all offsets of a stopped connector; answers what a user is told.
    pub async fn reset_offsets(&self, name: &str) -> Result<String, HerderError> {
        self.modify_offsets(name, OffsetsChange::Reset).await
    }

    async fn modify_offsets(&self, name: &str, change: OffsetsChange) -> Result<String, HerderError> {
        let mut config = self.modifiable(name).await?;
        if self.inner.exactly_once && self.inner.connector_type(&config) == ConnectorType::Source {
            // A task that stopped late must not write over what the user sets.
            self.fence_own(name).await?;
            // It may have been started again meanwhile.
            config = self.modifiable(name).await?;
        }
        let changed = self.inner.worker.modify_connector_offsets(name, &config, change);
        within(changed).await
    }

    async fn modifiable(&self, name: &str) -> Result<ConfigMap, HerderError> {
        let name = name.to_owned();
        self.ask(REQUEST_TIMEOUT, |reply| Request::OffsetsModifiable { name, reply })
            .await
    }
}

async fn within<T>(work: impl Future<Output = Result<T, WorkerError>>) -> Result<T, HerderError> {
    match tokio::time::timeout(REQUEST_TIMEOUT, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(WorkerError::Invalid(text))) => Err(HerderError::bad_request(text)),
        Ok(Err(error)) => Err(HerderError::Failed(error.to_string())),
        Err(_) => Err(HerderError::TimedOut(String::new())),
    }
}

/// Answers the connector's config when its offsets may be changed.
pub(crate) fn modifiable(state: &ClusterState, name: &str) -> Result<ConfigMap, HerderError> {
    let entry = state
        .connectors
        .get(name)
        .ok_or_else(|| HerderError::no_connector(name))?;
    let tasks = entry.task_configs.as_ref().map_or(0, Vec::len);
    if entry.target_state != TargetState::Stopped || tasks != 0 {
        return Err(HerderError::bad_request(format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        )));
    }
    Ok(entry.config.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_stores::configs::state::ConnectorEntry;

    fn state(target_state: TargetState, tasks: usize) -> ClusterState {
        let entry = ConnectorEntry {
            config: [("name", "c")].into_iter().collect(),
            target_state,
            task_configs: Some(vec![ConfigMap::new(); tasks]),
            applied_config: None,
        };
        ClusterState {
            connectors: [("c".to_owned(), entry)].into(),
            ..ClusterState::default()
        }
    }

    #[test]
    fn only_a_stopped_connector_without_tasks_may_be_changed() {
        for (target, tasks, expected) in [
            (TargetState::Stopped, 0, true),
            (TargetState::Stopped, 1, false),
            (TargetState::Paused, 0, false),
            (TargetState::Started, 0, false),
        ] {
            let allowed = modifiable(&state(target, tasks), "c");
            assert_eq!(allowed.is_ok(), expected, "{target:?} with {tasks}");
            if let Err(error) = allowed {
                assert!(error.to_string().contains("'/connectors/c/stop' endpoint"));
            }
        }
        let unknown = modifiable(&state(TargetState::Stopped, 0), "d");
        assert_eq!(unknown, Err(HerderError::NotFound("Connector d not found".to_owned())));
    }
}
