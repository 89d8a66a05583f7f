//! A stand-in host for unit tests of connectors
//!
//! Each test thread has its own. Files are real files at the paths that settings name, waits return at once, are
//! counted and move the virtual clock, offsets, budgets and the schema table are in memory. HTTP requests go to the
//! test's handler, other network calls are denied.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;

use weir_api::budget::Bucket;
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;

use crate::http::{HttpError, Request};
use crate::log::Level;
use crate::runtime::Sample;
use crate::sink::{TopicOffset, TopicPartition};

/// Answers a request that arrives at a time. An error is what the caller of `send` gets; `TimedOut` moves the clock by
/// the request's read timeout first.
pub type HttpHandler = Box<dyn FnMut(&Request, i64) -> Result<TestResponse, HttpError>>;

/// A scripted answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResponse {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// What the body does, in order; then it ends.
    pub pieces: Vec<Piece>,
}

impl TestResponse {
    /// Makes an answer with a body that is there at once.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            pieces: vec![Piece::Bytes(body.into())],
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// One thing that a body does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes arrive.
    Bytes(Vec<u8>),
    /// So many milliseconds pass. A read with a shorter wait gives `Nothing` and leaves the rest.
    Wait(u64),
    /// The connection is cut: `Reset` before the first byte, `Truncated` after it.
    Reset,
    /// Nothing comes any more: `TimedOut` once the read timeout is over.
    Hang,
}

/// A measurement: name, tags, sample.
pub type Measured = (String, Vec<(String, String)>, Sample);

/// What the stand-in host holds and saw.
#[derive(Default)]
pub struct TestHost {
    /// Settings, also those that name files.
    pub config: ConfigMap,
    /// Committed source offsets by partition text.
    pub offsets: HashMap<String, String>,
    /// What standard input has: each read takes one piece.
    pub stdin: VecDeque<Vec<u8>>,
    /// What went to standard output.
    pub stdout: Vec<u8>,
    /// Whether stop was requested.
    pub stopped: bool,
    /// Waits asked for, in milliseconds.
    pub sleeps: Vec<u32>,
    /// Lines logged.
    pub lines: Vec<(Level, String)>,
    /// Errors raised by a connector.
    pub raised: Vec<ConnectError>,
    /// How often task configs were asked to be computed again.
    pub reconfigurations: u32,
    /// Partitions of the sink task.
    pub assignment: Vec<TopicPartition>,
    /// Positions a sink task asked for.
    pub seeks: Vec<TopicOffset>,
    /// Partitions paused.
    pub paused: Vec<TopicPartition>,
    /// Records reported as bad.
    pub reported: Vec<TopicOffset>,
    /// Schemas declared.
    pub schemas: SchemaTable,
    /// What answers HTTP requests; without it they are denied.
    pub http: Option<HttpHandler>,
    /// The time. Moved by waits, on bodies too; without it time is real and waits do not move it.
    pub clock_ms: Option<i64>,
    /// Request budgets by name, on the virtual clock, shared by all tasks that the test made.
    pub budgets: HashMap<String, Bucket>,
    /// State of the random numbers: the same start gives the same numbers.
    pub random: u64,
    /// Fields of all lines logged.
    pub fields: Vec<(String, String)>,
    /// Measurements: name, tags, sample.
    pub metrics: Vec<Measured>,
    /// Secrets that the connector came to know.
    pub learned: Vec<String>,
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost")
            .field("clock_ms", &self.clock_ms)
            .field("lines", &self.lines)
            .field("sleeps", &self.sleeps)
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static HOST: RefCell<TestHost> = RefCell::new(TestHost::default());
}

/// Puts a new host in place, for this thread.
pub fn install(host: TestHost) {
    HOST.with_borrow_mut(|slot| *slot = host);
}

/// Looks at or changes this thread's host.
pub fn with_host<R>(call: impl FnOnce(&mut TestHost) -> R) -> R {
    HOST.with_borrow_mut(call)
}
