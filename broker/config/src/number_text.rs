//! Floating point numbers as Java prints them
//!
//! `Double.toString` and `Float.toString` of JDK 19 and later: the shortest digits that read back to the same value,
//! at least one digit after the point, exponents from 10^7 up and below 10^-3. Config values, JSON payloads and
//! `StringConverter` all show this form.

use std::fmt::Write as _;

/// Appends a double: `100.0`, `1.0E10`, `NaN`, `-Infinity`.
pub fn push_f64(out: &mut String, value: f64) {
    if let Some(word) = non_finite(value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        out.push_str(word);
        return;
    }
    let shortest = format!("{value:e}");
    // With one digit Java takes the closest of all two-digit forms: 4.9E-324, not 5.0E-324.
    let text = if one_digit(&shortest) {
        format!("{value:.1e}")
    } else {
        shortest
    };
    push_java(out, &text);
}

/// Appends a float by the same rules with single precision.
pub fn push_f32(out: &mut String, value: f32) {
    if let Some(word) = non_finite(value.is_nan(), value.is_infinite(), value.is_sign_negative()) {
        out.push_str(word);
        return;
    }
    let shortest = format!("{value:e}");
    let text = if one_digit(&shortest) {
        format!("{value:.1e}")
    } else {
        shortest
    };
    push_java(out, &text);
}

/// Gives a double's text on its own.
pub fn f64_text(value: f64) -> String {
    let mut out = String::new();
    push_f64(&mut out, value);
    out
}

/// Gives a float's text on its own.
pub fn f32_text(value: f32) -> String {
    let mut out = String::new();
    push_f32(&mut out, value);
    out
}

fn non_finite(nan: bool, infinite: bool, negative: bool) -> Option<&'static str> {
    match (nan, infinite, negative) {
        (true, _, _) => Some("NaN"),
        (_, true, false) => Some("Infinity"),
        (_, true, true) => Some("-Infinity"),
        _ => None,
    }
}

fn one_digit(scientific: &str) -> bool {
    !scientific.contains('.')
}

/// Lays out Rust's `-d.dde-x` the way Java does.
fn push_java(out: &mut String, scientific: &str) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (head, tail) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let tail = tail.trim_end_matches('0');
    out.push_str(sign);
    if head == "0" {
        out.push_str("0.0");
    } else if (0..7).contains(&exponent) {
        push_shifted_right(out, head, tail, exponent.unsigned_abs() as usize);
    } else if (-3..0).contains(&exponent) {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize - 1));
        out.push_str(head);
        out.push_str(tail);
    } else {
        out.push_str(head);
        out.push('.');
        out.push_str(if tail.is_empty() { "0" } else { tail });
        // Writing to a String cannot fail.
        let _ = write!(out, "E{exponent}");
    }
}

fn push_shifted_right(out: &mut String, head: &str, tail: &str, places: usize) {
    out.push_str(head);
    if tail.len() <= places {
        out.push_str(tail);
        out.extend(std::iter::repeat_n('0', places - tail.len()));
        out.push_str(".0");
    } else {
        let (whole, fraction) = tail.split_at(places);
        out.push_str(whole);
        out.push('.');
        out.push_str(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::{f32_text, f64_text};

    #[test]
    fn doubles_print_as_java_does() {
        let table = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (123.456, "123.456"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e10, "1.0E10"),
            (0.001, "0.001"),
            (0.0123, "0.0123"),
            (0.000_999, "9.99E-4"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::from_bits(1), "4.9E-324"),
            (2e23, "2.0E23"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, text) in table {
            assert_eq!(f64_text(value), text);
        }
    }

    #[test]
    fn floats_print_with_single_precision() {
        for (value, text) in [
            (1.5, "1.5"),
            (0.1, "0.1"),
            (2.718_281_7, "2.7182817"),
            (f32::MAX, "3.4028235E38"),
            (f32::from_bits(1), "1.4E-45"),
        ] {
            assert_eq!(f32_text(value), text);
        }
    }
}
