//! Keys and quotas: per minute, and per day of the US Pacific coast

use std::collections::BTreeMap;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Which quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    PerMinute,
    PerDay,
}

/// Counts requests.
#[derive(Debug, Default)]
pub(super) struct Quota {
    pub(super) per_minute: Option<u32>,
    pub(super) per_day: Option<u32>,
    minute: (i64, u32),
    by_day: BTreeMap<i64, u32>,
}

impl Quota {
    /// Counts a request, or says which quota refuses it.
    pub(super) fn take(&mut self, now_ms: i64) -> Result<(), Exceeded> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        if self.minute.0 != minute {
            self.minute = (minute, 0);
        }
        let today = self.by_day.entry(pacific_day(now_ms)).or_insert(0);
        if self.per_day.is_some_and(|most| *today >= most) {
            return Err(Exceeded::PerDay);
        }
        if self.per_minute.is_some_and(|most| self.minute.1 >= most) {
            return Err(Exceeded::PerMinute);
        }
        self.minute.1 += 1;
        *today += 1;
        Ok(())
    }

    /// Gives the requests answered on each day of the Pacific coast.
    pub(super) fn by_day(&self) -> &BTreeMap<i64, u32> {
        &self.by_day
    }
}

/// Numbers the days of the Pacific coast, from the epoch.
pub(super) fn pacific_day(now_ms: i64) -> i64 {
    let standard = now_ms - 8 * HOUR_MS;
    let is_summer = is_summer(standard.div_euclid(DAY_MS), standard.rem_euclid(DAY_MS));
    (standard + if is_summer { HOUR_MS } else { 0 }).div_euclid(DAY_MS)
}

/// Second Sunday of March, 2:00, to first Sunday of November, 1:00, both in standard time.
fn is_summer(day: i64, time_ms: i64) -> bool {
    let (month, of_month) = month_and_day(day);
    // 1970-01-01 was a Thursday; Sunday is 0.
    let weekday = (day + 4).rem_euclid(7);
    let sunday = of_month - weekday;
    match month {
        4..=10 => true,
        3 => sunday > 14 || (sunday >= 8 && (weekday != 0 || time_ms >= 2 * HOUR_MS)),
        11 => sunday < 1 || (sunday <= 7 && weekday == 0 && time_ms < HOUR_MS),
        _ => false,
    }
}

/// Civil month and day of a day number (Howard Hinnant's algorithm).
fn month_and_day(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    (if month < 10 { month + 3 } else { month - 9 }, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight_on_the_pacific_coast() {
        // 2026: summer time from March 8 to November 1. Times are UTC.
        for (before, name) in [
            (1_795_334_400_000_i64, "2026-11-22 08:00 winter"),
            (1_785_567_600_000, "2026-08-01 07:00 summer"),
            (1_772_956_800_000, "2026-03-08 08:00 the day the clocks go forward"),
            (1_773_039_600_000, "2026-03-09 07:00 the day after"),
            (1_793_516_400_000, "2026-11-01 07:00 the day the clocks go back"),
            (1_793_606_400_000, "2026-11-02 08:00 the day after"),
        ] {
            assert_eq!(pacific_day(before - 1) + 1, pacific_day(before), "{name}");
        }
    }

    #[test]
    fn both_quotas_refuse_and_come_back() {
        let mut quota = Quota {
            per_minute: Some(2),
            per_day: Some(3),
            ..Quota::default()
        };
        let now = 1_795_334_400_000;
        assert_eq!(quota.take(now), Ok(()));
        assert_eq!(quota.take(now), Ok(()));
        assert_eq!(quota.take(now), Err(Exceeded::PerMinute));
        assert_eq!(quota.take(now + MINUTE_MS), Ok(()));
        assert_eq!(quota.take(now + 2 * MINUTE_MS), Err(Exceeded::PerDay));
        assert_eq!(quota.take(now + DAY_MS), Ok(()));
        assert_eq!(quota.by_day().values().copied().collect::<Vec<_>>(), [3, 1]);
    }
}
