//! What the transaction coordinator wants done
//!
//! A parked request is a `Ticket`, as in groups. A `Store` is written to `__transaction_state` and
//! its outcome given back with the same `then`; a `Mark` is written to the partitions named and
//! reported once every marker is durable.

use weir_protocol::error_code::ErrorCode;

use super::request::{Producer, Verdict};
use super::state::{Next, TopicPartition};
use crate::group::effect::Ticket;
use crate::group::record::LogRecord;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Answer a parked request.
    Reply {
        /// The request.
        ticket: Ticket,
        /// Its answer.
        reply: Reply,
    },
    /// Append a record, then call `TransactionCoordinator::stored` with `then`.
    Store {
        /// Id the record belongs to; decides the log partition.
        transactional_id: String,
        /// The record.
        record: LogRecord,
        /// What the outcome means.
        then: Box<Then>,
    },
    /// Write a marker to each partition, then call `TransactionCoordinator::marked`.
    Mark(Markers),
}

/// The markers that end a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Markers {
    /// Whose transaction it is.
    pub transactional_id: String,
    /// Its producer.
    pub producer: Producer,
    /// How it ends.
    pub verdict: Verdict,
    /// Where.
    pub partitions: Vec<TopicPartition>,
}

/// What the outcome of a `Store` means.
#[derive(Debug)]
pub enum Then {
    /// The id enters its next state, and `after` follows.
    Enter {
        /// The state written.
        next: Next,
        /// What then.
        after: After,
    },
    /// The id is gone.
    Forget,
}

/// What follows a stored state.
#[derive(Debug)]
pub enum After {
    /// Nothing waits.
    Nothing,
    /// A producer is told its id and epoch.
    AnswerInit(Ticket),
    /// A producer that starts is told this code.
    RefuseInit(Ticket, ErrorCode),
    /// A producer is told this code.
    Answer(Ticket, ErrorCode),
}

/// An answer to a parked request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// To InitProducerId.
    Init(Result<Producer, ErrorCode>),
    /// To InitProducerId: ask again with a fresh producer id.
    NeedsId,
    /// To AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
    Done(ErrorCode),
}
