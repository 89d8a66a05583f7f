//! The keys of `schema-registry.properties`
//!
//! Every key of Confluent's file is known: a row of the table, or taken without effect, with a warning that says why. The table also
//! makes the reference page. Source: `SchemaRegistryConfig`, `RestConfig`.

use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::properties::Properties;
use weir_config::suggest::nearest;
use weir_schema::level::Level;

/// Beginning of keys for the Kafka clients and the topic.
pub(crate) const STORE_PREFIX: &str = "kafkastore.";
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

/// The table.
pub(crate) fn definition() -> ConfigDef {
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
            .doc("How brokers are spoken to; stores and logins are kafkastore.ssl.* and kafkastore.sasl.*, as of any client."),
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
    def = limit_keys(def, GROUP);
    def.key(
        ConfigKey::int("schema.cache.size")
            .default("1000")
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .group(GROUP, 13)
            .doc("How many parsed schemas are kept ready; texts are always in memory."),
    )
}

fn limit_keys(mut def: ConfigDef, group: &str) -> ConfigDef {
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
                    .group(group, order)
                    .doc(&format!("Length of an answered list {words}.")),
            );
        }
    }
    def
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

/// Keys without effect with the reason, and unknown ones with the nearest known key.
pub(crate) fn warnings(definition: &ConfigDef, properties: &Properties) -> Vec<String> {
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
