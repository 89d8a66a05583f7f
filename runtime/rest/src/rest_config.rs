//! REST settings: where to listen and how others reach this worker.
//!
//! HTTP only as yet: an `https` listener is refused by name. Rules for the advertised address are Apache's (connect.md B.2).

use thiserror::Error;

/// Where REST listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Host to bind; empty = all interfaces.
    pub host: String,
    /// Port; 0 = any free one.
    pub port: u16,
}

/// A listener that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ListenerError {
    /// No `scheme://host:port`.
    #[error("listeners: {0:?} is not of the form http://host:port")]
    Malformed(String),
    /// Not built yet.
    #[error("listeners: {0:?} asks for https, which is not built yet; use http")]
    Https(String),
}

impl Listener {
    /// Parses `http://host:port`; the host may be empty or an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Self, ListenerError> {
        let malformed = || ListenerError::Malformed(text.to_owned());
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(malformed)?;
        if scheme.eq_ignore_ascii_case("https") {
            return Err(ListenerError::Https(text.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(malformed());
        }
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().map_err(|_| malformed())?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Listener {
            host: host.to_owned(),
            port,
        })
    }

    /// `host:port` to bind.
    pub fn bind_address(&self) -> String {
        match self.host.as_str() {
            "" => format!("0.0.0.0:{}", self.port),
            host if host.contains(':') => format!("[{host}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_parse_or_say_what_is_wrong() {
        for (text, expected) in [
            ("http://:8083", Ok("0.0.0.0:8083")),
            ("HTTP://127.0.0.1:0", Ok("127.0.0.1:0")),
            ("http://[::1]:8083/", Ok("[::1]:8083")),
            ("http://localhost", Err(())),
            ("8083", Err(())),
            ("ftp://h:1", Err(())),
            ("http://h:99999", Err(())),
            ("https://h:1", Err(())),
        ] {
            let parsed = Listener::parse(text).map(|listener| listener.bind_address());
            assert_eq!(parsed.as_deref().map_err(|_| ()), expected, "{text}");
        }
    }
}
