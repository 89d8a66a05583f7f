use serde_json::{Value, json};

use crate::places::fake::PlacesFake;
use crate::places::world::{CENTER, World};
use crate::service::{FakeRequest, Service};

const NOW_MS: i64 = 1_795_334_400_000;

struct Asked {
    fake: PlacesFake,
    now_ms: i64,
}

impl Asked {
    fn new() -> Self {
        Self {
            fake: PlacesFake::new(1).with_key("k"),
            now_ms: NOW_MS,
        }
    }

    fn post(&mut self, path: &str, mask: &str, body: &Value) -> (u16, Value) {
        self.send(
            "POST",
            path,
            &[("x-goog-api-key", "k"), ("x-goog-fieldmask", mask)],
            body,
        )
    }

    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let headers = headers.iter().filter(|(_, value)| !value.is_empty());
        let request = FakeRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_string().into_bytes(),
            ..FakeRequest::default()
        };
        let response = self.fake.handle(&request, self.now_ms);
        (response.status, serde_json::from_slice(&response.body()).expect("JSON"))
    }
}

fn circle(meters: f64) -> Value {
    json!({"circle": {"center": {"latitude": CENTER.0, "longitude": CENTER.1}, "radius": meters}})
}

fn ids(body: &Value) -> Vec<String> {
    let places = body["places"].as_array().expect("places");
    places
        .iter()
        .map(|place| place["id"].as_str().expect("id").to_owned())
        .collect()
}

#[test]
fn each_refusal_has_its_status_and_text() {
    let text = json!({"textQuery": "bar"});
    let both = json!({"includedTypes": ["bar"], "excludedTypes": ["bar"], "locationRestriction": circle(10.0)});
    let long = json!({"locationRestriction": circle(50_001.0)});
    let key = ("x-goog-api-key", "k");
    for (headers, path, body, code, status, part) in [
        (
            vec![key],
            "searchText",
            &text,
            400,
            "INVALID_ARGUMENT",
            "FieldMask is a required parameter",
        ),
        (
            vec![key, ("x-goog-fieldmask", "places.nonsense")],
            "searchText",
            &text,
            400,
            "INVALID_ARGUMENT",
            "nonsense",
        ),
        (
            vec![key, ("x-goog-fieldmask", "id")],
            "searchText",
            &text,
            400,
            "INVALID_ARGUMENT",
            "path 'id'",
        ),
        (
            vec![key, ("x-goog-fieldmask", "nextPageToken")],
            "searchNearby",
            &both,
            400,
            "INVALID_ARGUMENT",
            "nextPageToken",
        ),
        (
            vec![key, ("x-goog-fieldmask", "places.id")],
            "searchNearby",
            &both,
            400,
            "INVALID_ARGUMENT",
            "both included",
        ),
        (
            vec![key, ("x-goog-fieldmask", "places.id")],
            "searchNearby",
            &long,
            400,
            "INVALID_ARGUMENT",
            "Radius",
        ),
        (
            vec![key, ("x-goog-fieldmask", "places.id")],
            "searchText",
            &json!({}),
            400,
            "INVALID_ARGUMENT",
            "text_query",
        ),
        (
            vec![("x-goog-fieldmask", "places.id")],
            "searchText",
            &text,
            403,
            "PERMISSION_DENIED",
            "API Key",
        ),
        (
            vec![("x-goog-api-key", "wrong")],
            "searchText",
            &text,
            400,
            "INVALID_ARGUMENT",
            "API key not valid",
        ),
    ] {
        let (found, answer) = Asked::new().send("POST", &format!("/v1/places:{path}"), &headers, body);
        assert_eq!(
            (found, answer["error"]["status"].as_str()),
            (code, Some(status)),
            "{part}"
        );
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|text| text.contains(part)),
            "{answer}"
        );
    }
    let (_, answer) = Asked::new().send("POST", "/v1/places:searchText", &[("x-goog-api-key", "no")], &text);
    assert_eq!(answer["error"]["details"][0]["reason"], "API_KEY_INVALID");
}

