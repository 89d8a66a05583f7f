//! A single value on its way to another type
//!
//! What Cast and MaskField read out of encoded bytes, and Java's conversions between number types and texts: narrowing
//! wraps, float to integer truncates, texts are read as Java reads them.

use weir_api::data::decimal::Decimal;
use weir_api::data::logical::{DAY_MS, Logical};
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::temporal;
use weir_api::data::text::push_base64;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_api::frame::value_reader::ValueReader;
use weir_config::number_text::{push_f32, push_f64};

/// A value of one of the types that can be cast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Int(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
    Decimal {
        scale: i32,
        unscaled: &'a [u8],
    },
    /// A date type: ms since the epoch for its text, its own number for the rest.
    Date {
        ms: i64,
        number: i64,
    },
}

impl<'a> Scalar<'a> {
    /// Reads a slot; `None` for types that have parts.
    pub(crate) fn of_slot(schema: &Schema, bytes: &'a [u8]) -> Result<Option<Self>, ConnectError> {
        let mut reader = ValueReader::new(bytes);
        let plain = match schema.base {
            SchemaType::Int8 => Self::Int(reader.int8()?.into()),
            SchemaType::Int16 => Self::Int(reader.int16()?.into()),
            SchemaType::Int32 => Self::Int(reader.int32()?.into()),
            SchemaType::Int64 => Self::Int(reader.int64()?),
            SchemaType::Float32 => Self::Float32(reader.float32()?),
            SchemaType::Float64 => Self::Float64(reader.float64()?),
            SchemaType::Boolean => Self::Boolean(reader.boolean()?),
            SchemaType::Text => Self::Text(reader.root_text()?),
            SchemaType::Bytes => Self::Bytes(reader.root_bytes()),
            SchemaType::Array | SchemaType::Map | SchemaType::Struct => return Ok(None),
        };
        Ok(Some(match (Logical::of(schema), plain) {
            (Some(Logical::Decimal { scale }), Self::Bytes(unscaled)) => Self::Decimal { scale, unscaled },
            (Some(Logical::Date), Self::Int(number)) => Self::Date {
                ms: number * DAY_MS,
                number,
            },
            (Some(Logical::Time | Logical::Timestamp), Self::Int(number)) => Self::Date { ms: number, number },
            (_, plain) => plain,
        }))
    }

    /// Reads a schemaless value; `None` for types that have parts, and for null.
    pub(crate) fn of_tagged(bytes: &'a [u8]) -> Result<Option<Self>, ConnectError> {
        let mut reader = ValueReader::new(bytes);
        Ok(Some(match reader.tag()? {
            tags::INT8 => Self::Int(reader.int8()?.into()),
            tags::INT16 => Self::Int(reader.int16()?.into()),
            tags::INT32 => Self::Int(reader.int32()?.into()),
            tags::INT64 => Self::Int(reader.int64()?),
            tags::FLOAT32 => Self::Float32(reader.float32()?),
            tags::FLOAT64 => Self::Float64(reader.float64()?),
            tags::BOOLEAN => Self::Boolean(reader.boolean()?),
            tags::TEXT => Self::Text(reader.text()?),
            tags::BYTES => Self::Bytes(reader.bytes()?),
            _ => return Ok(None),
        }))
    }

