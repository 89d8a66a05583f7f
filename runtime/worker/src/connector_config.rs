//! Connector options that the framework owns, and typed settings made from them.
//!
//! `source_def` and `sink_def` are what a validation answer shows besides the plugin's own keys;
//! `config_problems` are the checks over several keys. Client overrides are checked in `clients.rs`.
//! Source: `ConnectorConfig`, `SourceConnectorConfig`, `SinkConnectorConfig` of Kafka 4.3.

use weir_config::def::{ConfigDef, ConfigKey};
use weir_config::error::ConfigError;
use weir_config::map::ConfigMap;
use weir_config::parse::ConfigValue;

use crate::connector_config::keys::{add_topic_group, common_keys, sink_keys, source_keys};
use crate::error::WorkerError;
use crate::pattern;
use crate::restart::{RESTART_PREFIX, RestartSettings, restart_keys};

pub const NAME: &str = "name";
pub const CONNECTOR_CLASS: &str = "connector.class";
pub const CONNECTOR_PLUGIN_VERSION: &str = "connector.plugin.version";
pub const TASKS_MAX: &str = "tasks.max";
pub const TASKS_MAX_ENFORCE: &str = "tasks.max.enforce";
pub const KEY_CONVERTER: &str = "key.converter";
pub const VALUE_CONVERTER: &str = "value.converter";
pub const HEADER_CONVERTER: &str = "header.converter";
pub const TRANSFORMS: &str = "transforms";
pub const PREDICATES: &str = "predicates";
pub const CONFIG_ACTION_RELOAD: &str = "config.action.reload";
pub const ERRORS_RETRY_TIMEOUT: &str = "errors.retry.timeout";
pub const ERRORS_RETRY_DELAY_MAX: &str = "errors.retry.delay.max.ms";
pub const ERRORS_TOLERANCE: &str = "errors.tolerance";
pub const ERRORS_LOG_ENABLE: &str = "errors.log.enable";
pub const ERRORS_LOG_MESSAGES: &str = "errors.log.include.messages";
pub const TOPICS: &str = "topics";
pub const TOPICS_REGEX: &str = "topics.regex";
pub const DLQ_TOPIC: &str = "errors.deadletterqueue.topic.name";
pub const DLQ_REPLICATION_FACTOR: &str = "errors.deadletterqueue.topic.replication.factor";
pub const DLQ_HEADERS: &str = "errors.deadletterqueue.context.headers.enable";
pub const TASK_CLASS: &str = "task.class";
pub const TOPIC_CREATION_PREFIX: &str = "topic.creation.";
pub const TOPIC_CREATION_GROUPS: &str = "topic.creation.groups";
pub const EXACTLY_ONCE_SUPPORT: &str = "exactly.once.support";
pub const TRANSACTION_BOUNDARY: &str = "transaction.boundary";
pub const TRANSACTION_BOUNDARY_INTERVAL: &str = "transaction.boundary.interval.ms";
pub const OFFSETS_STORAGE_TOPIC: &str = "offsets.storage.topic";

/// Which side a connector is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorKind {
    /// Reads from elsewhere into topics.
    Source,
    /// Writes topics elsewhere.
    Sink,
}

/// One key and what is wrong with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    pub key: String,
    pub message: String,
}

/// What happens to a record that cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// The task fails.
    None,
    /// The record is left out.
    All,
}

/// What is written to the log about a record that cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorLog {
    Off,
    /// Stage and class.
    Context,
    /// Stage, class and record.
    ContextAndRecord,
}

/// `errors.*` of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorSettings {
    /// 0 = no retry, -1 = for ever.
    pub retry_timeout_ms: i64,
    pub retry_delay_max_ms: i64,
    pub tolerance: Tolerance,
    pub log: ErrorLog,
}

/// `errors.deadletterqueue.*` of a sink that has a dead letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterSettings {
    pub topic: String,
    /// Used when the topic is created.
    pub replication_factor: i16,
    pub context_headers: bool,
}

/// Settings every connector has.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    pub name: String,
    pub class: String,
    pub tasks_max: u32,
    pub tasks_max_enforce: bool,
    pub errors: ErrorSettings,
    /// False for `config.action.reload=none`.
    pub reload_on_change: bool,
}

/// What a sink reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTopics {
    List(Vec<String>),
    /// A Java regular expression over whole topic names.
    Pattern(String),
}

