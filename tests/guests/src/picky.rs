//! A sink that finds records bad and says so
//!
//! Records that begin with `bad` are reported in `put`, with `late` before the next commit, when they are no longer in
//! hand; `worse` fails `put`.

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::ConfigDef;
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::SinkTaskContext;
use weir_sdk::plugin::Class;
use weir_sdk::sink::{SinkTask, TopicOffset};
use weir_sdk::sink_batch::SinkBatch;

use crate::Passing;

pub(crate) fn class() -> Class {
    Class::sink::<Passing, Picky>("weir.guests.PickySinkConnector")
        .doc("Reports bad records, at once or late.")
        .config(ConfigDef::new)
}

#[derive(Debug, Default)]
struct Picky {
    context: Option<SinkTaskContext>,
    late: Vec<TopicOffset>,
}

impl Picky {
    fn report(&self, records: &[TopicOffset], why: &str) -> Result<(), ConnectError> {
        match &self.context {
            Some(context) if context.can_report() => context.report(records, &ConnectError::data(why)),
            _ => Err(ConnectError::fatal("nobody listens to reports")),
        }
    }
}

impl SinkTask for Picky {
    fn start(&mut self, context: SinkTaskContext, _config: &ConfigMap) -> Result<(), ConnectError> {
        self.context = Some(context);
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        for record in batch.records() {
            let value = record.value();
            let text = value.text().unwrap_or_default();
            if text.starts_with("bad") {
                self.report(&[record.origin()], "found bad in put")?;
            } else if text.starts_with("late") {
                self.late.push(record.origin());
            } else if text.starts_with("worse") {
                return Err(ConnectError::fatal("worse than bad"));
            }
        }
        Ok(())
    }

    fn flush(&mut self, _current: &[TopicOffset]) -> Result<(), ConnectError> {
        let late = std::mem::take(&mut self.late);
        if late.is_empty() {
            return Ok(());
        }
        self.report(&late, "found bad later")
    }
}
