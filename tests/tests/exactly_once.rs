//! Exactly-once sources against Apache Kafka: kills, zombies, the three boundaries, offsets; kills and zombies on the bundled broker.
//!
//! One Apache broker serves the file, and one bundled broker its short form; each test has its own worker group and topics. What counts is
//! what a reader of committed records sees: every record once, in order.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};

use serde_json::{Value, json};
use weir_tests::apache::broker_of_suite;
use weir_tests::kafka::{Isolation, read_now};
use weir_tests::process::{PATIENCE, Weir, await_true};
use weir_tests::rest::Rest;
use weir_tests::side_by_side::scratch;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// The broker of this file.
fn kafka() -> &'static str {
    broker_of_suite("exactly-once")
}

/// The bundled broker of this file.
fn bundled() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (started, answers) = mpsc::channel();
        std::thread::spawn(move || {
            let (_weir, address) = Weir::broker(&[("group.initial.rebalance.delay.ms", "0")]).expect("broker");
            started.send(address).expect("somebody waits");
            loop {
                std::thread::park();
            }
        });
        answers.recv().expect("broker")
    })
}

/// A worker of group `name` with its input file.
struct Worker {
    name: String,
    kafka: &'static str,
    weir: Weir,
    rest: Rest,
    folder: PathBuf,
    written: u32,
}

fn worker_file(kafka: &str, name: &str, folder: &Path) -> PathBuf {
    let plugins = folder.join("plugins");
    if !plugins.try_exists().expect("plugin folder") {
        std::fs::create_dir(&plugins).expect("plugin folder");
        std::fs::copy(weir_tests::guests::component(), plugins.join("guests.wasm")).expect("component");
    }
    let mut text = format!(
        "bootstrap.servers={}\ngroup.id={name}\nexactly.once.source.support=enabled\nlisteners=http://127.0.0.1:0\n\
         plugin.path={}\nkey.converter={STRING}\nvalue.converter={STRING}\noffset.flush.interval.ms=100\n\
         session.timeout.ms=6000\nheartbeat.interval.ms=500\nscheduled.rebalance.max.delay.ms=0\nrebalance.timeout.ms=5000\n",
        kafka,
        plugins.display()
    );
    for storage in ["config", "offset", "status"] {
        let _ = writeln!(
            text,
            "{storage}.storage.topic={name}-{storage}\n{storage}.storage.replication.factor=1"
        );
    }
    text.push_str("offset.storage.partitions=2\nstatus.storage.partitions=1\n");
    let file = folder.join("worker.properties");
    std::fs::write(&file, text).expect("worker file");
    file
}

impl Worker {
    fn start(name: &str) -> Self {
        Self::start_on(kafka(), name)
    }

