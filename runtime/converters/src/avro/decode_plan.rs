//! Avro bytes into value encoding, by a plan made once a schema
//!
//! One walk over bytes that came from Kafka and may be hostile: lengths, counts, branches and the size of what comes
//! out are bounded; depth is that of the plan. A record costs one pass, nothing is allocated but the output. Kafka:
//! `AvroData.toConnectData`.

use std::sync::Arc;

use weir_api::data::logical::{DAY_MS, Logical};
use weir_api::data::schema::{MAX_DEPTH, Schema, SchemaType};
use weir_api::error::ConnectError;
use weir_schema::avro::schema::{AvroSchema, Kind, NodeId};

use crate::avro::anything::read_anything;
use crate::avro::binary::{BinaryError, BinaryReader};
use crate::avro::budget::{Budget, decoded_text, with_count};
use crate::avro::shapes::{entry_fields, is_anything, is_union};

/// How values of one schema are read.
#[derive(Debug)]
pub struct DecodePlan {
    root: Part,
    /// A schema of bare bytes is the payload itself.
    is_raw: bool,
}

#[derive(Debug)]
enum Part {
    Int8,
    Int16,
    Int32,
    Time,
    Int64,
    Float,
    Double,
    Boolean,
    Text,
    Bytes,
    Decimal,
    Fixed(usize),
    FixedDecimal(usize),
    /// Symbols in value encoding, length included.
    Enum(Vec<Box<[u8]>>),
    Array(Box<Part>),
    Map {
        key_optional: bool,
        value: Box<Part>,
    },
    Entries {
        key: Box<Part>,
        value: Box<Part>,
        value_first: bool,
    },
    Struct(Vec<Part>),
    /// A union with null: which branch is null.
    Nullable {
        null: usize,
        inner: Box<Part>,
    },
    /// A union of one.
    Single(Box<Part>),
    Union {
        branches: Vec<Branch>,
        fields: usize,
        optional: bool,
    },
    Anything,
}

#[derive(Debug)]
enum Branch {
    Null,
    /// A member: the field's place in the struct.
    Member(usize, Part),
}

impl DecodePlan {
    /// Works out the plan of an Avro schema and the Connect schema it was mapped to, `None` for anything.
    ///
    /// # Errors
    /// `Data`: the two do not belong together.
    pub fn new(avro: &AvroSchema, schema: Option<&Arc<Schema>>) -> Result<Self, ConnectError> {
        Ok(Self {
            root: Part::new(avro, avro.root, schema)?,
            is_raw: avro.root_node().kind == Kind::Bytes,
        })
    }

    /// Appends the slot of a payload. False: the value is null.
    ///
    /// # Errors
    /// `Data`: the bytes are no value of the schema.
    pub fn read(&self, payload: &[u8], out: &mut Vec<u8>) -> Result<bool, ConnectError> {
        let mut reader = BinaryReader::new(payload);
        let budget = Budget::new(out, payload);
        if self.is_raw {
            let bytes = reader.take_rest();
            match self.root {
                Part::Decimal => out.extend_from_slice(minimal(bytes)?),
                _ => out.extend_from_slice(bytes),
            }
            return Ok(true);
        }
        out.reserve(payload.len().saturating_mul(2));
        let present = self.root.read_root(&mut reader, out, &budget)?;
        reader.finish()?;
        Ok(present)
    }
}

