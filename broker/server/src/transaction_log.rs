//! `__transaction_state`: where transactional ids are kept
//!
//! Makes the topic when the first producer asks for its coordinator, spreads ids over its
//! partitions by Java's hash, appends records in Kafka's format and reads them back at start.

use std::sync::Arc;

use bytes::BytesMut;
use weir_coordinator::group::record::LogRecord;
use weir_coordinator::transaction::coordinator::TransactionCoordinator;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};

use crate::append::AppendFuture;
use crate::broker_config::TransactionConfig;
use crate::cluster::{Cluster, NewTopic};
use crate::coordinator_log::{Replayed, UnreadablePartitions, partition_index, replay_topic};
use crate::partitions::{Partitions, TRANSACTION_STATE_TOPIC};

/// The coordinator's log.
#[derive(Debug)]
pub(crate) struct TransactionLog {
    partitions: Arc<Partitions>,
    cluster: Arc<Cluster>,
    /// For the making of the topic only; afterwards the topic says.
    partition_count: i32,
    segment_bytes: i32,
}

impl TransactionLog {
    pub(crate) fn new(partitions: Arc<Partitions>, cluster: Arc<Cluster>, config: &TransactionConfig) -> Self {
        Self {
            partitions,
            cluster,
            partition_count: config.log_partitions,
            segment_bytes: config.log_segment_bytes,
        }
    }

    /// Makes the topic if there is none.
    ///
    /// # Errors
    /// What the client is told when it cannot be made.
    pub(crate) async fn ensure(&self) -> Result<(), ErrorCode> {
        if self.partitions.topic(TRANSACTION_STATE_TOPIC).is_some() {
            return Ok(());
        }
        let overrides = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "uncompressed".to_owned()),
            ("segment.bytes", self.segment_bytes.to_string()),
        ];
        let topic = NewTopic {
            name: TRANSACTION_STATE_TOPIC.to_owned(),
            partitions: self.partition_count,
            overrides: overrides.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let made = self.cluster.change(move |cluster| cluster.ensure(topic)).await;
        made.map(drop).map_err(|error| {
            tracing::error!(topic = TRANSACTION_STATE_TOPIC, error = error.message, "topic not made");
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        })
    }

    /// Queues a record of one id; calls are written in order.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(crate) fn append(&self, id: &str, record: &LogRecord, now_ms: i64) -> Result<AppendFuture, ErrorCode> {
        let topic = self.partitions.topic(TRANSACTION_STATE_TOPIC);
        let partition = topic.and_then(|topic| {
            topic
                .partitions
                .get(partition_index(id, topic.partitions.len()))
                .cloned()
        });
        let partition = partition.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        let mut batch = BatchBuilder::new(BatchSettings::default());
        batch.append(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        let bytes = batch.build().map_err(|error| error.code())?;
        self.partitions
            .append_internal(&partition, BytesMut::from(bytes.as_slice()))
            .map_err(|error| error.code)
    }

    /// Reads every partition back into `coordinator`; answers which could not be read.
    pub(crate) fn load(&self, coordinator: &mut TransactionCoordinator) -> UnreadablePartitions {
        let Some(topic) = self.partitions.topic(TRANSACTION_STATE_TOPIC) else {
            return UnreadablePartitions::default();
        };
        replay_topic(&topic, &mut |_, said| {
            if let Replayed::Record { offset, key, value, .. } = said
                && let Err(error) = coordinator.replay(key, value)
            {
                tracing::warn!(topic = TRANSACTION_STATE_TOPIC, offset, %error, "record skipped");
            }
        })
    }
}
