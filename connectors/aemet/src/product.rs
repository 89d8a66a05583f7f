//! The products: where they are asked for, and their source partitions

use weir_feed::url::encoded;
use weir_sdk::offsets::JsonObject;

use crate::stamp::{HOUR_MS, day_text};

/// What a connector reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Hourly observations.
    Observation,
    /// Forecasts for seven days.
    DailyForecast,
    /// Forecasts for two days by the hour.
    HourlyForecast,
    /// Daily climatology.
    DailyClimate,
}

/// What stands for all stations.
pub const ALL: &str = "todas";

impl Product {
    /// All of them.
    pub const EACH: [Self; 4] = [
        Self::Observation,
        Self::DailyForecast,
        Self::HourlyForecast,
        Self::DailyClimate,
    ];

    /// Gives the name in settings and source partitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observation => "observacion",
            Self::DailyForecast => "prediccion_diaria",
            Self::HourlyForecast => "prediccion_horaria",
            Self::DailyClimate => "climatologia_diaria",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|product| product.as_str() == text)
    }

    /// Gives the name of the record's schema, without namespace.
    pub fn record_name(self) -> &'static str {
        match self {
            Self::Observation => "Observation",
            Self::DailyForecast => "DailyForecast",
            Self::HourlyForecast => "HourlyForecast",
            Self::DailyClimate => "DailyClimate",
        }
    }

    /// Tells whether it is of towns; else it is of stations.
    pub fn is_of_towns(self) -> bool {
        matches!(self, Self::DailyForecast | Self::HourlyForecast)
    }

    /// Gives the pause between two cycles where none is set.
    pub fn default_interval_ms(self) -> i64 {
        match self {
            Self::Observation => HOUR_MS / 6,
            Self::DailyForecast | Self::HourlyForecast => HOUR_MS,
            // A day's values come once, days later.
            Self::DailyClimate => 6 * HOUR_MS,
        }
    }

    /// Gives the source partition of a station or town.
    pub fn partition(self, id: &str) -> String {
        let place = if self.is_of_towns() { "municipio" } else { "station" };
        let mut object = JsonObject::new();
        for (name, value) in [("feed", "aemet"), ("product", self.as_str()), (place, id)] {
            object.insert(name.to_owned(), value.into());
        }
        serde_json::Value::Object(object).to_string()
    }

    /// Gives the path below the base URL for a station, a town or [`ALL`]; climatology also needs days.
    pub fn path(self, id: &str, days: Option<(i32, i32)>) -> String {
        let place = encoded(id);
        match (self, days) {
            (Self::Observation, _) if id == ALL => "/observacion/convencional/todas".to_owned(),
            (Self::Observation, _) => format!("/observacion/convencional/datos/estacion/{place}"),
            (Self::DailyForecast, _) => format!("/prediccion/especifica/municipio/diaria/{place}"),
            (Self::HourlyForecast, _) => format!("/prediccion/especifica/municipio/horaria/{place}"),
            (Self::DailyClimate, days) => {
                let (first, last) = days.unwrap_or_default();
                let which = if id == ALL {
                    "todasestaciones".to_owned()
                } else {
                    format!("estacion/{place}")
                };
                format!(
                    "/valores/climatologicos/diarios/datos/fechaini/{}T00:00:00UTC/fechafin/{}T23:59:59UTC/{which}",
                    day_text(first),
                    day_text(last)
                )
            }
        }
    }
}

/// Where the list of all stations is.
pub const STATION_LIST: &str = "/valores/climatologicos/inventarioestaciones/todasestaciones";

#[cfg(test)]
mod tests {
    use super::{ALL, Product};

    #[test]
    fn paths_are_those_of_the_service() {
        let days = Some((20_403, 20_417));
        for (product, id, path) in [
            (Product::Observation, ALL, "/observacion/convencional/todas"),
            (
                Product::Observation,
                "9999X",
                "/observacion/convencional/datos/estacion/9999X",
            ),
            (
                Product::DailyForecast,
                "01059",
                "/prediccion/especifica/municipio/diaria/01059",
            ),
            (
                Product::HourlyForecast,
                "01059",
                "/prediccion/especifica/municipio/horaria/01059",
            ),
            (
                Product::DailyClimate,
                "3195",
                "/valores/climatologicos/diarios/datos/fechaini/2025-11-11T00:00:00UTC/fechafin/2025-11-25T23:59:59UTC/estacion/3195",
            ),
            (
                Product::DailyClimate,
                ALL,
                "/valores/climatologicos/diarios/datos/fechaini/2025-11-11T00:00:00UTC/fechafin/2025-11-25T23:59:59UTC/todasestaciones",
            ),
        ] {
            assert_eq!(product.path(id, days), path);
        }
    }

    #[test]
    fn partitions_name_product_and_place() {
        assert_eq!(
            Product::Observation.partition("9999X"),
            r#"{"feed":"aemet","product":"observacion","station":"9999X"}"#
        );
        assert_eq!(
            Product::HourlyForecast.partition("28065"),
            r#"{"feed":"aemet","product":"prediccion_horaria","municipio":"28065"}"#
        );
        for product in Product::EACH {
            assert_eq!(Product::parse(product.as_str()), Some(product));
        }
    }
}
