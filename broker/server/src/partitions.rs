//! All partitions by topic name and id, and the way into their logs.
//!
//! Handlers and the group coordinator come here: look a partition up, append to it, read from it.
//! The topic map is an immutable snapshot swapped by `cluster.rs`; a lookup takes no lock.
//! Appends go to the writer shard of the partition in call order, so whoever calls `append` under
//! an own lock keeps that order in the log.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use weir_protocol::messages::Uuid;
use weir_protocol::records::validate::BatchFacts;

use crate::append::{Ack, AppendError, AppendFuture};
use crate::flusher::Flusher;
use crate::partition::{LogEnvironment, PartitionHandle};
use crate::shard::WriterShards;
use crate::topic_config::TopicConfig;

/// A topic and its partitions; replaced as a whole when it grows or its config changes.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) config: Arc<TopicConfig>,
    /// Indexed by partition number.
    pub(crate) partitions: Vec<Arc<PartitionHandle>>,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Arc<PartitionHandle>> {
        usize::try_from(index).ok().and_then(|at| self.partitions.get(at))
    }

    /// Whether clients may only read it (`__consumer_offsets`, `__transaction_state`).
    pub(crate) fn is_internal(&self) -> bool {
        is_internal_name(&self.name)
    }
}

/// Whether `name` belongs to a coordinator.
pub(crate) fn is_internal_name(name: &str) -> bool {
    name == GROUP_OFFSETS_TOPIC || name == TRANSACTION_STATE_TOPIC
}

/// Where the group coordinator keeps groups and offsets.
pub(crate) const GROUP_OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Where the transaction coordinator keeps transactional ids.
pub(crate) const TRANSACTION_STATE_TOPIC: &str = "__transaction_state";

/// A snapshot of every topic.
#[derive(Debug, Default, Clone)]
pub(crate) struct TopicMap {
    by_name: HashMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl TopicMap {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub(crate) fn get_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// All topics in order of their names.
    pub(crate) fn sorted(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.by_name.values().cloned().collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        topics
    }

    pub(crate) fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.by_name.remove(name)?;
        self.by_id.remove(&topic.id);
        Some(topic)
    }
}

/// Every partition of this broker.
#[derive(Debug)]
pub(crate) struct Partitions {
    topics: ArcSwap<TopicMap>,
    environment: Arc<LogEnvironment>,
    shards: WriterShards,
    flusher: Arc<Flusher>,
}

impl Partitions {
    pub(crate) fn new(environment: Arc<LogEnvironment>, shards: WriterShards, flusher: Arc<Flusher>) -> Self {
        Self {
            topics: ArcSwap::default(),
            environment,
            shards,
            flusher,
        }
    }

    /// The topics as they are now.
    pub(crate) fn topics(&self) -> Arc<TopicMap> {
        self.topics.load_full()
    }

    pub(crate) fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.load().get(name).cloned()
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<Arc<PartitionHandle>> {
        self.topics
            .load()
            .get(topic)
            .and_then(|topic| topic.partition(index))
            .cloned()
    }

    /// Swaps in an edited copy of the topic map. Callers hold the cluster's lock.
    pub(crate) fn change(&self, edit: impl FnOnce(&mut TopicMap)) {
        let mut topics = TopicMap::clone(&self.topics.load());
        edit(&mut topics);
        self.topics.store(Arc::new(topics));
    }

    /// A handle for a partition whose log is opened when it is needed.
    pub(crate) fn handle(
        &self,
        topic: &Arc<str>,
        topic_id: Uuid,
        index: i32,
        config: &Arc<TopicConfig>,
    ) -> Arc<PartitionHandle> {
        let environment = Arc::clone(&self.environment);
        let (topic, config) = (Arc::clone(topic), Arc::clone(config));
        Arc::new(PartitionHandle::new(topic, topic_id, index, config, environment))
    }

    /// Queues a validated batch for its partition's writer. Batches of one partition are written
    /// in the order of these calls.
    pub(crate) fn append(
        &self,
        partition: &Arc<PartitionHandle>,
        batch: BytesMut,
        facts: BatchFacts,
        ack: Ack,
    ) -> AppendFuture {
        let (job, future) = AppendFuture::job(batch, facts, ack);
        self.shards.submit(Arc::clone(partition), job);
        future
    }

    /// Appends a batch that a coordinator built; resolves when it is durable by the flush policy.
    /// The order of calls is the order in the log, also when the futures are awaited later.
    ///
    /// # Errors
    /// What the client of the coordinator should be told; a batch that does not parse is a bug of
    /// the caller and is refused as corrupt.
    pub(crate) fn append_internal(
        &self,
        partition: &Arc<PartitionHandle>,
        batch: BytesMut,
    ) -> Result<AppendFuture, AppendError> {
        let facts =
            BatchFacts::of_trusted(&batch).map_err(|error| AppendError::new(error.code(), error.to_string()))?;
        Ok(self.append(partition, batch, facts, Ack::Durable))
    }

    /// Syncs what a consumer waits for, without waiting out the flush delay.
    pub(crate) fn flush_soon(&self, partition: &Arc<PartitionHandle>) {
        self.flusher.request_urgent(partition);
    }

    /// Ends the writer threads once what is queued is written.
    pub(crate) fn stop_writers(&self) {
        self.shards.stop();
    }
}
