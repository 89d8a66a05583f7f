//! Avro's binary encoding: single values
//!
//! The writing half appends to the caller's buffer; the reading half is a cursor over bytes that came from outside:
//! every length is checked, and counts of elements are bounded by the size of the whole value, since elements may take
//! no byte at all.

use weir_api::error::ConnectError;

/// Why Avro bytes were refused: an error of the one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// Fewer bytes than the value takes.
    #[error("avro: {wanted} bytes wanted for {what}, {left} left")]
    Short {
        /// What was read.
        what: &'static str,
        /// Bytes it takes.
        wanted: u64,
        /// Bytes left.
        left: usize,
    },
    /// Bytes are left over.
    #[error("avro: {0} bytes left over after the value")]
    LeftOver(usize),
    /// A number takes more bits than its type has.
    #[error("avro: {0} has more bits than its type")]
    Overlong(&'static str),
    /// A number has no meaning where it stands.
    #[error("avro: {what} is {found}, expected {expected}")]
    Range {
        /// What was read.
        what: &'static str,
        /// What stood there.
        found: i64,
        /// What may stand there.
        expected: &'static str,
    },
    /// More elements than the value can hold.
    #[error("avro: {found} elements announced, room for {room}")]
    Count {
        /// Elements announced.
        found: u64,
        /// Most there can be.
        room: usize,
    },
    /// Nested too deep.
    #[error("avro: value is nested deeper than {0}")]
    Depth(usize),
    /// The value grew beyond any use.
    #[error("avro: value grows beyond {0} bytes")]
    TooLarge(usize),
}

impl BinaryError {
    /// Bad bytes stay bad.
    pub fn is_retriable(&self) -> bool {
        false
    }
}

impl From<BinaryError> for ConnectError {
    fn from(error: BinaryError) -> Self {
        Self::data(error.to_string())
    }
}

/// Appends an `int` or `long`: zigzag, seven bits a byte, low ones first.
#[inline]
pub fn push_long(out: &mut Vec<u8>, value: i64) {
    let raw = ((value << 1) ^ (value >> 63)).cast_unsigned();
    if raw < 0x80 {
        out.push(raw as u8);
    } else {
        push_groups(out, raw);
    }
}

/// Appends a number of two bytes and more.
#[inline]
fn push_groups(out: &mut Vec<u8>, raw: u64) {
    let (low, rest) = (raw & ((1 << 56) - 1), raw >> 56);
    if rest == 0 {
        let len = (70 - low.leading_zeros() as usize) / 7;
        // Every byte before the last says that another follows.
        let more = MORE >> (72 - 8 * len);
        // A copy of fixed size and a cut are faster than a copy of `len` bytes.
        let end = out.len() + len;
        out.extend_from_slice(&(spread(low) | more).to_le_bytes());
        out.truncate(end);
    } else {
        out.extend_from_slice(&(spread(low) | MORE).to_le_bytes());
        match rest {
            0..0x80 => out.push(rest as u8),
            _ => out.extend_from_slice(&[rest as u8 | 0x80, (rest >> 7) as u8]),
        }
    }
}

/// The bit of each byte that says whether another follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// Spreads 56 bits over eight bytes, seven bits each: three steps instead of a loop.
#[inline]
fn spread(bits: u64) -> u64 {
    let bits = (bits & 0x00FF_FFFF_F000_0000) << 4 | bits & 0x0000_0000_0FFF_FFFF;
    let bits = (bits & 0x0FFF_C000_0FFF_C000) << 2 | bits & 0x0000_3FFF_0000_3FFF;
    (bits & 0x3F80_3F80_3F80_3F80) << 1 | bits & 0x007F_007F_007F_007F
}

/// Gathers the low seven bits of each byte: the reverse of [`spread`].
#[inline]
fn gathered(bytes: u64) -> u64 {
    let bits = bytes & !MORE;
    let bits = (bits & 0x7F00_7F00_7F00_7F00) >> 1 | bits & 0x007F_007F_007F_007F;
    let bits = (bits & 0x3FFF_0000_3FFF_0000) >> 2 | bits & 0x0000_3FFF_0000_3FFF;
    (bits & 0x0FFF_FFFF_0000_0000) >> 4 | bits & 0x0000_0000_0FFF_FFFF
}

