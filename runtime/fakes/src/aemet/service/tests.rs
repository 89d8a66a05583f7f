//! The service through its front door

use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::aemet::calendar::HOUR_MS;

const NOW_MS: i64 = 1_795_186_800_000;

fn get(service: &mut AemetService, path: &str, now_ms: i64) -> FakeResponse {
    let request = FakeRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: vec![
            ("api_key".to_owned(), "k".to_owned()),
            ("host".to_owned(), "127.0.0.1:9".to_owned()),
        ],
        ..FakeRequest::default()
    };
    service.handle(&request, now_ms)
}

fn parsed(response: &FakeResponse) -> Value {
    let body: String = response.body().iter().copied().map(char::from).collect();
    serde_json::from_str(&body).expect("JSON in one byte a character")
}

/// Both steps; rows with the letters of ISO-8859-1 in place of ISO-8859-15.
fn rows(service: &mut AemetService, path: &str, now_ms: i64) -> Vec<Value> {
    let envelope = parsed(&get(service, path, now_ms));
    let Some(address) = envelope["datos"].as_str() else {
        return Vec::new();
    };
    let path = address
        .strip_prefix("http://127.0.0.1:9")
        .expect("the host asked for")
        .to_owned();
    let data = get(service, &path, now_ms);
    assert_eq!(data.status, 200);
    parsed(&data).as_array().expect("an array").clone()
}

#[test]
fn all_products_are_answered_in_two_steps() {
    let mut service = AemetService::new(1).with_limit(1_000);
    for (path, least) in [
        ("/opendata/api/observacion/convencional/todas", 200),
        ("/opendata/api/observacion/convencional/datos/estacion/9999X", 18),
        ("/opendata/api/prediccion/especifica/municipio/diaria/01059", 1),
        ("/opendata/api/prediccion/especifica/municipio/horaria/35016", 1),
        (
            "/opendata/api/valores/climatologicos/diarios/datos/fechaini/2026-11-01T00:00:00UTC/fechafin/2026-11-15T23:59:59UTC/todasestaciones",
            120,
        ),
        (
            "/opendata/api/valores/climatologicos/diarios/datos/fechaini/2026-08-01T00:00:00UTC/fechafin/2026-11-15T23:59:59UTC/estacion/9999X,0001B",
            180,
        ),
        (
            "/opendata/api/valores/climatologicos/inventarioestaciones/todasestaciones",
            12,
        ),
        ("/opendata/api/maestro/municipios", 6),
        ("/maestro/municipios", 6),
    ] {
        let found = rows(&mut service, path, NOW_MS);
        assert!(found.len() >= least, "{path}: {}", found.len());
    }
}

#[test]
fn what_is_not_there_is_said_in_the_body() {
    let mut service = AemetService::new(1);
    let mut statuses = HashSet::new();
    for _ in 0..4 {
        let path = "/opendata/api/observacion/convencional/datos/estacion/0000Z";
        let response = get(&mut service, path, NOW_MS);
        statuses.insert(response.status);
        assert_eq!(parsed(&response)["estado"], 404);
    }
    assert_eq!(statuses, HashSet::from([200, 404]));
    let range = "/opendata/api/valores/climatologicos/diarios/datos/fechaini/2026-01-01T00:00:00UTC/fechafin/2026-01-16T23:59:59UTC/todasestaciones";
    assert_eq!(parsed(&get(&mut service, range, NOW_MS))["estado"], 400);
    assert_eq!(get(&mut service, "/opendata/api/avisos", NOW_MS).status, 404);
}

#[test]
fn a_key_is_needed_and_addresses_need_none() {
    let mut service = AemetService::new(1).with_key("right");
    let wrong = get(&mut service, "/opendata/api/observacion/convencional/todas", NOW_MS);
    assert_eq!(parsed(&wrong)["estado"], 401);
    let request = FakeRequest {
        method: "GET".to_owned(),
        path: "/opendata/api/observacion/convencional/todas".to_owned(),
        query: "api_key=right".to_owned(),
        ..FakeRequest::default()
    };
    let address = parsed(&service.handle(&request, NOW_MS))["datos"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = address
        .strip_prefix("http://127.0.0.1")
        .expect("the host set")
        .to_owned();
    assert_eq!(get(&mut service, &path, NOW_MS + 59_000).status, 200);
    assert_eq!(get(&mut service, &path, NOW_MS + 60_000).status, 404);
}

#[test]
fn too_many_in_a_minute_are_refused() {
    let mut service = AemetService::new(1).with_limit(2);
    let path = "/opendata/api/maestro/municipios";
    let left = |response: &FakeResponse| {
        let headers = response
            .headers
            .iter()
            .filter(|(name, _)| name == "remaining-request-count");
        headers.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(left(&get(&mut service, path, NOW_MS)), ["1"]);
    assert_eq!(left(&get(&mut service, path, NOW_MS)), ["0"]);
    let refused = get(&mut service, path, NOW_MS);
    assert_eq!((refused.status, parsed(&refused)["estado"].as_i64()), (429, Some(429)));
    assert_eq!(get(&mut service, path, NOW_MS + 60_001).status, 200);
}

#[test]
fn the_truth_is_what_was_shown() {
    let mut service = AemetService::new(5).with_limit(100_000).with_stations(4);
    let until_ms = NOW_MS + 72 * HOUR_MS;
    let mut shown = HashSet::new();
    let mut now_ms = NOW_MS;
    while now_ms <= until_ms {
        for row in rows(&mut service, "/opendata/api/observacion/convencional/todas", now_ms) {
            let fint = row["fint"].as_str().unwrap_or_default().replace("+0000", "");
            shown.insert(format!("{} {fint} {}", row["idema"], row["ta"]));
        }
        now_ms += 15 * 60_000;
    }
    let truth = service.truth(Product::Observations, NOW_MS, until_ms);
    let expected: HashSet<String> = truth
        .iter()
        .map(|row| format!("{} {} {}", row.row["idema"], row.time, row.row["ta"]))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(truth.len(), expected.len());
    assert!(truth.iter().filter(|row| row.is_revision).count() > 3);
}

#[test]
fn forecasts_are_issued_again_and_change_in_silence() {
    let mut service = AemetService::new(5).with_limit(100_000);
    let until_ms = NOW_MS + 48 * HOUR_MS;
    let mut shown = HashSet::new();
    let mut now_ms = NOW_MS;
    while now_ms <= until_ms {
        for code in town_codes() {
            let path = format!("/opendata/api/prediccion/especifica/municipio/diaria/{code}");
            for mut row in rows(&mut service, &path, now_ms) {
                row["origen"] = Value::Null;
                shown.insert(format!("{code} {}", row["prediccion"]));
            }
        }
        now_ms += 30 * 60_000;
    }
    // The predictions as the front door shows them: this data set has none of the letters that differ.
    let truth = service.truth(Product::Forecast(Horizon::Daily), NOW_MS, until_ms);
    let expected: HashSet<String> = truth
        .iter()
        .map(|row| format!("{} {}", row.id, row.row["prediccion"]))
        .collect();
    assert_eq!(shown, expected);
    assert!(truth.iter().any(|row| row.is_revision));
}
