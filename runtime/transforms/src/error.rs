//! Why a chain could not be built

use weir_config::error::ConfigError;

/// A transformation or predicate that cannot be set up as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransformError {
    /// A setting is refused, with Kafka's text.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A Java regular expression uses what Weir's engine does not have.
    #[error("regular expression {pattern} cannot be used: {reason}")]
    Regex {
        /// The expression as given.
        pattern: String,
        /// What is missing.
        reason: String,
    },
}

impl TransformError {
    /// Settings never become right by waiting.
    pub fn is_retriable(&self) -> bool {
        false
    }

    pub(crate) fn text(message: impl Into<String>) -> Self {
        Self::Config(ConfigError::Other(message.into()))
    }
}
