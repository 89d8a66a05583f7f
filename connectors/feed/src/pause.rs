//! A wait that outlives a poll
//!
//! A poll must return within its budget, so a wait is kept and looked at again in the next poll. When the clock is set
//! back, the wait starts over rather than grow by the jump.

use weir_sdk::runtime;
use weir_sdk::source::PollBudget;

/// A wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    since_ms: i64,
    for_ms: u64,
}

impl Pause {
    /// Starts to wait.
    pub fn of(for_ms: u64) -> Self {
        Self {
            since_ms: runtime::now_ms(),
            for_ms,
        }
    }

    /// Gives what is left, 0 when it is over.
    pub fn left_ms(&mut self) -> u64 {
        let now_ms = runtime::now_ms();
        match u64::try_from(now_ms.saturating_sub(self.since_ms)) {
            Ok(passed) => self.for_ms.saturating_sub(passed),
            Err(_) => {
                self.since_ms = now_ms;
                self.for_ms
            }
        }
    }

    /// Tells whether it is over.
    pub fn is_over(&mut self) -> bool {
        self.left_ms() == 0
    }

    /// Gives when it ends, by the clock as it stands.
    pub fn until_ms(&self) -> i64 {
        self.since_ms
            .saturating_add(i64::try_from(self.for_ms).unwrap_or(i64::MAX))
    }

    /// Sleeps through what is left of it, within the poll's budget.
    pub fn idle(&mut self, budget: PollBudget) {
        let left = u32::try_from(self.left_ms()).unwrap_or(u32::MAX);
        runtime::sleep(left.min(budget.max_wait_ms));
    }
}
