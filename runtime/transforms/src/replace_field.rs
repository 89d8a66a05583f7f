//! ReplaceField: leaves out and renames fields
//!
//! Kafka: `org.apache.kafka.connect.transforms.ReplaceField`.

use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey, Validator};
use weir_config::error::ConfigError;
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, copy_basics, declare, key_is_no_text, key_text, push_len, push_tagged_text, require_map,
    require_struct, schema_of, set_count,
};
use crate::plans::Plans;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const EXCLUDE: &str = "exclude";
const INCLUDE: &str = "include";
const RENAMES: &str = "renames";
const PURPOSE: &str = "field replacement";

#[derive(Debug)]
struct ReplaceField {
    side: Side,
    names: Names,
    replace_null: bool,
    plans: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Names {
    exclude: Vec<String>,
    include: Vec<String>,
    renames: Vec<(String, String)>,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    updated: SchemaId,
    /// Position of each new field in the old struct; a name for one that is not there.
    sources: Vec<Result<usize, String>>,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::list(EXCLUDE)
                .default("")
                .doc("Fields to leave out; wins over the fields to keep."),
        )
        .key(
            ConfigKey::list(INCLUDE)
                .default("")
                .doc("Fields to keep; with none named, all are kept."),
        )
        .key(
            ConfigKey::list(RENAMES)
                .default("")
                .validator(Validator::Custom(
                    "list of colon-delimited pairs, e.g. <code>foo:bar,abc:xyz</code>".to_owned(),
                ))
                .doc("Old and new names of fields, each pair with a colon between."),
        )
        .key(replace_null_key())
}

pub(crate) fn problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    match value {
        ConfigValue::List(mappings) if key.name == RENAMES => {
            parse_renames(mappings).err().map(|error| error.to_string())
        }
        _ => None,
    }
}

/// Splits `old:new` pairs; the error names the setting even where another one is read.
pub(crate) fn parse_renames(mappings: &[String]) -> Result<Vec<(String, String)>, ConfigError> {
    let pair = |mapping: &String| match mapping.trim_end_matches(':').split(':').collect::<Vec<_>>()[..] {
        [old, new] => Ok((old.to_owned(), new.to_owned())),
        _ => Err(ConfigError::invalid(
            RENAMES,
            format!("[{}]", mappings.join(", ")),
            format!("Invalid rename mapping: {mapping}"),
        )),
    };
    mappings.iter().map(pair).collect()
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(ReplaceField {
        side,
        names: Names {
            exclude: config.get_list(EXCLUDE)?.to_vec(),
            include: config.get_list(INCLUDE)?.to_vec(),
            renames: parse_renames(config.get_list(RENAMES)?)?,
        },
        replace_null: config.get_boolean(REPLACE_NULL)?,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Names {
    fn keeps(&self, name: &str) -> bool {
        let holds = |names: &[String]| names.iter().any(|known| known == name);
        !holds(&self.exclude) && (self.include.is_empty() || holds(&self.include))
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        let pair = self.renames.iter().rfind(|(old, _)| old == name);
        pair.map_or(name, |(_, new)| new)
    }

    fn original<'a>(&'a self, name: &'a str) -> &'a str {
        let pair = self.renames.iter().rfind(|(_, new)| new == name);
        pair.map_or(name, |(old, _)| old)
    }
}

impl Transformation for ReplaceField {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let Some(value) = cx.bytes(cell) else {
            return Ok(Outcome::Kept);
        };
        let start = cx.out.len();
        let schema = if cell.schema == SchemaId::NONE {
            self.schemaless(cx, require_map(Some(value), PURPOSE)?)?;
            SchemaId::NONE
        } else {
            let (names, replace_null) = (&self.names, self.replace_null);
            let plan = self.plans.get(cell.schema, || {
                let schema = schema_of(cx.schemas, cell.schema)?;
                require_struct(&schema, Some(value), PURPOSE)?;
                Plan::new(cx.schemas, &schema, names, replace_null)
            })?;
            let parts = plan.layout.split(value)?;
            for source in &plan.sources {
                match source {
                    Ok(at) => cx.out.extend_from_slice(parts.encoded(*at)),
                    Err(name) => return Err(ConnectError::data(format!("{name} is not a valid field name"))),
                }
            }
            plan.updated
        };
        self.side.set(row, cx.written(start, schema));
        Ok(Outcome::Kept)
    }
}

impl ReplaceField {
    fn schemaless(&mut self, cx: &mut ApplyCx<'_>, value: &[u8]) -> Result<(), ConnectError> {
        self.pairs.split(cx.schemas, value)?;
        cx.out.push(tags::MAP);
        let count_at = cx.out.len();
        push_len(cx.out, 0);
        let mut count = 0;
        for (at, (key, item)) in self.pairs.iter(value).enumerate() {
            let name = key_text(key).ok_or_else(|| key_is_no_text(key))?;
            if !self.names.keeps(name) {
                continue;
            }
            let renamed = self.names.renamed(name);
            // A later entry of the same new name replaces this one.
            let is_replaced = !self.names.renames.is_empty()
                && self.pairs.iter(value).skip(at + 1).any(|(later, _)| {
                    key_text(later).is_some_and(|later| self.names.keeps(later) && self.names.renamed(later) == renamed)
                });
            if !is_replaced {
                push_tagged_text(cx.out, renamed);
                cx.out.extend_from_slice(item);
                count += 1;
            }
        }
        set_count(cx.out, count_at, count);
        Ok(())
    }
}

impl Plan {
    fn new(
        schemas: &mut SchemaTable,
        schema: &std::sync::Arc<Schema>,
        names: &Names,
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let fields: Vec<Field> = schema
            .fields
            .iter()
            .filter(|field| names.keeps(&field.name))
            .map(|field| Field {
                name: names.renamed(&field.name).to_owned(),
                schema: std::sync::Arc::clone(&field.schema),
            })
            .collect();
        let source = |field: &Field| {
            let original = names.original(&field.name);
            schema
                .field(original)
                .filter(|(_, old)| old.schema == field.schema)
                .map(|(at, _)| at)
                .ok_or_else(|| original.to_owned())
        };
        let sources = fields.iter().map(source).collect();
        let updated = Schema {
            fields,
            ..copy_basics(schema, SchemaType::Struct)
        };
        Ok(Self {
            layout: Layout::new(schemas, schema, replace_null)?,
            updated: declare(schemas, updated)?,
            sources,
        })
    }
}