impl ConnectorConfig {
    /// Reads the common settings out of a connector's config.
    ///
    /// # Errors
    /// [`WorkerError::Config`] names the first key whose value does not parse.
    pub fn parse(config: &ConfigMap) -> Result<Self, WorkerError> {
        let parsed = common_def().parse(config)?;
        let log = match (
            parsed.get_boolean(ERRORS_LOG_ENABLE)?,
            parsed.get_boolean(ERRORS_LOG_MESSAGES)?,
        ) {
            (false, _) => ErrorLog::Off,
            (true, false) => ErrorLog::Context,
            (true, true) => ErrorLog::ContextAndRecord,
        };
        Ok(Self {
            name: parsed.get_text(NAME)?.to_owned(),
            class: parsed.get_text(CONNECTOR_CLASS)?.to_owned(),
            tasks_max: u32::try_from(parsed.get_int(TASKS_MAX)?).unwrap_or(1),
            tasks_max_enforce: parsed.get_boolean(TASKS_MAX_ENFORCE)?,
            errors: ErrorSettings {
                retry_timeout_ms: parsed.get_long(ERRORS_RETRY_TIMEOUT)?,
                retry_delay_max_ms: parsed.get_long(ERRORS_RETRY_DELAY_MAX)?,
                tolerance: match parsed.get_text(ERRORS_TOLERANCE)? {
                    "all" => Tolerance::All,
                    _ => Tolerance::None,
                },
                log,
            },
            reload_on_change: parsed.get_text(CONFIG_ACTION_RELOAD)? == "restart",
        })
    }
}

/// Reads what a sink subscribes to.
///
/// # Errors
/// [`WorkerError::Invalid`] when neither or both of `topics` and `topics.regex` are set.
pub fn sink_topics(config: &ConfigMap) -> Result<SinkTopics, WorkerError> {
    if let Some(problem) = sink_problems(config).into_iter().next() {
        return Err(WorkerError::Invalid(problem.message));
    }
    match config.get(TOPICS_REGEX).map(str::trim) {
        Some(pattern) if !pattern.is_empty() => Ok(SinkTopics::Pattern(pattern.to_owned())),
        _ => {
            let mut topics: Vec<String> = Vec::new();
            for topic in split_list(config.get(TOPICS).unwrap_or("")) {
                if !topics.contains(&topic) {
                    topics.push(topic);
                }
            }
            Ok(SinkTopics::List(topics))
        }
    }
}

/// Reads a sink's dead letter queue; none when it has no topic for one.
///
/// # Errors
/// [`WorkerError::Config`] names the first key whose value does not parse.
pub fn dead_letter_settings(config: &ConfigMap) -> Result<Option<DeadLetterSettings>, WorkerError> {
    if !has_dead_letters(config) {
        return Ok(None);
    }
    let parsed = sink_def().parse(config)?;
    Ok(Some(DeadLetterSettings {
        topic: parsed.get_text(DLQ_TOPIC)?.trim().to_owned(),
        replication_factor: parsed.get_short(DLQ_REPLICATION_FACTOR)?,
        context_headers: parsed.get_boolean(DLQ_HEADERS)?,
    }))
}

/// Is true when a sink names a topic for its dead letters.
pub fn has_dead_letters(config: &ConfigMap) -> bool {
    config.get(DLQ_TOPIC).is_some_and(|topic| !topic.trim().is_empty())
}

/// Lists what is wrong with settings that depend on each other (connect.md A.8, C).
pub fn config_problems(kind: ConnectorKind, config: &ConfigMap) -> Vec<ConfigProblem> {
    match kind {
        ConnectorKind::Sink => sink_problems(config),
        ConnectorKind::Source => Vec::new(),
    }
}

/// Runs the checks that [`Validator::Custom`] rows of this file stand for; gives the whole error text.
pub fn custom_problem(key: &ConfigKey, value: Option<&ConfigValue>) -> Option<String> {
    let reason = match (key.name.as_str(), value?) {
        (TOPICS, ConfigValue::List(topics)) => {
            return has_duplicates(topics).then(|| format!("Configuration '{TOPICS}' values must not be duplicated."));
        }
        (TRANSFORMS | PREDICATES | TOPIC_CREATION_GROUPS, ConfigValue::List(aliases)) => {
            has_duplicates(aliases).then(|| "Duplicate alias provided.".to_owned())
        }
        (TOPICS_REGEX, pattern) => return weir_transforms::java_regex::problem(key, pattern),
        (TRANSACTION_BOUNDARY_INTERVAL, ConfigValue::Long(ms)) => {
            (*ms < 0).then(|| "Value must be at least 0".to_owned())
        }
        (name, ConfigValue::List(patterns)) if is_topic_group_key(name) => {
            patterns.iter().find_map(|pattern| pattern_error(pattern))
        }
        (name, ConfigValue::Short(count)) if is_topic_group_key(name) => {
            (*count != -1 && *count < 1).then(|| REPLICAS_RULE.to_owned())
        }
        (name, ConfigValue::Int(count)) if is_topic_group_key(name) => {
            (*count != -1 && *count < 1).then(|| PARTITIONS_RULE.to_owned())
        }
        _ => None,
    }?;
    Some(ConfigError::invalid(&key.name, value.map(ToString::to_string).unwrap_or_default(), reason).to_string())
}

const REPLICAS_RULE: &str = "Replication factor must be positive and not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default";
const PARTITIONS_RULE: &str = "Number of partitions must be positive, or -1 to use the broker's default";

fn is_topic_group_key(name: &str) -> bool {
    name.starts_with(TOPIC_CREATION_PREFIX) && name != TOPIC_CREATION_GROUPS
}

