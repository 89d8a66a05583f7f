//! Strimzi's operator: what it asks a worker while it brings a KafkaConnector resource about.
//!
//! Facts of its source (August 2026): the paths, the codes it accepts, and what of the answers goes into the resource's status.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tool::{Peer, SOURCE, Tool};

fn strimzi(peer: &Peer) -> Tool<'_> {
    Tool {
        rest: peer.rest(),
        headers: vec![
            ("Accept", "application/json"),
            ("User-Agent", "Java-http-client/21.0.4"),
        ],
        media: "application/json",
    }
}

#[test]
fn strimzi_reconciles_a_connector() {
    let peer = Peer::start("distributed");
    let tool = strimzi(&peer);
    let plugins: Vec<BTreeMap<String, String>> = tool.get("/connector-plugins");
    assert!(
        plugins
            .iter()
            .any(|plugin| plugin["class"] == SOURCE && plugin.contains_key("version")),
        "{plugins:?}"
    );
    let none: Vec<String> = tool.get("/connectors");
    assert!(none.is_empty());

    // A new resource: no config yet, so it is made, in the state that the resource names.
    assert_eq!(tool.send("GET", "/connectors/a/config", None).status, 404);
    let body = json!({"name": "a", "config": peer.source(), "initial_state": "PAUSED"});
    let made: BTreeMap<String, Value> = tool.ask("POST", "/connectors", Some(&body), 201);
    assert_eq!(made["name"], "a");
    // The status is waited for, 404 by 404, and copied into the resource as it is.
    // It has no tasks before it runs for the first time.
    tool.await_answer("/connectors/a/status", |status| {
        status["connector"]["state"] == "PAUSED"
    });
    tool.act("PUT", "/connectors/a/resume", 202);
    let status = tool.await_states("a", "RUNNING", "RUNNING");
    assert!(
        status["connector"]["worker_id"].is_string() && status["tasks"][0]["id"] == 0,
        "{status}"
    );
    let topics: BTreeMap<String, BTreeMap<String, Vec<String>>> = tool.get("/connectors/a/topics");
    assert!(topics["a"].contains_key("topics"));

    // The next round: the config is compared with the resource's, key by key, and put when it differs.
    let mut config: BTreeMap<String, String> = tool.get("/connectors/a/config");
    assert_eq!((config.remove("name").as_deref(), config.len()), (Some("a"), 4));
    let mut changed = peer.source();
    changed["batch.size"] = json!(7);
    let answer: BTreeMap<String, Value> = tool.ask("PUT", "/connectors/a/config", Some(&changed), 200);
    assert_eq!(answer["config"]["batch.size"], "7");
    let again: BTreeMap<String, Value> = tool.ask("PUT", "/connectors/a/config", Some(&changed), 200);
    assert_eq!(again["config"], answer["config"]);

    // Annotations: restarts, states, offsets.
    let plan: BTreeMap<String, Value> = tool.ask(
        "POST",
        "/connectors/a/restart?includeTasks=true&onlyFailed=false",
        None,
        202,
    );
    assert_eq!(plan["connector"]["state"], "RESTARTING");
    tool.await_states("a", "RUNNING", "RUNNING");
    tool.act("POST", "/connectors/a/tasks/0/restart", 204);
    tool.act("PUT", "/connectors/a/stop", 204);
    tool.await_stopped("a");
    let offsets: Value = tool.get("/connectors/a/offsets");
    let told: BTreeMap<String, String> = tool.ask("PATCH", "/connectors/a/offsets", Some(&offsets), 200);
    assert!(told["message"].contains("altered successfully"), "{told:?}");
    let told: BTreeMap<String, String> = tool.ask("DELETE", "/connectors/a/offsets", None, 200);
    assert!(told["message"].contains("reset successfully"), "{told:?}");

    // A resource that is gone: deleted, and waited for until the status is gone too, about a minute at most.
    let mut deleting = strimzi(&peer);
    deleting.headers.push(("Content-Type", "application/json"));
    deleting.act("DELETE", "/connectors/a", 204);
    let gone = weir_tests::process::await_true("the status is gone", weir_tests::process::PATIENCE, || {
        tool.send("GET", "/connectors/a/status", None).status == 404
    });
    gone.expect("404");
}

/// A KafkaConnect resource's levels: all are read, and those that differ are set for the cluster.
#[test]
fn strimzi_sets_log_levels() {
    let peer = Peer::start("distributed");
    let tool = strimzi(&peer);
    let levels: BTreeMap<String, BTreeMap<String, Option<Value>>> = tool.get("/admin/loggers/");
    assert!(levels["root"].contains_key("level"), "{levels:?}");
    for (logger, level) in [
        ("root", "ERROR"),
        ("org.apache.kafka.connect.runtime.distributed", "DEBUG"),
    ] {
        let answer = tool.send(
            "PUT",
            &format!("/admin/loggers/{logger}?scope=cluster"),
            Some(&json!({"level": level})),
        );
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{logger}");
        tool.await_answer(&format!("/admin/loggers/{logger}"), |now| now["level"] == level);
    }
}
