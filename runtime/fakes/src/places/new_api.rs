//! Places API (New): text search, nearby search, details
//!
//! A field mask is demanded and its paths are checked; errors come in Google's envelope.

use serde_json::{Map, Value, json};

use crate::places::fake::PlacesFake;
use crate::places::quota::Exceeded;
use crate::places::search::{Continuation, PAGE_PLACES, Place, Query};
use crate::places::world::WorldPlace;
use crate::service::{FakeRequest, FakeResponse};

/// Fields of a place that a mask may name.
const FIELDS: [&str; 26] = [
    "id",
    "name",
    "displayName",
    "formattedAddress",
    "shortFormattedAddress",
    "addressComponents",
    "location",
    "viewport",
    "types",
    "primaryType",
    "primaryTypeDisplayName",
    "businessStatus",
    "rating",
    "userRatingCount",
    "priceLevel",
    "priceRange",
    "websiteUri",
    "nationalPhoneNumber",
    "internationalPhoneNumber",
    "regularOpeningHours",
    "utcOffsetMinutes",
    "googleMapsUri",
    "plusCode",
    "attributions",
    "photos",
    "reviews",
];
const MAX_RADIUS_METERS: f64 = 50_000.0;

/// An error of the envelope: HTTP status, status name, message.
struct Refusal(u16, &'static str, String);

pub(super) fn handle(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> FakeResponse {
    match answer(fake, request, now_ms) {
        Ok(body) => FakeResponse::json(200, &body),
        Err(Refusal(code, status, message)) => {
            let mut error = json!({"code": code, "message": message, "status": status});
            if message.starts_with("API key not valid") {
                error["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com", "metadata": {"service": "places.googleapis.com"}
                }]);
            }
            FakeResponse::json(code, &json!({ "error": error }))
        }
    }
}

fn answer(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    check_key(fake, request)?;
    let method = match request.path.as_str() {
        "/v1/places:searchText" => "SearchTextRequest",
        "/v1/places:searchNearby" => "SearchNearbyRequest",
        _ => "GetPlaceRequest",
    };
    fake.quota.take(now_ms).map_err(|exceeded| {
        let unit = match exceeded {
            Exceeded::PerMinute => "per minute",
            Exceeded::PerDay => "per day",
        };
        let text = format!(
            "Quota exceeded for quota metric '{method}' and limit '{method} {unit}' of service 'places.googleapis.com' \
             for consumer 'project_number:1'."
        );
        Refusal(429, "RESOURCE_EXHAUSTED", text)
    })?;
    match (request.method.as_str(), method) {
        ("POST", "SearchTextRequest") => search_text(fake, request, now_ms),
        ("POST", "SearchNearbyRequest") => search_nearby(fake, request, now_ms),
        ("GET", "GetPlaceRequest") => details(fake, request, now_ms),
        _ => Err(Refusal(404, "NOT_FOUND", "Requested entity was not found.".to_owned())),
    }
}

fn check_key(fake: &PlacesFake, request: &FakeRequest) -> Result<(), Refusal> {
    let given = request
        .header("x-goog-api-key")
        .map(str::to_owned)
        .or_else(|| request.query_param("key"));
    match (given.filter(|key| !key.is_empty()), &fake.key) {
        (None, _) => Err(Refusal(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
             other form of API consumer identity to call this API."
                .to_owned(),
        )),
        (Some(given), Some(known)) if given != *known => Err(Refusal(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.".to_owned(),
        )),
        (Some(_), _) => Ok(()),
    }
}

fn search_text(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    let mask = Mask::of(request, true)?;
    let mut body = body_of(request)?;
    let token = body.remove("pageToken");
    let page_size = page_size(body.get("pageSize").or_else(|| body.get("maxResultCount")))?;
    let text = text_of(&body, "textQuery").filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| invalid("Empty text_query."))?;
    let place = match (body.get("locationRestriction"), body.get("locationBias")) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "Only one of location_bias and location_restriction may be set.",
            ));
        }
        (Some(restriction), None) => rectangle(restriction)?,
        (None, Some(bias)) => circle(bias).map(|(lat, lng, _)| Place::Around { lat, lng })?,
        (None, None) => Place::Anywhere,
    };
    let included = text_of(&body, "includedType").into_iter().collect();
    let query = Query {
        text: Some(text),
        place,
        included,
        excluded: Vec::new(),
    };
    let said = Value::Object(body).to_string();
    let page = match token.as_ref().and_then(Value::as_str).filter(|token| !token.is_empty()) {
        None => Continuation {
            query,
            said,
            first_ms: now_ms,
            issued_ms: now_ms,
            skip: 0,
        },
        Some(token) => {
            let known = fake.tokens.find(token, now_ms).filter(|page| page.said == said);
            known.ok_or_else(|| {
                invalid("Request parameters for paging requests must match the initial SearchText request.")
            })?
        }
    };
    let found = page.query.run(&fake.places_at(page.first_ms));
    let end = (page.skip + page_size).min(found.len());
    let mut answer = places(found.get(page.skip..end).unwrap_or_default(), &mask);
    if end < found.len() && mask.has_token {
        let next = Continuation {
            skip: end,
            issued_ms: now_ms,
            ..page
        };
        answer.insert("nextPageToken".to_owned(), fake.tokens.issue("tok", next).into());
    }
    Ok(Value::Object(answer))
}

