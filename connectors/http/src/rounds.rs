//! Rounds over partitions, pages and waits
//!
//! A round reads each source partition once, then pauses. A poll fetches at most what fits its budget of time and hands
//! rows over in pieces. What a page means for one partition is in `stream.rs`.

use std::cell::RefCell;
use std::collections::HashMap;

use weir_feed::answer::{Answer, Fetch, THROTTLE_CAP_MS, Verdict};
use weir_feed::bad_record::BadRecords;
use weir_feed::client::{Client, described};
use weir_feed::hash::sha256_hex;
use weir_feed::headers::FeedHeaders;
use weir_feed::pause::Pause;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::http::Request;
use weir_sdk::offsets::OffsetReader;
use weir_sdk::runtime;
use weir_sdk::source::PollBudget;
use weir_sdk::{info, warn};

use crate::auth::{Auth, Ready};
use crate::body::read;
use crate::converter::Converter;
use crate::cycle::Placed;
use crate::parent::ParentList;
use crate::request::page_request;
use crate::request_config::secrets_of;
use crate::rules::Action;
use crate::source_config::definition;
use crate::source_settings::Settings;
use crate::stream::Stream;

/// Budget of requests that all tasks share.
const BUDGET: &str = "requests";
/// Offsets asked for at a time.
const LOOKUP_PARTITIONS: usize = 500;
/// Ids that each partition remembers, however many share `dedupe.window`.
const MIN_IDS: usize = 100;

/// What a running task holds.
#[derive(Debug)]
pub(crate) struct Running {
    settings: Settings,
    client: Client,
    auth: Auth,
    reader: OffsetReader,
    converter: Converter,
    bad: BadRecords,
    parent: Option<ParentList>,
    streams: Vec<Stream>,
    /// Which stream's turn it is.
    at: usize,
    pause: Option<Pause>,
    /// The next pause may be short.
    is_behind: bool,
    newest_ms: Option<i64>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Moved,
    Waiting,
}

impl Running {
    pub(crate) fn new(settings: Settings, config: &ConfigMap, reader: OffsetReader) -> Result<Self, ConnectError> {
        let mut client = Client::new(&settings.common.access, BUDGET).following(settings.request.hosts.clone());
        let auth = Auth::new(settings.auth.clone());
        auth.hide_in(&mut client);
        for secret in secrets_of(&definition(), config) {
            client.hide(secret.reference());
        }
        let (index, count) = settings.task;
        let mut running = Self {
            converter: Converter::new(&settings.record, &settings.common.topic)?,
            bad: BadRecords::new(&settings.common),
            parent: settings
                .parent
                .clone()
                .map(|parent| ParentList::new(parent, index, count)),
            client,
            auth,
            reader,
            streams: Vec::new(),
            at: 0,
            pause: None,
            is_behind: false,
            newest_ms: None,
            settings,
        };
        if running.parent.is_none() {
            let values = running.settings.partitions.clone();
            let own: Vec<String> = if values.is_empty() {
                vec![String::new()]
            } else {
                let count = usize::try_from(count).unwrap_or(1).max(1);
                values
                    .into_iter()
                    .skip(usize::try_from(index).unwrap_or(0))
                    .step_by(count)
                    .collect()
            };
            running.set_streams(&own)?;
        }
        Ok(running)
    }

    /// Takes up the values there are now; streams that go on keep what they know.
    fn set_streams(&mut self, values: &[String]) -> Result<(), ConnectError> {
        let connector = runtime::identity().connector;
        let known = std::mem::take(&mut self.streams).into_iter();
        let mut known: HashMap<String, Stream> = known.map(|stream| (stream.value.clone(), stream)).collect();
        let max_ids = (self.settings.common.dedupe_window / values.len().max(1)).max(MIN_IDS);
        let max_ids = max_ids.min(self.settings.common.dedupe_window);
        for some in values.chunks(LOOKUP_PARTITIONS) {
            let partitions: Vec<String> = some
                .iter()
                .map(|value| Stream::partition_of(&connector, value))
                .collect();
            let texts: Vec<&str> = partitions.iter().map(String::as_str).collect();
            let offsets = self.reader.offsets(&texts)?;
            for ((value, partition), offset) in some.iter().zip(&partitions).zip(offsets) {
                if let Some(stream) = known.remove(value) {
                    self.streams.push(stream);
                    continue;
                }
                let offset = offset.unwrap_or_default();
                let (stream, kinds) = Stream::new(&self.settings, (value, partition), &offset, max_ids, self.reader)?;
                for kind in &kinds {
                    self.converter.take_up(kind);
                }
                self.streams.push(stream);
            }
        }
        self.at = 0;
        Ok(())
    }

