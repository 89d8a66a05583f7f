//! The made-up stations and towns
//!
//! Names hold the letters that tell charsets apart: Ñ and Í, and a euro sign, which ISO-8859-1 has not.

use serde_json::{Value, json};

/// A weather station; `idema` of observations and `indicativo` of climatology are the same text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Station {
    /// Identifier.
    pub idema: &'static str,
    /// Name.
    pub name: &'static str,
    /// Province.
    pub province: &'static str,
    /// Degrees east.
    pub lon: f64,
    /// Degrees north.
    pub lat: f64,
    /// Metres above the sea.
    pub alt: i32,
}

/// A town with forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Town {
    /// INE code, five digits.
    pub code: &'static str,
    /// Name.
    pub name: &'static str,
    /// Province.
    pub province: &'static str,
}

const fn station(
    idema: &'static str,
    name: &'static str,
    province: &'static str,
    (lon, lat): (f64, f64),
    alt: i32,
) -> Station {
    Station {
        idema,
        name,
        province,
        lon,
        lat,
        alt,
    }
}

/// All stations.
pub const STATIONS: [Station; 12] = [
    station("9999X", "LA CAÑADA, BAHÍA", "MADRID", (-3.70, 40.40), 650),
    station("0001B", "PUERTO DE PRUEBA", "BARCELONA", (2.10, 41.30), 5),
    station("0002C", "PEAJE A 2 €", "GIRONA", (2.82, 41.98), 110),
    station("1111E", "A PEÑA, CÍES", "PONTEVEDRA", (-8.90, 42.22), 12),
    station("2222", "ALMAZÁN DE PRUEBA", "SORIA", (-2.53, 41.48), 940),
    station("3333A", "NAVACERRADA ALTA", "MADRID", (-4.01, 40.79), 1894),
    station("4444R", "LOGROÑO, VEGA", "LA RIOJA", (-2.44, 42.46), 384),
    station("5555X", "GÜÉJAR DE LA SIERRA", "GRANADA", (-3.44, 37.16), 1088),
    station("6666D", "ESTEPONA, MAR", "MALAGA", (-5.15, 36.43), 7),
    station("7777V", "XÀTIVA, EL PLÀ", "VALENCIA", (-0.52, 38.99), 115),
    station("B888X", "SÓLLER, FAR", "ILLES BALEARS", (2.69, 39.80), 3),
    station(
        "C999X",
        "LOS LLANOS, CALDERA",
        "STA. CRUZ DE TENERIFE",
        (-17.91, 28.66),
        344,
    ),
];

/// All towns; two in the Canary Islands, one with a leading zero.
pub const TOWNS: [Town; 6] = [
    Town {
        code: "28065",
        name: "Getafe",
        province: "Madrid",
    },
    Town {
        code: "01059",
        name: "Vitoria-Gasteiz",
        province: "Araba/Álava",
    },
    Town {
        code: "15030",
        name: "A Coruña",
        province: "A Coruña",
    },
    Town {
        code: "08019",
        name: "Barcelona",
        province: "Barcelona",
    },
    Town {
        code: "35016",
        name: "Palmas de Gran Canaria, Las",
        province: "Las Palmas",
    },
    Town {
        code: "38038",
        name: "Santa Cruz de Tenerife",
        province: "Santa Cruz de Tenerife",
    },
];

impl Town {
    /// Tells whether the town keeps the time of the Canary Islands.
    pub fn is_canary(self) -> bool {
        self.code.starts_with("35") || self.code.starts_with("38")
    }
}

/// Finds a station and its number.
pub fn station_named(idema: &str) -> Option<(usize, Station)> {
    let found = STATIONS.iter().enumerate().find(|(_, known)| known.idema == idema);
    found.map(|(index, known)| (index, *known))
}

/// Finds a town and its number.
pub fn town_named(code: &str) -> Option<(usize, Town)> {
    let found = TOWNS.iter().enumerate().find(|(_, known)| known.code == code);
    found.map(|(index, known)| (index, *known))
}

/// Gives the station list as the service has it: coordinates as text in degrees, minutes and seconds.
pub fn station_list() -> Value {
    let rows = STATIONS.iter().map(|known| {
        json!({
            "latitud": sexagesimal(known.lat, 'N', 'S'),
            "provincia": known.province,
            "altitud": known.alt.to_string(),
            "indicativo": known.idema,
            "nombre": known.name,
            "indsinop": "",
            "longitud": sexagesimal(known.lon, 'E', 'W'),
        })
    });
    Value::Array(rows.collect())
}

/// Gives the town list as the service has it.
pub fn town_list() -> Value {
    let rows = TOWNS.iter().map(|town| {
        json!({"id": format!("id{}", town.code), "nombre": town.name, "capital": town.name, "zona_comarcal": town.province})
    });
    Value::Array(rows.collect())
}

fn sexagesimal(degrees: f64, positive: char, negative: char) -> String {
    let seconds = (degrees.abs() * 3600.0).round();
    let (whole, rest) = (seconds.div_euclid(3600.0), seconds.rem_euclid(3600.0));
    let side = if degrees < 0.0 { negative } else { positive };
    format!(
        "{whole:02}{:02}{:02}{side}",
        rest.div_euclid(60.0),
        rest.rem_euclid(60.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_degrees_minutes_and_seconds() {
        assert_eq!(sexagesimal(40.405, 'N', 'S'), "402418N");
        assert_eq!(sexagesimal(-3.70, 'E', 'W'), "034200W");
    }
}
