//! Guest lines into the worker's log
//!
//! Each line carries connector and task as fields. A flood is cut at a fixed rate; how many lines were dropped is said
//! once a second at most, so that the cut itself cannot flood.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Level;

use crate::bindings::weir::connect::runtime::Level as GuestLevel;
use crate::host::state::Identity;
use crate::limits::MAX_LOG_LINES_PER_SECOND;
use crate::secrets::Secrets;

/// The log of one instance.
#[derive(Debug)]
pub(crate) struct GuestLog {
    connector: Arc<str>,
    task: Option<u32>,
    rate: LineRate,
    secrets: Arc<Secrets>,
}

impl GuestLog {
    pub(crate) fn new(identity: &Identity, secrets: &Arc<Secrets>) -> Self {
        Self {
            connector: Arc::clone(&identity.connector),
            task: identity.task,
            rate: LineRate::new(MAX_LOG_LINES_PER_SECOND),
            secrets: Arc::clone(secrets),
        }
    }

    pub(crate) fn is_enabled(level: GuestLevel) -> bool {
        match level {
            GuestLevel::Trace => tracing::enabled!(target: "weir::plugin", Level::TRACE),
            GuestLevel::Debug => tracing::enabled!(target: "weir::plugin", Level::DEBUG),
            GuestLevel::Info => tracing::enabled!(target: "weir::plugin", Level::INFO),
            GuestLevel::Warn => tracing::enabled!(target: "weir::plugin", Level::WARN),
            GuestLevel::Error => tracing::enabled!(target: "weir::plugin", Level::ERROR),
        }
    }

    pub(crate) fn write(&mut self, level: GuestLevel, message: &str, fields: &[(String, String)]) {
        if !Self::is_enabled(level) {
            return;
        }
        match self.rate.admit() {
            Admission::Line { dropped_before } => {
                if dropped_before > 0 {
                    warn_dropped(&self.connector, self.task, dropped_before);
                }
            }
            Admission::Drop => return,
        }
        let (connector, task, fields) = (&*self.connector, self.task, joined(fields));
        let (message, fields) = (self.secrets.redact(message), self.secrets.redact_owned(fields));
        let fields = Some(fields.as_str()).filter(|fields| !fields.is_empty());
        match level {
            GuestLevel::Trace => {
                tracing::trace!(target: "weir::plugin", connector, task, fields, "{message}");
            }
            GuestLevel::Debug => {
                tracing::debug!(target: "weir::plugin", connector, task, fields, "{message}");
            }
            GuestLevel::Info => {
                tracing::info!(target: "weir::plugin", connector, task, fields, "{message}");
            }
            GuestLevel::Warn => {
                tracing::warn!(target: "weir::plugin", connector, task, fields, "{message}");
            }
            GuestLevel::Error => {
                tracing::error!(target: "weir::plugin", connector, task, fields, "{message}");
            }
        }
    }
}

pub(crate) fn warn_dropped(connector: &str, task: Option<u32>, dropped: u64) {
    tracing::warn!(target: "weir::plugin", connector, task, dropped, "log lines of the plugin were dropped");
}

fn joined(fields: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// Lines a second, counted in whole seconds from the first line on.
#[derive(Debug)]
pub(crate) struct LineRate {
    per_second: u32,
    second_began: Option<Instant>,
    in_this_second: u32,
    dropped: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Line { dropped_before: u64 },
    Drop,
}

impl LineRate {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            second_began: None,
            in_this_second: 0,
            dropped: 0,
        }
    }

    pub(crate) fn admit(&mut self) -> Admission {
        let now = Instant::now();
        let is_over = self
            .second_began
            .is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1));
        if is_over {
            self.second_began = Some(now);
            self.in_this_second = 0;
        }
        if self.in_this_second >= self.per_second {
            self.dropped += 1;
            return Admission::Drop;
        }
        self.in_this_second += 1;
        Admission::Line {
            dropped_before: std::mem::take(&mut self.dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_and_counted() {
        let mut rate = LineRate::new(3);
        let admitted = (0..10)
            .filter(|_| matches!(rate.admit(), Admission::Line { .. }))
            .count();
        assert_eq!(admitted, 3);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(rate.admit(), Admission::Line { dropped_before: 7 });
        assert_eq!(rate.admit(), Admission::Line { dropped_before: 0 });
    }
}
