//! Log levels, told and set while the worker runs (KIP-495, KIP-976).
//!
//! Known loggers are the parts of Weir under the names that their counterparts in Apache Connect have, those of our own modules, and
//! every name ever set. A level covers a name and all below it; where it takes effect is the log layer's matter (`LevelSink`).
//! Levels of the whole cluster come back through the config topic. Source: `Loggers`, `LoggingResource`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::error::HerderError;
use crate::handle::{HerderHandle, REQUEST_TIMEOUT};
use crate::request::Request;

/// The name of the logger above all others.
pub const ROOT: &str = "root";

/// Apache's logger and the module that does the same work here.
const MODULES: &[(&str, &str)] = &[
    ("org.apache.kafka.clients", "weir_client"),
    ("org.apache.kafka.clients.native", "rdkafka"),
    ("org.apache.kafka.connect.cli", "weir"),
    ("org.apache.kafka.connect.converters", "weir_converters"),
    ("org.apache.kafka.connect.runtime", "weir_worker"),
    ("org.apache.kafka.connect.runtime.WorkerSinkTask", "weir_worker::sink"),
    (
        "org.apache.kafka.connect.runtime.WorkerSourceTask",
        "weir_worker::source",
    ),
    ("org.apache.kafka.connect.runtime.distributed", "weir_herder"),
    ("org.apache.kafka.connect.runtime.isolation", "weir_plugins"),
    ("org.apache.kafka.connect.runtime.rest", "weir_rest"),
    ("org.apache.kafka.connect.storage", "weir_stores"),
    ("org.apache.kafka.connect.transforms", "weir_transforms"),
    ("org.eclipse.jetty", "hyper"),
];

/// A level by Log4j's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Off,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
    All,
}

impl Level {
    const NAMES: [(&'static str, Level); 8] = [
        ("OFF", Level::Off),
        ("FATAL", Level::Fatal),
        ("ERROR", Level::Error),
        ("WARN", Level::Warn),
        ("INFO", Level::Info),
        ("DEBUG", Level::Debug),
        ("TRACE", Level::Trace),
        ("ALL", Level::All),
    ];

    /// Reads a name in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let named = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, level)| *level)
    }

    /// The name in upper case.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, level)| *level == self);
        named.map_or("INFO", |(name, _)| name)
    }
}

/// Where levels take effect.
pub trait LevelSink: Send + Sync {
    /// Takes over all levels: the root's where it was set, and module prefixes with theirs, the more special ones last.
    fn apply(&self, root: Option<Level>, modules: &[(String, Level)]);
}

/// Changes nothing; for workers that are not the whole process.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLevels;

impl LevelSink for NoLevels {
    fn apply(&self, _root: Option<Level>, _modules: &[(String, Level)]) {}
}

/// A logger as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggerLevel {
    /// Its level.
    pub level: Level,
    /// Milliseconds since 1970 of its last change; none before the first.
    pub last_modified: Option<i64>,
}

/// The levels of this worker; clones share them.
#[derive(Clone)]
pub struct Loggers {
    inner: Arc<Inner>,
}

struct Inner {
    levels: Mutex<Levels>,
    sink: Box<dyn LevelSink>,
}

#[derive(Debug)]
struct Levels {
    /// Of every known logger, the root among them.
    shown: BTreeMap<String, LoggerLevel>,
    root: Option<Level>,
    /// Names that were set, and nothing above them since.
    set: BTreeMap<String, Level>,
}

impl std::fmt::Debug for Loggers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loggers").finish_non_exhaustive()
    }
}

impl Loggers {
    /// All loggers at the level the process was started with.
    pub fn new(level: Level, sink: Box<dyn LevelSink>) -> Self {
        let first = LoggerLevel {
            level,
            last_modified: None,
        };
        let modules = MODULES
            .iter()
            .flat_map(|(java, module)| [(*java).to_owned(), dotted(module)]);
        let shown = modules.chain([ROOT.to_owned()]).map(|name| (name, first)).collect();
        let levels = Levels {
            shown,
            root: None,
            set: BTreeMap::new(),
        };
        Loggers {
            inner: Arc::new(Inner {
                levels: Mutex::new(levels),
                sink,
            }),
        }
    }

