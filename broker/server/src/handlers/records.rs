//! DeleteRecords (21): the start of a log, moved by a client.
//!
//! v0–2. −1 stands for the high watermark; beyond it is out of range. Only topics whose policy
//! deletes allow it. The new start is durable before the answer; segments below it go later.

use std::sync::Arc;

use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use weir_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::context::{RequestCx, Shared};
use crate::partitions::Topic;
use crate::wire::wire;

pub(crate) async fn delete_records(
    shared: Arc<Shared>,
    _: RequestCx,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    shared
        .cluster
        .change({
            let shared = Arc::clone(&shared);
            move |_| {
                let topics = request.topics.iter().map(|topic| {
                    let found = shared.partitions.topic(&topic.name);
                    let partitions = topic.partitions.iter().map(|wanted| {
                        let (index, offset) = (wanted.partition_index, wanted.offset);
                        let (code, low_watermark) = match delete(found.as_deref(), index, offset) {
                            Ok(low_watermark) => (ErrorCode::NONE, low_watermark),
                            Err(code) => (code, -1),
                        };
                        wire!(DeleteRecordsPartitionResult {
                            partition_index: index,
                            low_watermark: low_watermark,
                            error_code: code.0,
                        })
                    });
                    wire!(DeleteRecordsTopicResult {
                        name: topic.name.clone(),
                        partitions: partitions.collect(),
                    })
                });
                wire!(DeleteRecordsResponse {
                    topics: topics.collect()
                })
            }
        })
        .await
}

/// Answers the low watermark afterwards.
fn delete(topic: Option<&Topic>, index: i32, offset: i64) -> Result<i64, ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if topic.is_internal() {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let partition = topic.partition(index).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if !topic.config.deletes {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let high_watermark = partition.high_watermark();
    let before = match offset {
        -1 => high_watermark,
        offset if (0..=high_watermark).contains(&offset) => offset,
        _ => return Err(ErrorCode::OFFSET_OUT_OF_RANGE),
    };
    partition.delete_records(before)
}
