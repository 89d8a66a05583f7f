//! SetSchemaMetadata: another name or version for the schema
//!
//! Kafka: `org.apache.kafka.connect.transforms.SetSchemaMetadata`. As there, only structs have a schema it can change.

use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::layout::{Layout, declare, no_struct, schema_of, with_own_default};
use crate::plans::Plans;
use crate::rows::{Cell, Row};
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const NAME: &str = "schema.name";
const VERSION: &str = "schema.version";

#[derive(Debug)]
struct SetSchemaMetadata {
    side: Side,
    name: Option<String>,
    version: Option<i32>,
    replace_null: bool,
    plans: Plans<Plan>,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    is_verbatim: bool,
    updated: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(NAME)
                .default_null()
                .importance(Importance::High)
                .doc("Name that the schema gets."),
        )
        .key(
            ConfigKey::int(VERSION)
                .default_null()
                .importance(Importance::High)
                .doc("Version that the schema gets."),
        )
        .key(replace_null_key())
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let (name, version) = (config.opt_text(NAME), config.opt_int(VERSION));
    if name.is_none() && version.is_none() {
        return Err(TransformError::text("Neither schema name nor version configured"));
    }
    Ok(Box::new(SetSchemaMetadata {
        side,
        name: name.map(str::to_owned),
        version,
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
    }))
}

impl Transformation for SetSchemaMetadata {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let value = cx.bytes(cell);
        if cell.schema == SchemaId::NONE {
            return match value {
                None => Ok(Outcome::Kept),
                Some(_) => Err(ConnectError::data("Schema required for [updating schema metadata]")),
            };
        }
        let (name, version, replace_null) = (&self.name, self.version, self.replace_null);
        let plan = self.plans.get(cell.schema, || {
            let schema = schema_of(cx.schemas, cell.schema)?;
            if schema.base != SchemaType::Struct {
                return Err(no_struct("list fields"));
            }
            let layout = Layout::new(cx.schemas, &schema, replace_null)?;
            let updated = with_own_default(Schema {
                name: name.clone().or_else(|| schema.name.clone()),
                version: version.or(schema.version),
                ..Schema::clone(&schema)
            });
            Ok(Plan {
                is_verbatim: layout.is_verbatim(),
                layout,
                updated: declare(cx.schemas, updated)?,
            })
        })?;
        let updated = plan.updated;
        let new = match value {
            Some(value) if !plan.is_verbatim => {
                let start = cx.out.len();
                plan.layout.copy(value, cx.out)?;
                cx.written(start, updated)
            }
            _ => Cell {
                schema: updated,
                ..cell
            },
        };
        self.side.set(row, new);
        Ok(Outcome::Kept)
    }
}
