//! Errors of the data plane, split by what the caller does next.
//!
//! [`WorkerError`] rejects a request of the herder; [`TaskFailure`] is what ends a task and what
//! becomes the trace of its status. Class names in traces are Kafka's, because people search them.

use std::fmt::Write as _;

use weir_api::error::{ConnectError, ErrorKind};
use weir_client::error::{ClientError, KafkaError, TransactionFailure};
use weir_config::error::ConfigError;
use weir_plugins::error::{GuestError, PluginError};
use weir_secrets::error::SecretsError;
use weir_stores::error::StoreError;

/// Why the worker refused or failed a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A setting does not parse.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Settings that do not go together; the whole text.
    #[error("{0}")]
    Invalid(String),
    /// A config provider that could not be asked.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A client setting that cannot be honoured, or a client that cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An offsets topic that cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such class, or an unusable component.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The connector's own code failed.
    #[error("{0}")]
    Connector(TaskFailure),
    /// Already running here.
    #[error("{0}")]
    Exists(String),
    /// Not running here.
    #[error("{0}")]
    NotFound(String),
    /// More task configs than `tasks.max` allows.
    #[error(
        "The connector {connector} has generated {generated} tasks, which is greater than {max}, the maximum number of tasks it is configured to create. This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to false; however, this option will be removed in a future release of Kafka Connect."
    )]
    TooManyTasks {
        connector: String,
        generated: usize,
        max: u32,
    },
    /// Offsets of a connector could not be read or changed; the whole text.
    #[error("{0}")]
    Offsets(String),
    /// The connector was told to change state again before it finished.
    #[error("{0}")]
    Superseded(String),
}

impl WorkerError {
    /// Is true when the same request may succeed later without a change of settings.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Client(error) => error.is_retriable(),
            Self::Store(error) => error.is_retriable(),
            Self::Plugin(error) => error.is_retriable(),
            Self::Connector(failure) => failure.retriable,
            Self::Superseded(_) => true,
            // A secret that is put in its place later is found by the next start.
            Self::Config(_)
            | Self::Invalid(_)
            | Self::Secrets(_)
            | Self::Exists(_)
            | Self::NotFound(_)
            | Self::Offsets(_)
            | Self::TooManyTasks { .. } => false,
        }
    }
}

/// Class names used in traces.
pub const CONNECT_EXCEPTION: &str = "org.apache.kafka.connect.errors.ConnectException";
pub const RETRIABLE_EXCEPTION: &str = "org.apache.kafka.connect.errors.RetriableException";
pub const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
pub const CONFIG_EXCEPTION: &str = "org.apache.kafka.common.config.ConfigException";
pub const KAFKA_EXCEPTION: &str = "org.apache.kafka.common.KafkaException";
pub const TIMEOUT_EXCEPTION: &str = "org.apache.kafka.common.errors.TimeoutException";
pub const PRODUCER_FENCED_EXCEPTION: &str = "org.apache.kafka.common.errors.ProducerFencedException";
pub const INVALID_PRODUCER_EPOCH_EXCEPTION: &str = "org.apache.kafka.common.errors.InvalidProducerEpochException";

/// Class that Kafka's clients throw for a code; those that people meet in traces of tasks.
pub fn kafka_class(error: KafkaError) -> &'static str {
    match error {
        KafkaError::INVALID_PRODUCER_EPOCH => INVALID_PRODUCER_EPOCH_EXCEPTION,
        KafkaError::PRODUCER_FENCED | KafkaError::FENCED => PRODUCER_FENCED_EXCEPTION,
        KafkaError::MSG_SIZE_TOO_LARGE => "org.apache.kafka.common.errors.RecordTooLargeException",
        KafkaError::INVALID_TOPIC => "org.apache.kafka.common.errors.InvalidTopicException",
        KafkaError::INVALID_TIMESTAMP => "org.apache.kafka.common.errors.InvalidTimestampException",
        KafkaError::INVALID_RECORD => "org.apache.kafka.common.InvalidRecordException",
        KafkaError::INVALID_REPLICATION_FACTOR => "org.apache.kafka.common.errors.InvalidReplicationFactorException",
        KafkaError::POLICY_VIOLATION => "org.apache.kafka.common.errors.PolicyViolationException",
        KafkaError::TOPIC_AUTHORIZATION_FAILED => "org.apache.kafka.common.errors.TopicAuthorizationException",
        KafkaError::UNKNOWN_TOPIC_OR_PARTITION => "org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
        KafkaError::MSG_TIMED_OUT => TIMEOUT_EXCEPTION,
        _ => KAFKA_EXCEPTION,
    }
}

/// What ended a task or a connector: a chain of causes, outermost first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TaskFailure {
    pub class_name: String,
    pub message: String,
    /// Lines below the message: a wasm backtrace, or what a plugin sent.
    pub trace: Option<String>,
    pub cause: Option<Box<TaskFailure>>,
    pub retriable: bool,
}

