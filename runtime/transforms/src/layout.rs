//! Encoded structs and maps taken apart without decoding
//!
//! A struct is its fields one after the other, a schemaless map its tagged pairs: a transformation finds the range of
//! each and copies ranges. Format: wasm-abi §5.

use std::ops::Range;
use std::sync::Arc;

use weir_api::data::logical::Logical;
use weir_api::data::schema::{MAX_DEPTH, Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::{StructValue, Value};
use weir_api::error::ConnectError;
use weir_api::frame::value::{encode_nested, tags};
use weir_api::frame::value_reader::{ValueError, ValueReader};

/// Java class of errors in a schema put together by a transformation.
const SCHEMA_BUILDER_EXCEPTION: &str = "org.apache.kafka.connect.errors.SchemaBuilderException";

/// Declares a schema that a transformation put together.
pub(crate) fn declare(schemas: &mut SchemaTable, schema: Schema) -> Result<SchemaId, ConnectError> {
    if schema.fields.iter().any(|field| field.name.is_empty()) {
        return Err(ConnectError::fatal("fieldName cannot be null.").with_class_name(SCHEMA_BUILDER_EXCEPTION));
    }
    schemas
        .declare(Arc::new(schema))
        .map_err(|error| error.with_class_name(SCHEMA_BUILDER_EXCEPTION))
}

/// Gives the schema of an id that a row carries.
pub(crate) fn schema_of(schemas: &SchemaTable, id: SchemaId) -> Result<Arc<Schema>, ConnectError> {
    let known = schemas.get(id).cloned();
    known.ok_or_else(|| ConnectError::data(format!("schema {} is not known", id.0)))
}

/// Gives a struct schema with name, version, doc and parameters of another and no fields, required.
pub(crate) fn copy_basics(schema: &Schema, base: SchemaType) -> Schema {
    Schema {
        name: schema.name.clone(),
        version: schema.version,
        doc: schema.doc.clone(),
        parameters: schema.parameters.clone(),
        ..Schema::plain(base)
    }
}

/// How many bytes a field takes.
#[derive(Debug)]
enum Size {
    Fixed(usize),
    Prefixed,
    Deep(Arc<Schema>),
}

/// One field of a struct.
#[derive(Debug)]
pub(crate) struct FieldShape {
    pub(crate) schema: Arc<Schema>,
    size: Size,
    /// The default with its presence byte: what stands for null when nulls are to be replaced.
    default: Option<Vec<u8>>,
}

/// A struct schema made ready to take values apart.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) schema: Arc<Schema>,
    pub(crate) fields: Vec<FieldShape>,
    ranges: Vec<Range<usize>>,
}

impl Layout {
    /// Makes the layout of a struct schema; `replace_null` is `replace.null.with.default`.
    pub(crate) fn new(
        schemas: &mut SchemaTable,
        schema: &Arc<Schema>,
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let mut fields = Vec::with_capacity(schema.fields.len());
        for field in &schema.fields {
            let default = match &field.schema.default {
                // Without room for null, the default stands there already.
                Some(value) if replace_null && field.schema.optional => {
                    let mut bytes = Vec::new();
                    encode_nested(&field.schema, value, schemas, &mut bytes)?;
                    Some(bytes)
                }
                _ => None,
            };
            fields.push(FieldShape {
                default,
                ..FieldShape::new(&field.schema)
            });
        }
        Ok(Self {
            schema: Arc::clone(schema),
            fields,
            ranges: Vec::new(),
        })
    }

    /// Tells whether copying all fields is copying the bytes.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.fields.iter().all(|field| field.default.is_none())
    }

    /// Appends a value with its nulls replaced where that is asked for.
    pub(crate) fn copy(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        let fields = self.fields.len();
        let parts = self.split(value)?;
        for at in 0..fields {
            out.extend_from_slice(parts.encoded(at));
        }
        Ok(())
    }

    /// Finds the fields of a value.
    pub(crate) fn split<'a>(&mut self, bytes: &'a [u8]) -> Result<Parts<'_, 'a>, ValueError> {
        self.ranges.clear();
        let mut reader = ValueReader::new(bytes);
        for field in &self.fields {
            let start = bytes.len() - reader.rest().len();
            field.skip(&mut reader)?;
            self.ranges.push(start..bytes.len() - reader.rest().len());
        }
        reader.finish()?;
        Ok(Parts {
            fields: &self.fields,
            ranges: &self.ranges,
            bytes,
        })
    }
}

/// A value taken apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'l, 'a> {
    fields: &'l [FieldShape],
    ranges: &'l [Range<usize>],
    bytes: &'a [u8],
}

