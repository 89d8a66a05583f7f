//! HeaderFrom: copies or moves fields into headers
//!
//! Kafka: `org.apache.kafka.connect.transforms.HeaderFrom`.

use std::sync::Arc;

use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::error::ConfigError;
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, copy_basics, declare, key_text, push_len, require_map, require_struct, schema_of, set_count,
    tagged_slot,
};
use crate::plans::Plans;
use crate::rows::{Cell, Row};
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELDS: &str = "fields";
const HEADERS: &str = "headers";
const OPERATION: &str = "operation";
const MOVE: &str = "move";
const COPY: &str = "copy";

#[derive(Debug)]
struct HeaderFrom {
    side: Side,
    /// Field and header.
    pairs: Vec<(String, String)>,
    moves: bool,
    replace_null: bool,
    plans: Plans<Plan>,
    map: Pairs,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    /// Position and schema of each field asked for; none for one that the struct lacks.
    sources: Vec<Option<(usize, SchemaId)>>,
    kept: Vec<usize>,
    updated: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    let list = |name: &str, doc: &str| {
        ConfigKey::list(name)
            .validator(Validator::Custom("non-empty list".to_owned()))
            .importance(Importance::High)
            .doc(doc)
    };
    ConfigDef::new()
        .key(list(FIELDS, "Fields whose values go into headers."))
        .key(list(HEADERS, "Names of the headers, in the order of the fields."))
        .key(
            ConfigKey::text(OPERATION)
                .validator(Validator::one_of(&[MOVE, COPY]))
                .importance(Importance::High)
                .doc("Whether the fields are taken out (<code>move</code>) or stay as well (<code>copy</code>)."),
        )
        .key(replace_null_key())
}

pub(crate) fn problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    match value {
        ConfigValue::List(items) if items.is_empty() => {
            Some(ConfigError::invalid(&key.name, "[]", "Empty list").to_string())
        }
        _ => None,
    }
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let (fields, headers) = (config.get_list(FIELDS)?, config.get_list(HEADERS)?);
    if fields.len() != headers.len() {
        return Err(TransformError::text(format!(
            "'{FIELDS}' config must have the same number of elements as '{HEADERS}' config."
        )));
    }
    Ok(Box::new(HeaderFrom {
        side,
        pairs: fields.iter().cloned().zip(headers.iter().cloned()).collect(),
        moves: config.get_text(OPERATION)? == MOVE,
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        map: Pairs::default(),
    }))
}

impl Transformation for HeaderFrom {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let purpose = if self.moves { "header move" } else { "header copy" };
        let value = cx.bytes(cell);
        if cell.schema == SchemaId::NONE {
            let value = require_map(value, purpose)?;
            self.schemaless(cx, row, value)?;
        } else {
            let schema = schema_of(cx.schemas, cell.schema)?;
            let value = require_struct(&schema, value, purpose)?;
            self.with_schema(cx, row, &schema, value)?;
        }
        Ok(Outcome::Kept)
    }
}

impl HeaderFrom {
    fn schemaless(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row, value: &[u8]) -> Result<(), ConnectError> {
        self.map.split(cx.schemas, value)?;
        for (field, header) in &self.pairs {
            let found = self.map.get(value, field).and_then(tagged_slot);
            // A struct brings its schema along, as Java's headers have it.
            let (schema, found) = match found.and_then(<[u8]>::split_first_chunk::<5>) {
                Some(([tags::STRUCT, id @ ..], value)) => (SchemaId(u32::from_le_bytes(*id)), Some(value)),
                _ => (SchemaId::NONE, found),
            };
            let cell = cx.write(schema, found);
            let name = cx.names.intern(header);
            cx.add_header(row, name, cell);
        }
        if self.moves {
            let start = cx.out.len();
            cx.out.push(tags::MAP);
            push_len(cx.out, 0);
            let mut count = 0;
            for (key, item) in self.map.iter(value) {
                if !self.pairs.iter().any(|(field, _)| key_text(key) == Some(field)) {
                    cx.out.extend_from_slice(key);
                    cx.out.extend_from_slice(item);
                    count += 1;
                }
            }
            set_count(cx.out, start + 1, count);
            self.side.set(row, cx.written(start, SchemaId::NONE));
        }
        Ok(())
    }

    fn with_schema(
        &mut self,
        cx: &mut ApplyCx<'_>,
        row: &mut Row,
        schema: &Arc<Schema>,
        value: &[u8],
    ) -> Result<(), ConnectError> {
        let id = self.side.cell(row).schema;
        let (pairs, replace_null) = (&self.pairs, self.replace_null);
        let plan = self.plans.get(id, || Plan::new(cx, schema, pairs, replace_null))?;
        let parts = plan.layout.split(value)?;
        for ((_, header), source) in self.pairs.iter().zip(&plan.sources) {
            let Some((at, schema)) = source else {
                return Err(no_field());
            };
            let cell: Cell = cx.write(*schema, parts.slot(*at));
            let name = cx.names.intern(header);
            cx.add_header(row, name, cell);
        }
        if self.moves {
            let start = cx.out.len();
            for at in &plan.kept {
                cx.out.extend_from_slice(parts.encoded(*at));
            }
            self.side.set(row, cx.written(start, plan.updated));
        }
        Ok(())
    }
}

/// What Java throws where it looks up a field that is not there.
fn no_field() -> ConnectError {
    ConnectError::fatal(
        "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \
         \"org.apache.kafka.connect.data.Schema.field(String)\" is null",
    )
    .with_class_name("java.lang.NullPointerException")
}

impl Plan {
    fn new(
        cx: &mut ApplyCx<'_>,
        schema: &Arc<Schema>,
        pairs: &[(String, String)],
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let mut sources = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            sources.push(match schema.field(name) {
                Some((at, field)) => Some((at, cx.schemas.declare(Arc::clone(&field.schema))?)),
                None => None,
            });
        }
        let is_kept = |at: &usize| !sources.iter().flatten().any(|(source, _)| source == at);
        let kept: Vec<usize> = (0..schema.fields.len()).filter(is_kept).collect();
        let updated = Schema {
            fields: kept.iter().filter_map(|at| schema.fields.get(*at).cloned()).collect(),
            ..copy_basics(schema, SchemaType::Struct)
        };
        Ok(Self {
            layout: Layout::new(cx.schemas, schema, replace_null)?,
            sources,
            kept,
            updated: declare(cx.schemas, updated)?,
        })
    }
}
