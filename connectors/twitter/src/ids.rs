//! Ids of posts: numbers that hold the time
//!
//! Up to 19 digits, written as text; compared as numbers, because as texts or floats they order wrongly.

use serde_json::Value;

/// Start of the time in ids.
const EPOCH_MS: i64 = 1_288_834_974_657;
/// Bits below the time.
const TIME_SHIFT: u32 = 22;

/// Reads an id, be it text or number.
pub fn id_of(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_u64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Gives the time in an id, in milliseconds since 1970.
pub fn time_of(id: u64) -> i64 {
    // 42 bits.
    i64::try_from(id >> TIME_SHIFT).unwrap_or(0).saturating_add(EPOCH_MS)
}

/// Gives the least id of a time.
pub fn id_at(ms: i64) -> u64 {
    u64::try_from(ms.saturating_sub(EPOCH_MS))
        .unwrap_or(0)
        .saturating_mul(1 << TIME_SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_hold_the_time() {
        // 2026-11-20T16:05:11Z, of the sample post.
        assert_eq!(time_of(2_123_809_890_366_390_475), 1_795_190_711_000);
        let id = id_at(1_795_190_711_000);
        assert_eq!(time_of(id), 1_795_190_711_000);
        assert!(id <= 2_123_809_890_366_390_475 && time_of(id - 1) == 1_795_190_710_999);
        assert_eq!(id_at(0), 0);
    }

    #[test]
    fn ids_of_19_digits_are_exact() {
        assert_eq!(id_of(&json!("9007199254740993001")), Some(9_007_199_254_740_993_001));
        assert_eq!(
            id_of(&json!(9_007_199_254_740_993_001_u64)),
            Some(9_007_199_254_740_993_001)
        );
        for wrong in [
            json!(null),
            json!("x"),
            json!("-1"),
            json!(1.5),
            json!("99999999999999999999999"),
        ] {
            assert_eq!(id_of(&wrong), None, "{wrong}");
        }
    }
}
