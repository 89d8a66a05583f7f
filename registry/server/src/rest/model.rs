//! JSON of requests and answers
//!
//! Field order is emission order; what is null or empty is left out, unknown fields are ignored. Source: the client's `entities` and
//! `requests` packages.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Metadata, Reference, RuleSet, null_as_default};
use crate::store::cache::StoredSchema;
use crate::store::records::ConfigValue;

/// Body of an error.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorJson {
    pub(crate) error_code: u32,
    pub(crate) message: String,
}

/// A schema to register, to look up or to compare.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SchemaRequest {
    pub(crate) version: Option<i32>,
    pub(crate) id: Option<i32>,
    pub(crate) schema_type: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) references: Vec<Reference>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
    pub(crate) schema: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) schema_tags_to_add: Vec<SchemaTags>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) schema_tags_to_remove: Vec<SchemaTags>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) propagate_schema_tags: bool,
}

/// New tags, metadata and rules for a version.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TagRequest {
    pub(crate) new_version: Option<i32>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) tags_to_add: Vec<SchemaTags>,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) tags_to_remove: Vec<SchemaTags>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) rule_set: Option<RuleSet>,
    pub(crate) rules_to_merge: Option<RuleSet>,
    pub(crate) rules_to_remove: Option<Vec<String>>,
}

/// Tags of a record or a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SchemaTags {
    pub(crate) schema_entity: SchemaEntity,
    #[serde(deserialize_with = "null_as_default")]
    pub(crate) tags: Vec<String>,
}

/// Where a tag sits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SchemaEntity {
    pub(crate) entity_path: String,
    pub(crate) entity_type: String,
}

/// Writes a shared text.
fn shared<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn is_none_or_empty<T>(value: &Option<Vec<T>>) -> bool {
    value.as_ref().is_none_or(Vec::is_empty)
}

/// A version of a subject, in full; also with its aliases.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaJson {
    #[serde(serialize_with = "shared")]
    subject: Arc<str>,
    version: i32,
    id: i32,
    guid: String,
    schema_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<RuleSet>,
    #[serde(serialize_with = "shared")]
    pub(crate) schema: Arc<str>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub(crate) schema_tags: Option<Vec<SchemaTags>>,
    ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub(crate) aliases: Option<Vec<String>>,
}

impl From<&StoredSchema> for SchemaJson {
    fn from(schema: &StoredSchema) -> Self {
        Self {
            subject: Arc::clone(&schema.subject),
            version: schema.version,
            id: schema.id,
            guid: schema.fingerprint.uuid(),
            schema_type: schema.schema_type().to_owned(),
            references: schema.references.clone(),
            metadata: schema.metadata.clone(),
            rule_set: schema.rule_set.clone(),
            schema: Arc::clone(&schema.text),
            schema_tags: None,
            ts: schema.timestamp_ms,
            deleted: schema.is_deleted.then_some(true),
            aliases: None,
        }
    }
}

/// A schema by its id or guid.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SchemaStringJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<i32>,
    guid: String,
    schema_type: String,
    #[serde(serialize_with = "shared")]
    pub(crate) schema: Arc<str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<RuleSet>,
    #[serde(skip_serializing_if = "is_none_or_empty")]
    pub(crate) schema_tags: Option<Vec<SchemaTags>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_id: Option<i32>,
    ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

impl From<&StoredSchema> for SchemaStringJson {
    fn from(schema: &StoredSchema) -> Self {
        Self {
            subject: None,
            version: None,
            guid: schema.fingerprint.uuid(),
            schema_type: schema.schema_type().to_owned(),
            schema: Arc::clone(&schema.text),
            references: schema.references.clone(),
            metadata: schema.metadata.clone(),
            rule_set: schema.rule_set.clone(),
            schema_tags: None,
            max_id: None,
            ts: schema.timestamp_ms,
            deleted: schema.is_deleted.then_some(true),
        }
    }
}

/// Answer to a registration.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegisteredJson {
    id: i32,
    version: i32,
    guid: String,
    schema_type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_set: Option<RuleSet>,
    #[serde(serialize_with = "shared")]
    pub(crate) schema: Arc<str>,
    ts: i64,
}

