//! Every advertised (key, version) pair answers, and what ApiVersions says is true.

use std::collections::BTreeSet;

use crate::support::{Client, TestBroker, batch, create_topic, directory, fetch, message, produce};
use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use weir_protocol::api::{self, Api, ApiKey};
use weir_protocol::decode::decode_response;
use weir_protocol::messages::metadata_request::MetadataRequestTopic;
use weir_protocol::messages::*;

/// Sends a request in every version of its row and decodes the answers.
async fn probe<Q>(client: &mut Client, seen: &mut BTreeSet<i16>, request: impl Fn(i16) -> Q)
where
    Q: KafkaRequest + RequestResponsePair,
    Q::Response: KafkaResponse,
{
    let api: &Api = api::find(ApiKey::from(Q::API_KEY)).unwrap();
    for version in api.min..=api.max {
        let _: Q::Response = client.call(&request(version), version).await;
    }
    seen.insert(api.key.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_advertised_pair_answers_decodably() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    client.create_topic("probe", 1, &[]).await;
    let topic_id = topic_id(&mut client, "probe").await;
    let mut seen = BTreeSet::new();
    let (client, seen) = (&mut client, &mut seen);
    probe(client, seen, |version| {
        let mut request = produce("probe", 0, batch(&[b"v"]), -1);
        if version >= 13 {
            request.topic_data[0].name = StrBytes::default();
            request.topic_data[0].topic_id = topic_id;
        }
        request
    })
    .await;
    probe(client, seen, |version| {
        let mut request = fetch("probe", 0, 0);
        if version >= 13 {
            request.topics[0].topic = StrBytes::default();
            request.topics[0].topic_id = topic_id;
        }
        if version < 9 {
            request.topics[0].partitions[0].current_leader_epoch = -1;
        }
        request
    })
    .await;
    probe(client, seen, |_| MetadataRequest::default()).await;
    probe(client, seen, |_| ListOffsetsRequest::default()).await;
    probe(client, seen, |_| OffsetCommitRequest::default()).await;
    probe(client, seen, |_| OffsetFetchRequest::default()).await;
    probe(client, seen, |_| FindCoordinatorRequest::default()).await;
    probe(client, seen, |_| JoinGroupRequest::default()).await;
    probe(client, seen, |_| HeartbeatRequest::default()).await;
    probe(client, seen, |_| LeaveGroupRequest::default()).await;
    probe(client, seen, |_| SyncGroupRequest::default()).await;
    probe(client, seen, |_| DescribeGroupsRequest::default()).await;
    probe(client, seen, |_| ListGroupsRequest::default()).await;
    probe(client, seen, |version| {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request.client_software_name = StrBytes::from("raw");
            request.client_software_version = StrBytes::from("1.0");
        }
        request
    })
    .await;
    probe(client, seen, |version| create_topic(&format!("made-{version}"), 1, &[])).await;
    probe(client, seen, |_| DeleteTopicsRequest::default()).await;
    probe(client, seen, |_| DeleteRecordsRequest::default()).await;
    probe(client, seen, |_| InitProducerIdRequest::default()).await;
    probe(client, seen, |_| OffsetForLeaderEpochRequest::default()).await;
    probe(client, seen, |_| describe_configs("probe")).await;
    probe(client, seen, |_| AlterConfigsRequest::default()).await;
    probe(client, seen, |_| DescribeLogDirsRequest::default()).await;
    probe(client, seen, |_| CreatePartitionsRequest::default()).await;
    probe(client, seen, |_| DeleteGroupsRequest::default()).await;
    probe(client, seen, |_| ElectLeadersRequest::default()).await;
    probe(client, seen, |_| IncrementalAlterConfigsRequest::default()).await;
    probe(client, seen, |_| ListPartitionReassignmentsRequest::default()).await;
    probe(client, seen, |_| OffsetDeleteRequest::default()).await;
    probe(client, seen, |_| DescribeClusterRequest::default()).await;
    probe(client, seen, |_| ListConfigResourcesRequest::default()).await;
    probe(client, seen, |_| DescribeTopicPartitionsRequest::default()).await;
    probe(client, seen, |_| AddPartitionsToTxnRequest::default()).await;
    probe(client, seen, |_| AddOffsetsToTxnRequest::default()).await;
    probe(client, seen, |_| EndTxnRequest::default()).await;
    probe(client, seen, |_| TxnOffsetCommitRequest::default()).await;
    probe(client, seen, |_| DescribeProducersRequest::default()).await;
    probe(client, seen, |_| DescribeTransactionsRequest::default()).await;
    probe(client, seen, |_| ListTransactionsRequest::default()).await;
    let advertised: BTreeSet<i16> = api::TABLE.iter().map(|api| api.key.0).collect();
    assert_eq!(*seen, advertised, "advertised and probed keys differ");
    broker.stop().await;
}

