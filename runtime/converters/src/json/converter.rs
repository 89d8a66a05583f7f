//! `JsonConverter`
//!
//! Writing: plan by schema id, then one walk over the value bytes. Reading: tape, then one walk over its nodes; the
//! envelope's schema is compared as text with the last one, so that equal schemas are read once. Kafka:
//! `org.apache.kafka.connect.json.JsonConverter`; KIP-1054 for `schema.content`.

use std::collections::HashMap;
use std::sync::Arc;

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::schema::Schema;
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value_reader::ValueReader;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator, Width};
use weir_config::map::ConfigMap;

use crate::json::decode::{read_root, read_tagged};
use crate::json::envelope::Plan;
use crate::json::plan::{JsonStyle, MAX_DEPTH, Part, write_tagged};
use crate::json::scanner::{JsonError, Kind};
use crate::json::schema_read::read_schema;
use crate::json::tape::{NodeRef, Tape};

const SCHEMAS_ENABLE: &str = "schemas.enable";
const CACHE_SIZE: &str = "schemas.cache.size";
const SCHEMA_CONTENT: &str = "schema.content";
const DECIMAL_FORMAT: &str = "decimal.format";
const REPLACE_NULL: &str = "replace.null.with.default";

/// Longest schema text kept in the cache.
const MAX_CACHED_SCHEMA_BYTES: usize = 64 * 1024;

const NOT_AN_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.";

/// Adds this converter's keys to a definition.
pub fn config_def(definition: ConfigDef) -> ConfigDef {
    let schema_key = |key: ConfigKey, order, display_name| {
        key.group("Schemas", order)
            .importance(Importance::High)
            .width(Width::Medium)
            .display_name(display_name)
    };
    let style_key = |key: ConfigKey, order, display_name| {
        key.group("Serialization", order)
            .importance(Importance::Low)
            .width(Width::Medium)
            .display_name(display_name)
    };
    definition
        .key(schema_key(ConfigKey::boolean(SCHEMAS_ENABLE).default("true"), 0, "Enable Schemas").doc("Include schemas within each of the serialized values and keys."))
        .key(schema_key(ConfigKey::int(CACHE_SIZE).default("1000"), 1, "Schema Cache Size").doc("The maximum number of schemas that can be cached in this converter instance."))
        .key(schema_key(ConfigKey::text(SCHEMA_CONTENT).default_null(), 2, "Schema Content").doc(
            "When set, this is used as the schema for all messages, and the schemas within each of the message will be ignored.Otherwise, the schema will be included in the content of each message. This configuration applies only 'schemas.enable' is true, and it exclusively affects the sink connector.",
        ))
        .key(
            style_key(ConfigKey::text(DECIMAL_FORMAT).default("BASE64"), 0, "Decimal Format")
                .validator(Validator::one_of_ignore_case(&["NUMERIC", "BASE64"]))
                .doc("Controls which format this converter will serialize decimals in. This value is case insensitive and can be either 'BASE64' (default) or 'NUMERIC'"),
        )
        .key(style_key(ConfigKey::boolean(REPLACE_NULL).default("true"), 1, "Replace null with default").doc(
            "Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value is used, otherwise null is used.",
        ))
}

/// The converter.
#[derive(Debug)]
pub struct JsonConverter {
    with_envelope: bool,
    style: JsonStyle,
    /// Plans for writing, by schema id.
    plans: Vec<Option<Box<Plan>>>,
    tape: Tape,
    schemas: ReadSchemas,
    fixed: Option<ReadSchema>,
}

