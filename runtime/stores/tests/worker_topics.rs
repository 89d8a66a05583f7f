//! The internal topics of a real Apache worker, read and written again
//!
//! Every record must come out of our writers byte for byte, land in the partition where Apache's producer put it, and lead to the state
//! that the worker itself showed at the end.

use weir_client::compacted_log::KeyValue;
use weir_client::partitioner::partition_for_key;
use weir_config::map::ConfigMap;
use weir_stores::configs::records::{self as configs, ConfigRecord};
use weir_stores::configs::state::{ConfigLog, TargetState};
use weir_stores::offsets::table::OffsetTable;
use weir_stores::status::records::{self as statuses, State, StatusRecord};
use weir_stores::status::table::StatusTable;

struct Record {
    partition: i32,
    offset: i64,
    key: &'static str,
    value: Option<&'static str>,
}

impl Record {
    fn parts(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        (Some(self.key.as_bytes()), self.value.map(str::as_bytes))
    }

    #[track_caller]
    fn check_written(&self, written: &KeyValue) {
        assert_eq!(String::from_utf8_lossy(&written.key), self.key);
        assert_eq!(
            written.value.as_deref().map(String::from_utf8_lossy).as_deref(),
            self.value
        );
    }
}

fn records(dump: &'static str) -> Vec<Record> {
    dump.lines()
        .map(|line| {
            let [partition, offset, key, value] = <[&str; 4]>::try_from(line.split('\t').collect::<Vec<_>>()).unwrap();
            Record {
                partition: partition.parse().unwrap(),
                offset: offset.parse().unwrap(),
                key,
                value: Some(value).filter(|value| *value != "-"),
            }
        })
        .collect()
}

fn config_records() -> Vec<Record> {
    records(include_str!("../testdata/worker_topics/configs.txt"))
}

fn written_again(record: &ConfigRecord) -> KeyValue {
    match record {
        ConfigRecord::Connector {
            name,
            config: Some(config),
        } => configs::connector(name, config),
        ConfigRecord::Connector { name, config: None } => configs::connector_removal(name)[0].clone(),
        ConfigRecord::TargetState {
            connector,
            state: Some(state),
        } => configs::target_state(connector, *state),
        ConfigRecord::TargetState { connector, state: None } => configs::connector_removal(connector)[1].clone(),
        ConfigRecord::Task {
            connector,
            task,
            config,
        } => {
            let mut set = vec![ConfigMap::new(); *task as usize];
            set.push(config.clone());
            configs::task_set(connector, &set)[*task as usize].clone()
        }
        ConfigRecord::Commit { connector, tasks } => {
            configs::task_set(connector, &vec![ConfigMap::new(); *tasks as usize])
                .pop()
                .unwrap()
        }
        ConfigRecord::TasksFencing { connector, tasks } => configs::tasks_fencing(connector, *tasks),
        ConfigRecord::SessionKey(key) => configs::session_key(key),
        ConfigRecord::Restart(request) => configs::restart(request),
        ConfigRecord::Logger { namespace, level } => configs::logger(namespace, level),
    }
}

#[test]
fn config_records_are_written_as_they_were_read() {
    for record in config_records() {
        let (key, value) = record.parts();
        let read = configs::parse(key, value).unwrap_or_else(|reason| panic!("{}: {reason}", record.key));
        record.check_written(&written_again(&read));
    }
}

#[test]
fn config_records_lead_to_the_workers_own_state() {
    let mut log = ConfigLog::default();
    for record in config_records() {
        let (key, value) = record.parts();
        log.apply(configs::parse(key, value).unwrap());
        log.advance(record.offset + 1);
    }
    let state = log.snapshot();
    let shown: Vec<(&str, TargetState, Option<usize>)> = state
        .connectors
        .iter()
        .map(|(name, entry)| {
            (
                name.as_str(),
                entry.target_state,
                entry.task_configs.as_ref().map(Vec::len),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("sink", TargetState::Started, Some(1)),
            ("src-1", TargetState::Stopped, Some(0))
        ]
    );
    assert_eq!(state.offset, 32);
    let sink = &state.connectors["sink"];
    assert_eq!(sink.applied_config.as_ref(), Some(&sink.config));
    assert!(state.session_key.is_some());
}

#[test]
fn offset_records_are_written_as_they_were_read() {
    let mut table = OffsetTable::default();
    for record in records(include_str!("../testdata/worker_topics/offsets.txt")) {
        assert_eq!(partition_for_key(record.key.as_bytes(), 25), record.partition);
        let connector = if record.key.contains("src-1") { "src-1" } else { "late" };
        let partition = Some(r#"{"filename":"/tmp/golden/in.txt"}"#.to_owned());
        let written = table
            .records(connector, &[(partition, record.value.map(str::to_owned))])
            .unwrap();
        let written = KeyValue {
            key: written[0].key.clone(),
            value: written[0].value.clone(),
        };
        record.check_written(&written);
        table.apply(record.key.as_bytes(), record.value.map(str::as_bytes), record.offset);
    }
    assert_eq!(
        table.list("src-1"),
        [(
            r#"{"filename":"/tmp/golden/in.txt"}"#.to_owned(),
            r#"{"position":0}"#.to_owned()
        )]
    );
    assert_eq!(table.list("late"), []);
}

#[test]
fn status_records_are_written_as_they_were_read() {
    let mut table = StatusTable::default();
    for record in records(include_str!("../testdata/worker_topics/status.txt")) {
        assert_eq!(
            partition_for_key(record.key.as_bytes(), 5),
            record.partition,
            "{}",
            record.key
        );
        let (key, value) = record.parts();
        let read = statuses::parse(key, value).unwrap_or_else(|reason| panic!("{}: {reason}", record.key));
        let written = match &read {
            StatusRecord::Connector { name, status } => statuses::connector(name, status.as_ref()),
            StatusRecord::Task {
                connector,
                task,
                status,
            } => statuses::task(connector, *task, status.as_ref()),
            StatusRecord::Topic {
                status: Some(status), ..
            } => statuses::topic(status),
            StatusRecord::Topic {
                topic,
                connector,
                status: None,
            } => statuses::topic_removal(topic, connector),
        };
        record.check_written(&written);
        table.apply_from_topic(read, record.offset);
    }
    let states: Vec<(String, State)> = table
        .connectors()
        .into_iter()
        .map(|name| (name.clone(), table.connector(&name).unwrap().state))
        .collect();
    assert_eq!(
        states,
        [
            ("sink".to_owned(), State::Running),
            ("src-1".to_owned(), State::Stopped)
        ]
    );
    assert_eq!(
        table
            .tasks("sink")
            .iter()
            .map(|(task, status)| (*task, status.state))
            .collect::<Vec<_>>(),
        [(0, State::Running)]
    );
    assert_eq!(table.tasks("src-1"), []);
    assert_eq!(table.topics("src-1").len(), 1);
    assert_eq!(table.topics("late"), []);
}
