//! The checks a produced batch passes before it is appended
//!
//! Cheap checks first, then one walk over the records (decompressed when need
//! be) that skips keys and values. Sequence rules need the partition's state and
//! are the log's. Answers facts the log uses, or a refusal with Kafka's code.
//! Source: Kafka's `LogValidator` and `UnifiedLog.analyzeAndValidateRecords`.

use crate::error::ProtocolError;
use crate::error_code::ErrorCode;
use crate::records::batch::{BatchHeader, BatchView, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType};
use crate::records::compression::{Codec, decompress_into, decompression_cap};
use crate::records::record::RecordWalker;

/// What a partition accepts.
#[derive(Debug, Clone)]
pub struct BatchRules {
    /// Largest batch in bytes, as sent (`max.message.bytes`).
    pub max_batch_bytes: usize,
    /// Largest batch a segment can hold (`segment.bytes`).
    pub segment_bytes: usize,
    /// Whether records need a key (`cleanup.policy` contains `compact`).
    pub requires_keys: bool,
    /// Whether the request version may carry zstd (Produce 7 and later).
    pub allows_zstd: bool,
    /// Whose clock counts (`message.timestamp.type`).
    pub timestamp_type: TimestampType,
    /// How far before `now_ms` a timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// How far after `now_ms` a timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// The broker's clock.
    pub now_ms: i64,
}

impl Default for BatchRules {
    /// Kafka's defaults, at time zero.
    fn default() -> Self {
        Self {
            max_batch_bytes: 1_048_588,
            segment_bytes: 1 << 30,
            requires_keys: false,
            allows_zstd: true,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            now_ms: 0,
        }
    }
}

/// What a valid batch told about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchFacts {
    /// Its header, as sent.
    pub header: BatchHeader,
    /// Largest timestamp the records really carry. The header's own claim is not
    /// trusted: it would go into the time index.
    pub max_timestamp: i64,
}

impl BatchFacts {
    /// Returns the facts of a batch the broker itself built, from its header.
    ///
    /// # Errors
    /// [`ProtocolError::CorruptBatch`] when `bytes` is not exactly one batch.
    pub fn of_trusted(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let batch = BatchView::parse(bytes)?;
        if batch.bytes.len() != bytes.len() {
            return Err(ProtocolError::CorruptBatch {
                reason: "more than one batch",
            });
        }
        Ok(Self {
            header: batch.header,
            max_timestamp: batch.header.max_timestamp,
        })
    }
}

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Code of the partition's answer.
    pub code: ErrorCode,
    /// Text of the partition's answer.
    pub message: String,
    /// Positions of the records at fault with a text each (Produce 8 and later).
    pub record_errors: Vec<(i32, String)>,
}

impl Rejection {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            record_errors: Vec::new(),
        }
    }
}

impl From<ProtocolError> for Rejection {
    fn from(error: ProtocolError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// Most records named in a refusal; a bad producer repeats itself.
const MAX_RECORD_ERRORS: usize = 10;

/// Checks the records field of a produce request for one partition.
///
/// `scratch` holds decompressed records and is reused between calls.
///
/// # Errors
/// A [`Rejection`] with the code of broker table A.6; nothing may be appended.
pub fn validate_batch(bytes: &[u8], rules: &BatchRules, scratch: &mut Vec<u8>) -> Result<BatchFacts, Rejection> {
    if bytes.is_empty() {
        return Err(Rejection::new(
            ErrorCode::INVALID_RECORD,
            "produce request holds no record batch",
        ));
    }
    let batch = BatchView::parse(bytes)?;
    if batch.bytes.len() != bytes.len() {
        return Err(Rejection::new(
            ErrorCode::INVALID_RECORD,
            "produce request holds more than one record batch",
        ));
    }
    check_sizes(bytes.len(), rules)?;
    batch.check_crc()?;
    let codec = check_header(&batch.header, rules)?;
    let records = match codec {
        Codec::None => batch.records(),
        Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
            decompress_into(
                codec,
                batch.records(),
                decompression_cap(batch.records().len()),
                scratch,
            )?;
            scratch.as_slice()
        }
    };
    check_records(&batch.header, records, rules)
}

fn check_sizes(bytes: usize, rules: &BatchRules) -> Result<(), Rejection> {
    if bytes > rules.max_batch_bytes {
        return Err(Rejection::new(
            ErrorCode::MESSAGE_TOO_LARGE,
            format!(
                "record batch of {bytes} bytes exceeds the limit of {}",
                rules.max_batch_bytes
            ),
        ));
    }
    if bytes > rules.segment_bytes {
        return Err(Rejection::new(
            ErrorCode::RECORD_LIST_TOO_LARGE,
            format!(
                "record batch of {bytes} bytes exceeds the segment size {}",
                rules.segment_bytes
            ),
        ));
    }
    Ok(())
}

fn check_header(header: &BatchHeader, rules: &BatchRules) -> Result<Codec, Rejection> {
    let invalid = |message: &str| Err(Rejection::new(ErrorCode::INVALID_RECORD, message));
    if header.records_count < 1 {
        return invalid("record batch holds no records");
    }
    if header.last_offset_delta != header.records_count - 1 {
        return invalid("record count and last offset of the batch differ");
    }
    if header.attributes.is_control() {
        return invalid("clients may not write control records");
    }
    if header.attributes.has_delete_horizon() {
        return invalid("clients may not set a delete horizon");
    }
    if header.producer_id != NO_PRODUCER_ID {
        if header.producer_id < 0 || header.producer_epoch < 0 || header.base_sequence < 0 {
            return invalid("producer id without a valid epoch and sequence");
        }
    } else if header.attributes.is_transactional() {
        return invalid("transactional batch without a producer id");
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Rejection::new(
            ErrorCode::INVALID_TIMESTAMP,
            "clients may not set the timestamp type to log append time",
        ));
    }
    let codec = header.attributes.codec()?;
    if codec == Codec::Zstd && !rules.allows_zstd {
        return Err(Rejection::new(
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            "zstd needs produce version 7 or later",
        ));
    }
    Ok(codec)
}

