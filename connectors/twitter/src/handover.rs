//! Posts on their way out: each once, with its source partition and offset
//!
//! Shared by all modes: the memory of recent ids, authors as records of their own, bad items, and what is logged once.

use std::collections::HashMap;

use weir_feed::bad_record::BadRecords;
use weir_feed::outbox::Outbox;
use weir_feed::window::{Seen, Window};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::runtime::{self, Sample};
use weir_sdk::source::PollBudget;
use weir_sdk::warn;

use crate::parse::{BadPost, Post, User};
use crate::problem::Problem;
use crate::records::{Maker, Origin};
use crate::settings::Settings;

/// Ids of what was skipped that are remembered, so that each is logged once.
const LOGGED_IDS: usize = 1000;

/// Where a record belongs: its source partition and what it says about progress; no offset = it says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Source partition.
    pub partition: &'a str,
    /// Source offset.
    pub offset: Option<&'a str>,
}

/// Hands records over.
#[derive(Debug)]
pub struct Handover {
    maker: Maker,
    seen: Window,
    authors: Window,
    skipped: Window,
    bad: BadRecords,
    /// Records that wait.
    pub outbox: Outbox,
}

impl Handover {
    /// Starts with the settings.
    ///
    /// # Errors
    /// As [`Maker::new`].
    pub fn new(settings: &Settings) -> Result<Self, ConnectError> {
        let common = &settings.common;
        Ok(Self {
            maker: Maker::new(&common.topic, &settings.output)?,
            seen: Window::new(common.dedupe_window),
            authors: Window::new(common.dedupe_window),
            skipped: Window::new(LOGGED_IDS),
            bad: BadRecords::new(common),
            outbox: Outbox::new(common.records_max_per_poll),
        })
    }

    /// Gives what one poll may take.
    pub fn take(&mut self, budget: PollBudget) -> Option<Vec<SourceRecord>> {
        self.outbox.take(budget)
    }

    /// Remembers a post; false = it was handed over before.
    pub fn is_new(&mut self, id: u64) -> bool {
        self.seen.insert(&id.to_string())
    }

    /// Hands over a post. An author that goes apart and is new or changed goes first, with the offset `before`.
    pub fn post(
        &mut self,
        post: &Post,
        users: &HashMap<String, User>,
        origin: &Origin,
        place: Place<'_>,
        before: Option<&str>,
    ) {
        let author = post.author_id.as_ref().and_then(|id| users.get(id));
        if let Some(author) = author.filter(|_| self.maker.separates_users())
            && self.authors.insert_hashed(&author.id, &format!("{author:?}")) != Seen::Same
        {
            let record = self.maker.user(author, origin);
            self.push(
                record,
                Place {
                    offset: before,
                    ..place
                },
            );
        }
        let record = self.maker.post(post, users, origin);
        self.push(record, place);
    }

    /// Deals with an item that is no post.
    ///
    /// # Errors
    /// Data where the settings say that the task fails.
    pub fn bad(&mut self, bad: &BadPost, place: Place<'_>) -> Result<(), ConnectError> {
        if let Some(record) = self.bad.handle(&bad.id, &bad.raw, &bad.reason)? {
            self.push(record, place);
        }
        Ok(())
    }

    /// Counts what the service could not give; each item is logged once.
    pub fn skipped(&mut self, problems: &[Problem]) {
        for problem in problems {
            runtime::metric("feed-skipped", &[], Sample::CounterAdd(1));
            if self.skipped.insert(problem.item_text()) {
                warn!("X could not give an item"; "item" => problem.item_text(), "title" => problem.title,
                    "detail" => problem.detail);
            }
        }
    }

    fn push(&mut self, mut record: SourceRecord, place: Place<'_>) {
        // Without an offset the partition goes, too: a null offset would delete the one that is stored.
        record.source_partition = place.offset.map(|_| place.partition.to_owned());
        record.source_offset = place.offset.map(str::to_owned);
        self.outbox.push(record);
    }
}

/// Says that posts of a stretch of time may be missing.
pub fn report_gap(from_ms: i64, to_ms: i64, why: &str) {
    let missing_ms = u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0);
    if missing_ms == 0 {
        return;
    }
    runtime::metric("feed-gap-ms", &[], Sample::CounterAdd(missing_ms));
    warn!("posts may be missing"; "from" => weir_feed::time::rfc3339(from_ms),
        "to" => weir_feed::time::rfc3339(to_ms), "why" => why);
}
