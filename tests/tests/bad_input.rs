//! Wrong settings, wrong bytes, wrong files: each gets a clear answer and harms nobody else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;
use weir_tests::process::{PATIENCE, Start, Weir, await_true};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn up() -> (Weir, Rest, String) {
    let (weir, ready) = Weir::up(&[]).expect("weir up");
    (
        weir,
        Rest::new(ready.connect.as_deref().expect("connect")),
        ready.kafka.expect("kafka"),
    )
}

#[test]
fn an_unknown_class_is_refused_with_what_is_there() {
    let (_weir, rest, _) = up();
    let answer = rest
        .json(
            "PUT",
            "/connectors/x/config",
            &json!({"connector.class": "FileStreamSorce", "topic": "t"}),
        )
        .expect("answer");
    assert_eq!(answer.status, 400, "{}", answer.text);
    let message = answer.json()["message"].as_str().unwrap_or("").to_owned();
    assert!(message.starts_with("Failed to find any class that implements Connector and which name matches FileStreamSorce, available connectors are: "), "{message}");
    assert!(message.contains("FileStreamSourceConnector"), "{message}");
}

#[test]
fn a_missing_key_is_named() {
    let (_weir, rest, _) = up();
    let answer = rest
        .json(
            "POST",
            "/connectors",
            &json!({"name": "x", "config": {"connector.class": "FileStreamSource"}}),
        )
        .expect("answer");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json()["message"],
        "Connector configuration is invalid and contains the following 1 error(s):\nMissing required configuration \"topic\" which has no default value.\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`"
    );
    assert_eq!(rest.get("/connectors").expect("list").text, "[]");
}

#[test]
fn an_unreadable_file_fails_the_task_with_its_path() {
    let (weir, rest, _) = up();
    // A folder cannot be read as a file, whoever asks; permissions do not stop root.
    let folder = weir.folder.join("folder.txt");
    std::fs::create_dir(&folder).expect("folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).expect("permissions");
    rest.put_connector("x", &json!({"connector.class": "FileStreamSource", "topic": "t", "file": folder.display().to_string(), "value.converter": STRING})).expect("created");
    let trace = rest.await_failed("x", 0).expect("fails");
    assert!(trace.contains("folder.txt"), "{trace}");
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("address").port().to_string();
    let flags = ["--kafka-port", "--registry-port", "--connect-port"];
    for flag in flags {
        let mut arguments = vec!["up", "--data-dir", "{dir}/data"];
        for each in flags {
            arguments.extend([each, if each == flag { port.as_str() } else { "0" }]);
        }
        let mut weir = Weir::start(&arguments).expect("spawned");
        let status = weir.await_end().expect("ends");
        assert_eq!(status.code(), Some(2), "{flag}");
        let log = weir.log_text();
        assert!(
            log.contains(&port) && (log.contains("in use") || log.contains("Address already in use")),
            "{flag}: {log}"
        );
    }
}

#[test]
fn an_unknown_property_warns_with_the_nearest_known_one() {
    let (weir, _) = Weir::broker(&[("log.retention.hour", "1")]).expect("starts all the same");
    let log = weir.log_text();
    assert!(
        log.contains("log.retention.hour") && log.contains("log.retention.hours"),
        "{log}"
    );
}

#[test]
fn a_property_that_does_not_parse_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("server.properties");
    std::fs::write(&file, "listeners=PLAINTEXT://127.0.0.1:0\nnum.partitions=many\n").expect("file");
    let mut weir = Weir::start_in(folder.path(), &["broker", "{dir}/server.properties"]).expect("spawned");
    assert_eq!(weir.await_end().expect("ends").code(), Some(2));
    let log = weir.log_text();
    assert!(log.contains("num.partitions") && log.contains("many"), "{log}");
}

#[test]
fn malformed_rest_bodies_are_answered_and_the_worker_goes_on() {
    let (_weir, rest, _) = up();
    for (media, body, status, beginning) in [
        ("application/json", "", 500, ""),
        ("application/json", "{\"name\":", 500, "Unexpected"),
        ("application/json", "[1]", 500, "Cannot deserialize value of type"),
        (
            "application/json",
            "{\"name\":\"e\",\"configs\":{}}",
            500,
            "Unrecognized field \"configs\"",
        ),
        (
            "application/json",
            "{\"name\":\"e\",\"config\":{\"a\":{\"b\":1}}}",
            500,
            "Cannot deserialize value of type",
        ),
        (
            "application/json",
            "{\"name\":\"e\",\"config\":{},\"initial_state\":\"bad\"}",
            500,
            "Cannot construct instance of",
        ),
        (
            "application/json",
            "{\"name\":\"e\",\"config\":{}}",
            400,
            "Connector config {name=e} contains no connector type",
        ),
        ("text/plain", "{}", 415, "HTTP 415 Unsupported Media Type"),
        ("application/json", "\u{0}\u{1}\u{2}", 500, "Unexpected"),
    ] {
        let answer = rest.send("POST", "/connectors", Some((media, body))).expect("answered");
        assert_eq!(answer.status, status, "{body:?}: {}", answer.text);
        let message = answer.json()["message"].as_str().unwrap_or("").to_owned();
        assert!(message.starts_with(beginning), "{body:?}: {message}");
        assert_eq!(answer.json()["error_code"], status);
    }
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(9 * 1024 * 1024));
    let answer = rest.send("POST", "/connectors", Some(("application/json", &huge)));
    assert!(
        answer.map_or(true, |answer| answer.status == 413),
        "a body over the cap is refused"
    );
    assert_eq!(rest.get("/health").expect("health").status, 200);
}

