//! Points in time as services write them
//!
//! RFC 3339, ISO local times, HTTP dates, `Retry-After` and reset headers, ISO durations. Years 1 to 9999, Gregorian.
//! Patterns and lists of formats are in `time_format.rs`, zones in `zone.rs`.

use weir_sdk::api::data::datetime::{civil_from_ms, days_from_civil};
use weir_sdk::api::data::logical::DAY_MS;

use crate::zone::Zone;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A date and time of day without zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// Year.
    pub year: i64,
    /// Month from 1.
    pub month: u32,
    /// Day from 1.
    pub day: u32,
    /// Milliseconds since midnight.
    pub day_ms: i64,
}

impl Local {
    /// Puts a date and time together; none where there is no such date. A leap second is the one before.
    pub fn new(date: (i64, u32, u32), hour: u32, minute: u32, second: u32, millis: u32) -> Option<Self> {
        let (year, month, day) = date;
        let is_valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_of_month(year, month)).contains(&day)
            && (hour < 24 || (hour == 24 && minute == 0 && second == 0 && millis == 0))
            && minute < 60
            && second <= 60
            && millis < 1_000;
        is_valid.then(|| Self {
            year,
            month,
            day,
            day_ms: i64::from(hour) * 3_600_000
                + i64::from(minute) * 60_000
                + i64::from(second.min(59)) * 1_000
                + i64::from(millis),
        })
    }

    /// Gives the milliseconds since the epoch as if it were UTC.
    pub fn as_utc_ms(self) -> i64 {
        days_from_civil(self.year, self.month, self.day) * DAY_MS + self.day_ms
    }
}

fn days_of_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Gives a point in time as `2026-11-20T16:05:11Z`, with milliseconds where there are any.
pub fn rfc3339(ms: i64) -> String {
    let at = civil_from_ms(ms);
    let millis = if at.millis == 0 {
        String::new()
    } else {
        format!(".{:03}", at.millis)
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{millis}Z",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// Gives a point in time as an HTTP date: `Fri, 20 Nov 2026 16:05:11 GMT`.
pub fn http_date_text(ms: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let at = civil_from_ms(ms);
    let name_at = |names: &[&'static str], at: u32| usize::try_from(at).ok().and_then(|at| names.get(at).copied());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        name_at(&DAYS, at.weekday).unwrap_or_default(),
        at.day,
        name_at(&MONTHS, at.month.saturating_sub(1)).unwrap_or_default(),
        at.year,
        at.hour,
        at.minute,
        at.second
    )
}

/// Reads RFC 3339, leniently: a space for the `T`, an offset without colon, seconds left out, a date alone (midnight).
/// Without an offset the zone tells what is meant.
pub fn parse_iso(text: &str, zone: Zone) -> Option<i64> {
    let mut at = Cursor::new(text.trim());
    let year = at.digits(4)?;
    at.expect('-')?;
    let month = small(at.digits(2)?)?;
    at.expect('-')?;
    let day = small(at.digits(2)?)?;
    let date = (year, month, day);
    if at.is_done() {
        return zone.to_utc(Local::new(date, 0, 0, 0, 0)?);
    }
    at.one_of(&['T', 't', ' '])?;
    let hour = small(at.digits(2)?)?;
    at.expect(':')?;
    let minute = small(at.digits(2)?)?;
    let second = if at.skip(':') { small(at.digits(2)?)? } else { 0 };
    let millis = if at.skip('.') || at.skip(',') {
        at.fraction_ms()?
    } else {
        0
    };
    let local = Local::new(date, hour, minute, second, millis)?;
    if at.is_done() {
        return zone.to_utc(local);
    }
    let offset_minutes = at.offset_minutes()?;
    at.is_done().then(|| local.as_utc_ms() - offset_minutes * 60_000)
}

/// Reads RFC 3339 where an offset is a must.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let text = text.trim();
    let time = text.get(11..)?;
    let has_offset = time.ends_with(['Z', 'z']) || time.contains(['+', '-']);
    if has_offset { parse_iso(text, Zone::UTC) } else { None }
}

/// Reads an HTTP date in its three forms: RFC 1123, RFC 850, asctime.
pub fn parse_http_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let words: Vec<&str> = text.split([' ', '-', ',']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words.as_slice() {
        [_, day, month, year, time, zone] if zone.eq_ignore_ascii_case("GMT") || *zone == "UTC" || *zone == "+0000" => {
            (*day, *month, *year, *time)
        }
        [_, month, day, time, year] if month.len() == 3 && time.contains(':') => (*day, *month, *year, *time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let year: i64 = year.parse().ok()?;
    // RFC 850 has two digits; those of a far future are of the past century.
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let date = (year, u32::try_from(month).ok()? + 1, day.parse().ok()?);
    Local::new(date, hour, minute, second, 0).map(Local::as_utc_ms)
}

/// Reads a `Retry-After`: seconds or an HTTP date. Gives the milliseconds to wait; a date gone by gives 0.
pub fn retry_after_ms(value: &str, now_ms: i64) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds_to_ms(seconds);
    }
    Some(until(parse_http_date(value)?, now_ms))
}

/// What the value of a rate limit's reset header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetFormat {
    /// By its size: seconds to wait, UNIX seconds or UNIX milliseconds; or a date.
    #[default]
    Auto,
    /// Seconds to wait.
    Seconds,
    /// UNIX time in seconds.
    UnixSeconds,
    /// UNIX time in milliseconds.
    UnixMillis,
    /// HTTP date or RFC 3339.
    Date,
}

