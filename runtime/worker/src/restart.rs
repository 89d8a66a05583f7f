//! When a failed task is started again by itself.
//!
//! Beyond Connect, where a failed task stays failed. By default only failures that may pass are followed
//! by another start, with a wait that doubles. Who starts it is the herder, as on a user's request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator};
use weir_config::map::ConfigMap;
use weir_config::validate::ParsedConfig;
use weir_metrics::clock::Clock;

use crate::error::{TaskFailure, WorkerError};
use crate::lifecycle::TaskId;

pub const RESTART_POLICY: &str = "weir.restart.policy";
pub const RESTART_BACKOFF: &str = "weir.restart.backoff.ms";
pub const RESTART_BACKOFF_MAX: &str = "weir.restart.backoff.max.ms";
/// Prefix of the three.
pub const RESTART_PREFIX: &str = "weir.restart.";

/// After which failures a task is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    Never,
    /// Failures that may pass: a cluster, registry or service that does not answer.
    Retriable,
    Always,
}

/// `weir.restart.*` of a worker or connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartSettings {
    pub policy: RestartPolicy,
    pub backoff: Duration,
    pub backoff_max: Duration,
}

impl Default for RestartSettings {
    fn default() -> Self {
        Self {
            policy: RestartPolicy::Retriable,
            backoff: Duration::from_secs(5),
            backoff_max: Duration::from_secs(600),
        }
    }
}

impl RestartSettings {
    /// Reads a worker's settings.
    ///
    /// # Errors
    /// A value that does not parse.
    pub fn of_worker(parsed: &ParsedConfig) -> Result<Self, weir_config::error::ConfigError> {
        let duration = |key: &str| {
            parsed
                .get_long(key)
                .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
        };
        Ok(Self {
            policy: match parsed.get_text(RESTART_POLICY)? {
                "never" => RestartPolicy::Never,
                "always" => RestartPolicy::Always,
                _ => RestartPolicy::Retriable,
            },
            backoff: duration(RESTART_BACKOFF)?,
            backoff_max: duration(RESTART_BACKOFF_MAX)?,
        })
    }

    /// Reads a connector's settings; what it leaves out is as here.
    ///
    /// # Errors
    /// A value that does not parse.
    pub fn of_connector(self, connector: &ConfigMap) -> Result<Self, WorkerError> {
        if !connector.keys().any(|key| key.starts_with(RESTART_PREFIX)) {
            return Ok(self);
        }
        let def = restart_keys(self).into_iter().fold(ConfigDef::new(), ConfigDef::key);
        Ok(Self::of_worker(&def.parse(connector)?)?)
    }

    /// Is true when a task is started again after such a failure.
    pub fn covers(&self, failure: &TaskFailure) -> bool {
        match self.policy {
            RestartPolicy::Never => false,
            RestartPolicy::Retriable => failure.may_pass(),
            RestartPolicy::Always => true,
        }
    }

    /// Wait before the next start; none when there is to be no other by itself.
    fn wait(&self, failure: &TaskFailure, attempt: u32) -> Option<Duration> {
        if !self.covers(failure) {
            return None;
        }
        let doubled = self.backoff.saturating_mul(1 << attempt.min(20));
        Some(doubled.min(self.backoff_max))
    }
}

/// The keys with given defaults. In a connector's definition only where it sets one of them, so that
/// answers about other connectors are as Connect's.
pub fn restart_keys(defaults: RestartSettings) -> [ConfigKey; 3] {
    let policy = match defaults.policy {
        RestartPolicy::Never => "never",
        RestartPolicy::Retriable => "retriable",
        RestartPolicy::Always => "always",
    };
    let ms = |key: &str, time: Duration, doc: &str| {
        ConfigKey::new(key, ConfigType::Long)
            .default(&time.as_millis().to_string())
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc(doc)
    };
    [
        ConfigKey::new(RESTART_POLICY, ConfigType::Text)
            .default(policy)
            .validator(Validator::one_of(&["never", "retriable", "always"]))
            .importance(Importance::Low)
            .doc(POLICY_DOC),
        ms(RESTART_BACKOFF, defaults.backoff, BACKOFF_DOC),
        ms(RESTART_BACKOFF_MAX, defaults.backoff_max, BACKOFF_MAX_DOC),
    ]
}

pub const POLICY_DOC: &str = "Which failed tasks are started again by themselves: never any, those whose failure may pass (retriable), or always.";
pub const BACKOFF_DOC: &str = "Wait before a failed task is started again, in milliseconds; doubled each time.";
pub const BACKOFF_MAX_DOC: &str = "Longest wait before a failed task is started again, in milliseconds. A task that ran this long starts over with the shortest.";

/// How often tasks failed and were started again, and when that is next.
#[derive(Debug, Clone, Default)]
pub struct Restarts {
    tasks: Arc<Mutex<HashMap<TaskId, Attempts>>>,
}

