//! A borrowed walk over value-encoded bytes
//!
//! Converters read fields with it straight from the frame: typed by the schema, nothing copied, hostile lengths and
//! counts refused. Owned decoding is in `value.rs`. Format: wasm-abi §5.

use crate::error::ConnectError;

/// Why value bytes were refused: an error of the one record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Fewer bytes than the type takes.
    #[error("value encoding: {wanted} bytes wanted for {what}, {left} left")]
    Short {
        /// What was read.
        what: &'static str,
        /// Bytes it takes.
        wanted: usize,
        /// Bytes left.
        left: usize,
    },
    /// Bytes are left over.
    #[error("value encoding: {0} bytes left over after the value")]
    LeftOver(usize),
    /// A byte has no meaning where it stands.
    #[error("value encoding: {what} is {found}")]
    Byte {
        /// What was read.
        what: &'static str,
        /// What stood there.
        found: u8,
    },
    /// A text is not UTF-8.
    #[error("value encoding: text is not UTF-8: {0}")]
    Utf8(#[from] std::str::Utf8Error),
    /// More elements than the bytes can hold.
    #[error("value encoding: {found} elements announced, room for {room}")]
    Count {
        /// Elements announced.
        found: u32,
        /// Most there can be.
        room: usize,
    },
    /// Nested too deep.
    #[error("value is nested deeper than {0}")]
    Depth(usize),
    /// A struct names a schema that nobody declared, or one that is no struct.
    #[error("value encoding: schema {0} is not a declared struct")]
    Schema(u32),
}

impl ValueError {
    /// Bad bytes stay bad.
    pub fn is_retriable(&self) -> bool {
        false
    }
}

impl From<ValueError> for ConnectError {
    fn from(error: ValueError) -> Self {
        Self::data(error.to_string())
    }
}

/// Elements that may take no byte at all (structs without fields), so that a count cannot make endless work.
const FREE_ELEMENTS: usize = 1024;

/// A cursor over value-encoded bytes.
#[derive(Debug, Clone)]
pub struct ValueReader<'a> {
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> ValueReader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            elements_left: bytes.len().saturating_add(FREE_ELEMENTS),
        }
    }

    /// Gives the bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// Bytes are left over.
    pub fn finish(&self) -> Result<(), ValueError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ValueError::LeftOver(self.rest.len()))
        }
    }

    /// Reads the byte in front of an optional part: true when a value follows.
    ///
    /// # Errors
    /// No byte, or neither 0 nor 1.
    #[inline]
    pub fn is_present(&mut self) -> Result<bool, ValueError> {
        match self.take::<1>("presence")? {
            [0] => Ok(false),
            [1] => Ok(true),
            [found] => Err(ValueError::Byte {
                what: "presence",
                found,
            }),
        }
    }

    /// Reads a tag of a schemaless value.
    ///
    /// # Errors
    /// No byte.
    #[inline]
    pub fn tag(&mut self) -> Result<u8, ValueError> {
        self.take::<1>("tag").map(|[tag]| tag)
    }

    /// Reads an INT8.
    ///
    /// # Errors
    /// Too few bytes; so for the numbers below.
    #[inline]
    pub fn int8(&mut self) -> Result<i8, ValueError> {
        self.take("INT8").map(i8::from_le_bytes)
    }

    /// Reads an INT16.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn int16(&mut self) -> Result<i16, ValueError> {
        self.take("INT16").map(i16::from_le_bytes)
    }

    /// Reads an INT32.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn int32(&mut self) -> Result<i32, ValueError> {
        self.take("INT32").map(i32::from_le_bytes)
    }

    /// Reads an INT64.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn int64(&mut self) -> Result<i64, ValueError> {
        self.take("INT64").map(i64::from_le_bytes)
    }

    /// Reads an unsigned number of 32 bits: a length, count or schema id.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn uint32(&mut self) -> Result<u32, ValueError> {
        self.take("length").map(u32::from_le_bytes)
    }

    /// Reads a FLOAT32.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn float32(&mut self) -> Result<f32, ValueError> {
        self.take("FLOAT32").map(f32::from_le_bytes)
    }

    /// Reads a FLOAT64.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn float64(&mut self) -> Result<f64, ValueError> {
        self.take("FLOAT64").map(f64::from_le_bytes)
    }

    /// Reads a BOOLEAN.
    ///
    /// # Errors
    /// No byte, or neither 0 nor 1.
    #[inline]
    pub fn boolean(&mut self) -> Result<bool, ValueError> {
        match self.take::<1>("BOOLEAN")? {
            [0] => Ok(false),
            [1] => Ok(true),
            [found] => Err(ValueError::Byte { what: "BOOLEAN", found }),
        }
    }

    /// Reads a STRING below the root.
    ///
    /// # Errors
    /// Too few bytes, or not UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<&'a str, ValueError> {
        Ok(std::str::from_utf8(self.bytes()?)?)
    }

    /// Reads BYTES below the root.
    ///
    /// # Errors
    /// Too few bytes.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], ValueError> {
        let len = self.uint32()? as usize;
        let Some((own, tail)) = self.rest.split_at_checked(len) else {
            return Err(ValueError::Short {
                what: "bytes",
                wanted: len,
                left: self.rest.len(),
            });
        };
        self.rest = tail;
        Ok(own)
    }

    /// Reads a STRING that takes the whole slot.
    ///
    /// # Errors
    /// Not UTF-8.
    #[inline]
    pub fn root_text(&mut self) -> Result<&'a str, ValueError> {
        Ok(std::str::from_utf8(self.root_bytes())?)
    }

    /// Reads BYTES that take the whole slot.
    #[inline]
    pub fn root_bytes(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Reads the count of an ARRAY or MAP.
    ///
    /// # Errors
    /// Too few bytes, or more elements than the whole value has bytes.
    #[inline]
    pub fn count(&mut self) -> Result<u32, ValueError> {
        let found = self.uint32()?;
        match self.elements_left.checked_sub(found as usize) {
            Some(left) => {
                self.elements_left = left;
                Ok(found)
            }
            None => Err(ValueError::Count {
                found,
                room: self.elements_left,
            }),
        }
    }

    #[inline]
    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ValueError> {
        let Some((field, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(ValueError::Short {
                what,
                wanted: N,
                left: self.rest.len(),
            });
        };
        self.rest = tail;
        Ok(*field)
    }
}