impl ResetFormat {
    /// The names, as settings have them.
    pub const NAMES: [&str; 5] = ["auto", "seconds", "unix", "unix_ms", "date"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "seconds" => Self::Seconds,
            "unix" => Self::UnixSeconds,
            "unix_ms" => Self::UnixMillis,
            "date" => Self::Date,
            _ => return None,
        })
    }

    /// Gives the milliseconds to wait.
    pub fn wait_ms(self, value: &str, now_ms: i64) -> Option<u64> {
        let value = value.trim();
        let date = || parse_http_date(value).or_else(|| parse_iso(value, Zone::UTC));
        if self == Self::Date {
            return Some(until(date()?, now_ms));
        }
        let Ok(number) = value.parse::<f64>() else {
            return match self {
                Self::Auto => Some(until(date()?, now_ms)),
                _ => None,
            };
        };
        match self {
            Self::Seconds => seconds_to_ms(number),
            Self::UnixMillis => Some(until(whole(number)?, now_ms)),
            Self::UnixSeconds => Some(until(whole(number * 1_000.0)?, now_ms)),
            // Nobody waits 30 years, and UNIX milliseconds passed 1e12 in 2001.
            _ if number >= 1e12 => Some(until(whole(number)?, now_ms)),
            _ if number >= 1e9 => Some(until(whole(number * 1_000.0)?, now_ms)),
            _ => seconds_to_ms(number),
        }
    }
}

/// Reads an ISO 8601 duration of weeks, days, hours, minutes and seconds: `P1D`, `PT15M`, `P1DT12H`.
///
/// # Errors
/// What is wrong with it, for a message.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is not a duration such as P1D, PT6H or PT15M");
    let rest = text.trim().strip_prefix(['P', 'p']).ok_or_else(wrong)?;
    let mut total: i64 = 0;
    let mut in_time = false;
    let mut number = String::new();
    for c in rest.chars() {
        match c.to_ascii_uppercase() {
            'T' if !in_time && number.is_empty() => in_time = true,
            '0'..='9' => number.push(c),
            'Y' => return Err(format!("'{text}' counts years, whose length differs; write days")),
            'M' if !in_time => return Err(format!("'{text}' counts months, whose length differs; write days")),
            unit => {
                let unit_ms = match (in_time, unit) {
                    (false, 'W') => 7 * DAY_MS,
                    (false, 'D') => DAY_MS,
                    (true, 'H') => 3_600_000,
                    (true, 'M') => 60_000,
                    (true, 'S') => 1_000,
                    _ => return Err(wrong()),
                };
                let count: i64 = number.parse().map_err(|_| wrong())?;
                number.clear();
                total = count
                    .checked_mul(unit_ms)
                    .and_then(|part| total.checked_add(part))
                    .ok_or_else(wrong)?;
            }
        }
    }
    if total <= 0 || !number.is_empty() {
        return Err(wrong());
    }
    Ok(total)
}

fn until(at_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(at_ms.saturating_sub(now_ms)).unwrap_or(0)
}

fn seconds_to_ms(seconds: f64) -> Option<u64> {
    // The cast saturates.
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1_000.0).ceil() as u64)
}

fn whole(number: f64) -> Option<i64> {
    // The cast saturates.
    number.is_finite().then_some(number as i64)
}

fn small(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

/// Reads a text from left to right.
#[derive(Debug)]
pub(crate) struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { rest: text }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes exactly so many digits.
    pub(crate) fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        digits.parse().ok()
    }

    /// Takes one or two digits.
    pub(crate) fn up_to_two_digits(&mut self) -> Option<i64> {
        self.digits(2).or_else(|| self.digits(1))
    }

    /// Takes the digits after a decimal point.
    pub(crate) fn fraction_ms(&mut self) -> Option<u32> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let first_three = digits.get(..3).unwrap_or(digits);
        let scale = 10u32.pow(3 - u32::try_from(first_three.len()).ok()?);
        first_three.parse::<u32>().ok().map(|number| number * scale)
    }

    pub(crate) fn skip(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(crate) fn expect(&mut self, c: char) -> Option<()> {
        self.skip(c).then_some(())
    }

    pub(crate) fn one_of(&mut self, chars: &[char]) -> Option<()> {
        chars.iter().any(|c| self.skip(*c)).then_some(())
    }

    /// Takes a month's English short name.
    pub(crate) fn month_name(&mut self) -> Option<i64> {
        let (name, rest) = self.rest.split_at_checked(3)?;
        let at = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        self.rest = rest;
        i64::try_from(at + 1).ok()
    }

    /// Takes letters.
    pub(crate) fn letters(&mut self) -> Option<()> {
        let end = self.rest.find(|c: char| !c.is_alphabetic()).unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..)?;
        (end > 0).then_some(())
    }

    /// Takes `Z`, `UTC`, `GMT`, `+01:00`, `+0100` or `+01`.
    pub(crate) fn offset_minutes(&mut self) -> Option<i64> {
        for name in ["Z", "z", "UTC", "GMT"] {
            if let Some(rest) = self.rest.strip_prefix(name) {
                self.rest = rest;
                return Some(0);
            }
        }
        let sign = if self.skip('-') {
            -1
        } else {
            self.expect('+').map(|()| 1)?
        };
        let hours = self.digits(2)?;
        let minutes = if self.skip(':') || !self.is_done() {
            self.digits(2)?
        } else {
            0
        };
        (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes))
    }
}

#[cfg(test)]
mod tests;