#[derive(Debug, Default, Clone)]
struct Attempts {
    /// Starts by themselves since the last long run or a user's restart.
    count: u32,
    /// Milliseconds since the epoch.
    next_ms: Option<i64>,
    last_error: Option<String>,
    /// The next start is the one that was waited for.
    is_due: bool,
}

/// What is shown of a task's restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestartFigures {
    pub count: u32,
    /// Milliseconds since the epoch.
    pub next_ms: Option<i64>,
    pub last_error: Option<String>,
}

impl Restarts {
    /// Notes a failure; answers the wait before the next start, if there is to be one.
    pub fn failed(
        &self,
        id: &TaskId,
        settings: &RestartSettings,
        failure: &TaskFailure,
        started: Instant,
    ) -> Option<Duration> {
        let mut tasks = self.tasks.lock();
        let attempts = tasks.entry(id.clone()).or_default();
        if started.elapsed() >= settings.backoff_max {
            attempts.count = 0;
        }
        let wait = settings.wait(failure, attempts.count);
        attempts.last_error = Some(failure.root_text());
        attempts.next_ms = wait.map(|wait| {
            let ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            Clock::System.now_ms().saturating_add(ms)
        });
        wait
    }

    /// Notes that the wait is over and a start was asked for.
    pub fn due(&self, id: &TaskId) {
        if let Some(attempts) = self.tasks.lock().get_mut(id) {
            attempts.count = attempts.count.saturating_add(1);
            attempts.next_ms = None;
            attempts.is_due = true;
        }
    }

    /// Notes that a task was stopped. Unless that is part of its restart, it starts afresh.
    pub fn stopped(&self, id: &TaskId) {
        let mut tasks = self.tasks.lock();
        match tasks.get_mut(id) {
            Some(attempts) if attempts.is_due => attempts.is_due = false,
            _ => drop(tasks.remove(id)),
        }
    }

    /// Copies what is known of a task.
    pub fn figures(&self, id: &TaskId) -> RestartFigures {
        let tasks = self.tasks.lock();
        let attempts = tasks.get(id).cloned().unwrap_or_default();
        RestartFigures {
            count: attempts.count,
            next_ms: attempts.next_ms,
            last_error: attempts.last_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use weir_api::error::ConnectError;
    use weir_config::map::ConfigMap;

    use super::{RestartPolicy, RestartSettings, Restarts};
    use crate::error::TaskFailure;
    use crate::lifecycle::TaskId;

    fn passing() -> TaskFailure {
        TaskFailure::connect("outer").caused_by(ConnectError::retriable("the registry is away"))
    }

    fn id() -> TaskId {
        TaskId {
            connector: "c".to_owned(),
            task: 0,
        }
    }

    #[test]
    fn a_connector_sets_what_it_wants_otherwise() {
        let worker = RestartSettings::default();
        let config = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<ConfigMap>();
        assert_eq!(worker.of_connector(&config(&[("name", "c")])).unwrap(), worker);
        let own = worker
            .of_connector(&config(&[
                ("weir.restart.policy", "always"),
                ("weir.restart.backoff.ms", "7"),
            ]))
            .unwrap();
        assert_eq!(
            own,
            RestartSettings {
                policy: RestartPolicy::Always,
                backoff: Duration::from_millis(7),
                backoff_max: worker.backoff_max,
            }
        );
        assert!(
            worker
                .of_connector(&config(&[("weir.restart.policy", "perhaps")]))
                .is_err()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_the_longest_and_start_over_after_a_long_run() {
        let settings = RestartSettings {
            policy: RestartPolicy::Retriable,
            backoff: Duration::from_secs(1),
            backoff_max: Duration::from_secs(3),
        };
        let restarts = Restarts::default();
        let mut waits = Vec::new();
        for _ in 0..3 {
            waits.extend(restarts.failed(&id(), &settings, &passing(), Instant::now()));
            restarts.due(&id());
            restarts.stopped(&id());
        }
        assert_eq!(waits, [1, 2, 3].map(Duration::from_secs));
        let figures = restarts.figures(&id());
        assert_eq!((figures.count, figures.next_ms), (3, None));
        assert_eq!(figures.last_error.as_deref(), Some("the registry is away"));
        let long_ago = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(
            restarts.failed(&id(), &settings, &passing(), long_ago),
            Some(Duration::from_secs(1))
        );
        restarts.stopped(&id());
        assert_eq!(restarts.figures(&id()), super::RestartFigures::default());
    }

    #[test]
    fn the_policy_decides_by_the_whole_chain_of_causes() {
        let bad = TaskFailure::connect("outer").caused_by(ConnectError::data("bad"));
        for (policy, after_passing, after_bad) in [
            (RestartPolicy::Never, false, false),
            (RestartPolicy::Retriable, true, false),
            (RestartPolicy::Always, true, true),
        ] {
            let settings = RestartSettings {
                policy,
                ..RestartSettings::default()
            };
            assert_eq!(settings.wait(&passing(), 0).is_some(), after_passing, "{policy:?}");
            assert_eq!(settings.wait(&bad, 0).is_some(), after_bad, "{policy:?}");
        }
    }
}
