//! Worker settings, read from the stock properties files of both modes.
//!
//! `parse_standalone` and `parse_distributed` give typed settings and warnings; the raw properties
//! stay beside them because clients and converters take whole prefixes. Tables: `worker_keys.rs`.

use std::path::PathBuf;
use std::time::Duration;

use weir_config::def::ConfigDef;
use weir_config::error::ConfigError;
use weir_config::properties::Properties;
use weir_config::suggest::nearest;
use weir_config::validate::ParsedConfig;

use crate::connector_config::split_list;
use crate::error::WorkerError;
use crate::restart::RestartSettings;
use crate::worker_keys::{ACCEPTED_WITHOUT_EFFECT, OPEN_PREFIXES, distributed_def, standalone_def};

/// Option of the schema converters that says where their registry is.
pub const SCHEMA_REGISTRY_URL: &str = "schema.registry.url";
/// The worker's own setting: the registry of converters that name none. `weir up` sets it to the registry beside it.
pub const DEFAULT_REGISTRY_URL: &str = "weir.schema.registry.url";

/// Settings of a worker in either mode.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    pub mode: WorkerMode,
    pub bootstrap_servers: Vec<String>,
    pub timing: WorkerTiming,
    pub plugin_path: Vec<PathBuf>,
    pub override_policy: OverridePolicy,
    pub topics: TopicRules,
    pub restart: RestartSettings,
    /// Time after which a task that does not move counts as standing still; zero for never.
    pub stall_timeout: Duration,
    pub rest: RestSettings,
    /// Everything as written; secrets included, never logged.
    pub originals: Properties,
}

/// What differs between the modes.
#[derive(Debug, Clone)]
pub enum WorkerMode {
    Standalone { offset_file: PathBuf },
    Distributed(Box<DistributedSettings>),
}

/// Periods and limits of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerTiming {
    pub task_stop_timeout: Duration,
    pub offset_flush_interval: Duration,
    pub offset_flush_timeout: Duration,
}

/// What the worker does about topics of connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicRules {
    pub creation_enabled: bool,
    pub tracking_enabled: bool,
    pub tracking_reset_allowed: bool,
}

/// `listeners` and what is advertised.
#[derive(Debug, Clone)]
pub struct RestSettings {
    pub listeners: Vec<String>,
    /// None: served with the others; empty: not served.
    pub admin_listeners: Option<Vec<String>>,
    pub advertised_host: Option<String>,
    pub advertised_port: Option<u16>,
    pub advertised_listener: Option<String>,
    pub allow_origin: String,
    pub allow_methods: String,
    pub response_headers: String,
}

/// Group and internal topics of a distributed worker.
#[derive(Debug, Clone)]
pub struct DistributedSettings {
    pub group_id: String,
    pub client_id: String,
    pub config_topic: StorageTopic,
    pub offset_topic: StorageTopic,
    pub status_topic: StorageTopic,
    pub exactly_once: ExactlyOnceSource,
    pub connect_protocol: String,
    pub session_timeout: Duration,
    pub heartbeat_interval: Duration,
    pub rebalance_timeout: Duration,
    pub scheduled_rebalance_max_delay: Duration,
    pub worker_sync_timeout: Duration,
    pub worker_unsync_backoff: Duration,
    pub inter_worker: InterWorkerSettings,
}

/// How requests between workers are signed (`inter.worker.*`, KIP-507).
#[derive(Debug, Clone)]
pub struct InterWorkerSettings {
    /// Zero: keys are kept for good.
    pub key_ttl: Duration,
    pub key_algorithm: String,
    /// None: as the algorithm has it.
    pub key_bits: Option<u32>,
    pub signature_algorithm: String,
    pub verification_algorithms: Vec<String>,
}

/// One internal topic, with what it is created with.
#[derive(Debug, Clone)]
pub struct StorageTopic {
    pub name: String,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replication_factor: i16,
    /// Further topic settings from the file, `cleanup.policy` left out.
    pub settings: Properties,
}

/// `exactly.once.source.support`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSource {
    Disabled,
    /// The leader writes in transactions already; sources do not.
    Preparing,
    Enabled,
}