impl<'l, 'a: 'l> Parts<'l, 'a> {
    /// Gives a field as it is encoded, presence byte included, its default in place of null where that is asked for.
    pub(crate) fn encoded(&self, at: usize) -> &'l [u8] {
        let range = self.ranges.get(at).cloned().unwrap_or_default();
        let own = self.bytes.get(range).unwrap_or_default();
        match self.fields.get(at).and_then(|field| field.default.as_ref()) {
            Some(default) if own == [0] => default,
            _ => own,
        }
    }

    /// Tells whether a field has a presence byte.
    pub(crate) fn is_optional(&self, at: usize) -> bool {
        self.fields.get(at).is_some_and(|field| field.schema.optional)
    }

    /// Gives a field without presence byte; `None` is null.
    pub(crate) fn present(&self, at: usize) -> Option<&'l [u8]> {
        let encoded = self.encoded(at);
        match self.fields.get(at) {
            Some(field) if field.schema.optional => match encoded.split_first() {
                Some((1, value)) => Some(value),
                _ => None,
            },
            _ => Some(encoded),
        }
    }

    /// Gives a field as the bytes of a slot; `None` is null.
    pub(crate) fn slot(&self, at: usize) -> Option<&'l [u8]> {
        let present = self.present(at)?;
        Some(match self.fields.get(at).map(|field| field.schema.base) {
            Some(SchemaType::Text | SchemaType::Bytes) => present.get(4..).unwrap_or_default(),
            _ => present,
        })
    }
}

impl FieldShape {
    pub(crate) fn new(schema: &Arc<Schema>) -> Self {
        Self {
            schema: Arc::clone(schema),
            size: Size::of(schema),
            default: None,
        }
    }

    /// Passes over the field, presence byte included.
    pub(crate) fn skip(&self, reader: &mut ValueReader<'_>) -> Result<(), ValueError> {
        if self.schema.optional && !reader.is_present()? {
            return Ok(());
        }
        match &self.size {
            Size::Fixed(len) => skip_fixed(reader, *len),
            Size::Prefixed => reader.bytes().map(|_| ()),
            Size::Deep(schema) => skip_present(schema, reader, MAX_DEPTH),
        }
    }
}

impl Size {
    fn of(schema: &Arc<Schema>) -> Self {
        match fixed_size(schema.base) {
            Some(len) => Self::Fixed(len),
            None if schema.base.is_primitive() => Self::Prefixed,
            None => Self::Deep(Arc::clone(schema)),
        }
    }
}

fn fixed_size(base: SchemaType) -> Option<usize> {
    match base {
        SchemaType::Int8 | SchemaType::Boolean => Some(1),
        SchemaType::Int16 => Some(2),
        SchemaType::Int32 | SchemaType::Float32 => Some(4),
        SchemaType::Int64 | SchemaType::Float64 => Some(8),
        SchemaType::Text | SchemaType::Bytes | SchemaType::Array | SchemaType::Map | SchemaType::Struct => None,
    }
}

fn skip_fixed(reader: &mut ValueReader<'_>, len: usize) -> Result<(), ValueError> {
    match len {
        1 => reader.int8().map(|_| ()),
        2 => reader.int16().map(|_| ()),
        4 => reader.int32().map(|_| ()),
        _ => reader.int64().map(|_| ()),
    }
}

fn skip_part(schema: &Schema, reader: &mut ValueReader<'_>, depth_left: usize) -> Result<(), ValueError> {
    if schema.optional && !reader.is_present()? {
        return Ok(());
    }
    skip_present(schema, reader, depth_left)
}

fn skip_present(schema: &Schema, reader: &mut ValueReader<'_>, depth_left: usize) -> Result<(), ValueError> {
    let below = depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))?;
    if let Some(len) = fixed_size(schema.base) {
        return skip_fixed(reader, len);
    }
    match schema.base {
        SchemaType::Array => {
            for _ in 0..reader.count()? {
                skip_child(schema.value.as_deref(), reader, below)?;
            }
        }
        SchemaType::Map => {
            for _ in 0..reader.count()? {
                skip_child(schema.key.as_deref(), reader, below)?;
                skip_child(schema.value.as_deref(), reader, below)?;
            }
        }
        SchemaType::Struct => {
            for field in &schema.fields {
                skip_part(&field.schema, reader, below)?;
            }
        }
        _ => {
            reader.bytes()?;
        }
    }
    Ok(())
}

fn skip_child(schema: Option<&Schema>, reader: &mut ValueReader<'_>, depth_left: usize) -> Result<(), ValueError> {
    match schema {
        Some(schema) => skip_part(schema, reader, depth_left),
        // Elements of header literals describe themselves; structs do not occur there.
        None => skip_tagged(reader, &SchemaTable::new(), depth_left),
    }
}

