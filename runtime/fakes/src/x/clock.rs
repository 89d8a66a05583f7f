//! Times as X writes and reads them
//!
//! RFC 3339 with milliseconds in UTC, and the date of HTTP headers.

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// Writes `2026-11-20T16:05:11.000Z`.
pub fn rfc3339(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    let (hour, minute, second, milli) = time_of_day(ms);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Writes `Fri, 20 Nov 2026 16:05:11 GMT`.
pub fn http_date(ms: i64) -> String {
    let days = ms.div_euclid(DAY_MS);
    let (year, month, day) = civil(days);
    let (hour, minute, second, _) = time_of_day(ms);
    let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or(0);
    let month = usize::try_from(month - 1).unwrap_or(0);
    format!(
        "{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT",
        WEEKDAYS.get(weekday).unwrap_or(&"Thu"),
        MONTHS.get(month).unwrap_or(&"Jan"),
    )
}

/// Reads `2026-11-20T16:05:11Z`, with or without a fraction; anything else is none.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':').map(str::parse::<i64>);
    let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let milli: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milli)
}

fn time_of_day(ms: i64) -> (i64, i64, i64, i64) {
    let of_day = ms.rem_euclid(DAY_MS);
    (
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1000 % 60,
        of_day % 1000,
    )
}

/// Year, month and day of a number of days since 1970 (Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * shifted_month + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2026-11-20T16:05:11.000Z", 1_795_190_711_000),
            ("2028-02-29T23:59:59.999Z", 1_835_481_599_999),
        ] {
            assert_eq!(rfc3339(ms), text);
            assert_eq!(parse_rfc3339(text), Some(ms));
        }
        assert_eq!(parse_rfc3339("2026-11-20T16:05:11Z"), Some(1_795_190_711_000));
        assert_eq!(parse_rfc3339("2026-11-20"), None);
        assert_eq!(http_date(1_795_190_711_000), "Fri, 20 Nov 2026 16:05:11 GMT");
    }
}
