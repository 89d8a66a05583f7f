//! Fetch (1): batches out of the log, with a long poll that is woken, never polling.
//!
//! v4–17: v5 log start, v7 sessions (KIP-227: always answered with id 0, so clients send full
//! requests), v9 leader epochs (KIP-320), v11 rack, v12 flexible, v13 topic ids (KIP-516), v15
//! replica state. A fetch is answered when enough bytes are there, a partition has an error, or its
//! time is up; until then it is parked with each of its partitions (`purgatory.rs`).
//! At the tail: no system call and no copy to read; older data: one positioned read, on the
//! blocking pool. Bytes are counted from offsets before anything is read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};
use weir_log::error::LogError;
use weir_log::reader::ReadLimits;
use weir_protocol::decode::decode_request;
use weir_protocol::error::ProtocolError;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::fetch_request::FetchPartition;
use weir_protocol::messages::{FetchRequest, StrBytes, Uuid};

use crate::context::{RequestCx, Shared};
use crate::handlers::fetch_reply::{FetchReply, FetchedPartition, FetchedTopic};
use crate::partition::PartitionHandle;
use crate::purgatory::{ParkedFetch, WaiterList};
use crate::reply::{Outcome, ReplyFuture};

/// First version that names topics by id.
const FIRST_WITH_IDS: i16 = 13;
/// First version with fetch sessions.
const FIRST_WITH_SESSIONS: i16 = 7;
/// Session epochs that ask for no session, or for a new one.
const SESSIONLESS_EPOCHS: [i32; 2] = [-1, 0];

/// A fetch as asked for, resolved against the topics of this moment.
#[derive(Debug)]
struct Fetch {
    topics: Vec<WantedTopic>,
    max_bytes: usize,
    min_bytes: usize,
    deadline: Instant,
    reads_committed: bool,
}

#[derive(Debug)]
struct WantedTopic {
    name: StrBytes,
    id: Uuid,
    partitions: Vec<WantedPartition>,
}

#[derive(Debug)]
struct WantedPartition {
    index: i32,
    offset: i64,
    max_bytes: usize,
    leader_epoch: i32,
    target: Result<Arc<PartitionHandle>, ErrorCode>,
}

/// What a look at the partitions, without reading, tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Answer now; everything to read is in memory.
    ReadyCached,
    /// Answer now; something must come from disk.
    ReadyOnDisk,
    /// Too little so far.
    Wait,
}

