//! RegexRouter: another topic where the whole topic matches
//!
//! Kafka: `org.apache.kafka.connect.transforms.RegexRouter`. The replacement is Java's: `$1`, `${name}`, `\` before a
//! character taken as it is; a bad one fails the records it is used on.

use regex::{Captures, Regex};
use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::parse::ConfigValue;
use weir_config::validate::ParsedConfig;

use crate::error::TransformError;
use crate::java_regex;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const REGEX: &str = "regex";
const REPLACEMENT: &str = "replacement";

#[derive(Debug)]
struct RegexRouter {
    whole: Regex,
    part: Regex,
    replacement: Result<Vec<Piece>, ConnectError>,
    /// The topic seen last and what became of it: most batches hold few topics.
    last: Option<(String, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(usize),
    Name(String),
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(REGEX)
                .validator(Validator::Custom("valid regex".to_owned()))
                .importance(Importance::High)
                .doc("Java regular expression that the whole topic has to match."),
        )
        .key(
            ConfigKey::text(REPLACEMENT)
                .importance(Importance::High)
                .doc("The new topic; <code>$1</code> stands for the first group."),
        )
}

pub(crate) fn problem(key: &ConfigKey, value: &ConfigValue) -> Option<String> {
    java_regex::problem(key, value)
}

pub(crate) fn create(_: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let pattern = config.get_text(REGEX)?;
    let part = java_regex::part(pattern)?;
    Ok(Box::new(RegexRouter {
        whole: java_regex::whole(pattern)?,
        replacement: parse_replacement(config.get_text(REPLACEMENT)?, &part),
        part,
        last: None,
    }))
}

impl Transformation for RegexRouter {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let topic = cx.names.get(row.topic);
        let is_known = self.last.as_ref().is_some_and(|(known, _)| known == topic);
        if !is_known {
            let routed = self.route(topic)?;
            self.last = Some((topic.to_owned(), routed));
        }
        if let Some((_, routed)) = &self.last {
            row.topic = cx.names.intern(routed);
        }
        Ok(Outcome::Kept)
    }
}

impl RegexRouter {
    fn route(&self, topic: &str) -> Result<String, ConnectError> {
        if !self.whole.is_match(topic) {
            return Ok(topic.to_owned());
        }
        // As Java: the first place that matches is replaced, which need not be the whole topic.
        let Some(found) = self.part.captures(topic) else {
            return Ok(topic.to_owned());
        };
        let pieces = self.replacement.as_ref().map_err(ConnectError::clone)?;
        let range = found.get(0).map_or(0..0, |all| all.range());
        let mut routed = topic.get(..range.start).unwrap_or_default().to_owned();
        for piece in pieces {
            piece.push(&found, &mut routed);
        }
        routed.push_str(topic.get(range.end..).unwrap_or_default());
        Ok(routed)
    }
}

impl Piece {
    fn push(&self, found: &Captures<'_>, out: &mut String) {
        let group = match self {
            Self::Text(text) => return out.push_str(text),
            Self::Group(number) => found.get(*number),
            Self::Name(name) => found.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
}

fn parse_replacement(text: &str, regex: &Regex) -> Result<Vec<Piece>, ConnectError> {
    let illegal = |message: &str| ConnectError::fatal(message).with_class_name("java.lang.IllegalArgumentException");
    let groups = regex.captures_len() - 1;
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\\' {
            literal.push(
                chars
                    .next()
                    .ok_or_else(|| illegal("character to be escaped is missing"))?,
            );
            continue;
        }
        if char != '$' {
            literal.push(char);
            continue;
        }
        pieces.push(Piece::Text(std::mem::take(&mut literal)));
        let missing = || illegal("Illegal group reference: group index is missing");
        if chars.next_if_eq(&'{').is_some() {
            let mut name = String::new();
            while let Some(char) = chars.next_if(char::is_ascii_alphanumeric) {
                name.push(char);
            }
            if name.is_empty() {
                return Err(illegal("named capturing group is missing trailing '}'"));
            }
            if chars.next() != Some('}') {
                return Err(illegal("named capturing group is missing trailing '}'"));
            }
            if !regex.capture_names().flatten().any(|known| known == name) {
                return Err(illegal(&format!("No group with name {{{name}}}")));
            }
            pieces.push(Piece::Name(name));
            continue;
        }
        let digit = chars.next().ok_or_else(missing)?.to_digit(10);
        let mut number = digit.ok_or_else(|| illegal("Illegal group reference"))? as usize;
        while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10))
            && number * 10 + digit as usize <= groups
        {
            number = number * 10 + digit as usize;
            chars.next();
        }
        if number > groups {
            return Err(ConnectError::fatal(format!("No group {number}"))
                .with_class_name("java.lang.IndexOutOfBoundsException"));
        }
        pieces.push(Piece::Group(number));
    }
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}