impl JsonConverter {
    /// Creates it from its options, prefix taken off.
    ///
    /// # Errors
    /// `Config`: an option is wrong.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = config_def(ConfigDef::new()).parse(config)?;
        let style = JsonStyle {
            numeric_decimals: parsed.get_text(DECIMAL_FORMAT)?.eq_ignore_ascii_case("NUMERIC"),
            replace_null_with_default: parsed.get_boolean(REPLACE_NULL)?,
        };
        let with_envelope = parsed.get_boolean(SCHEMAS_ENABLE)?;
        let capacity = usize::try_from(parsed.get_int(CACHE_SIZE)?).unwrap_or(0);
        let content = parsed
            .opt_text(SCHEMA_CONTENT)
            .filter(|content| with_envelope && !content.is_empty());
        let fixed = content.map(|content| ReadSchema::parse(content, style)).transpose()?;
        Ok(Self {
            with_envelope,
            style,
            plans: Vec::new(),
            tape: Tape::default(),
            schemas: ReadSchemas::new(capacity),
            fixed,
        })
    }

    fn plan(&mut self, id: SchemaId, schemas: &SchemaTable) -> Result<&Plan, ConnectError> {
        let schema = schemas
            .get(id)
            .ok_or_else(|| ConnectError::data(format!("schema {} is not known", id.0)))?;
        let position = id.0 as usize;
        if self.plans.len() <= position {
            // Known ids are few and dense.
            self.plans.resize_with(position + 1, || None);
        }
        let slot = self
            .plans
            .get_mut(position)
            .ok_or_else(|| ConnectError::data("schema id out of range"))?;
        if !slot.as_ref().is_some_and(|plan| Arc::ptr_eq(&plan.schema, schema)) {
            *slot = Some(Box::new(Plan::new(schema, self.style)?));
        }
        slot.as_deref().ok_or_else(|| ConnectError::data("schema without plan"))
    }

    fn write_schemaless(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Converted, ConnectError> {
        if bytes == [0] {
            return Ok(Converted::Null);
        }
        if self.with_envelope {
            out.extend_from_slice(b"{\"schema\":null,\"payload\":");
        }
        let mut reader = ValueReader::new(bytes);
        write_tagged(&mut reader, out, MAX_DEPTH)?;
        reader.finish()?;
        if self.with_envelope {
            out.push(b'}');
        }
        Ok(Converted::Written)
    }

    fn read_envelope(
        &mut self,
        text: &str,
        schemas: &mut SchemaTable,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        if let Some((known, payload)) = self.schemas.known_prefix(text)
            && let Ok(payload) = self.tape.parse_last_member(payload)
        {
            return known.read(payload, schemas, out);
        }
        let root = self.tape.parse(text).map_err(|error| unparsable(&error))?;
        let envelope = root.filter(|root| {
            root.kind() == Kind::Object
                && root
                    .pairs()
                    .all(|(name, _)| name.is_text("schema") || name.is_text("payload"))
        });
        let parts = envelope.and_then(|root| Some((root, root.get("schema")?, root.get("payload")?)));
        let Some((root, schema, payload)) = parts else {
            return Err(ConnectError::data(NOT_AN_ENVELOPE));
        };
        let known = self.schemas.get(schema, self.style)?;
        let read = known.read(Some(payload), schemas, out)?;
        // Remembered only in the plain form: schema, then payload, nothing else.
        if root.count() == 2 && schema.start() < payload.start() {
            self.schemas
                .remember_prefix(text.get(..payload.start()).unwrap_or_default(), schema.raw());
        }
        Ok(read)
    }
}

impl Converter for JsonConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        if slot.schema == SchemaId::NONE {
            return slot
                .bytes
                .map_or(Ok(Converted::Null), |bytes| self.write_schemaless(bytes, out));
        }
        let (with_envelope, style) = (self.with_envelope, self.style);
        self.plan(slot.schema, cx.schemas)?
            .write(slot.bytes, with_envelope, style, out)?;
        Ok(Converted::Written)
    }

    fn to_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        let Some(bytes) = data else {
            return Ok(ToConnect {
                schema: SchemaId::NONE,
                form: Converted::Null,
            });
        };
        let text = std::str::from_utf8(bytes).map_err(|error| serialization_error(&error.to_string()))?;
        if let Some(fixed) = &mut self.fixed {
            let node = self.tape.parse(text).map_err(|error| unparsable(&error))?;
            return fixed.read(node, cx.schemas, out);
        }
        if self.with_envelope {
            return self.read_envelope(text, cx.schemas, out);
        }
        let node = self.tape.parse(text).map_err(|error| unparsable(&error))?;
        read_schemaless(node, out)
    }
}

fn unparsable(error: &JsonError) -> ConnectError {
    serialization_error(&format!("{} expected at byte {}", error.reason, error.at))
}

