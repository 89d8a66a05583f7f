//! Producer, consumer and compacted log against librdkafka's mock cluster
//!
//! The mock speaks the real protocol over real sockets, so what is tested is what is sent. What it cannot do (topic creation, topic
//! settings) is tested against the bundled broker in `tests/`.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use weir_client::admin::{Admin, Isolation, NewTopic, OffsetSpec};
use weir_client::client_config::{translate_consumer, translate_producer};
use weir_client::compacted_log::{CompactedLog, KeyValue, LogTopic};
use weir_client::consumer::{Consumer, ConsumerEvent, Polled, TimestampType};
use weir_client::error::KafkaError;
use weir_client::producer::{Ack, OutRecord, Producer};
use weir_client::topic_partition::TopicPartition;
use weir_client::wire::WireSettings;
use weir_config::properties::Properties;

const TIMEOUT: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster_with(topic: &str, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, partitions, 1).unwrap();
    cluster
}

fn settings(cluster: &Cluster, more: &str) -> Properties {
    let mut settings = Properties::parse(more).unwrap();
    settings.insert("bootstrap.servers", cluster.bootstrap_servers());
    settings
}

fn producer(cluster: &Cluster, more: &str) -> Producer {
    Producer::new(&translate_producer(&settings(cluster, more)).unwrap()).unwrap()
}

fn consumer(cluster: &Cluster, more: &str) -> Consumer {
    let settings = settings(cluster, &format!("group.id=g\nauto.offset.reset=earliest\n{more}"));
    Consumer::new(&translate_consumer(&settings).unwrap()).unwrap()
}

fn record(opaque: u64, value: Option<&[u8]>) -> OutRecord<'_> {
    OutRecord {
        partition: Some(0),
        key: None,
        value,
        timestamp: None,
        headers: &[],
        opaque,
    }
}

async fn flushed(producer: &Producer) -> Vec<Ack> {
    let mut acks = Vec::new();
    producer.flush(TIMEOUT, &mut acks).await.unwrap();
    acks
}

#[derive(Debug, PartialEq)]
struct Seen {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: Option<i64>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

async fn read(consumer: &Consumer, count: usize) -> Vec<Seen> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let Polled::Messages(batch) = consumer.next(100, TIMEOUT).await else {
            panic!("nothing came after {seen:?}")
        };
        assert_eq!(batch.errors, []);
        for message in batch.iter() {
            assert_eq!((message.topic(), message.partition()), ("t", 0));
            assert_eq!(message.offset(), seen.len() as i64);
            assert_eq!(message.timestamp().1, TimestampType::CreateTime);
            seen.push(Seen {
                key: message.key().map(<[u8]>::to_vec),
                value: message.value().map(<[u8]>::to_vec),
                timestamp: message.timestamp().0,
                headers: message
                    .headers()
                    .map(|(name, value)| (name.into_owned(), value.map(<[u8]>::to_vec)))
                    .collect(),
            });
        }
    }
    seen
}

