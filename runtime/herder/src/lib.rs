//! The control plane of Connect: what should run, and making it so.
//!
//! Requests come in through `handle`, one event loop owns all decisions, and every change goes through the
//! config store and back before it is acted upon, as in Apache Connect. Record values are never touched here
//! (see the worker), and HTTP stays in `rest`.

mod apply;
pub mod distributed;
pub mod error;
pub mod group;
pub mod handle;
pub mod herder;
pub mod info;
pub mod java_base64;
pub mod lane;
pub mod loggers;
pub mod offsets;
pub mod request;
mod requests;
pub mod restart;
pub mod stage;
pub mod topics;
pub mod validate;
