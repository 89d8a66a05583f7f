//! Finding a schema that a request describes
//!
//! By fingerprint of the canonical text first, which needs no parsing of what is stored; then by the looser equality that lets a schema
//! be sent with its references written in full, or without its version property.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::model::{Metadata, Reference, RuleSet};
use crate::refusal::Refusal;
use crate::registry::schemas::{
    Canonical, Form, Reading, Referrer, Resolved, Schemas, Strictness, normalized_references, resolve,
};
use crate::registry::scope::Effective;
use crate::registry_config::DecisionSettings;
use crate::store::cache::{AVRO, Cache, Deleted, StoredSchema};
use crate::store::fingerprint::fingerprint;
use crate::subject::{Qualified, qualify};

/// A schema as a request describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// 0 = none, -1 = the next one, and say so in the metadata.
    pub(crate) version: i32,
    pub(crate) id: Option<i32>,
    pub(crate) schema_type: Option<String>,
    pub(crate) references: Vec<Reference>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
    pub(crate) text: String,
}

impl Candidate {
    pub(crate) fn schema_type(&self) -> &str {
        self.schema_type
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(AVRO)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Takes metadata and rules from the version before, and from the settings.
    ///
    /// `new_version` is set as a property where the request or the metadata asks for it.
    pub(crate) fn inherit(&mut self, config: &Effective, previous: Option<&StoredSchema>, new_version: Option<i32>) {
        let given = self.metadata.take();
        let specific = given.or_else(|| previous.and_then(|previous| previous.metadata.clone()));
        let config = &config.config;
        let under = Metadata::merged(config.default_metadata.as_ref(), specific.as_ref());
        let mut merged = Metadata::merged(under.as_ref(), config.override_metadata.as_ref());
        if let Some(version) = new_version
            && (self.version != 0 || merged.as_ref().is_some_and(|metadata| metadata.version().is_some()))
        {
            merged = Some(Metadata::with_version(merged, version));
        }
        self.metadata = merged;
        let given = self.rule_set.take();
        let specific = given.or_else(|| previous.and_then(|previous| previous.rule_set.clone()));
        let under = RuleSet::merged(config.default_rule_set.as_ref(), specific.as_ref());
        self.rule_set = RuleSet::merged(under.as_ref(), config.override_rule_set.as_ref());
    }
}

/// What lookups need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finder<'a> {
    pub(crate) cache: &'a RwLock<Cache>,
    pub(crate) schemas: &'a Schemas,
    pub(crate) settings: &'a DecisionSettings,
}

/// A candidate that was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) canonical: Arc<Canonical>,
    pub(crate) references: Vec<Reference>,
}

