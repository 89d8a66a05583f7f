//! One source partition: its cycles, pages and offsets
//!
//! A cycle reads all pages since the cursor. Records go out as they come, newest-first answers turned around; the cursor
//! moves with each record where the service gives them in order, else with the last record of the cycle, which waits for
//! that. Nothing here sends: `source.rs` does.

use std::collections::VecDeque;

use serde_json::Value;
use weir_feed::answer::Answer;
use weir_feed::hash::{hash_of, sha256_hex, short_hash_of};
use weir_feed::pointer::scalar_text;
use weir_feed::time_format::read_any;
use weir_feed::window::Window;
use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::{JsonObject, OffsetReader};

use crate::body::Rows;
use crate::converter::Converter;
use crate::paging::PageView;
use crate::progress::{Mark, Progress};
use crate::request::Values;
use crate::snapshot::Snapshot;
use crate::source_settings::{Mode, Order, Settings};

/// A window this far in the past gets no more records, whatever this machine's clock says.
const SETTLED_MS: i64 = 86_400_000;
/// Rows that are kept to turn a cycle around; more go out in the order they came.
const MAX_TURNED: usize = 100_000;
/// Tokens remembered to notice a loop.
const MAX_TOKENS: usize = 10_000;

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
    page: Option<String>,
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
struct Cycle {
    /// Sent as `${offset.cursor}`, and what is older is left out.
    from: Option<Mark>,
    /// Window of time, and whether it is the last.
    range: Option<(i64, i64, bool)>,
    page: Option<String>,
    pages: u32,
    pages_at_once: u32,
    high: Option<Mark>,
    last_token: Option<String>,
    tokens: Window,
    last_body: String,
    items: VecDeque<Item>,
    /// Pages that wait to be turned around.
    turned: Vec<Item>,
    /// End of the window, if it is so old that nothing more will come.
    settled_ms: Option<i64>,
    is_fetched: bool,
    is_abandoned: bool,
    is_complete: bool,
    resets: u32,
}

/// What a cycle saw, for the pause that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// The last page was full.
    pub was_full: bool,
    /// Latest time among new records.
    pub newest_ms: Option<i64>,
    /// Windows are left.
    pub has_more: bool,
}

/// One source partition.
#[derive(Debug)]
pub struct Stream {
    /// Value of `${partition}`; empty without one.
    pub value: String,
    partition: String,
    progress: Progress,
    window: Window,
    snapshot: Option<Snapshot>,
    cycle: Option<Cycle>,
    /// Start of the next window of this round.
    next_start_ms: Option<i64>,
    seen: Seen,
}

impl Stream {
    /// Starts with what the offset says. Gives the types stored there, too.
    ///
    /// # Errors
    /// Retriable when offsets cannot be read now.
    pub fn new(
        settings: &Settings,
        connector: &str,
        value: &str,
        reader: OffsetReader,
    ) -> Result<(Self, Vec<Value>), ConnectError> {
        let mut partition = JsonObject::new();
        partition.insert("feed".to_owned(), Value::from("http"));
        partition.insert("connector".to_owned(), Value::from(connector));
        partition.insert("partition".to_owned(), Value::from(value));
        let partition = Value::Object(partition).to_string();
        let offset = reader.offset(&partition)?.unwrap_or_default();
        let mut kinds: Vec<Value> = offset.get("schema").cloned().into_iter().collect();
        let progress = Progress::parse(settings.incremental.mode, &offset);
        let mut snapshot = settings.emits_changes.then(|| {
            Snapshot::new(
                &partition,
                settings.common.emit_tombstones,
                settings.common.dedupe_window,
            )
        });
        if let Some(snapshot) = &mut snapshot {
            kinds.extend(snapshot.load(&offset, reader)?);
        }
        let window = Window::with_ids(
            settings.common.dedupe_window,
            progress.ids.iter().map(|(id, _)| id.as_str()),
        );
        let stream = Self {
            value: value.to_owned(),
            partition,
            progress,
            window,
            snapshot,
            cycle: None,
            next_start_ms: None,
            seen: Seen::default(),
        };
        Ok((stream, kinds))
    }

    /// Tells whether a cycle runs.
    pub fn is_running(&self) -> bool {
        self.cycle.is_some()
    }

