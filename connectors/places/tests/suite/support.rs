//! A task, its settings and a service that answers from a list

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use weir_feed::testing::{Arrived, BUDGET, Played, install_service, now_ms};
use weir_places::task::PlacesSourceTask;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::source::SourceTask as _;
use weir_sdk::testing::{Piece, with_host};

/// Noon on the US Pacific coast, 2026-11-22.
pub(crate) const NOON_MS: i64 = 1_795_377_600_000;
/// The key: must never be seen.
pub(crate) const KEY: &str = "AIza-marker-key-7291";
/// The area that all tests without cells search.
pub(crate) const AREA: &str = "40.4168,-3.7038,500";

/// Settings of a nearby search of the whole area, with changes.
pub(crate) fn config(changes: &[(&str, &str)]) -> ConfigMap {
    let base = [
        ("topic", "places"),
        ("places.api.key", KEY),
        ("places.area", AREA),
        ("places.base.url", "https://places.example"),
        ("places.store", "content"),
        ("places.accept.terms", "true"),
    ];
    base.iter().chain(changes).copied().collect()
}

/// An answer of the list.
pub(crate) fn answer(status: u16, body: &str) -> Played {
    Played {
        status,
        headers: Vec::new(),
        pieces: vec![Piece::Bytes(body.as_bytes().to_vec())],
    }
}

/// Requests and when they came.
pub(crate) type Requests = Rc<RefCell<Vec<(i64, Arrived)>>>;

/// Serves these answers, then `{}` for ever; keeps the requests.
pub(crate) fn serve(config: &ConfigMap, answers: Vec<Played>) -> Requests {
    let requests = Requests::default();
    let kept = Rc::clone(&requests);
    let mut answers = VecDeque::from(answers);
    install_service(config, NOON_MS, move |arrived, now_ms| {
        kept.borrow_mut().push((now_ms, arrived));
        answers.pop_front().unwrap_or_else(|| answer(200, "{}"))
    });
    requests
}

/// What a task did.
pub(crate) struct Driven {
    pub(crate) records: Vec<SourceRecord>,
    pub(crate) error: Option<ConnectError>,
}

impl Driven {
    /// The records about places, tombstones among them.
    pub(crate) fn places(&self) -> Vec<&SourceRecord> {
        self.records.iter().filter(|record| record.topic == "places").collect()
    }

    /// The keys of those.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.places()
            .into_iter()
            .map(|record| text(&record.key.value))
            .collect()
    }

    /// The progress records of searches.
    pub(crate) fn searches(&self) -> Vec<&SourceRecord> {
        let is_search = |record: &&SourceRecord| {
            record.topic == "places.progress"
                && record
                    .source_partition
                    .as_ref()
                    .is_some_and(|text| text.contains("mode"))
        };
        self.records.iter().filter(is_search).collect()
    }
}

/// Starts a task and polls until it fails or so much time has passed.
pub(crate) fn drive(config: &ConfigMap, for_ms: i64) -> Driven {
    let mut task = PlacesSourceTask::default();
    task.start(SourceTaskContext::default(), config).expect("starts");
    poll_for(&mut task, for_ms)
}

/// Polls until the task fails or so much time has passed; commits what it hands over.
pub(crate) fn poll_for(task: &mut PlacesSourceTask, for_ms: i64) -> Driven {
    let until_ms = now_ms() + for_ms;
    let mut driven = Driven {
        records: Vec::new(),
        error: None,
    };
    while now_ms() < until_ms {
        match task.poll(BUDGET) {
            Ok(records) => {
                let records = records.unwrap_or_default();
                weir_feed::testing::commit(&records);
                driven.records.extend(records);
            }
            Err(error) => {
                driven.error = Some(error);
                break;
            }
        }
    }
    driven
}

/// Gives a column of a record.
pub(crate) fn column(record: &SourceRecord, name: &str) -> Value {
    match &record.value.value {
        Value::Struct(value) => value.get(name).expect("a column").clone(),
        other => panic!("no struct: {other:?}"),
    }
}

/// Gives the struct of a record.
pub(crate) fn value_of(record: &SourceRecord) -> Option<&StructValue> {
    match &record.value.value {
        Value::Struct(value) => Some(value),
        _ => None,
    }
}

/// Gives a text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// Gives the lines logged, with their fields behind them.
pub(crate) fn logged() -> String {
    with_host(|host| {
        let lines = host.lines.iter().map(|(level, line)| format!("{level:?} {line}\n"));
        let fields = host.fields.iter().map(|(name, value)| format!("{name}={value}\n"));
        lines.chain(fields).collect()
    })
}
