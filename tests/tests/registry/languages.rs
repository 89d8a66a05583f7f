//! JSON Schema and Protobuf, by the same endpoints as Avro
//!
//! Registering, finding, judging, referring, normal forms and formats.

use serde_json::{Value, json};

use crate::cluster::Cluster;

const PROTO: &str = "syntax = \"proto3\";\npackage p;\n\nmessage M {\n  string a = 1;\n}\n";
const OBJECT: &str =
    r#"{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}},"additionalProperties":false}"#;

fn of_type(schema_type: &str, schema: &str) -> Value {
    json!({"schema": schema, "schemaType": schema_type})
}

fn with_reference(schema_type: &str, schema: &str, name: &str, version: i32) -> Value {
    json!({"schema": schema, "schemaType": schema_type,
        "references": [{"name": name, "subject": "used", "version": version}]})
}

#[test]
fn schemas_of_each_language_are_registered_found_and_kept() {
    let it = Cluster::start("");
    for (id, (subject, schema_type, sent, stored)) in [
        (
            "j",
            "JSON",
            r#"{ "type":"object", "properties":{"b":{"type":"string"},"a":{"type":"integer"}}, "additionalProperties":false }"#,
            OBJECT,
        ),
        ("p", "PROTOBUF", "syntax='proto3'; package p; /* one */ message M { string a = 1; }", PROTO),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id + 1;
        let whole = json!({"subject": subject, "version": 1, "id": id, "schemaType": schema_type, "schema": stored});
        let versions = format!("/subjects/{subject}/versions");
        let registered = it.call("POST", &versions, &of_type(schema_type, sent));
        assert_eq!((registered.status, &registered.json()["id"]), (200, &json!(id)), "{}", registered.text);
        // The same in another layout is the same.
        let again = it.call("POST", &versions, &of_type(schema_type, stored)).json();
        assert_eq!((&again["id"], &again["version"]), (&json!(id), &json!(1)));
        it.check("POST", &format!("/subjects/{subject}"), of_type(schema_type, sent), 200, whole.clone());
        it.check("GET", &format!("{versions}/1"), Value::Null, 200, whole);
        assert_eq!(it.get(&format!("/schemas/ids/{id}/schema")).text, stored);
        let by_id = it.get(&format!("/schemas/ids/{id}")).json();
        assert_eq!((&by_id["schemaType"], &by_id["schema"]), (&json!(schema_type), &json!(stored)));
        let key = format!(r#"{{"keytype":"SCHEMA","subject":"{subject}","version":1,"magic":1}}"#);
        let record = format!(
            r#"{{"subject":"{subject}","version":1,"id":{id},"schemaType":"{schema_type}","schema":{},"deleted":false}}"#,
            json!(stored)
        );
        let records = it.records();
        let kept = records.iter().find(|(found, _)| *found == key).and_then(|(_, value)| value.clone());
        assert_eq!(kept, Some(record));
    }
    it.refused("POST", "/subjects/j", of_type("JSON", "{}"), 40403, "Schema not found");
}

#[test]
fn changes_are_judged_by_each_languages_rules() {
    let it = Cluster::start("");
    let closed =
        |properties: &str| format!(r#"{{"type":"object","properties":{{{properties}}},"additionalProperties":false}}"#);
    let message = |fields: &str| format!("syntax = \"proto3\";\n\nmessage M {{\n{fields}}}\n");
    for (subject, schema_type, old, taken, refused, reason) in [
        (
            "j",
            "JSON",
            closed(r#""a":{"type":"integer"}"#),
            closed(r#""a":{"type":"number"},"b":{"type":"string"}"#),
            closed(r#""a":{"type":"string"}"#),
            "{errorType:\"TYPE_CHANGED\", description:\"A type at path '#/properties/a' is different between the new schema \
             and the old schema'}",
        ),
        (
            "p",
            "PROTOBUF",
            message("  int32 a = 1;\n"),
            message("  int64 a = 1;\n  string b = 2;\n"),
            message("  string a = 1;\n"),
            "{errorType:\"FIELD_SCALAR_KIND_CHANGED\", description:\"The kind of a SCALAR field at path '#/M/1' in the new \
             schema does not match its kind in the old schema\"}",
        ),
    ] {
        let versions = format!("/subjects/{subject}/versions");
        let check = format!("/compatibility/subjects/{subject}/versions/latest?verbose=true");
        assert_eq!(it.call("POST", &versions, &of_type(schema_type, &old)).status, 200);
        let fine = json!({"is_compatible": true, "messages": []});
        it.check("POST", &check, of_type(schema_type, &taken), 200, fine);
        let messages = [
            reason.to_owned(),
            "{oldSchemaVersion: 1}".to_owned(),
            format!("{{oldSchema: '{old}'}}"),
            "{validateFields: 'false', compatibility: 'BACKWARD'}".to_owned(),
        ];
        let bad = json!({"is_compatible": false, "messages": messages});
        it.check("POST", &check, of_type(schema_type, &refused), 200, bad);
        let text = format!(
            "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: [{}]",
            messages.join(", ")
        );
        it.refused("POST", &versions, of_type(schema_type, &refused), 40901, &text);
        assert_eq!(it.call("POST", &versions, &of_type(schema_type, &taken)).status, 200);
        let other = it.call("POST", &check, &json!({"schema": "\"int\""})).json();
        assert_eq!(other["messages"][0], "Incompatible because of different schema type");
        let unreadable = it.call("POST", &check, &of_type(schema_type, "7")).json();
        assert_eq!(unreadable["is_compatible"], false, "{unreadable}");
    }
}

#[test]
fn a_lenient_policy_lets_properties_come_and_go() {
    let it = Cluster::start("");
    let old = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
    let new = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}"#;
    assert_eq!(
        it.call("POST", "/subjects/j/versions", &of_type("JSON", old)).status,
        200
    );
    assert_eq!(
        it.call("POST", "/subjects/j/versions", &of_type("JSON", new)).status,
        409
    );
    let policy = json!({"compatibilityPolicy": "LENIENT"});
    it.check("PUT", "/config/j", policy.clone(), 200, policy);
    assert_eq!(
        it.call("POST", "/subjects/j/versions", &of_type("JSON", new)).status,
        200
    );
    let other = r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#;
    assert_eq!(
        it.call("POST", "/subjects/j/versions", &of_type("JSON", other)).status,
        409
    );
}

#[test]
fn references_lead_to_registered_schemas_by_name() {
    let it = Cluster::start("");
    for (schema_type, used, changed, user, name) in [
        (
            "JSON",
            r#"{"type":"string"}"#,
            r#"{"type":"integer"}"#,
            r#"{"type":"object","properties":{"a":{"$ref":"used.json"}}}"#,
            "used.json",
        ),
        (
            "PROTOBUF",
            "syntax = \"proto3\";\npackage q;\n\nmessage D {\n  string a = 1;\n}\n",
            "syntax = \"proto3\";\npackage q;\n\nmessage D {\n  int32 a = 1;\n}\n",
            "syntax = \"proto3\";\n\nimport \"used.proto\";\n\nmessage M {\n  q.D d = 1;\n}\n",
            "used.proto",
        ),
    ] {
        let subject = schema_type.to_lowercase();
        let versions = format!("/subjects/{subject}/versions");
        let level = json!({"compatibility": "NONE"});
        it.check("PUT", "/config/used", level.clone(), 200, level);
        let register = |schema: &str| {
            it.call("POST", "/subjects/used/versions", &of_type(schema_type, schema))
                .json()
        };
        let (first, second) = (register(used), register(changed));
        let version = |answer: &Value| {
            answer["version"]
                .as_i64()
                .and_then(|n| i32::try_from(n).ok())
                .expect("a version")
        };
        let bare = it.call("POST", &versions, &of_type(schema_type, user));
        assert_eq!(bare.status, 422, "{}", bare.text);
        let with_first = with_reference(schema_type, user, name, version(&first));
        let registered = it.call("POST", &versions, &with_first);
        assert_eq!(registered.status, 200, "{}", registered.text);
        assert_eq!(
            it.call("POST", &format!("/subjects/{subject}"), &with_first).status,
            200
        );
        let referrers = it.get(&format!("/subjects/used/versions/{}/referencedby", version(&first)));
        assert_eq!(referrers.json(), json!([registered.json()["id"]]));
        // What is used changed, and with it what the user reads.
        let with_second = with_reference(schema_type, user, name, version(&second));
        let refused = it.call("POST", &versions, &with_second);
        assert_eq!(
            (refused.status, refused.json()["error_code"].clone()),
            (409, json!(40901)),
            "{}",
            refused.text
        );
        let deleted = it.call(
            "DELETE",
            &format!("/subjects/used/versions/{}", version(&first)),
            &Value::Null,
        );
        assert_eq!(deleted.json()["error_code"], 42206, "{}", deleted.text);
    }
}

#[test]
fn normal_forms_and_formats_of_each_language() {
    let it = Cluster::start("");
    let sorted =
        r#"{"additionalProperties":false,"properties":{"a":{"type":"integer"},"b":{"type":"string"}},"type":"object"}"#;
    let normalized = it
        .call("POST", "/subjects/j/versions?normalize=true", &of_type("JSON", OBJECT))
        .json();
    assert_eq!(normalized["schema"], sorted);
    let found = it
        .call("POST", "/subjects/j?normalize=true", &of_type("JSON", OBJECT))
        .json();
    assert_eq!(found["schema"], sorted);
    let written = "syntax = \"proto3\"; package p; message M { M m = 2; string a = 1; }";
    let normal = "syntax = \"proto3\";\npackage p;\n\nmessage M {\n  string a = 1;\n  .p.M m = 2;\n}\n";
    let normalized = it
        .call(
            "POST",
            "/subjects/p/versions?normalize=true",
            &of_type("PROTOBUF", written),
        )
        .json();
    assert_eq!(normalized["schema"], normal);
    let serialized = it.get("/subjects/p/versions/1?format=serialized").json();
    let descriptor = serialized["schema"].as_str().expect("a descriptor");
    // The descriptor is a schema too, and the same one.
    let fine = json!({"is_compatible": true});
    let compatibility = "/compatibility/subjects/p/versions/latest";
    it.check("POST", compatibility, of_type("PROTOBUF", descriptor), 200, fine);
    assert_eq!(
        it.get("/subjects/p/versions/1/schema?format=serialized").text,
        descriptor
    );
    let extended =
        "syntax = \"proto3\";\n\nmessage M {\n  string a = 1 [\n    (x.y) = 1,\n    deprecated = true\n  ];\n}\n";
    let bare = "syntax = \"proto3\";\n\nmessage M {\n  string a = 1 [deprecated = true];\n}\n";
    let stored = it
        .call("POST", "/subjects/e/versions", &of_type("PROTOBUF", extended))
        .json();
    assert_eq!(stored["schema"], extended);
    assert_eq!(
        it.get("/subjects/e/versions/1/schema?format=ignore_extensions").text,
        bare
    );
    for format in ["default", "whatever", "resolved"] {
        assert_eq!(
            it.get(&format!("/subjects/e/versions/1/schema?format={format}")).text,
            extended
        );
    }
    for format in ["serialized", "resolved"] {
        assert_eq!(
            it.get(&format!("/subjects/j/versions/1/schema?format={format}")).text,
            sorted
        );
    }
}
