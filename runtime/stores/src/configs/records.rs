//! Records of the config topic
//!
//! Parsing and printing, one function a kind, field order as Apache writes it. What the records mean together is in `state`.
//! Kinds: connector, target-state (v0 `state`, v1 adds `state.v2`, KIP-875), task, commit, tasks-fencing (KIP-618), session-key
//! (KIP-507), restart-connector (KIP-745), logger-cluster (KIP-976). Source: `KafkaConfigBackingStore`.

use serde_json::{Map, Value, json};
use weir_client::compacted_log::KeyValue;
use weir_config::map::ConfigMap;

use crate::configs::state::{RestartRequest, SessionKey, TargetState};
use crate::java_order::sort_by_bucket;
use crate::json::{object, to_text};

/// One record, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigRecord {
    /// `None` deletes the connector.
    Connector {
        name: String,
        config: Option<ConfigMap>,
    },
    /// `None` goes back to the default.
    TargetState {
        connector: String,
        state: Option<TargetState>,
    },
    Task {
        connector: String,
        task: u32,
        config: ConfigMap,
    },
    Commit {
        connector: String,
        tasks: u32,
    },
    TasksFencing {
        connector: String,
        tasks: u32,
    },
    SessionKey(SessionKey),
    Restart(RestartRequest),
    Logger {
        namespace: String,
        level: String,
    },
}

impl ConfigRecord {
    /// Has the properties stand as in the `HashMap` that Apache reads them into.
    #[must_use]
    pub fn in_java_order(mut self) -> Self {
        match &mut self {
            Self::Connector {
                config: Some(config), ..
            }
            | Self::Task { config, .. } => {
                let mut entries: Vec<_> = config
                    .iter()
                    .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
                    .collect();
                sort_by_bucket(&mut entries, |(key, _)| key);
                *config = entries.into_iter().collect();
            }
            Self::Connector { config: None, .. }
            | Self::TargetState { .. }
            | Self::Commit { .. }
            | Self::TasksFencing { .. }
            | Self::SessionKey(_)
            | Self::Restart(_)
            | Self::Logger { .. } => {}
        }
        self
    }
}

const CONNECTOR: &str = "connector-";
const TARGET_STATE: &str = "target-state-";
const TASK: &str = "task-";
const COMMIT: &str = "commit-";
const TASKS_FENCING: &str = "tasks-fencing-";
const SESSION_KEY: &str = "session-key";
const RESTART: &str = "restart-connector-";
const LOGGER: &str = "logger-cluster-";

/// Reads a record; the text says why one is skipped, as Apache logs and skips it.
pub fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<ConfigRecord, &'static str> {
    let key = key
        .and_then(|key| std::str::from_utf8(key).ok())
        .ok_or("key is not a text")?;
    // The order matters: one prefix begins another.
    if let Some(connector) = key.strip_prefix(TARGET_STATE) {
        return parse_target_state(connector, value);
    }
    if let Some(name) = key.strip_prefix(CONNECTOR) {
        let config = value.map(properties).transpose()?;
        return Ok(ConfigRecord::Connector {
            name: name.to_owned(),
            config,
        });
    }
    let bytes = || value.ok_or("tombstone of a kind that is never deleted");
    if let Some(id) = key.strip_prefix(TASKS_FENCING) {
        return Ok(ConfigRecord::TasksFencing {
            connector: id.to_owned(),
            tasks: count(bytes()?, "task-count")?,
        });
    }
    if let Some(id) = key.strip_prefix(TASK) {
        let (connector, task) = id.rsplit_once('-').ok_or("key names no task number")?;
        let task = task.parse().map_err(|_| "key names no task number")?;
        return Ok(ConfigRecord::Task {
            connector: connector.to_owned(),
            task,
            config: properties(bytes()?)?,
        });
    }
    if let Some(connector) = key.strip_prefix(COMMIT) {
        return Ok(ConfigRecord::Commit {
            connector: connector.to_owned(),
            tasks: count(bytes()?, "tasks")?,
        });
    }
    if let Some(connector) = key.strip_prefix(RESTART) {
        return parse_restart(connector, bytes()?);
    }
    if key == SESSION_KEY {
        return parse_session_key(bytes()?);
    }
    if let Some(namespace) = key.strip_prefix(LOGGER) {
        let level = text(&object(bytes()?).ok_or("value is not an object")?, "level").ok_or("level is not a text")?;
        return Ok(ConfigRecord::Logger {
            namespace: namespace.to_owned(),
            level,
        });
    }
    Err("key of an unknown kind")
}

