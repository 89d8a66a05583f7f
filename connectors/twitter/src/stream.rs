//! Mode `filtered_stream`: posts as they are written
//!
//! One connection, ever. After a drop the old offset stays on all records until the gap is filled, so that a crash in
//! between loses nothing. What may come twice, and only after a restart: posts of the minute before the last offset,
//! whose order the stream does not promise, and what came while a gap was open.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::json;
use weir_feed::time::{parse_rfc3339, rfc3339};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::http::Chunk;
use weir_sdk::offsets::{JsonObject, OffsetReader};
use weir_sdk::runtime::{self, Sample};
use weir_sdk::source::PollBudget;
use weir_sdk::{info, warn};

use crate::api::{Caller, Endpoint};
use crate::connection::{Connected, Connection};
use crate::fill::{Fill, Filled};
use crate::handover::{Handover, Place, report_gap};
use crate::ids::{id_at, id_of, time_of};
use crate::parse::{Line, Post, User};
use crate::records::{FEED, Origin};
use crate::rules::{Rule, RuleSync};
use crate::settings::{Backfill, Mode, Settings};
use crate::values::Start;
use crate::walk::Bound;

/// Posts may come late, and out of order: a gap is filled from so long before the last one.
const OVERLAP_MS: i64 = 60_000;
/// Longest wait while a gap is being filled, so that the next page is asked for soon.
const LEAST_WAIT_MS: u32 = 1_000;
/// Bytes of one read.
const PIECE_BYTES: usize = 64 * 1024;
/// Lines that are no JSON, one after the other, after which the connection is made anew.
const MAX_BROKEN_LINES: u32 = 10;
/// The stream gives back so many minutes.
const MAX_BACKFILL_MINUTES: i64 = 5;

/// How far the stream was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Greatest id.
    pub last_id: u64,
    /// When it came.
    pub last_at_ms: i64,
}

impl Position {
    /// Reads an offset.
    ///
    /// # Errors
    /// Fatal when the id is none.
    pub fn from_offset(offset: &JsonObject) -> Result<Self, ConnectError> {
        let last_id = offset.get("last_id").and_then(id_of);
        let last_id = last_id.ok_or_else(|| ConnectError::fatal("offsets must have an id as 'last_id'"))?;
        let last_at_ms = offset.get("last_at").and_then(|at| at.as_str()).and_then(parse_rfc3339);
        Ok(Self {
            last_id,
            last_at_ms: last_at_ms.unwrap_or_else(|| time_of(last_id)),
        })
    }

    /// Writes the offset.
    pub fn to_offset(self) -> String {
        json!({"last_id": self.last_id.to_string(), "last_at": rfc3339(self.last_at_ms)}).to_string()
    }
}

/// A stretch of time in which nobody listened.
#[derive(Debug, Clone, Copy)]
struct Gap {
    from: Bound,
    /// Where a restart must begin.
    anchor: Option<Position>,
}

/// Reads the stream.
#[derive(Debug)]
pub struct Stream {
    settings: Settings,
    caller: Caller,
    rules: RuleSync,
    known_rules: Option<Vec<Rule>>,
    connection: Connection,
    searches: Endpoint,
    handover: Handover,
    position: Option<Position>,
    /// When the first connection was made, by the service's clock.
    began_ms: Option<i64>,
    open: Option<Gap>,
    fill: Option<Fill>,
    /// A gap that came while another one was being filled.
    next: Option<Gap>,
    origin: Origin,
    broken_lines: u32,
}

impl Stream {
    /// Starts where the committed offset says.
    ///
    /// # Errors
    /// As reading offsets; fatal when the offset is none.
    pub fn start(settings: &Settings, offsets: &OffsetReader) -> Result<Self, ConnectError> {
        let offset = offsets.offset(&partition())?;
        let position = offset.as_ref().map(Position::from_offset).transpose()?;
        if settings.backfill == Backfill::Api {
            warn!("twitter.stream.backfill=api needs enterprise access");
        }
        let open = match (position, settings.start) {
            (Some(position), _) => Some(gap_after(position)),
            (None, Start::Latest) => None,
            (None, Start::Earliest) => Some(Gap {
                from: Bound::Reach,
                anchor: None,
            }),
            (None, Start::At(ms)) => Some(Gap {
                from: Bound::Since(id_at(ms).saturating_sub(1)),
                anchor: None,
            }),
        };
        let connection = Connection::new(settings);
        Ok(Self {
            caller: Caller::new(settings),
            rules: RuleSync::new(settings),
            known_rules: None,
            origin: Origin {
                endpoint: connection.path().to_owned(),
                fetched_at_ms: 0,
                page: 0,
                request_id: None,
            },
            connection,
            searches: Endpoint::new(settings, "x.search"),
            handover: Handover::new(settings)?,
            position,
            began_ms: None,
            open,
            fill: None,
            next: None,
            broken_lines: 0,
            settings: settings.clone(),
        })
    }

