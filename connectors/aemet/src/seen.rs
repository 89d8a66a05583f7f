//! What was handed over already: a short memory that fits into an offset
//!
//! A station's rows are told by time and a fingerprint. The newest rows are remembered, so a row that comes after newer
//! ones is new, and one whose fingerprint changed is a correction, also after a restart. The offset names the newest row
//! (`fint` or `fecha`), its hash, and the others as `seen`: pairs of distance and fingerprint.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use weir_sdk::offsets::JsonObject;

use crate::product::Product;
use crate::records::fields::Mapped;
use crate::stamp;

/// Rows remembered of a station at most: a day of hours and a half.
pub const MOST_ROWS: usize = 36;
/// Issues remembered of a town.
const MOST_ISSUES: usize = 8;
const SEEN: &str = "seen";
const HASH: &str = "h";
/// Digits of the fingerprints in `seen`.
const SHORT_DIGITS: usize = 8;
/// Digits of the hash of a row in `h`.
const ROW_DIGITS: usize = 16;

/// What a row is to the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// Not seen before.
    New,
    /// Seen with another content.
    Revised,
    /// Seen, or older than the memory reaches.
    Known,
}

/// The memory of one station or town.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Fingerprint of each row by its position.
    rows: BTreeMap<i64, String>,
    /// Rows up to here count as seen.
    floor: Option<i64>,
    /// Fingerprints of the last issues of a town, newest last.
    issues: Vec<String>,
    newest_time: String,
    newest_hash: String,
}

impl Seen {
    /// Reads an offset; what is malformed in it is passed over.
    pub fn parse(product: Product, offset: &JsonObject) -> Self {
        let text = |name: &str| offset.get(name).and_then(Json::as_str).unwrap_or_default();
        let mut seen = Self {
            newest_time: text(time_field(product)).to_owned(),
            newest_hash: text(HASH).to_owned(),
            ..Self::default()
        };
        let list = text(SEEN).split(',').filter(|item| !item.is_empty());
        if product.is_of_towns() {
            seen.issues = list.map(str::to_owned).collect();
            if seen.issues.is_empty() && !seen.newest_hash.is_empty() {
                seen.issues.push(short(&seen.newest_hash));
            }
            return seen;
        }
        let Some(newest) = position_of(product, &seen.newest_time) else {
            return seen;
        };
        for item in list {
            if let Some((distance, fingerprint)) = item.split_once(':')
                && let Ok(distance) = distance.parse::<i64>()
            {
                seen.rows
                    .insert(newest.saturating_sub(distance), fingerprint.to_owned());
            }
        }
        if seen.rows.is_empty() {
            // An offset that someone wrote by hand: go on after it.
            seen.floor = Some(newest);
            if !seen.newest_hash.is_empty() {
                seen.rows.insert(newest, short(&seen.newest_hash));
            }
        }
        seen
    }

    /// Tells what a row is.
    pub fn novelty(&self, product: Product, row: &Mapped) -> Novelty {
        let fingerprint = short(&row.hash);
        if product.is_of_towns() {
            return if self.issues.contains(&fingerprint) {
                Novelty::Known
            } else if self.newest_time == row.time {
                Novelty::Revised
            } else {
                Novelty::New
            };
        }
        match self.rows.get(&row.position) {
            Some(known) if *known == fingerprint => return Novelty::Known,
            Some(_) => return Novelty::Revised,
            None => {}
        }
        let is_before_memory = self.rows.len() >= MOST_ROWS
            && self
                .rows
                .first_key_value()
                .is_some_and(|(oldest, _)| row.position < *oldest);
        if is_before_memory || self.floor.is_some_and(|floor| row.position <= floor) {
            Novelty::Known
        } else {
            Novelty::New
        }
    }

    /// Remembers a row.
    pub fn note(&mut self, product: Product, row: &Mapped) {
        let fingerprint = short(&row.hash);
        if product.is_of_towns() {
            self.issues.retain(|known| *known != fingerprint);
            self.issues.push(fingerprint);
            let surplus = self.issues.len().saturating_sub(MOST_ISSUES);
            self.issues.drain(..surplus);
            self.newest_time.clone_from(&row.time);
            self.newest_hash.clone_from(&row.hash);
            return;
        }
        self.rows.insert(row.position, fingerprint);
        while self.rows.len() > MOST_ROWS {
            self.rows.pop_first();
        }
        if self
            .rows
            .last_key_value()
            .is_some_and(|(newest, _)| *newest == row.position)
        {
            self.newest_time.clone_from(&row.time);
            self.newest_hash = row.hash.chars().take(ROW_DIGITS).collect();
        }
    }

    /// Gives the offset.
    pub fn offset(&self, product: Product) -> String {
        let mut offset = JsonObject::new();
        offset.insert(time_field(product).to_owned(), self.newest_time.as_str().into());
        offset.insert(HASH.to_owned(), self.newest_hash.as_str().into());
        let list = if product.is_of_towns() {
            self.issues.join(",")
        } else {
            let newest = self.newest().unwrap_or_default();
            let pairs = self.rows.iter().rev();
            let pairs = pairs.map(|(at, fingerprint)| format!("{}:{fingerprint}", newest.saturating_sub(*at)));
            pairs.collect::<Vec<_>>().join(",")
        };
        offset.insert(SEEN.to_owned(), list.into());
        Json::Object(offset).to_string()
    }

    /// Gives the position of the newest row of a station.
    pub fn newest(&self) -> Option<i64> {
        self.rows.last_key_value().map(|(newest, _)| *newest).or(self.floor)
    }
}

/// Gives the field of an offset that names the newest row.
pub fn time_field(product: Product) -> &'static str {
    match product {
        Product::Observation => "fint",
        Product::DailyForecast | Product::HourlyForecast => "elaborado",
        Product::DailyClimate => "fecha",
    }
}

/// Reads the time in an offset of a station.
pub fn position_of(product: Product, time: &str) -> Option<i64> {
    match product {
        Product::Observation => stamp::utc_ms(time).map(|ms| ms.div_euclid(1000)),
        Product::DailyClimate => stamp::day(time).map(i64::from),
        Product::DailyForecast | Product::HourlyForecast => None,
    }
}

fn short(hash: &str) -> String {
    hash.chars().take(SHORT_DIGITS).collect()
}

#[cfg(test)]
mod tests;
