//! Where things stand in a `WRF1` frame
//!
//! Sizes, offsets and flags of the header (32 bytes) and of a record (48 bytes, then its parts). All little-endian and
//! packed. Format: wasm-abi §4.

/// First bytes of a frame.
pub const MAGIC: [u8; 4] = *b"WRF1";
/// Size of the frame header; the first record starts here.
pub const HEADER_LEN: usize = 32;
/// Size of a record before its parts, its length field included.
pub const RECORD_LEN: usize = 48;
/// Size of a header entry before its bytes: name, schema, length.
pub const HEADER_ENTRY_LEN: usize = 12;
/// Size of the origin part.
pub const ORIGIN_LEN: usize = 16;
/// A length or table index that stands for null.
pub const NULL: u32 = 0xFFFF_FFFF;
/// A partition that stands for none.
pub const NO_PARTITION: i32 = -1;

/// Default for `weir.plugin.max.frame.bytes`.
pub const DEFAULT_MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Most records of a frame.
pub const DEFAULT_MAX_RECORDS: u32 = 1_000_000;

/// Flags of a frame.
pub mod frame_flags {
    /// Records have Kafka coordinates instead of source positions.
    pub const SINK: u16 = 1;
    /// Commit the transaction after this batch.
    pub const TXN_COMMIT: u16 = 1 << 1;
    /// Abort the transaction after this batch.
    pub const TXN_ABORT: u16 = 1 << 2;
    /// All flags there are.
    pub const ALL: u16 = SINK | TXN_COMMIT | TXN_ABORT;
}

/// Flags of a record.
pub mod record_flags {
    /// The timestamp field counts.
    pub const HAS_TIMESTAMP: u16 = 1;
    /// The timestamp was set by the broker.
    pub const LOG_APPEND_TIME: u16 = 1 << 1;
    /// The record was dropped by a transformation.
    pub const DROPPED: u16 = 1 << 2;
    /// Commit the transaction after this record.
    pub const TXN_COMMIT_AFTER: u16 = 1 << 3;
    /// Abort the transaction after this record.
    pub const TXN_ABORT_AFTER: u16 = 1 << 4;
    /// The origin part is there.
    pub const HAS_ORIGIN: u16 = 1 << 5;
    /// All flags there are.
    pub const ALL: u16 = HAS_TIMESTAMP | LOG_APPEND_TIME | DROPPED | TXN_COMMIT_AFTER | TXN_ABORT_AFTER | HAS_ORIGIN;
}
