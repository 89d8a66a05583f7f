//! The error table: what the service answers, what the task does, what it says

use weir_feed::testing::{Arrived, BUDGET, Played, commit, now_ms, outputs, poll_all, poll_until_records};
use weir_sdk::api::error::{ConnectError, ErrorKind};
use weir_sdk::api::record::SourceRecord;
use weir_sdk::log::Level;
use weir_sdk::source::SourceTask;
use weir_sdk::testing::{Piece, with_host};

use crate::support::{
    KEY, NOW_MS, Seen, config, envelope, field, header, is_data, lines, paths, played, serving, started,
};

const ROWS: &str = r#"[{"idema":"A","fint":"2026-11-20T15:00:00","ta":1.0}]"#;
const NO_DATA: &str = r#"{"descripcion":"No hay datos que satisfagan esos criterios","estado":404}"#;

/// Polls until the task fails.
fn failure(task: &mut impl SourceTask) -> ConnectError {
    for _ in 0..10_000 {
        if let Err(error) = task.poll(BUDGET) {
            return error;
        }
    }
    panic!("the task does not fail");
}

/// Answers the first `bad` requests of one step with `answer`, everything else well.
fn at_first(
    bad: usize,
    in_data: bool,
    mut answer: impl FnMut() -> Played + 'static,
) -> impl FnMut(&Arrived, i64) -> Played + 'static {
    let mut well = serving(ROWS);
    let mut count = 0;
    move |arrived, now_ms| {
        if is_data(arrived) == in_data {
            count += 1;
            if count <= bad {
                return answer();
            }
        }
        well(arrived, now_ms)
    }
}

fn ids(records: &[SourceRecord]) -> Vec<String> {
    let partitions = records.iter().filter_map(|record| record.source_partition.clone());
    partitions.collect()
}

fn data_requests(seen: &Seen) -> usize {
    paths(seen)
        .iter()
        .filter(|path| path.starts_with("/opendata/sh/"))
        .count()
}

#[test]
fn no_data_is_an_empty_cycle() {
    for status in [200, 404] {
        let (mut task, seen) = started(&config(&[("retry.max.attempts", "2")]), move |_, _| {
            played(status, NO_DATA)
        });
        assert_eq!(poll_all(&mut task, 60).expect("no failure"), []);
        let times: Vec<i64> = seen.borrow().iter().map(|(_, at_ms)| at_ms - NOW_MS).collect();
        assert!(
            times.len() > 3 && times.windows(2).all(|pair| pair[1] - pair[0] == 600_000),
            "{times:?}"
        );
        assert_eq!(lines(Level::Warn), Vec::<String>::new());
        with_host(|host| assert!(host.offsets.is_empty()));
    }
}

#[test]
fn a_gone_data_address_is_asked_for_again() {
    let (mut task, seen) = started(&config(&[]), at_first(3, true, || played(404, "")));
    let records = poll_until_records(&mut task, 5).expect("no failure");
    assert_eq!((records.len(), seen.borrow().len()), (1, 8));
    // At once: it lives for a short time only.
    assert_eq!(now_ms(), NOW_MS);
    assert_eq!(
        lines(Level::Info)
            .iter()
            .filter(|line| line.contains("fresh one"))
            .count(),
        3
    );
}

