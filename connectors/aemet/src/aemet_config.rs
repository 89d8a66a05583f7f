//! The settings

use weir_feed::settings::{Common, Defaults, POLL_INTERVAL_MS, common_keys};
use weir_feed::url::{Hosts, Url};
use weir_sdk::api::error::ConnectError;
use weir_sdk::config::def::{ConfigDef, ConfigKey, Importance, Validator};
use weir_sdk::config::map::ConfigMap;
use weir_sdk::config::validate::ParsedConfig;
use weir_sdk::secret::Secret;

use crate::names::Names;
use crate::product::{ALL, Product};
use crate::records::forecast::padded_town;
use crate::stamp;

/// The key of the service.
pub const API_KEY: &str = "aemet.api.key";
/// Which product.
pub const PRODUCT: &str = "aemet.product";
/// Stations, for observations and climatology.
pub const STATIONS: &str = "aemet.stations";
/// Towns, for forecasts.
pub const MUNICIPIOS: &str = "aemet.municipios";
/// Where the service is.
pub const BASE_URL: &str = "aemet.base.url";
/// Other hosts that data may come from.
pub const ALLOW_DATA_HOSTS: &str = "aemet.allow.data.hosts";
/// Whether data are fetched from the base URL's host whatever the service says.
pub const REWRITE_DATA_HOST: &str = "aemet.rewrite.data.host";
/// First day of climatology.
pub const START_DATE: &str = "aemet.start.date";
/// Days asked for at a time.
pub const CHUNK_DAYS: &str = "aemet.chunk.days";
/// Whether unchanged rows are emitted again.
pub const EMIT: &str = "aemet.emit";
/// Names of fields.
pub const NAMES: &str = "aemet.names";
/// Form of keys.
pub const KEY: &str = "aemet.key";

/// Days of climatology that the service gives at once for all stations, and for one.
const MOST_DAYS_OF_ALL: i32 = 15;
const MOST_DAYS_OF_ONE: i32 = 150;
const MOST_ID_CHARS: usize = 16;

const DEFAULTS: Defaults = Defaults {
    poll_interval_ms: 600_000,
    rate_requests: 30,
    rate_per_ms: 60_000,
};

/// Form of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// Station or town.
    Id,
    /// Struct of it and the row's time.
    Full,
}

/// Which rows are emitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// All of each cycle.
    All,
    /// New and changed ones.
    Changes,
}

/// Defines the settings.
pub fn definition() -> ConfigDef {
    let products = Product::EACH.map(Product::as_str);
    let def = ConfigDef::new()
        .key(
            ConfigKey::password(API_KEY)
                .importance(Importance::High)
                .doc("The key of AEMET OpenData; free at opendata.aemet.es, valid for about three months"),
        )
        .key(
            ConfigKey::text(PRODUCT)
                .default(Product::Observation.as_str())
                .validator(Validator::one_of(&products))
                .importance(Importance::High)
                .doc(
                    "What to read. Without poll.interval.ms, observations are asked for every 10 minutes, \
                     forecasts every hour, climatology every 6 hours",
                ),
        )
        .key(
            ConfigKey::list(STATIONS)
                .default(ALL)
                .doc("Stations (idema) of observacion and climatologia_diaria, or todas for all in one request"),
        )
        .key(
            ConfigKey::list(MUNICIPIOS)
                .default("")
                .doc("Towns of prediccion_diaria and prediccion_horaria by INE code, as 28065 or id28065"),
        )
        .key(
            ConfigKey::text(BASE_URL)
                .default("https://opendata.aemet.es/opendata/api")
                .validator(Validator::NonEmptyText)
                .importance(Importance::Low)
                .doc("Base URL of the service"),
        );
    common_keys(form_keys(def), DEFAULTS)
}

