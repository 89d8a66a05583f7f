//! `schema-registry.properties`, read unchanged
//!
//! Every key of Confluent's file is known: honoured, accepted without effect (with a warning that says why), or refused where ignoring
//! it would be unsafe. The table also makes the reference page. Source: `SchemaRegistryConfig`, `RestConfig`.

use std::net::IpAddr;
use std::time::Duration;

use weir_client::admin::NewTopic;
use weir_client::wire::WireSettings;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::properties::Properties;
use weir_config::suggest::nearest;
use weir_config::validate::ParsedConfig;
use weir_schema::level::Level;

use crate::error::RegistryError;
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
const STORE_PREFIX: &str = "kafkastore.";
/// Keys below it are the topic's settings.
const TOPIC_CONFIG_PREFIX: &str = "kafkastore.topic.config.";

/// Keys that are taken and change nothing here, with the reason.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("kafkastore.connection.url", "ZooKeeper is not used"),
    ("kafkastore.zk.session.timeout.ms", "ZooKeeper is not used"),
    ("schema.registry.zk.namespace", "ZooKeeper is not used"),
    ("zookeeper.set.acl", "ZooKeeper is not used"),
    ("resource.extension.class", "Java classes cannot run here"),
    ("init.resource.extension.class", "Java classes cannot run here"),
    ("resource.static.locations", "no static files are served"),
    ("rest.servlet.initializor.classes", "Java classes cannot run here"),
    ("websocket.servlet.initializor.classes", "Java classes cannot run here"),
    ("metric.reporters", "Java classes cannot run here"),
    ("schema.providers", "Java classes cannot run here"),
    ("kafkastore.update.handlers", "Java classes cannot run here"),
    ("compression.enable", "answers are small and go out as they are"),
    ("debug", "logging is set with --log-level"),
    (
        "schema.canonicalize.on.consume",
        "schemas are kept as they were written",
    ),
    ("metadata.encoder.topic", "metadata is not encrypted"),
    ("leader.election.delay", "one instance leads so far"),
    ("leader.election.sticky", "one instance leads so far"),
    ("leader.connect.timeout.ms", "one instance leads so far"),
    ("leader.read.timeout.ms", "one instance leads so far"),
    ("inter.instance.headers.whitelist", "one instance leads so far"),
    ("inter.instance.listener.name", "one instance leads so far"),
    ("kafkagroup.session.timeout.ms", "one instance leads so far"),
    ("kafkagroup.heartbeat.interval.ms", "one instance leads so far"),
    ("kafkagroup.rebalance.timeout.ms", "one instance leads so far"),
    ("schema.cache.expiry.secs", "the cache is bound by number only"),
    ("kafkastore.init.wait.for.reader", "requests always wait for the reader"),
    ("kafkastore.group.id", "the topic is read without a consumer group"),
    ("response.mediatype.default", "the types are fixed"),
    ("response.mediatype.preferred", "the types are fixed"),
];

/// Beginnings of families that the table does not list one by one.
const OPEN_PREFIXES: &[&str] = &[
    STORE_PREFIX,
    "schema.providers.",
    "metrics.",
    "ssl.",
    "authentication.",
    "listener.name.",
    "schema.registry.resource.",
    "confluent.",
];

