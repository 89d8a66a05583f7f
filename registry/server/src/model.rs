//! Metadata, rules and references, as records and answers both write them
//!
//! Field order is that of Confluent's own JSON; empty fields are left out. Unknown fields are ignored on reading.
//! Source: `Metadata`, `RuleSet`, `Rule`, `SchemaReference`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

/// Metadata property that carries the version.
pub(crate) const CONFLUENT_VERSION: &str = "confluent:version";
/// Metadata property that lists fields which must never come back.
pub(crate) const CONFLUENT_RESERVED: &str = "confluent:reserved";

/// Null counts as absent, wherever Jackson would take it.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Another schema that a schema names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
pub(crate) struct Reference {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) subject: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) version: i32,
}

/// Tags, properties, and which of the properties are sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) tags: BTreeMap<String, BTreeSet<String>>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) properties: BTreeMap<String, String>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub(crate) sensitive: BTreeSet<String>,
}

impl Metadata {
    /// Lays `over` on top: tags are joined, properties replaced one by one.
    pub(crate) fn merged(under: Option<&Self>, over: Option<&Self>) -> Option<Self> {
        let (Some(under), Some(over)) = (under, over) else {
            return under.or(over).cloned();
        };
        let mut merged = under.clone();
        for (path, tags) in &over.tags {
            merged
                .tags
                .entry(path.clone())
                .or_default()
                .extend(tags.iter().cloned());
        }
        merged.properties.extend(over.properties.clone());
        merged.sensitive.extend(over.sensitive.iter().cloned());
        Some(merged)
    }

    /// The version property, if it is there.
    pub(crate) fn version(&self) -> Option<&str> {
        self.properties.get(CONFLUENT_VERSION).map(String::as_str)
    }

    /// The same without the version property; `None` when nothing else is left.
    pub(crate) fn without_version(&self) -> Option<Self> {
        let mut rest = self.clone();
        rest.properties.remove(CONFLUENT_VERSION);
        (rest != Self::default()).then_some(rest)
    }

    /// Sets the version property.
    pub(crate) fn with_version(metadata: Option<Self>, version: i32) -> Self {
        let mut metadata = metadata.unwrap_or_default();
        metadata
            .properties
            .insert(CONFLUENT_VERSION.to_owned(), version.to_string());
        metadata
    }

    /// The reserved field names.
    pub(crate) fn reserved(&self) -> BTreeSet<String> {
        let listed = self.properties.get(CONFLUENT_RESERVED).map_or("", String::as_str);
        let names = listed.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }
}

/// Rules by phase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleSet {
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) migration_rules: Vec<Rule>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) domain_rules: Vec<Rule>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) encoding_rules: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enable_at: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) doc: Option<String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) kind: Option<String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) mode: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "is_blank")]
    pub(crate) rule_type: Option<String>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeSet::is_empty"
    )]
    pub(crate) tags: BTreeSet<String>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) params: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) expr: Option<String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) on_success: Option<String>,
    #[serde(default, skip_serializing_if = "is_blank")]
    pub(crate) on_failure: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) disabled: bool,
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

impl RuleSet {
    /// Lays `over` on top: a rule of the same name replaces the earlier one.
    pub(crate) fn merged(under: Option<&Self>, over: Option<&Self>) -> Option<Self> {
        let (Some(under), Some(over)) = (under, over) else {
            return under.or(over).cloned();
        };
        Some(Self {
            migration_rules: merge_rules(&under.migration_rules, &over.migration_rules),
            domain_rules: merge_rules(&under.domain_rules, &over.domain_rules),
            encoding_rules: merge_rules(&under.encoding_rules, &over.encoding_rules),
            enable_at: over.enable_at.clone().or_else(|| under.enable_at.clone()),
        })
    }

    /// The same without the named rules.
    pub(crate) fn without(&self, names: &[String]) -> Self {
        let keep = |rules: &[Rule]| -> Vec<Rule> {
            let is_kept = |rule: &&Rule| !rule.name.as_ref().is_some_and(|name| names.contains(name));
            rules.iter().filter(is_kept).cloned().collect()
        };
        Self {
            migration_rules: keep(&self.migration_rules),
            domain_rules: keep(&self.domain_rules),
            encoding_rules: keep(&self.encoding_rules),
            enable_at: self.enable_at.clone(),
        }
    }

    /// All rules: migration, domain, encoding.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.migration_rules
            .iter()
            .chain(&self.domain_rules)
            .chain(&self.encoding_rules)
    }
}

// Rules of the lower layer that are replaced lose their place: those of the upper one come last.
fn merge_rules(under: &[Rule], over: &[Rule]) -> Vec<Rule> {
    let is_replaced = |rule: &&Rule| over.iter().any(|other| other.name == rule.name);
    let kept = under.iter().filter(|rule| !is_replaced(rule));
    kept.chain(over).cloned().collect()
}

const TRANSFORM_MODES: [&str; 3] = ["WRITE", "READ", "WRITEREAD"];
const MIGRATION_MODES: [&str; 3] = ["UPGRADE", "DOWNGRADE", "UPDOWN"];
const KINDS: [&str; 2] = ["TRANSFORM", "CONDITION"];
const MAX_NAME_CHARS: usize = 64;

/// Finds what is wrong with a rule set, in the order in which it is read.
///
/// *Errors*: the text of the first fault.
pub(crate) fn check_rules(rules: &RuleSet) -> Result<(), String> {
    let lists: [(&[Rule], &[&str]); 3] = [
        (&rules.migration_rules, &MIGRATION_MODES),
        (&rules.domain_rules, &TRANSFORM_MODES),
        (&rules.encoding_rules, &TRANSFORM_MODES),
    ];
    let mut names = BTreeSet::new();
    for (list, modes) in lists {
        for rule in list {
            check_rule(rule, modes)?;
            let name = rule.name.as_deref().unwrap_or_default();
            if !names.insert(name) {
                return Err(format!("Found rule with duplicate name '{name}'"));
            }
        }
    }
    Ok(())
}

