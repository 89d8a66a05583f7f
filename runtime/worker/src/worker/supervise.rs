//! The end of a connector or task: its status, and for a failed task the wait for another start.
//!
//! Each runs as a task of its own below its supervisor, so that a panic ends that one and nothing else.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::Instrument as _;
use weir_plugins::stop::StopSignal;
use weir_stores::status::records::State;

use crate::error::TaskFailure;
use crate::figures::TaskMeter;
use crate::lifecycle::{Reports, TaskId};
use crate::restart::{RestartSettings, Restarts};

/// What the end of a task needs.
#[derive(Debug)]
pub(super) struct Supervision {
    pub(super) id: TaskId,
    pub(super) stop: StopSignal,
    pub(super) reports: Reports,
    pub(super) meter: Arc<TaskMeter>,
    pub(super) restarts: Restarts,
    pub(super) settings: RestartSettings,
    pub(super) started: Instant,
}

/// Runs a task to its end and reports how it ended; after a failure waits for the time to start it again.
/// Aborting the supervisor aborts the task.
pub(super) async fn supervise_task(
    run: impl Future<Output = Result<(), TaskFailure>> + Send + 'static,
    supervision: Supervision,
) {
    let Supervision { id, stop, reports, .. } = &supervision;
    let failure = match run_alone(run).await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(error) => Some(abnormal(error)),
    };
    supervision.meter.ended();
    match failure {
        None => reports.task(id, State::Unassigned, None).await,
        Some(failure) if stop.is_requested() => {
            tracing::warn!(task = %id, error = failure.to_trace(), "after being scheduled for shutdown, task failed");
            reports.task(id, State::Unassigned, None).await;
        }
        Some(failure) => fail(&supervision, &failure).await,
    }
}

async fn fail(supervision: &Supervision, failure: &TaskFailure) {
    let Supervision {
        id, reports, restarts, ..
    } = supervision;
    let trace = failure.to_trace();
    let wait = restarts.failed(id, &supervision.settings, failure, supervision.started);
    match wait {
        None => tracing::error!(task = %id, error = trace, "task failed and will not recover until restarted"),
        Some(wait) => {
            tracing::error!(task = %id, error = trace, "task failed and is started again in {} ms", wait.as_millis());
        }
    }
    reports.task(id, State::Failed, Some(trace)).await;
    let Some(wait) = wait else { return };
    tokio::select! {
        biased;
        () = supervision.stop.requested() => {}
        () = tokio::time::sleep(wait) => {
            restarts.due(id);
            reports.restart(id).await;
        }
    }
}

pub(super) async fn supervise_connector(
    name: String,
    run: impl Future<Output = ()> + Send + 'static,
    reports: Reports,
) {
    if let Err(error) = run_alone(run).await {
        let trace = abnormal(error).to_trace();
        tracing::error!(connector = name, error = trace, "connector failed");
        reports.connector(&name, State::Failed, Some(trace)).await;
    }
}

/// Runs a future as a task of its own, so that a panic stays in it.
async fn run_alone<T: Send + 'static>(run: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    let mut alone = JoinSet::new();
    alone.spawn(run.in_current_span());
    match alone.join_next().await {
        Some(result) => result,
        // One future was put in and nothing took it out.
        None => std::future::pending().await,
    }
}

fn abnormal(error: JoinError) -> TaskFailure {
    match error.try_into_panic() {
        Ok(payload) => TaskFailure::of(
            "java.lang.Error",
            format!("task panicked: {}", panic_text(payload.as_ref())),
        ),
        Err(error) => TaskFailure::connect(error.to_string()),
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests;
