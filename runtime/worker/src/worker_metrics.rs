//! What connectors and tasks record about themselves
//!
//! One struct for each thing that is measured, recorded into once a batch, a commit or a state change, never for a
//! record. Names and meanings stand in `metric_tables`.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_metrics::group::GroupDef;
use weir_metrics::registry::{Figure, Gauge, Group, MetricRegistry};
use weir_metrics::sensor::Sensor;
use weir_stores::status::records::State;

use crate::figures::{ErrorCounters, ErrorFigures};
use crate::lifecycle::TaskId;
use crate::metric_tables;

/// What a plugin is, for the text metrics of what runs it.
#[derive(Debug, Clone)]
pub struct PluginTexts {
    /// `source` or `sink`.
    pub kind: &'static str,
    pub class: String,
    pub version: String,
    pub task_class: String,
}

/// The state as it is shown, and for how long each state lasted.
#[derive(Debug, Clone)]
pub struct StateTimes(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    state: State,
    since_ms: i64,
    began_ms: i64,
    running_ms: i64,
    paused_ms: i64,
}

impl StateTimes {
    /// Begins unassigned at `now_ms`.
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(Mutex::new(Times {
            state: State::Unassigned,
            since_ms: now_ms,
            began_ms: now_ms,
            running_ms: 0,
            paused_ms: 0,
        })))
    }

    /// Enters a state.
    pub fn enter(&self, state: State, now_ms: i64) {
        let mut times = self.0.lock();
        let (running_ms, paused_ms) = times.until(now_ms);
        (times.running_ms, times.paused_ms) = (running_ms, paused_ms);
        times.since_ms = now_ms;
        times.state = state;
    }

    /// Part of the time it was running, and part it was paused.
    pub fn ratios(&self, now_ms: i64) -> (f64, f64) {
        let times = self.0.lock();
        let whole = (now_ms - times.began_ms).max(1) as f64;
        let (running_ms, paused_ms) = times.until(now_ms);
        (running_ms as f64 / whole, paused_ms as f64 / whole)
    }

    /// The state now, lower case.
    pub fn name(&self) -> String {
        self.0.lock().state.name().to_ascii_lowercase()
    }
}

impl Times {
    fn until(&self, now_ms: i64) -> (i64, i64) {
        let spent = (now_ms - self.since_ms).max(0);
        match self.state {
            State::Running => (self.running_ms + spent, self.paused_ms),
            State::Paused => (self.running_ms, self.paused_ms + spent),
            _ => (self.running_ms, self.paused_ms),
        }
    }
}

/// Outcomes of something tried again and again: how many, and which part succeeded.
#[derive(Debug, Clone)]
struct Outcomes {
    success: Sensor,
    failure: Sensor,
}

impl Outcomes {
    fn record(&self, is_success: bool, now_ms: i64) {
        self.success.record(f64::from(u8::from(is_success)), now_ms);
        self.failure.record(f64::from(u8::from(!is_success)), now_ms);
    }
}

/// Part of the values that were 1; 0 before the first.
fn part_of(sensor: &Sensor) -> f64 {
    sensor.read(|recorded| match recorded.count() {
        0 => 0.0,
        count => recorded.total() / count as f64,
    })
}

/// A connector instance.
#[derive(Debug)]
pub struct ConnectorMetrics {
    _group: Group,
    state: StateTimes,
}

impl ConnectorMetrics {
    /// Shows a connector until dropped.
    pub fn new(registry: &MetricRegistry, name: &str, plugin: PluginTexts) -> Self {
        let group = registry.group(&metric_tables::CONNECTOR, &[name]);
        let state = StateTimes::new(group.now_ms());
        plugin_texts(&group, &state, plugin);
        Self { _group: group, state }
    }

    /// Follows the state.
    pub fn state(&self) -> &StateTimes {
        &self.state
    }
}

fn plugin_texts(group: &Group, state: &StateTimes, plugin: PluginTexts) {
    let state = state.clone();
    group.text("status", move || state.name());
    group.text("connector-type", move || plugin.kind.to_owned());
    group.text("connector-class", move || plugin.class.clone());
    group.text("connector-version", move || plugin.version.clone());
}

/// What tasks of both kinds record.
#[derive(Debug)]
pub struct TaskMetrics {
    group: Group,
    state: StateTimes,
    commit_time: Sensor,
    commits: Outcomes,
    batch: Sensor,
}

