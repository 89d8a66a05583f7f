//! `WRF1` frames: how batches of records cross between host and guest

pub mod frame_error;
pub mod layout;
pub mod slot;

mod fixed;
mod header;

pub mod reader;
pub mod writer;

pub mod value;
pub mod value_reader;
