//! Cast: fields, or the whole key or value, as another type
//!
//! Kafka: `org.apache.kafka.connect.transforms.Cast`. The conversions themselves are in `scalar.rs`.

use std::sync::Arc;

use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::{decode_slot, encode_slot, tags};
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::error::ConfigError;
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, class_of_tagged, copy_basics, declare, key_text, no_struct, push_len, push_tagged_text, require_map,
    schema_of, set_count, tagged_slot,
};
use crate::plans::Plans;
use crate::replace_field::parse_renames;
use crate::rows::Row;
use crate::scalar::Scalar;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const SPEC: &str = "spec";
const PURPOSE: &str = "cast types";
const TYPES: [SchemaType; 8] = [
    SchemaType::Int8,
    SchemaType::Int16,
    SchemaType::Int32,
    SchemaType::Int64,
    SchemaType::Float32,
    SchemaType::Float64,
    SchemaType::Boolean,
    SchemaType::Text,
];
const NO_TARGETS: [&str; 4] = ["BYTES", "ARRAY", "MAP", "STRUCT"];
const INPUTS: &str = "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]";

#[derive(Debug)]
struct Cast {
    side: Side,
    spec: Spec,
    replace_null: bool,
    plans: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
enum Spec {
    Whole(SchemaType),
    Fields(Vec<(String, SchemaType)>),
}

#[derive(Debug)]
enum Plan {
    Whole {
        schema: Arc<Schema>,
        updated: SchemaId,
    },
    Struct {
        layout: Layout,
        /// Target of each field; none for one that stays.
        targets: Vec<Option<SchemaType>>,
        updated: SchemaId,
    },
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::list(SPEC)
                .validator(Validator::Custom(
                    "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>".to_owned(),
                ))
                .importance(Importance::High)
                .doc("Fields and their new types as field:type, or one type for the whole: int8, int16, int32, int64, float32, float64, boolean or string. Bytes become strings only."),
        )
        .key(replace_null_key())
}

