//! The documents of a schema, and where a `$ref` leads
//!
//! The schema itself and the registered schemas that it refers to. Nothing is ever fetched: a reference that leads out of
//! them is an error.

use std::collections::HashMap;

use crate::error::SchemaError;
use crate::json::draft::Draft;
use crate::json::tree::Json;

/// Index of a document; 0 is the schema itself.
pub(super) type DocumentId = usize;

/// A schema somewhere in the documents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) schema: &'a Json,
    pub(super) document: DocumentId,
}

/// One document.
#[derive(Debug)]
struct Document<'a> {
    root: &'a Json,
    draft: Draft,
    base: String,
}

/// Everything that references can lead to.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    documents: Vec<Document<'a>>,
    /// Documents by the names and addresses under which they are known.
    by_name: HashMap<String, DocumentId>,
    /// Schemas by the addresses and anchors that they give themselves.
    by_id: HashMap<String, Place<'a>>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(root: &'a Json, references: &'a [(String, Json)]) -> Self {
        let draft = Draft::of(root).unwrap_or_default();
        let base = id_of(root, draft).unwrap_or_default().to_owned();
        let mut all = Self {
            documents: Vec::with_capacity(references.len() + 1),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
        };
        all.add(root, draft, without_fragment(&base).to_owned());
        for (name, schema) in references {
            let own_draft = Draft::of(schema).unwrap_or(draft);
            let address = resolve(&base, name);
            let own_base = id_of(schema, own_draft).map_or_else(|| address.clone(), str::to_owned);
            let id = all.documents.len();
            all.add(schema, own_draft, without_fragment(&own_base).to_owned());
            for known_as in [name.clone(), address, plain(name).to_owned()] {
                all.by_name.entry(known_as).or_insert(id);
            }
        }
        all
    }

    fn add(&mut self, root: &'a Json, draft: Draft, base: String) {
        let document = self.documents.len();
        let mut waiting = vec![root];
        while let Some(value) = waiting.pop() {
            match value {
                Json::Object(entries) => {
                    if let Some(id) = id_of(value, draft) {
                        let place = Place {
                            schema: value,
                            document,
                        };
                        self.by_id.entry(id.to_owned()).or_insert(place);
                        self.by_id.entry(resolve(&base, id)).or_insert(place);
                    }
                    for keyword in ["$anchor", "$dynamicAnchor"] {
                        if let Some(anchor) = value.get(keyword).and_then(Json::as_str) {
                            let address = format!("{base}#{anchor}");
                            self.by_id.entry(address).or_insert(Place {
                                schema: value,
                                document,
                            });
                        }
                    }
                    waiting.extend(entries.values());
                }
                Json::Array(items) => waiting.extend(items),
                _ => {}
            }
        }
        if !base.is_empty() {
            self.by_name.entry(base.clone()).or_insert(document);
        }
        self.documents.push(Document { root, draft, base });
    }

    pub(super) fn draft(&self, document: DocumentId) -> Draft {
        self.documents
            .get(document)
            .map_or_else(Draft::default, |document| document.draft)
    }

    /// Finds what a `$ref` in a document leads to; None for a meta-schema, which anything may be taken for.
    ///
    /// *Errors*: it leads nowhere.
    pub(super) fn find(&self, document: DocumentId, reference: &str) -> Result<Option<Place<'a>>, SchemaError> {
        let base = self
            .documents
            .get(document)
            .map_or("", |document| document.base.as_str());
        let address = resolve(base, reference);
        let known = self.by_id.get(&address).or_else(|| self.by_id.get(reference));
        if let Some(place) = known {
            return Ok(Some(*place));
        }
        let (path, fragment) = split(reference);
        let (full_path, _) = split(&address);
        let found = if path.is_empty() {
            Some(document)
        } else {
            let names = [full_path, path, plain(path)];
            names.iter().find_map(|name| self.by_name.get(*name).copied())
        };
        let Some(found) = found else {
            if Draft::parse(path).is_some() {
                return Ok(None);
            }
            return Err(unresolved(reference));
        };
        let Some(target) = self.documents.get(found) else {
            return Err(unresolved(reference));
        };
        if let Some(place) = self
            .by_id
            .get(&format!("{}#{fragment}", target.base))
            .filter(|_| !fragment.is_empty())
        {
            return Ok(Some(*place));
        }
        let schema = by_pointer(target.root, fragment).ok_or_else(|| unresolved(reference))?;
        Ok(Some(Place {
            schema,
            document: found,
        }))
    }
}

fn unresolved(reference: &str) -> SchemaError {
    SchemaError::Invalid(format!("Unresolved $ref '{reference}'"))
}

fn id_of(schema: &Json, draft: Draft) -> Option<&str> {
    schema.get(draft.id_keyword()).and_then(Json::as_str)
}

fn without_fragment(address: &str) -> &str {
    split(address).0
}

fn split(address: &str) -> (&str, &str) {
    address.split_once('#').unwrap_or((address, ""))
}

fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// Follows a JSON pointer; one into `$defs` also finds what is in `definitions`.
fn by_pointer<'a>(root: &'a Json, pointer: &str) -> Option<&'a Json> {
    let pointer = percent_decoded(pointer);
    if pointer.is_empty() || pointer == "/" {
        return Some(root);
    }
    let walk = |pointer: &str| {
        let mut tokens = pointer.strip_prefix('/')?.split('/');
        tokens.try_fold(root, |value, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match value {
                Json::Array(items) => items.get(token.parse::<usize>().ok()?),
                value => value.get(&token),
            }
        })
    };
    walk(&pointer).or_else(|| {
        let inner = pointer.strip_prefix("/$defs/")?;
        walk(&format!("/definitions/{inner}"))
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                bytes.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Resolves an address against a base, as RFC 3986 does.
fn resolve(base: &str, reference: &str) -> String {
    let base = without_fragment(base);
    let has_scheme = |address: &str| {
        let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_scheme)
    };
    if reference.is_empty() || reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    if base.is_empty() || has_scheme(reference) {
        return reference.to_owned();
    }
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let (authority, path) = match base.get(after_scheme..).and_then(|rest| rest.find('/')) {
        Some(at) => base.split_at(after_scheme + at),
        None if after_scheme > 0 => (base, ""),
        None => ("", base),
    };
    if reference.starts_with('/') {
        return format!("{authority}{}", without_dots(reference));
    }
    let folder = path.rfind('/').map_or("", |at| path.get(..=at).unwrap_or_default());
    let folder = if folder.is_empty() && !authority.is_empty() {
        "/"
    } else {
        folder
    };
    format!("{authority}{}", without_dots(&format!("{folder}{reference}")))
}

fn without_dots(path: &str) -> String {
    let (path, fragment) = match path.find('#') {
        Some(at) => path.split_at(at),
        None => (path, ""),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{}{fragment}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn addresses_are_resolved_against_their_base() {
        for (base, reference, address) in [
            ("", "a.json", "a.json"),
            ("http://x/y/z.json", "a.json", "http://x/y/a.json"),
            ("http://x/y/z.json#", "../a.json#/b", "http://x/a.json#/b"),
            ("http://x", "a.json", "http://x/a.json"),
            ("http://x/y", "/a.json", "http://x/a.json"),
            ("http://x/y", "#/a", "http://x/y#/a"),
            ("http://x/y", "urn:z", "urn:z"),
            ("y/z.json", "./a.json", "y/a.json"),
        ] {
            assert_eq!(resolve(base, reference), address, "{base} {reference}");
        }
    }
}
