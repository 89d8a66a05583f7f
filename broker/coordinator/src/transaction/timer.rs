//! What time does: transactions run out, unused ids are forgotten
//!
//! The server calls in now and then, while there are ids. Kafka's code:
//! `TransactionStateManager.timedOutTransactions` and `enableTransactionalIdExpiration`.

use super::coordinator::{TransactionCoordinator, mark};
use super::effect::{After, Effect, Then};
use super::record::tombstone;
use super::state::State;

impl TransactionCoordinator {
    /// Aborts transactions that are open for too long, in an epoch that fences their producers, and
    /// has markers written again that could not be.
    pub fn abort_timed_out(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        for (transactional_id, entry) in &mut self.ids {
            effects.extend(mark(transactional_id, entry));
            let transaction = &entry.transaction;
            let deadline_ms = transaction.start_ms.saturating_add(i64::from(transaction.timeout_ms));
            if transaction.state == State::Ongoing && entry.pending.is_none() && deadline_ms < now_ms {
                effects.push(entry.fence(transactional_id, now_ms, After::Nothing));
            }
        }
    }

    /// Forgets ids that no producer has used for long.
    pub fn expire_ids(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        let expiration_ms = self.settings.id_expiration_ms;
        for (transactional_id, entry) in &mut self.ids {
            let is_idle = matches!(
                entry.transaction.state,
                State::Empty | State::CompleteCommit | State::CompleteAbort
            );
            let expires_ms = entry.transaction.updated_ms.saturating_add(expiration_ms);
            if is_idle && entry.pending.is_none() && expires_ms <= now_ms {
                entry.pending = Some(State::Dead);
                effects.push(Effect::Store {
                    transactional_id: transactional_id.clone(),
                    record: tombstone(transactional_id),
                    then: Box::new(Then::Forget),
                });
            }
        }
    }
}