#[tokio::test]
async fn records_arrive_as_they_were_sent() {
    let cluster = cluster_with("t", 1);
    let producer = producer(&cluster, "");
    let topic = producer.topic("t").unwrap();
    let headers: &[(&str, Option<&[u8]>)] = &[("a", Some(b"1")), ("b", None), ("a", Some(b"")), ("é", Some(b"x"))];
    let records = [
        OutRecord {
            key: Some(b"k"),
            ..record(1, Some(b"v"))
        },
        OutRecord {
            key: Some(b""),
            ..record(2, Some(b""))
        },
        record(3, None),
        OutRecord {
            timestamp: Some(1),
            headers,
            ..record(4, Some(b"with headers"))
        },
        OutRecord {
            timestamp: Some(1_700_000_000_000),
            ..record(u64::MAX, Some(b"v"))
        },
    ];
    assert_eq!(producer.send_batch(&topic, &records).unwrap(), records.len());
    let acks = flushed(&producer).await;
    let expected: Vec<(u64, i64)> = [1, 2, 3, 4, u64::MAX].into_iter().zip(0..).collect();
    assert_eq!(
        acks.iter().map(|ack| (ack.opaque, ack.offset)).collect::<Vec<_>>(),
        expected
    );
    assert!(
        acks.iter().all(|ack| ack.error.is_none() && ack.partition == 0),
        "{acks:?}"
    );

    let consumer = consumer(&cluster, "");
    consumer
        .assign(&[(TopicPartition::new("t", 0), Some(0))])
        .await
        .unwrap();
    let seen = read(&consumer, records.len()).await;
    for (sent, seen) in records.iter().zip(&seen) {
        assert_eq!(
            (sent.key.map(<[u8]>::to_vec), sent.value.map(<[u8]>::to_vec)),
            (seen.key.clone(), seen.value.clone())
        );
        let headers: Vec<_> = sent
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(headers, seen.headers);
        match sent.timestamp {
            Some(timestamp) => assert_eq!(seen.timestamp, Some(timestamp)),
            None => assert!(seen.timestamp.unwrap() > 1_600_000_000_000),
        }
    }
}

#[tokio::test]
async fn batches_larger_than_a_chunk_keep_their_order() {
    let cluster = cluster_with("t", 1);
    let producer = producer(&cluster, "");
    let topic = producer.topic("t").unwrap();
    let values: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    // Every tenth goes the other way, through a timestamp.
    let timestamp = |index: usize| index.is_multiple_of(10).then_some(5);
    let records: Vec<OutRecord<'_>> = values
        .iter()
        .enumerate()
        .map(|(index, value)| OutRecord {
            timestamp: timestamp(index),
            ..record(index as u64, Some(value.as_bytes()))
        })
        .collect();
    assert_eq!(producer.send_batch(&topic, &records).unwrap(), records.len());
    let acks = flushed(&producer).await;
    assert!(
        acks.iter()
            .enumerate()
            .all(|(index, ack)| (ack.opaque, ack.offset, ack.error) == (index as u64, index as i64, None))
    );
    let consumer = consumer(&cluster, "");
    consumer
        .assign(&[(TopicPartition::new("t", 0), Some(0))])
        .await
        .unwrap();
    let seen = read(&consumer, values.len()).await;
    assert!(
        seen.iter()
            .zip(&values)
            .all(|(seen, value)| seen.value.as_deref() == Some(value.as_bytes()))
    );
}

#[tokio::test]
async fn records_that_cannot_be_sent_are_acknowledged_with_their_error() {
    let cluster = cluster_with("t", 1);
    let producer = producer(&cluster, "max.request.size=2000");
    let topic = producer.topic("t").unwrap();
    // One good record first, so that the partition count is known.
    producer.send_batch(&topic, &[record(0, Some(b"v"))]).unwrap();
    assert_eq!(flushed(&producer).await.len(), 1);
    let large = vec![b'x'; 3_000];
    let records = [
        OutRecord {
            timestamp: Some(0),
            ..record(1, Some(b"v"))
        },
        OutRecord {
            timestamp: Some(-5),
            ..record(2, Some(b"v"))
        },
        record(3, Some(&large)),
        OutRecord {
            partition: Some(9),
            ..record(4, Some(b"v"))
        },
        record(5, Some(b"good")),
    ];
    assert_eq!(producer.send_batch(&topic, &records).unwrap(), records.len());
    let mut acks = flushed(&producer).await;
    acks.sort_by_key(|ack| ack.opaque);
    let errors: Vec<Option<i32>> = acks.iter().map(|ack| ack.error.map(|error| error.code)).collect();
    // INVALID_TIMESTAMP, MSG_SIZE_TOO_LARGE, _UNKNOWN_PARTITION.
    assert_eq!(errors, [Some(32), Some(32), Some(10), Some(-190), None]);
    assert_eq!(acks.last().map(|ack| ack.offset), Some(1));
}

