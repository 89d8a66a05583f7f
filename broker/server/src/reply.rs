//! What a request ends in: bytes, silence or a closed connection.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use weir_protocol::decode::encode_response;
use weir_protocol::error::ProtocolError;
use weir_protocol::messages::KafkaResponse;

/// What a request ends in.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Bytes of a whole response frame, in pieces.
    Reply(Vec<Bytes>),
    /// No response (acks=0).
    Silent,
    /// Nothing can be answered; the connection is closed.
    Close(CloseReason),
}

/// Why a connection is closed from our side.
#[derive(Debug)]
pub(crate) enum CloseReason {
    /// The bytes are not Kafka's protocol.
    Malformed(ProtocolError),
    /// No reply format exists for this key and version.
    Unsupported { key: i16, version: i16 },
    /// A produce without acks failed: the client refreshes its metadata on reconnect.
    SilentProduceFailed,
}

pub(crate) type ReplyFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Encodes a response; one that its version cannot carry is our bug and closes the connection.
pub(crate) fn encode<R: KafkaResponse>(correlation_id: i32, version: i16, response: &R) -> Outcome {
    match encode_response(correlation_id, response, version) {
        Ok(frame) => Outcome::Reply(vec![frame.freeze()]),
        Err(error) => Outcome::Close(CloseReason::Malformed(error)),
    }
}
