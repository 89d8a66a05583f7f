//! Tests of the cluster state: sequences of records, what they mean and which events they raise.

use super::*;
use crate::configs::records;

fn config(value: &str) -> ConfigMap {
    [("v", value)].into_iter().collect()
}

fn log_of(records: &[ConfigRecord]) -> ConfigLog {
    let mut log = ConfigLog::default();
    for (offset, record) in records.iter().enumerate() {
        log.apply(record.clone());
        log.advance(offset as i64 + 1);
    }
    log
}

fn connector(name: &str, value: &str) -> ConfigRecord {
    ConfigRecord::Connector {
        name: name.to_owned(),
        config: Some(config(value)),
    }
}

fn task(name: &str, task: u32, value: &str) -> ConfigRecord {
    ConfigRecord::Task {
        connector: name.to_owned(),
        task,
        config: config(value),
    }
}

fn commit(name: &str, tasks: u32) -> ConfigRecord {
    ConfigRecord::Commit {
        connector: name.to_owned(),
        tasks,
    }
}

fn state(name: &str, state: Option<TargetState>) -> ConfigRecord {
    ConfigRecord::TargetState {
        connector: name.to_owned(),
        state,
    }
}

fn removal(name: &str) -> ConfigRecord {
    ConfigRecord::Connector {
        name: name.to_owned(),
        config: None,
    }
}

#[track_caller]
fn check_tasks(records: &[ConfigRecord], expected: Option<&[&str]>) {
    let snapshot = log_of(records).snapshot();
    let tasks = snapshot.connectors["c"].task_configs.clone();
    let expected = expected.map(|values| values.iter().map(|value| config(value)).collect::<Vec<_>>());
    assert_eq!(tasks, expected);
}

#[test]
fn task_configs_wait_for_their_commit() {
    let base = [connector("c", "1"), task("c", 0, "a"), task("c", 1, "b")];
    check_tasks(&base, None);
    let committed = [&base[..], &[commit("c", 2)]].concat();
    check_tasks(&committed, Some(&["a", "b"]));
    check_tasks(&[&committed[..], &[task("c", 0, "z")]].concat(), Some(&["a", "b"]));
    check_tasks(
        &[&committed[..], &[task("c", 0, "z"), commit("c", 1)]].concat(),
        Some(&["z"]),
    );
    check_tasks(&[&committed[..], &[commit("c", 0)]].concat(), Some(&[]));
}

#[test]
fn incomplete_sets_are_inconsistent_until_written_anew() {
    let eaten = [connector("c", "1"), task("c", 1, "b"), commit("c", 2)];
    check_tasks(&eaten, None);
    check_tasks(&[&eaten[..], &[task("c", 0, "a")], &[commit("c", 2)]].concat(), None);
    check_tasks(
        &[&eaten[..], &[task("c", 0, "a"), task("c", 1, "b")], &[commit("c", 2)]].concat(),
        Some(&["a", "b"]),
    );
    let left_over = [
        connector("c", "1"),
        task("c", 0, "a"),
        task("c", 1, "b"),
        commit("c", 1),
    ];
    check_tasks(&left_over, Some(&["a"]));
}

#[test]
fn commit_without_connector_leaves_nothing() {
    let mut log = log_of(&[task("c", 0, "a"), commit("c", 1), connector("c", "1")]);
    assert_eq!(log.snapshot().connectors["c"].task_configs, None);
    assert_eq!(log.apply(commit("other", 0)), None);
    assert!(log.snapshot().pending_fencing.is_empty());
}

#[test]
fn deletion_drops_tasks_and_keeps_the_fencing_count() {
    let fencing = ConfigRecord::TasksFencing {
        connector: "c".to_owned(),
        tasks: 1,
    };
    let records = [
        connector("c", "1"),
        task("c", 0, "a"),
        commit("c", 1),
        fencing,
        removal("c"),
        state("c", None),
        connector("c", "2"),
    ];
    let snapshot = log_of(&records).snapshot();
    let entry = &snapshot.connectors["c"];
    assert_eq!(
        (entry.task_configs.as_ref(), entry.applied_config.as_ref()),
        (None, None)
    );
    assert_eq!(snapshot.task_count_records["c"], 1);
    assert_eq!(snapshot.offset, records.len() as i64);
}