impl Finder<'_> {
    pub(crate) fn effective(&self, subject: &str) -> Effective {
        Effective::of(&self.cache.read(), self.settings, Some(subject))
    }

    /// Reads a candidate.
    ///
    /// *Errors*: `InvalidSchema`.
    pub(crate) fn read(
        &self,
        subject: &str,
        candidate: &Candidate,
        reading: Reading,
        deleted: Deleted,
    ) -> Result<Read, Refusal> {
        let referrer = Referrer {
            subject,
            schema_type: candidate.schema_type(),
        };
        let resolved: Resolved = resolve(&self.cache.read(), referrer, &candidate.references, deleted)?;
        let canonical = self
            .schemas
            .read(candidate.schema_type(), &candidate.text, &resolved, reading)?;
        let references = match reading.form {
            Form::AsSent => resolved.references,
            Form::Normalized => normalized_references(&resolved.references),
        };
        Ok(Read { canonical, references })
    }

    /// Finds a candidate under one subject, as it is or with what it would inherit.
    ///
    /// *Errors*: `InvalidSchema`.
    pub(crate) fn look_up(
        &self,
        subject: &str,
        candidate: &Candidate,
        form: Form,
        deleted: Deleted,
    ) -> Result<Option<Arc<StoredSchema>>, Refusal> {
        if candidate.is_empty() {
            return Ok(None);
        }
        let config = self.effective(subject);
        let form = if config.normalizes { Form::Normalized } else { form };
        let reading = Reading {
            form,
            strictness: Strictness::Stored,
        };
        let read = self.read(subject, candidate, reading, Deleted::Included)?;
        if let Some(found) = self.find(subject, candidate, &read, deleted)? {
            return Ok(Some(found));
        }
        let Some(latest) = self.cache.read().latest(subject).cloned() else {
            return Ok(None);
        };
        let mut inheriting = candidate.clone();
        inheriting.inherit(&config, Some(&latest), None);
        if inheriting == *candidate {
            return Ok(None);
        }
        self.find(subject, &inheriting, &read, deleted)
    }

    /// [`Finder::look_up`], and for a bare subject that the default context lacks, in every other context.
    ///
    /// *Errors*: `InvalidSchema`.
    pub(crate) fn look_up_in_contexts(
        &self,
        subject: &str,
        candidate: &Candidate,
        form: Form,
        deleted: Deleted,
    ) -> Result<Option<Arc<StoredSchema>>, Refusal> {
        let found = self.look_up(subject, candidate, form, deleted)?;
        if found.is_some() {
            return Ok(found);
        }
        for other in in_other_contexts(&self.cache.read(), subject) {
            let is_there = self.cache.read().has_subject(&other, Deleted::Included);
            if is_there && let Ok(Some(found)) = self.look_up(&other, candidate, form, deleted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn find(
        &self,
        subject: &str,
        candidate: &Candidate,
        read: &Read,
        deleted: Deleted,
    ) -> Result<Option<Arc<StoredSchema>>, Refusal> {
        let fingerprint = fingerprint(
            &read.canonical.text,
            &read.references,
            candidate.metadata.as_ref(),
            candidate.rule_set.as_ref(),
        );
        let versions: Vec<Arc<StoredSchema>> = {
            let cache = self.cache.read();
            let id = cache.id_of(Qualified::parse(subject).context, fingerprint);
            let by_id = id
                .and_then(|id| cache.use_of(subject, id))
                .filter(|schema| deleted.shows(schema));
            if let Some(found) = by_id {
                return Ok(Some(Arc::clone(found)));
            }
            let shown = cache.versions(subject).rev().filter(|schema| deleted.shows(schema));
            shown.cloned().collect()
        };
        for version in versions {
            if self.is_loosely_equal(candidate, read, &version)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// The equality of lookups: resolved forms, or the same but for the version property.
    pub(crate) fn is_loosely_equal(
        &self,
        candidate: &Candidate,
        read: &Read,
        stored: &StoredSchema,
    ) -> Result<bool, Refusal> {
        if stored.schema_type() != candidate.schema_type() || stored.rule_set != candidate.rule_set {
            return Ok(false);
        }
        let has_version = |metadata: Option<&Metadata>| metadata.is_some_and(|metadata| metadata.version().is_some());
        let drops_version = !has_version(candidate.metadata.as_ref()) && has_version(stored.metadata.as_ref());
        let stored_metadata = match &stored.metadata {
            Some(metadata) if drops_version => metadata.without_version(),
            metadata => metadata.clone(),
        };
        if stored_metadata != candidate.metadata {
            return Ok(false);
        }
        if drops_version && *stored.text == *read.canonical.text && stored.references == read.references {
            return Ok(true);
        }
        if !read.references.is_empty() || stored.references.is_empty() {
            return Ok(false);
        }
        let stored = self.schemas.read_stored(self.cache, stored)?;
        Ok(stored.parsed.resolved_text() == read.canonical.parsed.resolved_text())
    }
}

/// A bare subject in each known context; nothing for one that names its context.
pub(crate) fn in_other_contexts(cache: &Cache, subject: &str) -> Vec<String> {
    let parts = Qualified::parse(subject);
    if !parts.is_default() {
        return Vec::new();
    }
    cache.contexts().map(|context| qualify(context, parts.name)).collect()
}
