//! URLs: taken apart, joined, encoded, and which hosts may be asked
//!
//! As much of RFC 3986 as requests need. Hosts are compared as texts here; what a name resolves to is checked by the
//! host of the sandbox.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A URL of an HTTP service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower case; IPv6 with brackets.
    pub host: String,
    /// As given.
    pub port: Option<u16>,
    /// Percent-encoded, begins with a slash.
    pub path: String,
    /// Without `?`.
    pub query: Option<String>,
}

impl Url {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong with it, for a message; the text does not repeat the query.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(c) = text.chars().find(|c| c.is_control() || *c == ' ') {
            return Err(format!(
                "a URL cannot hold the character {c:?}; encode it as %{:02X}",
                u32::from(c)
            ));
        }
        let (scheme, rest) = text.split_once("://").ok_or("a URL begins with https:// or http://")?;
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "http" && scheme != "https" {
            return Err(format!("the scheme is {scheme}, but only https and http are possible"));
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err("a URL cannot hold a user name or password; use the settings for authentication".to_owned());
        }
        let (host, port) = host_and_port(authority)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        if path.contains('\\') {
            return Err("a path cannot hold a backslash; encode it as %5C".to_owned());
        }
        Ok(Self {
            scheme,
            host,
            port,
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            query,
        })
    }

    /// Resolves a link that stood in an answer from this URL.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn join(&self, link: &str) -> Result<Self, String> {
        let link = link.trim();
        let before_path = link.split(['/', '?', '#']).next().unwrap_or_default();
        if before_path.contains(':') {
            return Self::parse(link);
        }
        let origin = format!("{}://{}", self.scheme, self.authority());
        if let Some(rest) = link.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let whole = if link.starts_with('/') {
            format!("{origin}{link}")
        } else if link.starts_with('?') {
            format!("{origin}{}{link}", self.path)
        } else if link.is_empty() || link.starts_with('#') {
            return Ok(self.clone());
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{origin}{folder}/{link}")
        };
        let mut joined = Self::parse(&whole)?;
        joined.path = without_dots(&joined.path);
        Ok(joined)
    }

    /// Gives host and port as a URL has them.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Gives the port that is connected to.
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }

    /// Tells whether scheme, host and port are the same.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host == other.host && self.effective_port() == other.effective_port()
    }

    /// Adds a query parameter, encoded.
    pub fn push_param(&mut self, name: &str, value: &str) {
        self.push_raw_param(name, &encoded(value));
    }

    /// Adds a query parameter whose value is encoded already, or a secret's reference.
    pub fn push_raw_param(&mut self, name: &str, value: &str) {
        let query = self.query.get_or_insert_default();
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&encoded(name));
        query.push('=');
        query.push_str(value);
    }

    /// Sets a query parameter: replaces the first of that name, drops the others, or adds it.
    pub fn set_param(&mut self, name: &str, value: &str) {
        let name_text = encoded(name);
        let pairs = self.query.take().unwrap_or_default();
        let kept: Vec<&str> = pairs
            .split('&')
            .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name_text.as_str()))
            .collect();
        self.query = (!kept.is_empty()).then(|| kept.join("&"));
        self.push_param(name, value);
    }

    /// Gives the URL for messages: the query, which may hold a key, is hidden.
    pub fn redacted(&self) -> String {
        let query = if self.query.is_some() { "?[hidden]" } else { "" };
        format!("{}://{}{}{query}", self.scheme, self.authority(), self.path)
    }

    /// Tells whether the host is an address, or a name, that only machines nearby can reach.
    pub fn is_private(&self) -> bool {
        let name = self.host.trim_end_matches('.');
        if name == "localhost" || name.ends_with(".localhost") {
            return true;
        }
        match name.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => is_private_address(address),
            Err(_) => false,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)?;
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.rsplit_once(':') {
        // The colon of an IPv6 address without port stands before the bracket.
        Some((_, port)) if port.contains(']') => (authority, None),
        Some((host, port)) => {
            let number: u16 = port
                .parse()
                .map_err(|_| format!("the port is '{port}', not a number"))?;
            (host, Some(number))
        }
        None => (authority, None),
    };
    let host = host.to_ascii_lowercase();
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_default();
        inner
            .parse::<Ipv6Addr>()
            .map_err(|_| format!("the host {host} is not an IPv6 address"))?;
        return Ok((host, port));
    }
    if let Some(c) = host
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
    {
        return Err(format!(
            "the host {host} holds the character {c:?}; international names are written as xn--..."
        ));
    }
    // Some clients take 2130706433 or 0x7f.1 for 127.0.0.1: nobody writes that for a good reason.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let looks_numeric = last.starts_with("0x") || (!last.is_empty() && last.chars().all(|c| c.is_ascii_digit()));
    if looks_numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(format!(
            "the host {host} is neither a name nor an address like 192.0.2.1"
        ));
    }
    Ok((host, port))
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private_address(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." if is_last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Percent-encodes everything but letters, digits and `-._~`: for a query value or a path segment.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Hosts that may be asked: `api.example.com`, `api.example.com:8443`, `*.example.com`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    patterns: Vec<(String, Option<u16>)>,
    allows_private: bool,
}

