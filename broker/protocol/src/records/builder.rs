//! Building a batch from records
//!
//! Used where the broker itself writes: coordinator records, transaction
//! markers, compaction, and tests. Produce requests are never rebuilt. The
//! builder keeps offsets it is told, so a compacted batch keeps its holes.

use crate::error::ProtocolError;
use crate::primitives::{put_varint, put_varlong, varint_bytes, varlong_bytes};
use crate::records::batch::{
    Attributes, HEADER_BYTES, LENGTH_PREFIX_BYTES, MAGIC, NO_PRODUCER_ID, NO_TIMESTAMP, TimestampType, compute_crc,
};
use crate::records::compression::{Codec, compress};

/// A header to write: name and nullable value.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Everything of a batch that is not its records.
#[derive(Debug, Clone)]
pub struct BatchSettings {
    /// Offset of the first position.
    pub base_offset: i64,
    /// Leader epoch to write.
    pub leader_epoch: i32,
    /// How the record block is compressed.
    pub codec: Codec,
    /// Compression level; `None` is the codec's default.
    pub level: Option<i32>,
    /// Whose clock the timestamps come from.
    pub timestamp_type: TimestampType,
    /// Producer id, −1 for none.
    pub producer_id: i64,
    /// Producer epoch, −1 for none.
    pub producer_epoch: i16,
    /// First sequence, −1 for none.
    pub base_sequence: i32,
    /// Whether the batch belongs to a transaction.
    pub is_transactional: bool,
    /// Whether the batch holds a control record.
    pub is_control: bool,
    /// Delete horizon written in place of the base timestamp (KIP-534).
    pub delete_horizon_ms: Option<i64>,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: -1,
            codec: Codec::None,
            level: None,
            timestamp_type: TimestampType::CreateTime,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: -1,
            base_sequence: -1,
            is_transactional: false,
            is_control: false,
            delete_horizon_ms: None,
        }
    }
}

/// Collects records and writes them as one batch.
#[derive(Debug, Clone, Default)]
pub struct BatchBuilder {
    settings: BatchSettings,
    records: Vec<u8>,
    count: i32,
    base_timestamp: Option<i64>,
    max_timestamp: Option<i64>,
    last_offset_delta: Option<i32>,
}

impl BatchBuilder {
    /// Starts an empty batch.
    pub fn new(settings: BatchSettings) -> Self {
        Self {
            base_timestamp: settings.delete_horizon_ms,
            settings,
            ..Self::default()
        }
    }

    /// Appends a record at the next offset.
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) {
        let offset_delta = self.last_offset_delta.map_or(0, |last| last.saturating_add(1));
        let mut raw_headers = Vec::new();
        for (key, value) in headers {
            put_nullable(&mut raw_headers, Some(key));
            put_nullable(&mut raw_headers, *value);
        }
        self.append_raw(offset_delta, timestamp, key, value, headers.len(), &raw_headers);
    }

    /// Appends a record at a given offset, with headers as another batch held them.
    pub fn append_raw(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        header_count: usize,
        raw_headers: &[u8],
    ) {
        let base_timestamp = *self.base_timestamp.get_or_insert(timestamp);
        let timestamp_delta = timestamp.wrapping_sub(base_timestamp);
        let header_count = i32::try_from(header_count).unwrap_or(i32::MAX);
        let length = 1
            + varlong_bytes(timestamp_delta)
            + varint_bytes(offset_delta)
            + nullable_bytes(key)
            + nullable_bytes(value)
            + varint_bytes(header_count)
            + raw_headers.len();
        put_varint(&mut self.records, i32::try_from(length).unwrap_or(i32::MAX));
        self.records.push(0);
        put_varlong(&mut self.records, timestamp_delta);
        put_varint(&mut self.records, offset_delta);
        put_nullable(&mut self.records, key);
        put_nullable(&mut self.records, value);
        put_varint(&mut self.records, header_count);
        self.records.extend_from_slice(raw_headers);
        self.count = self.count.saturating_add(1);
        self.max_timestamp = self.max_timestamp.max(Some(timestamp));
        self.last_offset_delta = self.last_offset_delta.max(Some(offset_delta));
    }

    /// Sets the last offset delta, which a compacted batch keeps from its source.
    pub fn set_last_offset_delta(&mut self, delta: i32) {
        self.last_offset_delta = Some(delta);
    }

    /// Sets the largest timestamp, which an emptied batch keeps from its source.
    pub fn set_max_timestamp(&mut self, timestamp: i64) {
        self.max_timestamp = Some(timestamp);
    }

    /// Returns the number of records so far.
    pub fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or(0)
    }

    /// Returns the bytes of the batch if it were written uncompressed.
    pub fn uncompressed_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] beyond 2 GiB; what the codec reports.
    pub fn build(self) -> Result<Vec<u8>, ProtocolError> {
        let settings = &self.settings;
        // An emptied batch has no block, so none that is compressed.
        let codec = if self.count == 0 { Codec::None } else { settings.codec };
        let mut out = vec![0; HEADER_BYTES];
        if codec == Codec::None {
            out.extend_from_slice(&self.records);
        } else {
            out.extend_from_slice(&compress(codec, settings.level, &self.records)?);
        }
        let length = i32::try_from(out.len() - LENGTH_PREFIX_BYTES)
            .map_err(|_| ProtocolError::TooLarge { what: "record batch" })?;
        let attributes = Attributes::build(
            codec,
            settings.timestamp_type,
            settings.is_transactional,
            settings.is_control,
            settings.delete_horizon_ms.is_some(),
        );
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&settings.base_offset.to_be_bytes());
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&settings.leader_epoch.to_be_bytes());
        header.extend_from_slice(&MAGIC.to_be_bytes());
        header.extend_from_slice(&0u32.to_be_bytes());
        header.extend_from_slice(&attributes.0.to_be_bytes());
        header.extend_from_slice(&self.last_offset_delta.unwrap_or(0).to_be_bytes());
        header.extend_from_slice(&self.base_timestamp.unwrap_or(NO_TIMESTAMP).to_be_bytes());
        header.extend_from_slice(&self.max_timestamp.unwrap_or(NO_TIMESTAMP).to_be_bytes());
        header.extend_from_slice(&settings.producer_id.to_be_bytes());
        header.extend_from_slice(&settings.producer_epoch.to_be_bytes());
        header.extend_from_slice(&settings.base_sequence.to_be_bytes());
        header.extend_from_slice(&self.count.to_be_bytes());
        fill(&mut out, 0, &header);
        let crc = compute_crc(&out);
        fill(&mut out, 17, &crc.to_be_bytes());
        Ok(out)
    }
}

fn fill(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(target) = out.get_mut(at..at + bytes.len()) {
        target.copy_from_slice(bytes);
    }
}

fn nullable_bytes(value: Option<&[u8]>) -> usize {
    match value {
        None => 1,
        Some(bytes) => varint_bytes(i32::try_from(bytes.len()).unwrap_or(i32::MAX)) + bytes.len(),
    }
}

fn put_nullable(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
