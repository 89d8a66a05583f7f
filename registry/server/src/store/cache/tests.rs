use super::*;

const DEFAULT: &str = ".";

/// A cache after these lines: key, blank, value (nothing is a tombstone).
fn replay(lines: &[(&str, &str)]) -> (Cache, Vec<Applied>) {
    let mut cache = Cache::default();
    let mut conflicts = Vec::new();
    for (offset, (key, value)) in lines.iter().enumerate() {
        let value = Some(value.as_bytes()).filter(|value| !value.is_empty());
        if let Ok(record) = Record::parse(key.as_bytes(), value) {
            let applied = cache.apply(record, offset as i64);
            if applied != Applied::Taken {
                conflicts.push(applied);
            }
        }
    }
    (cache, conflicts)
}

fn key(subject: &str, version: i32) -> String {
    format!(r#"{{"keytype":"SCHEMA","subject":"{subject}","version":{version},"magic":1}}"#)
}

fn value(subject: &str, version: i32, id: i32, text: &str) -> String {
    format!(r#"{{"subject":"{subject}","version":{version},"id":{id},"schema":"\"{text}\"","deleted":false}}"#)
}

/// A cache with these subject, version, id, text.
fn with(schemas: &[(&str, i32, i32, &str)], more: &[(&str, &str)]) -> (Cache, Vec<Applied>) {
    let mut lines: Vec<(String, String)> = schemas
        .iter()
        .map(|(subject, version, id, text)| (key(subject, *version), value(subject, *version, *id, text)))
        .collect();
    lines.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    replay(&lines)
}

fn versions(cache: &Cache, subject: &str) -> Vec<i32> {
    // Deleted ones negative.
    let signed = |schema: &Arc<StoredSchema>| {
        if schema.is_deleted {
            -schema.version
        } else {
            schema.version
        }
    };
    cache.versions(subject).map(signed).collect()
}

fn uses(cache: &Cache, id: i32) -> Vec<(String, i32)> {
    let uses = cache.uses(DEFAULT, id);
    uses.map(|(subject, version)| (subject.to_string(), *version)).collect()
}

#[test]
fn subjects_share_ids_and_contexts_do_not() {
    let (cache, _) = with(
        &[
            ("a", 1, 1, "int"),
            ("b", 1, 1, "int"),
            ("b", 2, 2, "long"),
            (":.c:a", 1, 1, "string"),
        ],
        &[(
            r#"{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}"#,
            r#"{"tenant":"default","context":".c"}"#,
        )],
    );
    assert_eq!(uses(&cache, 1), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!(&*cache.by_id(DEFAULT, 1).unwrap().text, "\"int\"");
    assert_eq!(&*cache.by_id(".c", 1).unwrap().text, "\"string\"");
    assert_eq!(
        (cache.max_id(DEFAULT), cache.max_id(".c"), cache.max_id(".d")),
        (2, 1, 0)
    );
    assert_eq!(cache.contexts().collect::<Vec<_>>(), [".c"]);
    let fingerprint = cache.version("a", 1).unwrap().fingerprint;
    assert_eq!(
        (cache.id_of(DEFAULT, fingerprint), cache.id_of(".c", fingerprint)),
        (Some(1), None)
    );
    assert_eq!(cache.latest("b").unwrap().version, 2);
}

#[test]
fn delete_subject_marks_versions_up_to_its_own() {
    let (cache, _) = with(
        &[("a", 1, 1, "int"), ("a", 2, 2, "long"), ("a", 3, 3, "string")],
        &[(
            r#"{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}"#,
            r#"{"subject":"a","version":2}"#,
        )],
    );
    assert_eq!(versions(&cache, "a"), [-1, -2, 3]);
    // Ids live on.
    assert!(cache.by_id(DEFAULT, 1).is_some_and(|schema| schema.is_deleted));
    assert!(cache.has_subject("a", Deleted::Hidden));
}

#[test]
fn tombstones_take_the_id_and_the_maximum_stays() {
    let (cache, _) = with(
        &[("a", 1, 1, "int"), ("a", 2, 2, "long"), ("b", 1, 2, "long")],
        &[(&key("a", 2), ""), (&key("b", 1), ""), (&key("nobody", 1), "")],
    );
    assert_eq!((versions(&cache, "a"), versions(&cache, "b")), (vec![1], vec![]));
    assert!(cache.by_id(DEFAULT, 2).is_none() && !cache.has_subject("b", Deleted::Included));
    assert_eq!(cache.max_id(DEFAULT), 2);
    let long = fingerprint("\"long\"", &[], None, None);
    assert_eq!(cache.id_of(DEFAULT, long), None);
}

#[test]
fn an_id_lives_until_its_last_use_is_gone() {
    let (cache, _) = with(&[("a", 1, 1, "int"), ("b", 1, 1, "int")], &[(&key("a", 1), "")]);
    assert_eq!(uses(&cache, 1), [("b".to_owned(), 1)]);
    let int = fingerprint("\"int\"", &[], None, None);
    assert_eq!(cache.id_of(DEFAULT, int), Some(1));
}

#[test]
fn clear_subject_drops_deleted_versions_of_its_scope() {
    let deleted_a = value("a", 1, 1, "int").replace("false", "true");
    let deleted_c = value(":.c:a", 1, 1, "int").replace("false", "true");
    let live = value("a", 2, 2, "long");
    let base = [
        (key("a", 1), deleted_a),
        (key("a", 2), live),
        (key(":.c:a", 1), deleted_c),
    ];
    for (clear, expected_a, expected_c) in [
        (
            r#"{"keytype":"CLEAR_SUBJECT","subject":"a","magic":0}"#,
            vec![2],
            vec![-1],
        ),
        (
            r#"{"keytype":"CLEAR_SUBJECT","subject":":.c:","magic":0}"#,
            vec![-1, 2],
            vec![],
        ),
        (r#"{"keytype":"CLEAR_SUBJECT","magic":0}"#, vec![2], vec![]),
    ] {
        let mut lines: Vec<(&str, &str)> = base.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        lines.push((clear, "{}"));
        let (cache, _) = replay(&lines);
        assert_eq!(
            (versions(&cache, "a"), versions(&cache, ":.c:a")),
            (expected_a, expected_c),
            "{clear}"
        );
    }
}

#[test]
fn an_id_of_another_text_is_not_taken_and_the_old_value_comes_back() {
    let (cache, conflicts) = with(
        &[
            ("a", 1, 1, "int"),
            ("b", 1, 2, "long"),
            ("c", 1, 1, "string"),
            ("b", 1, 1, "string"),
        ],
        &[],
    );
    assert_eq!((versions(&cache, "c"), cache.version("b", 1).unwrap().id), (vec![], 2));
    let restored: Vec<Record> = conflicts
        .into_iter()
        .map(|applied| match applied {
            Applied::Conflict { id, restore } => {
                assert_eq!(id, 1);
                *restore
            }
            Applied::Taken => panic!("not a conflict"),
        })
        .collect();
    let old = cache.version("b", 1).unwrap().to_value();
    let none = Record::SchemaTombstone {
        subject: "c".to_owned(),
        version: 1,
    };
    assert_eq!(restored, [none, Record::Schema(Box::new(old))]);
}

#[test]
fn a_record_may_come_again_or_change_its_own_version() {
    let (cache, conflicts) = with(
        &[
            ("a", 1, 1, "int"),
            ("a", 1, 1, "int"),
            ("a", 1, 1, "long"),
            ("a", 1, 5, "long"),
        ],
        &[],
    );
    assert_eq!(conflicts, []);
    assert_eq!((uses(&cache, 1), uses(&cache, 5)), (vec![], vec![("a".to_owned(), 1)]));
    assert_eq!(cache.version("a", 1).unwrap().timestamp_ms, 3);
}

#[test]
fn noops_unknown_kinds_and_rubbish_change_nothing() {
    let (cache, _) = with(
        &[("a", 1, 1, "int")],
        &[
            (r#"{"keytype":"NOOP","magic":0}"#, ""),
            (r#"{"keytype":"ASSOC","tenant":"default"}"#, "{}"),
            ("rubbish", "x"),
            ("", ""),
            (&key("a", 1), "not json"),
            (r#"{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}"#, ""),
            (
                r#"{"keytype":"DELETE_SUBJECT","subject":"nobody","magic":0}"#,
                r#"{"subject":"nobody","version":3}"#,
            ),
        ],
    );
    assert_eq!(versions(&cache, "a"), [1]);
}

#[test]
fn keys_and_values_in_other_orders_are_the_same_records() {
    let (cache, _) = replay(&[
        (
            r#"{"magic":0,"version":1,"subject":"a","keytype":"SCHEMA"}"#,
            r#"{"deleted":false,"schema":"\"int\"","schemaType":"AVRO","id":1,"version":1,"subject":"a"}"#,
        ),
        (
            r#"{"magic":0,"subject":"a","keytype":"CONFIG"}"#,
            r#"{"compatibilityLevel":"NONE"}"#,
        ),
        (
            r#"{"keytype":"CONFIG","subject":null,"magic":0}"#,
            r#"{"compatibilityLevel":"FULL"}"#,
        ),
    ]);
    assert_eq!(versions(&cache, "a"), [1]);
    let level = |subject| {
        cache
            .config(subject)
            .and_then(|config| config.compatibility_level.clone())
    };
    assert_eq!(
        (level(Some("a")).as_deref(), level(None).as_deref()),
        (Some("NONE"), Some("FULL"))
    );
}

#[test]
fn referrers_are_found_from_the_referrers_context() {
    let refers = |subject: &str, target: &str| {
        format!(
            r#"{{"subject":"{subject}","version":1,"id":9,"references":[{{"name":"n","subject":"{target}","version":1}}],"schema":"x{subject}","deleted":false}}"#
        )
    };
    let (cache, _) = with(
        &[("t", 1, 1, "int"), (":.c:t", 1, 1, "int")],
        &[
            (&key(":.c:r", 1), &refers(":.c:r", "t")),
            (&key(":.d:r", 1), &refers(":.d:r", ":.c:t")),
        ],
    );
    let names = |subject| {
        cache
            .referrers(subject, 1)
            .map(|schema| schema.subject.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("t"), Vec::<String>::new());
    assert_eq!(names(":.c:t"), [":.c:r", ":.d:r"]);
}

#[test]
fn settings_fall_back_from_subject_to_context_to_all() {
    let mode = |subject: &str, mode: &str| {
        (
            format!(r#"{{"keytype":"MODE","subject":"{subject}","magic":0}}"#),
            format!(r#"{{"subject":"{subject}","mode":"{mode}"}}"#),
        )
    };
    let lines = [
        mode(":.__GLOBAL:", "READONLY"),
        mode(":.c:", "IMPORT"),
        mode(":.c:s", "READWRITE"),
    ];
    let mut lines: Vec<(&str, &str)> = lines
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let (cache, _) = replay(&lines);
    for (subject, expected) in [
        (None, Mode::ReadOnly),
        (Some("s"), Mode::ReadOnly),
        (Some(":.c:s"), Mode::ReadWrite),
        (Some(":.c:t"), Mode::Import),
        (Some(":.c:"), Mode::Import),
        (Some(":.d:s"), Mode::ReadOnly),
    ] {
        assert_eq!(cache.mode_in_scope(subject), expected, "{subject:?}");
    }
    lines.push((r#"{"keytype":"MODE","magic":0}"#, r#"{"mode":"FORWARD"}"#));
    let (cache, _) = replay(&lines);
    // Global is the default context's.
    assert_eq!(
        (cache.mode_in_scope(Some("s")), cache.mode_in_scope(Some(":.d:s"))),
        (Mode::Forward, Mode::ReadOnly)
    );
    assert_eq!(cache.mode(Some("s")), None);
}
