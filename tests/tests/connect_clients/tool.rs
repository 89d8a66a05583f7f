//! A worker to speak to, and a tool that is replayed: its headers, its paths, and the types it reads answers into.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use weir_tests::apache::Broker;
use weir_tests::conformance::cluster::{Cluster, apache_broker};
use weir_tests::process::{PATIENCE, await_value};
use weir_tests::rest::{Answer, Rest};

pub const SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
pub const SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

/// A worker of the test's own: Weir's, or Apache's where the variable says so.
pub struct Peer {
    cluster: Cluster,
    _broker: Option<(Broker, TempDir)>,
}

impl Peer {
    pub fn start(kind: &str) -> Self {
        if std::env::var("WEIR_CLIENTS_PEER").is_ok_and(|peer| peer == "apache") {
            let folder = tempfile::tempdir().expect("a folder");
            let broker = apache_broker(folder.path()).expect("Apache Kafka");
            return Peer {
                cluster: Cluster::java(kind, &broker).expect("Apache Connect"),
                _broker: Some((broker, folder)),
            };
        }
        Peer {
            cluster: Cluster::weir(kind).expect("weir"),
            _broker: None,
        }
    }

    pub fn rest(&self) -> &Rest {
        self.cluster.worker("1").expect("the first worker")
    }

    pub fn folder(&self) -> &Path {
        &self.cluster.folder
    }

    pub fn logs(&self) -> String {
        self.cluster.logs()
    }

    /// A source of three lines.
    pub fn source(&self) -> Value {
        let file = self.folder().join("input");
        std::fs::write(&file, "one\ntwo\nthree\n").expect("input");
        json!({"connector.class": SOURCE, "file": file, "topic": "lines", "tasks.max": "1"})
    }

    /// A sink whose task fails: its file is in a folder that is not there.
    pub fn failing(&self) -> Value {
        json!({"connector.class": SINK, "file": self.folder().join("no/such/folder"), "topics": "lines"})
    }
}

/// A tool's way to ask.
pub struct Tool<'a> {
    pub rest: &'a Rest,
    /// Sent with every request.
    pub headers: Vec<(&'static str, &'static str)>,
    /// Sent with a body besides, and by some tools without one.
    pub media: &'static str,
}

impl Tool<'_> {
    /// One request; a body is sent with the tool's media type, `PUT` and `POST` without one with a length of nothing.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut headers = self.headers.clone();
        let text = body.map(Value::to_string);
        match text {
            Some(_) => headers.push(("Content-Type", self.media)),
            None if method != "GET" => headers.push(("Content-Length", "0")),
            None => {}
        }
        self.rest
            .send_with(method, path, &headers, text.as_deref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error:#}"))
    }

    /// A request that must be answered with `status`; the answer as the type that the tool has for it.
    pub fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> T {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        let media = answer.header("content-type").unwrap_or_default();
        assert_eq!(
            media.split(';').next(),
            Some("application/json"),
            "{method} {path}: {}",
            answer.text
        );
        serde_json::from_str(&answer.text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", answer.text))
    }

    pub fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        self.ask("GET", path, None, 200)
    }

    /// A request that must be answered with `status` and nothing else.
    pub fn act(&self, method: &str, path: &str, status: u16) {
        let answer = self.send(method, path, None);
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (status, ""),
            "{method} {path}: {}",
            answer.text
        );
    }

    /// Looks until `condition` accepts what `path` answers.
    pub fn await_answer(&self, path: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let mut last = String::new();
        let seen = await_value(&format!("GET {path}"), PATIENCE, || {
            let answer = self.send("GET", path, None);
            let value = answer.json();
            last = answer.text;
            (answer.status == 200 && condition(&value)).then_some(value)
        });
        seen.unwrap_or_else(|error| panic!("{error:#}; last: {last}"))
    }

    /// Waits until a connector and its one task are in these states.
    pub fn await_states(&self, name: &str, connector: &str, task: &str) -> Value {
        self.await_answer(&format!("/connectors/{name}/status"), |status| {
            status["connector"]["state"] == connector
                && status["tasks"].as_array().is_some_and(|tasks| tasks.len() == 1)
                && status["tasks"][0]["state"] == task
        })
    }

    /// Waits until a stopped connector has no tasks left.
    pub fn await_stopped(&self, name: &str) {
        self.await_answer(&format!("/connectors/{name}/status"), |status| {
            status["connector"]["state"] == "STOPPED" && status["tasks"] == json!([])
        });
        self.await_answer(&format!("/connectors/{name}/tasks"), |tasks| *tasks == json!([]));
    }
}