    /// Tells whether a page must be fetched before anything else.
    pub fn needs_page(&self) -> bool {
        self.cycle.as_ref().is_some_and(|cycle| !cycle.is_fetched)
    }

    /// Starts a cycle, or the next window of one.
    pub fn begin(&mut self, settings: &Settings, now_ms: i64) {
        let incremental = &settings.incremental;
        let initial = || {
            incremental
                .initial
                .as_deref()
                .and_then(|text| initial_mark(settings, text))
        };
        let cursor = self.progress.cursor.clone().or_else(initial);
        let mut cycle = Cycle {
            from: cursor.clone(),
            tokens: Window::new(MAX_TOKENS),
            page: settings.paging.first(),
            ..Cycle::default()
        };
        match (incremental.step_ms, cursor) {
            (Some(step_ms), Some(Mark::Time(cursor_ms))) => {
                let known_ms = self.progress.window_ms.unwrap_or(cursor_ms);
                let start_ms = self.next_start_ms.take().unwrap_or(known_ms - incremental.lookback_ms);
                let end_ms = start_ms.saturating_add(step_ms);
                let is_last = end_ms > now_ms;
                let shown_end = if is_last {
                    now_ms.clamp(start_ms.saturating_add(1), end_ms)
                } else {
                    end_ms
                };
                cycle.range = Some((start_ms, shown_end, is_last));
                cycle.from = Some(Mark::Time(start_ms));
            }
            (_, Some(Mark::Time(cursor_ms))) => cycle.from = Some(Mark::Time(cursor_ms - incremental.lookback_ms)),
            (_, Some(Mark::Opaque(token))) if incremental.pointer.is_none() => {
                cycle.last_token = Some(token.clone());
                cycle.page = Some(token);
            }
            _ => {}
        }
        if settings.is_resumable && self.progress.page.is_some() {
            // An unfinished cycle goes on; after this one, cycles begin at their first page again.
            cycle.page = self.progress.page.take();
            cycle.high = self.progress.high.take();
        }
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.begin();
        }
        self.cycle = Some(cycle);
    }

    /// Gives what placeholders of the next request stand for.
    pub fn values(&self, settings: &Settings) -> Values {
        let cycle = self.cycle.as_ref();
        let incremental = &settings.incremental;
        let format = incremental.formats.first().cloned().unwrap_or_default();
        let written = |ms: i64| format.write(ms, incremental.zone);
        Values {
            cursor: cycle.and_then(|cycle| cycle.from.as_ref()).map(|mark| match mark {
                Mark::Time(ms) => written(*ms),
                Mark::Id(text) | Mark::Opaque(text) => text.clone(),
            }),
            window: cycle
                .and_then(|cycle| cycle.range)
                .map(|(start, end, _)| (written(start), written(end))),
            partition: (!self.value.is_empty()).then(|| self.value.clone()),
            page: cycle.and_then(|cycle| cycle.page.clone()),
        }
    }

    /// Takes a page in.
    ///
    /// # Errors
    /// Fatal where pages go round in circles, retriable when offsets cannot be read now.
    pub fn take_page(
        &mut self,
        settings: &Settings,
        converter: &mut Converter,
        answer: &Answer,
        rows: Rows,
        now_ms: i64,
        reader: OffsetReader,
    ) -> Result<(), ConnectError> {
        let count = rows.rows.len();
        let view = PageView {
            answer,
            body: rows.body.as_ref(),
            rows: count,
        };
        let Some(cycle) = &mut self.cycle else {
            return Ok(());
        };
        let asked = cycle.page.clone();
        let next = settings
            .paging
            .next(asked.as_deref(), view)
            .map_err(|reason| ConnectError::fatal(format!("the page of {} leads nowhere: {reason}", answer.path)))?;
        let next = cycle.checked_next(settings, next, answer, count)?;
        let mut items = Vec::with_capacity(count);
        for row in rows.rows {
            if settings.record.filter.as_ref().is_none_or(|filter| filter.holds(&row)) {
                let row = converter.look_at(row);
                items.push(item_of(settings, converter, row, answer, cycle, now_ms));
            }
        }
        let reached_old = self.keep_new(settings, converter, &mut items, reader)?;
        let Some(cycle) = &mut self.cycle else {
            return Ok(());
        };
        cycle.pages += 1;
        cycle.pages_at_once += 1;
        cycle.last_token = next.clone().or(cycle.last_token.take());
        self.seen.was_full |= settings.paging.is_full(count) && next.is_none();
        let next = if reached_old && settings.incremental.order == Order::Desc {
            None
        } else {
            next
        };
        if settings.is_resumable
            && let (Some(next), Some(last)) = (&next, items.last_mut())
        {
            last.page = Some(next.clone());
        }
        cycle.append(settings.incremental.order, items, next.is_none());
        match next {
            Some(next) => cycle.page = Some(next),
            None => self.end_fetching(now_ms),
        }
        Ok(())
    }

    /// Ends the cycle without a further page: the service has nothing, or will not answer for this partition now.
    pub fn end_early(&mut self, is_abandoned: bool, now_ms: i64) {
        if let Some(cycle) = &mut self.cycle {
            cycle.is_abandoned = is_abandoned;
            cycle.append(Order::Desc, Vec::new(), true);
        }
        self.end_fetching(now_ms);
    }

    /// Goes back to the first page; false = that was done before.
    pub fn reset_paging(&mut self, settings: &Settings) -> bool {
        let Some(cycle) = &mut self.cycle else {
            return false;
        };
        cycle.resets += 1;
        cycle.page = settings.paging.first();
        cycle.tokens.clear();
        cycle.last_body.clear();
        cycle.resets == 1
    }

    /// Tells whether so many pages were read in one go that others should have a turn.
    pub fn is_at_page_limit(&mut self, max_pages: u32) -> bool {
        let Some(cycle) = &mut self.cycle else {
            return false;
        };
        let is_at_limit = !cycle.is_fetched && cycle.pages_at_once >= max_pages;
        if is_at_limit {
            cycle.pages_at_once = 0;
        }
        is_at_limit
    }

    /// Gives the items that may go out, with their offsets.
    pub fn take(&mut self, settings: &Settings, most: usize, kind: Option<&Value>) -> Vec<Placed> {
        let Some(cycle) = &mut self.cycle else {
            return Vec::new();
        };
        // The last one waits for the end of the cycle: it carries the moved cursor.
        let ready = if cycle.is_fetched {
            cycle.items.len()
        } else {
            cycle.items.len().saturating_sub(1)
        };
        let items: Vec<Item> = cycle.items.drain(..ready.min(most)).collect();
        let ends = cycle.is_fetched && cycle.items.is_empty();
        let count = items.len();
        let mut placed = Vec::with_capacity(count);
        for (at, item) in items.into_iter().enumerate() {
            let is_last = ends && at + 1 == count;
            placed.push(self.placed(settings, item, is_last, kind));
        }
        placed
    }

    /// Ends the cycle once everything went out; none = it runs on.
    pub fn end(&mut self, settings: &Settings) -> Option<Seen> {
        let cycle = self.cycle.as_ref()?;
        if !cycle.is_fetched || !cycle.items.is_empty() {
            return None;
        }
        self.complete(settings);
        self.cycle = None;
        let mut seen = std::mem::take(&mut self.seen);
        seen.has_more = self.next_start_ms.is_some();
        Some(seen)
    }

    fn placed(&mut self, settings: &Settings, item: Item, is_last: bool, kind: Option<&Value>) -> Placed {
        if let Some(snapshot) = &mut self.snapshot {
            let hash = item.row.as_ref().map(|_| item.id.as_str());
            let (partition, offset) = snapshot.position(&key_text(&item), hash, is_last, kind);
            return Placed {
                item,
                partition,
                offset,
            };
        }
        let incremental = &settings.incremental;
        if let Some(mark) = &item.mark {
            if incremental.order == Order::Asc {
                self.progress.pass(mark, &item.id, incremental.lookback_ms);
            } else {
                self.progress.remember(mark, &item.id, incremental.lookback_ms);
            }
        }
        if is_last {
            self.complete(settings);
        } else if settings.is_resumable
            && let Some(cycle) = &self.cycle
        {
            self.progress.page.clone_from(&item.page);
            self.progress.high.clone_from(&cycle.high);
        }
        Placed {
            partition: self.partition.clone(),
            offset: self.progress.to_offset(kind),
            item,
        }
    }

    /// Moves the cursor past a whole cycle.
    fn complete(&mut self, settings: &Settings) {
        let Some(cycle) = &mut self.cycle else { return };
        if cycle.is_complete || cycle.is_abandoned {
            return;
        }
        cycle.is_complete = true;
        self.progress.page = None;
        self.progress.high = None;
        if cycle.range.is_some() {
            let high_ms = match &cycle.high {
                Some(Mark::Time(high_ms)) => Some(*high_ms),
                _ => None,
            };
            self.progress.window_ms = self.progress.window_ms.max(cycle.settled_ms).max(high_ms);
        }
        if let Some(high) = cycle.high.take() {
            self.progress.cursor = Some(Mark::later(self.progress.cursor.take(), high));
        }
        if settings.incremental.mode == Mode::Cursor && settings.incremental.pointer.is_none() {
            self.progress.cursor = cycle
                .last_token
                .take()
                .map(Mark::Opaque)
                .or(self.progress.cursor.take());
        }
        self.progress.forget(settings.incremental.lookback_ms);
    }

    fn end_fetching(&mut self, now_ms: i64) {
        let Some(cycle) = &mut self.cycle else { return };
        cycle.is_fetched = true;
        if cycle.is_abandoned {
            return;
        }
        if let Some((_, end_ms, is_last)) = cycle.range {
            self.next_start_ms = (!is_last).then_some(end_ms);
            cycle.settled_ms = (end_ms <= now_ms.saturating_sub(SETTLED_MS)).then_some(end_ms);
        }
        if let Some(snapshot) = &mut self.snapshot {
            for key in snapshot.end() {
                cycle.items.push_back(vanished(&key, now_ms, cycle.pages));
            }
        }
    }

    /// Drops what was met before. Tells whether something older than the cursor was among it.
    fn keep_new(
        &mut self,
        settings: &Settings,
        converter: &mut Converter,
        items: &mut Vec<Item>,
        reader: OffsetReader,
    ) -> Result<bool, ConnectError> {
        if let Some(snapshot) = &mut self.snapshot {
            let keys: Vec<String> = items.iter().map(key_text).collect();
            for kind in snapshot.look_up(&keys, reader)? {
                converter.take_up(&kind);
            }
            items.retain(|item| item.problem.is_some() || snapshot.meet(&key_text(item), &item.id));
            return Ok(false);
        }
        let Some(cycle) = &mut self.cycle else {
            return Ok(false);
        };
        if settings.incremental.mode == Mode::None {
            return Ok(false);
        }
        let mut reached_old = false;
        let mut is_first = cycle.pages == 0;
        let (window, seen) = (&mut self.window, &mut self.seen);
        items.retain(|item| {
            let Some(mark) = &item.mark else {
                // Without a mark it is told by its fingerprint; a problem is met again after a restart only.
                return window.insert(&item.id);
            };
            let keeps_first = settings.incremental.order == Order::Desc && matches!(mark, Mark::Opaque(_));
            if !keeps_first || std::mem::take(&mut is_first) {
                cycle.high = Some(Mark::later(cycle.high.take(), mark.clone()));
            }
            if cycle.is_old(mark) {
                reached_old = true;
                return false;
            }
            let is_new = window.insert(&item.id);
            if let (true, Mark::Time(ms)) = (is_new, mark) {
                seen.newest_ms = seen.newest_ms.max(Some(*ms));
            }
            is_new
        });
        Ok(reached_old)
    }
}

impl Cycle {
    /// Tells whether a record was asked for with a later start: the service gives more than it was asked for.
    fn is_old(&self, mark: &Mark) -> bool {
        let order = self.from.as_ref().and_then(|from| mark.order(from));
        match mark {
            Mark::Time(_) => order == Some(std::cmp::Ordering::Less),
            Mark::Id(_) => matches!(order, Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)),
            Mark::Opaque(_) => false,
        }
    }

    /// Ends the cycle where nothing is new, and fails it where pages go round.
    fn checked_next(
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
    fn append(&mut self, order: Order, items: Vec<Item>, is_last_page: bool) {
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

fn item_of(
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
    let id = if settings.emits_changes || key.is_empty() {
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

fn vanished(key: &str, now_ms: i64, pages: u32) -> Item {
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
fn key_text(item: &Item) -> String {
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

fn initial_mark(settings: &Settings, text: &str) -> Option<Mark> {
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