#[tokio::test]
async fn a_full_queue_takes_the_beginning_of_a_batch() {
    let cluster = cluster_with("t", 1);
    cluster.broker_down(1).unwrap();
    let producer = producer(&cluster, "buffer.memory=10240\nmax.block.ms=5");
    let topic = producer.topic("t").unwrap();
    let value = vec![b'x'; 1_000];
    let records: Vec<OutRecord<'_>> = (0..100).map(|opaque| record(opaque, Some(&value))).collect();
    let taken = producer.send_batch(&topic, &records).unwrap();
    assert!((5..50).contains(&taken), "{taken}");
    assert_eq!(producer.send_batch(&topic, &records[taken..]).unwrap(), 0);
    let with_headers: Vec<OutRecord<'_>> = records
        .iter()
        .map(|record| OutRecord {
            headers: &[("a", None)],
            ..*record
        })
        .collect();
    assert_eq!(producer.send_batch(&topic, &with_headers).unwrap(), 0);
    cluster.broker_up(1).unwrap();
    let acks = flushed(&producer).await;
    assert_eq!(
        acks.iter().map(|ack| ack.opaque).collect::<Vec<_>>(),
        (0..taken as u64).collect::<Vec<_>>()
    );
    assert!(acks.iter().all(|ack| ack.error.is_none()), "{acks:?}");
}

#[tokio::test]
async fn purged_records_are_acknowledged_with_an_error() {
    let cluster = cluster_with("t", 1);
    cluster.broker_down(1).unwrap();
    let producer = producer(&cluster, "");
    let topic = producer.topic("t").unwrap();
    producer.send_batch(&topic, &[record(7, Some(b"v"))]).unwrap();
    producer.purge();
    let acks = flushed(&producer).await;
    assert_eq!(acks.len(), 1);
    assert!(acks[0].error.is_some() && acks[0].opaque == 7, "{acks:?}");
}