impl ExactlyOnceSource {
    /// Is true when the leader's writes to the config topic are transactions.
    pub fn uses_transactional_leader(self) -> bool {
        self != Self::Disabled
    }
}

/// Which client settings connectors may override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverridePolicy {
    All,
    None,
    Principal,
    /// Names without prefix.
    Allowlist(Vec<String>),
}

impl OverridePolicy {
    /// Reads the policy's alias or full Kafka class name.
    ///
    /// # Errors
    /// The name is not one of Kafka's policies.
    pub fn parse(name: &str, allowlist: &[String]) -> Result<Self, ConfigError> {
        let short = name
            .strip_prefix("org.apache.kafka.connect.connector.policy.")
            .unwrap_or(name);
        match short
            .strip_suffix("ConnectorClientConfigOverridePolicy")
            .unwrap_or(short)
        {
            "All" => Ok(Self::All),
            "None" => Ok(Self::None),
            "Principal" => Ok(Self::Principal),
            "Allowlist" => Ok(Self::Allowlist(allowlist.to_vec())),
            _ => Err(ConfigError::invalid(
                "connector.client.config.override.policy",
                name,
                "must be one of All, None, Principal, Allowlist",
            )),
        }
    }

    /// The policy's short name, as messages carry it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
        }
    }

    /// Is true when a connector may set this key (without prefix).
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Principal => matches!(key, "sasl.jaas.config" | "sasl.mechanism" | "security.protocol"),
            Self::Allowlist(keys) => keys.iter().any(|allowed| allowed == key),
        }
    }
}

impl WorkerConfig {
    /// `exactly.once.source.support`; a standalone worker has none.
    pub fn exactly_once(&self) -> ExactlyOnceSource {
        match &self.mode {
            WorkerMode::Distributed(settings) => settings.exactly_once,
            WorkerMode::Standalone { .. } => ExactlyOnceSource::Disabled,
        }
    }

    /// Reads a standalone worker's properties; warnings are one sentence each.
    ///
    /// # Errors
    /// The first key that is missing or does not parse, by name.
    pub fn parse_standalone(properties: &Properties) -> Result<(Self, Vec<String>), WorkerError> {
        let def = standalone_def();
        let parsed = def.parse(&properties.to_map())?;
        let mode = WorkerMode::Standalone {
            offset_file: PathBuf::from(parsed.get_text("offset.storage.file.filename")?),
        };
        Self::from_parsed(mode, &def, &parsed, properties)
    }

    /// Reads a distributed worker's properties; warnings are one sentence each.
    ///
    /// # Errors
    /// The first key that is missing or does not parse, by name.
    pub fn parse_distributed(properties: &Properties) -> Result<(Self, Vec<String>), WorkerError> {
        let def = distributed_def();
        let parsed = def.parse(&properties.to_map())?;
        let mode = WorkerMode::Distributed(Box::new(distributed_settings(&parsed, properties)?));
        Self::from_parsed(mode, &def, &parsed, properties)
    }

    fn from_parsed(
        mode: WorkerMode,
        def: &ConfigDef,
        parsed: &ParsedConfig,
        properties: &Properties,
    ) -> Result<(Self, Vec<String>), WorkerError> {
        let warnings = warnings(def, properties);
        let policy = OverridePolicy::parse(
            parsed.get_text("connector.client.config.override.policy")?,
            parsed.get_list("connector.client.config.override.allowlist")?,
        )?;
        let config = Self {
            mode,
            bootstrap_servers: bootstrap_servers(parsed)?,
            timing: WorkerTiming {
                task_stop_timeout: millis(parsed, "task.shutdown.graceful.timeout.ms")?,
                offset_flush_interval: millis(parsed, "offset.flush.interval.ms")?,
                offset_flush_timeout: millis(parsed, "offset.flush.timeout.ms")?,
            },
            plugin_path: parsed
                .opt_list("plugin.path")
                .unwrap_or_default()
                .iter()
                .map(PathBuf::from)
                .collect(),
            override_policy: policy,
            topics: TopicRules {
                creation_enabled: parsed.get_boolean("topic.creation.enable")?,
                tracking_enabled: parsed.get_boolean("topic.tracking.enable")?,
                tracking_reset_allowed: parsed.get_boolean("topic.tracking.allow.reset")?,
            },
            restart: RestartSettings::of_worker(parsed)?,
            stall_timeout: Duration::from_millis(u64::try_from(parsed.get_long("weir.stall.timeout.ms")?).unwrap_or(0)),
            rest: rest_settings(parsed)?,
            originals: properties.clone(),
        };
        Ok((config, warnings))
    }

