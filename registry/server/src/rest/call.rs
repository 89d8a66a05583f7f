//! One request, taken apart
//!
//! Path segments are decoded once, after the path was split, so a subject may hold a slash as `%2F`. A `/contexts/{c}` prefix and aliases
//! are worked into the subjects here, so that the resources see final names only.

use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;
use crate::registry::delete::LATEST;
use crate::registry::handle::Registry;
use crate::registry_config::SearchLimit;
use crate::store::cache::Deleted;
use crate::subject::{self, Qualified, WILDCARD};

/// What the resources need.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) registry: Registry,
    pub(crate) identity: Arc<Identity>,
}

/// Who this registry is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) kafka_cluster_id: String,
    pub(crate) group_id: String,
}

/// An answer without its status and type.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Vec<u8>),
    /// A schema, as it is.
    Raw(Arc<str>),
    NoContent,
}

/// What a resource gives.
pub(crate) type Answer = Result<Reply, Refusal>;

/// Forms a JSON answer.
pub(crate) fn json(value: &impl Serialize) -> Answer {
    serde_json::to_vec(value)
        .map(Reply::Json)
        .map_err(|error| Refusal::Store(format!("the answer cannot be written: {error}")))
}

/// A request on its way to a resource.
#[derive(Debug)]
pub(crate) struct Call {
    /// The context of a `/contexts/{c}` prefix; the default one without.
    context: String,
    query: Query,
    body: Bytes,
}

impl Call {
    pub(crate) fn new(context: String, query: Query, body: Bytes) -> Self {
        Self { context, query, body }
    }

    pub(crate) fn query(&self) -> &Query {
        &self.query
    }

    /// The subject of a path segment, an alias followed.
    pub(crate) fn subject(&self, api: &Api, segment: &str) -> String {
        aliased(api, &self.in_context(segment))
    }

    /// The subject of a config or mode path; `None` is global.
    pub(crate) fn place(&self, segment: Option<&str>) -> Option<String> {
        let text = self.in_context(segment.unwrap_or_default());
        let is_global = text.is_empty() && segment.is_none_or(|segment| segment.starts_with(":."));
        (!is_global).then_some(text)
    }

    fn in_context(&self, text: &str) -> String {
        if text.starts_with(":.") || text.starts_with(WILDCARD) {
            return subject::normalize(text);
        }
        subject::qualify(&self.context, text)
    }

    /// The `subject` parameter; a context prefix stands for it where it is absent.
    pub(crate) fn subject_parameter(&self, api: &Api) -> Option<String> {
        let given = self.query.get("subject").unwrap_or_default();
        let text = self.in_context(given);
        if text.is_empty() {
            return None;
        }
        Some(aliased(api, &text))
    }

    /// The `subjectPrefix` parameter.
    pub(crate) fn subject_prefix(&self, default: &str) -> String {
        match self.query.get("subjectPrefix") {
            Some(given) => self.in_context(given),
            None if self.context == subject::DEFAULT_CONTEXT => default.to_owned(),
            None => self.in_context(""),
        }
    }

    /// Reads the body.
    ///
    /// *Errors*: 422 without one, 400 for what is not the JSON that is wanted.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let is_blank = self.body.iter().all(u8::is_ascii_whitespace);
        if is_blank || self.body.trim_ascii() == b"null" {
            return Err(Refusal::MissingBody("request body may not be null".to_owned()));
        }
        // serde would take an array for the fields in order.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(Refusal::bad_request("Unexpected input in JSON: an object is needed"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("Unexpected input in JSON: {error}")))
    }

    /// `POST /` answers its own body.
    pub(crate) fn raw_body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn deleted(&self) -> Deleted {
        if self.query.is_true("deleted") {
            Deleted::Included
        } else {
            Deleted::Hidden
        }
    }
}

