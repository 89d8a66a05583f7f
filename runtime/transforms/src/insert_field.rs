//! InsertField: adds topic, partition, offset, timestamp or a fixed text to the key or value
//!
//! Kafka: `org.apache.kafka.connect.transforms.InsertField`. Values without a null that has a default are copied whole
//! and the new fields appended.

use std::sync::Arc;

use weir_api::data::logical;
use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_config::def::{ConfigDef, ConfigKey};
use weir_config::error::ConfigError;
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::chain::RecordKind;
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, copy_basics, declare, key_text, null_field, push_field, push_len, push_tagged_text, require_map,
    require_struct, schema_of, set_count,
};
use crate::plans::Plans;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const TOPIC_FIELD: &str = "topic.field";
const PARTITION_FIELD: &str = "partition.field";
const OFFSET_FIELD: &str = "offset.field";
const TIMESTAMP_FIELD: &str = "timestamp.field";
const STATIC_FIELD: &str = "static.field";
const STATIC_VALUE: &str = "static.value";

const PURPOSE: &str = "field insertion";
const INSERTION_SPEC: &str = "org.apache.kafka.connect.transforms.InsertField$InsertionSpec";

/// What an added field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Inserted {
    Topic,
    Partition,
    Offset,
    Timestamp,
    /// `static.value`, which may be missing.
    Fixed(Option<String>),
}

