//! Nanoseconds to write and to read one record as Avro, for structs of 5, 20 and 100 fields
//!
//! Prints a JSON line a size with the schema and bytes, so that Java's library measures the same record in the same run
//! (`AvroBench.java`; both are called by `tests/bench/avro.sh`). Ours goes from a frame's value encoding to Avro bytes
//! and back; Java's from `GenericRecord`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use weir_api::data::builder::{self, SchemaBuilder};
use weir_api::data::logical;
use weir_api::data::schema::Schema;
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::{StructValue, Value};
use weir_api::frame::value::encode_slot;
use weir_converters::avro::avro_to_connect::to_connect;
use weir_converters::avro::config::DataOptions;
use weir_converters::avro::connect_to_avro::to_avro;
use weir_converters::avro::decode_plan::DecodePlan;
use weir_converters::avro::encode_plan::EncodePlan;

/// Rounds, of which the median counts.
const ROUNDS: usize = 15;
/// Fields written or read in one round, in all.
const FIELDS_A_ROUND: usize = 10_000_000;

/// A struct of mixed types: numbers, texts, a timestamp, nullable ones.
fn schema(fields: usize) -> Arc<Schema> {
    let mut builder = SchemaBuilder::structure().name("bench.Row");
    for at in 0..fields {
        let field = match at % 8 {
            0 => builder::int32(),
            1 => builder::text(),
            2 => builder::int64(),
            3 => builder::float64(),
            4 => builder::boolean(),
            5 => builder::optional_text(),
            6 => logical::timestamp(),
            _ => builder::optional_int32(),
        };
        builder = builder.field(&format!("f{at}"), field);
    }
    builder.build().expect("schema")
}

fn value(schema: &Arc<Schema>) -> Value {
    let mut value = StructValue::new(Arc::clone(schema));
    for (at, slot) in value.fields.iter_mut().enumerate() {
        let number = i32::try_from(at).expect("few fields");
        *slot = match at % 8 {
            0 => Value::Int32(number * 1009),
            1 => Value::Text(format!("text of field {at}")),
            2 => Value::Int64(1_000_003 * i64::from(number)),
            3 => Value::Float64(f64::from(number) / 3.0),
            4 => Value::Boolean(at % 16 == 4),
            5 if at % 16 == 5 => Value::Null,
            5 => Value::Text("übrigens".to_owned()),
            6 => Value::Int64(1_700_000_000_000 + i64::from(number)),
            _ => Value::Int32(-number),
        };
    }
    Value::Struct(value)
}

/// Median nanoseconds of one call.
fn measured(calls: usize, mut call: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..calls {
                call();
            }
            began.elapsed().as_secs_f64() * 1e9 / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    let options = DataOptions::default();
    for fields in [5, 20, 100] {
        let schema = schema(fields);
        let mut slot = Vec::new();
        encode_slot(Some(&schema), &value(&schema), &mut SchemaTable::new(), &mut slot).expect("value");
        let form = to_avro(Some(&schema), &options).expect("schema");
        let encode = EncodePlan::new(Some(&schema), &form.avro, &options).expect("plan");
        let connect = to_connect(&form.avro, None, &options).expect("schema");
        let decode = DecodePlan::new(&form.avro, connect.as_ref()).expect("plan");
        let mut bytes = Vec::new();
        encode.write(&slot, &mut bytes).expect("written");
        let mut back = Vec::new();
        assert!(
            decode.read(&bytes, &mut back).expect("read") && back == slot,
            "the value comes back"
        );
        let calls = FIELDS_A_ROUND / fields;
        let mut out = Vec::with_capacity(bytes.len());
        let encode_ns = measured(calls, || {
            out.clear();
            encode.write(black_box(&slot), &mut out).expect("written");
            black_box(&out);
        });
        let decode_ns = measured(calls, || {
            back.clear();
            decode.read(black_box(&bytes), &mut back).expect("read");
            black_box(&back);
        });
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let line = serde_json::json!({
            "fields": fields, "schema": form.text, "hex": hex, "encode_ns": encode_ns, "decode_ns": decode_ns
        });
        #[expect(clippy::print_stdout, reason = "the result of the program")]
        {
            println!("{line}");
        }
    }
}