impl Part {
    fn new(avro: &AvroSchema, id: NodeId, schema: Option<&Arc<Schema>>) -> Result<Self, ConnectError> {
        let Some(schema) = schema else {
            return if is_anything(avro, id) {
                Ok(Self::Anything)
            } else {
                Err(mismatch(avro, id))
            };
        };
        let logical = Logical::of(schema);
        let is_decimal = matches!(logical, Some(Logical::Decimal { .. }));
        Ok(match (&avro.node(id).kind, schema.base) {
            (Kind::Union(branches), _) => Self::union(avro, id, branches, schema)?,
            (Kind::Int, SchemaType::Int8) => Self::Int8,
            (Kind::Int, SchemaType::Int16) => Self::Int16,
            (Kind::Int, SchemaType::Int32) if logical == Some(Logical::Time) => Self::Time,
            (Kind::Int, SchemaType::Int32) => Self::Int32,
            (Kind::Long, SchemaType::Int64) => Self::Int64,
            (Kind::Float, SchemaType::Float32) => Self::Float,
            (Kind::Double, SchemaType::Float64) => Self::Double,
            (Kind::Boolean, SchemaType::Boolean) => Self::Boolean,
            (Kind::String, SchemaType::Text) => Self::Text,
            (Kind::Bytes, SchemaType::Bytes) if is_decimal => Self::Decimal,
            (Kind::Bytes, SchemaType::Bytes) => Self::Bytes,
            (Kind::Fixed(fixed), SchemaType::Bytes) if is_decimal => Self::FixedDecimal(fixed.size),
            (Kind::Fixed(fixed), SchemaType::Bytes) => Self::Fixed(fixed.size),
            (Kind::Enum(of), SchemaType::Text) => Self::Enum(of.symbols.iter().map(|symbol| encoded(symbol)).collect()),
            (Kind::Array(items), SchemaType::Array) => {
                Self::Array(Box::new(Self::new(avro, *items, schema.value.as_ref())?))
            }
            (Kind::Array(items), SchemaType::Map) => {
                let (key, value, value_first) = entry_fields(avro, *items).ok_or_else(|| mismatch(avro, id))?;
                Self::Entries {
                    key: Box::new(Self::new(avro, key, schema.key.as_ref())?),
                    value: Box::new(Self::new(avro, value, schema.value.as_ref())?),
                    value_first,
                }
            }
            (Kind::Map(values), SchemaType::Map) => Self::Map {
                key_optional: schema.key.as_ref().is_some_and(|key| key.optional),
                value: Box::new(Self::new(avro, *values, schema.value.as_ref())?),
            },
            (Kind::Record(record), SchemaType::Struct) if record.fields.len() == schema.fields.len() => {
                let mut parts = Vec::with_capacity(record.fields.len());
                for (own, field) in record.fields.iter().zip(&schema.fields) {
                    parts.push(Self::new(avro, own.schema, Some(&field.schema))?);
                }
                Self::Struct(parts)
            }
            _ => return Err(mismatch(avro, id)),
        })
    }

    fn union(avro: &AvroSchema, id: NodeId, branches: &[NodeId], schema: &Arc<Schema>) -> Result<Self, ConnectError> {
        let null = branches.iter().position(|branch| avro.node(*branch).kind == Kind::Null);
        if !is_union(schema) {
            return match (branches, null) {
                ([only], None) => Ok(Self::Single(Box::new(Self::new(avro, *only, Some(schema))?))),
                ([_, other], Some(0)) | ([other, _], Some(_)) => Ok(Self::Nullable {
                    null: null.unwrap_or(0),
                    inner: Box::new(Self::new(avro, *other, Some(schema))?),
                }),
                _ => Err(mismatch(avro, id)),
            };
        }
        let mut members = schema.fields.iter().enumerate();
        let mut parts = Vec::with_capacity(branches.len());
        for branch in branches {
            if avro.node(*branch).kind == Kind::Null {
                parts.push(Branch::Null);
                continue;
            }
            let (place, field) = members.next().ok_or_else(|| mismatch(avro, id))?;
            parts.push(Branch::Member(place, Self::new(avro, *branch, Some(&field.schema))?));
        }
        Ok(Self::Union {
            branches: parts,
            fields: schema.fields.len(),
            optional: schema.optional,
        })
    }

