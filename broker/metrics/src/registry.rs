//! Registry: which groups are there now, and their Prometheus text
//!
//! A role adds a group with its tag values and gets a handle back; dropping the handle removes the group, so what is
//! gone is not shown. Readers pay for reading: values are computed when the text is asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::group::{GroupDef, Kind};
use crate::sensor::{Recorded, Sensor, Windows};

/// Which figure of a sensor a metric shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Sum a second.
    Rate,
    /// Sum since the start.
    Total,
    /// Average over the windows.
    Avg,
    /// Highest over the windows.
    Max,
    /// Lowest over the windows.
    Min,
    /// The value recorded last.
    Last,
}

impl Figure {
    fn of(self, recorded: &Recorded, now_ms: i64) -> f64 {
        match self {
            Self::Rate => recorded.rate(now_ms),
            Self::Total => recorded.total(),
            Self::Avg => recorded.avg(now_ms),
            Self::Max => recorded.max(now_ms),
            Self::Min => recorded.min(now_ms),
            Self::Last => recorded.last(),
        }
    }
}

/// Reads a number when the text is asked for.
pub type Reading = Box<dyn Fn() -> f64 + Send + Sync>;
/// Reads a text when the text is asked for.
pub type TextReading = Box<dyn Fn() -> String + Send + Sync>;

enum Source {
    Sensor(Sensor, Figure),
    Number(Reading),
    Text(TextReading),
}

struct Entry {
    def: &'static GroupDef,
    tags: Vec<String>,
    values: HashMap<&'static str, Source>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    groups: BTreeMap<u64, Entry>,
}

/// All metrics of a process, cheap to clone.
#[derive(Clone)]
pub struct MetricRegistry {
    entries: Arc<Mutex<Entries>>,
    windows: Windows,
    clock: Clock,
}

impl Default for MetricRegistry {
    fn default() -> Self {
        Self::new(Windows::default(), Clock::System)
    }
}

impl std::fmt::Debug for MetricRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricRegistry")
            .field("groups", &self.entries.lock().groups.len())
            .finish_non_exhaustive()
    }
}

/// A group that is shown as long as this handle lives.
#[derive(Debug)]
pub struct Group {
    registry: MetricRegistry,
    id: u64,
}

/// A gauge to set, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    /// Reads the value.
    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl MetricRegistry {
    /// The media type of [`MetricRegistry::render`].
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// An empty registry; sensors count over `windows`.
    pub fn new(windows: Windows, clock: Clock) -> Self {
        Self {
            entries: Arc::default(),
            windows,
            clock,
        }
    }

    /// Milliseconds since 1970 by the registry's clock.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Adds a group; `tags` are the values of the definition's tags, in its order.
    pub fn group(&self, def: &'static GroupDef, tags: &[&str]) -> Group {
        debug_assert_eq!(def.tags.len(), tags.len(), "one value a tag of {}", def.group);
        let mut entries = self.entries.lock();
        let id = entries.next;
        entries.next += 1;
        let entry = Entry {
            def,
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            values: HashMap::new(),
        };
        entries.groups.insert(id, entry);
        Group {
            registry: self.clone(),
            id,
        }
    }

    /// The Prometheus text of everything there is, format 0.0.4, sorted by name.
    pub fn render(&self) -> String {
        let now_ms = self.now_ms();
        let entries = self.entries.lock();
        // All series of one name stand together under one head.
        let mut families: BTreeMap<String, (Kind, &str, Vec<String>)> = BTreeMap::new();
        for entry in entries.groups.values() {
            for metric in entry.def.metrics {
                let Some(source) = entry.values.get(metric.name) else {
                    continue;
                };
                let labels = entry
                    .def
                    .tags
                    .iter()
                    .copied()
                    .zip(entry.tags.iter().map(String::as_str));
                let line = match source {
                    Source::Text(read) => {
                        let text = read();
                        let value_label = [("value", text.as_str())];
                        format!("{} 1", braces(labels.chain(value_label)))
                    }
                    Source::Number(read) => format!("{} {}", braces(labels), number(read())),
                    Source::Sensor(sensor, figure) => {
                        let value = sensor.read(|recorded| figure.of(recorded, now_ms));
                        format!("{} {}", braces(labels), number(value))
                    }
                };
                let family =
                    families
                        .entry(entry.def.prometheus_name(metric))
                        .or_insert((metric.kind, metric.doc, Vec::new()));
                family.2.push(line);
            }
        }
        let mut text = String::new();
        for (name, (kind, doc, lines)) in families {
            let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escaped_help(doc));
            for line in lines {
                let _ = writeln!(text, "{name}{line}");
            }
        }
        text
    }
}

