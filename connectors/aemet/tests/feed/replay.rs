//! Thirty simulated days of each product with faults, crashes and clock jumps, against the service's truth
//!
//! Stated window: a record may come again only if its offset was not committed before a crash. A correction that no
//! poll could see, because it stood for less than the pause and the waits around it, may be missing.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use weir_aemet::aemet_config::KeyForm;
use weir_aemet::names::Names;
use weir_aemet::product::Product as Read;
use weir_aemet::records::mapper::Mapper;
use weir_aemet::task::AemetSourceTask;
use weir_fakes::aemet::forecasts::Horizon;
use weir_fakes::aemet::service::{AemetService, Product, TruthRow};
use weir_fakes::faults::Faults;
use weir_feed::fake_service;
use weir_feed::testing::{Handed, Plan, replay};
use weir_sdk::config::map::ConfigMap;

use crate::support::{KEY, config, header};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// 2026-10-10: the clocks turn within the month.
const FROM_MS: i64 = 1_791_590_400_000;
const FIRST_DAY: i64 = FROM_MS / DAY_MS - 20;

struct Case {
    read: Read,
    product: Product,
    pairs: Vec<(&'static str, &'static str)>,
    /// Place of requests; the truth of others is not looked at.
    ids: Vec<&'static str>,
    /// A row that stood this long must have been seen.
    seen_after_ms: i64,
}

fn month(case: &Case, seed: u64) {
    let mut pairs = case.pairs.clone();
    pairs.extend([("aemet.product", case.read.as_str()), ("retry.max.attempts", "100")]);
    let config = config(&pairs);
    let plan = Plan {
        from_ms: FROM_MS,
        until_ms: FROM_MS + 30 * DAY_MS,
        drain_ms: 4 * 3_600_000,
        crash_permille: 3,
        jump_permille: 2,
        seed,
    };
    let service = || AemetService::new(seed).with_key(KEY).with_stations(3).with_waves();
    let faulty = Faults::seeded(service(), seed, 0.05).until(plan.until_ms);
    let handed = replay::<AemetSourceTask>(&config, &plan, fake_service!(faulty));
    let end_ms = plan.until_ms + plan.drain_ms;
    let truth: Vec<TruthRow> = service()
        .truth(case.product, FROM_MS, end_ms)
        .into_iter()
        .filter(|row| case.ids.contains(&row.id.as_str()))
        .collect();
    check(case, seed, &handed, &truth, end_ms);
}

/// What tells records apart: key and value.
fn identity(id: &str, value: &impl std::fmt::Debug) -> String {
    format!("{id} {value:?}")
}

fn check(case: &Case, seed: u64, handed: &[Handed], truth: &[TruthRow], end_ms: i64) {
    let what = format!("{} seed {seed}", case.read.as_str());
    let mapper = Mapper::new(case.read, Names::Original, KeyForm::Id).expect("schemas");
    let mut expected = HashSet::new();
    let mut required = HashMap::new();
    for row in truth {
        let mapped = mapper.map(&row.row, &row.id).expect("the truth is no bad record");
        let identity = identity(&mapped.id, &mapped.value.fields);
        expected.insert(identity.clone());
        let stood_ms = row.visible_to_ms.min(end_ms) - row.visible_from_ms.max(FROM_MS);
        if stood_ms >= case.seen_after_ms {
            required.insert(identity, row);
        }
    }
    assert!(
        required.len() * 10 >= truth.len() * 8,
        "{what}: {} of {} required",
        required.len(),
        truth.len()
    );
    let mut seen: HashMap<String, Vec<&Handed>> = HashMap::new();
    for each in handed {
        let value = crate::support::value(&each.record);
        let id = each.record.key.value.clone();
        let id = match id {
            weir_sdk::api::data::value::Value::Text(id) => id,
            other => panic!("{what}: key {other:?}"),
        };
        let identity = identity(&id, &value.fields);
        assert!(expected.contains(&identity), "{what}: never served: {identity}");
        seen.entry(identity).or_default().push(each);
    }
    for (identity, row) in &required {
        assert!(
            seen.contains_key(identity),
            "{what}: missing {} {} {row:?}",
            row.id,
            row.time
        );
    }
    for (identity, times) in &seen {
        for (at, again) in times.iter().enumerate().skip(1) {
            for before in times.iter().take(at) {
                assert!(
                    !before.is_committed && before.life < again.life,
                    "{what}: twice, at {} and {}: {identity}",
                    before.at_ms,
                    again.at_ms
                );
            }
        }
    }
    let revisions = handed
        .iter()
        .filter(|each| header(&each.record, "feed.revision").is_some())
        .count();
    let lives = handed.last().map_or(0, |each| each.life);
    assert!(
        revisions > 0 && lives > 20,
        "{what}: {revisions} revisions, {lives} crashes"
    );
}

