//! The owner of all transactional ids
//!
//! One lock holds every id's state: a produce request asks under it whether its partitions are in
//! the transaction and queues its batches before it lets go, so the marker of a later decision is
//! behind them in every log. Requests change state under it, too; what has to be written is queued
//! in that order and waited for without it, by `run`, which also has markers written and looks
//! after time. Everything is read back before the first connection is taken.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use weir_coordinator::group::effect::Ticket;
use weir_coordinator::transaction::coordinator::{ListedTransaction, TransactionCoordinator, TransactionSettings};
use weir_coordinator::transaction::effect::{Effect, Markers, Reply, Then};
use weir_coordinator::transaction::request::{EndRequest, InitRequest, Producer, Verdict};
use weir_coordinator::transaction::state::{TopicPartition, Transaction};
use weir_metrics::clock::Clock;
use weir_protocol::error_code::ErrorCode;
use weir_protocol::records::control::{Marker, MarkerSource, build_marker};

use crate::append::{AppendError, AppendFuture};
use crate::broker_config::TransactionConfig;
use crate::cluster::Cluster;
use crate::coordinator_log::UnreadablePartitions;
use crate::groups::Groups;
use crate::partition::PartitionHandle;
use crate::partitions::{GROUP_OFFSETS_TOPIC, Partitions};
use crate::producer_ids::ProducerIds;
use crate::transaction_log::TransactionLog;

/// What clients are told whose request can not be answered any more, or not yet.
const GOING_DOWN: ErrorCode = ErrorCode::COORDINATOR_NOT_AVAILABLE;

/// Every transactional id of this broker.
#[derive(Debug)]
pub(crate) struct Transactions {
    table: Mutex<Table>,
    log: TransactionLog,
    partitions: Arc<Partitions>,
    producer_ids: Arc<ProducerIds>,
    clock: Clock,
    /// The coordinator's epoch: this start of the broker.
    epoch: i32,
    abort_interval: Duration,
    expiry_interval: Duration,
    /// Bounded by the ids and the open requests of all connections.
    work: mpsc::UnboundedSender<Work>,
    /// Taken by `run`.
    queue: Mutex<Option<mpsc::UnboundedReceiver<Work>>>,
}

#[derive(Debug)]
struct Table {
    coordinator: TransactionCoordinator,
    unreadable: UnreadablePartitions,
    /// Replies on their way, by ticket.
    parked: HashMap<Ticket, oneshot::Sender<Reply>>,
    next_ticket: u64,
}

/// What is queued and waits for its outcome.
#[derive(Debug)]
enum Work {
    Store {
        transactional_id: String,
        then: Box<Then>,
        append: Result<AppendFuture, ErrorCode>,
    },
    Mark(Markers),
}

/// Holds every transaction as it is.
#[derive(Debug)]
pub(crate) struct Gate<'a>(MutexGuard<'a, Table>);

impl Gate<'_> {
    /// Whether a producer may write to a partition in its transaction, as long as this is held.
    ///
    /// # Errors
    /// The code of the refusal; see `TransactionCoordinator::verify`.
    pub(crate) fn verify(&self, id: &str, producer: Producer, partition: &TopicPartition) -> Result<(), ErrorCode> {
        match self.0.coordinator.verify(id, producer, partition) {
            Err(_) if self.0.unreadable.holds(id) => Err(ErrorCode::NOT_ENOUGH_REPLICAS),
            // As Kafka: the producer tries again.
            Err(ErrorCode::CONCURRENT_TRANSACTIONS) => Err(ErrorCode::NOT_ENOUGH_REPLICAS),
            verified => verified,
        }
    }
}

impl Transactions {
    pub(crate) fn new(
        partitions: Arc<Partitions>,
        cluster: Arc<Cluster>,
        producer_ids: Arc<ProducerIds>,
        config: &TransactionConfig,
        clock: Clock,
        epoch: i32,
    ) -> Self {
        let coordinator = TransactionCoordinator::new(TransactionSettings {
            max_timeout_ms: config.max_timeout_ms,
            id_expiration_ms: config.id_expiration_ms,
        });
        let (work, queue) = mpsc::unbounded_channel();
        Self {
            table: Mutex::new(Table {
                coordinator,
                unreadable: UnreadablePartitions::default(),
                parked: HashMap::new(),
                next_ticket: 0,
            }),
            log: TransactionLog::new(Arc::clone(&partitions), cluster, config),
            partitions,
            producer_ids,
            clock,
            epoch,
            abort_interval: Duration::from_millis(config.abort_interval_ms.max(1)),
            expiry_interval: Duration::from_millis(config.expiry_interval_ms.max(1)),
            work,
            queue: Mutex::new(Some(queue)),
        }
    }

