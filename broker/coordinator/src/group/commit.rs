//! Committing and forgetting offsets, deleting groups
//!
//! A commit counts once its records are durable, and not before: nobody may read an offset that a
//! crash can take back; in a transaction, once its commit marker is, too. Deletions work the same
//! way, by tombstones. Kafka's code:
//! `OffsetMetadataManager`, `ClassicGroup.validateOffsetCommit`.

use weir_protocol::error_code::ErrorCode;

use super::classic::{ClassicGroup, State};
use super::coordinator::{Entry, GroupCoordinator};
use super::effect::{Effect, Reply, Then, Ticket};
use super::offsets::CommittedOffset;
use super::record::{LogRecord, group_key, offset_key};
use super::request::{CommitRequest, MemberClaim};
use crate::time::Now;
use crate::transaction::request::Verdict;

impl GroupCoordinator {
    /// Handles OffsetCommit.
    pub fn commit(
        &mut self,
        group_id: &str,
        request: CommitRequest,
        ticket: Ticket,
        now: Now,
        effects: &mut Vec<Effect>,
    ) {
        if let Err(code) = self.check_commit(group_id, &request) {
            let codes = vec![code; request.offsets.len()];
            effects.push(Effect::Reply {
                ticket,
                reply: Reply::Committed(codes),
            });
            return;
        }
        if let Some(entry) = self.groups.get_mut(group_id) {
            entry.group.extend_session(&request.claim.member_id, now);
        }
        let expire_ms = request.retention_ms.map(|kept_ms| now.wall_ms.saturating_add(kept_ms));
        let mut codes = Vec::with_capacity(request.offsets.len());
        let mut offsets = Vec::with_capacity(request.offsets.len());
        let mut records = Vec::with_capacity(request.offsets.len());
        for wanted in request.offsets {
            if wanted.metadata.len() > self.settings.offset_metadata_max_bytes {
                codes.push(ErrorCode::OFFSET_METADATA_TOO_LARGE);
                continue;
            }
            codes.push(ErrorCode::NONE);
            let committed = CommittedOffset {
                offset: wanted.offset,
                leader_epoch: wanted.leader_epoch,
                metadata: wanted.metadata,
                commit_ms: now.wall_ms,
                expire_ms,
            };
            records.push(committed.record(group_id, &wanted.topic, wanted.partition));
            offsets.push((wanted.topic, wanted.partition, committed));
        }
        if records.is_empty() {
            effects.push(Effect::Reply {
                ticket,
                reply: Reply::Committed(codes),
            });
            return;
        }
        let then = Then::Commit {
            ticket,
            codes,
            offsets,
            producer_id: request.writer.as_ref().map(|writer| writer.producer.id),
        };
        effects.push(Effect::Store {
            group: group_id.to_owned(),
            records,
            then,
            writer: request.writer,
        });
    }