/// Runs seeds side by side, as many as there are cores to use.
fn months(case: fn() -> Case, seeds: &[u64]) {
    let left = Arc::new(Mutex::new(seeds.to_vec()));
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let left = Arc::clone(&left);
            std::thread::spawn(move || {
                loop {
                    let seed = left.lock().expect("no panic holds it").pop();
                    match seed {
                        Some(seed) => month(&case(), seed),
                        None => return,
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        if let Err(panic) = worker.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn observations_of_all_stations() {
    let case = || Case {
        read: Read::Observation,
        product: Product::Observations,
        pairs: vec![("poll.interval.ms", "1500000")],
        ids: vec!["9999X", "0001B", "0002C"],
        seen_after_ms: 85 * MINUTE_MS,
    };
    months(case, &[1, 2]);
}

#[test]
fn observations_of_some_stations() {
    let case = || Case {
        read: Read::Observation,
        product: Product::Observations,
        pairs: vec![("poll.interval.ms", "1500000"), ("aemet.stations", "9999X,0002C")],
        ids: vec!["9999X", "0002C"],
        seen_after_ms: 85 * MINUTE_MS,
    };
    months(case, &[4, 5]);
}

#[test]
fn daily_forecasts() {
    let case = || Case {
        read: Read::DailyForecast,
        product: Product::Forecast(Horizon::Daily),
        pairs: vec![("poll.interval.ms", "2400000"), ("aemet.municipios", "01059,35016")],
        ids: vec!["01059", "35016"],
        seen_after_ms: 110 * MINUTE_MS,
    };
    months(case, &[6, 7]);
}

#[test]
fn hourly_forecasts() {
    let case = || Case {
        read: Read::HourlyForecast,
        product: Product::Forecast(Horizon::Hourly),
        pairs: vec![("poll.interval.ms", "2400000"), ("aemet.municipios", "28065")],
        ids: vec!["28065"],
        seen_after_ms: 110 * MINUTE_MS,
    };
    months(case, &[9, 10]);
}

#[test]
fn climatology_of_all_stations() {
    let case = || Case {
        read: Read::DailyClimate,
        product: Product::Climate { first_day: FIRST_DAY },
        pairs: vec![("aemet.start.date", "2026-09-20")],
        ids: vec!["9999X", "0001B", "0002C"],
        seen_after_ms: 12 * 60 * MINUTE_MS,
    };
    months(case, &[11, 12, 13]);
}

#[test]
fn climatology_of_some_stations() {
    let case = || Case {
        read: Read::DailyClimate,
        product: Product::Climate { first_day: FIRST_DAY },
        pairs: vec![
            ("aemet.start.date", "2026-09-20"),
            ("aemet.chunk.days", "9"),
            ("aemet.stations", "0001B,0002C"),
        ],
        ids: vec!["0001B", "0002C"],
        seen_after_ms: 12 * 60 * MINUTE_MS,
    };
    months(case, &[14, 15, 16]);
}

/// Settings of a case are valid by themselves.
#[test]
fn the_first_day_is_the_start_date() {
    let config: ConfigMap = config(&[("aemet.start.date", "2026-09-20")]);
    let settings = weir_aemet::aemet_config::Settings::parse(&config).expect("valid");
    assert_eq!(settings.start_day.map(i64::from), Some(FIRST_DAY));
}
