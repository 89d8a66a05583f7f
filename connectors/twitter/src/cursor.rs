//! How far a search or a timeline was read
//!
//! `{"since_id":"…"}` between cycles. Within a cycle the old cursor stays and progress stands beside it: `handed_to`, up
//! to where posts were handed over, oldest first; or, where a cycle was cut into several because it has too many pages,
//! `next_token` and the `newest_id` that becomes the cursor in the end.

use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::JsonObject;

use crate::ids::id_of;

const SINCE_ID: &str = "since_id";
const HANDED_TO: &str = "handed_to";
const NEXT_TOKEN: &str = "next_token";
const NEWEST_ID: &str = "newest_id";

/// How far it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Everything up to this id was handed over.
    pub since_id: Option<u64>,
    /// Everything above `since_id` up to this id was, too.
    pub handed_to: Option<u64>,
    /// Where the rest of the cycle begins.
    pub next_token: Option<String>,
    /// Greatest id of the cycle.
    pub newest_id: Option<u64>,
}

impl Cursor {
    /// Reads an offset.
    ///
    /// # Errors
    /// Fatal when an id is none, or there is nothing in it.
    pub fn from_offset(offset: &JsonObject) -> Result<Self, ConnectError> {
        let id = |name: &str| match offset.get(name) {
            None => Ok(None),
            Some(value) => id_of(value)
                .map(Some)
                .ok_or_else(|| ConnectError::fatal(format!("offsets must have an id as '{name}', not {value}"))),
        };
        let cursor = Self {
            since_id: id(SINCE_ID)?,
            handed_to: id(HANDED_TO)?,
            next_token: offset
                .get(NEXT_TOKEN)
                .and_then(|token| token.as_str())
                .map(str::to_owned),
            newest_id: id(NEWEST_ID)?,
        };
        if cursor == Self::default() {
            return Err(ConnectError::fatal(format!(
                "offsets must contain the key '{SINCE_ID}'"
            )));
        }
        Ok(cursor)
    }

    /// Writes the offset.
    pub fn to_offset(&self) -> String {
        let mut offset = JsonObject::new();
        for (name, id) in [
            (SINCE_ID, self.since_id),
            (HANDED_TO, self.handed_to),
            (NEWEST_ID, self.newest_id),
        ] {
            if let Some(id) = id {
                offset.insert(name.to_owned(), id.to_string().into());
            }
        }
        if let Some(token) = &self.next_token {
            offset.insert(NEXT_TOKEN.to_owned(), token.clone().into());
        }
        serde_json::Value::Object(offset).to_string()
    }

    /// Everything up to this id was handed over, whatever part of a cycle it was.
    pub fn floor(&self) -> Option<u64> {
        self.handed_to.max(self.since_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::offsets::parse;

    #[test]
    fn offsets_are_read_back() {
        for cursor in [
            Cursor {
                since_id: Some(2_123_809_890_366_390_475),
                ..Cursor::default()
            },
            Cursor {
                since_id: Some(1),
                handed_to: Some(2),
                next_token: Some("t".to_owned()),
                newest_id: Some(u64::MAX),
            },
            Cursor {
                handed_to: Some(7),
                ..Cursor::default()
            },
        ] {
            let offset = cursor.to_offset();
            assert_eq!(
                Cursor::from_offset(&parse(&offset).expect("an object")).expect(&offset),
                cursor
            );
        }
        let plain = Cursor {
            since_id: Some(2_123_809_890_366_390_475),
            ..Cursor::default()
        };
        assert_eq!(plain.to_offset(), r#"{"since_id":"2123809890366390475"}"#);
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for (offset, part) in [
            (r#"{"since_id":"x"}"#, "must have an id as 'since_id'"),
            (r#"{"since_id":null}"#, "must have an id as 'since_id'"),
            ("{}", "must contain the key 'since_id'"),
            (r#"{"position":5}"#, "must contain the key 'since_id'"),
        ] {
            let error = Cursor::from_offset(&parse(offset).expect("an object")).expect_err(offset);
            assert!(error.message.contains(part), "{error}");
        }
    }
}
