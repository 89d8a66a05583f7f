//! The dead letter queue of one sink task.
//!
//! A letter is the message as it was in Kafka, by choice with headers that tell the error. Letters are
//! sent without waiting and are settled before offsets are committed, so that no offset overtakes its
//! letter. Cost: none until the first letter; its producer is made then. Source: `DeadLetterQueueReporter`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use weir_api::error::ConnectError;
use weir_client::admin::{Admin, NewTopic};
use weir_client::client_config::Translated;
use weir_client::error::{ClientError, KafkaError};
use weir_client::producer::{Ack, OutRecord, Producer, TopicHandle};

use crate::connector_config::DeadLetterSettings;
use crate::error::TaskFailure;
use crate::figures::ErrorCounters;
use crate::lifecycle::TaskId;
use crate::pipeline::original::Original;
use crate::pipeline::stage::Stage;

/// Partitions of a queue that is created here.
const PARTITIONS: i32 = 1;
/// Marks letters whose loss fails the task: those that the task itself reported.
const REPORTED_BY_TASK: u64 = 1;

/// Why a message ends in the queue.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    pub original: &'a Original,
    pub stage: Stage,
    /// Class that was executing.
    pub class: &'a str,
    pub error: &'a ConnectError,
    /// The task reported it and must not go on without it.
    pub is_reported_by_task: bool,
}

/// Writes letters.
#[derive(Debug)]
pub struct DeadLetters {
    id: TaskId,
    settings: DeadLetterSettings,
    admin: Admin,
    producer: Translated,
    counters: Arc<ErrorCounters>,
    open: Mutex<Option<Open>>,
    /// Letters were sent since everything was last settled.
    is_unsettled: AtomicBool,
}

#[derive(Debug)]
struct Open {
    handle: TopicHandle,
    producer: Producer,
    acks: Vec<Ack>,
    /// The first loss of a letter that the task reported, until it was told.
    lost: Option<KafkaError>,
}

impl DeadLetters {
    /// Keeps the settings; no client is made before it is needed.
    pub fn new(
        id: TaskId,
        settings: DeadLetterSettings,
        admin: Admin,
        producer: Translated,
        counters: Arc<ErrorCounters>,
    ) -> Self {
        Self {
            id,
            settings,
            admin,
            producer,
            counters,
            open: Mutex::new(None),
            is_unsettled: AtomicBool::new(false),
        }
    }

    /// Creates the topic where it does not exist.
    ///
    /// # Errors
    /// The cluster cannot be asked, or refuses the topic.
    pub async fn prepare(&self) -> Result<(), TaskFailure> {
        let topic = &self.settings.topic;
        let failed = |error: ClientError| {
            TaskFailure::connect(format!("Could not initialize dead letter queue with topic={topic}")).caused_by(error)
        };
        let topics = self.admin.list_topics().await.map_err(failed)?;
        if topics.iter().any(|known| known.name == *topic) {
            return Ok(());
        }
        tracing::info!(task = %self.id, topic, "creating the topic of the dead letter queue");
        let new = NewTopic {
            name: topic.clone(),
            partitions: PARTITIONS,
            replication_factor: self.settings.replication_factor,
            configs: Vec::new(),
        };
        self.admin.create_topic(&new).await.map_err(failed)?;
        Ok(())
    }

