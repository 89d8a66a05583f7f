//! Exactly-once delivery: records and their offsets in one transaction (KIP-618).
//!
//! Further steps of the loop in `source/task.rs`, taken only when the worker supports exactly-once sources: fence and
//! claim before the start, begin at the first record, commit or abort where `boundary` says. Offsets go to the
//! offsets topic through the task's own producer. Source: `ExactlyOnceWorkerSourceTask`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_client::error::{ClientError, KafkaError};
use weir_client::producer::{Ack, OutRecord};
use weir_stores::offsets::{OffsetChange, OffsetRecord};

use crate::error::TaskFailure;
use crate::lifecycle::TaskId;
use crate::source::boundary::{Boundary, End};
use crate::source::gate::{SourceGate, TaskGeneration};
use crate::source::task::{SourceTask, Work};

/// How long one blocking call on the producer may take before control is looked at again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failed task tries to abort what it left open; its successor fences it otherwise.
const ABORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a wait for acknowledgements looks whether the task is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Opaques from here on are offset records; sequence numbers of records never get there.
const OFFSETS_FROM: u64 = 1 << 63;

/// The transactions of one source task.
#[derive(Debug)]
pub struct Transactions {
    boundary: Boundary,
    gate: Option<Arc<dyn SourceGate>>,
    generation: TaskGeneration,
    /// The topic that offsets are committed to; no record may go there.
    offsets_topic: String,
    is_open: bool,
    /// A batch was given up half-way: what was sent of it must not become visible.
    is_torn: bool,
    /// Places of the offset records on their way, by their number.
    positions: Vec<i64>,
}

/// What transactions are made of.
#[derive(Debug)]
pub struct TransactionParts {
    pub boundary: Boundary,
    /// None: nobody else can hold the task's transactional id for another task set.
    pub gate: Option<Arc<dyn SourceGate>>,
    pub generation: TaskGeneration,
    pub offsets_topic: String,
}

impl Transactions {
    /// Starts with no transaction open.
    pub fn new(parts: TransactionParts) -> Self {
        Self {
            boundary: parts.boundary,
            gate: parts.gate,
            generation: parts.generation,
            offsets_topic: parts.offsets_topic,
            is_open: false,
            is_torn: false,
            positions: Vec::new(),
        }
    }

    /// Record flags that end a transaction; 0 = none does.
    pub fn record_mask(&self) -> u16 {
        self.boundary.record_mask()
    }

    /// Takes the acknowledgement of an offset record; false when it is another's.
    pub fn take_ack(&mut self, ack: &Ack) -> bool {
        let Some(number) = ack.opaque.checked_sub(OFFSETS_FROM) else {
            return false;
        };
        if let Some(position) = usize::try_from(number).ok().and_then(|at| self.positions.get_mut(at)) {
            *position = ack.offset;
        }
        true
    }

    /// Refuses records for the task's own offsets topic: reading offsets would wait for the transaction that holds them.
    fn check_topic(&self, topic: &str) -> Result<(), TaskFailure> {
        if topic == self.offsets_topic {
            return Err(TaskFailure::connect(
                "Source tasks may not produce to their own offsets topics when exactly-once support is enabled",
            ));
        }
        Ok(())
    }
}

