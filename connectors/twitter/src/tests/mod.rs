//! The connector against the fake service, on a virtual clock
//!
//! `support.rs` puts both in place; then one file a subject.

mod config;
mod errors;
mod replay;
mod search;
mod secrets;
mod stream;
mod support;
mod timelines;
