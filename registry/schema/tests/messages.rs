//! The registry's lists of messages, level by level

use weir_schema::compatibility::{Previous, check};
use weir_schema::level::Level;
use weir_schema::schema::{ParseOptions, ParsedSchema, Reference, ResolvedReference, SchemaType};

fn avro(text: &str) -> ParsedSchema {
    ParsedSchema::parse(SchemaType::Avro, text, &[], ParseOptions { validate: true }).expect("a schema")
}

fn record(fields: &str) -> ParsedSchema {
    avro(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#))
}

const A_INT: &str = r#"{"name":"a","type":"int"}"#;
const A_TEXT: &str = r#"{"name":"a","type":"string"}"#;
const B_INT: &str = r#"{"name":"b","type":"int"}"#;
const B_DEFAULT: &str = r#"{"name":"b","type":"int","default":0}"#;

fn fields(list: &[&str]) -> ParsedSchema {
    record(&list.join(","))
}

/// Compares with versions 1, 2, …, and returns the messages.
fn messages(level: Level, new: &ParsedSchema, old: &[&ParsedSchema]) -> Vec<String> {
    let previous: Vec<Previous<'_>> = old
        .iter()
        .zip(1..)
        .map(|(schema, version)| Previous { version, schema })
        .collect();
    check(level, new, &previous)
}

#[test]
fn a_subject_without_versions_takes_anything() {
    for level in Level::ALL {
        assert_eq!(messages(level, &fields(&[A_INT]), &[]), Vec::<String>::new());
    }
}

#[test]
fn backward_says_what_the_new_schema_lacks() {
    let found = messages(Level::Backward, &fields(&[A_INT, B_INT]), &[&fields(&[A_INT])]);
    assert_eq!(
        found,
        [
            "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new \
             schema has no default value and is missing in the old schema', additionalInfo:'b'}",
            "{oldSchemaVersion: 1}",
            r#"{oldSchema: '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'}"#,
            "{validateFields: 'false', compatibility: 'BACKWARD'}",
        ]
    );
}

#[test]
fn forward_says_what_the_old_schema_lacks() {
    let found = messages(Level::Forward, &fields(&[A_INT]), &[&fields(&[A_INT, B_INT])]);
    assert_eq!(
        found,
        [
            "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the old \
             schema has no default value and is missing in the new schema', additionalInfo:'b'}",
            "{oldSchemaVersion: 1}",
            r#"{oldSchema: '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}'}"#,
            "{validateFields: 'false', compatibility: 'FORWARD'}",
        ]
    );
}

#[test]
fn full_says_forward_then_backward_and_the_old_schema_once() {
    let found = messages(Level::Full, &fields(&[A_TEXT]), &[&fields(&[A_INT])]);
    assert_eq!(
        found,
        [
            "{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the old schema does \
             not match with the new schema', additionalInfo:'reader type: INT not compatible with writer type: STRING'}",
            "{errorType:'TYPE_MISMATCH', description:'The type (path '/fields/0/type') of a field in the new schema does \
             not match with the old schema', additionalInfo:'reader type: STRING not compatible with writer type: INT'}",
            "{oldSchemaVersion: 1}",
            r#"{oldSchema: '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'}"#,
            "{validateFields: 'false', compatibility: 'FULL'}",
        ]
    );
}

#[test]
fn full_quotes_no_schema_when_only_forward_fails() {
    let found = messages(Level::Full, &fields(&[A_INT]), &[&fields(&[A_INT, B_INT])]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("in the old schema has no default value and is missing in the new schema"));
    assert_eq!(found[1], "{validateFields: 'false', compatibility: 'FULL'}");
}

#[test]
fn each_type_of_difference_has_its_words() {
    let check = |new: &str, old: &str| messages(Level::Backward, &avro(new), &[&avro(old)]).swap_remove(0);
    assert_eq!(
        check(
            r#"{"type":"fixed","name":"F","size":4}"#,
            r#"{"type":"fixed","name":"F","size":5}"#
        ),
        "{errorType:'FIXED_SIZE_MISMATCH', description:'The size of FIXED type field at path '/size' in the new schema \
         does not match with the old schema', additionalInfo:'expected: 5, found: 4'}"
    );
    assert_eq!(
        check(
            r#"{"type":"fixed","name":"F","size":4}"#,
            r#"{"type":"fixed","name":"n.G","size":4}"#
        ),
        "{errorType:'NAME_MISMATCH', description:'The name of the schema has changed (path '/name')', \
         additionalInfo:'expected: n.G'}"
    );
    assert_eq!(
        check(
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            r#"{"type":"enum","name":"E","symbols":["C","B","A"]}"#
        ),
        "{errorType:'MISSING_ENUM_SYMBOLS', description:'The new schema is missing enum symbols '[B, C]' at path \
         '/symbols' in the old schema', additionalInfo:'[B, C]'}"
    );
    assert_eq!(
        check(r#"["null","string"]"#, r#"["null","int"]"#),
        "{errorType:'MISSING_UNION_BRANCH', description:'The new schema is missing a type inside a union field at path \
         '/1' in the old schema', additionalInfo:'reader union lacking writer type: INT'}"
    );
    assert_eq!(
        check("\"int\"", "\"long\""),
        "{errorType:'TYPE_MISMATCH', description:'The type (path '/') of a field in the new schema does not match with \
         the old schema', additionalInfo:'reader type: INT not compatible with writer type: LONG'}"
    );
}

#[test]
fn an_ambiguous_alias_is_an_error_of_the_check() {
    let new = record(r#"{"name":"b","type":"int","aliases":["a"]}"#);
    let found = messages(Level::Backward, &new, &[&fields(&[A_INT, B_INT])]);
    assert_eq!(
        found[0],
        "Unexpected exception during compatibility check: Reader record field b type:INT pos:0 matches multiple fields \
         in writer record schema {\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},\
         {\"name\":\"b\",\"type\":\"int\"}]}"
    );
}

#[test]
fn only_the_newest_version_counts_without_transitivity() {
    let versions = [&fields(&[A_TEXT]), &fields(&[A_INT]), &fields(&[A_INT, B_DEFAULT])];
    let new = fields(&[A_INT, B_DEFAULT]);
    for level in [Level::Backward, Level::Forward, Level::Full] {
        assert_eq!(messages(level, &new, &versions), Vec::<String>::new(), "{level}");
    }
    for level in [
        Level::BackwardTransitive,
        Level::ForwardTransitive,
        Level::FullTransitive,
    ] {
        let found = messages(level, &new, &versions);
        assert!(found[0].contains("TYPE_MISMATCH"), "{found:?}");
        assert_eq!(
            found.last().map(String::as_str),
            Some(&*format!("{{validateFields: 'false', compatibility: '{level}'}}"))
        );
    }
}

#[test]
fn transitive_stops_at_the_newest_version_that_fails() {
    let versions = [&fields(&[A_TEXT]), &fields(&[A_TEXT, B_INT]), &fields(&[A_INT])];
    let found = messages(Level::BackwardTransitive, &fields(&[A_INT]), &versions);
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(found[1], "{oldSchemaVersion: 2}");
}

#[test]
fn none_compares_nothing() {
    assert_eq!(
        messages(Level::None, &fields(&[A_INT]), &[&fields(&[A_TEXT])]),
        Vec::<String>::new()
    );
}

#[test]
fn a_long_old_schema_is_cut() {
    let doc = |length: usize| {
        format!(
            r#"{{"type":"record","name":"R","doc":"{}","fields":[{A_TEXT}]}}"#,
            "d".repeat(length)
        )
    };
    let whole = 10 * 1024 - doc(0).len();
    let quote = |length: usize| messages(Level::Backward, &fields(&[A_INT]), &[&avro(&doc(length))]).swap_remove(2);
    assert_eq!(quote(whole), format!("{{oldSchema: '{}'}}", doc(whole)));
    assert_eq!(
        quote(whole + 1),
        format!("{{oldSchema: <truncated> '{}...'}}", &doc(whole + 1)[..10 * 1024])
    );
}

#[test]
fn a_schema_with_references_is_quoted_as_it_is_stored() {
    let reference = Reference {
        name: "n.S".to_owned(),
        subject: "s".to_owned(),
        version: 1,
    };
    let text = r#"{"type":"record","name":"n.S","fields":[{"name":"x","type":"int"}]}"#;
    let resolved = [ResolvedReference {
        reference,
        schema: text.to_owned(),
    }];
    let old = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"n.S"}]}"#;
    let old = ParsedSchema::parse(SchemaType::Avro, old, &resolved, ParseOptions { validate: true }).expect("a schema");
    let found = messages(Level::Backward, &fields(&[A_INT]), &[&old]);
    assert_eq!(
        found[2],
        r#"{oldSchema: '{"type":"record","name":"R","fields":[{"name":"a","type":"n.S"}]}'}"#
    );
    assert_eq!(
        old.resolved_text(),
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"S","namespace":"n","fields":[{"name":"x","type":"int"}]}}]}"#
    );
}

