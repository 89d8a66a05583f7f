//! The built-in single message transforms and predicates, and the chain that a connector makes of them
//!
//! Pure: no I/O and no clock; builds on the data model alone. What a failing record means for the task is the worker's business.

pub mod error;

pub mod rows;

mod transformation;

mod layout;
mod plans;

pub mod java_regex;

mod predicates;

mod filter;
mod hoist_field;
mod insert_field;

pub mod catalogue;
pub mod chain;
