//! Reading side of a compacted log
//!
//! One task a leader fetches its partitions; any trouble (leader moved, connection lost) ends the round, and after a short wait the
//! next one starts from fresh metadata. A position moves only after the handler has seen the record.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use weir_protocol::error::ProtocolError;
use weir_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use weir_protocol::messages::fetch_response::PartitionData;
use weir_protocol::messages::{FetchRequest, StrBytes};
use weir_protocol::records::batch::{BatchIter, BatchView};
use weir_protocol::records::compression::{Codec, decompress_into, decompression_cap};
use weir_protocol::records::control::{self, ControlRecord, Marker};
use weir_protocol::records::record::RecordWalker;

use crate::admin::{Isolation, OffsetSpec, list_offsets};
use crate::cluster::{Backoff, Cluster, TopicInfo};
use crate::compacted_log::{LogRecord, RecordHandler};
use crate::error::{ClientError, KafkaError};
use crate::topic_partition::TopicPartition;
use crate::wire::{Versions, WireSettings};

/// Fetch: 13 and up name topics by id.
const FETCH: Versions = Versions { min: 4, max: 12 };
const MAX_WAIT: Duration = Duration::from_millis(500);
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;

/// What the tasks of one log share.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) topic: Arc<str>,
    pub(super) settings: WireSettings,
    pub(super) isolation: Isolation,
    /// Next offset by partition. A partition has one task at a time, so nobody else moves it.
    pub(super) positions: Arc<watch::Sender<Vec<i64>>>,
    pub(super) handler: Arc<Mutex<RecordHandler>>,
}

