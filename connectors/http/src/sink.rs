//! Records to an HTTP service
//!
//! A put sends its records in order, several a request where they go together. When the service wants a pause the put
//! ends with a retriable error, and goes on after what was taken when it comes again. Offsets are committed only as far
//! as the service answered. A refused batch is halved until the refused records stand alone.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use weir_feed::answer::{Answer, Fetch, Verdict, excerpt};
use weir_feed::client::{Client, described};
use weir_feed::url::Url;
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::{ConnectorContext, SinkTaskContext};
use weir_sdk::http::{Method, Request};
use weir_sdk::runtime::{self, Sample};
use weir_sdk::sink::{SinkConnector, SinkOffsetChange, SinkTask, TopicOffset, TopicPartition};
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::warn;

use crate::auth::{Auth, Ready};
use crate::problems::Problems;
use crate::request_config::secrets_of;
use crate::rules::{Action, HINT};
use crate::sink_body::{Piece, piece};
use crate::sink_config::{OnRefused, Settings, definition};

/// Budget of requests that all tasks share.
const BUDGET: &str = "requests";
/// Longest single pause between two tries of a put.
const MAX_RETRY_AFTER_MS: u64 = 60_000;
/// Statuses that speak of the connector, not of a record.
const CONNECTOR_STATUSES: [u16; 4] = [401, 403, 405, 407];

/// Gives its settings to every task.
#[derive(Debug, Default)]
pub struct HttpSinkConnector {
    config: ConfigMap,
}

impl SinkConnector for HttpSinkConnector {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        Settings::parse(config).map_err(first)?;
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok((0..max_tasks).map(|_| self.config.clone()).collect())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        Ok(match Settings::parse(config) {
            Err(problems) if definition().parse(config).is_ok() => problems.infos(),
            _ => Vec::new(),
        })
    }

    fn alter_offsets(&self, _config: &ConfigMap, _offsets: &[SinkOffsetChange]) -> Result<bool, ConnectError> {
        // The service says nothing about offsets: any are fine.
        Ok(true)
    }
}

fn first(problems: Problems) -> ConnectError {
    problems
        .first()
        .unwrap_or_else(|| ConnectError::config("the settings cannot be read"))
}

/// Sends records.
#[derive(Debug, Default)]
pub struct HttpSinkTask {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    settings: Settings,
    context: SinkTaskContext,
    client: Client,
    auth: Auth,
    /// Next offset of each partition after what the service took.
    done: HashMap<TopicPartition, i64>,
    /// A put ended early and will come again.
    is_unfinished: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sent {
    Taken,
    Refused(String),
    NotYet,
}

impl SinkTask for HttpSinkTask {
    fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let settings = Settings::parse(config).map_err(first)?;
        let mut client = Client::new(&settings.access, BUDGET).following(settings.hosts.clone());
        let auth = Auth::new(settings.auth.clone());
        auth.hide_in(&mut client);
        for secret in secrets_of(&definition(), config) {
            client.hide(secret.reference());
        }
        self.running = Some(Running {
            settings,
            context,
            client,
            auth,
            done: HashMap::new(),
            is_unfinished: false,
        });
        Ok(())
    }

    fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        self.forget(partitions);
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        match &mut self.running {
            Some(running) => running.put(batch),
            None => Ok(()),
        }
    }

    fn pre_commit(&mut self, current: &[TopicOffset]) -> Result<Vec<TopicOffset>, ConnectError> {
        let Some(running) = &self.running else {
            return Ok(Vec::new());
        };
        if !running.is_unfinished {
            return Ok(current.to_vec());
        }
        let taken = current.iter().filter_map(|offset| {
            let done = running.done.get(&partition_of(offset))?;
            Some(TopicOffset {
                offset: offset.offset.min(*done),
                ..offset.clone()
            })
        });
        Ok(taken.collect())
    }

    fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        self.forget(partitions);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        self.running = None;
        Ok(())
    }
}

impl HttpSinkTask {
    /// Partitions that come anew may begin anywhere.
    fn forget(&mut self, partitions: &[TopicPartition]) {
        if let Some(running) = &mut self.running {
            running.done.retain(|partition, _| !partitions.contains(partition));
            running.is_unfinished &= !running.done.is_empty();
        }
    }
}

