//! Why a frame was refused
//!
//! A guest that sends one of these is broken or hostile: fatal for its task. Each names what was found and the limit.

use crate::error::ConnectError;

/// A refused frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Larger than `weir.plugin.max.frame.bytes`, or than the format can say.
    #[error("frame of {found} bytes is over the limit of {limit} (weir.plugin.max.frame.bytes)")]
    TooLarge {
        /// Size of the frame.
        found: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// More records than allowed.
    #[error("frame of {found} records is over the limit of {limit}")]
    TooManyRecords {
        /// Records announced.
        found: u32,
        /// Most records allowed.
        limit: u32,
    },
    /// A field of the frame header holds what it must not.
    #[error("frame header: {field} is {found:#x}, must be {expected}")]
    Header {
        /// Which field.
        field: &'static str,
        /// What it holds.
        found: u64,
        /// What it may hold.
        expected: String,
    },
    /// A field of a record holds what it must not.
    #[error("record {record}: {field} is {found}, must be {expected}")]
    Record {
        /// Index of the record.
        record: u32,
        /// Which field.
        field: &'static str,
        /// What it holds.
        found: i64,
        /// What it may hold.
        expected: String,
    },
    /// A part of a record is longer than what is left of the record.
    #[error("record {record}: {part} of {found} bytes, {left} left in the record")]
    Part {
        /// Index of the record.
        record: u32,
        /// Which part.
        part: &'static str,
        /// Its length.
        found: usize,
        /// Bytes left.
        left: usize,
    },
    /// The string table is broken.
    #[error("string table entry {entry}: {reason}")]
    Table {
        /// Index of the entry.
        entry: u32,
        /// What is wrong.
        reason: String,
    },
}

impl FrameError {
    /// A broken frame stays broken.
    pub fn is_retriable(&self) -> bool {
        false
    }
}

impl From<FrameError> for ConnectError {
    fn from(error: FrameError) -> Self {
        Self::fatal(error.to_string())
    }
}
