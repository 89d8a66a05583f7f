//! Value encoding into Avro bytes, by a plan made once a schema
//!
//! A plan walks the frame's bytes borrowed and appends to the caller's buffer: no value tree, no look-ups by name, no
//! allocation a record. It is made of a Connect schema and the Avro schema to write with, mostly its own form; where
//! that is another one (the subject's latest) fields are matched by name, numbers widened and missing fields take
//! their defaults. Kafka: `AvroData.fromConnectData`.

use std::collections::HashMap;
use std::sync::Arc;

use weir_api::data::logical::Logical;
use weir_api::data::schema::{MAX_DEPTH, Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::value::encode_nested;
use weir_api::frame::value_reader::ValueReader;
use weir_schema::avro::schema::{AvroSchema, Kind, NodeId, Record};

use crate::avro::anything::write_anything;
use crate::avro::avro_to_connect::{entry_fields, is_anything};
use crate::avro::binary::{push_bytes, push_len, push_long};
use crate::avro::config::DataOptions;
use crate::avro::connect_to_avro::is_union;
use crate::avro::json_default::encode_json;
use crate::avro::names::{scrubbed, scrubbed_full};

const NULL_REFUSED: &str = "Found null value for non-optional schema";

/// How values of one schema are written.
#[derive(Debug)]
pub struct EncodePlan {
    root: Part,
    /// A schema of bare bytes is the payload itself.
    is_raw: bool,
}

/// A value with its nullability.
#[derive(Debug)]
struct Part {
    /// A presence byte stands in front.
    optional: bool,
    /// What stands for null; `None` is an error.
    null: Option<Box<[u8]>>,
    /// The union's branch that holds the value.
    branch: Option<i64>,
    shape: Shape,
}

/// A number on its way into a wider one.
#[derive(Debug, Clone, Copy)]
enum Number {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
}

#[derive(Debug)]
enum Shape {
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
enum Target {
    Field(usize),
    Default(Box<[u8]>),
}

impl EncodePlan {
    /// Works out the plan of a Connect schema, `None` for schemaless values, under an Avro schema.
    ///
    /// # Errors
    /// `Data`: the two do not fit.
    pub fn new(schema: Option<&Schema>, avro: &AvroSchema, options: &DataOptions) -> Result<Self, ConnectError> {
        let planner = Planner { avro, options };
        let is_raw =
            schema.is_some_and(|schema| schema.base == SchemaType::Bytes) && avro.root_node().kind == Kind::Bytes;
        Ok(Self {
            root: planner.part(schema, avro.root, Place::Root)?,
            is_raw,
        })
    }

    /// Appends the payload of a slot that is not null.
    ///
    /// # Errors
    /// `Data`: the bytes are no value of the schema, or null stands where none may be.
    pub fn write(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ConnectError> {
        if self.is_raw {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        out.reserve(bytes.len());
        let mut reader = ValueReader::new(bytes);
        if let Some(branch) = self.root.branch {
            push_long(out, branch);
        }
        match &self.root.shape {
            Shape::Text => push_bytes(out, reader.root_text()?.as_bytes()),
            Shape::Bytes => push_bytes(out, reader.root_bytes()),
            Shape::Fixed(len) => push_fixed(out, reader.root_bytes(), *len)?,
            Shape::FixedDecimal(len) => push_fixed_decimal(out, reader.root_bytes(), *len)?,
            Shape::Enum(symbols) => push_symbol(out, symbols, reader.root_text()?)?,
            shape => shape.write(&mut reader, out)?,
        }
        reader.finish()?;
        Ok(())
    }
}

/// Where a part stands: only fields of a struct take their default for null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Field,
    Element,
}

struct Planner<'a> {
    avro: &'a AvroSchema,
    options: &'a DataOptions,
}

impl Planner<'_> {
    fn part(&self, schema: Option<&Schema>, id: NodeId, place: Place) -> Result<Part, ConnectError> {
        let Some(schema) = schema else {
            if !is_anything(self.avro, id) {
                return Err(self.mismatch("schemaless data", id));
            }
            return Ok(Part {
                optional: false,
                null: None,
                branch: None,
                shape: Shape::Anything,
            });
        };
        let mut part = Part {
            // A slot says by its length whether it is null.
            optional: schema.optional && place != Place::Root,
            null: None,
            branch: None,
            shape: Shape::Anything,
        };
        let mut null = None;
        part.shape = match &self.avro.node(id).kind {
            Kind::Union(branches) => {
                null = branches
                    .iter()
                    .position(|branch| self.avro.node(*branch).kind == Kind::Null)
                    .map(position);
                if is_union(schema) {
                    self.union(schema, branches, null.filter(|_| schema.optional))?
                } else {
                    let (branch, id) = self
                        .branch(schema, branches)
                        .ok_or_else(|| self.mismatch(schema.base.as_str(), id))?;
                    part.branch = Some(branch);
                    self.shape(schema, id)?
                }
            }
            _ => self.shape(schema, id)?,
        };
        part.null = self.null_form(schema, &part, null, place)?;
        Ok(part)
    }

    fn null_form(
        &self,
        schema: &Schema,
        part: &Part,
        null: Option<i64>,
        place: Place,
    ) -> Result<Option<Box<[u8]>>, ConnectError> {
        if !schema.optional {
            return Ok(None);
        }
        let mut out = Vec::new();
        match &schema.default {
            Some(default) if place == Place::Field && !self.options.ignore_default_for_nullables => {
                let mut bytes = Vec::new();
                encode_nested(schema, default, &mut SchemaTable::new(), &mut bytes)?;
                part.write(&mut ValueReader::new(&bytes), &mut out)?;
            }
            _ => match null {
                Some(branch) => push_long(&mut out, branch),
                None => return Ok(None),
            },
        }
        Ok(Some(out.into()))
    }

    /// Finds the branch of a union for a schema: its own type first, then one it can be widened to.
    fn branch(&self, schema: &Schema, branches: &[NodeId]) -> Option<(i64, NodeId)> {
        let fit = |best: u8| {
            branches
                .iter()
                .position(|branch| self.fit(schema, *branch) == Some(best))
                .and_then(|at| Some((position(at), *branches.get(at)?)))
        };
        fit(0).or_else(|| fit(1)).or_else(|| fit(2))
    }

    /// Tells how well a schema fits a type: 0 as its own form, 1 under another name, 2 widened.
    fn fit(&self, schema: &Schema, id: NodeId) -> Option<u8> {
        let named = |name: &str| {
            let own = schema
                .name
                .as_deref()
                .map(|name| scrubbed_full(name, self.options.scrub_names));
            own.as_deref() == Some(name)
        };
        let kind = &self.avro.node(id).kind;
        match (schema.base, kind) {
            (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32, Kind::Int)
            | (SchemaType::Int64, Kind::Long)
            | (SchemaType::Float32, Kind::Float)
            | (SchemaType::Float64, Kind::Double)
            | (SchemaType::Boolean, Kind::Boolean)
            | (SchemaType::Array, Kind::Array(_)) => Some(0),
            (SchemaType::Map, Kind::Map(_)) => Some(0),
            (SchemaType::Map, Kind::Array(items)) => entry_fields(self.avro, *items).map(|_| 0),
            (SchemaType::Text, Kind::String) => Some(if self.is_enum(schema) { 1 } else { 0 }),
            (SchemaType::Text, Kind::Enum(of)) => Some(if self.enum_name(schema) == Some(&of.name.full()) {
                0
            } else {
                2
            }),
            (SchemaType::Bytes, Kind::Bytes) => Some(0),
            (SchemaType::Bytes, Kind::Fixed(fixed)) => Some(if named(&fixed.name.full()) { 0 } else { 1 }),
            (SchemaType::Struct, Kind::Record(record)) => Some(if named(&record.name.full()) { 0 } else { 1 }),
            (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32, Kind::Long | Kind::Float | Kind::Double)
            | (SchemaType::Int64, Kind::Float | Kind::Double)
            | (SchemaType::Float32, Kind::Double) => Some(2),
            _ => None,
        }
    }

    fn is_enum(&self, schema: &Schema) -> bool {
        self.enum_name(schema).is_some()
    }

    fn enum_name<'s>(&self, schema: &'s Schema) -> Option<&'s str> {
        crate::avro::connect_to_avro::enum_parameter(schema, self.options).map(|(_, name)| name)
    }

    fn union(&self, schema: &Schema, branches: &[NodeId], null: Option<i64>) -> Result<Shape, ConnectError> {
        // A union of the struct's own form has its members in order; others are found by their type.
        let own: Vec<(i64, NodeId)> = branches
            .iter()
            .enumerate()
            .filter(|(_, branch)| self.avro.node(**branch).kind != Kind::Null)
            .map(|(at, branch)| (position(at), *branch))
            .collect();
        let in_order = own.len() == schema.fields.len()
            && own
                .iter()
                .zip(&schema.fields)
                .all(|((_, branch), field)| self.fit(&field.schema, *branch).is_some());
        let mut members = Vec::with_capacity(schema.fields.len());
        for (at, field) in schema.fields.iter().enumerate() {
            let found = if in_order {
                own.get(at).copied()
            } else {
                self.branch(&field.schema, branches)
            };
            let (branch, id) = found.ok_or_else(|| {
                ConnectError::data(format!("union member {} has no branch in the Avro schema", field.name))
            })?;
            let mut part = Part {
                optional: field.schema.optional,
                null: None,
                branch: Some(branch),
                shape: self.shape(&field.schema, id)?,
            };
            // A default makes the member set, as reading the struct's field in Java gives.
            if field.schema.default.is_some() {
                part.null = self.null_form(&field.schema, &part, None, Place::Field)?;
            }
            members.push(part);
        }
        Ok(Shape::Union { members, null })
    }

    fn shape(&self, schema: &Schema, id: NodeId) -> Result<Shape, ConnectError> {
        let is_decimal = matches!(Logical::of(schema), Some(Logical::Decimal { .. }));
        Ok(match (schema.base, &self.avro.node(id).kind) {
            (SchemaType::Int8, Kind::Int | Kind::Long) => Shape::Int8,
            (SchemaType::Int16, Kind::Int | Kind::Long) => Shape::Int16,
            (SchemaType::Int32, Kind::Int | Kind::Long) => Shape::Int32,
            (SchemaType::Int64, Kind::Long) => Shape::Int64,
            (SchemaType::Float32, Kind::Float) => Shape::Float32,
            (SchemaType::Float64, Kind::Double) => Shape::Float64,
            (base, Kind::Float) => Shape::ToFloat(number(base).ok_or_else(|| self.mismatch(base.as_str(), id))?),
            (base, Kind::Double) => Shape::ToDouble(number(base).ok_or_else(|| self.mismatch(base.as_str(), id))?),
            (SchemaType::Boolean, Kind::Boolean) => Shape::Boolean,
            (SchemaType::Text, Kind::String) => Shape::Text,
            (SchemaType::Text, Kind::Enum(of)) => Shape::Enum(
                of.symbols
                    .iter()
                    .enumerate()
                    .map(|(at, symbol)| (symbol.as_str().into(), position(at)))
                    .collect(),
            ),
            (SchemaType::Bytes, Kind::Bytes) => Shape::Bytes,
            (SchemaType::Bytes, Kind::Fixed(fixed)) if is_decimal => Shape::FixedDecimal(fixed.size),
            (SchemaType::Bytes, Kind::Fixed(fixed)) => Shape::Fixed(fixed.size),
            (SchemaType::Array, Kind::Array(items)) => Shape::Array(self.element(&schema.value, *items)?),
            (SchemaType::Map, Kind::Map(values)) => Shape::Map {
                key_optional: self.text_key(schema, id)?,
                value: self.element(&schema.value, *values)?,
            },
            (SchemaType::Map, Kind::Array(items)) => match entry_fields(self.avro, *items) {
                Some((key, value, false)) => Shape::Entries {
                    key: self.element(&schema.key, key)?,
                    value: self.element(&schema.value, value)?,
                },
                _ => return Err(self.mismatch("MAP", id)),
            },
            (SchemaType::Struct, Kind::Record(record)) => self.record(schema, record)?,
            (base, _) => return Err(self.mismatch(base.as_str(), id)),
        })
    }

    fn text_key(&self, schema: &Schema, id: NodeId) -> Result<bool, ConnectError> {
        match &schema.key {
            Some(key) if key.base == SchemaType::Text => Ok(key.optional),
            _ => Err(self.mismatch("MAP without STRING keys", id)),
        }
    }

    fn element(&self, schema: &Option<Arc<Schema>>, id: NodeId) -> Result<Box<Part>, ConnectError> {
        Ok(Box::new(self.part(schema.as_deref(), id, Place::Element)?))
    }

    fn record(&self, schema: &Schema, record: &Record) -> Result<Shape, ConnectError> {
        let names: Vec<String> = schema
            .fields
            .iter()
            .map(|field| scrubbed(&field.name, self.options.scrub_names))
            .collect();
        let in_order = names.len() == record.fields.len()
            && names
                .iter()
                .zip(&record.fields)
                .all(|(name, field)| *name == field.name);
        let mut parts = Vec::with_capacity(names.len());
        for (field, name) in schema.fields.iter().zip(&names) {
            let Some(own) = record.fields.iter().find(|own| own.name == *name) else {
                // Nobody will read it: walked by its own form, and thrown away.
                parts.push(self.dropped(&field.schema)?);
                continue;
            };
            parts.push(self.part(Some(&field.schema), own.schema, Place::Field)?);
        }
        if in_order {
            return Ok(Shape::Struct(parts));
        }
        let mut targets = Vec::with_capacity(record.fields.len());
        for own in &record.fields {
            targets.push(match (names.iter().position(|name| *name == own.name), &own.default) {
                (Some(at), _) => Target::Field(at),
                (None, Some(default)) => Target::Default(encode_json(self.avro, own.schema, default)?.into()),
                (None, None) => {
                    return Err(ConnectError::data(format!(
                        "Avro record {} wants field {}, which the data does not have and which has no default",
                        record.name, own.name
                    )));
                }
            });
        }
        Ok(Shape::Matched { parts, targets })
    }

    fn dropped(&self, schema: &Schema) -> Result<Part, ConnectError> {
        let form = crate::avro::connect_to_avro::to_avro(Some(schema), self.options)?;
        let planner = Planner {
            avro: &form.avro,
            options: self.options,
        };
        planner.part(Some(schema), form.avro.root, Place::Field)
    }

    fn mismatch(&self, what: &str, id: NodeId) -> ConnectError {
        let node = self.avro.node(id);
        let name = node.kind.name().map(|name| format!(" {name}")).unwrap_or_default();
        ConnectError::data(format!(
            "{what} cannot be written with the Avro type {}{name}",
            node.kind.type_name()
        ))
    }
}

