//! TimestampConverter: one form of a point in time into another
//!
//! Kafka: `org.apache.kafka.connect.transforms.TimestampConverter`.

use std::sync::Arc;

use weir_api::data::logical::{self, DAY_MS};
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::value::tags;
use weir_api::frame::value_reader::ValueReader;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::error::ConfigError;
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::catalogue::{REPLACE_NULL, replace_null_key};
use crate::error::TransformError;
use crate::layout::{
    Layout, Pairs, class_of_tagged, copy_basics, declare, key_text, push_len, push_tagged_text, require_map,
    require_struct, schema_of, set_count, tagged_slot,
};
use crate::plans::Plans;
use crate::rows::{Cell, Row};
use crate::simple_date_format::SimpleDateFormat;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const FIELD: &str = "field";
const TARGET: &str = "target.type";
const FORMAT: &str = "format";
const PRECISION: &str = "unix.precision";
const PURPOSE: &str = "converting timestamp formats";

/// A form of a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

#[derive(Debug)]
struct TimestampConverter {
    side: Side,
    field: String,
    forms: Forms,
    replace_null: bool,
    wholes: Plans<Whole>,
    structs: Plans<Plan>,
    pairs: Pairs,
}

#[derive(Debug)]
struct Forms {
    target: Form,
    format: Option<SimpleDateFormat>,
    precision: Precision,
}

#[derive(Debug)]
struct Whole {
    source: Result<Form, ConnectError>,
    updated: SchemaId,
}

#[derive(Debug)]
struct Plan {
    layout: Layout,
    field: Option<(usize, Result<Form, ConnectError>)>,
    updated: SchemaId,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(FIELD)
                .default("")
                .importance(Importance::High)
                .doc("Field that holds the time; empty when the whole is the time."),
        )
        .key(
            ConfigKey::text(TARGET)
                .validator(Validator::one_of(&["string", "unix", "Date", "Time", "Timestamp"]))
                .importance(Importance::High)
                .doc("Form that the time gets: string, unix, Date, Time or Timestamp."),
        )
        .key(
            ConfigKey::text(FORMAT)
                .default("")
                .doc("Pattern of SimpleDateFormat by which times are written as or read from texts."),
        )
        .key(
            ConfigKey::text(PRECISION)
                .default("milliseconds")
                .validator(Validator::one_of(&[
                    "nanoseconds",
                    "microseconds",
                    "milliseconds",
                    "seconds",
                ]))
                .importance(Importance::Low)
                .doc("Unit of Unix times that are written or read; a time has no parts below the millisecond."),
        )
        .key(replace_null_key())
}

pub(crate) fn create(side: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let target = match config.get_text(TARGET)? {
        "string" => Form::Text,
        "unix" => Form::Unix,
        "Date" => Form::Date,
        "Time" => Form::Time,
        _ => Form::Timestamp,
    };
    let pattern = config.get_text(FORMAT)?;
    if target == Form::Text && pattern.trim().is_empty() {
        return Err(TransformError::text(
            "TimestampConverter requires format option to be specified when using string timestamps",
        ));
    }
    let format = if pattern.trim().is_empty() {
        None
    } else {
        Some(SimpleDateFormat::new(pattern).map_err(|error| {
            // Java builds this text with the cause where the value belongs.
            ConfigError::Other(format!(
                "Invalid value java.lang.IllegalArgumentException: {error} for configuration TimestampConverter requires \
                 a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
            ))
        })?)
    };
    let precision = match config.get_text(PRECISION)? {
        "seconds" => Precision::Seconds,
        "microseconds" => Precision::Micros,
        "nanoseconds" => Precision::Nanos,
        _ => Precision::Millis,
    };
    Ok(Box::new(TimestampConverter {
        side,
        field: config.get_text(FIELD)?.to_owned(),
        forms: Forms {
            target,
            format,
            precision,
        },
        replace_null: config.get_boolean(REPLACE_NULL)?,
        wholes: Plans::default(),
        structs: Plans::default(),
        pairs: Pairs::default(),
    }))
}

impl Transformation for TimestampConverter {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let cell = self.side.cell(row);
        let value = cx.bytes(cell);
        let new = match (cell.schema == SchemaId::NONE, self.field.is_empty()) {
            (true, true) => self.schemaless_whole(cx, value)?,
            (true, false) => self.schemaless_field(cx, value)?,
            (false, true) => self.whole(cx, cell, value)?,
            (false, false) => self.field_of_struct(cx, cell, value)?,
        };
        self.side.set(row, new);
        Ok(Outcome::Kept)
    }
}

impl TimestampConverter {
    fn schemaless_whole(&mut self, cx: &mut ApplyCx<'_>, value: Option<&[u8]>) -> Result<Cell, ConnectError> {
        let Some(value) = value else {
            return Ok(Cell::NULL);
        };
        let ms = self.forms.read_tagged(value)?;
        let start = cx.out.len();
        self.forms.push_tagged(cx.out, ms)?;
        Ok(cx.written(start, SchemaId::NONE))
    }

