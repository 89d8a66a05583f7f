//! Partition logs: segments, indexes, recovery, retention, cleaning
//!
//! Everything a broker keeps of its topics' records, in Kafka's files and formats
//! (broker spec C). Synchronous: callers choose the threads. Time is passed in,
//! and the disk is a trait, so tests can lose power at any point.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod log_config;
pub mod logs;
pub mod partition;

pub mod cleaner;
pub mod flush;
pub mod reader;

mod recovery;
mod retention;
mod roll;

mod segment;
mod tail_cache;
mod transaction_walk;

mod offset_index;
mod time_index;

pub mod aborted;
pub mod checkpoint;
pub mod leader_epochs;
pub mod producer_state;

pub mod error;
pub mod io;