#[test]
fn levels_have_names_in_any_case() {
    for level in Level::ALL {
        assert_eq!(Level::parse(level.as_str()), Some(level));
        assert_eq!(Level::parse(&level.to_string().to_lowercase()), Some(level));
    }
    assert_eq!(Level::parse("Full_Transitive"), Some(Level::FullTransitive));
    assert_eq!(Level::parse("FULLTRANSITIVE"), None);
    assert_eq!(Level::parse(""), None);
    assert_eq!(Level::default(), Level::Backward);
}

#[test]
fn types_have_names_and_each_is_parsed() {
    for (name, schema_type) in [
        ("AVRO", SchemaType::Avro),
        ("JSON", SchemaType::Json),
        ("PROTOBUF", SchemaType::Protobuf),
    ] {
        assert_eq!(SchemaType::parse(name), Some(schema_type));
        assert_eq!(schema_type.to_string(), name);
    }
    assert_eq!(SchemaType::parse("avro"), None);
    for (schema_type, text) in [
        (SchemaType::Avro, r#""string""#),
        (SchemaType::Json, r#"{"type": "string"}"#),
        (SchemaType::Protobuf, "message A {}"),
    ] {
        let parsed = ParsedSchema::parse(schema_type, text, &[], ParseOptions::default()).expect("a schema");
        assert_eq!(parsed.schema_type(), schema_type);
        ParsedSchema::parse(schema_type, "{", &[], ParseOptions::default()).expect_err("no schema");
    }
}

#[test]
fn only_records_have_names() {
    assert_eq!(
        avro(r#"{"type":"record","name":"a.R","fields":[]}"#).name(),
        Some("a.R".to_owned())
    );
    assert_eq!(avro(r#"{"type":"enum","name":"a.E","symbols":[]}"#).name(), None);
    assert_eq!(avro("\"int\"").name(), None);
}
