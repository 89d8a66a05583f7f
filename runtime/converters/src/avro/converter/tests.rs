//! The converter against a registry

use std::sync::Arc;

use serde_json::json;
use weir_api::converter::{ConvertCx, Converted, Converter, ConverterSlot};
use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::schema::Schema;
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::{StructValue, Value};
use weir_api::error::{ConnectError, ErrorKind};
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};
use weir_config::map::ConfigMap;

use super::AvroConverter;
use crate::registry_client::fixture::FixtureRegistry;

/// A converter with its own table of schemas.
struct Bench {
    converter: AvroConverter,
    schemas: SchemaTable,
}

impl Bench {
    fn new(registry: &FixtureRegistry, more: &[(&str, &str)]) -> Self {
        let config: ConfigMap = [
            ("schema.registry.url", registry.url.as_str()),
            ("max.retries", "0"),
            ("retries.wait.ms", "1"),
        ]
        .iter()
        .chain(more)
        .copied()
        .collect();
        Self {
            converter: AvroConverter::new(&config, ConverterSlot::Value).expect("converter"),
            schemas: SchemaTable::new(),
        }
    }

    fn write(
        &mut self,
        topic: &str,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Vec<u8>>, ConnectError> {
        let id = schema.map_or(SchemaId::NONE, |schema| {
            self.schemas.declare(Arc::clone(schema)).expect("declared")
        });
        let mut bytes = Vec::new();
        let present = encode_slot(schema.map(|schema| &**schema), value, &mut self.schemas, &mut bytes).expect("slot");
        let mut out = Vec::new();
        let mut cx = ConvertCx {
            topic,
            schemas: &mut self.schemas,
        };
        let form = self
            .converter
            .from_connect(&mut cx, Slot::new(id, present.then_some(&bytes)), &mut out)?;
        Ok((form == Converted::Written).then_some(out))
    }

    fn read(&mut self, topic: &str, data: Option<&[u8]>) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
        let mut out = Vec::new();
        let mut cx = ConvertCx {
            topic,
            schemas: &mut self.schemas,
        };
        let read = self.converter.to_connect(&mut cx, data, &mut out)?;
        let bytes = (read.form == Converted::Written).then_some(out.as_slice());
        let value = decode_slot(read.schema, bytes, &self.schemas)?;
        Ok((self.schemas.get(read.schema).cloned(), value))
    }
}

fn row() -> (Arc<Schema>, Value) {
    let schema = SchemaBuilder::structure()
        .name("n.Row")
        .field("a", builder::int32())
        .field("b", builder::optional_text())
        .build()
        .expect("schema");
    let mut value = StructValue::new(Arc::clone(&schema));
    value.put("a", 1).expect("field");
    value.put("b", "x").expect("field");
    (schema, Value::Struct(value))
}

#[test]
fn a_value_goes_out_and_comes_back_with_the_registrys_version() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[]);
    let (schema, value) = row();
    let bytes = bench
        .write("t", Some(&schema), &value)
        .expect("written")
        .expect("bytes");
    assert_eq!(bytes, [0, 0, 0, 0, 1, 2, 2, 2, b'x']);
    bench.write("t", Some(&schema), &value).expect("written");
    let (read_schema, read) = bench.read("t", Some(&bytes)).expect("read");
    let read_schema = read_schema.expect("schema");
    assert_eq!(
        (read_schema.name.as_deref(), read_schema.version),
        (Some("n.Row"), Some(1))
    );
    let Value::Struct(read) = read else { panic!("no struct") };
    assert_eq!(read.fields, [1.into(), "x".into()]);
    let lines: Vec<String> = registry.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        [
            "POST /subjects/t-value/versions",
            "GET /schemas/ids/1?deleted=true",
            "POST /subjects/t-value?normalize=false&deleted=true"
        ]
    );
}

#[test]
fn null_is_null_and_registers_nothing() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[]);
    assert_eq!(
        bench.write("t", Some(&builder::optional_text()), &Value::Null),
        Ok(None)
    );
    assert_eq!(bench.write("t", None, &Value::Null), Ok(None));
    assert_eq!(bench.read("t", None), Ok((None, Value::Null)));
    assert!(registry.asked().is_empty());
}

#[test]
fn schemaless_values_come_back_without_schema() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[]);
    let value = Value::Map(vec![("k".into(), Value::Array(vec![1i64.into(), Value::Null]))]);
    let bytes = bench.write("t", None, &value).expect("written").expect("bytes");
    assert_eq!(bench.read("t", Some(&bytes)), Ok((None, value)));
}

#[test]
fn topics_have_their_own_subjects() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[]);
    let (schema, value) = row();
    for topic in ["a", "b", "a", "b"] {
        bench.write(topic, Some(&schema), &value).expect("written");
    }
    let lines: Vec<String> = registry.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(
        lines,
        ["POST /subjects/a-value/versions", "POST /subjects/b-value/versions"]
    );
    let strategy = "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy";
    let mut bench = Bench::new(&registry, &[("value.subject.name.strategy", strategy)]);
    bench.write("c", Some(&schema), &value).expect("written");
    assert_eq!(
        registry.asked().last().expect("asked").line,
        "POST /subjects/c-n.Row/versions"
    );
    let error = bench
        .write("c", Some(&builder::text()), &"x".into())
        .expect_err("no record");
    assert!(error.message.contains("must only be a record schema"), "{error}");
}

