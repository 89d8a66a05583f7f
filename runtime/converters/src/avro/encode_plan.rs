//! Value encoding into Avro bytes, by a plan made once a schema
//!
//! No value tree, no look-ups by name, no allocation a record: what is walked with is in `encode.rs`. A plan is made of a Connect schema and the Avro schema to write with, mostly its own form; where
//! that is another one (the subject's latest) fields are matched by name, numbers widened and missing fields take
//! their defaults. Kafka: `AvroData.fromConnectData`.

use std::sync::Arc;

use weir_api::data::logical::Logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::value::encode_nested;
use weir_api::frame::value_reader::ValueReader;
use weir_schema::avro::schema::{AvroSchema, Kind, NodeId, Record};

use crate::avro::binary::push_long;
use crate::avro::config::DataOptions;
use crate::avro::connect_to_avro::to_avro;
use crate::avro::encode::{Number, Part, Shape, Target, write_root};
use crate::avro::json_default::encode_json;
use crate::avro::names::{scrubbed, scrubbed_full};
use crate::avro::shapes::{entry_fields, enum_parameter, is_anything, is_union};

/// How values of one schema are written.
#[derive(Debug)]
pub struct EncodePlan {
    root: Part,
    /// A schema of bare bytes is the payload itself.
    is_raw: bool,
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
        write_root(&self.root, &mut reader, out)?;
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
        enum_parameter(schema, self.options).map(|(_, name)| name)
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
        let form = to_avro(Some(schema), self.options)?;
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

#[cfg(test)]
mod tests;
