//! Normalized text: what `normalize=true` stores
//!
//! The canonical text with further attributes sorted (a logical type that fits first), aliases sorted, empty
//! documentation dropped and defaults spelled by their types, so that schemas written in different orders become one.
//! The registry's own code builds a text, reads it again and prints it; only its outcome is rebuilt here.
//!
//! DIVERGES: a type without namespace inside one with a namespace keeps its name, and a default that does not fit the
//! first branch of a union stays; the registry changes the one and loses the other. It also fails on a field of an
//! empty union.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::avro::canonical::canonical_text;
use crate::avro::schema::{AvroSchema, Field, Kind, Name, Node, NodeId};

/// Returns the normalized text.
pub fn normalized_text(schema: &AvroSchema) -> String {
    canonical_text(&normalized(schema))
}

/// Returns the schema in normal form.
pub fn normalized(schema: &AvroSchema) -> AvroSchema {
    let nodes = schema.nodes.iter().map(|node| normal_node(schema, node)).collect();
    AvroSchema {
        nodes,
        root: schema.root,
        referenced: schema.referenced.clone(),
    }
}

fn normal_node(schema: &AvroSchema, node: &Node) -> Node {
    let mut kind = node.kind.clone();
    match &mut kind {
        Kind::Record(record) => {
            record.is_error = false;
            normal_names(&mut record.aliases, &mut record.doc, &record.name);
            for field in &mut record.fields {
                normal_field(schema, field);
            }
        }
        Kind::Enum(of) => normal_names(&mut of.aliases, &mut of.doc, &of.name),
        Kind::Fixed(fixed) => normal_names(&mut fixed.aliases, &mut fixed.doc, &fixed.name),
        _ => {}
    }
    let first = logical_props(node);
    let mut props = sorted_props(&node.props);
    props.sort_by_key(|(key, _)| first.iter().position(|word| word == key).unwrap_or(first.len()));
    Node { kind, props }
}

fn normal_names(aliases: &mut [Name], doc: &mut Option<String>, name: &Name) {
    // Java sorts with a leading dot where the namespace is none but the type has one.
    let spelling = |alias: &Name| match alias.namespace {
        None if name.namespace.is_some() => format!(".{}", alias.name),
        _ => alias.full(),
    };
    aliases.sort_by(|a, b| java_order(&spelling(a), &spelling(b)));
    if doc.as_deref() == Some("") {
        *doc = None;
    }
}

fn normal_field(schema: &AvroSchema, field: &mut Field) {
    field.aliases.sort_by(|a, b| java_order(a, b));
    field.props = sorted_props(&field.props);
    if let Some(spelled) = field
        .default
        .as_ref()
        .and_then(|default| by_type(schema, Some(field.schema), default))
    {
        field.default = Some(spelled);
    }
}

fn sorted_props(props: &[(String, Value)]) -> Vec<(String, Value)> {
    let mut props: Vec<(String, Value)> = props.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
    props.sort_by(|(a, _), (b, _)| java_order(a, b));
    props
}

/// Returns the value with the keys of its objects sorted.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(entries) => {
            let mut entries: Vec<(String, Value)> = entries.iter().map(|(key, v)| (key.clone(), sorted(v))).collect();
            entries.sort_by(|(a, _), (b, _)| java_order(a, b));
            Value::Object(Map::from_iter(entries))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Returns a default as its type spells it; `None` where it does not fit, or fits another branch of a union.
