//! The two clocks a coordinator is given
//!
//! Sessions and rebalances run on the monotonic one, so that a stepped wall clock expels nobody;
//! commit times and retention run on the wall clock, because they are stored and compared across
//! restarts.

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds since an arbitrary start, never going back.
    pub mono_ms: i64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

impl Now {
    /// Returns the monotonic moment `delay_ms` from now.
    pub fn after(self, delay_ms: i32) -> i64 {
        self.mono_ms.saturating_add(i64::from(delay_ms.max(0)))
    }
}
