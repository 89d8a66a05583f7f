//! Settings of one partition log and of a data directory
//!
//! Typed values with Kafka's defaults; names and texts of the options are the
//! server's. All of [`LogConfig`] may change while the log is open.

use weir_protocol::records::batch::TimestampType;

/// Which ways of dropping old records apply (`cleanup.policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// By time and size.
    pub delete: bool,
    /// By key.
    pub compact: bool,
}

/// Topic settings a log obeys.
#[derive(Debug, Clone, PartialEq)]
pub struct LogConfig {
    /// Largest segment (`segment.bytes`).
    pub segment_bytes: u64,
    /// Longest time span of a segment (`segment.ms`).
    pub segment_ms: i64,
    /// Bytes between index entries (`index.interval.bytes`).
    pub index_interval_bytes: u64,
    /// Largest offset index (`segment.index.bytes`).
    pub segment_index_bytes: u64,
    /// Whose clock stamps records (`message.timestamp.type`).
    pub timestamp_type: TimestampType,
    /// How records are dropped (`cleanup.policy`).
    pub cleanup_policy: CleanupPolicy,
    /// Age at which a segment goes; −1 for never (`retention.ms`).
    pub retention_ms: i64,
    /// Size above which the oldest segments go; −1 for never (`retention.bytes`).
    pub retention_bytes: i64,
    /// How long tombstones stay (`delete.retention.ms`).
    pub delete_retention_ms: i64,
    /// Share of dirty bytes that starts a cleaning (`min.cleanable.dirty.ratio`).
    pub min_cleanable_dirty_ratio: f64,
    /// Age below which records are not compacted (`min.compaction.lag.ms`).
    pub min_compaction_lag_ms: i64,
    /// Age above which dirty records are compacted anyway (`max.compaction.lag.ms`).
    pub max_compaction_lag_ms: i64,
    /// Idle time after which a producer is forgotten (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
    /// Recent bytes kept in memory for consumers at the tail.
    pub tail_cache_bytes: usize,
    /// Most keys one cleaning remembers (`log.cleaner.dedupe.buffer.size` / 24).
    pub cleaner_keys: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            timestamp_type: TimestampType::CreateTime,
            cleanup_policy: CleanupPolicy {
                delete: true,
                compact: false,
            },
            retention_ms: 604_800_000,
            retention_bytes: -1,
            delete_retention_ms: 86_400_000,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            producer_expiration_ms: 86_400_000,
            tail_cache_bytes: 2 << 20,
            cleaner_keys: 1 << 20,
        }
    }
}

/// Settings of a data directory.
#[derive(Debug, Clone)]
pub struct LogsConfig {
    /// Node id the directory must belong to.
    pub node_id: i32,
    /// Cluster id for a new directory; an old one keeps its own.
    pub new_cluster_id: String,
    /// Directory id for a new directory (Kafka's base64 uuid form).
    pub new_directory_id: String,
    /// Cluster id the operator insists on, if any.
    pub required_cluster_id: Option<String>,
    /// Bytes all tail caches together may hold.
    pub tail_cache_total_bytes: usize,
}

/// How the log was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Closed: everything was synced and indexes written.
    Clean,
    /// Anything else.
    Crash,
}
