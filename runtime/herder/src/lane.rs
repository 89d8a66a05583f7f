//! One connector's work, one step after another, off the event loop.
//!
//! A lane is the queue of steps of one connector; different connectors' lanes run side by side, so a
//! connector that takes seconds to start holds up no other. Steps only drive the worker and write statuses;
//! what follows from their outcome is decided in `herder`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_config::map::ConfigMap;
use weir_stores::configs::state::{ClusterState, ConnectorEntry, TargetState};
use weir_stores::status::StatusStore;
use weir_stores::status::records::State;
use weir_worker::error::WorkerError;
use weir_worker::lifecycle::TaskId;
use weir_worker::worker::{TaskCount, Worker};

use crate::distributed::assignment::{Ownership, Part};
use crate::distributed::forward::InternalClient;
use crate::error::HerderError;
use crate::handle::status_of;
use crate::info::ConnectorType;
use crate::request::RestartScope;
use crate::restart;

/// First pause before task configs are asked for again; doubles up to [`GENERATE_RETRY_MAX`].
const GENERATE_RETRY_MIN: Duration = Duration::from_millis(250);
/// Time that a connector's code gets to come to rest before it is cancelled.
const REST_TIMEOUT: Duration = Duration::from_secs(10);
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
    /// Hands the tasks that the connector made to the leader.
    Submit {
        /// Base URL of the leader.
        leader_url: String,
        /// Failures so far.
        attempt: u32,
        /// The whole set.
        configs: Vec<ConfigMap>,
    },
    /// Standalone: makes the running tasks those of the current task set.
    ApplyTasks,
    /// Starts tasks that this worker has just been given.
    StartTasks(BTreeSet<u32>),
    /// Stops what this worker has to give up; statuses stay.
    Release(Part),
    /// Brings connector and tasks to the current target state.
    ApplyState,
    /// Restarts what the scope and the statuses of that moment name.
    Restart(RestartScope),
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
    Generated {
        /// Failures before.
        attempt: u32,
        /// The whole set.
        configs: Vec<ConfigMap>,
    },
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
    /// The step was given up for something newer.
    Interrupted,
}

/// Queue and waiters of one connector.
#[derive(Debug, Default)]
pub struct Lane {
    steps: VecDeque<(Step, Option<StepReply>)>,
    /// Of the running step; none when nothing runs.
    running: Option<CancellationToken>,
    /// What runs makes tasks or hands them over.
    is_generating: bool,
    /// Those who wait until nothing is queued or running; they get the last failure, if any.
    pub idle_waiters: Vec<oneshot::Sender<Result<(), String>>>,
    /// Failure of the latest connector start.
    pub last_failure: Option<String>,
}

/// A step that runs from now on.
#[derive(Debug)]
pub struct Begun {
    pub step: Step,
    /// Whoever waits for it.
    pub reply: Option<StepReply>,
    /// See [`Lane::interrupt`].
    pub interrupt: CancellationToken,
}

/// Tells the asker of one step how it went.
pub type StepReply = oneshot::Sender<Result<(), HerderError>>;

