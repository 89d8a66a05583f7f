//! The groups of one shard
//!
//! The state machine the server drives: requests of members and admins go in, effects come out,
//! and `stored` brings back what became of a write. Offsets and deletions are in `commit`,
//! reading the log back in `replay`. Timers exist only for groups that have members.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use weir_protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, GroupSettings, State};
use super::commit::committed;
use super::effect::{Effect, JoinReply, SyncReply, Then, Ticket};
use super::offsets::GroupOffsets;
use super::request::{JoinRequest, LeavingMember, MemberClaim, SyncRequest};
use super::session::Leave;
use crate::time::Now;

/// The broker's settings for groups and their offsets.
#[derive(Debug, Clone, Copy)]
pub struct CoordinatorSettings {
    /// Membership.
    pub groups: GroupSettings,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
}

/// One group as DescribeGroups answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Kafka's name of the state.
    pub state: &'static str,
    /// Empty when no members ever joined.
    pub protocol_type: String,
    /// Chosen protocol of a stable group, else empty.
    pub protocol: String,
    /// The members; metadata and assignment only in a stable group.
    pub members: Vec<MemberDescription>,
}

/// One member as DescribeGroups answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Member id.
    pub member_id: String,
    /// Set for a static member.
    pub instance_id: Option<String>,
    /// Client id of its connection.
    pub client_id: String,
    /// Its address, as `/127.0.0.1`.
    pub client_host: String,
    /// Metadata for the chosen protocol.
    pub metadata: Bytes,
    /// Its share.
    pub assignment: Bytes,
}

/// One group as ListGroups answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// Group id.
    pub group_id: String,
    /// Empty when no members ever joined.
    pub protocol_type: String,
    /// Kafka's name of the state.
    pub state: &'static str,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) group: ClassicGroup,
    pub(super) offsets: GroupOffsets,
    scheduled_ms: Option<i64>,
}

impl Entry {
    pub(super) fn new(group: ClassicGroup) -> Self {
        Self {
            group,
            offsets: GroupOffsets::default(),
            scheduled_ms: None,
        }
    }
}

/// The groups of one shard.
///
/// Invariant: `deadlines` has exactly the `scheduled_ms` of the groups that have one; a group's
/// `scheduled_ms` is never later than its next deadline.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(super) settings: CoordinatorSettings,
    pub(super) groups: HashMap<String, Entry>,
    deadlines: BTreeSet<(i64, String)>,
}

