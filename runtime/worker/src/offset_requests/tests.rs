//! Tables of what users may send, and of what they are told.

use serde_json::{Value, json};
use weir_client::error::{ClientError, KafkaError};
use weir_client::topic_partition::TopicPartition;
use weir_stores::offsets::connector_offset::ConnectorOffset;

use super::{OffsetsChange, group_failure, sink_offsets, source_offsets};

fn given(entries: Value) -> Vec<ConnectorOffset> {
    let entries = entries.as_array().cloned().unwrap_or_default();
    let part = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_object).cloned();
    entries
        .iter()
        .map(|entry| ConnectorOffset {
            partition: part(entry, "partition"),
            offset: part(entry, "offset"),
        })
        .collect()
}

fn refusal(entry: Value) -> String {
    sink_offsets(&given(json!([entry])))
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn sink_offsets_take_numbers_and_texts_of_numbers() {
    let read = sink_offsets(&given(json!([
        {"partition": {"kafka_topic": "t", "kafka_partition": "0"}, "offset": {"kafka_offset": 5}},
        {"partition": {"kafka_topic": "t", "kafka_partition": 1}, "offset": {"kafka_offset": "6"}},
        {"partition": {"kafka_topic": 3, "kafka_partition": 1}, "offset": null},
        {"partition": {"kafka_topic": "t", "kafka_partition": 0}, "offset": {"kafka_offset": 7}},
    ])))
    .expect("valid");
    let expected = [
        (TopicPartition::new("3", 1), None),
        (TopicPartition::new("t", 0), Some(7)),
        (TopicPartition::new("t", 1), Some(6)),
    ];
    assert_eq!(read.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn what_makes_no_sense_for_a_sink_is_named_in_connects_words() {
    let at = json!({"kafka_topic": "t", "kafka_partition": 0});
    for (entry, expected) in [
        (
            json!({"offset": {"kafka_offset": 1}}),
            "The partition for a sink connector offset cannot be null or missing",
        ),
        (
            json!({"partition": {"kafka_topic": "t"}}),
            "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'",
        ),
        (
            json!({"partition": {"kafka_topic": null, "kafka_partition": 1}}),
            "Kafka topic names must be valid strings and may not be null",
        ),
        (
            json!({"partition": {"kafka_topic": "t", "kafka_partition": null}}),
            "Kafka partitions must be valid numbers and may not be null",
        ),
        (
            json!({"partition": {"kafka_topic": "t", "kafka_partition": "x"}}),
            "Failed to parse the following Kafka partition value in the provided offsets: 'x'. Partition values for sink connectors need to be integers.",
        ),
        (
            json!({"partition": at, "offset": {"x": 1}}),
            "The offset for a sink connector should either be null or contain the key 'kafka_offset'",
        ),
        (
            json!({"partition": at, "offset": {"kafka_offset": 5.5}}),
            "Failed to parse the following Kafka offset value in the provided offsets: '5.5'. Offset values for sink connectors need to be integers.",
        ),
        (
            json!({"partition": at, "offset": {"kafka_offset": null}}),
            "Failed to parse the following Kafka offset value in the provided offsets: 'null'. Offset values for sink connectors need to be integers.",
        ),
    ] {
        assert_eq!(refusal(entry), expected);
    }
}

#[test]
fn a_source_partition_given_twice_takes_the_last_offset() {
    let read = source_offsets(&given(json!([
        {"partition": {"f": "/x"}, "offset": {"p": 1}},
        {"partition": {"f": "/x"}, "offset": {"p": 2}},
        {"partition": {"f": "/y"}, "offset": null},
        {"offset": {"p": 3}},
    ])));
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (r#"{"f":"/x"}"#.to_owned(), some(r#"{"p":2}"#)),
        (r#"{"f":"/y"}"#.to_owned(), None),
        ("null".to_owned(), some(r#"{"p":3}"#)),
    ];
    assert_eq!(read, expected);
}

#[test]
fn a_group_with_members_is_told_apart_from_other_failures() {
    let alter = OffsetsChange::Alter(Vec::new());
    let text = |change: &OffsetsChange, error: KafkaError| {
        group_failure("c", change, &ClientError::kafka("offsets", error)).to_string()
    };
    for error in [KafkaError::UNKNOWN_MEMBER_ID, KafkaError::GROUP_SUBSCRIBED_TO_TOPIC] {
        assert!(text(&alter, error).starts_with(
            "Failed to alter consumer group offsets for connector c either because its tasks haven't stopped completely yet"
        ));
    }
    assert!(
        text(&OffsetsChange::Reset, KafkaError::NON_EMPTY_GROUP)
            .starts_with("Failed to reset consumer group offsets for connector c either because its tasks")
    );
    assert_eq!(
        text(&alter, KafkaError::UNKNOWN_TOPIC_OR_PARTITION),
        "Failed to alter consumer group offsets for connector c"
    );
    assert_eq!(
        text(&OffsetsChange::Reset, KafkaError::CLUSTER_AUTHORIZATION_FAILED),
        "Failed to reset consumer group offsets for sink connector c"
    );
}

#[test]
fn a_user_is_told_where_a_connector_did_not_vouch() {
    assert_eq!(
        OffsetsChange::Reset.success(true),
        "The offsets for this connector have been reset successfully"
    );
    assert!(OffsetsChange::Alter(Vec::new()).success(false).starts_with(
        "The Connect framework-managed offsets for this connector have been altered successfully. However,"
    ));
}
