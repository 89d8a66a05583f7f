//! Coordinators: classic groups and their offsets, transactions
//!
//! Pure state machines: an event and the time go in, replies and log records to write come out.
//! No sockets, files, clocks or randomness; `weir-server` owns those. Kafka's format of
//! `__consumer_offsets` is in `group::record`, of `__transaction_state` in `transaction::record`.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod error;
pub mod group;
pub mod time;
pub mod transaction;

mod fields;
