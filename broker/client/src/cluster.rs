//! Brokers of a cluster: who leads what, and connections to them
//!
//! Owned by one task; keeps one connection a broker, opens it when first needed and replaces it when broken. Each operation retries
//! retriable failures until the settings' API timeout.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use weir_protocol::messages::metadata_request::MetadataRequestTopic;
use weir_protocol::messages::{MetadataRequest, MetadataResponse, RequestResponsePair, StrBytes};

use crate::error::{ClientError, KafkaError};
use crate::wire::{Connection, Versions, WireSettings};

/// Metadata: version 4 lets the client forbid creation; 10 and up add topic ids.
const METADATA: Versions = Versions { min: 4, max: 12 };

/// One partition as the metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    pub partition: i32,
    /// `None` while an election runs.
    pub leader: Option<i32>,
    pub replicas: usize,
}

/// One topic as the metadata tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    pub name: String,
    pub is_internal: bool,
    /// In order of their numbers.
    pub partitions: Vec<PartitionInfo>,
}

/// Brokers known and connections to them.
#[derive(Debug)]
pub struct Cluster {
    settings: WireSettings,
    brokers: BTreeMap<i32, String>,
    cluster_id: Option<String>,
    controller: Option<i32>,
    connections: BTreeMap<String, Connection>,
    /// Next bootstrap server to try, so that a dead one is not always first.
    next_bootstrap: usize,
}

impl Cluster {
    /// Creates a cluster client; connects at the first call.
    pub fn new(settings: WireSettings) -> Self {
        Self {
            settings,
            brokers: BTreeMap::new(),
            cluster_id: None,
            controller: None,
            connections: BTreeMap::new(),
            next_bootstrap: 0,
        }
    }

    pub fn settings(&self) -> &WireSettings {
        &self.settings
    }

