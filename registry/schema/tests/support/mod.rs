//! Random schemas that are right by construction
//!
//! A [`Shape`] says what a schema is made of; writing it out gives every named type its own name, uses earlier types
//! by name and leaves out what a union may not hold. Two shapes that differ a little make a pair to compare.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What a schema is made of.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Primitive {
        kind: usize,
        props: usize,
    },
    Array(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record {
        name: usize,
        namespace: usize,
        extras: usize,
        fields: Vec<Part>,
    },
    Enum {
        name: usize,
        namespace: usize,
        symbols: usize,
        extras: usize,
    },
    Fixed {
        name: usize,
        namespace: usize,
        size: usize,
        extras: usize,
    },
    /// A type named before, or the record around.
    Again(usize),
}

/// One field of a record.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: usize,
    pub(crate) shape: Shape,
    pub(crate) has_default: bool,
    pub(crate) extras: usize,
}

const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
const SYMBOLS: [&str; 6] = ["A", "B", "C", "d", "_E", "F0"];

/// Returns schemas of a few dozen nodes.
pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        6 => (0..8usize, 0..6usize).prop_map(|(kind, props)| Shape::Primitive { kind, props }),
        2 => (0..4usize, 0..4usize, 1..6usize, 0..16usize)
            .prop_map(|(name, namespace, symbols, extras)| Shape::Enum { name, namespace, symbols, extras }),
        1 => (0..4usize, 0..4usize, 0..4usize, 0..16usize)
            .prop_map(|(name, namespace, size, extras)| Shape::Fixed { name, namespace, size, extras }),
        2 => (0..6usize).prop_map(Shape::Again),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let part =
            (0..6usize, inner.clone(), any::<bool>(), 0..32usize).prop_map(|(name, shape, has_default, extras)| Part {
                name,
                shape,
                has_default,
                extras,
            });
        prop_oneof![
            1 => inner.clone().prop_map(|shape| Shape::Array(Box::new(shape))),
            1 => inner.clone().prop_map(|shape| Shape::Map(Box::new(shape))),
            2 => prop::collection::vec(inner, 0..4).prop_map(Shape::Union),
            4 => (0..4usize, 0..4usize, 0..16usize, prop::collection::vec(part, 0..5))
                .prop_map(|(name, namespace, extras, fields)| Shape::Record { name, namespace, extras, fields }),
        ]
    })
}

/// Returns a shape and versions of it with a few changes each.
pub(crate) fn versions() -> impl Strategy<Value = Vec<Shape>> {
    (
        shape(),
        prop::collection::vec(prop::collection::vec((0..12usize, shape()), 1..4), 1..4),
    )
        .prop_map(|(first, edits)| {
            let mut all = vec![first];
            for edit in edits {
                let mut next = all.last().expect("the first one").clone();
                for (at, shape) in edit {
                    let mut left = at;
                    change(&mut next, &mut left, &shape);
                }
                all.push(next);
            }
            all
        })
}

/// Puts `with` in place of the node that is `left` steps away, or changes that node a little.
fn change(shape: &mut Shape, left: &mut usize, with: &Shape) -> bool {
    if *left == 0 {
        match (&mut *shape, with) {
            (Shape::Primitive { kind, .. }, Shape::Primitive { kind: other, .. }) => *kind = *other,
            (Shape::Enum { symbols, .. }, Shape::Enum { symbols: other, .. }) => *symbols = *other,
            (Shape::Record { fields, .. }, Shape::Record { fields: others, .. }) => {
                fields.extend(others.iter().cloned())
            }
            (Shape::Record { fields, .. }, _) => drop(fields.pop()),
            _ => *shape = with.clone(),
        }
        return true;
    }
    *left -= 1;
    match shape {
        Shape::Array(inner) | Shape::Map(inner) => change(inner, left, with),
        Shape::Union(branches) => branches.iter_mut().any(|branch| change(branch, left, with)),
        Shape::Record { fields, .. } => fields.iter_mut().any(|part| change(&mut part.shape, left, with)),
        Shape::Primitive { .. } | Shape::Enum { .. } | Shape::Fixed { .. } | Shape::Again(_) => false,
    }
}

