//! `SimpleHeaderConverter`
//!
//! Texts pass through; other values are written and read by `text.rs` and `parse.rs`. What cannot be read stays bytes.
//! Kafka: `org.apache.kafka.connect.storage.SimpleHeaderConverter`.

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::java_utf8;
use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};

use crate::simple_header::text;
use weir_api::data::literal::{Parsed, parse};

/// The converter.
#[derive(Debug, Default)]
pub struct SimpleHeaderConverter {
    text: String,
}

impl Converter for SimpleHeaderConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        let schema = cx.schemas.get(slot.schema);
        if slot.bytes.is_some() && schema.is_some_and(|schema| schema.base == SchemaType::Text) {
            return Ok(Converted::Borrowed);
        }
        let value = decode_slot(slot.schema, slot.bytes, cx.schemas)?;
        if value.is_null() {
            return Ok(Converted::Null);
        }
        self.text.clear();
        text::push(&mut self.text, schema.map(AsRef::as_ref), &value)?;
        out.extend_from_slice(self.text.as_bytes());
        Ok(Converted::Written)
    }

    fn to_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        let Some(bytes) = data else {
            return Ok(ToConnect {
                schema: SchemaId::NONE,
                form: Converted::Null,
            });
        };
        let text = java_utf8::decoded(bytes);
        let start = out.len();
        match parse(&text).and_then(|parsed| write(cx, &parsed, out)) {
            Some(read) => Ok(read),
            None => {
                out.truncate(start);
                Ok(ToConnect {
                    schema: SchemaId::BYTES,
                    form: Converted::Borrowed,
                })
            }
        }
    }
}

/// Appends a value; `None` when it has no encoding, or its schema would be one too many.
fn write(cx: &mut ConvertCx<'_>, parsed: &Parsed, out: &mut Vec<u8>) -> Option<ToConnect> {
    let Some(schema) = &parsed.schema else {
        return Some(ToConnect {
            schema: SchemaId::NONE,
            form: Converted::Null,
        });
    };
    let present = encode_slot(Some(schema), &parsed.value, cx.schemas, out).ok()?;
    let id = cx.schemas.declare(schema.clone()).ok()?;
    Some(ToConnect {
        schema: id,
        form: if present { Converted::Written } else { Converted::Null },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_api::converter::{ConvertCx, Converted, Converter};
    use weir_api::data::schemas::{SchemaId, SchemaTable};
    use weir_api::frame::slot::Slot;
    use weir_api::frame::value::decode_slot;

    use super::SimpleHeaderConverter;

    fn read(schemas: &mut SchemaTable, bytes: &[u8]) -> (SchemaId, Converted, Vec<u8>) {
        let mut out = Vec::new();
        let read = SimpleHeaderConverter::default()
            .to_connect(&mut ConvertCx { topic: "t", schemas }, Some(bytes), &mut out)
            .expect("headers are never refused");
        (read.schema, read.form, out)
    }

    #[test]
    fn what_cannot_be_read_stays_bytes() {
        let mut schemas = SchemaTable::new();
        assert_eq!(
            read(&mut schemas, "[".repeat(100).as_bytes()),
            (SchemaId::BYTES, Converted::Borrowed, Vec::new())
        );
        // Each scale is a schema of its own: at the table's bound numbers stay bytes too.
        for scale in 400..400 + 4096 {
            read(&mut schemas, format!("1e{scale}").as_bytes());
        }
        assert_eq!(
            read(&mut schemas, b"1e9999"),
            (SchemaId::BYTES, Converted::Borrowed, Vec::new())
        );
        assert_eq!(read(&mut schemas, b"5"), (SchemaId::INT8, Converted::Written, vec![5]));
    }

    #[test]
    fn bytes_are_written_as_base64() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let written = SimpleHeaderConverter::default().from_connect(
            &mut ConvertCx {
                topic: "t",
                schemas: &mut schemas,
            },
            Slot::bytes(&[1, 2]),
            &mut out,
        );
        assert_eq!((written, out.as_slice()), (Ok(Converted::Written), b"AQI=".as_slice()));
    }

    proptest! {
        #[test]
        fn arbitrary_texts_are_read(text in "[\\[\\]{}:,\"\\\\ 0-9a.eTZ+-]{0,30}") {
            let mut schemas = SchemaTable::new();
            let (schema, form, out) = read(&mut schemas, text.as_bytes());
            if form == Converted::Written {
                prop_assert!(decode_slot(schema, Some(&out), &schemas).is_ok());
            }
        }
    }
}
