//! Pages, filters and formats of what is read, and paths below a context.

use serde_json::{Value, json};

use crate::cluster::{Cluster, INT_A, record};

#[test]
fn lists_are_sorted_filtered_and_cut_into_pages() {
    let it = Cluster::start("schema.compatibility.level=none\n");
    for subject in ["b", "a", "c"] {
        it.register(subject, "\"int\"");
    }
    it.register("b", "\"long\"");
    it.check("DELETE", "/subjects/c", Value::Null, 200, json!([1]));
    let used = |subject: &str, version: i32| json!({"subject": subject, "version": version});
    for (path, expected) in [
        ("/subjects", json!(["a", "b"])),
        ("/subjects?deleted=true", json!(["a", "b", "c"])),
        ("/subjects?deleted=yes", json!(["a", "b"])),
        ("/subjects?deleted=true&deletedOnly=true", json!(["c"])),
        ("/subjects?deleted=TRUE&offset=1&limit=1", json!(["b"])),
        ("/subjects?offset=1", json!(["b"])),
        ("/subjects?limit=0", json!(["a", "b"])),
        ("/subjects?offset=9", json!([])),
        ("/subjects/b/versions?offset=1", json!([2])),
        ("/subjects/b/versions?limit=1", json!([1])),
        ("/schemas/ids/1/subjects", json!(["a", "b"])),
        ("/schemas/ids/1/subjects?deleted=true", json!(["a", "b", "c"])),
        ("/schemas/ids/1/subjects?deleted=true&offset=1&limit=1", json!(["b"])),
        ("/schemas/ids/1/subjects?subject=a", json!(["a", "b"])),
        ("/schemas/ids/1/versions?limit=1", json!([used("a", 1)])),
        ("/schemas/ids/1/versions?deleted=true&offset=2", json!([used("c", 1)])),
    ] {
        it.check("GET", path, Value::Null, 200, expected);
    }
    let listed = |path: &str| -> Vec<String> {
        let schemas = it.get(path).json();
        let schemas = schemas.as_array().expect(path).iter();
        schemas
            .map(|schema| format!("{}{}{}", schema["subject"], schema["version"], schema["deleted"]).replace('"', ""))
            .collect()
    };
    assert_eq!(listed("/schemas"), ["a1null", "b1null", "b2null"]);
    assert_eq!(
        listed("/schemas?deleted=true"),
        ["a1null", "b1null", "b2null", "c1true"]
    );
    assert_eq!(
        listed("/schemas?deleted=true&latestOnly=true"),
        ["a1null", "b2null", "c1true"]
    );
    assert_eq!(listed("/schemas?deleted=true&subjectPrefix=c"), ["c1true"]);
    assert_eq!(listed("/schemas?deleted=true&offset=2&limit=1"), ["b2null"]);
}

