//! How many records are due
//!
//! Pure: the time is passed in. A task that fell behind by more than a second starts a new schedule instead of making
//! up for a pause.

/// A second, in the unit of the schedule.
const SECOND_US: u64 = 1_000_000;

/// Time between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    interval_us: u64,
}

impl Pace {
    /// A fixed pause; 0 is no pause.
    pub fn interval_ms(interval_ms: u64) -> Self {
        Self {
            interval_us: interval_ms.saturating_mul(1000),
        }
    }

    /// A number of records a second, at least 1.
    pub fn records_per_second(rate: u32) -> Self {
        Self {
            interval_us: SECOND_US / u64::from(rate.max(1)),
        }
    }
}

/// When the next record is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    pace: Pace,
    next_us: Option<u64>,
}

impl Schedule {
    /// Starts: the first record is due at once.
    pub fn new(pace: Pace) -> Self {
        Self { pace, next_us: None }
    }

    /// Gives the number of records due now, at most `max`, and notes them as made.
    pub fn take_due(&mut self, now_us: u64, max: u32) -> u32 {
        let interval_us = self.pace.interval_us;
        if interval_us == 0 {
            return max;
        }
        let mut next_us = self.next_us.unwrap_or(now_us);
        if now_us.saturating_sub(next_us) > SECOND_US.max(interval_us) {
            next_us = now_us;
        }
        let due = match now_us.checked_sub(next_us) {
            Some(late_us) => u32::try_from(late_us / interval_us + 1).unwrap_or(u32::MAX).min(max),
            None => 0,
        };
        self.next_us = Some(next_us.saturating_add(u64::from(due).saturating_mul(interval_us)));
        due
    }

    /// Gives the milliseconds until the next record is due, rounded up.
    pub fn wait_ms(&self, now_us: u64) -> u32 {
        let left_us = self.next_us.unwrap_or(now_us).saturating_sub(now_us);
        u32::try_from(left_us.div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Schedule};

    #[test]
    fn an_interval_gives_one_record_at_a_time() {
        let mut schedule = Schedule::new(Pace::interval_ms(200));
        assert_eq!(schedule.take_due(1_000, 10), 1, "the first is due at once");
        assert_eq!(schedule.take_due(1_000, 10), 0);
        assert_eq!(schedule.wait_ms(1_000), 200);
        assert_eq!(schedule.take_due(200_999, 10), 0);
        assert_eq!(schedule.wait_ms(200_999), 1, "never rounded down to a busy loop");
        assert_eq!(schedule.take_due(201_000, 10), 1);
        assert_eq!(
            schedule.take_due(801_000, 10),
            3,
            "what was missed within a second is made up for"
        );
    }

    #[test]
    fn a_rate_is_kept_over_time() {
        let mut schedule = Schedule::new(Pace::records_per_second(10_000));
        let made: u32 = (0..=1000).map(|tick| schedule.take_due(tick * 1_000, 5_000)).sum();
        assert_eq!(made, 10_001);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut schedule = Schedule::new(Pace::records_per_second(1_000));
        assert_eq!(schedule.take_due(0, 5_000), 1);
        assert_eq!(schedule.take_due(60_000_000, 5_000), 1);
    }

    #[test]
    fn no_interval_means_as_many_as_are_taken() {
        let mut schedule = Schedule::new(Pace::interval_ms(0));
        assert_eq!(schedule.take_due(0, 77), 77);
        assert_eq!(schedule.wait_ms(0), 0);
    }

    #[test]
    fn a_slow_pace_does_not_restart_while_it_waits() {
        let mut schedule = Schedule::new(Pace::interval_ms(10_000));
        assert_eq!(schedule.take_due(0, 5), 1);
        assert_eq!(schedule.take_due(5_000_000, 5), 0);
        assert_eq!(schedule.take_due(10_000_000, 5), 1);
    }
}
