//! A schema out of values
//!
//! All fields are optional; conflicts widen: int to float to text. A field that was only null has no type yet and is left
//! out. The type found so far goes into the source offset as a short JSON text, so that a restart does not forget it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use weir_sdk::api::data::builder::{self, SchemaBuilder};
use weir_sdk::api::data::schema::{MAX_DEPTH, MAX_FIELDS, Schema};
use weir_sdk::api::error::ConnectError;

/// What is known of a value's type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// Only null was seen.
    #[default]
    Unknown,
    /// INT64.
    Int,
    /// FLOAT64.
    Float,
    /// BOOLEAN.
    Boolean,
    /// STRING; also what does not fit anything narrower, as JSON text.
    Text,
    /// ARRAY.
    Array(Box<Kind>),
    /// STRUCT, fields in order of first sight.
    Struct(Vec<(String, Kind)>),
}

impl Kind {
    /// Gives the type of a value.
    pub fn of(value: &Value) -> Self {
        Self::of_at(value, 1)
    }

    fn of_at(value: &Value, depth: usize) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_i64() => Self::Int,
            Value::Number(number) if number.is_f64() => Self::Float,
            // Beyond 63 bits: text keeps all digits.
            Value::Number(_) | Value::String(_) => Self::Text,
            // Deeper than a schema may be: JSON text.
            Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => Self::Text,
            Value::Array(items) => {
                let element = items
                    .iter()
                    .fold(Self::Unknown, |kind, item| kind.widened(&Self::of_at(item, depth + 1)));
                Self::Array(Box::new(element))
            }
            Value::Object(object) if object.len() > MAX_FIELDS => Self::Text,
            Value::Object(object) => Self::Struct(
                object
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::of_at(value, depth + 1)))
                    .collect(),
            ),
        }
    }

    /// Tells whether a value fits without widening.
    pub fn covers(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) | (Self::Text, _) => true,
            (Self::Int, Value::Number(number)) => number.is_i64(),
            (Self::Float, Value::Number(number)) => number.is_i64() || number.is_f64(),
            (Self::Boolean, Value::Bool(_)) => true,
            (Self::Array(element), Value::Array(items)) => items.iter().all(|item| element.covers(item)),
            (Self::Struct(fields), Value::Object(object)) => object.iter().enumerate().all(|(at, (name, value))| {
                // Services write fields in one order, so the place is guessed before it is looked for.
                let guess = fields.get(at).filter(|(known, _)| known == name);
                let found = guess.or_else(|| fields.iter().find(|(known, _)| known == name));
                found.is_some_and(|(_, kind)| kind.covers(value))
            }),
            _ => false,
        }
    }

    /// Gives the narrowest type that holds values of both.
    pub fn widened(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Unknown, other) => other.clone(),
            (kind, Self::Unknown) => kind,
            (Self::Int, Self::Int) => Self::Int,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            (Self::Boolean, Self::Boolean) => Self::Boolean,
            (Self::Array(one), Self::Array(other)) => Self::Array(Box::new(one.widened(other))),
            (Self::Struct(mut fields), Self::Struct(others)) => {
                for (name, kind) in others {
                    if let Some((_, known)) = fields.iter_mut().find(|(known, _)| known == name) {
                        *known = std::mem::take(known).widened(kind);
                    } else if fields.len() < MAX_FIELDS {
                        fields.push((name.clone(), kind.clone()));
                    }
                }
                Self::Struct(fields)
            }
            _ => Self::Text,
        }
    }

    /// Gives the short text for an offset.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Unknown => json!("n"),
            Self::Int => json!("l"),
            Self::Float => json!("d"),
            Self::Boolean => json!("b"),
            Self::Text => json!("s"),
            Self::Array(element) => json!([element.to_json()]),
            Self::Struct(fields) => {
                let fields = fields.iter().map(|(name, kind)| (name.clone(), kind.to_json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// Reads the short text of an offset; none if it is no such text.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::String(letter) => match letter.as_str() {
                "n" => Self::Unknown,
                "l" => Self::Int,
                "d" => Self::Float,
                "b" => Self::Boolean,
                "s" => Self::Text,
                _ => return None,
            },
            Value::Array(items) => Self::Array(Box::new(Self::from_json(items.first()?)?)),
            Value::Object(object) => {
                let mut fields = Vec::with_capacity(object.len());
                for (name, kind) in object {
                    fields.push((name.clone(), Self::from_json(kind)?));
                }
                Self::Struct(fields)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => return None,
        })
    }

    /// Gives the schema: optional all the way down, structs named after the first.
    ///
    /// # Errors
    /// Fatal when the schema breaks a limit.
    pub fn schema(&self, name: &str) -> Result<Arc<Schema>, ConnectError> {
        Ok(match self {
            Self::Int => builder::optional_int64(),
            Self::Float => builder::optional_float64(),
            Self::Boolean => builder::optional_boolean(),
            Self::Unknown | Self::Text => builder::optional_text(),
            Self::Array(element) => SchemaBuilder::array(element.schema(name)?).optional().build()?,
            Self::Struct(fields) => {
                let mut structure = SchemaBuilder::structure().name(name).optional();
                for (field, kind) in fields.iter().filter(|(_, kind)| *kind != Self::Unknown) {
                    structure = structure.field(field, kind.schema(&format!("{name}_{}", word(field)))?);
                }
                structure.build()?
            }
        })
    }
}

