//! `/subjects`: list, look up, register, read and delete versions

use std::sync::Arc;

use crate::model::check_rules;
use crate::refusal::Refusal;
use crate::registry::change::{Change, Outcome, Removal};
use crate::registry::delete::LATEST;
use crate::registry::lookup::{Candidate, in_other_contexts};
use crate::registry::register::{CompatibilityCheck, Options};
use crate::registry::schemas::{Form, qualified_references};
use crate::rest::call::{self, Answer, Api, Call, Reply, json};
use crate::rest::model::{RegisteredJson, SchemaJson, SchemaRequest};
use crate::rest::tags;
use crate::store::cache::{AVRO, Cache, Deleted, StoredSchema};
use crate::subject::{Prefix, WILDCARD};

impl SchemaRequest {
    /// The schema that the request describes.
    ///
    /// *Errors*: 42210 for rules that are none.
    pub(crate) fn into_candidate(self) -> Result<Candidate, Refusal> {
        if let Some(rules) = &self.rule_set {
            check_rules(rules).map_err(Refusal::InvalidRules)?;
        }
        Ok(Candidate {
            version: self.version.unwrap_or(0),
            id: self.id.filter(|id| *id >= 0),
            schema_type: self.schema_type,
            references: self.references,
            metadata: self.metadata,
            rule_set: self.rule_set,
            text: self.schema.unwrap_or_default(),
        })
    }
}

/// `GET /subjects`
pub(super) fn list(api: &Api, call: &Call) -> Answer {
    let prefix = call.subject_prefix(WILDCARD);
    let query = call.query();
    let only_deleted = query.is_true("deletedOnly");
    let deleted = call.deleted();
    let subjects: Vec<Arc<str>> = api.registry.read(|cache| {
        let mut shown = Vec::new();
        for (subject, mut versions) in cache.subjects(Prefix::parse(&prefix)) {
            let is_live = versions.any(|schema| !schema.is_deleted);
            if if only_deleted {
                !is_live
            } else {
                is_live || deleted == Deleted::Included
            } {
                shown.push(Arc::clone(subject));
            }
        }
        shown
    });
    let subjects = subjects.iter().map(|subject| &**subject);
    json(&query.page(subjects, api.registry.settings().limits.subjects))
}

/// `POST /subjects/{s}`
pub(super) async fn look_up(api: &Api, call: &Call, segment: &str) -> Answer {
    let subject = call.subject(api, segment);
    let request: SchemaRequest = call.body()?;
    let candidate = request.into_candidate()?;
    let form = Form::of(call.query().is_true("normalize"));
    let deleted = call.deleted();
    let asked = subject.clone();
    let size = candidate.text.len();
    let found = api
        .registry
        .compute(size, move |finder| {
            finder.look_up_in_contexts(&asked, &candidate, form, deleted)
        })
        .await?;
    match found {
        Some(schema) => json(&shown(api, call, &schema)),
        None => Err(match is_known(api, &subject, deleted) {
            true => Refusal::SchemaNotFound,
            false => Refusal::SubjectNotFound(subject),
        }),
    }
}

/// Is there such a subject, in its context or, for a bare one, in any?
fn is_known(api: &Api, subject: &str, deleted: Deleted) -> bool {
    api.registry.read(|cache| {
        let mut others = in_other_contexts(cache, subject).into_iter();
        cache.has_subject(subject, deleted) || others.any(|other| cache.has_subject(&other, deleted))
    })
}

/// `GET /subjects/{s}/metadata`: the newest version with all these properties.
pub(super) fn by_metadata(api: &Api, call: &Call, segment: &str) -> Answer {
    let subject = call.subject(api, segment);
    let deleted = call.deleted();
    let wanted: Vec<(&str, &str)> = call.query().all("key").zip(call.query().all("value")).collect();
    let has_all = |schema: &StoredSchema| {
        let properties = schema.metadata.as_ref().map(|metadata| &metadata.properties);
        wanted.iter().all(|(key, value)| {
            properties
                .and_then(|properties| properties.get(*key))
                .is_some_and(|found| found == value)
        })
    };
    let found = api.registry.read(|cache| {
        let mut newest_first = cache.versions(&subject).rev();
        newest_first
            .find(|schema| deleted.shows(schema) && has_all(schema))
            .cloned()
    });
    match found {
        Some(schema) => json(&shown(api, call, &schema)),
        None if is_known(api, &subject, deleted) => Err(Refusal::SchemaNotFound),
        None => Err(Refusal::SubjectNotFound(subject)),
    }
}

/// `DELETE /subjects/{s}`
pub(super) async fn delete(api: &Api, call: &Call, segment: &str) -> Answer {
    let change = Change::DeleteSubject {
        subject: call.subject(api, segment),
        removal: Removal::of(call.query().is_true("permanent")),
    };
    match api.registry.change(change).await? {
        Outcome::Versions(versions) => json(&versions),
        other => Err(unexpected(&other)),
    }
}

/// `GET /subjects/{s}/versions`
pub(super) fn versions(api: &Api, call: &Call, segment: &str) -> Answer {
    let subject = call.subject(api, segment);
    let query = call.query();
    let (only_deleted, as_negative) = (query.is_true("deletedOnly"), query.is_true("deletedAsNegative"));
    let deleted = call.deleted();
    let (is_there, versions) = api.registry.read(|cache| {
        let mut versions = Vec::new();
        for schema in cache.versions(&subject) {
            let is_shown = if only_deleted {
                schema.is_deleted
            } else {
                as_negative || deleted.shows(schema)
            };
            if is_shown {
                let is_negative = as_negative && !only_deleted && schema.is_deleted;
                versions.push(if is_negative { -schema.version } else { schema.version });
            }
        }
        (cache.has_subject(&subject, Deleted::Included), versions)
    });
    if versions.is_empty() && !(only_deleted && is_there) {
        return Err(Refusal::SubjectNotFound(subject));
    }
    json(&query.page(versions, api.registry.settings().limits.versions))
}

