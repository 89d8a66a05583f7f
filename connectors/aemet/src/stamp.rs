//! Times and dates as AEMET writes them
//!
//! Observations are in UTC, with a zone or without; forecasts in the town's local time. The rules of the zones are in
//! `weir_feed::zone`.

use weir_feed::time::{Local, parse_iso, rfc3339};
use weir_feed::zone::Zone;
use weir_sdk::api::data::datetime::civil_from_ms;
use weir_sdk::api::data::logical::DAY_MS;

/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 3_600_000;

/// Reads a time of an observation.
pub fn utc_ms(text: &str) -> Option<i64> {
    parse_iso(text, Zone::UTC)
}

/// Writes a time of an observation.
pub fn utc_text(ms: i64) -> String {
    rfc3339(ms)
}

/// Reads a date, in front of a time or alone, as days since the epoch.
pub fn day(text: &str) -> Option<i32> {
    let midnight_ms = parse_iso(text.trim().get(..10)?, Zone::UTC)?;
    i32::try_from(midnight_ms.div_euclid(DAY_MS)).ok()
}

/// Writes a date.
pub fn day_text(day: i32) -> String {
    let civil = civil_from_ms(i64::from(day) * DAY_MS);
    format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
}

/// Gives the clock of a town: provinces 35 and 38 are the Canary Islands.
pub fn zone_of_town(code: &str) -> Zone {
    if code.starts_with("35") || code.starts_with("38") {
        Zone::Canary
    } else {
        Zone::Madrid
    }
}

/// Which of two hours is meant when the clock shows one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// The first; hours that the clock shows once have no other.
    First,
    /// The second.
    Second,
}

/// Gives the point in time at which the clock shows a day and hour. An hour that is left out in spring is the one after.
pub fn hour_ms(zone: Zone, day: i32, hour: u32, showing: Showing) -> Option<i64> {
    let wall_ms = i64::from(day) * DAY_MS + i64::from(hour) * HOUR_MS;
    let civil = civil_from_ms(wall_ms);
    let local = Local::new((civil.year, civil.month, civil.day), civil.hour, 0, 0, 0)?;
    let first_ms = zone.to_utc(local)?;
    let next_ms = first_ms.saturating_add(HOUR_MS);
    match showing {
        Showing::Second if zone.to_local_ms(next_ms) == wall_ms => Some(next_ms),
        Showing::First | Showing::Second => Some(first_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_in_utc_with_a_zone_or_without() {
        for text in [
            "2026-11-20T14:00:00",
            "2026-11-20T14:00:00+0000",
            "2026-11-20T14:00:00Z",
            "2026-11-20T14:00",
        ] {
            assert_eq!(
                utc_ms(text).map(utc_text).as_deref(),
                Some("2026-11-20T14:00:00Z"),
                "{text}"
            );
        }
        assert_eq!(utc_ms("20/11/2026 14:00"), None);
    }

    #[test]
    fn dates_stand_alone_or_before_a_time() {
        for text in ["2026-11-20", "2026-11-20T00:00:00", "2026-11-20T00:00:00+01:00"] {
            assert_eq!(day(text).map(day_text).as_deref(), Some("2026-11-20"), "{text}");
        }
        assert_eq!(day("2026-13-01"), None);
        assert_eq!(day("hoy"), None);
    }

    #[test]
    fn hours_of_days_on_which_the_clock_turns() {
        let at = |code, date, hour, showing| {
            let ms = hour_ms(zone_of_town(code), day(date).expect("a date"), hour, showing);
            ms.map(utc_text).unwrap_or_default()
        };
        for (code, date, hour, showing, expected) in [
            ("28065", "2026-03-29", 1, Showing::First, "2026-03-29T00:00:00Z"),
            ("28065", "2026-03-29", 2, Showing::First, "2026-03-29T01:00:00Z"),
            ("28065", "2026-03-29", 3, Showing::First, "2026-03-29T01:00:00Z"),
            ("28065", "2026-10-25", 2, Showing::First, "2026-10-25T00:00:00Z"),
            ("28065", "2026-10-25", 2, Showing::Second, "2026-10-25T01:00:00Z"),
            ("28065", "2026-10-25", 3, Showing::Second, "2026-10-25T02:00:00Z"),
            ("28065", "2026-11-20", 24, Showing::First, "2026-11-20T23:00:00Z"),
            ("35016", "2026-10-25", 1, Showing::First, "2026-10-25T00:00:00Z"),
            ("35016", "2026-10-25", 1, Showing::Second, "2026-10-25T01:00:00Z"),
            ("38038", "2026-07-01", 12, Showing::First, "2026-07-01T11:00:00Z"),
        ] {
            assert_eq!(
                at(code, date, hour, showing),
                expected,
                "{code} {date} {hour} {showing:?}"
            );
        }
    }
}
