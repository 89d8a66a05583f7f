//! Schema texts read once
//!
//! Canonical forms are kept by a fingerprint of what was sent, so that the same text sent again is never parsed again. Bounded by
//! `schema.cache.size`; the oldest goes first. References are resolved here, from the cache of stored schemas.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use weir_schema::error::SchemaError;
use weir_schema::schema::{ParseOptions, ParsedSchema, ResolvedReference, SchemaType};

use crate::md5::{Digest, Md5};
use crate::model::Reference;
use crate::refusal::Refusal;
use crate::store::cache::{Cache, Deleted, StoredSchema, target};
use crate::subject;

/// References of one schema, with theirs; more is a mistake or an attack.
const MAX_REFERENCES: usize = 1000;
/// The languages that this registry reads, in the order of Confluent's answer.
pub(crate) const TYPES: [SchemaType; 3] = [SchemaType::Json, SchemaType::Protobuf, SchemaType::Avro];

/// A text that was read.
#[derive(Debug)]
pub(crate) struct Canonical {
    /// The text that is stored and hashed.
    pub(crate) text: Arc<str>,
    pub(crate) parsed: ParsedSchema,
}

/// What to do with a text while reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) form: Form,
    pub(crate) strictness: Strictness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    AsSent,
    Normalized,
}

impl Form {
    pub(crate) fn of(normalizes: bool) -> Self {
        if normalizes { Self::Normalized } else { Self::AsSent }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// New schemas: names and defaults are checked.
    New,
    /// What is stored, or only looked for.
    Stored,
}

/// References with their versions as numbers, and the texts that they lead to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolved {
    pub(crate) references: Vec<Reference>,
    closure: Vec<ResolvedReference>,
}

/// Reads schemas and remembers them.
#[derive(Debug)]
pub(crate) struct Schemas {
    known: Mutex<Known>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Md5, Arc<Canonical>>,
    /// Keys by age. Invariant: the keys of `entries`, each once.
    ages: VecDeque<Md5>,
}

impl Schemas {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            known: Mutex::new(Known::default()),
            capacity,
        }
    }

    /// Reads a text.
    ///
    /// *Errors*: `InvalidSchema`.
    pub(crate) fn read(
        &self,
        schema_type: &str,
        text: &str,
        resolved: &Resolved,
        reading: Reading,
    ) -> Result<Arc<Canonical>, Refusal> {
        let key = key_of(schema_type, text, resolved, reading);
        if let Some(known) = self.known.lock().entries.get(&key) {
            return Ok(Arc::clone(known));
        }
        let canonical = Arc::new(parse(schema_type, text, resolved, reading)?);
        self.remember(key, &canonical);
        Ok(canonical)
    }

    /// Reads a stored version.
    ///
    /// *Errors*: `InvalidSchema`, when it is of a language that this registry does not read.
    pub(crate) fn read_stored(&self, cache: &RwLock<Cache>, schema: &StoredSchema) -> Result<Arc<Canonical>, Refusal> {
        let referrer = Referrer {
            subject: &schema.subject,
            schema_type: schema.schema_type(),
        };
        let resolved = resolve(&cache.read(), referrer, &schema.references, Deleted::Included)?;
        let reading = Reading {
            form: Form::AsSent,
            strictness: Strictness::Stored,
        };
        self.read(schema.schema_type(), &schema.text, &resolved, reading)
    }

    fn remember(&self, key: Md5, canonical: &Arc<Canonical>) {
        let mut known = self.known.lock();
        if known.entries.insert(key, Arc::clone(canonical)).is_none() {
            known.ages.push_back(key);
        }
        while known.ages.len() > self.capacity {
            if let Some(oldest) = known.ages.pop_front() {
                known.entries.remove(&oldest);
            }
        }
    }
}