    fn check_commit(&self, group_id: &str, request: &CommitRequest) -> Result<(), ErrorCode> {
        let claim = &request.claim;
        match self.groups.get(group_id) {
            Some(entry) => entry.group.check_commit(claim, request.writer.is_some()),
            // A consumer outside any group; the group comes into being with its offsets.
            None if claim.generation < 0 => Ok(()),
            None => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }

    pub(super) fn put_offsets(
        &mut self,
        group_id: &str,
        offsets: Vec<(String, i32, CommittedOffset)>,
        producer_id: Option<i64>,
    ) {
        let entry = self.entry(group_id);
        for (topic, partition, offset) in offsets {
            match producer_id {
                Some(producer_id) => entry.offsets.put_pending(producer_id, topic, partition, offset),
                None => entry.offsets.put(&topic, partition, offset),
            }
        }
    }

    /// A transaction ended, and its marker is in a partition of the log: the offsets of the groups
    /// kept there count now, or are dropped.
    pub fn transaction_ended(&mut self, producer_id: i64, verdict: Verdict, is_kept_there: impl Fn(&str) -> bool) {
        let ended = self.groups.iter_mut().filter(|(group_id, _)| is_kept_there(group_id));
        let mut changed = Vec::new();
        for (group_id, entry) in ended {
            if entry.offsets.end_pending(producer_id, verdict) {
                changed.push(group_id.clone());
            }
        }
        for group_id in changed {
            self.settle(&group_id);
        }
    }

    /// Handles OffsetDelete.
    pub fn delete_offsets(
        &mut self,
        group_id: &str,
        partitions: Vec<(String, i32)>,
        ticket: Ticket,
        effects: &mut Vec<Effect>,
    ) {
        let refuse = |code| Effect::Reply {
            ticket,
            reply: Reply::OffsetsDeleted(code, vec![ErrorCode::NONE; partitions.len()]),
        };
        let Some(entry) = self.groups.get(group_id) else {
            effects.push(refuse(ErrorCode::GROUP_ID_NOT_FOUND));
            return;
        };
        // What members of another type read is not known to the coordinator.
        if entry.group.state() != State::Empty && !entry.group.uses_consumer_protocol() {
            effects.push(refuse(ErrorCode::NON_EMPTY_GROUP));
            return;
        }
        let mut codes = Vec::with_capacity(partitions.len());
        let mut gone = Vec::new();
        for (topic, partition) in partitions {
            if entry.group.is_subscribed_to(&topic) {
                codes.push(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
                continue;
            }
            codes.push(ErrorCode::NONE);
            if entry.offsets.get(&topic, partition).is_some() {
                gone.push((topic, partition));
            }
        }
        let reply = Reply::OffsetsDeleted(ErrorCode::NONE, codes);
        if gone.is_empty() {
            effects.push(Effect::Reply { ticket, reply });
            return;
        }
        effects.push(forget(group_id, gone, ForgetGroup::Keep, Some((ticket, reply))));
    }

    /// Handles DeleteGroups for one group.
    pub fn delete_group(&mut self, group_id: &str, ticket: Ticket, effects: &mut Vec<Effect>) {
        let refuse = |code| Effect::Reply {
            ticket,
            reply: Reply::GroupDeleted(code),
        };
        let effect = match self.groups.get(group_id) {
            None => refuse(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(entry) if entry.group.state() != State::Empty => refuse(ErrorCode::NON_EMPTY_GROUP),
            Some(entry) => {
                let reply = Reply::GroupDeleted(ErrorCode::NONE);
                let all = entry.offsets.all_and_pending();
                forget(group_id, all, ForgetGroup::Too, Some((ticket, reply)))
            }
        };
        effects.push(effect);
    }

    /// A topic is gone: so are all offsets committed for it.
    pub fn topic_deleted(&mut self, topic: &str, effects: &mut Vec<Effect>) {
        for (group_id, entry) in &self.groups {
            let partitions = entry.offsets.partitions_of(topic);
            if partitions.is_empty() {
                continue;
            }
            let gone = partitions
                .into_iter()
                .map(|partition| (topic.to_owned(), partition))
                .collect();
            effects.push(forget(group_id, gone, ForgetGroup::Keep, None));
        }
    }

    /// Forgets offsets that have lapsed, and empty groups that have none left.
    pub fn expire_offsets(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for (group_id, entry) in &self.groups {
            let retention_ms = self.settings.offsets_retention_ms;
            let lapsed = entry.offsets.lapsed(&entry.group, now.wall_ms, retention_ms);
            let idle = entry.group.state() == State::Empty && entry.group.has_no_pending_joins();
            let is_undecided = entry.offsets.has_pending();
            let whole = if idle && !is_undecided && lapsed.len() == entry.offsets.all().len() {
                ForgetGroup::Too
            } else {
                ForgetGroup::Keep
            };
            if whole == ForgetGroup::Too || !lapsed.is_empty() {
                effects.push(forget(group_id, lapsed, whole, None));
            }
        }
    }

    pub(super) fn forget_stored(
        &mut self,
        group_id: &str,
        offsets: Vec<(String, i32)>,
        group: bool,
        outcome: Result<(), ErrorCode>,
    ) {
        let Some(entry) = self.groups.get_mut(group_id).filter(|_| outcome.is_ok()) else {
            return;
        };
        for (topic, partition) in offsets {
            entry.offsets.remove(&topic, partition);
        }
        // Members or commits that came meanwhile keep the group alive.
        if group && is_deserted(entry) {
            entry.group = ClassicGroup::new(group_id, self.settings.groups);
        }
    }
}

impl ClassicGroup {
    fn check_commit(&self, claim: &MemberClaim, is_transactional: bool) -> Result<(), ErrorCode> {
        if claim.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        let says_nothing = claim.generation < 0 && claim.member_id.is_empty() && claim.instance_id.is_none();
        if says_nothing && is_transactional {
            // TxnOffsetCommit before v3 has no words for it.
            return Ok(());
        }
        if says_nothing {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_member(&claim.member_id, claim.instance_id.as_deref())?;
        if claim.generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        match self.state {
            // Its partitions may already be another's; it is to sync first.
            State::CompletingRebalance if !is_transactional => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            State::Empty | State::PreparingRebalance | State::CompletingRebalance | State::Stable => Ok(()),
        }
    }

    fn has_no_pending_joins(&self) -> bool {
        self.pending_joins.is_empty()
    }
}

fn is_deserted(entry: &Entry) -> bool {
    // Ids given out and not come back with do not count: their clients start over.
    entry.group.state() == State::Empty && entry.offsets.is_empty() && !entry.offsets.has_pending()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ForgetGroup {
    Too,
    Keep,
}

fn forget(group_id: &str, offsets: Vec<(String, i32)>, group: ForgetGroup, reply: Option<(Ticket, Reply)>) -> Effect {
    let mut records: Vec<LogRecord> = offsets
        .iter()
        .map(|(topic, partition)| LogRecord {
            key: offset_key(group_id, topic, *partition),
            value: None,
        })
        .collect();
    let group = group == ForgetGroup::Too;
    if group {
        records.push(LogRecord {
            key: group_key(group_id),
            value: None,
        });
    }
    let then = Then::Forget { reply, offsets, group };
    Effect::Store {
        group: group_id.to_owned(),
        records,
        then,
        writer: None,
    }
}

/// The reply to a commit, given what became of its records.
pub(super) fn committed(ticket: Ticket, mut codes: Vec<ErrorCode>, outcome: Result<(), ErrorCode>) -> Effect {
    if let Err(code) = outcome {
        for stored in codes.iter_mut().filter(|code| **code == ErrorCode::NONE) {
            *stored = code;
        }
    }
    Effect::Reply {
        ticket,
        reply: Reply::Committed(codes),
    }
}

/// The reply to a deletion, given what became of its tombstones.
pub(super) fn with_outcome(reply: Reply, outcome: Result<(), ErrorCode>) -> Reply {
    let Err(failed) = outcome else {
        return reply;
    };
    match reply {
        Reply::GroupDeleted(_) => Reply::GroupDeleted(failed),
        Reply::OffsetsDeleted(_, codes) => Reply::OffsetsDeleted(failed, codes),
        other @ (Reply::Join(_) | Reply::Sync(_) | Reply::Committed(_)) => other,
    }
}
