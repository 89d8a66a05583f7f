//! When two texts are one schema, what is compared, and in which words.

use serde_json::{Value, json};
use weir_tests::process::{PATIENCE, await_true};

use crate::cluster::{Cluster, INT_A, produce, record};

#[test]
fn references_are_part_of_a_schema_and_sorted_when_normalized() {
    let it = Cluster::start("");
    it.register("a", &record("A", INT_A));
    it.register("b", &record("B", INT_A));
    let reference = |name: &str, subject: &str| json!({"name": name, "subject": subject, "version": 1});
    let (a, b) = (reference("A", "a"), reference("B", "b"));
    let body = |references: &[&Value]| json!({"schema": r#"["A","B"]"#, "references": references});
    let register = |path: &str, body: &Value| {
        let answer = it.call("POST", path, body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        answer.json()
    };
    let sorted = register("/subjects/s/versions?normalize=true", &body(&[&b, &a, &b]));
    assert_eq!(sorted["references"], json!([a, b]));
    let same = register("/subjects/s/versions?normalize=true", &body(&[&a, &b]));
    assert_eq!((&same["id"], &same["version"]), (&sorted["id"], &json!(1)));
    let as_sent = register("/subjects/t/versions", &body(&[&b, &a]));
    assert_eq!(as_sent["references"], json!([b, a]));
    assert_ne!(as_sent["id"], sorted["id"], "another list is another schema");
    assert_ne!(as_sent["guid"], sorted["guid"]);
    let found = it.call("POST", "/subjects/s?normalize=true", &body(&[&b, &a]));
    assert_eq!(found.json()["version"], 1);
    it.check(
        "POST",
        "/compatibility/subjects/s/versions/latest?normalize=true",
        body(&[&b, &a]),
        200,
        json!({"is_compatible": true}),
    );
}

#[test]
fn types_are_found_through_references_of_references() {
    let it = Cluster::start("");
    it.register("a", &record("A", INT_A));
    let b = json!({"schema": record("B", r#"{"name":"a","type":"A"}"#), "references": [{"name": "A", "subject": "a", "version": 1}]});
    assert_eq!(it.call("POST", "/subjects/b/versions", &b).status, 200);
    let fields = r#"{"name":"b","type":"B"},{"name":"a","type":"A"}"#;
    let c = json!({"schema": record("C", fields), "references": [{"name": "B", "subject": "b", "version": -1}]});
    let answer = it.call("POST", "/subjects/c/versions", &c);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let resolved = it.get("/subjects/c/versions/1/schema?format=resolved").text;
    let nested = record("B", &format!(r#"{{"name":"a","type":{}}}"#, record("A", INT_A)));
    let expected = record(
        "C",
        &format!(r#"{{"name":"b","type":{nested}}},{{"name":"a","type":"A"}}"#),
    );
    assert_eq!(resolved, expected);
}

#[test]
fn languages_share_fingerprints_but_are_not_compared() {
    let it = Cluster::start("");
    let key = r#"{"keytype":"SCHEMA","subject":"j","version":1,"magic":1}"#;
    let value = r#"{"subject":"j","version":1,"id":5,"schemaType":"JSON","schema":"\"string\"","deleted":false}"#;
    produce(&it.kafka, &[(key.to_owned(), Some(value.to_owned()))]);
    await_true("the record is followed", PATIENCE, || {
        it.get("/subjects/j/versions").status == 200
    })
    .expect("followed");
    // The language is not part of the fingerprint.
    let avro = it
        .call("POST", "/subjects/s/versions", &json!({"schema": "\"string\""}))
        .json();
    assert_eq!(
        (&avro["id"], &avro["guid"]),
        (&json!(5), &it.get("/subjects/j/versions/1").json()["guid"])
    );
    let other = json!({"schema": "\"int\""});
    let refused = it.call("POST", "/subjects/j/versions", &other);
    assert_eq!(refused.status, 409, "{}", refused.text);
    let text = "details: [Incompatible because of different schema type";
    assert!(refused.text.contains(text), "{}", refused.text);
    let checked = it
        .call("POST", "/compatibility/subjects/j/versions?verbose=true", &other)
        .json();
    assert_eq!(checked["is_compatible"], false);
    assert_eq!(checked["messages"][0], "Incompatible because of different schema type");
    let level = json!({"compatibility": "NONE"});
    it.check("PUT", "/config/j", level.clone(), 200, level);
    assert_eq!(it.call("POST", "/subjects/j/versions", &other).status, 200);
}

#[test]
fn incompatible_schemas_are_refused_in_full_words() {
    let it = Cluster::start("");
    let old = record("R", INT_A);
    it.register("s", &old);
    let lacking = record("R", &format!(r#"{INT_A},{{"name":"b","type":"int"}}"#));
    let messages = [
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'b' at path '/fields/1' in the new schema has no \
         default value and is missing in the old schema', additionalInfo:'b'}"
            .to_owned(),
        "{oldSchemaVersion: 1}".to_owned(),
        format!("{{oldSchema: '{old}'}}"),
        "{validateFields: 'false', compatibility: 'BACKWARD'}".to_owned(),
    ];
    let body = json!({"schema": lacking});
    it.refused(
        "POST",
        "/subjects/s/versions",
        body.clone(),
        40901,
        &format!(
            "Schema being registered is incompatible with an earlier schema for subject \"s\", details: [{}]",
            messages.join(", ")
        ),
    );
    for path in [
        "/compatibility/subjects/s/versions",
        "/compatibility/subjects/s/versions/1",
        "/compatibility/subjects/s/versions/latest",
    ] {
        it.check("POST", path, body.clone(), 200, json!({"is_compatible": false}));
        let verbose = json!({"is_compatible": false, "messages": messages});
        it.check("POST", &format!("{path}?verbose=true"), body.clone(), 200, verbose);
    }
    // What is no schema is an error, or with `verbose` an answer.
    it.refused("POST", "/subjects/s", json!({"schema": "\"x.Y\""}), 42201, UNKNOWN);
    it.refused(
        "POST",
        "/compatibility/subjects/s/versions/1",
        json!({"schema": "\"x.Y\""}),
        42201,
        UNKNOWN,
    );
    it.check(
        "POST",
        "/compatibility/subjects/s/versions/1?verbose=true",
        json!({"schema": "\"x.Y\""}),
        200,
        json!({"is_compatible": false, "messages": [UNKNOWN]}),
    );
}

const UNKNOWN: &str = "Invalid schema of type AVRO, details: Undefined schema: x.Y";

#[test]
fn levels_decide_which_versions_are_compared() {
    let it = Cluster::start("");
    let with = |field: &str| record("R", &format!("{INT_A},{field}"));
    let old = record("R", INT_A);
    let optional = with(r#"{"name":"b","type":"int","default":0}"#);
    let required = with(r#"{"name":"b","type":"int"}"#);
    it.register("s", &old);
    it.register("s", &optional);
    let body = json!({"schema": required});
    for (level, fails_with) in [
        ("NONE", None),
        ("BACKWARD", None),
        ("BACKWARD_TRANSITIVE", Some("{oldSchemaVersion: 1}")),
        ("FORWARD", None),
        ("FORWARD_TRANSITIVE", None),
        ("FULL", None),
        ("FULL_TRANSITIVE", Some("{oldSchemaVersion: 1}")),
    ] {
        it.check(
            "PUT",
            "/config/s",
            json!({"compatibility": level}),
            200,
            json!({"compatibility": level}),
        );
        let answer = it
            .call("POST", "/compatibility/subjects/s/versions?verbose=true", &body)
            .json();
        assert_eq!(answer["is_compatible"], fails_with.is_none(), "{level}: {answer}");
        if let Some(text) = fails_with {
            assert_eq!(answer["messages"][1], text, "{level}");
        }
        // One version is compared with that one, whatever else there is.
        let with_first = it.call("POST", "/compatibility/subjects/s/versions/1", &body).json();
        let is_compatible = matches!(level, "NONE" | "FORWARD" | "FORWARD_TRANSITIVE");
        assert_eq!(with_first["is_compatible"], is_compatible, "{level}");
    }
    // A deleted version is not compared with.
    it.check("DELETE", "/subjects/s/versions/1", Value::Null, 200, json!(1));
    assert_eq!(it.call("POST", "/subjects/s/versions", &body).status, 200);
}

#[test]
fn rules_come_from_requests_tags_and_settings() {
    let it = Cluster::start("");
    let rule = |name: &str, kind: &str| json!({"name": name, "type": kind});
    let stored = |name: &str, kind: &str| json!({"name": name, "type": kind, "disabled": false});
    let one = record("R", INT_A);
    let config = json!({"defaultRuleSet": {"domainRules": [rule("low", "A"), rule("mid", "A")]},
        "overrideRuleSet": {"domainRules": [rule("high", "C")]}});
    assert_eq!(it.call("PUT", "/config/s", &config).status, 200);
    let body = json!({"schema": one, "ruleSet": {"domainRules": [rule("mid", "B"), rule("high", "B")]}});
    let first = it.call("POST", "/subjects/s/versions", &body).json();
    assert_eq!(
        first["ruleSet"]["domainRules"],
        json!([stored("low", "A"), stored("mid", "B"), stored("high", "C")]),
        "{first}"
    );
    // Tagging merges rules into those of the version before, and takes some out.
    it.register("t", &one);
    let tag = |body: Value| {
        let answer = it.call("POST", "/subjects/t/versions/latest/tags", &body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        answer.json()
    };
    let merged = tag(
        json!({"newVersion": 2, "rulesToMerge": {"domainRules": [rule("a", "X"), rule("b", "X")]},
        "metadata": {"properties": {"owner": "me"}}}),
    );
    assert_eq!(
        merged["ruleSet"]["domainRules"],
        json!([stored("a", "X"), stored("b", "X")])
    );
    assert_eq!(
        merged["metadata"]["properties"],
        json!({"confluent:version": "2", "owner": "me"})
    );
    let removed =
        tag(json!({"newVersion": 3, "rulesToRemove": ["a"], "rulesToMerge": {"domainRules": [rule("b", "Y")]}}));
    assert_eq!(removed["ruleSet"]["domainRules"], json!([stored("b", "Y")]));
    let replaced = tag(json!({"newVersion": 4, "ruleSet": {"domainRules": [rule("c", "Z")]}}));
    assert_eq!(replaced["ruleSet"]["domainRules"], json!([stored("c", "Z")]));
}
