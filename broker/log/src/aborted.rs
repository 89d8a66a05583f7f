//! `.txnindex`: which transactions of a segment were aborted
//!
//! One entry an abort marker that ended a transaction with records, in the segment that holds the
//! marker. The active segment's list is in memory and written when the segment is sealed or the
//! log closed; sealed lists are read at start. A file is always replaced as a whole and durable
//! before a producer snapshot that no longer knows the transaction: what replay cannot tell any
//! more is on disk. An entry stays true for ever, so one too many does no harm.
//! Source: Kafka's `AbortedTxn` (format version 0) and `TransactionIndex`.

use weir_protocol::error::ProtocolError;
use weir_protocol::primitives::Reader;
use weir_protocol::records::batch::{BatchHeader, BatchView};
use weir_protocol::records::control::{self, ControlRecord, Marker};
use weir_protocol::records::record::RecordWalker;

const VERSION: i16 = 0;
/// Bytes of an entry in the file.
const ENTRY_BYTES: usize = 34;

/// An aborted transaction of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Producer of the transaction.
    pub producer_id: i64,
    /// Offset of its first record here.
    pub first_offset: i64,
    /// Offset of its abort marker.
    pub last_offset: i64,
    /// Last stable offset once it was aborted: nothing below is undecided.
    pub last_stable_offset: i64,
}

/// The end of a transaction, as its marker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionEnd {
    /// Commit or abort.
    pub marker: Marker,
    /// Epoch of the coordinator that wrote it.
    pub coordinator_epoch: i32,
}

impl TransactionEnd {
    /// Reads a marker; none for a batch that is no end of a transaction.
    ///
    /// # Errors
    /// A control batch that cannot be read.
    pub fn of(header: &BatchHeader, batch: &[u8]) -> Result<Option<Self>, ProtocolError> {
        if !header.attributes.is_control() || !header.has_producer() {
            return Ok(None);
        }
        let view = BatchView::parse(batch)?;
        let Some(record) = RecordWalker::new(view.records(), header.records_count).next() else {
            return Ok(None);
        };
        Ok(match control::parse(&record?)? {
            ControlRecord::EndTransaction {
                marker,
                coordinator_epoch,
            } => Some(Self {
                marker,
                coordinator_epoch,
            }),
            ControlRecord::Other(_) => None,
        })
    }
}

/// Writes a list as Kafka has it in the file.
pub(crate) fn encode(entries: &[AbortedTransaction]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        out.extend_from_slice(&VERSION.to_be_bytes());
        for field in [
            entry.producer_id,
            entry.first_offset,
            entry.last_offset,
            entry.last_stable_offset,
        ] {
            out.extend_from_slice(&field.to_be_bytes());
        }
    }
    out
}

/// Reads a list; none when the file is not one.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<AbortedTransaction>> {
    let mut reader = Reader::new(bytes);
    let mut entries = Vec::with_capacity(bytes.len() / ENTRY_BYTES);
    while reader.remaining() > 0 {
        if reader.i16()? != VERSION {
            return None;
        }
        entries.push(AbortedTransaction {
            producer_id: reader.i64()?,
            first_offset: reader.i64()?,
            last_offset: reader.i64()?,
            last_stable_offset: reader.i64()?,
        });
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: i64) -> AbortedTransaction {
        AbortedTransaction {
            producer_id: at,
            first_offset: at * 10,
            last_offset: at * 10 + 5,
            last_stable_offset: at * 10 + 6,
        }
    }

    #[test]
    fn files_are_kafkas_and_torn_ones_are_none() {
        let entries = vec![entry(1), entry(2)];
        let bytes = encode(&entries);
        assert_eq!(bytes.len(), 68);
        assert_eq!(bytes[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(decode(&bytes), Some(entries));
        assert_eq!(decode(&[]), Some(Vec::new()));
        for cut in [1, 33, 35, 67] {
            assert_eq!(decode(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(decode(&[0, 1]), None, "another version");
    }
}
