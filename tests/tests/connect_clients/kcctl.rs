//! kcctl: the requests of its commands, with the headers of its JVM build, and what it reads from the answers.
//!
//! It is no package of a registry; these are its calls as it made them to a worker (1.0.0-SNAPSHOT of November 2024).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, await_true};

use crate::tool::{Peer, SINK, SOURCE, Tool};

#[derive(Deserialize)]
struct WorkerInfo {
    version: String,
    commit: String,
    kafka_cluster_id: String,
}

#[derive(Deserialize)]
struct Connector {
    name: String,
    config: BTreeMap<String, String>,
    tasks: Vec<TaskId>,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct TaskId {
    connector: String,
    task: i32,
}

#[derive(Deserialize)]
struct TaskConfig {
    id: TaskId,
    config: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Status {
    name: String,
    connector: State,
    #[serde(rename = "type")]
    kind: String,
    tasks: Vec<TaskState>,
}

#[derive(Deserialize)]
struct State {
    state: String,
    worker_id: String,
}

#[derive(Deserialize)]
struct TaskState {
    id: i32,
    state: String,
    worker_id: String,
    /// Read without a look when the state is FAILED.
    trace: Option<String>,
}

#[derive(Deserialize)]
struct Expanded {
    status: Status,
}

#[derive(Deserialize)]
struct Plugin {
    class: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ConfigKey {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    default_value: Option<String>,
    documentation: Option<String>,
}

#[derive(Deserialize)]
struct Validation {
    error_count: i32,
    configs: Vec<ValidatedConfig>,
}

#[derive(Deserialize)]
struct ValidatedConfig {
    definition: ConfigKey,
    value: ConfigValue,
}

#[derive(Deserialize)]
struct ConfigValue {
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Error {
    error_code: i32,
    message: String,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[derive(Deserialize)]
struct Offsets {
    offsets: Vec<Offset>,
}

#[derive(Deserialize)]
struct Offset {
    partition: BTreeMap<String, Value>,
    offset: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct LoggerLevel {
    level: String,
    #[serde(rename = "last_modified")]
    _last_modified: Option<i64>,
}

#[derive(Deserialize)]
struct Topics {
    topics: Vec<String>,
}

fn kcctl(peer: &Peer) -> Tool<'_> {
    Tool {
        rest: peer.rest(),
        headers: vec![
            ("Accept", "application/json"),
            ("User-Agent", "Apache-HttpClient/4.5.14 (Java/17.0.15)"),
        ],
        media: "application/json",
    }
}

/// Commands compare the first two numbers of the version with the release that brought what they ask for.
fn assert_new_enough(tool: &Tool<'_>) {
    let info: WorkerInfo = tool.get("/");
    let numbers: Vec<u32> = info
        .version
        .split('.')
        .take(2)
        .map(|part| part.parse().expect("a number"))
        .collect();
    assert!(numbers >= vec![3, 7], "{}", info.version);
    assert!(!info.commit.is_empty() && !info.kafka_cluster_id.is_empty());
}

/// `apply -f`: a POST for a name that is not listed, else a PUT.
fn apply(tool: &Tool<'_>, name: &str, config: &Value) -> u16 {
    let known: Vec<String> = tool.get("/connectors/");
    if known.iter().any(|one| one == name) {
        return tool
            .send("PUT", &format!("/connectors/{name}/config"), Some(config))
            .status;
    }
    let body = json!({"name": name, "config": config});
    tool.send("POST", "/connectors/", Some(&body)).status
}

#[test]
fn kcctl_applies_describes_and_deletes() {
    let peer = Peer::start("distributed");
    let tool = kcctl(&peer);
    assert_new_enough(&tool);
    assert_eq!(apply(&tool, "a", &peer.source()), 201);
    assert_eq!(apply(&tool, "a", &peer.source()), 200);
    assert_eq!(apply(&tool, "bad", &peer.failing()), 201);
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.await_states("bad", "RUNNING", "FAILED");

    // get connectors
    let listed: BTreeMap<String, Expanded> = tool.get("/connectors?expand=status");
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["a", "bad"]);
    assert_eq!(
        (listed["a"].status.kind.as_str(), listed["bad"].status.kind.as_str()),
        ("source", "sink")
    );

    // describe connector --tasks-config
    let connector: Connector = tool.get("/connectors/a");
    assert_eq!((connector.name.as_str(), connector.kind.as_str()), ("a", "source"));
    assert_eq!(
        (connector.tasks[0].connector.as_str(), connector.tasks[0].task),
        ("a", 0)
    );
    let status: Status = tool.get("/connectors/a/status");
    assert_eq!(
        (status.name.as_str(), status.connector.state.as_str()),
        ("a", "RUNNING")
    );
    assert_eq!(status.connector.worker_id, status.tasks[0].worker_id);
    let config: BTreeMap<String, String> = tool.get("/connectors/a/config");
    assert_eq!(config, connector.config);
    let tasks: Vec<TaskConfig> = tool.get("/connectors/a/tasks");
    assert_eq!((tasks[0].id.task, tasks[0].config["topic"].as_str()), (0, "lines"));
    tool.await_answer("/connectors/a/topics", |topics| {
        topics["a"]["topics"] == json!(["lines"])
    });
    let topics: BTreeMap<String, Topics> = tool.get("/connectors/a/topics");
    assert_eq!(topics["a"].topics, ["lines"]);
    let failed: Status = tool.get("/connectors/bad/status");
    let task = &failed.tasks[0];
    assert_eq!((task.id, task.state.as_str()), (0, "FAILED"));
    assert!(
        task.trace.as_deref().is_some_and(|trace| trace.contains("Caused by")),
        "{:?}",
        task.trace
    );

    // delete connector; what is not there is told by its 404
    tool.act("DELETE", "/connectors/bad", 204);
    let error: Error = tool.ask("DELETE", "/connectors/bad", None, 404);
    assert_eq!(
        (error.error_code, error.message.as_str()),
        (404, "Connector bad not found")
    );
}

#[test]
fn kcctl_changes_states_and_restarts() {
    let peer = Peer::start("distributed");
    let tool = kcctl(&peer);
    assert_eq!(apply(&tool, "a", &peer.source()), 201);
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.act("PUT", "/connectors/a/pause", 202);
    tool.await_states("a", "PAUSED", "PAUSED");
    tool.act("PUT", "/connectors/a/resume", 202);
    tool.await_states("a", "RUNNING", "RUNNING");
    assert_new_enough(&tool);
    tool.act("POST", "/connectors/a/restart", 204);
    // restart connector -t all: it counts the tasks that restart
    let plan: Status = tool.ask(
        "POST",
        "/connectors/a/restart?includeTasks=true&onlyFailed=false",
        None,
        202,
    );
    assert_eq!(plan.tasks.iter().filter(|task| task.state == "RESTARTING").count(), 1);
    // The plan shows what restarts still, until all runs again; there is nothing failed to restart.
    await_true("nothing restarts", PATIENCE, || {
        let path = "/connectors/a/restart?includeTasks=true&onlyFailed=true";
        let plan: Status = tool.ask("POST", path, None, 202);
        plan.tasks.len() == 1 && plan.tasks.iter().all(|task| task.state == "RUNNING")
    })
    .expect("a plan");
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.act("POST", "/connectors/a/tasks/0/restart", 204);
    let error: Error = tool.ask("POST", "/connectors/a/tasks/9/restart", None, 404);
    assert_eq!(error.message, "Unknown task: a-9");

    // patch connector -s: the whole config is read, changed and put
    let mut config: BTreeMap<String, String> = tool.get("/connectors/a/config");
    config.insert("batch.size".to_owned(), "5".to_owned());
    let body = serde_json::to_value(&config).expect("JSON");
    let changed: Connector = tool.ask("PUT", "/connectors/a/config", Some(&body), 200);
    assert_eq!(changed.config, config);

    // stop, then offsets
    tool.act("PUT", "/connectors/a/stop", 204);
    tool.await_stopped("a");
    let offsets: Offsets = tool.get("/connectors/a/offsets");
    let file = peer.folder().join("input").display().to_string();
    assert_eq!(offsets.offsets[0].partition["filename"], file.as_str());
    assert_eq!(offsets.offsets[0].offset["position"], 14);
    let to_start = json!({"offsets": [{"partition": {"filename": file}, "offset": {"position": 0}}]});
    let told: Message = tool.ask("PATCH", "/connectors/a/offsets", Some(&to_start), 200);
    assert_eq!(
        told.message,
        "The offsets for this connector have been altered successfully"
    );
    let told: Message = tool.ask("DELETE", "/connectors/a/offsets", None, 200);
    assert_eq!(
        told.message,
        "The offsets for this connector have been reset successfully"
    );
}

#[test]
fn kcctl_shows_plugins_validates_and_sets_levels() {
    let peer = Peer::start("distributed");
    let tool = kcctl(&peer);
    let plugins: Vec<Plugin> = tool.get("/connector-plugins?connectorsOnly=false");
    for (class, kind) in [
        (SOURCE, "source"),
        (SINK, "sink"),
        ("org.apache.kafka.connect.transforms.RegexRouter", "transformation"),
    ] {
        assert!(
            plugins
                .iter()
                .any(|plugin| plugin.class == class && plugin.kind == kind),
            "{class}"
        );
    }
    let keys: Vec<ConfigKey> = tool.get("/connector-plugins/FileStreamSourceConnector/config");
    let topic = keys.iter().find(|key| key.name == "topic").expect("topic");
    assert_eq!(
        (topic.kind.as_str(), topic.required, &topic.default_value),
        ("STRING", true, &None)
    );
    assert!(topic.documentation.is_some());

    // apply --dry-run: the class name without its package, and each value's errors below its definition's name
    let mut config = peer.source();
    config["name"] = json!("dummy-name");
    let path = "/connector-plugins/FileStreamSourceConnector/config/validate";
    let valid: Validation = tool.ask("PUT", path, Some(&config), 200);
    assert_eq!(valid.error_count, 0);
    config["tasks.max"] = json!("zero");
    let wrong: Validation = tool.ask("PUT", path, Some(&config), 200);
    let told = wrong
        .configs
        .iter()
        .find(|config| !config.value.errors.is_empty())
        .expect("errors");
    assert_eq!((wrong.error_count, told.definition.name.as_str()), (2, "tasks.max"));

    // apply with a class that is not there: it goes by how the message begins
    let body = json!({"name": "x", "config": {"connector.class": "no.such.Thing"}});
    let error: Error = tool.ask("POST", "/connectors/", Some(&body), 400);
    assert!(
        error
            .message
            .starts_with("Failed to find any class that implements Connector"),
        "{}",
        error.message
    );

    let all: BTreeMap<String, LoggerLevel> = tool.get("/admin/loggers");
    assert!(all.contains_key("root"));
    let one = "/admin/loggers/org.apache.kafka.connect.runtime";
    let changed: Vec<String> = tool.ask("PUT", one, Some(&json!({"level": "DEBUG"})), 200);
    assert!(
        changed
            .iter()
            .all(|name| name.starts_with("org.apache.kafka.connect.runtime")),
        "{changed:?}"
    );
    let level: LoggerLevel = tool.get(one);
    assert_eq!(level.level, "DEBUG");
    let answer = tool.send("PUT", &format!("{one}?scope=cluster"), Some(&json!({"level": "INFO"})));
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let error: Error = tool.ask("GET", "/admin/loggers/no.such.logger", None, 404);
    assert_eq!(error.message, "Logger no.such.logger not found.");
}

/// Its contexts may hold a user, whom it names with every request; the answer to a wrong one is printed as it is.
#[test]
fn kcctl_signs_in() {
    let peer = Peer::start("guarded");
    let mut tool = kcctl(&peer);
    assert_eq!(tool.send("GET", "/connectors/", None).status, 401);
    tool.headers.push(("Authorization", "Basic d2VpcjpzZWNyZXQ="));
    assert_new_enough(&tool);
    assert_eq!(apply(&tool, "a", &peer.source()), 201);
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.act("DELETE", "/connectors/a", 204);
}
