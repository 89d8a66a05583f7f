//! Takes secrets out of texts that people read
//!
//! A secret is found as it is and as it stands in URLs, forms, JSON and base64, also in the middle of longer base64 text
//! such as basic credentials. Values under four bytes are left: taking them out would garble every text and hide nothing.

use std::borrow::Cow;
use std::collections::HashMap;

/// What stands in place of a secret.
pub(crate) const MASK: &str = "[hidden]";
/// Shortest text that is looked for, in bytes.
const MIN_BYTES: usize = 4;
/// Shortest piece of base64 text that is looked for: shorter ones are met by chance.
const MIN_BASE64_BYTES: usize = 6;

/// Texts to take out.
#[derive(Default)]
pub(crate) struct Redactor {
    /// Each with how many secrets have it.
    counted: HashMap<String, usize>,
    /// Longest first, so that no secret hides the rest of a longer one.
    ordered: Vec<String>,
}

impl Redactor {
    /// Adds a secret in all its forms; the same secret may be added again.
    pub(crate) fn add(&mut self, secret: &str) {
        for form in forms(secret) {
            self.add_text(&form);
        }
    }

    /// Adds a secret that is there for good.
    pub(crate) fn add_once(&mut self, secret: &str) {
        if !self.counted.contains_key(secret) {
            self.add(secret);
        }
    }

    /// Adds one text as it is, for good.
    pub(crate) fn add_text_once(&mut self, text: &str) {
        if !self.counted.contains_key(text) {
            self.add_text(text);
        }
    }

    fn add_text(&mut self, text: &str) {
        if text.len() < MIN_BYTES {
            return;
        }
        if let Some(count) = self.counted.get_mut(text) {
            *count += 1;
            return;
        }
        self.counted.insert(text.to_owned(), 1);
        let at = self.ordered.partition_point(|known| known.len() >= text.len());
        self.ordered.insert(at, text.to_owned());
    }

    /// Forgets a secret as often as it was added.
    pub(crate) fn remove(&mut self, secret: &str) {
        for form in forms(secret) {
            let Some(count) = self.counted.get_mut(&form) else {
                continue;
            };
            *count -= 1;
            if *count == 0 {
                self.counted.remove(&form);
                self.ordered.retain(|known| *known != form);
            }
        }
    }

    /// Takes everything out that was added.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut redacted = Cow::Borrowed(text);
        for secret in &self.ordered {
            if redacted.contains(secret.as_str()) {
                redacted = Cow::Owned(redacted.replace(secret.as_str(), MASK));
            }
        }
        redacted
    }
}

/// How a secret may stand in a text, each form once.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    let mut add = |form: String| {
        if form.len() >= MIN_BYTES && !forms.contains(&form) {
            forms.push(form);
        }
    };
    let trimmed = secret.trim();
    for text in [secret, trimmed] {
        add(text.to_owned());
        add(percent_encoded(text));
        add(percent_encoded(text).to_lowercase());
        add(percent_encoded(text).replace("%20", "+"));
        add(json_escaped(text));
        for shift in 0..3 {
            let piece = base64_inside(text.as_bytes(), shift);
            if piece.len() >= MIN_BASE64_BYTES {
                add(piece.replace('+', "-").replace('/', "_"));
                add(piece);
            }
        }
    }
    // A log takes text line by line.
    for line in trimmed.lines() {
        add(line.trim().to_owned());
    }
    forms
}

/// Encodes all bytes but those that need it nowhere (RFC 3986, unreserved).
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The inside of a JSON string.
pub(crate) fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text)
        .to_owned()
}

/// The characters of base64 text that a secret alone decides when it begins `shift` bytes after a group of three.
fn base64_inside(secret: &[u8], shift: usize) -> String {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret);
    let encoded = base64(&bytes);
    // A character holds six bits: those that a byte before or after the secret takes part in are cut.
    let skipped = (shift * 8).div_ceil(6);
    let decided = bytes.len() * 8 / 6;
    encoded.get(skipped..decided).unwrap_or_default().to_owned()
}

/// Base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
