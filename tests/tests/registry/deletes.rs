//! What deleting leaves, what holds it up, and what goes with it.

use serde_json::{Value, json};

use crate::cluster::{Cluster, INT_A, record};

const REFERENCED: &str = "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=base,version=1}.";

#[test]
fn latest_is_the_newest_live_version() {
    let it = Cluster::start("schema.compatibility.level=none\n");
    let none = || Value::Null;
    for schema in ["\"int\"", "\"long\"", "\"string\""] {
        it.register("s", schema);
    }
    it.check("DELETE", "/subjects/s/versions/latest", none(), 200, json!(3));
    assert_eq!(it.get("/subjects/s/versions/latest").json()["version"], 2);
    it.check("DELETE", "/subjects/s/versions/-1", none(), 200, json!(2));
    // Version 1 is live, so it is not deleted for good; 2 and 3 are not the latest.
    it.refused(
        "DELETE",
        "/subjects/s/versions/latest?permanent=true",
        none(),
        40407,
        "Subject 's' Version 1 was not deleted first before being permanently deleted",
    );
    it.check("DELETE", "/subjects/s/versions/latest", none(), 200, json!(1));
    it.refused(
        "DELETE",
        "/subjects/s/versions/latest",
        none(),
        40402,
        "Version -1 not found.",
    );
    // Deleted versions count on.
    let again = it
        .call("POST", "/subjects/s/versions", &json!({"schema": "\"bytes\""}))
        .json();
    assert_eq!(again["version"], 4);
}

#[test]
fn the_last_version_takes_config_and_mode_with_it() {
    let it = Cluster::start("");
    let none = || Value::Null;
    it.register("s", "\"int\"");
    it.register("s", "\"long\"");
    let (level, mode) = (json!({"compatibility": "FULL"}), json!({"mode": "READWRITE"}));
    it.check("PUT", "/config/s", level.clone(), 200, level);
    it.check("PUT", "/mode/s", mode.clone(), 200, mode.clone());
    it.check("DELETE", "/subjects/s", none(), 200, json!([1, 2]));
    it.check("DELETE", "/subjects/s/versions/1?permanent=true", none(), 200, json!(1));
    it.check("GET", "/config/s", none(), 200, json!({"compatibilityLevel": "FULL"}));
    it.check("GET", "/mode/s", none(), 200, mode);
    it.check("DELETE", "/subjects/s/versions/2?permanent=true", none(), 200, json!(2));
    assert_eq!(it.get("/config/s").json()["error_code"], 40408);
    assert_eq!(it.get("/mode/s").json()["error_code"], 40409);
    it.check("GET", "/subjects?deleted=true", none(), 200, json!([]));
}

#[test]
fn what_is_referenced_stays_until_its_referrers_are_gone() {
    let it = Cluster::start("");
    let none = || Value::Null;
    it.register("base", &record("B", INT_A));
    let referring = |name: &str| {
        let schema = record(name, r#"{"name":"b","type":"B"}"#);
        json!({"schema": schema, "references": [{"name": "B", "subject": "base", "version": 1}]})
    };
    for (subject, name) in [("p", "P"), ("q", "Q")] {
        let path = format!("/subjects/{subject}/versions");
        assert_eq!(it.call("POST", &path, &referring(name)).status, 200);
    }
    let by = "/subjects/base/versions/1/referencedby";
    it.check("GET", by, none(), 200, json!([2, 3]));
    it.check("GET", &format!("{by}?offset=1&limit=1"), none(), 200, json!([3]));
    it.refused("DELETE", "/subjects/base/versions/1", none(), 42206, REFERENCED);
    it.check("DELETE", "/subjects/p", none(), 200, json!([1]));
    it.refused("DELETE", "/subjects/base/versions/1", none(), 42206, REFERENCED);
    it.check("DELETE", "/subjects/q", none(), 200, json!([1]));
    // Soft-deleted referrers hold up only what cannot be undone.
    it.check("DELETE", "/subjects/base/versions/1", none(), 200, json!(1));
    it.check("GET", by, none(), 200, json!([]));
    it.check("GET", &format!("{by}?deleted=true"), none(), 200, json!([2, 3]));
    let for_good = "/subjects/base/versions/1?permanent=true";
    it.refused("DELETE", for_good, none(), 42206, REFERENCED);
    for subject in ["p", "q"] {
        let path = format!("/subjects/{subject}?permanent=true");
        it.check("DELETE", &path, none(), 200, json!([1]));
    }
    it.check("DELETE", for_good, none(), 200, json!(1));
    it.refused("GET", by, none(), 40401, "Subject 'base' not found.");
}

#[test]
fn a_subject_that_references_itself_is_deleted_as_a_whole() {
    let it = Cluster::start("schema.compatibility.level=none\n");
    let none = || Value::Null;
    it.register("base", &record("B", INT_A));
    let own = json!({"schema": r#"["null","B"]"#, "references": [{"name": "B", "subject": "base", "version": 1}]});
    assert_eq!(it.call("POST", "/subjects/base/versions", &own).status, 200);
    it.refused("DELETE", "/subjects/base/versions/1", none(), 42206, REFERENCED);
    it.check("DELETE", "/subjects/base", none(), 200, json!([1, 2]));
    it.check("DELETE", "/subjects/base?permanent=true", none(), 200, json!([1, 2]));
    it.check("GET", "/subjects?deleted=true", none(), 200, json!([]));
}
