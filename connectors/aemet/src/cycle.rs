//! One round over all places: what is to be asked, and how far that got
//!
//! Climatology is asked for in chunks of days, oldest first, from some days before the newest row, because late values
//! and corrections come within that time. The data address of an envelope lives here and nowhere else.

use std::collections::VecDeque;

use crate::aemet_config::Settings;
use crate::product::{ALL, Product, STATION_LIST};

/// Days before the newest one that are read again.
pub const REREAD_DAYS: i32 = 7;
/// Where climatology begins if nobody says: so many days back.
const DAYS_BACK: i32 = 15;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Rows, or the forecast of a town.
    Rows,
    /// Which stations there are.
    Stations,
}

/// One thing to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub subject: Subject,
    /// Station, town or [`ALL`].
    pub place: String,
    /// Path below the base URL.
    pub path: String,
    /// Which of the place's chunks, from 0.
    pub page: u32,
}

/// Which of the two steps is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask for an envelope.
    Envelope,
    /// Fetch the data from this address.
    Data(String),
}

/// A round.
#[derive(Debug)]
pub struct Cycle {
    asks: VecDeque<Ask>,
    /// The next step of the first ask.
    pub step: Step,
    /// Envelopes asked for again because their address was gone.
    pub fresh_envelopes: u32,
    /// Failures of the first ask.
    pub tries: u32,
}

impl Cycle {
    /// Starts a round.
    pub fn new(asks: impl IntoIterator<Item = Ask>) -> Self {
        Self {
            asks: asks.into_iter().collect(),
            step: Step::Envelope,
            fresh_envelopes: 0,
            tries: 0,
        }
    }

    /// Gives what is asked for now.
    pub fn current(&self) -> Option<&Ask> {
        self.asks.front()
    }

    /// Goes on to the next.
    pub fn advance(&mut self) {
        self.asks.pop_front();
        self.restart();
    }

    /// Leaves all that remains of the current place out: its chunks build on one another.
    pub fn leave_place(&mut self) {
        if let Some(left) = self.asks.pop_front() {
            self.asks.retain(|ask| ask.place != left.place);
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.step = Step::Envelope;
        self.fresh_envelopes = 0;
        self.tries = 0;
    }
}

/// Gives the ask for the list of all stations.
pub fn station_list() -> Ask {
    Ask {
        subject: Subject::Stations,
        place: ALL.to_owned(),
        path: STATION_LIST.to_owned(),
        page: 0,
    }
}

/// Gives what a round asks for of one place; `newest` is the day of the newest row.
pub fn asks_of(settings: &Settings, place: &str, newest: Option<i32>, today: i32) -> Vec<Ask> {
    let ask = |page, days| Ask {
        subject: Subject::Rows,
        place: place.to_owned(),
        path: settings.product.path(place, days),
        page,
    };
    match settings.product {
        Product::Observation | Product::DailyForecast | Product::HourlyForecast => vec![ask(0, None)],
        Product::DailyClimate => {
            let chunks = chunks(settings.start_day, settings.chunk_days, newest, today);
            (0..).zip(chunks).map(|(page, days)| ask(page, Some(days))).collect()
        }
    }
}

fn chunks(start: Option<i32>, days: i32, newest: Option<i32>, today: i32) -> Vec<(i32, i32)> {
    let days = days.max(1);
    let again = newest.map(|newest| newest.saturating_sub(REREAD_DAYS));
    let first = match (again, start) {
        (Some(again), Some(start)) => again.max(start),
        (Some(again), None) => again,
        (None, Some(start)) => start,
        (None, None) => today.saturating_sub(DAYS_BACK),
    };
    // A clock that was set back does not hide what was there already.
    let last = today.max(newest.unwrap_or(today)).max(first);
    let mut chunks = Vec::new();
    let mut from = first;
    loop {
        let to = from.saturating_add(days - 1).min(last);
        chunks.push((from, to));
        if to >= last {
            return chunks;
        }
        from = to.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_all_days_once() {
        for (start, days, newest, today, expected) in [
            (Some(100), 15, None, 130, vec![(100, 114), (115, 129), (130, 130)]),
            (Some(100), 150, None, 130, vec![(100, 130)]),
            (Some(100), 15, Some(120), 130, vec![(113, 127), (128, 130)]),
            (Some(118), 15, Some(120), 130, vec![(118, 130)]),
            (None, 15, None, 130, vec![(115, 129), (130, 130)]),
            (None, 15, Some(130), 128, vec![(123, 130)]),
            (Some(140), 15, None, 130, vec![(140, 140)]),
            (Some(100), 1, None, 101, vec![(100, 100), (101, 101)]),
        ] {
            assert_eq!(
                chunks(start, days, newest, today),
                expected,
                "{start:?} {days} {newest:?} {today}"
            );
        }
        assert!(chunks(Some(i32::MAX - 1), 15, Some(i32::MAX), i32::MAX).len() < 3);
    }

    #[test]
    fn a_failing_place_takes_its_chunks_along() {
        let ask = |place: &str, page| Ask {
            subject: Subject::Rows,
            place: place.to_owned(),
            path: String::new(),
            page,
        };
        let mut cycle = Cycle::new([ask("A", 0), ask("A", 1), ask("B", 0)]);
        cycle.step = Step::Data("http://h/".to_owned());
        cycle.tries = 2;
        cycle.leave_place();
        assert_eq!(cycle.current(), Some(&ask("B", 0)));
        assert_eq!((cycle.step.clone(), cycle.tries), (Step::Envelope, 0));
        cycle.advance();
        assert_eq!(cycle.current(), None);
    }
}
