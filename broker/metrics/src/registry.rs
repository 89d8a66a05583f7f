//! Registry: which groups are there now, and their Prometheus text
//!
//! A role adds a group with its tag values and gets a handle back; dropping the handle removes the group, so what is
//! gone is not shown. Readers pay for reading: values are computed when the text is asked for, with no lock held that adding or
//! dropping a group takes. What plugins measure has names that no table knows; it comes as a [`Loose`] group.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::group::{GroupDef, Kind, plain, prometheus_name};
use crate::sensor::{Recorded, Sensor, Windows};

/// Which figure of a sensor a metric shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Sum a second.
    Rate,
    /// Sum an hour.
    RatePerHour,
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
            Self::RatePerHour => recorded.rate(now_ms) * 3600.0,
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
    values: Mutex<Vec<(&'static str, Source)>>,
}

/// One metric without a table.
#[derive(Debug, Clone, PartialEq)]
pub struct LooseMetric {
    /// As it is to be shown, but for characters that Prometheus has no room for.
    pub name: String,
    /// Besides those of the group.
    pub tags: Vec<(String, String)>,
    /// Whether it only grows.
    pub kind: Kind,
    pub value: f64,
}

/// Reads all metrics of a group without a table.
pub type LooseReading = Box<dyn Fn() -> Vec<LooseMetric> + Send + Sync>;

/// A group whose names and further tags come with the values.
struct LooseEntry {
    domain: &'static str,
    group: &'static str,
    doc: &'static str,
    tags: Vec<(&'static str, String)>,
    read: LooseReading,
}

#[derive(Clone)]
enum Shown {
    Table(Arc<Entry>),
    Loose(Arc<LooseEntry>),
}

#[derive(Default)]
struct Entries {
    next: u64,
    groups: BTreeMap<u64, Shown>,
    /// The group that is shown of each name and tags: a later one takes the place of one that is not dropped yet.
    latest: HashMap<(&'static str, &'static str, Vec<String>), u64>,
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
    entry: Arc<Entry>,
    id: u64,
}

/// A group without a table that is shown as long as this handle lives.
#[derive(Debug)]
pub struct Loose {
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

    /// Adds a group; `tags` are the values of the definition's tags, in its order. Takes the place of an equal one.
    pub fn group(&self, def: &'static GroupDef, tags: &[&str]) -> Group {
        debug_assert_eq!(def.tags.len(), tags.len(), "one value a tag of {}", def.group);
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        // Groups of one name may differ in their tags' names, but not with as many of equal values.
        let key = (def.domain, def.group, tags.clone());
        let entry = Arc::new(Entry {
            def,
            tags,
            values: Mutex::default(),
        });
        let id = self.add(key, Shown::Table(Arc::clone(&entry)));
        Group {
            registry: self.clone(),
            entry,
            id,
        }
    }

