//! A connector that never comes back from one of its methods
//!
//! Its neighbours go on; to delete, stop or restart it takes bounded time, and so does the end of its worker. The guests are
//! `tests/guests/src/blocking.rs`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::kafka::{Given, read_contents, store};
use weir_tests::process::{PATIENCE, Weir, await_true};

use crate::{SOON, Worker};

/// Kind of connector and method, without those that are called only at an end.
const METHODS: [(&str, &str); 11] = [
    ("Source", "connector.start"),
    ("Source", "connector.taskConfigs"),
    ("Source", "task.start"),
    ("Source", "task.poll"),
    ("Source", "task.commitRecord"),
    ("Source", "task.commit"),
    ("Sink", "connector.start"),
    ("Sink", "task.start"),
    ("Sink", "task.open"),
    ("Sink", "task.put"),
    ("Sink", "task.preCommit"),
];
/// Those that block while the connector is deleted.
const LAST_METHODS: [(&str, &str); 5] = [
    ("Source", "connector.stop"),
    ("Source", "task.stop"),
    ("Sink", "connector.stop"),
    ("Sink", "task.close"),
    ("Sink", "task.stop"),
];
/// Connectors get five seconds to stop, tasks one here, a connector that is to rest ten before it is cancelled.
const BOUND: Duration = Duration::from_secs(60);

fn name(kind: &str, method: &str) -> String {
    format!("{kind}.{method}")
}

fn config(kind: &str, method: &str) -> Value {
    let class = format!("weir.guests.Blocking{kind}Connector");
    match kind {
        "Sink" => json!({"connector.class": class, "topics": "in", "block.at": method}),
        _ => json!({"connector.class": class, "topic": "out", "block.at": method}),
    }
}

/// A worker of a group with `in` filled and a neighbour at work.
fn member(group: &str) -> (Weir, Worker) {
    let (broker, kafka) = Weir::broker(&[("group.initial.rebalance.delay.ms", "0")]).expect("broker");
    let given = Given {
        value: Some("a record"),
        ..Given::default()
    };
    store(&kafka, "in", &[given]).expect("stored");
    let worker = Worker::member(&kafka, group, "task.shutdown.graceful.timeout.ms=1000");
    worker.start_neighbour();
    (broker, worker)
}

fn await_blocked(worker: &Worker, name: &str, method: &str) {
    await_blocked_times(worker, name, method, 1);
}

