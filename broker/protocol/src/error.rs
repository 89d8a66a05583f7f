//! What can be wrong with bytes of the Kafka protocol
//!
//! Variants are split by what a caller does: close the connection (`Frame`,
//! `Header`, `Decode`), fix its own code (`Encode`), or refuse a batch with a
//! Kafka error code (the rest; see [`ProtocolError::code`]).

use kafka_wire_core::{DecodeError, EncodeError};
use thiserror::Error;

use crate::error_code::ErrorCode;
use crate::records::compression::Codec;

/// Failure to read or write protocol bytes.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// The length prefix cannot start a frame we would read.
    #[error("frame length {length} is outside {min}..={max}")]
    Frame {
        /// Claimed length.
        length: i64,
        /// Smallest legal length.
        min: i64,
        /// Largest accepted length.
        max: i64,
    },
    /// The request header is cut short or malformed.
    #[error("malformed request header: {reason}")]
    Header {
        /// What was wrong.
        reason: &'static str,
    },
    /// A message body does not follow its schema.
    #[error("malformed message body")]
    Decode(#[from] DecodeError),
    /// A message cannot be written in the version asked for.
    #[error("message cannot be encoded")]
    Encode(#[from] EncodeError),
    /// A record batch is cut short, inconsistent, or its checksum differs.
    #[error("corrupt record batch: {reason}")]
    CorruptBatch {
        /// What was wrong.
        reason: &'static str,
    },
    /// A batch of the old message formats, which Kafka 4 dropped too.
    #[error("record batch magic {magic} is not supported")]
    UnsupportedMagic {
        /// Magic byte found.
        magic: i8,
    },
    /// A record inside a batch breaks the format.
    #[error("malformed record: {reason}")]
    MalformedRecord {
        /// What was wrong.
        reason: &'static str,
    },
    /// The codec number in the attributes is not assigned.
    #[error("compression codec {id} is not supported")]
    UnsupportedCodec {
        /// Codec bits found.
        id: i16,
    },
    /// The compressed block does not decompress.
    #[error("{codec:?} block does not decompress")]
    Decompression {
        /// Codec of the block.
        codec: Codec,
        /// Cause reported by the codec.
        #[source]
        source: std::io::Error,
    },
    /// The block would decompress to more than the cap.
    #[error("{codec:?} block decompresses to more than {cap} bytes")]
    DecompressionCap {
        /// Codec of the block.
        codec: Codec,
        /// Largest size accepted.
        cap: usize,
    },
    /// A value does not fit the wire's length field.
    #[error("{what} is too large for the format")]
    TooLarge {
        /// The value concerned.
        what: &'static str,
    },
}

impl ProtocolError {
    /// Returns the Kafka code a batch with this fault is refused with.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::CorruptBatch { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::UnsupportedCodec { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            Self::UnsupportedMagic { .. }
            | Self::MalformedRecord { .. }
            | Self::Decompression { .. }
            | Self::DecompressionCap { .. } => ErrorCode::INVALID_RECORD,
            Self::Frame { .. } | Self::Header { .. } | Self::Decode(_) => ErrorCode::INVALID_REQUEST,
            Self::Encode(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }

    /// Returns whether sending the same bytes again could succeed.
    pub fn is_retriable(&self) -> bool {
        self.code().is_retriable()
    }
}
