//! One transactional id: its producer, state and partitions
//!
//! A change is prepared as a `Next`, written to the log, and entered when it is durable; until
//! then the id is pending and other requests are sent away. What cannot follow what is not built.
//! Source: Kafka's `TransactionMetadata`, transaction version 1.

use std::collections::BTreeSet;

use super::request::{Producer, Verdict};

/// Stands for no epoch yet.
pub(super) const NO_EPOCH: i16 = -1;
/// The epoch of the last producer of an id; the one above only ever fences.
const LAST_EPOCH: i16 = i16::MAX - 1;
pub(super) const NO_TIME: i64 = -1;
pub(super) const NO_PRODUCER: i64 = -1;

/// A partition that takes part in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: String,
    /// Partition index.
    pub partition: i32,
}

/// Where an id is, by Kafka's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No transaction yet.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// It will be committed; markers are on their way.
    PrepareCommit,
    /// It will be aborted; markers are on their way.
    PrepareAbort,
    /// It was committed.
    CompleteCommit,
    /// It was aborted.
    CompleteAbort,
    /// The id is about to be forgotten.
    Dead,
    /// The epoch is about to rise, to abort a transaction over its producer's head. Never stored.
    PrepareEpochFence,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// Returns Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// Returns the state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Returns Kafka's number.
    pub fn number(self) -> i8 {
        match self {
            Self::Empty => 0,
            Self::Ongoing => 1,
            Self::PrepareCommit => 2,
            Self::PrepareAbort => 3,
            Self::CompleteCommit => 4,
            Self::CompleteAbort => 5,
            Self::Dead => 6,
            Self::PrepareEpochFence => 7,
        }
    }

    /// Returns the state of a number.
    pub fn from_number(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// The verdict whose markers are being written.
    pub(super) fn verdict(self) -> Option<Verdict> {
        match self {
            Self::PrepareCommit => Some(Verdict::Commit),
            Self::PrepareAbort => Some(Verdict::Abort),
            _ => None,
        }
    }
}

/// One transactional id, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Producer id.
    pub producer_id: i64,
    /// Producer id before the last one ran out of epochs, -1 for none.
    pub previous_producer_id: i64,
    /// Epoch of the producer; -1 before the first.
    pub epoch: i16,
    /// Epoch before the last rise that its producer asked for itself, -1 for none.
    pub last_epoch: i16,
    /// How long a transaction may stay open.
    pub timeout_ms: i32,
    /// Where it is.
    pub state: State,
    /// Partitions of the open or ending transaction.
    pub partitions: BTreeSet<TopicPartition>,
    /// When the transaction began, wall clock; -1 for none.
    pub start_ms: i64,
    /// When the id last changed, wall clock.
    pub updated_ms: i64,
}

/// The state an id is about to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next(pub Transaction);

impl Transaction {
    /// An id nobody used yet.
    pub(super) fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: NO_PRODUCER,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            start_ms: NO_TIME,
            updated_ms: now_ms,
        }
    }

    /// The producer as it is now.
    pub fn producer(&self) -> Producer {
        Producer {
            id: self.producer_id,
            epoch: self.epoch,
        }
    }

    pub(super) fn is_epoch_exhausted(&self) -> bool {
        is_exhausted(self.epoch)
    }

    /// A producer starts, or goes on after an error, in the next epoch.
    pub(super) fn with_next_epoch(&self, last_epoch: i16, timeout_ms: i32, now_ms: i64) -> Next {
        Next(Self {
            epoch: self.epoch.saturating_add(1),
            last_epoch,
            ..self.emptied(timeout_ms, now_ms)
        })
    }

    /// A producer repeats a start whose answer it did not get.
    pub(super) fn restarted(&self, timeout_ms: i32, now_ms: i64) -> Next {
        Next(self.emptied(timeout_ms, now_ms))
    }

    /// Epochs have run out: a producer starts under another id.
    pub(super) fn with_id(&self, producer_id: i64, last_epoch: i16, timeout_ms: i32, now_ms: i64) -> Next {
        Next(Self {
            producer_id,
            previous_producer_id: self.producer_id,
            epoch: 0,
            last_epoch,
            ..self.emptied(timeout_ms, now_ms)
        })
    }

    fn emptied(&self, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            timeout_ms,
            state: State::Empty,
            partitions: BTreeSet::new(),
            start_ms: NO_TIME,
            updated_ms: now_ms,
            ..self.clone()
        }
    }

    pub(super) fn with_partitions(&self, added: Vec<TopicPartition>, now_ms: i64) -> Next {
        let mut next = self.clone();
        if self.state != State::Ongoing {
            next.start_ms = now_ms;
            next.partitions.clear();
        }
        next.partitions.extend(added);
        next.state = State::Ongoing;
        next.updated_ms = now_ms;
        Next(next)
    }

    pub(super) fn decided(&self, verdict: Verdict, now_ms: i64) -> Next {
        Next(Self {
            state: match verdict {
                Verdict::Commit => State::PrepareCommit,
                Verdict::Abort => State::PrepareAbort,
            },
            updated_ms: now_ms,
            ..self.clone()
        })
    }

    /// The transaction is to be aborted by a marker that fences its producer.
    pub(super) fn fenced(&self, epoch: i16, now_ms: i64) -> Next {
        Next(Self {
            epoch,
            last_epoch: NO_EPOCH,
            ..self.decided(Verdict::Abort, now_ms).0
        })
    }

    pub(super) fn completed(&self, verdict: Verdict, now_ms: i64) -> Next {
        Next(Self {
            state: match verdict {
                Verdict::Commit => State::CompleteCommit,
                Verdict::Abort => State::CompleteAbort,
            },
            partitions: BTreeSet::new(),
            updated_ms: now_ms,
            ..self.clone()
        })
    }
}

/// Whether no producer may get an epoch after this one.
pub(super) fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}
