//! Writing values as Avro by a plan
//!
//! One walk over the value encoding, straight into the caller's buffer. How a plan is made is in `encode_plan.rs`.

use std::collections::HashMap;

use weir_api::data::schema::MAX_DEPTH;
use weir_api::error::ConnectError;
use weir_api::frame::value_reader::{ValueError, ValueReader};

use crate::avro::anything::write_anything;
use crate::avro::binary::{push_bytes, push_len, push_long};

const NULL_REFUSED: &str = "Found null value for non-optional schema";

/// A value with its nullability.
#[derive(Debug)]
pub(crate) struct Part {
    /// A presence byte stands in front.
    pub(crate) optional: bool,
    /// What stands for null; `None` is an error.
    pub(crate) null: Option<Box<[u8]>>,
    /// The union's branch that holds the value.
    pub(crate) branch: Option<i64>,
    /// What it is otherwise.
    pub(crate) shape: Shape,
}

/// A number on its way into a wider one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    ToFloat(Number),
    ToDouble(Number),
    Boolean,
    Text,
    Bytes,
    Fixed(usize),
    FixedDecimal(usize),
    Enum(HashMap<Box<str>, i64>),
    Array(Box<Part>),
    Map {
        key_optional: bool,
        value: Box<Part>,
    },
    Entries {
        key: Box<Part>,
        value: Box<Part>,
    },
    Struct(Vec<Part>),
    /// Fields in another order, some left out or added.
    Matched {
        parts: Vec<Part>,
        targets: Vec<Target>,
    },
    /// The first member that is set.
    Union {
        members: Vec<Part>,
        null: Option<i64>,
    },
    Anything,
}

/// Where a field of the Avro record comes from.
#[derive(Debug)]
pub(crate) enum Target {
    Field(usize),
    Default(Box<[u8]>),
}

impl Number {
    fn read(self, reader: &mut ValueReader<'_>) -> Result<f64, ConnectError> {
        Ok(match self {
            Self::Int8 => f64::from(reader.int8()?),
            Self::Int16 => f64::from(reader.int16()?),
            Self::Int32 => f64::from(reader.int32()?),
            Self::Int64 => reader.int64()? as f64,
            Self::Float32 => f64::from(reader.float32()?),
        })
    }
}

impl Part {
    /// Appends a value below the root.
    #[inline(always)]
    pub(crate) fn write(&self, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        if self.optional && !reader.is_present()? {
            let null = self.null.as_deref().ok_or_else(|| ConnectError::data(NULL_REFUSED))?;
            out.extend_from_slice(null);
            return Ok(());
        }
        if let Some(branch) = self.branch {
            push_long(out, branch);
        }
        self.shape.write(reader, out)
    }
}

impl Shape {
    /// Appends a value that is there. What most fields are stands in the caller's loop, the rest behind a call: a call
    /// a field costs as much as its writing.
    #[inline(always)]
    fn write(&self, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        match self {
            Self::Int32 => push_long(out, reader.int32()?.into()),
            Self::Int64 => push_long(out, reader.int64()?),
            Self::Float64 => out.extend_from_slice(&reader.float64()?.to_le_bytes()),
            Self::Boolean => out.push(u8::from(reader.boolean()?)),
            Self::Text => push_bytes(out, checked_text(reader.bytes()?)?),
            Self::Bytes => push_bytes(out, reader.bytes()?),
            _ => return self.write_other(reader, out),
        }
        Ok(())
    }

    fn write_other(&self, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        match self {
            Self::Int8 => push_long(out, reader.int8()?.into()),
            Self::Int16 => push_long(out, reader.int16()?.into()),
            Self::Float32 => out.extend_from_slice(&reader.float32()?.to_le_bytes()),
            Self::ToFloat(number) => out.extend_from_slice(&(number.read(reader)? as f32).to_le_bytes()),
            Self::ToDouble(number) => out.extend_from_slice(&number.read(reader)?.to_le_bytes()),
            Self::Fixed(len) => push_fixed(out, reader.bytes()?, *len)?,
            Self::FixedDecimal(len) => push_fixed_decimal(out, reader.bytes()?, *len)?,
            Self::Enum(symbols) => push_symbol(out, symbols, reader.text()?)?,
            Self::Struct(parts) => {
                for part in parts {
                    part.write(reader, out)?;
                }
            }
            Self::Array(element) => write_blocks(reader, out, |reader, out| element.write(reader, out))?,
            Self::Map { key_optional, value } => write_blocks(reader, out, |reader, out| {
                if *key_optional && !reader.is_present()? {
                    return Err(ConnectError::data("null is no key of an Avro map"));
                }
                push_bytes(out, checked_text(reader.bytes()?)?);
                value.write(reader, out)
            })?,
            Self::Entries { key, value } => write_blocks(reader, out, |reader, out| {
                key.write(reader, out)?;
                value.write(reader, out)
            })?,
            Self::Matched { parts, targets } => write_matched(parts, targets, reader, out)?,
            Self::Union { members, null } => write_union(members, *null, reader, out)?,
            Self::Anything => write_anything(reader, out, MAX_DEPTH)?,
            // Those above, which `write` takes itself.
            Self::Int32 | Self::Int64 | Self::Float64 | Self::Boolean | Self::Text | Self::Bytes => {}
        }
        Ok(())
    }
}

