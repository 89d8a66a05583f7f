//! The legacy web service: nearby search, text search, details
//!
//! Always HTTP 200; what happened stands in `status`. A page token is valid two seconds after the page that gave it.

use serde_json::{Map, Value, json};

use crate::places::fake::PlacesFake;
use crate::places::quota::Exceeded;
use crate::places::search::{Continuation, LEGACY_DELAY_MS, PAGE_PLACES, Place, Query};
use crate::places::world::WorldPlace;
use crate::service::{FakeRequest, FakeResponse};

const MAX_RADIUS_METERS: f64 = 50_000.0;

/// A status other than `OK`, and its message.
struct Refusal(&'static str, Option<&'static str>);

pub(super) fn handle(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> FakeResponse {
    let is_details = request.path.ends_with("/details/json");
    let body = answer(fake, request, now_ms).unwrap_or_else(|Refusal(status, message)| {
        let mut body = json!({"html_attributions": []});
        if !is_details {
            body["results"] = json!([]);
        }
        if let Some(message) = message {
            body["error_message"] = message.into();
        }
        body["status"] = status.into();
        body
    });
    FakeResponse::json(200, &body)
}

fn answer(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    match (request.query_param("key").filter(|key| !key.is_empty()), &fake.key) {
        (None, _) => {
            let text = "You must use an API key to authenticate each request to Google Maps Platform APIs.";
            return Err(Refusal("REQUEST_DENIED", Some(text)));
        }
        (Some(given), Some(known)) if given != *known => {
            return Err(Refusal("REQUEST_DENIED", Some("The provided API key is invalid.")));
        }
        (Some(_), _) => {}
    }
    fake.quota.take(now_ms).map_err(|exceeded| {
        let text = match exceeded {
            Exceeded::PerMinute => "You have exceeded your rate-limit for this API.",
            Exceeded::PerDay => "You have exceeded your daily request quota for this API.",
        };
        Refusal("OVER_QUERY_LIMIT", Some(text))
    })?;
    match request.path.as_str() {
        "/maps/api/place/nearbysearch/json" => search(fake, request, now_ms, nearby_query),
        "/maps/api/place/textsearch/json" => search(fake, request, now_ms, text_query),
        "/maps/api/place/details/json" => details(fake, request, now_ms),
        _ => Err(Refusal("INVALID_REQUEST", None)),
    }
}

fn search(
    fake: &mut PlacesFake,
    request: &FakeRequest,
    now_ms: i64,
    query_of: fn(&FakeRequest) -> Result<Query, Refusal>,
) -> Result<Value, Refusal> {
    let page = match request.query_param("pagetoken") {
        // All other parameters are ignored.
        Some(token) => {
            let known = fake.tokens.find(&token, now_ms);
            known
                .filter(|page| now_ms - page.issued_ms >= LEGACY_DELAY_MS)
                .ok_or(Refusal("INVALID_REQUEST", None))?
        }
        None => {
            let query = query_of(request)?;
            Continuation {
                query,
                said: String::new(),
                first_ms: now_ms,
                issued_ms: now_ms,
                skip: 0,
            }
        }
    };
    let found = page.query.run(&fake.places_at(page.first_ms));
    if found.is_empty() {
        return Err(Refusal("ZERO_RESULTS", None));
    }
    let end = (page.skip + PAGE_PLACES).min(found.len());
    let results: Vec<Value> = found
        .get(page.skip..end)
        .unwrap_or_default()
        .iter()
        .map(result)
        .collect();
    let mut answer = json!({"html_attributions": [], "results": results, "status": "OK"});
    if end < found.len() {
        let next = Continuation {
            skip: end,
            issued_ms: now_ms,
            ..page
        };
        answer["next_page_token"] = fake.tokens.issue("legacy", next).into();
    }
    Ok(answer)
}

fn nearby_query(request: &FakeRequest) -> Result<Query, Refusal> {
    let (lat, lng) = location(request).ok_or(Refusal("INVALID_REQUEST", None))?;
    let radius = request
        .query_param("radius")
        .and_then(|radius| radius.parse::<f64>().ok());
    let is_by_distance = request.query_param("rankby").as_deref() == Some("distance");
    let place = match radius {
        Some(meters) if !is_by_distance && (0.0..=MAX_RADIUS_METERS).contains(&meters) => {
            Place::Within { lat, lng, meters }
        }
        None if is_by_distance => Place::Around { lat, lng },
        Some(_) | None => return Err(Refusal("INVALID_REQUEST", None)),
    };
    let text = request.query_param("keyword").filter(|word| !word.is_empty());
    Ok(Query {
        text,
        place,
        included: kind(request),
        excluded: Vec::new(),
    })
}

fn text_query(request: &FakeRequest) -> Result<Query, Refusal> {
    let text = request
        .query_param("query")
        .filter(|text| !text.is_empty())
        .ok_or(Refusal("INVALID_REQUEST", None))?;
    let place = match location(request) {
        Some((lat, lng)) => Place::Around { lat, lng },
        None => Place::Anywhere,
    };
    Ok(Query {
        text: Some(text),
        place,
        included: kind(request),
        excluded: Vec::new(),
    })
}

fn kind(request: &FakeRequest) -> Vec<String> {
    request
        .query_param("type")
        .filter(|kind| !kind.is_empty())
        .into_iter()
        .collect()
}

fn location(request: &FakeRequest) -> Option<(f64, f64)> {
    let text = request.query_param("location")?;
    let (lat, lng) = text.split_once(',')?;
    Some((lat.trim().parse().ok()?, lng.trim().parse().ok()?))
}

fn details(fake: &PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    let id = request
        .query_param("place_id")
        .filter(|id| !id.is_empty())
        .ok_or(Refusal("INVALID_REQUEST", None))?;
    let place = fake.world.find(&id, now_ms).ok_or(Refusal("NOT_FOUND", None))?;
    let mut whole = result(&place);
    if let Some(fields) = whole.as_object_mut() {
        fields.insert("formatted_address".to_owned(), place.address.clone().into());
        fields.insert("utc_offset".to_owned(), 60.into());
        fields.insert(
            "url".to_owned(),
            format!("https://maps.google.com/?cid={}", place.popularity).into(),
        );
        if let Some(wanted) = request.query_param("fields") {
            let wanted: Vec<&str> = wanted.split(',').filter_map(|path| path.split('/').next()).collect();
            fields.retain(|name, _| wanted.contains(&name.as_str()));
        }
    }
    Ok(json!({"html_attributions": [], "result": whole, "status": "OK"}))
}

fn result(place: &WorldPlace) -> Value {
    let mut json: Map<String, Value> = Map::new();
    json.insert("business_status".to_owned(), place.business.as_str().into());
    json.insert(
        "geometry".to_owned(),
        json!({"location": {"lat": place.lat, "lng": place.lng}}),
    );
    json.insert("name".to_owned(), place.name.clone().into());
    json.insert("place_id".to_owned(), place.id.clone().into());
    if let Some(level) = place.price_level {
        json.insert("price_level".to_owned(), level.into());
    }
    if let Some(tenths) = place.rating_tenths {
        json.insert("rating".to_owned(), (f64::from(tenths) / 10.0).into());
    }
    json.insert("types".to_owned(), json!(place.types));
    if place.rating_count > 0 {
        json.insert("user_ratings_total".to_owned(), place.rating_count.into());
    }
    json.insert("vicinity".to_owned(), place.address.clone().into());
    Value::Object(json)
}

#[cfg(test)]
mod tests;
