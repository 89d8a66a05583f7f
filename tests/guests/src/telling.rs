//! A source that makes the records it is told to, and a sink that tells the records it gets
//!
//! `records` of the source: `key;value;timestamp;name=value,name=value`, one a line, `~` for null. The sink logs the same form, with
//! the kind of the timestamp: `told TOPIC key;value;timestamp CreateTime;name=value`.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{Header, SourceRecord, TimestampType, TypedValue};
use weir_sdk::config::def::{ConfigDef, ConfigKey};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{SinkTaskContext, SourceTaskContext};
use weir_sdk::offsets::single;
use weir_sdk::plugin::Class;
use weir_sdk::sink::SinkTask;
use weir_sdk::sink_batch::{DataRef, SinkBatch};
use weir_sdk::source::{Ack, PollBudget, SourceTask};
use weir_sdk::{info, runtime};

use crate::Passing;

const NULL: &str = "~";

pub(crate) fn source() -> Class {
    Class::source::<Passing, TellingSource>("weir.guests.TellingSourceConnector")
        .doc("Makes the records it is told to.")
        .config(source_definition)
}

pub(crate) fn sink() -> Class {
    Class::sink::<Passing, TellingSink>("weir.guests.TellingSinkConnector")
        .doc("Tells the records it gets.")
        .config(sink_definition)
}

fn source_definition() -> ConfigDef {
    ConfigDef::new()
        .key(ConfigKey::text("topic").doc("Where the records go"))
        .key(
            ConfigKey::text("records")
                .default("")
                .doc("The records, made once in each life of the task"),
        )
}

fn sink_definition() -> ConfigDef {
    ConfigDef::new().key(ConfigKey::text("greeting").default("").doc("Logged at each start"))
}

fn typed(text: &str) -> TypedValue {
    match text {
        NULL => TypedValue::null(),
        text => TypedValue::text(text),
    }
}

#[derive(Debug, Default)]
struct TellingSource {
    config: ConfigMap,
    has_made: bool,
}

impl TellingSource {
    fn record(&self, number: usize, line: &str) -> SourceRecord {
        let mut parts = line.split(';');
        let (key, value) = (parts.next().unwrap_or(NULL), parts.next().unwrap_or(NULL));
        let timestamp = parts.next().and_then(|text| text.parse().ok());
        let headers = parts.next().unwrap_or_default().split(',');
        let headers = headers.filter_map(|header| header.split_once('='));
        SourceRecord {
            source_partition: Some("{}".to_owned()),
            source_offset: Some(single("line", i64::try_from(number).unwrap_or(i64::MAX))),
            topic: self.config.get("topic").unwrap_or_default().to_owned(),
            key: typed(key),
            value: typed(value),
            timestamp,
            headers: headers
                .map(|(name, value)| Header {
                    name: name.to_owned(),
                    value: typed(value),
                })
                .collect(),
            ..SourceRecord::default()
        }
    }
}

impl SourceTask for TellingSource {
    fn start(&mut self, _context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if self.has_made {
            runtime::sleep(budget.max_wait_ms);
            return Ok(None);
        }
        self.has_made = true;
        let text = self.config.get("records").unwrap_or_default();
        let lines = text.lines().enumerate();
        Ok(Some(lines.map(|(number, line)| self.record(number, line)).collect()))
    }

    fn wants_acks(&self) -> bool {
        true
    }

    fn records_acked(&mut self, acks: &[Ack<'_>]) -> Result<(), ConnectError> {
        for ack in acks {
            match &ack.metadata {
                Some(at) => info!("stored {} at {}", ack.index, at.timestamp),
                None => info!("dropped {}", ack.index),
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct TellingSink;

fn text(data: &DataRef<'_>) -> String {
    if data.is_null() {
        return NULL.to_owned();
    }
    match data.text() {
        Some(text) => text.to_owned(),
        None => data
            .to_value()
            .map_or_else(|error| error.to_string(), |value| format!("{value:?}")),
    }
}

impl SinkTask for TellingSink {
    fn start(&mut self, _context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        info!("greeting {}", config.get("greeting").unwrap_or_default());
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        for record in batch.records() {
            let kind = match record.timestamp_type() {
                TimestampType::None => "NoTimestampType",
                TimestampType::CreateTime => "CreateTime",
                TimestampType::LogAppendTime => "LogAppendTime",
            };
            let timestamp = record
                .timestamp()
                .map_or_else(|| NULL.to_owned(), |time| time.to_string());
            let headers: Vec<String> = record
                .headers()
                .map(|(name, value)| format!("{name}={}", text(&value)))
                .collect();
            info!(
                "told {} {};{};{timestamp} {kind};{}",
                record.topic(),
                text(&record.key()),
                text(&record.value()),
                headers.join(",")
            );
        }
        Ok(())
    }
}
