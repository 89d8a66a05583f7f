//! Decimals: big-endian two's complement and decimal texts
//!
//! Java's `BigDecimal` forms: `toString` (exponent when the scale asks for it), `toPlainString`, and parsing. Digits are
//! converted in base 10^9; the work grows with the square of the length, so lengths are bounded.

use std::fmt::Write as _;

use crate::error::ConnectError;

/// Most digits read from a text, the bound of the JSON parser Connect uses.
pub const MAX_DIGITS: usize = 1000;
/// Most unscaled bytes turned into a text.
pub const MAX_UNSCALED_BYTES: usize = 16 * 1024;
/// Longest plain text: a scale may ask for any number of zeros.
const MAX_PLAIN_ZEROS: u64 = 100_000;
const BILLION: u32 = 1_000_000_000;

/// A number `unscaled × 10^-scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// Digits after the point; negative for trailing zeros.
    pub scale: i32,
    /// Big-endian two's complement, minimal.
    pub unscaled: Vec<u8>,
}

impl Decimal {
    /// Parses what `new BigDecimal(text)` accepts, up to [`MAX_DIGITS`] digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (number, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        let count = whole.len() + fraction.len();
        if count == 0 || count > MAX_DIGITS || !digits().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let scale = i64::try_from(fraction.len()).ok()? - exponent;
        Some(Self {
            scale: i32::try_from(scale).ok()?,
            unscaled: unscaled_from_digits(negative, digits()),
        })
    }

    /// Gives Java's `toString`: plain while the scale is not negative and the exponent at least -6, else `1.23E+5`.
    ///
    /// # Errors
    /// `Data` when the number is longer than [`MAX_UNSCALED_BYTES`].
    pub fn to_text(&self) -> Result<String, ConnectError> {
        let (sign, digits) = self.digits()?;
        // At most about 40,000 digits.
        let adjusted = i64::try_from(digits.len()).unwrap_or(i64::MAX) - 1 - i64::from(self.scale);
        if self.scale == 0 {
            return Ok(format!("{sign}{digits}"));
        }
        if self.scale > 0 && adjusted >= -6 {
            return self.to_plain_text();
        }
        let (head, tail) = digits.split_at(1);
        let point = if tail.is_empty() { "" } else { "." };
        let mut text = format!("{sign}{head}{point}{tail}");
        if adjusted != 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "E{adjusted:+}");
        }
        Ok(text)
    }

    /// Gives Java's `toPlainString`.
    ///
    /// # Errors
    /// `Data` when the number or its zeros are too long.
    pub fn to_plain_text(&self) -> Result<String, ConnectError> {
        let (sign, digits) = self.digits()?;
        let distance = u64::from(self.scale.unsigned_abs());
        if distance > MAX_PLAIN_ZEROS {
            return Err(ConnectError::data(format!(
                "decimal of scale {} is too long to be written out",
                self.scale
            )));
        }
        let places = usize::try_from(distance).unwrap_or(usize::MAX);
        if self.scale <= 0 {
            let zeros = if digits == "0" { 0 } else { places };
            return Ok(format!("{sign}{digits}{}", "0".repeat(zeros)));
        }
        if digits.len() > places {
            let (whole, fraction) = digits.split_at(digits.len() - places);
            return Ok(format!("{sign}{whole}.{fraction}"));
        }
        Ok(format!("{sign}0.{}{digits}", "0".repeat(places - digits.len())))
    }

    /// Gives the same number with another scale; `None` when digits would be lost or it grows too long.
    pub fn rescaled(&self, scale: i32) -> Option<Self> {
        if scale == self.scale {
            return Some(self.clone());
        }
        let (sign, mut digits) = self.digits().ok()?;
        let added = i64::from(scale) - i64::from(self.scale);
        if digits == "0" {
            return Some(Self {
                scale,
                unscaled: vec![0],
            });
        }
        if added < 0 {
            let kept = digits.len().checked_sub(usize::try_from(-added).ok()?)?;
            if digits.bytes().skip(kept).any(|digit| digit != b'0') {
                return None;
            }
            digits.truncate(kept);
        } else if added > i64::try_from(MAX_UNSCALED_BYTES).ok()? {
            return None;
        } else {
            digits.extend(std::iter::repeat_n('0', usize::try_from(added).ok()?));
        }
        Some(Self {
            scale,
            unscaled: unscaled_from_digits(sign == "-", digits.bytes()),
        })
    }

    /// Gives the sign and the digits of the unscaled value.
    fn digits(&self) -> Result<(&'static str, String), ConnectError> {
        if self.unscaled.len() > MAX_UNSCALED_BYTES {
            return Err(ConnectError::data(format!(
                "decimal of {} bytes is over the limit of {MAX_UNSCALED_BYTES}",
                self.unscaled.len()
            )));
        }
        let negative = self.unscaled.first().is_some_and(|byte| *byte >= 0x80);
        let digits = digits_of(magnitude(&self.unscaled, negative));
        Ok((if negative { "-" } else { "" }, digits))
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 10 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = digits.parse().ok()?;
    Some(if text.starts_with('-') { -exponent } else { exponent })
}

/// Gives the magnitude's 32-bit limbs, least first.
fn magnitude(unscaled: &[u8], negative: bool) -> Vec<u32> {
    let mut carry = negative;
    let plain = unscaled.iter().rev().map(|byte| {
        if !negative {
            return *byte;
        }
        let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
        carry = overflow;
        sum
    });
    let bytes: Vec<u8> = plain.collect();
    let mut limbs: Vec<u32> = bytes
        .chunks(4)
        .map(|chunk| chunk.iter().rev().fold(0, |limb, byte| (limb << 8) | u32::from(*byte)))
        .collect();
    if negative && carry {
        limbs.push(1);
    }
    limbs
}

