//! What all records together say
//!
//! One map of subjects and versions, and the indexes that answer by id, by fingerprint and by reference. Filled by applying records in
//! order, on start and while following; schemas are kept as text and never parsed here, so 50,000 of them load in a moment.
//! Source: `InMemoryCache`, `KafkaStoreMessageHandler`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::md5::Md5;
use crate::model::{Metadata, Reference, RuleSet};
use crate::store::fingerprint::fingerprint;
use crate::store::records::{ConfigValue, Mode, Record, SchemaValue};
use crate::subject::{self, GLOBAL_CONTEXT, Prefix, Scope};

/// Type of schemas whose record names none.
pub(crate) const AVRO: &str = "AVRO";

/// One version of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSchema {
    pub(crate) subject: Arc<str>,
    pub(crate) version: i32,
    pub(crate) id: i32,
    md5: Option<String>,
    schema_type: Option<String>,
    pub(crate) references: Vec<Reference>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
    /// The canonical text.
    pub(crate) text: Arc<str>,
    pub(crate) is_deleted: bool,
    pub(crate) fingerprint: Md5,
    /// Time of the record.
    pub(crate) timestamp_ms: i64,
}

impl StoredSchema {
    fn new(subject: Arc<str>, value: SchemaValue, timestamp_ms: i64) -> Self {
        let fingerprint = fingerprint(
            &value.schema,
            &value.references,
            value.metadata.as_ref(),
            value.rule_set.as_ref(),
        );
        Self {
            subject,
            version: value.version,
            id: value.id,
            md5: value.md5,
            schema_type: value.schema_type,
            references: value.references,
            metadata: value.metadata,
            rule_set: value.rule_set,
            text: Arc::from(value.schema),
            is_deleted: value.deleted,
            fingerprint,
            timestamp_ms,
        }
    }

    pub(crate) fn schema_type(&self) -> &str {
        self.schema_type.as_deref().unwrap_or(AVRO)
    }

    pub(crate) fn context(&self) -> &str {
        subject::context_of(&self.subject)
    }

    /// The record's value, with the type written out.
    pub(crate) fn to_value(&self) -> SchemaValue {
        SchemaValue {
            subject: self.subject.to_string(),
            version: self.version,
            id: self.id,
            md5: self.md5.clone(),
            schema_type: Some(self.schema_type().to_owned()),
            references: self.references.clone(),
            metadata: self.metadata.clone(),
            rule_set: self.rule_set.clone(),
            schema: self.text.to_string(),
            deleted: self.is_deleted,
        }
    }
}

/// Subjects and versions.
type Uses = BTreeSet<(Arc<str>, i32)>;

/// Ids of one context.
#[derive(Debug, Default)]
struct ContextIndex {
    /// Subjects and versions that use an id. Invariant: no entry is empty.
    uses: HashMap<i32, Uses>,
    ids: HashMap<Md5, i32>,
    /// Highest id seen; an id is never given twice.
    max_id: i32,
}

/// What came of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Applied {
    Taken,
    /// Its id belongs to another text. What stood there before must be written back.
    Conflict {
        id: i32,
        restore: Box<Record>,
    },
}

/// Versions of one subject.
type Versions = BTreeMap<i32, Arc<StoredSchema>>;

/// The state of the registry.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Invariant: no subject without versions.
    subjects: BTreeMap<Arc<str>, Versions>,
    indexes: BTreeMap<String, ContextIndex>,
    /// Who names a subject and version as a reference.
    referrers: HashMap<(String, i32), Uses>,
    contexts: BTreeSet<String>,
    configs: BTreeMap<Option<String>, Arc<ConfigValue>>,
    modes: BTreeMap<Option<String>, Mode>,
}

