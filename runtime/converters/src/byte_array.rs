//! Bytes as they are: `ByteArrayConverter`
//!
//! Needs a BYTES value and passes it through; reading gives optional bytes. Kafka:
//! `org.apache.kafka.connect.converters.ByteArrayConverter`.

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::logical::Logical;
use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::SchemaId;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::decode_slot;

/// The converter.
#[derive(Debug, Default)]
pub struct ByteArrayConverter;

impl Converter for ByteArrayConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        if slot.schema == SchemaId::NONE {
            return match decode_slot(slot.schema, slot.bytes, cx.schemas)? {
                Value::Null => Ok(Converted::Null),
                Value::Bytes(bytes) => {
                    out.extend_from_slice(&bytes);
                    Ok(Converted::Written)
                }
                other => Err(wrong_class(other.java_class())),
            };
        }
        let schema = cx
            .schemas
            .get(slot.schema)
            .ok_or_else(|| ConnectError::data(format!("schema {} is not known", slot.schema.0)))?;
        if schema.base != SchemaType::Bytes {
            return Err(ConnectError::data(format!(
                "Invalid schema type for ByteArrayConverter: {}",
                schema.base.as_str()
            )));
        }
        match slot.bytes {
            None => Ok(Converted::Null),
            Some(_) if Logical::of(schema).is_some() => Err(wrong_class("class java.math.BigDecimal")),
            Some(_) => Ok(Converted::Borrowed),
        }
    }

    fn to_connect(
        &mut self,
        _cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        _out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        Ok(ToConnect {
            schema: SchemaId::OPTIONAL_BYTES,
            form: if data.is_some() {
                Converted::Borrowed
            } else {
                Converted::Null
            },
        })
    }
}

fn wrong_class(class: &str) -> ConnectError {
    ConnectError::data(format!(
        "ByteArrayConverter is not compatible with objects of type {class}"
    ))
}

#[cfg(test)]
mod tests {
    use weir_api::converter::{ConvertCx, Converted, Converter};
    use weir_api::data::logical::decimal;
    use weir_api::data::schemas::{SchemaId, SchemaTable};
    use weir_api::frame::slot::Slot;

    use super::ByteArrayConverter;

    #[test]
    fn bytes_pass_and_other_values_are_refused() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let decimal = schemas.declare(decimal(2)).expect("declares");
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        let mut from = |slot: Slot<'_>| {
            ByteArrayConverter
                .from_connect(&mut cx, slot, &mut out)
                .map_err(|error| error.message)
        };
        assert_eq!(from(Slot::bytes(b"\xff")), Ok(Converted::Borrowed));
        assert_eq!(from(Slot::NULL), Ok(Converted::Null));
        assert_eq!(
            from(Slot::new(SchemaId::NONE, Some(&[9, 1, 0, 0, 0, 7]))),
            Ok(Converted::Written)
        );
        assert_eq!(
            from(Slot::text("x")),
            Err("Invalid schema type for ByteArrayConverter: STRING".to_owned())
        );
        assert_eq!(
            from(Slot::new(SchemaId::NONE, Some(&[1, 5]))),
            Err("ByteArrayConverter is not compatible with objects of type class java.lang.Byte".to_owned())
        );
        assert_eq!(
            from(Slot::new(decimal, Some(&[5]))),
            Err("ByteArrayConverter is not compatible with objects of type class java.math.BigDecimal".to_owned())
        );
        assert_eq!(out, [7]);
    }

    #[test]
    fn reading_gives_optional_bytes() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        let read = ByteArrayConverter
            .to_connect(&mut cx, Some(b"x"), &mut out)
            .expect("reads");
        assert_eq!(
            (read.schema, read.form),
            (SchemaId::OPTIONAL_BYTES, Converted::Borrowed)
        );
        assert_eq!(
            ByteArrayConverter
                .to_connect(&mut cx, None, &mut out)
                .map(|read| read.form),
            Ok(Converted::Null)
        );
    }
}
