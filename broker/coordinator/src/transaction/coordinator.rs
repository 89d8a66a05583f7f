//! The transactional ids of a broker
//!
//! The state machine the server drives: requests of producers go in, effects come out, `stored`
//! and `marked` bring back what became of them. A decision is written before anybody hears of it,
//! markers after it, and the id is free again when they are durable. Starting producers is in
//! `init`, timeouts and expiry in `timer`. Kafka's code: `TransactionCoordinator`.

use std::collections::{BTreeSet, HashMap};

use weir_protocol::error_code::ErrorCode;

use super::effect::{After, Effect, Markers, Reply, Then};
use super::record::{decode, decode_key, record};
use super::request::{EndRequest, Producer, Verdict};
use super::state::{Next, State, TopicPartition, Transaction};
use crate::error::CoordinatorError;
use crate::group::effect::Ticket;

/// The broker's settings for transactions.
#[derive(Debug, Clone, Copy)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`
    pub max_timeout_ms: i32,
    /// `transactional.id.expiration.ms`
    pub id_expiration_ms: i64,
}

/// One id as ListTransactions answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The id.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// Where it is.
    pub state: State,
    /// When its transaction began; -1 for none.
    pub start_ms: i64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) transaction: Transaction,
    /// The state being written; other requests are sent away meanwhile.
    pub(super) pending: Option<State>,
    /// Whether markers, or the record after them, are on their way.
    pub(super) is_marking: bool,
    /// Whether an epoch rose to fence a producer and the log refused to take it: it does not rise
    /// again, or failures could use up all epochs.
    pub(super) has_failed_fence: bool,
}

impl Entry {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self {
            transaction,
            pending: None,
            is_marking: false,
            has_failed_fence: false,
        }
    }
}

/// Every transactional id of this broker.
#[derive(Debug)]
pub struct TransactionCoordinator {
    pub(super) settings: TransactionSettings,
    pub(super) ids: HashMap<String, Entry>,
}

impl TransactionCoordinator {
    /// A coordinator without ids.
    pub fn new(settings: TransactionSettings) -> Self {
        Self {
            settings,
            ids: HashMap::new(),
        }
    }

    /// Handles AddPartitionsToTxn and AddOffsetsToTxn.
    pub fn add_partitions(
        &mut self,
        transactional_id: &str,
        producer: Producer,
        partitions: Vec<TopicPartition>,
        ticket: Ticket,
        now_ms: i64,
        effects: &mut Vec<Effect>,
    ) {
        let entry = match self.entry_of(transactional_id, producer) {
            Ok(entry) => entry,
            Err(code) => return effects.push(done(ticket, code)),
        };
        let transaction = &entry.transaction;
        if entry.pending.is_some() || transaction.state.verdict().is_some() {
            return effects.push(done(ticket, ErrorCode::CONCURRENT_TRANSACTIONS));
        }
        let is_known = transaction.state == State::Ongoing
            && partitions
                .iter()
                .all(|partition| transaction.partitions.contains(partition));
        if is_known {
            return effects.push(done(ticket, ErrorCode::NONE));
        }
        let next = transaction.with_partitions(partitions, now_ms);
        let after = After::Answer(ticket, ErrorCode::NONE);
        effects.push(enter(transactional_id, entry, next, after));
    }

    /// Whether a producer may write to a partition in its transaction now. Cheap: a lookup.
    ///
    /// # Errors
    /// What a producer is told: `INVALID_PRODUCER_EPOCH` where a coordinator's request says
    /// `PRODUCER_FENCED`, `TRANSACTION_ABORTABLE` for a partition that is not part of it.
    pub fn verify(
        &self,
        transactional_id: &str,
        producer: Producer,
        partition: &TopicPartition,
    ) -> Result<(), ErrorCode> {
        let entry = self.ids.get(transactional_id);
        let Some(entry) = entry.filter(|entry| entry.transaction.producer_id == producer.id) else {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        };
        let transaction = &entry.transaction;
        if transaction.epoch != producer.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        match (transaction.state, entry.pending) {
            (State::PrepareCommit | State::PrepareAbort, _) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            // A decision on its way counts: its marker must find everything before it.
            (State::Ongoing, Some(pending)) if pending != State::Ongoing => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            (State::Ongoing, _) if transaction.partitions.contains(partition) => Ok(()),
            _ => Err(ErrorCode::TRANSACTION_ABORTABLE),
        }
    }

    /// Handles EndTxn.
    pub fn end(&mut self, request: &EndRequest, ticket: Ticket, now_ms: i64, effects: &mut Vec<Effect>) {
        let EndRequest {
            transactional_id,
            producer,
            verdict,
        } = request;
        let entry = match self.entry_of(transactional_id, *producer) {
            Ok(entry) => entry,
            Err(code) => return effects.push(done(ticket, code)),
        };
        let verdict = *verdict;
        let code = match entry.transaction.state {
            _ if entry.pending.is_some() => ErrorCode::CONCURRENT_TRANSACTIONS,
            State::Ongoing => {
                let next = entry.transaction.decided(verdict, now_ms);
                let after = After::Answer(ticket, ErrorCode::NONE);
                return effects.push(enter(transactional_id, entry, next, after));
            }
            // A repetition whose first answer was lost.
            State::CompleteCommit if verdict == Verdict::Commit => ErrorCode::NONE,
            State::CompleteAbort if verdict == Verdict::Abort => ErrorCode::NONE,
            State::PrepareCommit if verdict == Verdict::Commit => ErrorCode::CONCURRENT_TRANSACTIONS,
            State::PrepareAbort if verdict == Verdict::Abort => ErrorCode::CONCURRENT_TRANSACTIONS,
            _ => ErrorCode::INVALID_TXN_STATE,
        };
        effects.push(done(ticket, code));
    }

