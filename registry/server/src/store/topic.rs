//! The schemas topic: found or made, read to its end, followed, written
//!
//! A write is durable on every in-sync replica and read back into the cache before it counts. Exactly one task writes (`registry::writer`).
//! Source: `KafkaStore`, `KafkaStoreReaderThread`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{mpsc, watch};
use weir_client::admin::{Admin, Isolation, NewTopic};
use weir_client::compacted_log::{CompactedLog, KeyValue, LogRecord, LogTopic};
use weir_client::error::{ClientError, KafkaError};
use weir_client::wire::WireSettings;

use crate::error::RegistryError;
use crate::store::cache::{Applied, Cache};
use crate::store::records::{Record, Unread};

/// Kafka's codes for a record that no broker takes.
const TOO_LARGE: [KafkaError; 2] = [KafkaError { code: 10 }, KafkaError { code: 18 }];

/// How the topic is reached.
#[derive(Debug, Clone)]
pub(crate) struct TopicSettings {
    pub(crate) wire: WireSettings,
    /// Its replication factor is the most that is asked for.
    pub(crate) topic: NewTopic,
    pub(crate) checks: Checks,
    /// How long one write may take with all its retries.
    pub(crate) write_timeout: Duration,
}

/// What becomes of a topic with wrong settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checks {
    Refuse,
    Skip,
}

/// A write that did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("the record is too large")]
    TooLarge,
    #[error("{0}")]
    TimedOut(String),
    #[error(transparent)]
    Failed(#[from] ClientError),
}

/// The topic, followed.
#[derive(Debug)]
pub(crate) struct SchemasTopic {
    log: CompactedLog,
    /// Next offset that the cache has not seen.
    applied: watch::Receiver<i64>,
    write_timeout: Duration,
}

impl SchemasTopic {
    /// Opens the topic and fills the cache; answers when all that was written before is in it.
    ///
    /// Records that contradict earlier ones are sent to `repairs` with what should stand there instead.
    ///
    /// *Errors*: `Topic` for one that would lose schemas; `Kafka` when no broker answers in time.
    pub(crate) async fn open(
        settings: &TopicSettings,
        cache: Arc<RwLock<Cache>>,
        repairs: mpsc::Sender<Record>,
    ) -> Result<Self, RegistryError> {
        let topic = find_or_create(settings).await?;
        let is_loaded = Arc::new(AtomicBool::new(false));
        let (progress, applied) = watch::channel(0);
        let follower = Follower {
            cache,
            progress,
            repairs,
            is_loaded: Arc::clone(&is_loaded),
        };
        let log = topic
            .follow(follower.into_handler())
            .await
            .map_err(|source| RegistryError::Kafka {
                context: format!("cannot read topic {} to its end", settings.topic.name),
                source,
            })?;
        is_loaded.store(true, Ordering::Release);
        Ok(Self {
            log,
            applied,
            write_timeout: settings.write_timeout,
        })
    }

