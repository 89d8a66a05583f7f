//! Hourly observations: each station's row of an hour, when it appears and how it is corrected
//!
//! A row appears 5 to 50 minutes after its hour, some only hours later, so after newer ones; some never. Some are
//! corrected hours after they appeared. What is served is the last 24 hours.

use serde_json::{Map, Value, json};

use crate::aemet::calendar::{HOUR_MS, MINUTE_MS, stamp_text};
use crate::aemet::dice::{between, one_in, tenths};
use crate::aemet::service::TruthRow;
use crate::aemet::sites::Station;

/// How far back the service shows rows.
pub const SHOWN_MS: i64 = 24 * HOUR_MS;

/// When a row is there, and from when in its corrected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    appears_ms: i64,
    corrected_ms: Option<i64>,
}

fn life(seed: u64, station: i64, hour: i64) -> Option<Life> {
    let what = |kind| [1, station, hour, kind];
    if one_in(seed, &what(0), 60) {
        return None;
    }
    let minutes = if one_in(seed, &what(1), 30) {
        between(seed, &what(2), 120, 360)
    } else {
        between(seed, &what(2), 5, 50)
    };
    let appears_ms = hour * HOUR_MS + minutes * MINUTE_MS;
    let corrected = one_in(seed, &what(3), 20);
    Some(Life {
        appears_ms,
        corrected_ms: corrected.then(|| appears_ms + between(seed, &what(4), 90, 600) * MINUTE_MS),
    })
}

/// Gives what is served at a time, for one station or all, oldest first.
pub fn body(seed: u64, stations: &[(usize, Station)], now_ms: i64) -> Value {
    let mut rows = Vec::new();
    for hour in shown_hours(now_ms) {
        for (index, station) in stations {
            let Some(life) = life(seed, number(*index), hour).filter(|life| life.appears_ms <= now_ms) else {
                continue;
            };
            let version = i64::from(life.corrected_ms.is_some_and(|at| at <= now_ms));
            let mut row = row(seed, number(*index), *station, hour, version);
            // The zone is written or not from one answer to the next: a reader must not take that for a correction.
            if now_ms.div_euclid(HOUR_MS).rem_euclid(2) == 1 {
                let stamp = format!("{}+0000", stamp_text(hour * HOUR_MS));
                row.insert("fint".to_owned(), stamp.into());
            }
            rows.push(Value::Object(row));
        }
    }
    Value::Array(rows)
}

/// Gives the rows and corrections that a reader from `from_ms` to `to_ms` must have seen.
pub fn truth(seed: u64, stations: &[(usize, Station)], from_ms: i64, to_ms: i64) -> Vec<TruthRow> {
    let mut rows = Vec::new();
    for hour in shown_hours(from_ms).start..shown_hours(to_ms).end {
        for (index, station) in stations {
            let index = number(*index);
            let Some(life) = life(seed, index, hour) else {
                continue;
            };
            let mut versions = vec![(life.appears_ms, life.corrected_ms)];
            versions.extend(life.corrected_ms.map(|at| (at, None)));
            let mut seen_before = false;
            for (version, (appears_ms, replaced_ms)) in (0..).zip(versions) {
                if appears_ms > to_ms || replaced_ms.is_some_and(|at| at <= from_ms) {
                    continue;
                }
                rows.push(TruthRow {
                    id: station.idema.to_owned(),
                    time: stamp_text(hour * HOUR_MS),
                    visible_from_ms: appears_ms,
                    visible_to_ms: replaced_ms.unwrap_or(i64::MAX).min(hour * HOUR_MS + SHOWN_MS),
                    is_revision: seen_before,
                    row: Value::Object(row(seed, index, *station, hour, version)),
                });
                seen_before = true;
            }
        }
    }
    rows
}

fn shown_hours(now_ms: i64) -> std::ops::Range<i64> {
    let last = now_ms.div_euclid(HOUR_MS);
    (last - SHOWN_MS / HOUR_MS + 1)..(last + 1)
}

fn row(seed: u64, index: i64, station: Station, hour: i64, version: i64) -> Map<String, Value> {
    let draw = |kind, low, high| tenths(seed, &[2, index, hour, kind], low, high);
    // A correction moves the temperature by some tenths.
    let moved = version * 5;
    let ta = draw(0, moved - 50, moved + 350);
    let all = json!({
        "idema": station.idema, "lon": station.lon, "fint": stamp_text(hour * HOUR_MS), "prec": draw(1, 0, 30),
        "alt": station.alt, "vmax": draw(2, 0, 250), "vv": draw(3, 0, 120), "dv": draw(4, 0, 3599), "lat": station.lat,
        "dmax": draw(5, 0, 3599), "ubi": station.name, "pres": draw(6, 8800, 10300), "hr": draw(7, 100, 1000),
        "stdvv": draw(8, 0, 20), "ts": draw(9, -50, 400), "pres_nmar": draw(10, 9800, 10400), "tamin": draw(11, -60, 340),
        "ta": ta, "tamax": draw(12, -40, 360), "tpr": draw(13, -100, 200), "stddv": draw(14, 0, 300),
        "inso": draw(15, 0, 10),
    });
    let Value::Object(mut row) = all else {
        return Map::new();
    };
    // What a station did not measure is not there.
    row.retain(|name, _| {
        let kept = matches!(name.as_str(), "idema" | "fint" | "lon" | "lat" | "alt" | "ubi" | "ta");
        kept || !one_in(seed, &[3, index, hour, letters(name)], 6)
    });
    if one_in(seed, &[4, index, hour], 15) {
        row.insert("sensor_nuevo".to_owned(), json!("A-7"));
    }
    row
}

fn letters(name: &str) -> i64 {
    name.bytes().fold(0, |sum, byte| sum * 31 % 1_000_003 + i64::from(byte))
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(0)
}