#[test]
fn state_written_before_the_connector_applies_when_it_appears() {
    let mut log = ConfigLog::default();
    assert_eq!(log.apply(state("c", Some(TargetState::Stopped))), None);
    assert!(log.snapshot().connectors.is_empty());
    assert_eq!(
        log.apply(connector("c", "1")),
        Some(ConfigEvent::ConnectorUpdated("c".to_owned()))
    );
    assert_eq!(log.snapshot().connectors["c"].target_state, TargetState::Stopped);
    assert_eq!(log.apply(state("c", Some(TargetState::Stopped))), None);
    assert_eq!(
        log.apply(state("c", Some(TargetState::Started))),
        Some(ConfigEvent::TargetStateChanged("c".to_owned()))
    );
    assert_eq!(
        log.apply(state("c", Some(TargetState::Paused))),
        Some(ConfigEvent::TargetStateChanged("c".to_owned()))
    );
    assert_eq!(log.apply(state("c", None)), None);
    assert_eq!(log.snapshot().connectors["c"].target_state, TargetState::Started);
}

#[test]
fn events_name_what_changed() {
    let mut log = ConfigLog::default();
    let request = RestartRequest {
        connector: "c".to_owned(),
        include_tasks: true,
        only_failed: true,
    };
    let name = || "c".to_owned();
    for (record, event) in [
        (connector("c", "1"), Some(ConfigEvent::ConnectorUpdated(name()))),
        (task("c", 0, "a"), None),
        (commit("c", 1), Some(ConfigEvent::TasksUpdated(name()))),
        (
            ConfigRecord::Restart(request.clone()),
            Some(ConfigEvent::Restart(request)),
        ),
        (
            ConfigRecord::Logger {
                namespace: name(),
                level: "INFO".to_owned(),
            },
            Some(ConfigEvent::Logger {
                namespace: name(),
                level: "INFO".to_owned(),
            }),
        ),
        (removal("c"), Some(ConfigEvent::ConnectorRemoved(name()))),
    ] {
        assert_eq!(log.apply(record), event);
    }
}

#[test]
fn applied_config_is_the_one_at_commit_time() {
    let snapshot = log_of(&[
        connector("c", "1"),
        task("c", 0, "a"),
        commit("c", 1),
        connector("c", "2"),
    ])
    .snapshot();
    let entry = &snapshot.connectors["c"];
    assert_eq!(
        (entry.applied_config.as_ref(), &entry.config),
        (Some(&config("1")), &config("2"))
    );
}

#[test]
fn any_records_leave_a_state_that_can_be_shown() {
    // Every order of a small set of records: no order panics, and a task set is shown whole or not at all.
    let records = [
        connector("c", "1"),
        task("c", 0, "a"),
        task("c", 1, "b"),
        commit("c", 2),
        removal("c"),
        commit("c", 0),
    ];
    let mut order: Vec<usize> = (0..records.len()).collect();
    permute(&mut order, 0, &mut |order| {
        let mut log = ConfigLog::default();
        for index in order {
            log.apply(records[*index].clone());
            if let Some(tasks) = log
                .snapshot()
                .connectors
                .get("c")
                .and_then(|entry| entry.task_configs.clone())
            {
                assert!(tasks.is_empty() || tasks == [config("a"), config("b")], "{order:?}");
            }
        }
    });
}

fn permute(order: &mut Vec<usize>, fixed: usize, check: &mut dyn FnMut(&[usize])) {
    if fixed == order.len() {
        return check(order);
    }
    for other in fixed..order.len() {
        order.swap(fixed, other);
        permute(order, fixed + 1, check);
        order.swap(fixed, other);
    }
}

#[test]
fn written_records_lead_to_what_was_written() {
    let mut log = ConfigLog::default();
    let written = [
        vec![
            records::target_state("c", TargetState::Paused),
            records::connector("c", &config("1")),
        ],
        records::task_set("c", &[config("a")]),
    ];
    for record in written.concat() {
        log.apply(records::parse(Some(&record.key), record.value.as_deref()).unwrap());
    }
    let entry = log.snapshot().connectors["c"].clone();
    assert_eq!(entry.target_state, TargetState::Paused);
    assert_eq!(entry.task_configs, Some(vec![config("a")]));
    for record in records::connector_removal("c") {
        log.apply(records::parse(Some(&record.key), record.value.as_deref()).unwrap());
    }
    assert!(log.snapshot().connectors.is_empty());
}
