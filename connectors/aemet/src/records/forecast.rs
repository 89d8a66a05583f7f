//! What both forecasts share: their head, and lists whose entries name a period

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use weir_feed::hash::{canonical, sha256_hex};
use weir_feed::time::parse_iso;
use weir_feed::zone::Zone;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};

use crate::number::Number;
use crate::records::fields::{MOST_ODDITIES, Mapped, elements, object, required, text_of};
use crate::stamp;

/// The town, five digits.
pub const MUNICIPIO: &str = "municipio";
/// Entries read of one list of a day; real ones have at most 25.
const MOST_ENTRIES: usize = 200;
/// When the forecast was issued.
pub const ELABORADO: &str = "elaborado";

/// Gives the first fields of both schemas.
pub fn head_fields() -> Vec<(&'static str, Arc<Schema>)> {
    vec![
        (MUNICIPIO, builder::text()),
        ("nombre", builder::text()),
        ("provincia", builder::text()),
        (ELABORADO, logical::timestamp()),
    ]
}

/// Writes a town's code with its leading zero; `id28065`, `28065` and `1059` are all seen.
pub fn padded_town(code: &str) -> Option<String> {
    let digits = code.trim();
    let digits = digits.strip_prefix("id").unwrap_or(digits);
    let is_code = (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| format!("{digits:0>5}"))
}

/// A forecast being read.
#[derive(Debug)]
pub struct Head<'a> {
    /// The town.
    pub town: String,
    /// Its clock.
    pub zone: Zone,
    /// `prediccion.dia`.
    pub days: &'a [Json],
    /// The first fields of the value.
    pub fields: Vec<Value>,
    elaborado: String,
    elaborado_ms: i64,
    row: &'a Json,
}

impl<'a> Head<'a> {
    /// Reads the head of a town's forecast.
    ///
    /// # Errors
    /// What it lacks.
    pub fn read(row: &'a Json, town: &str) -> Result<Self, String> {
        let fields = object(row)?;
        if let Some(id) = text_of(fields.get("id"))
            && padded_town(&id).as_deref() != Some(town)
        {
            return Err(format!("the forecast is of town {id}, but {town} was asked for"));
        }
        let elaborado = required(fields, ELABORADO)?;
        let zone = stamp::zone_of_town(town);
        let elaborado_ms =
            parse_iso(&elaborado, zone).ok_or_else(|| format!("elaborado is '{elaborado}', not a time"))?;
        let named = |name| Value::Text(text_of(fields.get(name)).unwrap_or_default());
        let days = row.pointer("/prediccion/dia").and_then(Json::as_array);
        Ok(Self {
            town: town.to_owned(),
            zone,
            days: days.ok_or("the forecast has no days")?,
            fields: vec![
                Value::Text(town.to_owned()),
                named("nombre"),
                named("provincia"),
                Value::Int64(elaborado_ms),
            ],
            elaborado,
            elaborado_ms,
            row,
        })
    }

    /// Ends the reading.
    pub fn mapped(self, schema: &Arc<Schema>, rest: Vec<Value>, mut odd: Vec<String>) -> Mapped {
        odd.truncate(MOST_ODDITIES);
        let mut fields = self.fields;
        fields.extend(rest);
        Mapped {
            id: self.town,
            time: self.elaborado,
            position: self.elaborado_ms.div_euclid(1000),
            timestamp_ms: self.elaborado_ms,
            value: StructValue {
                schema: Arc::clone(schema),
                fields,
            },
            hash: hash_without_origin(self.row),
            odd,
        }
    }
}

/// The origin names who answered, not what was forecast.
fn hash_without_origin(row: &Json) -> String {
    let mut counted: Vec<(&String, &Json)> = row.as_object().into_iter().flatten().collect();
    counted.retain(|(name, _)| *name != "origen");
    counted.sort_unstable_by_key(|(name, _)| *name);
    let fields = counted
        .into_iter()
        .map(|(name, value)| format!("{}:{}", Json::from(name.as_str()), canonical(value)));
    // The canonical text of the object without that field, which is not copied for it.
    sha256_hex(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).as_bytes())
}

/// One entry of a list such as `probPrecipitacion`.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// `00-24`, `07`, `0713`; far days have none.
    pub period: &'a str,
    /// The entry.
    pub fields: &'a Map<String, Json>,
}

/// Gives the entries of a day's list, those without period as `absent`.
pub fn entries<'a>(day: &'a Json, list: &str, absent: &'a str) -> Vec<Entry<'a>> {
    let found = elements(day.get(list)).iter().filter_map(Json::as_object);
    found
        .take(MOST_ENTRIES)
        .map(|fields| Entry {
            period: match fields.get("periodo").and_then(Json::as_str) {
                Some(period) if !period.trim().is_empty() => period.trim(),
                _ => absent,
            },
            fields,
        })
        .collect()
}

/// Reads a number of a forecast; a word is noted, for there is no place for it.
pub fn number(value: Option<&Json>, what: &str, odd: &mut Vec<String>) -> Number {
    let number = Number::of(value);
    if let (Some(raw), None) = (number.raw(), number.value()) {
        odd.push(format!("{what} is '{raw}'"));
    }
    number
}

/// Reads the day of an element of `prediccion.dia`.
///
/// # Errors
/// What it lacks.
pub fn day_of(day: &Json) -> Result<i32, String> {
    let fecha = required(object(day)?, "fecha")?;
    stamp::day(&fecha).ok_or_else(|| format!("the fecha of a day is '{fecha}', not a date"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_feed::hash::hash_of;

    use super::{hash_without_origin, padded_town};

    #[test]
    fn the_hash_is_that_of_the_body_without_its_origin() {
        let body = json!({"b": [1, {"y": 2, "x": "é"}], "origen": {"web": "a"}, "a": null});
        assert_eq!(
            hash_without_origin(&body),
            hash_of(&json!({"a": null, "b": [1, {"x": "é", "y": 2}]}))
        );
    }

    #[test]
    fn towns_have_five_digits() {
        for (given, town) in [
            ("28065", Some("28065")),
            ("id28065", Some("28065")),
            ("1059", Some("01059")),
            (" 01059 ", Some("01059")),
            ("", None),
            ("id", None),
            ("280651", None),
            ("28o65", None),
        ] {
            assert_eq!(padded_town(given).as_deref(), town, "{given}");
        }
    }
}
