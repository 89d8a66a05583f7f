//! The fingerprint by which two schemas are the same one
//!
//! MD5 over canonical text, references, metadata and rules, in an order that every registry must share: ids and guids hang on it. The
//! schema type is not part of it. Source: `MD5.ofSchema`.

use crate::md5::{Digest, Md5};
use crate::model::{Metadata, Reference, Rule, RuleSet};

/// Fingerprint of a schema.
pub(crate) fn fingerprint(
    schema: &str,
    references: &[Reference],
    metadata: Option<&Metadata>,
    rule_set: Option<&RuleSet>,
) -> Md5 {
    let mut digest = Digest::new();
    digest.update(schema.as_bytes());
    for reference in references {
        digest.update(reference.name.as_bytes());
        digest.update(reference.subject.as_bytes());
        digest.update(&reference.version.to_be_bytes());
    }
    if let Some(metadata) = metadata {
        add_metadata(&mut digest, metadata);
    }
    if let Some(rules) = rule_set {
        digest.update(&[1]);
        for rule in rules.rules() {
            add_rule(&mut digest, rule);
        }
        add_text(&mut digest, rules.enable_at.as_ref());
    }
    digest.finish()
}

fn add_metadata(digest: &mut Digest, metadata: &Metadata) {
    digest.update(&[1]);
    for (path, tags) in &metadata.tags {
        digest.update(path.as_bytes());
        for tag in tags {
            digest.update(tag.as_bytes());
        }
    }
    for (key, value) in &metadata.properties {
        digest.update(key.as_bytes());
        digest.update(value.as_bytes());
    }
    for name in &metadata.sensitive {
        digest.update(name.as_bytes());
    }
}

fn add_rule(digest: &mut Digest, rule: &Rule) {
    for text in [&rule.name, &rule.doc, &rule.kind, &rule.mode, &rule.rule_type] {
        add_text(digest, text.as_ref());
    }
    for tag in &rule.tags {
        digest.update(tag.as_bytes());
    }
    for (key, value) in &rule.params {
        digest.update(key.as_bytes());
        digest.update(value.as_bytes());
    }
    for text in [&rule.expr, &rule.on_success, &rule.on_failure] {
        add_text(digest, text.as_ref());
    }
    if rule.disabled {
        digest.update(&[1]);
    }
}

fn add_text(digest: &mut Digest, text: Option<&String>) {
    if let Some(text) = text {
        digest.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str, version: i32) -> Reference {
        Reference {
            name: name.to_owned(),
            subject: "s".to_owned(),
            version,
        }
    }

    #[test]
    fn a_plain_schema_is_the_md5_of_its_text() {
        assert_eq!(fingerprint("\"string\"", &[], None, None), Md5::of(b"\"string\""));
    }

    #[test]
    fn references_metadata_and_rules_are_added_in_order() {
        let metadata: Metadata =
            serde_json::from_str(r#"{"properties":{"b":"2","a":"1"},"tags":{"p":["y","x"]},"sensitive":["a"]}"#)
                .unwrap();
        let rules: RuleSet = serde_json::from_str(
            r#"{"domainRules":[{"name":"d","type":"T","disabled":true,"params":{"k":"v"},"tags":["t"]}],
                "migrationRules":[{"name":"m","doc":"D","kind":"K","mode":"M","type":"T","expr":"E","onSuccess":"S","onFailure":"F"}],
                "enableAt":"ALL"}"#,
        )
        .unwrap();
        let got = fingerprint("x", &[reference("n", 258)], Some(&metadata), Some(&rules));
        assert_eq!(got, Md5::of(b"xns\0\0\x01\x02\x01pxya1b2a\x01mDKMTESFdTtkv\x01ALL"));
    }

    #[test]
    fn empty_metadata_is_not_the_same_as_none() {
        let empty = Metadata::default();
        assert_ne!(
            fingerprint("x", &[], Some(&empty), None),
            fingerprint("x", &[], None, None)
        );
    }
}
