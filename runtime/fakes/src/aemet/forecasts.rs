//! Daily and hourly forecasts of towns, issued again every six hours
//!
//! An issue is told by `elaborado`, in local time; some issues change later without saying so. Numbers are numbers here
//! and texts there, near days have periods and far days none, as in the real bodies.

use serde_json::{Map, Value, json};

use crate::aemet::calendar::{DAY_MS, HOUR_MS, MINUTE_MS, canary_ms, date_text, madrid_ms, stamp_text};
use crate::aemet::dice::{between, one_in};
use crate::aemet::service::TruthRow;
use crate::aemet::sites::{TOWNS, Town};

const ISSUES_EVERY_MS: i64 = 6 * HOUR_MS;
const SKIES: [(&str, &str); 5] = [
    ("11", "Despejado"),
    ("12", "Poco nuboso"),
    ("13", "Intervalos nubosos"),
    ("26", "Cubierto con lluvia"),
    ("11n", "Despejado noche"),
];
const WINDS: [&str; 9] = ["C", "N", "NE", "E", "SE", "S", "SO", "O", "NO"];

/// Which forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Horizon {
    /// Seven days.
    Daily,
    /// Two days by the hour.
    Hourly,
}

/// One town's issue in one of its forms.
#[derive(Debug, Clone, Copy)]
struct Issue {
    number: i64,
    variant: i64,
}

/// Gives when an issue appears and when it changes.
fn life(seed: u64, horizon: Horizon, town: i64, issue: i64) -> (i64, Option<i64>) {
    let what = |kind| [21, horizon_number(horizon), town, issue, kind];
    let appears_ms = issue * ISSUES_EVERY_MS + between(seed, &what(0), 0, 50) * MINUTE_MS;
    let changes = one_in(seed, &what(1), 8);
    (
        appears_ms,
        changes.then(|| appears_ms + between(seed, &what(2), 120, 240) * MINUTE_MS),
    )
}

fn current(seed: u64, horizon: Horizon, town: i64, now_ms: i64) -> Issue {
    let mut number = now_ms.div_euclid(ISSUES_EVERY_MS);
    if life(seed, horizon, town, number).0 > now_ms {
        number -= 1;
    }
    let changed = life(seed, horizon, town, number).1.is_some_and(|at| at <= now_ms);
    Issue {
        number,
        variant: i64::from(changed),
    }
}

/// Gives what is served at a time for a town: an array of one.
pub fn body(seed: u64, horizon: Horizon, (index, town): (usize, Town), now_ms: i64) -> Value {
    let index = i64::try_from(index).unwrap_or(0);
    let mut forecast = forecast(seed, horizon, index, town, current(seed, horizon, index, now_ms));
    // Differs with every answer, and is no part of the forecast.
    forecast.insert(
        "origen".to_owned(),
        json!({"productor": "Agencia de prueba", "language": "es", "consulta": stamp_text(now_ms)}),
    );
    json!([forecast])
}

/// Gives the issues and changes that a reader from `from_ms` to `to_ms` must have seen.
pub fn truth(seed: u64, horizon: Horizon, from_ms: i64, to_ms: i64) -> Vec<TruthRow> {
    let mut rows = Vec::new();
    for (index, town) in (0..).zip(TOWNS) {
        let first = current(seed, horizon, index, from_ms).number;
        for number in first..=to_ms.div_euclid(ISSUES_EVERY_MS) {
            let (appears_ms, changes_ms) = life(seed, horizon, index, number);
            let next_ms = life(seed, horizon, index, number + 1).0;
            let mut forms = vec![(0, appears_ms, changes_ms.unwrap_or(next_ms))];
            forms.extend(changes_ms.map(|at| (1, at, next_ms)));
            for (variant, visible_from_ms, visible_to_ms) in forms {
                if visible_from_ms > to_ms || visible_to_ms <= from_ms {
                    continue;
                }
                let row = forecast(seed, horizon, index, town, Issue { number, variant });
                rows.push(TruthRow {
                    id: town.code.to_owned(),
                    time: row
                        .get("elaborado")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    visible_from_ms,
                    visible_to_ms,
                    is_revision: variant == 1 && appears_ms > from_ms,
                    row: Value::Object(row),
                });
            }
        }
    }
    rows
}

fn forecast(seed: u64, horizon: Horizon, index: i64, town: Town, issue: Issue) -> Map<String, Value> {
    let (appears_ms, _) = life(seed, horizon, index, issue.number);
    let local_ms = if town.is_canary() {
        canary_ms(appears_ms)
    } else {
        madrid_ms(appears_ms)
    };
    let seed = seed ^ dice_of(horizon, index, issue);
    let days: Vec<Value> = match horizon {
        Horizon::Daily => (0..7)
            .map(|ahead| daily(seed, local_ms.div_euclid(DAY_MS), ahead))
            .collect(),
        Horizon::Hourly => (0..3).map(|ahead| hourly(seed, local_ms, ahead)).collect(),
    };
    let all = json!({
        "origen": {}, "elaborado": stamp_text(local_ms), "nombre": town.name, "provincia": town.province,
        "prediccion": {"dia": days},
        // As a number, so that the leading zero is lost.
        "id": town.code.parse::<u32>().unwrap_or(0), "version": 1.0,
    });
    match all {
        Value::Object(forecast) => forecast,
        _ => Map::new(),
    }
}