    /// Appends the value as another type, without length; [`SchemaType::Text`] appends the text alone.
    pub(crate) fn push_as(self, target: SchemaType, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        match target {
            SchemaType::Int8 => {
                out.extend_from_slice(&(self.small(i8::MIN.into(), i8::MAX.into())? as i8).to_le_bytes())
            }
            SchemaType::Int16 => {
                out.extend_from_slice(&(self.small(i16::MIN.into(), i16::MAX.into())? as i16).to_le_bytes());
            }
            SchemaType::Int32 => {
                out.extend_from_slice(&(self.small(i32::MIN.into(), i32::MAX.into())? as i32).to_le_bytes());
            }
            SchemaType::Int64 => out.extend_from_slice(&self.long(i64::MIN, i64::MAX)?.to_le_bytes()),
            SchemaType::Float32 => out.extend_from_slice(&self.float()?.to_le_bytes()),
            SchemaType::Float64 => out.extend_from_slice(&self.double()?.to_le_bytes()),
            SchemaType::Boolean => out.push(u8::from(self.boolean()?)),
            _ => {
                let mut text = String::new();
                self.push_text(&mut text)?;
                out.extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }

    /// A number for a type narrower than 64 bits; floats become an `int` first, as in Java.
    fn small(self, min: i64, max: i64) -> Result<i64, ConnectError> {
        Ok(match self {
            Self::Float32(number) => i64::from(number as i32),
            Self::Float64(number) => i64::from(number as i32),
            other => other.long(min, max)?,
        })
    }

    fn long(self, min: i64, max: i64) -> Result<i64, ConnectError> {
        match self {
            Self::Int(number) | Self::Date { number, .. } => Ok(number),
            Self::Float32(number) => Ok(number as i64),
            Self::Float64(number) => Ok(number as i64),
            Self::Boolean(flag) => Ok(flag.into()),
            Self::Text(text) => text
                .parse()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| out_of_range(text)),
            Self::Decimal { scale, unscaled } => low_bits(scale, unscaled),
            Self::Bytes(_) => Err(unexpected_bytes()),
        }
    }

    fn float(self) -> Result<f32, ConnectError> {
        match self {
            Self::Int(number) | Self::Date { number, .. } => Ok(number as f32),
            Self::Float32(number) => Ok(number),
            Self::Float64(number) => Ok(number as f32),
            Self::Boolean(flag) => Ok(f32::from(u8::from(flag))),
            Self::Text(text) => java_float(text).ok_or_else(|| out_of_range(text)),
            Self::Decimal { scale, unscaled } => Ok(decimal(scale, unscaled).to_text()?.parse().unwrap_or(f32::NAN)),
            Self::Bytes(_) => Err(unexpected_bytes()),
        }
    }

    fn double(self) -> Result<f64, ConnectError> {
        match self {
            Self::Int(number) | Self::Date { number, .. } => Ok(number as f64),
            Self::Float32(number) => Ok(number.into()),
            Self::Float64(number) => Ok(number),
            Self::Boolean(flag) => Ok(f64::from(u8::from(flag))),
            Self::Text(text) => java_double(text).ok_or_else(|| out_of_range(text)),
            Self::Decimal { scale, unscaled } => Ok(decimal(scale, unscaled).to_text()?.parse().unwrap_or(f64::NAN)),
            Self::Bytes(_) => Err(unexpected_bytes()),
        }
    }

    fn boolean(self) -> Result<bool, ConnectError> {
        match self {
            Self::Boolean(flag) => Ok(flag),
            Self::Text(text) => Ok(text.eq_ignore_ascii_case("true")),
            other => Ok(other.long(i64::MIN, i64::MAX)? != 0),
        }
    }

    fn push_text(self, out: &mut String) -> Result<(), ConnectError> {
        match self {
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Float32(number) => push_f32(out, number),
            Self::Float64(number) => push_f64(out, number),
            Self::Boolean(flag) => out.push_str(if flag { "true" } else { "false" }),
            Self::Text(text) => out.push_str(text),
            Self::Bytes(bytes) => push_base64(out, bytes),
            Self::Decimal { scale, unscaled } => out.push_str(&decimal(scale, unscaled).to_text()?),
            Self::Date { ms, .. } => out.push_str(&temporal::text(ms)),
        }
        Ok(())
    }
}

fn decimal(scale: i32, unscaled: &[u8]) -> Decimal {
    Decimal {
        scale,
        unscaled: unscaled.to_vec(),
    }
}

/// Gives the low 64 bits of the whole part, as `BigDecimal.longValue`.
pub(crate) fn low_bits(scale: i32, unscaled: &[u8]) -> Result<i64, ConnectError> {
    let text = decimal(scale, unscaled).to_plain_text()?;
    let whole = text.split('.').next().unwrap_or_default();
    let magnitude = whole.bytes().filter(u8::is_ascii_digit).fold(0i64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'))
    });
    Ok(if whole.starts_with('-') {
        magnitude.wrapping_neg()
    } else {
        magnitude
    })
}

fn out_of_range(text: &str) -> ConnectError {
    ConnectError::data(format!("Value ({text}) was out of range for requested data type"))
        .caused_by(format!("java.lang.NumberFormatException: For input string: \"{text}\""))
}

fn unexpected_bytes() -> ConnectError {
    ConnectError::data("Unexpected type in Cast transformation: class [B")
}

/// Reads a text as `Float.parseFloat`: rounded once, from the digits to 24 bits.
fn java_float(text: &str) -> Option<f32> {
    match java_number(text)? {
        JavaNumber::Digits(digits) => digits.parse().ok(),
        JavaNumber::Value(value) => Some(value as f32),
    }
}

/// Reads a text as `Double.parseDouble`.
fn java_double(text: &str) -> Option<f64> {
    match java_number(text)? {
        JavaNumber::Digits(digits) => digits.parse().ok(),
        JavaNumber::Value(value) => Some(value),
    }
}

enum JavaNumber<'a> {
    Digits(&'a str),
    Value(f64),
}

fn java_number(text: &str) -> Option<JavaNumber<'_>> {
    let text = text.trim_matches(|char: char| char <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        "NaN" => return Some(JavaNumber::Value(f64::NAN)),
        "Infinity" => return Some(JavaNumber::Value(sign * f64::INFINITY)),
        _ => {}
    }
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return hex_double(hex).map(|value| JavaNumber::Value(sign * value));
    }
    let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    is_number.then_some(JavaNumber::Digits(digits))
}

/// Reads hexadecimal digits with a binary exponent, `1.8p3`; exact up to 53 bits.
fn hex_double(text: &str) -> Option<f64> {
    let text = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(fraction.len()).ok()?.checked_mul(4)?)?;
    Some(value * 2f64.powi(shift))
}
