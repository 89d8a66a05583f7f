//! Metadata (3) and DescribeTopicPartitions (75): topics, partitions, this one broker.
//!
//! Metadata v0: no topics means all; v1+ null means all. v4+ says whether an unknown topic may be
//! made; before v4 it always may. v8–10 authorized operations, v10 topic ids, v12 lookup by id,
//! v13 top-level error. A topic that is made by asking exists before the answer leaves, which
//! spares the client a retry. DescribeTopicPartitions v0 (KIP-966): sorted, cut at a limit, with a
//! cursor. Every partition is led by this broker, in the epoch of this start.

use std::sync::Arc;

use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use weir_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use weir_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, MetadataRequest, MetadataResponse, StrBytes, Uuid,
};

use crate::cluster::{Cluster, NewTopic, TopicError, check_name};
use crate::context::{RequestCx, Shared};
use crate::partitions::{Topic, is_internal_name};
use crate::topic_config::Overrides;
use crate::wire::wire;

/// "Not asked for": Kafka's value of an operations field.
const NO_OPERATIONS: i32 = i32::MIN;
/// Every operation a topic has (read, write, create, delete, alter, describe, both configs).
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// Every operation a cluster has (create, alter, describe, cluster action, both configs,
/// idempotent write).
pub(crate) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

