//! The error table: what the service answers and what the task does

use serde_json::json;
use weir_fakes::service::{FakeResponse, Piece};
use weir_fakes::x::problems;
use weir_sdk::api::error::ErrorKind;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::http::HttpError;
use weir_sdk::source::SourceTask as _;
use weir_sdk::testing::with_host;

use super::support::{
    Bench, DAY, HOUR, MINUTE, NOW, SEARCH, TOKEN, arrived, ids, logged, now_ms, offset, search_config, warnings,
};
use crate::search::partition;
use crate::source::TwitterSourceTask;

fn rated(name: &str, value: i64) -> FakeResponse {
    problems::too_many_requests().header(name, value.to_string())
}

/// A search that read a first cycle, all of it committed.
fn settled() -> (Bench, Option<String>) {
    let mut bench = Bench::start(&search_config(&[("twitter.start", "2026-11-20T15:00:00Z")]));
    arrived(&bench.run_for(10 * MINUTE));
    bench.log.clear();
    let before = offset(&partition("lang:es"));
    assert!(before.is_some());
    (bench, before)
}

#[test]
fn fatal_answers_fail_the_task_and_say_what_to_change() {
    let invalid = problems::invalid_request("query", "lang:", "Invalid operator");
    for (name, answer, parts) in [
        (
            "400",
            invalid,
            &["answered 400", "Invalid operator", "settings that the answer names"][..],
        ),
        (
            "401",
            problems::unauthorized(),
            &["answered 401", "Unauthorized", "renew twitter.bearer.token"],
        ),
        (
            "401 legacy",
            problems::legacy_unauthorized(),
            &["Could not authenticate you", "renew twitter.bearer.token"],
        ),
        (
            "403",
            problems::client_forbidden("client-not-enrolled"),
            &["answered 403", "enrolment"],
        ),
        (
            "404",
            problems::not_found(SEARCH),
            &["answered 404", "twitter.base.url"],
        ),
        (
            "301",
            FakeResponse::text(301, "").header("location", "http://evil.example/"),
            &["answered 301", "does not redirect"],
        ),
        (
            "usage 403",
            problems::usage_capped(403),
            &["UsageCapExceeded", "quota of posts is used up"],
        ),
        (
            "usage 429",
            problems::usage_capped(429),
            &["UsageCapExceeded", "quota of posts is used up"],
        ),
    ] {
        let (mut bench, before) = settled();
        bench.answer_next(SEARCH, answer);
        let error = bench.failure();
        assert_eq!(error.kind, ErrorKind::Fatal, "{name}");
        for part in parts
            .iter()
            .chain(&["GET http://127.0.0.1:9/2/tweets/search/recent?[hidden]"])
        {
            assert!(error.message.contains(part), "{name}: {}", error.message);
        }
        assert_eq!(bench.requests(SEARCH).len(), 1, "{name}: no second try");
        assert_eq!(offset(&partition("lang:es")), before, "{name}");
        assert!(!error.message.contains(TOKEN), "{name}");
    }
}

#[test]
fn retriable_answers_are_asked_for_again() {
    let page = json!({"data": [], "meta": {"result_count": 0}}).to_string();
    let mut stalled = FakeResponse::text(200, &page);
    stalled.pieces.insert(0, Piece::Wait(40_000));
    let mut reset = FakeResponse::text(200, "{\"data\":");
    reset.pieces.push(Piece::Reset);
    for (name, answer, reason) in [
        ("500", problems::internal(), "status 500"),
        ("503", problems::unavailable(), "status 503"),
        ("408", FakeResponse::text(408, ""), "status 408"),
        ("425", FakeResponse::text(425, ""), "status 425"),
        ("empty body", FakeResponse::text(200, ""), "the body is empty"),
        (
            "half a body",
            FakeResponse::text(200, "{\"data\":[{\"id\""),
            "the body is not JSON",
        ),
        ("markup", FakeResponse::text(200, "<html>"), "the body is markup"),
        ("reset within", reset, "GET http://127.0.0.1:9/2/tweets/search/recent"),
        ("stall", stalled, "GET http://127.0.0.1:9/2/tweets/search/recent"),
    ] {
        let (mut bench, _) = settled();
        bench.answer_next(SEARCH, answer);
        let records = bench.until_requests(SEARCH, 2);
        assert!(ids(&records).is_empty(), "{name}");
        let text = warnings();
        assert!(
            text.contains("waiting before the next request") && text.contains(reason),
            "{name}: {text}"
        );
        // Then it goes on where it was.
        let truth = bench.truth("lang:es", now_ms() + MINUTE, now_ms() + 10 * MINUTE);
        let found = ids(&bench.run_for(13 * MINUTE));
        assert!(truth.iter().all(|id| found.contains(id)), "{name}");
    }
}

