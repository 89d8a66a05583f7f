//! Avro beside the libraries others read it with: fastavro, Java's, confluent-kafka.
//!
//! A table of Connect schemas and values is written here; each library reads every value, prints the schema (Java's
//! own text must be ours) and writes the value again, which must be the same bytes and read back here as the same
//! value. For confluent-kafka the converter registers at a small registry in this process. The scripts are in
//! `tests/clients`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use weir_api::converter::{ConvertCx, Converted, Converter as _, ConverterSlot};
use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::schemas::{SchemaId, SchemaTable};
use weir_api::data::value::{StructValue, Value};
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};
use weir_converters::avro::avro_to_connect::to_connect;
use weir_converters::avro::config::DataOptions;
use weir_converters::avro::connect_to_avro::to_avro;
use weir_converters::avro::converter::AvroConverter;
use weir_converters::avro::decode_plan::DecodePlan;
use weir_converters::avro::encode_plan::EncodePlan;
use weir_converters::avro::shapes::is_union;
use weir_tests::process::repository;

#[path = "../../runtime/converters/src/registry_client/fixture.rs"]
#[expect(dead_code, reason = "the converters' own tests use the rest of it")]
mod fixture;

use fixture::FixtureRegistry;

/// A schema, none for schemaless values, and one value of it.
struct Vector {
    name: &'static str,
    schema: Option<Arc<Schema>>,
    value: Value,
}

fn vector(name: &'static str, schema: Arc<Schema>, value: impl Into<Value>) -> Vector {
    Vector {
        name,
        schema: Some(schema),
        value: value.into(),
    }
}

fn build(builder: SchemaBuilder) -> Arc<Schema> {
    builder.build().expect("schema")
}

fn structure(schema: &Arc<Schema>, fields: &[(&str, Value)]) -> Value {
    let mut value = StructValue::new(Arc::clone(schema));
    for (name, field) in fields {
        value.put(name, field.clone()).expect("field");
    }
    Value::Struct(value)
}

fn options() -> DataOptions {
    DataOptions {
        enhanced: true,
        ..DataOptions::default()
    }
}

fn bare_types() -> Vec<Vector> {
    vec![
        vector("int8", builder::int8(), Value::Int8(-128)),
        vector("int16", builder::int16(), Value::Int16(32_767)),
        vector("int32", builder::int32(), i32::MIN),
        vector("int64", builder::int64(), i64::MAX),
        vector("float32", builder::float32(), Value::Float32(-1.5)),
        vector("float64", builder::float64(), 0.1),
        vector("boolean", builder::boolean(), true),
        vector("string", builder::text(), "aé😀\u{0}"),
        vector("optional bytes", builder::optional_bytes(), vec![0u8, 0xFF]),
        vector("optional int8", builder::optional_int8(), Value::Int8(7)),
        vector("optional int64", builder::optional_int64(), -1i64),
        vector("optional float32", builder::optional_float32(), Value::Float32(2.0)),
        vector("optional float64", builder::optional_float64(), 2.5),
        vector("optional boolean", builder::optional_boolean(), false),
        vector("optional string", builder::optional_text(), ""),
    ]
}

fn logical_types() -> Vec<Vector> {
    let optional = |schema: Arc<Schema>| {
        Arc::new(Schema {
            optional: true,
            ..schema.as_ref().clone()
        })
    };
    let decimals = |scale: i32, value: Vec<u8>| {
        let list = build(SchemaBuilder::array(logical::decimal(scale)));
        (list, Value::Array(vec![value.into()]))
    };
    let (two, two_value) = decimals(2, vec![0xFB, 0x2E]);
    let (none, none_value) = decimals(0, vec![0x7F]);
    vec![
        vector("date", logical::date(), 19_000),
        vector("time", logical::time(), 86_399_999),
        vector("timestamp", logical::timestamp(), 1_700_000_000_123i64),
        vector("optional date", optional(logical::date()), 1),
        vector("optional timestamp", optional(logical::timestamp()), 1i64),
        vector("decimal", two, two_value),
        vector("decimal without scale", none, none_value),
    ]
}

