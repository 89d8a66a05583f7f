//! Several `weir connect-distributed` workers over one broker: sharing, forwarding, takeover, hand-over.
//!
//! All workers are the built binary; what a rebalance may not touch is read from the status topic, where every start of a task leaves a
//! record with the generation of its group.

mod between;
mod start;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use weir_tests::kafka::{end_offset, read_all};
use weir_tests::process::{PATIENCE, Start, Weir, await_true, await_value};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A broker, and workers that join and leave.
struct Cluster {
    kafka: String,
    /// Last, so that it outlives the workers.
    _broker: Weir,
}

/// One worker.
struct Worker {
    weir: Weir,
    rest: Rest,
}

impl Cluster {
    fn start() -> Self {
        let settings = [("group.initial.rebalance.delay.ms", "0"), ("num.partitions", "1")];
        let (broker, kafka) = Weir::broker(&settings).expect("broker");
        Cluster { kafka, _broker: broker }
    }

    fn worker(&self) -> Worker {
        self.worker_with(&[])
    }

    fn worker_with(&self, settings: &[(&str, &str)]) -> Worker {
        Worker::of(start_worker(&self.kafka, settings))
    }

    /// All statuses ever written for a key, oldest first.
    fn statuses(&self, key: &str) -> Vec<Value> {
        let contents = weir_tests::kafka::read_contents(&self.kafka, "c-status").expect("status topic");
        let of_key = contents
            .into_iter()
            .filter(|record| record.key.as_deref() == Some(key.as_bytes()));
        of_key
            .filter_map(|record| serde_json::from_slice(record.value.as_deref().unwrap_or_default()).ok())
            .collect()
    }
}

/// Starts a worker whose end or readiness the caller waits for.
fn start_worker(kafka: &str, settings: &[(&str, &str)]) -> Weir {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("worker.properties"), worker_file(kafka, settings)).expect("file");
    let mut weir = Weir::start_with(Start {
        arguments: vec!["connect-distributed".to_owned(), "{dir}/worker.properties".to_owned()],
        folder: Some(folder.path()),
        max_file_bytes: None,
        environment: Vec::new(),
    })
    .expect("worker");
    weir.own_folder(folder);
    weir
}

/// Settings of a worker; those given come last and win.
fn worker_file(kafka: &str, settings: &[(&str, &str)]) -> String {
    let fixed = [
        ("bootstrap.servers", kafka),
        ("listeners", "http://127.0.0.1:0"),
        ("group.id", "workers"),
        ("key.converter", STRING),
        ("value.converter", STRING),
        ("config.storage.topic", "c-configs"),
        ("offset.storage.topic", "c-offsets"),
        ("status.storage.topic", "c-status"),
        ("config.storage.replication.factor", "1"),
        ("offset.storage.replication.factor", "1"),
        ("offset.storage.partitions", "1"),
        ("status.storage.replication.factor", "1"),
        ("status.storage.partitions", "1"),
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "500"),
        ("scheduled.rebalance.max.delay.ms", "1000"),
    ];
    let lines: Vec<String> = fixed
        .iter()
        .chain(settings)
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    lines.join("\n")
}

impl Worker {
    /// A worker that has started, once it is ready.
    fn of(mut weir: Weir) -> Self {
        let ready = weir.await_ready().expect("ready");
        let rest = Rest::new(ready.connect.as_deref().expect("connect address"));
        Worker { weir, rest }
    }

    /// As it stands in statuses.
    fn id(&self) -> String {
        self.rest.host().to_owned()
    }
}

