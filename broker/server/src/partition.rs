//! One partition as the server sees it: its log, who waits for it.
//!
//! Writers (the shard thread), the flusher and background work take the log's lock; readers never
//! do: they load the published `LogReader`. The log's directory is made on the first append, so a
//! partition costs nothing on disk until it holds a record.
//! Waiting for durability: an append queues its waiter first and the flush request after, so the
//! flusher either covers it or is asked again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use weir_log::checkpoint::TopicPartition;
use weir_log::error::LogError;
use weir_log::log_config::LogConfig;
use weir_log::logs::Logs;
use weir_log::partition::{AppendInfo, AppendTime, IncomingBatch, Partition};
use weir_log::reader::LogReader;
use weir_metrics::clock::Clock;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::messages::Uuid;

use crate::append::{Ack, AppendError, AppendJob, AppendResult, Appended};
use crate::broker_metrics::Counters;
use crate::purgatory::WaiterList;
use crate::topic_config::TopicConfig;
use crate::uuid_text;

/// What a run of appends asks of the flusher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushNeed {
    /// Nothing ever waits for a sync.
    None,
    /// Someone waits, or a bound is reached.
    Now,
    WithinMs(i64),
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
    Offline,
    /// The topic is gone.
    Deleted,
}

const SERVING: u8 = 0;
const OFFLINE: u8 = 1;
const DELETED: u8 = 2;

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
    pub(crate) flush: FlushBounds,
    /// Settings of a log that are the broker's, not the topic's.
    pub(crate) defaults: LogConfig,
    pub(crate) counters: Arc<Counters>,
}