    /// Adds a group without a table: `tags` are of all its metrics, `read` gives names, further tags and values.
    pub fn loose(
        &self,
        (domain, group, doc): (&'static str, &'static str, &'static str),
        tags: &[(&'static str, &str)],
        read: impl Fn() -> Vec<LooseMetric> + Send + Sync + 'static,
    ) -> Loose {
        let tags: Vec<(&'static str, String)> = tags.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let key = (domain, group, tags.iter().map(|(_, value)| value.clone()).collect());
        let entry = LooseEntry {
            domain,
            group,
            doc,
            tags,
            read: Box::new(read),
        };
        Loose {
            registry: self.clone(),
            id: self.add(key, Shown::Loose(Arc::new(entry))),
        }
    }

    fn add(&self, key: (&'static str, &'static str, Vec<String>), shown: Shown) -> u64 {
        let mut entries = self.entries.lock();
        let id = entries.next;
        entries.next += 1;
        if let Some(earlier) = entries.latest.insert(key, id) {
            entries.groups.remove(&earlier);
        }
        entries.groups.insert(id, shown);
        id
    }

    fn remove(&self, id: u64) {
        let mut entries = self.entries.lock();
        if let Some(shown) = entries.groups.remove(&id) {
            entries.latest.remove(&shown.key());
        }
    }

    /// The Prometheus text of everything there is, format 0.0.4, sorted by name.
    pub fn render(&self) -> String {
        let now_ms = self.now_ms();
        let shown: Vec<Shown> = self.entries.lock().groups.values().cloned().collect();
        let mut families = Families::default();
        for group in shown {
            match group {
                Shown::Table(entry) => entry.add_to(&mut families, now_ms),
                Shown::Loose(entry) => entry.add_to(&mut families),
            }
        }
        families.text()
    }
}

/// All series of one name stand together under one head.
#[derive(Default)]
struct Families(BTreeMap<String, (Kind, &'static str, Vec<String>)>);

impl Families {
    fn add(&mut self, name: String, kind: Kind, doc: &'static str, line: String) {
        let family = self.0.entry(name).or_insert((kind, doc, Vec::new()));
        family.2.push(line);
    }

    /// As [`Families::add`], unless there is a series with these labels: two names may be one in Prometheus' characters.
    fn add_new(&mut self, name: String, kind: Kind, doc: &'static str, labels: &str, line: String) {
        let is_known = |line: &String| line.strip_prefix(labels).is_some_and(|rest| rest.starts_with(' '));
        if self
            .0
            .get(&name)
            .is_none_or(|(_, _, lines)| !lines.iter().any(is_known))
        {
            self.add(name, kind, doc, line);
        }
    }

    fn text(self) -> String {
        let mut text = String::new();
        for (name, (kind, doc, lines)) in self.0 {
            let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escaped_help(doc));
            for line in lines {
                let _ = writeln!(text, "{name}{line}");
            }
        }
        text
    }
}

impl Shown {
    fn key(&self) -> (&'static str, &'static str, Vec<String>) {
        match self {
            Self::Table(entry) => (entry.def.domain, entry.def.group, entry.tags.clone()),
            Self::Loose(entry) => {
                let tags = entry.tags.iter().map(|(_, value)| value.clone()).collect();
                (entry.domain, entry.group, tags)
            }
        }
    }
}

impl Entry {
    fn add_to(&self, families: &mut Families, now_ms: i64) {
        let values = self.values.lock();
        for metric in self.def.metrics {
            let Some((_, source)) = values.iter().find(|(name, _)| *name == metric.name) else {
                continue;
            };
            let labels = self.def.tags.iter().copied().zip(self.tags.iter().map(String::as_str));
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
            families.add(self.def.prometheus_name(metric), metric.kind, metric.doc, line);
        }
    }
}

impl LooseEntry {
    fn add_to(&self, families: &mut Families) {
        for metric in (self.read)() {
            let mut labels: Vec<(String, &str)> = Vec::new();
            let own = self.tags.iter().map(|(name, value)| (*name, value));
            let further = metric.tags.iter().map(|(name, value)| (name.as_str(), value));
            for (name, value) in own.chain(further) {
                let mut name = plain(name);
                if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    name.insert(0, '_');
                }
                // A plugin has no say over the group's tags, and one label has one value.
                if labels.iter().all(|(known, _)| *known != name) {
                    labels.push((name, value));
                }
            }
            let labels = braces(labels.iter().map(|(name, value)| (name.as_str(), *value)));
            let name = prometheus_name(self.domain, self.group, &metric.name);
            let line = format!("{labels} {}", number(metric.value));
            families.add_new(name, metric.kind, self.doc, &labels, line);
        }
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
        debug_assert!(
            self.entry.def.metrics.iter().any(|metric| metric.name == name),
            "{name} is not in the table of {}",
            self.entry.def.group
        );
        let mut values = self.entry.values.lock();
        values.retain(|(known, _)| *known != name);
        values.push((name, source));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.registry.remove(self.id);
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        self.registry.remove(self.id);
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("group", &self.def.group)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
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
mod tests;