fn digits_of(mut limbs: Vec<u32>) -> String {
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut remainder = 0u64;
        for limb in limbs.iter_mut().rev() {
            let current = (remainder << 32) | u64::from(*limb);
            *limb = low(current / u64::from(BILLION));
            remainder = current % u64::from(BILLION);
        }
        groups.push(remainder);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let Some(most) = groups.pop() else {
        return "0".to_owned();
    };
    groups.iter().rev().fold(most.to_string(), |mut text, group| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{group:09}");
        text
    })
}

fn unscaled_from_digits(negative: bool, digits: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut limbs: Vec<u32> = Vec::new();
    for digit in digits {
        let mut carry = u64::from(digit - b'0');
        for limb in &mut limbs {
            let current = u64::from(*limb) * 10 + carry;
            *limb = low(current);
            carry = current >> 32;
        }
        if carry > 0 {
            limbs.push(low(carry));
        }
    }
    // A zero byte in front keeps the sign bit free; negation and trimming follow.
    let mut bytes: Vec<u8> = std::iter::once(0)
        .chain(limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()))
        .collect();
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = overflow;
        }
    }
    minimal(bytes)
}

/// Drops leading bytes that only repeat the sign.
fn minimal(bytes: Vec<u8>) -> Vec<u8> {
    let redundant = bytes
        .windows(2)
        .take_while(|pair| {
            matches!(pair, [0x00, next] if *next < 0x80) || matches!(pair, [0xff, next] if *next >= 0x80)
        })
        .count();
    bytes.get(redundant..).unwrap_or_default().to_vec()
}

/// Keeps the low 32 bits.
fn low(wide: u64) -> u32 {
    u32::try_from(wide & u64::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn texts_are_javas() {
        // text, toString, toPlainString, scale
        for (text, shown, plain, scale) in [
            ("1.23", "1.23", "1.23", 2),
            ("-1.23", "-1.23", "-1.23", 2),
            ("0", "0", "0", 0),
            ("0.00", "0.00", "0.00", 2),
            ("1E+3", "1E+3", "1000", -3),
            ("1.5e10", "1.5E+10", "15000000000", -9),
            ("0.000001", "0.000001", "0.000001", 6),
            ("0.0000001", "1E-7", "0.0000001", 7),
            ("123e-10", "1.23E-8", "0.0000000123", 10),
            (
                "-99999999999999999999999.5",
                "-99999999999999999999999.5",
                "-99999999999999999999999.5",
                1,
            ),
            ("+5.", "5", "5", 0),
            (".5", "0.5", "0.5", 1),
            ("0E+5", "0E+5", "0", -5),
        ] {
            let decimal = Decimal::parse(text).expect("parses");
            assert_eq!(
                (
                    decimal.to_text().expect("short"),
                    decimal.to_plain_text().expect("short"),
                    decimal.scale
                ),
                (shown.to_owned(), plain.to_owned(), scale),
                "{text}"
            );
        }
    }

    #[test]
    fn unscaled_bytes_are_minimal_twos_complement() {
        for (text, bytes) in [
            ("0", vec![0]),
            ("127", vec![0x7f]),
            ("128", vec![0, 0x80]),
            ("-128", vec![0x80]),
            ("-129", vec![0xff, 0x7f]),
            ("1.23", vec![0x7b]),
            ("4294967296", vec![1, 0, 0, 0, 0]),
            ("-1", vec![0xff]),
        ] {
            assert_eq!(Decimal::parse(text).expect("parses").unscaled, bytes, "{text}");
        }
        assert_eq!(
            Decimal {
                scale: 0,
                unscaled: vec![0x80, 0, 0, 0]
            }
            .to_text()
            .expect("short"),
            "-2147483648"
        );
        assert_eq!(
            Decimal {
                scale: 0,
                unscaled: Vec::new()
            }
            .to_text()
            .expect("short"),
            "0"
        );
    }

    #[test]
    fn nonsense_and_excess_are_refused() {
        for text in ["", "-", ".", "1e", "1.2.3", "0x10", "NaN", "1 ", "--1", "1e99999999999"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse(&"9".repeat(1001)), None);
        assert!(
            Decimal {
                scale: i32::MAX,
                unscaled: vec![1]
            }
            .to_plain_text()
            .is_err()
        );
        assert!(
            Decimal {
                scale: 0,
                unscaled: vec![1; 20_000]
            }
            .to_text()
            .is_err()
        );
    }

    #[test]
    fn scale_changes_only_without_loss() {
        let rescaled = |text: &str, scale| {
            Decimal::parse(text)
                .and_then(|decimal| decimal.rescaled(scale))
                .map(|decimal| decimal.to_text().expect("short"))
        };
        for (text, scale, expected) in [
            ("1.5", 2, Some("1.50")),
            ("-1.500", 1, Some("-1.5")),
            ("1.25", 1, None),
            ("0.00", 5, Some("0.00000")),
            ("1200", -2, Some("1.2E+3")),
            ("1", i32::MAX, None),
            ("1", -5, None),
        ] {
            assert_eq!(rescaled(text, scale).as_deref(), expected, "{text} {scale}");
        }
    }

    #[test]
    fn long_numbers_come_back() {
        let text = "-1234567890123456789012345678901234567890.000000001000000000";
        assert_eq!(Decimal::parse(text).expect("parses").to_text().expect("short"), text);
    }
}
