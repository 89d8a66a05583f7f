//! Why the broker cannot start or go on.
//!
//! Variants are split by what the operator does: change a setting, free a port, look at the data
//! directory. Faults of one request or partition are answered with Kafka codes and are not here.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;
use weir_config::error::ConfigError;
use weir_log::error::LogError;

/// Failure of the broker as a whole.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A key of `server.properties` does not parse or contradicts another.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A setting asks for something this broker does not have.
    #[error("{key}={value} is not supported: {reason}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is supported instead.
        reason: String,
    },
    /// A listener's host name does not resolve.
    #[error("listener host {host} does not resolve; name an address of this machine in listeners")]
    Resolve {
        /// The host of `listeners`.
        host: String,
        /// The resolver's answer.
        #[source]
        source: std::io::Error,
    },
    /// A port cannot be bound.
    #[error("cannot listen on {address}: {source}; stop what uses the port or change listeners")]
    Bind {
        /// Address asked for.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("data directory {} cannot be used; check log.dirs, its owner and its disk", directory.display())]
    DataDirectory {
        /// The directory of `log.dirs`.
        directory: PathBuf,
        /// What went wrong.
        #[source]
        source: LogError,
    },
    /// The metadata log or its snapshot is not readable.
    #[error("topic metadata in {} is corrupt: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// An invariant of the log broke; what was acknowledged is on disk.
    #[error("a writer thread panicked; the broker stopped and recovers at its next start")]
    Panicked,
    /// A thread of the broker cannot be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl ServerError {
    /// A broker that does not start needs its operator, whatever the cause.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        false
    }
}
