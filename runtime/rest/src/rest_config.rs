//! REST settings: where to listen, who may call, what is added to answers.
//!
//! Read from the worker's properties; rules for the advertised address are Apache's (connect.md B.2). TLS settings are only picked
//! here and read by `tls.rs` when a listener is bound.

use std::path::PathBuf;

use thiserror::Error;
use weir_config::properties::Properties;

use crate::basic_auth::{BasicAuth, EXTENSION};
use crate::cors::Cors;
use crate::response_headers::HeaderRules;
use crate::tls::https_properties;

/// Path of the JAAS file of basic authentication; Java names it by a system property.
pub const LOGIN_CONFIG: &str = "weir.rest.login.config";
const JAVA_LOGIN_CONFIG: &str = "-Djava.security.auth.login.config=";

/// How a listener is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The text before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }
}

/// Where REST listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// http or https.
    pub scheme: Scheme,
    /// Host to bind; empty = all interfaces.
    pub host: String,
    /// Port; 0 = any free one.
    pub port: u16,
}

/// A setting that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{key}: {reason}")]
pub struct RestConfigError {
    key: &'static str,
    reason: String,
}

impl RestConfigError {
    pub(crate) fn new(key: &'static str, reason: impl Into<String>) -> Self {
        RestConfigError {
            key,
            reason: reason.into(),
        }
    }
}

impl Listener {
    /// Parses `http://host:port`; the host may be empty or an IPv6 address in brackets.
    pub fn parse(key: &'static str, text: &str) -> Result<Self, RestConfigError> {
        let malformed = || RestConfigError::new(key, format!("{text:?} is not of the form http://host:port"));
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(malformed)?;
        let scheme = Scheme::parse(scheme).ok_or_else(malformed)?;
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().map_err(|_| malformed())?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Listener {
            scheme,
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

/// Where `/admin` is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListeners {
    /// With everything else.
    Shared,
    /// Nowhere.
    Off,
    /// On listeners of its own, and not on the others.
    Own(Vec<Listener>),
}

/// What other workers are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertised {
    /// Instead of the bound host.
    pub host: Option<String>,
    /// Instead of the bound port.
    pub port: Option<u16>,
    /// Which of the listeners.
    pub scheme: Option<Scheme>,
}

/// All of REST's settings.
#[derive(Debug, Clone)]
pub struct RestConfig {
    pub listeners: Vec<Listener>,
    pub admin: AdminListeners,
    pub advertised: Advertised,
    pub cors: Option<Cors>,
    pub headers: HeaderRules,
    pub auth: Option<BasicAuth>,
    /// `ssl.*` of the listeners.
    pub tls: Properties,
    /// `ssl.*` of the admin listeners.
    pub admin_tls: Properties,
}

impl RestConfig {
    /// Reads the settings of a worker; files are read as well.
    ///
    /// *Errors*: the first setting that cannot be used.
    pub fn from_properties(properties: &Properties) -> Result<Self, RestConfigError> {
        let text = |key: &str| properties.get(key).unwrap_or("").trim().to_owned();
        let listeners = listeners("listeners", properties.get("listeners").unwrap_or("http://:8083"))?;
        if listeners.is_empty() {
            return Err(RestConfigError::new(
                "listeners",
                "is empty; give one such as http://127.0.0.1:8083",
            ));
        }
        let admin = match properties.get("admin.listeners") {
            None => AdminListeners::Shared,
            Some(list) => match self::listeners("admin.listeners", list)? {
                list if list.is_empty() => AdminListeners::Off,
                list => AdminListeners::Own(list),
            },
        };
        let cors = Cors::parse(
            &text("access.control.allow.origin"),
            &text("access.control.allow.methods"),
        )
        .map_err(|reason| RestConfigError::new("access.control.allow.origin", reason))?;
        let headers = HeaderRules::parse(&text("response.http.headers.config"))
            .map_err(|reason| RestConfigError::new("response.http.headers.config", reason))?;
        Ok(RestConfig {
            listeners,
            admin,
            advertised: advertised(properties)?,
            cors,
            headers,
            auth: auth(properties)?,
            tls: https_properties(properties, "listeners.https."),
            admin_tls: https_properties(properties, "admin.listeners.https."),
        })
    }
}

fn listeners(key: &'static str, list: &str) -> Result<Vec<Listener>, RestConfigError> {
    let given = list.split(',').map(str::trim).filter(|listener| !listener.is_empty());
    given.map(|listener| Listener::parse(key, listener)).collect()
}

fn advertised(properties: &Properties) -> Result<Advertised, RestConfigError> {
    let text = |key: &str| properties.get(key).map(str::trim).filter(|text| !text.is_empty());
    let port = |given: &str| {
        let wrong = || RestConfigError::new("rest.advertised.port", format!("{given:?} is not a port number"));
        given.parse().map_err(|_| wrong())
    };
    let scheme = |given: &str| {
        let wrong = || {
            RestConfigError::new(
                "rest.advertised.listener",
                format!("{given:?} is neither http nor https"),
            )
        };
        Scheme::parse(given).ok_or_else(wrong)
    };
    Ok(Advertised {
        host: text("rest.advertised.host.name").map(str::to_owned),
        port: text("rest.advertised.port").map(port).transpose()?,
        scheme: text("rest.advertised.listener").map(scheme).transpose()?,
    })
}

/// The one extension there is; classes of others cannot be loaded.
fn auth(properties: &Properties) -> Result<Option<BasicAuth>, RestConfigError> {
    let key = "rest.extension.classes";
    let classes = properties.get(key).unwrap_or("").split(',').map(str::trim);
    let mut is_on = false;
    for class in classes.filter(|class| !class.is_empty()) {
        let short = EXTENSION.rsplit('.').next().unwrap_or(EXTENSION);
        if class != EXTENSION && class != short {
            let reason = format!("Java REST extensions cannot be loaded: {class}; only {EXTENSION} is built in");
            return Err(RestConfigError::new(key, reason));
        }
        is_on = true;
    }
    if !is_on {
        return Ok(None);
    }
    let Some(jaas) = properties
        .get(LOGIN_CONFIG)
        .map(PathBuf::from)
        .or_else(java_login_config)
    else {
        let reason = format!(
            "basic authentication needs a JAAS file: set {LOGIN_CONFIG}, or {JAVA_LOGIN_CONFIG}FILE in KAFKA_OPTS"
        );
        return Err(RestConfigError::new(key, reason));
    };
    let loaded = BasicAuth::load(&jaas);
    loaded
        .map(Some)
        .map_err(|reason| RestConfigError::new(LOGIN_CONFIG, reason))
}

/// Where Java's start scripts take the file from.
fn java_login_config() -> Option<PathBuf> {
    let options = std::env::var("KAFKA_OPTS").ok()?;
    let file = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix(JAVA_LOGIN_CONFIG));
    file.map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<RestConfig, RestConfigError> {
        RestConfig::from_properties(&Properties::parse(text).expect("properties"))
    }

