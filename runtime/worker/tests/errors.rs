//! Bad records at each stage, with tolerance none and all: what becomes of the task, the good records and the bad one.
//!
//! Expected headers, classes and messages of dead letters are those that Apache Kafka Connect 4.3.1 wrote for the same input.

use std::time::Duration;

use weir_client::client_config::{translate_consumer, translate_producer};
use weir_client::consumer::{Consumer, Polled};
use weir_client::producer::{OutRecord, Producer};
use weir_client::topic_partition::TopicPartition;
use weir_config::map::ConfigMap;
use weir_config::properties::Properties;
use weir_stores::status::records::State;
use weir_worker::lifecycle::WorkerEvent;
use weir_worker::pipeline::original::Original;

use house::{House, becomes};

mod house;

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const INSERT: &str = "org.apache.kafka.connect.transforms.InsertField$Value";
const HAS_HEADER: &str = "org.apache.kafka.connect.transforms.predicates.HasHeaderKey";
const CONTEXT: &str = "__connect.errors.";

/// One way for a record to be bad.
struct Poison {
    stage: &'static str,
    class: &'static str,
    exception: &'static str,
    /// What the message begins with.
    message: &'static str,
    /// Settings that make it bad.
    settings: &'static [(&'static str, &'static str)],
    key: &'static [u8],
    value: &'static [u8],
    header: &'static [u8],
    /// The line that the good record beside it becomes.
    good: Good,
}

struct Good {
    key: &'static [u8],
    value: &'static [u8],
    line: &'static str,
}

const PLAIN: Good = Good {
    key: b"1",
    value: b"good",
    line: "good\n",
};

const TABLE: &[Poison] = &[
    Poison {
        stage: "KEY_CONVERTER",
        class: JSON,
        exception: "org.apache.kafka.connect.errors.DataException",
        message: "Converting byte[] to Kafka Connect data failed due to serialization error: ",
        settings: &[("key.converter", JSON), ("key.converter.schemas.enable", "false")],
        key: b"not json",
        value: b"v",
        header: b"h",
        good: PLAIN,
    },
    Poison {
        stage: "VALUE_CONVERTER",
        class: JSON,
        exception: "org.apache.kafka.connect.errors.DataException",
        message: "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.",
        settings: &[("value.converter", JSON)],
        key: b"k",
        value: b"\"text\"",
        header: b"h",
        good: Good {
            key: b"k",
            value: br#"{"schema":{"type":"string"},"payload":"plain"}"#,
            line: "plain\n",
        },
    },
    Poison {
        stage: "HEADER_CONVERTER",
        class: JSON,
        exception: "org.apache.kafka.connect.errors.DataException",
        message: "Converting byte[] to Kafka Connect data failed due to serialization error: ",
        settings: &[("header.converter", JSON), ("header.converter.schemas.enable", "false")],
        key: b"k",
        value: b"v",
        header: b"not json",
        good: PLAIN,
    },
    Poison {
        stage: "TRANSFORMATION",
        class: INSERT,
        exception: "org.apache.kafka.connect.errors.DataException",
        message: "Only Struct objects supported for [field insertion], found: java.lang.String",
        settings: &[
            ("transforms", "i"),
            ("transforms.i.type", INSERT),
            ("transforms.i.static.field", "a"),
            ("transforms.i.static.value", "b"),
            ("transforms.i.predicate", "marked"),
            ("predicates", "marked"),
            ("predicates.marked.type", HAS_HEADER),
            ("predicates.marked.name", "n"),
        ],
        key: b"k",
        value: b"text",
        header: b"h",
        good: PLAIN,
    },
];

/// The broker's own clients.
struct Wire {
    properties: Properties,
}

impl Wire {
    fn of(house: &House) -> Self {
        let text = format!(
            "bootstrap.servers={}\ngroup.id=looking\nauto.offset.reset=earliest\n",
            house.address
        );
        Self {
            properties: Properties::parse(&text).unwrap(),
        }
    }

