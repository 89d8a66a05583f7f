//! A header text into a schema and a value
//!
//! Kafka's `Values.parseString`, surprises included: `1.0` is an INT8, `1,2` is 1, a top-level text keeps its quotes.
//! Values come in their base type under logical schemas; elements without a common schema describe themselves.

use std::sync::Arc;

use crate::data::builder;
use crate::data::decimal::Decimal;
use crate::data::logical;
use crate::data::logical::{DAY_MS, Logical};
use crate::data::schema::{MAX_DEPTH, Schema, SchemaType};
use crate::data::value::Value;

use crate::data::literal_tokens::Tokens;
use crate::data::temporal;

/// What a text means.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Schema; `None` with a null value is Java's null schema.
    pub schema: Option<Arc<Schema>>,
    /// Value.
    pub value: Value,
}

impl Parsed {
    fn new(schema: Arc<Schema>, value: Value) -> Self {
        Self {
            schema: Some(schema),
            value,
        }
    }

    fn null() -> Self {
        Self {
            schema: None,
            value: Value::Null,
        }
    }

    fn text(text: &str) -> Self {
        Self::new(builder::text(), Value::Text(text.to_owned()))
    }
}

/// A part that is no value; the text around it becomes a plain text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// As Java's `DataException`: caught by the value around it.
    NoValue,
    /// Nested too deep: nobody catches it.
    TooDeep,
}

/// Reads a text. `None`: it cannot be read at all, the header stays bytes.
pub fn parse(text: &str) -> Option<Parsed> {
    if text.is_empty() {
        return Some(Parsed::text(text));
    }
    Parser {
        tokens: Tokens::new(text),
        original: text,
    }
    .value(false, MAX_DEPTH - 2)
    .ok()
}

struct Parser<'a> {
    tokens: Tokens,
    original: &'a str,
}

