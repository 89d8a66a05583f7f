//! Hosts as grants and settings write them

use crate::address::AddressRange;

/// A host and the ports on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    host: HostPattern,
    /// None = 80 and 443 for `http`, every port where a setting names the host alone.
    port: PortPattern,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Exact(String),
    /// `*.example.com`: any name below, not the name itself. Holds `.example.com`.
    Below(String),
    Range(AddressRange),
    Every,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortPattern {
    Web,
    One(u16),
    Every,
}

impl HostRule {
    /// Reads `host`, `host:port`, `*.domain:port`, `10.0.0.0/8:port`, `[::1]:port`, `*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = split_port(text)?;
        let port = match port {
            None => PortPattern::Web,
            Some("*") => PortPattern::Every,
            Some(digits) => PortPattern::One(digits.parse().map_err(|_| format!("{digits} is not a port"))?),
        };
        let host = host.to_ascii_lowercase();
        let host = if host == "*" {
            HostPattern::Every
        } else if let Some(domain) = host.strip_prefix('*') {
            if !domain.starts_with('.') || domain.contains('*') {
                return Err(format!("{host} is not of the form *.domain"));
            }
            HostPattern::Below(domain.to_owned())
        } else if host.contains('/') {
            HostPattern::Range(AddressRange::parse(&host)?)
        } else if host.is_empty() || host.contains('*') {
            return Err(format!("{text} names no host"));
        } else {
            HostPattern::Exact(host)
        };
        Ok(Self { host, port })
    }

    /// As [`HostRule::parse`], but a host alone stands for all its ports.
    pub(crate) fn parse_any_port(text: &str) -> Result<Self, String> {
        let rule = Self::parse(text)?;
        Ok(match rule.port {
            PortPattern::Web => Self {
                port: PortPattern::Every,
                ..rule
            },
            PortPattern::One(_) | PortPattern::Every => rule,
        })
    }

    /// Reads a host as a setting names it: a URL, `host:port` or a host.
    pub(crate) fn of_setting(item: &str) -> Option<Self> {
        if let Some(rule) = Self::of_url(item) {
            return Some(rule);
        }
        let (scheme, rest) = match item.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, item),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let (name, port) = split_port(host).ok()?;
        let port = match (port, scheme) {
            (Some(digits), _) => PortPattern::One(digits.parse().ok()?),
            (None, Some("http")) => PortPattern::One(80),
            (None, Some("https")) => PortPattern::One(443),
            (None, _) => PortPattern::Every,
        };
        (!name.is_empty()).then(|| Self {
            host: HostPattern::Exact(name.to_ascii_lowercase()),
            port,
        })
    }

    /// Whether the rule names a host or its address, and no more.
    pub(crate) fn is_literal(&self) -> bool {
        match self.host {
            HostPattern::Exact(_) | HostPattern::Range(_) => true,
            HostPattern::Below(_) | HostPattern::Every => false,
        }
    }

    /// The host of a URL, written as a client will ask for it.
    fn of_url(text: &str) -> Option<Self> {
        let url = reqwest::Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        Some(Self {
            host: HostPattern::Exact(url.host_str()?.trim_matches(['[', ']']).to_owned()),
            port: PortPattern::One(url.port_or_known_default()?),
        })
    }

    pub(crate) fn covers_port(&self, port: u16) -> bool {
        match self.port {
            PortPattern::Web => port == 80 || port == 443,
            PortPattern::One(wanted) => port == wanted,
            PortPattern::Every => true,
        }
    }

    /// The addresses that the rule names.
    pub(crate) fn range(&self) -> Option<AddressRange> {
        match &self.host {
            HostPattern::Exact(name) => name.parse().ok().map(AddressRange::of),
            HostPattern::Range(range) => Some(*range),
            HostPattern::Below(_) | HostPattern::Every => None,
        }
    }

    pub(crate) fn matches(&self, host: &str, port: u16) -> bool {
        self.covers_port(port)
            && match &self.host {
                HostPattern::Exact(name) => name == host,
                HostPattern::Below(domain) => host.ends_with(domain.as_str()) && host.len() > domain.len(),
                HostPattern::Range(range) => host.parse().is_ok_and(|address| range.contains(address)),
                HostPattern::Every => true,
            }
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| format!("{text} lacks ]"))?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(format!("{text} is not host:port")),
        };
    }
    match text.rsplit_once(':') {
        // More than one colon without brackets: an IPv6 address alone.
        Some((host, _)) if host.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}
