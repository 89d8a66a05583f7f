//! Request and response headers
//!
//! Header v1: key, version, correlation id, client id; v2 adds tagged fields and
//! keeps the old 16-bit length in front of the client id. Version 0 exists for
//! one request of long-gone controllers and is not read. Responses carry the
//! correlation id, and tagged fields exactly when the API version is flexible.

use bytes::{Buf, Bytes};
use kafka_wire_core::StrBytes;

use crate::api::{self, ApiKey};
use crate::error::ProtocolError;
use crate::primitives::Reader;

/// What stands in front of every request body.
#[derive(Debug, Clone)]
pub struct RequestHeader {
    /// Request kind.
    pub api_key: ApiKey,
    /// Version of the request body.
    pub api_version: i16,
    /// Number the response repeats.
    pub correlation_id: i32,
    /// Name the client gave itself.
    pub client_id: Option<StrBytes>,
}

/// Largest share of a frame the tagged fields of a header may take.
const MAX_TAGS_BYTES: usize = 64 * 1024;

/// Splits a frame into its header and body; the body shares the frame's bytes.
///
/// A key or version that is not in the table is no error here: its header is
/// read as v1, since ApiVersions must be answered whatever its version. The body
/// of such a request is what follows the client id.
///
/// # Errors
/// [`ProtocolError::Header`]: cut short, a negative length, or no UTF-8.
pub fn decode_request_header(mut frame: Bytes) -> Result<(RequestHeader, Bytes), ProtocolError> {
    let (header, used) = parse(&frame)?;
    let client_id = header
        .client_id
        .map(|range| StrBytes::try_from(Bytes::copy_from_slice(range)))
        .transpose()
        .map_err(|_| ProtocolError::Header {
            reason: "client id is not utf-8",
        })?;
    let header = RequestHeader {
        api_key: header.api_key,
        api_version: header.api_version,
        correlation_id: header.correlation_id,
        client_id,
    };
    frame.advance(used);
    Ok((header, frame))
}

struct Parsed<'a> {
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    // Borrowed and then copied: a slice of the frame would keep a whole Produce
    // request alive for as long as someone remembers the client's name.
    client_id: Option<&'a [u8]>,
}

fn parse(frame: &[u8]) -> Result<(Parsed<'_>, usize), ProtocolError> {
    let short = || ProtocolError::Header { reason: "cut short" };
    let mut reader = Reader::new(frame);
    let api_key = ApiKey(reader.i16().ok_or_else(short)?);
    let api_version = reader.i16().ok_or_else(short)?;
    let correlation_id = reader.i32().ok_or_else(short)?;
    let client_id = match reader.i16().ok_or_else(short)? {
        -1 => None,
        length => {
            let length = usize::try_from(length).map_err(|_| ProtocolError::Header {
                reason: "negative client id length",
            })?;
            Some(reader.take(length).ok_or_else(short)?)
        }
    };
    let known = api::find(api_key).filter(|api| api.supports(api_version));
    if known.is_some_and(|api| api.is_flexible(api_version)) {
        skip_tagged_fields(&mut reader)?;
    }
    let used = frame.len() - reader.remaining();
    Ok((
        Parsed {
            api_key,
            api_version,
            correlation_id,
            client_id,
        },
        used,
    ))
}

fn skip_tagged_fields(reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
    let malformed = || ProtocolError::Header {
        reason: "malformed tagged fields",
    };
    let count = reader.unsigned_varint().ok_or_else(malformed)?;
    let mut total = 0usize;
    for _ in 0..count {
        // Every field takes at least two bytes, so the count cannot outrun the frame.
        reader.unsigned_varint().ok_or_else(malformed)?;
        let length = reader.unsigned_varint().ok_or_else(malformed)? as usize;
        total = total.saturating_add(length);
        if total > MAX_TAGS_BYTES {
            return Err(malformed());
        }
        reader.take(length).ok_or_else(malformed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8]) -> Result<(RequestHeader, Bytes), ProtocolError> {
        decode_request_header(Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn flexible_header_keeps_the_old_client_id_length() {
        // Metadata v9, correlation 7, client id "ab", one tagged field, body 0xEE.
        let (parsed, body) = header(&[0, 3, 0, 9, 0, 0, 0, 7, 0, 2, b'a', b'b', 1, 5, 2, 9, 9, 0xEE]).unwrap();
        assert_eq!(parsed.api_key, ApiKey::METADATA);
        assert_eq!(parsed.correlation_id, 7);
        assert_eq!(parsed.client_id.as_deref(), Some("ab"));
        assert_eq!(&body[..], &[0xEE]);
    }

    #[test]
    fn unknown_version_of_api_versions_still_has_a_readable_header() {
        let (parsed, _) = header(&[0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0]).unwrap();
        assert_eq!((parsed.api_version, parsed.correlation_id), (99, 1));
        assert!(parsed.client_id.is_none());
    }

    #[test]
    fn malformed_headers_are_errors() {
        for bytes in [
            &[][..],
            &[0, 3, 0, 9, 0, 0, 0],
            &[0, 3, 0, 8, 0, 0, 0, 1, 0xff, 0xfe],
            &[0, 3, 0, 8, 0, 0, 0, 1, 0, 9, b'x'],
            &[0, 3, 0, 8, 0, 0, 0, 1, 0, 1, 0xff],
            &[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0, 3, 0, 9, 0, 0, 0, 1, 0xff, 0xff, 1, 0, 0xff, 0xff, 0x7f],
        ] {
            assert!(header(bytes).is_err(), "{bytes:?}");
        }
    }
}
