//! Timestamps, headers and nulls on their way through both kinds of tasks.

use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::Timestamp;
use serde_json::json;
use weir_tests::kafka::{create_topic, read_contents, read_marks};
use weir_tests::process::{PATIENCE, await_true};

use crate::{JSON, STRING, Worker};

/// Makes these records in `topic`; the lines are those of `tests/guests/src/telling.rs`.
fn source(worker: &Worker, name: &str, topic: &str, tolerance: &str, records: &[&str]) {
    worker.put(
        name,
        &json!({"connector.class": "weir.guests.TellingSourceConnector", "topic": topic, "records": records.join("\n"),
            "header.converter": STRING, "errors.tolerance": tolerance, "errors.log.enable": "true"}),
    );
}

fn sink(worker: &Worker, topic: &str) {
    worker.put(
        "telling",
        &json!({"connector.class": "weir.guests.TellingSinkConnector", "topics": topic, "header.converter": STRING}),
    );
}

/// What the sink told of records of a topic, once there are so many.
fn told(worker: &Worker, topic: &str, count: usize) -> Vec<String> {
    let begin = format!("told {topic} ");
    let mut found = Vec::new();
    await_true("the sink tells", PATIENCE, || {
        let log = worker.weir.log_text();
        found = log
            .lines()
            .filter_map(|line| line.split_once(&begin))
            .filter_map(|(_, rest)| Some(rest.split_once(" (weir::plugin)")?.0.to_owned()))
            .collect();
        found.len() >= count
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    found
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("a time")
}

#[test]
fn a_record_keeps_its_time_or_gets_one_and_sinks_see_whose_it_is() {
    let worker = Worker::up("");
    create_topic(&worker.kafka, "created", 1, &[]).expect("topic");
    create_topic(
        &worker.kafka,
        "appended",
        1,
        &[("message.timestamp.type", "LogAppendTime")],
    )
    .expect("topic");
    let before = now_ms();
    let given = now_ms() - 60_000;
    let lines = [
        format!("k;given;{given};"),
        "k;none;;".to_owned(),
        // Java's NO_TIMESTAMP, which Connect takes for none.
        "k;minus one;-1;".to_owned(),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for topic in ["created", "appended"] {
        source(&worker, topic, topic, "none", &lines);
        worker.await_end(topic, 3);
    }
    sink(&worker, "created,appended");
    let is_now = |time: i64| (before - 1000..=now_ms() + 1000).contains(&time);
    let created: Vec<Timestamp> = read_marks(&worker.kafka, "created")
        .expect("records")
        .into_iter()
        .map(|marks| marks.timestamp)
        .collect();
    match created.as_slice() {
        [
            Timestamp::CreateTime(first),
            Timestamp::CreateTime(second),
            Timestamp::CreateTime(third),
        ] => {
            assert!(*first == given && is_now(*second) && is_now(*third), "{created:?}");
        }
        other => panic!("{other:?}"),
    }
    for marks in read_marks(&worker.kafka, "appended").expect("records") {
        match marks.timestamp {
            Timestamp::LogAppendTime(time) => assert!(is_now(time), "{time}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told(&worker, "created", 3)[0], format!("k;given;{given} CreateTime;"));
    for line in told(&worker, "appended", 3) {
        let time = line
            .split(';')
            .nth(2)
            .and_then(|part| part.strip_suffix(" LogAppendTime"));
        assert!(time.and_then(|time| time.parse().ok()).is_some_and(is_now), "{line}");
    }
    // The task learns the stored time, not its own; acks come between two polls.
    let stored = format!("stored 0 at {given}");
    await_true("the task is told", PATIENCE, || {
        worker.weir.log_text().contains(&stored)
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
}

#[test]
fn times_that_kafka_does_not_have_fail_the_task() {
    let worker = Worker::up("");
    for (name, tolerance, time, trace) in [
        ("zero", "none", "0", "a record with timestamp 0 cannot be sent"),
        ("negative", "none", "-2", "Invalid record timestamp -2"),
        // No tolerance covers it, as in Apache's worker.
        ("tolerated", "all", "-2", "Invalid record timestamp -2"),
    ] {
        source(&worker, name, name, tolerance, &[&format!("k;v;{time};")]);
        let failed = worker.rest.await_failed(name, 0).expect(name);
        assert!(failed.contains(trace), "{name}: {failed}");
    }
    let failed = worker.rest.await_failed("zero", 0).expect("zero");
    assert!(
        failed.contains("Caused by: org.apache.kafka.common.errors.InvalidTimestampException: "),
        "{failed}"
    );
    source(&worker, "left-out", "left-out", "all", &["k;v;0;", "k;w;;"]);
    worker.await_end("left-out", 1);
    let stored = read_contents(&worker.kafka, "left-out").expect("records");
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value.as_deref(), Some(&b"w"[..]));
    worker.rest.await_state("left-out", "RUNNING", 1).expect("it runs");
    worker.weir.await_log("dropped 0").expect("the task is told");
}

#[test]
fn headers_keep_their_order_their_doubles_and_their_nulls() {
    let worker = Worker::up("");
    source(
        &worker,
        "marked",
        "marked",
        "none",
        &["k;v;;a=1,b=~,a=2,c=,a=1", "~;~;;"],
    );
    worker.await_end("marked", 2);
    sink(&worker, "marked");
    let marks = read_marks(&worker.kafka, "marked").expect("records");
    let texts = |headers: &[(String, Option<Vec<u8>>)]| -> Vec<String> {
        headers
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={}", String::from_utf8_lossy(value)),
                None => format!("{name}~"),
            })
            .collect()
    };
    assert_eq!(texts(&marks[0].headers), ["a=1", "b~", "a=2", "c=", "a=1"]);
    assert!(marks[1].headers.is_empty());
    let contents = read_contents(&worker.kafka, "marked").expect("records");
    assert_eq!((&contents[1].key, &contents[1].value), (&None, &None));
    let told = told(&worker, "marked", 2);
    assert!(
        told[0].starts_with("k;v;") && told[0].ends_with(" CreateTime;a=1,b=~,a=2,c=,a=1"),
        "{told:?}"
    );
    assert!(
        told[1].starts_with("~;~;") && told[1].ends_with(" CreateTime;"),
        "{told:?}"
    );
    // Without an envelope a null is the text `null` only where there is a schema.
    worker.put(
        "json",
        &json!({"connector.class": "weir.guests.TellingSourceConnector", "topic": "json", "records": "~;~;;",
            "value.converter": JSON}),
    );
    worker.await_end("json", 1);
    assert_eq!(read_contents(&worker.kafka, "json").expect("records")[0].value, None);
}
