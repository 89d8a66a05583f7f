//! Daily forecasts: `weir.feeds.aemet.DailyForecast`
//!
//! AEMET has one list a quantity, each with its periods; a record has one list of periods with all quantities.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_sdk::api::data::builder::SchemaBuilder;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};
use weir_sdk::api::error::ConnectError;

use crate::names::Names;
use crate::records::fields::{Mapped, structure, text, text_of, whole};
use crate::records::forecast::{Head, day_of, entries, head_fields, number};

/// Far days have no periods: what they say is of the whole day.
const WHOLE_DAY: &str = "00-24";
/// Where a quantity of a whole day is, and its name in records.
const OF_A_DAY: [(&str, &str); 7] = [
    ("/temperatura/maxima", "temp_max"),
    ("/temperatura/minima", "temp_min"),
    ("/sensTermica/maxima", "sens_max"),
    ("/sensTermica/minima", "sens_min"),
    ("/humedadRelativa/maxima", "hr_max"),
    ("/humedadRelativa/minima", "hr_min"),
    ("/uvMax", "uv_max"),
];
/// Which list a quantity of a period is in, under which name there, and its place in a period.
const OF_A_PERIOD: [(&str, &str, usize); 7] = [
    ("probPrecipitacion", "value", 1),
    ("cotaNieveProv", "value", 2),
    ("estadoCielo", "value", 3),
    ("estadoCielo", "descripcion", 4),
    ("viento", "direccion", 5),
    ("viento", "velocidad", 6),
    ("rachaMax", "value", 7),
];
/// Places of the texts above.
const TEXTS: std::ops::RangeInclusive<usize> = 3..=5;
const PERIOD_FIELDS: usize = 8;

/// The schemas of a forecast and its parts.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// Of the record.
    pub forecast: Arc<Schema>,
    day: Arc<Schema>,
    period: Arc<Schema>,
}

impl Schemas {
    /// Builds them.
    ///
    /// # Errors
    /// Fatal if one is malformed, which tests rule out.
    pub fn new(names: Names) -> Result<Self, ConnectError> {
        let period = vec![
            ("periodo", builder::text()),
            ("prob_precipitacion", builder::optional_int32()),
            ("cota_nieve", builder::optional_int32()),
            ("cielo", builder::optional_text()),
            ("cielo_desc", builder::optional_text()),
            ("viento_dir", builder::optional_text()),
            ("viento_vel", builder::optional_int32()),
            ("racha_max", builder::optional_int32()),
        ];
        let period = structure("DailyForecastPeriod", names, period)?;
        let mut day = vec![("fecha", logical::date())];
        day.extend(OF_A_DAY.map(|(_, name)| (name, builder::optional_int32())));
        day.push(("periodos", SchemaBuilder::array(Arc::clone(&period)).build()?));
        let day = structure("DailyForecastDay", names, day)?;
        let mut forecast = head_fields();
        forecast.push(("dias", SchemaBuilder::array(Arc::clone(&day)).build()?));
        Ok(Self {
            forecast: structure("DailyForecast", names, forecast)?,
            day,
            period,
        })
    }
}

/// Makes a value of a town's forecast.
///
/// # Errors
/// What it lacks.
pub fn map(row: &Json, town: &str, schemas: &Schemas) -> Result<Mapped, String> {
    let head = Head::read(row, town)?;
    let mut odd = Vec::new();
    let mut days = Vec::with_capacity(head.days.len());
    for day in head.days {
        let mut fields = vec![Value::Int32(day_of(day)?)];
        for (pointer, name) in OF_A_DAY {
            fields.push(whole(&number(day.pointer(pointer), name, &mut odd)));
        }
        fields.push(Value::Array(periods(day, schemas, &mut odd)));
        days.push(Value::Struct(StructValue {
            schema: Arc::clone(&schemas.day),
            fields,
        }));
    }
    Ok(head.mapped(&schemas.forecast, vec![Value::Array(days)], odd))
}

fn periods(day: &Json, schemas: &Schemas, odd: &mut Vec<String>) -> Vec<Value> {
    let mut periods: Vec<(&str, Vec<Value>)> = Vec::new();
    for (list, name, place) in OF_A_PERIOD {
        for entry in entries(day, list, WHOLE_DAY) {
            let at = match periods.iter().position(|(period, _)| *period == entry.period) {
                Some(at) => at,
                None => {
                    let mut fields = vec![Value::Null; PERIOD_FIELDS];
                    if let Some(first) = fields.first_mut() {
                        *first = Value::Text(entry.period.to_owned());
                    }
                    periods.push((entry.period, fields));
                    periods.len() - 1
                }
            };
            let value = entry.fields.get(name);
            let read = if TEXTS.contains(&place) {
                text(text_of(value))
            } else {
                whole(&number(value, list, odd))
            };
            if let Some(slot) = periods.get_mut(at).and_then(|(_, fields)| fields.get_mut(place)) {
                *slot = read;
            }
        }
    }
    let made = periods.into_iter().map(|(_, fields)| {
        Value::Struct(StructValue {
            schema: Arc::clone(&schemas.period),
            fields,
        })
    });
    made.collect()
}
