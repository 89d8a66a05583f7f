//! Values as Avro bytes, from their own schema's form and from others

use std::sync::Arc;

use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::{StructValue, Value};
use weir_api::frame::value::encode_slot;

use super::EncodePlan;
use crate::avro::config::DataOptions;
use crate::avro::connect_to_avro::to_avro;
use crate::avro::testing::{write, write_as};

fn build(builder: SchemaBuilder) -> Arc<Schema> {
    builder.build().expect("schema")
}

fn bytes(schema: &Arc<Schema>, value: impl Into<Value>) -> Vec<u8> {
    write(Some(schema), &value.into(), &DataOptions::default())
        .expect("written")
        .1
}

fn structure(schema: &Arc<Schema>, fields: &[(&str, Value)]) -> Value {
    let mut value = StructValue::new(Arc::clone(schema));
    for (name, field) in fields {
        value.put(name, field.clone()).expect("field");
    }
    Value::Struct(value)
}

#[test]
fn bare_values() {
    assert_eq!(bytes(&builder::int8(), Value::Int8(-1)), [1]);
    assert_eq!(bytes(&builder::int16(), Value::Int16(300)), [0xD8, 0x04]);
    assert_eq!(bytes(&builder::int32(), 64), [0x80, 1]);
    assert_eq!(bytes(&builder::int64(), -1i64), [1]);
    assert_eq!(bytes(&builder::float32(), Value::Float32(1.0)), [0, 0, 0x80, 0x3F]);
    assert_eq!(bytes(&builder::float64(), 1.0), [0, 0, 0, 0, 0, 0, 0xF0, 0x3F]);
    assert_eq!(bytes(&builder::boolean(), true), [1]);
    assert_eq!(bytes(&builder::text(), "hé"), [6, b'h', 0xC3, 0xA9]);
    assert_eq!(bytes(&builder::optional_text(), "a"), [2, 2, b'a']);
    assert_eq!(bytes(&builder::optional_bytes(), vec![7u8]), [2, 2, 7]);
}

#[test]
fn bare_bytes_are_the_payload_itself() {
    assert_eq!(bytes(&builder::bytes(), vec![1u8, 2, 3]), [1, 2, 3]);
    assert_eq!(bytes(&logical::decimal(2), vec![0x7Bu8]), [0x7B]);
}

#[test]
fn lists_and_maps_are_one_block() {
    let list = build(SchemaBuilder::array(builder::optional_int32()));
    assert_eq!(bytes(&list, Value::Array(vec![1.into(), Value::Null])), [4, 2, 2, 0, 0]);
    assert_eq!(bytes(&list, Value::Array(vec![])), [0]);
    let map = build(SchemaBuilder::map(builder::text(), builder::int32()));
    assert_eq!(
        bytes(&map, Value::Map(vec![("k".into(), 3.into())])),
        [2, 2, b'k', 6, 0]
    );
    let entries = build(SchemaBuilder::map(builder::int32(), builder::text()));
    assert_eq!(
        bytes(&entries, Value::Map(vec![(5.into(), "v".into())])),
        [2, 10, 2, b'v', 0]
    );
}

#[test]
fn null_fields_take_their_default() {
    let schema = build(
        SchemaBuilder::structure()
            .field(
                "a",
                build(SchemaBuilder::new(SchemaType::Text).optional().default_value("x")),
            )
            .field("b", builder::optional_int32())
            .field("c", build(SchemaBuilder::new(SchemaType::Int32).default_value(9))),
    );
    let value = structure(&schema, &[]);
    assert_eq!(bytes(&schema, value.clone()), [0, 2, b'x', 0, 18]);
    let kept = DataOptions {
        ignore_default_for_nullables: true,
        ..DataOptions::default()
    };
    assert_eq!(write(Some(&schema), &value, &kept).expect("written").1, [2, 0, 18]);
}

#[test]
fn required_null_is_refused() {
    let schema = build(SchemaBuilder::array(builder::optional_int32()));
    let form = to_avro(
        Some(&build(SchemaBuilder::array(builder::int32()))),
        &DataOptions::default(),
    )
    .expect("form");
    let plan = EncodePlan::new(Some(&schema), &form.avro, &DataOptions::default()).expect("plan");
    let mut slot = Vec::new();
    encode_slot(
        Some(&schema),
        &Value::Array(vec![Value::Null]),
        &mut SchemaTable::new(),
        &mut slot,
    )
    .expect("slot");
    let error = plan.write(&slot, &mut Vec::new()).expect_err("refused");
    assert_eq!(error.message, "Found null value for non-optional schema");
}

