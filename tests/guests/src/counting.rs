//! A source that counts and says where its transactions end
//!
//! Record n has the value n and the offset `{"n":n}`; after a restart it goes on behind the offset it finds. After every
//! `commit.every`th record it asks for a commit, after every `abort.every`th one for an abort.

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::frame::layout::record_flags;
use weir_sdk::api::frame::slot::Slot;
use weir_sdk::api::frame::writer::SourceParts;
use weir_sdk::batch::SourceBatch;
use weir_sdk::config::def::{ConfigDef, ConfigKey};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::context::{ConnectorContext, SourceTaskContext};
use weir_sdk::offsets::single;
use weir_sdk::plugin::Class;
use weir_sdk::runtime;
use weir_sdk::source::{ExactlyOnceSupport, Polled, SourceConnector, SourceTask};

const PARTITION: &str = "{}";
const PAUSE_MS: u32 = 10;

pub(crate) fn class() -> Class {
    Class::source::<Counting, CountingTask>("weir.guests.CountingSourceConnector")
        .doc("Counts, and says where its transactions end.")
        .config(definition)
}

fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(ConfigKey::text("topic").doc("Where the records go"))
        .key(
            ConfigKey::long("until")
                .default("9223372036854775807")
                .doc("The last number"),
        )
        .key(ConfigKey::int("batch").default("10").doc("Records a poll"))
        .key(
            ConfigKey::long("commit.every")
                .default("0")
                .doc("A commit after each such record; 0 = none"),
        )
        .key(
            ConfigKey::long("abort.every")
                .default("0")
                .doc("An abort after each such record; 0 = none"),
        )
}

/// Vouches for exactly-once and its boundaries.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    config: ConfigMap,
}

impl SourceConnector for Counting {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }

    fn exactly_once_support(&self, _config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        Ok(ExactlyOnceSupport::Supported)
    }

    fn can_define_transaction_boundaries(&self, _config: &ConfigMap) -> Result<bool, ConnectError> {
        Ok(true)
    }
}

/// Counts.
#[derive(Debug, Default)]
pub(crate) struct CountingTask {
    topic: String,
    last: i64,
    until: i64,
    batch: i32,
    commit_every: i64,
    abort_every: i64,
}

impl SourceTask for CountingTask {
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        let parsed = definition()
            .parse(config)
            .map_err(|error| ConnectError::config(error.to_string()))?;
        let long = |key: &str| parsed.opt_long(key).unwrap_or_default();
        config.get("topic").unwrap_or_default().clone_into(&mut self.topic);
        self.until = long("until");
        self.batch = parsed.opt_int("batch").unwrap_or_default();
        (self.commit_every, self.abort_every) = (long("commit.every"), long("abort.every"));
        let found = context.offset_reader().offset(PARTITION)?;
        self.last = found.and_then(|offset| offset.get("n")?.as_i64()).unwrap_or(0);
        Ok(())
    }

    fn poll_into(&mut self, batch: &mut SourceBatch<'_>) -> Result<Polled, ConnectError> {
        runtime::sleep(PAUSE_MS);
        if self.last >= self.until {
            return Ok(Polled::Nothing);
        }
        let (topic, partition) = (batch.intern(&self.topic), batch.intern(PARTITION));
        for _ in 0..self.batch {
            if self.last >= self.until {
                break;
            }
            self.last += 1;
            let is_due = |every: i64| self.last.checked_rem(every) == Some(0);
            let mut flags = 0;
            if is_due(self.commit_every) {
                flags |= record_flags::TXN_COMMIT_AFTER;
            }
            if is_due(self.abort_every) {
                flags |= record_flags::TXN_ABORT_AFTER;
            }
            batch.append(&SourceParts {
                topic,
                source_partition: Some(partition),
                source_offset: Some(single("n", self.last).as_bytes()),
                value: Slot::text(&self.last.to_string()),
                flags,
                ..SourceParts::default()
            })?;
        }
        Ok(Polled::Batch)
    }
}
