//! The X API v2: recent search, timelines, users, filtered stream
//!
//! Posts are made from a seed and the time, so what a perfect reader must find is known for any stretch of time.
//! `service.rs` takes requests in, checks credentials and limits, and asks the file of the endpoint.

pub mod clock;
pub mod posts;

pub mod problems;

pub mod service;

pub mod lists;
pub mod rules;
pub mod stream;
