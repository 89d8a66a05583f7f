//! `schema-registry.properties`, read unchanged
//!
//! From properties to the settings of each part; the table of keys is in `registry_keys`. What promises safety and is not built (TLS,
//! authentication) is refused by its name. Source: `SchemaRegistryConfig`, `RestConfig`.

use std::net::IpAddr;
use std::time::Duration;

use weir_client::admin::NewTopic;
use weir_client::wire::WireSettings;
use weir_config::def::ConfigDef;
use weir_config::properties::Properties;
use weir_config::validate::ParsedConfig;
use weir_schema::level::Level;

use crate::error::RegistryError;
use crate::registry_keys::{self, STORE_PREFIX, warnings};
use crate::store::topic::{Checks, TopicSettings};

/// Everything a registry is told.
#[derive(Debug, Clone)]
pub struct RegistryConfig {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) topic: TopicSettings,
    pub(crate) decisions: DecisionSettings,
    pub(crate) http: HttpSettings,
    /// Shown as the registry cluster's id.
    pub(crate) group_id: String,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What decisions depend on.
#[derive(Debug, Clone)]
pub(crate) struct DecisionSettings {
    pub(crate) default_level: Level,
    pub(crate) is_mode_mutable: bool,
    pub(crate) validates_fields: bool,
    pub(crate) validates_new_schemas: bool,
    pub(crate) rejects_empty_subject: bool,
    pub(crate) parsed_schemas: usize,
    pub(crate) limits: SearchLimits,
}

/// Default and highest length of an answered list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SearchLimit {
    pub(crate) default: usize,
    pub(crate) max: usize,
}

/// Limits by what is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SearchLimits {
    pub(crate) schemas: SearchLimit,
    pub(crate) subjects: SearchLimit,
    pub(crate) versions: SearchLimit,
    pub(crate) contexts: SearchLimit,
}

/// Bounds and manners of HTTP.
#[derive(Debug, Clone)]
pub(crate) struct HttpSettings {
    pub(crate) max_body_bytes: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) cors: Option<Cors>,
}

/// Answers to browsers of other origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cors {
    pub(crate) origin: String,
    pub(crate) methods: String,
    pub(crate) headers: String,
}

/// Largest body without a filter: a schema of 10 MiB, escaped.
const MAX_BODY_BYTES: usize = 20 * 1024 * 1024;
/// Keys below it are the topic's settings.
const TOPIC_CONFIG_PREFIX: &str = "kafkastore.topic.config.";

impl RegistryConfig {
    /// Reads the settings; texts for keys without effect and unknown keys come with them.
    ///
    /// *Errors*: a value that does not fit, or a setting that cannot be ignored safely (TLS, authentication), by its name.
    pub fn from_properties(properties: &Properties) -> Result<(Self, Vec<String>), RegistryError> {
        let definition = registry_keys::definition();
        let parsed = definition.parse(&properties.to_map())?;
        refuse_unsafe(properties, &parsed)?;
        let level = parsed
            .opt_text("avro.compatibility.level")
            .filter(|_| !properties.contains_key("schema.compatibility.level"));
        let level = level.map_or_else(|| parsed.get_text("schema.compatibility.level"), Ok)?;
        let config = Self {
            listeners: listeners(&parsed)?,
            topic: topic_settings(properties, &parsed)?,
            decisions: DecisionSettings {
                default_level: Level::parse(level).unwrap_or_default(),
                is_mode_mutable: parsed.get_boolean("mode.mutability")?,
                validates_fields: parsed.get_boolean("schema.validate.fields")?,
                validates_new_schemas: parsed.get_boolean("schema.validate.new.schemas")?,
                rejects_empty_subject: parsed.get_boolean("schema.reject.empty.subject")?,
                parsed_schemas: count(&parsed, "schema.cache.size")?.max(2),
                limits: SearchLimits {
                    schemas: search_limit(&parsed, "schema.search")?,
                    subjects: search_limit(&parsed, "subject.search")?,
                    versions: search_limit(&parsed, "subject.version.search")?,
                    contexts: search_limit(&parsed, "context.search")?,
                },
            },
            http: http_settings(&parsed)?,
            group_id: parsed.get_text("schema.registry.group.id")?.to_owned(),
        };
        Ok((config, warnings(&definition, properties)))
    }
}

