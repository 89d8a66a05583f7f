//! Offset store: the offsets topic, a file, or memory
//!
//! A cheap handle on one table in memory. `write` is durable on return; `read` answers from the table. Source: `OffsetBackingStore`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use weir_client::admin::Isolation;
use weir_client::compacted_log::{CompactedLog, KeyValue, LogRecord};
use weir_client::wire::WireSettings;

use crate::error::StoreError;
use crate::internal_topic::InternalTopic;
use crate::offsets::file;
use crate::offsets::table::{OffsetRecord, OffsetTable};

/// How long a write may be tried; the task's own commit timeout usually ends the wait before.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// Longer than an abandoned transaction stays open, which readers of committed offsets wait for.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// A changed offset as JSON texts: partition, and offset or `None` to delete it.
pub type OffsetChange = (Option<String>, Option<String>);

/// Source offsets of all connectors; clones share them.
#[derive(Debug, Clone)]
pub struct OffsetStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    table: Arc<Mutex<OffsetTable>>,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Memory,
    // The lock keeps one replacement of the file at a time.
    File {
        path: PathBuf,
        turn: tokio::sync::Mutex<()>,
    },
    Topic {
        topic: InternalTopic,
        wire: Box<WireSettings>,
        isolation: Isolation,
        log: OnceCell<Box<CompactedLog>>,
    },
}

impl OffsetStore {
    /// A store that forgets everything when the process ends.
    pub fn memory() -> Self {
        Self::with(Backend::Memory)
    }

    /// A store in Java's offset file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::with(Backend::File {
            path: path.into(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// A store on the offsets topic.
    pub fn topic(topic: InternalTopic, wire: WireSettings, isolation: Isolation) -> Self {
        Self::with(Backend::Topic {
            topic,
            wire: Box::new(wire),
            isolation,
            log: OnceCell::new(),
        })
    }

    /// A store on another topic that is created with the settings of this one's; `None` unless this store is on a topic.
    #[must_use]
    pub fn on_topic(&self, name: &str, wire: WireSettings) -> Option<Self> {
        let Backend::Topic { topic, isolation, .. } = &self.inner.backend else {
            return None;
        };
        let mut topic = topic.clone();
        name.clone_into(&mut topic.topic.name);
        Some(Self::topic(topic, wire, *isolation))
    }

    /// The topic, when the store is on one.
    pub fn topic_name(&self) -> Option<&str> {
        match &self.inner.backend {
            Backend::Topic { topic, .. } => Some(&topic.topic.name),
            Backend::Memory | Backend::File { .. } => None,
        }
    }

    fn with(backend: Backend) -> Self {
        Self {
            inner: Arc::new(Inner {
                table: Arc::new(Mutex::new(OffsetTable::default())),
                backend,
            }),
        }
    }

    /// Reads everything stored so far.
    ///
    /// *Errors*: `File`, `Format`, `Topic`, or `Client` when no broker answers in time.
    pub async fn start(&self) -> Result<(), StoreError> {
        match &self.inner.backend {
            Backend::Memory => Ok(()),
            Backend::File { path, .. } => {
                let read = path.clone();
                let entries = blocking(move || file::read(&read)).await?;
                let mut table = self.inner.table.lock();
                for (key, value) in &entries {
                    if let Some(key) = key {
                        table.apply(key, value.as_deref(), 0);
                    }
                }
                Ok(())
            }
            Backend::Topic {
                topic,
                wire,
                isolation,
                log,
            } => {
                let start = || async {
                    let opened = topic.open((**wire).clone(), *isolation).await?;
                    let table = Arc::clone(&self.inner.table);
                    let handler = Box::new(move |record: LogRecord<'_>| {
                        if let Some(key) = record.key {
                            table.lock().apply(key, record.value, record.offset);
                        }
                    });
                    let followed = opened.follow(handler).await;
                    followed
                        .map(Box::new)
                        .map_err(StoreError::client("reading the offsets topic"))
                };
                log.get_or_try_init(start).await.map(|_| ())
            }
        }
    }

    /// Offsets of partitions (JSON texts), in the order asked.
    pub fn read(&self, connector: &str, partitions: &[String]) -> Vec<Option<String>> {
        let table = self.inner.table.lock();
        partitions
            .iter()
            .map(|partition| table.get(connector, partition))
            .collect()
    }

