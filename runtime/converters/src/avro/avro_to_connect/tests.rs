//! Schemas that others wrote, as Confluent's converter reads them

use std::sync::Arc;

use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::value::Value;
use weir_schema::avro::parse::{ParseAvro, parse};

use super::to_connect;
use crate::avro::config::DataOptions;
use crate::avro::testing::schema_of;

fn check(text: &str, expected: Arc<Schema>) {
    assert_eq!(schema_of(text, &DataOptions::default()), Ok(Some(expected)), "{text}");
}

fn refusal(text: &str) -> String {
    schema_of(text, &DataOptions::default()).expect_err("refused").message
}

fn build(builder: SchemaBuilder) -> Arc<Schema> {
    builder.build().expect("schema")
}

const FLAG: &str = "io.confluent.connect.avro.field.default";

#[test]
fn bare_types() {
    check(r#""int""#, builder::int32());
    check(r#""long""#, builder::int64());
    check(r#""float""#, builder::float32());
    check(r#""double""#, builder::float64());
    check(r#""boolean""#, builder::boolean());
    check(r#""string""#, builder::text());
    check(r#""bytes""#, builder::bytes());
    check(r#"{"type":"int","connect.type":"int8"}"#, builder::int8());
    check(r#"{"type":"int","connect.type":"int16"}"#, builder::int16());
    check(r#"["null","string"]"#, builder::optional_text());
    check(r#"["string","null"]"#, builder::optional_text());
    check(r#"["string"]"#, builder::text());
}

#[test]
fn logical_types() {
    check(r#"{"type":"int","logicalType":"date"}"#, logical::date());
    check(r#"{"type":"int","logicalType":"time-millis"}"#, logical::time());
    check(
        r#"{"type":"long","logicalType":"timestamp-millis"}"#,
        logical::timestamp(),
    );
    check(r#"{"type":"long","logicalType":"timestamp-micros"}"#, builder::int64());
    check(r#"{"type":"long","logicalType":"time-micros"}"#, builder::int64());
    check(r#"{"type":"string","logicalType":"uuid"}"#, builder::text());
    check(
        r#"{"type":"bytes","logicalType":"decimal","precision":64,"scale":3}"#,
        logical::decimal(3),
    );
    check(
        r#"{"type":"bytes","logicalType":"decimal","precision":9}"#,
        build(
            SchemaBuilder::new(SchemaType::Bytes)
                .name("org.apache.kafka.connect.data.Decimal")
                .version(1)
                .parameter("scale", "0")
                .parameter("connect.decimal.precision", "9"),
        ),
    );
}

#[test]
fn records_and_their_docs() {
    check(
        r#"{"type":"record","name":"C","namespace":"a.b","doc":"rd","fields":[{"name":"x","type":"int","doc":"fd"}],"connect.doc":"cd","connect.version":3,"connect.parameters":{"p":"q"}}"#,
        build(
            SchemaBuilder::structure()
                .name("a.b.C")
                .version(3)
                .doc("cd")
                .parameter("io.confluent.connect.avro.record.doc", "rd")
                .parameter("io.confluent.connect.avro.field.doc.x", "fd")
                .parameter("p", "q")
                .field("x", builder::int32()),
        ),
    );
    check(
        r#"{"type":"record","name":"ConnectDefault2","namespace":"io.confluent.connect.avro","fields":[]}"#,
        build(SchemaBuilder::structure()),
    );
    check(
        r#"{"type":"record","name":"C","fields":[],"connect.name":"other.Name"}"#,
        build(SchemaBuilder::structure().name("other.Name")),
    );
}

#[test]
fn defaults_of_fields() {
    let record = |field: &str| format!(r#"{{"type":"record","name":"R","fields":[{field}]}}"#);
    let of = |schema: SchemaBuilder| build(SchemaBuilder::structure().name("R").field("f", build(schema)));
    check(
        &record(r#"{"name":"f","type":"int","default":5}"#),
        of(SchemaBuilder::new(SchemaType::Int32)
            .default_value(5)
            .parameter(FLAG, "true")),
    );
    check(
        &record(r#"{"name":"f","type":{"type":"int","connect.default":4},"default":5}"#),
        of(SchemaBuilder::new(SchemaType::Int32).default_value(5)),
    );
    // Of a union with null only Connect's own default counts.
    check(
        &record(r#"{"name":"f","type":["string","null"],"default":"x"}"#),
        of(SchemaBuilder::new(SchemaType::Text).optional()),
    );
    check(
        &record(r#"{"name":"f","type":[{"type":"string","connect.default":"x"},"null"],"default":"x"}"#),
        of(SchemaBuilder::new(SchemaType::Text).optional().default_value("x")),
    );
    check(
        &record(r#"{"name":"f","type":{"type":"array","items":"int"},"default":[1]}"#),
        of(SchemaBuilder::array(builder::int32())
            .default_value(Value::Array(vec![1.into()]))
            .parameter(FLAG, "true")),
    );
    check(
        &record(r#"{"name":"f","type":{"type":"map","values":"int"},"default":{"a":1}}"#),
        of(SchemaBuilder::map(builder::text(), builder::int32())
            .default_value(Value::Map(vec![("a".into(), 1.into())]))
            .parameter(FLAG, "true")),
    );
    // What does not fit is left out.
    check(
        &record(r#"{"name":"f","type":"int","default":"five"}"#),
        of(SchemaBuilder::new(SchemaType::Int32).parameter(FLAG, "true")),
    );
}

#[test]
fn a_record_may_be_a_default() {
    let text = r#"{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"record","name":"In","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":"q"}]},"default":{"a":1}}]}"#;
    let schema = schema_of(text, &DataOptions::default())
        .expect("schema")
        .expect("struct");
    let (_, field) = schema.field("f").expect("field");
    let Some(Value::Struct(default)) = &field.schema.default else {
        panic!("no default: {:?}", field.schema)
    };
    assert_eq!(default.fields, [Value::Int32(1), "q".into()]);
}

#[test]
fn enums_become_texts_with_parameters() {
    let text = r#"{"type":"enum","name":"Suit","namespace":"x","doc":"cards","symbols":["A","B"],"default":"A"}"#;
    check(
        text,
        build(
            SchemaBuilder::new(SchemaType::Text)
                .name("x.Suit")
                .parameter("io.confluent.connect.avro.enum.doc.Suit", "cards")
                .parameter("io.confluent.connect.avro.enum.default.Suit", "A")
                .parameter("io.confluent.connect.avro.Enum", "x.Suit")
                .parameter("io.confluent.connect.avro.Enum.A", "A")
                .parameter("io.confluent.connect.avro.Enum.B", "B"),
        ),
    );
    let generalized = DataOptions {
        generalized: true,
        meta_data: false,
        ..DataOptions::default()
    };
    assert_eq!(
        schema_of(text, &generalized),
        Ok(Some(build(
            SchemaBuilder::new(SchemaType::Text)
                .name("x.Suit")
                .parameter("org.apache.kafka.connect.data.Enum", "x.Suit")
                .parameter("org.apache.kafka.connect.data.Enum.A", "0")
                .parameter("org.apache.kafka.connect.data.Enum.B", "1"),
        )))
    );
}

#[test]
fn unions_become_structs_of_optional_members() {
    let text = r#"["null","int",{"type":"record","name":"R","namespace":"n","fields":[]},{"type":"fixed","name":"F","namespace":"n","size":2}]"#;
    let record = build(SchemaBuilder::structure().name("n.R").optional());
    let fixed = build(
        SchemaBuilder::new(SchemaType::Bytes)
            .name("n.F")
            .parameter("connect.fixed.size", "2")
            .optional(),
    );
    let union = |name: &str, names: [&str; 3]| {
        SchemaBuilder::structure()
            .name(name)
            .field(names[0], builder::optional_int32())
            .field(names[1], Arc::clone(&record))
            .field(names[2], Arc::clone(&fixed))
            .optional()
    };
    check(text, build(union("io.confluent.connect.avro.Union", ["int", "R", "F"])));
    let enhanced = DataOptions {
        enhanced: true,
        ..DataOptions::default()
    };
    assert_eq!(
        schema_of(text, &enhanced),
        Ok(Some(build(union(
            "io.confluent.connect.avro.Union",
            ["int", "n.R", "n.F"]
        ))))
    );
    let generalized = DataOptions {
        generalized: true,
        ..DataOptions::default()
    };
    let names = [
        "connect_union_field_1",
        "connect_union_field_2",
        "connect_union_field_3",
    ];
    assert_eq!(
        schema_of(text, &generalized),
        Ok(Some(build(
            union("connect_union_0", names).parameter("org.apache.kafka.connect.data.Union", "connect_union_0")
        )))
    );
    let kept = DataOptions {
        flatten_singletons: false,
        ..DataOptions::default()
    };
    assert_eq!(
        schema_of(r#"["int"]"#, &kept),
        Ok(Some(build(
            SchemaBuilder::structure()
                .name("io.confluent.connect.avro.Union")
                .field("int", builder::optional_int32())
        )))
    );
}

#[test]
fn maps_of_entries_are_maps() {
    let entry = |more: &str, name: &str| {
        format!(
            r#"{{"type":"array","items":{{"type":"record","name":"{name}","fields":[{{"name":"key","type":"int"}},{{"name":"value","type":"string"}}]{more}}}}}"#
        )
    };
    check(
        &entry(r#","connect.internal.type":"MapEntry""#, "a.Other"),
        build(SchemaBuilder::map(builder::int32(), builder::text())),
    );
    check(
        &entry("", "io.confluent.connect.avro.MapEntry"),
        build(SchemaBuilder::map(builder::int32(), builder::text())),
    );
    let list = schema_of(&entry("", "Plain"), &DataOptions::default())
        .expect("schema")
        .expect("list");
    assert_eq!(list.base, SchemaType::Array);
    let broken =
        r#"{"type":"array","items":{"type":"record","name":"io.confluent.connect.avro.MapEntry","fields":[]}}"#;
    assert!(refusal(broken).starts_with("Found map encoded as array of key-value pairs"));
}

#[test]
fn what_connect_cannot_express_is_refused() {
    assert_eq!(
        refusal(r#""null""#),
        "Standalone null schemas are not supported by this converter"
    );
    assert_eq!(
        refusal(r#"{"type":"record","name":"n.L","fields":[{"name":"next","type":["null","n.L"],"default":null}]}"#),
        "Avro record n.L contains itself; recursive schemas are not supported"
    );
    assert_eq!(
        refusal(r#"[{"type":"record","name":"a.R","fields":[]},{"type":"record","name":"b.R","fields":[]}]"#),
        "Multiple union schemas map to the Connect union field name"
    );
    assert!(refusal(r#"{"type":"string","connect.version":"x"}"#).starts_with("Invalid Connect version found"));
    assert!(refusal(r#"{"type":"string","connect.parameters":{"a":1}}"#).contains("to be strings"));
    assert!(refusal(r#"{"type":"int","logicalType":"date","connect.version":2}"#).starts_with("Mismatched versions"));
    assert!(refusal(r#"{"type":"int","logicalType":"date","connect.name":"x"}"#).starts_with("Mismatched names"));
}

#[test]
fn a_small_schema_cannot_stand_for_endless_ones() {
    let mut text = r#"{"type":"record","name":"R0","fields":[]}"#.to_owned();
    for level in 1..30 {
        let below = level - 1;
        text = format!(
            r#"{{"type":"record","name":"R{level}","fields":[{{"name":"a","type":{text}}},{{"name":"b","type":"R{below}"}}]}}"#
        );
    }
    assert!(refusal(&text).contains("nodes"));
}

#[test]
fn the_schema_of_anything_is_no_schema() {
    let form = crate::avro::connect_to_avro::to_avro(None, &DataOptions::default()).expect("schema");
    assert_eq!(schema_of(&form.text, &DataOptions::default()), Ok(None));
    let list = format!(r#"{{"type":"array","items":{}}}"#, form.text);
    let schema = schema_of(&list, &DataOptions::default())
        .expect("schema")
        .expect("list");
    assert_eq!((schema.base, &schema.value), (SchemaType::Array, &None));
}

#[test]
fn the_registrys_version_stands_in_for_none() {
    let of = |text: &str, version: i32| {
        let avro = parse(text, &[], ParseAvro::default()).expect("schema");
        to_connect(&avro, Some(version), &DataOptions::default())
            .expect("schema")
            .expect("schema")
            .version
    };
    let record = r#"{"type":"record","name":"R","fields":[]}"#;
    assert_eq!(of(record, 7), Some(7));
    assert_eq!(
        of(r#"{"type":"record","name":"R","fields":[],"connect.version":3}"#, 7),
        Some(3)
    );
    assert_eq!(of(r#"{"type":"int","logicalType":"date"}"#, 7), Some(1));
    assert_eq!(of(r#"["null","string"]"#, 7), None);
}
