//! One source partition: its cycles, pages and offsets
//!
//! A cycle reads all pages since the cursor. Records go out as they come, newest-first answers turned around; the cursor
//! moves with each record where the service gives them in order, else with the last record of the cycle, which waits for
//! that. Nothing here sends: `source.rs` does.

use serde_json::Value;
use weir_feed::answer::Answer;
use weir_feed::window::Window;
use weir_sdk::api::error::ConnectError;
use weir_sdk::offsets::{JsonObject, OffsetReader};

use crate::body::Rows;
use crate::converter::Converter;
use crate::cycle::{Cycle, Item, Placed, initial_mark, item_of, key_text, vanished};
use crate::paging::PageView;
use crate::progress::{Mark, Progress};
use crate::request::Values;
use crate::snapshot::Snapshot;
use crate::source_settings::{Mode, Order, Settings};

/// A window this far in the past gets no more records, whatever this machine's clock says.
const SETTLED_MS: i64 = 86_400_000;
/// Tokens remembered to notice a loop.
const MAX_TOKENS: usize = 10_000;

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
    /// Gives the source partition of a value of `${partition}`.
    pub fn partition_of(connector: &str, value: &str) -> String {
        let mut partition = JsonObject::new();
        partition.insert("feed".to_owned(), Value::from("http"));
        partition.insert("connector".to_owned(), Value::from(connector));
        partition.insert("partition".to_owned(), Value::from(value));
        Value::Object(partition).to_string()
    }

    /// Starts with what the offset of its partition says; so many ids are remembered. Gives the types stored there, too.
    ///
    /// # Errors
    /// Retriable when offsets cannot be read now.
    pub fn new(
        settings: &Settings,
        (value, partition): (&str, &str),
        offset: &JsonObject,
        max_ids: usize,
        reader: OffsetReader,
    ) -> Result<(Self, Vec<Value>), ConnectError> {
        let mut kinds: Vec<Value> = offset.get("schema").cloned().into_iter().collect();
        let progress = Progress::parse(settings.incremental.mode, offset);
        let mut snapshot = settings.emits_changes.then(|| {
            Snapshot::new(
                partition,
                settings.common.emit_tombstones,
                settings.common.dedupe_window,
            )
        });
        if let Some(snapshot) = &mut snapshot {
            kinds.extend(snapshot.load(offset, reader)?);
        }
        let window = Window::with_ids(max_ids, progress.ids.iter().map(|(id, _)| id.as_str()));
        let stream = Self {
            value: value.to_owned(),
            partition: partition.to_owned(),
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
