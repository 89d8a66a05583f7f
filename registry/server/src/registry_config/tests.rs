use super::*;

/// What Confluent ships, comments off.
const STOCK: &str = "listeners=http://0.0.0.0:8081\nkafkastore.bootstrap.servers=PLAINTEXT://localhost:9092\n\
                     kafkastore.topic=_schemas\ndebug=false\n";

fn read(text: &str) -> Result<(RegistryConfig, Vec<String>), RegistryError> {
    let minimal = "kafkastore.bootstrap.servers=h:1\n";
    RegistryConfig::from_properties(&Properties::parse(&format!("{minimal}{text}")).unwrap())
}

#[track_caller]
fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn the_stock_file_is_read() {
    let (config, warnings) = RegistryConfig::from_properties(&Properties::parse(STOCK).unwrap()).unwrap();
    assert_eq!(config.listeners[0].bind_address(), "0.0.0.0:8081");
    assert_eq!(config.topic.wire.bootstrap, ["localhost:9092"]);
    assert_eq!(
        (config.topic.topic.name.as_str(), config.topic.topic.replication_factor),
        ("_schemas", 3)
    );
    assert_eq!(config.topic.write_timeout, Duration::from_millis(3000));
    assert_eq!(config.topic.wire.api_timeout, Duration::from_secs(60));
    assert_eq!(config.decisions.default_level, Level::Backward);
    assert_eq!(
        config.decisions.limits.schemas,
        SearchLimit {
            default: 1000,
            max: 1000
        }
    );
    assert_eq!(config.group_id, "schema-registry");
    assert_eq!(
        warnings,
        ["property debug has no effect: logging is set with --log-level"]
    );
}

#[test]
fn servers_and_listeners_take_every_form() {
    let text = "kafkastore.bootstrap.servers=a:1, PLAINTEXT://b:2,plaintext://c:3\n\
                listeners=http://:0,public://[::1]:8082\nlistener.protocol.map=public:http\n";
    let (config, _) = RegistryConfig::from_properties(&Properties::parse(text).unwrap()).unwrap();
    assert_eq!(config.topic.wire.bootstrap, ["a:1", "b:2", "c:3"]);
    let secured = "kafkastore.bootstrap.servers=SSL://h:1\nkafkastore.security.protocol=SSL\nlisteners=http://:0\n";
    let (second, _) = RegistryConfig::from_properties(&Properties::parse(secured).unwrap()).unwrap();
    assert_eq!(second.topic.wire.bootstrap, ["h:1"]);
    let addresses: Vec<String> = config.listeners.iter().map(Listener::bind_address).collect();
    assert_eq!(addresses, ["0.0.0.0:0", "[::1]:8082"]);
}

#[test]
fn topic_settings_pass_through_but_for_the_cleanup_policy() {
    let text = "kafkastore.topic.config.min.insync.replicas=2\nkafkastore.topic.config.cleanup.policy=delete\n\
                kafkastore.request.timeout.ms=1234\n";
    let (config, warnings) = read(text).unwrap();
    assert_eq!(
        config.topic.topic.configs,
        [
            ("cleanup.policy".to_owned(), "compact".to_owned()),
            ("min.insync.replicas".to_owned(), "2".to_owned())
        ]
    );
    assert_eq!(config.topic.wire.request_timeout, Duration::from_millis(1234));
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn the_old_name_of_the_level_counts_unless_the_new_one_is_there() {
    let level = |text: &str| read(text).unwrap().0.decisions.default_level;
    assert_eq!(level("avro.compatibility.level=full"), Level::Full);
    assert_eq!(
        level("avro.compatibility.level=full\nschema.compatibility.level=NONE"),
        Level::None
    );
    assert!(refused("schema.compatibility.level=sideways").contains("schema.compatibility.level"));
}

#[test]
fn what_promises_safety_and_is_not_built_is_refused_by_name() {
    for (text, key, part) in [
        ("authentication.method=BASIC", "authentication.method", "not built yet"),
        ("listeners=https://0.0.0.0:8081", "listeners", "https is not built yet"),
        (
            "listeners=a://h:1\nlistener.protocol.map=a:https",
            "listeners",
            "https is not built yet",
        ),
        (
            "ssl.keystore.location=/k.jks",
            "ssl.keystore.location",
            "TLS is not built yet",
        ),
        (
            "ssl.client.authentication=REQUIRED",
            "ssl.client.authentication",
            "TLS is not built yet",
        ),
        (
            "kafkastore.security.protocol=SASL_SSL\nkafkastore.sasl.mechanism=PLAIN",
            "kafkastore.sasl.jaas.config",
            "is required",
        ),
        (
            "kafkastore.bootstrap.servers=SSL://h:1",
            "kafkastore.bootstrap.servers",
            "SSL is not kafkastore.security.protocol",
        ),
        (
            "metadata.encoder.secret=hunter2",
            "metadata.encoder.secret",
            "cannot be encrypted yet",
        ),
        ("leader.eligibility=false", "leader.eligibility", "this one must"),
        ("master.eligibility=false", "leader.eligibility", "this one must"),
        ("inter.instance.protocol=https", "inter.instance.protocol", "http"),
    ] {
        let error = refused(text);
        assert!(
            error.contains(key) && error.contains(part) && !error.contains("hunter2"),
            "{text}: {error}"
        );
    }
    read("ssl.client.authentication=NONE\nssl.keystore.location=\nauthentication.method=none").unwrap();
}

#[test]
fn wrong_values_name_their_key() {
    for (text, key) in [
        ("listeners=", "listeners"),
        ("listeners=8081", "listeners"),
        ("listeners=http://h:99999", "listeners"),
        ("listeners=ftp://h:1", "listeners"),
        ("listener.protocol.map=x", "listener.protocol.map"),
        ("kafkastore.timeout.ms=soon", "kafkastore.timeout.ms"),
        ("kafkastore.bootstrap.servers=", "kafkastore.bootstrap.servers"),
        (
            "kafkastore.topic.replication.factor=0",
            "kafkastore.topic.replication.factor",
        ),
        ("mode.mutability=perhaps", "mode.mutability"),
    ] {
        let error = refused(text);
        assert!(error.contains(key), "{text}: {error}");
    }
    let missing = RegistryConfig::from_properties(&Properties::new())
        .unwrap_err()
        .to_string();
    assert!(missing.contains("kafkastore.bootstrap.servers"), "{missing}");
}

#[test]
fn unknown_keys_are_warned_about_with_the_nearest_known_one() {
    let text = "listenners=http://h:1\nnobody.knows=1\nkafkastore.sasl.mechanism=PLAIN\nkafkastore.timeout.m=1\n\
                kafkastore.connection.url=zk:2181\nresource.extension.class=io.X\n";
    assert_eq!(
        read(text).unwrap().1,
        [
            "unknown property listenners, did you mean listeners?",
            "unknown property nobody.knows",
            "unknown property kafkastore.timeout.m, did you mean kafkastore.timeout.ms?",
            "property kafkastore.connection.url has no effect: ZooKeeper is not used",
            "property resource.extension.class has no effect: Java classes cannot run here",
        ]
    );
}

#[test]
fn the_body_limit_binds_when_its_filter_is_on() {
    let limit = |text: &str| read(text).unwrap().0.http.max_body_bytes;
    assert_eq!(limit("max.request.body.size=10"), MAX_BODY_BYTES);
    assert_eq!(limit("max.request.body.size=10\nsize.limit.filter.enabled=true"), 10);
}
