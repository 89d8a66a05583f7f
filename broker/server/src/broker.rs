//! The broker from configuration to clean stop.
//!
//! `bind` takes what only one process can have, the ports and the data directory, and is quick;
//! `run` recovers the logs, serves until the token is cancelled and stops in order: connections,
//! groups, background work, writers, flusher, logs. Threads: one writer a core and one flusher of
//! its own; everything else runs on the caller's runtime.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_log::io::RealDisk;
use weir_log::log_config::{LogConfig, LogsConfig};
use weir_log::logs::{FoundPartition, Logs};
use weir_metrics::clock::Clock;
use weir_metrics::registry::MetricRegistry;

use crate::background;
use crate::broker_config::{BrokerConfig, FlushPolicy, LogSettings};
use crate::broker_metrics::{BrokerMetrics, Counters};
use crate::cluster::Cluster;
use crate::context::Shared;
use crate::error::ServerError;
use crate::flusher::Flusher;
use crate::groups::Groups;
use crate::listener::{self, BoundListener, ConnectionCounts};
use crate::log_limit::LogLimit;
use crate::metadata_log::{Entry, MetadataLog};
use crate::partition::{FlushBounds, LogEnvironment, PartitionHandle, Visibility};
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::shard::WriterShards;
use crate::transactions::Transactions;
use crate::uuid_text;

/// Written bytes of a partition that are synced though nobody waits.
const MAX_UNFLUSHED_BYTES: u64 = 1 << 20;
/// Recent batches kept in memory: of one partition, and of all.
const TAIL_CACHE_BYTES: usize = 4 << 20;
const TAIL_CACHE_TOTAL_BYTES: usize = 32 << 20;
/// Memory of one remembered key of a compaction, as Kafka counts it.
const CLEANER_KEY_BYTES: usize = 24;

/// Entry point; see [`Broker::bind`].
#[derive(Debug)]
pub struct Broker;

impl Broker {
    /// Binds the ports and takes the data directory.
    ///
    /// # Errors
    /// A port or directory that cannot be had; the text names it and what to change.
    pub fn bind(config: BrokerConfig) -> Result<BoundBroker, ServerError> {
        let mut listeners = Vec::with_capacity(config.listeners.len());
        for spec in &config.listeners {
            listeners.push(BoundListener::bind(spec, &config.sockets)?);
        }
        let directory = config.log.directory.as_path();
        let settings = LogsConfig {
            node_id: config.node_id,
            new_cluster_id: uuid_text::text(uuid_text::fresh()),
            new_directory_id: uuid_text::text(uuid_text::fresh()),
            required_cluster_id: None,
            tail_cache_total_bytes: TAIL_CACHE_TOTAL_BYTES,
        };
        let logs =
            Logs::open(Arc::new(RealDisk), directory, &settings).map_err(|source| ServerError::DataDirectory {
                directory: directory.to_path_buf(),
                source,
            })?;
        Ok(BoundBroker {
            config: Arc::new(config),
            listeners,
            logs: Arc::new(logs),
            metrics: MetricRegistry::default(),
        })
    }
}

/// A broker that holds its ports and directory but does not serve yet.
#[derive(Debug)]
pub struct BoundBroker {
    config: Arc<BrokerConfig>,
    listeners: Vec<BoundListener>,
    logs: Arc<Logs>,
    metrics: MetricRegistry,
}

