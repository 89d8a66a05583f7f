//! Inline tags of records and fields
//!
//! Tags sit in the schema itself, as `confluent:tags`, so changing them makes a new schema and a new version. Here they are found,
//! added and removed. Source: `AvroSchema.inlineTaggedEntities`, `TagSchemaRequest`.

use std::sync::Arc;

use serde_json::Value;
use weir_schema::avro::schema::{AvroSchema, Kind};
use weir_schema::schema::ParsedSchema;

use crate::model::{Metadata, RuleSet, check_rules};
use crate::refusal::Refusal;
use crate::registry::lookup::Candidate;
use crate::registry::register::{CompatibilityCheck, Options};
use crate::registry::schemas::{Form, Reading, Strictness};
use crate::rest::call::{Answer, Api, Call, json};
use crate::rest::model::{RegisteredJson, SchemaEntity, SchemaRequest, SchemaTags, TagRequest};
use crate::rest::subjects::find;
use crate::store::cache::{Deleted, StoredSchema};

const TAGS: &str = "confluent:tags";
const RECORD: &str = "sr_record";
const FIELD: &str = "sr_field";

type Props = Vec<(String, Value)>;

/// Does a registration ask for other tags than its text has?
pub(super) fn are_changed(request: &SchemaRequest) -> bool {
    !request.schema_tags_to_add.is_empty() || !request.schema_tags_to_remove.is_empty() || request.propagate_schema_tags
}

/// `findTags`: tagged entities of a schema, of these tags or with `*` of all; `None` when it was not asked.
pub(super) fn found(api: &Api, call: &Call, schema: &StoredSchema) -> Option<Vec<SchemaTags>> {
    let wanted: Vec<&str> = call.query().all("findTags").collect();
    if wanted.is_empty() {
        return None;
    }
    let finder = api.registry.finder();
    let read = finder.schemas.read_stored(finder.cache, schema).ok()?;
    let is_wanted =
        |tags: &SchemaTags| wanted.contains(&"*") || tags.tags.iter().any(|tag| wanted.contains(&tag.as_str()));
    Some(tagged(&read.parsed).into_iter().filter(is_wanted).collect())
}

/// Registers a text with tags added, removed, or taken over from the version before.
pub(super) async fn register(
    api: &Api,
    subject: &str,
    request: SchemaRequest,
    options: Options,
) -> Result<Arc<StoredSchema>, Refusal> {
    let mut add = request.schema_tags_to_add.clone();
    let remove = request.schema_tags_to_remove.clone();
    if request.propagate_schema_tags {
        add.extend(previous_tags(api, subject));
    }
    let changes_version = !request.schema_tags_to_add.is_empty() || !remove.is_empty();
    let is_lenient = request.propagate_schema_tags;
    let mut candidate = request.into_candidate()?;
    if candidate.version == 0 && changes_version {
        // A new version is meant, and its number goes into the metadata.
        candidate.version = -1;
    }
    if !candidate.is_empty() {
        candidate.text = retagged(api, subject, &candidate, &add, &remove, is_lenient)?;
    }
    api.registry.register(subject, candidate, options).await
}

fn previous_tags(api: &Api, subject: &str) -> Vec<SchemaTags> {
    let Some(latest) = api.registry.read(|cache| cache.latest(subject).cloned()) else {
        return Vec::new();
    };
    let finder = api.registry.finder();
    match finder.schemas.read_stored(finder.cache, &latest) {
        Ok(read) => tagged(&read.parsed),
        Err(_) => Vec::new(),
    }
}

fn retagged(
    api: &Api,
    subject: &str,
    candidate: &Candidate,
    add: &[SchemaTags],
    remove: &[SchemaTags],
    is_lenient: bool,
) -> Result<String, Refusal> {
    let reading = Reading {
        form: Form::AsSent,
        strictness: Strictness::Stored,
    };
    let read = api
        .registry
        .finder()
        .read(subject, candidate, reading, Deleted::Hidden)?;
    let mut parsed = read.canonical.parsed.clone();
    for tags in add {
        change(&mut parsed, tags, Tagging::Add, is_lenient)?;
    }
    for tags in remove {
        change(&mut parsed, tags, Tagging::Remove, is_lenient)?;
    }
    Ok(parsed.canonical_text())
}

