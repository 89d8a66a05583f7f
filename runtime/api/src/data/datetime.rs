//! Dates and times as texts, in UTC
//!
//! Java's calendar by arithmetic: Julian before 15 October 1582, Gregorian from then on, no time zone, as Connect's date
//! types are points in UTC. `Date.toString` is here; the header converter puts its ISO forms together itself.

use crate::data::logical::DAY_MS;

/// The first Gregorian day, 15 October 1582, in days since the epoch.
const GREGORIAN_START: i64 = -141_427;

/// A point in time taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year, 1 BC is 0.
    pub year: i64,
    /// Month from 1.
    pub month: u32,
    /// Day of the month from 1.
    pub day: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Millisecond.
    pub millis: u32,
    /// Day of the week, Sunday 0.
    pub weekday: u32,
}

/// Takes milliseconds since the epoch apart.
pub fn civil_from_ms(ms: i64) -> Civil {
    let (days, rest) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Hinnant's days-to-civil: years begin in March, so that the leap day is the last.
    let (year, day_of_year) = if days >= GREGORIAN_START {
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        (
            year_of_era + era * 400,
            day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100),
        )
    } else {
        let shifted = days + 719_470;
        let (era, day_of_era) = (shifted.div_euclid(1_461), shifted.rem_euclid(1_461));
        let year_of_era = (day_of_era - day_of_era / 1_460) / 365;
        (year_of_era + era * 4, day_of_era - 365 * year_of_era)
    };
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    Civil {
        year: year + i64::from(month <= 2),
        month: small(month),
        day: small(day_of_year - (153 * shifted_month + 2) / 5 + 1),
        hour: small(rest / 3_600_000),
        minute: small(rest / 60_000 % 60),
        second: small(rest / 1_000 % 60),
        millis: small(rest % 1_000),
        weekday: small((days + 4).rem_euclid(7)),
    }
}

/// Gives the days since the epoch of a date; days beyond the month run on into the next, as a lenient calendar has it.
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let shifted_year = year - i64::from(month <= 2);
    let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let gregorian = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    if gregorian >= GREGORIAN_START {
        return gregorian;
    }
    shifted_year * 365 + shifted_year.div_euclid(4) + day_of_year - 719_470
}

/// Gives Java's `Date.toString` in UTC: `Thu Jan 01 00:00:00 UTC 1970`.
pub fn java_date_text(ms: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let civil = civil_from_ms(ms);
    let weekday = DAYS.get(civil.weekday as usize).copied().unwrap_or_default();
    let month = MONTHS
        .get(civil.month.saturating_sub(1) as usize)
        .copied()
        .unwrap_or_default();
    // Java prints the year of its era, without the era.
    let year = if civil.year > 0 { civil.year } else { 1 - civil.year };
    format!(
        "{weekday} {month} {:02} {:02}:{:02}:{:02} UTC {year}",
        civil.day, civil.hour, civil.minute, civil.second
    )
}

/// Narrows a part of a date, which the arithmetic keeps far below the bound.
fn small(part: i64) -> u32 {
    u32::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{civil_from_ms, days_from_civil, java_date_text};

    #[test]
    fn dates_print_as_java_does() {
        for (ms, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_577_934_245_678, "Thu Jan 02 03:04:05 UTC 2020"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (-62_135_596_800_000, "Mon Jan 03 00:00:00 UTC 1"),
            (-12_219_292_800_000, "Fri Oct 15 00:00:00 UTC 1582"),
            (-12_219_292_800_001, "Thu Oct 04 23:59:59 UTC 1582"),
        ] {
            assert_eq!(java_date_text(ms), text);
        }
    }

    #[test]
    fn days_and_civil_are_inverse() {
        for days in (-800_000..800_000).step_by(97) {
            let civil = civil_from_ms(days * 86_400_000);
            assert_eq!(days_from_civil(civil.year, civil.month, civil.day), days);
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        civil_from_ms(i64::MIN);
        civil_from_ms(i64::MAX);
    }
}
