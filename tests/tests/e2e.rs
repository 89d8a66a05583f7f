//! The built binary from outside: roles, REST, streams, restarts.
//!
//! Every test has its own process on free ports. Bodies and codes are what Apache Connect 4.3.1 answered to the same requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, Weir, await_true, await_value, repository, weir_binary};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn source(file: &str, topic: &str) -> Value {
    json!({"connector.class": "FileStreamSource", "file": file, "topic": topic, "key.converter": STRING, "value.converter": STRING})
}

fn sink(file: &str, topic: &str) -> Value {
    json!({"connector.class": "FileStreamSink", "file": file, "topics": topic, "key.converter": STRING, "value.converter": STRING})
}

fn started(extra: &[&str]) -> (Weir, Rest, String) {
    let (weir, ready) = Weir::up(extra).expect("weir up");
    let rest = Rest::new(ready.connect.as_deref().expect("connect address"));
    (weir, rest, ready.kafka.expect("kafka address"))
}

fn path(weir: &Weir, name: &str) -> String {
    weir.folder.join(name).display().to_string()
}

#[test]
fn the_quickstart_example_gives_back_the_same_bytes() {
    let run = repository().join("examples/quickstart/run.sh");
    let output = std::process::Command::new(run)
        .arg(weir_binary())
        .output()
        .expect("run.sh starts");
    let expected =
        std::fs::read_to_string(repository().join("examples/quickstart/expected.txt")).expect("expected.txt");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success());
}

#[test]
fn a_growing_file_flows_through_to_the_sink() {
    let (weir, rest, _) = started(&[]);
    let (input, output) = (path(&weir, "in.txt"), path(&weir, "out.txt"));
    std::fs::write(&input, "one\ntwo\n").expect("input");
    rest.put_connector("src", &source(&input, "grow")).expect("source");
    rest.put_connector("snk", &sink(&output, "grow")).expect("sink");
    let holds = |text: &str| {
        await_true(text, PATIENCE, || {
            std::fs::read_to_string(&output).is_ok_and(|found| found == text)
        })
    };
    holds("one\ntwo\n").expect("first lines");
    std::fs::write(&input, "one\ntwo\nthree\n").expect("grown");
    holds("one\ntwo\nthree\n").expect("the new line");
}

