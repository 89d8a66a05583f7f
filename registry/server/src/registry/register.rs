//! Registering a schema
//!
//! Decides, on the state that the writer sees, whether the schema is there already, whether it may be, and which version and id it
//! gets. Source: `KafkaSchemaRegistry.register`.

use std::sync::Arc;

use weir_schema::compatibility::{Previous, differences};
use weir_schema::level::Level;
use weir_schema::schema::ParsedSchema;

use crate::model::Metadata;
use crate::refusal::Refusal;
use crate::registry::change::{Outcome, Plan};
use crate::registry::lookup::{Candidate, Finder, Read};
use crate::registry::schemas::{Canonical, Form, Reading, Strictness, schema_type};
use crate::registry::scope::Effective;
use crate::store::cache::{Cache, Deleted, StoredSchema};
use crate::store::fingerprint::fingerprint;
use crate::store::records::{Mode, Record, SchemaValue};
use crate::subject::{self, context_of, context_prefix};

/// How a registration is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) form: Form,
    pub(crate) compatibility: CompatibilityCheck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompatibilityCheck {
    Made,
    /// `force=true`.
    Skipped,
}

/// The subject's versions, newest first.
struct History {
    live: Vec<Arc<StoredSchema>>,
    deleted: Vec<Arc<StoredSchema>>,
    next_version: i32,
}

impl History {
    fn of(cache: &Cache, subject: &str) -> Result<Self, Refusal> {
        let newest = cache.versions(subject).next_back().map_or(0, |schema| schema.version);
        let next_version = newest
            .checked_add(1)
            .ok_or_else(|| Refusal::Store("no version number is left".to_owned()))?;
        let (deleted, live) = cache
            .versions(subject)
            .rev()
            .cloned()
            .partition(|schema| schema.is_deleted);
        Ok(Self {
            live,
            deleted,
            next_version,
        })
    }
}

