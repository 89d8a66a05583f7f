//! The owner of all groups
//!
//! One event loop holds every group's state. Handlers send it commands and await replies; it
//! writes `__consumer_offsets` through `group_log` without waiting, and answers once the append is
//! durable. Timers run only while groups have members, retention checks only while groups exist.
//! DIVERGES: commands that arrive while the log is read back wait; nobody is sent away to retry.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use weir_coordinator::group::classic;
use weir_coordinator::group::coordinator::{CoordinatorSettings, GroupCoordinator, GroupDescription, ListedGroup};
use weir_coordinator::group::effect::{Effect, JoinReply, Reply, SyncReply, Then, Ticket};
use weir_coordinator::group::offsets::CommittedOffset;
use weir_coordinator::group::request::{CommitRequest, JoinRequest, LeavingMember, MemberClaim, SyncRequest};
use weir_coordinator::time::Now;
use weir_coordinator::transaction::request::Verdict;
use weir_metrics::clock::Clock;
use weir_protocol::error_code::ErrorCode;

use crate::broker_config::BrokerConfig;
use crate::cluster::Cluster;
use crate::coordinator_log::UnreadablePartitions;
use crate::group_log::GroupLog;
use crate::partitions::Partitions;
use crate::transactions::Transactions;

/// Commands that wait for the owner; at the bound their connections wait.
const INBOX_COMMANDS: usize = 1024;

/// What the coordinator tells clients whose request it can no longer answer.
const GOING_DOWN: ErrorCode = ErrorCode::COORDINATOR_NOT_AVAILABLE;

/// The offsets of some topics, as OffsetFetch answers them.
pub(crate) type FetchedOffsets = Vec<(String, Vec<(i32, FetchedOffset)>)>;

/// One offset as OffsetFetch answers it.
#[derive(Debug, Clone)]
pub(crate) enum FetchedOffset {
    Missing,
    /// It waits for the end of a transaction, and the question was for a stable one.
    Unstable,
    Found(CommittedOffset),
}

/// Whether an offset counts that a transaction may yet replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stability {
    Required,
    NotRequired,
}

/// Which offsets of a group are asked for.
#[derive(Debug)]
pub(crate) enum OffsetQuery {
    All,
    Topics(Vec<(String, Vec<i32>)>),
}

/// Every group of this broker.
#[derive(Debug)]
pub(crate) struct Groups {
    inbox: mpsc::Sender<Command>,
    log: Arc<GroupLog>,
    commit_timeout: Duration,
    /// Taken by `run`.
    owner: Mutex<Option<Owner>>,
}

#[derive(Debug)]
enum Command {
    Join {
        group: String,
        request: JoinRequest,
        reply: oneshot::Sender<Reply>,
    },
    Sync {
        group: String,
        request: SyncRequest,
        reply: oneshot::Sender<Reply>,
    },
    Commit {
        group: String,
        request: CommitRequest,
        reply: oneshot::Sender<Reply>,
    },
    DeleteOffsets {
        group: String,
        partitions: Vec<(String, i32)>,
        reply: oneshot::Sender<Reply>,
    },
    DeleteGroup {
        group: String,
        reply: oneshot::Sender<Reply>,
    },
    Heartbeat {
        group: String,
        claim: MemberClaim,
        reply: oneshot::Sender<ErrorCode>,
    },
    Leave {
        group: String,
        members: Vec<LeavingMember>,
        reply: oneshot::Sender<LeaveReply>,
    },
    Describe {
        groups: Vec<String>,
        reply: oneshot::Sender<Vec<Option<GroupDescription>>>,
    },
    List {
        reply: oneshot::Sender<Vec<ListedGroup>>,
    },
    Offsets {
        group: String,
        query: OffsetQuery,
        stability: Stability,
        reply: oneshot::Sender<FetchedOffsets>,
    },
    /// A marker is in a partition of the log.
    TransactionEnded {
        producer_id: i64,
        partition: i32,
        verdict: Verdict,
        reply: oneshot::Sender<()>,
    },
    TopicsDeleted {
        topics: Vec<String>,
    },
}

impl Command {
    fn group(&self) -> Option<&str> {
        match self {
            Self::Join { group, .. }
            | Self::Sync { group, .. }
            | Self::Commit { group, .. }
            | Self::DeleteOffsets { group, .. }
            | Self::DeleteGroup { group, .. }
            | Self::Heartbeat { group, .. }
            | Self::Leave { group, .. }
            | Self::Offsets { group, .. } => Some(group),
            Self::Describe { .. } | Self::List { .. } | Self::TopicsDeleted { .. } | Self::TransactionEnded { .. } => {
                None
            }
        }
    }
}

