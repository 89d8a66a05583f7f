//! The fixed parts of a record as numbers
//!
//! Where each field stands in the 48 bytes of a record, in a header entry and in an origin. Nothing is checked here.
//! Format: wasm-abi §4.

use crate::data::schemas::SchemaId;
use crate::frame::layout::{NULL, RECORD_LEN};

/// The fixed part of a record.
#[derive(Clone, Copy)]
pub(crate) struct Fixed<'a> {
    pub(crate) bytes: &'a [u8; RECORD_LEN],
}

impl Fixed<'_> {
    // Constant positions inside the array: the compiler proves each in range.
    pub(crate) fn at<const AT: usize, const N: usize>(self) -> [u8; N] {
        const { assert!(AT + N <= RECORD_LEN, "field lies inside the fixed part") };
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[AT..AT + N]);
        field
    }

    pub(crate) fn flags(self) -> u16 {
        u16::from_le_bytes(self.at::<4, 2>())
    }

    pub(crate) fn header_count(self) -> u16 {
        u16::from_le_bytes(self.at::<6, 2>())
    }

    pub(crate) fn topic(self) -> u32 {
        u32::from_le_bytes(self.at::<8, 4>())
    }

    pub(crate) fn partition(self) -> i32 {
        i32::from_le_bytes(self.at::<12, 4>())
    }

    pub(crate) fn timestamp(self) -> i64 {
        i64::from_le_bytes(self.at::<16, 8>())
    }

    pub(crate) fn kafka_offset(self) -> i64 {
        i64::from_le_bytes(self.at::<24, 8>())
    }

    pub(crate) fn source_partition(self) -> u32 {
        u32::from_le_bytes(self.at::<24, 4>())
    }

    pub(crate) fn source_offset_len(self) -> u32 {
        u32::from_le_bytes(self.at::<28, 4>())
    }

    pub(crate) fn key_schema(self) -> SchemaId {
        SchemaId(u32::from_le_bytes(self.at::<32, 4>()))
    }

    pub(crate) fn key_len(self) -> u32 {
        u32::from_le_bytes(self.at::<36, 4>())
    }

    pub(crate) fn value_schema(self) -> SchemaId {
        SchemaId(u32::from_le_bytes(self.at::<40, 4>()))
    }

    pub(crate) fn value_len(self) -> u32 {
        u32::from_le_bytes(self.at::<44, 4>())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk::<4>)
        .map_or(NULL, |field| u32::from_le_bytes(*field))
}

/// Takes a header entry apart: name, schema, length.
pub(crate) fn split_header_entry(entry: &[u8]) -> (u32, SchemaId, u32) {
    (u32_at(entry, 0), SchemaId(u32_at(entry, 4)), u32_at(entry, 8))
}

/// Takes an origin apart: topic, partition, offset.
pub(crate) fn split_origin(origin: &[u8]) -> (u32, i32, i64) {
    let offset = origin
        .get(8..)
        .and_then(<[u8]>::first_chunk::<8>)
        .map_or(0, |field| i64::from_le_bytes(*field));
    (u32_at(origin, 0), u32_at(origin, 4).cast_signed(), offset)
}

/// Takes a nullable part off checked bytes.
pub(crate) fn pop<'a>(rest: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    if len == NULL {
        return None;
    }
    let (own, tail) = rest.split_at_checked(len as usize)?;
    *rest = tail;
    Some(own)
}
