//! The service: envelopes first, the data behind a short-lived address
//!
//! Paths below `/opendata/api` answer envelopes, `/opendata/sh/…` the data of the moment at which the envelope was
//! asked for. `estado` and the HTTP status disagree now and then, bodies are ISO-8859-15 whatever their header says.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::aemet::calendar::{MINUTE_MS, parse_date};
use crate::aemet::dice::roll;
use crate::aemet::forecasts::Horizon;
use crate::aemet::latin9::encoded;
use crate::aemet::limits::{Minute, Trouble, trouble};
use crate::aemet::sites::{STATIONS, Station, TOWNS, station_list, station_named, town_list, town_named};
use crate::aemet::{climate, forecasts, observations};
use crate::service::{FakeRequest, FakeResponse, Piece, Service};

const API: &str = "/opendata/api/";
const DATA: &str = "/opendata/sh/";
/// The real one counts down from about here.
const REQUESTS_A_MINUTE: usize = 150;
/// Longest ranges the service answers.
const DAYS_OF_ALL_STATIONS: i64 = 15;
const DAYS_OF_ONE_STATION: i64 = 155;

/// A product with a ground truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Hourly observations.
    Observations,
    /// Forecasts.
    Forecast(Horizon),
    /// Daily climatology of the days from this one (since the epoch) on.
    Climate {
        /// First day.
        first_day: i64,
    },
}

/// What a perfect reader must have emitted once.
#[derive(Debug, Clone, PartialEq)]
pub struct TruthRow {
    /// Station or town.
    pub id: String,
    /// `fint` (UTC), `elaborado` (local) or `fecha`.
    pub time: String,
    /// Since when it is served.
    pub visible_from_ms: i64,
    /// Until when, at the earliest.
    pub visible_to_ms: i64,
    /// Whether an earlier form of it was there to be seen.
    pub is_revision: bool,
    /// The row, or the forecast of a town.
    pub row: Value,
}

/// The service.
#[derive(Debug)]
pub struct AemetService {
    seed: u64,
    key: Option<String>,
    limit: usize,
    address_lives_ms: i64,
    has_waves: bool,
    stations: usize,
    host: String,
    minute: Minute,
    requests: u64,
    behind: HashMap<String, Behind>,
}

/// What an address leads to.
#[derive(Debug)]
struct Behind {
    until_ms: i64,
    body: Vec<u8>,
}

