//! The Schema Registry as its clients see it: `weir schema-registry` over `weir broker`.
//!
//! Every endpoint, every error code with status and body, scopes of config and mode, deletes, references, contexts, content
//! negotiation; then what must survive: concurrency, `kill -9`, 50,000 schemas, records in Confluent's own bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use weir_tests::kafka::read_contents;
use weir_tests::process::{PATIENCE, Weir, await_true, await_value, repository};
use weir_tests::rest::{Answer, Rest};

const V1: &str = "application/vnd.schemaregistry.v1+json";

/// A broker and a registry on it.
struct Cluster {
    rest: Rest,
    kafka: String,
    registry: Weir,
    _broker: Weir,
}

impl Cluster {
    fn start(settings: &str) -> Self {
        let (broker, kafka) = Weir::broker(&[]).expect("broker");
        let (registry, rest) = registry(&kafka, settings).expect("registry");
        Cluster {
            rest,
            kafka,
            registry,
            _broker: broker,
        }
    }

    /// Stops the registry and starts another on the same topic.
    fn restart(&mut self, settings: &str) -> Duration {
        self.registry.stop().expect("stopped");
        let began = Instant::now();
        let (registry, rest) = registry(&self.kafka, settings).expect("registry");
        (self.registry, self.rest) = (registry, rest);
        began.elapsed()
    }

    fn get(&self, path: &str) -> Answer {
        self.rest.get(path).expect(path)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let text = (!body.is_null()).then(|| body.to_string());
        let headers: &[(&str, &str)] = if text.is_some() { &[("Content-Type", V1)] } else { &[] };
        self.rest.send_with(method, path, headers, text.as_deref()).expect(path)
    }

    /// Calls and compares status and body; `ts` and `guid` are left out of both.
    #[track_caller]
    fn check(&self, method: &str, path: &str, body: Value, status: u16, expected: Value) {
        let answer = self.call(method, path, &body);
        let got = timeless(answer.json());
        assert_eq!(
            (answer.status, &got),
            (status, &expected),
            "{method} {path} {body}\n{}",
            answer.text
        );
    }

    /// Calls and compares the error.
    #[track_caller]
    fn refused(&self, method: &str, path: &str, body: Value, code: u32, message: &str) {
        let answer = self.call(method, path, &body);
        let status = if code > 999 { code / 100 } else { code };
        let expected = json!({"error_code": code, "message": message});
        assert_eq!(
            (u32::from(answer.status), answer.json()),
            (status, expected),
            "{method} {path} {body}\n{}",
            answer.text
        );
        assert_eq!(answer.header("content-type"), Some(V1), "{method} {path}");
    }

    /// Registers a schema; answers its id.
    #[track_caller]
    fn register(&self, subject: &str, schema: &str) -> i64 {
        let answer = self.call(
            "POST",
            &format!("/subjects/{subject}/versions"),
            &json!({"schema": schema}),
        );
        assert_eq!(answer.status, 200, "{subject} {schema}: {}", answer.text);
        answer.json()["id"].as_i64().expect("an id")
    }

    /// Keys and values of the schemas topic.
    fn records(&self) -> Vec<(String, Option<String>)> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let contents = read_contents(&self.kafka, "_schemas").expect("_schemas");
        let records = contents.into_iter();
        records
            .map(|record| {
                assert!(record.headers.is_empty());
                (text(record.key.expect("a key")), record.value.map(text))
            })
            .collect()
    }
}

fn registry(kafka: &str, settings: &str) -> anyhow::Result<(Weir, Rest)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("schema-registry.properties");
    let text = format!("listeners=http://127.0.0.1:0\nkafkastore.bootstrap.servers=PLAINTEXT://{kafka}\n{settings}\n");
    std::fs::write(&file, text)?;
    let mut weir = Weir::start(&["schema-registry", &file.display().to_string()])?;
    let ready = weir.await_ready()?;
    let rest = Rest::new(&ready.registry.expect("the registry's URL"));
    Ok((weir, rest))
}

/// Leaves out what differs from run to run.
fn timeless(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("ts");
            fields.remove("guid");
        }
        Value::Array(items) => {
            for item in items {
                *item = timeless(item.take());
            }
        }
        _ => {}
    }
    value
}

fn record(name: &str, fields: &str) -> String {
    format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
}

const INT_A: &str = r#"{"name":"a","type":"int"}"#;