fn check_records(header: &BatchHeader, records: &[u8], rules: &BatchRules) -> Result<BatchFacts, Rejection> {
    let mut walker = RecordWalker::new(records, header.records_count);
    let mut faults = Faults::default();
    let mut max_timestamp = NO_TIMESTAMP;
    let checks_time = rules.timestamp_type == TimestampType::CreateTime;
    for index in 0..header.records_count {
        let record = match walker.next() {
            Some(record) => record?,
            None => {
                return Err(Rejection::new(ErrorCode::INVALID_RECORD, "record count is too large"));
            }
        };
        if record.offset_delta != index {
            faults.add(ErrorCode::INVALID_RECORD, index, || {
                format!("offset delta {} at position {index}", record.offset_delta)
            });
        }
        if rules.requires_keys && record.key.is_none() {
            faults.add(ErrorCode::INVALID_RECORD, index, || {
                "Compacted topic cannot accept message without key in topic partition.".to_owned()
            });
        }
        let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        if checks_time && !is_in_range(timestamp, rules) {
            faults.add(ErrorCode::INVALID_TIMESTAMP, index, || {
                format!(
                    "timestamp {timestamp} is out of range of the broker's clock {}",
                    rules.now_ms
                )
            });
        }
        max_timestamp = max_timestamp.max(timestamp);
    }
    if walker.remaining() != 0 {
        return Err(Rejection::new(
            ErrorCode::INVALID_RECORD,
            "bytes follow the last record",
        ));
    }
    faults.into_result()?;
    Ok(BatchFacts {
        header: *header,
        max_timestamp,
    })
}

/// "No timestamp" passes whatever the range, as in Kafka.
fn is_in_range(timestamp: i64, rules: &BatchRules) -> bool {
    timestamp == NO_TIMESTAMP
        || (rules.now_ms.saturating_sub(timestamp) <= rules.timestamp_before_max_ms
            && timestamp.saturating_sub(rules.now_ms) <= rules.timestamp_after_max_ms)
}

#[derive(Default)]
struct Faults {
    code: Option<ErrorCode>,
    records: Vec<(i32, String)>,
}

impl Faults {
    #[cold]
    fn add(&mut self, code: ErrorCode, index: i32, text: impl FnOnce() -> String) {
        // The first fault decides the code, as Kafka's batch-level error does.
        self.code.get_or_insert(code);
        if self.records.len() < MAX_RECORD_ERRORS {
            self.records.push((index, text()));
        }
    }

    fn into_result(self) -> Result<(), Rejection> {
        let Some(code) = self.code else { return Ok(()) };
        let message = if code == ErrorCode::INVALID_TIMESTAMP {
            "One or more records have been rejected due to invalid timestamp"
        } else {
            "One or more records have been rejected"
        };
        Err(Rejection {
            code,
            message: message.to_owned(),
            record_errors: self.records,
        })
    }
}

#[cfg(test)]
mod tests;
