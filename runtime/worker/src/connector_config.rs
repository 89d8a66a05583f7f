//! Connector options that the framework owns, and typed settings made from them.
//!
//! `source_def` and `sink_def` are what a validation answer shows besides the plugin's own keys;
//! `config_problems` are the checks over several keys. Client overrides are checked in `clients.rs`.
//! Source: `ConnectorConfig`, `SourceConnectorConfig`, `SinkConnectorConfig` of Kafka 4.3.

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator, Width};
use weir_config::error::ConfigError;
use weir_config::map::ConfigMap;
use weir_config::parse::ConfigValue;

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

const COMMON_GROUP: &str = "Common";
const ERROR_GROUP: &str = "Error Handling";
const TOPIC_CREATION_GROUP: &str = "Topic Creation";
const EXACTLY_ONCE_GROUP: &str = "Exactly Once Support";

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

fn row(name: &str, kind: ConfigType, importance: Importance, group: &str, order: i32, width: Width) -> ConfigKey {
    ConfigKey::new(name, kind)
        .importance(importance)
        .group(group, order)
        .width(width)
}

#[rustfmt::skip]
fn common_keys() -> Vec<ConfigKey> {
    use ConfigType::{Boolean, Class, Int, List, Long, Text};
    use Importance::{High, Low, Medium};
    let version = |name: &str, order, importance, width, display: &str, doc: &str| {
        row(name, Text, importance, COMMON_GROUP, order, width).default_null().display_name(display).doc(doc).recommended()
    };
    let converter = |name: &str, order, display: &str, doc: &str| {
        row(name, Class, Low, COMMON_GROUP, order, Width::Short).default_null().display_name(display).doc(doc).recommended()
    };
    vec![
        row(NAME, Text, High, COMMON_GROUP, 1, Width::Medium)
            .validator(Validator::NoControlCharacters)
            .display_name("Connector name")
            .doc("Name of this connector, unique in the cluster."),
        row(CONNECTOR_CLASS, Text, High, COMMON_GROUP, 2, Width::Long)
            .display_name("Connector class")
            .doc("Class of this connector: its full name, its simple name, or that without the ending \"Connector\"."),
        version(CONNECTOR_PLUGIN_VERSION, 3, Medium, Width::Medium, "Connector version", "Version or version range of the connector; the newest if unset."),
        row(TASKS_MAX, Int, High, COMMON_GROUP, 4, Width::Short)
            .default("1")
            .validator(Validator::at_least(1))
            .display_name("Tasks max")
            .doc("Most tasks the work of this connector is split into."),
        row(TASKS_MAX_ENFORCE, Boolean, Low, COMMON_GROUP, 5, Width::Short)
            .default("true")
            .display_name("Enforce tasks max")
            .doc("Whether a connector that makes more tasks than tasks.max fails (deprecated)."),
        converter(KEY_CONVERTER, 6, "Key converter class", "Converter between record keys and the bytes in Kafka; the worker's if unset."),
        version("key.converter.plugin.version", 7, Low, Width::Short, "Key converter version", "Version or version range of the key converter."),
        converter(VALUE_CONVERTER, 8, "Value converter class", "Converter between record values and the bytes in Kafka; the worker's if unset."),
        version("value.converter.plugin.version", 9, Low, Width::Short, "Value converter version", "Version or version range of the value converter."),
        converter(HEADER_CONVERTER, 10, "Header converter class", "Converter between header values and the bytes in Kafka; the worker's if unset."),
        version("header.converter.plugin.version", 11, Low, Width::Short, "Header converter version", "Version or version range of the header converter."),
        row(TRANSFORMS, List, Low, "Transforms", 12, Width::Long)
            .default("")
            .validator(Validator::NonNull)
            .validator(Validator::Custom("unique transformation aliases".to_owned()))
            .display_name("Transforms")
            .doc("Names of the transformations applied to records, in order."),
        row(PREDICATES, List, Low, "Predicates", 13, Width::Long)
            .default("")
            .validator(Validator::NonNull)
            .validator(Validator::Custom("unique predicate aliases".to_owned()))
            .display_name("Predicates")
            .doc("Names of the predicates that transformations refer to."),
        row(CONFIG_ACTION_RELOAD, Text, Low, COMMON_GROUP, 14, Width::Medium)
            .default("restart")
            .validator(Validator::one_of(&["none", "restart"]))
            .display_name("Reload Action")
            .doc("What happens when a value from a config provider changes: none, or restart of the connector."),
        row(ERRORS_RETRY_TIMEOUT, Long, Medium, ERROR_GROUP, 1, Width::Medium)
            .default("0")
            .display_name("Retry Timeout for Errors")
            .doc("How long a failed operation is tried again, in milliseconds: 0 never, -1 for ever."),
        row(ERRORS_RETRY_DELAY_MAX, Long, Medium, ERROR_GROUP, 2, Width::Medium)
            .default("60000")
            .display_name("Maximum Delay Between Retries for Errors")
            .doc("Longest wait between two tries, in milliseconds; beyond it waits are random below it."),
        row(ERRORS_TOLERANCE, Text, Medium, ERROR_GROUP, 3, Width::Short)
            .default("none")
            .validator(Validator::one_of(&["none", "all"]))
            .display_name("Error Tolerance")
            .doc("Whether a record that cannot be handled fails the task (none) or is left out (all)."),
        row(ERRORS_LOG_ENABLE, Boolean, Medium, ERROR_GROUP, 4, Width::Short)
            .default("false")
            .display_name("Log Errors")
            .doc("Whether every error is logged, tolerated ones as well."),
        row(ERRORS_LOG_MESSAGES, Boolean, Medium, ERROR_GROUP, 5, Width::Short)
            .default("false")
            .display_name("Log Error Details")
            .doc("Whether a logged error tells the record's coordinates."),
    ]
}

