//! `SimpleHeaderConverter`
//!
//! Texts pass through; other values are written and read by `text.rs` and `parse.rs`. What cannot be read stays bytes.
//! Kafka: `org.apache.kafka.connect.storage.SimpleHeaderConverter`.

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::SchemaId;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::{decode_slot, encode_slot};

use crate::simple_header::parse::{Parsed, parse};
use crate::simple_header::text;

/// The converter.
#[derive(Debug, Default)]
pub struct SimpleHeaderConverter {
    text: String,
}

impl Converter for SimpleHeaderConverter {
    fn from_connect(&mut self, cx: &mut ConvertCx<'_>, slot: Slot<'_>, out: &mut Vec<u8>) -> Result<Converted, ConnectError> {
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

    fn to_connect(&mut self, cx: &mut ConvertCx<'_>, data: Option<&[u8]>, out: &mut Vec<u8>) -> Result<ToConnect, ConnectError> {
        let Some(bytes) = data else {
            return Ok(ToConnect { schema: SchemaId::NONE, form: Converted::Null });
        };
        let text = String::from_utf8_lossy(bytes);
        let start = out.len();
        match parse(&text).and_then(|parsed| write(cx, &parsed, out)) {
            Some(read) => Ok(read),
            None => {
                out.truncate(start);
                Ok(ToConnect { schema: SchemaId::BYTES, form: Converted::Borrowed })
            }
        }
    }
}

/// Appends a value; `None` when it has no encoding, or its schema would be one too many.
fn write(cx: &mut ConvertCx<'_>, parsed: &Parsed, out: &mut Vec<u8>) -> Option<ToConnect> {
    let Some(schema) = &parsed.schema else {
        return Some(ToConnect { schema: SchemaId::NONE, form: Converted::Null });
    };
    let present = encode_slot(Some(schema), &parsed.value, cx.schemas, out).ok()?;
    let id = cx.schemas.declare(schema.clone()).ok()?;
    Some(ToConnect { schema: id, form: if present { Converted::Written } else { Converted::Null } })
}
