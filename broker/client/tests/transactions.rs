//! Transactions against librdkafka's mock cluster
//!
//! The mock does not fence: a second claimant gets a producer id of its own. Fencing, and what readers see of transactions, are
//! tested against Apache Kafka in `tests/tests/exactly_once.rs`.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use weir_client::client_config::{Translated, translate_producer};
use weir_client::compacted_log::KeyValue;
use weir_client::error::{ClientError, TransactionFailure};
use weir_client::fenced_writer::FencedWriter;
use weir_client::producer::{OutRecord, Producer};
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
