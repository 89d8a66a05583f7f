//! JSON text exactly as Connect's internal converter writes it
//!
//! Compact, keys in their order, control characters escaped with capital hex digits and floats printed as Java does: records that are
//! read and written again are the same bytes. Values are compared as values: key order and spacing do not matter.
//! Source: `JsonConverter` with `schemas.enable=false` (Jackson).

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};
use serde_json::{Map, Value};

/// Prints a value.
pub fn to_text(value: &Value) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, JacksonFormatter);
    // Neither a `Value` nor writing to memory can fail.
    let printed = value.serialize(&mut serializer);
    debug_assert!(printed.is_ok(), "a JSON value can be printed");
    String::from_utf8(out).unwrap_or_default()
}

/// Prints a value with all keys sorted: equal texts mean equal values.
pub fn canonical_text(value: &Value) -> String {
    to_text(&sorted(value))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            Value::Object(
                entries
                    .into_iter()
                    .map(|(name, value)| (name.clone(), sorted(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Reads an object.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

struct JacksonFormatter;

impl Formatter for JacksonFormatter {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(java_double(value).as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::Backspace => writer.write_all(b"\\b"),
            CharEscape::FormFeed => writer.write_all(b"\\f"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04X}"),
        }
    }
}

/// Prints a double as `Double.toString` does: plain between 10⁻³ and 10⁷, else with an exponent, always with a fraction.
fn java_double(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let plain = format!("{value}");
        return if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mut text = digits.to_owned();
    if !digits.contains('.') {
        text.push_str(".0");
    }
    // Writing to a string cannot fail.
    let _written = write!(text, "E{exponent}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let value: Value = serde_json::from_str(input).unwrap();
        assert_eq!(to_text(&value), expected);
    }

    #[test]
    fn text_is_jacksons() {
        check(
            r#"{ "b" : 1, "a" : [ null, true, "x/y" ] }"#,
            r#"{"b":1,"a":[null,true,"x/y"]}"#,
        );
        check(
            r#""\u001b\u0000\b\f\n\r\t\"\\é😀""#,
            "\"\\u001B\\u0000\\b\\f\\n\\r\\t\\\"\\\\é😀\"",
        );
        check("9223372036854775807", "9223372036854775807");
        check("-9223372036854775808", "-9223372036854775808");
    }

    #[test]
    fn doubles_are_javas() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (100.0, "100.0"),
            (0.001, "0.001"),
            (0.000_99, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.25e10, "-1.25E10"),
            (1e300, "1.0E300"),
        ] {
            assert_eq!(java_double(value), expected);
        }
    }

    #[test]
    fn equal_values_have_one_canonical_text() {
        let left: Value = serde_json::from_str(r#"{"b":{"y":1,"x":2},"a":"s"}"#).unwrap();
        let right: Value = serde_json::from_str(r#"{ "a":"s", "b":{"x":2,"y":1} }"#).unwrap();
        assert_eq!(canonical_text(&left), canonical_text(&right));
        let other: Value = serde_json::from_str(r#"{"a":"s","b":{"x":2,"y":1.0}}"#).unwrap();
        assert_ne!(canonical_text(&left), canonical_text(&other));
    }
}
