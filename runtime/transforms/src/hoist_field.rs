//! HoistField: wraps the key or value in a struct or map of one field
//!
//! Kafka: `org.apache.kafka.connect.transforms.HoistField`.

use std::sync::Arc;

use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::error::TransformError;
use crate::layout::{declare, null_field, push_field, push_len, push_tagged_text, schema_of};
use crate::plans::Plans;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELD: &str = "field";

#[derive(Debug)]
struct HoistField {
    side: Side,
    field: String,
    plans: Plans<Plan>,
}

#[derive(Debug)]
struct Plan {
    inner: Arc<Schema>,
    outer: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new().key(ConfigKey::text(FIELD).doc("Name of the one field of the struct or map that is made."))
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(HoistField {
        side,
        field: config.get_text(FIELD)?.to_owned(),
        plans: Plans::default(),
    }))
}

impl Transformation for HoistField {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let bytes = cx.bytes(cell);
        let start = cx.out.len();
        let schema = if cell.schema == SchemaId::NONE {
            cx.out.push(tags::MAP);
            push_len(cx.out, 1);
            push_tagged_text(cx.out, &self.field);
            cx.out.extend_from_slice(bytes.unwrap_or(&[tags::NULL]));
            SchemaId::NONE
        } else {
            let field = &self.field;
            let plan = self.plans.get(cell.schema, || {
                let inner = schema_of(cx.schemas, cell.schema)?;
                let outer = Schema {
                    fields: vec![Field {
                        name: field.clone(),
                        schema: Arc::clone(&inner),
                    }],
                    ..Schema::plain(SchemaType::Struct)
                };
                declare(cx.schemas, outer).map(|outer| Plan { inner, outer })
            })?;
            if bytes.is_none() && !plan.inner.optional {
                return Err(null_field(field, &plan.inner));
            }
            push_field(cx.out, &plan.inner, bytes);
            plan.outer
        };
        self.side.set(row, cx.written(start, schema));
        Ok(Outcome::Kept)
    }
}
