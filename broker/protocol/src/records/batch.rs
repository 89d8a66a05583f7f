//! The 61 bytes in front of every record batch
//!
//! A copied header view, a walker over concatenated batches, and the in-place
//! patches a broker makes. Base offset and leader epoch lie outside the checksum,
//! so stamping them costs sixteen bytes; a new timestamp type costs a CRC pass.
//! Source: Kafka's `DefaultRecordBatch` (KIP-98).

use crate::error::ProtocolError;
use crate::primitives::Reader;
use crate::records::compression::Codec;

/// Bytes of a batch header.
pub const HEADER_BYTES: usize = 61;
/// Bytes in front of what `batch_length` counts.
pub const LENGTH_PREFIX_BYTES: usize = 12;
/// The one batch format there is.
pub const MAGIC: i8 = 2;
/// "No producer" in `producer_id`, and "none" in epoch and sequence fields.
pub const NO_PRODUCER_ID: i64 = -1;
/// "No timestamp" of a record.
pub const NO_TIMESTAMP: i64 = -1;

const CRC_START: usize = 21;
const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// Attribute bits of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

/// Which clock the timestamps of a batch come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's; `max_timestamp` then counts for every record.
    LogAppendTime,
}

impl Attributes {
    /// Returns the compression codec.
    ///
    /// # Errors
    /// [`ProtocolError::UnsupportedCodec`] for numbers 5–7.
    pub fn codec(self) -> Result<Codec, ProtocolError> {
        Codec::from_id(self.0 & CODEC_MASK)
    }

    /// Returns whose clock the timestamps come from.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME != 0 {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Returns whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Returns whether the batch holds a control record.
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Returns whether `base_timestamp` holds the delete horizon (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    pub(crate) fn build(
        codec: Codec,
        timestamp_type: TimestampType,
        is_transactional: bool,
        is_control: bool,
        has_delete_horizon: bool,
    ) -> Self {
        let mut bits = codec.id();
        for (set, bit) in [
            (timestamp_type == TimestampType::LogAppendTime, LOG_APPEND_TIME),
            (is_transactional, TRANSACTIONAL),
            (is_control, CONTROL),
            (has_delete_horizon, DELETE_HORIZON),
        ] {
            if set {
                bits |= bit;
            }
        }
        Self(bits)
    }
}

/// All fields of a batch header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; written by the broker.
    pub base_offset: i64,
    /// Bytes after this field.
    pub batch_length: i32,
    /// Leader epoch at append; written by the broker.
    pub partition_leader_epoch: i32,
    /// CRC-32C over everything from the attributes on.
    pub crc: u32,
    /// Codec and flag bits.
    pub attributes: Attributes,
    /// Offset of the last record, relative to the base; survives compaction.
    pub last_offset_delta: i32,
    /// Timestamp of the first record, or the delete horizon.
    pub base_timestamp: i64,
    /// Largest timestamp, as the producer claims or the broker's clock.
    pub max_timestamp: i64,
    /// Producer id, −1 for none.
    pub producer_id: i64,
    /// Producer epoch, −1 for none.
    pub producer_epoch: i16,
    /// Sequence of the first record, −1 for none.
    pub base_sequence: i32,
    /// Number of records present.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`.
    ///
    /// Checks magic and length field only; that the whole batch is there and
    /// that its checksum holds are [`BatchView`]'s business.
    ///
    /// # Errors
    /// [`ProtocolError::CorruptBatch`] when cut short or shorter than a header;
    /// [`ProtocolError::UnsupportedMagic`] for another format.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let short = || ProtocolError::CorruptBatch {
            reason: "header cut short",
        };
        let mut reader = Reader::new(bytes.first_chunk::<HEADER_BYTES>().ok_or_else(short)?);
        let base_offset = reader.i64().ok_or_else(short)?;
        let batch_length = reader.i32().ok_or_else(short)?;
        let partition_leader_epoch = reader.i32().ok_or_else(short)?;
        let magic = reader.i8().ok_or_else(short)?;
        if magic != MAGIC {
            return Err(ProtocolError::UnsupportedMagic { magic });
        }
        if i64::from(batch_length) < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i64 {
            return Err(ProtocolError::CorruptBatch {
                reason: "length below a header",
            });
        }
        Ok(Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc: reader.u32().ok_or_else(short)?,
            attributes: Attributes(reader.i16().ok_or_else(short)?),
            last_offset_delta: reader.i32().ok_or_else(short)?,
            base_timestamp: reader.i64().ok_or_else(short)?,
            max_timestamp: reader.i64().ok_or_else(short)?,
            producer_id: reader.i64().ok_or_else(short)?,
            producer_epoch: reader.i16().ok_or_else(short)?,
            base_sequence: reader.i32().ok_or_else(short)?,
            records_count: reader.i32().ok_or_else(short)?,
        })
    }

    /// Returns the bytes of the whole batch.
    pub fn size(&self) -> usize {
        // Invariant of `parse`: the length is at least a header's.
        LENGTH_PREFIX_BYTES + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Returns the offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Returns the offset after the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Returns whether an idempotent producer wrote the batch.
    pub fn has_producer(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Returns the sequence of the last record; it wraps to 0 after 2^31−1.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// Adds to a sequence number, wrapping from 2^31−1 to 0.
pub fn add_sequence(sequence: i32, delta: i32) -> i32 {
    ((i64::from(sequence) + i64::from(delta)) & i64::from(i32::MAX)) as i32
}

/// One whole batch, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct BatchView<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// All its bytes, header included.
    pub bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Reads the batch at the start of `bytes`; more may follow it.
    ///
    /// # Errors
    /// As [`BatchHeader::parse`], and [`ProtocolError::CorruptBatch`] when the
    /// batch is longer than `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let header = BatchHeader::parse(bytes)?;
        let bytes = bytes.get(..header.size()).ok_or(ProtocolError::CorruptBatch {
            reason: "batch cut short",
        })?;
        Ok(Self { header, bytes })
    }

    /// Checks the checksum.
    ///
    /// # Errors
    /// [`ProtocolError::CorruptBatch`].
    pub fn check_crc(&self) -> Result<(), ProtocolError> {
        if compute_crc(self.bytes) == self.header.crc {
            Ok(())
        } else {
            Err(ProtocolError::CorruptBatch {
                reason: "checksum differs",
            })
        }
    }

    /// Returns the bytes after the header, compressed as the codec says.
    pub fn records(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }
}