async fn topic_id(client: &mut Client, name: &str) -> Uuid {
    let request = message!(MetadataRequest {
        topics: Some(vec![message!(MetadataRequestTopic {
            name: Some(StrBytes::from(name))
        })]),
    });
    let response = client.call(&request, 12).await;
    assert_eq!(response.topics[0].error_code, 0);
    response.topics[0].topic_id
}

fn describe_configs(topic: &str) -> DescribeConfigsRequest {
    use weir_protocol::messages::describe_configs_request::DescribeConfigsResource;
    message!(DescribeConfigsRequest {
        resources: vec![message!(DescribeConfigsResource {
            resource_type: 2,
            resource_name: StrBytes::from(topic),
        })],
        include_synonyms: true,
    })
}

#[tokio::test]
async fn api_versions_of_an_unknown_version_is_answered_and_the_connection_stays() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    // Header v2 of version 99: key, version, correlation, client id "x", tags, and a body of air.
    let request = [0, 18, 0, 99, 0, 0, 0, 5, 0, 1, b'x', 0, 1, 1];
    client
        .stream
        .write_all(&(request.len() as i32).to_be_bytes())
        .await
        .unwrap();
    client.stream.write_all(&request).await.unwrap();
    let frame: Bytes = client.frame().await.unwrap();
    let (correlation, response) = decode_response::<ApiVersionsResponse>(frame, 0).unwrap();
    assert_eq!((correlation, response.error_code), (5, 35));
    let produce = response.api_keys.iter().find(|api| api.api_key == 0).unwrap();
    assert_eq!(produce.min_version, 0, "older librdkafka turns compression off above 0");
    let again = client.call(&ApiVersionsRequest::default(), 2).await;
    assert_eq!(again.error_code, 0);
    let keys: Vec<i16> = again.api_keys.iter().map(|api| api.api_key).collect();
    assert!(keys.is_sorted_by(|one, other| one < other));
    broker.stop().await;
}

#[tokio::test]
async fn produce_below_3_is_advertised_but_closes() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    let request = [0, 0, 0, 2, 0, 0, 0, 5, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    client
        .stream
        .write_all(&(request.len() as i32).to_be_bytes())
        .await
        .unwrap();
    client.stream.write_all(&request).await.unwrap();
    assert_eq!(client.frame().await, None);
    broker.stop().await;
}

#[tokio::test]
async fn metadata_makes_a_topic_and_answers_where_the_client_came_in() {
    let directory = directory();
    let broker = TestBroker::start(directory.path()).await;
    let mut client = broker.client().await;
    let mut request = message!(MetadataRequest {
        topics: Some(vec![message!(MetadataRequestTopic {
            name: Some(StrBytes::from("asked"))
        })]),
        allow_auto_topic_creation: false,
    });
    let response = client.call(&request, 9).await;
    assert_eq!(response.topics[0].error_code, 3);
    assert!(response.topics[0].partitions.is_empty());
    request.allow_auto_topic_creation = true;
    let response = client.call(&request, 9).await;
    assert_eq!(
        (response.topics[0].error_code, response.topics[0].partitions.len()),
        (0, 1)
    );
    assert_eq!(response.topics[0].partitions[0].leader_id, response.controller_id);
    let answered = (response.brokers[0].host.as_str(), response.brokers[0].port);
    assert_eq!(answered, ("127.0.0.1", i32::from(broker.address.port())));
    assert_eq!(response.cluster_id.unwrap().len(), 22);
    broker.stop().await;
}
