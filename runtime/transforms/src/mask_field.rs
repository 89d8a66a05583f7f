//! MaskField: fields as the zero of their type, or as a replacement
//!
//! Kafka: `org.apache.kafka.connect.transforms.MaskField`. DIVERGES: a masked decimal keeps the scale of its schema;
//! Java's has scale 0, which its converters then refuse.

use weir_api::data::decimal::Decimal;
use weir_api::data::logical::Logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::not_empty_list as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key, unique, valid_list};
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, class_of_schema, class_of_tagged, key_text, push_len, push_tagged_text, require_map, require_struct,
    schema_of, set_count, tagged_slot,
};
use crate::plans::Plans;
use crate::rows::Row;
use crate::scalar::low_bits;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELDS: &str = "fields";
const REPLACEMENT: &str = "replacement";
const PURPOSE: &str = "mask fields";

#[derive(Debug)]
struct MaskField {
    side: Side,
    fields: Vec<String>,
    mask: Mask,
    replace_null: bool,
    plans: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    /// What stands for each field, without presence byte; none for one that stays.
    masks: Vec<Option<Result<Vec<u8>, ConnectError>>>,
}

/// What stands for a value.
#[derive(Debug)]
enum Mask {
    Zero,
    Text(String),
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::list(FIELDS)
                .validator(valid_list())
                .importance(Importance::High)
                .doc("Fields to mask."),
        )
        .key(
            ConfigKey::text(REPLACEMENT)
                .default_null()
                .validator(Validator::NonEmptyText)
                .importance(Importance::Low)
                .doc("What numbers and texts are replaced with, in place of zero and the empty text."),
        )
        .key(replace_null_key())
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(MaskField {
        side,
        fields: unique(config.get_list(FIELDS)?),
        mask: match config.opt_text(REPLACEMENT) {
            Some(text) => Mask::Text(text.to_owned()),
            None => Mask::Zero,
        },
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Transformation for MaskField {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let value = cx.bytes(cell);
        let start = cx.out.len();
        if cell.schema == SchemaId::NONE {
            let value = require_map(value, PURPOSE)?;
            self.schemaless(cx, value)?;
        } else {
            self.with_schema(cx, cell.schema, value)?;
        }
        self.side.set(row, cx.written(start, cell.schema));
        Ok(Outcome::Kept)
    }
}

impl MaskField {
    fn schemaless(&mut self, cx: &mut ApplyCx<'_>, value: &[u8]) -> Result<(), ConnectError> {
        self.pairs.split(cx.schemas, value)?;
        cx.out.push(tags::MAP);
        let count_at = cx.out.len();
        push_len(cx.out, 0);
        let mut count = self.fields.len();
        for (key, item) in self.pairs.iter(value) {
            if !self.fields.iter().any(|field| key_text(key) == Some(field)) {
                cx.out.extend_from_slice(key);
                cx.out.extend_from_slice(item);
                count += 1;
            }
        }
        for field in &self.fields {
            push_tagged_text(cx.out, field);
            match self.pairs.get(value, field).and_then(tagged_slot) {
                Some(item) => self.mask.push_tagged(item, cx.out)?,
                None => cx.out.push(tags::NULL),
            }
        }
        set_count(cx.out, count_at, count);
        Ok(())
    }

    fn with_schema(
        &mut self,
        cx: &mut ApplyCx<'_>,
        schema: SchemaId,
        value: Option<&[u8]>,
    ) -> Result<(), ConnectError> {
        let (fields, mask, replace_null) = (&self.fields, &self.mask, self.replace_null);
        let known = schema_of(cx.schemas, schema)?;
        let value = require_struct(&known, value, PURPOSE)?;
        let plan = self.plans.get(schema, || {
            let masks = known
                .fields
                .iter()
                .map(|field| fields.contains(&field.name).then(|| mask.of_schema(&field.schema)));
            Ok::<_, ConnectError>(Plan {
                masks: masks.collect(),
                layout: Layout::new(cx.schemas, &known, replace_null)?,
            })
        })?;
        let parts = plan.layout.split(value)?;
        for (at, mask) in plan.masks.iter().enumerate() {
            match mask {
                Some(mask) if parts.present(at).is_some() => {
                    if parts.is_optional(at) {
                        cx.out.push(1);
                    }
                    cx.out.extend_from_slice(mask.as_ref().map_err(ConnectError::clone)?);
                }
                _ => cx.out.extend_from_slice(parts.encoded(at)),
            }
        }
        Ok(())
    }
}

impl Mask {
    /// Gives what stands for a value of a schema, as a field without presence byte.
    fn of_schema(&self, schema: &Schema) -> Result<Vec<u8>, ConnectError> {
        let class = class_of_schema(schema);
        let mut out = Vec::new();
        match Logical::of(schema) {
            Some(Logical::Decimal { scale }) => {
                let unscaled = match self {
                    Self::Zero => vec![0],
                    Self::Text(text) => {
                        let number = big_decimal(text, "number")?;
                        let fitting = number.rescaled(scale);
                        let misfit =
                            || ConnectError::data("BigDecimal has mismatching scale value for given Decimal schema");
                        fitting.ok_or_else(misfit)?.unscaled
                    }
                };
                push_len(&mut out, unscaled.len());
                out.extend_from_slice(&unscaled);
                return Ok(out);
            }
            Some(_) if matches!(self, Self::Text(_)) => return Err(no_replacement(class)),
            _ => {}
        }
        match schema.base {
            SchemaType::Boolean if matches!(self, Self::Zero) => out.push(0),
            SchemaType::Array | SchemaType::Map if matches!(self, Self::Zero) => push_len(&mut out, 0),
            SchemaType::Text => {
                let text = self.text();
                push_len(&mut out, text.len());
                out.extend_from_slice(text.as_bytes());
            }
            base => self.push_number(base, class, &mut out)?,
        }
        Ok(out)
    }

    fn push_tagged(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), ConnectError> {
        let class = class_of_tagged(value);
        let tag = value.first().copied().unwrap_or(tags::NULL);
        let base = match tag {
            tags::INT8 => SchemaType::Int8,
            tags::INT16 => SchemaType::Int16,
            tags::INT32 => SchemaType::Int32,
            tags::INT64 => SchemaType::Int64,
            tags::FLOAT32 => SchemaType::Float32,
            tags::FLOAT64 => SchemaType::Float64,
            tags::TEXT => {
                push_tagged_text(out, self.text());
                return Ok(());
            }
            tags::DECIMAL => {
                let number = match self {
                    Self::Zero => big_decimal("0", "number")?,
                    Self::Text(text) => big_decimal(text, "number")?,
                };
                out.push(tag);
                out.extend_from_slice(&number.scale.to_le_bytes());
                push_len(out, number.unscaled.len());
                out.extend_from_slice(&number.unscaled);
                return Ok(());
            }
            tags::BOOLEAN if matches!(self, Self::Zero) => {
                out.extend_from_slice(&[tag, 0]);
                return Ok(());
            }
            tags::DATE_TIME if matches!(self, Self::Zero) => SchemaType::Int64,
            tags::ARRAY | tags::MAP if matches!(self, Self::Zero) => {
                out.push(tag);
                push_len(out, 0);
                return Ok(());
            }
            _ => SchemaType::Bytes,
        };
        out.push(tag);
        self.push_number(base, class, out)
    }

    fn text(&self) -> &str {
        match self {
            Self::Zero => "",
            Self::Text(text) => text,
        }
    }

    fn push_number(&self, base: SchemaType, class: &str, out: &mut Vec<u8>) -> Result<(), ConnectError> {
        let is_number = matches!(
            base,
            SchemaType::Int8
                | SchemaType::Int16
                | SchemaType::Int32
                | SchemaType::Int64
                | SchemaType::Float32
                | SchemaType::Float64
        );
        let (whole, float) = match self {
            Self::Zero if is_number => (0, 0.0),
            Self::Zero => return Err(ConnectError::data(format!("Cannot mask value of type: class {class}"))),
            Self::Text(_) if !is_number => return Err(no_replacement(class)),
            Self::Text(text) => {
                let number = big_decimal(text, "a number")?;
                let float = number.to_text()?.parse().unwrap_or(f64::NAN);
                (low_bits(number.scale, &number.unscaled)?, float)
            }
        };
        match base {
            SchemaType::Int8 => out.extend_from_slice(&(whole as i8).to_le_bytes()),
            SchemaType::Int16 => out.extend_from_slice(&(whole as i16).to_le_bytes()),
            SchemaType::Int32 => out.extend_from_slice(&(whole as i32).to_le_bytes()),
            SchemaType::Int64 => out.extend_from_slice(&whole.to_le_bytes()),
            SchemaType::Float32 => out.extend_from_slice(&(float as f32).to_le_bytes()),
            _ => out.extend_from_slice(&float.to_le_bytes()),
        }
        Ok(())
    }
}

fn no_replacement(class: &str) -> ConnectError {
    ConnectError::data(format!(
        "Cannot mask value of type class {class} with custom replacement."
    ))
}

fn big_decimal(text: &str, what: &str) -> Result<Decimal, ConnectError> {
    Decimal::parse(text).ok_or_else(|| {
        ConnectError::data(format!("Unable to convert {text} (class java.lang.String) to {what}"))
            .caused_by("java.lang.NumberFormatException")
    })
}
