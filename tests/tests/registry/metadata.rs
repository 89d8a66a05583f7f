//! Metadata and rules: kept, inherited, laid under and over.

use serde_json::{Value, json};

use crate::cluster::{Cluster, INT_A, record};

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