/// Passes over a schemaless value.
pub(crate) fn skip_tagged(
    reader: &mut ValueReader<'_>,
    schemas: &SchemaTable,
    depth_left: usize,
) -> Result<(), ValueError> {
    let below = depth_left.checked_sub(1).ok_or(ValueError::Depth(MAX_DEPTH))?;
    match reader.tag()? {
        tags::NULL => {}
        tags::INT8 | tags::BOOLEAN => skip_fixed(reader, 1)?,
        tags::INT16 => skip_fixed(reader, 2)?,
        tags::INT32 | tags::FLOAT32 => skip_fixed(reader, 4)?,
        tags::INT64 | tags::FLOAT64 | tags::DATE_TIME => skip_fixed(reader, 8)?,
        tags::TEXT | tags::BYTES => {
            reader.bytes()?;
        }
        tags::ARRAY => {
            for _ in 0..reader.count()? {
                skip_tagged(reader, schemas, below)?;
            }
        }
        tags::MAP => {
            for _ in 0..reader.count()? {
                skip_tagged(reader, schemas, below)?;
                skip_tagged(reader, schemas, below)?;
            }
        }
        tags::STRUCT => {
            let id = reader.uint32()?;
            let schema = schemas.get(SchemaId(id)).ok_or(ValueError::Schema(id))?;
            skip_present(schema, reader, below)?;
        }
        tags::DECIMAL => {
            reader.int32()?;
            reader.bytes()?;
        }
        found => return Err(ValueError::Byte { what: "tag", found }),
    }
    Ok(())
}

/// The pairs of a schemaless map, encoded: key with its tag, value with its tag.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    ranges: Vec<(Range<usize>, Range<usize>)>,
}

impl Pairs {
    /// Finds the pairs of a schemaless value that is a map; the tag was looked at before.
    pub(crate) fn split(&mut self, schemas: &SchemaTable, bytes: &[u8]) -> Result<(), ValueError> {
        self.ranges.clear();
        let mut reader = ValueReader::new(bytes);
        reader.tag()?;
        let at = |reader: &ValueReader<'_>| bytes.len() - reader.rest().len();
        for _ in 0..reader.count()? {
            let key = at(&reader);
            skip_tagged(&mut reader, schemas, MAX_DEPTH - 1)?;
            let value = at(&reader);
            skip_tagged(&mut reader, schemas, MAX_DEPTH - 1)?;
            self.ranges.push((key..value, value..at(&reader)));
        }
        reader.finish()
    }

    /// Walks the pairs as they stand: key, value.
    pub(crate) fn iter<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.ranges.iter().map(move |(key, value)| {
            (
                bytes.get(key.clone()).unwrap_or_default(),
                bytes.get(value.clone()).unwrap_or_default(),
            )
        })
    }

    /// Gives the value of a key, encoded.
    pub(crate) fn get<'a>(&self, bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
        self.iter(bytes)
            .find_map(|(key, value)| (key_text(key) == Some(name)).then_some(value))
    }
}

/// Gives the text of an encoded schemaless key; `None` for a key that is no text.
pub(crate) fn key_text(encoded: &[u8]) -> Option<&str> {
    match encoded.split_first() {
        Some((&tags::TEXT, text)) => std::str::from_utf8(text.get(4..)?).ok(),
        _ => None,
    }
}

/// Appends a length, count or id.
pub(crate) fn push_len(out: &mut Vec<u8>, len: usize) {
    // Parts of a frame, whose size is bounded far below.
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// Appends a schemaless text.
pub(crate) fn push_tagged_text(out: &mut Vec<u8>, text: &str) {
    out.push(tags::TEXT);
    push_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends a slot's value as a field: presence byte, length.
pub(crate) fn push_field(out: &mut Vec<u8>, schema: &Schema, present: Option<&[u8]>) {
    match present {
        None => out.push(0),
        Some(bytes) => {
            if schema.optional {
                out.push(1);
            }
            if matches!(schema.base, SchemaType::Text | SchemaType::Bytes) {
                push_len(out, bytes.len());
            }
            out.extend_from_slice(bytes);
        }
    }
}

/// Gives a struct schema anew with other attributes: a default that it has belongs to the old one.
pub(crate) fn with_own_default(mut schema: Schema) -> Schema {
    if let Some(Value::Struct(default)) = schema.default.take() {
        let bare = Arc::new(schema.clone());
        schema.default = Some(Value::Struct(StructValue {
            schema: bare,
            fields: default.fields,
        }));
    }
    schema
}

/// Gives the slot bytes of a schemaless part; `None` is null.
pub(crate) fn tagged_slot(encoded: &[u8]) -> Option<&[u8]> {
    (encoded.first() != Some(&tags::NULL)).then_some(encoded)
}

/// Fails unless the value is a struct: `Only Struct objects supported for [purpose], found: class`.
pub(crate) fn require_struct<'a>(
    schema: &Schema,
    bytes: Option<&'a [u8]>,
    purpose: &str,
) -> Result<&'a [u8], ConnectError> {
    match bytes {
        Some(bytes) if schema.base == SchemaType::Struct => Ok(bytes),
        bytes => Err(ConnectError::data(format!(
            "Only Struct objects supported for [{purpose}], found: {}",
            bytes.map_or("null", |_| class_of_schema(schema))
        ))),
    }
}

