//! Produce (0): batches into the log.
//!
//! v3–13 (0–2 are advertised and refused, see `weir_protocol::api`): v7 zstd, v8 record errors
//! (KIP-467), v9 flexible, v13 topic ids. Exactly one batch a partition, of magic 2. acks=0 has no
//! answer and closes the connection on failure; 1 answers when written; all answers when a sync
//! covers it. Partitions fail one by one, the request never as a whole. A batch of a transaction is
//! taken if its partition is part of it (KIP-890; v11 knows TRANSACTION_ABORTABLE).
//! Per batch: one pass for the checksum, one walk over the records, no copy when the frame owns
//! its allocation (`frame_reader.rs`): the socket buffer itself becomes the log's batch.
//! Batches are queued here, before the next request of the connection is looked at, so pipelined
//! sequences arrive in order.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant, timeout_at};
use weir_coordinator::transaction::request::Producer;
use weir_coordinator::transaction::state::TopicPartition;
use weir_protocol::decode::decode_request;
use weir_protocol::error::ProtocolError;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use weir_protocol::messages::{ProduceRequest, ProduceResponse, StrBytes, Uuid};
use weir_protocol::records::batch::{BatchHeader, TimestampType};
use weir_protocol::records::validate::{BatchFacts, BatchRules, Rejection, validate_batch};

use crate::append::{Ack, AppendError, AppendFuture, AppendResult};
use crate::context::{RequestCx, Shared};
use crate::partition::PartitionHandle;
use crate::partitions::Topic;
use crate::recompress::recompressed;
use crate::reply::{CloseReason, Outcome, ReplyFuture, encode};
use crate::topic_config::TopicConfig;
use crate::transactions::Gate;
use crate::wire::wire;

/// First version that names topics by id.
const FIRST_WITH_IDS: i16 = 13;
/// First version that may carry zstd.
const FIRST_WITH_ZSTD: i16 = 7;
/// First version that knows TRANSACTION_ABORTABLE.
const FIRST_WITH_ABORTABLE: i16 = 11;
/// Compressed batches from here on are checked off the runtime's threads.
const OFFLOAD_BYTES: usize = 16 * 1024;

/// One partition of the request, from bytes to answer.
struct Part {
    topic: usize,
    index: i32,
    state: State,
}

enum State {
    /// Checked; its bytes are still part of the frame.
    Accepted {
        partition: Arc<PartitionHandle>,
        facts: BatchFacts,
        range: Range<usize>,
    },
    /// Checked and put into another codec.
    Rewritten {
        partition: Arc<PartitionHandle>,
        facts: BatchFacts,
        bytes: BytesMut,
    },
    Queued(AppendFuture),
    Refused(Rejection),
}

/// Checks and queues every batch; the future answers when the acks are in.
pub(crate) fn start(shared: &Arc<Shared>, cx: RequestCx, body: Bytes) -> Result<ReplyFuture, ProtocolError> {
    let request = decode_request::<ProduceRequest>(body.clone(), cx.version)?;
    let (acks, timeout_ms) = (request.acks, request.timeout_ms);
    let transactional_id = request.transactional_id.as_ref().map(|id| id.as_str().to_owned());
    let ack = match acks {
        -1 => Some(Ack::Durable),
        0 | 1 => Some(Ack::Written),
        _ => None,
    };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    let mut parts = Vec::new();
    let mut scratch = Vec::new();
    for (at, data) in request.topic_data.iter().enumerate() {
        let topic = find_topic(shared, cx.version, &data.name, data.topic_id);
        for partition in &data.partition_data {
            let found = match ack {
                Some(_) => topic.clone(),
                None => Err(rejection(ErrorCode::INVALID_REQUIRED_ACKS, "acks must be 0, 1 or -1")),
            };
            let checked = found.and_then(|topic| {
                let check = Check {
                    shared,
                    topic: &topic,
                    version: cx.version,
                };
                check.partition(&body, partition.index, partition.records.as_ref(), &mut scratch)
            });
            let state = checked.unwrap_or_else(State::Refused);
            parts.push(Part {
                topic: at,
                index: partition.index,
                state,
            });
        }
        topics.push((StrBytes::from(data.name.as_str()), data.topic_id));
    }
    // The frame's last users go, so that it can be taken apart in place.
    drop(request);
    let queueing = Queueing {
        shared,
        ack: ack.unwrap_or(Ack::Written),
        version: cx.version,
        transactional_id,
    };
    queueing.queue(&mut parts, body);
    let reply = Reply {
        cx,
        topics,
        deadline: deadline(timeout_ms),
    };
    Ok(Box::pin(reply.finish(parts, acks)))
}

