//! Worker option tables: common, REST, clients, distributed, standalone.
//!
//! One row an option: name, type, default, importance, validators, text. Typed settings made
//! from them are in `worker_config.rs`; connector options are in `connector_config.rs`.
//! Names and defaults follow `WorkerConfig`, `DistributedConfig`, `StandaloneConfig` (4.3).

use weir_config::def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator};

use crate::restart;

use ConfigType::{Boolean, Class, Double, Int, List, Long, Password, Short, Text};
use Importance::{High, Low, Medium};

/// Is the default of an option that has none.
const REQUIRED: Option<&str> = Some("\0required");
const NULL: Option<&str> = None;

type Row = (&'static str, ConfigType, Option<&'static str>, Importance, &'static str);

/// Options that both modes share (connect.md B.1).
#[rustfmt::skip]
const COMMON: &[Row] = &[
    ("bootstrap.servers", List, REQUIRED, High, "Brokers (host:port, comma separated) first contacted by the worker and by the clients of its connectors."),
    ("client.dns.lookup", Text, Some("use_all_dns_ips"), Medium, "How broker names are resolved: try every address, or first expand each bootstrap name to its canonical names."),
    ("key.converter", Class, REQUIRED, High, "Converter of record keys for connectors that set none themselves."),
    ("key.converter.plugin.version", Text, NULL, Low, "Version range of the key converter."),
    ("value.converter", Class, REQUIRED, High, "Converter of record values for connectors that set none themselves."),
    ("value.converter.plugin.version", Text, NULL, Low, "Version range of the value converter."),
    ("task.shutdown.graceful.timeout.ms", Long, Some("5000"), Low, "Time all tasks together get to stop by themselves before they are cancelled."),
    ("offset.flush.interval.ms", Long, Some("60000"), Low, "How often tasks commit their offsets."),
    ("offset.flush.timeout.ms", Long, Some("5000"), Low, "Longest time one offset commit may take; after it the same offsets are tried again at the next interval."),
    ("plugin.path", List, NULL, Low, "Directories or component files in which plugins are looked for."),
    ("plugin.discovery", Text, Some("hybrid_warn"), Low, "Accepted for compatibility: components describe themselves, so there is one way to find them."),
    ("metrics.sample.window.ms", Long, Some("30000"), Low, "Width of one window of a sampled metric."),
    ("metrics.num.samples", Int, Some("2"), Low, "Windows kept for a sampled metric."),
    ("metrics.recording.level", Text, Some("INFO"), Low, "Most detailed level of metrics recorded."),
    ("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), Low, "Accepted for compatibility: metrics are served over HTTP."),
    ("header.converter", Class, Some("org.apache.kafka.connect.storage.SimpleHeaderConverter"), Low, "Converter of record headers for connectors that set none themselves."),
    ("header.converter.plugin.version", Text, NULL, Low, "Version range of the header converter."),
    ("config.providers", List, Some(""), Low, "Names of providers that fill in ${provider:path:key} variables. config.providers.NAME.class is the class of one, config.providers.NAME.param.* are its options; with param.ttl.ms its values are looked up again after that time, and connectors whose values have changed are restarted."),
    ("connector.client.config.override.policy", Text, Some("All"), Medium, "Which client settings a connector may override: All, None, Principal or Allowlist."),
    ("connector.client.config.override.allowlist", List, Some(""), Medium, "Client settings a connector may override under the Allowlist policy, without prefix."),
    ("topic.creation.enable", Boolean, Some("true"), Low, "Whether the topic.creation.* rules of source connectors are followed."),
    ("topic.tracking.enable", Boolean, Some("true"), Low, "Whether the topics a connector uses are recorded."),
    ("topic.tracking.allow.reset", Boolean, Some("true"), Low, "Whether the recorded topics of a connector may be reset."),
];

/// REST interface (connect.md B.2).
#[rustfmt::skip]
const REST: &[Row] = &[
    ("listeners", List, Some("http://:8083"), Low, "Addresses on which REST is served."),
    ("rest.advertised.host.name", Text, NULL, Low, "Host name that other workers are told to use."),
    ("rest.advertised.port", Int, NULL, Low, "Port that other workers are told to use."),
    ("rest.advertised.listener", Text, NULL, Low, "Protocol (http or https) that other workers are told to use."),
    ("access.control.allow.origin", Text, Some(""), Low, "Origins that browsers may call the REST interface from; empty for none."),
    ("access.control.allow.methods", Text, Some(""), Low, "Methods that cross-origin requests may use."),
    ("response.http.headers.config", Text, Some(""), Low, "Rules for headers added to every response."),
    ("ssl.client.auth", Text, Some("none"), Low, "Whether REST over TLS asks for client certificates: none, requested, required."),
    ("rest.extension.classes", List, Some(""), Low, "REST extensions: org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension is built in, others cannot be loaded."),
    ("admin.listeners", List, NULL, Low, "Addresses of the admin endpoints; unset to serve them with the others, empty to serve none."),
];

/// TLS of clients, and of REST where no `listeners.https.` key is set (connect.md B.3).
#[rustfmt::skip]
const TLS: &[Row] = &[
    ("ssl.protocol", Text, Some("TLSv1.3"), Medium, "Highest TLS version."),
    ("ssl.provider", Text, NULL, Medium, "Accepted for compatibility: the security provider of a JVM."),
    ("ssl.cipher.suites", List, Some(""), Low, "Cipher suites allowed; empty for the library's own."),
    ("ssl.enabled.protocols", List, Some("TLSv1.2,TLSv1.3"), Medium, "TLS versions allowed."),
    ("ssl.keystore.type", Text, Some("JKS"), Medium, "Format of the key store: JKS, PKCS12 or PEM."),
    ("ssl.keystore.location", Text, NULL, High, "File of the key store."),
    ("ssl.keystore.password", Password, NULL, High, "Password of the key store."),
    ("ssl.key.password", Password, NULL, High, "Password of the private key."),
    ("ssl.keystore.key", Password, NULL, High, "Private key as PEM text."),
    ("ssl.keystore.certificate.chain", Password, NULL, High, "Certificate chain as PEM text."),
    ("ssl.truststore.certificates", Password, NULL, High, "Trusted certificates as PEM text."),
    ("ssl.truststore.type", Text, Some("JKS"), Medium, "Format of the trust store: JKS, PKCS12 or PEM."),
    ("ssl.truststore.location", Text, NULL, High, "File of the trust store."),
    ("ssl.truststore.password", Password, NULL, High, "Password of the trust store."),
    ("ssl.keymanager.algorithm", Text, Some("SunX509"), Low, "Accepted for compatibility: the key manager of a JVM."),
    ("ssl.trustmanager.algorithm", Text, Some("PKIX"), Low, "Accepted for compatibility: the trust manager of a JVM."),
    ("ssl.endpoint.identification.algorithm", Text, Some("https"), Low, "Check of the broker's name against its certificate; empty to switch it off."),
    ("ssl.secure.random.implementation", Text, NULL, Low, "Accepted for compatibility: the random source of a JVM."),
    ("ssl.engine.factory.class", Class, NULL, Low, "Accepted for compatibility: the TLS factory of a JVM."),
];

/// SASL of the distributed worker's clients (connect.md B.3).
#[rustfmt::skip]
const SASL: &[Row] = &[
    ("security.protocol", Text, Some("PLAINTEXT"), Medium, "How brokers are spoken to: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."),
    ("sasl.mechanism", Text, Some("GSSAPI"), Medium, "SASL mechanism."),
    ("sasl.jaas.config", Password, NULL, Medium, "Login module and its options in JAAS form."),
    ("sasl.client.callback.handler.class", Class, NULL, Medium, "Accepted for compatibility: a Java class."),
    ("sasl.login.callback.handler.class", Class, NULL, Medium, "Accepted for compatibility: a Java class."),
    ("sasl.login.class", Class, NULL, Medium, "Accepted for compatibility: a Java class."),
    ("sasl.kerberos.service.name", Text, NULL, Medium, "Kerberos principal name of the brokers."),
    ("sasl.kerberos.kinit.cmd", Text, Some("/usr/bin/kinit"), Low, "Path of kinit."),
    ("sasl.kerberos.ticket.renew.window.factor", Double, Some("0.8"), Low, "Share of a ticket's life after which it is renewed."),
    ("sasl.kerberos.ticket.renew.jitter", Double, Some("0.05"), Low, "Random share added to the renewal time."),
    ("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Low, "Shortest time between two refreshes of a ticket."),
    ("sasl.login.refresh.window.factor", Double, Some("0.8"), Low, "Share of a token's life after which it is refreshed."),
    ("sasl.login.refresh.window.jitter", Double, Some("0.05"), Low, "Random share added to the refresh time."),
    ("sasl.login.refresh.min.period.seconds", Short, Some("60"), Low, "Shortest time between two refreshes of a token."),
    ("sasl.login.refresh.buffer.seconds", Short, Some("300"), Low, "Time kept free before a token expires."),
    ("sasl.login.connect.timeout.ms", Int, NULL, Low, "Connect timeout of the token provider."),
    ("sasl.login.read.timeout.ms", Int, NULL, Low, "Read timeout of the token provider."),
    ("sasl.login.retry.backoff.ms", Long, Some("100"), Low, "First wait after a failed login."),
    ("sasl.login.retry.backoff.max.ms", Long, Some("10000"), Low, "Longest wait after a failed login."),
    ("sasl.oauthbearer.jwt.retriever.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Medium, "Accepted for compatibility: a Java class."),
    ("sasl.oauthbearer.jwt.validator.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Medium, "Accepted for compatibility: a Java class."),
    ("sasl.oauthbearer.scope", Text, NULL, Medium, "Scope asked of the token endpoint."),
    ("sasl.oauthbearer.client.credentials.client.id", Text, NULL, Medium, "Client id shown to the token endpoint."),
    ("sasl.oauthbearer.client.credentials.client.secret", Password, NULL, Medium, "Client secret shown to the token endpoint."),
    ("sasl.oauthbearer.assertion.algorithm", Text, Some("RS256"), Medium, "Signature of an assertion: RS256 or ES256."),
    ("sasl.oauthbearer.assertion.claim.aud", Text, NULL, Medium, "Audience claim of an assertion."),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Some("300"), Low, "Life of an assertion in seconds."),
    ("sasl.oauthbearer.assertion.claim.iss", Text, NULL, Medium, "Issuer claim of an assertion."),
    ("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Some("false"), Medium, "Whether an assertion carries a unique id."),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Some("60"), Low, "Seconds before now from which an assertion counts."),
    ("sasl.oauthbearer.assertion.claim.sub", Text, NULL, Medium, "Subject claim of an assertion."),
    ("sasl.oauthbearer.assertion.file", Text, NULL, Medium, "File that holds a ready assertion."),
    ("sasl.oauthbearer.assertion.private.key.file", Text, NULL, Medium, "File of the key that signs assertions."),
    ("sasl.oauthbearer.assertion.private.key.passphrase", Password, NULL, Medium, "Passphrase of the key that signs assertions."),
    ("sasl.oauthbearer.assertion.template.file", Text, NULL, Medium, "File with further claims of an assertion."),
    ("sasl.oauthbearer.scope.claim.name", Text, Some("scope"), Low, "Name of the scope claim."),
    ("sasl.oauthbearer.sub.claim.name", Text, Some("sub"), Low, "Name of the subject claim."),
    ("sasl.oauthbearer.token.endpoint.url", Text, NULL, Medium, "Address of the token endpoint."),
    ("sasl.oauthbearer.jwks.endpoint.url", Text, NULL, Medium, "Address of the key set."),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Some("3600000"), Low, "How often the key set is fetched again."),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Some("100"), Low, "First wait after a failed fetch of the key set."),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Some("10000"), Low, "Longest wait after a failed fetch of the key set."),
    ("sasl.oauthbearer.clock.skew.seconds", Int, Some("30"), Low, "Difference of clocks allowed for."),
    ("sasl.oauthbearer.expected.audience", List, Some(""), High, "Audiences a token must name one of."),
    ("sasl.oauthbearer.expected.issuer", Text, NULL, High, "Issuer a token must name."),
    ("sasl.oauthbearer.header.urlencode", Boolean, Some("false"), Low, "Whether client id and secret are URL-encoded in the request header."),
];

/// Group membership and internal topics (connect.md B.4).
#[rustfmt::skip]
const DISTRIBUTED: &[Row] = &[
    ("group.id", Text, REQUIRED, High, "Name of this Connect cluster; must differ from every consumer group."),
    ("session.timeout.ms", Int, Some("10000"), High, "Time without a heartbeat after which a worker counts as gone."),
    ("rebalance.timeout.ms", Int, Some("60000"), High, "Time a worker gets to join once a rebalance began."),
    ("heartbeat.interval.ms", Int, Some("3000"), High, "Time between heartbeats to the group coordinator."),
    ("exactly.once.source.support", Text, Some("disabled"), High, "Exactly-once delivery of source connectors: disabled, preparing or enabled."),
    ("metadata.max.age.ms", Long, Some("300000"), Low, "Age after which cluster metadata is fetched again."),
    ("client.id", Text, Some(""), Low, "Part of the client ids shown to brokers."),
    ("send.buffer.bytes", Int, Some("131072"), Medium, "Size of the TCP send buffer; -1 for the system's."),
    ("receive.buffer.bytes", Int, Some("32768"), Medium, "Size of the TCP receive buffer; -1 for the system's."),
    ("reconnect.backoff.ms", Long, Some("50"), Low, "First wait before connecting to a broker again."),
    ("reconnect.backoff.max.ms", Long, Some("1000"), Low, "Longest wait before connecting to a broker again."),
    ("socket.connection.setup.timeout.ms", Long, Some("10000"), Low, "First limit on setting up a connection."),
    ("socket.connection.setup.timeout.max.ms", Long, Some("30000"), Low, "Longest limit on setting up a connection."),
    ("retry.backoff.ms", Long, Some("100"), Low, "First wait before a failed request is sent again."),
    ("retry.backoff.max.ms", Long, Some("1000"), Low, "Longest wait before a failed request is sent again."),
    ("request.timeout.ms", Int, Some("40000"), Medium, "Longest wait for the answer to a request."),
    ("connections.max.idle.ms", Long, Some("540000"), Medium, "Idle time after which a connection is closed."),
    ("worker.sync.timeout.ms", Int, Some("3000"), Medium, "Longest wait for this worker to catch up with the config topic."),
    ("worker.unsync.backoff.ms", Int, Some("300000"), Medium, "Wait outside the group after failing to catch up."),
    ("offset.storage.topic", Text, REQUIRED, High, "Topic of source offsets."),
    ("offset.storage.partitions", Int, Some("25"), Low, "Partitions of the offset topic when it is created; -1 for the broker's default."),
    ("offset.storage.replication.factor", Short, Some("3"), Low, "Replicas of the offset topic when it is created; -1 for the broker's default."),
    ("config.storage.topic", Text, REQUIRED, High, "Topic of connector configurations."),
    ("config.storage.replication.factor", Short, Some("3"), Low, "Replicas of the config topic when it is created; -1 for the broker's default."),
    ("status.storage.topic", Text, REQUIRED, High, "Topic of connector and task statuses."),
    ("status.storage.partitions", Int, Some("5"), Low, "Partitions of the status topic when it is created; -1 for the broker's default."),
    ("status.storage.replication.factor", Short, Some("3"), Low, "Replicas of the status topic when it is created; -1 for the broker's default."),
    ("connect.protocol", Text, Some("sessioned"), Low, "Group protocol: eager, compatible or sessioned."),
    ("scheduled.rebalance.max.delay.ms", Int, Some("300000"), Low, "How long the work of a lost worker waits for its return."),
    ("inter.worker.key.ttl.ms", Int, Some("3600000"), Low, "Life of a session key; 0 to keep it for good."),
    ("inter.worker.key.generation.algorithm", Text, Some("HmacSHA256"), Low, "Algorithm that session keys are made for."),
    ("inter.worker.key.size", Int, NULL, Low, "Bits of a session key."),
    ("inter.worker.signature.algorithm", Text, Some("HmacSHA256"), Low, "Algorithm that signs requests between workers."),
    ("inter.worker.verification.algorithms", List, Some("HmacSHA256"), Low, "Signature algorithms accepted from other workers."),
    ("metadata.recovery.strategy", Text, Some("rebootstrap"), Low, "What a client does when no known broker answers: rebootstrap or none."),
    ("metadata.recovery.rebootstrap.trigger.ms", Long, Some("300000"), Low, "Time without fresh metadata after which a client bootstraps anew."),
];

/// Standalone mode (connect.md B.5).
#[rustfmt::skip]
const STANDALONE: &[Row] = &[(
    "offset.storage.file.filename",
    Text,
    REQUIRED,
    High,
    "File in which source offsets are kept.",
)];

/// Weir's own; `weir.grants.CLASS` and `weir.http.budget.HOST` are prefixes (docs/plugins.md).
#[rustfmt::skip]
const WEIR: &[Row] = &[
    ("weir.rest.login.config", Text, NULL, Low, "JAAS file of basic authentication, with a login KafkaConnect whose PropertyFileLoginModule names the file of users; Java takes it from the system property java.security.auth.login.config, which is looked for in KAFKA_OPTS when this is unset."),
    ("weir.file.roots", List, NULL, Low, "Directories below which plugins may be granted files; null for anywhere."),
    ("weir.http.proxy", Text, NULL, Low, "Proxy (http or https URL) of the HTTP requests of plugins whose connector names none; not used for this machine."),
    ("weir.http.ssl.ca.location", Text, NULL, Low, "PEM file with certificates that HTTP requests of plugins trust besides the machine's."),
    ("weir.restart.policy", Text, Some("retriable"), Low, restart::POLICY_DOC),
    ("weir.restart.backoff.ms", Long, Some("5000"), Low, restart::BACKOFF_DOC),
    ("weir.restart.backoff.max.ms", Long, Some("600000"), Low, restart::BACKOFF_MAX_DOC),
    ("weir.stall.timeout.ms", Long, Some("300000"), Low, "Time after which a running task that has not returned from a call, or whose records nobody acknowledges, is shown and logged as standing still; 0 for never."),
];

/// Returns the options of a distributed worker.
pub fn distributed_def() -> ConfigDef {
    def_of(&[COMMON, TLS, REST, SASL, DISTRIBUTED, WEIR])
}

/// Returns the options of a standalone worker.
pub fn standalone_def() -> ConfigDef {
    def_of(&[COMMON, TLS, REST, STANDALONE, WEIR])
}

/// Options whose value has no effect here, with the reason that is logged once when one is set.
#[rustfmt::skip]
pub const ACCEPTED_WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("plugin.discovery", "plugins are components that describe themselves"),
    ("metric.reporters", "metrics are served over HTTP, not over JMX"),
    ("internal.key.converter", "internal topics always use JSON without schemas"),
    ("internal.value.converter", "internal topics always use JSON without schemas"),
    ("config.storage.partitions", "the config topic always has one partition"),
    ("config.storage.cleanup.policy", "internal topics are always compacted"),
    ("offset.storage.cleanup.policy", "internal topics are always compacted"),
    ("status.storage.cleanup.policy", "internal topics are always compacted"),
    ("ssl.provider", "there is no JVM security provider"),
    ("ssl.keymanager.algorithm", "there is no JVM key manager"),
    ("ssl.trustmanager.algorithm", "there is no JVM trust manager"),
    ("ssl.secure.random.implementation", "there is no JVM random source"),
    ("ssl.engine.factory.class", "Java classes cannot be loaded"),
    ("zookeeper.connect", "no ZooKeeper is used"),
];

/// Prefixes under which any key is accepted, because it is passed on.
pub const OPEN_PREFIXES: &[&str] = &[
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "internal.key.converter.",
    "internal.value.converter.",
    "producer.",
    "consumer.",
    "admin.",
    "config.providers.",
    "config.storage.",
    "offset.storage.",
    "status.storage.",
    "listeners.https.",
    "admin.listeners.https.",
    "weir.",
];

fn def_of(tables: &[&[Row]]) -> ConfigDef {
    let mut def = ConfigDef::new();
    for row in tables.iter().copied().flatten() {
        def = def.key(key_of(row));
    }
    def
}

fn key_of(row: &Row) -> ConfigKey {
    let (name, kind, default, importance, doc) = *row;
    let mut key = ConfigKey::new(name, kind).importance(importance).doc(doc);
    key = match default {
        REQUIRED => key,
        Some(value) => key.default(value),
        None => key.default_null(),
    };
    for validator in validators_of(name) {
        key = key.validator(validator);
    }
    key
}

#[rustfmt::skip]
fn validators_of(name: &str) -> Vec<Validator> {
    let one_of = Validator::one_of;
    let any_case = Validator::one_of_ignore_case;
    let at_least = |min: i32| vec![Validator::at_least(min)];
    let between = |min: &str, max: &str| vec![Validator::between(min, max)];
    match name {
        "client.dns.lookup" => vec![one_of(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"])],
        "plugin.discovery" => vec![any_case(&["ONLY_SCAN", "SERVICE_LOAD", "HYBRID_WARN", "HYBRID_FAIL"])],
        "metrics.recording.level" => vec![one_of(&["INFO", "DEBUG"])],
        "ssl.client.auth" => vec![one_of(&["required", "requested", "none"])],
        "exactly.once.source.support" => vec![any_case(&["DISABLED", "ENABLED", "PREPARING"])],
        "security.protocol" => vec![any_case(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"])],
        "connect.protocol" => vec![one_of(&["eager", "compatible", "sessioned"])],
        "metadata.recovery.strategy" => vec![any_case(&["REBOOTSTRAP", "NONE"])],
        "sasl.oauthbearer.assertion.algorithm" => vec![any_case(&["ES256", "RS256"])],
        "metrics.num.samples" => at_least(1),
        "send.buffer.bytes" | "receive.buffer.bytes" => at_least(-1),
        "metrics.sample.window.ms"
        | "metadata.max.age.ms"
        | "reconnect.backoff.ms"
        | "reconnect.backoff.max.ms"
        | "socket.connection.setup.timeout.ms"
        | "socket.connection.setup.timeout.max.ms"
        | "retry.backoff.ms"
        | "retry.backoff.max.ms"
        | "request.timeout.ms"
        | "metadata.recovery.rebootstrap.trigger.ms" => at_least(0),
        "weir.restart.policy" => vec![one_of(&["never", "retriable", "always"])],
        "weir.restart.backoff.ms" | "weir.restart.backoff.max.ms" | "weir.stall.timeout.ms" => at_least(0),
        "scheduled.rebalance.max.delay.ms" | "inter.worker.key.ttl.ms" => between("0", "2147483647"),
        "sasl.login.refresh.window.factor" => between("0.5", "1.0"),
        "sasl.login.refresh.window.jitter" => between("0.0", "0.25"),
        "sasl.login.refresh.min.period.seconds" => between("0", "900"),
        "sasl.login.refresh.buffer.seconds" => between("0", "3600"),
        "offset.storage.partitions" | "status.storage.partitions" => {
            vec![Validator::Custom("Positive number, or -1 to use the broker's default".to_owned())]
        }
        "offset.storage.replication.factor"
        | "config.storage.replication.factor"
        | "status.storage.replication.factor" => vec![Validator::Custom(
            "Positive number not larger than the number of brokers in the Kafka cluster, or -1 to use the broker's default".to_owned(),
        )],
        _ => Vec::new(),
    }
}