/// A code for each leaving member, or one for the request.
pub(crate) type LeaveReply = Result<Vec<ErrorCode>, ErrorCode>;

impl Groups {
    pub(crate) fn new(
        partitions: Arc<Partitions>,
        cluster: Arc<Cluster>,
        transactions: Arc<Transactions>,
        config: Arc<BrokerConfig>,
        clock: Clock,
    ) -> Self {
        let (inbox, commands) = mpsc::channel(INBOX_COMMANDS);
        let commit_timeout = Duration::from_millis(config.groups.offsets_commit_timeout_ms);
        let log = Arc::new(GroupLog::new(partitions, cluster, transactions, &config.groups));
        let owner = Owner::new(Arc::clone(&log), &config, clock, commands);
        Self {
            inbox,
            log,
            commit_timeout,
            owner: Mutex::new(Some(owner)),
        }
    }

    /// Loads what the log holds, then keeps timers and expiry until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let owner = self.owner.lock().take();
        if let Some(owner) = owner {
            owner.run(stop).await;
        }
    }

    /// Forgets the offsets of topics that are gone.
    pub(crate) async fn topics_deleted(&self, topics: &[String]) {
        // A closed inbox means the broker stops: the offsets then lapse by retention.
        let _ = self
            .inbox
            .send(Command::TopicsDeleted {
                topics: topics.to_vec(),
            })
            .await;
    }

    pub(crate) async fn join(&self, group: String, request: JoinRequest) -> JoinReply {
        let member_id = request.member_id.clone();
        match self.ask(|reply| Command::Join { group, request, reply }).await {
            Some(Reply::Join(joined)) => joined,
            _ => JoinReply::refused(GOING_DOWN, member_id),
        }
    }

    pub(crate) async fn sync(&self, group: String, request: SyncRequest) -> SyncReply {
        match self.ask(|reply| Command::Sync { group, request, reply }).await {
            Some(Reply::Sync(synced)) => synced,
            _ => SyncReply::refused(GOING_DOWN),
        }
    }

    /// Answers a code for each offset of the request.
    pub(crate) async fn commit(&self, group: String, request: CommitRequest) -> Vec<ErrorCode> {
        let count = request.offsets.len();
        let asked = self.ask(|reply| Command::Commit { group, request, reply });
        match tokio::time::timeout(self.commit_timeout, asked).await {
            Ok(Some(Reply::Committed(codes))) => codes,
            // The append may still succeed; the client commits again.
            _ => vec![GOING_DOWN; count],
        }
    }

    pub(crate) async fn delete_offsets(
        &self,
        group: String,
        partitions: Vec<(String, i32)>,
    ) -> (ErrorCode, Vec<ErrorCode>) {
        match self
            .ask(|reply| Command::DeleteOffsets {
                group,
                partitions,
                reply,
            })
            .await
        {
            Some(Reply::OffsetsDeleted(code, codes)) => (code, codes),
            _ => (GOING_DOWN, Vec::new()),
        }
    }

    pub(crate) async fn delete_group(&self, group: String) -> ErrorCode {
        match self.ask(|reply| Command::DeleteGroup { group, reply }).await {
            Some(Reply::GroupDeleted(code)) => code,
            _ => GOING_DOWN,
        }
    }

    pub(crate) async fn heartbeat(&self, group: String, claim: MemberClaim) -> ErrorCode {
        self.ask(|reply| Command::Heartbeat { group, claim, reply })
            .await
            .unwrap_or(GOING_DOWN)
    }

    pub(crate) async fn leave(&self, group: String, members: Vec<LeavingMember>) -> LeaveReply {
        let asked = self.ask(|reply| Command::Leave { group, members, reply });
        asked.await.unwrap_or(Err(GOING_DOWN))
    }

    /// Describes groups, in the order asked for.
    ///
    /// # Errors
    /// The code to answer for all of them.
    pub(crate) async fn describe(&self, groups: Vec<String>) -> Result<Vec<Option<GroupDescription>>, ErrorCode> {
        self.ask(|reply| Command::Describe { groups, reply })
            .await
            .ok_or(GOING_DOWN)
    }

    pub(crate) async fn list(&self) -> Result<Vec<ListedGroup>, ErrorCode> {
        self.ask(|reply| Command::List { reply }).await.ok_or(GOING_DOWN)
    }

    pub(crate) async fn offsets(
        &self,
        group: String,
        query: OffsetQuery,
        stability: Stability,
    ) -> Result<FetchedOffsets, ErrorCode> {
        self.ask(|reply| Command::Offsets {
            group,
            query,
            stability,
            reply,
        })
        .await
        .ok_or(GOING_DOWN)
    }

    /// The partition of a group's records, made if need be.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) async fn partition_of(&self, group: &str) -> Result<i32, ErrorCode> {
        self.log.index_of(group).await
    }

    /// Has the offsets of an ended transaction count or go; none when the broker stops.
    pub(crate) async fn transaction_ended(&self, producer_id: i64, partition: i32, verdict: Verdict) -> Option<()> {
        self.ask(|reply| Command::TransactionEnded {
            producer_id,
            partition,
            verdict,
            reply,
        })
        .await
    }

    async fn ask<R>(&self, command: impl FnOnce(oneshot::Sender<R>) -> Command) -> Option<R> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// What came of something that is in the log.