    /// The cluster's id, once metadata was read.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// Brokers that were up when metadata was last read.
    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// Asks any broker.
    pub async fn call_any<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ours: Versions,
    ) -> Result<R::Response, ClientError> {
        let address = self.any_address().await?;
        self.call_at(&address, request, ours, Duration::ZERO).await
    }

    /// Asks the controller, or any broker while it is unknown: brokers pass such requests on.
    pub async fn call_controller<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ours: Versions,
    ) -> Result<R::Response, ClientError> {
        match self.controller.and_then(|node| self.brokers.get(&node)).cloned() {
            Some(address) => self.call_at(&address, request, ours, Duration::ZERO).await,
            None => self.call_any(request, ours).await,
        }
    }

    /// Asks one broker, which may hold the answer back for `wait`.
    pub async fn call_node<R: RequestResponsePair>(
        &mut self,
        node: i32,
        request: &R,
        ours: Versions,
        wait: Duration,
    ) -> Result<R::Response, ClientError> {
        let leader_gone =
            || ClientError::kafka(format!("broker {node} is not known"), KafkaError::LEADER_NOT_AVAILABLE);
        let address = self.brokers.get(&node).cloned().ok_or_else(leader_gone)?;
        self.call_at(&address, request, ours, wait).await
    }

    /// Asks the broker at an address that another answer named.
    pub async fn call_address<R: RequestResponsePair>(
        &mut self,
        address: &str,
        request: &R,
        ours: Versions,
    ) -> Result<R::Response, ClientError> {
        self.call_at(address, request, ours, Duration::ZERO).await
    }

    async fn call_at<R: RequestResponsePair>(
        &mut self,
        address: &str,
        request: &R,
        ours: Versions,
        wait: Duration,
    ) -> Result<R::Response, ClientError> {
        // Taken out for the call: a cancelled or failed one is thus never used again.
        let mut connection = match self
            .connections
            .remove(address)
            .filter(|connection| !connection.is_broken())
        {
            Some(connection) => connection,
            None => Connection::open(address, &self.settings).await?,
        };
        let answer = connection.call_waiting(request, ours, wait).await;
        if !connection.is_broken() {
            self.connections.insert(address.to_owned(), connection);
        }
        answer
    }

    /// An address with an open connection, or the first that accepts one.
    async fn any_address(&mut self) -> Result<String, ClientError> {
        if let Some(address) = self.connections.keys().next() {
            return Ok(address.clone());
        }
        let known: Vec<String> = self.brokers.values().cloned().collect();
        let mut candidates = known;
        let start = self
            .next_bootstrap
            .checked_rem(self.settings.bootstrap.len())
            .unwrap_or(0);
        candidates.extend(
            self.settings
                .bootstrap
                .iter()
                .cycle()
                .skip(start)
                .take(self.settings.bootstrap.len())
                .cloned(),
        );
        let mut last = ClientError::config("bootstrap.servers", "", "must name at least one host:port");
        for address in candidates {
            match Connection::open(&address, &self.settings).await {
                Ok(connection) => {
                    self.connections.insert(address.clone(), connection);
                    return Ok(address);
                }
                Err(error) => last = error,
            }
        }
        self.next_bootstrap = self.next_bootstrap.wrapping_add(1);
        Err(last)
    }

    /// Reads metadata of `topics`, or of all topics; never creates one. Topics that do not exist are left out.
    pub async fn topics(&mut self, topics: Option<&[&str]>) -> Result<Vec<TopicInfo>, ClientError> {
        let mut request = MetadataRequest::default();
        request.allow_auto_topic_creation = false;
        request.topics = topics.map(|topics| topics.iter().map(|topic| requested(topic)).collect());
        let response = self.call_any(&request, METADATA).await?;
        self.remember(&response);
        let mut found = Vec::new();
        for topic in response.topics {
            let name = topic.name.map(StrBytes::into_string).unwrap_or_default();
            match KafkaError::from_code(topic.error_code) {
                None | Some(KafkaError::LEADER_NOT_AVAILABLE) => {}
                Some(KafkaError::UNKNOWN_TOPIC_OR_PARTITION) => continue,
                Some(error) => return Err(ClientError::kafka(format!("topic {name}"), error)),
            }
            let mut partitions: Vec<PartitionInfo> = topic
                .partitions
                .iter()
                .map(|partition| PartitionInfo {
                    partition: partition.partition_index,
                    leader: (partition.leader_id >= 0).then_some(partition.leader_id),
                    replicas: partition.replica_nodes.len(),
                })
                .collect();
            partitions.sort_by_key(|partition| partition.partition);
            found.push(TopicInfo {
                name,
                is_internal: topic.is_internal,
                partitions,
            });
        }
        Ok(found)
    }

    fn remember(&mut self, response: &MetadataResponse) {
        self.brokers = response
            .brokers
            .iter()
            .map(|broker| (broker.node_id, format!("{}:{}", broker.host.as_str(), broker.port)))
            .collect();
        self.cluster_id = response.cluster_id.as_ref().map(|id| id.as_str().to_owned());
        self.controller = (response.controller_id >= 0).then_some(response.controller_id);
    }
}

fn requested(topic: &str) -> MetadataRequestTopic {
    let mut entry = MetadataRequestTopic::default();
    entry.name = Some(StrBytes::from(topic));
    entry
}

/// Growing waits between attempts, until a deadline.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
    deadline: Instant,
}

impl Backoff {
    /// Starts at `first`, doubles to the settings' maximum.
    pub(crate) fn new(first: Duration, settings: &WireSettings, timeout: Duration) -> Self {
        // Far in the future rather than overflowing for "for ever".
        let deadline = Instant::now() + timeout.min(Duration::from_secs(365 * 24 * 3600));
        Self {
            next: first,
            max: settings.retry_backoff_max.max(first),
            deadline,
        }
    }

    /// Waits before the next attempt, or answers false when there is no time for one.
    pub(crate) async fn wait(&mut self) -> bool {
        if Instant::now() + self.next > self.deadline {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.max);
        true
    }
}

impl Cluster {
    /// Waits between tries of one call.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.settings.retry_backoff, &self.settings, self.settings.api_timeout)
    }
}

/// Runs an attempt until it succeeds, fails for good, or the API timeout is over; the attempt is written anew each time.
///
/// A macro because the future of a closure that borrows both the cluster and its surroundings is not provably `Send`.
macro_rules! retried {
    ($cluster:expr, $attempt:expr) => {{
        let mut backoff = $cluster.backoff();
        loop {
            match $attempt.await {
                Err(error) if ClientError::is_retriable(&error) && backoff.wait().await => {}
                outcome => break outcome,
            }
        }
    }};
}
pub(crate) use retried;