/// Gives the bytes of a text that is one: most are ASCII, which is seen faster than UTF-8.
#[inline]
fn checked_text(bytes: &[u8]) -> Result<&[u8], ConnectError> {
    if !bytes.is_ascii() {
        std::str::from_utf8(bytes).map_err(ValueError::from)?;
    }
    Ok(bytes)
}

/// Appends a whole slot: no presence byte, texts and bytes without their length.
pub(crate) fn write_root(part: &Part, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    if let Some(branch) = part.branch {
        push_long(out, branch);
    }
    match &part.shape {
        Shape::Text => push_bytes(out, reader.root_text()?.as_bytes()),
        Shape::Bytes => push_bytes(out, reader.root_bytes()),
        Shape::Fixed(len) => push_fixed(out, reader.root_bytes(), *len)?,
        Shape::FixedDecimal(len) => push_fixed_decimal(out, reader.root_bytes(), *len)?,
        Shape::Enum(symbols) => push_symbol(out, symbols, reader.root_text()?)?,
        shape => shape.write(reader, out)?,
    }
    Ok(())
}

/// Appends all elements as one block, and the end.
#[inline]
fn write_blocks(
    reader: &mut ValueReader<'_>,
    out: &mut Vec<u8>,
    mut element: impl FnMut(&mut ValueReader<'_>, &mut Vec<u8>) -> Result<(), ConnectError>,
) -> Result<(), ConnectError> {
    let count = reader.count()?;
    if count > 0 {
        push_len(out, count as usize);
        for _ in 0..count {
            element(reader, out)?;
        }
    }
    out.push(0);
    Ok(())
}

/// Appends fields in the order of the Avro record: written in their own order behind the end, then moved.
fn write_matched(
    parts: &[Part],
    targets: &[Target],
    reader: &mut ValueReader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    let mut own = Vec::new();
    let mut ends = Vec::with_capacity(parts.len());
    for part in parts {
        let start = own.len();
        part.write(reader, &mut own)?;
        ends.push(start..own.len());
    }
    for target in targets {
        match target {
            Target::Field(at) => {
                let bytes = ends.get(*at).and_then(|range| own.get(range.clone()));
                out.extend_from_slice(bytes.unwrap_or_default());
            }
            Target::Default(bytes) => out.extend_from_slice(bytes),
        }
    }
    Ok(())
}

/// Appends the first member that is set; the others are walked over.
fn write_union(
    members: &[Part],
    null: Option<i64>,
    reader: &mut ValueReader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    let start = out.len();
    let mut end = start;
    for part in members {
        if part.optional && !reader.is_present()? {
            if end == start
                && let Some(default) = &part.null
            {
                out.extend_from_slice(default);
                end = out.len();
            }
            continue;
        }
        if let Some(branch) = part.branch {
            push_long(out, branch);
        }
        part.shape.write(reader, out)?;
        if end == start {
            end = out.len();
        }
        out.truncate(end);
    }
    if end == start {
        push_long(out, null.ok_or_else(|| ConnectError::data(NULL_REFUSED))?);
    }
    Ok(())
}

fn push_symbol(out: &mut Vec<u8>, symbols: &HashMap<Box<str>, i64>, symbol: &str) -> Result<(), ConnectError> {
    match symbols.get(symbol) {
        Some(position) => {
            push_long(out, *position);
            Ok(())
        }
        None => Err(ConnectError::data(format!("{symbol} is no symbol of the Avro enum"))),
    }
}

fn push_fixed(out: &mut Vec<u8>, bytes: &[u8], len: usize) -> Result<(), ConnectError> {
    if bytes.len() != len {
        return Err(ConnectError::data(format!(
            "{} bytes given for an Avro fixed of {len}",
            bytes.len()
        )));
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// A number takes the whole fixed, its sign repeated in front.
fn push_fixed_decimal(out: &mut Vec<u8>, bytes: &[u8], len: usize) -> Result<(), ConnectError> {
    let Some(room) = len.checked_sub(bytes.len()) else {
        return Err(ConnectError::data(format!(
            "a decimal of {} bytes given for an Avro fixed of {len}",
            bytes.len()
        )));
    };
    let sign = if bytes.first().is_some_and(|first| *first >= 0x80) {
        0xFF
    } else {
        0
    };
    out.resize(out.len() + room, sign);
    out.extend_from_slice(bytes);
    Ok(())
}