    /// Sends a letter; waits only while the client's queue is full.
    ///
    /// # Errors
    /// A producer that cannot be made, or that failed for good.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), ClientError> {
        self.counters.dead_letter();
        let context = if self.settings.context_headers {
            context_headers(&self.id, letter)
        } else {
            Vec::new()
        };
        let original = letter.original;
        let own = original.headers.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_deref()));
        let added = context.iter().map(|(name, value)| (*name, Some(value.as_bytes())));
        let headers: Vec<_> = own.chain(added).collect();
        let record = OutRecord {
            partition: None,
            key: original.key.as_deref(),
            value: original.value.as_deref(),
            timestamp: original.timestamp,
            headers: &headers,
            opaque: u64::from(letter.is_reported_by_task) * REPORTED_BY_TASK,
        };
        let mut open = self.open.lock().await;
        let open = match &mut *open {
            Some(open) => open,
            none => none.insert(Open::new(&self.producer, &self.settings.topic)?),
        };
        self.is_unsettled.store(true, Ordering::SeqCst);
        while open.producer.send_batch(&open.handle, &[record])? == 0 {
            open.producer.acked().await;
            self.note_acks(open);
        }
        Ok(())
    }

    /// Waits until every letter is stored or lost.
    ///
    /// # Errors
    /// `Timeout` when some are still on their way, else the loss of a letter that the task reported.
    pub async fn settle(&self, limit: Duration) -> Result<(), ClientError> {
        if !self.is_unsettled.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut open = self.open.lock().await;
        let Some(open) = &mut *open else { return Ok(()) };
        let flushed = open.producer.flush(limit, &mut open.acks).await;
        self.note_acks(open);
        flushed?;
        self.is_unsettled.store(false, Ordering::SeqCst);
        match open.lost.take() {
            None => Ok(()),
            Some(error) => Err(ClientError::kafka(self.topic_text(), error)),
        }
    }

    /// Ends the client.
    pub async fn close(&self) {
        if let Some(open) = self.open.lock().await.take() {
            let Open { handle, producer, .. } = open;
            // A handle keeps the client alive.
            drop(handle);
            producer.close().await;
        }
    }

    fn note_acks(&self, open: &mut Open) {
        open.producer.drain_acks(&mut open.acks);
        for ack in open.acks.drain(..) {
            let Some(error) = ack.error else { continue };
            tracing::error!(task = %self.id, %error, "{}", self.topic_text());
            self.counters.dead_letter_failed();
            if ack.opaque & REPORTED_BY_TASK != 0 {
                open.lost.get_or_insert(error);
            }
        }
    }

    fn topic_text(&self) -> String {
        format!(
            "Could not produce message to dead letter queue. topic={}",
            self.settings.topic
        )
    }
}

impl Open {
    fn new(settings: &Translated, topic: &str) -> Result<Self, ClientError> {
        let producer = Producer::new(settings)?;
        Ok(Self {
            handle: producer.topic(topic)?,
            producer,
            acks: Vec::new(),
            lost: None,
        })
    }
}

impl Drop for DeadLetters {
    /// A cancelled task ends here: ending a client joins threads, which a runtime thread must not wait for.
    fn drop(&mut self) {
        if let Some(open) = self.open.get_mut().take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Detached on purpose: it ends by itself and nothing waits for it.
            drop(runtime.spawn_blocking(move || drop(open)));
        }
    }
}

/// Lists Connect's headers in Connect's order.
fn context_headers(id: &TaskId, letter: &Letter<'_>) -> Vec<(&'static str, String)> {
    let original = letter.original;
    vec![
        ("__connect.errors.topic", original.topic.clone()),
        ("__connect.errors.partition", original.partition.to_string()),
        ("__connect.errors.offset", original.offset.to_string()),
        ("__connect.errors.connector.name", id.connector.clone()),
        ("__connect.errors.task.id", id.task.to_string()),
        ("__connect.errors.stage", letter.stage.name().to_owned()),
        ("__connect.errors.class.name", letter.class.to_owned()),
        (
            "__connect.errors.exception.class.name",
            letter.error.class_name().to_owned(),
        ),
        ("__connect.errors.exception.message", letter.error.message.clone()),
        (
            "__connect.errors.exception.stacktrace",
            TaskFailure::from(letter.error.clone()).to_trace(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use weir_api::error::ConnectError;
    use weir_client::consumer::TimestampType;

    use super::{Letter, context_headers};
    use crate::lifecycle::TaskId;
    use crate::pipeline::original::Original;
    use crate::pipeline::stage::Stage;

    #[test]
    fn context_headers_are_connects_in_connects_order() {
        let original = Original {
            topic: "t".to_owned(),
            partition: 3,
            offset: 42,
            timestamp: Some(1),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
        };
        let letter = Letter {
            original: &original,
            stage: Stage::ValueConverter,
            class: "org.apache.kafka.connect.json.JsonConverter",
            error: &ConnectError::data("bad").caused_by("inner"),
            is_reported_by_task: false,
        };
        let id = TaskId {
            connector: "c".to_owned(),
            task: 1,
        };
        let headers = context_headers(&id, &letter);
        let shown: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.trim_start_matches("__connect.errors."), value.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("topic", "t"),
                ("partition", "3"),
                ("offset", "42"),
                ("connector.name", "c"),
                ("task.id", "1"),
                ("stage", "VALUE_CONVERTER"),
                ("class.name", "org.apache.kafka.connect.json.JsonConverter"),
                ("exception.class.name", "org.apache.kafka.connect.errors.DataException"),
                ("exception.message", "bad"),
                (
                    "exception.stacktrace",
                    "org.apache.kafka.connect.errors.DataException: bad\nCaused by: org.apache.kafka.connect.errors.ConnectException: inner\n"
                ),
            ]
        );
    }
}