impl TaskFailure {
    /// A failure of the framework itself.
    pub fn connect(message: impl Into<String>) -> Self {
        Self::of(CONNECT_EXCEPTION, message)
    }

    /// A failure under any class name.
    pub fn of(class_name: &str, message: impl Into<String>) -> Self {
        Self {
            class_name: class_name.to_owned(),
            message: message.into(),
            trace: None,
            cause: None,
            retriable: false,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Self>) -> Self {
        self.cause = Some(Box::new(cause.into()));
        self
    }

    /// Is true when the failure may pass by itself: it or one of its causes is retriable.
    pub fn may_pass(&self) -> bool {
        self.retriable || self.cause.as_ref().is_some_and(|cause| cause.may_pass())
    }

    /// Returns the message of the innermost cause.
    pub fn root_text(&self) -> String {
        self.cause
            .as_ref()
            .map_or_else(|| self.message.clone(), |cause| cause.root_text())
    }

    /// Prints the chain as a Java stack trace reads.
    pub fn to_trace(&self) -> String {
        let mut out = String::new();
        let mut next = Some(self);
        while let Some(failure) = next {
            if !out.is_empty() {
                out.push_str("Caused by: ");
            }
            let _ = writeln!(out, "{}: {}", failure.class_name, failure.message);
            for line in failure.trace.iter().flat_map(|trace| trace.lines()) {
                let _ = writeln!(out, "\t{}", line.trim_end());
            }
            next = failure.cause.as_deref();
        }
        out
    }
}

impl From<ConnectError> for TaskFailure {
    fn from(error: ConnectError) -> Self {
        let class_name = error.class_name.unwrap_or_else(|| {
            match error.kind {
                ErrorKind::Retriable => RETRIABLE_EXCEPTION,
                ErrorKind::Fatal | ErrorKind::Stopped => CONNECT_EXCEPTION,
                ErrorKind::Config => CONFIG_EXCEPTION,
                ErrorKind::Data => DATA_EXCEPTION,
            }
            .to_owned()
        });
        let mut cause = None;
        for text in error.causes.into_iter().rev() {
            let mut inner = Self::connect(text);
            inner.cause = cause.take();
            cause = Some(Box::new(inner));
        }
        Self {
            class_name,
            message: error.message,
            trace: error.trace,
            cause,
            retriable: error.kind == ErrorKind::Retriable,
        }
    }
}

impl From<GuestError> for TaskFailure {
    fn from(error: GuestError) -> Self {
        let retriable = error.is_retriable();
        Self {
            retriable,
            ..Self::from(ConnectError::from(error))
        }
    }
}

impl From<ClientError> for TaskFailure {
    fn from(error: ClientError) -> Self {
        let class_name = match (&error, error.code()) {
            (ClientError::Config { .. }, _) => CONFIG_EXCEPTION,
            (ClientError::Timeout { .. }, _) => TIMEOUT_EXCEPTION,
            (_, Some(code)) => kafka_class(code),
            _ => KAFKA_EXCEPTION,
        };
        // A transaction that was given up for a passing reason may succeed in the task's next run.
        let may_pass = match &error {
            ClientError::Transaction {
                failure: TransactionFailure::Abortable,
                error,
                ..
            } => error.is_retriable(),
            other => other.is_retriable(),
        };
        Self {
            retriable: may_pass,
            ..Self::of(class_name, error.to_string())
        }
    }
}

impl From<PluginError> for TaskFailure {
    fn from(error: PluginError) -> Self {
        Self {
            retriable: error.is_retriable(),
            ..Self::connect(error.to_string())
        }
    }
}

impl From<ConfigError> for TaskFailure {
    fn from(error: ConfigError) -> Self {
        Self::of(CONFIG_EXCEPTION, error.to_string())
    }
}

impl From<WorkerError> for TaskFailure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Config(error) => error.into(),
            WorkerError::Client(error) => error.into(),
            WorkerError::Plugin(error) => error.into(),
            WorkerError::Connector(failure) => failure,
            WorkerError::Secrets(_)
            | WorkerError::Store(_)
            | WorkerError::Invalid(_)
            | WorkerError::Exists(_)
            | WorkerError::NotFound(_)
            | WorkerError::Offsets(_)
            | WorkerError::TooManyTasks { .. }
            | WorkerError::Superseded(_) => Self::connect(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_given_up_for_a_passing_reason_may_pass_in_another_run() {
        let failed = |failure, code: i32| {
            let error = ClientError::Transaction {
                failure,
                error: KafkaError::from_code(code).unwrap(),
                message: "m".to_owned(),
            };
            TaskFailure::connect("outer").caused_by(error).may_pass()
        };
        assert!(failed(TransactionFailure::Abortable, 3), "unknown topic, for now");
        assert!(!failed(TransactionFailure::Abortable, 29), "not authorized");
        assert!(!failed(TransactionFailure::Fenced, -144) && !failed(TransactionFailure::Fatal, 3));
    }
}
