//! No broker at the start, and none for a while.

use std::time::Instant;

use serde_json::json;
use weir_tests::apache::free_port;
use weir_tests::kafka::read_all;
use weir_tests::process::{PATIENCE, Weir, await_true};

use crate::{SOON, Worker, cluster_settings, distributed, write_lines};

#[test]
fn a_worker_without_a_broker_ends_and_names_it() {
    let port = free_port().expect("port");
    let kafka = format!("127.0.0.1:{port}");
    let began = Instant::now();
    // A minute unless it is told otherwise, as in Apache's worker.
    let more = "listeners=http://127.0.0.1:0\ndefault.api.timeout.ms=3000\n";
    let mut weir = distributed(&(cluster_settings(&kafka, "away") + more));
    let status = weir.await_end().expect("it ends by itself");
    // Apache's code for it.
    assert_eq!(status.code(), Some(2), "{}", weir.log_text());
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    let log = weir.log_text();
    for text in ["Kafka has not answered on", "weir: no Kafka answers on"] {
        assert!(log.contains(&format!("{text} {kafka}")), "{log}");
    }
}

#[test]
fn work_goes_on_when_the_broker_comes_back() {
    let folder = tempfile::tempdir().expect("folder");
    let listener = format!("PLAINTEXT://127.0.0.1:{}", free_port().expect("port"));
    let settings = [
        ("listeners", listener.as_str()),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    let (mut broker, kafka) = Weir::broker_in(folder.path(), &settings).expect("broker");
    let worker = Worker::member(&kafka, "in-flight", "");
    let (input, output) = (worker.path("in.txt"), worker.path("out.txt"));
    write_lines(&input, &["before"]);
    worker.put(
        "source",
        &json!({"connector.class": "FileStreamSource", "file": input, "topic": "lines"}),
    );
    worker.put(
        "sink",
        &json!({"connector.class": "FileStreamSink", "file": output, "topics": "lines"}),
    );
    let arrived = |text: &str| {
        await_true(text, PATIENCE, || {
            std::fs::read_to_string(&output).is_ok_and(|found| found.contains(text))
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", worker.weir.log_text()));
    };
    arrived("before");
    broker.kill().expect("kill -9");
    drop(broker);
    write_lines(&input, &["meanwhile"]);
    // What is known is still told at once; a change waits for the broker.
    let asked = Instant::now();
    for path in ["/connectors", "/connectors/source", "/connectors/source/status"] {
        assert_eq!(worker.rest.get(path).expect("an answer").status, 200, "{path}");
    }
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    let rest = worker.rest.clone();
    let change = std::thread::spawn(move || {
        let config = json!({"connector.class": "FileStreamSink", "file": "/dev/null", "topics": "lines"});
        rest.json("PUT", "/connectors/later/config", &config)
    });
    let (_broker, _) = Weir::broker_in(folder.path(), &settings).expect("the broker is back");
    arrived("meanwhile");
    write_lines(&input, &["after"]);
    arrived("after");
    for name in ["source", "sink"] {
        worker.rest.await_state(name, "RUNNING", 1).expect(name);
    }
    let changed = change.join().expect("no panic").expect("an answer");
    assert_eq!(changed.status, 201, "{}", changed.text);
    worker.rest.await_state("later", "RUNNING", 1).expect("it runs");
    let lines = read_all(&kafka, "lines").expect("lines");
    let lines: Vec<_> = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    for line in ["before", "meanwhile", "after"] {
        assert!(lines.iter().any(|found| found == line), "{line} is lost: {lines:?}");
    }
}
