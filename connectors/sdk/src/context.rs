//! What the runtime hands to `start`
//!
//! Handles without state: they read like Java's contexts and work from the first call to the last. What every kind of
//! instance may do (settings, stop, sleep, metrics) is in `runtime.rs`.

use weir_api::error::ConnectError;

use crate::host;
use crate::offsets::OffsetReader;
use crate::sink::{TopicOffset, TopicPartition};

/// Context of a connector instance.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectorContext {
    _private: (),
}

impl ConnectorContext {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }

    /// Has the task configs computed again.
    pub fn request_task_reconfiguration(&self) {
        host::request_task_reconfiguration();
    }

    /// Fails the connector.
    pub fn raise_error(&self, error: &ConnectError) {
        host::raise_error(error);
    }

    /// Reads committed source offsets (source connectors only).
    pub fn offset_reader(&self) -> OffsetReader {
        OffsetReader::new()
    }
}

/// Context of a source task.
#[derive(Debug, Clone, Copy, Default)]
pub struct SourceTaskContext {
    _private: (),
}

impl SourceTaskContext {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }

    /// Reads committed source offsets.
    pub fn offset_reader(&self) -> OffsetReader {
        OffsetReader::new()
    }
}

/// Context of a sink task.
#[derive(Debug, Clone, Copy, Default)]
pub struct SinkTaskContext {
    _private: (),
}

impl SinkTaskContext {
    pub(crate) const fn new() -> Self {
        Self { _private: () }
    }

    /// Gives the partitions assigned now.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        host::assignment()
    }

    /// Moves the consumer before the next `put` (Java: `offset`).
    pub fn seek(&self, offsets: &[TopicOffset]) {
        host::seek(offsets);
    }

    /// Sets the wait after a retriable error (Java: `timeout`).
    pub fn retry_after(&self, ms: u32) {
        host::retry_after(ms);
    }

    /// Stops consumption of partitions.
    ///
    /// # Errors
    /// Fatal when a partition is not assigned.
    pub fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        host::pause(partitions)
    }

    /// Resumes consumption of partitions.
    ///
    /// # Errors
    /// Fatal when a partition is not assigned.
    pub fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        host::resume(partitions)
    }

    /// Wishes for a commit soon.
    pub fn request_commit(&self) {
        host::request_commit();
    }

    /// Tells whether bad records can be reported (Java: the reporter is not null).
    pub fn can_report(&self) -> bool {
        host::can_report()
    }

    /// Reports bad records of the current or an earlier uncommitted `put`.
    ///
    /// # Errors
    /// Fatal when they cannot be reported or are no longer kept.
    pub fn report(&self, records: &[TopicOffset], error: &ConnectError) -> Result<(), ConnectError> {
        host::report(records, error)
    }
}
