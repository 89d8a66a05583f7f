//! A month of each mode: random faults, restarts and clock jumps, and neither gap nor double beyond the stated window

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use weir_fakes::faults::{Fault, Faults};
use weir_fakes::service::{FakeRequest, FakeResponse, Service};
use weir_fakes::x::lists::Query;
use weir_fakes::x::service::XService;
use weir_feed::testing::{Handed, Plan, replay};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::offsets::parse;

use super::support::{DAY, HOUR, MINUTE, NOW, STREAM, field, search_config, stream_config, users_config};
use crate::ids::{id_at, id_of, time_of};
use crate::source::TwitterSourceTask;

/// Faults of the stream are refusals: how its body goes wrong is the service's own business.
struct Faulty {
    lists: Faults<Arc<Mutex<XService>>>,
    stream: Faults<Arc<Mutex<XService>>>,
}

impl Faulty {
    fn new(service: &Arc<Mutex<XService>>, seed: u64) -> Self {
        let refusals = [
            Fault::LimitWithReset,
            Fault::LimitWithRetryAfter,
            Fault::Limit,
            Fault::Error,
            Fault::Unavailable,
        ];
        Self {
            lists: Faults::seeded(Arc::clone(service), seed, 0.1),
            stream: Faults::seeded(Arc::clone(service), seed ^ 1, 0.2).only(&refusals),
        }
    }
}

impl Service for Faulty {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        if request.path == STREAM {
            self.stream.handle(request, now_ms)
        } else {
            self.lists.handle(request, now_ms)
        }
    }
}

struct Month {
    handed: Vec<Handed>,
    service: Arc<Mutex<XService>>,
}

fn month(config: &ConfigMap, seed: u64, prepare: impl FnOnce(&mut XService)) -> Month {
    let mut service = XService::new(seed);
    service.world.slot_ms = 60_000;
    service.world.first_ms = NOW - 8 * DAY;
    prepare(&mut service);
    let service = Arc::new(Mutex::new(service));
    let plan = Plan {
        from_ms: NOW,
        until_ms: NOW + 30 * DAY,
        drain_ms: 6 * HOUR,
        crash_permille: 5,
        jump_permille: 2,
        seed,
    };
    let faulty = Faulty::new(&service, seed);
    let handed = replay::<TwitterSourceTask>(config, &plan, weir_feed::fake_service!(faulty));
    Month { handed, service }
}

impl Month {
    fn truth(&self, query: &str, from_ms: i64) -> Vec<u64> {
        let service = self.service.lock().expect("no panic while locked");
        let posts = service.truth(&Query::parse(query), from_ms, NOW + 30 * DAY);
        posts.iter().map(|post| post.id).collect()
    }

    /// Gives how often each post came in each life.
    fn lives(&self) -> HashMap<u64, Vec<u32>> {
        let mut lives: HashMap<u64, Vec<u32>> = HashMap::new();
        for handed in &self.handed {
            lives.entry(id(handed)).or_default().push(handed.life);
        }
        lives
    }

    fn assert_no_gap(&self, truth: &[u64], name: &str) {
        let lives = self.lives();
        let missing: Vec<u64> = truth.iter().filter(|id| !lives.contains_key(id)).copied().collect();
        assert!(
            missing.is_empty(),
            "{name}: {} of {} missing: {missing:?}",
            missing.len(),
            truth.len()
        );
        assert!(truth.len() > 1000, "{name}: {}", truth.len());
        let restarts = self.handed.last().map_or(0, |handed| handed.life);
        assert!(restarts > 5, "{name}: {restarts} restarts");
    }

    /// Asserts that a post comes twice only where its first coming was not committed when the task crashed.
    fn assert_doubles_were_not_committed(&self, name: &str) {
        let mut committed: HashMap<u64, u32> = HashMap::new();
        for handed in &self.handed {
            let before = if handed.is_committed {
                committed.insert(id(handed), handed.life)
            } else {
                committed.get(&id(handed)).copied()
            };
            assert_eq!(before, None, "{name}: {} was committed and came again", id(handed));
        }
        for (id, lives) in self.lives() {
            let mut once = lives.clone();
            once.dedup();
            assert_eq!(once, lives, "{name}: {id} came twice in one life");
        }
    }
}