/// `POST /subjects/{s}/versions/{v}/tags`
pub(super) async fn modify(api: &Api, call: &Call, segment: &str, version: &str) -> Answer {
    let request: TagRequest = call.body()?;
    for rules in [&request.rule_set, &request.rules_to_merge].into_iter().flatten() {
        check_rules(rules).map_err(Refusal::InvalidRules)?;
    }
    let schema = find(api, call, segment, version, Deleted::Hidden)?;
    let subject = schema.subject.to_string();
    let new_version = request.new_version.unwrap_or(0);
    let rule_set = new_rules(api, &subject, &request);
    let metadata = request.metadata.or_else(|| schema.metadata.clone());
    let mut candidate = Candidate {
        version: new_version,
        id: None,
        schema_type: Some(schema.schema_type().to_owned()),
        references: schema.references.clone(),
        metadata: Some(Metadata::with_version(metadata, new_version)),
        rule_set,
        text: schema.text.to_string(),
    };
    candidate.text = retagged(
        api,
        &subject,
        &candidate,
        &request.tags_to_add,
        &request.tags_to_remove,
        false,
    )?;
    let options = Options {
        form: Form::AsSent,
        compatibility: CompatibilityCheck::Made,
    };
    let registered = api.registry.register(&subject, candidate, options).await?;
    json(&RegisteredJson::from(&*registered))
}

/// The rules given, or those of the version before with some merged in and some taken out.
fn new_rules(api: &Api, subject: &str, request: &TagRequest) -> Option<RuleSet> {
    if request.rules_to_merge.is_none() && request.rules_to_remove.is_none() {
        return request.rule_set.clone();
    }
    let before = api.registry.read(|cache| match request.new_version {
        Some(new_version) => cache.version(subject, new_version - 1).cloned(),
        None => cache.latest(subject).cloned(),
    });
    let before = before.and_then(|schema| schema.rule_set.clone());
    let merged = RuleSet::merged(before.as_ref(), request.rules_to_merge.as_ref())?;
    Some(merged.without(request.rules_to_remove.as_deref().unwrap_or_default()))
}

/// All tagged records and fields, in order of the text.
fn tagged(parsed: &ParsedSchema) -> Vec<SchemaTags> {
    let ParsedSchema::Avro(schema) = parsed else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut note = |path: &str, entity_type: &str, props: &Props| {
        let tags = tags_in(props);
        if !tags.is_empty() {
            found.push(SchemaTags {
                schema_entity: SchemaEntity {
                    entity_path: path.to_owned(),
                    entity_type: entity_type.to_owned(),
                },
                tags,
            });
        }
    };
    for node in &schema.nodes {
        if let Kind::Record(record) = &node.kind {
            let full = record.name.full();
            note(&full, RECORD, &node.props);
            for field in &record.fields {
                note(&format!("{full}.{}", field.name), FIELD, &field.props);
            }
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tagging {
    Add,
    Remove,
}

/// Changes the tags of one entity.
///
/// *Errors*: `InvalidSchema` for a path that leads nowhere, unless lenient.
fn change(parsed: &mut ParsedSchema, tags: &SchemaTags, tagging: Tagging, is_lenient: bool) -> Result<(), Refusal> {
    let entity = &tags.schema_entity;
    let ParsedSchema::Avro(schema) = parsed else {
        return Ok(());
    };
    let Some(props) = props_of(schema, entity) else {
        if is_lenient {
            return Ok(());
        }
        return Err(Refusal::InvalidSchema(format!(
            "No matching path '{}' found in the schema",
            entity.entity_path
        )));
    };
    let mut now = tags_in(props);
    match tagging {
        Tagging::Add => {
            let new: Vec<String> = tags.tags.iter().filter(|tag| !now.contains(tag)).cloned().collect();
            now.extend(new);
        }
        Tagging::Remove => now.retain(|tag| !tags.tags.contains(tag)),
    }
    let value = Value::from(now);
    let is_empty = value.as_array().is_none_or(Vec::is_empty);
    match props.iter().position(|(name, _)| name == TAGS) {
        Some(place) if is_empty => {
            props.remove(place);
        }
        Some(place) => {
            if let Some(slot) = props.get_mut(place) {
                slot.1 = value;
            }
        }
        None if is_empty => {}
        None => props.push((TAGS.to_owned(), value)),
    }
    Ok(())
}

fn props_of<'a>(schema: &'a mut AvroSchema, entity: &SchemaEntity) -> Option<&'a mut Props> {
    let path = entity.entity_path.as_str();
    let is_field = entity.entity_type.eq_ignore_ascii_case(FIELD);
    for node in &mut schema.nodes {
        let Kind::Record(record) = &mut node.kind else {
            continue;
        };
        let full = record.name.full();
        if !is_field && full == path {
            return Some(&mut node.props);
        }
        let Some(name) = path.strip_prefix(&full).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        if is_field && let Some(field) = record.fields.iter_mut().find(|field| field.name == name) {
            return Some(&mut field.props);
        }
    }
    None
}

fn tags_in(props: &Props) -> Vec<String> {
    let tags = props
        .iter()
        .find(|(name, _)| name == TAGS)
        .and_then(|(_, value)| value.as_array());
    let texts = tags.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
