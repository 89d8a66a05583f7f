//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete
//!
//! OffsetCommit 2–9 (v2–4 carry a retention, v6 a leader epoch, v7 an instance id), OffsetFetch
//! 1–9 (v2: null topics means all, v7: require stable, v8: many groups), OffsetDelete 0. Commits
//! for partitions that do not exist get 3 and the rest goes on. Without transactions every offset
//! is stable. Source: KIP-211, KIP-447, KIP-496, KIP-709.

use std::sync::Arc;

use weir_coordinator::group::offsets::CommittedOffset;
use weir_coordinator::group::request::{CommitRequest, OffsetToCommit};
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use weir_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use weir_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use weir_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use weir_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use weir_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, StrBytes,
};

use crate::context::{RequestCx, Shared};
use crate::groups::{FetchedOffsets, OffsetQuery};
use crate::handlers::group::claim;
use crate::wire::wire;

/// What is answered for a partition without a committed offset.
const NO_OFFSET: i64 = -1;

pub(crate) async fn offset_commit(
    shared: Arc<Shared>,
    _cx: RequestCx,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let (mut codes, offsets) = check_commit(&shared, &request.topics);
    let known = offsets.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    if !offsets.is_empty() {
        let generation = request.generation_id_or_member_epoch;
        let commit = CommitRequest {
            claim: claim(request.member_id, request.group_instance_id, generation),
            retention_ms: Some(request.retention_time_ms).filter(|kept_ms| *kept_ms >= 0),
            offsets: offsets.into_iter().map(|(_, offset)| offset).collect(),
        };
        let answered = shared.groups.commit(request.group_id.into_string(), commit).await;
        for (at, code) in known.into_iter().zip(answered) {
            if let Some(slot) = codes.get_mut(at) {
                *slot = code;
            }
        }
    }
    let mut codes = codes.into_iter();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            wire!(OffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: codes.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR).0,
            })
        });
        wire!(OffsetCommitResponseTopic {
            partitions: partitions.collect(),
            name: topic.name
        })
    });
    wire!(OffsetCommitResponse {
        topics: topics.collect()
    })
}

/// A code for each partition of the request, and those to commit with their place in it.
fn check_commit(
    shared: &Shared,
    topics: &[OffsetCommitRequestTopic],
) -> (Vec<ErrorCode>, Vec<(usize, OffsetToCommit)>) {
    let known_topics = shared.partitions.topics();
    let mut codes = Vec::new();
    let mut offsets = Vec::new();
    for topic in topics {
        let known = known_topics.get(topic.name.as_str());
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if known.and_then(|topic| topic.partition(index)).is_none() {
                codes.push(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                continue;
            }
            let metadata = partition.committed_metadata.as_ref().map_or("", StrBytes::as_str);
            let offset = OffsetToCommit {
                topic: topic.name.as_str().to_owned(),
                partition: index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: metadata.to_owned(),
            };
            offsets.push((codes.len(), offset));
            codes.push(ErrorCode::NONE);
        }
    }
    (codes, offsets)
}

pub(crate) async fn offset_fetch(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    if cx.version >= 8 {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            groups.push(fetch_group(&shared, group).await);
        }
        return wire!(OffsetFetchResponse { groups: groups });
    }
    let query = match request.topics {
        None => OffsetQuery::All,
        Some(topics) => OffsetQuery::Topics(topics.into_iter().map(queried).collect()),
    };
    match shared.groups.offsets(request.group_id.into_string(), query).await {
        Err(code) => wire!(OffsetFetchResponse { error_code: code.0 }),
        Ok(fetched) => {
            let topics = fetched.into_iter().map(|(topic, partitions)| {
                let partitions = partitions.into_iter().map(|(at, found)| single(at, found));
                wire!(OffsetFetchResponseTopic {
                    name: StrBytes::from(topic),
                    partitions: partitions.collect(),
                })
            });
            wire!(OffsetFetchResponse {
                topics: topics.collect()
            })
        }
    }
}

async fn fetch_group(shared: &Shared, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let query = match group.topics {
        None => OffsetQuery::All,
        Some(topics) => {
            let each = topics.into_iter();
            let each = each.map(|topic| (topic.name.into_string(), topic.partition_indexes));
            OffsetQuery::Topics(each.collect())
        }
    };
    let fetched = shared.groups.offsets(group.group_id.as_str().to_owned(), query).await;
    match fetched {
        Err(code) => {
            wire!(OffsetFetchResponseGroup {
                group_id: group.group_id,
                error_code: code.0
            })
        }
        Ok(fetched) => wire!(OffsetFetchResponseGroup {
            group_id: group.group_id,
            topics: fetched_topics(fetched),
        }),
    }
}

fn queried(topic: OffsetFetchRequestTopic) -> (String, Vec<i32>) {
    (topic.name.into_string(), topic.partition_indexes)
}

fn fetched_topics(fetched: FetchedOffsets) -> Vec<OffsetFetchResponseTopics> {
    let topics = fetched.into_iter().map(|(topic, partitions)| {
        let partitions = partitions.into_iter().map(|(at, found)| {
            let (offset, leader_epoch, metadata) = fields_of(found);
            wire!(OffsetFetchResponsePartitions {
                partition_index: at,
                committed_offset: offset,
                committed_leader_epoch: leader_epoch,
                metadata: Some(metadata),
            })
        });
        wire!(OffsetFetchResponseTopics {
            name: StrBytes::from(topic),
            partitions: partitions.collect(),
        })
    });
    topics.collect()
}

fn single(at: i32, found: Option<CommittedOffset>) -> OffsetFetchResponsePartition {
    let (offset, leader_epoch, metadata) = fields_of(found);
    wire!(OffsetFetchResponsePartition {
        partition_index: at,
        committed_offset: offset,
        committed_leader_epoch: leader_epoch,
        metadata: Some(metadata),
    })
}

fn fields_of(found: Option<CommittedOffset>) -> (i64, i32, StrBytes) {
    match found {
        None => (NO_OFFSET, -1, StrBytes::default()),
        Some(offset) => (offset.offset, offset.leader_epoch, StrBytes::from(offset.metadata)),
    }
}

pub(crate) async fn offset_delete(
    shared: Arc<Shared>,
    _cx: RequestCx,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let known_topics = shared.partitions.topics();
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name = topic.name.as_str();
        for partition in &topic.partitions {
            let index = partition.partition_index;
            if known_topics
                .get(name)
                .and_then(|known| known.partition(index))
                .is_some()
            {
                wanted.push((name.to_owned(), index));
            }
        }
    }
    let group = request.group_id.into_string();
    let (code, codes) = shared.groups.delete_offsets(group, wanted.clone()).await;
    if code != ErrorCode::NONE {
        return wire!(OffsetDeleteResponse { error_code: code.0 });
    }
    let code_of = |topic: &str, index: i32| {
        let at = wanted.iter().position(|(name, at)| name == topic && *at == index);
        at.and_then(|at| codes.get(at))
            .copied()
            .unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    };
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            wire!(OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: code_of(topic.name.as_str(), partition.partition_index).0,
            })
        });
        wire!(OffsetDeleteResponseTopic {
            partitions: partitions.collect(),
            name: topic.name
        })
    });
    wire!(OffsetDeleteResponse {
        topics: topics.collect()
    })
}