fn has_duplicates(aliases: &[String]) -> bool {
    aliases
        .iter()
        .enumerate()
        .any(|(at, alias)| aliases.iter().take(at).any(|seen| seen == alias))
}

fn pattern_error(pattern: &str) -> Option<String> {
    let error = pattern::whole(pattern).err()?;
    Some(format!("Syntax error in regular expression: {error}"))
}

fn sink_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let topics = split_list(config.get(TOPICS).unwrap_or(""));
    let pattern = config
        .get(TOPICS_REGEX)
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty());
    let problem = |key: &str, message: &str| ConfigProblem {
        key: key.to_owned(),
        message: message.to_owned(),
    };
    let on_both = |message: &str| vec![problem(TOPICS, message), problem(TOPICS_REGEX, message)];
    let mut problems = match (!topics.is_empty(), pattern.is_some()) {
        (true, true) => on_both("topics and topics.regex are mutually exclusive options, but both are set."),
        (false, false) => on_both("Must configure one of topics or topics.regex"),
        (true, false) | (false, true) => Vec::new(),
    };
    let dead_letters = config.get(DLQ_TOPIC).map_or("", str::trim);
    if dead_letters.is_empty() {
        return problems;
    }
    if topics.iter().any(|topic| topic == dead_letters) {
        let list = topics.join(", ");
        problems.push(problem(TOPICS, &format!(
            "The DLQ topic '{dead_letters}' may not be included in the list of topics ('{TOPICS}=[{list}]') consumed by the connector"
        )));
    }
    if let Some(pattern) = pattern
        && pattern::whole(pattern).is_ok_and(|compiled| compiled.is_match(dead_letters))
    {
        problems.push(problem(TOPICS_REGEX, &format!(
            "The DLQ topic '{dead_letters}' may not be matched by the regex for the topics ('{TOPICS_REGEX}={pattern}') consumed by the connector"
        )));
    }
    problems
}

/// Returns the options every connector has (connect.md C.1).
pub fn common_def() -> ConfigDef {
    let mut def = ConfigDef::new();
    for key in common_keys() {
        def = def.key(key);
    }
    def
}

/// Returns the options of a source connector (C.1, C.2).
pub fn source_def() -> ConfigDef {
    let mut def = common_def();
    for key in source_keys() {
        def = def.key(key);
    }
    def
}

/// Returns the options of a sink connector (C.1, C.3).
pub fn sink_def() -> ConfigDef {
    let mut def = common_def();
    for key in sink_keys() {
        def = def.key(key);
    }
    def
}

/// Returns the options of one kind of connector with those that its own values bring in:
/// the keys of each topic creation group, and Weir's own once one of them is set.
pub fn enriched_def(kind: ConnectorKind, config: &ConfigMap) -> ConfigDef {
    with_own_keys(enriched_by_kind(kind, config), config)
}

/// Returns the options that a validation shows: as [`enriched_def`], but topic creation groups are judged by the task only.
pub fn validated_def(kind: ConnectorKind, config: &ConfigMap) -> ConfigDef {
    let def = match kind {
        ConnectorKind::Sink => sink_def(),
        ConnectorKind::Source => source_def(),
    };
    with_own_keys(def, config)
}

fn with_own_keys(def: ConfigDef, config: &ConfigMap) -> ConfigDef {
    if !config.keys().any(|key| key.starts_with(RESTART_PREFIX)) {
        return def;
    }
    let keys = restart_keys(RestartSettings::default());
    keys.into_iter().fold(def, ConfigDef::key)
}

fn enriched_by_kind(kind: ConnectorKind, config: &ConfigMap) -> ConfigDef {
    match kind {
        ConnectorKind::Sink => sink_def(),
        ConnectorKind::Source => {
            let mut def = source_def();
            if uses_topic_creation(config) {
                def = add_topic_group(def, "default", None);
                let fallback = (
                    config
                        .get("topic.creation.default.replication.factor")
                        .unwrap_or("-1")
                        .to_owned(),
                    config
                        .get("topic.creation.default.partitions")
                        .unwrap_or("-1")
                        .to_owned(),
                );
                for group in topic_creation_groups(config) {
                    def = add_topic_group(def, &group, Some(&fallback));
                }
            }
            def
        }
    }
}

/// Is true when the connector asks the worker to create its topics.
pub fn uses_topic_creation(config: &ConfigMap) -> bool {
    config.keys().any(|key| key.starts_with(TOPIC_CREATION_PREFIX))
}

/// Returns the named topic creation groups in order, without `default`.
pub fn topic_creation_groups(config: &ConfigMap) -> Vec<String> {
    split_list(config.get(TOPIC_CREATION_GROUPS).unwrap_or(""))
        .into_iter()
        .filter(|group| group != "default")
        .collect()
}

/// Splits a comma separated list as Kafka does; blanks are left out.
pub fn split_list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

mod keys;

#[cfg(test)]
mod tests;