    pub(crate) fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let began_ms = runtime::now_ms();
        loop {
            if runtime::stop_requested() {
                return Ok(None);
            }
            if let Some(records) = self.hand_over(budget)? {
                return Ok(Some(records));
            }
            if let Some(pause) = &mut self.pause {
                if !pause.is_over() {
                    pause.idle(budget);
                    return Ok(None);
                }
                self.pause = None;
            }
            if self.step()? == Step::Waiting {
                self.client.idle(budget);
                return Ok(None);
            }
            if runtime::now_ms().abs_diff(began_ms) >= u64::from(budget.max_wait_ms) {
                return Ok(None);
            }
        }
    }

    fn hand_over(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let Some(stream) = self.streams.get_mut(self.at) else {
            return Ok(None);
        };
        if stream.needs_page() && !self.converter.is_ready() {
            return Ok(None);
        }
        let wanted = usize::try_from(budget.max_records).unwrap_or(usize::MAX).max(1);
        let most = wanted.min(self.settings.common.records_max_per_poll);
        let kind = self.converter.kind_json().cloned();
        let placed = stream.take(&self.settings, most, kind.as_ref());
        let mut records = Vec::with_capacity(placed.len());
        for placed in placed {
            records.extend(self.record_of(placed)?);
        }
        Ok((!records.is_empty()).then_some(records))
    }

    fn record_of(&mut self, placed: Placed) -> Result<Option<SourceRecord>, ConnectError> {
        let Placed {
            item,
            partition,
            offset,
        } = placed;
        let headers = FeedHeaders {
            feed: "http",
            endpoint: &item.endpoint,
            fetched_at_ms: item.fetched_ms,
            page: item.page_number,
            request_id: item.request_id.as_deref(),
        };
        let mut headers = headers.build();
        let made = match (&item.problem, &item.row) {
            (Some(problem), _) => Err(problem.clone()),
            (None, None) => Ok((TypedValue::null(), Some(item.fetched_ms))),
            (None, Some(row)) => self
                .converter
                .value(row)
                .and_then(|value| self.converter.timestamp(row).map(|timestamp| (value, timestamp))),
        };
        let mut record = match made {
            Ok((value, timestamp)) => SourceRecord {
                topic: self.settings.common.topic.clone(),
                key: self.converter.key(&item.key),
                value,
                timestamp,
                ..SourceRecord::default()
            },
            Err(reason) => {
                let raw = item.row.as_ref().map(ToString::to_string).unwrap_or_default();
                let reason = self.client.redacted(&reason);
                let id = if item.id.is_empty() {
                    short_text_hash(&raw)
                } else {
                    item.id
                };
                match self.bad.handle(&id, &raw, &reason)? {
                    Some(record) => record,
                    None => return Ok(None),
                }
            }
        };
        headers.append(&mut record.headers);
        record.headers = headers;
        record.source_partition = Some(partition);
        record.source_offset = Some(offset);
        Ok(Some(record))
    }

    /// Does one thing: the list of partitions, a token, a page, or the end of a cycle.
    fn step(&mut self) -> Result<Step, ConnectError> {
        if self.at == 0
            && !self.streams.first().is_some_and(Stream::is_running)
            && self.refresh_parent()? == Step::Waiting
        {
            return Ok(Step::Waiting);
        }
        let now_ms = runtime::now_ms();
        let Some(stream) = self.streams.get_mut(self.at) else {
            self.end_round(now_ms);
            return Ok(Step::Moved);
        };
        if !stream.is_running() {
            stream.begin(&self.settings, now_ms);
        }
        if stream.needs_page() {
            return self.fetch_page();
        }
        if let Some(seen) = stream.end(&self.settings) {
            self.is_behind |= seen.was_full;
            self.newest_ms = self.newest_ms.max(seen.newest_ms);
            if !seen.has_more {
                self.at += 1;
            }
        }
        Ok(Step::Moved)
    }

    fn refresh_parent(&mut self) -> Result<Step, ConnectError> {
        let Some(parent) = &mut self.parent else {
            return Ok(Step::Moved);
        };
        if !parent.is_due() {
            return Ok(Step::Moved);
        }
        if self.auth.prepare(&mut self.client)? == Ready::NotYet {
            return Ok(Step::Waiting);
        }
        let Some(values) = parent.refresh(&self.settings, &mut self.client, &mut self.auth)? else {
            return Ok(Step::Waiting);
        };
        info!("partitions were listed"; "count" => values.len());
        self.set_streams(&values)?;
        Ok(Step::Moved)
    }

    fn end_round(&mut self, now_ms: i64) {
        let interval_ms = self.settings.interval_ms;
        let oldest_ok = now_ms.saturating_sub(i64::try_from(interval_ms).unwrap_or(i64::MAX));
        let is_behind = self.is_behind || self.newest_ms.is_some_and(|newest_ms| newest_ms < oldest_ok);
        let wait_ms = if is_behind {
            self.settings.catchup_ms.min(interval_ms)
        } else {
            interval_ms
        };
        self.pause = Some(Pause::of(wait_ms));
        self.is_behind = false;
        self.newest_ms = None;
        self.at = 0;
    }

    fn fetch_page(&mut self) -> Result<Step, ConnectError> {
        if self.auth.prepare(&mut self.client)? == Ready::NotYet {
            return Ok(Step::Waiting);
        }
        let Some(stream) = self.streams.get_mut(self.at) else {
            return Ok(Step::Moved);
        };
        if stream.is_at_page_limit(self.settings.max_pages) {
            self.client.wait(
                self.settings.interval_ms,
                "http.paging.max.pages pages were read in one go",
            );
            return Ok(Step::Waiting);
        }
        let values = stream.values(&self.settings);
        let request = page_request(&self.settings.request, &self.settings.paging, &self.auth, &values)?;
        let action = RefCell::new(Action::Ok);
        let rules = &self.settings.rules;
        let judge = |answer: &Answer| {
            let judged = rules.judge(answer, runtime::now_ms());
            let verdict = match judged.action {
                // Whether it is fine is known once its body was read.
                Action::Ok => Verdict::Unjudged,
                _ => judged.verdict,
            };
            action.replace(judged.action);
            verdict
        };
        let fetched = self
            .client
            .fetch_judging(&request, &judge, &|error| rules.judge_error(error))?;
        let now_ms = runtime::now_ms();
        match fetched {
            Fetch::NotYet => return Ok(Step::Waiting),
            Fetch::Empty(_) => {
                self.auth.accepted();
                // For a snapshot, no news is no change.
                stream.end_early(self.settings.emits_changes, now_ms);
            }
            Fetch::Skipped(_, reason) => {
                warn!("a partition is left out in this cycle"; "partition" => stream.value, "reason" => reason);
                stream.end_early(true, now_ms);
            }
            Fetch::Got(answer) => {
                let action = action.into_inner();
                return self.take_answer(&request, &answer, &action);
            }
        }
        Ok(Step::Moved)
    }

    fn take_answer(&mut self, request: &Request, answer: &Answer, action: &Action) -> Result<Step, ConnectError> {
        let now_ms = runtime::now_ms();
        let Some(stream) = self.streams.get_mut(self.at) else {
            return Ok(Step::Moved);
        };
        match action {
            Action::RefreshAuth => {
                if self.auth.refresh() {
                    return Ok(Step::Moved);
                }
                let hint = "the credentials were refused; check http.auth.*";
                return Err(self.client.fatal(request, answer, hint));
            }
            Action::ResetPaging => {
                if !stream.reset_paging(&self.settings) {
                    self.client
                        .failed(&described(request), "the paging was to be reset twice in a cycle")?;
                    return Ok(Step::Waiting);
                }
                return Ok(Step::Moved);
            }
            _ => {}
        }
        let record = &self.settings.record;
        let rows = match read(answer, record.format, record.charset, &record.records) {
            Ok(rows) => rows,
            Err(reason) => {
                let reason = format!("{reason}; it begins with '{}'", answer.excerpt());
                self.client.failed(&described(request), &reason)?;
                return Ok(Step::Waiting);
            }
        };
        self.client.succeeded();
        self.auth.accepted();
        if let Some(wait_ms) = self.settings.rules.limits().wait_ms(answer, now_ms) {
            self.client.throttled(
                Some(wait_ms),
                "the service has no requests left for now",
                0,
                THROTTLE_CAP_MS,
            );
        }
        stream.take_page(&self.settings, &mut self.converter, answer, rows, now_ms, self.reader)?;
        Ok(Step::Moved)
    }
}

/// Tells rows without a key apart in the log.
fn short_text_hash(raw: &str) -> String {
    sha256_hex(raw.as_bytes()).chars().take(16).collect()
}
