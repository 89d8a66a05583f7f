//! The connector: checks shown by validation, tasks, changed offsets

use weir_places::connector::PlacesSourceConnector;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::ConnectorContext;
use weir_sdk::source::{ExactlyOnceSupport, OffsetChange, SourceConnector as _};
use weir_sdk::testing::{TestHost, install};

use crate::support::{KEY, config, logged};

fn tasks(config: &ConfigMap, max: u32) -> Vec<ConfigMap> {
    let mut connector = PlacesSourceConnector::default();
    connector.start(ConnectorContext::default(), config).expect("starts");
    connector.task_configs(max).expect("task configs")
}

#[test]
fn cells_are_divided_over_the_tasks_and_the_url_is_named() {
    install(TestHost::default());
    let cells = [
        ("places.area", "40.40,-3.72,40.43,-3.68"),
        ("places.cell.meters", "1600"),
    ];
    let mut config = config(&cells);
    config.remove("places.base.url");
    let tasks = tasks(&config, 4);
    assert_eq!(tasks.len(), 4);
    for (at, task) in tasks.iter().enumerate() {
        assert_eq!(task.get("places.task"), Some(at.to_string().as_str()));
        assert_eq!(task.get("places.tasks"), Some("4"));
        assert_eq!(task.get("places.base.url"), Some("https://places.googleapis.com"));
    }
}

#[test]
fn there_are_no_more_tasks_than_searches_and_one_where_tombstones_are_wanted() {
    install(TestHost::default());
    assert_eq!(tasks(&config(&[]), 8).len(), 1);
    let details = [("places.mode", "details"), ("places.ids", "a,b,c")];
    assert_eq!(tasks(&config(&details), 8).len(), 3);
    assert_eq!(
        tasks(&config(&[&details[..], &[("emit.tombstones", "true")]].concat()), 8).len(),
        3
    );
    let cells = [
        ("places.area", "40.40,-3.72,40.43,-3.68"),
        ("places.cell.meters", "1600"),
        ("emit.tombstones", "true"),
    ];
    assert_eq!(tasks(&config(&cells), 8).len(), 1);
    assert!(logged().contains("one task reads all"));
}

#[test]
fn a_start_warns_of_fields_left_out_and_of_the_retention() {
    install(TestHost::default());
    tasks(&config(&[("places.fields", "displayName,photos")]), 1);
    assert!(logged().contains("photos and reviews may not be kept") && logged().contains("fields=photos"));
    assert!(logged().contains("topic.creation.default.retention.ms"));
    install(TestHost::default());
    tasks(&config(&[("topic.creation.default.retention.ms", "2592000000")]), 1);
    assert!(!logged().contains("Warn"), "{}", logged());
}

#[test]
fn validation_shows_the_mask_and_each_problem_at_its_key() {
    let connector = PlacesSourceConnector::default();
    let infos = connector
        .validate(&config(&[("places.area", "x"), ("places.ids.topic", "t")]))
        .expect("validates");
    let of = |name: &str| infos.iter().find(|info| info.name == name).expect("told");
    assert!(of("places.fields").recommended[0].starts_with("mask: places.id,places.displayName,"));
    assert!(of("places.area").errors[0].contains("Invalid value x for configuration places.area: must be lat,lng"));
    assert!(of("places.ids.topic").errors[0].contains("cannot read topics"));
    assert_eq!(infos.len(), 3);
    assert!(!format!("{infos:?}").contains(KEY));
    assert!(
        connector.validate(&ConfigMap::new()).expect("validates").is_empty(),
        "the definition tells"
    );
}

#[test]
fn offsets_may_be_changed_where_they_make_sense() {
    let connector = PlacesSourceConnector::default();
    let alter = |partition: &str, offset: Option<&str>| {
        let change = OffsetChange {
            partition: partition.to_owned(),
            offset: offset.map(str::to_owned),
        };
        connector.alter_offsets(&config(&[]), &[change])
    };
    let cell = r#"{"feed":"places","mode":"nearby","cell":"1,2,3","q":"0"}"#;
    assert_eq!(alter(cell, None), Ok(true));
    assert_eq!(alter(cell, Some(r#"{"cycle":3,"done":true}"#)), Ok(true));
    assert_eq!(
        alter(
            r#"{"feed":"places","budget":0}"#,
            Some(r#"{"day":"2026-11-22","used":0}"#)
        ),
        Ok(true)
    );
    assert!(alter(cell, Some(r#"{"used":3}"#)).is_err());
    assert!(alter(r#"{"feed":"twitter"}"#, None).is_err());
    assert!(alter("[]", None).is_err());
    assert_eq!(
        connector.exactly_once_support(&config(&[])),
        Ok(ExactlyOnceSupport::Unsupported)
    );
}
