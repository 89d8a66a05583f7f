//! What a worker measures about its group
//!
//! Two of Kafka Connect's groups: the rebalances as the worker sees them, and the requests of its membership. Written by
//! the membership task once a request or round. Source: `DistributedHerder.HerderMetrics`, `AbstractCoordinator`,
//! `WorkerCoordinator`. DIVERGES: the time of a rebalance lasts from the decision to join until the herder has its share;
//! Java's begins with the assignment.

use std::sync::Arc;

use weir_metrics::group::{GroupDef, Kind, MetricDef};
use weir_metrics::registry::{Figure, Gauge, Group, MetricRegistry};
use weir_metrics::sensor::Sensor;

use crate::group::protocol::ConnectProtocol;
use crate::group::view::Shared;

const fn row(name: &'static str, kind: Kind, doc: &'static str) -> MetricDef {
    MetricDef { name, kind, doc }
}

/// Rebalances as the worker sees them.
#[rustfmt::skip]
pub static REBALANCE: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connect-worker-rebalance-metrics",
    tags: &[],
    metrics: &[
        row("connect-protocol", Kind::Text, "Protocol of the group: EAGER, COMPATIBLE or SESSIONED."),
        row("leader-name", Kind::Text, "URL of the leader; empty outside the group."),
        row("epoch", Kind::Gauge, "Generation of the group; -1 outside it."),
        row("completed-rebalances-total", Kind::Counter, "Rebalances that this worker completed."),
        row("rebalancing", Kind::Gauge, "1 while the worker rebalances, else 0."),
        row("rebalance-max-time-ms", Kind::Gauge, "Longest rebalance, milliseconds."),
        row("rebalance-avg-time-ms", Kind::Gauge, "Average rebalance, milliseconds."),
        row("time-since-last-rebalance-ms", Kind::Gauge, "Time since the last completed rebalance, milliseconds; +Inf before the first."),
    ],
};

/// Requests of the membership.
#[rustfmt::skip]
pub static COORDINATOR: GroupDef = GroupDef {
    domain: "kafka.connect",
    group: "connect-coordinator-metrics",
    tags: &["client-id"],
    metrics: &[
        row("assigned-connectors", Kind::Gauge, "Connectors assigned to this worker."),
        row("assigned-tasks", Kind::Gauge, "Tasks assigned to this worker."),
        row("heartbeat-rate", Kind::Gauge, "Heartbeats answered, a second."),
        row("heartbeat-total", Kind::Counter, "Heartbeats answered."),
        row("heartbeat-response-time-max", Kind::Gauge, "Longest wait for the answer to a heartbeat, milliseconds."),
        row("last-heartbeat-seconds-ago", Kind::Gauge, "Time since the last answered heartbeat, seconds; -1 before the first."),
        row("join-rate", Kind::Gauge, "Joins of the group, a second."),
        row("join-total", Kind::Counter, "Joins of the group."),
        row("join-time-avg", Kind::Gauge, "Average join, milliseconds."),
        row("join-time-max", Kind::Gauge, "Longest join, milliseconds."),
        row("sync-rate", Kind::Gauge, "Assignments taken from the group, a second."),
        row("sync-total", Kind::Counter, "Assignments taken from the group."),
        row("sync-time-avg", Kind::Gauge, "Average wait for an assignment, milliseconds."),
        row("sync-time-max", Kind::Gauge, "Longest wait for an assignment, milliseconds."),
        row("rebalance-latency-avg", Kind::Gauge, "Average time from the first join to the assignment, failed tries included, milliseconds."),
        row("rebalance-latency-max", Kind::Gauge, "Longest time from the first join to the assignment, failed tries included, milliseconds."),
        row("rebalance-latency-total", Kind::Counter, "All time from first joins to assignments, milliseconds."),
        row("rebalance-total", Kind::Counter, "Rounds of the group that ended with an assignment."),
        row("rebalance-rate-per-hour", Kind::Gauge, "Rounds of the group that ended with an assignment, an hour."),
        row("failed-rebalance-total", Kind::Counter, "Tries to join that failed."),
        row("failed-rebalance-rate-per-hour", Kind::Gauge, "Tries to join that failed, an hour."),
        row("last-rebalance-seconds-ago", Kind::Gauge, "Time since the last round that ended with an assignment, seconds; -1 before the first."),
    ],
};

/// Both groups, for the reference page.
pub static ALL: [&GroupDef; 2] = [&REBALANCE, &COORDINATOR];

/// A moment that is shown as the time since.
#[derive(Debug, Clone)]
struct Moment(Gauge);

