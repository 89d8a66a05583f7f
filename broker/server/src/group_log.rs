//! `__consumer_offsets`: where groups are kept
//!
//! Makes the topic when the first record is written, spreads groups over its partitions by Java's
//! hash of the group id, appends records in Kafka's format and reads them back at start. Partition
//! directories appear with their first record, so fifty partitions cost an idle broker nothing.
//! Offsets of a transaction carry its producer and count once its marker is in the partition.

use std::sync::Arc;

use bytes::BytesMut;
use weir_coordinator::group::coordinator::GroupCoordinator;
use weir_coordinator::group::record::LogRecord;
use weir_coordinator::group::request::TransactionWriter;
use weir_coordinator::transaction::state::TopicPartition;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::compression::Codec;

use crate::append::AppendFuture;
use crate::broker_config::GroupSettings;
use crate::cluster::{Cluster, NewTopic};
use crate::coordinator_log::{Replayed, UnreadablePartitions, partition_index, replay_topic};
use crate::partition::PartitionHandle;
use crate::partitions::{GROUP_OFFSETS_TOPIC, Partitions, Topic};
use crate::transactions::{Transactions, verdict_of};

/// The coordinator's log.
#[derive(Debug)]
pub(crate) struct GroupLog {
    partitions: Arc<Partitions>,
    cluster: Arc<Cluster>,
    transactions: Arc<Transactions>,
    codec: Codec,
    /// For the making of the topic only; afterwards the topic says.
    partition_count: i32,
    segment_bytes: i32,
}

impl GroupLog {
    pub(crate) fn new(
        partitions: Arc<Partitions>,
        cluster: Arc<Cluster>,
        transactions: Arc<Transactions>,
        settings: &GroupSettings,
    ) -> Self {
        let codec = i16::try_from(settings.offsets_compression_codec).ok();
        let codec = codec.and_then(|id| Codec::from_id(id).ok()).unwrap_or(Codec::None);
        Self {
            partitions,
            cluster,
            transactions,
            codec,
            partition_count: settings.offsets_partitions,
            segment_bytes: settings.offsets_segment_bytes,
        }
    }

    /// Queues the records of one group as one batch; calls are written in order. Those of a
    /// transaction are only written while the partition is part of it.
    ///
    /// # Errors
    /// Why the batch cannot be written.
    pub(crate) async fn append(
        &self,
        group: &str,
        records: &[LogRecord],
        writer: Option<TransactionWriter>,
        now_ms: i64,
    ) -> Result<AppendFuture, ErrorCode> {
        let partition = self.partition_of(group).await?;
        let producer = writer.as_ref().map(|writer| writer.producer);
        let mut batch = BatchBuilder::new(BatchSettings {
            codec: self.codec,
            producer_id: producer.map_or(-1, |producer| producer.id),
            producer_epoch: producer.map_or(-1, |producer| producer.epoch),
            is_transactional: producer.is_some(),
            ..BatchSettings::default()
        });
        for record in records {
            batch.append(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        let bytes = batch.build().map_err(|error| error.code())?;
        let bytes = BytesMut::from(bytes.as_slice());
        let append = || {
            self.partitions
                .append_internal(&partition, bytes)
                .map_err(|error| error.code)
        };
        let Some(TransactionWriter {
            transactional_id,
            producer,
        }) = writer
        else {
            return append();
        };
        let wanted = TopicPartition {
            topic: GROUP_OFFSETS_TOPIC.to_owned(),
            partition: partition.index,
        };
        // Queued under the gate: the marker that ends the transaction comes after it.
        let gate = self.transactions.gate();
        match gate.verify(&transactional_id, producer, &wanted) {
            Ok(()) => append(),
            Err(code) => Err(code),
        }
    }

    /// Reads every partition back into `coordinator`; answers which could not be read.
    pub(crate) async fn load(&self, mut coordinator: GroupCoordinator) -> (GroupCoordinator, UnreadablePartitions) {
        let Some(topic) = self.partitions.topic(GROUP_OFFSETS_TOPIC) else {
            return (coordinator, UnreadablePartitions::default());
        };
        let read_back = tokio::task::spawn_blocking(move || {
            let unreadable = replay_topic(&topic, &mut |index, said| match said {
                Replayed::Record {
                    offset,
                    key,
                    value,
                    producer_id,
                } => {
                    if let Err(error) = coordinator.replay(key, value, producer_id) {
                        tracing::warn!(topic = GROUP_OFFSETS_TOPIC, offset, %error, "record skipped");
                    }
                }
                Replayed::End { producer_id, marker } => {
                    let verdict = verdict_of(marker);
                    let count = topic.partitions.len();
                    coordinator.transaction_ended(producer_id, verdict, |group| partition_index(group, count) == index);
                }
            });
            (coordinator, unreadable)
        });
        match read_back.await {
            Ok(loaded) => loaded,
            // Better down than wrong.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// The partition of a group's records; the topic is made if there is none.
    ///
    /// # Errors
    /// What the client is told when the topic cannot be made.
    pub(crate) async fn index_of(&self, group: &str) -> Result<i32, ErrorCode> {
        Ok(self.partition_of(group).await?.index)
    }

    /// Whether a group's records are in a partition.
    pub(crate) fn is_kept_in(&self, group: &str, index: i32) -> bool {
        let topic = self.partitions.topic(GROUP_OFFSETS_TOPIC);
        topic.is_some_and(|topic| usize::try_from(index).ok() == Some(partition_index(group, topic.partitions.len())))
    }

    async fn partition_of(&self, group: &str) -> Result<Arc<PartitionHandle>, ErrorCode> {
        let topic = match self.partitions.topic(GROUP_OFFSETS_TOPIC) {
            Some(topic) => topic,
            None => self.create_topic().await?,
        };
        let index = partition_index(group, topic.partitions.len());
        topic
            .partitions
            .get(index)
            .cloned()
            .ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
    }

    async fn create_topic(&self) -> Result<Arc<Topic>, ErrorCode> {
        let overrides = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", self.segment_bytes.to_string()),
        ];
        let topic = NewTopic {
            name: GROUP_OFFSETS_TOPIC.to_owned(),
            partitions: self.partition_count,
            overrides: overrides.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let made = self.cluster.change(move |cluster| cluster.ensure(topic)).await;
        made.map_err(|error| {
            tracing::error!(topic = GROUP_OFFSETS_TOPIC, error = error.message, "topic not made");
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        })
    }
}
