//! Tests of the config records: every sample of the format, both ways.

use super::*;

fn config(entries: &[(&str, Option<&str>)]) -> ConfigMap {
    entries
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect()
}

#[track_caller]
fn check(written: &KeyValue, key: &str, value: Option<&str>, read: ConfigRecord) {
    assert_eq!(std::str::from_utf8(&written.key).unwrap(), key);
    assert_eq!(
        written
            .value
            .as_deref()
            .map(|value| std::str::from_utf8(value).unwrap()),
        value
    );
    assert_eq!(parse(Some(&written.key), written.value.as_deref()), Ok(read));
}

#[test]
fn each_kind_is_written_in_apaches_form_and_read_back() {
    let map = config(&[("b", Some("1")), ("a", None), ("tasks.max", Some("\u{1b}é"))]);
    check(
        &connector("a-b", &map),
        "connector-a-b",
        Some(r#"{"properties":{"b":"1","a":null,"tasks.max":"\u001Bé"}}"#),
        ConfigRecord::Connector {
            name: "a-b".to_owned(),
            config: Some(map.clone()),
        },
    );
    let tasks = task_set("x-1", &[map.clone(), ConfigMap::new()]);
    check(
        &tasks[1],
        "task-x-1-1",
        Some(r#"{"properties":{}}"#),
        ConfigRecord::Task {
            connector: "x-1".to_owned(),
            task: 1,
            config: ConfigMap::new(),
        },
    );
    check(
        &tasks[2],
        "commit-x-1",
        Some(r#"{"tasks":2}"#),
        ConfigRecord::Commit {
            connector: "x-1".to_owned(),
            tasks: 2,
        },
    );
    check(
        &tasks_fencing("c", 3),
        "tasks-fencing-c",
        Some(r#"{"task-count":3}"#),
        ConfigRecord::TasksFencing {
            connector: "c".to_owned(),
            tasks: 3,
        },
    );
    let key = SessionKey {
        key_base64: "a2V5".to_owned(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: 1_700_000_000_000,
    };
    check(
        &session_key(&key),
        "session-key",
        Some(r#"{"key":"a2V5","algorithm":"HmacSHA256","creation-timestamp":1700000000000}"#),
        ConfigRecord::SessionKey(key),
    );
    let request = RestartRequest {
        connector: "c".to_owned(),
        include_tasks: true,
        only_failed: false,
    };
    check(
        &restart(&request),
        "restart-connector-c",
        Some(r#"{"include-tasks":true,"only-failed":false}"#),
        ConfigRecord::Restart(request.clone()),
    );
    check(
        &logger("org.x", "INFO"),
        "logger-cluster-org.x",
        Some(r#"{"level":"INFO"}"#),
        ConfigRecord::Logger {
            namespace: "org.x".to_owned(),
            level: "INFO".to_owned(),
        },
    );
}

#[test]
fn properties_stand_as_in_javas_map() {
    let keys = "connector.class file topic tasks.max zeta Alpha b.c errors.log.enable name".split(' ');
    let config: ConfigMap = keys.map(|key| (key, "")).collect();
    let read = ConfigRecord::Connector {
        name: "c".to_owned(),
        config: Some(config),
    };
    let ConfigRecord::Connector {
        config: Some(config), ..
    } = read.in_java_order()
    else {
        panic!("a connector");
    };
    // As Apache Connect 4.3.1 answers.
    let expected = "connector.class zeta file tasks.max b.c Alpha name topic errors.log.enable";
    assert_eq!(config.keys().collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn stopped_is_paused_to_old_workers() {
    for (state, text) in [
        (TargetState::Started, r#"{"state":"STARTED","state.v2":"STARTED"}"#),
        (TargetState::Paused, r#"{"state":"PAUSED","state.v2":"PAUSED"}"#),
        (TargetState::Stopped, r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
    ] {
        let read = ConfigRecord::TargetState {
            connector: "c".to_owned(),
            state: Some(state),
        };
        check(&target_state("c", state), "target-state-c", Some(text), read);
    }
    let old = parse(Some(b"target-state-c"), Some(br#"{"state":"PAUSED"}"#));
    assert_eq!(
        old,
        Ok(ConfigRecord::TargetState {
            connector: "c".to_owned(),
            state: Some(TargetState::Paused)
        })
    );
}

#[test]
fn deletion_is_two_tombstones() {
    let [first, second] = connector_removal("c");
    check(
        &first,
        "connector-c",
        None,
        ConfigRecord::Connector {
            name: "c".to_owned(),
            config: None,
        },
    );
    check(
        &second,
        "target-state-c",
        None,
        ConfigRecord::TargetState {
            connector: "c".to_owned(),
            state: None,
        },
    );
}

#[test]
fn records_that_make_no_sense_are_skipped() {
    for (key, value) in [
        (None, Some("{}")),
        (Some("other-c"), Some("{}")),
        (Some("connector-c"), Some("[]")),
        (Some("connector-c"), Some(r#"{"properties":{"a":1}}"#)),
        (Some("connector-c"), Some(r#"{"properties":{"a":1"#)),
        (Some("target-state-c"), Some(r#"{"state":"RUNNING"}"#)),
        (Some("task-c"), Some(r#"{"properties":{}}"#)),
        (Some("task-c-x"), Some(r#"{"properties":{}}"#)),
        (Some("task-c-0"), None),
        (Some("commit-c"), None),
        (Some("commit-c"), Some(r#"{"tasks":"2"}"#)),
        (Some("commit-c"), Some(r#"{"tasks":-1}"#)),
        (Some("tasks-fencing-c"), None),
        (Some("restart-connector-c"), Some(r#"{"include-tasks":"true"}"#)),
        (Some("session-key"), Some(r#"{"key":1}"#)),
        (Some("session-key"), None),
    ] {
        assert!(
            parse(key.map(str::as_bytes), value.map(str::as_bytes)).is_err(),
            "{key:?} {value:?}"
        );
    }
}
