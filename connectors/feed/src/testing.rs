//! Fake services behind the stand-in host, and replays of whole months
//!
//! Turns a service into the SDK's HTTP handler, and drives a task over a virtual clock with commits, crashes and clock
//! jumps. Native only; the services themselves are in `runtime/fakes`, a dev-dependency of the connectors.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::rc::Rc;

use weir_sdk::api::error::{ConnectError, ErrorKind};
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::http::Request;
use weir_sdk::source::{PollBudget, SourceTask};
use weir_sdk::testing::{HttpHandler, Piece, TestHost, TestResponse, install, with_host};

use crate::url::Url;

/// Polls without a record, a request or time passing, after which a task is said to spin.
const MAX_IDLE_POLLS: u32 = 1_000;

/// A request as it arrives at a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// In capitals.
    pub method: String,
    /// Percent-encoded, without query.
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Names in lower case; `host` is among them.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Arrived {
    /// Takes a request of a task apart.
    pub fn of(request: &Request) -> Self {
        let url = Url::parse(&request.url);
        let mut headers: Vec<(String, String)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        headers.extend(url.as_ref().ok().map(|url| ("host".to_owned(), url.authority())));
        let (path, query) = match url {
            Ok(url) => (url.path, url.query.unwrap_or_default()),
            Err(_) => (request.url.clone(), String::new()),
        };
        Self {
            method: request.method.as_str().to_owned(),
            path,
            query,
            headers,
            body: request.body.clone(),
        }
    }
}

/// An answer of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// What the body does.
    pub pieces: Vec<Piece>,
}

/// Makes the handler of a service.
pub fn handler(mut serve: impl FnMut(Arrived, i64) -> Played + 'static) -> HttpHandler {
    Box::new(move |request, now_ms| {
        let played = serve(Arrived::of(request), now_ms);
        Ok(TestResponse {
            status: played.status,
            headers: played.headers,
            pieces: played.pieces,
        })
    })
}

/// Gives a closure for [`handler`] and [`replay`] that asks a `weir_fakes::service::Service`, of a crate that has
/// weir-fakes among its dev-dependencies.
#[macro_export]
macro_rules! fake_service {
    ($service:expr) => {{
        let mut service = $service;
        move |arrived: $crate::testing::Arrived, now_ms: i64| {
            let request = weir_fakes::service::FakeRequest {
                method: arrived.method,
                path: arrived.path,
                query: arrived.query,
                headers: arrived.headers,
                body: arrived.body,
            };
            let response = weir_fakes::service::Service::handle(&mut service, &request, now_ms);
            $crate::testing::Played {
                status: response.status,
                headers: response.headers,
                pieces: response
                    .pieces
                    .into_iter()
                    .map(|piece| match piece {
                        weir_fakes::service::Piece::Bytes(bytes) => weir_sdk::testing::Piece::Bytes(bytes),
                        weir_fakes::service::Piece::Wait(ms) => weir_sdk::testing::Piece::Wait(ms),
                        weir_fakes::service::Piece::Reset => weir_sdk::testing::Piece::Reset,
                        weir_fakes::service::Piece::Hang => weir_sdk::testing::Piece::Hang,
                    })
                    .collect(),
            }
        }
    }};
}

/// Puts a host in place that has these settings, this service and this time.
pub fn install_service(config: &ConfigMap, now_ms: i64, serve: impl FnMut(Arrived, i64) -> Played + 'static) {
    install(TestHost {
        config: config.clone(),
        http: Some(handler(serve)),
        clock_ms: Some(now_ms),
        ..TestHost::default()
    });
}

/// Gives the host's time.
pub fn now_ms() -> i64 {
    with_host(|host| host.clock_ms).unwrap_or_default()
}

/// How a replay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Start, in milliseconds since the epoch.
    pub from_ms: i64,
    /// End of commits at random, crashes and clock jumps.
    pub until_ms: i64,
    /// Time after it in which the task may catch up.
    pub drain_ms: i64,
    /// Chances of a thousand after each poll.
    pub crash_permille: u64,
    /// Chances of a thousand after each poll that the worker's clock is set; the service's is always right.
    pub jump_permille: u64,
    /// Of all that is random.
    pub seed: u64,
}

/// A record that a task handed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Handed {
    /// The record.
    pub record: SourceRecord,
    /// Which start of the task, from 0.
    pub life: u32,
    /// When, by the service's clock.
    pub at_ms: i64,
    /// Whether its offset was committed before the task crashed.
    pub is_committed: bool,
}

