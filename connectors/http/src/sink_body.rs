//! Records into requests: templates filled, bodies put together
//!
//! A record becomes a piece of a body and the URL and headers it goes with; neighbours that agree in those share a
//! request. Sending is in `sink.rs`.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use weir_feed::pointer::scalar_text;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SinkRecord;
use weir_sdk::sink::TopicOffset;

use crate::batch_shape::Shape;
use crate::sink_config::{Settings, Tombstones};
use crate::template::{Position, Template};
use crate::value::to_json;

/// A record ready to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Where it came from.
    pub origin: TopicOffset,
    /// URL it goes to.
    pub url: String,
    /// Headers it goes with.
    pub headers: Vec<(String, String)>,
    /// Its part of the body; none = a DELETE.
    pub body: Option<String>,
}

impl Piece {
    /// Tells whether two records can share a request.
    pub fn goes_with(&self, other: &Self) -> bool {
        self.body.is_some() && other.body.is_some() && self.url == other.url && self.headers == other.headers
    }
}

/// Makes a record ready; none = it is left out.
///
/// # Errors
/// Data when a value has no JSON form, a placeholder of the URL has no value, or records without value are refused.
pub fn piece(settings: &Settings, record: &SinkRecord, origin: TopicOffset) -> Result<Option<Piece>, ConnectError> {
    let is_tombstone = record.value.value.is_null();
    if is_tombstone {
        match settings.tombstones {
            Tombstones::Skip => return Ok(None),
            Tombstones::Fail => {
                return Err(ConnectError::data(
                    "the record has no value; http.tombstones=skip, delete or send would take it",
                ));
            }
            Tombstones::Delete | Tombstones::Send => {}
        }
    }
    let values = RecordValues::of(settings, record)?;
    let value_of = |name: &str| values.get(name);
    if let Some(name) = settings.url.holes().find(|name| value_of(name).is_none()) {
        return Err(ConnectError::data(format!(
            "the placeholder ${{{name}}} of http.url has no value"
        )));
    }
    let render = |template: &Template| template.render(Position::Header, &value_of);
    let headers = settings
        .headers
        .iter()
        .map(|(name, template)| (name.clone(), render(template)));
    let body = match &settings.body {
        _ if is_tombstone && settings.tombstones == Tombstones::Delete => None,
        Some(template) => Some(values.filled(template, settings.shape)),
        None => Some(match (settings.shape, &values.value) {
            (Shape::Text, Json::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        }),
    };
    Ok(Some(Piece {
        origin,
        url: settings.url.render(Position::Url, &value_of),
        headers: headers.collect(),
        body,
    }))
}

/// What placeholders stand for.
struct RecordValues<'a> {
    config: &'a BTreeMap<String, String>,
    record: &'a SinkRecord,
    key: Json,
    value: Json,
    headers: Vec<(String, Json)>,
}

impl<'a> RecordValues<'a> {
    fn of(settings: &'a Settings, record: &'a SinkRecord) -> Result<Self, ConnectError> {
        let json = |typed: &weir_sdk::api::record::TypedValue| {
            to_json(typed.schema.as_deref(), &typed.value).map_err(ConnectError::data)
        };
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            headers.push((header.name.clone(), json(&header.value)?));
        }
        let mut value = json(&record.value)?;
        // JSON that came as text is JSON for the template's fields, and for the body.
        if settings.shape != Shape::Text
            && let Json::String(text) = &value
            && let Ok(parsed @ (Json::Object(_) | Json::Array(_))) = serde_json::from_str(text)
        {
            value = parsed;
        }
        Ok(Self {
            config: &settings.config,
            key: json(&record.key)?,
            record,
            value,
            headers,
        })
    }

    fn get(&self, name: &str) -> Option<String> {
        match name {
            "topic" => Some(self.record.topic.clone()),
            "partition" => Some(self.record.partition.to_string()),
            "offset" => Some(self.record.offset.to_string()),
            "timestamp" => self.record.timestamp.map(|timestamp| timestamp.to_string()),
            _ => match name.strip_prefix("config.") {
                Some(key) => self.config.get(key).cloned(),
                None => self.json(name).and_then(text_of),
            },
        }
    }

    /// Gives the part of the record that a name leads to.
    fn json(&self, name: &str) -> Option<&Json> {
        let mut parts = name.split('.');
        let root = match parts.next()? {
            "key" => &self.key,
            "value" => &self.value,
            "header" => {
                let wanted = name.strip_prefix("header.")?;
                return self
                    .headers
                    .iter()
                    .rev()
                    .find(|(known, _)| known == wanted)
                    .map(|(_, value)| value);
            }
            _ => return None,
        };
        parts.try_fold(root, |value, field| value.get(field))
    }

    /// Fills a body template. In JSON a placeholder that stands alone as a value is the JSON value, one within quotes
    /// is text.
    fn filled(&self, template: &Template, shape: Shape) -> String {
        if shape == Shape::Text {
            return template.render(Position::Plain, &|name| self.get(name));
        }
        template.render_json(&|name| {
            let value = self.json(name).cloned();
            value.or_else(|| {
                self.get(name).map(|text| match name {
                    "partition" | "offset" | "timestamp" => serde_json::from_str(&text).unwrap_or(Json::String(text)),
                    _ => Json::String(text),
                })
            })
        })
    }
}

fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::Array(_) | Json::Object(_) => Some(value.to_string()),
        _ => scalar_text(value),
    }
}
