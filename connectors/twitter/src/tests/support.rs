//! A task, the fake service and the requests it got

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};

use weir_fakes::recorded::{Arrival, Log, Recorded};
use weir_fakes::service::FakeResponse;
use weir_fakes::x::service::XService;
use weir_feed::testing::{BUDGET, commit, install_service};
use weir_sdk::api::data::value::Value;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::log::Level;
use weir_sdk::source::SourceTask as _;
use weir_sdk::testing::with_host;

use crate::source::TwitterSourceTask;

/// 2026-11-20T16:05:11Z
pub(super) const NOW: i64 = 1_795_190_711_000;
pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
/// What must never show up.
pub(super) const TOKEN: &str = "AAAA-bearer-M4RK3R";
pub(super) const SEARCH: &str = "/2/tweets/search/recent";
pub(super) const STREAM: &str = "/2/tweets/search/stream";

pub(super) fn config(settings: &[(&str, &str)]) -> ConfigMap {
    let mut config: ConfigMap = [
        ("name", "x"),
        ("topic", "posts"),
        ("twitter.base.url", "http://127.0.0.1:9"),
        ("twitter.bearer.token", TOKEN),
    ]
    .into_iter()
    .collect();
    for (key, value) in settings {
        if value.is_empty() {
            config.remove(key);
        } else {
            config.insert(*key, *value);
        }
    }
    config
}

pub(super) fn search_config(settings: &[(&str, &str)]) -> ConfigMap {
    let mut all = vec![("twitter.mode", "recent_search"), ("twitter.query", "lang:es")];
    all.extend(settings);
    config(&all)
}

pub(super) fn users_config(settings: &[(&str, &str)]) -> ConfigMap {
    let mut all = vec![
        ("twitter.mode", "user_tweets"),
        ("twitter.usernames", "faro_norte,diario_ejemplo"),
    ];
    all.extend(settings);
    config(&all)
}

pub(super) fn stream_config(settings: &[(&str, &str)]) -> ConfigMap {
    let mut all = vec![
        ("twitter.mode", "filtered_stream"),
        ("twitter.rules", "castellano=lang:es"),
    ];
    all.extend(settings);
    config(&all)
}

/// A service at work.
pub(super) struct Bench {
    pub(super) service: Arc<Mutex<XService>>,
    pub(super) log: Log,
    pub(super) task: TwitterSourceTask,
    pub(super) config: ConfigMap,
    /// The worker's time less the service's.
    pub(super) skew_ms: Rc<Cell<i64>>,
}

impl Bench {
    /// Starts a task over the posts of a seed.
    pub(super) fn start(config: &ConfigMap) -> Self {
        Self::start_with(config, |_| {})
    }

    /// Starts a task once the service is prepared.
    pub(super) fn start_with(config: &ConfigMap, prepare: impl FnOnce(&mut XService)) -> Self {
        let mut service = XService::new(5);
        service.bearers = Some(vec![TOKEN.to_owned()]);
        service.short_page_every = 0;
        prepare(&mut service);
        let service = Arc::new(Mutex::new(service));
        let (recorded, log) = Recorded::new(Arc::clone(&service));
        let skew_ms = Rc::new(Cell::new(0));
        let service_skew_ms = Rc::clone(&skew_ms);
        let mut serve = weir_feed::fake_service!(recorded);
        install_service(config, NOW, move |arrived, now_ms| {
            serve(arrived, now_ms - service_skew_ms.get())
        });
        let mut bench = Self {
            service,
            log,
            task: TwitterSourceTask::default(),
            config: config.clone(),
            skew_ms,
        };
        bench.restart();
        bench
    }

    /// Starts another task at the committed offsets.
    pub(super) fn restart(&mut self) {
        self.task = TwitterSourceTask::default();
        let started = self.task.start(SourceTaskContext::default(), &self.config);
        started.expect("the task starts");
    }

    /// Sets the worker's clock, but not the service's.
    pub(super) fn jump(&self, ms: i64) {
        self.skew_ms.set(self.skew_ms.get() + ms);
        with_host(|host| host.clock_ms = host.clock_ms.map(|clock_ms| clock_ms + ms));
    }