/// Fails unless a schemaless value is a map.
pub(crate) fn require_map<'a>(bytes: Option<&'a [u8]>, purpose: &str) -> Result<&'a [u8], ConnectError> {
    match bytes {
        Some(bytes) if bytes.first() == Some(&tags::MAP) => Ok(bytes),
        bytes => Err(ConnectError::data(format!(
            "Only Map objects supported in absence of schema for [{purpose}], found: {}",
            bytes.map_or("null", class_of_tagged)
        ))),
    }
}

/// Gives the Java class that holds a value of a schema.
pub(crate) fn class_of_schema(schema: &Schema) -> &'static str {
    match Logical::of(schema) {
        Some(Logical::Decimal { .. }) => return "java.math.BigDecimal",
        Some(Logical::Date | Logical::Time | Logical::Timestamp) => return "java.util.Date",
        None => {}
    }
    match schema.base {
        SchemaType::Int8 => "java.lang.Byte",
        SchemaType::Int16 => "java.lang.Short",
        SchemaType::Int32 => "java.lang.Integer",
        SchemaType::Int64 => "java.lang.Long",
        SchemaType::Float32 => "java.lang.Float",
        SchemaType::Float64 => "java.lang.Double",
        SchemaType::Boolean => "java.lang.Boolean",
        SchemaType::Text => "java.lang.String",
        SchemaType::Bytes => "[B",
        SchemaType::Array => "java.util.ArrayList",
        SchemaType::Map => "java.util.HashMap",
        SchemaType::Struct => "org.apache.kafka.connect.data.Struct",
    }
}

/// Gives the Java class of a schemaless value.
pub(crate) fn class_of_tagged(bytes: &[u8]) -> &'static str {
    match bytes.first() {
        Some(&tags::INT8) => "java.lang.Byte",
        Some(&tags::INT16) => "java.lang.Short",
        Some(&tags::INT32) => "java.lang.Integer",
        Some(&tags::INT64) => "java.lang.Long",
        Some(&tags::FLOAT32) => "java.lang.Float",
        Some(&tags::FLOAT64) => "java.lang.Double",
        Some(&tags::BOOLEAN) => "java.lang.Boolean",
        Some(&tags::TEXT) => "java.lang.String",
        Some(&tags::BYTES) => "[B",
        Some(&tags::ARRAY) => "java.util.ArrayList",
        Some(&tags::MAP) => "java.util.HashMap",
        Some(&tags::STRUCT) => "org.apache.kafka.connect.data.Struct",
        Some(&tags::DATE_TIME) => "java.util.Date",
        Some(&tags::DECIMAL) => "java.math.BigDecimal",
        _ => "null",
    }
}

/// Gives the error of a required field that got null.
pub(crate) fn null_field(name: &str, schema: &Schema) -> ConnectError {
    match weir_api::data::validate::validate_field(name, schema, &Value::Null) {
        Err(error) => error,
        Ok(()) => ConnectError::data(format!("{name} is null")),
    }
}

/// Gives the error of looking into a schema that has no fields.
pub(crate) fn no_struct(what: &str) -> ConnectError {
    ConnectError::data(format!("Cannot {what} on non-struct type"))
}

/// Gives the error of a map key that is no text, where Java casts it to one.
pub(crate) fn key_is_no_text(key: &[u8]) -> ConnectError {
    let class = class_of_tagged(key);
    ConnectError::data(format!(
        "class {class} cannot be cast to class java.lang.String ({class} and java.lang.String are in module java.base of \
         loader 'bootstrap')"
    ))
    .with_class_name("java.lang.ClassCastException")
}

/// Writes the number of pairs where room was left for it.
pub(crate) fn set_count(out: &mut [u8], at: usize, count: usize) {
    let bytes = u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(room) = out.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<4>()) {
        *room = bytes;
    }
}
