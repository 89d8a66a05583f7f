//! `__transaction_state` records: keys and values in Kafka's format
//!
//! Key v0: the transactional id. Value: v0 and v1 are read (v1 is flexible, with the previous
//! producer id, the next one and its epoch as tags); v0 is written, as Kafka does without
//! transaction version 2. Source: `TransactionLogKey/Value.json` of the transaction coordinator.

use std::collections::BTreeSet;

use bytes::BufMut;
use weir_protocol::primitives::{LengthEncoding, Reader};

use super::state::{NO_EPOCH, NO_PRODUCER, State, TopicPartition, Transaction};
use crate::error::CoordinatorError;
use crate::fields::{Fields, put_string};
use crate::group::record::LogRecord;

const KEY_VERSION: i16 = 0;
const VALUE_VERSION: i16 = 0;
const FLEXIBLE_VALUE_VERSION: i16 = 1;
const PREVIOUS_PRODUCER_ID: u32 = 0;

/// Builds the record of an id.
pub(super) fn record(transactional_id: &str, transaction: &Transaction) -> LogRecord {
    LogRecord {
        key: key(transactional_id),
        value: Some(encode(transaction)),
    }
}

/// Builds the record that forgets an id.
pub(super) fn tombstone(transactional_id: &str) -> LogRecord {
    LogRecord {
        key: key(transactional_id),
        value: None,
    }
}

fn key(transactional_id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i16(KEY_VERSION);
    put_string(&mut out, transactional_id);
    out
}

/// Reads a key; none for one of a type that is not known here.
///
/// # Errors
/// `Malformed` when the bytes end early.
pub fn decode_key(bytes: &[u8]) -> Result<Option<String>, CoordinatorError> {
    let malformed = || CoordinatorError::Malformed { what: "record key" };
    let mut fields = Fields::new(bytes);
    match fields.i16().ok_or_else(malformed)? {
        KEY_VERSION => fields.string().ok_or_else(malformed).map(Some),
        _ => Ok(None),
    }
}

fn encode(transaction: &Transaction) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_i16(VALUE_VERSION);
    out.put_i64(transaction.producer_id);
    out.put_i16(transaction.epoch);
    out.put_i32(transaction.timeout_ms);
    out.put_i8(transaction.state.number());
    // As Kafka: nobody looks for partitions where no transaction is.
    if transaction.state == State::Empty {
        out.put_i32(-1);
    } else {
        put_partitions(&mut out, &transaction.partitions);
    }
    out.put_i64(transaction.updated_ms);
    out.put_i64(transaction.start_ms);
    out
}

fn put_partitions(out: &mut Vec<u8>, partitions: &BTreeSet<TopicPartition>) {
    let put_count = |out: &mut Vec<u8>, count: usize| out.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
    let partitions: Vec<&TopicPartition> = partitions.iter().collect();
    let topics: Vec<_> = partitions.chunk_by(|one, other| one.topic == other.topic).collect();
    put_count(out, topics.len());
    for of_topic in topics {
        put_string(out, of_topic.first().map_or("", |first| &first.topic));
        put_count(out, of_topic.len());
        for partition in of_topic {
            out.put_i32(partition.partition);
        }
    }
}

/// Reads a value.
///
/// # Errors
/// `Malformed` when the bytes end early or a number means nothing; `UnsupportedVersion`.
pub fn decode(bytes: &[u8]) -> Result<Transaction, CoordinatorError> {
    let what = "transaction value";
    let malformed = || CoordinatorError::Malformed { what };
    let mut fields = Fields::new(bytes);
    match fields.i16().ok_or_else(malformed)? {
        VALUE_VERSION => {}
        FLEXIBLE_VALUE_VERSION => fields.set_lengths(LengthEncoding::Compact),
        version => return Err(CoordinatorError::UnsupportedVersion { what, version }),
    }
    decode_fields(&mut fields).ok_or_else(malformed)
}

fn decode_fields(fields: &mut Fields<'_>) -> Option<Transaction> {
    let mut transaction = Transaction {
        producer_id: fields.i64()?,
        previous_producer_id: NO_PRODUCER,
        epoch: fields.i16()?,
        last_epoch: NO_EPOCH,
        timeout_ms: fields.i32()?,
        state: State::from_number(fields.i8()?)?,
        partitions: BTreeSet::new(),
        start_ms: -1,
        updated_ms: -1,
    };
    for _ in 0..fields.array_length()? {
        let topic = fields.string()?;
        for _ in 0..fields.array_length()? {
            transaction.partitions.insert(TopicPartition {
                topic: topic.clone(),
                partition: fields.i32()?,
            });
        }
        fields.skip_tags()?;
    }
    transaction.updated_ms = fields.i64()?;
    transaction.start_ms = fields.i64()?;
    fields.tags(|tag, value| {
        if tag == PREVIOUS_PRODUCER_ID {
            transaction.previous_producer_id = Reader::new(value).i64()?;
        }
        Some(())
    })?;
    Some(transaction)
}

#[cfg(test)]
mod tests;
