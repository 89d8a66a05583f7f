//! What the worker records about itself and its connectors
//!
//! Starts and how they went, how many connectors and tasks there are, and in which states. Names and meanings stand in
//! `metric_tables`; what tasks do is in `task_metrics`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use weir_metrics::registry::{Figure, Group, MetricRegistry};
use weir_metrics::sensor::Sensor;
use weir_plugins::descriptor::PluginKind;
use weir_plugins::plugins::ConnectorPlugin;
use weir_stores::status::records::State;

use crate::figures::TaskMeter;
use crate::lifecycle::TaskId;
use crate::metric_tables;
use crate::state_times::StateTimes;

/// What a plugin is, for the text metrics of what runs it.
#[derive(Debug, Clone)]
pub struct PluginTexts {
    /// `source` or `sink`.
    pub kind: &'static str,
    pub class: String,
    pub version: String,
    pub task_class: String,
}

impl PluginTexts {
    /// Takes them from a plugin.
    pub fn of(plugin: &ConnectorPlugin) -> Self {
        Self {
            kind: match plugin.kind {
                PluginKind::Sink => "sink",
                _ => "source",
            },
            class: plugin.class.clone(),
            version: plugin.version.clone(),
            task_class: plugin.task_class.clone(),
        }
    }
}

/// Outcomes of something tried again and again: how many, and which part succeeded.
#[derive(Debug, Clone)]
pub(crate) struct Outcomes {
    pub(crate) success: Sensor,
    pub(crate) failure: Sensor,
}

impl Outcomes {
    pub(crate) fn record(&self, is_success: bool, now_ms: i64) {
        self.success.record(f64::from(u8::from(is_success)), now_ms);
        self.failure.record(f64::from(u8::from(!is_success)), now_ms);
    }
}

/// Part of the values that were 1; 0 before the first.
pub(crate) fn part_of(sensor: &Sensor) -> f64 {
    sensor.read(|recorded| match recorded.count() {
        0 => 0.0,
        count => recorded.total() / count as f64,
    })
}

/// A connector instance, shown and counted until dropped.
#[derive(Debug)]
pub struct ConnectorMetrics {
    group: Group,
    state: StateTimes,
    first: FirstState,
    worker: Arc<WorkerMetrics>,
}

impl ConnectorMetrics {
    /// Shows a connector that has no state yet.
    pub fn new(worker: &Arc<WorkerMetrics>, name: &str, plugin: PluginTexts) -> Self {
        let group = worker.registry.group(&metric_tables::CONNECTOR, &[name]);
        let state = StateTimes::new(group.now_ms());
        plugin_texts(&group, &state, plugin);
        worker.connector_count.fetch_add(1, Ordering::Relaxed);
        Self {
            group,
            state,
            first: FirstState::default(),
            worker: Arc::clone(worker),
        }
    }

    /// The connector reached a state.
    pub fn enter(&self, state: State) {
        self.state.enter(state, self.group.now_ms());
        if let Some(is_success) = self.first.of(state) {
            self.worker.connector_started(is_success);
        }
    }
}

