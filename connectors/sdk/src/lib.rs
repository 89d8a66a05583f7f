//! Write Weir connectors in Rust
//!
//! The traits read like Kafka Connect's. A plugin is a `cdylib` crate built for `wasm32-wasip2`: implement
//! [`source::SourceConnector`] and [`source::SourceTask`], or their sink siblings, register them in a function that
//! answers a [`plugin::Plugin`] and name it in `export_plugin!`. No unsafe code and no marshalling outside this crate.
//! The guest side of `wit/`; the host side is `runtime/plugins`.

// Values, records, errors and config definitions, shared with the worker: one dependency pins all versions.
pub use weir_api as api;
pub use weir_config as config;

// The author's way in.
pub mod plugin;
pub mod sink;
pub mod source;
// What tasks get and give.
pub mod batch;
pub mod context;
pub mod offsets;
pub mod schemas;
pub mod sink_batch;
// What the host offers.
pub mod budget;
pub mod files;
pub mod http;
pub mod log;
pub mod net;
pub mod runtime;
pub mod secret;
// Underneath.
pub mod bindings;
pub mod export;
mod host;
pub mod manifest;
mod schema_def;
// On the development machine only.
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
