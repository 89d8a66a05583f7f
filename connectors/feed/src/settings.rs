//! The settings that all feed sources have
//!
//! A feed adds these rows to its own definition and reads them with [`Common::parse`]. Keys of one feed are in its crate.

use weir_sdk::api::error::ConnectError;
use weir_sdk::budget::Rate;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::validate::ParsedConfig;

use crate::bad_record::OnBadRecord;

/// The topic written to.
pub const TOPIC: &str = "topic";
/// Pause between two cycles.
pub const POLL_INTERVAL_MS: &str = "poll.interval.ms";
/// Longest wait for a connection.
pub const CONNECT_TIMEOUT_MS: &str = "http.connect.timeout.ms";
/// Longest silence of a service.
pub const READ_TIMEOUT_MS: &str = "http.read.timeout.ms";
/// Largest answer.
pub const MAX_BODY_BYTES: &str = "http.max.body.bytes";
/// A proxy; the host of the sandbox connects through it.
pub const PROXY_URL: &str = "http.proxy.url";
/// Consecutive failures before the task fails.
pub const RETRY_MAX_ATTEMPTS: &str = "retry.max.attempts";
/// First wait after a failure.
pub const RETRY_BACKOFF_INITIAL_MS: &str = "retry.backoff.initial.ms";
/// Longest wait after a failure.
pub const RETRY_BACKOFF_MAX_MS: &str = "retry.backoff.max.ms";
/// Requests of all tasks together within the time below.
pub const RATE_REQUESTS: &str = "rate.limit.requests";
/// The time in which they may be made.
pub const RATE_PER_MS: &str = "rate.limit.per.ms";
/// Records of one poll.
pub const RECORDS_MAX_PER_POLL: &str = "records.max.per.poll";
/// How many ids are remembered.
pub const DEDUPE_WINDOW: &str = "dedupe.window";
/// What happens to an item that is no record.
pub const ON_BAD_RECORD: &str = "on.bad.record";
/// Where such items go.
pub const ON_BAD_RECORD_TOPIC: &str = "on.bad.record.topic";
/// Whether deletions become tombstones.
pub const EMIT_TOMBSTONES: &str = "emit.tombstones";

/// What differs from feed to feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Of `poll.interval.ms`.
    pub poll_interval_ms: i64,
    /// Of `rate.limit.requests`.
    pub rate_requests: i32,
    /// Of `rate.limit.per.ms`.
    pub rate_per_ms: i64,
}

/// Adds the rows to a definition.
pub fn common_keys(def: ConfigDef, defaults: Defaults) -> ConfigDef {
    let def = def
        .key(
            ConfigKey::text(TOPIC)
                .validator(Validator::NonEmptyText)
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .key(
            ConfigKey::long(POLL_INTERVAL_MS)
                .default(&defaults.poll_interval_ms.to_string())
                .validator(Validator::at_least(1))
                .doc("Milliseconds between the end of one cycle and the start of the next"),
        );
    record_keys(retry_keys(client_keys(def), defaults))
}

/// Adds the rows about connections: also for sinks.
pub fn client_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::int(CONNECT_TIMEOUT_MS)
            .default("5000")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Longest wait for a connection, in milliseconds"),
    )
    .key(
        ConfigKey::int(READ_TIMEOUT_MS)
            .default("30000")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Longest silence of the service within a request, in milliseconds"),
    )
    .key(
        ConfigKey::int(MAX_BODY_BYTES)
            .default("33554432")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Largest answer, unpacked; a larger one fails the task"),
    )
    .key(
        ConfigKey::text(PROXY_URL)
            .default_null()
            .importance(Importance::Low)
            .doc("URL of the HTTP proxy to go through"),
    )
}

/// Adds the rows about failures and the rate: also for sinks.
pub fn retry_keys(def: ConfigDef, defaults: Defaults) -> ConfigDef {
    def.key(
        ConfigKey::int(RETRY_MAX_ATTEMPTS)
            .default("10")
            .validator(Validator::at_least(-1))
            .doc("Consecutive failures before the task fails; -1 tries for ever"),
    )
    .key(
        ConfigKey::long(RETRY_BACKOFF_INITIAL_MS)
            .default("1000")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Longest first wait after a failure; doubles with each one, and the wait is a random part of it"),
    )
    .key(
        ConfigKey::long(RETRY_BACKOFF_MAX_MS)
            .default("60000")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Longest wait after any number of failures, unless the service names a time"),
    )
    .key(
        ConfigKey::int(RATE_REQUESTS)
            .default(&defaults.rate_requests.to_string())
            .validator(Validator::at_least(0))
            .doc("Requests that all tasks of the connector on a worker may make within rate.limit.per.ms; 0 sets no limit"),
    )
    .key(
        ConfigKey::long(RATE_PER_MS)
            .default(&defaults.rate_per_ms.to_string())
            .validator(Validator::at_least(1))
            .doc("The time that rate.limit.requests speaks of, in milliseconds"),
    )
}

