//! What a sink task asks of its consumer between two calls
//!
//! The guest's `sink-context` imports only note wishes here; the worker's sink loop takes them after each call and acts on
//! the consumer itself, so nothing enters the loop sideways. Mirrors Connect's `WorkerSinkTaskContext`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use weir_api::error::ConnectError;

use crate::context::BoxFuture;

/// A partition of a topic, as sinks see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

/// A position in a partition; `offset` is the next to read, or of a record where the text says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicOffset {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Sends bad records to the dead letter queue or the error log.
pub trait ErrantReporter: Send + Sync {
    /// Reports the records at these offsets; durable before their offsets are committed.
    fn report<'a>(&'a self, records: Vec<TopicOffset>, error: ConnectError) -> BoxFuture<'a, Result<(), ConnectError>>;
}

/// A pause or resume, kept in the order in which the guest asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowChange {
    Pause(Vec<TopicPartition>),
    Resume(Vec<TopicPartition>),
}

/// Wishes of the guest since they were last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkRequests {
    /// Takes effect before the next `put`; the last wish for a partition wins.
    pub seeks: Vec<TopicOffset>,
    /// Longest wait before the next `put`, in milliseconds.
    pub retry_after_ms: Option<u32>,
    pub flow: Vec<FlowChange>,
    pub is_commit_requested: bool,
}

/// Shared between one sink task's loop and its guest.
#[derive(Clone)]
pub struct SinkContextHandle {
    shared: Arc<Mutex<Shared>>,
    reporter: Option<Arc<dyn ErrantReporter>>,
}

#[derive(Debug, Default)]
struct Shared {
    assignment: BTreeSet<TopicPartition>,
    requests: SinkRequests,
}

impl SinkContextHandle {
    /// Creates a handle; without a reporter the guest is told that it cannot report.
    pub fn new(reporter: Option<Arc<dyn ErrantReporter>>) -> Self {
        Self {
            shared: Arc::default(),
            reporter,
        }
    }

    /// Replaces the assignment that the guest sees.
    pub fn set_assignment(&self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.shared.lock().assignment = partitions.into_iter().collect();
    }

    /// Takes the wishes noted since the last call.
    pub fn take_requests(&self) -> SinkRequests {
        std::mem::take(&mut self.shared.lock().requests)
    }

    pub(crate) fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.lock().assignment.iter().cloned().collect()
    }

    pub(crate) fn seek(&self, offsets: Vec<TopicOffset>) {
        let seeks = &mut self.shared.lock().requests.seeks;
        for wish in offsets {
            seeks.retain(|old| old.topic != wish.topic || old.partition != wish.partition);
            seeks.push(wish);
        }
    }

    pub(crate) fn retry_after(&self, ms: u32) {
        self.shared.lock().requests.retry_after_ms = Some(ms);
    }

    pub(crate) fn request_commit(&self) {
        self.shared.lock().requests.is_commit_requested = true;
    }

    /// Notes a pause or resume; all partitions must be assigned, as in Connect.
    pub(crate) fn change_flow(&self, change: FlowChange) -> Result<(), ConnectError> {
        let (FlowChange::Pause(partitions) | FlowChange::Resume(partitions)) = &change;
        let mut shared = self.shared.lock();
        if let Some(stranger) = partitions.iter().find(|p| !shared.assignment.contains(p)) {
            let verb = match &change {
                FlowChange::Pause(_) => "pause",
                FlowChange::Resume(_) => "resume",
            };
            return Err(ConnectError::fatal(format!(
                "SinkTasks may not {verb} partitions that are not currently assigned to them: {}-{}",
                stranger.topic, stranger.partition
            )));
        }
        shared.requests.flow.push(change);
        Ok(())
    }

    pub(crate) fn reporter(&self) -> Option<Arc<dyn ErrantReporter>> {
        self.reporter.clone()
    }
}

impl fmt::Debug for SinkContextHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkContextHandle")
            .field("shared", &self.shared)
            .field("can_report", &self.reporter.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(partition: i32) -> TopicPartition {
        TopicPartition {
            topic: "t".to_owned(),
            partition,
        }
    }

    fn offset(partition: i32, offset: i64) -> TopicOffset {
        TopicOffset {
            topic: "t".to_owned(),
            partition,
            offset,
        }
    }

    #[test]
    fn the_last_seek_of_a_partition_wins_and_requests_are_taken_once() {
        let handle = SinkContextHandle::new(None);
        handle.seek(vec![offset(0, 1), offset(1, 2)]);
        handle.seek(vec![offset(0, 9)]);
        assert_eq!(handle.take_requests().seeks, [offset(1, 2), offset(0, 9)]);
        assert_eq!(handle.take_requests(), SinkRequests::default());
    }

    #[test]
    fn pausing_a_partition_that_is_not_assigned_fails_as_in_connect() {
        let handle = SinkContextHandle::new(None);
        handle.set_assignment([partition(0)]);
        let pause = |p| handle.change_flow(FlowChange::Pause(vec![partition(p)]));
        assert!(pause(0).is_ok());
        let error = pause(1).expect_err("1 is not assigned");
        assert!(error.message.contains("may not pause"), "{}", error.message);
        assert_eq!(handle.take_requests().flow.len(), 1);
    }
}
