//! Why the registry cannot start or go on
//!
//! What is refused to a client is in `refusal`; this is for whoever runs the process.

use std::io;

use weir_client::error::ClientError;
use weir_config::error::ConfigError;

/// A registry that cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A value that does not fit its key.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting that cannot be honoured.
    #[error("invalid value {value} for configuration {key}: {reason}")]
    Setting {
        /// The key.
        key: String,
        /// Its value; never a secret.
        value: String,
        /// What would be right.
        reason: String,
    },
    /// A listener could not be opened.
    #[error(
        "the Schema Registry cannot listen on {address}: {source}; stop what uses the port, or choose another (listeners)"
    )]
    Bind {
        /// What was asked for.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The schemas topic is there and cannot serve.
    #[error("{0}")]
    Topic(String),
    /// Kafka could not be reached, or refused.
    #[error("{context}: {source}")]
    Kafka {
        /// What was being done.
        context: String,
        /// The client's reason.
        #[source]
        source: ClientError,
    },
    /// A part of the registry ended by itself.
    #[error("the Schema Registry's {0} ended by itself")]
    Ended(&'static str),
}

impl RegistryError {
    pub(crate) fn setting(key: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key: key.to_owned(),
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// Is true when starting again may succeed.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka { source, .. } => source.is_retriable(),
            Self::Ended(_) => true,
            Self::Config(_) | Self::Setting { .. } | Self::Bind { .. } | Self::Topic(_) => false,
        }
    }
}
