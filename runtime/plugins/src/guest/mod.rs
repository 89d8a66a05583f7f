//! Typed calls into guests, one file for each side of Connect

pub mod create;
pub mod sink;
pub mod source;
