//! Why a request to the herder was refused.
//!
//! One variant for each thing a caller does differently; REST translates them to status codes in
//! one place. Texts are those users of Apache Connect know.

use weir_stores::error::StoreError;

/// A request that could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HerderError {
    /// The named connector, task or plugin does not exist.
    #[error("{0}")]
    NotFound(String),
    /// The connector exists already.
    #[error("{0}")]
    AlreadyExists(String),
    /// The request or the connector config is wrong; `class` is the Java exception that Apache names.
    #[error("{message}")]
    BadRequest {
        /// What is wrong, in Apache's words.
        message: String,
        /// The fully qualified name that the validate endpoint puts in front.
        class: &'static str,
    },
    /// A setting cannot be read at all, so that nothing else is judged: Apache's `ConfigException`.
    #[error("{0}")]
    Config(String),
    /// Another operation is in the way; try again.
    #[error("{0}")]
    Conflict(String),
    /// Another worker of the group has to do it: its leader, or the owner of the connector or task. Answered by forwarding.
    #[error("{message}")]
    Elsewhere {
        /// Base URL of that worker, with a trailing slash; none when it is not known at the moment.
        url: Option<String>,
        /// What is answered when the request cannot be forwarded.
        message: String,
    },
    /// An internal request that is not signed as it must be (KIP-507).
    #[error("{0}")]
    Forbidden(String),
    /// The worker has not read what it needs for this yet.
    #[error("{0}")]
    Unavailable(String),
    /// The operation failed inside the worker or a store.
    #[error("{0}")]
    Failed(String),
    /// The herder did not answer in time.
    #[error("Request timed out. {0}")]
    TimedOut(String),
    /// The worker is going down.
    #[error("Worker is shutting down")]
    ShuttingDown,
}

/// Why a herder ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The config store could not be read at start.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The group does not take this worker.
    #[error("{0}")]
    Refused(String),
}

/// The exception class of a plain bad request.
pub const BAD_REQUEST_CLASS: &str = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException";
/// The exception class of a value that does not parse.
pub const CONFIG_CLASS: &str = "org.apache.kafka.common.config.ConfigException";
/// The exception class of a lookup or config failure.
pub const CONNECT_CLASS: &str = "org.apache.kafka.connect.errors.ConnectException";

impl HerderError {
    /// A bad request as Apache's `BadRequestException`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        HerderError::BadRequest {
            message: message.into(),
            class: BAD_REQUEST_CLASS,
        }
    }

    /// An unknown connector, worded as the reading resources do.
    pub fn no_connector(name: &str) -> Self {
        HerderError::NotFound(format!("Connector {name} not found"))
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(&self) -> bool {
        matches!(
            self,
            HerderError::Conflict(_)
                | HerderError::TimedOut(_)
                | HerderError::Elsewhere { .. }
                | HerderError::Unavailable(_)
        )
    }
}
