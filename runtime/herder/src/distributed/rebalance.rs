//! Rebalances as the herder acts on them
//!
//! Configs that are new, gone or have other tasks make the group rebalance; the outcome is what to stop and what to start. Work that
//! stays is never touched. Source: `DistributedHerder.RebalanceListener` and its handling of config updates (KIP-415).

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;
use weir_metrics::clock::Clock;
use weir_stores::configs::state::ConfigEvent;
use weir_stores::error::StoreError;

use crate::distributed::assignment::{by_connector, difference, of_connector};
use crate::distributed::forward::InternalClient;
use crate::distributed::gate::Gate;
use crate::distributed::member::{GroupParts, Member};
use crate::distributed::waiting::Waiting;
use crate::error::RunError;
use crate::group::membership::{self, GroupEvent, MembershipParts};
use crate::group::work::Work;
use crate::herder::{Ended, Herder};
use crate::lane::Step;

impl Herder {
    /// Starts the membership; the first round follows as an event.
    pub(crate) fn join_group(&mut self, parts: GroupParts) -> Result<(), StoreError> {
        self.stage
            .begin("ensuring membership in the cluster", SystemTime::now());
        let configs = self.configs.reader()?;
        let group_id = parts.settings.group_id.clone();
        let (handle, events) = membership::start(MembershipParts {
            wire: parts.wire.clone(),
            settings: parts.settings,
            protocol: parts.protocol,
            url: parts.url,
            max_delay_ms: parts.max_delay_ms,
            sync_timeout: parts.sync_timeout,
            unsync_backoff: parts.unsync_backoff,
            configs: configs.clone(),
            clock: Clock::System,
            metrics: self.worker.metrics().clone(),
        });
        let internal = InternalClient::new(parts.http, parts.keys.clone(), configs.clone(), handle.clone());
        self.worker.guard_sources(Arc::new(Gate {
            herder: self.handle.clone(),
            internal: internal.clone(),
            configs: configs.clone(),
            owned: self.owned.clone(),
            sync_timeout: parts.sync_timeout,
        }));
        self.group_events = events;
        self.member = Some(Member {
            known: configs.snapshot().connectors.keys().cloned().collect(),
            handle,
            internal,
            configs,
            keys: parts.keys,
            clock: Clock::System,
            wire: parts.wire,
            group_id,
            generation: -1,
            is_leader: false,
            has_claimed: false,
            started: Work::default(),
            waiting: Waiting::default(),
            fencings: Default::default(),
            key_due: None,
        });
        Ok(())
    }

    /// Acts on what the group decided.
    ///
    /// *Errors*: it does not take this worker.
    pub(crate) async fn on_group_event(&mut self, event: GroupEvent) -> Result<(), RunError> {
        match event {
            GroupEvent::Revoked {
                connectors,
                tasks,
                done,
                ..
            } => self.on_revoked(Work { connectors, tasks }, done),
            GroupEvent::Assigned {
                generation,
                leader,
                owned_connectors,
                owned_tasks,
                ..
            } => {
                let owned = Work {
                    connectors: owned_connectors,
                    tasks: owned_tasks,
                };
                self.on_assigned(generation, leader, owned).await;
            }
            GroupEvent::Refused { reason } => return Err(RunError::Refused(reason)),
        }
        Ok(())
    }

    /// Stops work that may be another's soon; `done` once its last statuses are written.
    fn on_revoked(&mut self, work: Work, done: oneshot::Sender<()>) {
        self.owned.remove(&work);
        let stopped = self.release(&work);
        self.steps.spawn(async move {
            for part in stopped {
                // A step that ended abnormally has nothing running any more either.
                let _ended = part.await;
            }
            Ended::Released(done)
        });
    }

