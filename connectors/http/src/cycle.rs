//! One reading of all pages, and the rows it gives
//!
//! Order, loops and what is older than asked for. When cycles begin and what their end means is in `stream.rs`.

use std::cmp::Ordering;
use std::collections::VecDeque;

use serde_json::Value;
use weir_feed::answer::Answer;
use weir_feed::hash::{hash_of, sha256_hex, short_hash_of};
use weir_feed::pointer::scalar_text;
use weir_feed::time_format::read_any;
use weir_feed::window::Window;
use weir_sdk::api::error::ConnectError;

use crate::converter::Converter;
use crate::progress::Mark;
use crate::source_settings::{Mode, Order, Settings};

/// Rows that are kept to turn a cycle around; more go out in the order they came.
const MAX_TURNED: usize = 100_000;

/// A row on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The row; none = its key vanished.
    pub row: Option<Value>,
    /// Parts of its key.
    pub key: Vec<String>,
    /// Where it stands in the order.
    pub mark: Option<Mark>,
    /// Tells it from others.
    pub id: String,
    /// Page to read again if the task stops after it.
    pub(crate) page: Option<String>,
    /// Which page of the cycle, from 0.
    pub page_number: u32,
    /// When it came.
    pub fetched_ms: i64,
    /// Path that gave it.
    pub endpoint: String,
    /// What the service calls the request.
    pub request_id: Option<String>,
    /// Why it has no mark or key although it should.
    pub problem: Option<String>,
}

/// An item with its place for the offset.
#[derive(Debug)]
pub struct Placed {
    /// The item.
    pub item: Item,
    /// Source partition.
    pub partition: String,
    /// Source offset after it.
    pub offset: String,
}

/// One reading of all pages.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    /// Sent as `${offset.cursor}`, and what is older is left out.
    pub(crate) from: Option<Mark>,
    /// Window of time, and whether it is the last.
    pub(crate) range: Option<(i64, i64, bool)>,
    pub(crate) page: Option<String>,
    pub(crate) pages: u32,
    pub(crate) pages_at_once: u32,
    pub(crate) high: Option<Mark>,
    pub(crate) last_token: Option<String>,
    pub(crate) tokens: Window,
    pub(crate) last_body: String,
    pub(crate) items: VecDeque<Item>,
    /// Pages that wait to be turned around.
    pub(crate) turned: Vec<Item>,
    /// End of the window, if it is so old that nothing more will come.
    pub(crate) settled_ms: Option<i64>,
    pub(crate) is_fetched: bool,
    pub(crate) is_abandoned: bool,
    pub(crate) is_complete: bool,
    pub(crate) resets: u32,
}

impl Cycle {
    /// Tells whether a record was asked for with a later start: the service gives more than it was asked for.
    pub(crate) fn is_old(&self, mark: &Mark) -> bool {
        let order = self.from.as_ref().and_then(|from| mark.order(from));
        match mark {
            Mark::Time(_) => order == Some(Ordering::Less),
            Mark::Id(_) => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Mark::Opaque(_) => false,
        }
    }

    /// Ends the cycle where nothing is new, and fails it where pages go round.
    pub(crate) fn checked_next(
        &mut self,
        settings: &Settings,
        next: Option<String>,
        answer: &Answer,
        rows: usize,
    ) -> Result<Option<String>, ConnectError> {
        let Some(next) = next else { return Ok(None) };
        let is_endless_cursor = settings.incremental.mode == Mode::Cursor && settings.incremental.pointer.is_none();
        if is_endless_cursor && self.last_token.as_ref() == Some(&next) {
            // The service repeats the cursor as long as there is nothing new behind it.
            return Ok(None);
        }
        let body = sha256_hex(&answer.body);
        let is_repeated = rows > 0 && std::mem::replace(&mut self.last_body, body.clone()) == body;
        let is_loop = if settings.paging.is_chained() {
            !self.tokens.insert(&next)
        } else {
            is_repeated
        };
        if is_loop {
            return Err(ConnectError::fatal(format!(
                "the pages of {} go round in circles: page {} gave {} as the one before; check http.paging.*",
                answer.path,
                self.pages + 1,
                if settings.paging.is_chained() {
                    "the same token"
                } else {
                    "the same rows"
                },
            )));
        }
        Ok(Some(next))
    }

