//! TCP and TLS connections by host name
//!
//! The host resolves the name, checks it and the address against the grants, and speaks TLS, so a plugin carries no
//! TLS library. A plugin asks for [`Capability::Tcp`](crate::plugin::Capability::Tcp). For HTTP use `wasi:http`.

use crate::host;

/// Why a connection call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetError {
    /// No grant covers host, port or address.
    Denied,
    /// The name is unknown.
    NotFound,
    /// Nobody listens there.
    Refused,
    /// The peer reset the connection.
    Reset,
    /// The time given passed.
    TimedOut,
    /// The handshake failed.
    Tls,
    /// The connection is closed, or stop was requested.
    Closed,
    /// Anything else.
    Other,
}

impl std::fmt::Display for NetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Denied => "connection denied: no grant covers it",
            Self::NotFound => "host name not found",
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::TimedOut => "connection timed out",
            Self::Tls => "tls handshake failed",
            Self::Closed => "connection closed",
            Self::Other => "connection failed",
        })
    }
}

impl std::error::Error for NetError {}

/// How to speak TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Name to verify; `None` = the host name.
    pub server_name: Option<String>,
    /// Protocols offered.
    pub alpn: Vec<String>,
    /// Trusted roots as PEM; `None` = the worker's.
    pub roots: Option<String>,
}

/// An open connection; dropped = closed.
#[derive(Debug)]
pub struct Connection(host::ConnectionHandle);

impl Connection {
    /// Connects; with `tls` the first byte is already encrypted.
    pub fn connect(host: &str, port: u16, tls: Option<&Tls>, timeout_ms: u32) -> Result<Self, NetError> {
        host::connect(host, port, tls, timeout_ms).map(Self)
    }

    /// Starts TLS on an open connection (PostgreSQL, SMTP).
    pub fn start_tls(&self, tls: &Tls) -> Result<(), NetError> {
        self.0.start_tls(tls)
    }

    /// Reads up to `max` bytes; empty = end of stream.
    pub fn read(&self, max: u32, timeout_ms: u32) -> Result<Vec<u8>, NetError> {
        self.0.read(max, timeout_ms)
    }

    /// Writes all bytes.
    pub fn write(&self, bytes: &[u8]) -> Result<(), NetError> {
        self.0.write(bytes)
    }
}
