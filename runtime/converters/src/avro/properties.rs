//! Random schemas and values: they come back, and apache-avro agrees on every byte

use std::sync::Arc;

use proptest::prelude::*;
use weir_api::data::builder::SchemaBuilder;
use weir_api::data::logical;
use weir_api::data::schema::{Schema, SchemaType};
use weir_api::data::value::{StructValue, Value};

use super::config::DataOptions;
use super::testing::{read, write};

/// Makes schemas and values out of one number.
struct Maker {
    state: u64,
    names: u32,
    /// Avro maps have no order: the library that is compared with shuffles longer ones.
    most_pairs: u64,
}

impl Maker {
    fn new(seed: u64, most_pairs: u64) -> Self {
        Self {
            state: seed,
            names: 0,
            most_pairs,
        }
    }

    fn next(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{}.T{}", self.names % 3, self.names)
    }

    fn schema(&mut self, depth: u32) -> Arc<Schema> {
        let kinds = if depth == 0 { 13 } else { 18 };
        let builder = match self.next(kinds) {
            0 => SchemaBuilder::new(SchemaType::Int8),
            1 => SchemaBuilder::new(SchemaType::Int16),
            2 => SchemaBuilder::new(SchemaType::Int32),
            3 => SchemaBuilder::new(SchemaType::Int64),
            4 => SchemaBuilder::new(SchemaType::Float32),
            5 => SchemaBuilder::new(SchemaType::Float64),
            6 => SchemaBuilder::new(SchemaType::Boolean),
            7 => SchemaBuilder::new(SchemaType::Text),
            8 => SchemaBuilder::new(SchemaType::Bytes),
            kind @ 9..=12 => return self.logical(kind),
            13 => SchemaBuilder::array(self.schema(depth - 1)),
            14 => SchemaBuilder::map(weir_api::data::builder::text(), self.schema(depth - 1)),
            15 => SchemaBuilder::map(weir_api::data::builder::int32(), self.schema(depth - 1)).name(&self.name()),
            // An optional one gets a parameter on its way through a field's default null, as in Java.
            16 => return self.union().build().expect("schema"),
            _ => {
                let mut builder = SchemaBuilder::structure();
                if self.next(3) > 0 {
                    builder = builder.name(&self.name());
                }
                for field in 0..self.next(4) {
                    builder = builder.field(&format!("f{field}"), self.schema(depth - 1));
                }
                builder
            }
        };
        let plain = builder.clone().build().expect("schema");
        let builder = if self.next(3) == 0 { builder.optional() } else { builder };
        let has_default = plain.base.is_primitive() && self.next(4) == 0;
        let builder = if has_default {
            let default = self.value(&plain);
            builder.default_value(default)
        } else {
            builder
        };
        builder.build().expect("schema")
    }

    fn logical(&mut self, kind: u64) -> Arc<Schema> {
        let schema = match kind {
            9 => logical::date(),
            10 => logical::time(),
            11 => logical::timestamp(),
            _ => logical::decimal(2),
        };
        let optional = self.next(2) == 0;
        Arc::new(Schema {
            optional,
            ..schema.as_ref().clone()
        })
    }

    fn union(&mut self) -> SchemaBuilder {
        use weir_api::data::builder::{optional_boolean, optional_int64, optional_text};
        SchemaBuilder::structure()
            .name("io.confluent.connect.avro.Union")
            .field("long", optional_int64())
            .field("string", optional_text())
            .field("boolean", optional_boolean())
    }