/// The table of keys, for documentation.
pub fn definition() -> ConfigDef {
    registry_keys::definition()
}

/// Settings that promise safety which is not there yet.
fn refuse_unsafe(properties: &Properties, parsed: &ParsedConfig) -> Result<(), RegistryError> {
    let method = parsed.get_text("authentication.method")?;
    if !method.eq_ignore_ascii_case("NONE") {
        let reason = "authentication is not built yet; only NONE, behind something that authenticates";
        return Err(RegistryError::setting("authentication.method", method, reason));
    }
    if parsed.opt_password("metadata.encoder.secret").is_some() {
        let reason = "metadata cannot be encrypted yet; leave the key out to keep it readable";
        return Err(RegistryError::setting("metadata.encoder.secret", "[hidden]", reason));
    }
    let may_lead = parsed
        .opt_boolean("master.eligibility")
        .unwrap_or(parsed.get_boolean("leader.eligibility")?);
    if !may_lead {
        let reason = "one instance leads so far, and this one must";
        return Err(RegistryError::setting("leader.eligibility", "false", reason));
    }
    for key in ["ssl.keystore.location", "ssl.client.authentication", "ssl.client.auth"] {
        let given = properties.get(key).map(str::trim).unwrap_or_default();
        let is_off = given.is_empty() || given.eq_ignore_ascii_case("NONE") || given.eq_ignore_ascii_case("false");
        if !is_off {
            return Err(RegistryError::setting(
                key,
                given,
                "TLS is not built yet; leave the key out and listen on http",
            ));
        }
    }
    Ok(())
}

fn listeners(parsed: &ParsedConfig) -> Result<Vec<Listener>, RegistryError> {
    let mut protocols = Vec::new();
    for entry in parsed.get_list("listener.protocol.map")? {
        let pair = entry
            .split_once(':')
            .ok_or_else(|| RegistryError::setting("listener.protocol.map", entry, "must be a list of name:protocol"))?;
        protocols.push(pair);
    }
    let mut listeners = Vec::new();
    for text in parsed.get_list("listeners")?.iter().filter(|text| !text.is_empty()) {
        listeners.push(Listener::parse(text, &protocols)?);
    }
    if listeners.is_empty() {
        return Err(RegistryError::setting(
            "listeners",
            "",
            "must name at least one http://host:port",
        ));
    }
    Ok(listeners)
}

impl Listener {
    fn parse(text: &str, protocols: &[(&str, &str)]) -> Result<Self, RegistryError> {
        let malformed = || RegistryError::setting("listeners", text, "must be of the form http://host:port");
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        let mapped = protocols.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        let protocol = mapped.map_or(scheme, |(_, protocol)| protocol);
        if protocol.eq_ignore_ascii_case("https") {
            let reason = "https is not built yet; use http, behind something that speaks TLS";
            return Err(RegistryError::setting("listeners", text, reason));
        }
        if !protocol.eq_ignore_ascii_case("http") {
            return Err(malformed());
        }
        let (host, port) = rest.trim_end_matches('/').rsplit_once(':').ok_or_else(malformed)?;
        let port = port.parse().map_err(|_| malformed())?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }

