//! The requests of both APIs
//!
//! Pure. The key goes into a header with the new API; the legacy one takes it in the query only.

use serde_json::{Map, Value, json};
use weir_feed::url::encoded;
use weir_sdk::http::Request;
use weir_sdk::secret::Secret;

use crate::area::{Cell, Circle, Rectangle};
use crate::mask::Fields;

/// Most places of a page, and of a nearby search of the new API.
pub const PAGE_PLACES: usize = 20;
/// Most places of a search with pages.
pub const SEARCH_PLACES: usize = 60;

/// Which of the two APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Places API (New).
    New,
    /// The legacy web service.
    Legacy,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Search {
    /// Places of some types around a point.
    Nearby {
        /// Where.
        cell: Cell,
        /// The type: the legacy API takes one only; with the new one the types are those of [`Asking`].
        kind: Option<String>,
    },
    /// Places that match words.
    Text {
        /// Where.
        cell: Cell,
        /// Words.
        query: String,
    },
    /// One place.
    Details {
        /// Its id.
        id: String,
    },
}

impl Search {
    /// Gives where it looks.
    pub fn cell(&self) -> Option<&Cell> {
        match self {
            Self::Nearby { cell, .. } | Self::Text { cell, .. } => Some(cell),
            Self::Details { .. } => None,
        }
    }

    /// Gives the most places that it can find.
    pub fn max_places(&self, api: Api) -> usize {
        match (self, api) {
            (Self::Details { .. }, _) => 1,
            (Self::Nearby { .. }, Api::New) => PAGE_PLACES,
            (Self::Nearby { .. }, Api::Legacy) | (Self::Text { .. }, _) => SEARCH_PLACES,
        }
    }
}

/// What all requests of a connector share.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Which API.
    pub api: Api,
    /// URL that paths are put behind, without a slash at its end.
    pub base_url: String,
    /// The key.
    pub key: Secret,
    /// Fields wanted.
    pub fields: Fields,
    /// Types wanted; none = all.
    pub included_types: Vec<String>,
    /// Types not wanted.
    pub excluded_types: Vec<String>,
    /// Language of texts.
    pub language: Option<String>,
    /// Region whose view of the world counts.
    pub region: Option<String>,
}

impl Asking {
    /// Makes the request of a page.
    pub fn request(&self, search: &Search, token: Option<&str>) -> Request {
        match self.api {
            Api::New => self.new_request(search, token),
            Api::Legacy => self.legacy_request(search, token),
        }
    }

    fn new_request(&self, search: &Search, token: Option<&str>) -> Request {
        let (request, mask) = match search {
            Search::Nearby { cell, .. } => (
                self.post("searchNearby", &self.nearby_body(cell)),
                self.fields.search_mask(false),
            ),
            Search::Text { cell, query } => (
                self.post("searchText", &self.text_body(cell, query, token)),
                self.fields.search_mask(true),
            ),
            Search::Details { id } => {
                let mut url = format!("{}/v1/places/{}", self.base_url, encoded(id));
                let pairs = [("languageCode", &self.language), ("regionCode", &self.region)];
                let given = pairs
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value.as_ref()?)));
                for (at, (name, value)) in given.enumerate() {
                    url.push(if at == 0 { '?' } else { '&' });
                    url.push_str(&format!("{name}={}", encoded(value)));
                }
                (Request::get(&url), self.fields.details_mask())
            }
        };
        request
            .with_header("x-goog-api-key", self.key.reference())
            .with_header("x-goog-fieldmask", &mask)
    }

    fn post(&self, method: &str, body: &Value) -> Request {
        let url = format!("{}/v1/places:{method}", self.base_url);
        Request::post(&url, body.to_string()).with_header("content-type", "application/json")
    }

    fn nearby_body(&self, cell: &Cell) -> Value {
        let Circle { lat, lng, meters } = cell.circle();
        let mut body = Map::new();
        for (name, types) in [
            ("includedTypes", &self.included_types),
            ("excludedTypes", &self.excluded_types),
        ] {
            if !types.is_empty() {
                body.insert(name.to_owned(), json!(types));
            }
        }
        body.insert("maxResultCount".to_owned(), PAGE_PLACES.into());
        let center = json!({"latitude": lat, "longitude": lng});
        body.insert(
            "locationRestriction".to_owned(),
            json!({"circle": {"center": center, "radius": meters}}),
        );
        self.localized(body)
    }

    fn text_body(&self, cell: &Cell, query: &str, token: Option<&str>) -> Value {
        let mut body = Map::new();
        body.insert("textQuery".to_owned(), query.into());
        body.insert("pageSize".to_owned(), PAGE_PLACES.into());
        if let Some(kind) = self.included_types.first() {
            body.insert("includedType".to_owned(), kind.as_str().into());
        }
        let Rectangle {
            south,
            west,
            north,
            east,
        } = cell.bounds;
        let low = json!({"latitude": south, "longitude": west});
        let high = json!({"latitude": north, "longitude": east});
        body.insert(
            "locationRestriction".to_owned(),
            json!({"rectangle": {"low": low, "high": high}}),
        );
        // The service wants the same body again with each token.
        if let Some(token) = token {
            body.insert("pageToken".to_owned(), token.into());
        }
        self.localized(body)
    }

    fn localized(&self, mut body: Map<String, Value>) -> Value {
        for (name, value) in [("languageCode", &self.language), ("regionCode", &self.region)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.as_str().into());
            }
        }
        Value::Object(body)
    }

    fn legacy_request(&self, search: &Search, token: Option<&str>) -> Request {
        let mut params: Vec<(&str, String)> = Vec::new();
        let path = match search {
            Search::Nearby { .. } => "nearbysearch",
            Search::Text { .. } => "textsearch",
            Search::Details { .. } => "details",
        };
        if let Some(token) = token {
            // All other parameters would be ignored.
            params.push(("pagetoken", token.to_owned()));
        } else {
            params = self.legacy_params(search);
        }
        let mut url = format!("{}/maps/api/place/{path}/json?", self.base_url);
        for (name, value) in params {
            url.push_str(&format!("{name}={}&", encoded(&value)));
        }
        // The reference goes in as it is: the host, who knows the key, encodes it.
        url.push_str("key=");
        url.push_str(self.key.reference());
        Request::get(&url)
    }

    fn legacy_params(&self, search: &Search) -> Vec<(&'static str, String)> {
        let mut params = Vec::new();
        if let Some(cell) = search.cell() {
            let Circle { lat, lng, meters } = cell.circle();
            params.push(("location", format!("{lat},{lng}")));
            params.push(("radius", format!("{meters:.0}")));
        }
        match search {
            Search::Nearby { kind, .. } => params.extend(kind.clone().map(|kind| ("type", kind))),
            Search::Text { query, .. } => {
                params.push(("query", query.clone()));
                params.extend(self.included_types.first().cloned().map(|kind| ("type", kind)));
            }
            Search::Details { id } => {
                params.push(("place_id", id.clone()));
                params.push(("fields", self.fields.legacy_details_list()));
            }
        }
        params.extend(self.language.clone().map(|language| ("language", language)));
        if !matches!(search, Search::Nearby { .. }) {
            params.extend(self.region.clone().map(|region| ("region", region.to_lowercase())));
        }
        params
    }
}

#[cfg(test)]
mod tests;