pub(crate) async fn metadata(shared: Arc<Shared>, cx: RequestCx, request: MetadataRequest) -> MetadataResponse {
    let operations = operations_of(cx.version, request.include_topic_authorized_operations);
    let wants_all = match &request.topics {
        None => true,
        Some(topics) => cx.version == 0 && topics.is_empty(),
    };
    let topics = if wants_all {
        let topics = shared.partitions.topics().sorted();
        topics
            .iter()
            .map(|topic| known(&shared, topic, cx.version, operations))
            .collect()
    } else {
        let may_create = cx.version < 4 || request.allow_auto_topic_creation;
        let mut answers = Vec::new();
        for wanted in request.topics.unwrap_or_default() {
            let found = match &wanted.name {
                Some(name) => by_name(&shared, name, may_create).await,
                None => by_id(&shared, wanted.topic_id),
            };
            answers.push(match found {
                Ok(topic) => known(&shared, &topic, cx.version, operations),
                Err(code) => unknown(wanted.name, wanted.topic_id, code, cx.version),
            });
        }
        answers
    };
    let cluster = &shared.cluster;
    let mut response = wire!(MetadataResponse {
        brokers: vec![broker(cluster, &cx)],
        topics: topics,
    });
    if cx.version >= 1 {
        response.controller_id = cluster.node_id;
    }
    if cx.version >= 2 {
        response.cluster_id = Some(StrBytes::from(cluster.cluster_id.as_str()));
    }
    if (8..=10).contains(&cx.version) && request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

fn operations_of(version: i16, is_asked: bool) -> i32 {
    if version >= 8 && is_asked {
        TOPIC_OPERATIONS
    } else {
        NO_OPERATIONS
    }
}

fn broker(cluster: &Cluster, cx: &RequestCx) -> MetadataResponseBroker {
    let advertised = &cx.connection.advertised;
    wire!(MetadataResponseBroker {
        node_id: cluster.node_id,
        host: StrBytes::from(advertised.host.as_str()),
        port: i32::from(advertised.port),
    })
}

async fn by_name(shared: &Shared, name: &str, may_create: bool) -> Result<Arc<Topic>, ErrorCode> {
    if let Some(topic) = shared.partitions.topic(name) {
        return Ok(topic);
    }
    check_name(name).map_err(|error| error.code)?;
    if !may_create || !shared.config.topics.auto_create || is_internal_name(name) {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let topic = NewTopic {
        name: name.to_owned(),
        partitions: shared.config.topics.num_partitions,
        overrides: Overrides::new(),
    };
    let made = shared.cluster.change(move |cluster| cluster.ensure(topic)).await;
    made.map_err(|error: TopicError| error.code)
}

fn by_id(shared: &Shared, id: Uuid) -> Result<Arc<Topic>, ErrorCode> {
    shared
        .partitions
        .topics()
        .get_by_id(id)
        .cloned()
        .ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
}

fn known(shared: &Shared, topic: &Topic, version: i16, operations: i32) -> MetadataResponseTopic {
    let node = shared.cluster.node_id;
    let partitions = topic.partitions.iter().map(|partition| {
        let mut answer = wire!(MetadataResponsePartition {
            partition_index: partition.index,
            leader_id: node,
            replica_nodes: vec![node],
            isr_nodes: vec![node],
        });
        if version >= 7 {
            answer.leader_epoch = partition.leader_epoch();
        }
        answer
    });
    let mut answer = wire!(MetadataResponseTopic {
        name: Some(StrBytes::from(&*topic.name)),
        partitions: partitions.collect(),
        topic_authorized_operations: operations,
    });
    if version >= 1 {
        answer.is_internal = topic.is_internal();
    }
    if version >= 10 {
        answer.topic_id = topic.id;
    }
    answer
}

fn unknown(name: Option<StrBytes>, id: Uuid, code: ErrorCode, version: i16) -> MetadataResponseTopic {
    // Null names exist from v12 on; the empty text stands for them before.
    let name = name.or_else(|| (version < 12).then(StrBytes::default));
    let mut answer = wire!(MetadataResponseTopic {
        error_code: code.0,
        topic_authorized_operations: NO_OPERATIONS,
    });
    if version >= 1 {
        answer.is_internal = name.as_deref().is_some_and(is_internal_name);
    }
    if version >= 10 {
        answer.topic_id = id;
    }
    answer.name = name;
    answer
}

pub(crate) async fn describe_topic_partitions(
    shared: Arc<Shared>,
    _: RequestCx,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let topics = shared.partitions.topics();
    let mut names: Vec<String> = request.topics.iter().map(|topic| topic.name.to_string()).collect();
    if names.is_empty() {
        names = topics.iter().map(|topic| topic.name.to_string()).collect();
    }
    names.sort_unstable();
    names.dedup();
    let (first_name, first_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index.max(0)),
        None => ("", 0),
    };
    let limit = shared.config.topics.describe_partitions_limit as i32;
    let mut room = request.response_partition_limit.clamp(1, limit);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.iter().filter(|name| name.as_str() >= first_name) {
        let Some(topic) = topics.get(name) else {
            response.topics.push(undescribed(name));
            continue;
        };
        let skip = if name == first_name { first_partition } else { 0 };
        let left = topic.partitions.iter().filter(|partition| partition.index >= skip);
        if room == 0 && left.clone().next().is_some() {
            response.next_cursor = Some(cursor_at(name, skip));
            break;
        }
        let partitions: Vec<_> = left
            .take(room as usize)
            .map(|partition| described(&shared, partition.index, partition.leader_epoch()))
            .collect();
        room -= partitions.len() as i32;
        let next = skip + partitions.len() as i32;
        response.topics.push(wire!(DescribeTopicPartitionsResponseTopic {
            name: Some(StrBytes::from(name.as_str())),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions: partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
        }));
        if (next as usize) < topic.partitions.len() {
            response.next_cursor = Some(cursor_at(name, next));
            break;
        }
    }
    response
}

fn cursor_at(topic: &str, partition: i32) -> Cursor {
    wire!(Cursor {
        topic_name: StrBytes::from(topic),
        partition_index: partition
    })
}

fn undescribed(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match check_name(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(error) => error.code,
    };
    wire!(DescribeTopicPartitionsResponseTopic {
        error_code: code.0,
        name: Some(StrBytes::from(name)),
        topic_authorized_operations: NO_OPERATIONS,
    })
}

fn described(shared: &Shared, index: i32, epoch: i32) -> DescribeTopicPartitionsResponsePartition {
    let node = shared.cluster.node_id;
    wire!(DescribeTopicPartitionsResponsePartition {
        partition_index: index,
        leader_id: node,
        leader_epoch: epoch,
        replica_nodes: vec![node],
        isr_nodes: vec![node],
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
    })
}
