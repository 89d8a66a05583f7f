//! JSON forms of what the herder answers, field for field in Connect's order.
//!
//! Only here do domain types meet serde, so that a rename inside never changes the API.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use weir_config::def::{ConfigKey, ConfigType, DefaultValue};
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;
use weir_herder::info::{
    ConfigInfo, ConfigInfos, ConnectorInfo, ConnectorStateInfo, ConnectorType, ServerInfo, StateInfo,
};
use weir_herder::loggers::LoggerLevel;
use weir_plugins::descriptor::PluginKind;
use weir_plugins::plugins::PluginInfo;
use weir_stores::offsets::connector_offset::ConnectorOffset;

/// What a version reads when nobody knows it; such a field is left out.
const UNDEFINED_VERSION: &str = "undefined";

/// A config as a JSON object, in its own order.
#[derive(Debug)]
pub struct ConfigJson(pub ConfigMap);

impl Serialize for ConfigJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0.iter() {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

/// `GET /`
#[derive(Debug, Serialize)]
pub struct ServerJson {
    version: String,
    commit: String,
    kafka_cluster_id: String,
}

impl From<&ServerInfo> for ServerJson {
    fn from(info: &ServerInfo) -> Self {
        ServerJson {
            version: info.version.clone(),
            commit: info.commit.clone(),
            kafka_cluster_id: info.kafka_cluster_id.clone(),
        }
    }
}

/// `GET /health`
#[derive(Debug, Serialize)]
pub struct HealthJson {
    /// healthy, starting, unhealthy
    pub status: &'static str,
    /// A sentence.
    pub message: String,
}

/// One task of a connector.
#[derive(Debug, Serialize)]
pub struct TaskIdJson {
    connector: String,
    task: u32,
}

/// A connector with config and tasks.
#[derive(Debug, Serialize)]
pub struct ConnectorJson {
    name: String,
    config: ConfigJson,
    tasks: Vec<TaskIdJson>,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl From<ConnectorInfo> for ConnectorJson {
    fn from(info: ConnectorInfo) -> Self {
        let tasks = info
            .tasks
            .iter()
            .map(|task| TaskIdJson {
                connector: info.name.clone(),
                task: *task,
            })
            .collect();
        ConnectorJson {
            name: info.name,
            config: ConfigJson(info.config),
            tasks,
            kind: kind_text(info.kind),
        }
    }
}

fn kind_text(kind: ConnectorType) -> &'static str {
    match kind {
        ConnectorType::Source => "source",
        ConnectorType::Sink => "sink",
        ConnectorType::Unknown => "unknown",
    }
}

/// One task with its config.
#[derive(Debug, Serialize)]
pub struct TaskJson {
    id: TaskIdJson,
    config: ConfigJson,
}

impl TaskJson {
    /// Task number `task` of `connector`.
    pub fn new(connector: &str, task: u32, config: ConfigMap) -> Self {
        TaskJson {
            id: TaskIdJson {
                connector: connector.to_owned(),
                task,
            },
            config: ConfigJson(config),
        }
    }
}

/// State of a connector instance or a task.
#[derive(Debug, Serialize)]
pub struct StateJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    state: String,
    worker_id: String,
    #[serde(skip_serializing_if = "is_undefined")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

fn is_undefined(version: &Option<String>) -> bool {
    version.as_deref() == Some(UNDEFINED_VERSION)
}

impl StateJson {
    /// The connector's own state.
    pub fn connector(info: StateInfo) -> Self {
        StateJson {
            id: None,
            state: info.state,
            worker_id: info.worker_id,
            version: info.version,
            trace: info.trace,
        }
    }

