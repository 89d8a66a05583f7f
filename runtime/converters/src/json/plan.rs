//! How values of one schema become JSON, worked out once
//!
//! A plan holds what does not change from record to record: escaped field names, logical types, the texts and bytes
//! that stand for null. Writing walks the value encoding with it: no value tree, no look-ups, no allocation except for
//! decimals and fractions. The same plan guides reading in `decode.rs`.

use std::sync::Arc;

use weir_api::data::decimal::Decimal;
use weir_api::data::logical::Logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::{encode_nested, tags};
use weir_api::frame::value_reader::{ValueError, ValueReader};

use crate::json::base64::push_encoded;
use crate::json::write::{push_double, push_float, push_int, push_text};

/// Deepest nesting of a schemaless value.
pub const MAX_DEPTH: usize = weir_api::data::schema::MAX_DEPTH;

/// Options that change the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonStyle {
    /// Decimals as numbers instead of base64 texts.
    pub numeric_decimals: bool,
    /// Null fields with a default are written and read as the default.
    pub replace_null_with_default: bool,
}

/// What a value is, logical types resolved.
#[derive(Debug)]
pub enum Shape {
    /// INT8.
    Int8,
    /// INT16.
    Int16,
    /// INT32, and TIME and DATE when written.
    Int32,
    /// INT64.
    Int64,
    /// FLOAT32.
    Float32,
    /// FLOAT64.
    Float64,
    /// BOOLEAN.
    Boolean,
    /// STRING.
    Text,
    /// BYTES.
    Bytes,
    /// Decimal of a scale.
    Decimal(i32),
    /// Date.
    Date,
    /// Time.
    Time,
    /// Timestamp.
    Timestamp,
    /// ARRAY.
    Array(Box<Part>),
    /// MAP; with STRING keys an object, else an array of pairs.
    Map {
        /// Keys.
        key: Box<Part>,
        /// Values.
        value: Box<Part>,
    },
    /// STRUCT.
    Struct(Vec<FieldPlan>),
    /// An element without schema.
    Tagged,
}

/// What stands for null.
#[derive(Debug, Default)]
pub struct NullForm {
    /// JSON written for it; `None` is an error.
    pub json: Option<Box<[u8]>>,
    /// Value encoding of the default below the root, presence byte included, when null is read as it.
    pub bytes: Option<Box<[u8]>>,
    /// Value encoding of the default as a whole slot.
    pub root_bytes: Option<Box<[u8]>>,
}

/// A value with its nullability.
#[derive(Debug)]
pub struct Part {
    /// Type as error texts name it.
    pub base: SchemaType,
    /// Whether null is a value.
    pub optional: bool,
    /// What stands for null.
    pub null: NullForm,
    /// What it is otherwise.
    pub shape: Shape,
}

/// One field of a struct.
#[derive(Debug)]
pub struct FieldPlan {
    /// Name.
    pub name: String,
    /// `"name":` with the comma or brace before it.
    label: Box<[u8]>,
    /// Value.
    pub part: Part,
}

impl Part {
    /// Works out the plan of a schema; its depth was checked when it was declared or read.
    ///
    /// # Errors
    /// `Data` when a default cannot be written.
    pub fn new(schema: &Schema, style: JsonStyle) -> Result<Self, ConnectError> {
        let mut part = Self {
            base: schema.base,
            optional: schema.optional,
            null: NullForm::default(),
            shape: Shape::new(schema, style)?,
        };
        match &schema.default {
            Some(default) if style.replace_null_with_default => {
                let mut bytes = Vec::new();
                encode_nested(schema, default, &mut SchemaTable::new(), &mut bytes)?;
                let mut json = Vec::new();
                part.write(&mut ValueReader::new(&bytes), style, &mut json)?;
                let root_start = usize::from(schema.optional)
                    + if matches!(schema.base, SchemaType::Text | SchemaType::Bytes) {
                        4
                    } else {
                        0
                    };
                part.null = NullForm {
                    json: Some(json.into()),
                    root_bytes: Some(bytes.get(root_start..).unwrap_or_default().into()),
                    bytes: Some(bytes.into()),
                };
            }
            _ if schema.optional => part.null.json = Some(b"null".as_slice().into()),
            _ => {}
        }
        Ok(part)
    }

    /// Appends what stands for null.
    ///
    /// # Errors
    /// `Data` when nothing does.
    pub fn write_null(&self, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        match &self.null.json {
            Some(json) => {
                out.extend_from_slice(json);
                Ok(())
            }
            None => Err(ConnectError::data(
                "Conversion error: null value for field that is required and has no default value",
            )),
        }
    }

    /// Appends the JSON of a whole slot.
    ///
    /// # Errors
    /// `Data` when the bytes are no value of the schema.
    pub fn write_root(
        &self,
        reader: &mut ValueReader<'_>,
        style: JsonStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        match &self.shape {
            Shape::Text => push_text(out, reader.root_text()?),
            Shape::Bytes => push_quoted_base64(out, reader.root_bytes()),
            Shape::Decimal(scale) => push_decimal(out, *scale, reader.root_bytes(), style)?,
            _ => self.write_present(reader, style, out)?,
        }
        Ok(())
    }

