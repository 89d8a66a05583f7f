//! Every endpoint, media types, tags and normalization.

use serde_json::{Value, json};

use crate::cluster::{Cluster, INT_A, V1, record};

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
    it.check("POST", "/", Value::Null, 200, json!({}));
    it.check("GET", "/subjects", Value::Null, 200, json!([]));
    it.check(
        "GET",
        "/schemas/types",
        Value::Null,
        200,
        json!(["JSON", "PROTOBUF", "AVRO"]),
    );
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
    let patched = it.call("PATCH", "/subjects/s", &Value::Null);
    assert_eq!(
        (patched.status, patched.header("allow")),
        (405, Some("POST,DELETE,OPTIONS"))
    );
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
