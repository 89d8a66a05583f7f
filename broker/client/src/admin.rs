//! Administration: topics, their settings, offsets, the cluster's id
//!
//! Over raw connections, one request at a time. Each call retries retriable failures until `default.api.timeout.ms`.
//! Source: `org.apache.kafka.clients.admin.Admin`.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use weir_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use weir_protocol::messages::describe_configs_request::DescribeConfigsResource;
use weir_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use weir_protocol::messages::{
    CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, ListOffsetsRequest, StrBytes,
};

use crate::cluster::{Cluster, TopicInfo, retried};
use crate::error::{ClientError, KafkaError};
use crate::topic_partition::TopicPartition;
use crate::wire::{Versions, WireSettings};

const CREATE_TOPICS: Versions = Versions { min: 2, max: 7 };
const DELETE_TOPICS: Versions = Versions { min: 1, max: 5 };
const DESCRIBE_CONFIGS: Versions = Versions { min: 1, max: 4 };
const LIST_OFFSETS: Versions = Versions { min: 1, max: 7 };
const TOPIC_RESOURCE: i8 = 2;

/// A topic to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// −1 is the broker's default.
    pub partitions: i32,
    /// −1 is the broker's default.
    pub replication_factor: i16,
    pub configs: Vec<(String, String)>,
}

/// What came of a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    New,
    Existed,
}

/// Which offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    Earliest,
    /// The next offset to be written, or the last stable one when reading committed records only.
    Latest,
    /// The first record at or after this time.
    ForTimestamp(i64),
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

impl Isolation {
    pub(crate) fn level(self) -> i8 {
        i8::from(self == Self::ReadCommitted)
    }
}

/// An administration client; one request is under way at a time.
#[derive(Debug)]
pub struct Admin {
    // An async lock, held across requests on purpose: it queues the callers of one connection.
    cluster: Mutex<Cluster>,
}

impl Admin {
    /// Creates a client; connects at the first call.
    pub fn new(settings: WireSettings) -> Self {
        Self {
            cluster: Mutex::new(Cluster::new(settings)),
        }
    }

    pub(crate) async fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().await
    }

    /// The cluster's id; `None` when the broker has none.
    pub async fn cluster_id(&self) -> Result<Option<String>, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, cluster.topics(Some(&[])))?;
        Ok(cluster.cluster_id().map(str::to_owned))
    }

    /// How many brokers are up.
    pub async fn broker_count(&self) -> Result<usize, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, cluster.topics(Some(&[])))?;
        Ok(cluster.broker_count())
    }

    /// All topics.
    pub async fn list_topics(&self) -> Result<Vec<TopicInfo>, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, cluster.topics(None))
    }

    /// The topics among `names` that exist.
    pub async fn describe_topics(&self, names: &[&str]) -> Result<Vec<TopicInfo>, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, cluster.topics(Some(names)))
    }

    /// Creates one topic.
    ///
    /// *Errors*: `Broker` with the broker's own text (bad replication factor, policy, authorisation).
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<Created, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, create_topic(&mut cluster, topic))
    }

    /// Deletes one topic; one that does not exist is an error.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        let mut cluster = self.cluster.lock().await;
        delete_topic(&mut cluster, name).await
    }

    /// The settings of a topic, defaults included.
    pub async fn topic_configs(&self, name: &str) -> Result<BTreeMap<String, Option<String>>, ClientError> {
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, topic_configs(&mut cluster, name, None))
    }

    /// Offsets of partitions, in the order asked; `None` where no record fits.
    pub async fn offsets(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        isolation: Isolation,
    ) -> Result<Vec<Option<i64>>, ClientError> {
        let mut topics: Vec<&str> = partitions.iter().map(|partition| partition.topic.as_str()).collect();
        topics.dedup();
        let mut cluster = self.cluster.lock().await;
        retried!(cluster, async {
            let topics = cluster.topics(Some(&topics)).await?;
            list_offsets(&mut cluster, &topics, partitions, spec, isolation).await
        })
    }
}

pub(crate) async fn create_topic(cluster: &mut Cluster, topic: &NewTopic) -> Result<Created, ClientError> {
    let mut entry = CreatableTopic::default();
    entry.name = StrBytes::from(topic.name.as_str());
    entry.num_partitions = topic.partitions;
    entry.replication_factor = topic.replication_factor;
    for (name, value) in &topic.configs {
        let mut config = CreatableTopicConfig::default();
        config.name = StrBytes::from(name.as_str());
        config.value = Some(StrBytes::from(value.as_str()));
        entry.configs.push(config);
    }
    let mut request = CreateTopicsRequest::default();
    request.topics = vec![entry];
    request.timeout_ms = timeout_ms(cluster);
    let response = cluster.call_controller(&request, CREATE_TOPICS).await?;
    let result = response.topics.into_iter().next();
    let (code, message) = result.map_or((0, None), |result| (result.error_code, result.error_message));
    match KafkaError::from_code(code) {
        None => Ok(Created::New),
        Some(KafkaError::TOPIC_ALREADY_EXISTS) => Ok(Created::Existed),
        Some(error) => Err(broker_error(error, message, || {
            format!("creation of topic {}", topic.name)
        })),
    }
}

