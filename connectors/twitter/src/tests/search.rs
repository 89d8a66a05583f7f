//! Recent search: records, cycles, crashes

use serde_json::json;
use weir_fakes::service::FakeResponse;
use weir_fakes::x::posts::Spelling;
use weir_feed::hash::sha256_hex;
use weir_sdk::api::data::text::push_text;
use weir_sdk::api::data::validate::validate_value;
use weir_sdk::api::data::value::Value;
use weir_sdk::api::error::ErrorKind;
use weir_sdk::api::record::{SourceRecord, TypedValue};

use super::support::{
    Bench, DAY, HOUR, MINUTE, NOW, SEARCH, arrived, field, ids, logged, now_ms, offset, search_config, warnings,
};
use crate::search::partition;

const FIRST_PAGE: &str = r#"{"data":[
 {"id":"2123809890366390475","text":"Lluvia fuerte esta tarde en el puerto","created_at":"2026-11-20T16:05:11.000Z","author_id":"410","lang":"es",
  "public_metrics":{"retweet_count":1,"reply_count":0,"like_count":7,"quote_count":0,"bookmark_count":0,"impression_count":210},
  "edit_history_tweet_ids":["2123809890366390475"]},
 {"id":"2123808845984694452","text":"RT cobertura en directo","created_at":"2026-11-20T16:01:02.000Z","author_id":"411","lang":"es",
  "referenced_tweets":[{"type":"retweeted","id":"2123806069355446392"}],"edit_history_tweet_ids":["2123808845984694452"]}],
 "includes":{"users":[{"id":"410","username":"faro_norte","name":"Faro Norte","verified":false},{"id":"411","username":"diario_ejemplo","name":"Diario Ejemplo","verified":true}]},
 "meta":{"newest_id":"2123809890366390475","oldest_id":"2123808845984694452","result_count":2,"next_token":"p2tok"}}"#;
const SECOND_PAGE: &str = r#"{"data":[{"id":"2123808250393526422","text":"Primer aviso","created_at":"2026-11-20T15:58:40.000Z","author_id":"410","edit_history_tweet_ids":["2123808250393526422"]}],"meta":{"newest_id":"2123808250393526422","oldest_id":"2123808250393526422","result_count":1}}"#;
const START: (&str, &str) = ("twitter.start", "2026-11-20T15:00:00Z");

fn shown(value: &TypedValue) -> String {
    validate_value(value.schema.as_deref().expect("a schema"), &value.value).expect("fits its schema");
    let mut text = String::new();
    push_text(&mut text, None, &value.value).expect("printable");
    text
}

fn headers(record: &SourceRecord) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("no text: {other:?}"),
    };
    let headers = record.headers.iter();
    headers
        .map(|header| format!("{}={}", header.name, text(&header.value.value)))
        .collect()
}

fn sampled(settings: &[(&str, &str)]) -> Vec<SourceRecord> {
    let mut all = vec![START];
    all.extend(settings);
    let mut bench = Bench::start(&search_config(&all));
    for page in [FIRST_PAGE, SECOND_PAGE] {
        bench.answer_next(SEARCH, FakeResponse::text(200, page).header("x-transaction-id", "tx1"));
    }
    bench.until_requests(SEARCH, 1);
    let mut records = Vec::new();
    while bench.requests(SEARCH).len() < 3 {
        records.extend(bench.poll().expect("fine answers"));
    }
    let asked = bench.requests(SEARCH);
    assert_eq!(asked[1].request.query_param("next_token").as_deref(), Some("p2tok"));
    let since = asked[0].request.query_param("since_id");
    assert!(
        since.is_some() && asked[1].request.query_param("since_id") == since,
        "the same range on all pages"
    );
    assert_eq!(
        asked[2].request.query_param("since_id").as_deref(),
        Some("2123809890366390475")
    );
    records
}