#[test]
#[allow(clippy::too_many_lines, reason = "one row an endpoint")]
fn every_endpoint_answers_as_its_row_says() {
    let it = Cluster::start("");
    let one = record("R", INT_A);
    let two = record("R", &format!(r#"{INT_A},{{"name":"b","type":"int","default":0}}"#));
    let v1 = json!({"subject": "s", "version": 1, "id": 1, "schemaType": "AVRO", "schema": one});
    let v2 = json!({"subject": "s", "version": 2, "id": 2, "schemaType": "AVRO", "schema": two});

    it.check("GET", "/", Value::Null, 200, json!({}));
    it.check("POST", "/", json!({"a": [1]}), 200, json!({"a": [1]}));
    it.check("GET", "/subjects", Value::Null, 200, json!([]));
    it.check("GET", "/schemas/types", Value::Null, 200, json!(["AVRO"]));
    // Blanks and attribute order come out canonical.
    let spaced = json!({"schema": r#"{ "name":"R", "type" : "record", "fields":[ {"type":{"type":"int"},"name":"a"} ] }"#, "unknown": 1});
    let registered = json!({"id": 1, "version": 1, "schemaType": "AVRO", "schema": one});
    it.check("POST", "/subjects/s/versions", spaced.clone(), 200, registered.clone());
    it.check("POST", "/subjects/s/versions", spaced.clone(), 200, registered);
    it.check("POST", "/subjects/s", spaced, 200, v1.clone());
    assert_eq!(it.register("s", &two), 2);
    assert_eq!(it.register("t", &one), 1, "one schema has one id under every subject");

    it.check("GET", "/subjects?subjectPrefix=s", Value::Null, 200, json!(["s"]));
    it.check("GET", "/subjects/s/versions/", Value::Null, 200, json!([1, 2]));
    it.check("GET", "/subjects/s/versions/1", Value::Null, 200, v1.clone());
    it.check("GET", "/subjects/s/versions/LATEST", Value::Null, 200, v2.clone());
    it.check("GET", "/subjects/s/versions/-1", Value::Null, 200, v2.clone());
    let raw = it.get("/subjects/s/versions/1/schema");
    assert_eq!((raw.status, raw.text.as_str()), (200, one.as_str()));
    assert_eq!(it.get("/schemas/ids/1/schema").text, one);
    it.check(
        "GET",
        "/subjects/s/versions/1/referencedby",
        Value::Null,
        200,
        json!([]),
    );
    it.check(
        "GET",
        "/schemas/ids/1",
        Value::Null,
        200,
        json!({"schemaType": "AVRO", "schema": one}),
    );
    it.check(
        "GET",
        "/schemas/ids/1?subject=s&fetchMaxId=true",
        Value::Null,
        200,
        json!({"subject": "s", "version": 1, "schemaType": "AVRO", "schema": one, "maxId": 2}),
    );
    it.check("GET", "/schemas/ids/1/subjects", Value::Null, 200, json!(["s", "t"]));
    it.check(
        "GET",
        "/schemas/ids/1/versions",
        Value::Null,
        200,
        json!([{"subject": "s", "version": 1}, {"subject": "t", "version": 1}]),
    );
    let guid = it.get("/schemas/ids/1").json()["guid"]
        .as_str()
        .expect("a guid")
        .to_owned();
    it.check(
        "GET",
        &format!("/schemas/guids/{guid}"),
        Value::Null,
        200,
        json!({"schemaType": "AVRO", "schema": one}),
    );
    it.check(
        "GET",
        &format!("/schemas/guids/{guid}/ids"),
        Value::Null,
        200,
        json!([{"context": ".", "id": 1}]),
    );
    it.check(
        "GET",
        "/schemas/guids/00000000-0000-0000-0000-000000000000/ids",
        Value::Null,
        200,
        json!([]),
    );
    let t1 = json!({"subject": "t", "version": 1, "id": 1, "schemaType": "AVRO", "schema": one});
    it.check("GET", "/schemas", Value::Null, 200, json!([v1, v2, t1]));
    it.check(
        "GET",
        "/schemas?latestOnly=true&subjectPrefix=s",
        Value::Null,
        200,
        json!([v2]),
    );
    it.check("GET", "/schemas?offset=1&limit=1", Value::Null, 200, json!([v2]));

    let wider = json!({"schema": record("R", r#"{"name":"a","type":"long"}"#)});
    let narrower = json!({"schema": record("R", r#"{"name":"a","type":"string"}"#)});
    it.check(
        "POST",
        "/compatibility/subjects/s/versions/latest",
        wider.clone(),
        200,
        json!({"is_compatible": true}),
    );
    it.check(
        "POST",
        "/compatibility/subjects/s/versions/1?verbose=true",
        wider,
        200,
        json!({"is_compatible": true, "messages": []}),
    );
    it.check(
        "POST",
        "/compatibility/subjects/s/versions",
        narrower.clone(),
        200,
        json!({"is_compatible": false}),
    );
    it.check(
        "POST",
        "/compatibility/subjects/nobody/versions/latest",
        narrower.clone(),
        200,
        json!({"is_compatible": true}),
    );
    let verbose = it
        .call("POST", "/compatibility/subjects/s/versions/1?verbose=true", &narrower)
        .json();
    let messages = verbose["messages"].as_array().expect("messages");
    assert!(
        messages[0]
            .as_str()
            .is_some_and(|text| text.contains("errorType:'TYPE_MISMATCH'")),
        "{verbose}"
    );
    assert_eq!(messages[1], "{oldSchemaVersion: 1}", "{verbose}");
    assert_eq!(
        messages[messages.len() - 1],
        "{validateFields: 'false', compatibility: 'BACKWARD'}",
        "{verbose}"
    );
    let broken = it.call(
        "POST",
        "/compatibility/subjects/s/versions?verbose=true",
        &json!({"schema": "{"}),
    );
    assert_eq!(
        (broken.status, &broken.json()["is_compatible"]),
        (200, &json!(false)),
        "{}",
        broken.text
    );

    it.check("GET", "/contexts", Value::Null, 200, json!(["."]));
    let cluster = it.get("/v1/metadata/id").json();
    assert_eq!(
        cluster["scope"]["clusters"]["schema-registry-cluster"],
        "schema-registry"
    );
    assert!(
        cluster["scope"]["clusters"]["kafka-cluster"]
            .as_str()
            .is_some_and(|id| !id.is_empty()),
        "{cluster}"
    );
    let version = it.get("/v1/metadata/version").json();
    assert!(
        version["version"].is_string() && version["commitId"].is_string(),
        "{version}"
    );
    assert!(it.get("/v1/metadata/deployment").json()["attributes"].is_array());
    it.check("DELETE", "/subjects/s/versions/1", Value::Null, 200, json!(1));
    it.check("DELETE", "/subjects/t", Value::Null, 200, json!([1]));
}

#[test]
#[allow(clippy::too_many_lines, reason = "one row a code")]
fn every_error_code_has_its_status_and_text() {
    let it = Cluster::start("");
    let one = record("R", INT_A);
    let schema = json!({"schema": one});
    let none = || Value::Null;
    it.register("s", &one);
    it.register("gone", &one);
    it.check("DELETE", "/subjects/gone", none(), 200, json!([1]));

    let no_x = "Subject 'x' not found.";
    for (method, path, body) in [
        ("POST", "/subjects/x", schema.clone()),
        ("GET", "/subjects/x/versions", none()),
        ("GET", "/subjects/x/versions/1", none()),
        ("GET", "/subjects/x/versions/latest/schema", none()),
        ("GET", "/subjects/x/versions/1/referencedby", none()),
        ("GET", "/subjects/x/metadata?key=a&value=b", none()),
        ("DELETE", "/subjects/x", none()),
        ("DELETE", "/subjects/x?permanent=true", none()),
        ("DELETE", "/subjects/x/versions/1", none()),
        ("DELETE", "/config/x", none()),
        ("DELETE", "/mode/x", none()),
        ("POST", "/subjects/x/versions/1/tags", json!({})),
    ] {
        it.refused(method, path, body, 40401, no_x);
    }
    it.refused(
        "GET",
        "/subjects/gone/versions",
        none(),
        40401,
        "Subject 'gone' not found.",
    );
    it.refused(
        "GET",
        "/subjects/gone/versions/latest",
        none(),
        40401,
        "Subject 'gone' not found.",
    );
    for (method, path, body, version) in [
        ("GET", "/subjects/s/versions/9", none(), "9"),
        ("DELETE", "/subjects/s/versions/9", none(), "9"),
        ("DELETE", "/subjects/gone/versions/latest?permanent=true", none(), "-1"),
        ("POST", "/compatibility/subjects/s/versions/9", schema.clone(), "9"),
        ("POST", "/compatibility/subjects/x/versions/1", schema.clone(), "1"),
    ] {
        it.refused(method, path, body, 40402, &format!("Version {version} not found."));
    }
    it.refused(
        "POST",
        "/subjects/s",
        json!({"schema": "\"int\""}),
        40403,
        "Schema not found",
    );
    it.refused(
        "GET",
        "/subjects/s/metadata?key=a&value=b",
        none(),
        40403,
        "Schema not found",
    );
    for path in [
        "/schemas/ids/99",
        "/schemas/ids/99/schema",
        "/schemas/ids/99/subjects",
        "/schemas/ids/99/versions",
    ] {
        it.refused("GET", path, none(), 40403, "Schema 99 not found");
    }
    it.refused(
        "GET",
        "/schemas/guids/nonsense",
        none(),
        40403,
        "Schema nonsense not found",
    );
    it.refused(
        "DELETE",
        "/subjects/gone",
        none(),
        40404,
        "Subject 'gone' was soft deleted.Set permanent=true to delete permanently",
    );
    it.refused(
        "DELETE",
        "/subjects/s?permanent=true",
        none(),
        40405,
        "Subject 's' was not deleted first before being permanently deleted",
    );
    it.refused(
        "DELETE",
        "/subjects/gone/versions/1",
        none(),
        40406,
        "Subject 'gone' Version 1 was soft deleted.Set permanent=true to delete permanently",
    );
    it.refused(
        "DELETE",
        "/subjects/s/versions/1?permanent=true",
        none(),
        40407,
        "Subject 's' Version 1 was not deleted first before being permanently deleted",
    );
    it.refused(
        "GET",
        "/config/s",
        none(),
        40408,
        "Subject 's' does not have subject-level compatibility configured",
    );
    it.refused(
        "GET",
        "/mode/s",
        none(),
        40409,
        "Subject 's' does not have subject-level mode configured",
    );

    let incompatible = it.call("POST", "/subjects/s/versions", &json!({"schema": "\"string\""}));
    assert_eq!(
        (incompatible.status, &incompatible.json()["error_code"]),
        (409, &json!(40901))
    );
    let text = incompatible.json()["message"].as_str().unwrap_or_default().to_owned();
    let head = "Schema being registered is incompatible with an earlier schema for subject \"s\", details: [{errorType:'TYPE_MISMATCH'";
    assert!(
        text.starts_with(head) && text.ends_with("compatibility: 'BACKWARD'}]"),
        "{text}"
    );

    for (body, start) in [
        (json!({"schema": "{"}), "Invalid schema of type AVRO, details: "),
        (
            json!({"schema": r#"{"type":"nothing"}"#}),
            "Invalid schema of type AVRO, details: ",
        ),
        (
            json!({"schema": r#"{"type":"record","name":"1","fields":[]}"#}),
            "Invalid schema of type AVRO, details: ",
        ),
        (
            json!({"schema": record("R", r#"{"name":"a","type":"int","default":"x"}"#)}),
            "Invalid schema of type AVRO, details: ",
        ),
        (
            json!({"schema": "{}", "schemaType": "THRIFT"}),
            "Invalid schema type THRIFT",
        ),
        (
            json!({"schema": "{}", "schemaType": "JSON"}),
            "Invalid schema type JSON, this registry reads AVRO only so far",
        ),
        (
            json!({"schema": "syntax", "schemaType": "PROTOBUF"}),
            "Invalid schema type PROTOBUF, this registry reads AVRO only so far",
        ),
        (json!({}), "Empty schema"),
        (json!({"schema": " "}), "Empty schema"),
        (
            json!({"schema": "\"n.X\"", "references": [{"name": "n.X", "subject": "r", "version": 3}]}),
            "Invalid schema of type AVRO, details: No schema reference found for subject \"r\" and version 3",
        ),
    ] {
        let answer = it.call("POST", "/subjects/fresh/versions", &body);
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status, &answer.json()["error_code"]),
            (422, &json!(42201)),
            "{body}: {}",
            answer.text
        );
        assert!(message.starts_with(start), "{body}: {message}");
    }
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": one, "version": 7}),
        42201,
        "Version is not one more than previous version",
    );
    it.refused(
        "POST",
        "/compatibility/subjects/s/versions",
        json!({}),
        42201,
        "Empty schema",
    );

    for version in ["0", "-2", "2147483648", "x", "1.0"] {
        let text = format!(
            "The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
        );
        it.refused("GET", &format!("/subjects/s/versions/{version}"), none(), 42202, &text);
        it.refused(
            "DELETE",
            &format!("/subjects/s/versions/{version}"),
            none(),
            42202,
            &text,
        );
        it.refused(
            "POST",
            &format!("/compatibility/subjects/s/versions/{version}"),
            schema.clone(),
            42202,
            &text,
        );
    }
    let levels = "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, \
                  forward_transitive, and full_transitive";
    it.refused("PUT", "/config", json!({"compatibility": "SIDEWAYS"}), 42203, levels);
    it.refused("PUT", "/config/s", json!({"compatibility": ""}), 42203, levels);
    let modes = "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.";
    it.refused("PUT", "/mode", json!({"mode": "SIDEWAYS"}), 42204, modes);
    it.refused("PUT", "/mode/s", json!({}), 42204, modes);
    it.refused(
        "PUT",
        "/mode/s",
        json!({"mode": "FORWARD"}),
        42204,
        "Forward mode only supported on global level",
    );
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": one, "id": 5}),
        42205,
        "Subject s in context  is not in import mode",
    );
    it.refused(
        "PUT",
        "/mode/s",
        json!({"mode": "IMPORT"}),
        42205,
        "Cannot import since found existing subjects",
    );
    let bad = "The specified subject '__GLOBAL' is not a valid.";
    it.refused("POST", "/subjects/__GLOBAL/versions", schema.clone(), 42208, bad);
    it.refused("PUT", "/config/__GLOBAL", json!({"compatibility": "FULL"}), 42208, bad);
    it.refused("PUT", "/mode/__GLOBAL", json!({"mode": "READONLY"}), 42208, bad);
    let rules = |rule: Value| json!({"schema": one, "ruleSet": {"domainRules": [rule]}});
    it.refused(
        "POST",
        "/subjects/s/versions",
        rules(json!({"type": "CEL"})),
        42210,
        "Invalid ruleSet: Found rule with null or empty name",
    );
    it.refused(
        "PUT",
        "/config/s",
        json!({"defaultRuleSet": {"domainRules": [{"name": "a"}]}}),
        42210,
        "Invalid ruleSet: Rule 'a' has a missing type",
    );
    // Larger than a broker takes in one record.
    let large =
        json!({"schema": record("R", &format!(r#"{{"name":"a","type":"int","doc":"{}"}}"#, "x".repeat(1_200_000)))});
    it.refused(
        "POST",
        "/subjects/large/versions",
        large,
        42209,
        "Register operation failed because schema is too large",
    );
    assert_eq!(it.register("after", &one), 1, "the writer goes on");
    it.register(":.c:s", &one);
    it.refused(
        "DELETE",
        "/contexts/.c",
        none(),
        42211,
        "The specified context '.c' is not empty.",
    );

    for (method, path, body, code, message) in [
        ("GET", "/nobody", none(), 404, "HTTP 404 Not Found"),
        ("GET", "/associations/subjects/s", none(), 404, "HTTP 404 Not Found"),
        ("GET", "/schemas/ids/x", none(), 404, "HTTP 404 Not Found"),
        ("PATCH", "/subjects/s", none(), 405, "HTTP 405 Method Not Allowed"),
        ("PUT", "/subjects", json!({}), 405, "HTTP 405 Method Not Allowed"),
        ("POST", "/subjects/s", none(), 422, "request body may not be null"),
        ("PUT", "/config", none(), 422, "request body may not be null"),
    ] {
        it.refused(method, path, body, code, message);
    }
    for text in [
        "{",
        "[]",
        "\"s\"",
        r#"{"schema":{}}"#,
        r#"{"references":3}"#,
        r#"{"version":99999999999}"#,
    ] {
        let answer = it
            .rest
            .send("POST", "/subjects/s/versions", Some((V1, text)))
            .expect("answer");
        assert_eq!(
            (answer.status, &answer.json()["error_code"]),
            (400, &json!(400)),
            "{text}: {}",
            answer.text
        );
    }
}

#[test]
fn types_are_negotiated() {
    let it = Cluster::start("access.control.allow.origin=*\naccess.control.allow.methods=GET,POST\n");
    for (accept, status, media) in [
        (None, 200, V1),
        (Some("*/*"), 200, V1),
        (Some("application/json"), 200, "application/json"),
        (
            Some("application/vnd.schemaregistry+json, application/json;q=0.9"),
            200,
            "application/vnd.schemaregistry+json",
        ),
        (Some("text/html"), 406, V1),
    ] {
        let headers: Vec<(&str, &str)> = accept.map(|accept| ("Accept", accept)).into_iter().collect();
        let answer = it.rest.send_with("GET", "/subjects", &headers, None).expect("answer");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some(media)),
            "{accept:?}"
        );
    }
    let schema = json!({"schema": "\"int\""}).to_string();
    for (media, status) in [
        (Some("application/json; charset=utf-8"), 200),
        (Some("application/vnd.schemaregistry+json"), 200),
        (Some("application/octet-stream"), 200),
        (None, 200),
        (Some("text/plain"), 415),
    ] {
        let headers: Vec<(&str, &str)> = media.map(|media| ("Content-Type", media)).into_iter().collect();
        let answer = it
            .rest
            .send_with("POST", "/subjects/s/versions", &headers, Some(&schema))
            .expect("answer");
        assert_eq!(answer.status, status, "{media:?}: {}", answer.text);
    }
    let json_error = it
        .rest
        .send_with("GET", "/subjects/x/versions", &[("Accept", "application/json")], None)
        .expect("answer");
    assert_eq!(
        (json_error.status, json_error.header("content-type")),
        (404, Some("application/json"))
    );
    let options = it
        .rest
        .send_with("OPTIONS", "/subjects/s/versions", &[], None)
        .expect("answer");
    assert_eq!(options.header("allow"), Some("GET,POST,HEAD,OPTIONS"));
    assert_eq!(options.header("access-control-allow-origin"), Some("*"));
    let head = it.rest.send_with("HEAD", "/subjects", &[], None).expect("answer");
    assert_eq!(
        (head.status, head.text.as_str(), head.header("content-length")),
        (200, "", Some("5"))
    );
    // A slash in a subject comes escaped.
    assert_eq!(it.register("a%2Fb", "\"int\""), 1);
    it.check("GET", "/subjects", Value::Null, 200, json!(["a/b", "s"]));
    it.check("GET", "/subjects/a%2Fb/versions", Value::Null, 200, json!([1]));
}

#[test]
fn config_is_merged_inherited_and_removed() {
    let mut it = Cluster::start("schema.compatibility.level=full\n");
    let none = || Value::Null;
    it.check("GET", "/config", none(), 200, json!({"compatibilityLevel": "FULL"}));
    it.check(
        "PUT",
        "/config",
        json!({"compatibility": "forward"}),
        200,
        json!({"compatibility": "FORWARD"}),
    );
    it.check("GET", "/config", none(), 200, json!({"compatibilityLevel": "FORWARD"}));
    it.check(
        "GET",
        "/config/s?defaultToGlobal=true",
        none(),
        200,
        json!({"compatibilityLevel": "FORWARD"}),
    );
    it.check(
        "PUT",
        "/config/s",
        json!({"compatibility": "NONE", "normalize": true, "compatibilityGroup": "g"}),
        200,
        json!({"normalize": true, "compatibility": "NONE", "compatibilityGroup": "g"}),
    );
    // Absent keeps, null clears.
    it.check(
        "PUT",
        "/config/s",
        json!({"compatibilityGroup": null, "alias": "t"}),
        200,
        json!({"alias": "t", "normalize": true, "compatibility": "NONE"}),
    );
    it.restart("");
    let shown = json!({"alias": "t", "normalize": true, "compatibilityLevel": "NONE"});
    it.check("GET", "/config/s", none(), 200, shown.clone());
    it.check("DELETE", "/config/s", none(), 200, shown);
    it.refused(
        "GET",
        "/config/s",
        none(),
        40408,
        "Subject 's' does not have subject-level compatibility configured",
    );
    it.check(
        "PUT",
        "/config/:.c:",
        json!({"compatibility": "NONE"}),
        200,
        json!({"compatibility": "NONE"}),
    );
    it.check(
        "GET",
        "/config/:.c:s?defaultToGlobal=true",
        none(),
        200,
        json!({"compatibilityLevel": "NONE"}),
    );
    it.check(
        "GET",
        "/contexts/.c/config",
        none(),
        200,
        json!({"compatibilityLevel": "NONE"}),
    );
    it.check(
        "DELETE",
        "/config",
        none(),
        200,
        json!({"compatibilityLevel": "FORWARD"}),
    );
    it.check("GET", "/config", none(), 200, json!({"compatibilityLevel": "BACKWARD"}));
    // The level decides.
    it.register("u", "\"int\"");
    assert_eq!(
        it.call("POST", "/subjects/u/versions", &json!({"schema": "\"string\""}))
            .status,
        409
    );
    it.check(
        "PUT",
        "/config/u",
        json!({"compatibility": "none"}),
        200,
        json!({"compatibility": "NONE"}),
    );
    assert_eq!(it.register("u", "\"string\""), 2);
    it.check(
        "PUT",
        "/config/u",
        json!({"compatibility": "FULL_TRANSITIVE"}),
        200,
        json!({"compatibility": "FULL_TRANSITIVE"}),
    );
    assert_eq!(
        it.call("POST", "/subjects/u/versions", &json!({"schema": "\"bytes\""}))
            .status,
        409
    );
    let forced = it.call(
        "POST",
        "/subjects/u/versions?force=true",
        &json!({"schema": "\"bytes\""}),
    );
    assert_eq!((forced.status, &forced.json()["version"]), (200, &json!(3)));
}

#[test]
fn modes_hold_where_they_are_set() {
    let mut it = Cluster::start("");
    let none = || Value::Null;
    it.register("s", "\"int\"");
    it.check("GET", "/mode", none(), 200, json!({"mode": "READWRITE"}));
    it.check(
        "PUT",
        "/mode/s",
        json!({"mode": "readonly"}),
        200,
        json!({"mode": "READONLY"}),
    );
    let read_only = "Subject s in context  is in read-only mode";
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": "\"long\""}),
        42205,
        read_only,
    );
    it.refused("DELETE", "/subjects/s", none(), 42205, read_only);
    it.refused("DELETE", "/subjects/s/versions/1", none(), 42205, read_only);
    it.refused("PUT", "/config/s", json!({"compatibility": "NONE"}), 42205, read_only);
    it.check("GET", "/subjects/s/versions", none(), 200, json!([1]));
    it.check(
        "GET",
        "/mode/t?defaultToGlobal=true",
        none(),
        200,
        json!({"mode": "READWRITE"}),
    );
    it.check("PUT", "/mode/s", json!({"mode": null}), 200, json!({}));
    it.refused(
        "GET",
        "/mode/s",
        none(),
        40409,
        "Subject 's' does not have subject-level mode configured",
    );
    it.check(
        "PUT",
        "/mode/:.c:",
        json!({"mode": "READONLY"}),
        200,
        json!({"mode": "READONLY"}),
    );
    let in_context = "Subject :.c:s in context :.c: is in read-only mode";
    it.refused(
        "POST",
        "/contexts/.c/subjects/s/versions",
        json!({"schema": "\"int\""}),
        42205,
        in_context,
    );
    it.check(
        "PUT",
        "/mode/:.c:s",
        json!({"mode": "READWRITE"}),
        200,
        json!({"mode": "READWRITE"}),
    );
    assert_eq!(it.register(":.c:s", "\"int\""), 1);
    it.check(
        "DELETE",
        "/mode/:.c:?recursive=true",
        none(),
        200,
        json!({"mode": "READONLY"}),
    );
    it.refused(
        "GET",
        "/mode/:.c:s",
        none(),
        40409,
        "Subject ':.c:s' does not have subject-level mode configured",
    );
    it.check(
        "PUT",
        "/mode",
        json!({"mode": "READONLY"}),
        200,
        json!({"mode": "READONLY"}),
    );
    it.check(
        "GET",
        "/mode/s?defaultToGlobal=true",
        none(),
        200,
        json!({"mode": "READONLY"}),
    );
    it.refused(
        "PUT",
        "/config",
        json!({"compatibility": "NONE"}),
        42205,
        "Subject null in context  is in read-only mode",
    );
    it.check("DELETE", "/mode", none(), 200, json!({"mode": "READONLY"}));
    assert_eq!(it.register("s", "\"long\""), 2);
    it.restart("mode.mutability=false\n");
    it.refused(
        "PUT",
        "/mode",
        json!({"mode": "READONLY"}),
        42205,
        "Mode changes are not allowed",
    );
    it.refused("DELETE", "/mode", none(), 42205, "Mode changes are not allowed");
}

#[test]
fn schemas_are_imported_with_their_ids() {
    let mut it = Cluster::start("");
    let none = || Value::Null;
    it.register("old", "\"int\"");
    it.check("DELETE", "/subjects/old", none(), 200, json!([1]));
    it.check(
        "PUT",
        "/mode",
        json!({"mode": "IMPORT"}),
        200,
        json!({"mode": "IMPORT"}),
    );
    // Switching drops what was soft-deleted.
    it.refused("GET", "/schemas/ids/1", none(), 40403, "Schema 1 not found");
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": "\"int\""}),
        42205,
        "Subject s in context  is not in read-write mode",
    );
    let import = |id: i32, version: i32, schema: &str| json!({"schema": schema, "id": id, "version": version});
    for (body, version) in [
        (import(7, 3, "\"int\""), 3),
        // Not compatible, and not asked to be.
        (import(9, 4, "\"string\""), 4),
    ] {
        let answer = it.call("POST", "/subjects/s/versions", &body);
        assert_eq!(
            (answer.status, &answer.json()["id"], &answer.json()["version"]),
            (200, &body["id"], &json!(version))
        );
    }
    it.refused(
        "POST",
        "/subjects/t/versions",
        import(7, 1, "\"long\""),
        42205,
        "Overwrite new schema with id 7 in context  is not permitted.",
    );
    it.refused(
        "POST",
        "/subjects/s/versions",
        import(8, 3, "\"boolean\""),
        42207,
        "The id 8 of the schema being imported does not match the existing id 7 of subject 's' version 3",
    );
    it.check(
        "PUT",
        "/mode",
        json!({"mode": "READWRITE"}),
        200,
        json!({"mode": "READWRITE"}),
    );
    assert_eq!(it.register("t", "\"boolean\""), 10, "ids go on above the imported ones");
    it.restart("");
    it.check("GET", "/subjects/s/versions", none(), 200, json!([3, 4]));
    assert_eq!(it.register("t2", "\"double\""), 11);
    it.refused(
        "PUT",
        "/mode/s",
        json!({"mode": "IMPORT"}),
        42205,
        "Cannot import since found existing subjects",
    );
    it.check(
        "PUT",
        "/mode/s?force=true",
        json!({"mode": "IMPORT"}),
        200,
        json!({"mode": "IMPORT"}),
    );
}

#[test]
fn deleted_versions_hide_come_back_and_go() {
    let mut it = Cluster::start("schema.compatibility.level=none\n");
    let none = || Value::Null;
    for schema in ["\"int\"", "\"long\"", "\"string\""] {
        it.register("s", schema);
    }
    it.check("DELETE", "/subjects/s/versions/2", none(), 200, json!(2));
    for (path, expected) in [
        ("/subjects/s/versions", json!([1, 3])),
        ("/subjects/s/versions?deleted=true", json!([1, 2, 3])),
        ("/subjects/s/versions?deletedOnly=true", json!([2])),
        ("/subjects/s/versions?deletedAsNegative=true", json!([1, -2, 3])),
        ("/subjects/s/versions?deleted=true&offset=1&limit=1", json!([2])),
        ("/schemas/ids/2/subjects", json!([])),
        ("/schemas/ids/2/subjects?deleted=true", json!(["s"])),
        (
            "/schemas/ids/2",
            json!({"schemaType": "AVRO", "schema": "\"long\"", "deleted": true}),
        ),
    ] {
        it.check("GET", path, none(), 200, expected);
    }
    it.refused("GET", "/subjects/s/versions/2", none(), 40402, "Version 2 not found.");
    assert_eq!(it.get("/subjects/s/versions/2?deleted=true").json()["id"], 2);
    it.refused(
        "POST",
        "/subjects/s",
        json!({"schema": "\"long\""}),
        40403,
        "Schema not found",
    );
    assert_eq!(
        it.call("POST", "/subjects/s?deleted=true", &json!({"schema": "\"long\""}))
            .json()["version"],
        2
    );
    // The same again is a new version of the same id, and the old one goes.
    assert_eq!(it.register("s", "\"long\""), 2);
    it.check(
        "GET",
        "/subjects/s/versions?deleted=true",
        none(),
        200,
        json!([1, 3, 4]),
    );
    it.check("DELETE", "/subjects/s", none(), 200, json!([1, 3, 4]));
    it.check("GET", "/subjects", none(), 200, json!([]));
    it.check("GET", "/subjects?deleted=true", none(), 200, json!(["s"]));
    it.check("GET", "/subjects?deletedOnly=true", none(), 200, json!(["s"]));
    it.check(
        "PUT",
        "/config/s",
        json!({"compatibility": "FULL"}),
        200,
        json!({"compatibility": "FULL"}),
    );
    it.check(
        "PUT",
        "/mode/s",
        json!({"mode": "READWRITE"}),
        200,
        json!({"mode": "READWRITE"}),
    );
    it.check("DELETE", "/subjects/s/versions/4?permanent=true", none(), 200, json!(4));
    it.restart("schema.compatibility.level=none\n");
    it.check("GET", "/subjects/s/versions?deleted=true", none(), 200, json!([1, 3]));
    it.check("DELETE", "/subjects/s?permanent=true", none(), 200, json!([1, 3]));
    it.refused(
        "GET",
        "/config/s",
        none(),
        40408,
        "Subject 's' does not have subject-level compatibility configured",
    );
    it.refused(
        "GET",
        "/mode/s",
        none(),
        40409,
        "Subject 's' does not have subject-level mode configured",
    );
    it.refused("GET", "/schemas/ids/1", none(), 40403, "Schema 1 not found");
    // Versions begin again, ids go on.
    let again = it
        .call("POST", "/subjects/s/versions", &json!({"schema": "\"int\""}))
        .json();
    assert_eq!((&again["version"], &again["id"]), (&json!(1), &json!(4)));
}

#[test]
fn references_are_resolved_protected_and_shown() {
    let it = Cluster::start("");
    let none = || Value::Null;
    let address = r#"{"type":"record","name":"Address","namespace":"n","fields":[{"name":"street","type":"string"}]}"#;
    let person = r#"{"type":"record","name":"Person","namespace":"n","fields":[{"name":"home","type":"Address"}]}"#;
    it.register("address", address);
    let referring = |version: i32| json!({"schema": person, "references": [{"name": "n.Address", "subject": "address", "version": version}]});
    let answer = it.call("POST", "/subjects/person/versions", &referring(-1));
    assert_eq!(
        (answer.status, &answer.json()["id"]),
        (200, &json!(2)),
        "{}",
        answer.text
    );
    // `latest` is kept as a number.
    assert_eq!(
        answer.json()["references"],
        json!([{"name": "n.Address", "subject": "address", "version": 1}])
    );
    assert_eq!(it.call("POST", "/subjects/person", &referring(1)).json()["version"], 1);
    let shown = it.get("/subjects/person/versions/1").json();
    assert_eq!(shown["schema"], person, "references stay references");
    let resolved = it.get("/subjects/person/versions/1?format=resolved").json();
    let resolved = resolved["schema"].as_str().expect("a text");
    assert!(resolved.contains("\"street\""), "{resolved}");
    assert_eq!(it.get("/schemas/ids/2?format=whatever").json()["schema"], person);
    // The same schema with its references written in full is the same version.
    let in_full = it.call("POST", "/subjects/person", &json!({"schema": resolved}));
    assert_eq!(
        (in_full.status, &in_full.json()["version"]),
        (200, &json!(1)),
        "{}",
        in_full.text
    );
    assert_eq!(it.register("person", resolved), 2);
    it.check(
        "GET",
        "/subjects/address/versions/1/referencedby",
        none(),
        200,
        json!([2]),
    );
    let exists = "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=address,version=1}.";
    it.refused("DELETE", "/subjects/address", none(), 42206, exists);
    it.refused("DELETE", "/subjects/address/versions/1", none(), 42206, exists);
    it.check("DELETE", "/subjects/person/versions/1", none(), 200, json!(1));
    it.check(
        "GET",
        "/subjects/address/versions/1/referencedby",
        none(),
        200,
        json!([]),
    );
    it.check(
        "GET",
        "/subjects/address/versions/1/referencedby?deleted=true",
        none(),
        200,
        json!([2]),
    );
    it.check("DELETE", "/subjects/address", none(), 200, json!([1]));
    // A soft-deleted referrer still holds it, and a deleted schema is no base for a new one.
    it.refused("DELETE", "/subjects/address?permanent=true", none(), 42206, exists);
    it.refused(
        "POST",
        "/subjects/person2/versions",
        referring(1),
        42201,
        "Invalid schema of type AVRO, details: No schema reference found for subject \"address\" and version 1",
    );
    it.check("DELETE", "/subjects/person?permanent=true", none(), 200, json!([1]));
    it.check("DELETE", "/subjects/address?permanent=true", none(), 200, json!([1]));
    // In a context, references are its own.
    it.register(":.c:address", address);
    let qualified = it.call("POST", "/contexts/.c/subjects/person/versions", &referring(1));
    assert_eq!(qualified.status, 200, "{}", qualified.text);
    let shown = it
        .get("/subjects/:.c:person/versions/1?referenceFormat=qualified")
        .json();
    assert_eq!(shown["references"][0]["subject"], ":.c:address");
}

#[test]
fn contexts_keep_ids_and_subjects_apart() {
    let mut it = Cluster::start("");
    let none = || Value::Null;
    assert_eq!(it.register("s", "\"int\""), 1);
    assert_eq!(it.register("s2", "\"long\""), 2);
    assert_eq!(it.register(":.a:s", "\"long\""), 1, "ids begin again in a context");
    let prefixed = it.call(
        "POST",
        "/contexts/.b/subjects/only/versions",
        &json!({"schema": "\"string\""}),
    );
    assert_eq!((prefixed.status, &prefixed.json()["id"]), (200, &json!(1)));
    it.restart("");
    for (path, expected) in [
        ("/contexts", json!([".", ".a", ".b"])),
        ("/contexts?contextPrefix=.a", json!([".a"])),
        ("/contexts?limit=1&offset=1", json!([".a"])),
        ("/subjects", json!([":.a:s", ":.b:only", "s", "s2"])),
        ("/subjects?subjectPrefix=", json!(["s", "s2"])),
        ("/subjects?subjectPrefix=:.a:", json!([":.a:s"])),
        ("/subjects?subjectPrefix=:*:s", json!([":.a:s", "s", "s2"])),
        ("/contexts/.a/subjects", json!([":.a:s"])),
        ("/contexts/:.a:/subjects", json!([":.a:s"])),
        ("/subjects/:.:s/versions", json!([1])),
        ("/contexts/.a/schemas/ids/1/subjects", json!([":.a:s"])),
    ] {
        it.check("GET", path, none(), 200, expected);
    }
    let text = |path: &str| it.get(path).json()["schema"].as_str().map(str::to_owned);
    for (path, expected) in [
        ("/schemas/ids/1", "\"int\""),
        ("/schemas/ids/1?subject=:.a:", "\"long\""),
        ("/contexts/.a/schemas/ids/1", "\"long\""),
        ("/schemas/ids/1?subject=only", "\"string\""),
        ("/schemas/ids/2?subject=nobody", "\"long\""),
        // A bare subject is looked for everywhere.
        ("/subjects/only/versions/latest", "\"string\""),
    ] {
        assert_eq!(text(path).as_deref(), Some(expected), "{path}");
    }
    let found = it
        .call("POST", "/subjects/only", &json!({"schema": "\"string\""}))
        .json();
    assert_eq!(found["subject"], ":.b:only");
    let guid = it.get("/schemas/ids/2").json()["guid"]
        .as_str()
        .expect("guid")
        .to_owned();
    it.check(
        "GET",
        &format!("/schemas/guids/{guid}/ids"),
        none(),
        200,
        json!([{"context": ".", "id": 2}, {"context": ".a", "id": 1}]),
    );
    let listed = it.get("/schemas").json();
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(2),
        "only the default context: {listed}"
    );
    it.check("DELETE", "/subjects/:.b:only", none(), 200, json!([1]));
    it.refused(
        "DELETE",
        "/contexts/.b",
        none(),
        42211,
        "The specified context '.b' is not empty.",
    );
    it.check("DELETE", "/subjects/:.b:only?permanent=true", none(), 200, json!([1]));
    assert_eq!(it.call("DELETE", "/contexts/.b", &none()).status, 204);
    it.check("GET", "/contexts", none(), 200, json!([".", ".a"]));
    it.refused("GET", "/contexts/a:b/subjects", none(), 400, "Invalid context 'a:b'");
}

#[test]
fn aliases_stand_for_their_subjects() {
    let it = Cluster::start("");
    let none = || Value::Null;
    it.register("real", "\"int\"");
    it.check(
        "PUT",
        "/config/other",
        json!({"alias": "real"}),
        200,
        json!({"alias": "real"}),
    );
    it.check("GET", "/subjects/other/versions", none(), 200, json!([1]));
    assert_eq!(it.get("/schemas/ids/1?subject=other").json()["subject"], "real");
    it.register("other", "\"long\"");
    it.check("GET", "/subjects", none(), 200, json!(["real"]));
    let listed = it
        .get("/schemas?aliases=true&subjectPrefix=other&latestOnly=true")
        .json();
    assert_eq!(
        (&listed[0]["subject"], &listed[0]["aliases"]),
        (&json!("real"), &json!(["other"])),
        "{listed}"
    );
    // Config is set on the name itself.
    it.check("DELETE", "/config/other", none(), 200, json!({"alias": "real"}));
    it.refused(
        "GET",
        "/subjects/other/versions",
        none(),
        40401,
        "Subject 'other' not found.",
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story")]
fn metadata_and_rules_are_kept_and_inherited() {
    let it = Cluster::start("");
    let none = || Value::Null;
    let one = record("R", INT_A);
    let two = record("R", &format!(r#"{INT_A},{{"name":"b","type":"int","default":0}}"#));
    let metadata = json!({"properties": {"owner": "me"}, "tags": {"R.a": ["PII"]}});
    let rules =
        json!({"domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}]});
    let stored_rules = json!({"domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true", "disabled": false}]});
    let first = it.call(
        "POST",
        "/subjects/s/versions",
        &json!({"schema": one, "metadata": metadata, "ruleSet": rules}),
    );
    assert_eq!(
        (first.status, &first.json()["ruleSet"]),
        (200, &stored_rules),
        "{}",
        first.text
    );
    // Absent is taken from the version before.
    let second = it.call("POST", "/subjects/s/versions", &json!({"schema": two})).json();
    assert_eq!(
        (&second["metadata"], &second["ruleSet"], &second["version"]),
        (&metadata, &stored_rules, &json!(2))
    );
    // Found without saying them, too.
    assert_eq!(
        it.call("POST", "/subjects/s", &json!({"schema": two})).json()["version"],
        2
    );
    assert_eq!(
        it.call("POST", "/subjects/s/versions", &json!({"schema": two})).json()["version"],
        2
    );
    // Without a schema: the one before, with other metadata.
    let third = it
        .call(
            "POST",
            "/subjects/s/versions",
            &json!({"metadata": {"properties": {"owner": "you"}}}),
        )
        .json();
    assert_eq!(
        (
            &third["schema"],
            &third["version"],
            &third["metadata"]["properties"]["owner"]
        ),
        (&json!(two), &json!(3), &json!("you"))
    );
    assert_ne!(third["id"], second["id"], "metadata is part of a schema");
    it.refused(
        "POST",
        "/subjects/fresh/versions",
        json!({"metadata": {"properties": {"a": "b"}}}),
        42201,
        "Empty schema",
    );
    assert_eq!(it.get("/subjects/s/metadata?key=owner&value=me").json()["version"], 2);
    assert_eq!(it.get("/schemas?ruleType=CEL").json().as_array().map(Vec::len), Some(3));
    assert_eq!(it.get("/schemas?ruleType=OTHER").json(), json!([]));
    // A version asked for is written into the metadata, and counts on from there.
    let fourth = it
        .call("POST", "/subjects/s/versions", &json!({"schema": one, "version": 4}))
        .json();
    assert_eq!(
        (
            &fourth["version"],
            &fourth["metadata"]["properties"]["confluent:version"]
        ),
        (&json!(4), &json!("4"))
    );
    assert_eq!(
        it.call(
            "POST",
            "/subjects/s",
            &json!({"schema": one, "metadata": {"properties": {"owner": "you"}}, "ruleSet": rules})
        )
        .json()["version"],
        4
    );
    // Config lays its own under and over.
    let config = json!({"defaultMetadata": {"properties": {"a": "default", "b": "default"}}, "overrideMetadata": {"properties": {"c": "override"}}});
    it.check("PUT", "/config/d", config.clone(), 200, config);
    let merged = it
        .call(
            "POST",
            "/subjects/d/versions",
            &json!({"schema": one, "metadata": {"properties": {"b": "given", "c": "given"}}}),
        )
        .json();
    assert_eq!(
        merged["metadata"]["properties"],
        json!({"a": "default", "b": "given", "c": "override"})
    );
    // Versions of another group are not compared.
    it.check(
        "PUT",
        "/config/g",
        json!({"compatibilityGroup": "major"}),
        200,
        json!({"compatibilityGroup": "major"}),
    );
    let major = |schema: &str, number: &str| json!({"schema": schema, "metadata": {"properties": {"major": number}}});
    assert_eq!(
        it.call("POST", "/subjects/g/versions", &major("\"int\"", "1")).status,
        200
    );
    assert_eq!(
        it.call("POST", "/subjects/g/versions", &major("\"string\"", "1"))
            .status,
        409
    );
    assert_eq!(
        it.call("POST", "/subjects/g/versions", &major("\"string\"", "2"))
            .status,
        200
    );
    // Reserved fields stay reserved.
    it.check(
        "PUT",
        "/config/v",
        json!({"validateFields": true}),
        200,
        json!({"validateFields": true}),
    );
    let reserving = |fields: &str, reserved: &str| json!({"schema": record("V", fields), "metadata": {"properties": {"confluent:reserved": reserved}}});
    assert_eq!(
        it.call("POST", "/subjects/v/versions", &reserving(INT_A, "x,y")).status,
        200
    );
    for (body, part) in [
        (reserving(INT_A, "x"), "reserved field y removed"),
        (
            reserving(r#"{"name":"x","type":"int","default":0}"#, "x,y"),
            "conflicts with the reserved field x",
        ),
    ] {
        let answer = it.call("POST", "/subjects/v/versions", &body);
        assert!(
            answer.status == 409 && answer.text.contains(part),
            "{body}: {}",
            answer.text
        );
    }
    it.check("DELETE", "/subjects/v", none(), 200, json!([1]));
}

#[test]
fn tags_are_added_found_and_removed() {
    let it = Cluster::start("");
    let one = record("R", INT_A);
    it.register("s", &one);
    let entity = json!({"entityPath": "R.a", "entityType": "sr_field"});
    let tag = |tags: &[&str]| json!([{"schemaEntity": entity, "tags": tags}]);
    let tagged = it.call(
        "POST",
        "/subjects/s/versions/1/tags",
        &json!({"newVersion": 2, "tagsToAdd": tag(&["PII", "X"])}),
    );
    assert_eq!(
        (tagged.status, &tagged.json()["version"]),
        (200, &json!(2)),
        "{}",
        tagged.text
    );
    let shown = it.get("/subjects/s/versions/2?findTags=*").json();
    assert_eq!(shown["schemaTags"], tag(&["PII", "X"]), "{shown}");
    assert_eq!(shown["metadata"]["properties"]["confluent:version"], "2");
    assert_eq!(
        it.get("/subjects/s/versions/2?findTags=OTHER").json().get("schemaTags"),
        None
    );
    let id = shown["id"].to_string();
    assert_eq!(
        it.get(&format!("/schemas/ids/{id}?findTags=PII")).json()["schemaTags"],
        tag(&["PII", "X"])
    );
    let removed = it.call(
        "POST",
        "/subjects/s/versions",
        &json!({"schema": shown["schema"], "schemaTagsToRemove": tag(&["PII"])}),
    );
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(
        it.get("/subjects/s/versions/latest?findTags=*").json()["schemaTags"],
        tag(&["X"])
    );
    // Tags of the version before go along when asked.
    let wider = record("R", r#"{"name":"a","type":"long"}"#);
    let along = it.call(
        "POST",
        "/subjects/s/versions",
        &json!({"schema": wider, "propagateSchemaTags": true}),
    );
    assert_eq!(along.status, 200, "{}", along.text);
    assert_eq!(
        it.get("/subjects/s/versions/latest?findTags=*").json()["schemaTags"],
        tag(&["X"])
    );
    let nowhere =
        json!({"tagsToAdd": [{"schemaEntity": {"entityPath": "Q.a", "entityType": "sr_field"}, "tags": ["T"]}]});
    it.refused(
        "POST",
        "/subjects/s/versions/1/tags",
        nowhere,
        42201,
        "No matching path 'Q.a' found in the schema",
    );
}

#[test]
fn normalized_texts_are_one_schema() {
    let it = Cluster::start("");
    let one = r#"{"type":"record","name":"R","doc":"d","fields":[{"name":"a","type":"int","aliases":["z","y"]}]}"#;
    let other = r#"{"doc":"d","fields":[{"aliases":["z","y"],"type":"int","name":"a","order":"ascending"}],"name":"R","type":"record"}"#;
    let first = it
        .call("POST", "/subjects/s/versions?normalize=true", &json!({"schema": one}))
        .json();
    let second = it
        .call("POST", "/subjects/s/versions?normalize=true", &json!({"schema": other}))
        .json();
    assert_eq!((&first["id"], &first["version"]), (&second["id"], &second["version"]));
    let found = it
        .call("POST", "/subjects/s?normalize=true", &json!({"schema": other}))
        .json();
    assert_eq!(found["version"], first["version"]);
    // A subject may always normalize.
    it.check(
        "PUT",
        "/config/t",
        json!({"normalize": true}),
        200,
        json!({"normalize": true}),
    );
    it.register("t", one);
    it.register("t", other);
    it.check("GET", "/subjects/t/versions", Value::Null, 200, json!([1]));
}

#[test]
fn hostile_requests_are_bounded() {
    let it = Cluster::start("size.limit.filter.enabled=true\nmax.request.body.size=100000\nidle.timeout.ms=1500\n");
    let large = json!({"schema": format!("\"{}\"", "x".repeat(200_000))});
    let refused = it.call("POST", "/subjects/s/versions", &large);
    assert_eq!(
        (refused.status, &refused.json()["error_code"]),
        (413, &json!(413)),
        "{}",
        refused.text
    );
    let deep = format!("{}1{}", "[".repeat(40_000), "]".repeat(40_000));
    let answer = it
        .rest
        .send("POST", "/subjects/s/versions", Some((V1, &deep)))
        .expect("answer");
    assert_eq!(answer.status, 400, "{}", answer.text);
    let deep_schema =
        json!({"schema": format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(2000), "}".repeat(2000))});
    let answer = it.call("POST", "/subjects/s/versions", &deep_schema);
    assert_eq!(
        (answer.status, &answer.json()["error_code"]),
        (422, &json!(42201)),
        "{}",
        answer.text
    );
    // A client that says half a request and falls silent is let go.
    let address = it.rest.host();
    for start in [
        "GET /subjects HTTP/1.1\r\nHost: x\r\n",
        "POST /subjects/s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(&address).expect("connected");
        stream.write_all(start.as_bytes()).expect("sent");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let mut reply = Vec::new();
        let _ended = stream.read_to_end(&mut reply);
        assert!(
            !reply.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&reply)
        );
    }
    it.check("GET", "/subjects", Value::Null, 200, json!([]));
}

#[test]
fn twenty_clients_register_overlapping_schemas_and_each_has_one_id() {
    const CLIENTS: usize = 20;
    const SCHEMAS: usize = 25;
    let it = Cluster::start("");
    let schema = |number: usize| record(&format!("R{number}"), INT_A);
    let answers: Vec<(usize, usize, i64)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let it = &it;
                scope.spawn(move || {
                    let numbers = (0..SCHEMAS).map(|step| (client * 7 + step) % SCHEMAS);
                    // Half of the clients share a subject for each schema, the others have their own.
                    numbers
                        .map(|number| {
                            let subject = if client % 2 == 0 {
                                format!("shared-{number}")
                            } else {
                                format!("c{client}-{number}")
                            };
                            (number, client, it.register(&subject, &schema(number)))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"))
            .collect()
    });
    let mut ids: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
    for (number, _, id) in &answers {
        ids.entry(*number).or_default().insert(*id);
    }
    assert!(
        ids.values().all(|ids| ids.len() == 1),
        "a schema with several ids: {ids:?}"
    );
    let distinct: BTreeSet<i64> = ids.values().flatten().copied().collect();
    assert_eq!(distinct, (1..=SCHEMAS as i64).collect(), "ids without gaps");
    for number in 0..SCHEMAS {
        it.check(
            "GET",
            &format!("/subjects/shared-{number}/versions"),
            Value::Null,
            200,
            json!([1]),
        );
    }
}

fn free_port() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("address").port().to_string()
}

#[test]
fn no_acknowledged_registration_is_lost_to_kill_9() {
    const ROUNDS: usize = 8;
    let folder = tempfile::tempdir().expect("folder");
    let listener = format!("PLAINTEXT://127.0.0.1:{}", free_port());
    let settings = [("listeners", listener.as_str())];
    let mut acknowledged: BTreeMap<String, i64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let (mut broker, kafka) = Weir::broker_in(folder.path(), &settings).expect("broker");
        let (mut weir, rest) = registry(&kafka, "").unwrap_or_else(|error| panic!("round {round}: {error:#}"));
        for (subject, id) in &acknowledged {
            let answer = rest
                .get(&format!("/subjects/{subject}/versions/latest"))
                .expect("answer");
            assert_eq!(
                (answer.status, answer.json()["id"].as_i64()),
                (200, Some(*id)),
                "round {round}: {subject}"
            );
        }
        // Four clients register until the plug is pulled in their midst.
        let goal = 20 + round * 5;
        let new: Vec<(String, i64)> = std::thread::scope(|scope| {
            let (count, counted) = std::sync::mpsc::channel();
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    let (rest, count) = (&rest, count.clone());
                    scope.spawn(move || {
                        let mut mine = Vec::new();
                        for number in 0.. {
                            let subject = format!("r{round}-{client}-{number}");
                            let body = json!({"schema": record(&format!("R{round}_{client}_{number}"), INT_A)});
                            let Ok(answer) = rest.json("POST", &format!("/subjects/{subject}/versions"), &body) else {
                                break;
                            };
                            let Some(id) = answer.json()["id"].as_i64().filter(|_| answer.status == 200) else {
                                break;
                            };
                            mine.push((subject, id));
                            let _counted = count.send(());
                        }
                        mine
                    })
                })
                .collect();
            for _ in 0..goal {
                counted.recv_timeout(PATIENCE).expect("registrations go on");
            }
            if round % 2 == 0 {
                broker.kill().expect("kill -9");
                weir.kill().expect("kill -9");
            } else {
                weir.kill().expect("kill -9");
                broker.kill().expect("kill -9");
            }
            clients
                .into_iter()
                .flat_map(|client| client.join().expect("a client"))
                .collect()
        });
        let ids: BTreeSet<i64> = new.iter().map(|(_, id)| *id).collect();
        assert_eq!(ids.len(), new.len(), "round {round}: one id for two schemas");
        assert!(
            ids.iter().all(|id| !acknowledged.values().any(|old| old == id)),
            "round {round}: an id given twice"
        );
        acknowledged.extend(new);
    }
    assert!(acknowledged.len() > ROUNDS * 20);
}

fn produce(kafka: &str, records: &[(String, Option<String>)]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("linger.ms", "20")
        .set("queue.buffering.max.messages", "200000")
        .create()
        .expect("producer");
    for (key, value) in records {
        let mut record = BaseRecord::to("_schemas").key(key).partition(0);
        if let Some(value) = value {
            record = record.payload(value);
        }
        producer.send(record).map_err(|(error, _)| error).expect("sent");
    }
    producer.flush(PATIENCE).expect("delivered");
}

#[test]
fn fifty_thousand_schemas_are_ready_again_within_a_second() {
    const SCHEMAS: usize = 50_000;
    let mut it = Cluster::start("");
    it.register("first", "\"int\"");
    let records: Vec<(String, Option<String>)> = (0..SCHEMAS)
        .map(|number| {
            let id = number + 2;
            let key = format!(r#"{{"keytype":"SCHEMA","subject":"topic-{number}-value","version":1,"magic":1}}"#);
            let schema = record(&format!("Record{number}"), &format!(r#"{INT_A},{{"name":"b","type":["null","string"],"default":null}}"#));
            let value = json!({"subject": format!("topic-{number}-value"), "version": 1, "id": id, "schema": schema, "deleted": false});
            (key, Some(value.to_string()))
        })
        .collect();
    produce(&it.kafka, &records);
    await_true("the last schema is followed", PATIENCE, || {
        it.get(&format!("/subjects/topic-{}-value/versions", SCHEMAS - 1))
            .status
            == 200
    })
    .expect("followed");
    let mut times: Vec<Duration> = (0..3).map(|_| it.restart("")).collect();
    times.sort();
    println!("50,000 schemas: ready after {:?} (median of {times:?})", times[1]);
    assert!(times[1] < Duration::from_secs(1), "{times:?}");
    let answer = it.get(&format!("/schemas/ids/{}", SCHEMAS + 1));
    assert!(
        answer.text.contains(&format!("Record{}", SCHEMAS - 1)),
        "{}",
        answer.text
    );
    assert_eq!(it.register("one-more", "\"long\""), SCHEMAS as i64 + 2);
    assert_eq!(
        it.get("/schemas").json().as_array().map(Vec::len),
        Some(1000),
        "one page"
    );
}

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
fn writes_fail_clearly_while_kafka_is_away_and_go_on_when_it_is_back() {
    let folder = tempfile::tempdir().expect("folder");
    let listener = format!("PLAINTEXT://127.0.0.1:{}", free_port());
    let settings = [("listeners", listener.as_str())];
    let (mut broker, kafka) = Weir::broker_in(folder.path(), &settings).expect("broker");
    let (_weir, rest) =
        registry(&kafka, "kafkastore.timeout.ms=100\nkafkastore.write.max.retries=2\n").expect("registry");
    let register = |subject: &str, schema: &str| {
        rest.json(
            "POST",
            &format!("/subjects/{subject}/versions"),
            &json!({"schema": schema}),
        )
        .expect("answer")
    };
    assert_eq!(register("a", "\"int\"").status, 200);
    broker.kill().expect("kill -9");
    let refused = register("b", "\"long\"");
    assert_eq!(
        (refused.status, &refused.json()["error_code"]),
        (500, &json!(50002)),
        "{}",
        refused.text
    );
    assert_eq!(refused.json()["message"], "Register operation timed out");
    assert_eq!(rest.get("/schemas/ids/1").expect("answer").status, 200, "reads go on");
    drop(broker);
    let (_broker, _) = Weir::broker_in(folder.path(), &settings).expect("broker");
    let back = await_value("registrations go on", PATIENCE, || {
        Some(register("c", "\"string\"")).filter(|answer| answer.status == 200)
    });
    let id = back.expect("back").json()["id"].as_i64();
    // The write that timed out may have arrived after all: no id is given twice.
    let late = rest.get("/subjects/b/versions/1").expect("answer");
    assert!(late.status == 404 || late.json()["id"].as_i64() != id, "{}", late.text);
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
