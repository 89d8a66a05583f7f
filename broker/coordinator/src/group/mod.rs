//! Classic consumer groups
//!
//! `coordinator` holds the groups of a shard and is what the server talks to; `classic` is one
//! group's membership, spread over `join`, `rebalance` and `session`; `offsets` what a group has
//! committed; `record` both as log records.

pub mod classic;
pub mod coordinator;
pub mod effect;
pub mod member;
pub mod offsets;
pub mod record;
pub mod request;

mod commit;
mod join;
mod rebalance;
mod replay;
mod session;
mod subscription;
