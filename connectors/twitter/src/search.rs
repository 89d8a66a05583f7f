//! Mode `recent_search`: cycles over one search
//!
//! Source partition: the query's hash, so that a changed query starts anew. Nothing comes twice but the part that was
//! being handed over when a worker crashed in a cycle with too many pages.

use serde_json::json;
use weir_feed::hash::sha256_hex;
use weir_feed::pause::Pause;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::offsets::OffsetReader;
use weir_sdk::source::PollBudget;

use crate::api::{Caller, Endpoint};
use crate::cursor::Cursor;
use crate::handover::Handover;
use crate::reader::{Read, Reader};
use crate::records::FEED;
use crate::settings::{Mode, Settings};
use crate::walk::List;

/// Searches.
#[derive(Debug)]
pub struct Search {
    endpoint: Endpoint,
    caller: Caller,
    reader: Reader,
    handover: Handover,
    interval_ms: u64,
    pause: Pause,
}

impl Search {
    /// Starts where the committed offset says.
    ///
    /// # Errors
    /// As reading offsets; fatal when the offset is none.
    pub fn start(settings: &Settings, offsets: &OffsetReader) -> Result<Self, ConnectError> {
        let partition = partition(&settings.query);
        let committed = offsets.offset(&partition)?;
        let committed = committed.as_ref().map(Cursor::from_offset).transpose()?;
        let caller = Caller::new(settings);
        let list = List::search(settings, &settings.query);
        Ok(Self {
            endpoint: Endpoint::new(settings, "x.search"),
            reader: Reader::new(list, partition, committed, settings, &caller),
            caller,
            handover: Handover::new(settings)?,
            interval_ms: settings.common.poll_interval_ms.unsigned_abs(),
            pause: Pause::of(0),
        })
    }

    /// Reads a page, or hands over what is there.
    ///
    /// # Errors
    /// As [`Reader::step`].
    pub fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if let Some(records) = self.handover.take(budget) {
            return Ok(Some(records));
        }
        if !self.pause.is_over() {
            self.pause.idle(budget);
            return Ok(None);
        }
        match self
            .reader
            .step(&mut self.endpoint, &mut self.caller, &mut self.handover)?
        {
            Read::NotYet => self.endpoint.idle(&mut self.caller, budget),
            Read::More => {}
            Read::Over => self.pause = Pause::of(self.interval_ms),
            Read::Absent(_, error) => return Err(error),
        }
        Ok(self.handover.take(budget))
    }
}

/// Gives the source partition of a query.
pub fn partition(query: &str) -> String {
    let mode = Mode::RecentSearch.as_str();
    json!({"feed": FEED, "mode": mode, "query_sha256": sha256_hex(query.as_bytes())}).to_string()
}
