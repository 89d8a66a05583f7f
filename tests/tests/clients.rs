//! Real clients against the bundled broker: kcat, Kafka's Java tools, confluent-kafka, kafkajs.
//!
//! Each produces, consumes (by partition and as a member of a group) and administers a `weir broker` of its own. The
//! scripts are in `tests/clients`, their versions are pinned there; a client that is missing fails its tests and says what
//! installs it. What is expected here is what Apache Kafka 4.3.1 answers to the same commands.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, Weir, await_true, await_value, repository};
use weir_tests::rest::Rest;

/// No client may take longer for one command.
const COMMAND_SECONDS: &str = "120";

fn broker() -> (Weir, String) {
    Weir::broker(&[("num.partitions", "2"), ("group.initial.rebalance.delay.ms", "0")]).expect("broker")
}

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
struct Ran {
    stdout: String,
    stderr: String,
    succeeded: bool,
}

impl Ran {
    /// Standard output of a command that must succeed.
    fn output(self) -> String {
        assert!(self.succeeded, "failed:\n{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    fn json(self) -> Value {
        let text = self.output();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Runs a command to its end, killing it after two minutes.
fn run(program: &str, arguments: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Ran {
    let mut command = Command::new("timeout");
    command
        .args(["--signal=KILL", COMMAND_SECONDS, program])
        .args(arguments)
        .envs(environment.iter().copied());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("timeout of coreutils starts");
    // A client that ends without reading all of its input is judged by what it prints.
    let _ = child.stdin.take().expect("piped").write_all(input);
    let output = child.wait_with_output().expect("the client ends");
    Ran {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        succeeded: output.status.success(),
    }
}

fn need(present: bool, what: &str) {
    assert!(present, "missing: {what}; install it with: tests/setup.sh test");
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn folder_of(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| repository().join(default), PathBuf::from)
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis()
}

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect()
}

// ---- kcat ------------------------------------------------------------------------------------------------------------

fn kcat(address: &str, arguments: &[&str], input: &str) -> Ran {
    need(in_path("kcat"), "kcat");
    let mut all = vec!["-b", address];
    all.extend_from_slice(arguments);
    run("kcat", &all, input.as_bytes(), &[])
}

#[test]
fn kcat_produces_and_reads_back_every_codec() {
    let (_weir, address) = broker();
    for (at, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let line = format!("key{at}:value of {codec} {}\n", "x".repeat(200));
        let sent = kcat(
            &address,
            &[
                "-P", "-t", "codecs", "-p", "1", "-K:", "-H", "one=1", "-H", "two=", "-z", codec,
            ],
            &line,
        );
        sent.output();
    }
    let read = kcat(
        &address,
        &[
            "-C",
            "-q",
            "-t",
            "codecs",
            "-p",
            "1",
            "-o",
            "beginning",
            "-e",
            "-f",
            "%p %o %k %h %s\n",
        ],
        "",
    )
    .output();
    let expected: Vec<String> = ["none", "gzip", "snappy", "lz4", "zstd"]
        .into_iter()
        .enumerate()
        .map(|(at, codec)| format!("1 {at} key{at} one=1,two= value of {codec} {}", "x".repeat(200)))
        .collect();
    assert_eq!(lines(&read), expected);
}

#[test]
fn kcat_reads_from_the_middle_and_from_the_end() {
    let (_weir, address) = broker();
    kcat(&address, &["-P", "-t", "places", "-p", "0"], "a\nb\nc\nd\n").output();
    let read = |from: &str| kcat(&address, &["-C", "-q", "-t", "places", "-p", "0", "-o", from, "-e"], "").output();
    assert_eq!(lines(&read("2")), ["c", "d"]);
    assert_eq!(lines(&read("-1")), ["d"]);
    assert_eq!(lines(&read("end")), Vec::<&str>::new());
    let query = kcat(&address, &["-Q", "-t", "places:0:-1", "-t", "places:1:-2"], "").output();
    assert_eq!(lines(&query), ["places [0] offset 4", "places [1] offset 0"]);
}

#[test]
fn kcat_joins_a_group_and_resumes_after_its_commit() {
    let (_weir, address) = broker();
    kcat(&address, &["-P", "-t", "grouped", "-p", "0"], "a\nb\n").output();
    kcat(&address, &["-P", "-t", "grouped", "-p", "1"], "c\n").output();
    let member = |count: &str| {
        let read = kcat(
            &address,
            &[
                "-G",
                "kcats",
                "-q",
                "-X",
                "auto.offset.reset=earliest",
                "-c",
                count,
                "grouped",
            ],
            "",
        )
        .output();
        let mut read: Vec<String> = lines(&read).into_iter().map(str::to_owned).collect();
        read.sort();
        read
    };
    assert_eq!(member("3"), ["a", "b", "c"]);
    kcat(&address, &["-P", "-t", "grouped", "-p", "1"], "d\n").output();
    assert_eq!(member("1"), ["d"]);
}

#[test]
fn kcat_lists_broker_and_topics() {
    let (_weir, address) = broker();
    kcat(&address, &["-P", "-t", "listed"], "x\n").output();
    let seen = kcat(&address, &["-L", "-J"], "").json();
    assert_eq!(seen["brokers"], json!([{"id": 1, "name": address}]));
    assert_eq!(seen["controllerid"], 1);
    let listed = seen["topics"]
        .as_array()
        .and_then(|topics| topics.iter().find(|topic| topic["topic"] == "listed"));
    let partitions = listed
        .and_then(|topic| topic["partitions"].as_array())
        .expect("the topic");
    let leaders: Vec<_> = partitions
        .iter()
        .map(|part| (&part["partition"], &part["leader"]))
        .collect();
    assert_eq!(leaders, [(&json!(0), &json!(1)), (&json!(1), &json!(1))]);
}

// ---- Kafka's Java tools ----------------------------------------------------------------------------------------------

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const GROUP_LIST: &str = "org.apache.kafka.tools.GroupsCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const DUMP_LOG: &str = "org.apache.kafka.tools.DumpLogSegments";

/// Options of a JVM with Kafka's class path that logs as `log4j2.properties` of this folder says.
fn java_options(log_settings: &Path) -> Vec<String> {
    let peers = folder_of("WEIR_PEERS", "target/peers");
    need(in_path("java"), "java");
    need(peers.join("libs").is_dir(), "Apache Kafka's jars");
    vec![
        "-Xmx256m".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        format!(
            "-Dlog4j2.configurationFile={}",
            log_settings.join("log4j2.properties").display()
        ),
        "-cp".to_owned(),
        format!("{}/libs/*", peers.display()),
    ]
}

fn java(main: &str, arguments: &[&str], input: &str) -> Ran {
    let options = java_options(&folder_of("WEIR_PEERS", "target/peers").join("config"));
    let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
    all.push(main);
    all.extend_from_slice(arguments);
    run("java", &all, input.as_bytes(), &[])
}

/// A table of a Java tool as rows of words, without its heading.
fn rows(text: &str) -> Vec<Vec<&str>> {
    lines(text)
        .into_iter()
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn the_java_producer_and_consumers_agree() {
    let (_weir, address) = broker();
    let server = ["--bootstrap-server", &address, "--topic", "java"];
    let run_with = |main, more: &[&str], input: &str| java(main, &[&server[..], more].concat(), input);
    let keyed = [
        "--reader-property",
        "parse.key=true",
        "--reader-property",
        "key.separator=:",
    ];
    run_with(PRODUCER, &keyed, "k:one\nk:two\nk:three\n").output();
    let offsets = java(OFFSETS, &["--bootstrap-server", &address, "--topic", "java"], "").output();
    let full = lines(&offsets)
        .into_iter()
        .find_map(|line| line.strip_prefix("java:")?.strip_suffix(":3"))
        .expect("three records");
    let shown = [
        "--formatter-property",
        "print.key=true",
        "--formatter-property",
        "print.offset=true",
    ];
    let plain = ["--partition", full, "--offset", "1", "--max-messages", "2"];
    let read = run_with(CONSUMER, &[&plain[..], &shown[..]].concat(), "").output();
    assert_eq!(lines(&read), ["Offset:1\tk\ttwo", "Offset:2\tk\tthree"]);
    let grouped = ["--group", "javas", "--from-beginning", "--max-messages", "3"];
    assert_eq!(
        lines(&run_with(CONSUMER, &grouped, "").output()),
        ["one", "two", "three"]
    );
    run_with(PRODUCER, &keyed, "k:four\n").output();
    let resumed = ["--group", "javas", "--max-messages", "1"];
    assert_eq!(lines(&run_with(CONSUMER, &resumed, "").output()), ["four"]);
}

#[test]
fn the_java_topic_tool_makes_grows_configures_and_deletes() {
    let (_weir, address) = broker();
    let topics = |arguments: &[&str]| {
        java(
            TOPICS,
            &[&["--bootstrap-server", address.as_str()][..], arguments].concat(),
            "",
        )
    };
    let made = topics(&[
        "--create",
        "--topic",
        "made",
        "--partitions",
        "2",
        "--config",
        "cleanup.policy=compact",
    ])
    .output();
    assert_eq!(lines(&made), ["Created topic made."]);
    let again = topics(&["--create", "--topic", "made"]);
    assert!(
        !again.succeeded && again.stdout.contains("Topic 'made' already exists."),
        "{again:?}"
    );
    let described = topics(&["--describe", "--topic", "made"]).output();
    let heading: Vec<&str> = lines(&described)[0]
        .split('\t')
        .filter(|part| !part.starts_with("TopicId"))
        .collect();
    assert_eq!(
        heading,
        [
            "Topic: made",
            "PartitionCount: 2",
            "ReplicationFactor: 1",
            "Configs: cleanup.policy=compact"
        ]
    );
    topics(&["--alter", "--topic", "made", "--partitions", "3"]).output();
    let configs = |arguments: &[&str]| {
        let entity = [
            "--bootstrap-server",
            address.as_str(),
            "--entity-type",
            "topics",
            "--entity-name",
            "made",
        ];
        java(CONFIGS, &[&entity[..], arguments].concat(), "").output()
    };
    configs(&["--alter", "--add-config", "retention.ms=1000"]);
    configs(&["--alter", "--delete-config", "cleanup.policy"]);
    let left = configs(&["--describe"]);
    assert!(
        left.contains("retention.ms=1000") && !left.contains("cleanup.policy"),
        "{left}"
    );
    let grown = topics(&["--describe", "--topic", "made"]).output();
    assert_eq!(lines(&grown).len(), 4, "{grown}");
    topics(&["--delete", "--topic", "made"]).output();
    assert_eq!(lines(&topics(&["--list"]).output()), Vec::<&str>::new());
}

#[test]
fn the_java_group_tool_describes_resets_and_deletes() {
    let (_weir, address) = broker();
    kcat(&address, &["-P", "-t", "t", "-p", "0"], "a\nb\nc\n").output();
    let read = [
        "--bootstrap-server",
        &address,
        "--topic",
        "t",
        "--group",
        "g",
        "--from-beginning",
        "--max-messages",
        "3",
    ];
    java(CONSUMER, &read, "").output();
    let groups = |arguments: &[&str]| {
        java(
            GROUPS,
            &[&["--bootstrap-server", address.as_str()][..], arguments].concat(),
            "",
        )
    };
    assert_eq!(rows(&groups(&["--list", "--state"]).output()), [["g", "Empty"]]);
    let described = groups(&["--describe", "--group", "g"]).output();
    let of = |text: &str, partition: &str| {
        let row = rows(text)
            .into_iter()
            .find(|row| row.get(2) == Some(&partition))
            .expect("the partition");
        row[3..6].join(" ")
    };
    assert_eq!(
        (of(&described, "0").as_str(), of(&described, "1").as_str()),
        ("3 3 0", "0 0 0")
    );
    let state = groups(&["--describe", "--group", "g", "--state"]).output();
    assert_eq!(rows(&state)[0][0], "g");
    assert!(rows(&state)[0].ends_with(&["Empty", "0"]), "{state}");
    let reset = [
        "--group",
        "g",
        "--topic",
        "t:0",
        "--reset-offsets",
        "--to-offset",
        "1",
        "--execute",
    ];
    assert_eq!(rows(&groups(&reset).output()), [["g", "t", "0", "1"]]);
    assert_eq!(of(&groups(&["--describe", "--group", "g"]).output(), "0"), "1 3 2");
    let forgotten = groups(&["--group", "g", "--delete-offsets", "--topic", "t:0"]).output();
    assert!(forgotten.contains("Successful"), "{forgotten}");
    let deleted = groups(&["--delete", "--group", "g"]).output();
    assert!(
        deleted.contains("Deletion of requested consumer groups ('g') was successful."),
        "{deleted}"
    );
    let twice = groups(&["--delete", "--group", "g"]);
    assert!(twice.stdout.contains("GroupIdNotFoundException"), "{twice:?}");
}

#[test]
fn kafkas_own_formatters_and_log_dump_read_what_is_stored() {
    let (mut weir, address) = broker();
    kcat(&address, &["-P", "-t", "t", "-p", "0"], "a\nb\n").output();
    kcat(
        &address,
        &["-G", "g", "-q", "-X", "auto.offset.reset=earliest", "-c", "2", "t"],
        "",
    )
    .output();
    // Of `g` are stored: the stable group, the offset, the empty group; all in the partition that Java's hash of `g` gives.
    let stored = |formatter: &str| {
        let formatter = format!("org.apache.kafka.tools.consumer.{formatter}");
        let of = [
            "--bootstrap-server",
            &address,
            "--topic",
            "__consumer_offsets",
            "--partition",
            "3",
            "--offset",
            "earliest",
            "--max-messages",
            "3",
        ];
        let text = java(CONSUMER, &[&of[..], &["--formatter", &formatter]].concat(), "").output();
        let records = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        records
            .collect::<Result<Vec<_>, _>>()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let offsets = stored("OffsetsMessageFormatter");
    assert_eq!(
        offsets[0]["key"],
        json!({"type": 1, "data": {"group": "g", "topic": "t", "partition": 0}})
    );
    assert_eq!(
        (&offsets[0]["value"]["version"], &offsets[0]["value"]["data"]["offset"]),
        (&json!(3), &json!(2))
    );
    let groups = stored("GroupMetadataMessageFormatter");
    assert_eq!(groups[0]["key"], json!({"type": 2, "data": {"group": "g"}}));
    assert_eq!(groups[0]["value"]["data"]["protocolType"], "consumer");
    assert_eq!(groups[0]["value"]["data"]["members"][0]["clientHost"], "/127.0.0.1");
    assert_eq!(groups[1]["value"]["data"]["members"], json!([]));
    weir.stop().expect("stops");
    let log = weir.folder.join("data/t-0/00000000000000000000.log");
    let dumped = java(
        DUMP_LOG,
        &[
            "--deep-iteration",
            "--print-data-log",
            "--files",
            &log.display().to_string(),
        ],
        "",
    )
    .output();
    assert!(
        dumped.contains("payload: a") && dumped.contains("payload: b"),
        "{dumped}"
    );
    assert!(
        dumped.contains("isvalid: true") && !dumped.contains("isvalid: false"),
        "{dumped}"
    );
}

#[test]
fn a_java_connect_worker_forms_its_group_here() {
    let (weir, address) = broker();
    let peers = folder_of("WEIR_PEERS", "target/peers");
    let json_converter = "org.apache.kafka.connect.json.JsonConverter";
    let settings = format!(
        "bootstrap.servers={address}\ngroup.id=workers\nkey.converter={json_converter}\nvalue.converter={json_converter}\n\
         config.storage.topic=c\noffset.storage.topic=o\nstatus.storage.topic=s\n\
         config.storage.replication.factor=1\noffset.storage.replication.factor=1\nstatus.storage.replication.factor=1\n\
         listeners=http://127.0.0.1:0\nplugin.path={}\n",
        peers.join("plugins").display()
    );
    let file = weir.folder.join("connect.properties");
    std::fs::write(&file, settings).expect("settings");
    // Its REST address is told in the log, at info.
    std::fs::write(weir.folder.join("log4j2.properties"), LOG_AT_INFO).expect("log settings");
    let log = std::fs::File::create(weir.folder.join("connect.log")).expect("log");
    let mut command = Command::new("java");
    command
        .args(java_options(&weir.folder))
        .arg("org.apache.kafka.connect.cli.ConnectDistributed")
        .arg(&file);
    let worker = Worker(
        command
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("java starts"),
    );
    let text = || std::fs::read_to_string(weir.folder.join("connect.log")).unwrap_or_default();
    let url = await_value("the worker's REST address", PATIENCE, || {
        let text = text();
        text.contains("REST resources initialized").then_some(())?;
        let (_, advertised) = text.split_once("Advertised URI: ")?;
        advertised.split_whitespace().next().map(str::to_owned)
    });
    let url = url.unwrap_or_else(|error| panic!("{error}:\n{}", text()));
    let rest = Rest::new(url.trim_end_matches('/'));
    let input = weir.folder.join("in.txt");
    std::fs::write(&input, "one\ntwo\n").expect("input");
    let source = json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": input, "topic": "lines",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    });
    rest.put_connector("source", &source).expect("connector");
    await_true("both lines in the topic", PATIENCE, || {
        let read = kcat(&address, &["-C", "-q", "-t", "lines", "-o", "beginning", "-e"], "");
        lines(&read.stdout) == ["one", "two"]
    })
    .unwrap_or_else(|error| panic!("{error}:\n{}", text()));
    let listed = java(GROUP_LIST, &["--bootstrap-server", &address, "--list"], "").output();
    assert_eq!(rows(&listed), [["workers", "Classic", "connect"]]);
    drop(worker);
}

const LOG_AT_INFO: &str = "rootLogger.level=info\nrootLogger.appenderRef.o.ref=o\nappender.o.type=Console\nappender.o.name=o\n\
                           appender.o.layout.type=PatternLayout\nappender.o.layout.pattern=%m%n\n";

/// A JVM that does not outlive its test.
struct Worker(std::process::Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// ---- confluent-kafka for Python --------------------------------------------------------------------------------------

fn confluent(address: &str, arguments: &[&str]) -> Value {
    let python = folder_of("WEIR_CLIENTS", "target/clients").join("python/bin/python");
    need(python.is_file(), "confluent-kafka for Python");
    let script = repository().join("tests/clients/confluent.py").display().to_string();
    let mut all = vec!["-B", script.as_str(), address];
    all.extend_from_slice(arguments);
    run(&python.display().to_string(), &all, b"", &[]).json()
}

#[test]
fn confluent_kafka_delivers_with_every_kind_of_acks() {
    let (_weir, address) = broker();
    let began = now_ms().to_string();
    for (topic, acks, idempotent, codec) in [
        ("all", "all", "true", "zstd"),
        ("one", "1", "false", "lz4"),
        ("none", "0", "false", "none"),
        ("plain", "all", "false", "gzip"),
    ] {
        let sent = confluent(&address, &["produce", topic, "10", &began, acks, idempotent, codec]);
        assert_eq!(
            (&sent["errors"], &sent["left"]),
            (&json!([]), &json!(0)),
            "{topic}: {sent}"
        );
        let read = confluent(&address, &["consume_plain", topic, "1", "0", "5", &began]);
        let keys: Vec<_> = read["records"]
            .as_array()
            .expect("records")
            .iter()
            .map(|record| &record["key"])
            .collect();
        assert_eq!(keys, ["k1", "k3", "k5", "k7", "k9"], "{topic}");
    }
}

#[test]
fn confluent_kafka_reads_a_partition_from_an_offset() {
    let (_weir, address) = broker();
    let began = now_ms();
    let sent = confluent(&address, &["produce", "t", "6", &began.to_string()]);
    assert_eq!(
        sent["delivered"],
        json!([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]])
    );
    let read = confluent(
        &address,
        &["consume_plain", "t", "0", "1", "2", &(began + 3).to_string()],
    );
    let headers = json!([["h", "1"], ["h", null]]);
    let expected = json!([
        {"partition": 0, "offset": 1, "key": "k2", "value": null, "headers": headers, "timestamp": began as u64 + 2},
        {"partition": 0, "offset": 2, "key": "k4", "value": "v4", "headers": headers, "timestamp": began as u64 + 4},
    ]);
    assert_eq!(read["records"], expected);
    assert_eq!(
        (&read["low"], &read["high"], &read["for_time"]),
        (&json!(0), &json!(3), &json!(2))
    );
}

#[test]
fn confluent_kafka_commits_and_resumes_across_a_kill() {
    let folder = tempfile::tempdir().expect("folder");
    let settings = [("num.partitions", "2"), ("group.initial.rebalance.delay.ms", "0")];
    let (mut weir, address) = Weir::broker_in(folder.path(), &settings).expect("broker");
    confluent(&address, &["produce", "t", "6", &now_ms().to_string()]);
    let read = confluent(&address, &["consume_group", "t", "g", "6"]);
    assert_eq!(read["records"].as_array().map(Vec::len), Some(6));
    // Metadata comes back as it was sent; the client itself ends it with a NUL.
    let committed: Vec<_> = read["committed"]
        .as_array()
        .expect("offsets")
        .iter()
        .map(|part| (&part[0], &part[1]))
        .collect();
    assert_eq!(committed, [(&json!(0), &json!(3)), (&json!(1), &json!(3))]);
    assert_eq!(
        read["committed"][0][2].as_str().map(|text| text.trim_end_matches('\0')),
        Some("café")
    );
    weir.kill().expect("SIGKILL");
    let (_weir, address) = Weir::broker_in(folder.path(), &settings).expect("broker again");
    assert_eq!(
        confluent(&address, &["resume_group", "t", "g"]),
        json!([[0, 3], [1, 3]])
    );
}

#[test]
fn confluent_kafka_members_share_partitions_eagerly_and_cooperatively() {
    let (_weir, address) = broker();
    confluent(&address, &["produce", "t", "6", &now_ms().to_string()]);
    for strategy in ["range", "cooperative-sticky"] {
        let shared = confluent(&address, &["share_group", "t", strategy, "6", strategy]);
        assert_eq!(
            shared,
            json!({"records": 6, "shared": [[0], [1]], "alone": [0, 1]}),
            "{strategy}"
        );
    }
}

#[test]
fn confluent_kafka_administers_topics_and_groups() {
    let (_weir, address) = broker();
    let seen = confluent(&address, &["admin", "t", "g"]);
    let expected = json!({
        "again": "TOPIC_ALREADY_EXISTS", "partitions": 2, "grown": 3, "retention": "3600000", "altered": "7200000", "latest": [2],
        "groups": [["g", "EMPTY"]], "described": ["EMPTY", 0], "offsets": [[0, 2], [1, 2]], "reset": [[0, 1], [1, 2]],
        "group_gone": "GROUP_ID_NOT_FOUND", "topic_gone": true, "nodes": [address],
    });
    assert_eq!(seen, expected);
}

// ---- kafkajs ---------------------------------------------------------------------------------------------------------

fn kafkajs(address: &str, arguments: &[&str]) -> Value {
    let modules = folder_of("WEIR_CLIENTS", "target/clients").join("node/node_modules");
    need(in_path("node") && modules.join("kafkajs").is_dir(), "kafkajs");
    let script = repository().join("tests/clients/kafkajs.js").display().to_string();
    let mut all = vec![script.as_str(), address];
    all.extend_from_slice(arguments);
    run(
        "node",
        &all,
        b"",
        &[
            ("NODE_PATH", &modules.display().to_string()),
            ("KAFKAJS_NO_PARTITIONER_WARNING", "1"),
        ],
    )
    .json()
}

#[test]
fn kafkajs_produces_and_reads_from_an_offset() {
    let (_weir, address) = broker();
    assert_eq!(kafkajs(&address, &["produce", "t", "6"]), json!([[0, 0, 0], [1, 0, 0]]));
    assert_eq!(
        kafkajs(&address, &["produce", "t", "4", "GZIP"]),
        json!([[0, 0, 3], [1, 0, 3]])
    );
    assert_eq!(
        kafkajs(&address, &["consume_from", "t", "g", "0", "1", "2"]),
        json!([[1, null], [2, "v4"]])
    );
}

#[test]
fn kafkajs_consumes_as_a_member_and_commits() {
    let (_weir, address) = broker();
    kafkajs(&address, &["produce", "t", "6"]);
    let read = kafkajs(&address, &["consume_group", "t", "g", "6"]);
    let mut keys: Vec<_> = read["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| record["key"].as_str().unwrap_or(""))
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, ["k0", "k1", "k2", "k3", "k4", "k5"]);
    assert_eq!(read["records"][0]["headers"]["h"].as_str().map(str::len), Some(1));
    assert_eq!(read["committed"], json!([[0, 3], [1, 3]]));
}

#[test]
fn kafkajs_administers_topics_and_groups() {
    let (_weir, address) = broker();
    let seen = kafkajs(&address, &["admin", "t", "g"]);
    let expected = json!({
        "created": true, "again": false, "listed": true, "partitions": 3, "policy": ["compact"], "ends": [[0, 2], [1, 2]],
        "groups": [{"groupId": "g", "protocolType": "consumer"}], "state": ["Empty", "consumer", 0], "reset": "1",
        "deleted": [["g", 0]], "left": [], "nodes": [address],
    });
    assert_eq!(seen, expected);
}
