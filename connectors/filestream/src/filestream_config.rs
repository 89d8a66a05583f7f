//! The settings of both connectors
//!
//! Kafka classes: `FileStreamSourceConnector`, `FileStreamSinkConnector` (`CONFIG_DEF`).

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;

/// The file; null or empty is standard input or output.
pub const FILE: &str = "file";
/// The topic written to.
pub const TOPIC: &str = "topic";
/// Most records of one poll.
pub const BATCH_SIZE: &str = "batch.size";

/// Defines the settings of the source.
pub fn source_def() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(FILE)
                .default_null()
                .importance(Importance::High)
                .doc("Source filename. If not specified, the standard input will be used"),
        )
        .key(
            ConfigKey::text(TOPIC)
                .validator(Validator::NonEmptyText)
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .key(
            ConfigKey::int(BATCH_SIZE)
                .default("2000")
                .importance(Importance::Low)
                .doc("The maximum number of records the source task can read from the file each time it is polled"),
        )
}

/// Defines the settings of the sink.
pub fn sink_def() -> ConfigDef {
    ConfigDef::new().key(
        ConfigKey::text(FILE)
            .default_null()
            .importance(Importance::High)
            .doc("Destination filename. If not specified, the standard output will be used"),
    )
}

/// The source's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// As configured: null and the empty text are told apart in the source partition.
    pub file: Option<String>,
    /// Topic.
    pub topic: String,
    /// Most records of one poll. Apache's task gives one record where this is 0 or less.
    pub batch_records: u32,
}

impl SourceSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config, with Kafka's text.
    pub fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = source_def()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        let batch_size = parsed.opt_int(BATCH_SIZE).unwrap_or_default();
        Ok(Self {
            file: parsed.opt_text(FILE).map(str::to_owned),
            topic: parsed.opt_text(TOPIC).unwrap_or_default().to_owned(),
            batch_records: u32::try_from(batch_size).unwrap_or(0).max(1),
        })
    }

    /// Gives the path; `None` is standard input.
    pub fn path(&self) -> Option<&str> {
        self.file.as_deref().filter(|file| !file.is_empty())
    }
}

/// Reads the sink's path; `None` is standard output.
///
/// # Errors
/// Config, with Kafka's text.
pub fn sink_path(config: &ConfigMap) -> Result<Option<String>, ConnectError> {
    let parsed = sink_def()
        .parse(config)
        .map_err(|error| ConnectError::config(error.to_string()))?;
    Ok(parsed.opt_text(FILE).filter(|file| !file.is_empty()).map(str::to_owned))
}