    /// Reads what the stream has, connects, or fills a gap; one thing a poll.
    ///
    /// # Errors
    /// Fatal where X's table says so, and when failures in a row are used up.
    pub fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if let Some(records) = self.handover.take(budget) {
            return Ok(Some(records));
        }
        self.fill_gap()?;
        if self.handover.outbox.ready() == 0 {
            if self.known_rules.is_none() {
                self.sync_rules(budget)?;
            } else if self.connection.is_open() {
                self.read(budget)?;
            } else {
                self.connect(budget)?;
            }
        }
        Ok(self.handover.take(budget))
    }

    fn sync_rules(&mut self, budget: PollBudget) -> Result<(), ConnectError> {
        self.known_rules = self.rules.step(&mut self.caller)?;
        if self.known_rules.is_none() {
            self.rules.endpoint().idle(&mut self.caller, budget);
        }
        Ok(())
    }

    fn connect(&mut self, budget: PollBudget) -> Result<(), ConnectError> {
        let backfill_minutes = self.backfill_minutes();
        match self.connection.connect(&mut self.caller, backfill_minutes)? {
            Connected::NotYet => {
                let budget = PollBudget {
                    max_wait_ms: budget.max_wait_ms.min(self.longest_wait_ms()),
                    ..budget
                };
                self.connection.idle(&mut self.caller, budget);
            }
            Connected::NoRules => {
                self.rules.restart();
                self.known_rules = None;
            }
            Connected::Yes { request_id } => {
                info!("stream connected");
                self.broken_lines = 0;
                self.origin.request_id = request_id;
                let now_ms = self.caller.service_now_ms();
                self.began_ms.get_or_insert(now_ms);
                self.plan_fill(now_ms, backfill_minutes);
            }
        }
        Ok(())
    }

    /// Gives how many minutes the stream is asked to give back.
    fn backfill_minutes(&self) -> i64 {
        match (self.settings.backfill, self.open.and_then(|gap| gap.anchor)) {
            (Backfill::Api, Some(anchor)) => {
                let gap_ms = self.caller.service_now_ms().saturating_sub(time_of(anchor.last_id));
                gap_ms
                    .saturating_add(OVERLAP_MS + 59_999)
                    .div_euclid(60_000)
                    .clamp(1, MAX_BACKFILL_MINUTES)
            }
            _ => 0,
        }
    }

    /// Has the gap that ends now filled, as the settings say.
    fn plan_fill(&mut self, connected_ms: i64, backfill_minutes: i64) {
        let Some(gap) = self.open else {
            return;
        };
        match self.settings.backfill {
            Backfill::Search => {
                if !self.fill.as_ref().is_some_and(Fill::has_begun) {
                    let rules = self.known_rules.as_deref().unwrap_or_default();
                    self.fill = Some(Fill::new(&self.settings, gap.from, connected_ms, rules));
                }
            }
            Backfill::Api => {
                let reaches_ms = connected_ms.saturating_sub(backfill_minutes.saturating_mul(60_000));
                self.report(gap, reaches_ms, "the stream gives back five minutes only");
                self.open = None;
            }
            Backfill::None => {
                self.report(gap, connected_ms, "twitter.stream.backfill is none");
                self.open = None;
            }
        }
    }

    fn report(&self, gap: Gap, to_ms: i64, why: &str) {
        if let Some(anchor) = gap.anchor {
            report_gap(time_of(anchor.last_id), to_ms, why);
        }
    }

    fn fill_gap(&mut self) -> Result<(), ConnectError> {
        let Some(fill) = &mut self.fill else {
            return Ok(());
        };
        if let Some(filled) = fill.step(&mut self.searches, &mut self.caller, &mut self.handover)? {
            self.fill = None;
            self.hand_over_filled(&filled);
            self.open = self.next.take();
            if self.open.is_some() && self.connection.is_open() {
                let connected_ms = self.connection.since_ms();
                self.plan_fill(connected_ms, 0);
            }
        }
        Ok(())
    }

    fn hand_over_filled(&mut self, filled: &Filled) {
        let anchor = self.open.and_then(|gap| gap.anchor);
        let before = anchor.map(Position::to_offset);
        info!("gap of the stream filled"; "posts" => filled.posts.len());
        let is_new = |(post, _): &&(Post, Rc<Origin>)| self.handover.is_new(post.id);
        let new: Vec<&(Post, Rc<Origin>)> = filled.posts.values().filter(is_new).collect();
        for (post, _) in &new {
            self.moved_to(post.id);
        }
        // The next gap, if there is one, begins before what the last record may say.
        let after = self
            .next
            .map_or(self.position, |gap| gap.anchor)
            .map(Position::to_offset);
        let last_id = new.last().map(|(post, _)| post.id);
        for (post, origin) in new {
            let is_last = Some(post.id) == last_id;
            let place = Place {
                partition: &partition(),
                offset: if is_last { after.as_deref() } else { before.as_deref() },
            };
            self.handover
                .post(post, &filled.users, origin, place, before.as_deref());
        }
        self.handover.outbox.finish(None);
    }

    fn read(&mut self, budget: PollBudget) -> Result<(), ConnectError> {
        let wait_ms = budget.max_wait_ms.min(self.longest_wait_ms());
        let lines = match self.connection.read(PIECE_BYTES, wait_ms)? {
            Some(Chunk::Bytes(piece)) => self.connection.lines(&piece)?,
            Some(Chunk::Nothing) => return Ok(()),
            Some(Chunk::End) | None => {
                self.dropped();
                return Ok(());
            }
        };
        self.origin.fetched_at_ms = runtime::now_ms();
        for line in lines {
            let keeps_raw = self.settings.output.includes_raw;
            if !self.take(Line::parse(&line, keeps_raw))? {
                self.connection.ended()?;
                self.dropped();
                break;
            }
        }
        Ok(())
    }

    /// Gives how long a poll may wait, for the filling of a gap to go on.
    fn longest_wait_ms(&mut self) -> u32 {
        let due_ms = self.fill.as_mut().map_or(u64::MAX, Fill::wait_ms);
        u32::try_from(due_ms).unwrap_or(u32::MAX).max(LEAST_WAIT_MS)
    }

    /// Deals with a line; false = the connection is over.
    fn take(&mut self, line: Line) -> Result<bool, ConnectError> {
        if !matches!(line, Line::Broken) {
            self.broken_lines = 0;
        }
        match line {
            Line::Post(post, users) => {
                self.connection.brought_a_post();
                self.hand_over(&post, &users);
            }
            Line::Bad(bad) => {
                let offset = self.offset();
                let place = Place {
                    partition: &partition(),
                    offset: offset.as_deref(),
                };
                self.handover.bad(&bad, place)?;
                self.handover.outbox.finish(None);
            }
            Line::Problems(problems) => {
                self.connection.ended_with(&problems)?;
                return Ok(false);
            }
            Line::Unknown => {}
            Line::Broken => {
                runtime::metric("feed-skipped", &[], Sample::CounterAdd(1));
                self.broken_lines += 1;
                if self.broken_lines == 1 {
                    warn!("a line of the stream is no JSON and was skipped");
                }
                if self.broken_lines >= MAX_BROKEN_LINES {
                    warn!("ten lines in a row are no JSON: connecting again");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn hand_over(&mut self, post: &Post, users: &HashMap<String, User>) {
        let before = self.offset();
        if !self.handover.is_new(post.id) {
            return;
        }
        self.moved_to(post.id);
        let offset = self.offset();
        let place = Place {
            partition: &partition(),
            offset: offset.as_deref(),
        };
        self.handover.post(post, users, &self.origin, place, before.as_deref());
        self.handover.outbox.finish(None);
    }

    fn moved_to(&mut self, id: u64) {
        if self.position.is_none_or(|position| position.last_id < id) {
            self.position = Some(Position {
                last_id: id,
                last_at_ms: self.caller.service_now_ms(),
            });
        }
    }

    /// Gives the offset of a record that goes now: while a gap is open, where it begins.
    fn offset(&self) -> Option<String> {
        let position = match self.open {
            Some(gap) => gap.anchor,
            None => self.position,
        };
        position.map(Position::to_offset)
    }

    /// Notes that from now on nobody listens.
    fn dropped(&mut self) {
        let gap = match (self.position, self.began_ms) {
            (Some(position), _) => gap_after(position),
            (None, Some(began_ms)) => Gap {
                from: Bound::Since(id_at(began_ms).saturating_sub(1)),
                anchor: None,
            },
            (None, None) => return,
        };
        if self.open.is_none() {
            self.open = Some(gap);
        } else if self.fill.as_ref().is_some_and(Fill::has_begun) && self.next.is_none() {
            self.next = Some(gap);
        }
    }
}

fn gap_after(position: Position) -> Gap {
    let from_ms = time_of(position.last_id).saturating_sub(OVERLAP_MS);
    Gap {
        from: Bound::Since(id_at(from_ms).saturating_sub(1)),
        anchor: Some(position),
    }
}

/// Gives the source partition.
pub fn partition() -> String {
    json!({"feed": FEED, "mode": Mode::FilteredStream.as_str()}).to_string()
}
