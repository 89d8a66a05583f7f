//! The header and the string table of a frame, checked
//!
//! The first step of reading: sizes against the frame's length, texts against UTF-8. Records are checked in
//! `reader.rs`. Format: wasm-abi §4.

use crate::frame::frame_error::FrameError;
use crate::frame::layout::{HEADER_LEN, MAGIC, RECORD_LEN, frame_flags};

/// The header of a frame, its own fields checked.
pub(crate) struct Header {
    pub(crate) flags: u16,
    pub(crate) record_count: u32,
    pub(crate) table_offset: u32,
    pub(crate) table_count: u32,
    pub(crate) batch: u64,
}

impl Header {
    /// Reads it and checks what it says of itself.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(header) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(refused("length", bytes.len() as u64, format!("at least {HEADER_LEN}")));
        };
        let [
            m0,
            m1,
            m2,
            m3,
            f0,
            f1,
            r0,
            r1,
            c0,
            c1,
            c2,
            c3,
            o0,
            o1,
            o2,
            o3,
            n0,
            n1,
            n2,
            n3,
            l0,
            l1,
            l2,
            l3,
            batch @ ..,
        ] = *header;
        let (magic, flags, reserved) = (
            [m0, m1, m2, m3],
            u16::from_le_bytes([f0, f1]),
            u16::from_le_bytes([r0, r1]),
        );
        if magic != MAGIC {
            return Err(refused(
                "magic",
                u32::from_be_bytes(magic).into(),
                format!("{:#x}", u32::from_be_bytes(MAGIC)),
            ));
        }
        if flags & !frame_flags::ALL != 0 {
            return Err(refused(
                "flags",
                flags.into(),
                format!("within {:#x}", frame_flags::ALL),
            ));
        }
        if reserved != 0 {
            return Err(refused("reserved", reserved.into(), "0"));
        }
        let frame_len = u32::from_le_bytes([l0, l1, l2, l3]);
        if frame_len as usize != bytes.len() {
            return Err(refused(
                "frame_len",
                frame_len.into(),
                format!("the frame's length {:#x}", bytes.len()),
            ));
        }
        Ok(Self {
            flags,
            record_count: u32::from_le_bytes([c0, c1, c2, c3]),
            table_offset: u32::from_le_bytes([o0, o1, o2, o3]),
            table_count: u32::from_le_bytes([n0, n1, n2, n3]),
            batch: u64::from_le_bytes(batch),
        })
    }

    /// Gives the bytes of the records and those of the table.
    pub(crate) fn split<'a>(&self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), FrameError> {
        let table_offset = self.table_offset as usize;
        let split = (table_offset >= HEADER_LEN)
            .then(|| bytes.split_at_checked(table_offset))
            .flatten();
        let Some((head, table)) = split else {
            return Err(refused(
                "table_offset",
                self.table_offset.into(),
                format!("from {HEADER_LEN} to {:#x}", bytes.len()),
            ));
        };
        if self.table_count as usize > table.len() / 4 {
            return Err(refused(
                "table_count",
                self.table_count.into(),
                format!("at most {:#x} in {:#x} bytes", table.len() / 4, table.len()),
            ));
        }
        if self.record_count as usize > (head.len() - HEADER_LEN) / RECORD_LEN {
            let most = (head.len() - HEADER_LEN) / RECORD_LEN;
            return Err(refused(
                "record_count",
                self.record_count.into(),
                format!("at most {most:#x} before the table"),
            ));
        }
        Ok((head.get(HEADER_LEN..).unwrap_or_default(), table))
    }
}

fn refused(field: &'static str, found: u64, expected: impl Into<String>) -> FrameError {
    FrameError::Header {
        field,
        found,
        expected: expected.into(),
    }
}

/// Reads the string table, which must end where the frame does.
pub(crate) fn parse_table(mut rest: &[u8], count: u32) -> Result<Vec<&str>, FrameError> {
    let mut table = Vec::with_capacity(count as usize);
    for entry in 0..count {
        let broken = |reason: String| FrameError::Table { entry, reason };
        let Some((len, tail)) = rest.split_first_chunk::<4>() else {
            return Err(broken("no room for its length".to_owned()));
        };
        let len = u32::from_le_bytes(*len) as usize;
        let Some((text, tail)) = tail.split_at_checked(len) else {
            return Err(broken(format!(
                "{len} bytes announced, {} left in the frame",
                tail.len()
            )));
        };
        table.push(std::str::from_utf8(text).map_err(|error| broken(format!("not UTF-8: {error}")))?);
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(FrameError::Table {
            entry: count,
            reason: format!("{} bytes left over after the table", rest.len()),
        });
    }
    Ok(table)
}