fn form_keys(def: ConfigDef) -> ConfigDef {
    def.key(
        ConfigKey::list(ALLOW_DATA_HOSTS)
            .default("")
            .importance(Importance::Low)
            .doc("Hosts that data may come from besides that of aemet.base.url; any other fails the task"),
    )
    .key(
        ConfigKey::boolean(REWRITE_DATA_HOST)
            .default("false")
            .importance(Importance::Low)
            .doc("Fetch data from the host of aemet.base.url whatever host the service names"),
    )
    .key(
        ConfigKey::text(START_DATE)
            .default_null()
            .doc("First day of climatologia_diaria, as 2026-01-31; 15 days before the first start if not given"),
    )
    .key(
        ConfigKey::int(CHUNK_DAYS)
            .default("0")
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc("Days of climatologia_diaria asked for at once; 0 is the most: 15 for todas, 150 for a station"),
    )
    .key(
        ConfigKey::text(EMIT)
            .default("changes")
            .validator(Validator::one_of(&["all", "changes"]))
            .doc("Whether a cycle emits only what is new or changed, or all that the service answers"),
    )
    .key(
        ConfigKey::text(NAMES)
            .default("original")
            .validator(Validator::one_of(&Names::TEXTS))
            .doc("Names of the fields of records: those of AEMET, or English ones"),
    )
    .key(
        ConfigKey::text(KEY)
            .default("id")
            .validator(Validator::one_of(&["id", "full"]))
            .doc("Key of records: station or town, or a struct of it and the time (fint, elaborado, fecha)"),
    )
}

/// The settings of a connector or task.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Those that all feeds have.
    pub common: Common,
    /// The key.
    pub api_key: Secret,
    /// What to read.
    pub product: Product,
    /// Stations or towns; only [`ALL`] for all stations.
    pub places: Vec<String>,
    /// Where the service is; its path has no slash at the end.
    pub base: Url,
    /// Hosts that data may come from.
    pub data_hosts: Hosts,
    /// Whether data come from the base URL's host in any case.
    pub rewrites_data_host: bool,
    /// First day of climatology.
    pub start_day: Option<i32>,
    /// Days of climatology asked for at once.
    pub chunk_days: i32,
    /// Which rows are emitted.
    pub emit: Emit,
    /// Names of fields.
    pub names: Names,
    /// Form of keys.
    pub key_form: KeyForm,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// Config: the first setting that is wrong.
    pub fn parse(config: &ConfigMap) -> Result<Self, ConnectError> {
        let parsed = definition().parse(config)?;
        let mut wrong = Vec::new();
        let settings = Self::read(config, &parsed, &mut wrong);
        match wrong.into_iter().next() {
            Some((key, reason)) => Err(ConnectError::config(invalid(key, config, &reason))),
            None => settings,
        }
    }

    /// Gives all settings that are wrong beyond what the definition checks, with texts.
    pub fn wrong(config: &ConfigMap) -> Vec<(&'static str, String)> {
        let Ok(parsed) = definition().parse(config) else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        // What fails here is in the list as well.
        let _ = Self::read(config, &parsed, &mut wrong);
        wrong
            .into_iter()
            .map(|(key, reason)| (key, invalid(key, config, &reason)))
            .collect()
    }

    fn read(
        config: &ConfigMap,
        parsed: &ParsedConfig,
        wrong: &mut Vec<(&'static str, String)>,
    ) -> Result<Self, ConnectError> {
        let mut common = Common::parse(parsed)?;
        let product = Product::parse(parsed.get_text(PRODUCT)?).unwrap_or(Product::Observation);
        if !config.contains_key(POLL_INTERVAL_MS) {
            common.poll_interval_ms = product.default_interval_ms();
        }
        let api_key = Secret::of(config, API_KEY);
        if api_key.is_none() {
            wrong.push((
                API_KEY,
                "must not be empty; ask for a key at opendata.aemet.es".to_owned(),
            ));
        }
        let places = if product.is_of_towns() {
            towns(parsed.get_list(MUNICIPIOS)?)
        } else {
            stations(parsed.get_list(STATIONS)?)
        };
        let places = places.unwrap_or_else(|reason| {
            wrong.push((if product.is_of_towns() { MUNICIPIOS } else { STATIONS }, reason));
            Vec::new()
        });
        let base = base_url(parsed.get_text(BASE_URL)?).unwrap_or_else(|reason| {
            wrong.push((BASE_URL, reason));
            None
        });
        let mut data_hosts = base.as_ref().map(Hosts::of).unwrap_or_default();
        for host in parsed.get_list(ALLOW_DATA_HOSTS)? {
            if let Err(reason) = data_hosts.push(host) {
                wrong.push((ALLOW_DATA_HOSTS, reason));
            }
            // Who names an address nearby means it.
            if Url::parse(&format!("http://{host}")).is_ok_and(|url| url.is_private()) {
                data_hosts.allow_private();
            }
        }
        let start_day = parsed
            .opt_text(START_DATE)
            .filter(|text| !text.is_empty())
            .and_then(|text| {
                let day = stamp::day(text).filter(|_| text.len() == 10);
                if day.is_none() {
                    wrong.push((START_DATE, "must be a date such as 2026-01-31".to_owned()));
                }
                day
            });
        let most_days = if is_all(&places) {
            MOST_DAYS_OF_ALL
        } else {
            MOST_DAYS_OF_ONE
        };
        let chunk_days = Some(parsed.get_int(CHUNK_DAYS)?)
            .filter(|days| *days > 0)
            .unwrap_or(most_days);
        if chunk_days > most_days {
            wrong.push((
                CHUNK_DAYS,
                format!("the service gives at most {most_days} days at once here"),
            ));
        }
        let missing = || ConnectError::config("the settings are not complete");
        Ok(Self {
            api_key: api_key.ok_or_else(missing)?,
            base: base.ok_or_else(missing)?,
            rewrites_data_host: parsed.get_boolean(REWRITE_DATA_HOST)?,
            emit: if parsed.get_text(EMIT)? == "all" {
                Emit::All
            } else {
                Emit::Changes
            },
            names: Names::parse(parsed.get_text(NAMES)?).unwrap_or(Names::Original),
            key_form: if parsed.get_text(KEY)? == "full" {
                KeyForm::Full
            } else {
                KeyForm::Id
            },
            common,
            product,
            places,
            data_hosts,
            start_day,
            chunk_days,
        })
    }

    /// Tells whether all stations are read with one request.
    pub fn is_all(&self) -> bool {
        is_all(&self.places)
    }

    /// Gives the setting that names the places.
    pub fn places_key(&self) -> &'static str {
        if self.product.is_of_towns() {
            MUNICIPIOS
        } else {
            STATIONS
        }
    }
}

