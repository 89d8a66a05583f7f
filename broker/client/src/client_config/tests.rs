//! Tests of the translation, one row of the table a case.

use super::*;

fn properties(text: &str) -> Properties {
    Properties::parse(text).unwrap()
}

fn producer_value(text: &str, native: &str) -> Option<String> {
    translate_producer(&properties(text))
        .unwrap()
        .native(native)
        .map(str::to_owned)
}

fn consumer_value(text: &str, native: &str) -> Option<String> {
    translate_consumer(&properties(text))
        .unwrap()
        .native(native)
        .map(str::to_owned)
}

#[test]
fn java_defaults_are_forced() {
    let producer = translate_producer(&Properties::new()).unwrap();
    for (native, expected) in [
        ("partitioner", "murmur2_random"),
        ("enable.idempotence", "true"),
        ("max.in.flight.requests.per.connection", "5"),
        ("message.max.bytes", "1048576"),
        ("queue.buffering.max.kbytes", "32768"),
        ("message.timeout.ms", "120000"),
        ("reconnect.backoff.ms", "50"),
        ("reconnect.backoff.max.ms", "1000"),
        ("metadata.max.age.ms", "300000"),
    ] {
        assert_eq!(producer.native(native), Some(expected), "{native}");
    }
    let consumer = translate_consumer(&Properties::new()).unwrap();
    for (native, expected) in [
        ("isolation.level", "read_uncommitted"),
        ("partition.assignment.strategy", "range"),
        ("allow.auto.create.topics", "true"),
        ("check.crcs", "true"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
    ] {
        assert_eq!(consumer.native(native), Some(expected), "{native}");
    }
}

#[test]
fn producer_keys_are_translated() {
    for (text, native, expected) in [
        ("buffer.memory=67108864", "queue.buffering.max.kbytes", "65536"),
        ("buffer.memory=10", "queue.buffering.max.kbytes", "1"),
        ("max.request.size=2097152", "message.max.bytes", "2097152"),
        ("delivery.timeout.ms=2147483647", "message.timeout.ms", "0"),
        ("delivery.timeout.ms=60000", "message.timeout.ms", "60000"),
        ("acks=all", "acks", "-1"),
        ("acks=1", "enable.idempotence", "false"),
        ("acks=1", "max.in.flight.requests.per.connection", "1"),
        ("retries=0", "enable.idempotence", "false"),
        ("retries=0", "max.in.flight.requests.per.connection", "5"),
        ("max.in.flight.requests.per.connection=8", "enable.idempotence", "false"),
        ("enable.idempotence=false", "max.in.flight.requests.per.connection", "1"),
        (
            "enable.idempotence=false\nmax.in.flight.requests.per.connection=3",
            "max.in.flight.requests.per.connection",
            "3",
        ),
        ("metadata.max.age.ms=1000", "topic.metadata.refresh.interval.ms", "1000"),
        ("request.timeout.ms=40000", "socket.timeout.ms", "40000"),
        ("request.timeout.ms=40000", "request.timeout.ms", "40000"),
        (
            "compression.type=ZSTD\ncompression.zstd.level=9\ncompression.gzip.level=2",
            "compression.level",
            "9",
        ),
        ("partitioner.ignore.keys=true", "partitioner", "random"),
        (
            "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner",
            "partitioner",
            "random",
        ),
        ("send.buffer.bytes=-1", "socket.send.buffer.bytes", "0"),
        ("batch.size=0", "batch.size", "1"),
        ("retry.backoff.ms=0", "retry.backoff.ms", "1"),
    ] {
        assert_eq!(producer_value(text, native).as_deref(), Some(expected), "{text}");
    }
    let blocked = translate_producer(&properties("max.block.ms=9223372036854775807")).unwrap();
    assert_eq!(blocked.max_block_ms, Some(i64::MAX as u64));
}

#[test]
fn consumer_keys_are_translated() {
    const MIXED: &str = "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor,\
                         org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    for (text, native, expected) in [
        ("auto.offset.reset=earliest", "auto.offset.reset", "earliest"),
        ("auto.offset.reset=none", "auto.offset.reset", "error"),
        ("fetch.max.wait.ms=10", "fetch.wait.max.ms", "10"),
        ("max.partition.fetch.bytes=5", "fetch.message.max.bytes", "5"),
        ("fetch.max.bytes=2147483647", "receive.message.max.bytes", "2147483647"),
        ("fetch.max.bytes=2147483647", "fetch.max.bytes", "2147483135"),
        ("isolation.level=READ_COMMITTED", "isolation.level", "read_committed"),
        (MIXED, "partition.assignment.strategy", "range"),
        (
            "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            "partition.assignment.strategy",
            "cooperative-sticky",
        ),
        ("client.rack=r1", "client.rack", "r1"),
    ] {
        assert_eq!(consumer_value(text, native).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(
        consumer_value("group.protocol=consumer\nsession.timeout.ms=9", "session.timeout.ms"),
        None
    );
    assert_eq!(
        consumer_value("group.protocol=CONSUMER", "partition.assignment.strategy"),
        None
    );
    assert_eq!(
        translate_consumer(&properties("max.poll.records=7"))
            .unwrap()
            .max_poll_records,
        Some(7)
    );
}

#[test]
fn unmappable_keys_warn_by_name() {
    for key in [
        "interceptor.classes",
        "metric.reporters",
        "key.serializer",
        "no.such.key",
        "group.id",
    ] {
        let translated = translate_producer(&properties(&format!("{key}=x"))).unwrap();
        assert_eq!(translated.warnings.len(), 1, "{key}");
        assert!(translated.warnings[0].contains(key), "{:?}", translated.warnings);
    }
    let silent = translate_producer(&properties("acks=all\nlinger.ms=1\nclient.id=x")).unwrap();
    assert_eq!(silent.warnings, Vec::<String>::new());
}

#[track_caller]
fn check_refused(result: Result<Translated, ClientError>, key: &str, value: &str) {
    match result.unwrap_err() {
        ClientError::Config {
            key: named,
            value: shown,
            reason,
        } => {
            assert_eq!((named.as_str(), shown.as_str()), (key, value));
            assert!(!reason.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn impossible_values_are_errors_naming_key_and_value() {
    for (text, key, value) in [
        ("acks=2", "acks", "2"),
        ("buffer.memory=much", "buffer.memory", "much"),
        (
            "partitioner.class=com.example.Mine",
            "partitioner.class",
            "com.example.Mine",
        ),
        ("max.block.ms=-1", "max.block.ms", "-1"),
        ("security.protocol=TLS", "security.protocol", "TLS"),
        ("security.protocol=SASL_SSL", "sasl.mechanism", "GSSAPI"),
        (
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN",
            "sasl.jaas.config",
            "[hidden]",
        ),
        (
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=a password=b;",
            "sasl.jaas.config",
            "[hidden]",
        ),
        (
            "security.protocol=SSL\nssl.truststore.location=/t.jks",
            "ssl.truststore.location",
            "/t.jks",
        ),
        (
            "security.protocol=SSL\nssl.keystore.location=/t.bks\nssl.keystore.type=BKS",
            "ssl.keystore.type",
            "BKS",
        ),
        (
            "security.protocol=SSL\nssl.enabled.protocols=TLSv1.3",
            "ssl.enabled.protocols",
            "TLSv1.3",
        ),
    ] {
        check_refused(translate_producer(&properties(text)), key, value);
    }
    check_refused(
        translate_consumer(&properties("auto.offset.reset=by_duration:P1D")),
        "auto.offset.reset",
        "by_duration:P1D",
    );
    check_refused(
        translate_consumer(&properties("partition.assignment.strategy=Mine")),
        "partition.assignment.strategy",
        "Mine",
    );
}

#[test]
fn stores_and_logins_are_mapped() {
    const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../secrets/tests/data");
    let settings = format!(
        "ssl.truststore.location={STORES}/trust.jks\nssl.truststore.password=changeit\n\
         ssl.keystore.location={STORES}/keys.p12\nssl.keystore.password=changeit\nssl.keystore.type=PKCS12\n{TLS}"
    );
    const TLS: &str = "security.protocol=SASL_SSL\nssl.endpoint.identification.algorithm=\n\
        ssl.cipher.suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_256_CBC_SHA\n\
        sasl.mechanism=SCRAM-SHA-512\n\
        sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"an\\\\\"n\" password=\"s e;c\";";
    for (native, expected) in [
        ("security.protocol", "sasl_ssl"),
        ("ssl.endpoint.identification.algorithm", "none"),
        ("ssl.cipher.suites", "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "an\"n"),
        ("sasl.password", "s e;c"),
    ] {
        assert_eq!(consumer_value(&settings, native).as_deref(), Some(expected), "{native}");
    }
    for (native, label) in [
        ("ssl.ca.pem", "BEGIN CERTIFICATE"),
        ("ssl.certificate.pem", "BEGIN CERTIFICATE"),
        ("ssl.key.pem", "BEGIN PRIVATE KEY"),
    ] {
        let value = consumer_value(&settings, native).expect(native);
        assert!(value.contains(label), "{native}");
    }
    let translated = translate_consumer(&properties(&format!("{settings}\ngroup.id=g"))).unwrap();
    let shown = format!("{translated:?}");
    assert!(!shown.contains("s e;c") && !shown.contains("PRIVATE KEY"), "{shown}");
    // librdkafka reads the stores when it starts.
    crate::consumer::Consumer::new(&translated).unwrap();
}

#[test]
fn librdkafka_accepts_every_default_and_names_the_java_key_it_refuses() {
    crate::producer::Producer::new(&translate_producer(&properties("bootstrap.servers=127.0.0.1:1")).unwrap()).unwrap();
    let group = properties("bootstrap.servers=127.0.0.1:1\ngroup.id=g");
    crate::consumer::Consumer::new(&translate_consumer(&group).unwrap()).unwrap();
    let refused = translate_producer(&properties("max.request.size=7")).unwrap();
    check_refused(
        crate::producer::Producer::new(&refused).map(|_| Translated::default()),
        "max.request.size",
        "7",
    );
}

#[test]
fn times_of_a_transactional_producer_end_with_the_transaction() {
    let value = |text: &str, key: &str| producer_value(&format!("transactional.id=t\n{text}"), key);
    assert_eq!(value("", "message.timeout.ms").as_deref(), Some("60000"));
    assert_eq!(
        value("delivery.timeout.ms=2147483647", "message.timeout.ms").as_deref(),
        Some("0")
    );
    let short = "transaction.timeout.ms=5000\nrequest.timeout.ms=40000";
    assert_eq!(value(short, "socket.timeout.ms").as_deref(), Some("5000"));
    assert_eq!(value(short, "message.timeout.ms").as_deref(), Some("5000"));
    assert_eq!(producer_value("", "message.timeout.ms").as_deref(), Some("120000"));
}
