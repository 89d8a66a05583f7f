//! Timelines: users by name and id, absent ones, what is left out

use serde_json::{Value, json};
use weir_fakes::service::FakeResponse;
use weir_fakes::x::problems;
use weir_fakes::x::service::Absence;
use weir_sdk::context::ConnectorContext;
use weir_sdk::source::SourceConnector as _;
use weir_sdk::testing::with_host;

use super::support::{Bench, HOUR, MINUTE, NOW, arrived, ids, logged, now_ms, offset, users_config, warnings};
use crate::source::TwitterSourceConnector;
use crate::timelines::partition;

const START: (&str, &str) = ("twitter.start", "2026-11-20T10:00:00Z");
const START_MS: i64 = NOW - 6 * HOUR - 5 * MINUTE - 11_000;

fn by(bench: &Bench, users: &[&str], to_ms: i64) -> Vec<u64> {
    let mut truth: Vec<u64> = users
        .iter()
        .flat_map(|user| bench.truth(&format!("from:{user}"), START_MS, to_ms))
        .collect();
    truth.sort_unstable();
    truth
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

#[test]
fn posts_of_users_are_read_each_from_its_own_cursor() {
    let config = users_config(&[
        START,
        ("twitter.user.ids", "1500000000000000001"),
        ("twitter.max.results", "5"),
    ]);
    let mut bench = Bench::start(&config);
    let records = bench.run_for(HOUR);
    arrived(&records);
    let users = ["faro_norte", "diario_ejemplo", "puerto_vivo"];
    let to_ms = now_ms() - 2 * MINUTE;
    let truth = by(&bench, &users, to_ms);
    let limit = truth.last().copied().unwrap_or(0);
    let mut found = sorted(ids(&records));
    assert!(found.windows(2).all(|pair| pair[0] != pair[1]), "nothing twice");
    found.retain(|id| *id <= limit);
    assert_eq!(found, truth);
    assert_eq!(
        bench.requests("/2/users/by/username/faro_norte").len(),
        1,
        "looked up once"
    );
    let newest = bench
        .truth("from:faro_norte", START_MS, to_ms)
        .last()
        .copied()
        .expect("posts");
    let offset = offset(&partition(410)).expect("an offset");
    assert!(offset.starts_with("{\"since_id\":"), "{offset}");
    assert!(offset >= format!("{{\"since_id\":\"{newest}\"}}"), "{offset}");

    // Another task goes on where it was.
    bench.restart();
    let again = ids(&bench.run_for(HOUR));
    assert!(!again.is_empty() && again.iter().all(|id| !found.contains(id)));
}

#[test]
fn reposts_and_replies_are_left_out_on_request() {
    let mut bench = Bench::start(&users_config(&[START, ("twitter.exclude", "retweets,replies")]));
    let mut found = sorted(ids(&bench.run_for(HOUR)));
    let query = [
        "from:faro_norte -is:retweet -is:reply",
        "from:diario_ejemplo -is:retweet -is:reply",
    ];
    let truth = sorted(
        query
            .iter()
            .flat_map(|query| bench.truth(query, START_MS, now_ms() - 2 * MINUTE))
            .collect(),
    );
    found.truncate(truth.len());
    assert_eq!(found, truth);
}

#[test]
fn absent_users_are_left_out_and_looked_at_hourly() {
    for absence in [Absence::Gone, Absence::Protected, Absence::Suspended, Absence::NotFound] {
        let mut bench = Bench::start_with(&users_config(&[START]), |service| {
            service.absent.insert(411, absence);
        });
        let found = ids(&bench.run_for(3 * HOUR));
        let truth = by(&bench, &["faro_norte"], now_ms() - 2 * MINUTE);
        assert_eq!(
            sorted(found)[..truth.len()],
            truth,
            "{absence:?}: the other one goes on"
        );
        let line = "a user cannot be read; the others go on, and this one is tried again hourly";
        assert_eq!(logged(line), 1, "{absence:?}");
        assert!(warnings().contains("user=diario_ejemplo"), "{absence:?}");
        let tries =
            bench.requests("/2/users/by/username/diario_ejemplo").len() + bench.requests("/2/users/411/tweets").len();
        assert!((3..=5).contains(&tries), "{absence:?}: {tries} tries in three hours");

        bench.service().absent.clear();
        let found = ids(&bench.run_for(2 * HOUR));
        let truth = bench.truth("from:diario_ejemplo", START_MS, NOW + HOUR);
        assert!(
            truth.iter().all(|id| found.contains(id)),
            "{absence:?}: it is back, and nothing is missing"
        );
        assert_eq!(logged("a user can be read again"), 1, "{absence:?}");
    }
}

#[test]
fn an_only_user_that_is_absent_fails_the_task() {
    let config = users_config(&[("twitter.usernames", "faro_norte")]);
    for (absence, part) in [
        (Absence::Gone, "X knows no user faro_norte"),
        (Absence::Protected, "not authorized to see the user"),
        (Absence::Suspended, "User has been suspended"),
        (Absence::NotFound, "answered 404"),
    ] {
        let mut bench = Bench::start_with(&config, |service| {
            service.absent.insert(410, absence);
        });
        let error = bench.failure();
        assert!(error.message.contains(part), "{absence:?}: {error}");
    }
}

#[test]
fn a_cycle_that_uses_up_a_timeline_is_a_gap() {
    let mut bench = Bench::start(&users_config(&[
        START,
        ("twitter.usernames", ""),
        ("twitter.user.ids", "410"),
    ]));
    for page in 0..32_i64 {
        let id = |post: i64| weir_fakes::x::posts::id_at(NOW - (page * 100 + post) * 1_000).to_string();
        let data: Vec<Value> = (0..100).map(|post| json!({"id": id(post), "text": "x"})).collect();
        let mut body = json!({"data": data, "meta": {"newest_id": id(0), "result_count": 100}});
        if page < 31 {
            body["meta"]["next_token"] = json!(format!("p{page}"));
        }
        bench.answer_next("/2/users/410/tweets", FakeResponse::json(200, &body));
    }
    let records = bench.until_requests("/2/users/410/tweets", 33);
    assert_eq!(records.len(), 3200);
    assert_eq!(logged("posts may be missing"), 1);
    let text = warnings();
    for field in ["from=2026-11-20T09:59:59.999Z", "to=2026-11-20T15:11:52Z"] {
        assert!(text.contains(field), "{text}");
    }
}

#[test]
fn an_app_that_may_not_read_fails_the_task_whatever_the_number_of_users() {
    let mut bench = Bench::start(&users_config(&[START]));
    bench.answer_next(
        "/2/users/410/tweets",
        problems::client_forbidden("official-client-forbidden"),
    );
    let error = bench.failure();
    assert!(
        error.message.contains("answered 403") && error.message.contains("access level"),
        "{error}"
    );
}

#[test]
fn one_of_several_tasks_knows_that_there_are_others() {
    let mut connector = TwitterSourceConnector::default();
    connector
        .start(ConnectorContext::default(), &users_config(&[START]))
        .expect("it starts");
    let configs = connector.task_configs(2).expect("configs");
    let mut bench = Bench::start_with(&configs[1], |service| {
        service.absent.insert(411, Absence::Suspended);
    });
    assert!(
        bench.run_for(HOUR).is_empty(),
        "left out, though it is the task's only one"
    );
}

#[test]
fn a_limit_hit_by_one_task_slows_its_sisters() {
    let mut connector = TwitterSourceConnector::default();
    connector
        .start(ConnectorContext::default(), &users_config(&[START]))
        .expect("it starts");
    let configs = connector.task_configs(2).expect("configs");
    let mut bench = Bench::start(&configs[0]);
    bench.until_requests("/2/users/410/tweets", 1);
    let reset = (now_ms() + 10 * MINUTE + MINUTE) / 1000;
    let refusal = problems::too_many_requests().header("x-rate-limit-reset", reset.to_string());
    bench.answer_next("/2/users/410/tweets", refusal);
    bench.until_requests("/2/users/410/tweets", 2);
    let refused_ms = now_ms();
    // The task waits; its sister starts now, on the same worker.
    assert!(bench.poll().expect("it waits").is_empty());
    let slept_ms = now_ms() - refused_ms;
    let mut sister = Bench {
        task: crate::source::TwitterSourceTask::default(),
        ..bench
    };
    weir_sdk::source::SourceTask::start(
        &mut sister.task,
        weir_sdk::context::SourceTaskContext::default(),
        &configs[1],
    )
    .expect("the sister starts");
    sister.until_requests("/2/users/411/tweets", 1);
    let waited_ms = now_ms() - refused_ms;
    assert!(
        waited_ms >= 9 * MINUTE,
        "{waited_ms}, {slept_ms} of it in the first task"
    );
    // Looking up a name is another limit: the sister did that at once.
    let looked_up = sister.requests("/2/users/by/username/diario_ejemplo");
    assert!(looked_up[0].at_ms <= refused_ms + slept_ms + MINUTE, "not held");
    assert!(with_host(|host| host.budgets.len()) >= 2);
}