/// What an endpoint answers with.
enum Found {
    Rows(Value),
    Nothing,
    Refused(&'static str),
    Unknown,
}

impl AemetService {
    /// Makes a service that takes any key and has no waves of errors.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            key: None,
            limit: REQUESTS_A_MINUTE,
            address_lives_ms: MINUTE_MS,
            has_waves: false,
            stations: STATIONS.len(),
            host: "127.0.0.1".to_owned(),
            minute: Minute::default(),
            requests: 0,
            behind: HashMap::new(),
        }
    }

    /// Takes this key only.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Sets the requests a minute.
    #[must_use]
    pub fn with_limit(mut self, requests: usize) -> Self {
        self.limit = requests;
        self
    }

    /// Sets how long a data address works.
    #[must_use]
    pub fn with_address_life(mut self, ms: i64) -> Self {
        self.address_lives_ms = ms;
        self
    }

    /// Has only the first so many stations.
    #[must_use]
    pub fn with_stations(mut self, count: usize) -> Self {
        self.stations = count;
        self
    }

    /// Has waves of errors.
    #[must_use]
    pub fn with_waves(mut self) -> Self {
        self.has_waves = true;
        self
    }

    /// Sets host and port of data addresses for requests without a `host` header.
    #[must_use]
    pub fn with_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Gives what a reader that works from `from_ms` to `to_ms` must have emitted, whatever it saw of it when.
    pub fn truth(&self, product: Product, from_ms: i64, to_ms: i64) -> Vec<TruthRow> {
        match product {
            Product::Observations => observations::truth(self.seed, &self.all_stations(), from_ms, to_ms),
            Product::Forecast(horizon) => forecasts::truth(self.seed, horizon, from_ms, to_ms),
            Product::Climate { first_day } => {
                climate::truth(self.seed, &self.all_stations(), first_day, (from_ms, to_ms))
            }
        }
    }

    fn envelope(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        if !self.admits(request) {
            // Seen with 200 and with 401 outside.
            let status = if self.requests.is_multiple_of(2) { 200 } else { 401 };
            return refusal(status, 401, "API key invalido");
        }
        let Some(left) = self.minute.take(self.limit, now_ms) else {
            return too_many(429);
        };
        let segments = request.segments();
        // The base URL may be given with the real one's path or without it.
        let prefix = if request.path.starts_with(API) { 2 } else { 0 };
        let segments: Vec<&str> = segments.iter().skip(prefix).map(String::as_str).collect();
        let response = match self.find(&segments, now_ms) {
            Found::Rows(rows) => self.exito(request, &rows, now_ms),
            Found::Nothing => {
                let status = if self.requests.is_multiple_of(2) { 200 } else { 404 };
                refusal(status, 404, "No hay datos que satisfagan esos criterios")
            }
            Found::Refused(reason) => refusal(200, 400, reason),
            Found::Unknown => page(404, "404 Not Found"),
        };
        response.header("remaining-request-count", left.to_string())
    }

    fn exito(&mut self, request: &FakeRequest, rows: &Value, now_ms: i64) -> FakeResponse {
        self.behind.retain(|_, behind| behind.until_ms > now_ms);
        let mut keep = |body: Vec<u8>, salt: i64| {
            let number = i64::try_from(self.requests).unwrap_or(0);
            let hash = format!("{:08x}", roll(self.seed, &[41, number, now_ms, salt]) & 0xFFFF_FFFF);
            let until_ms = now_ms.saturating_add(self.address_lives_ms);
            self.behind.insert(hash.clone(), Behind { until_ms, body });
            hash
        };
        let data = keep(encoded(&rows.to_string()), 0);
        let fields = json!({"unidad_generadora": "Servicio de prueba", "campos": []});
        let described = keep(encoded(&fields.to_string()), 1);
        let host = request.header("host").unwrap_or(&self.host);
        let body = json!({
            "descripcion": "exito", "estado": 200,
            "datos": format!("http://{host}{DATA}{data}"),
            "metadatos": format!("http://{host}{DATA}{described}"),
        });
        FakeResponse::bytes(200, "application/json;charset=UTF-8", body.to_string().into_bytes())
            .header("aemet_estado", "200")
            .header("aemet_mensaje", "exito")
    }

    fn data(&mut self, hash: &str, now_ms: i64) -> FakeResponse {
        if self.minute.take(self.limit, now_ms).is_none() {
            return too_many(429);
        }
        let Some(behind) = self.behind.get(hash).filter(|behind| behind.until_ms > now_ms) else {
            return refusal(404, 404, "datos expirados");
        };
        let body = behind.body.clone();
        match self.requests % 3 {
            0 => FakeResponse::bytes(200, "text/plain;charset=ISO-8859-15", body),
            1 => FakeResponse::bytes(200, "text/plain", body),
            _ => FakeResponse {
                status: 200,
                headers: Vec::new(),
                pieces: vec![Piece::Bytes(body)],
            },
        }
    }

    fn find(&self, segments: &[&str], now_ms: i64) -> Found {
        match segments {
            ["observacion", "convencional", "todas"] => {
                rows_or_nothing(observations::body(self.seed, &self.all_stations(), now_ms))
            }
            ["observacion", "convencional", "datos", "estacion", idema] => match station_named(idema) {
                Some(station) => rows_or_nothing(observations::body(self.seed, &[station], now_ms)),
                None => Found::Nothing,
            },
            [
                "prediccion",
                "especifica",
                "municipio",
                kind @ ("diaria" | "horaria"),
                code,
            ] => {
                let horizon = if *kind == "diaria" {
                    Horizon::Daily
                } else {
                    Horizon::Hourly
                };
                match town_named(code) {
                    Some(town) => rows_or_nothing(forecasts::body(self.seed, horizon, town, now_ms)),
                    None => Found::Nothing,
                }
            }
            [
                "valores",
                "climatologicos",
                "diarios",
                "datos",
                "fechaini",
                from,
                "fechafin",
                to,
                which @ ..,
            ] => self.climate(from, to, which, now_ms),
            ["valores", "climatologicos", "inventarioestaciones", "todasestaciones"] => Found::Rows(station_list()),
            ["maestro", "municipios"] => Found::Rows(town_list()),
            _ => Found::Unknown,
        }
    }

    fn climate(&self, from: &str, to: &str, which: &[&str], now_ms: i64) -> Found {
        let ends = (from.ends_with("T00:00:00UTC"), to.ends_with("T23:59:59UTC"));
        let (Some(first), Some(last), (true, true)) = (parse_date(from), parse_date(to), ends) else {
            return Found::Refused("Formato de fecha incorrecto");
        };
        let (stations, most) = match which {
            ["todasestaciones"] => (self.all_stations(), DAYS_OF_ALL_STATIONS),
            ["estacion", ids] => (ids.split(',').filter_map(station_named).collect(), DAYS_OF_ONE_STATION),
            _ => return Found::Unknown,
        };
        if last - first >= most || first > last {
            return Found::Refused("El rango de fechas no es valido");
        }
        rows_or_nothing(climate::body(self.seed, &stations, (first, last), now_ms))
    }

    fn all_stations(&self) -> Vec<(usize, Station)> {
        STATIONS.iter().copied().enumerate().take(self.stations).collect()
    }

    fn admits(&self, request: &FakeRequest) -> bool {
        let given = request
            .header("api_key")
            .map(str::to_owned)
            .or_else(|| request.query_param("api_key"));
        match (&self.key, given) {
            (_, None) => false,
            (Some(key), Some(given)) => *key == given,
            (None, Some(given)) => !given.is_empty(),
        }
    }
}

