//! Source connectors and tasks: Kafka Connect's contracts
//!
//! A connector splits its work into task configs; each task produces records. One component instance is one connector
//! or one task, and its calls never overlap. A task implements `poll` (owned records) or, where every nanosecond
//! counts, `poll_into` (records written straight into the frame, see `batch.rs`). Kafka classes:
//! `org.apache.kafka.connect.source.{SourceConnector,SourceTask}`.

use weir_api::error::ConnectError;
use weir_api::record::SourceRecord;
use weir_config::map::ConfigMap;
use weir_config::validate::ValueInfo;

use crate::batch::SourceBatch;
use crate::context::{ConnectorContext, SourceTaskContext};

/// Whether a connector can guarantee that no record is lost or doubled (KIP-618).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactlyOnceSupport {
    /// The connector does not say.
    Unknown,
    /// Yes, with these settings.
    Supported,
    /// No, not with these settings.
    Unsupported,
}

/// An offset that a user wants changed: partition and new offset as compact JSON, `None` = remove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetChange {
    /// Source partition.
    pub partition: String,
    /// New source offset.
    pub offset: Option<String>,
}

/// Splits the work into tasks.
pub trait SourceConnector {
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
    /// Only keys with something to say.
    ///
    /// # Errors
    /// The validation request fails with it.
    fn validate(&self, config: &ConfigMap) -> Result<Vec<ValueInfo>, ConnectError> {
        let _ = config;
        Ok(Vec::new())
    }

    /// Tells whether exactly-once is possible with these settings; the instance was never started.
    ///
    /// # Errors
    /// The request fails with it.
    fn exactly_once_support(&self, config: &ConfigMap) -> Result<ExactlyOnceSupport, ConnectError> {
        let _ = config;
        Ok(ExactlyOnceSupport::Unknown)
    }

    /// Tells whether the tasks may define transaction boundaries; the instance was never started.
    ///
    /// # Errors
    /// The request fails with it.
    fn can_define_transaction_boundaries(&self, config: &ConfigMap) -> Result<bool, ConnectError> {
        let _ = config;
        Ok(false)
    }

    /// Judges offsets that a user wants changed; true = the connector vouches for them. Never started.
    ///
    /// # Errors
    /// The change is refused with it.
    fn alter_offsets(&self, config: &ConfigMap, offsets: &[OffsetChange]) -> Result<bool, ConnectError> {
        let _ = (config, offsets);
        Ok(false)
    }
}

/// What one poll may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollBudget {
    /// Records at most.
    pub max_records: u32,
    /// Bytes of frame wished for; a single larger record is fine.
    pub max_bytes: u32,
    /// Return by then, with nothing if there is nothing.
    pub max_wait_ms: u32,
}

/// What a poll found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// Nothing to do now (Java's null).
    Nothing,
    /// The records of the batch, perhaps none.
    Batch,
}

/// One record that arrived, or was dropped on the way (`metadata` = `None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Which poll that returned records, counted from 1.
    pub batch: u64,
    /// Which record of that poll.
    pub index: u32,
    /// Where it went.
    pub metadata: Option<RecordMetadata<'a>>,
}

/// Where a record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordMetadata<'a> {
    /// Topic, after transformations.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Timestamp in milliseconds.
    pub timestamp: i64,
}

/// Produces records.
pub trait SourceTask {
    /// Starts on a fresh instance.
    ///
    /// # Errors
    /// Any error fails the task; `stop` is still called.
    fn start(&mut self, context: SourceTaskContext, config: &ConfigMap) -> Result<(), ConnectError>;

    /// Gives the next records, `None` when there is nothing now. Waits no longer than the budget says.
    ///
    /// # Errors
    /// A retriable error is polled again at once; any other fails the task.
    fn poll(&mut self, budget: PollBudget) -> Result<Option<Vec<SourceRecord>>, ConnectError> {
        let _ = budget;
        Ok(None)
    }

    /// As `poll`, but appends to the batch. Implement this one instead of `poll` on a hot path.
    ///
    /// # Errors
    /// As `poll`; what was appended is dropped.
    fn poll_into(&mut self, batch: &mut SourceBatch<'_>) -> Result<Polled, ConnectError> {
        let Some(records) = self.poll(batch.budget())? else {
            return Ok(Polled::Nothing);
        };
        for record in &records {
            batch.push(record)?;
        }
        Ok(Polled::Batch)
    }

    /// Whether `records_acked` is wanted; asked once after `start`.
    fn wants_acks(&self) -> bool {
        false
    }

    /// Java's `commitRecord`, many at a time, in order within a source partition.
    ///
    /// # Errors
    /// Logged only.
    fn records_acked(&mut self, acks: &[Ack<'_>]) -> Result<(), ConnectError> {
        let _ = acks;
        Ok(())
    }

    /// Offsets are durable up to what was acked.
    ///
    /// # Errors
    /// Logged only.
    fn commit(&mut self) -> Result<(), ConnectError> {
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
