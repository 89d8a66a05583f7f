//! The memories of all places, from the offsets on demand
//!
//! With all stations in one answer, which ones there are is known only once it came: their offsets are read then.

use std::collections::{HashMap, HashSet};

use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::OffsetReader;

use crate::product::Product;
use crate::seen::Seen;

/// Places remembered at most; beyond that all are read from the offsets again.
const MOST_PLACES: usize = 20_000;

/// What was handed over of each place.
#[derive(Debug)]
pub struct Memory {
    product: Product,
    reader: OffsetReader,
    places: HashMap<String, Seen>,
}

impl Memory {
    /// Starts with what the offsets say.
    pub fn new(product: Product, reader: OffsetReader) -> Self {
        Self {
            product,
            reader,
            places: HashMap::new(),
        }
    }

    /// Reads the offsets of places not met before.
    ///
    /// # Errors
    /// Retriable when the offsets cannot be read now.
    pub fn load<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>) -> Result<(), ConnectError> {
        if self.places.len() > MOST_PLACES {
            self.places.clear();
        }
        let unknown: HashSet<&str> = ids.into_iter().filter(|id| !self.places.contains_key(*id)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&str> = unknown.into_iter().collect();
        let partitions: Vec<String> = unknown.iter().map(|id| self.product.partition(id)).collect();
        let asked: Vec<&str> = partitions.iter().map(String::as_str).collect();
        let offsets = self.reader.offsets(&asked)?;
        for (id, offset) in unknown.into_iter().zip(offsets) {
            let seen = offset
                .map(|offset| Seen::parse(self.product, &offset))
                .unwrap_or_default();
            self.places.insert(id.to_owned(), seen);
        }
        Ok(())
    }

    /// Gives a place's memory; an empty one if it was not loaded.
    pub fn of(&mut self, id: &str) -> &mut Seen {
        self.places.entry(id.to_owned()).or_default()
    }

    /// Gives the position of a place's newest row.
    pub fn newest(&self, id: &str) -> Option<i64> {
        self.places.get(id).and_then(Seen::newest)
    }

    /// Gives the position of the newest row of all places.
    pub fn newest_of_all(&self) -> Option<i64> {
        self.places.values().filter_map(Seen::newest).max()
    }
}