    /// Every logger that is not off, by name.
    pub fn all(&self) -> BTreeMap<String, LoggerLevel> {
        let levels = self.inner.levels.lock();
        let known = levels.shown.iter().filter(|(_, logger)| logger.level != Level::Off);
        known.map(|(name, logger)| (name.clone(), *logger)).collect()
    }

    /// One logger, if it exists; the root's name may be written in any case.
    pub fn get(&self, name: &str) -> Option<LoggerLevel> {
        self.inner.levels.lock().shown.get(known_name(name)).copied()
    }

    /// Sets a logger and all below it; answers the names whose level changed, sorted.
    pub fn set(&self, name: &str, level: Level, now: SystemTime) -> Vec<String> {
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
        let mut levels = self.inner.levels.lock();
        let changed = levels.set(known_name(name), level, i64::try_from(millis).unwrap_or(i64::MAX));
        let (root, modules) = (levels.root, levels.modules());
        drop(levels);
        if !changed.is_empty() {
            self.inner.sink.apply(root, &modules);
        }
        changed
    }

    /// Takes over a level of the config topic.
    pub(crate) fn set_from_cluster(&self, name: &str, level: &str) {
        match Level::parse(level) {
            Some(level) => drop(self.set(name, level, SystemTime::now())),
            None => tracing::warn!(logger = name, level, "unknown log level in the config topic"),
        }
    }
}

impl Levels {
    fn set(&mut self, name: &str, level: Level, now: i64) -> Vec<String> {
        let fresh = LoggerLevel {
            level,
            last_modified: Some(now),
        };
        let mut changed = Vec::new();
        for (known, logger) in &mut self.shown {
            if covers(name, known) && logger.level != level {
                *logger = fresh;
                changed.push(known.clone());
            }
        }
        if !self.shown.contains_key(name) {
            self.shown.insert(name.to_owned(), fresh);
            changed.push(name.to_owned());
            changed.sort();
        }
        self.set.retain(|set, _| !covers(name, set));
        if name == ROOT {
            self.root = Some(level);
        } else {
            self.set.insert(name.to_owned(), level);
        }
        changed
    }

    /// What was set, as prefixes of our modules.
    fn modules(&self) -> Vec<(String, Level)> {
        let mut modules: Vec<(String, Level)> = self
            .set
            .iter()
            .flat_map(|(name, level)| modules_of(name).into_iter().map(|module| (module, *level)))
            .collect();
        modules.sort_by_key(|(module, _)| module.len());
        modules
    }
}

fn known_name(name: &str) -> &str {
    if name.eq_ignore_ascii_case(ROOT) { ROOT } else { name }
}

/// Whether a level of `name` holds for the logger `known` as well.
fn covers(name: &str, known: &str) -> bool {
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with('.');
    name == ROOT || known.strip_prefix(name).is_some_and(is_below)
}

/// The modules that a logger's name speaks of.
fn modules_of(name: &str) -> Vec<String> {
    let below: Vec<String> = MODULES
        .iter()
        .filter(|(java, _)| covers(name, java))
        .map(|(_, module)| (*module).to_owned())
        .collect();
    if !below.is_empty() {
        return below;
    }
    let above = MODULES
        .iter()
        .filter(|(java, _)| covers(java, name))
        .max_by_key(|(java, _)| java.len());
    let native = match above {
        // A class of Apache's has its own place here only where the rest is a module of ours.
        Some((java, module)) => format!("{module}{}", name.get(java.len()..).unwrap_or("")),
        None => name.to_owned(),
    };
    vec![native.replace('.', "::")]
}

fn dotted(module: &str) -> String {
    module.replace("::", ".")
}

impl HerderHandle {
    /// Log levels of this worker.
    pub fn loggers(&self) -> &Loggers {
        &self.inner.loggers
    }

