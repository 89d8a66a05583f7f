use weir_config::map::ConfigMap;
use weir_config::validate::Hooks;

use super::{
    ConnectorConfig, ConnectorKind, DeadLetterSettings, ErrorLog, SinkTopics, Tolerance, config_problems,
    custom_problem, dead_letter_settings, enriched_def, sink_def, sink_topics, source_def,
};

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    [("name", "c"), ("connector.class", "X")]
        .into_iter()
        .chain(pairs.iter().copied())
        .collect()
}

fn problems(kind: ConnectorKind, pairs: &[(&str, &str)]) -> Vec<String> {
    config_problems(kind, &config(pairs))
        .into_iter()
        .map(|problem| format!("{}: {}", problem.key, problem.message))
        .collect()
}

/// Name, order and group as Kafka 4.3.1 lists them.
const COMMON: &[(&str, i32, &str)] = &[
    ("name", 1, "Common"),
    ("connector.class", 2, "Common"),
    ("connector.plugin.version", 3, "Common"),
    ("tasks.max", 4, "Common"),
    ("tasks.max.enforce", 5, "Common"),
    ("key.converter", 6, "Common"),
    ("key.converter.plugin.version", 7, "Common"),
    ("value.converter", 8, "Common"),
    ("value.converter.plugin.version", 9, "Common"),
    ("header.converter", 10, "Common"),
    ("header.converter.plugin.version", 11, "Common"),
    ("transforms", 12, "Transforms"),
    ("predicates", 13, "Predicates"),
    ("config.action.reload", 14, "Common"),
    ("errors.retry.timeout", 1, "Error Handling"),
    ("errors.retry.delay.max.ms", 2, "Error Handling"),
    ("errors.tolerance", 3, "Error Handling"),
    ("errors.log.enable", 4, "Error Handling"),
    ("errors.log.include.messages", 5, "Error Handling"),
];
const SINK: &[(&str, i32, &str)] = &[
    ("topics", 4, "Common"),
    ("topics.regex", 4, "Common"),
    ("errors.deadletterqueue.topic.name", 6, "Error Handling"),
    ("errors.deadletterqueue.topic.replication.factor", 7, "Error Handling"),
    ("errors.deadletterqueue.context.headers.enable", 8, "Error Handling"),
];
const SOURCE: &[(&str, i32, &str)] = &[
    ("topic.creation.groups", 1, "Topic Creation"),
    ("exactly.once.support", 2, "Exactly Once Support"),
    ("transaction.boundary", 3, "Exactly Once Support"),
    ("transaction.boundary.interval.ms", 4, "Exactly Once Support"),
    ("offsets.storage.topic", 1, "offsets.topic"),
];

