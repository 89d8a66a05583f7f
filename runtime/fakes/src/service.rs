//! The frame of a fake service: a request and the time in, a response out
//!
//! Nothing here waits or listens: a response is a list of pieces, and whoever serves it (the loopback server, or a test's
//! transport over a virtual clock) plays the waits. Services are deterministic in their requests and the time.

use serde_json::Value;

/// A request as the service sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeRequest {
    /// In capitals.
    pub method: String,
    /// Percent-encoded, without query.
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl FakeRequest {
    /// Gives the first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Gives the first query parameter of a name, decoded.
    pub fn query_param(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }

    /// Gives the segments of the path, decoded.
    pub fn segments(&self) -> Vec<String> {
        self.path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(decoded)
            .collect()
    }
}

/// A part of a response on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of the body.
    Bytes(Vec<u8>),
    /// Silence, in milliseconds.
    Wait(u64),
    /// The connection is cut here.
    Reset,
    /// Nothing more comes, and the connection stays open.
    Hang,
}

/// What the service answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakeResponse {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, with its timing; the end of the list is the end of the body.
    pub pieces: Vec<Piece>,
}

impl FakeResponse {
    /// Answers JSON in UTF-8.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", body.to_string().into_bytes())
    }

    /// Answers plain text.
    pub fn text(status: u16, body: &str) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", body.as_bytes().to_vec())
    }

    /// Answers a body of any type.
    pub fn bytes(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            pieces: vec![Piece::Bytes(body)],
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Gives the body's bytes, timing left out.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for piece in &self.pieces {
            if let Piece::Bytes(bytes) = piece {
                body.extend_from_slice(bytes);
            }
        }
        body
    }
}

/// A service.
pub trait Service: Send {
    /// Answers a request that arrives at `now_ms` (milliseconds since the epoch).
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse;
}

/// Decodes percent escapes and `+`; what is malformed stays as it is.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => match after
                .split_at_checked(2)
                .and_then(|(pair, left)| Some((hex(pair)?, left)))
            {
                Some((byte, left)) => {
                    bytes.push(byte);
                    rest = left;
                }
                None => bytes.push(first),
            },
            _ => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths_are_decoded() {
        let request = FakeRequest {
            path: "/a%2Fb/c".to_owned(),
            query: "q=lluvia+fuerte%20%C3%B1&empty&bad=%zz".to_owned(),
            ..FakeRequest::default()
        };
        assert_eq!(request.query_param("q").as_deref(), Some("lluvia fuerte ñ"));
        assert_eq!(request.query_param("empty").as_deref(), Some(""));
        assert_eq!(request.query_param("bad").as_deref(), Some("%zz"));
        assert_eq!(request.query_param("none"), None);
        assert_eq!(request.segments(), ["a/b", "c"]);
    }
}
