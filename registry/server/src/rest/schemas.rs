//! `/schemas`: all of them, by id, by guid, and the types

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::md5::Md5;
use crate::refusal::Refusal;
use crate::registry::schemas::{TYPES, qualified_references};
use crate::rest::call::{Answer, Api, Call, Reply, json, names_subject};
use crate::rest::model::{ContextIdJson, SchemaJson, SchemaStringJson, SubjectVersionJson};
use crate::rest::subjects::formatted;
use crate::rest::tags;
use crate::store::cache::{Cache, StoredSchema};
use crate::subject::{self, DEFAULT_CONTEXT, Prefix, Qualified};

/// `GET /schemas`
pub(super) fn list(api: &Api, call: &Call) -> Answer {
    let prefix = call.subject_prefix("");
    let query = call.query();
    let deleted = call.deleted();
    let latest_only = query.is_true("latestOnly");
    let with_aliases = query.is_true("aliases");
    let rule_type = query.get("ruleType").filter(|name| !name.is_empty());
    let has_rule = |schema: &&Arc<StoredSchema>| {
        let rules = schema.rule_set.iter().flat_map(|rules| rules.rules());
        rule_type.is_none_or(|wanted| rules.into_iter().any(|rule| rule.rule_type.as_deref() == Some(wanted)))
    };
    let (found, aliases) = api.registry.read(|cache| {
        let aliases = if with_aliases {
            aliases(cache, &prefix)
        } else {
            BTreeMap::new()
        };
        let mut found: Vec<Arc<StoredSchema>> = Vec::new();
        let mut take = |versions: &mut dyn DoubleEndedIterator<Item = &Arc<StoredSchema>>| {
            let mut shown = versions.filter(|schema| deleted.shows(schema));
            if latest_only {
                found.extend(shown.next_back().filter(has_rule).cloned());
            } else {
                found.extend(shown.filter(has_rule).cloned());
            }
        };
        for (_, mut versions) in cache.subjects(Prefix::parse(&prefix)) {
            take(&mut versions);
        }
        let beyond = aliases.keys().filter(|subject| !Prefix::parse(&prefix).holds(subject));
        for subject in beyond {
            take(&mut cache.versions(subject));
        }
        found.sort_by(|left, right| (&left.subject, left.version).cmp(&(&right.subject, right.version)));
        (found, aliases)
    });
    let page = query.page(found, api.registry.settings().limits.schemas);
    let answers: Vec<SchemaJson> = page
        .iter()
        .map(|schema| {
            let mut answer = SchemaJson::from(&**schema);
            answer.aliases = aliases.get(&*schema.subject).cloned();
            answer
        })
        .collect();
    json(&answers)
}

/// Subjects that have aliases below a prefix, with those.
fn aliases(cache: &Cache, prefix: &str) -> BTreeMap<String, Vec<String>> {
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (alias, config) in cache.configs_below(Prefix::parse(prefix)) {
        if let Some(target) = config.alias.as_deref().filter(|target| !target.is_empty()) {
            let target = subject::qualify_with_parent(alias, target);
            aliases.entry(target).or_default().push(alias.to_owned());
        }
    }
    aliases
}

/// `GET /schemas/types`
pub(super) fn types() -> Answer {
    json(&TYPES.map(|known| known.as_str()))
}

/// `GET /schemas/ids/{id}`; deleted ones too.
pub(super) fn by_id(api: &Api, call: &Call, id: i32) -> Answer {
    let subject = call.subject_parameter(api);
    let schema = find(api, id, subject.as_deref())?;
    let mut answer = SchemaStringJson::from(&*schema);
    if names_subject(subject.as_deref()) {
        answer.subject = Some(schema.subject.to_string());
        answer.version = Some(schema.version);
    }
    answer.schema = formatted(api, call, &schema);
    if call
        .query()
        .get("referenceFormat")
        .is_some_and(|format| format.eq_ignore_ascii_case("qualified"))
    {
        answer.references = qualified_references(&schema.subject, &schema.references);
    }
    if call.query().is_true("fetchMaxId") {
        answer.max_id = Some(api.registry.read(|cache| cache.max_id(schema.context())));
    }
    answer.schema_tags = tags::found(api, call, &schema);
    json(&answer)
}

