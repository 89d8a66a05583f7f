//! `tail` against librdkafka's mock cluster.

use std::io::{self, Write};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use weir_client::client_config::translate_producer;
use weir_client::producer::{OutRecord, Producer};
use weir_config::properties::Properties;
use weir_tools::tail::{TailOptions, tail};

type Cluster = MockCluster<'static, DefaultProducerContext>;

async fn cluster_with(records: &[OutRecord<'_>]) -> Cluster {
    let cluster: Cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    let mut settings = Properties::new();
    settings.insert("bootstrap.servers", cluster.bootstrap_servers());
    let producer = Producer::new(&translate_producer(&settings).unwrap()).unwrap();
    let topic = producer.topic("t").unwrap();
    assert_eq!(producer.send_batch(&topic, records).unwrap(), records.len());
    producer.flush(Duration::from_secs(30), &mut Vec::new()).await.unwrap();
    cluster
}

fn options(cluster: &Cluster) -> TailOptions {
    TailOptions {
        bootstrap_servers: cluster.bootstrap_servers(),
        client: Properties::new(),
        topic: "t".to_owned(),
        json: true,
        from_beginning: true,
        max: None,
        registry: None,
    }
}

fn record<'a>(value: Option<&'a [u8]>, headers: &'a [(&'a str, Option<&'a [u8]>)]) -> OutRecord<'a> {
    OutRecord {
        partition: Some(1),
        key: Some(b"k"),
        value,
        timestamp: Some(1_700_000_000_000),
        headers,
        opaque: 0,
    }
}

#[tokio::test]
async fn records_are_shown_from_the_beginning_up_to_the_number_asked_for() {
    let headers: &[(&str, Option<&[u8]>)] = &[("h", Some(b"1")), ("h", None)];
    let cluster = cluster_with(&[
        record(Some(b"{\"a\":1}"), headers),
        record(None, &[]),
        record(Some(b"left out"), &[]),
    ])
    .await;
    let mut out = Vec::new();
    tail(
        TailOptions {
            max: Some(2),
            ..options(&cluster)
        },
        &mut out,
    )
    .await
    .unwrap();
    let expected = concat!(
        r#"{"topic":"t","partition":1,"offset":0,"timestamp":1700000000000,"key":"k","value":{"a":1},"#,
        r#""headers":[{"name":"h","value":"1"},{"name":"h","value":null}]}"#,
        "\n",
        r#"{"topic":"t","partition":1,"offset":1,"timestamp":1700000000000,"key":"k","value":null,"headers":[]}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[derive(Debug)]
struct ClosedPipe;

impl Write for ClosedPipe {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_it_quietly() {
    let cluster = cluster_with(&[record(Some(b"v"), &[])]).await;
    tail(options(&cluster), &mut ClosedPipe).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_broker_is_an_error_that_names_it() {
    let options = TailOptions {
        bootstrap_servers: "127.0.0.1:1".to_owned(),
        client: Properties::new(),
        topic: "t".to_owned(),
        json: false,
        from_beginning: false,
        max: Some(1),
        registry: None,
    };
    let error = tail(options, &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
