//! JoinGroup: who is let in, and what that does to the generation
//!
//! New dynamic members first get an id and come back with it (KIP-394); static members take the
//! place of their former self (KIP-345); known members that join again start a rebalance only
//! where something changed. Kafka's code: `GroupMetadataManager.classicGroupJoin*`.

use weir_protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, State, refuse_parked};
use super::effect::{Effect, JoinReply, StaticReturn, Then, Ticket};
use super::member::Member;
use super::request::{JoinRequest, MemberIdRule, SkipAssignment};
use crate::time::Now;

impl ClassicGroup {
    /// Handles JoinGroup. The reply may come later, with the rebalance.
    pub fn join(&mut self, request: JoinRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        if let Err(code) = self.check_join(&request) {
            let reply = JoinReply::refused(code, request.member_id);
            effects.push(Effect::join(ticket, reply));
            return;
        }
        if !request.member_id.is_empty() {
            self.join_known(request, ticket, now, effects);
            return;
        }
        let member_id = request.new_member_id();
        let former = request.instance_id.as_ref().and_then(|id| self.static_members.get(id));
        match (&request.instance_id, former.cloned()) {
            (Some(_), Some(former)) => {
                self.replace_static(request, former, member_id, ticket, now, effects);
            }
            (Some(_), None) => self.admit(member_id, request, ticket, now, effects),
            (None, _) => match request.member_id_rule {
                MemberIdRule::JoinAtOnce => self.admit(member_id, request, ticket, now, effects),
                MemberIdRule::ComeBackWithId => {
                    let lapses_ms = now.after(request.session_timeout_ms);
                    self.pending_joins.insert(member_id.clone(), lapses_ms);
                    let code = ErrorCode::MEMBER_ID_REQUIRED;
                    effects.push(Effect::join(ticket, JoinReply::refused(code, member_id)));
                }
            },
        }
    }

