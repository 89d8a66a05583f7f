//! Texts, whatever the value: `StringConverter`
//!
//! A STRING passes through untouched; other values are written as Java's `toString` prints them. Reading gives an
//! optional string; bytes that are no text in the encoding become the replacement character, as in Java. Kafka:
//! `org.apache.kafka.connect.storage.StringConverter`.

use weir_api::converter::{ConvertCx, Converted, Converter, ToConnect};
use weir_api::data::java_utf8;
use weir_api::data::schema::SchemaType;
use weir_api::data::schemas::SchemaId;
use weir_api::data::text::push_text;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_api::frame::value::decode_slot;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Width};
use weir_config::map::ConfigMap;

/// Key of the encoding.
pub const ENCODING: &str = "converter.encoding";

/// Adds this converter's keys to a definition.
pub fn config_def(definition: ConfigDef) -> ConfigDef {
    definition.key(
        ConfigKey::text(ENCODING)
            .default("UTF-8")
            .importance(Importance::High)
            .width(Width::Medium)
            .display_name("Encoding")
            .doc("The name of the Java character set to use for encoding strings as byte arrays."),
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Latin1,
    Ascii,
}

impl Encoding {
    fn parse(name: &str) -> Result<Self, ConnectError> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Ok(Self::Utf8),
            "ISO-8859-1" | "ISO8859_1" | "LATIN1" => Ok(Self::Latin1),
            "US-ASCII" | "ASCII" => Ok(Self::Ascii),
            _ => Err(ConnectError::config(format!(
                "Invalid value {name} for configuration {ENCODING}: supported are UTF-8, ISO-8859-1 and US-ASCII"
            ))),
        }
    }

    /// The highest code a single byte holds; characters above are written as `?`, as Java does.
    fn limit(self) -> u32 {
        match self {
            Self::Utf8 => u32::MAX,
            Self::Latin1 => 0xff,
            Self::Ascii => 0x7f,
        }
    }
}

/// The converter.
#[derive(Debug)]
pub struct StringConverter {
    encoding: Encoding,
    text: String,
}

impl StringConverter {
    /// Creates it from its options, prefix taken off.
    ///
    /// # Errors
    /// `Config` for an encoding it does not have.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        Ok(Self {
            encoding: Encoding::parse(config.get(ENCODING).unwrap_or("UTF-8").trim())?,
            text: String::new(),
        })
    }

    fn write(&self, text: &str, out: &mut Vec<u8>) {
        if self.encoding == Encoding::Utf8 {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        let limit = self.encoding.limit();
        out.extend(text.chars().map(|c| {
            if u32::from(c) <= limit {
                u8::try_from(u32::from(c)).unwrap_or(b'?')
            } else {
                b'?'
            }
        }));
    }
}

impl Converter for StringConverter {
    fn from_connect(
        &mut self,
        cx: &mut ConvertCx<'_>,
        slot: Slot<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Converted, ConnectError> {
        let Some(bytes) = slot.bytes else {
            return Ok(Converted::Null);
        };
        let is_text = matches!(slot.schema, SchemaId::TEXT | SchemaId::OPTIONAL_TEXT)
            || cx
                .schemas
                .get(slot.schema)
                .is_some_and(|schema| schema.base == SchemaType::Text);
        if is_text && self.encoding == Encoding::Utf8 {
            return Ok(Converted::Borrowed);
        }
        let value = decode_slot(slot.schema, Some(bytes), cx.schemas)?;
        if value.is_null() {
            return Ok(Converted::Null);
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        push_text(&mut text, cx.schemas.get(slot.schema).map(AsRef::as_ref), &value)?;
        self.write(&text, out);
        self.text = text;
        Ok(Converted::Written)
    }

    fn to_connect(
        &mut self,
        _cx: &mut ConvertCx<'_>,
        data: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<ToConnect, ConnectError> {
        let schema = SchemaId::OPTIONAL_TEXT;
        let Some(bytes) = data else {
            return Ok(ToConnect {
                schema,
                form: Converted::Null,
            });
        };
        let limit = self.encoding.limit();
        let passes = match self.encoding {
            Encoding::Utf8 => std::str::from_utf8(bytes).is_ok(),
            Encoding::Latin1 | Encoding::Ascii => bytes.is_ascii(),
        };
        if passes {
            return Ok(ToConnect {
                schema,
                form: Converted::Borrowed,
            });
        }
        let text: String = match self.encoding {
            Encoding::Utf8 => java_utf8::decoded(bytes).into_owned(),
            Encoding::Latin1 | Encoding::Ascii => bytes
                .iter()
                .map(|byte| {
                    if u32::from(*byte) <= limit {
                        char::from(*byte)
                    } else {
                        char::REPLACEMENT_CHARACTER
                    }
                })
                .collect(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(ToConnect {
            schema,
            form: Converted::Written,
        })
    }
}

#[cfg(test)]
mod tests {
    use weir_api::converter::{ConvertCx, Converted, Converter};
    use weir_api::data::schemas::{SchemaId, SchemaTable};
    use weir_api::frame::slot::Slot;
    use weir_config::map::ConfigMap;

    use super::{ENCODING, StringConverter};

    fn converter(encoding: &str) -> StringConverter {
        StringConverter::new(&[(ENCODING, encoding)].into_iter().collect()).expect("known encoding")
    }

    #[test]
    fn text_passes_untouched() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        let mut converter = StringConverter::new(&ConfigMap::new()).expect("defaults");
        assert_eq!(
            converter.from_connect(&mut cx, Slot::text("ä"), &mut out),
            Ok(Converted::Borrowed)
        );
        assert_eq!(
            converter.from_connect(&mut cx, Slot::NULL, &mut out),
            Ok(Converted::Null)
        );
        assert_eq!(
            converter
                .to_connect(&mut cx, Some("ä".as_bytes()), &mut out)
                .map(|read| (read.schema, read.form)),
            Ok((SchemaId::OPTIONAL_TEXT, Converted::Borrowed))
        );
        assert_eq!(
            converter.to_connect(&mut cx, None, &mut out).map(|read| read.form),
            Ok(Converted::Null)
        );
        assert!(out.is_empty());
    }

    #[test]
    fn invalid_text_becomes_the_replacement_character() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        assert_eq!(
            converter("UTF-8")
                .to_connect(&mut cx, Some(b"a\xffb\xed\xa0\x80c"), &mut out)
                .map(|read| read.form),
            Ok(Converted::Written)
        );
        assert_eq!(
            out,
            "a\u{fffd}b\u{fffd}c".as_bytes(),
            "an encoded surrogate is one, as in Java"
        );
    }

    #[test]
    fn single_byte_encodings() {
        let (mut schemas, mut out) = (SchemaTable::new(), Vec::new());
        let mut cx = ConvertCx {
            topic: "t",
            schemas: &mut schemas,
        };
        assert_eq!(
            converter("iso-8859-1").from_connect(&mut cx, Slot::text("ä€"), &mut out),
            Ok(Converted::Written)
        );
        assert_eq!(out, b"\xe4?");
        out.clear();
        assert_eq!(
            converter("iso-8859-1")
                .to_connect(&mut cx, Some(b"\xe4"), &mut out)
                .map(|read| read.form),
            Ok(Converted::Written)
        );
        assert_eq!(out, "ä".as_bytes());
        let unknown =
            StringConverter::new(&[(ENCODING, "EBCDIC")].into_iter().collect()).expect_err("unknown encoding");
        assert!(unknown.message.contains("EBCDIC"));
    }
}
