use serde_json::{Value, json};

use crate::places::fake::PlacesFake;
use crate::service::{FakeRequest, Service};

const NOW_MS: i64 = 1_795_334_400_000;

fn get(fake: &mut PlacesFake, path: &str, query: &str, now_ms: i64) -> Value {
    let request = FakeRequest {
        method: "GET".to_owned(),
        path: format!("/maps/api/place/{path}/json"),
        query: query.to_owned(),
        ..FakeRequest::default()
    };
    let response = fake.handle(&request, now_ms);
    assert_eq!(response.status, 200, "the legacy service knows no other");
    serde_json::from_slice(&response.body()).expect("JSON")
}

#[test]
fn each_status_has_its_cause() {
    for (path, query, status, message) in [
        (
            "nearbysearch",
            "location=40.4168,-3.7038&radius=500",
            "REQUEST_DENIED",
            "must use an API key",
        ),
        (
            "nearbysearch",
            "location=40.4168,-3.7038&radius=500&key=wrong",
            "REQUEST_DENIED",
            "invalid",
        ),
        ("nearbysearch", "radius=500&key=k", "INVALID_REQUEST", ""),
        (
            "nearbysearch",
            "location=40.4168,-3.7038&radius=50001&key=k",
            "INVALID_REQUEST",
            "",
        ),
        (
            "nearbysearch",
            "location=40.4168,-3.7038&radius=5&rankby=distance&key=k",
            "INVALID_REQUEST",
            "",
        ),
        ("nearbysearch", "location=0,0&radius=500&key=k", "ZERO_RESULTS", ""),
        ("nearbysearch", "location=40.4168,-3.7038&radius=500&key=k", "OK", ""),
        ("textsearch", "query=&key=k", "INVALID_REQUEST", ""),
        ("textsearch", "query=bar&location=40.4,-3.7&key=k", "OK", ""),
        ("details", "key=k", "INVALID_REQUEST", ""),
        ("details", "place_id=ChIJnone&key=k", "NOT_FOUND", ""),
    ] {
        let body = get(&mut PlacesFake::new(1).with_key("k"), path, query, NOW_MS);
        assert_eq!(body["status"], status, "{path} {query}");
        let text = body["error_message"].as_str().unwrap_or_default();
        assert!(
            text.contains(message) && text.is_empty() == message.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn a_token_is_valid_only_after_two_seconds_and_ignores_the_rest() {
    let mut fake = PlacesFake::new(1);
    let mut seen = Vec::new();
    let mut page = get(
        &mut fake,
        "nearbysearch",
        "location=40.4168,-3.7038&radius=50000&key=k",
        NOW_MS,
    );
    let mut now_ms = NOW_MS;
    loop {
        seen.extend(
            page["results"]
                .as_array()
                .expect("results")
                .iter()
                .map(|place| place["place_id"].to_string()),
        );
        let Some(token) = page.get("next_page_token").and_then(Value::as_str) else {
            break;
        };
        let query = format!("pagetoken={token}&location=0,0&key=k");
        let early = get(&mut fake, "nearbysearch", &query, now_ms + 1999);
        assert_eq!(
            early,
            json!({"html_attributions": [], "results": [], "status": "INVALID_REQUEST"})
        );
        now_ms += 2000;
        page = get(&mut fake, "nearbysearch", &query, now_ms);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 60);
    assert_eq!(
        get(&mut fake, "nearbysearch", "pagetoken=legacy-999&key=k", now_ms)["status"],
        "INVALID_REQUEST"
    );
}

#[test]
fn details_hold_the_fields_asked_for() {
    let mut fake = PlacesFake::new(1);
    let place = fake.world().at(NOW_MS).remove(0);
    let query = format!(
        "place_id={}&fields=place_id,geometry/location,formatted_address&key=k",
        place.id
    );
    let body = get(&mut fake, "details", &query, NOW_MS);
    let fields: Vec<&String> = body["result"].as_object().expect("a result").keys().collect();
    assert_eq!(fields, ["geometry", "place_id", "formatted_address"]);
}

#[test]
fn quotas_answer_over_query_limit() {
    let mut fake = PlacesFake::new(1).with_quota(Some(1), Some(2));
    let query = "location=40.4168,-3.7038&radius=500&key=k";
    assert_eq!(get(&mut fake, "nearbysearch", query, NOW_MS)["status"], "OK");
    let body = get(&mut fake, "nearbysearch", query, NOW_MS);
    assert_eq!(body["status"], "OVER_QUERY_LIMIT");
    assert_eq!(body["error_message"], "You have exceeded your rate-limit for this API.");
    assert_eq!(get(&mut fake, "nearbysearch", query, NOW_MS + 60_000)["status"], "OK");
    let body = get(&mut fake, "nearbysearch", query, NOW_MS + 120_000);
    assert_eq!(
        body["error_message"],
        "You have exceeded your daily request quota for this API."
    );
}
