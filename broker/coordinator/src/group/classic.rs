//! One classic group: members, generation, state
//!
//! The members, who leads them, which protocol they agreed on, and the timers. Joining is in
//! `join`, moving between generations in `rebalance`, the rest of a member's life in `session`.
//! Only a group with members has timers. Kafka's class: `ClassicGroup`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use weir_protocol::error_code::ErrorCode;

use super::effect::{Effect, JoinReply, JoinedMember, SyncReply, Then};
use super::member::Member;
use super::record::{GroupValue, LogRecord, MemberValue, group_key};
use super::request::Protocol;
use super::subscription::subscribed_topics;
use crate::time::Now;

/// The protocol type of plain consumers, whose metadata is a subscription.
pub const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The broker's settings for groups.
#[derive(Debug, Clone, Copy)]
pub struct GroupSettings {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.max.size`
    pub max_members: usize,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
}

/// Where a group is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No members.
    Empty,
    /// Waits for its members to join the next generation.
    PreparingRebalance,
    /// Waits for the leader's assignments.
    CompletingRebalance,
    /// Members have their assignments.
    Stable,
}

impl State {
    /// Returns Kafka's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// The wait for joins in `PreparingRebalance`.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinWait {
    pub(super) until_ms: i64,
    /// Set while a group that was empty waits for more members to turn up.
    pub(super) gathering: Option<Gathering>,
}

/// The first members of an empty group gather for a fixed delay, prolonged by each newcomer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gathering {
    pub(super) remaining_ms: i32,
    pub(super) newcomer: bool,
}

/// A classic group.
///
/// Invariant: `join_wait` is set exactly in `PreparingRebalance`; every value of `static_members`
/// is a key of `members`; `leader` is a key of `members` or none.
#[derive(Debug)]
pub struct ClassicGroup {
    pub(super) id: String,
    pub(super) settings: GroupSettings,
    pub(super) state: State,
    pub(super) state_since_ms: Option<i64>,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) generation: i32,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    pub(super) static_members: HashMap<String, String>,
    /// Ids given out by MEMBER_ID_REQUIRED and not yet come back with, and when they lapse.
    pub(super) pending_joins: BTreeMap<String, i64>,
    /// Members of this generation whose SyncGroup has not come.
    pub(super) pending_syncs: BTreeSet<String>,
    pub(super) sync_until_ms: Option<i64>,
    pub(super) join_wait: Option<JoinWait>,
    subscribed_topics: Option<BTreeSet<String>>,
}

impl ClassicGroup {
    /// A group nobody has joined.
    pub fn new(id: &str, settings: GroupSettings) -> Self {
        Self {
            id: id.to_owned(),
            settings,
            state: State::Empty,
            state_since_ms: None,
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending_joins: BTreeMap::new(),
            pending_syncs: BTreeSet::new(),
            sync_until_ms: None,
            join_wait: None,
            subscribed_topics: None,
        }
    }

    /// A group as its record has it.
    pub fn stored(id: &str, settings: GroupSettings, value: GroupValue) -> Self {
        let mut group = Self::new(id, settings);
        group.state_since_ms = Some(value.state_since_ms).filter(|since| *since >= 0);
        group.protocol_type = Some(value.protocol_type).filter(|name| !name.is_empty());
        group.generation = value.generation;
        for stored in value.members {
            let member = Member::stored(stored, value.protocol.as_deref());
            if let Some(instance_id) = &member.instance_id {
                group.static_members.insert(instance_id.clone(), member.id.clone());
            }
            group.members.insert(member.id.clone(), member);
        }
        if !group.members.is_empty() {
            group.state = State::Stable;
            group.protocol_name = value.protocol;
            group.leader = value
                .leader
                .filter(|leader| group.members.contains_key(leader))
                .or_else(|| group.members.keys().next().cloned());
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the generation.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Returns the protocol type, if members ever joined.
    pub fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Returns the chosen protocol; members of a stable group have one.
    pub fn protocol_name(&self) -> Option<&str> {
        self.protocol_name.as_deref()
    }

    /// Returns the leader's member id.
    pub fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    /// Returns the members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Returns when the group became empty, wall clock.
    pub(super) fn empty_since_ms(&self) -> Option<i64> {
        self.state_since_ms
    }

    /// Returns whether nothing at all is known of the group, so that it need not exist.
    pub(super) fn is_vacant(&self) -> bool {
        self.generation == 0 && self.members.is_empty() && self.pending_joins.is_empty()
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Returns whether members read `topic`, as far as the coordinator can know.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    pub(super) fn knows_subscriptions(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    /// Returns the earliest moment at which `on_time` has something to do.
    pub(super) fn next_deadline_ms(&self) -> Option<i64> {
        let sessions = self.members.values().filter_map(Member::session_end_ms);
        let pending = self.pending_joins.values().copied();
        let waits = self
            .join_wait
            .map(|wait| wait.until_ms)
            .into_iter()
            .chain(self.sync_until_ms);
        sessions.chain(pending).chain(waits).min()
    }

    /// Returns the longest rebalance timeout of the members.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members
            .values()
            .map(|member| member.rebalance_timeout_ms)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn enter(&mut self, state: State, now: Now) {
        self.state = state;
        self.state_since_ms = Some(now.wall_ms);
        if state != State::PreparingRebalance {
            self.join_wait = None;
        }
    }

    /// Checks who a member says it is.
    pub(super) fn check_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.static_members.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if current != member_id => {
                    return Err(ErrorCode::FENCED_INSTANCE_ID);
                }
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }

    pub(super) fn add_member(&mut self, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        self.pending_joins.remove(&member.id);
        if let Some(instance_id) = &member.instance_id {
            self.static_members.insert(instance_id.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out, answering what it had parked.
    pub(super) fn remove_member(&mut self, member_id: &str, effects: &mut Vec<Effect>) {
        let Some(mut member) = self.members.remove(member_id) else {
            return;
        };
        // The client may still be there: this code makes it join again.
        let code = ErrorCode::UNKNOWN_MEMBER_ID;
        refuse_parked(&mut member, code, effects);
        self.pending_syncs.remove(member_id);
        if let Some(instance_id) = &member.instance_id
            && self
                .static_members
                .get(instance_id)
                .is_some_and(|current| current == member_id)
        {
            self.static_members.remove(instance_id);
        }
        if self.leader.as_deref() == Some(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// Returns whether a member with these protocols fits in.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if protocol_type.is_empty() || protocols.is_empty() {
            return false;
        }
        if self.state == State::Empty {
            return true;
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| self.all_support(&protocol.name))
    }

    fn all_support(&self, protocol: &str) -> bool {
        self.members.values().all(|member| member.supports(protocol))
    }

    /// Each member votes for its most preferred protocol that all support; most votes win.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let first = self.members.values().next()?;
        let common: Vec<&str> = first
            .protocols
            .iter()
            .map(|protocol| protocol.name.as_str())
            .filter(|name| self.all_support(name))
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut preferred = member.protocols.iter().map(|protocol| protocol.name.as_str());
            if let Some(name) = preferred.find(|name| common.contains(name)) {
                *votes.entry(name).or_default() += 1;
            }
        }
        let best = votes.values().copied().max()?;
        // Among equals the first member's preference decides.
        common
            .into_iter()
            .find(|name| votes.get(name) == Some(&best))
            .map(str::to_owned)
    }

    pub(super) fn refresh_subscribed_topics(&mut self) {
        self.subscribed_topics = self.compute_subscribed_topics();
    }

    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscribed_topics(&member.metadata_for(protocol))?);
        }
        Some(topics)
    }

    /// The reply that lets a member into the current generation.
    pub(super) fn joined(&self, member_id: &str) -> JoinReply {
        let leads = self.leader.as_deref() == Some(member_id);
        JoinReply {
            error: ErrorCode::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: if leads { self.joined_members() } else { Vec::new() },
        }
    }

    pub(super) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        self.members
            .values()
            .map(|member| JoinedMember {
                member_id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                metadata: member.metadata_for(protocol),
            })
            .collect()
    }

    /// The reply that gives a member its share.
    pub(super) fn synced(&self, assignment: Bytes) -> SyncReply {
        SyncReply {
            error: ErrorCode::NONE,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment,
        }
    }

    /// A `Store` of the group with these assignments in place of the members' current ones.
    pub(super) fn store(&self, assignments: Option<&[(String, Bytes)]>, then: Then) -> Effect {
        let given: Option<HashMap<&str, &Bytes>> =
            assignments.map(|list| list.iter().map(|(id, share)| (id.as_str(), share)).collect());
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| MemberValue {
            member_id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata_for(protocol),
            assignment: match &given {
                Some(given) => given.get(member.id.as_str()).copied().cloned().unwrap_or_default(),
                None => member.assignment.clone(),
            },
        });
        let value = GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_since_ms: self.state_since_ms.unwrap_or(-1),
            members: members.collect(),
        };
        let record = LogRecord {
            key: group_key(&self.id),
            value: Some(value.encode()),
        };
        Effect::Store {
            writer: None,
            group: self.id.clone(),
            records: vec![record],
            then,
        }
    }
}

/// Answers what a member has parked with `code`.
pub(super) fn refuse_parked(member: &mut Member, code: ErrorCode, effects: &mut Vec<Effect>) {
    if let Some(ticket) = member.joining.take() {
        effects.push(Effect::join(ticket, JoinReply::refused(code, member.id.clone())));
    }
    if let Some(ticket) = member.syncing.take() {
        effects.push(Effect::sync(ticket, SyncReply::refused(code)));
    }
}
