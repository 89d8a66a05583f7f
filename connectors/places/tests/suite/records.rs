//! What the records hold: sample payloads to the last column, headers, offsets, changes, tombstones, and no key

use weir_feed::testing::outputs;
use weir_places::task::PlacesSourceTask;
use weir_sdk::api::data::text::push_text;
use weir_sdk::api::data::validate::validate_value;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::source::SourceTask as _;
use weir_sdk::testing::with_host;

use crate::support::{KEY, NOON_MS, answer, column, config, drive, logged, poll_for, serve, text};

const MINUTE_MS: i64 = 60_000;
const TEXT_PAGE: &str = r#"{"places":[{"id":"ChIJtest0001","name":"places/ChIJtest0001","displayName":{"text":"Café de Prueba","languageCode":"es"},"formattedAddress":"Calle Falsa 1, 28000 Madrid","location":{"latitude":40.4170,"longitude":-3.7030},"types":["cafe","food","point_of_interest"],"businessStatus":"OPERATIONAL","rating":4.3,"userRatingCount":120,"priceLevel":"PRICE_LEVEL_MODERATE"},{"id":"ChIJtest0002","displayName":{"text":"Bar Sin Dirección"},"types":["bar"],"businessStatus":"CLOSED_TEMPORARILY"}],"nextPageToken":"tok-2"}"#;
const TEXT_PAGE_2: &str = r#"{"places":[{"id":"ChIJtest0003","displayName":{"text":"Librería Ejemplo","languageCode":"es"},"location":{"latitude":40.4180,"longitude":-3.7010}}]}"#;
const LEGACY_PAGE: &str = r#"{"html_attributions":[],"results":[{"business_status":"OPERATIONAL","geometry":{"location":{"lat":40.4170,"lng":-3.7030}},"name":"Café de Prueba","place_id":"ChIJtest0001","price_level":2,"rating":4.3,"types":["cafe"],"user_ratings_total":120,"vicinity":"Calle Falsa 1"}],"status":"OK"}"#;

fn shown(record: &SourceRecord) -> String {
    if let Some(schema) = &record.value.schema {
        validate_value(schema, &record.value.value).expect("fits its schema");
    }
    let mut shown = String::new();
    push_text(&mut shown, None, &record.value.value).expect("printable");
    format!("{} = {shown}", text(&record.key.value))
}

fn headers(record: &SourceRecord) -> Vec<String> {
    record
        .headers
        .iter()
        .map(|header| format!("{}={}", header.name, text(&header.value.value)))
        .collect()
}