fn containers() -> Vec<Vector> {
    let nullable = build(SchemaBuilder::array(builder::optional_int32()));
    let nested = build(SchemaBuilder::array(build(SchemaBuilder::map(
        builder::text(),
        builder::float64(),
    ))));
    vec![
        vector(
            "array",
            nullable,
            Value::Array(vec![1.into(), Value::Null, (-3).into()]),
        ),
        vector(
            "array of maps",
            nested,
            Value::Array(vec![Value::Map(vec![("k".into(), 1.5.into())]), Value::Map(vec![])]),
        ),
        vector(
            "map",
            build(SchemaBuilder::map(builder::text(), builder::optional_text())),
            Value::Map(vec![("a".into(), "b".into())]),
        ),
        vector(
            "map with int keys",
            build(SchemaBuilder::map(builder::int32(), builder::text())),
            Value::Map(vec![(1.into(), "a".into()), (2.into(), "b".into())]),
        ),
        vector(
            "map with optional keys",
            build(SchemaBuilder::map(builder::optional_text(), builder::int64())),
            Value::Map(vec![("a".into(), 1i64.into()), (Value::Null, 2i64.into())]),
        ),
        vector(
            "named map",
            build(SchemaBuilder::map(builder::int8(), builder::boolean()).name("n.Flags")),
            Value::Map(vec![(Value::Int8(1), true.into())]),
        ),
    ]
}

fn structs() -> Vec<Vector> {
    let inner = build(SchemaBuilder::structure().name("n.In").field("i", builder::int32()));
    let outer = build(
        SchemaBuilder::structure()
            .name("n.Out")
            .version(3)
            .doc("outer")
            .parameter("p", "q")
            .field("a", Arc::clone(&inner))
            .field(
                "b",
                build(
                    SchemaBuilder::structure()
                        .name("n.In")
                        .field("i", builder::int32())
                        .optional(),
                ),
            )
            .field("c", build(SchemaBuilder::array(Arc::clone(&inner)))),
    );
    let in_value = structure(&inner, &[("i", 5.into())]);
    let defaults = build(
        SchemaBuilder::structure()
            .field(
                "t",
                build(SchemaBuilder::new(SchemaType::Text).optional().default_value("x")),
            )
            .field(
                "i",
                build(SchemaBuilder::new(SchemaType::Int8).default_value(Value::Int8(-3))),
            )
            .field(
                "l",
                build(SchemaBuilder::new(SchemaType::Int64).default_value(i64::MAX)),
            )
            .field(
                "f",
                build(SchemaBuilder::new(SchemaType::Float32).default_value(Value::Float32(1.1))),
            )
            .field("d", build(SchemaBuilder::new(SchemaType::Float64).default_value(1e10)))
            .field("s", build(SchemaBuilder::new(SchemaType::Float64).default_value(1e-5)))
            .field(
                "b",
                build(SchemaBuilder::new(SchemaType::Bytes).default_value(vec![b'a', 0xFF])),
            )
            .field("z", build(SchemaBuilder::new(SchemaType::Boolean).default_value(true)))
            .field(
                "a",
                build(SchemaBuilder::array(builder::int32()).default_value(Value::Array(vec![1.into()]))),
            ),
    );
    let list_default = Value::Array(vec![]);
    let unnamed = build(
        SchemaBuilder::structure()
            .field("a", build(SchemaBuilder::structure().field("i", builder::int32())))
            .field("b", build(SchemaBuilder::structure().field("s", builder::text()))),
    );
    let parts: Vec<Arc<Schema>> = unnamed.fields.iter().map(|field| Arc::clone(&field.schema)).collect();
    let unnamed_value = structure(
        &unnamed,
        &[
            ("a", structure(&parts[0], &[("i", 1.into())])),
            ("b", structure(&parts[1], &[("s", "x".into())])),
        ],
    );
    vec![
        vector(
            "nested structs",
            Arc::clone(&outer),
            structure(
                &outer,
                &[
                    ("a", in_value.clone()),
                    ("c", Value::Array(vec![in_value.clone(), in_value])),
                ],
            ),
        ),
        vector(
            "defaults",
            Arc::clone(&defaults),
            structure(&defaults, &[("a", list_default)]),
        ),
        vector("structs without names", Arc::clone(&unnamed), unnamed_value),
        vector(
            "no fields",
            build(SchemaBuilder::structure()),
            structure(&build(SchemaBuilder::structure()), &[]),
        ),
    ]
}