impl Reader {
    /// Follows for ever; ended by aborting the task.
    pub(super) async fn run(self, topic: TopicInfo) {
        let mut cluster = Cluster::new(self.settings.clone());
        let mut known = Some(topic);
        loop {
            let mut backoff = Backoff::new(Duration::from_millis(20), &self.settings, Duration::MAX);
            let topic = loop {
                match known.take() {
                    Some(topic) => break topic,
                    None => known = self.look_up(&mut cluster).await,
                }
                if known.is_none() {
                    backoff.wait().await;
                }
            };
            let error = self.follow(&topic).await;
            tracing::debug!(topic = &*self.topic, %error, "following starts again");
            // Between two rounds: a leader that keeps refusing is not asked without end.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn look_up(&self, cluster: &mut Cluster) -> Option<TopicInfo> {
        match cluster.topics(Some(&[&self.topic])).await {
            Ok(found) => found.into_iter().next(),
            Err(error) => {
                tracing::warn!(topic = &*self.topic, %error, "metadata not available");
                None
            }
        }
    }

    /// Fetches from all leaders until one of them fails.
    async fn follow(&self, topic: &TopicInfo) -> ClientError {
        let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in &topic.partitions {
            match partition.leader {
                Some(leader) => by_leader.entry(leader).or_default().push(partition.partition),
                None => {
                    return ClientError::kafka(format!("topic {}", self.topic), KafkaError::LEADER_NOT_AVAILABLE);
                }
            }
        }
        let mut leaders = JoinSet::new();
        for (leader, partitions) in by_leader {
            leaders.spawn(self.clone().follow_leader(leader, partitions));
        }
        // Dropping the set aborts the others; their positions stand where the handler stopped.
        match leaders.join_next().await {
            Some(Ok(error)) => error,
            Some(Err(_)) | None => ClientError::Closed,
        }
    }

    async fn follow_leader(self, leader: i32, partitions: Vec<i32>) -> ClientError {
        let mut cluster = Cluster::new(self.settings.clone());
        // The connection's own metadata: tells where `leader` is.
        if let Err(error) = cluster.topics(Some(&[&self.topic])).await {
            return error;
        }
        loop {
            if let Err(error) = self.fetch(&mut cluster, leader, &partitions).await {
                return error;
            }
        }
    }

    async fn fetch(&self, cluster: &mut Cluster, leader: i32, partitions: &[i32]) -> Result<(), ClientError> {
        let request = self.request(partitions);
        let response = cluster.call_node(leader, &request, FETCH, MAX_WAIT).await?;
        if let Some(error) = KafkaError::from_code(response.error_code) {
            return Err(ClientError::kafka(format!("fetch of {}", self.topic), error));
        }
        for data in response.responses.iter().flat_map(|topic| &topic.partitions) {
            match KafkaError::from_code(data.error_code) {
                None => self.deliver(data)?,
                Some(KafkaError::OFFSET_OUT_OF_RANGE) => self.restart(cluster, data.partition_index).await?,
                Some(error) => {
                    return Err(ClientError::kafka(
                        format!("fetch of {}-{}", self.topic, data.partition_index),
                        error,
                    ));
                }
            }
        }
        Ok(())
    }

    fn request(&self, partitions: &[i32]) -> FetchRequest {
        let positions = self.positions.borrow();
        let mut topic = FetchTopic::default();
        topic.topic = StrBytes::from(&*self.topic);
        for partition in partitions {
            let mut entry = FetchPartition::default();
            entry.partition = *partition;
            entry.current_leader_epoch = -1;
            entry.last_fetched_epoch = -1;
            entry.log_start_offset = -1;
            entry.fetch_offset = usize::try_from(*partition)
                .ok()
                .and_then(|index| positions.get(index))
                .copied()
                .unwrap_or(0);
            entry.partition_max_bytes = PARTITION_BYTES;
            topic.partitions.push(entry);
        }
        let mut request = FetchRequest::default();
        request.replica_id = -1;
        request.max_wait_ms = MAX_WAIT.as_millis() as i32;
        request.min_bytes = 1;
        request.max_bytes = FETCH_BYTES;
        request.isolation_level = self.isolation.level();
        request.session_epoch = -1;
        request.topics = vec![topic];
        request
    }

    // The log begins later than we stand (records were deleted), or was made anew: read from its beginning, as Apache does.
    async fn restart(&self, cluster: &mut Cluster, partition: i32) -> Result<(), ClientError> {
        let topics = cluster.topics(Some(&[&self.topic])).await?;
        let asked = [TopicPartition::new(&*self.topic, partition)];
        let offsets = list_offsets(cluster, &topics, &asked, OffsetSpec::Earliest, self.isolation).await?;
        let earliest = offsets.first().copied().flatten().unwrap_or(0);
        tracing::warn!(
            topic = &*self.topic,
            partition,
            offset = earliest,
            "offset out of range, reading from the beginning"
        );
        self.move_to(partition, earliest);
        Ok(())
    }

    fn move_to(&self, partition: i32, next: i64) {
        self.positions.send_if_modified(|positions| {
            let slot = usize::try_from(partition)
                .ok()
                .and_then(|index| positions.get_mut(index));
            slot.is_some_and(|position| std::mem::replace(position, next) != next)
        });
    }

    fn position(&self, partition: i32) -> i64 {
        usize::try_from(partition)
            .ok()
            .and_then(|index| self.positions.borrow().get(index).copied())
            .unwrap_or(0)
    }

    fn deliver(&self, data: &PartitionData) -> Result<(), ClientError> {
        let Some(records) = data.records.as_ref().filter(|records| !records.is_empty()) else {
            return Ok(());
        };
        let partition = data.partition_index;
        let mut aborted = AbortedRanges::new(self.isolation, data);
        let mut block = Vec::new();
        let start = self.position(partition);
        let mut next = start;
        for batch in BatchIter::new(records) {
            let batch = match batch {
                Ok(batch) => batch,
                // The broker cuts the last batch at the byte limit; it comes whole with the next fetch.
                Err(_) if next > start => break,
                Err(error) => return Err(corrupt(&self.topic, partition, &error)),
            };
            batch
                .check_crc()
                .map_err(|error| corrupt(&self.topic, partition, &error))?;
            if !aborted.hides(&batch) {
                self.hand_over(&batch, partition, start, &mut block)
                    .map_err(|error| corrupt(&self.topic, partition, &error))?;
            }
            next = batch.header.next_offset();
        }
        self.move_to(partition, next);
        Ok(())
    }

    fn hand_over(
        &self,
        batch: &BatchView<'_>,
        partition: i32,
        start: i64,
        block: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        if batch.header.attributes.is_control() {
            return Ok(());
        }
        let codec = batch.header.attributes.codec()?;
        let records = if codec == Codec::None {
            batch.records()
        } else {
            decompress_into(codec, batch.records(), decompression_cap(batch.records().len()), block)?;
            block.as_slice()
        };
        let mut handler = self.handler.lock();
        for record in RecordWalker::new(records, batch.header.records_count) {
            let record = record?;
            let offset = batch.header.base_offset.saturating_add(i64::from(record.offset_delta));
            // A batch may begin before the position that was asked for.
            if offset >= start {
                let timestamp = batch.header.base_timestamp.saturating_add(record.timestamp_delta);
                handler(LogRecord {
                    partition,
                    offset,
                    timestamp,
                    key: record.key,
                    value: record.value,
                });
            }
        }
        Ok(())
    }
}

fn corrupt(topic: &str, partition: i32, error: &ProtocolError) -> ClientError {
    ClientError::Malformed {
        address: format!("{topic}-{partition}"),
        reason: error.to_string(),
    }
}

/// Transactions of one answer that were aborted: their records are not shown to a reader of committed ones.
struct AbortedRanges {
    /// Producer and first offset, by offset; those not begun yet.
    pending: Vec<(i64, i64)>,
    active: HashSet<i64>,
}

impl AbortedRanges {
    fn new(isolation: Isolation, data: &PartitionData) -> Self {
        let mut pending: Vec<(i64, i64)> = match (isolation, &data.aborted_transactions) {
            (Isolation::ReadCommitted, Some(aborted)) => aborted
                .iter()
                .map(|range| (range.first_offset, range.producer_id))
                .collect(),
            _ => Vec::new(),
        };
        pending.sort_unstable_by(|left, right| right.cmp(left));
        Self {
            pending,
            active: HashSet::new(),
        }
    }

    fn hides(&mut self, batch: &BatchView<'_>) -> bool {
        while let Some((_, producer)) = self.pending.pop_if(|(first, _)| *first <= batch.header.last_offset()) {
            self.active.insert(producer);
        }
        let producer = batch.header.producer_id;
        if batch.header.attributes.is_control() {
            if is_abort(batch) {
                self.active.remove(&producer);
            }
            return false;
        }
        batch.header.attributes.is_transactional() && self.active.contains(&producer)
    }
}

fn is_abort(batch: &BatchView<'_>) -> bool {
    let first = RecordWalker::new(batch.records(), batch.header.records_count).next();
    let parsed = first.and_then(|record| control::parse(&record.ok()?).ok());
    matches!(
        parsed,
        Some(ControlRecord::EndTransaction {
            marker: Marker::Abort,
            ..
        })
    )
}