fn parse_target_state(connector: &str, value: Option<&[u8]>) -> Result<ConfigRecord, &'static str> {
    let state = match value {
        None => None,
        Some(value) => {
            let fields = object(value).ok_or("value is not an object")?;
            let name = text(&fields, "state.v2")
                .or_else(|| text(&fields, "state"))
                .ok_or("state is not a text")?;
            Some(TargetState::from_name(&name).ok_or("state is not known")?)
        }
    };
    Ok(ConfigRecord::TargetState {
        connector: connector.to_owned(),
        state,
    })
}

fn parse_restart(connector: &str, value: &[u8]) -> Result<ConfigRecord, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    let flag = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_bool)
            .ok_or("flags of the restart are missing")
    };
    Ok(ConfigRecord::Restart(RestartRequest {
        connector: connector.to_owned(),
        include_tasks: flag("include-tasks")?,
        only_failed: flag("only-failed")?,
    }))
}

fn parse_session_key(value: &[u8]) -> Result<ConfigRecord, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    Ok(ConfigRecord::SessionKey(SessionKey {
        key_base64: text(&fields, "key").ok_or("key is not a text")?,
        algorithm: text(&fields, "algorithm").ok_or("algorithm is not a text")?,
        creation_timestamp: fields
            .get("creation-timestamp")
            .and_then(Value::as_i64)
            .ok_or("timestamp is not a number")?,
    }))
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

fn count(value: &[u8], name: &str) -> Result<u32, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    fields
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|count| u32::try_from(count).ok())
        .ok_or("count is not a number")
}

fn properties(value: &[u8]) -> Result<ConfigMap, &'static str> {
    let fields = object(value).ok_or("value is not an object")?;
    let Some(Value::Object(entries)) = fields.get("properties") else {
        return Err("properties are not an object");
    };
    let mut config = ConfigMap::new();
    for (name, value) in entries {
        match value {
            Value::String(text) => config.insert(name.as_str(), text.as_str()),
            Value::Null => config.insert_entry(name.as_str(), None),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                return Err("a property is not a text");
            }
        }
    }
    Ok(config)
}

fn record(key: String, value: Option<&Value>) -> KeyValue {
    KeyValue {
        key: key.into_bytes(),
        value: value.map(|value| to_text(value).into_bytes()),
    }
}

fn properties_value(config: &ConfigMap) -> Value {
    let entries: Map<String, Value> = config
        .iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    json!({ "properties": entries })
}

/// The record of a connector's config.
pub fn connector(name: &str, config: &ConfigMap) -> KeyValue {
    record(format!("{CONNECTOR}{name}"), Some(&properties_value(config)))
}

/// The two tombstones that delete a connector.
pub fn connector_removal(name: &str) -> [KeyValue; 2] {
    [
        record(format!("{CONNECTOR}{name}"), None),
        record(format!("{TARGET_STATE}{name}"), None),
    ]
}

/// The record of a target state; older workers read `state` and know no STOPPED.
pub fn target_state(connector: &str, state: TargetState) -> KeyValue {
    let for_old_workers = if state == TargetState::Stopped {
        TargetState::Paused
    } else {
        state
    };
    let value = json!({ "state": for_old_workers.name(), "state.v2": state.name() });
    record(format!("{TARGET_STATE}{connector}"), Some(&value))
}

/// The records of a task set: each task, then the commit.
pub fn task_set(connector: &str, configs: &[ConfigMap]) -> Vec<KeyValue> {
    let tasks = configs
        .iter()
        .enumerate()
        .map(|(task, config)| record(format!("{TASK}{connector}-{task}"), Some(&properties_value(config))));
    tasks
        .chain([record(
            format!("{COMMIT}{connector}"),
            Some(&json!({ "tasks": configs.len() })),
        )])
        .collect()
}

/// The record of a task count before a round of fencing.
pub fn tasks_fencing(connector: &str, tasks: u32) -> KeyValue {
    record(
        format!("{TASKS_FENCING}{connector}"),
        Some(&json!({ "task-count": tasks })),
    )
}

/// The record of the key that workers sign requests with.
pub fn session_key(key: &SessionKey) -> KeyValue {
    let value =
        json!({ "key": key.key_base64, "algorithm": key.algorithm, "creation-timestamp": key.creation_timestamp });
    record(SESSION_KEY.to_owned(), Some(&value))
}

/// The record of a restart request.
pub fn restart(request: &RestartRequest) -> KeyValue {
    let value = json!({ "include-tasks": request.include_tasks, "only-failed": request.only_failed });
    record(format!("{RESTART}{}", request.connector), Some(&value))
}

/// The record of a log level for the whole cluster.
pub fn logger(namespace: &str, level: &str) -> KeyValue {
    record(format!("{LOGGER}{namespace}"), Some(&json!({ "level": level })))
}

#[cfg(test)]
mod tests;
