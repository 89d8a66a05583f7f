//! Dates, Spanish local time and their texts
//!
//! Only what the made-up data need; the rule of summer time is that of the European Union since 1996.

/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Gives the days since the epoch of a date.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Gives year, month and day of a day since the epoch.
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = (shifted_month + 2) % 12 + 1;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes `YYYY-MM-DD`.
pub fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Writes `YYYY-MM-DDTHH:MM:SS` of milliseconds in whatever zone they were shifted to.
pub fn stamp_text(ms: i64) -> String {
    let seconds = ms.rem_euclid(DAY_MS) / 1000;
    format!(
        "{}T{:02}:{:02}:{:02}",
        date_text(ms.div_euclid(DAY_MS)),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Reads `YYYY-MM-DD` at the start of a text.
pub fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.get(..10)?.split('-');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let days = days_from_civil(year, month, day);
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

/// Shifts a point in time to the wall clock of Madrid.
pub fn madrid_ms(utc_ms: i64) -> i64 {
    utc_ms + if is_summer(utc_ms) { 2 * HOUR_MS } else { HOUR_MS }
}

/// Shifts a point in time to the wall clock of the Canary Islands.
pub fn canary_ms(utc_ms: i64) -> i64 {
    madrid_ms(utc_ms) - HOUR_MS
}

/// Summer time lasts from the last Sunday of March to the last of October, 01:00 UTC both.
fn is_summer(utc_ms: i64) -> bool {
    let (year, _, _) = civil_from_days(utc_ms.div_euclid(DAY_MS));
    let turn = |month| {
        let last = days_from_civil(year, month, 31);
        (last - (last + 4).rem_euclid(7)) * DAY_MS + HOUR_MS
    };
    (turn(3)..turn(10)).contains(&utc_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_their_texts_are_inverse() {
        for days in (-30_000..60_000).step_by(13) {
            assert_eq!(parse_date(&date_text(days)), Some(days));
        }
        assert_eq!(parse_date("2026-02-30"), None);
        assert_eq!(stamp_text(1_795_132_800_000 + 3_723_000), "2026-11-20T01:02:03");
    }

    #[test]
    fn clocks_turn_on_the_last_sundays() {
        // 29 March and 25 October 2026, 01:00 UTC.
        for (turn, before, after) in [
            (1_774_746_000_000, "2026-03-29T01:59:59", "2026-03-29T03:00:00"),
            (1_792_890_000_000, "2026-10-25T02:59:59", "2026-10-25T02:00:00"),
        ] {
            assert_eq!(stamp_text(madrid_ms(turn - 1000)), before);
            assert_eq!(stamp_text(madrid_ms(turn)), after);
            assert_eq!(canary_ms(turn), madrid_ms(turn) - HOUR_MS);
        }
    }
}
