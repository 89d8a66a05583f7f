//! What Apache Kafka Connect answered to the scenarios in `tests/conformance`, replayed on Weir.
//!
//! Needs neither Java nor a network: the answers are in the repository. `tests/conformance/record.sh` records them anew from a
//! running Apache Kafka and Connect.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use weir_tests::conformance::cluster::{Cluster, apache_broker, is_kind};
use weir_tests::conformance::recorded::{self, Exchange};
use weir_tests::conformance::report::{Report, judge, read_divergences, replay};
use weir_tests::conformance::rules::Rules;
use weir_tests::conformance::run::run;
use weir_tests::conformance::scenario::{Action, Area, read_areas};
use weir_tests::process::repository;

/// How long a step waits for its conditions.
fn patience() -> Duration {
    let seconds = std::env::var("WEIR_CONFORMANCE_PATIENCE")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

fn folder() -> PathBuf {
    repository().join("tests/conformance")
}

/// All areas, or those that the variable names.
fn areas() -> Vec<Area> {
    let wanted = std::env::var("WEIR_CONFORMANCE").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split([',', ' ']).filter(|name| !name.is_empty()).collect();
    let mut areas = read_areas(&folder().join("scenarios")).expect("scenarios");
    areas.retain(|area| wanted.is_empty() || wanted.contains(&area.name.as_str()));
    areas
}

/// Areas with the kinds of clusters they need, one kind after another.
fn by_kind(areas: Vec<Area>) -> Vec<(String, Vec<Area>)> {
    let mut kinds: Vec<(String, Vec<Area>)> = Vec::new();
    for area in areas {
        match kinds.iter_mut().find(|(kind, _)| *kind == area.cluster) {
            Some((_, all)) => all.push(area),
            None => kinds.push((area.cluster.clone(), vec![area])),
        }
    }
    kinds
}

/// Table and differences so far, into the file that the variable names.
fn write_details(report: &Report) {
    if let Some(path) = std::env::var_os("WEIR_CONFORMANCE_DETAILS") {
        std::fs::write(path, report.table() + "\n" + &report.details()).expect("details");
    }
}

#[test]
fn answers_are_those_of_apache_connect() {
    let rules = Rules::read(&folder()).expect("rules");
    let known = read_divergences(&folder()).expect("divergences");
    let mut report = Report::default();
    for (kind, areas) in by_kind(areas()) {
        let cluster = match Cluster::weir(&kind) {
            Ok(cluster) => cluster,
            Err(error) => {
                for area in areas {
                    report.counts.insert(area.name.clone(), (0, area.scenarios.len()));
                    for scenario in area.scenarios {
                        let reason = vec![format!("no {kind} cluster: {error:#}")];
                        report.differing.push((area.name.clone(), scenario.name, 0, reason));
                    }
                }
                continue;
            }
        };
        for area in areas {
            let recorded = recorded::read(&folder().join("recorded"), &area.name).expect("recorded answers");
            replay(&cluster, &area, &recorded, &rules, &known, patience(), &mut report);
            write_details(&report);
        }
    }
    write_details(&report);
    println!("{}", report.table());
    assert!(report.is_clean(), "{}{}", report.table(), report.details());
}

#[test]
fn a_changed_status_is_noticed() {
    let rules = Rules::read(&folder()).expect("rules");
    let areas = read_areas(&folder().join("scenarios")).expect("scenarios");
    let area = areas.iter().find(|area| area.name == "transport").expect("the area");
    let scenario = area.scenarios.first().expect("a scenario");
    let recorded = recorded::read(&folder().join("recorded"), &area.name).expect("recorded answers");
    let (_, mut expected) = recorded
        .into_iter()
        .find(|(name, _)| *name == scenario.name)
        .expect("recorded");
    let cluster = Cluster::weir(&area.cluster).expect("a cluster");
    let outcome = run(&cluster, scenario, patience());
    assert!(
        judge(scenario, &expected, &outcome, &rules).is_empty(),
        "the scenario agrees unchanged"
    );
    let last: &mut Exchange = expected.last_mut().expect("an answer");
    last.status += 1;
    let number = expected.len();
    let found = judge(scenario, &expected, &outcome, &rules);
    assert_eq!(
        found.into_keys().collect::<Vec<_>>(),
        [number],
        "the changed one and no other"
    );
}

#[test]
fn every_scenario_is_recorded_and_runs_on_a_known_kind() {
    let areas = read_areas(&folder().join("scenarios")).expect("scenarios");
    let mut count = 0;
    for area in &areas {
        assert!(is_kind(&area.cluster), "{}: {}", area.name, area.cluster);
        let recorded = recorded::read(&folder().join("recorded"), &area.name).expect("recorded answers");
        let names: Vec<&String> = area.scenarios.iter().map(|scenario| &scenario.name).collect();
        assert_eq!(
            names,
            recorded.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "{}: record it anew",
            area.name
        );
        for (scenario, (_, exchanges)) in area.scenarios.iter().zip(&recorded) {
            let requests: Vec<String> = scenario
                .steps
                .iter()
                .filter_map(|step| match &step.action {
                    Action::Request(request) => Some(request.line()),
                    _ => None,
                })
                .collect();
            let answered: Vec<String> = exchanges.iter().map(|exchange| exchange.request.clone()).collect();
            assert_eq!(requests, answered, "{} / {}: record it anew", area.name, scenario.name);
            count += 1;
        }
    }
    assert!(count >= 300, "{count} scenarios");
}

#[test]
fn what_may_differ_is_a_short_list() {
    let rules = Rules::read(&folder()).expect("rules");
    assert!(rules.count() <= 15, "{} volatile names", rules.count());
    let areas = read_areas(&folder().join("scenarios")).expect("scenarios");
    let page = std::fs::read_to_string(repository().join("docs/divergences.md")).expect("the page");
    let mut seen = BTreeSet::new();
    for known in read_divergences(&folder()).expect("divergences") {
        let scenario = areas
            .iter()
            .filter(|area| area.name == known.area)
            .flat_map(|area| &area.scenarios)
            .find(|scenario| scenario.name == known.scenario);
        assert!(scenario.is_some(), "no scenario: {known:?}");
        assert!(
            page.contains(&known.reason),
            "not in docs/divergences.md: {:?}",
            known.reason
        );
        assert!(seen.insert((known.area, known.scenario, known.step)), "twice");
    }
}

#[test]
#[ignore = "records the answers of a running Apache Connect: tests/conformance/record.sh"]
fn record() {
    let scratch = tempfile::tempdir().expect("folder");
    let broker = apache_broker(scratch.path()).expect("Apache's broker");
    let mut failures = Vec::new();
    for (kind, areas) in by_kind(areas()) {
        let cluster = Cluster::java(&kind, &broker).expect("Java's workers");
        for area in areas {
            let mut answers = Vec::new();
            for scenario in &area.scenarios {
                let began = Instant::now();
                let outcome = run(&cluster, scenario, 2 * patience());
                if let Some(reason) = outcome.stopped {
                    failures.push(format!("{} / {}: {reason}", area.name, scenario.name));
                }
                println!("{} / {}: {} ms", area.name, scenario.name, began.elapsed().as_millis());
                answers.push((scenario.name.clone(), outcome.exchanges));
            }
            recorded::write(&folder().join("recorded"), &area.name, &answers).expect("written");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
