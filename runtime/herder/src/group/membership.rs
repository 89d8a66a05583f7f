//! The worker in its group: one task that joins, stays and leaves
//!
//! Heartbeats go on while the herder stops work or the config topic is read. Work is revoked before it may become another's, and the
//! herder hears of a round only when the configs that it was made for have been read. Every wait ends early when the worker stops.
//! Source: `WorkerCoordinator`, `WorkerGroupMember`, and the rebalancing half of `DistributedHerder`.
//! DIVERGES: heartbeats come more often than `heartbeat.interval.ms`, because a member learns of a rebalance from their answers alone.
//! A worker that has read further than its assignment starts at once instead of joining again. An error that will come again (a refused
//! authorisation) ends the worker at its start only; one that has been in the group tries on.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weir_client::error::{ClientError, KafkaError};
use weir_client::group_member::{Beat, GroupMember, GroupSettings, Joined};
use weir_client::wire::WireSettings;
use weir_metrics::clock::Clock;
use weir_metrics::registry::MetricRegistry;
use weir_stores::configs::ConfigReader;
use weir_worker::lifecycle::TaskId;

use crate::group::leader::{Leader, Members, Times};
use crate::group::metrics::GroupMetrics;
use crate::group::protocol::{Assignment, AssignmentError, ConnectProtocol, WorkerState};
use crate::group::view::{MembershipHandle, RejoinRequest, Shared};
use crate::group::work::Work;

/// Events that may wait for the herder; while it is this far behind, the member stays in its round.
const EVENTS: usize = 4;
/// How often a worker that cannot read the config topic tries before it gives up its work.
const SYNC_TRIES: u32 = 5;

/// Time between heartbeats, where `heartbeat.interval.ms` is longer: half a second to notice a rebalance.
const BEAT: Duration = Duration::from_millis(500);
/// The same right after a round, which another may follow at once: revoked work is given out in a second one.
const BEAT_AFTER_ROUND: Duration = Duration::from_millis(50);
const AFTER_ROUND: Duration = Duration::from_secs(1);

/// How long a stopping worker waits for the coordinator to take note.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a refusal that comes again and again is told.
const REFUSAL_TOLD: Duration = Duration::from_secs(60);

