//! Transactions
//!
//! `coordinator` holds every transactional id and is what the server talks to; `state` is one id's
//! state and its legal changes, `record` that state as log records of `__transaction_state`.
//! Transactions of version 1 (before KIP-890's second part): a producer names its partitions
//! before it writes to them, and its epoch rises when it starts or is fenced, not with each commit.

pub mod coordinator;
pub mod effect;
pub mod record;
pub mod request;
pub mod state;

mod init;
mod timer;
