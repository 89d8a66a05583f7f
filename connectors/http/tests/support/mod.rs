//! A source task on the stand-in host, and what tests ask of its records
#![allow(dead_code, reason = "each suite uses a part")]

use serde_json::Value as Json;
use weir_fakes::service::{FakeResponse, Service};
use weir_feed::testing::{self, BUDGET};
use weir_http::source::HttpSourceTask;
use weir_sdk::api::data::value::Value;
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::source::SourceTask;

/// Keys and values.
pub(crate) type Pairs<'a> = &'a [(&'a str, &'a str)];

/// 2026-11-20T10:00:00Z
pub(crate) const START: i64 = 1_795_168_800_000;

pub(crate) fn config(target: &str, settings: &[(&str, &str)]) -> ConfigMap {
    let mut config = ConfigMap::new();
    config.insert("topic", "items");
    config.insert("http.url", format!("http://items.test{target}"));
    config.insert("http.response.records.pointer", "/items");
    for (key, value) in settings {
        config.insert(*key, *value);
    }
    config
}

pub(crate) fn now() -> i64 {
    testing::now_ms()
}

pub(crate) fn json_answer(body: &Json) -> FakeResponse {
    FakeResponse::json(200, body)
}

pub(crate) struct Source {
    config: ConfigMap,
    task: HttpSourceTask,
    seen: Vec<SourceRecord>,
}

impl Source {
    /// Starts a task on a host of its own.
    pub(crate) fn new(target: &str, settings: &[(&str, &str)], service: impl Service + 'static) -> Self {
        let config = config(target, settings);
        testing::install_service(&config, START, weir_feed::fake_service!(service));
        Self::started(config)
    }

    /// Starts another task of the same connector on the same host.
    pub(crate) fn sister(&self, settings: &[(&str, &str)]) -> Self {
        let mut config = self.config.clone();
        for (key, value) in settings {
            config.insert(*key, *value);
        }
        Self::started(config)
    }

    fn started(config: ConfigMap) -> Self {
        let mut task = HttpSourceTask::default();
        task.start(SourceTaskContext::default(), &config)
            .expect("the settings are right");
        Self {
            config,
            task,
            seen: Vec::new(),
        }
    }

    /// Starts anew from the committed offsets.
    pub(crate) fn restart(&mut self) {
        self.task = Self::started(self.config.clone()).task;
    }

    pub(crate) fn poll_once(&mut self) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        self.task.poll(BUDGET)
    }

    /// Polls so many times and commits.
    pub(crate) fn poll(&mut self, polls: u32) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        for _ in 0..polls {
            let found = self.poll_once().expect("no error").unwrap_or_default();
            let is_pause = found.is_empty() && !records.is_empty();
            records.extend(found);
            if is_pause {
                break;
            }
        }
        testing::commit(&records);
        self.seen.extend(records.iter().cloned());
        records
    }

    /// Polls until the clock says so, and commits.
    pub(crate) fn poll_until(&mut self, until_ms: i64) -> Vec<SourceRecord> {
        let mut records = Vec::new();
        let mut polls = 0;
        while now() < until_ms {
            records.extend(self.poll_once().expect("no error").unwrap_or_default());
            polls += 1;
            assert!(polls < 100_000, "the task spins");
        }
        testing::commit(&records);
        self.seen.extend(records.iter().cloned());
        records
    }

    pub(crate) fn poll_until_error(&mut self) -> ConnectError {
        for _ in 0..10_000 {
            match self.poll_once() {
                Ok(records) => self.seen.extend(records.unwrap_or_default()),
                Err(error) => return error,
            }
        }
        panic!("there was no error");
    }

    /// Looks for the marker in all that the task let out.
    pub(crate) fn assert_no_secret(&self) {
        let outputs = testing::outputs(&self.seen);
        assert!(!outputs.contains("MARKER"), "{outputs}");
    }
}

/// The `id` of each value, which is JSON text.
pub(crate) fn ids(records: &[SourceRecord]) -> Vec<i64> {
    let rows = texts(records)
        .into_iter()
        .map(|text| serde_json::from_str::<Json>(&text).expect("JSON"));
    rows.map(|row| row["id"].as_i64().expect("an id")).collect()
}

pub(crate) fn texts(records: &[SourceRecord]) -> Vec<String> {
    let texts = records.iter().map(|record| match &record.value.value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}