impl Lane {
    /// Queues a step. A step that is queued already and would do the same is not queued twice; of restarts that wait, the one with the
    /// most impact is kept.
    pub fn push(&mut self, step: Step, reply: Option<StepReply>) {
        if let Step::Restart(scope) = &step {
            for (queued, _) in &mut self.steps {
                if let Step::Restart(waiting) = queued {
                    if scope.impact() > waiting.impact() {
                        *waiting = *scope;
                    }
                    return;
                }
            }
        }
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
    pub fn begin(&mut self) -> Option<Begun> {
        if self.running.is_some() {
            return None;
        }
        let (step, reply) = self.steps.pop_front()?;
        let interrupt = CancellationToken::new();
        self.running = Some(interrupt.clone());
        self.is_generating = makes_tasks(&step);
        Some(Begun { step, reply, interrupt })
    }

    /// The running step ended.
    pub fn finished(&mut self) {
        self.running = None;
    }

    /// Has the running step give up waiting for the connector's code: what comes next makes it worthless.
    pub fn interrupt(&self) {
        if let Some(running) = &self.running {
            running.cancel();
        }
    }

    /// Queues the stop of work that a rebalance waits for. What makes tasks gives way: it may pause for long, or wait for the leader, who
    /// waits for the end of the rebalance in turn. The tasks are made afterwards.
    pub fn push_release(&mut self, part: Part, reply: StepReply) {
        if part.connector || self.is_generating {
            self.interrupt();
        }
        let queued = self.steps.len();
        self.steps.retain(|(step, reply)| reply.is_some() || !makes_tasks(step));
        let gave_way = self.steps.len() < queued;
        self.push(Step::Release(part), Some(reply));
        if gave_way {
            self.push(Step::Generate { attempt: 0 }, None);
        }
    }

    /// Nothing runs and nothing is queued.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.steps.is_empty()
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
    /// What is this worker's to run.
    pub owned: Ownership,
    /// To the leader; none on a worker on its own.
    pub internal: Option<InternalClient>,
    /// See [`Lane::interrupt`].
    pub interrupt: CancellationToken,
}

/// Runs one step of connector `name` against the state as it was when the step began.
pub async fn run(cx: StepContext, state: Arc<ClusterState>, name: &str, step: Step) -> Outcome {
    match step {
        Step::StartConnector => start_connector(&cx, &state, name).await,
        Step::Generate { attempt } => generate(&cx, &state, name, attempt).await,
        Step::Submit {
            leader_url,
            attempt,
            configs,
        } => submit(&cx, name, &leader_url, attempt, &configs).await,
        Step::ApplyTasks => apply_tasks(&cx, &state, name).await,
        Step::StartTasks(tasks) => start_tasks(&cx, &state, name, tasks).await,
        Step::Release(part) => release(&cx, name, part).await,
        Step::ApplyState => apply_state(&cx, &state, name).await,
        Step::Restart(scope) => restart(&cx, &state, name, scope).await,
        Step::RestartTask(task) => restart_task(&cx, &state, name, task).await,
        Step::Remove => remove(&cx, name).await,
    }
}

async fn start_connector(cx: &StepContext, state: &ClusterState, name: &str) -> Outcome {
    let Some(entry) = state.connectors.get(name) else {
        return Outcome::Done;
    };
    if !cx.owned.has_connector(name) {
        return Outcome::Interrupted;
    }
    cx.worker.stop_connector(name).await;
    // Nothing is half done when the start is no longer waited for: the worker knows the connector, and can stop it.
    let started = tokio::select! {
        biased;
        () = cx.interrupt.cancelled() => return Outcome::Interrupted,
        started = cx.worker.start_connector(name, &entry.config, entry.target_state) => started,
    };
    match started {
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
        tokio::select! {
            biased;
            () = cx.interrupt.cancelled() => return again(),
            () = tokio::time::sleep(retry_pause(attempt)) => {}
        }
    }
    if entry.target_state != TargetState::Started || !cx.worker.is_connector_running(name) {
        return Outcome::Done;
    }
    let generated = tokio::select! {
        biased;
        () = cx.interrupt.cancelled() => return again(),
        generated = cx.worker.connector_task_configs(name, &entry.config) => generated,
    };
    match generated {
        Ok(configs) => Outcome::Generated { attempt, configs },
        Err(error) => Outcome::GenerateFailed {
            attempt: attempt + 1,
            retry: !matches!(error, WorkerError::TooManyTasks { .. }),
            error: error.to_string(),
        },
    }
}

/// Tasks are made again, at once: something else came first.
fn again() -> Outcome {
    Outcome::GenerateFailed {
        attempt: 0,
        error: String::new(),
        retry: true,
    }
}

fn makes_tasks(step: &Step) -> bool {
    matches!(step, Step::Generate { .. } | Step::Submit { .. })
}

fn retry_pause(attempt: u32) -> Duration {
    let doubled = GENERATE_RETRY_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(GENERATE_RETRY_MAX)
}

/// Trying again makes the tasks anew: the config may have changed meanwhile.
async fn submit(cx: &StepContext, name: &str, leader_url: &str, attempt: u32, configs: &[ConfigMap]) -> Outcome {
    let Some(internal) = &cx.internal else {
        return Outcome::Done;
    };
    let submitted = tokio::select! {
        biased;
        () = cx.interrupt.cancelled() => return again(),
        submitted = internal.post_tasks(leader_url, name, configs) => submitted,
    };
    match submitted {
        Ok(()) => Outcome::Done,
        // The key is changing; said only when it goes on.
        Err(refusal) if refusal.may_be_old_key() && attempt == 0 => Outcome::GenerateFailed {
            attempt: 1,
            error: String::new(),
            retry: true,
        },
        Err(refusal) => Outcome::GenerateFailed {
            attempt: attempt + 1,
            error: refusal.to_string(),
            retry: true,
        },
    }
}

async fn start_tasks(cx: &StepContext, state: &ClusterState, name: &str, tasks: BTreeSet<u32>) -> Outcome {
    for task in tasks {
        let id = TaskId {
            connector: name.to_owned(),
            task,
        };
        let Some(config) = task_config(state, &id) else {
            // A round made for an earlier task set: the next one takes the task away.
            continue;
        };
        if cx.owned.has_task(&id)
            && let Err(error) = start_task(cx, id, config).await
        {
            tracing::error!(connector = name, task, %error, "task did not start");
        }
    }
    Outcome::Done
}

/// What a task is started from.
struct TaskConfig<'a> {
    entry: &'a ConnectorEntry,
    config: &'a ConfigMap,
    count: TaskCount,
}