/// Waits until so many of its instances have blocked.
fn await_blocked_times(worker: &Worker, name: &str, method: &str, times: usize) {
    let text = format!("blocked in {method}");
    await_true(&format!("{name} blocks"), PATIENCE, || {
        let log = worker.weir.log_text();
        let blocked = log.lines().filter(|line| line.contains(&text) && line.contains(name));
        blocked.count() >= times
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
}

fn answered(worker: &Worker, method: &str, path: &str) -> (u16, Duration) {
    let asked = Instant::now();
    let answer = worker.rest.send(method, path, None).expect("an answer");
    (answer.status, asked.elapsed())
}

#[test]
fn each_is_deleted_in_bounded_time_and_its_name_is_free() {
    let (_broker, worker) = member("deleted");
    for (kind, method) in METHODS.iter().chain(&LAST_METHODS) {
        worker.put(&name(kind, method), &config(kind, method));
    }
    for (kind, method) in METHODS {
        await_blocked(&worker, &name(kind, method), method);
    }
    for (kind, method) in LAST_METHODS {
        worker
            .rest
            .await_state(&name(kind, method), "RUNNING", 1)
            .expect("runs");
    }
    worker.neighbour_moves();
    let began = Instant::now();
    for (kind, method) in METHODS.iter().chain(&LAST_METHODS) {
        let (status, took) = answered(&worker, "DELETE", &format!("/connectors/{}", name(kind, method)));
        assert!(status == 204 && took < SOON, "{kind} {method}: {status} after {took:?}");
    }
    worker.neighbour_moves();
    for (kind, method) in METHODS.iter().chain(&LAST_METHODS) {
        let name = name(kind, method);
        let path = format!("/connectors/{name}/status");
        await_true(&format!("{name} is gone"), BOUND, || {
            worker.rest.get(&path).is_ok_and(|answer| answer.status == 404)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    for (kind, method) in METHODS.iter().chain(&LAST_METHODS) {
        let name = name(kind, method);
        let text = match method.starts_with("connector.") {
            true => format!("Connector '{name}' failed to properly shut down and was cancelled."),
            false => format!("Graceful stop of task {name}-0 failed."),
        };
        worker.weir.await_log(&text).expect("cancelled");
    }
    for (kind, method) in [METHODS[0], METHODS[3], METHODS[9]] {
        let name = name(kind, method);
        worker.put(&name, &config(kind, ""));
        worker.rest.await_state(&name, "RUNNING", 1).expect("the name is free");
    }
    worker.neighbour_moves();
}

#[test]
fn stopped_and_restarted_ones_leave_nothing_behind() {
    let (_broker, worker) = member("restarted");
    let rest = &worker.rest;
    for (kind, method) in [
        ("Source", "connector.start"),
        ("Source", "connector.taskConfigs"),
        ("Source", "task.poll"),
        ("Sink", "task.put"),
    ] {
        worker.put(&name(kind, method), &config(kind, method));
        await_blocked(&worker, &name(kind, method), method);
    }
    let (poll, put) = ("Source.task.poll", "Sink.task.put");
    for name in [poll, put] {
        rest.await_state(name, "RUNNING", 1)
            .expect("runs as far as anybody knows");
        let (status, took) = answered(&worker, "POST", &format!("/connectors/{name}/tasks/0/restart"));
        assert!(status == 204 && took < SOON, "{name}: {status} after {took:?}");
        let log = worker.weir.log_text();
        assert!(
            log.contains(&format!("Graceful stop of task {name}-0 failed.")),
            "{log}"
        );
    }
    // That `put` blocks again shows that the new task has partition and record: the cancelled one has left the group.
    for (name, method) in [(poll, "task.poll"), (put, "task.put")] {
        await_blocked_times(&worker, name, method, 2);
        rest.await_state(name, "RUNNING", 1).expect("runs again");
        let (status, _) = answered(
            &worker,
            "POST",
            &format!("/connectors/{name}/restart?includeTasks=true"),
        );
        assert_eq!(status, 202, "{name}");
        await_blocked_times(&worker, name, method, 3);
    }
    // A connector in `start` has no status yet, as in Apache's worker.
    let (status, _) = answered(
        &worker,
        "POST",
        "/connectors/Source.connector.start/restart?includeTasks=true",
    );
    assert_eq!(status, 404);
    let all = ["Source.connector.start", "Source.connector.taskConfigs", poll, put];
    for name in all {
        let (status, took) = answered(&worker, "PUT", &format!("/connectors/{name}/stop"));
        assert!(status == 204 && took < SOON, "{name}: {status} after {took:?}");
    }
    for name in all {
        rest.await_state(name, "STOPPED", 0)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    }
    worker.neighbour_moves();
    // Neither a FAILED nor an UNASSIGNED of a cancelled task stands between the starts of its successors.
    let statuses = read_contents(&worker.kafka, "restarted-status").expect("status topic");
    for name in [poll, put] {
        let key = format!("status-task-{name}-0");
        let states: Vec<String> = statuses
            .iter()
            .filter(|record| record.key.as_deref() == Some(key.as_bytes()))
            .filter_map(|record| serde_json::from_slice::<Value>(record.value.as_deref()?).ok())
            .map(|status| status["state"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(states, ["RUNNING", "RUNNING", "RESTARTING", "RUNNING"], "{name}");
    }
}

#[test]
fn a_validation_that_blocks_fails_its_request_only() {
    let worker = Worker::up("");
    let rest = worker.rest.clone();
    let blocked = std::thread::spawn(move || {
        let config = config("Source", "connector.validate");
        rest.json("PUT", "/connectors/blocked/config", &config)
    });
    worker
        .weir
        .await_log("blocked in connector.validate")
        .expect("it blocks");
    worker.start_neighbour();
    worker.neighbour_moves();
    let answer = blocked.join().expect("no panic").expect("an answer");
    let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert!(
        message.contains("validate of weir.guests.BlockingSourceConnector took longer than"),
        "{message}"
    );
    assert_eq!(worker.rest.get("/connectors/blocked").expect("an answer").status, 404);
}

#[test]
fn a_worker_ends_in_bounded_time_whatever_blocks() {
    let (_broker, kafka) = Weir::broker(&[("group.initial.rebalance.delay.ms", "0")]).expect("broker");
    let mut worker = Worker::standalone(&kafka, "task.shutdown.graceful.timeout.ms=1000");
    let given = Given {
        value: Some("a record"),
        ..Given::default()
    };
    store(&worker.kafka, "in", &[given]).expect("stored");
    let mut waiting = Vec::new();
    for (kind, method) in METHODS {
        let (rest, name) = (worker.rest.clone(), name(kind, method));
        // On its own a worker answers when the connector has started, so some are never answered.
        waiting.push(std::thread::spawn(move || {
            rest.put_connector(&name, &config(kind, method))
        }));
    }
    for (kind, method) in METHODS {
        await_blocked(&worker, &name(kind, method), method);
    }
    // One that blocks in `start` can be stopped and deleted all the same.
    let (status, took) = answered(&worker, "PUT", "/connectors/Source.connector.start/stop");
    assert!(status == 204 && took < SOON, "{status} after {took:?}");
    worker
        .rest
        .await_state("Source.connector.start", "STOPPED", 0)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    let (status, took) = answered(&worker, "DELETE", "/connectors/Sink.connector.start");
    assert!(status == 204 && took < SOON, "{status} after {took:?}");
    let (status, took) = worker.weir.stop().expect("it ends");
    assert!(
        status.success() && took < SOON,
        "{status} after {took:?}\n{}",
        worker.weir.log_text()
    );
    let log = worker.weir.log_text();
    for text in [
        "Connector 'Source.connector.taskConfigs' failed to properly shut down and was cancelled.",
        "Graceful stop of task Source.task.poll-0 failed.",
        "Graceful stop of task Sink.task.preCommit-0 failed.",
    ] {
        assert!(log.contains(text), "{text}\n{log}");
    }
    for thread in waiting {
        // Answered, refused or cut off: the thread ends.
        let _ended = thread.join().expect("no panic");
    }
}
