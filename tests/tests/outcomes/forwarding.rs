//! Requests that go astray between workers, and bodies that are too large.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::apache::free_port;
use weir_tests::process::{PATIENCE, Weir, await_true};

use crate::{SOON, Worker};

#[test]
fn a_request_that_comes_back_to_its_worker_ends_after_two_hops() {
    let (_broker, kafka) = Weir::broker(&[("group.initial.rebalance.delay.ms", "0")]).expect("broker");
    let (one, two) = (free_port().expect("port"), free_port().expect("port"));
    let settings = |own: u16, shown: u16| {
        format!("listeners=http://127.0.0.1:{own}\nrest.advertised.host.name=127.0.0.1\nrest.advertised.port={shown}\n")
    };
    // Each shows the other's address as its own: what is meant for the leader comes back to the follower.
    let leader = Worker::member(&kafka, "astray", &settings(one, two));
    let follower = Worker::member(&kafka, "astray", &settings(two, one));
    let config = json!({"connector.class": "Datagen", "topic": "t", "schema": "users"});
    leader.put("a", &config);
    await_true("the follower knows it", PATIENCE, || {
        follower
            .rest
            .get("/connectors/a")
            .is_ok_and(|answer| answer.status == 200)
    })
    .expect("known");
    let conflict = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
    for (method, path, body) in [
        ("PUT", "/connectors/b/config", Some(config.to_string())),
        ("DELETE", "/connectors/a", None),
        ("PUT", "/connectors/a/stop", None),
        ("POST", "/connectors/a/restart?includeTasks=true", None),
    ] {
        let asked = Instant::now();
        let answer = follower
            .rest
            .send(method, path, body.as_deref().map(|text| ("application/json", text)))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.json()["message"].as_str()),
            (409, Some(conflict)),
            "{method} {path}: {}",
            answer.text
        );
        assert!(asked.elapsed() < SOON, "{method} {path}: {:?}", asked.elapsed());
    }
    follower
        .weir
        .await_log("couldn't find the target Connect worker within two hops (between workers)")
        .expect("logged");
    // Nobody else suffers: the leader still takes the same change.
    leader.put("b", &config);
}

/// Sends more than the cap and reads the answer, which may come before the end of the body.
fn oversized(host: &str, method: &str, path: &str) -> String {
    const CLAIMED: usize = 9 * 1024 * 1024;
    let mut stream = TcpStream::connect(host).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("timeout");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {CLAIMED}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("head");
    let part = vec![b' '; 64 * 1024];
    // No more than the cap and a little: what nobody reads would reset the connection, and the answer with it.
    let mut left = 8 * 1024 * 1024 + 2 * part.len();
    while left > 0 && stream.write_all(&part).is_ok() {
        left -= part.len().min(left);
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_over_the_cap_is_refused_before_it_is_read_to_its_end() {
    let (_broker, kafka) = Weir::broker(&[("group.initial.rebalance.delay.ms", "0")]).expect("broker");
    let worker = Worker::member(&kafka, "oversized", "");
    for (method, path) in [
        ("POST", "/connectors"),
        ("PUT", "/connectors/a/config"),
        ("PUT", "/connector-plugins/Datagen/config/validate"),
        ("POST", "/connectors/a/tasks"),
    ] {
        let answer = oversized(worker.rest.host(), method, path);
        assert_eq!(answer, "HTTP/1.1 413", "{method} {path}");
    }
    assert_eq!(worker.rest.get("/health").expect("health").status, 200);
}
