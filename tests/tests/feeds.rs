//! Feeds end to end: the examples, the demo and the command line's schema tools, on the built binary.
//!
//! What each connector does with each answer of its service is tested beside the connector, on a virtual clock.

use std::process::{Command, Output};

use serde_json::json;
use weir_tests::process::{PATIENCE, SERVICE_KEYS, Weir, await_true, repository, weir_binary};
use weir_tests::rest::Rest;

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";

/// Runs an example with the binary under test; answers its standard output.
fn example(name: &str) -> String {
    let run = repository().join("examples").join(name).join("run.sh");
    let mut command = Command::new(run);
    for key in SERVICE_KEYS {
        command.env_remove(key);
    }
    let output = command.arg(weir_binary()).output().expect("run.sh starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name}: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn real_data_comes_back_field_by_field() {
    let text = example("feed");
    for line in [
        "earthquakes: 1707 records, every field as in the file",
        "weather: 2922 records, every field as in the file",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}

#[test]
fn the_twitter_example_runs_against_the_made_up_service() {
    let text = example("twitter");
    assert!(text.contains("\"text\""), "{text}");
}

#[test]
fn the_aemet_example_runs_against_the_made_up_service() {
    let text = example("aemet");
    assert!(text.contains("\"idema\""), "{text}");
}

#[test]
fn the_places_example_runs_against_the_made_up_service() {
    let text = example("places");
    assert!(text.contains("\"id\""), "{text}");
}

fn weir(arguments: &[&str]) -> Output {
    Command::new(weir_binary())
        .args(arguments)
        .output()
        .expect("weir starts")
}

/// A pipe that nobody reads any more.
fn closed_pipe() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    writer
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn schemas_are_listed_shown_registered_and_checked_from_the_command_line() {
    let (process, ready) = Weir::up(&[]).expect("weir up");
    let url = ready.registry.expect("registry");
    let file = |name: &str, text: &str| {
        let path = process.folder.join(name);
        std::fs::write(&path, text).expect("schema file");
        path.display().to_string()
    };
    let first = file(
        "a.avsc",
        r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}"#,
    );
    let wider = file(
        "b.avsc",
        r#"{"type":"record","name":"A","fields":[{"name":"x","type":"int"},{"name":"y","type":"string","default":""}]}"#,
    );
    let broken = file(
        "c.avsc",
        r#"{"type":"record","name":"A","fields":[{"name":"z","type":"int"}]}"#,
    );
    let empty = weir(&["schema", "-r", &url, "list"]);
    assert!(
        stdout(&empty).contains("weir schema register"),
        "an empty list tells what to do: {empty:?}"
    );

    let registered = weir(&["schema", "-r", &url, "register", "a-value", &first]);
    assert_eq!(stdout(&registered), "a-value: id 1, version 1\n", "{registered:?}");
    let checked = weir(&["schema", "-r", &url, "check", "a-value", &wider]);
    assert_eq!(
        (stdout(&checked).as_str(), checked.status.code()),
        ("a-value: compatible\n", Some(0)),
        "{checked:?}"
    );
    let refused = weir(&["schema", "-r", &url, "check", "a-value", &broken]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        stdout(&refused).contains("READER_FIELD_MISSING_DEFAULT_VALUE"),
        "{refused:?}"
    );
    let grown = weir(&["schema", "-r", &url, "diff", "a-value:1", &wider]);
    assert_eq!(grown.status.code(), Some(0), "{grown:?}");
    assert!(stdout(&grown).starts_with("backward (the new schema reads old data): compatible\n"));
    let lost = weir(&["schema", "-r", &url, "diff", "a-value:latest", &broken]);
    assert_eq!(lost.status.code(), Some(1), "{lost:?}");
    assert!(
        stdout(&lost).contains("! READER_FIELD_MISSING_DEFAULT_VALUE at /fields/0"),
        "{lost:?}"
    );
    let message = file("m.proto", "message M { string a = 1; }");
    let renumbered = file("n.proto", "message M { int32 a = 1; }");
    let kept = weir(&["schema", "-r", &url, "register", "m-value", &message]);
    assert_eq!(stdout(&kept), "m-value: id 2, version 1\n", "{kept:?}");
    let changed = weir(&["schema", "-r", &url, "check", "m-value", &renumbered]);
    assert!(stdout(&changed).contains("FIELD_SCALAR_KIND_CHANGED"), "{changed:?}");
    let object = file("o.json", r#"{"type":"object"}"#);
    let described = weir(&["schema", "-r", &url, "register", "o-value", &object]);
    assert_eq!(stdout(&described), "o-value: id 3, version 1\n", "{described:?}");
    let conflict = weir(&["schema", "-r", &url, "register", "a-value", &broken]);
    assert_eq!(conflict.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&conflict.stderr).contains("incompatible"),
        "{conflict:?}"
    );

    let listed = stdout(&weir(&["schema", "-r", &url, "list"]));
    assert!(listed.contains("a-value") && listed.contains("BACKWARD"), "{listed}");
    let shown = stdout(&weir(&["schema", "-r", &url, "get", "a-value"]));
    assert!(shown.contains("\"name\": \"x\""), "{shown}");
    let by_id = stdout(&weir(&["schema", "-r", &url, "get", "--id", "1"]));
    assert_eq!(shown, by_id);
    let mut cut = Command::new(weir_binary());
    cut.args(["schema", "-r", &url, "list"]).stdout(closed_pipe());
    let cut = cut.output().expect("weir starts");
    assert!(
        cut.status.success() && cut.stderr.is_empty(),
        "a reader that goes away: {cut:?}"
    );
    let missing = weir(&["schema", "-r", &url, "get", "b-value"]);
    assert!(
        String::from_utf8_lossy(&missing.stderr).contains("40401"),
        "{missing:?}"
    );
    let nobody = weir(&["schema", "-r", "http://127.0.0.1:1", "list"]);
    assert!(
        String::from_utf8_lossy(&nobody.stderr).contains("no registry answers"),
        "{nobody:?}"
    );
}

#[test]
fn avro_goes_through_the_registry_beside_the_worker_without_a_url() {
    let (process, ready) = Weir::up(&[]).expect("weir up");
    let rest = Rest::new(ready.connect.as_deref().expect("connect"));
    let (kafka, registry) = (ready.kafka.expect("kafka"), ready.registry.expect("registry"));
    let output = process.folder.join("users.txt");
    let source = json!({"connector.class": "Datagen", "topic": "users", "schema": "users", "iterations": "20", "interval.ms": "1",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": AVRO});
    rest.put_connector("users", &source).expect("source");
    let sink = json!({"connector.class": "FileStreamSink", "topics": "users", "file": output.display().to_string(),
        "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": AVRO});
    rest.put_connector("file", &sink).expect("sink");
    await_true("twenty structs in the file", PATIENCE, || {
        std::fs::read_to_string(&output)
            .is_ok_and(|text| text.lines().filter(|line| line.starts_with("Struct{")).count() == 20)
    })
    .map_err(|error| format!("{error}: {}", process.log_text()))
    .expect("read back");
    let tail = weir(&[
        "tail",
        "users",
        "-b",
        &kafka,
        "--registry",
        &registry,
        "--from-beginning",
        "--max",
        "20",
        "--json",
    ]);
    let text = stdout(&tail);
    let values: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(values.len(), 20, "{tail:?}");
    assert!(
        values.iter().all(|record| record["value"].is_object()),
        "decoded: {text}"
    );
    let plain = stdout(&weir(&[
        "tail",
        "users",
        "-b",
        &kafka,
        "--from-beginning",
        "--max",
        "1",
        "--json",
    ]));
    assert!(plain.contains("base64"), "bytes without a registry: {plain}");
    let listed = stdout(&weir(&["schema", "-r", &registry, "list"]));
    assert!(listed.contains("users-value"), "{listed}");
}
