//! Source side: poll, convert, send, and commit what was acknowledged.

pub mod task;

mod acknowledging;
pub mod acks;
pub mod at_least_once;
pub mod boundary;
mod delivering;
pub mod exactly_once;
pub mod gate;
pub mod send;
pub mod topics;
mod transforming;

pub mod offsets;
pub mod preflight;
pub mod submitted;
