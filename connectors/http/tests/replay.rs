//! Thirty days of the items service with faults, crashes and clock jumps: no gap, and duplicates only where stated
//!
//! Stated: a record comes again only if the task stopped before its offset was committed, or, where the service gives no
//! order, before the cycle that read it was complete.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use support::{START, config, texts};
use weir_fakes::faults::Faults;
use weir_fakes::items::Items;
use weir_feed::testing::{Handed, Plan, replay};
use weir_http::source::HttpSourceTask;

const HOUR: i64 = 3_600_000;
const DAYS: i64 = 30 * 24 * HOUR;
const SEEDS: u64 = 3;
/// Cycles of ten minutes, waits for a faulty service and acknowledgements on their way: nothing older comes again.
const REPEATED_WITHIN: i64 = 12 * HOUR;

fn run(target: &str, settings: &[(&str, &str)], seed: u64) -> Vec<Handed> {
    let mut all = vec![
        ("retry.max.attempts", "-1"),
        ("http.rate.limit.reset.header", "x-rate-limit-reset"),
        ("http.throttle.interval.ms", "600000"),
        ("http.record.key.pointer", "/id"),
    ];
    all.extend_from_slice(settings);
    let plan = Plan {
        from_ms: START,
        until_ms: START + DAYS,
        drain_ms: 12 * HOUR,
        crash_permille: 20,
        jump_permille: 5,
        seed,
    };
    let service = Faults::seeded(items(), seed, 0.15).until(plan.until_ms);
    replay::<HttpSourceTask>(&config(target, &all), &plan, weir_feed::fake_service!(service))
}

fn items() -> Items {
    Items::new(START - 24 * HOUR, START + DAYS, HOUR)
}

fn id_of(handed: &Handed) -> i64 {
    let text = texts(std::slice::from_ref(&handed.record)).remove(0);
    let row: Json = serde_json::from_str(&text).expect("JSON");
    row["id"].as_i64().expect("an id")
}

/// Every record came, and none twice in one life of the task.
fn assert_whole(handed: &[Handed], name: &str) {
    let wanted: BTreeSet<i64> = items()
        .truth(i64::MIN / 4, i64::MAX / 4)
        .iter()
        .filter_map(|row| row["id"].as_i64())
        .collect();
    let got: BTreeSet<i64> = handed.iter().map(id_of).collect();
    let missing: Vec<&i64> = wanted.difference(&got).collect();
    assert!(
        missing.is_empty(),
        "{name}: {} of {} are missing: {:?}",
        missing.len(),
        wanted.len(),
        missing.first()
    );
    let mut lives: BTreeMap<(u32, i64), u32> = BTreeMap::new();
    for record in handed {
        *lives.entry((record.life, id_of(record))).or_default() += 1;
    }
    let twice = lives.iter().find(|(_, count)| **count > 1);
    assert_eq!(twice, None, "{name}: came twice in one life");
    let mut last_seen: BTreeMap<i64, i64> = BTreeMap::new();
    for record in handed {
        if let Some(before_ms) = last_seen.insert(id_of(record), record.at_ms) {
            let apart = record.at_ms - before_ms;
            assert!(
                apart <= REPEATED_WITHIN,
                "{name}: {} came again after {apart} ms",
                id_of(record)
            );
        }
    }
    let most = handed.last().map_or(0, |last| last.life);
    let (repeated, bound) = (handed.len() - got.len(), usize::try_from(most).expect("few"));
    assert!(repeated <= bound, "{name}: {repeated} came again in {bound} crashes");
    assert!(most > 20, "{name}: only {most} crashes");
}

/// A record that was committed never came again.
fn assert_committed_once(handed: &[Handed], name: &str) {
    let mut committed: BTreeMap<i64, u32> = BTreeMap::new();
    for record in handed {
        if let Some(life) = committed.get(&id_of(record)) {
            panic!(
                "{name}: {} was committed in life {life} and came again in {}",
                id_of(record),
                record.life
            );
        }
        if record.is_committed {
            committed.insert(id_of(record), record.life);
        }
    }
}

const BY_TIME: [(&str, &str); 4] = [
    ("http.incremental.mode", "timestamp"),
    ("http.incremental.pointer", "/updated_at"),
    ("http.paging.mode", "page"),
    ("http.paging.param", "page"),
];

#[test]
fn ascending_times() {
    for seed in 0..SEEDS {
        let mut settings = BY_TIME.to_vec();
        settings.push(("http.params", "updated_since: ${offset.cursor}"));
        settings.push(("http.incremental.order", "asc"));
        let handed = run("/items", &settings, seed);
        assert_whole(&handed, "asc");
        assert_committed_once(&handed, "asc");
    }
}

#[test]
fn descending_times() {
    for seed in 10..10 + SEEDS {
        let mut settings = BY_TIME.to_vec();
        settings.push(("http.params", "updated_since: ${offset.cursor}\norder: desc"));
        settings.push(("http.incremental.order", "desc"));
        assert_whole(&run("/items", &settings, seed), "desc");
    }
}

#[test]
fn times_in_disorder_with_a_lookback() {
    for seed in 20..20 + SEEDS {
        let mut settings = BY_TIME.to_vec();
        settings.push((
            "http.params",
            "updated_since: ${offset.cursor}\norder: unordered\nsize: 7",
        ));
        settings.push(("http.incremental.lookback.ms", "7200000"));
        assert_whole(&run("/items", &settings, seed), "unordered");
    }
}

#[test]
fn windows_of_time() {
    for seed in 30..30 + SEEDS {
        let initial = weir_feed::time::rfc3339(START - 24 * HOUR);
        let mut settings = BY_TIME.to_vec();
        settings.push((
            "http.params",
            "updated_since: ${window.start}\nuntil: ${window.end}\nsize: 10",
        ));
        settings.push(("http.incremental.step", "PT6H"));
        settings.push(("http.incremental.initial", &initial));
        assert_whole(&run("/items", &settings, seed), "windows");
    }
}

#[test]
fn growing_ids() {
    for seed in 40..40 + SEEDS {
        let settings = [
            ("http.params", "after: ${offset.cursor}\nlimit: 5"),
            ("http.incremental.mode", "id"),
            ("http.incremental.pointer", "/id"),
            ("http.incremental.order", "asc"),
        ];
        let handed = run("/ids", &settings, seed);
        assert_whole(&handed, "ids");
        assert_committed_once(&handed, "ids");
    }
}

#[test]
fn the_cursor_of_the_service() {
    for seed in 50..50 + SEEDS {
        let settings = [
            ("http.response.records.pointer", "/data/rows"),
            ("http.paging.mode", "cursor"),
            ("http.paging.token.pointer", "/paging/cursors/after"),
            ("http.paging.token.param", "after"),
            ("http.incremental.mode", "cursor"),
            ("http.paging.resumable", "true"),
        ];
        assert_whole(&run("/cursor", &settings, seed), "cursor");
    }
}
