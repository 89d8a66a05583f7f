//! The few time zones that feeds need, by rule
//!
//! Fixed offsets, Spain and US Pacific with their summer times as they have been since 1996 and 2007: there is no zone
//! database in a component. A local time that does not exist is moved forward, one that exists twice is the first.

use weir_sdk::api::data::datetime::{civil_from_ms, days_from_civil};
use weir_sdk::api::data::logical::DAY_MS;

use crate::time::Local;

const HOUR_MS: i64 = 3_600_000;

/// A zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Minutes ahead of UTC, all year.
    Fixed(i32),
    /// Europe/Madrid.
    Madrid,
    /// Atlantic/Canary.
    Canary,
    /// America/Los_Angeles.
    Pacific,
}

impl Zone {
    /// UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// Reads a name: `UTC`, `+01:00`, `Europe/Madrid`, `Atlantic/Canary`, `America/Los_Angeles`.
    ///
    /// # Errors
    /// Which names are known.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name.trim() {
            "UTC" | "Z" | "GMT" | "Etc/UTC" => Ok(Self::UTC),
            "Europe/Madrid" => Ok(Self::Madrid),
            "Atlantic/Canary" => Ok(Self::Canary),
            "America/Los_Angeles" | "US/Pacific" => Ok(Self::Pacific),
            other => {
                let mut at = crate::time::Cursor::new(other);
                let minutes = at.offset_minutes().filter(|_| at.is_done());
                let minutes = minutes.and_then(|minutes| i32::try_from(minutes).ok());
                minutes.map(Self::Fixed).ok_or_else(|| {
                    format!(
                        "'{other}' is not UTC, an offset such as +01:00, Europe/Madrid, Atlantic/Canary or America/Los_Angeles"
                    )
                })
            }
        }
    }

    /// Gives how far the zone is ahead of UTC at a point in time, in milliseconds.
    pub fn offset_ms(self, utc_ms: i64) -> i64 {
        let standard = self.standard_ms();
        if self.is_summer(utc_ms) {
            standard + HOUR_MS
        } else {
            standard
        }
    }

    /// Gives the point in time of a local time.
    pub fn to_utc(self, local: Local) -> Option<i64> {
        let wall = local.as_utc_ms();
        let standard = self.standard_ms();
        // Summer time first: it comes first where a time exists twice.
        let in_summer = wall - standard - HOUR_MS;
        if self.is_summer(in_summer) {
            return Some(in_summer);
        }
        Some(wall - standard)
    }

    /// Gives the local time of a point in time, in milliseconds as if it were UTC.
    pub fn to_local_ms(self, utc_ms: i64) -> i64 {
        utc_ms + self.offset_ms(utc_ms)
    }

    /// Gives the start of the next local day.
    pub fn next_midnight(self, utc_ms: i64) -> i64 {
        let days = self.to_local_ms(utc_ms).div_euclid(DAY_MS) + 1;
        let midnight = civil_from_ms(days * DAY_MS);
        let local = Local {
            year: midnight.year,
            month: midnight.month,
            day: midnight.day,
            day_ms: 0,
        };
        self.to_utc(local).unwrap_or(days * DAY_MS)
    }

    fn standard_ms(self) -> i64 {
        match self {
            Self::Fixed(minutes) => i64::from(minutes) * 60_000,
            Self::Madrid => HOUR_MS,
            Self::Canary => 0,
            Self::Pacific => -8 * HOUR_MS,
        }
    }

    fn is_summer(self, utc_ms: i64) -> bool {
        let year = civil_from_ms(utc_ms + self.standard_ms()).year;
        let (start, end) = match self {
            Self::Fixed(_) => return false,
            // 01:00 UTC on the last Sundays of March and October.
            Self::Madrid | Self::Canary => (
                last_sunday(year, 3, 31) * DAY_MS + HOUR_MS,
                last_sunday(year, 10, 31) * DAY_MS + HOUR_MS,
            ),
            // 02:00 local on the second Sunday of March and the first of November.
            Self::Pacific => (
                last_sunday(year, 3, 14) * DAY_MS + 10 * HOUR_MS,
                last_sunday(year, 11, 7) * DAY_MS + 9 * HOUR_MS,
            ),
        };
        (start..end).contains(&utc_ms)
    }
}

/// Gives the last Sunday up to a date, in days since the epoch, which was a Thursday.
fn last_sunday(year: i64, month: u32, day: u32) -> i64 {
    let days = days_from_civil(year, month, day);
    days - (days + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::Zone;
    use crate::time::{parse_iso, rfc3339};

    fn utc(text: &str, zone: Zone) -> String {
        parse_iso(text, zone).map(rfc3339).unwrap_or_default()
    }

    #[test]
    fn summer_times_begin_and_end_by_rule() {
        for (zone, local, expected) in [
            (Zone::Madrid, "2026-01-15T12:00", "2026-01-15T11:00:00Z"),
            (Zone::Madrid, "2026-07-15T12:00", "2026-07-15T10:00:00Z"),
            (Zone::Madrid, "2026-03-29T01:59", "2026-03-29T00:59:00Z"),
            (Zone::Madrid, "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            (Zone::Madrid, "2026-10-25T01:59", "2026-10-24T23:59:00Z"),
            (Zone::Madrid, "2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            (Zone::Madrid, "2026-10-25T03:00", "2026-10-25T02:00:00Z"),
            (Zone::Canary, "2026-07-15T12:00", "2026-07-15T11:00:00Z"),
            (Zone::Canary, "2026-12-31T23:30", "2026-12-31T23:30:00Z"),
            (Zone::Pacific, "2026-03-08T01:59", "2026-03-08T09:59:00Z"),
            (Zone::Pacific, "2026-03-08T03:00", "2026-03-08T10:00:00Z"),
            (Zone::Pacific, "2026-11-01T01:30", "2026-11-01T08:30:00Z"),
            (Zone::Pacific, "2026-11-01T02:00", "2026-11-01T10:00:00Z"),
            (Zone::Fixed(-90), "2026-11-01T02:00", "2026-11-01T03:30:00Z"),
        ] {
            assert_eq!(utc(local, zone), expected, "{zone:?} {local}");
        }
        // A time that does not exist is moved forward.
        assert_eq!(utc("2026-03-29T02:30", Zone::Madrid), "2026-03-29T01:30:00Z");
    }

    #[test]
    fn days_end_at_local_midnight() {
        let at = |text| parse_iso(text, Zone::UTC).expect("a time");
        for (zone, now, expected) in [
            (Zone::Pacific, "2026-11-20T16:00:00Z", "2026-11-21T08:00:00Z"),
            (Zone::Pacific, "2026-11-21T07:59:59Z", "2026-11-21T08:00:00Z"),
            (Zone::Pacific, "2026-07-01T07:00:00Z", "2026-07-02T07:00:00Z"),
            (Zone::UTC, "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(zone.next_midnight(at(now))), expected);
        }
    }

    #[test]
    fn names_are_read() {
        assert_eq!(Zone::parse("+01:30"), Ok(Zone::Fixed(90)));
        assert_eq!(Zone::parse("-0800"), Ok(Zone::Fixed(-480)));
        assert_eq!(Zone::parse("Atlantic/Canary"), Ok(Zone::Canary));
        assert!(
            Zone::parse("Mars/Olympus")
                .expect_err("no such zone")
                .contains("Europe/Madrid")
        );
    }
}
