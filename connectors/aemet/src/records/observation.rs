//! Observations: `weir.feeds.aemet.Observation`
//!
//! A field that is not known here goes into the map `extra`, so that the schema stays when AEMET adds one. A known field
//! that holds a word goes there, too, as `<name>_raw`.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};
use weir_sdk::api::error::ConnectError;

use crate::names::Names;
use crate::number::Number;
use crate::records::fields::{
    Mapped, float, hash_of_value, object, required, structure, text, text_map, text_of, texts_by_name,
};
use crate::stamp;

/// The station.
pub const IDEMA: &str = "idema";
/// The hour that the row is about.
pub const FINT: &str = "fint";
const UBI: &str = "ubi";
const EXTRA: &str = "extra";
/// All other fields; each is an optional float64.
const NUMBERS: [&str; 36] = [
    "lon",
    "lat",
    "alt",
    "prec",
    "vv",
    "vmax",
    "dv",
    "dmax",
    "stdvv",
    "stddv",
    "vvu",
    "vmaxu",
    "dvu",
    "dmaxu",
    "stdvvu",
    "stddvu",
    "ta",
    "tamin",
    "tamax",
    "tpr",
    "ts",
    "tss5cm",
    "tss20cm",
    "hr",
    "pres",
    "pres_nmar",
    "vis",
    "inso",
    "nieve",
    "pacutp",
    "psoltp",
    "pliqt",
    "rviento",
    "geo700",
    "geo850",
    "geo925",
];

/// Builds the schema.
///
/// # Errors
/// Fatal if it is malformed, which tests rule out.
pub fn schema(names: Names) -> Result<Arc<Schema>, ConnectError> {
    let mut fields = vec![
        (IDEMA, builder::text()),
        (FINT, logical::timestamp()),
        (UBI, builder::optional_text()),
    ];
    fields.extend(NUMBERS.map(|name| (name, builder::optional_float64())));
    fields.push((EXTRA, texts_by_name()?));
    structure("Observation", names, fields)
}

/// Makes a value of a row.
///
/// # Errors
/// What the row lacks.
pub fn map(row: &Json, schema: &Arc<Schema>, names: Names) -> Result<Mapped, String> {
    let row = object(row)?;
    let idema = required(row, IDEMA)?;
    let fint = required(row, FINT)?;
    let fint_ms = stamp::utc_ms(&fint).ok_or_else(|| format!("fint is '{fint}', not a time"))?;
    let mut extra = Vec::new();
    let mut fields = vec![
        Value::Text(idema.clone()),
        Value::Int64(fint_ms),
        text(text_of(row.get(UBI))),
    ];
    for name in NUMBERS {
        let number = Number::of(row.get(name));
        if let Some(raw) = number.raw() {
            extra.push((format!("{}_raw", names.of(name)), raw.to_owned()));
        }
        fields.push(float(&number));
    }
    for (name, value) in row {
        let is_known = matches!(name.as_str(), IDEMA | FINT | UBI) || NUMBERS.contains(&name.as_str());
        match value {
            _ if is_known => {}
            Json::Null => {}
            Json::String(text) => extra.push((name.clone(), text.clone())),
            other => extra.push((name.clone(), other.to_string())),
        }
    }
    // Two fields may meet under one name: `x_raw` of the service and of a word in `x`.
    extra.sort();
    extra.dedup_by(|later, earlier| later.0 == earlier.0);
    fields.push(text_map(extra));
    let value = StructValue {
        schema: Arc::clone(schema),
        fields,
    };
    Ok(Mapped {
        id: idema,
        time: stamp::utc_text(fint_ms),
        position: fint_ms.div_euclid(1000),
        timestamp_ms: fint_ms,
        // Of the value, not of the row: the service writes `fint` now with a zone and now without.
        hash: hash_of_value(&value),
        value,
        odd: Vec::new(),
    })
}
