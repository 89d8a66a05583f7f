//! What is done about an operation that failed on one record.
//!
//! Retriable errors are tried again until `errors.retry.timeout`; then `errors.tolerance` decides.
//! The decision is here, the operation itself stays with its caller.
//! Source: `RetryWithToleranceOperator`, KIP-298.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_api::error::ConnectError;

use crate::connector_config::{ErrorSettings, Tolerance};
use crate::error::TaskFailure;
use crate::lifecycle::Control;
use crate::pipeline::report::{ErrorReporter, Failing};

/// First wait between two tries; doubled each time.
const RETRY_DELAY_MIN_MS: u64 = 300;

/// What the caller does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The operation is tried again.
    Retry,
    /// The record is left out.
    Skip,
    /// The task fails.
    Fail(TaskFailure),
}

/// The error rules of one task, and how far the current operation has come.
#[derive(Debug)]
pub struct ErrorRules {
    reporter: Arc<ErrorReporter>,
    settings: ErrorSettings,
    attempt: u32,
    since: Option<Instant>,
    /// State of the jitter beyond the longest delay.
    random: u64,
}

impl ErrorRules {
    /// Creates the rules of one task.
    pub fn new(reporter: Arc<ErrorReporter>, settings: ErrorSettings) -> Self {
        let id = &reporter.id;
        let random = 0x9E37_79B9_7F4A_7C15 ^ u64::from(id.task).wrapping_add(id.connector.len() as u64) << 17;
        Self {
            reporter,
            settings,
            attempt: 0,
            since: None,
            random,
        }
    }

    /// What failures are reported to.
    pub fn reporter(&self) -> &ErrorReporter {
        &self.reporter
    }

    /// Is true when failed records are left out rather than failing the task.
    pub fn tolerates(&self) -> bool {
        self.settings.tolerance == Tolerance::All
    }

    /// Decides about a failure and reports it when it is final. Waits before answering `Retry`; a stop
    /// request ends the wait.
    pub async fn judge(&mut self, failing: Failing<'_>, error: ConnectError, control: &Control) -> Verdict {
        let reporter = Arc::clone(&self.reporter);
        let counters = &reporter.counters;
        counters.failed();
        if error.is_retriable()
            && let Some(delay) = self.next_delay(Instant::now())
        {
            tracing::debug!(task = %reporter.id, stage = failing.stage.name(), delay_ms = delay.as_millis() as u64, "operation failed, trying again");
            control.sleep(delay).await;
            counters.retried();
            if !control.is_stopping() {
                return Verdict::Retry;
            }
        }
        self.succeeded();
        counters.gave_up();
        reporter.report(failing, &error).await;
        if self.tolerates() {
            counters.skipped();
            return Verdict::Skip;
        }
        Verdict::Fail(TaskFailure::connect("Tolerance exceeded in error handler").caused_by(error))
    }

    /// Notes that a source's record was left out without another try, because the broker refused it.
    pub fn tolerate(&self, failing: Failing<'_>, error: &ConnectError) {
        let counters = &self.reporter.counters;
        counters.failed();
        counters.gave_up();
        counters.skipped();
        self.reporter.log(failing, error);
    }

    /// Notes that the operation went through: the next failure starts afresh.
    pub fn succeeded(&mut self) {
        self.attempt = 0;
        self.since = None;
    }

