//! What becomes of a search: records, cut cells, tombstones, the moved offset
//!
//! The records of a search carry its old offset and leave together, the progress record with the new one last: a restart
//! in between repeats that one search.

use weir_feed::headers::FeedHeaders;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::{info, runtime};

use crate::answer::BadItem;
use crate::memory::Sight;
use crate::place::{Found, Place};
use crate::progress::Progress;
use crate::reader::Reader;
use crate::request::Search;
use crate::search_run::{End, FetchedPage, SearchRun};
use crate::unit::{FEED, UnitOffset};

/// Cycles after which a place that is not found any more is gone.
const MISSING_CYCLES: u64 = 3;

/// Where a record comes from.
struct Origin {
    unit: usize,
    page: u32,
    partition: String,
    offset: String,
}

impl Reader {
    /// Hands over what a search found and moves the offset of its unit.
    pub(crate) fn finish(&mut self, at: usize, run: &SearchRun, end: End) -> Result<(), ConnectError> {
        let is_cut = end == End::Full && self.cut(at)?;
        let Some(unit) = self.units.get(at) else { return Ok(()) };
        let mut origin = Origin {
            unit: at,
            page: 0,
            partition: unit.partition.clone(),
            offset: unit.offset.text(),
        };
        let mut written = 0;
        for page in &run.pages {
            written += self.write_page(&origin, page)?;
            origin.page += 1;
        }
        match end {
            End::NotFound => written += self.not_found(&origin)?,
            // Absence proves nothing where not all was read.
            End::Incomplete => self.memory.excuse(at, self.cycle),
            End::Full if !is_cut => self.memory.excuse(at, self.cycle),
            End::Full | End::Complete => {}
        }
        self.memory.trim();
        self.push_progress(at, run.found, written, end, is_cut)
    }

    /// Cuts the cell of a full search in four, to be searched next; false = it cannot be cut.
    fn cut(&mut self, at: usize) -> Result<bool, ConnectError> {
        let (Some(unit), Some(area), true) = (self.units.get(at), &self.settings.area, self.settings.splits) else {
            return Ok(false);
        };
        let Some(parts) = unit.parts(area, self.settings.mode) else {
            return Ok(false);
        };
        info!("a full cell is cut in four"; "cell" => unit.cell.as_deref().unwrap_or_default());
        let added = self.add_units(parts)?;
        for at in added.into_iter().rev() {
            // Known when the cell was cut before, under other settings.
            self.remember(at);
            self.queue.push_front(at);
        }
        Ok(true)
    }

    fn write_page(&mut self, origin: &Origin, page: &FetchedPage) -> Result<usize, ConnectError> {
        let mut written = 0;
        for bad in &page.page.bad {
            written += usize::from(self.write_bad(origin, bad, page.fetched_ms)?);
        }
        for place in &page.page.places {
            written += usize::from(self.write_place(origin, page, place)?);
        }
        Ok(written)
    }

    fn write_bad(&mut self, origin: &Origin, bad: &BadItem, at_ms: i64) -> Result<bool, ConnectError> {
        if let Some(id) = &bad.id {
            self.memory.excuse_place(id, self.cycle);
        }
        let id = bad.id.as_deref().unwrap_or("without id");
        let instead = self.bad.handle(id, &bad.item.to_string(), &bad.reason)?;
        let is_written = instead.is_some();
        if let Some(record) = instead {
            self.push(
                origin,
                SourceRecord {
                    timestamp: Some(at_ms),
                    ..record
                },
            );
        }
        Ok(is_written)
    }