/// Makes a name that every schema language takes.
pub fn word(text: &str) -> String {
    let mut word: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .collect();
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert(0, '_');
    }
    word
}

/// Gives a CSV cell the type it seems to have; a text whose number would print otherwise stays a text.
pub fn typed_cell(cell: &str) -> Value {
    if cell.is_empty() {
        return Value::Null;
    }
    if let Ok(number) = cell.parse::<i64>()
        && number.to_string() == cell
    {
        return Value::from(number);
    }
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_decimal = digits.split_once('.').is_some_and(|(whole, fraction)| {
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0')) && cell.len() <= 16
    });
    match cell {
        _ if is_decimal => cell.parse::<f64>().map_or_else(|_| Value::from(cell), Value::from),
        "true" | "false" => Value::Bool(cell == "true"),
        _ => Value::from(cell),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, typed_cell, word};
    use serde_json::{Value, json};
    use weir_sdk::api::data::schema::SchemaType;

    fn kind_of(values: &[Value]) -> Kind {
        values
            .iter()
            .fold(Kind::Unknown, |kind, value| kind.widened(&Kind::of(value)))
    }

    #[test]
    fn conflicts_widen() {
        for (values, expected) in [
            (vec![json!(1), json!(2)], json!("l")),
            (vec![json!(1), json!(null), json!(2.5)], json!("d")),
            (vec![json!(1), json!("x")], json!("s")),
            (vec![json!(true), json!(1)], json!("s")),
            (vec![json!(u64::MAX), json!(1)], json!("s")),
            (vec![json!([1, 2.5]), json!([]), json!([null])], json!(["d"])),
            (vec![json!([]), json!("x")], json!("s")),
            (
                vec![json!({"a": 1}), json!({"b": {"c": []}, "a": 2.5})],
                json!({"a": "d", "b": {"c": ["n"]}}),
            ),
            (vec![json!({"a": null})], json!({"a": "n"})),
        ] {
            let kind = kind_of(&values);
            assert_eq!(kind.to_json(), expected, "{values:?}");
            assert!(values.iter().all(|value| kind.covers(value)), "{values:?}");
            assert_eq!(Kind::from_json(&expected), Some(kind));
        }
        assert_eq!(Kind::from_json(&json!({"a": "?"})), None);
    }

    #[test]
    fn schemas_are_optional_all_the_way_down() {
        let schema = kind_of(&[json!({"id": 1, "x y": {"z": [1]}, "gone": null})])
            .schema("topic")
            .expect("a schema");
        assert_eq!(
            (schema.base, schema.optional, schema.name.as_deref()),
            (SchemaType::Struct, true, Some("topic"))
        );
        assert!(schema.field("gone").is_none());
        let nested = &schema.field("x y").expect("a field").1.schema;
        assert_eq!((nested.name.as_deref(), nested.optional), (Some("topic_x_y"), true));
        assert!(
            nested
                .field("z")
                .is_some_and(|(_, field)| field.schema.value.as_ref().is_some_and(|value| value.optional))
        );
    }

    #[test]
    fn endless_nesting_ends_as_text() {
        let mut value = json!(1);
        for _ in 0..200 {
            value = json!([value]);
        }
        assert!(Kind::of(&value).schema("t").is_ok());
    }

    #[test]
    fn cells_become_what_they_print_as() {
        for (cell, expected) in [
            ("", json!(null)),
            ("12", json!(12)),
            ("-7", json!(-7)),
            ("01234", json!("01234")),
            ("+5", json!("+5")),
            ("0.0", json!(0.0)),
            ("-12.80", json!(-12.8)),
            ("1e5", json!("1e5")),
            ("1.", json!("1.")),
            ("2012/01/01", json!("2012/01/01")),
            ("true", json!(true)),
            ("NaN", json!("NaN")),
            ("99999999999999999999", json!("99999999999999999999")),
        ] {
            assert_eq!(typed_cell(cell), expected, "{cell}");
        }
        assert_eq!((word("9-a.ñ"), word("")), ("_9_a__".to_owned(), "_".to_owned()));
    }
}
