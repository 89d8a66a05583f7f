//! InitProducerId (22): ids for idempotent producers.
//!
//! v0–5: v2 flexible, v3 carries the producer's own id and epoch (KIP-360). Without a
//! transactional id the answer is always a fresh id in epoch 0. Transactional ids are refused as
//! unsupported until there is a transaction coordinator: clients take that as fatal and say so at
//! once, where a coordinator that never loads would make them wait.

use std::sync::Arc;

use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{RequestCx, Shared};
use crate::wire::wire;

pub(crate) async fn init_producer_id(
    shared: Arc<Shared>,
    _: RequestCx,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| {
        wire!(InitProducerIdResponse {
            error_code: code.0,
            producer_id: -1,
            producer_epoch: -1
        })
    };
    match &request.transactional_id {
        Some(id) if id.is_empty() => return refused(ErrorCode::INVALID_REQUEST),
        Some(_) => return refused(ErrorCode::UNSUPPORTED_VERSION),
        None => {}
    }
    match shared.producer_ids.next().await {
        Ok(id) => wire!(InitProducerIdResponse {
            producer_id: id,
            producer_epoch: 0
        }),
        Err(error) => refused(error.code),
    }
}
