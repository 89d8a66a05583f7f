//! The four bytes in front of every request and response
//!
//! A connection carries `int32 length` and that many bytes. The rules for a
//! length we accept stand here; reading the bytes is the listener's work, and so
//! is closing the connection when a length breaks the rules.

use crate::error::ProtocolError;

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// Shortest legal request: key, version and correlation id.
pub const MIN_REQUEST_BYTES: usize = 8;

/// Returns the number of bytes that follow a prefix.
///
/// # Errors
/// [`ProtocolError::Frame`] when the length is negative, shorter than any header
/// or above `max_bytes` (`socket.request.max.bytes`); the connection is closed.
pub fn request_length(prefix: [u8; PREFIX_BYTES], max_bytes: usize) -> Result<usize, ProtocolError> {
    let length = i32::from_be_bytes(prefix);
    match usize::try_from(length) {
        Ok(bytes) if (MIN_REQUEST_BYTES..=max_bytes).contains(&bytes) => Ok(bytes),
        _ => Err(ProtocolError::Frame {
            length: i64::from(length),
            min: MIN_REQUEST_BYTES as i64,
            max: i64::try_from(max_bytes).unwrap_or(i64::MAX),
        }),
    }
}

/// Returns the prefix of a frame with `bytes` bytes after it.
///
/// # Errors
/// [`ProtocolError::TooLarge`] above `i32::MAX` bytes.
pub fn prefix(bytes: usize) -> Result<[u8; PREFIX_BYTES], ProtocolError> {
    i32::try_from(bytes)
        .map(i32::to_be_bytes)
        .map_err(|_| ProtocolError::TooLarge { what: "frame" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lengths_between_a_header_and_the_limit_pass() {
        for (length, accepted) in [
            (-1, false),
            (i32::MIN, false),
            (0, false),
            (7, false),
            (8, true),
            (100, true),
            (101, false),
        ] {
            assert_eq!(
                request_length(i32::to_be_bytes(length), 100).is_ok(),
                accepted,
                "{length}"
            );
        }
        assert_eq!(prefix(258).unwrap(), [0, 0, 1, 2]);
        assert!(prefix(usize::MAX).is_err());
    }
}