    fn check_join(&self, request: &JoinRequest) -> Result<(), ErrorCode> {
        if !self.has_room_for(&request.member_id) {
            return Err(ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let known = !request.member_id.is_empty();
        if known && !self.pending_joins.contains_key(&request.member_id) {
            self.check_member(&request.member_id, request.instance_id.as_deref())?;
        }
        Ok(())
    }

    fn has_room_for(&self, member_id: &str) -> bool {
        let max = self.settings.max_members;
        let member = self.members.get(member_id);
        match self.state {
            State::Empty => true,
            // Of too large a group, those who come first stay.
            State::PreparingRebalance => {
                let waiting = self.members.values().filter(|member| member.joining.is_some());
                member.is_some_and(|member| member.joining.is_some()) || waiting.count() < max
            }
            State::CompletingRebalance | State::Stable => member.is_some() || self.members.len() < max,
        }
    }

    fn join_known(&mut self, request: JoinRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        let member_id = request.member_id.clone();
        if self.pending_joins.contains_key(&member_id) {
            self.admit(member_id, request, ticket, now, effects);
            return;
        }
        let unchanged = self
            .members
            .get(&member_id)
            .is_some_and(|member| member.protocols == request.protocols);
        let leads = self.leader.as_deref() == Some(member_id.as_str());
        match self.state {
            State::PreparingRebalance => self.rejoin(&member_id, request, ticket, now, effects),
            // Its client lost the reply: the generation stands, it is told again.
            State::CompletingRebalance if unchanged => {
                effects.push(Effect::join(ticket, self.joined(&member_id)));
            }
            // A leader joins again to have assignments made anew.
            State::Stable if unchanged && !leads => {
                effects.push(Effect::join(ticket, self.joined(&member_id)));
            }
            State::CompletingRebalance | State::Stable => {
                self.rejoin(&member_id, request, ticket, now, effects);
            }
            State::Empty => {
                let reply = JoinReply::refused(ErrorCode::UNKNOWN_MEMBER_ID, member_id);
                effects.push(Effect::join(ticket, reply));
            }
        }
    }

    /// Lets a new member in, its request parked.
    fn admit(&mut self, member_id: String, request: JoinRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        let protocol_type = request.protocol_type.clone();
        if let Some(gathering) = self.join_wait.as_mut().and_then(|wait| wait.gathering.as_mut()) {
            gathering.newcomer = true;
        }
        self.add_member(Member::joining(member_id, request, ticket, now), &protocol_type);
        self.rebalance_or_complete(now, effects);
    }

    /// Parks a known member's join with what it brought.
    fn rejoin(&mut self, member_id: &str, request: JoinRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        self.update_member(member_id, request, ticket, effects);
        self.rebalance_or_complete(now, effects);
    }

    fn update_member(&mut self, member_id: &str, request: JoinRequest, ticket: Ticket, effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(member_id) else {
            return;
        };
        member.protocols = request.protocols;
        member.session_timeout_ms = request.session_timeout_ms;
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        // DIVERGES: a second join while one is parked; Kafka leaves the first without an answer.
        if let Some(abandoned) = member.joining.replace(ticket) {
            let reply = JoinReply::refused(ErrorCode::REBALANCE_IN_PROGRESS, member_id);
            effects.push(Effect::join(abandoned, reply));
        }
    }

    /// A static member comes back without an id: it takes over its former self's place.
    fn replace_static(
        &mut self,
        request: JoinRequest,
        former_id: String,
        member_id: String,
        ticket: Ticket,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let leader_before = self.leader.clone();
        let Some(former) = self.rename_static(&former_id, &member_id, effects) else {
            return;
        };
        let skip = request.skip_assignment;
        let instance_id = request.instance_id.clone().unwrap_or_default();
        self.update_member(&member_id, request, ticket, effects);
        if let Some(member) = self.members.get_mut(&member_id) {
            member.extend_session(now);
        }
        match self.state {
            State::Stable if self.select_protocol() == self.protocol_name => {
                let returned = StaticReturn {
                    ticket,
                    reply: self.static_reply(&member_id, leader_before, skip),
                    generation: self.generation,
                    instance_id,
                    old_member_id: former_id,
                    old_protocols: former.protocols,
                    old_session_timeout_ms: former.session_timeout_ms,
                    old_rebalance_timeout_ms: former.rebalance_timeout_ms,
                };
                effects.push(self.store(None, Then::AnswerStatic(Box::new(returned))));
            }
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(now, effects),
            State::PreparingRebalance => self.try_complete_join(now, effects),
            // Unreachable: an empty group has no static members.
            State::Empty => {}
        }
    }

    /// Moves a static member to a new id; the former id's parked requests are fenced.
    pub(super) fn rename_static(
        &mut self,
        former_id: &str,
        member_id: &str,
        effects: &mut Vec<Effect>,
    ) -> Option<Member> {
        let mut member = self.members.remove(former_id)?;
        refuse_parked(&mut member, ErrorCode::FENCED_INSTANCE_ID, effects);
        let former = member.clone();
        member.id = member_id.to_owned();
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member_id.to_owned());
        }
        if self.leader.as_deref() == Some(former_id) {
            self.leader = Some(member_id.to_owned());
        }
        if self.pending_syncs.remove(former_id) {
            self.pending_syncs.insert(member_id.to_owned());
        }
        self.members.insert(member_id.to_owned(), member);
        Some(former)
    }

    /// A stable group ignores assignments, so a leader that returns must not make any: it is told
    /// to skip them or, where its version has no such field, that its former id leads.
    fn static_reply(&self, member_id: &str, leader_before: Option<String>, skip: SkipAssignment) -> JoinReply {
        let leads = self.leader.as_deref() == Some(member_id);
        let mut reply = self.joined(member_id);
        match skip {
            SkipAssignment::Understood => reply.skip_assignment = leads,
            SkipAssignment::Unknown => {
                reply.leader = leader_before.unwrap_or_default();
                reply.members = Vec::new();
            }
        }
        reply
    }
}
