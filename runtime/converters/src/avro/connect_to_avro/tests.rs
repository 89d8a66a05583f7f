//! Schemas as Confluent's converter writes them, text for text

use std::sync::Arc;

use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::value::{StructValue, Value};

use super::to_avro;
use crate::avro::config::DataOptions;

fn text(schema: &Schema, options: &DataOptions) -> String {
    to_avro(Some(schema), options).map_or_else(|error| error.message, |form| form.text)
}

fn check(schema: Arc<Schema>, expected: &str) {
    assert_eq!(text(&schema, &DataOptions::default()), expected);
}

fn build(builder: SchemaBuilder) -> Arc<Schema> {
    builder.build().expect("schema")
}

const DEFAULT_HEAD: &str =
    r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":["#;

fn in_struct(field: Arc<Schema>) -> Arc<Schema> {
    build(SchemaBuilder::structure().field("f", field))
}

#[test]
fn every_bare_type_has_its_form() {
    for (schema, expected) in [
        (builder::int8(), r#"{"type":"int","connect.type":"int8"}"#),
        (builder::int16(), r#"{"type":"int","connect.type":"int16"}"#),
        (builder::int32(), r#""int""#),
        (builder::int64(), r#""long""#),
        (builder::float32(), r#""float""#),
        (builder::float64(), r#""double""#),
        (builder::boolean(), r#""boolean""#),
        (builder::text(), r#""string""#),
        (builder::bytes(), r#""bytes""#),
        (
            builder::optional_int8(),
            r#"["null",{"type":"int","connect.type":"int8"}]"#,
        ),
        (
            builder::optional_int16(),
            r#"["null",{"type":"int","connect.type":"int16"}]"#,
        ),
        (builder::optional_int32(), r#"["null","int"]"#),
        (builder::optional_int64(), r#"["null","long"]"#),
        (builder::optional_float32(), r#"["null","float"]"#),
        (builder::optional_float64(), r#"["null","double"]"#),
        (builder::optional_boolean(), r#"["null","boolean"]"#),
        (builder::optional_text(), r#"["null","string"]"#),
        (builder::optional_bytes(), r#"["null","bytes"]"#),
    ] {
        check(schema, expected);
    }
}

#[test]
fn optional_and_default_fields_have_avro_defaults() {
    check(
        build(
            SchemaBuilder::structure()
                .field("o", builder::optional_text())
                .field("d", build(SchemaBuilder::new(SchemaType::Int32).default_value(5)))
                .field(
                    "b",
                    build(SchemaBuilder::new(SchemaType::Text).optional().default_value("x")),
                ),
        ),
        r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"o","type":["null","string"],"default":null},{"name":"d","type":{"type":"int","connect.default":5},"default":5},{"name":"b","type":[{"type":"string","connect.default":"x"},"null"],"default":"x"}]}"#,
    );
}

#[test]
fn defaults_of_every_type() {
    let of = |base: SchemaType, value: Value| in_struct(build(SchemaBuilder::new(base).default_value(value)));
    for (base, value, written, own) in [
        (
            SchemaType::Int8,
            Value::Int8(-3),
            r#"{"type":"int","connect.default":-3,"connect.type":"int8"}"#,
            "-3",
        ),
        (
            SchemaType::Int16,
            Value::Int16(300),
            r#"{"type":"int","connect.default":300,"connect.type":"int16"}"#,
            "300",
        ),
        (
            SchemaType::Int64,
            Value::Int64(i64::MAX),
            r#"{"type":"long","connect.default":9223372036854775807}"#,
            "9223372036854775807",
        ),
        (
            SchemaType::Float32,
            Value::Float32(1.1),
            r#"{"type":"float","connect.default":1.1}"#,
            "1.100000023841858",
        ),
        (
            SchemaType::Float64,
            Value::Float64(1e10),
            r#"{"type":"double","connect.default":1.0E10}"#,
            "1.0E10",
        ),
        (
            SchemaType::Boolean,
            Value::Boolean(true),
            r#"{"type":"boolean","connect.default":true}"#,
            "true",
        ),
        (
            SchemaType::Bytes,
            Value::Bytes(vec![b'a', 0xFF]),
            r#"{"type":"bytes","connect.default":"aÿ"}"#,
            "\"aÿ\"",
        ),
    ] {
        check(
            of(base, value),
            &format!(r#"{DEFAULT_HEAD}{{"name":"f","type":{written},"default":{own}}}]}}"#),
        );
    }
}

#[test]
fn defaults_with_parts() {
    let list = build(SchemaBuilder::array(builder::int32()).default_value(Value::Array(vec![1.into(), 2.into()])));
    check(
        in_struct(list),
        &format!(
            r#"{DEFAULT_HEAD}{{"name":"f","type":{{"type":"array","items":"int","connect.default":[1,2]}},"default":[1,2]}}]}}"#
        ),
    );
    let pairs = Value::Map(vec![("a".into(), 1.into())]);
    let map = build(SchemaBuilder::map(builder::text(), builder::int32()).default_value(pairs));
    check(
        in_struct(map),
        &format!(
            r#"{DEFAULT_HEAD}{{"name":"f","type":{{"type":"map","values":"int","connect.default":{{"a":1}}}},"default":{{"a":1}}}}]}}"#
        ),
    );
    // A list of pairs is no default of a list of records: Avro's is left out.
    let pairs = Value::Map(vec![(1.into(), 2.into())]);
    let map = build(SchemaBuilder::map(builder::int32(), builder::int32()).default_value(pairs));
    check(
        in_struct(map),
        &format!(
            r#"{DEFAULT_HEAD}{{"name":"f","type":{{"type":"array","items":{{"type":"record","name":"MapEntry","fields":[{{"name":"key","type":"int"}},{{"name":"value","type":"int"}}]}},"connect.default":[[1,2]]}}}}]}}"#
        ),
    );
    let inner = build(SchemaBuilder::structure().name("In").field("a", builder::int32()));
    let mut value = StructValue::new(Arc::clone(&inner));
    value.put("a", 7).expect("field");
    let with_default = Schema {
        default: Some(Value::Struct(value)),
        ..inner.as_ref().clone()
    };
    check(
        in_struct(Arc::new(with_default)),
        &format!(
            r#"{DEFAULT_HEAD}{{"name":"f","type":{{"type":"record","name":"In","namespace":"","fields":[{{"name":"a","type":"int"}}],"connect.default":{{"a":7}},"connect.name":"In"}},"default":{{"a":7}}}}]}}"#
        ),
    );
}

#[test]
fn logical_types_are_named_twice() {
    check(
        logical::date(),
        r#"{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Date","logicalType":"date"}"#,
    );
    check(
        logical::time(),
        r#"{"type":"int","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Time","logicalType":"time-millis"}"#,
    );
    check(
        logical::timestamp(),
        r#"{"type":"long","connect.version":1,"connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}"#,
    );
    check(
        logical::decimal(2),
        r#"{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#,
    );
    let precise = Schema {
        parameters: vec![
            ("scale".to_owned(), "2".to_owned()),
            ("connect.decimal.precision".to_owned(), "10".to_owned()),
        ],
        ..logical::decimal(2).as_ref().clone()
    };
    check(
        Arc::new(precise),
        r#"{"type":"bytes","scale":2,"precision":10,"connect.version":1,"connect.parameters":{"scale":"2","connect.decimal.precision":"10"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#,
    );
    check(
        logical::decimal(-1),
        r#"{"type":"bytes","scale":-1,"precision":64,"connect.version":1,"connect.parameters":{"scale":"-1"},"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}"#,
    );
}

#[test]
fn names_docs_versions_and_parameters_become_attributes() {
    check(
        build(
            SchemaBuilder::structure()
                .name("a.b.C")
                .version(2)
                .doc("d")
                .parameter("p", "q")
                .field(
                    "x",
                    build(SchemaBuilder::new(SchemaType::Text).name("n").doc("fd").version(7)),
                ),
        ),
        r#"{"type":"record","name":"C","namespace":"a.b","fields":[{"name":"x","type":{"type":"string","connect.doc":"fd","connect.version":7,"connect.name":"n"}}],"connect.doc":"d","connect.version":2,"connect.parameters":{"p":"q"},"connect.name":"a.b.C"}"#,
    );
    check(
        build(SchemaBuilder::structure().name("C")),
        r#"{"type":"record","name":"C","fields":[],"connect.name":"C"}"#,
    );
    check(
        build(
            SchemaBuilder::structure()
                .name("C")
                .parameter("io.confluent.connect.avro.record.doc", "of the record")
                .parameter("io.confluent.connect.avro.field.doc.a", "of a")
                .parameter("avro.java.string", "String")
                .field("a", builder::text()),
        ),
        r#"{"type":"record","name":"C","doc":"of the record","fields":[{"name":"a","type":"string","doc":"of a"}],"connect.parameters":{"io.confluent.connect.avro.record.doc":"of the record","io.confluent.connect.avro.field.doc.a":"of a","avro.java.string":"String"},"connect.name":"C","avro.java.string":"String"}"#,
    );
    let from_avro = SchemaBuilder::new(SchemaType::Int32)
        .parameter("io.confluent.connect.avro.field.default", "true")
        .default_value(1);
    check(
        in_struct(build(from_avro)),
        &format!(r#"{DEFAULT_HEAD}{{"name":"f","type":"int","default":1}}]}}"#),
    );
}

#[test]
fn nested_structs_are_numbered_where_they_have_no_name() {
    let inner = build(SchemaBuilder::structure().field("i", builder::int32()));
    let other = build(SchemaBuilder::structure().field("s", builder::text()));
    check(
        build(
            SchemaBuilder::structure()
                .field("a", Arc::clone(&inner))
                .field("b", other)
                .field("again", inner),
        ),
        r#"{"type":"record","name":"ConnectDefault","namespace":"io.confluent.connect.avro","fields":[{"name":"a","type":{"type":"record","name":"ConnectDefault2","fields":[{"name":"i","type":"int"}]}},{"name":"b","type":{"type":"record","name":"ConnectDefault3","fields":[{"name":"s","type":"string"}]}},{"name":"again","type":"ConnectDefault2"}]}"#,
    );
}

#[test]
fn a_named_struct_is_written_once() {
    let inner = || SchemaBuilder::structure().name("n.In").field("i", builder::int32());
    check(
        build(
            SchemaBuilder::structure()
                .name("n.Out")
                .field("a", build(inner()))
                .field("b", build(inner().optional()))
                .field("c", build(SchemaBuilder::array(build(inner())))),
        ),
        r#"{"type":"record","name":"Out","namespace":"n","fields":[{"name":"a","type":{"type":"record","name":"In","fields":[{"name":"i","type":"int"}],"connect.name":"n.In"}},{"name":"b","type":["null","In"],"default":null},{"name":"c","type":{"type":"array","items":"In"}}],"connect.name":"n.Out"}"#,
    );
    let other = SchemaBuilder::structure().name("n.In").field("j", builder::int32());
    let twice = SchemaBuilder::structure()
        .field("a", build(inner()))
        .field("b", build(other));
    check(build(twice), "Can't redefine: n.In");
}

#[test]
fn maps_with_other_keys_are_lists_of_entries() {
    check(
        build(SchemaBuilder::map(builder::text(), builder::optional_int32())),
        r#"{"type":"map","values":["null","int"]}"#,
    );
    check(
        build(SchemaBuilder::map(builder::int32(), builder::text())),
        r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}]}}"#,
    );
    let optional_keys = build(SchemaBuilder::map(builder::optional_text(), builder::int32()));
    check(
        Arc::clone(&optional_keys),
        r#"{"type":"array","items":{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":["null","string"],"default":null},{"name":"value","type":"int"}]}}"#,
    );
    let allowed = DataOptions {
        optional_map_keys: true,
        ..DataOptions::default()
    };
    assert_eq!(text(&optional_keys, &allowed), r#"{"type":"map","values":"int"}"#);
    check(
        build(SchemaBuilder::map(builder::int32(), builder::text()).name("foo.Bar")),
        r#"{"type":"array","items":{"type":"record","name":"Bar","namespace":"foo","fields":[{"name":"key","type":"int"},{"name":"value","type":"string"}],"connect.internal.type":"MapEntry"},"connect.name":"foo.Bar"}"#,
    );
    let two = build(
        SchemaBuilder::structure()
            .field("a", build(SchemaBuilder::map(builder::int32(), builder::text())))
            .field("b", build(SchemaBuilder::map(builder::int64(), builder::text()))),
    );
    check(two, "Can't redefine: io.confluent.connect.avro.MapEntry");
}

#[test]
fn arrays_of_anything_nullable() {
    check(
        build(SchemaBuilder::array(builder::optional_text())),
        r#"{"type":"array","items":["null","string"]}"#,
    );
    check(
        build(SchemaBuilder::array(build(
            SchemaBuilder::array(builder::int8()).optional(),
        ))),
        r#"{"type":"array","items":["null",{"type":"array","items":{"type":"int","connect.type":"int8"}}]}"#,
    );
}

fn suit() -> SchemaBuilder {
    let prefix = "io.confluent.connect.avro.Enum";
    SchemaBuilder::new(SchemaType::Text)
        .name("x.Suit")
        .parameter("io.confluent.connect.avro.enum.doc.Suit", "of cards")
        .parameter("io.confluent.connect.avro.enum.default.Suit", "HEARTS")
        .parameter(prefix, "x.Suit")
        .parameter(&format!("{prefix}.SPADES"), "SPADES")
        .parameter(&format!("{prefix}.HEARTS"), "HEARTS")
}

#[test]
fn enums_stay_enums_only_where_asked_for() {
    let parameters = r#""connect.parameters":{"io.confluent.connect.avro.enum.doc.Suit":"of cards","io.confluent.connect.avro.enum.default.Suit":"HEARTS","io.confluent.connect.avro.Enum":"x.Suit","io.confluent.connect.avro.Enum.SPADES":"SPADES","io.confluent.connect.avro.Enum.HEARTS":"HEARTS"},"connect.name":"x.Suit"}"#;
    check(build(suit()), &format!(r#"{{"type":"string",{parameters}"#));
    let enhanced = DataOptions {
        enhanced: true,
        ..DataOptions::default()
    };
    assert_eq!(
        text(&build(suit()), &enhanced),
        format!(
            r#"{{"type":"enum","name":"Suit","namespace":"x","doc":"of cards","symbols":["SPADES","HEARTS"],"default":"HEARTS",{parameters}"#
        )
    );
    let general = SchemaBuilder::new(SchemaType::Text)
        .name("x.Suit")
        .parameter("org.apache.kafka.connect.data.Enum", "x.Suit")
        .parameter("org.apache.kafka.connect.data.Enum.SPADES", "0")
        .parameter("org.apache.kafka.connect.data.Enum.HEARTS", "1");
    let generalized = DataOptions {
        generalized: true,
        meta_data: false,
        ..DataOptions::default()
    };
    assert_eq!(
        text(&build(general), &generalized),
        r#"{"type":"enum","name":"Suit","namespace":"x","symbols":["SPADES","HEARTS"]}"#
    );
}

#[test]
fn unions_and_fixed_types() {
    let member = build(
        SchemaBuilder::structure()
            .name("n.M")
            .field("a", builder::int32())
            .optional(),
    );
    let union = SchemaBuilder::structure()
        .name("io.confluent.connect.avro.Union")
        .field("int", builder::optional_int32())
        .field("string", builder::optional_text())
        .field("M", member);
    let branches = r#""int","string",{"type":"record","name":"M","namespace":"n","fields":[{"name":"a","type":"int"}],"connect.name":"n.M"}]"#;
    check(build(union.clone()), &format!("[{branches}"));
    check(build(union.optional()), &format!(r#"["null",{branches}"#));
    check(
        build(
            SchemaBuilder::new(SchemaType::Bytes)
                .name("n.F")
                .parameter("connect.fixed.size", "4"),
        ),
        r#"{"type":"fixed","name":"F","namespace":"n","size":4,"connect.parameters":{"connect.fixed.size":"4"},"connect.name":"n.F"}"#,
    );
    check(
        build(SchemaBuilder::new(SchemaType::Bytes).parameter("connect.fixed.size", "4")),
        r#"{"type":"bytes","connect.parameters":{"connect.fixed.size":"4"}}"#,
    );
}

#[test]
fn schemaless_values_have_one_schema() {
    let form = to_avro(None, &DataOptions::default()).expect("schema");
    assert_eq!(
        form.text,
        r#"{"type":"record","name":"Anything","namespace":"io.confluent.connect.avro","fields":[{"name":"boolean","type":["null","boolean"],"default":null},{"name":"bytes","type":["null","bytes"],"default":null},{"name":"double","type":["null","double"],"default":null},{"name":"float","type":["null","float"],"default":null},{"name":"int","type":["null","int"],"default":null},{"name":"long","type":["null","long"],"default":null},{"name":"string","type":["null","string"],"default":null},{"name":"array","type":["null",{"type":"array","items":"Anything"}],"default":null},{"name":"map","type":["null",{"type":"array","items":{"type":"record","name":"MapEntry","fields":[{"name":"key","type":"Anything"},{"name":"value","type":"Anything"}]}}],"default":null}]}"#
    );
}

#[test]
fn names_that_avro_refuses_are_scrubbed_or_an_error() {
    let schema = build(
        SchemaBuilder::structure()
            .name("my-ns.1 rec")
            .field("a-b", builder::int32()),
    );
    assert!(
        text(&schema, &DataOptions::default()).contains("Illegal"),
        "{}",
        text(&schema, &DataOptions::default())
    );
    let scrub = DataOptions {
        scrub_names: true,
        ..DataOptions::default()
    };
    assert_eq!(
        text(&schema, &scrub),
        r#"{"type":"record","name":"x1_rec","namespace":"my_ns","fields":[{"name":"a_b","type":"int"}],"connect.name":"my-ns.1 rec"}"#
    );
}

#[test]
fn meta_data_and_docs_can_be_left_out() {
    let bare = DataOptions {
        meta_data: false,
        ..DataOptions::default()
    };
    assert_eq!(text(&builder::int8(), &bare), r#""int""#);
    assert_eq!(
        text(&logical::decimal(2), &bare),
        r#"{"type":"bytes","scale":2,"precision":64,"logicalType":"decimal"}"#
    );
    let discard = DataOptions {
        discard_type_doc_default: true,
        ..DataOptions::default()
    };
    let schema = build(
        SchemaBuilder::structure()
            .name("C")
            .parameter("connect.record.doc", "of the record")
            .field("a", build(SchemaBuilder::new(SchemaType::Int32).doc("of a"))),
    );
    assert_eq!(
        text(&schema, &discard),
        r#"{"type":"record","name":"C","doc":"of the record","fields":[{"name":"a","type":{"type":"int","connect.doc":"of a"},"doc":"of a"}],"connect.parameters":{"connect.record.doc":"of the record"},"connect.name":"C"}"#
    );
}
