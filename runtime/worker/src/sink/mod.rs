//! Sink side: read, convert, put, and commit what the task stored.

pub mod task;

pub mod batch;
pub mod reader;
pub mod subscription;

pub mod commit;
pub mod partitions;
