//! Cluster state: what the config records mean together
//!
//! Pure: one record in, events out. Task configs wait for their commit; a commit without all of them (compaction ate some) marks the
//! connector inconsistent, which leaves it without tasks until they are written anew. Source: `KafkaConfigBackingStore`,
//! `ClusterConfigState`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_config::map::ConfigMap;

use crate::configs::records::ConfigRecord;

/// What a connector shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TargetState {
    #[default]
    Started,
    Paused,
    Stopped,
}

impl TargetState {
    /// The text in records and REST bodies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// Reads the text.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A request to restart a connector and its tasks (KIP-745).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RestartRequest {
    pub connector: String,
    pub include_tasks: bool,
    pub only_failed: bool,
}

/// The key that workers sign internal requests with (KIP-507).
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    pub key_base64: String,
    pub algorithm: String,
    pub creation_timestamp: i64,
}

/// Prints without the key.
impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey")
            .field("algorithm", &self.algorithm)
            .field("creation_timestamp", &self.creation_timestamp)
            .finish()
    }
}

/// What changed, for records read after the start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConfigEvent {
    ConnectorUpdated(String),
    ConnectorRemoved(String),
    TasksUpdated(String),
    TargetStateChanged(String),
    Restart(RestartRequest),
    /// A log level for all workers (KIP-976).
    Logger {
        namespace: String,
        level: String,
    },
}

/// One connector of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorEntry {
    pub config: ConfigMap,
    pub target_state: TargetState,
    /// `None`: not committed yet, or inconsistent.
    pub task_configs: Option<Vec<ConfigMap>>,
    /// The connector's config when its tasks were committed.
    pub applied_config: Option<ConfigMap>,
}

/// Everything read so far, at one point of the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterState {
    /// Offset after the last record.
    pub offset: i64,
    pub connectors: BTreeMap<String, ConnectorEntry>,
    /// Task counts of the last round of fencing, kept beyond a connector's deletion.
    pub task_count_records: BTreeMap<String, u32>,
    /// Connectors whose task set changed since their last round of fencing.
    pub pending_fencing: BTreeSet<String>,
    /// How many task sets each connector had, as far as this worker has read.
    pub task_generations: BTreeMap<String, u64>,
    pub session_key: Option<SessionKey>,
}

/// The state while records come in.
#[derive(Debug, Default)]
pub struct ConfigLog {
    offset: i64,
    configs: BTreeMap<String, ConfigMap>,
    target_states: BTreeMap<String, TargetState>,
    task_configs: BTreeMap<(String, u32), ConfigMap>,
    task_counts: BTreeMap<String, u32>,
    deferred: BTreeMap<String, BTreeMap<u32, ConfigMap>>,
    applied_configs: BTreeMap<String, ConfigMap>,
    inconsistent: BTreeSet<String>,
    task_count_records: BTreeMap<String, u32>,
    pending_fencing: BTreeSet<String>,
    task_generations: BTreeMap<String, u64>,
    session_key: Option<SessionKey>,
    snapshot: Option<Arc<ClusterState>>,
}

impl ConfigLog {
    /// Moves to the offset after a record, whether it made sense or not.
    pub fn advance(&mut self, next_offset: i64) {
        self.offset = next_offset;
        self.snapshot = None;
    }