#[test]
fn failures_in_a_row_are_used_up_and_offsets_stay() {
    let (mut bench, before) = settled();
    for _ in 0..10 {
        bench.answer_next(SEARCH, problems::unavailable());
    }
    let error = bench.failure();
    assert!(
        error.message.contains("failed 10 times in a row") && error.message.contains("status 503"),
        "{error}"
    );
    assert!(error.message.contains("raise retry.max.attempts"), "{error}");
    assert_eq!(bench.requests(SEARCH).len(), 10);
    // Waits are random, but bounded by 1 s, 2 s, 4 s, ... 60 s.
    for (at, pause) in bench.pauses(SEARCH).into_iter().enumerate() {
        assert!(pause <= (1_000 << at).min(60_000) + 1, "{at}: {pause}");
    }
    assert_eq!(offset(&partition("lang:es")), before);
}

#[test]
fn limits_wait_until_the_reset_and_are_no_attempts() {
    let reset_in = |ms: i64| rated("x-rate-limit-reset", (now_ms() + ms + MINUTE) / 1000);
    for (name, answer, least, most) in [
        ("reset", reset_in as fn(i64) -> FakeResponse, 120_000, 121_000),
        (
            "gone by",
            |_| rated("x-rate-limit-reset", NOW / 1000 - 500),
            1_000,
            1_000,
        ),
        (
            "far off",
            |_| rated("x-rate-limit-reset", NOW / 1000 + 86_400),
            960_000,
            960_000,
        ),
        ("retry-after", |_| rated("retry-after", 90), 90_000, 90_000),
        ("unnamed", |_| problems::too_many_requests(), 60_000, 66_000),
        ("legacy", |_| problems::legacy_limit(), 60_000, 66_000),
    ] {
        let (mut bench, before) = settled();
        bench.until_requests(SEARCH, 1);
        bench.log.clear();
        let given = answer(2 * MINUTE);
        bench.answer_next(SEARCH, given);
        bench.until_requests(SEARCH, 2);
        let pause = bench.pauses(SEARCH)[0];
        assert!((least..=most).contains(&pause), "{name}: {pause}");
        assert!(warnings().contains("the rate limit is used up"), "{name}");
        assert_eq!(offset(&partition("lang:es")), before, "{name}");
    }
}

#[test]
fn unnamed_limits_double_and_never_fail_the_task() {
    let (mut bench, _) = settled();
    for _ in 0..15 {
        bench.answer_next(SEARCH, problems::too_many_requests());
    }
    bench.until_requests(SEARCH, 16);
    let pauses = bench.pauses(SEARCH);
    for (at, base) in [60_000, 120_000, 240_000, 480_000, 960_000, 960_000]
        .into_iter()
        .enumerate()
    {
        assert!(
            (base..=(base + base / 10).min(960_000)).contains(&pauses[at]),
            "{at}: {pauses:?}"
        );
    }
}

#[test]
fn an_empty_answer_is_a_normal_cycle() {
    let (mut bench, before) = settled();
    bench.until_requests(SEARCH, 1);
    bench.answer_next(SEARCH, FakeResponse::json(200, &json!({"meta": {"result_count": 0}})));
    bench.log.clear();
    let records = bench.until_requests(SEARCH, 2);
    assert!(ids(&records).is_empty());
    assert_eq!(bench.pauses(SEARCH), [MINUTE]);
    assert_eq!(offset(&partition("lang:es")), before);
    assert!(!warnings().contains("waiting"), "{}", warnings());
}

#[test]
fn errors_beside_data_are_skips() {
    let (mut bench, _) = settled();
    let id = weir_fakes::x::posts::id_at(now_ms());
    let body = json!({
        "data": [{"id": id.to_string(), "text": "x"}],
        "errors": [problems::no_such_user("author_id", "77"), problems::no_such_user("author_id", "78")],
        "meta": {"result_count": 1, "newest_id": id.to_string()},
    });
    bench.answer_next(SEARCH, FakeResponse::json(200, &body));
    bench.answer_next(SEARCH, FakeResponse::json(200, &body));
    let records = bench.until_requests(SEARCH, 3);
    assert_eq!(ids(&records), [id], "the data is kept, and comes once");
    assert_eq!(logged("X could not give an item"), 2, "once an item");
    let skipped = with_host(|host| host.metrics.iter().filter(|(name, ..)| name == "feed-skipped").count());
    assert_eq!(skipped, 4, "and counted each time");
}