impl SourceTask {
    /// Fences earlier tasks, claims the transactional id, checks that the task is still wanted. False when a stop came first.
    ///
    /// # Errors
    /// Fencing, claim or check failed.
    pub(crate) async fn prepare_transactions(&mut self) -> Result<bool, TaskFailure> {
        let Some(transactions) = &mut self.transactions else {
            return Ok(true);
        };
        let stop = self.control.stop.clone();
        let (id, generation) = (&self.id, transactions.generation);
        if let Some(gate) = &transactions.gate {
            tracing::debug!(task = %id, "fencing earlier tasks");
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(false),
                fenced = gate.fence(id) => fenced?,
            }
        }
        // Not while stopping: a claim now could fence a later task of the same number.
        if self.control.is_stopping() {
            return Ok(false);
        }
        let producer = self.sender.open()?;
        while let Err(error) = producer.init_transactions(CALL_TIMEOUT).await {
            if !error.is_retriable() {
                return Err(error.into());
            }
            tracing::warn!(task = %id, %error, "transactional id is not available yet");
            if self.control.is_stopping() {
                return Ok(false);
            }
        }
        if let Some(gate) = &transactions.gate {
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(false),
                verified = gate.verify(id, generation) => verified?,
            }
        }
        Ok(!self.control.is_stopping())
    }

    /// Begins the interval that commits are counted by.
    pub(crate) fn enter_loop(&mut self) {
        if let Some(Transactions {
            boundary: Boundary::Interval { last, .. },
            ..
        }) = &mut self.transactions
        {
            *last = Instant::now();
        }
    }

    /// Begins a transaction for records of `topic`, unless one is open.
    pub(crate) async fn begin_for(&mut self, topic: &str) -> Result<(), TaskFailure> {
        match &self.transactions {
            None => Ok(()),
            Some(transactions) => {
                transactions.check_topic(topic)?;
                self.begin_transaction().await
            }
        }
    }

    /// Before and after the first records of a topic, a transaction waits until nothing else is on its way; false when a stop came first.
    ///
    /// The coordinator's broker may not have heard of a new topic yet. librdkafka 2.12 asks it again, but not when the same question
    /// was about partitions that it knows: then the transaction is given up.
    pub(crate) async fn await_sent(&mut self, work: &mut Work) -> Result<bool, TaskFailure> {
        while self.transactions.is_some() && self.sender.in_flight() > 0 {
            if self.control.is_stopping() {
                return Ok(false);
            }
            self.wait(work, Some(LOOK_AGAIN)).await;
            self.acknowledge(work)?;
        }
        Ok(true)
    }

    /// Ends the transaction if the record last sent or dropped asks for it.
    pub(crate) async fn record_dispatched(&mut self, flags: u16, work: &mut Work) -> Result<(), TaskFailure> {
        let end = self
            .transactions
            .as_ref()
            .and_then(|transactions| transactions.boundary.after_record(flags));
        self.end_transaction(end, work).await
    }

    /// Ends the transaction if it is time after a poll, given the flags of what it brought.
    pub(crate) async fn batch_dispatched(&mut self, flags: u16, work: &mut Work) -> Result<(), TaskFailure> {
        let now = Instant::now();
        let end = self
            .transactions
            .as_mut()
            .and_then(|transactions| transactions.boundary.after_batch(flags, now));
        self.end_transaction(end, work).await
    }

    /// Notes that a stop came before the whole batch was sent.
    pub(crate) fn batch_torn(&mut self) {
        if let Some(transactions) = &mut self.transactions {
            transactions.is_torn = true;
        }
    }

    /// Commits before the task pauses, or after it stopped as it was told to.
    pub(crate) async fn rest_transaction(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let end = self
            .transactions
            .as_ref()
            .and_then(|transactions| transactions.boundary.at_rest());
        self.end_transaction(end, work).await
    }

    /// Ends the transactions of a task that stops: commits where the boundary allows, else drops what is open.
    pub(crate) async fn finish_transactions(&mut self, work: &mut Work, has_failed: bool) {
        let is_torn = self
            .transactions
            .as_ref()
            .is_some_and(|transactions| transactions.is_torn);
        if !has_failed
            && !is_torn
            && let Err(failure) = self.rest_transaction(work).await
        {
            tracing::error!(task = %self.id, failure = failure.to_trace(), "final commit failed");
        }
        let Some(transactions) = &mut self.transactions else {
            return;
        };
        if !std::mem::take(&mut transactions.is_open) {
            return;
        }
        // Readers of committed records would wait for the timeout of the transaction otherwise.
        if let Err(error) = self.sender.abort(ABORT_TIMEOUT).await {
            tracing::debug!(task = %self.id, %error, "open transaction is left to its timeout");
        }
    }

    async fn end_transaction(&mut self, end: Option<End>, work: &mut Work) -> Result<(), TaskFailure> {
        match end {
            None => return Ok(()),
            Some(End::Commit) => {}
            Some(End::Abort) => self.abort_transaction(work).await?,
        }
        self.commit_transaction(work).await
    }

    async fn begin_transaction(&mut self) -> Result<(), TaskFailure> {
        let Some(transactions) = &mut self.transactions else {
            return Ok(());
        };
        if !transactions.is_open {
            self.sender.open()?.begin_transaction().await?;
            transactions.is_open = true;
        }
        Ok(())
    }

    /// Commits what was dispatched and its offsets. With neither, only the guest is told.
    async fn commit_transaction(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        // A record that the client itself refused is missing without the transaction knowing it.
        self.acknowledge(work)?;
        let offsets = self.delivery.dispatched();
        if offsets.is_empty()
            && self
                .transactions
                .as_ref()
                .is_none_or(|transactions| !transactions.is_open)
        {
            self.commit_guest().await;
            return Ok(());
        }
        self.begin_transaction().await?;
        let records = self.flush_offsets(&offsets).await?;
        self.acknowledge(work)?;
        self.commit_records().await?;
        self.meter.transaction();
        // Takes the last acknowledgements, those of the offsets among them.
        self.acknowledge(work)?;
        // Everything was acknowledged and its offset committed: nothing of it is left to commit.
        drop(self.delivery.commit());
        if let Some(transactions) = &mut self.transactions {
            transactions.is_open = false;
            self.store.primary().written(&records, &transactions.positions);
        }
        self.copy_offsets(offsets);
        if let Some(columns) = &mut work.acks {
            let acks = columns.take();
            self.tell_acks(acks).await;
        }
        self.commit_guest().await;
        Ok(())
    }

    /// Sends the offsets through the task's producer; answers the records they are.
    async fn flush_offsets(&mut self, offsets: &[OffsetChange]) -> Result<Vec<OffsetRecord>, TaskFailure> {
        let failed = |cause: TaskFailure| flush_failure(&self.id, None, cause);
        self.store
            .delete_copy(&self.id.connector, offsets)
            .await
            .map_err(|error| failed(TaskFailure::connect(error.to_string())))?;
        let records = self
            .store
            .primary()
            .records(&self.id.connector, offsets)
            .map_err(|error| failed(TaskFailure::connect(error.to_string())))?;
        let Some(transactions) = &mut self.transactions else {
            return Ok(records);
        };
        transactions.positions.clear();
        transactions.positions.resize(records.len(), -1);
        if records.is_empty() {
            return Ok(records);
        }
        let topic = self.sender.topic(&transactions.offsets_topic)?;
        let out: Vec<OutRecord<'_>> = records
            .iter()
            .zip(OFFSETS_FROM..)
            .map(|(record, opaque)| OutRecord {
                partition: None,
                key: Some(&record.key),
                value: record.value.as_deref(),
                timestamp: None,
                headers: &[],
                opaque,
            })
            .collect();
        let mut rest = out.as_slice();
        while !rest.is_empty() {
            let taken = self.sender.send_records(&topic, rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            if !rest.is_empty() {
                // The queue is full of records: room comes with their acknowledgements.
                self.sender.await_room(CALL_TIMEOUT).await;
            }
        }
        Ok(records)
    }

    /// Waits for the commit as long as that may still succeed: the coordinator ends it at the latest.
    async fn commit_records(&mut self) -> Result<(), TaskFailure> {
        while let Err(error) = self.sender.commit(CALL_TIMEOUT).await {
            if !error.is_retriable() {
                tracing::error!(task = %self.id, %error, "failed to commit producer transaction");
                return Err(transaction_failure(&self.id, error));
            }
            tracing::warn!(task = %self.id, %error, "transaction is not committed yet");
        }
        Ok(())
    }

    async fn abort_transaction(&mut self, work: &mut Work) -> Result<(), TaskFailure> {
        let is_open = self.transactions.as_mut().map(|transactions| &mut transactions.is_open);
        let Some(true) = is_open.map(std::mem::take) else {
            tracing::warn!(task = %self.id, "ignoring request by the connector to abort: the current transaction is empty");
            return Ok(());
        };
        tracing::info!(task = %self.id, "aborting transaction as requested by the connector");
        while let Err(error) = self.sender.abort(CALL_TIMEOUT).await {
            if !error.is_retriable() {
                tracing::error!(task = %self.id, %error, "failed to abort producer transaction");
                return Err(transaction_failure(&self.id, error));
            }
        }
        let (acks, now) = (self.sender.drain(), Instant::now());
        for ack in &acks {
            if ack.error.is_none()
                && let Some(columns) = &mut work.acks
                && let Some(record) = self.delivery.locate(ack.opaque)
                && let Some(topic) = self.delivery.topic_of(record)
            {
                columns.acked(record.batch, record.index, topic, ack, now);
            }
            // Dropped with the transaction or not: done with.
            self.delivery.acked(ack.opaque);
        }
        self.sender.drained(acks);
        Ok(())
    }

    /// Copies committed offsets to the worker's topic as well as that goes, without waiting.
    fn copy_offsets(&self, offsets: Vec<OffsetChange>) {
        if !self.store.has_copy() || offsets.is_empty() {
            return;
        }
        let (store, connector) = (self.store.clone(), self.id.connector.clone());
        // Detached on purpose: it ends with its write or that one's timeout, and nothing depends on it.
        drop(tokio::spawn(async move { store.write_copy(&connector, offsets).await }));
    }
}

/// The failure of a task whose records or offsets could not be written.
pub(crate) fn flush_failure(id: &TaskId, code: Option<KafkaError>, cause: TaskFailure) -> TaskFailure {
    if code == Some(KafkaError::INVALID_PRODUCER_EPOCH) {
        return TaskFailure::connect(format!(
            "The task {id} was unable to finish writing records to Kafka before its producer transaction expired. It may be necessary to reconfigure this connector in order for it to run healthily with exactly-once support. Options for this include: tune the connector's producer configuration for higher throughput, increase the transaction timeout for the connector's producers, decrease the offset commit interval (if using interval-based transaction boundaries), or use the 'poll' transaction boundary (if the connector is not already configured to use it)."
        ))
        .caused_by(cause);
    }
    TaskFailure::connect(format!("Failed to flush offsets and/or records for task {id}")).caused_by(cause)
}

fn transaction_failure(id: &TaskId, error: ClientError) -> TaskFailure {
    let code = error.code();
    flush_failure(id, code, error.into())
}