#[test]
fn a_data_address_that_stays_gone_waits_for_the_next_cycle_and_fails_in_the_end() {
    let (mut task, seen) = started(
        &config(&[("retry.max.attempts", "3")]),
        at_first(usize::MAX, true, || played(404, r#"{"estado":404}"#)),
    );
    let error = failure(&mut task);
    assert_eq!(error.kind, ErrorKind::Fatal);
    assert!(error.message.contains("failed 3 times in a row"), "{error}");
    assert!(error.message.contains("the data address was gone 4 times"), "{error}");
    // Four addresses a cycle, three cycles.
    assert_eq!(data_requests(&seen), 12);
    assert!(now_ms() - NOW_MS >= 2 * 600_000);
}

#[test]
fn a_refused_key_fails_the_task_and_says_what_to_do() {
    for (status, body) in [
        (200, r#"{"descripcion":"API key invalido","estado":401}"#),
        (401, r#"{"descripcion":"API key invalido","estado":401}"#),
        (401, "<html>Unauthorized</html>"),
        (403, ""),
    ] {
        let (mut task, seen) = started(&config(&[]), move |_, _| played(status, body));
        let error = failure(&mut task);
        assert_eq!((error.kind, seen.borrow().len()), (ErrorKind::Fatal, 1));
        for part in [
            "GET http://127.0.0.1:9/opendata/api/observacion/convencional/todas answered",
            &status.to_string(),
            "ask for a new one at opendata.aemet.es and set aemet.api.key",
        ] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn too_many_requests_wait_longer_each_time_and_are_no_failures() {
    let refusals: [fn() -> Played; 2] = [
        || played(429, ""),
        || played(200, r#"{"descripcion":"Límite de peticiones","estado":429}"#),
    ];
    for in_data in [false, true] {
        for refusal in refusals {
            let (mut task, seen) = started(&config(&[("retry.max.attempts", "2")]), at_first(12, in_data, refusal));
            let records = poll_until_records(&mut task, 1_000).expect("no failure");
            assert_eq!(records.len(), 1);
            let times: Vec<i64> = seen
                .borrow()
                .iter()
                .filter(|(arrived, _)| is_data(arrived) == in_data)
                .map(|(_, at_ms)| *at_ms)
                .collect();
            for (pair, least_ms) in times
                .windows(2)
                .zip([60_000, 120_000, 240_000, 480_000, 900_000, 900_000])
            {
                let waited = pair[1] - pair[0];
                assert!(
                    (least_ms..=(least_ms + least_ms / 10).min(900_000)).contains(&waited),
                    "{waited} {least_ms}"
                );
            }
            assert!(field("reason").iter().any(|reason| reason.contains("estado 429")));
        }
    }
}

#[test]
fn a_wait_that_the_service_names_is_kept() {
    let (mut task, seen) = started(
        &config(&[]),
        at_first(1, false, || Played {
            headers: vec![("Retry-After".to_owned(), "300".to_owned())],
            ..played(429, "")
        }),
    );
    poll_until_records(&mut task, 100).expect("no failure");
    let second = seen.borrow().get(1).map(|(_, at_ms)| at_ms - NOW_MS);
    assert_eq!(second, Some(300_000));
}

#[test]
fn bodies_that_are_no_json_are_tried_again_and_fail_in_the_end() {
    let page = format!("<html>Mantenimiento {}</html>", "x".repeat(400));
    for (body, reason) in [
        (String::new(), "the body is empty"),
        (page, "the body is markup, not JSON"),
        ("[{\"idema\":".to_owned(), "the body is not JSON"),
    ] {
        for in_data in [false, true] {
            let bad = body.clone();
            let (mut task, seen) = started(&config(&[]), at_first(9, in_data, move || played(200, bad.clone())));
            assert_eq!(
                poll_until_records(&mut task, 1_000).expect("no failure").len(),
                1,
                "{reason}"
            );
            // An address whose data failed is not used again.
            assert_eq!(data_requests(&seen), if in_data { 10 } else { 1 });

            let bad = body.clone();
            let (mut task, seen) = started(&config(&[]), at_first(99, in_data, move || played(200, bad.clone())));
            let error = failure(&mut task);
            assert_eq!(error.kind, ErrorKind::Fatal);
            assert!(error.message.contains("failed 10 times in a row"), "{error}");
            assert!(error.message.contains(reason), "{error}");
            assert!(
                error
                    .message
                    .contains(body.get(..200.min(body.len())).unwrap_or_default()),
                "{error}"
            );
            assert!(error.message.len() < 700, "{error}");
            assert_eq!(seen.borrow().len(), if in_data { 20 } else { 10 });
        }
    }
}

#[test]
fn errors_of_the_service_are_tried_again() {
    let answers: [fn() -> Played; 5] = [
        || played(500, r#"{"estado":500}"#),
        || played(503, "<html>"),
        || played(200, r#"{"estado":503}"#),
        || played(408, ""),
        || played(200, r#"{"descripcion":"exito","estado":200}"#),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        let (mut task, _) = started(&config(&[]), at_first(3, false, answer));
        let records = poll_until_records(&mut task, 100).expect("no failure");
        assert_eq!(records.len(), 1, "{at}");
        assert!(
            lines(Level::Warn).len() == 3 && now_ms() > NOW_MS,
            "{at}: {:?}",
            lines(Level::Warn)
        );
    }
}

#[test]
fn connections_that_break_are_tried_again() {
    for in_data in [false, true] {
        for pieces in [
            vec![Piece::Reset],
            vec![Piece::Bytes(b"[{".to_vec()), Piece::Reset],
            vec![Piece::Hang],
        ] {
            let (mut task, _) = started(
                &config(&[]),
                at_first(2, in_data, move || Played {
                    pieces: pieces.clone(),
                    ..played(200, "")
                }),
            );
            assert_eq!(poll_until_records(&mut task, 100).expect("no failure").len(), 1);
        }
    }
}

#[test]
fn data_on_another_host_are_refused() {
    for foreign in [
        "http://evil.example/opendata/sh/aa11",
        "http://127.0.0.1:10/opendata/sh/aa11",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://127.0.0.1:9@evil.example/x",
    ] {
        let (mut task, seen) = started(&config(&[]), move |_, _| envelope(foreign));
        let error = failure(&mut task);
        assert_eq!((error.kind, seen.borrow().len()), (ErrorKind::Fatal, 1), "{foreign}");
        let part = if foreign.starts_with("http://") {
            "aemet.allow.data.hosts"
        } else {
            "invalid address"
        };
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn data_on_another_host_are_fetched_if_it_is_named_or_put_in_place() {
    let allowed = [
        ("aemet.allow.data.hosts", "127.0.0.2:99"),
        ("aemet.base.url", "http://opendata.example/api"),
    ];
    let (mut task, seen) = started(&config(&allowed), |arrived, _| {
        if is_data(arrived) {
            played(200, ROWS)
        } else {
            envelope("http://127.0.0.2:99/opendata/sh/aa11")
        }
    });
    assert_eq!(poll_until_records(&mut task, 5).expect("no failure").len(), 1);
    let host = |seen: &Seen| {
        let seen = seen.borrow();
        let headers = seen
            .last()
            .map(|(arrived, _)| arrived.headers.clone())
            .unwrap_or_default();
        headers
            .into_iter()
            .find(|(name, _)| name == "host")
            .map(|(_, value)| value)
    };
    assert_eq!(host(&seen).as_deref(), Some("127.0.0.2:99"));

    let rewritten = [("aemet.rewrite.data.host", "true")];
    let (mut task, seen) = started(&config(&rewritten), |arrived, _| {
        if is_data(arrived) {
            played(200, ROWS)
        } else {
            envelope("https://opendata.aemet.es/opendata/sh/aa11")
        }
    });
    assert_eq!(poll_until_records(&mut task, 5).expect("no failure").len(), 1);
    assert_eq!(host(&seen).as_deref(), Some("127.0.0.1:9"));
}

#[test]
fn a_row_without_station_or_time_fails_the_task_unless_it_may_not() {
    let body = r#"[{"idema":"A","fint":"2026-11-20T15:00:00","ta":1.0},{"fint":"2026-11-20T15:00:00"},{"idema":"B"},{"idema":"C","fint":"ayer"},7]"#;
    let (mut task, _) = started(&config(&[]), serving(body));
    let error = failure(&mut task);
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(
        error.message.contains("the row has no idema") && error.message.contains("on.bad.record=skip"),
        "{error}"
    );

    let (mut task, _) = started(&config(&[("on.bad.record", "skip")]), serving(body));
    let records = poll_all(&mut task, 60).expect("no failure");
    assert_eq!(
        ids(&records),
        [r#"{"feed":"aemet","product":"observacion","station":"A"}"#]
    );
    // Once each, though the rows come with each cycle.
    assert_eq!(
        field("reason"),
        [
            "the row has no idema",
            "the row has no fint",
            "fint is 'ayer', not a time",
            "the row is not a JSON object"
        ]
    );

    let (mut task, _) = started(&config(&[("on.bad.record", "dlq")]), serving(body));
    let records = poll_all(&mut task, 60).expect("no failure");
    let bad: Vec<&SourceRecord> = records.iter().filter(|record| record.topic == "weather.dlq").collect();
    assert_eq!((records.len(), bad.len()), (5, 4));
    let reasons: Vec<Option<String>> = bad.iter().map(|record| header(record, "feed.error")).collect();
    assert!(reasons.contains(&Some("the row has no idema".to_owned())));
    assert!(bad.iter().all(|record| record.source_partition.is_none()));
}

#[test]
fn one_failing_station_does_not_stop_the_others() {
    let config = config(&[("aemet.stations", "A,B,C"), ("retry.max.attempts", "5")]);
    let (mut task, seen) = started(&config, |arrived, now_ms| {
        let cycle = (now_ms - NOW_MS) / 600_000;
        if is_data(arrived) {
            let station = arrived.path.rsplit('/').next().unwrap_or_default().to_owned();
            let hour = 10 + cycle.min(9);
            played(
                200,
                format!(r#"[{{"idema":"{station}","fint":"2026-11-20T{hour}:00:00","ta":1.0}}]"#),
            )
        } else {
            let station = arrived.path.rsplit('/').next().unwrap_or_default();
            if station == "B" && cycle < 6 {
                return played(500, r#"{"estado":500}"#);
            }
            envelope(&format!("http://127.0.0.1:9/opendata/sh/{station}"))
        }
    });
    let mut of_b = Vec::new();
    let mut others = 0;
    for _ in 0..200 {
        for record in task.poll(BUDGET).expect("no failure").unwrap_or_default() {
            match record
                .source_partition
                .as_deref()
                .is_some_and(|partition| partition.contains(r#""B""#))
            {
                true => of_b.push((now_ms() - NOW_MS) / 600_000),
                false => others += 1,
            }
        }
    }
    assert!(others >= 12, "{others}");
    assert!(of_b.first().is_some_and(|cycle| *cycle >= 6), "{of_b:?}");
    // Three tries in the first cycle, one in each later one.
    let tries = paths(&seen).iter().filter(|path| path.ends_with("/estacion/B")).count();
    assert!((8..30).contains(&tries), "{tries}");
    let left_out = lines(Level::Warn);
    let left_out: Vec<&String> = left_out
        .iter()
        .filter(|line| line.contains("left out until the next cycle"))
        .collect();
    assert_eq!(left_out.len(), 1);
    assert!(field("places").contains(&"B".to_owned()));
    assert!(lines(Level::Info).iter().any(|line| line.contains("answers again")));
    with_host(|host| assert!(host.metrics.iter().any(|(name, ..)| name == "aemet-failing-places")));
}

#[test]
fn one_station_that_does_not_answer_does_not_stop_the_others() {
    let config = config(&[("aemet.stations", "A,B,C"), ("retry.max.attempts", "5")]);
    let (mut task, seen) = started(&config, |arrived, now_ms| {
        if arrived.path.ends_with("/estacion/B") {
            return Played {
                pieces: vec![Piece::Hang],
                ..played(200, "")
            };
        }
        serving(ROWS)(arrived, now_ms)
    });
    assert_eq!(poll_all(&mut task, 100).expect("no failure").len(), 1);
    let of = |station: &str| paths(&seen).iter().filter(|path| path.ends_with(station)).count();
    assert!(of("/estacion/C") >= 5, "{}", of("/estacion/C"));
    assert!(of("/estacion/B") >= 7, "{}", of("/estacion/B"));
    assert!(field("places").contains(&"B".to_owned()));

    let (mut task, _) = started(&config, |_, _| Played {
        pieces: vec![Piece::Reset],
        ..played(200, "")
    });
    let error = failure(&mut task);
    assert!(error.message.contains("and so did all others"), "{error}");
}

#[test]
fn hostile_bodies_are_bounded() {
    let many: Vec<String> = (0..100_000)
        .map(|at| format!(r#"{{"idema":"S{at}","fint":"2026-11-20T15:00:00"}}"#))
        .collect();
    let (mut task, _) = started(&config(&[]), serving(&format!("[{}]", many.join(","))));
    let records = poll_all(&mut task, 201).expect("no failure");
    assert_eq!(records.len(), 100_000);

    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let odd: Vec<String> = (0..50_000)
        .map(|at| format!(r#"{{"value":"w{at}","periodo":"p{at}"}}"#))
        .collect();
    let odd = format!(
        r#"[{{"elaborado":"2026-11-20T11:54:00","id":1059,"prediccion":{{"dia":[{{"fecha":"2026-11-20","temperatura":[{}]}}]}}}}]"#,
        odd.join(",")
    );
    let town = [("aemet.product", "prediccion_horaria"), ("aemet.municipios", "01059")];
    let (mut task, _) = started(&config(&town), serving(&odd));
    assert_eq!(poll_until_records(&mut task, 5).expect("no failure").len(), 1);
    assert!(lines(Level::Warn).len() <= 20);

    for body in [deep.as_str(), r#"[{"a":1e999}]"#, "\u{0}", r#"["\ud800"]"#] {
        let (mut task, _) = started(&config(&[("retry.max.attempts", "2")]), serving(body));
        let error = failure(&mut task);
        assert!(error.message.len() < 1_000, "{error}");
    }
}

#[test]
fn all_stations_failing_fails_the_task() {
    let config = config(&[("aemet.stations", "A,B"), ("retry.max.attempts", "5")]);
    let (mut task, _) = started(&config, |_, _| played(500, r#"{"estado":500}"#));
    let error = failure(&mut task);
    assert_eq!(error.kind, ErrorKind::Fatal);
    assert!(
        error.message.contains("and so did all others, 5 times in a row"),
        "{error}"
    );
}

#[test]
fn an_endless_body_and_a_redirect_fail_the_task() {
    let (mut task, _) = started(
        &config(&[("http.max.body.bytes", "1000")]),
        at_first(1, true, || played(200, vec![b' '; 5_000])),
    );
    let error = failure(&mut task);
    assert!(
        error.message.contains("response too large") && error.message.contains("http.max.body.bytes"),
        "{error}"
    );

    let (mut task, seen) = started(&config(&[]), |_, _| Played {
        headers: vec![("location".to_owned(), "http://127.0.0.1:9/elsewhere".to_owned())],
        ..played(302, "")
    });
    let error = failure(&mut task);
    assert!(error.message.contains("redirects are not followed"), "{error}");
    assert_eq!(seen.borrow().len(), 1);
}

#[test]
fn few_requests_left_slow_the_task_down() {
    let config = config(&[("aemet.stations", "A,B")]);
    let (mut task, seen) = started(&config, |arrived, now_ms| {
        let mut answer = serving(ROWS)(arrived, now_ms);
        answer
            .headers
            .push(("Remaining-request-count".to_owned(), "1".to_owned()));
        answer
    });
    poll_all(&mut task, 10).expect("no failure");
    let times: Vec<i64> = seen.borrow().iter().map(|(_, at_ms)| *at_ms).collect();
    assert!(
        times.windows(2).take(3).all(|pair| pair[1] - pair[0] >= 30_000),
        "{times:?}"
    );
}

#[test]
fn a_crash_between_two_polls_loses_nothing_and_repeats_what_was_not_committed() {
    let rows: Vec<String> = (0..10)
        .map(|hour| format!(r#"{{"idema":"A","fint":"2026-11-20T{hour:02}:00:00","ta":1.0}}"#))
        .collect();
    let body = format!("[{}]", rows.join(","));
    let config = config(&[("records.max.per.poll", "4")]);
    let (mut task, _) = started(&config, serving(&body));
    let first = task.poll(BUDGET).expect("no failure").expect("records");
    let second = task.poll(BUDGET).expect("no failure").expect("records");
    assert_eq!((first.len(), second.len()), (4, 4));
    commit(&first);
    drop(task);
    let mut task = crate::support::restarted(&config);
    let again = poll_all(&mut task, 5).expect("no failure");
    let times = |records: &[SourceRecord]| records.iter().filter_map(|record| record.timestamp).collect::<Vec<_>>();
    assert_eq!(times(&again).get(..4), Some(times(&second).as_slice()));
    assert_eq!(again.len(), 6);
}

#[test]
fn the_key_is_nowhere_but_in_requests() {
    // A service that repeats the key in everything it says.
    let echo: [fn() -> Played; 3] = [
        || {
            played(
                401,
                format!(r#"{{"descripcion":"API key invalido {KEY}","estado":401}}"#),
            )
        },
        || played(500, format!("<html>{KEY}</html>")),
        || {
            played(
                200,
                format!(r#"{{"estado":200,"datos":"http://evil.example/{KEY}?api_key={KEY}"}}"#),
            )
        },
    ];
    for answer in echo {
        let (mut task, _) = started(&config(&[("retry.max.attempts", "3")]), at_first(99, false, answer));
        let error = failure(&mut task);
        let all = format!("{}\n{error:?}\n{task:?}", outputs(&[]));
        assert!(!all.contains(KEY), "{all}");
    }
    let (mut task, seen) = started(&config(&[]), serving(ROWS));
    let records = poll_all(&mut task, 30).expect("no failure");
    commit(&records);
    assert!(!format!("{}{task:?}", outputs(&records)).contains(KEY));
    let sent = format!("{:?}", seen.borrow());
    assert!(sent.contains(KEY), "the marker is not looked for in the right place");
}
