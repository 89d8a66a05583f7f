//! Flatten: the fields of nested structs or maps side by side
//!
//! Kafka: `org.apache.kafka.connect.transforms.Flatten`.

use std::sync::Arc;

use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::{encode_nested, tags};
use weir_api::frame::value_reader::{ValueError, ValueReader};
use weir_config::def::{ConfigDef, ConfigKey};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::error::TransformError;
use crate::layout::{
    FieldShape, Pairs, class_of_tagged, copy_basics, declare, key_is_no_text, key_text, push_len, push_tagged_text,
    require_map, require_struct, schema_of,
};
use crate::plans::Plans;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const DELIMITER: &str = "delimiter";
const PURPOSE: &str = "flattening";

#[derive(Debug)]
struct Flatten {
    side: Side,
    delimiter: String,
    plans: Plans<Plan>,
}

#[derive(Debug)]
struct Plan {
    nodes: Vec<Node>,
    updated: SchemaId,
}

/// A field as it stands in the nested value.
#[derive(Debug)]
enum Node {
    Leaf {
        shape: FieldShape,
        /// The new field has a presence byte.
        optional: bool,
        /// What stands for its null: the encoded default of the field itself.
        default: Option<Vec<u8>>,
    },
    Inner {
        optional: bool,
        nodes: Vec<Node>,
    },
}

pub(crate) fn config_def() -> ConfigDef {
    let delimiter = ConfigKey::text(DELIMITER)
        .default(".")
        .doc("What stands between the names of outer and inner fields in a new name.");
    ConfigDef::new().key(delimiter)
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(Flatten {
        side,
        delimiter: config.get_text(DELIMITER)?.to_owned(),
        plans: Plans::default(),
    }))
}

impl Transformation for Flatten {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let Some(value) = cx.bytes(cell) else {
            return Ok(Outcome::Kept);
        };
        let start = cx.out.len();
        let schema = if cell.schema == SchemaId::NONE {
            let value = require_map(Some(value), PURPOSE)?;
            let mut leaves = Vec::new();
            self.collect(cx.schemas, value, "", &mut leaves)?;
            cx.out.push(tags::MAP);
            push_len(cx.out, leaves.len());
            for (name, item) in leaves {
                push_tagged_text(cx.out, &name);
                cx.out.extend_from_slice(item);
            }
            SchemaId::NONE
        } else {
            let delimiter = &self.delimiter;
            let plan = self.plans.get(cell.schema, || {
                let schema = schema_of(cx.schemas, cell.schema)?;
                require_struct(&schema, Some(value), PURPOSE)?;
                Plan::new(cx.schemas, &schema, delimiter)
            })?;
            let mut reader = ValueReader::new(value);
            for node in &plan.nodes {
                node.push(Some(&mut reader), value, cx.out)?;
            }
            reader.finish()?;
            plan.updated
        };
        self.side.set(row, cx.written(start, schema));
        Ok(Outcome::Kept)
    }
}

impl Flatten {
    /// Collects the leaves of a schemaless map; a name met twice keeps its place and takes the later value.
    fn collect<'a>(
        &self,
        schemas: &SchemaTable,
        map: &'a [u8],
        prefix: &str,
        leaves: &mut Vec<(String, &'a [u8])>,
    ) -> Result<(), ConnectError> {
        let mut pairs = Pairs::default();
        pairs.split(schemas, map)?;
        for (key, item) in pairs.iter(map) {
            let key = key_text(key).ok_or_else(|| key_is_no_text(key))?;
            let name = joined(prefix, &self.delimiter, key);
            match item.first() {
                Some(&tags::MAP) => {
                    self.collect(schemas, item, &name, leaves)?;
                    continue;
                }
                Some(&tags::DATE_TIME | &tags::DECIMAL) => {
                    return Err(ConnectError::data(format!(
                        "Flatten transformation was passed a value of type class {} which is not supported by Connect's data API",
                        class_of_tagged(item)
                    )));
                }
                Some(&tags::STRUCT) => {
                    return Err(ConnectError::data(format!(
                        "Flatten transformation does not support class {} for record without schemas (for field {name}).",
                        class_of_tagged(item)
                    )));
                }
                _ => {}
            }
            match leaves.iter_mut().find(|(known, _)| *known == name) {
                Some(leaf) => leaf.1 = item,
                None => leaves.push((name, item)),
            }
        }
        Ok(())
    }
}