async fn next_events(consumer: &Consumer) -> Vec<ConsumerEvent> {
    match consumer.next(100, TIMEOUT).await {
        Polled::Events(events) => events,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn group_changes_are_values_and_wait_for_the_owner() {
    let cluster = cluster_with("t", 1);
    let producer = producer(&cluster, "");
    let topic = producer.topic("t").unwrap();
    producer
        .send_batch(&topic, &[record(0, Some(b"a")), record(1, Some(b"b"))])
        .unwrap();
    flushed(&producer).await;

    let partition = TopicPartition::new("t", 0);
    let first = consumer(&cluster, "session.timeout.ms=6000");
    first.subscribe(&["t".to_owned()]).await.unwrap();
    assert_eq!(
        next_events(&first).await,
        [ConsumerEvent::Assigned(vec![partition.clone()])]
    );
    assert!(
        first.assignment().await.unwrap().is_empty(),
        "nothing is assigned before the owner says so"
    );
    assert_eq!(
        first
            .committed(std::slice::from_ref(&partition), TIMEOUT)
            .await
            .unwrap(),
        [None]
    );
    first.assign(&[(partition.clone(), None)]).await.unwrap();
    assert_eq!(read(&first, 2).await.len(), 2);
    assert_eq!(
        first.position(std::slice::from_ref(&partition)).await.unwrap(),
        [Some(2)]
    );
    first.commit(&[(partition.clone(), 1)]).await.unwrap();
    assert_eq!(
        first
            .committed(std::slice::from_ref(&partition), TIMEOUT)
            .await
            .unwrap(),
        [Some(1)]
    );
    first.close().await;

    let second = consumer(&cluster, "session.timeout.ms=6000");
    second.subscribe(&["t".to_owned()]).await.unwrap();
    assert_eq!(
        next_events(&second).await,
        [ConsumerEvent::Assigned(vec![partition.clone()])]
    );
    second.assign(&[(partition.clone(), None)]).await.unwrap();
    let Polled::Messages(batch) = second.next(100, TIMEOUT).await else {
        panic!("nothing came")
    };
    assert_eq!(
        batch.iter().map(|message| message.offset()).collect::<Vec<_>>(),
        [1],
        "reading goes on at the committed offset"
    );
    drop(batch);
    second.seek(&[(partition.clone(), 0)], TIMEOUT).await.unwrap();
    let Polled::Messages(batch) = second.next(100, TIMEOUT).await else {
        panic!("nothing came")
    };
    assert_eq!(batch.iter().next().map(|message| message.offset()), Some(0));
    drop(batch);
    second.close().await;
}

fn wire(cluster: &Cluster) -> WireSettings {
    WireSettings::from_properties(&settings(cluster, "client.id=raw\nretry.backoff.ms=10")).unwrap()
}

type Shared = Arc<Mutex<Vec<(i32, Vec<u8>, Option<Vec<u8>>)>>>;

async fn follow(cluster: &Cluster, topic: &str) -> (CompactedLog, Shared) {
    let seen = Shared::default();
    let sink = Arc::clone(&seen);
    let topic = NewTopic {
        name: topic.to_owned(),
        ..NewTopic::default()
    };
    let opened = LogTopic::open(wire(cluster), &topic, Isolation::ReadUncommitted)
        .await
        .unwrap();
    assert_eq!(opened.cleanup_policy, None, "the mock does not tell");
    let handler = move |record: weir_client::compacted_log::LogRecord<'_>| {
        sink.lock().push((
            record.partition,
            record.key.unwrap_or_default().to_vec(),
            record.value.map(<[u8]>::to_vec),
        ));
    };
    (opened.follow(Box::new(handler)).await.unwrap(), seen)
}

fn key_value(key: &str, value: Option<&str>) -> KeyValue {
    KeyValue {
        key: key.as_bytes().to_vec(),
        value: value.map(|value| value.as_bytes().to_vec()),
    }
}

#[tokio::test]
async fn a_log_is_read_to_its_end_then_followed() {
    let cluster = cluster_with("log", 3);
    let (first, first_seen) = follow(&cluster, "log").await;
    assert_eq!(first.positions(), [0, 0, 0]);
    let offsets = first
        .send(
            vec![
                key_value("a", Some("1")),
                key_value("b", Some("2")),
                key_value("a", None),
            ],
            TIMEOUT,
        )
        .await
        .unwrap();
    assert_eq!(offsets.len(), 3);
    assert!(offsets[2] > offsets[0], "one key stays in one partition, in order");
    first.read_to_end(TIMEOUT).await.unwrap();
    let mut keys: Vec<_> = first_seen
        .lock()
        .iter()
        .map(|(_, key, value)| (key.clone(), value.is_some()))
        .collect();
    keys.sort();
    assert_eq!(
        keys,
        [(b"a".to_vec(), false), (b"a".to_vec(), true), (b"b".to_vec(), true)]
    );

    let (second, second_seen) = follow(&cluster, "log").await;
    assert_eq!(second_seen.lock().len(), 3);
    second.send(vec![key_value("c", Some("3"))], TIMEOUT).await.unwrap();
    first.read_to_end(TIMEOUT).await.unwrap();
    assert_eq!(first_seen.lock().len(), 4);
    second.read_to_end(TIMEOUT).await.unwrap();
    assert_eq!(second_seen.lock().len(), 4);
}

#[tokio::test]
async fn large_writes_are_split_and_keep_their_order() {
    let cluster = cluster_with("log", 1);
    let (log, seen) = follow(&cluster, "log").await;
    let value = "x".repeat(200 * 1024);
    let records: Vec<KeyValue> = (0..9)
        .map(|number| key_value(&number.to_string(), Some(&value)))
        .collect();
    assert_eq!(log.send(records, TIMEOUT).await.unwrap(), (0..9).collect::<Vec<i64>>());
    log.read_to_end(TIMEOUT).await.unwrap();
    let keys: Vec<Vec<u8>> = seen.lock().iter().map(|(_, key, _)| key.clone()).collect();
    assert_eq!(
        keys,
        (0..9)
            .map(|number: i32| number.to_string().into_bytes())
            .collect::<Vec<_>>()
    );
    assert_eq!(log.send(Vec::new(), TIMEOUT).await.unwrap(), Vec::<i64>::new());
}

#[tokio::test]
async fn a_log_outlives_a_broker_that_goes_and_comes_back() {
    let cluster = cluster_with("log", 1);
    let (log, seen) = follow(&cluster, "log").await;
    log.send(vec![key_value("a", Some("1"))], TIMEOUT).await.unwrap();
    cluster.broker_down(1).unwrap();
    let refused = log
        .send(vec![key_value("b", Some("2"))], Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(refused.is_retriable(), "{refused}");
    let (_, sent) = tokio::join!(
        async { cluster.broker_up(1).unwrap() },
        log.send(vec![key_value("c", Some("3"))], TIMEOUT),
    );
    sent.unwrap();
    log.read_to_end(TIMEOUT).await.unwrap();
    let keys: Vec<Vec<u8>> = seen.lock().iter().map(|(_, key, _)| key.clone()).collect();
    assert_eq!(
        (keys.first(), keys.last()),
        (Some(&b"a".to_vec()), Some(&b"c".to_vec()))
    );
}

#[tokio::test]
async fn topics_and_offsets_are_told_by_the_cluster() {
    let cluster = cluster_with("t", 2);
    let producer = producer(&cluster, "");
    let topic = producer.topic("t").unwrap();
    producer
        .send_batch(&topic, &[record(0, Some(b"a")), record(1, Some(b"b"))])
        .unwrap();
    flushed(&producer).await;
    let admin = Admin::new(wire(&cluster));
    let found = admin.describe_topics(&["t", "missing"]).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|topic| (topic.name.as_str(), topic.partitions.len()))
            .collect::<Vec<_>>(),
        [("t", 2)]
    );
    assert!(admin.list_topics().await.unwrap().iter().any(|topic| topic.name == "t"));
    let both = [TopicPartition::new("t", 1), TopicPartition::new("t", 0)];
    assert_eq!(
        admin
            .offsets(&both, OffsetSpec::Latest, Isolation::ReadUncommitted)
            .await
            .unwrap(),
        [Some(0), Some(2)]
    );
    assert_eq!(
        admin
            .offsets(&both, OffsetSpec::Earliest, Isolation::ReadUncommitted)
            .await
            .unwrap(),
        [Some(0), Some(0)]
    );
}

#[tokio::test]
async fn an_unreachable_broker_is_named() {
    let settings: Properties = [
        ("bootstrap.servers", "127.0.0.1:1"),
        ("default.api.timeout.ms", "50"),
        ("retry.backoff.ms", "10"),
    ]
    .into_iter()
    .collect();
    let admin = Admin::new(WireSettings::from_properties(&settings).unwrap());
    let error = admin.list_topics().await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    let kerberos: Properties = [("bootstrap.servers", "h:1"), ("security.protocol", "SASL_PLAINTEXT")]
        .into_iter()
        .collect();
    let error = WireSettings::from_properties(&kerberos).unwrap_err().to_string();
    assert!(error.contains("sasl.mechanism") && error.contains("GSSAPI"), "{error}");
}

#[test]
fn error_codes_have_names() {
    for (code, name) in [(3, "UNKNOWN_TOPIC_OR_PART"), (-184, "_QUEUE_FULL"), (12345, "UNKNOWN")] {
        assert_eq!(KafkaError { code }.name(), name);
    }
    assert!(KafkaError { code: 6 }.is_retriable() && !KafkaError { code: 10 }.is_retriable());
}