    /// Offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.offset
    }

    /// Takes one record in; answers what changed.
    pub fn apply(&mut self, record: ConfigRecord) -> Option<ConfigEvent> {
        self.snapshot = None;
        match record {
            ConfigRecord::Connector {
                name,
                config: Some(config),
            } => {
                self.configs.insert(name.clone(), config);
                Some(ConfigEvent::ConnectorUpdated(name))
            }
            ConfigRecord::Connector { name, config: None } => {
                self.configs.remove(&name);
                self.forget_tasks(&name);
                Some(ConfigEvent::ConnectorRemoved(name))
            }
            ConfigRecord::TargetState { connector, state } => self.apply_target_state(connector, state),
            ConfigRecord::Task {
                connector,
                task,
                config,
            } => {
                self.deferred.entry(connector).or_default().insert(task, config);
                None
            }
            ConfigRecord::Commit { connector, tasks } => self.apply_commit(connector, tasks),
            ConfigRecord::TasksFencing { connector, tasks } => {
                self.pending_fencing.remove(&connector);
                self.task_count_records.insert(connector, tasks);
                None
            }
            ConfigRecord::SessionKey(key) => {
                self.session_key = Some(key);
                None
            }
            ConfigRecord::Restart(request) => Some(ConfigEvent::Restart(request)),
            // No state: a worker that starts later has the levels of its own start.
            ConfigRecord::Logger { namespace, level } => Some(ConfigEvent::Logger { namespace, level }),
        }
    }

    // A state may be written before its connector: then the connector's own event tells of both.
    fn apply_target_state(&mut self, connector: String, state: Option<TargetState>) -> Option<ConfigEvent> {
        let Some(state) = state else {
            self.target_states.remove(&connector);
            return None;
        };
        let before = self.target_states.insert(connector.clone(), state).unwrap_or_default();
        (before != state && self.configs.contains_key(&connector)).then_some(ConfigEvent::TargetStateChanged(connector))
    }

    fn apply_commit(&mut self, connector: String, tasks: u32) -> Option<ConfigEvent> {
        let deferred = self.deferred.remove(&connector);
        let Some(config) = self.configs.get(&connector) else {
            // Compaction took the connector's records: what is left of it goes too.
            self.forget_tasks(&connector);
            return None;
        };
        // More than the count may wait: compaction keeps the tasks of an earlier, larger set.
        let is_complete = (0..tasks).all(|task| deferred.as_ref().is_some_and(|configs| configs.contains_key(&task)));
        if is_complete {
            self.applied_configs.insert(connector.clone(), config.clone());
            if deferred.is_some() {
                *self.task_generations.entry(connector.clone()).or_default() += 1;
            }
            for (task, config) in deferred.into_iter().flatten() {
                self.task_configs.insert((connector.clone(), task), config);
            }
            self.inconsistent.remove(&connector);
        } else {
            tracing::debug!(
                connector,
                tasks,
                "task configs are incomplete, probably after compaction"
            );
            self.inconsistent.insert(connector.clone());
        }
        self.task_counts.insert(connector.clone(), tasks);
        self.pending_fencing.insert(connector.clone());
        Some(ConfigEvent::TasksUpdated(connector))
    }

    fn forget_tasks(&mut self, connector: &str) {
        self.task_counts.remove(connector);
        self.deferred.remove(connector);
        self.applied_configs.remove(connector);
        self.inconsistent.remove(connector);
        self.pending_fencing.remove(connector);
        self.task_configs.retain(|(owner, _), _| owner != connector);
    }

    /// The state now; shared until the next record.
    pub fn snapshot(&mut self) -> Arc<ClusterState> {
        if let Some(snapshot) = &self.snapshot {
            return Arc::clone(snapshot);
        }
        let connectors = self
            .configs
            .iter()
            .map(|(name, config)| (name.clone(), self.entry(name, config)))
            .collect();
        let snapshot = Arc::new(ClusterState {
            offset: self.offset,
            connectors,
            task_count_records: self.task_count_records.clone(),
            pending_fencing: self.pending_fencing.clone(),
            task_generations: self.task_generations.clone(),
            session_key: self.session_key.clone(),
        });
        self.snapshot = Some(Arc::clone(&snapshot));
        snapshot
    }

    fn entry(&self, name: &str, config: &ConfigMap) -> ConnectorEntry {
        let tasks = self.task_counts.get(name).filter(|_| !self.inconsistent.contains(name));
        let task_config = |task| self.task_configs.get(&(name.to_owned(), task)).cloned();
        ConnectorEntry {
            config: config.clone(),
            target_state: self.target_states.get(name).copied().unwrap_or_default(),
            task_configs: tasks.and_then(|count| (0..*count).map(task_config).collect()),
            applied_config: self.applied_configs.get(name).cloned(),
        }
    }
}

#[cfg(test)]
mod tests;
