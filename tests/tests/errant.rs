//! Records that a sink task itself finds bad: at once, late, or so bad that `put` fails.
//!
//! The guest is `PickySinkConnector` of `tests/guests`. Dead letters are stored before the offsets of what they are about.

use serde_json::json;
use weir_tests::kafka::{end_offset, producer, read_contents, send};
use weir_tests::process::{PATIENCE, Weir, await_true};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

struct Worker {
    weir: Weir,
    rest: Rest,
    kafka: String,
}

fn worker() -> Worker {
    let folder = tempfile::tempdir().expect("folder");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).expect("plugin folder");
    std::fs::copy(weir_tests::guests::component(), plugins.join("guests.wasm")).expect("component");
    std::fs::write(
        folder.path().join("worker.properties"),
        format!("plugin.path={}\noffset.flush.interval.ms=200\n", plugins.display()),
    )
    .expect("worker settings");
    let path = folder.keep();
    let (weir, ready) = Weir::up_in(&path, &["--connect", "{dir}/worker.properties"]).expect("up");
    Worker {
        rest: Rest::new(ready.connect.as_deref().expect("connect")),
        kafka: ready.kafka.expect("kafka"),
        weir,
    }
}

impl Worker {
    fn produce(&self, values: &[&str]) {
        let (producer, acknowledged) = producer(&self.kafka, PATIENCE).expect("producer");
        for (number, value) in values.iter().enumerate() {
            send(&producer, "in", number as u64, value.as_bytes()).expect("sent");
        }
        await_true("records are stored", PATIENCE, || {
            rdkafka::producer::Producer::flush(&producer, std::time::Duration::from_millis(100)).is_ok()
                && acknowledged.count() == values.len() as u64
        })
        .expect("stored");
    }

    fn sink(&self, tolerance: &str) {
        let config = json!({
            "connector.class": "weir.guests.PickySinkConnector", "topics": "in", "value.converter": STRING,
            "errors.tolerance": tolerance, "errors.deadletterqueue.topic.name": "dlq",
            "errors.deadletterqueue.topic.replication.factor": "1",
        });
        self.rest.put_connector("picky", &config).expect("created");
    }

    fn letters(&self) -> Vec<String> {
        let mut letters: Vec<String> = read_contents(&self.kafka, "dlq")
            .expect("dead letters")
            .into_iter()
            .map(|content| String::from_utf8(content.value.unwrap_or_default()).expect("text"))
            .collect();
        letters.sort();
        letters
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.weir.kill();
        let _ = std::fs::remove_dir_all(&self.weir.folder);
    }
}

#[test]
fn reported_records_become_dead_letters_even_when_they_are_long_past() {
    let worker = worker();
    worker.produce(&["good", "bad 1", "late 1", "good", "late 2", "bad 2"]);
    worker.sink("all");
    await_true("four letters", PATIENCE, || end_offset(&worker.kafka, "dlq") == Some(4))
        .unwrap_or_else(|error| panic!("{error:#}: {}\n{}", worker.rest.status("picky"), worker.weir.log_text()));
    assert_eq!(worker.letters(), ["bad 1", "bad 2", "late 1", "late 2"]);
    let status = worker.rest.await_state("picky", "RUNNING", 1).expect("it runs on");
    let figures = &status["weir"]["tasks"][0];
    assert_eq!(figures["dead_letters"], 4, "{figures}");
    assert_eq!(figures["records"], 6, "{figures}");
    let topics = worker.rest.get("/connectors/picky/topics").expect("topics").json();
    assert_eq!(topics["picky"]["topics"], json!(["in"]));
}

#[test]
fn without_tolerance_a_report_is_a_letter_and_the_end() {
    let worker = worker();
    worker.produce(&["good", "bad 1"]);
    worker.sink("none");
    let trace = worker.rest.await_failed("picky", 0).expect("failed");
    assert!(
        trace.starts_with(
            "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception."
        ),
        "{trace}"
    );
    assert!(trace.contains("Tolerance exceeded in error handler"), "{trace}");
    assert_eq!(worker.letters(), ["bad 1"]);
}

#[test]
fn no_tolerance_covers_a_put_that_fails() {
    let worker = worker();
    worker.produce(&["good", "worse"]);
    worker.sink("all");
    let trace = worker.rest.await_failed("picky", 0).expect("failed");
    assert!(
        trace.contains("Exiting WorkerSinkTask due to unrecoverable exception.") && trace.contains("worse than bad"),
        "{trace}"
    );
    assert!(worker.letters().is_empty());
}
