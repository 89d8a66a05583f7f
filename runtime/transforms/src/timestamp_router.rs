//! TimestampRouter: puts the record's timestamp into the topic
//!
//! Kafka: `org.apache.kafka.connect.transforms.TimestampRouter`.

use weir_api::error::ConnectError;
use weir_config::def::{ConfigDef, ConfigKey, Importance};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::error::TransformError;
use crate::rows::Row;
use crate::simple_date_format::SimpleDateFormat;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const TOPIC_FORMAT: &str = "topic.format";
const TIMESTAMP_FORMAT: &str = "timestamp.format";

#[derive(Debug)]
struct TimestampRouter {
    topic_format: String,
    /// As Java, a pattern that does not compile fails each record.
    timestamp_format: Result<SimpleDateFormat, String>,
    time: String,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(TOPIC_FORMAT)
                .default("${topic}-${timestamp}")
                .importance(Importance::High)
                .doc("The new topic; <code>${topic}</code> stands for the old one, <code>${timestamp}</code> for the time."),
        )
        .key(
            ConfigKey::text(TIMESTAMP_FORMAT)
                .default("yyyyMMdd")
                .importance(Importance::High)
                .doc("How the time is written, a pattern of <code>java.text.SimpleDateFormat</code>, in UTC."),
        )
}

pub(crate) fn create(_: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    Ok(Box::new(TimestampRouter {
        topic_format: config.get_text(TOPIC_FORMAT)?.to_owned(),
        timestamp_format: SimpleDateFormat::new(config.get_text(TIMESTAMP_FORMAT)?),
        time: String::new(),
    }))
}

impl Transformation for TimestampRouter {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        let Some(timestamp) = row.timestamp else {
            // DIVERGES: Java prints the whole record, which logs and statuses should not show.
            let topic = cx.names.get(row.topic);
            return Err(ConnectError::data(format!(
                "Timestamp missing on record: topic '{topic}', offset {}",
                row.offset
            )));
        };
        let format = self.timestamp_format.as_ref().map_err(|error| {
            ConnectError::fatal(error.as_str()).with_class_name("java.lang.IllegalArgumentException")
        })?;
        self.time.clear();
        format.format(timestamp, &mut self.time);
        let topic = self
            .topic_format
            .replace("${topic}", cx.names.get(row.topic))
            .replace("${timestamp}", &self.time);
        row.topic = cx.names.intern(&topic);
        Ok(Outcome::Kept)
    }
}
