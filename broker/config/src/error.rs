//! Why a setting or a properties file was refused
//!
//! Texts are those of Kafka's `ConfigException`, because they reach users through REST answers.

/// A refused setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value does not fit the type or a validator. `value` is printed form, `[hidden]` for passwords.
    #[error("Invalid value {value} for configuration {name}: {reason}")]
    Invalid {
        /// The key.
        name: String,
        /// The value as Java prints it.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key without default is absent.
    #[error("Missing required configuration \"{0}\" which has no default value.")]
    Missing(String),
    /// A getter named a key that the definition does not hold.
    #[error("Unknown configuration '{0}'")]
    Unknown(String),
    /// Other refusals, the whole text.
    #[error("{0}")]
    Other(String),
    /// A properties file breaks its syntax.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line number, from 1.
        line: usize,
        /// What was found.
        reason: String,
    },
}

impl ConfigError {
    /// Builds [`ConfigError::Invalid`].
    pub fn invalid(name: &str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            name: name.to_owned(),
            value: value.into(),
            reason: reason.into(),
        }
    }

    /// Settings never become right by waiting.
    pub fn is_retriable(&self) -> bool {
        false
    }
}