impl Parser<'_> {
    fn value(&mut self, embedded: bool, depth_left: usize) -> Result<Parsed, Failed> {
        if !self.tokens.has_next() {
            return Ok(Parsed::null());
        }
        if embedded && self.tokens.can_consume("\"") {
            return Ok(self.quoted());
        }
        if self.is_word("null", embedded) {
            return Ok(Parsed::null());
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.is_word(word, embedded) {
                return Ok(Parsed::new(builder::boolean(), Value::Boolean(value)));
            }
        }
        let start = self.tokens.mark();
        let container = if self.tokens.can_consume("[") {
            self.array(depth_left.checked_sub(1).ok_or(Failed::TooDeep)?).map(Some)
        } else if self.tokens.can_consume("{") {
            self.map(depth_left.checked_sub(1).ok_or(Failed::TooDeep)?).map(Some)
        } else {
            Ok(None)
        };
        match container {
            Ok(Some(parsed)) => return Ok(parsed),
            Ok(None) => {}
            Err(Failed::NoValue) => self.tokens.rewind(start),
            Err(Failed::TooDeep) => return Err(Failed::TooDeep),
        }
        let token = self.tokens.take();
        if token.trim().is_empty() {
            Ok(Parsed::text(&token))
        } else {
            self.scalar(embedded, token.trim_matches(|c: char| c <= ' '))
        }
    }

    /// Takes a word that stands for itself; at the top level nothing may follow it.
    fn is_word(&mut self, word: &str, embedded: bool) -> bool {
        let start = self.tokens.mark();
        if self.tokens.can_consume(word) && (embedded || !self.tokens.has_next()) {
            return true;
        }
        self.tokens.rewind(start);
        false
    }

    fn scalar(&mut self, embedded: bool, token: &str) -> Result<Parsed, Failed> {
        let starts_with_digit = token.starts_with(|c: char| c.is_ascii_digit());
        if starts_with_digit && let Some((schema, value)) = self.temporal(token) {
            return Ok(Parsed::new(schema, value));
        }
        if (starts_with_digit || token.starts_with(['+', '-']))
            && let Some(number) = number(token)
        {
            return Ok(number);
        }
        if embedded {
            Err(Failed::NoValue)
        } else {
            Ok(Parsed::text(self.original))
        }
    }

    /// Times hold colons, which end tokens: two more colons and what stands between them belong to it.
    fn temporal(&mut self, token: &str) -> Option<(Arc<Schema>, Value)> {
        let mark = self.tokens.mark();
        if let Some(rest) = self.tokens.take_many(4)
            && let Some(found) = temporal::parse(&format!("{token}{rest}"))
        {
            return Some(found);
        }
        self.tokens.rewind(mark);
        temporal::parse(token)
    }

    fn quoted(&mut self) -> Parsed {
        let mut content = String::new();
        while self.tokens.has_next() {
            if self.tokens.can_consume("\"") {
                break;
            }
            content.push_str(&self.tokens.take());
        }
        match temporal::parse(&content) {
            Some((schema, value)) => Parsed::new(schema, value),
            None => Parsed::text(&content),
        }
    }

    fn array(&mut self, depth_left: usize) -> Result<Parsed, Failed> {
        let mut items = Vec::new();
        let mut common = CommonSchema::default();
        while self.tokens.has_next() {
            if self.tokens.can_consume("]") {
                let schema = Schema {
                    value: common.schema.clone(),
                    ..Schema::plain(SchemaType::Array)
                };
                let items = items
                    .into_iter()
                    .map(|item| align(item, common.schema.as_ref()))
                    .collect::<Result<_, _>>()?;
                return Ok(Parsed::new(Arc::new(schema), Value::Array(items)));
            }
            if self.tokens.can_consume(",") {
                return Err(Failed::NoValue);
            }
            let item = self.value(true, depth_left)?;
            common.merge(&item);
            items.push(item);
            let mark = self.tokens.mark();
            if self.tokens.can_consume("]") {
                self.tokens.rewind(mark);
            } else if !self.tokens.can_consume(",") {
                return Err(Failed::NoValue);
            }
        }
        Err(Failed::NoValue)
    }

    fn map(&mut self, depth_left: usize) -> Result<Parsed, Failed> {
        let mut entries: Vec<(Parsed, Parsed)> = Vec::new();
        let (mut keys, mut values) = (CommonSchema::default(), CommonSchema::default());
        while self.tokens.has_next() {
            if self.tokens.can_consume("}") {
                return map_value(entries, keys.schema, values.schema);
            }
            if self.tokens.can_consume(",") {
                return Err(Failed::NoValue);
            }
            let key = self.value(true, depth_left)?;
            if key.value.is_null() || !self.tokens.can_consume(":") {
                return Err(Failed::NoValue);
            }
            let value = self.value(true, depth_left)?;
            keys.merge(&key);
            values.merge(&value);
            match entries.iter_mut().find(|(known, _)| known.value == key.value) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
            self.tokens.can_consume(",");
        }
        Err(Failed::NoValue)
    }
}

/// Without a common key schema the values have none either.
fn map_value(
    entries: Vec<(Parsed, Parsed)>,
    key_schema: Option<Arc<Schema>>,
    value_schema: Option<Arc<Schema>>,
) -> Result<Parsed, Failed> {
    let value_schema = value_schema.filter(|_| key_schema.is_some());
    let mut pairs = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        pairs.push((align(key, key_schema.as_ref())?, align(value, value_schema.as_ref())?));
    }
    let schema = Schema {
        key: key_schema,
        value: value_schema,
        ..Schema::plain(SchemaType::Map)
    };
    Ok(Parsed::new(Arc::new(schema), Value::Map(pairs)))
}

/// The schema that fits all elements so far.
#[derive(Debug, Default)]
struct CommonSchema {
    schema: Option<Arc<Schema>>,
    incompatible: bool,
}

impl CommonSchema {
    fn merge(&mut self, latest: &Parsed) {
        let Some(schema) = latest.schema.as_ref().filter(|_| !self.incompatible) else {
            return;
        };
        self.schema = match &self.schema {
            None => Some(Arc::clone(schema)),
            Some(common) => merged(common, schema),
        };
        self.incompatible = self.schema.is_none();
    }
}

fn merged(common: &Arc<Schema>, latest: &Arc<Schema>) -> Option<Arc<Schema>> {
    // DIVERGES: of two lists or dates that differ Java takes the later schema, which the earlier element contradicts;
    // here such elements have no common schema.
    if common.base == latest.base {
        return (common == latest).then(|| Arc::clone(latest));
    }
    let (common_rank, latest_rank) = (rank(common.base)?, rank(latest.base)?);
    Some(Arc::clone(if common_rank < latest_rank { latest } else { common }))
}

