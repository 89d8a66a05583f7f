//! From a frame to a handler by (key, version), and back to response bytes.
//!
//! A handler is an async function `(Arc<Shared>, RequestCx, Request) -> Response`. It runs up to
//! its first await before the next frame of the connection is looked at, so what it changes before
//! awaiting happens in request order; replies leave in request order whatever the futures do.
//! Produce and Fetch build their bytes themselves: the one takes the frame apart in place, the
//! other hands out pieces of the log.
//!
//! To add an API: a row in `weir_protocol::api`, an arm in `route`.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use weir_protocol::api::{self, ApiKey};
use weir_protocol::decode::decode_request;
use weir_protocol::error::ProtocolError;
use weir_protocol::header::decode_request_header;
use weir_protocol::messages::{KafkaRequest, KafkaResponse};

use crate::context::{ConnectionInfo, RequestCx, Shared};
use crate::handlers::{
    api_versions, cluster, configs, fetch, group, list_offsets, log_dirs, metadata, offsets, produce, producers,
    records, topics, transactions,
};
use crate::reply::{CloseReason, Outcome, ReplyFuture, encode};

/// Starts the request in `frame` (without its length prefix).
///
/// # Errors
/// The reason to close the connection at once.
pub(crate) fn dispatch(
    shared: &Arc<Shared>,
    connection: &Arc<ConnectionInfo>,
    frame: Bytes,
) -> Result<ReplyFuture, CloseReason> {
    let (header, body) = decode_request_header(frame).map_err(CloseReason::Malformed)?;
    let cx = RequestCx {
        api_key: header.api_key.0,
        version: header.api_version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
        connection: Arc::clone(connection),
    };
    let known = api::find(header.api_key).filter(|api| api.supports(header.api_version));
    match known {
        Some(_) => route(Arc::clone(shared), cx, header.api_key, body).map_err(CloseReason::Malformed),
        None if header.api_key == ApiKey::API_VERSIONS => Ok(api_versions::answer_unsupported(&cx)),
        None => Err(CloseReason::Unsupported {
            key: cx.api_key,
            version: cx.version,
        }),
    }
}

fn route(shared: Arc<Shared>, cx: RequestCx, key: ApiKey, body: Bytes) -> Result<ReplyFuture, ProtocolError> {
    match key {
        ApiKey::PRODUCE => produce::start(&shared, cx, body),
        ApiKey::FETCH => fetch::start(shared, cx, body),
        ApiKey::LIST_OFFSETS => answer(shared, cx, body, list_offsets::list_offsets),
        ApiKey::METADATA => answer(shared, cx, body, metadata::metadata),
        ApiKey::OFFSET_COMMIT => answer(shared, cx, body, offsets::offset_commit),
        ApiKey::OFFSET_FETCH => answer(shared, cx, body, offsets::offset_fetch),
        ApiKey::OFFSET_DELETE => answer(shared, cx, body, offsets::offset_delete),
        ApiKey::FIND_COORDINATOR => answer(shared, cx, body, group::find_coordinator),
        ApiKey::JOIN_GROUP => answer(shared, cx, body, group::join_group),
        ApiKey::HEARTBEAT => answer(shared, cx, body, group::heartbeat),
        ApiKey::LEAVE_GROUP => answer(shared, cx, body, group::leave_group),
        ApiKey::SYNC_GROUP => answer(shared, cx, body, group::sync_group),
        ApiKey::DESCRIBE_GROUPS => answer(shared, cx, body, group::describe_groups),
        ApiKey::LIST_GROUPS => answer(shared, cx, body, group::list_groups),
        ApiKey::DELETE_GROUPS => answer(shared, cx, body, group::delete_groups),
        ApiKey::API_VERSIONS => answer(shared, cx, body, api_versions::api_versions),
        ApiKey::CREATE_TOPICS => answer(shared, cx, body, topics::create_topics),
        ApiKey::DELETE_TOPICS => answer(shared, cx, body, topics::delete_topics),
        ApiKey::CREATE_PARTITIONS => answer(shared, cx, body, topics::create_partitions),
        ApiKey::DELETE_RECORDS => answer(shared, cx, body, records::delete_records),
        ApiKey::OFFSET_FOR_LEADER_EPOCH => answer(shared, cx, body, list_offsets::offset_for_leader_epoch),
        ApiKey::INIT_PRODUCER_ID => answer(shared, cx, body, producers::init_producer_id),
        ApiKey::ADD_PARTITIONS_TO_TXN => answer(shared, cx, body, transactions::add_partitions_to_txn),
        ApiKey::ADD_OFFSETS_TO_TXN => answer(shared, cx, body, transactions::add_offsets_to_txn),
        ApiKey::END_TXN => answer(shared, cx, body, transactions::end_txn),
        ApiKey::TXN_OFFSET_COMMIT => answer(shared, cx, body, offsets::txn_offset_commit),
        ApiKey::DESCRIBE_TRANSACTIONS => answer(shared, cx, body, transactions::describe_transactions),
        ApiKey::LIST_TRANSACTIONS => answer(shared, cx, body, transactions::list_transactions),
        ApiKey::DESCRIBE_PRODUCERS => answer(shared, cx, body, producers::describe_producers),
        ApiKey::DESCRIBE_CONFIGS => answer(shared, cx, body, configs::describe_configs),
        ApiKey::ALTER_CONFIGS => answer(shared, cx, body, configs::alter_configs),
        ApiKey::INCREMENTAL_ALTER_CONFIGS => answer(shared, cx, body, configs::incremental_alter_configs),
        ApiKey::LIST_CONFIG_RESOURCES => answer(shared, cx, body, configs::list_config_resources),
        ApiKey::DESCRIBE_LOG_DIRS => answer(shared, cx, body, log_dirs::describe_log_dirs),
        ApiKey::DESCRIBE_CLUSTER => answer(shared, cx, body, cluster::describe_cluster),
        ApiKey::DESCRIBE_TOPIC_PARTITIONS => answer(shared, cx, body, metadata::describe_topic_partitions),
        ApiKey::ELECT_LEADERS => answer(shared, cx, body, cluster::elect_leaders),
        ApiKey::LIST_PARTITION_REASSIGNMENTS => answer(shared, cx, body, cluster::list_partition_reassignments),
        // A row of the table without an arm here: the wire test of all advertised pairs fails.
        _ => Ok(Box::pin(std::future::ready(Outcome::Close(CloseReason::Unsupported {
            key: cx.api_key,
            version: cx.version,
        })))),
    }
}

/// Decodes the body, runs the handler and encodes its response.
fn answer<Q, R, F>(
    shared: Arc<Shared>,
    cx: RequestCx,
    body: Bytes,
    handler: impl FnOnce(Arc<Shared>, RequestCx, Q) -> F,
) -> Result<ReplyFuture, ProtocolError>
where
    Q: KafkaRequest,
    R: KafkaResponse,
    F: Future<Output = R> + Send + 'static,
{
    let request = decode_request::<Q>(body, cx.version)?;
    let (correlation_id, version) = (cx.correlation_id, cx.version);
    let response = handler(shared, cx, request);
    Ok(Box::pin(
        async move { encode(correlation_id, version, &response.await) },
    ))
}
