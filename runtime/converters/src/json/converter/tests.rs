//! Tests of what the golden files cannot show: caches, several tables, schemaless classes, hostile input

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use weir_api::converter::{ConvertCx, Converted, Converter};
use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::{StructValue, Value};
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};

use super::JsonConverter;

fn converter(config: &[(&str, &str)]) -> JsonConverter {
    JsonConverter::new(&config.iter().copied().collect()).expect("valid options")
}

fn read(
    converter: &mut JsonConverter,
    schemas: &mut SchemaTable,
    text: &str,
) -> Result<(SchemaId, Value), ConnectError> {
    let mut out = Vec::new();
    let read = converter.to_connect(&mut ConvertCx { topic: "t", schemas }, Some(text.as_bytes()), &mut out)?;
    let bytes = (read.form == Converted::Written).then_some(out.as_slice());
    Ok((read.schema, decode_slot(read.schema, bytes, schemas)?))
}

fn write(
    converter: &mut JsonConverter,
    schemas: &mut SchemaTable,
    schema: Option<&Arc<Schema>>,
    value: &Value,
) -> String {
    let mut bytes = Vec::new();
    let present = encode_slot(schema.map(AsRef::as_ref), value, schemas, &mut bytes).expect("encodes");
    let id = schema.map_or(SchemaId::NONE, |schema| {
        schemas.declare(Arc::clone(schema)).expect("declares")
    });
    let mut out = Vec::new();
    match converter.from_connect(
        &mut ConvertCx { topic: "t", schemas },
        Slot::new(id, present.then_some(bytes.as_slice())),
        &mut out,
    ) {
        Ok(Converted::Null) => "null bytes".to_owned(),
        Ok(_) => String::from_utf8(out).expect("JSON is UTF-8"),
        Err(error) => error.message,
    }
}

#[test]
fn schemaless_classes_are_written_as_java_does() {
    let (mut json, mut schemas) = (converter(&[("schemas.enable", "false")]), SchemaTable::new());
    let mut check = |value: Value, expected: &str| assert_eq!(write(&mut json, &mut schemas, None, &value), expected);
    check(Value::Null, "null bytes");
    check(
        Value::Array(vec![
            Value::Int8(1),
            Value::Float32(1.5),
            Value::Null,
            Value::Bytes(vec![1, 2]),
        ]),
        r#"[1,1.5,null,"AQI="]"#,
    );
    check(
        Value::Map(vec![(Value::text("a"), Value::Float64(f64::NAN))]),
        r#"{"a":"NaN"}"#,
    );
    check(
        Value::Map(vec![
            (Value::text("a"), Value::Int8(1)),
            (Value::Int32(5), Value::Int8(2)),
        ]),
        r#"[["a",1],[5,2]]"#,
    );
    check(
        Value::DateTime(0),
        "Java class class java.util.Date does not have corresponding schema type.",
    );
    check(
        Value::Decimal {
            scale: 0,
            unscaled: vec![1],
        },
        "Java class class java.math.BigDecimal does not have corresponding schema type.",
    );
    check(
        Value::Struct(StructValue::new(SchemaBuilder::structure().build().expect("struct"))),
        "Mismatching schema.",
    );
}

#[test]
fn nulls_and_optional_nulls_differ() {
    let mut schemas = SchemaTable::new();
    let text = builder::optional_text();
    assert_eq!(
        write(&mut converter(&[]), &mut schemas, Some(&text), &Value::Null),
        r#"{"schema":{"type":"string","optional":true},"payload":null}"#
    );
    assert_eq!(
        write(
            &mut converter(&[("schemas.enable", "false")]),
            &mut schemas,
            Some(&text),
            &Value::Null
        ),
        "null"
    );
    assert_eq!(
        write(&mut converter(&[]), &mut schemas, None, &Value::Null),
        "null bytes"
    );
}

