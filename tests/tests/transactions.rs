//! Transactions of real clients on the bundled broker: Java, confluent-kafka for Python, librdkafka
//!
//! What counts is what a reader of committed records sees, and what a fenced producer is told. Scripts are in
//! `tests/clients`; Weir's own exactly-once sources are in `exactly_once.rs`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use weir_tests::kafka::{Isolation, read_now};
use weir_tests::process::{PATIENCE, Weir, await_true, repository};

const SETTINGS: [(&str, &str); 3] = [
    ("num.partitions", "2"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "100"),
];

fn broker() -> (Weir, String) {
    Weir::broker(&SETTINGS).expect("broker")
}

fn values(address: &str, topic: &str, isolation: Isolation) -> Vec<String> {
    let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default()).expect("text");
    let contents = read_now(address, topic, isolation).expect("records");
    contents.into_iter().map(|content| text(content.value)).collect()
}

fn committed(address: &str, topic: &str) -> Vec<String> {
    values(address, topic, Isolation::Committed)
}

fn folder_of(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| repository().join(default), PathBuf::from)
}

/// Standard output of a client that must succeed within two minutes.
fn run(program: &str, arguments: &[String]) -> String {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "120", program]).args(arguments);
    let output = command.output().expect("timeout of coreutils starts");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{program} failed:\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Options of a JVM with Kafka's class path, then the rest.
fn jvm(rest: &[&str]) -> String {
    let peers = folder_of("WEIR_PEERS", "target/peers");
    let libs = peers.join("libs");
    assert!(
        libs.is_dir(),
        "missing: Apache Kafka's jars; install them with: tests/setup.sh test"
    );
    let log = peers.join("config/log4j2.properties");
    let mut arguments: Vec<String> = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        .map(str::to_owned)
        .into();
    arguments.push(format!("-Dlog4j2.configurationFile={}", log.display()));
    arguments.extend(["-cp".to_owned(), format!("{}/*", libs.display())]);
    arguments.extend(rest.iter().map(|one| (*one).to_owned()));
    run("java", &arguments)
}

fn java(address: &str, arguments: &[&str]) -> Value {
    let script = repository()
        .join("tests/clients/Transactions.java")
        .display()
        .to_string();
    json_of(&jvm(&[&[script.as_str(), address][..], arguments].concat()))
}

// ---- Java --------------------------------------------------------------------------------------------------------------

