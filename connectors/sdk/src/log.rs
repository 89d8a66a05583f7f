//! Logging into the worker's log
//!
//! `info!("opened {path}")`, or with fields after a semicolon: `warn!("retrying"; "attempt" => attempt)`. The text is
//! formatted only when the level is on. The worker adds connector and task by itself and drops lines over its rate.

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Per record.
    Trace,
    /// Per batch.
    Debug,
    /// Lifecycle.
    Info,
    /// Retried or degraded.
    Warn,
    /// Someone must act.
    Error,
}

/// Tells whether lines of this level are kept.
pub fn enabled(level: Level) -> bool {
    host::log_enabled(level)
}

/// Writes one line; the macros below are the usual way.
pub fn write(level: Level, message: &str, fields: &[(&str, String)]) {
    host::log(level, message, fields);
}

/// Writes one line at the given level.
#[macro_export]
macro_rules! log_at {
    ($level:expr, $($text:expr),+ $(; $($name:expr => $value:expr),+ $(,)?)?) => {
        if $crate::log::enabled($level) {
            $crate::log::write($level, &::std::format!($($text),+), &[$($(($name, ::std::string::ToString::to_string(&$value))),+)?]);
        }
    };
}

/// Writes a line at level trace.
#[macro_export]
macro_rules! trace { ($($line:tt)+) => { $crate::log_at!($crate::log::Level::Trace, $($line)+) }; }
/// Writes a line at level debug.
#[macro_export]
macro_rules! debug { ($($line:tt)+) => { $crate::log_at!($crate::log::Level::Debug, $($line)+) }; }
/// Writes a line at level info.
#[macro_export]
macro_rules! info { ($($line:tt)+) => { $crate::log_at!($crate::log::Level::Info, $($line)+) }; }
/// Writes a line at level warn.
#[macro_export]
macro_rules! warn { ($($line:tt)+) => { $crate::log_at!($crate::log::Level::Warn, $($line)+) }; }
/// Writes a line at level error.
#[macro_export]
macro_rules! error { ($($line:tt)+) => { $crate::log_at!($crate::log::Level::Error, $($line)+) }; }
