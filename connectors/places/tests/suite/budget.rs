//! The daily budget over restarts, kills and changed numbers of tasks

use weir_fakes::places::fake::PlacesFake;
use weir_fakes::service::{FakeRequest, FakeResponse, Service};
use weir_feed::testing::{BUDGET, commit, install_service, now_ms};
use weir_places::task::PlacesSourceTask;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::source::SourceTask as _;
use weir_sdk::testing::with_host;

use std::sync::{Arc, Mutex};

use crate::support::{NOON_MS, config, logged, poll_for};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A service whose count of requests the test reads.
#[derive(Clone)]
struct Counted(Arc<Mutex<PlacesFake>>);

impl Counted {
    fn install(config: &ConfigMap) -> Self {
        let counted = Self(Arc::new(Mutex::new(PlacesFake::new(5))));
        install_service(config, NOON_MS, weir_feed::fake_service!(counted.clone()));
        counted
    }

    fn by_day(&self) -> Vec<u32> {
        self.0
            .lock()
            .expect("not poisoned")
            .requests_by_day()
            .values()
            .copied()
            .collect()
    }
}

impl Service for Counted {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        self.0.lock().expect("not poisoned").handle(request, now_ms)
    }
}

/// More cells than the budget allows, and a cycle each minute.
fn hungry(limit: &str) -> ConfigMap {
    config(&[
        ("places.area", "40.40,-3.72,40.43,-3.68"),
        ("places.cell.meters", "400"),
        ("places.max.requests.per.day", limit),
        ("poll.interval.ms", "60000"),
        ("rate.limit.requests", "0"),
    ])
}

fn started(config: &ConfigMap) -> PlacesSourceTask {
    let mut task = PlacesSourceTask::default();
    task.start(SourceTaskContext::default(), config).expect("starts");
    task
}

#[test]
fn nothing_is_asked_beyond_the_budget_until_the_next_day() {
    let config = hungry("40");
    let service = Counted::install(&config);
    let driven = poll_for(&mut started(&config), 11 * HOUR_MS);
    assert_eq!(service.by_day(), [40]);
    assert!(logged().contains("the daily budget is used up") && logged().contains("PAUSED-BY-BUDGET"));
    let told: Vec<&SourceRecord> = driven
        .records
        .iter()
        .filter(|record| {
            record
                .source_offset
                .as_ref()
                .is_some_and(|offset| offset.contains("PAUSED-BY-BUDGET"))
        })
        .collect();
    let [told] = told[..] else {
        panic!("{} records tell it", told.len())
    };
    assert_eq!(
        told.source_partition.as_deref(),
        Some(r#"{"feed":"places","budget":0}"#)
    );
    assert_eq!(
        told.source_offset.as_deref(),
        Some(r#"{"day":"2026-11-22","used":40,"reason":"PAUSED-BY-BUDGET","until":"2026-11-23T08:00:00Z"}"#)
    );
    assert_eq!(
        crate::support::text(&crate::support::column(told, "reason")),
        "PAUSED-BY-BUDGET"
    );
    assert_eq!(
        logged().matches("the daily budget is used up").count(),
        1,
        "told once a day"
    );

    // A restart knows it, and the next day goes on where the cycle stopped.
    poll_for(&mut started(&config), HOUR_MS - 1);
    assert_eq!(service.by_day(), [40]);
    poll_for(&mut started(&config), 2 * HOUR_MS);
    assert_eq!(service.by_day(), [40, 40]);
}

#[test]
fn restarts_at_any_moment_never_exceed_the_budget() {
    for every in [1, 2, 3, 7, 20] {
        let config = hungry("60");
        let service = Counted::install(&config);
        let mut task = started(&config);
        for poll in 0..600 {
            let records = task.poll(BUDGET).expect("polls").unwrap_or_default();
            commit(&records);
            if poll % every == 0 {
                task = started(&config);
            }
        }
        let by_day = service.by_day();
        assert!(by_day.iter().all(|requests| *requests <= 60), "{every}: {by_day:?}");
        // A task that is stopped after each poll only ever writes down blocks.
        assert!(
            every == 1 || by_day.first().is_some_and(|requests| *requests >= 2),
            "{every}: {by_day:?}"
        );
    }
}

#[test]
fn kills_forget_a_block_at_most_and_only_before_the_first_commit_of_a_day() {
    // Blocks are of 60 / 20 = 3 requests.
    for kill_every in [2, 5, 9] {
        let config = hungry("60");
        let service = Counted::install(&config);
        let (mut task, mut lost, mut kills, mut has_commit) = (started(&config), Vec::new(), 0, false);
        for poll in 1..400 {
            lost.extend(task.poll(BUDGET).expect("polls").unwrap_or_default());
            if poll % kill_every == 0 {
                kills += u32::from(!has_commit);
                lost.clear();
                task = started(&config);
            } else if poll % 7 == 0 {
                commit(&lost);
                has_commit |= !lost.is_empty();
                lost.clear();
            }
            if now_ms() > NOON_MS + 10 * HOUR_MS {
                break;
            }
        }
        let by_day = service.by_day();
        assert!(
            by_day[0] <= 60 + 3 * kills,
            "{kill_every}: {by_day:?} after {kills} early kills"
        );
    }
}

#[test]
fn tasks_share_the_budget_also_when_their_number_changes() {
    let limit = "50";
    let service = Counted::install(&hungry(limit));
    let run = |tasks: usize, for_ms: i64| {
        let mut running: Vec<PlacesSourceTask> = (0..tasks)
            .map(|task| {
                let mut config = hungry(limit);
                config.insert("places.task", task.to_string());
                config.insert("places.tasks", tasks.to_string());
                started(&config)
            })
            .collect();
        let until_ms = now_ms() + for_ms;
        while now_ms() < until_ms {
            for task in &mut running {
                commit(&task.poll(BUDGET).expect("polls").unwrap_or_default());
            }
        }
    };
    run(3, 20 * MINUTE_MS);
    let first = service.by_day();
    run(1, HOUR_MS);
    run(5, HOUR_MS);
    assert!(first[0] > 20, "{first:?}");
    assert!(service.by_day()[0] <= 50, "{:?}", service.by_day());
    run(2, 24 * HOUR_MS);
    assert!(
        service.by_day().iter().all(|requests| *requests <= 50),
        "{:?}",
        service.by_day()
    );
    assert_eq!(service.by_day()[1], 50, "a new day has a whole budget for all");
    assert!(with_host(|host| host
        .offsets
        .keys()
        .any(|partition| partition.contains(r#""budget":2"#))));
}
