//! Java's `SimpleDateFormat`: US English, UTC, lenient
//!
//! Writes and reads points in time by a pattern of letters. DIVERGES: years of two digits lie in 1946–2045 rather than
//! 80 years before now; of zone names only those of [`ZONES`] are known; week fields are written but not read.

use weir_api::data::datetime::{Civil, civil_from_ms, days_from_civil};
use weir_api::data::logical::DAY_MS;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// Letters that mean something.
const LETTERS: &str = "GyMdkHmsSEDFwWahKzZYuXL";
/// Zone names that are read, with their minutes east of UTC.
const ZONES: [(&str, i64); 20] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UCT", 0),
    ("Z", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
];
/// First year that two digits can mean.
const CENTURY_START: i64 = 1946;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct SimpleDateFormat {
    pattern: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Letter(char, usize),
}

impl Part {
    /// Tells whether digits stand here: a number right before takes no more of them than it has letters.
    fn is_number(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Letter('M' | 'L', count) => *count <= 2,
            Self::Letter(letter, _) => !"GEazZX".contains(*letter),
        }
    }
}

impl SimpleDateFormat {
    /// Compiles a pattern; the error is that of Java's constructor.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(char) = chars.next() {
            if char == '\'' {
                push_text(&mut parts, &quoted(&mut chars)?);
            } else if char.is_ascii_alphabetic() {
                if !LETTERS.contains(char) {
                    return Err(format!("Illegal pattern character '{char}'"));
                }
                let mut count = 1;
                while chars.next_if_eq(&char).is_some() {
                    count += 1;
                }
                if char == 'X' && count > 3 {
                    return Err(format!("invalid ISO 8601 format: length={count}"));
                }
                parts.push(Part::Letter(char, count));
            } else {
                push_text(&mut parts, char.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            parts,
        })
    }

    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Appends the text of a point in time, in ms since the epoch.
    pub(crate) fn format(&self, ms: i64, out: &mut String) {
        let civil = civil_from_ms(ms);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Letter(letter, count) => push_field(out, *letter, *count, &civil, ms),
            }
        }
    }

    /// Reads a text from its start; what follows the pattern is ignored.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let mut rest = text;
        let mut fields = Fields::default();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(expected) => rest = rest.strip_prefix(expected.as_str())?,
                Part::Letter(letter, count) => {
                    let is_abutting = self.parts.get(at + 1).is_some_and(Part::is_number);
                    rest = fields.read(*letter, *count, is_abutting, rest.trim_start_matches([' ', '\t']))?;
                }
            }
        }
        fields.to_ms()
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Reads a text in quotes, the opening one behind; `''` is a quote.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("Unterminated quote".to_owned()),
            Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            Some('\'') => return Ok(text),
            Some(char) => text.push(char),
        }
    }
}

fn push_field(out: &mut String, letter: char, count: usize, civil: &Civil, ms: i64) {
    let name = |names: &[&'static str], at: u32, long: bool| {
        let full = names.get(at as usize).copied().unwrap_or_default();
        if long { full } else { full.get(..3).unwrap_or(full) }
    };
    let era_year = if civil.year > 0 { civil.year } else { 1 - civil.year };
    let day_of_year = ms.div_euclid(DAY_MS) - days_from_civil(civil.year, 1, 1) + 1;
    let number = match letter {
        'G' => return out.push_str(if civil.year > 0 { "AD" } else { "BC" }),
        'M' | 'L' if count >= 3 => return out.push_str(name(&MONTHS, civil.month.saturating_sub(1), count > 3)),
        'E' => return out.push_str(name(&DAYS, civil.weekday, count > 3)),
        'a' => return out.push_str(if civil.hour < 12 { "AM" } else { "PM" }),
        'z' => return out.push_str(if count > 3 { "Coordinated Universal Time" } else { "UTC" }),
        'Z' => return out.push_str("+0000"),
        'X' => return out.push('Z'),
        'y' if count == 2 => era_year % 100,
        'y' => era_year,
        'Y' => {
            let year = week_year(civil, day_of_year).0;
            if count == 2 { year % 100 } else { year }
        }
        'M' | 'L' => civil.month.into(),
        'd' => civil.day.into(),
        'D' => day_of_year,
        'F' => i64::from((civil.day - 1) / 7 + 1),
        'w' => week_year(civil, day_of_year).1,
        'W' => week_of(civil.day.into(), civil.weekday),
        'u' => i64::from((civil.weekday + 6) % 7 + 1),
        'H' => civil.hour.into(),
        'k' => i64::from(if civil.hour == 0 { 24 } else { civil.hour }),
        'K' => i64::from(civil.hour % 12),
        'h' => i64::from((civil.hour + 11) % 12 + 1),
        'm' => civil.minute.into(),
        's' => civil.second.into(),
        _ => civil.millis.into(),
    };
    out.push_str(&format!("{number:0count$}"));
}

