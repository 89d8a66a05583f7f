//! The wall clock, and one that tests turn by hand.
//!
//! The only place that reads the system time. Pure crates take `now_ms` as an argument; the others
//! hold a `Clock`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Answers the time in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's wall clock.
    #[default]
    System,
    /// Stands still until a test moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now_ms`, and the hand that moves it.
    #[must_use]
    pub fn manual(now_ms: i64) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(now_ms));
        (Self::Manual(Arc::clone(&hand)), hand)
    }

    /// Milliseconds since 1970; 0 on a machine whose clock stands before that.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok())
                .unwrap_or(0),
            Self::Manual(hand) => hand.load(Ordering::SeqCst),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_stands_until_moved() {
        let (clock, hand) = Clock::manual(5);
        assert_eq!(clock.now_ms(), 5);
        hand.store(9, Ordering::SeqCst);
        assert_eq!(clock.clone().now_ms(), 9);
    }

    #[test]
    fn system_clock_is_past_2020() {
        assert!(Clock::System.now_ms() > 1_577_836_800_000);
    }
}