    async fn send(&self, topic: &str, records: &[OutRecord<'_>]) {
        let producer = Producer::new(&translate_producer(&self.properties).unwrap()).unwrap();
        let handle = producer.topic(topic).unwrap();
        let mut acks = Vec::new();
        // The topic is made by the first request for it.
        while producer.send_batch(&handle, records).unwrap() < records.len() {
            producer.acked().await;
        }
        producer.flush(house::PATIENCE, &mut acks).await.unwrap();
        assert!(acks.iter().all(|ack| ack.error.is_none()), "{acks:?}");
        drop(handle);
        producer.close().await;
    }

    /// Reads `count` messages of partition 0.
    async fn read(&self, topic: &str, count: usize) -> Vec<Original> {
        let consumer = Consumer::new(&translate_consumer(&self.properties).unwrap()).unwrap();
        consumer
            .assign(&[(TopicPartition::new(topic, 0), Some(0))])
            .await
            .unwrap();
        let mut found = Vec::new();
        let read = async {
            while found.len() < count {
                if let Polled::Messages(messages) = consumer.next(10, Duration::from_secs(1)).await {
                    found.extend(messages.iter().map(|message| Original::from(&message)));
                }
            }
        };
        tokio::time::timeout(house::PATIENCE, read)
            .await
            .expect("messages come");
        consumer.close().await;
        found
    }
}

fn record<'a>(
    key: &'a [u8],
    value: &'a [u8],
    timestamp: i64,
    headers: &'a [(&'a str, Option<&'a [u8]>)],
) -> OutRecord<'a> {
    OutRecord {
        partition: Some(0),
        key: Some(key),
        value: Some(value),
        timestamp: Some(timestamp),
        headers,
        opaque: 0,
    }
}

async fn send(wire: &Wire, poison: &Poison) {
    let bad: [(&str, Option<&[u8]>); 3] = [("h", Some(poison.header)), ("h", Some(poison.header)), ("n", None)];
    let records = [
        record(poison.key, poison.value, 1_700_000_000_000, &bad),
        record(poison.good.key, poison.good.value, 1_700_000_000_001, &[]),
    ];
    wire.send("in", &records).await;
}

