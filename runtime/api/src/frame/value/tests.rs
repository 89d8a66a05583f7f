//! Tests of the value encoding: bytes of the specification, round trips, hostile bytes

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{decode_slot, encode_slot};
use crate::data::builder::{self, SchemaBuilder};
use crate::data::schema::{Schema, SchemaType};
use crate::data::schemas::{SchemaId, SchemaTable};
use crate::data::value::{StructValue, Value};

fn encoded(schema: Option<&Schema>, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode_slot(schema, value, &mut SchemaTable::new(), &mut out).expect("encodes");
    out
}

fn person() -> Arc<Schema> {
    let tags = SchemaBuilder::map(builder::text(), builder::optional_int16())
        .build()
        .expect("map");
    SchemaBuilder::structure()
        .field("name", builder::text())
        .field("age", builder::optional_int32())
        .field("tags", tags)
        .field(
            "level",
            SchemaBuilder::new(SchemaType::Int8)
                .default_value(Value::Int8(7))
                .build()
                .expect("int8"),
        )
        .build()
        .expect("struct")
}

#[test]
fn bytes_are_those_of_the_specification() {
    let check = |schema: Arc<Schema>, value: Value, bytes: &[u8]| assert_eq!(encoded(Some(&schema), &value), bytes);
    check(builder::int16(), Value::Int16(-2), &[0xfe, 0xff]);
    check(builder::float64(), Value::Float64(1.0), &[0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    check(builder::optional_boolean(), Value::Boolean(true), &[1]);
    check(builder::text(), Value::text("hi"), b"hi");
    check(builder::bytes(), Value::Bytes(vec![9]), &[9]);
    check(
        SchemaBuilder::array(builder::optional_text()).build().expect("array"),
        Value::Array(vec![Value::text("a"), Value::Null]),
        &[2, 0, 0, 0, 1, 1, 0, 0, 0, b'a', 0],
    );
    let schema = person();
    let mut value = StructValue::new(Arc::clone(&schema));
    value
        .put("name", "x")
        .expect("field")
        .put("tags", Value::Map(vec![(Value::text("k"), Value::Int16(5))]))
        .expect("field");
    // The required level is null: its default 7 stands for it.
    check(
        schema,
        Value::Struct(value),
        &[1, 0, 0, 0, b'x', 0, 1, 0, 0, 0, 1, 0, 0, 0, b'k', 1, 5, 0, 7],
    );
}

#[test]
fn schemaless_values_carry_tags() {
    assert_eq!(encoded(None, &Value::text("é")), [8, 2, 0, 0, 0, 0xc3, 0xa9]);
    assert_eq!(
        encoded(None, &Value::Map(vec![(Value::Int8(1), Value::Null)])),
        [11, 1, 0, 0, 0, 1, 1, 0]
    );
    assert_eq!(encoded(None, &Value::DateTime(1)), [13, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        encoded(
            None,
            &Value::Decimal {
                scale: 2,
                unscaled: vec![123]
            }
        ),
        [14, 2, 0, 0, 0, 1, 0, 0, 0, 123]
    );
    assert!(encoded(None, &Value::Null).is_empty());
}

#[test]
fn schemaless_struct_names_its_schema() {
    let mut ids = SchemaTable::new();
    let schema = SchemaBuilder::structure()
        .field("a", builder::int8())
        .build()
        .expect("struct");
    let mut value = StructValue::new(Arc::clone(&schema));
    value.put("a", Value::Int8(3)).expect("field");
    let value = Value::Struct(value);
    let mut out = Vec::new();
    encode_slot(None, &value, &mut ids, &mut out).expect("encodes");
    assert_eq!(out, [12, 64, 0, 0, 0, 3]);
    assert_eq!(decode_slot(SchemaId::NONE, Some(&out), &ids), Ok(value));
    assert_eq!(
        decode_slot(SchemaId::NONE, Some(&out), &SchemaTable::new())
            .expect_err("unknown")
            .message,
        "value encoding: schema 64 is not a declared struct"
    );
}

#[test]
fn elements_without_schema_describe_themselves() {
    let schema = SchemaTable::new()
        .declare(Arc::new(Schema::plain(SchemaType::Array)))
        .map(|_| Schema::plain(SchemaType::Array))
        .expect("allowed");
    assert_eq!(
        encoded(Some(&schema), &Value::Array(vec![Value::Int8(1), Value::Null])),
        [2, 0, 0, 0, 1, 1, 0]
    );
}

#[test]
fn bad_bytes_are_refused_by_name() {
    let mut ids = SchemaTable::new();
    let array = ids
        .declare(SchemaBuilder::array(builder::int8()).build().expect("array"))
        .expect("declares");
    let empties = SchemaBuilder::array(SchemaBuilder::structure().build().expect("struct"))
        .build()
        .expect("array");
    let empties = ids.declare(empties).expect("declares");
    for (id, bytes, expected) in [
        (
            SchemaId::INT32,
            vec![1, 2],
            "value encoding: 4 bytes wanted for INT32, 2 left",
        ),
        (
            SchemaId::INT8,
            vec![1, 2],
            "value encoding: 1 bytes left over after the value",
        ),
        (SchemaId::BOOLEAN, vec![2], "value encoding: BOOLEAN is 2"),
        (
            SchemaId::TEXT,
            vec![0xff],
            "value encoding: text is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0",
        ),
        (
            array,
            vec![255, 255, 255, 255],
            "value encoding: 4294967295 elements announced, room for 1028",
        ),
        (
            empties,
            vec![255, 255, 0, 0],
            "value encoding: 65535 elements announced, room for 1028",
        ),
        (SchemaId::NONE, vec![15], "value encoding: tag is 15"),
        (
            SchemaId::NONE,
            vec![8, 9, 0, 0, 0],
            "value encoding: 9 bytes wanted for bytes, 0 left",
        ),
        (SchemaId(99), vec![], "schema 99 is not known"),
        (
            SchemaId::NONE,
            [10, 1, 0, 0, 0].repeat(65),
            "value is nested deeper than 64",
        ),
    ] {
        assert_eq!(
            decode_slot(id, Some(&bytes), &ids).expect_err(expected).message,
            expected
        );
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i8>().prop_map(Value::Int8),
        any::<i16>().prop_map(Value::Int16),
        any::<i32>().prop_map(Value::Int32),
        any::<i64>().prop_map(Value::Int64),
        any::<f32>().prop_map(Value::Float32),
        any::<f64>().prop_map(Value::Float64),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,6}".prop_map(Value::Text),
        vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
        any::<i64>().prop_map(Value::DateTime),
        Just(Value::Null),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((inner.clone(), inner), 0..4).prop_map(Value::Map)
        ]
    })
}

