//! Produce, fetch and what stands between them, over the wire.

use std::time::{Duration, Instant};

use crate::support::{TestBroker, batch, built, create_topic, directory, fetch, idempotent, message, produce};
use weir_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use weir_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use weir_protocol::messages::delete_topics_request::DeleteTopicState;
use weir_protocol::messages::describe_configs_request::DescribeConfigsResource;
use weir_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use weir_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use weir_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use weir_protocol::messages::*;
use weir_protocol::records::batch::BatchIter;
use weir_protocol::records::builder::BatchSettings;
use weir_protocol::records::compression::Codec;

fn producer_id() -> InitProducerIdRequest {
    message!(InitProducerIdRequest { transactional_id: None })
}

fn all_topics() -> MetadataRequest {
    message!(MetadataRequest { topics: None })
}

fn values(records: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let mut values = Vec::new();
    for view in BatchIter::new(records) {
        let view = view.unwrap();
        view.check_crc().unwrap();
        for record in weir_protocol::records::record::RecordWalker::new(view.records(), view.header.records_count) {
            let record = record.unwrap();
            let offset = view.header.base_offset + i64::from(record.offset_delta);
            values.push((offset, record.value.unwrap().to_vec()));
        }
    }
    values
}

#[tokio::test]
async fn what_is_produced_is_fetched_byte_for_byte() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for (acks, expected) in [(-1, 0), (1, 2), (-1, 4)] {
        let answer = client.produce("t", batch(&[b"one", b"two"]), acks).await;
        assert_eq!((answer.error_code, answer.base_offset), (0, expected));
        assert_eq!((answer.log_append_time_ms, answer.log_start_offset), (-1, 0));
    }
    let fetched = client.fetch("t", 0, 5000).await;
    assert_eq!(
        (fetched.error_code, fetched.high_watermark, fetched.last_stable_offset),
        (0, 6, 6)
    );
    let offsets: Vec<i64> = values(&fetched.records.unwrap()).iter().map(|(at, _)| *at).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5]);
    // Inside a batch: the whole batch that holds the offset.
    let inside = client.fetch("t", 3, 5000).await;
    assert_eq!(values(&inside.records.unwrap())[0].0, 2);
    broker.stop().await;
}

#[tokio::test]
async fn large_frames_of_many_partitions_are_taken_apart_in_place() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 3, &[]).await;
    let payloads: Vec<Vec<u8>> = (0..3u8).map(|at| vec![at; 50_000]).collect();
    let mut request = produce("t", 0, batch(&[&payloads[0]]), -1);
    for at in 1..3 {
        let more = produce("t", at, batch(&[&payloads[at as usize]]), -1);
        let part = more.topic_data[0].partition_data[0].clone();
        request.topic_data[0].partition_data.push(part);
    }
    let response = client.call(&request, 11).await;
    assert!(
        response.responses[0]
            .partition_responses
            .iter()
            .all(|part| part.error_code == 0)
    );
    for at in 0..3 {
        let mut request = fetch("t", 0, 5000);
        request.topics[0].partitions[0].partition = at;
        let response = client.call(&request, 12).await;
        let records = response.responses[0].partitions[0].records.clone().unwrap();
        assert_eq!(values(&records), [(0, payloads[at as usize].clone())]);
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_parked_fetch_wakes_when_a_record_is_durable() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut consumer = broker.client().await;
    consumer.create_topic("t", 1, &[]).await;
    let begun = Instant::now();
    let correlation = consumer.send(&fetch("t", 0, 15_000), 12).await;
    let mut producer = broker.client().await;
    assert_eq!(producer.produce("t", batch(&[b"wake"]), -1).await.error_code, 0);
    let response: FetchResponse = consumer.receive(correlation, 12).await;
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    assert_eq!(values(&records), [(0, b"wake".to_vec())]);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "the fetch waited out its time"
    );
    // acks=1 is synced at once when a consumer waits for it.
    let correlation = consumer.send(&fetch("t", 1, 15_000), 12).await;
    assert_eq!(producer.produce("t", batch(&[b"again"]), 1).await.error_code, 0);
    let response: FetchResponse = consumer.receive(correlation, 12).await;
    assert_eq!(response.responses[0].partitions[0].high_watermark, 2);
    broker.stop().await;
}

