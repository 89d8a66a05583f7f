//! JSON Schema and Protobuf against the answers of Confluent's registry
//!
//! `data/pairs.jsonl`: what the registry's own libraries (8.5) say of a pair, each way; `data/forms.jsonl`: the texts
//! that they store. Both are answers of the real thing, so nothing in them is to be adjusted to this crate.

use serde_json::Value;
use weir_schema::compatibility::{Policy, Previous, changes, check};
use weir_schema::level::Level;
use weir_schema::schema::{ParseOptions, ParsedSchema, Reference, ResolvedReference, SchemaType};

const PAIRS: &str = include_str!("data/pairs.jsonl");
const FORMS: &str = include_str!("data/forms.jsonl");

fn rows(table: &str) -> Vec<Value> {
    table
        .lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_else(|| panic!("{field} of {row}"))
}

fn list(row: &Value, field: &str) -> Vec<String> {
    let items = row[field].as_array().unwrap_or_else(|| panic!("{field} of {row}"));
    items
        .iter()
        .map(|item| item.as_str().expect("text").to_owned())
        .collect()
}

fn parse(schema_type: &str, row: &Value) -> Result<ParsedSchema, String> {
    let references: Vec<ResolvedReference> = row["refs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|reference| ResolvedReference {
            reference: Reference {
                name: text(reference, "name").to_owned(),
                subject: text(reference, "subject").to_owned(),
                version: reference["version"]
                    .as_i64()
                    .and_then(|n| i32::try_from(n).ok())
                    .expect("a version"),
            },
            schema: text(reference, "schema").to_owned(),
        })
        .collect();
    let schema_type = SchemaType::parse(schema_type).expect("a language");
    ParsedSchema::parse(
        schema_type,
        text(row, "schema"),
        &references,
        ParseOptions { validate: true },
    )
    .map_err(|error| error.to_string())
}

/// The messages against an update, sorted, with the words that the registry fills in left open.
fn against(policy: Policy, old: &ParsedSchema, new: &ParsedSchema) -> Vec<String> {
    let found = changes(policy, old, new, ["%s", "%s"]).expect("compared");
    let mut messages: Vec<String> = found
        .into_iter()
        .filter(|change| !change.is_compatible)
        .map(|change| change.message)
        .collect();
    messages.sort();
    messages
}