#[test]
fn java_commits_and_aborts_and_its_console_consumer_sees_what_is_committed() {
    let (_weir, address) = broker();
    java(&address, &["write", "t"]);
    assert_eq!(committed(&address, "t"), ["a0", "b0", "a1", "b1"]);
    let all = values(&address, "t", Isolation::Uncommitted);
    assert_eq!(all, ["a0", "aborted0", "b0", "a1", "aborted1", "b1"]);
    let console = |isolation: &str, count: &str| {
        let read = [
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            address.as_str(),
            "--topic",
            "t",
            "--partition",
            "0",
            "--offset",
            "earliest",
            "--max-messages",
            count,
            "--isolation-level",
            isolation,
        ];
        jvm(&read).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(console("read_committed", "2"), ["a0", "b0"]);
    assert_eq!(console("read_uncommitted", "3"), ["a0", "aborted0", "b0"]);
    let described = jvm(&[
        "org.apache.kafka.tools.TransactionsCommand",
        "--bootstrap-server",
        &address,
        "describe",
        "--transactional-id",
        "java-write",
    ]);
    assert!(described.contains("CompleteCommit"), "{described}");
}

#[test]
fn a_java_zombie_is_fenced() {
    let (_weir, address) = broker();
    let failure = java(&address, &["zombie", "t"])["failure"].clone();
    assert_eq!(failure, "ProducerFencedException");
    assert_eq!(committed(&address, "t"), ["of the second"]);
}

#[test]
fn java_consumes_transforms_and_produces_exactly_once() {
    let (_weir, address) = broker();
    java(&address, &["write", "from"]);
    let done = java(&address, &["transform", "from", "to", "g", "4"]);
    // Four records and, in each partition, the markers of two commits and an abort, the last of which nobody reads past.
    assert_eq!((&done["done"], &done["aborts"]), (&json!(4), &json!(1)), "{done}");
    assert_eq!(committed(&address, "to"), ["A0", "B0", "A1", "B1"]);
    assert!(
        values(&address, "to", Isolation::Uncommitted).len() > 4,
        "the aborted try is there"
    );
}

// ---- confluent-kafka for Python ----------------------------------------------------------------------------------------

#[test]
fn confluent_kafka_commits_aborts_fences_and_sends_offsets() {
    let (_weir, address) = broker();
    let python = folder_of("WEIR_CLIENTS", "target/clients").join("python/bin/python");
    assert!(
        python.is_file(),
        "missing: confluent-kafka for Python; install it with: tests/setup.sh test"
    );
    let script = repository().join("tests/clients/confluent.py").display().to_string();
    let arguments = ["-B", &script, &address, "transact", "from", "to", "g"].map(str::to_owned);
    let seen = json_of(&run(&python.display().to_string(), &arguments));
    assert_eq!(seen["zombie"], "_FENCED", "{seen}");
    assert_eq!(seen["read"], json!(["a", "b"]), "{seen}");
    let offsets: Vec<i64> = seen["committed"]
        .as_array()
        .expect("offsets")
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    assert!(
        offsets[0] < 0 && offsets[1] >= 5,
        "none, then behind what was read: {seen}"
    );
    assert_eq!(committed(&address, "to"), ["A", "B"]);
}

// ---- librdkafka --------------------------------------------------------------------------------------------------------

fn producer(address: &str, timeout_ms: &str) -> BaseProducer {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("transactional.id", "librdkafka")
        .set("transaction.timeout.ms", timeout_ms)
        .set("reconnect.backoff.max.ms", "100")
        .create()
        .expect("producer");
    producer.init_transactions(PATIENCE).expect("init");
    producer
}

fn send(producer: &BaseProducer, value: &str) {
    producer
        .send(BaseRecord::<(), str>::to("t").partition(0).payload(value))
        .map_err(|(error, _)| error)
        .expect("send");
    producer.flush(PATIENCE).expect("flush");
}

#[test]
fn a_broker_killed_in_mid_transaction_lets_it_go_on() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut weir, address) = Weir::broker_in(folder.path(), &SETTINGS).expect("broker");
    let listener = format!("PLAINTEXT://{address}");
    let again = [&SETTINGS[..], &[("listeners", listener.as_str())]].concat();
    let producer = producer(&address, "60000");
    let mut expected = Vec::new();
    for round in 0..3 {
        producer.begin_transaction().expect("begin");
        let (before, after) = (format!("before {round}"), format!("after {round}"));
        send(&producer, &before);
        weir.kill().expect("kill -9");
        (weir, _) = Weir::broker_in(folder.path(), &again).expect("broker again");
        assert_eq!(committed(&address, "t"), expected, "round {round}");
        send(&producer, &after);
        producer.commit_transaction(PATIENCE).expect("commit");
        // At once, so that markers may not be there yet: the decision is.
        weir.kill().expect("kill -9");
        (weir, _) = Weir::broker_in(folder.path(), &again).expect("broker again");
        expected.extend([before, after]);
        await_true("what was committed is seen", PATIENCE, || {
            committed(&address, "t") == expected
        })
        .unwrap_or_else(|error| panic!("{error:#}\n{}", weir.log_text()));
    }
}

#[test]
fn a_transaction_that_runs_out_is_aborted_and_its_producer_fenced() {
    let (weir, address) = broker();
    let first = producer(&address, "1000");
    first.begin_transaction().expect("begin");
    send(&first, "too late");
    await_true("the transaction is over", PATIENCE, || {
        let plain: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &address)
            .create()
            .expect("producer");
        send(&plain, "plain");
        committed(&address, "t").iter().any(|value| value == "plain")
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", weir.log_text()));
    let refused = first
        .commit_transaction(Duration::from_secs(20))
        .expect_err("it is fenced");
    assert!(
        matches!(&refused, KafkaError::Transaction(error) if error.is_fatal()),
        "{refused}"
    );
    assert!(!committed(&address, "t").iter().any(|value| value == "too late"));
}