fn serialization_error(cause: &str) -> ConnectError {
    ConnectError::data("Converting byte[] to Kafka Connect data failed due to serialization error: ").caused_by(cause)
}

fn read_schemaless(node: Option<NodeRef<'_>>, out: &mut Vec<u8>) -> Result<ToConnect, ConnectError> {
    let form = match node.filter(|node| node.kind() != Kind::Null) {
        Some(node) => {
            read_tagged(node, out, MAX_DEPTH)?;
            Converted::Written
        }
        None => Converted::Null,
    };
    Ok(ToConnect {
        schema: SchemaId::NONE,
        form,
    })
}

/// A schema that messages carry, ready to read payloads with.
#[derive(Debug)]
struct ReadSchema {
    /// `None` is Java's null schema.
    typed: Option<(Arc<Schema>, Part)>,
    id: SchemaId,
}

impl ReadSchema {
    fn new(node: NodeRef<'_>, style: JsonStyle) -> Result<Self, ConnectError> {
        let typed = match read_schema(node, style)? {
            Some(schema) => {
                let part = Part::new(&schema, style)?;
                Some((schema, part))
            }
            None => None,
        };
        Ok(Self {
            typed,
            id: SchemaId::NONE,
        })
    }

    fn parse(content: &str, style: JsonStyle) -> Result<Self, ConnectError> {
        let mut tape = Tape::default();
        let node = tape.parse(content).map_err(|error| {
            ConnectError::data("Failed to parse schema in converter config due to serialization error: ")
                .caused_by(format!("{} expected at byte {}", error.reason, error.at))
        })?;
        Self::new(
            node.ok_or_else(|| ConnectError::data("Schema must contain 'type' field"))?,
            style,
        )
    }

    fn read(
        &mut self,
        payload: Option<NodeRef<'_>>,
        schemas: &mut SchemaTable,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        let Some((schema, part)) = &mut self.typed else {
            return read_schemaless(payload, out);
        };
        // The table's own copy is kept, so that the next look is one pointer comparison.
        if !schemas.get(self.id).is_some_and(|known| Arc::ptr_eq(known, schema)) {
            self.id = schemas.declare(Arc::clone(schema))?;
            if let Some(known) = schemas.get(self.id) {
                *schema = Arc::clone(known);
            }
        }
        let form = if read_root(part, payload, out)? {
            Converted::Written
        } else {
            Converted::Null
        };
        Ok(ToConnect { schema: self.id, form })
    }
}

/// Schemas seen in messages, by their text. At the bound all are forgotten.
#[derive(Debug)]
struct ReadSchemas {
    capacity: usize,
    known: Vec<ReadSchema>,
    positions: HashMap<String, usize>,
    /// The last message up to its payload, and its schema's position.
    prefix: String,
    last: Option<usize>,
}

impl ReadSchemas {
    fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            known: Vec::new(),
            positions: HashMap::new(),
            prefix: String::new(),
            last: None,
        }
    }

    fn known_prefix<'t>(&mut self, text: &'t str) -> Option<(&mut ReadSchema, &'t str)> {
        let payload = text.strip_prefix(self.prefix.as_str())?;
        Some((self.known.get_mut(self.last?)?, payload))
    }

    fn remember_prefix(&mut self, prefix: &str, schema: &str) {
        self.last = self.positions.get(schema).copied();
        self.prefix.clear();
        self.prefix.push_str(prefix);
    }

    fn get(&mut self, node: NodeRef<'_>, style: JsonStyle) -> Result<&mut ReadSchema, ConnectError> {
        let position = match self.positions.get(node.raw()) {
            Some(position) => *position,
            None => self.add(node, style)?,
        };
        self.known
            .get_mut(position)
            .ok_or_else(|| ConnectError::data("schema was forgotten"))
    }

    fn add(&mut self, node: NodeRef<'_>, style: JsonStyle) -> Result<usize, ConnectError> {
        let schema = ReadSchema::new(node, style)?;
        if self.known.len() >= self.capacity {
            self.known.clear();
            self.positions.clear();
            self.last = None;
        }
        self.known.push(schema);
        let position = self.known.len() - 1;
        if node.raw().len() <= MAX_CACHED_SCHEMA_BYTES {
            self.positions.insert(node.raw().to_owned(), position);
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests;
