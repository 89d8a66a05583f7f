//! A broker on a free port and a client that speaks raw frames.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use weir_protocol::decode::{decode_response, encode_request};
use weir_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use weir_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use weir_protocol::messages::{
    CreateTopicsRequest, FetchRequest, FetchResponse, KafkaRequest, KafkaResponse, ProduceRequest, ProduceResponse,
    RequestResponsePair, StrBytes, create_topics_request::CreatableTopic, create_topics_request::CreatableTopicConfig,
    fetch_response::PartitionData, produce_response::PartitionProduceResponse,
};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_server::broker::Broker;
use weir_server::broker_config::BrokerConfig;
use weir_server::error::ServerError;

/// Longest a test waits for anything that should happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(20);

macro_rules! message {
    ($type:ty { $($field:ident : $value:expr),* $(,)? }) => {{
        let mut message = <$type>::default();
        $( message.$field = $value; )*
        message
    }};
}
pub(crate) use message;

/// A running broker; its data directory outlives a restart.
pub(crate) struct TestBroker {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<Result<(), ServerError>>,
}

impl TestBroker {
    pub(crate) async fn start(directory: &Path) -> Self {
        Self::start_with(BrokerConfig::bundled(directory, "127.0.0.1", 0)).await
    }

    pub(crate) async fn start_with(config: BrokerConfig) -> Self {
        let bound = Broker::bind(config).unwrap();
        let address = bound.addresses()[0];
        let stop = CancellationToken::new();
        let task = tokio::spawn(bound.run(stop.clone()));
        Self { address, stop, task }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Stops cleanly and says how long it took.
    pub(crate) async fn stop(self) -> Duration {
        let begun = std::time::Instant::now();
        self.stop.cancel();
        timeout(SOON, self.task).await.unwrap().unwrap().unwrap();
        begun.elapsed()
    }
}

pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    next_correlation: i32,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = timeout(SOON, TcpStream::connect(address)).await.unwrap().unwrap();
        Self {
            stream,
            next_correlation: 1,
        }
    }

    /// Sends a request and gives its correlation id.
    pub(crate) async fn send<Q: KafkaRequest>(&mut self, request: &Q, version: i16) -> i32 {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        let frame = encode_request(correlation, Some("raw"), request, version).unwrap();
        self.stream.write_all(&frame).await.unwrap();
        correlation
    }

    /// The next frame without its prefix; none when the broker closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let mut prefix = [0; 4];
        match timeout(SOON, self.stream.read_exact(&mut prefix))
            .await
            .expect("no answer in time")
        {
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut payload = vec![0; i32::from_be_bytes(prefix) as usize];
        timeout(SOON, self.stream.read_exact(&mut payload))
            .await
            .unwrap()
            .unwrap();
        Some(Bytes::from(payload))
    }

    pub(crate) async fn receive<R: KafkaResponse>(&mut self, correlation: i32, version: i16) -> R {
        let frame = self.frame().await.expect("the broker closed the connection");
        let (answered, response) = decode_response::<R>(frame, version).unwrap();
        assert_eq!(answered, correlation, "replies out of order");
        response
    }

    pub(crate) async fn call<Q>(&mut self, request: &Q, version: i16) -> Q::Response
    where
        Q: KafkaRequest + RequestResponsePair,
        Q::Response: KafkaResponse,
    {
        let correlation = self.send(request, version).await;
        self.receive(correlation, version).await
    }

    pub(crate) async fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let response = self.call(&create_topic(name, partitions, configs), 7).await;
        assert_eq!(
            response.topics[0].error_code, 0,
            "{:?}",
            response.topics[0].error_message
        );
    }

    pub(crate) async fn produce(&mut self, topic: &str, batch: BytesMut, acks: i16) -> PartitionProduceResponse {
        let response: ProduceResponse = self.call(&produce(topic, 0, batch, acks), 9).await;
        response.responses[0].partition_responses[0].clone()
    }

    pub(crate) async fn fetch(&mut self, topic: &str, offset: i64, max_wait_ms: i32) -> PartitionData {
        let response: FetchResponse = self.call(&fetch(topic, offset, max_wait_ms), 12).await;
        response.responses[0].partitions[0].clone()
    }
}

pub(crate) fn create_topic(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let configs = configs.iter().map(|(key, value)| {
        message!(CreatableTopicConfig {
            name: StrBytes::from(*key),
            value: Some(StrBytes::from(*value)),
        })
    });
    message!(CreateTopicsRequest {
        topics: vec![message!(CreatableTopic {
            name: StrBytes::from(name),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
        })],
        timeout_ms: 5000,
    })
}

pub(crate) fn produce(topic: &str, partition: i32, batch: BytesMut, acks: i16) -> ProduceRequest {
    message!(ProduceRequest {
        acks: acks,
        timeout_ms: 10_000,
        topic_data: vec![message!(TopicProduceData {
            name: StrBytes::from(topic),
            partition_data: vec![message!(PartitionProduceData {
                index: partition,
                records: Some(batch.freeze()),
            })],
        })],
    })
}

pub(crate) fn fetch(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest {
    message!(FetchRequest {
        max_wait_ms: max_wait_ms,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_epoch: -1,
        topics: vec![message!(FetchTopic {
            topic: StrBytes::from(topic),
            partitions: vec![message!(FetchPartition {
                partition: 0,
                current_leader_epoch: -1,
                fetch_offset: offset,
                log_start_offset: -1,
                partition_max_bytes: 1 << 20,
            })],
        })],
    })
}

/// A batch of records with a key and the given values.
pub(crate) fn batch(values: &[&[u8]]) -> BytesMut {
    built(BatchSettings::default(), values)
}

/// A batch of an idempotent producer.
pub(crate) fn idempotent(producer_id: i64, epoch: i16, sequence: i32, values: &[&[u8]]) -> BytesMut {
    let settings = BatchSettings {
        producer_id,
        producer_epoch: epoch,
        base_sequence: sequence,
        ..BatchSettings::default()
    };
    built(settings, values)
}

pub(crate) fn built(settings: BatchSettings, values: &[&[u8]]) -> BytesMut {
    let now_ms = weir_metrics::clock::Clock::System.now_ms();
    let mut builder = BatchBuilder::new(settings);
    for value in values {
        builder.append(now_ms, Some(b"k"), Some(value), &[]);
    }
    BytesMut::from(builder.build().unwrap().as_slice())
}
