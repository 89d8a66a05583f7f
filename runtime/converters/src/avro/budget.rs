//! What one value read from Avro may cost
//!
//! A few bytes may stand for many: symbols of an enum, members of a union, elements without bytes. What comes out is
//! bounded here; counts are bounded in `binary.rs`.

use std::borrow::Cow;

use weir_api::data::java_utf8::decoded;

use crate::avro::binary::{BinaryError, BinaryReader};

/// Most bytes one value may grow to, whatever it was read from.
const MAX_VALUE_BYTES: usize = 64 * 1024 * 1024;

/// What one value may grow to.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    end: usize,
}

impl Budget {
    /// Gives what may be appended for an input.
    pub fn new(out: &[u8], input: &[u8]) -> Self {
        let room = MAX_VALUE_BYTES.max(input.len().saturating_mul(16));
        Self {
            end: out.len().saturating_add(room),
        }
    }

    /// Appends bytes with their length in front.
    ///
    /// # Errors
    /// The value grows too large.
    #[inline]
    pub fn push_bytes(&self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), BinaryError> {
        let Ok(len) = u32::try_from(bytes.len()) else {
            return Err(BinaryError::TooLarge(MAX_VALUE_BYTES));
        };
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(bytes);
        self.check(out)
    }

    #[inline]
    fn check(&self, out: &[u8]) -> Result<(), BinaryError> {
        if out.len() > self.end {
            return Err(BinaryError::TooLarge(MAX_VALUE_BYTES));
        }
        Ok(())
    }
}

/// Gives a string's text; what is not UTF-8 is replaced as Java does.
pub fn decoded_text(bytes: &[u8]) -> Cow<'_, str> {
    decoded(bytes)
}

/// Reads the blocks of an array or map and puts the count in front.
///
/// # Errors
/// What an element's reading gives; more elements than the value can hold.
pub fn with_count<'a>(
    reader: &mut BinaryReader<'a>,
    out: &mut Vec<u8>,
    budget: &Budget,
    mut element: impl FnMut(&mut BinaryReader<'a>, &mut Vec<u8>) -> Result<(), BinaryError>,
) -> Result<(), BinaryError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut total = 0u32;
    loop {
        let count = reader.block()?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            element(reader, out)?;
            budget.check(out)?;
        }
        let more = u32::try_from(count).map_err(|_| BinaryError::TooLarge(MAX_VALUE_BYTES))?;
        total = total.checked_add(more).ok_or(BinaryError::TooLarge(MAX_VALUE_BYTES))?;
    }
    if let Some(place) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *place = total.to_le_bytes();
    }
    Ok(())
}
