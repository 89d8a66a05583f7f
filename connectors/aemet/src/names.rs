//! Field names: as AEMET has them, or in English
//!
//! One table for all products, since equal words mean equal things in them. English names add no field and drop none.

/// Which names records have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// AEMET's.
    Original,
    /// English ones.
    English,
}

/// AEMET's name and the English one.
const ENGLISH: [(&str, &str); 94] = [
    // Observations.
    ("idema", "station_id"),
    ("fint", "observed_at"),
    ("ubi", "station_name"),
    ("lon", "longitude"),
    ("lat", "latitude"),
    ("alt", "altitude"),
    ("prec", "precipitation"),
    ("vv", "wind_speed"),
    ("vmax", "wind_gust_speed"),
    ("dv", "wind_direction_degrees"),
    ("dmax", "wind_gust_direction"),
    ("stdvv", "wind_speed_deviation"),
    ("stddv", "wind_direction_deviation"),
    ("vvu", "ultrasonic_wind_speed"),
    ("vmaxu", "ultrasonic_wind_gust_speed"),
    ("dvu", "ultrasonic_wind_direction_degrees"),
    ("dmaxu", "ultrasonic_wind_gust_direction"),
    ("stdvvu", "ultrasonic_wind_speed_deviation"),
    ("stddvu", "ultrasonic_wind_direction_deviation"),
    ("ta", "air_temperature"),
    ("tamin", "air_temperature_min"),
    ("tamax", "air_temperature_max"),
    ("tpr", "dew_point"),
    ("ts", "ground_temperature"),
    ("tss5cm", "soil_temperature_5cm"),
    ("tss20cm", "soil_temperature_20cm"),
    ("hr", "relative_humidity"),
    ("pres", "pressure"),
    ("pres_nmar", "pressure_sea_level"),
    ("vis", "visibility"),
    ("inso", "sunshine"),
    ("nieve", "snow"),
    ("pacutp", "disdrometer_precipitation"),
    ("psoltp", "disdrometer_solid_precipitation"),
    ("pliqt", "disdrometer_liquid_precipitation"),
    ("rviento", "wind_run"),
    ("geo700", "geopotential_700"),
    ("geo850", "geopotential_850"),
    ("geo925", "geopotential_925"),
    ("extra", "extra"),
    // Forecasts.
    ("municipio", "municipality"),
    ("nombre", "name"),
    ("provincia", "province"),
    ("elaborado", "issued_at"),
    ("dias", "days"),
    ("fecha", "date"),
    ("temp_max", "temperature_max"),
    ("temp_min", "temperature_min"),
    ("sens_max", "feels_like_max"),
    ("sens_min", "feels_like_min"),
    ("hr_max", "relative_humidity_max"),
    ("hr_min", "relative_humidity_min"),
    ("uv_max", "uv_index_max"),
    ("periodos", "periods"),
    ("periodo", "period"),
    ("prob_precipitacion", "precipitation_probability"),
    ("cota_nieve", "snow_level"),
    ("cielo", "sky"),
    ("cielo_desc", "sky_description"),
    ("viento_dir", "wind_direction"),
    ("viento_vel", "wind_speed"),
    ("racha_max", "wind_gust_speed"),
    ("horas", "hours"),
    ("hora", "hour"),
    ("temp", "temperature"),
    ("sens", "feels_like"),
    ("precipitacion", "precipitation"),
    ("tramos", "spans"),
    ("desde", "starts_at"),
    ("hasta", "ends_at"),
    ("prob_tormenta", "storm_probability"),
    ("prob_nieve", "snow_probability"),
    // Climatology.
    ("indicativo", "station_id"),
    ("altitud", "altitude"),
    ("tmed", "temperature_mean"),
    ("tmin", "temperature_min"),
    ("tmax", "temperature_max"),
    ("velmedia", "wind_speed_mean"),
    ("racha", "wind_gust_speed"),
    ("sol", "sunshine"),
    ("presMax", "pressure_max"),
    ("presMin", "pressure_min"),
    ("hrMedia", "relative_humidity_mean"),
    ("hrMax", "relative_humidity_max"),
    ("hrMin", "relative_humidity_min"),
    ("dir", "wind_gust_direction"),
    ("horatmin", "temperature_min_time"),
    ("horatmax", "temperature_max_time"),
    ("horaracha", "wind_gust_time"),
    ("horaPresMax", "pressure_max_time"),
    ("horaPresMin", "pressure_min_time"),
    ("horaHrMax", "relative_humidity_max_time"),
    ("horaHrMin", "relative_humidity_min_time"),
    ("flags", "flags"),
];

impl Names {
    /// The names in the setting.
    pub const TEXTS: [&str; 2] = ["original", "english"];

    /// Reads the setting.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "original" => Some(Self::Original),
            "english" => Some(Self::English),
            _ => None,
        }
    }

    /// Gives the name that a field of AEMET has in records.
    pub fn of(self, original: &str) -> &str {
        match self {
            Self::Original => original,
            Self::English => {
                let entry = ENGLISH.iter().find(|(known, _)| *known == original);
                entry.map_or(original, |(_, english)| english)
            }
        }
    }
}
