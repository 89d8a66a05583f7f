//! Consumer: messages in batches, rebalances as values.
//!
//! No thread of ours: [`Consumer::next`] waits for librdkafka's queue to fill and takes what is there. The rebalance callback only
//! queues a [`ConsumerEvent`]; the owner pre-commits, closes and then calls `assign` or `unassign` itself. Partitions keep delivering
//! until then, so the owner drops what comes for revoked ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::client_config::Translated;
use crate::error::{ClientError, KafkaError};
use crate::native::consume;
use crate::native::handle::{ClientKind, Handle, Rebalance};
use crate::native::list::List;
use crate::producer::drop_blocking;
use crate::topic_partition::TopicPartition;

pub use crate::native::consume::{Headers, MessageBatch, MessageView, TimestampType};

/// A change the group wants; it takes effect when the owner calls `assign` or `unassign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerEvent {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    /// Revoked after the group already gave the partitions away: nothing can be committed.
    Lost(Vec<TopicPartition>),
    /// The group could not be balanced; the consumer tries again.
    Failed(KafkaError),
}

/// What one wait brought.
#[derive(Debug)]
pub enum Polled {
    Messages(MessageBatch),
    /// In the order they happened; handled before further messages.
    Events(Vec<ConsumerEvent>),
    Nothing,
}

/// Reads records, in a group or by hand; cheap to clone, one librdkafka client behind all clones.
#[derive(Debug, Clone)]
pub struct Consumer {
    handle: Arc<Handle>,
}

impl Consumer {
    /// Creates a consumer. Connects in the background.
    ///
    /// *Errors*: a setting librdkafka refuses.
    pub fn new(settings: &Translated) -> Result<Self, ClientError> {
        Ok(Self {
            handle: Handle::create(ClientKind::Consumer, settings)?,
        })
    }

    /// Replaces the subscription.
    pub async fn subscribe(&self, topics: &[String]) -> Result<(), ClientError> {
        let topics = topics.to_vec();
        self.blocking(move |handle| consume::subscribe(handle, &topics)).await
    }

    /// Takes what is waiting, at most `max` messages; never blocks. Events come out of [`Consumer::take_events`].
    pub fn poll_batch(&self, max: usize) -> MessageBatch {
        MessageBatch::poll(&self.handle, max)
    }

    /// Takes the assignment changes that wait.
    pub fn take_events(&self) -> Vec<ConsumerEvent> {
        let mut waiting = self.handle.signals().rebalances.lock();
        waiting
            .drain(..)
            .map(|rebalance| match rebalance {
                Rebalance::Assign(partitions) => ConsumerEvent::Assigned(partitions),
                Rebalance::Revoke {
                    partitions,
                    is_lost: false,
                } => ConsumerEvent::Revoked(partitions),
                Rebalance::Revoke {
                    partitions,
                    is_lost: true,
                } => ConsumerEvent::Lost(partitions),
                Rebalance::Failed(error) => ConsumerEvent::Failed(error),
            })
            .collect()
    }

    /// Waits for messages or events, at most `timeout`.
    ///
    /// Calling this is what keeps the member in its group: never leave more than `max.poll.interval.ms` between two calls.
    ///
    /// *Cancel safety*: safe; messages are taken only when they are answered.
    pub async fn next(&self, max: usize, timeout: Duration) -> Polled {
        let deadline = Instant::now() + timeout;
        loop {
            let batch = self.poll_batch(max);
            let events = self.take_events();
            if !events.is_empty() && batch.is_empty() && batch.errors.is_empty() {
                return Polled::Events(events);
            }
            if !events.is_empty() {
                // Messages polled together with an event came first: hand them on, keep the event for the next call.
                self.put_back(events);
            }
            if !batch.is_empty() || !batch.errors.is_empty() {
                return Polled::Messages(batch);
            }
            // Polled again at least every few seconds, so that a long quiet wait does not count as a stuck application.
            let wake = deadline.min(Instant::now() + POLL_AT_LEAST_EVERY);
            let _woken = tokio::time::timeout_at(wake, self.handle.signals().queue.notified()).await;
            if Instant::now() >= deadline {
                let batch = self.poll_batch(max);
                let is_quiet = batch.is_empty() && batch.errors.is_empty();
                if is_quiet && self.handle.signals().rebalances.lock().is_empty() {
                    return Polled::Nothing;
                }
                if !is_quiet {
                    return Polled::Messages(batch);
                }
            }
        }
    }

    fn put_back(&self, events: Vec<ConsumerEvent>) {
        let mut waiting = self.handle.signals().rebalances.lock();
        for event in events.into_iter().rev() {
            waiting.push_front(match event {
                ConsumerEvent::Assigned(partitions) => Rebalance::Assign(partitions),
                ConsumerEvent::Revoked(partitions) => Rebalance::Revoke {
                    partitions,
                    is_lost: false,
                },
                ConsumerEvent::Lost(partitions) => Rebalance::Revoke {
                    partitions,
                    is_lost: true,
                },
                ConsumerEvent::Failed(error) => Rebalance::Failed(error),
            });
        }
    }