async fn delete_topic(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let mut request = DeleteTopicsRequest::default();
    request.topic_names = vec![StrBytes::from(name)];
    request.timeout_ms = timeout_ms(cluster);
    let response = cluster.call_controller(&request, DELETE_TOPICS).await?;
    let result = response.responses.into_iter().next();
    let (code, message) = result.map_or((0, None), |result| (result.error_code, result.error_message));
    match KafkaError::from_code(code) {
        None => Ok(()),
        Some(error) => Err(broker_error(error, message, || format!("deletion of topic {name}"))),
    }
}

/// Reads settings of a topic: all, or those named.
pub(crate) async fn topic_configs(
    cluster: &mut Cluster,
    topic: &str,
    names: Option<&[&str]>,
) -> Result<BTreeMap<String, Option<String>>, ClientError> {
    let mut resource = DescribeConfigsResource::default();
    resource.resource_type = TOPIC_RESOURCE;
    resource.resource_name = StrBytes::from(topic);
    resource.configuration_keys = names.map(|names| names.iter().map(|name| StrBytes::from(*name)).collect());
    let mut request = DescribeConfigsRequest::default();
    request.resources = vec![resource];
    let response = cluster.call_any(&request, DESCRIBE_CONFIGS).await?;
    let Some(result) = response.results.into_iter().next() else {
        return Ok(BTreeMap::new());
    };
    if let Some(error) = KafkaError::from_code(result.error_code) {
        return Err(broker_error(error, result.error_message, || {
            format!("settings of topic {topic}")
        }));
    }
    Ok(result
        .configs
        .into_iter()
        .map(|config| (config.name.into_string(), config.value.map(StrBytes::into_string)))
        .collect())
}

/// Asks the leaders named by `topics`, one request a leader.
pub(crate) async fn list_offsets(
    cluster: &mut Cluster,
    topics: &[TopicInfo],
    partitions: &[TopicPartition],
    spec: OffsetSpec,
    isolation: Isolation,
) -> Result<Vec<Option<i64>>, ClientError> {
    let mut by_leader: BTreeMap<i32, Vec<(usize, &TopicPartition)>> = BTreeMap::new();
    for (index, partition) in partitions.iter().enumerate() {
        by_leader
            .entry(leader_of(topics, partition)?)
            .or_default()
            .push((index, partition));
    }
    let mut offsets = vec![None; partitions.len()];
    for (leader, asked) in by_leader {
        let request = offsets_request(&asked, spec, isolation, timeout_ms(cluster));
        let response = cluster
            .call_node(leader, &request, LIST_OFFSETS, Duration::ZERO)
            .await?;
        for topic in response.topics {
            for answer in topic.partitions {
                let is_asked = |partition: &TopicPartition| {
                    partition.topic == topic.name.as_str() && partition.partition == answer.partition_index
                };
                let Some((index, partition)) = asked.iter().find(|(_, partition)| is_asked(partition)) else {
                    continue;
                };
                if let Some(error) = KafkaError::from_code(answer.error_code) {
                    return Err(ClientError::kafka(format!("offset of {partition}"), error));
                }
                if let Some(slot) = offsets.get_mut(*index) {
                    *slot = (answer.offset >= 0).then_some(answer.offset);
                }
            }
        }
    }
    Ok(offsets)
}

fn offsets_request(
    asked: &[(usize, &TopicPartition)],
    spec: OffsetSpec,
    isolation: Isolation,
    timeout_ms: i32,
) -> ListOffsetsRequest {
    let mut request = ListOffsetsRequest::default();
    request.replica_id = -1;
    request.isolation_level = isolation.level();
    request.timeout_ms = timeout_ms;
    for (_, partition) in asked {
        let mut entry = ListOffsetsPartition::default();
        entry.partition_index = partition.partition;
        entry.current_leader_epoch = -1;
        entry.timestamp = match spec {
            OffsetSpec::Earliest => -2,
            OffsetSpec::Latest => -1,
            OffsetSpec::ForTimestamp(timestamp) => timestamp,
        };
        match request
            .topics
            .iter_mut()
            .find(|topic| topic.name.as_str() == partition.topic)
        {
            Some(topic) => topic.partitions.push(entry),
            None => {
                let mut topic = ListOffsetsTopic::default();
                topic.name = StrBytes::from(partition.topic.as_str());
                topic.partitions = vec![entry];
                request.topics.push(topic);
            }
        }
    }
    request
}

fn leader_of(topics: &[TopicInfo], partition: &TopicPartition) -> Result<i32, ClientError> {
    let unknown = |error| ClientError::kafka(format!("offset of {partition}"), error);
    let topic = topics.iter().find(|topic| topic.name == partition.topic);
    let topic = topic.ok_or_else(|| unknown(KafkaError::UNKNOWN_TOPIC_OR_PARTITION))?;
    let info = topic
        .partitions
        .iter()
        .find(|info| info.partition == partition.partition);
    let info = info.ok_or_else(|| unknown(KafkaError::UNKNOWN_TOPIC_OR_PARTITION))?;
    info.leader.ok_or_else(|| unknown(KafkaError::LEADER_NOT_AVAILABLE))
}

fn broker_error(error: KafkaError, message: Option<StrBytes>, context: impl FnOnce() -> String) -> ClientError {
    match message {
        Some(message) => ClientError::Broker {
            error,
            message: message.into_string(),
        },
        None => ClientError::kafka(context(), error),
    }
}

fn timeout_ms(cluster: &Cluster) -> i32 {
    i32::try_from(cluster.settings().request_timeout.as_millis()).unwrap_or(i32::MAX)
}
