//! Whole messages: request bodies in, response frames out
//!
//! The decode budget is chosen here. The codec grows its arrays only as elements
//! really decode, never from a claimed count (docs/adr/0002); the limits below
//! bound what a well-formed but absurd request can make us hold.

use bytes::{Bytes, BytesMut};
use kafka_wire::{KafkaRequest, KafkaResponse};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, Encoder, StrBytes};

use crate::api::ApiKey;
use crate::error::ProtocolError;
use crate::frame::{self, PREFIX_BYTES};

/// Largest body of a request that carries no records. The decoded form of small
/// array elements takes up to thirty times their bytes on the wire.
pub const MAX_PLAIN_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Most elements of one array: ten times the partitions a broker is asked about
/// in one request by the largest known clients.
pub const MAX_ARRAY_ELEMENTS: usize = 200_000;

/// Returns the decode budget of a request kind.
pub fn limits(key: ApiKey) -> DecodeLimits {
    let body_bytes = if key == ApiKey::PRODUCE {
        i32::MAX as usize
    } else {
        MAX_PLAIN_BODY_BYTES
    };
    let mut limits = DecodeLimits::default();
    limits.max_frame_bytes = body_bytes;
    limits.max_bytes_bytes = body_bytes;
    limits.max_string_bytes = i16::MAX as usize;
    limits.max_array_elements = MAX_ARRAY_ELEMENTS;
    limits.max_tagged_fields = 64;
    limits.max_tag_bytes = 1024 * 1024;
    limits.max_total_tag_bytes = 1024 * 1024;
    limits
}

/// Decodes a request body; byte fields share `body`'s allocation.
///
/// Bytes after the message are ignored, as Kafka's broker does.
///
/// # Errors
/// [`ProtocolError::Decode`]; the connection is closed.
pub fn decode_request<T: KafkaRequest>(body: Bytes, version: i16) -> Result<T, ProtocolError> {
    let mut decoder = Decoder::new(body, limits(ApiKey::from(T::API_KEY)))?;
    Ok(T::decode(&mut decoder, ApiVersion::new(version))?)
}

/// Encodes a response as a whole frame: length prefix, header, body.
///
/// # Errors
/// [`ProtocolError::Encode`] when a field is set that `version` lacks.
pub fn encode_response<T: KafkaResponse>(
    correlation_id: i32,
    response: &T,
    version: i16,
) -> Result<BytesMut, ProtocolError> {
    let mut out = BytesMut::new();
    encode_response_into(&mut out, correlation_id, response, version)?;
    Ok(out)
}

/// Appends a response frame to `out`.
///
/// # Errors
/// As [`encode_response`]; `out` is left as it was.
pub fn encode_response_into<T: KafkaResponse>(
    out: &mut BytesMut,
    correlation_id: i32,
    response: &T,
    version: i16,
) -> Result<(), ProtocolError> {
    let wire_version = ApiVersion::new(version);
    let header_version = kafka_wire::response_header_version(T::API_KEY, wire_version, T::is_flexible(wire_version));
    let header_bytes = 4 + usize::from(header_version > 0);
    let body_bytes = response.encoded_len(wire_version)?;
    let start = out.len();
    out.reserve(PREFIX_BYTES + header_bytes + body_bytes);
    out.extend_from_slice(&frame::prefix(header_bytes + body_bytes)?);
    out.extend_from_slice(&correlation_id.to_be_bytes());
    if header_version > 0 {
        out.extend_from_slice(&[0]);
    }
    let mut encoder = Encoder::new(out);
    if let Err(error) = response.encode(&mut encoder, wire_version) {
        out.truncate(start);
        return Err(error.into());
    }
    debug_assert_eq!(out.len() - start, PREFIX_BYTES + header_bytes + body_bytes);
    Ok(())
}

/// Encodes a request as a whole frame, for raw clients and tests.
///
/// # Errors
/// [`ProtocolError::Encode`] when a field is set that `version` lacks.
pub fn encode_request<T: KafkaRequest>(
    correlation_id: i32,
    client_id: Option<&str>,
    request: &T,
    version: i16,
) -> Result<BytesMut, ProtocolError> {
    let mut out = BytesMut::new();
    kafka_wire::encode_request(
        &mut out,
        correlation_id,
        client_id.map(StrBytes::from),
        request,
        ApiVersion::new(version),
        kafka_wire::OutboundFrameLimits::new(i32::MAX as usize),
    )?;
    Ok(out)
}

/// Decodes a response frame without its length prefix, for raw clients and tests.
///
/// # Errors
/// [`ProtocolError::Decode`]; the connection cannot be used further.
pub fn decode_response<T: KafkaResponse>(payload: Bytes, version: i16) -> Result<(i32, T), ProtocolError> {
    let mut limits = DecodeLimits::default();
    limits.max_frame_bytes = i32::MAX as usize;
    limits.max_bytes_bytes = i32::MAX as usize;
    let version = ApiVersion::new(version);
    let mut decoder = Decoder::new(payload, limits)?;
    let correlation_id = decoder.read_i32()?;
    if kafka_wire::response_header_version(T::API_KEY, version, T::is_flexible(version)) > 0 {
        decoder.read_tagged_fields()?;
    }
    let response = T::decode(&mut decoder, version)?;
    Ok((correlation_id, response))
}
