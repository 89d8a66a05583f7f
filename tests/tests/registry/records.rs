//! The schemas topic in Confluent's own bytes, and starts that are refused.

use serde_json::{Value, json};
use weir_tests::kafka::read_contents;
use weir_tests::process::{PATIENCE, Weir, await_true, repository};
use weir_tests::rest::Rest;

use crate::cluster::{Cluster, INT_A, produce, record, registry};

/// Lines of `key`, tab, `value`; no tab is a tombstone.
fn golden(name: &str) -> Vec<(String, Option<String>)> {
    let path = repository().join("tests/registry").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once('\t') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (line.to_owned(), None),
        })
        .collect()
}

#[test]
fn records_of_other_registries_are_taken_over() {
    let mut it = Cluster::start("");
    let before = it.records();
    produce(&it.kafka, &golden("taken-over.txt"));
    await_true("the last record is followed", PATIENCE, || {
        it.get("/subjects/last/versions").status == 200
    })
    .expect("followed");
    for _ in 0..2 {
        for (path, expected) in [
            ("/subjects", json!([":.ctx:s", "karapace", "last", "orders-value"])),
            ("/subjects/orders-value/versions?deleted=true", json!([1, 2, 3])),
            ("/subjects/orders-value/versions", json!([2, 3])),
            ("/subjects?deletedOnly=true", json!(["gone"])),
            ("/contexts", json!([".", ".ctx"])),
            ("/config", json!({"compatibilityLevel": "FULL"})),
            ("/config/orders-value", json!({"compatibilityLevel": "NONE"})),
            ("/mode/orders-value", json!({"mode": "READONLY"})),
            ("/schemas/ids/9/subjects", json!(["karapace"])),
        ] {
            it.check("GET", path, Value::Null, 200, expected);
        }
        // A language that is not read yet is still served.
        let json_schema = it.get("/subjects/last/versions/1").json();
        assert_eq!(
            (&json_schema["schemaType"], &json_schema["schema"]),
            (&json!("JSON"), &json!("{\"type\":\"object\"}"))
        );
        assert_eq!(
            it.get("/schemas/ids/1").json()["guid"],
            "095d71cf-1255-6b9d-5e33-0ad575b3df5d"
        );
        it.refused(
            "GET",
            "/subjects/impostor/versions",
            Value::Null,
            40401,
            "Subject 'impostor' not found.",
        );
        it.restart("");
    }
    // Ids go on above the highest of the topic, and the impostor's record is written back.
    assert_eq!(it.register("new", "\"double\""), 10);
    let impostor = r#"{"keytype":"SCHEMA","subject":"impostor","version":1,"magic":1}"#;
    let after = it.records();
    let last = after
        .iter()
        .rev()
        .find(|(key, _)| key == impostor)
        .map(|(_, value)| value.clone());
    assert_eq!(last, Some(None), "{} records before", before.len());
}

