//! Kafka wire protocol: frames, headers, messages, batches
//!
//! Pure: bytes in, values out and back; no sockets, files or clocks. The message
//! codec is a generated crate behind our own names (docs/adr/0002), record
//! batches are our own. Broker and raw clients build on this crate alone.

#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod api;
pub mod decode;
pub mod error;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod messages;
pub mod primitives;
pub mod records;
