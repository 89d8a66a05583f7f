//! Strings and byte fields of coordinator records and subscriptions
//!
//! Reads and writes the plain and the compact forms; integers are `weir_protocol::primitives`'.
//! Nothing here trusts a length: a count is only believed as far as bytes are left.

use bytes::{BufMut, Bytes};
use weir_protocol::primitives::{LengthEncoding, Reader};

/// Field reader over one record's bytes. Every method answers `None` on malformed input.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
    lengths: LengthEncoding,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            lengths: LengthEncoding::Plain,
        }
    }

    /// Lengths read from here on are in this form.
    pub(crate) fn set_lengths(&mut self, lengths: LengthEncoding) {
        self.lengths = lengths;
    }

    pub(crate) fn i8(&mut self) -> Option<i8> {
        self.reader.i8()
    }

    pub(crate) fn i16(&mut self) -> Option<i16> {
        self.reader.i16()
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.reader.i32()
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.reader.i64()
    }

    pub(crate) fn string(&mut self) -> Option<String> {
        self.nullable_string()?
    }

    /// Reads a string that may be null: the outer `None` is malformed input.
    pub(crate) fn nullable_string(&mut self) -> Option<Option<String>> {
        let length = match self.lengths {
            LengthEncoding::Plain => match self.reader.i16()? {
                -1 => None,
                length => Some(usize::try_from(length).ok()?),
            },
            LengthEncoding::Compact => self.compact_length()?,
        };
        let Some(length) = length else {
            return Some(None);
        };
        let text = std::str::from_utf8(self.reader.take(length)?).ok()?;
        Some(Some(text.to_owned()))
    }

    pub(crate) fn bytes(&mut self) -> Option<Bytes> {
        let length = match self.lengths {
            LengthEncoding::Plain => usize::try_from(self.reader.i32()?).ok()?,
            LengthEncoding::Compact => self.compact_length()??,
        };
        Some(Bytes::copy_from_slice(self.reader.take(length)?))
    }

    /// Reads the length of an array; a null array counts as empty.
    pub(crate) fn array_length(&mut self) -> Option<usize> {
        let length = match self.lengths {
            LengthEncoding::Plain => usize::try_from(self.reader.i32()?.max(0)).ok()?,
            LengthEncoding::Compact => self.compact_length()?.unwrap_or(0),
        };
        // Every element takes a byte at least.
        (length <= self.reader.remaining()).then_some(length)
    }

    /// Skips the tagged fields that end each struct of a flexible version.
    pub(crate) fn skip_tags(&mut self) -> Option<()> {
        self.tags(|_, _| Some(()))
    }

    /// Reads the tagged fields that end a struct of a flexible version, each given with its number.
    pub(crate) fn tags(&mut self, mut visit: impl FnMut(u32, &[u8]) -> Option<()>) -> Option<()> {
        if self.lengths == LengthEncoding::Plain {
            return Some(());
        }
        for _ in 0..self.reader.unsigned_varint()? {
            let tag = self.reader.unsigned_varint()?;
            let bytes = usize::try_from(self.reader.unsigned_varint()?).ok()?;
            visit(tag, self.reader.take(bytes)?)?;
        }
        Some(())
    }

    fn compact_length(&mut self) -> Option<Option<usize>> {
        match self.reader.unsigned_varint()? {
            0 => Some(None),
            length => Some(Some(usize::try_from(length - 1).ok()?)),
        }
    }
}

/// Appends a string with a 16-bit length, cut at that length's end.
pub(crate) fn put_string(out: &mut Vec<u8>, value: &str) {
    let mut end = value.len().min(usize::from(i16::MAX.unsigned_abs()));
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let (kept, _) = value.split_at(end);
    out.put_i16(i16::try_from(kept.len()).unwrap_or(i16::MAX));
    out.put_slice(kept.as_bytes());
}

/// Appends a string with a 16-bit length, or the null length.
pub(crate) fn put_nullable_string(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => put_string(out, value),
        None => out.put_i16(-1),
    }
}

/// Appends bytes with a 32-bit length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, value: &[u8]) {
    out.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
    out.put_slice(value);
}

/// Appends a compact string.
#[cfg(test)]
pub(crate) fn put_compact_string(out: &mut Vec<u8>, value: &str) {
    weir_protocol::primitives::put_unsigned_varint(out, u32::try_from(value.len()).unwrap_or(u32::MAX - 1) + 1);
    out.put_slice(value.as_bytes());
}
