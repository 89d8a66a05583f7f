//! One partition as the server sees it: its log, who waits for it.
//!
//! Writers (the shard thread), the flusher and background work take the log's lock; readers never
//! do: they load the published `LogReader`. The log's directory is made on the first append, so a
//! partition costs nothing on disk until it holds a record.
//! Waiting for durability: an append queues its waiter first and the flush request after, so the
//! flusher either covers it or is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use weir_log::error::LogError;
use weir_log::logs::Logs;
use weir_log::partition::{LogReader, Partition, ReadResult};
use weir_metrics::clock::Clock;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::Uuid;
use weir_protocol::records::validate::BatchFacts;

use crate::purgatory::WaiterList;
use crate::topic_config::TopicConfig;

/// When an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// Once it is in the log file (acks 0 and 1).
    Written,
    /// Once a completed sync covers it (acks all, coordinator records), by the flush policy.
    Durable,
}

/// One validated batch on its way to the log.
#[derive(Debug)]
pub(crate) struct AppendJob {
    pub(crate) partition: Arc<PartitionHandle>,
    pub(crate) batch: BytesMut,
    pub(crate) facts: BatchFacts,
    pub(crate) ack: Ack,
    reply: oneshot::Sender<AppendResult>,
}

/// Where an answered append landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// -1 unless the topic stamps the append time.
    pub(crate) log_append_time_ms: i64,
    pub(crate) log_start_offset: i64,
}

/// Why an append was refused, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppendError {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
}

pub(crate) type AppendResult = Result<Appended, AppendError>;

/// The answer to an append, on its way.
#[derive(Debug)]
pub(crate) struct AppendFuture(oneshot::Receiver<AppendResult>);

impl AppendFuture {
    /// An append job and the future of its answer.
    pub(crate) fn job(
        partition: Arc<PartitionHandle>,
        batch: BytesMut,
        facts: BatchFacts,
        ack: Ack,
    ) -> (AppendJob, Self) {
        let (reply, answer) = oneshot::channel();
        (AppendJob { partition, batch, facts, ack, reply }, Self(answer))
    }

    /// Resolves when the append is answered. Dropping it does not undo the append.
    pub(crate) async fn done(self) -> AppendResult {
        self.0.await.unwrap_or_else(|_| Err(AppendError::stopping()))
    }
}

impl AppendError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// The broker is going down; the client retries later.
    pub(crate) fn stopping() -> Self {
        Self::new(ErrorCode::NOT_LEADER_OR_FOLLOWER, "the broker is stopping")
    }
}

/// An append in the log that waits for the sync that covers it.
#[derive(Debug)]
struct DurableWaiter {
    appended: Appended,
    reply: oneshot::Sender<AppendResult>,
}

/// The log of a partition.
#[derive(Debug)]
enum LogSlot {
    /// No directory on disk yet.
    Absent,
    Open(Box<Partition>),
    /// A write or sync failed, or the log on disk is corrupt: final until the next start.
    Offline(String),
    /// The topic is gone.
    Deleted,
}

/// How far consumers may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// What a completed sync covers (`weir.log.flush=ack`).
    Flushed,
    /// Everything written (`interval` and `os`).
    Written,
}

/// What all partitions of a broker share.
#[derive(Debug)]
pub(crate) struct LogEnvironment {
    pub(crate) logs: Arc<Logs>,
    pub(crate) clock: Clock,
    /// The leader epoch of this start of the broker.
    pub(crate) leader_epoch: i32,
    pub(crate) visibility: Visibility,
}

/// One partition: shared by connections, its shard, the flusher and background work.
#[derive(Debug)]
pub(crate) struct PartitionHandle {
    pub(crate) topic: Arc<str>,
    pub(crate) topic_id: Uuid,
    pub(crate) index: i32,
    /// Live configuration of the topic, replaced by an alter.
    config: ArcSwap<TopicConfig>,
    environment: Arc<LogEnvironment>,
    log: Mutex<LogSlot>,
    /// Published once the log exists; readers take no lock.
    reader: ArcSwapOption<LogReader>,
    offline: AtomicBool,
    /// Whether the flusher holds this partition already; its values are the flusher's.
    pub(crate) flush_request: AtomicU8,
    unflushed_bytes: AtomicU64,
    unflushed_records: AtomicU64,
    durable_waiters: Mutex<Vec<DurableWaiter>>,
    waiters: WaiterList,
}

impl PartitionHandle {
    pub(crate) fn new(
        topic: Arc<str>,
        topic_id: Uuid,
        index: i32,
        config: Arc<TopicConfig>,
        environment: Arc<LogEnvironment>,
    ) -> Self {
        Self {
            topic,
            topic_id,
            index,
            config: ArcSwap::from(config),
            environment,
            log: Mutex::new(LogSlot::Absent),
            reader: ArcSwapOption::empty(),
            offline: AtomicBool::new(false),
            flush_request: AtomicU8::new(0),
            unflushed_bytes: AtomicU64::new(0),
            unflushed_records: AtomicU64::new(0),
            durable_waiters: Mutex::new(Vec::new()),
            waiters: WaiterList::default(),
        }
    }

    /// Where consumers may read up to.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.reader.load().as_ref().map_or(0, |reader| match self.environment.visibility {
            Visibility::Flushed => reader.flushed_offset(),
            Visibility::Written => reader.log_end_offset(),
        })
    }

    /// The next offset to be written.
    pub(crate) fn log_end_offset(&self) -> i64 {
        self.reader.load().as_ref().map_or(0, |reader| reader.log_end_offset())
    }

    pub(crate) fn log_start_offset(&self) -> i64 {
        self.reader.load().as_ref().map_or(0, |reader| reader.log_start_offset())
    }

    /// The log's reader; none while no record was ever written.
    pub(crate) fn reader(&self) -> Option<Arc<LogReader>> {
        self.reader.load_full()
    }

    /// The fetches parked here.
    pub(crate) fn waiters(&self) -> &WaiterList {
        &self.waiters
    }
}
