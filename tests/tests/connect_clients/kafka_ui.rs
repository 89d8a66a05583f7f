//! kafka-ui: the calls behind its pages, in their order, with the types of its generated client.
//!
//! It runs only as a whole application; these are facts of its OpenAPI contract and service (Kafbat's, August 2026). Its client
//! names JSON with every request, also with those that have no body, and refuses states it does not know.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tool::{Peer, SOURCE, Tool};

#[derive(Deserialize)]
struct ClusterInfo {
    version: String,
    #[serde(rename = "commit")]
    _commit: String,
    kafka_cluster_id: String,
}

#[derive(Deserialize)]
struct Expanded {
    status: Status,
    info: Connector,
}

#[derive(Deserialize)]
struct Connector {
    name: String,
    config: BTreeMap<String, Value>,
    tasks: Vec<Task>,
    #[serde(rename = "type")]
    kind: ConnectorKind,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum ConnectorKind {
    Source,
    Sink,
    Unknown,
}

#[derive(Deserialize)]
struct Task {
    connector: String,
    task: i32,
}

#[derive(Deserialize)]
struct ConnectorTask {
    id: Task,
    config: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Status {
    name: String,
    connector: ConnectorState,
    tasks: Vec<TaskStatus>,
}

#[derive(Deserialize)]
struct ConnectorState {
    state: State,
    #[serde(rename = "worker_id")]
    _worker_id: String,
}

#[derive(Deserialize)]
struct TaskStatus {
    id: i32,
    state: State,
    trace: Option<String>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Running,
    Failed,
    Paused,
    Unassigned,
    Restarting,
    Stopped,
}

#[derive(Deserialize)]
struct Validation {
    name: String,
    error_count: i32,
    groups: Vec<String>,
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    definition: Definition,
    value: ConfigValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum KeyType {
    Boolean,
    Class,
    Double,
    Int,
    List,
    Long,
    Password,
    Short,
    String,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Importance {
    Low,
    Medium,
    High,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Width {
    Short,
    Medium,
    Long,
    None,
}

#[derive(Deserialize)]
struct Definition {
    name: String,
    #[serde(rename = "type")]
    _kind: KeyType,
    #[serde(rename = "required")]
    _required: bool,
    #[serde(rename = "default_value")]
    _default_value: Option<String>,
    #[serde(rename = "importance")]
    _importance: Importance,
    #[serde(rename = "documentation")]
    _documentation: Option<String>,
    #[serde(rename = "group")]
    _group: Option<String>,
    #[serde(rename = "width")]
    _width: Width,
    #[serde(rename = "display_name")]
    _display_name: String,
    #[serde(rename = "dependents")]
    _dependents: Vec<String>,
}

#[derive(Deserialize)]
struct ConfigValue {
    name: String,
    #[serde(rename = "value")]
    _value: Option<String>,
    #[serde(rename = "recommended_values")]
    _recommended_values: Vec<String>,
    errors: Vec<String>,
    #[serde(rename = "visible")]
    _visible: bool,
}

#[derive(Deserialize)]
struct ErrorMessage {
    message: String,
}

fn kafka_ui(peer: &Peer) -> Tool<'_> {
    Tool {
        rest: peer.rest(),
        headers: vec![("Accept", "application/json"), ("User-Agent", "ReactorNetty/1.2.9")],
        media: "application/json",
    }
}

/// The list of connectors: one expanded listing, then the topics of each.
fn list_page(tool: &Tool<'_>) -> BTreeMap<String, Expanded> {
    let all: BTreeMap<String, Expanded> = tool.get("/connectors?expand=info&expand=status");
    for name in all.keys() {
        let topics: BTreeMap<String, BTreeMap<String, Vec<String>>> = tool.get(&format!("/connectors/{name}/topics"));
        assert!(topics[name].contains_key("topics"));
    }
    all
}

/// The page of one connector: its definition, topics and status together, then every task with its status.
fn connector_page(tool: &Tool<'_>, name: &str) -> (Connector, Status, Vec<(ConnectorTask, TaskStatus)>) {
    let connector: Connector = tool.get(&format!("/connectors/{name}"));
    let status: Status = tool.get(&format!("/connectors/{name}/status"));
    let tasks: Vec<ConnectorTask> = tool.get(&format!("/connectors/{name}/tasks"));
    let with_status = tasks.into_iter().map(|task| {
        let status = tool.get(&format!("/connectors/{name}/tasks/{}/status", task.id.task));
        (task, status)
    });
    (connector, status, with_status.collect())
}

#[test]
fn kafka_ui_lists_makes_and_shows() {
    let peer = Peer::start("distributed");
    let mut tool = kafka_ui(&peer);
    tool.headers.push(("Content-Type", "application/json"));
    let info: ClusterInfo = tool.get("/");
    assert!(!info.version.is_empty() && !info.kafka_cluster_id.is_empty());
    assert!(list_page(&tool).is_empty());
    let plugins: Vec<Value> = tool.get("/connector-plugins");
    assert!(plugins.iter().any(|plugin| plugin["class"] == SOURCE), "{plugins:?}");
    tool.headers.pop();

    // The form: validate, look whether the name is taken, make it, show it at once, whether it has a status or not.
    let mut config = peer.source();
    config["name"] = json!("a");
    let path = format!("/connector-plugins/{SOURCE}/config/validate");
    let valid: Validation = tool.ask("PUT", &path, Some(&config), 200);
    assert_eq!((valid.name.as_str(), valid.error_count), (SOURCE, 0));
    assert!(valid.groups.iter().any(|group| group == "Common"), "{:?}", valid.groups);
    for one in &valid.configs {
        assert_eq!(one.definition.name, one.value.name);
        assert!(one.value.errors.is_empty());
    }
    assert!(!list_page(&tool).contains_key("a"));
    let made: Connector = tool.ask(
        "POST",
        "/connectors",
        Some(&json!({"name": "a", "config": config})),
        201,
    );
    assert_eq!((made.name.as_str(), made.kind), ("a", ConnectorKind::Source));
    let at_once = tool.send("GET", "/connectors/a/status", None);
    assert!(at_once.status == 200 || at_once.status == 404, "{}", at_once.text);

    tool.await_states("a", "RUNNING", "RUNNING");
    let (connector, status, tasks) = connector_page(&tool, "a");
    assert_eq!(
        (
            connector.config["topic"].as_str(),
            connector.tasks[0].connector.as_str()
        ),
        (Some("lines"), "a")
    );
    assert_eq!((status.name.as_str(), status.connector.state), ("a", State::Running));
    let (task, its_status) = &tasks[0];
    assert_eq!(
        (task.config["topic"].as_str(), its_status.id, &its_status.state),
        (Some("lines"), 0, &State::Running)
    );

    let refused: ErrorMessage = tool.ask(
        "POST",
        "/connectors",
        Some(&json!({"name": "b", "config": {"connector.class": SOURCE}})),
        400,
    );
    assert!(
        refused.message.contains("Missing required configuration \"topic\""),
        "{}",
        refused.message
    );
}

#[test]
fn kafka_ui_presses_every_button() {
    let peer = Peer::start("distributed");
    let tool = kafka_ui(&peer);
    let _made: Connector = tool.ask("PUT", "/connectors/a/config", Some(&peer.source()), 201);
    let _bad: Connector = tool.ask("PUT", "/connectors/bad/config", Some(&peer.failing()), 201);
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.await_states("bad", "RUNNING", "FAILED");
    let listed = list_page(&tool);
    assert_eq!(
        (listed["bad"].info.name.as_str(), &listed["bad"].info.kind),
        ("bad", &ConnectorKind::Sink)
    );
    assert_eq!(listed["bad"].status.tasks[0].state, State::Failed);
    assert!(listed["bad"].status.tasks[0].trace.is_some());

    tool.act("POST", "/connectors/a/restart?includeTasks=false&onlyFailed=false", 204);
    // Restart of all tasks, and of the failed ones: one call a task.
    for name in ["a", "bad"] {
        let (_, _, tasks) = connector_page(&tool, name);
        for (task, _) in tasks {
            tool.act(
                "POST",
                &format!("/connectors/{name}/tasks/{}/restart", task.id.task),
                204,
            );
        }
    }
    tool.act("PUT", "/connectors/a/pause", 202);
    tool.await_states("a", "PAUSED", "PAUSED");
    tool.act("PUT", "/connectors/a/resume", 202);
    tool.await_states("a", "RUNNING", "RUNNING");
    // Offsets can be reset once it is stopped; before, the page goes by the code alone.
    assert_eq!(tool.send("DELETE", "/connectors/a/offsets", None).status, 400);
    tool.act("PUT", "/connectors/a/stop", 204);
    tool.await_stopped("a");
    assert_eq!(list_page(&tool)["a"].status.connector.state, State::Stopped);
    assert_eq!(tool.send("DELETE", "/connectors/a/offsets", None).status, 200);
    assert_eq!(tool.send("DELETE", "/connectors/nobody/offsets", None).status, 404);
    let config: BTreeMap<String, Value> = tool.get("/connectors/a/config");
    let changed: Connector = tool.ask("PUT", "/connectors/a/config", Some(&json!(config)), 200);
    assert_eq!(changed.config, config);
    for name in ["a", "bad"] {
        tool.act("DELETE", &format!("/connectors/{name}"), 204);
    }
    assert!(list_page(&tool).is_empty());
}
