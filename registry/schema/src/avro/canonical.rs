//! Canonical text: Java's `Schema.toString()`
//!
//! Attribute order, where a namespace is written and where it is understood, a named type in full once and by name
//! afterwards. Parsed schemas have a bounded depth, so the recursion has too.

use std::collections::HashSet;

use serde_json::Value;

use crate::avro::schema::{AvroSchema, Field, Kind, Name, Node, NodeId, Order};
use crate::json_text::{write, write_string};

/// Returns the canonical text, with types from references by name only.
pub fn canonical_text(schema: &AvroSchema) -> String {
    print(schema, schema.root, schema.referenced.iter().cloned().collect())
}

/// Returns the canonical text with types from references written in full.
pub fn resolved_text(schema: &AvroSchema) -> String {
    print(schema, schema.root, HashSet::new())
}

/// Returns the text of one node, everything in full but the types named in `known`.
pub(crate) fn node_text(schema: &AvroSchema, id: NodeId, known: HashSet<String>) -> String {
    print(schema, id, known)
}

fn print(schema: &AvroSchema, id: NodeId, known: HashSet<String>) -> String {
    let mut printer = Printer {
        schema,
        known,
        out: String::new(),
    };
    printer.schema(id, None);
    printer.out
}

/// Words that a name must not be mistaken for: written with their namespace always.
pub(crate) const TYPE_WORDS: [&str; 14] = [
    "record", "enum", "array", "map", "union", "fixed", "string", "bytes", "int", "long", "float", "double", "boolean",
    "null",
];

struct Printer<'a> {
    schema: &'a AvroSchema,
    /// Full names of types that were written, or that a reference holds.
    known: HashSet<String>,
    out: String,
}

impl Printer<'_> {
    fn schema(&mut self, id: NodeId, namespace: Option<&str>) {
        let schema = self.schema;
        let node = schema.node(id);
        match &node.kind {
            Kind::Union(branches) => {
                self.list(branches, |printer, branch| printer.schema(*branch, namespace));
            }
            Kind::Array(items) => self.container("array", "items", *items, namespace, node),
            Kind::Map(values) => self.container("map", "values", *values, namespace, node),
            Kind::Record(_) | Kind::Enum(_) | Kind::Fixed(_) => self.named(node, namespace),
            Kind::Null
            | Kind::Boolean
            | Kind::Int
            | Kind::Long
            | Kind::Float
            | Kind::Double
            | Kind::Bytes
            | Kind::String => self.primitive(node),
        }
    }

    fn primitive(&mut self, node: &Node) {
        if node.props.is_empty() {
            write_string(&mut self.out, node.kind.type_name());
            return;
        }
        self.open(node.kind.type_name());
        self.props(&node.props);
        self.out.push('}');
    }

    fn container(&mut self, word: &str, key: &str, inner: NodeId, namespace: Option<&str>, node: &Node) {
        self.open(word);
        self.key(key);
        self.schema(inner, namespace);
        self.props(&node.props);
        self.out.push('}');
    }

    fn named(&mut self, node: &Node, namespace: Option<&str>) {
        let Some(name) = node.kind.name() else { return };
        if !self.known.insert(name.full()) {
            write_string(&mut self.out, &qualified(name, namespace));
            return;
        }
        match &node.kind {
            Kind::Record(record) => {
                self.open(if record.is_error { "error" } else { "record" });
                self.head(name, record.doc.as_deref(), namespace);
                self.key("fields");
                self.list(&record.fields, |printer, field| {
                    printer.field(field, name.namespace.as_deref())
                });
            }
            Kind::Enum(of) => {
                self.open("enum");
                self.head(name, of.doc.as_deref(), namespace);
                self.key("symbols");
                self.list(&of.symbols, |printer, symbol| write_string(&mut printer.out, symbol));
                if let Some(default) = &of.default {
                    self.text("default", default);
                }
            }
            Kind::Fixed(fixed) => {
                self.open("fixed");
                self.head(name, fixed.doc.as_deref(), namespace);
                self.key("size");
                self.out.push_str(&fixed.size.to_string());
            }
            _ => return,
        }
        self.props(&node.props);
        let aliases = node.kind.aliases();
        if !aliases.is_empty() {
            self.key("aliases");
            self.list(aliases, |printer, alias| {
                write_string(&mut printer.out, &qualified(alias, name.namespace.as_deref()));
            });
        }
        self.out.push('}');
    }

    fn field(&mut self, field: &Field, namespace: Option<&str>) {
        self.out.push_str("{\"name\":");
        write_string(&mut self.out, &field.name);
        self.key("type");
        self.schema(field.schema, namespace);
        if let Some(doc) = &field.doc {
            self.text("doc", doc);
        }
        if let Some(default) = &field.default {
            self.key("default");
            write(&mut self.out, default);
        }
        if field.order != Order::Ascending {
            self.text("order", field.order.as_str());
        }
        if !field.aliases.is_empty() {
            self.key("aliases");
            self.list(&field.aliases, |printer, alias| write_string(&mut printer.out, alias));
        }
        self.props(&field.props);
        self.out.push('}');
    }

    fn open(&mut self, type_name: &str) {
        self.out.push_str("{\"type\":");
        write_string(&mut self.out, type_name);
    }

    /// Name, namespace where it differs from the one around, documentation.
    fn head(&mut self, name: &Name, doc: Option<&str>, around: Option<&str>) {
        self.text("name", &name.name);
        match (&name.namespace, around) {
            (Some(own), around) if around != Some(own.as_str()) => self.text("namespace", own),
            (None, Some(_)) => self.text("namespace", ""),
            _ => {}
        }
        if let Some(doc) = doc {
            self.text("doc", doc);
        }
    }

    fn key(&mut self, key: &str) {
        self.out.push(',');
        write_string(&mut self.out, key);
        self.out.push(':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(&mut self.out, value);
    }

    fn props(&mut self, props: &[(String, Value)]) {
        for (key, value) in props {
            self.key(key);
            write(&mut self.out, value);
        }
    }

    fn list<T>(&mut self, items: &[T], mut one: impl FnMut(&mut Self, &T)) {
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            one(self, item);
        }
        self.out.push(']');
    }
}

/// Returns the name as it is written where `namespace` is understood.
fn qualified(name: &Name, namespace: Option<&str>) -> String {
    let understood = name.namespace.is_some() && name.namespace.as_deref() == namespace;
    if understood && !TYPE_WORDS.contains(&name.name.as_str()) {
        name.name.clone()
    } else {
        name.full()
    }
}
