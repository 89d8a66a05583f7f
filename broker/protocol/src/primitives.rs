//! Integers, varints and lengths as the wire writes them
//!
//! A borrowed reader and appending writers for the parts that do not go through
//! the message codec: request headers, record batches and hand-written
//! responses. Readers answer `None` at the end of input or on a malformed
//! varint; the caller knows what was being read and makes the error.

use bytes::{BufMut, BytesMut};

/// Cursor over borrowed bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the number of unread bytes.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns the unread bytes.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads the next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// Reads one signed byte.
    #[inline]
    pub fn i8(&mut self) -> Option<i8> {
        self.chunk().map(i8::from_be_bytes)
    }

    /// Reads a big-endian 16-bit integer.
    #[inline]
    pub fn i16(&mut self) -> Option<i16> {
        self.chunk().map(i16::from_be_bytes)
    }

    /// Reads a big-endian 32-bit integer.
    #[inline]
    pub fn i32(&mut self) -> Option<i32> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// Reads a big-endian unsigned 32-bit integer.
    #[inline]
    pub fn u32(&mut self) -> Option<u32> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// Reads a big-endian 64-bit integer.
    #[inline]
    pub fn i64(&mut self) -> Option<i64> {
        self.chunk().map(i64::from_be_bytes)
    }

    /// Reads an unsigned varint of at most five bytes.
    #[inline]
    pub fn unsigned_varint(&mut self) -> Option<u32> {
        // Nearly every length in a record fits one byte.
        let (&first, tail) = self.rest.split_first()?;
        if first < 0x80 {
            self.rest = tail;
            return Some(u32::from(first));
        }
        let value = self.unsigned_varlong_of(5)?;
        u32::try_from(value).ok()
    }

    /// Reads a zig-zag varint.
    #[inline]
    pub fn varint(&mut self) -> Option<i32> {
        self.unsigned_varint()
            .map(|raw| ((raw >> 1) as i32) ^ -((raw & 1) as i32))
    }

    /// Reads a zig-zag varlong of at most ten bytes.
    #[inline]
    pub fn varlong(&mut self) -> Option<i64> {
        let raw = self.unsigned_varlong_of(10)?;
        Some(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }

    fn unsigned_varlong_of(&mut self, max_bytes: u32) -> Option<u64> {
        let mut value = 0u64;
        for index in 0..max_bytes {
            let (&byte, tail) = self.rest.split_first()?;
            self.rest = tail;
            let bits = u64::from(byte & 0x7f);
            let shift = index * 7;
            // The tenth byte has room for one bit only.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

/// Appends an unsigned varint.
pub fn put_unsigned_varint(out: &mut impl BufMut, value: u32) {
    put_unsigned_varlong(out, u64::from(value));
}

/// Appends a zig-zag varint.
pub fn put_varint(out: &mut impl BufMut, value: i32) {
    put_unsigned_varint(out, ((value << 1) ^ (value >> 31)) as u32);
}

/// Appends a zig-zag varlong.
pub fn put_varlong(out: &mut impl BufMut, value: i64) {
    put_unsigned_varlong(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_unsigned_varlong(out: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value as u8) | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Returns the bytes [`put_varint`] writes.
pub fn varint_bytes(value: i32) -> usize {
    unsigned_varlong_bytes(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// Returns the bytes [`put_varlong`] writes.
pub fn varlong_bytes(value: i64) -> usize {
    unsigned_varlong_bytes(((value << 1) ^ (value >> 63)) as u64)
}

fn unsigned_varlong_bytes(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends a string with its length. Text beyond the 32767 bytes a length can
/// tell is cut, so the frame stays readable.
pub fn put_string(out: &mut BytesMut, value: &str, encoding: LengthEncoding) {
    let bytes = value.as_bytes();
    let bytes = bytes.get(..i16::MAX as usize).unwrap_or(bytes);
    match encoding {
        LengthEncoding::Plain => out.put_u16(bytes.len() as u16),
        LengthEncoding::Compact => put_compact_length(out, bytes.len()),
    }
    out.put_slice(bytes);
}

/// Appends the length of an array.
pub fn put_array_length(out: &mut BytesMut, count: usize, encoding: LengthEncoding) {
    match encoding {
        LengthEncoding::Plain => out.put_i32(i32::try_from(count).unwrap_or(i32::MAX)),
        LengthEncoding::Compact => put_compact_length(out, count),
    }
}

/// Appends the length of a byte field; the bytes follow elsewhere.
pub fn put_bytes_length(out: &mut BytesMut, bytes: usize, encoding: LengthEncoding) {
    put_array_length(out, bytes, encoding);
}

fn put_compact_length(out: &mut BytesMut, length: usize) {
    put_unsigned_varint(out, u32::try_from(length).unwrap_or(u32::MAX - 1) + 1);
}

/// How lengths are written: by a version's being flexible or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthEncoding {
    /// Fixed-width lengths.
    Plain,
    /// Varint of length plus one.
    Compact,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_round_trip(narrow: i32, wide: i64, plain: u32) {
            let mut out = Vec::new();
            put_varint(&mut out, narrow);
            prop_assert_eq!(out.len(), varint_bytes(narrow));
            put_varlong(&mut out, wide);
            prop_assert_eq!(out.len(), varint_bytes(narrow) + varlong_bytes(wide));
            put_unsigned_varint(&mut out, plain);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint(), Some(narrow));
            prop_assert_eq!(reader.varlong(), Some(wide));
            prop_assert_eq!(reader.unsigned_varint(), Some(plain));
            prop_assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn malformed_varints_are_refused() {
        assert_eq!(Reader::new(&[]).varint(), None);
        assert_eq!(Reader::new(&[0x80]).varint(), None);
        assert_eq!(Reader::new(&[0xff; 5]).varint(), None);
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).unsigned_varint(), None);
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unsigned_varint(),
            Some(u32::MAX)
        );
        assert_eq!(Reader::new(&[0xff; 10]).varlong(), None);
    }
}