/// One request frame: length, header, body.
fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&key.to_be_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&7i32.to_be_bytes());
    bytes.extend_from_slice(&(-1i16).to_be_bytes());
    // Flexible requests carry tagged fields after the client id.
    if key == 3 && version >= 9 {
        bytes.push(0);
    }
    bytes.extend_from_slice(body);
    let mut whole = (bytes.len() as i32).to_be_bytes().to_vec();
    whole.extend_from_slice(&bytes);
    whole
}

fn closes(address: &str, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
    // The broker may close before everything is written.
    let _ = stream.write_all(bytes);
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("0");
    peak.split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0)
}

#[test]
fn malformed_oversized_and_lying_frames_close_their_connection_only() {
    let (mut weir, address) = Weir::broker(&[]).expect("broker");
    let mut good = TcpStream::connect(&address).expect("a well-behaved client");
    good.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
    let hostile: Vec<(&str, Vec<u8>)> = vec![
        ("negative length", (-1i32).to_be_bytes().to_vec()),
        ("length over the limit", 0x7fff_ffffi32.to_be_bytes().to_vec()),
        (
            "length too short for a header",
            [&4i32.to_be_bytes()[..], &[0; 4]].concat(),
        ),
        ("unknown key", frame(999, 0, &[])),
        ("unknown version", frame(3, 99, &[])),
        // An array that claims more elements than any frame can hold: v4 with an int32 count, v9 with a varint.
        (
            "Metadata v4 that claims 2^31-1 topics",
            frame(3, 4, &[0x7f, 0xff, 0xff, 0xff, 0]),
        ),
        (
            "Metadata v9 that claims 2^32-2 topics",
            frame(3, 9, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ),
        ("a string longer than its frame", frame(3, 4, &[0, 0, 0, 1, 0x7f, 0xff])),
        ("a produce request cut short", frame(0, 3, &[0xff, 0xff, 0xff])),
    ];
    for (what, bytes) in &hostile {
        assert!(closes(&address, bytes), "{what}: the connection stays open");
        assert!(weir.is_running(), "{what}: the broker ended");
    }
    assert!(
        resident_kib(weir.pid()) < 300 * 1024,
        "peak memory {} KiB after lying frames",
        resident_kib(weir.pid())
    );
    good.write_all(&frame(18, 0, &[])).expect("ApiVersions");
    let mut length = [0; 4];
    good.read_exact(&mut length)
        .expect("the well-behaved client is still served");
    assert!(i32::from_be_bytes(length) > 20);
}

#[test]
fn a_full_disk_is_an_error_to_the_client_and_the_broker_serves_on() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(
        folder.path().join("server.properties"),
        format!(
            "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs={}\n",
            folder.path().join("data").display()
        ),
    )
    .expect("settings");
    let mut weir = Weir::start_with(Start {
        arguments: vec!["broker".to_owned(), "{dir}/server.properties".to_owned()],
        folder: Some(folder.path()),
        max_file_bytes: Some(1024 * 1024),
        environment: Vec::new(),
    })
    .expect("spawned");
    let address = weir.await_ready().expect("ready").kafka.expect("address");
    let produced = weir_tests::kafka::produce_until_error(&address, "full", 4096, 2000);
    assert!(
        produced.acknowledged > 100,
        "only {} records fit into a MiB",
        produced.acknowledged
    );
    assert!(produced.error.is_some(), "2000 records of 4 KiB fitted into a MiB");
    assert!(weir.is_running(), "{}", weir.log_text());
    let read = weir_tests::kafka::read_all(&address, "full").expect("what was acknowledged is read back");
    assert!(
        read.len() as u64 >= produced.acknowledged,
        "{} read, {} acknowledged",
        read.len(),
        produced.acknowledged
    );
}

#[test]
fn a_corrupt_segment_takes_its_partition_offline_and_no_other() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut weir, address) = Weir::broker_in(folder.path(), &[]).expect("broker");
    for topic in ["bad", "good"] {
        let produced = weir_tests::kafka::produce_until_error(&address, topic, 100, 200);
        assert_eq!(produced.acknowledged, 200);
    }
    weir.stop().expect("clean stop");
    let segment = folder.path().join("data/bad-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).expect("segment");
    // A byte inside the first batch's records: its checksum no longer holds, though it was flushed long ago.
    bytes[200] ^= 0xff;
    std::fs::write(&segment, bytes).expect("damaged");
    std::fs::remove_file(folder.path().join("data/.kafka_cleanshutdown")).expect("as after a crash");

    let (weir, address) = Weir::broker_in(folder.path(), &[]).expect("starts all the same");
    assert_eq!(
        weir_tests::kafka::read_all(&address, "good").expect("unharmed").len(),
        200
    );
    assert!(
        weir_tests::kafka::read_all(&address, "bad").is_err(),
        "corrupt data was served as if it were whole"
    );
    await_true("the log names the partition", PATIENCE, || {
        weir.log_text().contains("bad-0")
    })
    .expect("named");
}
