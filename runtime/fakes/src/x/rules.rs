//! Rules of the filtered stream
//!
//! They belong to the app and outlive connections. Adding reports duplicates and invalid ones one by one.

use serde_json::{Value, json};

use crate::service::{FakeRequest, FakeResponse};
use crate::x::clock::rfc3339;
use crate::x::lists::Query;
use crate::x::problems;

const MAX_RULES: usize = 1000;
const MAX_RULE_CHARS: usize = 1024;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Id.
    pub id: u64,
    /// What it selects.
    pub value: String,
    /// Its name.
    pub tag: Option<String>,
}

impl Rule {
    /// Writes the rule as lists and matches show it.
    pub fn to_json(&self) -> Value {
        let mut object = json!({"id": self.id.to_string(), "value": self.value});
        if let (Some(tag), Some(map)) = (&self.tag, object.as_object_mut()) {
            map.insert("tag".to_owned(), json!(tag));
        }
        object
    }
}

/// The rules of the app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// In the order they were added.
    pub list: Vec<Rule>,
    added: u64,
}

impl Rules {
    /// Adds a rule.
    pub fn add(&mut self, value: &str, tag: Option<&str>) -> Rule {
        self.added += 1;
        let rule = Rule {
            id: 77_000 + self.added,
            value: value.to_owned(),
            tag: tag.map(str::to_owned),
        };
        self.list.push(rule.clone());
        rule
    }

    pub(crate) fn list(&self, now_ms: i64) -> FakeResponse {
        let data: Vec<Value> = self.list.iter().map(Rule::to_json).collect();
        let mut body = json!({"meta": {"sent": rfc3339(now_ms), "result_count": data.len()}});
        if let (false, Some(map)) = (data.is_empty(), body.as_object_mut()) {
            map.insert("data".to_owned(), json!(data));
        }
        FakeResponse::json(200, &body)
    }

    pub(crate) fn change(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        let is_dry = request.query_param("dry_run").as_deref() == Some("true");
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut after = self.clone();
        let response = if let Some(add) = body.get("add").and_then(Value::as_array) {
            after.add_all(add, now_ms)
        } else if let Some(delete) = body.get("delete") {
            after.delete(delete, now_ms)
        } else {
            problems::invalid_request("body", "", "must contain 'add' or 'delete'")
        };
        if !is_dry {
            *self = after;
        }
        response
    }

    fn add_all(&mut self, add: &[Value], now_ms: i64) -> FakeResponse {
        let (mut data, mut errors) = (Vec::new(), Vec::new());
        for wanted in add {
            let value = wanted.get("value").and_then(Value::as_str).unwrap_or_default();
            let tag = wanted.get("tag").and_then(Value::as_str);
            if let Some(known) = self.list.iter().find(|rule| rule.value == value) {
                errors.push(json!({
                    "value": value, "id": known.id.to_string(), "title": "DuplicateRule",
                    "type": "https://api.x.com/2/problems/duplicate-rules",
                }));
            } else if let Some(reason) = self.refusal(value) {
                errors.push(json!({
                    "value": value, "title": "UnprocessableEntity", "details": [reason],
                    "type": "https://api.x.com/2/problems/invalid-rules",
                }));
            } else {
                data.push(self.add(value, tag).to_json());
            }
        }
        let summary = json!({
            "created": data.len(), "not_created": errors.len(), "valid": data.len(), "invalid": errors.len(),
        });
        let mut body = json!({"meta": {"sent": rfc3339(now_ms), "summary": summary}});
        if let Some(map) = body.as_object_mut() {
            if !data.is_empty() {
                map.insert("data".to_owned(), json!(data));
            }
            if !errors.is_empty() {
                map.insert("errors".to_owned(), json!(errors));
            }
        }
        FakeResponse::json(
            if data.is_empty() && !errors.is_empty() {
                200
            } else {
                201
            },
            &body,
        )
    }

    fn refusal(&self, value: &str) -> Option<String> {
        if self.list.len() >= MAX_RULES {
            Some(format!("at most {MAX_RULES} rules are allowed"))
        } else if value.chars().count() > MAX_RULE_CHARS {
            Some(format!("a rule has at most {MAX_RULE_CHARS} characters"))
        } else if !Query::is_valid(value) {
            Some(format!("no viable alternative at input '{value}' (at position 1)"))
        } else {
            None
        }
    }

    fn delete(&mut self, delete: &Value, now_ms: i64) -> FakeResponse {
        let texts = |name: &str| -> Vec<String> {
            let list = delete.get(name).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let (ids, values) = (texts("ids"), texts("values"));
        let before = self.list.len();
        self.list
            .retain(|rule| !ids.contains(&rule.id.to_string()) && !values.contains(&rule.value));
        let deleted = before - self.list.len();
        let not_deleted = (ids.len() + values.len()).saturating_sub(deleted);
        let summary = json!({"deleted": deleted, "not_deleted": not_deleted});
        FakeResponse::json(200, &json!({"meta": {"sent": rfc3339(now_ms), "summary": summary}}))
    }
}