#[test]
fn sample_pages_become_records_oldest_first() {
    let records = sampled(&[]);
    let values: Vec<String> = records.iter().map(|record| shown(&record.value)).collect();
    assert_eq!(
        values,
        [
            "Struct{id=2123808250393526422,text=Primer aviso,created_at=Fri Nov 20 15:58:40 UTC 2026,author_id=410,\
             author=Struct{id=410,username=faro_norte,name=Faro Norte,verified=false},\
             edit_history_tweet_ids=[2123808250393526422]}",
            "Struct{id=2123808845984694452,text=RT cobertura en directo,created_at=Fri Nov 20 16:01:02 UTC 2026,author_id=411,\
             author=Struct{id=411,username=diario_ejemplo,name=Diario Ejemplo,verified=true},lang=es,\
             referenced_tweets=[Struct{type=retweeted,id=2123806069355446392}],\
             edit_history_tweet_ids=[2123808845984694452]}",
            "Struct{id=2123809890366390475,text=Lluvia fuerte esta tarde en el puerto,created_at=Fri Nov 20 16:05:11 UTC 2026,\
             author_id=410,author=Struct{id=410,username=faro_norte,name=Faro Norte,verified=false},lang=es,\
             public_metrics=Struct{retweet_count=1,reply_count=0,like_count=7,quote_count=0,bookmark_count=0,\
             impression_count=210},edit_history_tweet_ids=[2123809890366390475]}",
        ]
    );
    let last = &records[2];
    assert_eq!(last.key, TypedValue::text("2123809890366390475"));
    assert_eq!(
        (last.topic.as_str(), last.timestamp),
        ("posts", Some(1_795_190_711_000))
    );
    assert_eq!(
        headers(last),
        [
            "feed.name=twitter",
            "feed.endpoint=/2/tweets/search/recent",
            "feed.fetched.at=2026-11-20T16:05:11Z",
            "feed.page=0",
            "feed.request.id=tx1"
        ]
    );
    assert!(headers(&records[0]).contains(&"feed.page=1".to_owned()));
}

