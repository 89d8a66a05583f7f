//! Bytes of a topic as readable ones: what the registry has a schema for becomes JSON
//!
//! The converters of the worker do it, so what is shown is what a sink would get. Bytes without the registry's prefix,
//! or that do not decode, are shown as they are.

use weir_api::converter::{ConvertCx, Converted, Converter, ConverterSlot};
use weir_api::data::schemas::SchemaTable;
use weir_api::error::ConnectError;
use weir_api::frame::slot::Slot;
use weir_config::map::ConfigMap;
use weir_converters::native;

/// First byte of what serializers with a registry write; a schema id of four bytes follows.
const MAGIC_BYTE: u8 = 0;
const PREFIX_BYTES: usize = 5;

/// Decodes one slot of one topic's records.
pub struct Decoder {
    reader: Box<dyn Converter>,
    writer: Box<dyn Converter>,
    schemas: SchemaTable,
    value: Vec<u8>,
    /// The first failure is told, further ones would only repeat it.
    has_warned: bool,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    /// Creates a decoder that asks the registry at `url`.
    ///
    /// *Errors*: a URL that is none.
    pub fn new(url: &str, slot: ConverterSlot) -> Result<Self, ConnectError> {
        let registry: ConfigMap = [("schema.registry.url", url)].into_iter().collect();
        let plain: ConfigMap = [("schemas.enable", "false")].into_iter().collect();
        Ok(Self {
            reader: native::create("AvroConverter", &registry, slot)?,
            writer: native::create("JsonConverter", &plain, slot)?,
            schemas: SchemaTable::new(),
            value: Vec::new(),
            has_warned: false,
        })
    }

    /// Gives JSON for bytes with a registry's prefix; `None` for all others, and for bytes that do not decode.
    pub fn decode(&mut self, topic: &str, bytes: Option<&[u8]>) -> Option<Vec<u8>> {
        let bytes = bytes.filter(|bytes| bytes.len() >= PREFIX_BYTES && bytes.first() == Some(&MAGIC_BYTE))?;
        match self.json(topic, bytes) {
            Ok(json) => json,
            Err(error) => {
                if !std::mem::replace(&mut self.has_warned, true) {
                    eprintln!("weir: {topic}: shown undecoded: {error}");
                }
                None
            }
        }
    }

    fn json(&mut self, topic: &str, bytes: &[u8]) -> Result<Option<Vec<u8>>, ConnectError> {
        let mut cx = ConvertCx {
            topic,
            schemas: &mut self.schemas,
        };
        self.value.clear();
        let read = self.reader.to_connect(&mut cx, Some(bytes), &mut self.value)?;
        let slot = Slot::new(
            read.schema,
            match read.form {
                Converted::Null => None,
                Converted::Borrowed => Some(bytes),
                Converted::Written => Some(self.value.as_slice()),
            },
        );
        let mut json = Vec::new();
        Ok(match self.writer.from_connect(&mut cx, slot, &mut json)? {
            Converted::Null => None,
            Converted::Borrowed => slot.bytes.map(<[u8]>::to_vec),
            Converted::Written => Some(json),
        })
    }
}