#[tokio::test]
async fn a_fetch_at_the_end_waits_its_time_and_answers_empty() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let begun = Instant::now();
    let fetched = client.fetch("t", 0, 300).await;
    assert!(begun.elapsed() >= Duration::from_millis(290));
    assert_eq!(fetched.records.as_deref(), Some(&[][..]), "empty, never null");
    for (offset, code) in [(1, 1), (-5, 1)] {
        let refused = client.fetch("t", offset, 15_000).await;
        assert_eq!((refused.error_code, refused.high_watermark), (code, -1));
    }
    let mut fenced = fetch("t", 0, 15_000);
    fenced.topics[0].partitions[0].current_leader_epoch = 1_000;
    let response = client.call(&fenced, 12).await;
    assert_eq!(response.responses[0].partitions[0].error_code, 75);
    let response = client.call(&fetch("none", 0, 15_000), 12).await;
    assert_eq!(response.responses[0].partitions[0].error_code, 3);
    broker.stop().await;
}

#[tokio::test]
async fn the_first_batch_comes_whole_however_small_the_bounds() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let large = vec![7u8; 20_000];
    client.produce("t", batch(&[&large]), -1).await;
    client.produce("t", batch(&[&large]), -1).await;
    let mut request = fetch("t", 0, 5000);
    request.max_bytes = 1;
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let response = client.call(&request, 12).await;
    let records = response.responses[0].partitions[0].records.clone().unwrap();
    assert_eq!(values(&records).len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn duplicates_answer_their_first_offset_and_gaps_are_refused() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let id = client.call(&producer_id(), 4).await;
    assert_eq!((id.error_code, id.producer_epoch), (0, 0));
    let id = id.producer_id;
    let mut sequence = 0;
    for expected in [0, 2, 4] {
        let answer = client
            .produce("t", idempotent(id, 0, sequence, &[b"a", b"b"]), -1)
            .await;
        assert_eq!((answer.error_code, answer.base_offset), (0, expected));
        sequence += 2;
    }
    let repeated = client.produce("t", idempotent(id, 0, 2, &[b"a", b"b"]), -1).await;
    assert_eq!((repeated.error_code, repeated.base_offset), (0, 2));
    let gap = client.produce("t", idempotent(id, 0, 9, &[b"a"]), -1).await;
    assert_eq!(gap.error_code, 45);
    let newer = client.produce("t", idempotent(id, 1, 0, &[b"a"]), -1).await;
    assert_eq!(newer.error_code, 0);
    let stale = client.produce("t", idempotent(id, 0, 6, &[b"a"]), -1).await;
    assert_eq!(stale.error_code, 47);
    // Pipelined: all are sent before the first answer is read.
    let mut correlations = Vec::new();
    for at in 1..=5 {
        let request = produce("t", 0, idempotent(id, 1, at, &[b"p"]), -1);
        correlations.push(client.send(&request, 9).await);
    }
    for (correlation, offset) in correlations.into_iter().zip(7..) {
        let response: ProduceResponse = client.receive(correlation, 9).await;
        assert_eq!(response.responses[0].partition_responses[0].base_offset, offset);
    }
    broker.stop().await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 2, &[("cleanup.policy", "compact")]).await;
    client.produce("t", idempotent(7, 0, 0, &[b"a", b"b"]), -1).await;
    let before = client.call(&all_topics(), 12).await;
    let first_id = client.call(&producer_id(), 4).await.producer_id;
    assert!(broker.stop().await < Duration::from_secs(2));
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    let after = client.call(&all_topics(), 12).await;
    assert_eq!(after.cluster_id, before.cluster_id);
    let topic = |response: &MetadataResponse| {
        response
            .topics
            .iter()
            .find(|topic| topic.name.as_deref() == Some("t"))
            .unwrap()
            .clone()
    };
    assert_eq!(topic(&after).topic_id, topic(&before).topic_id);
    assert_eq!(topic(&after).partitions.len(), 2);
    let epochs = (
        topic(&before).partitions[0].leader_epoch,
        topic(&after).partitions[0].leader_epoch,
    );
    assert_eq!(epochs.1, epochs.0 + 1, "clients must be able to see the restart");
    let fetched = client.fetch("t", 0, 5000).await;
    assert_eq!(values(&fetched.records.unwrap()).len(), 2);
    let repeated = client.produce("t", idempotent(7, 0, 0, &[b"a", b"b"]), -1).await;
    assert_eq!((repeated.error_code, repeated.base_offset), (0, 0), "sequences survive");
    let next_id = client.call(&producer_id(), 4).await.producer_id;
    assert!(next_id > first_id, "ids are never given twice");
    let end = client
        .call(
            &message!(OffsetForLeaderEpochRequest {
                replica_id: -1,
                topics: vec![message!(OffsetForLeaderTopic {
                    topic: StrBytes::from("t"),
                    partitions: vec![message!(OffsetForLeaderPartition {
                        partition: 0,
                        current_leader_epoch: epochs.1,
                        leader_epoch: epochs.0,
                    })],
                })],
            }),
            4,
        )
        .await;
    let end = &end.topics[0].partitions[0];
    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (0, epochs.0, 2));
    broker.stop().await;
}

