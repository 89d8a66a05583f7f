use std::time::Duration;

use tokio::sync::mpsc;
use weir_plugins::stop::StopSignal;
use weir_stores::status::records::State;

use super::{check_task_count, supervise_task};
use crate::connector_config::ConnectorConfig;
use crate::error::TaskFailure;
use crate::lifecycle::{Reports, TaskId, WorkerEvent};
use weir_config::map::ConfigMap;

fn id() -> TaskId {
    TaskId {
        connector: "c".to_owned(),
        task: 1,
    }
}

async fn ended(
    run: impl Future<Output = Result<(), TaskFailure>> + Send + 'static,
    stop: StopSignal,
) -> (State, Option<String>) {
    let (sender, mut receiver) = mpsc::channel(4);
    supervise_task(id(), run, stop, Reports::new(sender)).await;
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
    supervise_task(id(), async { Ok(()) }, StopSignal::new(), reports).await;
    assert!(receiver.recv().await.is_none());
}

#[test]
fn too_many_tasks_are_refused_unless_allowed() {
    let parse = |enforce: &str| {
        let config: ConfigMap = [
            ("name", "c"),
            ("connector.class", "X"),
            ("tasks.max", "2"),
            ("tasks.max.enforce", enforce),
        ]
        .into_iter()
        .collect();
        ConnectorConfig::parse(&config).unwrap()
    };
    assert!(check_task_count(&parse("true"), 2).is_ok());
    let error = check_task_count(&parse("true"), 3).unwrap_err().to_string();
    assert!(
        error.starts_with("The connector c has generated 3 tasks, which is greater than 2, the maximum number"),
        "{error}"
    );
    assert!(check_task_count(&parse("false"), 3).is_ok());
}