#[test]
fn a_cursor_out_of_the_window_starts_where_the_search_does() {
    let (mut bench, _) = settled();
    bench.config.insert("twitter.max.pages.per.cycle", "200");
    let old_ms = NOW - 9 * DAY;
    let old = format!(r#"{{"since_id":"{}"}}"#, weir_fakes::x::posts::id_at(old_ms));
    with_host(|host| host.offsets.insert(partition("lang:es"), old));
    bench.restart();
    bench.log.clear();
    let records = bench.run_for(2 * HOUR);
    let asked = bench.requests(SEARCH);
    assert_eq!((asked[0].status, asked[1].status), (400, 200));
    assert_eq!(asked[1].request.query_param("since_id"), None);
    let start = asked[1].request.query_param("start_time").expect("a start");
    let start_ms = weir_feed::time::parse_rfc3339(&start).expect("a time");
    let oldest_ms = asked[1].at_ms - 7 * DAY;
    assert!(
        (oldest_ms + 59_000..=oldest_ms + 61_000).contains(&start_ms),
        "seven days less a minute: {start}"
    );
    let text = warnings();
    assert!(text.contains("posts may be missing"), "{text}");
    assert!(
        text.contains(&format!("from={}", weir_feed::time::rfc3339(old_ms))),
        "{text}"
    );
    assert_eq!(logged("posts may be missing"), 1);
    let truth = bench.truth("lang:es", start_ms, now_ms() - 5 * MINUTE);
    let found = ids(&records);
    assert!(
        truth.iter().all(|id| found.contains(id)),
        "{} of {}",
        found.len(),
        truth.len()
    );
}

#[test]
fn a_window_refused_twice_fails_the_task() {
    let (mut bench, _) = settled();
    for name in ["since_id", "start_time"] {
        bench.answer_next(SEARCH, problems::invalid_request(name, "1", "out of range"));
    }
    let error = bench.failure();
    assert!(
        error.message.contains("answered 400") && error.message.contains("out of range"),
        "{error}"
    );
}

#[test]
fn a_made_token_is_made_again_once() {
    let settings = [
        ("twitter.bearer.token", ""),
        ("twitter.api.key", "k3y-M4RK3R"),
        ("twitter.api.secret", "s3cr3t-M4RK3R"),
    ];
    let prepare = |service: &mut weir_fakes::x::service::XService| {
        service.bearers = Some(Vec::new());
        service.app = Some(("k3y-M4RK3R".to_owned(), "s3cr3t-M4RK3R".to_owned()));
    };
    let mut bench = Bench::start_with(&search_config(&settings), prepare);
    bench.until_requests(SEARCH, 1);
    assert_eq!(bench.requests("/oauth2/token").len(), 1);
    for _ in 0..3 {
        bench.service().revoke_minted();
        let count = bench.requests(SEARCH).len();
        bench.until_requests(SEARCH, count + 2);
    }
    assert_eq!(bench.requests("/oauth2/token").len(), 4, "one each time");
    for _ in 0..2 {
        bench.answer_next(SEARCH, problems::unauthorized());
    }
    let error = bench.failure();
    assert!(error.message.contains("twitter.api.key"), "{error}");
    assert_eq!(bench.requests("/oauth2/token").len(), 5);

    let mut bench = Bench::start_with(&search_config(&settings), |service| service.bearers = Some(Vec::new()));
    let error = bench.failure();
    assert!(
        error
            .message
            .contains("POST http://127.0.0.1:9/oauth2/token answered 403"),
        "{error}"
    );
    assert!(error.message.contains("Unable to verify"), "{error}");
}

#[test]
fn failures_of_the_connection_are_retriable_but_for_certificates() {
    let fails_with = |error: HttpError| {
        let config = search_config(&[("retry.max.attempts", "3")]);
        drop(Bench::start(&config));
        with_host(|host| host.http = Some(Box::new(move |_, _| Err(error.clone()))));
        let mut task = TwitterSourceTask::default();
        task.start(SourceTaskContext::default(), &config).expect("it starts");
        let failure = (0..1000).find_map(|_| task.poll(weir_feed::testing::BUDGET).err());
        failure.expect("it fails").message
    };
    for error in [
        HttpError::NameNotFound,
        HttpError::Refused,
        HttpError::Reset,
        HttpError::TimedOut,
        HttpError::Tls("x".to_owned()),
    ] {
        let text = fails_with(error.clone());
        assert!(text.contains("failed 3 times in a row"), "{error:?}: {text}");
    }
    let text = fails_with(HttpError::Certificate("expired".to_owned()));
    assert!(text.contains("expired") && !text.contains("times in a row"), "{text}");
}

#[test]
fn a_body_over_the_limit_fails_the_task() {
    let mut bench = Bench::start(&search_config(&[
        ("http.max.body.bytes", "100"),
        ("twitter.start", "earliest"),
    ]));
    let error = bench.failure();
    assert!(
        error.message.contains("response too large") && error.message.contains("100 bytes"),
        "{error}"
    );
    assert!(error.message.contains(SEARCH), "{error}");
}
