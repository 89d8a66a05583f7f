//! Records of the status topic
//!
//! `status-connector-C`, `status-task-C-N` and `status-topic-T:connector-C` (KIP-558); field order as Apache writes it, `version` since
//! 4.1 and absent before. Source: `KafkaStatusBackingStore`.

use serde_json::{Value, json};
use weir_client::compacted_log::KeyValue;

use crate::json::{object, to_text};

/// What a connector or task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    Stopped,
    /// Written as a deletion.
    Destroyed,
}

impl State {
    /// The text in records and REST bodies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
            Self::Destroyed => "DESTROYED",
        }
    }

    /// Reads the text.
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [State; 7] = [
            State::Unassigned,
            State::Running,
            State::Paused,
            State::Failed,
            State::Restarting,
            State::Stopped,
            State::Destroyed,
        ];
        ALL.into_iter().find(|state| state.name() == name)
    }
}

/// State of a connector or task, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    pub trace: Option<String>,
    /// `host:port` of the worker.
    pub worker_id: String,
    /// Generation of the worker group; 0 in standalone mode.
    pub generation: i32,
    /// Version of the plugin.
    pub version: Option<String>,
}

/// A topic that a connector has used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicStatus {
    pub topic: String,
    pub connector: String,
    pub task: u32,
    pub discover_timestamp: i64,
}

/// One record, read; `None` is a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusRecord {
    Connector {
        name: String,
        status: Option<Status>,
    },
    Task {
        connector: String,
        task: u32,
        status: Option<Status>,
    },
    Topic {
        topic: String,
        connector: String,
        status: Option<TopicStatus>,
    },
}

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";
const TOPIC: &str = "status-topic-";
const TOPIC_SEPARATOR: &str = ":connector-";

/// Reads a record; the text says why one is skipped.
pub fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<StatusRecord, &'static str> {
    let key = key
        .and_then(|key| std::str::from_utf8(key).ok())
        .ok_or("key is not a text")?;
    if let Some(name) = key.strip_prefix(CONNECTOR) {
        return Ok(StatusRecord::Connector {
            name: name.to_owned(),
            status: value.map(parse_status).transpose()?,
        });
    }
    if let Some(id) = key.strip_prefix(TASK) {
        let (connector, task) = id.rsplit_once('-').ok_or("key names no task number")?;
        let task = task.parse().map_err(|_| "key names no task number")?;
        return Ok(StatusRecord::Task {
            connector: connector.to_owned(),
            task,
            status: value.map(parse_status).transpose()?,
        });
    }
    if let Some(id) = key.strip_prefix(TOPIC) {
        let (topic, rest) = id.split_once(':').ok_or("key names no connector")?;
        let connector = rest.strip_prefix("connector-").ok_or("key names no connector")?;
        let status = value.map(parse_topic).transpose()?;
        return Ok(StatusRecord::Topic {
            topic: topic.to_owned(),
            connector: connector.to_owned(),
            status,
        });
    }
    Err("key of an unknown kind")
}

fn parse_status(value: &[u8]) -> Result<Status, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let generation = fields
        .get("generation")
        .and_then(Value::as_i64)
        .and_then(|generation| i32::try_from(generation).ok());
    Ok(Status {
        state: text("state").and_then(State::from_name).ok_or("state is not known")?,
        trace: text("trace").map(str::to_owned),
        worker_id: text("worker_id").ok_or("worker id is not a text")?.to_owned(),
        generation: generation.ok_or("generation is not a number")?,
        version: text("version").map(str::to_owned),
    })
}

fn parse_topic(value: &[u8]) -> Result<TopicStatus, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    let Some(Value::Object(topic)) = fields.get("topic") else {
        return Err("topic is not an object");
    };
    let text = |name: &str| topic.get(name).and_then(Value::as_str).map(str::to_owned);
    let task = topic
        .get("task")
        .and_then(Value::as_u64)
        .and_then(|task| u32::try_from(task).ok());
    Ok(TopicStatus {
        topic: text("name").ok_or("name is not a text")?,
        connector: text("connector").ok_or("connector is not a text")?,
        task: task.ok_or("task is not a number")?,
        discover_timestamp: topic
            .get("discoverTimestamp")
            .and_then(Value::as_i64)
            .ok_or("timestamp is not a number")?,
    })
}

fn record(key: String, value: Option<&Value>) -> KeyValue {
    KeyValue {
        key: key.into_bytes(),
        value: value.map(|value| to_text(value).into_bytes()),
    }
}

fn status_value(status: &Status) -> Option<Value> {
    let value = json!({
        "state": status.state.name(),
        "trace": status.trace,
        "worker_id": status.worker_id,
        "generation": status.generation,
        "version": status.version,
    });
    (status.state != State::Destroyed).then_some(value)
}