impl BoundBroker {
    /// The bound addresses, in the order of `listeners`.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|listener| listener.address).collect()
    }

    /// Shows the broker's metrics in `metrics` instead of nowhere.
    #[must_use]
    pub fn with_metrics(self, metrics: MetricRegistry) -> Self {
        Self { metrics, ..self }
    }

    /// The id of the cluster, kept in the data directory.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.logs.cluster_id()
    }

    /// Recovers, serves until `stop` is cancelled, and stops cleanly.
    ///
    /// # Errors
    /// The metadata cannot be read, or a thread or socket cannot be had.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServerError> {
        let Self {
            config,
            listeners,
            logs,
            metrics,
        } = self;
        // With a handler in place, a file size limit is an error of the write, like a full disk,
        // and no longer ends the process. Nothing has to receive the signal.
        let _size_limit = signal(SignalKind::from_raw(libc::SIGXFSZ));
        let parts = {
            let (config, logs) = (Arc::clone(&config), Arc::clone(&logs));
            blocking(move || Parts::recover(&config, &logs)).await?
        };
        // Connections stop first; the rest lives until they have their answers.
        let serving = stop.child_token();
        let working = CancellationToken::new();
        let clock = parts.clock.clone();
        let producer_ids = Arc::new(ProducerIds::new(Arc::clone(&parts.cluster)));
        let transactions = Arc::new(Transactions::new(
            Arc::clone(&parts.partitions),
            Arc::clone(&parts.cluster),
            Arc::clone(&producer_ids),
            &config.transactions,
            clock.clone(),
            parts.leader_epoch,
        ));
        {
            let transactions = Arc::clone(&transactions);
            blocking(move || transactions.load()).await;
        }
        let groups = Arc::new(Groups::new(
            Arc::clone(&parts.partitions),
            Arc::clone(&parts.cluster),
            Arc::clone(&transactions),
            Arc::clone(&config),
            clock.clone(),
        ));
        let shared = Arc::new(Shared {
            producer_ids,
            transactions: Arc::clone(&transactions),
            config: Arc::clone(&config),
            cluster: Arc::clone(&parts.cluster),
            partitions: Arc::clone(&parts.partitions),
            groups: Arc::clone(&groups),
            clock: clock.clone(),
            metrics: Arc::new(BrokerMetrics::new(
                &metrics,
                Arc::clone(&parts.counters),
                &parts.partitions,
            )),
            close_log: LogLimit::default(),
            stop: serving.clone(),
        });
        let mut workers = JoinSet::new();
        workers.spawn(transactions.run(Arc::clone(&groups), working.clone()));
        workers.spawn(groups.run(working.clone()));
        workers.spawn(background::run(Arc::clone(&shared), Arc::clone(&logs), working.clone()));
        let failed = parts.failed.clone();
        let served = tokio::select! {
            served = serve(listeners, &shared, &stop) => served,
            () = failed.cancelled() => {
                // Nothing more is written, and the directory is not marked clean.
                shared.stop.cancel();
                working.cancel();
                return Err(ServerError::Panicked);
            }
        };
        working.cancel();
        while workers.join_next().await.is_some() {}
        blocking(move || parts.stop(&logs)).await;
        served
    }
}