impl TaskMetrics {
    /// Shows a task until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId, plugin: PluginTexts) -> Self {
        let task = id.task.to_string();
        let group = registry.group(&metric_tables::TASK, &[&id.connector, &task]);
        let state = StateTimes::new(group.now_ms());
        let (task_class, version) = (plugin.task_class.clone(), plugin.version.clone());
        plugin_texts(&group, &state, plugin);
        group.text("task-class", move || task_class.clone());
        group.text("task-version", move || version.clone());
        let (running, paused) = (state.clone(), state.clone());
        let (running_clock, paused_clock) = (registry.clone(), registry.clone());
        group.number("running-ratio", move || running.ratios(running_clock.now_ms()).0);
        group.number("pause-ratio", move || paused.ratios(paused_clock.now_ms()).1);
        let commit_time = group.sensor(&[
            ("offset-commit-max-time-ms", Figure::Max),
            ("offset-commit-avg-time-ms", Figure::Avg),
        ]);
        let commits = Outcomes {
            success: group.sensor(&[]),
            failure: group.sensor(&[]),
        };
        let (success, failure) = (commits.success.clone(), commits.failure.clone());
        group.number("offset-commit-success-percentage", move || part_of(&success));
        group.number("offset-commit-failure-percentage", move || part_of(&failure));
        let batch = group.sensor(&[("batch-size-max", Figure::Max), ("batch-size-avg", Figure::Avg)]);
        Self {
            state,
            commit_time,
            commits,
            batch,
            group,
        }
    }

    /// Enters a state.
    pub fn enter(&self, state: State) {
        self.state.enter(state, self.group.now_ms());
    }

    /// A batch of so many records came.
    pub fn batch(&self, records: usize) {
        self.batch.record(records as f64, self.group.now_ms());
    }

    /// A commit of offsets ended.
    pub fn commit(&self, took_ms: i64, is_success: bool) {
        let now_ms = self.group.now_ms();
        if is_success {
            self.commit_time.record(took_ms as f64, now_ms);
        }
        self.commits.record(is_success, now_ms);
    }
}

/// What a source task records besides.
#[derive(Debug)]
pub struct SourceMetrics {
    group: Group,
    poll: Sensor,
    poll_time: Sensor,
    write: Sensor,
    active: Sensor,
    transaction: Sensor,
}

impl SourceMetrics {
    /// Shows a source task until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId) -> Self {
        let group = of_task(registry, &metric_tables::SOURCE, id);
        Self {
            poll: group.sensor(&[
                ("source-record-poll-rate", Figure::Rate),
                ("source-record-poll-total", Figure::Total),
            ]),
            poll_time: group.sensor(&[
                ("poll-batch-max-time-ms", Figure::Max),
                ("poll-batch-avg-time-ms", Figure::Avg),
            ]),
            write: group.sensor(&[
                ("source-record-write-rate", Figure::Rate),
                ("source-record-write-total", Figure::Total),
            ]),
            active: group.sensor(&[
                ("source-record-active-count", Figure::Last),
                ("source-record-active-count-max", Figure::Max),
                ("source-record-active-count-avg", Figure::Avg),
            ]),
            transaction: group.sensor(&[
                ("transaction-size-min", Figure::Min),
                ("transaction-size-max", Figure::Max),
                ("transaction-size-avg", Figure::Avg),
            ]),
            group,
        }
    }

    /// A poll brought records.
    pub fn polled(&self, records: usize, took_ms: i64) {
        let now_ms = self.group.now_ms();
        self.poll.record(records as f64, now_ms);
        self.poll_time.record(took_ms as f64, now_ms);
    }

    /// Records were acknowledged; `active` are on their way still.
    pub fn written(&self, records: usize, active: u64) {
        let now_ms = self.group.now_ms();
        self.write.record(records as f64, now_ms);
        self.active.record(active as f64, now_ms);
    }

    /// A transaction of so many records was committed.
    pub fn transaction(&self, records: u64) {
        self.transaction.record(records as f64, self.group.now_ms());
    }
}

/// What a sink task records besides.
#[derive(Debug)]
pub struct SinkMetrics {
    group: Group,
    read: Sensor,
    send: Sensor,
    put_time: Sensor,
    completed: Sensor,
    partitions: Gauge,
    sequence: Gauge,
}

impl SinkMetrics {
    /// Shows a sink task until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId) -> Self {
        let group = of_task(registry, &metric_tables::SINK, id);
        Self {
            read: group.sensor(&[
                ("sink-record-read-rate", Figure::Rate),
                ("sink-record-read-total", Figure::Total),
            ]),
            send: group.sensor(&[
                ("sink-record-send-rate", Figure::Rate),
                ("sink-record-send-total", Figure::Total),
            ]),
            put_time: group.sensor(&[
                ("put-batch-max-time-ms", Figure::Max),
                ("put-batch-avg-time-ms", Figure::Avg),
            ]),
            completed: group.sensor(&[
                ("offset-commit-completion-rate", Figure::Rate),
                ("offset-commit-completion-total", Figure::Total),
            ]),
            partitions: group.gauge("partition-count"),
            sequence: group.gauge("offset-commit-seq-no"),
            group,
        }
    }

    /// Records came from Kafka.
    pub fn read(&self, records: usize) {
        self.read.record(records as f64, self.group.now_ms());
    }

    /// Records were put.
    pub fn put(&self, records: usize, took_ms: i64) {
        let now_ms = self.group.now_ms();
        self.send.record(records as f64, now_ms);
        self.put_time.record(took_ms as f64, now_ms);
    }

    /// So many partitions are assigned.
    pub fn partitions(&self, count: usize) {
        self.partitions.set(count as f64);
    }

    /// The commit with this number succeeded.
    pub fn committed(&self, sequence: u64) {
        self.sequence.set(sequence as f64);
        self.completed.record(1.0, self.group.now_ms());
    }
}