impl Running {
    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        let mut group: Vec<Piece> = Vec::new();
        let mut bytes = 0;
        for record in batch.records() {
            let origin = record.origin();
            let done = self.done.get(&partition_of(&origin));
            if self.is_unfinished && done.is_some_and(|done| origin.offset < *done) {
                continue;
            }
            let made = record
                .to_record()
                .and_then(|record| piece(&self.settings, &record, origin.clone()));
            let made = match made {
                Ok(Some(piece)) => piece,
                other => {
                    // What stands before goes first, so that offsets move in order.
                    self.send_all(std::mem::take(&mut group))?;
                    bytes = 0;
                    if let Err(error) = other {
                        self.refuse(std::slice::from_ref(&origin), &error)?;
                    }
                    self.note(&origin);
                    continue;
                }
            };
            let size = made.body.as_ref().map_or(0, String::len);
            let is_full = group.len() >= self.settings.max_records || bytes + size > self.settings.max_bytes;
            let fits = group.last().is_none_or(|last| last.goes_with(&made));
            if !group.is_empty() && (is_full || !fits) {
                self.send_all(std::mem::take(&mut group))?;
                bytes = 0;
            }
            bytes += size;
            group.push(made);
        }
        self.send_all(group)?;
        self.is_unfinished = false;
        Ok(())
    }

    /// Sends a group, in halves where it is refused.
    fn send_all(&mut self, group: Vec<Piece>) -> Result<(), ConnectError> {
        let mut groups = VecDeque::from([group]);
        while let Some(mut group) = groups.pop_front() {
            if group.is_empty() {
                continue;
            }
            if runtime::stop_requested() {
                return Err(ConnectError::stopped());
            }
            match self.send(&group)? {
                Sent::NotYet => return Err(self.not_yet()),
                Sent::Taken => runtime::metric(
                    "http-sink-records",
                    &[("outcome", "taken")],
                    Sample::CounterAdd(count(&group)),
                ),
                Sent::Refused(reason) if group.len() == 1 => {
                    let origins: Vec<TopicOffset> = group.iter().map(|piece| piece.origin.clone()).collect();
                    self.refuse(&origins, &ConnectError::data(reason))?;
                }
                Sent::Refused(_) => {
                    let second = group.split_off(group.len() / 2);
                    groups.push_front(second);
                    groups.push_front(group);
                    continue;
                }
            }
            for piece in &group {
                self.note(&piece.origin);
            }
        }
        Ok(())
    }

    fn not_yet(&mut self) -> ConnectError {
        self.is_unfinished = true;
        let waiting = self.client.waiting();
        let (wait_ms, reason) = match &waiting {
            Some(waiting) => {
                let left = waiting.until_ms.saturating_sub(runtime::now_ms());
                (u64::try_from(left).unwrap_or(0), waiting.reason.as_str())
            }
            None => (0, "the service is asked again"),
        };
        let wait_ms = u32::try_from(wait_ms.min(MAX_RETRY_AFTER_MS)).unwrap_or(u32::MAX);
        self.context.retry_after(wait_ms);
        let mut error = ConnectError::retriable(reason);
        error.retry_after_ms = Some(wait_ms);
        error
    }

    fn send(&mut self, group: &[Piece]) -> Result<Sent, ConnectError> {
        loop {
            if self.auth.prepare(&mut self.client)? == Ready::NotYet {
                return Ok(Sent::NotYet);
            }
            let Some(request) = self.request(group)? else {
                return Ok(Sent::Taken);
            };
            let action = RefCell::new(Action::Ok);
            let rules = &self.settings.rules;
            let judge = |answer: &Answer| {
                let judged = rules.judge(answer, runtime::now_ms());
                let verdict = match &judged.action {
                    Action::Fail(message) if message == HINT => Verdict::Unjudged,
                    _ => judged.verdict,
                };
                action.replace(judged.action);
                verdict
            };
            let fetched = self
                .client
                .fetch_judging(&request, &judge, &|error| rules.judge_error(error))?;
            let answer = match fetched {
                Fetch::NotYet => return Ok(Sent::NotYet),
                Fetch::Empty(_) => return Ok(self.taken()),
                Fetch::Skipped(_, reason) => {
                    warn!("records were left out"; "count" => group.len(), "reason" => reason);
                    return Ok(self.taken());
                }
                Fetch::Got(answer) => answer,
            };
            match action.into_inner() {
                Action::RefreshAuth if self.auth.refresh() => {}
                Action::RefreshAuth => {
                    let hint = "the credentials were refused; check http.auth.*";
                    return Err(self.client.fatal(&request, &answer, hint));
                }
                Action::Fail(hint) => return self.refused(&request, &answer, &hint),
                Action::Ok | Action::Empty | Action::Skip | Action::Retry | Action::Wait(_) | Action::ResetPaging => {
                    return Ok(self.taken());
                }
            }
        }
    }

    fn taken(&mut self) -> Sent {
        self.auth.accepted();
        Sent::Taken
    }

    fn refused(&mut self, request: &Request, answer: &Answer, hint: &str) -> Result<Sent, ConnectError> {
        if request.method == Method::Delete && matches!(answer.status, 404 | 410) {
            return Ok(self.taken());
        }
        if CONNECTOR_STATUSES.contains(&answer.status) || (300..400).contains(&answer.status) {
            return Err(self.client.fatal(request, answer, hint));
        }
        self.client.succeeded();
        let text = format!(
            "{} answered {} with '{}'",
            described(request),
            answer.status,
            excerpt(&answer.text())
        );
        Ok(Sent::Refused(self.client.redacted(&text)))
    }

    /// Makes the request of a group; none = it is empty.
    fn request(&self, group: &[Piece]) -> Result<Option<Request>, ConnectError> {
        let Some(piece) = group.first() else {
            return Ok(None);
        };
        let mut url = Url::parse(&piece.url)
            .map_err(|reason| ConnectError::fatal(format!("http.url gives an invalid URL: {reason}")))?;
        let method = if piece.body.is_none() {
            Method::Delete
        } else {
            self.settings.method
        };
        let mut request = Request::new(method, "");
        request.headers.clone_from(&piece.headers);
        if piece.body.is_some() {
            let bodies: Vec<String> = group.iter().filter_map(|piece| piece.body.clone()).collect();
            request.body = self
                .settings
                .shape
                .body(&bodies, self.settings.max_records > 1)
                .into_bytes();
            if request.header("content-type").is_none() {
                request = request.with_header("Content-Type", &self.settings.content_type);
            }
        }
        self.auth.apply(&mut request, &mut url);
        request.url = url.to_string();
        Ok(Some(request))
    }

    fn refuse(&mut self, origins: &[TopicOffset], error: &ConnectError) -> Result<(), ConnectError> {
        let records = u64::try_from(origins.len()).unwrap_or(u64::MAX);
        runtime::metric(
            "http-sink-records",
            &[("outcome", "refused")],
            Sample::CounterAdd(records),
        );
        match self.settings.on_refused {
            OnRefused::Ignore => {
                warn!("a record was left out"; "reason" => error.message);
                Ok(())
            }
            OnRefused::Report if self.context.can_report() => self.context.report(origins, error),
            OnRefused::Report | OnRefused::Fail => {
                let place = origins
                    .first()
                    .map(|origin| format!("{}-{} offset {}", origin.topic, origin.partition, origin.offset));
                Err(ConnectError::fatal(format!(
                    "the record at {} was refused: {}; errors.tolerance=all with a dead-letter queue, or http.on.refused=ignore, would go on",
                    place.unwrap_or_default(),
                    error.message
                )))
            }
        }
    }

    /// Notes that a record is dealt with.
    fn note(&mut self, origin: &TopicOffset) {
        self.done.insert(partition_of(origin), origin.offset + 1);
    }
}

fn partition_of(offset: &TopicOffset) -> TopicPartition {
    TopicPartition {
        topic: offset.topic.clone(),
        partition: offset.partition,
    }
}

fn count(group: &[Piece]) -> u64 {
    u64::try_from(group.len()).unwrap_or(u64::MAX)
}
