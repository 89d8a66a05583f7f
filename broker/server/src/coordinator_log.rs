//! What the two coordinators' topics have in common
//!
//! Reading a partition back record by record, in order, and finding the partition of a group or a
//! transactional id. What the records mean is the coordinators'.

use std::collections::HashSet;

use weir_log::aborted::TransactionEnd;
use weir_log::reader::ReadLimits;
use weir_protocol::error::ProtocolError;
use weir_protocol::records::batch::{BatchIter, BatchView};
use weir_protocol::records::compression::{decompress_into, decompression_cap};
use weir_protocol::records::control::Marker;
use weir_protocol::records::record::RecordWalker;

use crate::partition::PartitionHandle;
use crate::partitions::Topic;

/// How much of a partition is read at a time.
const READ_BYTES: usize = 1 << 20;

/// One thing a partition says.
pub(crate) enum Replayed<'a> {
    Record {
        offset: i64,
        key: &'a [u8],
        value: Option<&'a [u8]>,
        /// The producer in whose transaction it was written.
        producer_id: Option<i64>,
    },
    End {
        producer_id: i64,
        marker: Marker,
    },
}

/// Partitions that could not be read: serving what is kept there would lose what it was.
#[derive(Debug, Default)]
pub(crate) struct UnreadablePartitions {
    unreadable: HashSet<usize>,
    count: usize,
}

impl UnreadablePartitions {
    /// Whether the records of a group or a transactional id are in one of them.
    pub(crate) fn holds(&self, id: &str) -> bool {
        !self.unreadable.is_empty() && self.unreadable.contains(&partition_index(id, self.count))
    }
}

/// Gives everything of every partition to `visit`, with the partition's index.
pub(crate) fn replay_topic(topic: &Topic, visit: &mut dyn FnMut(usize, Replayed<'_>)) -> UnreadablePartitions {
    let mut unreadable = HashSet::new();
    for (index, partition) in topic.partitions.iter().enumerate() {
        if let Err(error) = replay_partition(partition, &mut |said| visit(index, said)) {
            tracing::error!(
                topic = &*topic.name,
                partition = index,
                error = &*error.to_string(),
                "a partition cannot be read, and what is coordinated there is not served"
            );
            unreadable.insert(index);
        }
    }
    let count = topic.partitions.len();
    UnreadablePartitions { unreadable, count }
}

fn replay_partition(
    partition: &PartitionHandle,
    visit: &mut dyn FnMut(Replayed<'_>),
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
                replay_batch(&batch, &mut block, visit)?;
            }
        }
        offset = read.next_offset;
    }
    Ok(())
}

fn replay_batch(
    batch: &BatchView<'_>,
    block: &mut Vec<u8>,
    visit: &mut dyn FnMut(Replayed<'_>),
) -> Result<(), ProtocolError> {
    let header = &batch.header;
    if header.attributes.is_control() {
        if let Some(end) = TransactionEnd::of(header, batch.bytes)? {
            visit(Replayed::End {
                producer_id: header.producer_id,
                marker: end.marker,
            });
        }
        return Ok(());
    }
    let compressed = batch.records();
    let cap = decompression_cap(compressed.len());
    decompress_into(header.attributes.codec()?, compressed, cap, block)?;
    for record in RecordWalker::new(block, header.records_count) {
        let record = record?;
        let Some(key) = record.key else {
            continue;
        };
        visit(Replayed::Record {
            offset: header.base_offset + i64::from(record.offset_delta),
            key,
            value: record.value,
            producer_id: header.attributes.is_transactional().then_some(header.producer_id),
        });
    }
    Ok(())
}

/// The partition whose records are a group's or a transactional id's: Java's `String.hashCode`
/// without its sign, modulo the number of partitions. Tools compute the same.
pub(crate) fn partition_index(id: &str, partitions: usize) -> usize {
    let hash = id
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
