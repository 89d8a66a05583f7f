//! What a source task with exactly-once support asks before it may write.
//!
//! Earlier tasks of its connector must be fenced by the leader, and after it holds its transactional id the
//! task set must still be the one it belongs to. Who the leader is, and what this worker owns, the herder
//! knows: it implements [`SourceGate`]. Source: `DistributedHerder.fenceZombieSourceTasks` and
//! `verifyTaskGenerationAndOwnership` (KIP-618).

use std::fmt::Debug;

use weir_plugins::context::BoxFuture;

use crate::error::TaskFailure;
use crate::lifecycle::TaskId;

/// Counts the task sets that a connector had, as the config topic tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskGeneration(pub u64);

/// The herder's part in the start of a task with exactly-once support.
pub trait SourceGate: Debug + Send + Sync {
    /// Answers the generation of a connector's tasks as known now; noted when a task is about to be built.
    fn generation(&self, connector: &str) -> TaskGeneration;

    /// Has every earlier task of the task's connector fenced.
    ///
    /// # Errors
    /// The fencing failed or was overtaken by a new task set; fails the task.
    fn fence<'a>(&'a self, task: &'a TaskId) -> BoxFuture<'a, Result<(), TaskFailure>>;

    /// Reads the config topic to its end and checks that the task still belongs to the current task set and to
    /// this worker.
    ///
    /// # Errors
    /// [`superseded`] or [`revoked`], or why the topic cannot be read; fails the task.
    fn verify<'a>(&'a self, task: &'a TaskId, generation: TaskGeneration) -> BoxFuture<'a, Result<(), TaskFailure>>;
}

/// The failure of a task whose connector has a newer task set.
pub fn superseded(task: &TaskId) -> TaskFailure {
    TaskFailure::connect(format!(
        "Cannot start source task {task} with exactly-once support as the connector has already generated a new set of task configs"
    ))
}

/// The failure of a task that another worker owns by now.
pub fn revoked(task: &TaskId) -> TaskFailure {
    TaskFailure::connect(format!(
        "Cannot start source task {task} with exactly-once support as it has already been revoked from this worker"
    ))
}

/// The transactional id that a task's producer uses.
pub fn transactional_id(group_id: &str, task: &TaskId) -> String {
    format!("{group_id}-{task}")
}
