//! One connector's work, one step after another, off the event loop.
//!
//! A lane is the queue of steps of one connector; different connectors' lanes run side by side, so a
//! connector that takes seconds to start holds up no other. Steps only drive the worker and write statuses;
//! what follows from their outcome is decided in `herder`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use weir_config::map::ConfigMap;
use weir_stores::configs::state::{ClusterState, TargetState};
use weir_stores::status::StatusStore;
use weir_stores::status::records::State;
use weir_worker::error::WorkerError;
use weir_worker::lifecycle::TaskId;
use weir_worker::worker::{TaskCount, Worker};

use crate::error::HerderError;
use crate::restart::RestartPlan;

/// First pause before task configs are asked for again; doubles up to [`GENERATE_RETRY_MAX`].
const GENERATE_RETRY_MIN: Duration = Duration::from_millis(250);
/// Longest pause between two tries.
const GENERATE_RETRY_MAX: Duration = Duration::from_secs(60);

/// One step of a connector's lane.
#[derive(Debug)]
pub enum Step {
    /// Starts the connector instance anew from its current config and target state.
    StartConnector,
    /// Asks the connector for its task configs; `attempt` counts failures so far.
    Generate {
        /// 0 = no pause first.
        attempt: u32,
    },
    /// Makes the running tasks those of the current task set.
    ApplyTasks,
    /// Brings connector and tasks to the current target state.
    ApplyState,
    /// Restarts what a plan names.
    Restart(RestartPlan),
    /// Restarts one task.
    RestartTask(u32),
    /// Stops everything and forgets the statuses.
    Remove,
}

/// What a step came to.
#[derive(Debug)]
pub enum Outcome {
    /// Done; nothing else follows.
    Done,
    /// The connector instance was started or brought to a state; `running` when it may be asked for tasks.
    Connector {
        /// True when its target state is started and it came up.
        running: bool,
    },
    /// Task configs as the connector wants them now.
    Generated(Vec<ConfigMap>),
    /// Asking for task configs failed and is to be tried again.
    GenerateFailed {
        /// Failures so far, this one included.
        attempt: u32,
        /// Why.
        error: String,
        /// False when trying again cannot help (too many tasks).
        retry: bool,
    },
    /// The step failed for good; the status tells as well.
    Failed(String),
}

/// Queue and waiters of one connector.
#[derive(Debug, Default)]
pub struct Lane {
    steps: VecDeque<(Step, Option<StepReply>)>,
    busy: bool,
    /// Those who wait until nothing is queued or running; they get the last failure, if any.
    pub idle_waiters: Vec<oneshot::Sender<Result<(), String>>>,
    /// Failure of the latest connector start.
    pub last_failure: Option<String>,
}

/// Tells the asker of one step how it went.
pub type StepReply = oneshot::Sender<Result<(), HerderError>>;

impl Lane {
    /// Queues a step. A step that is queued already and would do the same is not queued twice.
    pub fn push(&mut self, step: Step, reply: Option<StepReply>) {
        let same = |queued: &Step| std::mem::discriminant(queued) == std::mem::discriminant(&step);
        let repeatable = matches!(
            step,
            Step::Generate { .. } | Step::ApplyTasks | Step::ApplyState | Step::StartConnector
        );
        if reply.is_none()
            && repeatable
            && self
                .steps
                .iter()
                .any(|(queued, waiting)| waiting.is_none() && same(queued))
        {
            return;
        }
        self.steps.push_back((step, reply));
    }

    /// The next step, if none is running; the lane counts as busy until [`Lane::finished`].
    pub fn begin(&mut self) -> Option<(Step, Option<StepReply>)> {
        if self.busy {
            return None;
        }
        let next = self.steps.pop_front()?;
        self.busy = true;
        Some(next)
    }

    /// The running step ended.
    pub fn finished(&mut self) {
        self.busy = false;
    }

    /// Nothing runs and nothing is queued.
    pub fn is_idle(&self) -> bool {
        !self.busy && self.steps.is_empty()
    }