    /// Returns the group id of a distributed worker.
    pub fn group_id(&self) -> Option<&str> {
        match &self.mode {
            WorkerMode::Standalone { .. } => None,
            WorkerMode::Distributed(settings) => Some(&settings.group_id),
        }
    }
}

fn bootstrap_servers(parsed: &ParsedConfig) -> Result<Vec<String>, WorkerError> {
    let servers = parsed.get_list("bootstrap.servers")?;
    if servers.is_empty() {
        return Err(ConfigError::invalid(
            "bootstrap.servers",
            "[]",
            "No bootstrap urls given in bootstrap.servers",
        )
        .into());
    }
    Ok(servers.to_vec())
}

fn rest_settings(parsed: &ParsedConfig) -> Result<RestSettings, WorkerError> {
    let text = |name: &str| parsed.opt_text(name).map(str::to_owned);
    let advertised_port = match parsed.opt_int("rest.advertised.port") {
        None => None,
        Some(port) => Some(
            u16::try_from(port)
                .map_err(|_| ConfigError::invalid("rest.advertised.port", port.to_string(), "not a port number"))?,
        ),
    };
    Ok(RestSettings {
        listeners: parsed.get_list("listeners")?.to_vec(),
        admin_listeners: parsed.opt_list("admin.listeners").map(<[String]>::to_vec),
        advertised_host: text("rest.advertised.host.name"),
        advertised_port,
        advertised_listener: text("rest.advertised.listener"),
        allow_origin: text("access.control.allow.origin").unwrap_or_default(),
        allow_methods: text("access.control.allow.methods").unwrap_or_default(),
        response_headers: text("response.http.headers.config").unwrap_or_default(),
    })
}

fn distributed_settings(parsed: &ParsedConfig, properties: &Properties) -> Result<DistributedSettings, WorkerError> {
    let group_id = parsed.get_text("group.id")?.to_owned();
    let exactly_once = match parsed
        .get_text("exactly.once.source.support")?
        .to_ascii_lowercase()
        .as_str()
    {
        "enabled" => ExactlyOnceSource::Enabled,
        "preparing" => ExactlyOnceSource::Preparing,
        _ => ExactlyOnceSource::Disabled,
    };
    Ok(DistributedSettings {
        group_id,
        client_id: parsed.get_text("client.id")?.to_owned(),
        config_topic: storage_topic("config", parsed, properties)?,
        offset_topic: storage_topic("offset", parsed, properties)?,
        status_topic: storage_topic("status", parsed, properties)?,
        exactly_once,
        connect_protocol: parsed.get_text("connect.protocol")?.to_owned(),
        session_timeout: millis_int(parsed, "session.timeout.ms")?,
        heartbeat_interval: millis_int(parsed, "heartbeat.interval.ms")?,
        rebalance_timeout: millis_int(parsed, "rebalance.timeout.ms")?,
        scheduled_rebalance_max_delay: millis_int(parsed, "scheduled.rebalance.max.delay.ms")?,
        worker_sync_timeout: millis_int(parsed, "worker.sync.timeout.ms")?,
        worker_unsync_backoff: millis_int(parsed, "worker.unsync.backoff.ms")?,
        inter_worker: inter_worker(parsed)?,
    })
}