/// The record of a connector's status; `None` deletes it.
pub fn connector(name: &str, status: Option<&Status>) -> KeyValue {
    record(format!("{CONNECTOR}{name}"), status.and_then(status_value).as_ref())
}

/// The record of a task's status; `None` deletes it.
pub fn task(connector: &str, task: u32, status: Option<&Status>) -> KeyValue {
    record(
        format!("{TASK}{connector}-{task}"),
        status.and_then(status_value).as_ref(),
    )
}

/// The record of a topic in use.
pub fn topic(status: &TopicStatus) -> KeyValue {
    let value = json!({ "topic": {
        "name": status.topic,
        "connector": status.connector,
        "task": status.task,
        "discoverTimestamp": status.discover_timestamp,
    } });
    record(topic_key(&status.topic, &status.connector), Some(&value))
}

/// The deletion of a topic in use.
pub fn topic_removal(topic: &str, connector: &str) -> KeyValue {
    record(topic_key(topic, connector), None)
}

fn topic_key(topic: &str, connector: &str) -> String {
    format!("{TOPIC}{topic}{TOPIC_SEPARATOR}{connector}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, trace: Option<&str>) -> Status {
        Status {
            state,
            trace: trace.map(str::to_owned),
            worker_id: "h:8083".to_owned(),
            generation: 3,
            version: Some("4.3.1".to_owned()),
        }
    }

    #[track_caller]
    fn check(written: &KeyValue, key: &str, value: Option<&str>, read: StatusRecord) {
        assert_eq!(std::str::from_utf8(&written.key).unwrap(), key);
        assert_eq!(
            written
                .value
                .as_deref()
                .map(|value| std::str::from_utf8(value).unwrap()),
            value
        );
        assert_eq!(parse(Some(&written.key), written.value.as_deref()), Ok(read));
    }

    #[test]
    fn each_kind_is_written_in_apaches_form_and_read_back() {
        let running = status(State::Running, None);
        check(
            &connector("a-b", Some(&running)),
            "status-connector-a-b",
            Some(r#"{"state":"RUNNING","trace":null,"worker_id":"h:8083","generation":3,"version":"4.3.1"}"#),
            StatusRecord::Connector {
                name: "a-b".to_owned(),
                status: Some(running.clone()),
            },
        );
        let failed = Status {
            version: None,
            ..status(State::Failed, Some("a\n\tat b"))
        };
        check(
            &task("a-b", 12, Some(&failed)),
            "status-task-a-b-12",
            Some(r#"{"state":"FAILED","trace":"a\n\tat b","worker_id":"h:8083","generation":3,"version":null}"#),
            StatusRecord::Task {
                connector: "a-b".to_owned(),
                task: 12,
                status: Some(failed),
            },
        );
        let used = TopicStatus {
            topic: "t".to_owned(),
            connector: "a:b".to_owned(),
            task: 1,
            discover_timestamp: 1_700_000_000_000,
        };
        check(
            &topic(&used),
            "status-topic-t:connector-a:b",
            Some(r#"{"topic":{"name":"t","connector":"a:b","task":1,"discoverTimestamp":1700000000000}}"#),
            StatusRecord::Topic {
                topic: "t".to_owned(),
                connector: "a:b".to_owned(),
                status: Some(used.clone()),
            },
        );
        check(
            &topic_removal("t", "c"),
            "status-topic-t:connector-c",
            None,
            StatusRecord::Topic {
                topic: "t".to_owned(),
                connector: "c".to_owned(),
                status: None,
            },
        );
        check(
            &task("c", 0, Some(&status(State::Destroyed, None))),
            "status-task-c-0",
            None,
            StatusRecord::Task {
                connector: "c".to_owned(),
                task: 0,
                status: None,
            },
        );
    }

    #[test]
    fn version_may_be_absent() {
        let old = parse(
            Some(b"status-connector-c"),
            Some(br#"{"state":"PAUSED","trace":null,"worker_id":"w","generation":1}"#),
        )
        .unwrap();
        let StatusRecord::Connector {
            status: Some(status), ..
        } = old
        else {
            panic!("{old:?}")
        };
        assert_eq!((status.state, status.version), (State::Paused, None));
    }

    #[test]
    fn records_that_make_no_sense_are_skipped() {
        for (key, value) in [
            ("other", "{}"),
            ("status-task-c", "{}"),
            ("status-task-c-x", "{}"),
            ("status-topic-t", "{}"),
            ("status-topic-t:c", "{}"),
            ("status-connector-c", "[]"),
            (
                "status-connector-c",
                r#"{"state":"WHAT","trace":null,"worker_id":"w","generation":1}"#,
            ),
            (
                "status-connector-c",
                r#"{"state":"PAUSED","trace":null,"worker_id":"w","generation":4294967296}"#,
            ),
        ] {
            assert!(
                parse(Some(key.as_bytes()), Some(value.as_bytes())).is_err(),
                "{key} {value}"
            );
        }
    }
}
