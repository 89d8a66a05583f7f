//! `__consumer_offsets`: where groups are kept
//!
//! Makes the topic when the first record is written, spreads groups over its partitions by Java's
//! hash of the group id, appends records in Kafka's format and reads them back at start. Partition
//! directories appear with their first record, so fifty partitions cost an idle broker nothing.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::BytesMut;
use weir_coordinator::group::coordinator::GroupCoordinator;
use weir_coordinator::group::record::LogRecord;
use weir_log::reader::ReadLimits;
use weir_protocol::error::ProtocolError;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::batch::{BatchIter, BatchView};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};
use weir_protocol::records::compression::{Codec, decompress_into, decompression_cap};
use weir_protocol::records::record::RecordWalker;

use crate::append::AppendFuture;
use crate::broker_config::GroupSettings;
use crate::cluster::{Cluster, NewTopic};
use crate::partition::PartitionHandle;
use crate::partitions::{GROUP_OFFSETS_TOPIC, Partitions, Topic};

/// How much of a partition is read at a time.
const READ_BYTES: usize = 1 << 20;

/// The coordinator's log.
#[derive(Debug)]
pub(crate) struct GroupLog {
    partitions: Arc<Partitions>,
    cluster: Arc<Cluster>,
    codec: Codec,
    /// For the making of the topic only; afterwards the topic says.
    partition_count: i32,
    segment_bytes: i32,
}

impl GroupLog {
    pub(crate) fn new(partitions: Arc<Partitions>, cluster: Arc<Cluster>, settings: &GroupSettings) -> Self {
        let codec = i16::try_from(settings.offsets_compression_codec).ok();
        let codec = codec.and_then(|id| Codec::from_id(id).ok()).unwrap_or(Codec::None);
        Self {
            partitions,
            cluster,
            codec,
            partition_count: settings.offsets_partitions,
            segment_bytes: settings.offsets_segment_bytes,
        }
    }

    /// Queues the records of one group as one batch; calls are written in order.
    ///
    /// # Errors
    /// Why the batch cannot be written.
    pub(crate) async fn append(
        &self,
        group: &str,
        records: &[LogRecord],
        now_ms: i64,
    ) -> Result<AppendFuture, ErrorCode> {
        let partition = self.partition_of(group).await?;
        let mut batch = BatchBuilder::new(BatchSettings {
            codec: self.codec,
            ..BatchSettings::default()
        });
        for record in records {
            batch.append(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        let bytes = batch.build().map_err(|error| error.code())?;
        self.partitions
            .append_internal(&partition, BytesMut::from(bytes.as_slice()))
            .map_err(|error| error.code)
    }

    /// Reads every partition back into `coordinator`; answers which could not be read.
    pub(crate) async fn load(&self, mut coordinator: GroupCoordinator) -> (GroupCoordinator, UnreadablePartitions) {
        let Some(topic) = self.partitions.topic(GROUP_OFFSETS_TOPIC) else {
            return (coordinator, UnreadablePartitions::default());
        };
        let read_back = tokio::task::spawn_blocking(move || {
            let mut unreadable = HashSet::new();
            for (index, partition) in topic.partitions.iter().enumerate() {
                if let Err(error) = replay_partition(partition, &mut coordinator) {
                    tracing::error!(
                        topic = GROUP_OFFSETS_TOPIC,
                        partition = index,
                        error = &*error.to_string(),
                        "groups of a partition cannot be read and are not served"
                    );
                    unreadable.insert(index);
                }
            }
            let count = topic.partitions.len();
            (coordinator, UnreadablePartitions { unreadable, count })
        });
        match read_back.await {
            Ok(loaded) => loaded,
            // Better down than wrong.
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
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

/// Partitions whose groups are unknown: serving them would lose what they had committed.
#[derive(Debug, Default)]
pub(crate) struct UnreadablePartitions {
    unreadable: HashSet<usize>,
    count: usize,
}

impl UnreadablePartitions {
    /// Whether the group's records are in one of them.
    pub(crate) fn holds(&self, group: &str) -> bool {
        !self.unreadable.is_empty() && self.unreadable.contains(&partition_index(group, self.count))
    }
}

/// Applies all records of a partition, in order.
fn replay_partition(
    partition: &PartitionHandle,
    coordinator: &mut GroupCoordinator,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if partition.is_offline() {
        return Err("the partition is offline".into());
    }
    let Some(reader) = partition.reader() else {
        return Ok(());
    };
    let end_offset = reader.log_end_offset();
    let mut offset = reader.log_start_offset();
    let mut block = Vec::new();
    while offset < end_offset {
        let limits = ReadLimits {
            end_offset,
            max_bytes: READ_BYTES,
            at_least_one: true,
        };
        let read = reader.read(offset, limits)?;
        if read.next_offset <= offset {
            break;
        }
        for piece in &read.pieces {
            for batch in BatchIter::new(piece) {
                let batch = batch?;
                batch.check_crc()?;
                replay_batch(&batch, &mut block, coordinator)?;
            }
        }
        offset = read.next_offset;
    }
    Ok(())
}

fn replay_batch(
    batch: &BatchView<'_>,
    block: &mut Vec<u8>,
    coordinator: &mut GroupCoordinator,
) -> Result<(), ProtocolError> {
    let attributes = batch.header.attributes;
    // A marker of a transaction says nothing about groups.
    if attributes.is_control() {
        return Ok(());
    }
    let compressed = batch.records();
    let cap = decompression_cap(compressed.len());
    decompress_into(attributes.codec()?, compressed, cap, block)?;
    for record in RecordWalker::new(block, batch.header.records_count) {
        let record = record?;
        let Some(key) = record.key else {
            continue;
        };
        if let Err(error) = coordinator.replay(key, record.value) {
            let offset = batch.header.base_offset + i64::from(record.offset_delta);
            tracing::warn!(topic = GROUP_OFFSETS_TOPIC, offset, %error, "record skipped");
        }
    }
    Ok(())
}

/// The partition whose records are a group's: Java's `String.hashCode` without its sign, modulo
/// the number of partitions. Tools compute the same.
pub(crate) fn partition_index(group: &str, partitions: usize) -> usize {
    let hash = group
        .encode_utf16()
        .fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    (hash & 0x7fff_ffff) as usize % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_spread_as_java_spreads_them() {
        // `(group.hashCode() & 0x7fffffff) % 50` in Java.
        let expected = [
            ("", 0),
            ("a", 47),
            ("connect-cluster", 13),
            ("weir-tests", 23),
            ("größe", 7),
            ("polygenelubricants", 0),
            ("😀 group", 42),
        ];
        for (group, partition) in expected {
            assert_eq!(partition_index(group, 50), partition, "{group}");
        }
    }
}
