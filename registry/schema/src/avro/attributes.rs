//! Attributes of a schema's JSON objects
//!
//! What is required, what is kept as a further attribute, and how sizes, orders, aliases and defaults are spelled.

use std::collections::HashSet;

use serde_json::{Number, Value};

use crate::avro::schema::{Kind, Order};
use crate::error::SchemaError;
use crate::json_text::shown;

/// Attributes of any schema that are not kept as further ones.
const SCHEMA_WORDS: [&str; 10] = [
    "doc",
    "fields",
    "items",
    "name",
    "namespace",
    "size",
    "symbols",
    "values",
    "type",
    "aliases",
];

/// The same for fields.
const FIELD_WORDS: [&str; 6] = ["default", "doc", "name", "order", "type", "aliases"];

/// Largest fixed that Java can hold.
const MAX_FIXED_BYTES: i64 = 2_147_483_639;

/// Returns a text attribute or `error: <object>`.
pub(crate) fn required_text<'a>(json: &'a Value, key: &str, error: &str) -> Result<&'a str, SchemaError> {
    json.get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| missing(error, json))
}

/// Returns the error `error: <object>`.
pub(crate) fn missing(error: &str, json: &Value) -> SchemaError {
    SchemaError::Invalid(format!("{error}: {}", shown(json)))
}

/// Returns a text attribute; of another type it counts as absent.
pub(crate) fn text(json: &Value, key: &str) -> Option<String> {
    json.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Returns the further attributes of a schema that is no enum.
pub(crate) fn schema_props(json: &Value) -> Vec<(String, Value)> {
    props(json, |key| SCHEMA_WORDS.contains(&key))
}

/// Returns the further attributes of an enum.
pub(crate) fn enum_props(json: &Value) -> Vec<(String, Value)> {
    props(json, |key| key == "default" || SCHEMA_WORDS.contains(&key))
}

/// Returns the further attributes of a field.
pub(crate) fn field_props(json: &Value) -> Vec<(String, Value)> {
    props(json, |key| FIELD_WORDS.contains(&key))
}

fn props(json: &Value, is_known: impl Fn(&str) -> bool) -> Vec<(String, Value)> {
    let entries = json.as_object().into_iter().flatten();
    entries
        .filter(|(key, _)| !is_known(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Returns the aliases as they are spelled, without repetitions.
pub(crate) fn aliases(json: &Value) -> Result<Vec<String>, SchemaError> {
    let list = match json.get("aliases") {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(missing("aliases not an array", json)),
    };
    let mut aliases = Vec::with_capacity(list.len());
    let mut seen = HashSet::with_capacity(list.len());
    for alias in list {
        let text = alias.as_str().ok_or_else(|| missing("alias not a string", alias))?;
        if seen.insert(text) {
            aliases.push(text.to_owned());
        }
    }
    Ok(aliases)
}

/// Returns the sort order of a field, spelled in any case.
pub(crate) fn order(json: &Value) -> Result<Order, SchemaError> {
    let Some(given) = json.get("order") else {
        return Ok(Order::default());
    };
    let text = given
        .as_str()
        .ok_or_else(|| missing("order not a string", json))?
        .to_uppercase();
    match text.as_str() {
        "ASCENDING" => Ok(Order::Ascending),
        "DESCENDING" => Ok(Order::Descending),
        "IGNORE" => Ok(Order::Ignore),
        _ => Err(SchemaError::Invalid(format!(
            "No enum constant org.apache.avro.Schema.Field.Order.{text}"
        ))),
    }
}

/// Returns the size of a fixed.
pub(crate) fn size(json: &Value) -> Result<usize, SchemaError> {
    let size = json
        .get("size")
        .and_then(Value::as_i64)
        .filter(|size| i32::try_from(*size).is_ok());
    match size {
        None => Err(missing("Invalid or no size", json)),
        Some(size) if size > MAX_FIXED_BYTES => Err(SchemaError::Invalid(format!(
            "Cannot read arrays longer than {MAX_FIXED_BYTES} bytes in Java library"
        ))),
        Some(size) => usize::try_from(size)
            .map_err(|_| SchemaError::Invalid(format!("Malformed data. Length is negative: {size}"))),
    }
}

/// Returns a field's default: of a float or a double it may be spelled as text.
pub(crate) fn default_of(given: &Value, kind: &Kind) -> Result<Value, SchemaError> {
    let text = match (kind, given) {
        (Kind::Float | Kind::Double, Value::String(text)) => text,
        _ => return Ok(given.clone()),
    };
    let plain = text.trim_matches(|c: char| c <= ' ');
    match plain.trim_start_matches(['+', '-']) {
        // JSON has no numbers for these; they stay texts, as Java prints them.
        "NaN" => return Ok(Value::String("NaN".to_owned())),
        "Infinity" => return Ok(Value::String(plain.trim_start_matches('+').to_owned())),
        _ => {}
    }
    let digits = plain.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(plain);
    let is_number = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E'));
    let number = digits
        .parse::<f64>()
        .ok()
        .filter(|_| is_number)
        .and_then(Number::from_f64);
    number
        .map(Value::Number)
        .ok_or_else(|| SchemaError::Invalid(format!("For input string: \"{plain}\"")))
}
