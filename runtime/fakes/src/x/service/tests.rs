use serde_json::Value;

use super::*;
use crate::x::posts::{id_at, time_of};

const NOW: i64 = 1_795_190_711_000;
const HOUR: i64 = 3_600_000;

fn get(path: &str, query: &str) -> FakeRequest {
    FakeRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![("authorization".to_owned(), "Bearer t".to_owned())],
        body: Vec::new(),
    }
}

fn asked(service: &mut XService, path: &str, query: &str, now_ms: i64) -> (u16, Value) {
    let response = service.handle(&get(path, query), now_ms);
    (
        response.status,
        serde_json::from_slice(&response.body()).unwrap_or_default(),
    )
}

fn ids(body: &Value) -> Vec<u64> {
    let data = body["data"].as_array().cloned().unwrap_or_default();
    data.iter()
        .map(|post| post["id"].as_str().unwrap_or("0").parse().unwrap_or(0))
        .collect()
}

fn all_pages(service: &mut XService, path: &str, query: &str, now_ms: i64) -> (Vec<u64>, usize) {
    let (mut found, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let (status, body) = asked(service, path, &format!("{query}{token}"), now_ms);
        assert_eq!(status, 200, "{body}");
        found.extend(ids(&body));
        pages += 1;
        match body["meta"]["next_token"].as_str() {
            Some(next) => token = format!("&pagination_token={next}"),
            None => return (found, pages),
        }
    }
}

#[test]
fn search_pages_hold_the_truth_newest_first() {
    let mut service = XService::new(1);
    let since = id_at(NOW - 5 * HOUR);
    let query = format!("query=lang:es&max_results=10&since_id={since}");
    let (mut found, pages) = all_pages(&mut service, "/2/tweets/search/recent", &query, NOW);
    assert!(found.is_sorted_by(|a, b| a > b));
    found.reverse();
    let truth = service.truth(&Query::parse("lang:es"), NOW - 5 * HOUR, NOW - service.search_lag_ms);
    assert_eq!(found, truth.iter().map(|post| post.id).collect::<Vec<_>>());
    assert!(pages > truth.len().div_ceil(10), "some pages are short: {pages}");
}

#[test]
fn search_refuses_what_x_refuses() {
    let mut service = XService::new(1);
    let old = id_at(NOW - 8 * 24 * HOUR);
    for (query, named) in [
        ("max_results=10", "query"),
        ("query=a&max_results=9", "max_results"),
        ("query=a&start_time=2026-11-01T00:00:00Z", "start_time"),
        ("query=a&start_time=2027-11-01T00:00:00Z", "start_time"),
        (&format!("query=a&since_id={old}"), "since_id"),
        ("query=a&next_token=zz", "next_token"),
    ] {
        let (status, body) = asked(&mut service, "/2/tweets/search/recent", query, NOW);
        assert_eq!(status, 400, "{query}");
        assert!(body["errors"][0]["parameters"][named].is_array(), "{query}: {body}");
    }
}

#[test]
fn limits_are_counted_by_endpoint_and_window() {
    let mut service = XService::new(1);
    service.limits.insert(Endpoint::Search, 2);
    for (after_ms, status) in [(0, 200), (1, 200), (2, 429), (15 * 60_000 - 1, 429), (15 * 60_000, 200)] {
        let response = service.handle(&get("/2/tweets/search/recent", "query=a"), NOW + after_ms);
        assert_eq!(response.status, status, "after {after_ms}");
    }
    assert_eq!(asked(&mut service, "/2/users/410/tweets", "", NOW).0, 200);
}

