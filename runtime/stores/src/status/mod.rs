//! Statuses of connectors and tasks, and the topics they have used.

pub mod records;
pub mod table;

mod store;

pub use store::{StatusStore, Subject};