enum Stored {
    /// Records of a group: what they mean, and whether they are durable.
    Group(String, Then, Result<(), ErrorCode>),
    /// The marker of a transaction, which is durable. In line with the stores: offsets that wait
    /// for it were written before.
    Marker {
        producer_id: i64,
        partition: i32,
        verdict: Verdict,
        reply: oneshot::Sender<()>,
    },
}

type StoreFuture = Pin<Box<dyn Future<Output = Stored> + Send>>;

struct Owner {
    log: Arc<GroupLog>,
    coordinator: GroupCoordinator,
    commands: mpsc::Receiver<Command>,
    /// Replies on their way, by ticket. Bounded by the open requests of all connections.
    parked: HashMap<Ticket, oneshot::Sender<Reply>>,
    next_ticket: u64,
    /// Appends not yet durable, in log order, which is the order their outcomes must be taken in.
    stores: FuturesOrdered<StoreFuture>,
    clock: Clock,
    started: Instant,
    check_interval: Duration,
    next_check: Option<Instant>,
    unreadable: UnreadablePartitions,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owner")
            .field("coordinator", &self.coordinator)
            .finish_non_exhaustive()
    }
}

impl Owner {
    fn new(log: Arc<GroupLog>, config: &BrokerConfig, clock: Clock, commands: mpsc::Receiver<Command>) -> Self {
        let settings = &config.groups;
        let coordinator = GroupCoordinator::new(CoordinatorSettings {
            groups: classic::GroupSettings {
                min_session_timeout_ms: settings.min_session_timeout_ms,
                max_session_timeout_ms: settings.max_session_timeout_ms,
                max_members: settings.max_size,
                initial_rebalance_delay_ms: settings.initial_rebalance_delay_ms,
            },
            offset_metadata_max_bytes: settings.offset_metadata_max_bytes,
            offsets_retention_ms: settings.offsets_retention_ms,
        });
        let check_ms = u64::try_from(settings.offsets_retention_check_interval_ms).unwrap_or(1);
        Self {
            log,
            coordinator,
            commands,
            parked: HashMap::new(),
            next_ticket: 0,
            stores: FuturesOrdered::new(),
            clock,
            started: Instant::now(),
            check_interval: Duration::from_millis(check_ms.max(1)),
            next_check: None,
            unreadable: UnreadablePartitions::default(),
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        (self.coordinator, self.unreadable) = self.log.load(self.coordinator).await;
        let now = self.now();
        self.coordinator.loaded(now);
        loop {
            let wake = self.next_wake();
            let mut effects = Vec::new();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(stored) = self.stores.next(), if !self.stores.is_empty() => self.stored(stored, &mut effects),
                () = sleep_until(wake) => self.on_time(&mut effects),
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command, &mut effects),
                    None => return,
                },
            }
            self.carry_out(effects).await;
        }
    }

    fn stored(&mut self, stored: Stored, effects: &mut Vec<Effect>) {
        match stored {
            Stored::Group(group, then, outcome) => {
                let now = self.now();
                self.coordinator.stored(&group, then, outcome, now, effects);
            }
            Stored::Marker {
                producer_id,
                partition,
                verdict,
                reply,
            } => {
                let log = &self.log;
                self.coordinator
                    .transaction_ended(producer_id, verdict, |group| log.is_kept_in(group, partition));
                let _ = reply.send(());
            }
        }
    }

    fn now(&self) -> Now {
        let mono_ms = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Now {
            mono_ms,
            wall_ms: self.clock.now_ms(),
        }
    }

    fn next_wake(&mut self) -> Option<Instant> {
        if self.coordinator.is_empty() {
            self.next_check = None;
        } else if self.next_check.is_none() {
            self.next_check = Some(Instant::now() + self.check_interval);
        }
        let deadline = self
            .coordinator
            .next_deadline_ms()
            .map(|at_ms| self.started + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0)));
        deadline.into_iter().chain(self.next_check).min()
    }

    fn on_time(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now();
        self.coordinator.on_time(now, effects);
        if self.next_check.is_some_and(|at| at <= Instant::now()) {
            self.next_check = None;
            self.coordinator.expire_offsets(now, effects);
        }
    }

    /// Takes one command; a reply whose receiver is gone belongs to a closed connection.
    fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        if command.group().is_some_and(|group| self.unreadable.holds(group)) {
            // Dropping it answers that the coordinator is not available.
            return;
        }
        let now = self.now();
        match command {
            Command::Join { group, request, reply } => {
                let ticket = self.park(reply);
                self.coordinator.join(&group, request, ticket, now, effects);
            }
            Command::Sync { group, request, reply } => {
                let ticket = self.park(reply);
                self.coordinator.sync(&group, request, ticket, now, effects);
            }
            Command::Commit { group, request, reply } => {
                let ticket = self.park(reply);
                self.coordinator.commit(&group, request, ticket, now, effects);
            }
            Command::DeleteOffsets {
                group,
                partitions,
                reply,
            } => {
                let ticket = self.park(reply);
                self.coordinator.delete_offsets(&group, partitions, ticket, effects);
            }
            Command::DeleteGroup { group, reply } => {
                let ticket = self.park(reply);
                self.coordinator.delete_group(&group, ticket, effects);
            }
            Command::Heartbeat { group, claim, reply } => {
                let _ = reply.send(self.coordinator.heartbeat(&group, &claim, now));
            }
            Command::Leave { group, members, reply } => {
                let _ = reply.send(self.coordinator.leave(&group, &members, now, effects));
            }
            Command::Describe { groups, reply } => {
                let described = groups.iter().map(|group| self.coordinator.describe(group));
                let _ = reply.send(described.collect());
            }
            Command::List { reply } => {
                let _ = reply.send(self.coordinator.list());
            }
            Command::Offsets {
                group,
                query,
                stability,
                reply,
            } => {
                let _ = reply.send(self.fetch_offsets(&group, query, stability));
            }
            Command::TransactionEnded {
                producer_id,
                partition,
                verdict,
                reply,
            } => self.stores.push_back(Box::pin(std::future::ready(Stored::Marker {
                producer_id,
                partition,
                verdict,
                reply,
            }))),
            Command::TopicsDeleted { topics } => {
                for topic in topics {
                    self.coordinator.topic_deleted(&topic, effects);
                }
            }
        }
    }

    fn park(&mut self, reply: oneshot::Sender<Reply>) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.parked.insert(ticket, reply);
        ticket
    }

    fn fetch_offsets(&self, group: &str, query: OffsetQuery, stability: Stability) -> FetchedOffsets {
        let known = self.coordinator.offsets(group);
        let fetched = |topic: &str, at: i32, found: Option<&CommittedOffset>| {
            let must_wait = stability == Stability::Required && known.is_some_and(|known| known.is_unstable(topic, at));
            match found {
                _ if must_wait => FetchedOffset::Unstable,
                Some(offset) => FetchedOffset::Found(offset.clone()),
                None => FetchedOffset::Missing,
            }
        };
        match query {
            OffsetQuery::All => {
                let Some(known) = known else {
                    return Vec::new();
                };
                let copied = |topic: &str, offsets: &BTreeMap<i32, CommittedOffset>| {
                    let offsets = offsets.iter();
                    offsets
                        .map(|(at, offset)| (*at, fetched(topic, *at, Some(offset))))
                        .collect()
                };
                known
                    .topics()
                    .map(|(topic, found)| (topic.to_owned(), copied(topic, found)))
                    .collect()
            }
            OffsetQuery::Topics(topics) => {
                let mut all = Vec::with_capacity(topics.len());
                for (topic, partitions) in topics {
                    let of = |at| fetched(&topic, at, known.and_then(|offsets| offsets.get(&topic, at)));
                    let found = partitions.into_iter().map(|at| (at, of(at))).collect();
                    all.push((topic, found));
                }
                all
            }
        }
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { ticket, reply } => {
                    if let Some(waiting) = self.parked.remove(&ticket) {
                        let _ = waiting.send(reply);
                    }
                }
                Effect::Store {
                    group,
                    records,
                    then,
                    writer,
                } => {
                    // Awaits only the making of the topic, once in the life of a data directory.
                    let append = self.log.append(&group, &records, writer, self.clock.now_ms()).await;
                    self.stores.push_back(Box::pin(async move {
                        let outcome = match append {
                            Ok(appended) => appended.done().await.map(drop).map_err(|e| e.code),
                            Err(code) => Err(code),
                        };
                        Stored::Group(group, then, outcome)
                    }));
                }
            }
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