fn special_types() -> Vec<Vector> {
    let prefix = "io.confluent.connect.avro.Enum";
    let suit = SchemaBuilder::new(SchemaType::Text)
        .name("x.Suit")
        .parameter(prefix, "x.Suit")
        .parameter(&format!("{prefix}.SPADES"), "SPADES")
        .parameter(&format!("{prefix}.HEARTS"), "HEARTS");
    let fixed = build(
        SchemaBuilder::new(SchemaType::Bytes)
            .name("n.F")
            .parameter("connect.fixed.size", "2"),
    );
    let member = build(
        SchemaBuilder::structure()
            .name("n.M")
            .field("a", builder::int32())
            .optional(),
    );
    let union = build(
        SchemaBuilder::structure()
            .name("io.confluent.connect.avro.Union")
            .field("int", builder::optional_int32())
            .field("string", builder::optional_text())
            .field("n.M", Arc::clone(&member))
            .optional(),
    );
    let set = |name: &str, value: Value| structure(&union, &[(name, value)]);
    let members = vec![
        set("string", "s".into()),
        set("n.M", structure(&member, &[("a", 9.into())])),
        Value::Null,
        set("int", 1.into()),
    ];
    vec![
        vector("enum", build(suit), "HEARTS"),
        vector("fixed", fixed, vec![1u8, 2]),
        vector(
            "union",
            build(SchemaBuilder::array(Arc::clone(&union))),
            Value::Array(members),
        ),
        vector("union at the root", Arc::clone(&union), set("string", "s".into())),
        Vector {
            name: "schemaless",
            schema: None,
            value: Value::Array(vec!["a".into(), Value::Int64(2), Value::Null, Value::Boolean(true)]),
        },
    ]
}

fn vectors() -> Vec<Vector> {
    [bare_types(), logical_types(), containers(), structs(), special_types()]
        .into_iter()
        .flatten()
        .collect()
}

/// A vector's Avro text and bytes.
fn written(vector: &Vector) -> (String, Vec<u8>) {
    let form = to_avro(vector.schema.as_deref(), &options()).expect(vector.name);
    let mut slot = Vec::new();
    encode_slot(
        vector.schema.as_deref(),
        &vector.value,
        &mut SchemaTable::new(),
        &mut slot,
    )
    .expect(vector.name);
    let plan = EncodePlan::new(vector.schema.as_deref(), &form.avro, &options()).expect(vector.name);
    let mut bytes = Vec::new();
    plan.write(&slot, &mut bytes).expect(vector.name);
    (form.text, bytes)
}

/// Reads a vector's bytes as another library wrote them.
fn read_back(vector: &Vector, bytes: &[u8]) -> Value {
    let form = to_avro(vector.schema.as_deref(), &options()).expect(vector.name);
    let schema = to_connect(&form.avro, None, &options()).expect(vector.name);
    let mut table = SchemaTable::new();
    let id = schema.as_ref().map_or(SchemaId::NONE, |schema| {
        table.declare(Arc::clone(schema)).expect(vector.name)
    });
    let mut slot = Vec::new();
    let present = DecodePlan::new(&form.avro, schema.as_ref())
        .and_then(|plan| plan.read(bytes, &mut slot))
        .expect(vector.name);
    decode_slot(id, present.then_some(slot.as_slice()), &table).expect(vector.name)
}

