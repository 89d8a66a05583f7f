//! InitProducerId (22): ids for producers. DescribeProducers (61): who writes to a partition.
//!
//! InitProducerId v0–5: v2 flexible, v3 carries the producer's own id and epoch (KIP-360), v4 knows
//! PRODUCER_FENCED. Without a transactional id the answer is always a fresh id in epoch 0; with one
//! it is the transaction coordinator's. DescribeProducers v0 (KIP-664).

use std::sync::Arc;

use weir_coordinator::transaction::request::{InitRequest, Producer};
use weir_log::partition::Partition;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use weir_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, InitProducerIdRequest, InitProducerIdResponse, StrBytes,
};

use crate::context::{RequestCx, Shared};
use crate::wire::wire;

pub(crate) async fn init_producer_id(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| {
        wire!(InitProducerIdResponse {
            error_code: code.0,
            producer_id: -1,
            producer_epoch: -1
        })
    };
    let Some(transactional_id) = request.transactional_id else {
        return match shared.producer_ids.next().await {
            Ok(id) => wire!(InitProducerIdResponse {
                producer_id: id,
                producer_epoch: 0
            }),
            Err(error) => refused(error.code),
        };
    };
    let expected = match (request.producer_id, request.producer_epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return refused(ErrorCode::INVALID_REQUEST),
        (id, epoch) => Some(Producer { id, epoch }),
    };
    let init = InitRequest {
        transactional_id: transactional_id.into_string(),
        timeout_ms: request.transaction_timeout_ms,
        expected,
        fresh_id: None,
    };
    match shared.transactions.init(init).await {
        Ok(producer) => wire!(InitProducerIdResponse {
            producer_id: producer.id,
            producer_epoch: producer.epoch
        }),
        Err(ErrorCode::PRODUCER_FENCED) if cx.version < 4 => refused(ErrorCode::INVALID_PRODUCER_EPOCH),
        Err(code) => refused(code),
    }
}

pub(crate) async fn describe_producers(
    shared: Arc<Shared>,
    _: RequestCx,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let found = shared.partitions.topic(&topic.name);
        let partitions = topic.partition_indexes.iter().map(|index| {
            let Some(partition) = found.as_ref().and_then(|topic| topic.partition(*index)) else {
                return wire!(PartitionResponse {
                    partition_index: *index,
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
                    error_message: Some(StrBytes::from("This server does not host this topic-partition.")),
                });
            };
            if let Some(code) = partition.unavailable() {
                return wire!(PartitionResponse {
                    partition_index: *index,
                    error_code: code.0
                });
            }
            let producers = partition.with_log(|log| Ok(active_producers(log)));
            wire!(PartitionResponse {
                partition_index: *index,
                // Nothing was written yet where there is no log.
                active_producers: producers.unwrap_or_default(),
            })
        });
        wire!(TopicResponse {
            partitions: partitions.collect(),
            name: topic.name
        })
    });
    wire!(DescribeProducersResponse {
        topics: topics.collect()
    })
}

fn active_producers(log: &Partition) -> Vec<ProducerState> {
    let mut producers: Vec<ProducerState> = log
        .producers()
        .iter()
        .map(|(id, entry)| {
            wire!(ProducerState {
                producer_id: id,
                producer_epoch: i32::from(entry.epoch),
                last_sequence: entry.batches().last().map_or(-1, |batch| batch.last_sequence),
                last_timestamp: entry.last_timestamp,
                coordinator_epoch: entry.coordinator_epoch,
                current_txn_start_offset: entry.transaction_first_offset.unwrap_or(-1),
            })
        })
        .collect();
    producers.sort_by_key(|producer| producer.producer_id);
    producers
}