/// Shows what went wrong in a task, from the counters its loops keep.
#[derive(Debug)]
pub struct ErrorMetrics {
    _group: Group,
}

impl ErrorMetrics {
    /// Shows the counters until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId, counters: &Arc<ErrorCounters>) -> Self {
        let group = of_task(registry, &metric_tables::ERRORS, id);
        let shown = |name, figure: fn(&ErrorFigures) -> f64| {
            let counters = Arc::clone(counters);
            group.number(name, move || figure(&counters.figures()));
        };
        shown("total-record-failures", |figures| figures.failures as f64);
        shown("total-record-errors", |figures| figures.errors as f64);
        shown("total-records-skipped", |figures| figures.skipped as f64);
        shown("total-retries", |figures| figures.retries as f64);
        shown("total-errors-logged", |figures| figures.logged as f64);
        shown("deadletterqueue-produce-requests", |figures| {
            figures.dead_letters as f64
        });
        shown("deadletterqueue-produce-failures", |figures| {
            figures.dead_letter_failures as f64
        });
        shown("last-error-timestamp", |figures| figures.last_error_ms as f64);
        Self { _group: group }
    }
}

/// What the worker itself records.
#[derive(Debug)]
pub struct WorkerMetrics {
    group: Group,
    connectors: Outcomes,
    tasks: Outcomes,
}

impl WorkerMetrics {
    /// Shows the worker; `counts` answers how many connectors and tasks run.
    pub fn new(registry: &MetricRegistry, counts: impl Fn() -> (usize, usize) + Send + Sync + 'static) -> Self {
        let group = registry.group(&metric_tables::WORKER, &[]);
        let counts = Arc::new(counts);
        let tasks = Arc::clone(&counts);
        group.number("connector-count", move || counts().0 as f64);
        group.number("task-count", move || tasks().1 as f64);
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
        Self {
            group,
            connectors,
            tasks,
        }
    }

    /// A connector started, or did not.
    pub fn connector_started(&self, is_success: bool) {
        self.connectors.record(is_success, self.group.now_ms());
    }

    /// A task started, or did not.
    pub fn task_started(&self, is_success: bool) {
        self.tasks.record(is_success, self.group.now_ms());
    }
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

fn of_task(registry: &MetricRegistry, def: &'static GroupDef, id: &TaskId) -> Group {
    registry.group(def, &[&id.connector, &id.task.to_string()])
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use weir_metrics::clock::Clock;
    use weir_metrics::sensor::Windows;

    use super::*;

    fn line(text: &str, name: &str) -> String {
        let found = text.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name} is not in\n{text}")).to_owned()
    }

    #[test]
    fn times_in_states_become_ratios() {
        let times = StateTimes::new(0);
        times.enter(State::Running, 1_000);
        times.enter(State::Paused, 4_000);
        assert_eq!(times.ratios(10_000), (0.3, 0.6));
        assert_eq!(times.name(), "paused");
    }

    #[test]
    fn a_source_task_shows_what_it_recorded_until_it_ends() {
        let (clock, hand) = Clock::manual(0);
        let registry = MetricRegistry::new(Windows::default(), clock);
        let id = TaskId {
            connector: "c".to_owned(),
            task: 3,
        };
        let plugin = PluginTexts {
            kind: "source",
            class: "C".to_owned(),
            version: "1".to_owned(),
            task_class: "CTask".to_owned(),
        };
        let (task, source) = (
            TaskMetrics::new(&registry, &id, plugin),
            SourceMetrics::new(&registry, &id),
        );
        source.polled(500, 4);
        source.written(400, 100);
        task.commit(7, true);
        task.commit(0, false);
        let counters = Arc::<ErrorCounters>::default();
        counters.failed();
        let errors = ErrorMetrics::new(&registry, &id, &counters);
        hand.store(30_000, Ordering::SeqCst);
        let text = registry.render();
        let labels = "{connector=\"c\",task=\"3\"}";
        let check = |group: &str, name: &str, value: &str| {
            let name = format!("kafka_connect_{group}_{name}{labels}");
            assert_eq!(line(&text, &name), format!("{name} {value}"));
        };
        check("source_task_metrics", "source_record_poll_total", "500");
        check("source_task_metrics", "source_record_write_total", "400");
        check("source_task_metrics", "source_record_active_count", "100");
        check("source_task_metrics", "poll_batch_max_time_ms", "4");
        check("connector_task_metrics", "offset_commit_success_percentage", "0.5");
        check("connector_task_metrics", "offset_commit_max_time_ms", "7");
        check("task_error_metrics", "total_record_failures", "1");
        assert!(text.contains("task_class{connector=\"c\",task=\"3\",value=\"CTask\"} 1"));
        drop((task, source, errors));
        assert_eq!(registry.render(), "");
    }
}