fn check_rule(rule: &Rule, modes: &[&str]) -> Result<(), String> {
    let name = rule.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Err("Found rule with null or empty name".to_owned());
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(format!(
            "Name '{name}' is too long, maximum is {MAX_NAME_CHARS} characters"
        ));
    }
    let mut characters = name.chars();
    let starts_well = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
        return Err(format!("Illegal character in name '{name}'"));
    }
    if rule.rule_type.as_deref().is_none_or(str::is_empty) {
        return Err(format!("Rule '{name}' has a missing type"));
    }
    if let Some(kind) = rule.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        return Err(format!("Rule '{name}' has an unknown kind '{kind}'"));
    }
    let mode = rule.mode.as_deref().unwrap_or_default();
    if !mode.is_empty() && !modes.contains(&mode) {
        return Err(format!(
            "Rule '{name}' has an invalid mode '{mode}', it must be one of {}",
            modes.join(", ")
        ));
    }
    let takes_two = matches!(mode, "WRITEREAD" | "UPDOWN");
    for (action, text) in [("onSuccess", &rule.on_success), ("onFailure", &rule.on_failure)] {
        if !takes_two && text.as_deref().is_some_and(|text| text.contains(',')) {
            return Err(format!(
                "Rule '{name}' has several actions in {action}, which only WRITEREAD and UPDOWN take"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> RuleSet {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn metadata_merges_by_property_and_joins_tags() {
        let under: Metadata =
            serde_json::from_str(r#"{"tags":{"a":["x"]},"properties":{"k":"1","l":"2"},"sensitive":["k"]}"#).unwrap();
        let over: Metadata = serde_json::from_str(r#"{"tags":{"a":["y"]},"properties":{"k":"3"}}"#).unwrap();
        let merged = Metadata::merged(Some(&under), Some(&over)).unwrap();
        assert_eq!(
            serde_json::to_string(&merged).unwrap(),
            r#"{"tags":{"a":["x","y"]},"properties":{"k":"3","l":"2"},"sensitive":["k"]}"#
        );
        assert_eq!(Metadata::merged(None, Some(&over)), Some(over));
        assert_eq!(Metadata::merged(None, None), None);
    }

    #[test]
    fn the_version_property_is_set_and_taken_off() {
        let metadata = Metadata::with_version(None, 3);
        assert_eq!((metadata.version(), metadata.without_version()), (Some("3"), None));
    }

    #[test]
    fn a_rule_of_the_same_name_replaces_the_earlier_one() {
        let under = rules(r#"{"domainRules":[{"name":"a","type":"T"},{"name":"b","type":"T"}]}"#);
        let over = rules(r#"{"domainRules":[{"name":"a","type":"U"}],"enableAt":"CLIENT"}"#);
        let merged = RuleSet::merged(Some(&under), Some(&over)).unwrap();
        assert_eq!(
            serde_json::to_string(&merged).unwrap(),
            r#"{"domainRules":[{"name":"b","type":"T","disabled":false},{"name":"a","type":"U","disabled":false}],"enableAt":"CLIENT"}"#
        );
        assert_eq!(merged.without(&["b".to_owned()]).domain_rules.len(), 1);
    }

    #[test]
    fn every_fault_of_a_rule_set_is_found() {
        let long = "x".repeat(65);
        for (json, part) in [
            (r#"{"domainRules":[{"type":"T"}]}"#.to_owned(), "null or empty name"),
            (
                r#"{"domainRules":[{"name":"","type":"T"}]}"#.to_owned(),
                "null or empty name",
            ),
            (
                format!(r#"{{"domainRules":[{{"name":"{long}","type":"T"}}]}}"#),
                "too long",
            ),
            (
                r#"{"domainRules":[{"name":"a b","type":"T"}]}"#.to_owned(),
                "Illegal character",
            ),
            (
                r#"{"domainRules":[{"name":"1a","type":"T"}]}"#.to_owned(),
                "Illegal character",
            ),
            (r#"{"domainRules":[{"name":"a"}]}"#.to_owned(), "missing type"),
            (
                r#"{"domainRules":[{"name":"a","type":"T","kind":"X"}]}"#.to_owned(),
                "unknown kind",
            ),
            (
                r#"{"domainRules":[{"name":"a","type":"T","mode":"UPGRADE"}]}"#.to_owned(),
                "invalid mode",
            ),
            (
                r#"{"migrationRules":[{"name":"a","type":"T","mode":"READ"}]}"#.to_owned(),
                "invalid mode",
            ),
            (
                r#"{"domainRules":[{"name":"a","type":"T","mode":"READ","onFailure":"NONE,ERROR"}]}"#.to_owned(),
                "several actions in onFailure",
            ),
            (
                r#"{"domainRules":[{"name":"a","type":"T"}],"migrationRules":[{"name":"a","type":"T"}]}"#.to_owned(),
                "duplicate name",
            ),
        ] {
            let fault = check_rules(&rules(&json)).unwrap_err();
            assert!(fault.contains(part), "{json}: {fault}");
        }
        let right = r#"{"domainRules":[{"name":"a-1","type":"T","kind":"TRANSFORM","mode":"WRITEREAD","onFailure":"NONE,ERROR"}]}"#;
        check_rules(&rules(right)).unwrap();
    }
}