    /// State of task `id`.
    pub fn task(id: u32, info: StateInfo) -> Self {
        StateJson {
            id: Some(id),
            ..StateJson::connector(info)
        }
    }
}

/// `GET …/status`
#[derive(Debug, Serialize)]
pub struct StatusJson {
    name: String,
    connector: StateJson,
    tasks: Vec<StateJson>,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Beyond Connect, last, so that a client that knows nothing of it can leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    weir: Option<BeyondJson>,
}

/// What this worker knows of the tasks that run on it.
#[derive(Debug, Serialize)]
struct BeyondJson {
    tasks: Vec<FiguresJson>,
}

/// Figures of one task.
#[derive(Debug, Serialize)]
struct FiguresJson {
    id: u32,
    running_ms: u64,
    records: u64,
    bytes: u64,
    records_per_second: u64,
    in_flight: u64,
    cpu_ms: u64,
    memory_bytes: u64,
    record_errors: u64,
    records_skipped: u64,
    dead_letters: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stalled: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    restarts: u32,
    /// Milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_restart: Option<i64>,
}

impl From<ConnectorStateInfo> for StatusJson {
    fn from(info: ConnectorStateInfo) -> Self {
        let figures = info.figures.into_iter();
        let figures: Vec<FiguresJson> = figures
            .map(|(id, figures)| FiguresJson {
                id,
                running_ms: figures.running_ms,
                records: figures.records,
                bytes: figures.bytes,
                records_per_second: figures.records_per_second,
                in_flight: figures.in_flight,
                cpu_ms: figures.cpu_ms,
                memory_bytes: figures.memory_bytes,
                record_errors: figures.errors.errors,
                records_skipped: figures.errors.skipped,
                dead_letters: figures.errors.dead_letters,
                stalled: figures.stalled,
                last_error: figures.restarts.last_error,
                restarts: figures.restarts.count,
                next_restart: figures.restarts.next_ms,
            })
            .collect();
        StatusJson {
            name: info.name,
            connector: StateJson::connector(info.connector),
            tasks: info
                .tasks
                .into_iter()
                .map(|(id, state)| StateJson::task(id, state))
                .collect(),
            kind: kind_text(info.kind),
            weir: (!figures.is_empty()).then_some(BeyondJson { tasks: figures }),
        }
    }
}

/// `GET …/offsets`
#[derive(Debug, Serialize)]
pub struct OffsetsJson {
    offsets: Vec<OffsetJson>,
}

#[derive(Debug, Serialize)]
struct OffsetJson {
    partition: Option<Map<String, Value>>,
    offset: Option<Map<String, Value>>,
}

impl From<Vec<ConnectorOffset>> for OffsetsJson {
    fn from(offsets: Vec<ConnectorOffset>) -> Self {
        let entry = |entry: ConnectorOffset| OffsetJson {
            partition: entry.partition,
            offset: entry.offset,
        };
        OffsetsJson {
            offsets: offsets.into_iter().map(entry).collect(),
        }
    }
}

/// An answer that is one sentence.
#[derive(Debug, Serialize)]
pub struct MessageJson {
    /// The sentence.
    pub message: String,
}

/// `GET …/topics`
#[derive(Debug, Serialize)]
pub struct TopicsJson {
    /// Names.
    pub topics: Vec<String>,
}

/// One logger.
#[derive(Debug, Serialize)]
pub struct LoggerJson {
    level: &'static str,
    last_modified: Option<i64>,
}

impl From<LoggerLevel> for LoggerJson {
    fn from(logger: LoggerLevel) -> Self {
        LoggerJson {
            level: logger.level.name(),
            last_modified: logger.last_modified,
        }
    }
}

/// One entry of `GET /connectors?expand=…`
#[derive(Debug, Default, Serialize)]
pub struct ExpandedJson {
    /// With `expand=status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusJson>,
    /// With `expand=info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<ConnectorJson>,
}

/// One plugin of `GET /connector-plugins`
#[derive(Debug, Serialize)]
pub struct PluginJson {
    class: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "is_undefined")]
    version: Option<String>,
}

impl From<PluginInfo> for PluginJson {
    fn from(info: PluginInfo) -> Self {
        let kind = match info.kind {
            PluginKind::Source => "source",
            PluginKind::Sink => "sink",
            PluginKind::Transformation => "transformation",
            PluginKind::Predicate => "predicate",
            PluginKind::Converter => "converter",
            PluginKind::HeaderConverter => "header_converter",
        };
        PluginJson {
            class: info.class,
            kind,
            version: Some(info.version),
        }
    }
}

/// One config key.
#[derive(Debug, Serialize)]
pub struct KeyJson {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    required: bool,
    default_value: Option<String>,
    importance: &'static str,
    documentation: String,
    group: Option<String>,
    order_in_group: i32,
    width: &'static str,
    display_name: String,
    dependents: Vec<String>,
}