#[rustfmt::skip]
fn source_keys() -> Vec<ConfigKey> {
    use ConfigType::{List, Long, Text};
    use Importance::{Low, Medium};
    vec![
        row(TOPIC_CREATION_GROUPS, List, Low, TOPIC_CREATION_GROUP, 1, Width::Long)
            .default("")
            .validator(Validator::NonNull)
            .validator(Validator::Custom("unique topic creation groups".to_owned()))
            .display_name("Topic Creation Groups")
            .doc("Names of groups of settings for topics that the worker creates for this connector."),
        row(EXACTLY_ONCE_SUPPORT, Text, Medium, EXACTLY_ONCE_GROUP, 2, Width::Short)
            .default("requested")
            .validator(Validator::one_of_ignore_case(&["REQUIRED", "REQUESTED"]))
            .display_name("Exactly once support")
            .doc("Whether the connector may run without exactly-once delivery (requested) or must not (required)."),
        row(TRANSACTION_BOUNDARY, Text, Medium, EXACTLY_ONCE_GROUP, 3, Width::Short)
            .default("poll")
            .validator(Validator::one_of_ignore_case(&["INTERVAL", "POLL", "CONNECTOR"]))
            .display_name("Transaction Boundary")
            .doc("Where transactions end: at each poll, at an interval, or where the connector says."),
        row(TRANSACTION_BOUNDARY_INTERVAL, Long, Low, EXACTLY_ONCE_GROUP, 4, Width::Short)
            .default_null()
            // Not `at_least`: null is its default and must pass.
            .validator(Validator::Custom("[0,...]".to_owned()))
            .display_name("Transaction boundary interval")
            .doc("Time between transactions under the interval boundary; offset.flush.interval.ms if unset."),
        row(OFFSETS_STORAGE_TOPIC, Text, Low, "offsets.topic", 1, Width::Long)
            .default_null()
            .validator(Validator::NonEmptyText)
            .display_name("Offsets topic")
            .doc("Topic for the offsets of this connector alone; the worker's if unset."),
    ]
}

#[rustfmt::skip]
fn sink_keys() -> Vec<ConfigKey> {
    use ConfigType::{Boolean, List, Short, Text};
    use Importance::{High, Medium};
    vec![
        row(TOPICS, List, High, COMMON_GROUP, 4, Width::Long)
            .default("")
            .validator(Validator::Custom("any non-duplicate values, empty or not".to_owned()))
            .display_name("Topics")
            .doc("Topics to read, comma separated."),
        row(TOPICS_REGEX, Text, High, COMMON_GROUP, 4, Width::Long)
            .default("")
            .validator(Validator::Custom("valid regex".to_owned()))
            .display_name("Topics regex")
            .doc("Regular expression of the topics to read; only one of topics and topics.regex may be set."),
        row(DLQ_TOPIC, Text, Medium, ERROR_GROUP, 6, Width::Medium)
            .default("")
            .display_name("Dead Letter Queue Topic Name")
            .doc("Topic for records that cannot be handled; none if empty."),
        row(DLQ_REPLICATION_FACTOR, Short, Medium, ERROR_GROUP, 7, Width::Medium)
            .default("3")
            .display_name("Dead Letter Queue Topic Replication Factor")
            .doc("Replicas of the dead letter queue when it is created."),
        row(DLQ_HEADERS, Boolean, Medium, ERROR_GROUP, 8, Width::Medium)
            .default("false")
            .display_name("Enable Error Context Headers")
            .doc("Whether records in the dead letter queue carry headers that tell the error."),
    ]
}

#[rustfmt::skip]
fn add_topic_group(def: ConfigDef, group: &str, fallback: Option<&(String, String)>) -> ConfigDef {
    let title = format!("Topic Creation: {group}");
    let name = |suffix: &str| format!("{TOPIC_CREATION_PREFIX}{group}.{suffix}");
    let key = |suffix: &str, kind, order, display: String, doc: &str| {
        row(&name(suffix), kind, Importance::Low, &title, order, Width::Long).display_name(&display).doc(doc)
    };
    let include = key("include", ConfigType::List, 1, format!("Inclusion Topic Pattern for {group}"), "Regular expressions of the topics this group covers.");
    let exclude = key("exclude", ConfigType::List, 2, format!("Exclusion Topic Pattern for {group}"), "Regular expressions of topics this group does not cover, whatever includes them.").default("");
    let replicas = key("replication.factor", ConfigType::Short, 3, format!("Replication Factor for Topics in {group}"), "Replicas of a created topic; -1 for the broker's default.")
        .validator(Validator::Custom("Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default".to_owned()));
    let partitions = key("partitions", ConfigType::Int, 4, format!("Partition Count for Topics in {group}"), "Partitions of a created topic; -1 for the broker's default.")
        .validator(Validator::Custom("Positive number, or -1 to use the broker's default".to_owned()));
    match fallback {
        None => def.key(include.default(".*")).key(exclude).key(replicas).key(partitions),
        Some((factor, count)) => def
            .key(include.default(""))
            .key(exclude)
            .key(replicas.default(factor))
            .key(partitions.default(count)),
    }
}

#[cfg(test)]
mod tests;