    /// `host:port` to bind.
    pub(crate) fn bind_address(&self) -> String {
        match self.host.as_str() {
            "" => format!("0.0.0.0:{}", self.port),
            host if host.parse().is_ok_and(|address: IpAddr| address.is_ipv6()) => format!("[{host}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }
}

fn topic_settings(properties: &Properties, parsed: &ParsedConfig) -> Result<TopicSettings, RegistryError> {
    const BOOTSTRAP: &str = "kafkastore.bootstrap.servers";
    let spoken = parsed.get_text("kafkastore.security.protocol")?;
    let mut servers = Vec::new();
    for server in parsed.get_list(BOOTSTRAP)?.iter().filter(|server| !server.is_empty()) {
        let address = match server.split_once("://") {
            None => server,
            Some((protocol, address)) if protocol.eq_ignore_ascii_case(spoken) => address,
            Some((protocol, _)) => {
                let reason = format!("{protocol} is not kafkastore.security.protocol, which is {spoken}");
                return Err(RegistryError::setting(BOOTSTRAP, server, reason));
            }
        };
        servers.push(address.trim_end_matches('/').to_owned());
    }
    let millis = |name: &str| parsed.get_int(name).map(|ms| u64::try_from(ms).unwrap_or(0));
    let mut client = properties.with_prefix(STORE_PREFIX);
    client.insert("bootstrap.servers", servers.join(","));
    client.insert(
        "default.api.timeout.ms",
        millis("kafkastore.init.timeout.ms")?.to_string(),
    );
    if !client.contains_key("client.id") {
        client.insert("client.id", "schema-registry");
    }
    let wire = WireSettings::from_properties(&client).map_err(|error| match error {
        weir_client::error::ClientError::Config { key, value, reason } => {
            RegistryError::setting(&format!("{STORE_PREFIX}{key}"), &value, reason)
        }
        source => RegistryError::Kafka {
            context: "settings of the Kafka clients".to_owned(),
            source,
        },
    })?;
    let mut configs = vec![("cleanup.policy".to_owned(), "compact".to_owned())];
    let given = properties.with_prefix(TOPIC_CONFIG_PREFIX);
    configs.extend(
        given
            .iter()
            .filter(|(name, _)| *name != "cleanup.policy")
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let tries = millis("kafkastore.write.max.retries")?.saturating_add(1);
    Ok(TopicSettings {
        wire,
        topic: NewTopic {
            name: parsed.get_text("kafkastore.topic")?.to_owned(),
            partitions: 1,
            replication_factor: i16::try_from(parsed.get_int("kafkastore.topic.replication.factor")?).unwrap_or(1),
            configs,
        },
        checks: if parsed.get_boolean("kafkastore.topic.skip.validation")? {
            Checks::Skip
        } else {
            Checks::Refuse
        },
        write_timeout: Duration::from_millis(millis("kafkastore.timeout.ms")?.saturating_mul(tries)),
    })
}

fn http_settings(parsed: &ParsedConfig) -> Result<HttpSettings, RegistryError> {
    let millis = |name: &str| {
        let value = parsed.get_long(name)?;
        Ok::<_, RegistryError>(Duration::from_millis(u64::try_from(value).unwrap_or(0)))
    };
    let max_body_bytes = if parsed.get_boolean("size.limit.filter.enabled")? {
        count(parsed, "max.request.body.size")?
    } else {
        MAX_BODY_BYTES
    };
    let text = |name: &str| parsed.get_text(name).map(|text| text.trim().to_owned());
    let origin = text("access.control.allow.origin")?;
    let cors = Cors {
        methods: text("access.control.allow.methods")?,
        headers: text("access.control.allow.headers")?,
        origin,
    };
    Ok(HttpSettings {
        max_body_bytes,
        request_timeout: millis("request.timeout.ms")?,
        idle_timeout: millis("idle.timeout.ms")?,
        shutdown_timeout: millis("shutdown.graceful.ms")?,
        cors: Some(cors).filter(|cors| !cors.origin.is_empty()),
    })
}

fn search_limit(parsed: &ParsedConfig, what: &str) -> Result<SearchLimit, RegistryError> {
    Ok(SearchLimit {
        default: count(parsed, &format!("{what}.default.limit"))?,
        max: count(parsed, &format!("{what}.max.limit"))?,
    })
}

fn count(parsed: &ParsedConfig, name: &str) -> Result<usize, RegistryError> {
    Ok(usize::try_from(parsed.get_int(name)?).unwrap_or(0))
}

#[cfg(test)]
mod tests;
