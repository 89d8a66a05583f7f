//! Sink side: read, convert, put, and commit what the task stored.

pub mod task;

mod assigning;
pub mod batch;
mod committing;
pub mod errant;
pub mod originals;
pub mod reader;
pub mod subscription;
mod transforming;

pub mod commit;
pub mod partitions;