fn search_nearby(fake: &mut PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    let mask = Mask::of(request, true)?;
    if mask.has_token {
        return Err(unknown_path("nextPageToken"));
    }
    let body = body_of(request)?;
    let most = page_size(body.get("maxResultCount"))?;
    let restriction = body
        .get("locationRestriction")
        .ok_or_else(|| invalid("location_restriction is required."))?;
    let (lat, lng, meters) = circle(restriction)?;
    let (included, excluded) = (list_of(&body, "includedTypes"), list_of(&body, "excludedTypes"));
    if included.len() > 50 || excluded.len() > 50 {
        return Err(invalid("Too many types: at most 50 may be given."));
    }
    if let Some(both) = included.iter().find(|kind| excluded.contains(kind)) {
        return Err(invalid(&format!("Type '{both}' is both included and excluded.")));
    }
    let query = Query {
        text: None,
        place: Place::Within { lat, lng, meters },
        included,
        excluded,
    };
    let found = query.run(&fake.places_at(now_ms));
    Ok(Value::Object(places(found.get(..most).unwrap_or(&found), &mask)))
}

fn details(fake: &PlacesFake, request: &FakeRequest, now_ms: i64) -> Result<Value, Refusal> {
    let mask = Mask::of(request, false)?;
    let id = request.segments().into_iter().nth(2).unwrap_or_default();
    if !id.starts_with("ChIJ") {
        return Err(invalid(&format!("Not a valid Place ID: {id}")));
    }
    match fake.world.find(&id, now_ms) {
        Some(place) => Ok(Value::Object(mask.cut(&place))),
        None => Err(Refusal(
            404,
            "NOT_FOUND",
            "The Place ID is no longer valid. Please refresh cached Place IDs.".to_owned(),
        )),
    }
}

fn places(found: &[WorldPlace], mask: &Mask) -> Map<String, Value> {
    let mut answer = Map::new();
    if !found.is_empty() {
        let list = found.iter().map(|place| Value::Object(mask.cut(place))).collect();
        answer.insert("places".to_owned(), Value::Array(list));
    }
    answer
}

/// The fields asked for.
struct Mask {
    /// Field and the rest of its path.
    paths: Vec<(String, Option<String>)>,
    has_token: bool,
}

impl Mask {
    fn of(request: &FakeRequest, is_search: bool) -> Result<Self, Refusal> {
        let header = request.header("x-goog-fieldmask").map(str::to_owned);
        let given = header
            .or_else(|| request.query_param("fields"))
            .or_else(|| request.query_param("$fields"));
        let given = given
            .filter(|mask| !mask.is_empty())
            .ok_or_else(|| invalid("FieldMask is a required parameter"))?;
        let mut mask = Self {
            paths: Vec::new(),
            has_token: false,
        };
        for path in given.split(',') {
            let field = match path.strip_prefix("places.") {
                Some(field) if is_search => field,
                None if is_search && path == "nextPageToken" => {
                    mask.has_token = true;
                    continue;
                }
                None if !is_search => path,
                Some(_) | None => return Err(unknown_path(path)),
            };
            let (field, rest) = field
                .split_once('.')
                .map_or((field, None), |(field, rest)| (field, Some(rest)));
            if !FIELDS.contains(&field) {
                return Err(unknown_path(path));
            }
            mask.paths.push((field.to_owned(), rest.map(str::to_owned)));
        }
        Ok(mask)
    }

