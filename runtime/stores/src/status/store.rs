//! Status store: the status topic, or memory
//!
//! A cheap handle on one table in memory; reads never wait. A write shows in the table once the topic has it. Source:
//! `KafkaStatusBackingStore`, `MemoryStatusBackingStore`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use weir_client::admin::Isolation;
use weir_client::compacted_log::{CompactedLog, KeyValue, LogRecord};
use weir_client::wire::WireSettings;

use crate::error::StoreError;
use crate::internal_topic::InternalTopic;
use crate::status::records::{self, State, Status, StatusRecord, TopicStatus};
use crate::status::table::{StatusTable, is_safe_to_write};

/// How long a status may be tried: the next one matters more than a late one.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Connector(String),
    Task(String, u32),
}

/// Statuses of all connectors; clones share them.
#[derive(Debug, Clone)]
pub struct StatusStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    table: Arc<Mutex<StatusTable>>,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Memory,
    Topic {
        topic: InternalTopic,
        wire: Box<WireSettings>,
        log: OnceCell<Box<CompactedLog>>,
    },
}

impl StatusStore {
    /// A store that forgets everything when the process ends.
    pub fn memory() -> Self {
        Self::with(Backend::Memory)
    }

    /// A store on the status topic.
    pub fn topic(topic: InternalTopic, wire: WireSettings) -> Self {
        Self::with(Backend::Topic {
            topic,
            wire: Box::new(wire),
            log: OnceCell::new(),
        })
    }

    fn with(backend: Backend) -> Self {
        Self {
            inner: Arc::new(Inner {
                table: Arc::new(Mutex::new(StatusTable::default())),
                backend,
            }),
        }
    }

