//! Hourly forecasts: `weir.feeds.aemet.HourlyForecast`
//!
//! Everything is a text in them, and wind and gusts take turns in one list. Hours and spans become points in time; on the
//! day on which the clock shows an hour twice, the second entry of that hour is the second hour.

use std::sync::Arc;

use serde_json::Value as Json;
use weir_feed::zone::Zone;
use weir_sdk::api::data::builder::SchemaBuilder;
use weir_sdk::api::data::schema::Schema;
use weir_sdk::api::data::value::{StructValue, Value};
use weir_sdk::api::data::{builder, logical};
use weir_sdk::api::error::ConnectError;

use crate::names::Names;
use crate::records::fields::{Mapped, float, structure, text, text_of, whole};
use crate::records::forecast::{Entry, Head, day_of, entries, head_fields, number};
use crate::stamp::{Showing, hour_ms};

/// How a quantity is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Float,
    Text,
}

/// A quantity: list, name in the list's entries, how it is read, name in records.
type Quantity = (&'static str, &'static str, Kind, &'static str);

const OF_AN_HOUR: [Quantity; 10] = [
    ("temperatura", "value", Kind::Whole, "temp"),
    ("sensTermica", "value", Kind::Whole, "sens"),
    ("humedadRelativa", "value", Kind::Whole, "hr"),
    ("precipitacion", "value", Kind::Float, "precipitacion"),
    ("nieve", "value", Kind::Float, "nieve"),
    ("estadoCielo", "value", Kind::Text, "cielo"),
    ("estadoCielo", "descripcion", Kind::Text, "cielo_desc"),
    ("vientoAndRachaMax", "direccion", Kind::Text, "viento_dir"),
    ("vientoAndRachaMax", "velocidad", Kind::Whole, "viento_vel"),
    ("vientoAndRachaMax", "value", Kind::Whole, "racha_max"),
];
const OF_A_SPAN: [Quantity; 3] = [
    ("probPrecipitacion", "value", Kind::Whole, "prob_precipitacion"),
    ("probTormenta", "value", Kind::Whole, "prob_tormenta"),
    ("probNieve", "value", Kind::Whole, "prob_nieve"),
];

/// The schemas of a forecast and its parts.
#[derive(Debug, Clone)]
pub struct Schemas {
    /// Of the record.
    pub forecast: Arc<Schema>,
    hour: Arc<Schema>,
    span: Arc<Schema>,
}

impl Schemas {
    /// Builds them.
    ///
    /// # Errors
    /// Fatal if one is malformed, which tests rule out.
    pub fn new(names: Names) -> Result<Self, ConnectError> {
        let quantity = |(_, _, kind, name): Quantity| match kind {
            Kind::Whole => (name, builder::optional_int32()),
            Kind::Float => (name, builder::optional_float64()),
            Kind::Text => (name, builder::optional_text()),
        };
        let mut hour = vec![("hora", logical::timestamp())];
        hour.extend(OF_AN_HOUR.map(quantity));
        let hour = structure("HourlyForecastHour", names, hour)?;
        let mut span = vec![("desde", logical::timestamp()), ("hasta", logical::timestamp())];
        span.extend(OF_A_SPAN.map(quantity));
        let span = structure("HourlyForecastSpan", names, span)?;
        let mut forecast = head_fields();
        forecast.push(("horas", SchemaBuilder::array(Arc::clone(&hour)).build()?));
        forecast.push(("tramos", SchemaBuilder::array(Arc::clone(&span)).build()?));
        Ok(Self {
            forecast: structure("HourlyForecast", names, forecast)?,
            hour,
            span,
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
    let (mut hours, mut spans) = (Vec::new(), Vec::new());
    for day in head.days {
        let date = day_of(day)?;
        let at = |period: &str, showing| Some(vec![hour_ms(head.zone, date, hour_of(period)?, showing)?]);
        hours.extend(gathered(day, &OF_AN_HOUR, &at, &schemas.hour, &mut odd));
        let between = |period: &str, _| span_of(head.zone, date, period).map(|(from, to)| vec![from, to]);
        spans.extend(gathered(day, &OF_A_SPAN, &between, &schemas.span, &mut odd));
    }
    let rest = vec![Value::Array(in_order(hours)), Value::Array(in_order(spans))];
    Ok(head.mapped(&schemas.forecast, rest, odd))
}

/// An hour or span: its points in time, and its value.
type Gathered = (Vec<i64>, Value);

fn in_order(mut gathered: Vec<Gathered>) -> Vec<Value> {
    gathered.sort_by(|one, other| one.0.cmp(&other.0));
    gathered.into_iter().map(|(_, value)| value).collect()
}

/// Puts what the lists of a day say about equal periods together.
fn gathered(
    day: &Json,
    quantities: &[Quantity],
    times: &dyn Fn(&str, Showing) -> Option<Vec<i64>>,
    schema: &Arc<Schema>,
    odd: &mut Vec<String>,
) -> Vec<Gathered> {
    // The period, and the how many times it was met in its list before.
    let mut found: Vec<((&str, usize), Vec<Value>)> = Vec::new();
    for (place, (list, name, kind, _)) in quantities.iter().enumerate() {
        let listed: Vec<Entry<'_>> = entries(day, list, "")
            .into_iter()
            .filter(|entry| entry.fields.contains_key(*name))
            .collect();
        for (index, entry) in listed.iter().enumerate() {
            let met = listed
                .iter()
                .take(index)
                .filter(|other| other.period == entry.period)
                .count();
            let key = (entry.period, met);
            let at = match found.iter().position(|(known, _)| *known == key) {
                Some(at) => at,
                None => {
                    found.push((key, vec![Value::Null; quantities.len()]));
                    found.len() - 1
                }
            };
            let value = read(entry.fields.get(*name), *kind, list, odd);
            if let Some(slot) = found.get_mut(at).and_then(|(_, fields)| fields.get_mut(place)) {
                *slot = value;
            }
        }
    }
    let mut gathered = Vec::with_capacity(found.len());
    for ((period, met), values) in found {
        let showing = if met == 0 { Showing::First } else { Showing::Second };
        let Some(points) = times(period, showing) else {
            odd.push(format!("a period is '{period}'"));
            continue;
        };
        let mut fields: Vec<Value> = points.iter().copied().map(Value::Int64).collect();
        fields.extend(values);
        let value = StructValue {
            schema: Arc::clone(schema),
            fields,
        };
        gathered.push((points, Value::Struct(value)));
    }
    gathered
}

fn read(value: Option<&Json>, kind: Kind, list: &str, odd: &mut Vec<String>) -> Value {
    // Wind comes as lists of one.
    let value = match value {
        Some(Json::Array(items)) => items.first(),
        other => other,
    };
    match kind {
        Kind::Text => text(text_of(value)),
        Kind::Whole => whole(&number(value, list, odd)),
        Kind::Float => float(&number(value, list, odd)),
    }
}

/// Reads `07`.
fn hour_of(period: &str) -> Option<u32> {
    let is_hour = period.len() <= 2 && period.bytes().all(|byte| byte.is_ascii_digit());
    period.parse().ok().filter(|hour| is_hour && *hour <= 24)
}

/// Reads `0713`; one that ends before it begins ends on the next day.
fn span_of(zone: Zone, date: i32, period: &str) -> Option<(i64, i64)> {
    let (from, to) = period.split_at_checked(2)?;
    let (from, to) = (hour_of(from)?, hour_of(to)?);
    let last_day = if to <= from { date.checked_add(1)? } else { date };
    Some((
        hour_ms(zone, date, from, Showing::First)?,
        hour_ms(zone, last_day, to, Showing::First)?,
    ))
}