#[tokio::test]
async fn offsets_by_time_look_inside_the_batch() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    let mut builder = weir_protocol::records::builder::BatchBuilder::new(BatchSettings {
        codec: Codec::Lz4,
        ..BatchSettings::default()
    });
    for time in [1_000, 3_000, 2_000] {
        builder.append(time, None, Some(b"v"), &[]);
    }
    let bytes = bytes::BytesMut::from(builder.build().unwrap().as_slice());
    assert_eq!(client.produce("t", bytes, -1).await.error_code, 0);
    for (time, offset, timestamp) in [
        (-1, 3, -1),
        (-2, 0, -1),
        (-3, 1, 3_000),
        (-4, 0, -1),
        (-5, -1, -1),
        (0, 0, 1_000),
        (1_001, 1, 3_000),
        (3_000, 1, 3_000),
        (3_001, -1, -1),
    ] {
        let request = message!(ListOffsetsRequest {
            replica_id: -1,
            topics: vec![message!(ListOffsetsTopic {
                name: StrBytes::from("t"),
                partitions: vec![message!(ListOffsetsPartition {
                    current_leader_epoch: -1,
                    timestamp: time,
                })],
            })],
        });
        let response = client.call(&request, 9).await;
        let found = &response.topics[0].partitions[0];
        assert_eq!(
            (found.error_code, found.offset, found.timestamp),
            (0, offset, timestamp),
            "{time}"
        );
    }
    broker.stop().await;
}

#[tokio::test]
async fn topics_are_made_grown_emptied_and_deleted() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for (request, code) in [
        (create_topic("t", 1, &[]), 36),
        (create_topic("bad name", 1, &[]), 17),
        (create_topic("__consumer_offsets", 1, &[]), 17),
        (create_topic("none", 0, &[]), 37),
        (create_topic("odd", 1, &[("no.such.key", "1")]), 40),
        (create_topic("odd", 1, &[("retention.ms", "soon")]), 40),
        (
            message!(CreateTopicsRequest {
                validate_only: true,
                topics: create_topic("checked", 1, &[]).topics
            }),
            0,
        ),
    ] {
        let response = client.call(&request, 7).await;
        assert_eq!(response.topics[0].error_code, code, "{:?}", response.topics[0]);
    }
    client.produce("t", batch(&[b"a", b"b", b"c"]), -1).await;
    let grow = |count| {
        message!(CreatePartitionsRequest {
            topics: vec![message!(CreatePartitionsTopic {
                name: StrBytes::from("t"),
                count: count
            })],
        })
    };
    for (count, code) in [(1, 37), (3, 0), (2, 37)] {
        assert_eq!(
            client.call(&grow(count), 3).await.results[0].error_code,
            code,
            "{count}"
        );
    }
    let empty = |offset| {
        message!(DeleteRecordsRequest {
            topics: vec![message!(DeleteRecordsTopic {
                name: StrBytes::from("t"),
                partitions: vec![message!(DeleteRecordsPartition { offset: offset })],
            })],
        })
    };
    for (offset, code, low) in [(9, 1, -1), (2, 0, 2), (-1, 0, 3)] {
        let response = client.call(&empty(offset), 2).await;
        let result = &response.topics[0].partitions[0];
        assert_eq!((result.error_code, result.low_watermark), (code, low));
    }
    assert_eq!(client.fetch("t", 0, 5000).await.error_code, 1);
    let delete = message!(DeleteTopicsRequest {
        topics: vec![message!(DeleteTopicState {
            name: Some(StrBytes::from("t"))
        })],
    });
    assert_eq!(client.call(&delete, 6).await.responses[0].error_code, 0);
    assert_eq!(client.call(&delete, 6).await.responses[0].error_code, 3);
    assert_eq!(client.produce("t", batch(&[b"x"]), -1).await.error_code, 3);
    client.create_topic("t", 1, &[]).await;
    assert_eq!(client.produce("t", batch(&[b"x"]), -1).await.base_offset, 0);
    broker.stop().await;
}

