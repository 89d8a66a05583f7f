//! Tests of validation texts against what `ConnectSchema` answers

use std::sync::Arc;

use super::{validate_field, validate_value};
use crate::data::builder::{self, SchemaBuilder};
use crate::data::logical;
use crate::data::schema::Schema;
use crate::data::value::{StructValue, Value};

fn shown(schema: &Schema, value: &Value) -> String {
    validate_value(schema, value).map_or_else(|error| error.message, |()| "ok".to_owned())
}

#[test]
fn texts_are_kafkas() {
    assert_eq!(
        shown(&builder::int32(), &Value::Null),
        "Invalid value: null used for required value, schema type: INT32"
    );
    assert_eq!(
        shown(&builder::int32(), &Value::text("x")),
        "Invalid Java object for schema with type INT32: class java.lang.String for value"
    );
    let named = SchemaBuilder::new(crate::data::schema::SchemaType::Int32)
        .name("nm")
        .build()
        .expect("schema");
    let error = validate_field("f", &named, &Value::Int64(1)).expect_err("wrong type");
    assert_eq!(
        error.message,
        "Invalid Java object for schema \"nm\" with type INT32: class java.lang.Long for field: \"f\""
    );
    assert_eq!(shown(&builder::optional_int32(), &Value::Null), "ok");
    assert_eq!(shown(&logical::timestamp(), &Value::Int64(5)), "ok");
}

#[test]
fn places_inside_structs_are_named() {
    let array = SchemaBuilder::array(builder::text()).optional().build().expect("array");
    let map = SchemaBuilder::map(builder::text(), builder::int8())
        .optional()
        .build()
        .expect("map");
    let schema = SchemaBuilder::structure()
        .field("a", builder::int32())
        .field("arr", array)
        .field("m", map)
        .build()
        .expect("struct");
    let check = |name: &str, value: Value, expected: &str| {
        let mut given = StructValue::new(Arc::clone(&schema));
        given.put("a", 1).expect("field").put(name, value).expect("field");
        assert_eq!(shown(&schema, &Value::Struct(given)), expected);
    };
    check(
        "a",
        Value::Null,
        "Invalid value: null used for required field: \"a\", schema type: INT32",
    );
    check(
        "a",
        Value::text("x"),
        "Invalid Java object for schema with type INT32: class java.lang.String for field: \"a\"",
    );
    check(
        "arr",
        Value::Array(vec![Value::text("a"), Value::Null]),
        "Invalid value: null used for required element of array field: \"arr\", schema type: STRING",
    );
    check(
        "m",
        Value::Map(vec![(Value::Null, Value::Int8(1))]),
        "Invalid value: null used for required key of map field: \"m\", schema type: STRING",
    );
    check(
        "m",
        Value::Map(vec![(Value::text("k"), Value::Int32(1))]),
        "Invalid Java object for schema with type INT8: class java.lang.Integer for value of map field: \"m\"",
    );
    let other = StructValue::new(SchemaBuilder::structure().build().expect("struct"));
    assert_eq!(shown(&schema, &Value::Struct(other)), "Struct schemas do not match.");
    assert_eq!(
        StructValue::new(schema)
            .put("zz", 1)
            .expect_err("no such field")
            .message,
        "zz is not a valid field name"
    );
}

#[test]
fn schemas_are_checked_when_built() {
    let message = |builder: SchemaBuilder| builder.build().map_or_else(|error| error.message, |_| "ok".to_owned());
    let structure = SchemaBuilder::structure;
    assert_eq!(
        message(structure().field("a", builder::int8()).field("a", builder::int8())),
        "Cannot create field because of field name duplication a"
    );
    assert_eq!(
        message(SchemaBuilder::new(crate::data::schema::SchemaType::Int32).default_value("x")),
        "Invalid default value"
    );
    assert_eq!(
        message(SchemaBuilder::new(crate::data::schema::SchemaType::Int32).field("a", builder::int8())),
        "schema of type INT32 has parts of another type"
    );
    let wide = (0..4097).fold(structure(), |builder, number| {
        builder.field(&number.to_string(), builder::int8())
    });
    assert_eq!(message(wide), "schema has 4097 fields, more than 4096");
    let nested = |levels: usize| {
        (1..levels).fold(builder::int8(), |schema, _| {
            Arc::new(Schema {
                value: Some(schema),
                ..Schema::plain(crate::data::schema::SchemaType::Array)
            })
        })
    };
    assert_eq!(message(SchemaBuilder::array(nested(63))), "ok");
    assert_eq!(
        message(SchemaBuilder::array(nested(64))),
        "schema is nested deeper than 64"
    );
    assert_eq!(
        message(SchemaBuilder::array(nested(500))),
        "schema is nested deeper than 64"
    );
    // Thirty levels of twice the same part: a billion nodes behind thirty pointers.
    let doubled = (0..30).fold(builder::int8(), |part, _| {
        Arc::new(Schema {
            key: Some(Arc::clone(&part)),
            value: Some(part),
            ..Schema::plain(crate::data::schema::SchemaType::Map)
        })
    });
    assert_eq!(
        message(SchemaBuilder::array(doubled)),
        "schema has more than 65536 nodes"
    );
}
