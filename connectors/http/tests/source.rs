//! The source against services on a virtual clock: authentication, paging, increments, rules, schemas

mod support;

use serde_json::json;
use support::{Pairs, START, Source, ids, json_answer, now, texts};
use weir_fakes::items::Items;
use weir_fakes::recorded::{Recorded, Scripted};
use weir_fakes::service::{FakeRequest, FakeResponse};
use weir_sdk::api::data::value::Value;
use weir_sdk::api::error::ErrorKind;
use weir_sdk::testing::with_host;

const HOUR: i64 = 3_600_000;

fn items() -> Items {
    Items::new(START - 10 * HOUR, START + 1_000 * HOUR, HOUR)
}

#[test]
fn every_paging_mode_reads_all_pages() {
    let cases: [(&str, &[(&str, &str)]); 7] = [
        ("/items", &[("http.paging.mode", "page"), ("http.paging.param", "page")]),
        (
            "/items",
            &[
                ("http.paging.mode", "page"),
                ("http.paging.param", "page"),
                ("http.paging.size.param", "size"),
                ("http.paging.size", "3"),
            ],
        ),
        (
            "/items",
            &[
                ("http.paging.mode", "offset"),
                ("http.paging.param", "offset"),
                ("http.paging.total.pointer", "/total"),
            ],
        ),
        (
            "/items",
            &[
                ("http.paging.mode", "offset"),
                ("http.paging.param", "offset"),
                ("http.paging.size.param", "size"),
                ("http.paging.size", "4"),
            ],
        ),
        (
            "/items",
            &[("http.paging.mode", "next_link"), ("http.paging.link.pointer", "/next")],
        ),
        (
            "/items",
            &[("http.paging.mode", "next_link"), ("http.paging.link.header", "true")],
        ),
        (
            "/cursor",
            &[
                ("http.response.records.pointer", "/data/rows"),
                ("http.paging.mode", "cursor"),
                ("http.paging.token.pointer", "/paging/cursors/after"),
                ("http.paging.token.param", "after"),
            ],
        ),
    ];
    for (path, settings) in cases {
        let (service, log) = Recorded::new(items());
        let mut source = Source::new(path, settings, service);
        let records = source.poll_until(START + 30_000);
        assert_eq!(ids(&records), (1..=22).collect::<Vec<_>>(), "{settings:?}");
        assert!(log.len() > 1);
        // The next cycle comes after the interval, not before.
        let last = log.all().last().expect("asked").at_ms;
        assert!(last < START + 5_000, "{settings:?}");
    }
}

#[test]
fn increments_give_each_record_once() {
    let page = [("http.paging.mode", "page"), ("http.paging.param", "page")];
    for order in ["asc", "desc", "unordered"] {
        let params = format!("updated_since: ${{offset.cursor}}\norder: {order}");
        let mut settings = vec![
            ("http.params", params.as_str()),
            ("http.incremental.mode", "timestamp"),
            ("http.incremental.pointer", "/updated_at"),
            ("http.incremental.order", order),
            ("http.record.key.pointer", "/id"),
        ];
        settings.extend(page);
        let mut source = Source::new("/items", &settings, items());
        let mut all = ids(&source.poll_until(START + 5 * HOUR));
        source.restart();
        all.extend(ids(&source.poll_until(START + 10 * HOUR + 120_000)));
        if order == "unordered" {
            all.sort_unstable();
        }
        assert_eq!(all, (1..=42).collect::<Vec<_>>(), "{order}");
    }
    let by_id: [(&str, &[(&str, &str)]); 2] = [
        (
            "/ids",
            &[
                ("http.params", "after: ${offset.cursor}"),
                ("http.incremental.mode", "id"),
                ("http.incremental.pointer", "/id"),
                ("http.incremental.order", "asc"),
                ("http.throttle.interval.ms", "1000"),
            ],
        ),
        (
            "/cursor",
            &[
                ("http.response.records.pointer", "/data/rows"),
                ("http.paging.mode", "cursor"),
                ("http.paging.token.pointer", "/paging/cursors/after"),
                ("http.paging.token.param", "after"),
                ("http.incremental.mode", "cursor"),
            ],
        ),
    ];
    for (path, settings) in by_id {
        let mut source = Source::new(path, settings, items());
        let mut all = ids(&source.poll_until(START + 5 * HOUR));
        source.restart();
        all.extend(ids(&source.poll_until(START + 10 * HOUR + 120_000)));
        assert_eq!(all, (1..=42).collect::<Vec<_>>(), "{path}");
    }
}