/// Serves every listener until the broker stops or one of them fails.
async fn serve(
    listeners: Vec<BoundListener>,
    shared: &Arc<Shared>,
    stop: &CancellationToken,
) -> Result<(), ServerError> {
    let counts = Arc::new(ConnectionCounts::default());
    let mut serving = JoinSet::new();
    for listener in listeners {
        let address = listener.address;
        tracing::info!(%address, "broker is listening");
        let served = listener::serve(listener, Arc::clone(shared), Arc::clone(&counts));
        serving.spawn(async move { served.await.map_err(|source| ServerError::Bind { address, source }) });
    }
    let mut outcome = Ok(());
    while let Some(served) = serving.join_next().await {
        let result = match served {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        if result.is_err() && !stop.is_cancelled() {
            outcome = result;
            shared.stop.cancel();
        }
    }
    outcome
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// What recovery brings up and a clean stop takes down.
struct Parts {
    clock: Clock,
    flusher: Arc<Flusher>,
    partitions: Arc<Partitions>,
    cluster: Arc<Cluster>,
    counters: Arc<Counters>,
    leader_epoch: i32,
    /// Cancelled by the panic of a writer or the flusher.
    failed: CancellationToken,
    /// Logs that could not be opened keep the directory from being marked clean.
    all_opened: bool,
}

impl Parts {
    fn recover(config: &Arc<BrokerConfig>, logs: &Arc<Logs>) -> Result<Self, ServerError> {
        let clock = Clock::System;
        let counters = Arc::<Counters>::default();
        let failed = CancellationToken::new();
        let directory = &config.log.directory;
        let mut metadata = MetadataLog::open(directory)?;
        let leader_epoch = metadata.state().leader_epoch + 1;
        metadata
            .append(vec![Entry::LeaderEpoch(leader_epoch)])
            .map_err(|error| ServerError::Metadata {
                path: directory.clone(),
                reason: error.to_string(),
            })?;
        let deleted: Vec<String> = metadata.state().deleted.iter().map(|id| uuid_text::text(*id)).collect();
        let environment = Arc::new(LogEnvironment {
            logs: Arc::clone(logs),
            clock: clock.clone(),
            leader_epoch,
            visibility: match config.log.flush {
                FlushPolicy::Ack => Visibility::Flushed,
                FlushPolicy::Interval | FlushPolicy::Os => Visibility::Written,
            },
            flush: flush_bounds(&config.log),
            defaults: log_defaults(&config.log),
            counters: Arc::clone(&counters),
        });
        let flusher = Flusher::start(clock.clone(), &failed)?;
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let shards = WriterShards::start(cores, &flusher, &failed)?;
        let partitions = Arc::new(Partitions::new(environment, shards, Arc::clone(&flusher)));
        let cluster_id = logs.cluster_id().to_owned();
        let cluster = Cluster::new(cluster_id, Arc::clone(config), Arc::clone(&partitions), metadata)?;
        let all_opened = open_logs(&partitions, logs, &deleted, config)?;
        Ok(Self {
            clock,
            flusher,
            partitions,
            cluster: Arc::new(cluster),
            counters,
            leader_epoch,
            failed,
            all_opened,
        })
    }

    fn stop(self, logs: &Logs) {
        self.partitions.stop_writers();
        self.flusher.stop();
        let mut is_clean = self.all_opened;
        for topic in self.partitions.topics().iter() {
            for partition in &topic.partitions {
                let Some(mut log) = partition.detach() else {
                    is_clean &= !partition.is_offline();
                    continue;
                };
                if let Err(error) = log.close() {
                    is_clean = false;
                    tracing::error!(
                        topic = &*topic.name,
                        partition = partition.index,
                        error = &error as &dyn std::error::Error,
                        "log cannot be closed"
                    );
                }
            }
        }
        if is_clean && let Err(error) = logs.mark_clean() {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "clean stop cannot be noted, the next start recovers"
            );
        }
        tracing::info!("broker stopped");
    }
}

fn flush_bounds(settings: &LogSettings) -> FlushBounds {
    match settings.flush {
        FlushPolicy::Ack | FlushPolicy::Interval => FlushBounds {
            max_delay_ms: settings.flush_max_delay_ms,
            max_bytes: MAX_UNFLUSHED_BYTES,
        },
        FlushPolicy::Os => FlushBounds {
            max_delay_ms: i64::MAX,
            max_bytes: u64::MAX,
        },
    }
}

fn log_defaults(settings: &LogSettings) -> LogConfig {
    LogConfig {
        producer_expiration_ms: settings.producer_id_expiration_ms,
        tail_cache_bytes: TAIL_CACHE_BYTES,
        cleaner_keys: settings.cleaner_buffer_bytes / CLEANER_KEY_BYTES,
        ..LogConfig::default()
    }
}

/// Opens what is on disk and belongs to a topic; false when a log cannot be served.
fn open_logs(
    partitions: &Partitions,
    logs: &Logs,
    deleted: &[String],
    config: &BrokerConfig,
) -> Result<bool, ServerError> {
    let data_fault = |source| ServerError::DataDirectory {
        directory: config.log.directory.clone(),
        source,
    };
    let topics = partitions.topics();
    let ids: HashMap<&str, String> = topics
        .iter()
        .map(|topic| (&*topic.name, uuid_text::text(topic.id)))
        .collect();
    let mut wanted = Vec::new();
    for found in logs.find_partitions().map_err(data_fault)? {
        let is_deleted = found.topic_id.as_ref().is_some_and(|id| deleted.contains(id));
        let belongs = ids
            .get(found.name.topic.as_str())
            .is_some_and(|id| found.topic_id.as_ref().is_none_or(|on_disk| on_disk == id));
        let partition = partitions.partition(&found.name.topic, found.name.partition);
        match partition {
            Some(partition) if belongs => wanted.push((found, partition)),
            _ if is_deleted => logs.delete_partition(&found.name).map_err(data_fault)?,
            _ => set_aside(&config.log.directory, &found),
        }
    }
    let threads = config.log.recovery_threads.max(1);
    let chunk = wanted.len().div_ceil(threads).max(1);
    let all_opened = thread::scope(|scope| {
        let workers: Vec<_> = wanted
            .chunks(chunk)
            .map(|wanted| {
                scope.spawn(move || {
                    wanted
                        .iter()
                        .filter(|(found, partition)| !open_log(logs, found, partition))
                        .count()
                })
            })
            .collect();
        // Every worker is joined: `all` would stop at the first failure.
        let failures: Vec<usize> = workers.into_iter().map(|worker| worker.join().unwrap_or(1)).collect();
        failures.iter().all(|failures| *failures == 0)
    });
    Ok(all_opened)
}

fn open_log(logs: &Logs, found: &FoundPartition, partition: &PartitionHandle) -> bool {
    match logs.open_partition(&found.name, partition.log_config()) {
        Ok(log) => {
            partition.attach(log);
            true
        }
        Err(error) => {
            let FoundPartition { name, .. } = found;
            tracing::error!(
                topic = name.topic,
                partition = name.partition,
                error = &error as &dyn std::error::Error,
                "partition is not served"
            );
            partition.set_offline();
            false
        }
    }
}

/// Keeps a directory no topic owns out of the way, as Kafka does: nothing is lost by a metadata
/// log that was.
fn set_aside(directory: &Path, found: &FoundPartition) {
    let name = format!("{}-{}", found.name.topic, found.name.partition);
    let stray = directory.join(format!("{name}-stray"));
    match std::fs::rename(directory.join(&name), &stray) {
        Ok(()) => tracing::warn!(directory = name, "partition of no known topic set aside as -stray"),
        Err(error) => {
            tracing::error!(directory = name, %error, "partition of no known topic cannot be set aside")
        }
    }
}
