//! The unsafe floor over librdkafka: handles, batches, callbacks.
//!
//! The only unsafe code of the crate. Above it (`producer`, `consumer`) nothing sees a raw pointer. Each block states why it is sound;
//! the facts used are in `rdkafka.h`: handles are thread-safe, messages and events are owned by the caller until destroyed.
#![allow(
    unsafe_code,
    reason = "librdkafka's batch calls have no safe binding; reviewed here, in one place"
)]

pub(crate) mod consume;
pub(crate) mod errors;
pub(crate) mod handle;
pub(crate) mod list;
pub(crate) mod produce;
pub(crate) mod transact;
