//! The plan of one schema with its envelope
//!
//! The schema's JSON is rendered once; each record gets a copy of those bytes and its payload.

use std::sync::Arc;

use weir_api::data::schema::Schema;
use weir_api::error::ConnectError;
use weir_api::frame::value_reader::ValueReader;

use crate::json::plan::{JsonStyle, Part};
use crate::json::schema_text::push_schema;

/// The plan of one schema.
#[derive(Debug)]
pub struct Plan {
    /// The schema, to notice when an id stands for another one.
    pub schema: Arc<Schema>,
    root: Part,
    /// `{"schema":…,"payload":`
    envelope: Box<[u8]>,
}

impl Plan {
    /// Works out the plan of a schema.
    ///
    /// # Errors
    /// `Data` when a default cannot be written.
    pub fn new(schema: &Arc<Schema>, style: JsonStyle) -> Result<Self, ConnectError> {
        let mut envelope = b"{\"schema\":".to_vec();
        push_schema(&mut envelope, schema, style)?;
        envelope.extend_from_slice(b",\"payload\":");
        Ok(Self {
            schema: Arc::clone(schema),
            root: Part::new(schema, style)?,
            envelope: envelope.into(),
        })
    }

    /// Appends a slot's JSON, in an envelope or bare.
    ///
    /// # Errors
    /// `Data` when the bytes are no value of the schema, or null is no value.
    pub fn write(
        &self,
        bytes: Option<&[u8]>,
        with_envelope: bool,
        style: JsonStyle,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        if with_envelope {
            out.extend_from_slice(&self.envelope);
        }
        match bytes {
            None => self.root.write_null(out)?,
            Some(bytes) => {
                let mut reader = ValueReader::new(bytes);
                self.root.write_root(&mut reader, style, out)?;
                reader.finish()?;
            }
        }
        if with_envelope {
            out.push(b'}');
        }
        Ok(())
    }
}
