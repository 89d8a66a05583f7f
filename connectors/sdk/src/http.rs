//! HTTP requests through the host
//!
//! The worker owns the connections, TLS and proxies and judges every destination; redirects are answers like any other.
//! Bodies are read piece by piece with a wait, or whole under a limit. In a component over wasi:http
//! (`host/guest_http.rs`), on the development machine answered by a test (`testing.rs`).

use std::fmt;
use std::io::Read as _;

use crate::host;

/// A whole body must arrive within so many read timeouts, or a service that drips could keep a task for ever.
const BODY_TIMEOUTS: u64 = 10;
/// Bytes asked for at a time when a body is read whole.
const PIECE_BYTES: usize = 64 * 1024;

/// What to do with the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Send it something.
    Post,
    /// Replace it.
    Put,
    /// Change parts of it.
    Patch,
    /// Remove it.
    Delete,
    /// Read its headers.
    Head,
}

impl Method {
    /// Gives the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}

/// A request. Its debug form shows neither the query nor header values nor the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// Absolute URL with scheme `http` or `https`.
    pub url: String,
    /// Headers in order; a name may come twice.
    pub headers: Vec<(String, String)>,
    /// The body; empty = none.
    pub body: Vec<u8>,
    /// Until the connection, TLS included, must stand.
    pub connect_timeout_ms: u32,
    /// Longest silence: until the first byte of the answer, and between any two pieces of it.
    pub read_timeout_ms: u32,
}

impl Request {
    /// Starts a request with timeouts of 5 s (connect) and 30 s (read).
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            connect_timeout_ms: 5_000,
            read_timeout_ms: 30_000,
        }
    }

    /// Starts a GET.
    pub fn get(url: &str) -> Self {
        Self::new(Method::Get, url)
    }

    /// Starts a POST.
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new(Method::Post, url)
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives the first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method.as_str())
            .field("url", &self.url.split(['?', '#']).next().unwrap_or_default())
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn first<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(have, _)| have.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The operator or the connector's settings do not allow the destination; the text says which and why.
    Denied(String),
    /// The name has no address, or no server could be asked.
    NameNotFound,
    /// Nobody listens there, or the network does not lead there.
    Refused,
    /// The connection was cut before the answer began.
    Reset,
    /// Silence for longer than the request allows.
    TimedOut,
    /// The server's certificate does not verify.
    Certificate(String),
    /// The TLS handshake failed for another reason.
    Tls(String),
    /// The answer ended in the middle.
    Truncated,
    /// The body is larger than the caller takes, or its headers than the host takes.
    TooLarge {
        /// Bytes that would have been taken.
        limit: usize,
    },
    /// The URL cannot be asked.
    InvalidUrl(String),
    /// Stop was requested and half of its grace period is over.
    Stopped,
    /// Anything else, an answer that is no HTTP among it.
    Other(String),
}

impl HttpError {
    /// Tells whether the same request may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::NameNotFound
            | Self::Refused
            | Self::Reset
            | Self::TimedOut
            | Self::Tls(_)
            | Self::Truncated
            | Self::Other(_) => true,
            Self::Denied(_) | Self::Certificate(_) | Self::TooLarge { .. } | Self::InvalidUrl(_) | Self::Stopped => {
                false
            }
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(reason) => write!(f, "request denied: {reason}"),
            Self::NameNotFound => f.write_str("host name not found"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Certificate(reason) => write!(f, "certificate does not verify: {reason}"),
            Self::Tls(reason) => write!(f, "TLS handshake failed: {reason}"),
            Self::Truncated => f.write_str("response ended early"),
            Self::TooLarge { limit } => write!(f, "response too large: more than {limit} bytes"),
            Self::InvalidUrl(reason) => write!(f, "invalid URL: {reason}"),
            Self::Stopped => f.write_str("cut off because the worker stops this"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for HttpError {}

/// What a read of a body found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Some bytes, never none.
    Bytes(Vec<u8>),
    /// The wait passed and nothing came.
    Nothing,
    /// The body is over.
    End,
}

/// An answer, its body not yet read. Dropped early it ends the connection.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    body: host::BodyHandle,
    read_timeout_ms: u32,
}

impl Response {
    /// Gives the first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// Reads up to `max` bytes as they come, waiting at most so long. The bytes are as sent: a caller that asked for
    /// gzip gets gzip.
    ///
    /// # Errors
    /// `TimedOut` after the request's read timeout without a byte, however many reads that took; `Truncated`,
    /// `Stopped`.
    pub fn read(&mut self, max: usize, wait_ms: u32) -> Result<Chunk, HttpError> {
        self.body.read(max.max(1), wait_ms)
    }