    fn schemaless_field(&mut self, cx: &mut ApplyCx<'_>, value: Option<&[u8]>) -> Result<Cell, ConnectError> {
        let value = require_map(value, PURPOSE)?;
        self.pairs.split(cx.schemas, value)?;
        let start = cx.out.len();
        cx.out.push(tags::MAP);
        push_len(cx.out, 0);
        let mut count = 1;
        for (key, item) in self.pairs.iter(value) {
            if key_text(key) != Some(&self.field) {
                cx.out.extend_from_slice(key);
                cx.out.extend_from_slice(item);
                count += 1;
            }
        }
        push_tagged_text(cx.out, &self.field);
        match self.pairs.get(value, &self.field).and_then(tagged_slot) {
            Some(item) => {
                let ms = self.forms.read_tagged(item)?;
                self.forms.push_tagged(cx.out, ms)?;
            }
            None => cx.out.push(tags::NULL),
        }
        set_count(cx.out, start + 1, count);
        Ok(cx.written(start, SchemaId::NONE))
    }

    fn whole(&mut self, cx: &mut ApplyCx<'_>, cell: Cell, value: Option<&[u8]>) -> Result<Cell, ConnectError> {
        let target = self.forms.target;
        let plan = self.wholes.get(cell.schema, || {
            let schema = schema_of(cx.schemas, cell.schema)?;
            Ok::<_, ConnectError>(Whole {
                source: form_of(&schema),
                updated: declare(cx.schemas, target.schema(schema.optional))?,
            })
        })?;
        let source = plan.source.clone()?;
        let updated = plan.updated;
        let Some(value) = value else {
            return Ok(Cell {
                schema: updated,
                place: None,
            });
        };
        let start = cx.out.len();
        let ms = self.forms.read(source, value)?;
        self.forms.push(cx.out, ms)?;
        Ok(cx.written(start, updated))
    }

    fn field_of_struct(
        &mut self,
        cx: &mut ApplyCx<'_>,
        cell: Cell,
        value: Option<&[u8]>,
    ) -> Result<Cell, ConnectError> {
        let (field, target, replace_null) = (&self.field, self.forms.target, self.replace_null);
        if let Some(value) = value {
            let known = schema_of(cx.schemas, cell.schema)?;
            require_struct(&known, Some(value), PURPOSE)?;
        }
        let plan = self
            .structs
            .get(cell.schema, || Plan::new(cx, cell.schema, field, target, replace_null))?;
        let updated = plan.updated;
        let Some(value) = value else {
            return Ok(Cell {
                schema: updated,
                place: None,
            });
        };
        let start = cx.out.len();
        let fields = plan.layout.fields.len();
        let parts = plan.layout.split(value)?;
        for at in 0..fields {
            match &plan.field {
                Some((own, source)) if *own == at => match parts.slot(at) {
                    None => cx.out.push(0),
                    Some(bytes) => {
                        let ms = self.forms.read(source.clone()?, bytes)?;
                        if parts.is_optional(at) {
                            cx.out.push(1);
                        }
                        self.forms.push_nested(cx.out, ms)?;
                    }
                },
                _ => cx.out.extend_from_slice(parts.encoded(at)),
            }
        }
        Ok(cx.written(start, updated))
    }
}

impl Plan {
    fn new(
        cx: &mut ApplyCx<'_>,
        schema: SchemaId,
        name: &str,
        target: Form,
        replace_null: bool,
    ) -> Result<Self, ConnectError> {
        let schema = schema_of(cx.schemas, schema)?;
        let found = schema.field(name).map(|(at, field)| (at, form_of(&field.schema)));
        let mut fields = schema.fields.clone();
        if let Some(field) = found.as_ref().and_then(|(at, _)| fields.get_mut(*at)) {
            field.schema = Arc::new(target.schema(field.schema.optional));
        }
        let updated = Schema {
            fields,
            optional: schema.optional,
            ..copy_basics(&schema, SchemaType::Struct)
        };
        Ok(Self {
            layout: Layout::new(cx.schemas, &schema, replace_null)?,
            field: found,
            updated: declare(cx.schemas, updated)?,
        })
    }
}

impl Form {
    fn schema(self, optional: bool) -> Schema {
        let required = match self {
            Self::Text => Schema::plain(SchemaType::Text),
            Self::Unix => Schema::plain(SchemaType::Int64),
            Self::Date => Schema::clone(&logical::date()),
            Self::Time => Schema::clone(&logical::time()),
            Self::Timestamp => Schema::clone(&logical::timestamp()),
        };
        Schema { optional, ..required }
    }
}

