//! ListOffsets (2) and OffsetForLeaderEpoch (23): offsets by time and by epoch.
//!
//! ListOffsets v1–10: v2 isolation level, v4 leader epochs, v6 flexible, v7 −3 largest timestamp,
//! v8 −4 earliest local, v9 −5 latest tiered. A time is looked up inside the batch, so the answer
//! carries the record's own timestamp. OffsetForLeaderEpoch v2–4 (KIP-320): where an epoch ended.
//! Both may read the log: they run on the blocking pool, except for the two ends.

use std::sync::Arc;

use weir_log::error::LogError;
use weir_log::reader::TimestampedOffset;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::list_offsets_request::ListOffsetsPartition;
use weir_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use weir_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use weir_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use crate::context::{RequestCx, Shared};
use crate::partition::PartitionHandle;
use crate::wire::wire;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// A replica id that reads past the high watermark, for debugging.
const DEBUG_REPLICA: i32 = -2;
const READ_COMMITTED: i8 = 1;

/// Where a log ends for who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    All,
    Durable,
    Committed,
}

pub(crate) async fn list_offsets(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let needs_reading = request
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .any(|wanted| !matches!(wanted.timestamp, LATEST | EARLIEST | EARLIEST_LOCAL));
    if !needs_reading {
        return list(&shared, cx.version, &request);
    }
    blocking(move || list(&shared, cx.version, &request)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn list(shared: &Shared, version: i16, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let view = match (request.replica_id, request.isolation_level) {
        (DEBUG_REPLICA, _) => View::All,
        (_, READ_COMMITTED) => View::Committed,
        _ => View::Durable,
    };
    let topics = request.topics.iter().map(|topic| {
        let found = shared.partitions.topic(&topic.name);
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition = found.as_ref().and_then(|topic| topic.partition(wanted.partition_index));
            let looked_up = match partition {
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                Some(partition) => look_up(partition, wanted, view),
            };
            answer(wanted.partition_index, version, looked_up)
        });
        wire!(ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: partitions.collect(),
        })
    });
    wire!(ListOffsetsResponse {
        topics: topics.collect()
    })
}

/// An offset found, or Kafka's "there is none".
const NONE: TimestampedOffset = TimestampedOffset {
    offset: -1,
    timestamp: -1,
    leader_epoch: -1,
};

fn look_up(
    partition: &PartitionHandle,
    wanted: &ListOffsetsPartition,
    view: View,
) -> Result<TimestampedOffset, ErrorCode> {
    if let Some(code) = partition.unavailable() {
        return Err(code);
    }
    if let Some(code) = partition.check_leader_epoch(wanted.current_leader_epoch) {
        return Err(code);
    }
    let end = match view {
        View::All => partition.log_end_offset(),
        View::Durable => partition.high_watermark(),
        View::Committed => partition.last_stable_offset(),
    };
    let at = |offset: i64, leader_epoch: i32| TimestampedOffset {
        offset,
        timestamp: -1,
        leader_epoch,
    };
    match wanted.timestamp {
        LATEST => Ok(at(end, partition.leader_epoch())),
        EARLIEST | EARLIEST_LOCAL => {
            let start = partition.log_start_offset();
            Ok(at(start, partition.epoch_of(start)))
        }
        MAX_TIMESTAMP => searched(partition, |reader| reader.max_timestamp(end)),
        LATEST_TIERED => Ok(NONE),
        time if time < 0 => Err(ErrorCode::UNSUPPORTED_VERSION),
        time => searched(partition, |reader| reader.offset_for_timestamp(time, end)),
    }
}

fn searched(
    partition: &PartitionHandle,
    search: impl FnOnce(&weir_log::reader::LogReader) -> Result<Option<TimestampedOffset>, LogError>,
) -> Result<TimestampedOffset, ErrorCode> {
    let Some(reader) = partition.reader() else {
        return Ok(NONE);
    };
    match search(&reader) {
        Ok(found) => Ok(found.unwrap_or(NONE)),
        Err(error) => {
            tracing::error!(
                topic = &*partition.topic,
                partition = partition.index,
                error = &error as &dyn std::error::Error,
                "log cannot be searched"
            );
            Err(error.code())
        }
    }
}

fn answer(index: i32, version: i16, looked_up: Result<TimestampedOffset, ErrorCode>) -> ListOffsetsPartitionResponse {
    let (code, found) = match looked_up {
        Ok(found) => (ErrorCode::NONE, found),
        Err(code) => (code, NONE),
    };
    let mut response = wire!(ListOffsetsPartitionResponse {
        partition_index: index,
        error_code: code.0,
        timestamp: found.timestamp,
        offset: found.offset,
    });
    if version >= 4 {
        response.leader_epoch = found.leader_epoch;
    }
    response
}

pub(crate) async fn offset_for_leader_epoch(
    shared: Arc<Shared>,
    _: RequestCx,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    blocking(move || {
        let topics = request.topics.iter().map(|topic| {
            let found = shared.partitions.topic(&topic.topic);
            let partitions = topic.partitions.iter().map(|wanted| {
                let index = wanted.partition;
                let partition = found.as_ref().and_then(|topic| topic.partition(index));
                let refused = |code: ErrorCode| {
                    wire!(EpochEndOffset {
                        partition: index,
                        error_code: code.0
                    })
                };
                let Some(partition) = partition else {
                    return refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                };
                let refusal = partition
                    .unavailable()
                    .or_else(|| partition.check_leader_epoch(wanted.current_leader_epoch));
                if let Some(code) = refusal {
                    return refused(code);
                }
                let (epoch, end_offset) = partition.end_of_epoch(wanted.leader_epoch);
                wire!(EpochEndOffset {
                    partition: index,
                    leader_epoch: epoch,
                    end_offset: end_offset
                })
            });
            wire!(OffsetForLeaderTopicResult {
                topic: topic.topic.clone(),
                partitions: partitions.collect(),
            })
        });
        wire!(OffsetForLeaderEpochResponse {
            topics: topics.collect()
        })
    })
    .await
}
