//! Tests of Java's text forms

use std::sync::Arc;

use super::{push_base64, push_text};
use crate::data::builder::{self, SchemaBuilder};
use crate::data::logical;
use crate::data::schema::Schema;
use crate::data::value::{StructValue, Value};

fn check(schema: Option<&Schema>, value: &Value, expected: &str) {
    let mut out = String::new();
    push_text(&mut out, schema, value).expect("prints");
    assert_eq!(out, expected);
}

#[test]
fn containers_print_as_java_does() {
    let schema = SchemaBuilder::structure()
        .field("a", builder::int32())
        .field("none", builder::optional_text())
        .field("b", builder::text())
        .build()
        .expect("struct");
    let mut value = StructValue::new(Arc::clone(&schema));
    value.put("a", 1).expect("field").put("b", "x").expect("field");
    check(Some(&schema), &Value::Struct(value), "Struct{a=1,b=x}");
    check(
        None,
        &Value::Map(vec![
            (Value::text("a"), Value::Int64(1)),
            (Value::Null, Value::Float64(100.0)),
        ]),
        "{a=1, null=100.0}",
    );
    check(
        None,
        &Value::Array(vec![Value::Int8(1), Value::Boolean(true), Value::Array(Vec::new())]),
        "[1, true, []]",
    );
    check(None, &Value::Bytes(vec![1, 2]), "AQI=");
}

#[test]
fn logical_types_print_as_their_java_class() {
    check(Some(&logical::decimal(2)), &Value::Bytes(vec![0x7b]), "1.23");
    check(Some(&logical::date()), &Value::Int32(1), "Fri Jan 02 00:00:00 UTC 1970");
    check(
        Some(&logical::timestamp()),
        &Value::Int64(0),
        "Thu Jan 01 00:00:00 UTC 1970",
    );
    check(
        Some(&SchemaBuilder::array(logical::time()).build().expect("array")),
        &Value::Array(vec![Value::Int32(1000)]),
        "[Thu Jan 01 00:00:01 UTC 1970]",
    );
    check(
        None,
        &Value::Decimal {
            scale: -3,
            unscaled: vec![1],
        },
        "1E+3",
    );
}

#[test]
fn base64_is_padded() {
    for (bytes, text) in [
        (b"".as_slice(), ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"\xff\xff\xff", "////"),
    ] {
        let mut out = String::new();
        push_base64(&mut out, bytes);
        assert_eq!(out, text);
    }
}
