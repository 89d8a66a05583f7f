//! What a guest may call: one file for each host interface
//!
//! `state.rs` is the store data that all of them share. Nothing here decides what is allowed: `policy.rs` does.

pub(crate) mod state;

pub(crate) mod budget;
pub(crate) mod clock;
pub(crate) mod connector_context;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod log;
pub mod metrics;
pub(crate) mod net;
pub(crate) mod offsets;
pub(crate) mod open_file;
pub(crate) mod runtime;
pub(crate) mod schemas;
pub(crate) mod secrets;
pub(crate) mod sink_context;
pub(crate) mod stdio;
pub(crate) mod stream_reader;
pub(crate) mod tls;
