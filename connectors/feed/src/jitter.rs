//! Waits that grow, and their random parts
//!
//! Tasks that failed together must not return together. Where the plugin was not granted randomness the numbers are the
//! same in every start, which spreads the waits of one task only.

use weir_sdk::runtime;

/// Gives a random number from 0 to `most`, both inclusive.
pub fn up_to(most: u64) -> u64 {
    match most.checked_add(1) {
        Some(range) => runtime::random_u64() % range,
        None => runtime::random_u64(),
    }
}

/// Gives a backoff with full jitter: up to `initial_ms` doubled for each earlier failure, at most `max_ms`.
pub fn backoff_ms(failures: u32, initial_ms: u64, max_ms: u64) -> u64 {
    up_to(doubled(initial_ms, failures.saturating_sub(1), max_ms))
}

/// Doubles a wait so many times, at most to `max_ms`.
pub fn doubled(initial_ms: u64, times: u32, max_ms: u64) -> u64 {
    let factor = 1u64.checked_shl(times).unwrap_or(u64::MAX);
    initial_ms.saturating_mul(factor).min(max_ms)
}

#[cfg(test)]
mod tests {
    use super::{backoff_ms, doubled, up_to};

    #[test]
    fn waits_double_up_to_the_bound() {
        let waits: Vec<u64> = (0..6).map(|times| doubled(1_000, times, 16_000)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 16_000]);
        assert_eq!(doubled(u64::MAX, 200, 5), 5);
    }

    #[test]
    fn the_random_part_covers_the_whole_wait() {
        let waits: Vec<u64> = (0..2_000).map(|_| backoff_ms(4, 100, 60_000)).collect();
        assert!(waits.iter().all(|wait| *wait <= 800), "{:?}", waits.iter().max());
        assert!(waits.iter().any(|wait| *wait < 80) && waits.iter().any(|wait| *wait > 720));
        assert_eq!(up_to(0), 0);
    }
}
