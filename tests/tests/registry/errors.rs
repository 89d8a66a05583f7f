//! Every error code with its status and body; hostile requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use weir_tests::process::PATIENCE;

use crate::cluster::{Cluster, INT_A, V1, record};

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
            json!({"schema": r#"{"type":"text"}"#, "schemaType": "JSON"}),
            "Invalid schema of type JSON, details: unknown type: [text]",
        ),
        (
            json!({"schema": "syntax", "schemaType": "PROTOBUF"}),
            "Invalid schema of type PROTOBUF, details: Could not parse Protobuf - Syntax error in 1:7: expected '='",
        ),
        (
            json!({"schema": "message M { N n = 1; }", "schemaType": "PROTOBUF"}),
            "Invalid schema of type PROTOBUF, details: Could not resolve type: N",
        ),
        (
            json!({"schema": r##"{"$ref":"o.json"}"##, "schemaType": "JSON",
                "references": [{"name": "o.json", "subject": "r", "version": 3}]}),
            "Invalid schema of type JSON, details: No schema reference found for subject \"r\" and version 3",
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
        let mut stream = TcpStream::connect(address).expect("connected");
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
