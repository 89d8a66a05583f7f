//! The predicates
//!
//! Kafka: `org.apache.kafka.connect.transforms.predicates`. Each judges one row; negation is the chain's business.

use regex::Regex;
use weir_config::def::{ConfigDef, ConfigKey, Validator};
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::error::TransformError;
use crate::java_regex;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Predicate};

/// The whole topic matches.
#[derive(Debug)]
struct TopicNameMatches {
    /// Anchored at both ends.
    pattern: Regex,
    /// The topic judged last: most batches hold few topics.
    last: Option<(String, bool)>,
}

impl Predicate for TopicNameMatches {
    fn test(&mut self, cx: &ApplyCx<'_>, row: &Row) -> bool {
        let topic = cx.names.get(row.topic);
        if let Some((known, answer)) = &self.last
            && known == topic
        {
            return *answer;
        }
        let answer = self.pattern.is_match(topic);
        self.last = Some((topic.to_owned(), answer));
        answer
    }
}

/// A header of this name is there.
#[derive(Debug)]
struct HasHeaderKey {
    name: String,
}

impl Predicate for HasHeaderKey {
    fn test(&mut self, cx: &ApplyCx<'_>, row: &Row) -> bool {
        cx.headers(row)
            .iter()
            .any(|header| cx.names.get(header.name) == self.name)
    }
}

/// The value is null, whatever the key is.
#[derive(Debug)]
struct RecordIsTombstone;

impl Predicate for RecordIsTombstone {
    fn test(&mut self, _: &ApplyCx<'_>, row: &Row) -> bool {
        row.value.place.is_none()
    }
}

const PATTERN: &str = "pattern";
const NAME: &str = "name";

pub(crate) fn topic_def() -> ConfigDef {
    let pattern = ConfigKey::text(PATTERN)
        .validator(Validator::NonEmptyText)
        .validator(Validator::Custom("valid regex".to_owned()))
        .doc("A Java regular expression that the whole topic name has to match.");
    ConfigDef::new().key(pattern)
}

pub(crate) fn topic_problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    java_regex::problem(key, value)
}

pub(crate) fn create_topic(config: &ParsedConfig) -> Result<Box<dyn Predicate>, TransformError> {
    Ok(Box::new(TopicNameMatches {
        pattern: java_regex::whole(config.get_text(PATTERN)?)?,
        last: None,
    }))
}

pub(crate) fn header_def() -> ConfigDef {
    let name = ConfigKey::text(NAME)
        .validator(Validator::NonEmptyText)
        .doc("Name of the header.");
    ConfigDef::new().key(name)
}

pub(crate) fn create_header(config: &ParsedConfig) -> Result<Box<dyn Predicate>, TransformError> {
    Ok(Box::new(HasHeaderKey {
        name: config.get_text(NAME)?.to_owned(),
    }))
}

pub(crate) fn create_tombstone(_: &ParsedConfig) -> Result<Box<dyn Predicate>, TransformError> {
    Ok(Box::new(RecordIsTombstone))
}