fn inter_worker(parsed: &ParsedConfig) -> Result<InterWorkerSettings, WorkerError> {
    let key_bits = match parsed.opt_int("inter.worker.key.size") {
        None => None,
        Some(bits) => Some(u32::try_from(bits).ok().filter(|bits| *bits > 0).ok_or_else(|| {
            ConfigError::invalid("inter.worker.key.size", bits.to_string(), "Value must be at least 1")
        })?),
    };
    Ok(InterWorkerSettings {
        key_ttl: millis_int(parsed, "inter.worker.key.ttl.ms")?,
        key_algorithm: parsed.get_text("inter.worker.key.generation.algorithm")?.to_owned(),
        key_bits,
        signature_algorithm: parsed.get_text("inter.worker.signature.algorithm")?.to_owned(),
        verification_algorithms: parsed.get_list("inter.worker.verification.algorithms")?.to_vec(),
    })
}

fn storage_topic(kind: &str, parsed: &ParsedConfig, properties: &Properties) -> Result<StorageTopic, WorkerError> {
    let prefix = format!("{kind}.storage.");
    let partitions = match kind {
        "config" => 1,
        _ => positive_or_default(
            &format!("{prefix}partitions"),
            parsed.get_int(&format!("{prefix}partitions"))?,
        )?,
    };
    let factor_key = format!("{prefix}replication.factor");
    let replication_factor = parsed.get_short(&factor_key)?;
    positive_or_default(&factor_key, i32::from(replication_factor))?;
    let mut settings = properties.with_prefix(&prefix);
    for owned in [
        "topic",
        "partitions",
        "replication.factor",
        "cleanup.policy",
        "file.filename",
    ] {
        settings.remove(owned);
    }
    Ok(StorageTopic {
        name: parsed.get_text(&format!("{prefix}topic"))?.to_owned(),
        partitions,
        replication_factor,
        settings,
    })
}

fn positive_or_default(key: &str, count: i32) -> Result<i32, ConfigError> {
    if count == -1 || count >= 1 {
        return Ok(count);
    }
    Err(ConfigError::invalid(
        key,
        count.to_string(),
        "must be positive, or -1 to use the broker's default",
    ))
}

fn millis(parsed: &ParsedConfig, name: &str) -> Result<Duration, ConfigError> {
    duration(name, parsed.get_long(name)?)
}

fn millis_int(parsed: &ParsedConfig, name: &str) -> Result<Duration, ConfigError> {
    duration(name, i64::from(parsed.get_int(name)?))
}

fn duration(name: &str, ms: i64) -> Result<Duration, ConfigError> {
    u64::try_from(ms)
        .map(Duration::from_millis)
        .map_err(|_| ConfigError::invalid(name, ms.to_string(), "Value must be at least 0"))
}

/// Keys without effect with the reason, and unknown keys with the nearest known one.
fn warnings(def: &ConfigDef, properties: &Properties) -> Vec<String> {
    let mut warnings = Vec::new();
    for (key, _) in properties.iter() {
        if let Some((_, reason)) = ACCEPTED_WITHOUT_EFFECT.iter().find(|(name, _)| *name == key) {
            warnings.push(format!("property {key} has no effect: {reason}"));
        } else if def.get(key).is_none()
            && !OPEN_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
            && !is_client_key(key)
        {
            warnings.push(match nearest(key, def.names()) {
                Some(known) => format!("unknown property {key}, did you mean {known}?"),
                None => format!("unknown property {key}"),
            });
        }
    }
    warnings
}

/// Standalone does not define these but passes them to clients as they are (connect.md B.3).
pub fn is_client_key(key: &str) -> bool {
    key == "security.protocol" || key.starts_with("sasl.") || key.starts_with("ssl.") || distributed_client_key(key)
}

fn distributed_client_key(key: &str) -> bool {
    const CLIENT_KEYS: &str = "client.id,metadata.max.age.ms,send.buffer.bytes,receive.buffer.bytes,reconnect.backoff.ms,\
        reconnect.backoff.max.ms,socket.connection.setup.timeout.ms,socket.connection.setup.timeout.max.ms,retry.backoff.ms,\
        retry.backoff.max.ms,request.timeout.ms,connections.max.idle.ms,metadata.recovery.strategy";
    split_list(CLIENT_KEYS).iter().any(|known| known == key)
}

#[cfg(test)]
mod tests;
