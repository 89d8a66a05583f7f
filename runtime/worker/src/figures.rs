//! What a task has done so far, in numbers.
//!
//! Loops write into atomics once a batch; whoever asks gets a copy. Nothing here decides anything but
//! `watch`, which looks at the same numbers for tasks that stand still.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use weir_metrics::clock::Clock;

/// Errors of one task, counted as Connect's `task-error-metrics` are.
#[derive(Debug, Default)]
pub struct ErrorCounters {
    failures: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    logged: AtomicU64,
    dead_letters: AtomicU64,
    dead_letter_failures: AtomicU64,
    last_error_ms: AtomicI64,
}

/// A copy of [`ErrorCounters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErrorFigures {
    /// Every failed attempt.
    pub failures: u64,
    /// Records that failed for good.
    pub errors: u64,
    /// Records left out.
    pub skipped: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Errors written to the log.
    pub logged: u64,
    /// Records given to the dead letter queue.
    pub dead_letters: u64,
    /// Records that the dead letter queue did not take.
    pub dead_letter_failures: u64,
    /// Milliseconds since the epoch; 0 = never.
    pub last_error_ms: i64,
}

impl ErrorCounters {
    /// An attempt failed.
    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// A record failed for good.
    pub fn gave_up(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.last_error_ms.store(Clock::System.now_ms(), Ordering::Relaxed);
    }

    /// A record was left out.
    pub fn skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    /// An operation is tried again.
    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// An error was written to the log.
    pub fn logged(&self) {
        self.logged.fetch_add(1, Ordering::Relaxed);
    }

    /// A record was given to the dead letter queue.
    pub fn dead_letter(&self) {
        self.dead_letters.fetch_add(1, Ordering::Relaxed);
    }

    /// The dead letter queue did not take a record.
    pub fn dead_letter_failed(&self) {
        self.dead_letter_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Copies the counts.
    pub fn figures(&self) -> ErrorFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ErrorFigures {
            failures: read(&self.failures),
            errors: read(&self.errors),
            skipped: read(&self.skipped),
            retries: read(&self.retries),
            logged: read(&self.logged),
            dead_letters: read(&self.dead_letters),
            dead_letter_failures: read(&self.dead_letter_failures),
            last_error_ms: self.last_error_ms.load(Ordering::Relaxed),
        }
    }
}