fn daily(seed: u64, first_day: i64, ahead: i64) -> Value {
    let periods: &[&str] = match ahead {
        0 | 1 => &["00-24", "00-12", "12-24", "00-06", "06-12", "12-18", "18-24"],
        2 | 3 => &["00-24", "00-12", "12-24"],
        _ => &[""],
    };
    let each = |make: &dyn Fn(i64) -> Value| -> Value {
        let entries = (0..).zip(periods).map(|(at, period)| {
            let mut entry = make(at);
            if let (false, Some(fields)) = (period.is_empty(), entry.as_object_mut()) {
                fields.insert("periodo".to_owned(), json!(period));
            }
            entry
        });
        Value::Array(entries.collect())
    };
    let draw = |kind, at, low, high| between(seed, &[22, ahead, kind, at], low, high);
    let blank_or = |kind, at, odds, number: i64| {
        if one_in(seed, &[23, ahead, kind, at], odds) {
            json!(number.to_string())
        } else {
            json!("")
        }
    };
    let mut day = json!({
        "probPrecipitacion": each(&|at| json!({"value": draw(0, at, 0, 20) * 5})),
        "cotaNieveProv": each(&|at| json!({"value": blank_or(1, at, 3, draw(1, at, 3, 20) * 100)})),
        "estadoCielo": each(&|at| { let (value, text) = pick(&SKIES, draw(2, at, 0, 4)); json!({"value": value, "descripcion": text}) }),
        "viento": each(&|at| json!({"direccion": pick(&WINDS, draw(3, at, 0, 8)), "velocidad": draw(4, at, 0, 12) * 5})),
        "rachaMax": each(&|at| json!({"value": blank_or(5, at, 4, draw(5, at, 6, 16) * 5)})),
        "temperatura": {"maxima": draw(6, 0, 5, 38), "minima": draw(7, 0, -8, 18), "dato": [{"value": draw(8, 0, 0, 20), "hora": 6}]},
        "sensTermica": {"maxima": draw(9, 0, 5, 38), "minima": draw(10, 0, -8, 18), "dato": []},
        "humedadRelativa": {"maxima": draw(11, 0, 60, 100), "minima": draw(12, 0, 10, 60), "dato": []},
        "fecha": format!("{}T00:00:00", date_text(first_day + ahead)),
    });
    if let (true, Some(fields)) = (ahead < 5, day.as_object_mut()) {
        fields.insert("uvMax".to_owned(), json!(draw(13, 0, 0, 11)));
    }
    day
}

fn hourly(seed: u64, local_ms: i64, ahead: i64) -> Value {
    let issued_hour = local_ms.rem_euclid(DAY_MS) / HOUR_MS;
    let hours: Vec<i64> = match ahead {
        0 => (issued_hour..24).collect(),
        1 => (0..24).collect(),
        _ => (0..issued_hour).collect(),
    };
    let draw = |kind, hour, low, high| between(seed, &[24, ahead, kind, hour], low, high);
    let each = |make: &dyn Fn(i64) -> String| -> Value {
        let entries = hours
            .iter()
            .map(|hour| json!({"value": make(*hour), "periodo": format!("{hour:02}")}));
        Value::Array(entries.collect())
    };
    let spans = |kind| -> Value {
        let entries = ["0107", "0713", "1319", "1901"].iter().zip(0..).map(|(period, at)| {
            let value = if one_in(seed, &[25, ahead, kind, at], 4) {
                String::new()
            } else {
                (draw(kind, at, 0, 20) * 5).to_string()
            };
            json!({"value": value, "periodo": period})
        });
        Value::Array(entries.collect())
    };
    let rain = |hour| match draw(1, hour, 0, 9) {
        0 => "Ip".to_owned(),
        1 => format!("0.{}", draw(2, hour, 1, 9)),
        _ => "0".to_owned(),
    };
    let cold = |hour| match draw(3, hour, -3, 20) {
        0 => "-0".to_owned(),
        degrees => degrees.to_string(),
    };
    let mut winds = Vec::new();
    for hour in &hours {
        let period = format!("{hour:02}");
        winds.push(json!({"direccion": [pick(&WINDS, draw(4, *hour, 0, 8))], "velocidad": [draw(5, *hour, 0, 40).to_string()], "periodo": period}));
        winds.push(json!({"value": draw(6, *hour, 5, 80).to_string(), "periodo": period}));
    }
    json!({
        "estadoCielo": hours.iter().map(|hour| { let (value, text) = pick(&SKIES, draw(0, *hour, 0, 4));
            json!({"value": value, "periodo": format!("{hour:02}"), "descripcion": text}) }).collect::<Vec<_>>(),
        "precipitacion": each(&rain), "probPrecipitacion": spans(20), "probTormenta": spans(21),
        "nieve": each(&|_| "0".to_owned()), "probNieve": spans(22),
        "temperatura": each(&cold), "sensTermica": each(&|hour| draw(7, hour, -5, 20).to_string()),
        "humedadRelativa": each(&|hour| draw(8, hour, 20, 100).to_string()),
        "vientoAndRachaMax": winds,
        "fecha": format!("{}T00:00:00", date_text(local_ms.div_euclid(DAY_MS) + ahead)),
        "orto": "08:03", "ocaso": "17:54",
    })
}

fn pick<T: Copy + Default>(from: &[T], at: i64) -> T {
    usize::try_from(at)
        .ok()
        .and_then(|at| from.get(at))
        .copied()
        .unwrap_or_default()
}

fn dice_of(horizon: Horizon, index: i64, issue: Issue) -> u64 {
    crate::aemet::dice::roll(0, &[horizon_number(horizon), index, issue.number, issue.variant])
}

fn horizon_number(horizon: Horizon) -> i64 {
    match horizon {
        Horizon::Daily => 0,
        Horizon::Hourly => 1,
    }
}
