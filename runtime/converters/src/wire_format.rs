//! The registry's wire format: a zero byte, the schema's id, the payload
//!
//! Version 0, the only one a converter can meet: version 1 carries its guid in a record header, which the converter
//! contract does not pass on. Kafka: `PrefixSchemaIdSerializer`, `SchemaId`.

use weir_api::error::ConnectError;

/// First byte of every value written with a registered schema.
pub const MAGIC: u8 = 0;
/// Bytes before the payload.
pub const PREFIX_LEN: usize = 5;

/// Appends the prefix of a schema id.
pub fn push_prefix(out: &mut Vec<u8>, id: u32) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Splits a value into its schema id and payload.
///
/// # Errors
/// `Data`: another first byte, too short, or an id that no registry gives.
pub fn split_prefix(bytes: &[u8]) -> Result<(u32, &[u8]), ConnectError> {
    match bytes {
        [MAGIC, a, b, c, d, payload @ ..] => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            if i32::try_from(id).is_err() {
                return Err(ConnectError::data(format!(
                    "Invalid schema id {id} in the value's prefix"
                )));
            }
            Ok((id, payload))
        }
        [MAGIC, rest @ ..] => Err(ConnectError::data(format!(
            "Invalid data: {} bytes of schema id expected after the magic byte, found {}",
            PREFIX_LEN - 1,
            rest.len()
        ))),
        [] => Err(ConnectError::data(
            "Invalid data: magic byte and schema id expected, found no bytes",
        )),
        [_, ..] => Err(ConnectError::data("Unknown magic byte!")),
    }
}

#[cfg(test)]
mod tests {
    use super::{push_prefix, split_prefix};

    #[test]
    fn the_prefix_is_a_zero_and_the_id_big_endian() {
        let mut out = Vec::new();
        push_prefix(&mut out, 0x0102_0304);
        out.push(9);
        assert_eq!(out, [0, 1, 2, 3, 4, 9]);
        assert_eq!(split_prefix(&out), Ok((0x0102_0304, [9].as_slice())));
    }

    #[test]
    fn values_without_a_prefix_are_refused() {
        let message = |bytes: &[u8]| split_prefix(bytes).expect_err("refused").message;
        assert_eq!(message(b"{\"a\":1}"), "Unknown magic byte!");
        assert!(message(&[0, 0, 0]).contains("4 bytes of schema id"));
        assert!(message(&[]).contains("no bytes"));
        assert!(message(&[0, 0x80, 0, 0, 0]).contains("Invalid schema id"));
    }
}
