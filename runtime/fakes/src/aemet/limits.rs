//! The limit a minute and the waves of errors
//!
//! Waves hit everybody for some minutes, whatever their pace; when they come depends on seed and time only.

use std::collections::VecDeque;

use crate::aemet::calendar::{HOUR_MS, MINUTE_MS};
use crate::aemet::dice::{between, one_in, roll};

const WAVE_BLOCK_MS: i64 = 3 * HOUR_MS;

/// Requests of the last minute.
#[derive(Debug, Default)]
pub struct Minute {
    taken: VecDeque<i64>,
}

impl Minute {
    /// Counts a request and gives how many are left after it, or none if it is one too many.
    pub fn take(&mut self, limit: usize, now_ms: i64) -> Option<usize> {
        // A clock that was set back makes what is ahead of it old.
        self.taken.retain(|at| (now_ms - MINUTE_MS..=now_ms).contains(at));
        let left = limit.checked_sub(self.taken.len() + 1)?;
        self.taken.push_back(now_ms);
        Some(left)
    }
}

/// What a wave answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// HTTP 429.
    TooMany,
    /// HTTP 200 whose envelope says 429.
    TooManyInside,
    /// HTTP 500.
    Broken,
    /// HTTP 503 with a page.
    Overloaded,
    /// HTTP 200 with a page.
    Page,
    /// HTTP 200 with nothing.
    Empty,
    /// HTTP 200 with an envelope that lacks `datos`.
    NoAddress,
}

/// Tells what goes wrong with a request in a wave; nothing outside of waves.
pub fn trouble(seed: u64, request_number: u64, now_ms: i64) -> Option<Trouble> {
    let block = now_ms.div_euclid(WAVE_BLOCK_MS);
    if !one_in(seed, &[31, block], 5) {
        return None;
    }
    let start_ms = block * WAVE_BLOCK_MS + between(seed, &[32, block], 0, 150) * MINUTE_MS;
    let end_ms = start_ms + between(seed, &[33, block], 2, 12) * MINUTE_MS;
    if !(start_ms..end_ms).contains(&now_ms) {
        return None;
    }
    match roll(seed ^ request_number, &[34]) % 16 {
        0..=6 => Some(Trouble::TooMany),
        7 => Some(Trouble::TooManyInside),
        8 => Some(Trouble::Broken),
        9 => Some(Trouble::Overloaded),
        10 => Some(Trouble::Page),
        11 => Some(Trouble::Empty),
        12 => Some(Trouble::NoAddress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_requests() {
        let mut minute = Minute::default();
        assert_eq!(
            [minute.take(2, 0), minute.take(2, 10), minute.take(2, 20)],
            [Some(1), Some(0), None]
        );
        assert_eq!(minute.take(2, 60_001), Some(0));
    }

    #[test]
    fn waves_come_and_go() {
        let hit = (0..30 * 24 * 60)
            .filter(|minute| trouble(7, 3, minute * MINUTE_MS).is_some())
            .count();
        assert!((10..2_000).contains(&hit), "{hit}");
    }
}