#[test]
fn the_cursor_moves_once_all_pages_were_handed_over() {
    let records = sampled(&[]);
    let hash = sha256_hex(b"lang:es");
    let partition = format!(r#"{{"feed":"twitter","mode":"recent_search","query_sha256":"{hash}"}}"#);
    let since = weir_fakes::x::posts::id_at(NOW - 65 * MINUTE - 11_000) - 1;
    let offsets: Vec<&str> = records
        .iter()
        .filter_map(|record| record.source_offset.as_deref())
        .collect();
    assert_eq!(
        offsets,
        [
            &format!(r#"{{"since_id":"{since}","handed_to":"2123808250393526422"}}"#),
            &format!(r#"{{"since_id":"{since}","handed_to":"2123808845984694452"}}"#),
            r#"{"since_id":"2123809890366390475"}"#
        ]
    );
    assert!(
        records
            .iter()
            .all(|record| record.source_partition.as_deref() == Some(partition.as_str()))
    );
}

#[test]
fn keys_and_authors_are_as_the_settings_say() {
    let keys = |settings: &[(&str, &str)]| -> Vec<String> {
        let records = sampled(settings);
        records
            .iter()
            .map(|record| format!("{} {}", record.topic, shown(&record.key)))
            .collect()
    };
    assert_eq!(
        keys(&[("twitter.key", "author_id")]),
        ["posts 410", "posts 411", "posts 410"]
    );
    // Without conversation the post's own id.
    assert_eq!(
        keys(&[("twitter.key", "conversation_id")])[0],
        "posts 2123808250393526422"
    );
    assert_eq!(
        keys(&[("twitter.includes", "separate")]),
        [
            "posts.users 410",
            "posts 2123808250393526422",
            "posts.users 411",
            "posts 2123808845984694452",
            "posts 2123809890366390475"
        ]
    );
    let records = sampled(&[
        ("twitter.includes", "separate"),
        ("topic.users", "people"),
        ("twitter.include.raw", "true"),
    ]);
    assert_eq!(records[0].topic, "people");
    assert_eq!(
        shown(&records[0].value),
        "Struct{id=410,username=faro_norte,name=Faro Norte,verified=false}"
    );
    let post = shown(&records[1].value);
    assert!(
        !post.contains("author=") && post.contains(r#"raw={"id":"2123808250393526422""#),
        "{post}"
    );
    assert!(!shown(&sampled(&[("twitter.includes", "drop")])[0].value).contains("author="));
}

#[test]
fn both_spellings_give_the_same_records() {
    let read = |spelling: Spelling, param: &str| -> Vec<String> {
        let config = search_config(&[START, ("twitter.fields.param", param)]);
        let mut bench = Bench::start_with(&config, |service| service.spelling = spelling);
        bench.run_for(HOUR).iter().map(|record| shown(&record.value)).collect()
    };
    let older = read(Spelling::Tweet, "tweet.fields");
    assert!(older.len() > 30 && older.iter().any(|post| post.contains("type=retweeted")));
    assert!(older.iter().all(|post| post.contains("retweet_count=")));
    assert_eq!(read(Spelling::Post, "post.fields"), older);
}

#[test]
fn a_first_run_begins_where_the_settings_say() {
    let first = |start: &str| {
        let mut bench = Bench::start(&search_config(&[
            ("twitter.start", start),
            ("poll.interval.ms", "300000"),
            ("twitter.max.pages.per.cycle", "200"),
        ]));
        let found = ids(&bench.run_for(20 * MINUTE));
        let begins_ms = match start {
            "latest" => NOW - MINUTE,
            "earliest" => NOW - 7 * DAY,
            time => weir_feed::time::parse_rfc3339(time).expect("a time"),
        };
        assert_eq!(
            found,
            bench.truth("lang:es", begins_ms, now_ms())[..found.len()],
            "{start}"
        );
        found.len()
    };
    let (latest, at, earliest) = (first("latest"), first("2026-11-20T10:00:00Z"), first("earliest"));
    assert!(0 < latest && latest < at && at < earliest, "{latest} {at} {earliest}");
}

#[test]
fn a_crash_between_pages_loses_nothing_and_doubles_nothing() {
    let config = search_config(&[START, ("twitter.max.results", "10"), ("records.max.per.poll", "7")]);
    // However many records were handed over before the crash.
    for handed in 0..8 {
        let mut bench = Bench::start_with(&config, |service| service.short_page_every = 3);
        bench.until_requests(SEARCH, 2);
        bench.restart();
        let mut all = Vec::new();
        for _ in 0..handed {
            while let Ok(records) = bench.poll() {
                if !records.is_empty() {
                    arrived(&records);
                    all.extend(ids(&records));
                    break;
                }
            }
        }
        bench.restart();
        let rest = bench.run_for(HOUR);
        all.extend(ids(&rest));
        let truth = bench.truth("lang:es", NOW - 65 * MINUTE - 11_000, now_ms() - 2 * MINUTE);
        assert_eq!(all[..truth.len()], truth, "after {handed}");
    }
}

#[test]
fn too_many_pages_go_on_in_the_next_cycle() {
    let config = search_config(&[
        ("twitter.start", "2026-11-19T16:00:00Z"),
        ("twitter.max.results", "10"),
        ("twitter.max.pages.per.cycle", "3"),
    ]);
    let begins_ms = NOW - DAY - 5 * MINUTE - 11_000;
    let mut bench = Bench::start(&config);
    let first = bench.until_requests(SEARCH, 4);
    assert_eq!(first.len(), 30);
    assert_eq!(bench.pauses(SEARCH)[2], MINUTE, "the interval lies between the parts");
    let old = format!(r#"{{"since_id":"{}"}}"#, weir_fakes::x::posts::id_at(begins_ms) - 1);
    assert!(
        first[..29]
            .iter()
            .all(|record| record.source_offset.as_deref() == Some(old.as_str()))
    );
    let last = first[29].source_offset.as_deref().expect("an offset");
    let newest = ids(&first)[29];
    assert!(
        last.contains(r#""next_token":"p"#) && last.contains(&format!(r#""newest_id":"{newest}""#)),
        "{last}"
    );

    // A crash after the first part goes on with the second one, and one within the second comes back to its start.
    arrived(&first);
    bench.restart();
    let mut found = ids(&first);
    for crashes in [true, false] {
        if crashes {
            let records = bench.until_requests(SEARCH, 8);
            arrived(&records[..5]);
            found.extend(ids(&records[..5]));
            bench.restart();
        } else {
            let records = bench.run_for(3 * HOUR);
            arrived(&records);
            found.extend(ids(&records));
        }
    }
    assert!(offset(&partition("lang:es")).is_some_and(|offset| !offset.contains("next_token")));
    let count = found.len();
    found.sort_unstable();
    found.dedup();
    assert!(count - found.len() <= 5, "{} twice", count - found.len());
    let truth = bench.truth("lang:es", begins_ms, now_ms() - 5 * MINUTE);
    assert_eq!(found[..truth.len()], truth);
}

#[test]
fn a_refused_token_starts_the_cycle_over() {
    let mut bench = Bench::start(&search_config(&[START, ("twitter.max.results", "10")]));
    bench.until_requests(SEARCH, 1);
    bench.answer_next(
        SEARCH,
        weir_fakes::x::problems::invalid_request("next_token", "p", "expired"),
    );
    let found = ids(&bench.run_for(HOUR));
    let truth = bench.truth("lang:es", NOW - 65 * MINUTE - 11_000, now_ms() - 2 * MINUTE);
    assert_eq!(found[..truth.len()], truth);
    assert_eq!(logged("the page's token was refused: the cycle starts over"), 1);
}

#[test]
fn quiet_weeks_are_no_gap() {
    let mut bench = Bench::start_with(&search_config(&[("poll.interval.ms", "3600000")]), |service| {
        service.world.per_mille = 0;
    });
    assert!(bench.run_for(20 * DAY).is_empty());
    assert!(
        bench.requests(SEARCH).iter().all(|arrival| arrival.status == 200),
        "nothing was refused"
    );
    assert!(!warnings().contains("missing"), "{}", warnings());
}

#[test]
fn bad_items_go_where_the_settings_say() {
    let body = json!({
        "data": [{"id": "2123809890366390475", "text": "fine"}, {"id": "5"}],
        "meta": {"newest_id": "2123809890366390475", "result_count": 2},
    });
    let read = |action: &str| {
        let mut bench = Bench::start(&search_config(&[START, ("on.bad.record", action)]));
        bench.answer_next(SEARCH, FakeResponse::json(200, &body));
        bench.poll()
    };
    let error = read("fail").expect_err("a bad item");
    assert_eq!(error.kind, ErrorKind::Data);
    assert!(
        error.message.contains("item 5") && error.message.contains("it has no text"),
        "{error}"
    );
    assert_eq!(ids(&read("skip").expect("skipped")), [2_123_809_890_366_390_475]);
    let records = read("dlq").expect("kept");
    assert_eq!((records[0].topic.as_str(), records.len()), ("posts.dlq", 2));
    assert_eq!(records[0].value, TypedValue::text(r#"{"id":"5"}"#));
}

#[test]
fn edits_are_posts_with_a_history() {
    let mut bench = Bench::start(&search_config(&[("twitter.start", "2026-11-19T16:00:00Z")]));
    let records = bench.run_for(HOUR);
    let edited = records.iter().find(|record| {
        let text = shown(&record.value);
        text.split("edit_history_tweet_ids=")
            .nth(1)
            .is_some_and(|history| history.contains(','))
    });
    let edited = edited.expect("some posts are edited");
    assert!(
        shown(&edited.value).contains(&format!(", {}]", field(edited, 0))),
        "{}",
        shown(&edited.value)
    );
}