/// `GET /schemas/ids/{id}/schema`
pub(super) fn text_by_id(api: &Api, call: &Call, id: i32) -> Answer {
    let schema = find(api, id, call.subject_parameter(api).as_deref())?;
    Ok(Reply::Raw(formatted(api, call, &schema)))
}

/// `GET /schemas/ids/{id}/subjects`
pub(super) fn subjects_of(api: &Api, call: &Call, id: i32) -> Answer {
    let uses = uses(api, call, id)?;
    let subjects = uses.iter().map(|(subject, _)| &**subject);
    json(&call.query().page(subjects, api.registry.settings().limits.subjects))
}

/// `GET /schemas/ids/{id}/versions`
pub(super) fn versions_of(api: &Api, call: &Call, id: i32) -> Answer {
    let uses = uses(api, call, id)?;
    let versions = uses
        .into_iter()
        .map(|(subject, version)| SubjectVersionJson { subject, version });
    json(&call.query().page(versions, api.registry.settings().limits.versions))
}

/// The newest version of each subject that uses an id.
fn uses(api: &Api, call: &Call, id: i32) -> Result<Vec<(Arc<str>, i32)>, Refusal> {
    let schema = find(api, id, call.subject_parameter(api).as_deref())?;
    let deleted = call.deleted();
    let newest: BTreeMap<Arc<str>, i32> = api.registry.read(|cache| {
        // By version last, so that the newest stays.
        let uses = cache.uses(schema.context(), id);
        let shown = uses.filter(|(subject, version)| {
            cache
                .version(subject, *version)
                .is_some_and(|schema| deleted.shows(schema))
        });
        shown.cloned().collect()
    });
    Ok(newest.into_iter().collect())
}

/// Finds the schema of an id: in the default context, in that of the subject, or wherever the subject is.
///
/// *Errors*: 40403.
fn find(api: &Api, id: i32, subject: Option<&str>) -> Result<Arc<StoredSchema>, Refusal> {
    let found = api.registry.read(|cache| find_in(cache, id, subject).cloned());
    found.ok_or_else(|| Refusal::IdNotFound(id.to_string()))
}

fn find_in<'a>(cache: &'a Cache, id: i32, subject: Option<&str>) -> Option<&'a Arc<StoredSchema>> {
    let Some(subject) = subject else {
        return cache.by_id(DEFAULT_CONTEXT, id);
    };
    let parts = Qualified::parse(subject);
    if parts.name.is_empty() {
        return cache.by_id(parts.context, id);
    }
    let own = cache.use_of(subject, id);
    if own.is_some() || !parts.is_default() {
        return own;
    }
    let mut contexts = cache.contexts();
    let elsewhere = contexts.find_map(|context| cache.use_of(&subject::qualify(context, parts.name), id));
    elsewhere.or_else(|| cache.by_id(DEFAULT_CONTEXT, id))
}

/// `GET /schemas/guids/{guid}`
pub(super) fn by_guid(api: &Api, call: &Call, guid: &str) -> Answer {
    let found = api.registry.read(|cache| {
        let fingerprint = Md5::from_uuid(guid)?;
        let (context, id) = ids(cache, fingerprint).next()?;
        cache.by_id(context, id).cloned()
    });
    let schema = found.ok_or_else(|| Refusal::IdNotFound(guid.to_owned()))?;
    let mut answer = SchemaStringJson::from(&*schema);
    answer.schema = formatted(api, call, &schema);
    json(&answer)
}

/// `GET /schemas/guids/{guid}/ids`
pub(super) fn ids_of(api: &Api, guid: &str) -> Answer {
    let found: Vec<ContextIdJson> = api.registry.read(|cache| {
        let fingerprint = Md5::from_uuid(guid).into_iter();
        let ids = fingerprint.flat_map(|fingerprint| ids(cache, fingerprint).collect::<Vec<_>>());
        ids.map(|(context, id)| ContextIdJson {
            context: context.to_owned(),
            id,
        })
        .collect()
    });
    json(&found)
}

/// Contexts, the default one first, that have a schema of this fingerprint.
fn ids(cache: &Cache, fingerprint: Md5) -> impl Iterator<Item = (&str, i32)> {
    let contexts = std::iter::once(DEFAULT_CONTEXT).chain(cache.contexts());
    contexts.filter_map(move |context| Some((context, cache.id_of(context, fingerprint)?)))
}
