//! Errors of the clients, split by what the caller does next.
//!
//! [`KafkaError`] is one error code, from a broker (≥ 0) or from librdkafka itself (< 0); [`ClientError`] is a failed call.

use std::fmt;
use std::io;
use std::sync::Arc;

use weir_secrets::error::SecretsError;

/// One error code: Kafka's own numbers, or librdkafka's negative local ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KafkaError {
    pub code: i32,
}

impl KafkaError {
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self { code: 3 };
    pub const LEADER_NOT_AVAILABLE: Self = Self { code: 5 };
    pub const OFFSET_OUT_OF_RANGE: Self = Self { code: 1 };
    pub const MSG_SIZE_TOO_LARGE: Self = Self { code: 10 };
    pub const INVALID_TOPIC: Self = Self { code: 17 };
    pub const POLICY_VIOLATION: Self = Self { code: 44 };
    pub const INVALID_RECORD: Self = Self { code: 87 };
    pub const COORDINATOR_LOAD_IN_PROGRESS: Self = Self { code: 14 };
    pub const COORDINATOR_NOT_AVAILABLE: Self = Self { code: 15 };
    pub const NOT_COORDINATOR: Self = Self { code: 16 };
    pub const ILLEGAL_GENERATION: Self = Self { code: 22 };
    pub const INCONSISTENT_GROUP_PROTOCOL: Self = Self { code: 23 };
    pub const INVALID_GROUP_ID: Self = Self { code: 24 };
    pub const UNKNOWN_MEMBER_ID: Self = Self { code: 25 };
    pub const INVALID_SESSION_TIMEOUT: Self = Self { code: 26 };
    pub const REBALANCE_IN_PROGRESS: Self = Self { code: 27 };
    pub const TOPIC_AUTHORIZATION_FAILED: Self = Self { code: 29 };
    pub const GROUP_AUTHORIZATION_FAILED: Self = Self { code: 30 };
    pub const CLUSTER_AUTHORIZATION_FAILED: Self = Self { code: 31 };
    pub const INVALID_TIMESTAMP: Self = Self { code: 32 };
    pub const UNSUPPORTED_VERSION: Self = Self { code: 35 };
    pub const TOPIC_ALREADY_EXISTS: Self = Self { code: 36 };
    pub const INVALID_REPLICATION_FACTOR: Self = Self { code: 38 };
    pub const INVALID_PRODUCER_EPOCH: Self = Self { code: 47 };
    pub const CONCURRENT_TRANSACTIONS: Self = Self { code: 51 };
    pub const PRODUCER_FENCED: Self = Self { code: 90 };
    /// librdkafka's own: the local queue has no room.
    pub const QUEUE_FULL: Self = Self { code: -184 };
    /// librdkafka's own: a record was not stored within `delivery.timeout.ms`.
    pub const MSG_TIMED_OUT: Self = Self { code: -192 };
    /// librdkafka's own: the login was refused.
    pub const AUTHENTICATION: Self = Self { code: -169 };
    /// librdkafka's own: another instance holds the transactional id.
    pub const FENCED: Self = Self { code: -144 };

    pub const MEMBER_ID_REQUIRED: Self = Self { code: 79 };
    pub const GROUP_MAX_SIZE_REACHED: Self = Self { code: 81 };
    pub const FENCED_INSTANCE_ID: Self = Self { code: 82 };
    pub const NON_EMPTY_GROUP: Self = Self { code: 68 };
    pub const GROUP_ID_NOT_FOUND: Self = Self { code: 69 };
    pub const GROUP_SUBSCRIBED_TO_TOPIC: Self = Self { code: 86 };

    /// Wraps `code`, or `None` for no error.
    pub fn from_code(code: impl Into<i32>) -> Option<Self> {
        let code = code.into();
        (code != 0).then_some(Self { code })
    }