    /// Queues the stop of work behind what its connectors are doing; a connector's start is not waited for.
    fn release(&mut self, work: &Work) -> Vec<oneshot::Receiver<Result<(), crate::error::HerderError>>> {
        if let Some(member) = &mut self.member {
            member.started.remove(work);
        }
        let mut stopped = Vec::new();
        for (name, part) in by_connector(work) {
            let (reply, ended) = oneshot::channel();
            self.lanes.entry(name.clone()).or_default().push_release(part, reply);
            self.advance(&name);
            stopped.push(ended);
        }
        stopped
    }

    async fn on_assigned(&mut self, generation: i32, leader: bool, owned: Work) {
        self.generation = generation;
        let Some(member) = &mut self.member else { return };
        member.generation = generation;
        let (new, gone) = (difference(&owned, &member.started), difference(&member.started, &owned));
        member.started = owned.clone();
        self.owned.set(owned);
        // The group revokes before it gives; this is for a share that was lost without a word.
        drop(self.release(&gone));
        for (name, part) in by_connector(&new) {
            if !part.tasks.is_empty() {
                self.push(&name, Step::StartTasks(part.tasks), None);
            }
            if part.connector {
                self.push(&name, Step::StartConnector, None);
            }
        }
        self.lead_or_follow(leader).await;
        self.stage.end(SystemTime::now());
        self.handle.set_ready();
        self.serve_waiting().await;
    }

    /// Requests that waited for the group are served now, unless it is rebalancing again.
    async fn serve_waiting(&mut self) {
        let Some(member) = &mut self.member else { return };
        if !member.is_settled() {
            return;
        }
        for request in member.waiting.take() {
            self.on_request(request).await;
        }
    }

    /// A change of configs, as far as it is this worker's business.
    pub(crate) fn on_member_config_event(&mut self, event: ConfigEvent) {
        match event {
            ConfigEvent::ConnectorUpdated(name) => self.on_connector_updated(&name),
            ConfigEvent::ConnectorRemoved(name) => {
                if let Some(member) = &mut self.member {
                    member.known.remove(&name);
                }
                self.stop_until_rebalanced(&name, |_| true);
                self.request_rejoin("connector was removed");
            }
            ConfigEvent::TasksUpdated(name) => {
                self.abort_fencing(&name);
                self.stop_until_rebalanced(&name, |is_connector| !is_connector);
                self.request_rejoin("task configs have changed");
            }
            ConfigEvent::TargetStateChanged(name) => {
                if self.owned.has_part_of(&name) {
                    self.interrupt(&name);
                    self.push(&name, Step::ApplyState, None);
                }
            }
            ConfigEvent::Restart(request) => {
                if self.owned.has_part_of(&request.connector) {
                    self.on_restart_record(&request);
                }
            }
            ConfigEvent::Logger { namespace, level } => self.loggers.set_from_cluster(&namespace, &level),
        }
    }

    fn on_connector_updated(&mut self, name: &str) {
        let Some(member) = &mut self.member else { return };
        if member.known.insert(name.to_owned()) {
            self.request_rejoin("connector is new");
        } else if self.owned.has_connector(name) {
            self.interrupt(name);
            self.push(name, Step::StartConnector, None);
        }
    }

    /// Stops parts of a connector that the next round starts again where they are still asked for.
    fn stop_until_rebalanced(&mut self, name: &str, is_meant: impl Fn(bool) -> bool) {
        let Some(member) = &self.member else { return };
        let mut work = of_connector(&member.started, name);
        if !is_meant(true) {
            work.connectors.clear();
        }
        if !is_meant(false) {
            work.tasks.clear();
        }
        drop(self.release(&work));
    }

    pub(crate) fn request_rejoin(&self, reason: &str) {
        if let Some(member) = &self.member {
            member.handle.request_rejoin(reason);
        }
    }

    /// The session key is due, or a request has waited long enough.
    pub(crate) async fn on_deadline(&mut self) {
        let now = tokio::time::Instant::now();
        let Some(member) = &mut self.member else { return };
        member.waiting.refuse_until(now);
        if member.key_due.is_some_and(|due| due <= now) {
            self.renew_session_key().await;
        }
    }
}
