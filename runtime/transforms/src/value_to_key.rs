//! ValueToKey: a new key of fields of the value
//!
//! Kafka: `org.apache.kafka.connect.transforms.ValueToKey`.

use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey, Importance};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::not_empty_list as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key, unique, valid_list};
use crate::error::TransformError;
use crate::layout::{Layout, Pairs, declare, push_len, push_tagged_text, require_map, require_struct, schema_of};
use crate::plans::Plans;
use crate::rows::{Cell, Row};
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELDS: &str = "fields";
const PURPOSE: &str = "copying fields from value to key";

#[derive(Debug)]
struct ValueToKey {
    fields: Vec<String>,
    replace_null: bool,
    plans: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    sources: Vec<usize>,
    key: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::list(FIELDS)
                .validator(valid_list())
                .importance(Importance::High)
                .doc("Fields of the value that make the key."),
        )
        .key(replace_null_key())
}

pub(crate) fn create(_: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(ValueToKey {
        fields: unique(config.get_list(FIELDS)?),
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Transformation for ValueToKey {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let Cell { schema, .. } = row.value;
        let value = cx.bytes(row.value);
        let start = cx.out.len();
        let key = if schema == SchemaId::NONE {
            let value = require_map(value, PURPOSE)?;
            self.pairs.split(cx.schemas, value)?;
            cx.out.push(tags::MAP);
            push_len(cx.out, self.fields.len());
            for field in &self.fields {
                push_tagged_text(cx.out, field);
                let found = self.pairs.get(value, field).unwrap_or(&[tags::NULL]);
                cx.out.extend_from_slice(found);
            }
            SchemaId::NONE
        } else {
            let (fields, replace_null) = (&self.fields, self.replace_null);
            let known = schema_of(cx.schemas, schema)?;
            let value = require_struct(&known, value, PURPOSE)?;
            let plan = self.plans.get(schema, || Plan::new(cx, &known, fields, replace_null))?;
            let parts = plan.layout.split(value)?;
            for source in &plan.sources {
                cx.out.extend_from_slice(parts.encoded(*source));
            }
            plan.key
        };
        row.key = cx.written(start, key);
        Ok(Outcome::Kept)
    }
}

impl Plan {
    fn new(
        cx: &mut ApplyCx<'_>,
        schema: &std::sync::Arc<Schema>,
        names: &[String],
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let mut fields = Vec::with_capacity(names.len());
        let mut sources = Vec::with_capacity(names.len());
        for name in names {
            let found = schema.field(name);
            let (at, field) = found.ok_or_else(|| ConnectError::data(format!("Field does not exist: {name}")))?;
            sources.push(at);
            fields.push(Field::clone(field));
        }
        let key = Schema {
            fields,
            ..Schema::plain(SchemaType::Struct)
        };
        Ok(Self {
            layout: Layout::new(cx.schemas, schema, replace_null)?,
            sources,
            key: declare(cx.schemas, key)?,
        })
    }
}