    /// Reads the log back. Blocks on the disk.
    pub(crate) fn load(&self) {
        let mut table = self.table.lock();
        table.unreadable = self.log.load(&mut table.coordinator);
        let mut effects = Vec::new();
        table.coordinator.loaded(&mut effects);
        self.carry_out(&mut table, effects);
    }

    /// Makes sure that there is a log for ids.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) async fn ensure_log(&self) -> Result<(), ErrorCode> {
        self.log.ensure().await
    }

    /// Looks at transactions while none can change.
    pub(crate) fn gate(&self) -> Gate<'_> {
        Gate(self.table.lock())
    }

    /// Starts a producer.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) async fn init(&self, mut request: InitRequest) -> Result<Producer, ErrorCode> {
        self.log.ensure().await?;
        loop {
            let id = request.transactional_id.clone();
            let started = self.ask(&id, |coordinator, ticket, now_ms, effects| {
                coordinator.init(&request, ticket, now_ms, effects);
            });
            match started.await {
                Ok(Reply::Init(outcome)) => return outcome,
                Ok(Reply::NeedsId) => {
                    let fresh = self.producer_ids.next().await.map_err(|error| error.code)?;
                    request.fresh_id = Some(fresh);
                }
                _ => return Err(GOING_DOWN),
            }
        }
    }

    pub(crate) async fn add_partitions(&self, id: &str, producer: Producer, added: Vec<TopicPartition>) -> ErrorCode {
        let added = self.ask(id, |coordinator, ticket, now_ms, effects| {
            coordinator.add_partitions(id, producer, added, ticket, now_ms, effects);
        });
        done(added.await.ok())
    }

    pub(crate) async fn end(&self, request: EndRequest) -> ErrorCode {
        let ended = self.ask(&request.transactional_id, |coordinator, ticket, now_ms, effects| {
            coordinator.end(&request, ticket, now_ms, effects);
        });
        done(ended.await.ok())
    }

    /// One id as it is; none if nobody uses it.
    ///
    /// # Errors
    /// The id is not served.
    pub(crate) fn describe(&self, id: &str) -> Result<Option<Transaction>, ErrorCode> {
        let table = self.table.lock();
        if table.unreadable.holds(id) {
            return Err(GOING_DOWN);
        }
        Ok(table.coordinator.describe(id).cloned())
    }

    pub(crate) fn list(&self) -> Vec<ListedTransaction> {
        self.table.lock().coordinator.list()
    }

    /// Asks under the lock; the answer is waited for without it.
    fn ask(
        &self,
        id: &str,
        ask: impl FnOnce(&mut TransactionCoordinator, Ticket, i64, &mut Vec<Effect>),
    ) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        {
            let mut table = self.table.lock();
            // Dropping the reply answers that the coordinator is not available.
            if !table.unreadable.holds(id) {
                let ticket = Ticket(table.next_ticket);
                table.next_ticket += 1;
                table.parked.insert(ticket, reply);
                let mut effects = Vec::new();
                ask(&mut table.coordinator, ticket, self.clock.now_ms(), &mut effects);
                self.carry_out(&mut table, effects);
            }
        }
        answer
    }

    fn carry_out(&self, table: &mut Table, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { ticket, reply } => {
                    if let Some(waiting) = table.parked.remove(&ticket) {
                        // Its connection may be closed.
                        let _ = waiting.send(reply);
                    }
                }
                Effect::Store {
                    transactional_id,
                    record,
                    then,
                } => {
                    let append = self.log.append(&transactional_id, &record, self.clock.now_ms());
                    // The other end is gone when the broker stops; replies end with the table.
                    let _ = self.work.send(Work::Store {
                        transactional_id,
                        then,
                        append,
                    });
                }
                Effect::Mark(markers) => {
                    let _ = self.work.send(Work::Mark(markers));
                }
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut TransactionCoordinator, i64, &mut Vec<Effect>)) {
        let mut table = self.table.lock();
        let mut effects = Vec::new();
        change(&mut table.coordinator, self.clock.now_ms(), &mut effects);
        self.carry_out(&mut table, effects);
    }

    /// Waits for what is written, writes markers and looks after time, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, groups: Arc<Groups>, stop: CancellationToken) {
        let Some(mut queue) = self.queue.lock().take() else {
            return;
        };
        // Stores in log order, which is the order their outcomes must be taken in.
        let mut stores: FuturesOrdered<StoreFuture> = FuturesOrdered::new();
        let mut markings: FuturesUnordered<MarkFuture> = FuturesUnordered::new();
        let mut next_abort = Instant::now() + self.abort_interval;
        let mut next_expiry = Instant::now() + self.expiry_interval;
        loop {
            let has_ids = !self.table.lock().coordinator.is_empty();
            // Cancel safe: each arm that loses keeps its value for the next round.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some((id, then, outcome)) = stores.next(), if !stores.is_empty() => {
                    self.change(|coordinator, _, effects| coordinator.stored(&id, *then, outcome, effects));
                }
                Some((markers, is_done)) = markings.next(), if !markings.is_empty() => {
                    self.change(|coordinator, now_ms, effects| coordinator.marked(&markers, is_done, now_ms, effects));
                }
                Some(work) = queue.recv() => match work {
                    Work::Store { transactional_id, then, append } => stores.push_back(Box::pin(async move {
                        let outcome = match append {
                            Ok(appended) => appended.done().await.map(drop).map_err(|error| error.code),
                            Err(code) => Err(code),
                        };
                        (transactional_id, then, outcome)
                    })),
                    Work::Mark(markers) => {
                        let written = self.write_markers(&markers);
                        markings.push(Box::pin(finish_markers(markers, written, Arc::clone(&groups))));
                    }
                },
                () = sleep_until(next_abort), if has_ids => {
                    next_abort = Instant::now() + self.abort_interval;
                    self.change(|coordinator, now_ms, effects| coordinator.abort_timed_out(now_ms, effects));
                }
                () = sleep_until(next_expiry), if has_ids => {
                    next_expiry = Instant::now() + self.expiry_interval;
                    self.change(|coordinator, now_ms, effects| coordinator.expire_ids(now_ms, effects));
                }
            }
        }
    }

    /// Queues a marker for each partition; partitions of deleted topics need none.
    fn write_markers(&self, markers: &Markers) -> Vec<(Arc<PartitionHandle>, Result<AppendFuture, AppendError>)> {
        let source = MarkerSource {
            producer_id: markers.producer.id,
            producer_epoch: markers.producer.epoch,
            coordinator_epoch: self.epoch,
        };
        let marker = match markers.verdict {
            Verdict::Commit => Marker::Commit,
            Verdict::Abort => Marker::Abort,
        };
        let now_ms = self.clock.now_ms();
        let mut written = Vec::with_capacity(markers.partitions.len());
        for TopicPartition { topic, partition } in &markers.partitions {
            let Some(partition) = self.partitions.partition(topic, *partition) else {
                continue;
            };
            let append = build_marker(source, marker, now_ms)
                .map_err(|error| AppendError::new(error.code(), error.to_string()))
                .and_then(|bytes| {
                    self.partitions
                        .append_internal(&partition, BytesMut::from(bytes.as_slice()))
                });
            written.push((partition, append));
        }
        written
    }
}

