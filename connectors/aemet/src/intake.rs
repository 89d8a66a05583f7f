//! From the rows of an answer to records on their way out
//!
//! What is new or changed is handed over oldest first, each row with the offset of its own station or town. Rows that
//! are none go the way of `on.bad.record`. Requests are in `task.rs`.

use std::collections::HashMap;

use serde_json::Value as Json;
use weir_feed::bad_record::BadRecords;
use weir_feed::hash::short_hash_of;
use weir_feed::headers::{FeedHeaders, header};
use weir_feed::outbox::Outbox;
use weir_feed::window::Window;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{Header, SourceRecord};
use weir_sdk::offsets::OffsetReader;
use weir_sdk::source::PollBudget;
use weir_sdk::{runtime, warn};

use crate::aemet_config::{Emit, Settings};
use crate::cycle::Ask;
use crate::memory::Memory;
use crate::product::Product;
use crate::records::daily_climate::INDICATIVO;
use crate::records::fields::{Mapped, text_of};
use crate::records::mapper::Mapper;
use crate::seen::Novelty;

/// Oddities of rows remembered, so that each is logged once.
const ODDITIES: usize = 1_000;

/// Takes rows in.
#[derive(Debug)]
pub struct Intake {
    product: Product,
    emit: Emit,
    topic: String,
    base_path: String,
    mapper: Mapper,
    /// What was handed over of each place.
    pub memory: Memory,
    outbox: Outbox,
    bad: BadRecords,
    bad_seen: Window,
    odd_seen: Window,
}

impl Intake {
    /// Starts with what the offsets say.
    ///
    /// # Errors
    /// Fatal if a schema is malformed, which tests rule out.
    pub fn new(settings: &Settings, reader: OffsetReader) -> Result<Self, ConnectError> {
        Ok(Self {
            product: settings.product,
            emit: settings.emit,
            topic: settings.common.topic.clone(),
            base_path: settings.base.path.clone(),
            mapper: Mapper::new(settings.product, settings.names, settings.key_form)?,
            memory: Memory::new(settings.product, reader),
            outbox: Outbox::new(settings.common.records_max_per_poll),
            bad: BadRecords::new(&settings.common),
            bad_seen: Window::new(settings.common.dedupe_window),
            odd_seen: Window::new(ODDITIES),
        })
    }

    /// Gives the records of one poll.
    pub fn take(&mut self, budget: PollBudget) -> Option<Vec<SourceRecord>> {
        self.outbox.take(budget)
    }

    /// Takes the list of all stations: their offsets tell where climatology goes on.
    ///
    /// # Errors
    /// Retriable when the offsets cannot be read now.
    pub fn stations(&mut self, rows: &[Json]) -> Result<(), ConnectError> {
        let ids: Vec<String> = rows.iter().filter_map(|row| text_of(row.get(INDICATIVO))).collect();
        self.memory.load(ids.iter().map(String::as_str))
    }

    /// Takes the rows of an answer.
    ///
    /// # Errors
    /// Retriable when the offsets cannot be read now, data for a row that is none where that fails the task.
    pub fn rows(&mut self, ask: &Ask, rows: Vec<Json>) -> Result<(), ConnectError> {
        let mut bad = Vec::new();
        // All stations at once are some 20,000 rows: each is dropped when its value is made.
        // Of rows that are about the same hour or day, the last counts: or they would take turns for ever.
        let mut latest: HashMap<(String, i64), Mapped> = HashMap::new();
        for row in rows {
            match self.mapper.map(&row, &ask.place) {
                Ok(mapped) => {
                    latest.insert((mapped.id.clone(), mapped.position), mapped);
                }
                Err(reason) => bad.push((row, reason)),
            }
        }
        let mut mapped: Vec<Mapped> = latest.into_values().collect();
        mapped.sort_by(|one, other| (one.position, &one.id).cmp(&(other.position, &other.id)));
        self.memory.load(mapped.iter().map(|row| row.id.as_str()))?;
        let endpoint = format!("{}{}", self.base_path, ask.path);
        let headers = FeedHeaders {
            feed: "aemet",
            endpoint: &endpoint,
            fetched_at_ms: runtime::now_ms(),
            page: ask.page,
            request_id: None,
        };
        let headers = headers.build();
        for (row, reason) in bad {
            self.set_aside(ask, &row, &reason, &headers)?;
        }
        for row in mapped {
            self.hand_over(row, &headers);
        }
        self.outbox.finish(None);
        Ok(())
    }

    fn set_aside(&mut self, ask: &Ask, row: &Json, reason: &str, headers: &[Header]) -> Result<(), ConnectError> {
        // Rows stay in the answers for a day.
        let id = format!("{}/{}", ask.place, short_hash_of(row));
        if !self.bad_seen.insert(&id) {
            return Ok(());
        }
        if let Some(mut record) = self.bad.handle(&id, &row.to_string(), reason)? {
            record.headers.extend_from_slice(headers);
            self.outbox.push(record);
        }
        Ok(())
    }

    fn hand_over(&mut self, row: Mapped, headers: &[Header]) {
        for odd in &row.odd {
            if self.odd_seen.insert(odd) {
                warn!("a part of a row is left out"; "place" => row.id, "part" => odd);
            }
        }
        let seen = self.memory.of(&row.id);
        let novelty = seen.novelty(self.product, &row);
        if novelty == Novelty::Known && self.emit == Emit::Changes {
            return;
        }
        if novelty != Novelty::Known {
            seen.note(self.product, &row);
        }
        let mut headers = headers.to_vec();
        if novelty == Novelty::Revised {
            headers.push(header("feed.revision", "true"));
        }
        self.outbox.push(SourceRecord {
            source_partition: Some(self.product.partition(&row.id)),
            source_offset: Some(seen.offset(self.product)),
            topic: self.topic.clone(),
            key: self.mapper.key(&row),
            timestamp: Some(row.timestamp_ms),
            value: Mapper::value(row),
            headers,
            ..SourceRecord::default()
        });
    }
}
