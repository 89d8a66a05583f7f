//! Connectors that block in the method that `block.at` names
//!
//! They wait where no limit on CPU time reaches them, and say so before: `blocked in METHOD`. The source makes one record a poll until
//! then, the sink takes what it gets.

use std::time::Duration;

use weir_sdk::api::error::ConnectError;
use weir_sdk::api::record::{SourceRecord, TypedValue};
use weir_sdk::config::def::{ConfigDef, ConfigKey};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ValueInfo;
use weir_sdk::context::{ConnectorContext, SinkTaskContext, SourceTaskContext};
use weir_sdk::offsets::single;
use weir_sdk::plugin::Class;
use weir_sdk::sink::{SinkConnector, SinkTask, TopicOffset, TopicPartition};
use weir_sdk::sink_batch::SinkBatch;
use weir_sdk::source::{Ack, PollBudget, SourceConnector, SourceTask};
use weir_sdk::{info, runtime};

const AT: &str = "block.at";
const POLL_PAUSE_MS: u32 = 20;

pub(crate) fn source() -> Class {
    Class::source::<Blocking, BlockingSource>("weir.guests.BlockingSourceConnector")
        .doc("Blocks where it is told to.")
        .config(definition)
        .overrides_validate()
}

pub(crate) fn sink() -> Class {
    Class::sink::<Blocking, BlockingSink>("weir.guests.BlockingSinkConnector")
        .doc("Blocks where it is told to.")
        .config(definition)
        .overrides_validate()
}

fn definition() -> ConfigDef {
    ConfigDef::new()
        .key(ConfigKey::text("topic").default("").doc("Where a source's records go"))
        .key(ConfigKey::text(AT).default("").doc("The method that blocks"))
}

#[allow(clippy::disallowed_methods, reason = "a guest that blocks is what is tested")]
fn pass(config: &ConfigMap, method: &str) {
    if config.get(AT) != Some(method) {
        return;
    }
    info!("blocked in {method}");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Both kinds of connector.
#[derive(Debug, Default)]
struct Blocking {
    config: ConfigMap,
}

impl Blocking {
    fn begin(&mut self, config: &ConfigMap) {
        self.config = config.clone();
        pass(config, "connector.start");
    }

    fn tasks(&self) -> Vec<ConfigMap> {
        pass(&self.config, "connector.taskConfigs");
        vec![self.config.clone()]
    }
}

impl SourceConnector for Blocking {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.begin(config);
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(self.tasks())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        pass(&self.config, "connector.stop");
        Ok(())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        pass(config, "connector.validate");
        Ok(Vec::new())
    }
}

impl SinkConnector for Blocking {
    fn start(&mut self, _context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.begin(config);
        Ok(())
    }

    fn task_configs(&mut self, _max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(self.tasks())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        pass(&self.config, "connector.stop");
        Ok(())
    }

    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        pass(config, "connector.validate");
        Ok(Vec::new())
    }
}

#[derive(Debug, Default)]
struct BlockingSource {
    config: ConfigMap,
    made: i32,
}

impl SourceTask for BlockingSource {
    fn start(&mut self, _context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        pass(config, "task.start");
        Ok(())
    }

    fn poll(&mut self, _budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        if self.made > 0 {
            pass(&self.config, "task.poll");
        }
        runtime::sleep(POLL_PAUSE_MS);
        self.made = self.made.saturating_add(1);
        Ok(Some(vec![SourceRecord {
            source_partition: Some("{}".to_owned()),
            source_offset: Some(single("made", self.made)),
            topic: self.config.get("topic").unwrap_or_default().to_owned(),
            value: TypedValue::text(format!("record {}", self.made)),
            ..SourceRecord::default()
        }]))
    }

    fn wants_acks(&self) -> bool {
        true
    }

    fn records_acked(&mut self, _acks: &[Ack<'_>]) -> Result<(), ConnectError> {
        pass(&self.config, "task.commitRecord");
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ConnectError> {
        pass(&self.config, "task.commit");
        Ok(())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        pass(&self.config, "task.stop");
        Ok(())
    }
}

#[derive(Debug, Default)]
struct BlockingSink {
    config: ConfigMap,
}

impl SinkTask for BlockingSink {
    fn start(&mut self, _context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        pass(config, "task.start");
        Ok(())
    }

    fn open(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        pass(&self.config, "task.open");
        Ok(())
    }

    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError> {
        if !batch.is_empty() {
            info!("took {} records", batch.len());
            pass(&self.config, "task.put");
        }
        Ok(())
    }

    fn pre_commit(&mut self, current: &[TopicOffset]) -> Result<Vec<TopicOffset>, ConnectError> {
        pass(&self.config, "task.preCommit");
        Ok(current.to_vec())
    }

    fn close(&mut self, _partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        pass(&self.config, "task.close");
        Ok(())
    }

    fn stop(&mut self) -> Result<(), ConnectError> {
        pass(&self.config, "task.stop");
        Ok(())
    }
}
