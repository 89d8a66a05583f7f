//! Numbers as AEMET writes them
//!
//! Plain numbers, texts with a decimal comma or point, `""` for nothing, and words: `Ip` (less than can be measured),
//! `Acum` (counted on a later day), `Varias` (more than once). A word leaves no number, but for `Ip`, which is zero.

use serde_json::Value;

/// What stands for a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// Nothing was measured or said.
    Absent,
    /// A number.
    Known(f64),
    /// A word, and the number it stands for, if any.
    Word {
        /// The number.
        value: Option<f64>,
        /// The word as written.
        raw: String,
    },
}

impl Number {
    /// Reads a value of any JSON type.
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::Number(number)) => match number.as_f64().filter(|number| number.is_finite()) {
                Some(number) => Self::Known(without_sign_of_zero(number)),
                None => Self::word(None, &number.to_string()),
            },
            Some(Value::String(text)) => Self::of_text(text),
            Some(other) => Self::word(None, &other.to_string()),
        }
    }

    /// Reads a text.
    pub fn of_text(text: &str) -> Self {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Self::Absent;
        }
        if trimmed.eq_ignore_ascii_case("ip") {
            return Self::word(Some(0.0), text);
        }
        // Rust also reads words such as "nan" and "inf".
        let is_numeric = trimmed
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ',' | 'e' | 'E'));
        let parsed = trimmed.replace(',', ".").parse::<f64>();
        match parsed {
            Ok(number) if is_numeric && number.is_finite() => Self::Known(without_sign_of_zero(number)),
            _ => Self::word(None, text),
        }
    }

    /// Gives the number, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Absent => None,
            Self::Known(number) => Some(*number),
            Self::Word { value, .. } => *value,
        }
    }

    /// Gives the word that stands in place of a number.
    pub fn raw(&self) -> Option<&str> {
        match self {
            Self::Word { raw, .. } => Some(raw),
            Self::Absent | Self::Known(_) => None,
        }
    }

    /// Gives the nearest whole number; one beyond 32 bits is none.
    pub fn whole(&self) -> Option<i32> {
        let rounded = self.value()?.round();
        let bounds = f64::from(i32::MIN)..=f64::from(i32::MAX);
        // Checked against the bounds: the cast loses nothing.
        #[allow(clippy::cast_possible_truncation, reason = "in range and whole")]
        bounds.contains(&rounded).then_some(rounded as i32)
    }

    fn word(value: Option<f64>, raw: &str) -> Self {
        Self::Word {
            value,
            raw: raw.to_owned(),
        }
    }
}

fn without_sign_of_zero(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Number;

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        for (value, number, whole) in [
            (json!(14.6), Some(14.6), Some(15)),
            (json!(-2), Some(-2.0), Some(-2)),
            (json!("12,4"), Some(12.4), Some(12)),
            (json!("-0,3"), Some(-0.3), Some(0)),
            (json!("12.4"), Some(12.4), Some(12)),
            (json!(" 30 "), Some(30.0), Some(30)),
            (json!("+5"), Some(5.0), Some(5)),
            (json!("1e3"), Some(1000.0), Some(1000)),
            (json!(0), Some(0.0), Some(0)),
            (json!("5000000000"), Some(5_000_000_000.0), None),
        ] {
            let read = Number::of(Some(&value));
            assert_eq!(
                (read.value(), read.whole(), read.raw()),
                (number, whole, None),
                "{value}"
            );
        }
    }

    #[test]
    fn zero_has_no_sign() {
        for value in [json!("-0"), json!(-0.0), json!("-0,0")] {
            let zero = Number::of(Some(&value)).value().expect("a number");
            assert_eq!(zero.to_bits(), 0.0_f64.to_bits(), "{value}");
        }
    }

    #[test]
    fn nothing_is_no_number() {
        for value in [None, Some(json!(null)), Some(json!("")), Some(json!("  "))] {
            assert_eq!(Number::of(value.as_ref()), Number::Absent);
        }
    }

    #[test]
    fn words_are_kept() {
        for (value, number, raw) in [
            (json!("Ip"), Some(0.0), "Ip"),
            (json!("IP"), Some(0.0), "IP"),
            (json!("Acum"), None, "Acum"),
            (json!("Varias"), None, "Varias"),
            (json!("nan"), None, "nan"),
            (json!("inf"), None, "inf"),
            (json!("1.234,5"), None, "1.234,5"),
            (json!("-"), None, "-"),
            (json!("1e999"), None, "1e999"),
            (json!(true), None, "true"),
            (json!([1]), None, "[1]"),
        ] {
            let read = Number::of(Some(&value));
            assert_eq!((read.value(), read.raw()), (number, Some(raw)), "{value}");
        }
    }
}