impl Group {
    /// Shows figures of a new sensor under these names.
    pub fn sensor(&self, shown: &[(&'static str, Figure)]) -> Sensor {
        let sensor = Sensor::new(self.registry.windows);
        for (name, figure) in shown {
            self.put(name, Source::Sensor(sensor.clone(), *figure));
        }
        sensor
    }

    /// Shows a gauge that is set.
    pub fn gauge(&self, name: &'static str) -> Gauge {
        let gauge = Gauge::default();
        let read = gauge.clone();
        self.put(name, Source::Number(Box::new(move || read.get())));
        gauge
    }

    /// Shows a number that is read when asked for.
    pub fn number(&self, name: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.put(name, Source::Number(Box::new(read)));
    }

    /// Shows a text that is read when asked for.
    pub fn text(&self, name: &'static str, read: impl Fn() -> String + Send + Sync + 'static) {
        self.put(name, Source::Text(Box::new(read)));
    }

    /// Milliseconds since 1970 by the registry's clock.
    pub fn now_ms(&self) -> i64 {
        self.registry.now_ms()
    }

    fn put(&self, name: &'static str, source: Source) {
        let mut entries = self.registry.entries.lock();
        if let Some(entry) = entries.groups.get_mut(&self.id) {
            debug_assert!(
                entry.def.metrics.iter().any(|metric| metric.name == name),
                "{name} is not in the table of {}",
                entry.def.group
            );
            entry.values.insert(name, source);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.registry.entries.lock().groups.remove(&self.id);
    }
}

fn braces<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        text.push_str(if text.is_empty() { "{" } else { "," });
        let _ = write!(text, "{}=\"{}\"", name.replace('-', "_"), escaped_label(value));
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn escaped_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn escaped_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::MetricDef;

    static DEF: GroupDef = GroupDef {
        domain: "kafka.connect",
        group: "sink-task-metrics",
        tags: &["connector", "task"],
        metrics: &[
            MetricDef {
                name: "sink-record-read-total",
                kind: Kind::Counter,
                doc: "Records read.",
            },
            MetricDef {
                name: "sink-record-read-rate",
                kind: Kind::Gauge,
                doc: "Records read a second.",
            },
            MetricDef {
                name: "status",
                kind: Kind::Text,
                doc: "State.",
            },
        ],
    };

    fn registry() -> (MetricRegistry, Arc<std::sync::atomic::AtomicI64>) {
        let (clock, hand) = Clock::manual(0);
        (MetricRegistry::new(Windows::default(), clock), hand)
    }

    #[test]
    fn series_of_one_name_stand_under_one_head() {
        let (registry, hand) = registry();
        let groups: Vec<Group> = ["a", "b\"c"]
            .iter()
            .map(|name| registry.group(&DEF, &[name, "0"]))
            .collect();
        for group in &groups {
            let sensor = group.sensor(&[
                ("sink-record-read-total", Figure::Total),
                ("sink-record-read-rate", Figure::Rate),
            ]);
            sensor.record(60.0, 0);
        }
        hand.store(30_000, Ordering::SeqCst);
        let expected = "\
# HELP kafka_connect_sink_task_metrics_sink_record_read_rate Records read a second.
# TYPE kafka_connect_sink_task_metrics_sink_record_read_rate gauge
kafka_connect_sink_task_metrics_sink_record_read_rate{connector=\"a\",task=\"0\"} 2
kafka_connect_sink_task_metrics_sink_record_read_rate{connector=\"b\\\"c\",task=\"0\"} 2
# HELP kafka_connect_sink_task_metrics_sink_record_read_total Records read.
# TYPE kafka_connect_sink_task_metrics_sink_record_read_total counter
kafka_connect_sink_task_metrics_sink_record_read_total{connector=\"a\",task=\"0\"} 60
kafka_connect_sink_task_metrics_sink_record_read_total{connector=\"b\\\"c\",task=\"0\"} 60
";
        assert_eq!(registry.render(), expected);
        drop(groups);
        assert_eq!(registry.render(), "");
    }

    #[test]
    fn a_text_is_a_label() {
        let (registry, _hand) = registry();
        let group = registry.group(&DEF, &["a", "1"]);
        group.text("status", || "running".to_owned());
        let text = registry.render();
        let line = "kafka_connect_sink_task_metrics_status{connector=\"a\",task=\"1\",value=\"running\"} 1";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn numbers_print_as_prometheus_reads_them() {
        assert_eq!(
            [f64::NAN, f64::INFINITY, 1.5, 3.0].map(number),
            ["NaN", "+Inf", "1.5", "3"]
        );
    }
}
