//! Weir's workers on a secured Apache Kafka: SASL_SSL with SCRAM, JKS stores, `sasl.jaas.config` as Java reads it.
//!
//! Stores are made by keytool; the broker asks clients for certificates and has them log in again every few seconds. What is wrong in
//! a worker file ends the start with words that name it.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::apache::{Broker, JavaWorker, free_port, peers};
use weir_tests::process::{PATIENCE, Weir, await_true, weir_binary};
use weir_tests::rest::Rest;
use weir_tests::side_by_side::{SINK, SOURCE};

/// How long a login holds on the broker.
const LOGIN_HOLDS: Duration = Duration::from_secs(4);
const ALICE: &str =
    "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" password=\"al1ce-pw\";";

fn keytool(folder: &Path, arguments: &str) {
    let output = Command::new("keytool")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .expect("keytool");
    assert!(
        output.status.success(),
        "keytool {arguments}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// `ca.pem`, `trust.jks`, `NAME.jks` with another password for the key than for the store, `client.p12`.
fn make_stores(folder: &Path) {
    const NEW: &str = "-storetype JKS -storepass store-pw -validity 30 -keyalg RSA -keysize 2048";
    keytool(
        folder,
        &format!("-genkeypair -alias ca -dname CN=ca -ext bc:c -keystore ca.jks -keypass store-pw {NEW}"),
    );
    keytool(
        folder,
        "-exportcert -rfc -alias ca -keystore ca.jks -storepass store-pw -file ca.pem",
    );
    keytool(
        folder,
        "-importcert -noprompt -alias ca -storetype JKS -keystore trust.jks -storepass trust-pw -file ca.pem",
    );
    for name in ["broker", "client"] {
        keytool(
            folder,
            &format!("-genkeypair -alias {name} -dname CN={name} -keystore {name}.jks -keypass key-pw-{name} {NEW}"),
        );
        let of = format!("-alias {name} -keystore {name}.jks -storepass store-pw -keypass key-pw-{name}");
        keytool(folder, &format!("-certreq {of} -file {name}.csr"));
        keytool(
            folder,
            &format!(
                "-gencert -alias ca -keystore ca.jks -storepass store-pw -ext san=ip:127.0.0.1 -infile {name}.csr -outfile {name}.crt"
            ),
        );
        keytool(
            folder,
            &format!("-importcert -noprompt -alias ca -keystore {name}.jks -storepass store-pw -file ca.pem"),
        );
        keytool(folder, &format!("-importcert -noprompt {of} -file {name}.crt"));
    }
    keytool(
        folder,
        "-importkeystore -srckeystore client.jks -srcstorepass store-pw -srcalias client -srckeypass key-pw-client \
         -destkeystore client.p12 -deststoretype PKCS12 -deststorepass other-pw -destkeypass other-pw",
    );
}

fn start_broker(folder: &Path) -> Broker {
    let at = folder.display();
    let settings = format!(
        "listener.name.secured.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN\n\
         listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
         listener.name.secured.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
         listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_bob=\"bob-pw\";\n\
         listener.name.secured.scram-sha-512.connections.max.reauth.ms={}\n\
         listener.name.secured.ssl.client.auth=required\n\
         listener.name.secured.ssl.keystore.location={at}/broker.jks\n\
         listener.name.secured.ssl.keystore.password=store-pw\n\
         listener.name.secured.ssl.key.password=key-pw-broker\n\
         listener.name.secured.ssl.truststore.location={at}/trust.jks\n\
         listener.name.secured.ssl.truststore.password=trust-pw\n",
        LOGIN_HOLDS.as_millis()
    );
    let users = [
        "SCRAM-SHA-512=[name=alice,password=al1ce-pw]",
        "SCRAM-SHA-256=[name=carol,password=carol-pw]",
    ];
    Broker::start_secured(folder, "SECURED:SASL_SSL", &settings, &users).expect("broker")
}

/// What a client says of itself, each line behind `prefix`.
fn security(prefix: &str) -> String {
    [
        "security.protocol=SASL_SSL",
        "sasl.mechanism=SCRAM-SHA-512",
        &format!("sasl.jaas.config={ALICE}"),
        "ssl.truststore.location=trust.jks",
        "ssl.truststore.password=trust-pw",
        "ssl.keystore.location=client.jks",
        "ssl.keystore.password=store-pw",
        "ssl.key.password=key-pw-client",
    ]
    .map(|line| format!("{prefix}{line}\n"))
    .concat()
}

fn worker_file(folder: &Path, name: &str, broker: &Broker, own: &str) {
    let text = format!(
        "bootstrap.servers={}\nkey.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\noffset.flush.interval.ms=500\n{}{}{}{}{own}",
        broker.address,
        security(""),
        security("producer."),
        security("consumer."),
        security("admin.")
    );
    std::fs::write(folder.join(name), text).expect("worker file");
}

const STANDALONE: &str = "listeners=https://127.0.0.1:0\noffset.storage.file.filename=offsets\n";
const DISTRIBUTED: &str = "listeners=http://127.0.0.1:0\ngroup.id=secured\nconfig.storage.topic=configs\n\
    offset.storage.topic=offsets\nstatus.storage.topic=statuses\nconfig.storage.replication.factor=1\n\
    offset.storage.replication.factor=1\nstatus.storage.replication.factor=1\noffset.storage.partitions=1\n\
    status.storage.partitions=1\nscheduled.rebalance.max.delay.ms=1000\nheartbeat.interval.ms=500\n";

/// Appends lines to `input`, which held `text`, until two logins are over; each has to come out of `output`. Answers all of them.
fn lines_flow(folder: &Path, input: &str, output: &str, mut text: String, log: impl Fn() -> String) -> String {
    let began = Instant::now();
    let mut file = OpenOptions::new().append(true).open(folder.join(input)).expect("input");
    while began.elapsed() < LOGIN_HOLDS * 2 {
        let line = format!("line {}\n", text.len());
        file.write_all(line.as_bytes()).expect("input");
        text.push_str(&line);
        await_true("the lines come out", PATIENCE, || {
            std::fs::read_to_string(folder.join(output)).is_ok_and(|found| found == text)
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", log()));
    }
    text
}

fn standalone_runs(folder: &Path, broker: &Broker) {
    worker_file(folder, "standalone.properties", broker, STANDALONE);
    let source = "name=in\nconnector.class=FileStreamSource\nfile=in.txt\ntopic=secured-lines\n";
    std::fs::write(folder.join("source.properties"), source).expect("source");
    let sink = "name=out\nconnector.class=FileStreamSink\nfile=out.txt\ntopics=secured-lines\n";
    std::fs::write(folder.join("sink.properties"), sink).expect("sink");
    std::fs::write(folder.join("in.txt"), "").expect("input");
    let arguments = [
        "connect-standalone",
        "standalone.properties",
        "source.properties",
        "sink.properties",
    ];
    let mut weir = Weir::start_in(folder, &arguments).expect("worker");
    let ready = weir.await_ready().expect("ready");
    lines_flow(folder, "in.txt", "out.txt", String::new(), || weir.log_text());

    let url = ready.connect.expect("a REST address");
    let url = url.replace("http://", "https://");
    let curl = Command::new("curl")
        .args([
            "-sS",
            "--cacert",
            "ca.pem",
            &format!("{}/connectors", url.trim_end_matches('/')),
        ])
        .current_dir(folder)
        .output()
        .expect("curl");
    let answer = String::from_utf8_lossy(&curl.stdout).into_owned();
    assert!(answer.contains("\"in\"") && answer.contains("\"out\""), "{curl:?}");
    let (status, _) = weir.stop().expect("stops");
    assert!(status.success(), "{}", weir.log_text());
}

/// Weir's worker, then Java's beside it, then Java's alone: all from one file but for its port.
fn distributed_runs(folder: &Path, broker: &Broker) {
    let worker_file = |name: &str, port: u16| {
        let own = DISTRIBUTED.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
        let plugins = format!("plugin.path={}\n", peers().join("plugins").display());
        worker_file(folder, name, broker, &(own + &plugins));
    };
    worker_file("distributed.properties", 0);
    std::fs::write(folder.join("d-in.txt"), "").expect("input");
    let mut weir = Weir::start_in(folder, &["connect-distributed", "distributed.properties"]).expect("worker");
    let ready = weir.await_ready().expect("ready");
    let rest = Rest::new(&ready.connect.expect("a REST address"));
    let source = json!({"connector.class": SOURCE, "file": folder.join("d-in.txt"), "topic": "d-lines"});
    rest.put_connector("d-in", &source).expect("source");
    let sink = json!({"connector.class": SINK, "file": folder.join("d-out.txt"), "topics": "d-lines"});
    rest.put_connector("d-out", &sink).expect("sink");
    rest.await_state("d-out", "RUNNING", 1)
        .unwrap_or_else(|error| panic!("{error}\n{}", weir.log_text()));
    let mut text = lines_flow(folder, "d-in.txt", "d-out.txt", String::new(), || weir.log_text());

    let port = free_port().expect("port");
    worker_file("java.properties", port);
    let file = folder.join("java.properties");
    let mut java = JavaWorker::distributed("java", folder, &file, port).expect("Java");
    let asked = java.rest.clone();
    let both_run = || {
        let workers: BTreeSet<String> = ["d-in", "d-out"]
            .iter()
            .filter_map(|name| {
                let status = asked.status(name);
                let task = &status["tasks"][0];
                let running = task["state"] == "RUNNING" && status["connector"]["state"] == "RUNNING";
                running.then(|| task["worker_id"].as_str().unwrap_or_default().to_owned())
            })
            .collect();
        workers.len() == 2
    };
    java.process
        .await_true("each runs one of the tasks", both_run)
        .unwrap_or_else(|error| panic!("{error}\n{}", weir.log_text()));
    text = lines_flow(folder, "d-in.txt", "d-out.txt", text, || weir.log_text());
    let (status, _) = weir.stop().expect("stops");
    assert!(status.success(), "{}", weir.log_text());
    for name in ["d-in", "d-out"] {
        await_true("Java has it all", PATIENCE, || {
            let status = java.rest.status(name);
            let here = [&status["connector"], &status["tasks"][0]];
            here.iter()
                .all(|part| part["worker_id"] == java.rest.host() && part["state"] == "RUNNING")
        })
        .unwrap_or_else(|error| panic!("{name}: {error}\n{}", java.process.log_text()));
    }
    lines_flow(folder, "d-in.txt", "d-out.txt", text, || java.process.log_text());
}

/// Each login that the broker offers, PKCS12 and PEM stores, and no comparison of names.
fn tail_runs(folder: &Path, broker: &Broker) {
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required username='bob' password='bob-pw';";
    let carol = "org.apache.kafka.common.security.scram.ScramLoginModule required username=carol password=carol-pw;";
    let p12 = "ssl.keystore.location=client.p12\nssl.keystore.password=other-pw\nssl.keystore.type=PKCS12\n";
    let pem = "ssl.truststore.location=ca.pem\nssl.truststore.type=PEM\nssl.endpoint.identification.algorithm=\n";
    let jks = "ssl.truststore.location=trust.jks\nssl.truststore.password=trust-pw\n";
    for (mechanism, login, trust) in [
        ("PLAIN", plain, pem),
        ("SCRAM-SHA-256", carol, jks),
        ("SCRAM-SHA-512", ALICE, jks),
    ] {
        let text =
            format!("security.protocol=SASL_SSL\nsasl.mechanism={mechanism}\nsasl.jaas.config={login}\n{p12}{trust}");
        std::fs::write(folder.join("client.properties"), text).expect("client file");
        let output = Command::new(weir_binary())
            .args([
                "tail",
                "secured-lines",
                "-b",
                &broker.address,
                "--from-beginning",
                "--max",
                "1",
            ])
            .args(["--command-config", "client.properties"])
            .current_dir(folder)
            .output()
            .expect("weir tail");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("line 0"), "{mechanism}: {output:?}");
    }
}

/// Each mistake ends the start, soon, and its words say what is wrong; no password is in them.
fn mistakes_are_named(folder: &Path, broker: &Broker) {
    for (right, wrong, expected) in [
        (
            "password=\"al1ce-pw\"",
            "password=\"wr0ng-pw\"",
            "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512",
        ),
        (
            "SCRAM-SHA-512",
            "SCRAM-SHA-256",
            "invalid credentials with SASL mechanism SCRAM-SHA-256",
        ),
        ("ssl.keystore.location=client.jks", "x=y", "SSL handshake failed"),
        (
            "ssl.truststore.location=trust.jks\nssl.truststore.password=trust-pw",
            "x=y",
            "SSL handshake failed",
        ),
        (
            "ssl.truststore.password=trust-pw",
            "ssl.truststore.password=wr0ng-pw",
            "ssl.truststore.password",
        ),
        (
            "ssl.key.password=key-pw-client",
            "ssl.key.password=wr0ng-pw",
            "ssl.key.password",
        ),
        (
            "sasl.mechanism=SCRAM-SHA-512",
            "sasl.mechanism=GSSAPI",
            "sasl.mechanism",
        ),
    ] {
        for (command, own) in [("connect-standalone", STANDALONE), ("connect-distributed", DISTRIBUTED)] {
            worker_file(folder, "wrong.properties", broker, &own.replace("https:", "http:"));
            let file = folder.join("wrong.properties");
            let text = std::fs::read_to_string(&file).expect("worker file");
            std::fs::write(&file, text.replace(right, wrong)).expect("worker file");
            let _ = std::fs::remove_file(folder.join("weir.log"));
            let began = Instant::now();
            let mut weir = Weir::start_in(folder, &[command, "wrong.properties"]).expect("worker");
            let status = weir.await_end().expect("ends");
            let log = weir.log_text();
            assert!(
                !status.success() && log.contains(expected),
                "{command} {wrong}: {status}\n{log}"
            );
            assert!(!log.contains("wr0ng-pw") && !log.contains("store-pw"), "{log}");
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{command} {wrong}: {:?}",
                began.elapsed()
            );
        }
    }
}

/// The worker starts, tasks whose own client is refused fail.
fn refused_clients_fail_their_tasks(folder: &Path, broker: &Broker) {
    worker_file(
        folder,
        "clients.properties",
        broker,
        &STANDALONE.replace("https:", "http:"),
    );
    let file = folder.join("clients.properties");
    let text = std::fs::read_to_string(&file).expect("worker file");
    let (own, clients) = text.split_once("producer.").expect("its clients");
    std::fs::write(
        &file,
        format!("{own}producer.{}", clients.replace("al1ce-pw", "wr0ng-pw")),
    )
    .expect("worker file");
    let arguments = [
        "connect-standalone",
        "clients.properties",
        "source.properties",
        "sink.properties",
    ];
    std::fs::remove_file(folder.join("offsets")).expect("offsets");
    let mut weir = Weir::start_in(folder, &arguments).expect("worker");
    let rest = Rest::new(&weir.await_ready().expect("ready").connect.expect("a REST address"));
    for connector in ["in", "out"] {
        let trace = rest.await_failed(connector, 0);
        let trace = trace.unwrap_or_else(|error| panic!("{connector}: {error}\n{}", weir.log_text()));
        assert!(trace.contains("uthentication"), "{connector}: {trace}");
        assert!(!trace.contains("wr0ng-pw"), "{connector}: {trace}");
    }
    weir.stop().expect("stops");
}

#[test]
fn worker_files_with_jks_and_scram_run_unchanged() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    make_stores(folder);
    let mut broker = start_broker(folder);
    let address = broker.address.clone();
    broker
        .await_true("the broker listens", || TcpStream::connect(&address).is_ok())
        .expect("broker");
    standalone_runs(folder, &broker);
    tail_runs(folder, &broker);
    distributed_runs(folder, &broker);
    mistakes_are_named(folder, &broker);
    refused_clients_fail_their_tasks(folder, &broker);
}
