//! A task, a service and the requests that passed between them

use std::cell::RefCell;
use std::rc::Rc;

use weir_aemet::task::AemetSourceTask;
use weir_feed::testing::{Arrived, Played, install_service};
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::record::SourceRecord;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SourceTaskContext;
use weir_sdk::log::Level;
use weir_sdk::source::SourceTask;
use weir_sdk::testing::{Piece, with_host};

/// 2026-11-20T15:30:00Z.
pub(crate) const NOW_MS: i64 = 1_795_188_600_000;
/// What must not be seen anywhere.
pub(crate) const KEY: &str = "S3CR3T-K3Y-MARK3R";

/// Gives settings for a service on loopback.
pub(crate) fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    let mut config: ConfigMap = [
        ("topic", "weather"),
        ("aemet.api.key", KEY),
        ("aemet.base.url", "http://127.0.0.1:9/opendata/api"),
    ]
    .into_iter()
    .collect();
    for (name, value) in pairs {
        config.insert(*name, *value);
    }
    config
}

/// The requests that a service saw, with their times.
pub(crate) type Seen = Rc<RefCell<Vec<(Arrived, i64)>>>;

/// Puts a service in place and starts a task.
pub(crate) fn started(
    config: &ConfigMap,
    mut serve: impl FnMut(&Arrived, i64) -> Played + 'static,
) -> (AemetSourceTask, Seen) {
    let seen: Seen = Rc::default();
    let noted = Rc::clone(&seen);
    install_service(config, NOW_MS, move |arrived, now_ms| {
        let played = serve(&arrived, now_ms);
        noted.borrow_mut().push((arrived, now_ms));
        played
    });
    (restarted(config), seen)
}

/// Starts another task on the same host.
pub(crate) fn restarted(config: &ConfigMap) -> AemetSourceTask {
    let mut task = AemetSourceTask::default();
    task.start(SourceTaskContext::default(), config)
        .expect("the task starts");
    task
}

/// Gives an answer.
pub(crate) fn played(status: u16, body: impl Into<Vec<u8>>) -> Played {
    Played {
        status,
        headers: Vec::new(),
        pieces: vec![Piece::Bytes(body.into())],
    }
}

/// Gives an envelope with this data address.
pub(crate) fn envelope(address: &str) -> Played {
    let metadata = address.replace("/sh/", "/sh/m");
    played(
        200,
        format!(r#"{{"descripcion":"exito","estado":200,"datos":"{address}","metadatos":"{metadata}"}}"#),
    )
}

/// Tells whether a request is of the second step.
pub(crate) fn is_data(arrived: &Arrived) -> bool {
    arrived.path.starts_with("/opendata/sh/")
}

/// Answers the first step well and the second with this body.
pub(crate) fn serving(body: &str) -> impl FnMut(&Arrived, i64) -> Played + 'static {
    let body = body.to_owned();
    move |arrived, _| {
        if is_data(arrived) {
            played(200, body.clone())
        } else {
            envelope("http://127.0.0.1:9/opendata/sh/aa11")
        }
    }
}

/// Gives the paths of the requests that came, in order.
pub(crate) fn paths(seen: &Seen) -> Vec<String> {
    seen.borrow().iter().map(|(arrived, _)| arrived.path.clone()).collect()
}

/// Gives the lines logged at a level.
pub(crate) fn lines(level: Level) -> Vec<String> {
    with_host(|host| {
        let lines = host.lines.iter().filter(|(logged, _)| *logged == level);
        lines.map(|(_, line)| line.clone()).collect()
    })
}

/// Gives the values of a field of the lines logged.
pub(crate) fn field(name: &str) -> Vec<String> {
    with_host(|host| {
        let fields = host.fields.iter().filter(|(known, _)| known == name);
        fields.map(|(_, value)| value.clone()).collect()
    })
}

/// Gives the struct in a record.
pub(crate) fn value(record: &SourceRecord) -> &StructValue {
    match &record.value.value {
        Value::Struct(value) => value,
        other => panic!("no struct: {other:?}"),
    }
}

/// Gives a header's text.
pub(crate) fn header(record: &SourceRecord, name: &str) -> Option<String> {
    let found = record.headers.iter().find(|header| header.name == name)?;
    match &found.value.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}
