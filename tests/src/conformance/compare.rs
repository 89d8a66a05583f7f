//! Two answers to the same request, compared.
//!
//! Status, headers and body, in full but for the volatile names. Objects are compared as maps, and besides that the objects
//! whose field order Connect fixes must have it.

use serde_json::{Map, Value};

use crate::conformance::recorded::Exchange;
use crate::conformance::rules::Rules;
use crate::conformance::scenario::Step;

/// Objects with exactly these fields, optional ones aside, have them in this order.
const SHAPES: [&[&str]; 12] = [
    &["version", "commit", "kafka_cluster_id"],
    &["error_code", "message"],
    &["name", "config", "tasks", "type"],
    &["name", "connector", "tasks", "type"],
    &["state", "worker_id", "version", "trace"],
    &["id", "state", "worker_id", "version", "trace"],
    &["id", "config"],
    &["class", "type", "version"],
    &["level", "last_modified"],
    &["name", "error_count", "groups", "configs"],
    &["name", "value", "recommended_values", "errors", "visible"],
    &[
        "name",
        "type",
        "required",
        "default_value",
        "importance",
        "documentation",
        "group",
        "order_in_group",
        "width",
        "display_name",
        "dependents",
    ],
];

/// Every difference, in words; none = they agree.
pub fn differences(expected: &Exchange, actual: &Exchange, step: &Step, rules: &Rules) -> Vec<String> {
    let mut found = Vec::new();
    if expected.request != actual.request {
        found.push(format!("request {:?}, recorded {:?}", actual.request, expected.request));
    }
    if expected.status != actual.status {
        found.push(format!("status {}, recorded {}", actual.status, expected.status));
    }
    let names: std::collections::BTreeSet<&String> = expected.headers.keys().chain(actual.headers.keys()).collect();
    for name in names {
        let told = |exchange: &Exchange| exchange.headers.get(name).map(|value| in_no_order(name, value));
        let (old, new) = (told(expected), told(actual));
        if old != new && !rules.is_volatile_header(name) {
            found.push(format!("header {name}: {new:?}, recorded {old:?}"));
        }
    }
    match (&expected.text, &actual.text) {
        (Some(old), Some(new)) if rules.cut(old) == rules.cut(new) => {}
        (None, None) => {}
        (old, new) => found.push(format!("text {new:?}, recorded {old:?}")),
    }
    match (&expected.body, &actual.body) {
        (Some(old), Some(new)) => {
            Comparison {
                step,
                rules,
                found: &mut found,
            }
            .values("", old, new);
        }
        (None, None) => {}
        (old, new) => found.push(format!("body {}, recorded {}", shown(new), shown(old))),
    }
    found
}

/// A list whose order changes from one of Java's processes to the next, sorted; other headers as they are.
fn in_no_order(name: &str, value: &str) -> String {
    if name != "access-control-allow-methods" {
        return value.to_owned();
    }
    let mut parts: Vec<&str> = value.split(',').collect();
    parts.sort_unstable();
    parts.join(",")
}

fn shown(body: &Option<Value>) -> String {
    body.as_ref().map_or_else(|| "none".to_owned(), short)
}

fn short(value: &Value) -> String {
    const SHOWN: usize = 600;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

struct Comparison<'a> {
    step: &'a Step,
    rules: &'a Rules,
    found: &'a mut Vec<String>,
}

impl Comparison<'_> {
    fn values(&mut self, at: &str, old: &Value, new: &Value) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.objects(at, old, new),
            (Value::Array(old), Value::Array(new)) => self.arrays(at, old, new),
            (Value::String(old), Value::String(new)) if self.rules.cut(old) == self.rules.cut(new) => {}
            _ if old == new => {}
            _ => self
                .found
                .push(format!("{at}: {}, recorded {}", short(new), short(old))),
        }
    }

    fn objects(&mut self, at: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        for (name, value) in old {
            let inner = format!("{at}/{name}");
            match new.get(name) {
                None => self.found.push(format!("{inner}: missing, recorded {}", short(value))),
                Some(other) if self.rules.is_volatile_field(name) => {
                    if std::mem::discriminant(value) != std::mem::discriminant(other) {
                        self.found
                            .push(format!("{inner}: {}, recorded {}", short(other), short(value)));
                    }
                }
                Some(other) => self.values(&inner, value, other),
            }
        }
        for (name, value) in new {
            if !old.contains_key(name) && !self.rules.is_addition(name) {
                self.found.push(format!("{at}/{name}: {}, not recorded", short(value)));
            }
        }
        let fixed = SHAPES.iter().any(|shape| old.len() > 1 && in_order(old, shape));
        if fixed
            && !old
                .keys()
                .filter(|name| new.contains_key(*name))
                .eq(new.keys().filter(|name| old.contains_key(*name)))
        {
            let order: Vec<&String> = new.keys().collect();
            self.found.push(format!("{at}: fields in the order {order:?}"));
        }
    }

    fn arrays(&mut self, at: &str, old: &[Value], new: &[Value]) {
        if self.step.unordered.iter().any(|pointer| pointer == at) {
            let sorted = |values: &[Value]| {
                let mut values = values.to_vec();
                values.sort_by_key(sort_key);
                values
            };
            return self.in_sequence(at, &sorted(old), &sorted(new));
        }
        if self.step.more.iter().any(|pointer| pointer == at) {
            let mut left = new.iter();
            for value in old {
                if !left.any(|other| self.agree(at, value, other)) {
                    self.found
                        .push(format!("{at}: {} is missing, or not in its place", short(value)));
                    left = new.iter();
                }
            }
            return;
        }
        self.in_sequence(at, old, new);
    }

    fn in_sequence(&mut self, at: &str, old: &[Value], new: &[Value]) {
        if old.len() != new.len() {
            let texts = |values: &[Value]| short(&Value::Array(values.to_vec()));
            self.found.push(format!(
                "{at}: {} entries {}, recorded {} {}",
                new.len(),
                texts(new),
                old.len(),
                texts(old)
            ));
            return;
        }
        for (index, (old, new)) in old.iter().zip(new).enumerate() {
            self.values(&format!("{at}/{index}"), old, new);
        }
    }

    fn agree(&self, at: &str, old: &Value, new: &Value) -> bool {
        let mut found = Vec::new();
        Comparison {
            step: self.step,
            rules: self.rules,
            found: &mut found,
        }
        .values(at, old, new);
        found.is_empty()
    }
}

/// Whether all fields belong to the shape and stand in its order, as those of the peer do.
fn in_order(object: &Map<String, Value>, shape: &[&str]) -> bool {
    let mut rest = shape.iter();
    object.keys().all(|name| rest.any(|field| field == name))
}

/// A text that does not depend on the order of fields.
fn sort_key(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{name}={}", sort_key(value)))
                .collect();
            fields.sort();
            fields.join(",")
        }
        other => other.to_string(),
    }
}
