//! What is logged, and where it goes.
//!
//! Lines go to standard error; standard output belongs to the command. Levels can be changed while the process runs: the filter is
//! made anew from what it was started with and what was set since. How a line looks is in `log_lines`.

use std::io::{IsTerminal as _, Write};
use std::sync::OnceLock;

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};
use weir_herder::loggers::{Level, LevelSink, Loggers, NoLevels};

use crate::log_lines::{ConnectorContext, KafkaLine, LogFormat};

/// librdkafka and the HTTP stack say little that helps at info.
const QUIET: &str = "hyper=warn,reqwest=warn,wasmtime=warn,cranelift=warn,rdkafka=warn,librdkafka=warn";

/// What the process was started with, and the way to change it.
static STARTED: OnceLock<Reloadable> = OnceLock::new();

#[derive(Debug, Clone)]
struct Reloadable {
    /// As given on the command line.
    level: String,
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Starts logging at `level`, or by filter directives, in a form.
pub(crate) fn start(level: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .with_context(|| format!("--log {level:?} is neither a level (error, warn, info, debug, trace) nor a filter such as weir_worker=debug"))?;
    let colours = std::io::stderr().is_terminal() && format == LogFormat::Text;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .event_format(KafkaLine(format));
    let (filter, handle) = reload::Layer::new(filter);
    tracing_subscriber::registry()
        .with(filter)
        .with(ConnectorContext)
        .with(lines)
        .try_init()
        .context("logging was started twice")?;
    let started = Reloadable {
        level: level.to_owned(),
        filter: handle,
    };
    STARTED
        .set(started)
        .map_err(|_| anyhow::anyhow!("logging was started twice"))
}

/// The log levels of this process, for the admin endpoints.
pub(crate) fn loggers() -> Loggers {
    match STARTED.get() {
        Some(started) => Loggers::new(root_level(&started.level), Box::new(started.clone())),
        None => Loggers::new(Level::Info, Box::new(NoLevels)),
    }
}

/// The level of a filter that names no module; without one nothing but errors is logged.
fn root_level(filter: &str) -> Level {
    let mut bare = filter.split(',').map(str::trim).filter_map(Level::parse);
    bare.next_back().unwrap_or(Level::Error)
}

impl LevelSink for Reloadable {
    fn apply(&self, root: Option<Level>, modules: &[(String, Level)]) {
        let directives = directives(&self.level, root, modules);
        let changed = EnvFilter::try_new(&directives)
            .map_err(|error| error.to_string())
            .and_then(|filter| self.filter.reload(filter).map_err(|error| error.to_string()));
        if let Err(error) = changed {
            tracing::warn!(error, directives, "log levels were not changed");
        }
    }
}

/// A later directive wins over an equal earlier one; a level of the root is of everything.
fn directives(started: &str, root: Option<Level>, modules: &[(String, Level)]) -> String {
    let mut directives = match root {
        Some(level) => tracing_level(level).to_owned(),
        None => format!("{QUIET},{started}"),
    };
    for (module, level) in modules {
        // A name with other characters is nobody's module, and no directive either.
        if module
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        {
            directives.push_str(&format!(",{module}={}", tracing_level(*level)));
        }
    }
    directives
}

fn tracing_level(level: Level) -> &'static str {
    match level {
        Level::Off => "off",
        Level::Fatal | Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace | Level::All => "trace",
    }
}

/// The last words of a failed command.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "weir: {error:#}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_what_it_was_started_with_and_what_was_set() {
        let debug = [("weir_rest".to_owned(), Level::Debug), ("a b".to_owned(), Level::All)];
        let made = directives("warn,weir_worker=info", None, &debug);
        assert!(made.ends_with(",warn,weir_worker=info,weir_rest=debug"), "{made}");
        assert_eq!(
            directives("warn", Some(Level::Fatal), &debug[..1]),
            "error,weir_rest=debug"
        );
    }

    #[test]
    fn the_roots_level_is_the_bare_one() {
        for (filter, expected) in [
            ("info", Level::Info),
            ("weir_worker=debug,warn", Level::Warn),
            ("weir_worker=debug", Level::Error),
        ] {
            assert_eq!(root_level(filter), expected, "{filter}");
        }
    }
}