type StoreFuture = Pin<Box<dyn Future<Output = (String, Box<Then>, Result<(), ErrorCode>)> + Send>>;
type MarkFuture = Pin<Box<dyn Future<Output = (Markers, bool)> + Send>>;

/// Waits until every marker is durable and the groups whose offsets it ends know of it; false if
/// one has to be written again.
async fn finish_markers(
    markers: Markers,
    written: Vec<(Arc<PartitionHandle>, Result<AppendFuture, AppendError>)>,
    groups: Arc<Groups>,
) -> (Markers, bool) {
    let mut is_done = true;
    for (partition, append) in written {
        let outcome = match append {
            Ok(append) => append.done().await.map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) if &*partition.topic == GROUP_OFFSETS_TOPIC => {
                let ended = groups.transaction_ended(markers.producer.id, partition.index, markers.verdict);
                is_done &= ended.await.is_some();
            }
            Ok(()) => {}
            // The topic was deleted meanwhile, or a later coordinator or producer has ended it.
            Err(AppendError {
                code:
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                    | ErrorCode::INVALID_PRODUCER_EPOCH
                    | ErrorCode::TRANSACTION_COORDINATOR_FENCED,
                ..
            }) => {}
            Err(AppendError { code, message }) => {
                tracing::error!(
                    topic = &*partition.topic,
                    partition = partition.index,
                    transactional_id = markers.transactional_id,
                    %code,
                    message = message.as_deref().unwrap_or_default(),
                    "the end of a transaction cannot be written, and is tried again"
                );
                is_done = false;
            }
        }
    }
    (markers, is_done)
}

fn done(reply: Option<Reply>) -> ErrorCode {
    match reply {
        Some(Reply::Done(code)) => code,
        _ => GOING_DOWN,
    }
}

/// What a marker in the log says.
pub(crate) fn verdict_of(marker: Marker) -> Verdict {
    match marker {
        Marker::Commit => Verdict::Commit,
        Marker::Abort => Verdict::Abort,
    }
}
