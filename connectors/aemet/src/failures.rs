//! Failing places among others that go on
//!
//! One station whose requests fail is tried a few times, left out of the round and tried again in the next; only when
//! many in a row fail, or all, is it taken for the service's failure, which fails the task in the end.

use std::collections::{BTreeSet, HashSet};

use weir_feed::jitter::backoff_ms;
use weir_feed::settings::Retry;
use weir_sdk::runtime::{self, Sample};
use weir_sdk::{info, warn};

/// Tries of one place in a round.
const TRIES: u32 = 3;
/// So many places failing in a row are no single station's fault.
const PLACES_IN_A_ROW: usize = 10;

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try the place again after this wait.
    Again(u64),
    /// Leave it out of this round.
    LeaveOut,
    /// The failures in a row, so many, are used up.
    GiveUp(u32),
}

/// Failures of a task that has several places.
#[derive(Debug)]
pub struct Failures {
    retry: Retry,
    place_count: usize,
    in_a_row: u32,
    places_in_a_row: HashSet<String>,
    failing: BTreeSet<String>,
}

impl Failures {
    /// Starts without failures.
    pub fn new(retry: Retry, place_count: usize) -> Self {
        Self {
            retry,
            place_count,
            in_a_row: 0,
            places_in_a_row: HashSet::new(),
            failing: BTreeSet::new(),
        }
    }

    /// Notes that a place failed, for the `tries`-th time in this round.
    pub fn failed(&mut self, place: &str, tries: u32, reason: &str) -> Next {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.places_in_a_row.insert(place.to_owned());
        let is_service = self.places_in_a_row.len() >= self.place_count.min(PLACES_IN_A_ROW);
        if is_service && self.retry.max_attempts.is_some_and(|most| self.in_a_row >= most.max(1)) {
            return Next::GiveUp(self.in_a_row);
        }
        // One that failed in the last round, too, is not waited for again.
        if tries < TRIES && !self.failing.contains(place) {
            return Next::Again(backoff_ms(tries, self.retry.initial_ms, self.retry.max_ms));
        }
        if self.failing.insert(place.to_owned()) {
            warn!("a place fails and is left out until the next cycle"; "place" => place, "reason" => reason);
            self.show();
        }
        Next::LeaveOut
    }

    /// Notes that a place was answered.
    pub fn succeeded(&mut self, place: &str) {
        self.in_a_row = 0;
        self.places_in_a_row.clear();
        if self.failing.remove(place) {
            info!("a place that failed answers again"; "place" => place);
            self.show();
        }
    }

    /// Gives the places that failed last.
    pub fn failing(&self) -> impl Iterator<Item = &str> {
        self.failing.iter().map(String::as_str)
    }

    fn show(&self) {
        let count = u32::try_from(self.failing.len()).unwrap_or(u32::MAX);
        runtime::metric("aemet-failing-places", &[], Sample::Gauge(f64::from(count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(most: u32, places: usize) -> Failures {
        let retry = Retry {
            max_attempts: Some(most),
            initial_ms: 1_000,
            max_ms: 60_000,
        };
        Failures::new(retry, places)
    }

    #[test]
    fn one_place_is_left_out_and_never_fails_the_task() {
        let mut failures = failures(10, 3);
        for round in 0..50 {
            let tries = if round == 0 { TRIES } else { 1 };
            for count in 1..tries {
                assert!(matches!(failures.failed("A", count, "r"), Next::Again(_)));
            }
            assert_eq!(failures.failed("A", tries, "r"), Next::LeaveOut);
            assert_eq!(failures.failing().collect::<Vec<_>>(), ["A"]);
            failures.succeeded("B");
        }
        failures.succeeded("A");
        assert_eq!(failures.failing().count(), 0);
        assert!(matches!(failures.failed("A", 1, "r"), Next::Again(_)));
    }

    #[test]
    fn all_places_failing_is_the_service_failing() {
        let mut failures = failures(5, 2);
        let nexts: Vec<Next> = [("A", 1), ("A", 2), ("A", 3), ("B", 1), ("B", 2)]
            .iter()
            .map(|(place, tries)| failures.failed(place, *tries, "r"))
            .collect();
        assert_eq!(nexts.get(2), Some(&Next::LeaveOut));
        assert_eq!(nexts.get(4), Some(&Next::GiveUp(5)));
    }
}
