//! What the two APIs answer, read into places
//!
//! Pure. Fields that are absent or null are left out; a field of a wrong type makes the item bad, with the reason. Photos
//! and reviews are never taken, whatever an answer holds. Error answers are judged in `judge.rs`.

use serde_json::{Map, Value};

use crate::mask::{FORBIDDEN, Fields};
use crate::place::Place;

/// Fields of the new API that a place's columns are made of, the resource name among them.
const NEW_COLUMNS: [&str; 15] = [
    "id",
    "name",
    "displayName",
    "formattedAddress",
    "location",
    "types",
    "primaryType",
    "businessStatus",
    "rating",
    "userRatingCount",
    "websiteUri",
    "utcOffsetMinutes",
    "googleMapsUri",
    "attributions",
    "priceLevel",
];
/// Fields of the legacy API that a place's columns are made of.
const LEGACY_COLUMNS: [&str; 15] = [
    "place_id",
    "name",
    "formatted_address",
    "vicinity",
    "geometry",
    "types",
    "business_status",
    "rating",
    "user_ratings_total",
    "price_level",
    "website",
    "utc_offset",
    "url",
    "international_phone_number",
    "formatted_phone_number",
];

/// An item that is no place.
#[derive(Debug, Clone, PartialEq)]
pub struct BadItem {
    /// The item.
    pub item: Value,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// A page of places.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Places, best first.
    pub places: Vec<Place>,
    /// Items that are none.
    pub bad: Vec<BadItem>,
    /// Token of the next page.
    pub token: Option<String>,
}

impl Page {
    /// Tells how many items the page has.
    pub fn len(&self) -> usize {
        self.places.len() + self.bad.len()
    }

    /// Tells whether the page has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, item: &Value, read: impl Fn(&Map<String, Value>) -> Result<Place, String>) {
        let read = item
            .as_object()
            .ok_or_else(|| "the item is no object".to_owned())
            .and_then(read);
        match read {
            Ok(place) => self.places.push(place),
            Err(reason) => {
                let id = item
                    .get("id")
                    .or_else(|| item.get("place_id"))
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                self.bad.push(BadItem {
                    item: item.clone(),
                    id,
                    reason,
                });
            }
        }
    }
}

/// Reads a search of the new API.
pub fn new_search(body: &Value) -> Page {
    let mut page = Page {
        token: token_of(body, "nextPageToken"),
        ..Page::default()
    };
    for item in items(body, "places") {
        page.push(item, new_place);
    }
    page
}

/// Reads the details of the new API.
pub fn new_details(body: &Value) -> Page {
    let mut page = Page::default();
    page.push(body, new_place);
    page
}

/// Reads a search of the legacy API; it cannot be told which fields to send, so the others are dropped here.
pub fn legacy_search(body: &Value, fields: &Fields) -> Page {
    let mut page = Page {
        token: token_of(body, "next_page_token"),
        ..Page::default()
    };
    for item in items(body, "results") {
        page.push(item, |item| legacy_place(item, body, fields));
    }
    page
}

/// Reads the details of the legacy API.
pub fn legacy_details(body: &Value, fields: &Fields) -> Page {
    let mut page = Page::default();
    page.push(body.get("result").unwrap_or(&Value::Null), |item| {
        legacy_place(item, body, fields)
    });
    page
}

fn items<'v>(body: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    body.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn token_of(body: &Value, name: &str) -> Option<String> {
    body.get(name)
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
}

fn new_place(item: &Map<String, Value>) -> Result<Place, String> {
    let name = part(item, "displayName")?;
    let location = part(item, "location")?;
    let international = text(item, "internationalPhoneNumber")?;
    let national = text(item, "nationalPhoneNumber")?;
    let mut extra = extra(item, |field| !NEW_COLUMNS.contains(&field));
    // One of the two has the column; the international one where there are both.
    extra.remove(if international.is_some() {
        "internationalPhoneNumber"
    } else {
        "nationalPhoneNumber"
    });
    let price_text = text(item, "priceLevel")?;
    let price_level = price_text.as_deref().and_then(price_level_of);
    if let Some(unknown) = price_text.filter(|text| price_level.is_none() && text != "PRICE_LEVEL_UNSPECIFIED") {
        extra.insert("priceLevel".to_owned(), Value::from(unknown));
    }
    Ok(Place {
        id: id(item, "id")?,
        name: name.map_or(Ok(None), |name| text(name, "text"))?,
        name_lang: name.map_or(Ok(None), |name| text(name, "languageCode"))?,
        address: text(item, "formattedAddress")?,
        lat: location.map_or(Ok(None), |location| double(location, "latitude"))?,
        lng: location.map_or(Ok(None), |location| double(location, "longitude"))?,
        types: texts(item, "types")?,
        primary_type: text(item, "primaryType")?,
        business_status: text(item, "businessStatus")?,
        rating: double(item, "rating")?,
        rating_count: int(item, "userRatingCount")?,
        price_level,
        website: text(item, "websiteUri")?,
        phone: international.or(national),
        utc_offset_minutes: int(item, "utcOffsetMinutes")?,
        maps_uri: text(item, "googleMapsUri")?,
        attributions: attributions(item)?,
        extra,
    })
}