/// What a membership is made of.
#[derive(Debug, Clone)]
pub struct MembershipParts {
    pub wire: WireSettings,
    /// Of the group; `protocol_type` is [`crate::group::protocol::PROTOCOL_TYPE`].
    pub settings: GroupSettings,
    /// `connect.protocol`
    pub protocol: ConnectProtocol,
    /// Base URL of this worker's REST API, with a trailing slash.
    pub url: String,
    /// `scheduled.rebalance.max.delay.ms`
    pub max_delay_ms: i32,
    /// `worker.sync.timeout.ms`
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`
    pub unsync_backoff: Duration,
    pub configs: ConfigReader,
    pub clock: Clock,
    /// Where the membership shows what it measures.
    pub metrics: MetricRegistry,
}

/// What the herder has to do about the group.
#[derive(Debug)]
pub enum GroupEvent {
    /// Stop this work, all of which this worker was assigned, then answer; it may be another's afterwards.
    Revoked {
        reason: RevokeReason,
        connectors: BTreeSet<String>,
        tasks: BTreeSet<TaskId>,
        done: oneshot::Sender<()>,
    },
    /// The group does not take this worker, which has never been in it, and will not. Nothing follows.
    Refused {
        /// For whoever started the worker.
        reason: String,
    },
    /// A round is complete, and its configs have been read: this is all that the worker owns now.
    Assigned {
        generation: i32,
        leader: bool,
        leader_url: String,
        protocol: ConnectProtocol,
        /// Offset of the config topic that the round was made for; at least this much has been read.
        config_offset: i64,
        owned_connectors: BTreeSet<String>,
        owned_tasks: BTreeSet<TaskId>,
    },
}

/// Why work is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeReason {
    /// The leader wants it elsewhere, or it is no longer configured.
    Assignment,
    /// The group is eager: nothing runs while it rebalances.
    EagerRebalance,
    /// The coordinator cannot be reached: the group may have given the work to others.
    CoordinatorLost,
    /// The config topic could not be read for too long.
    ConfigsUnreadable,
}

/// Starts the task that is the worker's membership; it joins at once.
pub fn start(parts: MembershipParts) -> (MembershipHandle, mpsc::Receiver<GroupEvent>) {
    let (events, receiver) = mpsc::channel(EVENTS);
    let handle = MembershipHandle {
        shared: Arc::new(Shared::default()),
        configs: parts.configs.clone(),
        stop: CancellationToken::new(),
        ended: CancellationToken::new(),
    };
    let membership = Membership {
        member: GroupMember::new(parts.wire.clone(), parts.settings.clone()),
        leader: Leader::new(parts.max_delay_ms),
        metrics: GroupMetrics::new(&parts.metrics, &parts.wire.client_id, parts.protocol, &handle.shared),
        shared: Arc::clone(&handle.shared),
        events,
        held: None,
        protocol: parts.protocol,
        last_completed_generation: -1,
        rejoin: Some("worker starts".to_owned()),
        scheduled: None,
        last_round: Instant::now(),
        next_beat: Instant::now(),
        sync_tries_left: SYNC_TRIES,
        parts,
    };
    let (stop, ended) = (handle.stop.clone(), handle.ended.clone());
    // Ends when told to stop, or when nobody takes its events; `MembershipHandle::leave` waits for it.
    drop(tokio::spawn(async move {
        let _guard = ended.drop_guard();
        membership.run(stop).await;
    }));
    (handle, receiver)
}

/// Nobody takes events any more.
struct Abandoned;

struct Membership {
    parts: MembershipParts,
    member: GroupMember,
    leader: Leader,
    metrics: GroupMetrics,
    shared: Arc<Shared>,
    events: mpsc::Sender<GroupEvent>,
    /// The last assignment, with all that the worker owns by it.
    held: Option<Assignment>,
    /// What the group last had in common.
    protocol: ConnectProtocol,
    last_completed_generation: i32,
    /// Why the member has to join again.
    rejoin: Option<String>,
    /// When it has to in any case.
    scheduled: Option<Instant>,
    /// When the member last joined.
    last_round: Instant,
    next_beat: Instant,
    sync_tries_left: u32,
}

impl Membership {
    async fn run(mut self, stop: CancellationToken) {
        let live = async {
            loop {
                let turn = match self.rejoin.take() {
                    Some(reason) => self.rebalance(&reason).await,
                    None => self.stay().await,
                };
                if turn.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            // Whatever was under way is given up: the coordinator forgets it when the member leaves.
            () = stop.cancelled() => {}
            () = live => {}
        }
        *self.shared.view.lock() = Default::default();
        if tokio::time::timeout(LEAVE_TIMEOUT, self.member.leave("worker is stopping"))
            .await
            .is_err()
        {
            tracing::warn!("group coordinator does not answer, the session will time out");
        }
    }

    /// Waits for the next thing to do between rounds, and heartbeats.
    async fn stay(&mut self) -> Result<(), Abandoned> {
        let request = self.shared.request.lock().take();
        if let Some(request) = request {
            return self.heed(request).await;
        }
        let scheduled = self.scheduled;
        tokio::select! {
            biased;
            () = self.events.closed() => return Err(Abandoned),
            () = self.shared.has_request.notified() => {}
            () = due(scheduled) => self.rejoin = Some("scheduled rebalance delay is over".to_owned()),
            () = sleep_until(self.next_beat) => self.beat().await?,
        }
        Ok(())
    }

    async fn heed(&mut self, request: RejoinRequest) -> Result<(), Abandoned> {
        match &self.held {
            Some(held) if held.error == AssignmentError::None && held.config_offset >= request.config_offset => {
                tracing::debug!(
                    reason = request.reason,
                    "the last round was made for these configs already"
                );
                self.announce().await
            }
            _ => {
                self.rejoin = Some(request.reason);
                Ok(())
            }
        }
    }

    /// One heartbeat, and what its answer asks for.
    async fn beat(&mut self) -> Result<(), Abandoned> {
        self.next_beat = Instant::now() + self.beat_interval();
        let began_ms = self.metrics.now_ms();
        let beat = self.member.heartbeat().await;
        if beat.is_ok() {
            self.metrics.heartbeat(began_ms);
        }
        match beat {
            Ok(Beat::Ok) => Ok(()),
            Ok(Beat::Rebalance) => {
                self.rejoin = Some("group is rebalancing".to_owned());
                Ok(())
            }
            Ok(Beat::Rejoin) => {
                self.step_down();
                self.rejoin = Some("group has gone on without this worker".to_owned());
                Ok(())
            }
            Err(error) => self.find_coordinator_again(&error).await,
        }
    }

    /// Looks for the coordinator for one heartbeat interval; then the group may have given this worker's work away.
    async fn find_coordinator_again(&mut self, error: &ClientError) -> Result<(), Abandoned> {
        tracing::info!(group = self.parts.settings.group_id, %error, "group coordinator lost, looking for it");
        let limit = self.parts.settings.heartbeat_interval;
        let mut pause = self.pauses();
        let search = async {
            while self.member.connect().await.is_err() {
                pause.wait().await;
            }
        };
        if tokio::time::timeout(limit, search).await.is_ok() {
            // The next heartbeat tells whether the member still counts.
            self.next_beat = Instant::now();
            return Ok(());
        }
        self.give_up_work(RevokeReason::CoordinatorLost).await?;
        self.rejoin = Some("group coordinator was lost".to_owned());
        Ok(())
    }

    /// One whole round: what must stop stops, everybody joins, the leader assigns, the herder hears of it.
    async fn rebalance(&mut self, reason: &str) -> Result<(), Abandoned> {
        tracing::info!(group = self.parts.settings.group_id, reason, "rebalance started");
        self.metrics.rebalance_began();
        self.show_rebalancing();
        self.scheduled = None;
        if self.protocol == ConnectProtocol::Eager
            && let Some(held) = &self.held
            && held.error == AssignmentError::None
        {
            let all = held.work();
            self.revoke(RevokeReason::EagerRebalance, all).await?;
        }
        self.member.set_join_reason(reason);
        let (joined, bytes) = self.join_until_assigned().await?;
        match Assignment::decode(&bytes) {
            Ok(assignment) => self.complete(&joined, assignment).await,
            Err(why) => {
                tracing::error!(reason = why, "assignment cannot be read, joining again");
                self.pauses().wait().await;
                self.rejoin = Some("assignment could not be read".to_owned());
                Ok(())
            }
        }
    }

    /// Joins and syncs, again and again until it succeeds.
    async fn join_until_assigned(&mut self) -> Result<(Joined, Vec<u8>), Abandoned> {
        let mut pause = self.pauses();
        let mut refused_since = None;
        let mut told: Option<Instant> = None;
        loop {
            let error = match self.join_once().await {
                Ok(done) => {
                    // Heartbeats on the way here asked for the very same.
                    self.rejoin = None;
                    return Ok(done);
                }
                Err(error) => error,
            };
            self.metrics.join_failed();
            if GroupMember::is_overtaken(&error) {
                tracing::info!(%error, "round was overtaken by another, joining again");
                refused_since = None;
                continue;
            }
            if GroupMember::may_join_again(&error) {
                tracing::info!(%error, "group could not be joined, trying again");
            } else if self.last_completed_generation < 0 {
                let reason = self.refusal(&error).await;
                self.tell(GroupEvent::Refused { reason }).await?;
                return Err(Abandoned);
            } else if told.is_none_or(|told| told.elapsed() >= REFUSAL_TOLD) {
                tracing::error!(%error, "group refuses this worker, trying again");
                told = Some(Instant::now());
            }
            if refused_since.get_or_insert_with(Instant::now).elapsed() >= self.parts.settings.heartbeat_interval {
                self.give_up_work(RevokeReason::CoordinatorLost).await?;
            }
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(Abandoned),
                () = pause.wait() => {}
            }
        }
    }

    /// What was refused, and the setting to look at.
    async fn refusal(&mut self, error: &ClientError) -> String {
        let settings = &self.parts.settings;
        let advice = match error.code() {
            Some(KafkaError::INVALID_SESSION_TIMEOUT) => {
                let ours = settings.session_timeout.as_millis();
                let allowed = match self.member.session_limits().await {
                    Some((min, max)) => format!("{min} to {max}"),
                    None => "another range".to_owned(),
                };
                format!(
                    "session.timeout.ms is {ours}, the broker allows {allowed} \
                     (its group.min.session.timeout.ms and group.max.session.timeout.ms)"
                )
            }
            Some(KafkaError::INCONSISTENT_GROUP_PROTOCOL) => format!(
                "other members of group.id={} are no Connect workers, or have another connect.protocol",
                settings.group_id
            ),
            Some(KafkaError::GROUP_AUTHORIZATION_FAILED) => {
                format!(
                    "the worker's user needs the right to read group.id={}",
                    settings.group_id
                )
            }
            Some(KafkaError::INVALID_GROUP_ID) => format!("group.id={} is no name of a group", settings.group_id),
            Some(KafkaError::GROUP_MAX_SIZE_REACHED) => {
                "the group has as many members as the broker's group.max.size allows".to_owned()
            }
            _ => return format!("the group refuses this worker: {error}"),
        };
        format!("the group refuses this worker: {error}; {advice}")
    }

    async fn join_once(&mut self) -> Result<(Joined, Vec<u8>), ClientError> {
        // Requests made from now on ask for another round: this one's configs are read here.
        let state = WorkerState {
            url: self.parts.url.clone(),
            config_offset: self.parts.configs.offset(),
            allocation: self.held.clone(),
        };
        let offered = self.parts.protocol.offered().iter();
        let protocols: Vec<(String, Vec<u8>)> = offered
            .map(|protocol| (protocol.name().to_owned(), state.encode(*protocol).to_vec()))
            .collect();
        self.metrics.join_tried();
        let began_ms = self.metrics.now_ms();
        let joined = self.member.join(&protocols).await?;
        self.metrics.joined(began_ms);
        self.last_round = Instant::now();
        self.next_beat = Instant::now() + self.beat_interval();
        let mut assignments = Vec::new();
        let mut owners = None;
        if joined.is_leader() {
            let members = Members::read(&joined);
            self.read_up_to(members.config_offset()).await;
            let times = Times {
                last_completed_generation: self.last_completed_generation,
                now_ms: self.parts.clock.now_ms(),
            };
            let configs = self.parts.configs.snapshot();
            let decision = self
                .leader
                .decide(&joined, self.chosen(&joined), &members, &configs, times);
            assignments = decision.assignments;
            owners = decision.owners;
        }
        let began_ms = self.metrics.now_ms();
        let bytes = self.member.sync(&joined, assignments).await?;
        self.metrics.synced(began_ms);
        let mut view = self.shared.view.lock();
        view.is_leader = joined.is_leader();
        view.owners = owners;
        drop(view);
        Ok((joined, bytes))
    }

    /// The leader reads what a member has read already; should that fail, the round says so.
    async fn read_up_to(&mut self, offset: i64) {
        if self.parts.configs.offset() < offset
            && let Err(error) = self.parts.configs.refresh(self.parts.sync_timeout).await
        {
            tracing::warn!(%error, "leader could not read the latest configs");
        }
    }

    fn chosen(&self, joined: &Joined) -> ConnectProtocol {
        ConnectProtocol::from_name(&joined.protocol).unwrap_or(self.parts.protocol)
    }

    /// Makes an assignment this worker's own.
    async fn complete(&mut self, joined: &Joined, mut assignment: Assignment) -> Result<(), Abandoned> {
        self.protocol = self.chosen(joined);
        let revoked = assignment.revoked();
        if self.protocol != ConnectProtocol::Eager {
            if !revoked.is_empty() {
                self.revoke(RevokeReason::Assignment, revoked.clone()).await?;
            }
            if let Some(held) = &self.held {
                let mut kept = held.work();
                kept.remove(&revoked);
                assignment.connectors.extend(kept.connectors);
                assignment.tasks.extend(kept.tasks);
            }
        }
        assignment.revoked_connectors.clear();
        assignment.revoked_tasks.clear();
        let delay = Duration::from_millis(u64::try_from(assignment.delay_ms).unwrap_or(0));
        self.scheduled = (!delay.is_zero()).then(|| Instant::now() + delay);
        self.last_completed_generation = joined.generation;
        tracing::info!(
            group = self.parts.settings.group_id,
            generation = joined.generation,
            protocol = joined.protocol,
            leader = joined.is_leader(),
            connectors = assignment.connectors.len(),
            tasks = assignment.tasks.len(),
            revoked_connectors = revoked.connectors.len(),
            revoked_tasks = revoked.tasks.len(),
            delay_ms = assignment.delay_ms,
            config_offset = assignment.config_offset,
            "joined group"
        );
        let (has_failed, offset) = (assignment.error != AssignmentError::None, assignment.config_offset);
        self.held = Some(assignment);
        if (has_failed || self.parts.configs.offset() < offset) && !self.catch_up(offset, joined.is_leader()).await? {
            return Ok(());
        }
        if self.parts.configs.offset() < offset {
            // The topic is shorter than a member said. Should that last, the group goes round, at this pace.
            let mut pause = self.pauses();
            self.beating(async move { pause.wait().await }).await?;
            self.rejoin = Some("config topic ends before the assignment's offset".to_owned());
            return Ok(());
        }
        if has_failed {
            self.rejoin = Some("assignment had failed, configs have been read now".to_owned());
            return Ok(());
        }
        self.show_assigned(joined);
        self.announce().await?;
        if !revoked.is_empty() {
            self.rejoin = Some("work was revoked, it can be given to others now".to_owned());
        }
        Ok(())
    }

    /// Reads the config topic to its end. When that takes too long, leaves the group so that it need not wait, and tries on until the
    /// topic can be read; answers whether the member is still in its round.
    async fn catch_up(&mut self, offset: i64, is_leader: bool) -> Result<bool, Abandoned> {
        if !is_leader && self.parts.configs.offset() >= offset {
            return Ok(true);
        }
        tracing::info!(
            config_offset = self.parts.configs.offset(),
            assignment_offset = offset,
            "reading to the end of the config topic"
        );
        let mut is_member = true;
        loop {
            let (configs, timeout) = (self.parts.configs.clone(), self.parts.sync_timeout);
            let read = match is_member {
                true => self.beating(configs.refresh(timeout)).await?,
                false => configs.refresh(timeout).await,
            };
            let Err(error) = read else {
                self.sync_tries_left = SYNC_TRIES;
                if !is_member {
                    self.rejoin = Some("config topic can be read again".to_owned());
                }
                return Ok(is_member);
            };
            tracing::warn!(%error, "end of the config topic was not reached in time, leaving the group for a while");
            if is_member {
                self.step_down();
                self.member.leave("taking too long to read the log").await;
                is_member = false;
            }
            self.back_off_reading().await?;
        }
    }

    /// Waits longer each time; after the last time, gives up the work that this worker kept.
    async fn back_off_reading(&mut self) -> Result<(), Abandoned> {
        let wait = if self.protocol == ConnectProtocol::Eager {
            self.parts.unsync_backoff
        } else if let Some(part_ms) =
            (self.parts.max_delay_ms.max(0).unsigned_abs() / 10).checked_div(self.sync_tries_left)
        {
            self.sync_tries_left -= 1;
            Duration::from_millis(u64::from(part_ms))
        } else {
            self.sync_tries_left = SYNC_TRIES;
            return self.give_up_work(RevokeReason::ConfigsUnreadable).await;
        };
        tokio::select! {
            biased;
            () = self.events.closed() => Err(Abandoned),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Tells the herder all that this worker owns.
    async fn announce(&mut self) -> Result<(), Abandoned> {
        let Some(held) = &self.held else { return Ok(()) };
        let event = GroupEvent::Assigned {
            generation: self.last_completed_generation,
            leader: held.leader == self.member.member_id(),
            leader_url: held.leader_url.clone(),
            protocol: self.protocol,
            config_offset: held.config_offset,
            owned_connectors: held.connectors.clone(),
            owned_tasks: held.tasks.clone(),
        };
        let (connectors, tasks) = (held.connectors.len(), held.tasks.len());
        self.tell(event).await?;
        self.metrics.rebalance_completed(connectors, tasks);
        Ok(())
    }

    async fn tell(&mut self, event: GroupEvent) -> Result<(), Abandoned> {
        let events = self.events.clone();
        let sending = async move { events.send(event).await.map_err(|_| Abandoned) };
        self.beating(sending).await?
    }

    /// Has the herder stop work, and waits until it has.
    async fn revoke(&mut self, reason: RevokeReason, work: Work) -> Result<(), Abandoned> {
        tracing::info!(
            ?reason,
            connectors = work.connectors.len(),
            tasks = work.tasks.len(),
            "revoking work"
        );
        let (done, stopped) = oneshot::channel();
        self.tell(GroupEvent::Revoked {
            reason,
            connectors: work.connectors,
            tasks: work.tasks,
            done,
        })
        .await?;
        // A herder that drops the sender has nothing running any more.
        self.beating(stopped).await?.ok();
        Ok(())
    }

    async fn give_up_work(&mut self, reason: RevokeReason) -> Result<(), Abandoned> {
        self.step_down();
        self.metrics.gave_up();
        match self.held.take() {
            Some(held) if !held.work().is_empty() => self.revoke(reason, held.work()).await,
            _ => Ok(()),
        }
    }

    /// Waits for something, and heartbeats meanwhile where the member is in a generation. What the answers ask for waits.
    async fn beating<T>(&mut self, something: impl Future<Output = T>) -> Result<T, Abandoned> {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                biased;
                outcome = &mut something => return Ok(outcome),
                () = self.events.closed() => return Err(Abandoned),
                () = sleep_until(self.next_beat) => {}
            }
            self.next_beat = Instant::now() + self.beat_interval();
            if self.member.generation() < 0 {
                continue;
            }
            let began_ms = self.metrics.now_ms();
            let beat = tokio::select! {
                biased;
                outcome = &mut something => return Ok(outcome),
                beat = self.member.heartbeat() => beat,
            };
            if beat.is_ok() {
                self.metrics.heartbeat(began_ms);
            }
            match beat {
                Ok(Beat::Ok) => {}
                Ok(Beat::Rebalance) => self.rejoin = Some("group is rebalancing".to_owned()),
                Ok(Beat::Rejoin) => self.rejoin = Some("group has gone on without this worker".to_owned()),
                Err(error) => tracing::debug!(%error, "heartbeat failed"),
            }
        }
    }

    fn beat_interval(&self) -> Duration {
        let beat = match self.last_round.elapsed() < AFTER_ROUND {
            true => BEAT_AFTER_ROUND,
            false => BEAT,
        };
        beat.min(self.parts.settings.heartbeat_interval)
    }

    fn pauses(&self) -> Pauses {
        Pauses {
            next: self.parts.wire.retry_backoff,
            max: self.parts.wire.retry_backoff_max,
        }
    }

    fn show_rebalancing(&self) {
        let mut view = self.shared.view.lock();
        view.is_rebalancing = true;
        view.owners = None;
    }

    fn show_assigned(&self, joined: &Joined) {
        let mut view = self.shared.view.lock();
        view.is_rebalancing = false;
        view.generation = joined.generation;
        view.member_id.clone_from(&joined.member_id);
        view.protocol = Some(self.protocol);
        view.leader_url = self.held.as_ref().map(|held| held.leader_url.clone());
    }

    /// This worker no longer counts in the group: whatever it led or knew of it is over.
    fn step_down(&self) {
        let mut view = self.shared.view.lock();
        view.is_rebalancing = true;
        view.is_leader = false;
        view.generation = -1;
        view.owners = None;
    }
}

/// Growing waits between attempts.
struct Pauses {
    next: Duration,
    max: Duration,
}

impl Pauses {
    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.max.max(self.next));
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
