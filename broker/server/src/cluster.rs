//! The cluster as one broker sees it: topics made, grown, configured, deleted.
//!
//! A change is checked, synced to the metadata log, then shown in the topic map, in that order and
//! under one lock, so whoever hears of a topic can use it. Changes block on the disk: they run on
//! the blocking pool, never on a connection's thread. Reading topics is `partitions.rs`'s, without
//! a lock.
//! Source of rules and texts: Kafka's `ReplicationControlManager`.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_config::error::ConfigError;
use weir_protocol::error_code::ErrorCode;

use crate::broker_config::BrokerConfig;
use crate::metadata_log::{Entry, MetadataLog, TopicRecord};
use crate::partition::PartitionHandle;
use crate::partitions::{Partitions, Topic, is_internal_name};
use crate::topic_config::{Overrides, TopicConfig};
use crate::uuid_text;

/// Partitions of one topic; Kafka has no bound, but each costs memory and a metadata row.
const MAX_PARTITIONS: i32 = 10_000;
const MAX_NAME_BYTES: usize = 249;

/// A topic to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    pub(crate) overrides: Overrides,
}

/// Why a change was refused, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
}

impl TopicError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn unknown_topic() -> Self {
        Self::new(
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            "This server does not host this topic-partition.",
        )
    }
}

impl From<ConfigError> for TopicError {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorCode::INVALID_CONFIG, error.to_string())
    }
}

impl From<std::io::Error> for TopicError {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "metadata log cannot be written");
        Self::new(
            ErrorCode::KAFKA_STORAGE_ERROR,
            format!("metadata cannot be written: {error}"),
        )
    }
}

/// Whether a change is made or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Apply,
    ValidateOnly,
}

/// What the whole cluster is, and the only way to change it.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) node_id: i32,
    pub(crate) cluster_id: String,
    config: Arc<BrokerConfig>,
    partitions: Arc<Partitions>,
    metadata: Mutex<MetadataLog>,
}

impl Cluster {
    /// Takes over the metadata log and shows its topics.
    ///
    /// # Errors
    /// A topic whose settings this broker can no longer keep.
    pub(crate) fn new(
        cluster_id: String,
        config: Arc<BrokerConfig>,
        partitions: Arc<Partitions>,
        metadata: MetadataLog,
    ) -> Result<Self, ConfigError> {
        let node_id = config.node_id;
        let cluster = Self {
            node_id,
            cluster_id,
            config,
            partitions,
            metadata: Mutex::new(metadata),
        };
        let records: Vec<TopicRecord> = cluster.metadata.lock().state().topics.values().cloned().collect();
        let mut topics = Vec::with_capacity(records.len());
        for record in records {
            topics.push(cluster.build(&record, &[])?);
        }
        cluster
            .partitions
            .change(|map| topics.into_iter().for_each(|topic| map.insert(topic)));
        Ok(cluster)
    }