#[test]
fn keys_come_in_kafkas_order_with_kafkas_groups() {
    for (def, own) in [(sink_def(), SINK), (source_def(), SOURCE)] {
        let listed: Vec<(&str, i32, &str)> = def
            .keys()
            .iter()
            .map(|key| (key.name.as_str(), key.order, key.group.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(listed, [COMMON, own].concat());
    }
}

#[test]
fn settings_have_kafkas_defaults() {
    let parsed = ConnectorConfig::parse(&config(&[])).unwrap();
    assert_eq!(
        (parsed.tasks_max, parsed.tasks_max_enforce, parsed.reload_on_change),
        (1, true, true)
    );
    assert_eq!(
        (parsed.errors.retry_timeout_ms, parsed.errors.retry_delay_max_ms),
        (0, 60_000)
    );
    assert_eq!(
        (parsed.errors.tolerance, parsed.errors.log),
        (Tolerance::None, ErrorLog::Off)
    );
    let error = ConnectorConfig::parse(&config(&[("tasks.max", "0")]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "Invalid value 0 for configuration tasks.max: Value must be at least 1"
    );
}

#[test]
fn a_sink_reads_either_a_list_or_a_pattern() {
    let topics = |pairs: &[(&str, &str)]| sink_topics(&config(pairs)).map_err(|error| error.to_string());
    assert_eq!(
        topics(&[("topics", "a, b,,a")]),
        Ok(SinkTopics::List(vec!["a".to_owned(), "b".to_owned()]))
    );
    assert_eq!(
        topics(&[("topics.regex", "a.*")]),
        Ok(SinkTopics::Pattern("a.*".to_owned()))
    );
    let both = problems(ConnectorKind::Sink, &[("topics", "a"), ("topics.regex", "b")]);
    assert_eq!(both.len(), 2);
    assert_eq!(
        both[0],
        "topics: topics and topics.regex are mutually exclusive options, but both are set."
    );
    assert_eq!(
        problems(ConnectorKind::Sink, &[])[1],
        "topics.regex: Must configure one of topics or topics.regex"
    );
    assert!(problems(ConnectorKind::Source, &[]).is_empty());
}

#[test]
fn a_dead_letter_queue_may_not_be_read_by_its_own_sink() {
    let dlq = ("errors.deadletterqueue.topic.name", "d");
    assert!(problems(ConnectorKind::Sink, &[("topics", "x"), dlq]).is_empty());
    assert_eq!(
        problems(ConnectorKind::Sink, &[("topics", "x,d"), dlq]),
        [
            "topics: The DLQ topic 'd' may not be included in the list of topics ('topics=[x, d]') consumed by the connector"
        ]
    );
    assert_eq!(
        problems(ConnectorKind::Sink, &[("topics.regex", "[a-e]"), dlq]),
        [
            "topics.regex: The DLQ topic 'd' may not be matched by the regex for the topics ('topics.regex=[a-e]') consumed by the connector"
        ]
    );
}

#[test]
fn dead_letter_settings_have_kafkas_defaults() {
    let config = |pairs: &[(&str, &str)]| {
        let base = [("name", "c"), ("connector.class", "X"), ("topics", "x")];
        base.iter().chain(pairs).copied().collect::<ConfigMap>()
    };
    assert_eq!(dead_letter_settings(&config(&[])).unwrap(), None);
    let set = config(&[("errors.deadletterqueue.topic.name", "d")]);
    assert_eq!(
        dead_letter_settings(&set).unwrap(),
        Some(DeadLetterSettings {
            topic: "d".to_owned(),
            replication_factor: 3,
            context_headers: false,
        })
    );
}

#[test]
fn topic_creation_brings_in_the_keys_of_its_groups() {
    let created = config(&[
        ("topic.creation.groups", "g,default"),
        ("topic.creation.default.partitions", "3"),
        ("topic.creation.default.replication.factor", "-1"),
    ]);
    let def = enriched_def(ConnectorKind::Source, &created);
    let parsed = def.parse(&created).unwrap();
    assert_eq!(
        parsed.get_int("topic.creation.g.partitions").unwrap(),
        3,
        "the default group's"
    );
    assert!(
        enriched_def(ConnectorKind::Source, &config(&[]))
            .get("topic.creation.default.partitions")
            .is_none()
    );
}

#[test]
fn custom_checks_speak_as_kafka_does() {
    let check = |pairs: &[(&str, &str)], key: &str| {
        let hooks = Hooks {
            class_exists: &|_| true,
            custom: &custom_problem,
        };
        let source = pairs.iter().any(|(name, _)| name.starts_with("topic.creation"));
        let kind = if source {
            ConnectorKind::Source
        } else {
            ConnectorKind::Sink
        };
        let infos = enriched_def(kind, &config(pairs)).validate_with(&config(pairs), &hooks);
        infos.into_iter().find(|info| info.name == key).unwrap().errors
    };
    assert_eq!(
        check(&[("transforms", "a,a")], "transforms"),
        ["Invalid value [a, a] for configuration transforms: Duplicate alias provided."]
    );
    assert_eq!(check(&[("topics.regex", "(")], "topics.regex").len(), 1);
    assert_eq!(check(&[("topics.regex", "a.*")], "topics.regex").len(), 0);
    let partitions = check(
        &[("topic.creation.default.partitions", "0")],
        "topic.creation.default.partitions",
    );
    assert_eq!(partitions.len(), 1);
    assert!(
        partitions[0].contains("Number of partitions must be positive"),
        "{partitions:?}"
    );
}
