//! Observation lines, worded as `Observe.java` words them

use serde_json::{Map, Value as Json};
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schemas::SchemaId;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::frame::reader::{Frame, FrameLimits, RecordView};
use weir_sdk::config::def::{ConfigDef, DefaultValue};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;

use super::bytes;

pub(super) fn thrown(error: &ConnectError) -> String {
    let mut text = format!("throws {}: {}", error.class_name(), error.message);
    for cause in &error.causes {
        text.push_str(" | ");
        text.push_str(cause);
    }
    // Java's observer prints causes as "class: message", which is how they are kept here.
    text
}

/// Without the position, if positions are not compared.
pub(super) fn comparable(lines: Vec<String>, is_without_positions: bool) -> Vec<String> {
    lines
        .into_iter()
        .map(|line| {
            if is_without_positions {
                without_position(&line)
            } else {
                line
            }
        })
        .collect()
}

fn without_position(line: &str) -> String {
    match (line.find("{position="), line.find("} topic=")) {
        (Some(start), Some(end)) => format!("{}{{position=…{}", &line[..start], &line[end..]),
        _ => line.to_owned(),
    }
}

/// Position and value of a record's line; other lines as they are.
pub(crate) fn shortened(line: &str) -> String {
    let Some((_, rest)) = line.split_once("{position=") else {
        return line.to_owned();
    };
    let (position, rest) = rest.split_once('}').expect("an offset");
    let (_, value) = rest.split_once("value=").expect("a value");
    format!("{position} {value}")
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    Frame::parse(
        bytes,
        &FrameLimits {
            max_bytes: usize::MAX,
            ..FrameLimits::default()
        },
    )
    .expect("a valid frame")
}

pub(super) fn each_value(bytes: &[u8], mut use_value: impl FnMut(&[u8])) {
    for record in frame(bytes).records() {
        let value = record.value.bytes.expect("a value");
        assert!(std::str::from_utf8(value).is_ok(), "texts are UTF-8");
        use_value(value);
    }
}

pub(super) fn source_frame(bytes: &[u8]) -> Vec<String> {
    let frame = frame(bytes);
    let count = frame.record_count();
    let mut lines = vec![format!("records {count}")];
    for record in frame.records() {
        let is_shown = count <= 12 || record.index < 3 || record.index >= count - 3;
        if is_shown {
            lines.push(source_record(&record));
        }
    }
    lines
}

fn source_record(record: &RecordView<'_>) -> String {
    let value = bytes::hex(record.value.bytes.expect("a value"));
    let value = if value.len() > 200 {
        format!("{}...{}", &value[..40], value.len() / 2)
    } else {
        value
    };
    let null = |is_null: bool| if is_null { "null" } else { "other" };
    format!(
        "{} {} topic={} partition={} key={} key-schema={} schema={} timestamp={} value={value}",
        java_map(record.source_partition_text().expect("a partition")),
        java_map(std::str::from_utf8(record.source_offset.expect("an offset")).expect("a text")),
        record.topic,
        null(record.partition.is_none()),
        null(record.key.bytes.is_none()),
        null(record.key.schema == SchemaId::NONE),
        if record.value.schema == SchemaId::TEXT {
            "STRING"
        } else {
            "other"
        },
        record.timestamp.is_some(),
    )
}

fn java_map(json: &str) -> String {
    let object: Map<String, Json> = serde_json::from_str(json).expect("a JSON object");
    assert_eq!(serde_json::to_string(&object).expect("printable"), json, "compact");
    let entries: Vec<String> = object
        .iter()
        .map(|(key, value)| match value {
            Json::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

/// `KEY=VALUE`, `{}` or `null` as JSON.
pub(super) fn json_of(text: &str) -> String {
    if text == "null" || text == "{}" {
        return text.to_owned();
    }
    let (key, value) = text.split_once('=').expect("key=value");
    let value = match value.split_once(':') {
        Some(("long" | "int", number)) => number.to_owned(),
        Some(("double", number)) => format!("{number}.0"),
        _ if value == "null" => value.to_owned(),
        _ => format!("\"{value}\""),
    };
    format!("{{\"{key}\":{value}}}")
}

pub(super) fn task_configs(kind: &str, configs: &[ConfigMap]) -> String {
    let manifest = weir_sdk::manifest::manifest(&weir_filestream::plugin::plugin());
    let manifest: Json = serde_json::from_str(&manifest).expect("valid JSON");
    let classes = manifest["classes"].as_array().expect("classes");
    let class = classes
        .iter()
        .find(|class| class["kind"] == kind)
        .expect("a class of the kind");
    let maps: Vec<String> = configs
        .iter()
        .map(|config| {
            let entries: Vec<String> = config
                .iter()
                .map(|(key, value)| format!("{key}={}", value.unwrap_or("null")))
                .collect();
            format!("{{{}}}", entries.join(", "))
        })
        .collect();
    format!(
        "{} [{}]",
        class["task-class"].as_str().expect("a task class"),
        maps.join(", ")
    )
}

/// In the order that Java's hash table gives these three keys.
pub(super) fn validated(infos: &[ValueInfo]) -> Vec<String> {
    ["file", "batch.size", "topic"]
        .iter()
        .filter_map(|name| infos.iter().find(|info| info.name == *name))
        .map(|info| {
            format!(
                "{} = {} errors [{}] visible {} recommended [{}]",
                info.name,
                info.value.as_deref().unwrap_or("null"),
                info.errors.join(", "),
                info.visible,
                info.recommended.join(", ")
            )
        })
        .collect()
}

pub(super) fn definition(kind: &str, def: &ConfigDef) -> Vec<String> {
    let mut keys: Vec<_> = def.keys().iter().collect();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    let mut lines = Vec::new();
    for key in keys {
        let default = match &key.default {
            DefaultValue::Required => "none",
            DefaultValue::Null => "null",
            DefaultValue::Value(text) => text,
        };
        lines.push(format!(
            "{kind} {} {} default={default} required={} {} group={} order={} width={} display={} validator={} doc={}",
            key.name,
            key.config_type.as_str(),
            key.is_required(),
            key.importance.as_str(),
            key.group.as_deref().unwrap_or("null"),
            key.order,
            key.width.as_str(),
            key.display_name,
            key.validators
                .first()
                .map_or("null".to_owned(), |validator| validator.describe()),
            key.documentation,
        ));
    }
    lines
}

/// A value of a `put` step.
pub(super) fn value_of(text: &str) -> Value {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match kind {
        "null" => Value::Null,
        "text" => Value::Text(String::from_utf8(bytes::from_hex(rest)).expect("UTF-8")),
        "int" => Value::Int32(rest.parse().expect("an int")),
        "long" => Value::Int64(rest.parse().expect("a long")),
        "float" => Value::Float32(rest.parse().expect("a float")),
        "double" => Value::Float64(rest.parse().expect("a double")),
        "bool" => Value::Boolean(rest == "true"),
        "list" => Value::Array(vec![Value::Int32(1), Value::Int32(2), Value::from("x")]),
        "map" => Value::Map(vec![(Value::from("k"), Value::Int32(1))]),
        _ => {
            let schema = SchemaBuilder::structure()
                .field("a", builder::int32())
                .field("b", builder::optional_text())
                .field("c", builder::optional_text())
                .build();
            let mut value = StructValue::new(schema.expect("a valid schema"));
            value
                .put("a", 1)
                .and_then(|value| value.put("b", "x y"))
                .expect("fields of the schema");
            Value::Struct(value)
        }
    }
}