    /// Runs a change where it may block on the disk.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> T {
        let cluster = Arc::clone(self);
        match tokio::task::spawn_blocking(move || change(&cluster)).await {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Makes topics with one sync for all; each is made or refused by itself.
    pub(crate) fn create(&self, topics: Vec<NewTopic>, mode: Mode) -> Vec<Result<Arc<Topic>, TopicError>> {
        let mut metadata = self.metadata.lock();
        let mut built: Vec<Result<Arc<Topic>, TopicError>> = Vec::with_capacity(topics.len());
        let mut entries = Vec::new();
        for topic in topics {
            let earlier = built.iter().flatten().map(|topic| &*topic.name);
            let checked = self.check_new(&topic, earlier).and_then(|()| {
                let record = TopicRecord {
                    id: uuid_text::fresh(),
                    partitions: topic.partitions.unsigned_abs(),
                    name: topic.name,
                    overrides: topic.overrides,
                };
                let topic = self.build(&record, &[])?;
                entries.push(Entry::Topic(record));
                Ok(topic)
            });
            built.push(checked);
        }
        if mode == Mode::ValidateOnly || entries.is_empty() {
            return built;
        }
        if let Err(error) = metadata.append(entries) {
            let error = TopicError::from(error);
            return built.into_iter().map(|topic| topic.and(Err(error.clone()))).collect();
        }
        self.partitions
            .change(|map| built.iter().flatten().for_each(|topic| map.insert(Arc::clone(topic))));
        for topic in built.iter().flatten() {
            tracing::info!(
                topic = &*topic.name,
                partitions = topic.partitions.len(),
                "topic created"
            );
        }
        built
    }

    /// The topic, made with the given settings if it does not exist. For coordinators.
    ///
    /// # Errors
    /// The metadata log cannot be written.
    pub(crate) fn ensure(&self, topic: NewTopic) -> Result<Arc<Topic>, TopicError> {
        let name = topic.name.clone();
        if let Some(existing) = self.partitions.topic(&name) {
            return Ok(existing);
        }
        match self.create(vec![topic], Mode::Apply).pop() {
            // Someone else made it in between.
            Some(Err(error)) if error.code == ErrorCode::TOPIC_ALREADY_EXISTS => {
                self.partitions.topic(&name).ok_or_else(TopicError::unknown_topic)
            }
            Some(outcome) => outcome,
            None => Err(TopicError::unknown_topic()),
        }
    }

    /// Deletes a topic and its logs; answers what it was.
    ///
    /// # Errors
    /// Unknown topic, deletion switched off, or the disk's.
    pub(crate) fn delete(&self, name: &str) -> Result<Arc<Topic>, TopicError> {
        if !self.config.topics.delete_enabled {
            return Err(TopicError::new(
                ErrorCode::TOPIC_DELETION_DISABLED,
                "Topic deletion is disabled.",
            ));
        }
        let mut metadata = self.metadata.lock();
        let topic = self.partitions.topic(name).ok_or_else(TopicError::unknown_topic)?;
        metadata.append(vec![Entry::TopicDeleted(topic.id)])?;
        self.partitions.change(|map| {
            map.remove(name);
        });
        for partition in &topic.partitions {
            partition.delete();
        }
        tracing::info!(topic = name, "topic deleted");
        Ok(topic)
    }

    /// Grows a topic to `count` partitions.
    ///
    /// # Errors
    /// Unknown topic, a count that is no growth, or the disk's.
    pub(crate) fn grow(&self, name: &str, count: i32, mode: Mode) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock();
        let topic = self.partitions.topic(name).ok_or_else(TopicError::unknown_topic)?;
        let present = topic.partitions.len();
        let invalid = |text: String| Err(TopicError::new(ErrorCode::INVALID_PARTITIONS, text));
        let wanted = usize::try_from(count).unwrap_or(0);
        if wanted == present {
            return invalid(format!("Topic already has {present} partition(s)."));
        }
        if wanted < present {
            return invalid(format!(
                "The topic {name} currently has {present} partition(s); {count} would not be an increase."
            ));
        }
        check_partition_count(count)?;
        if mode == Mode::Apply {
            let record = TopicRecord {
                partitions: count.unsigned_abs(),
                ..record_of(&topic)
            };
            self.replace(&mut metadata, &topic, record)?;
        }
        Ok(())
    }

    /// Gives a topic other settings; they hold for the next append, without a restart.
    ///
    /// # Errors
    /// Unknown topic, a setting that does not fit, or the disk's.
    pub(crate) fn configure(
        &self,
        name: &str,
        edit: impl FnOnce(&Overrides) -> Result<Overrides, TopicError>,
        mode: Mode,
    ) -> Result<(), TopicError> {
        let mut metadata = self.metadata.lock();
        let topic = self.partitions.topic(name).ok_or_else(TopicError::unknown_topic)?;
        let overrides = edit(&topic.config.overrides)?;
        TopicConfig::resolve(overrides.clone(), &self.config.given)?;
        if mode == Mode::Apply {
            self.replace(
                &mut metadata,
                &topic,
                TopicRecord {
                    overrides,
                    ..record_of(&topic)
                },
            )?;
        }
        Ok(())
    }

