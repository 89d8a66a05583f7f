//! Formats of times in records and cursors
//!
//! Names of well-known formats, or a pattern of `yyyy MM dd HH mm ss SSS MMM X Z` with other letters in quotes; a list
//! is tried in order. The same format writes a cursor back into a request.

use serde_json::Value;
use weir_sdk::api::data::datetime::civil_from_ms;

use crate::time::{Cursor, Local, http_date_text, parse_http_date, parse_iso, parse_rfc3339, rfc3339};
use crate::zone::Zone;

/// A format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimeFormat {
    /// By type and size: numbers by their magnitude, texts as RFC 3339, ISO or HTTP dates.
    #[default]
    Auto,
    /// Seconds since the epoch, perhaps with a fraction.
    EpochSeconds,
    /// Milliseconds since the epoch.
    EpochMillis,
    /// Microseconds since the epoch.
    EpochMicros,
    /// With an offset.
    Rfc3339,
    /// Without one.
    IsoLocal,
    /// `Fri, 20 Nov 2026 16:05:11 GMT`.
    Rfc1123,
    /// Pieces of a pattern.
    Pattern(Vec<Piece>),
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// `yyyy`.
    Year,
    /// `MM` or `M`.
    Month,
    /// `MMM`, English.
    MonthName,
    /// `dd` or `d`.
    Day,
    /// `HH` or `H`.
    Hour,
    /// `mm`.
    Minute,
    /// `ss`.
    Second,
    /// `SSS`.
    Millis,
    /// `X` or `Z`: offset.
    Offset,
    /// `EEE`: the day's name, read over.
    Weekday,
    /// This character.
    Literal(char),
}

impl TimeFormat {
    /// Reads a name or a pattern.
    ///
    /// # Errors
    /// Which names and letters are known.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.trim() {
            "auto" => Self::Auto,
            "epoch_s" => Self::EpochSeconds,
            "epoch_ms" => Self::EpochMillis,
            "epoch_us" => Self::EpochMicros,
            "rfc3339" => Self::Rfc3339,
            "iso_local" => Self::IsoLocal,
            "rfc1123" => Self::Rfc1123,
            pattern => Self::Pattern(pieces(pattern)?),
        })
    }

    /// Reads a value of a record.
    pub fn read(&self, value: &Value, zone: Zone) -> Option<i64> {
        match (self, value) {
            (_, Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
            (_, Value::Number(number)) => self.read_number(number.as_i64(), number.as_f64()?),
            (_, Value::String(text)) => self.read_text(text, zone),
        }
    }

    /// Reads a text.
    pub fn read_text(&self, text: &str, zone: Zone) -> Option<i64> {
        let text = text.trim();
        match self {
            Self::Auto => match text.parse::<f64>() {
                Ok(number) => self.read_number(text.parse().ok(), number),
                Err(_) => parse_iso(text, zone).or_else(|| parse_http_date(text)),
            },
            Self::EpochSeconds | Self::EpochMillis | Self::EpochMicros => {
                self.read_number(text.parse().ok(), text.parse().ok()?)
            }
            Self::Rfc3339 => parse_rfc3339(text),
            Self::IsoLocal => parse_iso(text, zone),
            Self::Rfc1123 => parse_http_date(text),
            Self::Pattern(pieces) => read_pattern(pieces, text, zone),
        }
    }

    /// Writes a point in time for a request.
    pub fn write(&self, ms: i64, zone: Zone) -> String {
        match self {
            Self::EpochSeconds => ms.div_euclid(1_000).to_string(),
            Self::EpochMillis => ms.to_string(),
            Self::EpochMicros => ms.saturating_mul(1_000).to_string(),
            Self::Auto | Self::Rfc3339 => rfc3339(ms),
            Self::IsoLocal => rfc3339(zone.to_local_ms(ms)).trim_end_matches('Z').to_owned(),
            Self::Rfc1123 => http_date_text(ms),
            Self::Pattern(pieces) => write_pattern(pieces, ms, zone),
        }
    }

    fn read_number(&self, whole: Option<i64>, number: f64) -> Option<i64> {
        if !number.is_finite() {
            return None;
        }
        // Casts saturate; whole numbers keep all their digits.
        let scaled = |factor: i64| whole.map_or((number * factor as f64) as i64, |whole| whole.saturating_mul(factor));
        let whole_ms = whole.unwrap_or(number as i64);
        Some(match self {
            Self::EpochSeconds => scaled(1_000),
            Self::EpochMillis => whole_ms,
            Self::EpochMicros => whole_ms.div_euclid(1_000),
            // Seconds reach 1e11 in the year 5138, milliseconds 1e14 then.
            Self::Auto if number.abs() < 1e11 => scaled(1_000),
            Self::Auto if number.abs() < 1e14 => whole_ms,
            Self::Auto => whole_ms.div_euclid(1_000),
            Self::Rfc3339 | Self::IsoLocal | Self::Rfc1123 => return None,
            Self::Pattern(pieces) => return read_pattern(pieces, &whole?.to_string(), Zone::UTC),
        })
    }
}

