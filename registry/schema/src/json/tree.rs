//! JSON as a JSON Schema is kept: keys in order, numbers as written
//!
//! Printed as the registry prints it: compact, decimals in the notation of Java's `BigDecimal`.

use indexmap::IndexMap;

use crate::json_text::{Tree, write_string};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(IndexMap<String, Json>),
}

impl Tree for Json {
    fn null() -> Self {
        Json::Null
    }

    fn bool(value: bool) -> Self {
        Json::Bool(value)
    }

    fn number(text: &str, _whole: bool) -> Option<Self> {
        Some(Json::Number(text.to_owned()))
    }

    fn string(text: String) -> Self {
        Json::String(text)
    }

    fn array(items: Vec<Self>) -> Self {
        Json::Array(items)
    }

    fn object(entries: Vec<(String, Self)>) -> Self {
        Json::Object(IndexMap::from_iter(entries))
    }
}

impl Json {
    /// Returns an entry of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(entries) => entries.get(key),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Prints it without blanks.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Keys::AsWritten);
        out
    }

    /// Prints it without blanks, with the keys of every object sorted.
    pub fn to_sorted_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Keys::Sorted);
        out
    }

    fn write(&self, out: &mut String, keys: Keys) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => out.push_str(&decimal(text)),
            Json::String(text) => write_string(out, text),
            Json::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out, keys);
                }
                out.push(']');
            }
            Json::Object(entries) => {
                let mut entries: Vec<(&String, &Json)> = entries.iter().collect();
                if keys == Keys::Sorted {
                    // Java compares UTF-16 units.
                    entries.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
                }
                out.push('{');
                for (at, (key, value)) in entries.into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_string(out, key);
                    out.push(':');
                    value.write(out, keys);
                }
                out.push('}');
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    AsWritten,
    Sorted,
}

/// A decimal number taken apart: digits without leading zeros, and how many of them are behind the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) is_negative: bool,
    pub(super) digits: String,
    pub(super) scale: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.trim_start_matches('+').parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let trimmed = all.trim_start_matches('0');
        let digits = if trimmed.is_empty() { "0" } else { trimmed };
        let behind = i64::try_from(fraction.len()).ok()?;
        Some(Self {
            is_negative: is_negative && digits != "0",
            digits: digits.to_owned(),
            scale: behind.checked_sub(exponent)?,
        })
    }
}

/// Returns a number in the notation of Java's `BigDecimal`.
fn decimal(text: &str) -> String {
    let Some(number) = Decimal::parse(text) else {
        return text.to_owned();
    };
    let sign = if number.is_negative { "-" } else { "" };
    let digits = number.digits.as_str();
    if number.scale == 0 {
        return format!("{sign}{digits}");
    }
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let adjusted = (length - 1).saturating_sub(number.scale);
    if number.scale > 0 && adjusted >= -6 {
        let behind = usize::try_from(number.scale).unwrap_or(0);
        let padded = format!("{}{digits}", "0".repeat((behind + 1).saturating_sub(digits.len())));
        let (whole, fraction) = padded.split_at(padded.len() - behind);
        return format!("{sign}{whole}.{fraction}");
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    match adjusted {
        0 => format!("{sign}{first}{point}{rest}"),
        adjusted => format!("{sign}{first}{point}{rest}E{adjusted:+}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_text::read_first;

    #[test]
    fn numbers_are_printed_as_java_prints_decimals() {
        for (written, printed) in [
            ("1.10", "1.10"),
            ("1e3", "1E+3"),
            ("1.5e-9", "1.5E-9"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("100E-2", "1.00"),
            ("12e1", "1.2E+2"),
            ("0e5", "0E+5"),
        ] {
            assert_eq!(decimal(written), printed, "{written}");
        }
    }

    #[test]
    fn keys_keep_their_order_or_are_sorted() {
        let value: Json = read_first("{\"b\":[1,{\"d\":null,\"c\":true}],\"a\":\"\\u0001\",\"b\":2} rest")
            .unwrap()
            .unwrap();
        assert_eq!(value.to_text(), "{\"b\":2,\"a\":\"\\u0001\"}");
        assert_eq!(value.to_sorted_text(), "{\"a\":\"\\u0001\",\"b\":2}");
    }
}