#[test]
fn texts_come_in_the_format_that_is_asked_for() {
    let it = Cluster::start("");
    let address = r#"{"type":"record","name":"Address","namespace":"n","fields":[{"name":"street","type":"string"}]}"#;
    let person = r#"{"type":"record","name":"Person","namespace":"n","fields":[{"name":"home","type":"Address"}]}"#;
    let resolved = r#"{"type":"record","name":"Person","namespace":"n","fields":[{"name":"home","type":{"type":"record","name":"Address","fields":[{"name":"street","type":"string"}]}}]}"#;
    let referring = json!({"schema": person, "metadata": {"properties": {"k": "v"}},
        "references": [{"name": "n.Address", "subject": "address", "version": 1}]});
    for context in ["", ":.c:"] {
        it.register(&format!("{context}address"), address);
        let path = format!("/subjects/{context}person/versions");
        assert_eq!(it.call("POST", &path, &referring).status, 200);
    }
    let guid = it.get("/schemas/ids/2").json()["guid"]
        .as_str()
        .expect("a guid")
        .to_owned();
    let by_guid = format!("/schemas/guids/{guid}");
    for (method, path) in [
        ("GET", "/subjects/person/versions/1"),
        ("GET", "/subjects/person/metadata?key=k&value=v"),
        ("GET", "/schemas/ids/2"),
        ("GET", by_guid.as_str()),
        ("POST", "/subjects/person"),
        ("POST", "/subjects/person/versions"),
    ] {
        let body = if method == "POST" {
            referring.clone()
        } else {
            Value::Null
        };
        let join = if path.contains('?') { '&' } else { '?' };
        for (format, expected) in [
            ("resolved", resolved),
            ("default", person),
            ("", person),
            ("whatever", person),
        ] {
            let answer = it.call(method, &format!("{path}{join}format={format}"), &body);
            assert_eq!(
                (answer.status, answer.json()["schema"].as_str()),
                (200, Some(expected)),
                "{method} {path} {format}: {}",
                answer.text
            );
        }
    }
    // The bare text, as it is, not as a JSON string.
    for path in ["/subjects/person/versions/1/schema", "/schemas/ids/2/schema"] {
        assert_eq!(it.get(path).text, person, "{path}");
        assert_eq!(it.get(&format!("{path}?format=resolved")).text, resolved, "{path}");
    }
    assert_eq!(it.get("/schemas/ids/2/schema?subject=:.c:").text, person);
    assert_eq!(it.get("/schemas/ids/2/schema?subject=:.d:").status, 404);
    // References of another context are shown with it where that is asked for.
    for (path, subject) in [
        ("/schemas/ids/2?subject=:.c:", "address"),
        ("/schemas/ids/2?subject=:.c:&referenceFormat=qualified", ":.c:address"),
        ("/schemas/ids/2?referenceFormat=qualified", "address"),
    ] {
        assert_eq!(it.get(path).json()["references"][0]["subject"], subject, "{path}");
    }
}

