//! Administration of groups: committed offsets read, set, deleted; groups deleted
//!
//! Asked of the group's coordinator, which is looked up before each try. A group with members refuses changes from outside:
//! `UNKNOWN_MEMBER_ID` for offsets set, `GROUP_SUBSCRIBED_TO_TOPIC` for offsets deleted, `NON_EMPTY_GROUP` for its deletion.
//! Source: `KafkaAdminClient` (KIP-222, KIP-396, KIP-496).

use std::collections::BTreeMap;

use weir_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use weir_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use weir_protocol::messages::{
    DeleteGroupsRequest, FindCoordinatorRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    RequestResponsePair, StrBytes,
};

use crate::admin::Admin;
use crate::cluster::{Cluster, retried};
use crate::error::{ClientError, KafkaError};
use crate::topic_partition::TopicPartition;
use crate::wire::Versions;

/// Version 4 asks for many groups at once.
const FIND_COORDINATOR: Versions = Versions { min: 1, max: 3 };
/// Versions up to 7 name one group, later ones many; one request cannot be written in both forms.
const OFFSET_FETCH: Versions = Versions { min: 2, max: 7 };
/// Version 10 names topics by id only.
const OFFSET_COMMIT: Versions = Versions { min: 2, max: 9 };
const OFFSET_DELETE: Versions = Versions { min: 0, max: 0 };
const DELETE_GROUPS: Versions = Versions { min: 0, max: 2 };
const GROUP_KEY: i8 = 0;

impl Admin {
    /// The committed offsets of a group; of none for a group that does not exist.
    pub async fn group_offsets(&self, group: &str) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let mut cluster = self.cluster().await;
        retried!(cluster, fetch(&mut cluster, group))
    }

    /// Sets committed offsets of a group without members.
    ///
    /// *Errors*: `Kafka` with `UNKNOWN_MEMBER_ID` when the group has members, or with the partition's own code.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClientError> {
        let mut cluster = self.cluster().await;
        retried!(cluster, commit(&mut cluster, group, offsets))?.map_or(Ok(()), |error| refused(group, error))
    }

    /// Deletes committed offsets of a group that reads none of the topics.
    ///
    /// *Errors*: `Kafka` with `GROUP_SUBSCRIBED_TO_TOPIC` when the group reads the topic, or with the partition's own code.
    pub async fn delete_group_offsets(&self, group: &str, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let mut cluster = self.cluster().await;
        let outcome = retried!(cluster, delete_offsets(&mut cluster, group, partitions))?;
        outcome.map_or(Ok(()), |error| refused(group, error))
    }

    /// Deletes a group without members; a missing one is deleted already.
    ///
    /// *Errors*: `Kafka` with `NON_EMPTY_GROUP` when it has members.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let mut cluster = self.cluster().await;
        retried!(cluster, delete(&mut cluster, group))
    }
}

async fn fetch(cluster: &mut Cluster, group: &str) -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
    let mut request = OffsetFetchRequest::default();
    request.group_id = StrBytes::from(group);
    request.topics = None;
    let response = call(cluster, group, &request, OFFSET_FETCH).await?;
    check(group, response.error_code)?;
    let mut offsets = BTreeMap::new();
    let mut take = |topic: &StrBytes, partition: i32, offset: i64, code: i16| {
        let at = TopicPartition {
            topic: topic.as_str().to_owned(),
            partition,
        };
        check(group, code)?;
        if offset >= 0 {
            offsets.insert(at, offset);
        }
        Ok::<(), ClientError>(())
    };
    for topic in &response.topics {
        for part in &topic.partitions {
            take(
                &topic.name,
                part.partition_index,
                part.committed_offset,
                part.error_code,
            )?;
        }
    }
    Ok(offsets)
}

