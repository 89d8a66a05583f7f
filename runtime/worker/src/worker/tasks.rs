//! Tasks of the worker: built, started, stopped.
//!
//! Each is supervised (`supervise.rs`); one that overstays its stop is cancelled: it writes nothing any more, no status either.

use std::sync::Arc;

use tokio::sync::watch as latest;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use weir_config::map::ConfigMap;
use weir_plugins::context::BoxFuture;
use weir_plugins::stop::StopSignal;
use weir_stores::configs::state::TargetState;
use weir_stores::status::records::State;

use crate::connector_config::{ConnectorConfig, TASKS_MAX_ENFORCE};
use crate::error::{TaskFailure, WorkerError};
use crate::figures::{TaskFigures, TaskMeter};
use crate::lifecycle::{Control, Reports, TaskId};
use crate::log_context::task_span;
use crate::restart::{RestartPolicy, RestartSettings};
use crate::task_builder::{Task, TaskBuilder, TaskRequest};
use crate::worker::reload::watch;
use crate::worker::supervise::{Supervision, supervise_task};
use crate::worker::{RunningTask, TRAP_DELAY, TaskCount, Worker};

impl Worker {
    /// Builds and starts a task.
    ///
    /// # Errors
    /// It runs already or cannot be built; the latter also reports FAILED.
    pub async fn start_task(
        &self,
        id: TaskId,
        connector: &ConfigMap,
        config: &ConfigMap,
        target: TargetState,
        count: TaskCount,
    ) -> Result<(), WorkerError> {
        let span = task_span(&id);
        self.start_task_in_span(id, connector, config, target, count)
            .instrument(span)
            .await
    }

    async fn start_task_in_span(
        &self,
        id: TaskId,
        connector: &ConfigMap,
        config: &ConfigMap,
        target: TargetState,
        count: TaskCount,
    ) -> Result<(), WorkerError> {
        if self.running.lock().tasks.contains_key(&id) {
            return Err(WorkerError::Exists(format!("Task already exists in this worker: {id}")));
        }
        // Looked up first: what changes while the task is built is noticed. A value that is not there fails the task below.
        let values = self.values(connector, Some(config)).ok().flatten();
        let meter = Arc::new(TaskMeter::of_worker(&self.metrics));
        let reports = Reports::new(self.events.clone()).with_meter(Arc::clone(&meter));
        let (sender, receiver) = latest::channel(target);
        let control = Control {
            target: receiver,
            stop: StopSignal::new(),
        };
        let (building, told) = (control.clone(), reports.clone());
        let supervision = Supervision {
            id: id.clone(),
            stop: control.stop.clone(),
            reports: reports.clone(),
            meter: Arc::clone(&meter),
            restarts: self.restarts.clone(),
            settings: self.restart_settings(connector),
            started: Instant::now(),
        };
        let parts = (building, told, Arc::clone(&meter));
        let (run, result) = match self.build_task(&id, connector, config, count, parts).await {
            Ok(task) => (task.run(), Ok(())),
            Err(error) => {
                let failure = TaskFailure::connect(format!("Failed to start task {id}")).caused_by(TaskFailure {
                    retriable: error.is_retriable(),
                    ..TaskFailure::connect(error.to_string())
                });
                if !supervision.settings.covers(&failure) {
                    tracing::error!(task = %id, error = failure.to_trace(), "task could not be built");
                    reports.task(&id, State::Failed, Some(failure.to_trace())).await;
                    return Err(error);
                }
                // Supervised as if it had run: its supervisor waits and asks for the next start.
                let run: BoxFuture<'static, Result<(), TaskFailure>> = Box::pin(std::future::ready(Err(failure)));
                (run, Err(error))
            }
        };
        let counted = self.metrics.count_task(&id, &meter);
        let mut running = self.running.lock();
        if running.tasks.contains_key(&id) {
            return Err(WorkerError::Exists(format!("Task already exists in this worker: {id}")));
        }
        if result.is_ok() {
            self.watch.add(id.clone(), &meter, self.settings.stall_timeout);
        }
        let join = tokio::spawn(supervise_task(run, supervision).in_current_span());
        let (told, watched) = (reports.clone(), id.clone());
        let task = RunningTask {
            target: sender,
            stop: control.stop,
            reports,
            meter,
            join,
            _counted: counted,
            _values: watch(values, move || {
                let (told, watched) = (told.clone(), watched.clone());
                async move { told.restart(&watched).await }
            }),
        };
        running.tasks.insert(id, task);
        result
    }