impl From<ConfigKey> for KeyJson {
    fn from(key: ConfigKey) -> Self {
        let default_value = match key.default {
            DefaultValue::Required | DefaultValue::Null => None,
            DefaultValue::Value(_) if key.config_type == ConfigType::Password => Some("[hidden]".to_owned()),
            DefaultValue::Value(ref text) => Some(text.clone()),
        };
        KeyJson {
            required: key.is_required(),
            kind: key.config_type.as_str(),
            name: key.name,
            default_value,
            importance: key.importance.as_str(),
            documentation: key.documentation,
            group: key.group,
            order_in_group: key.order,
            width: key.width.as_str(),
            display_name: key.display_name,
            dependents: key.dependents,
        }
    }
}

/// The value part of one validated key.
#[derive(Debug, Serialize)]
pub struct ValueJson {
    name: String,
    value: Option<String>,
    recommended_values: Vec<String>,
    errors: Vec<String>,
    visible: bool,
}

impl From<ValueInfo> for ValueJson {
    fn from(info: ValueInfo) -> Self {
        ValueJson {
            name: info.name,
            value: info.value,
            recommended_values: info.recommended,
            errors: info.errors,
            visible: info.visible,
        }
    }
}

/// One validated key.
#[derive(Debug, Serialize)]
pub struct ConfigInfoJson {
    definition: Option<KeyJson>,
    value: ValueJson,
}

/// Answer of `PUT …/config/validate`
#[derive(Debug, Serialize)]
pub struct ConfigInfosJson {
    name: String,
    error_count: usize,
    groups: Vec<String>,
    configs: Vec<ConfigInfoJson>,
}

impl From<ConfigInfos> for ConfigInfosJson {
    fn from(infos: ConfigInfos) -> Self {
        let configs = infos.configs.into_iter().filter(shown).map(|info| ConfigInfoJson {
            definition: info.definition.map(KeyJson::from),
            value: info.value.into(),
        });
        ConfigInfosJson {
            name: infos.name,
            error_count: infos.error_count,
            groups: infos.groups,
            configs: configs.collect(),
        }
    }
}

/// Internal keys are not shown.
pub fn shown(info: &ConfigInfo) -> bool {
    info.definition.as_ref().is_none_or(|key| !key.internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap_or_default()
    }

    fn state(version: Option<&str>, trace: Option<&str>) -> StateInfo {
        StateInfo {
            state: "RUNNING".to_owned(),
            worker_id: "w:1".to_owned(),
            version: version.map(str::to_owned),
            trace: trace.map(str::to_owned),
        }
    }

    #[test]
    fn a_status_keeps_connects_field_order_and_leaves_out_what_is_unknown() {
        let info = ConnectorStateInfo {
            name: "a".to_owned(),
            connector: state(Some("4.3.1"), None),
            tasks: vec![(0, state(None, Some("boom"))), (1, state(Some("undefined"), None))],
            kind: ConnectorType::Source,
            figures: Vec::new(),
        };
        assert_eq!(
            json(&StatusJson::from(info)),
            r#"{"name":"a","connector":{"state":"RUNNING","worker_id":"w:1","version":"4.3.1"},"tasks":[{"id":0,"state":"RUNNING","worker_id":"w:1","version":null,"trace":"boom"},{"id":1,"state":"RUNNING","worker_id":"w:1"}],"type":"source"}"#
        );
    }

    #[test]
    fn a_config_key_prints_as_connect_prints_it() {
        let key = ConfigKey::int("batch.size").default("2000");
        assert_eq!(
            json(&KeyJson::from(key)),
            r#"{"name":"batch.size","type":"INT","required":false,"default_value":"2000","importance":"MEDIUM","documentation":"","group":null,"order_in_group":-1,"width":"NONE","display_name":"batch.size","dependents":[]}"#
        );
        let secret = ConfigKey::password("p").default("x");
        assert!(json(&KeyJson::from(secret)).contains(r#""default_value":"[hidden]""#));
    }

    #[test]
    fn a_connector_keeps_config_order_and_nulls() {
        let config: ConfigMap = [("b", Some("1")), ("a", None)]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)))
            .collect();
        let info = ConnectorInfo {
            name: "c".to_owned(),
            config,
            tasks: vec![0],
            kind: ConnectorType::Sink,
        };
        assert_eq!(
            json(&ConnectorJson::from(info)),
            r#"{"name":"c","config":{"b":"1","a":null},"tasks":[{"connector":"c","task":0}],"type":"sink"}"#
        );
    }
}
