//! What tests of the mapping share: values to Avro bytes and back, without a registry

use std::sync::Arc;

use weir_api::data::schema::Schema;
use weir_api::data::schemas::SchemaTable;
use weir_api::data::value::Value;
use weir_api::error::ConnectError;
use weir_api::frame::value::{decode_slot, encode_slot};

use weir_schema::avro::parse::{ParseAvro, parse};

use super::avro_to_connect::to_connect;
use super::config::DataOptions;
use super::connect_to_avro::to_avro;
use super::decode_plan::DecodePlan;
use super::encode_plan::EncodePlan;

/// Gives a schema's text and a value's bytes.
pub(crate) fn write(
    schema: Option<&Arc<Schema>>,
    value: &Value,
    options: &DataOptions,
) -> Result<(String, Vec<u8>), ConnectError> {
    let form = to_avro(schema.map(|schema| &**schema), options)?;
    let mut slot = Vec::new();
    encode_slot(
        schema.map(|schema| &**schema),
        value,
        &mut SchemaTable::new(),
        &mut slot,
    )?;
    let mut bytes = Vec::new();
    EncodePlan::new(schema.map(|schema| &**schema), &form.avro, options)?.write(&slot, &mut bytes)?;
    Ok((form.text, bytes))
}

/// Gives the bytes of a value under another Avro schema than its own.
pub(crate) fn write_as(
    schema: &Arc<Schema>,
    value: &Value,
    text: &str,
    options: &DataOptions,
) -> Result<Vec<u8>, ConnectError> {
    let avro = parse(text, &[], ParseAvro::default()).expect("schema");
    let mut slot = Vec::new();
    encode_slot(Some(schema), value, &mut SchemaTable::new(), &mut slot)?;
    let mut bytes = Vec::new();
    EncodePlan::new(Some(schema), &avro, options)?.write(&slot, &mut bytes)?;
    Ok(bytes)
}

/// Gives the Connect schema of a text.
pub(crate) fn schema_of(text: &str, options: &DataOptions) -> Result<Option<Arc<Schema>>, ConnectError> {
    to_connect(&parse(text, &[], ParseAvro::default()).expect("schema"), None, options)
}

/// Gives schema and value of Avro bytes.
pub(crate) fn read(
    text: &str,
    bytes: &[u8],
    options: &DataOptions,
) -> Result<(Option<Arc<Schema>>, Value), ConnectError> {
    let avro = parse(text, &[], ParseAvro::default()).expect("schema");
    let schema = to_connect(&avro, None, options)?;
    let mut table = SchemaTable::new();
    let id = match &schema {
        Some(schema) => table.declare(Arc::clone(schema))?,
        None => weir_api::data::schemas::SchemaId::NONE,
    };
    let mut slot = Vec::new();
    let present = DecodePlan::new(&avro, schema.as_ref())?.read(bytes, &mut slot)?;
    let value = decode_slot(id, present.then_some(slot.as_slice()), &table)?;
    Ok((schema, value))
}