/// Recognises the form by the schema.
fn form_of(schema: &Schema) -> Result<Form, ConnectError> {
    match (schema.name.as_deref(), schema.base) {
        (Some(logical::TIMESTAMP), _) => Ok(Form::Timestamp),
        (Some(logical::DATE), _) => Ok(Form::Date),
        (Some(logical::TIME), _) => Ok(Form::Time),
        (_, SchemaType::Text) => Ok(Form::Text),
        (_, SchemaType::Int64) => Ok(Form::Unix),
        (name, base) => {
            let name = name.map(|name| format!("{name}:")).unwrap_or_default();
            Err(ConnectError::fatal(format!(
                "Schema Schema{{{name}{}}} does not correspond to a known timestamp type format",
                base.as_str()
            )))
        }
    }
}

impl Forms {
    /// Reads a slot.
    fn read(&self, form: Form, bytes: &[u8]) -> Result<i64, ConnectError> {
        let mut reader = ValueReader::new(bytes);
        match form {
            Form::Text => self.read_text(reader.root_text()?),
            Form::Unix => Ok(self.precision.to_ms(reader.int64()?)),
            Form::Date => Ok(i64::from(reader.int32()?) * DAY_MS),
            Form::Time => Ok(reader.int32()?.into()),
            Form::Timestamp => Ok(reader.int64()?),
        }
    }

    fn read_tagged(&self, bytes: &[u8]) -> Result<i64, ConnectError> {
        let mut reader = ValueReader::new(bytes);
        match reader.tag()? {
            tags::DATE_TIME => Ok(reader.int64()?),
            tags::INT64 => Ok(self.precision.to_ms(reader.int64()?)),
            tags::TEXT => self.read_text(reader.text()?),
            _ => Err(ConnectError::data(format!(
                "TimestampConverter does not support class {} objects as timestamps",
                class_of_tagged(bytes)
            ))),
        }
    }

    fn read_text(&self, text: &str) -> Result<i64, ConnectError> {
        let Some(format) = &self.format else {
            return Err(ConnectError::fatal(
                "Cannot invoke \"java.text.SimpleDateFormat.parse(String)\" because \"config.format\" is null",
            )
            .with_class_name("java.lang.NullPointerException"));
        };
        format.parse(text).ok_or_else(|| {
            ConnectError::data(format!(
                "Could not parse timestamp: value ({text}) does not match pattern ({})",
                format.pattern()
            ))
            .caused_by(format!("java.text.ParseException: Unparseable date: \"{text}\""))
        })
    }

    /// Appends the target form as a slot.
    fn push(&self, out: &mut Vec<u8>, ms: i64) -> Result<(), ConnectError> {
        match self.target {
            Form::Text => out.extend_from_slice(self.text(ms).as_bytes()),
            Form::Unix => out.extend_from_slice(&self.precision.of_ms(ms).to_le_bytes()),
            Form::Date => out.extend_from_slice(&days(ms)?.to_le_bytes()),
            Form::Time => out.extend_from_slice(&time_of_day(ms).to_le_bytes()),
            Form::Timestamp => out.extend_from_slice(&ms.to_le_bytes()),
        }
        Ok(())
    }

    /// Appends the target form as a field, without presence byte.
    fn push_nested(&self, out: &mut Vec<u8>, ms: i64) -> Result<(), ConnectError> {
        if self.target != Form::Text {
            return self.push(out, ms);
        }
        let text = self.text(ms);
        push_len(out, text.len());
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn push_tagged(&self, out: &mut Vec<u8>, ms: i64) -> Result<(), ConnectError> {
        let (tag, number) = match self.target {
            Form::Text => {
                push_tagged_text(out, &self.text(ms));
                return Ok(());
            }
            Form::Unix => (tags::INT64, self.precision.of_ms(ms)),
            Form::Date => (tags::DATE_TIME, i64::from(days(ms)?) * DAY_MS),
            Form::Time => (tags::DATE_TIME, time_of_day(ms).into()),
            Form::Timestamp => (tags::DATE_TIME, ms),
        };
        out.push(tag);
        out.extend_from_slice(&number.to_le_bytes());
        Ok(())
    }

    fn text(&self, ms: i64) -> String {
        let mut text = String::new();
        if let Some(format) = &self.format {
            format.format(ms, &mut text);
        }
        text
    }
}

fn days(ms: i64) -> Result<i32, ConnectError> {
    i32::try_from(ms.div_euclid(DAY_MS))
        .map_err(|_| ConnectError::data(format!("{ms} ms are beyond the dates that a Date can hold")))
}

fn time_of_day(ms: i64) -> i32 {
    // Less than a day.
    i32::try_from(ms.rem_euclid(DAY_MS)).unwrap_or(0)
}

impl Precision {
    fn to_ms(self, unix: i64) -> i64 {
        match self {
            Self::Seconds => unix.saturating_mul(1_000),
            Self::Millis => unix,
            Self::Micros => unix / 1_000,
            Self::Nanos => unix / 1_000_000,
        }
    }

    fn of_ms(self, ms: i64) -> i64 {
        match self {
            Self::Seconds => ms / 1_000,
            Self::Millis => ms,
            Self::Micros => ms.saturating_mul(1_000),
            Self::Nanos => ms.saturating_mul(1_000_000),
        }
    }
}