    /// Appends the JSON of a value below the root.
    fn write(&self, reader: &mut ValueReader<'_>, style: JsonStyle, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        if self.optional && !reader.is_present()? {
            return self.write_null(out);
        }
        self.write_present(reader, style, out)
    }

    fn write_present(
        &self,
        reader: &mut ValueReader<'_>,
        style: JsonStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        match &self.shape {
            Shape::Int8 => push_int(out, reader.int8()?.into()),
            Shape::Int16 => push_int(out, reader.int16()?.into()),
            Shape::Int32 | Shape::Date | Shape::Time => push_int(out, reader.int32()?.into()),
            Shape::Int64 | Shape::Timestamp => push_int(out, reader.int64()?),
            Shape::Float32 => push_float(out, reader.float32()?),
            Shape::Float64 => push_double(out, reader.float64()?),
            Shape::Boolean => push_boolean(out, reader.boolean()?),
            Shape::Text => push_text(out, reader.text()?),
            Shape::Bytes => push_quoted_base64(out, reader.bytes()?),
            Shape::Decimal(scale) => push_decimal(out, *scale, reader.bytes()?, style)?,
            Shape::Array(element) => write_array(element, reader, style, out)?,
            Shape::Map { key, value } => write_map(key, value, reader, style, out)?,
            Shape::Tagged => write_tagged(reader, out, MAX_DEPTH)?,
            Shape::Struct(fields) => {
                for field in fields {
                    out.extend_from_slice(&field.label);
                    field.part.write(reader, style, out)?;
                }
                out.extend_from_slice(if fields.is_empty() { b"{}" } else { b"}" });
            }
        }
        Ok(())
    }
}

impl Shape {
    fn new(schema: &Schema, style: JsonStyle) -> Result<Self, ConnectError> {
        match Logical::of(schema) {
            Some(Logical::Decimal { scale }) => return Ok(Self::Decimal(scale)),
            Some(Logical::Date) => return Ok(Self::Date),
            Some(Logical::Time) => return Ok(Self::Time),
            Some(Logical::Timestamp) => return Ok(Self::Timestamp),
            None => {}
        }
        let part = |schema: &Option<Arc<Schema>>| match schema {
            Some(schema) => Part::new(schema, style).map(Box::new),
            None => Ok(Box::new(Part {
                base: SchemaType::Struct,
                optional: false,
                null: NullForm::default(),
                shape: Self::Tagged,
            })),
        };
        Ok(match schema.base {
            SchemaType::Int8 => Self::Int8,
            SchemaType::Int16 => Self::Int16,
            SchemaType::Int32 => Self::Int32,
            SchemaType::Int64 => Self::Int64,
            SchemaType::Float32 => Self::Float32,
            SchemaType::Float64 => Self::Float64,
            SchemaType::Boolean => Self::Boolean,
            SchemaType::Text => Self::Text,
            SchemaType::Bytes => Self::Bytes,
            SchemaType::Array => Self::Array(part(&schema.value)?),
            SchemaType::Map => Self::Map {
                key: part(&schema.key)?,
                value: part(&schema.value)?,
            },
            SchemaType::Struct => {
                let mut fields = Vec::with_capacity(schema.fields.len());
                for (position, field) in schema.fields.iter().enumerate() {
                    let mut label = vec![if position == 0 { b'{' } else { b',' }];
                    push_text(&mut label, &field.name);
                    label.push(b':');
                    fields.push(FieldPlan {
                        name: field.name.clone(),
                        label: label.into(),
                        part: Part::new(&field.schema, style)?,
                    });
                }
                Self::Struct(fields)
            }
        })
    }
}

/// Appends the JSON of a schema's default.
///
/// # Errors
/// `Data` when it does not fit the schema.
pub fn push_default(out: &mut Vec<u8>, schema: &Schema, default: &Value, style: JsonStyle) -> Result<(), ConnectError> {
    let mut bytes = Vec::new();
    encode_nested(schema, default, &mut SchemaTable::new(), &mut bytes)?;
    let part = Part {
        base: schema.base,
        optional: schema.optional,
        null: NullForm::default(),
        shape: Shape::new(schema, style)?,
    };
    part.write(&mut ValueReader::new(&bytes), style, out)
}

