//! The stream: rules, reconnects, gaps

use serde_json::{Value, json};
use weir_fakes::service::{FakeResponse, Piece};
use weir_fakes::x::problems;
use weir_fakes::x::service::XService;
use weir_fakes::x::stream::Ending;
use weir_sdk::testing::with_host;

use super::support::{
    Bench, HOUR, MINUTE, NOW, SEARCH, STREAM, arrived, ids, lines, logged, now_ms, offset, stream_config, warnings,
};
use crate::ids::{id_at, time_of};
use crate::stream::partition;

const RULES: &str = "/2/tweets/search/stream/rules";

/// Streams in order, without doubles and noise, that last for hours.
fn calm(service: &mut XService) {
    service.stream.delay_ms = 0;
    service.stream.twice_every = 0;
    service.stream.noise_every = 0;
    service.stream.session_ms = (10 * 3_600_000, 10 * 3_600_000);
}

/// As `calm`, with a post every two seconds.
fn busy(service: &mut XService) {
    calm(service);
    service.world.slot_ms = 2_000;
    service.world.per_mille = 1_000;
}

fn posted(bench: &Bench) -> Vec<Value> {
    let arrivals = bench.requests(RULES);
    let posts = arrivals.iter().filter(|arrival| arrival.request.method == "POST");
    posts
        .map(|arrival| serde_json::from_slice(&arrival.request.body).expect("JSON"))
        .collect()
}

fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

/// A body of lines, then what is given.
fn body(text: &str, end: &[Piece]) -> FakeResponse {
    let mut response = FakeResponse::text(200, text);
    response.pieces.extend_from_slice(end);
    response
}

#[test]
fn rules_are_synced_before_connecting() {
    let synced = |sync: &str| {
        let config = stream_config(&[("twitter.rules", "es=lang:es;gl=lang:gl"), ("twitter.rules.sync", sync)]);
        let mut bench = Bench::start_with(&config, |service| {
            calm(service);
            service.rules.add("lang:es", Some("other"));
            service.rules.add("lang:en", None);
        });
        bench.until_requests(STREAM, 1);
        let rules: Vec<String> = bench
            .service()
            .rules
            .list
            .iter()
            .map(|rule| format!("{}={}", rule.tag.as_deref().unwrap_or("-"), rule.value))
            .collect();
        (rules, posted(&bench).len())
    };
    assert_eq!(
        synced("none"),
        (vec!["other=lang:es".to_owned(), "-=lang:en".to_owned()], 0)
    );
    let ensured = ["other=lang:es", "-=lang:en", "gl=lang:gl"].map(str::to_owned);
    assert_eq!(synced("ensure"), (ensured.to_vec(), 1));
    assert!(
        warnings().contains("a rule of the app has another tag"),
        "{}",
        warnings()
    );
    let exact = ["es=lang:es", "gl=lang:gl"].map(str::to_owned);
    assert_eq!(synced("exact"), (exact.to_vec(), 2));
}

#[test]
fn rules_that_are_there_stay_and_invalid_ones_fail_the_task() {
    let mut bench = Bench::start_with(&stream_config(&[]), |service| {
        service.rules.add("lang:es", Some("castellano"));
    });
    bench.until_requests(STREAM, 1);
    assert!(posted(&bench).is_empty());

    let mut bench = Bench::start(&stream_config(&[("twitter.rules", "bad=(lluvia")]));
    let error = bench.failure();
    assert!(error.message.contains("X refuses the rule '(lluvia'"), "{error}");
    assert!(
        error.message.contains("no viable alternative") && error.message.contains("twitter.rules"),
        "{error}"
    );
}

