//! Schemaless values in the record that holds anything
//!
//! Nine nullable fields, one of which is set; all null is null. Java takes the first that is set. Kafka:
//! `AvroData.ANYTHING_SCHEMA`. DIVERGES: bytes without a schema are written, where Java knows only their reading.

use weir_api::data::schema::MAX_DEPTH;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_api::frame::value_reader::{ValueError, ValueReader};

use crate::avro::binary::{BinaryError, BinaryReader, push_bytes, push_len, push_long};
use crate::avro::budget::{Budget, decoded_text, with_count};

/// Fields in order, each with the tag of its values.
const FIELDS: [u8; 9] = [
    tags::BOOLEAN,
    tags::BYTES,
    tags::FLOAT64,
    tags::FLOAT32,
    tags::INT32,
    tags::INT64,
    tags::TEXT,
    tags::ARRAY,
    tags::MAP,
];

/// Appends a schemaless value.
///
/// # Errors
/// `Data` when the bytes are no value, or a class that Java does not know without a schema.
pub fn write_anything(reader: &mut ValueReader<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), ConnectError> {
    let below = depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))?;
    let tag = reader.tag()?;
    let field = match tag {
        tags::NULL => None,
        tags::INT8 | tags::INT16 => Some(tags::INT32),
        tags::STRUCT => return Err(unknown_class("org.apache.kafka.connect.data.Struct")),
        tags::DATE_TIME => return Err(unknown_class("java.util.Date")),
        tags::DECIMAL => return Err(unknown_class("java.math.BigDecimal")),
        other => Some(other),
    };
    for known in FIELDS {
        if field != Some(known) {
            out.push(0);
            continue;
        }
        // Branch 1 of the field's union.
        out.push(2);
        write_value(tag, reader, out, below)?;
    }
    match field {
        Some(tag) if !FIELDS.contains(&tag) => Err(ValueError::Byte {
            what: "tag",
            found: tag,
        }
        .into()),
        _ => Ok(()),
    }
}

fn write_value(tag: u8, reader: &mut ValueReader<'_>, out: &mut Vec<u8>, below: usize) -> Result<(), ConnectError> {
    match tag {
        tags::INT8 => push_long(out, reader.int8()?.into()),
        tags::INT16 => push_long(out, reader.int16()?.into()),
        tags::INT32 => push_long(out, reader.int32()?.into()),
        tags::INT64 => push_long(out, reader.int64()?),
        tags::FLOAT32 => out.extend_from_slice(&reader.float32()?.to_le_bytes()),
        tags::FLOAT64 => out.extend_from_slice(&reader.float64()?.to_le_bytes()),
        tags::BOOLEAN => out.push(u8::from(reader.boolean()?)),
        tags::TEXT => push_bytes(out, reader.text()?.as_bytes()),
        tags::BYTES => push_bytes(out, reader.bytes()?),
        tags::ARRAY | tags::MAP => {
            let count = reader.count()?;
            if count > 0 {
                push_len(out, count as usize);
            }
            for _ in 0..count {
                if tag == tags::MAP {
                    write_anything(reader, out, below)?;
                }
                write_anything(reader, out, below)?;
            }
            out.push(0);
        }
        found => return Err(ValueError::Byte { what: "tag", found }.into()),
    }
    Ok(())
}

fn unknown_class(class: &str) -> ConnectError {
    ConnectError::data(format!("Unknown Java type for schemaless data: class {class}"))
}

/// Appends the tagged value that a record holds.
///
/// # Errors
/// The bytes are no such record.
pub fn read_anything(
    reader: &mut BinaryReader<'_>,
    out: &mut Vec<u8>,
    budget: &Budget,
    depth_left: usize,
) -> Result<(), BinaryError> {
    let below = depth_left.checked_sub(1).ok_or(BinaryError::Depth(MAX_DEPTH))?;
    let start = out.len();
    let mut end = start;
    for tag in FIELDS {
        if reader.position("a branch", 2)? == 0 {
            continue;
        }
        out.push(tag);
        read_value(tag, reader, out, budget, below)?;
        if end == start {
            end = out.len();
        }
        // Only the first that is set counts.
        out.truncate(end);
    }
    if end == start {
        out.push(tags::NULL);
    }
    Ok(())
}

fn read_value(
    tag: u8,
    reader: &mut BinaryReader<'_>,
    out: &mut Vec<u8>,
    budget: &Budget,
    below: usize,
) -> Result<(), BinaryError> {
    match tag {
        tags::BOOLEAN => out.push(reader.boolean()?),
        tags::BYTES => budget.push_bytes(out, reader.bytes()?)?,
        tags::FLOAT64 => out.extend_from_slice(&reader.double()?),
        tags::FLOAT32 => out.extend_from_slice(&reader.float()?),
        tags::INT32 => out.extend_from_slice(&reader.int()?.to_le_bytes()),
        tags::INT64 => out.extend_from_slice(&reader.long()?.to_le_bytes()),
        tags::TEXT => budget.push_bytes(out, decoded_text(reader.bytes()?).as_bytes())?,
        tags::ARRAY => with_count(reader, out, budget, |reader, out| {
            read_anything(reader, out, budget, below)
        })?,
        _ => with_count(reader, out, budget, |reader, out| {
            read_anything(reader, out, budget, below)?;
            read_anything(reader, out, budget, below)
        })?,
    }
    Ok(())
}
