//! Config store: the config topic, or memory
//!
//! A call that writes returns after the record was read back, so the snapshot shows it and its event waits in the queue. Both forms go
//! through the same records, so they cannot differ in meaning. Source: `KafkaConfigBackingStore`, `MemoryConfigBackingStore`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use weir_client::admin::Isolation;
use weir_client::client_config::Translated;
use weir_client::compacted_log::{CompactedLog, KeyValue};
use weir_client::fenced_writer::FencedWriter;
use weir_client::wire::WireSettings;
use weir_config::map::ConfigMap;

use crate::configs::records;
use crate::configs::state::{ClusterState, ConfigEvent, ConfigLog, RestartRequest, SessionKey, TargetState};
use crate::error::StoreError;
use crate::internal_topic::InternalTopic;

/// How long one write and its reading back may take, each.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Events that may wait for the herder. It takes them as they come; one beyond this is dropped with an error in the log, and the
/// snapshot stays right.
const EVENTS: usize = 16_384;

/// Configs of all connectors.
#[derive(Debug)]
pub struct ConfigStore {
    shared: Arc<Shared>,
    events: Option<mpsc::Receiver<ConfigEvent>>,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Memory,
    Topic {
        topic: InternalTopic,
        wire: Box<WireSettings>,
        isolation: Isolation,
        log: Option<Arc<CompactedLog>>,
        privileged: Option<Box<Privileged>>,
    },
}

/// How the leader writes when exactly-once sources are or will be supported.
#[derive(Debug)]
struct Privileged {
    settings: Translated,
    // An async lock, held across a write on purpose: a writer does one transaction at a time.
    writer: tokio::sync::Mutex<Option<FencedWriter>>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<ConfigLog>,
    events: mpsc::Sender<ConfigEvent>,
    /// Events are raised for records read after the start only.
    is_started: AtomicBool,
    /// Apache reads records into hash maps, which its answers show.
    is_in_java_order: bool,
}

impl Shared {
    fn take(&self, key: Option<&[u8]>, value: Option<&[u8]>, next_offset: impl FnOnce(i64) -> i64) {
        let mut log = self.log.lock();
        let event = match records::parse(key, value) {
            Ok(record) if self.is_in_java_order => log.apply(record.in_java_order()),
            Ok(record) => log.apply(record),
            Err(reason) => {
                let key = key.map(String::from_utf8_lossy).unwrap_or_default();
                tracing::error!(key = &*key, reason, "config record skipped");
                None
            }
        };
        let offset = log.next_offset();
        log.advance(next_offset(offset));
        drop(log);
        if let Some(event) = event.filter(|_| self.is_started.load(Ordering::Acquire))
            && let Err(error) = self.events.try_send(event)
        {
            tracing::error!(%error, "config event dropped");
        }
    }
}

impl ConfigStore {
    /// A store that forgets everything when the process ends.
    pub fn memory() -> Self {
        Self::with(Backend::Memory)
    }

    /// A store on the config topic.
    pub fn topic(topic: InternalTopic, wire: WireSettings, isolation: Isolation) -> Self {
        Self::with(Backend::Topic {
            topic,
            wire: Box::new(wire),
            isolation,
            log: None,
            privileged: None,
        })
    }

    /// Writes what only the leader writes in transactions of this producer, each after [`ConfigStore::claim`].
    #[must_use]
    pub fn with_privileged(mut self, producer: Translated) -> Self {
        if let Backend::Topic { privileged, .. } = &mut self.backend {
            *privileged = Some(Box::new(Privileged {
                settings: producer,
                writer: tokio::sync::Mutex::new(None),
            }));
        }
        self
    }

    fn with(backend: Backend) -> Self {
        let (sender, receiver) = mpsc::channel(EVENTS);
        let shared = Shared {
            log: Mutex::new(ConfigLog::default()),
            events: sender,
            is_started: AtomicBool::new(false),
            is_in_java_order: matches!(backend, Backend::Topic { .. }),
        };
        Self {
            shared: Arc::new(shared),
            events: Some(receiver),
            backend,
        }
    }