/// Gives the week that holds a day: weeks begin on Sunday, the first one holds day 1.
fn week_of(day: i64, weekday: u32) -> i64 {
    let first_weekday = (i64::from(weekday) - (day - 1)).rem_euclid(7);
    (day - 1 + first_weekday) / 7 + 1
}

/// Gives week year and week: the last days of December belong to week 1 when 1 January is in the same week.
fn week_year(civil: &Civil, day_of_year: i64) -> (i64, i64) {
    let days_in_year = days_from_civil(civil.year + 1, 1, 1) - days_from_civil(civil.year, 1, 1);
    let days_to_saturday = 6 - i64::from(civil.weekday);
    if day_of_year + days_to_saturday > days_in_year {
        (civil.year + 1, 1)
    } else {
        (civil.year, week_of(day_of_year, civil.weekday))
    }
}

/// What was read, in the order that decides between fields that say the same.
#[derive(Debug, Default)]
struct Fields {
    bc: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    /// The day of the year was read after month and day.
    by_day_of_year: bool,
    hour: Option<i64>,
    half_hour: Option<i64>,
    by_half: bool,
    pm: bool,
    minute: i64,
    second: i64,
    millis: i64,
    zone_minutes: i64,
}

impl Fields {
    /// Reads one field; gives what follows it.
    fn read<'a>(&mut self, letter: char, count: usize, is_abutting: bool, text: &'a str) -> Option<&'a str> {
        match letter {
            'G' => return self.read_era(text),
            'a' => {
                let (pm, rest) = name(text, &["AM", "PM"])?;
                self.pm = pm == 1;
                return Some(rest);
            }
            'E' => return name(text, &DAYS).map(|(_, rest)| rest),
            'M' | 'L' if count > 2 => {
                let (month, rest) = name(text, &MONTHS)?;
                self.month = Some(month as i64);
                self.by_day_of_year = false;
                return Some(rest);
            }
            'z' | 'Z' | 'X' => return self.read_zone(letter, count, text),
            'w' | 'W' | 'F' | 'Y' => return None,
            _ => {}
        }
        let (value, digits, rest) = number(text, is_abutting.then_some(count))?;
        match letter {
            'y' if count <= 2 && digits == 2 && value >= 0 => {
                let year = CENTURY_START - CENTURY_START % 100 + value;
                self.year = Some(if year < CENTURY_START { year + 100 } else { year });
            }
            'y' => self.year = Some(value),
            'M' | 'L' => {
                self.month = Some(value.checked_sub(1)?);
                self.by_day_of_year = false;
            }
            'd' => {
                self.day = Some(value);
                self.by_day_of_year = false;
            }
            'D' => {
                self.day_of_year = Some(value);
                self.by_day_of_year = true;
            }
            'H' | 'k' => {
                self.hour = Some(if letter == 'k' && value == 24 { 0 } else { value });
                self.by_half = false;
            }
            'h' | 'K' => {
                self.half_hour = Some(if letter == 'h' && value == 12 { 0 } else { value });
                self.by_half = true;
            }
            'm' => self.minute = value,
            's' => self.second = value,
            'S' => self.millis = value,
            _ => {}
        }
        Some(rest)
    }

    fn read_era<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let (bc, rest) = name(text, &["AD", "BC"])?;
        self.bc = bc == 1;
        Some(rest)
    }

    fn read_zone<'a>(&mut self, letter: char, count: usize, text: &'a str) -> Option<&'a str> {
        if letter == 'X' {
            if let Some(rest) = text.strip_prefix('Z') {
                return Some(rest);
            }
            let (sign, rest) = sign_of(text)?;
            let (minutes, rest) = offset(rest, count == 3, count == 1)?;
            self.zone_minutes = sign * minutes;
            return Some(rest);
        }
        if let Some((sign, rest)) = sign_of(text) {
            let (minutes, rest) = offset(rest, false, false)?;
            self.zone_minutes = sign * minutes;
            return Some(rest);
        }
        if let Some((sign, rest)) = strip_ignoring_case(text, "GMT").and_then(sign_of) {
            let (minutes, rest) = offset(rest, true, false)?;
            self.zone_minutes = sign * minutes;
            return Some(rest);
        }
        let found = ZONES
            .iter()
            .filter(|(zone, _)| *zone != "Z")
            .filter_map(|(zone, minutes)| Some((zone.len(), *minutes, strip_ignoring_case(text, zone)?)))
            .max_by_key(|(len, ..)| *len);
        let (_, minutes, rest) = found?;
        self.zone_minutes = minutes;
        Some(rest)
    }

    fn to_ms(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let year = if self.bc { 1 - year } else { year };
        let days = if self.by_day_of_year {
            days_from_civil(year, 1, 1).checked_add(self.day_of_year.unwrap_or(1) - 1)?
        } else {
            let month = self.month.unwrap_or(0);
            let whole_year = year.checked_add(month.div_euclid(12))?;
            // A thousand million years are beyond Java's calendar as well.
            if whole_year.abs() > 1_000_000_000 {
                return None;
            }
            let in_year = u32::try_from(month.rem_euclid(12)).ok()? + 1;
            days_from_civil(whole_year, in_year, 1).checked_add(self.day.unwrap_or(1) - 1)?
        };
        let hour = match (self.by_half, self.half_hour, self.hour) {
            (true, Some(hour), _) => hour.checked_add(if self.pm { 12 } else { 0 })?,
            (_, _, Some(hour)) => hour,
            _ if self.pm => 12,
            _ => 0,
        };
        let minutes = hour
            .checked_mul(60)?
            .checked_add(self.minute)?
            .checked_sub(self.zone_minutes)?;
        let ms = minutes
            .checked_mul(60)?
            .checked_add(self.second)?
            .checked_mul(1000)?
            .checked_add(self.millis)?;
        days.checked_mul(DAY_MS)?.checked_add(ms)
    }
}

