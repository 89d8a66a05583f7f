//! Transactions over the wire: what readers see, who is refused, what a restart keeps.

use std::time::Duration;

use weir_config::properties::Properties;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use weir_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use weir_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use weir_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use weir_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest, ListTransactionsRequest, OffsetFetchRequest,
    ProduceRequest, ProduceResponse, StrBytes, TxnOffsetCommitRequest,
};
use weir_protocol::records::builder::BatchSettings;
use weir_server::broker_config::BrokerConfig;

use super::support::*;

const ID: &str = "t-1";

/// A producer that speaks raw frames.
struct Producer {
    client: Client,
    id: i64,
    epoch: i16,
    sequence: i32,
}

impl Producer {
    async fn start(broker: &TestBroker, timeout_ms: i32) -> Self {
        let mut client = broker.client().await;
        let find = message!(FindCoordinatorRequest {
            key_type: 1,
            coordinator_keys: vec![StrBytes::from(ID)],
        });
        let found = client.call(&find, 4).await;
        assert_eq!(found.coordinators[0].error_code, 0);
        let init = message!(InitProducerIdRequest {
            transactional_id: Some(StrBytes::from(ID)),
            transaction_timeout_ms: timeout_ms,
            producer_id: -1,
            producer_epoch: -1,
        });
        loop {
            let started = client.call(&init, 4).await;
            if started.error_code == ErrorCode::CONCURRENT_TRANSACTIONS.0 {
                // The abort of the one before, as clients wait for it.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
            assert_eq!(started.error_code, 0);
            return Self {
                client,
                id: started.producer_id,
                epoch: started.producer_epoch,
                sequence: 0,
            };
        }
    }

    async fn add(&mut self, topic: &str) -> i16 {
        let request = message!(AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: StrBytes::from(ID),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![message!(AddPartitionsToTxnTopic {
                name: StrBytes::from(topic),
                partitions: vec![0],
            })],
        });
        loop {
            let added = self.client.call(&request, 3).await;
            let code = added.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
            if code != ErrorCode::CONCURRENT_TRANSACTIONS.0 {
                return code;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn send(&mut self, topic: &str, value: &[u8]) -> i16 {
        let code = self.try_send(topic, value, 10).await;
        self.sequence += i32::from(code == 0);
        code
    }

    async fn try_send(&mut self, topic: &str, value: &[u8], version: i16) -> i16 {
        let settings = BatchSettings {
            producer_id: self.id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
            is_transactional: true,
            ..BatchSettings::default()
        };
        let mut request: ProduceRequest = produce(topic, 0, built(settings, &[value]), -1);
        request.transactional_id = Some(StrBytes::from(ID));
        let response: ProduceResponse = self.client.call(&request, version).await;
        response.responses[0].partition_responses[0].error_code
    }

    async fn end(&mut self, committed: bool) -> i16 {
        let request = message!(EndTxnRequest {
            transactional_id: StrBytes::from(ID),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: committed,
        });
        self.client.call(&request, 3).await.error_code
    }

    async fn commit_offset(&mut self, group: &str, offset: i64) -> i16 {
        let add = message!(AddOffsetsToTxnRequest {
            transactional_id: StrBytes::from(ID),
            producer_id: self.id,
            producer_epoch: self.epoch,
            group_id: StrBytes::from(group),
        });
        assert_eq!(self.client.call(&add, 3).await.error_code, 0);
        let commit = self.offset_commit(group, offset);
        let committed = self.client.call(&commit, 3).await;
        committed.topics[0].partitions[0].error_code
    }

    fn offset_commit(&self, group: &str, offset: i64) -> TxnOffsetCommitRequest {
        message!(TxnOffsetCommitRequest {
            transactional_id: StrBytes::from(ID),
            group_id: StrBytes::from(group),
            producer_id: self.id,
            producer_epoch: self.epoch,
            generation_id_or_member_epoch: -1,
            topics: vec![message!(TxnOffsetCommitRequestTopic {
                name: StrBytes::from("t"),
                partitions: vec![message!(TxnOffsetCommitRequestPartition {
                    partition_index: 0,
                    committed_offset: offset,
                    committed_leader_epoch: -1,
                    committed_metadata: Some(StrBytes::default()),
                })],
            })],
        })
    }

    /// Last stable offset, bytes and aborted transactions for a reader of committed records.
    async fn committed(&mut self, topic: &str, offset: i64) -> (i64, usize, Vec<(i64, i64)>) {
        let mut request = fetch(topic, offset, 0);
        request.isolation_level = 1;
        request.min_bytes = 0;
        let response = self.client.call(&request, 12).await;
        let partition = &response.responses[0].partitions[0];
        let aborted = partition.aborted_transactions.as_ref().expect("a list");
        let aborted = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
        let bytes = partition.records.as_ref().map_or(0, |records| records.len());
        (partition.last_stable_offset, bytes, aborted)
    }

    async fn await_stable(&mut self, topic: &str, offset: i64) {
        let begun = std::time::Instant::now();
        while self.committed(topic, 0).await.0 != offset {
            assert!(begun.elapsed() < SOON, "{:?}", self.committed(topic, 0).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn latest(&mut self, isolation_level: i8) -> i64 {
        let request = message!(ListOffsetsRequest {
            replica_id: -1,
            isolation_level: isolation_level,
            topics: vec![message!(ListOffsetsTopic {
                name: StrBytes::from("t"),
                partitions: vec![message!(ListOffsetsPartition {
                    partition_index: 0,
                    current_leader_epoch: -1,
                    timestamp: -1,
                })],
            })],
        });
        self.client.call(&request, 6).await.topics[0].partitions[0].offset
    }

    /// Offset and code of a group's partition.
    async fn offset(&mut self, group: &str, require_stable: bool) -> (i64, i16) {
        let request = message!(OffsetFetchRequest {
            require_stable: require_stable,
            groups: vec![message!(OffsetFetchRequestGroup {
                group_id: StrBytes::from(group),
                topics: Some(vec![message!(OffsetFetchRequestTopics {
                    name: StrBytes::from("t"),
                    partition_indexes: vec![0],
                })]),
            })],
        });
        let response = self.client.call(&request, 8).await;
        let partition = &response.groups[0].topics[0].partitions[0];
        (partition.committed_offset, partition.error_code)
    }

    async fn state(&mut self) -> String {
        let request = message!(DescribeTransactionsRequest {
            transactional_ids: vec![StrBytes::from(ID)]
        });
        let described = self.client.call(&request, 0).await;
        described.transaction_states[0].transaction_state.as_str().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_committed_records_wait_for_the_end_and_learn_of_aborts() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let mut producer = Producer::start(&broker, 60_000).await;
    assert_eq!(producer.add("t").await, 0);
    assert_eq!(producer.send("t", b"one").await, 0);
    assert_eq!(producer.committed("t", 0).await, (0, 0, vec![]));
    assert_eq!((producer.latest(0).await, producer.latest(1).await), (1, 0));
    assert_eq!(producer.state().await, "Ongoing");
    assert_eq!(producer.end(true).await, 0);
    producer.await_stable("t", 2).await;
    let (_, bytes, aborted) = producer.committed("t", 0).await;
    assert!(bytes > 0 && aborted.is_empty());
    assert_eq!(producer.add("t").await, 0);
    assert_eq!(producer.send("t", b"two").await, 0);
    assert_eq!(producer.end(false).await, 0);
    producer.await_stable("t", 4).await;
    assert_eq!(producer.committed("t", 0).await.2, [(producer.id, 2)]);
    assert_eq!(
        producer.committed("t", 3).await.2,
        [(producer.id, 2)],
        "the marker alone"
    );
    assert_eq!(producer.committed("t", 4).await.2, []);
    assert_eq!(producer.state().await, "CompleteAbort");
    let listed = producer.client.call(&ListTransactionsRequest::default(), 1).await;
    assert_eq!(listed.transaction_states[0].transactional_id.as_str(), ID);
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_outside_a_transaction_and_of_zombies_are_refused() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let mut first = Producer::start(&broker, 60_000).await;
    assert_eq!(first.try_send("t", b"x", 10).await, ErrorCode::INVALID_TXN_STATE.0);
    assert_eq!(first.try_send("t", b"x", 11).await, ErrorCode::TRANSACTION_ABORTABLE.0);
    assert_eq!(first.add("missing").await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert_eq!(first.add("t").await, 0);
    assert_eq!(first.send("t", b"x").await, 0);
    let mut second = Producer::start(&broker, 60_000).await;
    assert_eq!(second.id, first.id);
    assert!(second.epoch > first.epoch);
    assert_eq!(first.send("t", b"y").await, ErrorCode::INVALID_PRODUCER_EPOCH.0);
    assert_eq!(first.add("t").await, ErrorCode::PRODUCER_FENCED.0);
    assert_eq!(first.end(true).await, ErrorCode::PRODUCER_FENCED.0);
    assert_eq!(
        second.committed("t", 0).await.2,
        [(first.id, 0)],
        "what it had is aborted"
    );
    let code = second.commit_offset_without_adding().await;
    assert_eq!(code, ErrorCode::INVALID_TXN_STATE.0);
    broker.stop().await;
}

impl Producer {
    async fn commit_offset_without_adding(&mut self) -> i16 {
        let commit = self.offset_commit("g", 1);
        self.client.call(&commit, 3).await.topics[0].partitions[0].error_code
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_of_a_transaction_count_with_its_commit() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let mut producer = Producer::start(&broker, 60_000).await;
    for (committed, before, after) in [(true, -1, 5), (false, 5, 5)] {
        assert_eq!(producer.commit_offset("g", 5 + i64::from(!committed)).await, 0);
        assert_eq!(producer.offset("g", false).await, (before, 0));
        assert_eq!(
            producer.offset("g", true).await,
            (-1, ErrorCode::UNSTABLE_OFFSET_COMMIT.0)
        );
        assert_eq!(producer.end(committed).await, 0);
        let begun = std::time::Instant::now();
        while producer.offset("g", true).await.1 != 0 {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(producer.offset("g", true).await, (after, 0));
        // The next one only begins when this one is complete.
        while producer.state().await.starts_with("Prepare") {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_and_its_offsets_survive_a_restart() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let mut producer = Producer::start(&broker, 60_000).await;
    assert_eq!(producer.add("t").await, 0);
    assert_eq!(producer.send("t", b"x").await, 0);
    assert_eq!(producer.commit_offset("g", 7).await, 0);
    broker.stop().await;
    let broker = TestBroker::start(directory.path()).await;
    producer.client = broker.client().await;
    assert_eq!(producer.committed("t", 0).await, (0, 0, vec![]));
    assert_eq!(producer.offset("g", true).await.1, ErrorCode::UNSTABLE_OFFSET_COMMIT.0);
    assert_eq!(producer.send("t", b"y").await, 0);
    assert_eq!(producer.end(true).await, 0);
    producer.await_stable("t", 3).await;
    broker.stop().await;
    let broker = TestBroker::start(directory.path()).await;
    producer.client = broker.client().await;
    producer.await_stable("t", 3).await;
    assert_eq!(producer.offset("g", true).await, (7, 0));
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_runs_out_is_aborted_and_its_producer_fenced() {
    let directory = directory();
    let mut properties = Properties::new();
    properties.insert("log.dirs", directory.path().to_string_lossy());
    properties.insert("listeners", "PLAINTEXT://127.0.0.1:0");
    properties.insert("transaction.abort.timed.out.transaction.cleanup.interval.ms", "20");
    let (config, warnings) = BrokerConfig::from_properties(&properties).unwrap();
    assert!(warnings.is_empty());
    let broker = TestBroker::start_with(config).await;
    broker.client().await.create_topic("t", 1, &[]).await;
    let mut producer = Producer::start(&broker, 200).await;
    assert_eq!(producer.add("t").await, 0);
    assert_eq!(producer.send("t", b"x").await, 0);
    producer.await_stable("t", 2).await;
    assert_eq!(producer.committed("t", 0).await.2, [(producer.id, 0)]);
    assert_eq!(producer.end(true).await, ErrorCode::PRODUCER_FENCED.0);
    broker.stop().await;
}
