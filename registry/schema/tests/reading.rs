//! What the tables cannot say: errors that differ from Java's, bounds of numbers and texts, schemas made by hand

use weir_schema::avro::parse::{ParseAvro, parse};
use weir_schema::avro::{canonical, schema::AvroSchema, schema::Kind, schema::Name, schema::Node, schema::NodeId};
use weir_schema::avro::{normalize, schema::Field, schema::Order, schema::Record};
use weir_schema::error::SchemaError;

fn read(text: &str) -> Result<AvroSchema, SchemaError> {
    parse(text, &[], ParseAvro { validate: true })
}

fn refusal(text: &str) -> String {
    read(text).expect_err("no schema").to_string()
}

#[test]
fn an_unknown_name_is_named() {
    // Java answers with the name of its stand-in, UnresolvedSchema_7, when the whole schema is the unknown name.
    for text in [
        r#""Foo""#,
        r#"{"type":"Foo"}"#,
        r#"["null","Foo"]"#,
        r#"{"type":"array","items":"Foo"}"#,
    ] {
        assert_eq!(refusal(text), "Undefined schema: Foo");
    }
    assert_eq!(
        refusal(r#"{"type":"record","name":"n.R","fields":[{"name":"a","type":"Foo"}]}"#),
        "Undefined schema: n.Foo"
    );
    assert_eq!(
        refusal(r#"{"type":"record","name":"R","fields":[{"name":"a","type":"strng","default":"x"}]}"#),
        r#"Invalid default for field a: "x" not a "strng""#
    );
    assert_eq!(refusal(r#"["Foo",["int"]]"#), r#"Nested union: ["Foo",["int"]]"#);
}

#[test]
fn a_record_within_itself_is_refused() {
    // Java 1.12 takes it and prints a recursion; 1.11 refuses it too.
    let text =
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}"#;
    assert_eq!(refusal(text), "Can't redefine: R");
}

#[test]
fn what_is_no_json_is_placed() {
    for (text, error) in [
        (
            "{\"type\":\n  'int'}",
            "Unexpected character (''' (code 39)): expected a valid value (JSON String, Number, Array, Object or token) at line 2, column 3",
        ),
        (
            "{\"type\" \"int\"}",
            "Unexpected character ('\"' (code 34)): was expecting a colon to separate field name and value at line 1, column 9",
        ),
        (
            "[\"int\" \"long\"]",
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Array entries at line 1, column 8",
        ),
        (
            "{\"type\":\"int\"",
            "Unexpected end-of-input: was expecting comma to separate Object entries at line 1, column 14",
        ),
        (
            "\"int",
            "Unexpected end-of-input: was expecting closing quote for a string value at line 1, column 5",
        ),
        (
            "int",
            "Unrecognized token 'int': was expecting 'null', 'true' or 'false' at line 1, column 1",
        ),
        (
            "[01]",
            "Invalid numeric value: Leading zeroes not allowed at line 1, column 4",
        ),
        ("[1e400]", "Numeric value out of range at line 1, column 7"),
        (
            "[\"\\ud800\"]",
            "Unpaired surrogate in a character escape at line 1, column 9",
        ),
        (
            "[\"\\x\"]",
            "Unexpected character ('x' (code 120)): Unrecognized character escape at line 1, column 4",
        ),
        ("/* int", "Unexpected end-of-input in a comment at line 1, column 1"),
        (
            "{\"type\":\"int\",\"a\":-}",
            "Unexpected character ('}' (code 125)): expected digit (0-9) to follow minus sign, for valid numeric value at line 1, column 20",
        ),
    ] {
        assert_eq!(read(text), Err(SchemaError::Json(error.to_owned())), "{text}");
    }
}

#[test]
fn numbers_keep_their_kind() {
    for (text, printed) in [
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("36893488147419103232", "3.6893488147419103E19"),
        ("1.7976931348623157e308", "1.7976931348623157E308"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1E-3", "0.001"),
        ("9.99e-4", "9.99E-4"),
    ] {
        let schema = read(&format!(r#"{{"type":"int","x":{text}}}"#)).expect("a schema");
        assert_eq!(
            canonical::canonical_text(&schema),
            format!(r#"{{"type":"int","x":{printed}}}"#)
        );
    }
    let long = format!(r#"{{"type":"int","x":{}}}"#, "1".repeat(1001));
    assert_eq!(
        read(&long),
        Err(SchemaError::Limit(
            "Number value length exceeds the maximum (1000)".to_owned()
        ))
    );
}

#[test]
fn the_tree_tells_what_the_text_says() {
    let schema = read(
        r#"{"type":"record","name":"n.R","aliases":["S","m.T"],"fields":[
            {"name":"a","type":["null","R"],"default":null,"order":"descending"},
            {"name":"b","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}}]}"#,
    )
    .expect("a schema");
    let Kind::Record(record) = &schema.root_node().kind else {
        panic!("a record")
    };
    assert_eq!(record.name, Name::new("n.R", None));
    assert_eq!(record.aliases, [Name::new("S", Some("n")), Name::new("m.T", None)]);
    let [a, b] = &record.fields[..] else {
        panic!("two fields")
    };
    assert_eq!(
        (a.order, a.default.clone()),
        (Order::Descending, Some(serde_json::Value::Null))
    );
    let Kind::Union(branches) = &schema.node(a.schema).kind else {
        panic!("a union")
    };
    assert_eq!(branches.last(), Some(&schema.root), "a recursion is the same node");
    let b = schema.node(b.schema);
    assert_eq!(
        (b.kind.type_name(), b.text_prop("logicalType"), b.prop("scale")),
        ("bytes", Some("decimal"), Some(&2.into()))
    );
    assert_eq!(schema.node(NodeId(99)).kind, Kind::Null, "an id of another schema");
}

#[test]
fn a_tree_made_by_hand_is_printed_and_read_again() {
    let mut schema = AvroSchema::empty();
    let record = schema.push(Node::of(Kind::Null));
    let union = schema.push(Node::of(Kind::Union(vec![NodeId(0), record])));
    let next = Field {
        name: "next".to_owned(),
        schema: union,
        default: Some(serde_json::Value::Null),
        doc: None,
        order: Order::Ascending,
        aliases: Vec::new(),
        props: Vec::new(),
    };
    let name = Name::new("List", Some("n"));
    let kind = Kind::Record(Record {
        name,
        aliases: Vec::new(),
        doc: None,
        fields: vec![next],
        is_error: false,
    });
    schema.set(
        record,
        Node {
            kind,
            props: vec![("connect.name".to_owned(), "n.List".into())],
        },
    );
    schema.root = record;
    let text = r#"{"type":"record","name":"List","namespace":"n","fields":[{"name":"next","type":["null","List"],"default":null}],"connect.name":"n.List"}"#;
    assert_eq!(canonical::canonical_text(&schema), text);
    assert_eq!(normalize::normalized_text(&schema), text);
    assert_eq!(canonical::canonical_text(&read(text).expect("a schema")), text);
}

#[test]
fn stored_schemas_are_read_as_they_are() {
    // Names and defaults that a new schema may not have.
    for text in [
        r#"{"type":"record","name":"Größe","fields":[]}"#,
        r#"{"type":"record","name":"R","namespace":"a-b","fields":[]}"#,
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}"#,
    ] {
        assert!(read(text).is_err(), "{text}");
        let stored = parse(text, &[], ParseAvro { validate: false }).expect("a stored schema");
        assert_eq!(canonical::canonical_text(&stored), text);
    }
}

/// Texts that must be read or refused by us and by apache-avro alike.
const SHARED: [(&str, bool); 22] = [
    (r#""int""#, true),
    (r#"{"type":"long","logicalType":"timestamp-millis"}"#, true),
    (r#"["null","string"]"#, true),
    (r#"{"type":"array","items":["null","int"]}"#, true),
    (r#"{"type":"map","values":"bytes"}"#, true),
    (r#"{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}"#, true),
    (r#"{"type":"fixed","name":"F","size":16}"#, true),
    (
        r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#,
        true,
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"],"default":null}]}"#,
        true,
    ),
    (
        r#"{"type":"record","name":"n.R","doc":"d","aliases":["S"],"fields":[{"name":"a","type":"int","aliases":["b"],"order":"ignore"}]}"#,
        true,
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"m.S","fields":[]}},{"name":"b","type":"m.S"}]}"#,
        true,
    ),
    (r#""Foo""#, false),
    (r#"{"type":"record","name":"R"}"#, false),
    (r#"{"type":"record","fields":[]}"#, false),
    (r#"{"type":"record","name":"a-b","fields":[]}"#, false),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
        false,
    ),
    (
        r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}"#,
        false,
    ),
    (r#"{"type":"enum","name":"E","symbols":["A","A"]}"#, false),
    (r#"{"type":"enum","name":"E","symbols":["a-b"]}"#, false),
    (r#"["null",["int"]]"#, false),
    (r#"["int","int"]"#, false),
    (r#"{"type":"fixed","name":"F"}"#, false),
];

#[test]
fn apache_avro_reads_and_refuses_the_same() {
    for (text, is_schema) in SHARED {
        assert_eq!(read(text).is_ok(), is_schema, "{text}");
        assert_eq!(
            apache_avro::Schema::parse_str(text).is_ok(),
            is_schema,
            "apache-avro: {text}"
        );
    }
}