proptest! {
    #[test]
    fn schemaless_values_come_back(value in any_value()) {
        let mut out = Vec::new();
        let mut ids = SchemaTable::new();
        let present = encode_slot(None, &value, &mut ids, &mut out).expect("encodes");
        prop_assert_eq!(decode_slot(SchemaId::NONE, present.then_some(out.as_slice()), &ids), Ok(value));
    }

    #[test]
    fn typed_values_come_back(name in ".{0,6}", age: Option<i32>, tags in vec((".{0,3}", any::<Option<i16>>()), 0..4), level: i8) {
        let mut ids = SchemaTable::new();
        let schema = person();
        let id = ids.declare(Arc::clone(&schema)).expect("declares");
        let tags = tags.into_iter().map(|(key, value)| (Value::Text(key), value.map_or(Value::Null, Value::Int16))).collect();
        let fields = vec![Value::Text(name), age.map_or(Value::Null, Value::Int32), Value::Map(tags), Value::Int8(level)];
        let value = Value::Struct(StructValue { schema: Arc::clone(&schema), fields });
        let mut out = Vec::new();
        encode_slot(Some(&schema), &value, &mut ids, &mut out).expect("encodes");
        prop_assert_eq!(decode_slot(id, Some(&out), &ids), Ok(value));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64), tagged in vec(0u8..16, 0..64)) {
        let mut ids = SchemaTable::new();
        let id = ids.declare(person()).expect("declares");
        for bytes in [&bytes, &tagged] {
            for id in [SchemaId::NONE, SchemaId::TEXT, SchemaId::INT64, id] {
                let _ = decode_slot(id, Some(bytes), &ids);
            }
        }
    }
}