/// Reads a list of formats, tried in order; the first writes.
///
/// # Errors
/// As [`TimeFormat::parse`].
pub fn parse_formats(names: &[String]) -> Result<Vec<TimeFormat>, String> {
    names.iter().map(|name| TimeFormat::parse(name)).collect()
}

/// Reads a value by the first format that fits.
pub fn read_any(formats: &[TimeFormat], value: &Value, zone: Zone) -> Option<i64> {
    formats.iter().find_map(|format| format.read(value, zone))
}

fn pieces(pattern: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            loop {
                match chars.next() {
                    Some('\'') => break,
                    Some(literal) => pieces.push(Piece::Literal(literal)),
                    None => return Err(format!("in the pattern {pattern} a quote is not closed")),
                }
            }
            continue;
        }
        if !c.is_ascii_alphabetic() {
            pieces.push(Piece::Literal(c));
            continue;
        }
        let mut run = String::from(c);
        while chars.peek() == Some(&c) {
            run.extend(chars.next());
        }
        pieces.push(match run.as_str() {
            "yyyy" | "uuuu" => Piece::Year,
            "MM" | "M" => Piece::Month,
            "MMM" => Piece::MonthName,
            "dd" | "d" => Piece::Day,
            "HH" | "H" => Piece::Hour,
            "mm" => Piece::Minute,
            "ss" => Piece::Second,
            "SSS" => Piece::Millis,
            "X" | "XX" | "XXX" | "Z" | "x" | "xx" | "xxx" => Piece::Offset,
            "EEE" | "EEEE" => Piece::Weekday,
            "T" => Piece::Literal('T'),
            _ => {
                return Err(format!(
                    "'{run}' in '{pattern}' is neither one of auto, epoch_s, epoch_ms, epoch_us, rfc3339, iso_local, \
                     rfc1123 nor a pattern of yyyy MM MMM dd HH mm ss SSS X EEE; put other letters into quotes"
                ));
            }
        });
    }
    Ok(pieces)
}

fn read_pattern(pieces: &[Piece], text: &str, zone: Zone) -> Option<i64> {
    let mut at = Cursor::new(text);
    let (mut year, mut month, mut day) = (1970, 1, 1);
    let (mut hour, mut minute, mut second, mut millis) = (0, 0, 0, 0);
    let mut offset = None;
    for piece in pieces {
        match piece {
            Piece::Year => year = at.digits(4)?,
            Piece::Month => month = at.up_to_two_digits()?,
            Piece::MonthName => month = at.month_name()?,
            Piece::Day => day = at.up_to_two_digits()?,
            Piece::Hour => hour = at.up_to_two_digits()?,
            Piece::Minute => minute = at.digits(2)?,
            Piece::Second => second = at.digits(2)?,
            Piece::Millis => millis = at.digits(3)?,
            Piece::Offset => offset = Some(at.offset_minutes()?),
            Piece::Weekday => at.letters()?,
            Piece::Literal(c) => at.expect(*c)?,
        }
    }
    let small = |number: i64| u32::try_from(number).ok();
    let date = (year, small(month)?, small(day)?);
    let local = Local::new(date, small(hour)?, small(minute)?, small(second)?, small(millis)?)?;
    if !at.is_done() {
        return None;
    }
    match offset {
        Some(minutes) => Some(local.as_utc_ms() - minutes * 60_000),
        None => zone.to_utc(local),
    }
}