/// Follows an alias, once.
fn aliased(api: &Api, subject: &str) -> String {
    let alias = api.registry.read(|cache| {
        let config = cache.config(Some(subject))?;
        config.alias.clone().filter(|alias| !alias.is_empty())
    });
    match alias {
        Some(alias) => subject::qualify_with_parent(subject, &alias),
        None => subject.to_owned(),
    }
}

/// Reads a version path segment; `latest` is -1.
///
/// *Errors*: 42202.
pub(crate) fn version(segment: &str) -> Result<i32, Refusal> {
    if segment.eq_ignore_ascii_case("latest") {
        return Ok(LATEST);
    }
    let number: Option<i32> = segment.parse().ok();
    number
        .filter(|number| *number == LATEST || *number >= 1)
        .ok_or_else(|| Refusal::InvalidVersion(segment.to_owned()))
}

/// Is true for `:.name:` and for no subject at all.
pub(crate) fn names_subject(subject: Option<&str>) -> bool {
    subject.is_some_and(|subject| !Qualified::parse(subject).name.is_empty())
}

/// Query parameters, decoded, in order.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Self { pairs: pairs.collect() }
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let wanted = self.pairs.iter().filter(move |(key, _)| key == name);
        // Collected, so that the name need not live on.
        wanted.map(|(_, value)| value.as_str()).collect::<Vec<_>>().into_iter()
    }

    /// `true` in any case; all else is false.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The part of a list that `offset` and `limit` ask for.
    pub(crate) fn page<T>(&self, list: impl IntoIterator<Item = T>, limits: SearchLimit) -> Vec<T> {
        let number = |name: &str| self.get(name).and_then(|text| text.parse::<i64>().ok());
        let offset = number("offset")
            .and_then(|offset| usize::try_from(offset).ok())
            .unwrap_or(0);
        let asked = number("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = asked
            .filter(|limit| (1..=limits.max).contains(limit))
            .unwrap_or(limits.default);
        list.into_iter().skip(offset).take(limit).collect()
    }
}

/// Takes percent escapes out; what is no escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out_once() {
        for (text, expected) in [
            ("a%2Fb", "a/b"),
            ("a%252Fb", "a%2Fb"),
            ("%c3%a9", "é"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "\u{fffd}"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(decode(text), expected);
        }
    }

    #[test]
    fn versions_are_numbers_or_latest() {
        for (text, expected) in [
            ("1", 1),
            ("latest", -1),
            ("LATEST", -1),
            ("-1", -1),
            ("2147483647", i32::MAX),
        ] {
            assert_eq!(version(text), Ok(expected));
        }
        for text in ["0", "-2", "2147483648", "x", "", "1.0", " 1"] {
            assert_eq!(version(text), Err(Refusal::InvalidVersion(text.to_owned())));
        }
    }

    #[test]
    fn pages_are_cut_out_of_lists() {
        let limits = SearchLimit { default: 3, max: 4 };
        for (query, expected) in [
            ("", vec![0, 1, 2]),
            ("limit=4", vec![0, 1, 2, 3]),
            ("limit=5", vec![0, 1, 2]),
            ("limit=0", vec![0, 1, 2]),
            ("limit=-1&offset=8", vec![8, 9]),
            ("offset=-3&limit=1", vec![0]),
            ("offset=99", vec![]),
            ("limit=x&offset=y", vec![0, 1, 2]),
            ("limit=99999999999999999999", vec![0, 1, 2]),
        ] {
            assert_eq!(Query::parse(query).page(0..10, limits), expected, "{query}");
        }
    }

    #[test]
    fn parameters_are_decoded_and_may_come_often() {
        let query = Query::parse("a=1&a=2&b=x+y%2Bz&c&=d&deleted=TRUE&normalize=yes");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(
            (query.get("b"), query.get("c"), query.get("z")),
            (Some("x y+z"), Some(""), None)
        );
        assert!(query.is_true("deleted") && !query.is_true("normalize"));
    }
}
