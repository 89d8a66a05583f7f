//! Transaction APIs: partitions and groups into a transaction, its end, and what there is
//!
//! AddPartitionsToTxn 0–3 (clients' form; v2: PRODUCER_FENCED), AddOffsetsToTxn 0–4 and EndTxn 0–4
//! (v2: PRODUCER_FENCED, v4: TRANSACTION_ABORTABLE), DescribeTransactions 0, ListTransactions 0–1
//! (v1: duration). The later versions are of transaction version 2 (KIP-890), which is not offered.
//! Source: KIP-98, KIP-360, KIP-588, KIP-664, KIP-994.

use std::sync::Arc;

use weir_coordinator::transaction::coordinator::ListedTransaction;
use weir_coordinator::transaction::request::{EndRequest, Producer, Verdict};
use weir_coordinator::transaction::state::{State, TopicPartition, Transaction};
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use weir_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use weir_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    DescribeTransactionsRequest, DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse, ListTransactionsRequest,
    ListTransactionsResponse, StrBytes, describe_transactions_response, list_transactions_response,
};

use crate::context::{RequestCx, Shared};
use crate::partitions::GROUP_OFFSETS_TOPIC;
use crate::wire::wire;

/// First version of the three requests that knows PRODUCER_FENCED.
const FIRST_WITH_FENCED: i16 = 2;

fn in_words_of(version: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::PRODUCER_FENCED if version < FIRST_WITH_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
        other => other,
    }
}

pub(crate) async fn add_partitions_to_txn(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let topics = request.v3_and_below_topics;
    let refusals: Vec<Vec<ErrorCode>> = topics.iter().map(|topic| refusals(&shared, topic)).collect();
    let is_refused = refusals.iter().flatten().any(|code| *code != ErrorCode::NONE);
    let code = if is_refused {
        // One bad partition and none is added.
        ErrorCode::OPERATION_NOT_ATTEMPTED
    } else {
        let added = topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| TopicPartition {
                topic: topic.name.as_str().to_owned(),
                partition: *partition,
            })
        });
        let producer = Producer {
            id: request.v3_and_below_producer_id,
            epoch: request.v3_and_below_producer_epoch,
        };
        let id = request.v3_and_below_transactional_id.as_str();
        shared.transactions.add_partitions(id, producer, added.collect()).await
    };
    let code = in_words_of(cx.version, code);
    let results = topics.into_iter().zip(refusals).map(|(topic, refusals)| {
        let partitions = topic.partitions.iter().zip(refusals).map(|(partition, refusal)| {
            wire!(AddPartitionsToTxnPartitionResult {
                partition_index: *partition,
                partition_error_code: if refusal == ErrorCode::NONE { code.0 } else { refusal.0 },
            })
        });
        wire!(AddPartitionsToTxnTopicResult {
            results_by_partition: partitions.collect(),
            name: topic.name,
        })
    });
    wire!(AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: results.collect()
    })
}

/// Which partitions of a topic cannot be part of a transaction.
fn refusals(shared: &Shared, topic: &AddPartitionsToTxnTopic) -> Vec<ErrorCode> {
    let known = shared.partitions.topic(&topic.name);
    let code = |partition: &i32| match &known {
        Some(known) if known.is_internal() => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        Some(known) if known.partition(*partition).is_some() => ErrorCode::NONE,
        _ => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    topic.partitions.iter().map(code).collect()
}

pub(crate) async fn add_offsets_to_txn(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let code = match shared.groups.partition_of(&request.group_id).await {
        Err(code) => code,
        Ok(partition) => {
            let producer = Producer {
                id: request.producer_id,
                epoch: request.producer_epoch,
            };
            let added = vec![TopicPartition {
                topic: GROUP_OFFSETS_TOPIC.to_owned(),
                partition,
            }];
            let added = shared
                .transactions
                .add_partitions(&request.transactional_id, producer, added);
            added.await
        }
    };
    wire!(AddOffsetsToTxnResponse {
        error_code: in_words_of(cx.version, code).0
    })
}

pub(crate) async fn end_txn(shared: Arc<Shared>, cx: RequestCx, request: EndTxnRequest) -> EndTxnResponse {
    let end = EndRequest {
        transactional_id: request.transactional_id.into_string(),
        producer: Producer {
            id: request.producer_id,
            epoch: request.producer_epoch,
        },
        verdict: match request.committed {
            true => Verdict::Commit,
            false => Verdict::Abort,
        },
    };
    let code = shared.transactions.end(end).await;
    wire!(EndTxnResponse {
        error_code: in_words_of(cx.version, code).0
    })
}

pub(crate) async fn describe_transactions(
    shared: Arc<Shared>,
    _: RequestCx,
    request: DescribeTransactionsRequest,
) -> DescribeTransactionsResponse {
    let states = request.transactional_ids.into_iter().map(|id| {
        let found = match shared.transactions.describe(&id) {
            _ if id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
            Ok(None) => Err(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND),
            Ok(Some(found)) => Ok(found),
            Err(code) => Err(code),
        };
        match found {
            Ok(found) => described(id, &found),
            Err(code) => {
                wire!(describe_transactions_response::TransactionState {
                    transactional_id: id,
                    error_code: code.0
                })
            }
        }
    });
    wire!(DescribeTransactionsResponse {
        transaction_states: states.collect()
    })
}

fn described(id: StrBytes, found: &Transaction) -> describe_transactions_response::TransactionState {
    let partitions: Vec<&TopicPartition> = found.partitions.iter().collect();
    let topics = partitions.chunk_by(|one, other| one.topic == other.topic).map(|chunk| {
        wire!(describe_transactions_response::TopicData {
            topic: StrBytes::from(chunk.first().map_or("", |first| first.topic.as_str())),
            partitions: chunk.iter().map(|one| one.partition).collect(),
        })
    });
    wire!(describe_transactions_response::TransactionState {
        transactional_id: id,
        transaction_state: StrBytes::from(found.state.name()),
        transaction_timeout_ms: found.timeout_ms,
        transaction_start_time_ms: found.start_ms,
        producer_id: found.producer_id,
        producer_epoch: found.epoch,
        topics: topics.collect(),
    })
}

pub(crate) async fn list_transactions(
    shared: Arc<Shared>,
    cx: RequestCx,
    request: ListTransactionsRequest,
) -> ListTransactionsResponse {
    let (mut states, mut unknown) = (Vec::new(), Vec::new());
    for name in &request.state_filters {
        match State::from_name(name) {
            Some(state) => states.push(state),
            None => unknown.push(name.clone()),
        }
    }
    let duration_ms = Some(request.duration_filter).filter(|duration| cx.version >= 1 && *duration >= 0);
    let now_ms = shared.clock.now_ms();
    let is_wanted = |one: &ListedTransaction| {
        one.state != State::Dead
            && (request.producer_id_filters.is_empty() || request.producer_id_filters.contains(&one.producer_id))
            && (request.state_filters.is_empty() || states.contains(&one.state))
            && duration_ms.is_none_or(|duration_ms| now_ms.saturating_sub(one.start_ms) > duration_ms)
    };
    let mut listed = shared.transactions.list();
    listed.retain(is_wanted);
    listed.sort_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
    let listed = listed.into_iter().map(|one| {
        wire!(list_transactions_response::TransactionState {
            transactional_id: StrBytes::from(one.transactional_id),
            producer_id: one.producer_id,
            transaction_state: StrBytes::from(one.state.name()),
        })
    });
    wire!(ListTransactionsResponse {
        unknown_state_filters: unknown,
        transaction_states: listed.collect(),
    })
}
