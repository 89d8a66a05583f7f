//! ExtractField: a field of the key or value in place of the whole
//!
//! Kafka: `org.apache.kafka.connect.transforms.ExtractField`.

use std::sync::Arc;

use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::field_path;
use crate::layout::{Layout, Pairs, no_struct, require_map, require_struct, schema_of, tagged_slot};
use crate::plans::Plans;
use crate::rows::{Cell, Row};
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELD: &str = "field";
const SYNTAX: &str = "field.syntax.version";
const PURPOSE: &str = "field extraction";
const NESTED: &str = "nested field access";

#[derive(Debug)]
struct ExtractField {
    side: Side,
    path: String,
    steps: Vec<String>,
    replace_null: bool,
    plans: Plans<Plan>,
    pairs: Pairs,
}

/// The way to the field: a struct and the position in it, from outside in.
#[derive(Debug)]
struct Plan {
    levels: Vec<(Layout, usize)>,
    field: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(ConfigKey::text(FIELD).doc("Name of the field to take."))
        .key(replace_null_key())
        .key(
            ConfigKey::text(SYNTAX)
                .default("V1")
                .validator(Validator::one_of_ignore_case(&["V1", "V2"]))
                .importance(Importance::High)
                .doc("How fields are named: <code>V1</code>, by the name of a field of the whole; <code>V2</code>, by a path with dots, backticks around names that hold dots."),
        )
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let path = config.get_text(FIELD)?;
    let steps = if config.get_text(SYNTAX)?.eq_ignore_ascii_case("V2") {
        field_path::split(path)?
    } else {
        vec![path.to_owned()]
    };
    Ok(Box::new(ExtractField {
        side,
        path: path.to_owned(),
        steps,
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Transformation for ExtractField {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let value = cx.bytes(cell);
        let found = if cell.schema == SchemaId::NONE {
            self.schemaless(cx, value)?
        } else {
            self.with_schema(cx, cell.schema, value)?
        };
        self.side.set(row, found);
        Ok(Outcome::Kept)
    }
}

impl ExtractField {
    fn schemaless(&mut self, cx: &mut ApplyCx<'_>, value: Option<&[u8]>) -> Result<Cell, ConnectError> {
        let Some(value) = value else {
            return Ok(Cell::NULL);
        };
        let mut current = require_map(Some(value), PURPOSE)?;
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                current = require_map(Some(current), NESTED)?;
            }
            self.pairs.split(cx.schemas, current)?;
            match self.pairs.get(current, step).and_then(tagged_slot) {
                Some(found) => current = found,
                None => return Ok(Cell::NULL),
            }
        }
        Ok(cx.write(SchemaId::NONE, Some(current)))
    }

    fn with_schema(
        &mut self,
        cx: &mut ApplyCx<'_>,
        schema: SchemaId,
        value: Option<&[u8]>,
    ) -> Result<Cell, ConnectError> {
        if value.is_some() {
            let known = cx.schemas.get(schema);
            if let Some(known) = known.filter(|known| known.base != SchemaType::Struct) {
                require_struct(known, value, PURPOSE)?;
            }
        }
        let (path, steps, replace_null) = (&self.path, &self.steps, self.replace_null);
        let plan = self
            .plans
            .get(schema, || Plan::new(cx.schemas, schema, path, steps, replace_null))?;
        let field = plan.field;
        let mut current = value;
        let last = plan.levels.len().saturating_sub(1);
        for (depth, (layout, at)) in plan.levels.iter_mut().enumerate() {
            let Some(bytes) = current else { break };
            let parts = layout.split(bytes)?;
            current = if depth == last {
                parts.slot(*at)
            } else {
                parts.present(*at)
            };
        }
        Ok(cx.write(field, current))
    }
}

impl Plan {
    fn new(
        schemas: &mut SchemaTable,
        schema: SchemaId,
        path: &str,
        steps: &[String],
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let mut current = schema_of(schemas, schema)?;
        let mut levels = Vec::with_capacity(steps.len());
        for step in steps {
            if current.base != SchemaType::Struct {
                return Err(no_struct("look up fields"));
            }
            let Some((at, field)) = current.field(step) else {
                return Err(ConnectError::fatal(format!("Unknown field: {path}"))
                    .with_class_name("java.lang.IllegalArgumentException"));
            };
            let next = Arc::clone(&field.schema);
            levels.push((Layout::new(schemas, &current, replace_null)?, at));
            current = next;
        }
        let field = schemas.declare(current)?;
        Ok(Self { levels, field })
    }
}
