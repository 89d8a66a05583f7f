//! REST of the built binary, row by row: transport, offsets, topics, loggers, admin listeners, CORS, authentication.
//!
//! Codes, bodies and headers are what Apache Connect 4.3.1 answered to the same requests. Each test has a process of its own.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::apache::free_port;
use weir_tests::process::{PATIENCE, Weir, await_true};
use weir_tests::rest::{Answer, Rest};

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "application/json";

fn up(settings: &[&str]) -> (Weir, Rest, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("connect.properties");
    std::fs::write(&file, settings.join("\n")).expect("settings");
    let (weir, ready) = Weir::up(&["--connect", &file.display().to_string()]).expect("weir up");
    let rest = Rest::new(ready.connect.as_deref().expect("connect address"));
    (weir, rest, folder)
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap_or("").to_owned()
}

#[test]
fn transport_answers_as_apaches_server_does() {
    let (_weir, rest, _folder) = up(&[]);
    let answer = |method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>| {
        rest.send_with(method, path, headers, body).expect("answer")
    };
    for (method, path, headers, status, text) in [
        (
            "GET",
            "/nope",
            vec![],
            404,
            r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
        ),
        (
            "DELETE",
            "/connectors",
            vec![],
            405,
            r#"{"error_code":405,"message":"HTTP 405 Method Not Allowed"}"#,
        ),
        (
            "POST",
            "/health",
            vec![],
            405,
            r#"{"error_code":405,"message":"HTTP 405 Method Not Allowed"}"#,
        ),
        (
            "GET",
            "/connectors",
            vec![("Accept", "text/plain")],
            406,
            r#"{"error_code":406,"message":"HTTP 406 Not Acceptable"}"#,
        ),
        (
            "PUT",
            "/connectors/x/pause",
            vec![("Content-Type", "text/plain")],
            415,
            r#"{"error_code":415,"message":"HTTP 415 Unsupported Media Type"}"#,
        ),
    ] {
        let given = answer(method, path, &headers, None);
        assert_eq!((given.status, given.text.as_str()), (status, text), "{method} {path}");
        assert_eq!(given.header("content-type"), None, "{method} {path}");
        assert_eq!(given.header("allow"), None, "{method} {path}");
    }
    let untyped = answer(
        "POST",
        "/connectors",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        Some("{}"),
    );
    assert_eq!(untyped.status, 415);
    let task = answer("GET", "/connectors/x/tasks/a/status", &[], None);
    assert_eq!((task.status, task.header("content-type")), (404, Some(JSON)));
    let negative = answer("GET", "/connectors/x/tasks/-1/status", &[], None);
    assert_eq!(message(&negative), "No status found for task x--1");
    let head = answer("HEAD", "/connectors", &[], None);
    assert_eq!(
        (head.status, head.text.as_str(), head.header("content-length")),
        (200, "", Some("2"))
    );
    assert_eq!(answer("GET", "/", &[("Content-Type", "text/plain")], None).status, 200);
    assert_eq!(answer("GET", "/connectors/a;b=c/status", &[], None).status, 404);
    for (path, allow) in [
        ("/connectors", "HEAD,POST,GET,OPTIONS"),
        ("/connectors/x", "HEAD,DELETE,GET,OPTIONS"),
        ("/connectors/x/config", "HEAD,GET,OPTIONS,PUT,PATCH"),
        ("/connectors/x/pause", "OPTIONS,PUT"),
        ("/connectors/x/offsets", "HEAD,DELETE,GET,OPTIONS,PATCH"),
        ("/admin/loggers/x", "HEAD,GET,OPTIONS,PUT"),
    ] {
        let options = answer("OPTIONS", path, &[], None);
        assert_eq!((options.status, options.header("allow")), (200, Some(allow)), "{path}");
        assert_eq!(options.text, allow.replace(',', ", "));
        assert_eq!(options.header("content-type"), Some("text/plain"));
    }
    let slash = answer("GET", "/connectors/a%2Fb", &[], None);
    assert_eq!(
        (slash.status, slash.header("content-type")),
        (400, Some("text/html;charset=iso-8859-1"))
    );
    assert!(
        slash
            .text
            .contains("<title>Error 400 Ambiguous URI path separator</title>"),
        "{}",
        slash.text
    );
    let put = answer("PUT", "/connectors/a%2Fb/config", &[("Content-Type", JSON)], Some("{}"));
    assert_eq!((put.status, put.text.as_str()), (400, ""));
}