    /// Reads everything written so far.
    ///
    /// *Errors*: `Topic` when the topic cannot serve; `Client` when no broker answers in time.
    pub async fn start(&self) -> Result<(), StoreError> {
        let Backend::Topic { topic, wire, log } = &self.inner.backend else {
            return Ok(());
        };
        let start = || async {
            let opened = topic.open((**wire).clone(), Isolation::ReadUncommitted).await?;
            let table = Arc::clone(&self.inner.table);
            let handler = Box::new(move |record: LogRecord<'_>| {
                if let Some(parsed) = parse(record.key, record.value) {
                    table.lock().apply_from_topic(parsed, record.offset);
                }
            });
            let followed = opened.follow(handler).await;
            followed
                .map(Box::new)
                .map_err(StoreError::client("reading the status topic"))
        };
        log.get_or_try_init(start).await.map(|_| ())
    }

    /// Writes a connector's status.
    pub async fn put_connector(&self, name: &str, status: Status) -> Result<(), StoreError> {
        self.write(vec![records::connector(name, Some(&status))]).await
    }

    /// As `put_connector`, unless a newer generation of another worker has spoken.
    pub async fn put_connector_safe(&self, name: &str, status: Status) -> Result<(), StoreError> {
        if !is_safe_to_write(self.inner.table.lock().connector(name), &status) {
            return Ok(());
        }
        self.put_connector(name, status).await
    }

    /// Writes a task's status.
    pub async fn put_task(&self, connector: &str, task: u32, status: Status) -> Result<(), StoreError> {
        self.write(vec![records::task(connector, task, Some(&status))]).await
    }

    /// As `put_task`, unless a newer generation of another worker has spoken.
    pub async fn put_task_safe(&self, connector: &str, task: u32, status: Status) -> Result<(), StoreError> {
        if !is_safe_to_write(self.inner.table.lock().task(connector, task), &status) {
            return Ok(());
        }
        self.put_task(connector, task, status).await
    }

    /// Writes many statuses at once, in their order; of UNASSIGNED and FAILED only those that no newer generation of another worker has
    /// overtaken.
    pub async fn put_all(&self, statuses: Vec<(Subject, Status)>) -> Result<(), StoreError> {
        let mut writes = Vec::with_capacity(statuses.len());
        for (subject, status) in statuses {
            let is_careful = matches!(status.state, State::Unassigned | State::Failed);
            let table = self.inner.table.lock();
            let (known, record) = match &subject {
                Subject::Connector(name) => (table.connector(name), records::connector(name, Some(&status))),
                Subject::Task(connector, task) => {
                    let record = records::task(connector, *task, Some(&status));
                    (table.task(connector, *task), record)
                }
            };
            if !is_careful || is_safe_to_write(known, &status) {
                writes.push(record);
            }
        }
        self.write(writes).await
    }

    /// Notes that a connector uses a topic.
    pub async fn put_topic(&self, status: TopicStatus) -> Result<(), StoreError> {
        self.write(vec![records::topic(&status)]).await
    }

    pub fn get_connector(&self, name: &str) -> Option<Status> {
        self.inner.table.lock().connector(name).cloned()
    }

    pub fn get_task(&self, connector: &str, task: u32) -> Option<Status> {
        self.inner.table.lock().task(connector, task).cloned()
    }

    /// Tasks of a connector in order of their numbers.
    pub fn tasks(&self, connector: &str) -> Vec<(u32, Status)> {
        self.inner.table.lock().tasks(connector)
    }

    /// Topics a connector has used.
    pub fn topics(&self, connector: &str) -> Vec<TopicStatus> {
        self.inner.table.lock().topics(connector)
    }

    /// Connectors that have a status or use topics.
    pub fn connectors(&self) -> BTreeSet<String> {
        self.inner.table.lock().connectors()
    }

    /// Deletes a connector's status.
    pub async fn remove_connector(&self, name: &str) -> Result<(), StoreError> {
        self.write(vec![records::connector(name, None)]).await
    }

    /// Deletes a task's status.
    pub async fn remove_task(&self, connector: &str, task: u32) -> Result<(), StoreError> {
        self.write(vec![records::task(connector, task, None)]).await
    }

    /// Forgets which topics a connector uses.
    pub async fn remove_topics(&self, connector: &str) -> Result<(), StoreError> {
        let topics = self.topics(connector).into_iter();
        let removals: Vec<KeyValue> = topics
            .map(|status| records::topic_removal(&status.topic, connector))
            .collect();
        match removals.is_empty() {
            true => Ok(()),
            false => self.write(removals).await,
        }
    }

    async fn write(&self, records: Vec<KeyValue>) -> Result<(), StoreError> {
        let parsed: Vec<Option<StatusRecord>> = records
            .iter()
            .map(|record| parse(Some(&record.key), record.value.as_deref()))
            .collect();
        match &self.inner.backend {
            Backend::Memory => {
                let mut table = self.inner.table.lock();
                for parsed in parsed.into_iter().flatten() {
                    table.apply(parsed, 0);
                }
            }
            Backend::Topic { log, .. } => {
                let log = log.get().ok_or(StoreError::NotRunning)?;
                let sent = log.send(records, WRITE_TIMEOUT).await;
                let positions = sent.map_err(StoreError::client("writing a status"))?;
                // Shown at once; the record that comes back changes nothing.
                let mut table = self.inner.table.lock();
                for (parsed, position) in parsed.into_iter().zip(positions) {
                    if let Some(parsed) = parsed {
                        table.apply_from_topic(parsed, position);
                    }
                }
            }
        }
        Ok(())
    }
}

fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<StatusRecord> {
    records::parse(key, value)
        .inspect_err(|reason| {
            let key = key.map(String::from_utf8_lossy).unwrap_or_default();
            tracing::error!(key = &*key, reason, "status record skipped");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_show_at_once_and_destroyed_deletes() {
        let store = StatusStore::memory();
        store.start().await.unwrap();
        let status = |state| Status {
            state,
            trace: None,
            worker_id: "w".to_owned(),
            generation: 0,
            version: None,
        };
        store.put_task("c", 1, status(State::Running)).await.unwrap();
        store.put_task("c", 0, status(State::Running)).await.unwrap();
        store.put_connector("c", status(State::Running)).await.unwrap();
        store.put_connector_safe("c", status(State::Failed)).await.unwrap();
        assert_eq!(store.get_connector("c").unwrap().state, State::Failed);
        assert_eq!(store.tasks("c").len(), 2);
        let many = [State::Running, State::Paused].map(|state| (Subject::Task("c".to_owned(), 0), status(state)));
        store.put_all(many.to_vec()).await.unwrap();
        assert_eq!(store.get_task("c", 0).unwrap().state, State::Paused, "in their order");
        store.put_task("c", 1, status(State::Destroyed)).await.unwrap();
        store.remove_task("c", 0).await.unwrap();
        store.remove_connector("c").await.unwrap();
        assert_eq!((store.get_connector("c"), store.tasks("c")), (None, Vec::new()));
    }
}
