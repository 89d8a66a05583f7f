//! Each row of the error tables of both APIs: what comes back, and what the task does

use weir_feed::testing::{BUDGET, Played, now_ms};
use weir_places::task::PlacesSourceTask;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::source::{PollBudget, SourceTask as _};
use weir_sdk::testing::Piece;

use crate::support::{Driven, NOON_MS, answer, column, config, drive, logged, serve};
use weir_sdk::api::data::value::Value;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const PLACE: &str = r#"{"places":[{"id":"ChIJa","displayName":{"text":"A"}}]}"#;
const LEGACY_PLACE: &str = r#"{"html_attributions":[],"results":[{"place_id":"ChIJa","name":"A"}],"status":"OK"}"#;

const LEGACY: (&str, &str) = ("places.api", "legacy");
const TEXT: [(&str, &str); 2] = [("places.mode", "text"), ("places.text.queries", "a;b")];
const DETAILS: [(&str, &str); 2] = [("places.mode", "details"), ("places.ids", "ChIJa,ChIJb")];

fn envelope(code: u16, status: &str, message: &str) -> Played {
    let body = format!(r#"{{"error":{{"code":{code},"message":"{message}","status":"{status}"}}}}"#);
    answer(code, &body)
}

fn legacy(status: &str, message: &str) -> Played {
    let error = if message.is_empty() {
        String::new()
    } else {
        format!(r#","error_message":"{message}""#)
    };
    answer(
        200,
        &format!(r#"{{"html_attributions":[],"results":[],"status":"{status}"{error}}}"#),
    )
}

fn fatal(changes: &[(&str, &str)], answers: Vec<Played>, parts: &[&str]) {
    let config = config(changes);
    let requests = serve(&config, answers);
    let driven = drive(&config, HOUR_MS);
    let error = driven
        .error
        .as_ref()
        .unwrap_or_else(|| panic!("{parts:?}: no error; {}", logged()));
    assert!(!error.is_retriable());
    for part in parts {
        assert!(error.message.contains(part), "{part} is not in: {}", error.message);
    }
    assert_eq!(
        (driven.keys(), driven.searches().len()),
        (Vec::new(), 0),
        "no offset moves"
    );
    assert_eq!(requests.borrow().len(), 1, "nothing is asked again");
}

fn runs(changes: &[(&str, &str)], answers: Vec<Played>, for_ms: i64) -> (Driven, Vec<i64>) {
    let config = config(changes);
    let requests = serve(&config, answers);
    let driven = drive(&config, for_ms);
    assert!(driven.error.is_none(), "{:?}", driven.error);
    let times = requests.borrow().iter().map(|(at_ms, _)| at_ms - NOON_MS).collect();
    (driven, times)
}

#[test]
fn nothing_found_is_a_normal_cycle() {
    for (changes, empty) in [
        (vec![], answer(200, "{}")),
        (vec![], answer(200, r#"{"places":[]}"#)),
        (vec![LEGACY], legacy("ZERO_RESULTS", "")),
    ] {
        let (driven, times) = runs(&changes, vec![empty], HOUR_MS);
        assert_eq!(driven.keys(), Vec::<String>::new());
        let [search] = driven.searches()[..] else {
            panic!("one search")
        };
        assert_eq!(
            search.source_offset.as_deref(),
            Some(r#"{"cycle":1,"done":true,"at":"2026-11-22T20:00:00Z"}"#)
        );
        assert_eq!(
            (column(search, "complete"), column(search, "found")),
            (Value::Boolean(true), Value::Int64(0))
        );
        assert_eq!(times.len(), 1, "until the next day");
    }
}

#[test]
fn a_request_that_is_refused_fails_the_task() {
    let post = "POST https://places.example/v1/places:searchNearby answered 400";
    fatal(
        &[],
        vec![envelope(400, "INVALID_ARGUMENT", "bad mask")],
        &[post, "bad mask", "check places.fields"],
    );
    let get = "GET https://places.example/maps/api/place/nearbysearch/json?";
    fatal(
        &[LEGACY],
        vec![legacy("INVALID_REQUEST", "")],
        &[get, "INVALID_REQUEST", "check places.fields"],
    );
    fatal(
        &[],
        vec![envelope(404, "NOT_FOUND", "no such method")],
        &["answered 404", "check places.base.url"],
    );
    fatal(&[LEGACY], vec![legacy("NEW_STATUS", "")], &["NEW_STATUS", "not known"]);
    fatal(&[], vec![answer(302, "moved")], &["answered 302"]);
    fatal(
        &[LEGACY],
        vec![answer(404, "<html>")],
        &["answered 404", "check places.base.url"],
    );
}

#[test]
fn a_key_that_is_refused_fails_the_task() {
    let reason = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    for refused in [
        envelope(401, "UNAUTHENTICATED", "who"),
        envelope(403, "PERMISSION_DENIED", "no"),
        answer(400, reason),
    ] {
        fatal(&[], vec![refused], &["check places.api.key"]);
    }
    fatal(
        &[LEGACY],
        vec![legacy("REQUEST_DENIED", "The provided API key is invalid.")],
        &["check places.api.key", "provided"],
    );
}

#[test]
fn a_refused_page_token_of_the_new_api_ends_that_search_only() {
    let page = r#"{"places":[{"id":"ChIJa"}],"nextPageToken":"tok-2"}"#;
    let refused = envelope(400, "INVALID_ARGUMENT", "paging requests must match");
    let (driven, times) = runs(&TEXT, vec![answer(200, page), refused, answer(200, PLACE)], HOUR_MS);
    assert_eq!(driven.keys(), ["ChIJa"], "of the second search it is known");
    let complete: Vec<Value> = driven
        .searches()
        .into_iter()
        .map(|search| column(search, "complete"))
        .collect();
    assert_eq!(complete, [Value::Boolean(false), Value::Boolean(true)]);
    assert_eq!(times.len(), 3);
    assert!(
        logged().contains("the rest of a search is left out until the next cycle"),
        "{}",
        logged()
    );
}

#[test]
fn a_legacy_token_is_tried_five_times_two_seconds_apart() {
    let page = r#"{"results":[{"place_id":"ChIJa"}],"status":"OK","next_page_token":"legacy-2"}"#;
    let early = || legacy("INVALID_REQUEST", "");
    let (driven, times) = runs(
        &[LEGACY],
        vec![answer(200, page), early(), early(), answer(200, LEGACY_PLACE)],
        HOUR_MS,
    );
    assert_eq!(times, [0, 2000, 4000, 6000], "the page delay, then the waits");
    assert_eq!(column(driven.searches()[0], "complete"), Value::Boolean(true));

    let answers = std::iter::once(answer(200, page))
        .chain(std::iter::repeat_with(early).take(5))
        .collect();
    let (driven, times) = runs(&[LEGACY], answers, HOUR_MS);
    assert_eq!(times, [0, 2000, 4000, 6000, 8000, 10_000]);
    assert_eq!(
        (driven.keys(), column(driven.searches()[0], "complete")),
        (vec!["ChIJa".to_owned()], Value::Boolean(false))
    );
    assert!(logged().contains("did not become valid"), "{}", logged());
}

#[test]
fn a_token_that_comes_twice_ends_the_search() {
    let page = r#"{"places":[{"id":"ChIJa"}],"nextPageToken":"tok-2"}"#;
    let (driven, times) = runs(
        &TEXT[..1]
            .iter()
            .copied()
            .chain([("places.text.queries", "a")])
            .collect::<Vec<_>>(),
        vec![answer(200, page); 9],
        HOUR_MS,
    );
    assert_eq!((times.len(), driven.keys().len()), (2, 1));
    assert!(logged().contains("came twice"));
}

#[test]
fn an_unknown_place_is_left_out_and_told_once() {
    let not_found = || envelope(404, "NOT_FOUND", "no longer valid");
    let interval = ("poll.interval.ms", "60000");
    let changes = [&DETAILS[..], &[interval]].concat();
    let known = answer(200, r#"{"id":"ChIJb","rating":4.0}"#);
    let (driven, _) = runs(&changes, vec![not_found(), known.clone(), not_found(), known], 90_000);
    assert_eq!(driven.keys(), ["ChIJb"]);
    assert_eq!(
        logged().matches("the service does not know a place id").count(),
        1,
        "{}",
        logged()
    );
    assert_eq!(driven.searches().len(), 4);

    let legacy_details = [&changes[..], &[LEGACY]].concat();
    let known = answer(200, r#"{"result":{"place_id":"ChIJb","name":"B"},"status":"OK"}"#);
    let gone = answer(200, r#"{"html_attributions":[],"status":"NOT_FOUND"}"#);
    let (driven, _) = runs(&legacy_details, vec![gone, known], 30_000);
    assert_eq!(driven.keys(), ["ChIJb"]);
}

#[test]
fn a_place_that_becomes_unknown_gets_one_tombstone_if_wanted() {
    let not_found = || envelope(404, "NOT_FOUND", "no longer valid");
    let known = || answer(200, r#"{"id":"ChIJa","rating":4.0}"#);
    let changes = [
        ("places.mode", "details"),
        ("places.ids", "ChIJa"),
        ("poll.interval.ms", "60000"),
        ("emit.tombstones", "true"),
    ];
    let (driven, _) = runs(
        &changes,
        vec![known(), not_found(), not_found(), known()],
        4 * MINUTE_MS - 1000,
    );
    let values: Vec<bool> = driven
        .places()
        .into_iter()
        .map(|record| record.value.value.is_null())
        .collect();
    assert_eq!(values, [false, true, false], "there, gone, back");
}

#[test]
fn a_quota_doubles_the_wait_from_a_minute_to_an_hour_and_is_no_attempt() {
    let retry = ("retry.max.attempts", "1");
    for (changes, refused, found) in [
        (
            vec![retry],
            envelope(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric per minute"),
            PLACE,
        ),
        (
            vec![retry, LEGACY],
            legacy("OVER_QUERY_LIMIT", "You have exceeded your rate-limit for this API."),
            LEGACY_PLACE,
        ),
    ] {
        let answers = std::iter::repeat_n(refused, 8).chain([answer(200, found)]).collect();
        let (driven, times) = runs(&changes, answers, 8 * HOUR_MS);
        assert_eq!((times.len(), driven.keys()), (9, vec!["ChIJa".to_owned()]));
        let waits = times.windows(2).map(|pair| pair[1] - pair[0]);
        for (wait, least) in waits.zip([1, 2, 4, 8, 16, 32, 60, 60]) {
            let least = least * MINUTE_MS;
            assert!(wait >= least && wait <= least + least / 10 + 1000, "{wait} for {least}");
        }
        assert!(logged().contains("quota is used up"), "{}", logged());
    }
}

#[test]
fn a_daily_quota_waits_until_midnight_on_the_pacific_coast() {
    for (changes, refused, found) in [
        (
            vec![],
            envelope(
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for limit 'Request per day' of service",
            ),
            PLACE,
        ),
        (
            vec![LEGACY],
            legacy(
                "OVER_QUERY_LIMIT",
                "You have exceeded your daily request quota for this API.",
            ),
            LEGACY_PLACE,
        ),
        (vec![LEGACY], legacy("OVER_DAILY_LIMIT", ""), LEGACY_PLACE),
    ] {
        let (driven, times) = runs(&changes, vec![refused, answer(200, found)], 13 * HOUR_MS);
        assert_eq!(
            (times, driven.keys()),
            (vec![0, 12 * HOUR_MS], vec!["ChIJa".to_owned()])
        );
        assert!(logged().contains("midnight US Pacific"), "{}", logged());
    }
}

#[test]
fn busy_services_and_broken_connections_are_tried_again() {
    let cut = |end| Played {
        status: 200,
        headers: Vec::new(),
        pieces: [vec![Piece::Bytes(br#"{"places":[{"id":"#.to_vec())], end].concat(),
    };
    for (changes, failure, found) in [
        (vec![], envelope(500, "INTERNAL", "x"), PLACE),
        (vec![], envelope(503, "UNAVAILABLE", "x"), PLACE),
        (vec![], envelope(504, "DEADLINE_EXCEEDED", "x"), PLACE),
        (vec![], answer(502, "<html>Bad Gateway</html>"), PLACE),
        (vec![], answer(408, ""), PLACE),
        (vec![], answer(200, "<html>captive portal</html>"), PLACE),
        (vec![], answer(200, ""), PLACE),
        (vec![], cut(vec![]), PLACE),
        (vec![], cut(vec![Piece::Reset]), PLACE),
        (vec![], cut(vec![Piece::Hang]), PLACE),
        (vec![], cut(vec![Piece::Wait(40_000)]), PLACE),
        (vec![LEGACY], legacy("UNKNOWN_ERROR", ""), LEGACY_PLACE),
        (vec![LEGACY], answer(500, "oops"), LEGACY_PLACE),
    ] {
        let (driven, times) = runs(&changes, vec![failure.clone(), answer(200, found)], HOUR_MS);
        assert_eq!(
            (times.len(), driven.keys()),
            (2, vec!["ChIJa".to_owned()]),
            "{failure:?}"
        );
        assert!(logged().contains("waiting before the next request"));

        let config = config(&[&changes[..], &[("retry.max.attempts", "3")]].concat());
        let requests = serve(&config, vec![failure; 5]);
        let driven = drive(&config, 2 * HOUR_MS);
        let error = driven.error.expect("it gives up").message;
        assert!(
            error.contains("failed 3 times in a row") && error.contains("retry.max.attempts"),
            "{error}"
        );
        assert_eq!(
            (requests.borrow().len(), driven.records.len()),
            (3, 1),
            "the block of the budget only"
        );
    }
}

#[test]
fn an_answer_over_the_limit_fails_the_task_with_the_limit() {
    let body = format!(r#"{{"places":[],"x":"{}"}}"#, "y".repeat(5000));
    fatal(
        &[("http.max.body.bytes", "1000")],
        vec![answer(200, &body)],
        &["response too large", "1000", "places:searchNearby"],
    );
}

#[test]
fn a_bad_item_follows_its_setting_and_the_rest_is_kept() {
    let page = r#"{"places":[{"id":"ChIJa","rating":"good"},{"id":"ChIJb"}]}"#;
    let fail = config(&[]);
    serve(&fail, vec![answer(200, page)]);
    let driven = drive(&fail, MINUTE_MS);
    let error = driven.error.as_ref().expect("it fails").message.clone();
    assert!(
        error.contains("ChIJa") && error.contains("rating is a text") && error.contains("on.bad.record"),
        "{error}"
    );
    assert_eq!(driven.keys(), Vec::<String>::new(), "the search is repeated");

    let (driven, _) = runs(&[("on.bad.record", "skip")], vec![answer(200, page)], MINUTE_MS);
    assert_eq!(driven.keys(), ["ChIJb"]);
    assert!(logged().contains("an item cannot be made a record"));

    let (driven, _) = runs(&[("on.bad.record", "dlq")], vec![answer(200, page)], MINUTE_MS);
    let bad = driven
        .records
        .iter()
        .find(|record| record.topic == "places.dlq")
        .expect("a bad record");
    assert_eq!(
        crate::support::text(&bad.value.value),
        r#"{"id":"ChIJa","rating":"good"}"#
    );
    assert!(bad.source_partition.is_some());
}

#[test]
fn a_wait_outlives_a_restart_of_nothing() {
    // The retry count belongs to the task: a new one begins anew, from the old offset.
    let config = config(&[("retry.max.attempts", "2")]);
    let requests = serve(
        &config,
        vec![answer(503, ""), answer(503, ""), answer(503, ""), answer(200, PLACE)],
    );
    assert!(drive(&config, HOUR_MS).error.is_some());
    let driven = drive(&config, HOUR_MS);
    assert_eq!((driven.keys(), requests.borrow().len()), (vec!["ChIJa".to_owned()], 4));
    assert!(now_ms() > NOON_MS);
}

#[test]
fn a_quota_that_one_task_runs_into_slows_its_sister() {
    let tasks: Vec<_> = ["0", "1"]
        .into_iter()
        .map(|task| config(&[&DETAILS[..], &[("places.task", task), ("places.tasks", "2")]].concat()))
        .collect();
    let refused = envelope(429, "RESOURCE_EXHAUSTED", "per minute");
    let found = answer(200, r#"{"id":"ChIJb"}"#);
    let requests = serve(&tasks[0], vec![refused, found.clone(), found]);
    let brief = PollBudget {
        max_wait_ms: 10,
        ..BUDGET
    };
    let mut first = PlacesSourceTask::default();
    first.start(SourceTaskContext::default(), &tasks[0]).expect("starts");
    while requests.borrow().is_empty() {
        first.poll(brief).expect("polls");
    }
    assert!(now_ms() < NOON_MS + 1000);
    let second = drive(&tasks[1], 2 * MINUTE_MS);
    assert_eq!(second.keys(), ["ChIJb"]);
    let asked_ms = requests.borrow()[1].0 - NOON_MS;
    assert!(asked_ms >= MINUTE_MS, "after {asked_ms} ms");
}