    /// Reads a whole slot: no presence byte, texts and bytes without their length.
    fn read_root(
        &self,
        reader: &mut BinaryReader<'_>,
        out: &mut Vec<u8>,
        budget: &Budget,
    ) -> Result<bool, BinaryError> {
        match self {
            Self::Nullable { null, inner } => {
                if reader.position("a branch", 2)? == *null {
                    return Ok(false);
                }
                return inner.read_root(reader, out, budget);
            }
            Self::Single(inner) => {
                reader.position("a branch", 1)?;
                return inner.read_root(reader, out, budget);
            }
            Self::Union { optional: true, .. } | Self::Anything => {
                // A byte in front tells null from the rest: a presence byte, or a tag.
                let start = out.len();
                self.read(reader, out, budget)?;
                if out.get(start) == Some(&0) {
                    out.truncate(start);
                    return Ok(false);
                }
                if !matches!(self, Self::Anything) {
                    out.remove(start);
                }
            }
            Self::Text => out.extend_from_slice(decoded_text(reader.bytes()?).as_bytes()),
            Self::Bytes => out.extend_from_slice(reader.bytes()?),
            Self::Decimal => out.extend_from_slice(minimal(reader.bytes()?)?),
            Self::Fixed(len) => out.extend_from_slice(reader.fixed(*len)?),
            Self::FixedDecimal(len) => out.extend_from_slice(minimal(reader.fixed(*len)?)?),
            Self::Enum(symbols) => {
                let position = reader.position("a symbol", symbols.len())?;
                out.extend_from_slice(
                    symbols
                        .get(position)
                        .and_then(|symbol| symbol.get(4..))
                        .unwrap_or_default(),
                );
            }
            _ => self.read(reader, out, budget)?,
        }
        Ok(true)
    }

    /// Reads a value below the root, with its presence byte where the union says it may be null. What most fields are
    /// stands in the caller's loop, the rest behind a call: a call a field costs as much as its reading.
    #[inline(always)]
    fn read(&self, reader: &mut BinaryReader<'_>, out: &mut Vec<u8>, budget: &Budget) -> Result<(), BinaryError> {
        match self {
            Self::Int32 => out.extend_from_slice(&reader.int()?.to_le_bytes()),
            Self::Int64 => out.extend_from_slice(&reader.long()?.to_le_bytes()),
            Self::Double => out.extend_from_slice(&reader.double()?),
            Self::Boolean => out.push(reader.boolean()?),
            Self::Text => return read_text(reader, out, budget),
            _ => return self.read_other(reader, out, budget),
        }
        Ok(())
    }

    fn read_other(&self, reader: &mut BinaryReader<'_>, out: &mut Vec<u8>, budget: &Budget) -> Result<(), BinaryError> {
        match self {
            // Java's narrowing: what does not fit wraps.
            Self::Int8 => out.push(reader.int()? as u8),
            Self::Int16 => out.extend_from_slice(&(reader.int()? as i16).to_le_bytes()),
            Self::Time => out.extend_from_slice(&time(reader.int()?)?.to_le_bytes()),
            Self::Float => out.extend_from_slice(&reader.float()?),
            Self::Bytes => return budget.push_bytes(out, reader.bytes()?),
            Self::Decimal => return budget.push_bytes(out, minimal(reader.bytes()?)?),
            Self::Fixed(len) => return budget.push_bytes(out, reader.fixed(*len)?),
            Self::FixedDecimal(len) => return budget.push_bytes(out, minimal(reader.fixed(*len)?)?),
            Self::Enum(symbols) => {
                let position = reader.position("a symbol", symbols.len())?;
                out.extend_from_slice(symbols.get(position).map(|symbol| &**symbol).unwrap_or_default());
            }
            Self::Struct(parts) => {
                for part in parts {
                    part.read(reader, out, budget)?;
                }
            }
            Self::Nullable { null, inner } => {
                if reader.position("a branch", 2)? == *null {
                    out.push(0);
                } else {
                    out.push(1);
                    inner.read(reader, out, budget)?;
                }
            }
            _ => return self.read_nested(reader, out, budget),
        }
        Ok(())
    }