#[test]
fn ranges_of_time_are_read_window_by_window() {
    let (service, log) = Recorded::new(Items::new(START - 72 * HOUR, START + 1_000 * HOUR, HOUR));
    let mut source = Source::new(
        "/items",
        &[
            (
                "http.params",
                "updated_since: ${window.start}\nuntil: ${window.end}\nsize: 1000",
            ),
            ("http.incremental.mode", "timestamp"),
            ("http.incremental.pointer", "/updated_at"),
            ("http.incremental.initial", &weir_feed::time::rfc3339(START - 72 * HOUR)),
            ("http.incremental.step", "P1D"),
        ],
        service,
    );
    let mut all = ids(&source.poll_until(START + HOUR));
    source.restart();
    all.extend(ids(&source.poll_until(START + 30 * HOUR)));
    all.sort_unstable();
    assert_eq!(all, (1..=2 * 102).collect::<Vec<_>>());
    let asked = log.all();
    assert!(
        asked
            .iter()
            .all(|arrival| arrival.request.query_param("until").is_some())
    );
    // Settled windows are not read again.
    let first = asked
        .first()
        .and_then(|arrival| arrival.request.query_param("updated_since"));
    let again = asked
        .iter()
        .filter(|arrival| arrival.request.query_param("updated_since") == first)
        .count();
    assert_eq!(again, 1);
}

#[test]
fn a_lookback_finds_late_records_and_repeats_none() {
    // Item 3 appears an hour late, behind the cursor.
    let service = Scripted(|request: &FakeRequest, now_ms: i64| {
        let since = request.query_param("since").unwrap_or_default();
        let since = weir_feed::time::parse_rfc3339(&since).unwrap_or(0);
        let rows = [(1, 0, 0), (2, 1_000, 0), (3, 500, HOUR), (4, 2_000, HOUR)];
        let rows: Vec<_> = rows
            .iter()
            .filter(|(_, at, visible)| START + at >= since && now_ms >= START + visible)
            .map(|(id, at, _)| json!({"id": id, "at": START + at}))
            .collect();
        FakeResponse::json(200, &json!(rows))
    });
    let mut source = Source::new(
        "/late",
        &[
            ("http.response.records.pointer", ""),
            ("http.params", "since: ${offset.cursor}"),
            ("http.incremental.mode", "timestamp"),
            ("http.incremental.pointer", "/at"),
            ("http.incremental.lookback.ms", "10000"),
        ],
        service,
    );
    assert_eq!(ids(&source.poll_until(START + HOUR / 2)), [1, 2]);
    source.restart();
    assert_eq!(ids(&source.poll_until(START + 2 * HOUR)), [3, 4]);
}

