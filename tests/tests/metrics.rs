//! What `/metrics` shows, beside the list of what Apache's worker has, and whose log lines are.
//!
//! The list is recorded from Java's JMX (tests/metrics/record.sh); what is left out stands in tests/metrics/missing.txt with a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, Ready, Weir, await_true, repository};
use weir_tests::rest::Rest;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const LINES: usize = 1000;

/// A broker that shows its metrics, and a worker with a source and a sink that have moved all lines.
struct Running {
    worker: Weir,
    rest: Rest,
    kafka_metrics: Rest,
    _broker: Weir,
}

fn transformed(own: Value) -> Value {
    let mut config = json!({
        "tasks.max": "1", "transforms": "hoist", "transforms.hoist.type": "org.apache.kafka.connect.transforms.HoistField$Value",
        "transforms.hoist.field": "line", "transforms.hoist.predicate": "all", "predicates": "all",
        "predicates.all.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches", "predicates.all.pattern": ".*",
    });
    let members = own.as_object().expect("an object").clone();
    config.as_object_mut().expect("an object").extend(members);
    config
}

fn start(log_format: &str) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let server = format!(
        "log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:0\ngroup.initial.rebalance.delay.ms=0\nweir.metrics.listener=http://127.0.0.1:0\n",
        path("data").display()
    );
    std::fs::write(path("server.properties"), server).expect("settings");
    let mut broker = Weir::start_in(folder.path(), &["broker", "{dir}/server.properties"]).expect("broker");
    let ready: Ready = broker.await_ready().expect("a broker");
    let kafka_metrics = Rest::new(ready.metrics.as_deref().expect("a metrics port"));
    let kafka = ready.kafka.expect("kafka");
    broker.own_folder(folder);

    let folder = tempfile::tempdir().expect("a folder");
    let topics: String = ["config", "offset", "status"]
        .map(|name| format!("{name}.storage.topic={name}\n{name}.storage.replication.factor=1\n"))
        .concat();
    let settings = format!(
        "bootstrap.servers={kafka}\nlisteners=http://127.0.0.1:0\ngroup.id=metrics\nkey.converter={STRING}\nvalue.converter={STRING}\n\
         offset.flush.interval.ms=200\n{topics}"
    );
    std::fs::write(folder.path().join("worker.properties"), settings).expect("settings");
    let lines: String = (0..LINES).map(|n| format!("line {n}\n")).collect();
    std::fs::write(folder.path().join("in.txt"), lines).expect("lines");
    let arguments = [
        "connect-distributed",
        "{dir}/worker.properties",
        "--log-format",
        log_format,
    ];
    let mut worker = Weir::start_in(folder.path(), &arguments).expect("worker");
    worker.own_folder(folder);
    let ready = worker.await_ready().expect("a worker");
    let rest = Rest::new(ready.connect.as_deref().expect("connect"));
    let file = |name: &str| worker.folder.join(name).display().to_string();
    let source = json!({"connector.class": "FileStreamSource", "file": file("in.txt"), "topic": "lines"});
    rest.put_connector("in", &transformed(source)).expect("source");
    let sink = json!({"connector.class": "FileStreamSink", "file": file("out.txt"), "topics": "lines", "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "bad", "errors.deadletterqueue.topic.replication.factor": "1"});
    rest.put_connector("out", &transformed(sink)).expect("sink");
    let out = worker.folder.join("out.txt");
    await_true("all lines are out", PATIENCE, || {
        std::fs::read_to_string(&out).is_ok_and(|text| text.lines().count() == LINES)
    })
    .unwrap_or_else(|error| panic!("{error}: {}", worker.log_text()));
    Running {
        worker,
        rest,
        kafka_metrics,
        _broker: broker,
    }
}

/// Series by name: labels and value.
type Series = BTreeMap<String, Vec<(BTreeMap<String, String>, f64)>>;

fn scrape(rest: &Rest) -> Series {
    let answer = rest.get("/metrics").expect("GET /metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let mut series = Series::new();
    let mut seen = BTreeSet::new();
    for line in answer.text.lines().filter(|line| !line.starts_with('#')) {
        let (head, value) = line.rsplit_once(' ').expect("a value");
        assert!(seen.insert(head.to_owned()), "{head} stands there twice");
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        let labels = labels
            .trim_end_matches('}')
            .split("\",")
            .filter(|label| !label.is_empty());
        let labels = labels.map(|label| {
            let (name, value) = label.split_once("=\"").expect("a label");
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        let value = value.parse().expect("a number");
        series
            .entry(name.to_owned())
            .or_default()
            .push((labels.collect(), value));
    }
    series
}

/// The value of the series with these labels among others.
fn value(series: &Series, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has = |all: &BTreeMap<String, String>| {
        labels
            .iter()
            .all(|(name, value)| all.get(*name).is_some_and(|known| known == value))
    };
    series
        .get(name)?
        .iter()
        .find(|(all, _)| has(all))
        .map(|(_, value)| *value)
}

fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn data(name: &str) -> String {
    std::fs::read_to_string(repository().join("tests/metrics").join(name)).expect("data of the test")
}

/// What of Apache's list a scrape does not show: group with tags, and attribute.
fn missing(series: &Series) -> BTreeSet<(String, String)> {
    let mut missing = BTreeSet::new();
    for line in data("apache.txt").lines() {
        let mut words = line.split(' ');
        let (group, attribute) = (words.next().expect("group"), words.next().expect("attribute"));
        let (bean, tags) = group.trim_end_matches('}').split_once('{').expect("tags");
        let name = plain(&format!("{}_{attribute}", bean.replace(":type=", "_")));
        let mut labels: BTreeSet<String> = tags.split(',').filter(|tag| !tag.is_empty()).map(plain).collect();
        if words.next() == Some("text") {
            labels.insert("value".to_owned());
        }
        let shown = series.get(&name).is_some_and(|all| {
            all.iter()
                .any(|(own, _)| own.keys().collect::<BTreeSet<_>>() == labels.iter().collect())
        });
        if !shown {
            missing.insert((group.to_owned(), attribute.to_owned()));
        }
    }
    missing
}

#[test]
fn every_metric_of_apaches_worker_is_shown_or_named_as_missing() {
    let running = start("text");
    let missing = missing(&scrape(&running.rest));
    let named: BTreeSet<(String, String)> = data("missing.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let pair = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            assert!(
                words.next().is_some_and(|reason| !reason.is_empty()),
                "{line}: no reason"
            );
            (pair.0.to_owned(), pair.1.to_owned())
        })
        .collect();
    let is_named = |(group, attribute): &&(String, String)| {
        named.contains(&(group.clone(), "*".to_owned())) || named.contains(&(group.clone(), attribute.clone()))
    };
    let unexpected: Vec<_> = missing.iter().filter(|one| !is_named(one)).collect();
    assert!(
        unexpected.is_empty(),
        "not shown, and not in missing.txt: {unexpected:?}"
    );
    let stale: Vec<_> = named
        .iter()
        .filter(|(group, attribute)| {
            !missing
                .iter()
                .any(|(g, a)| g == group && (attribute == "*" || a == attribute))
        })
        .collect();
    assert!(stale.is_empty(), "in missing.txt, but shown: {stale:?}");
}

#[test]
fn what_is_shown_is_what_happened() {
    let running = start("text");
    let connect = |group: &str, name: &str| format!("kafka_connect_{}_{}", plain(group), plain(name));
    let task = |connector| [("connector", connector), ("task", "0")];
    let lines = LINES as f64;
    // What was never begun is not active either, so the ends of both sides are awaited too.
    await_true("all is written, and its offsets are committed", PATIENCE, || {
        let series = scrape(&running.rest);
        let of = |group: &str, name: &str, own| value(&series, &connect(group, name), &task(own));
        of("source-task-metrics", "source-record-write-total", "in") >= Some(lines)
            && of("sink-task-metrics", "sink-record-send-total", "out") >= Some(lines)
            && of("sink-task-metrics", "sink-record-active-count", "out") == Some(0.0)
    })
    .expect("committed");
    let series = scrape(&running.rest);
    let of = |group: &str, name: &str, labels: &[(&str, &str)]| value(&series, &connect(group, name), labels);
    for (group, name, labels, expected) in [
        (
            "source-task-metrics",
            "source-record-write-total",
            &task("in")[..],
            lines,
        ),
        ("sink-task-metrics", "sink-record-send-total", &task("out"), lines),
        ("sink-task-metrics", "offset-commit-skip-total", &task("out"), 0.0),
        ("sink-task-metrics", "partition-count", &task("out"), 1.0),
        ("connect-worker-metrics", "connector-count", &[], 2.0),
        ("connect-worker-metrics", "task-startup-success-total", &[], 2.0),
        (
            "connect-worker-metrics",
            "connector-startup-success-percentage",
            &[],
            1.0,
        ),
        (
            "connect-worker-metrics",
            "connector-running-task-count",
            &[("connector", "in")],
            1.0,
        ),
        ("connect-worker-rebalance-metrics", "rebalancing", &[], 0.0),
        (
            "connect-worker-rebalance-metrics",
            "connect-protocol",
            &[("value", "SESSIONED")],
            1.0,
        ),
        ("connect-coordinator-metrics", "assigned-tasks", &[], 2.0),
    ] {
        assert_eq!(of(group, name, labels), Some(expected), "{name} {labels:?}");
    }
    for (group, name, labels) in [
        ("sink-task-metrics", "sink-record-active-count-max", &task("out")[..]),
        ("connect-worker-rebalance-metrics", "epoch", &[]),
        ("connect-worker-rebalance-metrics", "completed-rebalances-total", &[]),
        ("connect-coordinator-metrics", "heartbeat-total", &[]),
        ("connect-coordinator-metrics", "join-rate", &[]),
    ] {
        assert!(of(group, name, labels) > Some(0.0), "{name}");
    }
    let hoist = "org.apache.kafka.connect.transforms.HoistField$Value";
    let labels = [("connector", "out"), ("transform", "hoist"), ("value", hoist)];
    assert_eq!(of("connector-transform-metrics", "transform-class", &labels), Some(1.0));

    assert_eq!(
        running
            .rest
            .send("PUT", "/connectors/in/pause", None)
            .expect("pause")
            .status,
        202
    );
    await_true("the pause is counted", PATIENCE, || {
        let name = connect("connect-worker-metrics", "connector-paused-task-count");
        value(&scrape(&running.rest), &name, &[("connector", "in")]) == Some(1.0)
    })
    .expect("paused");
    assert_eq!(
        running
            .rest
            .send("DELETE", "/connectors/in", None)
            .expect("delete")
            .status,
        204
    );
    await_true("nothing of a deleted connector is shown", PATIENCE, || {
        let series = scrape(&running.rest);
        !series
            .values()
            .flatten()
            .any(|(labels, _)| labels.get("connector").is_some_and(|name| name == "in"))
    })
    .expect("gone");
}

#[test]
fn a_broker_alone_shows_its_metrics_where_it_is_told_to() {
    let running = start("text");
    let series = scrape(&running.kafka_metrics);
    let messages = value(&series, "kafka_server_brokertopicmetrics_messagesin_total", &[]);
    assert!(messages >= Some(LINES as f64), "{messages:?}");
    assert_eq!(running.kafka_metrics.get("/").expect("GET /").status, 404);
    // The worker is another process: nothing of it is here.
    assert!(!series.keys().any(|name| name.starts_with("kafka_connect")));
}

#[test]
fn lines_of_connectors_and_tasks_carry_their_context() {
    let running = start("text");
    for text in [
        " INFO [in|worker] creating connector class=",
        " INFO [in|task-0] creating task class=",
        " INFO [out|task-0] creating task class=",
    ] {
        running.worker.await_log(text).expect("a line");
    }
    let joined = running.worker.log_text();
    let joined = joined
        .lines()
        .find(|line| line.contains("joined group"))
        .expect("a line of the worker");
    assert!(joined.contains("] INFO joined group "), "{joined}");

    let running = start("json");
    let lines: Vec<Value> = running
        .worker
        .log_text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |context: &str, message: &str| {
        lines
            .iter()
            .any(|line| line["connector.context"] == context && line["message"] == message)
    };
    assert!(of("[in|worker]", "creating connector"));
    assert!(of("[out|task-0]", "creating task"));
}