    /// All partitions of a connector with their offsets.
    pub fn list(&self, connector: &str) -> Vec<(String, String)> {
        self.inner.table.lock().list(connector)
    }

    /// Writes offsets, durable on return; an offset of `None` deletes.
    ///
    /// *Errors*: `Offset` for nested values, and what the medium says. Some of the offsets may have been written then.
    pub async fn write(&self, connector: &str, offsets: Vec<OffsetChange>) -> Result<(), StoreError> {
        let records = self.records(connector, &offsets)?;
        if records.is_empty() {
            return Ok(());
        }
        match &self.inner.backend {
            Backend::Memory => {
                self.apply(&records, &[]);
                Ok(())
            }
            Backend::File { path, turn } => {
                let _turn = turn.lock().await;
                self.apply(&records, &[]);
                let map = self.inner.table.lock().to_map();
                let entries: Vec<_> = map.into_iter().map(|(key, value)| (Some(key), value)).collect();
                let path = path.clone();
                blocking(move || file::replace(&path, &entries)).await
            }
            Backend::Topic { log, .. } => {
                let log = log.get().ok_or(StoreError::NotRunning)?;
                let sent = records
                    .iter()
                    .map(|record| KeyValue {
                        key: record.key.clone(),
                        value: record.value.clone(),
                    })
                    .collect();
                let positions = log
                    .send(sent, WRITE_TIMEOUT)
                    .await
                    .map_err(StoreError::client("writing source offsets"))?;
                // Shown at once; the record that comes back changes nothing.
                self.apply(&records, &positions);
                Ok(())
            }
        }
    }

    /// Builds the records of a change, for a producer other than the store's own.
    ///
    /// *Errors*: `Offset` for nested values.
    pub fn records(&self, connector: &str, offsets: &[OffsetChange]) -> Result<Vec<OffsetRecord>, StoreError> {
        self.inner.table.lock().records(connector, offsets)
    }

    /// Shows records that another producer has written at these offsets of the topic.
    pub fn written(&self, records: &[OffsetRecord], positions: &[i64]) {
        self.apply(records, positions);
    }

    fn apply(&self, records: &[OffsetRecord], positions: &[i64]) {
        let mut table = self.inner.table.lock();
        for (index, record) in records.iter().enumerate() {
            table.apply(
                &record.key,
                record.value.as_deref(),
                positions.get(index).copied().unwrap_or(0),
            );
        }
    }

    /// Reads what other workers wrote since.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        match &self.inner.backend {
            Backend::Memory | Backend::File { .. } => Ok(()),
            Backend::Topic { log, .. } => {
                let log = log.get().ok_or(StoreError::NotRunning)?;
                log.read_to_end(READ_TIMEOUT)
                    .await
                    .map_err(StoreError::client("reading the offsets topic"))
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StoreError::NotRunning)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[tokio::test]
    async fn a_file_store_takes_over_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connect.offsets");
        let first = OffsetStore::file(&path);
        first.start().await.unwrap();
        let partitions = [r#"{"filename":"/a"}"#.to_owned(), r#"{"filename":"/b"}"#.to_owned()];
        first
            .write(
                "c",
                vec![
                    (some(&partitions[0]), some(r#"{"position":1}"#)),
                    (some(&partitions[1]), some(r#"{"position":2}"#)),
                ],
            )
            .await
            .unwrap();
        first.write("c", vec![(some(&partitions[1]), None)]).await.unwrap();
        let second = OffsetStore::file(&path);
        second.start().await.unwrap();
        assert_eq!(second.read("c", &partitions), [some(r#"{"position":1}"#), None]);
        assert_eq!(
            second.list("c"),
            [(partitions[0].clone(), r#"{"position":1}"#.to_owned())]
        );
    }

    #[tokio::test]
    async fn clones_share_offsets_and_refusals_change_nothing() {
        let store = OffsetStore::memory();
        store
            .clone()
            .write("c", vec![(some("{}"), some(r#"{"p":1}"#))])
            .await
            .unwrap();
        assert!(
            store
                .write(
                    "c",
                    vec![(some("{}"), some(r#"{"p":2}"#)), (some("{}"), some(r#"{"p":[]}"#))]
                )
                .await
                .is_err()
        );
        assert_eq!(store.read("c", &["{}".to_owned()]), [some(r#"{"p":1}"#)]);
    }
}