fn find_topic(shared: &Shared, version: i16, name: &str, id: Uuid) -> Result<Arc<Topic>, Rejection> {
    let topic = if version >= FIRST_WITH_IDS {
        let topics = shared.partitions.topics();
        let found = topics.get_by_id(id).cloned();
        found.ok_or_else(|| rejection(ErrorCode::UNKNOWN_TOPIC_ID, "unknown topic id"))?
    } else {
        shared.partitions.topic(name).ok_or_else(unknown_partition)?
    };
    if topic.is_internal() {
        return Err(rejection(ErrorCode::INVALID_TOPIC_EXCEPTION, "the topic is internal"));
    }
    Ok(topic)
}

fn rejection(code: ErrorCode, message: &str) -> Rejection {
    Rejection {
        code,
        message: message.to_owned(),
        record_errors: Vec::new(),
    }
}

fn unknown_partition() -> Rejection {
    rejection(
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "This server does not host this topic-partition.",
    )
}

struct Check<'a> {
    shared: &'a Shared,
    topic: &'a Topic,
    version: i16,
}

impl Check<'_> {
    fn partition(
        &self,
        body: &Bytes,
        index: i32,
        records: Option<&Bytes>,
        scratch: &mut Vec<u8>,
    ) -> Result<State, Rejection> {
        let partition = self.topic.partition(index).ok_or_else(unknown_partition)?;
        let records = records.map_or(&[][..], |records| records);
        let rules = rules(&self.topic.config, self.version, self.shared.clock.now_ms());
        let facts = check_batch(records, &rules, scratch)?;
        let partition = Arc::clone(partition);
        if let Some(target) = self.topic.config.codec
            && let Some((bytes, facts)) = in_place(|| recompressed(records, &facts, target))?
        {
            return Ok(State::Rewritten {
                partition,
                facts,
                bytes,
            });
        }
        // `records` is a slice of `body`, so the difference is its place in it.
        let start = (records.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
        let range = start..start.saturating_add(records.len());
        Ok(State::Accepted {
            partition,
            facts,
            range,
        })
    }
}

fn rules(config: &TopicConfig, version: i16, now_ms: i64) -> BatchRules {
    BatchRules {
        max_batch_bytes: config.max_message_bytes,
        segment_bytes: config.segment_bytes as usize,
        requires_keys: config.compacts,
        allows_zstd: version >= FIRST_WITH_ZSTD,
        timestamp_type: if config.stamps_append_time {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        },
        timestamp_before_max_ms: config.timestamp_before_max_ms,
        timestamp_after_max_ms: config.timestamp_after_max_ms,
        now_ms,
    }
}

fn check_batch(records: &[u8], rules: &BatchRules, scratch: &mut Vec<u8>) -> Result<BatchFacts, Rejection> {
    let is_heavy = records.len() >= OFFLOAD_BYTES
        && BatchHeader::parse(records).is_ok_and(|header| header.attributes.0 & 0x07 != 0);
    if is_heavy {
        in_place(|| validate_batch(records, rules, scratch))
    } else {
        validate_batch(records, rules, scratch)
    }
}

/// Works on a compressed batch here, so that requests keep their order; it would hold up other
/// connections of this thread, so the runtime is told to move them elsewhere meanwhile.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    let can_move = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if can_move {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

impl State {
    /// Who writes in a transaction here, and where, if it is a batch of one.
    fn transactional(&self) -> Option<(&PartitionHandle, Producer)> {
        let (Self::Accepted { partition, facts, .. } | Self::Rewritten { partition, facts, .. }) = self else {
            return None;
        };
        let header = &facts.header;
        let producer = Producer {
            id: header.producer_id,
            epoch: header.producer_epoch,
        };
        header.attributes.is_transactional().then_some((partition, producer))
    }
}

/// How the batches of a request go to their writers.
struct Queueing<'a> {
    shared: &'a Shared,
    ack: Ack,
    version: i16,
    transactional_id: Option<String>,
}

