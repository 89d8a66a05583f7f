//! What tasks record about themselves
//!
//! One struct for each thing that is measured, recorded into once a batch, a commit or a state change, never for a
//! record. Names and meanings stand in `metric_tables`; connectors and the worker itself are in `worker_metrics`.

use std::sync::Arc;

use weir_metrics::group::{GroupDef, Kind};
use weir_metrics::registry::{Figure, Gauge, Group, Loose, LooseMetric, MetricRegistry};
use weir_metrics::sensor::Sensor;
use weir_plugins::host::metrics::{SeriesValue, SharedMetrics};
use weir_stores::status::records::State;

use crate::figures::{ErrorCounters, ErrorFigures};
use crate::lifecycle::TaskId;
use crate::metric_tables;
use crate::state_times::StateTimes;
use crate::worker_metrics::{Outcomes, PluginTexts, part_of, plugin_texts};

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
        let group = of_task(registry, &metric_tables::TASK, id);
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

/// Classes of what stands between a task and Kafka.
#[derive(Debug, Clone, Default)]
pub struct PipelineTexts {
    /// Class and version of the converters of key, value and header.
    pub converters: [(String, String); 3],
    /// Alias and class of each transformation, in order.
    pub transforms: Vec<(String, &'static str)>,
    /// Alias and class of each predicate in use.
    pub predicates: Vec<(String, &'static str)>,
}

/// Shows a task's converters among its metrics, and its transformations and predicates each as a group.
#[derive(Debug)]
pub struct PipelineMetrics {
    _groups: Vec<Group>,
}

impl PipelineMetrics {
    /// Shows them until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId, task: &TaskMetrics, texts: PipelineTexts) -> Self {
        const CONVERTERS: [(&str, &str); 3] = [
            ("key-converter-class", "key-converter-version"),
            ("value-converter-class", "value-converter-version"),
            ("header-converter-class", "header-converter-version"),
        ];
        for ((class_name, version_name), (class, version)) in CONVERTERS.into_iter().zip(texts.converters) {
            task.group.text(class_name, move || class.clone());
            task.group.text(version_name, move || version.clone());
        }
        let number = id.task.to_string();
        let show = |def, names: (&'static str, &'static str), (alias, class): (String, &'static str)| {
            let group = registry.group(def, &[&id.connector, &number, &alias]);
            group.text(names.0, move || class.to_owned());
            group.text(names.1, || weir_transforms::catalogue::VERSION.to_owned());
            group
        };
        let transforms = texts.transforms.into_iter();
        let transforms =
            transforms.map(|one| show(&metric_tables::TRANSFORM, ("transform-class", "transform-version"), one));
        let predicates = texts.predicates.into_iter();
        let predicates =
            predicates.map(|one| show(&metric_tables::PREDICATE, ("predicate-class", "predicate-version"), one));
        Self {
            _groups: transforms.chain(predicates).collect(),
        }
    }
}

/// Shows what a plugin's own code measures; `task` is none for a connector.
pub fn plugin_metrics(registry: &MetricRegistry, connector: &str, task: Option<u32>, series: SharedMetrics) -> Loose {
    let task = task.map(|task| task.to_string());
    let mut tags = vec![("connector", connector)];
    tags.extend(task.as_deref().map(|task| ("task", task)));
    registry.loose(metric_tables::PLUGINS, &tags, move || loose(&series))
}

fn loose(series: &SharedMetrics) -> Vec<LooseMetric> {
    let mut shown = Vec::new();
    for (key, value) in series.series() {
        let mut show = |ending: &str, kind, value| {
            shown.push(LooseMetric {
                name: format!("{}{ending}", key.name),
                tags: key.tags.clone(),
                kind,
                value,
            });
        };
        match value {
            SeriesValue::Counter(total) => show("", Kind::Counter, total as f64),
            SeriesValue::Gauge(value) => show("", Kind::Gauge, value),
            SeriesValue::Observed { count, sum, max } => {
                show("-count", Kind::Counter, count as f64);
                show("-sum", Kind::Counter, sum);
                show("-max", Kind::Gauge, max);
            }
        }
    }
    shown
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
        let metrics = Self {
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
        };
        metrics.written(0, 0);
        metrics
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
    skipped: Sensor,
    active: Sensor,
    partitions: Gauge,
    sequence: Gauge,
}

impl SinkMetrics {
    /// Shows a sink task until dropped.
    pub fn new(registry: &MetricRegistry, id: &TaskId) -> Self {
        let group = of_task(registry, &metric_tables::SINK, id);
        let metrics = Self {
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
            skipped: group.sensor(&[
                ("offset-commit-skip-rate", Figure::Rate),
                ("offset-commit-skip-total", Figure::Total),
            ]),
            active: group.sensor(&[
                ("sink-record-active-count", Figure::Last),
                ("sink-record-active-count-max", Figure::Max),
                ("sink-record-active-count-avg", Figure::Avg),
            ]),
            partitions: group.gauge("partition-count"),
            sequence: group.gauge("offset-commit-seq-no"),
            group,
        };
        metrics.active(0);
        metrics
    }

    /// So many records were put and are not committed.
    pub fn active(&self, records: u64) {
        self.active.record(records as f64, self.group.now_ms());
    }

    /// The answer of a commit came after a later one had begun.
    pub fn skipped(&self) {
        self.skipped.record(1.0, self.group.now_ms());
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