fn sink(house: &House, poison: &Poison, tolerance: &str) -> ConfigMap {
    let mut config = house.sink("snk", "out.txt", "in");
    let common = [
        ("errors.tolerance", tolerance),
        ("errors.deadletterqueue.topic.name", "dlq"),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    for (key, value) in common.iter().chain(poison.settings) {
        config.insert(*key, *value);
    }
    config
}

fn check_letter(poison: &Poison, letter: &Original) {
    let stage = poison.stage;
    assert_eq!(letter.key.as_deref(), Some(poison.key), "{stage}");
    assert_eq!(letter.value.as_deref(), Some(poison.value), "{stage}");
    assert_eq!(letter.timestamp, Some(1_700_000_000_000), "{stage}");
    let (own, context): (Vec<_>, Vec<_>) = letter
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .partition(|(name, _)| !name.starts_with(CONTEXT));
    let header = Some(poison.header);
    assert_eq!(own, [("h", header), ("h", header), ("n", None)], "{stage}");
    let context: Vec<(&str, String)> = context
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
            (name.trim_start_matches(CONTEXT), text)
        })
        .collect();
    let expected = [
        ("topic", "in"),
        ("partition", "0"),
        ("offset", "0"),
        ("connector.name", "snk"),
        ("task.id", "0"),
        ("stage", stage),
        ("class.name", poison.class),
        ("exception.class.name", poison.exception),
    ];
    let (head, tail) = context.split_at(expected.len());
    for ((name, value), (expected_name, expected_value)) in head.iter().zip(expected) {
        assert_eq!((*name, value.as_str()), (expected_name, expected_value), "{stage}");
    }
    let names: Vec<&str> = tail.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["exception.message", "exception.stacktrace"], "{stage}");
    assert!(tail[0].1.starts_with(poison.message), "{stage}: {}", tail[0].1);
    let trace = format!("{}: {}", poison.exception, poison.message);
    assert!(tail[1].1.starts_with(&trace), "{stage}: {}", tail[1].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tolerated_bad_record_goes_to_the_dead_letter_queue_and_the_next_one_on() {
    for poison in TABLE {
        let mut house = House::open("").await;
        let wire = Wire::of(&house);
        send(&wire, poison).await;
        let id = house.start(&sink(&house, poison, "all")).await;
        becomes(&house.path("out.txt"), poison.good.line).await;
        let letters = wire.read("dlq", 1).await;
        check_letter(poison, &letters[0]);
        let figures = house.worker.figures(&id).expect("the task is here");
        let errors = figures.errors;
        assert_eq!(
            (
                errors.failures,
                errors.errors,
                errors.skipped,
                errors.dead_letters,
                errors.dead_letter_failures
            ),
            (1, 1, 1, 1, 0),
            "{}",
            poison.stage
        );
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_that_is_not_tolerated_fails_the_task_after_it_was_reported() {
    for poison in TABLE {
        let mut house = House::open("").await;
        let wire = Wire::of(&house);
        send(&wire, poison).await;
        let config = sink(&house, poison, "none");
        let id = house.begin(&config).await;
        let trace = house.task_is(&id, State::Failed).await.unwrap();
        let lines: Vec<&str> = trace.lines().collect();
        assert_eq!(
            lines[0], "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler",
            "{}",
            poison.stage
        );
        let cause = format!("Caused by: {}: {}", poison.exception, poison.message);
        assert!(lines[1].starts_with(&cause), "{trace}");
        check_letter(poison, &wire.read("dlq", 1).await[0]);
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_leaves_out_or_fails_on_what_it_cannot_transform() {
    for tolerance in ["all", "none"] {
        let mut house = House::open("").await;
        std::fs::write(house.path("in.txt"), "one\ntwo\n").unwrap();
        let mut config = house.source("src", "in.txt", "t");
        for (key, value) in [
            ("errors.tolerance", tolerance),
            ("transforms", "i"),
            ("transforms.i.type", INSERT),
            ("transforms.i.static.field", "a"),
            ("transforms.i.static.value", "b"),
        ] {
            config.insert(key, value);
        }
        let id = house.begin(&config).await;
        if tolerance == "none" {
            let trace = house.task_is(&id, State::Failed).await.unwrap();
            assert!(
                trace.contains("Only Struct objects supported for [field insertion], found: java.lang.String"),
                "{trace}"
            );
        } else {
            house.task_is(&id, State::Running).await;
            house::until(|| {
                house
                    .worker
                    .figures(&id)
                    .is_some_and(|figures| figures.errors.skipped == 2)
            })
            .await;
        }
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transformed_records_flow_and_topics_are_told() {
    let mut house = House::open("").await;
    std::fs::write(house.path("in.txt"), "one\ntwo\n").unwrap();
    let mut source = house.source("src", "in.txt", "t");
    for (key, value) in [
        ("transforms", "hoist,insert"),
        (
            "transforms.hoist.type",
            "org.apache.kafka.connect.transforms.HoistField$Value",
        ),
        ("transforms.hoist.field", "line"),
        ("transforms.insert.type", INSERT),
        ("transforms.insert.topic.field", "topic"),
        ("value.converter", JSON),
        ("value.converter.schemas.enable", "false"),
    ] {
        source.insert(key, value);
    }
    let id = house.start(&source).await;
    let read = Wire::of(&house).read("t", 2).await;
    let values: Vec<String> = read
        .iter()
        .map(|message| String::from_utf8(message.value.clone().unwrap()).unwrap())
        .collect();
    assert_eq!(
        values,
        [r#"{"line":"one","topic":"t"}"#, r#"{"line":"two","topic":"t"}"#]
    );
    let told = house
        .event(|event| matches!(event, WorkerEvent::TopicUsed { .. }))
        .await;
    assert_eq!(
        told,
        WorkerEvent::TopicUsed {
            id,
            topic: "t".to_owned()
        }
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sink_drops_counts_as_consumed() {
    let mut house = House::open("offset.flush.interval.ms=3600000\n").await;
    let wire = Wire::of(&house);
    let marked: [(&str, Option<&[u8]>); 1] = [("drop", Some(b"1"))];
    wire.send(
        "in",
        &[record(b"k", b"kept", 1, &[]), record(b"k", b"dropped", 1, &marked)],
    )
    .await;
    let mut config = house.sink("snk", "out.txt", "in");
    for (key, value) in [
        ("transforms", "f"),
        ("transforms.f.type", "org.apache.kafka.connect.transforms.Filter"),
        ("transforms.f.predicate", "marked"),
        ("predicates", "marked"),
        ("predicates.marked.type", HAS_HEADER),
        ("predicates.marked.name", "drop"),
    ] {
        config.insert(key, value);
    }
    let id = house.start(&config).await;
    becomes(&house.path("out.txt"), "kept\n").await;
    house.worker.stop_tasks(std::slice::from_ref(&id)).await;
    house.task_is(&id, State::Unassigned).await;
    wire.send("in", &[record(b"k", b"later", 1, &[])]).await;
    let tasks = house.worker.connector_task_configs("snk", &config).await.unwrap();
    // Nothing of the first run comes again, the dropped record least of all.
    let mut unfiltered = config.clone();
    unfiltered.remove("transforms");
    house.start_task(&id, &unfiltered, &tasks[0]).await;
    becomes(&house.path("out.txt"), "kept\nlater\n").await;
    house.close().await;
}
