//! Puts secrets into requests where references stand for them
//!
//! Each value is encoded by its place: as it is in a header, percent-encoded in the query and in forms, escaped inside of
//! JSON strings. Paths and large or binary bodies are sent as they are: a reference there means nothing to anybody.

use base64::Engine as _;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, PROXY_AUTHORIZATION};
use wasmtime_wasi_http::Error;

use crate::redact::{json_escaped, percent_encoded};
use crate::secrets::{Secrets, references};

/// How a value is written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    UrlQuery,
    Form,
    Json,
}

/// The parts of a request that may hold references.
pub(crate) struct Fillable<'a> {
    pub(crate) url: &'a mut reqwest::Url,
    pub(crate) headers: &'a mut HeaderMap,
    /// None = too large to look into.
    pub(crate) body: Option<&'a mut Bytes>,
}

impl Fillable<'_> {
    /// Tells whether the request holds a reference that stands for something here.
    pub(crate) fn needs_secrets(&self, secrets: &Secrets) -> bool {
        let known = |text: &str| references(text).any(|(_, reference)| secrets.value(reference).is_some());
        self.url.query().is_some_and(known)
            || self.headers.values().any(|value| text_of(value).is_some_and(known))
            || self.body_text().is_some_and(|(text, _)| known(text))
    }

    fn body_text(&self) -> Option<(&str, Place)> {
        let place = body_place(self.headers)?;
        let body: &Bytes = self.body.as_deref()?;
        Some((std::str::from_utf8(body).ok()?, place))
    }

    /// Puts the values in.
    ///
    /// # Errors
    /// A value that cannot stand in a header. The text does not show it.
    pub(crate) fn fill(&mut self, secrets: &Secrets) -> Result<(), Error> {
        if let Some(query) = self.url.query().map(|query| filled(query, Place::UrlQuery, secrets)) {
            self.url.set_query(Some(&query));
        }
        if let Some(body) = self.body_text().map(|(text, place)| filled(text, place, secrets))
            && let Some(slot) = self.body.as_deref_mut()
        {
            *slot = Bytes::from(body);
        }
        for (name, value) in self.headers.iter_mut() {
            let Some(text) = text_of(value).filter(|text| references(text).next().is_some()) else {
                continue;
            };
            let is_login = *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION;
            let text = match text.strip_prefix("Basic ").filter(|_| is_login) {
                Some(credentials) => basic(credentials, secrets),
                None => filled(text, Place::Plain, secrets),
            };
            // A secret that comes from a file often ends with a line end.
            let mut filled = HeaderValue::from_bytes(text.trim_end_matches(['\r', '\n']).as_bytes()).map_err(|_| {
                Error::InternalError(Some(format!(
                    "the secret for header {name} holds characters that no header may"
                )))
            })?;
            filled.set_sensitive(true);
            *value = filled;
        }
        Ok(())
    }
}

/// Composes basic credentials; the guest sends user and password joined, because it knows a reference only.
fn basic(credentials: &str, secrets: &Secrets) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(filled(credentials, Place::Plain, secrets));
    secrets.note_form(&encoded);
    format!("Basic {encoded}")
}

fn text_of(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

/// How values are written into a body of this type; none = not at all.
fn body_place(headers: &HeaderMap) -> Option<Place> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Some(Place::Plain);
    };
    let media = value.to_str().ok()?.split(';').next()?.trim().to_ascii_lowercase();
    if media == "application/x-www-form-urlencoded" {
        Some(Place::Form)
    } else if media == "application/json" || media.ends_with("+json") {
        Some(Place::Json)
    } else if media.starts_with("text/") || media.ends_with("/xml") || media.ends_with("+xml") {
        Some(Place::Plain)
    } else {
        None
    }
}

/// Replaces the references of a text that stand for something.
fn filled(text: &str, place: Place, secrets: &Secrets) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut done = 0;
    let mut quotes = Quotes::default();
    for (at, reference) in references(text) {
        let before = text.get(done..at).unwrap_or_default();
        filled.push_str(before);
        quotes.read(before);
        done = at + reference.len();
        match secrets.value(reference) {
            None => filled.push_str(reference),
            Some(value) => filled.push_str(&match place {
                Place::UrlQuery | Place::Form => percent_encoded(&value),
                Place::Json if quotes.is_open => json_escaped(&value),
                Place::Json | Place::Plain => value,
            }),
        }
    }
    filled.push_str(text.get(done..).unwrap_or_default());
    filled
}

/// Whether a place in a JSON text is inside of a string.
#[derive(Debug, Default)]
struct Quotes {
    is_open: bool,
    is_escaped: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = self.is_open,
                b'"' => self.is_open = !self.is_open,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