    /// Puts a page's items in order.
    pub(crate) fn append(&mut self, order: Order, items: Vec<Item>, is_last_page: bool) {
        if order != Order::Desc {
            self.items.extend(items);
            return;
        }
        self.turned.extend(items);
        if is_last_page || self.turned.len() > MAX_TURNED {
            self.items.extend(self.turned.drain(..).rev());
        }
    }
}

pub(crate) fn item_of(
    settings: &Settings,
    converter: &Converter,
    row: Value,
    answer: &Answer,
    cycle: &Cycle,
    now_ms: i64,
) -> Item {
    let mut problem = None;
    let key = converter.key_parts(&row).unwrap_or_else(|reason| {
        problem = Some(reason);
        Vec::new()
    });
    let mark = mark_of(settings, &row).unwrap_or_else(|reason| {
        problem = Some(reason);
        None
    });
    let id = if settings.incremental.mode == Mode::None && !settings.emits_changes {
        // Nothing is compared: a fingerprint would be work for nothing.
        key.join(",")
    } else if settings.emits_changes || key.is_empty() {
        short_hash_of(&row)
    } else {
        let mark = mark.as_ref().map(Mark::text).unwrap_or_default();
        let mut id = sha256_hex(format!("{}\u{1f}{mark}", key.join("\u{1f}")).as_bytes());
        id.truncate(16);
        id
    };
    Item {
        row: Some(row),
        key,
        mark,
        id,
        page: settings.is_resumable.then(|| cycle.page.clone()).flatten(),
        page_number: cycle.pages,
        fetched_ms: now_ms,
        endpoint: answer.path.clone(),
        request_id: answer.header("x-request-id").map(str::to_owned),
        problem,
    }
}

pub(crate) fn vanished(key: &str, now_ms: i64, pages: u32) -> Item {
    let parts = serde_json::from_str(key).unwrap_or_else(|_| vec![key.to_owned()]);
    Item {
        row: None,
        key: parts,
        mark: None,
        id: String::new(),
        page: None,
        page_number: pages.saturating_sub(1),
        fetched_ms: now_ms,
        endpoint: String::new(),
        request_id: None,
        problem: None,
    }
}

/// A key as one text; rows without one are told by their fingerprint.
pub(crate) fn key_text(item: &Item) -> String {
    match item.key.as_slice() {
        [] => item.row.as_ref().map(hash_of).unwrap_or_default(),
        parts => Value::from(parts.to_vec()).to_string(),
    }
}

fn mark_of(settings: &Settings, row: &Value) -> Result<Option<Mark>, String> {
    let incremental = &settings.incremental;
    let Some(pointer) = &incremental.pointer else {
        return Ok(None);
    };
    if incremental.mode == Mode::None {
        return Ok(None);
    }
    let found = pointer
        .present(row)
        .ok_or_else(|| format!("there is nothing at {pointer}, by which new records are told from old ones"))?;
    let mark = match incremental.mode {
        Mode::None => None,
        Mode::Timestamp => read_any(&incremental.formats, found, incremental.zone).map(Mark::Time),
        Mode::Id => scalar_text(found).map(Mark::Id),
        Mode::Cursor => scalar_text(found).map(Mark::Opaque),
    };
    mark.map(Some)
        .ok_or_else(|| format!("{found} at {pointer} does not read as http.incremental.mode says"))
}

pub(crate) fn initial_mark(settings: &Settings, text: &str) -> Option<Mark> {
    let incremental = &settings.incremental;
    match incremental.mode {
        Mode::Timestamp => {
            let read = incremental
                .formats
                .iter()
                .find_map(|format| format.read_text(text, incremental.zone));
            read.map(Mark::Time)
        }
        mode => Mark::parse(mode, text),
    }
}
