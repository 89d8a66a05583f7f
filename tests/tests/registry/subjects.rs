//! Deletes, references, contexts and aliases.

use serde_json::{Value, json};

use crate::cluster::Cluster;

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