#[test]
fn the_lifecycle_answers_as_apache_connect_does() {
    let (weir, rest, _) = started(&[]);
    let input = path(&weir, "in.txt");
    std::fs::write(&input, "x\n").expect("input");
    let created = rest.json("POST", "/connectors", &json!({"name": "a", "config": {"connector.class": "FileStreamSource", "topic": "t1", "file": input, "tasks.max": 1}})).expect("POST");
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(
        created
            .header("location")
            .is_some_and(|url| url.ends_with("/connectors/a")),
        "{:?}",
        created.headers
    );
    assert_eq!(created.json()["config"]["tasks.max"], "1", "scalars become texts");
    assert_eq!(created.json()["type"], "source");
    let again = rest
        .json(
            "POST",
            "/connectors",
            &json!({"name": "a", "config": source(&input, "t1")}),
        )
        .expect("POST");
    assert_eq!(
        (again.status, again.text.as_str()),
        (409, r#"{"error_code":409,"message":"Connector a already exists"}"#)
    );

    let running = rest.await_state("a", "RUNNING", 1).expect("running");
    assert_eq!(running["type"], "source");
    assert!(
        running["connector"]["worker_id"]
            .as_str()
            .is_some_and(|id| id.contains(':'))
    );
    let tasks = rest.get("/connectors/a/tasks").expect("tasks").json();
    assert_eq!(
        tasks[0]["config"]["task.class"],
        "org.apache.kafka.connect.file.FileStreamSourceTask"
    );
    assert_eq!(tasks[0]["id"], json!({"connector": "a", "task": 0}));

    let status = |method: &str, path: &str| rest.send(method, path, None).expect("answer").status;
    assert_eq!(status("PUT", "/connectors/a/pause"), 202);
    rest.await_state("a", "PAUSED", 1).expect("paused");
    assert_eq!(status("PUT", "/connectors/a/resume"), 202);
    rest.await_state("a", "RUNNING", 1).expect("resumed");
    assert_eq!(status("POST", "/connectors/a/restart"), 204);
    let plan = rest
        .send("POST", "/connectors/a/restart?includeTasks=true", None)
        .expect("restart");
    assert_eq!(
        (plan.status, &plan.json()["connector"]["state"]),
        (202, &json!("RESTARTING"))
    );
    rest.await_state("a", "RUNNING", 1).expect("restarted");
    assert_eq!(status("POST", "/connectors/a/tasks/0/restart"), 204);
    rest.await_state("a", "RUNNING", 1).expect("task restarted");
    assert_eq!(status("PUT", "/connectors/a/stop"), 204);
    rest.await_state("a", "STOPPED", 0).expect("stopped");
    assert_eq!(rest.get("/connectors/a/tasks").expect("tasks").text, "[]");
    assert_eq!(status("PUT", "/connectors/a/resume"), 202);
    rest.await_state("a", "RUNNING", 1).expect("resumed from stopped");

    let replaced = rest
        .json("PUT", "/connectors/a/config", &source(&input, "t2"))
        .expect("PUT");
    assert_eq!(replaced.status, 200);
    let patched = rest
        .json(
            "PATCH",
            "/connectors/a/config",
            &json!({"batch.size": "5", "key.converter": null}),
        )
        .expect("PATCH");
    assert_eq!(patched.status, 200);
    assert_eq!(patched.json()["config"]["batch.size"], "5");
    assert_eq!(patched.json()["config"]["key.converter"], Value::Null);
    rest.await_state("a", "RUNNING", 1).expect("reconfigured");
    assert_eq!(status("DELETE", "/connectors/a"), 204);
    await_true("status is gone", PATIENCE, || {
        status("GET", "/connectors/a/status") == 404
    })
    .expect("status removed");
    assert_eq!(rest.get("/connectors").expect("list").text, "[]");
}

#[test]
fn what_is_not_there_answers_with_apaches_texts() {
    let (_weir, rest, _) = started(&[]);
    for (method, path, status, message) in [
        ("GET", "/nope", 404, "HTTP 404 Not Found"),
        ("DELETE", "/connectors", 405, "HTTP 405 Method Not Allowed"),
        ("GET", "/connectors/nope", 404, "Connector nope not found"),
        ("GET", "/connectors/nope/config", 404, "Connector nope not found"),
        ("GET", "/connectors/nope/tasks", 404, "Connector nope not found"),
        (
            "GET",
            "/connectors/nope/status",
            404,
            "No status found for connector nope",
        ),
        (
            "GET",
            "/connectors/nope/tasks/7/status",
            404,
            "No status found for task nope-7",
        ),
        ("GET", "/connectors/nope/tasks/xx/status", 404, "HTTP 404 Not Found"),
        ("PUT", "/connectors/nope/pause", 404, "Unknown connector nope"),
        ("PUT", "/connectors/nope/resume", 404, "Unknown connector nope"),
        ("PUT", "/connectors/nope/stop", 404, "Unknown connector nope"),
        ("POST", "/connectors/nope/restart", 404, "Unknown connector: nope"),
        (
            "POST",
            "/connectors/nope/restart?includeTasks=true",
            404,
            "Unknown connector: nope",
        ),
        (
            "POST",
            "/connectors/nope/tasks/0/restart",
            404,
            "Unknown connector: nope",
        ),
        ("DELETE", "/connectors/nope", 404, "Connector nope not found"),
        ("GET", "/connector-plugins/Nope/config", 404, "Unknown plugin Nope."),
    ] {
        let answer = rest.send(method, path, None).expect("answer");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert_eq!(
            answer.json(),
            json!({"error_code": status, "message": message}),
            "{method} {path}"
        );
    }
    let slash = rest.get("/connectors/").expect("trailing slash");
    assert_eq!((slash.status, slash.text.as_str()), (200, "[]"));
}

#[test]
fn root_health_and_plugins_tell_what_runs() {
    let (_weir, rest, _) = started(&[]);
    let root = rest.get("/").expect("root").json();
    assert!(root["version"].is_string() && root["commit"].is_string(), "{root}");
    assert_eq!(root["kafka_cluster_id"].as_str().map(str::len), Some(22), "{root}");
    let health = rest.get("/health").expect("health");
    assert_eq!(
        health.text,
        r#"{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}"#
    );
    let plugins = rest.get("/connector-plugins").expect("plugins").json();
    let classes: Vec<&str> = plugins
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|plugin| plugin["class"].as_str())
        .collect();
    for class in [
        "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
    ] {
        assert!(classes.contains(&class), "{classes:?}");
    }
    let all = rest
        .get("/connector-plugins?connectorsOnly=false")
        .expect("plugins")
        .json();
    let json_converter = json!("org.apache.kafka.connect.json.JsonConverter");
    assert!(
        all.as_array()
            .into_iter()
            .flatten()
            .any(|plugin| plugin["class"] == json_converter && plugin["type"] == "converter"),
        "{all}"
    );
}

