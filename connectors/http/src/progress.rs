//! How far a source partition was read
//!
//! The source offset in memory: cursor, unfinished page and window, recent ids. Marks are times, ids or what a service
//! calls the last record. Who moves them and when is in `stream.rs`.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde_json::{Map, Value};
use weir_feed::time::rfc3339;
use weir_feed::time_format::TimeFormat;
use weir_feed::zone::Zone;
use weir_sdk::offsets::JsonObject;

use crate::source_settings::Mode;

/// Ids kept in an offset: those that may come again although the cursor is past them.
const MAX_IDS: usize = 200;

/// A place in the order of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A time in milliseconds.
    Time(i64),
    /// An id that grows.
    Id(String),
    /// What only the service understands.
    Opaque(String),
}

impl Mark {
    /// Reads the text of an offset.
    pub fn parse(mode: Mode, text: &str) -> Option<Self> {
        match mode {
            Mode::None => None,
            Mode::Timestamp => TimeFormat::Auto.read_text(text, Zone::UTC).map(Self::Time),
            Mode::Id => Some(Self::Id(text.to_owned())),
            Mode::Cursor => Some(Self::Opaque(text.to_owned())),
        }
    }

    /// Gives the text of an offset.
    pub fn text(&self) -> String {
        match self {
            Self::Time(ms) => rfc3339(*ms),
            Self::Id(text) | Self::Opaque(text) => text.clone(),
        }
    }

    /// Gives the order, where there is one.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Time(one), Self::Time(other)) => Some(one.cmp(other)),
            (Self::Id(one), Self::Id(other)) => Some(id_order(one, other)),
            _ => None,
        }
    }

    /// Gives the later of two; the second where there is no order.
    pub fn later(known: Option<Self>, new: Self) -> Self {
        match known {
            Some(known) if known.order(&new) == Some(Ordering::Greater) => known,
            _ => new,
        }
    }
}

/// Numbers by size, however long; other texts by their characters.
fn id_order(one: &str, other: &str) -> Ordering {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(one) && is_number(other) {
        let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
        return one.len().cmp(&other.len()).then_with(|| one.cmp(other));
    }
    one.cmp(other)
}

/// A source offset taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to there was handed over.
    pub cursor: Option<Mark>,
    /// Page of the unfinished cycle.
    pub page: Option<String>,
    /// Latest mark of the unfinished cycle.
    pub high: Option<Mark>,
    /// Start of the next window of time.
    pub window_ms: Option<i64>,
    /// Records at the cursor or within the lookback, newest last.
    pub ids: VecDeque<(String, Option<Mark>)>,
}

impl Progress {
    /// Reads an offset; fields of other makers are ignored.
    pub fn parse(mode: Mode, offset: &JsonObject) -> Self {
        let text = |key: &str| offset.get(key).and_then(Value::as_str);
        let cursor = text("cursor").and_then(|text| Mark::parse(mode, text));
        let ids = offset.get("ids").and_then(Value::as_array).into_iter().flatten();
        Self {
            ids: ids
                .filter_map(Value::as_str)
                .map(|id| (id.to_owned(), cursor.clone()))
                .collect(),
            page: text("page").map(str::to_owned),
            high: text("high").and_then(|text| Mark::parse(mode, text)),
            window_ms: text("window").and_then(|text| TimeFormat::Auto.read_text(text, Zone::UTC)),
            cursor,
        }
    }

    /// Writes the offset, with the schema found so far.
    pub fn to_offset(&self, schema: Option<&Value>) -> String {
        let mut offset = Map::new();
        let mut put = |key: &str, text: Option<String>| {
            if let Some(text) = text {
                offset.insert(key.to_owned(), Value::String(text));
            }
        };
        put("cursor", self.cursor.as_ref().map(Mark::text));
        put("page", self.page.clone());
        put("high", self.high.as_ref().map(Mark::text));
        put("window", self.window_ms.map(rfc3339));
        if !self.ids.is_empty() {
            let ids = self.ids.iter().map(|(id, _)| Value::String(id.clone()));
            offset.insert("ids".to_owned(), ids.collect());
        }
        if let Some(schema) = schema {
            offset.insert("schema".to_owned(), schema.clone());
        }
        Value::Object(offset).to_string()
    }

    /// Moves the cursor on and remembers a record at it.
    pub fn pass(&mut self, mark: &Mark, id: &str, lookback_ms: i64) {
        self.cursor = Some(Mark::later(self.cursor.take(), mark.clone()));
        self.remember(mark, id, lookback_ms);
    }

    /// Remembers a record that may come again: one at the cursor or within the lookback.
    pub fn remember(&mut self, mark: &Mark, id: &str, lookback_ms: i64) {
        self.ids.push_back((id.to_owned(), Some(mark.clone())));
        self.forget(lookback_ms);
    }

    /// Forgets the records that cannot come again.
    pub fn forget(&mut self, lookback_ms: i64) {
        let cursor = self.cursor.clone();
        self.ids.retain(|(_, mark)| match (mark, &cursor) {
            (Some(Mark::Time(at)), Some(Mark::Time(cursor))) => *at >= cursor.saturating_sub(lookback_ms),
            (Some(mark), Some(cursor)) => mark == cursor,
            _ => true,
        });
        while self.ids.len() > MAX_IDS {
            self.ids.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Progress};
    use crate::source_settings::Mode;
    use serde_json::json;
    use std::cmp::Ordering;
    use weir_sdk::offsets::parse;

    #[test]
    fn offsets_are_read_as_they_are_written() {
        let mut progress = Progress {
            page: Some("7".to_owned()),
            high: Some(Mark::Time(9_000)),
            window_ms: Some(86_400_000),
            ..Progress::default()
        };
        progress.pass(&Mark::Time(5_000), "aa", 0);
        let text = progress.to_offset(Some(&json!({"id": "l"})));
        assert_eq!(
            text,
            r#"{"cursor":"1970-01-01T00:00:05Z","page":"7","high":"1970-01-01T00:00:09Z","window":"1970-01-02T00:00:00Z","ids":["aa"],"schema":{"id":"l"}}"#
        );
        let offset = parse(&text).expect("an object");
        assert_eq!(Progress::parse(Mode::Timestamp, &offset), progress);
        assert_eq!(Progress::default().to_offset(None), "{}");
    }

    #[test]
    fn ids_are_kept_as_long_as_they_may_come_again() {
        let ids = |lookback_ms| {
            let mut progress = Progress::default();
            for (ms, id) in [(1_000, "a"), (2_000, "b"), (2_000, "c"), (1_500, "late")] {
                progress.pass(&Mark::Time(ms), id, lookback_ms);
            }
            assert_eq!(progress.cursor, Some(Mark::Time(2_000)));
            progress.ids.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(ids(0), ["b", "c"]);
        assert_eq!(ids(600), ["b", "c", "late"]);
        assert_eq!(ids(5_000), ["a", "b", "c", "late"]);
    }

    #[test]
    fn ids_compare_as_numbers_however_long() {
        let id = |text: &str| Mark::Id(text.to_owned());
        for (one, other, expected) in [
            ("9", "10", Ordering::Less),
            ("2123809890366390475", "2123809890366390474", Ordering::Greater),
            ("99999999999999999999999", "100000000000000000000000", Ordering::Less),
            ("007", "7", Ordering::Equal),
            ("a9", "a10", Ordering::Greater),
        ] {
            assert_eq!(id(one).order(&id(other)), Some(expected), "{one} {other}");
        }
        assert_eq!(Mark::Opaque("x".to_owned()).order(&Mark::Opaque("y".to_owned())), None);
    }
}