    /// Reads the whole body and undoes gzip if `Content-Encoding` says so.
    ///
    /// # Errors
    /// `TooLarge` when the body, as sent or unpacked, has more than `max_bytes`; `TimedOut` also when it takes more
    /// than ten read timeouts in all; `Truncated`, `Stopped`.
    pub fn body(&mut self, max_bytes: usize) -> Result<Vec<u8>, HttpError> {
        let began_ms = host::monotonic_ms();
        let longest_ms = u64::from(self.read_timeout_ms).saturating_mul(BODY_TIMEOUTS);
        let mut body = Vec::new();
        loop {
            match self.read(PIECE_BYTES, self.read_timeout_ms)? {
                Chunk::Bytes(bytes) => body.extend_from_slice(&bytes),
                Chunk::Nothing => {}
                Chunk::End => break,
            }
            if body.len() > max_bytes {
                return Err(HttpError::TooLarge { limit: max_bytes });
            }
            if host::monotonic_ms().saturating_sub(began_ms) > longest_ms {
                return Err(HttpError::TimedOut);
            }
        }
        match self.header("content-encoding").map(str::trim) {
            Some(coding) if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => {
                gunzip(&body, max_bytes)
            }
            None | Some("") => Ok(body),
            Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(body),
            Some(coding) => Err(HttpError::Other(format!("unknown content encoding {coding}"))),
        }
    }
}

/// Unpacks gzip, never more than one byte over the limit.
fn gunzip(packed: &[u8], max_bytes: usize) -> Result<Vec<u8>, HttpError> {
    if packed.is_empty() {
        // A HEAD or 204 may name an encoding and have no body.
        return Ok(Vec::new());
    }
    let most = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut body = Vec::new();
    match flate2::read::MultiGzDecoder::new(packed)
        .take(most)
        .read_to_end(&mut body)
    {
        Ok(_) if body.len() > max_bytes => Err(HttpError::TooLarge { limit: max_bytes }),
        Ok(_) => Ok(body),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(HttpError::Truncated),
        Err(error) => Err(HttpError::Other(format!("gzip body: {error}"))),
    }
}

/// Sends a request and waits for the head of the answer.
///
/// # Errors
/// As [`HttpError`] says.
pub fn send(request: &Request) -> Result<Response, HttpError> {
    let target = Target::of(&request.url)?;
    let answer = host::send_request(request, &target)?;
    Ok(Response {
        status: answer.status,
        headers: answer.headers,
        body: answer.body,
        read_timeout_ms: request.read_timeout_ms,
    })
}

/// What the host answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: host::BodyHandle,
}

/// The parts of a URL that go on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: Scheme,
    /// Host and perhaps port.
    pub(crate) authority: &'a str,
    /// Never empty.
    pub(crate) path_and_query: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl<'a> Target<'a> {
    fn of(url: &'a str) -> Result<Self, HttpError> {
        if let Some(bad) = url.chars().find(|each| !matches!(each, '\u{21}'..='\u{7e}')) {
            return Err(HttpError::InvalidUrl(format!("{bad:?} must be percent-encoded")));
        }
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| HttpError::InvalidUrl("it must start with http:// or https://".to_owned()))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(HttpError::InvalidUrl(format!(
                    "scheme {other} is neither http nor https"
                )));
            }
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let authority_bytes = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(authority_bytes);
        if authority.is_empty() || authority.starts_with(':') {
            return Err(HttpError::InvalidUrl("it names no host".to_owned()));
        }
        if authority.contains('@') {
            return Err(HttpError::InvalidUrl(
                "it holds a user name; set the credentials apart".to_owned(),
            ));
        }
        let path_and_query = if path_and_query.starts_with('/') {
            path_and_query.to_owned()
        } else {
            format!("/{path_and_query}")
        };
        Ok(Self {
            scheme,
            authority,
            path_and_query,
        })
    }
}

#[cfg(test)]
mod tests;
