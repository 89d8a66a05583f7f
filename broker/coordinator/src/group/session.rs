//! A member's life between joins: sync, heartbeat, leave, expiry
//!
//! Assignments reach the members only once they are stored. A member is removed when it leaves,
//! when its session ends, or when it joined a generation and never asked for its share.

use bytes::Bytes;
use weir_protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, State};
use super::effect::{Effect, JoinReply, StaticReturn, SyncReply, Then, Ticket};
use super::request::{LeavingMember, MemberClaim, SyncRequest};
use crate::time::Now;

/// What became of one entry of LeaveGroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// A member is gone.
    Member,
    /// An id that had been given out is void; no generation knew it.
    Pending,
    /// Nothing changed.
    Refused(ErrorCode),
}

impl ClassicGroup {
    /// Handles SyncGroup. Followers wait for the leader, and all for the store.
    pub fn sync(&mut self, request: SyncRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        if let Err(code) = self.check_sync(&request) {
            effects.push(Effect::sync(ticket, SyncReply::refused(code)));
            return;
        }
        let member_id = request.claim.member_id;
        match self.state {
            State::Empty => {
                let reply = SyncReply::refused(ErrorCode::UNKNOWN_MEMBER_ID);
                effects.push(Effect::sync(ticket, reply));
            }
            State::PreparingRebalance => {
                let reply = SyncReply::refused(ErrorCode::REBALANCE_IN_PROGRESS);
                effects.push(Effect::sync(ticket, reply));
            }
            State::CompletingRebalance => {
                self.note_synced(&member_id);
                self.park_sync(&member_id, ticket, effects);
                if self.leader.as_deref() == Some(member_id.as_str()) {
                    self.store_assignments(request.assignments, effects);
                }
            }
            State::Stable => {
                self.note_synced(&member_id);
                let assignment = match self.members.get_mut(&member_id) {
                    Some(member) => {
                        member.extend_session(now);
                        member.assignment.clone()
                    }
                    None => Bytes::new(),
                };
                effects.push(Effect::sync(ticket, self.synced(assignment)));
            }
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), ErrorCode> {
        let claim = &request.claim;
        self.check_member(&claim.member_id, claim.instance_id.as_deref())?;
        if claim.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differs = |claimed: &Option<String>, actual: &Option<String>| {
            claimed.is_some() && actual.is_some() && claimed != actual
        };
        if differs(&request.protocol_type, &self.protocol_type) || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn note_synced(&mut self, member_id: &str) {
        self.pending_syncs.remove(member_id);
        if self.pending_syncs.is_empty() {
            self.sync_until_ms = None;
        }
    }

    fn park_sync(&mut self, member_id: &str, ticket: Ticket, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        // DIVERGES: a second sync while one is parked; Kafka leaves the first without an answer.
        if let Some(abandoned) = member.syncing.replace(ticket) {
            let reply = SyncReply::refused(ErrorCode::REBALANCE_IN_PROGRESS);
            effects.push(Effect::sync(abandoned, reply));
        }
    }

    fn store_assignments(&self, assignments: Vec<(String, Bytes)>, effects: &mut Vec<Effect>) {
        let generation = self.generation;
        let copy = assignments.clone();
        let then = Then::HandOut {
            generation,
            assignments,
        };
        effects.push(self.store(Some(&copy), then));
    }

    /// The leader's assignments were stored, or could not be.
    pub(super) fn assignments_stored(
        &mut self,
        generation: i32,
        assignments: Vec<(String, Bytes)>,
        outcome: Result<(), ErrorCode>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        // A rebalance may have begun meanwhile; whoever waited was told then.
        if self.state != State::CompletingRebalance || self.generation != generation {
            return;
        }
        if let Err(code) = outcome {
            self.refuse_syncs(code, now, effects);
            self.prepare_rebalance(now, effects);
            return;
        }
        self.enter(State::Stable, now);
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
        }
        for (member_id, share) in assignments {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = share;
            }
        }
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for member_id in ids {
            let Some(member) = self.members.get_mut(&member_id) else {
                continue;
            };
            let Some(ticket) = member.syncing.take() else {
                continue;
            };
            member.extend_session(now);
            let assignment = member.assignment.clone();
            effects.push(Effect::sync(ticket, self.synced(assignment)));
        }
    }

