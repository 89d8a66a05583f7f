//! At most one line a minute of a kind that clients can provoke.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const INTERVAL_MS: i64 = 60_000;

/// Admits one event a minute and counts the rest.
#[derive(Debug)]
pub(crate) struct LogLimit {
    last_ms: AtomicI64,
    suppressed: AtomicU64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self {
            last_ms: AtomicI64::new(i64::MIN),
            suppressed: AtomicU64::new(0),
        }
    }
}

impl LogLimit {
    /// The number of events kept quiet since the last one admitted; none if this one is too soon.
    pub(crate) fn admit(&self, now_ms: i64) -> Option<u64> {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(last_ms) >= INTERVAL_MS;
        let won = is_due
            && self
                .last_ms
                .compare_exchange(last_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if won {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_and_the_count_of_the_rest() {
        let limit = LogLimit::default();
        assert_eq!(limit.admit(1000), Some(0));
        assert_eq!(limit.admit(1001), None);
        assert_eq!(limit.admit(60_999), None);
        assert_eq!(limit.admit(61_000), Some(2));
    }
}