impl Finder<'_> {
    /// Decides on a registration.
    ///
    /// *Errors*: every reason for which a schema is not taken.
    pub(crate) fn register(&self, subject: &str, candidate: Candidate, options: Options) -> Result<Plan, Refusal> {
        let mode = check_mode(&self.cache.read(), subject, candidate.id)?;
        let history = History::of(&self.cache.read(), subject)?;
        let config = self.effective(subject);
        let mut candidate = candidate;
        let asked_version = candidate.version;
        let names_version = candidate
            .metadata
            .as_ref()
            .is_some_and(|metadata| metadata.version().is_some());
        if !mode.takes_ids() {
            populate(&mut candidate, &history, &config)?;
        }
        if candidate.is_empty() {
            return Err(Refusal::InvalidSchema("Empty schema".to_owned()));
        }
        let is_new = candidate.id.is_none() && config.validates_new_schemas;
        let reading = Reading {
            form: if config.normalizes {
                Form::Normalized
            } else {
                options.form
            },
            strictness: if is_new { Strictness::New } else { Strictness::Stored },
        };
        let read = self.read(subject, &candidate, reading, Deleted::Hidden)?;
        if config.validates_fields && !mode.takes_ids() {
            check_field_names(&candidate, &read)?;
        }
        let known = self.known_id(subject, &candidate, &read);
        if asked_version == 0 {
            let mut asked = candidate.clone();
            if !names_version {
                asked.metadata = asked.metadata.and_then(|metadata| metadata.without_version());
            }
            if let Some(existing) = self.existing(&asked, &read, &history, known)? {
                return Ok(Plan::nothing(Outcome::Schema(existing)));
            }
        }
        if !mode.takes_ids() && options.compatibility == CompatibilityCheck::Made {
            let messages = self.incompatibilities(&config, &candidate, &read.canonical, &history.live)?;
            if !messages.is_empty() {
                return Err(Refusal::Incompatible {
                    subject: subject.to_owned(),
                    messages,
                });
            }
        }
        let version = version_for(&candidate, &history, mode)?;
        self.plan(subject, candidate, &read, version, known, &history)
    }

    /// The id of the very same schema in this context, if the request does not ask for another.
    fn known_id(&self, subject: &str, candidate: &Candidate, read: &Read) -> Option<i32> {
        let fingerprint = fingerprint(
            &read.canonical.text,
            &read.references,
            candidate.metadata.as_ref(),
            candidate.rule_set.as_ref(),
        );
        let id = self.cache.read().id_of(context_of(subject), fingerprint)?;
        candidate.id.is_none_or(|given| given == id).then_some(id)
    }

    fn existing(
        &self,
        candidate: &Candidate,
        read: &Read,
        history: &History,
        known: Option<i32>,
    ) -> Result<Option<Arc<StoredSchema>>, Refusal> {
        if let Some(id) = known {
            let same_id = history.live.iter().find(|schema| schema.id == id);
            if let Some(schema) = same_id {
                return Ok(Some(Arc::clone(schema)));
            }
        }
        for schema in &history.live {
            let fits = candidate.id.is_none_or(|given| given == schema.id);
            if fits && self.is_loosely_equal(candidate, read, schema)? {
                return Ok(Some(Arc::clone(schema)));
            }
        }
        Ok(None)
    }

    /// Messages of everything that speaks against a schema; empty is compatible. `live` is newest first.
    ///
    /// *Errors*: `InvalidSchema` for a stored schema that cannot be read.
    pub(crate) fn incompatibilities(
        &self,
        config: &Effective,
        candidate: &Candidate,
        new: &Canonical,
        live: &[Arc<StoredSchema>],
    ) -> Result<Vec<String>, Refusal> {
        let mut messages = Vec::new();
        if config.validates_fields {
            let previous = live.first().and_then(|schema| schema.metadata.as_ref());
            messages.extend(reserved_field_faults(
                candidate.metadata.as_ref(),
                previous,
                &new.parsed,
            ));
        }
        if config.level != Level::None {
            messages.extend(self.compare(config, candidate, new, live)?);
        }
        if !messages.is_empty() {
            messages.push(format!(
                "{{validateFields: '{}', compatibility: '{}'}}",
                config.validates_fields, config.level
            ));
        }
        Ok(messages)
    }

    fn compare(
        &self,
        config: &Effective,
        candidate: &Candidate,
        new: &Canonical,
        live: &[Arc<StoredSchema>],
    ) -> Result<Vec<String>, Refusal> {
        let group = config.config.compatibility_group.as_deref();
        let value_of =
            |metadata: Option<&Metadata>| metadata.and_then(|metadata| metadata.properties.get(group?).cloned());
        let own = value_of(candidate.metadata.as_ref());
        let in_group = live.iter().filter(|schema| value_of(schema.metadata.as_ref()) == own);
        let wanted = if config.level.is_transitive() { usize::MAX } else { 1 };
        let compared: Vec<&Arc<StoredSchema>> = in_group.take(wanted).collect();
        let new_type = schema_type(candidate.schema_type())?;
        let mut read = Vec::with_capacity(compared.len());
        for schema in compared {
            if schema.schema_type() != new_type.as_str() {
                return Ok(vec!["Incompatible because of different schema type".to_owned()]);
            }
            read.push((schema.version, self.schemas.read_stored(self.cache, schema)?));
        }
        let previous: Vec<Previous<'_>> = read
            .iter()
            .rev()
            .map(|(version, canonical)| Previous {
                version: *version,
                schema: &canonical.parsed,
            })
            .collect();
        // The closing line is written by the caller, who knows what else is checked.
        Ok(differences(config.level, config.policy, &new.parsed, &previous))
    }

    fn plan(
        &self,
        subject: &str,
        candidate: Candidate,
        read: &Read,
        version: i32,
        known: Option<i32>,
        history: &History,
    ) -> Result<Plan, Refusal> {
        let cache = self.cache.read();
        let id = id_for(&cache, subject, &candidate, read, version, known)?;
        let mut records = Vec::new();
        let context = context_of(subject);
        if context != subject::DEFAULT_CONTEXT && !cache.contexts().any(|known| known == context) {
            records.push(Record::Context(context.to_owned()));
        }
        let schema_type = candidate.schema_type().to_owned();
        records.push(Record::Schema(Box::new(SchemaValue {
            subject: subject.to_owned(),
            version,
            id,
            md5: None,
            schema_type: Some(schema_type),
            references: read.references.clone(),
            metadata: candidate.metadata,
            rule_set: candidate.rule_set,
            schema: read.canonical.text.to_string(),
            deleted: false,
        })));
        // After the new version, so that the id is never without one.
        let replaced = history.deleted.iter().filter(|old| {
            old.id == id && old.version < version && cache.referrers(subject, old.version).next().is_none()
        });
        records.extend(replaced.map(|old| Record::SchemaTombstone {
            subject: subject.to_owned(),
            version: old.version,
        }));
        Ok(Plan {
            records,
            outcome: Outcome::Registered {
                subject: subject.to_owned(),
                version,
            },
        })
    }
}