impl Cache {
    /// How many subjects and versions there are, deleted ones included.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let versions = self.subjects.keys().map(|subject| self.versions(subject).count()).sum();
        (self.subjects.len(), versions)
    }

    /// Takes one record.
    pub(crate) fn apply(&mut self, record: Record, timestamp_ms: i64) -> Applied {
        match record {
            Record::Schema(value) => return self.put_schema(*value, timestamp_ms),
            Record::SchemaTombstone { subject, version } => self.remove_schema(&subject, version),
            Record::Config(subject, value) => {
                self.configs.insert(subject, Arc::from(value));
            }
            Record::ConfigTombstone(subject) => {
                self.configs.remove(&subject);
            }
            Record::Mode(subject, mode) => {
                self.modes.insert(subject, mode);
            }
            Record::ModeTombstone(subject) => {
                self.modes.remove(&subject);
            }
            Record::Noop => {}
            Record::DeleteSubject { subject, version } => self.delete_versions(&subject, version),
            Record::ClearSubject(subject) => self.clear(&Scope::of(subject.as_deref())),
            Record::Context(context) => {
                self.contexts.insert(context);
            }
            Record::ContextTombstone(context) => {
                self.contexts.remove(&context);
            }
        }
        Applied::Taken
    }

    fn put_schema(&mut self, value: SchemaValue, timestamp_ms: i64) -> Applied {
        if let Some(conflict) = self.conflict(&value) {
            return conflict;
        }
        let (version, id) = (value.version, value.id);
        let name = self.subject_name(&value.subject);
        let schema = Arc::new(StoredSchema::new(Arc::clone(&name), value, timestamp_ms));
        self.unindex(&name, version);
        let index = self.indexes.entry(schema.context().to_owned()).or_default();
        index.uses.entry(id).or_default().insert((Arc::clone(&name), version));
        index.ids.insert(schema.fingerprint, id);
        index.max_id = index.max_id.max(id);
        for reference in &schema.references {
            self.referrers
                .entry(target(&name, reference))
                .or_default()
                .insert((Arc::clone(&name), version));
        }
        self.subjects.entry(name).or_default().insert(version, schema);
        Applied::Taken
    }

    fn conflict(&self, value: &SchemaValue) -> Option<Applied> {
        let context = subject::context_of(&value.subject);
        let uses = self.indexes.get(context)?.uses.get(&value.id)?;
        let is_other_text = |(subject, version): &&(Arc<str>, i32)| {
            let is_itself = **subject == *value.subject && *version == value.version;
            !is_itself
                && self
                    .version(subject, *version)
                    .is_some_and(|schema| *schema.text != *value.schema)
        };
        uses.iter().find(is_other_text)?;
        let restore = match self.version(&value.subject, value.version) {
            Some(old) => Record::Schema(Box::new(old.to_value())),
            None => Record::SchemaTombstone {
                subject: value.subject.clone(),
                version: value.version,
            },
        };
        Some(Applied::Conflict {
            id: value.id,
            restore: Box::new(restore),
        })
    }

    /// The name as the map holds it already, so that it is kept once.
    fn subject_name(&self, subject: &str) -> Arc<str> {
        match self.subjects.get_key_value(subject) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(subject),
        }
    }

    /// Takes a version out of the indexes, not out of its subject.
    fn unindex(&mut self, subject: &Arc<str>, version: i32) {
        let Some(schema) = self.version(subject, version).cloned() else {
            return;
        };
        let entry = (Arc::clone(subject), version);
        if let Some(index) = self.indexes.get_mut(schema.context())
            && let Some(uses) = index.uses.get_mut(&schema.id)
        {
            uses.remove(&entry);
            if uses.is_empty() {
                index.uses.remove(&schema.id);
                if index.ids.get(&schema.fingerprint) == Some(&schema.id) {
                    index.ids.remove(&schema.fingerprint);
                }
            }
        }
        for reference in &schema.references {
            let key = target(subject, reference);
            if let Some(referrers) = self.referrers.get_mut(&key) {
                referrers.remove(&entry);
                if referrers.is_empty() {
                    self.referrers.remove(&key);
                }
            }
        }
    }

    fn remove_schema(&mut self, subject: &str, version: i32) {
        let name = self.subject_name(subject);
        self.unindex(&name, version);
        if let Some(versions) = self.subjects.get_mut(subject) {
            versions.remove(&version);
            if versions.is_empty() {
                self.subjects.remove(subject);
            }
        }
    }

    fn delete_versions(&mut self, subject: &str, up_to: i32) {
        let Some(versions) = self.subjects.get_mut(subject) else {
            return;
        };
        for schema in versions.range_mut(..=up_to).map(|(_, schema)| schema) {
            if !schema.is_deleted {
                Arc::make_mut(schema).is_deleted = true;
            }
        }
    }

    fn clear(&mut self, scope: &Scope) {
        for (subject, version) in self.deleted_in(scope) {
            self.remove_schema(&subject, version);
        }
    }

    /// Soft-deleted versions in a scope.
    pub(crate) fn deleted_in(&self, scope: &Scope) -> Vec<(Arc<str>, i32)> {
        let in_scope = self.subjects.iter().filter(|(subject, _)| scope.holds(subject));
        let schemas = in_scope.flat_map(|(_, versions)| versions.values());
        let deleted = schemas.filter(|schema| schema.is_deleted);
        deleted
            .map(|schema| (Arc::clone(&schema.subject), schema.version))
            .collect()
    }

    /// One version, deleted or not.
    pub(crate) fn version(&self, subject: &str, version: i32) -> Option<&Arc<StoredSchema>> {
        self.subjects.get(subject)?.get(&version)
    }

    /// All versions of a subject, oldest first, deleted ones too.
    pub(crate) fn versions(&self, subject: &str) -> impl DoubleEndedIterator<Item = &Arc<StoredSchema>> {
        self.subjects.get(subject).into_iter().flat_map(BTreeMap::values)
    }

    /// Versions that are not deleted, oldest first.
    pub(crate) fn live_versions(&self, subject: &str) -> impl DoubleEndedIterator<Item = &Arc<StoredSchema>> {
        self.versions(subject).filter(|schema| !schema.is_deleted)
    }

    /// The newest version that is not deleted.
    pub(crate) fn latest(&self, subject: &str) -> Option<&Arc<StoredSchema>> {
        self.live_versions(subject).next_back()
    }

    /// Is true when the subject has a version, a live one unless `includes_deleted`.
    pub(crate) fn has_subject(&self, subject: &str, includes_deleted: Deleted) -> bool {
        match includes_deleted {
            Deleted::Included => self.subjects.contains_key(subject),
            Deleted::Hidden => self.latest(subject).is_some(),
        }
    }

    /// Is true when a scope has a version.
    pub(crate) fn has_any(&self, scope: &Scope, includes_deleted: Deleted) -> bool {
        let mut in_scope = self.subjects.keys().filter(|subject| scope.holds(subject));
        in_scope.any(|subject| self.has_subject(subject, includes_deleted))
    }

    /// Subjects below a prefix with their versions, in order of the names.
    pub(crate) fn subjects(
        &self,
        prefix: Prefix<'_>,
    ) -> impl Iterator<Item = (&Arc<str>, impl DoubleEndedIterator<Item = &Arc<StoredSchema>>)> {
        self.subjects
            .iter()
            .filter(move |(subject, _)| prefix.holds(subject))
            .map(|(subject, versions)| (subject, versions.values()))
    }

    /// The schema of an id, by the first subject that uses it.
    pub(crate) fn by_id(&self, context: &str, id: i32) -> Option<&Arc<StoredSchema>> {
        let (subject, version) = self.uses(context, id).next()?;
        self.version(subject, *version)
    }

    /// Subjects and versions that use an id, by subject and version; deleted ones too.
    pub(crate) fn uses(&self, context: &str, id: i32) -> impl DoubleEndedIterator<Item = &(Arc<str>, i32)> {
        let uses = self.indexes.get(context).and_then(|index| index.uses.get(&id));
        uses.into_iter().flatten()
    }

    /// The newest version under which a subject uses an id.
    pub(crate) fn use_of(&self, subject: &str, id: i32) -> Option<&Arc<StoredSchema>> {
        let mut uses = self.uses(subject::context_of(subject), id).rev();
        let (_, version) = uses.find(|(name, _)| **name == *subject)?;
        self.version(subject, *version)
    }

    /// The id of a fingerprint in a context.
    pub(crate) fn id_of(&self, context: &str, fingerprint: Md5) -> Option<i32> {
        self.indexes.get(context)?.ids.get(&fingerprint).copied()
    }

    /// Highest id ever given in a context.
    pub(crate) fn max_id(&self, context: &str) -> i32 {
        self.indexes.get(context).map_or(0, |index| index.max_id)
    }

    /// Who references a version.
    pub(crate) fn referrers(&self, subject: &str, version: i32) -> impl Iterator<Item = &Arc<StoredSchema>> {
        let referrers = self.referrers.get(&(subject.to_owned(), version));
        referrers
            .into_iter()
            .flatten()
            .filter_map(|(subject, version)| self.version(subject, *version))
    }

    /// Contexts but the default one.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        self.contexts.iter().map(String::as_str)
    }

    /// Settings made at exactly this place.
    pub(crate) fn config(&self, subject: Option<&str>) -> Option<&Arc<ConfigValue>> {
        self.configs.get(&subject.map(str::to_owned))
    }

    /// Settings that a subject falls back on, nearest first.
    pub(crate) fn configs_in_scope(&self, subject: Option<&str>) -> Vec<&Arc<ConfigValue>> {
        let places = places(subject);
        places.iter().filter_map(|place| self.configs.get(place)).collect()
    }

    /// All settings of subjects below a prefix.
    pub(crate) fn configs_below(&self, prefix: Prefix<'_>) -> impl Iterator<Item = (&str, &Arc<ConfigValue>)> {
        let of_subjects = self
            .configs
            .iter()
            .filter_map(|(place, value)| Some((place.as_deref()?, value)));
        of_subjects.filter(move |(subject, _)| prefix.holds(subject))
    }

    /// Mode set at exactly this place.
    pub(crate) fn mode(&self, subject: Option<&str>) -> Option<Mode> {
        self.modes.get(&subject.map(str::to_owned)).copied()
    }

    /// Mode that a subject is under.
    pub(crate) fn mode_in_scope(&self, subject: Option<&str>) -> Mode {
        let places = places(subject);
        let set = places.iter().find_map(|place| self.modes.get(place));
        set.copied().unwrap_or(Mode::ReadWrite)
    }

    /// Subjects in a scope that have a mode of their own.
    pub(crate) fn modes_in(&self, scope: &Scope) -> Vec<String> {
        let places = self.modes.keys().flatten();
        places.filter(|subject| scope.holds(subject)).cloned().collect()
    }
}

/// Whether soft-deleted versions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    Hidden,
    Included,
}

impl Deleted {
    pub(crate) fn shows(self, schema: &StoredSchema) -> bool {
        self == Self::Included || !schema.is_deleted
    }
}

/// Subject and version that a reference means, seen from who makes it.
pub(crate) fn target(referrer: &str, reference: &Reference) -> (String, i32) {
    (
        subject::qualify_with_parent(referrer, &reference.subject),
        reference.version,
    )
}

/// Where settings are looked for: the subject, its context, every context.
fn places(subject: Option<&str>) -> Vec<Option<String>> {
    let mut places = Vec::with_capacity(3);
    if let Some(subject) = subject {
        places.push(Some(subject.to_owned()));
    }
    let context = subject.map(subject::context_prefix).unwrap_or_default();
    places.push(Some(context).filter(|context| !context.is_empty()));
    places.push(Some(GLOBAL_CONTEXT.to_owned()));
    places.dedup();
    places
}

#[cfg(test)]
mod tests;
