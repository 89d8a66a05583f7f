//! What the herder answers: connector info, state info, config infos.
//!
//! Plain values; their JSON form is made in `rest/model.rs`.

use weir_config::def::ConfigKey;
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;
use weir_worker::figures::TaskFigures;

/// What kind of connector a config names, as far as this worker knows its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorType {
    /// Reads from elsewhere into topics.
    Source,
    /// Writes topics elsewhere.
    Sink,
    /// The class cannot be found on this worker.
    Unknown,
}

/// One connector with its config and its tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorInfo {
    /// The connector's name.
    pub name: String,
    /// Its config, variables unresolved.
    pub config: ConfigMap,
    /// Task numbers, ascending.
    pub tasks: Vec<u32>,
    /// Source, sink or unknown.
    pub kind: ConnectorType,
}

/// The state of a connector instance or of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateInfo {
    /// Upper-case state name (`RUNNING`, `FAILED` …).
    pub state: String,
    /// `host:port` of the worker that reported it.
    pub worker_id: String,
    /// Version of the plugin: none = unknown.
    pub version: Option<String>,
    /// Stack trace of a failure.
    pub trace: Option<String>,
}

/// State of a connector and all its tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorStateInfo {
    /// The connector's name.
    pub name: String,
    /// State of the connector instance.
    pub connector: StateInfo,
    /// Task number and state, ascending.
    pub tasks: Vec<(u32, StateInfo)>,
    /// Source, sink or unknown.
    pub kind: ConnectorType,
    /// What the tasks that run on this worker have done and use, by number.
    pub figures: Vec<(u32, TaskFigures)>,
}

/// One key of a validation answer.
#[derive(Debug, Clone)]
pub struct ConfigInfo {
    /// None for a key that no definition knows.
    pub definition: Option<ConfigKey>,
    /// The value with its errors.
    pub value: ValueInfo,
}

/// The answer of a validation.
#[derive(Debug, Clone)]
pub struct ConfigInfos {
    /// `connector.class` as it was given.
    pub name: String,
    /// Number of errors, counted as Apache counts them.
    pub error_count: usize,
    /// Groups in order of first use.
    pub groups: Vec<String>,
    /// All keys, framework keys first.
    pub configs: Vec<ConfigInfo>,
}

/// The release of Apache Connect whose API this worker speaks. Clients compare it with what a request needs.
pub const CONNECT_VERSION: &str = weir_transforms::catalogue::VERSION;

/// What `GET /` answers.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// [`CONNECT_VERSION`].
    pub version: String,
    /// This program, its version and the source revision it was built from.
    pub commit: String,
    /// Id of the Kafka cluster behind it.
    pub kafka_cluster_id: String,
}

/// What `GET /health` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Started and answering.
    Healthy,
    /// Not yet started; the text tells the stage.
    Starting(String),
    /// Started, but the herder did not answer in time.
    Unhealthy(String),
}

/// A created or replaced connector.
#[derive(Debug, Clone)]
pub struct Put {
    /// True when it did not exist before.
    pub created: bool,
    /// The connector as it was right after the write.
    pub info: ConnectorInfo,
}
