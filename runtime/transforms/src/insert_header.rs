//! InsertHeader: one more header, the same on every record
//!
//! Kafka: `org.apache.kafka.connect.transforms.InsertHeader`. The text becomes a typed value as header texts do.

use std::sync::Arc;

use weir_api::data::literal;
use weir_api::data::schema::Schema;
use weir_api::data::schemas::SchemaId;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::encode_slot;
use weir_config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_config::validate::ParsedConfig;

pub(crate) use crate::catalogue::no_problem as problem;
use crate::error::TransformError;
use crate::rows::Row;
use crate::transformation::{ApplyCx, Outcome, Side, Transformation};

const HEADER: &str = "header";
const LITERAL: &str = "value.literal";

#[derive(Debug)]
struct InsertHeader {
    name: String,
    schema: Option<Arc<Schema>>,
    value: Value,
    /// Schema id and bytes, once a schema table is there.
    encoded: Option<(SchemaId, Option<Vec<u8>>)>,
}

pub(crate) fn config_def() -> ConfigDef {
    let text = |name: &str, doc: &str| {
        ConfigKey::text(name)
            .validator(Validator::NonNull)
            .importance(Importance::High)
            .doc(doc)
    };
    ConfigDef::new().key(text(HEADER, "Name of the header.")).key(text(
        LITERAL,
        "Value of the header on all records, a text that is read by the rules of header texts.",
    ))
}

pub(crate) fn create(_: Side, config: &ParsedConfig) -> Result<Box<dyn Transformation>, TransformError> {
    let text = config.get_text(LITERAL)?;
    let parsed = literal::parse(text)
        .ok_or_else(|| TransformError::text(format!("{LITERAL} {text} is nested too deep to be read")))?;
    Ok(Box::new(InsertHeader {
        name: config.get_text(HEADER)?.to_owned(),
        schema: parsed.schema,
        value: parsed.value,
        encoded: None,
    }))
}

impl Transformation for InsertHeader {
    fn apply(&mut self, cx: &mut ApplyCx<'_>, row: &mut Row) -> Result<Outcome, ConnectError> {
        if self.encoded.is_none() {
            let id = match &self.schema {
                Some(schema) => cx.schemas.declare(Arc::clone(schema))?,
                None => SchemaId::NONE,
            };
            let mut bytes = Vec::new();
            let is_there = encode_slot(self.schema.as_deref(), &self.value, cx.schemas, &mut bytes)?;
            self.encoded = Some((id, is_there.then_some(bytes)));
        }
        if let Some((id, bytes)) = &self.encoded {
            let cell = cx.write(*id, bytes.as_deref());
            let name = cx.names.intern(&self.name);
            cx.add_header(row, name, cell);
        }
        Ok(Outcome::Kept)
    }
}
