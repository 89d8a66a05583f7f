//! Java client settings on librdkafka: one table.
//!
//! Worker and connector files name the Java clients' keys. Where librdkafka differs silently (partitioner, isolation, buffer bounds,
//! back-offs) the Java default is forced here. A key with no counterpart is a warning that names it; a value that cannot be honoured
//! is an error that names key, value and what is right. Security keys are in `security`.
//! Source: `ProducerConfig`, `ConsumerConfig`, `CommonClientConfigs` of Kafka 4.3; librdkafka 2.12 CONFIGURATION.md.

use std::collections::BTreeMap;
use std::fmt;

use weir_config::properties::Properties;

use crate::error::ClientError;
use crate::security;

/// Settings ready for librdkafka, and the few that are honoured above it.
#[derive(Clone, Default)]
pub struct Translated {
    pub(crate) entries: BTreeMap<String, String>,
    /// Native key → the Java key it came from, for error texts.
    sources: BTreeMap<String, String>,
    /// One text a key that has no effect here.
    pub warnings: Vec<String>,
    /// `max.block.ms`: how long a full producer queue is waited for.
    pub max_block_ms: Option<u64>,
    /// `max.poll.records`, when the user set it.
    pub max_poll_records: Option<usize>,
    /// `default.api.timeout.ms`, when the user set it.
    pub api_timeout_ms: Option<u64>,
}

/// Prints keys and values, secrets hidden.
impl fmt::Debug for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.entries
                    .iter()
                    .map(|(key, value)| (key, security::masked(key, value))),
            )
            .finish()
    }
}