    /// Kafka's name of the code, e.g. `UNKNOWN_TOPIC_OR_PART`.
    pub fn name(self) -> &'static str {
        crate::native::errors::name(self.code)
    }

    /// Human readable text of the code.
    pub fn message(self) -> &'static str {
        crate::native::errors::message(self.code)
    }

    /// Is true when the same request may succeed later.
    pub fn is_retriable(self) -> bool {
        matches!(
            self.code,
            // Broker: metadata moves, elections, timeouts, replicas catching up, quotas, storage.
            3 | 5 | 6 | 7 | 8 | 9 | 13 | 14 | 15 | 16 | 19 | 20 | 41 | 56 | 60 | 70 | 71 | 74 | 75 | 89 | 100 | 103
            // librdkafka: transport, resolve, timeouts, brokers down, full queue, leader not known.
            | -195 | -193 | -192 | -188 | -187 | -185 | -184 | -181 | -180 | -172 | -153
        )
    }

    /// Is true when another holder of the transactional id was there first, or the transaction's time is over.
    pub fn is_fenced(self) -> bool {
        matches!(
            self,
            Self::INVALID_PRODUCER_EPOCH | Self::PRODUCER_FENCED | Self::FENCED
        )
    }

    /// Is true when the client instance can never succeed again.
    pub fn is_fatal(self) -> bool {
        // _FATAL, _FENCED, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, UNKNOWN_PRODUCER_ID on an idempotent producer.
        matches!(self.code, -150 | -144 | 90)
    }
}

impl fmt::Debug for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaError({} {})", self.code, self.name())
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for KafkaError {}

/// A failed client call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// A setting that cannot be honoured.
    #[error("invalid value {value} for configuration {key}: {reason}")]
    Config { key: String, value: String, reason: String },
    /// A code answered by a broker or by librdkafka.
    #[error("{context}: {error}")]
    Kafka { context: String, error: KafkaError },
    /// Answered by a broker with its own text.
    #[error("{message}")]
    Broker { error: KafkaError, message: String },
    /// The connection failed.
    #[error("connection to {address} failed: {source}")]
    Connection {
        address: String,
        #[source]
        source: Arc<io::Error>,
    },
    /// TLS could not be agreed on, or the login was refused.
    #[error("authentication at {address} failed: {message}")]
    Authentication { address: String, message: String },
    /// Nothing answered in time.
    #[error("timed out after {timeout_ms} ms: {context}")]
    Timeout { context: String, timeout_ms: u64 },
    /// Bytes that are not what the protocol says.
    #[error("malformed response from {address}: {reason}")]
    Malformed { address: String, reason: String },
    /// The peer does not speak a version this client needs.
    #[error("broker {address} does not support {api}")]
    Unsupported { address: String, api: &'static str },
    /// A call on a transaction failed.
    #[error("{message}")]
    Transaction {
        failure: TransactionFailure,
        error: KafkaError,
        message: String,
    },
    /// The client was closed.
    #[error("client is closed")]
    Closed,
}

/// What can be done after a failed call on a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionFailure {
    /// Another producer claimed the transactional id, or the transaction timed out: nothing.
    Fenced,
    /// The transaction can only be aborted.
    Abortable,
    /// The same call may be made again.
    Retriable,
    /// Nothing: the producer is of no further use.
    Fatal,
}

impl ClientError {
    /// Wraps a code with what was being done.
    pub fn kafka(context: impl Into<String>, error: KafkaError) -> Self {
        Self::Kafka {
            context: context.into(),
            error,
        }
    }

    /// A setting error. `value` must not be a secret.
    pub fn config(key: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::Config {
            key: key.to_owned(),
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// The broker's code, where there is one.
    pub fn code(&self) -> Option<KafkaError> {
        match self {
            Self::Kafka { error, .. } | Self::Broker { error, .. } | Self::Transaction { error, .. } => Some(*error),
            Self::Config { .. }
            | Self::Authentication { .. }
            | Self::Connection { .. }
            | Self::Timeout { .. }
            | Self::Malformed { .. }
            | Self::Unsupported { .. }
            | Self::Closed => None,
        }
    }

    /// Is true when a producer was fenced: see [`KafkaError::is_fenced`].
    pub fn is_fenced(&self) -> bool {
        self.code().is_some_and(KafkaError::is_fenced)
    }

    /// Is true when the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka { error, .. } | Self::Broker { error, .. } => error.is_retriable(),
            Self::Connection { .. } | Self::Timeout { .. } | Self::Malformed { .. } => true,
            Self::Transaction { failure, .. } => *failure == TransactionFailure::Retriable,
            Self::Config { .. } | Self::Authentication { .. } | Self::Unsupported { .. } | Self::Closed => false,
        }
    }
}

impl From<SecretsError> for ClientError {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Setting { key, value, reason } => Self::Config { key, value, reason },
            other => Self::config("ssl", "", other.to_string()),
        }
    }
}
