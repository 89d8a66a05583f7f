//! Nanoseconds a record of common transformations, over batches of 500 structs of five fields
//!
//! Prints a line a case with its settings, parted by tabs, so that Java's classes are measured on the same record in the same run
//! (`SmtBench.java`; both are called by `tests/bench/smt.sh`). Ours goes from a batch's frame through the chain, rows
//! included; Java's from `SourceRecord` to `SourceRecord`. CPU time of the thread, so that a busy machine matters less.

use std::hint::black_box;
use std::sync::Arc;

use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::{StructValue, Value};
use weir_api::frame::reader::{Frame, FrameLimits};
use weir_api::frame::slot::Slot;
use weir_api::frame::value::encode_slot;
use weir_api::frame::writer::{FrameWriter, SourceParts};
use weir_config::map::ConfigMap;
use weir_transforms::chain::{Chain, RecordKind};
use weir_transforms::rows::Rows;

/// Rounds, of which the median counts.
const ROUNDS: usize = 15;
const BATCHES_A_ROUND: usize = 400;
const BATCH: usize = 500;

/// What is measured: the class behind the package's name, and its settings.
const CASES: &[(&str, &[(&str, &str)])] = &[
    (
        "InsertField$Value",
        &[("static.field", "site"), ("static.value", "north")],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "active"), ("renames", "name:title")],
    ),
    ("MaskField$Value", &[("fields", "name")]),
    ("Cast$Value", &[("spec", "id:int64,price:string")]),
    (
        "TimestampConverter$Value",
        &[
            ("field", "at"),
            ("target.type", "string"),
            ("format", "yyyy-MM-dd'T'HH:mm:ss.SSS"),
        ],
    ),
    ("HoistField$Value", &[("field", "row")]),
    ("ExtractField$Value", &[("field", "name")]),
    ("ValueToKey", &[("fields", "id")]),
    ("RegexRouter", &[("regex", "(.*)-raw"), ("replacement", "$1")]),
];

fn batch(schemas: &mut SchemaTable) -> Vec<u8> {
    let schema = SchemaBuilder::structure()
        .name("bench.Row")
        .field("id", builder::int32())
        .field("name", builder::text())
        .field("at", logical::timestamp())
        .field("price", builder::float64())
        .field("active", builder::boolean())
        .build()
        .expect("schema");
    let id = schemas.declare(Arc::clone(&schema)).expect("declared");
    let mut writer = FrameWriter::source();
    for at in 0..BATCH {
        let number = i32::try_from(at).expect("few records");
        let mut value = StructValue::new(Arc::clone(&schema));
        let fields = [
            Value::Int32(number),
            Value::Text(format!("name of record {at}")),
            Value::Int64(1_700_000_000_000 + i64::from(number)),
            Value::Float64(f64::from(number) / 8.0),
            Value::Boolean(at % 2 == 0),
        ];
        for (slot, field) in value.fields.iter_mut().zip(fields) {
            *slot = field;
        }
        let mut bytes = Vec::new();
        encode_slot(Some(&schema), &Value::Struct(value), schemas, &mut bytes).expect("value");
        let parts = SourceParts {
            topic: writer.intern("items-raw"),
            source_partition: Some(writer.intern("{}")),
            source_offset: Some(b"{}"),
            value: Slot::new(id, Some(&bytes)),
            ..SourceParts::default()
        };
        writer.source_record(&parts).expect("record");
    }
    writer.finish()
}

/// Nanoseconds that this thread has run.
fn cpu_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
}

/// Median nanoseconds a record.
fn measured(class: &str, settings: &[(&str, &str)]) -> f64 {
    let mut config = ConfigMap::new();
    config.insert("transforms", "t");
    config.insert(
        "transforms.t.type",
        format!("org.apache.kafka.connect.transforms.{class}").as_str(),
    );
    for (key, value) in settings {
        config.insert(format!("transforms.t.{key}").as_str(), *value);
    }
    let mut chain = Chain::build(&config).expect("settings").expect("one transformation");
    let mut schemas = SchemaTable::new();
    let bytes = batch(&mut schemas);
    let frame = Frame::parse(&bytes, &FrameLimits::default()).expect("frame");
    let (mut rows, mut failures) = (Rows::new(), Vec::new());
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = cpu_ns();
            for _ in 0..BATCHES_A_ROUND {
                rows.clear();
                for record in frame.records() {
                    rows.push(&bytes, &record);
                }
                chain.apply(
                    RecordKind::Source,
                    &mut schemas,
                    black_box(&bytes),
                    &mut rows,
                    &mut failures,
                );
                black_box(&rows);
            }
            (cpu_ns() - began) / (BATCHES_A_ROUND * BATCH) as f64
        })
        .collect();
    assert!(failures.is_empty(), "{class}: {:?}", failures.first());
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    for (class, settings) in CASES {
        let pairs: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        #[expect(clippy::print_stdout, reason = "the result of the program")]
        {
            println!("{class}\t{:.1}\t{}", measured(class, settings), pairs.join("\t"));
        }
    }
}
