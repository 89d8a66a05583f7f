//! Writing side of a compacted log
//!
//! One task takes writes in order, joins those that wait into one batch a partition, and tries until each is on all in-sync replicas
//! or its time is over. One request is under way at a time, so a retry never overtakes a later write. A retry after a lost answer may
//! write a record twice: the topic is compacted and its readers keep the last, so nothing changes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weir_metrics::clock::Clock;
use weir_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use weir_protocol::messages::{ProduceRequest, ProduceResponse, StrBytes};
use weir_protocol::records::builder::{BatchBuilder, BatchSettings};

use crate::cluster::{Backoff, Cluster, TopicInfo};
use crate::compacted_log::KeyValue;
use crate::error::{ClientError, KafkaError};
use crate::partitioner::partition_for_key;
use crate::wire::{Versions, WireSettings, timed_out};

/// Writes that may wait; a further sender waits for room.
pub(super) const INBOX_WRITES: usize = 256;
/// Produce: 13 and up name topics by id.
const PRODUCE: Versions = Versions { min: 3, max: 12 };
/// A batch of ours stays well below the broker's 1 MiB; one larger record goes alone.
const BATCH_BYTES: usize = 512 * 1024;
const ACKS_ALL: i16 = -1;
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Records of one `send` call.
pub(super) struct Write {
    pub(super) records: Vec<KeyValue>,
    pub(super) timeout: Duration,
    pub(super) done: oneshot::Sender<Result<Vec<i64>, ClientError>>,
}

/// A record on its way, and the write it belongs to.
struct Pending {
    write: usize,
    /// Its place in the write.
    index: usize,
    partition: i32,
    record: KeyValue,
}

/// A write being worked on.
struct Waiting {
    left: usize,
    /// Offset of each record, once acknowledged.
    offsets: Vec<i64>,
    deadline: Instant,
    timeout: Duration,
    done: Option<oneshot::Sender<Result<Vec<i64>, ClientError>>>,
}

impl Waiting {
    fn acknowledge(&mut self, index: usize, offset: i64) {
        self.left = self.left.saturating_sub(1);
        if let Some(slot) = self.offsets.get_mut(index) {
            *slot = offset;
        }
        if self.left == 0 {
            let offsets = std::mem::take(&mut self.offsets);
            self.finish(Ok(offsets));
        }
    }

    fn finish(&mut self, outcome: Result<Vec<i64>, ClientError>) {
        if let Some(done) = self.done.take() {
            // The caller may have stopped waiting.
            let _gone = done.send(outcome);
        }
    }
}

/// The writing task's state.
pub(super) struct Writer {
    cluster: Cluster,
    topic: TopicInfo,
    /// Is true when leaders must be asked for before the next request.
    is_stale: bool,
    inbox: mpsc::Receiver<Write>,
    clock: Clock,
}

