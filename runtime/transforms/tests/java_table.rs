//! What Apache Kafka's own transformations answer, replayed
//!
//! `java/table.jsonl` is made by `tests/clients/smt-java`: a class, its settings, a record, and what Java made of it. Maps
//! compare without order. Known differences are in [`is_known_difference`] and in `docs/divergences.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use weir_api::data::logical::{DAY_MS, Logical};
use weir_api::data::schema::{Field, Schema, SchemaType};
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::{StructValue, Value};
use weir_api::frame::reader::{Frame, FrameLimits};
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};
use weir_api::frame::writer::{FrameWriter, HeaderParts, SinkParts, SourceParts};
use weir_config::map::ConfigMap;
use weir_transforms::chain::{Chain, RecordKind};
use weir_transforms::rows::{RowState, Rows};

const TABLE: &str = include_str!("java/table.jsonl");

#[test]
fn every_row_is_as_java_answers() {
    let mut wrong = Vec::new();
    let mut rows = 0;
    for line in TABLE.lines() {
        let row: Json = serde_json::from_str(line).expect("JSON");
        rows += 1;
        let (ours, expected) = (replay(&row), expected(&row));
        if ours != expected && !is_known_difference(&row, &ours) {
            wrong.push(format!(
                "{} {} {}\n  java {expected}\n  ours {ours}",
                text(&row["class"]),
                row["config"],
                text(&row["input"])
            ));
        }
    }
    assert!(rows >= 300, "only {rows} rows");
    assert!(
        wrong.is_empty(),
        "{} of {rows} rows differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Where Weir answers otherwise on purpose.
fn is_known_difference(row: &Json, ours: &str) -> bool {
    let class = text(&row["class"]);
    let java = &row["expect"];
    // A value that breaks its own schema fails where it is made, not in the converter behind.
    if java["invalid"].is_object() {
        return ours.starts_with("error ") && ours.ends_with(text(&java["invalid"]["message"]));
    }
    // Java makes a Date whose days do not fit; its converters fail on it.
    if ours.ends_with("are beyond the dates that a Date can hold") {
        return true;
    }
    // The message would hold the whole record.
    if class.ends_with("TimestampRouter") && text(&java["error"]["message"]).starts_with("Timestamp missing") {
        return ours.contains("DataException: Timestamp missing on record: ");
    }
    false
}

fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}

/// Gives what is compared of Java's answer.
fn expected(row: &Json) -> String {
    let expect = &row["expect"];
    if let Some(record) = expect.get("record") {
        return canonical(record);
    }
    if let Some(error) = expect.get("error") {
        return format!("error {}: {}", text(&error["class"]), text(&error["message"]));
    }
    if let Some(error) = expect.get("config_error") {
        // The object that Java prints here changes from run to run.
        let message = text(&error["message"]).split('@').next().unwrap_or_default();
        return format!("config {message}");
    }
    if let Some(holds) = expect.get("holds") {
        return format!("holds {holds}");
    }
    "dropped".to_owned()
}

fn replay(row: &Json) -> String {
    let class = text(&row["class"]);
    let is_predicate = class.contains(".predicates.");
    let settings = row["config"].as_object().expect("settings");
    let mut config = ConfigMap::new();
    config.insert("transforms", "t");
    let prefix = if is_predicate { "predicates.p." } else { "transforms.t." };
    if is_predicate {
        config.insert("transforms.t.type", "org.apache.kafka.connect.transforms.Filter");
        config.insert("transforms.t.predicate", "p");
        config.insert("predicates", "p");
    }
    config.insert(format!("{prefix}type"), class);
    for (name, value) in settings {
        config.insert(format!("{prefix}{name}"), text(value));
    }
    let mut chain = match Chain::build(&config) {
        Ok(chain) => chain.expect("a transformation"),
        Err(error) => return format!("config {}", config_text(&error)),
    };
    let is_sink = text(&row["kind"]) == "sink";
    let mut schemas = SchemaTable::new();
    let frame = frame_of(&row["record"], is_sink, &mut schemas);
    let mut rows = Rows::new();
    let parsed = Frame::parse(&frame, &limits(&schemas)).expect("frame");
    for record in parsed.records() {
        rows.push(&frame, &record);
    }
    let kind = if is_sink { RecordKind::Sink } else { RecordKind::Source };
    let mut failures = Vec::new();
    chain.apply(kind, &mut schemas, &frame, &mut rows, &mut failures);
    if let Some(failure) = failures.first() {
        return format!("error {}: {}", failure.error.class_name(), failure.error.message);
    }
    let dropped = rows.state(0) == RowState::Dropped;
    match (is_predicate, dropped) {
        (true, dropped) => format!("holds {dropped}"),
        (false, true) => "dropped".to_owned(),
        (false, false) => shown(&rows, &frame, is_sink, &schemas),
    }
}

fn config_text(error: &weir_transforms::error::TransformError) -> String {
    // Keys stand without prefix, as the class itself sees them.
    error.to_string()
}

fn limits(schemas: &SchemaTable) -> FrameLimits {
    FrameLimits {
        schema_end: schemas.end(),
        ..FrameLimits::default()
    }
}

/// A part of a record: its schema and its encoded value.
type Part = (Option<Arc<Schema>>, Option<Vec<u8>>);

fn frame_of(record: &Json, is_sink: bool, schemas: &mut SchemaTable) -> Vec<u8> {
    let mut arena: Vec<Part> = Vec::new();
    let mut part = |schema: &Json, value: &Json| {
        let schema = schema_of(schema);
        let value = value_of(schema.as_deref(), value);
        let mut bytes = Vec::new();
        let is_there =
            !value.is_null() && encode_slot(schema.as_deref(), &value, schemas, &mut bytes).expect("input encodes");
        arena.push((schema, is_there.then_some(bytes)));
    };
    part(&record["key_schema"], &record["key"]);
    part(&record["value_schema"], &record["value"]);
    let headers = record["headers"].as_array().expect("headers");
    for header in headers {
        part(&header[1], &header[2]);
    }
    let slots: Vec<Slot<'_>> = arena
        .iter()
        .map(|(schema, bytes)| {
            let id = schema.as_ref().map_or_else(Default::default, |schema| {
                schemas.declare(Arc::clone(schema)).expect("schema")
            });
            Slot::new(id, bytes.as_deref())
        })
        .collect();
    let mut writer = if is_sink {
        FrameWriter::sink(1)
    } else {
        FrameWriter::source()
    };
    let names: Vec<u32> = headers.iter().map(|header| writer.intern(text(&header[0]))).collect();
    let parts: Vec<HeaderParts<'_>> = names
        .iter()
        .zip(slots.get(2..).unwrap_or_default())
        .map(|(name, value)| HeaderParts {
            name: *name,
            value: *value,
        })
        .collect();
    let topic = writer.intern(text(&record["topic"]));
    let partition = record["partition"]
        .as_i64()
        .map(|number| i32::try_from(number).expect("partition"));
    let timestamp = record["timestamp"].as_i64();
    if is_sink {
        let sink = SinkParts {
            topic,
            partition: partition.unwrap_or(0),
            offset: record["offset"].as_i64().unwrap_or(0),
            timestamp,
            key: slots[0],
            value: slots[1],
            headers: &parts,
            ..SinkParts::default()
        };
        writer.sink_record(&sink).expect("record");
    } else {
        let source = SourceParts {
            topic,
            partition,
            timestamp,
            key: slots[0],
            value: slots[1],
            headers: &parts,
            ..SourceParts::default()
        };
        writer.source_record(&source).expect("record");
    }
    writer.finish()
}

fn schema_of(json: &Json) -> Option<Arc<Schema>> {
    let kind = json.get("type")?;
    let base = [
        SchemaType::Int8,
        SchemaType::Int16,
        SchemaType::Int32,
        SchemaType::Int64,
        SchemaType::Float32,
        SchemaType::Float64,
        SchemaType::Boolean,
        SchemaType::Text,
        SchemaType::Bytes,
        SchemaType::Array,
        SchemaType::Map,
        SchemaType::Struct,
    ]
    .into_iter()
    .find(|base| base.as_str() == text(kind))
    .expect("type");
    let mut schema = Schema {
        optional: json["optional"] == true,
        name: json["name"].as_str().map(str::to_owned),
        version: json["version"]
            .as_i64()
            .map(|version| i32::try_from(version).expect("version")),
        doc: json["doc"].as_str().map(str::to_owned),
        key: schema_of(&json["keys"]),
        value: schema_of(&json["items"]),
        ..Schema::plain(base)
    };
    if let Some(parameters) = json["parameters"].as_object() {
        schema.parameters = parameters
            .iter()
            .map(|(name, value)| (name.clone(), text(value).to_owned()))
            .collect();
    }
    for field in json["fields"].as_array().into_iter().flatten() {
        schema.fields.push(Field {
            name: text(&field[0]).to_owned(),
            schema: schema_of(&field[1]).expect("field schema"),
        });
    }
    if let Some(default) = json.get("default") {
        schema.default = Some(value_of(Some(&schema), default));
    }
    Some(Arc::new(schema))
}

fn value_of(schema: Option<&Schema>, json: &Json) -> Value {
    let Some(object) = json.as_object() else {
        return Value::Null;
    };
    let (kind, value) = object.iter().next().expect("a class");
    let inner = || text(value).to_owned();
    match kind.as_str() {
        "byte" => Value::Int8(inner().parse().expect("byte")),
        "short" => Value::Int16(inner().parse().expect("short")),
        "integer" => Value::Int32(inner().parse().expect("int")),
        "long" => Value::Int64(inner().parse().expect("long")),
        "float" => Value::Float32(inner().parse().expect("float")),
        "double" => Value::Float64(inner().parse().expect("double")),
        "boolean" => Value::Boolean(value == true),
        "text" => Value::Text(inner()),
        "bytes" => Value::Bytes(base64(value)),
        "date" => date_of(schema, value.as_i64().expect("ms")),
        "decimal" if schema.is_some() => Value::Bytes(base64(value)),
        "decimal" => Value::Decimal {
            scale: i32::try_from(object["scale"].as_i64().expect("scale")).expect("scale"),
            unscaled: base64(value),
        },
        "list" => {
            let element = schema.and_then(|schema| schema.value.as_deref());
            Value::Array(items(value).map(|item| value_of(element, item)).collect())
        }
        "map" => {
            let (key, element) = (
                schema.and_then(|schema| schema.key.as_deref()),
                schema.and_then(|schema| schema.value.as_deref()),
            );
            Value::Map(
                items(value)
                    .map(|pair| (value_of(key, &pair[0]), value_of(element, &pair[1])))
                    .collect(),
            )
        }
        "struct" => {
            let own = object.get("schema").and_then(schema_of);
            let schema = own.unwrap_or_else(|| {
                Arc::new(Schema {
                    default: None,
                    ..schema.expect("a struct's schema").clone()
                })
            });
            let fields = schema.fields.iter().zip(items(value));
            // A required field has no room for null: its default stands there.
            let fields =
                fields.map(
                    |(field, json)| match (&field.schema.default, value_of(Some(&field.schema), json)) {
                        (Some(default), Value::Null) if !field.schema.optional => default.clone(),
                        (_, value) => value,
                    },
                );
            let fields = fields.collect();
            Value::Struct(StructValue { schema, fields })
        }
        other => panic!("class {other}"),
    }
}

fn items(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().expect("a list").iter()
}

fn date_of(schema: Option<&Schema>, ms: i64) -> Value {
    // Java makes dates that no schema can hold; they stay what they are and compare unequal.
    let int = |number: i64| i32::try_from(number).map_or(Value::DateTime(ms), Value::Int32);
    match schema.and_then(Logical::of) {
        Some(Logical::Date) => int(ms.div_euclid(DAY_MS)),
        Some(Logical::Time) => int(ms),
        Some(_) => Value::Int64(ms),
        None => Value::DateTime(ms),
    }
}

fn base64(json: &Json) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(text(json))
        .expect("base64")
}