    /// A connector whose settings cannot be read fails for another reason; its task is not tried again.
    fn restart_settings(&self, connector: &ConfigMap) -> RestartSettings {
        let own = self.settings.restart.of_connector(connector);
        own.unwrap_or(RestartSettings {
            policy: RestartPolicy::Never,
            ..self.settings.restart
        })
    }

    /// A task that is here is about to be restarted.
    pub fn restarting(&self, id: &TaskId) {
        let meter = self.running.lock().tasks.get(id).map(|task| Arc::clone(&task.meter));
        if let Some(meter) = meter {
            meter.entered(State::Restarting);
        }
    }

    /// Returns what a task that is here has done and uses; none for one that is not.
    pub fn figures(&self, id: &TaskId) -> Option<TaskFigures> {
        let meter = Arc::clone(&self.running.lock().tasks.get(id)?.meter);
        Some(meter.figures(self.settings.stall_timeout, self.restarts.figures(id)))
    }

    async fn build_task(
        &self,
        id: &TaskId,
        connector: &ConfigMap,
        config: &ConfigMap,
        count: TaskCount,
        (control, reports, meter): (Control, Reports, Arc<TaskMeter>),
    ) -> Result<Task, WorkerError> {
        let connector = self.settings.providers.resolve(connector)?;
        let config = self.settings.providers.resolve(config)?;
        let settings = ConnectorConfig::parse(&connector)?;
        check_task_count(&settings, count.0 as usize)?;
        let request = TaskRequest {
            id: id.clone(),
            connector: &connector,
            config: &config,
            control,
            reports,
            meter,
        };
        self.builder().build(request, &settings).await
    }

    fn builder(&self) -> TaskBuilder<'_> {
        TaskBuilder {
            settings: &self.settings,
            plugins: &self.plugins,
            offsets: &self.offsets,
            gate: self.gate.get(),
        }
    }

    /// Returns the tasks of a connector that run here, ascending.
    pub fn task_ids(&self, connector: &str) -> Vec<TaskId> {
        let mut ids: Vec<TaskId> = self
            .running
            .lock()
            .tasks
            .keys()
            .filter(|id| id.connector == connector)
            .cloned()
            .collect();
        ids.sort();
        ids
    }

    /// Stops tasks: all are told, then all are waited for, then those that are late are cancelled.
    pub async fn stop_tasks(&self, ids: &[TaskId]) {
        let tasks: Vec<(TaskId, RunningTask)> = {
            let mut running = self.running.lock();
            ids.iter()
                .filter_map(|id| Some((id.clone(), running.tasks.remove(id)?)))
                .collect()
        };
        let grace = self.settings.timing.task_stop_timeout;
        for (_, task) in &tasks {
            task.stop.request(grace + TRAP_DELAY);
        }
        let deadline = Instant::now() + grace;
        for (id, mut task) in tasks {
            if timeout_at(deadline, &mut task.join).await.is_err() {
                task.reports.mute();
                task.join.abort();
                task_span(&id).in_scope(|| tracing::error!("Graceful stop of task {id} failed."));
            }
            self.restarts.stopped(&id);
        }
    }
}

pub(super) fn check_task_count(settings: &ConnectorConfig, generated: usize) -> Result<(), WorkerError> {
    if generated <= settings.tasks_max as usize {
        return Ok(());
    }
    if settings.tasks_max_enforce {
        return Err(WorkerError::TooManyTasks {
            connector: settings.name.clone(),
            generated,
            max: settings.tasks_max,
        });
    }
    tracing::warn!(
        connector = settings.name,
        generated,
        max = settings.tasks_max,
        "more tasks than tasks.max, allowed by {TASKS_MAX_ENFORCE}"
    );
    Ok(())
}