fn fail(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_pair_is_judged_as_the_registry_judges_it() {
    let rows = rows(PAIRS);
    assert!(rows.len() >= 400, "{} pairs", rows.len());
    let mut wrong = Vec::new();
    for row in &rows {
        let (schema_type, name) = (text(row, "type"), text(row, "name"));
        let both = parse(schema_type, &row["old"]).and_then(|old| Ok((old, parse(schema_type, &row["new"])?)));
        let (old, new) = match both {
            Ok(both) => both,
            Err(error) => {
                wrong.push(format!("{schema_type} {name}: {error}"));
                continue;
            }
        };
        let lenient = if row["lenient"].is_null() {
            "backward"
        } else {
            "lenient"
        };
        for (field, policy, from, to) in [
            ("backward", Policy::Strict, &old, &new),
            ("forward", Policy::Strict, &new, &old),
            (lenient, Policy::Lenient, &old, &new),
        ] {
            let (found, expected) = (against(policy, from, to), list(row, field));
            if found != expected {
                wrong.push(format!(
                    "{schema_type} {name}, {field}: {found:#?}\n  expected {expected:#?}"
                ));
            }
        }
    }
    fail(&wrong);
}

#[test]
fn every_text_is_stored_as_the_registry_stores_it() {
    let mut wrong = Vec::new();
    for row in rows(FORMS) {
        let (schema_type, name) = (text(&row, "type"), text(&row, "name"));
        let parsed = parse(schema_type, &row);
        let is_invalid = !row["invalid"].is_null();
        let schema = match parsed {
            Err(_) if is_invalid => continue,
            Err(error) => {
                wrong.push(format!("{schema_type} {name}: {error}"));
                continue;
            }
            Ok(_) if is_invalid => {
                wrong.push(format!("{schema_type} {name}: read, but {}", row["invalid"]));
                continue;
            }
            Ok(schema) => schema,
        };
        let mut same = |what: &str, found: &str| {
            let expected = text(&row, what);
            if found != expected {
                wrong.push(format!(
                    "{schema_type} {name}, {what}:\n{found}\n  expected\n{expected}"
                ));
            }
        };
        same("canonical", &schema.canonical_text());
        same("normalized", &schema.normalized_text());
        if let Some(format) = row["format"].as_str() {
            same("formatted", &schema.formatted_text(format).expect("formatted"));
        }
    }
    fail(&wrong);
}

#[test]
fn printed_texts_are_read_as_the_same_schema() {
    for row in rows(FORMS).iter().filter(|row| row["invalid"].is_null()) {
        let (schema_type, name) = (text(row, "type"), text(row, "name"));
        // A default of bytes is printed without quotes, in the registry too.
        if name == "proto2" {
            continue;
        }
        for form in ["canonical", "normalized"] {
            let mut again = row.clone();
            again["schema"] = row[form].clone();
            let schema = parse(schema_type, &again).unwrap_or_else(|error| panic!("{name}, {form}: {error}"));
            if form == "canonical" {
                assert_eq!(schema.canonical_text(), text(row, form), "{name}");
            }
            let normalized = schema.normalized_text();
            assert_eq!(normalized, text(row, "normalized"), "{name}, {form}");
        }
    }
}

#[test]
fn a_schema_is_compatible_with_itself_at_every_level() {
    for row in rows(PAIRS) {
        for side in ["old", "new"] {
            let schema = parse(text(&row, "type"), &row[side]).expect("a schema");
            let previous = [Previous {
                version: 1,
                schema: &schema,
            }];
            for level in Level::ALL {
                assert_eq!(check(level, &schema, &previous), Vec::<String>::new(), "{row} {level}");
            }
        }
    }
}

#[test]
fn full_is_backward_and_forward_and_transitive_is_each_version() {
    for row in rows(PAIRS) {
        let schema_type = text(&row, "type");
        let old = parse(schema_type, &row["old"]).expect("a schema");
        let new = parse(schema_type, &row["new"]).expect("a schema");
        let versions = [(1, &new), (2, &old), (3, &new)].map(|(version, schema)| Previous { version, schema });
        let is_taken = |level: Level, previous: &[Previous<'_>]| check(level, &new, previous).is_empty();
        let [backward, forward, full] =
            [Level::Backward, Level::Forward, Level::Full].map(|level| is_taken(level, &versions[1..2]));
        assert_eq!(full, backward && forward, "{row}");
        for (transitive, pairwise) in [
            (Level::BackwardTransitive, backward),
            (Level::ForwardTransitive, forward),
            (Level::FullTransitive, full),
        ] {
            assert_eq!(is_taken(transitive, &versions), pairwise, "{row} {transitive}");
        }
        // The newest version is the schema itself.
        assert!(is_taken(Level::Full, &versions), "{row}");
    }
}

#[test]
fn messages_name_the_schemas_and_quote_the_old_one() {
    let parse = |schema_type, text: &str| ParsedSchema::parse(schema_type, text, &[], ParseOptions::default());
    let old = parse(SchemaType::Json, r#"{ "type": "integer" }"#).expect("a schema");
    let new = parse(SchemaType::Json, r#"{"type":"string"}"#).expect("a schema");
    let previous = [Previous {
        version: 4,
        schema: &old,
    }];
    assert_eq!(
        check(Level::Full, &new, &previous),
        [
            "{errorType:\"TYPE_CHANGED\", description:\"A type at path '#/' is different between the old schema and the \
             new schema'}",
            "{errorType:\"TYPE_CHANGED\", description:\"A type at path '#/' is different between the new schema and the \
             old schema'}",
            "{oldSchemaVersion: 4}",
            "{oldSchema: '{\"type\":\"integer\"}'}",
            "{validateFields: 'false', compatibility: 'FULL'}",
        ]
    );
    let other = parse(SchemaType::Protobuf, "message M {}").expect("a schema");
    assert_eq!(
        check(Level::Backward, &other, &previous),
        [
            "Incompatible because of different schema type",
            "{validateFields: 'false', compatibility: 'BACKWARD'}"
        ]
    );
    assert_eq!(check(Level::None, &other, &previous), Vec::<String>::new());
}

#[test]
fn messages_are_found_by_indexes_and_named_by_them() {
    let text = "package p; message A { message B {} enum E { Z = 0; } message C { message D {} } } message F {}";
    let parsed = ParsedSchema::parse(SchemaType::Protobuf, text, &[], ParseOptions::default()).expect("a schema");
    let ParsedSchema::Protobuf(schema) = &parsed else {
        panic!("not Protobuf");
    };
    for (name, indexes) in [
        ("p.A", vec![0]),
        ("p.A.B", vec![0, 0]),
        ("p.A.C", vec![0, 1]),
        ("p.A.C.D", vec![0, 1, 0]),
        ("p.F", vec![1]),
    ] {
        assert_eq!(schema.message_indexes(name), Some(indexes.clone()));
        assert_eq!(schema.message_name(&indexes).as_deref(), Some(name));
    }
    assert_eq!(schema.message_name(&[]).as_deref(), Some("p.A"));
    for name in ["p.G", "A", "p.A.E", "q.A"] {
        assert_eq!(schema.message_indexes(name), None, "{name}");
    }
    assert_eq!(schema.message_name(&[0, 7]), None);
    assert_eq!(schema.message_name(&[-1]), None);
    assert_eq!(parsed.name().as_deref(), Some("p.A"));
}

#[test]
fn a_serialized_schema_is_read_again_as_the_same() {
    let text = "syntax = \"proto3\"; package p; import \"google/type/date.proto\"; import \"d.proto\"; \
                message M { google.type.Date a = 1; D d = 2; repeated int32 r = 3; oneof o { string s = 4; } }";
    let references = [ResolvedReference {
        reference: Reference {
            name: "d.proto".to_owned(),
            subject: "d".to_owned(),
            version: 1,
        },
        schema: "syntax = \"proto3\"; package p; message D { int32 a = 1; }".to_owned(),
    }];
    let options = ParseOptions { validate: true };
    let schema = ParsedSchema::parse(SchemaType::Protobuf, text, &references, options).expect("a schema");
    let serialized = schema.formatted_text("SERIALIZED").expect("serialized");
    let again = ParsedSchema::parse(SchemaType::Protobuf, &serialized, &references, options).expect("a descriptor");
    assert_eq!(changes(Policy::Strict, &schema, &again, ["new", "old"]), Ok(Vec::new()));
    let ParsedSchema::Protobuf(schema) = &schema else {
        panic!("not Protobuf");
    };
    let set = weir_schema::protobuf::compile::descriptors(schema).expect("descriptors");
    let names: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["google/type/date.proto", "d.proto", "default"]);
}