fn by_type(schema: &AvroSchema, id: Option<NodeId>, value: &Value) -> Option<Value> {
    let kind = id.map(|id| &schema.node(id).kind);
    if let Some(Kind::Union(branches)) = kind {
        return by_type(schema, Some(*branches.first()?), value);
    }
    match (value, kind) {
        (Value::Null | Value::Bool(_), _) => Some(value.clone()),
        (Value::Number(number), kind) => number_by_type(number, kind).map(Value::Number),
        (Value::String(text), Some(Kind::Bytes | Kind::Fixed(_))) => Some(Value::String(
            text.chars().map(|c| if u32::from(c) < 256 { c } else { '?' }).collect(),
        )),
        (Value::String(_), _) => Some(value.clone()),
        (Value::Array(items), Some(Kind::Array(inner))) => items
            .iter()
            .map(|item| by_type(schema, Some(*inner), item))
            .collect::<Option<_>>()
            .map(Value::Array),
        (Value::Object(entries), Some(Kind::Map(inner))) => {
            let typed = entries
                .iter()
                .map(|(key, item)| Some((key.clone(), by_type(schema, Some(*inner), item)?)));
            Some(sorted(&Value::Object(typed.collect::<Option<_>>()?)))
        }
        (Value::Object(entries), Some(Kind::Record(record))) => {
            let typed = entries.iter().map(|(key, item)| {
                let field = record.fields.iter().find(|field| &field.name == key)?;
                Some((key.clone(), by_type(schema, Some(field.schema), item)?))
            });
            Some(sorted(&Value::Object(typed.collect::<Option<_>>()?)))
        }
        (Value::Array(_) | Value::Object(_), _) => None,
    }
}

fn number_by_type(number: &Number, kind: Option<&Kind>) -> Option<Number> {
    let double = number.as_f64()?;
    match kind {
        Some(Kind::Double) => Number::from_f64(double),
        Some(Kind::Float) => {
            // The shortest text of the float, read as a double.
            #[allow(
                clippy::cast_possible_truncation,
                reason = "rounding to the float that the type can hold is meant"
            )]
            let float = double as f32;
            float.to_string().parse().ok().and_then(Number::from_f64)
        }
        Some(Kind::Int | Kind::Long) if number.is_f64() => None,
        Some(Kind::Int | Kind::Long) | None => Some(number.clone()),
        Some(_) => None,
    }
}

/// Returns the attributes that stand first: those of a logical type that fits its schema.
fn logical_props(node: &Node) -> &'static [&'static str] {
    const CODE_WORDS: [&str; 4] = ["avro.java.string", "java-class", "java-key-class", "java-element-class"];
    let word = node.text_prop("logicalType").unwrap_or_default();
    let fits = match (word, &node.kind) {
        ("decimal", kind) => {
            return if is_decimal(node, kind) {
                decimal_props(node)
            } else {
                &[]
            };
        }
        ("date" | "time-millis", Kind::Int) => true,
        ("time-micros" | "timestamp-millis" | "timestamp-micros" | "timestamp-nanos", Kind::Long) => true,
        ("local-timestamp-millis" | "local-timestamp-micros" | "local-timestamp-nanos", Kind::Long) => true,
        ("uuid", Kind::String) | ("big-decimal", Kind::Bytes) => true,
        ("uuid", Kind::Fixed(fixed)) => fixed.size == 16,
        _ => false,
    };
    let is_code = CODE_WORDS.iter().any(|word| node.text_prop(word).is_some());
    if fits && !is_code { &["logicalType"] } else { &[] }
}

fn decimal_props(node: &Node) -> &'static [&'static str] {
    match node.prop("scale").and_then(Value::as_i64) {
        None | Some(0) => &["logicalType", "precision"],
        Some(_) => &["logicalType", "precision", "scale"],
    }
}

fn is_decimal(node: &Node, kind: &Kind) -> bool {
    let small = |key: &str| {
        node.prop(key)
            .and_then(Value::as_i64)
            .filter(|number| i32::try_from(*number).is_ok())
    };
    let most = match kind {
        Kind::Bytes => i64::from(i32::MAX),
        Kind::Fixed(fixed) => digits_of(fixed.size),
        _ => return false,
    };
    let scale = if node.prop("scale").is_some() {
        small("scale")
    } else {
        Some(0)
    };
    match (small("precision"), scale) {
        (Some(precision), Some(scale)) => (1..=most).contains(&precision) && (0..=precision).contains(&scale),
        _ => false,
    }
}

/// Returns how many decimal digits always fit into that many bytes, sign included.
fn digits_of(bytes: usize) -> i64 {
    let bits = u32::try_from(bytes).map_or(f64::from(u32::MAX), |bytes| 8.0 * f64::from(bytes) - 1.0);
    #[allow(clippy::cast_possible_truncation, reason = "far below the limits of an i64")]
    let digits = (2f64.log10() * bits).floor() as i64;
    digits
}

/// Compares as Java's strings do: by UTF-16 units.
fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}