    /// Time to wait before the next try; none when there is to be no other.
    fn next_delay(&mut self, now: Instant) -> Option<Duration> {
        let timeout = self.settings.retry_timeout_ms;
        if timeout == 0 {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let spent_ms = now.duration_since(since).as_millis() as u64;
        let left_ms = match u64::try_from(timeout) {
            Ok(limit) => limit.checked_sub(spent_ms).filter(|left| *left > 0)?,
            Err(_) => u64::MAX,
        };
        self.attempt += 1;
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let max_ms = u64::try_from(self.settings.retry_delay_max_ms).unwrap_or(0);
        Some(Duration::from_millis(
            delay_ms(self.attempt, max_ms, self.random >> 33).min(left_ms),
        ))
    }
}

/// Doubles from 300 ms; beyond the longest delay it is random below it.
fn delay_ms(attempt: u32, max_ms: u64, random: u64) -> u64 {
    let delay = RETRY_DELAY_MIN_MS.saturating_mul(1 << attempt.saturating_sub(1).min(40));
    if delay > max_ms { random % max_ms.max(1) } else { delay }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::watch;
    use tokio::time::Instant;
    use weir_api::error::ConnectError;
    use weir_plugins::stop::StopSignal;
    use weir_stores::configs::state::TargetState;

    use super::{ErrorRules, Verdict, delay_ms};
    use crate::connector_config::{ErrorLog, ErrorSettings, Tolerance};
    use crate::figures::ErrorFigures;
    use crate::lifecycle::{Control, TaskId};
    use crate::pipeline::report::{ErrorReporter, FailedRecord, Failing};
    use crate::pipeline::stage::Stage;

    const FAILING: Failing<'static> = Failing {
        stage: Stage::ValueConverter,
        class: "C",
        record: FailedRecord::Source(""),
    };

    fn rules(retry_timeout_ms: i64, tolerance: Tolerance) -> ErrorRules {
        let settings = ErrorSettings {
            retry_timeout_ms,
            retry_delay_max_ms: 1000,
            tolerance,
            log: ErrorLog::Off,
        };
        let id = TaskId {
            connector: "c".to_owned(),
            task: 0,
        };
        let reporter = ErrorReporter {
            id,
            log: settings.log,
            dead_letters: None,
            counters: Arc::default(),
        };
        ErrorRules::new(Arc::new(reporter), settings)
    }

    fn control() -> (watch::Sender<TargetState>, Control) {
        let (sender, target) = watch::channel(TargetState::Started);
        (
            sender,
            Control {
                target,
                stop: StopSignal::new(),
            },
        )
    }

    #[test]
    fn delays_double_and_then_stay_below_the_longest() {
        assert_eq!([1, 2, 3].map(|attempt| delay_ms(attempt, 60_000, 0)), [300, 600, 1200]);
        assert_eq!(delay_ms(9, 60_000, 61_234), 1234);
        assert_eq!(delay_ms(1, 0, 7), 0);
        assert!(delay_ms(60, 60_000, 59_999) < 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn only_retriable_errors_are_tried_again_and_only_for_the_timeout() {
        let (_sender, control) = control();
        let mut rules = rules(1000, Tolerance::None);
        let begin = Instant::now();
        let mut tries = 0;
        let failure = loop {
            match rules.judge(FAILING, ConnectError::retriable("later"), &control).await {
                Verdict::Retry => tries += 1,
                Verdict::Fail(failure) => break failure,
                Verdict::Skip => panic!("tolerance is none"),
            }
        };
        assert_eq!((tries, begin.elapsed()), (3, Duration::from_millis(1000)));
        assert_eq!(failure.message, "Tolerance exceeded in error handler");
        assert_eq!(failure.cause.unwrap().message, "later");
        let verdict = rules.judge(FAILING, ConnectError::data("bad"), &control).await;
        assert!(matches!(verdict, Verdict::Fail(_)));
        let figures = rules.reporter().counters.figures();
        assert_eq!((figures.failures, figures.retries), (5, 3), "{figures:?}");
        assert_eq!((figures.errors, figures.skipped), (2, 0), "{figures:?}");
        assert!(figures.last_error_ms > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tolerated_record_is_skipped_and_a_stop_ends_the_wait() {
        let (_sender, control) = control();
        let mut rules = rules(-1, Tolerance::All);
        assert_eq!(
            rules.judge(FAILING, ConnectError::data("bad"), &control).await,
            Verdict::Skip
        );
        assert_eq!(
            rules.reporter().counters.figures(),
            ErrorFigures {
                failures: 1,
                errors: 1,
                skipped: 1,
                last_error_ms: rules.reporter().counters.figures().last_error_ms,
                ..ErrorFigures::default()
            }
        );
        assert_eq!(
            rules.judge(FAILING, ConnectError::retriable("x"), &control).await,
            Verdict::Retry
        );
        control.stop.request(Duration::from_secs(5));
        let begin = Instant::now();
        assert_eq!(
            rules.judge(FAILING, ConnectError::retriable("x"), &control).await,
            Verdict::Skip
        );
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}