    #[test]
    fn listeners_parse_or_say_what_is_wrong() {
        for (text, expected) in [
            ("http://:8083", Ok((Scheme::Http, "0.0.0.0:8083"))),
            ("HTTP://127.0.0.1:0", Ok((Scheme::Http, "127.0.0.1:0"))),
            ("http://[::1]:8083/", Ok((Scheme::Http, "[::1]:8083"))),
            ("https://h:1", Ok((Scheme::Https, "h:1"))),
            ("http://localhost", Err(())),
            ("8083", Err(())),
            ("ftp://h:1", Err(())),
            ("http://h:99999", Err(())),
        ] {
            let parsed = Listener::parse("listeners", text).map(|listener| (listener.scheme, listener.bind_address()));
            let parsed = parsed.as_ref().map(|(scheme, address)| (*scheme, address.as_str()));
            assert_eq!(parsed.map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn admin_listeners_are_shared_off_or_their_own() {
        assert_eq!(config("").expect("valid").admin, AdminListeners::Shared);
        assert_eq!(config("admin.listeners=\n").expect("valid").admin, AdminListeners::Off);
        let own = config("admin.listeners=http://127.0.0.1:1,https://:2\n")
            .expect("valid")
            .admin;
        assert!(matches!(own, AdminListeners::Own(list) if list.len() == 2));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        for (text, key) in [
            ("listeners=", "listeners"),
            ("admin.listeners=x", "admin.listeners"),
            ("rest.advertised.port=http", "rest.advertised.port"),
            ("rest.advertised.listener=ftp", "rest.advertised.listener"),
            ("access.control.allow.origin=*.x", "access.control.allow.origin"),
            ("response.http.headers.config=X", "response.http.headers.config"),
            ("rest.extension.classes=com.example.X", "rest.extension.classes"),
        ] {
            let error = config(text).expect_err(text).to_string();
            assert!(error.starts_with(key), "{text}: {error}");
        }
    }
}