/// Gives a record of the table as a text to compare.
fn canonical(record: &Json) -> String {
    let part = |schema: &Json, value: &Json| {
        let schema = schema_of(schema);
        let value = value_of(schema.as_deref(), value);
        format!("{} {}", show_schema(schema.as_deref()), show(&value))
    };
    let headers: Vec<String> = items(&record["headers"])
        .map(|header| format!("{}={}", text(&header[0]), part(&header[1], &header[2])))
        .collect();
    format!(
        "{} {} {} {} | {} | {} | {headers:?}",
        record["topic"],
        record["partition"],
        record["offset"],
        record["timestamp"],
        part(&record["key_schema"], &record["key"]),
        part(&record["value_schema"], &record["value"])
    )
}

/// Gives the first row as a text to compare.
fn shown(rows: &Rows, frame: &[u8], is_sink: bool, schemas: &SchemaTable) -> String {
    let part = |slot: Slot<'_>| {
        let schema = schemas.get(slot.schema).cloned();
        let value = decode_slot(slot.schema, slot.bytes, schemas).expect("output decodes");
        format!("{} {}", show_schema(schema.as_deref()), show(&value))
    };
    let number = |number: Option<i64>| number.map_or_else(|| "null".to_owned(), |number| number.to_string());
    let headers: Vec<String> = rows
        .headers(0, frame)
        .map(|(name, slot)| format!("{name}={}", part(slot)))
        .collect();
    format!(
        "{} {} {} {} | {} | {} | {headers:?}",
        Json::from(rows.topic(0)),
        number(rows.partition(0).map(i64::from)),
        number(is_sink.then(|| rows.kafka_offset(0))),
        number(rows.timestamp(0)),
        part(rows.key(0, frame)),
        part(rows.value(0, frame))
    )
}

fn show_schema(schema: Option<&Schema>) -> String {
    let Some(schema) = schema else {
        return "-".to_owned();
    };
    let parameters: BTreeMap<_, _> = schema.parameters.iter().map(|(name, value)| (name, value)).collect();
    let fields: Vec<String> = schema
        .fields
        .iter()
        .map(|field| format!("{}:{}", field.name, show_schema(Some(&field.schema))))
        .collect();
    format!(
        "{}{}({:?},{:?},{:?},{parameters:?},{:?},{fields:?},{},{})",
        schema.base.as_str(),
        if schema.optional { "?" } else { "" },
        schema.name,
        schema.version,
        schema.doc,
        schema.default.as_ref().map(show),
        show_schema(schema.key.as_deref()),
        show_schema(schema.value.as_deref())
    )
}

/// Gives a value as text; maps in order of their keys.
fn show(value: &Value) -> String {
    match value {
        Value::Map(pairs) => {
            let sorted: BTreeMap<String, String> = pairs.iter().map(|(key, value)| (show(key), show(value))).collect();
            format!("{sorted:?}")
        }
        Value::Struct(value) => format!("{{{}}}", value.fields.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        other => format!("{other:?}"),
    }
}