/// Numbers from narrow to wide.
fn rank(base: SchemaType) -> Option<u8> {
    match base {
        SchemaType::Int8 => Some(0),
        SchemaType::Int16 => Some(1),
        SchemaType::Int32 => Some(2),
        SchemaType::Int64 => Some(3),
        SchemaType::Float32 => Some(4),
        SchemaType::Float64 => Some(5),
        _ => None,
    }
}

/// Brings an element to the common schema, or to the form that describes itself.
fn align(item: Parsed, common: Option<&Arc<Schema>>) -> Result<Value, Failed> {
    let Some(common) = common else {
        return Ok(self_describing(item));
    };
    match (common.base, item.value) {
        (_, Value::Null) => Err(Failed::NoValue),
        (SchemaType::Int16, value) => whole(&value)
            .and_then(|number| i16::try_from(number).ok())
            .map(Value::Int16)
            .ok_or(Failed::NoValue),
        (SchemaType::Int32, value) => whole(&value)
            .and_then(|number| i32::try_from(number).ok())
            .map(Value::Int32)
            .ok_or(Failed::NoValue),
        (SchemaType::Int64, value) => whole(&value).map(Value::Int64).ok_or(Failed::NoValue),
        (SchemaType::Float32, Value::Float32(number)) => Ok(Value::Float32(number)),
        // Java's casts round to the nearest, as these do.
        (SchemaType::Float32, value) => whole(&value)
            .map(|number| Value::Float32(number as f32))
            .ok_or(Failed::NoValue),
        (SchemaType::Float64, Value::Float64(number)) => Ok(Value::Float64(number)),
        (SchemaType::Float64, Value::Float32(number)) => Ok(Value::Float64(number.into())),
        (SchemaType::Float64, value) => whole(&value)
            .map(|number| Value::Float64(number as f64))
            .ok_or(Failed::NoValue),
        (_, value) => Ok(value),
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int8(number) => Some((*number).into()),
        Value::Int16(number) => Some((*number).into()),
        Value::Int32(number) => Some((*number).into()),
        Value::Int64(number) => Some(*number),
        _ => None,
    }
}

fn self_describing(item: Parsed) -> Value {
    let logical = item.schema.as_deref().and_then(Logical::of);
    match (logical, item.value) {
        (Some(Logical::Decimal { scale }), Value::Bytes(unscaled)) => Value::Decimal { scale, unscaled },
        (Some(Logical::Date), Value::Int32(days)) => Value::DateTime(i64::from(days) * DAY_MS),
        (Some(Logical::Time), Value::Int32(ms)) => Value::DateTime(ms.into()),
        (Some(Logical::Timestamp), Value::Int64(ms)) => Value::DateTime(ms),
        (_, value) => value,
    }
}

/// Reads a number into the narrowest type that holds it; without a point or exponent never into a float.
fn number(token: &str) -> Option<Parsed> {
    let decimal = Decimal::parse(token)?;
    let whole = decimal
        .rescaled(0)
        .and_then(|whole| whole.to_plain_text().ok()?.parse::<i64>().ok());
    if let Some(whole) = whole {
        return Some(integer(whole));
    }
    let (single, double): (f32, f64) = (token.parse().ok()?, token.parse().ok()?);
    Some(if decimal.scale != 0 && single.is_finite() {
        Parsed::new(builder::float32(), Value::Float32(single))
    } else if decimal.scale != 0 && double.is_finite() {
        Parsed::new(builder::float64(), Value::Float64(double))
    } else {
        decimal_value(decimal)
    })
}

fn integer(number: i64) -> Parsed {
    if let Ok(number) = i8::try_from(number) {
        Parsed::new(builder::int8(), Value::Int8(number))
    } else if let Ok(number) = i16::try_from(number) {
        Parsed::new(builder::int16(), Value::Int16(number))
    } else if let Ok(number) = i32::try_from(number) {
        Parsed::new(builder::int32(), Value::Int32(number))
    } else {
        Parsed::new(builder::int64(), Value::Int64(number))
    }
}

fn decimal_value(decimal: Decimal) -> Parsed {
    Parsed::new(logical::decimal(decimal.scale), Value::Bytes(decimal.unscaled))
}
