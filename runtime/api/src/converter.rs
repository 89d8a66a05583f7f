//! The contract of converters
//!
//! A converter turns a slot of a frame (value encoding, `frame/value.rs`) into the bytes of a Kafka key, value or
//! header, and back. It writes into a buffer of the caller or says that the bytes pass unchanged. Kafka: `Converter`,
//! `HeaderConverter`.

use crate::data::schemas::{SchemaId, SchemaTable};
use crate::error::ConnectError;
use crate::frame::slot::Slot;

/// Which part of a record a converter serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConverterSlot {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Headers.
    Header,
}

impl ConverterSlot {
    /// Gives the text of `converter.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Header => "header",
        }
    }
}

/// What surrounds a conversion.
#[derive(Debug)]
pub struct ConvertCx<'a> {
    /// Topic of the record.
    pub topic: &'a str,
    /// Schemas of the instance whose frame is read or written.
    pub schemas: &'a mut SchemaTable,
}

/// Where the result of a conversion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Converted {
    /// There is none: null.
    Null,
    /// The input bytes, unchanged.
    Borrowed,
    /// Appended to the buffer given.
    Written,
}

/// The result of reading Kafka bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToConnect {
    /// Schema of the value.
    pub schema: SchemaId,
    /// Where its value encoding is.
    pub form: Converted,
}

/// A converter.
pub trait Converter: Send {
    /// Turns a slot into Kafka bytes, appended to `out` when the answer is [`Converted::Written`]. What was appended
    /// before an error is the caller's to cut off.
    ///
    /// # Errors
    /// `Data`: the value does not fit the converter.
    #[expect(clippy::wrong_self_convention, reason = "Kafka's name of the method")]
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError>;

    /// Turns Kafka bytes into a value encoding, appended to `out` when the form is [`Converted::Written`]. What was
    /// appended before an error is the caller's to cut off.
    ///
    /// # Errors
    /// `Data`: the bytes do not fit the converter.
    fn to_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError>;
}