fn endless(topic: &str, tasks: u32) -> Value {
    json!({"connector.class": "Datagen", "topic": topic, "schema": "users", "interval.ms": "5", "tasks.max": tasks.to_string(),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter"})
}

/// How many connectors and tasks each worker runs; none while anything is not RUNNING.
fn shares(rest: &Rest, names: &[&str], tasks: usize) -> Option<BTreeMap<String, usize>> {
    let mut shares = BTreeMap::new();
    for name in names {
        let status = rest.status(name);
        let shown = status["tasks"].as_array()?;
        let all = shown.iter().chain([&status["connector"]]);
        if shown.len() != tasks {
            return None;
        }
        for part in all {
            if part["state"] != "RUNNING" {
                return None;
            }
            *shares.entry(part["worker_id"].as_str()?.to_owned()).or_default() += 1;
        }
    }
    Some(shares)
}

fn await_shares(rest: &Rest, names: &[&str], tasks: usize, workers: &[String]) {
    let mut last = None;
    let spread = await_true("work is on these workers and no other", PATIENCE, || {
        last = shares(rest, names, tasks);
        last.as_ref().is_some_and(|shares| {
            shares
                .keys()
                .eq(workers.iter().collect::<std::collections::BTreeSet<_>>())
        })
    });
    if spread.is_err() {
        let statuses: Vec<Value> = names.iter().map(|name| rest.status(name)).collect();
        panic!("{workers:?} expected, found {last:?} in {statuses:?}");
    }
}

fn await_growth(kafka: &str, topic: &str) {
    let before = end_offset(kafka, topic).unwrap_or(0);
    await_true("records keep coming", PATIENCE, || {
        end_offset(kafka, topic).is_some_and(|now| now > before + 3)
    })
    .expect(topic);
}

#[test]
fn workers_share_the_work_and_a_join_leaves_what_stays_alone() {
    let cluster = Cluster::start();
    let first = cluster.worker();
    let names = ["a", "b", "c", "d"];
    for name in names {
        first.rest.put_connector(name, &endless(name, 1)).expect("connector");
    }
    await_shares(&first.rest, &names, 1, &[first.id()]);
    let second = cluster.worker();
    await_shares(&second.rest, &names, 1, &[first.id(), second.id()]);
    let shares = shares(&first.rest, &names, 1).expect("all run");
    assert!(shares.values().all(|share| *share == 4), "{shares:?}");
    // Of what the first worker kept, nothing was started again.
    let mut kept = 0;
    for name in names {
        let status = first.rest.status(name);
        if status["tasks"][0]["worker_id"] == first.id().as_str() {
            let written = cluster.statuses(&format!("status-task-{name}-0"));
            assert_eq!(written.len(), 1, "{name}: {written:?}");
            await_growth(&cluster.kafka, name);
            kept += 1;
        }
    }
    assert_eq!(kept, 2);
}

#[test]
fn any_worker_takes_changes_for_the_leader_and_the_owner() {
    let cluster = Cluster::start();
    let (first, second) = (cluster.worker(), cluster.worker());
    for (index, rest) in [&first.rest, &second.rest].into_iter().enumerate() {
        let name = format!("c{index}");
        let body = json!({"name": name, "config": endless(&name, 2)});
        let created = rest.json("POST", "/connectors", &body).expect("POST");
        assert_eq!(created.status, 201, "{}", created.text);
    }
    let names = ["c0", "c1"];
    await_shares(&first.rest, &names, 2, &[first.id(), second.id()]);
    for rest in [&first.rest, &second.rest] {
        for name in names {
            let path = |what: &str| format!("/connectors/{name}/{what}");
            assert_eq!(rest.send("POST", &path("restart"), None).expect("restart").status, 204);
            assert_eq!(
                rest.send("POST", &path("tasks/0/restart"), None)
                    .expect("restart")
                    .status,
                204
            );
            let plan = rest
                .send("POST", &path("restart?includeTasks=true"), None)
                .expect("restart");
            assert_eq!(
                (plan.status, &plan.json()["connector"]["state"]),
                (202, &json!("RESTARTING")),
                "{}",
                plan.text
            );
            await_value("restarted", PATIENCE, || shares(rest, &[name], 2)).expect(name);
        }
    }
    // A connector whose tasks change writes them through the leader, wherever it runs.
    for rest in [&first.rest, &second.rest] {
        for (name, tasks) in [("c0", 3), ("c1", 1)] {
            rest.put_connector(name, &endless(name, tasks)).expect("PUT");
            rest.await_state(name, "RUNNING", tasks as usize).expect(name);
            rest.put_connector(name, &endless(name, 2)).expect("PUT");
            rest.await_state(name, "RUNNING", 2).expect(name);
        }
    }
    assert_eq!(
        second
            .rest
            .send("PUT", "/connectors/c0/pause", None)
            .expect("pause")
            .status,
        202
    );
    first.rest.await_state("c0", "PAUSED", 2).expect("paused");
    for (rest, name) in [(&first.rest, "c1"), (&second.rest, "c0")] {
        assert_eq!(
            rest.send("PUT", &format!("/connectors/{name}/stop"), None)
                .expect("stop")
                .status,
            204
        );
        first.rest.await_state(name, "STOPPED", 0).expect("stopped");
    }
    for (rest, name) in [(&first.rest, "c0"), (&second.rest, "c1")] {
        assert_eq!(
            rest.send("DELETE", &format!("/connectors/{name}"), None)
                .expect("DELETE")
                .status,
            204
        );
    }
    for worker in [&first, &second] {
        await_true("statuses go with their connectors", PATIENCE, || {
            names.iter().all(|name| {
                worker
                    .rest
                    .get(&format!("/connectors/{name}/status"))
                    .is_ok_and(|answer| answer.status == 404)
            })
        })
        .expect("gone");
    }
}

#[test]
fn a_killed_workers_share_is_taken_over_after_the_delay_and_a_stopped_ones_at_once() {
    let cluster = Cluster::start();
    let mut workers: Vec<Worker> = (0..3).map(|_| cluster.worker()).collect();
    let names = ["a", "b", "c"];
    for name in names {
        workers[0]
            .rest
            .put_connector(name, &endless(name, 2))
            .expect("connector");
    }
    let ids: Vec<String> = workers.iter().map(Worker::id).collect();
    await_shares(&workers[0].rest, &names, 2, &ids);
    // The first one leads: it was there first.
    let mut leader = workers.remove(0);
    leader.weir.kill().expect("kill");
    await_shares(&workers[0].rest, &names, 2, &ids[1..]);
    for name in names {
        await_growth(&cluster.kafka, name);
    }
    let mut leaving = workers.remove(0);
    let (status, _) = leaving.weir.stop().expect("stop");
    assert!(status.success(), "{}", leaving.weir.log_text());
    let last = &workers[0];
    await_shares(&last.rest, &names, 2, &ids[2..]);
    let created = last
        .rest
        .json("POST", "/connectors", &json!({"name": "d", "config": endless("d", 1)}))
        .expect("POST");
    assert_eq!(created.status, 201, "the last worker leads: {}", created.text);
    last.rest.await_state("d", "RUNNING", 1).expect("runs");
}

#[test]
fn writes_during_rebalances_wait_and_succeed() {
    let cluster = Cluster::start();
    let first = cluster.worker();
    let mut created = Vec::new();
    let mut others = Vec::new();
    for round in 0..3 {
        // Each joins while connectors are being created.
        let names: Vec<String> = (0..4).map(|index| format!("r{round}-{index}")).collect();
        std::thread::scope(|scope| {
            let joining = scope.spawn(|| cluster.worker());
            for name in &names {
                let body = json!({"name": name, "config": endless("many", 1)});
                let answer = first.rest.json("POST", "/connectors", &body).expect("POST");
                assert_eq!(answer.status, 201, "{name}: {}", answer.text);
            }
            others.push(joining.join().expect("joins"));
        });
        created.extend(names);
    }
    for name in &created {
        first.rest.await_state(name, "RUNNING", 1).expect(name);
    }
}

#[test]
fn an_unsigned_or_wrongly_signed_internal_request_is_refused() {
    let cluster = Cluster::start();
    let worker = cluster.worker();
    worker.rest.put_connector("a", &endless("a", 1)).expect("connector");
    worker.rest.await_state("a", "RUNNING", 1).expect("runs");
    let post = |headers: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        let answer = worker
            .rest
            .send_with("POST", "/connectors/a/tasks", &all, Some("[]"))
            .expect("POST");
        (
            answer.status,
            answer.json()["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        post(&[]),
        (400, "Internal request missing required signature".to_owned())
    );
    let signed = |algorithm| {
        [
            ("X-Connect-Authorization", "AAAA"),
            ("X-Connect-Request-Signature-Algorithm", algorithm),
        ]
    };
    assert_eq!(
        post(&signed("HmacSHA256")),
        (403, "Internal request contained invalid signature.".to_owned())
    );
    let (status, text) = post(&signed("HmacSHA512"));
    assert!(
        status == 400 && text.starts_with("This worker does not support the 'HmacSHA512'"),
        "{status} {text}"
    );
    assert_eq!(
        worker
            .rest
            .get("/connectors/a/tasks")
            .expect("tasks")
            .json()
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    // The key is in the config topic, as Java reads it.
    let keys: Vec<Vec<u8>> = read_all(&cluster.kafka, "c-configs")
        .expect("config topic")
        .into_iter()
        .filter(|value| String::from_utf8_lossy(value).starts_with("{\"key\":\""))
        .collect();
    assert_eq!(keys.len(), 1, "one leader, one key");
}

#[test]
fn an_eager_group_moves_everything_and_loses_nothing() {
    let cluster = Cluster::start();
    let eager = [("connect.protocol", "eager")];
    let first = cluster.worker_with(&eager);
    for name in ["a", "b"] {
        first.rest.put_connector(name, &endless(name, 1)).expect("connector");
    }
    await_shares(&first.rest, &["a", "b"], 1, &[first.id()]);
    let mut second = cluster.worker_with(&eager);
    await_shares(&first.rest, &["a", "b"], 1, &[first.id(), second.id()]);
    second.weir.stop().expect("stop");
    await_shares(&first.rest, &["a", "b"], 1, &[first.id()]);
}

#[test]
fn a_worker_leaves_its_group_within_its_deadlines() {
    let cluster = Cluster::start();
    let mut worker = cluster.worker();
    worker.rest.put_connector("a", &endless("a", 2)).expect("connector");
    worker.rest.await_state("a", "RUNNING", 2).expect("runs");
    let (status, took) = worker.weir.stop().expect("stop");
    assert!(
        status.success() && took < Duration::from_secs(20),
        "{status} after {took:?}"
    );
    let last = |key: &str| cluster.statuses(key).pop().map(|status| status["state"].clone());
    for key in ["status-connector-a", "status-task-a-0", "status-task-a-1"] {
        assert_eq!(last(key), Some(json!("UNASSIGNED")), "{key}");
    }
}

#[test]
fn a_change_of_state_during_a_restart_is_not_lost() {
    let cluster = Cluster::start();
    let worker = cluster.worker();
    worker.rest.put_connector("a", &endless("a", 1)).expect("connector");
    worker.rest.await_state("a", "RUNNING", 1).expect("runs");
    let send = |method: &str, path: &str| worker.rest.send(method, path, None).expect(path).status;
    for _ in 0..6 {
        assert_eq!(send("POST", "/connectors/a/restart?includeTasks=true"), 202);
        assert_eq!(send("PUT", "/connectors/a/pause"), 202);
        worker.rest.await_state("a", "PAUSED", 1).expect("paused");
        assert_eq!(send("PUT", "/connectors/a/resume"), 202);
        worker.rest.await_state("a", "RUNNING", 1).expect("resumed");
    }
}
