//! What may differ between two workers that answer alike: `tests/conformance/volatile.json`.
//!
//! At most fifteen names. A volatile field must still be there, with a value of the same JSON type; a volatile header is not
//! looked at; a volatile part of a text is cut out of it.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// The list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Names of JSON fields, at any depth.
    pub fields: Vec<Named>,
    /// Names of JSON fields that Apache Connect does not have.
    pub additions: Vec<Named>,
    /// Names of headers.
    pub headers: Vec<Named>,
    /// Parts of texts.
    pub texts: Vec<Part>,
}

/// A field or a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name; a header's in lower case.
    pub name: String,
    /// Why it differs.
    pub why: String,
}

/// What lies between two texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Kept.
    pub after: String,
    /// Kept; null = up to the end.
    pub before: Option<String>,
    /// Why it differs.
    pub why: String,
}

impl Rules {
    /// Reads the list.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("volatile.json");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// How many names it has.
    pub fn count(&self) -> usize {
        self.fields.len() + self.additions.len() + self.headers.len() + self.texts.len()
    }

    /// Whether a field's value is not compared.
    pub fn is_volatile_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// Whether a field may be there though it was not recorded.
    pub fn is_addition(&self, name: &str) -> bool {
        self.additions.iter().any(|field| field.name == name)
    }

    /// Whether a header is not compared.
    pub fn is_volatile_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name == name)
    }

    /// A text without its volatile parts.
    pub fn cut(&self, text: &str) -> String {
        let mut kept = text.to_owned();
        for part in &self.texts {
            let mut from = 0;
            while let Some(begin) = kept[from..].find(&part.after).map(|at| from + at + part.after.len()) {
                let end = match &part.before {
                    None => Some(kept.len()),
                    Some(before) => kept[begin..].find(before).map(|at| begin + at),
                };
                let Some(end) = end else { break };
                kept.replace_range(begin..end, "…");
                from = begin;
            }
        }
        kept
    }
}