impl Service for AemetService {
    fn handle(&mut self, request: &FakeRequest, now_ms: i64) -> FakeResponse {
        self.requests = self.requests.wrapping_add(1);
        if self.has_waves
            && let Some(trouble) = trouble(self.seed, self.requests, now_ms)
        {
            return in_trouble(trouble);
        }
        if let Some(hash) = request.path.strip_prefix(DATA) {
            return self.data(hash, now_ms);
        }
        if request.method != "GET" {
            return page(405, "405 Method Not Allowed");
        }
        self.envelope(request, now_ms)
    }
}

fn in_trouble(trouble: Trouble) -> FakeResponse {
    match trouble {
        Trouble::TooMany => too_many(429),
        Trouble::TooManyInside => too_many(200),
        Trouble::Broken => refusal(500, 500, "Error interno"),
        Trouble::Overloaded => page(503, "503 Service Temporarily Unavailable"),
        Trouble::Page => page(200, "Mantenimiento"),
        Trouble::Empty => FakeResponse::text(200, ""),
        Trouble::NoAddress => refusal(200, 200, "exito"),
    }
}

fn too_many(status: u16) -> FakeResponse {
    let reason = "Límite de peticiones o caudal por minuto excedido para este usuario. Espere al siguiente minuto.";
    refusal(status, 429, reason)
}

fn refusal(status: u16, estado: u16, reason: &str) -> FakeResponse {
    let body = json!({"descripcion": reason, "estado": estado});
    FakeResponse::bytes(
        status,
        "application/json;charset=ISO-8859-15",
        encoded(&body.to_string()),
    )
    .header("aemet_estado", estado.to_string())
}

fn page(status: u16, title: &str) -> FakeResponse {
    let body = format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
    FakeResponse::bytes(status, "text/html", body.into_bytes())
}

fn rows_or_nothing(rows: Value) -> Found {
    match rows.as_array() {
        Some(list) if list.is_empty() => Found::Nothing,
        _ => Found::Rows(rows),
    }
}

/// Gives the codes of all towns.
pub fn town_codes() -> Vec<&'static str> {
    TOWNS.iter().map(|town| town.code).collect()
}

/// Gives the identifiers of all stations.
pub fn station_ids() -> Vec<&'static str> {
    STATIONS.iter().map(|station| station.idema).collect()
}

#[cfg(test)]
mod tests;
