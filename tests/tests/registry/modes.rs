//! Levels, the places settings fall back on, and what each mode lets through.

use serde_json::{Value, json};

use crate::cluster::{Cluster, INT_A, record};

fn mode(name: &str) -> Value {
    json!({"mode": name})
}

#[test]
fn every_level_and_policy_is_taken_in_any_case() {
    let it = Cluster::start("");
    for level in [
        "NONE",
        "BACKWARD",
        "BACKWARD_TRANSITIVE",
        "FORWARD",
        "FORWARD_TRANSITIVE",
        "FULL",
        "FULL_TRANSITIVE",
    ] {
        for text in [level.to_owned(), level.to_lowercase()] {
            let echo = json!({"compatibility": level});
            it.check("PUT", "/config/s", json!({"compatibility": text}), 200, echo);
            it.check(
                "GET",
                "/config/s",
                Value::Null,
                200,
                json!({"compatibilityLevel": level}),
            );
        }
    }
    for policy in ["strict", "LENIENT", "Logical"] {
        let echo = json!({"compatibilityPolicy": policy.to_uppercase()});
        it.check("PUT", "/config/p", json!({"compatibilityPolicy": policy}), 200, echo);
    }
    it.refused(
        "PUT",
        "/config/p",
        json!({"compatibilityPolicy": "KIND"}),
        42203,
        "Invalid compatibility policy. Valid values are strict, lenient, and logical",
    );
}

#[test]
fn settings_are_looked_for_from_the_subject_outwards() {
    let it = Cluster::start("");
    let set = |path: &str, level: &str| {
        let body = json!({"compatibility": level});
        it.check("PUT", path, body.clone(), 200, body);
    };
    let levels = |expected: [&str; 3]| {
        let paths = [
            "/config",
            "/config/s?defaultToGlobal=true",
            "/config/:.c:s?defaultToGlobal=true",
        ];
        for (path, level) in paths.iter().zip(expected) {
            it.check("GET", path, Value::Null, 200, json!({"compatibilityLevel": level}));
        }
    };
    levels(["BACKWARD", "BACKWARD", "BACKWARD"]);
    set("/config/:.__GLOBAL:", "FORWARD");
    levels(["FORWARD", "FORWARD", "FORWARD"]);
    set("/config", "FULL");
    levels(["FULL", "FULL", "FORWARD"]);
    set("/config/:.c:", "NONE");
    levels(["FULL", "FULL", "NONE"]);
    set("/config/s", "BACKWARD_TRANSITIVE");
    levels(["FULL", "BACKWARD_TRANSITIVE", "NONE"]);
    // A subject with settings but no level has the server's, and the switches of those around it.
    let switch = json!({"validateFields": true});
    it.check(
        "PUT",
        "/config",
        switch,
        200,
        json!({"validateFields": true, "compatibility": "FULL"}),
    );
    it.check(
        "PUT",
        "/config/t",
        json!({"normalize": true}),
        200,
        json!({"normalize": true}),
    );
    it.check(
        "GET",
        "/config/t?defaultToGlobal=true",
        Value::Null,
        200,
        json!({"normalize": true, "validateFields": true, "compatibilityLevel": "BACKWARD"}),
    );
    // Modes go the same way.
    it.check("PUT", "/mode/:.__GLOBAL:", mode("READONLY"), 200, mode("READONLY"));
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": "\"int\""}),
        42205,
        "Subject s in context  is in read-only mode",
    );
    it.check("PUT", "/mode", mode("READWRITE"), 200, mode("READWRITE"));
    it.register("s", "\"int\"");
    it.refused(
        "POST",
        "/subjects/:.c:s/versions",
        json!({"schema": "\"int\""}),
        42205,
        "Subject :.c:s in context :.c: is in read-only mode",
    );
    it.check("PUT", "/mode/:.c:", mode("READWRITE"), 200, mode("READWRITE"));
    it.register(":.c:s", "\"int\"");
}

#[test]
fn the_old_override_is_read_only_where_it_is_set() {
    let it = Cluster::start("");
    it.check("PUT", "/mode/open", mode("READWRITE"), 200, mode("READWRITE"));
    let name = "READONLY_OVERRIDE";
    it.check("PUT", "/mode", mode(name), 200, mode(name));
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": "\"int\""}),
        42205,
        "Subject s in context  is in read-only mode",
    );
    it.register("open", "\"int\"");
    it.check("GET", "/subjects", Value::Null, 200, json!(["open"]));
    it.check("PUT", "/mode", mode("READWRITE"), 200, mode("READWRITE"));
    it.register("s", "\"int\"");
}