#[test]
fn validation_lists_keys_and_errors_as_apache_does() {
    let (_weir, rest, _) = started(&[]);
    let validate = |plugin: &str, config: Value| {
        rest.json("PUT", &format!("/connector-plugins/{plugin}/config/validate"), &config)
            .expect("validate")
    };
    let wrong = validate(
        "FileStreamSource",
        json!({"connector.class": "FileStreamSource", "tasks.max": "x"}),
    );
    assert_eq!(wrong.status, 200);
    let body = wrong.json();
    assert_eq!(
        (&body["name"], &body["error_count"]),
        (&json!("FileStreamSource"), &json!(4)),
        "{body}"
    );
    let errors = |key: &str| {
        let configs = body["configs"].as_array().cloned().unwrap_or_default();
        configs
            .into_iter()
            .find(|config| config["value"]["name"] == key)
            .map(|config| config["value"]["errors"].clone())
    };
    assert_eq!(
        errors("name"),
        Some(json!([
            "Missing required configuration \"name\" which has no default value."
        ]))
    );
    assert_eq!(
        errors("topic"),
        Some(json!([
            "Missing required configuration \"topic\" which has no default value."
        ]))
    );
    assert_eq!(
        errors("tasks.max"),
        Some(json!([
            "Invalid value x for configuration tasks.max: Not a number of type INT",
            "Invalid value null for configuration tasks.max: Value must be non-null"
        ]))
    );
    let names: Vec<Value> = body["configs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|config| config["value"]["name"].clone())
        .collect();
    assert_eq!(names.first(), Some(&json!("name")));
    assert_eq!(
        names.last(),
        Some(&json!("batch.size")),
        "the connector's own keys come last"
    );

    let sink = validate(
        "FileStreamSink",
        json!({"connector.class": "FileStreamSink", "name": "s"}),
    )
    .json();
    assert_eq!(sink["error_count"], 2);
    let mismatch = validate("FileStreamSource", json!({"connector.class": "FileStreamSink"}));
    assert_eq!(mismatch.status, 400);
    assert_eq!(
        mismatch.json()["message"],
        "Included connector type FileStreamSink does not match request type FileStreamSource"
    );
    let none = validate("FileStreamSource", json!({"name": "x"}));
    assert_eq!(none.status, 500);
    assert_eq!(
        none.json()["message"],
        "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config {name=x} contains no connector type"
    );
}

#[test]
fn connectors_offsets_and_statuses_are_there_again_after_a_restart() {
    let (mut weir, rest, _) = started(&[]);
    let (input, output) = (path(&weir, "in.txt"), path(&weir, "out.txt"));
    std::fs::write(&input, "one\ntwo\n").expect("input");
    rest.put_connector("src", &source(&input, "again")).expect("source");
    rest.put_connector("snk", &sink(&output, "again")).expect("sink");
    rest.put_connector("idle", &source(&input, "idle"))
        .expect("paused source");
    // Paused any earlier, it would have no tasks until it is resumed (the next test).
    rest.await_state("idle", "RUNNING", 1).expect("it has its task");
    assert_eq!(
        rest.send("PUT", "/connectors/idle/pause", None).expect("pause").status,
        202
    );
    rest.await_state("idle", "PAUSED", 1).expect("paused");
    await_true("both lines", PATIENCE, || {
        std::fs::read_to_string(&output).is_ok_and(|text| text == "one\ntwo\n")
    })
    .expect("copied");
    let (status, took) = weir.stop().expect("stop");
    assert!(status.success(), "{status}: {}", weir.log_text());
    assert!(took < Duration::from_secs(6), "stopping took {took:?}");

    let folder = weir.keep_folder().expect("folder");
    let (_weir, ready) = Weir::up_in(folder.path(), &[]).expect("second start");
    let rest = Rest::new(ready.connect.as_deref().expect("connect"));
    rest.await_state("src", "RUNNING", 1).expect("source runs again");
    rest.await_state("idle", "PAUSED", 1).expect("still paused");
    std::fs::write(&input, "one\ntwo\nthree\n").expect("grown");
    await_value("the third line, and no line twice", PATIENCE, || {
        let text = std::fs::read_to_string(&output).ok()?;
        text.contains("three").then_some(text)
    })
    .map(|text| assert_eq!(text, "one\ntwo\nthree\n"))
    .expect("resumed from the stored offset");
}

#[test]
fn a_connector_paused_before_it_has_tasks_gets_them_when_resumed() {
    let (weir, rest, _) = started(&[]);
    let input = path(&weir, "in.txt");
    std::fs::write(&input, "one\n").expect("input");
    let body = serde_json::json!({"name": "early", "config": source(&input, "early"), "initial_state": "PAUSED"});
    let created = rest
        .send("POST", "/connectors", Some(("application/json", &body.to_string())))
        .expect("create");
    assert_eq!(created.status, 201, "{}", created.text);
    rest.await_state("early", "PAUSED", 0).expect("paused, without tasks");
    assert_eq!(
        rest.send("PUT", "/connectors/early/resume", None)
            .expect("resume")
            .status,
        202
    );
    rest.await_state("early", "RUNNING", 1).expect("runs with its task");
}

#[test]
fn an_idle_weir_stops_in_under_two_seconds() {
    let (mut weir, _rest, _) = started(&[]);
    let (status, took) = weir.stop().expect("stop");
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_demo_shows_records_soon() {
    let (weir, ready) = Weir::up(&["--demo"]).expect("weir up");
    let rest = Rest::new(ready.connect.as_deref().expect("connect address"));
    let (kafka, registry) = (
        ready.kafka.expect("kafka address"),
        ready.registry.expect("registry address"),
    );
    let began = Instant::now();
    for feed in ["demo-tweets   @", "demo-weather  ", "demo-places   place"] {
        weir.await_log(feed).expect("records are printed");
    }
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "compiled for tests, and still {:?}",
        began.elapsed()
    );
    for connector in ["demo-tweets", "demo-weather", "demo-places", "demo-tweets-to-file"] {
        rest.await_state(connector, "RUNNING", 1).expect("runs");
    }
    // A task runs before its first record is there, and the topic comes with that.
    let text = await_value("three records of the weather", PATIENCE, || {
        let output = std::process::Command::new(weir_binary())
            .args(["tail", "demo-weather", "-b", &kafka, "--registry", &registry])
            .args(["--from-beginning", "--max", "3", "--json"])
            .output()
            .expect("tail");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .expect("records");
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON object a line"))
        .collect();
    assert_eq!(records.len(), 3, "{text}");
    assert_eq!(records[0]["topic"], "demo-weather");
    assert!(records[0]["value"]["idema"].is_string(), "{text}");
    assert_eq!(records[2]["offset"], 2);
    let posts = weir.folder.join("data/demo/tweets.txt");
    await_true("posts in the file", PATIENCE, || {
        std::fs::read_to_string(&posts).is_ok_and(|text| text.lines().count() > 3)
    })
    .expect("posts go on into a file");
}

#[test]
fn connector_files_given_to_up_are_created_at_start() {
    let folder = tempfile::tempdir().expect("folder");
    let input = folder.path().join("in.txt");
    std::fs::write(&input, "a\n").expect("input");
    let file = folder.path().join("c.properties");
    std::fs::write(
        &file,
        format!(
            "name=given\nconnector.class=FileStreamSource\nfile={}\ntopic=given\n",
            input.display()
        ),
    )
    .expect("file");
    let (_weir, rest, _) = started(&[&file.display().to_string()]);
    rest.await_state("given", "RUNNING", 1).expect("created from its file");
}
