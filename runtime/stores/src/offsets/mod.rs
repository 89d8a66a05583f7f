//! Source offsets: what each source partition has reached.

pub mod connector_offset;
pub mod java_map;
pub mod table;

mod connector;
mod file;
mod store;

pub use connector::ConnectorOffsets;
pub use store::{OffsetChange, OffsetStore};
pub use table::OffsetRecord;