#[test]
fn one_converter_serves_two_tables() {
    let (mut json, mut first, mut second) = (converter(&[]), SchemaTable::new(), SchemaTable::new());
    let structure = |name: &str| SchemaBuilder::structure().name(name).build().expect("struct");
    second.declare(structure("other")).expect("declares");
    let text = r#"{"schema":{"type":"struct","fields":[],"name":"n"},"payload":{}}"#;
    for _ in 0..2 {
        assert_eq!(read(&mut json, &mut first, text).expect("reads").0, SchemaId(64));
        assert_eq!(read(&mut json, &mut second, text).expect("reads").0, SchemaId(65));
    }
    // Id 64 means another schema in each table: no plan of one is used for the other.
    for (schemas, name) in [(&mut first, "n"), (&mut second, "other")] {
        let schema = structure(name);
        let expected =
            format!(r#"{{"schema":{{"type":"struct","fields":[],"optional":false,"name":"{name}"}},"payload":{{}}}}"#);
        assert_eq!(
            write(
                &mut json,
                schemas,
                Some(&schema),
                &Value::Struct(StructValue::new(Arc::clone(&schema)))
            ),
            expected
        );
    }
}

#[test]
fn known_beginning_of_a_message_changes_nothing() {
    let (mut json, mut schemas) = (converter(&[]), SchemaTable::new());
    let message = |rest: &str| format!(r#"{{"schema":{{"type":"int32","optional":true}},"payload":{rest}"#);
    let optional = SchemaId(19);
    for _ in 0..2 {
        assert_eq!(
            read(&mut json, &mut schemas, &message("5}")),
            Ok((optional, Value::Int32(5)))
        );
        assert_eq!(
            read(&mut json, &mut schemas, &message("6 } trailing")),
            Ok((optional, Value::Int32(6)))
        );
        assert_eq!(
            read(&mut json, &mut schemas, &message("7,\"payload\":8}")),
            Ok((optional, Value::Int32(8)))
        );
        assert!(
            read(&mut json, &mut schemas, &message("7,\"more\":8}"))
                .expect_err("third field")
                .message
                .starts_with("JsonConverter with schemas.enable requires")
        );
        assert!(
            read(&mut json, &mut schemas, &message("7"))
                .expect_err("cut")
                .message
                .starts_with("Converting byte[]")
        );
        assert_eq!(
            read(&mut json, &mut schemas, r#"{"schema":{"type":"string"},"payload":"x"}"#),
            Ok((SchemaId::TEXT, Value::text("x")))
        );
    }
}

#[test]
fn cache_forgets_at_its_bound() {
    let (mut json, mut schemas) = (converter(&[("schemas.cache.size", "2")]), SchemaTable::new());
    for round in 0..2 {
        for name in ["a", "b", "c"] {
            let text = format!(r#"{{"schema":{{"type":"int8","name":"{name}"}},"payload":{round}}}"#);
            let (id, value) = read(&mut json, &mut schemas, &text).expect("reads");
            assert_eq!(
                (schemas.get(id).and_then(|schema| schema.name.as_deref()), value),
                (Some(name), Value::Int8(round))
            );
        }
    }
    assert_eq!(schemas.len(), 3);
}

#[test]
fn fixed_schema_takes_the_whole_message() {
    let (mut json, mut schemas) = (
        converter(&[("schema.content", r#"{"type":"int16"}"#)]),
        SchemaTable::new(),
    );
    assert_eq!(
        read(&mut json, &mut schemas, "5"),
        Ok((SchemaId::INT16, Value::Int16(5)))
    );
    assert_eq!(
        read(&mut json, &mut schemas, "null").expect_err("required").message,
        "Invalid null value for required INT16 field"
    );
    let broken = JsonConverter::new(&[("schema.content", "{")].into_iter().collect()).expect_err("no JSON");
    assert_eq!(
        broken.message,
        "Failed to parse schema in converter config due to serialization error: "
    );
}

#[test]
fn decimals_are_brought_to_the_scale_or_refused() {
    let (mut json, mut schemas) = (converter(&[]), SchemaTable::new());
    let message = |number: &str| {
        format!(
            r#"{{"schema":{{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{{"scale":"2"}}}},"payload":{number}}}"#
        )
    };
    assert_eq!(
        read(&mut json, &mut schemas, &message("1.5")).expect("reads").1,
        Value::Bytes(vec![0, 0x96])
    );
    assert_eq!(
        read(&mut json, &mut schemas, &message("1.234"))
            .expect_err("digits lost")
            .message,
        "Decimal value 1.234 does not fit the schema's scale 2"
    );
}

#[test]
fn many_repeated_keys_keep_their_last_values() {
    let (mut json, mut schemas) = (converter(&[("schemas.enable", "false")]), SchemaTable::new());
    let pairs: Vec<String> = (0..40)
        .map(|number| format!(r#""k{}":{number}"#, number % 20))
        .collect();
    let (_, value) = read(&mut json, &mut schemas, &format!("{{{}}}", pairs.join(","))).expect("reads");
    let expected: Vec<_> = (0..20)
        .map(|number| (Value::Text(format!("k{number}")), Value::Int64(number + 20)))
        .collect();
    assert_eq!(value, Value::Map(expected));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (mut json, mut schemas) = (converter(&[]), SchemaTable::new());
    let error = json
        .to_connect(
            &mut ConvertCx {
                topic: "t",
                schemas: &mut schemas,
            },
            Some(b"\xff"),
            &mut Vec::new(),
        )
        .expect_err("not UTF-8");
    assert_eq!(
        error.message,
        "Converting byte[] to Kafka Connect data failed due to serialization error: "
    );
}

fn wide() -> Arc<Schema> {
    let array = SchemaBuilder::array(builder::optional_float64())
        .build()
        .expect("array");
    SchemaBuilder::structure()
        .field("text", builder::optional_text())
        .field("bytes", builder::bytes())
        .field("list", array)
        .field(
            "map",
            SchemaBuilder::map(builder::int32(), builder::boolean())
                .optional()
                .build()
                .expect("map"),
        )
        .field(
            "d",
            SchemaBuilder::new(SchemaType::Int64)
                .optional()
                .default_value(Value::Int64(4))
                .build()
                .expect("int64"),
        )
        .build()
        .expect("struct")
}

proptest! {
    #[test]
    fn typed_values_come_back(text: Option<String>, bytes: Vec<u8>, list in vec(prop::option::of(-1e9..1e9f64), 0..5), map in prop::option::of(prop::collection::btree_map(any::<i32>(), any::<bool>(), 0..4)), d: i64) {
        let schema = wide();
        let fields = vec![
            text.map_or(Value::Null, Value::Text),
            Value::Bytes(bytes),
            Value::Array(list.into_iter().map(|number| number.map_or(Value::Null, |number| Value::Float64(number + 0.0))).collect()),
            map.map_or(Value::Null, |map| Value::Map(map.into_iter().map(|(key, value)| (Value::Int32(key), Value::Boolean(value))).collect())),
            Value::Int64(d),
        ];
        let value = Value::Struct(StructValue { schema: Arc::clone(&schema), fields });
        let (mut json, mut schemas) = (converter(&[]), SchemaTable::new());
        let text = write(&mut json, &mut schemas, Some(&schema), &value);
        prop_assert_eq!(read(&mut json, &mut schemas, &text), Ok((SchemaId(64), value)));
    }

    #[test]
    fn arbitrary_slots_and_messages_never_panic(bytes in vec(any::<u8>(), 0..64), tagged in vec(0u8..16, 0..64), id in 0u32..70) {
        let (mut json, mut schemas) = (converter(&[]), SchemaTable::new());
        schemas.declare(wide()).expect("declares");
        for bytes in [&bytes, &tagged] {
            let mut cx = ConvertCx { topic: "t", schemas: &mut schemas };
            let _ = json.from_connect(&mut cx, Slot::new(SchemaId(id), Some(bytes)), &mut Vec::new());
            let _ = json.to_connect(&mut cx, Some(bytes), &mut Vec::new());
        }
    }
}
