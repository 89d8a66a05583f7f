//! Errors of the stores, split by what the caller does next.

use std::io;
use std::path::PathBuf;

use weir_client::error::ClientError;

/// A failed store call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The worker's settings name an internal topic that cannot be used: it does not start.
    #[error("{0}")]
    Topic(String),
    /// A setting of the worker is wrong.
    #[error("invalid value {value} for configuration {key}: {reason}")]
    Setting { key: String, value: String, reason: String },
    /// A write or read of an internal topic failed.
    #[error("{context}: {source}")]
    Client {
        context: String,
        #[source]
        source: ClientError,
    },
    /// A write that only the leader does failed: another leader may have claimed the topic since. Claim it again if still the leader.
    #[error(
        "Failed to write to config topic; this may be due to a transient error and the request can be safely retried"
    )]
    Privileged {
        #[source]
        source: ClientError,
    },
    /// A write that only the leader does, before the right to it was claimed.
    #[error("Cannot produce to config topic without claiming write privileges first")]
    NotClaimed,
    /// The offset file cannot be read or written.
    #[error("offset file {}: {source}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The offset file holds something else than Java's serialised map.
    #[error("offset file {}: {reason}", path.display())]
    Format { path: PathBuf, reason: &'static str },
    /// A connector gave a partition or offset that the format does not allow.
    #[error("{0}")]
    Offset(String),
    /// The store was not started, or has been stopped.
    #[error("store is not running")]
    NotRunning,
}

impl StoreError {
    pub(crate) fn client(context: impl Into<String>) -> impl FnOnce(ClientError) -> Self {
        let context = context.into();
        move |source| Self::Client { context, source }
    }

    /// Is true when the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Client { source, .. } => source.is_retriable(),
            Self::Privileged { .. } => true,
            Self::Topic(_)
            | Self::NotClaimed
            | Self::Setting { .. }
            | Self::File { .. }
            | Self::Format { .. }
            | Self::Offset(_)
            | Self::NotRunning => false,
        }
    }
}
