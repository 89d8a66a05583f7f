//! A unit of work: one search, its source partition and offset
//!
//! Pure. The partition names feed, mode, cell and a hash of what is searched for (in details mode the place id); the offset
//! says which cycle was finished when, whether the cell was cut, and which places are at home here.

use serde_json::{Value, json};
use weir_feed::time::{parse_rfc3339, rfc3339};
use weir_sdk::offsets::JsonObject;

use crate::area::Area;
use crate::request::Search;
use crate::settings::{Labelled, Mode};

/// Name of the feed in source partitions and headers.
pub const FEED: &str = "places";

/// How far a unit got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitOffset {
    /// The last cycle that was finished, from 1; 0 = none.
    pub cycle: u64,
    /// When.
    pub at_ms: i64,
    /// Whether the cell was cut: its parts are searched instead.
    pub is_split: bool,
    /// Places at home here.
    pub places: String,
}

impl UnitOffset {
    /// Reads an offset, leniently: what is missing is as at the start.
    pub fn read(offset: &JsonObject) -> Self {
        let text = |name: &str| offset.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            cycle: offset.get("cycle").and_then(Value::as_u64).unwrap_or(0),
            at_ms: parse_rfc3339(text("at")).unwrap_or(0),
            is_split: offset.get("split").and_then(Value::as_bool).unwrap_or(false),
            places: text("places").to_owned(),
        }
    }

    /// Writes the offset.
    pub fn text(&self) -> String {
        let mut offset = json!({"cycle": self.cycle, "done": self.cycle > 0});
        if self.cycle > 0 {
            offset["at"] = rfc3339(self.at_ms).into();
        }
        if self.is_split {
            offset["split"] = true.into();
        }
        if !self.places.is_empty() {
            offset["places"] = self.places.as_str().into();
        }
        offset.to_string()
    }
}

/// One search.
#[derive(Debug, Clone)]
pub struct Unit {
    /// What is searched for, and where.
    pub labelled: Labelled,
    /// Name of the cell.
    pub cell: Option<String>,
    /// Source partition.
    pub partition: String,
    /// Source offset.
    pub offset: UnitOffset,
}

impl Unit {
    /// Makes a unit that was never searched.
    pub fn new(labelled: Labelled, mode: Mode) -> Self {
        let cell = labelled.search.cell().map(ToString::to_string);
        let partition = match &labelled.search {
            Search::Details { id } => json!({"feed": FEED, "mode": mode.as_str(), "id": id}),
            Search::Nearby { .. } | Search::Text { .. } => {
                json!({"feed": FEED, "mode": mode.as_str(), "cell": cell, "q": labelled.hash})
            }
        };
        Self {
            labelled,
            cell,
            partition: partition.to_string(),
            offset: UnitOffset::default(),
        }
    }

    /// Gives the units of the four parts of the cell; none when it has no cell or is too small.
    pub fn parts(&self, area: &Area, mode: Mode) -> Option<Vec<Self>> {
        let parts = self.labelled.search.cell()?.split(area)?;
        let with = |cell| match &self.labelled.search {
            Search::Nearby { kind, .. } => Search::Nearby {
                cell,
                kind: kind.clone(),
            },
            Search::Text { query, .. } => Search::Text {
                cell,
                query: query.clone(),
            },
            Search::Details { id } => Search::Details { id: id.clone() },
        };
        let labelled = |cell| Labelled {
            search: with(cell),
            ..self.labelled.clone()
        };
        Some(parts.into_iter().map(|cell| Self::new(labelled(cell), mode)).collect())
    }
}

/// Gives the source partition of a task's daily budget.
pub fn budget_partition(task: usize) -> String {
    json!({"feed": FEED, "budget": task}).to_string()
}

#[cfg(test)]
mod tests {
    use weir_sdk::offsets::parse;

    use super::*;

    #[test]
    fn offsets_are_read_back() {
        for offset in [
            UnitOffset::default(),
            UnitOffset {
                cycle: 3,
                at_ms: 1_795_377_600_000,
                is_split: true,
                places: "a:b:3".to_owned(),
            },
        ] {
            assert_eq!(UnitOffset::read(&parse(&offset.text()).expect("an object")), offset);
        }
        let strange = parse(r#"{"cycle":"x","at":7,"split":1}"#).expect("an object");
        assert_eq!(UnitOffset::read(&strange), UnitOffset::default());
    }

    #[test]
    fn partitions_and_offsets_have_the_documented_form() {
        let area = Area::parse("40.4168,-3.7038,500").expect("valid");
        let cell = area.cells(0).expect("one")[0];
        let labelled = Labelled {
            search: Search::Nearby { cell, kind: None },
            label: None,
            hash: "00ff".to_owned(),
        };
        let unit = Unit::new(labelled, Mode::Nearby);
        assert_eq!(
            unit.partition,
            r#"{"feed":"places","mode":"nearby","cell":"40.416800,-3.703800,1000","q":"00ff"}"#
        );
        assert_eq!(unit.offset.text(), r#"{"cycle":0,"done":false}"#);
        let done = UnitOffset {
            cycle: 1,
            at_ms: 1_795_377_600_000,
            ..UnitOffset::default()
        };
        assert_eq!(done.text(), r#"{"cycle":1,"done":true,"at":"2026-11-22T20:00:00Z"}"#);
        assert_eq!(unit.parts(&area, Mode::Nearby).map(|parts| parts.len()), Some(4));
    }
}
