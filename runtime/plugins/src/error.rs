//! Errors of the plugin host, split by what the caller does about them
//!
//! [`PluginError`] rejects a request or leaves a plugin out; [`GuestError`] fails (or retries) the task whose instance
//! raised it. A guest's own error keeps its kind, so that the worker can tell a retry from a failure.

use std::path::PathBuf;

use weir_api::error::{ConnectError, ErrorKind};

use crate::version_range::InvalidRange;

/// Why a plugin cannot be found, loaded or described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// No connector class has this name; the text is Connect's.
    #[error(
        "Failed to find any class that implements Connector and which name matches {name}, available connectors are: {available}"
    )]
    UnknownConnector { name: String, available: String },
    /// No plugin of any kind has this name; the text is Connect's.
    #[error("Unknown plugin {0}.")]
    UnknownPlugin(String),
    /// The class is there, but not in a version asked for; the text is Connect's.
    #[error("Plugin {class} not found that matches the version range {range}, available versions: [{available}]")]
    UnknownVersion {
        class: String,
        range: String,
        available: String,
    },
    /// A version that is neither one nor a range.
    #[error(transparent)]
    InvalidVersion(#[from] InvalidRange),
    /// The component breaks the plugin contract: wrong imports or exports, not a component, too large.
    #[error("plugin {plugin} is unusable: {reason}")]
    Unusable { plugin: String, reason: String },
    /// The plugin's own description failed.
    #[error("plugin {plugin} cannot be described: {source}")]
    Describe {
        plugin: String,
        #[source]
        source: Box<GuestError>,
    },
    /// A setting of the worker cannot be read: a grant, or one of outgoing HTTP.
    #[error("invalid value {value} for configuration {key}: {reason}")]
    Setting { key: String, value: String, reason: String },
    /// A file of the plugin path or of the cache.
    #[error("cannot read {path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The engine could not be set up in this process.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

impl PluginError {
    /// True where the same request may succeed later without a change of settings.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// What ended a call into a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The guest returned an error by itself; the instance is usable.
    Returned,
    /// The guest trapped or broke a limit; the instance is gone.
    Trapped,
    /// The guest was ended at the stop deadline; the instance is gone.
    StopDeadline,
    /// An earlier call poisoned the instance.
    Poisoned,
    /// What the guest returned breaks the contract (frame or limit).
    Contract,
}

/// A failed call into a guest.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct GuestError {
    pub kind: ErrorKind,
    pub message: String,
    /// Wasm backtrace and last lines of standard error, or what the guest sent.
    pub trace: Option<String>,
    pub class_name: Option<String>,
    pub causes: Vec<String>,
    pub retry_after_ms: Option<u32>,
    pub fault: Fault,
}

impl GuestError {
    pub(crate) fn fatal(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Fatal,
            message: message.into(),
            trace: None,
            class_name: None,
            causes: Vec::new(),
            retry_after_ms: None,
            fault,
        }
    }

    pub(crate) fn returned(error: ConnectError) -> Self {
        Self {
            kind: error.kind,
            message: error.message,
            trace: error.trace,
            class_name: error.class_name,
            causes: error.causes,
            retry_after_ms: error.retry_after_ms,
            fault: Fault::Returned,
        }
    }

    /// True where the same call may be made again on the same instance.
    pub fn is_retriable(&self) -> bool {
        self.fault == Fault::Returned && self.kind == ErrorKind::Retriable
    }

    /// True where the instance can never be called again.
    pub fn is_poisoned(&self) -> bool {
        match self.fault {
            Fault::Trapped | Fault::StopDeadline | Fault::Poisoned => true,
            Fault::Returned | Fault::Contract => false,
        }
    }
}

impl From<GuestError> for ConnectError {
    fn from(error: GuestError) -> Self {
        ConnectError {
            kind: error.kind,
            message: error.message,
            class_name: error.class_name,
            causes: error.causes,
            trace: error.trace,
            retry_after_ms: error.retry_after_ms,
        }
    }
}

/// A limit that a guest broke. Raised inside the engine, found again in the trap by `trap.rs`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitExceeded {
    #[error("memory limit of {0} bytes exceeded")]
    Memory(usize),
    #[error("table limit of {0} elements exceeded")]
    Table(usize),
    #[error("CPU limit of {0} ms in one call exceeded")]
    Cpu(u64),
    #[error("plugin did not stop within its grace period and was ended")]
    StopDeadline,
}
