//! Thirty simulated days with faults, crashes and clock jumps
//!
//! Against the fake service's own truth: no value is made up, no change is missed, and a record comes twice only when the
//! progress record of its search was not committed before a crash.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use weir_fakes::faults::Faults;
use weir_fakes::places::fake::PlacesFake;
use weir_fakes::places::world::{Business, World, WorldPlace};
use weir_feed::testing::{Handed, Plan, replay};
use weir_places::task::PlacesSourceTask;
use weir_sdk::api::data::value::Value;
use weir_sdk::api::record::SourceRecord;

use crate::support::{KEY, NOON_MS, column, config, text, value_of};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS: i64 = 30;
const SLOTS: u32 = 150;
/// Cycles of twelve hours; waits for quotas, backoffs and set clocks come on top.
const INTERVAL: &str = "43200000";
const SEEN_WITHIN_MS: i64 = 3 * DAY_MS;
/// Three cycles more.
const GONE_WITHIN_MS: i64 = 5 * DAY_MS;
/// From a page to its record: the other pages of its search come between.
const FRESH_MS: i64 = 8 * HOUR_MS;

/// What of a place is compared.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    name: String,
    address: String,
    lat: f64,
    lng: f64,
    kind: String,
    business: String,
    rating: Option<f64>,
    count: Option<i32>,
}

impl Row {
    fn of_world(place: &WorldPlace) -> Self {
        Self {
            name: place.name.clone(),
            address: place.address.clone(),
            lat: place.lat,
            lng: place.lng,
            kind: place.types[0].clone(),
            business: place.business.as_str().to_owned(),
            rating: place.rating_tenths.map(|tenths| f64::from(tenths) / 10.0),
            count: (place.rating_count > 0).then(|| i32::try_from(place.rating_count).expect("small")),
        }
    }

    fn of_record(record: &SourceRecord) -> Option<Self> {
        value_of(record)?;
        let number = |name: &str| match column(record, name) {
            Value::Float64(number) => Some(number),
            Value::Null => None,
            other => panic!("{name}: {other:?}"),
        };
        let Value::Array(types) = column(record, "types") else {
            panic!("no types")
        };
        let count = match column(record, "rating_count") {
            Value::Int32(count) => Some(count),
            _ => None,
        };
        Some(Self {
            name: text(&column(record, "name")),
            address: text(&column(record, "address")),
            lat: number("lat").expect("a latitude"),
            lng: number("lng").expect("a longitude"),
            kind: text(&types[0]),
            business: text(&column(record, "business_status")),
            rating: number("rating"),
            count,
        })
    }
}

struct Replayed {
    world: World,
    handed: Vec<Handed>,
    requests: Rc<RefCell<Vec<i64>>>,
}

fn run(api: &str, seed: u64) -> Replayed {
    let plan = Plan {
        from_ms: NOON_MS,
        until_ms: NOON_MS + DAYS * DAY_MS,
        drain_ms: 5 * DAY_MS,
        crash_permille: 8,
        jump_permille: 2,
        seed,
    };
    let settings = config(&[
        ("places.api", api),
        ("places.area", "40.3980,-3.7280,40.4356,-3.6796"),
        ("places.cell.meters", "1600"),
        ("places.max.requests.per.day", "2000"),
        ("poll.interval.ms", INTERVAL),
        ("emit.tombstones", "true"),
        ("retry.max.attempts", "-1"),
        ("records.max.per.poll", "7"),
    ]);
    let world = World::new(seed, SLOTS);
    let service = PlacesFake::new(seed)
        .with_key(KEY)
        .with_world(world.clone())
        .with_quota(Some(200), None);
    let mut serve = weir_feed::fake_service!(Faults::seeded(service, seed, 0.08).until(plan.until_ms));
    let requests: Rc<RefCell<Vec<i64>>> = Rc::default();
    let times = Rc::clone(&requests);
    let handed = replay::<PlacesSourceTask>(&settings, &plan, move |arrived, now_ms| {
        times.borrow_mut().push(now_ms);
        serve(arrived, now_ms)
    });
    Replayed {
        world,
        handed,
        requests,
    }
}

impl Replayed {
    fn places(&self) -> impl Iterator<Item = (usize, &Handed)> {
        self.handed
            .iter()
            .enumerate()
            .filter(|(_, handed)| handed.record.topic == "places")
    }

    /// Every value was so at the service when one of the last requests was made.
    fn nothing_is_made_up(&self) {
        let mut states: HashMap<i64, HashMap<String, Row>> = HashMap::new();
        let requests = self.requests.borrow();
        for (_, handed) in self.places() {
            let Some(row) = Row::of_record(&handed.record) else {
                continue;
            };
            let id = text(&handed.record.key.value);
            let first = requests.partition_point(|at_ms| *at_ms < handed.at_ms - FRESH_MS);
            let end = requests.partition_point(|at_ms| *at_ms <= handed.at_ms);
            let mut hours: Vec<i64> = requests[first..end]
                .iter()
                .map(|at_ms| at_ms.div_euclid(HOUR_MS))
                .collect();
            hours.dedup();
            let is_true = hours.into_iter().any(|hour| {
                let state = states.entry(hour).or_insert_with(|| {
                    let places = self.world.at(hour * HOUR_MS);
                    places
                        .iter()
                        .map(|place| (place.id.clone(), Row::of_world(place)))
                        .collect()
                });
                state.get(&id) == Some(&row)
            });
            assert!(is_true, "{id} was never {row:?} before {}", handed.at_ms);
        }
    }

