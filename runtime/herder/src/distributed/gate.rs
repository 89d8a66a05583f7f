//! What exactly-once source tasks ask of the group before they write (KIP-618)
//!
//! The leader fences, this worker when it leads and another by an internal request otherwise; what was overtaken by a rebalance or a
//! leader's end is asked again for a while. Source: `DistributedHerder.fenceZombieSourceTasks`.

use std::time::Duration;

use tokio::time::Instant;
use weir_plugins::context::BoxFuture;
use weir_stores::configs::ConfigReader;
use weir_worker::error::TaskFailure;
use weir_worker::lifecycle::TaskId;
use weir_worker::source::gate::{SourceGate, TaskGeneration, revoked, superseded};

use crate::distributed::assignment::Ownership;
use crate::distributed::forward::InternalClient;
use crate::error::HerderError;
use crate::handle::HerderHandle;

/// How long a round that fails for a passing reason is asked for again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(250);

/// The group's side of a task's start.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) herder: HerderHandle,
    pub(crate) internal: InternalClient,
    pub(crate) configs: ConfigReader,
    pub(crate) owned: Ownership,
    pub(crate) sync_timeout: Duration,
}

impl Gate {
    async fn fence_once(&self, name: &str) -> Result<(), (String, bool)> {
        match self.herder.fence_own(name).await {
            Ok(()) => Ok(()),
            Err(HerderError::Elsewhere { url: Some(url), .. }) => {
                let asked = self.internal.put_fence(&url, name).await;
                asked.map_err(|refusal| (refusal.to_string(), refusal.is_passing()))
            }
            Err(error) => Err((error.to_string(), error.is_retriable())),
        }
    }
}

impl SourceGate for Gate {
    fn generation(&self, connector: &str) -> TaskGeneration {
        let state = self.configs.snapshot();
        TaskGeneration(state.task_generations.get(connector).copied().unwrap_or_default())
    }

    fn fence<'a>(&'a self, task: &'a TaskId) -> BoxFuture<'a, Result<(), TaskFailure>> {
        Box::pin(async move {
            let end = Instant::now() + PATIENCE;
            loop {
                let Err((error, is_passing)) = self.fence_once(&task.connector).await else {
                    return Ok(());
                };
                if !is_passing || Instant::now() >= end || !self.owned.has_task(task) {
                    return Err(TaskFailure::connect(format!(
                        "Failed to perform zombie fencing: {error}"
                    )));
                }
                tracing::debug!(%task, error, "round of fencing was not completed, asking again");
                tokio::time::sleep(PAUSE).await;
            }
        })
    }

    fn verify<'a>(&'a self, task: &'a TaskId, generation: TaskGeneration) -> BoxFuture<'a, Result<(), TaskFailure>> {
        Box::pin(async move {
            let read = self.configs.refresh(self.sync_timeout).await;
            read.map_err(|error| TaskFailure::connect(error.to_string()))?;
            if self.generation(&task.connector) != generation {
                return Err(superseded(task));
            }
            if !self.owned.has_task(task) {
                return Err(revoked(task));
            }
            Ok(())
        })
    }
}