    /// Reads everything written so far.
    ///
    /// *Errors*: `Topic` when the topic cannot serve; `Client` when no broker answers in time.
    pub async fn start(&mut self) -> Result<(), StoreError> {
        if let Backend::Topic {
            topic,
            wire,
            isolation,
            log,
            ..
        } = &mut self.backend
            && log.is_none()
        {
            let opened = topic.open((**wire).clone(), *isolation).await?;
            let shared = Arc::clone(&self.shared);
            let handler = Box::new(move |record: weir_client::compacted_log::LogRecord<'_>| {
                shared.take(record.key, record.value, |_| record.offset + 1);
            });
            let followed = opened.follow(handler).await;
            *log = Some(Arc::new(
                followed.map_err(StoreError::client("reading the config topic"))?,
            ));
        }
        self.shared.is_started.store(true, Ordering::Release);
        Ok(())
    }

    /// Claims the right to the leader's writes: every earlier leader is fenced on return. To be called on becoming the leader, and again
    /// after `Privileged`; nothing to do without [`ConfigStore::with_privileged`].
    ///
    /// *Errors*: `Client`; to be tried again.
    pub async fn claim(&self) -> Result<(), StoreError> {
        let Some((topic, privileged)) = self.privileged() else {
            return Ok(());
        };
        let mut writer = privileged.writer.lock().await;
        if let Some(earlier) = writer.take() {
            earlier.close().await;
        }
        let claimed = FencedWriter::claim(&privileged.settings, topic, OPERATION_TIMEOUT).await;
        let claimed = claimed.map_err(StoreError::client("claiming write privileges for the config topic"))?;
        *writer = Some(claimed);
        Ok(())
    }

    /// Gives up the right to the leader's writes, if it was held.
    pub async fn relinquish(&self) {
        let Some((_, privileged)) = self.privileged() else {
            return;
        };
        if let Some(writer) = privileged.writer.lock().await.take() {
            writer.close().await;
        }
    }

    fn privileged(&self) -> Option<(&str, &Privileged)> {
        match &self.backend {
            Backend::Topic {
                topic,
                privileged: Some(privileged),
                ..
            } => Some((&topic.topic.name, privileged)),
            Backend::Topic { .. } | Backend::Memory => None,
        }
    }

    /// The state now.
    pub fn snapshot(&self) -> Arc<ClusterState> {
        self.shared.log.lock().snapshot()
    }

    /// Makes a view for another task; after [`ConfigStore::start`].
    ///
    /// *Errors*: `NotRunning` before that.
    pub fn reader(&self) -> Result<ConfigReader, StoreError> {
        let log = match &self.backend {
            Backend::Memory => None,
            Backend::Topic { log, .. } => Some(Arc::clone(log.as_ref().ok_or(StoreError::NotRunning)?)),
        };
        Ok(ConfigReader {
            shared: Arc::clone(&self.shared),
            log,
        })
    }

    /// Takes the receiving end of the events; a second call gets one that is closed.
    pub fn take_events(&mut self) -> mpsc::Receiver<ConfigEvent> {
        self.events.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Writes a connector's config; with an initial state, that first.
    pub async fn put_connector(
        &self,
        name: &str,
        config: &ConfigMap,
        state: Option<TargetState>,
    ) -> Result<(), StoreError> {
        let mut records: Vec<KeyValue> = state
            .map(|state| records::target_state(name, state))
            .into_iter()
            .collect();
        records.push(records::connector(name, config));
        self.write_privileged("Error writing connector configuration to Kafka", records)
            .await
    }

    /// Deletes a connector.
    pub async fn remove_connector(&self, name: &str) -> Result<(), StoreError> {
        let records = records::connector_removal(name).into();
        self.write_privileged("Error removing connector configuration from Kafka", records)
            .await
    }

    /// Writes a connector's whole task set and commits it.
    pub async fn put_task_configs(&self, name: &str, configs: &[ConfigMap]) -> Result<(), StoreError> {
        self.write_privileged(
            "Error writing task configurations to Kafka",
            records::task_set(name, configs),
        )
        .await
    }

    /// Writes a connector's target state.
    pub async fn put_target_state(&self, name: &str, state: TargetState) -> Result<(), StoreError> {
        self.write(
            "Error writing target state to Kafka",
            vec![records::target_state(name, state)],
        )
        .await
    }

    /// Writes a request to restart a connector.
    pub async fn put_restart(&self, request: &RestartRequest) -> Result<(), StoreError> {
        self.write_privileged(
            "Error writing restart request to Kafka",
            vec![records::restart(request)],
        )
        .await
    }

    /// Writes a log level for all workers.
    pub async fn put_logger(&self, namespace: &str, level: &str) -> Result<(), StoreError> {
        self.write(
            "Error writing logger level to Kafka",
            vec![records::logger(namespace, level)],
        )
        .await
    }

    /// Writes the key that workers sign internal requests with.
    pub async fn put_session_key(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.write_privileged("Failed to write session key to Kafka", vec![records::session_key(key)])
            .await
    }

    /// Writes how many tasks a connector has, once all earlier ones are fenced.
    pub async fn put_task_count(&self, name: &str, tasks: u32) -> Result<(), StoreError> {
        self.write_privileged(
            "Failed to write task count record for connector to Kafka",
            vec![records::tasks_fencing(name, tasks)],
        )
        .await
    }

    /// Reads what others wrote since.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory => Ok(()),
            Backend::Topic { log, .. } => {
                let log = log.as_ref().ok_or(StoreError::NotRunning)?;
                log.read_to_end(OPERATION_TIMEOUT)
                    .await
                    .map_err(StoreError::client("Error trying to read to end of config log"))
            }
        }
    }

    /// Writes as the leader: in one transaction where these are asked for.
    async fn write_privileged(&self, context: &str, records: Vec<KeyValue>) -> Result<(), StoreError> {
        let Some((_, privileged)) = self.privileged() else {
            return self.write(context, records).await;
        };
        {
            let mut slot = privileged.writer.lock().await;
            let writer = slot.as_ref().ok_or(StoreError::NotClaimed)?;
            if let Err(source) = writer.write(&records, OPERATION_TIMEOUT).await {
                tracing::warn!(%source, "write to the config topic as leader failed, its privileges are given up");
                if let Some(writer) = slot.take() {
                    writer.close().await;
                }
                return Err(StoreError::Privileged { source });
            }
        }
        self.refresh().await
    }

    async fn write(&self, context: &str, records: Vec<KeyValue>) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory => {
                for record in records {
                    self.shared
                        .take(Some(&record.key), record.value.as_deref(), |offset| offset + 1);
                }
                Ok(())
            }
            Backend::Topic { log, .. } => {
                let log = log.as_ref().ok_or(StoreError::NotRunning)?;
                log.send(records, OPERATION_TIMEOUT)
                    .await
                    .map_err(StoreError::client(context))?;
                log.read_to_end(OPERATION_TIMEOUT)
                    .await
                    .map_err(StoreError::client(context))
            }
        }
    }
}

