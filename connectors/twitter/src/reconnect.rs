//! When to connect the stream again, by X's rules
//!
//! At once after a connection that worked; after network errors 250 ms more each time up to 16 s; after HTTP errors from
//! 5 s doubling up to 320 s. Refusals for limits wait in the client. Pure.

use weir_feed::jitter::doubled;

const NETWORK_STEP_MS: u64 = 250;
const NETWORK_MAX_MS: u64 = 16_000;
const HTTP_FIRST_MS: u64 = 5_000;
const HTTP_MAX_MS: u64 = 320_000;

/// Failures since the last connection that worked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconnect {
    network: u32,
    http: u32,
    attempts: u32,
}

impl Reconnect {
    /// Notes that a connection works.
    pub fn works(&mut self) {
        *self = Self::default();
    }

    /// Notes a failure of the network and gives the wait. It counts as an attempt once the waits have grown to their
    /// bound: X's steps are so small that a short outage would use all attempts up.
    pub fn network(&mut self) -> u64 {
        self.network = self.network.saturating_add(1);
        let wait_ms = NETWORK_STEP_MS
            .saturating_mul(u64::from(self.network))
            .min(NETWORK_MAX_MS);
        if wait_ms == NETWORK_MAX_MS {
            self.attempts = self.attempts.saturating_add(1);
        }
        wait_ms
    }

    /// Notes an HTTP error, which counts as an attempt, and gives the wait.
    pub fn http(&mut self) -> u64 {
        let wait_ms = doubled(HTTP_FIRST_MS, self.http, HTTP_MAX_MS);
        self.http = self.http.saturating_add(1);
        self.attempts = self.attempts.saturating_add(1);
        wait_ms
    }

    /// Tells whether so many attempts are used up; none = never.
    pub fn is_used_up(&self, max_attempts: Option<u32>) -> bool {
        max_attempts.is_some_and(|most| self.attempts >= most.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_as_x_asks() {
        let mut reconnect = Reconnect::default();
        let network: Vec<u64> = (0..66).map(|_| reconnect.network()).collect();
        assert_eq!(network.get(..3), Some(&[250, 500, 750][..]));
        assert_eq!(network.get(62..), Some(&[15_750, 16_000, 16_000, 16_000][..]));
        let http: Vec<u64> = (0..8).map(|_| reconnect.http()).collect();
        assert_eq!(http, [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000]);
        reconnect.works();
        assert_eq!((reconnect.network(), reconnect.http()), (250, 5_000));
    }

    #[test]
    fn short_outages_do_not_use_up_attempts() {
        let mut reconnect = Reconnect::default();
        for _ in 0..63 {
            reconnect.network();
        }
        assert!(!reconnect.is_used_up(Some(1)));
        reconnect.network();
        assert!(reconnect.is_used_up(Some(1)) && !reconnect.is_used_up(Some(2)) && !reconnect.is_used_up(None));
    }
}
