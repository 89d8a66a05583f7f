//! The bundled broker: listeners, dispatch, handlers, partitions, metadata.
//!
//! Read downwards: `broker` binds and runs, `listener` accepts, `connection` frames and orders,
//! `dispatch` picks a handler by (key, version), `handlers` answer, `partitions` own the log.

pub mod broker;
pub mod broker_config;
pub mod broker_metrics;
pub mod error;

mod append;
mod background;
mod cluster;
mod config_table;
mod connection;
mod context;
mod coordinator_log;
mod dispatch;
mod flusher;
mod frame_reader;
mod group_log;
mod groups;
mod handlers;
mod listener;
mod listener_config;
mod log_limit;
mod metadata_log;
mod partition;
mod partitions;
mod producer_ids;
mod purgatory;
mod recompress;
mod reply;
mod shard;
mod topic_config;
mod transaction_log;
mod transactions;
mod uuid_text;
mod wire;
mod worker_thread;
