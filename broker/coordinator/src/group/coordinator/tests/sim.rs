//! A coordinator with hands: asks, completes stores, moves the clock, keeps replies.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use weir_protocol::error_code::ErrorCode;

use crate::group::classic::GroupSettings;
use crate::group::coordinator::{CoordinatorSettings, GroupCoordinator};
use crate::group::effect::{Effect, JoinReply, Reply, SyncReply, Then, Ticket};
use crate::group::record::LogRecord;
use crate::group::request::{
    CommitRequest, JoinRequest, LeavingMember, MemberClaim, MemberIdRule, OffsetToCommit, Protocol, SkipAssignment,
    SyncRequest,
};
use crate::time::Now;

pub(super) const GROUP: &str = "g";
pub(super) const SESSION_MS: i32 = 10_000;
pub(super) const REBALANCE_MS: i32 = 60_000;
pub(super) const START_WALL_MS: i64 = 1_700_000_000_000;
pub(super) const RETENTION_MS: i64 = 1_000_000;

pub(super) fn settings() -> CoordinatorSettings {
    CoordinatorSettings {
        groups: GroupSettings {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            max_members: usize::MAX,
            initial_rebalance_delay_ms: 0,
        },
        offset_metadata_max_bytes: 8,
        offsets_retention_ms: RETENTION_MS,
    }
}

/// Who joins, and how.
#[derive(Debug, Clone)]
pub(super) struct Joiner {
    pub(super) request: JoinRequest,
}

/// A consumer of topic `t` with protocols `range` and `sticky`, JoinGroup v9.
pub(super) fn consumer() -> Joiner {
    Joiner {
        request: JoinRequest {
            member_id: String::new(),
            instance_id: None,
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "consumer".to_owned(),
            protocols: protocols(&["range", "sticky"], &["t"]),
            unique: String::new(),
            member_id_rule: MemberIdRule::ComeBackWithId,
            skip_assignment: SkipAssignment::Understood,
        },
    }
}

impl Joiner {
    pub(super) fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.request.member_id);
        self
    }

    pub(super) fn instance(mut self, id: &str) -> Self {
        self.request.instance_id = Some(id.to_owned());
        self
    }

    pub(super) fn at_once(mut self) -> Self {
        self.request.member_id_rule = MemberIdRule::JoinAtOnce;
        self
    }

    pub(super) fn before_v9(mut self) -> Self {
        self.request.skip_assignment = SkipAssignment::Unknown;
        self
    }

    pub(super) fn protocols(mut self, names: &[&str]) -> Self {
        self.request.protocols = protocols(names, &["t"]);
        self
    }

    pub(super) fn topics(mut self, topics: &[&str]) -> Self {
        self.request.protocols = protocols(&["range", "sticky"], topics);
        self
    }

    pub(super) fn protocol_type(mut self, name: &str) -> Self {
        name.clone_into(&mut self.request.protocol_type);
        self
    }

    pub(super) fn session_ms(mut self, session_ms: i32) -> Self {
        self.request.session_timeout_ms = session_ms;
        self
    }

    pub(super) fn rebalance_ms(mut self, rebalance_ms: i32) -> Self {
        self.request.rebalance_timeout_ms = rebalance_ms;
        self
    }
}

fn protocols(names: &[&str], topics: &[&str]) -> Vec<Protocol> {
    let mut subscription = vec![0, 1];
    subscription.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        subscription.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        subscription.extend(topic.as_bytes());
    }
    subscription.extend([0xff; 4]);
    let metadata = Bytes::from(subscription);
    names
        .iter()
        .map(|name| Protocol {
            name: (*name).to_owned(),
            metadata: metadata.clone(),
        })
        .collect()
}

#[derive(Debug)]
pub(super) struct Sim {
    pub(super) coordinator: GroupCoordinator,
    pub(super) now: Now,
    pub(super) stores: VecDeque<(String, Vec<LogRecord>, Then)>,
    pub(super) log: Vec<LogRecord>,
    replies: HashMap<Ticket, Reply>,
    next_ticket: u64,
}

