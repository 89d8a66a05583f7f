//! `AvroConverter`
//!
//! Writing: plan and registered id by the frame's schema id and the topic. Reading: plan by registered id and topic.
//! The registry is asked once for each, through the shared client. Kafka: `io.confluent.connect.avro.AvroConverter`.

use std::collections::HashMap;
use std::sync::Arc;

use weir_api::converter::{ConvertCx, Converted, Converter, ConverterSlot, ToConnect};
use weir_api::data::schema::Schema;
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_config::def::ConfigDef;
use weir_config::map::ConfigMap;
use weir_config::secret::Password;
use weir_schema::avro::parse::{ParseAvro, parse};
use weir_schema::avro::schema::{AvroSchema, Kind};
use weir_schema::compatibility::{Previous, check};
use weir_schema::level::Level;
use weir_schema::schema::{ParsedSchema, Reference};

use crate::avro::avro_to_connect::to_connect;
use crate::avro::config::{self, DataOptions};
use crate::avro::connect_to_avro::to_avro;
use crate::avro::decode_plan::DecodePlan;
use crate::avro::encode_plan::EncodePlan;
use crate::registry_client::RegistryClient;
use crate::registry_http::{Call, Registered};
use crate::registry_settings::{self, RegistrySettings, SchemaLookup, WriteSchema};
use crate::wire_format::{push_prefix, split_prefix};

const HEADER_PREFIX: &str = "request.header.";

/// Adds this converter's keys to a definition.
pub fn config_def(definition: ConfigDef) -> ConfigDef {
    config::config_def(registry_settings::config_def(definition))
}

/// The converter.
#[derive(Debug)]
pub struct AvroConverter {
    options: DataOptions,
    lookup: SchemaLookup,
    slot: ConverterSlot,
    client: Arc<RegistryClient>,
    /// Most registered schemas, and most topics of one schema, kept ready.
    capacity: usize,
    /// Forms for writing, by schema id; the first is that of schemaless values.
    writes: Vec<Option<Box<WriteForm>>>,
    /// Forms for reading, by registered id.
    reads: HashMap<u32, ReadForm>,
}

/// How values of one schema are written.
#[derive(Debug)]
struct WriteForm {
    /// The schema, to notice when an id stands for another one.
    schema: Option<Arc<Schema>>,
    avro: AvroSchema,
    text: Arc<str>,
    targets: HashMap<String, WriteTarget>,
    last: Option<WriteTarget>,
}

/// A topic's registered schema.
#[derive(Debug, Clone)]
struct WriteTarget {
    topic: String,
    id: u32,
    plan: Arc<EncodePlan>,
}

/// How values of one registered schema are read.
#[derive(Debug)]
struct ReadForm {
    avro: AvroSchema,
    text: Arc<str>,
    references: Vec<Reference>,
    plan: Arc<DecodePlan>,
    /// The registry's version shows in the Connect schema.
    is_versioned: bool,
    targets: HashMap<String, ReadTarget>,
    last: Option<ReadTarget>,
}

/// The Connect schema of a registered schema on a topic.
#[derive(Debug, Clone)]
struct ReadTarget {
    topic: String,
    schema: Option<Arc<Schema>>,
    id: SchemaId,
}

impl AvroConverter {
    /// Creates it from its options, prefix taken off.
    ///
    /// # Errors
    /// `Config`: an option is wrong or not supported.
    pub fn new(config: &ConfigMap, slot: ConverterSlot) -> Result<Self, ConnectError> {
        let parsed = config_def(ConfigDef::new()).parse(config)?;
        let headers = config
            .with_prefix(HEADER_PREFIX)
            .iter()
            .map(|(name, value)| (name.to_owned(), Password::new(value.unwrap_or_default())))
            .collect();
        let settings = RegistrySettings::new(&parsed, headers)?;
        Ok(Self {
            options: DataOptions::new(&parsed)?,
            lookup: SchemaLookup::new(&parsed, slot)?,
            slot,
            client: RegistryClient::shared(&settings)?,
            capacity: config::cache_size(&parsed)?.max(1),
            writes: Vec::new(),
            reads: HashMap::new(),
        })
    }

    fn write(&mut self, cx: &ConvertCx<'_>, id: SchemaId, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ConnectError> {
        let target = self.write_target(cx, id)?;
        push_prefix(out, target.id);
        target.plan.write(bytes, out)
    }