    /// Adds partitions the group assigned; an offset of `None` starts at the committed one, else where `auto.offset.reset` says.
    pub async fn assign(&self, partitions: &[(TopicPartition, Option<i64>)]) -> Result<(), ClientError> {
        let list = List::new(partitions.iter().map(|(partition, offset)| (partition, *offset)))?;
        self.blocking(move |handle| {
            if consume::is_cooperative(handle) {
                consume::incremental_assign(handle, &list)
            } else {
                consume::assign(handle, &list)
            }
        })
        .await
    }

    /// Gives up partitions the group revoked (all of them when the group is eager).
    pub async fn unassign(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let list = list_of(partitions)?;
        self.blocking(move |handle| {
            if consume::is_cooperative(handle) {
                consume::incremental_unassign(handle, &list)
            } else {
                consume::unassign(handle)
            }
        })
        .await
    }

    /// The partitions this consumer reads now.
    pub async fn assignment(&self) -> Result<Vec<TopicPartition>, ClientError> {
        self.blocking(|handle| {
            Ok(consume::assignment(handle)?
                .read()
                .into_iter()
                .map(|(partition, _)| partition)
                .collect())
        })
        .await
    }

    /// Commits next-to-read offsets and waits for the answer. Also fit to run beside the loop, as its own task.
    ///
    /// *Errors*: any partition's failure fails the call.
    pub async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        let list = offsets_of(offsets)?;
        self.blocking(move |handle| consume::commit(handle, &list)).await
    }

    /// Committed offsets, in the order asked; `None` where nothing was committed.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Option<i64>>, ClientError> {
        let list = list_of(partitions)?;
        self.blocking(move |handle| {
            consume::committed(handle, &list, timeout)?;
            Ok(list.read().into_iter().map(|(_, offset)| offset).collect())
        })
        .await
    }

    /// Next offsets to be handed out, in the order asked; `None` before the first message of a partition.
    pub async fn position(&self, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, ClientError> {
        let list = list_of(partitions)?;
        self.blocking(move |handle| {
            consume::position(handle, &list)?;
            Ok(list.read().into_iter().map(|(_, offset)| offset).collect())
        })
        .await
    }

    /// Moves assigned partitions; messages already fetched from before are dropped.
    pub async fn seek(&self, offsets: &[(TopicPartition, i64)], timeout: Duration) -> Result<(), ClientError> {
        let list = offsets_of(offsets)?;
        self.blocking(move |handle| consume::seek(handle, &list, timeout)).await
    }

    /// Stops delivery of partitions while staying in the group.
    pub async fn pause(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let list = list_of(partitions)?;
        self.blocking(move |handle| consume::pause(handle, &list)).await
    }

    /// Ends a pause.
    pub async fn resume(&self, partitions: &[TopicPartition]) -> Result<(), ClientError> {
        let list = list_of(partitions)?;
        self.blocking(move |handle| consume::resume(handle, &list)).await
    }

    /// First and next offset of a partition, asked from its leader.
    pub async fn watermarks(&self, partition: &TopicPartition, timeout: Duration) -> Result<(i64, i64), ClientError> {
        let partition = partition.clone();
        self.blocking(move |handle| consume::watermarks(handle, &partition, timeout))
            .await
    }

    /// Partition numbers of a topic; empty when it does not exist.
    pub async fn partitions_of(&self, topic: &str, timeout: Duration) -> Result<Vec<i32>, ClientError> {
        let topic = topic.to_owned();
        self.blocking(move |handle| consume::partitions_of(handle, &topic, timeout))
            .await
    }

    /// The error that ended this consumer for good, if any.
    pub fn fatal_error(&self) -> Option<(KafkaError, String)> {
        self.handle.fatal_error()
    }

    /// Leaves the group and ends the client, on a blocking thread. Batches still held keep it alive.
    pub async fn close(self) {
        drop_blocking(self).await;
    }

    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Handle) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let handle = Arc::clone(&self.handle);
        tokio::task::spawn_blocking(move || call(&handle))
            .await
            .map_err(|_| ClientError::Closed)?
    }
}

const POLL_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

fn list_of(partitions: &[TopicPartition]) -> Result<List, ClientError> {
    List::new(partitions.iter().map(|partition| (partition, None)))
}

fn offsets_of(offsets: &[(TopicPartition, i64)]) -> Result<List, ClientError> {
    List::new(offsets.iter().map(|(partition, offset)| (partition, Some(*offset))))
}