/// What a reader of plain Avro sees of a value.
fn shown(schema: Option<&Schema>, value: &Value) -> Json {
    let Some(schema) = schema else {
        return anything(value);
    };
    match value {
        Value::Null => schema
            .default
            .as_ref()
            .map_or(Json::Null, |default| shown(Some(schema), default)),
        Value::Int8(number) => json!(number),
        Value::Int16(number) => json!(number),
        Value::Int32(number) => json!(number),
        Value::Int64(number) => json!(number),
        Value::Float32(number) => json!(f64::from(*number)),
        Value::Float64(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => json!(format!("0x{}", hex(bytes))),
        Value::Array(items) => items.iter().map(|item| shown(schema.value.as_deref(), item)).collect(),
        Value::Map(pairs) => {
            let key = schema.key.as_deref().expect("key");
            let pairs = pairs
                .iter()
                .map(|(name, value)| (shown(Some(key), name), shown(schema.value.as_deref(), value)));
            if key.base == SchemaType::Text && !key.optional {
                pairs
                    .map(|(name, value)| (name.as_str().expect("text").to_owned(), value))
                    .collect::<Map<_, _>>()
                    .into()
            } else {
                pairs.map(|(key, value)| json!({"key": key, "value": value})).collect()
            }
        }
        Value::Struct(value) => {
            let fields = schema.fields.iter().zip(&value.fields);
            if is_union(schema) {
                let set = fields.into_iter().find(|(_, value)| !value.is_null());
                return set.map_or(Json::Null, |(field, value)| shown(Some(&field.schema), value));
            }
            fields
                .map(|(field, value)| (field.name.clone(), shown(Some(&field.schema), value)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::DateTime(_) | Value::Decimal { .. } => unreachable!("not in the table"),
    }
}

fn anything(value: &Value) -> Json {
    let names = [
        "boolean", "bytes", "double", "float", "int", "long", "string", "array", "map",
    ];
    let mut record: Map<String, Json> = names.iter().map(|name| ((*name).to_owned(), Json::Null)).collect();
    let (name, own) = match value {
        Value::Null => return Json::Object(record),
        Value::Boolean(flag) => ("boolean", json!(flag)),
        Value::Int64(number) => ("long", json!(number)),
        Value::Text(text) => ("string", json!(text)),
        Value::Array(items) => ("array", items.iter().map(anything).collect()),
        other => unreachable!("not in the table: {other:?}"),
    };
    record.insert(name.to_owned(), own);
    Json::Object(record)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn clients() -> PathBuf {
    std::env::var_os("WEIR_CLIENTS").map_or_else(|| repository().join("target/clients"), PathBuf::from)
}

/// Gives a script its lines and takes as many back.
fn ask(program: &PathBuf, arguments: &[String], lines: &[Json]) -> Vec<Json> {
    let mut child = Command::new("timeout")
        .args(["--signal=KILL", "120"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("timeout of coreutils starts");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut stdin = child.stdin.take().expect("piped");
    // Written beside the reading: a script may answer before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the script ends");
    writer.join().expect("joined").expect("the script reads its input");
    assert!(
        output.status.success(),
        "failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Vec<Json> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), lines.len());
    answers
}

fn python(arguments: &[&str], lines: &[Json]) -> Vec<Json> {
    let program = clients().join("python/bin/python");
    assert!(
        program.is_file(),
        "missing: Python's clients; install them with: tests/setup.sh test"
    );
    let script = repository().join("tests/clients/avro_peer.py").display().to_string();
    let arguments: Vec<String> = ["-B", &script]
        .iter()
        .chain(arguments)
        .map(|argument| (*argument).to_owned())
        .collect();
    ask(&program, &arguments, lines)
}

/// Holds every answer against the table: what was read, the bytes written again, and their reading here.
fn check(library: &str, vectors: &[Vector], answers: &[Json], prefix: usize) {
    for (vector, answer) in vectors.iter().zip(answers) {
        let place = format!("{library}: {}", vector.name);
        let (_, bytes) = written(vector);
        assert_eq!(answer["name"], vector.name, "{place}");
        assert_eq!(
            answer["read"],
            shown(vector.schema.as_deref(), &vector.value),
            "{place}"
        );
        let theirs = unhex(answer["hex"].as_str().expect("hex"));
        assert_eq!(hex(&theirs[prefix..]), hex(&bytes), "{place}");
        assert_eq!(read_back(vector, &theirs[prefix..]), with_defaults(vector), "{place}");
    }
}

/// A null field with a default comes back as its default.
fn with_defaults(vector: &Vector) -> Value {
    let Value::Struct(value) = &vector.value else {
        return vector.value.clone();
    };
    let mut filled = value.clone();
    for (field, own) in value.schema.fields.iter().zip(&mut filled.fields) {
        if let (Value::Null, Some(default)) = (&*own, &field.schema.default) {
            *own = default.clone();
        }
    }
    Value::Struct(filled)
}

fn lines(vectors: &[Vector]) -> Vec<Json> {
    vectors
        .iter()
        .map(|vector| {
            let (schema, bytes) = written(vector);
            json!({"name": vector.name, "schema": schema, "hex": hex(&bytes)})
        })
        .collect()
}

#[test]
fn fastavro_reads_and_writes_the_same_bytes() {
    let vectors = vectors();
    check("fastavro", &vectors, &python(&["fastavro"], &lines(&vectors)), 0);
}

#[test]
fn javas_library_agrees_on_schema_texts_and_bytes() {
    let vectors = vectors();
    let libs = clients().join("java-avro");
    assert!(
        libs.is_dir(),
        "missing: Java's Avro library; install it with: tests/setup.sh test"
    );
    let script = repository().join("tests/clients/AvroPeer.java").display().to_string();
    let class_path = format!("{}/*", libs.display());
    let arguments = ["-XX:TieredStopAtLevel=1", "-cp", &class_path, &script].map(str::to_owned);
    let answers = ask(&PathBuf::from("java"), &arguments, &lines(&vectors));
    for (vector, answer) in vectors.iter().zip(&answers) {
        assert_eq!(answer["schema"], written(vector).0, "{}", vector.name);
    }
    check("java", &vectors, &answers, 0);
}

/// The converter at work, registering at the fixture.
struct Worker {
    converter: AvroConverter,
    schemas: SchemaTable,
}

impl Worker {
    fn new(registry: &FixtureRegistry) -> Self {
        let config = [
            ("schema.registry.url", registry.url.as_str()),
            ("enhanced.avro.schema.support", "true"),
        ];
        Self {
            converter: AvroConverter::new(&config.into_iter().collect(), ConverterSlot::Value).expect("converter"),
            schemas: SchemaTable::new(),
        }
    }

    fn write(&mut self, topic: &str, vector: &Vector) -> Vec<u8> {
        let id = vector.schema.as_ref().map_or(SchemaId::NONE, |schema| {
            self.schemas.declare(Arc::clone(schema)).expect(vector.name)
        });
        let mut bytes = Vec::new();
        encode_slot(vector.schema.as_deref(), &vector.value, &mut self.schemas, &mut bytes).expect(vector.name);
        let mut out = Vec::new();
        let mut cx = ConvertCx {
            topic,
            schemas: &mut self.schemas,
        };
        let form = self
            .converter
            .from_connect(&mut cx, Slot::new(id, Some(&bytes)), &mut out)
            .expect(vector.name);
        assert_eq!(form, Converted::Written, "{}", vector.name);
        out
    }

    fn read(&mut self, topic: &str, bytes: &[u8]) -> Value {
        let mut out = Vec::new();
        let mut cx = ConvertCx {
            topic,
            schemas: &mut self.schemas,
        };
        let read = self.converter.to_connect(&mut cx, Some(bytes), &mut out).expect(topic);
        decode_slot(
            read.schema,
            (read.form == Converted::Written).then_some(&out),
            &self.schemas,
        )
        .expect(topic)
    }
}

#[test]
fn confluent_kafka_reads_and_writes_through_a_registry() {
    let registry = FixtureRegistry::start();
    let mut worker = Worker::new(&registry);
    let mut vectors = vectors();
    // Its reader wants a byte at least, which a record without fields does not have.
    vectors.retain(|vector| !written(vector).1.is_empty());
    let mut lines = Vec::new();
    for (number, vector) in vectors.iter().enumerate() {
        let topic = format!("t{number}");
        let bytes = worker.write(&topic, vector);
        lines.push(json!({"name": vector.name, "topic": topic, "schema": written(vector).0, "hex": hex(&bytes)}));
    }
    let answers = python(&["confluent", &registry.url], &lines);
    check("confluent-kafka", &vectors, &answers, 5);
    for (number, (vector, answer)) in vectors.iter().zip(&answers).enumerate() {
        let theirs = unhex(answer["hex"].as_str().expect("hex"));
        let read = worker.read(&format!("t{number}"), &theirs);
        // The registry's version is part of a root's schema here, so only what is no struct is equal as a whole.
        if !matches!(read, Value::Struct(_)) {
            assert_eq!(read, vector.value, "{}", vector.name);
        }
    }
}