fn position(at: usize) -> i64 {
    // Far fewer branches and symbols than an i64 counts.
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn number(base: SchemaType) -> Option<Number> {
    match base {
        SchemaType::Int8 => Some(Number::Int8),
        SchemaType::Int16 => Some(Number::Int16),
        SchemaType::Int32 => Some(Number::Int32),
        SchemaType::Int64 => Some(Number::Int64),
        SchemaType::Float32 => Some(Number::Float32),
        _ => None,
    }
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
    #[inline]
    fn write(&self, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
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
    fn write(&self, reader: &mut ValueReader<'_>, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        match self {
            Self::Int8 => push_long(out, reader.int8()?.into()),
            Self::Int16 => push_long(out, reader.int16()?.into()),
            Self::Int32 => push_long(out, reader.int32()?.into()),
            Self::Int64 => push_long(out, reader.int64()?),
            Self::Float32 => out.extend_from_slice(&reader.float32()?.to_le_bytes()),
            Self::Float64 => out.extend_from_slice(&reader.float64()?.to_le_bytes()),
            Self::ToFloat(number) => out.extend_from_slice(&(number.read(reader)? as f32).to_le_bytes()),
            Self::ToDouble(number) => out.extend_from_slice(&number.read(reader)?.to_le_bytes()),
            Self::Boolean => out.push(u8::from(reader.boolean()?)),
            Self::Text => push_bytes(out, reader.text()?.as_bytes()),
            Self::Bytes => push_bytes(out, reader.bytes()?),
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
                push_bytes(out, reader.text()?.as_bytes());
                value.write(reader, out)
            })?,
            Self::Entries { key, value } => write_blocks(reader, out, |reader, out| {
                key.write(reader, out)?;
                value.write(reader, out)
            })?,
            Self::Matched { parts, targets } => write_matched(parts, targets, reader, out)?,
            Self::Union { members, null } => write_union(members, *null, reader, out)?,
            Self::Anything => write_anything(reader, out, MAX_DEPTH)?,
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests;