#[test]
fn without_registering_the_schema_must_be_there() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[("auto.register.schemas", "false")]);
    let (schema, value) = row();
    let error = bench.write("t", Some(&schema), &value).expect_err("not there");
    assert_eq!(error.kind, ErrorKind::Data);
    assert_eq!(
        error.message,
        "Failed to serialize Avro data from topic t : Error retrieving schema under subject t-value: Subject 't-value' not found.; error code: 40401"
    );
    let text = super::to_avro(Some(&schema), &super::DataOptions::default())
        .expect("form")
        .text;
    registry.register("t-value", json!({"schema": text}));
    assert_eq!(
        bench.write("t", Some(&schema), &value),
        Ok(Some(vec![0, 0, 0, 0, 1, 2, 2, 2, b'x']))
    );
}

#[test]
fn the_latest_version_is_written_with_where_asked_for() {
    let registry = FixtureRegistry::start();
    let latest = r#"{"type":"record","name":"Row","namespace":"n","fields":[{"name":"b","type":["null","string"],"default":null},{"name":"a","type":"long"},{"name":"c","type":"int","default":3}]}"#;
    registry.register("t-value", json!({"schema": "\"int\""}));
    registry.register("t-value", json!({"schema": latest}));
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let (schema, value) = row();
    let mut bench = Bench::new(&registry, &settings);
    let expected = vec![0, 0, 0, 0, 2, 2, 2, b'x', 2, 6];
    assert_eq!(bench.write("t", Some(&schema), &value), Ok(Some(expected)));
    // A latest that cannot read what the value's own schema writes.
    registry.register("u-value", json!({"schema": r#"{"type":"record","name":"Row","namespace":"n","fields":[{"name":"a","type":"int"},{"name":"z","type":"int"}]}"#}));
    let error = bench.write("u", Some(&schema), &value).expect_err("incompatible");
    assert!(
        error.message.contains("Set latest.compatibility.strict=false"),
        "{error}"
    );
    let mut bench = Bench::new(&registry, &[("auto.register.schemas", "false"), ("use.schema.id", "2")]);
    assert_eq!(
        bench.write("v", Some(&schema), &value),
        Ok(Some(vec![0, 0, 0, 0, 2, 2, 2, b'x', 2, 6]))
    );
}

#[test]
fn failures_say_what_and_where_and_recover() {
    let registry = FixtureRegistry::start();
    let mut bench = Bench::new(&registry, &[]);
    let (schema, value) = row();
    registry.answer_next(503, 50003, "no leader");
    let error = bench.write("t", Some(&schema), &value).expect_err("not well");
    assert_eq!(error.kind, ErrorKind::Retriable);
    assert!(
        error.message.contains(&registry.url) && error.message.contains("no leader"),
        "{error}"
    );
    registry.answer_next(
        409,
        40901,
        "Schema being registered is incompatible with an earlier schema",
    );
    let error = bench.write("t", Some(&schema), &value).expect_err("incompatible");
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(
        error
            .message
            .contains("is incompatible with an earlier schema; error code: 40901"),
        "{error}"
    );
    assert!(bench.write("t", Some(&schema), &value).is_ok());
}

#[test]
fn values_that_are_not_the_registrys_are_refused() {
    let registry = FixtureRegistry::start();
    registry.register(
        "t-value",
        json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"}),
    );
    registry.register("t-value", json!({"schema": "\"string\""}));
    let mut bench = Bench::new(&registry, &[]);
    let mut message = |bytes: &[u8]| {
        let error = bench.read("t", Some(bytes)).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Data);
        error.message
    };
    assert_eq!(
        message(b"{}"),
        "Failed to deserialize data for topic t to Avro: Unknown magic byte!"
    );
    assert!(message(&[]).contains("no bytes"));
    assert!(
        message(&[0, 0, 0, 0, 9]).contains("Error retrieving schema for id 9: Schema 9 not found; error code: 40403")
    );
    assert!(message(&[0, 0, 0, 0, 1]).contains("of type PROTOBUF, not AVRO"));
    assert!(message(&[0, 0, 0, 0, 2, 10, b'a']).contains("5 bytes wanted"));
    assert!(message(&[0, 0, 0, 0, 2, 2, b'a', 0]).contains("1 bytes left over"));
}

#[test]
fn a_schema_with_references_is_read() {
    let registry = FixtureRegistry::start();
    registry.register(
        "in",
        json!({"schema": r#"{"type":"record","name":"n.In","fields":[{"name":"i","type":"int"}]}"#}),
    );
    registry.register(
        "t-value",
        json!({
            "schema": r#"{"type":"record","name":"n.Out","fields":[{"name":"in","type":"n.In"}]}"#,
            "references": [{"name": "n.In", "subject": "in", "version": 1}]
        }),
    );
    let mut bench = Bench::new(&registry, &[]);
    let (schema, _) = bench.read("t", Some(&[0, 0, 0, 0, 2, 8])).expect("read");
    assert_eq!(
        schema
            .expect("schema")
            .field("in")
            .expect("field")
            .1
            .schema
            .name
            .as_deref(),
        Some("n.In")
    );
    let look_up = registry.asked().pop().expect("asked");
    assert!(
        look_up
            .body
            .contains(r#""references":[{"name":"n.In","subject":"in","version":1}]"#),
        "{}",
        look_up.body
    );
}