/// Returns JSON made of the words that schemas are made of, seldom a right one.
pub(crate) fn json_text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "\"int\"",
        "\"null\"",
        "\"record\"",
        "\"enum\"",
        "\"array\"",
        "\"map\"",
        "\"fixed\"",
        "\"R\"",
        "\"a.R\"",
        "\"\"",
        "0",
        "-1",
        "1.5",
        "1e400",
        "null",
        "true",
        "{}",
        "[]",
        "\"E\"",
        "\"ascending\"",
        "\"decimal\"",
    ]);
    let key = prop::sample::select(vec![
        "type",
        "name",
        "namespace",
        "fields",
        "items",
        "values",
        "symbols",
        "size",
        "default",
        "aliases",
        "doc",
        "order",
        "logicalType",
    ]);
    word.prop_map(str::to_owned).prop_recursive(6, 40, 6, move |inner| {
        let entry = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(entry.clone(), 0..6).prop_map(|entries| format!("{{{}}}", entries.join(","))),
            prop::collection::vec(entry, 0..4).prop_map(|entries| format!(
                "{{\"type\":\"record\",\"name\":\"R\",\"fields\":[{{{}}}]}}",
                entries.join(",")
            )),
        ]
    })
}

/// Returns the text of a shape's schema.
pub(crate) fn text(shape: &Shape) -> String {
    Writer::default().schema(shape, None).to_string()
}

/// Returns the text of a record in a namespace that holds a shape's schema, so that no type is without namespace.
pub(crate) fn text_in_namespace(shape: &Shape) -> String {
    let inner = Writer::default().schema(shape, Some("root"));
    json!({"type": "record", "name": "root.U", "fields": [{"name": "f", "type": inner}]}).to_string()
}

#[derive(Default)]
struct Writer {
    /// Full names in the order of their definitions.
    names: Vec<String>,
    taken: HashSet<String>,
}

impl Writer {
    fn schema(&mut self, shape: &Shape, around: Option<&str>) -> Value {
        match shape {
            Shape::Primitive { kind, props } => primitive(*kind, *props),
            Shape::Array(inner) => json!({"type": "array", "items": self.schema(inner, around), "x": 1}),
            Shape::Map(inner) => json!({"values": self.schema(inner, around), "type": "map"}),
            Shape::Union(branches) => self.union(branches, around),
            Shape::Record {
                name,
                namespace,
                extras,
                fields,
            } => {
                let (mut record, space) = self.named("record", *name, *namespace, *extras, around);
                let mut seen = HashSet::new();
                let mut list = Vec::new();
                for part in fields.iter().filter(|part| seen.insert(part.name)) {
                    list.push(self.field(part, space.as_deref()));
                }
                record.insert("fields".to_owned(), Value::Array(list));
                Value::Object(record)
            }
            Shape::Enum {
                name,
                namespace,
                symbols,
                extras,
            } => {
                let (mut of, _) = self.named("enum", *name, *namespace, *extras, around);
                of.insert("symbols".to_owned(), json!(SYMBOLS[..*symbols]));
                if extras & 8 != 0 {
                    of.insert("default".to_owned(), json!(SYMBOLS[symbols - 1]));
                }
                Value::Object(of)
            }
            Shape::Fixed {
                name,
                namespace,
                size,
                extras,
            } => {
                let (mut fixed, _) = self.named("fixed", *name, *namespace, *extras, around);
                fixed.insert("size".to_owned(), json!(size));
                Value::Object(fixed)
            }
            Shape::Again(which) => match self.names.get(*which) {
                Some(name) => json!(name),
                None => json!("string"),
            },
        }
    }

    fn union(&mut self, branches: &[Shape], around: Option<&str>) -> Value {
        let mut list: Vec<Value> = Vec::new();
        let mut seen = HashSet::new();
        for branch in branches {
            let id = match branch {
                Shape::Primitive { kind, .. } => PRIMITIVES[*kind].to_owned(),
                Shape::Array(_) => "array".to_owned(),
                Shape::Map(_) => "map".to_owned(),
                Shape::Union(_) => continue,
                Shape::Again(which) => self.names.get(*which).cloned().unwrap_or_else(|| "string".to_owned()),
                // Every definition has a name of its own, but a later branch may use it.
                Shape::Record { .. } | Shape::Enum { .. } | Shape::Fixed { .. } => String::new(),
            };
            if !id.is_empty() && !seen.insert(id) {
                continue;
            }
            let next = self.names.len();
            list.push(self.schema(branch, around));
            if matches!(branch, Shape::Record { .. } | Shape::Enum { .. } | Shape::Fixed { .. }) {
                seen.extend(self.names.get(next).cloned());
            }
        }
        Value::Array(list)
    }

