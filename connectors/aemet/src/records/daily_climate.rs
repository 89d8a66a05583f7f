//! Daily climatology: `weir.feeds.aemet.DailyClimate`
//!
//! Numbers have a decimal comma; a word in place of one is kept in the map `flags` under the field's name. Clock fields
//! are texts, for they hold words as well (`Varias`).

use std::sync::Arc;

use serde_json::Value as Json;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};
use weir_sdk::api::error::ConnectError;

use crate::names::Names;
use crate::number::Number;
use crate::records::fields::{
    MOST_ODDITIES, Mapped, float, hash_of_value, object, required, structure, text, text_map, text_of, texts_by_name,
    whole,
};
use crate::stamp;

/// The station.
pub const INDICATIVO: &str = "indicativo";
/// The day that the row is about.
pub const FECHA: &str = "fecha";
const ALTITUD: &str = "altitud";
const FLAGS: &str = "flags";
/// Optional float64.
const NUMBERS: [&str; 13] = [
    "tmed", "tmin", "tmax", "prec", "velmedia", "racha", "sol", "presMax", "presMin", "hrMedia", "hrMax", "hrMin",
    "dir",
];
/// Optional texts.
const CLOCKS: [&str; 7] = [
    "horatmin",
    "horatmax",
    "horaracha",
    "horaPresMax",
    "horaPresMin",
    "horaHrMax",
    "horaHrMin",
];

/// Builds the schema.
///
/// # Errors
/// Fatal if it is malformed, which tests rule out.
pub fn schema(names: Names) -> Result<Arc<Schema>, ConnectError> {
    let mut fields = vec![
        (FECHA, logical::date()),
        (INDICATIVO, builder::text()),
        ("nombre", builder::text()),
        ("provincia", builder::text()),
        (ALTITUD, builder::optional_int32()),
    ];
    fields.extend(NUMBERS.map(|name| (name, builder::optional_float64())));
    fields.extend(CLOCKS.map(|name| (name, builder::optional_text())));
    fields.push((FLAGS, texts_by_name()?));
    structure("DailyClimate", names, fields)
}

/// Makes a value of a row.
///
/// # Errors
/// What the row lacks.
pub fn map(row: &Json, schema: &Arc<Schema>, names: Names) -> Result<Mapped, String> {
    let row = object(row)?;
    let indicativo = required(row, INDICATIVO)?;
    let fecha = required(row, FECHA)?;
    let day = stamp::day(&fecha).ok_or_else(|| format!("fecha is '{fecha}', not a date"))?;
    let mut flags = Vec::new();
    let mut flagged = |name: &str| {
        let number = Number::of(row.get(name));
        if let Some(raw) = number.raw() {
            flags.push((names.of(name).to_owned(), raw.to_owned()));
        }
        number
    };
    let mut fields = vec![
        Value::Int32(day),
        Value::Text(indicativo.clone()),
        Value::Text(text_of(row.get("nombre")).unwrap_or_default()),
        Value::Text(text_of(row.get("provincia")).unwrap_or_default()),
        whole(&flagged(ALTITUD)),
    ];
    fields.extend(NUMBERS.map(|name| float(&flagged(name))));
    fields.extend(CLOCKS.map(|name| text(text_of(row.get(name)))));
    fields.push(text_map(flags));
    let value = StructValue {
        schema: Arc::clone(schema),
        fields,
    };
    let odd = row.keys().filter(|name| !is_known(name)).take(MOST_ODDITIES);
    Ok(Mapped {
        id: indicativo,
        time: stamp::day_text(day),
        position: i64::from(day),
        timestamp_ms: i64::from(day) * logical::DAY_MS,
        hash: hash_of_value(&value),
        value,
        odd: odd.map(|name| format!("unknown field {name}")).collect(),
    })
}

fn is_known(name: &str) -> bool {
    matches!(name, INDICATIVO | FECHA | ALTITUD | "nombre" | "provincia")
        || NUMBERS.contains(&name)
        || CLOCKS.contains(&name)
}