pub(crate) fn problem(_: &ConfigKey, value: &ConfigValue) -> Option<String> {
    match value {
        ConfigValue::List(spec) => Spec::parse(spec).err().map(|error| error.to_string()),
        _ => None,
    }
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(Cast {
        side,
        spec: Spec::parse(config.get_list(SPEC)?)?,
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Spec {
    fn parse(spec: &[String]) -> Result<Self, ConfigError> {
        if spec.is_empty() {
            return Err(ConfigError::Other(
                "Must specify at least one field to cast.".to_owned(),
            ));
        }
        let mut whole = None;
        let mut fields: Vec<(String, SchemaType)> = Vec::new();
        for entry in spec {
            let parts: Vec<&str> = entry.trim_end_matches(':').split(':').collect();
            match parts[..] {
                [target] => whole = Some(target_type(target)?),
                [field, target] => {
                    fields.retain(|(known, _)| known != field);
                    fields.push((field.to_owned(), target_type(target)?));
                }
                // Java names another setting here.
                _ => drop(parse_renames(spec)?),
            }
        }
        match whole {
            Some(target) if spec.len() == 1 => Ok(Self::Whole(target)),
            Some(_) => Err(ConfigError::Other(
                "Cast transformations that specify a type to cast the entire value to may only specify a single cast in \
                 their spec"
                    .to_owned(),
            )),
            None => Ok(Self::Fields(fields)),
        }
    }
}

fn target_type(text: &str) -> Result<SchemaType, ConfigError> {
    let name = text.trim().to_uppercase();
    if let Some(target) = TYPES.into_iter().find(|target| target.as_str() == name) {
        return Ok(target);
    }
    Err(ConfigError::Other(if NO_TARGETS.contains(&name.as_str()) {
        format!(
            "Cast transformation does not support casting to {name}; supported types are [INT8, INT16, INT32, INT64, \
             FLOAT32, FLOAT64, BOOLEAN, STRING]"
        )
    } else {
        format!(
            "Invalid value java.lang.IllegalArgumentException: No enum constant \
             org.apache.kafka.connect.data.Schema.Type.{name} for configuration Invalid type found in casting spec: {}",
            text.trim()
        )
    }))
}

impl Transformation for Cast {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let Some(value) = cx.bytes(cell) else {
            return Ok(Outcome::Kept);
        };
        let start = cx.out.len();
        let schema = if cell.schema == SchemaId::NONE {
            self.schemaless(cx, value)?;
            SchemaId::NONE
        } else {
            self.with_schema(cx, cell.schema, value)?
        };
        self.side.set(row, cx.written(start, schema));
        Ok(Outcome::Kept)
    }
}

impl Cast {
    fn schemaless(&mut self, cx: &mut ApplyCx<'_>, value: &[u8]) -> Result<(), ConnectError> {
        let fields = match &self.spec {
            Spec::Whole(target) => return cast_tagged(value, *target, cx.out),
            Spec::Fields(fields) => fields,
        };
        let value = require_map(Some(value), PURPOSE)?;
        self.pairs.split(cx.schemas, value)?;
        cx.out.push(tags::MAP);
        let count_at = cx.out.len();
        push_len(cx.out, 0);
        let mut count = fields.len();
        for (key, item) in self.pairs.iter(value) {
            if !fields.iter().any(|(field, _)| key_text(key) == Some(field)) {
                cx.out.extend_from_slice(key);
                cx.out.extend_from_slice(item);
                count += 1;
            }
        }
        for (field, target) in fields {
            push_tagged_text(cx.out, field);
            match self.pairs.get(value, field).and_then(tagged_slot) {
                Some(item) => cast_tagged(item, *target, cx.out)?,
                None => cx.out.push(tags::NULL),
            }
        }
        set_count(cx.out, count_at, count);
        Ok(())
    }

    fn with_schema(&mut self, cx: &mut ApplyCx<'_>, schema: SchemaId, value: &[u8]) -> Result<SchemaId, ConnectError> {
        let (spec, replace_null) = (&self.spec, self.replace_null);
        let plan = self
            .plans
            .get(schema, || Plan::new(cx.schemas, schema, spec, replace_null))?;
        match plan {
            Plan::Whole { schema, updated } => {
                let Spec::Whole(target) = self.spec else {
                    return Ok(*updated);
                };
                cast_slot(schema, value, target, cx.out)?;
                Ok(*updated)
            }
            Plan::Struct {
                layout,
                targets,
                updated,
            } => {
                let schema = Arc::clone(&layout.schema);
                let parts = layout.split(value)?;
                for (at, (field, target)) in schema.fields.iter().zip(targets).enumerate() {
                    let (Some(target), Some(bytes)) = (target, parts.slot(at)) else {
                        cx.out.extend_from_slice(parts.encoded(at));
                        continue;
                    };
                    if parts.is_optional(at) {
                        cx.out.push(1);
                    }
                    let start = cx.out.len();
                    if *target == SchemaType::Text {
                        push_len(cx.out, 0);
                    }
                    cast_slot(&field.schema, bytes, *target, cx.out)?;
                    if *target == SchemaType::Text {
                        let len = cx.out.len() - start - 4;
                        set_count(cx.out, start, len);
                    }
                }
                Ok(*updated)
            }
        }
    }
}

impl Plan {
    fn new(schemas: &mut SchemaTable, schema: SchemaId, spec: &Spec, replace_null: bool) -> Result<Self, ConnectError> {
        let schema = schema_of(schemas, schema)?;
        match spec {
            Spec::Whole(target) => {
                let updated = Schema {
                    optional: schema.optional,
                    default: cast_default(schemas, &schema, *target)?,
                    ..copy_basics(&schema, *target)
                };
                Ok(Self::Whole {
                    updated: declare(schemas, updated)?,
                    schema,
                })
            }
            Spec::Fields(casts) => Self::of_struct(schemas, &schema, casts, replace_null),
        }
    }

    fn of_struct(
        schemas: &mut SchemaTable,
        schema: &Arc<Schema>,
        casts: &[(String, SchemaType)],
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        if schema.base != SchemaType::Struct {
            return Err(no_struct("list fields"));
        }
        let mut fields = schema.fields.clone();
        let mut targets = Vec::with_capacity(fields.len());
        for field in &mut fields {
            let target = casts
                .iter()
                .find(|(name, _)| *name == field.name)
                .map(|(_, target)| *target);
            if let Some(target) = target {
                field.schema = Arc::new(Schema {
                    optional: field.schema.optional,
                    default: cast_default(schemas, &field.schema, target)?,
                    ..Schema::plain(target)
                });
            }
            targets.push(target);
        }
        if schema.default.is_some() {
            return Err(complex(schema));
        }
        let updated = Schema {
            fields,
            optional: schema.optional,
            ..copy_basics(schema, SchemaType::Struct)
        };
        Ok(Self::Struct {
            layout: Layout::new(schemas, schema, replace_null)?,
            targets,
            updated: declare(schemas, updated)?,
        })
    }
}

fn cast_default(schemas: &mut SchemaTable, schema: &Schema, target: SchemaType) -> Result<Option<Value>, ConnectError> {
    let Some(default) = &schema.default else {
        return Ok(None);
    };
    let (mut bytes, mut cast) = (Vec::new(), Vec::new());
    encode_slot(Some(schema), default, schemas, &mut bytes)?;
    cast_slot(schema, &bytes, target, &mut cast)?;
    let id = schemas.declare(Arc::new(Schema::plain(target)))?;
    decode_slot(id, Some(&cast), schemas).map(Some)
}

fn cast_slot(schema: &Schema, bytes: &[u8], target: SchemaType, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    let scalar = Scalar::of_slot(schema, bytes)?.ok_or_else(|| complex(schema))?;
    scalar.push_as(target, out)
}

fn complex(schema: &Schema) -> ConnectError {
    unsupported(schema.base.as_str())
}

fn unsupported(base: &str) -> ConnectError {
    ConnectError::data(format!(
        "Cast transformation does not support casting from {base}; supported types are {INPUTS}"
    ))
}

fn cast_tagged(bytes: &[u8], target: SchemaType, out: &mut Vec<u8>) -> Result<(), ConnectError> {
    let Some(scalar) = Scalar::of_tagged(bytes)? else {
        return Err(match bytes.first() {
            Some(&tags::ARRAY) => unsupported("ARRAY"),
            Some(&tags::MAP) => unsupported("MAP"),
            Some(&tags::STRUCT) => unsupported("STRUCT"),
            _ => ConnectError::data(format!(
                "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
                class_of_tagged(bytes)
            )),
        });
    };
    out.push(match target {
        SchemaType::Int8 => tags::INT8,
        SchemaType::Int16 => tags::INT16,
        SchemaType::Int32 => tags::INT32,
        SchemaType::Int64 => tags::INT64,
        SchemaType::Float32 => tags::FLOAT32,
        SchemaType::Float64 => tags::FLOAT64,
        SchemaType::Boolean => tags::BOOLEAN,
        _ => tags::TEXT,
    });
    let start = out.len();
    if target == SchemaType::Text {
        push_len(out, 0);
    }
    scalar.push_as(target, out)?;
    if target == SchemaType::Text {
        let len = out.len() - start - 4;
        set_count(out, start, len);
    }
    Ok(())
}
