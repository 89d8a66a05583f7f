//! Source offsets: what each source partition has reached.

pub mod java_map;
pub mod table;

mod file;
mod store;

pub use store::OffsetStore;