fn is_all(places: &[String]) -> bool {
    places == [ALL]
}

fn invalid(key: &str, config: &ConfigMap, reason: &str) -> String {
    let value = if key == API_KEY {
        "[hidden]"
    } else {
        config.get(key).unwrap_or_default()
    };
    format!("Invalid value {value} for configuration {key}: {reason}")
}

fn stations(given: &[String]) -> Result<Vec<String>, String> {
    let mut stations: Vec<String> = Vec::new();
    for id in given.iter().map(|id| id.trim()).filter(|id| !id.is_empty()) {
        if id.eq_ignore_ascii_case(ALL) {
            return if given.len() == 1 {
                Ok(vec![ALL.to_owned()])
            } else {
                Err(format!("{ALL} stands alone or not at all"))
            };
        }
        if id.len() > MOST_ID_CHARS || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("'{id}' is no station identifier such as 3195 or 9170X"));
        }
        let id = id.to_ascii_uppercase();
        if !stations.contains(&id) {
            stations.push(id);
        }
    }
    if stations.is_empty() {
        return Err(format!("name stations, or {ALL}"));
    }
    Ok(stations)
}

fn towns(given: &[String]) -> Result<Vec<String>, String> {
    let mut towns: Vec<String> = Vec::new();
    for code in given.iter().filter(|code| !code.trim().is_empty()) {
        let town = padded_town(code).ok_or_else(|| format!("'{code}' is no INE code of five digits such as 28065"))?;
        if !towns.contains(&town) {
            towns.push(town);
        }
    }
    if towns.is_empty() {
        return Err("forecasts are of towns: name at least one by its INE code".to_owned());
    }
    Ok(towns)
}

/// Reads the base URL, without slash at its end.
fn base_url(text: &str) -> Result<Option<Url>, String> {
    let mut url = Url::parse(text)?;
    if url.query.is_some() {
        return Err("the base URL cannot have a query; the key belongs into aemet.api.key".to_owned());
    }
    url.path = url.path.trim_end_matches('/').to_owned();
    Ok(Some(url))
}

#[cfg(test)]
mod tests;
