//! JSON texts and numbers as Jackson writes them
//!
//! Control characters, quotes and backslashes are escaped, characters beyond the basic plane as two escaped surrogates,
//! everything else is UTF-8. Numbers that JSON lacks become texts.

use std::io::Write as _;

use weir_config::number_text::{push_f32, push_f64};

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends a quoted text.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    // Runs without anything to escape are copied whole.
    while let Some(stop) = rest
        .bytes()
        .position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\' | 0xf0..))
    {
        let (plain, tail) = rest.split_at(stop);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = tail.chars();
        let Some(special) = chars.next() else {
            break;
        };
        push_special(out, special);
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn push_special(out: &mut Vec<u8>, special: char) {
    let short = match special {
        '"' => b'"',
        '\\' => b'\\',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        other => {
            let mut units = [0; 2];
            for unit in other.encode_utf16(&mut units) {
                push_unit(out, *unit);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn push_unit(out: &mut Vec<u8>, unit: u16) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(HEX.get(usize::from((unit >> shift) & 15)).copied().unwrap_or(b'0'));
    }
}

/// Appends a whole number.
pub fn push_int(out: &mut Vec<u8>, value: i64) {
    // Twenty characters hold any i64, digits are filled in from the end.
    let mut digits = [0u8; 20];
    let mut rest = value.unsigned_abs();
    let mut start = digits.len();
    for (position, slot) in digits.iter_mut().enumerate().rev() {
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        start = position;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// Appends a double, quoted when JSON has no such number.
pub fn push_double(out: &mut Vec<u8>, value: f64) {
    // Small whole numbers, the common case, need no search for the shortest digits.
    if value.fract() == 0.0 && value.abs() < 1e7 && (value != 0.0 || value.is_sign_positive()) {
        push_int(out, value as i64);
        out.extend_from_slice(b".0");
        return;
    }
    let mut text = String::with_capacity(32);
    push_f64(&mut text, value);
    push_number_text(out, &text, value.is_finite());
}

/// Appends a float, quoted when JSON has no such number.
pub fn push_float(out: &mut Vec<u8>, value: f32) {
    let mut text = String::with_capacity(32);
    push_f32(&mut text, value);
    push_number_text(out, &text, value.is_finite());
}

fn push_number_text(out: &mut Vec<u8>, text: &str, finite: bool) {
    // Writing to a Vec cannot fail.
    let _ = if finite {
        write!(out, "{text}")
    } else {
        write!(out, "\"{text}\"")
    };
}

#[cfg(test)]
mod tests {
    use super::{push_double, push_int, push_text};

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn texts_are_escaped_as_jackson_does() {
        let text = "\u{1}\u{1f}\u{7f}\u{2028}/\"\\\u{8}\u{c}\n\r\té😀";
        assert_eq!(
            written(|out| push_text(out, text)),
            "\"\\u0001\\u001F\u{7f}\u{2028}/\\\"\\\\\\b\\f\\n\\r\\té\\uD83D\\uDE00\""
        );
    }

    #[test]
    fn numbers() {
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            assert_eq!(written(|out| push_int(out, number)), number.to_string());
        }
        for (number, text) in [
            (100.0, "100.0"),
            (-0.0, "-0.0"),
            (-3.0, "-3.0"),
            (1e10, "1.0E10"),
            (0.5, "0.5"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(written(|out| push_double(out, number)), text);
        }
    }
}