fn legacy_place(item: &Map<String, Value>, body: &Value, fields: &Fields) -> Result<Place, String> {
    let asked: Map<String, Value> = item
        .iter()
        .filter(|(field, _)| fields.wants_legacy(field))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    let geometry = part(&asked, "geometry")?;
    let location = geometry.map_or(Ok(None), |geometry| part(geometry, "location"))?;
    let international = text(&asked, "international_phone_number")?;
    let notices = texts(body.as_object().unwrap_or(&Map::new()), "html_attributions")?;
    Ok(Place {
        id: id(item, "place_id")?,
        name: text(&asked, "name")?,
        name_lang: None,
        address: text(&asked, "formatted_address")?.map_or_else(|| text(&asked, "vicinity"), |text| Ok(Some(text)))?,
        lat: location.map_or(Ok(None), |location| double(location, "lat"))?,
        lng: location.map_or(Ok(None), |location| double(location, "lng"))?,
        types: texts(&asked, "types")?,
        primary_type: None,
        // Needed to know that a place is closed for good.
        business_status: text(item, "business_status")?,
        rating: double(&asked, "rating")?,
        rating_count: int(&asked, "user_ratings_total")?,
        price_level: int(&asked, "price_level")?,
        website: text(&asked, "website")?,
        phone: international.map_or_else(|| text(&asked, "formatted_phone_number"), |text| Ok(Some(text)))?,
        utc_offset_minutes: int(&asked, "utc_offset")?,
        maps_uri: text(&asked, "url")?,
        attributions: notices.filter(|notices| !notices.is_empty()),
        extra: extra(&asked, |field| !LEGACY_COLUMNS.contains(&field)),
    })
}

fn extra(item: &Map<String, Value>, is_extra: impl Fn(&str) -> bool) -> Map<String, Value> {
    item.iter()
        .filter(|(field, value)| is_extra(field) && !FORBIDDEN.contains(&field.as_str()) && !value.is_null())
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// Each is a provider with a name and a page.
fn attributions(item: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let Some(list) = list(item, "attributions")? else {
        return Ok(None);
    };
    let mut texts = Vec::new();
    for entry in list {
        let entry = entry
            .as_object()
            .ok_or_else(|| wrong("attributions", "a list of objects", entry))?;
        let parts = [text(entry, "provider")?, text(entry, "providerUri")?];
        texts.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    Ok((!texts.is_empty()).then_some(texts))
}

fn price_level_of(text: &str) -> Option<i32> {
    match text {
        "PRICE_LEVEL_FREE" => Some(0),
        "PRICE_LEVEL_INEXPENSIVE" => Some(1),
        "PRICE_LEVEL_MODERATE" => Some(2),
        "PRICE_LEVEL_EXPENSIVE" => Some(3),
        "PRICE_LEVEL_VERY_EXPENSIVE" => Some(4),
        _ => None,
    }
}

fn id(item: &Map<String, Value>, field: &str) -> Result<String, String> {
    let id = text(item, field)?.filter(|id| !id.is_empty());
    id.ok_or_else(|| format!("the item has no {field}"))
}

fn present<'v>(item: &'v Map<String, Value>, field: &str) -> Option<&'v Value> {
    item.get(field).filter(|value| !value.is_null())
}

fn text(item: &Map<String, Value>, field: &str) -> Result<Option<String>, String> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    value
        .as_str()
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| wrong(field, "a text", value))
}

fn double(item: &Map<String, Value>, field: &str) -> Result<Option<f64>, String> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    value.as_f64().map(Some).ok_or_else(|| wrong(field, "a number", value))
}

fn int(item: &Map<String, Value>, field: &str) -> Result<Option<i32>, String> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    number
        .map(Some)
        .ok_or_else(|| wrong(field, "a whole number of 32 bits", value))
}

fn part<'v>(item: &'v Map<String, Value>, field: &str) -> Result<Option<&'v Map<String, Value>>, String> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    value
        .as_object()
        .map(Some)
        .ok_or_else(|| wrong(field, "an object", value))
}

fn list<'v>(item: &'v Map<String, Value>, field: &str) -> Result<Option<&'v Vec<Value>>, String> {
    let Some(value) = present(item, field) else {
        return Ok(None);
    };
    value.as_array().map(Some).ok_or_else(|| wrong(field, "a list", value))
}

fn texts(item: &Map<String, Value>, field: &str) -> Result<Option<Vec<String>>, String> {
    let Some(list) = list(item, field)? else {
        return Ok(None);
    };
    let mut texts = Vec::with_capacity(list.len());
    for entry in list {
        texts.push(
            entry
                .as_str()
                .ok_or_else(|| wrong(field, "a list of texts", entry))?
                .to_owned(),
        );
    }
    Ok(Some(texts))
}

fn wrong(field: &str, wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{field} is {found}, not {wanted}")
}

#[cfg(test)]
mod tests;
