//! `schema diff`: what changed between two schemas
//!
//! Each side is a file or a version of a subject. The comparison is the registry's own, made here with the reasons why a
//! change is incompatible: nothing is registered.

use std::collections::HashSet;
use std::io::Write;

use serde_json::Value;
use weir_schema::compatibility::{Change, Policy, changes};
use weir_schema::schema::{ParseOptions, ParsedSchema, Reference, ResolvedReference, SchemaType};

use crate::error::ToolError;
use crate::schema::{Registry, SchemaText, reference_of};

/// One side of a comparison.
#[derive(Debug, Clone)]
pub enum Side {
    /// The text of a file.
    File(SchemaText),
    /// A version of a subject: a number or `latest`.
    Version(String, String),
}

/// Whether data stays readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The new schema reads what the old one wrote.
    pub is_backward: bool,
    /// The old schema reads what the new one writes.
    pub is_forward: bool,
}

/// A schema as it is stored.
struct Stored {
    schema_type: SchemaType,
    text: String,
    references: Vec<Reference>,
}

/// Prints what changed from one schema to another in both directions, with the reason of each change that is
/// incompatible, and gives the verdict.
///
/// *Errors*: an unreachable registry, an error it answers with, a text that is no schema, two languages, or an output
/// that cannot be written.
pub async fn diff(registry: &Registry, old: &Side, new: &Side, out: &mut impl Write) -> Result<Verdict, ToolError> {
    let old = read(registry, old).await?;
    let new = read(registry, new).await?;
    let compare = |from: &ParsedSchema, to: &ParsedSchema, words: [&str; 2]| {
        changes(Policy::Strict, from, to, words).map_err(ToolError::Comparison)
    };
    let backward = compare(&old, &new, ["new", "old"])?;
    let forward = compare(&new, &old, ["old", "new"])?;
    if old.canonical_text() == new.canonical_text() {
        writeln!(out, "the schemas are the same")?;
    }
    let verdict = Verdict {
        is_backward: print(out, "backward (the new schema reads old data)", &backward)?,
        is_forward: print(out, "forward (the old schema reads new data)", &forward)?,
    };
    Ok(verdict)
}

fn print(out: &mut impl Write, title: &str, changes: &[Change]) -> Result<bool, ToolError> {
    let is_compatible = changes.iter().all(|change| change.is_compatible);
    let answer = if is_compatible { "compatible" } else { "not compatible" };
    writeln!(out, "{title}: {answer}")?;
    for change in changes {
        if change.is_compatible {
            writeln!(out, "    {} at {}", change.kind, change.path)?;
        } else {
            writeln!(out, "  ! {} at {}", change.kind, change.path)?;
            writeln!(out, "      {}", change.message)?;
        }
    }
    Ok(is_compatible)
}

async fn read(registry: &Registry, side: &Side) -> Result<ParsedSchema, ToolError> {
    let stored = match side {
        Side::Version(subject, version) => fetch(registry, subject, version).await?,
        Side::File(file) => Stored {
            schema_type: schema_type(&file.schema_type)?,
            text: file.text.clone(),
            references: references(&file.references)?,
        },
    };
    let resolved = closure(registry, &stored.references).await?;
    ParsedSchema::parse(stored.schema_type, &stored.text, &resolved, ParseOptions::default())
        .map_err(|error| ToolError::NoSchema(error.to_string()))
}

fn schema_type(name: &str) -> Result<SchemaType, ToolError> {
    let name = if name.is_empty() { "AVRO" } else { name };
    SchemaType::parse(name).ok_or_else(|| ToolError::NoSchema(format!("{name} is not AVRO, JSON or PROTOBUF")))
}

async fn fetch(registry: &Registry, subject: &str, version: &str) -> Result<Stored, ToolError> {
    let found = registry.get(&["subjects", subject, "versions", version], &[]).await?;
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default();
    let listed = found.get("references").and_then(Value::as_array).into_iter().flatten();
    Ok(Stored {
        schema_type: schema_type(text("schemaType"))?,
        text: text("schema").to_owned(),
        references: listed.filter_map(reference).collect(),
    })
}

fn reference(value: &Value) -> Option<Reference> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    let version = value.get("version").and_then(Value::as_i64)?;
    Some(Reference {
        name: text("name")?,
        subject: text("subject")?,
        version: i32::try_from(version).ok()?,
    })
}

fn references(written: &[String]) -> Result<Vec<Reference>, ToolError> {
    let values = written
        .iter()
        .map(|text| reference_of(text))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(values.iter().filter_map(reference).collect())
}

/// Fetches what references lead to, dependencies first.
async fn closure(registry: &Registry, references: &[Reference]) -> Result<Vec<ResolvedReference>, ToolError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut waiting: Vec<Reference> = references.to_vec();
    while let Some(reference) = waiting.pop() {
        if !seen.insert((reference.subject.clone(), reference.version)) {
            continue;
        }
        let version = match reference.version {
            -1 => "latest".to_owned(),
            number => number.to_string(),
        };
        let stored = fetch(registry, &reference.subject, &version).await?;
        waiting.extend(stored.references);
        found.push(ResolvedReference {
            reference,
            schema: stored.text,
        });
    }
    // What was found last is used by what was found before.
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(schema_type: &str, text: &str) -> Side {
        Side::File(SchemaText {
            text: text.to_owned(),
            schema_type: schema_type.to_owned(),
            ..SchemaText::default()
        })
    }

    async fn compared(old: &Side, new: &Side) -> (Verdict, String) {
        let registry = Registry::new("http://127.0.0.1:9").expect("a URL");
        let mut out = Vec::new();
        let verdict = diff(&registry, old, new, &mut out).await.expect("compared");
        (verdict, String::from_utf8(out).expect("text"))
    }

    #[tokio::test]
    async fn files_of_each_language_are_compared_with_reasons() {
        let (verdict, text) = compared(
            &file("PROTOBUF", "message M { string a = 1; }"),
            &file("PROTOBUF", "message M { int32 a = 1; int32 b = 2; }"),
        )
        .await;
        assert!(!verdict.is_backward && !verdict.is_forward);
        assert_eq!(
            text,
            "backward (the new schema reads old data): not compatible\n  \
             ! FIELD_SCALAR_KIND_CHANGED at #/M/1\n      \
             {errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/M/1' in the \
             new schema does not match its kind in the old schema\"}\n    \
             FIELD_ADDED at #/M/2\n\
             forward (the old schema reads new data): not compatible\n  \
             ! FIELD_SCALAR_KIND_CHANGED at #/M/1\n      \
             {errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/M/1' in the \
             old schema does not match its kind in the new schema\"}\n    \
             FIELD_REMOVED at #/M/2\n"
        );
        let (verdict, text) = compared(
            &file("JSON", r#"{"type":"integer"}"#),
            &file("JSON", r#"{"type":"number"}"#),
        )
        .await;
        assert!(verdict.is_backward && !verdict.is_forward, "{text}");
        let (verdict, text) = compared(&file("", "\"int\""), &file("AVRO", "\"int\"")).await;
        assert!(verdict.is_backward && verdict.is_forward && text.starts_with("the schemas are the same"));
    }

    #[tokio::test]
    async fn languages_are_not_compared_with_each_other() {
        let registry = Registry::new("http://127.0.0.1:9").expect("a URL");
        let sides = (file("JSON", "true"), file("AVRO", "\"int\""));
        let refused = diff(&registry, &sides.0, &sides.1, &mut Vec::new()).await;
        assert!(matches!(refused, Err(ToolError::Comparison(_))));
    }
}
