//! Rows into keys, values and times of records
//!
//! The value is JSON text, a struct under the schema that was found so far, or one under the schema of the settings. A
//! found schema widens when a row does not fit it.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use weir_feed::pointer::scalar_text;
use weir_feed::time_format::read_any;
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schema::{Schema, SchemaType};
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::TypedValue;

use crate::body::Format;
use crate::infer::{Kind, typed_cell, word};
use crate::source_settings::{RecordSettings, SchemaMode};
use crate::value::to_shared_value;

/// Makes the parts of records.
#[derive(Debug)]
pub struct Converter {
    settings: RecordSettings,
    name: String,
    key_schema: Option<Arc<Schema>>,
    kind: Kind,
    /// Of `kind`; none = not built yet.
    found: Option<Arc<Schema>>,
    kind_json: Option<Json>,
    sampled: usize,
}

impl Converter {
    /// Starts with nothing known of the values.
    ///
    /// # Errors
    /// Fatal when the keys' schema breaks a limit.
    pub fn new(settings: &RecordSettings, topic: &str) -> Result<Self, ConnectError> {
        Ok(Self {
            settings: settings.clone(),
            name: word(topic),
            key_schema: key_schema(settings)?,
            kind: Kind::Unknown,
            found: None,
            kind_json: None,
            sampled: 0,
        })
    }

    /// Takes up a type from an offset.
    pub fn take_up(&mut self, kind: &Json) {
        if let Some(kind) = Kind::from_json(kind) {
            self.widen(&kind);
            // What was settled before a restart is not sampled again.
            self.sampled = usize::MAX;
        }
    }

    /// Gives the type found so far, for an offset.
    pub fn kind_json(&self) -> Option<&Json> {
        self.kind_json.as_ref()
    }

    /// Gives a row the shape that values are made of, and looks at it.
    pub fn look_at(&mut self, mut row: Json) -> Json {
        let SchemaMode::Inferred { sample } = self.settings.schema else {
            return row;
        };
        if self.settings.format == Format::Csv
            && let Json::Object(cells) = &mut row
        {
            for cell in cells.values_mut() {
                if let Json::String(text) = cell {
                    *cell = typed_cell(text);
                }
            }
        }
        if self.sampled < sample {
            self.sampled += 1;
            if !self.kind.covers(&row) {
                self.widen(&Kind::of(&row));
            }
        }
        row
    }

    /// Tells whether enough rows were looked at.
    pub fn is_ready(&self) -> bool {
        match self.settings.schema {
            SchemaMode::Inferred { sample } => self.sampled >= sample,
            SchemaMode::JsonString | SchemaMode::Inline(_) => true,
        }
    }

    /// Makes a value.
    ///
    /// # Errors
    /// What does not fit and where, for a message.
    pub fn value(&mut self, row: &Json) -> Result<TypedValue, String> {
        match &self.settings.schema {
            SchemaMode::JsonString => Ok(TypedValue::text(match (self.settings.format, row) {
                (Format::Text, Json::String(line)) => line.clone(),
                _ => row.to_string(),
            })),
            SchemaMode::Inline(schema) => {
                let schema = Arc::clone(schema);
                let value = match (self.settings.format, row) {
                    (Format::Csv, Json::Object(cells)) => to_shared_value(&schema, &typed_cells(&schema, cells)),
                    _ => to_shared_value(&schema, row),
                };
                value.map(|value| TypedValue::new(schema, value))
            }
            SchemaMode::Inferred { .. } => {
                if !self.kind.covers(row) {
                    self.widen(&Kind::of(row));
                }
                let schema = self.found_schema().map_err(|error| error.message)?;
                to_shared_value(&schema, row).map(|value| TypedValue::new(schema, value))
            }
        }
    }

    /// Gives the parts of a record's key; none where there is no key.
    ///
    /// # Errors
    /// A part is missing.
    pub fn key_parts(&self, row: &Json) -> Result<Vec<String>, String> {
        let parts = self.settings.key.iter().map(|pointer| {
            let found = pointer
                .present(row)
                .ok_or_else(|| format!("there is no key at {pointer}"))?;
            Ok(scalar_text(found).unwrap_or_else(|| found.to_string()))
        });
        parts.collect()
    }

    /// Makes a key of its parts.
    pub fn key(&self, parts: &[String]) -> TypedValue {
        match (&self.key_schema, parts) {
            (Some(schema), parts) => {
                let fields = parts.iter().map(|part| Value::Text(part.clone())).collect();
                let schema = Arc::clone(schema);
                TypedValue::new(Arc::clone(&schema), Value::Struct(StructValue { schema, fields }))
            }
            (None, [part]) => TypedValue::text(part.as_str()),
            (None, _) => TypedValue::null(),
        }
    }

    /// Gives a record's time; none where there is none.
    ///
    /// # Errors
    /// It does not read as a time.
    pub fn timestamp(&self, row: &Json) -> Result<Option<i64>, String> {
        let Some(found) = self
            .settings
            .timestamp
            .as_ref()
            .and_then(|pointer| pointer.present(row))
        else {
            return Ok(None);
        };
        let read = read_any(&self.settings.formats, found, self.settings.zone).filter(|ms| *ms >= 0);
        read.map(Some).ok_or_else(|| {
            let pointer = self
                .settings
                .timestamp
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            format!("{found} at {pointer} is no time that http.record.timestamp.format describes")
        })
    }

    fn widen(&mut self, kind: &Kind) {
        let widened = std::mem::take(&mut self.kind).widened(kind);
        self.kind_json = Some(widened.to_json());
        self.kind = widened;
        self.found = None;
    }

    fn found_schema(&mut self) -> Result<Arc<Schema>, ConnectError> {
        if let Some(schema) = &self.found {
            return Ok(Arc::clone(schema));
        }
        let schema = self.kind.schema(&self.name)?;
        // A record without value has no schema either; one with a value has one that is not null.
        let schema = Arc::new(Schema {
            optional: false,
            ..schema.as_ref().clone()
        });
        self.found = Some(Arc::clone(&schema));
        Ok(schema)
    }
}

fn key_schema(settings: &RecordSettings) -> Result<Option<Arc<Schema>>, ConnectError> {
    if settings.key.len() < 2 {
        return Ok(None);
    }
    let mut structure = SchemaBuilder::structure().name("Key");
    for (at, pointer) in settings.key.iter().enumerate() {
        let name = pointer.last_key().map_or_else(|| format!("key{at}"), word);
        structure = structure.field(&name, builder::text());
    }
    structure.build().map(Some)
}

/// Types the cells of a CSV row where the schema wants no text.
fn typed_cells(schema: &Schema, cells: &Map<String, Json>) -> Json {
    let typed = cells.iter().map(|(name, cell)| {
        let wants_text = schema
            .field(name)
            .is_some_and(|(_, field)| field.schema.base == SchemaType::Text);
        let cell = match cell {
            Json::String(text) if !wants_text => typed_cell(text),
            other => other.clone(),
        };
        (name.clone(), cell)
    });
    Json::Object(typed.collect())
}
