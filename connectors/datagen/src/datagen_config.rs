//! The settings

use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;

use crate::pace::Pace;
use crate::records::Kind;

/// The topic written to.
pub const TOPIC: &str = "topic";
/// Which records.
pub const SCHEMA: &str = "schema";
/// Pause between two records of a task.
pub const INTERVAL_MS: &str = "interval.ms";
/// Records a second of a task, instead of the pause.
pub const RATE: &str = "rate";
/// Records of a task in all.
pub const ITERATIONS: &str = "iterations";
/// Start of the random numbers.
pub const SEED: &str = "seed";
/// Number of the task, set by the connector.
pub const TASK_ID: &str = "task.id";

/// Defines the settings.
pub fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(
            ConfigKey::text(TOPIC)
                .validator(Validator::NonEmptyText)
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .key(
            ConfigKey::text(SCHEMA)
                .default(Kind::Users.as_str())
                .validator(Validator::one_of(&Kind::ALL.map(Kind::as_str)))
                .importance(Importance::High)
                .doc("Which records to make up"),
        )
        .key(
            ConfigKey::long(INTERVAL_MS)
                .default("500")
                .validator(Validator::at_least(0))
                .doc("Milliseconds between two records of a task; 0 makes records as fast as they are taken"),
        )
        .key(
            ConfigKey::int(RATE)
                .default_null()
                .doc("Records a second of a task; if given, it takes the place of interval.ms"),
        )
        .key(
            ConfigKey::long(ITERATIONS)
                .default("-1")
                .validator(Validator::at_least(-1))
                .doc("Records of each task in all; -1 never ends"),
        )
        .key(
            ConfigKey::long(SEED)
                .default("0")
                .importance(Importance::Low)
                .doc("Start of the random numbers: equal seeds make equal records"),
        )
        .key(
            ConfigKey::int(TASK_ID)
                .default("0")
                .internal()
                .doc("Number of the task, set by the connector"),
        )
}

/// The settings of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Topic.
    pub topic: String,
    /// Which records.
    pub kind: Kind,
    /// How fast.
    pub pace: Pace,
    /// Records in all; `None` never ends.
    pub iterations: Option<i64>,
    /// Start of the random numbers.
    pub seed: i64,
    /// Number of the task.
    pub task: i32,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config, with Kafka's text.
    pub fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = definition()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        let schema = parsed.opt_text(SCHEMA).unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == schema);
        let interval_ms = parsed.opt_long(INTERVAL_MS).unwrap_or_default();
        let pace = match parsed.opt_int(RATE) {
            Some(rate) if rate < 1 => {
                let text = format!("Invalid value {rate} for configuration {RATE}: Value must be at least 1");
                return Err(ConnectError::config(text));
            }
            Some(rate) => Pace::records_per_second(rate.unsigned_abs()),
            None => Pace::interval_ms(interval_ms.unsigned_abs()),
        };
        Ok(Self {
            topic: parsed.opt_text(TOPIC).unwrap_or_default().to_owned(),
            kind: kind.ok_or_else(|| ConnectError::config(format!("unknown {SCHEMA} {schema}")))?,
            pace,
            iterations: parsed.opt_long(ITERATIONS).filter(|iterations| *iterations >= 0),
            seed: parsed.opt_long(SEED).unwrap_or_default(),
            task: parsed.opt_int(TASK_ID).unwrap_or_default(),
        })
    }
}