impl Drop for ConnectorMetrics {
    fn drop(&mut self) {
        self.worker.connector_count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a start has shown how it went: running comes, or failure before it.
#[derive(Debug, Default)]
pub(crate) struct FirstState(AtomicBool);

impl FirstState {
    /// Whether the start succeeded; answered once.
    pub(crate) fn of(&self, state: State) -> Option<bool> {
        let is_success = match state {
            State::Running => true,
            State::Failed => false,
            _ => return None,
        };
        (!self.0.swap(true, Ordering::Relaxed)).then_some(is_success)
    }
}

pub(crate) fn plugin_texts(group: &Group, state: &StateTimes, plugin: PluginTexts) {
    let state = state.clone();
    group.text("status", move || state.name());
    group.text("connector-type", move || plugin.kind.to_owned());
    group.text("connector-class", move || plugin.class.clone());
    group.text("connector-version", move || plugin.version.clone());
}

/// What the worker itself records.
#[derive(Debug)]
pub struct WorkerMetrics {
    registry: MetricRegistry,
    group: Group,
    _app: Group,
    connectors: Outcomes,
    tasks: Outcomes,
    connector_count: Arc<AtomicUsize>,
    task_count: Arc<AtomicUsize>,
    /// Connectors with tasks here.
    of_connectors: Mutex<HashMap<String, ConnectorTasks>>,
}

impl WorkerMetrics {
    /// Shows the worker until dropped.
    pub fn new(registry: &MetricRegistry) -> Arc<Self> {
        let group = registry.group(&metric_tables::WORKER, &[]);
        let count = |name| {
            let count = Arc::<AtomicUsize>::default();
            let shown = Arc::clone(&count);
            group.number(name, move || shown.load(Ordering::Relaxed) as f64);
            count
        };
        let (connector_count, task_count) = (count("connector-count"), count("task-count"));
        let connectors = startups(
            &group,
            [
                "connector-startup-attempts-total",
                "connector-startup-success-total",
                "connector-startup-success-percentage",
                "connector-startup-failure-total",
                "connector-startup-failure-percentage",
            ],
        );
        let tasks = startups(
            &group,
            [
                "task-startup-attempts-total",
                "task-startup-success-total",
                "task-startup-success-percentage",
                "task-startup-failure-total",
                "task-startup-failure-percentage",
            ],
        );
        Arc::new(Self {
            _app: app_info(registry),
            registry: registry.clone(),
            group,
            connectors,
            tasks,
            connector_count,
            task_count,
            of_connectors: Mutex::default(),
        })
    }

    /// Where connectors and tasks show what they measure.
    pub fn registry(&self) -> &MetricRegistry {
        &self.registry
    }

    /// A connector started, or did not.
    pub fn connector_started(&self, is_success: bool) {
        self.connectors.record(is_success, self.group.now_ms());
    }

    /// A task started, or did not.
    pub fn task_started(&self, is_success: bool) {
        self.tasks.record(is_success, self.group.now_ms());
    }

    /// Counts a task among the worker's and its connector's until the answer is dropped.
    pub fn count_task(self: &Arc<Self>, id: &TaskId, meter: &Arc<TaskMeter>) -> CountedTask {
        let mut all = self.of_connectors.lock();
        let of_connector = all
            .entry(id.connector.clone())
            .or_insert_with(|| ConnectorTasks::new(&self.registry, &id.connector));
        of_connector
            .meters
            .lock()
            .push((Arc::as_ptr(meter).addr(), Arc::downgrade(meter)));
        self.task_count.fetch_add(1, Ordering::Relaxed);
        CountedTask {
            worker: Arc::clone(self),
            connector: id.connector.clone(),
            meter: Arc::as_ptr(meter).addr(),
        }
    }
}

/// A task that is counted until this is dropped.
#[derive(Debug)]
pub struct CountedTask {
    worker: Arc<WorkerMetrics>,
    connector: String,
    /// Its meter's address, by which it is found again.
    meter: usize,
}

impl Drop for CountedTask {
    fn drop(&mut self) {
        self.worker.task_count.fetch_sub(1, Ordering::Relaxed);
        let mut all = self.worker.of_connectors.lock();
        let Some(of_connector) = all.get(&self.connector) else {
            return;
        };
        let mut meters = of_connector.meters.lock();
        meters.retain(|(address, _)| *address != self.meter);
        let is_last = meters.is_empty();
        drop(meters);
        if is_last {
            all.remove(&self.connector);
        }
    }
}

type Meters = Arc<Mutex<Vec<(usize, Weak<TaskMeter>)>>>;

/// How many tasks of a connector are in which state.
#[derive(Debug)]
struct ConnectorTasks {
    _group: Group,
    meters: Meters,
}

impl ConnectorTasks {
    fn new(registry: &MetricRegistry, connector: &str) -> Self {
        let group = registry.group(&metric_tables::CONNECTOR_TASKS, &[connector]);
        let meters = Meters::default();
        let all = Arc::clone(&meters);
        group.number("connector-total-task-count", move || all.lock().len() as f64);
        for (name, state) in [
            ("connector-running-task-count", State::Running),
            ("connector-paused-task-count", State::Paused),
            ("connector-failed-task-count", State::Failed),
            ("connector-unassigned-task-count", State::Unassigned),
            ("connector-destroyed-task-count", State::Destroyed),
            ("connector-restarting-task-count", State::Restarting),
        ] {
            let meters = Arc::clone(&meters);
            group.number(name, move || {
                let meters = meters.lock();
                let here = meters.iter().filter_map(|(_, meter)| meter.upgrade());
                here.filter(|meter| meter.state() == state).count() as f64
            });
        }
        Self { _group: group, meters }
    }
}

fn app_info(registry: &MetricRegistry) -> Group {
    let group = registry.group(&metric_tables::APP_INFO, &[]);
    let started_ms = group.now_ms() as f64;
    group.text("version", || env!("CARGO_PKG_VERSION").to_owned());
    group.text("commit-id", || {
        option_env!("WEIR_COMMIT").unwrap_or("unknown").to_owned()
    });
    group.number("start-time-ms", move || started_ms);
    group
}

fn startups(group: &Group, names: [&'static str; 5]) -> Outcomes {
    let [attempts, successes, success_part, failures, failure_part] = names;
    let outcomes = Outcomes {
        success: group.sensor(&[(successes, Figure::Total)]),
        failure: group.sensor(&[(failures, Figure::Total)]),
    };
    let (tried, success, failure) = (
        outcomes.success.clone(),
        outcomes.success.clone(),
        outcomes.failure.clone(),
    );
    group.number(attempts, move || tried.read(|recorded| recorded.count() as f64));
    group.number(success_part, move || part_of(&success));
    group.number(failure_part, move || part_of(&failure));
    outcomes
}

#[cfg(test)]
mod tests {
    use weir_metrics::clock::Clock;
    use weir_metrics::sensor::Windows;

    use super::*;

    fn shown(registry: &MetricRegistry, name: &str) -> Option<f64> {
        let text = registry.render();
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    #[test]
    fn tasks_are_counted_by_their_states_until_they_are_gone() {
        let registry = MetricRegistry::new(Windows::default(), Clock::manual(0).0);
        let worker = WorkerMetrics::new(&registry);
        let meters: Vec<Arc<TaskMeter>> = (0..3).map(|_| Arc::new(TaskMeter::of_worker(&worker))).collect();
        let counted: Vec<CountedTask> = (0..)
            .zip(&meters)
            .map(|(task, meter)| {
                let connector = "c".to_owned();
                worker.count_task(&TaskId { connector, task }, meter)
            })
            .collect();
        for (meter, state) in meters.iter().zip([State::Running, State::Failed, State::Paused]) {
            meter.entered(state);
        }
        // Failing after it ran is no failed start.
        meters[0].entered(State::Failed);
        meters[2].entered(State::Running);
        let of_c = |state: &str| {
            format!("kafka_connect_connect_worker_metrics_connector_{state}_task_count{{connector=\"c\"}}")
        };
        let worker_wide = |name: &str| shown(&registry, &format!("kafka_connect_connect_worker_metrics_{name}"));
        for (state, count) in [("total", 3.0), ("running", 1.0), ("failed", 2.0), ("paused", 0.0)] {
            assert_eq!(shown(&registry, &of_c(state)), Some(count), "{state}");
        }
        assert_eq!(worker_wide("task_count"), Some(3.0));
        assert_eq!(worker_wide("task_startup_attempts_total"), Some(3.0));
        assert_eq!(worker_wide("task_startup_success_total"), Some(2.0));
        drop(counted);
        assert_eq!(worker_wide("task_count"), Some(0.0));
        assert_eq!(shown(&registry, &of_c("total")), None);
    }

    #[test]
    fn a_connector_is_shown_and_counted_until_it_is_gone() {
        let registry = MetricRegistry::new(Windows::default(), Clock::manual(0).0);
        let worker = WorkerMetrics::new(&registry);
        let plugin = PluginTexts {
            kind: "sink",
            class: "C".to_owned(),
            version: "1".to_owned(),
            task_class: "T".to_owned(),
        };
        let connector = ConnectorMetrics::new(&worker, "c", plugin);
        connector.enter(State::Failed);
        let status = "kafka_connect_connector_metrics_status{connector=\"c\",value=\"failed\"}";
        assert_eq!(shown(&registry, status), Some(1.0));
        let count = "kafka_connect_connect_worker_metrics_connector_count";
        assert_eq!(shown(&registry, count), Some(1.0));
        let failures = "kafka_connect_connect_worker_metrics_connector_startup_failure_percentage";
        assert_eq!(shown(&registry, failures), Some(1.0));
        drop(connector);
        assert_eq!(shown(&registry, status), None);
        assert_eq!(shown(&registry, count), Some(0.0));
    }
}
