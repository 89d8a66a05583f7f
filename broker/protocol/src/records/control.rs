//! Control records: the markers that end a transaction
//!
//! A control batch holds one record whose key names the kind. The broker writes
//! commit and abort markers; others (leader change, snapshots) belong to Kafka's
//! Raft log and are only recognised. Source: KIP-98, `ControlRecordType`.

use crate::error::ProtocolError;
use crate::primitives::Reader;
use crate::records::builder::{BatchBuilder, BatchSettings};
use crate::records::record::RecordView;

/// Kind of a transaction marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The transaction's records are dropped.
    Abort,
    /// The transaction's records count.
    Commit,
}

/// A control record, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// End of a transaction, written under a coordinator epoch.
    EndTransaction {
        /// Commit or abort.
        marker: Marker,
        /// Epoch of the coordinator that wrote it.
        coordinator_epoch: i32,
    },
    /// A kind of no concern to a partition log.
    Other(i16),
}

/// Who writes a marker, and under which epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkerSource {
    /// Producer of the transaction.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Epoch of the coordinator.
    pub coordinator_epoch: i32,
}

/// Reads a control record.
///
/// # Errors
/// [`ProtocolError::MalformedRecord`] when key or value is cut short.
pub fn parse(record: &RecordView<'_>) -> Result<ControlRecord, ProtocolError> {
    let short = || ProtocolError::MalformedRecord {
        reason: "control record cut short",
    };
    let mut key = Reader::new(record.key.ok_or_else(short)?);
    let _version = key.i16().ok_or_else(short)?;
    let marker = match key.i16().ok_or_else(short)? {
        0 => Marker::Abort,
        1 => Marker::Commit,
        other => return Ok(ControlRecord::Other(other)),
    };
    let mut value = Reader::new(record.value.ok_or_else(short)?);
    let _version = value.i16().ok_or_else(short)?;
    let coordinator_epoch = value.i32().ok_or_else(short)?;
    Ok(ControlRecord::EndTransaction {
        marker,
        coordinator_epoch,
    })
}

/// Builds the control batch that ends a transaction.
///
/// # Errors
/// None in practice; the batch is a hundred bytes.
pub fn build_marker(source: MarkerSource, marker: Marker, now_ms: i64) -> Result<Vec<u8>, ProtocolError> {
    let mut builder = BatchBuilder::new(BatchSettings {
        producer_id: source.producer_id,
        producer_epoch: source.producer_epoch,
        is_transactional: true,
        is_control: true,
        ..BatchSettings::default()
    });
    let kind: u8 = match marker {
        Marker::Abort => 0,
        Marker::Commit => 1,
    };
    let mut value = vec![0, 0];
    value.extend_from_slice(&source.coordinator_epoch.to_be_bytes());
    builder.append(now_ms, Some(&[0, 0, 0, kind]), Some(&value), &[]);
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::batch::BatchView;
    use crate::records::record::RecordWalker;

    #[test]
    fn markers_round_trip() {
        let source = MarkerSource {
            producer_id: 4,
            producer_epoch: 2,
            coordinator_epoch: 9,
        };
        for marker in [Marker::Abort, Marker::Commit] {
            let bytes = build_marker(source, marker, 1).unwrap();
            let view = BatchView::parse(&bytes).unwrap();
            view.check_crc().unwrap();
            assert!(view.header.attributes.is_control() && view.header.attributes.is_transactional());
            assert_eq!((view.header.base_sequence, view.header.records_count), (-1, 1));
            let record = RecordWalker::new(view.records(), 1).next().unwrap().unwrap();
            let expected = ControlRecord::EndTransaction {
                marker,
                coordinator_epoch: 9,
            };
            assert_eq!(parse(&record).unwrap(), expected);
        }
    }
}
