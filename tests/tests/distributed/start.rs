//! How a worker starts: refused by its group, with connectors of files while another leads, after a kill.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use weir_tests::apache::free_port;
use weir_tests::process::{PATIENCE, Ready, Weir, await_true};
use weir_tests::rest::Rest;

use crate::{Cluster, Worker, endless, start_worker, worker_file};

#[test]
fn a_session_timeout_that_the_broker_refuses_ends_the_worker_and_is_named() {
    let cluster = Cluster::start();
    let mut weir = start_worker(&cluster.kafka, &[("session.timeout.ms", "3000")]);
    let status = weir.await_end().expect("ends");
    assert_eq!(status.code(), Some(2), "{}", weir.log_text());
    let log = weir.log_text();
    let told = "session.timeout.ms is 3000, the broker allows 6000 to 1800000";
    assert_eq!(log.matches(told).count(), 1, "{log}");
}

fn up(folder: &Path, kafka_port: u16, more: &[&str]) -> (Weir, Ready) {
    let port = kafka_port.to_string();
    let own = [
        "up",
        "--data-dir",
        "{dir}/data",
        "--kafka-port",
        &port,
        "--registry-port",
        "0",
    ];
    let arguments = [&own[..], &["--connect", "{dir}/up.properties"], more].concat();
    let mut weir = Weir::start_in(folder, &arguments).expect("up");
    let ready = weir.await_ready().unwrap_or_else(|error| panic!("{error:#}"));
    (weir, ready)
}

#[test]
fn connectors_of_files_are_created_by_whoever_leads() {
    let folder = tempfile::tempdir().expect("folder");
    let port = free_port().expect("a port");
    let kafka = format!("127.0.0.1:{port}");
    // Both in one group; a broker that is killed takes one of them along.
    let file = folder.path().join("up.properties");
    std::fs::write(&file, worker_file(&kafka, &[("session.timeout.ms", "2000")])).expect("file");
    let (mut weir, _) = up(folder.path(), port, &[]);
    let other = Worker::of(start_worker(&kafka, &[]));
    let mut other_led = false;
    for round in 1..=8 {
        weir.kill().expect("kill -9");
        drop(weir);
        let config = json!({"name": "of-a-file", "config": endless("of-a-file", round)});
        std::fs::write(folder.path().join("connector.json"), config.to_string()).expect("file");
        let connect;
        (weir, connect) = up(folder.path(), port, &["{dir}/connector.json"]);
        let rest = Rest::new(connect.connect.as_deref().expect("connect"));
        await_true("the other has read it", PATIENCE, || {
            let read = other.rest.get("/connectors/of-a-file/config").expect("config").json();
            read["tasks.max"].as_str() == Some(&*round.to_string())
        })
        .expect("created");
        // Only a leader answers this itself.
        let asked = rest
            .send("DELETE", "/connectors/none?forward=false", None)
            .expect("DELETE");
        if asked.status == 409 {
            other_led = true;
            break;
        }
    }
    assert!(other_led, "the worker of `weir up` led in all rounds");
}

#[test]
fn weir_up_is_ready_soon_after_a_kill() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut weir, _) = Weir::up_in(folder.path(), &[]).expect("up");
    weir.kill().expect("kill -9");
    drop(weir);
    let began = Instant::now();
    let (_weir, _) = Weir::up_in(folder.path(), &[]).expect("up again");
    // Its predecessor's session is waited for: two seconds, where a worker of a file has ten.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}