pub(crate) fn start(shared: Arc<Shared>, cx: RequestCx, body: Bytes) -> Result<ReplyFuture, ProtocolError> {
    let request = decode_request::<FetchRequest>(body, cx.version)?;
    if cx.version >= FIRST_WITH_SESSIONS && !SESSIONLESS_EPOCHS.contains(&request.session_epoch) {
        // No session is ever handed out, so this one is of an earlier broker.
        let reply = FetchReply::refused(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        let outcome = Outcome::Reply(reply.encode(cx.correlation_id, cx.version));
        return Ok(Box::pin(std::future::ready(outcome)));
    }
    let fetch = resolve(&shared, cx.version, request);
    Ok(Box::pin(run(shared, cx, fetch)))
}

fn resolve(shared: &Shared, version: i16, request: FetchRequest) -> Fetch {
    let topics = shared.partitions.topics();
    let wanted = request.topics.into_iter().map(|topic| {
        let found = if version >= FIRST_WITH_IDS {
            topics.get_by_id(topic.topic_id)
        } else {
            topics.get(&topic.topic)
        };
        let missing = if version >= FIRST_WITH_IDS {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        let partitions = topic.partitions.iter().map(|partition| {
            let target = match found {
                None => Err(missing),
                Some(found) => found
                    .partition(partition.partition)
                    .cloned()
                    .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            };
            wanted_partition(partition, target)
        });
        WantedTopic {
            id: topic.topic_id,
            partitions: partitions.collect(),
            name: topic.topic,
        }
    });
    let max_bytes = unsigned(request.max_bytes).min(shared.config.topics.fetch_max_bytes);
    let wait = Duration::from_millis(unsigned(request.max_wait_ms) as u64);
    Fetch {
        topics: wanted.collect(),
        max_bytes,
        min_bytes: unsigned(request.min_bytes).min(max_bytes),
        deadline: Instant::now() + wait,
        reads_committed: request.isolation_level == 1,
    }
}

fn wanted_partition(partition: &FetchPartition, target: Result<Arc<PartitionHandle>, ErrorCode>) -> WantedPartition {
    WantedPartition {
        index: partition.partition,
        offset: partition.fetch_offset,
        max_bytes: unsigned(partition.partition_max_bytes),
        leader_epoch: partition.current_leader_epoch,
        target,
    }
}

fn unsigned(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

async fn run(shared: Arc<Shared>, cx: RequestCx, fetch: Fetch) -> Outcome {
    let mut look = fetch.look(&shared);
    if look == Look::Wait {
        let parked = ParkedFetch::register(fetch.waiter_lists());
        loop {
            look = fetch.look(&shared);
            if look != Look::Wait {
                break;
            }
            // Cancel safe: a wake that is lost here is made up for by the look above.
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => break,
                () = parked.moved() => {}
                () = sleep_until(fetch.deadline) => break,
            }
        }
    }
    let reply = match look {
        Look::ReadyCached | Look::Wait => fetch.read(),
        Look::ReadyOnDisk => match tokio::task::spawn_blocking(move || fetch.read()).await {
            Ok(reply) => reply,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        },
    };
    Outcome::Reply(reply.encode(cx.correlation_id, cx.version))
}

impl Fetch {
    fn partitions(&self) -> impl Iterator<Item = &WantedPartition> {
        self.topics.iter().flat_map(|topic| &topic.partitions)
    }

    fn waiter_lists(&self) -> Vec<Arc<WaiterList>> {
        let targets = self.partitions().filter_map(|wanted| wanted.target.as_ref().ok());
        targets.map(|partition| Arc::clone(partition.waiters())).collect()
    }

    /// How far this fetch may read.
    fn visible_end(&self, partition: &PartitionHandle) -> i64 {
        match self.reads_committed {
            true => partition.last_stable_offset(),
            false => partition.high_watermark(),
        }
    }

    /// Whether to answer now, judged from offsets alone.
    fn look(&self, shared: &Shared) -> Look {
        let mut available = 0usize;
        let mut is_cached = true;
        let mut must_answer = self.min_bytes == 0;
        for wanted in self.partitions() {
            let Ok(partition) = &wanted.target else {
                must_answer = true;
                continue;
            };
            let visible_end = self.visible_end(partition);
            if wanted.refusal(partition).is_some() {
                must_answer = true;
            } else if wanted.offset < visible_end {
                match partition.tail_bytes_between(wanted.offset, visible_end) {
                    Some(bytes) => available = available.saturating_add(bytes.min(wanted.max_bytes.max(1))),
                    None => {
                        is_cached = false;
                        must_answer = true;
                    }
                }
            } else if partition.high_watermark() < partition.log_end_offset() {
                // Written but not synced, and now there is someone who waits for it.
                shared.partitions.flush_soon(partition);
            }
        }
        match (must_answer || available >= self.min_bytes, is_cached) {
            (true, true) => Look::ReadyCached,
            (true, false) => Look::ReadyOnDisk,
            (false, _) => Look::Wait,
        }
    }

    /// Reads what is there now, whole batches, within the bounds.
    fn read(&self) -> FetchReply {
        let mut left = self.max_bytes;
        let mut is_first = true;
        let mut reply = FetchReply::default();
        for topic in &self.topics {
            let mut fetched = FetchedTopic {
                name: topic.name.clone(),
                id: topic.id,
                partitions: Vec::new(),
            };
            for wanted in &topic.partitions {
                let limits = Limits {
                    max_bytes: wanted.max_bytes.min(left),
                    at_least_one: is_first,
                    reads_committed: self.reads_committed,
                };
                let partition = wanted.read(limits);
                let bytes = partition.bytes();
                left = left.saturating_sub(bytes);
                is_first &= bytes == 0;
                fetched.partitions.push(partition);
            }
            reply.topics.push(fetched);
        }
        reply
    }
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    max_bytes: usize,
    at_least_one: bool,
    reads_committed: bool,
}

impl WantedPartition {
    /// Why this partition cannot be read at this offset and epoch.
    fn refusal(&self, partition: &PartitionHandle) -> Option<ErrorCode> {
        if let Some(code) = partition.unavailable() {
            return Some(code);
        }
        if let Some(code) = partition.check_leader_epoch(self.leader_epoch) {
            return Some(code);
        }
        let is_inside = self.offset >= partition.log_start_offset() && self.offset <= partition.log_end_offset();
        (!is_inside).then_some(ErrorCode::OFFSET_OUT_OF_RANGE)
    }

    fn read(&self, limits: Limits) -> FetchedPartition {
        let partition = match &self.target {
            Ok(partition) => partition,
            Err(code) => return FetchedPartition::refused(self.index, *code),
        };
        if let Some(code) = self.refusal(partition) {
            return FetchedPartition::refused(self.index, code);
        }
        let high_watermark = partition.high_watermark();
        let reader = partition.reader();
        let last_stable_offset = reader
            .as_ref()
            .map_or(0, |reader| reader.last_stable_offset(high_watermark));
        let limits_of_log = ReadLimits {
            end_offset: match limits.reads_committed {
                true => last_stable_offset,
                false => high_watermark,
            },
            max_bytes: limits.max_bytes,
            at_least_one: limits.at_least_one,
        };
        let mut aborted = limits.reads_committed.then(Vec::new);
        let records = match reader.as_ref().map(|reader| reader.read(self.offset, limits_of_log)) {
            None => Vec::new(),
            Some(Ok(read)) => {
                if let (Some(aborted), Some(reader)) = (&mut aborted, &reader) {
                    let entries = reader.aborted_between(self.offset, read.next_offset);
                    aborted.extend(entries.iter().map(|entry| (entry.producer_id, entry.first_offset)));
                }
                read.pieces
            }
            Some(Err(error)) => {
                if !matches!(error, LogError::OffsetOutOfRange { .. }) {
                    tracing::error!(
                        topic = &*partition.topic,
                        partition = self.index,
                        error = &error as &dyn std::error::Error,
                        "log cannot be read"
                    );
                }
                return FetchedPartition::refused(self.index, error.code());
            }
        };
        FetchedPartition {
            index: self.index,
            code: ErrorCode::NONE,
            high_watermark,
            last_stable_offset,
            log_start_offset: partition.log_start_offset(),
            aborted,
            records,
        }
    }
}
