//! Committed offsets: OffsetCommit, OffsetFetch, OffsetDelete
//!
//! OffsetCommit 2–9 (v2–4 carry a retention, v6 a leader epoch, v7 an instance id), OffsetFetch
//! 1–9 (v2: null topics means all, v7: require stable, v8: many groups), OffsetDelete 0,
//! TxnOffsetCommit 0–4 (v3: members, v4: TRANSACTION_ABORTABLE; KIP-447, KIP-890). Commits
//! for partitions that do not exist get 3 and the rest goes on. Source: KIP-98, KIP-211, KIP-447,
//! KIP-496, KIP-709.

use std::sync::Arc;

use weir_coordinator::group::request::{CommitRequest, OffsetToCommit, TransactionWriter};
use weir_coordinator::transaction::request::Producer;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use weir_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use weir_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use weir_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use weir_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use weir_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use weir_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, StrBytes, TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};

use crate::context::{RequestCx, Shared};
use crate::groups::{FetchedOffset, FetchedOffsets, OffsetQuery, Stability};
use crate::handlers::group::claim;
use crate::wire::wire;

/// What is answered for a partition without a committed offset.
const NO_OFFSET: i64 = -1;

pub(crate) async fn offset_commit(
    shared: Arc<Shared>,
    _cx: RequestCx,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let wanted = request.topics.iter().flat_map(wanted_offsets).collect();
    let generation = request.generation_id_or_member_epoch;
    let commit = CommitRequest {
        claim: claim(request.member_id, request.group_instance_id, generation),
        retention_ms: Some(request.retention_time_ms).filter(|kept_ms| *kept_ms >= 0),
        offsets: wanted,
        writer: None,
    };
    let codes = commit_known(&shared, request.group_id.into_string(), commit).await;
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

fn wanted_offsets(topic: &OffsetCommitRequestTopic) -> impl Iterator<Item = OffsetToCommit> {
    topic.partitions.iter().map(|partition| OffsetToCommit {
        topic: topic.name.as_str().to_owned(),
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: text(partition.committed_metadata.as_ref()),
    })
}

fn text(metadata: Option<&StrBytes>) -> String {
    metadata.map_or("", StrBytes::as_str).to_owned()
}

/// Commits the offsets of partitions that exist; answers a code for each of the request.
async fn commit_known(shared: &Shared, group: String, mut commit: CommitRequest) -> Vec<ErrorCode> {
    let topics = shared.partitions.topics();
    let mut codes = vec![ErrorCode::UNKNOWN_TOPIC_OR_PARTITION; commit.offsets.len()];
    let (mut known, mut places) = (Vec::new(), Vec::new());
    for (at, offset) in commit.offsets.into_iter().enumerate() {
        let topic = topics.get(&offset.topic);
        if topic.and_then(|topic| topic.partition(offset.partition)).is_some() {
            known.push(offset);
            places.push(at);
        }
    }
    if known.is_empty() {
        return codes;
    }
    commit.offsets = known;
    let answered = shared.groups.commit(group, commit).await;
    for (at, code) in places.into_iter().zip(answered) {
        if let Some(slot) = codes.get_mut(at) {
            *slot = code;
        }
    }
    codes
}

pub(crate) async fn txn_offset_commit(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let wanted = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| OffsetToCommit {
            topic: topic.name.as_str().to_owned(),
            partition: partition.partition_index,
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: text(partition.committed_metadata.as_ref()),
        })
    });
    let generation = request.generation_id_or_member_epoch;
    let commit = CommitRequest {
        claim: claim(request.member_id, request.group_instance_id, generation),
        retention_ms: None,
        offsets: wanted.collect(),
        writer: Some(TransactionWriter {
            transactional_id: request.transactional_id.into_string(),
            producer: Producer {
                id: request.producer_id,
                epoch: request.producer_epoch,
            },
        }),
    };
    let group = request.group_id.into_string();
    let codes = if group.is_empty() {
        vec![ErrorCode::INVALID_GROUP_ID; commit.offsets.len()]
    } else {
        commit_known(&shared, group, commit).await
    };
    let mut codes = codes.into_iter().map(|code| match code {
        // Before v4 there is no word for "abort and go on".
        ErrorCode::TRANSACTION_ABORTABLE if cx.version < 4 => ErrorCode::INVALID_TXN_STATE,
        other => other,
    });
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            wire!(TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: codes.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR).0,
            })
        });
        wire!(TxnOffsetCommitResponseTopic {
            partitions: partitions.collect(),
            name: topic.name
        })
    });
    wire!(TxnOffsetCommitResponse {
        topics: topics.collect()
    })
}

pub(crate) async fn offset_fetch(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let stability = match request.require_stable {
        true => Stability::Required,
        false => Stability::NotRequired,
    };
    if cx.version >= 8 {
        let mut groups = Vec::with_capacity(request.groups.len());
        for group in request.groups {
            groups.push(fetch_group(&shared, group, stability).await);
        }
        return wire!(OffsetFetchResponse { groups: groups });
    }
    let query = match request.topics {
        None => OffsetQuery::All,
        Some(topics) => OffsetQuery::Topics(topics.into_iter().map(queried).collect()),
    };
    let fetched = shared.groups.offsets(request.group_id.into_string(), query, stability);
    match fetched.await {
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

async fn fetch_group(
    shared: &Shared,
    group: OffsetFetchRequestGroup,
    stability: Stability,
) -> OffsetFetchResponseGroup {
    let query = match group.topics {
        None => OffsetQuery::All,
        Some(topics) => {
            let each = topics.into_iter();
            let each = each.map(|topic| (topic.name.into_string(), topic.partition_indexes));
            OffsetQuery::Topics(each.collect())
        }
    };
    let fetched = shared
        .groups
        .offsets(group.group_id.as_str().to_owned(), query, stability);
    match fetched.await {
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
            let fields = Fields::of(found);
            wire!(OffsetFetchResponsePartitions {
                partition_index: at,
                committed_offset: fields.offset,
                committed_leader_epoch: fields.leader_epoch,
                metadata: Some(fields.metadata),
                error_code: fields.code.0,
            })
        });
        wire!(OffsetFetchResponseTopics {
            name: StrBytes::from(topic),
            partitions: partitions.collect(),
        })
    });
    topics.collect()
}

fn single(at: i32, found: FetchedOffset) -> OffsetFetchResponsePartition {
    let fields = Fields::of(found);
    wire!(OffsetFetchResponsePartition {
        partition_index: at,
        committed_offset: fields.offset,
        committed_leader_epoch: fields.leader_epoch,
        metadata: Some(fields.metadata),
        error_code: fields.code.0,
    })
}

/// One offset in the words of every version.
struct Fields {
    offset: i64,
    leader_epoch: i32,
    metadata: StrBytes,
    code: ErrorCode,
}

impl Fields {
    fn of(found: FetchedOffset) -> Self {
        let without = |code| Self {
            offset: NO_OFFSET,
            leader_epoch: -1,
            metadata: StrBytes::default(),
            code,
        };
        match found {
            FetchedOffset::Missing => without(ErrorCode::NONE),
            FetchedOffset::Unstable => without(ErrorCode::UNSTABLE_OFFSET_COMMIT),
            FetchedOffset::Found(offset) => Self {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: StrBytes::from(offset.metadata),
                code: ErrorCode::NONE,
            },
        }
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