    fn write_place(&mut self, origin: &Origin, page: &FetchedPage, place: &Place) -> Result<bool, ConnectError> {
        if self.settings.common.emit_tombstones && place.is_closed_for_good() {
            let is_news = self.memory.bury(&place.id, origin.unit, self.cycle);
            if is_news {
                self.push_tombstone(origin, &place.id, page.fetched_ms);
            }
            return Ok(is_news);
        }
        let fingerprint = place.fingerprint(self.settings.kept);
        match self.memory.meet(&place.id, &fingerprint, origin.unit, self.cycle) {
            Sight::Again => return Ok(false),
            Sight::Same if !self.settings.emits_all => return Ok(false),
            Sight::New | Sight::Changed | Sight::Same => {}
        }
        let Some(unit) = self.units.get(origin.unit) else {
            return Ok(false);
        };
        let found = Found {
            fetched_ms: page.fetched_ms,
            query: unit.labelled.label.as_deref(),
            cell: unit.cell.as_deref(),
        };
        let value = self.schema.value(place, found)?;
        let headers = FeedHeaders {
            feed: FEED,
            endpoint: &page.endpoint,
            fetched_at_ms: page.fetched_ms,
            page: origin.page,
            request_id: None,
        };
        let record = SourceRecord {
            topic: self.settings.common.topic.clone(),
            key: TypedValue::text(place.id.as_str()),
            value: TypedValue::new(self.schema.schema().clone(), value),
            timestamp: Some(page.fetched_ms),
            headers: headers.build(),
            ..SourceRecord::default()
        };
        self.push(origin, record);
        Ok(true)
    }

    /// The service does not know a place id any more.
    fn not_found(&mut self, origin: &Origin) -> Result<usize, ConnectError> {
        let Some(Search::Details { id }) = self.units.get(origin.unit).map(|unit| &unit.labelled.search) else {
            return Ok(0);
        };
        let id = id.clone();
        if self.told_unknown.insert(id.clone()) {
            weir_sdk::warn!("the service does not know a place id"; "id" => id);
        }
        let is_news = self.memory.bury(&id, origin.unit, self.cycle);
        if is_news && self.settings.common.emit_tombstones {
            self.push_tombstone(origin, &id, runtime::now_ms());
            return Ok(1);
        }
        Ok(0)
    }

    /// Ends a cycle: what was not found for some cycles is gone.
    pub(crate) fn close_cycle(&mut self) -> Result<(), ConnectError> {
        self.is_cycle_open = false;
        let missing = self.memory.forget_missing(self.cycle, MISSING_CYCLES);
        let mut homes: Vec<usize> = Vec::new();
        for (id, home, has_record) in missing {
            let Some(unit) = self.units.get(home) else { continue };
            if has_record && self.settings.common.emit_tombstones {
                let origin = Origin {
                    unit: home,
                    page: 0,
                    partition: unit.partition.clone(),
                    offset: unit.offset.text(),
                };
                self.push_tombstone(&origin, &id, runtime::now_ms());
            }
            homes.push(home);
        }
        homes.sort_unstable();
        homes.dedup();
        for home in homes {
            self.push_progress(home, 0, 0, End::Complete, false)?;
        }
        Ok(())
    }

    fn push_tombstone(&mut self, origin: &Origin, id: &str, at_ms: i64) {
        let record = SourceRecord {
            topic: self.settings.common.topic.clone(),
            key: TypedValue::text(id),
            timestamp: Some(at_ms),
            ..SourceRecord::default()
        };
        self.push(origin, record);
    }

    fn push(&mut self, origin: &Origin, record: SourceRecord) {
        self.outbox.push(SourceRecord {
            source_partition: Some(origin.partition.clone()),
            source_offset: Some(origin.offset.clone()),
            ..record
        });
    }

    fn push_progress(
        &mut self,
        at: usize,
        found: usize,
        written: usize,
        end: End,
        is_cut: bool,
    ) -> Result<(), ConnectError> {
        let at_ms = runtime::now_ms();
        let places = self.memory.text_of(at);
        let Some(unit) = self.units.get_mut(at) else {
            return Ok(());
        };
        let is_split = unit.offset.is_split || is_cut;
        unit.offset = UnitOffset {
            cycle: self.cycle,
            at_ms,
            is_split,
            places,
        };
        let (day, requests, limit) = self.budget.state();
        let says = Progress {
            at_ms,
            cell: unit.cell.as_deref(),
            query: unit.labelled.label.as_deref(),
            cycle: Some(self.cycle),
            is_complete: Some(is_split || matches!(end, End::Complete | End::NotFound)),
            found: Some(found),
            written: Some(written),
            day,
            requests,
            limit,
            paused: None,
        };
        let record = self.progress.record(&unit.partition, unit.offset.text(), &says)?;
        self.outbox.push(record);
        self.outbox.finish(None);
        Ok(())
    }
}
