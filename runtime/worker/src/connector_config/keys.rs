//! The options themselves: names, types, defaults and docs of a connector's framework settings.
//!
//! Apache's order, groups and validators, because answers show them; what they mean is read in `connector_config`.

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator, Width};

use crate::connector_config::{
    CONFIG_ACTION_RELOAD, CONNECTOR_CLASS, CONNECTOR_PLUGIN_VERSION, DLQ_HEADERS, DLQ_REPLICATION_FACTOR, DLQ_TOPIC,
    ERRORS_LOG_ENABLE, ERRORS_LOG_MESSAGES, ERRORS_RETRY_DELAY_MAX, ERRORS_RETRY_TIMEOUT, ERRORS_TOLERANCE,
    EXACTLY_ONCE_SUPPORT, HEADER_CONVERTER, KEY_CONVERTER, NAME, OFFSETS_STORAGE_TOPIC, PREDICATES, TASKS_MAX,
    TASKS_MAX_ENFORCE, TOPIC_CREATION_GROUPS, TOPIC_CREATION_PREFIX, TOPICS, TOPICS_REGEX, TRANSACTION_BOUNDARY,
    TRANSACTION_BOUNDARY_INTERVAL, TRANSFORMS, VALUE_CONVERTER,
};

const COMMON_GROUP: &str = "Common";
const ERROR_GROUP: &str = "Error Handling";
const TOPIC_CREATION_GROUP: &str = "Topic Creation";
const EXACTLY_ONCE_GROUP: &str = "Exactly Once Support";

fn row(name: &str, kind: ConfigType, importance: Importance, group: &str, order: i32, width: Width) -> ConfigKey {
    ConfigKey::new(name, kind)
        .importance(importance)
        .group(group, order)
        .width(width)
}

#[rustfmt::skip]
pub(super) fn common_keys() -> Vec<ConfigKey> {
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
pub(super) fn source_keys() -> Vec<ConfigKey> {
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
pub(super) fn sink_keys() -> Vec<ConfigKey> {
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
pub(super) fn add_topic_group(def: ConfigDef, group: &str, fallback: Option<&(String, String)>) -> ConfigDef {
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