    /// Sets a level on every worker of the cluster; answered when written.
    pub async fn set_cluster_logger(&self, namespace: &str, level: Level) -> Result<(), HerderError> {
        let (namespace, level) = (namespace.to_owned(), level.name().to_owned());
        self.ask(REQUEST_TIMEOUT, |reply| Request::SetClusterLogger {
            namespace,
            level,
            reply,
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Level of the root, levels of loggers.
    type Applied = (Option<Level>, Vec<(String, Level)>);

    #[derive(Default, Clone)]
    struct Recorded(Arc<Mutex<Vec<Applied>>>);

    impl LevelSink for Recorded {
        fn apply(&self, root: Option<Level>, modules: &[(String, Level)]) {
            self.0.lock().push((root, modules.to_vec()));
        }
    }

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    #[test]
    fn a_level_holds_for_a_name_and_all_below_it() {
        let loggers = Loggers::new(Level::Info, Box::new(NoLevels));
        let changed = loggers.set("org.apache.kafka.connect.runtime", Level::Debug, at(5));
        assert!(
            changed.contains(&"org.apache.kafka.connect.runtime.rest".to_owned()),
            "{changed:?}"
        );
        assert!(changed.is_sorted());
        assert!(!changed.contains(&"org.apache.kafka.connect.storage".to_owned()));
        let rest = loggers.get("org.apache.kafka.connect.runtime.rest").expect("known");
        assert_eq!((rest.level, rest.last_modified), (Level::Debug, Some(5)));
        assert_eq!(loggers.get(ROOT).expect("root").last_modified, None);
    }

    #[test]
    fn the_same_level_again_changes_nothing() {
        let loggers = Loggers::new(Level::Info, Box::new(NoLevels));
        assert_eq!(loggers.get("some.new"), None);
        assert_eq!(loggers.set("some.new", Level::Trace, at(1)), ["some.new"]);
        assert_eq!(loggers.set("some.new", Level::Trace, at(2)), Vec::<String>::new());
        assert_eq!(loggers.get("some.new").expect("known").last_modified, Some(1));
        assert_eq!(loggers.get("some"), None, "what is above it does not come into being");
    }

    #[test]
    fn what_is_off_is_not_listed_but_can_be_asked_for() {
        let loggers = Loggers::new(Level::Info, Box::new(NoLevels));
        loggers.set("weir_rest", Level::Off, at(1));
        assert!(!loggers.all().contains_key("weir_rest"));
        assert_eq!(loggers.get("weir_rest").expect("known").level, Level::Off);
        assert_eq!(loggers.set("Root", Level::Warn, at(2)).len(), loggers.all().len());
        assert_eq!(loggers.get("ROOT").expect("root").level, Level::Warn);
    }

    #[test]
    fn names_of_both_kinds_reach_modules() {
        for (name, expected) in [
            ("org.apache.kafka.connect.runtime.rest", vec!["weir_rest"]),
            ("org.apache.kafka.clients", vec!["weir_client", "rdkafka"]),
            (
                "org.apache.kafka.connect.runtime.distributed.lane",
                vec!["weir_herder::lane"],
            ),
            ("weir_worker.source", vec!["weir_worker::source"]),
            ("com.example", vec!["com::example"]),
        ] {
            assert_eq!(modules_of(name), expected, "{name}");
        }
    }

    #[test]
    fn the_log_layer_gets_general_levels_first_and_overruled_ones_not_at_all() {
        let sink = Recorded::default();
        let loggers = Loggers::new(Level::Info, Box::new(sink.clone()));
        loggers.set("weir_worker.source", Level::Trace, at(1));
        loggers.set("weir_worker", Level::Debug, at(2));
        loggers.set("weir_worker.sink", Level::All, at(3));
        loggers.set(ROOT, Level::Error, at(4));
        let seen = sink.0.lock();
        let module = |name: &str, level| (name.to_owned(), level);
        assert_eq!(seen.get(1), Some(&(None, vec![module("weir_worker", Level::Debug)])));
        assert_eq!(
            seen.get(2),
            Some(&(
                None,
                vec![
                    module("weir_worker", Level::Debug),
                    module("weir_worker::sink", Level::All)
                ]
            ))
        );
        assert_eq!(seen.get(3), Some(&(Some(Level::Error), Vec::new())));
    }

    #[test]
    fn levels_have_log4js_names_in_any_case() {
        assert_eq!(Level::parse("warn"), Some(Level::Warn));
        assert_eq!(Level::parse("TRACY"), None);
        assert_eq!(Level::Fatal.name(), "FATAL");
    }
}