/// Runs a task through a plan and gives everything that it handed over, also what was not committed: that arrived, too.
///
/// # Panics
/// The task fails, or spins.
pub fn replay<T: SourceTask + Default>(
    config: &ConfigMap,
    plan: &Plan,
    mut serve: impl FnMut(Arrived, i64) -> Played + 'static,
) -> Vec<Handed> {
    let skew = Rc::new(Cell::new(0i64));
    let requests = Rc::new(Cell::new(0u64));
    let (service_skew, service_requests) = (Rc::clone(&skew), Rc::clone(&requests));
    install_service(config, plan.from_ms, move |arrived, now_ms| {
        service_requests.set(service_requests.get() + 1);
        serve(arrived, now_ms - service_skew.get())
    });
    let mut run = Run {
        config,
        random: Random(plan.seed),
        handed: Vec::new(),
        pending: VecDeque::new(),
        life: 0,
        task: T::default(),
    };
    run.start();
    let (mut idle_polls, mut last) = (0, (plan.from_ms, 0));
    loop {
        let service_ms = now_ms() - skew.get();
        if service_ms >= plan.until_ms + plan.drain_ms {
            break;
        }
        let is_quiet = service_ms >= plan.until_ms;
        let found = run.poll(service_ms);
        idle_polls = if !found && last == (now_ms(), requests.get()) {
            idle_polls + 1
        } else {
            0
        };
        assert!(idle_polls < MAX_IDLE_POLLS, "the task spins at {service_ms}");
        last = (now_ms(), requests.get());
        if run.random.chance(250) {
            run.commit();
        }
        if is_quiet {
            continue;
        }
        if run.random.chance(plan.crash_permille) {
            run.crash();
        }
        if run.random.chance(plan.jump_permille) {
            // Clocks are set wrong, and right again: they do not drift away for ever.
            let wrong_ms = run.random.wrong_ms();
            let jump_ms = wrong_ms - skew.replace(wrong_ms);
            with_host(|host| host.clock_ms = host.clock_ms.map(|clock_ms| clock_ms + jump_ms));
        }
    }
    run.handed
}

struct Run<'c, T> {
    config: &'c ConfigMap,
    random: Random,
    handed: Vec<Handed>,
    /// Positions of records that were handed over and not committed.
    pending: VecDeque<usize>,
    life: u32,
    task: T,
}

impl<T: SourceTask + Default> Run<'_, T> {
    fn start(&mut self) {
        self.task = T::default();
        let started = self.task.start(SourceTaskContext::default(), self.config);
        assert!(started.is_ok(), "the task does not start: {started:?}");
    }

    fn poll(&mut self, at_ms: i64) -> bool {
        match self.task.poll(BUDGET) {
            Ok(None) => false,
            Ok(Some(records)) => {
                for record in records {
                    self.pending.push_back(self.handed.len());
                    self.handed.push(Handed {
                        record,
                        life: self.life,
                        at_ms,
                        is_committed: false,
                    });
                }
                true
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Retriable, "the task fails at {at_ms}: {error}");
                false
            }
        }
    }

    /// Commits a part of what is pending, as acknowledgements come in order but not at once.
    fn commit(&mut self) {
        let count = self.random.up_to(self.pending.len());
        for at in self.pending.drain(..count) {
            let Some(handed) = self.handed.get_mut(at) else {
                continue;
            };
            handed.is_committed = true;
            let (Some(partition), Some(offset)) = (&handed.record.source_partition, &handed.record.source_offset)
            else {
                continue;
            };
            with_host(|host| host.offsets.insert(partition.clone(), offset.clone()));
        }
    }

    fn crash(&mut self) {
        self.pending.clear();
        self.life += 1;
        self.start();
    }
}

/// A budget for tests: long waits make few polls of a simulated month.
pub const BUDGET: PollBudget = PollBudget {
    max_records: 500,
    max_bytes: 1 << 20,
    max_wait_ms: 60_000,
};

/// Polls until records come, at most so many times.
///
/// # Errors
/// As the task.
pub fn poll_until_records(task: &mut impl SourceTask, polls: u32) -> Result<Vec<SourceRecord>, ConnectError> {
    for _ in 0..polls {
        if let Some(records) = task.poll(BUDGET)? {
            return Ok(records);
        }
    }
    Ok(Vec::new())
}

/// Polls so many times and gives all records.
///
/// # Errors
/// As the task.
pub fn poll_all(task: &mut impl SourceTask, polls: u32) -> Result<Vec<SourceRecord>, ConnectError> {
    let mut all = Vec::new();
    for _ in 0..polls {
        all.extend(task.poll(BUDGET)?.unwrap_or_default());
    }
    Ok(all)
}

/// Commits the offsets of records, as a worker does once they arrived.
pub fn commit(records: &[SourceRecord]) {
    for record in records {
        if let (Some(partition), Some(offset)) = (&record.source_partition, &record.source_offset) {
            with_host(|host| host.offsets.insert(partition.clone(), offset.clone()));
        }
    }
}

/// Gives everything that a connector let out but its requests: what a search for a secret looks through.
pub fn outputs(records: &[SourceRecord]) -> String {
    with_host(|host| {
        let mut out = String::new();
        for (level, line) in &host.lines {
            let _ = writeln!(out, "{level:?} {line}");
        }
        for (name, value) in &host.fields {
            let _ = writeln!(out, "{name}={value}");
        }
        for error in &host.raised {
            let _ = writeln!(out, "{}", error.trace_text());
        }
        let _ = writeln!(out, "{:?}\n{:?}\n{:?}", host.metrics, host.offsets, host.reported);
        for record in records {
            let _ = writeln!(out, "{record:?}");
        }
        out
    })
}

/// Repeatable chance (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.next() % 1_000 < permille
    }

    fn up_to(&mut self, most: usize) -> usize {
        let range = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        usize::try_from(self.next() % range).unwrap_or(0)
    }

    /// From a quarter of an hour slow to two hours fast.
    fn wrong_ms(&mut self) -> i64 {
        i64::try_from(self.next() % 8_100_000).unwrap_or(0) - 900_000
    }
}