/// Answers what a partition was refused for: the same request would be refused again.
async fn commit(
    cluster: &mut Cluster,
    group: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> Result<Option<KafkaError>, ClientError> {
    let mut request = OffsetCommitRequest::default();
    request.group_id = StrBytes::from(group);
    // Of no member: only an empty group takes it.
    request.generation_id_or_member_epoch = -1;
    request.retention_time_ms = -1;
    for (at, offset) in offsets {
        let mut part = OffsetCommitRequestPartition::default();
        part.partition_index = at.partition;
        part.committed_offset = *offset;
        part.committed_leader_epoch = -1;
        part.committed_metadata = Some(StrBytes::from(""));
        // Sorted by topic: the partitions of one stand together.
        match request.topics.last_mut() {
            Some(topic) if topic.name.as_str() == at.topic => topic.partitions.push(part),
            _ => {
                let mut topic = OffsetCommitRequestTopic::default();
                topic.name = StrBytes::from(at.topic.as_str());
                topic.partitions = vec![part];
                request.topics.push(topic);
            }
        }
    }
    let response = call(cluster, group, &request, OFFSET_COMMIT).await?;
    let parts = response.topics.iter().flat_map(|topic| &topic.partitions);
    first_refusal(group, parts.map(|part| part.error_code))
}

async fn delete_offsets(
    cluster: &mut Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Option<KafkaError>, ClientError> {
    let mut request = OffsetDeleteRequest::default();
    request.group_id = StrBytes::from(group);
    for at in partitions {
        let mut part = OffsetDeleteRequestPartition::default();
        part.partition_index = at.partition;
        match request.topics.iter_mut().find(|topic| topic.name.as_str() == at.topic) {
            Some(topic) => topic.partitions.push(part),
            None => {
                let mut topic = OffsetDeleteRequestTopic::default();
                topic.name = StrBytes::from(at.topic.as_str());
                topic.partitions = vec![part];
                request.topics.push(topic);
            }
        }
    }
    let response = call(cluster, group, &request, OFFSET_DELETE).await?;
    check(group, response.error_code)?;
    let parts = response.topics.iter().flat_map(|topic| &topic.partitions);
    first_refusal(group, parts.map(|part| part.error_code))
}

async fn delete(cluster: &mut Cluster, group: &str) -> Result<(), ClientError> {
    let mut request = DeleteGroupsRequest::default();
    request.groups_names = vec![StrBytes::from(group)];
    let response = call(cluster, group, &request, DELETE_GROUPS).await?;
    let code = response.results.first().map_or(0, |result| result.error_code);
    match check(group, code) {
        Err(error) if error.code() == Some(KafkaError::GROUP_ID_NOT_FOUND) => Ok(()),
        other => other,
    }
}

/// The first code that is no success; one of the coordinator itself is an error, after which another try may succeed.
fn first_refusal(group: &str, codes: impl Iterator<Item = i16>) -> Result<Option<KafkaError>, ClientError> {
    const COORDINATOR: [i16; 3] = [14, 15, 16];
    for code in codes {
        if COORDINATOR.contains(&code) {
            check(group, code)?;
        }
        if let Some(error) = KafkaError::from_code(code) {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

fn refused(group: &str, error: KafkaError) -> Result<(), ClientError> {
    Err(ClientError::kafka(format!("offsets of group {group}"), error))
}

fn check(group: &str, code: i16) -> Result<(), ClientError> {
    KafkaError::from_code(code).map_or(Ok(()), |error| {
        Err(ClientError::kafka(format!("offsets of group {group}"), error))
    })
}

/// Asks the group's coordinator.
async fn call<R: RequestResponsePair>(
    cluster: &mut Cluster,
    group: &str,
    request: &R,
    ours: Versions,
) -> Result<R::Response, ClientError> {
    let mut asked = FindCoordinatorRequest::default();
    asked.key = StrBytes::from(group);
    asked.key_type = GROUP_KEY;
    let found = cluster.call_any(&asked, FIND_COORDINATOR).await?;
    if let Some(error) = KafkaError::from_code(found.error_code) {
        return Err(ClientError::kafka(format!("coordinator of group {group}"), error));
    }
    let address = format!("{}:{}", found.host.as_str(), found.port);
    cluster.call_address(&address, request, ours).await
}