impl From<&StoredSchema> for RegisteredJson {
    fn from(schema: &StoredSchema) -> Self {
        Self {
            id: schema.id,
            version: schema.version,
            guid: schema.fingerprint.uuid(),
            schema_type: schema.schema_type().to_owned(),
            references: schema.references.clone(),
            metadata: schema.metadata.clone(),
            rule_set: schema.rule_set.clone(),
            schema: Arc::clone(&schema.text),
            ts: schema.timestamp_ms,
        }
    }
}

/// Outcome of a comparison; messages only when they were asked for.
#[derive(Debug, Serialize)]
pub(crate) struct CompatibilityJson {
    pub(crate) is_compatible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<String>>,
}

/// One use of an id.
#[derive(Debug, Serialize)]
pub(crate) struct SubjectVersionJson {
    #[serde(serialize_with = "shared")]
    pub(crate) subject: Arc<str>,
    pub(crate) version: i32,
}

/// An id of a guid.
#[derive(Debug, Serialize)]
pub(crate) struct ContextIdJson {
    pub(crate) context: String,
    pub(crate) id: i32,
}

/// A mode; none where none is set.
#[derive(Debug, Serialize)]
pub(crate) struct ModeJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<&'static str>,
}

/// A mode to set: absent, null or a name.
#[derive(Debug, Deserialize)]
pub(crate) struct ModeRequest {
    #[serde(default, deserialize_with = "present")]
    pub(crate) mode: Option<Option<String>>,
}

/// Tells a null from an absent field.
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Settings to change.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConfigRequest {
    #[serde(deserialize_with = "present")]
    pub(crate) alias: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub(crate) alias_for_deks: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub(crate) normalize: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    pub(crate) validate_fields: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    pub(crate) validate_new_schemas: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    pub(crate) validate_rules: Option<Option<bool>>,
    #[serde(deserialize_with = "present")]
    pub(crate) compatibility: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub(crate) compatibility_policy: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub(crate) compatibility_group: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub(crate) default_metadata: Option<Option<Metadata>>,
    #[serde(deserialize_with = "present")]
    pub(crate) override_metadata: Option<Option<Metadata>>,
    #[serde(deserialize_with = "present")]
    pub(crate) default_rule_set: Option<Option<RuleSet>>,
    #[serde(deserialize_with = "present")]
    pub(crate) override_rule_set: Option<Option<RuleSet>>,
}

/// Settings; the level goes by one of two names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_for_deks: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalize: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_fields: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_new_schemas: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validate_rules: Option<bool>,
    /// As GET and DELETE show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_level: Option<String>,
    /// As PUT echoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_rule_set: Option<RuleSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_rule_set: Option<RuleSet>,
}

impl ConfigJson {
    /// As GET and DELETE answer.
    pub(crate) fn shown(config: ConfigValue) -> Self {
        let level = config.compatibility_level.clone();
        Self {
            compatibility_level: level,
            ..Self::without_level(config)
        }
    }

    /// As PUT answers.
    pub(crate) fn echoed(config: ConfigValue) -> Self {
        let level = config.compatibility_level.clone();
        Self {
            compatibility: level,
            ..Self::without_level(config)
        }
    }

    fn without_level(config: ConfigValue) -> Self {
        Self {
            alias: config.alias,
            alias_for_deks: config.alias_for_deks,
            normalize: config.normalize,
            validate_fields: config.validate_fields,
            validate_new_schemas: config.validate_new_schemas,
            validate_rules: config.validate_rules,
            compatibility_level: None,
            compatibility: None,
            compatibility_policy: config.compatibility_policy,
            compatibility_group: config.compatibility_group,
            default_metadata: config.default_metadata,
            override_metadata: config.override_metadata,
            default_rule_set: config.default_rule_set,
            override_rule_set: config.override_rule_set,
        }
    }
}

/// Who this registry is.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterIdJson {
    pub(crate) scope: ScopeJson,
}

/// The clusters it belongs to.
#[derive(Debug, Serialize)]
pub(crate) struct ScopeJson {
    pub(crate) clusters: ClustersJson,
}

/// Ids of the clusters.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ClustersJson {
    pub(crate) kafka_cluster: String,
    pub(crate) schema_registry_cluster: String,
}

/// Version of the program.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerVersionJson {
    pub(crate) version: &'static str,
    pub(crate) commit_id: &'static str,
}

/// How it is deployed.
#[derive(Debug, Serialize)]
pub(crate) struct DeploymentJson {
    pub(crate) attributes: Vec<String>,
}