#[test]
fn bodies_are_judged_as_apaches_parser_judges_them() {
    let (_weir, rest, _folder) = up(&[]);
    let post = |body: Option<(&str, &str)>| rest.send("POST", "/connectors", body).expect("answer");
    let none = post(None);
    let text = "Cannot invoke \"org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.name()\" because \"createRequest\" is null";
    assert_eq!((none.status, message(&none).as_str()), (500, text));
    let field = post(Some((JSON, r#"{"name":"e","configs":{}}"#)));
    assert_eq!(field.status, 500);
    assert!(message(&field).contains("line: 1, column: 26]"), "{}", field.text);
    let patch = rest.send("PATCH", "/connectors/e/config", None).expect("answer");
    assert_eq!((patch.status, message(&patch).as_str()), (404, "Connector e not found"));
    let large = format!("{{\"name\":\"e\",\"config\":{{\"a\":\"{}\"}}}}", "x".repeat(9 << 20));
    let refused = post(Some((JSON, &large)));
    assert_eq!(refused.status, 413);
    assert!(
        message(&refused).starts_with("request body is larger than"),
        "{}",
        refused.text
    );
}

#[test]
fn names_are_addressed_encoded_and_states_given_at_creation() {
    let (_weir, rest, folder) = up(&[]);
    let config = json!({"connector.class": "FileStreamSink", "topics": "t", "file": path(folder.path(), "o"),
        "key.converter": STRING, "value.converter": STRING});
    let create = json!({"name": " a b ", "config": config, "initial_state": "stopped"});
    let created = rest.json("POST", "/connectors", &create).expect("POST");
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(
        created.header("location"),
        Some(format!("http://{}/connectors/a%20b", rest.host()).as_str())
    );
    assert_eq!(created.json()["tasks"], json!([]));
    assert_eq!(created.json()["config"]["name"], "a b");
    rest.await_state("a%20b", "STOPPED", 0).expect("stopped");
    let again = rest.json("POST", "/connectors", &create).expect("POST");
    assert_eq!(
        (again.status, message(&again).as_str()),
        (409, "Connector a b already exists")
    );
    let odd = rest
        .json("PUT", "/connectors/q%20r%C3%BC%2B%26%3D/config", &config)
        .expect("PUT");
    let location = format!("http://{}/connectors/q%20r%C3%BC+&=", rest.host());
    assert_eq!((odd.status, odd.header("location")), (201, Some(location.as_str())));
    let mut other = config.clone();
    other["name"] = json!("other");
    let refused = rest.json("PUT", "/connectors/q/config", &other).expect("PUT");
    assert_eq!(refused.status, 400);
    let text = "Connector name configuration (other) doesn't match connector name in the URL (q)";
    assert_eq!(message(&refused), text);
    let listed = rest
        .get("/connectors?expand=info&expand=status&expand=zzz")
        .expect("list")
        .json();
    assert_eq!(listed["a b"]["status"]["connector"]["state"], "STOPPED");
    assert_eq!(listed["a b"]["info"]["type"], "sink");
    let unknown = rest.get("/connectors?expand=zzz").expect("list").json();
    assert_eq!(unknown["a b"], json!({}));
}

#[test]
fn offsets_of_a_sink_are_those_of_its_group() {
    let (_weir, rest, folder) = up(&[]);
    // The topic exists once a source has written to it.
    std::fs::write(folder.path().join("in"), "a\nb\nc\n").expect("input");
    let source = json!({"connector.class": "FileStreamSource", "topic": "t", "file": path(folder.path(), "in"),
        "key.converter": STRING, "value.converter": STRING});
    rest.put_connector("src", &source).expect("source");
    let sink = json!({"connector.class": "FileStreamSink", "topics": "t", "file": path(folder.path(), "o"),
        "key.converter": STRING, "value.converter": STRING});
    rest.put_connector("s", &sink).expect("sink");
    await_true("the sink wrote what it read", PATIENCE, || {
        std::fs::read_to_string(folder.path().join("o")).is_ok_and(|text| text == "a\nb\nc\n")
    })
    .expect("written");
    let patch = |body: Value| rest.json("PATCH", "/connectors/s/offsets", &body).expect("answer");
    let at = |partition: Value, offset: Value| json!({"offsets": [{"partition": {"kafka_topic": "t", "kafka_partition": partition}, "offset": offset}]});
    let running = patch(at(json!(0), json!({"kafka_offset": 5})));
    assert_eq!(running.status, 400);
    assert!(
        message(&running).starts_with("Connectors must be in the STOPPED state before their offsets can be modified.")
    );
    assert_eq!(rest.send("PUT", "/connectors/s/stop", None).expect("stop").status, 204);
    rest.await_state("s", "STOPPED", 0).expect("stopped");
    await_true("the sink committed what it read", PATIENCE, || {
        let shown = rest.get("/connectors/s/offsets").expect("offsets").json();
        shown["offsets"][0]["offset"]["kafka_offset"] == json!(3)
    })
    .expect("offsets");
    let altered = patch(at(json!("0"), json!({"kafka_offset": 1})));
    assert_eq!(
        (altered.status, message(&altered).as_str()),
        (200, "The offsets for this connector have been altered successfully")
    );
    assert_eq!(
        rest.get("/connectors/s/offsets").expect("offsets").text,
        r#"{"offsets":[{"partition":{"kafka_partition":0,"kafka_topic":"t"},"offset":{"kafka_offset":1}}]}"#
    );
    for (body, status, text) in [
        (
            at(json!(0), json!({"kafka_offset": -5})),
            500,
            "Failed to modify offsets for sink connector s",
        ),
        (
            at(json!(0), json!({"kafka_offset": 5.5})),
            400,
            "Failed to parse the following Kafka offset value in the provided offsets: '5.5'. Offset values for sink connectors need to be integers.",
        ),
        (
            json!({"offsets": [{"partition": {"kafka_topic": "tx", "kafka_partition": 0}, "offset": {"kafka_offset": 5}}]}),
            500,
            "Failed to alter consumer group offsets for connector s",
        ),
        (
            json!({"offsets": []}),
            400,
            "Partitions / offsets need to be provided for an alter offsets request",
        ),
    ] {
        let refused = patch(body);
        assert_eq!((refused.status, message(&refused).as_str()), (status, text));
    }
    let removed = patch(at(json!(0), Value::Null));
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(
        rest.get("/connectors/s/offsets").expect("offsets").text,
        r#"{"offsets":[]}"#
    );
    for _ in 0..2 {
        let reset = rest.send("DELETE", "/connectors/s/offsets", None).expect("reset");
        assert_eq!(
            (reset.status, message(&reset).as_str()),
            (200, "The offsets for this connector have been reset successfully")
        );
    }
}

#[test]
fn offsets_of_a_source_are_altered_where_its_code_agrees() {
    let (_weir, rest, folder) = up(&[]);
    let input = path(folder.path(), "in");
    std::fs::write(&input, "a\nb\n").expect("input");
    let source = json!({"connector.class": "FileStreamSource", "topic": "t", "file": input,
        "key.converter": STRING, "value.converter": STRING});
    rest.put_connector("s", &source).expect("source");
    rest.await_state("s", "RUNNING", 1).expect("running");
    assert_eq!(rest.send("PUT", "/connectors/s/stop", None).expect("stop").status, 204);
    rest.await_state("s", "STOPPED", 0).expect("stopped");
    let patch = |body: Value| rest.json("PATCH", "/connectors/s/offsets", &body).expect("answer");
    let at = |partition: Value, offset: Value| json!({"offsets": [{"partition": partition, "offset": offset}]});
    let file = json!({"filename": "/x"});
    for (body, status, text) in [
        (
            at(file.clone(), json!({"position": 5})),
            200,
            "The offsets for this connector have been altered successfully",
        ),
        (
            at(file.clone(), json!({"position": "5"})),
            500,
            "The value for the 'position' key in the offset is expected to be a Long value",
        ),
        (
            at(file.clone(), json!({"position": -5})),
            500,
            "The value for the 'position' key in the offset should be a non-negative value",
        ),
        (
            at(json!({"file": "/x"}), json!({"position": 5})),
            500,
            "Partition objects should contain the key 'filename'",
        ),
        (
            at(file, json!({})),
            500,
            "Offset objects should either be null or contain the key 'position'",
        ),
        (
            at(Value::Null, json!({"position": 3})),
            500,
            "Partition objects cannot be null",
        ),
        (
            at(json!({"filename": "/y", "z": [1]}), json!({"position": 7})),
            500,
            "Offsets may only contain primitive types as values, but field z contains ARRAY",
        ),
    ] {
        let answer = patch(body.clone());
        assert_eq!((answer.status, message(&answer).as_str()), (status, text), "{body}");
    }
    let shown = rest.get("/connectors/s/offsets").expect("offsets").json();
    let entries = shown["offsets"].as_array().cloned().unwrap_or_default();
    assert!(
        entries.contains(&json!({"partition": {"filename": "/x"}, "offset": {"position": 5}})),
        "{shown}"
    );
    let reset = rest.send("DELETE", "/connectors/s/offsets", None).expect("reset");
    assert_eq!(reset.status, 200, "{}", reset.text);
    assert_eq!(
        rest.get("/connectors/s/offsets").expect("offsets").text,
        r#"{"offsets":[]}"#
    );
    let unknown = rest.get("/connectors/nope/offsets").expect("offsets");
    assert_eq!(
        (unknown.status, message(&unknown).as_str()),
        (404, "Connector nope not found")
    );
}

#[test]
fn log_levels_change_while_the_worker_runs() {
    let (weir, rest, _folder) = up(&[]);
    let put = |path: &str, body: &str| rest.send("PUT", path, Some((JSON, body))).expect("answer");
    let root = rest.get("/admin/loggers/root").expect("root");
    assert_eq!(root.json()["last_modified"], Value::Null);
    let all = rest.get("/admin/loggers").expect("loggers").json();
    assert!(
        all["org.apache.kafka.connect.runtime.rest"]["level"].is_string(),
        "{all}"
    );
    let unknown = rest.get("/admin/loggers/nope").expect("logger");
    assert_eq!(
        (unknown.status, message(&unknown).as_str()),
        (404, "Logger nope not found.")
    );
    for (body, status, text) in [
        (r#"{"level":"TRACY"}"#, 404, "invalid log level 'TRACY'."),
        (r#"{"level":3}"#, 404, "invalid log level '3'."),
        (
            r#"{"lev":"TRACE"}"#,
            400,
            "Desired 'level' parameter was not specified in request.",
        ),
        (
            "null",
            500,
            "Cannot invoke \"java.util.Map.get(Object)\" because \"levelMap\" is null",
        ),
    ] {
        let refused = put("/admin/loggers/some.new", body);
        assert_eq!((refused.status, message(&refused).as_str()), (status, text));
    }
    assert_eq!(
        put("/admin/loggers/some.new", r#"{"level":"debug"}"#).text,
        r#"["some.new"]"#
    );
    assert_eq!(
        put("/admin/loggers/some.new?scope=nope", r#"{"level":"DEBUG"}"#).text,
        "[]"
    );
    let shown = rest.get("/admin/loggers/some.new").expect("logger").json();
    assert_eq!(shown["level"], "DEBUG");
    assert!(shown["last_modified"].is_i64(), "{shown}");
    assert_eq!(
        put(
            "/admin/loggers/org.apache.kafka.connect.runtime.rest",
            r#"{"level":"DEBUG"}"#
        )
        .status,
        200
    );
    let cluster = put("/admin/loggers/some.new?scope=cluster", r#"{"level":"WARN"}"#);
    assert_eq!((cluster.status, cluster.text.as_str()), (204, ""));
    await_true("the level came back from the config topic", PATIENCE, || {
        rest.get("/admin/loggers/some.new").expect("logger").json()["level"] == "WARN"
    })
    .expect("level");
    // Everything off: what is warned about then is not in the log.
    assert_eq!(put("/admin/loggers/root", r#"{"level":"OFF"}"#).status, 200);
    put("/admin/loggers/root?scope=silent", r#"{"level":"OFF"}"#);
    assert!(!weir.log_text().contains("silent"));
    put("/admin/loggers/root", r#"{"level":"INFO"}"#);
    put("/admin/loggers/root?scope=audible", r#"{"level":"INFO"}"#);
    weir.await_log("audible").expect("warned");
}

#[test]
fn topics_may_be_reset_where_the_worker_allows_it() {
    let (_weir, rest, _folder) = up(&["topic.tracking.allow.reset=false"]);
    assert_eq!(
        rest.get("/connectors/x/topics").expect("topics").text,
        r#"{"x":{"topics":[]}}"#
    );
    let reset = rest.send("PUT", "/connectors/x/topics/reset", None).expect("reset");
    assert_eq!(
        (reset.status, message(&reset).as_str()),
        (403, "Topic tracking reset is disabled.")
    );
    let (_weir, rest, _folder) = up(&["topic.tracking.enable=false"]);
    for (method, path) in [("GET", "/connectors/x/topics"), ("PUT", "/connectors/x/topics/reset")] {
        let refused = rest.send(method, path, None).expect("answer");
        assert_eq!(
            (refused.status, message(&refused).as_str()),
            (403, "Topic tracking is disabled.")
        );
    }
}

#[test]
fn admin_has_listeners_of_its_own_or_none_and_headers_follow_the_rules() {
    let port = free_port().expect("port");
    let own = format!("admin.listeners=http://127.0.0.1:{port}");
    let (_weir, rest, _folder) = up(&[
        &own,
        "access.control.allow.origin=http://a.example,http://.*[.]b[.]example",
        "access.control.allow.methods=GET,PUT",
        "response.http.headers.config=set X-Frame-Options:DENY, \"add Cache-Control:no-cache, no-store\"",
    ]);
    assert_eq!(rest.get("/admin/loggers").expect("answer").status, 404);
    let admin = Rest::new(&format!("http://127.0.0.1:{port}"));
    assert_eq!(admin.get("/admin/loggers").expect("answer").status, 200);
    assert_eq!(admin.get("/connectors").expect("answer").status, 404);

    let with =
        |method: &str, headers: &[(&str, &str)]| rest.send_with(method, "/connectors", headers, None).expect("answer");
    let plain = with("GET", &[]);
    assert_eq!(plain.header("x-frame-options"), Some("DENY"));
    assert_eq!(plain.header("cache-control"), Some("no-cache, no-store"));
    assert_eq!(plain.header("vary"), Some("Origin"));
    assert_eq!(plain.header("access-control-allow-origin"), None);
    let allowed = with("GET", &[("Origin", "http://q.b.example")]);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        Some("http://q.b.example")
    );
    let foreign = with("GET", &[("Origin", "http://c.example")]);
    assert_eq!(
        (foreign.status, foreign.header("access-control-allow-origin")),
        (200, None)
    );
    let preflight = with(
        "OPTIONS",
        &[("Origin", "http://a.example"), ("Access-Control-Request-Method", "PUT")],
    );
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,PUT"));
    assert_eq!(preflight.header("access-control-max-age"), Some("60"));
    assert_eq!(preflight.text, "HEAD, POST, GET, OPTIONS");

    let (_weir, rest, _folder) = up(&["admin.listeners="]);
    assert_eq!(rest.get("/admin/loggers").expect("answer").status, 404);
}

#[test]
fn basic_authentication_guards_all_but_the_requests_between_workers() {
    let files = tempfile::tempdir().expect("folder");
    let users = files.path().join("users.properties");
    std::fs::write(&users, "ann=secret\n").expect("users");
    let jaas = files.path().join("jaas.conf");
    let login = format!(
        "KafkaConnect {{ org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required file=\"{}\"; }};",
        users.display()
    );
    std::fs::write(&jaas, login).expect("jaas");
    let (_weir, rest, _folder) = up(&[
        "rest.extension.classes=org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
        &format!("weir.rest.login.config={}", jaas.display()),
    ]);
    let status = |path: &str, user: Option<&str>| {
        let headers: Vec<(&str, &str)> = user.map(|user| ("Authorization", user)).into_iter().collect();
        rest.send_with("GET", path, &headers, None).expect("answer")
    };
    let refused = status("/connectors", None);
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (401, "User cannot access the resource.")
    );
    // ann:secret, ann:wrong
    assert_eq!(status("/connectors", Some("Basic YW5uOnNlY3JldA==")).status, 200);
    assert_eq!(status("/connectors", Some("Basic YW5uOndyb25n")).status, 401);
    assert_eq!(status("/admin/loggers", None).status, 401);
    assert_eq!(status("/nope", None).status, 404);
}