impl Translated {
    /// The value librdkafka gets for a native key.
    pub fn native(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Bounds the memory that prefetched messages of one consumer take.
    #[must_use]
    pub fn with_prefetch_kbytes(mut self, kbytes: u32) -> Self {
        self.put_default("queued.max.messages.kbytes", &kbytes.max(1).to_string());
        self
    }

    pub(crate) fn java_key<'a>(&'a self, native: &'a str) -> &'a str {
        self.sources.get(native).map_or(native, String::as_str)
    }

    /// The error for a setting that librdkafka itself refused.
    pub(crate) fn refused(&self, native: &str, value: &str, reason: &str) -> ClientError {
        let java = self.java_key(native);
        let reason = reason.replace(native, java);
        ClientError::config(java, security::masked(native, value), reason)
    }

    fn put_default(&mut self, native: &str, value: &str) {
        self.entries.insert(native.to_owned(), value.to_owned());
    }

    pub(crate) fn put(&mut self, java: &str, native: &str, value: impl Into<String>) {
        self.entries.insert(native.to_owned(), value.into());
        self.sources.insert(native.to_owned(), java.to_owned());
    }

    pub(crate) fn warn(&mut self, key: &str, reason: &str) {
        self.warnings
            .push(format!("configuration {key} has no effect: {reason}"));
    }
}

/// Translates producer settings.
///
/// *Errors*: `Config` for a value that cannot be honoured.
pub fn translate_producer(properties: &Properties) -> Result<Translated, ClientError> {
    let mut out = with_defaults(PRODUCER_DEFAULTS);
    apply(&mut out, properties, Role::Producer)?;
    settle_idempotence(&mut out, properties);
    settle_transactions(&mut out);
    settle_compression(&mut out, properties);
    security::translate(&mut out, properties)?;
    Ok(out)
}

/// Translates consumer settings.
///
/// *Errors*: `Config` for a value that cannot be honoured.
pub fn translate_consumer(properties: &Properties) -> Result<Translated, ClientError> {
    let mut out = with_defaults(CONSUMER_DEFAULTS);
    apply(&mut out, properties, Role::Consumer)?;
    settle_group_protocol(&mut out, properties);
    settle_fetch_bytes(&mut out);
    security::translate(&mut out, properties)?;
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Producer,
    Consumer,
}

/// Java's defaults where librdkafka's differ, and our own where neither is bound to one.
const COMMON_DEFAULTS: &[(&str, &str)] = &[
    ("reconnect.backoff.ms", "50"),
    ("reconnect.backoff.max.ms", "1000"),
    ("metadata.max.age.ms", "300000"),
    ("topic.metadata.refresh.interval.ms", "300000"),
    // How soon an unknown or leaderless topic is asked for again: the first record of a new topic waits for it.
    ("topic.metadata.refresh.fast.interval.ms", "20"),
    ("socket.timeout.ms", "30000"),
    ("socket.connection.setup.timeout.ms", "10000"),
    ("connections.max.idle.ms", "540000"),
    ("socket.keepalive.enable", "true"),
    ("log.connection.close", "false"),
    // Client metrics (KIP-714) are the worker's own, not librdkafka's.
    ("enable.metrics.push", "false"),
    ("api.version.request.timeout.ms", "10000"),
];

const PRODUCER_DEFAULTS: &[(&str, &str)] = &[
    ("partitioner", "murmur2_random"),
    ("message.max.bytes", "1048576"),
    ("queue.buffering.max.kbytes", "32768"),
    // No bound by count: the bytes bind, as in Java.
    ("queue.buffering.max.messages", "0"),
    ("message.timeout.ms", "120000"),
    ("acks", "-1"),
    ("linger.ms", "5"),
];

const CONSUMER_DEFAULTS: &[(&str, &str)] = &[
    ("isolation.level", "read_uncommitted"),
    ("partition.assignment.strategy", "range"),
    ("allow.auto.create.topics", "true"),
    ("check.crcs", "true"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "latest"),
    // Prefetch: enough for a full batch while one is processed; librdkafka's 100,000 messages and 64 MiB are per consumer.
    ("queued.min.messages", "50000"),
    ("queued.max.messages.kbytes", "16384"),
    // Once the prefetch is full librdkafka sleeps this long before it fetches on: its 1 s stalls a fast reader.
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.error.backoff.ms", "100"),
];

fn with_defaults(role: &[(&str, &str)]) -> Translated {
    let mut out = Translated::default();
    for (key, value) in COMMON_DEFAULTS.iter().chain(role) {
        out.put_default(key, value);
    }
    out
}

enum Rule {
    /// The same value under this native name.
    Rename(&'static str),
    /// The same value under the same name.
    Pass,
    /// A value of its own kind.
    Special(fn(&mut Translated, &str, &str) -> Result<(), ClientError>),
    /// Honoured somewhere else; nothing to say.
    Elsewhere,
    /// No counterpart: named once.
    Unmapped(&'static str),
}

struct Row {
    key: &'static str,
    producer: bool,
    consumer: bool,
    rule: Rule,
}

const fn both(key: &'static str, rule: Rule) -> Row {
    Row {
        key,
        producer: true,
        consumer: true,
        rule,
    }
}

const fn producer(key: &'static str, rule: Rule) -> Row {
    Row {
        key,
        producer: true,
        consumer: false,
        rule,
    }
}

const fn consumer(key: &'static str, rule: Rule) -> Row {
    Row {
        key,
        producer: false,
        consumer: true,
        rule,
    }
}

const NO_INTERCEPTORS: &str = "Java interceptors cannot run here";
const NO_REPORTERS: &str = "Java metric reporters cannot run here; metrics are served as Prometheus text";
const BYTES_ONLY: &str = "records are bytes here; converters do the serialisation";

const ROWS: &[Row] = &[
    both("bootstrap.servers", Rule::Special(bootstrap)),
    both("client.id", Rule::Pass),
    both("client.rack", Rule::Pass),
    both("client.dns.lookup", Rule::Pass),
    both("metadata.max.age.ms", Rule::Special(metadata_max_age)),
    both("metadata.recovery.strategy", Rule::Special(lower_case)),
    both("metadata.recovery.rebootstrap.trigger.ms", Rule::Pass),
    both("reconnect.backoff.ms", Rule::Pass),
    both("reconnect.backoff.max.ms", Rule::Pass),
    both("retry.backoff.ms", Rule::Special(at_least_one)),
    both("retry.backoff.max.ms", Rule::Special(at_least_one)),
    both("request.timeout.ms", Rule::Special(request_timeout)),
    both("connections.max.idle.ms", Rule::Special(minus_one_is_zero)),
    both("socket.connection.setup.timeout.ms", Rule::Pass),
    both(
        "socket.connection.setup.timeout.max.ms",
        Rule::Unmapped("connection attempts do not grow in time"),
    ),
    both("send.buffer.bytes", Rule::Special(send_buffer)),
    both("receive.buffer.bytes", Rule::Special(receive_buffer)),
    both("enable.metrics.push", Rule::Pass),
    both("interceptor.classes", Rule::Unmapped(NO_INTERCEPTORS)),
    both("metric.reporters", Rule::Unmapped(NO_REPORTERS)),
    both("auto.include.jmx.reporter", Rule::Unmapped(NO_REPORTERS)),
    both("metrics.num.samples", Rule::Unmapped(NO_REPORTERS)),
    both("metrics.recording.level", Rule::Unmapped(NO_REPORTERS)),
    both("metrics.sample.window.ms", Rule::Unmapped(NO_REPORTERS)),
    producer("key.serializer", Rule::Special(bytes_only)),
    producer("value.serializer", Rule::Special(bytes_only)),
    producer("acks", Rule::Special(acks)),
    producer("retries", Rule::Pass),
    producer("linger.ms", Rule::Pass),
    producer("batch.size", Rule::Special(at_least_one)),
    producer("buffer.memory", Rule::Special(buffer_memory)),
    producer("max.block.ms", Rule::Special(max_block)),
    producer("max.request.size", Rule::Rename("message.max.bytes")),
    producer("delivery.timeout.ms", Rule::Special(delivery_timeout)),
    producer("max.in.flight.requests.per.connection", Rule::Pass),
    producer("enable.idempotence", Rule::Special(lower_case)),
    producer("transactional.id", Rule::Pass),
    producer("transaction.timeout.ms", Rule::Pass),
    producer(
        "transaction.two.phase.commit.enable",
        Rule::Unmapped("two-phase commit is not offered"),
    ),
    producer("compression.type", Rule::Special(lower_case)),
    producer("compression.gzip.level", Rule::Elsewhere),
    producer("compression.lz4.level", Rule::Elsewhere),
    producer("compression.zstd.level", Rule::Elsewhere),
    producer("partitioner.class", Rule::Special(partitioner_class)),
    producer("partitioner.ignore.keys", Rule::Special(partitioner_ignore_keys)),
    producer(
        "partitioner.adaptive.partitioning.enable",
        Rule::Unmapped("partitions are not chosen by broker load"),
    ),
    producer(
        "partitioner.availability.timeout.ms",
        Rule::Unmapped("partitions are not chosen by broker load"),
    ),
    producer(
        "metadata.max.idle.ms",
        Rule::Unmapped("unused topics stay in the metadata cache"),
    ),
    consumer("key.deserializer", Rule::Special(bytes_only)),
    consumer("value.deserializer", Rule::Special(bytes_only)),
    consumer("group.id", Rule::Pass),
    consumer("group.instance.id", Rule::Pass),
    consumer("group.protocol", Rule::Special(lower_case)),
    consumer("group.remote.assignor", Rule::Pass),
    consumer("session.timeout.ms", Rule::Pass),
    consumer("heartbeat.interval.ms", Rule::Pass),
    consumer("max.poll.interval.ms", Rule::Pass),
    consumer("max.poll.records", Rule::Special(max_poll_records)),
    consumer("partition.assignment.strategy", Rule::Special(assignors)),
    consumer("auto.offset.reset", Rule::Special(offset_reset)),
    consumer("enable.auto.commit", Rule::Special(auto_commit)),
    consumer(
        "auto.commit.interval.ms",
        Rule::Unmapped("offsets are committed by the task"),
    ),
    consumer("isolation.level", Rule::Special(lower_case)),
    consumer("allow.auto.create.topics", Rule::Special(lower_case)),
    consumer("check.crcs", Rule::Special(lower_case)),
    consumer("fetch.min.bytes", Rule::Special(at_least_one)),
    consumer("fetch.max.bytes", Rule::Pass),
    consumer("max.partition.fetch.bytes", Rule::Rename("fetch.message.max.bytes")),
    consumer("fetch.max.wait.ms", Rule::Rename("fetch.wait.max.ms")),
    consumer("default.api.timeout.ms", Rule::Special(api_timeout)),
    consumer(
        "exclude.internal.topics",
        Rule::Unmapped("subscriptions name their topics"),
    ),
    consumer(
        "share.acknowledgement.mode",
        Rule::Unmapped("share groups are not used"),
    ),
];

fn apply(out: &mut Translated, properties: &Properties, role: Role) -> Result<(), ClientError> {
    for (key, value) in properties.iter() {
        if security::is_security_key(key) {
            continue;
        }
        let row = ROWS.iter().find(|row| {
            row.key == key
                && if role == Role::Producer {
                    row.producer
                } else {
                    row.consumer
                }
        });
        let value = value.trim();
        match row.map(|row| &row.rule) {
            Some(Rule::Pass) => out.put(key, key, value),
            Some(Rule::Rename(native)) => out.put(key, native, value),
            Some(Rule::Special(translate)) => translate(out, key, value)?,
            Some(Rule::Elsewhere) => {}
            Some(Rule::Unmapped(reason)) => out.warn(key, reason),
            None => out.warn(key, "not a known client setting"),
        }
    }
    Ok(())
}

fn number(key: &str, value: &str) -> Result<i64, ClientError> {
    value
        .parse()
        .map_err(|_| ClientError::config(key, value, "must be a whole number"))
}

// Connect always asks for bytes; anything else has no counterpart.
fn bytes_only(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    if !value.starts_with("org.apache.kafka.common.serialization.ByteArray") {
        out.warn(key, BYTES_ONLY);
    }
    Ok(())
}

fn bootstrap(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    if value.is_empty() {
        return Err(ClientError::config(key, value, "must name at least one host:port"));
    }
    out.put(key, key, value);
    Ok(())
}

fn lower_case(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.put(key, key, value.to_ascii_lowercase());
    Ok(())
}

// Java allows 0 where librdkafka starts at 1.
fn at_least_one(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.put(key, key, number(key, value)?.max(1).to_string());
    Ok(())
}

fn minus_one_is_zero(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.put(key, key, number(key, value)?.clamp(0, i64::from(i32::MAX)).to_string());
    Ok(())
}

fn metadata_max_age(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let age = number(key, value)?;
    out.put(
        key,
        "topic.metadata.refresh.interval.ms",
        age.min(3_600_000).to_string(),
    );
    out.put(key, key, age.clamp(1, 86_400_000).to_string());
    Ok(())
}

fn request_timeout(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let timeout = number(key, value)?;
    out.put(key, "socket.timeout.ms", timeout.clamp(10, 300_000).to_string());
    if out.entries.contains_key("acks") {
        out.put(key, key, timeout.clamp(1, 900_000).to_string());
    }
    Ok(())
}

fn send_buffer(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.put(key, "socket.send.buffer.bytes", number(key, value)?.max(0).to_string());
    Ok(())
}

fn receive_buffer(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.put(
        key,
        "socket.receive.buffer.bytes",
        number(key, value)?.max(0).to_string(),
    );
    Ok(())
}

fn acks(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    match value {
        "all" | "-1" => out.put(key, key, "-1"),
        "0" | "1" => out.put(key, key, value),
        _ => {
            return Err(ClientError::config(key, value, "must be one of: all, -1, 0, 1"));
        }
    }
    Ok(())
}

fn buffer_memory(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let kbytes = number(key, value)?.div_euclid(1024).clamp(1, i64::from(i32::MAX));
    out.put(key, "queue.buffering.max.kbytes", kbytes.to_string());
    Ok(())
}

fn max_block(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.max_block_ms =
        Some(u64::try_from(number(key, value)?).map_err(|_| ClientError::config(key, value, "must be at least 0"))?);
    Ok(())
}

fn delivery_timeout(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let timeout = number(key, value)?;
    // Connect asks for "for ever" with the largest int; librdkafka writes that as 0.
    let native = if timeout >= i64::from(i32::MAX) {
        0
    } else {
        timeout.max(1)
    };
    out.put(key, "message.timeout.ms", native.to_string());
    Ok(())
}

fn partitioner_class(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let native = match value {
        "" | "org.apache.kafka.clients.producer.internals.DefaultPartitioner" => "murmur2_random",
        "org.apache.kafka.clients.producer.UniformStickyPartitioner"
        | "org.apache.kafka.clients.producer.RoundRobinPartitioner" => "random",
        _ => {
            return Err(ClientError::config(
                key,
                value,
                "Java partitioner classes cannot run here; leave it out for murmur2",
            ));
        }
    };
    out.put(key, "partitioner", native);
    Ok(())
}

fn partitioner_ignore_keys(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    if value.eq_ignore_ascii_case("true") {
        out.put(key, "partitioner", "random");
    }
    Ok(())
}

fn max_poll_records(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let records = usize::try_from(number(key, value)?).ok().filter(|records| *records > 0);
    out.max_poll_records = Some(records.ok_or_else(|| ClientError::config(key, value, "must be at least 1"))?);
    Ok(())
}

fn api_timeout(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    out.api_timeout_ms = u64::try_from(number(key, value)?).ok();
    Ok(())
}

fn assignors(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    const PACKAGE: &str = "org.apache.kafka.clients.consumer.";
    let (mut eager, mut cooperative) = (Vec::new(), Vec::new());
    for class in value.split(',').map(str::trim).filter(|class| !class.is_empty()) {
        match class.strip_prefix(PACKAGE).unwrap_or(class) {
            "RangeAssignor" | "range" => eager.push("range"),
            "RoundRobinAssignor" | "roundrobin" => eager.push("roundrobin"),
            "CooperativeStickyAssignor" | "cooperative-sticky" => cooperative.push("cooperative-sticky"),
            _ => {
                let right = "must be RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor";
                return Err(ClientError::config(key, class, right));
            }
        }
    }
    // Java's default lists range and cooperative-sticky and acts as range; librdkafka refuses a mix.
    if !eager.is_empty() && !cooperative.is_empty() {
        out.warnings.push(format!(
            "configuration {key}: eager assignors are used, CooperativeStickyAssignor is left out"
        ));
    }
    let chosen = if eager.is_empty() { cooperative } else { eager };
    if chosen.is_empty() {
        return Err(ClientError::config(key, value, "must name at least one assignor"));
    }
    out.put(key, key, chosen.join(","));
    Ok(())
}

fn offset_reset(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    let native = match value.to_ascii_lowercase().as_str() {
        "earliest" => "earliest",
        "latest" => "latest",
        "none" => "error",
        _ => {
            return Err(ClientError::config(
                key,
                value,
                "must be one of: earliest, latest, none",
            ));
        }
    };
    out.put(key, key, native);
    Ok(())
}

fn auto_commit(out: &mut Translated, key: &str, value: &str) -> Result<(), ClientError> {
    if value.eq_ignore_ascii_case("true") {
        out.warn(key, "offsets are committed by the task once its records are safe");
    }
    Ok(())
}

// Java turns idempotence off silently when another setting rules it out and it was not asked for by name.
fn settle_idempotence(out: &mut Translated, properties: &Properties) {
    let in_flight = properties
        .get("max.in.flight.requests.per.connection")
        .and_then(|value| value.trim().parse::<u32>().ok());
    if properties.get("enable.idempotence").is_none() {
        let is_possible = out.native("acks") == Some("-1")
            && out.native("retries") != Some("0")
            && in_flight.is_none_or(|count| count <= 5);
        out.put_default("enable.idempotence", if is_possible { "true" } else { "false" });
    }
    if in_flight.is_none() {
        // Without sequence numbers a retried request could overtake: one at a time keeps the order.
        let keeps_order = out.native("enable.idempotence") == Some("true") || out.native("retries") == Some("0");
        out.put_default(
            "max.in.flight.requests.per.connection",
            if keeps_order { "5" } else { "1" },
        );
    }
}

// librdkafka refuses times that outlast the transaction; Java lets the coordinator's timeout end them.
fn settle_transactions(out: &mut Translated) {
    const TIMEOUT_DEFAULT: i64 = 60_000;
    if out.native("transactional.id").is_none() {
        return;
    }
    let millis = |out: &Translated, key: &str| out.native(key).and_then(|value| value.parse::<i64>().ok());
    let timeout = millis(out, "transaction.timeout.ms").unwrap_or(TIMEOUT_DEFAULT);
    for key in ["message.timeout.ms", "socket.timeout.ms", "request.timeout.ms"] {
        if millis(out, key).is_some_and(|value| value > timeout) {
            out.put_default(key, &timeout.to_string());
        }
    }
}

fn settle_compression(out: &mut Translated, properties: &Properties) {
    let key = match out.native("compression.type") {
        Some("gzip") => "compression.gzip.level",
        Some("lz4") => "compression.lz4.level",
        Some("zstd") => "compression.zstd.level",
        _ => return,
    };
    if let Some(level) = properties.get(key) {
        out.put(key, "compression.level", level.trim());
    }
}

fn settle_group_protocol(out: &mut Translated, properties: &Properties) {
    if out.native("group.protocol") != Some("consumer") {
        return;
    }
    for key in [
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "partition.assignment.strategy",
    ] {
        out.entries.remove(key);
        if properties.get(key).is_some() {
            out.warn(key, "the broker decides it with group.protocol=consumer");
        }
    }
}

// librdkafka refuses a fetch larger than what it would receive.
fn settle_fetch_bytes(out: &mut Translated) {
    const RECEIVE_DEFAULT: i64 = 100_000_000;
    const OVERHEAD: i64 = 512;
    let fetch = out
        .native("fetch.max.bytes")
        .and_then(|value| value.parse::<i64>().ok())
        .unwrap_or(0);
    if fetch.saturating_add(OVERHEAD) > RECEIVE_DEFAULT {
        let fetch = fetch.min(i64::from(i32::MAX) - OVERHEAD);
        out.put("fetch.max.bytes", "fetch.max.bytes", fetch.to_string());
        out.put(
            "fetch.max.bytes",
            "receive.message.max.bytes",
            (fetch + OVERHEAD).to_string(),
        );
    }
}

#[cfg(test)]
mod tests;
