//! Sink connectors and tasks: Kafka Connect's contracts
//!
//! A task gets batches by `put` and answers in `pre_commit` how far consumption may be committed. `put` also comes
//! with no records, on the commit and timeout ticks. Kafka classes:
//! `org.apache.kafka.connect.sink.{SinkConnector,SinkTask}`.

use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;

use crate::context::{ConnectorContext, SinkTaskContext};
use crate::sink_batch::SinkBatch;

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
}

/// A position in a partition: the next offset to read, or the offset of one record where a call says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// An offset that a user wants changed; `None` = remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkOffsetChange {
    /// Partition.
    pub partition: TopicPartition,
    /// New offset.
    pub offset: Option<i64>,
}

/// Splits the work into tasks.
pub trait SinkConnector {
    /// Starts with settings that passed validation.
    ///
    /// # Errors
    /// Any error fails the connector.
    fn start(&mut self, context: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// Gives the settings of at most `max_tasks` tasks.
    ///
    /// # Errors
    /// Any error fails the connector.
    fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<ConfigMap>, ConnectError>;

    /// Ends the connector.
    ///
    /// # Errors
    /// Logged only.
    fn stop(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }

    /// How often `monitor` is wanted, asked once after `start`; `None` = never.
    fn monitor_every_ms(&self) -> Option<u32> {
        None
    }

    /// Looks for changes outside; true = the task configs must be computed again.
    ///
    /// # Errors
    /// Any error but a retriable one fails the connector.
    fn monitor(&mut self) -> Result<bool, ConnectError> {
        Ok(false)
    }

    /// Checks settings beyond what the config definition says; called on an instance that was never started.
    ///
    /// # Errors
    /// The validation request fails with it.
    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        let _ = config;
        Ok(Vec::new())
    }

    /// Judges offsets that a user wants changed; true = the connector vouches for them. Never started.
    ///
    /// # Errors
    /// The change is refused with it.
    fn alter_offsets(&self, config: &ConfigMap, offsets: &[SinkOffsetChange]) -> Result<bool, ConnectError> {
        let _ = (config, offsets);
        Ok(false)
    }
}

/// Stores records.
pub trait SinkTask {
    /// Starts on a fresh instance.
    ///
    /// # Errors
    /// Any error fails the task; `stop` is still called.
    fn start(&mut self, context: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// Takes over partitions.
    ///
    /// # Errors
    /// Any error fails the task.
    fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let _ = partitions;
        Ok(())
    }

    /// Stores, or starts storing, a batch; grouped by partition, in offset order.
    ///
    /// # Errors
    /// A retriable error brings the same batch again later; any other fails the task.
    fn put(&mut self, batch: &SinkBatch<'_>) -> Result<(), ConnectError>;

    /// Stores everything put so far before it returns.
    ///
    /// # Errors
    /// The commit fails and the consumer goes back to the last committed offsets.
    fn flush(&mut self, current: &[TopicOffset]) -> Result<(), ConnectError> {
        let _ = current;
        Ok(())
    }

    /// Gives the offsets that may be committed; none = commit nothing.
    ///
    /// # Errors
    /// As `flush`.
    fn pre_commit(&mut self, current: &[TopicOffset]) -> Result<Vec<TopicOffset>, ConnectError> {
        self.flush(current)?;
        Ok(current.to_vec())
    }

    /// Gives partitions away.
    ///
    /// # Errors
    /// Any error fails the task.
    fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let _ = partitions;
        Ok(())
    }

    /// Ends the task.
    ///
    /// # Errors
    /// Logged only.
    fn stop(&mut self) -> Result<(), ConnectError> {
        Ok(())
    }
}
