//! The Connect data model, records, frames and contracts of plugins
//!
//! Pure: no I/O, no clock, no threads; builds for the host and for `wasm32-wasip2`. What crosses between host and guest
//! is the `WRF1` frame in [`frame`]; what values mean is in [`data`].

pub mod error;

pub mod data;
pub mod record;

pub mod frame;

pub mod converter;

pub mod budget;
