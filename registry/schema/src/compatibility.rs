//! Compatibility of a new schema with a subject's versions
//!
//! Which versions a level compares, in which direction, and the registry's list of messages. How two schemas of one
//! language compare is that language's own file.

use crate::avro::compatibility as avro;
use crate::avro::difference::Difference as AvroDifference;
use crate::json::compatibility as json;
use crate::json::difference::Difference as JsonDifference;
pub use crate::json::difference::Policy;
use crate::level::Level;
use crate::protobuf::compatibility as protobuf;
use crate::protobuf::difference::Difference as ProtobufDifference;
use crate::schema::ParsedSchema;

/// Longest old schema quoted whole, in UTF-16 units as the JVM counts.
const MAX_QUOTED_UNITS: usize = 10 * 1024;

/// The one message for two languages.
const OTHER_TYPE: &str = "Incompatible because of different schema type";

/// An earlier version of the subject.
#[derive(Debug, Clone, Copy)]
pub struct Previous<'a> {
    /// Its number.
    pub version: i32,
    /// Its schema.
    pub schema: &'a ParsedSchema,
}

/// Compares `new` with the versions that `level` asks for and returns the registry's messages; empty is compatible.
///
/// `previous` holds the live versions, oldest first. The last message names the level.
pub fn check(level: Level, new: &ParsedSchema, previous: &[Previous<'_>]) -> Vec<String> {
    let mut messages = differences(level, Policy::Strict, new, previous);
    if !messages.is_empty() {
        messages.push(format!("{{validateFields: 'false', compatibility: '{level}'}}"));
    }
    messages
}

/// Returns the messages of [`check`] without the last one, for a caller that adds messages of its own.
pub fn differences(level: Level, policy: Policy, new: &ParsedSchema, previous: &[Previous<'_>]) -> Vec<String> {
    if level == Level::None {
        return Vec::new();
    }
    let compared = if level.is_transitive() { previous.len() } else { 1 };
    let newest_first = previous.iter().rev().take(compared);
    newest_first
        .map(|old| compare(level, policy, new, *old))
        .find(|messages| !messages.is_empty())
        .unwrap_or_default()
}

fn compare(level: Level, policy: Policy, new: &ParsedSchema, old: Previous<'_>) -> Vec<String> {
    if new.schema_type() != old.schema.schema_type() {
        return vec![OTHER_TYPE.to_owned()];
    }
    let mut messages = Vec::new();
    if level.is_forward() {
        messages.extend(reads(policy, old.schema, new, ["old", "new"]));
        if !level.is_backward() && !messages.is_empty() {
            messages.extend(quote(old));
        }
    }
    if level.is_backward() {
        let backward = reads(policy, new, old.schema, ["new", "old"]);
        if !backward.is_empty() {
            messages.extend(backward);
            messages.extend(quote(old));
        }
    }
    messages
}

/// Returns why `reader` cannot read what `writer` wrote; the words say which of them is new and which old.
fn reads(policy: Policy, reader: &ParsedSchema, writer: &ParsedSchema, words: [&str; 2]) -> Vec<String> {
    let changes = changes(policy, writer, reader, words);
    let against = changes.map(|changes| changes.into_iter().filter(|change| !change.is_compatible));
    match against {
        Ok(against) => against.map(|change| change.message).collect(),
        Err(reason) => vec![format!("Unexpected exception during compatibility check: {reason}")],
    }
}

/// One thing in which two schemas differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind, by the name in the registry's messages.
    pub kind: &'static str,
    /// Where, in the schema's own way of naming places.
    pub path: String,
    /// Whether the new schema still reads what the old one wrote.
    pub is_compatible: bool,
    /// The registry's message.
    pub message: String,
}

/// Lists what changed from one schema to another of the same language, compatible changes too where the language's
/// rules name them; the words call the second and the first.
///
/// *Errors*: the reason, as text, why the two cannot be compared.
pub fn changes(
    policy: Policy,
    from: &ParsedSchema,
    to: &ParsedSchema,
    [second, first]: [&str; 2],
) -> Result<Vec<Change>, String> {
    match (from, to) {
        (ParsedSchema::Avro(from), ParsedSchema::Avro(to)) => {
            let found = avro::differences(to, from)?;
            let change = |difference: &AvroDifference| Change {
                kind: difference.kind.as_str(),
                path: difference.location.clone(),
                is_compatible: false,
                message: difference.message(second, first),
            };
            Ok(found.iter().map(change).collect())
        }
        (ParsedSchema::Json(from), ParsedSchema::Json(to)) => {
            let found = json::differences(from.graph(), to.graph(), policy)?;
            let change = |difference: &JsonDifference| Change {
                kind: difference.kind.as_str(),
                path: difference.path.clone(),
                is_compatible: difference.kind.is_compatible(policy),
                message: difference.message(second, first),
            };
            Ok(found.iter().map(change).collect())
        }
        (ParsedSchema::Protobuf(from), ParsedSchema::Protobuf(to)) => {
            let found = protobuf::differences(from, to)?;
            let change = |difference: &ProtobufDifference| Change {
                kind: difference.kind.as_str(),
                path: difference.path.clone(),
                is_compatible: difference.kind.is_compatible(),
                message: difference.message(second, first),
            };
            Ok(found.iter().map(change).collect())
        }
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

fn quote(old: Previous<'_>) -> [String; 2] {
    let text = old.schema.canonical_text();
    let quoted = match cut(&text) {
        Some(start) => format!("{{oldSchema: <truncated> '{start}...'}}"),
        None => format!("{{oldSchema: '{text}'}}"),
    };
    [format!("{{oldSchemaVersion: {}}}", old.version), quoted]
}

/// Returns the start of a text that is too long to be quoted whole.
fn cut(text: &str) -> Option<&str> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > MAX_QUOTED_UNITS {
            return text.get(..at);
        }
    }
    None
}