#[test]
fn tokens_are_given_for_key_and_secret() {
    let mut service = XService::new(1);
    service.bearers = Some(Vec::new());
    service.app = Some(("key".to_owned(), "se/cret".to_owned()));
    let mut request = FakeRequest {
        method: "POST".to_owned(),
        path: "/oauth2/token".to_owned(),
        body: b"grant_type=client_credentials".to_vec(),
        // key:se%2Fcret
        headers: vec![("authorization".to_owned(), "Basic a2V5OnNlJTJGY3JldA==".to_owned())],
        ..FakeRequest::default()
    };
    assert_eq!(asked(&mut service, "/2/users/410/tweets", "", NOW).0, 401);
    let minted: Value = serde_json::from_slice(&service.handle(&request, NOW).body()).expect("JSON");
    let token = minted["access_token"].as_str().expect("a token").to_owned();
    let mut asking = get("/2/users/410/tweets", "");
    asking.headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    assert_eq!(service.handle(&asking, NOW).status, 200);
    service.revoke_minted();
    assert_eq!(service.handle(&asking, NOW).status, 401);
    request.headers = vec![("authorization".to_owned(), "Basic a2V5OnNl".to_owned())];
    assert_eq!(service.handle(&request, NOW).status, 403);
}

#[test]
fn a_stream_brings_what_is_written_while_it_lasts() {
    let mut service = XService::new(3);
    assert_eq!(asked(&mut service, "/2/tweets/search/stream", "", NOW).0, 409);
    service.rules.add("lang:es", Some("castellano"));
    service.end_next_stream(2 * HOUR.unsigned_abs(), Ending::Disconnect);
    service.stream.delay_ms = 0;
    let response = service.handle(&get("/2/tweets/search/stream", "tweet.fields=lang"), NOW);
    let text = String::from_utf8(response.body()).expect("whole lines are text");
    let mut found: Vec<u64> = Vec::new();
    for line in text.split("\r\n") {
        if let Ok(item) = serde_json::from_str::<Value>(line)
            && let Some(id) = item["data"]["id"].as_str()
        {
            assert_eq!(item["matching_rules"][0]["tag"], "castellano");
            found.push(id.parse().expect("an id"));
        }
    }
    let with_doubles = found.len();
    found.sort_unstable();
    found.dedup();
    assert!(found.len() < with_doubles, "some come twice");
    let truth = service.truth(&Query::parse("lang:es"), NOW, NOW + 2 * HOUR);
    assert_eq!(found, truth.iter().map(|post| post.id).collect::<Vec<_>>());
    assert!(text.contains("\r\n\r\n"), "keep-alives");
    assert!(text.trim_end().ends_with("]}"), "an error at the end");
    assert!(found.iter().all(|id| time_of(*id) >= NOW));
}

#[test]
fn users_are_found_by_name_and_may_be_absent() {
    let mut service = XService::new(1);
    let (_, body) = asked(
        &mut service,
        "/2/users/by/username/FARO_norte",
        "user.fields=verified",
        NOW,
    );
    assert_eq!(body["data"]["id"], "410");
    let (status, body) = asked(&mut service, "/2/users/by/username/nobody", "", NOW);
    assert_eq!(
        (status, body["errors"][0]["title"].as_str()),
        (200, Some("Not Found Error"))
    );
    service.absent.insert(410, Absence::Suspended);
    assert_eq!(asked(&mut service, "/2/users/410/tweets", "", NOW).0, 403);
    service.absent.insert(410, Absence::Protected);
    let (status, body) = asked(&mut service, "/2/users/410/tweets", "", NOW);
    assert_eq!(
        (status, body["errors"][0]["title"].as_str()),
        (200, Some("Authorization Error"))
    );
}

#[test]
fn timelines_reach_back_3200_posts() {
    let mut service = XService::new(1);
    let (found, _) = all_pages(&mut service, "/2/users/410/tweets", "max_results=100", NOW);
    assert_eq!(found.len(), 3200);
}

#[test]
fn both_spellings_are_written() {
    let mut service = XService::new(1);
    let query = "query=a&max_results=50&tweet.fields=public_metrics,referenced_tweets";
    let (_, body) = asked(&mut service, "/2/tweets/search/recent", query, NOW);
    assert!(body["data"][0]["public_metrics"]["retweet_count"].is_u64());
    service.spelling = Spelling::Post;
    let (_, body) = asked(&mut service, "/2/tweets/search/recent", query, NOW);
    assert!(body["data"][0]["public_metrics"]["repost_count"].is_u64());
    assert!(body["data"][0]["edit_history_post_ids"].is_array());
}
