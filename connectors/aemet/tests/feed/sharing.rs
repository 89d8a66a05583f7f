//! Tasks of one connector: how places are divided, and the budget that they share

use std::cell::RefCell;
use std::rc::Rc;

use weir_aemet::source::AemetSourceConnector;
use weir_aemet::task::AemetSourceTask;
use weir_fakes::aemet::service::AemetService;
use weir_feed::fake_service;
use weir_feed::testing::{BUDGET, install_service, now_ms};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::source::{OffsetChange, SourceConnector, SourceTask};

use crate::support::{KEY, NOW_MS, config, played};

fn shares(pairs: &[(&str, &str)], max_tasks: u32) -> Vec<ConfigMap> {
    let mut connector = AemetSourceConnector::default();
    connector
        .start(ConnectorContext::default(), &config(pairs))
        .expect("valid");
    connector.task_configs(max_tasks).expect("tasks")
}

fn of(configs: &[ConfigMap], key: &str) -> Vec<String> {
    configs
        .iter()
        .filter_map(|config| config.get(key))
        .map(str::to_owned)
        .collect()
}

#[test]
fn places_are_divided_over_tasks() {
    for (pairs, max_tasks, key, expected) in [
        (vec![], 8, "aemet.stations", vec![]),
        (vec![("aemet.stations", "todas")], 8, "aemet.stations", vec!["todas"]),
        (
            vec![("aemet.stations", "A,B,C,D,E")],
            2,
            "aemet.stations",
            vec!["A,C,E", "B,D"],
        ),
        (vec![("aemet.stations", "A,B")], 8, "aemet.stations", vec!["A", "B"]),
        (
            vec![
                ("aemet.product", "prediccion_diaria"),
                ("aemet.municipios", "id28065,1059,08019"),
            ],
            2,
            "aemet.municipios",
            vec!["28065,08019", "01059"],
        ),
    ] {
        let configs = shares(&pairs, max_tasks);
        if expected.is_empty() {
            assert_eq!(configs.len(), 1);
        } else {
            assert_eq!(of(&configs, key), expected);
        }
        assert!(configs.iter().all(|config| config.get("topic") == Some("weather")));
    }
}

#[test]
fn sister_tasks_share_the_requests_of_a_minute() {
    let pairs = [
        ("aemet.stations", "9999X,0001B,0002C,1111E,2222,3333A"),
        ("rate.limit.requests", "6"),
        ("poll.interval.ms", "1000"),
    ];
    let configs = shares(&pairs, 2);
    let times = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&times);
    let mut serve = fake_service!(AemetService::new(3).with_key(KEY));
    install_service(&configs[0], NOW_MS, move |arrived, now_ms| {
        noted.borrow_mut().push(now_ms);
        serve(arrived, now_ms)
    });
    let mut tasks: Vec<AemetSourceTask> = configs
        .iter()
        .map(|config| {
            let mut task = AemetSourceTask::default();
            task.start(SourceTaskContext::default(), config).expect("starts");
            task
        })
        .collect();
    let mut records = [0, 0];
    while now_ms() < NOW_MS + 20 * 60_000 {
        for (task, count) in tasks.iter_mut().zip(&mut records) {
            *count += task.poll(BUDGET).expect("no failure").unwrap_or_default().len();
        }
    }
    assert!(records.iter().all(|count| *count > 0), "{records:?}");
    let times = times.borrow();
    // A full bucket and what comes back in the minute, of both tasks together; in the long run the rate.
    for start in times.iter() {
        let within = times.iter().filter(|at| (*start..start + 60_000).contains(at)).count();
        assert!(within <= 12, "{within} in a minute");
    }
    assert!(times.len() <= 6 + 6 * 20, "{}", times.len());
    assert!(times.len() > 60, "{}", times.len());
}

#[test]
fn a_refusal_of_one_task_holds_its_sister() {
    let configs = shares(&[("aemet.stations", "A,B")], 2);
    let times = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&times);
    install_service(&configs[0], NOW_MS, move |arrived, now_ms| {
        noted
            .borrow_mut()
            .push((arrived.path.rsplit('/').next().unwrap_or_default().to_owned(), now_ms));
        played(429, "")
    });
    let mut tasks = [AemetSourceTask::default(), AemetSourceTask::default()];
    for (task, config) in tasks.iter_mut().zip(&configs) {
        task.start(SourceTaskContext::default(), config).expect("starts");
    }
    for task in &mut tasks {
        assert_eq!(task.poll(BUDGET), Ok(None));
    }
    assert_eq!(times.borrow().as_slice(), [("A".to_owned(), NOW_MS)]);
}

#[test]
fn validation_names_every_wrong_setting() {
    let connector = AemetSourceConnector::default();
    let wrong = config(&[
        ("aemet.stations", "a/b"),
        ("aemet.base.url", "ftp://x"),
        ("aemet.start.date", "x"),
    ]);
    let infos = connector.validate(&wrong).expect("validated");
    let named: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(named, ["aemet.stations", "aemet.base.url", "aemet.start.date"]);
    assert!(infos.iter().all(|info| !info.errors.is_empty()));
    assert_eq!(connector.validate(&config(&[])).expect("validated").len(), 0);
}

#[test]
fn offsets_are_judged_before_they_are_changed() {
    let connector = AemetSourceConnector::default();
    let judge = |partition: &str, offset: Option<&str>| {
        let change = OffsetChange {
            partition: partition.to_owned(),
            offset: offset.map(str::to_owned),
        };
        connector.alter_offsets(&config(&[]), &[change])
    };
    let station = r#"{"feed":"aemet","product":"observacion","station":"3195"}"#;
    let town = r#"{"feed":"aemet","product":"prediccion_diaria","municipio":"28065"}"#;
    for (partition, offset) in [
        (station, Some(r#"{"fint":"2026-11-20T14:00:00Z"}"#)),
        (station, None),
        (town, Some(r#"{"elaborado":"2026-11-20T11:54:00","h":"x"}"#)),
        (
            r#"{"feed":"aemet","product":"climatologia_diaria","station":"3195"}"#,
            Some(r#"{"fecha":"2026-11-14"}"#),
        ),
    ] {
        assert_eq!(judge(partition, offset), Ok(true), "{partition}");
    }
    for (partition, offset, part) in [
        (r#"{"file":"x"}"#, None, "'product'"),
        (
            r#"{"feed":"aemet","product":"observacion","municipio":"1"}"#,
            None,
            "'station'",
        ),
        (station, Some(r#"{"fecha":"2026-11-14"}"#), "'fint'"),
        (station, Some(r#"{"fint":"ayer"}"#), "'fint'"),
        (town, Some(r#"{}"#), "'elaborado'"),
    ] {
        let error = judge(partition, offset).expect_err(part);
        assert!(error.message.contains(part), "{error}");
    }
}
