//! A stand-in host for unit tests of connectors
//!
//! Each test thread has its own. Files are real files at the paths that settings name, waits return at once and are
//! counted, offsets and the schema table are in memory. Network calls are denied.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_config::map::ConfigMap;

use crate::log::Level;
use crate::sink::{TopicOffset, TopicPartition};

/// What the stand-in host holds and saw.
#[derive(Debug, Default)]
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