    fn start_on(kafka: &'static str, name: &str) -> Self {
        let folder = scratch().join(format!("exactly-once-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("folder");
        std::fs::write(folder.join("in.txt"), "").expect("input");
        let (weir, rest) = run_on(kafka, name, &folder);
        Self {
            name: name.to_owned(),
            kafka,
            weir,
            rest,
            folder,
            written: 0,
        }
    }

    fn input(&self) -> PathBuf {
        self.folder.join("in.txt")
    }

    /// Appends numbered lines to the input.
    fn write(&mut self, lines: u32) {
        let mut text = String::new();
        for _ in 0..lines {
            self.written += 1;
            let _ = writeln!(text, "{}", self.written);
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(self.input())
            .expect("input");
        file.write_all(text.as_bytes()).expect("lines");
    }

    fn file_source(&self, topic: &str, more: &Value) -> Value {
        let mut config = json!({"connector.class": "FileStreamSource", "tasks.max": "1", "file": self.input(), "topic": topic,
            "exactly.once.support": "required"});
        let more = more.as_object().expect("an object");
        config.as_object_mut().expect("an object").extend(more.clone());
        config
    }

    fn counting_source(&self, topic: &str, more: &Value) -> Value {
        let mut config = json!({"connector.class": "weir.guests.CountingSourceConnector", "tasks.max": "1", "topic": topic,
            "exactly.once.support": "required"});
        let more = more.as_object().expect("an object");
        config.as_object_mut().expect("an object").extend(more.clone());
        config
    }
}

fn run(name: &str, folder: &Path) -> (Weir, Rest) {
    run_on(kafka(), name, folder)
}

fn run_on(kafka: &str, name: &str, folder: &Path) -> (Weir, Rest) {
    let file = worker_file(kafka, name, folder);
    let mut weir = Weir::start_in(folder, &["connect-distributed", &file.display().to_string()]).expect("worker");
    let ready = weir.await_ready().expect("worker");
    let rest = Rest::new(ready.connect.as_deref().expect("connect"));
    (weir, rest)
}

fn values(topic: &str, isolation: Isolation) -> Vec<u32> {
    values_on(kafka(), topic, isolation)
}

fn values_on(kafka: &str, topic: &str, isolation: Isolation) -> Vec<u32> {
    let contents = read_now(kafka, topic, isolation).expect("records");
    let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default()).expect("text");
    contents
        .into_iter()
        .map(|content| text(content.value).parse().expect("a number"))
        .collect()
}

#[track_caller]
fn await_committed(topic: &str, last: u32, worker: &Worker) {
    await_true(&format!("{last} is committed to {topic}"), PATIENCE, || {
        values_on(worker.kafka, topic, Isolation::Committed).last() == Some(&last)
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
}

#[track_caller]
fn assert_exact(topic: &str, last: u32) {
    assert_exact_on(kafka(), topic, last);
}

#[track_caller]
fn assert_exact_on(kafka: &str, topic: &str, last: u32) {
    let seen = values_on(kafka, topic, Isolation::Committed);
    let expected: Vec<u32> = (1..=last).collect();
    let first_wrong = seen.iter().zip(&expected).position(|(seen, expected)| seen != expected);
    assert!(
        seen == expected,
        "{} of {last} records, first difference at {first_wrong:?}",
        seen.len()
    );
}

// ---- delivery ----------------------------------------------------------------------------------------------------------

#[test]
fn a_worker_killed_again_and_again_loses_and_doubles_nothing() {
    kill_again_and_again(Worker::start("killed"), 5);
}

#[test]
fn on_the_bundled_broker_a_killed_worker_loses_and_doubles_nothing() {
    kill_again_and_again(Worker::start_on(bundled(), "killed-bundled"), 2);
}

fn kill_again_and_again(mut worker: Worker, rounds: usize) {
    let topic = worker.name.clone();
    let config = worker.file_source(&topic, &json!({"batch.size": "50"}));
    worker.rest.put_connector("lines", &config).expect("connector");
    for round in 1..=rounds {
        worker.write(2000);
        // In the middle of them: at least one more commit than the last round had, and not yet all.
        await_true("some are committed", PATIENCE, || {
            let seen = values_on(worker.kafka, &topic, Isolation::Committed).len();
            seen > 2000 * (round - 1)
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
        worker.weir.kill().expect("kill -9");
        (worker.weir, worker.rest) = run_on(worker.kafka, &topic, &worker.folder);
    }
    worker.write(10);
    await_committed(&topic, worker.written, &worker);
    assert_exact_on(worker.kafka, &topic, worker.written);
}

#[test]
fn a_zombie_that_wakes_up_cannot_write() {
    freeze_and_replace(&Worker::start("zombie"));
}

#[test]
fn on_the_bundled_broker_a_zombie_that_wakes_up_cannot_write() {
    freeze_and_replace(&Worker::start_on(bundled(), "zombie-bundled"));
}

fn freeze_and_replace(worker: &Worker) {
    const UNTIL: u32 = 6000;
    let topic = worker.name.as_str();
    let seen = |isolation| values_on(worker.kafka, topic, isolation);
    // Slow on purpose, ten records a transaction: it is frozen in the middle of them.
    let config = worker.counting_source(topic, &json!({"until": UNTIL.to_string(), "batch": "10"}));
    worker.rest.put_connector("count", &config).expect("connector");
    await_true("it counts", PATIENCE, || !seen(Isolation::Committed).is_empty()).expect("records");
    signal(&worker.weir, libc::SIGSTOP);
    let before = seen(Isolation::Uncommitted).len();
    assert!(before < UNTIL as usize, "it was too quick to be frozen");
    let (successor, rest) = run_on(worker.kafka, topic, &worker.folder);
    let went_on = await_true("the successor goes on", PATIENCE, || {
        seen(Isolation::Committed).len() > before
    });
    went_on.unwrap_or_else(|error| panic!("{error:#}: {}\n{}", rest.status("count"), successor.log_text()));
    signal(&worker.weir, libc::SIGCONT);
    let failed = worker
        .weir
        .await_log("task failed and will not recover until restarted");
    failed.unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    await_committed(topic, UNTIL, worker);
    assert_exact_on(worker.kafka, topic, UNTIL);
}

fn signal(weir: &Weir, signal: i32) {
    let name = if signal == libc::SIGSTOP { "-STOP" } else { "-CONT" };
    let status = std::process::Command::new("kill")
        .args([name, &weir.pid().to_string()])
        .status();
    assert!(status.expect("kill").success());
}

// ---- boundaries --------------------------------------------------------------------------------------------------------

#[test]
fn an_interval_ends_the_transaction_and_so_does_a_pause() {
    let mut worker = Worker::start("interval");
    let more = json!({"transaction.boundary": "interval", "transaction.boundary.interval.ms": "3600000"});
    let config = worker.file_source("interval", &more);
    worker.rest.put_connector("lines", &config).expect("connector");
    worker.write(100);
    await_true("the records are sent", PATIENCE, || {
        values("interval", Isolation::Uncommitted).len() == 100
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    assert_eq!(
        values("interval", Isolation::Committed),
        [0_u32; 0],
        "the interval is not over"
    );
    worker.rest.send("PUT", "/connectors/lines/pause", None).expect("pause");
    await_committed("interval", 100, &worker);
    worker
        .rest
        .send("PUT", "/connectors/lines/resume", None)
        .expect("resume");
    worker.rest.await_state("lines", "RUNNING", 1).expect("resumed");
    // A short interval instead: commits come by themselves.
    let more = json!({"transaction.boundary": "interval", "transaction.boundary.interval.ms": "200"});
    worker
        .rest
        .put_connector("lines", &worker.file_source("interval", &more))
        .expect("connector");
    worker.write(100);
    await_committed("interval", 200, &worker);
    assert_exact("interval", 200);
}

#[test]
fn a_connector_commits_and_aborts_where_it_says() {
    const UNTIL: u32 = 200;
    let worker = Worker::start("boundaries");
    let more = json!({"transaction.boundary": "connector", "until": UNTIL.to_string(), "batch": "10",
        "commit.every": "7", "abort.every": "25"});
    let config = worker.counting_source("boundaries", &more);
    worker.rest.put_connector("count", &config).expect("connector");
    let (mut expected, mut open) = (Vec::new(), Vec::new());
    for number in 1..=UNTIL {
        open.push(number);
        if number % 25 == 0 {
            open.clear();
        } else if number % 7 == 0 {
            expected.append(&mut open);
        }
    }
    let last = *expected.last().expect("some");
    await_committed("boundaries", last, &worker);
    await_true("everything is sent", PATIENCE, || {
        values("boundaries", Isolation::Uncommitted).last() == Some(&UNTIL)
    })
    .expect("records");
    assert_eq!(values("boundaries", Isolation::Committed), expected);
    // A restart goes on behind the abort at 200, whose offset was committed: nothing comes again.
    let more = json!({"transaction.boundary": "connector", "until": "210", "batch": "10", "commit.every": "210"});
    worker
        .rest
        .put_connector("count", &worker.counting_source("boundaries", &more))
        .expect("connector");
    await_committed("boundaries", 210, &worker);
    expected.extend(201..=210);
    assert_eq!(values("boundaries", Isolation::Committed), expected);
}

// ---- offsets -----------------------------------------------------------------------------------------------------------

#[test]
fn offsets_go_to_the_connectors_own_topic_and_are_found_there() {
    let mut worker = Worker::start("own");
    let config = worker.file_source("own", &json!({"offsets.storage.topic": "own-offsets"}));
    worker.rest.put_connector("lines", &config).expect("connector");
    worker.write(10);
    await_committed("own", 10, &worker);
    let offsets = read_now(kafka(), "own-offsets", Isolation::Committed).expect("offsets");
    let newest = offsets.last().expect("an offset");
    let key = String::from_utf8(newest.key.clone().unwrap_or_default()).expect("text");
    assert_eq!(key, format!("[\"lines\",{{\"filename\":{}}}]", json!(worker.input())));
    assert_eq!(newest.value.as_deref(), Some(&b"{\"position\":21}"[..]));
    worker.weir.kill().expect("kill -9");
    (worker.weir, worker.rest) = run("own", &worker.folder);
    worker.write(10);
    await_committed("own", 20, &worker);
    assert_exact("own", 20);
}

#[test]
fn earlier_tasks_are_fenced_before_a_user_changes_offsets() {
    let mut worker = Worker::start("altered");
    let config = worker.file_source("altered", &json!({}));
    worker.rest.put_connector("lines", &config).expect("connector");
    worker.write(10);
    await_committed("altered", 10, &worker);
    let stopped = worker.rest.send("PUT", "/connectors/lines/stop", None).expect("stop");
    assert_eq!(stopped.status, 204, "{}", stopped.text);
    worker.rest.await_state("lines", "STOPPED", 0).expect("stopped");
    let fencings = |worker: &Worker| worker.weir.log_text().matches("fencing earlier tasks").count();
    let before = fencings(&worker);
    // Behind the fifth line.
    let body = json!({"offsets": [{"partition": {"filename": worker.input()}, "offset": {"position": 10}}]});
    let answer = worker.rest.json("PATCH", "/connectors/lines/offsets", &body);
    let answer = answer.expect("PATCH");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(fencings(&worker), before + 1, "{}", worker.weir.log_text());
    let read = worker.rest.get("/connectors/lines/offsets").expect("offsets").json();
    assert_eq!(read["offsets"][0]["offset"]["position"], 10, "{read}");
    // The tasks are counted now: nobody is left to be fenced.
    let answer = worker.rest.send("DELETE", "/connectors/lines/offsets", None);
    assert_eq!(answer.expect("DELETE").status, 200);
    assert_eq!(fencings(&worker), before + 1);
}

#[test]
fn records_for_the_own_offsets_topic_fail_the_task() {
    let mut worker = Worker::start("loop");
    worker
        .rest
        .put_connector("lines", &worker.file_source("loop-offset", &json!({})))
        .expect("connector");
    worker.write(1);
    let trace = worker.rest.await_failed("lines", 0).expect("failed");
    let text = "Source tasks may not produce to their own offsets topics when exactly-once support is enabled";
    assert!(trace.contains(text), "{trace}");
}

// ---- what is refused ---------------------------------------------------------------------------------------------------

#[test]
fn connectors_that_cannot_are_refused_before_they_run() {
    let worker = Worker::start("preflight");
    for (config, expected) in [
        (
            json!({"connector.class": "weir.guests.QuietSourceConnector", "topic": "t", "exactly.once.support": "required"}),
            "The connector does not implement the API required for preflight validation",
        ),
        (
            json!({"connector.class": "FileStreamSource", "topic": "t", "exactly.once.support": "required"}),
            "The connector does not support exactly-once semantics with the provided configuration.",
        ),
        (
            json!({"connector.class": "FileStreamSource", "topic": "t", "file": "/x", "transaction.boundary": "connector"}),
            "The connector does not support connector-defined transaction boundaries with the given configuration.",
        ),
    ] {
        let answer = worker
            .rest
            .json("PUT", "/connectors/c/config", &config)
            .expect("an answer");
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(expected), "{}", answer.text);
    }
}
