//! Defaults of Avro fields as Avro bytes
//!
//! For fields that a record is written with and the data does not have. A union's default is of the first branch that
//! takes it.

use serde_json::Value as Json;
use weir_api::error::ConnectError;
use weir_schema::avro::schema::{AvroSchema, Kind, NodeId};

use crate::avro::binary::{push_bytes, push_len, push_long};
use crate::avro::default_value::{is_valid_default, latin1_bytes};

/// Gives the Avro bytes of a default.
///
/// # Errors
/// `Data`: the default does not fit its type.
pub fn encode_json(avro: &AvroSchema, id: NodeId, json: &Json) -> Result<Vec<u8>, ConnectError> {
    let mut out = Vec::new();
    if !is_valid_default(avro, id, json) || push(avro, id, json, &mut out).is_none() {
        return Err(ConnectError::data(format!(
            "{json} is no default of the Avro type {}",
            avro.node(id).kind.type_name()
        )));
    }
    Ok(out)
}

fn push(avro: &AvroSchema, id: NodeId, json: &Json, out: &mut Vec<u8>) -> Option<()> {
    match &avro.node(id).kind {
        Kind::Null => {}
        Kind::Boolean => out.push(u8::from(json.as_bool()?)),
        Kind::Int | Kind::Long => push_long(out, json.as_i64()?),
        Kind::Float => out.extend_from_slice(&(json.as_f64()? as f32).to_le_bytes()),
        Kind::Double => out.extend_from_slice(&json.as_f64()?.to_le_bytes()),
        Kind::Bytes => push_bytes(out, &latin1_bytes(json.as_str()?)),
        Kind::String => push_bytes(out, json.as_str()?.as_bytes()),
        Kind::Fixed(fixed) => {
            let bytes = latin1_bytes(json.as_str()?);
            if bytes.len() != fixed.size {
                return None;
            }
            out.extend_from_slice(&bytes);
        }
        Kind::Enum(of) => {
            let symbol = json.as_str()?;
            push_len(out, of.symbols.iter().position(|known| known == symbol)?);
        }
        Kind::Array(items) => {
            let list = json.as_array()?;
            if !list.is_empty() {
                push_len(out, list.len());
            }
            for item in list {
                push(avro, *items, item, out)?;
            }
            out.push(0);
        }
        Kind::Map(values) => {
            let map = json.as_object()?;
            if !map.is_empty() {
                push_len(out, map.len());
            }
            for (key, value) in map {
                push_bytes(out, key.as_bytes());
                push(avro, *values, value, out)?;
            }
            out.push(0);
        }
        Kind::Union(branches) => {
            let at = branches
                .iter()
                .position(|branch| is_valid_default(avro, *branch, json))?;
            push_len(out, at);
            push(avro, *branches.get(at)?, json, out)?;
        }
        Kind::Record(record) => {
            let object = json.as_object()?;
            for field in &record.fields {
                let own = object.get(&field.name).or(field.default.as_ref())?;
                push(avro, field.schema, own, out)?;
            }
        }
    }
    Some(())
}
