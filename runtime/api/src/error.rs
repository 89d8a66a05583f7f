//! The error of plugin code: connectors, tasks, converters
//!
//! Split by what the worker does next: retry, fail the task, refuse the config, judge the record by
//! `errors.tolerance`, or nothing because stop was asked. Kafka: `ConnectException` and its children.

use std::fmt;

/// What the worker does with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Try the same call again later (`RetriableException`).
    Retriable,
    /// The task or connector fails (`ConnectException`).
    Fatal,
    /// The settings are wrong (`ConfigException`).
    Config,
    /// One record is bad (`DataException`).
    Data,
    /// The call ended early because stop was requested; never logged as a failure.
    Stopped,
}

impl ErrorKind {
    /// Gives the Java class that stands for the kind in traces and dead-letter headers.
    pub fn class_name(self) -> &'static str {
        match self {
            Self::Retriable => "org.apache.kafka.connect.errors.RetriableException",
            Self::Fatal | Self::Stopped => "org.apache.kafka.connect.errors.ConnectException",
            Self::Config => "org.apache.kafka.common.config.ConfigException",
            Self::Data => "org.apache.kafka.connect.errors.DataException",
        }
    }
}

/// An error of plugin code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError {
    /// What the worker does with it.
    pub kind: ErrorKind,
    /// What went wrong.
    pub message: String,
    /// Name shown in traces and in `__connect.errors.exception.class.name`, if not the kind's own.
    pub class_name: Option<String>,
    /// Messages of causes, innermost last.
    pub causes: Vec<String>,
    /// A backtrace.
    pub trace: Option<String>,
    /// Only for [`ErrorKind::Retriable`]: a wish, clamped by the worker.
    pub retry_after_ms: Option<u32>,
}

impl ConnectError {
    /// Builds an error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            class_name: None,
            causes: Vec::new(),
            trace: None,
            retry_after_ms: None,
        }
    }

    /// Builds an error after which the same call is tried again.
    pub fn retriable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Retriable, message)
    }

    /// Builds an error that fails the task.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fatal, message)
    }

    /// Builds an error in the settings.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Builds an error of one record.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }

    /// Builds the answer of a call that ended because stop was requested.
    pub fn stopped() -> Self {
        Self::new(ErrorKind::Stopped, "stop was requested")
    }

    /// Adds the message of a cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Sets the class name shown in traces.
    #[must_use]
    pub fn with_class_name(mut self, class_name: impl Into<String>) -> Self {
        self.class_name = Some(class_name.into());
        self
    }

    /// Gives the class name shown in traces.
    pub fn class_name(&self) -> &str {
        self.class_name.as_deref().unwrap_or(self.kind.class_name())
    }

    /// Tells whether the same call may be tried again.
    pub fn is_retriable(&self) -> bool {
        self.kind == ErrorKind::Retriable
    }

    /// Gives the text a status shows as trace, in the shape of a Java stack trace.
    pub fn trace_text(&self) -> String {
        let mut text = format!("{}: {}", self.class_name(), self.message);
        for cause in &self.causes {
            text.push_str("\nCaused by: ");
            text.push_str(cause);
        }
        if let Some(trace) = &self.trace {
            text.push('\n');
            text.push_str(trace);
        }
        text
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConnectError {}

impl From<weir_config::error::ConfigError> for ConnectError {
    fn from(error: weir_config::error::ConfigError) -> Self {
        Self::config(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectError;

    #[test]
    fn trace_text_reads_like_a_java_trace() {
        let mut error = ConnectError::data("bad record").caused_by("inner");
        error.trace = Some("  0: guest!poll".to_owned());
        assert_eq!(
            error.trace_text(),
            "org.apache.kafka.connect.errors.DataException: bad record\nCaused by: inner\n  0: guest!poll"
        );
        assert!(ConnectError::retriable("x").is_retriable());
    }
}
