//! Deleting versions, subjects and contexts
//!
//! Soft first, then for good; never what something else still references. Source: `KafkaSchemaRegistry.deleteSchemaVersion`,
//! `deleteSubject`.

use crate::refusal::Refusal;
use crate::registry::change::{Outcome, Plan, Removal};
use crate::store::cache::{Cache, Deleted, StoredSchema};
use crate::store::records::Record;
use crate::subject::{Scope, context_prefix};

/// The version that stands for `latest` in numbers.
pub(crate) const LATEST: i32 = -1;

/// Deletes one version; `latest` is the newest live one.
///
/// *Errors*: 40401, 40402, 40406, 40407, 42205, 42206.
pub(crate) fn delete_version(cache: &Cache, subject: &str, version: i32, removal: Removal) -> Result<Plan, Refusal> {
    let found = match version {
        LATEST => cache.latest(subject),
        number => cache.version(subject, number),
    };
    let Some(schema) = found else {
        return Err(if cache.has_subject(subject, Deleted::Included) {
            Refusal::VersionNotFound(version)
        } else {
            Refusal::SubjectNotFound(subject.to_owned())
        });
    };
    let version = schema.version;
    if removal == Removal::Soft && schema.is_deleted {
        return Err(Refusal::VersionSoftDeleted {
            subject: subject.to_owned(),
            version,
        });
    }
    refuse_read_only(cache, Some(subject))?;
    refuse_referenced(cache, schema, removal, |_| true)?;
    let mut records = Vec::new();
    match removal {
        Removal::Soft => {
            let mut value = schema.to_value();
            value.deleted = true;
            records.push(Record::Schema(Box::new(value)));
        }
        Removal::Permanent => {
            if !schema.is_deleted {
                return Err(Refusal::VersionNotSoftDeleted {
                    subject: subject.to_owned(),
                    version,
                });
            }
            records.push(Record::SchemaTombstone {
                subject: subject.to_owned(),
                version,
            });
            if cache.versions(subject).count() == 1 {
                records.extend(settings_tombstones(cache, subject));
            }
        }
    }
    Ok(Plan {
        records,
        outcome: Outcome::Version(version),
    })
}

/// Deletes all versions of a subject.
///
/// *Errors*: 40401, 40404, 40405, 42205, 42206.
pub(crate) fn delete_subject(cache: &Cache, subject: &str, removal: Removal) -> Result<Plan, Refusal> {
    if !cache.has_subject(subject, Deleted::Included) {
        return Err(Refusal::SubjectNotFound(subject.to_owned()));
    }
    if removal == Removal::Soft && !cache.has_subject(subject, Deleted::Hidden) {
        return Err(Refusal::SubjectSoftDeleted(subject.to_owned()));
    }
    refuse_read_only(cache, Some(subject))?;
    if removal == Removal::Permanent && cache.has_subject(subject, Deleted::Hidden) {
        return Err(Refusal::SubjectNotSoftDeleted(subject.to_owned()));
    }
    let shown = match removal {
        Removal::Soft => Deleted::Hidden,
        Removal::Permanent => Deleted::Included,
    };
    let schemas: Vec<_> = cache.versions(subject).filter(|schema| shown.shows(schema)).collect();
    for schema in &schemas {
        refuse_referenced(cache, schema, removal, |referrer| *referrer.subject != *subject)?;
    }
    let versions: Vec<i32> = schemas.iter().map(|schema| schema.version).collect();
    let records = match removal {
        Removal::Soft => vec![Record::DeleteSubject {
            subject: subject.to_owned(),
            version: versions.last().copied().unwrap_or(0),
        }],
        Removal::Permanent => {
            let newest_first = versions.iter().rev().map(|version| Record::SchemaTombstone {
                subject: subject.to_owned(),
                version: *version,
            });
            newest_first.chain(settings_tombstones(cache, subject)).collect()
        }
    };
    Ok(Plan {
        records,
        outcome: Outcome::Versions(versions),
    })
}

/// Forgets a context that has no subject left.
///
/// *Errors*: 42205, 42211.
pub(crate) fn delete_context(cache: &Cache, context: &str) -> Result<Plan, Refusal> {
    let scope = Scope::Context(context.to_owned());
    let prefix = crate::subject::qualify(context, "");
    refuse_read_only(
        cache,
        Some(&prefix).filter(|prefix| !prefix.is_empty()).map(String::as_str),
    )?;
    if cache.has_any(&scope, Deleted::Included) {
        return Err(Refusal::ContextNotEmpty(context.to_owned()));
    }
    let is_known = cache.contexts().any(|known| known == context);
    let tombstone = is_known.then(|| Record::ContextTombstone(context.to_owned()));
    Ok(Plan {
        records: tombstone.into_iter().collect(),
        outcome: Outcome::Done,
    })
}

/// Changes of anything but the mode are refused where the mode is read-only.
pub(crate) fn refuse_read_only(cache: &Cache, subject: Option<&str>) -> Result<(), Refusal> {
    if !cache.mode_in_scope(subject).is_read_only() {
        return Ok(());
    }
    // Java prints a missing name like this, and clients may look for it.
    let name = subject.unwrap_or("null");
    let context = subject.map(context_prefix).unwrap_or_default();
    Err(Refusal::NotPermitted(format!(
        "Subject {name} in context {context} is in read-only mode"
    )))
}

fn refuse_referenced(
    cache: &Cache,
    schema: &StoredSchema,
    removal: Removal,
    counts: impl Fn(&StoredSchema) -> bool,
) -> Result<(), Refusal> {
    let mut referrers = cache.referrers(&schema.subject, schema.version);
    let blocks = |referrer: &&std::sync::Arc<StoredSchema>| {
        counts(referrer) && (removal == Removal::Permanent || !referrer.is_deleted)
    };
    match referrers.find(blocks) {
        None => Ok(()),
        Some(_) => Err(Refusal::ReferenceExists {
            subject: schema.subject.to_string(),
            version: schema.version,
        }),
    }
}

fn settings_tombstones(cache: &Cache, subject: &str) -> Vec<Record> {
    let mut records = Vec::new();
    if cache.mode(Some(subject)).is_some() {
        records.push(Record::ModeTombstone(Some(subject.to_owned())));
    }
    if cache.config(Some(subject)).is_some() {
        records.push(Record::ConfigTombstone(Some(subject.to_owned())));
    }
    records
}