    /// Reserves a block of producer ids and answers its first; never answered again.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn reserve_producer_ids(&self, count: i64) -> Result<i64, TopicError> {
        let mut metadata = self.metadata.lock();
        let first = metadata.state().next_producer_id;
        metadata.append(vec![Entry::NextProducerId(first + count)])?;
        Ok(first)
    }

    fn replace(&self, metadata: &mut MetadataLog, topic: &Topic, record: TopicRecord) -> Result<(), TopicError> {
        let replaced = self.build(&record, &topic.partitions)?;
        metadata.append(vec![Entry::Topic(record)])?;
        for partition in &topic.partitions {
            partition.configure(Arc::clone(&replaced.config));
        }
        self.partitions.change(|map| map.insert(replaced));
        Ok(())
    }

    /// The topic of a record, keeping the partitions it has already.
    fn build(&self, record: &TopicRecord, existing: &[Arc<PartitionHandle>]) -> Result<Arc<Topic>, ConfigError> {
        let config = Arc::new(TopicConfig::resolve(record.overrides.clone(), &self.config.given)?);
        let name: Arc<str> = Arc::from(record.name.as_str());
        let partitions = (0..record.partitions)
            .map(|index| match existing.get(index as usize) {
                Some(partition) => Arc::clone(partition),
                None => self.partitions.handle(&name, record.id, index as i32, &config),
            })
            .collect();
        Ok(Arc::new(Topic {
            name,
            id: record.id,
            config,
            partitions,
        }))
    }

    fn check_new<'a>(&self, topic: &NewTopic, mut earlier: impl Iterator<Item = &'a str>) -> Result<(), TopicError> {
        check_name(&topic.name)?;
        check_partition_count(topic.partitions)?;
        let topics = self.partitions.topics();
        if topics.get(&topic.name).is_some() || earlier.any(|name| name == topic.name) {
            return Err(TopicError::new(
                ErrorCode::TOPIC_ALREADY_EXISTS,
                format!("Topic '{}' already exists.", topic.name),
            ));
        }
        // Only a name with one of the two can collide with another.
        if topic.name.contains(['.', '_']) && !is_internal_name(&topic.name) {
            let collides = |other: &str| same_metric_name(other, &topic.name);
            if let Some(other) = topics.iter().find(|other| collides(&other.name)) {
                return Err(TopicError::new(
                    ErrorCode::INVALID_TOPIC_EXCEPTION,
                    format!("Topic '{}' collides with existing topic: {}", topic.name, other.name),
                ));
            }
        }
        Ok(())
    }
}

fn record_of(topic: &Topic) -> TopicRecord {
    TopicRecord {
        id: topic.id,
        name: topic.name.to_string(),
        partitions: topic.partitions.len() as u32,
        overrides: topic.config.overrides.clone(),
    }
}

fn same_metric_name(one: &str, other: &str) -> bool {
    let flat = |byte: u8| if byte == b'.' { b'_' } else { byte };
    one.len() == other.len() && one.bytes().map(flat).eq(other.bytes().map(flat))
}

fn check_partition_count(count: i32) -> Result<(), TopicError> {
    let refuse = |text: &str| Err(TopicError::new(ErrorCode::INVALID_PARTITIONS, text));
    if count <= 0 {
        return refuse("Number of partitions must be larger than 0.");
    }
    if count > MAX_PARTITIONS {
        return refuse("Number of partitions must not be larger than 10000.");
    }
    Ok(())
}

/// Checks the name of a topic.
///
/// # Errors
/// INVALID_TOPIC_EXCEPTION with Kafka's text.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let refuse = |text: String| Err(TopicError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, text));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() {
        return refuse("Topic name is invalid: the empty string is not allowed".to_owned());
    }
    if name == "." || name == ".." {
        return refuse("Topic name is invalid: '.' or '..' is not allowed".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return refuse(format!(
            "Topic name is invalid: the length of '{}' is longer than the max allowed length {MAX_NAME_BYTES}",
            name.chars().take(MAX_NAME_BYTES).collect::<String>()
        ));
    }
    if !name.bytes().all(legal) {
        return refuse(format!(
            "Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafka() {
        for good in ["a", "A-b_c.9", &"x".repeat(249), "__hidden"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ü", &"x".repeat(250)] {
            assert_eq!(check_name(bad).unwrap_err().code, ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        assert!(same_metric_name("a.b", "a_b"));
        assert!(!same_metric_name("a.b", "a-b"));
    }
}