impl Sim {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: CoordinatorSettings) -> Self {
        Self {
            coordinator: GroupCoordinator::new(settings),
            now: Now {
                mono_ms: 0,
                wall_ms: START_WALL_MS,
            },
            stores: VecDeque::new(),
            log: Vec::new(),
            replies: HashMap::new(),
            next_ticket: 0,
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    pub(super) fn tickets_given(&self) -> u64 {
        self.next_ticket
    }

    pub(super) fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { ticket, reply } => {
                    let earlier = self.replies.insert(ticket, reply);
                    assert!(earlier.is_none(), "{ticket:?} is answered twice");
                }
                Effect::Store {
                    group, records, then, ..
                } => {
                    assert!(!records.is_empty(), "an empty store");
                    self.stores.push_back((group, records, then));
                }
            }
        }
    }

    /// Asks something that is answered through a ticket.
    pub(super) fn ask(&mut self, ask: impl FnOnce(&mut GroupCoordinator, Ticket, Now, &mut Vec<Effect>)) -> Ticket {
        let ticket = self.ticket();
        let mut effects = Vec::new();
        ask(&mut self.coordinator, ticket, self.now, &mut effects);
        self.take(effects);
        ticket
    }

    pub(super) fn join(&mut self, joiner: Joiner) -> Ticket {
        let mut request = joiner.request;
        request.unique = format!("uuid{}", self.next_ticket + 1);
        self.ask(|coordinator, ticket, now, effects| {
            coordinator.join(GROUP, request, ticket, now, effects);
        })
    }

    /// Joins as a new dynamic member does: asks for an id and comes back with it.
    pub(super) fn join_twice(&mut self, joiner: Joiner) -> (String, Ticket) {
        let first = self.join(joiner.clone());
        let reply = self.joined(first);
        assert_eq!(reply.error, ErrorCode::MEMBER_ID_REQUIRED);
        let ticket = self.join(joiner.id(&reply.member_id));
        (reply.member_id, ticket)
    }

    pub(super) fn sync(&mut self, member_id: &str, generation: i32, shares: &[(&str, &'static str)]) -> Ticket {
        let request = SyncRequest {
            claim: claim(member_id, generation),
            protocol_type: Some("consumer".to_owned()),
            protocol_name: None,
            assignments: shares
                .iter()
                .map(|(id, share)| ((*id).to_owned(), Bytes::from_static(share.as_bytes())))
                .collect(),
        };
        self.sync_as(request)
    }

    pub(super) fn sync_as(&mut self, request: SyncRequest) -> Ticket {
        self.ask(|coordinator, ticket, now, effects| {
            coordinator.sync(GROUP, request, ticket, now, effects);
        })
    }

    pub(super) fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        self.coordinator
            .heartbeat(GROUP, &claim(member_id, generation), self.now)
    }

    pub(super) fn leave(&mut self, member_id: &str, instance: Option<&str>) -> ErrorCode {
        let leaving = LeavingMember {
            member_id: member_id.to_owned(),
            instance_id: instance.map(str::to_owned),
        };
        let mut effects = Vec::new();
        let left = self.coordinator.leave(GROUP, &[leaving], self.now, &mut effects);
        self.take(effects);
        left.map_or_else(|code| code, |codes| codes[0])
    }

    pub(super) fn commit(&mut self, claim: MemberClaim, offsets: &[(&str, i32, i64)]) -> Ticket {
        let offsets = offsets
            .iter()
            .map(|(topic, partition, offset)| to_commit(topic, *partition, *offset));
        let request = CommitRequest {
            claim,
            writer: None,
            retention_ms: None,
            offsets: offsets.collect(),
        };
        self.commit_as(request)
    }

    pub(super) fn commit_as(&mut self, request: CommitRequest) -> Ticket {
        self.ask(|coordinator, ticket, now, effects| {
            coordinator.commit(GROUP, request, ticket, now, effects);
        })
    }

    /// Commits as a consumer outside any group.
    pub(super) fn commit_simple(&mut self, offsets: &[(&str, i32, i64)]) {
        let ticket = self.commit(claim("", -1), offsets);
        self.store();
        assert!(self.committed(ticket).iter().all(|code| *code == ErrorCode::NONE));
    }

    pub(super) fn offset(&self, topic: &str, partition: i32) -> Option<i64> {
        let offsets = self.coordinator.offsets(GROUP)?;
        offsets.get(topic, partition).map(|offset| offset.offset)
    }

    pub(super) fn delete_group(&mut self) -> Ticket {
        self.ask(|coordinator, ticket, _, effects| {
            coordinator.delete_group(GROUP, ticket, effects);
        })
    }

    pub(super) fn delete_offsets(&mut self, partitions: &[(&str, i32)]) -> Ticket {
        let wanted = partitions
            .iter()
            .map(|(topic, at)| ((*topic).to_owned(), *at))
            .collect();
        self.ask(|coordinator, ticket, _, effects| {
            coordinator.delete_offsets(GROUP, wanted, ticket, effects);
        })
    }

    pub(super) fn expire_offsets(&mut self) {
        let mut effects = Vec::new();
        self.coordinator.expire_offsets(self.now, &mut effects);
        self.take(effects);
        self.store();
    }

    /// Completes every store.
    pub(super) fn store(&mut self) {
        while !self.stores.is_empty() {
            self.store_one(Ok(()));
        }
    }

    /// Completes the oldest store.
    pub(super) fn store_one(&mut self, outcome: Result<(), ErrorCode>) {
        let (group, records, then) = self.stores.pop_front().expect("a store is under way");
        if outcome.is_ok() {
            self.log.extend(records);
        }
        let mut effects = Vec::new();
        self.coordinator.stored(&group, then, outcome, self.now, &mut effects);
        self.take(effects);
    }

    /// Moves both clocks, firing timers in their order.
    pub(super) fn pass(&mut self, ms: i64) {
        let end_ms = self.now.mono_ms + ms;
        while let Some(at_ms) = self.coordinator.next_deadline_ms().filter(|at| *at <= end_ms) {
            self.move_to(at_ms.max(self.now.mono_ms));
            let mut effects = Vec::new();
            self.coordinator.on_time(self.now, &mut effects);
            self.take(effects);
        }
        self.move_to(end_ms);
    }

    fn move_to(&mut self, mono_ms: i64) {
        self.now.wall_ms += mono_ms - self.now.mono_ms;
        self.now.mono_ms = mono_ms;
    }

    pub(super) fn reply(&self, ticket: Ticket) -> Option<&Reply> {
        self.replies.get(&ticket)
    }

    pub(super) fn is_parked(&self, ticket: Ticket) -> bool {
        !self.replies.contains_key(&ticket)
    }

    pub(super) fn joined(&self, ticket: Ticket) -> JoinReply {
        match self.reply(ticket) {
            Some(Reply::Join(reply)) => reply.clone(),
            other => panic!("{ticket:?} has no join reply but {other:?}"),
        }
    }

    pub(super) fn synced(&self, ticket: Ticket) -> SyncReply {
        match self.reply(ticket) {
            Some(Reply::Sync(reply)) => reply.clone(),
            other => panic!("{ticket:?} has no sync reply but {other:?}"),
        }
    }

    pub(super) fn committed(&self, ticket: Ticket) -> Vec<ErrorCode> {
        match self.reply(ticket) {
            Some(Reply::Committed(codes)) => codes.clone(),
            other => panic!("{ticket:?} has no commit reply but {other:?}"),
        }
    }

    pub(super) fn state(&self) -> &'static str {
        self.coordinator.describe(GROUP).map_or("Dead", |group| group.state)
    }

    /// A stable group of these members in its first generations; answers their ids, leader first.
    pub(super) fn stable(&mut self, joiners: &[Joiner]) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        for joiner in joiners {
            let newest = if joiner.request.instance_id.is_some() {
                self.join(joiner.clone())
            } else {
                self.join_twice(joiner.clone()).1
            };
            for (id, joiner) in ids.iter().zip(joiners) {
                self.join(joiner.clone().id(id));
            }
            ids.push(self.joined(newest).member_id);
        }
        let generation = self.generation();
        let leader = ids[0].clone();
        let shares: Vec<(&str, &'static str)> = ids.iter().map(|id| (id.as_str(), "share")).collect();
        self.sync(&leader, generation, &shares);
        for follower in &ids[1..] {
            self.sync(follower, generation, &[]);
        }
        self.store();
        assert_eq!(self.state(), "Stable");
        ids
    }

    pub(super) fn generation(&self) -> i32 {
        self.coordinator.groups[GROUP].group.generation()
    }

    /// A coordinator that has read back everything stored so far.
    pub(super) fn reloaded(&self) -> Self {
        let mut other = Self::new();
        other.now = self.now;
        for record in &self.log {
            other
                .coordinator
                .replay(&record.key, record.value.as_deref(), None)
                .unwrap();
        }
        other.coordinator.loaded(other.now);
        other.log.clone_from(&self.log);
        other
    }
}

pub(super) fn claim(member_id: &str, generation: i32) -> MemberClaim {
    MemberClaim {
        member_id: member_id.to_owned(),
        instance_id: None,
        generation,
    }
}

pub(super) fn to_commit(topic: &str, partition: i32, offset: i64) -> OffsetToCommit {
    OffsetToCommit {
        topic: topic.to_owned(),
        partition,
        offset,
        leader_epoch: 2,
        metadata: "m".to_owned(),
    }
}
