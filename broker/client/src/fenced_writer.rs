//! Writer of a topic under a transactional id: a later claimant of the id fences it
//!
//! Each write is one transaction, so readers of committed records see all of it or nothing. Whether to claim again after a failure is
//! the owner's decision. Source: `KafkaConfigBackingStore.sendPrivileged`.

use std::time::Duration;

use crate::client_config::Translated;
use crate::compacted_log::KeyValue;
use crate::error::{ClientError, KafkaError};
use crate::producer::{OutRecord, Producer, TopicHandle};

/// A claimed transactional id and the topic it is for.
#[derive(Debug)]
pub struct FencedWriter {
    producer: Producer,
    topic: TopicHandle,
}

impl FencedWriter {
    /// Claims the `transactional.id` of the settings: earlier holders are fenced on return.
    ///
    /// *Errors*: a setting that is refused, or what the coordinator says, at the latest after `timeout`.
    pub async fn claim(settings: &Translated, topic: &str, timeout: Duration) -> Result<Self, ClientError> {
        let producer = Producer::new(settings)?;
        let claimed = producer
            .init_transactions(timeout)
            .await
            .and_then(|()| producer.topic(topic));
        match claimed {
            Ok(topic) => Ok(Self { producer, topic }),
            Err(error) => {
                producer.close().await;
                Err(error)
            }
        }
    }

    /// Writes records to partition 0 in one transaction, committed on return.
    ///
    /// *Errors*: any; the transaction was aborted as far as that was possible, and the writer is of no further use.
    pub async fn write(&self, records: &[KeyValue], timeout: Duration) -> Result<(), ClientError> {
        let written = self.try_write(records, timeout).await;
        if let Err(error) = &written
            && !error.is_fenced()
            && let Err(error) = self.producer.abort_transaction(timeout, &mut Vec::new()).await
        {
            tracing::debug!(%error, "transaction could not be aborted");
        }
        written
    }

    async fn try_write(&self, records: &[KeyValue], timeout: Duration) -> Result<(), ClientError> {
        self.producer.begin_transaction().await?;
        let out: Vec<OutRecord<'_>> = records
            .iter()
            .map(|record| OutRecord {
                partition: Some(0),
                key: Some(&record.key),
                value: record.value.as_deref(),
                timestamp: None,
                headers: &[],
                opaque: 0,
            })
            .collect();
        if self.producer.send_batch(&self.topic, &out)? < out.len() {
            return Err(ClientError::kafka("queue of the fenced writer", KafkaError::QUEUE_FULL));
        }
        let mut acks = Vec::with_capacity(out.len());
        // What the client itself refused (too large) is missing without the transaction knowing it.
        self.producer.drain_acks(&mut acks);
        if let Some(error) = acks.iter().find_map(|ack| ack.error) {
            return Err(ClientError::kafka("write in a transaction", error));
        }
        self.producer.commit_transaction(timeout, &mut acks).await
    }

    /// Gives the id up.
    pub async fn close(self) {
        let Self { producer, topic } = self;
        drop(topic);
        producer.close().await;
    }
}