#[test]
fn the_sample_text_search_becomes_these_records() {
    let fields = "displayName,formattedAddress,location,types,businessStatus,rating,userRatingCount,priceLevel";
    let config = config(&[
        ("places.mode", "text"),
        ("places.text.queries", "prueba"),
        ("places.fields", fields),
    ]);
    let requests = serve(&config, vec![answer(200, TEXT_PAGE), answer(200, TEXT_PAGE_2)]);
    let driven = drive(&config, MINUTE_MS);
    let records: Vec<String> = driven.places().into_iter().map(shown).collect();
    assert_eq!(
        records,
        [
            "ChIJtest0001 = Struct{id=ChIJtest0001,fetched_at=Sun Nov 22 20:00:00 UTC 2026,query=prueba,\
             cell=40.416800,-3.703800,1000,name=Café de Prueba,name_lang=es,address=Calle Falsa 1, 28000 Madrid,\
             lat=40.417,lng=-3.703,types=[cafe, food, point_of_interest],business_status=OPERATIONAL,rating=4.3,\
             rating_count=120,price_level=2}",
            "ChIJtest0002 = Struct{id=ChIJtest0002,fetched_at=Sun Nov 22 20:00:00 UTC 2026,query=prueba,\
             cell=40.416800,-3.703800,1000,name=Bar Sin Dirección,types=[bar],business_status=CLOSED_TEMPORARILY}",
            "ChIJtest0003 = Struct{id=ChIJtest0003,fetched_at=Sun Nov 22 20:00:00 UTC 2026,query=prueba,\
             cell=40.416800,-3.703800,1000,name=Librería Ejemplo,name_lang=es,lat=40.418,lng=-3.701}",
        ]
    );
    let last = driven.places()[2];
    assert_eq!(
        headers(last),
        [
            "feed.name=places",
            "feed.endpoint=/v1/places:searchText",
            "feed.fetched.at=2026-11-22T20:00:00Z",
            "feed.page=1"
        ]
    );
    assert_eq!((last.timestamp, last.topic.as_str()), (Some(NOON_MS), "places"));
    assert_eq!(
        last.source_offset.as_deref(),
        Some(r#"{"cycle":0,"done":false}"#),
        "the search is not over before"
    );
    let second = String::from_utf8(requests.borrow()[1].1.body.clone()).expect("JSON");
    assert!(second.contains(r#""pageToken":"tok-2""#), "{second}");
}

#[test]
fn the_sample_legacy_search_becomes_this_record() {
    let fields = "displayName,formattedAddress,location,types,businessStatus,rating,userRatingCount,priceLevel";
    let config = config(&[("places.api", "legacy"), ("places.fields", fields)]);
    serve(&config, vec![answer(200, LEGACY_PAGE)]);
    let records: Vec<String> = drive(&config, MINUTE_MS).places().into_iter().map(shown).collect();
    assert_eq!(
        records,
        [
            "ChIJtest0001 = Struct{id=ChIJtest0001,fetched_at=Sun Nov 22 20:00:00 UTC 2026,cell=40.416800,-3.703800,1000,\
          name=Café de Prueba,address=Calle Falsa 1,lat=40.417,lng=-3.703,types=[cafe],business_status=OPERATIONAL,\
          rating=4.3,rating_count=120,price_level=2}"
        ]
    );
}

#[test]
fn without_accepted_terms_ids_alone_are_asked_for_and_written() {
    let config = config(&[
        ("places.store", "ids"),
        ("places.accept.terms", "false"),
        ("places.included.types", "cafe,bar"),
    ]);
    let requests = serve(&config, vec![answer(200, r#"{"places":[{"id":"ChIJa"}]}"#)]);
    let driven = drive(&config, MINUTE_MS);
    let [record] = driven.places()[..] else {
        panic!("one place")
    };
    assert_eq!(
        shown(record),
        "ChIJa = Struct{id=ChIJa,fetched_at=Sun Nov 22 20:00:00 UTC 2026,query=cafe,bar,cell=40.416800,-3.703800,1000}"
    );
    let schema = record.value.schema.as_ref().expect("a schema");
    let names: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        (schema.name.as_deref(), names),
        (
            Some("weir.feeds.places.Place"),
            vec!["id", "fetched_at", "query", "cell"]
        )
    );
    let mask = |at: usize| {
        requests.borrow()[at]
            .1
            .headers
            .iter()
            .find(|(name, _)| name == "x-goog-fieldmask")
            .cloned()
    };
    assert_eq!(mask(0).map(|(_, mask)| mask).as_deref(), Some("places.id"));
}

#[test]
fn offsets_hold_cycle_time_and_the_places_known() {
    let config = config(&[]);
    serve(
        &config,
        vec![answer(200, r#"{"places":[{"id":"ChIJa","rating":4.0}]}"#)],
    );
    let driven = drive(&config, MINUTE_MS);
    let search = driven.searches()[0];
    let partition = search.source_partition.as_deref().expect("a partition");
    assert!(
        partition.starts_with(r#"{"feed":"places","mode":"nearby","cell":"40.416800,-3.703800,1000","q":""#),
        "{partition}"
    );
    let offset = search.source_offset.as_deref().expect("an offset");
    assert!(
        offset.starts_with(r#"{"cycle":1,"done":true,"at":"2026-11-22T20:00:00Z","places":"ChIJa:"#),
        "{offset}"
    );
    assert!(offset.ends_with(r#":1"}"#), "{offset}");
    assert_eq!(text(&search.key.value), partition);
    let budget = driven.records.first().expect("the block of the budget comes first");
    assert_eq!(
        budget.source_partition.as_deref(),
        Some(r#"{"feed":"places","budget":0}"#)
    );
    assert_eq!(
        budget.source_offset.as_deref(),
        Some(r#"{"day":"2026-11-22","used":50}"#)
    );
}

#[test]
fn a_place_is_written_again_when_its_value_changed_or_all_are_wanted() {
    let page = |rating: &str| answer(200, &format!(r#"{{"places":[{{"id":"ChIJa","rating":{rating}}}]}}"#));
    let pages = || vec![page("4.0"), page("4.0"), page("4.1"), page("4.1")];
    let interval = ("poll.interval.ms", "60000");
    for (emit, ratings) in [("changes", "4 4.1"), ("all", "4 4 4.1 4.1")] {
        let config = config(&[interval, ("places.emit", emit)]);
        serve(&config, pages());
        let driven = drive(&config, 4 * MINUTE_MS - 1000);
        let found: Vec<String> = driven
            .places()
            .into_iter()
            .map(|record| format!("{:?}", column(record, "rating")))
            .collect();
        let expected: Vec<String> = ratings
            .split(' ')
            .map(|rating| format!("Float64({:?})", rating.parse::<f64>().expect("a number")))
            .collect();
        assert_eq!(found, expected, "{emit}");
    }
}

#[test]
fn a_place_found_in_two_cells_is_written_once_a_cycle() {
    let config = config(&[
        ("places.area", "40.41,-3.71,40.42,-3.69"),
        ("places.cell.meters", "1000"),
        ("places.emit", "all"),
    ]);
    let page = || answer(200, r#"{"places":[{"id":"ChIJa"},{"id":"ChIJb"}]}"#);
    let requests = serve(&config, std::iter::repeat_with(page).take(9).collect());
    let driven = drive(&config, MINUTE_MS);
    assert!(requests.borrow().len() > 2);
    assert_eq!(driven.keys(), ["ChIJa", "ChIJb"]);
}

#[test]
fn a_place_missing_for_three_cycles_or_closed_for_good_gets_one_tombstone() {
    let page = |items: &str| answer(200, &format!(r#"{{"places":[{items}]}}"#));
    let both = r#"{"id":"ChIJa"},{"id":"ChIJb","businessStatus":"OPERATIONAL"}"#;
    let closed = r#"{"id":"ChIJb","businessStatus":"CLOSED_PERMANENTLY"}"#;
    let pages = || {
        let mut pages = vec![page(both), page(closed), page(closed), page(closed)];
        pages.extend(std::iter::repeat_with(|| page(closed)).take(3));
        pages.push(page(both));
        pages
    };
    let interval = ("poll.interval.ms", "60000");
    let wanted = config(&[interval, ("emit.tombstones", "true")]);
    serve(&wanted, pages());
    let driven = drive(&wanted, 8 * MINUTE_MS - 1000);
    let seen: Vec<String> = driven
        .places()
        .into_iter()
        .map(|record| {
            format!(
                "{}{}",
                if record.value.value.is_null() { "-" } else { "+" },
                text(&record.key.value)
            )
        })
        .collect();
    assert_eq!(seen, ["+ChIJa", "+ChIJb", "-ChIJb", "-ChIJa", "+ChIJa", "+ChIJb"]);
    let gone = driven.places()[3];
    assert_eq!(
        gone.timestamp,
        Some(NOON_MS + 3 * MINUTE_MS),
        "not met in the second, third and fourth cycle"
    );
    assert!(gone.value.schema.is_none() && gone.source_partition.is_some());

    let unwanted = config(&[interval]);
    serve(&unwanted, pages());
    let driven = drive(&unwanted, 8 * MINUTE_MS - 1000);
    assert!(driven.places().into_iter().all(|record| !record.value.value.is_null()));
    assert!(driven.keys().contains(&"ChIJb".to_owned()));
}

#[test]
fn an_unfinished_search_says_nothing_about_its_places() {
    let interval = ("poll.interval.ms", "60000");
    let config = config(&[
        interval,
        ("emit.tombstones", "true"),
        ("places.mode", "text"),
        ("places.text.queries", "a"),
    ]);
    let first = answer(200, r#"{"places":[{"id":"ChIJa"},{"id":"ChIJb"}]}"#);
    let half = || answer(200, r#"{"places":[{"id":"ChIJa"}],"nextPageToken":"t"}"#);
    let refused = || answer(400, r#"{"error":{"status":"INVALID_ARGUMENT","message":"token"}}"#);
    let mut answers = vec![first];
    for _ in 0..5 {
        answers.extend([half(), refused()]);
    }
    serve(&config, answers);
    let driven = drive(&config, 6 * MINUTE_MS - 1000);
    assert_eq!(driven.keys(), ["ChIJa", "ChIJb"], "no tombstone");
    assert_eq!(driven.searches().len(), 6);
}

#[test]
fn a_full_cell_is_cut_in_four_and_the_cut_is_remembered() {
    let twenty: Vec<String> = (0..20).map(|n| format!(r#"{{"id":"ChIJ{n}"}}"#)).collect();
    let full = format!(r#"{{"places":[{}]}}"#, twenty.join(","));
    let config = config(&[("poll.interval.ms", "60000")]);
    let requests = serve(&config, vec![answer(200, &full)]);
    let mut task = PlacesSourceTask::default();
    task.start(SourceTaskContext::default(), &config).expect("starts");
    let driven = poll_for(&mut task, 2 * MINUTE_MS - 1000);
    assert_eq!(driven.keys().len(), 20);
    assert_eq!(
        requests.borrow().len(),
        1 + 4 + 4,
        "the second cycle goes to the parts at once"
    );
    assert!(logged().contains("a full cell is cut in four"));
    let split = driven.searches()[0].source_offset.clone().expect("an offset");
    assert!(split.contains(r#""split":true"#), "{split}");

    // After a restart, too.
    let driven = drive(&config, 2 * MINUTE_MS);
    assert!(driven.error.is_none());
    assert!(
        requests
            .borrow()
            .iter()
            .skip(9)
            .all(|(_, request)| !String::from_utf8_lossy(&request.body).contains("500.0"))
    );
    assert!(requests.borrow().len() >= 13);

    let whole = crate::support::config(&[("places.cell.split.when.full", "false")]);
    let requests = serve(&whole, vec![answer(200, &full)]);
    let driven = drive(&whole, MINUTE_MS);
    assert_eq!((requests.borrow().len(), driven.keys().len()), (1, 20));
    assert_eq!(
        format!("{:?}", column(driven.searches()[0], "complete")),
        "Boolean(false)"
    );
}

#[test]
fn the_rest_of_a_search_waits_for_the_next_poll() {
    let fifteen: Vec<String> = (0..15).map(|n| format!(r#"{{"id":"ChIJ{n}"}}"#)).collect();
    let config = config(&[("records.max.per.poll", "4")]);
    serve(
        &config,
        vec![answer(200, &format!(r#"{{"places":[{}]}}"#, fifteen.join(",")))],
    );
    let mut task = PlacesSourceTask::default();
    task.start(SourceTaskContext::default(), &config).expect("starts");
    let mut sizes = Vec::new();
    while let Some(records) = task.poll(weir_feed::testing::BUDGET).expect("polls") {
        sizes.push(records.len());
    }
    assert_eq!(sizes, [1, 4, 4, 4, 4], "the block, then 15 places and their progress");
}

#[test]
fn the_key_is_in_no_output() {
    let echo = format!(r#"{{"error":{{"code":503,"status":"UNAVAILABLE","message":"key {KEY} of {KEY}"}}}}"#);
    let denied = format!(r#"{{"error":{{"code":403,"status":"PERMISSION_DENIED","message":"key {KEY}"}}}}"#);
    let legacy = format!(r#"{{"status":"OVER_QUERY_LIMIT","error_message":"for key {KEY}"}}"#);
    let skipped = format!(r#"{{"error":{{"code":400,"status":"INVALID_ARGUMENT","message":"{KEY}"}}}}"#);
    let page = r#"{"places":[{"id":"ChIJa"}],"nextPageToken":"t"}"#;
    let text_mode = [("places.mode", "text"), ("places.text.queries", "a")];
    for (changes, answers) in [
        (vec![], vec![answer(503, &echo), answer(403, &denied)]),
        (
            vec![("places.api", "legacy")],
            vec![
                answer(200, &legacy),
                answer(200, &legacy),
                answer(500, KEY),
                answer(404, KEY),
            ],
        ),
        (
            text_mode.to_vec(),
            vec![answer(200, page), answer(400, &skipped), answer(400, &skipped)],
        ),
        (
            vec![("places.max.requests.per.day", "1"), ("poll.interval.ms", "1000")],
            vec![answer(200, page)],
        ),
    ] {
        let config = config(&changes);
        let requests = serve(&config, answers);
        let driven = drive(&config, 6 * 60 * MINUTE_MS);
        let sent = requests
            .borrow()
            .iter()
            .any(|(_, request)| request.query.contains(KEY) || request.headers.iter().any(|(_, value)| value == KEY));
        assert!(sent, "the service gets it");
        let mut all = outputs(&driven.records);
        if let Some(error) = &driven.error {
            all.push_str(&error.trace_text());
        }
        assert!(!all.contains(KEY), "{changes:?}: {all}");
        assert!(!all.contains("marker-key"), "{changes:?}");
    }
    assert!(with_host(|host| !host.lines.is_empty()));
}