/// Reads the longest of some names, whole or by its first three letters, in any case.
fn name<'a>(text: &'a str, names: &[&str]) -> Option<(usize, &'a str)> {
    let whole = names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((name.len(), at, strip_ignoring_case(text, name)?)));
    let short = names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((3, at, strip_ignoring_case(text, name.get(..3)?)?)));
    let (_, at, rest) = whole.chain(short).max_by_key(|(len, at, _)| (*len, usize::MAX - at))?;
    Some((at, rest))
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| text.get(prefix.len()..))
        .flatten()
}

/// Reads a number: value, count of digits, rest. `exactly` is how many characters it takes.
fn number(text: &str, exactly: Option<usize>) -> Option<(i64, usize, &str)> {
    let (own, after) = match exactly {
        Some(count) => text.split_at_checked(count)?,
        None => (text, ""),
    };
    let unsigned = own.strip_prefix('-').unwrap_or(own);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let magnitude: i64 = unsigned.get(..digits)?.parse().ok()?;
    let used = own.len() - unsigned.len() + digits;
    let value = if own.starts_with('-') { -magnitude } else { magnitude };
    let rest = if exactly.is_some() && used == own.len() {
        after
    } else {
        text.get(used..)?
    };
    Some((value, digits, rest))
}

fn sign_of(text: &str) -> Option<(i64, &str)> {
    match text.strip_prefix('+') {
        Some(rest) => Some((1, rest)),
        None => text.strip_prefix('-').map(|rest| (-1, rest)),
    }
}

/// Reads hours and minutes east of UTC.
fn offset(text: &str, with_colon: bool, hours_only: bool) -> Option<(i64, &str)> {
    let two = |text: &str| -> Option<i64> {
        let digits = text.get(..2)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
    };
    let hours = two(text).filter(|hours| *hours < 24)?;
    let rest = text.get(2..)?;
    if hours_only {
        return Some((hours * 60, rest));
    }
    let rest = if with_colon { rest.strip_prefix(':')? } else { rest };
    let minutes = two(rest).filter(|minutes| *minutes < 60)?;
    Some((hours * 60 + minutes, rest.get(2..)?))
}
