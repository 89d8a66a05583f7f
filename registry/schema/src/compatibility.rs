//! Compatibility of a new schema with a subject's versions
//!
//! Which versions a level compares, in which direction, and the registry's list of messages. How two schemas of one
//! language compare is that language's own file.

use crate::avro::compatibility as avro;
use crate::level::Level;
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
    let mut messages = differences(level, new, previous);
    if !messages.is_empty() {
        messages.push(format!("{{validateFields: 'false', compatibility: '{level}'}}"));
    }
    messages
}

/// Returns the messages of [`check`] without the last one, for a caller that adds messages of its own.
pub fn differences(level: Level, new: &ParsedSchema, previous: &[Previous<'_>]) -> Vec<String> {
    if level == Level::None {
        return Vec::new();
    }
    let compared = if level.is_transitive() { previous.len() } else { 1 };
    let newest_first = previous.iter().rev().take(compared);
    newest_first
        .map(|old| compare(level, new, *old))
        .find(|messages| !messages.is_empty())
        .unwrap_or_default()
}

fn compare(level: Level, new: &ParsedSchema, old: Previous<'_>) -> Vec<String> {
    if new.schema_type() != old.schema.schema_type() {
        return vec![OTHER_TYPE.to_owned()];
    }
    let mut messages = Vec::new();
    if level.is_forward() {
        messages.extend(reads(old.schema, new, "old", "new"));
        if !level.is_backward() && !messages.is_empty() {
            messages.extend(quote(old));
        }
    }
    if level.is_backward() {
        let backward = reads(new, old.schema, "new", "old");
        if !backward.is_empty() {
            messages.extend(backward);
            messages.extend(quote(old));
        }
    }
    messages
}

/// Returns why `reader` cannot read what `writer` wrote.
fn reads(reader: &ParsedSchema, writer: &ParsedSchema, reader_word: &str, writer_word: &str) -> Vec<String> {
    match (reader, writer) {
        (ParsedSchema::Avro(reader), ParsedSchema::Avro(writer)) => match avro::differences(reader, writer) {
            Ok(found) => found
                .iter()
                .map(|difference| difference.message(reader_word, writer_word))
                .collect(),
            Err(reason) => vec![format!("Unexpected exception during compatibility check: {reason}")],
        },
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
