//! A state as it is shown, and for how long each lasted
//!
//! What `status`, `running-ratio` and `pause-ratio` are read from. Pure: time is an argument.

use std::sync::Arc;

use parking_lot::Mutex;
use weir_stores::status::records::State;

/// The state as it is shown, and for how long each state lasted.
#[derive(Debug, Clone)]
pub struct StateTimes(Arc<Mutex<Times>>);

#[derive(Debug)]
struct Times {
    state: State,
    since_ms: i64,
    began_ms: i64,
    running_ms: i64,
    paused_ms: i64,
}

impl StateTimes {
    /// Begins unassigned at `now_ms`.
    pub fn new(now_ms: i64) -> Self {
        Self(Arc::new(Mutex::new(Times {
            state: State::Unassigned,
            since_ms: now_ms,
            began_ms: now_ms,
            running_ms: 0,
            paused_ms: 0,
        })))
    }

    /// Enters a state.
    pub fn enter(&self, state: State, now_ms: i64) {
        let mut times = self.0.lock();
        let (running_ms, paused_ms) = times.until(now_ms);
        (times.running_ms, times.paused_ms) = (running_ms, paused_ms);
        times.since_ms = now_ms;
        times.state = state;
    }

    /// Part of the time it was running, and part it was paused.
    pub fn ratios(&self, now_ms: i64) -> (f64, f64) {
        let times = self.0.lock();
        let whole = (now_ms - times.began_ms).max(1) as f64;
        let (running_ms, paused_ms) = times.until(now_ms);
        (running_ms as f64 / whole, paused_ms as f64 / whole)
    }

    /// The state now, lower case.
    pub fn name(&self) -> String {
        self.0.lock().state.name().to_ascii_lowercase()
    }
}

impl Times {
    fn until(&self, now_ms: i64) -> (i64, i64) {
        let spent = (now_ms - self.since_ms).max(0);
        match self.state {
            State::Running => (self.running_ms + spent, self.paused_ms),
            State::Paused => (self.running_ms, self.paused_ms + spent),
            _ => (self.running_ms, self.paused_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_states_become_ratios() {
        let times = StateTimes::new(0);
        times.enter(State::Running, 1_000);
        times.enter(State::Paused, 4_000);
        assert_eq!(times.ratios(10_000), (0.3, 0.6));
        assert_eq!(times.name(), "paused");
    }
}