#[test]
fn a_union_writes_the_member_that_is_set() {
    let record = build(
        SchemaBuilder::structure()
            .name("n.M")
            .field("a", builder::int32())
            .optional(),
    );
    let schema = build(
        SchemaBuilder::structure()
            .name("io.confluent.connect.avro.Union")
            .field("int", builder::optional_int32())
            .field("string", builder::optional_text())
            .field("M", Arc::clone(&record))
            .optional(),
    );
    assert_eq!(
        bytes(&schema, structure(&schema, &[("string", "a".into())])),
        [4, 2, b'a']
    );
    assert_eq!(
        bytes(
            &schema,
            structure(&schema, &[("M", structure(&record, &[("a", 1.into())]))])
        ),
        [6, 2]
    );
    // The first that is set wins, none is null.
    assert_eq!(
        bytes(
            &schema,
            structure(&schema, &[("int", 5.into()), ("string", "a".into())])
        ),
        [2, 10]
    );
    assert_eq!(bytes(&schema, structure(&schema, &[])), [0]);
}

#[test]
fn fixed_types_and_enums() {
    let fixed = build(
        SchemaBuilder::new(SchemaType::Bytes)
            .name("n.F")
            .parameter("connect.fixed.size", "2"),
    );
    assert_eq!(bytes(&fixed, vec![1u8, 2]), [1, 2]);
    let error = write(Some(&fixed), &Value::Bytes(vec![1]), &DataOptions::default()).expect_err("too short");
    assert_eq!(error.message, "1 bytes given for an Avro fixed of 2");
    let options = DataOptions {
        enhanced: true,
        ..DataOptions::default()
    };
    let suit = build(
        SchemaBuilder::new(SchemaType::Text)
            .parameter("io.confluent.connect.avro.Enum", "x.Suit")
            .parameter("io.confluent.connect.avro.Enum.A", "A")
            .parameter("io.confluent.connect.avro.Enum.B", "B"),
    );
    assert_eq!(write(Some(&suit), &"B".into(), &options).expect("written").1, [2]);
    let error = write(Some(&suit), &"C".into(), &options).expect_err("no symbol");
    assert_eq!(error.message, "C is no symbol of the Avro enum");
}

#[test]
fn schemaless_values() {
    let bytes = |value: Value| write(None, &value, &DataOptions::default()).map(|(_, bytes)| bytes);
    assert_eq!(bytes(Value::Boolean(true)), Ok(vec![2, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(bytes(Value::Int8(3)), Ok(vec![0, 0, 0, 0, 2, 6, 0, 0, 0, 0]));
    assert_eq!(bytes("a".into()), Ok(vec![0, 0, 0, 0, 0, 0, 2, 2, b'a', 0, 0]));
    let list = Value::Array(vec![Value::Null]);
    assert_eq!(
        bytes(list),
        Ok(vec![0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    );
    let map = Value::Map(vec![(1.into(), Value::Boolean(false))]);
    assert_eq!(
        bytes(map),
        Ok(vec![
            0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        ])
    );
    let error = bytes(Value::DateTime(1)).expect_err("no schemaless form");
    assert_eq!(
        error.message,
        "Unknown Java type for schemaless data: class java.util.Date"
    );
}

#[test]
fn another_schema_is_matched_by_name() {
    let schema = build(
        SchemaBuilder::structure()
            .name("n.R")
            .field("a", builder::int32())
            .field("dropped", builder::text())
            .field("b", builder::optional_text()),
    );
    let value = structure(
        &schema,
        &[("a", 1.into()), ("dropped", "xyz".into()), ("b", "q".into())],
    );
    let latest = r#"{"type":"record","name":"R","namespace":"n","fields":[
        {"name":"b","type":["string","null"]},
        {"name":"new","type":["null",{"type":"map","values":"long"}],"default":null},
        {"name":"more","type":{"type":"array","items":"int"},"default":[1,2]},
        {"name":"a","type":"double"}]}"#;
    let mut expected = vec![0, 2, b'q', 0, 4, 2, 4, 0];
    expected.extend_from_slice(&1f64.to_le_bytes());
    assert_eq!(write_as(&schema, &value, latest, &DataOptions::default()), Ok(expected));
    let wants = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"z","type":"int"}]}"#;
    let error = write_as(&schema, &value, wants, &DataOptions::default()).expect_err("missing");
    assert!(error.message.contains("n.R wants field z"), "{error}");
    let narrow = r#"{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"}]}"#;
    let error = write_as(&schema, &value, narrow, &DataOptions::default()).expect_err("another type");
    assert_eq!(error.message, "INT32 cannot be written with the Avro type string");
}

#[test]
fn numbers_are_widened_for_another_schema() {
    let int = builder::int32();
    let options = DataOptions::default();
    assert_eq!(write_as(&int, &3.into(), r#""long""#, &options), Ok(vec![6]));
    assert_eq!(
        write_as(&int, &3.into(), r#""float""#, &options),
        Ok(3f32.to_le_bytes().to_vec())
    );
    assert_eq!(
        write_as(&int, &3.into(), r#"["null","double"]"#, &options),
        Ok([&[2], 3f64.to_le_bytes().as_slice()].concat())
    );
    assert!(write_as(&builder::int64(), &3i64.into(), r#""int""#, &options).is_err());
}