/// A view of the configs that reads and never writes. The topic is followed until the store and all its readers are dropped.
#[derive(Debug, Clone)]
pub struct ConfigReader {
    shared: Arc<Shared>,
    /// `None` for the store in memory.
    log: Option<Arc<CompactedLog>>,
}

impl ConfigReader {
    /// The state now.
    pub fn snapshot(&self) -> Arc<ClusterState> {
        self.shared.log.lock().snapshot()
    }

    /// Offset after the last record read.
    pub fn offset(&self) -> i64 {
        self.shared.log.lock().next_offset()
    }

    /// Reads what others wrote since.
    ///
    /// *Errors*: `Client` when the end is not reached in time.
    pub async fn refresh(&self, timeout: Duration) -> Result<(), StoreError> {
        match &self.log {
            None => Ok(()),
            Some(log) => log
                .read_to_end(timeout)
                .await
                .map_err(StoreError::client("Error trying to read to end of config log")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: &str) -> ConfigMap {
        [("v", value)].into_iter().collect()
    }

    #[tokio::test]
    async fn a_write_shows_in_the_snapshot_and_its_event_waits() {
        let mut store = ConfigStore::memory();
        let mut events = store.take_events();
        store.start().await.unwrap();
        store
            .put_connector("c", &config("1"), Some(TargetState::Paused))
            .await
            .unwrap();
        assert_eq!(events.try_recv(), Ok(ConfigEvent::ConnectorUpdated("c".to_owned())));
        store.put_task_configs("c", &[config("a")]).await.unwrap();
        assert_eq!(events.try_recv(), Ok(ConfigEvent::TasksUpdated("c".to_owned())));
        let snapshot = store.snapshot();
        assert_eq!(snapshot.connectors["c"].target_state, TargetState::Paused);
        assert_eq!(snapshot.connectors["c"].task_configs, Some(vec![config("a")]));
        assert_eq!(snapshot.offset, 4);
        store.remove_connector("c").await.unwrap();
        assert_eq!(events.try_recv(), Ok(ConfigEvent::ConnectorRemoved("c".to_owned())));
        assert!(events.try_recv().is_err());
        assert!(store.snapshot().connectors.is_empty());
        assert_eq!(snapshot.connectors.len(), 1, "an earlier snapshot does not change");
    }

    #[tokio::test]
    async fn a_reader_sees_what_the_store_wrote() {
        let mut store = ConfigStore::memory();
        store.start().await.unwrap();
        let reader = store.reader().unwrap();
        store.put_connector("c", &config("1"), None).await.unwrap();
        reader.refresh(OPERATION_TIMEOUT).await.unwrap();
        assert_eq!((reader.offset(), reader.snapshot().connectors.len()), (1, 1));
    }

    #[tokio::test]
    async fn what_was_there_before_the_start_raises_no_event() {
        let mut store = ConfigStore::memory();
        let mut events = store.take_events();
        store.put_connector("c", &config("1"), None).await.unwrap();
        store.start().await.unwrap();
        assert!(events.try_recv().is_err());
        assert_eq!(store.snapshot().connectors.len(), 1);
    }
}
