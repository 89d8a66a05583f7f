//! A record as text for people, or as one JSON object
//!
//! UTF-8 is shown as it is, other bytes as base64; null and empty stay apart. Control characters are escaped so that a record cannot
//! move the cursor. Pure.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// One record, borrowed.
#[derive(Debug, Clone)]
pub struct RecordParts<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(String, Option<&'a [u8]>)>,
}

/// Prints one line: place, time, key, value, headers.
pub fn line(record: &RecordParts<'_>) -> String {
    let time = record.timestamp_ms.map_or_else(|| "-".to_owned(), utc_text);
    let mut out = format!("{}-{} @{}  {time}  ", record.topic, record.partition, record.offset);
    if let Some(key) = record.key {
        out.push_str(&shown(key));
        out.push_str("  ");
    }
    out.push_str(&record.value.map_or_else(|| "null".to_owned(), shown));
    if !record.headers.is_empty() {
        out.push_str("  {");
        for (index, (name, value)) in record.headers.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            // Writing to a string cannot fail.
            let _written = write!(
                out,
                "{separator}{}={}",
                escaped(name),
                value.map_or_else(|| "null".to_owned(), shown)
            );
        }
        out.push('}');
    }
    out
}

/// Prints one JSON object. A value that is a JSON object or array stands in it as such, other text as a string, bytes as
/// `{"base64": …}`.
pub fn json_line(record: &RecordParts<'_>) -> String {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": json_value(*value) }))
        .collect();
    let object = json!({
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "key": json_value(record.key),
        "value": json_value(record.value),
        "headers": headers,
    });
    object.to_string()
}

fn json_value(bytes: Option<&[u8]>) -> Value {
    let Some(bytes) = bytes else {
        return Value::Null;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Value::Object(Map::from_iter([(
            "base64".to_owned(),
            Value::String(STANDARD.encode(bytes)),
        )]));
    };
    match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    }
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => escaped(text),
        Err(_) => format!("base64:{}", STANDARD.encode(bytes)),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    out
}

/// ISO 8601 in UTC, to the millisecond.
fn utc_text(ms: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // Days since 0000-03-01, in eras of 400 years (146,097 days): leap days then come last in a year.
    let shifted = days + 719_468;
    let (era, in_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (seconds, millis) = (in_day / 1_000, in_day % 1_000);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> RecordParts<'a> {
        RecordParts {
            topic: "t",
            partition: 2,
            offset: 7,
            timestamp_ms: Some(1_700_000_000_123),
            key,
            value,
            headers: Vec::new(),
        }
    }

    #[test]
    fn lines_show_what_is_there() {
        for (key, value, expected) in [
            (
                Some(&b"k"[..]),
                Some(&b"v\x1b[2J\n"[..]),
                "t-2 @7  2023-11-14T22:13:20.123Z  k  v\\u{1b}[2J\\n",
            ),
            (None, None, "t-2 @7  2023-11-14T22:13:20.123Z  null"),
            (
                Some(b""),
                Some(b"\xff\x00"),
                "t-2 @7  2023-11-14T22:13:20.123Z    base64:/wA=",
            ),
        ] {
            assert_eq!(line(&record(key, value)), expected);
        }
        let mut with_headers = record(None, Some(b"v"));
        with_headers.headers = vec![("a".to_owned(), None), ("a".to_owned(), Some(b"1"))];
        assert_eq!(
            line(&with_headers),
            "t-2 @7  2023-11-14T22:13:20.123Z  v  {a=null, a=1}"
        );
    }

    #[test]
    fn json_keeps_null_empty_text_objects_and_bytes_apart() {
        for (value, expected) in [
            (None, "null"),
            (Some(&b""[..]), "\"\""),
            (Some(b"12"), "\"12\""),
            (Some(b" {\"b\":1,\"a\":[2]}"), "{\"b\":1,\"a\":[2]}"),
            (Some(b"{broken"), "\"{broken\""),
            (Some(b"\xff"), "{\"base64\":\"/w==\"}"),
        ] {
            let expected = format!(
                "{{\"topic\":\"t\",\"partition\":2,\"offset\":7,\"timestamp\":1700000000123,\"key\":null,\"value\":{expected},\"headers\":[]}}"
            );
            assert_eq!(json_line(&record(None, value)), expected);
        }
    }

    #[test]
    fn times_are_civil() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        ] {
            assert_eq!(utc_text(ms), expected);
        }
    }
}