fn joined(prefix: &str, delimiter: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}{delimiter}{name}")
    }
}

impl Plan {
    fn new(schemas: &mut SchemaTable, schema: &Arc<Schema>, delimiter: &str) -> Result<Self, ConnectError> {
        let mut build = Build {
            schemas,
            delimiter,
            fields: Vec::new(),
        };
        let nodes = build.nodes(schema, "", schema.optional, schema.default.as_ref())?;
        let updated = Schema {
            fields: build.fields,
            ..copy_basics(schema, SchemaType::Struct)
        };
        Ok(Self {
            nodes,
            updated: declare(schemas, updated)?,
        })
    }
}

struct Build<'a> {
    schemas: &'a mut SchemaTable,
    delimiter: &'a str,
    fields: Vec<Field>,
}

impl Build<'_> {
    fn nodes(
        &mut self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        default: Option<&Value>,
    ) -> Result<Vec<Node>, ConnectError> {
        let mut nodes = Vec::with_capacity(schema.fields.len());
        for (at, field) in schema.fields.iter().enumerate() {
            let name = joined(prefix, self.delimiter, &field.name);
            let optional = optional || field.schema.optional;
            let from_parent = match default {
                Some(Value::Struct(parent)) => parent.fields.get(at).filter(|value| !value.is_null()),
                _ => None,
            };
            let default = field.schema.default.as_ref().or(from_parent);
            nodes.push(match field.schema.base {
                SchemaType::Struct => Node::Inner {
                    optional: field.schema.optional,
                    nodes: self.nodes(&field.schema, &name, optional, default)?,
                },
                SchemaType::Map => {
                    return Err(ConnectError::data(format!(
                        "Flatten transformation does not support MAP for record with schemas (for field {name})."
                    )));
                }
                base => {
                    let leaf = Schema {
                        optional,
                        default: default.cloned(),
                        value: field.schema.value.clone(),
                        ..copy_basics(&field.schema, base)
                    };
                    self.fields.push(Field {
                        name,
                        schema: Arc::new(leaf),
                    });
                    self.leaf(&field.schema, optional)?
                }
            });
        }
        Ok(nodes)
    }

    fn leaf(&mut self, schema: &Arc<Schema>, optional: bool) -> Result<Node, ConnectError> {
        let default = match &schema.default {
            Some(value) if schema.optional => {
                let mut bytes = Vec::new();
                encode_nested(schema, value, self.schemas, &mut bytes)?;
                Some(bytes)
            }
            _ => None,
        };
        Ok(Node::Leaf {
            shape: FieldShape::new(schema),
            optional,
            default,
        })
    }
}

impl Node {
    /// Appends the leaves of a field; no reader: a struct around it is null.
    fn push(&self, reader: Option<&mut ValueReader<'_>>, whole: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
        match (self, reader) {
            // A null around makes the new field optional.
            (Self::Leaf { .. }, None) => out.push(0),
            (
                Self::Leaf {
                    shape,
                    optional,
                    default,
                },
                Some(reader),
            ) => {
                let start = whole.len() - reader.rest().len();
                shape.skip(reader)?;
                let own = whole.get(start..whole.len() - reader.rest().len()).unwrap_or_default();
                if *optional && !shape.schema.optional {
                    out.push(1);
                }
                match default {
                    Some(default) if own == [0] => out.extend_from_slice(default),
                    _ => out.extend_from_slice(own),
                }
            }
            (Self::Inner { nodes, .. }, None) => {
                nodes.iter().try_for_each(|node| node.push(None, whole, out))?;
            }
            (Self::Inner { optional, nodes }, Some(reader)) => {
                let is_there = !optional || reader.is_present()?;
                for node in nodes {
                    node.push(is_there.then_some(&mut *reader), whole, out)?;
                }
            }
        }
        Ok(())
    }
}
