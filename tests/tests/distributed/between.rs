//! What workers ask of each other: over https, signed with keys that change.

use serde_json::json;
use weir_tests::apache::free_port;
use weir_tests::kafka::read_all;
use weir_tests::process::{PATIENCE, await_true, repository};
use weir_tests::rest::Rest;

use crate::{Cluster, Worker, await_shares, endless, start_worker};

/// A worker that others reach by https alone, and tests by http.
fn secured(cluster: &Cluster, more: &[(&str, &str)]) -> (Worker, Rest) {
    let data = repository().join("broker/secrets/tests/data");
    let (keys, trust) = (data.join("keys.jks"), data.join("trust.jks"));
    let (keys, trust) = (keys.display().to_string(), trust.display().to_string());
    let open = format!("http://127.0.0.1:{}", free_port().expect("a port"));
    let listeners = format!("https://127.0.0.1:0,{open}");
    let mut settings = vec![
        ("listeners", listeners.as_str()),
        ("rest.advertised.listener", "https"),
        ("listeners.https.ssl.keystore.location", &keys),
        ("listeners.https.ssl.keystore.password", "changeit"),
        ("listeners.https.ssl.key.password", "keypass"),
        ("listeners.https.ssl.truststore.location", &trust),
        ("listeners.https.ssl.truststore.password", "changeit"),
    ];
    settings.extend_from_slice(more);
    let mut weir = start_worker(&cluster.kafka, &settings);
    let ready = weir.await_ready().expect("ready");
    let url = ready.connect.expect("connect address");
    assert!(url.starts_with("https://127.0.0.1:"), "the ready file tells {url}");
    let rest = Rest::new(url.trim_start_matches("https://"));
    (Worker { weir, rest }, Rest::new(&open))
}

fn session_keys(kafka: &str) -> usize {
    let values = read_all(kafka, "c-configs").expect("config topic");
    let keys = values.iter().filter(|value| value.starts_with(b"{\"key\":\""));
    keys.count()
}

#[test]
fn requests_go_over_https_and_keys_that_change_pass_unnoticed() {
    let cluster = Cluster::start();
    let short = [("inter.worker.key.ttl.ms", "1000")];
    let (first, one) = secured(&cluster, &short);
    let (second, other) = secured(&cluster, &short);
    // Users' requests: one of the two workers does not lead and has to pass them on.
    for (name, rest) in [("a", &one), ("b", &other), ("c", &one), ("d", &other)] {
        let answer = rest.json(
            "POST",
            "/connectors",
            &json!({"name": name, "config": endless(name, 1)}),
        );
        let answer = answer.expect("POST");
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let names = ["a", "b", "c", "d"];
    await_shares(&one, &names, 1, &[first.id(), second.id()]);
    // Requests of workers: one of them runs two connectors and does not lead, and hands their tasks over.
    let before = session_keys(&cluster.kafka);
    let mut tasks = 1;
    while session_keys(&cluster.kafka) < before + 4 {
        tasks = tasks % 3 + 1;
        for name in names {
            one.put_connector(name, &endless(name, tasks))
                .expect("another number of tasks");
        }
        for name in names {
            let made = await_true("the tasks are made", PATIENCE, || {
                let listed = other.get(&format!("/connectors/{name}/tasks")).expect("tasks").json();
                listed.as_array().is_some_and(|listed| listed.len() == tasks as usize)
            });
            made.unwrap_or_else(|error| panic!("{name}: {error:#}\n{}", second.weir.log_text()));
        }
    }
    for name in names {
        other.await_state(name, "RUNNING", tasks as usize).expect(name);
    }
}