    fn write_target(&mut self, cx: &ConvertCx<'_>, id: SchemaId) -> Result<&WriteTarget, ConnectError> {
        let position = self.prepare_form(cx.schemas, id)?;
        let unknown = || ConnectError::data(format!("schema {} is not known", id.0));
        let form = self
            .writes
            .get_mut(position)
            .and_then(Option::as_mut)
            .ok_or_else(unknown)?;
        let is_last = form.last.as_ref().is_some_and(|last| last.topic == cx.topic);
        if !is_last {
            if !form.targets.contains_key(cx.topic) {
                if form.targets.len() >= self.capacity {
                    form.targets.clear();
                }
                let registry = Registry {
                    options: &self.options,
                    lookup: self.lookup,
                    slot: self.slot,
                    client: &self.client,
                };
                let target = registry.write_target(form, cx.topic).map_err(|error| {
                    in_context(
                        error,
                        &format!("Failed to serialize Avro data from topic {} :", cx.topic),
                    )
                })?;
                form.targets.insert(cx.topic.to_owned(), target);
            }
            form.last = form.targets.get(cx.topic).cloned();
        }
        form.last.as_ref().ok_or_else(unknown)
    }

    /// Makes sure of the form of a schema id and gives its place.
    fn prepare_form(&mut self, schemas: &SchemaTable, id: SchemaId) -> Result<usize, ConnectError> {
        let schema = match id {
            SchemaId::NONE => None,
            _ => Some(
                schemas
                    .get(id)
                    .ok_or_else(|| ConnectError::data(format!("schema {} is not known", id.0)))?,
            ),
        };
        let position = id.0 as usize;
        if self.writes.len() <= position {
            // Known ids are few and dense.
            self.writes.resize_with(position + 1, || None);
        }
        let slot = self
            .writes
            .get_mut(position)
            .ok_or_else(|| ConnectError::data("schema id out of range"))?;
        let is_ready = slot.as_ref().is_some_and(|form| match (&form.schema, schema) {
            (Some(known), Some(schema)) => Arc::ptr_eq(known, schema),
            (None, None) => true,
            _ => false,
        });
        if !is_ready {
            let form = to_avro(schema.map(|schema| &**schema), &self.options)?;
            *slot = Some(Box::new(WriteForm {
                schema: schema.cloned(),
                avro: form.avro,
                text: form.text.into(),
                targets: HashMap::new(),
                last: None,
            }));
        }
        Ok(position)
    }

    fn read(&mut self, cx: &mut ConvertCx<'_>, bytes: &[u8], out: &mut Vec<u8>) -> Result<ToConnect, ConnectError> {
        let (id, payload) = split_prefix(bytes)?;
        let registry = Registry {
            options: &self.options,
            lookup: self.lookup,
            slot: self.slot,
            client: &self.client,
        };
        if !self.reads.contains_key(&id) {
            if self.reads.len() >= self.capacity {
                self.reads.clear();
            }
            self.reads.insert(id, registry.read_form(id)?);
        }
        let forgotten = || ConnectError::data("schema was forgotten");
        let form = self.reads.get_mut(&id).ok_or_else(forgotten)?;
        let is_last = form.last.as_ref().is_some_and(|last| last.topic == cx.topic);
        if !is_last {
            if !form.targets.contains_key(cx.topic) {
                if form.targets.len() >= self.capacity {
                    form.targets.clear();
                }
                let target = registry.read_target(form, cx.topic)?;
                form.targets.insert(cx.topic.to_owned(), target);
            }
            form.last = form.targets.get(cx.topic).cloned();
        }
        let target = form.last.as_mut().ok_or_else(forgotten)?;
        let schema = target.schema_id(cx.schemas)?;
        let form = if form.plan.read(payload, out)? {
            Converted::Written
        } else {
            Converted::Null
        };
        Ok(ToConnect { schema, form })
    }
}

impl Converter for AvroConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        let Some(bytes) = slot.bytes else {
            return Ok(Converted::Null);
        };
        // A schemaless null carries its tag.
        if slot.schema == SchemaId::NONE && bytes == [0] {
            return Ok(Converted::Null);
        }
        self.write(cx, slot.schema, bytes, out)?;
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
        let topic = cx.topic;
        self.read(cx, bytes, out)
            .map_err(|error| in_context(error, &format!("Failed to deserialize data for topic {topic} to Avro:")))
    }
}

impl ReadTarget {
    /// The table's own copy is kept, so that the next look is one pointer comparison.
    fn schema_id(&mut self, schemas: &mut SchemaTable) -> Result<SchemaId, ConnectError> {
        let Some(schema) = &mut self.schema else {
            return Ok(SchemaId::NONE);
        };
        if !schemas.get(self.id).is_some_and(|known| Arc::ptr_eq(known, schema)) {
            self.id = schemas.declare(Arc::clone(schema))?;
            if let Some(known) = schemas.get(self.id) {
                *schema = Arc::clone(known);
            }
        }
        Ok(self.id)
    }
}

/// What is needed to ask the registry.
struct Registry<'a> {
    options: &'a DataOptions,
    lookup: SchemaLookup,
    slot: ConverterSlot,
    client: &'a RegistryClient,
}

