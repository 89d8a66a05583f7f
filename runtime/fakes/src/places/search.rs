//! Searches over the town, and the page tokens that continue them
//!
//! Text search gives 20 places a page and 60 in all, nearby search 20 (60 in pages with the legacy API). A token
//! remembers its search and the moment it was made at, so that pages fit together.

use std::collections::VecDeque;

use crate::places::world::WorldPlace;

/// Most places of a page.
pub const PAGE_PLACES: usize = 20;
/// Most places of a search over all pages.
pub const SEARCH_PLACES: usize = 60;
/// How long after its page a legacy token becomes valid.
pub const LEGACY_DELAY_MS: i64 = 2000;
/// How long a token is valid.
const TOKEN_LIFE_MS: i64 = 600_000;
const MAX_TOKENS: usize = 1000;
const EARTH_METERS: f64 = 6_371_008.8;

/// Where to look.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// Only within so many meters.
    Within { lat: f64, lng: f64, meters: f64 },
    /// Everywhere, the nearest first.
    Around { lat: f64, lng: f64 },
    /// Only between these degrees; the antimeridian may lie between west and east.
    Between {
        south: f64,
        west: f64,
        north: f64,
        east: f64,
    },
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Words, one of which must be in name or types.
    pub text: Option<String>,
    /// Where.
    pub place: Place,
    /// One of these types; none = any.
    pub included: Vec<String>,
    /// None of these.
    pub excluded: Vec<String>,
}

impl Query {
    /// Gives what is found among the places of a moment, best first, over all pages.
    pub fn run(&self, places: &[WorldPlace]) -> Vec<WorldPlace> {
        let mut found: Vec<WorldPlace> = places.iter().filter(|place| self.matches(place)).cloned().collect();
        match self.place {
            Place::Around { lat, lng } => {
                let far = |place: &WorldPlace| meters(lat, lng, place.lat, place.lng);
                found.sort_by(|left, right| far(left).total_cmp(&far(right)));
            }
            Place::Anywhere | Place::Within { .. } | Place::Between { .. } => {
                found.sort_by_key(|place| std::cmp::Reverse(place.popularity));
            }
        }
        found.truncate(SEARCH_PLACES);
        found
    }

    fn matches(&self, place: &WorldPlace) -> bool {
        let has = |wanted: &[String]| place.types.iter().any(|kind| wanted.contains(kind));
        if (!self.included.is_empty() && !has(&self.included)) || has(&self.excluded) {
            return false;
        }
        if let Some(text) = &self.text
            && !text.split_whitespace().any(|word| says(place, word))
        {
            return false;
        }
        match self.place {
            Place::Anywhere | Place::Around { .. } => true,
            Place::Within { lat, lng, meters: most } => meters(lat, lng, place.lat, place.lng) <= most,
            Place::Between {
                south,
                west,
                north,
                east,
            } => {
                let between = if west <= east {
                    (west..=east).contains(&place.lng)
                } else {
                    place.lng >= west || place.lng <= east
                };
                between && (south..=north).contains(&place.lat)
            }
        }
    }
}

fn says(place: &WorldPlace, word: &str) -> bool {
    let word = word.to_lowercase();
    place.name.to_lowercase().contains(&word) || place.types.iter().any(|kind| kind.contains(&word))
}

/// Gives the way between two points (haversine).
pub fn meters(lat: f64, lng: f64, other_lat: f64, other_lng: f64) -> f64 {
    let half_lat = (other_lat - lat).to_radians() / 2.0;
    let half_lng = (other_lng - lng).to_radians() / 2.0;
    let part = half_lat.sin().powi(2) + lat.to_radians().cos() * other_lat.to_radians().cos() * half_lng.sin().powi(2);
    2.0 * EARTH_METERS * part.sqrt().min(1.0).asin()
}

/// A page to come.
#[derive(Debug, Clone)]
pub(super) struct Continuation {
    pub(super) query: Query,
    /// What the request said, less the token: must be said again with the new API.
    pub(super) said: String,
    /// When the first page was made.
    pub(super) first_ms: i64,
    /// When the page before was made.
    pub(super) issued_ms: i64,
    /// Places before the page.
    pub(super) skip: usize,
}

/// Tokens given out; the oldest are forgotten beyond a thousand.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    next: u64,
    known: VecDeque<(String, Continuation)>,
}

impl Tokens {
    pub(super) fn issue(&mut self, prefix: &str, page: Continuation) -> String {
        self.next += 1;
        let token = format!("{prefix}-{}", self.next);
        if self.known.len() >= MAX_TOKENS {
            self.known.pop_front();
        }
        self.known.push_back((token.clone(), page));
        token
    }

    pub(super) fn find(&self, token: &str, now_ms: i64) -> Option<Continuation> {
        let (_, page) = self.known.iter().find(|(known, _)| known == token)?;
        (now_ms - page.issued_ms <= TOKEN_LIFE_MS).then(|| page.clone())
    }
}