impl Writer {
    pub(super) fn new(topic: &TopicInfo, settings: WireSettings, inbox: mpsc::Receiver<Write>) -> Self {
        Self {
            cluster: Cluster::new(settings),
            topic: topic.clone(),
            is_stale: true,
            inbox,
            clock: Clock::System,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(first) = self.inbox.recv().await {
            let mut writes = vec![first];
            while let Ok(next) = self.inbox.try_recv() {
                writes.push(next);
                if writes.len() >= INBOX_WRITES {
                    break;
                }
            }
            self.write_all(writes).await;
        }
    }

    async fn write_all(&mut self, writes: Vec<Write>) {
        let partitions = i32::try_from(self.topic.partitions.len()).unwrap_or(i32::MAX);
        let mut waiting = Vec::new();
        let mut pending = Vec::new();
        for (index, write) in writes.into_iter().enumerate() {
            let mut entry = Waiting {
                left: write.records.len(),
                offsets: vec![-1; write.records.len()],
                deadline: Instant::now() + write.timeout.min(FOR_EVER),
                timeout: write.timeout,
                done: Some(write.done),
            };
            if entry.left == 0 {
                entry.finish(Ok(Vec::new()));
            }
            waiting.push(entry);
            pending.extend(write.records.into_iter().enumerate().map(|(place, record)| Pending {
                write: index,
                index: place,
                partition: partition_for_key(&record.key, partitions),
                record,
            }));
        }
        let mut backoff = Backoff::new(self.cluster.settings().retry_backoff, self.cluster.settings(), FOR_EVER);
        loop {
            let last = self.attempt(&mut pending, &mut waiting).await;
            // Records of a write that failed or whose time is over are not tried again.
            for entry in waiting.iter_mut().filter(|entry| entry.deadline <= Instant::now()) {
                let expired = timed_out(
                    format!("writing to {}{}", self.topic.name, cause(last.as_ref())),
                    entry.timeout,
                );
                entry.finish(Err(expired));
            }
            pending.retain(|record| waiting.get(record.write).is_some_and(|entry| entry.done.is_some()));
            if pending.is_empty() {
                return;
            }
            backoff.wait().await;
        }
    }

    /// Sends what is pending once; what was acknowledged or refused for good leaves `pending`. Answers the last retriable error.
    async fn attempt(&mut self, pending: &mut Vec<Pending>, waiting: &mut [Waiting]) -> Option<ClientError> {
        if self.is_stale
            && let Err(error) = self.refresh().await
        {
            return Some(error);
        }
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        let mut last = None;
        for partition in first_batches(pending) {
            match self
                .topic
                .partitions
                .iter()
                .find(|info| info.partition == partition)
                .and_then(|info| info.leader)
            {
                Some(leader) => by_leader.entry(leader).or_default().push(partition),
                None => {
                    self.is_stale = true;
                    last = Some(ClientError::kafka(
                        format!("{}-{partition}", self.topic.name),
                        KafkaError::LEADER_NOT_AVAILABLE,
                    ));
                }
            }
        }
        for (leader, partitions) in by_leader {
            if let Some(error) = self.send_to(leader, &partitions, pending, waiting).await {
                self.is_stale = true;
                last = Some(error);
            }
        }
        if last.is_none() && !pending.is_empty() {
            // More than one batch for a partition: go on at once.
            return Box::pin(self.attempt(pending, waiting)).await;
        }
        last
    }

    async fn refresh(&mut self) -> Result<(), ClientError> {
        let found = self.cluster.topics(Some(&[&self.topic.name])).await?;
        let found = found.into_iter().next();
        self.topic =
            found.ok_or_else(|| ClientError::kafka(self.topic.name.clone(), KafkaError::UNKNOWN_TOPIC_OR_PARTITION))?;
        self.is_stale = false;
        Ok(())
    }

    async fn send_to(
        &mut self,
        leader: i32,
        partitions: &[i32],
        pending: &mut Vec<Pending>,
        waiting: &mut [Waiting],
    ) -> Option<ClientError> {
        let mut topic = TopicProduceData::default();
        topic.name = StrBytes::from(self.topic.name.as_str());
        let now_ms = self.clock.now_ms();
        let mut sent = BTreeMap::new();
        for partition in partitions {
            let count = batch_len(pending, *partition);
            let mut data = PartitionProduceData::default();
            data.index = *partition;
            data.records = Some(build_batch(pending, *partition, count, now_ms));
            topic.partition_data.push(data);
            sent.insert(*partition, count);
        }
        let mut request = ProduceRequest::default();
        request.acks = ACKS_ALL;
        request.timeout_ms = i32::try_from(self.cluster.settings().request_timeout.as_millis()).unwrap_or(i32::MAX);
        request.topic_data = vec![topic];
        match self.cluster.call_node(leader, &request, PRODUCE, Duration::ZERO).await {
            Ok(response) => self.settle(&response, &sent, pending, waiting),
            Err(error) if error.is_retriable() => Some(error),
            Err(error) => {
                for (partition, count) in sent {
                    finish_batch(pending, waiting, partition, count, Err(&error));
                }
                None
            }
        }
    }

    fn settle(
        &self,
        response: &ProduceResponse,
        sent: &BTreeMap<i32, usize>,
        pending: &mut Vec<Pending>,
        waiting: &mut [Waiting],
    ) -> Option<ClientError> {
        let mut last = None;
        for answer in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            let Some(count) = sent.get(&answer.index).copied() else {
                continue;
            };
            let failure = KafkaError::from_code(answer.error_code).map(|error| match &answer.error_message {
                Some(message) => ClientError::Broker {
                    error,
                    message: message.as_str().to_owned(),
                },
                None => ClientError::kafka(format!("writing to {}-{}", self.topic.name, answer.index), error),
            });
            match failure {
                Some(error) if error.is_retriable() => last = Some(error),
                failure => {
                    let outcome = failure.as_ref().map_or(Ok(answer.base_offset), Err);
                    finish_batch(pending, waiting, answer.index, count, outcome);
                }
            }
        }
        last
    }
}

fn cause(last: Option<&ClientError>) -> String {
    last.map(|error| format!(": {error}")).unwrap_or_default()
}

/// The partitions that have something pending, each once.
fn first_batches(pending: &[Pending]) -> Vec<i32> {
    let mut partitions: Vec<i32> = pending.iter().map(|record| record.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    partitions
}

/// How many of a partition's first pending records go into one batch.
fn batch_len(pending: &[Pending], partition: i32) -> usize {
    let mut bytes = 0usize;
    let mine = pending.iter().filter(|record| record.partition == partition);
    let fits = mine.take_while(|entry| {
        let is_first = bytes == 0;
        bytes += entry.record.key.len() + entry.record.value.as_ref().map_or(0, Vec::len) + 32;
        is_first || bytes <= BATCH_BYTES
    });
    fits.count()
}

fn build_batch(pending: &[Pending], partition: i32, count: usize, now_ms: i64) -> Bytes {
    let mut builder = BatchBuilder::new(BatchSettings::default());
    for entry in pending.iter().filter(|entry| entry.partition == partition).take(count) {
        builder.append(now_ms, Some(&entry.record.key), entry.record.value.as_deref(), &[]);
    }
    // Building fails only beyond 2 GiB; an empty batch is then refused by the broker as malformed.
    builder.build().map(Bytes::from).unwrap_or_default()
}

/// Takes a partition's first `count` records out of `pending` and tells their writes: base offset, or why not.
fn finish_batch(
    pending: &mut Vec<Pending>,
    waiting: &mut [Waiting],
    partition: i32,
    count: usize,
    outcome: Result<i64, &ClientError>,
) {
    let mut taken = 0usize;
    pending.retain(|entry| {
        if entry.partition != partition || taken == count {
            return true;
        }
        if let Some(write) = waiting.get_mut(entry.write) {
            match outcome {
                Ok(base_offset) => write.acknowledge(entry.index, base_offset + taken as i64),
                Err(error) => write.finish(Err(error.clone())),
            }
        }
        taken += 1;
        false
    });
}