fn id(handed: &Handed) -> u64 {
    field(&handed.record, 0).parse().expect("an id")
}

#[test]
fn a_month_of_searching() {
    for seed in [1, 2, 3] {
        let config = search_config(&[
            ("twitter.query", "lang:es"),
            ("twitter.start", "2026-11-20T00:00:00Z"),
            ("poll.interval.ms", "600000"),
            ("twitter.max.results", "20"),
            ("retry.max.attempts", "-1"),
        ]);
        let month = month(&config, seed, |_| {});
        let name = format!("search, seed {seed}");
        let begins_ms = NOW - 16 * HOUR - 5 * MINUTE - 11_000;
        month.assert_no_gap(&month.truth("lang:es", begins_ms), &name);
        month.assert_doubles_were_not_committed(&name);
        // Within a life posts go oldest first, over all cycles.
        for pair in month.handed.windows(2) {
            assert!(pair[0].life != pair[1].life || id(&pair[0]) < id(&pair[1]), "{name}");
        }
    }
}

#[test]
fn a_month_of_timelines() {
    for seed in [4, 5] {
        let config = users_config(&[
            ("twitter.user.ids", "1500000000000000001"),
            ("twitter.start", "2026-11-20T00:00:00Z"),
            ("poll.interval.ms", "1800000"),
            ("twitter.max.results", "20"),
            ("retry.max.attempts", "-1"),
        ]);
        let month = month(&config, seed, |_| {});
        let name = format!("timelines, seed {seed}");
        let begins_ms = NOW - 16 * HOUR - 5 * MINUTE - 11_000;
        let users = ["faro_norte", "diario_ejemplo", "puerto_vivo"];
        let truth: Vec<u64> = users
            .iter()
            .flat_map(|user| month.truth(&format!("from:{user}"), begins_ms))
            .collect();
        month.assert_no_gap(&truth, &name);
        month.assert_doubles_were_not_committed(&name);
    }
}

#[test]
fn a_month_of_streaming() {
    for seed in [6, 7, 8] {
        let config = stream_config(&[
            ("twitter.rules", "castellano=lang:es;galego=lang:gl"),
            ("twitter.start", "2026-11-20T12:00:00Z"),
            ("retry.max.attempts", "-1"),
        ]);
        let month = month(&config, seed, |service| {
            service.stream.session_ms = (5 * 60_000, 4 * 3_600_000);
            // Late, and out of order: but by less than a minute.
            service.stream.delay_ms = 45_000;
        });
        let name = format!("stream, seed {seed}");
        let begins_ms = NOW - 4 * HOUR - 5 * MINUTE - 11_000;
        let truth = [month.truth("lang:es", begins_ms), month.truth("lang:gl", begins_ms)].concat();
        month.assert_no_gap(&truth, &name);
        assert_doubles_within_window(&month, &name);
    }
}

/// After a restart what is older than the committed offset less a minute does not come again; within a life nothing does.
fn assert_doubles_within_window(month: &Month, name: &str) {
    let mut known: HashMap<u64, u32> = HashMap::new();
    let (mut committed_id, mut window_id, mut life) = (0, 0, 0);
    for handed in &month.handed {
        if handed.life != life {
            life = handed.life;
            window_id = match committed_id {
                0 => 0,
                id => id_at(time_of(id) - MINUTE) - 1,
            };
        }
        let post = id(handed);
        if let Some(before) = known.insert(post, life) {
            assert_ne!(before, life, "{name}: {post} came twice in one life");
            assert!(
                post > window_id,
                "{name}: {post} came again, but the offset was {committed_id}"
            );
        }
        if handed.is_committed
            && let Some(offset) = &handed.record.source_offset
        {
            committed_id = parse(offset)
                .ok()
                .and_then(|offset| offset.get("last_id").and_then(id_of))
                .unwrap_or(0);
        }
    }
    let doubles = month.handed.len() - known.len();
    assert!(doubles * 10 < known.len(), "{name}: {doubles} of {} twice", known.len());
}