#[derive(Debug)]
struct InsertField {
    side: Side,
    replace_null: bool,
    inserted: Vec<Insertion>,
    plans: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Insertion {
    what: Inserted,
    name: String,
    schema: Arc<Schema>,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    is_verbatim: bool,
    /// What the value becomes; none while it is no struct.
    updated: Option<SchemaId>,
}

pub(crate) fn config_def() -> ConfigDef {
    let field = |name: &str, what: &str| {
        ConfigKey::text(name).default_null().doc(&format!(
            "Name of the field for {what}; an ending <code>!</code> makes it required, <code>?</code> optional (as without)."
        ))
    };
    ConfigDef::new()
        .key(field(TOPIC_FIELD, "the topic"))
        .key(field(PARTITION_FIELD, "the partition in Kafka"))
        .key(field(OFFSET_FIELD, "the offset in Kafka, in sinks only"))
        .key(field(TIMESTAMP_FIELD, "the timestamp of the record"))
        .key(field(STATIC_FIELD, "the fixed text"))
        .key(ConfigKey::text(STATIC_VALUE).default_null().doc("The fixed text."))
        .key(replace_null_key())
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let fixed = Inserted::Fixed(config.opt_text(STATIC_VALUE).map(str::to_owned));
    let all = [
        (TOPIC_FIELD, Inserted::Topic),
        (PARTITION_FIELD, Inserted::Partition),
        (OFFSET_FIELD, Inserted::Offset),
        (TIMESTAMP_FIELD, Inserted::Timestamp),
        (STATIC_FIELD, fixed),
    ];
    let asked = all
        .into_iter()
        .filter_map(|(key, what)| Some(Insertion::new(what, config.opt_text(key)?)));
    let inserted: Vec<Insertion> = asked.collect();
    if inserted.is_empty() {
        return Err(TransformError::text("No field insertion configured"));
    }
    if config.opt_text(STATIC_FIELD).is_some() && config.opt_text(STATIC_VALUE).is_none() {
        // Java prints the object that holds the field's name.
        let reason = format!("No value specified for static field: {INSERTION_SPEC}");
        return Err(ConfigError::invalid(STATIC_VALUE, "null", reason).into());
    }
    Ok(Box::new(InsertField {
        side,
        replace_null: config.get_boolean(REPLACE_NULL)?,
        inserted,
        plans: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl InsertField {
    fn apply_schemaless(&mut self, cx: &mut ApplyCx<'_>, row: &Row, value: &[u8]) -> Result<(), ConnectError> {
        self.pairs.split(cx.schemas, value)?;
        let replaces = |insertion: &&Insertion, key: &[u8]| key_text(key) == Some(&insertion.name);
        cx.out.push(tags::MAP);
        let count_at = cx.out.len();
        push_len(cx.out, 0);
        let mut count = 0;
        for (key, value) in self.pairs.iter(value) {
            let is_replaced = self
                .inserted
                .iter()
                .any(|insertion| insertion.is_given(row) && replaces(&insertion, key));
            if !is_replaced {
                cx.out.extend_from_slice(key);
                cx.out.extend_from_slice(value);
                count += 1;
            }
        }
        for (at, insertion) in self.inserted.iter().enumerate() {
            let later = self.inserted.get(at + 1..).unwrap_or_default();
            let is_overwritten = later
                .iter()
                .any(|other| other.name == insertion.name && other.is_given(row));
            if insertion.what == Inserted::Offset {
                require_sink(cx)?;
            }
            if insertion.is_given(row) && !is_overwritten {
                push_tagged_text(cx.out, &insertion.name);
                insertion.push_tagged(cx, row);
                count += 1;
            }
        }
        set_count(cx.out, count_at, count);
        Ok(())
    }

    fn apply_with_schema(
        &mut self,
        cx: &mut ApplyCx<'_>,
        row: &Row,
        schema: SchemaId,
        value: &[u8],
    ) -> Result<SchemaId, ConnectError> {
        let (inserted, replace_null) = (&self.inserted, self.replace_null);
        let plan = self
            .plans
            .get(schema, || Plan::new(cx, schema, replace_null, inserted))?;
        let Some(updated) = plan.updated else {
            return Err(wrong_shape(&plan.layout.schema));
        };
        if plan.is_verbatim {
            cx.out.extend_from_slice(value);
        } else {
            plan.layout.copy(value, cx.out)?;
        }
        for insertion in &self.inserted {
            insertion.push(cx, row)?;
        }
        Ok(updated)
    }
}

fn wrong_shape(schema: &Schema) -> ConnectError {
    match require_struct(schema, Some(&[]), PURPOSE) {
        Err(error) => error,
        Ok(_) => ConnectError::data("not a struct"),
    }
}

impl Transformation for InsertField {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let Some(value) = cx.bytes(cell) else {
            return Ok(Outcome::Kept);
        };
        let start = cx.out.len();
        let schema = if cell.schema == SchemaId::NONE {
            let value = require_map(Some(value), PURPOSE)?;
            self.apply_schemaless(cx, row, value)?;
            SchemaId::NONE
        } else {
            self.apply_with_schema(cx, row, cell.schema, value)?
        };
        self.side.set(row, cx.written(start, schema));
        Ok(Outcome::Kept)
    }
}

impl Plan {
    fn new(
        cx: &mut ApplyCx<'_>,
        schema: SchemaId,
        replace_null: bool,
        inserted: &[Insertion],
    ) -> Result<Self, ConnectError> {
        let schema = schema_of(cx.schemas, schema)?;
        let layout = Layout::new(cx.schemas, &schema, replace_null)?;
        let updated = if schema.base == SchemaType::Struct {
            let added = inserted.iter().map(|insertion| Field {
                name: insertion.name.clone(),
                schema: Arc::clone(&insertion.schema),
            });
            let fields = schema.fields.iter().cloned().chain(added).collect();
            let updated = Schema {
                fields,
                ..copy_basics(&schema, SchemaType::Struct)
            };
            Some(declare(cx.schemas, updated)?)
        } else {
            None
        };
        Ok(Self {
            is_verbatim: layout.is_verbatim(),
            layout,
            updated,
        })
    }
}

impl Insertion {
    fn new(what: Inserted, spec: &str) -> Self {
        let (name, optional) = match (spec.strip_suffix('?'), spec.strip_suffix('!')) {
            (Some(name), _) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => (spec, true),
        };
        let required = match &what {
            Inserted::Topic | Inserted::Fixed(_) => Schema::plain(SchemaType::Text),
            Inserted::Partition => Schema::plain(SchemaType::Int32),
            Inserted::Offset => Schema::plain(SchemaType::Int64),
            Inserted::Timestamp => (*logical::timestamp()).clone(),
        };
        Self {
            what,
            name: name.to_owned(),
            schema: Arc::new(Schema { optional, ..required }),
        }
    }

    /// Tells whether the record has what is to be added.
    fn is_given(&self, row: &Row) -> bool {
        match &self.what {
            Inserted::Topic | Inserted::Offset => true,
            Inserted::Partition => row.partition.is_some(),
            Inserted::Timestamp => row.timestamp.is_some(),
            Inserted::Fixed(text) => text.is_some(),
        }
    }

    /// Appends the field; DIVERGES: a required field without a value fails here rather than in the converter.
    fn push(&self, cx: &mut ApplyCx<'_>, row: &Row) -> Result<(), ConnectError> {
        if self.what == Inserted::Offset {
            require_sink(cx)?;
        }
        if !self.is_given(row) && !self.schema.optional {
            return Err(null_field(&self.name, &self.schema));
        }
        match &self.what {
            Inserted::Topic => push_field(cx.out, &self.schema, Some(cx.names.get(row.topic).as_bytes())),
            Inserted::Partition => push_field(
                cx.out,
                &self.schema,
                row.partition.map(i32::to_le_bytes).as_ref().map(|bytes| &bytes[..]),
            ),
            Inserted::Offset => push_field(cx.out, &self.schema, Some(&row.offset.to_le_bytes())),
            Inserted::Timestamp => push_field(
                cx.out,
                &self.schema,
                row.timestamp.map(i64::to_le_bytes).as_ref().map(|bytes| &bytes[..]),
            ),
            Inserted::Fixed(text) => push_field(cx.out, &self.schema, text.as_deref().map(str::as_bytes)),
        }
        Ok(())
    }

    fn push_tagged(&self, cx: &mut ApplyCx<'_>, row: &Row) {
        match &self.what {
            Inserted::Topic => push_tagged_text(cx.out, cx.names.get(row.topic)),
            Inserted::Partition => {
                cx.out.push(tags::INT32);
                cx.out
                    .extend_from_slice(&row.partition.unwrap_or_default().to_le_bytes());
            }
            Inserted::Offset => {
                cx.out.push(tags::INT64);
                cx.out.extend_from_slice(&row.offset.to_le_bytes());
            }
            Inserted::Timestamp => {
                cx.out.push(tags::INT64);
                cx.out
                    .extend_from_slice(&row.timestamp.unwrap_or_default().to_le_bytes());
            }
            Inserted::Fixed(text) => push_tagged_text(cx.out, text.as_deref().unwrap_or_default()),
        }
    }
}

fn require_sink(cx: &ApplyCx<'_>) -> Result<(), ConnectError> {
    match cx.kind {
        RecordKind::Sink => Ok(()),
        RecordKind::Source => Err(ConnectError::data(format!(
            "Only SinkRecord supported for [{PURPOSE}], found: org.apache.kafka.connect.source.SourceRecord"
        ))),
    }
}
