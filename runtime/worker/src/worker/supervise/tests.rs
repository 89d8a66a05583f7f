use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use weir_api::error::ConnectError;
use weir_plugins::stop::StopSignal;
use weir_stores::status::records::State;

use super::{Supervision, supervise_task};
use crate::error::TaskFailure;
use crate::lifecycle::{Reports, TaskId, WorkerEvent};
use crate::restart::{RestartSettings, Restarts};

fn id() -> TaskId {
    TaskId {
        connector: "c".to_owned(),
        task: 1,
    }
}

fn supervision(stop: StopSignal, reports: Reports) -> Supervision {
    Supervision {
        id: id(),
        stop,
        reports,
        meter: Arc::default(),
        restarts: Restarts::default(),
        settings: RestartSettings::default(),
        started: Instant::now(),
    }
}

async fn ended(
    run: impl Future<Output = Result<(), TaskFailure>> + Send + 'static,
    stop: StopSignal,
) -> (State, Option<String>) {
    let (sender, mut receiver) = mpsc::channel(4);
    supervise_task(run, supervision(stop, Reports::new(sender))).await;
    match receiver.recv().await {
        Some(WorkerEvent::TaskStatus { id: of, state, trace }) if of == id() => (state, trace),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_end_of_a_task_becomes_its_status() {
    let (state, trace) = ended(async { Ok(()) }, StopSignal::new()).await;
    assert_eq!((state, trace), (State::Unassigned, None));
    let failure = TaskFailure::connect("outer").caused_by(TaskFailure::of("X", "inner"));
    let (state, trace) = ended(async { Err(failure) }, StopSignal::new()).await;
    assert_eq!(state, State::Failed);
    assert_eq!(
        trace.as_deref(),
        Some("org.apache.kafka.connect.errors.ConnectException: outer\nCaused by: X: inner\n")
    );
}

#[tokio::test]
async fn a_panic_fails_only_its_task() {
    let (state, trace) = ended(async { panic!("number {}", 7) }, StopSignal::new()).await;
    assert_eq!(state, State::Failed);
    assert!(trace.unwrap().contains("task panicked: number 7"));
}

#[tokio::test]
async fn a_failure_while_stopping_is_no_failure() {
    let stop = StopSignal::new();
    stop.request(Duration::from_secs(1));
    let (state, trace) = ended(async { Err(TaskFailure::connect("late")) }, stop).await;
    assert_eq!((state, trace), (State::Unassigned, None));
}

#[tokio::test]
async fn a_muted_task_reports_nothing() {
    let (sender, mut receiver) = mpsc::channel(4);
    let reports = Reports::new(sender);
    reports.mute();
    supervise_task(async { Ok(()) }, supervision(StopSignal::new(), reports)).await;
    assert!(receiver.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_followed_by_a_request_to_start_again() {
    let (sender, mut receiver) = mpsc::channel(4);
    let supervision = supervision(StopSignal::new(), Reports::new(sender));
    let restarts = supervision.restarts.clone();
    let begin = Instant::now();
    let failure = TaskFailure::connect("outer").caused_by(ConnectError::retriable("away"));
    let ended = tokio::spawn(supervise_task(async { Err(failure) }, supervision));
    let failed = receiver.recv().await;
    assert!(
        matches!(
            &failed,
            Some(WorkerEvent::TaskStatus {
                state: State::Failed,
                ..
            })
        ),
        "{failed:?}"
    );
    assert!(restarts.figures(&id()).next_ms.is_some());
    assert_eq!(receiver.recv().await, Some(WorkerEvent::RestartTask { id: id() }));
    assert_eq!(begin.elapsed(), RestartSettings::default().backoff);
    assert_eq!(restarts.figures(&id()).count, 1);
    ended.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_for_the_next_start() {
    let (sender, mut receiver) = mpsc::channel(4);
    let stop = StopSignal::new();
    let supervision = supervision(stop.clone(), Reports::new(sender));
    let failure = TaskFailure::connect("outer").caused_by(ConnectError::retriable("away"));
    let ended = tokio::spawn(supervise_task(async { Err(failure) }, supervision));
    assert!(receiver.recv().await.is_some());
    stop.request(Duration::from_secs(1));
    ended.await.unwrap();
    assert!(receiver.recv().await.is_none());
}
