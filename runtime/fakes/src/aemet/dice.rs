//! Chance that is always the same: numbers from a seed and what they are for

/// Mixes a seed with what the number is for.
pub fn roll(seed: u64, parts: &[i64]) -> u64 {
    parts.iter().fold(mix(seed), |bits, part| {
        mix(bits ^ part.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15))
    })
}

/// Gives a number from `low` to `high`, both included.
pub fn between(seed: u64, parts: &[i64], low: i64, high: i64) -> i64 {
    let span = high.saturating_sub(low).max(0).cast_unsigned().saturating_add(1);
    low + i64::try_from(roll(seed, parts) % span).unwrap_or(0)
}

/// Tells whether one of `odds` cases came up.
pub fn one_in(seed: u64, parts: &[i64], odds: u64) -> bool {
    roll(seed, parts).is_multiple_of(odds.max(1))
}

/// Gives a number with one digit after the point, from `low` to `high` in tenths.
pub fn tenths(seed: u64, parts: &[i64], low: i64, high: i64) -> f64 {
    let tenths = i32::try_from(between(seed, parts, low, high)).unwrap_or(0);
    f64::from(tenths) / 10.0
}

/// SplitMix64's finaliser.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