/// How long and how much may stay unsynced when nobody waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FlushBounds {
    /// `i64::MAX` for no bound by time.
    pub(crate) max_delay_ms: i64,
    pub(crate) max_bytes: u64,
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
    /// `SERVING`, `OFFLINE` or `DELETED`, for those who do not take the lock.
    condition: AtomicU8,
    /// Whether the flusher holds this partition already; its values are the flusher's.
    pub(crate) flush_request: AtomicU8,
    unflushed_bytes: AtomicU64,
    unflushed_records: AtomicU64,
    durable_waiters: Mutex<Vec<DurableWaiter>>,
    waiters: Arc<WaiterList>,
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
            condition: AtomicU8::new(SERVING),
            flush_request: AtomicU8::new(0),
            unflushed_bytes: AtomicU64::new(0),
            unflushed_records: AtomicU64::new(0),
            durable_waiters: Mutex::new(Vec::new()),
            waiters: Arc::default(),
        }
    }

    /// The partition as the log names it.
    pub(crate) fn name(&self) -> TopicPartition {
        TopicPartition {
            topic: self.topic.to_string(),
            partition: self.index,
        }
    }

    /// Which of `shards` writers appends here: a hash that spreads the partitions of a topic.
    pub(crate) fn shard(&self, shards: usize) -> usize {
        let name: usize = self
            .topic
            .bytes()
            .fold(0, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        name.wrapping_add(self.index.unsigned_abs() as usize) % shards.max(1)
    }

    /// Where consumers may read up to.
    pub(crate) fn high_watermark(&self) -> i64 {
        self.reader
            .load()
            .as_ref()
            .map_or(0, |reader| match self.environment.visibility {
                Visibility::Flushed => reader.flushed_offset(),
                Visibility::Written => reader.log_end_offset(),
            })
    }

    /// Where consumers of committed records may read up to.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        let high_watermark = self.high_watermark();
        let reader = self.reader.load();
        reader
            .as_ref()
            .map_or(0, |reader| reader.last_stable_offset(high_watermark))
    }

    /// The next offset to be written.
    pub(crate) fn log_end_offset(&self) -> i64 {
        self.reader.load().as_ref().map_or(0, |reader| reader.log_end_offset())
    }

    pub(crate) fn log_start_offset(&self) -> i64 {
        self.reader
            .load()
            .as_ref()
            .map_or(0, |reader| reader.log_start_offset())
    }

    /// Bytes from one offset to another when they are all in memory.
    pub(crate) fn tail_bytes_between(&self, from: i64, end: i64) -> Option<usize> {
        match self.reader.load().as_ref() {
            Some(reader) => reader.tail_bytes_between(from, end),
            None => Some(0),
        }
    }

    /// The log's reader; none while no record was ever written.
    pub(crate) fn reader(&self) -> Option<Arc<LogReader>> {
        self.reader.load_full()
    }

    /// The fetches parked here.
    pub(crate) fn waiters(&self) -> &Arc<WaiterList> {
        &self.waiters
    }

    /// Why nothing can be read or written here any more.
    pub(crate) fn unavailable(&self) -> Option<ErrorCode> {
        match self.condition.load(Ordering::Acquire) {
            SERVING => None,
            DELETED => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            _ => Some(ErrorCode::KAFKA_STORAGE_ERROR),
        }
    }

    /// Whether the log stopped until the next start.
    pub(crate) fn is_offline(&self) -> bool {
        self.condition.load(Ordering::Acquire) == OFFLINE
    }

    /// The epoch this broker leads in.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.environment.leader_epoch
    }

    /// What a request that knows another leader epoch is told; -1 does not check.
    pub(crate) fn check_leader_epoch(&self, known: i32) -> Option<ErrorCode> {
        let own = self.environment.leader_epoch;
        match known {
            -1 => None,
            known if known < own => Some(ErrorCode::FENCED_LEADER_EPOCH),
            known if known > own => Some(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => None,
        }
    }

    /// The epoch an offset was written in; -1 when nothing is known.
    pub(crate) fn epoch_of(&self, offset: i64) -> i32 {
        match &*self.log.lock() {
            LogSlot::Open(log) => log.leader_epoch_of(offset).unwrap_or(-1),
            LogSlot::Absent | LogSlot::Offline | LogSlot::Deleted => -1,
        }
    }

    /// The largest epoch up to `epoch` and where it ended: (-1, -1) when there is none.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> (i32, i64) {
        if epoch == self.environment.leader_epoch {
            return (epoch, self.log_end_offset());
        }
        if epoch > self.environment.leader_epoch {
            return (-1, -1);
        }
        match &*self.log.lock() {
            LogSlot::Open(log) => log.offset_for_leader_epoch(epoch).unwrap_or((-1, -1)),
            LogSlot::Absent | LogSlot::Offline | LogSlot::Deleted => (-1, -1),
        }
    }

    /// Gives the partition the log found on disk at start.
    pub(crate) fn attach(&self, log: Partition) {
        let mut slot = self.log.lock();
        self.publish(&mut slot, log);
    }

    /// The topic's settings changed.
    pub(crate) fn configure(&self, config: Arc<TopicConfig>) {
        if let LogSlot::Open(log) = &mut *self.log.lock() {
            log.set_config(config.log_config(&self.environment.defaults));
        }
        self.config.store(config);
    }

    /// The settings the log is opened with.
    pub(crate) fn log_config(&self) -> LogConfig {
        self.config.load().log_config(&self.environment.defaults)
    }

    fn publish(&self, slot: &mut LogSlot, log: Partition) {
        self.reader.store(Some(log.reader()));
        *slot = LogSlot::Open(Box::new(log));
    }

    /// The open log, made on first use.
    fn open<'a>(&self, slot: &'a mut LogSlot) -> Result<&'a mut Partition, AppendError> {
        if matches!(slot, LogSlot::Absent) {
            let config = self.log_config();
            let log = self
                .environment
                .logs
                .create_partition(&self.name(), &uuid_text::text(self.topic_id), config)
                .map_err(AppendError::from)?;
            self.publish(slot, log);
        }
        match slot {
            LogSlot::Open(log) => Ok(log),
            LogSlot::Deleted => Err(AppendError::new(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "This server does not host this topic-partition.",
            )),
            LogSlot::Offline | LogSlot::Absent => Err(AppendError::offline()),
        }
    }

    /// Appends a run of batches in order and answers or parks each. On the writer's thread.
    pub(crate) fn append_run(&self, run: Vec<AppendJob>) -> FlushNeed {
        let mut batches = Vec::with_capacity(run.len());
        let mut replies = Vec::with_capacity(run.len());
        let mut bytes = 0;
        for AppendJob {
            batch,
            facts,
            ack,
            reply,
            ..
        } in run
        {
            bytes += batch.len() as u64;
            batches.push(IncomingBatch { bytes: batch, facts });
            replies.push((ack, reply));
        }
        let at = AppendTime {
            now_ms: self.environment.clock.now_ms(),
            leader_epoch: self.environment.leader_epoch,
        };
        let answers = {
            let mut slot = self.log.lock();
            match self.open(&mut slot) {
                Ok(log) => {
                    let answers = log.append_all(batches, at);
                    if log.offline_reason().is_some() {
                        self.go_offline(&mut slot);
                    }
                    answers
                }
                Err(error) => {
                    drop(slot);
                    for (_, reply) in replies {
                        let _ = reply.send(Err(error.clone()));
                    }
                    return FlushNeed::None;
                }
            }
        };
        let needs_sync = self.answer_run(replies, answers);
        self.unflushed_bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.environment.visibility == Visibility::Written {
            self.waiters.wake_all();
        }
        self.flush_need(needs_sync)
    }

    /// Answers what need not wait; true when something waits for a sync.
    fn answer_run(
        &self,
        replies: Vec<(Ack, oneshot::Sender<AppendResult>)>,
        answers: Vec<Result<AppendInfo, LogError>>,
    ) -> bool {
        let waits_for_sync = self.environment.visibility == Visibility::Flushed;
        let log_start_offset = self.log_start_offset();
        let mut parked = Vec::new();
        let mut records = 0;
        for ((ack, reply), answer) in replies.into_iter().zip(answers) {
            // Receivers that are gone are connections that closed: nobody is left to tell.
            match answer {
                Err(error) => {
                    let _ = reply.send(Err(AppendError::from(error)));
                }
                Ok(info) => {
                    records += info.last_offset - info.base_offset + 1;
                    let appended = Appended {
                        base_offset: info.base_offset,
                        last_offset: info.last_offset,
                        log_append_time_ms: info.log_append_time_ms,
                        log_start_offset,
                    };
                    if ack == Ack::Durable && waits_for_sync {
                        parked.push(DurableWaiter { appended, reply });
                    } else {
                        let _ = reply.send(Ok(appended));
                    }
                }
            }
        }
        self.unflushed_records
            .fetch_add(records.unsigned_abs(), Ordering::Relaxed);
        self.environment
            .counters
            .messages_in
            .fetch_add(records.unsigned_abs(), Ordering::Relaxed);
        let needs_sync = !parked.is_empty();
        if needs_sync {
            self.durable_waiters.lock().append(&mut parked);
        }
        needs_sync
    }

    fn flush_need(&self, needs_sync: bool) -> FlushNeed {
        let config = self.config.load();
        let bounds = &self.environment.flush;
        let is_awaited = self.environment.visibility == Visibility::Flushed && !self.waiters.is_empty();
        let is_full = self.unflushed_bytes.load(Ordering::Relaxed) >= bounds.max_bytes
            || self.unflushed_records.load(Ordering::Relaxed) >= config.flush_messages;
        match bounds.max_delay_ms.min(config.flush_ms) {
            _ if needs_sync || is_awaited || is_full => FlushNeed::Now,
            i64::MAX => FlushNeed::None,
            delay_ms => FlushNeed::WithinMs(delay_ms),
        }
    }

    /// Syncs what was appended so far and answers who waited for it. On the flusher's thread, or
    /// the writer's; two at once are fine.
    pub(crate) fn flush(&self) {
        self.unflushed_bytes.store(0, Ordering::Relaxed);
        self.unflushed_records.store(0, Ordering::Relaxed);
        let dirty = match &*self.log.lock() {
            LogSlot::Open(log) => log.dirty_files(),
            LogSlot::Absent | LogSlot::Offline | LogSlot::Deleted => None,
        };
        // Without the lock: appends go on while the disk works.
        if let Some(handle) = dirty {
            let synced = handle.sync();
            let mut slot = self.log.lock();
            if let LogSlot::Open(log) = &mut *slot {
                match synced {
                    Ok(()) => log.note_flushed(&handle),
                    Err(error) => {
                        log.set_offline(&error);
                        self.go_offline(&mut slot);
                    }
                }
            }
        }
        self.answer_durable();
        self.waiters.wake_all();
    }

    /// Answers every waiter below the flushed offset; all, with an error, once the log stopped.
    fn answer_durable(&self) {
        let refusal = self
            .unavailable()
            .map(|code| AppendError::new(code, "the log is offline"));
        let flushed = self.reader.load().as_ref().map_or(0, |reader| reader.flushed_offset());
        let due: Vec<DurableWaiter> = {
            let mut waiters = self.durable_waiters.lock();
            if refusal.is_some() {
                std::mem::take(&mut *waiters)
            } else {
                waiters
                    .extract_if(.., |waiter| waiter.appended.last_offset < flushed)
                    .collect()
            }
        };
        for DurableWaiter { appended, reply } in due {
            let _ = reply.send(match &refusal {
                Some(error) => Err(error.clone()),
                None => Ok(appended),
            });
        }
    }

    fn go_offline(&self, slot: &mut LogSlot) {
        *slot = LogSlot::Offline;
        self.condition.store(OFFLINE, Ordering::Release);
    }

    /// Marks a log that cannot be served, found at start.
    pub(crate) fn set_offline(&self) {
        self.go_offline(&mut self.log.lock());
    }

    /// The topic is deleted: its log goes and everyone who waits is told.
    pub(crate) fn delete(&self) {
        let was_absent = {
            let mut slot = self.log.lock();
            let was_absent = matches!(*slot, LogSlot::Absent);
            *slot = LogSlot::Deleted;
            was_absent
        };
        self.condition.store(DELETED, Ordering::Release);
        if !was_absent && let Err(error) = self.environment.logs.delete_partition(&self.name()) {
            tracing::error!(
                topic = &*self.topic,
                partition = self.index,
                error = &error as &dyn std::error::Error,
                "log of a deleted topic cannot be removed"
            );
        }
        self.answer_durable();
        self.waiters.wake_all();
    }

    /// Moves the log start durably; answers it.
    ///
    /// # Errors
    /// The code the client is told.
    pub(crate) fn delete_records(&self, before: i64) -> Result<i64, ErrorCode> {
        let mut slot = self.log.lock();
        if matches!(*slot, LogSlot::Absent) && before == 0 {
            return Ok(0);
        }
        let log = self.open(&mut slot).map_err(|error| error.code)?;
        let moved = log.delete_records(before);
        drop(slot);
        self.waiters.wake_all();
        moved.map_err(|error| {
            tracing::error!(
                topic = &*self.topic,
                partition = self.index,
                error = &error as &dyn std::error::Error,
                "records cannot be deleted"
            );
            error.code()
        })
    }

    /// Runs background work on the open log, if there is one.
    pub(crate) fn with_log<T>(&self, work: impl FnOnce(&mut Partition) -> Result<T, LogError>) -> Option<T> {
        let mut slot = self.log.lock();
        let LogSlot::Open(log) = &mut *slot else {
            return None;
        };
        match work(log) {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(
                    topic = &*self.topic,
                    partition = self.index,
                    error = &error as &dyn std::error::Error,
                    "background work on the log failed"
                );
                if log.offline_reason().is_some() {
                    self.go_offline(&mut slot);
                }
                None
            }
        }
    }

    /// Ends the log at a clean stop; gives it back to be closed.
    pub(crate) fn detach(&self) -> Option<Partition> {
        let mut slot = self.log.lock();
        match std::mem::replace(&mut *slot, LogSlot::Deleted) {
            LogSlot::Open(log) => Some(*log),
            LogSlot::Absent | LogSlot::Offline | LogSlot::Deleted => None,
        }
    }
}

#[cfg(test)]
mod tests;