#[test]
fn a_stream_without_rules_is_retried_after_a_sync_or_fails() {
    let mut bench = Bench::start_with(&stream_config(&[]), calm);
    bench.answer_next(STREAM, problems::no_rules());
    let records = bench.run_for(10 * MINUTE);
    assert!(!ids(&records).is_empty());
    assert_eq!((bench.pauses(STREAM), posted(&bench).len()), (vec![5_000], 1));
    let listed = bench
        .requests(RULES)
        .iter()
        .filter(|arrival| arrival.request.method == "GET")
        .count();
    assert_eq!(listed, 2, "once before each connection");

    let config = stream_config(&[("twitter.rules", "")]);
    let mut bench = Bench::start(&config);
    let error = bench.failure();
    assert!(
        error.message.contains("answered 409") && error.message.contains("set twitter.rules"),
        "{error}"
    );
}

#[test]
fn posts_come_as_they_are_written_with_their_rules() {
    let mut bench = Bench::start_with(&stream_config(&[]), calm);
    let records = bench.run_for(HOUR);
    let found = ids(&records);
    assert_eq!(
        found,
        bench.truth("lang:es", NOW, time_of(*found.last().expect("posts")) + 1)
    );
    for record in &records {
        let offset = record.source_offset.as_deref().expect("an offset");
        assert!(
            offset.starts_with("{\"last_id\":\"") && offset.contains("\"last_at\":\"2026-11-20T"),
            "{offset}"
        );
        assert_eq!(
            record.source_partition.as_deref(),
            Some(r#"{"feed":"twitter","mode":"filtered_stream"}"#)
        );
        let value = format!("{:?}", record.value.value);
        assert!(value.contains("77001") && value.contains("castellano"), "{value}");
    }
    assert_eq!(bench.requests(STREAM).len(), 1);
}

#[test]
fn sample_lines_become_records_however_they_are_cut() {
    let line = r#"{"data":{"id":"2123811102520246573","text":"Prueba de ñ","created_at":"2026-11-20T16:10:00.000Z","author_id":"410","edit_history_tweet_ids":["2123811102520246573"]},"includes":{"users":[{"id":"410","username":"faro_norte","name":"Faro Norte"}]},"matching_rules":[{"id":"77001","tag":"lluvia"}]}"#;
    let text = format!("\r\n{line}\r\n\r\n{line}\r\n{{\"info\":1}}\r\n");
    for size in [1, 2, 3, 7, 1000] {
        let mut bench = Bench::start_with(&stream_config(&[]), calm);
        bench.until_requests(RULES, 2);
        let mut response = FakeResponse::text(200, "");
        response.pieces = text
            .as_bytes()
            .chunks(size)
            .map(|piece| Piece::Bytes(piece.to_vec()))
            .collect();
        response.pieces.push(Piece::Wait(1_000));
        bench.answer_next(STREAM, response);
        let mut records = Vec::new();
        while records.is_empty() {
            records = bench.poll().expect("fine lines");
        }
        assert_eq!(ids(&records), [2_123_811_102_520_246_573], "pieces of {size}: once");
        assert!(format!("{:?}", records[0].value).contains("Prueba de ñ"));
        assert_eq!(records[0].timestamp, Some(1_795_191_000_000));
    }
}

#[test]
fn keep_alives_alone_keep_the_connection() {
    let mut bench = Bench::start_with(&stream_config(&[]), |service| {
        calm(service);
        service.world.per_mille = 0;
    });
    bench.run_for(HOUR);
    assert_eq!(bench.requests(STREAM).len(), 1);
}

#[test]
fn dropped_connections_are_made_again_at_once_and_the_gap_is_filled() {
    for ending in [Ending::Eof, Ending::Disconnect, Ending::Reset, Ending::Silence] {
        let mut bench = Bench::start_with(&stream_config(&[]), calm);
        bench.service().end_next_stream(30 * 60_000, ending);
        let records = bench.run_for(2 * HOUR);
        let connects = bench.requests(STREAM);
        assert_eq!(connects.len(), 2, "{ending:?}");
        // Silence lasts 25 s, and the last keep-alive came within the 20 s before.
        let most_ms = if ending == Ending::Silence { 26_000 } else { 1_000 };
        let pause_ms = connects[1].at_ms - connects[0].at_ms - 30 * MINUTE;
        assert!((0..most_ms).contains(&pause_ms), "{ending:?}: {pause_ms}");
        assert!(ending != Ending::Silence || pause_ms > 4_000, "{pause_ms}");
        let found = sorted(ids(&records));
        let truth = bench.truth("lang:es", NOW, now_ms() - 2 * MINUTE);
        assert_eq!(found[..truth.len()], truth, "{ending:?}: neither gap nor double");
        let searches = bench.requests(SEARCH);
        assert!(
            searches[0].at_ms >= connects[1].at_ms + 60_000,
            "{ending:?}: once a search can see it all"
        );
        assert_eq!(searches[0].request.query_param("query").as_deref(), Some("lang:es"));
        assert_eq!(logged("gap of the stream filled"), 1, "{ending:?}");
    }
}

#[test]
fn the_old_offset_stays_until_the_gap_is_filled() {
    let mut bench = Bench::start_with(&stream_config(&[]), busy);
    bench.service().end_next_stream(30 * 60_000, Ending::Silence);
    bench.service().end_next_stream(10 * HOUR.unsigned_abs(), Ending::Eof);
    let mut records = bench.until_requests(STREAM, 2);
    let last = records
        .last()
        .and_then(|record| record.source_offset.clone())
        .expect("an offset");
    arrived(&records);
    // What was written in the silence is found by the search only.
    let (silent_from, silent_to) = (NOW + 30 * MINUTE, now_ms());
    let count = records.len();
    records.extend(bench.until_requests(SEARCH, 1));
    let between = &records[count..];
    assert!(!between.is_empty());
    assert!(
        between
            .iter()
            .all(|record| record.source_offset.as_ref() == Some(&last)),
        "the old offset"
    );
    let lost = bench.truth("lang:es", silent_from, silent_to);
    assert!(!lost.is_empty() && lost.iter().all(|id| !ids(&records).contains(id)));

    // A crash right now: the next task fills from the old offset.
    arrived(between);
    assert_eq!(offset(&partition()).as_ref(), Some(&last));
    bench.restart();
    let again = bench.run_for(HOUR);
    let found = sorted([ids(&records), ids(&again)].concat());
    let mut once = found.clone();
    once.dedup();
    let truth = bench.truth("lang:es", NOW, now_ms() - 2 * MINUTE);
    assert_eq!(once[..truth.len()], truth, "no gap");
    // Doubles lie within the stated window: a minute before the offset and what came since.
    let offset_id: u64 = last.split('"').nth(3).and_then(|id| id.parse().ok()).expect("an id");
    let window = id_at(time_of(offset_id) - MINUTE);
    assert!(
        found
            .windows(2)
            .filter(|pair| pair[0] == pair[1])
            .all(|pair| pair[0] >= window)
    );
    assert!(
        again.last().and_then(|record| record.source_offset.as_ref()) != Some(&last),
        "it moved on"
    );
}

#[test]
fn a_clock_that_is_set_does_not_make_a_search_come_too_early() {
    for jump_ms in [HOUR, -HOUR] {
        let mut bench = Bench::start_with(&stream_config(&[]), busy);
        bench.service().end_next_stream(30 * 60_000, Ending::Silence);
        let mut records = bench.until_requests(STREAM, 2);
        // The silence ended a moment ago: a search does not see it yet.
        bench.jump(jump_ms);
        records.extend(bench.run_for(HOUR));
        let found = sorted(ids(&records));
        let truth = bench.truth("lang:es", NOW, bench.service_now_ms() - 2 * MINUTE);
        assert_eq!(found[..truth.len()], truth, "{jump_ms}");
    }
}

#[test]
fn gaps_are_only_reported_without_backfill() {
    let config = stream_config(&[("twitter.stream.backfill", "none")]);
    let mut bench = Bench::start_with(&config, calm);
    bench.service().end_next_stream(30 * 60_000, Ending::Silence);
    bench.run_for(HOUR);
    assert!(bench.requests(SEARCH).is_empty());
    assert_eq!(logged("posts may be missing"), 1);
    let gaps = with_host(|host| host.metrics.iter().filter(|(name, ..)| name == "feed-gap-ms").count());
    assert_eq!(gaps, 1);
}

#[test]
fn enterprises_get_five_minutes_back_from_the_stream() {
    let config = stream_config(&[("twitter.stream.backfill", "api")]);
    let mut bench = Bench::start_with(&config, |service| {
        calm(service);
        service.is_enterprise = true;
    });
    bench.service().end_next_stream(30 * 60_000, Ending::Silence);
    let records = bench.run_for(2 * HOUR);
    let connects = bench.requests(STREAM);
    assert_eq!(connects[0].request.query_param("backfill_minutes"), None);
    let minutes = connects[1].request.query_param("backfill_minutes").expect("asked for");
    assert!(["2", "3", "4", "5"].contains(&minutes.as_str()), "{minutes}");
    assert!(bench.requests(SEARCH).is_empty());
    let found = sorted(ids(&records));
    let truth = bench.truth("lang:es", NOW, now_ms() - MINUTE);
    assert_eq!(found[..truth.len()], truth);

    let mut bench = Bench::start_with(&config, calm);
    bench.service().end_next_stream(30 * 60_000, Ending::Eof);
    let error = bench.failure();
    assert!(error.message.contains("backfill_minutes"), "{error}");
}

#[test]
fn rules_that_a_search_does_not_take_are_reported() {
    let long = format!("{} -nothing", "lang:es ".repeat(64));
    let rules = json!([{"value": long}, {"value": "lang:gl"}]).to_string();
    let mut bench = Bench::start_with(&stream_config(&[("twitter.rules", &rules)]), calm);
    bench.service().end_next_stream(30 * 60_000, Ending::Silence);
    bench.until_requests(STREAM, 2);
    bench.answer_next(
        SEARCH,
        problems::invalid_request("query", "lang:gl", "no such operator"),
    );
    bench.run_for(HOUR);
    assert_eq!(logged("a rule is too long to be searched for"), 1);
    assert_eq!(logged("a rule cannot be searched for"), 1);
    assert_eq!(logged("posts may be missing"), 2);
    assert_eq!(logged("gap of the stream filled"), 1, "as far as it can be");
}

#[test]
fn http_errors_back_off_from_five_seconds_doubling() {
    let mut bench = Bench::start_with(&stream_config(&[]), calm);
    bench.until_requests(RULES, 2);
    for _ in 0..8 {
        bench.answer_next(STREAM, problems::unavailable());
    }
    bench.until_requests(STREAM, 9);
    let pauses = bench.pauses(STREAM);
    assert_eq!(
        pauses,
        [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 320_000]
    );

    let mut bench = Bench::start_with(&stream_config(&[("retry.max.attempts", "3")]), calm);
    bench.until_requests(RULES, 2);
    for _ in 0..3 {
        bench.answer_next(STREAM, problems::internal());
    }
    let error = bench.failure();
    assert!(
        error.message.contains("failed too often in a row") && error.message.contains("status 500"),
        "{error}"
    );
}

#[test]
fn connections_that_end_at_once_back_off_in_small_steps() {
    let mut bench = Bench::start_with(&stream_config(&[]), calm);
    bench.until_requests(RULES, 2);
    for _ in 0..4 {
        bench.answer_next(STREAM, FakeResponse::text(200, ""));
    }
    bench.until_requests(STREAM, 5);
    assert_eq!(bench.pauses(STREAM), [250, 500, 750, 1_000]);
}

#[test]
fn limits_and_second_connections_wait_and_are_no_attempts() {
    let mut bench = Bench::start_with(&stream_config(&[("retry.max.attempts", "1")]), calm);
    bench.until_requests(RULES, 2);
    let reset = NOW / 1000 + 300;
    bench.answer_next(
        STREAM,
        problems::too_many_requests().header("x-rate-limit-reset", reset.to_string()),
    );
    bench.answer_next(STREAM, problems::too_many_connections());
    bench.answer_next(STREAM, problems::too_many_requests());
    bench.answer_next(STREAM, problems::too_many_requests());
    bench.until_requests(STREAM, 5);
    let pauses = bench.pauses(STREAM);
    assert_eq!(pauses[..2], [300_000, 60_000]);
    assert!(
        (60_000..=66_000).contains(&pauses[2]) && (120_000..=132_000).contains(&pauses[3]),
        "{pauses:?}"
    );
    assert!(warnings().contains("another connection is open"));
}

#[test]
fn one_connection_at_a_time_even_where_a_second_one_is_refused() {
    let mut bench = Bench::start_with(&stream_config(&[]), |service| {
        calm(service);
        service.stream.refuses_second = true;
        service.stream.session_ms = (20 * 60_000, 20 * 60_000);
        // Silence shows that the client closes what it holds to be dead.
        for _ in 0..8 {
            service.end_next_stream(20 * 60_000, Ending::Eof);
        }
    });
    bench.run_for(2 * HOUR);
    let connects = bench.requests(STREAM);
    assert!(connects.len() >= 6 && connects.iter().all(|arrival| arrival.status == 200));
}

#[test]
fn what_the_stream_says_about_its_end_is_heeded() {
    let said = |problem: FakeResponse| {
        let mut bench = Bench::start_with(&stream_config(&[]), calm);
        bench.until_requests(RULES, 2);
        let text = String::from_utf8(problem.body()).expect("text");
        let errors = format!("{{\"errors\":[{text}]}}\r\n");
        bench.answer_next(STREAM, body(&errors, &[Piece::Hang]));
        bench
    };
    let error = said(problems::usage_capped(200)).failure();
    assert!(error.message.contains("quota of posts is used up"), "{error}");
    let mut bench = said(problems::too_many_connections());
    bench.until_requests(STREAM, 2);
    assert_eq!(bench.pauses(STREAM), [60_000]);
}

#[test]
fn lines_that_are_no_json_are_skipped_and_ten_of_them_are_too_many() {
    let mut bench = Bench::start_with(&stream_config(&[]), calm);
    bench.until_requests(RULES, 2);
    let broken = "{\"data\":\r\n";
    let few = format!("{}{{\"info\":1}}\r\n{}", broken.repeat(9), broken.repeat(9));
    bench.answer_next(
        STREAM,
        body(
            &few,
            &[
                Piece::Wait(15_000),
                Piece::Bytes(broken.as_bytes().to_vec()),
                Piece::Hang,
            ],
        ),
    );
    bench.until_requests(STREAM, 2);
    let waited_ms = bench.pauses(STREAM)[0];
    assert!((15_000..17_000).contains(&waited_ms), "the tenth in a row: {waited_ms}");
    assert_eq!(logged("ten lines in a row are no JSON: connecting again"), 1);
    let skipped = with_host(|host| host.metrics.iter().filter(|(name, ..)| name == "feed-skipped").count());
    assert_eq!(skipped, 19);
}

#[test]
fn a_line_without_end_fails_the_task() {
    let config = stream_config(&[("http.max.body.bytes", "5000")]);
    let mut bench = Bench::start_with(&config, calm);
    bench.until_requests(RULES, 2);
    bench.answer_next(STREAM, body(&"x".repeat(6000), &[Piece::Hang]));
    let error = bench.failure();
    assert!(
        error.message.contains("response too large") && error.message.contains("5000 bytes"),
        "{error}"
    );
}

#[test]
fn a_first_run_from_a_time_is_filled_by_search() {
    let config = stream_config(&[("twitter.start", "2026-11-20T10:00:00Z")]);
    let mut bench = Bench::start_with(&config, calm);
    let records = bench.run_for(HOUR);
    let found = sorted(ids(&records));
    let truth = bench.truth("lang:es", NOW - 6 * HOUR - 5 * MINUTE - 11_000, now_ms() - 2 * MINUTE);
    assert_eq!(found[..truth.len()], truth);
    assert!(!lines().is_empty());
}