    fn cut(&self, place: &WorldPlace) -> Map<String, Value> {
        let whole = whole(place);
        let mut cut = Map::new();
        for (field, rest) in &self.paths {
            match (whole.get(field), rest) {
                (Some(value), None) => {
                    cut.insert(field.clone(), value.clone());
                }
                (Some(value), Some(rest)) => {
                    if let Some(part) = value.get(rest) {
                        cut.entry(field).or_insert_with(|| json!({}))[rest.as_str()] = part.clone();
                    }
                }
                (None, _) => {}
            }
        }
        cut
    }
}

fn whole(place: &WorldPlace) -> Value {
    let mut json = json!({
        "id": place.id,
        "name": format!("places/{}", place.id),
        "displayName": {"text": place.name, "languageCode": "es"},
        "formattedAddress": place.address,
        "location": {"latitude": place.lat, "longitude": place.lng},
        "types": place.types,
        "primaryType": place.types.first(),
        "businessStatus": place.business.as_str(),
        "utcOffsetMinutes": 60,
        "googleMapsUri": format!("https://maps.google.com/?cid={}", place.popularity),
        "attributions": [{"provider": "Callejero de Prueba", "providerUri": "https://callejero.example"}],
        "photos": [{"name": format!("places/{}/photos/1", place.id)}],
        "reviews": [{"name": format!("places/{}/reviews/1", place.id)}],
    });
    if let Some(tenths) = place.rating_tenths {
        json["rating"] = (f64::from(tenths) / 10.0).into();
    }
    if place.rating_count > 0 {
        json["userRatingCount"] = place.rating_count.into();
    }
    if let Some(level) = place.price_level {
        json["priceLevel"] = match level {
            0 => "PRICE_LEVEL_FREE",
            1 => "PRICE_LEVEL_INEXPENSIVE",
            2 => "PRICE_LEVEL_MODERATE",
            3 => "PRICE_LEVEL_EXPENSIVE",
            _ => "PRICE_LEVEL_VERY_EXPENSIVE",
        }
        .into();
    }
    json
}

fn body_of(request: &FakeRequest) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(invalid("Invalid JSON payload received. Expected an object.")),
    }
}

fn page_size(given: Option<&Value>) -> Result<usize, Refusal> {
    match given.map(Value::as_u64) {
        None | Some(Some(0)) => Ok(PAGE_PLACES),
        Some(Some(size)) if size <= 20 => Ok(usize::try_from(size).unwrap_or(PAGE_PLACES)),
        Some(_) => Err(invalid("Max result count should be between 1 and 20 inclusively.")),
    }
}

fn circle(within: &Value) -> Result<(f64, f64, f64), Refusal> {
    let number = |pointer: &str| within.pointer(pointer).and_then(Value::as_f64);
    let (lat, lng) = (number("/circle/center/latitude"), number("/circle/center/longitude"));
    let (Some(lat), Some(lng), Some(radius)) = (lat, lng, number("/circle/radius")) else {
        return Err(invalid("A circle with center and radius is required."));
    };
    if !(0.0..=MAX_RADIUS_METERS).contains(&radius) {
        return Err(invalid("Radius must be between 0.0 and 50000.0, inclusively."));
    }
    check_point(lat, lng)?;
    Ok((lat, lng, radius))
}

fn rectangle(within: &Value) -> Result<Place, Refusal> {
    let number = |pointer: &str| within.pointer(pointer).and_then(Value::as_f64);
    let (south, west) = (number("/rectangle/low/latitude"), number("/rectangle/low/longitude"));
    let (north, east) = (number("/rectangle/high/latitude"), number("/rectangle/high/longitude"));
    let (Some(south), Some(west), Some(north), Some(east)) = (south, west, north, east) else {
        return Err(invalid("A rectangle with low and high is required."));
    };
    check_point(south, west)?;
    check_point(north, east)?;
    if south > north {
        return Err(invalid("Low latitude must not be greater than high latitude."));
    }
    Ok(Place::Between {
        south,
        west,
        north,
        east,
    })
}

fn check_point(lat: f64, lng: f64) -> Result<(), Refusal> {
    if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lng) {
        return Ok(());
    }
    Err(invalid(
        "Latitude must be in the range [-90.0, 90.0] and longitude in [-180.0, 180.0].",
    ))
}

fn text_of(body: &Map<String, Value>, key: &str) -> Option<String> {
    body.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn list_of(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = body.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn invalid(message: &str) -> Refusal {
    Refusal(400, "INVALID_ARGUMENT", message.to_owned())
}

fn unknown_path(path: &str) -> Refusal {
    invalid(&format!(
        "Request contains an invalid argument. Error expanding 'fields' parameter. Cannot find matching fields for path \
         '{path}'."
    ))
}

#[cfg(test)]
mod tests;