#[test]
fn imports_are_taken_as_they_come() {
    let it = Cluster::start("");
    let none = || Value::Null;
    it.register("here", "\"int\"");
    // Another context is free to import, whatever lives in this one.
    it.check("PUT", "/mode/:.c:", mode("IMPORT"), 200, mode("IMPORT"));
    let import = |subject: &str, schema: &str, id: i32| {
        let answer = it.call(
            "POST",
            &format!("/subjects/:.c:{subject}/versions"),
            &json!({"schema": schema, "id": id}),
        );
        assert_eq!(answer.status, 200, "{schema}: {}", answer.text);
        answer.json()["version"].as_i64()
    };
    // No name, no default and no compatibility is checked, and the version may be left out.
    let odd = record("Größe", r#"{"name":"a","type":"int","default":"x"}"#);
    assert_eq!(import("s", &odd, 5), Some(1));
    assert_eq!(import("s", "\"string\"", 9), Some(2));
    // One id under two subjects, as it was where it comes from.
    assert_eq!(import("t", "\"string\"", 9), Some(1));
    it.check(
        "GET",
        "/schemas/ids/9/subjects?subject=:.c:",
        none(),
        200,
        json!([":.c:s", ":.c:t"]),
    );
    let level = json!({"compatibility": "FULL"});
    it.check("PUT", "/config/:.c:s", level.clone(), 200, level);
    it.check("DELETE", "/subjects/:.c:s/versions/1", none(), 200, json!(1));
    it.check(
        "DELETE",
        "/subjects/:.c:s/versions/1?permanent=true",
        none(),
        200,
        json!(1),
    );
    it.check("DELETE", "/subjects/:.c:t", none(), 200, json!([1]));
    it.check("DELETE", "/mode/:.c:", none(), 200, mode("IMPORT"));
    assert_eq!(it.register(":.c:u", "\"boolean\""), 10);
}

#[test]
fn forwarding_takes_ids_on_the_global_level_only() {
    let it = Cluster::start("");
    it.check("PUT", "/mode/:.__GLOBAL:", mode("forward"), 200, mode("FORWARD"));
    it.check("DELETE", "/mode/:.__GLOBAL:", Value::Null, 200, mode("FORWARD"));
    for place in ["s", ":.c:", ":.c:s"] {
        it.refused(
            "PUT",
            &format!("/mode/{place}"),
            mode("FORWARD"),
            42204,
            "Forward mode only supported on global level",
        );
    }
    // Unlike an import it may begin over what is there.
    it.register("s", "\"int\"");
    it.check("PUT", "/mode", mode("FORWARD"), 200, mode("FORWARD"));
    it.refused(
        "POST",
        "/subjects/s/versions",
        json!({"schema": "\"string\""}),
        42205,
        "Subject s in context  is not in read-write mode",
    );
    let answer = it.call(
        "POST",
        "/subjects/s/versions",
        &json!({"schema": "\"string\"", "id": 7}),
    );
    assert_eq!(
        (answer.status, &answer.json()["id"]),
        (200, &json!(7)),
        "{}",
        answer.text
    );
    it.check("GET", "/subjects/s/versions", Value::Null, 200, json!([1, 2]));
}

#[test]
fn what_new_schemas_must_be_is_a_setting() {
    let mut it = Cluster::start("");
    let odd_name = json!({"schema": record("Größe", INT_A)});
    let dollars = json!({"schema": record("R", r#"{"name":"$$a","type":"int"}"#)});
    let status = |it: &Cluster, subject: &str, body: &Value| {
        let answer = it.call("POST", &format!("/subjects/{subject}/versions"), body);
        (answer.status, answer.json()["error_code"].as_i64())
    };
    let (taken, invalid) = ((200, None), (422, Some(42201)));
    assert_eq!(status(&it, "strict", &odd_name), invalid);
    let off = json!({"validateNewSchemas": false});
    it.check("PUT", "/config/loose", off.clone(), 200, off);
    assert_eq!(status(&it, "loose", &odd_name), taken);
    let odd_default = json!({"schema": record("Größe", r#"{"name":"a","type":"int","default":"x"}"#)});
    assert_eq!(status(&it, "loose2", &odd_default), invalid);
    // Stored schemas never had such names, so neither setting lets them in.
    assert_eq!(status(&it, "loose", &dollars), invalid);
    // Subjects may be called nearly anything.
    assert_eq!(status(&it, "", &json!({"schema": "\"int\""})), taken);
    assert_eq!(status(&it, "*", &json!({"schema": "\"int\""})), taken);
    it.check("GET", "/subjects", Value::Null, 200, json!(["", "*", "loose"]));
    for subject in ["a%01", "a%7F", ":.__GLOBAL:s", "__EMPTY"] {
        assert_eq!(
            status(&it, subject, &json!({"schema": "\"int\""})),
            (422, Some(42208)),
            "{subject}"
        );
    }
    it.restart("schema.validate.new.schemas=false\nschema.validate.fields=true\nschema.reject.empty.subject=true\n");
    assert_eq!(status(&it, "new", &odd_name), taken);
    assert_eq!(status(&it, "new2", &odd_default), taken);
    assert_eq!(status(&it, "dollars", &dollars), invalid);
    assert_eq!(status(&it, "", &json!({"schema": "\"long\""})), (422, Some(42208)));
    let on = json!({"validateNewSchemas": true, "validateFields": false});
    let echo = json!({"validateFields": false, "validateNewSchemas": true});
    it.check("PUT", "/config/own", on, 200, echo);
    assert_eq!(status(&it, "own", &odd_name), invalid);
    let off = json!({"validateFields": false});
    it.check("PUT", "/config/dollars", off.clone(), 200, off);
    assert_eq!(status(&it, "dollars", &dollars), invalid);
}