fn key_of(schema_type: &str, text: &str, resolved: &Resolved, reading: Reading) -> Md5 {
    let mut digest = Digest::new();
    let is = |flag: bool| u8::from(flag);
    digest.update(&[
        is(reading.form == Form::Normalized),
        is(reading.strictness == Strictness::New),
    ]);
    let closure = resolved.closure.iter().flat_map(|used| {
        // Names count: a text of another language finds what it uses by them.
        [&used.reference.name, &used.reference.subject, &used.schema]
    });
    for part in [schema_type, text].into_iter().chain(closure.map(String::as_str)) {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    for used in &resolved.closure {
        digest.update(&used.reference.version.to_be_bytes());
    }
    digest.finish()
}

/// Reads the name of a schema language.
///
/// *Errors*: `InvalidSchema`.
pub(crate) fn schema_type(name: &str) -> Result<SchemaType, Refusal> {
    SchemaType::parse(name).ok_or_else(|| Refusal::InvalidSchema(format!("Invalid schema type {name}")))
}

fn parse(name: &str, text: &str, resolved: &Resolved, reading: Reading) -> Result<Canonical, Refusal> {
    let schema_type = schema_type(name)?;
    let options = ParseOptions {
        validate: reading.strictness == Strictness::New,
    };
    let refused = |error: SchemaError| invalid(name, &error.to_string());
    let parsed = ParsedSchema::parse(schema_type, text, &resolved.closure, options).map_err(refused)?;
    let text = match reading.form {
        Form::AsSent => parsed.canonical_text(),
        Form::Normalized => parsed.normalized_text(),
    };
    Ok(Canonical {
        text: Arc::from(text),
        parsed,
    })
}

fn invalid(schema_type: &str, details: &str) -> Refusal {
    Refusal::InvalidSchema(format!("Invalid schema of type {schema_type}, details: {details}"))
}

/// Who makes references.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Referrer<'a> {
    pub(crate) subject: &'a str,
    pub(crate) schema_type: &'a str,
}

/// Finds what references lead to, dependencies first; `latest` becomes a number.
///
/// *Errors*: `InvalidSchema` for one that leads nowhere.
pub(crate) fn resolve(
    cache: &Cache,
    referrer: Referrer<'_>,
    references: &[Reference],
    deleted: Deleted,
) -> Result<Resolved, Refusal> {
    let mut resolved = Resolved::default();
    if references.is_empty() {
        return Ok(resolved);
    }
    let mut seen = HashSet::new();
    for reference in references {
        let fixed = fixed_version(cache, referrer, reference)?;
        follow(cache, referrer, &fixed, deleted, &mut seen, &mut resolved.closure)?;
        resolved.references.push(fixed);
    }
    Ok(resolved)
}

fn fixed_version(cache: &Cache, referrer: Referrer<'_>, reference: &Reference) -> Result<Reference, Refusal> {
    if reference.version != -1 {
        return Ok(reference.clone());
    }
    let (subject, _) = target(referrer.subject, reference);
    let latest = cache.latest(&subject).ok_or_else(|| missing(referrer, reference))?;
    Ok(Reference {
        version: latest.version,
        ..reference.clone()
    })
}

fn missing(referrer: Referrer<'_>, reference: &Reference) -> Refusal {
    invalid(
        referrer.schema_type,
        &format!(
            "No schema reference found for subject \"{}\" and version {}",
            reference.subject, reference.version
        ),
    )
}

/// Walks depth first, without recursion: chains may be long.
fn follow(
    cache: &Cache,
    root: Referrer<'_>,
    reference: &Reference,
    deleted: Deleted,
    seen: &mut HashSet<(String, i32)>,
    closure: &mut Vec<ResolvedReference>,
) -> Result<(), Refusal> {
    enum Step {
        Enter(String, Reference),
        Leave(Reference, Arc<StoredSchema>),
    }
    let mut stack = vec![Step::Enter(root.subject.to_owned(), reference.clone())];
    while let Some(step) = stack.pop() {
        match step {
            Step::Leave(reference, schema) => closure.push(ResolvedReference {
                reference: weir_schema::schema::Reference {
                    name: reference.name,
                    subject: reference.subject,
                    version: reference.version,
                },
                schema: schema.text.to_string(),
            }),
            Step::Enter(referrer, reference) => {
                let (subject, version) = target(&referrer, &reference);
                let found = cache.version(&subject, version).filter(|schema| deleted.shows(schema));
                let schema = Arc::clone(found.ok_or_else(|| missing(root, &reference))?);
                if !seen.insert((subject.clone(), version)) {
                    continue;
                }
                if seen.len() > MAX_REFERENCES {
                    return Err(invalid(
                        root.schema_type,
                        &format!("more than {MAX_REFERENCES} references, direct and indirect"),
                    ));
                }
                stack.push(Step::Leave(reference, Arc::clone(&schema)));
                let nested = schema.references.iter().rev();
                stack.extend(nested.map(|nested| Step::Enter(subject.clone(), nested.clone())));
            }
        }
    }
    Ok(())
}

/// Sorted, each once: the form of references in a normalized schema.
pub(crate) fn normalized_references(references: &[Reference]) -> Vec<Reference> {
    let mut sorted = references.to_vec();
    sorted.sort();
    sorted.dedup();
    sorted
}