    fn value(&mut self, schema: &Arc<Schema>) -> Value {
        if schema.optional && schema.default.is_none() && self.next(3) == 0 {
            return Value::Null;
        }
        let raw = self.next(u64::MAX);
        match schema.base {
            SchemaType::Int8 => Value::Int8(raw as i8),
            SchemaType::Int16 => Value::Int16(raw as i16),
            SchemaType::Int32 if schema.name.is_some() => Value::Int32((raw % 86_400_000) as i32),
            SchemaType::Int32 => Value::Int32((raw as i32) >> (raw % 31)),
            SchemaType::Int64 => Value::Int64((raw as i64) >> (raw % 63)),
            SchemaType::Float32 => Value::Float32(raw as f32 / 7.0),
            SchemaType::Float64 => Value::Float64(raw as f64 / 7.0),
            SchemaType::Boolean => Value::Boolean(raw.is_multiple_of(2)),
            SchemaType::Text => Value::Text("aé😀\"\\ x".chars().cycle().take((raw % 9) as usize).collect()),
            // A positive number where it is a decimal.
            SchemaType::Bytes if schema.name.is_some() => Value::Bytes(vec![(raw % 128) as u8]),
            SchemaType::Bytes => Value::Bytes(raw.to_le_bytes().into_iter().take((raw % 9) as usize).collect()),
            SchemaType::Array => {
                let element = schema.value.clone().expect("element");
                Value::Array((0..raw % 4).map(|_| self.value(&element)).collect())
            }
            SchemaType::Map => {
                let (key, element) = (schema.key.clone().expect("key"), schema.value.clone().expect("value"));
                let most = if key.base == SchemaType::Text {
                    self.most_pairs
                } else {
                    4
                };
                let pairs = (0..raw % (most + 1)).map(|at| {
                    let key = match key.base {
                        SchemaType::Text => Value::Text(format!("k{at}")),
                        _ => Value::Int32(at as i32),
                    };
                    (key, self.value(&element))
                });
                Value::Map(pairs.collect())
            }
            SchemaType::Struct => self.structure(schema),
        }
    }

    fn structure(&mut self, schema: &Arc<Schema>) -> Value {
        let mut value = StructValue::new(Arc::clone(schema));
        if super::shapes::is_union(schema) {
            let at = self.next(3) as usize;
            value.fields[at] = match at {
                0 => Value::Int64(5),
                1 => "x".into(),
                _ => Value::Boolean(true),
            };
        } else {
            for (at, field) in schema.fields.iter().enumerate() {
                value.fields[at] = self.value(&field.schema);
            }
        }
        Value::Struct(value)
    }

    /// A schema and a value that is not null, which has no bytes.
    fn pair(&mut self) -> (Arc<Schema>, Value) {
        let schema = self.schema(3);
        loop {
            let value = self.value(&schema);
            if !value.is_null() {
                return (schema, value);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn schemas_and_values_come_back(seed: u64) {
        let (schema, value) = Maker::new(seed, 4).pair();
        let options = DataOptions::default();
        let (text, bytes) = write(Some(&schema), &value, &options).expect("written");
        let (back, read) = read(&text, &bytes, &options).expect("read");
        prop_assert_eq!(back.expect("schema"), schema, "{}", text);
        prop_assert_eq!(read, value, "{}", text);
    }

    #[test]
    fn apache_avro_agrees_on_schema_and_bytes(seed: u64) {
        let (schema, value) = Maker::new(seed, 1).pair();
        let (text, bytes) = write(Some(&schema), &value, &DataOptions::default()).expect("written");
        let theirs = apache_avro::Schema::parse_str(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        // Bare bytes are the payload itself in the registry's format.
        if schema.base == SchemaType::Bytes && !schema.optional {
            return Ok(());
        }
        let mut rest = bytes.as_slice();
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&theirs).build().expect("reader");
        let read = reader
            .read_value(&mut rest)
            .map_err(|error| TestCaseError::fail(format!("{error}: {text} {bytes:?}")))?;
        prop_assert!(rest.is_empty(), "{} bytes left over", rest.len());
        let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&theirs).build().expect("writer");
        let written = writer
            .write_value_to_vec(read)
            .map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(written, bytes, "{}", text);
    }

    #[test]
    fn flipped_and_cut_bytes_never_panic(seed: u64, at: usize, bit in 0u8..8, cut in 0usize..40) {
        let (schema, value) = Maker::new(seed, 4).pair();
        let options = DataOptions::default();
        let (text, mut bytes) = write(Some(&schema), &value, &options).expect("written");
        if !bytes.is_empty() {
            let place = at % bytes.len();
            bytes[place] ^= 1 << bit;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
        }
        // Read or refused, never more than the budget, never a panic.
        drop(read(&text, &bytes, &options));
    }

    #[test]
    fn random_bytes_never_panic(seed: u64, bytes: Vec<u8>) {
        let schema = Maker::new(seed, 4).schema(3);
        let options = DataOptions::default();
        let form = super::connect_to_avro::to_avro(Some(&schema), &options).expect("schema");
        drop(read(&form.text, &bytes, &options));
    }
}
