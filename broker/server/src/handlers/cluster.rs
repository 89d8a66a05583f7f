//! DescribeCluster (60), ElectLeaders (43), ListPartitionReassignments (46): one broker's view.
//!
//! DescribeCluster v0–2: v1 endpoint type (KIP-919), v2 fenced brokers. This broker is its own
//! controller, so asking for controllers is refused as Kafka's brokers do. ElectLeaders v0–2
//! answers that no election is needed; nothing is ever being reassigned.

use std::sync::Arc;

use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use weir_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use weir_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, ElectLeadersRequest, ElectLeadersResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, StrBytes,
};

use crate::context::{RequestCx, Shared};
use crate::handlers::metadata::CLUSTER_OPERATIONS;
use crate::wire::wire;

const BROKER_ENDPOINTS: i8 = 1;
const CONTROLLER_ENDPOINTS: i8 = 2;

pub(crate) async fn describe_cluster(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let cluster_id = StrBytes::from(shared.cluster.cluster_id.as_str());
    let code = match request.endpoint_type {
        BROKER_ENDPOINTS => ErrorCode::NONE,
        CONTROLLER_ENDPOINTS => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
        _ => ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
    };
    if code != ErrorCode::NONE {
        return wire!(DescribeClusterResponse {
            error_code: code.0,
            error_message: Some(StrBytes::from("brokers answer for broker endpoints only")),
            cluster_id: cluster_id,
        });
    }
    let advertised = &cx.connection.advertised;
    let mut response = wire!(DescribeClusterResponse {
        cluster_id: cluster_id,
        controller_id: shared.cluster.node_id,
        brokers: vec![wire!(DescribeClusterBroker {
            broker_id: shared.cluster.node_id,
            host: StrBytes::from(advertised.host.as_str()),
            port: i32::from(advertised.port),
        })],
    });
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

pub(crate) async fn elect_leaders(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    if cx.version >= 1 && !(0..=1).contains(&request.election_type) {
        return wire!(ElectLeadersResponse {
            error_code: ErrorCode::INVALID_REQUEST.0
        });
    }
    let result = |partition: i32, code: ErrorCode, text: &str| {
        wire!(PartitionResult {
            partition_id: partition,
            error_code: code.0,
            error_message: Some(StrBytes::from(text)),
        })
    };
    // Null asks for every partition that needs an election: none does.
    let wanted = request.topic_partitions.unwrap_or_default();
    let results = wanted.iter().map(|wanted| {
        let topic = shared.partitions.topic(&wanted.topic);
        let partitions =
            wanted
                .partitions
                .iter()
                .map(|index| match topic.as_ref().and_then(|topic| topic.partition(*index)) {
                    Some(_) => result(
                        *index,
                        ErrorCode::ELECTION_NOT_NEEDED,
                        "Leader election not needed for topic partition.",
                    ),
                    None => result(
                        *index,
                        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        "This server does not host this topic-partition.",
                    ),
                });
        wire!(ReplicaElectionResult {
            topic: wanted.topic.clone(),
            partition_result: partitions.collect(),
        })
    });
    wire!(ElectLeadersResponse {
        replica_election_results: results.collect()
    })
}

pub(crate) async fn list_partition_reassignments(
    _: Arc<Shared>,
    _: RequestCx,
    _: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}
