//! A producer starts: it gets an id and an epoch, and fences whoever had them
//!
//! An open transaction is aborted first, in an epoch nobody is given; the producer asks again
//! until that is done. Kafka's code: `TransactionCoordinator.handleInitProducerId`.

use weir_protocol::error_code::ErrorCode;

use super::coordinator::{Entry, TransactionCoordinator, enter};
use super::effect::{After, Effect, Reply};
use super::request::InitRequest;
use super::state::{NO_EPOCH, Next, State, Transaction, is_exhausted};
use crate::group::effect::Ticket;

/// What a start comes to.
enum Start {
    Enter(Next),
    /// The open transaction has to end first.
    Abort,
    NeedsId,
}

impl TransactionCoordinator {
    /// Handles InitProducerId with a transactional id.
    pub fn init(&mut self, request: &InitRequest, ticket: Ticket, now_ms: i64, effects: &mut Vec<Effect>) {
        let answer = |reply| Effect::Reply { ticket, reply };
        let refuse = |code| answer(Reply::Init(Err(code)));
        let transactional_id = &request.transactional_id;
        if transactional_id.is_empty() {
            return effects.push(refuse(ErrorCode::INVALID_REQUEST));
        }
        if request.timeout_ms <= 0 || request.timeout_ms > self.settings.max_timeout_ms {
            return effects.push(refuse(ErrorCode::INVALID_TRANSACTION_TIMEOUT));
        }
        if !self.ids.contains_key(transactional_id) {
            let Some(producer_id) = request.fresh_id else {
                return effects.push(answer(Reply::NeedsId));
            };
            let new = Transaction::new(producer_id, request.timeout_ms, now_ms);
            self.ids.insert(transactional_id.clone(), Entry::new(new));
        }
        let Some(entry) = self.ids.get_mut(transactional_id) else {
            return;
        };
        match entry.start(request, now_ms) {
            Err(code) => effects.push(refuse(code)),
            Ok(Start::NeedsId) => effects.push(answer(Reply::NeedsId)),
            Ok(Start::Enter(next)) => {
                effects.push(enter(transactional_id, entry, next, After::AnswerInit(ticket)));
            }
            Ok(Start::Abort) => {
                // The producer asks again until the abort is complete.
                let after = After::RefuseInit(ticket, ErrorCode::CONCURRENT_TRANSACTIONS);
                effects.push(entry.fence(transactional_id, now_ms, after));
            }
        }
    }
}

impl Entry {
    fn start(&self, request: &InitRequest, now_ms: i64) -> Result<Start, ErrorCode> {
        let transaction = &self.transaction;
        if self.pending.is_some() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        let is_known = request.expected.is_none_or(|expected| {
            transaction.epoch == NO_EPOCH
                || expected.id == transaction.producer_id
                || (expected.id == transaction.previous_producer_id && is_exhausted(expected.epoch))
        });
        if !is_known {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match transaction.state {
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Ongoing => Ok(Start::Abort),
            State::Empty | State::CompleteCommit | State::CompleteAbort => self.next_start(request, now_ms),
            State::Dead | State::PrepareEpochFence => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }

    fn next_start(&self, request: &InitRequest, now_ms: i64) -> Result<Start, ErrorCode> {
        let transaction = &self.transaction;
        let timeout_ms = request.timeout_ms;
        // The epoch its producer knows, where the producer goes on by itself.
        let expected = request.expected.map(|expected| expected.epoch);
        let is_first_ask = expected.is_none_or(|epoch| epoch == transaction.epoch);
        if transaction.is_epoch_exhausted() && is_first_ask {
            let last_epoch = expected.map_or(NO_EPOCH, |_| transaction.epoch);
            return Ok(request.fresh_id.map_or(Start::NeedsId, |id| {
                Start::Enter(transaction.with_id(id, last_epoch, timeout_ms, now_ms))
            }));
        }
        let next = match expected {
            None => transaction.with_next_epoch(NO_EPOCH, timeout_ms, now_ms),
            Some(epoch) if transaction.epoch == NO_EPOCH || epoch == transaction.epoch => {
                transaction.with_next_epoch(transaction.epoch, timeout_ms, now_ms)
            }
            // It asked already and did not hear the answer.
            Some(epoch) if epoch == transaction.last_epoch => transaction.restarted(timeout_ms, now_ms),
            Some(_) => return Err(ErrorCode::PRODUCER_FENCED),
        };
        Ok(Start::Enter(next))
    }

    /// Decides to abort the open transaction in the next epoch, which fences its producer.
    pub(super) fn fence(&mut self, transactional_id: &str, now_ms: i64, after: After) -> Effect {
        let transaction = &self.transaction;
        let epoch = if self.has_failed_fence {
            transaction.epoch
        } else {
            transaction.epoch.saturating_add(1)
        };
        let next = transaction.fenced(epoch, now_ms);
        let effect = enter(transactional_id, self, next, after);
        // Kafka's fence is a step of its own; here it is known by its name until it is stored.
        self.pending = Some(State::PrepareEpochFence);
        effect
    }
}
