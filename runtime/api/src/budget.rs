//! A request budget: token bucket and holds, pure
//!
//! What the worker keeps for the tasks of a connector and a test's stand-in host keeps for a test, so both count alike.
//! Time is an argument. The bucket is full at first, loses one permit a request and gets them back evenly.

/// How many requests in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Permits of a full bucket.
    pub requests: u32,
    /// How long an empty bucket takes to be full again, in milliseconds.
    pub per_ms: u64,
}

/// One bucket.
///
/// Invariant: no time in it is later than a full period (or the longest hold) after `last_ns`.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// When the bucket is full again.
    full_at_ns: i128,
    held_until_ns: i128,
    last_ns: i128,
}

const NS_PER_MS: i128 = 1_000_000;

impl Bucket {
    /// Takes a permit: 0 = taken, else the milliseconds to wait before asking again. A rate of 0 requests or of 0
    /// milliseconds is no limit.
    pub fn take(&mut self, rate: Rate, now_ms: i64) -> u64 {
        let now_ns = self.advance(now_ms);
        if self.held_until_ns > now_ns {
            return ms_up(self.held_until_ns - now_ns);
        }
        if rate.requests == 0 || rate.per_ms == 0 {
            return 0;
        }
        let period_ns = i128::from(rate.per_ms) * NS_PER_MS;
        // Rounded up, so that rounding never gives a permit too many.
        let each_ns = (period_ns + i128::from(rate.requests) - 1) / i128::from(rate.requests);
        let full_at_ns = self
            .full_at_ns
            .clamp(now_ns, now_ns + each_ns * i128::from(rate.requests));
        let empty_after_ns = full_at_ns + each_ns - now_ns;
        let capacity_ns = each_ns * i128::from(rate.requests);
        if empty_after_ns > capacity_ns {
            return ms_up(empty_after_ns - capacity_ns);
        }
        self.full_at_ns = full_at_ns + each_ns;
        0
    }

    /// Lets nobody take a permit for so long; a longer hold stays.
    pub fn hold(&mut self, ms: u64, now_ms: i64) {
        let now_ns = self.advance(now_ms);
        self.held_until_ns = self.held_until_ns.max(now_ns + i128::from(ms) * NS_PER_MS);
    }

    /// Tells whether it is as good as a new one.
    pub fn is_idle(&self, now_ms: i64) -> bool {
        let now_ns = i128::from(now_ms) * NS_PER_MS;
        self.full_at_ns <= now_ns && self.held_until_ns <= now_ns
    }

    /// Goes on to a time; a clock that was set back does not lengthen any wait.
    fn advance(&mut self, now_ms: i64) -> i128 {
        let now_ns = i128::from(now_ms) * NS_PER_MS;
        let back_ns = self.last_ns - now_ns;
        if back_ns > 0 {
            self.full_at_ns -= back_ns;
            self.held_until_ns -= back_ns;
        }
        self.last_ns = now_ns;
        now_ns
    }
}

fn ms_up(ns: i128) -> u64 {
    u64::try_from((ns + NS_PER_MS - 1) / NS_PER_MS).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_A_SECOND: Rate = Rate {
        requests: 3,
        per_ms: 1000,
    };

    fn taken(bucket: &mut Bucket, now_ms: i64) -> u32 {
        (0..100)
            .take_while(|_| bucket.take(THREE_A_SECOND, now_ms) == 0)
            .count() as u32
    }

    #[test]
    fn a_full_bucket_gives_its_permits_at_once_and_then_one_by_one() {
        let mut bucket = Bucket::default();
        assert_eq!(taken(&mut bucket, 1_000_000), 3);
        assert_eq!(bucket.take(THREE_A_SECOND, 1_000_000), 334);
        assert_eq!(bucket.take(THREE_A_SECOND, 1_000_333), 1);
        assert_eq!(taken(&mut bucket, 1_000_334), 1);
        assert_eq!(taken(&mut bucket, 1_010_000), 3);
    }

    #[test]
    fn no_window_of_a_period_sees_more_than_twice_the_rate_and_the_long_run_sees_the_rate() {
        let mut bucket = Bucket::default();
        let taken: u32 = (0..100_000).map(|now_ms| taken(&mut bucket, now_ms)).sum();
        assert_eq!(taken, 3 + 299);
    }

    #[test]
    fn a_hold_stops_everyone_and_a_shorter_one_does_not_shorten_it() {
        let mut bucket = Bucket::default();
        bucket.hold(900_000, 5);
        bucket.hold(10, 6);
        assert_eq!(bucket.take(THREE_A_SECOND, 6), 899_999);
        assert_eq!(bucket.take(THREE_A_SECOND, 900_005), 0);
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_a_wait() {
        let mut bucket = Bucket::default();
        taken(&mut bucket, 86_400_000);
        bucket.hold(2_000, 86_400_000);
        assert_eq!(bucket.take(THREE_A_SECOND, 0), 2_000);
        assert_eq!(bucket.take(THREE_A_SECOND, 2_000), 0);
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit() {
        let mut bucket = Bucket::default();
        let none = Rate { requests: 0, per_ms: 1 };
        assert!((0..1000).all(|_| bucket.take(none, 0) == 0));
    }
}