impl RegistryConfig {
    /// Reads the settings; texts for keys without effect and unknown keys come with them.
    ///
    /// *Errors*: a value that does not fit, or a setting that cannot be ignored safely (TLS, authentication), by its name.
    pub fn from_properties(properties: &Properties) -> Result<(Self, Vec<String>), RegistryError> {
        let definition = definition();
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

/// The table of keys, for reading and for documentation.
pub fn definition() -> ConfigDef {
    let def = ConfigDef::new();
    let def = listener_keys(def);
    let def = store_keys(def);
    let def = schema_keys(def);
    http_keys(def)
}

fn listener_keys(def: ConfigDef) -> ConfigDef {
    const GROUP: &str = "Listeners and cluster";
    def.key(
        ConfigKey::list("listeners")
            .default("http://0.0.0.0:8081")
            .importance(Importance::High)
            .group(GROUP, 1)
            .doc("Where to listen: a comma-separated list of http://host:port or name://host:port. Port 0 picks a free one."),
    )
    .key(
        ConfigKey::list("listener.protocol.map")
            .default("")
            .importance(Importance::Low)
            .group(GROUP, 2)
            .doc("Protocol of each named listener, as name:http."),
    )
    .key(
        ConfigKey::text("host.name")
            .default("")
            .importance(Importance::High)
            .group(GROUP, 3)
            .doc("The host name by which other instances reach this one; empty is the machine's own."),
    )
    .key(
        ConfigKey::int("host.port")
            .default("8081")
            .importance(Importance::Low)
            .group(GROUP, 4)
            .doc("The port by which other instances reach this one."),
    )
    .key(
        ConfigKey::text("inter.instance.protocol")
            .default("http")
            .validator(Validator::one_of(&["http"]))
            .importance(Importance::Low)
            .group(GROUP, 5)
            .doc("The protocol between instances; only http so far."),
    )
    .key(
        ConfigKey::text("schema.registry.group.id")
            .default("schema-registry")
            .validator(Validator::NonEmptyText)
            .group(GROUP, 6)
            .doc("The group of the instances that elect a leader among themselves."),
    )
    .key(
        ConfigKey::boolean("leader.eligibility")
            .default("true")
            .group(GROUP, 7)
            .doc("Whether this instance may lead. One instance leads so far, so false is refused."),
    )
    .key(
        ConfigKey::boolean("master.eligibility")
            .default_null()
            .importance(Importance::Low)
            .group(GROUP, 8)
            .doc("Old name of leader.eligibility."),
    )
}

fn store_keys(def: ConfigDef) -> ConfigDef {
    const GROUP: &str = "Schemas topic";
    def.key(
        ConfigKey::list("kafkastore.bootstrap.servers")
            .validator(Validator::Custom(
                "host:port or PLAINTEXT://host:port, comma-separated".to_owned(),
            ))
            .importance(Importance::High)
            .group(GROUP, 1)
            .doc("Kafka brokers to begin with, as host:port or PLAINTEXT://host:port."),
    )
    .key(
        ConfigKey::text("kafkastore.topic")
            .default("_schemas")
            .validator(Validator::NonEmptyText)
            .importance(Importance::High)
            .group(GROUP, 2)
            .doc("The topic that holds all schemas. It has one partition and is compacted."),
    )
    .key(
        ConfigKey::int("kafkastore.topic.replication.factor")
            .default("3")
            .validator(Validator::between(1, i16::MAX))
            .importance(Importance::High)
            .group(GROUP, 3)
            .doc("Replicas of the topic when it is created; at most as many as there are brokers."),
    )
    .key(
        ConfigKey::boolean("kafkastore.topic.skip.validation")
            .default("false")
            .importance(Importance::Low)
            .group(GROUP, 4)
            .doc("Start even if the topic has more partitions or is not compacted."),
    )
    .key(
        ConfigKey::int("kafkastore.timeout.ms")
            .default("500")
            .validator(Validator::at_least(1))
            .group(GROUP, 5)
            .doc("How long one try of a write may take; kafkastore.write.max.retries more tries follow."),
    )
    .key(
        ConfigKey::int("kafkastore.init.timeout.ms")
            .default("60000")
            .validator(Validator::at_least(1))
            .group(GROUP, 6)
            .doc("How long reaching Kafka and reading the topic may take at start."),
    )
    .key(
        ConfigKey::int("kafkastore.write.max.retries")
            .default("5")
            .validator(Validator::between(0, 10_000))
            .importance(Importance::Low)
            .group(GROUP, 7)
            .doc("Further tries of a write."),
    )
    .key(
        ConfigKey::text("kafkastore.security.protocol")
            .default("PLAINTEXT")
            .validator(Validator::one_of_ignore_case(&[
                "PLAINTEXT",
                "SSL",
                "SASL_PLAINTEXT",
                "SASL_SSL",
            ]))
            .group(GROUP, 8)
            .doc("How brokers are spoken to; only PLAINTEXT so far."),
    )
}

fn schema_keys(def: ConfigDef) -> ConfigDef {
    const GROUP: &str = "Schemas";
    let levels: Vec<&str> = Level::ALL.iter().map(|level| level.as_str()).collect();
    let def = def
        .key(
            ConfigKey::text("schema.compatibility.level")
                .default("backward")
                .validator(Validator::one_of_ignore_case(&levels))
                .importance(Importance::High)
                .group(GROUP, 1)
                .doc("Compatibility level of subjects without one of their own."),
        )
        .key(
            ConfigKey::text("avro.compatibility.level")
                .default_null()
                .validator(Validator::Custom("as schema.compatibility.level".to_owned()))
                .importance(Importance::Low)
                .group(GROUP, 2)
                .doc("Old name of schema.compatibility.level."),
        );
    let flags = [
        ("mode.mutability", "true", "Whether modes may be changed over REST."),
        (
            "schema.validate.fields",
            "false",
            "Refuse top-level field names that begin with $$, and reserved ones.",
        ),
        (
            "schema.validate.new.schemas",
            "true",
            "Check names and defaults of new schemas strictly.",
        ),
        ("schema.reject.empty.subject", "false", "Refuse the empty subject."),
        (
            "schema.providers.reference.versions.strict",
            "false",
            "Refuse references whose version is -1.",
        ),
        (
            "schema.providers.json.fetch.remote.schemas",
            "true",
            "Never honoured: no schema is fetched from elsewhere.",
        ),
    ];
    let mut def = def;
    for (order, (name, default, doc)) in (3..).zip(flags) {
        def = def.key(ConfigKey::boolean(name).default(default).group(GROUP, order).doc(doc));
    }
    for (order, (what, default)) in (9..).zip([
        ("schema.search", "1000"),
        ("subject.search", "2147483647"),
        ("subject.version.search", "2147483647"),
        ("context.search", "2147483647"),
    ]) {
        for (suffix, words) in [("default.limit", "when none is asked for"), ("max.limit", "at most")] {
            def = def.key(
                ConfigKey::int(&format!("{what}.{suffix}"))
                    .default(default)
                    .validator(Validator::at_least(1))
                    .importance(Importance::Low)
                    .group(GROUP, order)
                    .doc(&format!("Length of an answered list {words}.")),
            );
        }
    }
    def.key(
        ConfigKey::int("schema.cache.size")
            .default("1000")
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .group(GROUP, 13)
            .doc("How many parsed schemas are kept ready; texts are always in memory."),
    )
}

fn http_keys(def: ConfigDef) -> ConfigDef {
    const GROUP: &str = "HTTP";
    let mut def = def
        .key(
            ConfigKey::boolean("size.limit.filter.enabled")
                .default("false")
                .importance(Importance::Low)
                .group(GROUP, 1)
                .doc("Whether max.request.body.size binds."),
        )
        .key(
            ConfigKey::int("max.request.body.size")
                .default("1048576")
                .validator(Validator::at_least(1))
                .importance(Importance::Low)
                .group(GROUP, 2)
                .doc("Largest request body, with size.limit.filter.enabled; 20 MiB otherwise."),
        );
    for (order, (name, default, doc)) in (3..).zip([
        ("request.timeout.ms", "600000", "How long one request may take."),
        (
            "idle.timeout.ms",
            "30000",
            "How long a connection may be silent, also in the midst of a request.",
        ),
        (
            "shutdown.graceful.ms",
            "1000",
            "How long requests under way may take once the registry stops.",
        ),
    ]) {
        let key = ConfigKey::long(name).default(default).validator(Validator::at_least(0));
        def = def.key(key.importance(Importance::Low).group(GROUP, order).doc(doc));
    }
    for (order, (name, doc)) in (6..).zip([
        (
            "access.control.allow.origin",
            "Origin that browsers may call from; empty turns CORS off.",
        ),
        (
            "access.control.allow.methods",
            "Methods that browsers of that origin may use.",
        ),
        (
            "access.control.allow.headers",
            "Headers that browsers of that origin may send.",
        ),
    ]) {
        let key = ConfigKey::text(name).default("").importance(Importance::Low);
        def = def.key(key.group(GROUP, order).doc(doc));
    }
    def.key(
        ConfigKey::text("authentication.method")
            .default("NONE")
            .validator(Validator::one_of_ignore_case(&["NONE", "BASIC", "BEARER"]))
            .importance(Importance::Low)
            .group(GROUP, 9)
            .doc("Who may call; only NONE so far."),
    )
    .key(
        ConfigKey::password("metadata.encoder.secret")
            .default_null()
            .importance(Importance::Low)
            .group(GROUP, 10)
            .doc("Encrypts sensitive metadata at rest; refused so far."),
    )
}

/// Settings that promise safety which is not there yet.
fn refuse_unsafe(properties: &Properties, parsed: &ParsedConfig) -> Result<(), RegistryError> {
    let method = parsed.get_text("authentication.method")?;
    if !method.eq_ignore_ascii_case("NONE") {
        let reason = "authentication is not built yet; only NONE, behind something that authenticates";
        return Err(RegistryError::setting("authentication.method", method, reason));
    }
    let protocol = parsed.get_text("kafkastore.security.protocol")?;
    if !protocol.eq_ignore_ascii_case("PLAINTEXT") {
        let reason = "brokers are reached over PLAINTEXT only, so far";
        return Err(RegistryError::setting("kafkastore.security.protocol", protocol, reason));
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
    let mut servers = Vec::new();
    for server in parsed.get_list(BOOTSTRAP)?.iter().filter(|server| !server.is_empty()) {
        let address = match server.split_once("://") {
            None => server,
            Some((protocol, address)) if protocol.eq_ignore_ascii_case("PLAINTEXT") => address,
            Some((protocol, _)) => {
                let reason = format!("{protocol} is not spoken; only PLAINTEXT://host:port or host:port");
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

fn warnings(definition: &ConfigDef, properties: &Properties) -> Vec<String> {
    let mut warnings = Vec::new();
    for (key, value) in properties.iter() {
        if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(name, _)| *name == key) {
            warnings.push(format!("property {key} has no effect: {reason}"));
        } else if key == "schema.providers.json.fetch.remote.schemas" && value.trim().eq_ignore_ascii_case("true") {
            warnings.push(format!(
                "property {key} has no effect: no schema is ever fetched from elsewhere"
            ));
        } else if definition.get(key).is_none() {
            let known = definition.names().chain(WITHOUT_EFFECT.iter().map(|(name, _)| *name));
            let is_open = OPEN_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
            match nearest(key, known) {
                Some(known) => warnings.push(format!("unknown property {key}, did you mean {known}?")),
                None if is_open => {}
                None => warnings.push(format!("unknown property {key}")),
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