#[test]
fn every_kind_of_authentication_is_sent() {
    let cases: [(Pairs<'_>, &str, &str); 5] = [
        (
            &[
                ("http.auth.type", "basic"),
                ("http.auth.user", "u"),
                ("http.auth.password", "MARKER"),
            ],
            "authorization",
            "Basic dTpNQVJLRVI=",
        ),
        (
            &[("http.auth.type", "bearer"), ("http.auth.token", "MARKER")],
            "authorization",
            "Bearer MARKER",
        ),
        (
            &[
                ("http.auth.type", "api_key"),
                ("http.auth.api.key.name", "X-Key"),
                ("http.auth.token", "MARKER"),
            ],
            "x-key",
            "MARKER",
        ),
        (
            &[
                ("http.headers", "X-Own: ${config.http.headers.sensitive}"),
                ("http.headers.sensitive", "MARKER"),
            ],
            "x-own",
            "MARKER",
        ),
        (
            &[
                ("http.auth.type", "login"),
                ("http.auth.login.url", "http://items.test/login"),
                ("http.auth.password", "MARKER"),
                (
                    "http.auth.login.body",
                    "{\"password\":\"${config.http.auth.password}\"}",
                ),
                ("http.auth.login.token.pointer", "/session"),
            ],
            "authorization",
            "Bearer MARKER-session",
        ),
    ];
    for (settings, header, value) in cases {
        let (service, log) = Recorded::new(Scripted(|request: &FakeRequest, _| match request.path.as_str() {
            "/login" if request.body == b"{\"password\":\"MARKER\"}" => {
                json_answer(&json!({"session": "MARKER-session"}))
            }
            _ => json_answer(&json!({"items": [{"id": 1}]})),
        }));
        let mut source = Source::new("/items", settings, service);
        assert_eq!(ids(&source.poll(3)), [1], "{settings:?}");
        let sent = log.of_path("/items");
        assert_eq!(
            sent.first().and_then(|arrival| arrival.request.header(header)),
            Some(value),
            "{settings:?}"
        );
        source.assert_no_secret();
    }
    let (service, log) = Recorded::new(Scripted(|_: &FakeRequest, _| json_answer(&json!({"items": []}))));
    let settings = [
        ("http.auth.type", "api_key"),
        ("http.auth.api.key.name", "key"),
        ("http.auth.api.key.in", "query"),
        ("http.auth.token", "MARKER"),
    ];
    Source::new("/items?x=1", &settings, service).poll(1);
    assert_eq!(
        log.all()
            .first()
            .map(|arrival| arrival.request.query.clone())
            .as_deref(),
        Some("x=1&key=MARKER")
    );
}

#[test]
fn tokens_are_replaced_before_and_after_they_expire() {
    for grant in ["oauth2_client_credentials", "oauth2_refresh_token"] {
        let (service, log) = Recorded::new(items());
        let mut source = Source::new(
            "/secure/items",
            &[
                ("http.auth.type", grant),
                ("http.auth.oauth2.token.url", "http://items.test/token"),
                ("http.auth.oauth2.client.id", "me"),
                ("http.auth.oauth2.client.secret", "MARKER-secret"),
                ("http.auth.oauth2.refresh.token", "MARKER-refresh"),
                ("http.auth.oauth2.client.auth", "body"),
                ("http.throttle.interval.ms", "1500"),
                ("http.paging.mode", "page"),
                ("http.paging.param", "page"),
            ],
            service,
        );
        let records = source.poll_until(START + 20_000);
        assert!(records.len() >= 22 * 5, "{}", records.len());
        let tokens = log.of_path("/token");
        assert!(tokens.len() > 5, "{}", tokens.len());
        let form = String::from_utf8(tokens.first().expect("asked").request.body.clone()).expect("text");
        let expected = match grant {
            "oauth2_refresh_token" => {
                "grant_type=refresh_token&refresh_token=MARKER-refresh&client_id=me&client_secret=MARKER-secret"
            }
            _ => "grant_type=client_credentials&client_id=me&client_secret=MARKER-secret",
        };
        assert_eq!(form, expected);
        source.assert_no_secret();
    }
}

#[test]
fn a_refused_token_is_replaced_once() {
    let mut calls = 0;
    let (service, log) = Recorded::new(Scripted(move |request: &FakeRequest, _: i64| {
        if request.path == "/token" {
            return json_answer(&json!({"access_token": "MARKER-t"}));
        }
        calls += 1;
        // The second page's token is refused, and later all are.
        if calls == 1 || calls > 3 {
            FakeResponse::json(401, &json!({"key": "MARKER-t"}))
        } else {
            json_answer(&json!({"items": [{"id": calls}]}))
        }
    }));
    let mut source = Source::new(
        "/items",
        &[
            ("http.auth.type", "oauth2_client_credentials"),
            ("http.auth.oauth2.token.url", "http://items.test/token"),
            ("http.auth.oauth2.client.id", "me"),
            ("http.auth.oauth2.client.secret", "MARKER-secret"),
            ("http.throttle.interval.ms", "1000"),
        ],
        service,
    );
    let error = source.poll_until_error();
    assert!(
        error.message.contains("answered 401") && error.message.contains("http.auth"),
        "{error}"
    );
    assert_eq!(log.of_path("/token").len(), 3);
    assert!(!error.message.contains("MARKER"), "{error}");
    source.assert_no_secret();
}

#[test]
fn rules_decide_what_follows() {
    let cases: [(&str, u16, &str, Option<&str>); 7] = [
        ("", 404, "{}", Some("answered 404")),
        ("status 404 -> empty", 404, "{}", None),
        ("status 404 -> skip", 404, "{}", None),
        ("status 404 -> fail \"ask the owner\"", 404, "{}", Some("ask the owner")),
        (
            "body /error == \"busy\" -> retry",
            200,
            "{\"error\":\"busy\"}",
            Some("failed 3 times"),
        ),
        ("", 500, "", Some("failed 3 times")),
        ("", 200, "<html>login</html>", Some("the body is markup")),
    ];
    for (rules, status, body, expected) in cases {
        let service = Scripted(move |_: &FakeRequest, _| FakeResponse::text(status, body));
        let mut source = Source::new(
            "/items",
            &[("http.errors", rules), ("retry.max.attempts", "3")],
            service,
        );
        match expected {
            Some(part) => {
                let error = source.poll_until_error();
                assert!(error.message.contains(part), "{rules}: {error}");
            }
            None => assert_eq!(source.poll_until(START + HOUR).len(), 0, "{rules}"),
        }
    }
}

#[test]
fn waits_that_the_service_names_are_kept() {
    for headers in [&[("retry-after", "900")][..], &[("ratelimit-reset", "900")]] {
        let (service, log) = Recorded::new(Scripted(move |_: &FakeRequest, now_ms| {
            if now_ms >= START + 900_000 {
                return json_answer(&json!({"items": [{"id": 1}]}));
            }
            headers
                .iter()
                .fold(FakeResponse::text(429, ""), |response, (name, value)| {
                    response.header(name, *value)
                })
        }));
        let mut source = Source::new("/items", &[("retry.max.attempts", "1")], service);
        assert_eq!(ids(&source.poll_until(START + 901_000)), [1]);
        assert_eq!(log.len(), 2);
    }
    // Nothing left, although the answer was fine: the next request waits.
    let (service, log) = Recorded::new(Scripted(|_: &FakeRequest, _| {
        json_answer(&json!({"items": [{"id": 1}]}))
            .header("RateLimit-Remaining", "0")
            .header("RateLimit-Reset", "600")
    }));
    let mut source = Source::new("/items", &[("http.throttle.interval.ms", "1000")], service);
    source.poll_until(START + 599_000);
    assert_eq!(log.len(), 1);
}

#[test]
fn partitions_are_listed_or_come_from_a_parent() {
    let service = || {
        Scripted(|request: &FakeRequest, _: i64| match request.path.as_str() {
            "/shops" => json_answer(&json!({"shops": [{"id": "a/b"}, {"id": "c"}, {"id": "d"}]})),
            path => json_answer(&json!({"items": [{"id": 1, "path": path}]})),
        })
    };
    let mut source = Source::new("/shops/${partition}/items", &[("http.partitions", "a/b,c")], service());
    let records = source.poll(4);
    assert_eq!(
        texts(&records),
        [
            r#"{"id":1,"path":"/shops/a%2Fb/items"}"#,
            r#"{"id":1,"path":"/shops/c/items"}"#
        ]
    );
    let partitions: Vec<_> = records
        .iter()
        .filter_map(|record| record.source_partition.as_deref())
        .collect();
    assert_eq!(
        partitions,
        [
            r#"{"feed":"http","connector":"test","partition":"a/b"}"#,
            r#"{"feed":"http","connector":"test","partition":"c"}"#
        ]
    );
    let parent = [
        ("http.parent.url", "http://items.test/shops"),
        ("http.parent.records.pointer", "/shops"),
        ("http.parent.value.pointer", "/id"),
    ];
    let mut all = Vec::new();
    for index in ["0", "1"] {
        let mut settings = parent.to_vec();
        settings.extend([("http.task.index", index), ("http.task.count", "2")]);
        all.extend(texts(
            &Source::new("/shops/${partition}/items", &settings, service()).poll(6),
        ));
    }
    all.sort();
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn changes_only_are_emitted_with_tombstones_for_what_vanished() {
    let service = Items::new(START, START + 10_000 * HOUR, 600_000);
    let settings = [
        ("http.response.records.pointer", ""),
        ("http.record.key.pointer", "/id"),
        ("http.emit", "changes"),
        ("emit.tombstones", "true"),
        ("http.schema.mode", "inferred"),
    ];
    let mut source = Source::new("/snapshot", &settings, service.clone());
    let mut state = std::collections::BTreeMap::new();
    let mut total = 0;
    for round in 1..=48 {
        let until = START + round * HOUR + 300_000;
        for record in source.poll_until(until) {
            let Value::Text(key) = &record.key.value else {
                panic!("{record:?}")
            };
            total += 1;
            match &record.value.value {
                Value::Null => assert!(state.remove(key).is_some(), "a tombstone for {key}, which is not there"),
                Value::Struct(row) => {
                    let row = (row.get("price").cloned(), row.get("name").cloned());
                    assert_ne!(
                        state.insert(key.clone(), row.clone()),
                        Some(row),
                        "{key} came without a change"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        let expected = service.snapshot(now());
        assert_eq!(state.len(), expected.len(), "round {round}");
        for row in expected {
            let seen = state.get(&row["id"].to_string()).expect("there");
            assert_eq!(seen.0, Ok(Value::Int64(row["price"].as_i64().expect("a number"))));
        }
        source.restart();
    }
    assert!(total > 100, "{total}");
}

#[test]
fn schemas_are_found_kept_and_widened() {
    let rows = std::sync::Arc::new(std::sync::Mutex::new(
        json!([{"id": 1, "x": 1}, {"id": 2, "x": 2.5, "tags": ["a"]}]),
    ));
    let shared = std::sync::Arc::clone(&rows);
    let service = Scripted(move |_: &FakeRequest, _| json_answer(&shared.lock().expect("not poisoned").clone()));
    let settings = [
        ("http.response.records.pointer", ""),
        ("http.schema.mode", "inferred"),
        ("topic", "my-topic"),
    ];
    let mut source = Source::new("/rows", &settings, service);
    let schema_of = |records: &[weir_sdk::api::record::SourceRecord]| {
        let schemas: Vec<_> = records
            .iter()
            .filter_map(|record| record.value.schema.clone())
            .collect();
        let names: Vec<Vec<String>> = schemas
            .iter()
            .map(|schema| {
                schema
                    .fields
                    .iter()
                    .map(|field| format!("{}:{}", field.name, field.schema.base.as_str()))
                    .collect()
            })
            .collect();
        assert!(schemas.iter().all(|schema| schema.name.as_deref() == Some("my_topic")));
        names
    };
    let first = schema_of(&source.poll_until(START + 1_000));
    assert_eq!(first, vec![vec!["id:INT64", "x:FLOAT64", "tags:ARRAY"]; 2]);
    // After a restart a narrower row does not narrow the schema; a new field adds a column.
    source.restart();
    *rows.lock().expect("not poisoned") = json!([{"id": 3, "x": 7}, {"id": 4, "new": true}, {"id": "five"}]);
    let second = schema_of(&source.poll_until(START + 100_000));
    assert_eq!(second.first(), first.first());
    assert_eq!(
        second.last(),
        Some(
            &["id:STRING", "x:FLOAT64", "tags:ARRAY", "new:BOOLEAN"]
                .map(str::to_owned)
                .to_vec()
        )
    );
}

#[test]
fn bad_items_fail_are_left_out_or_go_elsewhere() {
    let service =
        || Scripted(|_: &FakeRequest, _: i64| json_answer(&json!({"items": [{"id": 1}, {"key": "none"}, {"id": 3}]})));
    let run = |action: &str| {
        let settings = [("http.record.key.pointer", "/id"), ("on.bad.record", action)];
        Source::new("/items", &settings, service())
    };
    let error = run("fail").poll_until_error();
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(
        error.message.contains("there is no key at /id") && error.message.contains(r#"{"key":"none"}"#),
        "{error}"
    );
    assert_eq!(ids(&run("skip").poll(3)), [1, 3]);
    let topics: Vec<String> = run("dlq").poll(3).into_iter().map(|record| record.topic).collect();
    assert_eq!(topics, ["items", "items.dlq", "items"]);
}

#[test]
fn tasks_share_their_waits() {
    let (service, log) = Recorded::new(Scripted(|request: &FakeRequest, now_ms: i64| {
        if request.query_param("p").as_deref() == Some("a") && now_ms < START + 600_000 {
            return FakeResponse::text(429, "").header("retry-after", "600");
        }
        json_answer(&json!({"items": [{"id": 1}]}))
    }));
    let mut first = Source::new(
        "/items?p=${partition}",
        &[("http.partitions", "a,b"), ("http.task.count", "2")],
        service,
    );
    let mut sister = first.sister(&[
        ("http.partitions", "a,b"),
        ("http.task.count", "2"),
        ("http.task.index", "1"),
    ]);
    assert_eq!(first.poll_once(), Ok(None));
    assert_eq!(log.len(), 1);
    while now() < START + 590_000 {
        assert_eq!(sister.poll_once(), Ok(None));
    }
    assert_eq!(log.len(), 1, "the sister asked although the service wants none of them");
    assert_eq!(ids(&sister.poll_until(START + 700_000)).len(), 2);
    assert!(with_host(|host| host
        .lines
        .iter()
        .any(|(_, line)| line.contains("waiting"))));
}
