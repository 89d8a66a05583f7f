//! Compacted topic as a shared table: read from the beginning, then followed
//!
//! [`LogTopic::open`] finds or creates the topic; [`LogTopic::follow`] starts reading; every record goes to the handler in offset
//! order within its partition. [`CompactedLog::send`] is durable on return, [`CompactedLog::read_to_end`] waits until the handler has
//! seen all that was written before the call. Three connections at most, no threads. The parts: `reader` fetches, `writer` produces.
//! Source: `org.apache.kafka.connect.util.KafkaBasedLog`.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::admin::{self, Created, Isolation, NewTopic, OffsetSpec};
use crate::cluster::{Backoff, Cluster, TopicInfo, retried};
use crate::error::{ClientError, KafkaError};
use crate::topic_partition::TopicPartition;
use crate::wire::{WireSettings, timed_out};

mod reader;
mod writer;

/// One record of the log, borrowed while the handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord<'a> {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Called for every record, on the reading task: must not block.
pub type RecordHandler = Box<dyn FnMut(LogRecord<'_>) + Send>;

/// A record to write; the key chooses the partition as Kafka's default partitioner does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    pub key: Vec<u8>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A topic that exists, before it is read.
#[derive(Debug)]
pub struct LogTopic {
    cluster: Cluster,
    topic: TopicInfo,
    isolation: Isolation,
    /// Its `cleanup.policy`; `None` when this call created the topic, or the broker does not tell.
    pub cleanup_policy: Option<String>,
}

impl LogTopic {
    /// Finds the topic, or creates it and waits for its leaders.
    ///
    /// *Errors*: `Broker` with the broker's text when creation is refused; `Timeout`.
    pub async fn open(settings: WireSettings, topic: &NewTopic, isolation: Isolation) -> Result<Self, ClientError> {
        let mut cluster = Cluster::new(settings);
        let found = retried!(cluster, cluster.topics(Some(&[topic.name.as_str()])))?;
        let is_ready = |found: &[TopicInfo]| {
            found.first().is_some_and(|info| {
                !info.partitions.is_empty() && info.partitions.iter().all(|part| part.leader.is_some())
            })
        };
        let mut found = found;
        let mut created = Created::Existed;
        if found.is_empty() {
            created = retried!(cluster, admin::create_topic(&mut cluster, topic))?;
        }
        let timeout = cluster.settings().api_timeout;
        // Brokers learn of a new topic within milliseconds: ask soon.
        let mut backoff = Backoff::new(Duration::from_millis(2), cluster.settings(), timeout);
        while !is_ready(&found) {
            found = retried!(cluster, cluster.topics(Some(&[topic.name.as_str()])))?;
            if !is_ready(&found) && !backoff.wait().await {
                return Err(timed_out(
                    format!("waiting for topic {} to have leaders", topic.name),
                    timeout,
                ));
            }
        }
        let Some(info) = found.into_iter().next() else {
            return Err(ClientError::kafka(
                format!("topic {}", topic.name),
                KafkaError::UNKNOWN_TOPIC_OR_PARTITION,
            ));
        };
        let cleanup_policy = match created {
            Created::New => None,
            Created::Existed => read_cleanup_policy(&mut cluster, &topic.name).await?,
        };
        Ok(Self {
            cluster,
            topic: info,
            isolation,
            cleanup_policy,
        })
    }

    pub fn partitions(&self) -> usize {
        self.topic.partitions.len()
    }

    /// Reads everything written so far, then goes on following.
    ///
    /// *Errors*: `Timeout` when the end is not reached in the API timeout.
    pub async fn follow(self, handler: RecordHandler) -> Result<CompactedLog, ClientError> {
        let settings = self.cluster.settings().clone();
        let name: Arc<str> = Arc::from(self.topic.name.as_str());
        let partitions = i32::try_from(self.topic.partitions.len()).unwrap_or(i32::MAX);
        let (positions, seen) = watch::channel(vec![0; self.topic.partitions.len()]);
        let reader = reader::Reader {
            topic: Arc::clone(&name),
            settings: settings.clone(),
            isolation: self.isolation,
            positions: Arc::new(positions),
            handler: Arc::new(Mutex::new(handler)),
        };
        let (writes, inbox) = mpsc::channel(writer::INBOX_WRITES);
        let mut tasks = JoinSet::new();
        tasks.spawn(reader.run(self.topic.clone()));
        tasks.spawn(writer::Writer::new(&self.topic, settings.clone(), inbox).run());
        let log = CompactedLog {
            topic: name,
            partitions,
            isolation: self.isolation,
            api_timeout: settings.api_timeout,
            control: tokio::sync::Mutex::new(self.cluster),
            seen,
            writes,
            _tasks: tasks,
        };
        // A reader of committed records starts with what shows now: the rest follows when the transactions in the way have ended.
        log.read_to_end_of(&self.topic, log.api_timeout, log.isolation).await?;
        Ok(log)
    }
}

// A broker too old to tell, or one that forbids it, is believed, as Apache's worker does.
async fn read_cleanup_policy(cluster: &mut Cluster, topic: &str) -> Result<Option<String>, ClientError> {
    const POLICY: &str = "cleanup.policy";
    let asked = retried!(cluster, admin::topic_configs(cluster, topic, Some(&[POLICY])));
    match asked {
        Ok(mut configs) => Ok(configs.remove(POLICY).flatten()),
        Err(ClientError::Unsupported { .. }) => Ok(None),
        Err(error) if is_denied(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_denied(error: &ClientError) -> bool {
    matches!(
        error.code(),
        Some(
            KafkaError::TOPIC_AUTHORIZATION_FAILED
                | KafkaError::CLUSTER_AUTHORIZATION_FAILED
                | KafkaError::UNSUPPORTED_VERSION
        )
    )
}

/// A followed log. Dropping it stops reading and writing.
#[derive(Debug)]
pub struct CompactedLog {
    topic: Arc<str>,
    partitions: i32,
    isolation: Isolation,
    api_timeout: Duration,
    // An async lock, held across requests on purpose: it queues the callers of one connection.
    control: tokio::sync::Mutex<Cluster>,
    seen: watch::Receiver<Vec<i64>>,
    writes: mpsc::Sender<writer::Write>,
    /// Aborted when dropped.
    _tasks: JoinSet<()>,
}

impl CompactedLog {
    /// Writes records in order and answers their offsets; all are on every in-sync replica when this returns.
    ///
    /// *Errors*: a refusal for good, or `Timeout` after `timeout`. Some of the records may have been written then.
    /// *Cancel safety*: a cancelled call may still write.
    pub async fn send(&self, records: Vec<KeyValue>, timeout: Duration) -> Result<Vec<i64>, ClientError> {
        let (done, outcome) = oneshot::channel();
        let write = writer::Write { records, timeout, done };
        self.writes.send(write).await.map_err(|_| ClientError::Closed)?;
        outcome.await.map_err(|_| ClientError::Closed)?
    }

    /// Waits until the handler has seen every record written before this call; of a reader of committed records that is after the end of
    /// every transaction open now.
    ///
    /// *Errors*: `Timeout` after `timeout`.
    pub async fn read_to_end(&self, timeout: Duration) -> Result<(), ClientError> {
        let reading = async {
            let topics = {
                let mut control = self.control.lock().await;
                retried!(control, control.topics(Some(&[&self.topic])))?
            };
            match topics.first() {
                Some(topic) => {
                    // The true end for every reader: the last stable offset would hide what was committed behind an open transaction.
                    self.read_to_end_of(topic, timeout, Isolation::ReadUncommitted).await
                }
                None => Err(ClientError::kafka(
                    format!("topic {}", self.topic),
                    KafkaError::UNKNOWN_TOPIC_OR_PARTITION,
                )),
            }
        };
        let context = || format!("reading {} to its end", self.topic);
        tokio::time::timeout(timeout, reading)
            .await
            .map_err(|_| timed_out(context(), timeout))?
    }

    async fn read_to_end_of(&self, topic: &TopicInfo, limit: Duration, end: Isolation) -> Result<(), ClientError> {
        let partitions: Vec<TopicPartition> = (0..self.partitions)
            .map(|number| TopicPartition::new(&*self.topic, number))
            .collect();
        let ends = {
            let mut control = self.control.lock().await;
            let known = std::slice::from_ref(topic);
            let latest = OffsetSpec::Latest;
            match admin::list_offsets(&mut control, known, &partitions, latest, end).await {
                Err(error) if error.is_retriable() => retried!(control, async {
                    let topics = control.topics(Some(&[&self.topic])).await?;
                    admin::list_offsets(&mut control, &topics, &partitions, latest, end).await
                })?,
                outcome => outcome?,
            }
        };
        let has_reached = |positions: &Vec<i64>| {
            positions
                .iter()
                .zip(&ends)
                .all(|(position, end)| *position >= end.unwrap_or(0))
        };
        let mut seen = self.seen.clone();
        let reached = tokio::time::timeout(limit, seen.wait_for(has_reached)).await;
        let reached = reached.map_err(|_| timed_out(format!("reading {} to its end", self.topic), limit))?;
        reached.map(|_| ()).map_err(|_| ClientError::Closed)
    }

    /// Next offset of each partition as far as the handler has seen.
    pub fn positions(&self) -> Vec<i64> {
        self.seen.borrow().clone()
    }
}