fn write_pattern(pieces: &[Piece], ms: i64, zone: Zone) -> String {
    let local_ms = zone.to_local_ms(ms);
    let at = civil_from_ms(local_ms);
    let date = http_date_text(local_ms);
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Year => out.push_str(&format!("{:04}", at.year)),
            Piece::Month => out.push_str(&format!("{:02}", at.month)),
            Piece::MonthName => out.push_str(date.get(8..11).unwrap_or_default()),
            Piece::Day => out.push_str(&format!("{:02}", at.day)),
            Piece::Hour => out.push_str(&format!("{:02}", at.hour)),
            Piece::Minute => out.push_str(&format!("{:02}", at.minute)),
            Piece::Second => out.push_str(&format!("{:02}", at.second)),
            Piece::Millis => out.push_str(&format!("{:03}", at.millis)),
            Piece::Offset => {
                let minutes = zone.offset_ms(ms) / 60_000;
                let sign = if minutes < 0 { '-' } else { '+' };
                out.push_str(&format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60));
            }
            Piece::Weekday => out.push_str(date.get(..3).unwrap_or_default()),
            Piece::Literal(c) => out.push(*c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{TimeFormat, parse_formats, read_any};
    use crate::zone::Zone;
    use serde_json::{Value, json};

    /// 2026-11-20T16:05:11Z
    const AT: i64 = 1_795_190_711_000;

    #[test]
    fn every_format_reads_what_it_writes() {
        for name in [
            "epoch_s",
            "epoch_ms",
            "epoch_us",
            "rfc3339",
            "iso_local",
            "rfc1123",
            "auto",
            "yyyy-MM-dd HH:mm:ss",
            "dd/MM/yyyy'T'HH.mm.ss",
            "EEE, dd MMM yyyy HH:mm:ss X",
            "yyyyMMddHHmmssSSS",
        ] {
            let format = TimeFormat::parse(name).expect(name);
            for zone in [Zone::UTC, Zone::Madrid] {
                let text = format.write(AT, zone);
                assert_eq!(format.read_text(&text, zone), Some(AT), "{name} {text}");
            }
        }
    }

    #[test]
    fn values_are_read_by_type_and_size() {
        let cases: [(&str, Value, Option<i64>); 10] = [
            ("auto", json!(1_795_190_711), Some(AT)),
            ("auto", json!(1_795_190_711.5), Some(AT + 500)),
            ("auto", json!(1_795_190_711_000i64), Some(AT)),
            ("auto", json!(1_795_190_711_000_000i64), Some(AT)),
            ("auto", json!("1795190711"), Some(AT)),
            ("auto", json!("2026-11-20T17:05:11+01:00"), Some(AT)),
            ("epoch_s", json!("2026"), Some(2_026_000)),
            ("rfc3339", json!(5), None),
            ("epoch_ms", json!(null), None),
            ("epoch_ms", json!([1]), None),
        ];
        for (name, value, expected) in cases {
            let format = TimeFormat::parse(name).expect(name);
            assert_eq!(format.read(&value, Zone::UTC), expected, "{name} {value}");
        }
    }

    #[test]
    fn a_list_is_tried_in_order() {
        let formats = parse_formats(&["yyyy/MM/dd".to_owned(), "rfc3339".to_owned()]).expect("formats");
        assert_eq!(read_any(&formats, &json!("1970/01/02"), Zone::UTC), Some(86_400_000));
        assert_eq!(
            read_any(&formats, &json!("1970-01-02T00:00:00Z"), Zone::UTC),
            Some(86_400_000)
        );
        assert_eq!(read_any(&formats, &json!("yesterday"), Zone::UTC), None);
        let error = TimeFormat::parse("yyyy-MM-dd hh:mm").expect_err("twelve hours are not known");
        assert!(error.contains("'hh'"), "{error}");
    }
}
