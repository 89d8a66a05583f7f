//! Daily climatology: published four to five days late, with decimal commas and words for numbers
//!
//! Some rows come days after newer ones, some are completed later (`Acum` becomes a number).

use serde_json::{Map, Value, json};

use crate::aemet::calendar::{DAY_MS, MINUTE_MS, date_text};
use crate::aemet::dice::{between, one_in};
use crate::aemet::service::TruthRow;
use crate::aemet::sites::Station;

fn life(seed: u64, station: i64, day: i64) -> Option<(i64, Option<i64>)> {
    let what = |kind| [11, station, day, kind];
    if one_in(seed, &what(0), 50) {
        return None;
    }
    let mut appears_ms = (day + 5) * DAY_MS - between(seed, &what(1), 0, 23 * 60) * MINUTE_MS;
    if one_in(seed, &what(2), 15) {
        appears_ms += between(seed, &what(3), 1, 3) * DAY_MS;
    }
    let completed = one_in(seed, &what(4), 10);
    Some((
        appears_ms,
        completed.then(|| appears_ms + between(seed, &what(5), 1440, 2880) * MINUTE_MS),
    ))
}

/// Gives what is served at a time for stations and days, both ends included; oldest first.
pub fn body(seed: u64, stations: &[(usize, Station)], days: (i64, i64), now_ms: i64) -> Value {
    let mut rows = Vec::new();
    for day in days.0..=days.1 {
        for (index, station) in stations {
            let Some((_, completed_ms)) = life(seed, number(*index), day).filter(|(appears, _)| *appears <= now_ms)
            else {
                continue;
            };
            let version = completed_ms.map_or(0, |at| if at <= now_ms { 2 } else { 1 });
            rows.push(Value::Object(row(seed, number(*index), *station, day, version)));
        }
    }
    Value::Array(rows)
}

/// Gives the rows that a reader of the days from `first_day` on, working from `from_ms` to `to_ms`, must have seen.
pub fn truth(seed: u64, stations: &[(usize, Station)], first_day: i64, (from_ms, to_ms): (i64, i64)) -> Vec<TruthRow> {
    let mut rows = Vec::new();
    for day in first_day..=to_ms.div_euclid(DAY_MS) {
        for (index, station) in stations {
            let index = number(*index);
            let Some((appears_ms, completed_ms)) = life(seed, index, day) else {
                continue;
            };
            let versions = match completed_ms {
                Some(at) => vec![(1, appears_ms, Some(at)), (2, at, None)],
                None => vec![(0, appears_ms, None)],
            };
            let mut seen_before = false;
            for (version, visible_from_ms, replaced_ms) in versions {
                if visible_from_ms > to_ms || replaced_ms.is_some_and(|at| at <= from_ms) {
                    continue;
                }
                rows.push(TruthRow {
                    id: station.idema.to_owned(),
                    time: date_text(day),
                    visible_from_ms,
                    visible_to_ms: replaced_ms.unwrap_or(i64::MAX),
                    is_revision: seen_before,
                    row: Value::Object(row(seed, index, *station, day, version)),
                });
                seen_before = true;
            }
        }
    }
    rows
}

/// Version 0 is final from the start, 1 still lacks the rain, 2 has it.
fn row(seed: u64, index: i64, station: Station, day: i64, version: i64) -> Map<String, Value> {
    let draw = |kind, low, high| comma(between(seed, &[12, index, day, kind], low, high));
    let clock = |kind| {
        let minutes = between(seed, &[12, index, day, kind], 0, 1439) / 10 * 10;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    let rain = match (version, between(seed, &[12, index, day, 20], 0, 5)) {
        (1, _) => "Acum".to_owned(),
        (_, 0) => "Ip".to_owned(),
        (_, 1) => "0,0".to_owned(),
        _ => draw(21, 1, 400),
    };
    let warmest = if one_in(seed, &[12, index, day, 22], 8) {
        "Varias".to_owned()
    } else {
        clock(23)
    };
    let all = json!({
        "fecha": date_text(day), "indicativo": station.idema, "nombre": station.name, "provincia": station.province,
        "altitud": station.alt.to_string(), "tmed": draw(0, -50, 300), "prec": rain, "tmin": draw(1, -100, 200),
        "horatmin": clock(2), "tmax": draw(3, 0, 400), "horatmax": warmest,
        "dir": between(seed, &[12, index, day, 4], 1, 36).to_string(), "velmedia": draw(5, 0, 100),
        "racha": draw(6, 20, 300), "horaracha": clock(7), "hrMedia": between(seed, &[12, index, day, 8], 20, 100).to_string(),
    });
    let Value::Object(mut row) = all else {
        return Map::new();
    };
    if one_in(seed, &[13, index, day], 4) {
        for name in ["racha", "horaracha", "dir"] {
            row.remove(name);
        }
    }
    row
}

fn comma(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{},{}", tenths.abs() / 10, tenths.abs() % 10)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::comma;

    #[test]
    fn numbers_have_a_decimal_comma() {
        assert_eq!([comma(-3), comma(0), comma(124)], ["-0,3", "0,0", "12,4"]);
    }
}