    /// A static member's new id was stored, or could not be.
    pub(super) fn static_return_stored(
        &mut self,
        returned: StaticReturn,
        outcome: Result<(), ErrorCode>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let member_id = returned.reply.member_id.clone();
        let waits = self
            .members
            .get(&member_id)
            .is_some_and(|member| member.joining == Some(returned.ticket));
        // Otherwise it was answered by a rebalance, or fenced by yet another return.
        if !waits || self.generation != returned.generation || self.state != State::Stable {
            return;
        }
        if let Some(member) = self.members.get_mut(&member_id) {
            member.joining = None;
            member.extend_session(now);
        }
        match outcome {
            Ok(()) => effects.push(Effect::join(returned.ticket, returned.reply)),
            Err(code) => {
                self.rename_static(&member_id, &returned.old_member_id, effects);
                if let Some(member) = self.members.get_mut(&returned.old_member_id) {
                    member.protocols = returned.old_protocols;
                    member.session_timeout_ms = returned.old_session_timeout_ms;
                    member.rebalance_timeout_ms = returned.old_rebalance_timeout_ms;
                }
                let reply = JoinReply::refused(code, member_id);
                effects.push(Effect::join(returned.ticket, reply));
            }
        }
    }

    /// Handles Heartbeat.
    pub fn heartbeat(&mut self, claim: &MemberClaim, now: Now) -> ErrorCode {
        if let Err(code) = self.check_member(&claim.member_id, claim.instance_id.as_deref()) {
            return code;
        }
        if claim.generation != self.generation {
            return ErrorCode::ILLEGAL_GENERATION;
        }
        self.extend_session(&claim.member_id, now);
        match self.state {
            State::Empty => ErrorCode::UNKNOWN_MEMBER_ID,
            State::PreparingRebalance => ErrorCode::REBALANCE_IN_PROGRESS,
            // A member may beat between its join and the leader's assignments.
            State::CompletingRebalance | State::Stable => ErrorCode::NONE,
        }
    }

    pub(super) fn extend_session(&mut self, member_id: &str, now: Now) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.extend_session(now);
        }
    }

    /// Handles one entry of LeaveGroup; `left` follows once all entries are through.
    pub(super) fn leave(&mut self, leaving: &LeavingMember, effects: &mut Vec<Effect>) -> Leave {
        let by_instance = leaving
            .instance_id
            .as_ref()
            .and_then(|id| self.static_members.get(id))
            .cloned();
        let member_id = match by_instance {
            // An admin removes a static member by its instance id alone.
            Some(current) if leaving.member_id.is_empty() => current,
            _ => {
                if self.pending_joins.remove(&leaving.member_id).is_some() {
                    return Leave::Pending;
                }
                let checked = self.check_member(&leaving.member_id, leaving.instance_id.as_deref());
                if let Err(code) = checked {
                    return Leave::Refused(code);
                }
                leaving.member_id.clone()
            }
        };
        self.remove_member(&member_id, effects);
        Leave::Member
    }

    /// Members have left: the others rebalance, or a rebalance that waited for them ends.
    pub(super) fn left(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.state != State::Empty {
            self.rebalance_or_complete(now, effects);
        }
    }

    /// Does what has come due.
    pub(super) fn on_time(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.lapse_pending_joins(now, effects);
        self.expire_sessions(now, effects);
        if self.sync_until_ms.is_some_and(|until_ms| until_ms <= now.mono_ms) {
            self.expire_syncs(now, effects);
        }
        if self.join_wait.is_some_and(|wait| wait.until_ms <= now.mono_ms) {
            self.join_wait_over(now, effects);
        }
    }

    fn lapse_pending_joins(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let before = self.pending_joins.len();
        self.pending_joins.retain(|_, lapses_ms| *lapses_ms > now.mono_ms);
        if self.pending_joins.len() < before {
            self.try_complete_join(now, effects);
        }
    }

    fn expire_sessions(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let expired: Vec<String> = self
            .members
            .values()
            .filter(|member| member.session_end_ms().is_some_and(|end_ms| end_ms <= now.mono_ms))
            .map(|member| member.id.clone())
            .collect();
        if expired.is_empty() {
            return;
        }
        for member_id in expired {
            self.remove_member(&member_id, effects);
        }
        self.rebalance_or_complete(now, effects);
    }

    /// Members that joined the generation and never asked for their share are given up.
    fn expire_syncs(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.sync_until_ms = None;
        let missing = std::mem::take(&mut self.pending_syncs);
        if missing.is_empty() {
            return;
        }
        for member_id in missing {
            self.remove_member(&member_id, effects);
        }
        self.prepare_rebalance(now, effects);
    }
}