    fn named(
        &mut self,
        kind: &str,
        name: usize,
        namespace: usize,
        extras: usize,
        around: Option<&str>,
    ) -> (Map<String, Value>, Option<String>) {
        let space = match namespace {
            0 => around.map(str::to_owned),
            1 => Some("a".to_owned()),
            2 => Some("b.c".to_owned()),
            _ if around.is_none() => None,
            _ => Some("d".to_owned()),
        };
        let full = |number: usize| match &space {
            Some(space) => format!("{space}.T{number}"),
            None => format!("T{number}"),
        };
        // A type without namespace shares its name with no other, or a use of it could mean either.
        let is_free = |number: &usize| {
            let bare = format!("T{number}");
            let lonely = self.taken.iter().all(|taken| taken.rsplit('.').next() != Some(&bare));
            if space.is_none() {
                lonely
            } else {
                !self.taken.contains(&bare) && !self.taken.contains(&full(*number))
            }
        };
        let number = (name..).find(is_free).expect("a free name");
        self.taken.insert(full(number));
        self.names.push(full(number));
        let mut entries = Map::new();
        if extras & 1 != 0 {
            entries.insert("extra".to_owned(), json!({"k": [1, 2.5, "x", null, true], "b": {}}));
        }
        entries.insert("type".to_owned(), json!(kind));
        if namespace == 0 {
            entries.insert("name".to_owned(), json!(format!("T{number}")));
        } else {
            entries.insert("name".to_owned(), json!(full(number)));
        }
        if extras & 2 != 0 {
            entries.insert("doc".to_owned(), json!("some \"doc\"\n"));
        }
        if extras & 4 != 0 {
            entries.insert("aliases".to_owned(), json!([format!("T{}", number + 1), "z.Old"]));
        }
        (entries, space)
    }

    fn field(&mut self, part: &Part, around: Option<&str>) -> Value {
        let mut entries = Map::new();
        entries.insert("name".to_owned(), json!(format!("f{}", part.name)));
        let schema = self.schema(&part.shape, around);
        if let Some(default) = default_of(&schema).filter(|_| part.has_default) {
            entries.insert("default".to_owned(), default);
        }
        entries.insert("type".to_owned(), schema);
        if part.extras & 1 != 0 {
            entries.insert("doc".to_owned(), json!("é"));
        }
        if part.extras & 2 != 0 {
            entries.insert(
                "order".to_owned(),
                json!(["ascending", "descending", "ignore"][part.extras % 3]),
            );
        }
        if part.extras & 4 != 0 {
            entries.insert("aliases".to_owned(), json!([format!("f{}", part.name + 6), "old"]));
        }
        if part.extras & 8 != 0 {
            entries.insert("x".to_owned(), json!(-0.5));
        }
        Value::Object(entries)
    }
}

fn primitive(kind: usize, props: usize) -> Value {
    let word = PRIMITIVES[kind];
    match (props, word) {
        (0, "int") => json!({"type": "int", "logicalType": "date"}),
        (0, "long") => json!({"a": 1, "type": "long", "logicalType": "timestamp-millis"}),
        (0, "bytes") => json!({"type": "bytes", "scale": 2, "logicalType": "decimal", "precision": 9}),
        (1, _) => json!({"type": word, "connect.version": 1, "connect.name": "n"}),
        (2, _) => json!({"type": word}),
        _ => json!(word),
    }
}

/// Returns a default that fits, where one is easily found.
fn default_of(schema: &Value) -> Option<Value> {
    let word = match schema {
        Value::Array(branches) => return default_of(branches.first()?),
        Value::String(word) => word,
        _ => schema.get("type")?.as_str()?,
    };
    match word {
        "null" => Some(Value::Null),
        "boolean" => Some(json!(true)),
        "int" | "long" => Some(json!(-7)),
        "float" | "double" => Some(json!(0.25)),
        "bytes" | "string" => Some(json!("é\u{1}")),
        "array" => Some(json!([])),
        "map" => Some(json!({})),
        "enum" => schema.get("symbols")?.get(0).cloned(),
        "fixed" => Some(json!(
            "\u{ff}".repeat(usize::try_from(schema.get("size")?.as_u64()?).ok()?)
        )),
        "record" => {
            let fields = schema.get("fields")?.as_array()?;
            let mut entries = Map::new();
            for field in fields.iter().filter(|field| field.get("default").is_none()) {
                entries.insert(field.get("name")?.as_str()?.to_owned(), default_of(field.get("type")?)?);
            }
            Some(Value::Object(entries))
        }
        _ => None,
    }
}