impl Moment {
    fn shown(group: &Group, registry: &MetricRegistry, name: &'static str, unit_ms: f64, never: f64) -> Self {
        let at = Gauge::default();
        at.set(f64::NAN);
        let (shown, registry) = (at.clone(), registry.clone());
        group.number(name, move || match shown.get() {
            at if at.is_nan() => never,
            at => ((registry.now_ms() as f64 - at) / unit_ms).floor(),
        });
        Self(at)
    }

    fn is_at(&self, now_ms: i64) {
        self.0.set(now_ms as f64);
    }
}

/// Shown until dropped.
#[derive(Debug)]
pub(super) struct GroupMetrics {
    registry: MetricRegistry,
    _groups: [Group; 2],
    completed: Sensor,
    spent: Sensor,
    completed_at: Moment,
    connectors: Gauge,
    tasks: Gauge,
    heartbeats: Sensor,
    heartbeat_time: Sensor,
    heartbeat_at: Moment,
    joins: Sensor,
    join_time: Sensor,
    syncs: Sensor,
    sync_time: Sensor,
    rounds: Sensor,
    latency: Sensor,
    failures: Sensor,
    round_at: Moment,
    /// When the worker decided to join, and when the member first tried; none between rounds.
    began_ms: Option<i64>,
    tried_ms: Option<i64>,
}