impl Queueing<'_> {
    /// Takes the frame apart and hands each accepted batch to its writer, in request order.
    fn queue(&self, parts: &mut [Part], body: Bytes) {
        // Held until all are queued: the marker of a later decision comes after them.
        let is_transactional = parts.iter().any(|part| part.state.transactional().is_some());
        let gate = is_transactional.then(|| self.shared.transactions.gate());
        // Uniquely owned: split in place. Part of a shared read buffer: each batch is copied.
        let mut rest = body.try_into_mut();
        let mut taken = 0;
        for part in parts {
            if let Some(gate) = &gate
                && let Err(refusal) = self.verify(gate, &part.state)
            {
                part.state = State::Refused(refusal);
                continue;
            }
            if let State::Rewritten {
                partition,
                facts,
                bytes,
            } = &mut part.state
            {
                let append = self
                    .shared
                    .partitions
                    .append(partition, std::mem::take(bytes), *facts, self.ack);
                part.state = State::Queued(append);
                continue;
            }
            let State::Accepted {
                partition,
                facts,
                range,
            } = &part.state
            else {
                continue;
            };
            let batch = match &mut rest {
                Ok(frame) if range.start >= taken => {
                    let _ = frame.split_to(range.start - taken);
                    taken = range.end;
                    frame.split_to(range.len())
                }
                // Ranges of one request rise; this arm is here so that nothing panics if not.
                Ok(_) => continue,
                Err(body) => BytesMut::from(&body[range.clone()]),
            };
            let append = self.shared.partitions.append(partition, batch, *facts, self.ack);
            part.state = State::Queued(append);
        }
    }

    /// Whether a batch may be written, if it is one of a transaction.
    fn verify(&self, gate: &Gate<'_>, state: &State) -> Result<(), Rejection> {
        let Some((partition, producer)) = state.transactional() else {
            return Ok(());
        };
        let Some(transactional_id) = &self.transactional_id else {
            return Err(rejection(
                ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                "a transactional batch without a transactional id",
            ));
        };
        let wanted = TopicPartition {
            topic: partition.topic.to_string(),
            partition: partition.index,
        };
        gate.verify(transactional_id, producer, &wanted)
            .map_err(|code| match code {
                ErrorCode::TRANSACTION_ABORTABLE if self.version < FIRST_WITH_ABORTABLE => rejection(
                    ErrorCode::INVALID_TXN_STATE,
                    "the partition is not part of the transaction",
                ),
                code => rejection(code, "Partition was not added to the transaction"),
            })
    }
}

fn deadline(timeout_ms: i32) -> Instant {
    Instant::now() + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}

struct Reply {
    cx: RequestCx,
    topics: Vec<(StrBytes, Uuid)>,
    deadline: Instant,
}

impl Reply {
    async fn finish(self, parts: Vec<Part>, acks: i16) -> Outcome {
        let mut response = ProduceResponse::default();
        for (name, id) in &self.topics {
            let mut topic = TopicProduceResponse::default();
            if self.cx.version >= FIRST_WITH_IDS {
                topic.topic_id = *id;
            } else {
                topic.name = name.clone();
            }
            response.responses.push(topic);
        }
        let mut has_failed = false;
        for part in parts {
            let answer = self.answer(part.index, part.state).await;
            has_failed |= answer.error_code != ErrorCode::NONE.0;
            if let Some(topic) = response.responses.get_mut(part.topic) {
                topic.partition_responses.push(answer);
            }
        }
        match acks {
            0 if has_failed => Outcome::Close(CloseReason::SilentProduceFailed),
            0 => Outcome::Silent,
            _ => encode(self.cx.correlation_id, self.cx.version, &response),
        }
    }

    async fn answer(&self, index: i32, state: State) -> PartitionProduceResponse {
        let result: Result<AppendResult, Rejection> = match state {
            State::Queued(append) => match timeout_at(self.deadline, append.done()).await {
                Ok(result) => Ok(result),
                Err(_) => Err(rejection(
                    ErrorCode::REQUEST_TIMED_OUT,
                    "the batch was not synced in time; it may still be stored",
                )),
            },
            State::Refused(rejection) => Err(rejection),
            State::Accepted { .. } | State::Rewritten { .. } => Err(unknown_partition()),
        };
        match result {
            Ok(Ok(appended)) => wire!(PartitionProduceResponse {
                index: index,
                base_offset: appended.base_offset,
                log_append_time_ms: appended.log_append_time_ms,
                log_start_offset: appended.log_start_offset,
            }),
            Ok(Err(AppendError { code, message })) => {
                let message = message.unwrap_or_default();
                refused(
                    index,
                    Rejection {
                        code,
                        message,
                        record_errors: Vec::new(),
                    },
                )
            }
            Err(rejection) => refused(index, rejection),
        }
    }
}

fn refused(index: i32, rejection: Rejection) -> PartitionProduceResponse {
    let record_errors = rejection.record_errors.into_iter().map(|(at, text)| {
        wire!(BatchIndexAndErrorMessage {
            batch_index: at,
            batch_index_error_message: Some(StrBytes::from(text)),
        })
    });
    wire!(PartitionProduceResponse {
        index: index,
        error_code: rejection.code.0,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: record_errors.collect(),
        error_message: Some(StrBytes::from(rejection.message)),
    })
}