/// Walks concatenated batches; ends at the first that cannot be read.
#[derive(Debug, Clone)]
pub struct BatchIter<'a> {
    rest: &'a [u8],
}

impl<'a> BatchIter<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes not yet walked: empty at a clean end.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<BatchView<'a>, ProtocolError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = BatchView::parse(self.rest);
        self.rest = match &parsed {
            Ok(batch) => self.rest.get(batch.bytes.len()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(parsed)
    }
}

/// Computes the CRC-32C of a batch; 0 for bytes shorter than its start.
pub fn compute_crc(batch: &[u8]) -> u32 {
    batch.get(CRC_START..).map_or(0, crc32c::crc32c)
}

/// Writes the offset and leader epoch the broker gives; the checksum stays valid.
pub fn set_base_offset_and_epoch(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    put(batch, 0, &base_offset.to_be_bytes());
    put(batch, 12, &leader_epoch.to_be_bytes());
}

/// Turns the batch to log append time, and renews the checksum.
pub fn set_log_append_time(batch: &mut [u8], now_ms: i64) {
    if let Ok(header) = BatchHeader::parse(batch) {
        let attributes = header.attributes.0 | LOG_APPEND_TIME;
        put(batch, 21, &attributes.to_be_bytes());
        put(batch, 35, &now_ms.to_be_bytes());
        renew_crc(batch);
    }
}

/// Writes the largest timestamp a walk found, and renews the checksum.
pub fn set_max_timestamp(batch: &mut [u8], max_timestamp: i64) {
    put(batch, 35, &max_timestamp.to_be_bytes());
    renew_crc(batch);
}

fn renew_crc(batch: &mut [u8]) {
    let crc = compute_crc(batch);
    put(batch, 17, &crc.to_be_bytes());
}

fn put(batch: &mut [u8], at: usize, value: &[u8]) {
    if let Some(target) = batch.get_mut(at..at + value.len()) {
        target.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::builder::BatchBuilder;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        builder.append(10, Some(b"k"), Some(b"v"), &[]);
        builder.append(30, None, None, &[]);
        builder.build().unwrap()
    }

    #[test]
    fn stamping_offset_and_epoch_keeps_the_checksum() {
        let mut bytes = batch();
        set_base_offset_and_epoch(&mut bytes, 77, 5);
        let view = BatchView::parse(&bytes).unwrap();
        view.check_crc().unwrap();
        assert_eq!((view.header.base_offset, view.header.partition_leader_epoch), (77, 5));
        assert_eq!((view.header.last_offset(), view.header.next_offset()), (78, 79));
    }

    #[test]
    fn append_time_renews_the_checksum() {
        let mut bytes = batch();
        set_log_append_time(&mut bytes, 99);
        let view = BatchView::parse(&bytes).unwrap();
        view.check_crc().unwrap();
        assert_eq!(view.header.attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(view.header.max_timestamp, 99);
        assert_eq!(view.header.base_timestamp, 10);
    }

    #[test]
    fn walker_ends_at_the_first_unreadable_batch() {
        let mut bytes = batch();
        let one = bytes.len();
        bytes.extend_from_within(..);
        let mut walk = BatchIter::new(&bytes);
        assert!(walk.next().unwrap().is_ok());
        assert!(walk.next().unwrap().is_ok());
        assert!(walk.next().is_none());

        let mut walk = BatchIter::new(&bytes[..one + 70]);
        assert!(walk.next().unwrap().is_ok());
        assert!(walk.next().unwrap().is_err());
        assert!(walk.next().is_none());
    }

    #[test]
    fn every_flipped_bit_after_the_epoch_is_noticed() {
        let bytes = batch();
        for at in 16..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                let caught = BatchView::parse(&bad).and_then(|view| view.check_crc());
                assert!(caught.is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(add_sequence(5, 0), 5);
    }
}