impl GroupMetrics {
    /// Shows a membership that has not joined yet; `configured` is shown as the protocol until the group has one.
    pub(super) fn new(
        registry: &MetricRegistry,
        client_id: &str,
        configured: ConnectProtocol,
        shared: &Arc<Shared>,
    ) -> Self {
        let rebalance = registry.group(&REBALANCE, &[]);
        let (protocol, leader, epoch, busy) = (shared.clone(), shared.clone(), shared.clone(), shared.clone());
        rebalance.text("connect-protocol", move || {
            let protocol = protocol.view.lock().protocol.unwrap_or(configured);
            format!("{protocol:?}").to_ascii_uppercase()
        });
        rebalance.text("leader-name", move || {
            leader.view.lock().leader_url.clone().unwrap_or_default()
        });
        rebalance.number("epoch", move || f64::from(epoch.view.lock().generation));
        rebalance.number("rebalancing", move || {
            f64::from(u8::from(busy.view.lock().is_rebalancing))
        });
        let group = registry.group(&COORDINATOR, &[client_id]);
        let figures = |group: &Group, shown: &[(&'static str, Figure)]| group.sensor(shown);
        Self {
            completed: figures(&rebalance, &[("completed-rebalances-total", Figure::Total)]),
            spent: figures(
                &rebalance,
                &[
                    ("rebalance-max-time-ms", Figure::Max),
                    ("rebalance-avg-time-ms", Figure::Avg),
                ],
            ),
            completed_at: Moment::shown(&rebalance, registry, "time-since-last-rebalance-ms", 1.0, f64::INFINITY),
            connectors: group.gauge("assigned-connectors"),
            tasks: group.gauge("assigned-tasks"),
            heartbeats: figures(
                &group,
                &[("heartbeat-rate", Figure::Rate), ("heartbeat-total", Figure::Total)],
            ),
            heartbeat_time: figures(&group, &[("heartbeat-response-time-max", Figure::Max)]),
            heartbeat_at: Moment::shown(&group, registry, "last-heartbeat-seconds-ago", 1000.0, -1.0),
            joins: figures(&group, &[("join-rate", Figure::Rate), ("join-total", Figure::Total)]),
            join_time: figures(
                &group,
                &[("join-time-avg", Figure::Avg), ("join-time-max", Figure::Max)],
            ),
            syncs: figures(&group, &[("sync-rate", Figure::Rate), ("sync-total", Figure::Total)]),
            sync_time: figures(
                &group,
                &[("sync-time-avg", Figure::Avg), ("sync-time-max", Figure::Max)],
            ),
            rounds: figures(
                &group,
                &[
                    ("rebalance-total", Figure::Total),
                    ("rebalance-rate-per-hour", Figure::RatePerHour),
                ],
            ),
            latency: figures(
                &group,
                &[
                    ("rebalance-latency-avg", Figure::Avg),
                    ("rebalance-latency-max", Figure::Max),
                    ("rebalance-latency-total", Figure::Total),
                ],
            ),
            failures: figures(
                &group,
                &[
                    ("failed-rebalance-total", Figure::Total),
                    ("failed-rebalance-rate-per-hour", Figure::RatePerHour),
                ],
            ),
            round_at: Moment::shown(&group, registry, "last-rebalance-seconds-ago", 1000.0, -1.0),
            began_ms: None,
            tried_ms: None,
            registry: registry.clone(),
            _groups: [rebalance, group],
        }
    }

    /// Milliseconds since 1970, to be given back where something ends.
    pub(super) fn now_ms(&self) -> i64 {
        self.registry.now_ms()
    }

    /// A rebalance begins; one that is tried again goes on.
    pub(super) fn rebalance_began(&mut self) {
        self.began_ms.get_or_insert(self.registry.now_ms());
    }

    /// The herder has its share.
    pub(super) fn rebalance_completed(&mut self, connectors: usize, tasks: usize) {
        let now_ms = self.registry.now_ms();
        self.connectors.set(connectors as f64);
        self.tasks.set(tasks as f64);
        if let Some(began_ms) = self.began_ms.take() {
            self.completed.record(1.0, now_ms);
            self.spent.record((now_ms - began_ms) as f64, now_ms);
            self.completed_at.is_at(now_ms);
        }
    }

    /// The worker gave up its share.
    pub(super) fn gave_up(&self) {
        self.connectors.set(0.0);
        self.tasks.set(0.0);
    }

    /// A heartbeat that began then was answered.
    pub(super) fn heartbeat(&self, began_ms: i64) {
        let now_ms = self.registry.now_ms();
        self.heartbeats.record(1.0, now_ms);
        self.heartbeat_time.record((now_ms - began_ms) as f64, now_ms);
        self.heartbeat_at.is_at(now_ms);
    }

    /// The member tries to join.
    pub(super) fn join_tried(&mut self) {
        self.tried_ms.get_or_insert(self.registry.now_ms());
    }

    /// A join that began then was answered.
    pub(super) fn joined(&self, began_ms: i64) {
        let now_ms = self.registry.now_ms();
        self.joins.record(1.0, now_ms);
        self.join_time.record((now_ms - began_ms) as f64, now_ms);
    }

    /// An assignment asked for then came.
    pub(super) fn synced(&mut self, began_ms: i64) {
        let now_ms = self.registry.now_ms();
        self.syncs.record(1.0, now_ms);
        self.sync_time.record((now_ms - began_ms) as f64, now_ms);
        self.rounds.record(1.0, now_ms);
        let tried_ms = self.tried_ms.take().unwrap_or(now_ms);
        self.latency.record((now_ms - tried_ms) as f64, now_ms);
        self.round_at.is_at(now_ms);
    }

    /// A try to join failed.
    pub(super) fn join_failed(&self) {
        self.failures.record(1.0, self.registry.now_ms());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use weir_metrics::clock::Clock;
    use weir_metrics::sensor::Windows;

    use super::*;

    #[test]
    fn a_round_is_measured_from_its_first_try() {
        let (clock, hand) = Clock::manual(0);
        let registry = MetricRegistry::new(Windows::default(), clock);
        let shared = Arc::<Shared>::default();
        let mut metrics = GroupMetrics::new(&registry, "connect-1", ConnectProtocol::Sessioned, &shared);
        let shown = |name: &str| {
            let name = format!("kafka_connect_connect_{name}");
            let text = registry.render();
            let line = text.lines().find(|line| line.starts_with(&name));
            line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
        };
        let worker = |name: &str| shown(&format!("worker_rebalance_metrics_{name}"));
        let coordinator = |name: &str| shown(&format!("coordinator_metrics_{name}{{client_id=\"connect-1\"}}"));
        assert_eq!(worker("time_since_last_rebalance_ms").as_deref(), Some("+Inf"));
        assert_eq!(coordinator("last_rebalance_seconds_ago").as_deref(), Some("-1"));
        metrics.rebalance_began();
        metrics.join_tried();
        metrics.join_failed();
        hand.store(100, Ordering::SeqCst);
        metrics.rebalance_began();
        metrics.join_tried();
        metrics.joined(metrics.now_ms() - 40);
        metrics.synced(metrics.now_ms() - 5);
        hand.store(120, Ordering::SeqCst);
        metrics.rebalance_completed(2, 7);
        // Announced once more: no further rebalance.
        metrics.rebalance_completed(2, 7);
        shared.view.lock().generation = 3;
        hand.store(2_400, Ordering::SeqCst);
        for (name, value) in [
            ("completed_rebalances_total", "1"),
            ("rebalance_max_time_ms", "120"),
            ("time_since_last_rebalance_ms", "2280"),
            ("epoch", "3"),
            ("rebalancing", "1"),
            ("connect_protocol{value=\"SESSIONED\"}", "1"),
        ] {
            assert_eq!(worker(name).as_deref(), Some(value), "{name}");
        }
        for (name, value) in [
            ("assigned_tasks", "7"),
            ("failed_rebalance_total", "1"),
            ("join_time_max", "40"),
            ("sync_time_avg", "5"),
            ("rebalance_latency_total", "100"),
            ("last_rebalance_seconds_ago", "2"),
        ] {
            assert_eq!(coordinator(name).as_deref(), Some(value), "{name}");
        }
        metrics.gave_up();
        assert_eq!(coordinator("assigned_connectors").as_deref(), Some("0"));
        drop(metrics);
        assert_eq!(registry.render(), "");
    }
}