fn task_config<'a>(state: &'a ClusterState, id: &TaskId) -> Option<TaskConfig<'a>> {
    let entry = state.connectors.get(&id.connector)?;
    let configs = entry.task_configs.as_ref()?;
    Some(TaskConfig {
        entry,
        config: configs.get(id.task as usize)?,
        count: TaskCount(configs.len() as u32),
    })
}

async fn start_task(cx: &StepContext, id: TaskId, task: TaskConfig<'_>) -> Result<(), WorkerError> {
    let (entry, config) = (task.entry, task.config);
    cx.worker
        .start_task(id, &entry.config, config, entry.target_state, task.count)
        .await
}

async fn release(cx: &StepContext, name: &str, part: Part) -> Outcome {
    let id = |task| TaskId {
        connector: name.to_owned(),
        task,
    };
    let tasks: Vec<TaskId> = part.tasks.into_iter().map(id).collect();
    let connector = async {
        if part.connector {
            cx.worker.stop_connector(name).await;
        }
    };
    tokio::join!(connector, cx.worker.stop_tasks(&tasks));
    Outcome::Done
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
    // A task that cannot be built reports its own FAILED status; the others start all the same.
    start_tasks(cx, state, name, (0..configs.len() as u32).collect()).await
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
    if cx.owned.has_connector(name) && !cx.worker.has_connector(name) {
        // Its start was given up for this state before there was an instance; its tasks may be here.
        let _only_tasks = cx.worker.set_target_state(name, entry.target_state).await;
        return start_connector(cx, state, name).await;
    }
    let limit = match entry.target_state {
        TargetState::Started => Duration::MAX,
        TargetState::Paused | TargetState::Stopped => REST_TIMEOUT,
    };
    let reached = tokio::select! {
        biased;
        () = cx.interrupt.cancelled() => return Outcome::Interrupted,
        reached = timeout(limit, cx.worker.set_target_state(name, entry.target_state)) => reached,
    };
    let Ok(reached) = reached else {
        tracing::warn!(
            connector = name,
            "connector's code does not return, a new instance takes its place"
        );
        return start_connector(cx, state, name).await;
    };
    match reached {
        Ok(()) => Outcome::Connector {
            running: entry.target_state == TargetState::Started,
        },
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

async fn restart(cx: &StepContext, state: &ClusterState, name: &str, scope: RestartScope) -> Outcome {
    let Some(now) = status_of(&cx.status, name, ConnectorType::Unknown) else {
        return Outcome::Done;
    };
    let mut plan = restart::plan(&now, scope);
    plan.connector = plan.connector && cx.owned.has_connector(name);
    plan.tasks.retain(|task| {
        cx.owned.has_task(&TaskId {
            connector: name.to_owned(),
            task: *task,
        })
    });
    for task in &plan.tasks {
        cx.worker.restarting(&TaskId {
            connector: name.to_owned(),
            task: *task,
        });
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
    let id = TaskId {
        connector: name.to_owned(),
        task,
    };
    let Some(config) = task_config(state, &id) else {
        return Outcome::Failed(format!("Task {name}-{task} not found"));
    };
    if !cx.owned.has_task(&id) {
        return Outcome::Interrupted;
    }
    cx.worker.stop_tasks(std::slice::from_ref(&id)).await;
    match start_task(cx, id, config).await {
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
    report(cx.status.remove_topics(name).await);
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
        assert!(matches!(
            lane.begin(),
            Some(Begun {
                step: Step::StartConnector,
                ..
            })
        ));
        assert!(lane.begin().is_none(), "busy");
        lane.finished();
        assert!(matches!(
            lane.begin(),
            Some(Begun {
                step: Step::ApplyTasks,
                ..
            })
        ));
        assert!(!lane.is_idle());
        lane.finished();
        assert!(lane.is_idle());
    }

    #[test]
    fn of_restarts_that_wait_the_one_with_the_most_impact_is_kept() {
        let scope = |only_failed, include_tasks| RestartScope {
            include_tasks,
            only_failed,
        };
        let ranked = [(true, false), (true, true), (false, false), (false, true)].map(|(a, b)| scope(a, b));
        for (first, one) in ranked.iter().enumerate() {
            for (second, other) in ranked.iter().enumerate() {
                let mut lane = Lane::default();
                lane.push(Step::StartConnector, None);
                let _running = lane.begin();
                lane.push(Step::Restart(*one), None);
                lane.push(Step::ApplyTasks, None);
                lane.push(Step::Restart(*other), None);
                lane.finished();
                let kept = lane.begin().expect("a step").step;
                assert!(
                    matches!(kept, Step::Restart(kept) if kept == ranked[first.max(second)]),
                    "{one:?} {other:?}"
                );
                lane.finished();
                assert!(matches!(lane.begin().expect("a step").step, Step::ApplyTasks));
                lane.finished();
                assert!(lane.is_idle(), "one restart");
            }
        }
    }

    #[test]
    fn a_restart_under_way_does_not_swallow_the_next() {
        let scope = RestartScope {
            include_tasks: true,
            only_failed: false,
        };
        let mut lane = Lane::default();
        lane.push(Step::Restart(scope), None);
        let _running = lane.begin();
        lane.push(Step::Restart(scope), None);
        lane.finished();
        assert!(lane.begin().is_some());
    }

    #[test]
    fn only_the_running_step_is_interrupted() {
        let mut lane = Lane::default();
        lane.push(Step::StartConnector, None);
        lane.push(Step::ApplyTasks, None);
        let running = lane.begin().expect("a step");
        lane.interrupt();
        assert!(running.interrupt.is_cancelled());
        lane.finished();
        assert!(!lane.begin().expect("the next").interrupt.is_cancelled());
    }

    #[test]
    fn what_makes_tasks_gives_way_to_what_a_rebalance_waits_for() {
        let submit = || Step::Submit {
            leader_url: "http://leader/".to_owned(),
            attempt: 3,
            configs: Vec::new(),
        };
        for (first, gives_way) in [
            (Step::StartConnector, false),
            (Step::Generate { attempt: 5 }, true),
            (submit(), true),
        ] {
            let mut lane = Lane::default();
            lane.push(first, None);
            let running = lane.begin().expect("a step");
            lane.push(submit(), None);
            lane.push(Step::ApplyState, None);
            let (reply, _released) = oneshot::channel();
            lane.push_release(Part::default(), reply);
            assert_eq!(running.interrupt.is_cancelled(), gives_way, "{:?}", running.step);
            let mut order = Vec::new();
            lane.finished();
            while let Some(begun) = lane.begin() {
                order.push(begun.step);
                lane.finished();
            }
            assert!(
                matches!(
                    order.as_slice(),
                    [Step::ApplyState, Step::Release(_), Step::Generate { attempt: 0 }]
                ),
                "{order:?}"
            );
        }
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
