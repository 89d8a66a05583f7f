//! Transactions and fencing against librdkafka's mock cluster
//!
//! The mock keeps producer ids and epochs as a coordinator does; what readers see of transactions is tested against Apache Kafka in
//! `tests/`.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use weir_client::client_config::{Translated, translate_producer};
use weir_client::compacted_log::KeyValue;
use weir_client::error::{ClientError, TransactionFailure};
use weir_client::fenced_writer::FencedWriter;
use weir_client::fencing::fence;
use weir_client::producer::{OutRecord, Producer};
use weir_client::wire::WireSettings;
use weir_config::properties::Properties;

const TIMEOUT: Duration = Duration::from_secs(30);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    cluster
}

fn settings(cluster: &Cluster, id: &str) -> Translated {
    let mut settings = Properties::new();
    settings.insert("bootstrap.servers", cluster.bootstrap_servers());
    settings.insert("transactional.id", id);
    // For ever, as Connect asks: librdkafka takes it for transactions only because it is translated.
    settings.insert("delivery.timeout.ms", "2147483647");
    translate_producer(&settings).unwrap()
}

fn wire(cluster: &Cluster) -> WireSettings {
    let mut settings = Properties::new();
    settings.insert("bootstrap.servers", cluster.bootstrap_servers());
    WireSettings::from_properties(&settings).unwrap()
}

fn key_value(key: &str) -> KeyValue {
    KeyValue {
        key: key.as_bytes().to_vec(),
        value: Some(b"v".to_vec()),
    }
}

fn record(opaque: u64) -> OutRecord<'static> {
    OutRecord {
        partition: Some(0),
        key: None,
        value: Some(b"x"),
        timestamp: None,
        headers: &[],
        opaque,
    }
}

#[tokio::test]
async fn a_commit_brings_every_acknowledgement_and_an_abort_drops_what_is_queued() {
    let cluster = cluster();
    let producer = Producer::new(&settings(&cluster, "a")).unwrap();
    producer.init_transactions(TIMEOUT).await.unwrap();
    let topic = producer.topic("t").unwrap();
    producer.begin_transaction().await.unwrap();
    assert_eq!(producer.send_batch(&topic, &[record(1), record(2)]).unwrap(), 2);
    let mut acks = Vec::new();
    producer.commit_transaction(TIMEOUT, &mut acks).await.unwrap();
    let seen: Vec<_> = acks.iter().map(|ack| (ack.opaque, ack.offset, ack.error)).collect();
    assert_eq!(seen, [(1, 0, None), (2, 1, None)]);

    producer.begin_transaction().await.unwrap();
    assert_eq!(producer.send_batch(&topic, &[record(3)]).unwrap(), 1);
    acks.clear();
    producer.abort_transaction(TIMEOUT, &mut acks).await.unwrap();
    assert_eq!(acks.iter().map(|ack| ack.opaque).collect::<Vec<_>>(), [3]);
    assert_eq!(producer.outq_len(), 0);
    drop(topic);
    producer.close().await;
}

#[tokio::test]
async fn calls_out_of_order_are_refused_for_good() {
    let cluster = cluster();
    let producer = Producer::new(&settings(&cluster, "a")).unwrap();
    match producer.begin_transaction().await {
        Err(ClientError::Transaction { failure, .. }) => assert_eq!(failure, TransactionFailure::Fatal),
        other => panic!("{other:?}"),
    }
    producer.close().await;
}

#[tokio::test]
async fn a_later_claimant_fences_the_earlier_one() {
    let cluster = cluster();
    let first = FencedWriter::claim(&settings(&cluster, "leader"), "t", TIMEOUT)
        .await
        .unwrap();
    first.write(&[key_value("a"), key_value("b")], TIMEOUT).await.unwrap();
    let second = FencedWriter::claim(&settings(&cluster, "leader"), "t", TIMEOUT)
        .await
        .unwrap();
    let error = first.write(&[key_value("c")], TIMEOUT).await.unwrap_err();
    assert!(error.is_fenced(), "{error:?}");
    assert!(!error.is_retriable());
    second.write(&[key_value("d")], TIMEOUT).await.unwrap();
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_write_of_which_one_record_is_refused_is_not_done() {
    let cluster = cluster();
    let writer = FencedWriter::claim(&settings(&cluster, "leader"), "t", TIMEOUT)
        .await
        .unwrap();
    let large = KeyValue {
        key: b"b".to_vec(),
        value: Some(vec![b'x'; 2 << 20]),
    };
    let error = writer.write(&[key_value("a"), large], TIMEOUT).await.unwrap_err();
    assert_eq!(error.code().map(|error| error.code), Some(10), "{error:?}");
    writer.close().await;
}

#[tokio::test]
async fn fencing_stops_every_holder_and_nobody_else() {
    let cluster = cluster();
    let mut writers = Vec::new();
    for id in ["g-c-0", "g-c-1", "g-c-2", "other"] {
        writers.push(
            FencedWriter::claim(&settings(&cluster, id), "t", TIMEOUT)
                .await
                .unwrap(),
        );
    }
    let ids: Vec<String> = (0..20).map(|task| format!("g-c-{task}")).collect();
    fence(&wire(&cluster), &ids).await.unwrap();
    let other = writers.pop().unwrap();
    for writer in writers {
        let error = writer.write(&[key_value("a")], TIMEOUT).await.unwrap_err();
        assert!(error.is_fenced(), "{error:?}");
        writer.close().await;
    }
    other.write(&[key_value("a")], TIMEOUT).await.unwrap();
    other.close().await;
    fence(&wire(&cluster), &[]).await.unwrap();
}
