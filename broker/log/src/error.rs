//! What can go wrong with a log
//!
//! Variants are split by what the caller does: answer the producer, answer the
//! consumer, take the partition offline, or refuse to start.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use weir_protocol::error::ProtocolError;
use weir_protocol::error_code::ErrorCode;

/// Failure of a log operation.
#[derive(Debug, Error)]
pub enum LogError {
    /// The disk refused; whether the log goes on is the partition's state.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A write or sync failed earlier and the state of the files is unknown.
    #[error("log is offline until restart: {reason}")]
    Offline {
        /// The first failure.
        reason: String,
    },
    /// Bytes that were durable are damaged; the partition is not served.
    #[error("{} is corrupt at byte {position}: {reason}", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where the damage was met.
        position: u64,
        /// What was wrong.
        reason: String,
    },
    /// The offset is outside the log.
    #[error("offset {offset} is outside {start}..={end}")]
    OffsetOutOfRange {
        /// Offset asked for.
        offset: i64,
        /// First offset that exists.
        start: i64,
        /// Offset after the last.
        end: i64,
    },
    /// A batch is not the successor of the producer's last one.
    #[error("producer {producer_id}: sequence {sequence} arrived, {expected} was expected")]
    OutOfOrderSequence {
        /// Producer concerned.
        producer_id: i64,
        /// First sequence of the batch.
        sequence: i32,
        /// The only acceptable one.
        expected: i32,
    },
    /// A newer incarnation of the producer has written.
    #[error("producer {producer_id}: epoch {epoch} is older than {current}")]
    ProducerEpoch {
        /// Producer concerned.
        producer_id: i64,
        /// Epoch of the batch.
        epoch: i16,
        /// Epoch known.
        current: i16,
    },
    /// A batch that the producer's transaction state does not allow.
    #[error("producer {producer_id}: {reason}")]
    TransactionState {
        /// Producer concerned.
        producer_id: i64,
        /// The rule broken.
        reason: &'static str,
    },
    /// A marker of a coordinator that was replaced.
    #[error("producer {producer_id}: coordinator epoch {epoch} is older than {current}")]
    CoordinatorFenced {
        /// Producer concerned.
        producer_id: i64,
        /// Epoch of the marker.
        epoch: i32,
        /// Epoch known.
        current: i32,
    },
    /// The batch cannot be read or written.
    #[error("record batch cannot be used")]
    Batch(#[from] ProtocolError),
    /// Another process uses the data directory.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The data directory belongs to another cluster or a newer version.
    #[error("{}: {reason}", path.display())]
    ForeignDirectory {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// The partition exists already, or does not.
    #[error("partition directory {}: {reason}", path.display())]
    Directory {
        /// Directory concerned.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl LogError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Returns the Kafka code a client is answered with.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Io { .. }
            | Self::Offline { .. }
            | Self::Corrupt { .. }
            | Self::Locked { .. }
            | Self::ForeignDirectory { .. }
            | Self::Directory { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
            Self::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            Self::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
            Self::ProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
            Self::TransactionState { .. } => ErrorCode::INVALID_TXN_STATE,
            Self::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
            Self::Batch(error) => error.code(),
        }
    }

    /// Returns whether the same call could succeed later without a restart.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// Returns whether the disk, a quota or a file size limit is exhausted: the
/// write did not happen, but nothing is broken.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
