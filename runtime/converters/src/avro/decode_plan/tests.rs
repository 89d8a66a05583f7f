//! Avro bytes as values, and bytes that nobody wrote in good faith

use std::sync::Arc;

use weir_api::data::builder::SchemaBuilder;
use weir_api::data::schema::Schema;
use weir_api::data::value::Value;
use weir_schema::avro::parse::{ParseAvro, parse};

use super::DecodePlan;
use crate::avro::avro_to_connect::to_connect;
use crate::avro::config::DataOptions;
use crate::avro::testing::read;

fn value(schema: &str, bytes: &[u8]) -> Value {
    read(schema, bytes, &DataOptions::default()).expect("read").1
}

fn refusal(schema: &str, bytes: &[u8]) -> String {
    read(schema, bytes, &DataOptions::default())
        .expect_err("refused")
        .message
}

#[test]
fn values_of_every_type() {
    assert_eq!(value(r#""int""#, &[0x80, 1]), Value::Int32(64));
    assert_eq!(
        value(r#"{"type":"int","connect.type":"int8"}"#, &[0xD8, 0x04]),
        Value::Int8(44)
    );
    assert_eq!(
        value(r#"{"type":"int","connect.type":"int16"}"#, &[1]),
        Value::Int16(-1)
    );
    assert_eq!(value(r#""long""#, &[1]), Value::Int64(-1));
    assert_eq!(value(r#""float""#, &1.5f32.to_le_bytes()), Value::Float32(1.5));
    assert_eq!(value(r#""double""#, &1.5f64.to_le_bytes()), Value::Float64(1.5));
    assert_eq!(value(r#""boolean""#, &[1]), Value::Boolean(true));
    assert_eq!(value(r#""string""#, &[4, b'h', b'i']), "hi".into());
    assert_eq!(value(r#""bytes""#, &[4, 5]), Value::Bytes(vec![4, 5]));
    assert_eq!(value(r#"["null","bytes"]"#, &[2, 2, 5]), Value::Bytes(vec![5]));
    assert_eq!(value(r#"["string","null"]"#, &[2]), Value::Null);
    assert_eq!(value(r#"["string"]"#, &[0, 2, b'a']), "a".into());
    assert_eq!(
        value(r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, &[2]),
        "B".into()
    );
    assert_eq!(
        value(r#"{"type":"fixed","name":"F","size":2}"#, &[8, 9]),
        Value::Bytes(vec![8, 9])
    );
    assert_eq!(
        value(r#"{"type":"array","items":"int"}"#, &[2, 2, 1, 2, 4, 0]),
        Value::Array(vec![1.into(), 2.into()])
    );
    assert_eq!(
        value(r#"{"type":"map","values":"int"}"#, &[2, 2, b'k', 6, 0]),
        Value::Map(vec![("k".into(), 3.into())])
    );
}

#[test]
fn broken_text_is_replaced_as_java_does() {
    assert_eq!(value(r#""string""#, &[4, b'a', 0xFF]), "a\u{FFFD}".into());
    assert_eq!(value(r#"["null","string"]"#, &[2, 4, b'a', 0xFF]), "a\u{FFFD}".into());
}

#[test]
fn decimals_lose_repeated_signs() {
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    assert_eq!(value(decimal, &[0, 0, 0x7F]), Value::Bytes(vec![0x7F]));
    assert_eq!(value(decimal, &[0, 0x80]), Value::Bytes(vec![0, 0x80]));
    assert_eq!(value(decimal, &[0xFF, 0xFF, 0x80]), Value::Bytes(vec![0x80]));
    let fixed = r#"{"type":"fixed","name":"D","size":4,"logicalType":"decimal","precision":9}"#;
    assert_eq!(value(fixed, &[0xFF, 0xFF, 0xFF, 0xFE]), Value::Bytes(vec![0xFE]));
    assert!(refusal(decimal, &[]).contains("a decimal"));
}

#[test]
fn entries_in_either_order_are_a_map() {
    let entries = |fields: &str| {
        format!(
            r#"{{"type":"array","items":{{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{fields}]}}}}"#
        )
    };
    let key = r#"{"name":"key","type":"int"}"#;
    let own = r#"{"name":"value","type":["null","string"]}"#;
    let map = Value::Map(vec![(5.into(), "v".into()), (6.into(), Value::Null)]);
    assert_eq!(
        value(&entries(&format!("{key},{own}")), &[4, 10, 2, 2, b'v', 12, 0, 0]),
        map
    );
    assert_eq!(
        value(&entries(&format!("{own},{key}")), &[4, 2, 2, b'v', 10, 0, 12, 0]),
        map
    );
}

#[test]
fn unions_set_the_member_of_their_branch() {
    let union = r#"["null","int","string",{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}]"#;
    let set = |bytes: &[u8]| match value(union, bytes) {
        Value::Struct(value) => value.fields.iter().position(|field| !field.is_null()),
        _ => None,
    };
    assert_eq!(set(&[2, 2]), Some(0));
    assert_eq!(set(&[4, 2, b'a']), Some(1));
    assert_eq!(set(&[6, 8]), Some(2));
    assert_eq!(value(union, &[0]), Value::Null);
    assert!(refusal(union, &[8]).contains("a branch is 4"));
}

#[test]
fn hostile_bytes_are_refused() {
    let list = r#"{"type":"array","items":"int"}"#;
    for (schema, bytes, reason) in [
        (r#""int""#, [0xFFu8; 5].as_slice(), "wanted for a number"),
        (r#""int""#, &[0xFF, 0xFF, 0xFF, 0xFF, 0x1F], "an int has more bits"),
        (r#""long""#, &[0xFF; 12], "a long has more bits"),
        (r#""int""#, &[], "wanted for a number"),
        (r#""int""#, &[2, 0], "1 bytes left over"),
        (r#""boolean""#, &[2], "a boolean is 2"),
        (r#""double""#, &[0; 7], "8 bytes wanted for a double, 7 left"),
        (r#""string""#, &[10, b'a'], "5 bytes wanted"),
        (r#""string""#, &[1], "a length is -1"),
        (
            r#""string""#,
            &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
            "bytes wanted for bytes",
        ),
        (r#"["null","int"]"#, &[4], "a branch is 2"),
        (r#"["null","int"]"#, &[1], "a branch is -1"),
        (r#"{"type":"enum","name":"E","symbols":["A"]}"#, &[2], "a symbol is 1"),
        (r#"{"type":"fixed","name":"F","size":4}"#, &[1, 2], "4 bytes wanted"),
        (list, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F], "elements announced"),
        (list, &[1, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F], "the size of a block"),
        (
            list,
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0],
            "elements announced",
        ),
        (r#"{"type":"int","logicalType":"time-millis"}"#, &[1], "a time is -1"),
    ] {
        let message = refusal(schema, bytes);
        assert!(message.contains(reason), "{schema} {bytes:?}: {message}");
    }
}

#[test]
fn elements_without_bytes_cannot_make_endless_work() {
    let empty = r#"{"type":"array","items":{"type":"record","name":"R","fields":[]}}"#;
    assert!(refusal(empty, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0]).contains("room for"));
    assert!(refusal(empty, &[0x80, 0x80, 0x04, 0]).contains("room for"));
    let nested = format!(r#"{{"type":"array","items":{empty}}}"#);
    // Many inner lists, each just within the bound, share one allowance.
    let mut bytes = vec![0x80, 0x01];
    bytes.extend(std::iter::repeat_n([0xC0, 0x0C, 0], 64).flatten());
    bytes.push(0);
    assert!(refusal(&nested, &bytes).contains("room for"));
}

#[test]
fn a_small_value_cannot_grow_without_bound() {
    let symbol = "S".repeat(10_000);
    let schema = format!(r#"{{"type":"array","items":{{"type":"enum","name":"E","symbols":["{symbol}"]}}}}"#);
    let mut bytes = Vec::new();
    crate::avro::binary::push_len(&mut bytes, 10_000);
    bytes.resize(bytes.len() + 10_001, 0);
    assert!(refusal(&schema, &bytes).contains("grows beyond"));
}

#[test]
fn anything_nested_too_deep_is_refused() {
    let text = crate::avro::connect_to_avro::to_avro(None, &DataOptions::default())
        .expect("schema")
        .text;
    let level = [0, 0, 0, 0, 0, 0, 0, 2, 2];
    let bytes: Vec<u8> = std::iter::repeat_n(level, 80).flatten().collect();
    assert!(refusal(&text, &bytes).contains("nested deeper"));
    assert_eq!(value(&text, &[0; 9]), Value::Null);
    // Two fields set: the first counts, as in Java.
    assert_eq!(value(&text, &[2, 1, 0, 0, 0, 2, 6, 0, 0, 0, 0]), Value::Boolean(true));
}

#[test]
fn plans_of_other_schemas_are_refused() {
    let avro = parse(r#""int""#, &[], ParseAvro::default()).expect("schema");
    let text: Arc<Schema> = weir_api::data::builder::text();
    assert!(DecodePlan::new(&avro, Some(&text)).is_err());
    assert!(DecodePlan::new(&avro, None).is_err());
    let other = SchemaBuilder::structure().build().expect("struct");
    assert!(DecodePlan::new(&avro, Some(&other)).is_err());
    assert!(to_connect(&avro, None, &DataOptions::default()).is_ok());
}