    fn entry_of(&mut self, transactional_id: &str, producer: Producer) -> Result<&mut Entry, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let entry = self.ids.get_mut(transactional_id);
        let entry = entry
            .filter(|entry| entry.transaction.producer_id == producer.id)
            .ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if entry.transaction.epoch != producer.epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        Ok(entry)
    }

    /// Takes in what became of a store.
    pub fn stored(
        &mut self,
        transactional_id: &str,
        then: Then,
        outcome: Result<(), ErrorCode>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.ids.get_mut(transactional_id) else {
            return;
        };
        let was_fencing = entry.pending == Some(State::PrepareEpochFence);
        entry.pending = None;
        match (then, outcome) {
            (Then::Forget, Ok(())) => {
                self.ids.remove(transactional_id);
            }
            (Then::Forget, Err(_)) => {}
            (
                Then::Enter {
                    next: Next(next),
                    after,
                },
                Ok(()),
            ) => {
                entry.transaction = next;
                entry.has_failed_fence = false;
                entry.is_marking = false;
                let producer = entry.transaction.producer();
                effects.extend(follow(after, Ok(producer)));
                effects.extend(mark(transactional_id, entry));
            }
            (
                Then::Enter {
                    next: Next(next),
                    after,
                },
                Err(code),
            ) => {
                if was_fencing {
                    entry.has_failed_fence = true;
                    entry.transaction.epoch = next.epoch;
                }
                // The timer has the markers written again.
                entry.is_marking = false;
                effects.extend(follow(after, Err(store_failure(code))));
            }
        }
    }

    /// Takes in that the markers are durable, or that some cannot be written now.
    pub fn marked(&mut self, markers: &Markers, is_done: bool, now_ms: i64, effects: &mut Vec<Effect>) {
        let Some(entry) = self.ids.get_mut(&markers.transactional_id) else {
            return;
        };
        let is_current = entry.transaction.producer() == markers.producer
            && entry.transaction.state.verdict() == Some(markers.verdict);
        if !is_current || entry.pending.is_some() {
            return;
        }
        if !is_done {
            entry.is_marking = false;
            return;
        }
        let next = entry.transaction.completed(markers.verdict, now_ms);
        effects.push(enter(&markers.transactional_id, entry, next, After::Nothing));
    }

    /// Applies one record of the log.
    ///
    /// # Errors
    /// For a record that cannot be read; it is then as if it were not there.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), CoordinatorError> {
        let Some(transactional_id) = decode_key(key)? else {
            return Ok(());
        };
        match value.map(decode).transpose()? {
            None => self.ids.remove(&transactional_id),
            Some(transaction) => self.ids.insert(transactional_id, Entry::new(transaction)),
        };
        Ok(())
    }

    /// All records are applied: what was decided is carried through.
    pub fn loaded(&mut self, effects: &mut Vec<Effect>) {
        for (transactional_id, entry) in &mut self.ids {
            effects.extend(mark(transactional_id, entry));
        }
    }

    /// Answers DescribeTransactions for one id.
    pub fn describe(&self, transactional_id: &str) -> Option<&Transaction> {
        let entry = self.ids.get(transactional_id)?;
        (entry.pending != Some(State::Dead)).then_some(&entry.transaction)
    }

    /// Answers ListTransactions, in no order.
    pub fn list(&self) -> Vec<ListedTransaction> {
        let listed = self.ids.iter().map(|(transactional_id, entry)| ListedTransaction {
            transactional_id: transactional_id.clone(),
            producer_id: entry.transaction.producer_id,
            state: entry.transaction.state,
            start_ms: entry.transaction.start_ms,
        });
        listed.collect()
    }

    /// Returns whether there is nothing to look after.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Writes a state; the id is pending until `stored`.
pub(super) fn enter(transactional_id: &str, entry: &mut Entry, next: Next, after: After) -> Effect {
    entry.pending = Some(next.0.state);
    Effect::Store {
        transactional_id: transactional_id.to_owned(),
        record: record(transactional_id, &next.0),
        then: Box::new(Then::Enter { next, after }),
    }
}

/// The markers of a decided transaction, if it is one and they are not on their way.
pub(super) fn mark(transactional_id: &str, entry: &mut Entry) -> Option<Effect> {
    let verdict = entry.transaction.state.verdict()?;
    if entry.is_marking || entry.pending.is_some() {
        return None;
    }
    entry.is_marking = true;
    let partitions: &BTreeSet<TopicPartition> = &entry.transaction.partitions;
    Some(Effect::Mark(Markers {
        transactional_id: transactional_id.to_owned(),
        producer: entry.transaction.producer(),
        verdict,
        partitions: partitions.iter().cloned().collect(),
    }))
}

fn follow(after: After, outcome: Result<Producer, ErrorCode>) -> Option<Effect> {
    let (ticket, reply) = match after {
        After::Nothing => return None,
        After::AnswerInit(ticket) => (ticket, Reply::Init(outcome)),
        After::RefuseInit(ticket, code) => (ticket, Reply::Init(Err(outcome.err().unwrap_or(code)))),
        After::Answer(ticket, code) => (ticket, Reply::Done(outcome.err().unwrap_or(code))),
    };
    Some(Effect::Reply { ticket, reply })
}

pub(super) fn done(ticket: Ticket, code: ErrorCode) -> Effect {
    Effect::Reply {
        ticket,
        reply: Reply::Done(code),
    }
}

/// What a producer is told when the log refused the write, as Kafka maps it.
fn store_failure(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests;