impl Hosts {
    /// Allows the host of a URL. Addresses nearby are allowed when that host is one.
    pub fn of(url: &Url) -> Self {
        Self {
            patterns: vec![(url.host.clone(), Some(url.effective_port()))],
            allows_private: url.is_private(),
        }
    }

    /// Allows another host.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn push(&mut self, pattern: &str) -> Result<(), String> {
        let name = pattern.strip_prefix("*.").unwrap_or(pattern);
        if name.contains('/') {
            return Err(format!("{pattern} is not a host; leave out scheme and path"));
        }
        let (host, port) = host_and_port(name)?;
        let host = if pattern.starts_with("*.") {
            format!("*.{host}")
        } else {
            host
        };
        self.patterns.push((host, port));
        Ok(())
    }

    /// Allows addresses that only machines nearby can reach.
    pub fn allow_private(&mut self) {
        self.allows_private = true;
    }

    /// Checks a URL that came out of an answer.
    ///
    /// # Errors
    /// Which setting would allow it.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        let is_known = self.patterns.iter().any(|(pattern, port)| {
            port.is_none_or(|port| port == url.effective_port())
                && match pattern.strip_prefix('*') {
                    Some(suffix) => url.host.ends_with(suffix),
                    None => *pattern == url.host,
                }
        });
        if !is_known {
            return Err(format!(
                "{} is on a host that is not allowed; name {} in http.allow.hosts if it should be",
                url.redacted(),
                url.authority()
            ));
        }
        if url.is_private() && !self.allows_private {
            return Err(format!(
                "{} is a private address; http.allow.private.addresses=true would allow it",
                url.redacted()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Hosts, Url, encoded};

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        for text in [
            "https://api.example.com/a/b?x=1&y=%20",
            "http://127.0.0.1:8080/",
            "http://[::1]:81/x?",
            "https://api.example.com/a%2Fb",
        ] {
            assert_eq!(url(text).to_string(), text);
        }
        assert_eq!(url("HTTPS://API.example.com").to_string(), "https://api.example.com/");
        assert_eq!(url("http://h?q=1#part").to_string(), "http://h/?q=1");
        let mut built = url("http://h/p?a=1&b=2&a=3");
        built.set_param("a", "x y&z");
        assert_eq!(built.query.as_deref(), Some("b=2&a=x%20y%26z"));
        assert_eq!(built.redacted(), "http://h/p?[hidden]");
    }

    #[test]
    fn wrong_urls_say_what_is_wrong() {
        for (text, part) in [
            ("api.example.com", "begins with https://"),
            ("ftp://h/", "the scheme is ftp"),
            ("http:///x", "the host is missing"),
            ("http://user:pass@h/", "user name or password"),
            ("http://h:port/", "the port is 'port'"),
            ("http://h/a b", "encode it as %20"),
            ("http://2130706433/", "neither a name nor an address"),
            ("http://0x7f.0.0.0x1/", "neither a name nor an address"),
            ("http://ñ.example/", "xn--"),
            ("http://h\\@evil/", "backslash"),
        ] {
            let error = Url::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn links_are_resolved_against_the_page_they_stood_on() {
        let base = url("https://h:8/a/b/items?page=1");
        for (link, expected) in [
            ("/items?page=2", "https://h:8/items?page=2"),
            ("?page=2", "https://h:8/a/b/items?page=2"),
            ("more", "https://h:8/a/b/more"),
            ("../x/./y", "https://h:8/a/x/y"),
            ("../../../..", "https://h:8/"),
            ("//other/x", "https://other/x"),
            ("http://other/x", "http://other/x"),
            ("", "https://h:8/a/b/items?page=1"),
        ] {
            assert_eq!(base.join(link).expect(link).to_string(), expected, "{link}");
        }
        assert!(base.join("javascript:alert(1)").is_err());
    }

    #[test]
    fn only_known_hosts_are_asked() {
        let mut hosts = Hosts::of(&url("https://api.example.com/x"));
        assert!(hosts.check(&url("https://api.example.com/y")).is_ok());
        assert!(hosts.check(&url("https://api.example.com:444/y")).is_err());
        assert!(hosts.check(&url("https://evil-example.com/")).is_err());
        hosts.push("*.example.org").expect("a pattern");
        assert!(hosts.check(&url("https://a.b.example.org/")).is_ok());
        assert!(hosts.check(&url("https://badexample.org/")).is_err());
        hosts.push("169.254.169.254").expect("a pattern");
        hosts.push("[::ffff:10.0.0.1]").expect("a pattern");
        for private in ["http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"] {
            let error = hosts.check(&url(private)).expect_err(private);
            assert!(error.contains("http.allow.private.addresses"), "{error}");
        }
        assert!(hosts.push("https://h/x").is_err());
        let near = Hosts::of(&url("http://127.0.0.1:9/"));
        assert!(near.check(&url("http://127.0.0.1:9/other")).is_ok());
    }

    #[test]
    fn values_are_encoded_by_position() {
        assert_eq!(encoded("a b/ñ&=+~"), "a%20b%2F%C3%B1%26%3D%2B~");
    }
}