fn record_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::int(RECORDS_MAX_PER_POLL)
            .default("500")
            .validator(Validator::at_least(1))
            .importance(Importance::Low)
            .doc("Records handed over at once; the rest of a page waits in memory"),
    )
    .key(
        ConfigKey::int(DEDUPE_WINDOW)
            .default("10000")
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc("How many ids of recent records are remembered, so that those met again are dropped"),
    )
    .key(
        ConfigKey::text(ON_BAD_RECORD)
            .default("fail")
            .validator(Validator::one_of(&OnBadRecord::NAMES))
            .doc("What happens to an item that cannot be made a record: fail the task, skip it, or send it to on.bad.record.topic"),
    )
    .key(
        ConfigKey::text(ON_BAD_RECORD_TOPIC)
            .default_null()
            .importance(Importance::Low)
            .doc("Topic for bad items where on.bad.record is dlq; the topic's name and .dlq if not given"),
    )
    .key(
        ConfigKey::boolean(EMIT_TOMBSTONES)
            .default("false")
            .importance(Importance::Low)
            .doc("Whether what vanished at the service becomes a record without value, where the feed can tell"),
    )
}

/// Limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest wait for a connection.
    pub connect_timeout_ms: u32,
    /// Longest silence.
    pub read_timeout_ms: u32,
    /// Largest answer.
    pub max_body_bytes: usize,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Failures in a row before the task fails; `None` = for ever.
    pub max_attempts: Option<u32>,
    /// First wait.
    pub initial_ms: u64,
    /// Longest wait.
    pub max_ms: u64,
}

/// What the client needs to know; sources and sinks have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Limits of one request.
    pub limits: Limits,
    /// When to try again.
    pub retry: Retry,
    /// Requests of all tasks.
    pub rate: Rate,
}

impl Access {
    /// Reads the rows of [`client_keys`] and [`retry_keys`].
    ///
    /// # Errors
    /// Config when a row is missing from the definition.
    pub fn parse(config: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            limits: Limits {
                connect_timeout_ms: config.get_int(CONNECT_TIMEOUT_MS)?.unsigned_abs(),
                read_timeout_ms: config.get_int(READ_TIMEOUT_MS)?.unsigned_abs(),
                max_body_bytes: size(config.get_int(MAX_BODY_BYTES)?),
            },
            retry: Retry {
                max_attempts: u32::try_from(config.get_int(RETRY_MAX_ATTEMPTS)?).ok(),
                initial_ms: config.get_long(RETRY_BACKOFF_INITIAL_MS)?.unsigned_abs(),
                max_ms: config.get_long(RETRY_BACKOFF_MAX_MS)?.unsigned_abs(),
            },
            rate: Rate {
                // 0 sets no limit; the budget still carries the waits that a service asks for.
                requests: config.get_int(RATE_REQUESTS)?.unsigned_abs(),
                per_ms: config.get_long(RATE_PER_MS)?.unsigned_abs(),
            },
        })
    }
}

/// The settings of [`common_keys`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Topic.
    pub topic: String,
    /// Pause between two cycles.
    pub poll_interval_ms: i64,
    /// What the client needs.
    pub access: Access,
    /// Records handed over at once.
    pub records_max_per_poll: usize,
    /// Ids remembered.
    pub dedupe_window: usize,
    /// What happens to bad items.
    pub on_bad_record: OnBadRecord,
    /// Where they go.
    pub on_bad_record_topic: String,
    /// Whether deletions become tombstones.
    pub emit_tombstones: bool,
}

impl Common {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config when a row is missing from the definition.
    pub fn parse(config: &ParsedConfig) -> Result<Self, ConnectError> {
        let topic = config.get_text(TOPIC)?.to_owned();
        let bad_topic = config.opt_text(ON_BAD_RECORD_TOPIC).filter(|name| !name.is_empty());
        Ok(Self {
            poll_interval_ms: config.get_long(POLL_INTERVAL_MS)?,
            access: Access::parse(config)?,
            records_max_per_poll: size(config.get_int(RECORDS_MAX_PER_POLL)?),
            dedupe_window: size(config.get_int(DEDUPE_WINDOW)?),
            on_bad_record: OnBadRecord::parse(config.get_text(ON_BAD_RECORD)?).unwrap_or(OnBadRecord::Fail),
            on_bad_record_topic: bad_topic.map_or_else(|| format!("{topic}.dlq"), str::to_owned),
            emit_tombstones: config.get_boolean(EMIT_TOMBSTONES)?,
            topic,
        })
    }
}

fn size(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}