#[tokio::test]
async fn altered_configs_hold_for_the_next_append_and_are_described() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[("cleanup.policy", "compact")]).await;
    let alter = |key: &str, value: &str| {
        message!(IncrementalAlterConfigsRequest {
            resources: vec![message!(AlterConfigsResource {
                resource_type: 2,
                resource_name: StrBytes::from("t"),
                configs: vec![message!(AlterableConfig {
                    name: StrBytes::from(key),
                    config_operation: 0,
                    value: Some(StrBytes::from(value)),
                })],
            })],
        })
    };
    assert_eq!(
        client.call(&alter("max.message.bytes", "100"), 1).await.responses[0].error_code,
        0
    );
    assert_eq!(
        client.call(&alter("no.such.key", "1"), 1).await.responses[0].error_code,
        40
    );
    let large = client.produce("t", batch(&[&[1; 200]]), -1).await;
    assert_eq!(large.error_code, 10);
    let mut keyless = weir_protocol::records::builder::BatchBuilder::new(BatchSettings::default());
    keyless.append(weir_metrics::clock::Clock::System.now_ms(), None, Some(b"v"), &[]);
    let keyless = bytes::BytesMut::from(keyless.build().unwrap().as_slice());
    assert_eq!(client.produce("t", keyless, -1).await.error_code, 87);
    let describe = message!(DescribeConfigsRequest {
        resources: vec![message!(DescribeConfigsResource {
            resource_type: 2,
            resource_name: StrBytes::from("t"),
            configuration_keys: None,
        })],
        include_synonyms: true,
    });
    let response = client.call(&describe, 4).await;
    let row = |name: &str| {
        let rows = &response.results[0].configs;
        rows.iter().find(|row| row.name.as_str() == name).unwrap().clone()
    };
    assert!(response.results[0].configs.len() > 25, "every known key is listed");
    let policy = row("cleanup.policy");
    assert_eq!((policy.value.as_deref(), policy.config_source), (Some("compact"), 1));
    let retention = row("retention.ms");
    assert_eq!(
        (retention.value.as_deref(), retention.config_source),
        (Some("604800000"), 5)
    );
    assert_eq!(retention.synonyms[0].name.as_str(), "log.retention.ms");
    broker.stop().await;
}

#[tokio::test]
async fn every_codec_is_stored_as_sent() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("t", 1, &[]).await;
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = built(
            BatchSettings {
                codec,
                ..BatchSettings::default()
            },
            &[b"v", b"w"],
        );
        let answer = client.produce("t", sent.clone(), -1).await;
        assert_eq!(answer.error_code, 0, "{codec:?}");
        let fetched = client.fetch("t", answer.base_offset, 5000).await.records.unwrap();
        assert_eq!(fetched[21..], sent[21..], "{codec:?}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_port_in_use_and_a_directory_in_use_are_named() {
    use weir_server::broker::Broker;
    use weir_server::broker_config::BrokerConfig;
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.call(&ApiVersionsRequest::default(), 0).await;
    let other = crate::support::directory();
    let taken = BrokerConfig::bundled(other.path(), "127.0.0.1", broker.address.port());
    let error = Broker::bind(taken).unwrap_err().to_string();
    assert!(
        error.contains(&broker.address.to_string()) && error.contains("listeners"),
        "{error}"
    );
    let locked = BrokerConfig::bundled(directory.path(), "127.0.0.1", 0);
    let error = Broker::bind(locked).unwrap_err().to_string();
    assert!(error.contains(&directory.path().display().to_string()), "{error}");
    broker.stop().await;
}
