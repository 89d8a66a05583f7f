//! Config and mode where they are set, and below; imports.

use serde_json::{Value, json};

use crate::cluster::Cluster;

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