/// `POST /subjects/{s}/versions`
pub(super) async fn register(api: &Api, call: &Call, segment: &str) -> Answer {
    let subject = call.subject(api, segment);
    let request: SchemaRequest = call.body()?;
    let options = options(call);
    let schema = if tags::are_changed(&request) {
        tags::register(api, &subject, request, options).await?
    } else {
        api.registry
            .register(&subject, request.into_candidate()?, options)
            .await?
    };
    let mut registered = RegisteredJson::from(&*schema);
    registered.schema = formatted(api, call, &schema);
    json(&registered)
}

fn options(call: &Call) -> Options {
    let query = call.query();
    Options {
        form: Form::of(query.is_true("normalize")),
        compatibility: if query.is_true("force") {
            CompatibilityCheck::Skipped
        } else {
            CompatibilityCheck::Made
        },
    }
}

/// `GET /subjects/{s}/versions/{v}`
pub(super) fn version(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let schema = find(api, call, segment, version, call.deleted())?;
    let mut answer = shown(api, call, &schema);
    if call
        .query()
        .get("referenceFormat")
        .is_some_and(|format| format.eq_ignore_ascii_case("qualified"))
    {
        answer.references = qualified_references(&schema.subject, &schema.references);
    }
    answer.schema_tags = tags::found(api, call, &schema);
    json(&answer)
}

/// `GET /subjects/{s}/versions/{v}/schema`
pub(super) fn version_text(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let schema = find(api, call, segment, version, call.deleted())?;
    Ok(Reply::Raw(formatted(api, call, &schema)))
}

/// `GET /subjects/{s}/versions/{v}/referencedby`
pub(super) fn referenced_by(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let schema = find(api, call, segment, version, Deleted::Included)?;
    let deleted = call.deleted();
    let mut ids: Vec<i32> = api.registry.read(|cache| {
        let referrers = cache.referrers(&schema.subject, schema.version);
        referrers
            .filter(|referrer| deleted.shows(referrer))
            .map(|referrer| referrer.id)
            .collect()
    });
    ids.sort_unstable();
    ids.dedup();
    json(&call.query().page(ids, api.registry.settings().limits.versions))
}

/// `DELETE /subjects/{s}/versions/{v}`
pub(super) async fn delete_version(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let change = Change::DeleteVersion {
        version: call::version(version)?,
        subject: call.subject(api, segment),
        removal: Removal::of(call.query().is_true("permanent")),
    };
    match api.registry.change(change).await? {
        Outcome::Version(version) => json(&version),
        other => Err(unexpected(&other)),
    }
}

/// Finds a version; a bare subject that the default context lacks is looked for in the others.
///
/// *Errors*: 40401, 40402, 42202.
pub(super) fn find(
    api: &Api,
    call: &Call,
    segment: &str,
    version: &str,
    deleted: Deleted,
) -> Result<Arc<StoredSchema>, Refusal> {
    let version = call::version(version)?;
    let subject = call.subject(api, segment);
    let found = api.registry.read(|cache| {
        let own = in_subject(cache, &subject, version, deleted);
        own.or_else(|| {
            let mut others = in_other_contexts(cache, &subject).into_iter();
            others.find_map(|other| in_subject(cache, &other, version, deleted))
        })
    });
    found.ok_or_else(|| match is_known(api, &subject, deleted) {
        true => Refusal::VersionNotFound(version),
        false => Refusal::SubjectNotFound(subject),
    })
}

fn in_subject(cache: &Cache, subject: &str, version: i32, deleted: Deleted) -> Option<Arc<StoredSchema>> {
    let found = match version {
        LATEST => cache.latest(subject),
        number => cache.version(subject, number).filter(|schema| deleted.shows(schema)),
    };
    found.cloned()
}

/// The answer for one version, in the format asked for.
pub(super) fn shown(api: &Api, call: &Call, schema: &StoredSchema) -> SchemaJson {
    let mut answer = SchemaJson::from(schema);
    answer.schema = formatted(api, call, schema);
    answer
}

/// The text in the format asked for; an unknown format is the canonical one, as is one that cannot be made.
pub(super) fn formatted(api: &Api, call: &Call, schema: &StoredSchema) -> Arc<str> {
    let format = call.query().get("format").map(str::to_ascii_lowercase);
    let is_special = match (schema.schema_type(), format.as_deref()) {
        (AVRO, Some("resolved")) => !schema.references.is_empty(),
        ("PROTOBUF", Some("serialized" | "ignore_extensions")) => true,
        _ => false,
    };
    if !is_special {
        return Arc::clone(&schema.text);
    }
    let finder = api.registry.finder();
    let read = finder.schemas.read_stored(finder.cache, schema).ok();
    let text = read.and_then(|read| read.parsed.formatted_text(&format.unwrap_or_default()).ok());
    text.map_or_else(|| Arc::clone(&schema.text), Arc::from)
}

/// An outcome of another kind of change: cannot happen, and is no reason to panic.
pub(super) fn unexpected(outcome: &Outcome) -> Refusal {
    Refusal::Store(format!("unexpected outcome: {outcome:?}"))
}
