use std::time::Duration;

use weir_config::def::DefaultValue;
use weir_config::properties::Properties;

use super::{WorkerConfig, WorkerMode};
use crate::worker_config::OverridePolicy;
use crate::worker_keys::{distributed_def, standalone_def};

/// What is not commented out in the stock files of Kafka 4.3.
const STOCK_STANDALONE: &str = "\
bootstrap.servers=localhost:9092
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.file.filename=/tmp/connect.offsets
offset.flush.interval.ms=10000
";
const STOCK_DISTRIBUTED: &str = "\
bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
offset.flush.interval.ms=10000
";

fn standalone(extra: &str) -> Result<(WorkerConfig, Vec<String>), String> {
    let properties = Properties::parse(&format!("{STOCK_STANDALONE}{extra}")).unwrap();
    WorkerConfig::parse_standalone(&properties).map_err(|error| error.to_string())
}

fn distributed(extra: &str) -> Result<(WorkerConfig, Vec<String>), String> {
    let properties = Properties::parse(&format!("{STOCK_DISTRIBUTED}{extra}")).unwrap();
    WorkerConfig::parse_distributed(&properties).map_err(|error| error.to_string())
}

#[test]
fn stock_files_are_read_without_a_warning() {
    let (config, warnings) = standalone("").unwrap();
    assert_eq!(warnings, [""; 0]);
    assert!(
        matches!(&config.mode, WorkerMode::Standalone { offset_file } if offset_file.to_str() == Some("/tmp/connect.offsets"))
    );
    assert_eq!(config.timing.offset_flush_interval, Duration::from_secs(10));
    assert_eq!(config.timing.task_stop_timeout, Duration::from_secs(5));
    assert_eq!(config.rest.listeners, ["http://:8083"]);
    assert_eq!(config.override_policy, OverridePolicy::All);
    let (config, warnings) = distributed("").unwrap();
    assert_eq!(warnings, [""; 0]);
    let WorkerMode::Distributed(settings) = &config.mode else {
        panic!("distributed")
    };
    assert_eq!(
        (
            settings.offset_topic.partitions,
            settings.offset_topic.replication_factor
        ),
        (25, 1)
    );
    assert_eq!(settings.config_topic.partitions, 1);
    assert_eq!(config.group_id(), Some("connect-cluster"));
}

#[test]
fn unknown_keys_are_warned_about_with_the_nearest_known_one() {
    let (_, warnings) =
        standalone("ofset.flush.interval.ms=1\nproducer.whatever=1\ntotally.strange=1\nplugin.discovery=only_scan\n")
            .unwrap();
    assert_eq!(
        warnings,
        [
            "unknown property ofset.flush.interval.ms, did you mean offset.flush.interval.ms?",
            "unknown property totally.strange",
            "property plugin.discovery has no effect: plugins are components that describe themselves",
        ]
    );
    let (_, warnings) = standalone("security.protocol=SSL\nsasl.mechanism=PLAIN\n").unwrap();
    assert_eq!(warnings, [""; 0], "standalone passes client keys on");
}

#[test]
fn other_storage_keys_become_topic_settings() {
    let (config, warnings) =
        distributed("offset.storage.max.message.bytes=5\noffset.storage.cleanup.policy=delete\n").unwrap();
    let WorkerMode::Distributed(settings) = &config.mode else {
        panic!("distributed")
    };
    let settings: Vec<_> = settings.offset_topic.settings.iter().collect();
    assert_eq!(settings, [("max.message.bytes", "5")]);
    assert_eq!(
        warnings,
        ["property offset.storage.cleanup.policy has no effect: internal topics are always compacted"]
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for (extra, expected) in [
        ("bootstrap.servers=\n", "bootstrap.servers"),
        (
            "offset.flush.interval.ms=soon\n",
            "Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
        ),
        ("offset.flush.interval.ms=-1\n", "offset.flush.interval.ms"),
        (
            "connector.client.config.override.policy=Some\n",
            "must be one of All, None, Principal, Allowlist",
        ),
        ("rest.advertised.port=99999\n", "rest.advertised.port"),
    ] {
        let error = standalone(extra).unwrap_err();
        assert!(error.contains(expected), "{extra}: {error}");
    }
    let missing = Properties::parse("bootstrap.servers=a:1\n").unwrap();
    let error = WorkerConfig::parse_distributed(&missing).unwrap_err().to_string();
    assert_eq!(
        error,
        "Missing required configuration \"key.converter\" which has no default value."
    );
    assert!(
        distributed("offset.storage.partitions=0\n")
            .unwrap_err()
            .contains("offset.storage.partitions")
    );
}

#[test]
fn tables_hold_every_option_of_kafka_and_a_text_for_each() {
    let (standalone, distributed) = (standalone_def(), distributed_def());
    // Kafka 4.3.1 has 53 and 148; standalone lacks the allowlist, which comes after it.
    assert_eq!(standalone.keys().len(), COMMON_COUNT + 1 + WEIR_COUNT);
    for key in distributed.keys().iter().chain(standalone.keys()) {
        assert!(!key.documentation.is_empty(), "{}", key.name);
        assert!(key.documentation.ends_with('.'), "{}", key.name);
    }
    let required: Vec<&str> = distributed
        .keys()
        .iter()
        .filter(|key| key.default == DefaultValue::Required)
        .map(|key| key.name.as_str())
        .collect();
    assert_eq!(
        required,
        [
            "bootstrap.servers",
            "key.converter",
            "value.converter",
            "group.id",
            "offset.storage.topic",
            "config.storage.topic",
            "status.storage.topic"
        ]
    );
}

/// 23 common, 19 TLS and 10 REST options.
const COMMON_COUNT: usize = 52;
/// Options of its own, after Kafka's.
const WEIR_COUNT: usize = 8;