impl Registry<'_> {
    /// Finds, or registers, the schema that a topic's values are written with.
    fn write_target(&self, form: &WriteForm, topic: &str) -> Result<WriteTarget, ConnectError> {
        let subject = self.subject(topic, &form.avro)?;
        let normalize = self.lookup.normalize;
        let schema = Arc::clone(&form.text);
        let (id, other) = match self.lookup.write {
            WriteSchema::Register => {
                let call = Call::Register {
                    subject,
                    schema,
                    normalize,
                };
                (self.client.call(&call)?.id, None)
            }
            WriteSchema::LookUp => {
                let call = Call::LookUp {
                    subject,
                    schema,
                    references: Vec::new(),
                    normalize,
                    deleted: false,
                };
                (self.client.call(&call)?.id, None)
            }
            WriteSchema::Latest { strict } => {
                let latest = self.client.call(&Call::Latest { subject })?;
                let avro = self.parsed(&latest)?;
                self.check_fit(form, &avro, &latest, strict, "latest.compatibility.strict")?;
                (latest.id, Some(avro))
            }
            WriteSchema::Id { id, strict } => {
                let fixed = self.client.call(&Call::ById { id })?;
                let avro = self.parsed(&fixed)?;
                self.check_fit(form, &avro, &fixed, strict, "id.compatibility.strict")?;
                (Some(id), Some(avro))
            }
        };
        let id = id.ok_or_else(|| ConnectError::data("the schema registry answers without an id"))?;
        let avro = other.as_ref().unwrap_or(&form.avro);
        Ok(WriteTarget {
            topic: topic.to_owned(),
            id,
            plan: Arc::new(EncodePlan::new(form.schema.as_deref(), avro, self.options)?),
        })
    }

    fn check_fit(
        &self,
        form: &WriteForm,
        avro: &AvroSchema,
        registered: &Registered,
        strict: bool,
        setting: &str,
    ) -> Result<(), ConnectError> {
        if !strict {
            return Ok(());
        }
        let own = ParsedSchema::Avro(form.avro.clone());
        let reader = ParsedSchema::Avro(avro.clone());
        let previous = [Previous {
            version: 1,
            schema: &own,
        }];
        let messages = check(Level::Backward, &reader, &previous);
        if messages.is_empty() {
            return Ok(());
        }
        Err(ConnectError::data(format!(
            "Incompatible schema {} for schema {}. Set {setting}=false to disable this check",
            registered.schema.as_deref().unwrap_or_default(),
            form.text
        )))
    }

    fn read_form(&self, id: u32) -> Result<ReadForm, ConnectError> {
        let registered = self.client.call(&Call::ById { id })?;
        let avro = self.parsed(&registered)?;
        let schema = to_connect(&avro, None, self.options)?;
        let is_versioned = to_connect(&avro, Some(i32::MAX), self.options)? != schema;
        Ok(ReadForm {
            plan: Arc::new(DecodePlan::new(&avro, schema.as_ref())?),
            avro,
            text: registered.schema.as_deref().unwrap_or_default().into(),
            references: registered.references.clone(),
            is_versioned,
            targets: HashMap::new(),
            last: None,
        })
    }

    fn read_target(&self, form: &ReadForm, topic: &str) -> Result<ReadTarget, ConnectError> {
        let mut version = None;
        if form.is_versioned {
            let call = Call::LookUp {
                subject: self.subject(topic, &form.avro)?,
                schema: Arc::clone(&form.text),
                references: form.references.clone(),
                normalize: false,
                deleted: true,
            };
            version = self.client.call(&call)?.version;
        }
        Ok(ReadTarget {
            topic: topic.to_owned(),
            schema: to_connect(&form.avro, version, self.options)?,
            id: SchemaId::NONE,
        })
    }

    fn subject(&self, topic: &str, avro: &AvroSchema) -> Result<String, ConnectError> {
        let record = match &avro.root_node().kind {
            Kind::Record(record) => Some(record.name.full()),
            _ => None,
        };
        self.lookup.strategy.subject(topic, self.slot, record.as_deref())
    }

    fn parsed(&self, registered: &Registered) -> Result<AvroSchema, ConnectError> {
        if let Some(other) = registered.schema_type.as_deref().filter(|language| *language != "AVRO") {
            return Err(ConnectError::data(format!(
                "the registered schema is of type {other}, not AVRO"
            )));
        }
        let texts = self.client.references(registered)?;
        let named: Vec<&str> = texts.iter().map(String::as_str).collect();
        let text = registered.schema.as_deref().unwrap_or_default();
        parse(text, &named, ParseAvro::default())
            .map_err(|error| ConnectError::data(format!("the registered schema cannot be read: {error}")))
    }
}

fn in_context(mut error: ConnectError, context: &str) -> ConnectError {
    error.message = format!("{context} {}", error.message);
    error
}

#[cfg(test)]
mod tests;