    /// Writes records in order and waits until the cache has them.
    ///
    /// *Errors*: after any of them the records may still arrive: see [`SchemasTopic::catch_up`].
    pub(crate) async fn append(&self, records: &[Record]) -> Result<(), WriteError> {
        let bytes: Vec<KeyValue> = records.iter().map(Record::to_bytes).collect();
        let writing = async {
            let offsets = self.log.send(bytes, self.write_timeout).await?;
            let Some(last) = offsets.last() else {
                return Ok(());
            };
            let mut applied = self.applied.clone();
            applied
                .wait_for(|next| next > last)
                .await
                .map_err(|_| ClientError::Closed)?;
            Ok(())
        };
        match tokio::time::timeout(self.write_timeout, writing).await {
            Err(_elapsed) => Err(WriteError::TimedOut(format!(
                "no answer within {} ms",
                self.write_timeout.as_millis()
            ))),
            Ok(Err(error)) => Err(sorted(error)),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// Writes a marker after everything that is still under way and waits until the cache has passed it.
    pub(crate) async fn catch_up(&self) -> Result<(), WriteError> {
        self.append(&[Record::Noop]).await
    }
}

fn sorted(error: ClientError) -> WriteError {
    if error.code().is_some_and(|code| TOO_LARGE.contains(&code)) {
        return WriteError::TooLarge;
    }
    match error {
        ClientError::Timeout { .. } => WriteError::TimedOut(error.to_string()),
        other => WriteError::Failed(other),
    }
}

async fn find_or_create(settings: &TopicSettings) -> Result<LogTopic, RegistryError> {
    let name = &settings.topic.name;
    let failed = |source: ClientError| RegistryError::Kafka {
        context: format!("cannot find or create topic {name}"),
        source,
    };
    let admin = Admin::new(settings.wire.clone());
    let brokers = admin.broker_count().await.map_err(failed)?;
    let mut topic = settings.topic.clone();
    let wanted = topic.replication_factor;
    topic.replication_factor = i16::try_from(brokers).unwrap_or(i16::MAX).min(wanted).max(1);
    if topic.replication_factor < wanted {
        tracing::info!(topic = %name, wanted, brokers, "fewer brokers than the replication factor of the schemas topic");
    }
    let opened = LogTopic::open(settings.wire.clone(), &topic, Isolation::ReadUncommitted)
        .await
        .map_err(failed)?;
    let faults = faults(name, opened.partitions(), opened.cleanup_policy.as_deref());
    for fault in faults {
        match settings.checks {
            Checks::Refuse => return Err(RegistryError::Topic(fault)),
            Checks::Skip => tracing::warn!("{fault}"),
        }
    }
    Ok(opened)
}

/// What would lose schemas or mix up their order.
fn faults(name: &str, partitions: usize, cleanup_policy: Option<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    if partitions != 1 {
        faults.push(format!(
            "The schema topic {name} should have only 1 partition but has {partitions}"
        ));
    }
    if let Some(policy) = cleanup_policy.filter(|policy| *policy != "compact") {
        faults.push(format!(
            "The retention policy of the schema topic {name} is incorrect. You must configure the topic to 'compact' cleanup policy to \
             avoid Kafka deleting your schemas after a week. Refer to Kafka documentation for more details on cleanup policies \
             (cleanup.policy is {policy})"
        ));
    }
    faults
}

/// Takes records off the topic into the cache.
struct Follower {
    cache: Arc<RwLock<Cache>>,
    progress: watch::Sender<i64>,
    repairs: mpsc::Sender<Record>,
    /// Contradictions in what was written before this start are left as they are.
    is_loaded: Arc<AtomicBool>,
}

impl Follower {
    fn into_handler(self) -> weir_client::compacted_log::RecordHandler {
        Box::new(move |record| self.take(record))
    }

    fn take(&self, record: LogRecord<'_>) {
        let offset = record.offset;
        match Record::parse(record.key.unwrap_or_default(), record.value) {
            Ok(parsed) => {
                let applied = self.cache.write().apply(parsed, record.timestamp);
                if let Applied::Conflict { id, restore } = applied {
                    self.refuse(offset, id, *restore);
                }
            }
            Err(Unread::UnknownKind(keytype)) => {
                tracing::info!(
                    offset,
                    keytype,
                    "record of another kind in the schemas topic passed over"
                );
            }
            Err(Unread::Malformed(reason)) => {
                tracing::warn!(
                    offset,
                    reason,
                    "record in the schemas topic cannot be read and is passed over"
                );
            }
        }
        self.progress.send_replace(offset.saturating_add(1));
    }

    fn refuse(&self, offset: i64, id: i32, restore: Record) {
        tracing::error!(
            offset,
            id,
            "record in the schemas topic gives an id to a second schema and is passed over"
        );
        // A full queue loses only a repair; the cache is right anyway.
        if self.is_loaded.load(Ordering::Acquire) && self.repairs.try_send(restore).is_err() {
            tracing::warn!(offset, "too many contradictions at once, this one is not written back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_would_lose_schemas_is_refused() {
        assert_eq!(faults("_schemas", 1, Some("compact")), Vec::<String>::new());
        assert_eq!(faults("_schemas", 1, None), Vec::<String>::new());
        assert_eq!(
            faults("_schemas", 3, None),
            ["The schema topic _schemas should have only 1 partition but has 3"]
        );
        for policy in ["delete", "compact,delete"] {
            let faults = faults("_schemas", 1, Some(policy));
            assert!(
                faults[0].contains(policy) && faults[0].contains("'compact'"),
                "{faults:?}"
            );
        }
    }
}
