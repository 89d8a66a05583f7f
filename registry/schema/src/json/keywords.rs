//! Keywords of a schema object, checked for their shape
//!
//! Which keywords bind which kind of value in which draft; what they mean is put together in `load.rs`.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::error::SchemaError;
use crate::json::draft::Draft;
use crate::json::tree::Json;

/// Keywords that bind numbers.
pub(super) const OF_NUMBERS: &[&str] = &[
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

/// The names of the types.
const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "null", "array", "object"];

/// Longest text shown inside an error.
const MAX_SHOWN_CHARS: usize = 200;

/// Keywords that bind strings.
pub(super) fn of_strings(draft: Draft) -> &'static [&'static str] {
    if draft.is_modern() {
        &["minLength", "maxLength", "pattern"]
    } else {
        &["minLength", "maxLength", "pattern", "format"]
    }
}

/// Keywords that bind arrays.
pub(super) fn of_arrays(draft: Draft) -> &'static [&'static str] {
    match draft {
        Draft::Draft4 => &["items", "additionalItems", "minItems", "maxItems", "uniqueItems"],
        Draft::Draft6 | Draft::Draft7 => &[
            "items",
            "additionalItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
        ],
        Draft::Draft2019 | Draft::Draft2020 => &[
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "unevaluatedItems",
        ],
    }
}

/// Keywords that bind objects.
pub(super) fn of_objects(draft: Draft) -> &'static [&'static str] {
    match draft {
        Draft::Draft4 => &[
            "properties",
            "required",
            "minProperties",
            "maxProperties",
            "dependencies",
            "patternProperties",
            "additionalProperties",
        ],
        Draft::Draft6 | Draft::Draft7 => &[
            "properties",
            "required",
            "minProperties",
            "maxProperties",
            "dependencies",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
        ],
        Draft::Draft2019 | Draft::Draft2020 => &[
            "properties",
            "required",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "unevaluatedProperties",
        ],
    }
}

/// The keywords of one schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) entries: &'a IndexMap<String, Json>,
    pub(super) draft: Draft,
}

/// What `type` says.
#[derive(Debug, Default)]
pub(super) struct Types<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) is_list: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, keyword: &str) -> Option<&'a Json> {
        self.entries.get(keyword)
    }

    pub(super) fn has_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.entries.contains_key(*keyword))
    }

    fn read<T>(
        &self,
        keyword: &str,
        expected: &str,
        convert: impl Fn(&'a Json) -> Option<T>,
    ) -> Result<Option<T>, SchemaError> {
        match self.get(keyword) {
            None => Ok(None),
            Some(value) => match convert(value) {
                Some(converted) => Ok(Some(converted)),
                None => Err(wrong_type(keyword, expected, value)),
            },
        }
    }

    pub(super) fn text(&self, keyword: &str) -> Result<Option<&'a str>, SchemaError> {
        self.read(keyword, "String", Json::as_str)
    }

    pub(super) fn flag(&self, keyword: &str) -> Result<Option<bool>, SchemaError> {
        self.read(keyword, "Boolean", |value| match value {
            Json::Bool(value) => Some(*value),
            _ => None,
        })
    }

    pub(super) fn number(&self, keyword: &str) -> Result<Option<f64>, SchemaError> {
        self.read(keyword, "Number", Json::as_f64)
    }

    pub(super) fn integer(&self, keyword: &str) -> Result<Option<f64>, SchemaError> {
        let whole = |value: &Json| value.as_f64().filter(|number| number.fract() == 0.0);
        self.read(keyword, "Integer", whole)
    }

    pub(super) fn array(&self, keyword: &str) -> Result<Option<&'a [Json]>, SchemaError> {
        self.read(keyword, "JsonArray", |value| match value {
            Json::Array(items) => Some(items.as_slice()),
            _ => None,
        })
    }

    pub(super) fn object(&self, keyword: &str) -> Result<Option<&'a IndexMap<String, Json>>, SchemaError> {
        self.read(keyword, "JsonObject", |value| match value {
            Json::Object(entries) => Some(entries),
            _ => None,
        })
    }

    pub(super) fn texts(&self, keyword: &str) -> Result<BTreeSet<String>, SchemaError> {
        self.get(keyword).map_or_else(|| Ok(BTreeSet::new()), texts_of)
    }

    pub(super) fn types(&self) -> Result<Types<'a>, SchemaError> {
        let types = match self.get("type") {
            None => Types::default(),
            Some(Json::String(name)) => Types {
                names: vec![name],
                is_list: false,
            },
            Some(Json::Array(names)) => Types {
                names: names
                    .iter()
                    .map(|name| name.as_str().ok_or_else(|| wrong_type("type", "String", name)))
                    .collect::<Result<_, _>>()?,
                is_list: true,
            },
            Some(other) => return Err(wrong_type("type", "JsonArray or String", other)),
        };
        match types.names.iter().find(|name| !TYPES.contains(name)) {
            Some(unknown) => Err(SchemaError::Invalid(format!("unknown type: [{}]", shortened(unknown)))),
            None => Ok(types),
        }
    }
}

/// Returns the strings of an array.
///
/// *Errors*: it is none, or holds something else.
pub(super) fn texts_of(value: &Json) -> Result<BTreeSet<String>, SchemaError> {
    let Json::Array(items) = value else {
        return Err(wrong_type("required", "JsonArray", value));
    };
    let texts = items.iter().map(|item| match item.as_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(wrong_type("required", "String", item)),
    });
    texts.collect()
}

/// The error of a schema that is neither object nor boolean.
pub(super) fn not_a_schema(value: &Json) -> SchemaError {
    SchemaError::Invalid(format!(
        "expected type: JsonObject or Boolean, found: {}",
        type_of(value)
    ))
}

fn wrong_type(keyword: &str, expected: &str, value: &Json) -> SchemaError {
    SchemaError::Invalid(format!(
        "{}: expected type: {expected}, found: {}",
        shortened(keyword),
        type_of(value)
    ))
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "Boolean",
        Json::Number(_) => "Number",
        Json::String(_) => "String",
        Json::Array(_) => "JsonArray",
        Json::Object(_) => "JsonObject",
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).collect()
}

/// Checks that the brackets of a pattern are balanced.
///
/// *Errors*: they are not.
pub(super) fn check_pattern(pattern: &str) -> Result<(), SchemaError> {
    let (mut groups, mut classes) = (0_usize, 0_usize);
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next().is_none() => return Err(unbalanced(pattern)),
            '[' => classes += 1,
            ']' => classes = classes.saturating_sub(1),
            '(' if classes == 0 => groups += 1,
            ')' if classes == 0 && groups == 0 => return Err(unbalanced(pattern)),
            ')' if classes == 0 => groups -= 1,
            _ => {}
        }
    }
    if groups == 0 && classes == 0 {
        return Ok(());
    }
    Err(unbalanced(pattern))
}

fn unbalanced(pattern: &str) -> SchemaError {
    SchemaError::Invalid(format!("invalid regex: {}", shortened(pattern)))
}
