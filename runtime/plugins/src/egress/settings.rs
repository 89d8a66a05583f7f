//! Worker settings of outgoing HTTP: proxy, roots, budgets

use std::path::PathBuf;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use weir_api::budget::Rate;
use weir_config::map::ConfigMap;

use crate::egress::lookup::Lookup;
use crate::error::PluginError;
use crate::host_rule::HostRule;

/// Prefix of the worker settings that hold a budget; what follows is a host, `host:port` or `*.domain`.
pub const HTTP_BUDGET_PREFIX: &str = "weir.http.budget.";
/// Worker setting: PEM file with certificates that are trusted besides the machine's.
pub const HTTP_CA_KEY: &str = "weir.http.ssl.ca.location";
/// Worker setting: proxy of all requests whose connector names none.
pub const HTTP_PROXY_KEY: &str = "weir.http.proxy";

/// What an operator decides about outgoing HTTP.
#[derive(Debug, Clone, Default)]
pub struct HttpSettings {
    pub(crate) proxy: Option<ProxyUrl>,
    /// Trusted besides the machine's.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) budgets: Vec<(HostRule, Rate)>,
    pub(crate) lookup: Lookup,
}

impl HttpSettings {
    /// Reads `weir.http.*` from the worker's settings, and the file that holds certificates.
    ///
    /// # Errors
    /// [`PluginError::Setting`] for a value that makes no sense, [`PluginError::Io`] for the file.
    pub fn parse(settings: &ConfigMap) -> Result<Self, PluginError> {
        let mut http = Self::default();
        for (key, value) in settings.iter() {
            let value = value.unwrap_or_default().trim();
            let refused = |reason: String| PluginError::Setting {
                key: key.to_owned(),
                value: shown(key, value),
                reason,
            };
            if let Some(host) = key.strip_prefix(HTTP_BUDGET_PREFIX) {
                let rule = HostRule::parse_any_port(host).map_err(refused)?;
                http.budgets.push((rule, rate(value).map_err(refused)?));
            } else if key == HTTP_PROXY_KEY && !value.is_empty() {
                http.proxy = Some(ProxyUrl::parse(value).map_err(refused)?);
            } else if key == HTTP_CA_KEY && !value.is_empty() {
                http.roots = certificates(value)?.map_err(refused)?;
            }
        }
        Ok(http)
    }

    /// Answers look-ups of names otherwise than the system does, for tests.
    #[must_use]
    pub fn with_lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = lookup;
        self
    }
}

/// A proxy's URL may hold a password.
fn shown(key: &str, value: &str) -> String {
    if key == HTTP_PROXY_KEY {
        value.rsplit('@').next().unwrap_or_default().to_owned()
    } else {
        value.to_owned()
    }
}

/// Reads `REQUESTS/MS`.
fn rate(text: &str) -> Result<Rate, String> {
    let malformed = || "it must be REQUESTS/MS, both above 0".to_owned();
    let (requests, per_ms) = text.split_once('/').ok_or_else(malformed)?;
    let rate = Rate {
        requests: requests.trim().parse().map_err(|_| malformed())?,
        per_ms: per_ms.trim().parse().map_err(|_| malformed())?,
    };
    if rate.requests == 0 || rate.per_ms == 0 {
        return Err(malformed());
    }
    Ok(rate)
}

fn certificates(path: &str) -> Result<Result<Vec<CertificateDer<'static>>, String>, PluginError> {
    let pem = std::fs::read(path).map_err(|source| PluginError::Io {
        path: PathBuf::from(path),
        source,
    })?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    Ok(match read {
        Ok(certificates) if certificates.is_empty() => Err("the file holds no certificate".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("the file is not PEM: {error}")),
    })
}

/// Where a proxy listens, and perhaps how to log in there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ProxyUrl(reqwest::Url);

impl ProxyUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = reqwest::Url::parse(text.trim()).map_err(|error| format!("it is no URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("a proxy's URL starts with http:// or https://".to_owned());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("it names no host".to_owned());
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> reqwest::Url {
        self.0.clone()
    }

    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.0.password()
    }
}

impl std::fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host(), self.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<HttpSettings, PluginError> {
        HttpSettings::parse(&[(key, value)].into_iter().collect())
    }

    fn refused(key: &str, value: &str) -> String {
        parse(key, value).expect_err("refused").to_string()
    }

    #[test]
    fn settings_are_read_and_nonsense_is_named() {
        let settings = parse("weir.http.budget.api.example.com", "60/60000").expect("parses");
        assert_eq!(
            settings.budgets.first().map(|(_, rate)| *rate),
            Some(Rate {
                requests: 60,
                per_ms: 60_000
            })
        );
        assert!(
            parse("weir.http.proxy", "http://u:p@proxy:3128")
                .expect("parses")
                .proxy
                .is_some()
        );
        assert!(parse("weir.http.proxy", "").expect("parses").proxy.is_none());
        assert_eq!(
            refused("weir.http.budget.h", "0/1"),
            "invalid value 0/1 for configuration weir.http.budget.h: it must be REQUESTS/MS, both above 0"
        );
        assert!(refused("weir.http.budget.", "1/1").contains("names no host"));
        let text = refused("weir.http.proxy", "socks5://user:s3cr3t@proxy");
        assert!(text.contains("http://") && !text.contains("s3cr3t"), "{text}");
        assert!(refused("weir.http.ssl.ca.location", "/nowhere/ca.pem").contains("/nowhere/ca.pem"));
        assert!(refused("weir.http.ssl.ca.location", "/etc/hostname").contains("no certificate"));
    }
}
