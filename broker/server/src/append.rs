//! An append on its way: the job a writer gets, the answer a handler awaits.
//!
//! Who queues an append holds the future; who writes it holds the job. Dropping the future does not
//! undo the append, dropping the job answers that the broker is stopping.

use bytes::BytesMut;
use tokio::sync::oneshot;
use weir_log::error::LogError;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::validate::BatchFacts;

/// When an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// Once it is in the log file (acks 0 and 1).
    Written,
    /// Once a completed sync covers it (acks all, coordinator records), by the flush policy.
    Durable,
}

/// One validated batch on its way to the log.
#[derive(Debug)]
pub(crate) struct AppendJob {
    pub(crate) batch: BytesMut,
    pub(crate) facts: BatchFacts,
    pub(crate) ack: Ack,
    pub(crate) reply: oneshot::Sender<AppendResult>,
}

/// Where an answered append landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// -1 unless the topic stamps the append time.
    pub(crate) log_append_time_ms: i64,
    pub(crate) log_start_offset: i64,
}

/// Why an append was refused, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppendError {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
}

pub(crate) type AppendResult = Result<Appended, AppendError>;

/// The answer to an append, on its way.
#[derive(Debug)]
pub(crate) struct AppendFuture(oneshot::Receiver<AppendResult>);

impl AppendFuture {
    /// An append job and the future of its answer.
    pub(crate) fn job(batch: BytesMut, facts: BatchFacts, ack: Ack) -> (AppendJob, Self) {
        let (reply, answer) = oneshot::channel();
        (
            AppendJob {
                batch,
                facts,
                ack,
                reply,
            },
            Self(answer),
        )
    }

    /// Resolves when the append is answered. Dropping it does not undo the append.
    pub(crate) async fn done(self) -> AppendResult {
        self.0.await.unwrap_or_else(|_| Err(AppendError::stopping()))
    }
}

impl AppendError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
        }
    }

    pub(crate) fn offline() -> Self {
        Self::new(
            ErrorCode::KAFKA_STORAGE_ERROR,
            "the log is offline until the broker restarts",
        )
    }

    /// The broker is going down; the client retries later.
    pub(crate) fn stopping() -> Self {
        Self::new(ErrorCode::NOT_LEADER_OR_FOLLOWER, "the broker is stopping")
    }
}

impl From<LogError> for AppendError {
    fn from(error: LogError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