    /// Drops what is queued: the connector is going away or the worker is stopping.
    pub fn clear(&mut self) {
        self.steps.clear();
    }
}

/// What every step needs.
#[derive(Debug, Clone)]
pub struct StepContext {
    /// The data plane.
    pub worker: Arc<Worker>,
    /// Where statuses are kept.
    pub status: StatusStore,
    /// `host:port` of this worker.
    pub worker_id: String,
    /// Generation written into statuses.
    pub generation: i32,
}

/// Runs one step of connector `name` against the state as it was when the step began.
pub async fn run(cx: StepContext, state: Arc<ClusterState>, name: &str, step: Step) -> Outcome {
    match step {
        Step::StartConnector => start_connector(&cx, &state, name).await,
        Step::Generate { attempt } => generate(&cx, &state, name, attempt).await,
        Step::ApplyTasks => apply_tasks(&cx, &state, name).await,
        Step::ApplyState => apply_state(&cx, &state, name).await,
        Step::Restart(plan) => restart(&cx, &state, name, plan).await,
        Step::RestartTask(task) => restart_task(&cx, &state, name, task).await,
        Step::Remove => remove(&cx, name).await,
    }
}

async fn start_connector(cx: &StepContext, state: &ClusterState, name: &str) -> Outcome {
    let Some(entry) = state.connectors.get(name) else {
        return Outcome::Done;
    };
    cx.worker.stop_connector(name).await;
    match cx.worker.start_connector(name, &entry.config, entry.target_state).await {
        Ok(()) => Outcome::Connector {
            running: entry.target_state == TargetState::Started,
        },
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

async fn generate(cx: &StepContext, state: &ClusterState, name: &str, attempt: u32) -> Outcome {
    let Some(entry) = state.connectors.get(name) else {
        return Outcome::Done;
    };
    if attempt > 0 {
        tokio::time::sleep(retry_pause(attempt)).await;
    }
    if entry.target_state != TargetState::Started || !cx.worker.is_connector_running(name) {
        return Outcome::Done;
    }
    match cx.worker.connector_task_configs(name, &entry.config).await {
        Ok(configs) => Outcome::Generated(configs),
        Err(error) => Outcome::GenerateFailed {
            attempt: attempt + 1,
            retry: !matches!(error, WorkerError::TooManyTasks { .. }),
            error: error.to_string(),
        },
    }
}

fn retry_pause(attempt: u32) -> Duration {
    let doubled = GENERATE_RETRY_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(GENERATE_RETRY_MAX)
}

async fn apply_tasks(cx: &StepContext, state: &ClusterState, name: &str) -> Outcome {
    let configs = state
        .connectors
        .get(name)
        .and_then(|entry| entry.task_configs.as_deref())
        .unwrap_or(&[]);
    let running = cx.worker.task_ids(name);
    cx.worker.stop_tasks(&running).await;
    forget_tasks_from(cx, name, configs.len() as u32).await;
    let count = TaskCount(configs.len() as u32);
    if let Some(entry) = state.connectors.get(name) {
        for (number, config) in configs.iter().enumerate() {
            let id = TaskId {
                connector: name.to_owned(),
                task: number as u32,
            };
            // A task that cannot be built reports its own FAILED status; the others start all the same.
            if let Err(error) = cx
                .worker
                .start_task(id, &entry.config, config, entry.target_state, count)
                .await
            {
                tracing::error!(connector = name, task = number, %error, "task did not start");
            }
        }
    }
    Outcome::Done
}

/// Removes the statuses of tasks that the connector no longer has.
async fn forget_tasks_from(cx: &StepContext, name: &str, count: u32) {
    for (task, _) in cx.status.tasks(name) {
        if task >= count
            && let Err(error) = cx.status.remove_task(name, task).await
        {
            tracing::warn!(connector = name, task, %error, "status of a removed task stays behind");
        }
    }
}

async fn apply_state(cx: &StepContext, state: &ClusterState, name: &str) -> Outcome {
    let Some(entry) = state.connectors.get(name) else {
        return Outcome::Done;
    };
    match cx.worker.set_target_state(name, entry.target_state).await {
        Ok(()) => Outcome::Connector {
            running: entry.target_state == TargetState::Started,
        },
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

async fn restart(cx: &StepContext, state: &ClusterState, name: &str, plan: RestartPlan) -> Outcome {
    for task in &plan.tasks {
        let update = cx.status.get_task(name, *task);
        if let Some(mut status) = update {
            status.state = State::Restarting;
            status.worker_id.clone_from(&cx.worker_id);
            status.generation = cx.generation;
            report(cx.status.put_task(name, *task, status).await);
        }
    }
    let mut outcome = Outcome::Done;
    if plan.connector {
        if let Some(mut status) = cx.status.get_connector(name) {
            status.state = State::Restarting;
            status.worker_id.clone_from(&cx.worker_id);
            status.generation = cx.generation;
            report(cx.status.put_connector(name, status).await);
        }
        outcome = start_connector(cx, state, name).await;
    }
    for task in plan.tasks {
        if let Outcome::Failed(error) = restart_task(cx, state, name, task).await {
            tracing::error!(connector = name, task, error, "task did not restart");
        }
    }
    outcome
}

fn report(result: Result<(), weir_stores::error::StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "status was not written");
    }
}

async fn restart_task(cx: &StepContext, state: &ClusterState, name: &str, task: u32) -> Outcome {
    let entry = state.connectors.get(name);
    let configs = entry.and_then(|entry| entry.task_configs.as_ref());
    let (Some(entry), Some(configs)) = (entry, configs) else {
        return Outcome::Failed(format!("Task {name}-{task} not found"));
    };
    let Some(config) = configs.get(task as usize) else {
        return Outcome::Failed(format!("Task {name}-{task} not found"));
    };
    let id = TaskId {
        connector: name.to_owned(),
        task,
    };
    cx.worker.stop_tasks(std::slice::from_ref(&id)).await;
    match cx
        .worker
        .start_task(
            id,
            &entry.config,
            config,
            entry.target_state,
            TaskCount(configs.len() as u32),
        )
        .await
    {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

async fn remove(cx: &StepContext, name: &str) -> Outcome {
    let running = cx.worker.task_ids(name);
    cx.worker.stop_tasks(&running).await;
    cx.worker.stop_connector(name).await;
    forget_tasks_from(cx, name, 0).await;
    report(cx.status.remove_connector(name).await);
    Outcome::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_pauses_double_to_a_minute() {
        assert_eq!(retry_pause(1), Duration::from_millis(250));
        assert_eq!(retry_pause(2), Duration::from_millis(500));
        assert_eq!(retry_pause(9), Duration::from_secs(60));
        assert_eq!(retry_pause(40), Duration::from_secs(60));
    }

    #[test]
    fn a_lane_runs_one_step_at_a_time_in_order() {
        let mut lane = Lane::default();
        lane.push(Step::StartConnector, None);
        lane.push(Step::ApplyTasks, None);
        assert!(matches!(lane.begin(), Some((Step::StartConnector, _))));
        assert!(lane.begin().is_none(), "busy");
        lane.finished();
        assert!(matches!(lane.begin(), Some((Step::ApplyTasks, _))));
        assert!(!lane.is_idle());
        lane.finished();
        assert!(lane.is_idle());
    }

    #[test]
    fn a_queued_step_is_not_queued_twice_unless_somebody_waits_for_it() {
        let mut lane = Lane::default();
        lane.push(Step::ApplyTasks, None);
        lane.push(Step::ApplyTasks, None);
        let (reply, _answer) = oneshot::channel();
        lane.push(Step::ApplyTasks, Some(reply));
        let mut count = 0;
        while lane.begin().is_some() {
            lane.finished();
            count += 1;
        }
        assert_eq!(count, 2);
    }
}