#[test]
fn records_are_written_byte_for_byte_as_confluent_writes_them() {
    let it = Cluster::start("");
    let none = || Value::Null;
    let one = record("R", INT_A);
    it.register("s", &one);
    it.call(
        "POST",
        "/subjects/s/versions",
        &json!({"schema": one, "metadata": {"properties": {"b": "2", "a": "1"}},
        "ruleSet": {"domainRules": [{"name": "r", "type": "CEL", "kind": "CONDITION"}]}}),
    );
    it.call("POST", "/subjects/:.ctx:s/versions", &json!({"schema": "\"string\""}));
    it.call(
        "POST",
        "/subjects/t/versions",
        &json!({"schema": r#"["null","R"]"#, "references": [{"version": 1, "name": "R", "subject": "s"}]}),
    );
    it.call("PUT", "/config", &json!({"compatibility": "full"}));
    it.call(
        "PUT",
        "/config/s",
        &json!({"compatibility": "NONE", "alias": null, "normalize": false}),
    );
    it.call("PUT", "/mode", &json!({"mode": "READWRITE"}));
    it.call("PUT", "/mode/u", &json!({"mode": "READONLY"}));
    it.check("DELETE", "/mode/u", none(), 200, json!({"mode": "READONLY"}));
    it.check("DELETE", "/subjects/t/versions/1", none(), 200, json!(1));
    it.check("DELETE", "/subjects/t/versions/1?permanent=true", none(), 200, json!(1));
    it.check("DELETE", "/subjects/s", none(), 200, json!([1, 2]));
    it.check("DELETE", "/subjects/s?permanent=true", none(), 200, json!([1, 2]));
    it.call("PUT", "/mode/w", &json!({"mode": "IMPORT"}));
    let shown = |records: &[(String, Option<String>)]| -> String {
        let lines = records.iter().map(|(key, value)| match value {
            Some(value) => format!("{key}\t{value}\n"),
            None => format!("{key}\n"),
        });
        lines.collect()
    };
    assert_eq!(shown(&it.records()), shown(&golden("written.txt")));
}

#[test]
fn a_topic_that_would_lose_schemas_stops_the_start() {
    let starts = |broker: &[(&str, &str)], settings: &str| {
        let (_broker, kafka) = Weir::broker(broker).expect("broker");
        produce(&kafka, &[("k".to_owned(), Some("v".to_owned()))]);
        registry(&kafka, settings)
            .map(|_| ())
            .map_err(|error| format!("{error:#}"))
    };
    let refused = starts(&[("num.partitions", "3")], "").expect_err("three partitions");
    assert!(
        refused.contains("The schema topic _schemas should have only 1 partition but has 3"),
        "{refused}"
    );
    let refused = starts(&[], "").expect_err("deleted after a week");
    assert!(
        refused.contains("You must configure the topic to 'compact' cleanup policy"),
        "{refused}"
    );
    starts(&[], "kafkastore.topic.skip.validation=true").expect("told not to look");
}

#[test]
fn the_topic_is_made_with_its_settings_and_no_more_replicas_than_brokers() {
    // Three replicas are asked for, and there is one broker, which refuses more than one.
    let it = Cluster::start(
        "schema.compatibility.level=none\nkafkastore.topic=own\nkafkastore.topic.config.max.message.bytes=2000\n",
    );
    it.register("s", "\"int\"");
    let records = read_contents(&it.kafka, "own").expect("the topic");
    assert!(records.iter().any(|record| record.value.is_some()), "{records:?}");
    let long = record(
        "R",
        &format!(r#"{{"name":"a","type":"int","doc":"{}"}}"#, "x".repeat(3000)),
    );
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": long}),
        42209,
        "Register operation failed because schema is too large",
    );
}

#[test]
fn settings_that_cannot_be_honoured_stop_the_start_by_their_name() {
    for (settings, parts) in [
        (
            "authentication.method=BASIC",
            ["authentication.method", "not built yet"],
        ),
        (
            "ssl.keystore.location=/k.jks",
            ["ssl.keystore.location", "TLS is not built yet"],
        ),
        (
            "kafkastore.security.protocol=SASL_SSL",
            ["kafkastore.security.protocol", "PLAINTEXT"],
        ),
        (
            "schema.compatibility.level=sideways",
            ["schema.compatibility.level", "sideways"],
        ),
    ] {
        let refused = registry("127.0.0.1:1", settings).map(|_| ()).expect_err(settings);
        let text = format!("{refused:#}");
        assert!(parts.iter().all(|part| text.contains(part)), "{settings}: {text}");
    }
    let unreachable = registry("127.0.0.1:1", "kafkastore.init.timeout.ms=300")
        .map(|_| ())
        .expect_err("nobody there");
    assert!(format!("{unreachable:#}").contains("_schemas"), "{unreachable:#}");
}

#[test]
fn the_registry_is_part_of_up() {
    let (mut weir, ready) = Weir::up(&[]).expect("up");
    let rest = Rest::new(&ready.registry.expect("the registry of `weir up`"));
    let answer = rest
        .json("POST", "/subjects/s/versions", &json!({"schema": "\"int\""}))
        .expect("answer");
    assert_eq!(
        (answer.status, answer.json()["id"].as_i64()),
        (200, Some(1)),
        "{}",
        answer.text
    );
    let (status, _) = weir.stop().expect("stopped");
    assert!(status.success(), "{status}");
}