impl GroupCoordinator {
    /// A coordinator without groups.
    pub fn new(settings: CoordinatorSettings) -> Self {
        Self {
            settings,
            groups: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Handles JoinGroup.
    pub fn join(&mut self, group_id: &str, request: JoinRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        let limits = &self.settings.groups;
        let timeouts_ms = limits.min_session_timeout_ms..=limits.max_session_timeout_ms;
        let refusal = if group_id.is_empty() {
            Some(ErrorCode::INVALID_GROUP_ID)
        } else if !timeouts_ms.contains(&request.session_timeout_ms) {
            Some(ErrorCode::INVALID_SESSION_TIMEOUT)
        } else if !request.member_id.is_empty() && !self.groups.contains_key(group_id) {
            Some(ErrorCode::UNKNOWN_MEMBER_ID)
        } else {
            None
        };
        if let Some(code) = refusal {
            effects.push(Effect::join(ticket, JoinReply::refused(code, request.member_id)));
            return;
        }
        self.entry(group_id).group.join(request, ticket, now, effects);
        self.settle(group_id);
    }

    /// Handles SyncGroup.
    pub fn sync(&mut self, group_id: &str, request: SyncRequest, ticket: Ticket, now: Now, effects: &mut Vec<Effect>) {
        match self.groups.get_mut(group_id) {
            _ if group_id.is_empty() => {
                let reply = SyncReply::refused(ErrorCode::INVALID_GROUP_ID);
                effects.push(Effect::sync(ticket, reply));
            }
            None => {
                let reply = SyncReply::refused(ErrorCode::UNKNOWN_MEMBER_ID);
                effects.push(Effect::sync(ticket, reply));
            }
            Some(entry) => {
                entry.group.sync(request, ticket, now, effects);
                self.settle(group_id);
            }
        }
    }

    /// Handles Heartbeat.
    pub fn heartbeat(&mut self, group_id: &str, claim: &MemberClaim, now: Now) -> ErrorCode {
        match self.groups.get_mut(group_id) {
            _ if group_id.is_empty() => ErrorCode::INVALID_GROUP_ID,
            None => ErrorCode::UNKNOWN_MEMBER_ID,
            // A session only grows longer: the timer finds out when it fires.
            Some(entry) => entry.group.heartbeat(claim, now),
        }
    }

    /// Handles LeaveGroup: a code for each member, or one for the request.
    ///
    /// # Errors
    /// `INVALID_GROUP_ID` or, for a group that is not there, `UNKNOWN_MEMBER_ID`.
    pub fn leave(
        &mut self,
        group_id: &str,
        members: &[LeavingMember],
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let entry = self.groups.get_mut(group_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let mut codes = Vec::with_capacity(members.len());
        let mut member_left = false;
        for member in members {
            let code = match entry.group.leave(member, effects) {
                Leave::Member => {
                    member_left = true;
                    ErrorCode::NONE
                }
                Leave::Pending => ErrorCode::NONE,
                Leave::Refused(code) => code,
            };
            codes.push(code);
        }
        if member_left {
            entry.group.left(now, effects);
        } else {
            entry.group.try_complete_join(now, effects);
        }
        self.settle(group_id);
        Ok(codes)
    }

    /// Answers DescribeGroups for one group; `None` when there is none.
    pub fn describe(&self, group_id: &str) -> Option<GroupDescription> {
        let group = &self.groups.get(group_id)?.group;
        let protocol = match group.state() {
            State::Stable => group.protocol_name(),
            State::Empty | State::PreparingRebalance | State::CompletingRebalance => None,
        };
        let members = group.members().map(|member| MemberDescription {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.map(|name| member.metadata_for(name)).unwrap_or_default(),
            assignment: protocol.map(|_| member.assignment.clone()).unwrap_or_default(),
        });
        Some(GroupDescription {
            state: group.state().name(),
            protocol_type: group.protocol_type().unwrap_or_default().to_owned(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        })
    }

    /// Answers ListGroups, in no order.
    pub fn list(&self) -> Vec<ListedGroup> {
        let listed = self.groups.iter().map(|(group_id, entry)| ListedGroup {
            group_id: group_id.clone(),
            protocol_type: entry.group.protocol_type().unwrap_or_default().to_owned(),
            state: entry.group.state().name(),
        });
        listed.collect()
    }

    /// Returns what a group has committed; `None` when there is no such group.
    pub fn offsets(&self, group_id: &str) -> Option<&GroupOffsets> {
        self.groups.get(group_id).map(|entry| &entry.offsets)
    }

    /// Returns when `on_time` wants to be called; `None` while no group has members.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(at_ms, _)| *at_ms)
    }

    /// Returns whether nothing is kept, so that retention need not be checked.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Does what has come due.
    pub fn on_time(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let mut due = Vec::new();
        while self.deadlines.first().is_some_and(|(at_ms, _)| *at_ms <= now.mono_ms) {
            due.extend(self.deadlines.pop_first());
        }
        for (_, group_id) in due {
            if let Some(entry) = self.groups.get_mut(&group_id) {
                entry.scheduled_ms = None;
                entry.group.on_time(now, effects);
            }
            self.settle(&group_id);
        }
    }

    /// Takes in what became of a store.
    pub fn stored(
        &mut self,
        group_id: &str,
        then: Then,
        outcome: Result<(), ErrorCode>,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        let outcome = outcome.map_err(store_failure);
        match then {
            Then::Nothing => {}
            Then::HandOut {
                generation,
                assignments,
            } => {
                if let Some(entry) = self.groups.get_mut(group_id) {
                    let group = &mut entry.group;
                    group.assignments_stored(generation, assignments, outcome, now, effects);
                }
            }
            Then::AnswerStatic(returned) => {
                if let Some(entry) = self.groups.get_mut(group_id) {
                    entry.group.static_return_stored(*returned, outcome, now, effects);
                }
            }
            Then::Commit {
                ticket,
                codes,
                offsets,
                producer_id,
            } => {
                if outcome.is_ok() {
                    self.put_offsets(group_id, offsets, producer_id);
                }
                effects.push(committed(ticket, codes, outcome));
            }
            Then::Forget { reply, offsets, group } => {
                self.forget_stored(group_id, offsets, group, outcome);
                effects.extend(reply.map(|(ticket, reply)| Effect::Reply {
                    ticket,
                    reply: super::commit::with_outcome(reply, outcome),
                }));
            }
        }
        self.settle(group_id);
    }

    pub(super) fn entry(&mut self, group_id: &str) -> &mut Entry {
        let settings = self.settings.groups;
        self.groups
            .entry(group_id.to_owned())
            .or_insert_with(|| Entry::new(ClassicGroup::new(group_id, settings)))
    }

    /// After a change of a group: forgets it if it is nothing, else sets its timer.
    pub(super) fn settle(&mut self, group_id: &str) {
        let Some(entry) = self.groups.get_mut(group_id) else {
            return;
        };
        let vacant = entry.group.is_vacant() && entry.offsets.is_empty() && !entry.offsets.has_pending();
        let next_ms = if vacant { None } else { entry.group.next_deadline_ms() };
        if entry.scheduled_ms != next_ms {
            if let Some(old_ms) = entry.scheduled_ms {
                self.deadlines.remove(&(old_ms, group_id.to_owned()));
            }
            if let Some(next_ms) = next_ms {
                self.deadlines.insert((next_ms, group_id.to_owned()));
            }
            entry.scheduled_ms = next_ms;
        }
        if vacant {
            self.groups.remove(group_id);
        }
    }
}

/// What a member is told when its group's log refused the write: find the coordinator again or
/// retry, as Kafka maps it.
fn store_failure(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE | ErrorCode::INVALID_FETCH_SIZE => {
            ErrorCode::UNKNOWN_SERVER_ERROR
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