#[test]
fn nearby_gives_twenty_at_most_and_only_what_the_mask_names() {
    let mut asked = Asked::new();
    let body = json!({"locationRestriction": circle(50_000.0)});
    let (_, answer) = asked.post("/v1/places:searchNearby", "places.id,places.displayName.text", &body);
    assert_eq!(ids(&answer).len(), 20);
    let first = answer["places"][0].as_object().expect("a place");
    assert_eq!(first.keys().collect::<Vec<_>>(), ["id", "displayName"]);
    assert!(first["displayName"].get("languageCode").is_none());
    let (_, answer) = asked.post(
        "/v1/places:searchNearby",
        "places.id",
        &json!({"locationRestriction": circle(0.0)}),
    );
    assert_eq!(answer, json!({}));
}

#[test]
fn text_search_pages_up_to_sixty_and_wants_the_same_request_again() {
    let mut asked = Asked::new();
    let mask = "places.id,nextPageToken";
    let mut body = json!({"textQuery": "point_of_interest"});
    let mut all = Vec::new();
    let mut token = Value::Null;
    for _ in 0..3 {
        body["pageToken"] = token;
        let (_, answer) = asked.post("/v1/places:searchText", mask, &body);
        all.extend(ids(&answer));
        token = answer["nextPageToken"].clone();
        asked.now_ms += 1000;
    }
    assert!(token.is_null());
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (60, 60));

    let (_, first) = asked.post("/v1/places:searchText", mask, &json!({"textQuery": "bar"}));
    let other = json!({"textQuery": "bar", "languageCode": "en", "pageToken": first["nextPageToken"]});
    let (code, answer) = asked.post("/v1/places:searchText", mask, &other);
    assert_eq!(
        (code, answer["error"]["status"].as_str()),
        (400, Some("INVALID_ARGUMENT"))
    );
    let (_, answer) = asked.post("/v1/places:searchText", "places.id", &json!({"textQuery": "bar"}));
    assert!(answer.get("nextPageToken").is_none(), "not asked for");
}

#[test]
fn restrictions_hold_and_wrap_around() {
    let mut asked = Asked::new();
    let between = |west: f64, east: f64| {
        json!({"textQuery": "point_of_interest", "locationRestriction": {"rectangle":
            {"low": {"latitude": 40.0, "longitude": west}, "high": {"latitude": 41.0, "longitude": east}}}})
    };
    let (_, inside) = asked.post("/v1/places:searchText", "places.id", &between(-4.0, -3.0));
    assert_eq!(ids(&inside).len(), 20);
    let (_, outside) = asked.post("/v1/places:searchText", "places.id", &between(170.0, 175.0));
    assert_eq!(outside, json!({}));
    let (_, around) = asked.post("/v1/places:searchText", "places.id", &between(170.0, -3.0));
    assert_eq!(ids(&around).len(), 20);
}

#[test]
fn details_are_found_until_the_place_is_gone() {
    let mut asked = Asked::new();
    let place = asked.fake.world().at(NOW_MS).remove(0);
    let headers = [("x-goog-api-key", "k"), ("x-goog-fieldmask", "id,rating")];
    let (code, answer) = asked.send("GET", &format!("/v1/places/{}", place.id), &headers, &Value::Null);
    assert_eq!((code, answer["id"].as_str()), (200, Some(place.id.as_str())));
    asked.fake = PlacesFake::new(1).with_world(World::new(99, 3));
    let (code, answer) = asked.send("GET", &format!("/v1/places/{}", place.id), &headers, &Value::Null);
    assert_eq!((code, answer["error"]["status"].as_str()), (404, Some("NOT_FOUND")));
}

#[test]
fn quotas_say_which_one_is_used_up() {
    let mut asked = Asked::new();
    asked.fake = PlacesFake::new(1).with_quota(Some(1), Some(2));
    let body = json!({"locationRestriction": circle(100.0)});
    let ask = |asked: &mut Asked| asked.post("/v1/places:searchNearby", "places.id", &body);
    assert_eq!(ask(&mut asked).0, 200);
    let (code, answer) = ask(&mut asked);
    assert_eq!(
        (code, answer["error"]["status"].as_str()),
        (429, Some("RESOURCE_EXHAUSTED"))
    );
    assert!(answer.to_string().contains("per minute"));
    asked.now_ms += 60_000;
    assert_eq!(ask(&mut asked).0, 200);
    asked.now_ms += 60_000;
    assert!(ask(&mut asked).1.to_string().contains("per day"));
    assert_eq!(asked.fake.requests_by_day().values().sum::<u32>(), 2);
}
