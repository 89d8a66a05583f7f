//! `kill -9`, twenty rounds each: the broker under load, and the worker.
//!
//! The oracle: what was acknowledged is read back, in order; the file source loses no line.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use weir_tests::kafka::{producer, read_all, send};
use weir_tests::process::{PATIENCE, Weir, await_true};
use weir_tests::rest::Rest;

use rdkafka::producer::Producer as _;

const ROUNDS: u64 = 20;
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

fn free_port() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("address").port().to_string()
}

#[test]
fn no_acknowledged_record_is_lost_when_the_broker_is_killed_under_load() {
    let folder = tempfile::tempdir().expect("folder");
    let listener = format!("PLAINTEXT://127.0.0.1:{}", free_port());
    let settings = [("listeners", listener.as_str()), ("log.segment.bytes", "1048576")];
    let (mut weir, address) = Weir::broker_in(folder.path(), &settings).expect("broker");
    let (producer, acknowledged) = producer(&address, Duration::from_secs(120)).expect("producer");
    let mut number = 0u64;
    for round in 0..ROUNDS {
        let before = acknowledged.count();
        // Keep sending until the broker has acknowledged something of this round, then pull the plug mid-stream.
        while acknowledged.count() < before + 300 + round * 37 {
            send(&producer, "load", number, format!("{number:012}").as_bytes()).expect("send");
            number += 1;
            if number.is_multiple_of(2000) {
                producer.poll(Duration::from_millis(1));
            }
        }
        weir.kill().expect("kill -9");
        drop(weir);
        (weir, _) =
            Weir::broker_in(folder.path(), &settings).unwrap_or_else(|error| panic!("round {round}: {error:#}"));
    }
    producer.flush(Duration::from_secs(120)).expect("the rest is delivered");
    let acknowledged = acknowledged.numbers();
    let values = read_all(&address, "load").expect("read back");
    let read: Vec<u64> = values
        .iter()
        .map(|value| String::from_utf8_lossy(value).parse().expect("a number, whole"))
        .collect();
    let distinct: BTreeSet<u64> = read.iter().copied().collect();
    let lost: Vec<&u64> = acknowledged.difference(&distinct).take(5).collect();
    assert!(
        lost.is_empty(),
        "acknowledged and lost: {lost:?} … of {}",
        acknowledged.len()
    );
    assert_eq!(
        acknowledged.len() as u64,
        number,
        "everything was acknowledged in the end"
    );
    assert_eq!(
        read.len(),
        distinct.len(),
        "an idempotent producer's record was stored twice"
    );
    assert!(
        read.windows(2).all(|pair| pair[0] < pair[1]),
        "records are out of order"
    );
    assert!(weir.is_running());
}

#[test]
fn the_file_source_loses_no_line_when_the_worker_is_killed() {
    let folder = tempfile::tempdir().expect("folder");
    let input = folder.path().join("in.txt");
    let mut file = std::fs::File::create(&input).expect("input");
    let config = json!({
        "connector.class": "FileStreamSource", "file": input.display().to_string(), "topic": "lines",
        "key.converter": STRING, "value.converter": STRING
    });
    let worker = folder.path().join("worker.properties");
    std::fs::write(&worker, "offset.flush.interval.ms=100\n").expect("worker settings");
    let flags = ["--connect", "{dir}/worker.properties"];
    let (mut weir, ready) = Weir::up_in(folder.path(), &flags).expect("up");
    Rest::new(ready.connect.as_deref().expect("connect"))
        .put_connector("src", &config)
        .expect("created");
    let mut written = 0u64;
    let mut kafka = ready.kafka.expect("kafka");
    for round in 0..ROUNDS {
        for _ in 0..500 {
            writeln!(file, "{written:012}").expect("a line");
            written += 1;
        }
        file.flush().expect("flush");
        // Let it get somewhere, a different distance each round.
        let goal = written - 400 + round * 17;
        await_true("lines arrive", PATIENCE, || {
            weir_tests::kafka::end_offset(&kafka, "lines").is_some_and(|end| end as u64 >= goal)
        })
        .expect("progress");
        weir.kill().expect("kill -9");
        drop(weir);
        let (next, ready) =
            Weir::up_in(folder.path(), &flags).unwrap_or_else(|error| panic!("round {round}: {error:#}"));
        weir = next;
        kafka = ready.kafka.expect("kafka");
    }
    let mut missing = Vec::new();
    let complete = await_true("every line", PATIENCE, || {
        let seen: BTreeSet<u64> = read_all(&kafka, "lines").map(numbers).unwrap_or_default();
        missing = (0..written).filter(|line| !seen.contains(line)).take(5).collect();
        missing.is_empty()
    });
    assert!(complete.is_ok(), "lines lost: {missing:?} … of {written}");
    assert!(weir.is_running());
}

fn numbers(values: Vec<Vec<u8>>) -> BTreeSet<u64> {
    values
        .iter()
        .map(|value| String::from_utf8_lossy(value).parse().expect("a whole line"))
        .collect()
}