    fn read_nested(
        &self,
        reader: &mut BinaryReader<'_>,
        out: &mut Vec<u8>,
        budget: &Budget,
    ) -> Result<(), BinaryError> {
        match self {
            Self::Array(element) => with_count(reader, out, budget, |reader, out| element.read(reader, out, budget)),
            Self::Map { key_optional, value } => with_count(reader, out, budget, |reader, out| {
                if *key_optional {
                    out.push(1);
                }
                read_text(reader, out, budget)?;
                value.read(reader, out, budget)
            }),
            Self::Entries {
                key,
                value,
                value_first: false,
            } => with_count(reader, out, budget, |reader, out| {
                key.read(reader, out, budget)?;
                value.read(reader, out, budget)
            }),
            Self::Entries { key, value, .. } => with_count(reader, out, budget, |reader, out| {
                let start = out.len();
                value.read(reader, out, budget)?;
                let value_len = out.len() - start;
                key.read(reader, out, budget)?;
                if let Some(entry) = out.get_mut(start..) {
                    entry.rotate_left(value_len);
                }
                Ok(())
            }),
            Self::Single(inner) => {
                reader.position("a branch", 1)?;
                inner.read(reader, out, budget)
            }
            Self::Union {
                branches,
                fields,
                optional,
            } => read_union(branches, *fields, *optional, reader, out, budget),
            Self::Anything => read_anything(reader, out, budget, MAX_DEPTH),
            // The others are values of one piece, which the two above take themselves.
            _ => Ok(()),
        }
    }
}

/// A struct of nullable fields, of which one is set.
fn read_union(
    branches: &[Branch],
    fields: usize,
    optional: bool,
    reader: &mut BinaryReader<'_>,
    out: &mut Vec<u8>,
    budget: &Budget,
) -> Result<(), BinaryError> {
    let position = reader.position("a branch", branches.len())?;
    let Some(Branch::Member(place, part)) = branches.get(position) else {
        out.push(0);
        return Ok(());
    };
    if optional {
        out.push(1);
    }
    out.resize(out.len() + place, 0);
    out.push(1);
    part.read(reader, out, budget)?;
    out.resize(out.len() + (fields - place).saturating_sub(1), 0);
    Ok(())
}

#[inline]
fn read_text(reader: &mut BinaryReader<'_>, out: &mut Vec<u8>, budget: &Budget) -> Result<(), BinaryError> {
    let bytes = reader.bytes()?;
    if bytes.is_ascii() {
        return budget.push_bytes(out, bytes);
    }
    budget.push_bytes(out, decoded_text(bytes).as_bytes())
}

fn time(ms: i32) -> Result<i32, BinaryError> {
    if (0..=DAY_MS).contains(&i64::from(ms)) {
        return Ok(ms);
    }
    Err(BinaryError::Range {
        what: "a time",
        found: ms.into(),
        expected: "0 to 86400000 milliseconds",
    })
}

/// Cuts repeated sign bytes off a number, as value encoding wants it.
fn minimal(bytes: &[u8]) -> Result<&[u8], BinaryError> {
    if bytes.is_empty() {
        return Err(BinaryError::Short {
            what: "a decimal",
            wanted: 1,
            left: 0,
        });
    }
    let mut rest = bytes;
    while let [sign @ (0 | 0xFF), next, ..] = rest {
        if (*sign == 0) != (*next < 0x80) {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(rest)
}

fn encoded(symbol: &str) -> Box<[u8]> {
    let mut bytes = u32::try_from(symbol.len()).unwrap_or(0).to_le_bytes().to_vec();
    bytes.extend_from_slice(symbol.as_bytes());
    bytes.into()
}

fn mismatch(avro: &AvroSchema, id: NodeId) -> ConnectError {
    ConnectError::data(format!(
        "the Connect schema does not fit its Avro schema of type {}",
        avro.node(id).kind.type_name()
    ))
}

#[cfg(test)]
mod tests;