/// Appends `bytes` or a `string`: length and bytes.
#[inline]
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a length or count.
#[inline]
pub fn push_len(out: &mut Vec<u8>, len: usize) {
    // No slice is longer than this type can say.
    push_long(out, i64::try_from(len).unwrap_or(i64::MAX));
}

/// Elements that may take no byte at all, so that a count cannot make endless work; as in `ValueReader`.
const FREE_ELEMENTS: usize = 1024;

/// A cursor over Avro bytes.
#[derive(Debug, Clone)]
pub struct BinaryReader<'a> {
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> BinaryReader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            elements_left: bytes.len().saturating_add(FREE_ELEMENTS),
        }
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// Bytes are left over.
    pub fn finish(&self) -> Result<(), BinaryError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(BinaryError::LeftOver(self.rest.len()))
        }
    }

    /// Takes all bytes that are left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Reads a `long`.
    ///
    /// # Errors
    /// Too few bytes, or more than 64 bits; so for the others below, each within its bounds.
    #[inline]
    pub fn long(&mut self) -> Result<i64, BinaryError> {
        let raw = match self.rest {
            [byte, tail @ ..] if *byte < 0x80 => {
                self.rest = tail;
                u64::from(*byte)
            }
            rest => match rest.first_chunk().map(|chunk| u64::from_le_bytes(*chunk)) {
                Some(word) if word & MORE != MORE => {
                    // The first byte that ends the number, and what stands before it.
                    let end = (!word & MORE).trailing_zeros() + 1;
                    self.rest = rest.get(end as usize / 8..).unwrap_or_default();
                    gathered(word & (u64::MAX >> (64 - end)))
                }
                _ => self.long_tail()?,
            },
        };
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn long_tail(&mut self) -> Result<u64, BinaryError> {
        let mut raw = 0u64;
        let mut shift = 0u32;
        for (position, byte) in self.rest.iter().enumerate() {
            if shift == 63 && *byte > 1 {
                return Err(BinaryError::Overlong("a long"));
            }
            raw |= u64::from(byte & 0x7F) << shift;
            if *byte < 0x80 {
                self.rest = self.rest.get(position + 1..).unwrap_or_default();
                return Ok(raw);
            }
            shift += 7;
        }
        Err(BinaryError::Short {
            what: "a number",
            wanted: self.rest.len() as u64 + 1,
            left: self.rest.len(),
        })
    }

    /// Reads an `int`.
    ///
    /// # Errors
    /// Not within 32 bits.
    #[inline]
    pub fn int(&mut self) -> Result<i32, BinaryError> {
        i32::try_from(self.long()?).map_err(|_| BinaryError::Overlong("an int"))
    }

    /// Reads a `boolean`.
    ///
    /// # Errors
    /// Neither 0 nor 1.
    #[inline]
    pub fn boolean(&mut self) -> Result<u8, BinaryError> {
        match self.array::<1>("a boolean")? {
            [flag @ (0 | 1)] => Ok(flag),
            [found] => Err(BinaryError::Range {
                what: "a boolean",
                found: found.into(),
                expected: "0 or 1",
            }),
        }
    }

    /// Reads a `float`, its bits little-endian.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn float(&mut self) -> Result<[u8; 4], BinaryError> {
        self.array("a float")
    }

    /// Reads a `double`, its bits little-endian.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn double(&mut self) -> Result<[u8; 8], BinaryError> {
        self.array("a double")
    }

    /// Reads `bytes` or the bytes of a `string`.
    ///
    /// # Errors
    /// A negative length, or one beyond the end.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], BinaryError> {
        let len = self.long()?;
        match usize::try_from(len) {
            Ok(len) => self.fixed(len),
            Err(_) => Err(BinaryError::Range {
                what: "a length",
                found: len,
                expected: "0 or more",
            }),
        }
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn fixed(&mut self, len: usize) -> Result<&'a [u8], BinaryError> {
        let Some((own, tail)) = self.rest.split_at_checked(len) else {
            return Err(BinaryError::Short {
                what: "bytes",
                wanted: len as u64,
                left: self.rest.len(),
            });
        };
        self.rest = tail;
        Ok(own)
    }

    /// Reads the position of a branch or symbol.
    ///
    /// # Errors
    /// Not below `end`.
    #[inline]
    pub fn position(&mut self, what: &'static str, end: usize) -> Result<usize, BinaryError> {
        let found = self.long()?;
        match usize::try_from(found) {
            Ok(position) if position < end => Ok(position),
            _ => Err(BinaryError::Range {
                what,
                found,
                expected: "one that the schema has",
            }),
        }
    }

    /// Reads the start of a block of elements; 0 is the end. A negative count is followed by the block's size.
    ///
    /// # Errors
    /// More elements than the value can hold, or a size that is none.
    #[inline]
    pub fn block(&mut self) -> Result<usize, BinaryError> {
        let found = self.long()?;
        if found < 0 {
            let size = self.long()?;
            if size < 0 || size.cast_unsigned() > self.rest.len() as u64 {
                return Err(BinaryError::Range {
                    what: "the size of a block",
                    found: size,
                    expected: "at most the bytes left",
                });
            }
        }
        let count = found.unsigned_abs();
        let left = usize::try_from(count)
            .ok()
            .and_then(|count| self.elements_left.checked_sub(count));
        match left {
            Some(left) => {
                let count = self.elements_left - left;
                self.elements_left = left;
                Ok(count)
            }
            None => Err(BinaryError::Count {
                found: count,
                room: self.elements_left,
            }),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BinaryError> {
        let Some((own, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(BinaryError::Short {
                what,
                wanted: N as u64,
                left: self.rest.len(),
            });
        };
        self.rest = tail;
        Ok(*own)
    }
}

#[cfg(test)]
mod tests {
    use super::{BinaryError, BinaryReader, push_long};

    #[test]
    fn numbers_are_zigzag_and_come_back() {
        for (value, bytes) in [
            (0i64, vec![0u8]),
            (-1, vec![1]),
            (1, vec![2]),
            (-64, vec![0x7F]),
            (64, vec![0x80, 1]),
            (i64::from(i32::MAX), vec![0xFE, 0xFF, 0xFF, 0xFF, 0x0F]),
            (i64::MAX, vec![0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
            (i64::MIN, vec![0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
        ] {
            let mut out = Vec::new();
            push_long(&mut out, value);
            assert_eq!(out, bytes, "{value}");
            let mut reader = BinaryReader::new(&out);
            assert_eq!(reader.long(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn numbers_of_every_length_are_those_of_the_plain_form() {
        let plain = |value: i64| {
            let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
            let mut bytes = Vec::new();
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes
        };
        for shift in 0..64 {
            for step in [-1i64, 0, 1] {
                for sign in [1, -1] {
                    let value = (1i64 << shift).wrapping_add(step).wrapping_mul(sign);
                    let mut out = vec![7];
                    push_long(&mut out, value);
                    assert_eq!(out[1..], plain(value), "{value}");
                    // What stands behind the number must not matter, nor that nothing does.
                    for behind in [&[][..], &[0xFF; 12], &[0; 12]] {
                        let bytes = [&out[1..], behind].concat();
                        let mut reader = BinaryReader::new(&bytes);
                        assert_eq!(reader.long(), Ok(value));
                        assert_eq!(reader.take_rest(), behind);
                    }
                }
            }
        }
    }

    #[test]
    fn broken_numbers_are_refused() {
        let long = |bytes: &[u8]| BinaryReader::new(bytes).long();
        assert!(matches!(long(&[]), Err(BinaryError::Short { .. })));
        assert!(matches!(long(&[0x80; 3]), Err(BinaryError::Short { .. })));
        assert_eq!(long(&[0xFF; 11]), Err(BinaryError::Overlong("a long")));
        assert_eq!(
            long(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]),
            Err(BinaryError::Overlong("a long"))
        );
        let mut bytes = Vec::new();
        push_long(&mut bytes, i64::from(i32::MAX) + 1);
        assert_eq!(BinaryReader::new(&bytes).int(), Err(BinaryError::Overlong("an int")));
    }

    #[test]
    fn counts_are_bounded_by_the_value() {
        let block = |count: i64, more: &[u8]| {
            let mut bytes = Vec::new();
            push_long(&mut bytes, count);
            bytes.extend_from_slice(more);
            BinaryReader::new(&bytes).block()
        };
        assert_eq!(block(3, &[]), Ok(3));
        assert_eq!(block(-3, &[2, 0]), Ok(3));
        assert!(matches!(block(1 << 40, &[]), Err(BinaryError::Count { .. })));
        assert!(matches!(block(i64::MIN, &[0]), Err(BinaryError::Count { .. })));
        assert!(matches!(block(-1, &[1]), Err(BinaryError::Range { .. })));
        assert!(matches!(block(-1, &[100]), Err(BinaryError::Range { .. })));
    }
}