#[test]
fn soft_deleted_versions_are_read_where_they_are_asked_for() {
    let it = Cluster::start("");
    let one = record("R", INT_A);
    let metadata = json!({"properties": {"a": "1", "b": "2"}});
    let body = json!({"schema": one, "metadata": metadata});
    assert_eq!(it.call("POST", "/subjects/s/versions", &body).status, 200);
    // Keys and values belong together by their place.
    let found = "/subjects/s/metadata?key=a&value=1&key=b&value=2";
    assert_eq!(it.get(found).json()["version"], 1);
    assert_eq!(it.get("/subjects/s/metadata?key=a&key=b&value=2&value=1").status, 404);
    it.check("DELETE", "/subjects/s", Value::Null, 200, json!([1]));
    for path in [
        "/subjects/s/versions/1",
        "/subjects/s/versions/1/schema",
        "/subjects/s/metadata?key=a&value=1",
    ] {
        it.refused("GET", path, Value::Null, 40401, "Subject 's' not found.");
        let join = if path.contains('?') { '&' } else { '?' };
        let answer = it.get(&format!("{path}{join}deleted=true"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    it.refused("POST", "/subjects/s", body.clone(), 40401, "Subject 's' not found.");
    let found = it.call("POST", "/subjects/s?deleted=true", &body).json();
    assert_eq!((&found["version"], &found["deleted"]), (&json!(1), &json!(true)));
    // By id it is served without asking.
    assert_eq!(it.get("/schemas/ids/1").json()["deleted"], true);
    assert_eq!(it.get("/schemas/ids/1/schema").text, one);
    it.check("GET", "/schemas/ids/1/versions", Value::Null, 200, json!([]));
    // What a subject had is not compared with.
    it.check(
        "POST",
        "/compatibility/subjects/s/versions/latest",
        json!({"schema": "\"int\""}),
        200,
        json!({"is_compatible": true}),
    );
    it.refused(
        "POST",
        "/compatibility/subjects/s/versions/1",
        json!({"schema": one}),
        40402,
        "Version 1 not found.",
    );
}

#[test]
fn paths_below_a_context_speak_of_it() {
    let it = Cluster::start("");
    let none = || Value::Null;
    it.register("s", "\"int\"");
    it.register("s2", "\"long\"");
    it.register(":.c:s", "\"string\"");
    for (path, expected) in [
        ("/contexts/c/subjects", json!([":.c:s"])),
        ("/contexts/.c/subjects?subjectPrefix=s", json!([":.c:s"])),
        ("/contexts/.c/subjects?subjectPrefix=t", json!([])),
        ("/contexts/.c/subjects?subjectPrefix=:.:s2", json!(["s2"])),
        ("/contexts/.c/subjects/:.:s2/versions", json!([1])),
        (
            "/contexts/.c/schemas/ids/1/versions",
            json!([{"subject": ":.c:s", "version": 1}]),
        ),
        ("/contexts/.c/schemas/ids/1/subjects?subject=s", json!([":.c:s"])),
    ] {
        it.check("GET", path, none(), 200, expected);
    }
    let listed = it.get("/contexts/.c/schemas").json();
    assert_eq!(
        (listed.as_array().map(Vec::len), &listed[0]["subject"]),
        (Some(1), &json!(":.c:s"))
    );
    // The highest id is the context's own.
    for (path, highest) in [("/schemas/ids/1", 2), ("/contexts/.c/schemas/ids/1", 1)] {
        assert_eq!(
            it.get(&format!("{path}?fetchMaxId=true")).json()["maxId"],
            highest,
            "{path}"
        );
    }
    let narrower = json!({"schema": "\"int\""});
    it.check(
        "POST",
        "/contexts/.c/compatibility/subjects/s/versions",
        narrower.clone(),
        200,
        json!({"is_compatible": false}),
    );
    // Its config and mode are those of `:.c:`.
    let level = json!({"compatibility": "NONE"});
    it.check("PUT", "/contexts/.c/config", level.clone(), 200, level);
    it.check(
        "GET",
        "/config/:.c:",
        none(),
        200,
        json!({"compatibilityLevel": "NONE"}),
    );
    it.check(
        "POST",
        "/contexts/.c/compatibility/subjects/s/versions",
        narrower,
        200,
        json!({"is_compatible": true}),
    );
    let full = json!({"compatibility": "FULL"});
    it.check("PUT", "/contexts/.c/config/s", full.clone(), 200, full);
    it.check(
        "GET",
        "/config/:.c:s",
        none(),
        200,
        json!({"compatibilityLevel": "FULL"}),
    );
    let mode = json!({"mode": "READONLY"});
    it.check("PUT", "/contexts/.c/mode", mode.clone(), 200, mode.clone());
    it.check("GET", "/mode/:.c:", none(), 200, mode.clone());
    it.check("GET", "/mode", none(), 200, json!({"mode": "READWRITE"}));
    it.check("DELETE", "/contexts/.c/mode", none(), 200, mode);
    // Removing what is not there, with all below: nothing to say, and no error.
    it.check("DELETE", "/mode/:.c:?recursive=true", none(), 200, json!({}));
}

#[test]
fn a_bare_subject_is_looked_for_in_one_context_after_the_other() {
    let it = Cluster::start("");
    it.register(":.b:only", "\"int\"");
    it.register(":.a:only", "\"long\"");
    let found = it.get("/subjects/only/versions/latest").json();
    assert_eq!(
        (&found["subject"], &found["schema"]),
        (&json!(":.a:only"), &json!("\"long\""))
    );
    let by_text = it.call("POST", "/subjects/only", &json!({"schema": "\"int\""})).json();
    assert_eq!(by_text["subject"], ":.b:only");
    // Writes do not wander.
    it.refused(
        "DELETE",
        "/subjects/only",
        Value::Null,
        40401,
        "Subject 'only' not found.",
    );
    it.register("only", "\"string\"");
    assert_eq!(it.get("/subjects/only/versions/latest").json()["subject"], "only");
}