    /// Gives the service's time.
    pub(super) fn service_now_ms(&self) -> i64 {
        now_ms() - self.skew_ms.get()
    }

    pub(super) fn service(&self) -> MutexGuard<'_, XService> {
        self.service.lock().expect("no panic while locked")
    }

    pub(super) fn answer_next(&self, path: &str, answer: FakeResponse) {
        self.service().answer_next(path, answer);
    }

    /// Polls until so many requests were made to a path, and gives the records on the way.
    pub(super) fn until_requests(&mut self, path: &str, count: usize) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        for _ in 0..10_000 {
            if self.requests(path).len() >= count {
                return records;
            }
            records.extend(self.poll().expect("the task goes on"));
        }
        panic!("{count} requests to {path} were never made; the log: {:?}", lines());
    }

    /// Polls for so long by the virtual clock.
    pub(super) fn run_for(&mut self, ms: i64) -> Vec<SourceRecord> {
        let end_ms = now_ms() + ms;
        let mut records = Vec::new();
        for _ in 0..100_000 {
            if now_ms() >= end_ms {
                return records;
            }
            records.extend(self.poll().expect("the task goes on"));
        }
        panic!("the task spins; the log: {:?}", lines());
    }

    /// Polls until the task fails.
    pub(super) fn failure(&mut self) -> ConnectError {
        for _ in 0..10_000 {
            if let Err(error) = self.poll() {
                return error;
            }
        }
        panic!("the task does not fail; the log: {:?}", lines());
    }

    pub(super) fn poll(&mut self) -> Result<Vec<SourceRecord>, ConnectError> {
        Ok(self.task.poll(BUDGET)?.unwrap_or_default())
    }

    pub(super) fn requests(&self, path: &str) -> Vec<Arrival> {
        self.log.of_path(path)
    }

    /// Gives the pauses between requests to a path.
    pub(super) fn pauses(&self, path: &str) -> Vec<i64> {
        let times: Vec<i64> = self.requests(path).iter().map(|arrival| arrival.at_ms).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Gives what a perfect reader of a query must have found.
    pub(super) fn truth(&self, query: &str, from_ms: i64, to_ms: i64) -> Vec<u64> {
        let query = weir_fakes::x::lists::Query::parse(query);
        let posts = self.service().truth(&query, from_ms, to_ms);
        posts.iter().map(|post| post.id).collect()
    }
}

pub(super) fn now_ms() -> i64 {
    weir_feed::testing::now_ms()
}

/// Gives the ids of posts among records.
pub(super) fn ids(records: &[SourceRecord]) -> Vec<u64> {
    let posts = records.iter().filter(|record| record.topic == "posts");
    posts.map(|record| field(record, 0).parse().expect("an id")).collect()
}

/// Gives a text field of a record's value.
pub(super) fn field(record: &SourceRecord, at: usize) -> String {
    let Value::Struct(value) = &record.value.value else {
        panic!("no struct: {record:?}");
    };
    match value.fields.get(at) {
        Some(Value::Text(text)) => text.clone(),
        other => panic!("no text at {at}: {other:?}"),
    }
}

/// Commits what was handed over, as if it all arrived.
pub(super) fn arrived(records: &[SourceRecord]) {
    commit(records);
}

/// Gives the committed offset of a source partition.
pub(super) fn offset(partition: &str) -> Option<String> {
    with_host(|host| host.offsets.get(partition).cloned())
}

/// Gives the lines logged at warn or above, with all fields of all lines at the end.
pub(super) fn warnings() -> String {
    with_host(|host| {
        let lines = host.lines.iter().filter(|(level, _)| *level >= Level::Warn);
        let mut text: Vec<String> = lines.map(|(_, line)| line.clone()).collect();
        text.extend(host.fields.iter().map(|(name, value)| format!("{name}={value}")));
        text.join("\n")
    })
}

pub(super) fn lines() -> Vec<String> {
    with_host(|host| host.lines.iter().map(|(_, line)| line.clone()).collect())
}

/// Tells how often a line was logged.
pub(super) fn logged(line: &str) -> usize {
    lines().iter().filter(|known| known.as_str() == line).count()
}