    /// Each state that lasted long enough was written; places closed for good or vanished have a tombstone.
    fn nothing_is_missed(&self) {
        let mut by_id: HashMap<String, Vec<(i64, Option<Row>)>> = HashMap::new();
        for (_, handed) in self.places() {
            let id = text(&handed.record.key.value);
            by_id
                .entry(id)
                .or_default()
                .push((handed.at_ms, Row::of_record(&handed.record)));
        }
        let end_ms = NOON_MS + (DAYS + 5) * DAY_MS;
        let mut states: HashMap<String, Vec<(i64, Option<WorldPlace>)>> = HashMap::new();
        for place in self.world.at(NOON_MS) {
            states.entry(place.id.clone()).or_default().push((NOON_MS, Some(place)));
        }
        for change in self.world.truth(NOON_MS, end_ms) {
            states.entry(change.id).or_default().push((change.at_ms, change.place));
        }
        let (mut values, mut tombstones) = (0, 0);
        for (id, states) in &states {
            let written = by_id.get(id).map(Vec::as_slice).unwrap_or_default();
            for (at, (from_ms, place)) in states.iter().enumerate() {
                let to_ms = states.get(at + 1).map_or(end_ms, |(next_ms, _)| *next_ms);
                let open = place
                    .as_ref()
                    .filter(|place| place.business != Business::ClosedPermanently);
                let within_ms = if place.is_some() {
                    SEEN_WITHIN_MS
                } else {
                    GONE_WITHIN_MS
                };
                if to_ms - from_ms < within_ms {
                    continue;
                }
                let known_before = written
                    .iter()
                    .rev()
                    .find(|(at_ms, _)| at_ms <= from_ms)
                    .map(|(_, row)| row);
                let wanted = open.map(Row::of_world);
                let is_written = written
                    .iter()
                    .any(|(at_ms, row)| *at_ms > *from_ms && *at_ms <= from_ms + within_ms && *row == wanted);
                match &wanted {
                    Some(row) => {
                        values += 1;
                        assert!(
                            is_written || known_before == Some(&wanted),
                            "{id}: {row:?} since {from_ms} is missing"
                        );
                    }
                    None if known_before.is_some_and(Option::is_some) => {
                        tombstones += 1;
                        assert!(is_written, "{id}: the tombstone since {from_ms} is missing");
                    }
                    None => {}
                }
            }
        }
        assert!(
            values > 200 && tombstones > 5,
            "{values} values and {tombstones} tombstones are no test"
        );
    }

    /// The same again only where the search was cut off by a crash.
    fn nothing_comes_twice(&self) {
        let mut last: HashMap<String, (usize, Option<Row>)> = HashMap::new();
        let mut repeated = 0;
        for (at, handed) in self.places() {
            let id = text(&handed.record.key.value);
            let row = Row::of_record(&handed.record);
            if let Some((before, known)) = last.get(&id)
                && *known == row
            {
                repeated += 1;
                assert!(
                    self.handed[*before].life < handed.life,
                    "{id} twice in one life: {row:?}"
                );
                assert!(
                    !self.is_covered(*before),
                    "{id} again although its search was committed: {row:?}"
                );
            }
            last.insert(id, (at, row));
        }
        let crashes = self.handed.last().map_or(0, |handed| handed.life);
        assert!(crashes > 10, "{crashes} crashes are no test");
        assert!(repeated < self.handed.len() / 4, "{repeated} of {}", self.handed.len());
    }

    /// Whether the search of a record, or a later one of its unit, was committed before the crash.
    fn is_covered(&self, at: usize) -> bool {
        let record = &self.handed[at];
        self.handed[at..].iter().any(|later| {
            later.record.topic == "places.progress"
                && later.life == record.life
                && later.record.source_partition == record.record.source_partition
                && later.is_committed
        })
    }
}

fn check(api: &str, seed: u64) {
    let replayed = run(api, seed);
    replayed.nothing_is_made_up();
    replayed.nothing_comes_twice();
    replayed.nothing_is_missed();
}

#[test]
fn a_month_of_the_new_api_has_no_gap_and_no_needless_duplicate() {
    for seed in [1, 2, 3] {
        check("new", seed);
    }
}

#[test]
fn a_month_of_the_legacy_api_has_no_gap_and_no_needless_duplicate() {
    for seed in [11, 12] {
        check("legacy", seed);
    }
}