fn write_array(
    element: &Part,
    reader: &mut ValueReader<'_>,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    out.push(b'[');
    for position in 0..reader.count()? {
        if position > 0 {
            out.push(b',');
        }
        element.write(reader, style, out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_map(
    key: &Part,
    value: &Part,
    reader: &mut ValueReader<'_>,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    let is_object = key.base == SchemaType::Text;
    out.push(if is_object { b'{' } else { b'[' });
    for position in 0..reader.count()? {
        if position > 0 {
            out.push(b',');
        }
        if is_object {
            write_object_key(key, reader, style, out)?;
            out.push(b':');
            value.write(reader, style, out)?;
        } else {
            out.push(b'[');
            key.write(reader, style, out)?;
            out.push(b',');
            value.write(reader, style, out)?;
            out.push(b']');
        }
    }
    out.push(if is_object { b'}' } else { b']' });
    Ok(())
}

/// Appends a key; a null one takes its JSON as text, `null` or the default.
fn write_object_key(
    key: &Part,
    reader: &mut ValueReader<'_>,
    style: JsonStyle,
    out: &mut Vec<u8>,
) -> Result<(), ConnectError> {
    let start = out.len();
    key.write(reader, style, out)?;
    if out.get(start) != Some(&b'"') {
        out.insert(start, b'"');
        out.push(b'"');
    }
    Ok(())
}

fn push_boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn push_quoted_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    push_encoded(out, bytes);
    out.push(b'"');
}

fn push_decimal(out: &mut Vec<u8>, scale: i32, unscaled: &[u8], style: JsonStyle) -> Result<(), ConnectError> {
    if style.numeric_decimals {
        let text = Decimal {
            scale,
            unscaled: unscaled.to_vec(),
        }
        .to_text()?;
        out.extend_from_slice(text.as_bytes());
    } else {
        push_quoted_base64(out, unscaled);
    }
    Ok(())
}

/// Appends the JSON of a schemaless value.
///
/// # Errors
/// `Data` when the bytes are no value, or the value has no schemaless JSON form.
pub fn write_tagged(reader: &mut ValueReader<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), ConnectError> {
    let below = depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))?;
    match reader.tag()? {
        tags::NULL => out.extend_from_slice(b"null"),
        tags::INT8 => push_int(out, reader.int8()?.into()),
        tags::INT16 => push_int(out, reader.int16()?.into()),
        tags::INT32 => push_int(out, reader.int32()?.into()),
        tags::INT64 => push_int(out, reader.int64()?),
        tags::FLOAT32 => push_float(out, reader.float32()?),
        tags::FLOAT64 => push_double(out, reader.float64()?),
        tags::BOOLEAN => push_boolean(out, reader.boolean()?),
        tags::TEXT => push_text(out, reader.text()?),
        tags::BYTES => push_quoted_base64(out, reader.bytes()?),
        tags::ARRAY => {
            out.push(b'[');
            for position in 0..reader.count()? {
                if position > 0 {
                    out.push(b',');
                }
                write_tagged(reader, out, below)?;
            }
            out.push(b']');
        }
        tags::MAP => write_tagged_map(reader, out, below)?,
        tags::STRUCT => return Err(ConnectError::data("Mismatching schema.")),
        tags::DATE_TIME => {
            return Err(ConnectError::data(
                "Java class class java.util.Date does not have corresponding schema type.",
            ));
        }
        tags::DECIMAL => {
            return Err(ConnectError::data(
                "Java class class java.math.BigDecimal does not have corresponding schema type.",
            ));
        }
        found => return Err(ValueError::Byte { what: "tag", found }.into()),
    }
    Ok(())
}

fn write_tagged_map(reader: &mut ValueReader<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), ConnectError> {
    let count = reader.count()?;
    let is_object = has_text_keys(reader.clone(), count, depth_left)?;
    out.push(if is_object { b'{' } else { b'[' });
    for position in 0..count {
        if position > 0 {
            out.push(b',');
        }
        if !is_object {
            out.push(b'[');
        }
        write_tagged(reader, out, depth_left)?;
        out.push(if is_object { b':' } else { b',' });
        write_tagged(reader, out, depth_left)?;
        if !is_object {
            out.push(b']');
        }
    }
    out.push(if is_object { b'}' } else { b']' });
    Ok(())
}

/// Looks ahead whether all keys are texts; any other key turns the object into an array of pairs.
fn has_text_keys(mut reader: ValueReader<'_>, count: u32, depth_left: usize) -> Result<bool, ConnectError> {
    for _ in 0..count {
        if reader.rest().first() != Some(&tags::TEXT) {
            return Ok(false);
        }
        skip_tagged(&mut reader, depth_left)?;
        skip_tagged(&mut reader, depth_left)?;
    }
    Ok(true)
}

fn skip_tagged(reader: &mut ValueReader<'_>, depth_left: usize) -> Result<(), ConnectError> {
    let below = depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))?;
    match reader.tag()? {
        tags::NULL => {}
        tags::INT8 | tags::BOOLEAN => drop(reader.int8()?),
        tags::INT16 => drop(reader.int16()?),
        tags::INT32 | tags::FLOAT32 => drop(reader.int32()?),
        tags::INT64 | tags::FLOAT64 | tags::DATE_TIME => drop(reader.int64()?),
        tags::TEXT | tags::BYTES => drop(reader.bytes()?),
        tags::ARRAY => {
            for _ in 0..reader.count()? {
                skip_tagged(reader, below)?;
            }
        }
        tags::MAP => {
            for _ in 0..reader.count()? {
                skip_tagged(reader, below)?;
                skip_tagged(reader, below)?;
            }
        }
        tags::DECIMAL => {
            reader.int32()?;
            reader.bytes()?;
        }
        tags::STRUCT => return Err(ConnectError::data("Mismatching schema.")),
        found => return Err(ValueError::Byte { what: "tag", found }.into()),
    }
    Ok(())
}