/// Writes the contexts of references out.
pub(crate) fn qualified_references(referrer: &str, references: &[Reference]) -> Vec<Reference> {
    references
        .iter()
        .map(|reference| Reference {
            subject: subject::qualify_with_parent(referrer, &reference.subject),
            ..reference.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::Record;

    const READING: Reading = Reading {
        form: Form::AsSent,
        strictness: Strictness::New,
    };

    const REFERRER: Referrer<'_> = Referrer {
        subject: "s",
        schema_type: "AVRO",
    };

    fn cache(schemas: &[(&str, i32, &str)]) -> Cache {
        let mut cache = Cache::default();
        for (id, (subject, version, value)) in schemas.iter().enumerate() {
            let key = format!(r#"{{"keytype":"SCHEMA","subject":"{subject}","version":{version},"magic":1}}"#);
            let value = format!(
                r#"{{"subject":"{subject}","version":{version},"id":{},{value}}}"#,
                id + 1
            );
            cache.apply(Record::parse(key.as_bytes(), Some(value.as_bytes())).unwrap(), 0);
        }
        cache
    }

    fn reference(subject: &str, version: i32) -> Reference {
        Reference {
            name: subject.to_owned(),
            subject: subject.to_owned(),
            version,
        }
    }

    #[test]
    fn the_same_text_is_parsed_once_and_the_oldest_is_forgotten() {
        let schemas = Schemas::new(2);
        let read = |text: &str| schemas.read("AVRO", text, &Resolved::default(), READING).unwrap();
        let first = read("{\"type\":\"int\"}");
        assert_eq!(&*first.text, "\"int\"");
        assert!(Arc::ptr_eq(&first, &read("{\"type\":\"int\"}")));
        read("\"long\"");
        read("\"string\"");
        assert!(!Arc::ptr_eq(&first, &read("{\"type\":\"int\"}")));
    }

    #[test]
    fn each_language_is_read_as_itself() {
        let schemas = Schemas::new(8);
        let read = |name: &str, text: &str| schemas.read(name, text, &Resolved::default(), READING);
        for (name, text, canonical) in [
            ("AVRO", "{\"type\": \"int\"}", "\"int\""),
            ("JSON", "{ \"type\": \"integer\" }", "{\"type\":\"integer\"}"),
            ("PROTOBUF", "message M { }", "\nmessage M {}\n"),
        ] {
            assert_eq!(&*read(name, text).unwrap().text, canonical);
        }
        for (name, text, refused) in [
            ("THRIFT", "{}", "Invalid schema type THRIFT"),
            (
                "JSON",
                "7",
                "Invalid schema of type JSON, details: Invalid JSON schema: expected an object or boolean at the root, \
                 found NUMBER",
            ),
            (
                "PROTOBUF",
                "message M { N n = 1; }",
                "Invalid schema of type PROTOBUF, details: Could not resolve type: N",
            ),
        ] {
            let refusal = read(name, text).unwrap_err();
            assert_eq!(refusal, Refusal::InvalidSchema(refused.to_owned()));
        }
    }

    #[test]
    fn references_come_dependencies_first_each_once() {
        let cache = cache(&[
            ("c", 1, r#""schema":"C""#),
            (
                "b",
                1,
                r#""schema":"B","references":[{"name":"c","subject":"c","version":1}]"#,
            ),
            (
                "a",
                1,
                r#""schema":"A","references":[{"name":"b","subject":"b","version":1},{"name":"c","subject":"c","version":1}]"#,
            ),
        ]);
        let resolved = resolve(
            &cache,
            REFERRER,
            &[reference("a", -1), reference("c", 1)],
            Deleted::Hidden,
        )
        .unwrap();
        let texts: Vec<&str> = resolved
            .closure
            .iter()
            .map(|reference| reference.schema.as_str())
            .collect();
        assert_eq!(texts, ["C", "B", "A"]);
        assert_eq!(resolved.references, [reference("a", 1), reference("c", 1)]);
    }

    #[test]
    fn references_that_lead_nowhere_say_so() {
        let cache = cache(&[("d", 1, r#""schema":"D","deleted":true"#)]);
        for (given, version) in [(reference("x", 1), 1), (reference("x", -1), -1), (reference("d", 1), 1)] {
            let refused = resolve(&cache, REFERRER, std::slice::from_ref(&given), Deleted::Hidden).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "Invalid schema of type AVRO, details: No schema reference found for subject \"{}\" and version {version}",
                    given.subject
                )
            );
        }
        assert!(resolve(&cache, REFERRER, &[reference("d", 1)], Deleted::Included).is_ok());
    }

    #[test]
    fn references_in_a_circle_end() {
        let cache = cache(&[
            (
                "a",
                1,
                r#""schema":"A","references":[{"name":"b","subject":"b","version":1}]"#,
            ),
            (
                "b",
                1,
                r#""schema":"B","references":[{"name":"a","subject":"a","version":1}]"#,
            ),
        ]);
        let resolved = resolve(&cache, REFERRER, &[reference("a", 1)], Deleted::Hidden).unwrap();
        assert_eq!(resolved.closure.len(), 2);
    }
}
