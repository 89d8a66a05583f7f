//! How requests of guests leave the worker
//!
//! The hook that wasi:http calls is `host/http.rs`. Here are its parts: the operator's settings, the clients with their
//! address checks, what is put into a request on the way out and what its errors are called. What is allowed is decided in
//! `policy.rs`.

pub mod settings;

pub(crate) mod body;
pub(crate) mod body_errors;
pub(crate) mod budgets;
pub(crate) mod clients;
pub(crate) mod connect;
pub(crate) mod errors;
pub(crate) mod fill;
pub(crate) mod lookup;