/// Is the mode one in which this may be registered?
pub(crate) fn check_mode(cache: &Cache, subject: &str, id: Option<i32>) -> Result<Mode, Refusal> {
    let mode = cache.mode_in_scope(Some(subject));
    let refused = |what: &str| {
        let context = context_prefix(subject);
        Err(Refusal::NotPermitted(format!(
            "Subject {subject} in context {context} is {what}"
        )))
    };
    if mode.is_read_only() {
        return refused("in read-only mode");
    }
    if id.is_some() && !mode.takes_ids() {
        return refused("not in import mode");
    }
    if id.is_none() && mode != Mode::ReadWrite {
        return refused("not in read-write mode");
    }
    Ok(mode)
}

/// Fills in what the request leaves to the version before and to the settings.
fn populate(candidate: &mut Candidate, history: &History, config: &Effective) -> Result<(), Refusal> {
    let previous = history.live.first();
    if candidate.is_empty() {
        let previous = previous.ok_or_else(|| Refusal::InvalidSchema("Empty schema".to_owned()))?;
        candidate.text = previous.text.to_string();
        candidate.schema_type = Some(previous.schema_type().to_owned());
        candidate.references.clone_from(&previous.references);
    }
    candidate.inherit(config, previous.map(AsRef::as_ref), Some(history.next_version));
    Ok(())
}

fn version_for(candidate: &Candidate, history: &History, mode: Mode) -> Result<i32, Refusal> {
    if candidate.version <= 0 {
        return Ok(history.next_version);
    }
    if candidate.version != history.next_version && !mode.takes_ids() {
        let text = "Version is not one more than previous version";
        return Err(Refusal::InvalidSchema(text.to_owned()));
    }
    Ok(candidate.version)
}

fn id_for(
    cache: &Cache,
    subject: &str,
    candidate: &Candidate,
    read: &Read,
    version: i32,
    known: Option<i32>,
) -> Result<i32, Refusal> {
    let context = context_of(subject);
    let Some(given) = candidate.id else {
        let next = || cache.max_id(context).checked_add(1);
        return known
            .or_else(next)
            .ok_or_else(|| Refusal::Store("Error while generating the id: no id is left".to_owned()));
    };
    let in_use = cache.by_id(context, given);
    if in_use.is_some_and(|schema| *schema.text != *read.canonical.text || schema.references != read.references) {
        let context = context_prefix(subject);
        return Err(Refusal::NotPermitted(format!(
            "Overwrite new schema with id {given} in context {context} is not permitted."
        )));
    }
    match cache.version(subject, version).filter(|existing| existing.id != given) {
        Some(existing) => Err(Refusal::IdDoesNotMatch {
            given,
            existing: existing.id,
            subject: subject.to_owned(),
            version,
        }),
        None => Ok(given),
    }
}

pub(crate) fn check_field_names(candidate: &Candidate, read: &Read) -> Result<(), Refusal> {
    let reserved = read
        .canonical
        .parsed
        .top_level_fields()
        .into_iter()
        .find(|name| name.starts_with("$$"));
    match reserved {
        None => Ok(()),
        Some(name) => Err(Refusal::InvalidSchema(format!(
            "Invalid schema of type {}, details: field name '{name}' begins with the reserved prefix $$",
            candidate.schema_type()
        ))),
    }
}

fn reserved_field_faults(new: Option<&Metadata>, old: Option<&Metadata>, parsed: &ParsedSchema) -> Vec<String> {
    let reserved = new.map(Metadata::reserved).unwrap_or_default();
    let before = old.map(Metadata::reserved).unwrap_or_default();
    let mut faults: Vec<String> = before
        .difference(&reserved)
        .map(|field| {
            format!("The new schema has reserved field {field} removed from its metadata which is present in the old schema's metadata.")
        })
        .collect();
    let fields = parsed.top_level_fields();
    let colliding = reserved.iter().filter(|field| fields.contains(&field.as_str()));
    faults.extend(
        colliding.map(|field| format!("The new schema has field that conflicts with the reserved field {field}.")),
    );
    faults
}
